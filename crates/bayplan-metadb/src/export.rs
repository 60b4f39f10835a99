//! From a store into a new file of containerd.

use std::path::Path;

use bayplan::{Labels, ReadTxn};
use boltfile::Writer;

use crate::container;
use crate::error::{Error, Result};
use crate::keys::{CONTAINERS, ROOT, VERSION, VERSION_WRITTEN};
use crate::varint;

/// What an export tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportEvent<'a> {
    /// A container is written.
    Exported {
        /// Its namespace.
        namespace: &'a str,
        /// Its id.
        id: &'a str,
    },
    /// Records of a kind that an export does not write.
    LeftBehind {
        /// Their namespace.
        namespace: &'a str,
        /// Their kind.
        kind: &'a str,
        /// How many.
        count: u64,
    },
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// Namespaces.
    pub namespaces_count: u64,
    /// Containers.
    pub containers_count: u64,
    /// Records of other kinds, which were not written.
    pub records_left_count: u64,
}

/// Writes a new metadata database for containerd, with the namespaces and containers of a snapshot.
///
/// The file has its name only once it is complete, and only its owner may read it. Records of other kinds are counted
/// ([`ExportEvent::LeftBehind`]). The file has version 3 of the schema: containerd 1.4 to 1.7 have it, and later
/// versions migrate it when they start.
///
/// # Errors
///
/// [`NamespaceName`](Error::NamespaceName) if containerd cannot have a namespace of that name; nothing is written then.
/// [`Bolt`](Error::Bolt) if the file cannot be written, or exists already ([`Exists`](boltfile::Error::Exists)).
/// [`Store`](Error::Store) if the store cannot be read, or is damaged. After an error there is no new file, see
/// [`Writer::finish`](boltfile::Writer::finish) for the one exception.
pub fn export(
    snapshot: &ReadTxn,
    path: impl AsRef<Path>,
    mut observe: impl FnMut(ExportEvent<'_>),
) -> Result<ExportReport> {
    let names = snapshot.list_namespaces()?;
    if let Some(name) = names
        .iter()
        .find(|name| name.as_str().as_bytes() == VERSION)
    {
        return Err(Error::NamespaceName {
            namespace: name.to_string(),
        });
    }
    let mut report = ExportReport::default();
    let mut writer = Writer::create(path)?;
    writer.open_bucket(ROOT)?;
    let (before, behind) =
        names.split_at(names.partition_point(|name| name.as_str().as_bytes() < VERSION));
    for name in before {
        namespace(
            snapshot,
            name.as_str(),
            &mut writer,
            &mut report,
            &mut observe,
        )?;
    }
    let mut version = Vec::new();
    varint::encode(varint::to_zig_zag(VERSION_WRITTEN), &mut version);
    writer.put(VERSION, &version)?;
    for name in behind {
        namespace(
            snapshot,
            name.as_str(),
            &mut writer,
            &mut report,
            &mut observe,
        )?;
    }
    writer.close_bucket()?;
    writer.finish()?;
    Ok(report)
}

fn namespace(
    snapshot: &ReadTxn,
    name: &str,
    writer: &mut Writer,
    report: &mut ExportReport,
    observe: &mut impl FnMut(ExportEvent<'_>),
) -> Result<()> {
    let store = snapshot.namespace(name)?;
    writer.open_bucket(name.as_bytes())?;
    let mut containers = store.query().iter()?.peekable();
    if containers.peek().is_some() {
        writer.open_bucket(CONTAINERS)?;
        for container in containers {
            let container = container?;
            container::write(&container, writer)?;
            report.containers_count += 1;
            let id = &container.id;
            observe(ExportEvent::Exported {
                namespace: name,
                id,
            });
        }
        writer.close_bucket()?;
    }
    let labels: Labels = snapshot.namespace_labels(name)?;
    container::write_labels(&labels, writer)?;
    writer.close_bucket()?;
    report.namespaces_count += 1;
    for kind in snapshot.record_kinds(name)? {
        let count = store.records(&kind)?.query().count()?;
        report.records_left_count += count;
        observe(ExportEvent::LeftBehind {
            namespace: name,
            kind: &kind,
            count,
        });
    }
    Ok(())
}
