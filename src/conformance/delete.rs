//! Laws of [`Store::delete`](crate::Store::delete).

use super::expect::{equal, fails, finds, lists, stored, tells};
use super::sample::{AWAY, HOME, NO_IDENTIFIERS, bare, complete, unstamped};
use super::{Fixture, Law, Verdict, law_list};
use crate::error::ErrorKind;
use crate::filter::Filters;
use crate::mask::FieldMask;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    delete_then_get_is_not_found,
    delete_of_an_unknown_id_is_not_found_and_names_it,
    delete_in_an_unknown_namespace_is_not_found_and_makes_none,
    delete_of_what_is_no_identifier_is_not_found,
    delete_twice_is_not_found,
    delete_leaves_nothing_to_find,
    delete_leaves_nothing_to_a_container_that_takes_the_id,
    delete_removes_no_other_container,
];

/// What is deleted is gone: from `get`, `update` and lists.
pub fn delete_then_get_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    store.delete("web")?;
    fails("get", store.get("web"), ErrorKind::NotFound)?;
    let result = store.update(complete("web"), &FieldMask::full());
    fails("update", result, ErrorKind::NotFound)?;
    lists(&*store, &Filters::all(), &[])
}

/// The error names the container and the namespace.
pub fn delete_of_an_unknown_id_is_not_found_and_names_it(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let error = fails("delete", store.delete("db"), ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// A delete creates nothing.
pub fn delete_in_an_unknown_namespace_is_not_found_and_makes_none(
    fixture: &dyn Fixture,
) -> Verdict {
    let result = fixture.store(HOME)?.delete("web");
    fails("delete", result, ErrorKind::NotFound)?;
    equal(
        "the number of namespaces",
        &fixture.namespaces().list_namespaces()?.len(),
        &0,
    )
}

/// What cannot be there is not there; the empty id is no exception.
pub fn delete_of_what_is_no_identifier_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let a = store.create(bare("a"))?;
    for id in NO_IDENTIFIERS {
        let what = format!("delete of {id:?}");
        fails(&what, store.delete(id), ErrorKind::NotFound)?;
    }
    stored(&*store, &a)
}

/// A container is deleted once.
pub fn delete_twice_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    store.delete("web")?;
    fails("a second delete", store.delete("web"), ErrorKind::NotFound)?;
    Ok(())
}

/// No filter finds what was deleted.
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
pub fn delete_leaves_nothing_to_a_container_that_takes_the_id(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    store.delete("web")?;
    let created = store.create(bare("web"))?;
    equal("the container", &unstamped(created.clone()), &bare("web"))?;
    stored(&*store, &created)
}

/// Neither ids that begin alike nor the same id elsewhere are touched.
pub fn delete_removes_no_other_container(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (fixture.store(HOME)?, fixture.store(AWAY)?);
    let mut others = Vec::new();
    for id in ["we", "web-1", "web.1", "web1", "WEB"] {
        others.push(home.create(complete(id))?);
    }
    home.create(complete("web"))?;
    let elsewhere = away.create(complete("web"))?;
    home.delete("web")?;
    for other in &others {
        stored(&*home, other)?;
    }
    stored(&*away, &elsewhere)
}
