//! Laws of [`Store::import`](bayplan::Store::import).

use bayplan::{ErrorKind, Revision};
use chrono::{DateTime, Utc};

use crate::expect::{equal, fails, holds, namespaces_are, stored, tells, written};
use crate::sample::{HOME, forged_revision};
use crate::{Fixture, Law, Subject, Verdict, law_list};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both [.of_imports()]
    import_keeps_the_times_of_the_caller,
    import_sets_the_revision_itself,
    import_of_what_was_updated_before_it_was_created_is_invalid,
    import_of_a_taken_id_is_already_exists_and_changes_nothing,
    import_refuses_what_create_refuses,
    an_update_of_what_was_imported_is_later_than_its_times,
];

/// Two times to the nanosecond, long ago.
fn times() -> (DateTime<Utc>, DateTime<Utc>) {
    let created = DateTime::from_timestamp_nanos(1_000_000_001);
    let updated = DateTime::from_timestamp_nanos(1_700_000_000_123_456_789);
    (created, updated)
}

/// Both, also if they are the same, or before the epoch.
pub fn import_keeps_the_times_of_the_caller<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let (created, updated) = times();
    let old = DateTime::from_timestamp_nanos(-1);
    for (id, times) in [
        ("a", (created, updated)),
        ("b", (created, created)),
        ("c", (old, created)),
    ] {
        let given = T::complete(id).stamped(times, Revision::NONE);
        let imported = store.import(given)?;
        equal("the times", &imported.times(), &times)?;
        written(&imported, &T::complete(id))?;
        stored(&*store, &imported)?;
    }
    namespaces_are(fixture, &[HOME])
}

/// It is a state of this store.
pub fn import_sets_the_revision_itself<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let first = store.create(T::bare("first"))?.revision();
    let given = T::bare("web").stamped(times(), forged_revision());
    let web = store.import(given)?.revision();
    holds("a later revision", web > first)?;
    holds("a revision of the store", web != forged_revision())?;
    let last = store.create(T::bare("last"))?.revision();
    holds("a later revision", last > web)
}

/// Times that no store could have set are a mistake of the caller.
pub fn import_of_what_was_updated_before_it_was_created_is_invalid<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let (created, updated) = times();
    let given = T::bare("web").stamped((updated, created), Revision::NONE);
    let error = fails("import", store.import(given), ErrorKind::InvalidArgument)?;
    tells(&error, &["web", HOME])?;
    namespaces_are(fixture, &[])
}

/// An import is a create.
pub fn import_of_a_taken_id_is_already_exists_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    let given = T::bare("web").stamped(times(), Revision::NONE);
    let error = fails("import", store.import(given), ErrorKind::AlreadyExists)?;
    tells(&error, &["web", HOME])?;
    stored(&*store, &web)
}

/// It is validated like one.
pub fn import_refuses_what_create_refuses<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for id in T::NO_IDS {
        let given = T::bare(id).stamped(times(), Revision::NONE);
        let what = format!("import of {id:?}");
        fails(&what, store.import(given), ErrorKind::InvalidArgument)?;
    }
    let given = T::bare("web").label("", "x");
    let given = given.stamped(times(), Revision::NONE);
    fails("import", store.import(given), ErrorKind::InvalidArgument)?;
    namespaces_are(fixture, &[])
}

/// Also where these are in the future.
pub fn an_update_of_what_was_imported_is_later_than_its_times<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let future = DateTime::from_timestamp_nanos(i64::MAX - 1_000);
    store.import(T::bare("web").stamped((times().0, future), Revision::NONE))?;
    let web = store.put(T::bare("web"))?;
    equal("created_at", &web.times().0, &times().0)?;
    holds(
        "updated_at to move strictly forward",
        web.times().1 > future,
    )
}
