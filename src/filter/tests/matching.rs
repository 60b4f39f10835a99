//! The meaning of filters.

use super::{Thing, no, parse, web, yes};
use crate::filter::{Filter, Filters};
use crate::model::field::Field;

#[test]
fn a_lone_field_asks_whether_it_is_present() {
    yes("id");
    yes("image");
    yes("runtime.name");
    yes("snapshotter");
    yes("labels.app");
    yes("extensions.net.cni");
    yes("extensions.bare");
    no("snapshotkey");
    no("sandboxid");
    no("labels");
    no("labels.other");
    no("extensions");
    no("extensions.net");
    no("runtime");
    no("runtime.options");
    no("name");
    no("spec");
    no("createdat");
}

#[test]
fn equality_asks_for_a_present_and_equal_value() {
    yes("id==web");
    yes("image==docker.io/library/nginx:1.27");
    yes("runtime.name==io.containerd.runc.v2");
    yes("labels.app==nginx");
    yes("extensions.net.cni==types/Net");
    yes(r#"extensions.bare=="""#);
    no("id==we");
    no("id==WEB");
    no("id==webb");
    no(r#"id=="""#);
    no(r#"labels.other=="""#);
    no(r#"sandboxid=="""#);
    no("unknown==web");
}

#[test]
fn inequality_takes_an_absent_field_as_the_empty_string() {
    yes("id!=db");
    yes("labels.other!=x");
    yes("unknown!=x");
    yes("sandboxid!=x");
    yes(r#"id!="""#);
    no("id!=web");
    no("labels.app!=nginx");
    no(r#"labels.other!="""#);
    no(r#"unknown!="""#);
    no(r#"extensions.bare!="""#);
}

#[test]
fn an_expression_matches_anywhere_and_takes_an_absent_field_as_the_empty_string() {
    yes("id~=e");
    yes("id~=^web$");
    yes(r"image~=^docker\.io/");
    yes("labels.other~=^$");
    yes("unknown~=^$");
    yes(r#"labels.other~="""#);
    no("id~=^e");
    no("labels.other~=x");
    no("image~=^nginx");
}

#[test]
fn selectors_are_joined_by_and_filters_by_or() {
    yes("id==web,labels.app==nginx");
    yes("id,image,labels.app,labels.other!=x");
    no("id==web,labels.app==apache");
    no("id==db,labels.app==nginx");
    let any = Filters::parse(["id==db", "labels.app==nginx"]).unwrap();
    assert!(any.matches(&web()));
    let none = Filters::parse(["id==db", "labels.app==apache"]).unwrap();
    assert!(!none.matches(&web()));
}

#[test]
fn no_filter_and_an_empty_filter_let_everything_through() {
    let nothing = Thing::default();
    assert!(Filters::all().matches(&nothing));
    assert!(Filters::parse([""]).unwrap().matches(&nothing));
    assert!(Filters::parse(["id==x", ""]).unwrap().matches(&nothing));
    assert!(Filters::parse([""; 0]).unwrap().is_all());
    assert!(Filters::parse(["id==x", ""]).unwrap().is_all());
    assert!(!Filters::parse(["id==x"]).unwrap().is_all());
    assert!(Filter::default().is_all());
}

#[test]
fn an_empty_value_counts_as_absent_but_for_a_label_that_is_kept() {
    let empty = Thing::default().with(Field::Id, "").label("app", "");
    assert!(!parse("id").matches(&empty));
    assert!(!parse(r#"id=="""#).matches(&empty));
    // Only a store that keeps empty labels has one.
    assert!(parse("labels.app").matches(&empty));
    assert!(parse(r#"labels.app=="""#).matches(&empty));
    assert!(!parse(r#"labels.app!="""#).matches(&empty));
}

#[test]
fn the_parts_of_a_label_key_are_joined_however_they_are_quoted() {
    for key in [
        "a.b",
        r#""a.b""#,
        r#"a."b""#,
        r#""a".b"#,
        r#""\x61.\u0062""#,
    ] {
        yes(&format!(r#"labels.{key}=="two parts""#));
    }
    yes(r#""labels".app"#);
    yes("labels.1==one");
    yes(r#"labels."example.com/tier"==front"#);
    yes(r#"labels.example."com/tier"==front"#);
    yes(r#"labels."quote\"back\\slash"=="x,y""#);
    yes(r#"labels."größe"==牛"#);
    no(r#"labels."A.b""#);
    no(r#"labels."\xff""#);
}

#[test]
fn parts_after_a_plain_field_are_ignored() {
    yes("id.x==web");
    yes("image.a.b");
    yes("runtime.name.x==io.containerd.runc.v2");
    no("runtime.x.name");
}

#[test]
fn white_space_may_stand_before_a_field_an_operator_and_a_value() {
    yes(" id==web");
    yes("id ==web");
    yes("id== web");
    yes("id \t==\n web");
    yes("\u{a0}id\u{2003}==\u{3000}web");
    yes("id==web, image");
    yes("labels. app==nginx");
    yes(r#"id== "web""#);
}

#[test]
fn a_bare_value_goes_up_to_the_next_comma() {
    let thing = Thing::default()
        .label("v", r#"a=b.c"d/e|f~!"#)
        .label("w", "牛é\u{301}€");
    assert!(parse(r#"labels.v==a=b.c"d/e|f~!,labels.w"#).matches(&thing));
    assert!(parse("labels.w==牛é\u{301}€").matches(&thing));
    assert!(parse(r"labels.v!=\n").matches(&thing));
}

#[test]
fn quoted_values_have_the_escapes_of_go() {
    let value = "\x07\x08\x0c\n\r\t\x0b\\\"é牛A/|";
    let thing = Thing::default().label("v", value);
    assert!(parse(r#"labels.v=="\a\b\f\n\r\t\v\\\"\u00e9\U0000725b\101/|""#).matches(&thing));
    assert!(parse(r#"labels.v=="\x07\010\f\x0a\r\t\v\\\"\xc3\xa9牛A/|""#).matches(&thing));
    assert_eq!(parse(r#"id=="\ud800""#), parse(r#"id=="\ufffd""#));
}

#[test]
fn expressions_can_be_quoted_in_three_ways() {
    yes("id~=/^web$/");
    yes("id~=|^web$|");
    yes(r#"id~="^web$""#);
    yes(r"image~=/^docker\\.io\/library/");
    yes("image~=|io/library|");
    yes(r"id~=|web\|db|");
    yes("id~=/web{0,1}/,image");
    yes("id~=web|db");
    yes("id~=[ew]+,image");
    no("id~=/^e/");
}
