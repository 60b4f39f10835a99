//! What holds what, according to the containers and records of a namespace.

use crate::api::collection::{Collection, UntilError};
use crate::api::source::Source;
use crate::model::error::{Error, Operation, Result};
use crate::model::pin::{Pin, Resource};
use crate::query::{Damaged, Scope};

impl<S: Source> Collection<S> {
    /// Iterates over all pins of the namespace: what its containers and records hold, and what holds them.
    ///
    /// | said by | held | holder |
    /// |---|---|---|
    /// | a container's `image` | that image | the container |
    /// | a container's `snapshotter` and `snapshot_key` | that snapshot | the container |
    /// | a label `containerd.io/gc.ref.content`, `.image`, `.container` | what its value names | the container or record |
    /// | a label `containerd.io/gc.ref.snapshot.SNAPSHOTTER` | the snapshot with the key that is its value | the container or record |
    /// | a label `containerd.io/gc.ref.TYPE` | a [`Resource::Other`] | the container or record |
    /// | a label `containerd.io/gc.bref.` and one of these | the container or record | what its value names |
    ///
    /// A key may continue with `.` or `/` and any text, to distinguish several labels:
    /// `containerd.io/gc.ref.content.0`. After a snapshotter, whose name may have dots, only `/` does this. These are
    /// containerd's rules; containerd knows no `gc.ref.container`, and no types but those of its plugins. A label with
    /// an empty value names nothing.
    ///
    /// These labels are not pins, but the host can read them: `containerd.io/gc.root`, `gc.expire` and `gc.flat`, and
    /// the conditional references `gc.cond`, which depend on when a snapshot was used. The labels of namespaces are no
    /// pins either: containerd's collector does not read them.
    ///
    /// All pins are from one snapshot. It is that of a [`ReadTxn`](crate::ReadTxn), or a new one of a
    /// [`Db`](crate::Db), whose pages are verified first unless opening has done so. A [`WriteTxn`](crate::WriteTxn)
    /// sees its own changes. Pins are in the order of the kinds, then of the ids. A few records at a time are in
    /// memory.
    ///
    /// # Errors
    ///
    /// The iterator ends after an error. A caller that removes what nothing holds must then stop as well:
    /// [`Corrupt`](crate::ErrorKind::Corrupt), naming the id, at the first damaged container or record;
    /// [`Io`](crate::ErrorKind::Io).
    ///
    /// # Examples
    ///
    /// This garbage collector keeps what is held. The host has its images as records. It collects in a write
    /// transaction, so that no other writer can pin an image that it is about to remove.
    ///
    /// ```
    /// use std::collections::{BTreeMap, BTreeSet};
    ///
    /// use bayplan::{Any, Container, Db, Record, Resource, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let db = Db::in_memory()?;
    /// let k8s = db.namespace("k8s.io")?;
    /// let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
    /// k8s.create(web.image("nginx").snapshot("overlayfs", "web"))?;
    /// let nginx = Record::new("nginx", Any::new("image", b"{}"));
    /// let nginx = nginx.label("containerd.io/gc.ref.content.manifest", "sha256:01");
    /// k8s.records("images")?.create(nginx)?;
    ///
    /// let kept = db.write(|txn| -> bayplan::Result<_> {
    ///     let k8s = txn.namespace("k8s.io")?;
    ///     let node = |resource| match resource {
    ///         Resource::Record { kind, id } if kind == "images" => Resource::Image { name: id },
    ///         other => other,
    ///     };
    ///     let mut held_by = BTreeMap::<_, Vec<_>>::new();
    ///     for pin in k8s.pins()? {
    ///         let pin = pin?;
    ///         held_by.entry(node(pin.holder)).or_default().push(node(pin.held));
    ///     }
    ///     let mut kept = BTreeSet::new();
    ///     let containers = k8s.query().ids()?.into_iter();
    ///     let mut next: Vec<_> = containers.map(|id| Resource::Container { id }).collect();
    ///     while let Some(resource) = next.pop() {
    ///         next.extend(held_by.remove(&resource).unwrap_or_default());
    ///         kept.insert(resource);
    ///     }
    ///     // Here it removes what it has and `kept` has not.
    ///     Ok(kept)
    /// })?;
    /// let manifest = Resource::Content { digest: "sha256:01".into() };
    /// assert!(kept.contains(&manifest));
    /// assert_eq!(kept.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pins(&self) -> Result<impl Iterator<Item = Result<Pin>> + use<'_, S>> {
        self.pins_of(None)
    }

    /// Iterates over the pins of one resource: what in the namespace holds it. See [`pins`](Collection::pins).
    ///
    /// The call does not say whether the resource exists. Once the records are in memory
    /// ([`Builder::memory_bytes`](crate::Builder::memory_bytes)), it looks only at those that hold the resource.
    ///
    /// # Errors
    ///
    /// As [`pins`](Collection::pins).
    ///
    /// # Examples
    ///
    /// ```
    /// use bayplan::{Any, Container, Db, PinSource, Resource, Runtime};
    ///
    /// # fn main() -> bayplan::Result<()> {
    /// let k8s = Db::in_memory()?.namespace("k8s.io")?;
    /// let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
    /// k8s.create(web.image("nginx"))?;
    ///
    /// let nginx = Resource::Image { name: "nginx".into() };
    /// let pin = k8s.holders_of(&nginx)?.next().unwrap()?;
    /// assert_eq!(pin.holder, Resource::Container { id: "web".into() });
    /// assert_eq!(pin.by, PinSource::Image);
    /// # Ok(())
    /// # }
    /// ```
    pub fn holders_of(
        &self,
        resource: &Resource,
    ) -> Result<impl Iterator<Item = Result<Pin>> + use<'_, S>> {
        self.pins_of(Some(resource.clone()))
    }

    /// Iterates over all pins, or those of one resource.
    fn pins_of(
        &self,
        held: Option<Resource>,
    ) -> Result<impl Iterator<Item = Result<Pin>> + use<'_, S>> {
        let name = self.name();
        let in_context = move |error: Error| error.during(Operation::Pins).in_namespace(name);
        let view = self.source().view(Operation::Pins).map_err(in_context)?;
        let kinds = view.kinds(name).map_err(in_context)?.into_iter();
        let pins = kinds.flat_map(move |kind| {
            let scope = Scope {
                pinning: held.clone(),
                ..Scope::all(name, &kind)
            };
            let held = held.clone();
            view.traverse::<Vec<Pin>>(scope).flat_map(move |found| {
                let found =
                    found.and_then(|found| found.map_err(|Damaged { id, error }| error.of(id)));
                match found {
                    Ok(mut pins) => {
                        pins.retain(|pin| held.as_ref().is_none_or(|held| pin.held == *held));
                        pins.into_iter().map(Ok).collect()
                    }
                    Err(error) => vec![Err(in_context(error.of_record_kind(kind.of_collection())))],
                }
            })
        });
        Ok(UntilError::new(pins))
    }
}
