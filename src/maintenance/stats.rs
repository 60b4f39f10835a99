//! `Db::stats`.

use crate::api::db::Db;
use crate::maintenance::measure::measure;
use crate::model::error::{Operation, Result};
use crate::model::info::StoreId;
use crate::model::stats::{Stats, TableStats};
use crate::records::keys::FORMAT_VERSION;
use crate::redb_file::fault::{OrIo, contained};
use crate::redb_file::found::Found;

impl Db {
    /// Counts the containers and the records of other kinds, and measures what takes space in the file.
    ///
    /// It reads each record's own row and visits every page of the tables, in one snapshot, while others write.
    /// Unverified pages are verified first. The file's length is read afterwards, so the free bytes can be off by what
    /// was written in between.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the page, if the file is damaged;
    /// [`Io`](crate::ErrorKind::Io).
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("meta.redb");
    /// let db = Db::create(path)?;
    /// let spec = Any::new("spec", b"{}");
    /// db.namespace("k8s.io")?.create(Container::new("web", Runtime::new("runc"), spec))?;
    /// let stats = db.stats()?;
    /// assert_eq!(stats.containers_count, 1);
    /// assert_eq!(stats.namespaces[0].name, "k8s.io");
    /// assert!(stats.stored_bytes > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        let snapshot = self.read_verified(Operation::Measure)?;
        let shared = snapshot.shared();
        let in_context = |error: crate::Error| error.during(Operation::Measure).at(shared.path());
        let oldest = snapshot.oldest_other().map_err(in_context)?;
        let measured = contained(|| measure(snapshot.contents(), snapshot.is_verified()))
            .map_err(in_context)?;
        let file_bytes = match shared.path() {
            Some(path) => Some(Found::at(path).or_io().map_err(in_context)?.len_bytes),
            None => None,
        };
        let sum = |bytes: fn(&TableStats) -> u64| measured.tables.iter().map(bytes).sum();
        let mut stats = Stats {
            id: StoreId::from_bytes(shared.identity.uuid),
            format_version: FORMAT_VERSION,
            revisions_below: measured.revisions_below,
            containers_count: measured
                .namespaces
                .iter()
                .map(|namespace| namespace.containers_count)
                .sum(),
            records_count: measured
                .namespaces
                .iter()
                .flat_map(|namespace| namespace.records_counts.values())
                .sum(),
            file_bytes,
            stored_bytes: sum(|table| table.stored_bytes),
            metadata_bytes: sum(|table| table.metadata_bytes),
            fragmented_bytes: sum(|table| table.fragmented_bytes),
            free_bytes: None,
            oldest_snapshot_ms: oldest
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            memory_bytes: shared.memory_bytes(),
            namespaces: measured.namespaces,
            tables: measured.tables,
        };
        stats.free_bytes = file_bytes.map(|bytes| bytes.saturating_sub(stats.used_bytes()));
        Ok(stats)
    }
}
