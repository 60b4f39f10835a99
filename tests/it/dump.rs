//! Dumping a store and loading it again.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use bayplan::{Any, Db, Dump, ErrorKind, Maintenance, Record, Rules};
use chrono::{DateTime, Utc};

use crate::sample::{Contents, populate};
use crate::seed::Seed;
use crate::tools::{Numbers, assert_private, container, content, dump, files, fill};

fn load(path: &Path, dump: &[u8]) -> bayplan::Result<bayplan::LoadReport> {
    Maintenance::new().load(path, dump, |_| {})
}

fn lines(dump: &[u8]) -> Vec<Vec<u8>> {
    dump.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// A dump with a changed last line without a checksum, as if edited by hand.
fn edited(lines: &[Vec<u8>], namespaces: usize, containers: usize) -> Vec<u8> {
    let end = format!("{{\"end\":{{\"namespaces\":{namespaces},\"containers\":{containers}}}}}\n");
    [lines.concat(), end.into_bytes()].concat()
}

/// Asserts that loading fails with this kind and this text, and leaves nothing.
#[track_caller]
fn refuses(input: impl BufRead, kind: ErrorKind, text: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.redb");
    let error = Maintenance::new().load(&path, input, |_| {}).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(files(directory.path()), [""; 0]);
}

#[test]
fn a_loaded_store_is_the_one_that_was_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::builder()
        .rules(Rules::Containerd2)
        .create(directory.path().join("old.redb"))
        .unwrap();
    fill(&db, 100, 300);
    let first = dump(&db);
    let path = directory.path().join("new.redb");
    let mut calls = Vec::new();
    let report = Maintenance::new()
        .load(&path, &first[..], |progress| calls.push(progress.done))
        .unwrap();
    assert_eq!(calls, [64, 128, 192, 200]);
    assert_eq!((report.namespaces_count, report.containers_count), (3, 200));
    assert_eq!(report.lines_count, 205);
    assert_eq!(report.file_bytes, path.metadata().unwrap().len());
    assert_private(&path);
    assert_eq!(files(directory.path()), ["new.redb", "old.redb"]);

    let loaded = Db::open(&path).unwrap();
    assert!(loaded.check().unwrap().is_healthy());
    assert_eq!(content(&loaded), content(&db));
    let (new, old) = (loaded.info(), db.info());
    assert_eq!(
        (new.id, new.created_at, new.rules),
        (old.id, old.created_at, old.rules)
    );
    assert_eq!(
        loaded.stats().unwrap().revisions_below,
        db.stats().unwrap().revisions_below
    );
    assert_eq!(dump(&loaded), first);
    let next = loaded
        .namespace("default")
        .unwrap()
        .create(container("new", 1))
        .unwrap();
    assert!(next.revision >= report.revisions_below);
}

#[test]
fn an_empty_store_dumps_and_loads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.redb");
    let first = dump(&Db::in_memory().unwrap());
    assert_eq!(lines(&first).len(), 2);
    load(&path, &first).unwrap();
    assert_eq!(dump(&Db::open(&path).unwrap()), first);
}

#[test]
fn a_dump_of_one_namespace_loads_as_a_store_that_holds_it_alone() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::create(directory.path().join("old.redb")).unwrap();
    fill(&db, 20, 10);
    let mut one = Vec::new();
    let report = Dump::of(&db)
        .namespace("default")
        .write(&mut one, |_| {})
        .unwrap();
    let count = db.namespace("default").unwrap().query().count();
    assert_eq!(report.namespaces_count, 1);
    assert_eq!(report.containers_count, count.unwrap());
    assert_eq!(report.dump_bytes, one.len() as u64);

    let path = directory.path().join("new.redb");
    let loaded = load(&path, &one).unwrap();
    assert_eq!(loaded.only_namespace.unwrap(), "default");
    assert_eq!(loaded.containers_count, report.containers_count);
    let new = Db::open(&path).unwrap();
    assert!(new.check().unwrap().is_healthy());
    assert_eq!(new.info().id, db.info().id);
    assert_eq!(new.list_namespaces().unwrap(), ["default"]);
    let all = |db: &Db| {
        let store = db.namespace("default").unwrap();
        store.query().list().unwrap()
    };
    assert_eq!(all(&new), all(&db));
    let mut again = Vec::new();
    let only = Dump::of(&new).namespace("default");
    only.write(&mut again, |_| {}).unwrap();
    assert_eq!(again, one);

    // A whole dump says nothing of the kind.
    let whole = directory.path().join("whole.redb");
    assert_eq!(load(&whole, &dump(&db)).unwrap().only_namespace, None);
    let error = Dump::of(&db)
        .namespace("none")
        .write(io::sink(), |_| {})
        .unwrap_err();
    assert!(error.is_not_found());
    let old = directory.path().join("old.redb");
    assert_eq!(
        error.to_string(),
        format!("dump namespace \"none\" of {}: not found", old.display())
    );
}

