//! Changes of a store that are copied by one transaction.

use bayplan::implementing::{Item, Sealed, seal_labels};
use bayplan::{
    Change, Container, ContainerHeader, Error, ErrorKind, Event, Found, Record, RecordHeader,
    Result, Subject,
};

use crate::draft::Draft;
use crate::keys::{CONTAINERS, Keys, Row};

/// The most changes in one transaction: with two keys each, and the row of the host, fewer than the 128 operations that
/// etcd accepts.
const CHANGES_MAX_COUNT: usize = 60;

/// About the most bytes in one transaction: a third of what etcd accepts.
const BYTES_MAX: usize = 512 * 1024;

/// A transaction that is being filled.
pub(crate) struct Batch<'c> {
    pub(crate) draft: Draft<'c>,
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Batch<'_> {
    pub(crate) fn is_full(&self) -> bool {
        self.count >= CHANGES_MAX_COUNT || self.bytes >= BYTES_MAX
    }

    /// Copies one change.
    pub(crate) fn add(&mut self, keys: &Keys, change: &Change, with_specs: bool) -> Result<()> {
        let name = change.namespace.as_str();
        match &change.subject {
            Subject::Namespace(event) => {
                let key = keys.namespace(name);
                match event.item() {
                    Some(labels) => {
                        let row = seal_labels(&key, labels, self.draft.mark())?;
                        self.put(key, row);
                    }
                    None => self.delete(key),
                }
            }
            Subject::Container { id, event } => {
                let names = (name, CONTAINERS, id.as_str());
                self.record(keys, names, event, with_specs, of_header)?;
            }
            Subject::Record { kind, id, event } => {
                let names = (name, kind.as_str(), id.as_str());
                self.record(keys, names, event, with_specs, of_record_header)?;
            }
            _ => return Err(unknown_change()),
        }
        self.count += 1;
        Ok(())
    }

    fn record<T: Item>(
        &mut self,
        keys: &Keys,
        (namespace, kind, id): (&str, &str, &str),
        event: &Event<Found<T>>,
        with_specs: bool,
        of_header: fn(&T::Header) -> T,
    ) -> Result<()> {
        let head = keys.record(Row::Head, namespace, kind, id);
        let value = keys.record(Row::Value, namespace, kind, id);
        let sealed = match event.item() {
            None => {
                self.delete(head);
                self.delete(value);
                return Ok(());
            }
            Some(Found::Whole(item)) => Sealed::new(&head, item, with_specs, self.draft.mark())?,
            Some(Found::Header(header)) => {
                Sealed::new(&head, &of_header(header), false, self.draft.mark())?
            }
            Some(_) => return Err(unknown_change()),
        };
        match sealed.value {
            Some(sealed) => {
                self.bytes += value.len() + sealed.len();
                self.draft.put_plain(value, sealed);
            }
            None => self.delete(value),
        }
        self.put(head, sealed.head);
        Ok(())
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.draft.put(key, value);
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.draft.delete(key);
    }
}

fn unknown_change() -> Error {
    Error::of_kind(
        ErrorKind::IncompatibleFormat,
        "the store reports a change that this program does not know",
    )
}

/// Returns a container without spec and extensions.
fn of_header(header: &ContainerHeader) -> Container {
    let mut container = Container::with_id(header.id.as_str())
        .image(header.image.as_str())
        .snapshot(header.snapshotter.as_str(), header.snapshot_key.as_str())
        .sandbox(header.sandbox_id.as_str());
    container.runtime = header.runtime.clone();
    container.labels = header.labels.clone();
    container.stamp((header.created_at, header.updated_at), header.revision);
    container
}

/// Returns a record with an empty value of the same type.
fn of_record_header(header: &RecordHeader) -> Record {
    let mut record = Record::with_id(header.id.as_str());
    record.labels = header.labels.clone();
    record.value.type_url.clone_from(&header.type_url);
    record.stamp((header.created_at, header.updated_at), header.revision);
    record
}
