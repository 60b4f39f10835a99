//! The expectations of laws, one line each.

use std::fmt::Debug;

use bayplan::{Error, ErrorKind, Filters, NamespaceName, Query, ReadStore, Result, Store};

use crate::report::Broken;
use crate::sample::unstamped;
use crate::{Fixture, Subject, Verdict};

/// `found` equals `expected`; `what` names it.
pub(crate) fn equal<F, E>(what: &str, found: &F, expected: &E) -> Verdict
where
    F: Debug + PartialEq<E> + ?Sized,
    E: Debug + ?Sized,
{
    if found == expected {
        return Ok(());
    }
    Err(Broken::new(
        format!("{what} to be {expected:?}"),
        format!("{found:?}"),
    ))
}

/// Something holds; `expected` says what.
pub(crate) fn holds(expected: &str, holds: bool) -> Verdict {
    if holds {
        return Ok(());
    }
    Err(Broken::new(expected, "that it does not hold"))
}

/// An operation fails with this kind; `what` names it. The error can be passed to [`tells`].
pub(crate) fn fails<T: Debug>(
    what: &str,
    result: Result<T>,
    kind: ErrorKind,
) -> Result<Error, Broken> {
    let expected = || format!("{what} to fail: {kind}");
    match result {
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(Broken::new(
            expected(),
            format!("{}: {error:#}", error.kind()),
        )),
        Ok(value) => Err(Broken::new(expected(), format!("success: {value:?}"))),
    }
}

/// The text of an error, causes included, contains all of these parts.
pub(crate) fn tells(error: &Error, parts: &[&str]) -> Verdict {
    let text = format!("{error:#}");
    for part in parts {
        if !text.contains(part) {
            return Err(Broken::new(
                format!("an error that tells {part:?}"),
                format!("{text:?}"),
            ));
        }
    }
    Ok(())
}

/// A write left `expected`, apart from the times and the revision that the store sets.
pub(crate) fn written<T: Subject>(found: &T, expected: &T) -> Verdict {
    equal("what was written", &unstamped(found.clone()), expected)
}

/// The item is stored exactly like this.
pub(crate) fn stored<T: Subject>(store: &dyn ReadStore<T>, item: &T) -> Verdict {
    equal("what is stored", &store.get(item.id())?, item)
}

/// Filters parsed from these texts.
pub(crate) fn filters(texts: &[&str]) -> Result<Filters, Broken> {
    Filters::parse(texts).map_err(|error| Broken::new("filters that parse", error.to_string()))
}

/// Every way to list gives these, in this order.
pub(crate) fn lists<T: Subject>(store: &dyn Store<T>, filters: &Filters, ids: &[&str]) -> Verdict {
    let query = || store.query().filter(filters);
    gives(&format!("with {}", texts(filters)), store, query, ids)?;
    let what = format!("the ids of `list` with {}", texts(filters));
    equal(&what, &ids_of(&store.list(filters)?), ids)
}

/// Every way to run a query gives these, in this order; `which` says which query.
pub(crate) fn gives<'s, T: Subject>(
    which: &str,
    store: &'s dyn Store<T>,
    query: impl Fn() -> Query<'s, T>,
    ids: &[&str],
) -> Verdict {
    let what = |way: &str| format!("the ids of `{way}` in {:?} {which}", store.name());
    equal(&what("query().ids"), &query().ids()?, ids)?;
    equal(&what("query().list"), &ids_of(&query().list()?), ids)?;
    let headers = header_ids::<T>(&query().headers()?);
    equal(&what("query().headers"), &headers, ids)?;
    let lenient = ids_of(&query().lenient()?.items);
    equal(&what("query().lenient"), &lenient, ids)?;
    let lenient = header_ids::<T>(&query().lenient_headers()?.items);
    equal(&what("query().lenient_headers"), &lenient, ids)?;
    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    equal(&what("query().count"), &query().count()?, &count)
}

/// Every way to list finds these by one filter.
pub(crate) fn finds<T: Subject>(store: &dyn Store<T>, filter: &str, ids: &[&str]) -> Verdict {
    lists(store, &filters(&[filter])?, ids)
}

fn ids_of<T: Subject>(items: &[T]) -> Vec<String> {
    items.iter().map(|one| one.id().to_owned()).collect()
}

fn header_ids<T: Subject>(headers: &[T::Header]) -> Vec<String> {
    let ids = headers.iter().map(T::header_id);
    ids.map(str::to_owned).collect()
}

/// The namespaces are these, in this order.
pub(crate) fn namespaces_are(fixture: &dyn Fixture, names: &[&str]) -> Verdict {
    let found = fixture.namespaces().list_namespaces()?;
    let found: Vec<&str> = found.iter().map(NamespaceName::as_str).collect();
    equal("the namespaces", &found, names)
}

fn texts(filters: &Filters) -> String {
    let texts: Vec<String> = filters.iter().map(|one| format!("`{one}`")).collect();
    match texts.is_empty() {
        true => "no filter".to_owned(),
        false => texts.join(" or "),
    }
}
