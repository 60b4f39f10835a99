//! What a process with children does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bayplan::Db;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::UnshareFlags;

use super::child::{Handles, end, outlive, refused, start, tell_at_once, wait};
use super::{FORK_COUNT, FORK_FILE, FORK_ROLE, NAMESPACE};
use crate::sample::plain;

pub(super) const ROLES: [&str; 10] = [
    "has a child that lets go",
    "has a child that tries everything",
    "has a child in its transaction",
    "has a child in its visitor",
    "has a child in its backup",
    "exits first",
    "is killed",
    "forks while others write",
    "has a child with its number",
    "has a grandchild with its number when it has ended",
];

/// Not a test but a process: see the head of `mod.rs`.
#[test]
fn is_played() {
    let Ok(role) = std::env::var(FORK_ROLE) else {
        return;
    };
    let path = PathBuf::from(std::env::var(FORK_FILE).unwrap());
    let count = std::env::var(FORK_COUNT).unwrap().parse().unwrap();
    if let Err(why) = play(&role, &path, count) {
        println!("#failed {}", why.replace('\n', " "));
        std::process::exit(1);
    }
}

fn play(role: &str, path: &Path, count: usize) -> Result<(), String> {
    match role {
        "has a child that lets go" => with_a_child(path, |handles| {
            drop(handles);
            Ok(())
        }),
        "has a child that tries everything" => {
            with_a_child(path, |mut handles| handles.try_everything())
        }
        "has a child in its transaction" => in_a_transaction(path),
        "has a child in its visitor" => in_a_visitor(path),
        "has a child in its backup" => in_a_backup(path),
        "exits first" => ends_first(path, || std::process::exit(0)),
        "is killed" => ends_first(path, || {
            kill_process(rustix::process::getpid(), Signal::KILL).unwrap();
        }),
        "forks while others write" => while_others_write(path, count),
        "has a child with its number" => with_its_number(path),
        "has a grandchild with its number when it has ended" => with_its_number_again(path),
        "holds" => hold(path),
        "goes on as a daemon" => {
            let db = Db::open(path).unwrap();
            if start_told().is_some() {
                std::process::exit(0);
            }
            let done = hold_on();
            drop(db);
            end(done)
        }
        "writes behind its parent's back" => {
            let child = start(|| {
                let db = Db::open(path).map_err(|error| error.to_string())?;
                let store = db.namespace(NAMESPACE).map_err(|error| error.to_string())?;
                store.delete("a").map_err(|error| error.to_string())
            });
            wait(child)
        }
        other => panic!("{other} is no role"),
    }
}

fn hold(path: &Path) -> Result<(), String> {
    let _db = Db::open(path).map_err(|error| format!("{error:#}"))?;
    hold_on()
}

