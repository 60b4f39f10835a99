//! Laws of stores that keep labels with an empty value.

use bayplan::{FieldMask, Labels, Update};

use crate::expect::{equal, finds, stored, written};
use crate::sample::{HOME, labels};
use crate::{Fixture, Law, Subject, Verdict, law_list};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both [.keeping_empty_labels(true)]
    an_empty_label_is_stored_by_every_way_to_write,
    an_empty_label_is_present_and_equal_to_the_empty_text,
    the_path_of_a_label_removes_it_only_where_the_input_lacks_it,
];

/// The laws of namespaces.
pub const NAMESPACE_LAWS: &[Law] = law_list![
    [.keeping_empty_labels(true)]
    create_namespace_keeps_labels_with_empty_values,
];

/// Create, put, full update, and the paths of all labels and of one.
pub fn an_empty_label_is_stored_by_every_way_to_write<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let with_empty = |key| T::complete("web").label(key, "");
    let created = store.create(with_empty("a"))?;
    written(&created, &with_empty("a"))?;
    stored(&*store, &created)?;
    let put = store.put(with_empty("b"))?;
    written(&put, &with_empty("b"))?;
    stored(&*store, &put)?;
    for mask in [FieldMask::full(), FieldMask::deferred(["labels"])] {
        let updated = store.update(with_empty("c"), &mask)?;
        let expected = with_empty("c");
        written(&updated, &expected)?;
        stored(&*store, &updated)?;
        store.put(T::complete("web"))?;
    }
    let updated = store.update(with_empty("d"), &FieldMask::deferred(["labels.d"]))?;
    let expected = with_empty("d");
    written(&updated, &expected)?;
    stored(&*store, &updated)
}

/// A filter distinguishes it from an absent label.
pub fn an_empty_label_is_present_and_equal_to_the_empty_text<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("absent"))?;
    store.create(T::bare("empty").label("k", ""))?;
    store.create(T::bare("full").label("k", "x"))?;
    finds(&*store, "labels.k", &["empty", "full"])?;
    finds(&*store, r#"labels.k=="""#, &["empty"])?;
    finds(&*store, r#"labels.k!="""#, &["full"])?;
    finds(&*store, "labels.k!=x", &["absent", "empty"])?;
    finds(&*store, "labels.k,labels.k~=^$", &["empty"])
}

/// An empty value is a value like any other.
pub fn the_path_of_a_label_removes_it_only_where_the_input_lacks_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let web = store.apply(Update::new("web").set_label("app", ""))?;
    let mut expected = T::complete("web").label("app", "");
    written(&web, &expected)?;
    let web = store.apply(Update::new("web").remove_label("app"))?;
    expected.labels_mut().remove("app");
    written(&web, &expected)?;
    stored(&*store, &web)
}

/// Setting one of them to an empty value still removes it: a namespace's label has no other way to go.
pub fn create_namespace_keeps_labels_with_empty_values(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("empty", ""))?;
    let has = |expected: &Labels| {
        let found = namespaces.namespace_labels(HOME)?;
        equal("the labels", &found, expected)
    };
    has(&labels("empty", ""))?;
    namespaces.set_namespace_label(HOME, "empty", "")?;
    has(&Labels::new())
}
