//! Reads the containers of one namespace, or its records of another kind: now, or at one revision.

use std::marker::PhantomData;
use std::sync::Arc;

use bayplan::implementing::{Action, Item, Opened};
use bayplan::{Container, Error, NamespaceName, Result, Selection, Traversal};

use crate::draft::Stored;
use crate::keys::Row;
use crate::operations::{not_found, opened};
use crate::scan::Scan;
use crate::shared::{At, Shared, told};

/// What the handles for reading and for writing have in common.
pub(crate) struct Reader<T = Container> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: NamespaceName,
    pub(crate) kind: Arc<str>,
    pub(crate) at: At,
    /// Whether this is a copy of a host's store: items have the revisions of that store, and may lack their spec or value.
    pub(crate) is_copy: bool,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            name: self.name.clone(),
            kind: Arc::clone(&self.kind),
            at: self.at,
            is_copy: self.is_copy,
            of: PhantomData,
        }
    }
}

impl<T> Reader<T> {
    pub(crate) fn new(shared: &Arc<Shared>, name: &str, kind: &str, at: At) -> Result<Self> {
        let name = NamespaceName::new(name)
            .map_err(|error| told(Action::OpenNamespace, name, kind, None)(error))?;
        Ok(Self {
            shared: Arc::clone(shared),
            name,
            kind: kind.into(),
            at,
            is_copy: false,
            of: PhantomData,
        })
    }

    /// Names the action and the place in an error.
    pub(crate) fn told(
        &self,
        action: Action,
        id: Option<&str>,
    ) -> impl Fn(Error) -> Error + use<T> {
        told(action, self.name.as_str(), &self.kind, id)
    }

    pub(crate) fn told_listing(&self, error: Error, id: Option<&str>) -> Error {
        self.told(Action::List, id)(error)
    }
}

impl<T: Item> Reader<T> {
    pub(crate) fn find(&self, id: &str) -> Result<Option<T>> {
        if T::check_id(id).is_err() {
            return Ok(None);
        }
        let key = |row| {
            self.shared
                .keys
                .record(row, self.name.as_str(), &self.kind, id)
        };
        let (head, value) = (key(Row::Head), key(Row::Value));
        let read = self.shared.get(self.at, [&head, &value]);
        let found = read
            .map_err(|fault| fault.error)
            .and_then(|[stored, value]| {
                let value = value.map(|value| value.value);
                stored
                    .map(|stored| {
                        self.open(&head, id, &stored)?
                            .with_value(&head, value.as_deref())
                    })
                    .transpose()
            });
        found.map_err(self.told(Action::Get, Some(id)))
    }

    /// Opens a head.
    pub(crate) fn open(&self, key: &[u8], id: &str, stored: &Stored) -> Result<Opened<T>> {
        opened(key, id, stored, self.is_copy)
    }

    pub(crate) fn get(&self, id: &str) -> Result<T> {
        let found = self.find(id)?;
        found.ok_or_else(|| self.told(Action::Get, Some(id))(not_found()))
    }

    pub(crate) fn traverse(&self, selection: &Selection) -> Traversal<'static, T> {
        Box::new(Scan::new(self, selection))
    }
}
