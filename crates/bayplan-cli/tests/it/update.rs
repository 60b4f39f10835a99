use crate::util::{Place, SPEC};

fn revision(place: &Place) -> String {
    let info = place.prints(&["info", "web"]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    info["revision"].to_string()
}

#[test]
fn single_fields_are_changed_together() {
    let place = Place::new();
    place.file("net.json", r#"{"type_url":"x/Net","json":1}"#);
    place.container("web", &["--label", "a=1", "--extension", "x=net.json"]);
    let spec = r#"{"ociVersion":"1.1.0"}"#;
    let args = [
        "update", "web", "--spec", "-", "--label", "a=", "--label", "b=2",
    ];
    let args = [
        &args[..],
        &["--extension", "x=", "--extension", "y=net.json"],
    ]
    .concat();
    assert_eq!(place.run_with(&args, spec, &[]).code, 0);
    place.ok(&["label", "web"], "b=2\n");
    let info: serde_json::Value = serde_json::from_str(&place.prints(&["info", "web"])).unwrap();
    assert_eq!(info["spec"]["json"]["ociVersion"], "1.1.0");
    assert_eq!(
        info["extensions"].to_string(),
        r#"{"y":{"json":1,"type_url":"x/Net"}}"#
    );
}

#[test]
fn what_info_prints_can_be_edited_and_given_back() {
    let place = Place::new();
    place.container("web", &["--label", "a=1"]);
    let info = place.prints(&["info", "web"]);
    let edited = info.replace(r#""a": "1""#, r#""a": "2", "b": "3""#);
    place.file("web.json", &edited);
    place.ok(
        &["update", "web", "--from", "web.json", "--field", "labels.b"],
        "",
    );
    place.ok(&["label", "web"], "a=1\nb=3\n");
    let info = place.prints(&["info", "web"]);
    let edited = info.replace(r#""a": "1""#, r#""a": "2""#);
    place.file("web.json", &edited);
    place.ok(&["update", "web", "--from", "web.json"], "");
    place.ok(&["label", "web"], "a=2\nb=3\n");

    let info = place.prints(&["info", "web"]);
    place.file("web.json", info.replace("runc.v2", "runc.v1"));
    place.fails(
        &["update", "web", "--from", "web.json"],
        1,
        "bayplan: update container \"web\" in namespace \"default\": immutable, but differs from \
         what is stored: `runtime.name`\n",
    );
    place.fails(
        &["update", "db", "--from", "web.json"],
        1,
        "bayplan: web.json holds the container \"web\", not \"db\"\n",
    );
    place.fails(
        &["update", "web", "--from", "web.json", "--field", "lables"],
        1,
        "bayplan: invalid field path\n  field path \"lables\": expected one of labels, \
         labels.KEY, spec, extensions, extensions.NAME, image, snapshotkey, or value of a record\n    lables\n    ^\n",
    );
    let run = place.run_with(&["update", "web", "--from", "-"], r#"{"id":"web"}"#, &[]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            1,
            "bayplan: standard input does not have the expected form: missing field `runtime` at \
             line 1 column 12\n"
        )
    );
}

/// Go writes `&` as an escape, which `info` prints as JSON and in base64.
#[test]
fn a_spec_in_gos_spelling_goes_through_an_editor() {
    let place = Place::new();
    let spec = br#"{"ociVersion":"1.0.2","hostname":"a\u0026b"}"#.to_vec();
    let db = bayplan::Db::open(place.db()).unwrap();
    let store = bayplan::Db::namespace(&db, "default").unwrap();
    let value = bayplan::Any::new("t", spec.clone());
    let runtime = bayplan::Runtime::new("runc");
    let web = bayplan::Container::new("web", runtime, value.clone()).extension("x", value);
    bayplan::Store::create(&store, web).unwrap();
    drop((store, db));
    let stored = || {
        let db = bayplan::Db::open_read_only(place.db()).unwrap();
        let store = bayplan::Db::namespace(&db, "default").unwrap();
        let web = bayplan::ReadStore::get(&store, "web").unwrap();
        let value = |any: &bayplan::Any| any.value.to_vec();
        (value(&web.spec.unwrap()), value(&web.extensions["x"]))
    };

    let info = place.prints(&["info", "web"]);
    assert!(info.contains("base64"), "{info}");
    let from = ["update", "web", "--any-revision", "--from", "-"];
    assert_eq!(place.run_with(&from, &info, &[]).code, 0);
    assert_eq!(stored(), (spec.clone(), spec.clone()));

    // The extension stands before the revision, the spec before the extension.
    let edited = info.replacen("a&b", "c&d", 1);
    let run = place.run_with(&from, &edited, &[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let changed = br#"{"ociVersion":"1.0.2","hostname":"c&d"}"#.to_vec();
    assert_eq!(stored(), (changed, spec));

    // Now the base64 belongs to neither value: it is unknown what is meant.
    let run = place.run_with(&from, &info.replacen("a&b", "e&f", 1), &[]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("`json` and `base64` disagree"),
        "{}",
        run.err
    );
}

#[test]
fn a_stale_revision_is_refused() {
    let place = Place::new();
    place.container("web", &[]);
    let seen = revision(&place);
    place.ok(
        &["update", "web", "--label", "a=1", "--if-revision", &seen],
        "",
    );
    let now = revision(&place);
    place.fails(
        &["update", "web", "--label", "a=2", "--if-revision", &seen],
        1,
        &format!(
            "bayplan: update container \"web\" in namespace \"default\": it has revision {now}, \
             not {seen} any more\n"
        ),
    );
}

#[test]
fn a_container_that_changed_since_it_was_printed_is_not_overwritten() {
    let place = Place::new();
    place.container("web", &["--label", "a=1"]);
    let info = place.prints(&["info", "web"]);
    let seen = revision(&place);
    place.file("web.json", info.replace(r#""a": "1""#, r#""a": "2""#));
    place.ok(&["label", "web", "b=3"], "a=1\nb=3\n");
    let now = revision(&place);
    let text = format!(
        "bayplan: update container \"web\" in namespace \"default\": it has revision {now}, not \
         {seen} any more\n"
    );
    let advice = "  web.json was printed before that change; to take it all the same: \
                  --any-revision\n";
    let field = ["--field", "labels.a"];
    for fields in [&[][..], &field] {
        let args = [&["update", "web", "--from", "web.json"], fields].concat();
        place.fails(&args, 1, &format!("{text}{advice}"));
        let args = [&args[..], &["--if-revision", &seen]].concat();
        place.fails(&args, 1, &text);
    }
    place.ok(&["label", "web"], "a=1\nb=3\n");

    let from = ["update", "web", "--from", "web.json"];
    place.ok(&[&from[..], &field, &["--if-revision", &now]].concat(), "");
    place.ok(&["label", "web"], "a=2\nb=3\n");
    place.ok(&[&from[..], &["--any-revision"]].concat(), "");
    place.ok(&["label", "web"], "a=2\n");
    // A container that was never stored has no revision.
    let new = info.replace(&format!("\"revision\": {seen}"), "\"revision\": 0");
    place.file("web.json", new);
    place.ok(&from, "");
    place.ok(&["label", "web"], "a=1\n");
}

#[test]
fn numbers_keep_their_digits_on_their_way_through_an_editor() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","n":123456789012345678901234567890}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    let info = place.prints(&["info", "web"]);
    assert!(
        info.contains("\"n\": 123456789012345678901234567890"),
        "{info}"
    );
    place.file("web.json", info.replace("1.0.2", "1.0.3"));
    place.ok(&["update", "web", "--from", "web.json"], "");
    let edited = spec.replace("1.0.2", "1.0.3");
    let stored = place.prints(&["info", "--spec", "web"]);
    assert_eq!(stored.split_whitespace().collect::<String>(), edited);
    let value = format!("{{\"type_url\":\"t\",\"json\":{spec}}}");
    place.run_with(&["create", "db", "--spec", "-"], &value, &[]);
    assert_eq!(
        place
            .prints(&["info", "--spec", "db"])
            .split_whitespace()
            .collect::<String>(),
        spec
    );
}

#[test]
fn image_and_snapshot_key_change_under_the_rules_of_containerd_2() {
    let place = Place::new();
    place.container("web", &["--snapshotter", "overlayfs"]);
    let args = ["update", "web", "--image", "i", "--snapshot-key", "k"];
    assert_eq!(place.run(&args).code, 1);
    place.ok(&[&args[..], &["--rules", "containerd2"]].concat(), "");
    let info: serde_json::Value = serde_json::from_str(&place.prints(&["info", "web"])).unwrap();
    assert_eq!(
        (&info["image"], &info["snapshot_key"]),
        (&"i".into(), &"k".into())
    );
}

#[test]
fn there_must_be_something_to_change_and_one_way_to_say_it() {
    let place = Place::new();
    let run = place.run(&["update", "web"]);
    assert!(run.err.contains("were not provided"), "{}", run.err);
    let run = place.run(&["update", "web", "--from", "-", "--image", "i"]);
    assert!(run.err.contains("cannot be used with"), "{}", run.err);
    let run = place.run(&["update", "web", "--image", "i", "--field", "spec"]);
    assert!(run.err.contains("cannot be used with"), "{}", run.err);
    let run = place.run(&["update", "web", "--field", "spec"]);
    assert!(run.err.contains("not provided"), "{}", run.err);
    place.file("spec.json", SPEC);
    place.fails(
        &["update", "web", "--spec", "spec.json"],
        1,
        "bayplan: update container \"web\" in namespace \"default\": not found\n",
    );
}

#[test]
fn a_field_in_the_quotes_of_a_filter_is_refused_with_the_right_form() {
    let place = Place::new();
    place.container("web", &["--label", "a.b/c=1"]);
    place.file("web.json", place.prints(&["info", "web"]));
    place.fails(
        &[
            "update",
            "web",
            "--from",
            "web.json",
            "--field",
            "labels.\"a.b/c\"",
        ],
        1,
        "bayplan: update container \"web\" in namespace \"default\": the field path \
         `labels.\"a.b/c\"` names a key with quotes in it, which exists neither in the input nor in \
         the store; field paths take no quotes: write `labels.a.b/c`\n",
    );
    // Around a key on the command line quotes are no part of it.
    place.ok(&["label", "web", "\"a.b/c\"=2"], "a.b/c=2\n");
    place.ok(&["label", "web", "\"a.b/c\"="], "");
}
