use crate::util::Place;

#[test]
fn one_id_prints_an_object_and_several_one_array() {
    let place = Place::new();
    place.container("web", &[]);
    place.container("k8s.io/db", &[]);
    let one: serde_json::Value = serde_json::from_str(&place.prints(&["info", "web"])).unwrap();
    assert_eq!(one["id"], "web");
    assert_eq!(one["spec"]["json"]["ociVersion"], "1.0.2");
    let args = ["info", "k8s.io/db", "web"];
    let several: serde_json::Value = serde_json::from_str(&place.prints(&args)).unwrap();
    assert_eq!(several[0]["id"], "db");
    assert_eq!(several[1], one);
}

#[test]
fn what_is_missing_is_reported_and_the_rest_printed() {
    let place = Place::new();
    place.container("web", &[]);
    let text = "bayplan: get container \"db\" in namespace \"default\": not found\n";
    place.fails(&["info", "db"], 1, text);
    let run = place.run(&["info", "db", "web"]);
    assert_eq!((run.code, run.err.as_str()), (1, text));
    let array: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(array.as_array().unwrap().len(), 1);
}

#[test]
fn the_spec_alone_is_printed_exactly() {
    let place = Place::new();
    let spec = "{\n  \"ociVersion\": \"1.0.2\",\n  \"z\": 1.50,\n  \"a\": [\n    \
                123456789012345678901234567890,\n    {}\n  ]\n}\n";
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.ok(&["info", "--spec", "web"], spec);
    place.ok(&["c", "info", "web", "--spec"], spec);
}

#[test]
fn a_spec_that_is_not_json_is_printed_in_base64_only() {
    let place = Place::new();
    let spec = r#"{"type_url":"x/Wasm","base64":"/wA="}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    assert!(
        place
            .prints(&["info", "web"])
            .contains("\"base64\": \"/wA=\"")
    );
    place.fails(
        &["info", "--spec", "web"],
        1,
        "bayplan: the spec of \"web\" is not JSON but of type \"x/Wasm\"\n  \
         without --spec it is printed in base64\n",
    );
}

#[test]
fn nothing_in_it_harms_a_terminal() {
    let place = Place::new();
    place.container("web", &["--label", "a=\u{1b}[2J\u{9b}2J\u{202e}"]);
    let info = place.prints(&["info", "web"]);
    assert!(info.contains(r#""a": "\u001b[2J\u009b2J\u202e""#), "{info}");
    let list = place.prints(&["ls", "--format", "ndjson"]);
    assert!(list.contains(r#""a":"\u001b[2J\u009b2J\u202e""#), "{list}");
}
