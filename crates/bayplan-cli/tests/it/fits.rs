use crate::util::Place;

/// Two namespaces with a container each.
fn filled() -> Place {
    let place = Place::new();
    place.container("web", &[]);
    place.container("k8s.io/pod", &[]);
    place
}

#[test]
fn a_namespace_is_refused_where_it_could_not_be_followed() {
    let place = filled();
    let whole = "bayplan: -n cannot be used here: the command is about the whole store\n  \
                 leave it out; `bayplan dump -n NAME` writes one namespace\n";
    for args in [
        &["check"][..],
        &["stats"],
        &["compact"],
        &["compact", "--dry-run"],
        &["backup", "new"],
        &["restore", "meta.redb", "--db", "new"],
        &["load", "meta.ndjson", "--db", "new"],
        &["salvage", "new"],
        &["init", "--db", "new"],
    ] {
        let before = [&["-n", "k8s.io"], args].concat();
        let behind = [args, &["--namespace", "k8s.io"]].concat();
        place.fails(&before, 1, whole);
        place.fails(&behind, 1, whole);
    }
    let text = "bayplan: -n names one namespace, and -A means all\n  leave one of them out\n";
    place.fails(&["ls", "-A", "-n", "k8s.io"], 1, text);
    place.fails(&["c", "ls", "-A", "-n", "k8s.io"], 1, text);
    let text = "bayplan: -n cannot be used here: `namespaces` is about all of them\n  \
                leave it out, and name the namespace behind the command\n";
    place.fails(&["ns", "ls", "-n", "k8s.io"], 1, text);
    place.fails(&["-n", "k8s.io", "ns", "rm", "k8s.io"], 1, text);
    for command in [&["man"][..], &["completions", "bash"]] {
        let text = "bayplan: -n cannot be used here: the command opens no store\n  leave it out\n";
        place.fails(&[command, &["-n", "k8s.io"]].concat(), 1, text);
    }
    assert_eq!(place.files(), ["meta.redb"]);
}

#[test]
fn the_namespace_of_the_environment_narrows_nothing_that_is_done_with_a_whole_store() {
    let place = filled();
    let dump = place.prints(&["dump"]);
    place.file("meta.ndjson", &dump);
    let env = [("CONTAINERD_NAMESPACE", "k8s.io")];
    let run = |args: &[&str]| {
        let run = place.run_with(args, "", &env);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{args:?}");
        run.out
    };
    assert_eq!(run(&["dump"]), dump);
    for args in [
        &["backup", "a"][..],
        &["restore", "a", "--db", "b"],
        &["load", "meta.ndjson", "--db", "c"],
        &["salvage", "d"],
        &["check"],
    ] {
        assert!(run(args).contains("containers  2\n"), "{args:?}");
    }
    for db in ["a", "b", "c", "d"] {
        assert_eq!(run(&["dump", "--db", db]), dump);
    }
    assert_eq!(run(&["ls", "-Aq"]), "default/web\nk8s.io/pod\n");
    assert_eq!(run(&["ls", "-q"]), "pod\n");
    assert_eq!(run(&["ns", "ls", "-q"]), "default\nk8s.io\n");
}

#[test]
fn rules_are_refused_where_they_could_not_be_followed() {
    let place = filled();
    place.file("meta.ndjson", place.prints(&["dump"]));
    place.prints(&["backup", "backup.redb"]);
    for (args, text) in [
        (
            &["load", "meta.ndjson"][..],
            "the new store has the rules of the one that was dumped\n  to change them, edit `rules` \
             in the first line of the dump, and remove `crc32` from the last\n",
        ),
        (
            &["restore", "backup.redb"],
            "the new store has the rules of the backup\n  to change them, dump the backup, edit \
             `rules` in the first line, remove `crc32` from the last, and load that\n",
        ),
        (
            &["ls"],
            "they say what an update may change\n  leave it out; `init`, `import`, `update`, `edit`, \
             `label` and `salvage` take it\n",
        ),
        (
            &["check"],
            "they say what an update may change\n  leave it out; `init`, `import`, `update`, `edit`, \
             `label` and `salvage` take it\n",
        ),
    ] {
        let args = [args, &["--rules", "containerd2", "--db", "new"]].concat();
        let text = format!("bayplan: --rules cannot be used here: {text}");
        place.fails(&args, 1, &text);
    }
    assert!(!place.path("new").exists());
    place.ok(&["label", "web", "a=1", "--rules", "containerd2"], "a=1\n");
}

/// What the advice says can be done.
#[test]
fn a_dump_whose_rules_were_edited_loads_with_them() {
    let place = filled();
    let dump = place.prints(&["dump"]);
    let (lines, _) = dump.rsplit_once(",\"crc32\"").unwrap();
    let edited = lines.replacen("\"rules\":\"strict\"", "\"rules\":\"containerd2\"", 1);
    place.file("edited.ndjson", format!("{edited}}}}}\n"));
    place.prints(&["load", "edited.ndjson", "--db", "new"]);
    let check = place.prints(&["check", "--db", "new"]);
    assert!(check.contains("rules       containerd2\n"), "{check}");
}
