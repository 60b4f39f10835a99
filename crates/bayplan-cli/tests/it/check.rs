use std::fs;

use bayplan::{Any, Container, Db, Runtime};

use crate::util::Place;

/// The lines of a report, but those that differ from run to run.
fn report(out: &str) -> Vec<&str> {
    let varies = ["store ", "created "];
    let lines = out.lines();
    lines
        .filter(|line| !varies.iter().any(|name| line.starts_with(name)))
        .collect()
}

#[test]
fn a_healthy_store_is_summed_up() {
    let place = Place::new();
    place.container("web", &[]);
    place.container("k8s.io/db", &[]);
    place.ok(&["ns", "create", "empty"], "");
    assert_eq!(
        report(&place.prints(&["check"])),
        [
            "file        DIR/meta.redb",
            "format      2",
            "rules       strict",
            "namespaces  3",
            "containers  2",
            "damaged     0",
            "pages       whole",
        ]
    );
}

#[test]
fn damage_in_a_spec_is_found_by_check_and_refuses_writes() {
    let place = Place::new();
    place.container("db", &[]);
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    let before = fs::read(place.db()).unwrap();

    let warning = "bayplan: pages of the file are damaged, so something may be missing here: \
                   `bayplan check` tells more\n";
    // Listing does not read specs.
    let run = place.run(&["ls", "-q"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (2, "db\nweb\n", warning)
    );
    let run = place.run(&["check"]);
    assert_eq!((run.code, run.err.as_str()), (2, ""));
    let damaged = "pages       damaged, something may be missing that cannot be named";
    let lines = report(&run.out);
    assert_eq!(lines[5..7], ["damaged     2", damaged]);
    let page = "file: check store DIR/meta.redb: the file is damaged: the page at byte ";
    assert!(lines[7].starts_with(page), "{}", lines[7]);
    assert_eq!(
        lines[8..],
        ["default/web: its spec: a checksum does not match"]
    );
    let text = "bayplan: get container \"web\" in namespace \"default\": its spec: a checksum does \
                not match\n";
    let text = format!("{warning}{text}");
    place.fails(&["info", "web"], 2, &text);
    let run = place.run(&["info", "web", "none", "db"]);
    assert_eq!(run.code, 2);
    assert_eq!(run.err.lines().count(), 3);

    let run = place.run(&["label", "db", "a=1"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err
            .starts_with("bayplan: open store DIR/meta.redb: the file is damaged: "),
        "{}",
        run.err
    );
    assert!(
        run.err
            .ends_with("\n  nothing was written; `bayplan check` tells what can still be read\n"),
        "{}",
        run.err
    );
    assert_eq!(fs::read(place.db()).unwrap(), before);
}

#[test]
fn a_container_that_is_gone_with_its_key_is_noticed() {
    let place = Place::new();
    place.container("hidden/web", &[]);
    place.damage("hidden\0containers\0web");
    let run = place.run(&["check"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("pages       damaged"));
    let text = "\nfile: check store DIR/meta.redb: the file is damaged: the page at byte ";
    assert!(run.out.contains(text), "{}", run.out);
}

#[test]
fn no_damage_makes_it_panic() {
    let place = Place::new();
    place.container("web", &["--label", "a=1"]);
    let whole = fs::read(place.db()).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 64) {
        let mut bytes = whole.clone();
        for byte in &mut bytes[at..whole.len().min(at + 64)] {
            *byte ^= 0x55;
        }
        fs::write(place.db(), bytes).unwrap();
        for args in [
            &["check"][..],
            &["ls", "-A"],
            &["info", "web"],
            &["label", "web", "b=2"],
        ] {
            let run = place.run(args);
            assert!(run.code <= 2, "{at}: {run:?}");
            let told = |line: &str| line.starts_with("bayplan: ") || line.starts_with("  ");
            assert!(run.err.lines().all(told), "{at}: {}", run.err);
            assert!(
                !run.err.contains("fault of the program"),
                "{at}: {}",
                run.err
            );
        }
    }
}

/// One pointer of a branch page leads beyond the end of the file. redb refuses all work after a read fails.
#[test]
fn one_bad_pointer_is_damage_and_the_other_containers_are_still_read() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        (0..300).try_for_each(|number| {
            let spec = Any::new("spec", vec![b'x'; 400]);
            let id = format!("c{number:03}");
            store
                .create(Container::new(id, Runtime::new("runc"), spec))
                .map(drop)
        })
    })
    .unwrap();
    drop(db);
    let mut bytes = fs::read(place.db()).unwrap();
    // In each branch page of ours: 8 bytes, a checksum of 16 for each child, the number of the first child.
    let mut changed = 0;
    for page in bytes.chunks_mut(4096).skip(1) {
        let children = usize::from(u16::from_le_bytes([page[2], page[3]])) + 1;
        if page[0] == 2 && page.windows(9).any(|key| key == b"default\0c") {
            page[8 + 16 * children + 1] = 0x7f;
            changed += 1;
        }
    }
    assert!(changed > 0);
    fs::write(place.db(), &bytes).unwrap();
    let run = place.run(&["info", "c000", "c299"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("\"c299\""), "{}", run.out);
    assert!(!run.out.contains("\"c000\""), "{}", run.out);
    for args in [
        &["ls"][..],
        &["check"],
        &["info", "c000", "c299"],
        &["stats"],
        &["label", "c299", "a=1"],
    ] {
        let run = place.run(args);
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        for words in ["open it again", "unreachable", "panicked", "PreviousIo"] {
            assert!(!run.err.contains(words), "{args:?}: {}", run.err);
        }
    }
    assert_eq!(fs::read(place.db()).unwrap(), bytes);
}

