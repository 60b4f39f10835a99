//! Opening and creating a store: existing files survive, and each fault has its own error.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Builder, Db, Error, ErrorKind, Revision, Rules, Share};
use tempfile::TempDir;

use crate::sample::{Contents, plain, populate};
use crate::seed::Seed;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("meta.redb")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// The bytes of the file at this moment, in another one: what a crash would leave.
    fn crash(&self, name: &str) -> PathBuf {
        fs::write(self.at(name), fs::read(self.path()).unwrap()).unwrap();
        self.at(name)
    }
}

#[track_caller]
fn refused(opened: bayplan::Result<Db>, kind: ErrorKind) -> Error {
    let error = opened.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:#}");
    error
}

fn create(db: &Db, id: &str) -> Revision {
    let store = db.namespace("default").unwrap();
    store.create(plain(id)).unwrap().revision
}

fn count(db: &Db) -> u64 {
    let store = db.namespace("default").unwrap();
    store.query().count().unwrap()
}

#[test]
fn opening_never_creates() {
    let place = Place::new();
    for opened in [
        Db::open(place.path()),
        Db::open_read_only(place.path()),
        Db::open(place.at("no/such/directory")),
    ] {
        let error = refused(opened, ErrorKind::NotFound);
        assert!(error.to_string().starts_with("open store "), "{error}");
    }
    assert!(place.names().is_empty());
}