#[test]
fn a_dump_in_a_file_is_whole_and_private_or_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let db = Db::in_memory().unwrap();
    fill(&db, 20, 10);
    let path = directory.path().join("meta.ndjson");
    let report = Dump::of(&db).write_file(&path, |_| {}).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), dump(&db));
    assert_eq!(report.dump_bytes, path.metadata().unwrap().len());
    assert_private(&path);

    let error = Dump::of(&db).write_file(&path, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let text = format!("dump to {}: already exists", path.display());
    assert_eq!(error.to_string(), text);
    assert_eq!(std::fs::read(&path).unwrap(), dump(&db));
    assert_eq!(files(directory.path()), ["meta.ndjson"]);

    let none = directory.path().join("none.ndjson");
    let error = Dump::of(&db)
        .namespace("none")
        .write_file(&none, |_| {})
        .unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(files(directory.path()), ["meta.ndjson"]);
}

#[test]
fn times_at_the_ends_of_the_calendar_survive() {
    for time in [
        DateTime::<Utc>::MIN_UTC,
        DateTime::UNIX_EPOCH,
        DateTime::<Utc>::MAX_UTC,
    ] {
        let db = Db::builder().clock(move || time).in_memory().unwrap();
        db.namespace("a")
            .unwrap()
            .create(container("x", 1))
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.redb");
        let first = dump(&db);
        load(&path, &first).unwrap();
        assert_eq!(dump(&Db::open(&path).unwrap()), first, "{time}");
    }
}

#[test]
fn records_of_every_kind_are_dumped_and_load_as_they_were() {
    for keep in [false, true] {
        let db = Db::builder().keep_empty_labels(keep).in_memory().unwrap();
        populate(&db, &mut Seed::new(5), 50).unwrap();
        let store = db.namespace("default").unwrap();
        let odd = Record::new("odd \n\u{10ffff}\"/", Any::new("", [0xff, 0])).label("empty", "");
        let odd = store.records("a").unwrap().create(odd).unwrap();
        assert_eq!(odd.labels.contains_key("empty"), keep);
        let text = dump(&db);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.redb");
        let report = load(&path, &text).unwrap();
        let new = Db::open(&path).unwrap();
        let contents = Contents::of(&db).unwrap();
        assert_eq!(report.records_count, contents.records.len() as u64);
        assert!(report.records_count > 5);
        assert_eq!(Contents::of(&new).unwrap(), contents);
        assert_eq!(new.info().keep_empty_labels, keep);
        assert_eq!(dump(&new), text);
        assert!(new.check().unwrap().is_healthy());
    }
}

#[test]
fn a_dump_is_of_one_snapshot_and_reports_progress() {
    let db = Db::in_memory().unwrap();
    fill(&db, 100, 10);
    let before = dump(&db);
    let mut calls = 0;
    let mut bytes = Vec::new();
    let writer = db.clone();
    let report = db
        .dump(&mut bytes, |_| {
            calls += 1;
            let id = format!("late{calls}");
            writer
                .namespace("default")
                .unwrap()
                .create(container(&id, 1))
                .unwrap();
        })
        .unwrap();
    assert_eq!(bytes, before);
    assert_eq!(calls, 4);
    assert_eq!(report.containers_count, 200);
    assert_eq!(report.dump_bytes, bytes.len() as u64);
}

#[test]
fn a_dump_cut_short_anywhere_names_the_line_where_it_ends() {
    let db = Db::in_memory().unwrap();
    fill(&db, 3, 10);
    let whole = dump(&db);
    let lines = lines(&whole);
    for kept in 0..lines.len() {
        let text = if kept == 0 {
            "empty".to_owned()
        } else {
            format!("line {}: ", kept + 1)
        };
        refuses(
            &lines[..kept].concat()[..],
            ErrorKind::InvalidArgument,
            &text,
        );
        let line = &lines[kept];
        for half in [1, line.len() / 2, line.len() - 1] {
            let cut = [lines[..kept].concat(), line[..half].to_vec()].concat();
            let text = format!("line {}: it is cut short", kept + 1);
            refuses(&cut[..], ErrorKind::InvalidArgument, &text);
        }
    }
}

#[test]
fn every_flipped_byte_is_an_error_that_names_a_line() {
    let db = Db::in_memory().unwrap();
    fill(&db, 2, 10);
    let whole = dump(&db);
    let mut numbers = Numbers::new(7);
    let end = whole.len() - lines(&whole).last().unwrap().len();
    let places = (0..150)
        .map(|_| numbers.below(whole.len()))
        .chain(end..whole.len());
    for at in places.collect::<Vec<_>>() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << numbers.below(8);
        let directory = tempfile::tempdir().unwrap();
        let error = load(&directory.path().join("new.redb"), &flipped).unwrap_err();
        assert!(error.to_string().contains(": line "), "{at}: {error}");
        assert_eq!(files(directory.path()), [""; 0], "{at}");
    }
}

