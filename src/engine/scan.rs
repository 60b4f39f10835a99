//! Reading containers: one cursor over adjacent keys, decoding no more than is asked for.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use redb::{AccessGuard, ReadableTable};

use crate::borrowed::{AnyRef, ContainerRef};
use crate::container::{Container, ContainerHeader, Extensions};
use crate::engine::fault::{OrFault, check_order};
use crate::engine::plan::Plan;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::filter::{Filters, Subject};
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::record::{AnyContent, Record, text, unseal_text};
use crate::schema::{self, ContainerKey, Part, Row};
use crate::store::Damaged;

type Bytes = &'static [u8];
type Guard<'t> = AccessGuard<'t, Bytes>;

/// The table of containers, in a transaction of either kind.
pub(crate) trait Containers: ReadableTable<Bytes, Bytes> {}

impl<T: ReadableTable<Bytes, Bytes>> Containers for T {}

/// Most containers, and about how many bytes of them, that one batch holds: few enough that the next
/// batch is read into memory that is still warm.
const BATCH_MAX_COUNT: usize = 64;
const BATCH_MAX_BYTES: usize = 64 * 1024;

/// The container `id`, if there is one.
pub(crate) fn get<T: Shape>(
    table: &impl Containers,
    namespace: &NamespaceName,
    id: &ContainerId,
) -> Result<Option<T>> {
    let mut scan = Scan::new(table, namespace, ContainerKey::new(namespace, id).all())?;
    let mut head = Head::default();
    if scan.enter(&mut head) {
        scan.read(&head, &Filters::all(), T::WANT, T::build)
    } else {
        Ok(None)
    }
}

/// A few containers of a namespace, and where to go on.
pub(crate) struct Batch<T> {
    /// What matched, or is damaged, in order.
    pub(crate) items: Vec<Result<T, Damaged>>,
    /// The id of the last container looked at, if there may be more behind it.
    pub(crate) rest_after: Option<Vec<u8>>,
}

impl<T> Batch<T> {
    fn is_full(&self, limit: usize, size: usize) -> bool {
        self.items.len() >= limit.min(BATCH_MAX_COUNT) || size >= BATCH_MAX_BYTES
    }
}

/// The next few containers behind `after` that match the filters, `limit` of them at most, where
/// the plan says to look.
pub(crate) fn batch<T: Shape>(
    table: &impl Containers,
    namespace: &NamespaceName,
    after: Option<&[u8]>,
    limit: usize,
    filters: &Filters,
    plan: &Plan,
) -> Result<Batch<T>> {
    let mut batch = Batch {
        items: Vec::new(),
        rest_after: None,
    };
    let mut size = 0;
    let mut head = Head::default();
    let scan = |keys| Scan::new(table, namespace, keys);
    if let Plan::Ids(ids) = plan {
        for id in ids
            .iter()
            .filter(|id| after.is_none_or(|after| id.as_bytes() > after))
        {
            if batch.is_full(limit, size) {
                return Ok(batch);
            }
            batch.rest_after = Some(id.as_bytes().to_vec());
            let Ok(id) = ContainerId::new(id.as_str()) else {
                continue;
            };
            let mut scan = scan(ContainerKey::new(namespace, &id).all())?;
            if scan.enter(&mut head) {
                size += scan.take_into(&mut batch.items, &head, filters)?;
            }
        }
    } else {
        let mut scan = scan(schema::containers_of(namespace, after))?;
        while scan.next.is_some() {
            if batch.is_full(limit, size) {
                batch.rest_after = Some(head.id().to_vec());
                return Ok(batch);
            }
            scan.enter(&mut head);
            size += scan.take_into(&mut batch.items, &head, filters)?;
        }
    }
    batch.rest_after = None;
    Ok(batch)
}

