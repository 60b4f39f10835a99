//! The change feed: every change once, in order, when it is durable, and nothing silently left out.
//!
//! `BAYPLAN_FEEDS` sets how many random histories are followed, `BAYPLAN_SEED` repeats a run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{
    Any, Change, Db, Detail, ErrorKind, Event, FieldMask, Found, Labels, Position, Record, Result,
    Revision, Share, Subject, Subscription, Update,
};

use redb::TableDefinition;

use crate::sample::{Contents, marked, plain};
use crate::seed::{Seed, count_from_env, tell};

const HOME: &str = "k8s.io";
const SOON: Duration = Duration::from_secs(20);

/// What a change is about, in short: `+web`, `~web`, `-web`; a namespace ends in `/`.
fn short(change: &Change) -> String {
    fn sign<T>(event: &Event<T>) -> char {
        match event {
            Event::Created(_) => '+',
            Event::Updated(_) => '~',
            _ => '-',
        }
    }
    match &change.subject {
        Subject::Namespace(event) => format!("{}{}/", sign(event), change.namespace),
        Subject::Container { id, event } => format!("{}{id}", sign(event)),
        Subject::Record { kind, id, event } => format!("{}{kind}:{id}", sign(event)),
        _ => unreachable!("there is nothing else"),
    }
}

/// All changes since a position, in short, and where they end.
fn since(db: &Db, position: impl Into<Position>) -> (Vec<String>, Position) {
    let mut changes = db.changes_since(position.into(), Detail::Id).unwrap();
    let told = (&mut changes)
        .map(|change| short(&change.unwrap()))
        .collect();
    (told, changes.position())
}

fn waiting(subscription: &mut Subscription) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(change) = subscription.try_recv().unwrap() {
        told.push(short(&change));
    }
    told
}

fn update(db: &Db, id: &str) {
    let home = db.namespace(HOME).unwrap();
    home.set_label(id, "a", "b").unwrap();
}

#[test]
fn what_changed_is_told_once_and_in_the_order_of_revisions() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    assert_eq!(since(&db, Position::START), (vec![], Position::START));
    home.create(plain("a")).unwrap();
    home.create(plain("b")).unwrap();
    update(&db, "a");
    let images = home.records("images").unwrap();
    images
        .create(Record::new("nginx", Any::new("x", b"")))
        .unwrap();
    let (told, position) = since(&db, Position::START);
    assert_eq!(told, ["+k8s.io/", "+a", "+b", "+images:nginx"]);
    assert_eq!(since(&db, position), (vec![], position));

    update(&db, "b");
    update(&db, "b");
    home.delete("a").unwrap();
    images.delete("nginx").unwrap();
    db.set_namespace_label(HOME, "x", "y").unwrap();
    home.create(plain("c")).unwrap();
    let expected = ["~b", "-a", "-images:nginx", "~k8s.io/", "+c"];
    let (told, end) = since(&db, position);
    assert_eq!(told, expected);
    assert_eq!(since(&db, end), (vec![], end));
}

#[test]
fn the_revisions_of_changes_rise_and_each_of_them_is_a_place_to_go_on() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let from = home.create(plain("first")).unwrap().revision;
    for id in ["a", "b", "c"] {
        home.create(plain(id)).unwrap();
        update(&db, "first");
    }
    home.delete("b").unwrap();
    let changes = db.changes_since(from.into(), Detail::Id).unwrap();
    let changes: Vec<Change> = changes.map(Result::unwrap).collect();
    let told: Vec<_> = changes.iter().map(short).collect();
    assert_eq!(told, ["+a", "+c", "~first", "-b"]);
    assert!(changes.is_sorted_by(|one, next| one.revision < next.revision));
    for (number, change) in changes.iter().enumerate() {
        assert_eq!(since(&db, change.revision).0, told[number + 1..]);
        assert_eq!(since(&db, change.position).0, told[number + 1..]);
        assert_eq!(change.position.revision(), change.revision);
    }
}

