//! What goes wrong, and what a caller is told.

use std::time::{Duration, Instant};

use bayplan::{Any, Container, ErrorKind, Filters, ReadStore, Runtime, Store, Update};
use bayplan_etcd::{Etcd, Options};

use crate::server::{Server, fresh_prefix};
use crate::stores::container;

#[test]
fn a_server_that_is_down_is_an_io_error_that_comes_soon() {
    let mut server = Server::start();
    let etcd = Etcd::open(&server.options().attempts(2)).unwrap();
    let store = etcd.namespace("default").unwrap();
    store.create(container("web")).unwrap();
    server.kill();
    let begun = Instant::now();
    let error = store.get("web").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("get container \"web\" in namespace \"default\": etcd")
    );
    // What fails while it reads has certainly written nothing.
    let error = store.create(container("db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
    let error = Etcd::open(&server.options().attempts(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");

    server.restart();
    let ids = store.query().ids().unwrap();
    assert_eq!(ids, ["web"], "the same handle works again");
}

#[test]
fn one_endpoint_of_two_may_be_down() {
    let server = Server::start();
    let options = Options::new(["127.0.0.1:1".to_owned(), server.endpoint().to_owned()]);
    let store = Etcd::open(&options).unwrap().namespace("default").unwrap();
    for number in 0..20 {
        store.create(container(&number.to_string())).unwrap();
    }
    assert_eq!(store.query().count().unwrap(), 20);
}

#[test]
fn a_write_without_an_answer_is_uncertain_or_happens_once() {
    let server = Server::start();
    let options = server.options().timeout(Duration::from_millis(300));
    Etcd::open(&server.options()).unwrap();
    // A busy machine may take longer than the timeout.
    let hasty = std::iter::repeat_with(|| Etcd::open(&options.clone().attempts(1)));
    let store = hasty
        .flatten()
        .next()
        .unwrap()
        .namespace("default")
        .unwrap();
    let patient = Etcd::open(&options.attempts(40))
        .unwrap()
        .namespace("default")
        .unwrap();
    patient.create(container("web").label("n", "0")).unwrap();
    let mut uncertain = 0;
    for round in 0..15_u32 {
        let before = patient.get("web").unwrap();
        let update = Update::new("web").set_label(format!("r{round}"), "1");
        // The server stops somewhere between the reads and the answer of the commit.
        let written = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(u64::from(round) * 150));
                server.signal("STOP");
                std::thread::sleep(Duration::from_millis(450));
                server.signal("CONT");
            });
            let update = update.clone();
            store.apply(update)
        });
        let after = patient.get("web").unwrap();
        let is_done = after.labels.contains_key(&format!("r{round}"));
        match written {
            Ok(done) => assert_eq!((done.revision, is_done), (after.revision, true)),
            Err(error) if error.is_commit_uncertain() => uncertain += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
                assert!(!is_done && after == before, "nothing was written");
            }
        }
    }
    let head = "/bayplan/store/r/default\0containers\0web";
    // A patient writer finds out what happened, and never writes twice.
    for round in 0..10_u32 {
        let before = patient.get("web").unwrap();
        let versions = server.version(head);
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(u64::from(round) * 200));
                server.signal("STOP");
                std::thread::sleep(Duration::from_millis(450));
                server.signal("CONT");
            });
            patient.apply(Update::new("web").set_label("n", round.to_string()))
        });
        let done = done.unwrap();
        assert!(done.revision > before.revision);
        assert_eq!(patient.get("web").unwrap(), done);
        assert_eq!(server.version(head), versions + 1, "it was written once");
    }
    println!("{uncertain} of 15 writes were uncertain");
}

#[test]
fn a_used_up_quota_is_a_full_storage() {
    let server = Server::start_with(&["--quota-backend-bytes=16777216"]);
    let store = Etcd::open(&server.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let error = (0..64).find_map(|number| {
        let spec = Any::new(
            "spec",
            std::iter::repeat_with(&mut noise)
                .take(1 << 20)
                .collect::<Vec<u8>>(),
        );
        let new = Container::new(number.to_string(), Runtime::new("runc"), spec);
        store.create(new).err()
    });
    let error = error.expect("the quota is used up");
    assert!(error.is_storage_full(), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Io);
    let ids = store.query().ids().unwrap();
    assert!(!ids.is_empty(), "reading still works");
    assert!(store.delete(&ids[0]).is_ok(), "and so does deleting");
}

#[test]
fn what_is_larger_than_a_request_is_an_invalid_argument() {
    let server = Server::start_with(&["--max-request-bytes=100000"]);
    let store = Etcd::open(&server.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(900_000).collect();
    // The second is refused before etcd itself sees it.
    for size in [120_000, 900_000] {
        let spec = Any::new("spec", noise[..size].to_vec());
        let error = store.create(container("web").spec(spec)).unwrap_err();
        assert!(error.is_invalid_argument(), "{error:?}");
        assert!(error.to_string().contains("--max-request-bytes"), "{error}");
    }
    store.create(container("web")).unwrap();
}

#[test]
fn a_user_with_a_password_is_let_in_and_others_are_not() {
    let server = Server::start();
    for arguments in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "nobody:nothing"],
        &["auth", "enable"],
    ] {
        server.etcdctl(arguments);
    }
    let options = server.options().prefix(fresh_prefix());
    let etcd = Etcd::open(&options.clone().user("root", "secret")).unwrap();
    etcd.namespace("default")
        .unwrap()
        .create(container("web"))
        .unwrap();
    for refused in [
        options.clone(),
        options.clone().user("root", "wrong"),
        options.clone().user("nobody", "nothing"),
    ] {
        let error = Etcd::open(&refused).unwrap_err();
        assert!(error.is_failed_precondition(), "{error:?}");
        assert!(
            !format!("{refused:?}{error:#}").contains("wrong"),
            "no password is told"
        );
    }
}

#[test]
fn a_snapshot_that_is_compacted_away_says_so() {
    let server = Server::start();
    let etcd = Etcd::open(&server.options()).unwrap();
    let store = etcd.namespace("default").unwrap();
    store.create(container("web")).unwrap();
    let snapshot = etcd.snapshot().unwrap();
    let last = store
        .apply(Update::new("web").set_label("a", "1"))
        .unwrap()
        .revision;
    server.etcdctl(&["compaction", &last.to_string()]);
    let error = snapshot
        .namespace("default")
        .unwrap()
        .list(&Filters::all())
        .unwrap_err();
    assert!(
        error.is_failed_precondition() && error.to_string().contains("compacted"),
        "{error}"
    );
    assert_eq!(store.get("web").unwrap().revision, last);
}
