//! The feed of a store.

use std::time::Duration;

use bayplan::{
    Any, Detail, Event, Found, Labels, Namespaces, Record, Revision, Store, Subject, Update,
};
use bayplan_etcd::{Change, Etcd, Subscription};

use crate::server::{Server, fresh};
use crate::stores::container;

/// A change as text, with the labels of containers.
fn told(change: Change) -> String {
    fn word<T>(event: &Event<T>) -> &'static str {
        match event {
            Event::Created(_) => "+",
            Event::Updated(_) => "~",
            _ => "-",
        }
    }
    let name = change.namespace;
    match change.subject {
        Subject::Namespace(event) => format!("{}{name}", word(&event)),
        Subject::Container { id, event } => {
            let word = word(&event);
            let labels = match event.into_item() {
                Some(Found::Whole(one)) => {
                    assert_eq!(one.revision, change.revision);
                    assert!(one.spec.is_some());
                    one.labels.into_keys().collect()
                }
                _ => Vec::new(),
            };
            format!("{word}{name}/{id}{}", labels.concat())
        }
        Subject::Record { kind, id, event } => format!("{}{name}/{kind}/{id}", word(&event)),
        _ => "?".to_owned(),
    }
}

fn next(feed: &mut Subscription, count: usize) -> Vec<String> {
    let next = std::iter::repeat_with(|| feed.recv_timeout(Duration::from_secs(20)).unwrap());
    next.take(count)
        .map(|change| told(change.expect("a change")))
        .collect()
}

fn is_quiet(feed: &mut Subscription) {
    assert!(
        feed.recv_timeout(Duration::from_millis(50))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_feed_has_what_is_stored_and_then_each_change_in_order() {
    let (_server, etcd) = fresh();
    let store = etcd.namespace("default").unwrap();
    store.create(container("web").label("a", "1")).unwrap();
    store.create(container("gone")).unwrap();
    store.delete("gone").unwrap();
    let mut feed = etcd.subscribe(Revision::NONE, Detail::Whole).unwrap();
    assert_eq!(feed.position(), Revision::NONE);
    assert_eq!(next(&mut feed, 2), ["+default", "+default/weba"]);
    is_quiet(&mut feed);

    store.apply(Update::new("web").set_label("b", "1")).unwrap();
    store.apply(Update::new("web").set_label("c", "1")).unwrap();
    store
        .records("images")
        .unwrap()
        .put(Record::new("nginx", Any::default()))
        .unwrap();
    store.delete("web").unwrap();
    store.create(container("web")).unwrap();
    etcd.create_namespace("other", Labels::new()).unwrap();
    etcd.delete_namespace("other").unwrap();
    let expected = [
        "~default/webab",
        "~default/webabc",
        "+default/images/nginx",
        "-default/web",
        "+default/web",
        "+other",
        "-other",
    ];
    let first = next(&mut feed, 2);
    let position = feed.position();
    assert_eq!([first, next(&mut feed, 5)].concat(), expected);
    // Another one continues where this one was.
    let mut other = etcd.subscribe(position, Detail::Whole);
    // What was deleted is no longer there to be read whole, but etcd remembers it.
    assert_eq!(next(other.as_mut().unwrap(), 5), expected[2..]);
    is_quiet(&mut feed);
}

#[test]
fn a_feed_survives_a_restart_of_the_server_and_lags_after_a_compaction() {
    let mut server = Server::start();
    let etcd = Etcd::open(&server.options().attempts(20)).unwrap();
    let store = etcd.namespace("default").unwrap();
    let first = store.create(container("a")).unwrap().revision;
    let mut feed = etcd.subscribe(first, Detail::Header(Vec::new())).unwrap();
    is_quiet(&mut feed);
    server.restart();
    store.create(container("b")).unwrap();
    let change = std::iter::repeat_with(|| feed.recv_timeout(Duration::from_secs(20)))
        .find_map(|received| received.ok().flatten())
        .unwrap();
    assert_eq!(told(change), "+default/b");

    let last = store
        .apply(Update::new("a").set_label("a", "1"))
        .unwrap()
        .revision;
    server.etcdctl(&["compaction", &last.to_string()]);
    let mut late = etcd.subscribe(first, Detail::Id).unwrap();
    let error = late.recv_timeout(Duration::from_secs(20)).unwrap_err();
    assert!(error.is_lagged(), "{error}");
    assert_eq!(error.follow_from().unwrap().revision(), last);
}
