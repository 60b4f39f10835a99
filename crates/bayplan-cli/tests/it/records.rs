use crate::util::Place;

const POD: &str = r#"{"type_url":"example.com/Pod","json":{"n":12345678901234567890123}}"#;

fn with_pods() -> Place {
    let place = Place::new();
    place.file("pod.json", POD);
    let args = ["records", "create", "pods"];
    for (id, app) in [("front", "app=nginx"), ("back/1", "app=redis")] {
        let args = [&args[..], &[id, "--value", "pod.json", "--label", app]].concat();
        place.ok(&args, "");
    }
    place
}

#[test]
fn records_are_listed_by_kind_and_filter() {
    let place = with_pods();
    place.ok(&["records", "kinds"], "KIND   RECORDS\npods   2\n");
    place.ok(&["records", "ls", "pods", "-q"], "back/1\nfront\n");
    let table = place.prints(&["records", "ls", "pods", "labels.app==nginx", "-L", "app"]);
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ID", "TYPE", "AGE", "APP"]);
    assert_eq!(
        (lines[1][0], lines[1][1], lines[1][3]),
        ("front", "example.com/Pod", "nginx")
    );
    assert_eq!(lines.len(), 2);
    place.ok(
        &[
            "records",
            "ls",
            "pods",
            "--format",
            "{{ kind }}/{{ id }} {{ labels.app }}",
        ],
        "pods/back/1 redis\npods/front nginx\n",
    );
    let page = place.run(&["records", "ls", "pods", "--limit", "1"]);
    assert_eq!(
        (page.code, page.err.as_str()),
        (0, "bayplan: there are more: --after back/1\n")
    );
    place.ok(
        &["records", "ls", "pods", "-q", "--after", "back/1"],
        "front\n",
    );
    let none = place.run(&["records", "ls", "pod"]);
    assert_eq!(
        none.err,
        "bayplan: no records of the kind pod in namespace default; kinds there: pods\n"
    );
    let warned = place.run(&["records", "ls", "pods", "size==1"]);
    assert!(
        warned
            .err
            .starts_with("bayplan: warning: no record has the field size\n")
    );
}

#[test]
fn records_are_shown_with_their_exact_values() {
    let place = with_pods();
    let shown = place.prints(&["records", "info", "pods", "front"]);
    assert!(shown.contains("\"n\": 12345678901234567890123"), "{shown}");
    let run = place.run(&["records", "info", "pods", "front", "none"]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.err,
        "bayplan: get record \"none\" of kind \"pods\" in namespace \"default\": not found\n"
    );
    assert!(run.out.starts_with("[\n") && run.out.contains("\"front\""));
}

#[test]
fn records_are_replaced_labelled_and_removed() {
    let place = with_pods();
    let again = ["records", "create", "pods", "front", "--value", "pod.json"];
    assert!(place.run(&again).err.ends_with(": already exists\n"));
    place.ok(
        &["records", "put", "pods", "front", "--value", "pod.json"],
        "",
    );
    place.ok(
        &["records", "label", "pods", "front", "tier=web"],
        "tier=web\n",
    );
    place.ok(&["records", "label", "pods", "front", "tier="], "");
    let run = place.run(&["records", "rm", "pods", "front", "none"]);
    assert_eq!(run.code, 1);
    assert!(run.err.ends_with(": not found\n"), "{}", run.err);
    place.ok(&["records", "ls", "pods", "-q"], "back/1\n");
    place.ok(&["records", "rm", "pods", "back/1"], "");
    let run = place.run(&["records", "kinds"]);
    assert_eq!(run.err, "bayplan: no records in namespace default\n");
}
