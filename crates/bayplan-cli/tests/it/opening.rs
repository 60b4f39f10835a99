use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use bayplan::{Db, Share};

use crate::util::Place;

#[test]
fn there_is_no_default_database() {
    let place = Place::new();
    let run = place.run_with(&["ls"], "", &[("BAYPLAN_DB", "")]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            1,
            "bayplan: no database is named\n  \
             give --db PATH or set BAYPLAN_DB: there is no default\n"
        )
    );
}

#[test]
fn nothing_but_init_creates_a_database() {
    let place = Place::bare();
    let text = "bayplan: there is no database DIR/meta.redb: `bayplan init` creates one\n";
    for args in [
        &["ls"][..],
        &["rm", "web"],
        &["check"],
        &["label", "web", "a=b"],
    ] {
        place.fails(args, 1, text);
    }
    assert!(!place.db().exists());
    place.ok(&["init"], "");
    assert_eq!(
        place.db().metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = fs::read(place.db()).unwrap();
    place.fails(
        &["init"],
        1,
        "bayplan: DIR/meta.redb exists already, and nothing is overwritten\n  \
         move it away, or name a new file by --db\n",
    );
    assert_eq!(fs::read(place.db()).unwrap(), before);
}

#[test]
fn a_link_that_leads_to_nothing_is_called_that() {
    let place = Place::bare();
    std::os::unix::fs::symlink("gone.redb", place.db()).unwrap();
    place.file("meta.ndjson", "");
    let link = "a symbolic link to gone.redb, which does not exist\n  \
                mount or restore what it leads to, or remove the link\n";
    for args in [
        &["ls"][..],
        &["check"],
        &["rm", "web"],
        &["dump"],
        &["compact"],
        &["backup", "new"],
    ] {
        let operation = if args == ["compact"] {
            "compact"
        } else {
            "open"
        };
        let text = format!("bayplan: {operation} store DIR/meta.redb: it is {link}");
        place.fails(args, 1, &text);
    }
    for args in [
        &["init"][..],
        &["load", "meta.ndjson"],
        &["restore", "backup"],
    ] {
        place.fails(args, 1, &format!("bayplan: DIR/meta.redb is {link}"));
    }
    let (link, _) = link.split_once('\n').unwrap();
    for (args, text) in [
        (&["salvage", "new"][..], "open store DIR/meta.redb"),
        (
            &["restore", "meta.redb", "--db", "new"],
            "open store meta.redb",
        ),
    ] {
        let run = place.run(args);
        assert_eq!(run.code, 1);
        let text = format!("bayplan: {text}: it is {link}\n");
        assert!(run.err.starts_with(&text), "{}", run.err);
    }
    assert_eq!(place.files(), ["meta.ndjson", "meta.redb"]);
}

#[test]
fn init_needs_the_directory() {
    let place = Place::bare();
    let run = place.run(&["init", "--db", "nowhere/meta.redb"]);
    assert_eq!(run.code, 1);
    let text = "bayplan: create store nowhere/meta.redb: there is no such directory\n";
    assert_eq!(run.err, text);
}

#[test]
fn an_option_wins_over_the_environment() {
    let place = Place::new();
    place.ok(&["--db", "other.redb", "init"], "");
    place.container("web", &["--db", "other.redb", "-n", "k8s.io"]);
    let env = [("CONTAINERD_NAMESPACE", "k8s.io")];
    let run = place.run_with(&["ls", "-q", "--db", "other.redb"], "", &env);
    assert_eq!(run.out, "web\n");
    let run = place.run_with(
        &["ls", "-q", "--db", "other.redb", "-n", "default"],
        "",
        &env,
    );
    assert_eq!(run.out, "");
    let run = place.run_with(&["ls", "-q"], "", &env);
    assert_eq!(run.out, "");
    let empty = [("CONTAINERD_NAMESPACE", "")];
    let run = place.run_with(&["create", "db", "--spec", "-"], crate::util::SPEC, &empty);
    assert_eq!(run.code, 0);
    place.ok(&["ls", "-q", "-n", "default"], "db\n");
}

#[test]
fn a_locked_file_names_the_process_and_does_not_hang() {
    let place = Place::new();
    let held = Db::open(place.db()).unwrap();
    let text = format!(
        "bayplan: open store DIR/meta.redb: the file is in use by process {}\n  \
         to wait for it: --timeout SECONDS\n",
        std::process::id()
    );
    for args in [&["ls"][..], &["rm", "web"], &["check"], &["info", "web"]] {
        place.fails(&[args, &["--no-copy"]].concat(), 3, &text);
        place.fails(&[args, &["--timeout", "0"]].concat(), 3, &text);
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| place.run(&["ls", "-q", "--timeout", "60"]));
        thread::sleep(Duration::from_millis(50));
        drop(held);
        let run = waiting.join().unwrap();
        assert_eq!((run.code, run.err.as_str()), (0, ""));
    });
}

