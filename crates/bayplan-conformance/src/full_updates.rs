//! Laws of [`Store::update`](bayplan::Store::update), most of all with
//! [`FieldMask::full`](bayplan::FieldMask::full).

use crate::expect::{equal, fails, holds, namespaces_are, stored, tells, written};
use crate::rules::refuses;
use crate::sample::{AWAY, HOME, any, complete, forged, forged_revision, forged_time};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{Container, ErrorKind, FieldMask, Filters};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    update_of_an_empty_id_is_invalid,
    update_of_an_unknown_id_is_not_found_and_names_it,
    update_of_what_is_no_identifier_is_not_found,
    update_in_an_unknown_namespace_is_not_found_and_makes_none,
    update_of_an_unknown_id_is_not_found_also_with_a_bad_mask,
    update_then_get_gives_what_update_returned,
    update_keeps_created_at,
    update_moves_updated_at_strictly_forward,
    update_of_nothing_moves_updated_at,
    update_ignores_the_times_and_the_revision_of_the_caller,
    update_changes_no_other_container,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    a_full_update_replaces_labels_spec_and_extensions,
    a_full_update_removes_what_the_input_lacks,
    a_full_update_requires_a_spec,
    a_full_update_refuses_another_runtime_name_and_names_the_field,
    a_full_update_refuses_another_snapshotter_and_names_the_field,
    update_validates_its_result_and_a_failed_one_changes_nothing,
];

/// An update is of some container.
pub fn update_of_an_empty_id_is_invalid<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for mask in [FieldMask::full(), FieldMask::deferred(["labels"])] {
        let result = store.update(T::bare(""), &mask);
        fails("update of an empty id", result, ErrorKind::InvalidArgument)?;
    }
    Ok(())
}

/// The error names the container and the namespace.
pub fn update_of_an_unknown_id_is_not_found_and_names_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let result = store.update(T::bare("db"), &FieldMask::full());
    let error = fails("update of an unknown id", result, ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// What cannot be there is not there.
pub fn update_of_what_is_no_identifier_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for id in T::NO_IDS.iter().filter(|id| !id.is_empty()) {
        let result = store.update(T::bare(id), &FieldMask::full());
        fails(&format!("update of {id:?}"), result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// An update creates nothing.
pub fn update_in_an_unknown_namespace_is_not_found_and_makes_none<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let result = T::store(fixture, HOME)?.update(T::bare("web"), &FieldMask::full());
    let error = fails("update", result, ErrorKind::NotFound)?;
    tells(&error, &["web", HOME])?;
    namespaces_are(fixture, &[])
}

/// The container is looked for before the mask and the input are looked at.
pub fn update_of_an_unknown_id_is_not_found_also_with_a_bad_mask<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    for path in ["nope", "id", "labels."] {
        let mask = FieldMask::deferred([path]);
        let result = store.update(T::with_id("db".to_owned()), &mask);
        fails(&format!("update of {path:?}"), result, ErrorKind::NotFound)?;
    }
    let invalid = T::bare("db").label("", "x");
    let result = store.update(invalid, &FieldMask::full());
    fails("update by an invalid input", result, ErrorKind::NotFound)?;
    Ok(())
}

/// What `update` returns is what is stored.
pub fn update_then_get_gives_what_update_returned<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let full = store.update(T::complete("web").label("more", "1"), &FieldMask::full())?;
    stored(&*store, &full)?;
    let change = T::with_id("web".to_owned()).label("more", "2");
    let masked = store.update(change, &FieldMask::deferred(["labels.more"]))?;
    stored(&*store, &masked)
}

/// The fields that may change under all rules.
pub fn a_full_update_replaces_labels_spec_and_extensions(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let mut input = complete("web").spec(any("other-spec"));
    input.labels = crate::sample::labels("app", "caddy");
    input.extensions = [("third".to_owned(), any("3"))].into();
    let updated = store.update(input.clone(), &FieldMask::full())?;
    written(&updated, &input)?;
    written(&store.get("web")?, &input)
}

/// Replacing is not merging: labels and extensions that the input lacks are gone, also from the
/// next `get`.
pub fn a_full_update_removes_what_the_input_lacks(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let mut input = complete("web");
    input.labels.clear();
    input.extensions.clear();
    store.update(input.clone(), &FieldMask::full())?;
    written(&store.get("web")?, &input)
}

