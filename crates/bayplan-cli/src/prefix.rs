//! Containers named by the beginning of their ids.

use std::io::Write;

use bayplan::{Filter, Filters, ReadStore};

use crate::cli::Global;
use crate::failure::{Failure, Result, say};
use crate::text;

/// The id that was meant.
pub(crate) struct Meant {
    pub(crate) id: String,
    /// The argument, if it is only the beginning of the id.
    beginning: Option<String>,
}

impl Meant {
    /// Prints the whole id and what was done, if only its beginning was given.
    pub(crate) fn tell(&self, done: &str, err: &mut dyn Write) {
        if let Some(beginning) = &self.beginning {
            let id = &self.id;
            say(
                err,
                &format!("{done} {id}, the only id that begins with {beginning}"),
            );
        }
    }
}

impl Global {
    /// The id that `written` means: the id itself, or the only one that begins with it.
    ///
    /// The result is valid in the transaction that `store` reads. If there is no such container, it is
    /// `written`, and the following operation reports that.
    pub(crate) fn meant(&self, store: &dyn ReadStore, written: String) -> Result<Meant> {
        let as_written = |id| Meant {
            id,
            beginning: None,
        };
        if self.exact || written.is_empty() || exists(store, &written) {
            return Ok(as_written(written));
        }
        let mut ids = beginning_with(store, &written)?;
        if ids.len() > 1 {
            return Err(ambiguous(store, &written, &ids));
        }
        Ok(match ids.pop() {
            None => as_written(written),
            Some(id) => Meant {
                id,
                beginning: Some(written),
            },
        })
    }
}

/// Whether there is a container with exactly this id, even a damaged one.
fn exists(store: &dyn ReadStore, id: &str) -> bool {
    let of_this_id = Filters::from(Filter::id().eq(id));
    let count = store.query().filter(&of_this_id).count();
    count.map_or(true, |count| count > 0)
}

/// The first ids with this beginning, one more than a message shows at most.
fn beginning_with(store: &dyn ReadStore, beginning: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    // No container has the beginning itself as its id, so the others come right after it.
    let behind = store.query().after(beginning).limit(text::NAMED + 1);
    for header in behind.iter_headers()? {
        let id = match header {
            Ok(header) => header.id,
            // Damage after them concerns others.
            Err(error)
                if error.is_corrupt()
                    && error.id().is_some_and(|id| !id.starts_with(beginning)) =>
            {
                break;
            }
            Err(error) => return Err(error.into()),
        };
        if !id.starts_with(beginning) {
            break;
        }
        ids.push(id);
    }
    Ok(ids)
}

fn ambiguous(store: &dyn ReadStore, beginning: &str, ids: &[String]) -> Failure {
    let text = format!(
        "several containers in namespace {:?} have ids that begin with {beginning:?}: {}",
        store.name().as_str(),
        text::first_of(ids)
    );
    Failure::new(text).because("write more of the id, or all of it")
}
