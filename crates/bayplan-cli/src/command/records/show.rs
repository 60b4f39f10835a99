//! `bayplan records info`

use crate::cli::Global;
use crate::command::info::print_each;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::{edited, json};

pub(super) fn info(kind: &str, ids: &[String], global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let namespace = global.namespace()?;
    let snapshot = global.open_to_read()?.read()?;
    let store = snapshot.namespace(&namespace)?.records(kind)?;
    let show = |id: &String| {
        let record = store.get(id)?;
        Ok(edited::show(&json::of(&record)?, &record))
    };
    print_each(ids, show, io)
}
