//! `bayplan dump`

use std::io::{self, Write};
use std::path::PathBuf;

use bayplan::{Dump, Progress};

use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::input::is_stream;
use crate::meter::Meter;
use crate::run::Io;
use crate::spool::Spool;
use crate::store::ADVICE;
use crate::summary::Made;

/// Write the store as lines of JSON
///
/// The dump holds everything, always in the same order, and `load` turns it into the same store. With -n it
/// holds only that namespace, and says so; the variable CONTAINERD_NAMESPACE is ignored.
///
/// It goes to standard output, or to a new file that only its owner may read, since specifications may hold
/// secrets. The last line marks a complete dump; for a damaged store it is missing, and the exit code is 2.
/// The store may be in use by a process that lets others read. A dump to a pipe or a terminal is first
/// kept in a private temporary file (see TMPDIR), so that a slow reader does not hold up the store.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan dump meta.ndjson
  bayplan -n k8s.io dump k8s.ndjson
  bayplan dump | zstd > meta.ndjson.zst
  bayplan dump | jq -r 'select(.container) | .container.image'")]
pub(crate) struct Args {
    /// The new file; by default, or if `-`, standard output
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
}

pub(crate) fn run(args: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let is_output = is_stream(&args.file);
    // A dump of everything must not lose namespaces just because the variable is set.
    let namespace = global.named_namespace()?;
    let db = global.open_to_copy()?;
    let mut dump = Dump::of(&db);
    if let Some(name) = &namespace {
        dump = dump.namespace(name);
    }
    // On a terminal the dump itself shows the progress.
    let is_shown = io.terminals.err && !(is_output && io.terminals.out);
    let mut meter = Meter::new(io.err, is_shown, "dumping", "containers");
    let progress = |progress: Progress| meter.show(progress);
    if is_output && io.may_wait {
        let mut spool = Spool::new();
        to_output(&dump, &mut spool, progress)?;
        drop(dump);
        drop(db);
        watched(io.out, |out| spool.copy_to(out))?;
        return Ok(Exit::Done);
    }
    if is_output {
        to_output(&dump, io.out, progress)?;
        return Ok(Exit::Done);
    }
    let report = dump
        .write_file(&args.file, progress)
        .map_err(|error| Failure::from(error).if_damaged(ADVICE))?;
    drop(meter);
    let made = Made {
        path: &args.file,
        id: report.id,
        namespaces: report.namespaces_count,
        containers: report.containers_count,
        records: report.records_count,
        bytes: report.dump_bytes,
    };
    made.write(io.out)?;
    Ok(Exit::Done)
}

fn to_output(dump: &Dump<'_>, out: &mut dyn Write, progress: impl FnMut(Progress)) -> Result<()> {
    watched(out, |out| {
        let written = dump.write(out, progress);
        written
            .map(drop)
            .map_err(|error| Failure::from(error).if_damaged(ADVICE))
    })
}

/// Writes a dump, and distinguishes an error of the output from others.
fn watched(out: &mut dyn Write, write: impl FnOnce(&mut Watched<'_>) -> Result<()>) -> Result<()> {
    let mut out = Watched { out, failed: None };
    let written = write(&mut out);
    let _ = out.flush();
    match out.failed {
        // The reader of a dump means to keep it: unlike a list, half a dump is useless.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(
            "standard output was closed before the dump was complete",
        )),
        Some(error) => Err(Failure::Output(error)),
        None => written,
    }
}

/// Keeps the first error of the output.
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
