//! Laws of everything that lists.

use crate::expect::{equal, holds, lists, namespaces_are};
use crate::sample::{AWAY, HOME, bare, complete};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{ContainerHeader, Filters};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    list_of_an_unknown_namespace_is_empty,
    list_without_filters_gives_all,
    list_gives_what_get_gives,
    list_is_ordered_by_id_bytewise,
    list_sees_only_its_namespace,
    list_does_not_bring_a_namespace_into_being,
    headers_are_what_is_stored_without_its_large_parts,
    list_lenient_finds_no_damage_in_a_whole_store,
    list_of_many_containers_gives_each_once,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    headers_have_the_extensions_that_were_asked_for_and_no_others,
];

/// A namespace that does not exist holds no containers, however one asks.
pub fn list_of_an_unknown_namespace_is_empty<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    T::store(fixture, AWAY)?.create(T::bare("web"))?;
    lists(&*T::store(fixture, HOME)?, &Filters::all(), &[])
}

/// No filter is no condition.
pub fn list_without_filters_gives_all<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    for id in ["web", "db", "cache"] {
        store.create(T::bare(id))?;
    }
    lists(&*store, &Filters::all(), &["cache", "db", "web"])
}

/// What is listed is whole.
pub fn list_gives_what_get_gives<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    store.create(T::bare("db"))?;
    let expected = vec![store.get("db")?, store.get("web")?];
    equal("list", &store.list(&Filters::all())?, &expected)?;
    equal("query().list", &store.query().list()?, &expected)?;
    let lenient = store.query().lenient()?.items;
    equal("query().lenient", &lenient, &expected)
}

/// The order is that of the bytes: digits, upper case, `_`, lower case, with `-` and `.` before.
pub fn list_is_ordered_by_id_bytewise<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let ordered = [
        "1", "10", "9", "A", "Z", "a", "a-b", "a-c", "a.b", "a0", "aB", "a_b", "aa", "ab", "b",
    ];
    for id in ordered.iter().rev() {
        store.create(T::bare(id))?;
    }
    lists(&*store, &Filters::all(), &ordered)
}

/// Names that begin alike are kept apart.
pub fn list_sees_only_its_namespace<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let names = ["a", "a-b", "a.b", "ab"];
    for name in names {
        T::store(fixture, name)?.create(T::bare(&format!("in-{name}")))?;
    }
    for name in names {
        let id = format!("in-{name}");
        lists(&*T::store(fixture, name)?, &Filters::all(), &[&id])?;
    }
    Ok(())
}

/// Reading writes nothing.
pub fn list_does_not_bring_a_namespace_into_being<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    lists(&*T::store(fixture, HOME)?, &Filters::all(), &[])?;
    namespaces_are(fixture, &[])
}

/// A header has everything else, times and revision included.
pub fn headers_are_what_is_stored_without_its_large_parts<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let created = [
        store.create(T::bare("db"))?,
        store.create(T::complete("web"))?,
    ];
    let expected = created.map(|one| one.into_header(&[]));
    equal("the headers", &store.query().headers()?, &expected)?;
    let lenient = store.query().lenient_headers()?.items;
    equal("the headers of a lenient query", &lenient, &expected)
}

/// They are read with the headers; those that a container lacks are no error.
pub fn headers_have_the_extensions_that_were_asked_for_and_no_others(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let created = [store.create(bare("db"))?, store.create(complete("web"))?];
    let names = ["example.com/second.one", "third"];
    let mut expected = created.map(ContainerHeader::from);
    for header in &mut expected {
        header.extensions = complete(&header.id).extensions;
        header
            .extensions
            .retain(|name, _| header.id == "web" && names.contains(&name.as_str()));
    }
    let query = || store.query().with_extensions(names);
    equal("the headers", &query().headers()?, &expected)?;
    let lenient = query().lenient_headers()?.items;
    equal("the headers of a lenient query", &lenient, &expected)?;
    let page = query().after("db").limit(1).headers()?;
    equal(
        "the headers of a page",
        &page.as_slice(),
        &expected.get(1..).unwrap_or_default(),
    )
}

/// Only damaged items are reported as damaged.
pub fn list_lenient_finds_no_damage_in_a_whole_store<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let damaged = store.query().lenient()?.damaged;
    holds("nothing to be damaged", damaged.is_empty())
}

/// More containers than an implementation is likely to read at a time.
pub fn list_of_many_containers_gives_each_once<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let ids: Vec<String> = (100..400).map(|number| format!("c{number}")).collect();
    for id in ids.iter().rev() {
        store.create(T::bare(id))?;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lists(&*store, &Filters::all(), &ids)
}
