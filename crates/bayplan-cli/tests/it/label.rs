use crate::util::Place;

#[test]
fn labels_are_set_and_removed_and_printed() {
    let place = Place::new();
    place.container("web", &["--label", "a=1"]);
    place.ok(&["label", "web", "b=2", "a="], "b=2\n");
    place.ok(&["label", "web"], "b=2\n");
    place.ok(&["label", "web", "c=\u{1b}c"], "b=2\nc=\\u{1b}c\n");
    place.ok(&["label", "web", "b=", "c="], "");
}

#[test]
fn a_key_with_an_equals_sign_stands_in_quotes() {
    let place = Place::new();
    place.container("web", &["--label", "\"a=b\"=1", "--label", "plain=x=y"]);
    place.ok(&["label", "web"], "\"a=b\"=1\nplain=x=y\n");
    let list = place.prints(&["ls", "--labels", "labels.\"a=b\"==1"]);
    assert!(list.contains("\"a=b\"=1,plain=x=y\n"), "{list}");
    place.ok(&["label", "web", "\"a=b\"=2", "plain="], "\"a=b\"=2\n");
    place.ok(&["update", "web", "--label", "\"a=b\"=3"], "");
    place.ok(&["label", "web", "\"a=b\"="], "");
    place.ok(&["ns", "label", "default", "\"a=b\"=1"], "\"a=b\"=1\n");
    place.ok(&["ns", "label", "default", "\"a=b\"="], "");
    place.fails(
        &["label", "web", "\"a=b"],
        1,
        "bayplan: invalid value '\"a=b' for '[KEY=VALUE]...': the key begins with a quote and is no \
         JSON string: \"KEY\"=VALUE\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn what_cannot_be_labelled_is_told() {
    let place = Place::new();
    place.fails(
        &["label", "web", "a=1"],
        1,
        "bayplan: update container \"web\" in namespace \"default\": not found\n",
    );
    place.fails(
        &["label", "web"],
        1,
        "bayplan: get container \"web\" in namespace \"default\": not found\n",
    );
    place.container("web", &[]);
    place.fails(
        &["label", "web", "a"],
        1,
        "bayplan: invalid value 'a' for '[KEY=VALUE]...': expected KEY=VALUE\n\n\
         For more information, try '--help'.\n",
    );
    let long = format!("key={}", "v".repeat(5000));
    place.fails(
        &["label", "web", &long],
        1,
        "bayplan: update container \"web\" in namespace \"default\": the label \"key\" is too \
         large: key and value have 5003 bytes of at most 4096\n",
    );
}
