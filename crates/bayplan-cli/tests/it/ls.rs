use crate::util::Place;

/// Three containers in two namespaces.
fn place() -> Place {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx", "--image", "nginx:1.29"]);
    place.container(
        "db",
        &["--label", "app=postgres", "--label", "b=\u{1b}[31m\n"],
    );
    place.container("k8s.io/pod", &["--runtime", "runsc"]);
    place
}

/// A table with its ages shown as `?`.
fn aged(table: &str) -> String {
    let is_age = |word: &str| {
        word.strip_suffix(['s', 'm'])
            .is_some_and(|digits| digits.parse::<u32>().is_ok())
    };
    let lines = table.lines().map(|line| {
        let words = line
            .split(' ')
            .map(|word| if is_age(word) { "?" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    });
    lines.collect()
}

#[test]
fn the_table_is_aligned_and_harmless() {
    let place = place();
    assert_eq!(
        aged(&place.prints(&["ls"])),
        "CONTAINER   IMAGE        RUNTIME                 AGE\n\
         db          -            io.containerd.runc.v2   ?\n\
         web         nginx:1.29   io.containerd.runc.v2   ?\n"
    );
    assert_eq!(
        aged(&place.prints(&["list", "-A", "--labels"])),
        "NAMESPACE   CONTAINER   IMAGE        RUNTIME                 AGE   LABELS\n\
         default     db          -            io.containerd.runc.v2   ?    app=postgres,b=\\u{1b}[31m\\n\n\
         default     web         nginx:1.29   io.containerd.runc.v2   ?    app=nginx\n\
         k8s.io      pod         -            runsc                   ?    -\n"
    );
}

#[test]
fn ids_stand_alone() {
    let place = place();
    place.ok(&["ls", "-q"], "db\nweb\n");
    place.ok(
        &["ls", "--quiet", "--all-namespaces"],
        "default/db\ndefault/web\nk8s.io/pod\n",
    );
    place.ok(&["containers", "list", "-n", "k8s.io", "-q"], "pod\n");
    place.ok(&["c", "-n", "k8s.io", "ls", "-q"], "pod\n");
}

#[test]
fn any_of_the_filters_lets_a_container_through() {
    let place = place();
    place.ok(&["ls", "-q", "labels.app==nginx"], "web\n");
    place.ok(&["ls", "labels.app==nginx", "id==db", "-q"], "db\nweb\n");
    place.ok(&["ls", "-Aq", "runtime.name~=^runsc"], "k8s.io/pod\n");
    place.ok(&["ls", "-q", "id==none"], "");
}

#[test]
fn a_bad_filter_shows_its_place() {
    let place = place();
    place.fails(
        &["ls", "labels.app=nginx"],
        1,
        "bayplan: invalid filter\n  unknown operator `=`; expected `==`, `!=` or `~=`\n    \
         labels.app=nginx\n              ^\n",
    );
    let run = place.run(&["ls", "id==web", "id=="]);
    assert!(
        run.err.starts_with("bayplan: invalid filter\n  filter 2: "),
        "{}",
        run.err
    );
}

#[test]
fn json_is_one_array_and_ndjson_one_object_in_each_line() {
    let place = place();
    let array = place.prints(&["ls", "-A", "--format", "json"]);
    let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
    let lines = place.prints(&["ls", "-A", "--format", "ndjson"]);
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(array, lines);
    assert_eq!(array.len(), 3);
    assert_eq!(
        (&array[2]["namespace"], &array[2]["id"]),
        (&"k8s.io".into(), &"pod".into())
    );
    assert_eq!(array[0]["labels"]["b"], "\u{1b}[31m\n");
    assert!(array.iter().all(|row| row.get("spec").is_none()));
    place.ok(&["ls", "-n", "none", "--format", "json"], "[]\n");
    place.ok(&["ls", "-n", "none", "--format", "ndjson"], "");
}

#[test]
fn a_template_prints_a_line_for_each_container() {
    let place = place();
    let ids = place.prints(&["ls", "-A", "--format", "{{ namespace }}/{{ id }}"]);
    assert_eq!(ids, place.prints(&["ls", "-A", "-q"]));
    let run = place.run(&["ls", "--format", "{{ imgae }}"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(
        run.err
            .contains("`imgae`, which is not there\n  fields are namespace, id,")
    );
    let run = place.run(&["ls", "--format", "{{.ID}}"]);
    assert!(
        run.err
            .contains("a field is written {{ id }}, without a dot"),
        "{}",
        run.err
    );
    let run = place.run(&["ls", "--format", "yaml"]);
    assert!(
        run.err
            .contains("it is table, wide, json, ndjson or a template"),
        "{}",
        run.err
    );
}

#[test]
fn pages_follow_each_other() {
    let place = place();
    place.ok(&["ls", "-q", "--limit", "1"], "db\n");
    place.ok(&["ls", "-q", "--limit", "1", "--after", "db"], "web\n");
    place.ok(&["ls", "-q", "--limit", "0"], "");
    place.ok(&["ls", "-q", "--after", "default/db"], "web\n");
    place.ok(&["ls", "-q", "--after", "k8s.io/a"], "pod\n");
    place.ok(&["ls", "-q", "--after", "e"], "web\n");
    place.ok(&["ls", "-Aq", "--limit", "2"], "default/db\ndefault/web\n");
    place.ok(&["ls", "-Aq", "--after", "default/web"], "k8s.io/pod\n");
    place.ok(&["ls", "-Aq", "--after", "e/x"], "k8s.io/pod\n");
    place.ok(&["ls", "-Aq", "--after", "k8s.io/pod"], "");
    place.fails(
        &["ls", "-A", "--after", "web"],
        1,
        "bayplan: --after \"web\" does not name a namespace: with -A it is NAMESPACE/ID\n",
    );
    let run = place.run(&["ls", "--limit", "1"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (0, "bayplan: there are more: --after db\n")
    );
    let run = place.run(&["ls", "--limit", "0"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let run = place.run(&["ls", "--limit", "1", "--after", "db"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn an_empty_table_says_where_containers_are() {
    let place = place();
    let run = place.run(&["ls", "-n", "moby"]);
    assert_eq!(run.out, "CONTAINER   IMAGE   RUNTIME   AGE\n");
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            0,
            "bayplan: no containers in namespace moby; not empty: default, k8s.io\n"
        )
    );
    let run = Place::new().run(&["ls"]);
    assert_eq!(run.err, "bayplan: no containers in any namespace\n");
}

/// The fields, as a message lists them.
const FIELDS: &str = "id, image, runtime.name, labels.KEY, extensions.NAME, snapshotter, \
                      snapshotkey, sandboxid";

#[test]
fn an_id_taken_for_a_filter_is_noticed() {
    let place = place();
    let run = place.run(&["ls", "web"]);
    let text = format!(
        "bayplan: warning: unknown field `web`, absent in every container; the fields are \
         {FIELDS}\n  web\n  ^\n  for an id write id==web\n"
    );
    assert_eq!((run.code, run.err), (0, text));
    let run = place.run(&["ls", "web-1"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.ends_with("^\n  for an id write id==web-1\n"),
        "{}",
        run.err
    );
    assert_eq!(place.run(&["ls", "sandboxid"]).err, "");
    assert_eq!(place.run(&["ls", "labels.web"]).err, "");
}

#[test]
fn a_field_that_no_container_can_have_is_warned_of_with_the_nearest() {
    let place = place();
    let run = place.run(&["ls", "-q", "label.app!=nginx"]);
    assert_eq!((run.code, run.out.as_str()), (0, "db\nweb\n"));
    assert_eq!(
        run.err,
        "bayplan: warning: unknown field `label.app`, absent in every container; did you mean \
         `labels.app`?\n  label.app!=nginx\n  ^\n"
    );
    let run = place.run(&["ls", "-q", "id==web", "image,runtime==runc"]);
    assert_eq!((run.code, run.out.as_str()), (0, "web\n"));
    assert_eq!(
        run.err,
        "bayplan: warning: filter 2: unknown field `runtime`, absent in every container; did you \
         mean `runtime.name`?\n  image,runtime==runc\n        ^\n"
    );
    let run = place.run(&["ls", "-q", "id.x==web"]);
    assert_eq!((run.code, run.out.as_str()), (0, "web\n"));
    assert!(run.err.contains("`id.x` is read as `id`"), "{}", run.err);
    let run = place.run(&["ls", "-q", "namespace==k8s.io"]);
    assert!(
        run.err.ends_with("\n  -n names the namespace\n"),
        "{}",
        run.err
    );
    assert_eq!(place.run(&["ls", "-q", "labels.none!=x"]).err, "");
}

#[test]
fn strict_filters_refuse_a_field_that_no_container_can_have() {
    let place = place();
    place.fails(
        &["ls", "-q", "--strict-filters", "name!=q"],
        1,
        "bayplan: invalid filter\n  unknown field `name`, absent in every container; did you mean \
         `id`?\n    name!=q\n    ^\n",
    );
    place.fails(
        &["ls", "--strict-filters", "id==web", "labels"],
        1,
        "bayplan: invalid filter\n  filter 2: `labels` without a key is absent in every container; \
         did you mean `labels.KEY`?\n    labels\n    ^\n  for an id write id==labels\n",
    );
    place.ok(
        &["ls", "-q", "--strict-filters", "labels.app!=nginx"],
        "db\n",
    );
}

#[test]
fn what_is_damaged_is_reported_and_the_rest_listed() {
    let place = place();
    place.container("a", &["--image", "MARKER"]);
    place.damage("MARKER");
    let text = "bayplan: list containers \"a\" in namespace \"default\": a checksum does not \
                match\nbayplan: pages of the file are damaged, so something may be missing here: \
                `bayplan check` tells more\n";
    for (args, out) in [
        (&["ls", "-q"][..], "db\nweb\n"),
        (&["ls", "-Aq"], "default/db\ndefault/web\nk8s.io/pod\n"),
        (&["ls", "-q", "--limit", "1"], "db\n"),
    ] {
        let run = place.run(args);
        assert_eq!(
            (run.code, run.err.as_str(), run.out.as_str()),
            (2, text, out)
        );
    }
    let run = place.run(&["ls", "--format", "json"]);
    let array: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, array.len()), (2, 2));
}

#[test]
fn a_container_of_a_time_to_come_has_a_negative_age() {
    let place = Place::new();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let db = bayplan::Db::builder()
        .clock(move || later.into())
        .open(place.db())
        .unwrap();
    let spec = bayplan::Any::new("spec", b"{}");
    let web = bayplan::Container::new("web", bayplan::Runtime::new("runc"), spec);
    bayplan::Store::create(&db.namespace("default").unwrap(), web).unwrap();
    drop(db);
    let list = place.prints(&["ls"]);
    let age = list.lines().nth(1).unwrap().split_whitespace().last();
    assert!(matches!(age, Some("-59m" | "-60m")), "{list}");
}

#[test]
fn an_empty_filter_is_refused_since_it_would_list_everything() {
    let place = place();
    for args in [&["ls", ""][..], &["ls", "-q", "id==web", ""]] {
        place.fails(
            args,
            1,
            "bayplan: invalid filter\n  it is empty\n  to list all containers, give no filter\n",
        );
    }
}

#[test]
fn labels_are_columns_and_lists_are_sorted() {
    let place = Place::new();
    place.container(
        "b",
        &["--label", "app=x", "--label", "example.com/tier=front"],
    );
    place.container("a", &["--label", "app=y", "--image", "z"]);
    place.container("c", &["--image", "y"]);
    let words = |args: &[&str]| -> Vec<Vec<String>> {
        let out = place.prints(&[&["ls"], args].concat());
        let line = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        out.lines().map(line).collect()
    };
    let table = words(&["-L", "app,example.com/tier", "-L", "none"]);
    assert_eq!(table[0][4..], ["APP", "TIER", "NONE"]);
    assert_eq!(table[1][4..], ["y", "-", "-"]);
    assert_eq!(table[2][4..], ["x", "front", "-"]);
    let sorted = |args: &[&str]| {
        let out = place.prints(&[&["ls", "-q"], args].concat());
        out.split_whitespace().collect::<String>()
    };
    assert_eq!(sorted(&[]), "abc");
    assert_eq!(sorted(&["--sort-by", "created"]), "bac");
    assert_eq!(sorted(&["--sort-by", "created", "--reverse"]), "cab");
    assert_eq!(sorted(&["--sort-by", "image"]), "bca");
    place.prints(&["label", "b", "app=z"]);
    assert_eq!(sorted(&["--sort-by", "updated"]), "acb");
    let run = place.run(&["ls", "--sort-by", "id", "--limit", "1"]);
    assert_eq!(run.code, 1);
    let wide = words(&["--format", "wide"]);
    let names = [
        "CONTAINER",
        "IMAGE",
        "RUNTIME",
        "SNAPSHOT",
        "SANDBOX",
        "CREATED",
        "UPDATED",
        "REVISION",
    ];
    assert_eq!(wide[0], names);
    assert!(
        wide[1][5].ends_with('Z') && wide[1][5].len() == 20,
        "{wide:?}"
    );
}