/// A follower that stops between the creation and a later change of an item still gets both.
#[test]
fn a_creation_is_told_at_its_own_place_whatever_changed_since() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("old")).unwrap().revision;
    home.create(plain("new")).unwrap();
    update(&db, "old");
    update(&db, "new");
    let mut changes = db.changes_since(start.into(), Detail::Whole).unwrap();
    let new = changes.next().unwrap().unwrap();
    let Subject::Container {
        event: Event::Created(Found::Whole(stored)),
        ..
    } = &new.subject
    else {
        panic!("{new:?}");
    };
    assert_eq!(*stored, home.get("new").unwrap());
    assert!(stored.revision > new.revision);
    assert_eq!(since(&db, new.revision).0, ["~old", "~new"]);
    assert_eq!(changes.position(), new.position);
    assert_eq!(short(&changes.next().unwrap().unwrap()), "~old");
    assert!(changes.next().is_none());
    let end = changes.position().revision();
    assert_eq!(end, home.get("new").unwrap().revision);
}

#[test]
fn what_is_deleted_and_created_again_is_told_as_both() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    home.delete("a").unwrap();
    home.create(plain("a")).unwrap();
    update(&db, "a");
    assert_eq!(since(&db, start).0, ["-a", "+a"]);
    let (told, _) = since(&db, Position::START);
    assert_eq!(told, ["+k8s.io/", "+a"]);
    home.delete("a").unwrap();
    db.delete_namespace(HOME).unwrap();
    assert_eq!(since(&db, start).0, ["-a", "-a", "-k8s.io/"]);
    db.create_namespace(HOME, Labels::new()).unwrap();
    assert_eq!(since(&db, start).0, ["-a", "-a", "-k8s.io/", "+k8s.io/"]);
}

#[test]
fn the_detail_decides_how_much_is_read() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let mut web = plain("web").label("a", "b");
    for name in ["one", "two"] {
        web.extensions
            .insert(name.into(), Any::new("x", name.as_bytes()));
    }
    let web = home.create(web).unwrap();
    let found = |detail| {
        let change = db.changes_since(Position::START, detail).unwrap().last();
        let Subject::Container { event, .. } = change.unwrap().unwrap().subject else {
            panic!("it is a container");
        };
        event.into_item().unwrap()
    };
    assert!(matches!(found(Detail::Id), Found::Id(id) if id == "web"));
    let Found::Header(header) = found(Detail::Header(vec!["two".into()])) else {
        panic!("a header was asked for");
    };
    assert_eq!(header.labels, web.labels);
    assert_eq!(header.extensions.keys().collect::<Vec<_>>(), ["two"]);
    assert!(matches!(found(Detail::Whole), Found::Whole(whole) if whole == web));
}

#[test]
fn a_transaction_that_is_rolled_back_or_fails_is_not_told() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    let mut subscription = db.subscribe(start.into(), Detail::Id).unwrap();
    let txn = db.begin_write().unwrap();
    txn.namespace(HOME).unwrap().delete("a").unwrap();
    txn.namespace("new").unwrap().create(plain("b")).unwrap();
    assert!(waiting(&mut subscription).is_empty());
    txn.abort().unwrap();
    assert!(home.delete("nothing").unwrap_err().is_not_found());
    assert!(home.create(plain("a")).unwrap_err().is_already_exists());
    assert!(waiting(&mut subscription).is_empty());
    assert!(since(&db, start).0.is_empty());
}