#[test]
fn creating_refuses_whatever_is_there_and_leaves_it_alone() {
    let place = Place::new();
    fs::write(place.at("empty"), b"").unwrap();
    fs::write(place.at("text"), b"precious").unwrap();
    fs::create_dir(place.at("directory")).unwrap();
    drop(Db::create(place.at("store")).unwrap());
    let mut names = vec!["empty", "text", "directory", "store"];
    if cfg!(unix) {
        #[cfg(unix)]
        std::os::unix::fs::symlink("nothing", place.at("dangling")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("text", place.at("link")).unwrap();
        names.extend(["dangling", "link"]);
    }
    let before = place.names();
    let store = fs::read(place.at("store")).unwrap();
    for name in names {
        let error = refused(Db::create(place.at(name)), ErrorKind::AlreadyExists);
        assert_eq!(error.path(), Some(&*place.at(name)));
    }
    assert_eq!(place.names(), before);
    assert_eq!(fs::read(place.at("text")).unwrap(), b"precious");
    assert!(fs::read(place.at("store")).unwrap() == store);
}

#[test]
fn creating_in_a_missing_directory_is_not_found_and_creates_none() {
    let place = Place::new();
    let error = refused(Db::create(place.at("a/meta.redb")), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("there is no such directory"));
    assert!(place.names().is_empty());
}

#[test]
fn a_store_made_under_a_relative_name_is_found_by_it() {
    // The directory of the package is where tests run.
    let name = format!("target-of-open-test-{}.redb", std::process::id());
    let created = Db::create(&name);
    let is_there = Path::new(&name).exists();
    let _ = fs::remove_file(&name);
    created.unwrap();
    assert!(is_there);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_only_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let child = |umask: &str, name: &str| {
        let this = std::env::current_exe().unwrap();
        let script = format!("umask {umask}; exec \"$0\" --exact open::creates_for_its_parent");
        let status = Command::new("sh")
            .args(["-c", &script])
            .arg(this)
            .env(CHILD_CREATES, place.at(name))
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        fs::metadata(place.at(name)).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(child("000", "a"), 0o600);
    assert_eq!(child("022", "b"), 0o600);
    assert_eq!(child("077", "c"), 0o600);
}

const CHILD_CREATES: &str = "BAYPLAN_TEST_CREATES";
const CHILD_HOLDS: &str = "BAYPLAN_TEST_HOLDS";
const CHILD_HOLDS_MILLIS: &str = "BAYPLAN_TEST_HOLDS_MILLIS";

#[test]
fn creates_for_its_parent() {
    if let Some(path) = std::env::var_os(CHILD_CREATES) {
        Db::create(path).unwrap();
    }
}

#[test]
fn holds_for_its_parent() {
    if let Some(path) = std::env::var_os(CHILD_HOLDS) {
        let _db = Db::open(path).unwrap();
        println!("#held");
        let millis = std::env::var(CHILD_HOLDS_MILLIS).unwrap().parse().unwrap();
        thread::sleep(Duration::from_millis(millis));
    }
}

/// Another process that has the file open.
struct Holder(
    Child,
    #[expect(dead_code, reason = "the child writes to it")] Lines<BufReader<ChildStdout>>,
);

impl Holder {
    fn start(path: &Path, millis: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "open::holds_for_its_parent", "--nocapture"])
            .env(CHILD_HOLDS, path)
            .env(CHILD_HOLDS_MILLIS, millis.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("#held")));
        Self(child, lines)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_in_use_is_locked_at_once_and_the_error_names_the_process() {
    let place = Place::new();
    drop(Db::create(place.path()).unwrap());
    let holder = Holder::start(&place.path(), 60_000);
    let begun = Instant::now();
    for opened in [Db::open(place.path()), Db::open_read_only(place.path())] {
        let error = refused(opened, ErrorKind::Locked);
        if cfg!(target_os = "linux") {
            let named = format!("in use by process {}", holder.0.id());
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(holder);
    Db::open(place.path()).unwrap();
}

#[test]
fn a_second_handle_in_the_same_process_is_locked_too() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    refused(Db::open(place.path()), ErrorKind::Locked);
    refused(Db::open_read_only(place.path()), ErrorKind::Locked);
    refused(Db::create(place.path()), ErrorKind::AlreadyExists);
    create(&db, "still-works");
}

#[test]
fn a_lock_timeout_waits_for_the_release() {
    let place = Place::new();
    drop(Db::create(place.path()).unwrap());
    let holder = Holder::start(&place.path(), 300);
    let waiting = Db::builder().lock_timeout(Duration::from_secs(30));
    let db = waiting.open(place.path()).unwrap();
    create(&db, "a");
    drop(holder);
}

#[test]
fn a_lock_timeout_ends() {
    let place = Place::new();
    let _db = Db::create(place.path()).unwrap();
    let timeout = Duration::from_millis(100);
    let begun = Instant::now();
    let opened = Db::builder().lock_timeout(timeout).open(place.path());
    refused(opened, ErrorKind::Locked);
    assert!(begun.elapsed() >= timeout);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_file_is_free_when_its_last_handle_is_gone() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    create(&db, "a");
    let store = db.namespace("default").unwrap();
    let snapshot = db.read().unwrap();
    let containers = store.query().iter().unwrap();
    drop(db);
    refused(Db::open(place.path()), ErrorKind::Locked);
    drop(snapshot);
    refused(Db::open(place.path()), ErrorKind::Locked);
    assert_eq!(containers.count(), 1);
    refused(Db::open(place.path()), ErrorKind::Locked);
    drop(store);
    Db::open(place.path()).unwrap();
}

fn reading_only(check: bool) -> Builder {
    Db::builder().check_integrity(check)
}

#[test]
fn reading_only_writes_nothing_to_a_file_closed_or_crashed() {
    let place = Place::new();
    for live in [false, true] {
        let _ = fs::remove_file(place.path());
        let db = Db::builder()
            .share(if live { Share::Readers } else { Share::Nobody })
            .create(place.path())
            .unwrap();
        populate(&db, &mut Seed::new(7), 50).unwrap();
        let contents = Contents::of(&db).unwrap();
        let crashed = place.crash("crashed");
        drop(db);
        for path in [place.path(), crashed] {
            for check in [true, false] {
                let bytes = fs::read(&path).unwrap();
                let db = reading_only(check).open_read_only(&path).unwrap();
                assert!(db.info().read_only);
                assert_eq!(Contents::of(&db).unwrap(), contents);
                assert!(db.check().unwrap().is_healthy());
                let error = db
                    .namespace("default")
                    .unwrap()
                    .create(plain("new"))
                    .unwrap_err();
                assert!(error.is_failed_precondition(), "{error}");
                assert!(db.begin_write().unwrap_err().is_failed_precondition());
                drop(db);
                assert!(fs::read(&path).unwrap() == bytes, "it was written");
            }
        }
    }
}

#[test]
fn any_number_of_readers_share_a_file_closed_or_crashed() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    create(&db, "a");
    let crashed = place.crash("crashed");
    drop(db);
    for path in [place.path(), crashed] {
        let mut open = Vec::new();
        for check in [true, false, true, false] {
            open.push(reading_only(check).open_read_only(&path).unwrap());
        }
        assert!(open.iter().all(|db| count(db) == 1));
        refused(Db::open(&path), ErrorKind::Locked);
        drop(open);
        let mut open = Vec::new();
        for check in [false, true, false, true] {
            open.push(reading_only(check).open_read_only(&path).unwrap());
        }
        assert!(open.iter().all(|db| count(db) == 1));
    }
}

#[test]
fn many_readers_at_once_never_find_the_file_locked() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    create(&db, "a");
    let crashed = place.crash("crashed");
    drop(db);
    for path in [place.path(), crashed] {
        thread::scope(|scope| {
            for thread in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for turn in 0..25 {
                        let check = (thread + turn) % 3 != 0;
                        let db = reading_only(check).open_read_only(path);
                        assert_eq!(count(&db.unwrap()), 1);
                    }
                });
            }
        });
    }
}

