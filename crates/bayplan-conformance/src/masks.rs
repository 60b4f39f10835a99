//! Laws of [`Store::update`](bayplan::Store::update) with field paths.

use crate::expect::{equal, fails, stored, tells};
use crate::sample::{HOME, any, complete, unstamped};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{Container, ErrorKind, FieldMask};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    the_path_labels_replaces_all_labels_and_nothing_else,
    the_path_of_a_label_sets_that_label_only,
    the_path_of_a_label_takes_dots_into_the_key,
    the_path_of_a_label_that_the_input_lacks_removes_it,
    the_path_of_what_it_is_about_replaces_that_and_nothing_else,
    the_path_of_a_label_that_nobody_has_is_no_error,
    paths_of_labels_and_of_what_it_is_about_add_up,
    labels_that_no_path_names_are_not_looked_at,
    a_path_that_cannot_be_updated_is_invalid_and_named,
    one_bad_path_and_nothing_changes,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    the_path_spec_requires_a_spec,
    the_path_extensions_replaces_all_extensions_and_nothing_else,
    the_path_of_an_extension_sets_that_extension_only,
    the_path_of_an_extension_takes_dots_into_the_name,
    the_path_of_an_extension_that_the_input_lacks_removes_it,
    a_path_that_removes_what_is_not_there_is_no_error,
    quotes_in_a_path_are_a_part_of_a_key_that_has_them,
    quotes_around_a_key_that_has_none_are_invalid,
    several_paths_are_taken_together_and_in_any_order,
    what_no_path_names_is_not_looked_at,
];

/// Updates a complete one by `input` through `paths`; everything else is as it was.
fn updates_to<T: Subject>(
    fixture: &dyn Fixture,
    input: T,
    paths: &[&str],
    change: impl FnOnce(&mut T),
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut expected = unstamped(store.create(T::complete("web"))?);
    change(&mut expected);
    let updated = store.update(input, &FieldMask::deferred(paths))?;
    let what = format!("what is stored after {paths:?}");
    equal(&what, &unstamped(updated), &expected)?;
    equal(&what, &unstamped(store.get("web")?), &expected)
}

fn other() -> Container {
    Subject::other()
}

/// `labels` replaces the set.
pub fn the_path_labels_replaces_all_labels_and_nothing_else<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    updates_to(fixture, T::other(), &["labels"], |expected| {
        expected.labels_mut().clone_from(T::other().its_labels());
    })
}

/// `labels.KEY` sets one label.
pub fn the_path_of_a_label_sets_that_label_only<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    updates_to(fixture, T::other(), &["labels.new"], |expected| {
        sets(expected, "new");
    })
}

fn sets<T: Subject>(expected: &mut T, key: &str) {
    let labels = expected.labels_mut();
    labels.insert(key.to_owned(), "other".to_owned());
}

/// KEY is everything after the first dot.
pub fn the_path_of_a_label_takes_dots_into_the_key<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let key = "io.kubernetes.pod.name";
    let input = T::other().label(key, "other");
    updates_to(fixture, input, &[&format!("labels.{key}")], |expected| {
        sets(expected, key);
    })
}

/// The way to delete one label.
pub fn the_path_of_a_label_that_the_input_lacks_removes_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let input = T::with_id("web".to_owned());
    updates_to(fixture, input, &["labels.app"], |expected| {
        expected.labels_mut().remove("app");
    })
}

/// `spec` of a container and `value` of a record replace it.
pub fn the_path_of_what_it_is_about_replaces_that_and_nothing_else<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    updates_to(fixture, T::other(), &[T::VALUE], |expected| {
        *expected = expected.clone().valued(any("other"));
    })
}

/// A spec cannot be removed.
pub fn the_path_spec_requires_a_spec(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mask = FieldMask::deferred(["spec"]);
    let result = store.update(Container::with_id("web"), &mask);
    let error = fails("update to no spec", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["spec"])?;
    stored(&*store, &web)
}

/// `extensions` replaces the set.
pub fn the_path_extensions_replaces_all_extensions_and_nothing_else(
    fixture: &dyn Fixture,
) -> Verdict {
    updates_to(fixture, other(), &["extensions"], |expected| {
        expected.extensions = other().extensions;
    })
}

/// `extensions.NAME` sets one extension.
pub fn the_path_of_an_extension_sets_that_extension_only(fixture: &dyn Fixture) -> Verdict {
    updates_to(fixture, other(), &["extensions.new"], |expected| {
        expected.extensions.insert("new".to_owned(), any("other"));
    })
}

