//! `bayplan dump`

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bayplan::{Db, DumpReport, Progress};
use tempfile::NamedTempFile;

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::meter::Meter;
use crate::run::Io;
use crate::store::ADVICE;
use crate::summary::Made;

/// Write the store as lines of JSON
///
/// The dump holds everything, always in the same order, and `load` makes the same store of it. It
/// goes to standard output, or into a new file, which only its owner may read: it holds all
/// specifications, and so may hold secrets. The last line tells that a dump is complete. Of a damaged
/// store there is none, and the exit code is 2. The store may be in use by a process that lets others
/// read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan dump meta.ndjson
  bayplan dump | zstd > meta.ndjson.zst
  bayplan dump | jq -r 'select(.container) | .container.image'")]
pub(crate) struct Args {
    /// The new file; standard output if it is not named, or `-`
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let is_output = args.file == Path::new("-");
    if !is_output && args.file.symlink_metadata().is_ok() {
        return Err(cannot(&args.file, "it exists already"));
    }
    let db = global.open_to_copy()?;
    // On a terminal the dump itself shows how far it has come.
    let is_shown = io.terminals.err && !(is_output && io.terminals.out);
    let mut meter = Meter::new(io.err, is_shown, "dumping", "containers");
    if is_output {
        dump(&db, io.out, &mut meter)?.map_err(Failure::Output)?;
        return Ok(Exit::Done);
    }
    let report = to_file(&db, &args.file, &mut meter)?;
    drop(meter);
    let made = Made {
        path: &args.file,
        id: report.id,
        namespaces: report.namespaces_count,
        containers: report.containers_count,
        bytes: report.dump_bytes,
    };
    made.write(io.out)?;
    Ok(Exit::Done)
}

/// Dumps into a file that gets its name when it is complete and on the disk.
fn to_file(db: &Db, path: &Path, meter: &mut Meter<'_>) -> Result<DumpReport> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        let text = format!("there is no directory {}", directory.display());
        return Err(cannot(path, &text));
    }
    let refuse = |error: io::Error| cannot(path, &error.to_string());
    let mut temporary = tempfile::Builder::new()
        .prefix(".bayplan-")
        .suffix(".new")
        // What the system says, without the name of the temporary file.
        .make_in(directory, create_private)
        .map_err(refuse)?;
    let report = dump(db, &mut temporary, meter)?.map_err(refuse)?;
    settle(temporary, path, || File::open(directory)?.sync_all())?;
    Ok(report)
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Gives the file its name, and makes both durable.
fn settle(
    temporary: NamedTempFile,
    path: &Path,
    sync_directory: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    let refuse = |error: io::Error| cannot(path, &error.to_string());
    temporary.as_file().sync_all().map_err(refuse)?;
    temporary
        .persist_noclobber(path)
        .map_err(|error| refuse(error.error))?;
    sync_directory().map_err(|error| {
        let text = "is complete, but a power cut may take its name away";
        Failure::new(format!("{} {text}", path.display())).because(error.to_string())
    })
}

fn cannot(path: &Path, why: &str) -> Failure {
    Failure::new(format!("{} cannot be written: {why}", path.display()))
}

/// The outer error is the store's, the inner one that of `out`.
fn dump(db: &Db, out: &mut dyn Write, meter: &mut Meter<'_>) -> Result<io::Result<DumpReport>> {
    let mut out = Watched { out, failed: None };
    let report = db.dump(&mut out, |progress: Progress| meter.show(progress));
    match (report, out.failed) {
        (_, Some(error)) => Ok(Err(error)),
        (Ok(report), None) => Ok(Ok(report)),
        (Err(error), None) => Err(Failure::from(error).if_damaged(ADVICE)),
    }
}

/// Keeps the first error of what is written to.
struct Watched<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Watched<'_> {
    fn watch<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.watch(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.watch(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_that_is_complete_is_said_to_be_when_only_its_name_is_not_synced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.ndjson");
        let temporary = NamedTempFile::new_in(directory.path()).unwrap();
        let fails = || Err(io::Error::from_raw_os_error(5));
        let failure = settle(temporary, &path, fails).unwrap_err();
        assert!(path.exists());
        let mut told = Vec::new();
        failure.report(&mut told);
        assert_eq!(
            String::from_utf8(told).unwrap(),
            format!(
                "bayplan: {} is complete, but a power cut may take its name away\n  \
                 Input/output error (os error 5)\n",
                path.display()
            )
        );
    }
}
