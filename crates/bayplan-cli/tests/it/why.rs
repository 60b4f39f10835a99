use bayplan::{Any, Container, Db, Labels, Record, Runtime};

use crate::util::Place;

#[test]
fn holders_are_found_by_fields_and_labels() {
    let place = Place::new();
    let db = Db::open(place.db()).unwrap();
    let new = |id: &str| {
        let container = Container::new(id, Runtime::new("runc"), Any::new("spec", b"{}"));
        container
            .image("nginx:1")
            .snapshot("overlayfs", "web-rootfs")
    };
    let default = db.namespace("default").unwrap();
    default.create(new("web")).unwrap();
    let by_label = new("db")
        .image("postgres:17")
        .snapshot("native", "web-rootfs")
        .label("containerd.io/gc.ref.image", "nginx:1")
        .label("containerd.io/gc.ref.content.l0", "sha256:abc");
    default.create(by_label).unwrap();
    let mut sandbox = Record::new("pod", Any::new("sandbox", b""));
    sandbox.labels = Labels::from([("containerd.io/gc.ref.content".into(), "sha256:abc".into())]);
    default
        .records("sandboxes")
        .unwrap()
        .create(sandbox)
        .unwrap();
    db.namespace("other").unwrap().create(new("far")).unwrap();
    drop((default, db));

    place.ok(
        &["why", "image", "nginx:1"],
        "NAMESPACE   KIND        ID    BY\n\
         default     container   db    labels.containerd.io/gc.ref.image\n\
         default     container   web   image\n",
    );
    let all = place.prints(&["why", "image", "nginx:1", "-A", "--format", "ndjson"]);
    assert_eq!(all.lines().count(), 3);
    assert!(all.contains(r#"{"namespace":"other","kind":"container","id":"far","by":"image"}"#));
    place.ok(
        &["why", "content", "sha256:abc"],
        "NAMESPACE   KIND        ID    BY\n\
         default     container   db    labels.containerd.io/gc.ref.content.l0\n\
         default     sandboxes   pod   labels.containerd.io/gc.ref.content\n",
    );
    let snapshots = place.prints(&["why", "snapshot", "web-rootfs", "--format", "json"]);
    let snapshots: serde_json::Value = serde_json::from_str(&snapshots).unwrap();
    assert_eq!(snapshots[0]["snapshotter"], "native");
    assert_eq!(snapshots[1]["snapshotter"], "overlayfs");
    let args = ["why", "snapshot", "web-rootfs", "--snapshotter", "native"];
    let one = place.prints(&args);
    assert!(one.contains(" db ") && !one.contains(" web "), "{one}");
}

#[test]
fn what_nothing_holds_is_said_so() {
    let place = Place::new();
    place.container("web", &[]);
    let run = place.run(&["why", "image", "nginx:1"]);
    assert_eq!(run.code, 0);
    assert_eq!(run.out, "");
    assert_eq!(
        run.err,
        "bayplan: nothing in default holds image \"nginx:1\"\n"
    );
    let run = place.run(&["why", "image", "x", "-A", "--format", "json"]);
    assert_eq!((run.code, run.out.as_str()), (0, "[]\n"));
    assert!(run.err.contains("nothing in any namespace"), "{}", run.err);
    let run = place.run(&["why", "image", "x", "-A", "-n", "y"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("-A means all"), "{}", run.err);
    let run = place.run(&["why", "image", "x", "--snapshotter", "y"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("only snapshots have a snapshotter"),
        "{}",
        run.err
    );
}

#[test]
fn what_is_known_beside_damage_is_told() {
    let place = Place::new();
    place.container("db", &["--image", "nginx:1"]);
    place.container("web", &["--image", "nginx:1", "--label", "marker=damaged"]);
    place.damage("marker");
    let run = place.run(&["why", "image", "nginx:1"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("container   db"), "{}", run.out);
    assert!(
        run.err.contains("\"web\"") && !run.err.contains("nothing"),
        "{}",
        run.err
    );
}
