//! The table of the mutability rules: every field, under both rules, by every mask.

use super::*;
use crate::model::any::Any;
use crate::model::container::Runtime;

const BOTH: [Rules; 2] = [Rules::Strict, Rules::Containerd2];

fn policy(rules: Rules) -> Policy {
    Policy {
        rules,
        ..Policy::default()
    }
}

fn any(text: &str) -> Any {
    Any::new(text, text)
}

fn at(nanoseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanoseconds)
}

/// A container with every field set, created at 10 and updated at 20.
fn stored() -> Container {
    let mut stored = Container::new("web", Runtime::new("runc").options(any("o")), any("s"))
        .image("image")
        .snapshot("snapshotter", "key")
        .sandbox("pod")
        .label("a", "1")
        .label("b.c", "2")
        .extension("x", any("1"))
        .extension("y.z", any("2"));
    stored.created_at = at(10);
    stored.updated_at = at(20);
    stored.revision = crate::Revision::new(7);
    stored
}

/// A change of one field of a container.
type Change = fn(&mut Container);

/// Every field that the caller sets, and how to make it differ.
const FIELDS: [(&str, Change); 9] = [
    ("labels", |all| {
        all.labels = [("d".to_owned(), "3".to_owned())].into();
    }),
    ("image", |all| all.image.push('x')),
    ("runtime.name", |all| all.runtime.name.push('x')),
    ("runtime.options", |all| all.runtime.options = None),
    ("spec", |all| all.spec = Some(any("other"))),
    ("snapshotter", |all| all.snapshotter.push('x')),
    ("snapshot_key", |all| all.snapshot_key.push('x')),
    ("sandbox_id", |all| all.sandbox_id.push('x')),
    ("extensions", |all| {
        all.extensions = [("w".to_owned(), any("3"))].into();
    }),
];

fn change_of(field: &str) -> Change {
    FIELDS.iter().find(|(name, _)| *name == field).unwrap().1
}

/// Returns an input that differs in these fields.
fn differing(fields: &[&str]) -> Container {
    let mut input = stored();
    for field in fields {
        change_of(field)(&mut input);
    }
    input
}

/// Returns the stored container as these fields change it, in an update at 30.
fn updated(fields: &[&str]) -> Container {
    let mut updated = differing(fields);
    updated.updated_at = at(30);
    updated
}

fn update(input: Container, mask: &FieldMask, rules: Rules) -> Result<Container> {
    apply(&stored(), input, mask, policy(rules), at(30))
}

#[track_caller]
fn refuses(result: Result<Container>, text: &str) {
    let error = result.unwrap_err();
    assert!(error.is_invalid_argument());
    assert_eq!(error.to_string(), text);
}

/// What an update does if a field differs.
#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Kept,
    Refused,
}

#[test]
fn a_full_update_takes_keeps_or_refuses_each_field_as_the_rules_have_it() {
    use Fate::{Kept, Refused, Taken};
    let table = [
        ("labels", Taken, Taken),
        ("spec", Taken, Taken),
        ("extensions", Taken, Taken),
        ("image", Refused, Taken),
        ("snapshot_key", Refused, Taken),
        ("runtime.name", Refused, Refused),
        ("snapshotter", Refused, Refused),
        ("runtime.options", Refused, Kept),
        ("sandbox_id", Refused, Kept),
    ];
    assert_eq!(table.len(), FIELDS.len());
    for (field, strict, containerd2) in table {
        for (rules, fate) in [(Rules::Strict, strict), (Rules::Containerd2, containerd2)] {
            let result = update(differing(&[field]), &FieldMask::full(), rules);
            match fate {
                Taken => assert_eq!(result.unwrap(), updated(&[field]), "{field} {rules:?}"),
                Kept => assert_eq!(result.unwrap(), updated(&[]), "{field} {rules:?}"),
                Refused => refuses(
                    result,
                    &format!("immutable, but differs from what is stored: `{field}`"),
                ),
            }
        }
    }
}

#[test]
fn a_refused_full_update_names_all_fields_that_differ() {
    let all = FIELDS.map(|(field, _)| field);
    refuses(
        update(differing(&all), &FieldMask::full(), Rules::Strict),
        "immutable, but differs from what is stored: `image`, `runtime.name`, `runtime.options`, \
         `snapshotter`, `snapshot_key`, `sandbox_id`",
    );
    refuses(
        update(differing(&all), &FieldMask::full(), Rules::Containerd2),
        "immutable, but differs from what is stored: `runtime.name`, `snapshotter`",
    );
}

#[test]
fn a_path_takes_its_field_and_no_other_under_both_rules() {
    let all = FIELDS.map(|(field, _)| field);
    for rules in BOTH {
        for (path, field) in [
            (FieldPath::Labels, "labels"),
            (FieldPath::Spec, "spec"),
            (FieldPath::Extensions, "extensions"),
        ] {
            let mask = FieldMask::of([path]);
            let result = update(differing(&all), &mask, rules);
            assert_eq!(result.unwrap(), updated(&[field]), "{rules:?}");
        }
    }
}

#[test]
fn image_and_snapshot_key_are_paths_under_the_containerd2_rules_only() {
    let all = FIELDS.map(|(field, _)| field);
    for (path, field) in [
        (FieldPath::Image, "image"),
        (FieldPath::SnapshotKey, "snapshot_key"),
    ] {
        let mask = FieldMask::of([path.clone()]);
        let result = update(differing(&all), &mask, Rules::Containerd2);
        assert_eq!(result.unwrap(), updated(&[field]));
        let text = format!(
            "the field path \"{path}\" names a field that is immutable under the strict rules"
        );
        refuses(update(differing(&all), &mask, Rules::Strict), &text);
        refuses(update(stored(), &mask, Rules::Strict), &text);
    }
}

