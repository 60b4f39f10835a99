//! The latest change in a store.

use bayplan::{Db, Detail, Position};

/// The position from which only later changes are told. It looks at all revisions: the file does not tell the last one.
pub(crate) fn position(db: &Db) -> bayplan::Result<Position> {
    let mut changes = db.changes_since(Position::START, Detail::Id)?;
    for change in &mut changes {
        change?;
    }
    Ok(changes.position())
}
