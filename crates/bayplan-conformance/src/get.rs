//! Laws of [`ReadStore::get`](bayplan::ReadStore::get), and of what a store is bound to.

use crate::expect::{equal, fails, namespaces_are, stored, tells};
use crate::sample::{AWAY, HOME, NO_IDENTIFIERS};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::ErrorKind;

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    a_store_tells_the_namespace_it_is_bound_to,
    a_store_is_bound_to_no_namespace_whose_name_is_no_identifier,
    get_of_an_unknown_id_is_not_found_and_names_it,
    get_in_an_unknown_namespace_is_not_found,
    get_of_what_is_no_identifier_is_not_found,
    get_finds_exactly_the_id,
    get_sees_only_its_namespace,
    get_does_not_bring_a_namespace_into_being,
    get_changes_nothing,
    find_gives_what_get_gives_and_nothing_where_there_is_nothing,
];

/// `name` is the name the store was asked for by.
pub fn a_store_tells_the_namespace_it_is_bound_to<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    for name in [HOME, AWAY, "k8s.io"] {
        let told = T::store(fixture, name)?.name().to_string();
        equal("the name", &told, &name.to_owned())?;
    }
    Ok(())
}

/// An invalid name is refused before anything is asked of the store.
pub fn a_store_is_bound_to_no_namespace_whose_name_is_no_identifier<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    for name in NO_IDENTIFIERS {
        let store = T::store(fixture, name).map(|store| store.name().clone());
        let what = format!("a store of the namespace {name:?}");
        fails(&what, store, ErrorKind::InvalidArgument)?;
    }
    Ok(())
}

/// The error names the container and the namespace.
pub fn get_of_an_unknown_id_is_not_found_and_names_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let error = fails("get of an unknown id", store.get("db"), ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// A namespace that does not exist holds no containers.
pub fn get_in_an_unknown_namespace_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    T::store(fixture, AWAY)?.create(T::bare("web"))?;
    let error = fails(
        "get",
        T::store(fixture, HOME)?.get("web"),
        ErrorKind::NotFound,
    )?;
    tells(&error, &["web", HOME])
}

/// What cannot be there is not there.
pub fn get_of_what_is_no_identifier_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("a"))?;
    for id in T::NO_IDS {
        let what = format!("get of {id:?}");
        fails(&what, store.get(id), ErrorKind::NotFound)?;
    }
    Ok(())
}

/// Neither prefixes nor other cases of an id find it.
pub fn get_finds_exactly_the_id<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web-1"))?;
    for id in ["web", "web-", "web-10", "web.1", "WEB-1"] {
        let what = format!("get of {id:?}");
        fails(&what, store.get(id), ErrorKind::NotFound)?;
    }
    stored(&*store, &web)
}

/// The same id elsewhere is another container.
pub fn get_sees_only_its_namespace<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let names = ["a", "a-b", "a.b", "ab"];
    for name in names {
        T::store(fixture, name)?.create(T::bare("web").label("mark", name))?;
    }
    for name in names {
        let web = T::store(fixture, name)?.get("web")?;
        let mark = web.its_labels().get("mark");
        equal("the mark", &mark.map(String::as_str), &Some(name))?;
    }
    Ok(())
}

/// Reading writes nothing.
pub fn get_does_not_bring_a_namespace_into_being<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    fails(
        "get",
        T::store(fixture, HOME)?.get("web"),
        ErrorKind::NotFound,
    )?;
    namespaces_are(fixture, &[])
}

/// Two reads give the same.
pub fn get_changes_nothing<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let first = store.get("web")?;
    stored(&*store, &first)
}

/// Not finding something is no error, whatever the reason.
pub fn find_gives_what_get_gives_and_nothing_where_there_is_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    equal("what is found", &store.find("web")?, &None)?;
    let web = store.create(T::complete("web"))?;
    equal("what is found", &store.find("web")?, &Some(web))?;
    for id in T::NO_IDS.iter().chain(&["we", "web1", "WEB"]) {
        let what = format!("what is found by {id:?}");
        equal(&what, &store.find(id)?, &None)?;
    }
    equal(
        "what is found",
        &T::store(fixture, AWAY)?.find("web")?,
        &None,
    )?;
    namespaces_are(fixture, &[HOME])
}
