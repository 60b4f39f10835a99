//! What shells are answered, as their scripts ask.

use crate::util::Place;

/// The candidates for the last of these words.
fn candidates(place: &Place, words: &[&str]) -> Vec<String> {
    let last = (words.len()).to_string();
    let line = [&["--", "bayplan"], words].concat();
    let run = place.run_with(
        &line,
        "",
        &[
            ("BAYPLAN_COMPLETE", "bash"),
            ("_CLAP_COMPLETE_INDEX", &last),
            ("_CLAP_COMPLETE_COMP_TYPE", "9"),
            ("_CLAP_COMPLETE_SPACE", "true"),
            ("_CLAP_IFS", "\n"),
        ],
    );
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    run.out.lines().map(str::to_owned).collect()
}

#[test]
fn ids_namespaces_and_kinds_are_completed_from_the_store() {
    let place = Place::new();
    for id in ["web-1", "web-2", "db", "k8s.io/far"] {
        place.container(id, &[]);
    }
    place.file("value", r#"{"type_url":"t","json":1}"#);
    for (kind, id) in [
        ("pods", "front"),
        ("pods", "f$(touch x)"),
        ("leases", "old"),
    ] {
        place.ok(&["records", "create", kind, id, "--value", "value"], "");
    }
    assert_eq!(candidates(&place, &["info", "we"]), ["web-1", "web-2"]);
    assert_eq!(candidates(&place, &["rm", "db", "web-2"]), ["web-2"]);
    assert_eq!(candidates(&place, &["label", "k8s.io/"]), ["k8s.io/far"]);
    assert_eq!(candidates(&place, &["info", "-n", "k8s.io", "f"]), ["far"]);
    assert_eq!(candidates(&place, &["ls", "-n", "k"]), ["k8s.io"]);
    assert_eq!(candidates(&place, &["records", "ls", "p"]), ["pods"]);
    assert_eq!(
        candidates(&place, &["records", "rm", "pods", "f"]),
        ["front"]
    );
    assert_eq!(candidates(&place, &["com"]), ["compact", "completions"]);
}

#[test]
fn without_a_store_that_can_be_read_nothing_is_said() {
    let place = Place::bare();
    assert_eq!(candidates(&place, &["info", "we"]), Vec::<String>::new());
    place.file("meta.redb", "no store");
    assert_eq!(candidates(&place, &["info", "we"]), Vec::<String>::new());
}
