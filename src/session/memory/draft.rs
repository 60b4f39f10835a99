//! What a write transaction changes in the records in memory.

use std::collections::BTreeSet;

use crate::model::error::Result;
use crate::query::{Memory, Table};
use crate::redb_file::fault::contained;

/// The most records that may change while a load runs. Beyond that the load fails.
const CHANGED_MAX_COUNT: usize = 65_536;

/// The keys of records that were changed.
pub(crate) enum Changed {
    Keys(BTreeSet<Vec<u8>>),
    TooMany,
}

impl Default for Changed {
    fn default() -> Self {
        Self::Keys(BTreeSet::new())
    }
}

impl Changed {
    fn insert(&mut self, key: &[u8]) {
        match self {
            Self::Keys(keys) if keys.len() < CHANGED_MAX_COUNT => {
                keys.insert(key.to_vec());
            }
            _ => *self = Self::TooMany,
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Keys(keys), Self::Keys(more))
                if keys.len() + more.len() <= CHANGED_MAX_COUNT =>
            {
                keys.extend(more);
            }
            _ => *self = Self::TooMany,
        }
    }

    /// Reads the changed records again. `None` if there are too many, or they cannot be read.
    pub(super) fn applied_to(
        self,
        mut memory: Memory,
        table: &impl Table,
        max_bytes: usize,
    ) -> Option<Memory> {
        let Self::Keys(keys) = self else {
            return None;
        };
        for key in keys {
            contained(|| memory.refresh(table, &key)).ok()?;
            if memory.bytes() > max_bytes {
                return None;
            }
        }
        Some(memory)
    }
}

/// The records in memory as a write transaction sees them, or the keys of those that it changed.
#[derive(Default)]
pub(crate) struct Draft {
    /// `None` if they are not kept.
    memory: Option<Memory>,
    /// With 0 none are kept.
    max_bytes: usize,
    changed: Changed,
}

impl Draft {
    pub(crate) fn new(memory: Option<Memory>, max_bytes: usize) -> Self {
        Self {
            memory,
            max_bytes,
            changed: Changed::default(),
        }
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// Notes that a record was stored or deleted. `keep` changes the memory accordingly.
    ///
    /// # Errors
    ///
    /// What `keep` returns.
    pub(crate) fn change(
        &mut self,
        key: &[u8],
        keep: impl FnOnce(&mut Memory) -> Result<()>,
    ) -> Result<()> {
        let Some(memory) = &mut self.memory else {
            if self.max_bytes > 0 {
                self.changed.insert(key);
            }
            return Ok(());
        };
        keep(memory)?;
        if memory.bytes() > self.max_bytes {
            self.memory = None;
            self.changed = Changed::TooMany;
        }
        Ok(())
    }

    /// Returns the records as the transaction left them, if they are kept, or otherwise the keys of everything that it
    /// changed. `latest` is what was loaded meanwhile.
    pub(super) fn finish(
        self,
        latest: Option<Memory>,
        table: &impl Table,
    ) -> (Option<Memory>, Changed) {
        match (self.memory, latest) {
            (Some(memory), _) => (Some(memory), Changed::default()),
            (None, None) => (None, self.changed),
            (None, Some(latest)) => match self.changed.applied_to(latest, table, self.max_bytes) {
                Some(memory) => (Some(memory), Changed::default()),
                None => (None, Changed::TooMany),
            },
        }
    }
}
