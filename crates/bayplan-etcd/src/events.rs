//! Makes changes of the keys and values that etcd reports.

use std::sync::Arc;

use bayplan::implementing::{Item, open_labels};
use bayplan::{
    Container, Detail, Error, ErrorKind, Event, Found, NamespaceName, Record, Result, Revision,
    Subject,
};
use etcd_client::KeyValue;

use crate::draft::{Stored, to_revision};
use crate::fault::Fault;
use crate::keys::{CONTAINERS, Named};
use crate::operations::opened;
use crate::shared::{At, Shared};

/// One change of a store in etcd.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The revision of the change. All changes of one transaction have the same.
    pub revision: Revision,
    /// The namespace that changed, or in which something changed.
    pub namespace: NamespaceName,
    /// What changed.
    pub subject: Subject,
}

/// How to read what has changed.
pub(crate) struct Decoder {
    pub(crate) shared: Arc<Shared>,
    pub(crate) detail: Detail,
    /// Whether it is the copy of a host's store.
    pub(crate) is_copy: bool,
}

impl Decoder {
    /// Makes the change of one key. `None` for a key that is not followed.
    pub(crate) fn change(
        &self,
        pair: &KeyValue,
        at: At,
        event: impl FnOnce(()) -> Event<()>,
    ) -> Result<Option<Change>, Fault> {
        let revision = to_revision(pair.mod_revision());
        let event = event(());
        let (name, subject) = match self.shared.keys.parse(pair.key()) {
            None => return Ok(None),
            Some(Named::Namespace(name)) => {
                let labels = || open_labels(pair.key(), pair.value()).map(|(_, labels)| labels);
                let event = with(event, || labels().map_err(Fault::of_content));
                (name, Subject::Namespace(event?))
            }
            Some(Named::Record(name, kind, id)) if kind == CONTAINERS => {
                let event = with(event, || self.item::<Container>(pair, &id, at));
                let event = event.map_err(|fault| fault.about(&name, None, &id))?;
                (name, Subject::Container { id, event })
            }
            Some(Named::Record(name, kind, id)) => {
                let event = with(event, || self.item::<Record>(pair, &id, at));
                let event = event.map_err(|fault| fault.about(&name, Some(&kind), &id))?;
                (name, Subject::Record { kind, id, event })
            }
        };
        let namespace = NamespaceName::new(name).map_err(|error| {
            let what = "a namespace has a name that is none";
            Fault::of_content(Error::of_kind(ErrorKind::Corrupt, what).caused_by(error))
        })?;
        Ok(Some(Change {
            revision,
            namespace,
            subject,
        }))
    }

    /// Returns an item as it was at a revision, in the detail that was asked for.
    fn item<T: Item>(&self, pair: &KeyValue, id: &str, at: At) -> Result<Found<T>, Fault> {
        let open = || {
            let stored = Stored::of(pair);
            opened::<T>(pair.key(), id, &stored, self.is_copy).map_err(Fault::of_content)
        };
        Ok(match &self.detail {
            Detail::Id => Found::Id(id.to_owned()),
            Detail::Header(names) => Found::Header(open()?.item.into_header(names)),
            _ => {
                let key = self.shared.keys.value_of(pair.key()).unwrap_or_default();
                let [value] = self.shared.get(at, [&key])?;
                let value = value.map(|value| value.value);
                let item = open()?.with_value(pair.key(), value.as_deref());
                Found::Whole(item.map_err(Fault::of_content)?)
            }
        })
    }
}

/// Puts what is stored into an event.
fn with<T>(event: Event<()>, item: impl FnOnce() -> Result<T, Fault>) -> Result<Event<T>, Fault> {
    Ok(match event {
        Event::Created(()) => Event::Created(item()?),
        Event::Updated(()) => Event::Updated(item()?),
        _ => Event::Deleted,
    })
}
