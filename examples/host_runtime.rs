//! A host runtime in small: it records the containers of the OCI bundles under `examples/bundles`, finds
//! them by filter, changes several in one transaction, is killed in the middle of its work, and finds
//! everything that was acknowledged.
//!
//! `cargo run --release --example host_runtime [DIRECTORY]`; without a directory, a temporary one.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use bayplan::{Any, Container, Db, FieldMask, Filters, Runtime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many containers are acknowledged before the process that creates them is killed.
const KILL_AFTER: usize = 200;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, file] if word == "--create-until-killed" => create_until_killed(Path::new(file)),
        [directory] => tour(Path::new(directory)),
        _ => tour(tempfile::tempdir()?.path()),
    }
}

fn tour(directory: &Path) -> Result<()> {
    let file = directory.join("meta.redb");
    let db = Db::create(&file)?;
    println!("store {} in {}\n", db.info().id, file.display());

    record_bundles(&db)?;
    find(&db)?;
    change(&db)?;
    archive(&db)?;
    drop(db);

    kill_and_reopen(&file)
}

/// Creates one container for each bundle, as a runtime does before it starts the task.
fn record_bundles(db: &Db) -> Result<()> {
    println!("1. create a container from each OCI bundle");
    db.create_namespace(
        "host",
        [("owner".to_owned(), "host-runtime".to_owned())].into(),
    )?;
    let host = db.namespace("host")?;
    for bundle in bundles()? {
        let name = bundle
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let tier = if name == "web" || name == "db" {
            "service"
        } else {
            "job"
        };
        let container = Container::new(
            name.as_str(),
            Runtime::new("io.containerd.runc.v2"),
            read_spec(&bundle)?,
        )
        .image(format!("docker.io/library/{name}:latest"))
        .snapshot("overlayfs", format!("{name}-rootfs"))
        .label("tier", tier)
        .label("bundle", bundle.display().to_string());
        let stored = host.create(container)?;
        let bytes = stored.spec.map_or(0, |spec| spec.value.len());
        println!(
            "   {:<10} revision {:<3} spec of {bytes} bytes",
            stored.id, stored.revision
        );
    }
    Ok(())
}

fn bundles() -> Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bundles");
    let mut bundles = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.join("config.json").is_file() {
            bundles.push(path);
        }
    }
    bundles.sort();
    Ok(bundles)
}

fn read_spec(bundle: &Path) -> Result<Any> {
    let spec: serde_json::Value = serde_json::from_slice(&fs::read(bundle.join("config.json"))?)?;
    Ok(Any::new(Any::OCI_SPEC_URL, serde_json::to_vec(&spec)?))
}

/// Finds containers as containerd's clients do.
fn find(db: &Db) -> Result<()> {
    println!("\n2. find containers by filter");
    let host = db.namespace("host")?;
    for text in [
        "labels.tier==service",
        "labels.tier!=service,id~=^[a-h]",
        "image~=/db|web/",
    ] {
        let ids = host.query().filter(&Filters::parse([text])?).ids()?;
        println!("   {text:<36} {}", ids.join(" "));
    }
    let error = Filters::parse(["labels.tier=service"])
        .err()
        .ok_or("this filter is wrong")?;
    println!("   and a filter that is wrong says where:");
    error
        .to_string()
        .lines()
        .for_each(|line| println!("     {line}"));
    Ok(())
}

/// Changes single fields of a container; everything else stays.
fn change(db: &Db) -> Result<()> {
    println!("\n3. change a container by field path");
    let host = db.namespace("host")?;
    let change = Container::with_id("web").label("health", "green");
    let web = host.update(change, &FieldMask::parse(["labels.health"])?)?;
    println!(
        "   {} has the labels {:?} and revision {}",
        web.id,
        web.labels.keys(),
        web.revision
    );

    let refused = host.update(
        web.clone().image("docker.io/library/web:2"),
        &FieldMask::full(),
    );
    let error = refused.err().ok_or("the image is immutable")?;
    println!("   {error}");

    let stale = host.get("db")?;
    host.update(stale.clone().label("health", "green"), &FieldMask::full())?;
    let refused = host.update_if(stale.revision, stale, &FieldMask::full());
    let error = refused.err().ok_or("the revision is stale")?;
    println!("   {error}");
    Ok(())
}

/// Moves the finished jobs to another namespace, all of them or none.
fn archive(db: &Db) -> Result<()> {
    println!("\n4. move the jobs to another namespace in one transaction");
    let jobs = Filters::parse(["labels.tier==job"])?;
    db.write(|txn| -> bayplan::Result<()> {
        let (host, archive) = (txn.namespace("host")?, txn.namespace("archive")?);
        for job in host.list(&jobs)? {
            let id = job.id.clone();
            archive.create(job)?;
            host.delete(&id)?;
        }
        Ok(())
    })?;
    let failed = db.write(|txn| {
        txn.namespace("host")?.delete("web")?;
        txn.namespace("host")?.delete("no-such-container")
    });
    let error = failed.err().ok_or("there is no such container")?;
    println!("   {error}: rolled back");
    for name in db.list_namespaces()? {
        let ids = db.namespace(name.as_str())?.query().ids()?;
        println!("   {name:<10} {}", ids.join(" "));
    }
    Ok(())
}

/// Lets another process create containers, kills it, and looks for everything that was acknowledged.
fn kill_and_reopen(file: &Path) -> Result<()> {
    println!("\n5. kill -9 in the middle of a stream of creates");
    let mut child = Command::new(env::current_exe()?)
        .arg("--create-until-killed")
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("the child has no output")?;
    let mut acknowledged = Vec::new();
    for line in BufReader::new(output).lines() {
        acknowledged.push(line?);
        if acknowledged.len() == KILL_AFTER {
            child.kill()?;
        }
    }
    println!("   the process ended with {}", child.wait()?);

    let db = Db::open(file)?;
    let killed = db.namespace("killed")?;
    for id in &acknowledged {
        killed.get(id)?;
    }
    let stored = killed.query().count()?;
    let count = acknowledged.len();
    println!("   acknowledged {count}, found {count} of them after reopening, {stored} in all");
    let report = db.check()?;
    if !report.is_healthy() {
        return Err(format!("the store is damaged: {:?}", report.damages).into());
    }
    println!(
        "   check: {} containers in {} namespaces, nothing damaged",
        report.containers_count, report.namespaces_count
    );
    Ok(())
}

/// The child prints each id after the store has acknowledged it.
fn create_until_killed(file: &Path) -> Result<()> {
    let db = Db::open(file)?;
    let killed = db.namespace("killed")?;
    let spec = read_spec(&bundles()?.swap_remove(0))?;
    let mut output = io::stdout().lock();
    for number in 0.. {
        let runtime = Runtime::new("io.containerd.runc.v2");
        let stored = killed.create(Container::new(format!("c{number}"), runtime, spec.clone()))?;
        writeln!(output, "{}", stored.id)?;
        output.flush()?;
    }
    Ok(())
}
