//! Laws of [`Store::delete`](bayplan::Store::delete).

use crate::expect::{fails, finds, lists, namespaces_are, stored, tells, written};
use crate::sample::{AWAY, HOME, complete};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{ErrorKind, FieldMask, Filters};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    delete_then_get_is_not_found,
    delete_of_an_unknown_id_is_not_found_and_names_it,
    delete_in_an_unknown_namespace_is_not_found_and_makes_none,
    delete_of_what_is_no_identifier_is_not_found,
    delete_twice_is_not_found,
    delete_leaves_nothing_to_a_container_that_takes_the_id,
    delete_removes_no_other_container,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    delete_leaves_nothing_to_find,
];

/// What is deleted is gone: from `get`, `update` and lists.
pub fn delete_then_get_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    store.delete("web")?;
    fails("get", store.get("web"), ErrorKind::NotFound)?;
    let result = store.update(T::complete("web"), &FieldMask::full());
    fails("update", result, ErrorKind::NotFound)?;
    lists(&*store, &Filters::all(), &[])
}

/// The error names the container and the namespace.
pub fn delete_of_an_unknown_id_is_not_found_and_names_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let error = fails("delete", store.delete("db"), ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// A delete creates nothing.
pub fn delete_in_an_unknown_namespace_is_not_found_and_makes_none<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let result = T::store(fixture, HOME)?.delete("web");
    fails("delete", result, ErrorKind::NotFound)?;
    namespaces_are(fixture, &[])
}

/// An id that cannot exist is not found, not even the empty one.
pub fn delete_of_what_is_no_identifier_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let a = store.create(T::bare("a"))?;
    for id in T::NO_IDS {
        let what = format!("delete of {id:?}");
        fails(&what, store.delete(id), ErrorKind::NotFound)?;
    }
    stored(&*store, &a)
}

/// A container can be deleted only once.
pub fn delete_twice_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    store.delete("web")?;
    fails("a second delete", store.delete("web"), ErrorKind::NotFound)?;
    Ok(())
}

/// No filter finds a deleted item.
pub fn delete_leaves_nothing_to_find(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    store.delete("web")?;
    for filter in ["id==web", "labels.app", "extensions.first", "image"] {
        finds(&*store, filter, &[])?;
    }
    Ok(())
}

/// Neither labels nor extensions of the old container come back.
pub fn delete_leaves_nothing_to_a_container_that_takes_the_id<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    store.delete("web")?;
    let created = store.create(T::bare("web"))?;
    written(&created, &T::bare("web"))?;
    stored(&*store, &created)
}

/// Neither ids that begin alike nor the same id elsewhere are touched.
pub fn delete_removes_no_other_container<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (T::store(fixture, HOME)?, T::store(fixture, AWAY)?);
    let mut others = Vec::new();
    for id in ["we", "web-1", "web.1", "web1", "WEB"] {
        others.push(home.create(T::complete(id))?);
    }
    home.create(T::complete("web"))?;
    let elsewhere = away.create(T::complete("web"))?;
    home.delete("web")?;
    for other in &others {
        stored(&*home, other)?;
    }
    stored(&*away, &elsewhere)
}
