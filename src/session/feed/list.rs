//! The changes after a revision, in order.

use std::collections::{BinaryHeap, VecDeque};

use crate::model::error::{Error, Result};
use crate::model::position::{Origin, Position};
use crate::model::revision::Revision;
use crate::query::{Moment, Scope};
use crate::records::keys::TableCode;
use crate::records::tombstone::Name;
use crate::redb_file::fault::contained;
use crate::session::snapshot::revisions_below;
use crate::session::tombstones;
use crate::session::txn::ReadTxn;

/// The most changes in one list: about 1 MiB of names, in the usual case.
pub(crate) const LIST_MAX_COUNT: usize = 16 * 1024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Created,
    /// It was created with this revision.
    Updated {
        created: Revision,
    },
    Deleted,
}

/// One change, without what is stored now.
///
/// What was created after the given revision is reported once, as created, with the revision of its creation. So a
/// follower that continues from a revision in between already knows of it, or will get it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) revision: Revision,
    pub(crate) name: Name,
    pub(crate) what: What,
}

/// What a follower knows that asks for the changes in a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The follower's position before the snapshot was taken.
    pub(crate) since: Position,
    /// The revision up to which later changes were already reported from the same snapshot.
    pub(crate) done: Revision,
}

impl Known {
    pub(crate) fn since(since: Position) -> Self {
        let done = since.revision();
        Self { since, done }
    }
}

/// The first changes that a follower does not know.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) origin: Origin,
    /// The revision up to which everything is known once all entries are done.
    pub(crate) end: Revision,
    /// Whether there are more.
    pub(crate) is_cut: bool,
}

impl List {
    /// Returns the first `max_count` changes in a snapshot that are not known, in the order of their revisions.
    ///
    /// # Errors
    ///
    /// `Lagged`; `Corrupt`, naming a damaged record, since when it changed is then unknown.
    pub(crate) fn of(txn: &ReadTxn, known: Known, max_count: usize) -> Result<Self> {
        let forgotten = check_position(txn, known.since)?;
        let mut collected = Collected {
            known,
            max_count: max_count.max(1),
            first: BinaryHeap::new(),
            without_history: Vec::new(),
            top: known.done.max(forgotten),
            is_cut: false,
        };
        collected.take_deletions(txn)?;
        match txn.shared().changed_since(known.since.revision()) {
            Some(keys) => collected.take_changed(txn, &keys)?,
            None => {
                for name in txn.namespaces()? {
                    collected.take_namespace(txn, &Name::of_namespace(name))?;
                }
            }
        }
        Ok(collected.finish(txn.shared().history))
    }
}

/// Checks that no change after a position is missing. Returns the revision up to which deletions are forgotten.
///
/// # Errors
///
/// `Lagged` if one may be missing.
pub(crate) fn check_position(txn: &ReadTxn, since: Position) -> Result<Revision> {
    let bounds = contained(|| {
        let contents = txn.seen()?;
        let meta = contents.table(TableCode::Meta)?;
        let below = Revision::new(revisions_below(contents)?);
        Ok((below, tombstones::forgotten(&meta)?))
    });
    let (below, forgotten) = txn.believe(bounds)?;
    if since.revision() == Revision::NONE {
        return Ok(forgotten); // A follower that knows nothing misses no deletion.
    }
    let history = txn.shared().history;
    if since.history().is_some_and(|of| of != history) {
        return Err(Error::lagged(
            Position::START,
            format!(
                "the position {since} is of another history than the store's, {history:016x}: the store was restored, or \
                 is another one. Forget what is known, and read the changes from the start"
            ),
        ));
    }
    if since.deletions() >= below {
        return Err(Error::lagged(
            Position::START,
            format!(
                "this store has never had the position {since}: it was restored, or is another one. Forget what is \
                 known, and read the changes from the start"
            ),
        ));
    }
    if since.deletions() < forgotten {
        let from = Position::new(history, forgotten, forgotten);
        return Err(Error::lagged(
            from,
            format!(
                "deletions up to revision {forgotten} are forgotten, and at the position {since} they are not all known: \
                 list everything, then read the changes from {from}; or forget what is known, and read them from the \
                 start"
            ),
        ));
    }
    Ok(forgotten)
}