/// The result must be valid, and a spec is required.
pub fn a_full_update_requires_a_spec(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mut input = complete("web");
    input.spec = None;
    let result = store.update(input, &FieldMask::full());
    let error = fails("update without spec", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["spec"])?;
    stored(&*store, &web)
}

/// The runtime's name never changes.
pub fn a_full_update_refuses_another_runtime_name_and_names_the_field(
    fixture: &dyn Fixture,
) -> Verdict {
    let change = |input: &mut Container| input.runtime.name = "io.containerd.kata.v2".to_owned();
    refuses(fixture, change, &["runtime.name", "web"])
}

/// The snapshotter never changes.
pub fn a_full_update_refuses_another_snapshotter_and_names_the_field(
    fixture: &dyn Fixture,
) -> Verdict {
    let change = |input: &mut Container| input.snapshotter = "native".to_owned();
    refuses(fixture, change, &["snapshotter", "web"])
}

/// A container was created once.
pub fn update_keeps_created_at<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let created = store.create(T::bare("web"))?.times().0;
    for mask in [FieldMask::full(), FieldMask::deferred(["labels"])] {
        let updated = store.update(forged(T::bare("web")), &mask)?;
        equal("created_at", &updated.times().0, &created)?;
        equal("created_at", &store.get("web")?.times().0, &created)?;
    }
    Ok(())
}

/// Each update is later than the one before, even if no time passes between them.
pub fn update_moves_updated_at_strictly_forward<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut last = store.create(T::bare("web"))?.times().1;
    for number in 0..20 {
        let change = T::bare("web").label("number", number.to_string());
        let updated = store.update(change, &FieldMask::full())?.times().1;
        holds("updated_at to move strictly forward", updated > last)?;
        last = updated;
    }
    equal("updated_at", &store.get("web")?.times().1, &last)
}

/// An update that changes nothing is an update.
pub fn update_of_nothing_moves_updated_at<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    for mask in [FieldMask::full(), T::value_mask()] {
        let before = store.get("web")?.times().1;
        let updated = store.update(web.clone(), &mask)?;
        holds("updated_at to move", updated.times().1 > before)?;
    }
    Ok(())
}

/// Times and revision are the store's, whatever the caller says.
pub fn update_ignores_the_times_and_the_revision_of_the_caller<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let web = store.update(forged(T::bare("web")), &FieldMask::full())?;
    let times = [web.times().0, web.times().1];
    holds(
        "the times to be the store's",
        times.iter().all(|time| *time != forged_time()),
    )?;
    holds(
        "the revision to be the store's",
        web.revision() != forged_revision(),
    )
}

/// Neither ids that begin alike nor the same id elsewhere are touched.
pub fn update_changes_no_other_container<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (T::store(fixture, HOME)?, T::store(fixture, AWAY)?);
    let others = [
        home.create(T::complete("web-1"))?,
        home.create(T::complete("web.1"))?,
    ];
    home.create(T::complete("web"))?;
    let elsewhere = away.create(T::complete("web"))?;
    let mut input = T::complete("web").valued(any("other"));
    input.labels_mut().clear();
    home.update(input, &FieldMask::full())?;
    for other in &others {
        stored(&*home, other)?;
    }
    stored(&*away, &elsewhere)
}

/// An update is held to the rules of `create`, and happens completely or not at all.
pub fn update_validates_its_result_and_a_failed_one_changes_nothing(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let changed = complete("web").label("app", "caddy").spec(any("other"));
    for invalid in [
        changed.clone().label("", "x"),
        changed.clone().label("key", "v".repeat(4096)),
        changed.extension("", any("x")),
    ] {
        for mask in [
            FieldMask::full(),
            FieldMask::deferred(["spec", "labels", "extensions"]),
        ] {
            let result = store.update(invalid.clone(), &mask);
            fails("an invalid update", result, ErrorKind::InvalidArgument)?;
            equal(
                "the containers",
                &store.list(&Filters::all())?,
                &vec![web.clone()],
            )?;
        }
    }
    Ok(())
}