/// Prints which process this is, and waits for its input to end.
fn hold_on() -> Result<(), String> {
    tell_at_once(&format!("#holds {}", std::process::id()));
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn stored(db: &Db, ids: impl IntoIterator<Item = String>) {
    let store = db.namespace(NAMESPACE).unwrap();
    for id in ids {
        store.create(plain(&id)).unwrap();
        println!("#stored {id}");
    }
}

fn some(letter: char) -> impl Iterator<Item = String> {
    (0..20).map(move |number| format!("{letter}{number}"))
}

/// The name of a file that is opened with a commit log.
pub(super) const WITH_LOG: &str = "logged.redb";

fn open(path: &Path) -> Db {
    let builder = Db::builder().commit_log(path.ends_with(WITH_LOG));
    let db = builder.open(path).unwrap();
    stored(&db, some('a'));
    db
}

/// Writes before and after it has a child.
fn with_a_child(
    path: &Path,
    work: impl FnOnce(Handles) -> Result<(), String>,
) -> Result<(), String> {
    let handles = Handles::of(open(path));
    let child = start_told();
    match child {
        None => end(work(handles)),
        Some(child) => wait(child)?,
    }
    stored(&handles.db, some('b'));
    // The lock is still there.
    let error = Db::open(path).err().ok_or("it can be opened twice")?;
    if !error.is_locked() {
        return Err(format!("{error:#}"));
    }
    let Handles {
        db,
        store,
        snapshot,
        ..
    } = handles;
    if snapshot.namespace(NAMESPACE).unwrap().get("b0").is_ok() || store.get("b0").is_err() {
        return Err("the parent reads something else".to_owned());
    }
    drop((store, snapshot));
    db.close().map_err(|error| format!("{error:#}"))
}

/// Forks. Returns `None` in the child.
fn start_told() -> Option<Pid> {
    println!("#forked");
    match fork::fork().unwrap() {
        fork::Fork::Parent(pid) => Pid::from_raw(pid),
        fork::Fork::Child => None,
    }
}

fn in_a_transaction(path: &Path) -> Result<(), String> {
    let db = open(path);
    let txn = db.begin_write().unwrap();
    txn.namespace(NAMESPACE)
        .unwrap()
        .create(plain("in-it"))
        .unwrap();
    let Some(first) = start_told() else {
        let store = txn.namespace(NAMESPACE).unwrap();
        let done = refused("get", store.get("a0"))
            .and_then(|()| refused("create", store.create(plain("child"))));
        drop(txn);
        end(done);
    };
    wait(first)?;
    let Some(second) = start_told() else {
        end(refused("commit", txn.commit()));
    };
    wait(second)?;
    let Some(third) = start_told() else {
        end(refused("abort", txn.abort()));
    };
    wait(third)?;
    txn.namespace(NAMESPACE)
        .unwrap()
        .create(plain("after-it"))
        .unwrap();
    txn.commit().unwrap();
    println!("#stored in-it\n#stored after-it");
    let mut child = None;
    let written = db.write(|txn| {
        txn.namespace(NAMESPACE)?.create(plain("in-a-closure"))?;
        child = start_told();
        bayplan::Result::Ok(())
    });
    match child {
        None => end(refused("write", written)),
        Some(child) => wait(child)?,
    }
    written.unwrap();
    println!("#stored in-a-closure");
    stored(&db, some('b'));
    Ok(())
}

fn in_a_visitor(path: &Path) -> Result<(), String> {
    const MORE: usize = 500;
    let db = open(path);
    let more = db.write(|txn| {
        let store = txn.namespace(NAMESPACE)?;
        (0..MORE).try_for_each(|n| store.create(plain(&format!("v{n}"))).map(drop))
    });
    more.unwrap();
    (0..MORE).for_each(|n| println!("#stored v{n}"));
    let snapshot = db.read().unwrap();
    let store = snapshot.namespace(NAMESPACE).unwrap();
    let (mut child, mut visited) = (None, 0);
    let result = store.query().visit(|_| {
        visited += 1;
        if visited == 1 {
            child = start_told();
        }
        bayplan::Result::Ok(std::ops::ControlFlow::Continue(()))
    });
    match child {
        // What was read together with the first item is still returned.
        None if visited > MORE / 2 => end(Err("a child reads on".to_owned())),
        None => end(refused("visit", result)),
        Some(child) => wait(child)?,
    }
    result.unwrap();
    assert_eq!(visited, 20 + MORE);
    stored(&db, some('b'));
    Ok(())
}

/// The new store, which has no name yet, is the parent's as well.
fn in_a_backup(path: &Path) -> Result<(), String> {
    let db = open(path);
    let backup = path.with_extension("backup");
    let mut child = None;
    let mut is_parent = true;
    let result = db.backup(&backup, |_| {
        if child.is_none() && is_parent {
            child = start_told();
            is_parent = child.is_some();
        }
    });
    match child {
        None => end(refused("backup", result)),
        Some(child) => wait(child)?,
    }
    assert_eq!(result.unwrap().containers_count, 20);
    let copy = Db::open(&backup).unwrap();
    assert!(copy.check().unwrap().is_healthy());
    fs::remove_file(backup).unwrap();
    stored(&db, some('b'));
    Ok(())
}

/// The child has the store's file open, and so holds the lock: until it ends, no other process can open the file.
fn ends_first(path: &Path, end_now: impl FnOnce()) -> Result<(), String> {
    let mut handles = Handles::of(open(path));
    let parent = std::process::id();
    if start_told().is_none() {
        let done = outlive(parent).and_then(|()| handles.try_everything());
        drop(handles);
        end(done);
    }
    stored(&handles.db, some('b'));
    end_now();
    Ok(())
}

/// Locks in memory are held by other threads at nearly every fork.
fn while_others_write(path: &Path, count: usize) -> Result<(), String> {
    let mut handles = Handles::of(open(path));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for letter in ['w', 'x', 'y', 'z'] {
            let (db, is_over) = (handles.db.clone(), &is_over);
            scope.spawn(move || {
                let numbers = (0..).take_while(|_| !is_over.load(Ordering::Relaxed));
                stored(&db, numbers.map(|number| format!("{letter}{number}")));
            });
        }
        let reader = handles.store.clone();
        let is_over_too = &is_over;
        scope.spawn(move || {
            let filter = bayplan::Filters::parse(["labels.a==b"]).unwrap();
            while !is_over_too.load(Ordering::Relaxed) {
                reader.list(&filter).unwrap();
            }
        });
        let mut done = Ok(());
        for number in 0..count {
            thread::sleep(std::time::Duration::from_micros(number as u64 * 97 % 2_000));
            let Some(child) = start_told() else {
                let done = handles.try_everything();
                drop(handles);
                end(done);
            };
            done = wait(child);
            if done.is_err() {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

/// From now on, children are in a new PID namespace.
#[expect(deprecated, reason = "its successor is unsafe; no file is concerned")]
fn unshare() -> bool {
    match rustix::thread::unshare(UnshareFlags::NEWPID) {
        Ok(()) => true,
        Err(error) => {
            println!("#skipped there may be no PID namespace here: {error}");
            false
        }
    }
}

/// The first process of a namespace has a child that is the first of another one.
fn with_its_number(path: &Path) -> Result<(), String> {
    if !unshare() {
        return Ok(());
    }
    let first = start(|| {
        assert_eq!(std::process::id(), 1);
        with_a_namespace_between(path)
    });
    wait(first)
}

fn with_a_namespace_between(path: &Path) -> Result<(), String> {
    let handles = Handles::of(open(path));
    // Not the thread's own: it can start no other thread from now on.
    if !unshare() {
        return Ok(());
    }
    let Some(child) = start_told() else {
        assert_eq!(std::process::id(), 1);
        let mut handles = handles;
        let done = handles.try_everything();
        drop(handles);
        end(done);
    };
    wait(child)?;
    stored(&handles.db, some('b'));
    Ok(())
}

/// Process ids are reused. In a namespace, the test chooses which process gets one.
fn with_its_number_again(path: &Path) -> Result<(), String> {
    if !unshare() {
        return Ok(());
    }
    let first = start(|| {
        let opener = start(|| {
            let handles = Handles::of(open(path));
            let number = std::process::id();
            if start_told().is_none() {
                end(outlive(number).and_then(|()| has_child_with_number(number, handles)));
            }
            stored(&handles.db, some('b'));
            drop(handles);
            Ok(())
        });
        wait(opener)?;
        // The first process of a namespace is the parent of its orphans.
        while let Ok(Some((_, status))) =
            rustix::process::wait(rustix::process::WaitOptions::empty())
        {
            if status.exit_status() != Some(0) {
                return Err(format!("an orphan ended with {status:?}"));
            }
        }
        Ok(())
    });
    wait(first)
}

fn has_child_with_number(number: u32, mut handles: Handles) -> Result<(), String> {
    // The parent is gone, but may not be waited for yet.
    while fs::metadata(format!("/proc/{number}")).is_ok() && is_own_proc() {
        thread::sleep(std::time::Duration::from_millis(1));
    }
    thread::sleep(std::time::Duration::from_millis(50));
    if fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).is_err() {
        println!("#skipped the next number of a process cannot be chosen here");
        return Ok(());
    }
    let Some(child) = start_told() else {
        if std::process::id() != number {
            end(Err(format!("it has the number {}", std::process::id())));
        }
        // The process id alone proves nothing; writing and dropping check more.
        let done = refused("create", handles.store.create(plain("child")))
            .and_then(|()| refused("write", handles.db.begin_write()))
            .and_then(|()| refused("close", handles.db.clone().close()));
        drop(handles);
        end(done);
    };
    let done = wait(child);
    done.and_then(|()| handles.try_everything())
}

/// Whether `/proc` shows the namespace of this process.
fn is_own_proc() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own == Path::new(&std::process::id().to_string()))
}
