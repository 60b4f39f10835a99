//! Laws of a container's labels.

use super::expect::{equal, fails, finds, stored};
use super::sample::{HOME, bare, complete};
use super::{Fixture, Law, Verdict, law_list};
use crate::container::Container;
use crate::error::ErrorKind;
use crate::mask::FieldMask;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    a_label_with_an_empty_value_is_not_stored_by_create,
    a_label_with_an_empty_value_is_removed_by_a_full_update,
    a_label_with_an_empty_value_is_removed_by_the_path_labels,
    a_label_with_an_empty_key_is_invalid_whatever_its_value,
    keys_and_values_of_labels_are_any_text,
];

/// The returned container does not have it either.
pub fn a_label_with_an_empty_value_is_not_stored_by_create(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let created = store.create(bare("web").label("a", "1").label("b", ""))?;
    equal(
        "the labels",
        &created.labels,
        &bare("web").label("a", "1").labels,
    )?;
    stored(&*store, &created)?;
    finds(&*store, "labels.b", &[])
}

/// A full update with an empty value unsets the label.
pub fn a_label_with_an_empty_value_is_removed_by_a_full_update(fixture: &dyn Fixture) -> Verdict {
    empty_value_removes(fixture, &FieldMask::full())
}

/// The path `labels` with an empty value unsets the label.
pub fn a_label_with_an_empty_value_is_removed_by_the_path_labels(fixture: &dyn Fixture) -> Verdict {
    empty_value_removes(fixture, &FieldMask::deferred(["labels"]))
}

fn empty_value_removes(fixture: &dyn Fixture, mask: &FieldMask) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let updated = store.update(complete("web").label("app", ""), mask)?;
    let mut expected = complete("web").labels;
    expected.remove("app");
    equal("the labels", &updated.labels, &expected)?;
    equal("the labels", &store.get("web")?.labels, &expected)
}

/// Neither create nor update takes it, even to unset it.
pub fn a_label_with_an_empty_key_is_invalid_whatever_its_value(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    for value in ["", "x"] {
        let result = store.create(bare("db").label("", value));
        fails("create", result, ErrorKind::InvalidArgument)?;
        let input = Container::with_id("web").label("", value);
        let result = store.update(input, &FieldMask::deferred(["labels"]));
        fails("update", result, ErrorKind::InvalidArgument)?;
    }
    stored(&*store, &web)
}

/// Only their length is limited.
pub fn keys_and_values_of_labels_are_any_text(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut given = bare("web");
    for text in [
        " ",
        ".",
        "a.b",
        "a/b",
        "é日本",
        "\n",
        "\0",
        "a\0b",
        "\u{10ffff}",
        "\"'",
    ] {
        given = given.label(text, text);
    }
    let created = store.create(given.clone())?;
    equal("the labels", &created.labels, &given.labels)?;
    stored(&*store, &created)
}
