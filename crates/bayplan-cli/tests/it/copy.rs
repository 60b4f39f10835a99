//! Looking into a store that another process has to itself.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bayplan::{Any, Container, Db, Runtime};

use crate::util::{Place, Run};

fn container(id: &str) -> Container {
    Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"))
}

/// Runs a command whose temporary files are in a directory of their own, and looks that it leaves none there.
fn look(place: &Place, args: &[&str]) -> Run {
    let temporary = place.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let run = place.run_with(args, "", &[("TMPDIR", temporary.to_str().unwrap())]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{args:?}");
    run
}

#[test]
fn a_store_in_use_is_looked_into_by_a_copy() {
    for with_log in [false, true] {
        let place = Place::new();
        let db = Db::builder().commit_log(with_log).open(place.db()).unwrap();
        let default = db.namespace("default").unwrap();
        default.create(container("db")).unwrap();
        let revision = default.create(container("web")).unwrap().revision;
        let note = format!(
            "bayplan: open store DIR/meta.redb: the file is in use by process {}: this is from a copy of its last commit, at revision {revision}\n",
            std::process::id()
        );
        let ls = look(&place, &["ls", "-q"]);
        assert_eq!(
            (ls.code, ls.out.as_str(), ls.err.as_str()),
            (0, "db\nweb\n", note.as_str())
        );
        for (args, shows) in [
            (&["info", "web"][..], "\"id\": \"web\""),
            (&["namespaces", "ls"], "default"),
            (&["stats"], "file         DIR/meta.redb"),
            (&["check"], "pages        whole"),
            (&["dump"], "\"id\":\"web\""),
            (&["why", "image", "none"], ""),
            (&["hash"], "the whole store"),
            (&["watch", "--once", "--since", "0"], "default/web"),
        ] {
            let run = look(&place, args);
            assert_eq!(run.code, 0, "{args:?}: {}", run.err);
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                plain(&run.out).contains(&plain(shows)),
                "{args:?}: {}",
                run.out
            );
            assert!(run.err.ends_with(&note), "{args:?}: {}", run.err);
        }
        // The host has noticed nothing.
        default.create(container("later")).unwrap();
        assert!(db.check().unwrap().is_healthy());
        let ls = look(&place, &["ls", "-q"]);
        assert_eq!(ls.out, "db\nlater\nweb\n");
        assert_eq!(look(&place, &["ls", "--no-copy"]).code, 3);
        assert_eq!(look(&place, &["rm", "web"]).code, 3);
    }
}

/// Commits run through the copies all the time. Each shows one of them, and an old one at most by one.
#[test]
fn a_copy_shows_one_commit_while_the_host_goes_on() {
    for with_log in [false, true] {
        let place = Place::new();
        let db = Db::builder().commit_log(with_log).open(place.db()).unwrap();
        let default = db.namespace("default").unwrap();
        default.create(container("first")).unwrap();
        let (done, ends) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let number = done.load(Ordering::Relaxed);
                    // A pair is made in one commit.
                    db.write(|txn| -> bayplan::Result<()> {
                        let default = txn.namespace("default")?;
                        default.create(container(&format!("a{number:05}")))?;
                        default.create(container(&format!("b{number:05}")))?;
                        Ok(())
                    })
                    .unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut copied = 0;
            for _ in 0..30 {
                let before = done.load(Ordering::Relaxed);
                let run = look(&place, &["ls", "-q"]);
                let after = done.load(Ordering::Relaxed) + 1;
                if run.code == 3 {
                    assert!(run.err.contains("none was whole"), "{}", run.err);
                    continue;
                }
                assert_eq!(run.code, 0, "{}", run.err);
                copied += 1;
                let ids: Vec<&str> = run.out.lines().collect();
                let count = (ids.len() - 1) / 2;
                let all = |letter| (0..count).map(move |number| format!("{letter}{number:05}"));
                let expected: Vec<String> =
                    all('a').chain(all('b')).chain(["first".into()]).collect();
                assert_eq!(ids, expected);
                assert!(
                    before.saturating_sub(1) <= count && count <= after,
                    "{before} <= {count} <= {after}"
                );
            }
            ends.store(true, Ordering::Relaxed);
            assert!(copied > 15, "{copied} of 30");
        });
        assert!(db.check().unwrap().is_healthy());
    }
}

#[test]
fn a_damaged_store_in_use_is_not_copied() {
    let place = Place::new();
    place.container("web", &["--label", "marker=MARKER"]);
    let db = Db::open(place.db()).unwrap();
    place.damage("MARKER");
    let run = look(&place, &["ls"]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("none was whole"), "{}", run.err);
    drop(db);
}
