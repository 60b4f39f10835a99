//! What filters require, for the planner.

use super::parse;
use crate::filter::Filters;
use crate::filter::plan::Required;
use crate::model::field::Field;

#[track_caller]
fn exact(filters: &[&str], ids: Option<&[&str]>) {
    let filters = Filters::parse(filters).unwrap();
    let found = filters
        .exact_ids()
        .map(|found| found.into_iter().collect::<Vec<_>>());
    assert_eq!(found.as_deref(), ids);
}

#[test]
fn identifiers_are_exact_when_every_filter_demands_one() {
    exact(&["id==a"], Some(&["a"]));
    exact(&["id==b", "id==a,labels.x"], Some(&["a", "b"]));
    exact(&["id.x==a", "id==a"], Some(&["a"]));
    exact(&["labels.x,id==a,id==a"], Some(&["a"]));
}

#[test]
fn a_demand_that_nothing_meets_adds_no_identifier() {
    exact(&["id==a,id==b"], Some(&[]));
    exact(&["id==a,id==b", "id==c"], Some(&["c"]));
    exact(&[r#"id=="\xff""#], Some(&[]));
    exact(&[r#"id=="""#], Some(&[]));
    exact(&[r#"id==a,id=="\xff""#], Some(&[]));
}

#[test]
fn identifiers_are_open_when_some_filter_leaves_them_open() {
    exact(&[], None);
    exact(&[""], None);
    exact(&["id==a", ""], None);
    exact(&["id==a", "labels.x"], None);
    exact(&["id~=^a$"], None);
    exact(&["id"], None);
    exact(&["id!=a"], None);
    exact(&["image==a"], None);
}

#[test]
fn what_is_looked_at_is_known() {
    let looks = |texts: &[&str]| {
        let filters = Filters::parse(texts).unwrap();
        (filters.needs_labels(), filters.needs_extensions())
    };
    assert_eq!(looks(&["id", "image==a"]), (false, false));
    assert_eq!(looks(&["id", "image,labels.a!=x"]), (true, false));
    assert_eq!(looks(&["extensions.a"]), (false, true));
    assert_eq!(looks(&["labels.a", "extensions.a"]), (true, true));
    assert_eq!(looks(&["labels.a", ""]), (false, false));
}

#[track_caller]
fn requires(text: &str, expected: &[Required<'_>]) {
    assert_eq!(parse(text).required().collect::<Vec<_>>(), expected);
}

#[test]
fn what_no_absent_field_satisfies_is_required() {
    let app = Field::Label(b"app".to_vec());
    requires("labels.app==a", &[Required::Equals(&app, b"a")]);
    requires("labels.app", &[Required::Present(&app)]);
    requires(r#"labels.app!="""#, &[Required::Present(&app)]);
    let filter = parse("labels.app~=a");
    let required: Vec<_> = filter.required().collect();
    let [Required::Matches(field, pattern)] = required[..] else {
        panic!("{required:?}");
    };
    assert_eq!(*field, app);
    assert!(pattern.is_match(b"xax") && !pattern.is_match(b"b"));
    requires(r#"labels.app=="""#, &[Required::Equals(&app, b"")]);
    requires(
        "id==x,labels.app",
        &[Required::Equals(&Field::Id, b"x"), Required::Present(&app)],
    );
    requires("other==x", &[Required::Equals(&Field::Unknown, b"x")]);
}

#[test]
fn what_an_absent_field_satisfies_is_not_required() {
    requires("labels.app!=a", &[]);
    requires("labels.app~=a*", &[]);
    requires("labels.app~=^$", &[]);
    requires("", &[]);
}
