//! Which containers stand in pages that hold what was written last.
//!
//! In a file with damaged pages, a page may be an older one, since its last write was lost: all seals in it
//! hold. Only the checksum in the page above tells. So a container is intact if all its rows are found in
//! pages that are verified, from the header down.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use redb::TableHandle;

use crate::engine::pages::Source;
use crate::engine::trees::{self, ReadAt};
use crate::identifier::{ContainerId, NamespaceName};
use crate::record::Record;
use crate::schema::{self, Part, Row};

/// The rows of a container that were found.
#[derive(Default)]
struct Rows {
    /// How many labels and extensions the record counts.
    counted: Option<usize>,
    found: usize,
}

/// A file that is read at any place, through a shared reference.
struct Shared<'s>(RefCell<&'s mut Source>);

impl ReadAt for Shared<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.borrow().len_bytes)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.0.borrow_mut().read(at, out.len())?;
        out.copy_from_slice(&read);
        Ok(())
    }
}

/// The intact containers of a file; none if it does not say which commit was the last.
///
/// A spec is not looked at: the record knows the checksums of its rows.
pub(crate) fn containers(source: &mut Source) -> BTreeSet<(NamespaceName, ContainerId)> {
    let mut all: BTreeMap<_, Rows> = BTreeMap::new();
    let take = &mut |key: &[u8], value: &[u8]| {
        let Some((name, part)) = name_and_part(key) else {
            return;
        };
        let rows = all.entry(name).or_default();
        match part {
            Part::Record => {
                let record = Record::decode(key, value).ok();
                rows.counted = record.map(|it| it.labels as usize + it.extensions as usize);
            }
            Part::Label(_) | Part::Extension(_) => rows.found += 1,
            Part::Spec(_) => {}
        }
    };
    let file = Shared(RefCell::new(source));
    if trees::visit_intact(&file, schema::CONTAINERS.name(), take).is_err() {
        return BTreeSet::new();
    }
    all.into_iter()
        .filter(|(_, rows)| rows.counted == Some(rows.found))
        .map(|(name, _)| name)
        .collect()
}

/// Of which container, and which part of it, a key of the table `containers` is.
pub(crate) fn name_and_part(key: &[u8]) -> Option<((NamespaceName, ContainerId), Part<'_>)> {
    let (namespace, row) = Row::parse(key)?;
    let namespace = NamespaceName::new(std::str::from_utf8(namespace).ok()?).ok()?;
    let id = ContainerId::new(std::str::from_utf8(row.id).ok()?).ok()?;
    Some(((namespace, id), row.part))
}
