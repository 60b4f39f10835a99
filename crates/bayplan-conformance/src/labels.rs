//! Laws of labels.

use crate::expect::{equal, fails, finds, stored};
use crate::sample::{HOME, ODD_TEXTS};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{ErrorKind, FieldMask};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    a_label_with_an_empty_key_is_invalid_whatever_its_value,
    keys_and_values_of_labels_are_any_text,
];

/// The laws of stores in which an empty value means "no label".
pub const DROPPING_LAWS: &[Law] = law_list![
    both [.keeping_empty_labels(false)]
    a_label_with_an_empty_value_is_not_stored_by_create,
    a_label_with_an_empty_value_is_removed_by_a_full_update,
    a_label_with_an_empty_value_is_removed_by_the_path_labels,
    the_path_of_a_label_with_an_empty_value_removes_it,
];

/// The returned container does not have it either.
pub fn a_label_with_an_empty_value_is_not_stored_by_create<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let created = store.create(T::bare("web").label("a", "1").label("b", ""))?;
    let expected = T::bare("web").label("a", "1");
    equal("the labels", created.its_labels(), expected.its_labels())?;
    stored(&*store, &created)?;
    finds(&*store, "labels.b", &[])
}

/// A full update with an empty value unsets the label.
pub fn a_label_with_an_empty_value_is_removed_by_a_full_update<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    empty_value_removes::<T>(fixture, &FieldMask::full())
}

/// The path `labels` with an empty value unsets the label.
pub fn a_label_with_an_empty_value_is_removed_by_the_path_labels<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    empty_value_removes::<T>(fixture, &FieldMask::deferred(["labels"]))
}

/// The path of the label with an empty value unsets it.
pub fn the_path_of_a_label_with_an_empty_value_removes_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    empty_value_removes::<T>(fixture, &FieldMask::deferred(["labels.app"]))
}

fn empty_value_removes<T: Subject>(fixture: &dyn Fixture, mask: &FieldMask) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let updated = store.update(T::complete("web").label("app", ""), mask)?;
    let mut expected = T::complete("web").its_labels().clone();
    expected.remove("app");
    equal("the labels", updated.its_labels(), &expected)?;
    equal("the labels", store.get("web")?.its_labels(), &expected)
}

/// Neither create nor update takes it, even to unset it.
pub fn a_label_with_an_empty_key_is_invalid_whatever_its_value<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    for value in ["", "x"] {
        let result = store.create(T::bare("db").label("", value));
        fails("create", result, ErrorKind::InvalidArgument)?;
        let result = store.put(T::complete("web").label("", value));
        fails("put", result, ErrorKind::InvalidArgument)?;
        let input = T::with_id("web".to_owned()).label("", value);
        let result = store.update(input, &FieldMask::deferred(["labels"]));
        fails("update", result, ErrorKind::InvalidArgument)?;
    }
    stored(&*store, &web)
}

/// Only their length is limited.
pub fn keys_and_values_of_labels_are_any_text<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut given = T::bare("web");
    for text in ODD_TEXTS {
        given = given.label(text, text);
    }
    let created = store.create(given.clone())?;
    equal("the labels", created.its_labels(), given.its_labels())?;
    stored(&*store, &created)
}
