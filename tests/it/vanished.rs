//! A file that is removed, renamed or replaced while it is open: every kind of write reports that instead
//! of acknowledging, and what was acknowledged before can still be read and backed up.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bayplan::{
    Builder, Container, Db, Error, ErrorKind, FieldMask, Labels, Maintenance, Result, Share,
};

use crate::machine::skip;
use crate::sample::{Contents, plain};
use crate::seed::tell;

const NAMESPACE: &str = "default";

/// The setting: a store behind a symbolic link, and another store.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        fs::create_dir(place.path("in")).unwrap();
        for name in ["in/meta.redb", "other.redb"] {
            let db = Db::create(place.path(name)).unwrap();
            let store = db.namespace(NAMESPACE).unwrap();
            store.create(plain("stored")).unwrap();
        }
        symlink(place.store(), place.path("link")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("in/meta.redb")
    }
}

/// A way to lose a file: its name, how to do it, and how to undo it if possible.
type Loss = (&'static str, fn(&Place), Option<fn(&Place)>);

const LOSSES: [Loss; 7] = [
    ("removed", |at| fs::remove_file(at.store()).unwrap(), None),
    (
        "renamed",
        |at| fs::rename(at.store(), at.path("renamed")).unwrap(),
        Some(|at| fs::rename(at.path("renamed"), at.store()).unwrap()),
    ),
    (
        "replaced by another store",
        |at| {
            fs::hard_link(at.store(), at.path("kept")).unwrap();
            fs::rename(at.path("other.redb"), at.store()).unwrap();
        },
        Some(|at| fs::rename(at.path("kept"), at.store()).unwrap()),
    ),
    (
        "replaced by a restore",
        |at| {
            fs::remove_file(at.store()).unwrap();
            let restored = Maintenance::new().restore(at.path("other.redb"), at.store(), |_| {});
            restored.unwrap();
        },
        None,
    ),
    (
        "in a directory that was renamed",
        |at| fs::rename(at.path("in"), at.path("away")).unwrap(),
        Some(|at| fs::rename(at.path("away"), at.path("in")).unwrap()),
    ),
    (
        "in a directory that is a file now",
        |at| {
            fs::rename(at.path("in"), at.path("away")).unwrap();
            fs::write(at.path("in"), "").unwrap();
        },
        Some(|at| {
            fs::remove_file(at.path("in")).unwrap();
            fs::rename(at.path("away"), at.path("in")).unwrap();
        }),
    ),
    (
        "behind a link that leads elsewhere now",
        |at| {
            fs::remove_file(at.path("link")).unwrap();
            symlink(at.path("other.redb"), at.path("link")).unwrap();
        },
        Some(|at| {
            fs::remove_file(at.path("link")).unwrap();
            symlink(at.store(), at.path("link")).unwrap();
        }),
    ),
];

/// A way to write: its name, and what it does.
type Write = (&'static str, fn(&Db) -> Result<()>);

const WRITES: [Write; 8] = [
    ("create", |db| create(db, "new")),
    ("update", |db| {
        let change = Container::with_id("stored").label("a", "b");
        let mask = FieldMask::parse(["labels.a"])?;
        db.namespace(NAMESPACE)?.update(change, &mask).map(|_| ())
    }),
    ("delete", |db| db.namespace(NAMESPACE)?.delete("stored")),
    ("create a namespace", |db| {
        db.create_namespace("new", Labels::new())
    }),
    ("label a namespace", |db| {
        db.set_namespace_label(NAMESPACE, "a", "b")
    }),
    ("a transaction", |db| {
        db.write(|txn| {
            let store = txn.namespace(NAMESPACE)?;
            store.create(plain("new")).map(|_| ())
        })
    }),
    ("begin a transaction", |db| db.begin_write().map(|_| ())),
    ("checkpoint", Db::checkpoint),
];

/// A way to open a store: its name, and its options.
type Way = (&'static str, fn() -> Builder);

const WITH_LOG: &str = "with a log";

const WAYS: [Way; 4] = [
    ("as it is by default", Db::builder),
    ("with live readers", || Db::builder().share(Share::Readers)),
    (WITH_LOG, || Db::builder().commit_log(true)),
    ("without the check", || Db::builder().check_integrity(false)),
];

fn create(db: &Db, id: &str) -> Result<()> {
    db.namespace(NAMESPACE)?.create(plain(id)).map(|_| ())
}

#[track_caller]
fn assert_gone(error: &Error, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Gone, "{what}: {error:#}");
    assert!(error.is_gone());
    let text = error.to_string();
    assert!(text.contains("is no longer at"), "{text}");
    assert!(text.contains("back the store up"), "{text}");
}

#[test]
fn a_write_to_a_file_that_is_gone_is_never_acknowledged() {
    let mut vanished = 0;
    for (way, builder) in WAYS {
        for (loss, lose, undo) in LOSSES {
            let at = Place::new();
            let db = builder().open(at.path("link")).unwrap();
            db.checkpoint().unwrap(); // The first commit makes no log.
            create(&db, "before").unwrap();
            assert_eq!(db.check().unwrap().log_commits.is_some(), way == WITH_LOG);
            let before = Contents::of(&db).unwrap();
            lose(&at);
            for (write, run) in WRITES {
                assert_gone(&run(&db).unwrap_err(), &format!("{write}, {loss}, {way}"));
                vanished += 1;
            }
            // All that was acknowledged can be read, and saved.
            assert_eq!(Contents::of(&db).unwrap(), before, "{loss}, {way}");
            db.backup(at.path("saved"), |_| {}).unwrap();
            let saved = Db::open(at.path("saved")).unwrap();
            assert_eq!(Contents::of(&saved).unwrap(), before, "{loss}, {way}");
            if let Some(undo) = undo {
                undo(&at);
                create(&db, "after").unwrap();
                db.close().unwrap();
                let db = Db::open(at.store()).unwrap();
                let ids = db.namespace(NAMESPACE).unwrap().query().ids();
                assert_eq!(ids.unwrap(), ["after", "before", "stored"], "{loss}, {way}");
            } else {
                assert_gone(&db.close().unwrap_err(), loss);
            }
        }
    }
    let lost = while_others_write();
    tell(format_args!("vanished={} lost={lost}", vanished + 1));
    assert_eq!(lost, 0);
}

/// How many writes began when the file was gone, and were acknowledged.
fn while_others_write() -> usize {
    let at = Place::new();
    let db = Db::open(at.store()).unwrap();
    let (is_gone, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (lost, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for letter in ['w', 'x', 'y', 'z'] {
            let (db, is_gone, is_over, lost, refused) = (&db, &is_gone, &is_over, &lost, &refused);
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let was_gone = is_gone.load(Ordering::SeqCst);
                    match create(db, &format!("{letter}{number}")) {
                        Ok(()) if was_gone => drop(lost.fetch_add(1, Ordering::SeqCst)),
                        Ok(()) => {}
                        Err(error) => {
                            assert_gone(&error, "beside others");
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(50));
        fs::rename(at.path("other.redb"), at.store()).unwrap();
        is_gone.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50));
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(refused.into_inner() > 0);
    lost.into_inner()
}

#[test]
fn a_transaction_that_began_before_the_file_was_gone_is_not_acknowledged() {
    let at = Place::new();
    let db = Db::open(at.store()).unwrap();
    let txn = db.begin_write().unwrap();
    txn.namespace(NAMESPACE)
        .unwrap()
        .create(plain("new"))
        .unwrap();
    fs::rename(at.store(), at.path("renamed")).unwrap();
    assert_gone(&txn.commit().unwrap_err(), "commit");
    // It is in the file, wherever the file is now, and reads show it.
    assert!(db.namespace(NAMESPACE).unwrap().get("new").is_ok());
    fs::rename(at.path("renamed"), at.store()).unwrap();
    create(&db, "after").unwrap();
    db.close().unwrap();
    let db = Db::open(at.store()).unwrap();
    let ids = db.namespace(NAMESPACE).unwrap().query().ids();
    assert_eq!(ids.unwrap(), ["after", "new", "stored"]);
}

#[test]
fn a_transaction_that_changes_nothing_may_end_when_the_file_is_gone() {
    let at = Place::new();
    let db = Db::open(at.store()).unwrap();
    let txn = db.begin_write().unwrap();
    fs::remove_file(at.store()).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_store_that_was_just_created_is_looked_after_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    create(&db, "a").unwrap();
    fs::remove_file(&path).unwrap();
    let error = create(&db, "b").unwrap_err();
    assert_gone(&error, "create");
    assert!(
        error.to_string().contains("nothing is there now"),
        "{error}"
    );
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn readers_and_stores_in_memory_do_not_mind() {
    let at = Place::new();
    let reader = Db::open_read_only(at.store()).unwrap();
    fs::remove_file(at.store()).unwrap();
    assert!(reader.namespace(NAMESPACE).unwrap().get("stored").is_ok());
    reader.close().unwrap();
    let db = Db::in_memory().unwrap();
    create(&db, "a").unwrap();
    db.close().unwrap();
}

const CHILD: &str = "BAYPLAN_TEST_VANISHED_CHILD";

/// All threads share the working directory, so another process tries this.
#[test]
fn a_relative_path_is_meant_from_where_it_was_opened() {
    if let Ok(elsewhere) = std::env::var(CHILD) {
        let db = Db::open("meta.redb").unwrap();
        std::env::set_current_dir(&elsewhere).unwrap();
        fs::write("meta.redb", "something else").unwrap();
        create(&db, "a").unwrap();
        fs::remove_file("../in/meta.redb").unwrap();
        assert_gone(&create(&db, "b").unwrap_err(), "create");
        return;
    }
    let at = Place::new();
    fs::create_dir(at.path("elsewhere")).unwrap();
    let name = "vanished::a_relative_path_is_meant_from_where_it_was_opened";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, at.path("elsewhere"))
        .current_dir(at.path("in"))
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
}

/// Undoes a mount in the end.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_mount_that_leads_to_a_file_without_a_name_does_not_hide_it() {
    let at = Place::new();
    let mounted = at.path("mounted");
    fs::write(&mounted, "").unwrap();
    let done = Command::new("mount")
        .arg("--bind")
        .args([&at.store(), &mounted])
        .stderr(Stdio::null())
        .status();
    if !done.is_ok_and(|status| status.success()) {
        return skip("vanished", "a file cannot be bind-mounted");
    }
    let _mounted = Mounted(&mounted);
    let db = Db::open(&mounted).unwrap();
    create(&db, "a").unwrap();
    fs::rename(at.path("other.redb"), at.store()).unwrap();
    let error = create(&db, "b").unwrap_err();
    assert_gone(&error, "create");
    assert!(error.to_string().contains("it was removed"), "{error}");
}
