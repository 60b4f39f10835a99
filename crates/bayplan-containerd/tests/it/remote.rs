//! The client alone: what it makes of a server that went, and of what the protocol does not carry.

use bayplan::{
    Any, Container, Db, ErrorKind, FieldMask, Namespaces as _, ReadNamespaces as _, ReadStore as _,
    Revision, Rules, Runtime, Store as _,
};
use bayplan_containerd::Remote;

use crate::served::Served;

fn web() -> Container {
    Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"))
}

fn store() -> Db {
    let db = Db::builder().rules(Rules::Containerd2).in_memory();
    db.unwrap()
}

#[test]
fn nobody_at_the_socket_is_unavailable_and_a_path_that_is_no_text_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.sock");
    let error = Remote::connect(&path).unwrap_err();
    assert!(error.is_unavailable(), "{error:#}");
    let text = format!("{error:#}");
    assert!(text.contains("none.sock: nobody answers there"), "{text}");
    let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    let error = Remote::connect(path).unwrap_err();
    assert!(error.is_invalid_argument(), "{error:#}");
}

#[test]
fn a_connection_outlives_its_server() {
    let mut served = Served::of(store());
    let remote = served.remote();
    let containers = remote.namespace("n").unwrap();
    containers.create(web()).unwrap();
    served.stop();
    let error = containers.get("web").unwrap_err();
    assert!(error.is_unavailable(), "{error:#}");
    // It was not sent.
    let error = containers.create(web()).unwrap_err();
    assert!(error.is_unavailable(), "{error:#}");
    served.start(store());
    // The first call already reaches the new server.
    let error = containers.get("web").unwrap_err();
    assert!(error.is_not_found(), "{error:#}");
    containers.create(web()).unwrap();
    served.stop();
    served.start(store());
    containers.create(web()).unwrap();
}

#[test]
fn what_the_protocol_does_not_carry_is_an_error() {
    let served = Served::in_memory();
    let remote = served.remote();
    let containers = remote.namespace("n").unwrap();
    let created = containers.create(web()).unwrap();
    assert_eq!(created.revision, Revision::NONE);
    let seen = Revision::new(1);
    for error in [
        containers
            .update_if(seen, web(), &FieldMask::full())
            .unwrap_err(),
        containers.put_if(seen, web()).unwrap_err(),
        containers.delete_if(seen, "web").unwrap_err(),
        containers.import(web()).unwrap_err(),
        remote.record_kinds("n").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:#}");
    }
    assert_eq!(containers.get("web").unwrap(), created);
}

#[test]
fn a_message_above_the_limit_is_refused_on_both_sides() {
    let served = Served::in_memory();
    let containers = served.remote().namespace("n").unwrap();
    // An answer: each of them is small enough.
    let large = |id: &str| {
        let spec = Any::new("spec", vec![b'x'; 1024 * 1024]);
        Container::new(id, Runtime::new("runc"), spec)
    };
    for number in 0..17 {
        containers.create(large(&format!("c{number:02}"))).unwrap();
    }
    assert_eq!(containers.query().count().unwrap(), 17);
    // A question.
    let mut over = large("over");
    for number in 0..17 {
        let value = Any::new("x", vec![b'x'; 1024 * 1024]);
        over = over.extension(format!("x{number}"), value);
    }
    let error = containers.create(over).unwrap_err();
    assert!(error.is_invalid_argument(), "{error:#}");
    let text = format!("{error:#}");
    assert!(text.contains("16777216 bytes"), "{text}");
    assert_eq!(containers.query().count().unwrap(), 17);
}

#[test]
fn several_threads_share_a_connection() {
    let served = Served::in_memory();
    let remote = served.remote();
    remote
        .create_namespace("n", bayplan::Labels::new())
        .unwrap();
    let containers = remote.namespace("n").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let containers = &containers;
            scope.spawn(move || {
                for number in 0..20 {
                    let mut container = web();
                    container.id = format!("c{thread}-{number}");
                    containers.create(container.clone()).unwrap();
                    containers.get(&container.id).unwrap();
                }
            });
        }
    });
    assert_eq!(containers.query().count().unwrap(), 160);
}
