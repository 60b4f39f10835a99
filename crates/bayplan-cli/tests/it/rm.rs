use crate::util::Place;

#[test]
fn what_is_missing_is_reported_and_the_rest_removed() {
    let place = Place::new();
    for id in ["a", "b", "k8s.io/c", "d"] {
        place.container(id, &[]);
    }
    place.fails(
        &["rm", "a", "none", "k8s.io/c", "../x"],
        1,
        "bayplan: delete container \"none\" in namespace \"default\": not found\n\
         bayplan: use namespace \"..\": the namespace name \"..\" is not an identifier: it must \
         be runs of ASCII letters and digits joined by single '.', '_' or '-', 1 to 76 bytes\n",
    );
    place.ok(&["ls", "-Aq"], "default/b\ndefault/d\n");
    place.ok(&["delete", "b"], "");
    place.ok(&["containers", "del", "d"], "");
    place.ok(&["ls", "-Aq"], "");
    place.fails(
        &["remove", "b"],
        1,
        "bayplan: delete container \"b\" in namespace \"default\": not found\n",
    );
}