#[cfg(unix)]
#[test]
fn reading_only_works_where_writing_is_not_permitted() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    create(&db, "a");
    let crashed = place.crash("crashed");
    drop(db);
    for path in [place.path(), crashed] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(count(&Db::open_read_only(&path).unwrap()), 1);
        // Root may write anyway.
        if let Err(error) = fs::OpenOptions::new().write(true).open(&path) {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            refused(Db::open(&path), ErrorKind::Io);
        }
    }
}

#[test]
fn a_live_file_is_read_as_it_grows_if_its_writer_allows_it() {
    let place = Place::new();
    let writer = Db::builder()
        .share(Share::Readers)
        .create(place.path())
        .unwrap();
    create(&writer, "a");
    let readers =
        [true, false].map(|check| reading_only(check).open_read_only(place.path()).unwrap());
    for reader in &readers {
        assert_eq!(count(reader), 1);
    }
    let snapshot = readers[0].read().unwrap();
    for number in 0..50 {
        create(&writer, &format!("b{number}"));
    }
    for reader in &readers {
        assert_eq!(count(reader), 51);
        assert!(reader.check().unwrap().is_healthy());
    }
    let old = snapshot.namespace("default").unwrap();
    assert_eq!(old.query().count().unwrap(), 1);
    refused(Db::open(place.path()), ErrorKind::Locked);
    drop((snapshot, writer));
    for reader in &readers {
        assert_eq!(count(reader), 51);
    }
}

#[test]
fn a_live_file_is_locked_for_readers_if_its_writer_does_not_allow_them() {
    let place = Place::new();
    let _writer = Db::create(place.path()).unwrap();
    for check in [true, false] {
        let opened = reading_only(check).open_read_only(place.path());
        refused(opened, ErrorKind::Locked);
    }
}

#[test]
fn the_mode_for_live_readers_can_be_changed_with_every_opening() {
    let place = Place::new();
    drop(Db::create(place.path()).unwrap());
    let mut last = Revision::NONE;
    for turn in 0..12 {
        let live = turn % 3 != 0;
        let db = Db::builder()
            .share(if live { Share::Readers } else { Share::Nobody })
            .check_integrity(turn % 2 == 0)
            .open(place.path())
            .unwrap();
        let revision = create(&db, &format!("c{turn}"));
        assert!(revision > last);
        last = revision;
        assert!(db.check().unwrap().is_healthy());
        if turn % 4 == 3 {
            // The same file as a crash leaves it.
            let crashed = place.crash("crashed");
            drop(db);
            fs::rename(crashed, place.path()).unwrap();
        }
    }
    assert_eq!(count(&Db::open(place.path()).unwrap()), 12);
}