#[test]
fn a_follower_that_missed_forgotten_deletions_is_told_and_can_go_on() {
    let db = Db::builder().tombstones_max_count(3).in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("kept")).unwrap().revision;
    let mut slow = db.subscribe(start.into(), Detail::Id).unwrap();
    let mut quick = db.subscribe(start.into(), Detail::Id).unwrap();
    for number in 0..4 {
        let id = format!("c{number}");
        home.create(plain(&id)).unwrap();
        home.delete(&id).unwrap();
        assert_eq!(waiting(&mut quick), [format!("-{id}")]);
    }
    for error in [
        db.changes_since(start.into(), Detail::Id).unwrap_err(),
        db.subscribe(start.into(), Detail::Id).unwrap_err(),
        slow.try_recv().unwrap_err(),
        slow.recv().unwrap_err(),
    ] {
        assert!(error.is_lagged(), "{error}");
        let from = error.follow_from().unwrap();
        let text = format!(
            "read the changes of store: deletions up to revision {} are forgotten, and at the position {start} they \
             are not all known: list everything, then read the changes from {from}; or forget what is known, and \
             read them from the start",
            from.revision()
        );
        assert_eq!(error.to_string(), text);
        assert_eq!(since(&db, from).0, ["-c1", "-c2", "-c3"]);
        let before = Revision::new(from.revision().get() - 1);
        assert!(
            db.changes_since(before.into(), Detail::Id)
                .unwrap_err()
                .is_lagged()
        );
    }
    let (told, end) = since(&db, Position::START);
    assert_eq!(told, ["+k8s.io/", "+kept"]);
    // If the creation was never reported, neither is the deletion.
    assert_eq!(since(&db, end), (vec![], end));
}

#[test]
fn what_is_forgotten_during_the_first_listing_concerns_nobody_who_began_it() {
    let db = Db::builder().tombstones_max_count(1).in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    for id in ["a", "b", "gone", "gone2"] {
        home.create(plain(id)).unwrap();
    }
    home.delete("gone").unwrap();
    home.delete("gone2").unwrap();
    let mut changes = db.changes_since(Position::START, Detail::Id).unwrap();
    let first = changes.nth(1).unwrap().unwrap();
    assert_eq!(short(&first), "+a");
    drop(changes);
    // Its revision alone does not show that it knows nothing that was deleted.
    let by_revision = db.changes_since(first.revision.into(), Detail::Id);
    assert!(by_revision.unwrap_err().is_lagged());
    let kept: Position = first.position.to_string().parse().unwrap();
    assert_eq!(since(&db, kept).0, ["+b"]);
    // Later deletions are reported, whether the item was listed before or not.
    home.delete("a").unwrap();
    assert_eq!(since(&db, kept).0, ["+b", "-a"]);
    home.delete("b").unwrap();
    assert!(db.changes_since(kept, Detail::Id).unwrap_err().is_lagged());
}

#[test]
fn who_keeps_up_never_lags_however_much_one_transaction_deletes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    for with_log in [false, true] {
        let options = Db::builder()
            .tombstones_max_count(3)
            .create_if_missing(true)
            .commit_log(with_log);
        let db = options.open(&path).unwrap();
        let home = db.namespace(HOME).unwrap();
        let ids: Vec<String> = (0..10).map(|number| format!("c{number}")).collect();
        for id in &ids {
            home.create(plain(id)).unwrap();
        }
        home.create(plain("before")).unwrap();
        home.delete("before").unwrap();
        let mut follower = db.subscribe(Position::START, Detail::Id).unwrap();
        assert_eq!(waiting(&mut follower).len(), 1 + ids.len());
        db.write(|txn| {
            let home = txn.namespace(HOME)?;
            ids.iter().try_for_each(|id| home.delete(id))
        })
        .unwrap();
        let expected: Vec<String> = ids.iter().map(|id| format!("-{id}")).collect();
        assert_eq!(waiting(&mut follower), expected);
        assert!(db.check().unwrap().is_healthy());
        // The next transaction forgets them.
        home.create(plain("next")).unwrap();
        home.delete("next").unwrap();
        assert_eq!(waiting(&mut follower), ["-next"]);
        let (_, end) = since(&db, Position::START);
        assert_eq!(end, follower.position());
        assert!(db.check().unwrap().is_healthy());
    }
}

#[test]
fn a_store_that_remembers_no_deletion_says_so() {
    let db = Db::builder().tombstones_max_count(0).in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    home.create(plain("b")).unwrap();
    assert_eq!(since(&db, start).0, ["+b"]);
    home.delete("b").unwrap();
    let error = db.changes_since(start.into(), Detail::Id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lagged);
    assert_eq!(since(&db, error.follow_from().unwrap()).0, [""; 0]);
    assert!(db.check().unwrap().is_healthy());
}