/// NAME is everything after the first dot.
pub fn the_path_of_an_extension_takes_dots_into_the_name(fixture: &dyn Fixture) -> Verdict {
    let name = "example.com/second.one";
    let input = other().extension(name, any("other"));
    updates_to(fixture, input, &[&format!("extensions.{name}")], |all| {
        all.extensions.insert(name.to_owned(), any("other"));
    })
}

/// It is removed, not replaced by an empty value.
pub fn the_path_of_an_extension_that_the_input_lacks_removes_it(fixture: &dyn Fixture) -> Verdict {
    let input = Container::with_id("web");
    updates_to(fixture, input, &["extensions.first"], |expected| {
        expected.extensions.remove("first");
    })
}

/// What was removed stays removed.
pub fn a_path_that_removes_what_is_not_there_is_no_error(fixture: &dyn Fixture) -> Verdict {
    let input = Container::with_id("web");
    let paths = ["labels.nobody", "extensions.nobody"];
    updates_to(fixture, input, &paths, |_| {})
}

/// A path has no quoting: the key is taken literally.
pub fn quotes_in_a_path_are_a_part_of_a_key_that_has_them(fixture: &dyn Fixture) -> Verdict {
    let input = other().label("\"app\"", "quoted");
    updates_to(fixture, input, &["labels.\"app\""], |expected| {
        expected
            .labels
            .insert("\"app\"".to_owned(), "quoted".to_owned());
    })
}

/// Quotes as in a filter would name nothing here, so the update would do nothing.
pub fn quotes_around_a_key_that_has_none_are_invalid(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    for (path, meant) in [
        ("labels.\"app\"", "labels.app"),
        ("labels.\"new\"", "labels.new"),
        ("extensions.\"first\"", "extensions.first"),
    ] {
        let result = store.update(other(), &FieldMask::deferred([path]));
        let error = fails(
            &format!("update of {path}"),
            result,
            ErrorKind::InvalidArgument,
        )?;
        tells(&error, &[path, meant, "web"])?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// Paths add up, also when one is named twice or contains another.
pub fn several_paths_are_taken_together_and_in_any_order(fixture: &dyn Fixture) -> Verdict {
    let paths = ["extensions.new", "labels.app", "spec", "labels", "spec"];
    updates_to(fixture, other(), &paths, |expected| {
        expected.labels = other().labels;
        expected.spec = other().spec;
        expected.extensions.insert("new".to_owned(), any("other"));
    })
}

/// The rest of the input may differ, or be invalid.
pub fn what_no_path_names_is_not_looked_at(fixture: &dyn Fixture) -> Verdict {
    let mut input = other()
        .label("", "a label without a key")
        .extension("", any("an extension without a name"))
        .snapshot("", "a key without a snapshotter");
    input.spec = None;
    input.runtime.name.clear();
    updates_to(fixture, input, &["labels.new"], |expected| {
        expected.labels.insert("new".to_owned(), "other".to_owned());
    })
}

/// Anything that is not listed as a path is refused.
pub fn a_path_that_cannot_be_updated_is_invalid_and_named<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    for path in T::NO_PATHS {
        let result = store.update(T::other(), &FieldMask::deferred([path]));
        let what = format!("update of {path:?}");
        let error = fails(&what, result, ErrorKind::InvalidArgument)?;
        tells(&error, &[&format!("{path:?}"), "web"])?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// All paths are checked before anything is written, wherever the bad one is.
pub fn one_bad_path_and_nothing_changes<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    for paths in [
        ["labels", T::VALUE, "nope"],
        ["nope", "labels", T::VALUE],
        ["labels", "runtime", T::VALUE],
    ] {
        let result = store.update(T::other(), &FieldMask::deferred(paths));
        fails("update", result, ErrorKind::InvalidArgument)?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// A label that is to be removed need not exist.
pub fn the_path_of_a_label_that_nobody_has_is_no_error<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let input = T::with_id("web".to_owned());
    updates_to(fixture, input, &["labels.nobody"], |_| {})
}

/// Paths add up, also when one is named twice or contains another.
pub fn paths_of_labels_and_of_what_it_is_about_add_up<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let paths = ["labels.app", T::VALUE, "labels", T::VALUE];
    updates_to(fixture, T::other(), &paths, |expected| {
        expected.labels_mut().clone_from(T::other().its_labels());
        *expected = expected.clone().valued(any("other"));
    })
}

/// The rest of the input may be invalid.
pub fn labels_that_no_path_names_are_not_looked_at<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let input = T::other().label("", "a label without a key");
    updates_to(fixture, input, &["labels.new"], |expected| {
        sets(expected, "new");
    })
}
