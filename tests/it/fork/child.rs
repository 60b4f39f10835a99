//! The actions of a child on the store it inherits. It cannot print, since another thread of its parent may
//! have held the lock of standard output. It exits with 0, or reports why not in its own way.

use std::io::Write;
use std::time::{Duration, Instant};

use bayplan::{
    Container, Db, Detail, ErrorKind, FieldMask, Filters, Labels, Namespace, Position, ReadTxn,
    Subscription, WriteTxn,
};
use fork::Fork;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};

use super::NAMESPACE;
use crate::sample::plain;

/// The time limit of a child. One that works longer waits for something that will never happen.
const DEADLINE: Duration = Duration::from_secs(30);

/// Forks a child that does `work`.
pub(super) fn start(work: impl FnOnce() -> Result<(), String>) -> Pid {
    match fork::fork().unwrap() {
        Fork::Parent(pid) => Pid::from_raw(pid).unwrap(),
        Fork::Child => end(work()),
    }
}

/// Ends this process.
pub(super) fn end(done: Result<(), String>) -> ! {
    match done {
        Ok(()) => std::process::exit(0),
        Err(why) => {
            tell_at_once(&format!("#failed {}", why.replace('\n', " ")));
            std::process::exit(1)
        }
    }
}

/// Writes a line to standard output without its lock.
pub(super) fn tell_at_once(line: &str) {
    let out = std::fs::OpenOptions::new().write(true).open("/dev/stdout");
    let _ = out.and_then(|mut out| out.write_all(format!("\n{line}\n").as_bytes()));
}

/// Waits for a child to end successfully.
pub(super) fn wait(child: Pid) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match waitpid(Some(child), WaitOptions::NOHANG).map_err(|error| error.to_string())? {
            Some((_, status)) => return ended(status),
            None if begun.elapsed() > DEADLINE => {
                let _ = kill_process(child, Signal::KILL);
                return Err("a child waits for what will never be".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn ended(status: WaitStatus) -> Result<(), String> {
    match status.exit_status() {
        Some(0) => Ok(()),
        _ => Err(format!("a child ended with {status:?}")),
    }
}

/// Waits until the process that forked this one is gone.
pub(super) fn outlive(parent: u32) -> Result<(), String> {
    let begun = Instant::now();
    while std::os::unix::process::parent_id() == parent {
        if begun.elapsed() > DEADLINE {
            return Err("the parent does not end".to_owned());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// All handles of a store.
pub(super) struct Handles {
    pub(super) db: Db,
    pub(super) store: Namespace,
    pub(super) snapshot: ReadTxn,
    subscription: Subscription,
}

impl Handles {
    pub(super) fn of(db: Db) -> Self {
        let store = db.namespace(NAMESPACE).unwrap();
        Self {
            snapshot: db.read().unwrap(),
            subscription: db.subscribe(Position::START, Detail::Whole).unwrap(),
            store,
            db,
        }
    }

    /// Tries every way into the store.
    pub(super) fn try_everything(&mut self) -> Result<(), String> {
        self.try_reading()?;
        self.try_following()?;
        self.try_writing()
    }

    fn try_reading(&mut self) -> Result<(), String> {
        let (db, store, all) = (&self.db, &self.store, &Filters::all());
        refused("get", store.get("a0"))?;
        refused("list", store.list(all))?;
        refused("find", store.find("a0"))?;
        refused("ids", store.query().ids())?;
        refused("count", store.query().count())?;
        refused("lenient", store.query().lenient())?;
        refused("iter", store.query().iter().map(drop))?;
        let images = store.records("images").map_err(|e| e.to_string())?;
        refused("get of a record", images.get("a0"))?;
        refused("read", db.read())?;
        refused("list_namespaces", db.list_namespaces())?;
        refused("namespace_labels", db.namespace_labels(NAMESPACE))?;
        refused("check", db.check())?;
        refused("stats", db.stats())?;
        refused("dump", db.dump(Vec::new(), |_| {}))?;
        let info = db.info();
        let backup = info.path.ok_or("it has a path")?.with_extension("backup");
        refused("backup", db.backup(backup, |_| {}))?;
        let snapshot = &self.snapshot;
        refused("list_namespaces of a snapshot", snapshot.list_namespaces())?;
        let read = snapshot.namespace(NAMESPACE).map_err(|e| e.to_string())?;
        refused("get of a snapshot", read.get("a0"))?;
        refused("list of a snapshot", read.list(all))?;
        let filter = Filters::parse(["labels.a==b"]).map_err(|e| e.to_string())?;
        refused("filter of a snapshot", read.list(&filter))?;
        let mut containers = read.query().iter().map_err(|e| e.to_string())?;
        let next = containers.next().ok_or("the iterator is at its end")?;
        refused("an iterator", next)?;
        match containers.next() {
            None => Ok(()),
            Some(_) => Err("an iterator goes on behind its error".to_owned()),
        }
    }

    fn try_following(&mut self) -> Result<(), String> {
        let (db, snapshot, from) = (&self.db, &self.snapshot, Position::START);
        refused("changes_since", db.changes_since(from, Detail::Id))?;
        refused(
            "changes_since of a snapshot",
            snapshot.changes_since(from, Detail::Id),
        )?;
        refused("subscribe", db.subscribe(from, Detail::Id))?;
        refused("try_recv", self.subscription.try_recv())?;
        refused("recv", self.subscription.recv())
    }

    fn try_writing(&self) -> Result<(), String> {
        let (db, store) = (&self.db, &self.store);
        let mask = FieldMask::parse(["labels.a"]).map_err(|error| error.to_string())?;
        refused("create", store.create(plain("child")))?;
        let change = Container::with_id("a0").label("a", "b");
        refused("update", store.update(change, &mask))?;
        refused("put", store.put(plain("child")))?;
        refused("set_label", store.set_label("a0", "a", "b"))?;
        refused("delete", store.delete("a0"))?;
        refused("create_namespace", db.create_namespace("n", Labels::new()))?;
        let set = db.set_namespace_label(NAMESPACE, "a", "b");
        refused("set_namespace_label", set)?;
        refused("delete_namespace", db.delete_namespace(NAMESPACE))?;
        refused("begin_write", db.begin_write())?;
        let written = db.write(|_: &WriteTxn| -> bayplan::Result<()> { Ok(()) });
        refused("write", written)?;
        refused("checkpoint", db.checkpoint())?;
        refused("close", db.clone().close())
    }
}

/// Checks that a call was refused as one of a forked process.
pub(super) fn refused<T>(call: &str, result: bayplan::Result<T>) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{call}: it worked in a child")),
        Err(error) if error.kind() == ErrorKind::Forked && error.is_forked() => Ok(()),
        Err(error) => Err(format!("{call}: {error:#}")),
    }
}
