//! Filters: what parses prints as what parses to the same; a store finds what the filter lets
//! through, with its records in memory and without.

use bayplan::limits::FILTER_MAX_BYTES;
use bayplan::{Container, Db, Filter, Filters, Namespace, Stored};

use super::Canary;
use super::sample::containers;

thread_local! {
    static STORES: (Vec<Container>, [Namespace; 2]) = {
        let store = |memory_bytes| {
            let db = Db::builder().memory_bytes(memory_bytes).in_memory().unwrap();
            let store = db.namespace("default").unwrap();
            for container in containers() {
                store.create(container).unwrap();
            }
            store
        };
        let mut containers = containers();
        containers.sort_by(|one, other| one.id.cmp(&other.id));
        (containers, [store(1 << 20), store(0)])
    };
}

/// The input is the text of a filter.
pub(crate) fn run(data: &[u8], canary: Canary) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(error.position() <= error.filter().len());
            assert!(error.filter().is_char_boundary(error.position()));
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut printed = filter.to_string();
    if canary == Canary::Planted {
        printed = printed.replace("==", "!=");
    }
    match Filter::parse(&printed) {
        Ok(again) => {
            assert_eq!(again, filter, "{printed:?}");
            assert_eq!(again.to_string(), printed);
        }
        Err(error) => assert!(printed.len() > FILTER_MAX_BYTES, "{error}"),
    }
    finds_what_passes(&filter);
}

fn finds_what_passes(filter: &Filter) {
    let filters = Filters::from(filter.clone());
    STORES.with(|(containers, stores)| {
        let passing: Vec<String> = containers
            .iter()
            .filter(|container| container.matches(&filters))
            .map(|container| container.id.clone())
            .collect();
        for store in stores {
            assert_eq!(
                store.query().filter(&filters).ids().unwrap(),
                passing,
                "{filter}"
            );
            assert_eq!(
                store.query().filter(&filters).count().unwrap(),
                passing.len() as u64
            );
            let found = store.list(&filters).unwrap();
            assert!(found.iter().map(|found| &found.id).eq(&passing), "{filter}");
            let either = Filters::any([filter.clone(), Filter::id().eq("c3")]);
            let with_c3 = passing.len() + usize::from(!passing.iter().any(|id| id == "c3"));
            assert_eq!(
                store.query().filter(&either).ids().unwrap().len(),
                with_c3,
                "{filter}"
            );
            let nothing = Filters::from(filter.clone().and(Filter::id().eq("c99")));
            assert_eq!(
                store.query().filter(&nothing).count().unwrap(),
                0,
                "{filter}"
            );
        }
    });
}