#[test]
fn a_store_is_known_by_its_id() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    let id = db.info().id;
    let crashed = place.crash("crashed");
    drop(db);
    let other = Db::create(place.at("other")).unwrap().info().id;
    assert_ne!(id, other);
    for path in [place.path(), crashed] {
        let bytes = fs::read(&path).unwrap();
        let expecting = |id| Db::builder().expect_id(id);
        for opened in [
            expecting(other).open(&path),
            expecting(other).open_read_only(&path),
        ] {
            let error = refused(opened, ErrorKind::FailedPrecondition);
            let text = error.to_string();
            assert!(text.contains(&id.to_string()), "{text}");
            assert!(text.contains(&other.to_string()), "{text}");
        }
        assert!(fs::read(&path).unwrap() == bytes, "it was written");
        expecting(id).open_read_only(&path).unwrap();
        assert_eq!(expecting(id).open(&path).unwrap().info().id, id);
    }
}

#[test]
fn the_rules_are_remembered_and_can_be_overruled() {
    let place = Place::new();
    let rules = |db: bayplan::Result<Db>| db.unwrap().info().rules;
    let made = Db::builder().rules(Rules::Containerd2).create(place.path());
    assert_eq!(rules(made), Rules::Containerd2);
    assert_eq!(rules(Db::open(place.path())), Rules::Containerd2);
    let strict = Db::builder().rules(Rules::Strict).open(place.path());
    assert_eq!(rules(strict), Rules::Strict);
    assert_eq!(rules(Db::open_read_only(place.path())), Rules::Containerd2);
    assert_eq!(rules(Db::create(place.at("other"))), Rules::Strict);
}

#[test]
fn creating_leaves_one_file_and_failing_to_create_leaves_none() {
    let place = Place::new();
    let db = Db::create(place.path()).unwrap();
    let only = BTreeSet::from(["meta.redb".to_owned()]);
    assert_eq!(place.names(), only);
    create(&db, "a");
    drop(db);
    assert_eq!(place.names(), only);
    refused(Db::create(place.path()), ErrorKind::AlreadyExists);
    let long = place.at(&"x".repeat(300));
    refused(Db::create(long), ErrorKind::Io);
    assert_eq!(place.names(), only);
}

#[test]
fn a_new_store_appears_whole_or_not_at_all() {
    let place = Place::new();
    let (path, done) = (place.path(), std::sync::atomic::AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..30 {
                let db = Db::create(&path).unwrap();
                create(&db, &format!("c{turn}"));
                drop(db);
                fs::remove_file(&path).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut seen = 0;
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            if let Ok(bytes) = fs::read(&path) {
                let copy = place.at("copy");
                fs::write(&copy, bytes).unwrap();
                // A copy of a file that is being written may be torn, but it is a store.
                match Db::open(&copy) {
                    Ok(db) => assert!(db.list_namespaces().unwrap().len() <= 1),
                    Err(error) => assert!(error.is_corrupt(), "{error:#}"),
                }
                seen += 1;
            }
        }
        println!("looked-at={seen}");
    });
}

#[test]
fn two_that_create_at_once_make_one_store() {
    let place = Place::new();
    let made: Vec<bayplan::Result<Db>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Db::create(place.path())))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let (stores, errors): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(stores.len(), 1);
    for error in errors {
        refused(error, ErrorKind::AlreadyExists);
    }
    create(stores[0].as_ref().unwrap(), "a");
    drop(stores);
    assert_eq!(count(&Db::open(place.path()).unwrap()), 1);
    assert_eq!(place.names().len(), 1);
}

