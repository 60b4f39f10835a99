//! What a container is read into.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::parts::{Entry, Pair};
use crate::any::Any;
use crate::borrowed::{AnyRef, ContainerRef};
use crate::container::{Container, ContainerHeader, Extensions};
use crate::error::{Error, Result};
use crate::labels::Labels;
use crate::pieces;
use crate::record::Record;

/// Which parts of a container are wanted, beside its record.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    pub(super) labels: bool,
    /// The extensions and the spec.
    pub(super) body: bool,
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
    pub(super) const ALL: Self = Self {
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
    pub(super) id: &'a str,
    pub(super) record: &'a Record<'a>,
    pub(super) labels: &'a [Entry<'a>],
    pub(super) extensions: &'a [Entry<'a>],
    pub(super) spec: &'a [Pair<'a>],
}

impl Loaded<'_> {
    /// All of it, verified, without a copy; `spec` is what [`Loaded::spec`] gives.
    pub(super) fn borrowed<'b>(&'b self, spec: &'b [u8]) -> Result<ContainerRef<'b>> {
        let labels = self.labels.iter().map(|entry| entry.label());
        let extensions = self.extensions.iter().map(|entry| {
            let (name, content) = entry.extension()?;
            Ok((name, AnyRef::from(content)))
        });
        self.record.to_ref(
            self.id,
            labels.collect::<Result<_>>()?,
            extensions.collect::<Result<_>>()?,
            spec,
        )
    }

    /// The value of the spec, verified.
    pub(super) fn spec(&self) -> Result<Cow<'_, [u8]>> {
        if self.spec.is_empty() {
            return Err(Error::corrupt("the container has no spec"));
        }
        let rows = self
            .spec
            .iter()
            .map(|(key, value)| (key.value(), value.value()));
        let head = &self.record.spec;
        pieces::join(rows, head.bytes, head.seals)
    }

    fn labels(&self) -> Result<Labels> {
        let pairs = self.labels.iter().map(|entry| {
            let (key, value) = entry.label()?;
            Ok((key.to_owned(), value.to_owned()))
        });
        pairs.collect()
    }

    fn extensions(&self) -> Result<Extensions> {
        let pairs = self.extensions.iter().map(|entry| {
            let (name, content) = entry.extension()?;
            Ok((name.to_owned(), content.to_any()))
        });
        pairs.collect::<Result<BTreeMap<_, _>>>()
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
        let spec = Any::new(loaded.record.spec.type_url, loaded.spec()?);
        Ok(Self::of_parts(header, Some(spec), loaded.extensions()?))
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