/// Shows the containers behind `after` that match the filters to `visit`, in the file's own bytes,
/// until it breaks.
pub(crate) fn visit(
    table: &impl Containers,
    namespace: &NamespaceName,
    after: Option<&[u8]>,
    filters: &Filters,
    plan: &Plan,
    visit: &mut dyn FnMut(&ContainerRef<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let mut head = Head::default();
    let mut show = |loaded: &Loaded<'_>| Ok(visit(&loaded.borrowed()?));
    let mut visit_all = |keys| -> Result<ControlFlow<()>> {
        let mut scan = Scan::new(table, namespace, keys)?;
        while scan.enter(&mut head) {
            let seen = scan.read(&head, filters, Want::ALL, &mut show);
            let seen = seen.map_err(|error| error.of(String::from_utf8_lossy(head.id())))?;
            if seen.is_some_and(|seen| seen.is_break()) {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    let Plan::Ids(ids) = plan else {
        return visit_all(schema::containers_of(namespace, after)).map(|_| ());
    };
    for id in ids
        .iter()
        .filter(|id| after.is_none_or(|after| id.as_bytes() > after))
    {
        let Ok(id) = ContainerId::new(id.as_str()) else {
            continue;
        };
        if visit_all(ContainerKey::new(namespace, &id).all())?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Which parts of a container are wanted, beside its record.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    labels: bool,
    /// The extensions and the spec.
    body: bool,
}

impl Want {
    const NOTHING: Self = Self {
        labels: false,
        body: false,
    };
    const LABELS: Self = Self {
        labels: true,
        body: false,
    };
    const ALL: Self = Self {
        labels: true,
        body: true,
    };
}

/// What a container is read into.
pub(crate) trait Shape: Sized {
    /// What it is made of.
    const WANT: Want;

    /// Makes it of what was read.
    fn build(loaded: &Loaded<'_>) -> Result<Self>;

    /// About how many bytes it holds.
    fn size(&self) -> usize;
}

/// What was read of a container; labels and body are empty where the shape does not have them.
pub(crate) struct Loaded<'a> {
    id: &'a str,
    record: &'a Record<'a>,
    labels: &'a [Entry<'a>],
    extensions: &'a [Entry<'a>],
    spec: Option<&'a Pair<'a>>,
}

impl Loaded<'_> {
    /// All of it, verified, without a copy.
    fn borrowed(&self) -> Result<ContainerRef<'_>> {
        let labels = self.labels.iter().map(|entry| {
            let value = unseal_text(entry.pair.0.value(), entry.pair.1.value())?;
            Ok((text(entry.name())?, value))
        });
        let extensions = self.extensions.iter().map(|entry| {
            let value = AnyContent::decode(entry.pair.0.value(), entry.pair.1.value())?;
            Ok((text(entry.name())?, AnyRef::from(value)))
        });
        let Some(spec) = self.spec_content()? else {
            return Err(Error::corrupt("the container has no spec"));
        };
        self.record.to_ref(
            self.id,
            labels.collect::<Result<_>>()?,
            extensions.collect::<Result<_>>()?,
            spec.into(),
        )
    }

    fn labels(&self) -> Result<Labels> {
        let pairs = self.labels.iter().map(|entry| {
            let value = unseal_text(entry.pair.0.value(), entry.pair.1.value())?;
            Ok((text(entry.name())?.to_owned(), value.to_owned()))
        });
        pairs.collect()
    }

    fn extensions(&self) -> Result<Extensions> {
        let pairs = self.extensions.iter().map(|entry| {
            let value = AnyContent::decode(entry.pair.0.value(), entry.pair.1.value())?;
            Ok((text(entry.name())?.to_owned(), value.to_any()))
        });
        pairs.collect::<Result<BTreeMap<_, _>>>()
    }

    fn spec_content(&self) -> Result<Option<AnyContent<'_>>> {
        let Some((key, value)) = self.spec else {
            return Ok(None);
        };
        let spec = AnyContent::decode(key.value(), value.value())?;
        if u32::try_from(spec.value_bytes()).ok() == Some(self.record.spec_bytes) {
            Ok(Some(spec))
        } else {
            Err(Error::corrupt("the spec is not as long as the record says"))
        }
    }
}

impl Shape for ContainerHeader {
    const WANT: Want = Want::LABELS;

    fn build(loaded: &Loaded<'_>) -> Result<Self> {
        loaded
            .record
            .to_header(loaded.id.to_owned(), loaded.labels()?)
    }

    fn size(&self) -> usize {
        0
    }
}

impl Shape for Container {
    const WANT: Want = Want::ALL;

    fn build(loaded: &Loaded<'_>) -> Result<Self> {
        let header = ContainerHeader::build(loaded)?;
        let spec = loaded.spec_content()?.as_ref().map(AnyContent::to_any);
        Ok(Self::of_parts(header, spec, loaded.extensions()?))
    }

    fn size(&self) -> usize {
        let body = self.spec.iter().chain(self.extensions.values());
        body.map(|any| any.value.len()).sum()
    }
}

impl Shape for String {
    const WANT: Want = Want::NOTHING;

    fn build(loaded: &Loaded<'_>) -> Result<Self> {
        Ok(loaded.id.to_owned())
    }

    fn size(&self) -> usize {
        0
    }
}

/// Nothing but the fact that it is there.
impl Shape for () {
    const WANT: Want = Want::NOTHING;

    fn build(_: &Loaded<'_>) -> Result<Self> {
        Ok(())
    }

