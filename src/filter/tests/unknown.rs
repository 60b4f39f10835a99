//! Fields that no container can have.

use crate::filter::{Filter, Filters};

/// The filter names one unknown field, written so, with this suggestion.
#[track_caller]
fn names(filter: &str, field: &str, suggestion: Option<&str>) {
    let parsed = Filter::parse(filter).unwrap();
    let unknown: Vec<_> = parsed.unknown_fields().collect();
    let [unknown] = unknown.as_slice() else {
        panic!("{unknown:?}");
    };
    assert_eq!(unknown.field(), field);
    assert_eq!(unknown.suggestion().as_deref(), suggestion, "{field}");
    let error = Filter::parse_strict(filter).unwrap_err();
    assert_eq!(error.to_string(), unknown.to_string());
    assert_eq!(
        (error.position(), error.filter()),
        (unknown.position(), filter)
    );
    // A suggestion is itself valid.
    if let Some(suggestion) = unknown.suggestion() {
        assert!(Filter::parse_strict(&suggestion).is_ok(), "{suggestion}");
    }
}

#[test]
fn the_type_of_records_is_no_field_of_containers() {
    names("type==x", "type", None);
    let error = Filter::parse_strict("type==x").unwrap_err();
    let text = "unknown field `type`, absent in every container; the fields are ";
    assert!(error.message().starts_with(text), "{error}");
}

#[test]
fn known_fields_are_not_unknown() {
    for filter in [
        "",
        "id==web,image~=x,runtime.name!=y,labels.a,labels.a.b==c,labels.\"a.b/c\"",
        "extensions.x,extensions.\"x/y\"!=z,snapshotter,snapshotkey,sandboxid==pod",
        "labels. a",
    ] {
        let parsed = Filter::parse_strict(filter).unwrap();
        assert_eq!(parsed.unknown_fields().count(), 0, "{filter}");
    }
    for filter in [
        Filter::id().present(),
        Filter::label("a").ne("b"),
        Filter::extension("a").present(),
        Filter::runtime_name().eq("x"),
        Filter::field(["runtime", "name"]).present(),
    ] {
        assert_eq!(filter.unknown_fields().count(), 0, "{filter}");
    }
}

#[test]
fn the_nearest_known_field_is_suggested() {
    for (field, suggestion) in [
        ("name", "id"),
        ("ID", "id"),
        ("container_id", "id"),
        ("container", "id"),
        ("runtime", "runtime.name"),
        ("runtime.options", "runtime.name"),
        ("runtime.nmae", "runtime.name"),
        ("Runtime.Name", "runtime.name"),
        ("runtime_name", "runtime.name"),
        ("imgae", "image"),
        ("images", "image"),
        ("Image", "image"),
        ("label.tier", "labels.tier"),
        ("lables.tier", "labels.tier"),
        ("Labels.Tier", "labels.Tier"),
        ("label.io.kubernetes", "labels.io.kubernetes"),
        ("label.\"a.b/c\"", "labels.\"a.b/c\""),
        ("label", "labels.KEY"),
        ("labels", "labels.KEY"),
        ("labels.\"\"", "labels.KEY"),
        ("extension.x", "extensions.x"),
        ("extensions", "extensions.NAME"),
        ("snapshot_key", "snapshotkey"),
        ("snapshot", "snapshotkey"),
        ("snapshoter", "snapshotter"),
        ("sandbox", "sandboxid"),
        ("sandbox_id", "sandboxid"),
        ("id.x", "id"),
        ("image.name", "image"),
        ("runtime.name.x", "runtime.name"),
        ("snapshotter.x.y", "snapshotter"),
    ] {
        for rest in ["", "==q", "!=q", "~=q"] {
            names(&format!("{field}{rest}"), field, Some(suggestion));
        }
    }
    for field in [
        "namespace",
        "spec",
        "createdat",
        "updated_at",
        "web",
        "io.kubernetes.pod",
        "x",
        "\"\"",
        "\"\\xff\"",
        "\"g\u{f6}\"",
    ] {
        names(&format!("{field}!=q"), field, None);
    }
}

#[test]
fn each_unknown_field_is_told_with_its_place() {
    let filters = Filters::parse(["id==web", "labels.a, name!=q,id.x==a"]).unwrap();
    let told: Vec<String> = filters.unknown_fields().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "filter 2: unknown field `name`, absent in every container; did you mean `id`?\n  \
             labels.a, name!=q,id.x==a\n            ^",
            "filter 2: `id.x` is read as `id`, and what follows is ignored; did you mean `id`?\n  \
             labels.a, name!=q,id.x==a\n                    ^",
        ]
    );
    let error = Filters::parse_strict(["id==web", "labels.a, name!=q"]).unwrap_err();
    assert_eq!((error.index(), error.position()), (Some(1), 10));
    let error = Filters::parse_strict(["name!=q", "id="]).unwrap_err();
    assert_eq!(
        error.index(),
        Some(1),
        "what breaks the syntax is told first"
    );
    let labels = Filter::parse_strict("labels!=q").unwrap_err();
    assert_eq!(
        labels.message(),
        "`labels` without a key is absent in every container; did you mean `labels.KEY`?"
    );
    let spec = Filter::parse_strict("spec").unwrap_err();
    assert!(
        spec.message()
            .contains("; the fields are id, image, runtime.name, labels.KEY, ")
    );
}

#[test]
fn a_filter_that_is_built_can_name_them_by_its_parts_only() {
    let built = Filter::field(["label", "a b"])
        .ne("x")
        .and(Filter::id().eq("web"));
    let unknown: Vec<_> = built.unknown_fields().collect();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].field(), "label.\"a b\"");
    assert_eq!(unknown[0].suggestion().unwrap(), "labels.\"a b\"");
}

#[test]
fn unknown_fields_make_no_difference_to_equality() {
    use std::collections::HashSet;
    let one = Filter::parse("id.x==web").unwrap();
    let other = Filter::parse("id==web").unwrap();
    assert_eq!(one, other);
    assert_eq!(HashSet::from([one, other]).len(), 1);
    assert_ne!(
        Filter::parse("name").unwrap(),
        Filter::parse("names").unwrap()
    );
}

#[test]
fn a_filter_of_nothing_but_unknown_fields_keeps_its_text_once() {
    let text = vec!["x"; 30_000].join(",");
    let parsed = Filter::parse(&text).unwrap();
    assert_eq!(parsed.unknown_fields().count(), 30_000);
    let first = parsed.unknown_fields().next().unwrap();
    for unknown in parsed.unknown_fields() {
        assert!(std::ptr::eq(first.filter(), unknown.filter()));
    }
    let long = format!("label.{}==a", "k".repeat(5_000));
    assert!(Filter::parse_strict(&long).unwrap_err().message().len() < 300);
}