#[test]
fn a_live_store_is_read_and_not_written() {
    let place = Place::new();
    place.container("web", &[]);
    let _daemon = Db::builder()
        .share(Share::Readers)
        .open(place.db())
        .unwrap();
    place.ok(&["ls", "-q"], "web\n");
    assert_eq!(place.run(&["rm", "web"]).code, 3);
    let check = place.prints(&["check"]);
    assert!(check.contains("pages       whole\n"));
}

#[test]
fn what_only_reads_needs_no_permission_to_write() {
    let place = Place::new();
    place.container("web", &["--label", "a=b"]);
    let before = fs::read(place.db()).unwrap();
    fs::set_permissions(place.db(), fs::Permissions::from_mode(0o400)).unwrap();
    place.ok(&["ls", "-q"], "web\n");
    place.ok(&["label", "web"], "a=b\n");
    place.ok(&["namespaces", "ls", "-q"], "default\n");
    place.prints(&["info", "web"]);
    place.prints(&["check"]);
    assert_eq!(fs::read(place.db()).unwrap(), before);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let place = Place::bare();
    place.file("meta.redb", "text");
    place.fails(
        &["ls"],
        1,
        "bayplan: open store DIR/meta.redb: not a store: the file does not begin as one of \
         redb's\n",
    );
    assert_eq!(fs::read(place.db()).unwrap(), b"text");
}

#[test]
fn a_newer_format_has_an_exit_code_of_its_own() {
    let place = Place::new();
    write_format(&place, 3);
    let text = "bayplan: open store DIR/meta.redb: the file has format version 3, and this \
                program knows up to 2: use a newer one\n";
    place.fails(&["ls"], 4, text);
    place.fails(&["check"], 4, text);
    place.fails(&["rm", "web"], 4, text);
}

/// Writes a format version as the library would (docs/FORMAT.md).
fn write_format(place: &Place, version: u8) {
    let key = b"format";
    let mut checksum = crc32fast::Hasher::new_with_initial(u32::try_from(key.len()).unwrap());
    checksum.update(key);
    checksum.update(&[2, version]);
    let value = [&checksum.finalize().to_le_bytes()[..], &[2, version]].concat();

    let meta = redb::TableDefinition::<&[u8], &[u8]>::new("meta");
    let db = redb::Database::open(place.db()).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(meta)
        .unwrap()
        .insert(&key[..], value.as_slice())
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn the_rules_are_those_of_init_unless_named() {
    let place = Place::bare();
    place.ok(&["init", "--rules", "containerd2"], "");
    place.container("web", &[]);
    place.ok(&["update", "web", "--image", "new"], "");
    place.fails(
        &["--rules", "strict", "update", "web", "--image", "newer"],
        1,
        "bayplan: update container \"web\" in namespace \"default\": the field path \"image\" \
         names a field that is immutable under the strict rules\n",
    );
    assert!(
        place
            .prints(&["check"])
            .contains("rules       containerd2\n")
    );
}
