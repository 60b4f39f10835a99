use crate::util::{Place, summary};

#[test]
fn the_table_counts_and_measures() {
    let place = Place::new();
    place.container("web", &["--label", "a=b"]);
    place.container("k8s.io/pod", &[]);
    let out = place.prints(&["stats"]);
    assert_eq!(
        summary(&out, &["file", "format", "namespaces", "containers"]),
        ["DIR/meta.redb", "2", "2", "2"]
    );
    let size = summary(&out, &["size"]).remove(0);
    assert!(size.ends_with(" KiB"), "{size}");
    let (_, rest) = out.split_once("\n\n").unwrap();
    let (namespaces, tables) = rest.split_once("\n\n").unwrap();
    assert_eq!(
        namespaces,
        "NAMESPACE   CONTAINERS\ndefault     1\nk8s.io      1"
    );
    // Two containers, two specs, one label.
    assert!(tables.contains("\nrecords      5      1  "), "{tables}");
}

#[test]
fn json_has_exact_bytes() {
    let place = Place::new();
    place.container("web", &[]);
    let out = place.prints(&["stats", "--format", "json"]);
    let stats: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(stats["containers_count"], 1);
    assert_eq!(stats["namespaces"][0]["name"], "default");
    assert_eq!(
        stats["file_bytes"].as_u64().unwrap(),
        place.db().metadata().unwrap().len()
    );
    let run = place.run(&["stats", "--format", "ndjson"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
}

#[test]
fn a_damaged_store_is_not_measured() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    let run = place.run(&["stats"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    let text = "measure store DIR/meta.redb: the file is damaged: the page at byte ";
    assert!(run.err.contains(text), "{}", run.err);
    assert!(run.err.contains("`bayplan salvage` saves"), "{}", run.err);
}