#[test]
fn revisions_rise_however_often_the_store_is_opened() {
    let place = Place::new();
    drop(Db::create(place.path()).unwrap());
    let mut last = Revision::NONE;
    for turn in 0..40 {
        let db = Db::open(place.path()).unwrap();
        for number in 0..turn % 3 {
            let revision = create(&db, &format!("c{turn}-{number}"));
            assert!(revision > last, "{revision} after {last}");
            last = revision;
        }
        let txn = db.begin_write().unwrap();
        let lost = txn.namespace("default").unwrap().create(plain("lost"));
        assert!(lost.unwrap().revision > last);
        drop(txn);
        if turn % 2 == 0 {
            let crashed = place.crash("crashed");
            drop(db);
            fs::rename(crashed, place.path()).unwrap();
        }
    }
    assert!(
        Db::open(place.path())
            .unwrap()
            .check()
            .unwrap()
            .is_healthy()
    );
}

/// How often opening this store after a crash reports the progress of a repair.
fn repairs_after_a_crash(db_path: &Path, check: bool) -> usize {
    let crashed = db_path.with_extension("crashed");
    fs::copy(db_path, &crashed).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let opened = Db::builder()
        .check_integrity(check)
        .on_repair(move |done| {
            assert!((0.0..=1.0).contains(&done));
            count.fetch_add(1, Ordering::Relaxed);
        })
        .open(&crashed);
    assert!(opened.unwrap().check().unwrap().is_healthy());
    fs::remove_file(&crashed).unwrap();
    told.load(Ordering::Relaxed)
}

#[test]
fn a_checkpoint_spares_the_repair_after_a_crash_until_the_next_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let store = db.namespace("a").unwrap();
    store.create(plain("one")).unwrap();
    assert!(repairs_after_a_crash(&path, false) > 0);
    db.checkpoint().unwrap();
    assert_eq!(repairs_after_a_crash(&path, false), 0);
    assert!(
        repairs_after_a_crash(&path, true) > 0,
        "a check walks the file in any case"
    );
    store.create(plain("two")).unwrap();
    assert!(repairs_after_a_crash(&path, false) > 0);
}

#[test]
fn what_a_store_open_for_reading_refuses_tells_the_operation_and_the_file() {
    let place = Place::new();
    drop(Db::create(place.path()).unwrap());
    let db = Db::open_read_only(place.path()).unwrap();
    let path = place.path().display().to_string();
    let why = "the store is open for reading only";
    let store = db.namespace("k8s.io").unwrap();
    let error = store.create(plain("web")).unwrap_err();
    assert_eq!(error.operation(), Some("create container"));
    assert_eq!(
        error.to_string(),
        format!("create container \"web\" in namespace \"k8s.io\" of {path}: {why}")
    );
    let error = db.set_namespace_label("x", "a", "1").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("set a label of namespace \"x\" of {path}: {why}")
    );
    let error = db.begin_write().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("begin a write transaction {path}: {why}")
    );
}

#[test]
fn what_a_store_tells_about_itself_can_be_written_whatever_its_name_is() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"me\xffta.redb");
    let db = Db::create(directory.path().join(name)).unwrap();
    let told = serde_json::to_value(db.info()).unwrap();
    assert!(
        told["path"]
            .as_str()
            .unwrap()
            .ends_with("me\u{fffd}ta.redb")
    );
}

#[test]
fn closing_is_refused_while_there_are_other_handles_and_lets_the_file_go() {
    let place = Place::new();
    let path = place.path();
    let db = Db::create(&path).unwrap();
    let namespace = db.namespace("default").unwrap();
    let error = db.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let text = error.to_string();
    assert!(text.starts_with("close store "), "{text}");
    assert!(text.contains("still in use"), "{text}");
    assert!(Db::open(&path).unwrap_err().is_locked());
    drop(namespace);

    let db = Db::open(&path).unwrap();
    let snapshot = db.read().unwrap();
    assert_eq!(
        db.close().unwrap_err().kind(),
        ErrorKind::FailedPrecondition
    );
    drop(snapshot);
    Db::open(&path).unwrap().close().unwrap();
    Db::open_read_only(&path).unwrap().close().unwrap();
    let unverified = || Db::builder().check_integrity(false);
    unverified().open_read_only(&path).unwrap().close().unwrap();
    unverified().open(&path).unwrap().close().unwrap();
    Db::builder().in_memory().unwrap().close().unwrap();
}
