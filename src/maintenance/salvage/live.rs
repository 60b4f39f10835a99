//! Reads a damaged file through redb, as far as possible.
//!
//! Nothing is written. Every result may be an error, and is `Corrupt` if redb panics. If the file's pages
//! were verified, the results are those of the last commit. If not, a damaged branch page may hide rows or
//! return wrong ones; [`Live::is_complete`] and [`Live::confirms`] detect that.

use std::path::Path;
use std::sync::Arc;

use crate::maintenance::check::check_rows_of;
use crate::maintenance::salvage::name::RecordName;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::query::{self, Batch, Damaged, Items, Scope, Table};
use crate::records::head::OwnRow;
use crate::records::keys::TableCode;
use crate::records::seal::unseal;
use crate::redb_file::fault::contained;
use crate::session::entity::Entity;
use crate::session::file;
use crate::session::log::recover::OnLoss;
use crate::session::namespaces;
use crate::session::process::Own;
use crate::session::settings::Settings;
use crate::session::shared::Shared;
use crate::session::snapshot::{Snapshot, revisions_below};

/// A file that redb could open, and one snapshot of it.
pub(crate) struct Live {
    snapshot: Arc<Own<Snapshot>>,
    pub(crate) shared: Shared,
    /// Whether every page was verified.
    pub(crate) is_verified: bool,
}

/// The namespaces that exist, with their labels or the error in reading them.
pub(crate) type NamedNamespaces = Vec<(NamespaceName, Result<Labels>)>;

impl Live {
    /// Opens a file for reading, with all pages verified, or without if that fails; `None` if redb cannot
    /// open it at all.
    ///
    /// # Errors
    ///
    /// All errors except damage: `NotFound`, `Locked`, `IncompatibleFormat`, `FailedPrecondition` (another
    /// store than expected), `Io`.
    pub(crate) fn open(path: &Path, settings: &Settings) -> Result<Option<Self>> {
        let settings = &Settings {
            on_log_loss: OnLoss::PassOver,
            ..settings.clone()
        };
        let unverified = Settings {
            check_integrity: false,
            ..settings.clone()
        };
        for is_verified in [true, false] {
            let opened = contained(|| {
                let shared = if is_verified {
                    file::inspect_verified(path, settings)?
                } else {
                    file::inspect(path, &unverified)?
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

    /// Returns the bound of the revisions in the file.
    pub(crate) fn revisions_below(&self) -> Result<u64> {
        contained(|| revisions_below(self.snapshot.contents()))
    }

    /// Returns the namespaces that exist.
    pub(crate) fn named(&self) -> Result<NamedNamespaces> {
        contained(|| {
            let rows = namespaces::all(&self.snapshot.contents().table(TableCode::Namespaces)?)?
                .into_iter();
            rows.map(|(name, row)| {
                let name = String::from_utf8_lossy(&name).into_owned();
                Ok((
                    NamespaceName::new(name).map_err(Error::into_corrupt)?,
                    row.map(|row| row.labels),
                ))
            })
            .collect()
        })
    }

    /// Returns the namespaces that have records.
    pub(crate) fn used(&self) -> Result<Vec<NamespaceName>> {
        contained(|| query::known_namespaces(&self.snapshot.records))
    }

    /// Returns the kinds of the records in a namespace.
    pub(crate) fn kinds(&self, name: &NamespaceName) -> Result<Vec<Kind>> {
        contained(|| query::known_kinds(&self.snapshot.records, name))
    }

    /// Iterates over the records of a kind in a namespace. A damaged record does not end the iteration.
    pub(crate) fn items<E: Entity>(
        &self,
        name: &NamespaceName,
        kind: &Kind,
    ) -> impl Iterator<Item = Result<Result<E, Damaged>>> {
        let scope = Scope::all(name, kind);
        Items::all(move |after, limit| {
            contained(|| Batch::read(&self.snapshot.stored(), &scope, after, limit))
        })
    }

    /// Returns one record, if it exists.
    pub(crate) fn get<E: Entity>(&self, name: &RecordName) -> Result<Option<E>> {
        contained(|| self.snapshot.stored().whole(&name.key(), &name.kind))
    }

    /// Whether redb returned a record under its own key.
    pub(crate) fn confirms<E: Entity>(&self, name: &RecordName, item: &E) -> bool {
        let look = || {
            let key = name.key();
            match self.snapshot.records.row(key.own())? {
                Some(value) => {
                    let content = unseal(key.own(), value.value())?;
                    Ok(Some(OwnRow::decode(&name.kind, content)?.head.revision()))
                }
                None => Ok(None),
            }
        };
        self.is_verified || contained(look).is_ok_and(|found| found == Some(item.revision()))
    }

    /// Whether all rows of the records can be read, in order, and their number is right. Then the store has no others.
    pub(crate) fn is_complete(&self) -> bool {
        contained(|| check_rows_of(&self.snapshot.records.stored)).is_ok()
            && self.shared.file.damage().is_none()
    }
}

fn is_damage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::Unavailable
    )
}