#[test]
fn a_position_that_the_store_never_had_is_told() {
    let db = Db::in_memory().unwrap();
    db.namespace(HOME).unwrap().create(plain("a")).unwrap();
    let error = db
        .subscribe(Revision::new(1 << 40).into(), Detail::Id)
        .unwrap_err();
    assert!(error.is_lagged());
    assert_eq!(error.follow_from(), Some(Position::START));
    assert!(
        error
            .to_string()
            .contains("this store has never had the position"),
        "{error}"
    );
}

#[test]
fn a_position_stays_valid_over_reopening_and_compaction_and_a_copy_has_another_history() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    home.create(plain("b")).unwrap();
    home.delete("a").unwrap();
    let copy = directory.path().join("copy.redb");
    db.backup(&copy, |_| {}).unwrap();
    let history = db.info().history;
    let (_, kept) = since(&db, Position::START);
    drop(home);
    db.close().unwrap();
    bayplan::Maintenance::new().compact(&path).unwrap();
    for (path, is_original) in [(path, true), (copy, false)] {
        let db = Db::open(path).unwrap();
        assert_eq!(db.info().history == history, is_original);
        match db.changes_since(kept, Detail::Id) {
            Ok(changes) => assert!(is_original && changes.count() == 0),
            Err(error) => {
                assert!(!is_original && error.is_lagged(), "{error}");
                assert_eq!(error.follow_from(), Some(Position::START));
                assert!(error.to_string().contains("of another history"), "{error}");
            }
        }
        // A revision does not say of which history it is.
        let (told, position) = since(&db, start);
        assert_eq!(told, ["+b", "-a"]);
        let next = db.namespace(HOME).unwrap().create(plain("c")).unwrap();
        assert!(next.revision > position.revision());
        assert_eq!(since(&db, position).0, ["+c"]);
    }
}

#[test]
fn a_loaded_or_salvaged_store_knows_no_deletions_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    home.create(plain("b")).unwrap();
    home.delete("a").unwrap();
    db.create_namespace("empty", Labels::new()).unwrap();
    let mut dump = Vec::new();
    db.dump(&mut dump, |_| {}).unwrap();
    drop((home, db));
    let [loaded, salvaged] = ["loaded", "salvaged"].map(|name| directory.path().join(name));
    let tools = bayplan::Maintenance::new;
    tools().load(&loaded, &dump[..], |_| {}).unwrap();
    tools().salvage(&path, &salvaged, |_| {}).unwrap();
    for path in [loaded, salvaged] {
        let db = Db::open(path).unwrap();
        let error = db.changes_since(start.into(), Detail::Id).unwrap_err();
        assert!(error.is_lagged(), "{error}");
        let (told, position) = since(&db, Position::START);
        assert_eq!(told, ["+empty/", "+k8s.io/", "+b"]);
        assert_eq!(since(&db, position), (vec![], position));
        update(&db, "b");
        assert_eq!(since(&db, position).0, ["~b"]);
        assert_eq!(since(&db, error.follow_from().unwrap()).0, ["~b"]);
    }
}

#[test]
fn a_subscription_waits_and_is_woken_by_a_commit() {
    let db = Db::in_memory().unwrap();
    let mut subscription = db.subscribe(Position::START, Detail::Id).unwrap();
    let short_time = Duration::from_millis(5);
    assert!(subscription.recv_timeout(short_time).unwrap().is_none());
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(short_time);
            db.namespace(HOME).unwrap().create(plain("a")).unwrap();
        });
        assert_eq!(short(&subscription.recv().unwrap()), "+k8s.io/");
        let second = subscription.recv_timeout(SOON).unwrap().unwrap();
        assert_eq!(short(&second), "+a");
        assert_eq!(subscription.position(), second.position);
    });
    assert!(subscription.try_recv().unwrap().is_none());
}

