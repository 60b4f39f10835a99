//! SQLite with a plain schema: the small fields of a container in one column, its spec in another,
//! its labels in a table with an index. In WAL mode, with a sync for each transaction.

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use bayplan::{Any, Container};
use regex::Regex;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Row, TransactionBehavior, params};

use crate::codec::{decode, encode};
use crate::contestant::{
    CACHE_BYTES, CHANGED, Filter, Opening, PATTERN, SMALL_CACHE_BYTES, TURN_TIMEOUT,
};
use crate::payload::{self, NAMESPACE, RARE, container, id};
use crate::peer::Peer;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS containers (
        ns TEXT NOT NULL, id TEXT NOT NULL, updated_at INTEGER NOT NULL,
        record BLOB NOT NULL, spec_type TEXT NOT NULL, spec BLOB NOT NULL,
        PRIMARY KEY (ns, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS labels (
        ns TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (ns, id, key),
        FOREIGN KEY (ns, id) REFERENCES containers (ns, id) ON DELETE CASCADE) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_label ON labels (ns, key, value);";

const CREATE: &str = "INSERT INTO containers VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const LABEL: &str = "INSERT INTO labels VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET value = excluded.value";
const TOUCH: &str = "UPDATE containers SET updated_at = ?3 WHERE ns = ?1 AND id = ?2";
const DELETE: &str = "DELETE FROM containers WHERE ns = ?1 AND id = ?2";
const LABELS: &str = "SELECT key, value FROM labels WHERE ns = ?1 AND id = ?2";
const COLUMNS: &str = "SELECT id, record, spec_type, spec FROM containers WHERE ns = ?1";
const MATCHING: &str = "id IN (SELECT id FROM labels WHERE ns = ?1 AND key = ?2 AND value";

/// A connection that its threads share: SQLite has one writer in any case.
pub(crate) struct Sqlite(Mutex<Connection>);

impl Sqlite {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer for Sqlite {
    const NAME: &'static str = "sqlite";
    type New = Container;
    type Change = (String, String);

    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        let cache = match opening {
            Opening::SmallCache => SMALL_CACHE_BYTES,
            _ => CACHE_BYTES,
        };
        let connection = Connection::open(directory.join("store.sqlite"))?;
        connection.busy_timeout(TURN_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -i64::try_from(cache / 1024)?)?;
        connection.execute_batch(SCHEMA)?;
        let regex = Regex::new(PATTERN)?;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function("matches", 1, flags, move |context| {
            Ok(regex.is_match(context.get_raw(0).as_str()?))
        })?;
        Ok(Self(Mutex::new(connection)))
    }

    fn new(number: usize) -> Result<Container> {
        Ok(container(number))
    }

    fn change(number: usize, value: &str) -> Result<(String, String)> {
        Ok((id(number), value.to_owned()))
    }

    fn fill(&self, mut numbers: Range<usize>) -> Result<()> {
        let mut connection = self.connection();
        let txn = connection.transaction()?;
        numbers.try_for_each(|number| insert(&txn, container(number)))?;
        Ok(txn.commit()?)
    }

    fn remove(&self, mut numbers: Range<usize>) -> Result<()> {
        let mut connection = self.connection();
        let txn = connection.transaction()?;
        numbers.try_for_each(|number| delete(&txn, &id(number)))?;
        Ok(txn.commit()?)
    }

    fn create(&self, new: Container) -> Result<()> {
        let mut connection = self.connection();
        // Other processes may write as well.
        let txn = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert(&txn, new)?;
        Ok(txn.commit()?)
    }

    fn update(&self, (id, value): (String, String)) -> Result<()> {
        let mut connection = self.connection();
        let txn = connection.transaction()?;
        let touched = txn
            .prepare_cached(TOUCH)?
            .execute(params![NAMESPACE, id, now()])?;
        ensure!(touched == 1, "no such container");
        let mut label = txn.prepare_cached(LABEL)?;
        label.execute(params![NAMESPACE, id, CHANGED, value])?;
        drop(label);
        Ok(txn.commit()?)
    }

    fn delete(&self, id: &str) -> Result<()> {
        delete(&self.connection(), id)
    }

    fn get(&self, id: &str) -> Result<()> {
        let found = visit(&self.connection(), "id = ?2", &[id])?;
        ensure!(found == 1, "no such container");
        Ok(())
    }

    fn list(&self) -> Result<usize> {
        visit(&self.connection(), "true", &[])
    }

    fn can_be_shared() -> bool {
        true
    }

    fn filter(&self, filter: &Filter) -> Result<Option<usize>> {
        let connection = self.connection();
        let (key, value) = RARE;
        let found = match filter {
            Filter::Id(number) => visit(&connection, "id = ?2", &[&payload::id(*number)]),
            Filter::Label => visit(&connection, &format!("{MATCHING} = ?3)"), &[key, value]),
            Filter::Regex => {
                let matching = MATCHING.replace("AND value", "AND matches(value))");
                visit(&connection, &matching, &[key])
            }
        };
        found.map(Some)
    }
}

fn insert(connection: &Connection, mut new: Container) -> Result<()> {
    let spec = new.spec.take().context("no spec")?;
    let labels = std::mem::take(&mut new.labels);
    let mut create = connection.prepare_cached(CREATE)?;
    create.execute(params![
        NAMESPACE,
        new.id,
        now(),
        encode(&new)?,
        spec.type_url,
        &*spec.value
    ])?;
    let mut label = connection.prepare_cached(LABEL)?;
    for (key, value) in labels {
        label.execute(params![NAMESPACE, new.id, key, value])?;
    }
    Ok(())
}

fn delete(connection: &Connection, id: &str) -> Result<()> {
    let mut delete = connection.prepare_cached(DELETE)?;
    let deleted = delete.execute(params![NAMESPACE, id])?;
    ensure!(deleted == 1, "no such container");
    Ok(())
}

/// Reads the containers for which the condition holds, one after the other, and counts them.
fn visit(connection: &Connection, condition: &str, values: &[&str]) -> Result<usize> {
    let mut select = connection.prepare_cached(&format!("{COLUMNS} AND {condition}"))?;
    let mut labels = connection.prepare_cached(LABELS)?;
    let values = [&[NAMESPACE], values].concat();
    let mut rows = select.query(rusqlite::params_from_iter(values))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let mut container = owned(row)?;
        let mut found = labels.query(params![NAMESPACE, container.id])?;
        while let Some(label) = found.next()? {
            container.labels.insert(label.get(0)?, label.get(1)?);
        }
        std::hint::black_box(container);
        count += 1;
    }
    Ok(count)
}

fn owned(row: &Row<'_>) -> Result<Container> {
    let mut container = decode(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?)?;
    let value = row.get_ref(3)?.as_blob()?;
    container.spec = Some(Any::new(row.get_ref(2)?.as_str()?, value));
    Ok(container)
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
