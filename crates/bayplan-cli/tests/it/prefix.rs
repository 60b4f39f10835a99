use crate::util::Place;

const AMBIGUOUS: &str = "bayplan: several containers in namespace \"default\" have ids that begin \
                         with \"we\": web-1, web-10, web-2\n  write more of the id, or all of it\n";

fn place() -> Place {
    let place = Place::new();
    for id in [
        "db",
        "dbx-7",
        "web-1",
        "web-10",
        "web-2",
        "k8s.io/pod-1",
        "k8s.io/pot",
    ] {
        place.container(id, &[]);
    }
    place
}

fn id_of(place: &Place, written: &str) -> String {
    let info: serde_json::Value = serde_json::from_str(&place.prints(&["info", written])).unwrap();
    info["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_beginning_of_an_id_is_enough_where_only_one_begins_so() {
    let place = place();
    for (written, id) in [
        ("web-2", "web-2"),
        ("web-1", "web-1"),
        ("db", "db"),
        ("dbx", "dbx-7"),
        ("dbx-", "dbx-7"),
        ("k8s.io/pod", "pod-1"),
        ("k8s.io/pot", "pot"),
    ] {
        assert_eq!(id_of(&place, written), id);
    }
    let run = place.run(&["label", "dbx", "a=1"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (
            0,
            "a=1\n",
            "bayplan: changed dbx-7, the only id that begins with dbx\n"
        )
    );
    place.ok(&["label", "dbx"], "a=1\n");
    let run = place.run(&["update", "k8s.io/pod", "--label", "b=2"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            0,
            "bayplan: changed pod-1, the only id that begins with pod\n"
        )
    );
    place.ok(&["label", "k8s.io/pod-1"], "b=2\n");
    let run = place.run(&["rm", "web-2", "k8s.io/pod"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (
            0,
            "",
            "bayplan: removed pod-1, the only id that begins with pod\n"
        )
    );
    place.ok(
        &["ls", "-Aq"],
        "default/db\ndefault/dbx-7\ndefault/web-1\ndefault/web-10\nk8s.io/pot\n",
    );
}

#[test]
fn several_that_begin_so_are_named_and_none_is_taken() {
    let place = place();
    for args in [
        &["info", "we"][..],
        &["label", "we"],
        &["label", "we", "a=1"],
        &["update", "we", "--label", "a=1"],
        &["rm", "we"],
    ] {
        place.fails(args, 1, AMBIGUOUS);
    }
    place.fails(&["rm", "we", "db"], 1, AMBIGUOUS);
    place.ok(&["ls", "-q"], "dbx-7\nweb-1\nweb-10\nweb-2\n");
    for number in 3..15 {
        place.container(&format!("web-{number}x"), &[]);
    }
    let run = place.run(&["rm", "w"]);
    assert!(
        run.err.contains(
            ": web-1, web-10, web-10x, web-11x, web-12x, web-13x, web-14x, web-2, \
                          web-3x, web-4x, ..\n"
        ),
        "{}",
        run.err
    );
}

#[test]
fn exact_takes_ids_as_they_are_written() {
    let place = place();
    let missing = |operation: &str| {
        format!("bayplan: {operation} container \"dbx\" in namespace \"default\": not found\n")
    };
    place.fails(&["info", "--exact", "dbx"], 1, &missing("get"));
    place.fails(&["label", "dbx", "--exact"], 1, &missing("get"));
    place.fails(&["label", "dbx", "a=1", "--exact"], 1, &missing("update"));
    let args = ["update", "dbx", "--label", "a=1", "--exact"];
    place.fails(&args, 1, &missing("update"));
    place.fails(&["--exact", "rm", "dbx"], 1, &missing("delete"));
    place.ok(&["rm", "--exact", "dbx-7"], "");
}

#[test]
fn a_container_that_is_named_twice_is_removed_once_and_no_other_in_its_place() {
    let place = place();
    place.ok(&["rm", "db", "db"], "");
    let run = place.run(&["rm", "dbx", "dbx-7", "db"]);
    let text = "bayplan: removed dbx-7, the only id that begins with dbx\n";
    assert_eq!((run.code, run.err.as_str()), (0, text));
    place.ok(&["ls", "-q"], "web-1\nweb-10\nweb-2\n");
}

#[test]
fn nothing_is_no_beginning() {
    let place = Place::new();
    place.container("web", &[]);
    for id in ["", "default/"] {
        assert_eq!(place.run(&["rm", id]).code, 1);
        assert_eq!(place.run(&["info", id]).code, 1);
        assert_eq!(place.run(&["label", id, "a=1"]).code, 1);
    }
    place.fails(
        &["rm", "k8s.io/w"],
        1,
        "bayplan: delete container \"w\" in namespace \"k8s.io\": not found\n",
    );
    place.ok(&["ls", "-q"], "web\n");
}

#[test]
fn a_whole_container_is_given_back_by_the_beginning_of_its_id() {
    let place = place();
    place.file("web.json", place.prints(&["info", "web-2"]));
    assert_eq!(
        place.run(&["update", "web-2", "--from", "web.json"]).code,
        0
    );
    place.fails(
        &["update", "dbx", "--from", "web.json"],
        1,
        "bayplan: web.json holds the container \"web-2\", not \"dbx-7\"\n",
    );
}

#[test]
fn damage_of_another_container_is_no_obstacle() {
    let place = Place::new();
    place.container("web-1", &[]);
    place.container("wild", &["--image", "MARKER"]);
    place.damage("MARKER");
    let run = place.run(&["info", "web"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("\"id\": \"web-1\""), "{}", run.err);
    let run = place.run(&["info", "wi"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("\"wild\""), "{}", run.err);
}
