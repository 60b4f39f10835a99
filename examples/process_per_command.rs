//! A runtime as runc is one: every command is a process of its own, and all of them share one store.
//!
//! `cargo run --release --example process_per_command` runs them all, many at once, on a temporary store. Or name one:
//!
//! ```text
//! STORE=runtime.redb process_per_command create web examples/bundles/web
//! ... start web | state web | list | kill web [SIGNAL] | delete web
//! ```
//!
//! Nothing is isolated: a container is a process that sleeps. What matters is what is kept of it. The status is an extension,
//! and every change of it names the revision that it was decided on. So of two `start` at once one wins, whichever
//! process they run in, and one that is killed in the middle leaves no half a change.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::{env, fs};

use bayplan::{Any, Container, Db, Filters, Namespace, Runtime, Share, Update};
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SPEC: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
/// The extension with what changes while a container lives.
const STATE: &str = "example.com/state";

/// What changes while a container lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    status: String,
    pid: Option<u32>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => demonstrate(),
        ["create", id, bundle] => create(id, Path::new(bundle)),
        ["start", id] => start(id),
        ["state", id] => state(id),
        ["list"] => list(),
        ["kill", id] => kill(id, "TERM"),
        ["kill", id, signal] => kill(id, signal),
        ["delete", id] => delete(id),
        _ => Err(
            "create ID BUNDLE | start ID | state ID | list | kill ID [SIGNAL] | delete ID".into(),
        ),
    }
}

/// Opens the store. Whichever process is the first creates it; the file says that processes share it.
fn open() -> Result<Namespace> {
    let path = env::var_os("STORE").ok_or("STORE names the file")?;
    let db = Db::builder()
        .create_if_missing(true)
        .share(Share::Processes)
        // Each page is verified when it is first read: a command reads few of them.
        .check_integrity(false)
        .open(PathBuf::from(path))?;
    Ok(db.namespace("default")?)
}

fn create(id: &str, bundle: &Path) -> Result<()> {
    let spec = fs::read(bundle.join("config.json"))?;
    let state = State {
        status: "created".to_owned(),
        pid: None,
    };
    let container = Container::new(id, Runtime::new("example"), Any::new(SPEC, spec))
        .label("bundle", bundle.display().to_string())
        .extension(STATE, value(&state)?);
    open()?.create(container)?;
    Ok(())
}

fn start(id: &str) -> Result<()> {
    let store = open()?;
    let (container, state) = read(&store, id)?;
    if state.status != "created" {
        return Err(format!("{id} is {}, not created", state.status).into());
    }
    let mut child = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let state = State {
        status: "running".to_owned(),
        pid: Some(child.id()),
    };
    let update = Update::new(id).if_revision(container.revision);
    match store.apply(update.set_extension(STATE, value(&state)?)) {
        Ok(_) => Ok(()),
        Err(error) => {
            // Another process was faster, or the disk is full: nobody knows this child.
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}

fn state(id: &str) -> Result<()> {
    let (_, state) = read(&open()?, id)?;
    println!("{}", serde_json::to_string(&state)?);
    Ok(())
}

fn list() -> Result<()> {
    for container in open()?.list(&Filters::default())? {
        let state = state_of(&container)?;
        let pid = state.pid.map_or("-".to_owned(), |pid| pid.to_string());
        println!("{:<10} {:<8} {pid}", container.id, state.status);
    }
    Ok(())
}

fn kill(id: &str, signal: &str) -> Result<()> {
    let store = open()?;
    let (container, state) = read(&store, id)?;
    let Some(pid) = state.pid.filter(|_| state.status == "running") else {
        return Err(format!("{id} is {}, not running", state.status).into());
    };
    let killed = Command::new("kill")
        .args(["-s", signal, &pid.to_string()])
        .status()?;
    if !killed.success() {
        return Err(format!("process {pid} of {id} cannot be signalled").into());
    }
    let state = State {
        status: "stopped".to_owned(),
        pid: None,
    };
    let update = Update::new(id).if_revision(container.revision);
    store.apply(update.set_extension(STATE, value(&state)?))?;
    Ok(())
}

fn delete(id: &str) -> Result<()> {
    let store = open()?;
    let (container, state) = read(&store, id)?;
    if state.status == "running" {
        return Err(format!("{id} is running: kill it first").into());
    }
    Ok(store.delete_if(container.revision, id)?)
}

fn read(store: &Namespace, id: &str) -> Result<(Container, State)> {
    let container = store.get(id)?;
    let state = state_of(&container)?;
    Ok((container, state))
}

fn state_of(container: &Container) -> Result<State> {
    let state = container.extensions.get(STATE);
    let state = state.ok_or_else(|| format!("{} has no state", container.id))?;
    Ok(serde_json::from_slice(&state.value)?)
}

fn value(state: &State) -> Result<Any> {
    Ok(Any::new(STATE, serde_json::to_vec(state)?))
}

/// Runs the commands as processes, those of each step at the same time.
fn demonstrate() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("runtime.redb");
    let bundles = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bundles");
    let ids = ["batch", "db", "hardened", "rootless", "web"];
    let all = |command: &str| ids.map(|id| vec![command.to_owned(), id.to_owned()]);

    println!("create all bundles at once, by a process each");
    let create = ids.map(|id| {
        let bundle = bundles.join(id).display().to_string();
        vec!["create".to_owned(), id.to_owned(), bundle]
    });
    expect(&file, &create, ids.len())?;

    println!("start web by four processes at once: one wins");
    let start = ["start", "web"].map(str::to_owned).to_vec();
    expect(&file, &vec![start; 4], 1)?;

    println!("start the others");
    let mut others = all("start").to_vec();
    others.pop(); // It runs already.
    expect(&file, &others, others.len())?;
    print!("{}", run(&file, &["list"])?);

    println!("kill and delete all of them");
    expect(&file, &all("kill"), ids.len())?;
    expect(&file, &all("delete"), ids.len())?;
    let left = run(&file, &["list"])?;
    match left.is_empty() {
        true => println!("nothing is left"),
        false => return Err(format!("something is left:\n{left}").into()),
    }
    Ok(())
}

/// Runs commands at the same time; so many of them are to succeed.
fn expect(file: &Path, commands: &[Vec<String>], successes: usize) -> Result<()> {
    let children: Vec<Child> = commands
        .iter()
        .map(|arguments| process(file).args(arguments).stderr(Stdio::piped()).spawn())
        .collect::<std::io::Result<_>>()?;
    let mut outputs = Vec::new();
    for child in children {
        outputs.push(child.wait_with_output()?);
    }
    let succeeded = outputs.iter().filter(|output| output.status.success());
    if succeeded.count() != successes {
        let texts: Vec<String> = outputs.iter().map(error_of).collect();
        return Err(format!("{successes} were to succeed: {texts:?}").into());
    }
    for refused in outputs.iter().filter(|output| !output.status.success()) {
        println!("  {}", error_of(refused));
    }
    Ok(())
}

fn run(file: &Path, arguments: &[&str]) -> Result<String> {
    let output = process(file).args(arguments).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(error_of(&output).into()),
    }
}

fn process(file: &Path) -> Command {
    let program = env::current_exe().unwrap_or_else(|_| "process_per_command".into());
    let mut command = Command::new(program);
    command.env("STORE", file);
    command
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