#[test]
fn changes_of_one_container_that_nobody_takes_become_one() {
    let db = Db::in_memory().unwrap();
    let home = db.namespace(HOME).unwrap();
    let start = home.create(plain("a")).unwrap().revision;
    let mut subscription = db.subscribe(start.into(), Detail::Whole).unwrap();
    for number in 0..50 {
        home.apply(Update::new("a").set_label("number", number.to_string()))
            .unwrap();
    }
    let change = subscription.try_recv().unwrap().unwrap();
    let Subject::Container {
        event: Event::Updated(Found::Whole(a)),
        ..
    } = change.subject
    else {
        panic!("it was updated");
    };
    assert_eq!(a.labels["number"], "49");
    assert!(subscription.try_recv().unwrap().is_none());
}

#[test]
fn closing_the_store_ends_who_waits() {
    let db = Db::in_memory().unwrap();
    db.namespace(HOME).unwrap().create(plain("a")).unwrap();
    let mut waits = db.subscribe(Position::START, Detail::Id).unwrap();
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut told = 0;
            let error = loop {
                match waits.recv() {
                    Ok(_) => told += 1,
                    Err(error) => break error,
                }
                begun.store(told == 2, Ordering::Release);
            };
            (told, error)
        });
        while !begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        db.close().unwrap();
        let (told, error) = waiter.join().unwrap();
        assert_eq!(told, 2);
        assert!(error.is_unavailable());
        assert_eq!(
            error.to_string(),
            "read the changes of store: the store was closed"
        );
    });
    // As an iterator it ends.
    assert!(waits.next().unwrap().is_err());
    assert!(waits.next().is_none());
}

#[test]
fn a_subscription_does_not_keep_the_store_open_and_can_be_dropped_at_any_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    let mut early = db.subscribe(Position::START, Detail::Id).unwrap();
    drop(db.subscribe(Position::START, Detail::Id).unwrap());
    db.namespace(HOME).unwrap().create(plain("a")).unwrap();
    assert!(early.try_recv().unwrap().is_some());
    drop(db);
    let db = Db::open(&path).unwrap();
    // It still returns what it had already read.
    assert_eq!(short(&early.recv().unwrap()), "+a");
    assert!(early.recv().unwrap_err().is_unavailable());
    drop((early, db));
}

#[test]
fn a_reader_beside_the_writer_follows_its_commits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let writer = Db::builder().share(Share::Readers).create(&path).unwrap();
    let home = writer.namespace(HOME).unwrap();
    home.create(plain("a")).unwrap();
    let reader = Db::builder().poll_interval(Duration::from_millis(2));
    let reader = reader.open_read_only(&path).unwrap();
    let mut subscription = reader.subscribe(Position::START, Detail::Id).unwrap();
    let mut next = || short(&subscription.recv_timeout(SOON).unwrap().unwrap());
    assert_eq!(next(), "+k8s.io/");
    assert_eq!(next(), "+a");
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                home.create(plain(&format!("c{number}"))).unwrap();
                thread::sleep(Duration::from_millis(u64::from(number % 4 == 0) * 5));
            }
            home.delete("a").unwrap();
        });
        for number in 0..20 {
            assert_eq!(next(), format!("+c{number}"));
        }
        assert_eq!(next(), "-a");
    });
    drop(reader);
    assert!(subscription.recv().unwrap_err().is_unavailable());
}

/// Overwrites the own row of a record by one that does not hold.
fn spoil(path: &Path, key: &[u8]) {
    const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
    let db = redb::Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(RECORDS)
        .unwrap()
        .insert(key, &b"spoilt"[..])
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_damaged_record_ends_the_changes_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.redb");
    let db = Db::create(&path).unwrap();
    db.namespace(HOME).unwrap().create(plain("web")).unwrap();
    drop(db);
    spoil(&path, b"k8s.io\0containers\0web");
    let db = Db::open(&path).unwrap();
    let error = db.changes_since(Position::START, Detail::Id).unwrap_err();
    assert!(error.is_corrupt());
    assert_eq!((error.namespace(), error.id()), (Some(HOME), Some("web")));
    db.namespace(HOME).unwrap().delete("web").unwrap();
    assert_eq!(since(&db, Position::START).0, ["+k8s.io/"]);
}

