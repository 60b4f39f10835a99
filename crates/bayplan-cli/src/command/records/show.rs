//! `bayplan records info`

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::{edited, json};

pub(super) fn info(kind: &str, ids: &[String], global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let namespace = global.namespace()?;
    let snapshot = global.open_to_read()?.read()?;
    let store = snapshot.namespace(&namespace)?.records(kind)?;
    let show = |id: &String| -> Result<String> {
        let record = store.get(id)?;
        Ok(edited::show(&json::of(&record)?, &record))
    };
    if let [id] = ids {
        writeln!(io.out, "{}", json::pretty(&show(id)?, 0))?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    let mut array = json::Array::default();
    for id in ids {
        match show(id) {
            Ok(text) => array.push(io.out, &text)?,
            Err(failure) => {
                failure.report(io.err);
                exit = exit.max(failure.exit());
            }
        }
    }
    array.finish(io.out)?;
    Ok(exit)
}