#[test]
fn the_path_of_an_entry_sets_or_removes_that_entry_only() {
    let mut input = Container::with_id("web")
        .label("b.c", "other")
        .label("ignored", "1");
    input = input.extension("y.z", any("other"));
    let paths = [
        FieldPath::Label("b.c".to_owned()),
        FieldPath::Label("a".to_owned()),
        FieldPath::Extension("y.z".to_owned()),
        FieldPath::Extension("x".to_owned()),
    ];
    for rules in BOTH {
        let result = update(input.clone(), &FieldMask::of(paths.clone()), rules);
        let mut expected = updated(&[]);
        expected.labels = [("b.c".to_owned(), "other".to_owned())].into();
        expected.extensions = [("y.z".to_owned(), any("other"))].into();
        assert_eq!(result.unwrap(), expected);
    }
}

#[test]
fn an_empty_label_value_is_unset_by_every_mask_that_reaches_it() {
    let input = stored().label("a", "");
    let mut expected = updated(&[]);
    expected.labels.remove("a");
    for mask in [
        FieldMask::full(),
        FieldMask::of([FieldPath::Labels]),
        FieldMask::of([FieldPath::Label("a".to_owned())]),
    ] {
        let result = update(input.clone(), &mask, Rules::Strict);
        assert_eq!(result.unwrap(), expected, "{mask:?}");
    }
}

#[test]
fn a_bad_path_that_was_deferred_is_refused_whatever_the_others_are() {
    for mask in [
        FieldMask::deferred(["nope"]),
        FieldMask::deferred(["spec", "nope", "labels"]),
    ] {
        let error = update(stored(), &mask, Rules::Strict).unwrap_err();
        assert!(error.is_invalid_argument());
        assert_eq!(error.to_string(), "invalid field path \"nope\"");
    }
}

#[test]
fn the_result_is_held_to_the_rules_of_a_new_container() {
    let mut input = stored();
    input.spec = None;
    for mask in [FieldMask::full(), FieldMask::of([FieldPath::Spec])] {
        refuses(
            update(input.clone(), &mask, Rules::Strict),
            "`spec` is required",
        );
    }
    let unset = FieldMask::of([FieldPath::Labels]);
    refuses(
        update(stored().label("", ""), &unset, Rules::Strict),
        "a label has an empty key",
    );
}

#[test]
fn what_only_the_store_sets_is_not_taken_from_the_input() {
    let mut input = stored();
    input.created_at = at(99);
    input.updated_at = at(99);
    input.revision = crate::Revision::new(99);
    for mask in [FieldMask::full(), FieldMask::of([FieldPath::Spec])] {
        let result = update(input.clone(), &mask, Rules::Strict);
        assert_eq!(result.unwrap(), updated(&[]));
    }
}

#[test]
fn updated_at_moves_forward_by_a_nanosecond_where_the_clock_does_not() {
    for (now, then) in [(30, 30), (21, 21), (20, 21), (19, 21), (-5, 21)] {
        let result = apply(
            &stored(),
            stored(),
            &FieldMask::full(),
            policy(Rules::Strict),
            at(now),
        );
        assert_eq!(result.unwrap().updated_at, at(then), "now {now}");
    }
}

#[test]
fn at_the_end_of_time_an_update_fails_instead_of_going_back() {
    let mut stored = stored();
    stored.updated_at = DateTime::<Utc>::MAX_UTC;
    let input = stored.clone();
    let error = apply(
        &stored,
        input,
        &FieldMask::full(),
        policy(Rules::Strict),
        at(0),
    )
    .unwrap_err();
    assert!(error.is_failed_precondition());
    assert_eq!(error.to_string(), "`updatedat` cannot move any further");
}

#[test]
fn a_key_in_quotes_that_only_a_filter_needs_is_refused() {
    let quoted = |path: &str| FieldMask::parse([path]).unwrap();
    for (path, meant) in [
        (r#"labels."b.c""#, "labels.b.c"),
        (r#"labels.b."c""#, "labels.b.c"),
        (r#"labels."new""#, "labels.new"),
        (r#"extensions."y.z""#, "extensions.y.z"),
    ] {
        let input = Container::with_id("web").label("new", "1");
        refuses(
            update(input, &quoted(path), Rules::Strict),
            &format!(
                "the field path `{path}` names a key with quotes in it, which exists neither in \
                 the input nor in the store; field paths take no quotes: write `{meant}`"
            ),
        );
    }
    // A label without a value does not count.
    let input = stored().label("\"b.c\"", "");
    assert!(update(input, &quoted(r#"labels."b.c""#), Rules::Strict).is_err());
    // Neither side has the key without the quotes, so an absent label is removed, as usual.
    let nobody = update(stored(), &quoted(r#"labels."nobody""#), Rules::Strict);
    assert_eq!(nobody.unwrap(), updated(&[]));
    // Invalid quotes are an ordinary part of the key.
    let open = update(stored(), &quoted(r#"labels."b.c"#), Rules::Strict);
    assert_eq!(open.unwrap(), updated(&[]));
}

#[test]
fn a_key_that_really_has_quotes_is_taken_with_them() {
    let mask = FieldMask::parse([r#"labels."b.c""#]).unwrap();
    let input = stored().label("\"b.c\"", "quoted");
    let set = update(input, &mask, Rules::Strict).unwrap();
    assert_eq!(set.labels["\"b.c\""], "quoted");
    assert_eq!(set.labels["b.c"], "2");
    let removed = apply(&set, stored(), &mask, policy(Rules::Strict), at(40)).unwrap();
    assert_eq!(removed.labels, stored().labels);
}