#[test]
fn hostile_dumps_fail_cleanly_and_leave_nothing() {
    let db = Db::in_memory().unwrap();
    fill(&db, 2, 10);
    let lines = lines(&dump(&db));
    let head = String::from_utf8(lines[0].clone()).unwrap();
    let container_line = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_slice(&lines[2]).unwrap();
        edit(&mut value["container"]);
        edited(
            &[
                lines[0].clone(),
                lines[1].clone(),
                format!("{value}\n").into_bytes(),
            ],
            1,
            1,
        )
    };
    use ErrorKind::InvalidArgument;
    let newer = head.replace("\"bayplan_dump\":2", "\"bayplan_dump\":3");
    refuses(
        newer.as_bytes(),
        ErrorKind::IncompatibleFormat,
        "line 1: the dump has version 3",
    );
    refuses(&b"hello\n"[..], InvalidArgument, "line 1: it is not a dump");
    let deep = [head.as_bytes(), "[".repeat(1_000_000).as_bytes(), b"\n"].concat();
    refuses(&deep[..], InvalidArgument, "line 2, column");
    let deep = format!("{{\"namespace\":{}\n", "[".repeat(1_000_000));
    refuses(
        [head.as_bytes(), deep.as_bytes()].concat().as_slice(),
        InvalidArgument,
        "line 2",
    );
    let huge = BufReader::new(head.as_bytes().chain(io::repeat(b'x')));
    refuses(
        huge,
        InvalidArgument,
        "line 2: it is longer than 134217728 bytes",
    );

    let twice = [&lines[..3], &lines[2..3]].concat();
    refuses(
        &twice.concat()[..],
        InvalidArgument,
        "line 4: the container \"c00000\" appears twice",
    );
    let swapped = [&lines[..2], &lines[3..4], &lines[2..3]].concat();
    refuses(
        &swapped.concat()[..],
        InvalidArgument,
        "line 4: the container \"c00000\" is out of",
    );
    let homeless = [&lines[..1], &lines[2..3]].concat();
    refuses(
        &homeless.concat()[..],
        InvalidArgument,
        "line 2: the container \"c00000\" does not",
    );

    let check = |edit: &dyn Fn(&mut serde_json::Value), text: &str| {
        refuses(&container_line(edit)[..], InvalidArgument, text);
    };
    check(
        &|it| it["labels"]["k"] = "v".repeat(4096).into(),
        "line 3: it breaks a rule of",
    );
    check(
        &|it| it["labels"]["k"] = "".into(),
        "line 3: it has a label with an empty value",
    );
    check(
        &|it| it["runtime"]["name"] = "".into(),
        "`runtime.name` is required",
    );
    check(
        &|it| it["spec"] = serde_json::Value::Null,
        "`spec` is required",
    );
    check(&|it| it["id"] = "a/b".into(), "is not an identifier");
    check(
        &|it| it["revision"] = 0.into(),
        "line 3: its revision 0 was never handed out",
    );
    check(
        &|it| it["revision"] = 1_000_000.into(),
        "line 3: its revision 1000000 was never",
    );
    check(
        &|it| it["updated_at"] = "2000-01-01T00:00:00Z".into(),
        "updated before it was created",
    );
}

/// It would be lost silently. A later version that knows the member has another number.
#[test]
fn a_field_that_this_version_does_not_know_is_an_error() {
    let db = Db::in_memory().unwrap();
    fill(&db, 1, 10);
    let mut lines = lines(&dump(&db));
    let mut value: serde_json::Value = serde_json::from_slice(&lines[2]).unwrap();
    value["container"]["colour"] = "red".into();
    lines[2] = format!("{value}\n").into_bytes();
    lines.truncate(3);
    let text = edited(&lines, 1, 1);
    let error = "unknown field `container.colour`";
    refuses(&text[..], ErrorKind::InvalidArgument, error);
}

#[test]
fn an_edited_dump_loads_without_its_checksum() {
    let db = Db::in_memory().unwrap();
    fill(&db, 2, 10);
    let mut kept = lines(&dump(&db));
    kept.truncate(3);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.redb");
    load(&path, &edited(&kept, 1, 1)).unwrap();
    let content = content(&Db::open(&path).unwrap());
    assert_eq!(content.len(), 1);
    assert_eq!(content[0].2.len(), 1);
    refuses(
        &edited(&kept, 1, 2)[..],
        ErrorKind::InvalidArgument,
        "line 4: there were 1 containers",
    );
}

#[test]
fn loading_replaces_nothing_and_heeds_the_expected_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "mine").unwrap();
    let first = dump(&Db::in_memory().unwrap());
    assert!(load(&path, &first).unwrap_err().is_already_exists());
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    let other = Db::in_memory().unwrap().info().id;
    let new = directory.path().join("new.redb");
    let error = Maintenance::new()
        .expect_id(other)
        .load(&new, &first[..], |_| {})
        .unwrap_err();
    assert!(error.is_failed_precondition(), "{error}");
    assert_eq!(files(directory.path()), ["file"]);
}

#[test]
fn a_failing_reader_or_writer_is_an_io_error() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let db = Db::in_memory().unwrap();
    fill(&db, 2, 10);
    let first = dump(&db);
    let input = BufReader::new(first[..first.len() / 2].chain(Failing));
    refuses(input, ErrorKind::Io, "cannot be read");
    let error = db.dump(Failing, |_| {}).unwrap_err();
    assert!(error.is_storage_full(), "{error}");
}
