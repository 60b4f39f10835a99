//! Migrates a file from an older layout to the current one: an ordered list of steps, all in one transaction.
//!
//! A step brings a file from one version to the next. They run in order inside one write
//! transaction, with the new version number written last: a crash leaves the old file or the new
//! one. Version 1 was never released and is refused, so there is no step; the machinery is tested with steps of
//! its own.

use redb::{ReadableTable, WriteTransaction};

use crate::model::error::{Error, ErrorKind, Result};
use crate::records::keys::{self, FORMAT_VERSION, meta};
use crate::records::seal::{seal, unseal_number};
use crate::redb_file::fault::OrFault;

/// A step that brings a file from the version before `to` up to `to`.
pub(crate) struct Step {
    /// The version of the file after the step.
    pub(crate) to: u32,
    /// Makes the changes.
    pub(crate) run: fn(&WriteTransaction) -> Result<()>,
}

/// A version, and the steps to it from every older version.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) version: u32,
    /// Oldest first.
    pub(crate) steps: &'static [Step],
}

/// The version before the first step.
const OLDEST_VERSION: u32 = 2;

/// Every step ever released, up to the version that this library writes.
pub(crate) const CURRENT: Target = Target {
    version: FORMAT_VERSION,
    steps: &[],
};

/// Returns the version of a file, from the value under [`meta::FORMAT`].
///
/// # Errors
///
/// `IncompatibleFormat` if it is newer than `newest`.
pub(crate) fn version(value: &[u8], newest: u32) -> Result<u32> {
    let version = unseal_number(meta::FORMAT, value)?;
    match u32::try_from(version) {
        Ok(version) if version < OLDEST_VERSION => Err(Error::corrupt(format!(
            "the file has format version {version}, which never was"
        ))),
        Ok(version) if version <= newest => Ok(version),
        _ => Err(Error::new(
            ErrorKind::IncompatibleFormat,
            format!(
                "the file has format version {version}, and this program knows up to {newest}: \
                 use a newer one"
            ),
        )),
    }
}

/// Runs the steps between the file's version and the target, without committing.
pub(crate) fn run(txn: &WriteTransaction, target: Target) -> Result<()> {
    let stored = {
        let table = txn.open_table(keys::META).or_fault()?;
        let value = table.get(meta::FORMAT).or_fault()?;
        value
            .map(|value| unseal_number(meta::FORMAT, value.value()))
            .transpose()?
    };
    let Some(stored) = stored else {
        return Err(Error::corrupt("the file has no format version"));
    };
    for step in target.steps {
        if u64::from(step.to) > stored && step.to <= target.version {
            (step.run)(txn)?;
        }
    }
    let mut table = txn.open_table(keys::META).or_fault()?;
    let value = seal(meta::FORMAT, &u64::from(target.version))?;
    table.insert(meta::FORMAT, value.as_slice()).or_fault()?;
    Ok(())
}

/// Checks the steps: one for each version after the first, in order, with no gap.
const _: () = {
    assert!(
        CURRENT.steps.len() + OLDEST_VERSION as usize == FORMAT_VERSION as usize,
        "each version after the oldest has one step"
    );
};

#[cfg(test)]
mod tests {
    use redb::{Database, TableDefinition, backends::InMemoryBackend};

    use super::*;

    const NOTES: TableDefinition<'_, u32, &str> = TableDefinition::new("notes");

    fn file_of_version(version: u64) -> Database {
        let db = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        let txn = db.begin_write().unwrap();
        let value = seal(meta::FORMAT, &version).unwrap();
        txn.open_table(keys::META)
            .unwrap()
            .insert(meta::FORMAT, value.as_slice())
            .unwrap();
        txn.open_table(NOTES).unwrap();
        txn.commit().unwrap();
        db
    }

    fn note(txn: &WriteTransaction, number: u32, text: &str) -> Result<()> {
        txn.open_table(NOTES)
            .or_fault()?
            .insert(number, text)
            .or_fault()?;
        Ok(())
    }

    const TEST_STEPS: &[Step] = &[
        Step {
            to: 3,
            run: |txn| note(txn, 3, "three"),
        },
        Step {
            to: 4,
            run: |txn| note(txn, 4, "four"),
        },
        Step {
            to: 5,
            run: |_| Err(Error::corrupt("no way")),
        },
    ];

    fn target(version: u32) -> Target {
        Target {
            version,
            steps: TEST_STEPS,
        }
    }

    fn notes(db: &Database) -> Vec<u32> {
        use redb::ReadableDatabase;
        let table = db.begin_read().unwrap().open_table(NOTES).unwrap();
        ReadableTable::iter(&table)
            .unwrap()
            .map(|row| row.unwrap().0.value())
            .collect()
    }

    fn stored_version(db: &Database) -> u64 {
        use redb::ReadableDatabase;
        let table = db.begin_read().unwrap().open_table(keys::META).unwrap();
        let value = ReadableTable::get(&table, meta::FORMAT).unwrap().unwrap();
        unseal_number(meta::FORMAT, value.value()).unwrap()
    }

    #[test]
    fn the_steps_after_the_files_version_run_in_order() {
        for (from, expected) in [(2, vec![3, 4]), (3, vec![4]), (4, vec![])] {
            let db = file_of_version(from);
            let txn = db.begin_write().unwrap();
            run(&txn, target(4)).unwrap();
            txn.commit().unwrap();
            assert_eq!(notes(&db), expected);
            assert_eq!(stored_version(&db), 4);
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let db = file_of_version(2);
        let txn = db.begin_write().unwrap();
        assert!(run(&txn, target(5)).is_err());
        drop(txn);
        assert_eq!(notes(&db), Vec::<u32>::new());
        assert_eq!(stored_version(&db), 2);
    }

    #[test]
    fn a_newer_version_is_refused_and_zero_is_damage() {
        let value = seal(meta::FORMAT, &(u64::from(FORMAT_VERSION) + 1)).unwrap();
        let error = version(&value, FORMAT_VERSION).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IncompatibleFormat);
        assert_eq!(
            error.to_string(),
            "the file has format version 3, and this program knows up to 2: use a newer one"
        );
        assert!(
            version(&seal(meta::FORMAT, &1u64).unwrap(), FORMAT_VERSION)
                .unwrap_err()
                .is_corrupt()
        );
    }
}
