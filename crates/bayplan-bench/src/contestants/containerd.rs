//! containerd's own metadata store, by a program in Go that measures itself: `containerd/main.go`
//! tells what the two say to each other.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::contestant::{Contestant, Opening, Samples, Work, copy_live};
use crate::payload::{container, id};

pub(crate) const NAME: &str = "containerd";

/// Where Debian puts the sources of Go packages.
const GOPATH: &str = "/usr/share/gocode";

/// Builds the program, beside this one.
fn build() -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("containerd");
    let package = Path::new(GOPATH).join("src/github.com/containerd/containerd/metadata");
    ensure!(
        package.exists(),
        "its sources are not installed (Debian: golang-github-containerd-containerd-dev)"
    );
    let program = std::env::current_exe()?.with_file_name("containerd-metadata");
    eprintln!("building {}", program.display());
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .args(["main.go", "payload.go"])
        .current_dir(source)
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .output()
        .context("there is no Go (Debian: golang-go)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it does not build:\n{errors}");
    Ok(program)
}

pub(crate) struct Containerd {
    program: PathBuf,
    directory: PathBuf,
    talk: Talk,
}

/// The other process.
struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn begin(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Says one line, and reads the numbers of the answer.
    fn ask(&mut self, line: &str) -> Result<Vec<u64>> {
        let input = self.input.as_mut().context("no input")?;
        writeln!(input, "{line}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        match answer.trim().split_once(' ') {
            None if answer.trim() == "ok" => Ok(Vec::new()),
            Some(("ok", numbers)) => Ok(numbers
                .split(' ')
                .map(str::parse)
                .collect::<Result<_, _>>()?),
            _ => bail!("{line:.40} is answered {answer:?}"),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        drop(self.child.wait());
    }
}

impl Containerd {
    pub(crate) fn new(directory: &Path, program: Option<&Path>) -> Result<Self> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => build()?,
        };
        let mut talk = Talk::begin(&program)?;
        for number in [0, 1] {
            let theirs = talk.ask(&format!("sum {number}"))?;
            ensure!(theirs == [checksum(number)], "it has another payload");
        }
        Ok(Self {
            program,
            directory: directory.to_owned(),
            talk,
        })
    }

    fn each(&mut self, verb: &str, numbers: &[usize]) -> Result<Option<Samples>> {
        let nanos = self.talk.ask(&format!("{verb} {}", joined(numbers)))?;
        Ok(Some(Samples {
            wall_nanos: nanos.iter().sum(),
            found: nanos.len(),
            nanos,
        }))
    }

    fn list(&mut self, times: usize, filter: &str) -> Result<Option<Samples>> {
        let mut answer = self.talk.ask(&format!("list {times} {filter}"))?;
        let found = first(&mut answer)?;
        Ok(Some(Samples {
            wall_nanos: answer.iter().sum(),
            found: usize::try_from(found)?,
            nanos: answer,
        }))
    }

    fn threads(&mut self, threads: usize, each: usize, from: usize) -> Result<Option<Samples>> {
        let command = format!("threads {threads} {each} {from}");
        let mut answer = self.talk.ask(&command)?;
        Ok(Some(Samples {
            wall_nanos: first(&mut answer)?,
            found: answer.len(),
            nanos: answer,
        }))
    }

    fn reopen(&mut self, number: usize) -> Result<Option<Samples>> {
        self.talk.ask("close")?;
        let command = format!("reopen {} {number}", self.directory.display());
        let nanos = self.talk.ask(&command)?;
        Ok(Some(Samples {
            wall_nanos: nanos.iter().sum(),
            nanos,
            found: 1,
        }))
    }

    fn killed(&mut self, number: usize) -> Result<Option<Samples>> {
        let copy = self.directory.with_extension("killed");
        copy_live(&self.directory, &copy)?;
        let mut other = Talk::begin(&self.program)?;
        // So that the process is warm: what Go does first is not of the store.
        other.ask("sum 0")?;
        let nanos = other.ask(&format!("reopen {} {number}", copy.display()))?;
        drop(other);
        std::fs::remove_dir_all(&copy)?;
        Ok(Some(Samples {
            wall_nanos: nanos.iter().sum(),
            nanos,
            found: 1,
        }))
    }
}

impl Contestant for Containerd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn open(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let command = format!("open {}", self.directory.display());
        self.talk.ask(&command).map(drop)
    }

    fn close(&mut self) -> Result<()> {
        self.talk.ask("close").map(drop)
    }

    fn run(&mut self, work: &Work<'_>) -> Result<Option<Samples>> {
        match work {
            Work::Fill(numbers) => {
                let command = format!("fill {} {}", numbers.start, numbers.end);
                self.talk.ask(&command).map(|_| None)
            }
            Work::Remove(numbers) => {
                let command = format!("remove {} {}", numbers.start, numbers.end);
                self.talk.ask(&command).map(|_| None)
            }
            Work::Create(numbers) => self.each("create", numbers),
            Work::Update(numbers, value) => self.each(&format!("update {value}"), numbers),
            Work::Delete(numbers) => self.each("delete", numbers),
            Work::Get(numbers) => self.each("get", numbers),
            Work::List(times) => self.list(*times, ""),
            Work::Filter(filter, times) => self.list(*times, &filter.text()),
            Work::Reopen(number, Opening::Usual) => self.reopen(*number),
            Work::Killed(number) => self.killed(*number),
            Work::Threads(crowd) if !crowd.apart => {
                self.threads(crowd.threads, crowd.each, crowd.from)
            }
            Work::Threads(_)
            | Work::Headers(_)
            | Work::Reopen(..)
            | Work::ReopenToWrite(_)
            | Work::KilledIdle(_) => Ok(None),
        }
    }

    fn peak_bytes(&mut self) -> Result<u64> {
        const KIBIBYTE: u64 = 1024;
        let mut other = Talk::begin(&self.program)?;
        other.ask(&format!("open {}", self.directory.display()))?;
        other.ask("list 1")?;
        let peak = first(&mut other.ask("peak")?)?;
        other.ask("close")?;
        Ok(peak * KIBIBYTE)
    }
}

/// Takes the first number of an answer.
fn first(answer: &mut Vec<u64>) -> Result<u64> {
    ensure!(!answer.is_empty(), "an answer without numbers");
    Ok(answer.remove(0))
}

fn joined(numbers: &[impl Display]) -> String {
    let texts: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// The checksum that the other side makes of its payload, of ours.
fn checksum(number: usize) -> u64 {
    let c = container(number);
    let mut hasher = crc32fast::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(bytes);
        hasher.update(&[0]);
    };
    let id = id(number);
    for text in [
        &id,
        &c.image,
        &c.runtime.name,
        &c.snapshotter,
        &c.snapshot_key,
    ] {
        add(text.as_bytes());
    }
    for (key, value) in &c.labels {
        add(key.as_bytes());
        add(value.as_bytes());
    }
    for any in c.runtime.options.iter().chain(&c.spec) {
        add(any.type_url.as_bytes());
        add(&any.value);
    }
    for (name, any) in &c.extensions {
        add(name.as_bytes());
        add(any.type_url.as_bytes());
        add(&any.value);
    }
    hasher.finalize().into()
}
