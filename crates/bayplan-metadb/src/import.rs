//! From containerd's file into a store.

use bayplan::limits::TEXT_MAX_BYTES;
use bayplan::{Container, Db, Labels, WriteTxn};

use crate::error::{Error, Result};
use crate::read::{Kept, MetaDb, Space};

/// A transaction takes at most so many namespaces and containers together.
const BATCH_MAX_COUNT: u64 = 512;

/// It ends once they have so many bytes together.
const BATCH_MAX_BYTES: usize = 8 * 1024 * 1024;

const _: () = assert!(BATCH_MAX_BYTES > TEXT_MAX_BYTES);

/// What an import tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A container is in a transaction, which may still fail.
    Imported {
        /// Its namespace.
        namespace: &'a str,
        /// Its id.
        id: &'a str,
    },
    /// Something comes, but not as it is in containerd's file.
    Changed {
        /// Its namespace.
        namespace: &'a str,
        /// The container; `None` for the namespace itself.
        id: Option<&'a str>,
        /// What is different.
        change: Change,
    },
    /// Something does not come.
    Refused {
        /// Its namespace, for people: bytes that are not printable ASCII are escaped.
        namespace: &'a str,
        /// The container, likewise; `None` for the labels of the namespace, or the namespace with all it has.
        id: Option<&'a str>,
        /// Why.
        error: &'a Error,
    },
    /// Objects of a kind that a store does not take from containerd, such as `images`.
    LeftBehind {
        /// Their namespace, for people.
        namespace: &'a str,
        /// Their kind, as containerd's file names it.
        kind: &'a str,
        /// How many.
        count: u64,
    },
}

/// What is different in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Labels without values are not stored, unless the store keeps them.
    EmptyLabels(Vec<String>),
    /// It was updated before it was created, by a clock that went back: `updated_at` is `created_at`.
    UpdatedAt,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportReport {
    /// Namespaces that were imported.
    pub namespaces_count: u64,
    /// Containers that were imported.
    pub containers_count: u64,
    /// How often something was [`Refused`](Event::Refused).
    pub refused_count: u64,
    /// How often something was [`Changed`](Event::Changed).
    pub changed_count: u64,
    /// Whether something was refused because it is damaged.
    pub is_damaged: bool,
}

