//! The browser, driven by keys, and what its screen shows.

use std::thread;
use std::time::Duration;

use bayplan::{Any, Container, Db, Record, Runtime, Share};
use rustix::process::{Pid, Signal, kill_process};

use crate::terminal::Terminal;
use crate::util::Place;

const SPEC: &str = r#"{"ociVersion":"1.2.0","process":{"args":["nginx","-g"],"cwd":"/"}}"#;

fn browse(place: &Place) -> Terminal {
    Terminal::start(place, &["browse"], &[])
}

fn container(id: &str) -> Container {
    let spec = Any::new(
        "types.containerd.io/opencontainers/runtime-spec/1/Spec",
        SPEC,
    );
    Container::new(id, Runtime::new("runc"), spec).image("nginx:1.29")
}

/// A store with containers and records in two namespaces.
fn filled(share: Share) -> Place {
    let place = Place::bare();
    let db = Db::builder().share(share).create(place.db()).unwrap();
    let store = db.namespace("default").unwrap();
    store
        .create(container("web").label("app", "nginx"))
        .unwrap();
    store
        .create(container("db").label("app", "postgres"))
        .unwrap();
    let images = store.records("images").unwrap();
    images
        .create(Record::new(
            "nginx:1.29",
            Any::new("example.com/Image", "{}"),
        ))
        .unwrap();
    let far = db.namespace("k8s.io").unwrap();
    far.create(container("far")).unwrap();
    drop((store, images, far));
    db.close().unwrap();
    place
}

#[test]
fn a_store_can_be_looked_through_by_keys() {
    let place = filled(Share::Nobody);
    let before = std::fs::read(place.db()).unwrap();
    let mut browser = browse(&place);
    browser.shows("web");
    browser.shows("app=nginx");
    browser.shows("2 containers in default");
    // Into a container: its fields are there, what is deep in the spec is folded.
    browser.press("G\r");
    browser.shows("\"image\": \"nginx:1.29\"");
    browser.shows("\"process\": { 2 }");
    browser.shows_no("\"cwd\"");
    browser.press("e");
    browser.shows("\"cwd\": \"/\"");
    browser.press("f");
    browser.shows("\"spec\": { 2 }");
    browser.press("\u{1b}");
    browser.shows("NAMESPACES");
    // To the records, and to another namespace.
    browser.press("\t");
    browser.press("jj");
    browser.shows("1 containers in k8s.io");
    browser.press("k");
    browser.shows("example.com/Image");
    browser.press("\r\r");
    browser.shows("\"type_url\": \"example.com/Image\"");
    browser.press("?");
    browser.shows("nothing here writes to the store");
    browser.press("x");
    browser.shows_no("nothing here writes to the store");
    browser.press("q");
    assert_eq!(browser.ends(), Some(0));
    assert_eq!(std::fs::read(place.db()).unwrap(), before);
    assert_eq!(place.files(), ["meta.redb"]);
}

#[test]
fn a_filter_works_while_it_is_typed_and_shows_where_it_is_wrong() {
    let place = filled(Share::Nobody);
    let mut browser = browse(&place);
    browser.shows("postgres");
    browser.press("/labels.app==ng");
    browser.shows_no("postgres");
    browser.press("inx,");
    browser.shows("    ^");
    browser.press("\r");
    browser.shows("    ^");
    browser.press("/\u{7f}\r");
    browser.shows("1 containers in default that match labels.app==nginx");
}

#[test]
fn what_changes_is_shown_while_it_happens_and_no_host_waits() {
    for share in [Share::Nobody, Share::Processes] {
        let place = filled(share);
        let mut browser = browse(&place);
        browser.shows("2 containers in default");
        // A host starts beside it, writes and ends.
        let db = Db::open(place.db()).unwrap();
        let store = db.namespace("default").unwrap();
        store.create(container("new")).unwrap();
        browser.shows("+ new");
        browser.shows("created  default/new");
        store.set_label("web", "tier", "front").unwrap();
        browser.shows("~ web");
        browser.press("c");
        browser.shows("updated  default/web");
        browser.press("c");
        store.delete("new").unwrap();
        browser.shows("2 containers in default");
        drop(store);
        db.close().unwrap();
        browser.press("q");
        assert_eq!(browser.ends(), Some(0));
    }
}

#[test]
fn it_fits_any_terminal_and_needs_no_colours() {
    let place = filled(Share::Nobody);
    let mut browser = browse(&place);
    browser.shows("2 containers in default");
    for (rows, columns) in [(50, 200), (5, 20), (1, 1), (24, 80)] {
        browser.resize(rows, columns);
        thread::sleep(Duration::from_millis(250));
    }
    browser.shows("2 containers in default");
    browser.press("q");
    assert_eq!(browser.ends(), Some(0));
}

#[test]
fn colours_are_left_out_where_none_are_wanted() {
    let place = filled(Share::Nobody);
    for (no_color, is_coloured) in [("", true), ("1", false)] {
        let mut list = Terminal::start(&place, &["ls"], &[("NO_COLOR", no_color)]);
        assert_eq!(list.ends(), Some(0));
        list.shows("app=nginx".trim_start_matches("app="));
        assert_eq!(list.raw().contains('\u{1b}'), is_coloured);
        let browser = Terminal::start(&place, &["browse"], &[("NO_COLOR", no_color)]);
        browser.shows("2 containers in default");
        assert_eq!(browser.raw().contains("\u{1b}[38;5;6"), is_coloured);
    }
}

#[test]
fn a_damaged_container_is_listed_and_told() {
    let place = filled(Share::Nobody);
    place.damage("postgres");
    let mut browser = browse(&place);
    browser.shows("! db");
    browser.shows("app=nginx");
    browser.press("\r");
    browser.shows("a checksum does not match");
    browser.press("q");
    assert_eq!(browser.ends(), Some(2));
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let place = filled(Share::Nobody);
    let browser = browse(&place);
    browser.shows("2 containers in default");
    assert!(browser.is_taken());
    let pid = Pid::from_child(&browser.child);
    kill_process(pid, Signal::TERM).unwrap();
    browser.wait("usual screen", |terminal| !terminal.is_taken());
}

#[test]
fn a_store_whose_keys_are_damaged_is_shown_as_far_as_it_goes() {
    let place = filled(Share::Nobody);
    place.damage("default\0containers\0db");
    let mut browser = browse(&place);
    browser.shows("NAMESPACES");
    browser.press("q");
    assert_eq!(browser.ends(), Some(2));
    let whole = filled(Share::Nobody);
    let mut refused = Terminal::start(&whole, &["browse", "--no-copy"], &[]);
    refused.shows("leave --no-copy out");
    assert_eq!(refused.ends(), Some(1));
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let place = filled(Share::Nobody);
    let run = place.run(&["browse"]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.err,
        "bayplan: standard output is no terminal\n  \
         to print a list: `bayplan ls -A`; one container: `bayplan info ID`\n"
    );
}
