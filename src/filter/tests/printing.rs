//! Printing and parsing are each other's inverse; built and parsed filters are equal.

use proptest::prelude::*;

use super::parse;
use crate::filter::pattern::{Budget, Pattern};
use crate::filter::selector::{Path, Selector, Test};
use crate::filter::{Filter, Filters};

/// The filter prints as this, which parses to an equal filter.
#[track_caller]
fn prints(filter: &Filter, text: &str) {
    assert_eq!(filter.to_string(), text);
    assert_eq!(&parse(text), filter);
}

#[test]
fn values_are_quoted_only_when_they_must_be() {
    prints(&Filter::id().eq("web"), "id==web");
    prints(&Filter::id().eq("a=b.c/d"), "id==a=b.c/d");
    prints(&Filter::id().eq("牛"), "id==牛");
    prints(&Filter::id().eq(r"a\d"), r"id==a\d");
    prints(&Filter::id().eq(""), r#"id=="""#);
    prints(&Filter::id().eq("a b"), r#"id=="a b""#);
    prints(&Filter::id().eq("a,b"), r#"id=="a,b""#);
    for first in ["/", "|", "=", "!", "~", ".", ","] {
        prints(&Filter::id().eq(first), &format!(r#"id=="{first}""#));
    }
    prints(&Filter::id().eq("\""), r#"id=="\"""#);
    prints(&Filter::id().eq(r"a \ b"), r#"id=="a \\ b""#);
    prints(&Filter::id().eq("\n\r\t\0\x1b"), r#"id=="\n\r\t\x00\x1b""#);
    prints(
        &Filter::id().eq("\u{202e}\u{fffd}\u{e0001}"),
        r#"id=="\u202e\ufffd\U000e0001""#,
    );
    prints(&parse(r#"id=="a\xff\xc3é""#), r#"id=="a\xff\xc3é""#);
}

#[test]
fn expressions_are_put_in_quotes_that_they_do_not_hold() {
    let image = |expression| Filter::image().matches(expression).unwrap();
    prints(&image(r"^docker\.io/"), r"image~=^docker\.io/");
    prints(&image(r"a{1,2}\."), r"image~=/a{1,2}\\./");
    prints(&image("a/b, c"), "image~=|a/b, c|");
    prints(&image("a/b|c d"), r#"image~="a/b|c d""#);
    prints(&image("a/b|\"c d"), r#"image~="a/b|\"c d""#);
    prints(&image(".*"), "image~=/.*/");
    prints(&image(""), "image~=//");
}

#[test]
fn label_keys_are_quoted_only_when_they_must_be() {
    prints(&Filter::label("app").present(), "labels.app");
    prints(&Filter::label("a.b").present(), "labels.a.b");
    prints(&Filter::label("a-b.c").present(), r#"labels."a-b.c""#);
    prints(
        &Filter::label("example.com/tier").present(),
        r#"labels."example.com/tier""#,
    );
    prints(&Filter::label("a..b").present(), r#"labels."a..b""#);
    prints(&Filter::label(".").present(), r#"labels.".""#);
    prints(&Filter::label("").present(), "labels");
    prints(&Filter::extension("a b").ne("x"), r#"extensions."a b"!=x"#);
    prints(&parse(r#"labels."\xff""#), r#"labels."\xff""#);
}

#[test]
fn every_field_has_its_name() {
    prints(&Filter::id().present(), "id");
    prints(&Filter::image().present(), "image");
    prints(&Filter::runtime_name().present(), "runtime.name");
    prints(&Filter::snapshotter().present(), "snapshotter");
    prints(&Filter::snapshot_key().present(), "snapshotkey");
    prints(&Filter::sandbox_id().present(), "sandboxid");
    prints(
        &Filter::field(["runtime", "a b"]).present(),
        r#"runtime."a b""#,
    );
    prints(&Filter::field(["labels", "a", "b"]).present(), "labels.a.b");
    prints(&Filter::field([""; 0]).present(), r#""""#);
    prints(&Filter::default(), "");
    prints(
        &Filter::id().present().and(Filter::image().ne("a")),
        "id,image!=a",
    );
    prints(&Filter::default().and(Filter::id().present()), "id");
}

#[test]
fn filters_that_differ_in_spelling_only_are_equal() {
    for (a, b) in [
        ("labels.a.b==x", r#" labels."a.b" == "\x78""#),
        ("id.x", "id"),
        ("runtime.name.x", "runtime.name"),
        ("id~=a/b", r"id~=/a\/b/"),
        ("foo.bar", r#"foo."bar""#),
    ] {
        assert_eq!(parse(a), parse(b));
    }
}

#[test]
fn filters_that_differ_otherwise_are_not_equal() {
    for (a, b) in [
        ("id,image", "image,id"),
        ("id", "id,id"),
        ("foo", "bar"),
        ("id==a", "id~=a"),
        ("id~=a", "id~=(a)"),
        (r#"foo."a.b""#, "foo.a.b"),
    ] {
        assert_ne!(parse(a), parse(b));
    }
}

#[test]
fn several_filters_are_built_as_they_are_parsed() {
    let parsed = Filters::parse(["id==a", "image"]).unwrap();
    let built = [Filter::id().eq("a"), Filter::image().present()];
    assert_eq!(parsed, Filters::any(built.clone()));
    assert_eq!(parsed, built.iter().cloned().collect());
    assert!(parsed.iter().eq(&built));
    assert_eq!(
        Filters::parse(["id==a"]).unwrap(),
        Filters::from(Filter::id().eq("a"))
    );
    assert_eq!(Filters::all(), Filters::any([]));
    assert_eq!("id==a".parse::<Filter>().unwrap(), Filter::id().eq("a"));
}

/// Bytes, mostly of text.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<String>().prop_map(String::into_bytes),
        4 => "[a-z.,=/|\" \\\\]{0,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

fn paths() -> impl Strategy<Value = Path> {
    let first = prop::sample::select(vec![
        "id",
        "image",
        "runtime",
        "labels",
        "extensions",
        "snapshotter",
        "snapshotkey",
        "sandboxid",
        "other",
    ]);
    (
        first,
        prop::collection::vec(prop_oneof![Just(b"name".to_vec()), bytes()], 0..3),
    )
        .prop_map(|(first, rest)| {
            let parts: Vec<Vec<u8>> = std::iter::once(first.as_bytes().to_vec())
                .chain(rest)
                .collect();
            Path::new(&parts)
        })
}

fn tests() -> impl Strategy<Value = Test> {
    let pattern = |source: String| {
        let escaped = regex_syntax::escape(&source);
        Pattern::compile(&source, &mut Budget::new())
            .or_else(|_| Pattern::compile(&escaped, &mut Budget::new()))
            .map_or(Test::Present, Test::Matches)
    };
    prop_oneof![
        Just(Test::Present),
        bytes().prop_map(Test::Equals),
        bytes().prop_map(Test::Differs),
        "[a-z.,=/|\" \\\\^$é]{0,8}".prop_map(pattern),
        any::<String>().prop_map(pattern),
    ]
}

proptest! {
    #[test]
    fn a_printed_filter_parses_to_an_equal_one(
        selectors in prop::collection::vec((paths(), tests()), 0..5),
    ) {
        let filter = selectors
            .into_iter()
            .map(|(path, test)| Filter::of(Selector { path, test }, None))
            .fold(Filter::default(), Filter::and);
        let text = filter.to_string();
        prop_assert_eq!(&parse(&text), &filter);
        prop_assert_eq!(parse(&text).to_string(), text);
    }

    #[test]
    fn a_built_filter_equals_its_parsed_print(key in any::<String>(), value in any::<String>()) {
        let built = Filter::label(key.clone()).eq(value.clone());
        let built = built.and(Filter::extension(value.clone()).ne(key.clone()));
        let built = built.and(Filter::field([key, value]).present());
        prop_assert_eq!(parse(&built.to_string()), built);
    }
}