/// A store that was killed while it had commits in its log, at the place of the program's database.
fn killed_with_a_log() -> Place {
    let place = Place::bare();
    let path = place.path("open.redb");
    let db = Db::builder().commit_log(true).create(&path).unwrap();
    let store = db.namespace("default").unwrap();
    db.checkpoint().unwrap(); // The first commit makes no log.
    for id in ["a", "b", "c"] {
        let spec = Any::new("spec", b"{}");
        store
            .create(Container::new(id, Runtime::new("runc"), spec))
            .unwrap();
    }
    fs::copy(&path, place.db()).unwrap();
    fs::copy(place.path("open.redb-log"), place.path("meta.redb-log")).unwrap();
    drop((store, db));
    fs::remove_file(path).unwrap();
    place
}

#[test]
fn commits_that_only_the_log_has_are_told_and_found() {
    let place = killed_with_a_log();
    assert_eq!(
        report(&place.prints(&["check"])),
        [
            "file        DIR/meta.redb",
            "format      2",
            "rules       strict",
            "namespaces  1",
            "containers  3",
            "log         2 commits that are not in the file yet",
            "damaged     0",
            "pages       whole",
        ]
    );
    assert_eq!(place.files(), ["meta.redb", "meta.redb-log"]);
    place.ok(&["rm", "a"], "");
    assert_eq!(place.files(), ["meta.redb"]);
    assert!(!place.prints(&["check"]).contains("log "));
}

#[test]
fn a_missing_log_is_damage_that_salvage_tells() {
    let place = killed_with_a_log();
    fs::remove_file(place.path("meta.redb-log")).unwrap();
    for command in ["check", "ls"] {
        let run = place.run(&[command]);
        assert_eq!(run.code, 2, "{run:?}");
        for words in ["its log DIR/meta.redb-log", "is not there", "salvage"] {
            assert!(run.err.contains(words), "{run:?}");
        }
    }
    let run = place.run(&["salvage", "saved.redb"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.out
            .contains("Commits that were acknowledged may be missing"),
        "{run:?}"
    );
    assert_eq!(place.files(), ["meta.redb", "saved.redb"]);
}
