//! Listing headers past what is damaged.

use std::ops::ControlFlow;

use bayplan::{ContainerHeader, Error, Filters, Page, ReadStore};

use crate::failure::Result;

/// What a listing comes upon.
pub(crate) trait Visitor {
    /// A container; whether to go on.
    fn header(&mut self, namespace: &str, header: ContainerHeader) -> Result<ControlFlow<()>>;

    /// A container that cannot be read.
    fn damaged(&mut self, error: Error);
}

/// Visits the headers behind `after` that match, until the visitor breaks; whether it did.
///
/// The library's lenient listing reads whole containers. This reads headers, and where one is
/// damaged goes on behind it.
pub(crate) fn visit(
    store: &dyn ReadStore,
    after: Option<&str>,
    filters: &Filters,
    visitor: &mut dyn Visitor,
) -> Result<ControlFlow<()>> {
    let name = store.name().to_string();
    let mut after = after.map(str::to_owned);
    loop {
        let page = match &after {
            Some(id) => Page::all().after(id),
            None => Page::all(),
        };
        let mut flow = Ok(ControlFlow::Continue(()));
        let visited = store.visit_headers(&page, filters, &mut |header| {
            flow = visitor.header(&name, header);
            match flow {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        });
        let Err(error) = visited else {
            return flow;
        };
        match error.container_id().map(str::to_owned) {
            // An id that is not UTF-8 is told as near as can be, which may be before itself.
            Some(id) if error.is_corrupt() && after.as_ref().is_none_or(|after| *after < id) => {
                visitor.damaged(error);
                after = Some(id);
            }
            _ => return Err(error.into()),
        }
    }
}
