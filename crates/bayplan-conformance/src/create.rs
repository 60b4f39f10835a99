//! Laws of [`Store::create`](bayplan::Store::create).

use crate::expect::{equal, fails, holds, namespaces_are, stored, tells, written};
use crate::sample::{AWAY, HOME, any, bare, forged, forged_revision, forged_time};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{Any, ErrorKind, Runtime};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    create_then_get_gives_what_create_returned,
    create_returns_every_field_as_it_was_given,
    create_stamps_both_times_alike,
    create_ignores_the_times_and_the_revision_of_the_caller,
    create_of_a_taken_id_is_already_exists_and_changes_nothing,
    create_takes_the_same_id_in_two_namespaces,
    create_tells_ids_apart_that_differ_in_case_only,
    create_refuses_an_id_that_is_no_identifier_and_names_it,
    create_checks_the_container_before_it_looks_for_the_id,
    create_brings_its_namespace_into_being,
    a_failed_create_leaves_neither_a_container_nor_a_namespace,
    a_failed_create_leaves_its_neighbours_alone,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    create_keeps_values_byte_for_byte,
    create_accepts_a_spec_that_is_present_but_empty,
    create_tells_empty_options_from_none,
    create_does_not_validate_images,
    create_requires_a_runtime_name,
    create_requires_a_spec,
    create_requires_a_snapshotter_with_a_snapshot_key,
    create_accepts_a_snapshotter_without_a_snapshot_key,
];

/// What `create` returns is what is stored.
pub fn create_then_get_gives_what_create_returned<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    stored(&*store, &store.create(T::bare("bare"))?)?;
    stored(&*store, &store.create(T::complete("complete"))?)
}

/// Every field that the caller sets is stored as given.
pub fn create_returns_every_field_as_it_was_given<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for given in [T::bare("bare"), T::complete("complete")] {
        let created = store.create(given.clone())?;
        written(&created, &given)?;
    }
    Ok(())
}

/// Specs, options and extensions are bytes that are never interpreted.
pub fn create_keeps_values_byte_for_byte(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let odd = Any::new("/odd URL\n\0é", bytes);
    let mut given = bare("web").spec(odd.clone()).extension("x", odd.clone());
    given.runtime.options = Some(odd);
    store.create(given.clone())?;
    let container = store.get("web")?;
    let values = |all: &bayplan::Container| {
        let mut values = vec![all.spec.clone(), all.runtime.options.clone()];
        values.extend(all.extensions.values().cloned().map(Some));
        values
    };
    holds(
        "the bytes of spec, options and extension to be kept",
        values(&container) == values(&given),
    )
}

/// A spec of no type and no bytes is a spec.
pub fn create_accepts_a_spec_that_is_present_but_empty(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web").spec(Any::default()))?;
    equal("the spec", &store.get("web")?.spec, &Some(Any::default()))
}

/// Options that are present but empty stay present.
pub fn create_tells_empty_options_from_none(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut empty = bare("empty");
    empty.runtime.options = Some(Any::default());
    store.create(empty)?;
    store.create(bare("none"))?;
    let options = |id| store.get(id).map(|container| container.runtime.options);
    equal("the options", &options("empty")?, &Some(Any::default()))?;
    equal("the options", &options("none")?, &None)
}

/// An image is any text.
pub fn create_does_not_validate_images(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let image = "//no: image\n@é ";
    store.create(bare("web").image(image))?;
    equal("the image", &store.get("web")?.image, &image.to_owned())
}

/// A new container was updated when it was created.
pub fn create_stamps_both_times_alike<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let created = T::store(fixture, HOME)?.create(T::bare("web"))?;
    equal("updated_at", &created.times().1, &created.times().0)
}

/// The store sets times and revision, whatever the caller passes.
pub fn create_ignores_the_times_and_the_revision_of_the_caller<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(forged(T::bare("web")))?;
    let web = store.get("web")?;
    holds(
        "created_at to be the store's",
        web.times().0 != forged_time(),
    )?;
    holds(
        "updated_at to be the store's",
        web.times().1 != forged_time(),
    )?;
    holds(
        "the revision to be the store's",
        web.revision() != forged_revision(),
    )
}

