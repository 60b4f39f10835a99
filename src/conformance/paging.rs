//! Laws of [`Page`].

use super::expect::{equal, filters, header_page, ids_of};
use super::sample::{HOME, bare};
use super::{Broken, Fixture, Law, Verdict, law_list};
use crate::filter::Filters;
use crate::store::{Page, Store};

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    pages_join_to_the_whole_list,
    a_page_begins_behind_an_id_that_need_not_exist,
    a_page_begins_behind_what_is_no_identifier,
    a_page_behind_the_last_container_is_empty,
    a_page_of_none_is_empty,
    a_page_counts_only_containers_that_match,
    a_page_of_an_unknown_namespace_is_empty,
];

const IDS: [&str; 7] = ["a", "a-b", "a.b", "aa", "b", "c", "d"];

fn filled(fixture: &dyn Fixture) -> Result<Box<dyn Store + '_>, Broken> {
    let store = fixture.store(HOME)?;
    for (number, id) in IDS.into_iter().enumerate() {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        store.create(bare(id).label("parity", parity))?;
    }
    Ok(store)
}

/// A page has these containers, and its headers are the same.
fn has(store: &dyn Store, page: &Page, filters: &Filters, ids: &[&str]) -> Verdict {
    let expected: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let found = ids_of(&store.list_page(page, filters)?);
    equal(&format!("the ids of {page:?}"), &found, &expected)?;
    let headers = header_page(store, page, filters)?;
    let found: Vec<String> = headers.into_iter().map(|header| header.id).collect();
    equal(&format!("the headers' ids of {page:?}"), &found, &expected)
}

/// Page by page, each behind the last id of the one before, nothing is missed or repeated.
pub fn pages_join_to_the_whole_list(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    for limit in 1..=IDS.len() + 1 {
        let mut page = Page::limit(limit);
        let chunks = IDS.chunks(limit).chain([&[][..]]);
        for chunk in chunks {
            has(&*store, &page, &Filters::all(), chunk)?;
            if let Some(last) = chunk.last() {
                page = page.after(*last);
            }
        }
    }
    Ok(())
}

/// A container that was deleted meanwhile does not stop the reader of pages.
pub fn a_page_begins_behind_an_id_that_need_not_exist(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    let behind = |id| Page::all().after(id);
    let all = Filters::all();
    has(&*store, &behind("a0"), &all, &["aa", "b", "c", "d"])?;
    has(&*store, &behind("0"), &all, &IDS)?;
    store.delete("b")?;
    has(&*store, &behind("b"), &all, &["c", "d"])
}

/// The place is a text to compare with; it need not be one that a container could have.
pub fn a_page_begins_behind_what_is_no_identifier(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    let behind = |id| Page::limit(2).after(id);
    let all = Filters::all();
    has(&*store, &behind(""), &all, &["a", "a-b"])?;
    has(&*store, &behind("a-"), &all, &["a-b", "a.b"])?;
    has(&*store, &behind("a\0"), &all, &["a-b", "a.b"])?;
    has(&*store, &behind("a/"), &all, &["aa", "b"])?;
    has(&*store, &behind("c~"), &all, &["d"])?;
    has(&*store, &behind("é"), &all, &[])
}

/// There is an end.
pub fn a_page_behind_the_last_container_is_empty(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    has(&*store, &Page::all().after("d"), &Filters::all(), &[])?;
    has(&*store, &Page::limit(1).after("z"), &Filters::all(), &[])
}

/// A limit of 0 is a limit.
pub fn a_page_of_none_is_empty(fixture: &dyn Fixture) -> Verdict {
    has(&*filled(fixture)?, &Page::limit(0), &Filters::all(), &[])
}

/// What filters leave out takes no place on a page.
pub fn a_page_counts_only_containers_that_match(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    let odd = filters(&["labels.parity==odd"])?;
    has(&*store, &Page::limit(2), &odd, &["a-b", "aa"])?;
    has(&*store, &Page::limit(2).after("aa"), &odd, &["c"])?;
    has(&*store, &Page::limit(1).after("a.b"), &odd, &["aa"])
}

/// A namespace that does not exist has empty pages.
pub fn a_page_of_an_unknown_namespace_is_empty(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    has(&*store, &Page::limit(2), &Filters::all(), &[])?;
    has(&*store, &Page::limit(2).after("a"), &Filters::all(), &[])
}
