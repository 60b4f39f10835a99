//! Laws of [`Store::apply`](bayplan::Store::apply): changes that are named one by one.

use bayplan::{Any, Container, ErrorKind, Labels, Record, Revision, Update};

use crate::expect::{fails, stored, tells, written};
use crate::sample::{HOME, any, complete, labels};
use crate::{Fixture, Law, Subject, Verdict, law_list};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    apply_changes_the_labels_that_it_names,
    apply_of_all_labels_replaces_them,
    apply_of_no_change_is_invalid_and_changes_nothing,
    apply_to_an_unknown_id_is_not_found,
    apply_of_an_invalid_change_changes_nothing,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    apply_changes_spec_and_extensions_of_a_container,
];

/// The laws of this module that are of records alone.
pub const RECORD_LAWS: &[Law] = law_list![
    [.of_records()]
    apply_changes_the_value_of_a_record,
];

/// The laws of this module that need revisions.
pub const REVISION_LAWS: &[Law] = law_list![
    both [.of_revisions()]
    apply_if_the_revision_is_another_fails_and_changes_nothing,
];

/// Expects a complete item to be this one after an update.
fn becomes<T: Subject>(fixture: &dyn Fixture, update: Update<T>, expected: &T) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let web = store.apply(update)?;
    written(&web, expected)?;
    stored(&*store, &web)?;
    Ok(store.delete("web")?)
}

/// It sets and removes labels, even absent ones, and changes nothing else.
pub fn apply_changes_the_labels_that_it_names<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let update = Update::<T>::new("web")
        .set_label("app", "caddy")
        .set_label("a.b", "new")
        .remove_label("io.kubernetes.pod.name")
        .remove_label("nobody");
    let mut expected = T::complete("web").label("app", "caddy").label("a.b", "new");
    expected.labels_mut().remove("io.kubernetes.pod.name");
    becomes(fixture, update, &expected)?;
    let update = Update::<T>::new("web")
        .set_label("x", "1")
        .remove_label("x");
    becomes(fixture, update, &T::complete("web"))
}

/// As a set.
pub fn apply_of_all_labels_replaces_them<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    for all in [Labels::new(), labels("tier", "front")] {
        let mut expected = T::complete("web");
        expected.labels_mut().clone_from(&all);
        becomes(fixture, Update::<T>::new("web").labels(all), &expected)?;
    }
    Ok(())
}

/// An update without changes is refused: it would otherwise be a full update.
pub fn apply_of_no_change_is_invalid_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    let result = store.apply(Update::new("web"));
    fails("apply", result, ErrorKind::InvalidArgument)?;
    stored(&*store, &web)
}

/// An update creates nothing.
pub fn apply_to_an_unknown_id_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let update = Update::new("web").set_label("a", "1");
    let error = fails("apply", store.apply(update), ErrorKind::NotFound)?;
    tells(&error, &["web", HOME])?;
    if fixture.has_revisions() {
        let update = Update::new("web").set_label("a", "1");
        let result = store.apply(update.if_revision(Revision::new(1)));
        fails("apply", result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// It is done completely or not at all.
pub fn apply_of_an_invalid_change_changes_nothing<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    for (key, value) in [("", "x".to_owned()), ("key", "v".repeat(4096))] {
        let update = Update::new("web").set_label("app", "caddy");
        let result = store.apply(update.set_label(key, value));
        fails("apply", result, ErrorKind::InvalidArgument)?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// Another writer changed it meanwhile.
pub fn apply_if_the_revision_is_another_fails_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::complete("web"))?.revision();
    let update = || Update::new("web").set_label("app", "caddy");
    let web = store.apply(update().if_revision(seen))?;
    let result = store.apply(update().remove_label("app").if_revision(seen));
    let error = fails("apply", result, ErrorKind::FailedPrecondition)?;
    tells(&error, &["web", HOME])?;
    stored(&*store, &web)
}

/// The whole spec, extensions one by one.
pub fn apply_changes_spec_and_extensions_of_a_container(fixture: &dyn Fixture) -> Verdict {
    let update = Update::<Container>::new("web")
        .spec(any("other"))
        .set_extension("a.b", Any::default())
        .set_extension("first", any("other"))
        .remove_extension("example.com/second.one");
    let mut expected = complete("web")
        .spec(any("other"))
        .extension("a.b", Any::default())
        .extension("first", any("other"));
    expected.extensions.remove("example.com/second.one");
    becomes(fixture, update, &expected)
}

/// And nothing else.
pub fn apply_changes_the_value_of_a_record(fixture: &dyn Fixture) -> Verdict {
    let update = Update::<Record>::new("web").value(any("other"));
    let expected = Record::complete("web").valued(any("other"));
    becomes(fixture, update, &expected)
}