/// The first of the changes found so far.
struct Collected {
    known: Known,
    max_count: usize,
    /// The last of them is on top.
    first: BinaryHeap<Entry>,
    /// Namespaces without revisions. They come before everything else.
    without_history: Vec<Entry>,
    top: Revision,
    is_cut: bool,
}

impl Collected {
    fn take_deletions(&mut self, txn: &ReadTxn) -> Result<()> {
        let Known { since, done } = self.known;
        let taken = contained(|| {
            let table = txn.seen()?.table(TableCode::Tombstones)?;
            if since.revision() == Revision::NONE {
                // What is already deleted was never known.
                self.top = self.top.max(tombstones::last(&table)?.unwrap_or_default());
                return Ok(());
            }
            for deletion in tombstones::after(&table, since.deletions().max(done))? {
                let (revision, name) = deletion?;
                self.take(revision, revision, name, What::Deleted);
                if self.is_cut {
                    break; // They are in order.
                }
            }
            Ok(())
        });
        txn.believe(taken)
    }

    /// Takes all changes of these keys. Some may have changed only after the snapshot.
    fn take_changed(&mut self, txn: &ReadTxn, keys: &[Box<[u8]>]) -> Result<()> {
        for name in keys.iter().filter_map(|key| Name::parse(key)) {
            let moment = match &name.record {
                None => txn
                    .namespace_row(&name.namespace)
                    .map(|row| row.map(|row| (row.revision, row.created))),
                Some((kind, id)) => txn
                    .look_up::<Moment>(&name.namespace, kind, id)
                    .map(|found| found.map(|moment| (moment.revision, moment.created))),
            };
            if let Some((latest, created)) = moment.map_err(|error| name.told_in(error))? {
                self.take_change(latest, created, name);
            }
        }
        Ok(())
    }

    fn take_namespace(&mut self, txn: &ReadTxn, name: &Name) -> Result<()> {
        let in_namespace = |error: Error| error.in_namespace(&name.namespace);
        if let Some(row) = txn.namespace_row(&name.namespace).map_err(in_namespace)? {
            self.take_change(row.revision, row.created, name.clone());
        }
        for kind in txn.kinds(&name.namespace).map_err(in_namespace)? {
            let mut scope = Scope::all(&name.namespace, &kind);
            let since = self.known.since.revision();
            scope.changed_after = Some(since).filter(|since| *since > Revision::NONE);
            let in_context =
                |error: Error| in_namespace(error.of_record_kind(kind.of_collection()));
            for moment in txn.traverse::<Moment>(scope, false, None, usize::MAX) {
                let moment = moment.map_err(in_context)?;
                let moment = moment.map_err(|damaged| in_context(damaged.error))?;
                let id = moment.id.try_into().map_err(in_context)?;
                let name = Name {
                    record: Some((kind.clone(), id)),
                    ..name.clone()
                };
                self.take_change(moment.revision, moment.created, name);
            }
        }
        Ok(())
    }

    fn take_change(&mut self, latest: Revision, created: Revision, name: Name) {
        let Known { since, done } = self.known;
        let since = since.revision();
        if created > since {
            self.take(created, latest, name, What::Created);
        } else if latest > since {
            self.take(latest, latest, name, What::Updated { created });
        } else if latest == Revision::NONE && done == Revision::NONE {
            self.without_history.push(Entry {
                revision: latest,
                name,
                what: What::Created,
            });
        }
    }

    /// Takes a change at `revision` of an item whose last change was at `latest`.
    fn take(&mut self, revision: Revision, latest: Revision, name: Name, what: What) {
        self.top = self.top.max(latest);
        if revision <= self.known.done {
            return;
        }
        self.first.push(Entry {
            revision,
            name,
            what,
        });
        if self.first.len() > self.max_count {
            self.first.pop();
            self.is_cut = true;
        }
    }

    fn finish(self, history: u64) -> List {
        let mut entries = VecDeque::from(self.without_history);
        entries.extend(self.first.into_sorted_vec());
        let last = entries.back().map(|entry| entry.revision);
        let since = self.known.since;
        let deletions = match since.revision() {
            Revision::NONE => self.top, // Everything reported now is stored.
            _ => since.deletions(),
        };
        List {
            origin: Origin { history, deletions },
            end: last.filter(|_| self.is_cut).unwrap_or(self.top),
            is_cut: self.is_cut,
            entries,
        }
    }
}
