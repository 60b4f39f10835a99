//! `bayplan records create`, `put`, `label` and `rm`

use bayplan::{Record, Update};

use super::New;
use crate::cli::Global;
use crate::command::label;
use crate::failure::{Exit, Failure, Result};
use crate::input;
use crate::run::Io;

/// Stores a record. One that has its id already is replaced, or refused if the record is to be new.
pub(super) fn store(new: New, is_new: bool, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let kind = new.kind.clone();
    let record = record(new, io)?;
    let db = global.open_to_write()?;
    let store = db.namespace(&global.namespace()?)?.records(&kind)?;
    match is_new {
        true => store.create(record)?,
        false => store.put(record)?,
    };
    Ok(Exit::Done)
}

/// The record that the arguments describe.
fn record(new: New, io: &mut Io<'_>) -> Result<Record> {
    let value = input::read(&new.value, io.input)?.value()?;
    Ok(Record::new(new.id, value).labels(new.labels))
}

pub(super) fn label(
    kind: &str,
    id: &str,
    labels: Vec<(String, String)>,
    global: &Global,
    io: &mut Io<'_>,
) -> Result<Exit> {
    let namespace = global.namespace()?;
    let record = if labels.is_empty() {
        let snapshot = global.open_to_read()?.read()?;
        snapshot.namespace(&namespace)?.records(kind)?.get(id)?
    } else {
        let db = global.open_to_write()?;
        let update = labels
            .into_iter()
            .fold(Update::new(id), |update, (key, value)| {
                update.set_label(key, value)
            });
        db.namespace(&namespace)?.records(kind)?.apply(update)?
    };
    label::print(&record.labels, io.out)?;
    Ok(Exit::Done)
}

pub(super) fn remove(kind: &str, ids: &[String], global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_write()?;
    let txn = db.begin_write()?;
    let store = txn.namespace(&global.namespace()?)?.records(kind)?;
    let mut exit = Exit::Done;
    for id in ids {
        if let Err(error) = store.delete(id) {
            let failure = Failure::from(error);
            failure.report(io.err);
            exit = exit.max(failure.exit());
        }
    }
    txn.commit()?;
    Ok(exit)
}
