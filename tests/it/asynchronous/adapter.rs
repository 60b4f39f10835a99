//! The async operations as an implementation of the traits: each blocks until it is ready.

use bayplan::{
    AsyncCollection, AsyncDb, AsyncItems, Container, Db, Detail, FieldMask, Filters, Found, Labels,
    NamespaceName, Namespaces, ReadNamespaces, ReadStore, Record, Result, Revision, Rules,
    Selection, Store, Stored, Traversal, Update,
};
use bayplan_conformance::Fixture;
use tokio::runtime::Runtime as Tokio;

pub(super) struct OfAsync {
    tokio: Tokio,
    db: AsyncDb,
}

impl OfAsync {
    pub(super) fn new(db: Db) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().build();
        Self {
            tokio: tokio.unwrap(),
            db: db.into(),
        }
    }
}

impl Fixture for OfAsync {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        let store = self.db.namespace(namespace)?;
        Ok(Box::new(Blocking {
            tokio: &self.tokio,
            store,
        }))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        let store = self.db.namespace(namespace)?.records(kind)?;
        Ok(Box::new(Blocking {
            tokio: &self.tokio,
            store,
        }))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        self
    }

    fn rules(&self) -> Rules {
        self.db.info().rules
    }

    fn keep_empty_labels(&self) -> bool {
        self.db.info().keep_empty_labels
    }
}

impl ReadNamespaces for OfAsync {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.tokio.block_on(self.db.list_namespaces())
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        self.tokio.block_on(self.db.namespace_labels(name))
    }

    fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        self.tokio.block_on(self.db.record_kinds(name))
    }
}

impl Namespaces for OfAsync {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        self.tokio.block_on(self.db.create_namespace(name, labels))
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let set = self.db.set_namespace_label(name, key, value);
        self.tokio.block_on(set)
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        self.tokio.block_on(self.db.delete_namespace(name))
    }
}

struct Blocking<'t, T> {
    tokio: &'t Tokio,
    store: AsyncCollection<Db, T>,
}

impl<T> Blocking<'_, T> {
    fn found<'a, S: Stored, I: 'a>(
        &self,
        mut items: AsyncItems<I>,
        make: fn(I) -> Found<S>,
    ) -> Traversal<'a, S> {
        let mut all = Vec::new();
        while let Some(item) = self.tokio.block_on(items.next()) {
            all.push(item.map(make));
        }
        Box::new(all.into_iter())
    }
}

macro_rules! blocking {
    ($item:ty) => {
        impl ReadStore<$item> for Blocking<'_, $item> {
            fn name(&self) -> &NamespaceName {
                self.store.name()
            }

            fn get(&self, id: &str) -> Result<$item> {
                self.tokio.block_on(self.store.get(id))
            }

            fn find(&self, id: &str) -> Result<Option<$item>> {
                self.tokio.block_on(self.store.find(id))
            }

            fn list(&self, filters: &Filters) -> Result<Vec<$item>> {
                self.tokio.block_on(self.store.list(filters))
            }

            fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, $item>> {
                let mut query = self.store.query().filter(&selection.filters);
                if let Some(after) = &selection.after {
                    query = query.after(after);
                }
                if let Some(limit) = selection.limit {
                    query = query.limit(limit);
                }
                Ok(match &selection.detail {
                    Detail::Id => self.found(query.stream_ids(), Found::Id),
                    Detail::Header(names) if names.is_empty() => {
                        self.found(query.stream_headers(), Found::Header)
                    }
                    _ if selection.is_lenient => {
                        let listing = self.tokio.block_on(query.lenient())?;
                        Box::new(listing.items.into_iter().map(|item| Ok(Found::Whole(item))))
                    }
                    _ => self.found(query.stream(), Found::Whole),
                })
            }
        }

        impl Store<$item> for Blocking<'_, $item> {
            fn create(&self, new: $item) -> Result<$item> {
                self.tokio.block_on(self.store.create(new))
            }

            fn update_when(
                &self,
                expected: Option<Revision>,
                input: $item,
                mask: &FieldMask,
            ) -> Result<$item> {
                match expected {
                    Some(revision) => {
                        let update = self.store.update_if(revision, input, mask);
                        self.tokio.block_on(update)
                    }
                    None => self.tokio.block_on(self.store.update(input, mask)),
                }
            }

            fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
                match expected {
                    Some(revision) => self.tokio.block_on(self.store.delete_if(revision, id)),
                    None => self.tokio.block_on(self.store.delete(id)),
                }
            }

            fn apply(&self, update: Update<$item>) -> Result<$item> {
                self.tokio.block_on(self.store.apply(update))
            }

            fn put(&self, item: $item) -> Result<$item> {
                self.tokio.block_on(self.store.put(item))
            }

            fn put_if(&self, revision: Revision, item: $item) -> Result<$item> {
                self.tokio.block_on(self.store.put_if(revision, item))
            }

            fn import(&self, item: $item) -> Result<$item> {
                self.tokio.block_on(self.store.import(item))
            }
        }
    };
}

blocking!(Container);
blocking!(Record);
