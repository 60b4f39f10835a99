//! Work in a new process: this program runs itself.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::contestant::{Crowd, Samples};
use crate::peer::nanos_since;
use crate::{contestants, instructions, memory};

/// The first word of a process that lists a store, and answers with the peak of its memory in bytes.
const LIST: &str = "--child-list";

/// The first word of a process that opens a store, creates a container and closes the store, and answers
/// with how long that took, in nanoseconds.
const VERB: &str = "--child-verb";

/// The first word of a process that opens a store, creates containers and closes it, and answers with how
/// long each took, in nanoseconds. Before it creates and before it closes, it says so and waits for the others.
const CREATE: &str = "--child-create";
const READY: &str = "ready";

/// The most memory that a process holds which lists the store of this contestant, in bytes.
pub(crate) fn list_peak_bytes(name: &str, directory: &Path) -> Result<u64> {
    answer(&[LIST.as_ref(), name.as_ref(), directory.as_ref()])
}

/// How long a process takes to open the store, to create this container and to close the store.
pub(crate) fn verb_nanos(name: &str, directory: &Path, number: usize) -> Result<u64> {
    let number = number.to_string();
    answer(&[
        VERB.as_ref(),
        name.as_ref(),
        directory.as_ref(),
        number.as_ref(),
    ])
}

/// Has processes create containers at the same time.
pub(crate) fn create(name: &str, directory: &Path, crowd: &Crowd) -> Result<Samples> {
    let mut children = (0..crowd.threads)
        .map(|number| Creator::start(name, directory, crowd.of(number)))
        .collect::<Result<Vec<_>>>()?;
    wait_for_all(&mut children)?;
    let start = Instant::now();
    let_go(&mut children)?;
    // The child that is read first need not end first: the last one counts.
    wait_for_all(&mut children)?;
    let mut samples = Samples {
        wall_nanos: nanos_since(start),
        ..Samples::default()
    };
    let_go(&mut children)?;
    for mut child in children {
        for line in child.output.lines() {
            samples.nanos.push(line?.parse()?);
        }
        ensure!(
            child.process.wait()?.success(),
            "a process of its own failed"
        );
    }
    samples.found = samples.nanos.len();
    Ok(samples)
}

fn wait_for_all(children: &mut [Creator]) -> Result<()> {
    children.iter_mut().try_for_each(Creator::wait)
}

fn let_go(children: &mut [Creator]) -> Result<()> {
    for child in children {
        writeln!(child.input)?;
    }
    Ok(())
}

/// A process that creates containers.
struct Creator {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Creator {
    fn start(name: &str, directory: &Path, numbers: Range<usize>) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([CREATE, name])
            .arg(directory)
            .args([numbers.start.to_string(), numbers.end.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().context("it has no input")?;
        let output = process.stdout.take().context("it has no output")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output),
        })
    }

    fn wait(&mut self) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.trim() == READY, "a process of its own failed");
        Ok(())
    }
}

/// The work of a process that creates containers.
fn create_here(name: &str, directory: &Path, numbers: Range<usize>) -> Result<()> {
    let samples = contestants::peer(name)?.create(directory, numbers, &mut || {
        println!("{READY}");
        let length = std::io::stdin().read_line(&mut String::new())?;
        ensure!(
            length > 0,
            "the benchmark that started this process has ended"
        );
        Ok(())
    })?;
    samples.nanos.iter().for_each(|nanos| println!("{nanos}"));
    Ok(())
}

fn answer(words: &[&OsStr]) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .args(words)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "a process of its own failed: {errors}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Does what these words ask of a child; false if they are not for one.
pub(crate) fn work(words: &[String]) -> Result<bool> {
    let Some((word, rest)) = words.split_first() else {
        return Ok(false);
    };
    match (word.as_str(), rest) {
        (LIST, [name, directory]) => {
            contestants::peer(name)?.list_with_small_cache(Path::new(directory))?;
            println!("{}", memory::peak_bytes()?);
        }
        (VERB, [name, directory, number]) => {
            let nanos = contestants::peer(name)?.verb(Path::new(directory), number.parse()?)?;
            println!("{nanos}");
        }
        (CREATE, [name, directory, start, end]) => {
            create_here(name, Path::new(directory), start.parse()?..end.parse()?)?;
        }
        (LIST | VERB | CREATE, _) => bail!("{word} takes other words"),
        (instructions::CHILD, rest) => instructions::work(rest)?,
        _ => return Ok(false),
    }
    Ok(true)
}
