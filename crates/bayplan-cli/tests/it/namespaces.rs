use crate::util::Place;

#[test]
fn namespaces_are_created_labelled_listed_and_removed() {
    let place = Place::new();
    place.ok(&["namespaces", "create", "k8s.io", "team=infra", "e="], "");
    place.ok(&["ns", "c", "moby"], "");
    place.ok(
        &["n", "ls"],
        "NAME     LABELS\nk8s.io   team=infra\nmoby     -\n",
    );
    place.ok(&["namespace", "list", "-q"], "k8s.io\nmoby\n");
    place.ok(
        &["ns", "ls", "--format", "ndjson"],
        "{\"name\":\"k8s.io\",\"labels\":{\"team\":\"infra\"}}\n{\"name\":\"moby\"}\n",
    );
    let array = place.prints(&["ns", "ls", "--format", "json"]);
    let array: serde_json::Value = serde_json::from_str(&array).unwrap();
    assert_eq!(array[0]["labels"]["team"], "infra");
    place.ok(
        &["ns", "label", "k8s.io", "team=", "a=1", "b=2"],
        "a=1\nb=2\n",
    );
    place.ok(&["ns", "label", "k8s.io"], "a=1\nb=2\n");
    place.ok(&["ns", "rm", "k8s.io", "moby"], "");
    place.ok(&["ns", "ls"], "NAME   LABELS\n");
}

#[test]
fn failures_of_namespaces_tell_why() {
    let place = Place::new();
    place.container("web", &[]);
    place.fails(
        &["ns", "create", "default"],
        1,
        "bayplan: create namespace \"default\": already exists\n",
    );
    place.ok(&["ns", "create", "empty"], "");
    place.fails(
        &["ns", "rm", "default", "none", "empty"],
        1,
        "bayplan: delete namespace \"default\": it still holds 1 container: \"web\"\n\
         bayplan: delete namespace \"none\": not found\n",
    );
    place.ok(&["ns", "ls", "-q"], "default\n");
}

#[test]
fn a_mistyped_name_does_not_become_a_namespace() {
    let place = Place::new();
    let text = "bayplan: there is no namespace \"k8s\"\n";
    place.fails(&["ns", "label", "k8s", "a=1"], 1, text);
    place.fails(&["ns", "label", "k8s"], 1, text);
    place.ok(&["ns", "ls", "-q"], "");
}

#[test]
fn several_labels_are_set_together_or_not_at_all() {
    let place = Place::new();
    place.ok(&["ns", "create", "a"], "");
    let long = format!("k={}", "v".repeat(5000));
    let run = place.run(&["ns", "label", "a", "good=1", &long]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("the label \"k\" is too large"),
        "{}",
        run.err
    );
    place.ok(&["ns", "label", "a"], "");
}