    fn size(&self) -> usize {
        0
    }
}

/// A key and its value.
type Pair<'t> = (Guard<'t>, Guard<'t>);

/// A label or an extension: where its name stands in its key.
pub(crate) struct Entry<'t> {
    pair: Pair<'t>,
    name_at: usize,
}

impl Entry<'_> {
    fn name(&self) -> &[u8] {
        self.pair.0.value().get(self.name_at..).unwrap_or_default()
    }
}

/// The key of a container's record: namespace, separator, id.
#[derive(Default)]
struct Head {
    key: Vec<u8>,
    id_at: usize,
}

impl Head {
    fn id(&self) -> &[u8] {
        self.key.get(self.id_at..).unwrap_or_default()
    }
}

/// A cursor over the rows of containers.
struct Scan<'t> {
    range: redb::Range<'t, Bytes, Bytes>,
    next: Option<Pair<'t>>,
    keys: Range<Vec<u8>>,
    /// Where the ids begin in the keys.
    id_at: usize,
}

impl<'t> Scan<'t> {
    fn new(
        table: &'t impl Containers,
        namespace: &NamespaceName,
        keys: Range<Vec<u8>>,
    ) -> Result<Self> {
        let range = table
            .range(keys.start.as_slice()..keys.end.as_slice())
            .or_fault()?;
        let id_at = namespace.as_str().len() + 1;
        let mut scan = Self {
            range,
            next: None,
            keys,
            id_at,
        };
        scan.advance()?;
        Ok(scan)
    }

    fn advance(&mut self) -> Result<Option<Pair<'t>>> {
        let next = self.range.next().transpose().or_fault()?;
        if let Some((key, _)) = &next {
            let is_behind = match &self.next {
                Some((before, _)) => key.value() > before.value(),
                None => key.value() >= self.keys.start.as_slice(),
            };
            check_order(is_behind && key.value() < self.keys.end.as_slice())?;
        }
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Enters the container whose row is next, whatever part of it that is; false at the end.
    fn enter(&mut self, head: &mut Head) -> bool {
        let Some((key, _)) = &self.next else {
            return false;
        };
        let key = key.value();
        let end = match Row::parse(key) {
            Some((namespace, row)) => namespace.len() + 1 + row.id.len(),
            None => key.len(),
        };
        head.key.clear();
        head.key.extend_from_slice(key.get(..end).unwrap_or(key));
        head.id_at = self.id_at;
        true
    }

