//! Writes a dump line by line.

use std::io::{BufWriter, Write};

use serde::Serialize;

use super::line::{
    ContainerLine, DUMP_VERSION, End, EndLine, Head, NamespaceLine, RecordLine, StoreLine,
    checksum_text,
};
use crate::model::container::Container;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::model::limits::DUMP_LINE_MAX_BYTES;
use crate::model::record::Record;

/// Writes the lines of a dump in their order, and counts them.
pub(crate) struct Writer<W: Write> {
    out: BufWriter<W>,
    line: Vec<u8>,
    checksum: crc32fast::Hasher,
    pub(crate) bytes: u64,
    pub(crate) namespaces: u64,
    pub(crate) containers: u64,
    pub(crate) records: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the first line: the properties of the store, and whether only one namespace follows.
    pub(crate) fn begin(
        out: W,
        store: StoreLine,
        only_namespace: Option<NamespaceName>,
    ) -> Result<Self> {
        let mut writer = Self {
            out: BufWriter::new(out),
            line: Vec::new(),
            checksum: crc32fast::Hasher::new(),
            bytes: 0,
            namespaces: 0,
            containers: 0,
            records: 0,
        };
        let bayplan_dump = DUMP_VERSION;
        writer.put(&Head {
            bayplan_dump,
            store,
            only_namespace,
        })?;
        Ok(writer)
    }

    pub(crate) fn namespace(&mut self, namespace: &NamespaceName, labels: &Labels) -> Result<()> {
        self.namespaces += 1;
        self.put(&NamespaceLine { namespace, labels })
    }

    pub(crate) fn container(
        &mut self,
        namespace: &NamespaceName,
        container: &Container,
    ) -> Result<()> {
        self.containers += 1;
        self.make(&ContainerLine {
            namespace,
            container,
        })
        .map_err(|error| error.of(&container.id).in_namespace(namespace))?;
        self.write()
    }

    pub(crate) fn record(
        &mut self,
        namespace: &NamespaceName,
        kind: &Kind,
        record: &Record,
    ) -> Result<()> {
        self.records += 1;
        let line = RecordLine {
            namespace,
            kind: kind.as_str(),
            record,
        };
        self.put(&line).map_err(|error| {
            error
                .of(&record.id)
                .of_record_kind(kind.of_collection())
                .in_namespace(namespace)
        })
    }

    /// Returns how many containers and records were written.
    pub(crate) fn done(&self) -> u64 {
        self.containers + self.records
    }

    /// Writes the last line, and flushes everything to the system.
    pub(crate) fn end(&mut self) -> Result<()> {
        let end = End {
            namespaces: self.namespaces,
            containers: self.containers,
            records: self.records,
            crc32: Some(checksum_text(self.checksum.clone().finalize())),
        };
        self.put(&EndLine { end })?;
        self.out.flush().map_err(cannot_write)
    }

    fn put(&mut self, line: &impl Serialize) -> Result<()> {
        self.make(line)?;
        self.write()
    }

    /// Encodes the next line. Only its content can make this fail.
    fn make(&mut self, line: &impl Serialize) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(|error| {
            Error::new(ErrorKind::Io, "a line of the dump cannot be encoded").caused_by(error)
        })?;
        let size = self.line.len();
        if size > DUMP_LINE_MAX_BYTES {
            return Err(Error::precondition(format!(
                "it is too large for a dump: its line has {size} bytes of at most \
                 {DUMP_LINE_MAX_BYTES}; a backup has no such limit"
            )));
        }
        self.line.push(b'\n');
        Ok(())
    }

    /// Writes the encoded line.
    fn write(&mut self) -> Result<()> {
        self.checksum.update(&self.line);
        self.bytes += self.line.len() as u64;
        self.out.write_all(&self.line).map_err(cannot_write)
    }
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "the dump cannot be written").caused_by(error)
}
