use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use bayplan::{Any, Container, Db, Runtime, Share};

use crate::util::Place;

#[test]
fn the_choice_is_kept_in_the_file() {
    let place = Place::bare();
    place.ok(&["init", "--share", "readers"], "");
    place.ok(&["share"], "readers\n");
    place.ok(&["share", "processes"], "");
    place.ok(&["share"], "processes\n");
    let _daemon = Db::open(place.db()).unwrap();
    let run = place.run(&["share", "nobody", "--timeout", "0"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(place.run(&["share", "everybody"]).code, 1);
    place.ok(&["share"], "processes\n");
}

#[test]
fn a_daemon_and_the_program_both_write() {
    let place = Place::bare();
    place.ok(&["init", "--share", "processes"], "");
    let daemon = Db::open(place.db()).unwrap();
    let store = daemon.namespace("default").unwrap();
    let spec = Any::new("spec", b"{}");
    store
        .create(Container::new("of-daemon", Runtime::new("runc"), spec))
        .unwrap();
    place.container("of-program", &["--label", "a=b"]);
    place.ok(&["ls", "-q"], "of-daemon\nof-program\n");
    assert_eq!(store.get("of-program").unwrap().labels["a"], "b");
    place.ok(&["rm", "of-daemon"], "");
    assert!(store.find("of-daemon").unwrap().is_none());
    place.prints(&["check"]);
}

/// A pager reads a screen and waits for a key.
#[test]
fn a_reader_that_waits_holds_up_nobody() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        for number in 0..2000 {
            let spec = Any::new("spec", vec![b'x'; 200]);
            let id = format!("container-{number:04}");
            store.create(Container::new(id, Runtime::new("runc"), spec))?;
        }
        Ok(())
    })
    .unwrap();
    drop(db);
    for args in [&["dump"][..], &["ls", "--format", "ndjson"]] {
        let mut pager = place.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = pager.stdout.take().unwrap();
        let mut first = [0; 1];
        out.read_exact(&mut first).unwrap();
        // The pipe is full, and the program has not ended.
        let host = Db::builder().lock_timeout(Duration::from_secs(20));
        drop(host.share(Share::Nobody).open(place.db()).unwrap());
        assert!(pager.try_wait().unwrap().is_none(), "{args:?}");
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        assert!(pager.wait().unwrap().success());
        assert!(rest.len() > 100_000, "{args:?}");
    }
}