/// Writes what fits the content, in its own ids.
fn write(db: &Db, writer: usize, steps: usize, seed: &mut Seed) -> Result<()> {
    let mask = FieldMask::parse(["labels", "spec", "extensions"])?;
    for _ in 0..steps {
        let name = ["default", HOME][seed.below(2)];
        let home = db.namespace(name)?;
        let id = format!("w{writer}-{}", seed.below(6));
        let mark = seed.number();
        match seed.below(12) {
            0..4 => match home.create(marked(&id, mark, 2_000)) {
                Err(error) if error.is_already_exists() => {}
                done => drop(done?),
            },
            4..7 => match home.update(marked(&id, mark, 2_000), &mask) {
                Err(error) if error.is_not_found() => {}
                done => drop(done?),
            },
            7..9 => match home.delete(&id) {
                Err(error) if error.is_not_found() => {}
                done => done?,
            },
            9 => {
                let images = home.records("images")?;
                images.put(Record::new(&id, Any::new("x", mark.to_le_bytes().to_vec())))?;
                if seed.one_in(2) {
                    images.delete(&id)?;
                }
            }
            10 => {
                let own = format!("own{writer}");
                match seed.below(3) {
                    0 => match db.delete_namespace(&own) {
                        Err(error) if error.is_not_found() => {}
                        done => done?,
                    },
                    _ => db.set_namespace_label(&own, "mark", &mark.to_string())?,
                }
            }
            _ => db.write(|txn| {
                let home = txn.namespace(name)?;
                for number in 0..4 {
                    let id = format!("w{writer}-t{number}");
                    if home.find(&id)?.is_some() {
                        home.delete(&id)?;
                    }
                    if seed.one_in(2) {
                        home.create(marked(&id, mark, 200))?;
                    }
                }
                Ok::<_, bayplan::Error>(())
            })?,
        }
    }
    Ok(())
}

/// A follower: what it knows, and how it went.
#[derive(Default)]
struct Follower {
    known: Contents,
    position: Position,
    changes: usize,
    lags: usize,
}

impl Follower {
    fn lag(&mut self) {
        *self = Self {
            changes: self.changes,
            lags: self.lags + 1,
            ..Self::default()
        };
    }

    fn take(&mut self, change: Change) {
        // Namespaces of a store that was loaded have no revision.
        assert!(
            change.revision > self.position.revision(),
            "{change:?} after {}",
            self.position
        );
        self.position = change.position;
        self.changes += 1;
        if let Err(why) = self.known.apply(change) {
            panic!("{why}");
        }
    }

    /// Follows a subscription, sometimes slowly, until everything is written and reported.
    fn follow(&mut self, db: &Db, is_over: &AtomicBool, seed: &mut Seed) {
        'anew: loop {
            let Ok(mut subscription) = db.subscribe(self.position, Detail::Whole) else {
                self.lag();
                continue;
            };
            loop {
                let was_over = is_over.load(Ordering::Acquire);
                match subscription.recv_timeout(Duration::from_millis(1)) {
                    Ok(Some(change)) => self.take(change),
                    Ok(None) if was_over => {
                        self.position = subscription.position();
                        return;
                    }
                    Ok(None) => {}
                    Err(error) if error.is_lagged() => {
                        self.lag();
                        continue 'anew;
                    }
                    Err(error) => panic!("{error:#}"),
                }
                if seed.one_in(50) {
                    thread::sleep(Duration::from_millis(seed.below(20) as u64));
                }
                if seed.one_in(100) {
                    continue 'anew; // From the last change, in the midst of others.
                }
            }
        }
    }

    fn catch_up(&mut self, db: &Db) {
        let mut changes = match db.changes_since(self.position, Detail::Whole) {
            Err(error) if error.is_lagged() => {
                self.lag();
                db.changes_since(Position::START, Detail::Whole).unwrap()
            }
            changes => changes.unwrap(),
        };
        for change in &mut changes {
            self.take(change.unwrap());
        }
        self.position = changes.position();
    }
}

