//! What laws expect, in one line each.

use std::fmt::Debug;

use super::Verdict;
use super::report::Broken;
use crate::container::{Container, ContainerHeader};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filters;
use crate::store::{Page, ReadStore, Store};

/// `found` is `expected`; `what` says what of.
pub(super) fn equal<T: Debug + PartialEq>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(Broken::new(
        format!("{what} to be {expected:?}"),
        format!("{found:?}"),
    ))
}

/// Something holds; `expected` says what.
pub(super) fn holds(expected: &str, holds: bool) -> Verdict {
    if holds {
        return Ok(());
    }
    Err(Broken::new(expected, "that it does not hold"))
}

/// An operation fails, and so; `what` says which. Its error is for [`tells`].
pub(super) fn fails<T: Debug>(
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

/// The text of an error, causes included, has all of these parts.
pub(super) fn tells(error: &Error, parts: &[&str]) -> Verdict {
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

/// A container is stored exactly so.
pub(super) fn stored(store: &dyn ReadStore, container: &Container) -> Verdict {
    equal(
        "the stored container",
        &store.get(&container.id)?,
        container,
    )
}

/// Filters parsed from these texts.
pub(super) fn filters(texts: &[&str]) -> Result<Filters, Broken> {
    Filters::parse(texts).map_err(|error| Broken::new("filters that parse", error.to_string()))
}

/// Every way to list gives these containers, in this order.
pub(super) fn lists(store: &dyn Store, filters: &Filters, ids: &[&str]) -> Verdict {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let what = |way: &str| format!("the ids of `{way}` with {}", texts(filters));
    let containers = store.list(filters)?;
    equal(&what("list"), &ids_of(&containers), &ids)?;
    equal(&what("list_ids"), &store.list_ids(filters)?, &ids)?;
    let headers: Vec<String> = store
        .list_headers(filters)?
        .into_iter()
        .map(|header| header.id)
        .collect();
    equal(&what("list_headers"), &headers, &ids)?;
    let lenient = store.list_lenient(filters)?;
    equal(&what("list_lenient"), &ids_of(&lenient.containers), &ids)?;
    let page = store.list_page(&Page::all(), filters)?;
    equal(&what("list_page"), &ids_of(&page), &ids)?;
    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    equal(&what("count"), &store.count(filters)?, &count)
}

/// Every way to list finds these containers by one filter.
pub(super) fn finds(store: &dyn Store, filter: &str, ids: &[&str]) -> Verdict {
    lists(store, &filters(&[filter])?, ids)
}

/// The ids of containers.
pub(super) fn ids_of(containers: &[Container]) -> Vec<String> {
    containers.iter().map(|one| one.id.clone()).collect()
}

/// The headers of one page.
pub(super) fn header_page(
    store: &dyn ReadStore,
    page: &Page,
    filters: &Filters,
) -> Result<Vec<ContainerHeader>> {
    let mut headers = Vec::new();
    store.visit_headers(page, filters, &mut |header| {
        headers.push(header);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(headers)
}

fn texts(filters: &Filters) -> String {
    let texts: Vec<String> = filters.iter().map(|one| format!("`{one}`")).collect();
    match texts.is_empty() {
        true => "no filter".to_owned(),
        false => texts.join(" or "),
    }
}
