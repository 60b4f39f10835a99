//! Reading a damaged file through redb, as far as that goes.
//!
//! Nothing is written, and every answer may be an error or, where redb panics, `Corrupt`. If the
//! file's pages were verified, what is delivered is what the last commit left. If they were not,
//! a damaged branch page may hide rows, or deliver others than were asked for: [`Live::is_whole`]
//! and [`Live::confirms`] look for that.

use std::path::Path;
use std::sync::Arc;

use crate::container::Container;
use crate::engine::check::{check_rows_of, reserved_revisions, used_namespaces};
use crate::engine::fault::{OrFault, contained};
use crate::engine::plan::Plan;
use crate::engine::process::Own;
use crate::engine::scan::{self, Batch};
use crate::engine::shared::{Settings, Shared};
use crate::engine::snapshot::Snapshot;
use crate::engine::{file, namespaces};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filters;
use crate::identifier::{ContainerId, NamespaceName};
use crate::labels::Labels;
use crate::record::Record;
use crate::schema::ContainerKey;

/// A file that redb could open, and one snapshot of it.
pub(crate) struct Live {
    snapshot: Arc<Own<Snapshot>>,
    pub(crate) shared: Shared,
    /// Whether every page was verified.
    pub(crate) is_verified: bool,
}

/// The namespaces that exist, with their labels or what is wrong with these.
pub(crate) type NamedNamespaces = Vec<(NamespaceName, Result<Labels>)>;

impl Live {
    /// Opens a file for reading: with all pages verified, or without if that fails; none if redb
    /// cannot open it at all.
    ///
    /// # Errors
    ///
    /// Those that are no damage: `NotFound`, `Locked`, `IncompatibleFormat`, `FailedPrecondition`
    /// (another store than expected), `Io`.
    pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Option<Self>> {
        for is_verified in [true, false] {
            let settings = Settings {
                check_integrity: is_verified,
                ..settings.clone()
            };
            let opened = contained(|| {
                let shared = if is_verified {
                    file::inspect_verified(path, &settings)?
                } else {
                    file::inspect(path, &settings)?
                };
                Ok(Self {
                    snapshot: shared.snapshot()?,
                    shared,
                    is_verified,
                })
            });
            match opened {
                Ok(live) => return Ok(Some(live)),
                Err(error) if is_damage(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The bound of the revisions, as the file has it.
    pub(crate) fn revisions_below(&self) -> Result<u64> {
        contained(|| reserved_revisions(&self.snapshot.meta()?))
    }

    /// The namespaces that exist.
    pub(crate) fn named(&self) -> Result<NamedNamespaces> {
        contained(|| {
            let table = self.snapshot.namespaces()?;
            let names = namespaces::list(&table)?.into_iter();
            Ok(names
                .map(|name| {
                    let labels = contained(|| namespaces::labels(&table, &name));
                    (name, labels)
                })
                .collect())
        })
    }

    /// The namespaces that there are containers under.
    pub(crate) fn used(&self) -> Result<Vec<NamespaceName>> {
        let used = contained(|| used_namespaces(&self.snapshot.containers))?;
        Ok(used
            .into_iter()
            .filter_map(|name| NamespaceName::new(String::from_utf8(name).ok()?).ok())
            .collect())
    }

    /// The next few containers of a namespace; damaged ones do not end it.
    pub(crate) fn batch(
        &self,
        name: &NamespaceName,
        after: Option<&[u8]>,
    ) -> Result<Batch<Container>> {
        let (all, most) = (Filters::all(), usize::MAX);
        contained(|| {
            scan::batch(
                &self.snapshot.containers,
                name,
                after,
                most,
                &all,
                &Plan::All,
            )
        })
    }

    /// One container, if it is there.
    pub(crate) fn get(&self, name: &NamespaceName, id: &ContainerId) -> Result<Option<Container>> {
        contained(|| scan::get(&self.snapshot.containers, name, id))
    }

    /// Whether a container was delivered under its own key.
    pub(crate) fn confirms(&self, name: &NamespaceName, container: &Container) -> bool {
        let look = || {
            let key = ContainerKey::new(name, &ContainerId::new(container.id.as_str())?);
            match self.snapshot.containers.get(key.record()).or_fault()? {
                Some(value) => Ok(Some(
                    Record::decode(key.record(), value.value())?.revision(),
                )),
                None => Ok(None),
            }
        };
        self.is_verified
            || contained(look).is_ok_and(|found| found == Some(container.revision.get()))
    }

    /// Whether all rows of the containers can be read, in order and in their number: nothing that
    /// is not among them is in the store.
    pub(crate) fn is_whole(&self) -> bool {
        contained(|| check_rows_of(&self.snapshot.containers)).is_ok()
    }
}

fn is_damage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::Unavailable
    )
}