/// An id can be used only once; the error names it.
pub fn create_of_a_taken_id_is_already_exists_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let first = store.create(T::complete("web"))?;
    let again = store.create(T::bare("web"));
    let error = fails("create of a taken id", again, ErrorKind::AlreadyExists)?;
    tells(&error, &["web", HOME])?;
    stored(&*store, &first)
}

/// Ids are unique in their namespace only.
pub fn create_takes_the_same_id_in_two_namespaces<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (T::store(fixture, HOME)?, T::store(fixture, AWAY)?);
    let first = home.create(T::bare("web").label("mark", "home"))?;
    let second = away.create(T::bare("web").label("mark", "away"))?;
    stored(&*home, &first)?;
    stored(&*away, &second)
}

/// Ids are bytes: case matters.
pub fn create_tells_ids_apart_that_differ_in_case_only<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let lower = store.create(T::bare("web").label("mark", "lower"))?;
    let upper = store.create(T::bare("WEB").label("mark", "upper"))?;
    stored(&*store, &lower)?;
    stored(&*store, &upper)
}

/// `runtime.name` is required, and named when it is missing.
pub fn create_requires_a_runtime_name(fixture: &dyn Fixture) -> Verdict {
    let mut nameless = bare("web");
    nameless.runtime = Runtime::new("").options(any("options"));
    let result = fixture.store(HOME)?.create(nameless);
    let error = fails(
        "create without runtime.name",
        result,
        ErrorKind::InvalidArgument,
    )?;
    tells(&error, &["runtime.name", "web"])
}

/// `spec` is required, and named when it is missing.
pub fn create_requires_a_spec(fixture: &dyn Fixture) -> Verdict {
    let mut without = bare("web");
    without.spec = None;
    let result = fixture.store(HOME)?.create(without);
    let error = fails("create without spec", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["spec", "web"])
}

/// A snapshot key requires a snapshotter.
pub fn create_requires_a_snapshotter_with_a_snapshot_key(fixture: &dyn Fixture) -> Verdict {
    let result = fixture.store(HOME)?.create(bare("web").snapshot("", "key"));
    let error = fails(
        "create with a snapshot key alone",
        result,
        ErrorKind::InvalidArgument,
    )?;
    tells(&error, &["snapshotter", "web"])
}

/// A snapshotter does not require a snapshot key.
pub fn create_accepts_a_snapshotter_without_a_snapshot_key(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    stored(
        &*store,
        &store.create(bare("web").snapshot("overlayfs", ""))?,
    )
}

/// Anything but an id is refused, with its text in the error.
pub fn create_refuses_an_id_that_is_no_identifier_and_names_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for id in T::NO_IDS {
        let what = format!("create of {id:?}");
        let error = fails(&what, store.create(T::bare(id)), ErrorKind::InvalidArgument)?;
        tells(&error, &[&format!("{id:?}"), HOME])?;
    }
    Ok(())
}

/// An invalid container is invalid even if its id is taken.
pub fn create_checks_the_container_before_it_looks_for_the_id<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let invalid = T::bare("web").label("", "x");
    fails(
        "create of what is invalid and taken",
        store.create(invalid),
        ErrorKind::InvalidArgument,
    )?;
    Ok(())
}

/// The namespace need not have been created.
pub fn create_brings_its_namespace_into_being<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    T::store(fixture, HOME)?.create(T::bare("web"))?;
    namespaces_are(fixture, &[HOME])
}

/// Nothing is half-written.
pub fn a_failed_create_leaves_neither_a_container_nor_a_namespace<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let invalid = T::complete("web").label("", "x");
    fails(
        "create without spec",
        store.create(invalid),
        ErrorKind::InvalidArgument,
    )?;
    fails("get", store.get("web"), ErrorKind::NotFound)?;
    equal("the count", &store.query().count()?, &0)?;
    namespaces_are(fixture, &[])
}

/// A failed create does not touch what is stored.
pub fn a_failed_create_leaves_its_neighbours_alone<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    let refused = store.create(T::bare("web-1").label("", "x"));
    fails(
        "create with an empty label key",
        refused,
        ErrorKind::InvalidArgument,
    )?;
    equal(
        "the containers",
        &store.list(&bayplan::Filters::all())?,
        &vec![web],
    )
}
