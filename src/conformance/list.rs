//! Laws of everything that lists.

use std::ops::ControlFlow;

use super::expect::{equal, holds, lists};
use super::sample::{AWAY, HOME, bare, complete};
use super::{Fixture, Law, Verdict, law_list};
use crate::container::ContainerHeader;
use crate::filter::Filters;
use crate::store::Page;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    list_of_an_unknown_namespace_is_empty,
    list_without_filters_gives_all,
    list_gives_what_get_gives,
    list_is_ordered_by_id_bytewise,
    list_sees_only_its_namespace,
    list_does_not_bring_a_namespace_into_being,
    headers_are_the_containers_without_spec_and_extensions,
    visit_stops_when_the_visitor_breaks,
    visit_headers_stops_when_the_visitor_breaks,
    list_lenient_finds_no_damage_in_a_whole_store,
    list_of_many_containers_gives_each_once,
];

/// A namespace that does not exist holds no containers, however one asks.
pub fn list_of_an_unknown_namespace_is_empty(fixture: &dyn Fixture) -> Verdict {
    fixture.store(AWAY)?.create(bare("web"))?;
    lists(&*fixture.store(HOME)?, &Filters::all(), &[])
}

/// No filter is no condition.
pub fn list_without_filters_gives_all(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    for id in ["web", "db", "cache"] {
        store.create(bare(id))?;
    }
    lists(&*store, &Filters::all(), &["cache", "db", "web"])
}

/// A listed container is whole.
pub fn list_gives_what_get_gives(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    store.create(bare("db"))?;
    let expected = vec![store.get("db")?, store.get("web")?];
    let all = Filters::all();
    equal("list", &store.list(&all)?, &expected)?;
    let page = store.list_page(&Page::all(), &all)?;
    equal("list_page", &page, &expected)?;
    let lenient = store.list_lenient(&all)?.containers;
    equal("list_lenient", &lenient, &expected)
}

/// The order is that of the bytes: digits, upper case, `_`, lower case, with `-` and `.` before.
pub fn list_is_ordered_by_id_bytewise(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let ordered = [
        "1", "10", "9", "A", "Z", "a", "a-b", "a-c", "a.b", "a0", "aB", "a_b", "aa", "ab", "b",
    ];
    for id in ordered.iter().rev() {
        store.create(bare(id))?;
    }
    lists(&*store, &Filters::all(), &ordered)
}

/// Names that begin alike are kept apart.
pub fn list_sees_only_its_namespace(fixture: &dyn Fixture) -> Verdict {
    let names = ["a", "a-b", "a.b", "ab"];
    for name in names {
        fixture.store(name)?.create(bare(&format!("in-{name}")))?;
    }
    for name in names {
        let id = format!("in-{name}");
        lists(&*fixture.store(name)?, &Filters::all(), &[&id])?;
    }
    Ok(())
}

/// Reading writes nothing.
pub fn list_does_not_bring_a_namespace_into_being(fixture: &dyn Fixture) -> Verdict {
    lists(&*fixture.store(HOME)?, &Filters::all(), &[])?;
    equal(
        "the number of namespaces",
        &fixture.namespaces().list_namespaces()?.len(),
        &0,
    )
}

/// A header tells all the rest, times and revision included.
pub fn headers_are_the_containers_without_spec_and_extensions(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let created = [store.create(bare("db"))?, store.create(complete("web"))?];
    let expected: Vec<ContainerHeader> = created.into_iter().map(ContainerHeader::from).collect();
    equal(
        "the headers",
        &store.list_headers(&Filters::all())?,
        &expected,
    )
}

/// The rest of a listing is not forced on the visitor.
pub fn visit_stops_when_the_visitor_breaks(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    for id in ["a", "b", "c"] {
        store.create(bare(id))?;
    }
    let mut seen = Vec::new();
    store.visit(&Page::all(), &Filters::all(), &mut |container| {
        seen.push(container.id);
        stop_after(2, seen.len())
    })?;
    equal("the containers seen", &seen.join(" "), &"a b".to_owned())
}

/// The rest of the headers is not forced on the visitor.
pub fn visit_headers_stops_when_the_visitor_breaks(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    for id in ["a", "b", "c"] {
        store.create(bare(id))?;
    }
    let mut seen = Vec::new();
    store.visit_headers(&Page::all(), &Filters::all(), &mut |header| {
        seen.push(header.id);
        stop_after(2, seen.len())
    })?;
    equal("the headers seen", &seen.join(" "), &"a b".to_owned())
}

fn stop_after(most: usize, seen: usize) -> ControlFlow<()> {
    if seen < most {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// Only what is damaged is reported as damaged.
pub fn list_lenient_finds_no_damage_in_a_whole_store(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let damaged = store.list_lenient(&Filters::all())?.damaged;
    holds("nothing to be damaged", damaged.is_empty())
}

/// More containers than an implementation is likely to read at a time.
pub fn list_of_many_containers_gives_each_once(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let ids: Vec<String> = (100..400).map(|number| format!("c{number}")).collect();
    for id in ids.iter().rev() {
        store.create(bare(id))?;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lists(&*store, &Filters::all(), &ids)
}