    /// Whether the next row belongs to the container entered.
    fn is_inside(&self, head: &Head) -> bool {
        self.next.as_ref().is_some_and(|(key, _)| {
            let rest = key.value().strip_prefix(head.key.as_slice());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(0)))
        })
    }

    fn leave(&mut self, head: &Head) -> Result<()> {
        while self.is_inside(head) {
            self.advance()?;
        }
        Ok(())
    }

    /// Adds the container entered, if it matches, or reports it as damaged; leaves it, and tells
    /// how many bytes were added.
    fn take_into<T: Shape>(
        &mut self,
        items: &mut Vec<Result<T, Damaged>>,
        head: &Head,
        filters: &Filters,
    ) -> Result<usize> {
        match self.read(head, filters, T::WANT, T::build) {
            Ok(Some(item)) => {
                let size = T::size(&item);
                items.push(Ok(item));
                Ok(size)
            }
            Ok(None) => Ok(0),
            Err(error) if error.is_corrupt() => {
                let id = String::from_utf8_lossy(head.id()).into_owned();
                let error = error.of(&id);
                if self.leave(head).is_err() {
                    // What the cursor reports now is only that it failed before.
                    return Err(error);
                }
                items.push(Err(Damaged { id, error }));
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// What `build` makes of the container entered, if it matches. Its rows are behind the cursor
    /// afterwards, unless there was an error.
    fn read<T>(
        &mut self,
        head: &Head,
        filters: &Filters,
        want: Want,
        build: impl FnOnce(&Loaded<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some((key, value)) = self.advance()? else {
            return Ok(None);
        };
        if key.value() != head.key.as_slice() {
            return Err(Error::corrupt("the container has no record"));
        }
        let record = &Record::decode(key.value(), value.value())?;
        let id = text(head.id())?;
        ContainerId::check_stored(id)?;
        let needed = Want {
            labels: filters.needs_labels(),
            body: filters.needs_extensions(),
        };
        let decided_early = !needed.labels && !needed.body;
        if decided_early {
            let (labels, extensions) = (&[], &[]);
            if !filters.matches(&View {
                id,
                record,
                labels,
                extensions,
            }) {
                self.leave(head)?;
                return Ok(None);
            }
        }
        let parts = self.parts(head, record, want, needed)?;
        let Parts {
            labels,
            extensions,
            spec,
            ..
        } = &parts;
        if !decided_early {
            parts.verify(needed)?;
            if !filters.matches(&View {
                id,
                record,
                labels,
                extensions,
            }) {
                return Ok(None);
            }
        }
        let spec = spec.as_ref();
        build(&Loaded {
            id,
            record,
            labels,
            extensions,
            spec,
        })
        .map(Some)
    }

    /// The parts of the container entered that are wanted or needed; all of them are counted.
    fn parts(
        &mut self,
        head: &Head,
        record: &Record<'_>,
        want: Want,
        needed: Want,
    ) -> Result<Parts<'t>> {
        let keep = Want {
            labels: want.labels || needed.labels,
            body: want.body || needed.body,
        };
        let mut parts = Parts::default();
        while self.is_inside(head) {
            let Some(pair) = self.advance()? else { break };
            parts.add(pair, head, keep)?;
        }
        parts.check(record)?;
        Ok(parts)
    }
}

/// The parts of one container beside its record.
#[derive(Default)]
struct Parts<'t> {
    labels: Vec<Entry<'t>>,
    extensions: Vec<Entry<'t>>,
    spec: Option<Pair<'t>>,
    label_count: u32,
    extension_count: u32,
}

impl<'t> Parts<'t> {
    fn add(&mut self, pair: Pair<'t>, head: &Head, keep: Want) -> Result<()> {
        const TAG_BYTES: usize = 2;
        let name_at = head.key.len() + TAG_BYTES;
        let rest = pair.0.value().get(head.key.len()..).unwrap_or_default();
        let Some(part) = Part::parse(rest) else {
            return Err(Error::corrupt(
                "the container has a part of an unknown kind",
            ));
        };
        match part {
            Part::Label(_) => {
                self.label_count += 1;
                if keep.labels {
                    self.labels.push(Entry { pair, name_at });
                }
            }
            Part::Extension(_) => {
                self.extension_count += 1;
                if keep.body {
                    self.extensions.push(Entry { pair, name_at });
                }
            }
            Part::Spec => self.spec = Some(pair),
            Part::Record => return Err(Error::corrupt("the container has two records")),
        }
        Ok(())
    }

    /// Whether the parts are those that the record counts.
    fn check(&self, record: &Record<'_>) -> Result<()> {
        if self.label_count != record.labels {
            return Err(Error::corrupt(format!(
                "the container has {} labels where its record counts {}",
                self.label_count, record.labels
            )));
        }
        if self.extension_count != record.extensions {
            return Err(Error::corrupt(format!(
                "the container has {} extensions where its record counts {}",
                self.extension_count, record.extensions
            )));
        }
        if self.spec.is_none() {
            return Err(Error::corrupt("the container has no spec"));
        }
        Ok(())
    }

    /// Whether what a filter will look at is what was written.
    fn verify(&self, needed: Want) -> Result<()> {
        if needed.labels {
            for entry in &self.labels {
                unseal_text(entry.pair.0.value(), entry.pair.1.value())?;
            }
        }
        if needed.body {
            for entry in &self.extensions {
                AnyContent::decode(entry.pair.0.value(), entry.pair.1.value())?;
            }
        }
        Ok(())
    }
}

/// What a filter sees of a container, in the file's own bytes.
struct View<'a, 't> {
    id: &'a str,
    record: &'a Record<'a>,
    labels: &'a [Entry<'t>],
    extensions: &'a [Entry<'t>],
}

impl Subject for View<'_, '_> {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let record = self.record;
        let text = match field {
            Field::Id => self.id,
            Field::Image => record.image(),
            Field::RuntimeName => record.runtime_name(),
            Field::Snapshotter => record.snapshotter(),
            Field::SnapshotKey => record.snapshot_key(),
            Field::SandboxId => record.sandbox_id(),
            Field::Label(key) => {
                let (key, value) = &find(self.labels, key)?.pair;
                unseal_text(key.value(), value.value()).ok()?
            }
            Field::Extension(name) => {
                let (key, value) = &find(self.extensions, name)?.pair;
                // Present also if its type is empty.
                return Some(
                    AnyContent::decode(key.value(), value.value())
                        .ok()?
                        .type_url()
                        .as_bytes(),
                );
            }
            Field::Unknown => return None,
        };
        Some(text.as_bytes()).filter(|text| !text.is_empty())
    }
}

fn find<'a, 't>(entries: &'a [Entry<'t>], name: &[u8]) -> Option<&'a Entry<'t>> {
    entries.iter().find(|entry| entry.name() == name)
}
