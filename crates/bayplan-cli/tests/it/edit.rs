use std::fs;
use std::path::PathBuf;

use crate::util::{Place, Run};

/// Edits `web` by this shell command, to which the file is given.
fn edit(place: &Place, editor: &str) -> Run {
    let temporary = place.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let env = [
        ("EDITOR", editor),
        ("VISUAL", ""),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    place.run_with(&["edit", "web"], "", &env)
}

/// What edits left in the temporary directory.
fn left(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_is_saved_is_stored() {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx", "--label", "tier=front"]);
    let run = edit(&place, "sed -i s/nginx/apache/");
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
    place.ok(&["label", "web"], "app=apache\ntier=front\n");
    assert!(left(&place).is_empty());
}

#[test]
fn what_is_not_edited_or_given_up_changes_nothing() {
    let place = Place::new();
    place.container("web", &[]);
    let before = place.prints(&["info", "web"]);
    let run = edit(&place, "true");
    assert_eq!(run.code, 0);
    assert_eq!(
        run.err,
        "bayplan: nothing was edited, and nothing is changed\n"
    );
    let run = edit(&place, "exit 3; true");
    assert_eq!(run.code, 1);
    assert!(run.err.contains("ended with exit status: 3"), "{}", run.err);
    assert!(run.err.contains("EDITOR"), "{}", run.err);
    let run = edit(&place, "no-such-editor-at-all");
    assert_eq!(run.code, 1);
    assert_eq!(place.prints(&["info", "web"]), before);
    assert!(left(&place).is_empty());
}

#[test]
fn what_cannot_be_taken_is_kept_in_a_file() {
    let place = Place::new();
    place.container("web", &["--label", "app=nginx"]);
    let program = env!("CARGO_BIN_EXE_bayplan");
    for (editor, why) in [
        ("echo nonsense >", "is not JSON"),
        (
            "sed -i 's/\"id\": \"web\"/\"id\": \"other\"/'",
            "holds the container \"other\"",
        ),
        (
            &format!("{program} label web app=meanwhile > /dev/null; sed -i s/nginx/apache/"),
            "it has revision",
        ),
    ] {
        let run = edit(&place, editor);
        assert_eq!(run.code, 1, "{editor}");
        assert!(run.err.contains(why), "{editor}: {}", run.err);
        let kept = left(&place);
        assert_eq!(kept.len(), 1, "{editor}");
        let path = kept[0].display();
        // The directory is shown in another way.
        let name = kept[0].file_name().unwrap().to_str().unwrap();
        let advice =
            format!("tmp/{name}; correct it, and then: bayplan update default/web --from ");
        assert!(run.err.contains(&advice), "{path}: {}", run.err);
        fs::remove_file(&kept[0]).unwrap();
    }
    place.ok(&["label", "web"], "app=meanwhile\n");
}
