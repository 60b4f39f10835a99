use std::fs;

use crate::util::Place;

#[test]
fn every_command_explains_itself_with_examples() {
    let place = Place::bare();
    let commands = [
        "init",
        "create",
        "ls",
        "info",
        "label",
        "update",
        "edit",
        "rm",
        "watch",
        "why",
        "namespaces",
        "check",
        "stats",
        "compact",
        "backup",
        "restore",
        "dump",
        "load",
        "diff",
        "hash",
        "import",
        "export",
        "salvage",
        "serve",
        "completions",
        "man",
        "records",
        #[cfg(feature = "browse")]
        "browse",
    ];
    for command in commands {
        let help = place.prints(&[command, "--help"]);
        assert!(help.contains("Examples:\n  bayplan "), "{command}");
    }
    let help = place.prints(&["--help"]);
    for word in [
        "Exit codes:",
        "BAYPLAN_DB",
        "CONTAINERD_NAMESPACE",
        "Examples:",
    ] {
        assert!(help.contains(word), "{word}");
    }
    place.ok(
        &["--version"],
        concat!("bayplan ", env!("CARGO_PKG_VERSION"), "\n"),
    );
}

#[test]
fn a_wrong_command_line_is_an_error_like_any_other() {
    let place = Place::bare();
    let run = place.run(&["lst"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(
        run.err
            .starts_with("bayplan: unrecognized subcommand 'lst'\n"),
        "{}",
        run.err
    );
    let run = place.run(&["ls", "--fromat", "json"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("'--format'"), "{}", run.err);
    let run = place.run(&[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("Usage: bayplan"), "{}", run.err);
}

#[test]
fn shells_complete_and_manuals_tell() {
    let place = Place::bare();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            place
                .prints(&["completions", shell])
                .contains("BAYPLAN_COMPLETE"),
            "{shell}"
        );
    }
    let page = place.prints(&["man"]);
    assert!(page.contains(".TH bayplan 1"), "{page}");
    fs::create_dir(place.path("man1")).unwrap();
    place.ok(&["man", "--dir", "man1"], "");
    let page = fs::read_to_string(place.path("man1/bayplan-ls.1")).unwrap();
    assert!(page.contains("all\\-namespaces"), "{page}");
    let run = place.run(&["man", "--dir", "nowhere"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err
            .starts_with("bayplan: nowhere cannot be written to: "),
        "{}",
        run.err
    );
}

#[test]
fn nothing_is_coloured() {
    let place = Place::new();
    for args in [&["--help"][..], &["ls", "--help"], &["bogus"]] {
        let env = [("CLICOLOR_FORCE", "1"), ("TERM", "xterm-256color")];
        let run = place.run_with(args, "", &env);
        assert!(
            !format!("{}{}", run.out, run.err).contains('\u{1b}'),
            "{args:?}"
        );
    }
}
