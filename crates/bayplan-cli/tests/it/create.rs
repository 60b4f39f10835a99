use std::fs;

use crate::util::{Place, SPEC};

#[test]
fn a_bundle_becomes_a_container() {
    let place = Place::new();
    fs::create_dir(place.path("web")).unwrap();
    place.file(
        "web/config.json",
        "{\n  \"ociVersion\": \"1.0.2\",\n  \"process\": {\"args\": [\"a \\u0026\\u0026 b\"]}\n}\n",
    );
    place.file(
        "options.json",
        r#"{"type_url":"x/Options","base64":"/wA="}"#,
    );
    place.file(
        "net.json",
        r#"{"type_url":"x/Net","json":{"ip":"10.0.0.1"}}"#,
    );
    let args = "create web --bundle web --image nginx:1.29 --label app=nginx --label e= \
                --label url=a=b --runtime io.containerd.kata.v2 --runtime-options options.json \
                --snapshotter overlayfs --snapshot-key web-rootfs --sandbox-id pod \
                --extension x.y/net=net.json";
    place.ok(&args.split_whitespace().collect::<Vec<_>>(), "");

    let info = place.prints(&["info", "web"]);
    let mut info: serde_json::Value = serde_json::from_str(&info).unwrap();
    for stamp in ["created_at", "updated_at", "revision"] {
        assert!(info.as_object_mut().unwrap().remove(stamp).is_some());
    }
    let expected = r#"{
        "id": "web",
        "labels": {"app": "nginx", "url": "a=b"},
        "image": "nginx:1.29",
        "runtime": {
            "name": "io.containerd.kata.v2",
            "options": {"type_url": "x/Options", "base64": "/wA="}
        },
        "spec": {
            "type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec",
            "json": {"ociVersion": "1.0.2", "process": {"args": ["a && b"]}}
        },
        "snapshotter": "overlayfs",
        "snapshot_key": "web-rootfs",
        "sandbox_id": "pod",
        "extensions": {"x.y/net": {"type_url": "x/Net", "json": {"ip": "10.0.0.1"}}}
    }"#;
    assert_eq!(
        info,
        serde_json::from_str::<serde_json::Value>(expected).unwrap()
    );
}

#[test]
fn an_id_may_name_its_namespace() {
    let place = Place::new();
    place.container("k8s.io/web", &["-n", "other"]);
    place.ok(&["ls", "-Aq"], "k8s.io/web\n");
}

#[test]
fn a_taken_id_is_refused() {
    let place = Place::new();
    place.container("web", &[]);
    place.file("spec.json", SPEC);
    place.fails(
        &["create", "web", "--spec", "spec.json"],
        1,
        "bayplan: create container \"web\" in namespace \"default\": already exists\n",
    );
}

#[test]
fn what_is_no_bundle_is_told_apart() {
    let place = Place::new();
    let create = |bundle: &str, err: &str| {
        place.fails(&["create", "web", "--bundle", bundle], 1, err);
    };
    create(
        "nowhere",
        "bayplan: nowhere is not an OCI bundle: there is no such directory\n",
    );
    fs::create_dir(place.path("b")).unwrap();
    create(
        "b",
        "bayplan: b is not an OCI bundle: it has no config.json\n",
    );
    place.file("b/config.json", "{\n  \"ociVersion\" \"1.0.2\"\n}\n");
    create(
        "b",
        "bayplan: b/config.json is not JSON: expected `:` at line 2 column 16\n",
    );
    place.file("b/config.json", "{\"hostname\": \"web\"}");
    create(
        "b",
        "bayplan: b/config.json is not an OCI runtime spec: it has no `ociVersion`\n",
    );
    place.file("b/config.json", "[1]");
    create(
        "b",
        "bayplan: b/config.json is not an OCI runtime spec: it is not a JSON object\n",
    );
    place.file("b/config.json", [0xff]);
    create("b", "bayplan: b/config.json is not JSON: it is not UTF-8\n");
    place.ok(&["ls", "-Aq"], "");
}

#[test]
fn rules_of_containers_are_told_as_the_library_does() {
    let place = Place::new();
    place.file("spec.json", SPEC);
    place.fails(
        &[
            "create",
            "web",
            "--spec",
            "spec.json",
            "--snapshot-key",
            "k",
        ],
        1,
        "bayplan: create container \"web\" in namespace \"default\": `snapshotter` is required if \
         `snapshot_key` is set\n",
    );
    let run = place.run(&["create", "a b", "--spec", "spec.json"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err
            .contains("the container id \"a b\" is not an identifier")
    );
}

#[test]
fn one_source_of_the_spec_is_needed() {
    let place = Place::new();
    let none = place.run(&["create", "web"]);
    assert_eq!(none.code, 1);
    assert!(
        none.err.contains("<--bundle <DIR>|--spec <FILE>>"),
        "{}",
        none.err
    );
    let both = place.run(&["create", "web", "--bundle", "b", "--spec", "s"]);
    assert_eq!(both.code, 1);
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
}
