//! Laws of [`Store::put`](bayplan::Store::put) and [`Store::put_if`](bayplan::Store::put_if).

use bayplan::{Container, ErrorKind, Revision, Rules};

use crate::expect::{equal, fails, holds, namespaces_are, stored, tells, written};
use crate::sample::{AWAY, HOME, any, bare, complete, forged, forged_revision, forged_time};
use crate::{Fixture, Law, Subject, Verdict, law_list};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    put_of_a_new_id_creates,
    put_of_a_taken_id_replaces_labels_and_value,
    put_keeps_created_at_and_moves_updated_at,
    put_ignores_the_times_and_the_revision_of_the_caller,
    put_refuses_what_create_refuses_and_changes_nothing,
    put_changes_nothing_else,
];

/// The laws of this module that need revisions.
pub const REVISION_LAWS: &[Law] = law_list![
    both [.of_revisions()]
    put_if_of_the_stored_revision_replaces,
    put_if_of_another_revision_fails_and_changes_nothing,
    put_if_of_an_unknown_id_is_not_found_and_creates_nothing,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    put_replaces_the_extensions,
    put_of_another_runtime_or_snapshotter_is_a_failed_precondition_and_names_the_field,
];

/// The laws of this module that hold under [`Rules::Strict`].
pub const STRICT_LAWS: &[Law] = law_list![
    [.under(Rules::Strict)]
    a_strict_put_of_another_image_snapshot_or_sandbox_names_every_field_that_differs,
];

/// The namespace need not have been created.
pub fn put_of_a_new_id_creates<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.put(T::complete("web"))?;
    written(&web, &T::complete("web"))?;
    equal("updated_at", &web.times().1, &web.times().0)?;
    stored(&*store, &web)?;
    namespaces_are(fixture, &[HOME])
}

/// Replacing is not merging: what the input lacks is removed.
pub fn put_of_a_taken_id_replaces_labels_and_value<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut before = store.create(T::complete("web"))?;
    let mut input = T::complete("web").label("new", "1").valued(any("other"));
    input.labels_mut().remove("app");
    for input in [input, T::complete("web")] {
        let web = store.put(input.clone())?;
        written(&web, &input)?;
        let is_later = web.revision() > before.revision() || !fixture.has_revisions();
        holds("a later revision", is_later)?;
        stored(&*store, &web)?;
        before = web;
    }
    Ok(())
}

/// As for an update, even if nothing else changes.
pub fn put_keeps_created_at_and_moves_updated_at<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let (created, mut last) = store.create(T::bare("web"))?.times();
    for _ in 0..3 {
        let times = store.put(T::bare("web"))?.times();
        equal("created_at", &times.0, &created)?;
        holds("updated_at to move strictly forward", times.1 > last)?;
        equal("the times", &store.get("web")?.times(), &times)?;
        last = times.1;
    }
    Ok(())
}

/// Whether it creates or replaces.
pub fn put_ignores_the_times_and_the_revision_of_the_caller<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for _ in 0..2 {
        let web = store.put(forged(T::bare("web")))?;
        let (created, updated) = web.times();
        let own = created != forged_time() && updated != forged_time();
        holds("the times to be the store's", own)?;
        let own = web.revision() != forged_revision();
        holds("the revision to be the store's", own)?;
    }
    Ok(())
}

/// Whether it would create or replace.
pub fn put_refuses_what_create_refuses_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for id in T::NO_IDS {
        let result = store.put(T::bare(id));
        fails(
            &format!("put of {id:?}"),
            result,
            ErrorKind::InvalidArgument,
        )?;
    }
    namespaces_are(fixture, &[])?;
    let web = store.create(T::complete("web"))?;
    for id in ["web", "db"] {
        let input = T::complete(id).label("key", "v".repeat(4096));
        let error = fails("put", store.put(input), ErrorKind::InvalidArgument)?;
        tells(&error, &[id, HOME])?;
    }
    equal("what is listed", &store.query().list()?, &vec![web])
}

/// Neither ids that begin alike nor the same id elsewhere are touched.
pub fn put_changes_nothing_else<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (T::store(fixture, HOME)?, T::store(fixture, AWAY)?);
    let next = home.create(T::complete("web-1"))?;
    let elsewhere = away.create(T::complete("web"))?;
    home.put(T::complete("web"))?;
    home.put(T::complete("web").valued(any("other")))?;
    stored(&*home, &next)?;
    stored(&*away, &elsewhere)
}

/// No other writer changed it meanwhile.
pub fn put_if_of_the_stored_revision_replaces<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::complete("web"))?.revision();
    let input = T::complete("web").label("app", "caddy");
    let web = store.put_if(seen, input.clone())?;
    written(&web, &input)?;
    stored(&*store, &web)
}

/// Another writer changed it meanwhile. The error names the id, and is not about an immutable field.
pub fn put_if_of_another_revision_fails_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::complete("web"))?.revision();
    let web = store.put(T::complete("web").label("a", "1"))?;
    for revision in [seen, Revision::NONE] {
        let result = store.put_if(revision, T::complete("web"));
        let error = fails("put_if", result, ErrorKind::FailedPrecondition)?;
        tells(&error, &["web", HOME])?;
        let of_field = error.is_immutable_field();
        holds("an error that is not about an immutable field", !of_field)?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// There is no revision to compare with.
pub fn put_if_of_an_unknown_id_is_not_found_and_creates_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for revision in [Revision::NONE, Revision::new(1)] {
        let result = store.put_if(revision, T::bare("web"));
        fails("put_if", result, ErrorKind::NotFound)?;
    }
    namespaces_are(fixture, &[])
}

/// As a set.
pub fn put_replaces_the_extensions(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let mut input = complete("web").extension("third", any("3"));
    input.extensions.remove("first");
    let web = store.put(input.clone())?;
    written(&web, &input)?;
    stored(&*store, &web)
}

/// A put of the stored container with these changes is refused, names the fields and changes nothing.
fn refuses(fixture: &dyn Fixture, change: impl FnOnce(&mut Container), fields: &[&str]) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.put(complete("web"))?;
    let mut input = complete("web").label("more", "1");
    change(&mut input);
    let mut results = vec![("put", store.put(input.clone()))];
    if fixture.has_revisions() {
        results.push(("put_if", store.put_if(web.revision, input)));
    }
    for (what, result) in results {
        let error = fails(what, result, ErrorKind::FailedPrecondition)?;
        tells(&error, &["web", HOME])?;
        tells(&error, fields)?;
        let of_field = error.is_immutable_field();
        holds("an error that is about an immutable field", of_field)?;
    }
    stored(&*store, &web)
}

/// These fields never change: the container must be deleted first.
pub fn put_of_another_runtime_or_snapshotter_is_a_failed_precondition_and_names_the_field(
    fixture: &dyn Fixture,
) -> Verdict {
    refuses(
        fixture,
        |input| input.runtime.name.push('x'),
        &["runtime.name"],
    )?;
    refuses(
        fixture,
        |input| input.snapshotter.push('x'),
        &["snapshotter"],
    )
}

/// The error names every field that differs.
pub fn a_strict_put_of_another_image_snapshot_or_sandbox_names_every_field_that_differs(
    fixture: &dyn Fixture,
) -> Verdict {
    refuses(
        fixture,
        |input| *input = bare("web"),
        &["image", "runtime.options", "snapshot_key", "sandbox_id"],
    )
}
