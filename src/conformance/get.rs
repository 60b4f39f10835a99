//! Laws of [`ReadStore::get`](crate::ReadStore::get), and of what a store is bound to.

use super::expect::{equal, fails, stored, tells};
use super::sample::{AWAY, HOME, NO_IDENTIFIERS, bare, complete};
use super::{Fixture, Law, Verdict, law_list};
use crate::error::ErrorKind;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    a_store_tells_the_namespace_it_is_bound_to,
    a_store_is_bound_to_no_namespace_whose_name_is_no_identifier,
    get_of_an_unknown_id_is_not_found_and_names_it,
    get_in_an_unknown_namespace_is_not_found,
    get_of_what_is_no_identifier_is_not_found,
    get_finds_exactly_the_id,
    get_sees_only_its_namespace,
    get_does_not_bring_a_namespace_into_being,
    get_changes_nothing,
];

/// `name` is the name the store was asked for by.
pub fn a_store_tells_the_namespace_it_is_bound_to(fixture: &dyn Fixture) -> Verdict {
    for name in [HOME, AWAY, "k8s.io"] {
        let told = fixture.store(name)?.name().to_string();
        equal("the name", &told, &name.to_owned())?;
    }
    Ok(())
}

/// An invalid name is refused before anything is asked of the store.
pub fn a_store_is_bound_to_no_namespace_whose_name_is_no_identifier(
    fixture: &dyn Fixture,
) -> Verdict {
    for name in NO_IDENTIFIERS {
        let store = fixture.store(name).map(|store| store.name().clone());
        let what = format!("a store of the namespace {name:?}");
        fails(&what, store, ErrorKind::InvalidArgument)?;
    }
    Ok(())
}

/// The error names the container and the namespace.
pub fn get_of_an_unknown_id_is_not_found_and_names_it(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let error = fails("get of an unknown id", store.get("db"), ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// A namespace that does not exist holds no containers.
pub fn get_in_an_unknown_namespace_is_not_found(fixture: &dyn Fixture) -> Verdict {
    fixture.store(AWAY)?.create(bare("web"))?;
    let error = fails("get", fixture.store(HOME)?.get("web"), ErrorKind::NotFound)?;
    tells(&error, &["web", HOME])
}

/// What cannot be there is not there.
pub fn get_of_what_is_no_identifier_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("a"))?;
    for id in NO_IDENTIFIERS {
        let what = format!("get of {id:?}");
        fails(&what, store.get(id), ErrorKind::NotFound)?;
    }
    Ok(())
}

/// Neither prefixes nor other cases of an id find it.
pub fn get_finds_exactly_the_id(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web-1"))?;
    for id in ["web", "web-", "web-10", "web.1", "WEB-1"] {
        let what = format!("get of {id:?}");
        fails(&what, store.get(id), ErrorKind::NotFound)?;
    }
    stored(&*store, &web)
}

/// The same id elsewhere is another container.
pub fn get_sees_only_its_namespace(fixture: &dyn Fixture) -> Verdict {
    let names = ["a", "a-b", "a.b", "ab"];
    for name in names {
        fixture.store(name)?.create(bare("web").image(name))?;
    }
    for name in names {
        let image = fixture.store(name)?.get("web")?.image;
        equal("the image", &image, &name.to_owned())?;
    }
    Ok(())
}

/// Reading writes nothing.
pub fn get_does_not_bring_a_namespace_into_being(fixture: &dyn Fixture) -> Verdict {
    fails("get", fixture.store(HOME)?.get("web"), ErrorKind::NotFound)?;
    equal(
        "the number of namespaces",
        &fixture.namespaces().list_namespaces()?.len(),
        &0,
    )
}

/// Two reads give the same.
pub fn get_changes_nothing(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let first = store.get("web")?;
    stored(&*store, &first)
}
