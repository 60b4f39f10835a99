//! Finds the records in pages that hold what was written last.
//!
//! In a file with damaged pages, a page may be an older version, if its last write was lost. All its seals
//! are valid; only the checksum in its parent shows it. A record's own row has the seals of its other rows,
//! so it suffices that the own row is in a page that is verified from the header down.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use redb::TableHandle;

use crate::maintenance::salvage::name::RecordName;
use crate::records::keys::{self, Row};
use crate::redb_file::pages::Source;
use crate::redb_file::trees::{self, ReadAt};

/// A file that can be read at any offset, through a shared reference.
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

/// Returns the records of a file whose own rows are in verified pages; empty if the last commit is unknown.
pub(crate) fn records(source: &mut Source) -> BTreeSet<RecordName> {
    let mut all = BTreeSet::new();
    let take = &mut |key: &[u8], _: &[u8]| {
        let own = Row::parse(key).filter(|row| row.part.is_none());
        all.extend(own.and_then(|row| RecordName::of_row(&row)));
    };
    let file = Shared(RefCell::new(source));
    match trees::visit_intact(&file, keys::RECORDS.name(), take) {
        Ok(()) => all,
        Err(_) => BTreeSet::new(),
    }
}
