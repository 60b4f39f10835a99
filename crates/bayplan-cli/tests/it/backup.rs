use std::fs;

use bayplan::{Any, Container, Db, Runtime, Share};

use crate::util::{Place, assert_private, summary};

#[test]
fn a_backup_is_the_store_and_comes_back() {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx"]);
    place.container("k8s.io/pod", &[]);
    let dump = place.prints(&["dump"]);
    let out = place.prints(&["backup", "backup.redb"]);
    let names = ["file", "namespaces", "containers"];
    assert_eq!(summary(&out, &names), ["backup.redb", "2", "2"]);
    assert_private(&place.path("backup.redb"));
    assert_eq!(place.prints(&["dump", "--db", "backup.redb"]), dump);

    let backup = fs::read(place.path("backup.redb")).unwrap();
    fs::remove_file(place.db()).unwrap();
    let out = place.prints(&["restore", "backup.redb"]);
    assert_eq!(summary(&out, &names), ["DIR/meta.redb", "2", "2"]);
    assert_private(&place.db());
    assert_eq!(place.prints(&["dump"]), dump);
    assert_eq!(fs::read(place.path("backup.redb")).unwrap(), backup);
    assert_eq!(place.files(), ["backup.redb", "meta.redb"]);
}

#[test]
fn neither_a_backup_nor_a_store_is_overwritten() {
    let place = Place::new();
    place.prints(&["backup", "backup.redb"]);
    place.container("web", &[]);
    place.fails(
        &["backup", "backup.redb"],
        1,
        "bayplan: back up to backup.redb: already exists\n",
    );
    place.fails(
        &["restore", "backup.redb"],
        1,
        "bayplan: DIR/meta.redb exists already, and nothing is overwritten\n  \
         move it away, or name a new file by --db\n",
    );
    place.ok(&["ls", "-q"], "web\n");
    place.ok(&["ls", "-Aq", "--db", "backup.redb"], "");
}

#[test]
fn a_store_in_use_is_backed_up_only_if_it_lets_others_read() {
    let place = Place::new();
    place.container("web", &[]);
    let daemon = Db::builder()
        .share(Share::Readers)
        .open(place.db())
        .unwrap();
    let new = Container::new("new", Runtime::new("runc"), Any::new("spec", b"{}"));
    daemon.namespace("default").unwrap().create(new).unwrap();
    place.prints(&["backup", "backup.redb"]);
    place.ok(&["ls", "-q", "--db", "backup.redb"], "new\nweb\n");
    drop(daemon);

    let _daemon = Db::builder().share(Share::Nobody).open(place.db()).unwrap();
    let text = format!(
        "bayplan: open store DIR/meta.redb: the file is in use by process {}\n  \
         to wait for it: --timeout SECONDS\n",
        std::process::id()
    );
    for args in [
        &["backup", "second.redb"][..],
        &["dump", "meta.ndjson", "--no-copy"],
        &["stats", "--no-copy"],
        &["compact"],
        &["compact", "--dry-run"],
        &["salvage", "second.redb"],
    ] {
        place.fails(args, 3, &text);
    }
    assert_eq!(place.files(), ["backup.redb", "meta.redb"]);
}

#[test]
fn damage_is_neither_backed_up_nor_restored() {
    let place = Place::new();
    let spec = r#"{"ociVersion":"1.0.2","hostname":"MARKER"}"#;
    place.run_with(&["create", "web", "--spec", "-"], spec, &[]);
    place.damage("MARKER");
    let backup = &["backup", "backup.redb"][..];
    let restore = &["restore", "meta.redb", "--db", "new.redb"][..];
    for args in [backup, restore] {
        let run = place.run(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""));
        assert!(run.err.contains("the file is damaged: "), "{}", run.err);
        assert!(run.err.contains("`bayplan salvage` saves"), "{}", run.err);
        assert_eq!(place.files(), ["meta.redb"]);
    }
}

#[test]
fn what_is_not_there_is_told() {
    let place = Place::bare();
    place.fails(
        &["backup", "backup.redb"],
        1,
        "bayplan: there is no database DIR/meta.redb: `bayplan init` creates one\n",
    );
    place.fails(
        &["restore", "backup.redb"],
        1,
        "bayplan: open store backup.redb: not found\n  No such file or directory (os error 2)\n",
    );
    assert!(place.files().is_empty());
}
