//! `bayplan diff` and `bayplan hash`.

use bayplan::{Any, Container, Db, Record, Runtime};

use crate::util::Place;

/// A store with everything in it that can be stored.
fn full() -> Place {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    db.set_namespace_label("default", "team", "a").unwrap();
    let default = db.namespace("default").unwrap();
    let mut web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"))
        .label("app", "nginx")
        .image("nginx:1")
        .extension("x", Any::new("t", b"1"));
    web.runtime.options = Some(Any::new("options", b"o"));
    default.create(web).unwrap();
    let images = default.records("images").unwrap();
    images
        .create(Record::new("nginx:1", Any::new("image", b"i")))
        .unwrap();
    let other = db.namespace("other").unwrap();
    for id in ["a", "b", "c"] {
        let container = Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"));
        other.create(container).unwrap();
    }
    place
}

fn hash(place: &Place, args: &[&str]) -> String {
    place.prints(&[&["hash"], args].concat())
}

#[test]
fn a_store_its_backup_and_its_dump_are_the_same() {
    let place = full();
    place.prints(&["backup", "backup.redb"]);
    place.prints(&["dump", "meta.ndjson"]);
    place.prints(&["load", "meta.ndjson", "--db", "loaded.redb"]);
    let expected = hash(&place, &[]);
    assert_eq!(expected.lines().count(), 3);
    let names: Vec<_> = expected
        .lines()
        .map(|line| line.split_once("  ").unwrap().1)
        .collect();
    assert_eq!(names, ["default", "other", "the whole store"]);
    for file in ["meta.redb", "backup.redb", "meta.ndjson", "loaded.redb"] {
        assert_eq!(hash(&place, &[file]), expected, "{file}");
        for other in ["meta.redb", "backup.redb", "meta.ndjson", "loaded.redb"] {
            place.ok(&["diff", file, other], "");
        }
    }
    let dump = place.prints(&["dump"]);
    let run = place.run_with(&["diff", "-", "backup.redb"], &dump, &[]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
    let run = place.run_with(&["hash", "-"], &dump, &[]);
    assert_eq!(run.out, expected);
    let json: serde_json::Value =
        serde_json::from_str(&hash(&place, &["--format", "json"])).unwrap();
    assert!(expected.starts_with(json["namespaces"]["default"].as_str().unwrap()));
    assert!(expected.contains(&format!("{}  the whole", json["store"].as_str().unwrap())));
}

/// The order in which things were written, and what was there before, leave no trace.
#[test]
fn the_same_content_has_the_same_hash_however_it_came_about() {
    let place = full();
    place.prints(&["dump", "meta.ndjson"]);
    let expected = hash(&place, &[]);
    let db = Db::open(place.db()).unwrap();
    let other = db.namespace("other").unwrap();
    let kept: Vec<_> = ["a", "b", "c"].map(|id| other.get(id).unwrap()).into();
    for container in kept.iter().rev() {
        other.delete(&container.id).unwrap();
    }
    db.namespace("gone").unwrap();
    for container in kept.into_iter().rev() {
        other.import(container).unwrap();
    }
    drop((other, db));
    assert_eq!(hash(&place, &[]), expected);
    place.ok(&["diff", "meta.ndjson"], "");
}

#[test]
fn each_difference_is_named_and_changes_the_hash() {
    let place = full();
    place.prints(&["backup", "before.redb"]);
    let before = hash(&place, &[]);
    let db = Db::builder()
        .rules(bayplan::Rules::Containerd2)
        .open(place.db())
        .unwrap();
    let default = db.namespace("default").unwrap();
    let mut web = default.get("web").unwrap();
    web.labels.remove("app");
    web.labels.insert("odd, \u{7} key".into(), "b".into());
    web.image = "nginx:2".into();
    web.spec = Some(Any::new("spec", b"{ }"));
    web.extensions.insert("x".into(), Any::new("t", b"2"));
    default.update(web, &bayplan::FieldMask::full()).unwrap();
    let images = default.records("images").unwrap();
    images.delete("nginx:1").unwrap();
    images
        .create(Record::new("nginx:2", Any::new("image", b"i")))
        .unwrap();
    db.set_namespace_label("default", "team", "b").unwrap();
    let other = db.namespace("other").unwrap();
    other.delete("b").unwrap();
    db.create_namespace("new", Default::default()).unwrap();
    drop((images, default, other, db));
    let differences = "\
        ~ default/: labels.team\n\
        ~ default/web: labels.app, labels.odd, \\u{7} key, image, spec, updated_at, extensions.x\n\
        - default/images/nginx:1\n\
        + default/images/nginx:2\n\
        + new/\n\
        - other/b\n";
    let run = place.run(&["diff", "before.redb"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (1, differences, "")
    );
    let turned = place.run(&["diff", "meta.redb", "before.redb"]).out;
    assert!(turned.contains("\n- new/\n+ other/b\n"), "{turned}");
    let quiet = place.run(&["diff", "-q", "before.redb"]);
    assert_eq!((quiet.code, quiet.out.as_str()), (1, ""));
    let after = hash(&place, &[]);
    for (before, after) in before.lines().zip(after.lines()) {
        assert_ne!(before, after);
    }
    // One namespace only.
    let run = place.run(&["diff", "-n", "other", "before.redb"]);
    assert_eq!((run.code, run.out.as_str()), (1, "- other/b\n"));
    let of_other = hash(&place, &["-n", "other"]);
    assert!(after.contains(&of_other) && of_other.lines().count() == 1);
    place.prints(&["dump", "-n", "other", "other.ndjson"]);
    place.ok(&["diff", "other.ndjson"], "");
    assert_eq!(hash(&place, &["other.ndjson"]), of_other);
}

#[test]
fn what_cannot_be_compared_is_an_error_and_no_difference() {
    let place = full();
    let of = |args: &[&str]| {
        let run = place.run(args);
        assert_eq!(run.out, "");
        (run.code, run.err)
    };
    let (code, err) = of(&["diff", "none.redb"]);
    assert_eq!(code, 2);
    assert!(
        err.starts_with("bayplan: none.redb cannot be read: "),
        "{err}"
    );
    place.file("text", "something else\n");
    let (code, err) = of(&["diff", "text"]);
    assert!(code >= 2 && err.contains("line 1"), "{code} {err}");
    let (code, err) = of(&["diff", "-", "-"]);
    assert!(code >= 2 && err.contains("only once"), "{code} {err}");
    place.prints(&["dump", "-n", "other", "other.ndjson"]);
    let (code, err) = of(&["diff", "-n", "default", "other.ndjson"]);
    assert!(
        code >= 2 && err.contains("of namespace other only"),
        "{code} {err}"
    );
    let held = Db::open(place.db()).unwrap();
    let (code, err) = of(&["diff", "other.ndjson", "--no-copy"]);
    assert_eq!(code, 3, "{err}");
    drop(held);
    assert_eq!(place.files(), ["meta.redb", "other.ndjson", "text"]);
}