#[test]
fn a_follower_knows_what_the_store_holds_after_any_history() {
    let count = count_from_env("BAYPLAN_FEEDS", 12);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    let (mut changes, mut lags) = (0, 0);
    for number in 0..count {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let tombstones = [10_000, 10_000, 8, 0][number % 4];
        let mut live = [(); 2].map(|()| Follower::default());
        let mut late = Follower::default();
        for round in 0..3 {
            let options = Db::builder()
                .create_if_missing(true)
                .tombstones_max_count(tombstones)
                .memory_bytes([0, 1 << 28][seed.below(2)])
                .commit_log(seed.one_in(2));
            let db = options.open(&path).unwrap();
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                for follower in &mut live {
                    let mut seed = Seed::new(seed.number());
                    let (db, is_over) = (&db, &is_over);
                    scope.spawn(move || follower.follow(db, is_over, &mut seed));
                }
                let writers: Vec<_> = (0..1 + seed.below(4))
                    .map(|writer| {
                        let mut seed = Seed::new(seed.number());
                        let db = &db;
                        scope.spawn(move || write(db, writer, 60, &mut seed).unwrap())
                    })
                    .collect();
                let written = writers.into_iter().map(thread::ScopedJoinHandle::join);
                let written: Result<Vec<()>, _> = written.collect();
                is_over.store(true, Ordering::Release);
                written.unwrap();
            });
            late.catch_up(&db);
            let contents = Contents::of(&db).unwrap();
            for follower in live.iter().chain([&late]) {
                assert_eq!(
                    follower.known, contents,
                    "seed {first_seed}, {number}, {round}"
                );
                assert!(tombstones < 10_000 || follower.lags == 0);
            }
            let report = db.check().unwrap();
            assert!(report.is_healthy(), "seed {first_seed}: {report:?}");
        }
        for follower in live.iter().chain([&late]) {
            changes += follower.changes;
            lags += follower.lags;
        }
    }
    tell(format_args!(
        "feeds={count} changes={changes} lags={lags} lost=0 twice=0 seed={first_seed}"
    ));
    assert!(changes > 100 * count && (count < 4 || lags > 0));
}

/// The canary: a follower that misses one change is noticed.
#[test]
fn a_change_that_is_not_told_is_noticed() {
    let db = Db::in_memory().unwrap();
    let mut seed = Seed::new(1);
    write(&db, 0, 100, &mut seed).unwrap();
    let mut base = Follower::default();
    base.catch_up(&db);
    write(&db, 0, 100, &mut seed).unwrap();
    let contents = Contents::of(&db).unwrap();
    let all = || {
        db.changes_since(base.position, Detail::Whole)
            .unwrap()
            .map(Result::unwrap)
    };
    let mut deletions = 0;
    for (left_out, change) in all().enumerate() {
        let mut known = base.known.clone();
        let told = all().enumerate().filter(|(number, _)| *number != left_out);
        let mut told = told.map(|(_, change)| change);
        let is_wrong = told.try_for_each(|change| known.apply(change)).is_err();
        let is_noticed = is_wrong || known != contents;
        // Missing one of several deletions, or the deletion of something unknown, makes no difference.
        let is_deletion = short(&change).starts_with('-');
        assert!(is_noticed || is_deletion, "{change:?}");
        deletions += usize::from(is_noticed && is_deletion);
    }
    assert!(deletions > 0);
}

#[test]
fn commits_of_many_threads_are_told_soon_and_in_order() {
    let db = Db::in_memory().unwrap();
    let mut subscription = db.subscribe(Position::START, Detail::Id).unwrap();
    let begun = Instant::now();
    thread::scope(|scope| {
        for writer in 0..4 {
            let db = &db;
            scope.spawn(move || {
                let home = db.namespace(HOME).unwrap();
                (0..100).for_each(|number| {
                    drop(home.create(plain(&format!("{writer}-{number}"))).unwrap())
                });
            });
        }
        let mut last = Revision::NONE;
        for _ in 0..401 {
            let change = subscription.recv_timeout(SOON).unwrap().unwrap();
            assert!(change.revision > last);
            last = change.revision;
        }
    });
    assert!(begun.elapsed() < SOON);
    assert!(subscription.try_recv().unwrap().is_none());
}
