//! The laws of the traits, where each call goes through another handle of the same file than the one before.

use std::cell::Cell;

use bayplan::{
    Collection, Container, Db, FieldMask, Labels, NamespaceName, Namespaces, ReadNamespaces,
    ReadStore, Record, Result, Revision, Rules, Selection, Share, Store, Stored, Traversal,
};
use bayplan_conformance::{self as conformance, Fixture};
use tempfile::TempDir;

/// Two handles, as two processes would have them: redb's locks belong to an open file.
struct Handles {
    both: [Db; 2],
    turn: Cell<usize>,
    _directory: TempDir,
}

impl Handles {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.redb");
        let first = Db::builder().share(Share::Processes).create(&path).unwrap();
        let second = Db::open(&path).unwrap();
        Self {
            both: [first, second],
            turn: Cell::new(0),
            _directory: directory,
        }
    }

    fn next(&self) -> &Db {
        self.turn.set(self.turn.get() + 1);
        &self.both[self.turn.get() % 2]
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        assert!(self.next().check().unwrap().is_healthy());
    }
}

struct Alternating<T: Stored>([Collection<Db, T>; 2], Cell<usize>);

impl<T: Stored> Alternating<T> {
    fn next(&self) -> &Collection<Db, T> {
        self.1.set(self.1.get() + 1);
        &self.0[self.1.get() % 2]
    }
}

impl<T: Stored> ReadStore<T> for Alternating<T>
where
    Collection<Db, T>: Store<T>,
{
    fn name(&self) -> &NamespaceName {
        self.0[0].name()
    }

    fn get(&self, id: &str) -> Result<T> {
        self.next().get(id)
    }

    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, T>> {
        ReadStore::traverse(self.next(), selection)
    }
}

impl<T: Stored> Store<T> for Alternating<T>
where
    Collection<Db, T>: Store<T>,
{
    fn create(&self, new: T) -> Result<T> {
        self.next().create(new)
    }

    fn update_when(&self, expected: Option<Revision>, input: T, mask: &FieldMask) -> Result<T> {
        self.next().update_when(expected, input, mask)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        self.next().delete_when(expected, id)
    }

    fn put(&self, item: T) -> Result<T> {
        self.next().put(item)
    }

    fn import(&self, item: T) -> Result<T> {
        self.next().import(item)
    }
}

impl ReadNamespaces for Handles {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.next().list_namespaces()
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        self.next().namespace_labels(name)
    }

    fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        self.next().record_kinds(name)
    }
}

impl Namespaces for Handles {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        self.next().create_namespace(name, labels)
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        self.next().set_namespace_label(name, key, value)
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        self.next().delete_namespace(name)
    }
}

impl Fixture for Handles {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        let [one, other] = [&self.both[0], &self.both[1]].map(|db| db.namespace(namespace));
        Ok(Box::new(Alternating::<Container>(
            [one?, other?],
            Cell::default(),
        )))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        let [one, other] =
            [&self.both[0], &self.both[1]].map(|db| db.namespace(namespace)?.records(kind));
        Ok(Box::new(Alternating::<Record>(
            [one?, other?],
            Cell::default(),
        )))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        self
    }

    fn rules(&self) -> Rules {
        self.both[0].info().rules
    }
}

#[test]
fn two_processes_that_take_turns_keep_all_laws() {
    let report = conformance::run(Handles::new);
    assert!(report.is_clean(), "{report}");
}
