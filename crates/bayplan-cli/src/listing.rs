//! Listing headers past what is damaged.

use std::ops::ControlFlow;

use bayplan::{ContainerHeader, Detail, Error, Filters, Found, ReadStore, Selection};

use crate::failure::Result;

/// What a listing comes upon.
pub(crate) trait Visitor {
    /// A container; whether to go on.
    fn header(&mut self, namespace: &str, header: ContainerHeader) -> Result<ControlFlow<()>>;

    /// A container that cannot be read.
    fn damaged(&mut self, error: Error);
}

/// Visits the headers behind `after` that match, until the visitor breaks; whether it did.
pub(crate) fn visit(
    store: &dyn ReadStore,
    after: Option<&str>,
    filters: &Filters,
    visitor: &mut dyn Visitor,
) -> Result<ControlFlow<()>> {
    let name = store.name().to_string();
    let mut selection = Selection::default();
    selection.filters = filters.clone();
    selection.after = after.map(str::to_owned);
    selection.detail = Detail::Header(Vec::new());
    selection.is_lenient = true;
    for found in store.traverse(&selection)? {
        match found? {
            Found::Header(header) => {
                let flow = visitor.header(&name, header)?;
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            Found::Damaged(damaged) => visitor.damaged(damaged.error),
            _ => {}
        }
    }
    Ok(ControlFlow::Continue(()))
}