/// Brings all namespaces and containers of containerd's file into a store: labels, times, options, specs, extensions
/// and sandbox ids. Whatever else the file has is counted ([`Event::LeftBehind`]).
///
/// A container that a store cannot hold is refused, as is one that is there already, and the others come:
/// [`ImportReport::refused_count`] tells. Nothing that the store holds is changed.
///
/// It commits some hundred containers at a time. After an error or a crash, all containers of the transactions before
/// are there. If it is run again, it refuses these, and brings the others. To get all or nothing, import into a new
/// store and give it its name at the end, as the program `bayplan` does.
///
/// # Errors
///
/// [`Bolt`](Error::Bolt) if the file cannot be read; [`Store`](Error::Store) if the store cannot be written.
pub fn import(meta: &MetaDb, db: &Db, observe: impl FnMut(Event<'_>)) -> Result<ImportReport> {
    run(meta, db, true, observe)
}

/// Does the same as [`import`], without changing the store: tells what would come, and what would be refused.
///
/// # Errors
///
/// As [`import`].
pub fn dry_run(meta: &MetaDb, db: &Db, observe: impl FnMut(Event<'_>)) -> Result<ImportReport> {
    run(meta, db, false, observe)
}

fn run(
    meta: &MetaDb,
    db: &Db,
    is_committed: bool,
    observe: impl FnMut(Event<'_>),
) -> Result<ImportReport> {
    let mut import = Import {
        db,
        is_committed,
        keeps_empty_labels: db.info().keep_empty_labels,
        batch: None,
        report: ImportReport::default(),
        observe,
    };
    for space in meta.namespaces()? {
        let space = space?;
        import.left_behind(&space)?;
        import.space(&space)?;
    }
    import.end_batch()?;
    for space in meta.beside()? {
        import.left_behind(&space?)?;
    }
    Ok(import.report)
}

struct Import<'d, F> {
    db: &'d Db,
    is_committed: bool,
    keeps_empty_labels: bool,
    batch: Option<Batch>,
    report: ImportReport,
    observe: F,
}

/// A transaction with what is in it.
struct Batch {
    txn: WriteTxn,
    count: u64,
    bytes: usize,
}

impl<F: FnMut(Event<'_>)> Import<'_, F> {
    fn space(&mut self, space: &Space<'_>) -> Result<()> {
        let name = match space.name() {
            Ok(name) => name,
            Err(error) => return self.refuse(&space.shown(), None, error),
        };
        if !self.namespace(name, space)? {
            return Ok(());
        }
        self.report.namespaces_count += 1;
        let containers = match space.containers() {
            Ok(containers) => containers,
            Err(error) => return self.refuse(name, None, error),
        };
        for kept in containers {
            let Kept { id, container } = kept?;
            match container {
                Ok(container) => self.container(name, container)?,
                Err(error) => self.refuse(name, Some(&id), error)?,
            }
        }
        Ok(())
    }

    /// Creates a namespace with its labels. `false` if there cannot be one of this name.
    fn namespace(&mut self, name: &str, space: &Space<'_>) -> Result<bool> {
        let mut labels = match space.labels() {
            Ok(labels) => labels,
            Err(error) => {
                self.refuse(name, None, error)?;
                Labels::new()
            }
        };
        let dropped = self.drop_empty(&mut labels);
        match self.create_namespace(name, labels.clone())? {
            Ok(()) => {}
            // Its labels are not valid, or its name is not.
            Err(error) if error.is_invalid_argument() => {
                self.refuse(name, None, error.into())?;
                if self.create_namespace(name, Labels::new())?.is_err() {
                    return Ok(false);
                }
            }
            Err(error) => {
                if self.txn()?.namespace_labels(name)? != labels {
                    self.refuse(name, None, error.into())?;
                }
                return Ok(true);
            }
        }
        self.tell_empty(name, None, dropped);
        self.added(size_of_labels(&labels))?;
        Ok(true)
    }

    /// The inner error is about this namespace: it is there already, or not valid.
    fn create_namespace(
        &mut self,
        name: &str,
        labels: Labels,
    ) -> Result<Result<(), bayplan::Error>> {
        match self.txn()?.create_namespace(name, labels) {
            Err(error) if !(error.is_invalid_argument() || error.is_already_exists()) => {
                Err(error.into())
            }
            created => Ok(created),
        }
    }

    fn container(&mut self, namespace: &str, mut container: Container) -> Result<()> {
        let id = container.id.clone();
        let dropped = self.drop_empty(&mut container.labels);
        let was_back = container.updated_at < container.created_at;
        if was_back {
            container.updated_at = container.created_at;
        }
        let bytes = size(&container);
        let imported = self
            .txn()?
            .namespace(namespace)
            .and_then(|store| store.import(container));
        match imported.map_err(Error::from) {
            Ok(_) => {}
            Err(error) => return self.refuse(namespace, Some(&id), error),
        }
        self.report.containers_count += 1;
        (self.observe)(Event::Imported { namespace, id: &id });
        self.tell_empty(namespace, Some(&id), dropped);
        if was_back {
            self.tell_change(namespace, Some(&id), Change::UpdatedAt);
        }
        self.added(bytes)
    }

    /// A namespace or container with so many bytes is in the transaction, which may be full now.
    fn added(&mut self, bytes: usize) -> Result<()> {
        if let Some(batch) = &mut self.batch {
            batch.count += 1;
            batch.bytes += bytes;
            if batch.count >= BATCH_MAX_COUNT || batch.bytes >= BATCH_MAX_BYTES {
                self.end_batch()?;
            }
        }
        Ok(())
    }

    /// The transaction that is open.
    fn txn(&mut self) -> Result<&WriteTxn> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => Batch {
                txn: self.db.begin_write()?,
                count: 0,
                bytes: 0,
            },
        };
        Ok(&self.batch.insert(batch).txn)
    }

    fn end_batch(&mut self) -> Result<()> {
        match self.batch.take() {
            None => {}
            Some(batch) if self.is_committed => batch.txn.commit()?,
            Some(batch) => batch.txn.abort()?,
        }
        Ok(())
    }

    /// Goes on without what an error is about. An error about more ends the import.
    fn refuse(&mut self, namespace: &str, id: Option<&str>, error: Error) -> Result<()> {
        if !error.is_about_one() {
            return Err(error);
        }
        self.report.refused_count += 1;
        self.report.is_damaged |= error.is_damage();
        (self.observe)(Event::Refused {
            namespace,
            id,
            error: &error,
        });
        Ok(())
    }

    fn left_behind(&mut self, space: &Space<'_>) -> Result<()> {
        for (kind, count) in space.other_kinds()? {
            (self.observe)(Event::LeftBehind {
                namespace: &space.shown(),
                kind: &kind,
                count,
            });
        }
        Ok(())
    }

    /// Takes the labels away that the store would not keep, and returns their keys.
    fn drop_empty(&self, labels: &mut Labels) -> Vec<String> {
        if self.keeps_empty_labels {
            return Vec::new();
        }
        let empty = labels.iter().filter(|(_, value)| value.is_empty());
        let empty: Vec<String> = empty.map(|(key, _)| key.clone()).collect();
        labels.retain(|_, value| !value.is_empty());
        empty
    }

    fn tell_empty(&mut self, namespace: &str, id: Option<&str>, keys: Vec<String>) {
        if !keys.is_empty() {
            self.tell_change(namespace, id, Change::EmptyLabels(keys));
        }
    }

    fn tell_change(&mut self, namespace: &str, id: Option<&str>, change: Change) {
        self.report.changed_count += 1;
        (self.observe)(Event::Changed {
            namespace,
            id,
            change,
        });
    }
}

/// About how many bytes a container takes.
fn size(container: &Container) -> usize {
    let of_any = |any: &bayplan::Any| any.type_url.len() + any.value.len();
    let labels = size_of_labels(&container.labels);
    let extensions = container.extensions.iter();
    let extensions: usize = extensions.map(|(name, any)| name.len() + of_any(any)).sum();
    let anys = [&container.spec, &container.runtime.options];
    let anys: usize = anys.into_iter().flatten().map(of_any).sum();
    labels + extensions + anys
}

fn size_of_labels(labels: &Labels) -> usize {
    let labels = labels.iter();
    labels.map(|(key, value)| key.len() + value.len()).sum()
}
