//! `bayplan hash`

use std::collections::BTreeMap;
use std::path::PathBuf;

use bayplan::{Any, Container, Labels, ReadTxn, Record};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cli::Global;
use crate::content::Content;
use crate::failure::{Exit, Result};
use crate::json;
use crate::run::Io;

/// What is hashed first. Another way to hash has another name.
const VERSION: &str = "bayplan content 1";

/// Print a hash of what the store holds
///
/// Prints a line for each namespace, and one for the whole store. Two stores with the same hash hold the same
/// namespaces, labels, containers and records, with the same times. Revisions, free pages, and the order in which
/// things were written have no part in it: a store, its backup and what is loaded from its dump have the same hash.
///
/// With a file, hashes that one: a store, a backup, or a dump. -n hashes only one namespace; the hash of the whole store
/// is not printed then.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan hash
  bayplan hash /var/backups/meta.redb
  bayplan hash -n k8s.io meta.ndjson")]
pub(crate) struct Args {
    /// A store, a backup or a dump; standard input if `-` [default: the database file]
    file: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Lines for people
    Table,
    /// One object
    Json,
}

/// The hashes of a store, in hexadecimal.
#[derive(Serialize)]
struct Hashes {
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    namespaces: BTreeMap<String, String>,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let read = Content::read(args.file.as_deref(), global, io)?;
    let only = read.only(global)?;
    let snapshot = &read.snapshot;
    let mut hashes = Hashes {
        store: None,
        namespaces: BTreeMap::new(),
    };
    let mut whole = Hash::new();
    for name in read.namespaces(only.as_deref())? {
        let hash = of_namespace(snapshot, &name)?;
        whole.text(&name);
        whole.text(&hash);
        hashes.namespaces.insert(name, hash);
    }
    if only.is_none() {
        hashes.store = Some(whole.finish());
    }
    match args.format {
        Format::Json => writeln!(io.out, "{}", json::pretty(&json::of(&hashes)?, 0))?,
        Format::Table => {
            for (name, hash) in &hashes.namespaces {
                writeln!(io.out, "{hash}  {name}")?;
            }
            if let Some(hash) = &hashes.store {
                writeln!(io.out, "{hash}  the whole store")?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The hash of a namespace: its name and labels, its containers, then its records by kind, each in the order of ids.
fn of_namespace(snapshot: &ReadTxn, name: &str) -> Result<String> {
    let mut hash = Hash::new();
    hash.text(name);
    hash.labels(&snapshot.namespace_labels(name)?);
    let namespace = snapshot.namespace(name)?;
    for container in namespace.query().iter()? {
        hash.container(&container?);
    }
    for kind in snapshot.record_kinds(name)? {
        hash.text(&kind);
        for record in namespace.records(&kind)?.query().iter()? {
            hash.record(&record?);
        }
    }
    Ok(hash.finish())
}

/// A hash in the making. Each text and value is preceded by its length, each set by its number, so that nothing can be
/// shifted from one to the next.
struct Hash(Sha256);

impl Hash {
    fn new() -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(VERSION);
        hash
    }

    fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn any(&mut self, any: Option<&Any>) {
        self.number(u64::from(any.is_some()));
        if let Some(any) = any {
            self.text(&any.type_url);
            self.bytes(&any.value);
        }
    }

    fn labels(&mut self, labels: &Labels) {
        self.number(labels.len() as u64);
        for (key, value) in labels {
            self.text(key);
            self.text(value);
        }
    }

    /// A time: seconds since 1970, and nanoseconds.
    fn time(&mut self, seconds: i64, nanos: u32) {
        self.0.update(seconds.to_le_bytes());
        self.number(u64::from(nanos));
    }

    fn container(&mut self, container: &Container) {
        self.text("container");
        self.text(&container.id);
        self.labels(&container.labels);
        self.text(&container.image);
        self.text(&container.runtime.name);
        self.any(container.runtime.options.as_ref());
        self.any(container.spec.as_ref());
        self.text(&container.snapshotter);
        self.text(&container.snapshot_key);
        self.text(&container.sandbox_id);
        self.number(container.extensions.len() as u64);
        for (name, extension) in &container.extensions {
            self.text(name);
            self.any(Some(extension));
        }
        let created_at = container.created_at;
        self.time(created_at.timestamp(), created_at.timestamp_subsec_nanos());
        let updated_at = container.updated_at;
        self.time(updated_at.timestamp(), updated_at.timestamp_subsec_nanos());
    }

    fn record(&mut self, record: &Record) {
        self.text("record");
        self.text(&record.id);
        self.labels(&record.labels);
        self.any(Some(&record.value));
        let created_at = record.created_at;
        self.time(created_at.timestamp(), created_at.timestamp_subsec_nanos());
        let updated_at = record.updated_at;
        self.time(updated_at.timestamp(), updated_at.timestamp_subsec_nanos());
    }
}
