//! Laws of pages: of [`Query::after`](bayplan::Query::after) and [`Query::limit`](bayplan::Query::limit).

use crate::expect::{filters, gives};
use crate::sample::HOME;
use crate::{Broken, Fixture, Law, Subject, Verdict, law_list};
use bayplan::{Filters, Store};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    pages_join_to_the_whole_list,
    a_page_begins_behind_an_id_that_need_not_exist,
    a_page_begins_behind_what_is_no_identifier,
    a_page_behind_the_last_container_is_empty,
    a_page_of_none_is_empty,
    a_page_counts_only_containers_that_match,
    a_page_of_an_unknown_namespace_is_empty,
];

const IDS: [&str; 7] = ["a", "a-b", "a.b", "aa", "b", "c", "d"];

fn filled<T: Subject>(fixture: &dyn Fixture) -> Result<Box<dyn Store<T> + '_>, Broken> {
    let store = T::store(fixture, HOME)?;
    for (number, id) in IDS.into_iter().enumerate() {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        store.create(T::bare(id).label("parity", parity))?;
    }
    Ok(store)
}

/// Where a page begins, and how many are on it.
#[derive(Clone, Copy, Debug, Default)]
struct Page<'p> {
    after: Option<&'p str>,
    limit: Option<usize>,
}

impl<'p> Page<'p> {
    fn all() -> Self {
        Self::default()
    }

    fn limit(count: usize) -> Self {
        Self {
            limit: Some(count),
            ..Self::default()
        }
    }

    fn after(self, id: &'p str) -> Self {
        Self {
            after: Some(id),
            ..self
        }
    }
}

/// A page has these, however one asks for it.
fn has<T: Subject>(
    store: &dyn Store<T>,
    page: &Page<'_>,
    filters: &Filters,
    ids: &[&str],
) -> Verdict {
    let query = || {
        let mut query = store.query().filter(filters);
        if let Some(id) = page.after {
            query = query.after(id);
        }
        if let Some(count) = page.limit {
            query = query.limit(count);
        }
        query
    };
    gives(&format!("of {page:?}"), store, query, ids)
}

/// Page by page, each after the last id of the one before, nothing is missed or repeated.
pub fn pages_join_to_the_whole_list<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = filled::<T>(fixture)?;
    for limit in 1..=IDS.len() + 1 {
        let mut page = Page::limit(limit);
        let chunks = IDS.chunks(limit).chain([&[][..]]);
        for chunk in chunks {
            has(&*store, &page, &Filters::all(), chunk)?;
            if let Some(last) = chunk.last() {
                page = page.after(last);
            }
        }
    }
    Ok(())
}

/// A container that was deleted meanwhile does not stop the reader of pages.
pub fn a_page_begins_behind_an_id_that_need_not_exist<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = filled::<T>(fixture)?;
    let behind = |id: &'static str| Page::all().after(id);
    let all = Filters::all();
    has(&*store, &behind("a0"), &all, &["aa", "b", "c", "d"])?;
    has(&*store, &behind("0"), &all, &IDS)?;
    store.delete("b")?;
    has(&*store, &behind("b"), &all, &["c", "d"])
}

/// The place is a text to compare with; it need not be one that a container could have.
pub fn a_page_begins_behind_what_is_no_identifier<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = filled::<T>(fixture)?;
    let behind = |id: &'static str| Page::limit(2).after(id);
    let all = Filters::all();
    has(&*store, &behind(""), &all, &["a", "a-b"])?;
    has(&*store, &behind("a-"), &all, &["a-b", "a.b"])?;
    has(&*store, &behind("a\0"), &all, &["a-b", "a.b"])?;
    has(&*store, &behind("a/"), &all, &["aa", "b"])?;
    has(&*store, &behind("c~"), &all, &["d"])?;
    has(&*store, &behind("é"), &all, &[])
}

/// There is an end.
pub fn a_page_behind_the_last_container_is_empty<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = filled::<T>(fixture)?;
    has(&*store, &Page::all().after("d"), &Filters::all(), &[])?;
    has(&*store, &Page::limit(1).after("z"), &Filters::all(), &[])
}

/// A limit of 0 is a limit.
pub fn a_page_of_none_is_empty<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    has(
        &*filled::<T>(fixture)?,
        &Page::limit(0),
        &Filters::all(),
        &[],
    )
}

/// What filters leave out takes no place on a page.
pub fn a_page_counts_only_containers_that_match<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = filled::<T>(fixture)?;
    let odd = filters(&["labels.parity==odd"])?;
    has(&*store, &Page::limit(2), &odd, &["a-b", "aa"])?;
    has(&*store, &Page::limit(2).after("aa"), &odd, &["c"])?;
    has(&*store, &Page::limit(1).after("a.b"), &odd, &["aa"])
}

/// A namespace that does not exist has empty pages.
pub fn a_page_of_an_unknown_namespace_is_empty<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    has(&*store, &Page::limit(2), &Filters::all(), &[])?;
    has(&*store, &Page::limit(2).after("a"), &Filters::all(), &[])
}
