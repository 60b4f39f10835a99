//! containerd's own metadata store, in a Go program that measures itself. `containerd/main.go` describes the protocol
//! between the two.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use bayplan::Any;
use serde_json::{Value, json};

use crate::contestant::{Contestant, Crowd, Opening, Samples, Work, copy_live};
use crate::payload::{container, id};

pub(crate) const NAME: &str = "containerd";

/// So many specs are compared with what Go makes of them, before a run.
const VERIFIED_COUNT: usize = 20;

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
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    fn begin(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().map(BufWriter::new);
        let output = child.stdout.take().context("no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Says one line, and reads the numbers of the answer.
    fn ask(&mut self, line: &str) -> Result<Vec<u64>> {
        self.send(line, &[])
    }

    /// The same, with the containers of these numbers.
    fn send(&mut self, line: &str, numbers: &[usize]) -> Result<Vec<u64>> {
        let input = self.input.as_mut().context("no input")?;
        writeln!(input, "{line}")?;
        for number in numbers {
            writeln!(input, "{}", payload(*number)?)?;
        }
        input.flush()?;
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
        let some: Vec<usize> = (0..VERIFIED_COUNT).collect();
        talk.send(&format!("verify {VERIFIED_COUNT}"), &some)?;
        Ok(Self {
            program,
            directory: directory.to_owned(),
            talk,
        })
    }

    fn each(&mut self, verb: &str, numbers: &[usize]) -> Result<Option<Samples>> {
        let nanos = self.talk.ask(&format!("{verb} {}", ids(numbers)))?;
        Ok(Some(samples(nanos)))
    }

    fn create(&mut self, numbers: &[usize]) -> Result<Option<Samples>> {
        let command = format!("create {}", numbers.len());
        Ok(Some(samples(self.talk.send(&command, numbers)?)))
    }

    fn fill(&mut self, numbers: Range<usize>) -> Result<Option<Samples>> {
        let numbers: Vec<usize> = numbers.collect();
        let command = format!("fill {}", numbers.len());
        self.talk.send(&command, &numbers).map(|_| None)
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

    fn threads(&mut self, crowd: &Crowd) -> Result<Option<Samples>> {
        let numbers: Vec<usize> = crowd.all().collect();
        let command = format!("threads {} {}", crowd.threads, numbers.len());
        let mut answer = self.talk.send(&command, &numbers)?;
        Ok(Some(Samples {
            wall_nanos: first(&mut answer)?,
            found: answer.len(),
            nanos: answer,
        }))
    }

    fn reopen(&mut self, number: usize) -> Result<Option<Samples>> {
        self.talk.ask("close")?;
        let command = format!("reopen {} {}", self.directory.display(), id(number));
        Ok(Some(samples(self.talk.ask(&command)?)))
    }

    fn killed(&mut self, number: usize) -> Result<Option<Samples>> {
        let copy = self.directory.with_extension("killed");
        copy_live(&self.directory, &copy)?;
        let mut other = Talk::begin(&self.program)?;
        // So that the process is warm: what Go does first is not of the store.
        other.ask("peak")?;
        let nanos = other.ask(&format!("reopen {} {}", copy.display(), id(number)))?;
        drop(other);
        std::fs::remove_dir_all(&copy)?;
        Ok(Some(samples(nanos)))
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
            Work::Fill(numbers) => self.fill(numbers.clone()),
            Work::Remove(numbers) => {
                let numbers: Vec<usize> = numbers.clone().collect();
                self.each("remove", &numbers).map(|_| None)
            }
            Work::Create(numbers) => self.create(numbers),
            Work::Update(numbers, value) => self.each(&format!("update {value}"), numbers),
            Work::Delete(numbers) => self.each("delete", numbers),
            Work::Get(numbers) => self.each("get", numbers),
            Work::List(times) => self.list(*times, ""),
            Work::Filter(filter, times) => self.list(*times, &filter.text()),
            Work::Reopen(number, Opening::Usual) => self.reopen(*number),
            Work::Killed(number) => self.killed(*number),
            Work::Threads(crowd) if !crowd.apart => self.threads(crowd),
            Work::Threads(_)
            | Work::Processes(_)
            | Work::GetFile(_)
            | Work::Headers(_)
            | Work::Reopen(..)
            | Work::ReopenToWrite(_)
            | Work::KilledIdle(_)
            | Work::Verb(_) => Ok(None),
        }
    }

    fn peak_bytes(&mut self) -> Result<Option<u64>> {
        const KIBIBYTE: u64 = 1024;
        let mut other = Talk::begin(&self.program)?;
        other.ask(&format!("open {}", self.directory.display()))?;
        other.ask("list 1")?;
        let peak = first(&mut other.ask("peak")?)?;
        other.ask("close")?;
        Ok(Some(peak * KIBIBYTE))
    }
}

/// Takes the first number of an answer.
fn first(answer: &mut Vec<u64>) -> Result<u64> {
    ensure!(!answer.is_empty(), "an answer without numbers");
    Ok(answer.remove(0))
}

fn ids(numbers: &[usize]) -> String {
    let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
    ids.join(" ")
}

fn samples(nanos: Vec<u64>) -> Samples {
    Samples {
        wall_nanos: nanos.iter().sum(),
        found: nanos.len(),
        nanos,
    }
}

/// The container of this number as `containerd/payload.go` reads it.
fn payload(number: usize) -> Result<Value> {
    let container = container(number);
    let text = |any: &Any| -> Result<Value> {
        let value = std::str::from_utf8(&any.value)?;
        Ok(json!({ "TypeURL": any.type_url, "Value": value }))
    };
    let extensions = container.extensions.iter();
    let extensions = extensions
        .map(|(name, any)| Ok((name.clone(), text(any)?)))
        .collect::<Result<serde_json::Map<_, _>>>()?;
    let runtime = &container.runtime;
    Ok(json!({
        "ID": container.id,
        "Image": container.image,
        "RuntimeName": runtime.name,
        "RuntimeOptions": text(runtime.options.as_ref().context("no options")?)?,
        "Spec": text(container.spec.as_ref().context("no spec")?)?,
        "Snapshotter": container.snapshotter,
        "SnapshotKey": container.snapshot_key,
        "Labels": container.labels,
        "Extensions": extensions,
    }))
}
