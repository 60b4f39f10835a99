use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bayplan::{Db, Share};

use crate::util::{Place, assert_private, summary};

const NAMES: [&str; 4] = ["file", "containers", "uncertain", "lost"];

#[test]
fn what_is_lost_is_named_and_the_rest_is_saved() {
    let place = Place::new();
    place.container("db", &["--label", "app=postgres"]);
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    let before = fs::read(place.db()).unwrap();
    let run = place.run(&["salvage", "saved.redb"]);
    assert_eq!((run.code, run.err.as_str()), (2, ""));
    assert_eq!(summary(&run.out, &NAMES), ["saved.redb", "1", "1", "1"]);
    let tail: Vec<&str> = run.out.lines().skip(7).collect();
    assert_eq!(
        tail,
        [
            "uncertain default/db: a page that it stands in is damaged, or an older one; \
             it is of revision 2",
            "lost default/web: what was stored last is damaged (its spec: a checksum does not \
             match); its spec is damaged or gone",
        ]
    );
    assert_private(&place.path("saved.redb"));
    place.ok(&["label", "db", "--db", "saved.redb"], "app=postgres\n");
    place.prints(&["check", "--db", "saved.redb"]);
    assert_eq!(fs::read(place.db()).unwrap(), before);
    assert_eq!(place.files(), ["meta.redb", "saved.redb"]);
}

#[test]
fn a_file_without_its_head_gives_uncertain_containers() {
    let place = Place::new();
    place.container("web", &[]);
    let mut bytes = fs::read(place.db()).unwrap();
    bytes[..4096].fill(0);
    fs::write(place.path("old.redb"), bytes).unwrap();
    let run = place.run(&["salvage", "old.redb", "saved.redb"]);
    assert_eq!((run.code, run.err.as_str()), (2, ""));
    assert_eq!(summary(&run.out, &NAMES), ["saved.redb", "1", "1", "0"]);
    let text =
        "\nthe structure of the file is damaged: something may be missing that cannot be named\n";
    assert!(run.out.contains(text), "{}", run.out);
    assert!(
        run.out
            .contains("\nuncertain default/web, if it was not deleted: it was found, "),
        "{}",
        run.out
    );
    place.ok(&["ls", "-q", "--db", "saved.redb"], "web\n");
}

#[test]
fn a_whole_file_is_copied_and_that_is_no_damage() {
    let place = Place::new();
    place.container("web", &[]);
    let dump = place.prints(&["dump"]);
    let out = place.prints(&["salvage", "meta.redb", "saved.redb"]);
    assert_eq!(summary(&out, &NAMES), ["saved.redb", "1", "0", "0"]);
    assert_eq!(out.lines().count(), 7, "{out}");
    assert_eq!(place.prints(&["dump", "--db", "saved.redb"]), dump);
}

#[test]
fn a_container_whose_key_is_damaged_is_lost_under_what_is_left_of_it() {
    let place = Place::new();
    place.container("hidden/web", &[]);
    place.damage("hidden\0containers\0web");
    let run = place.run(&["salvage", "saved.redb"]);
    assert_eq!((run.code, run.err.as_str()), (2, ""));
    let text = "\nlost iidden/web: a checksum does not match\n";
    assert!(run.out.contains(text), "{}", run.out);
}

#[test]
fn it_refuses_what_it_cannot_do_and_leaves_nothing() {
    let place = Place::new();
    place.file("text", "text");
    place.file("there", "");
    place.fails(
        &["salvage", "there"],
        1,
        "bayplan: salvage into there: already exists\n",
    );
    place.fails(
        &["salvage", "text", "new"],
        1,
        "bayplan: open store text: not a store: nothing that a store writes was found in the \
         file\n",
    );
    place.fails(
        &["salvage", "none", "new"],
        1,
        "bayplan: open store none: not found\n  No such file or directory (os error 2)\n",
    );
    place.fails(
        &["salvage", "text", "new", "--db", "meta.redb"],
        1,
        "bayplan: the damaged file is named twice\n  \
         give it by --db or as the first of two files\n",
    );
    let pipe = Command::new("mkfifo").arg(place.path("pipe")).status();
    assert!(pipe.unwrap().success());
    place.fails(
        &["salvage", "pipe", "new"],
        1,
        "bayplan: open store pipe: not a store: it is not a regular file\n",
    );
    assert_eq!(place.files(), ["meta.redb", "pipe", "text", "there"]);
}

#[test]
fn it_waits_for_a_file_in_use_if_told_to() {
    let place = Place::new();
    for live_readers in [false, true] {
        let held = Db::builder()
            .share(if live_readers {
                Share::Readers
            } else {
                Share::Nobody
            })
            .open(place.db())
            .unwrap();
        let new = format!("{live_readers}.redb");
        assert_eq!(place.run(&["salvage", &new]).code, 3);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| place.run(&["salvage", &new, "--timeout", "60"]));
            thread::sleep(Duration::from_millis(50));
            drop(held);
            let run = waiting.join().unwrap();
            assert_eq!((run.code, run.err.as_str()), (0, ""), "{live_readers}");
        });
    }
}

#[test]
fn no_damage_makes_the_tools_panic() {
    let place = Place::new();
    place.container("web", &["--label", "a=1"]);
    let whole = fs::read(place.db()).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 32) {
        let mut bytes = whole.clone();
        for byte in &mut bytes[at..whole.len().min(at + 64)] {
            *byte ^= 0x55;
        }
        fs::write(place.db(), bytes).unwrap();
        for args in [
            &["salvage", "new"][..],
            &["stats"],
            &["dump"],
            &["backup", "new"],
            &["compact"],
        ] {
            let run = place.run(args);
            assert!(run.code <= 2, "{at}: {run:?}");
            let told = |line: &str| line.starts_with("bayplan: ") || line.starts_with("  ");
            assert!(run.err.lines().all(told), "{at}: {}", run.err);
            assert!(!run.err.contains("fault of the program"), "{at}: {run:?}");
            let _ = fs::remove_file(place.path("new"));
            assert_eq!(place.files(), ["meta.redb"], "{at}: {args:?}");
        }
    }
}
