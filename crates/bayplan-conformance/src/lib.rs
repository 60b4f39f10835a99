//! The laws of [`Store`] and [`Namespaces`], for any implementation of them.
//!
//! Each law is a function of a [`Fixture`], which does not mention files or transactions. So an
//! implementation on another database must obey the same laws as `bayplan`. [`run`] tries all laws, each on
//! a fresh fixture, and reports all that are broken:
//!
//! ```
//! use bayplan::{Db, Namespaces, Record, Result, Rules, Store};
//! use bayplan_conformance::Fixture;
//!
//! struct InMemory(Db);
//!
//! impl Fixture for InMemory {
//!     fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
//!         Ok(Box::new(self.0.namespace(namespace)?))
//!     }
//!
//!     fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
//!         Ok(Box::new(self.0.namespace(namespace)?.records(kind)?))
//!     }
//!
//!     fn namespaces(&self) -> &dyn Namespaces {
//!         &self.0
//!     }
//!
//!     fn rules(&self) -> Rules {
//!         self.0.info().rules
//!     }
//! }
//!
//! let report = bayplan_conformance::run(|| InMemory(Db::in_memory().unwrap()));
//! assert!(report.is_clean(), "{report}");
//! ```
//!
//! The laws are grouped by subject, one module per group. A law for both containers and records of other kinds is
//! written once, generic over a [`Subject`], and tried on both. What the traits do not show is not tested: durability,
//! transactions, concurrency.

#![forbid(unsafe_code)]

mod expect;
mod report;
mod sample;
mod subject;

pub mod create;
pub mod delete;
pub mod empty_labels;
pub mod extensions;
pub mod filters;
pub mod full_updates;
pub mod get;
pub mod imports;
pub mod labels;
pub mod limits;
pub mod list;
pub mod masks;
pub mod named_updates;
pub mod namespaces;
pub mod paging;
pub mod puts;
pub mod records;
pub mod revisions;
pub mod rules;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bayplan::{Namespaces, Record, Result, Rules, Store};

pub use report::{Breach, Broken, Report, Verdict};
pub use subject::Subject;

/// A fresh store to try one law on, without any namespace, container or record.
pub trait Fixture {
    /// The containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `namespace` is not a valid name.
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>>;

    /// The records of another kind in one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](bayplan::ErrorKind::InvalidArgument) if `namespace` is not a valid name, or if
    /// `kind` is not an identifier, or is `containers` or `version`.
    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>>;

    /// The namespaces of the same store.
    fn namespaces(&self) -> &dyn Namespaces;

    /// The store's rules of mutability.
    fn rules(&self) -> Rules;

    /// Whether the store keeps labels with an empty value. Otherwise they mean "no label".
    fn keep_empty_labels(&self) -> bool {
        false
    }

    /// Whether [`Store::import`] keeps times. An implementation need not support that.
    fn can_import(&self) -> bool {
        true
    }

    /// Whether what is read has a revision, and a write can be made to depend on it. A protocol may not carry them.
    fn has_revisions(&self) -> bool {
        true
    }

    /// Whether there are records of other kinds than containers. Without them, [`records`](Fixture::records) is never
    /// called.
    fn has_records(&self) -> bool {
        true
    }
}

/// A law: its name, the stores it binds, and how to try it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Law {
    /// The name of the function that tries it, followed by ` (records)` if a law for both is tried on
    /// records.
    pub name: &'static str,
    /// The rules under which it holds; `None` if it holds under all.
    pub rules: Option<Rules>,
    /// Whether it holds in stores that keep empty labels, or in the others; `None` if it holds in all.
    pub keep_empty_labels: Option<bool>,
    /// Whether it binds only implementations that support import.
    pub is_of_imports: bool,
    /// Whether it binds only implementations that have revisions.
    pub is_of_revisions: bool,
    /// Whether it binds only implementations that have records of other kinds.
    pub is_of_records: bool,
    /// Tries it on a fresh fixture.
    pub check: fn(&dyn Fixture) -> Verdict,
}

impl Law {
    pub(crate) const fn new(name: &'static str, check: fn(&dyn Fixture) -> Verdict) -> Self {
        Self {
            name,
            rules: None,
            keep_empty_labels: None,
            is_of_imports: false,
            is_of_revisions: false,
            is_of_records: false,
            check,
        }
    }

    pub(crate) const fn under(mut self, rules: Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    pub(crate) const fn keeping_empty_labels(mut self, keep: bool) -> Self {
        self.keep_empty_labels = Some(keep);
        self
    }

    pub(crate) const fn of_imports(mut self) -> Self {
        self.is_of_imports = true;
        self
    }

    pub(crate) const fn of_revisions(mut self) -> Self {
        self.is_of_revisions = true;
        self
    }

    pub(crate) const fn of_records(mut self) -> Self {
        self.is_of_records = true;
        self
    }

    /// Whether the law binds the store of this fixture.
    #[must_use]
    pub fn binds(&self, fixture: &dyn Fixture) -> bool {
        self.rules.is_none_or(|own| own == fixture.rules())
            && (self.keep_empty_labels).is_none_or(|keep| keep == fixture.keep_empty_labels())
            && (fixture.can_import() || !self.is_of_imports)
            && (fixture.has_revisions() || !self.is_of_revisions)
            && (fixture.has_records() || !self.is_of_records)
    }
}

/// The laws of a module by their functions. `both` marks laws that are tried on containers and on records;
/// a condition in brackets applies to all.
macro_rules! law_list {
    (@law $name:expr, $check:expr, [$($condition:tt)*]) => {
        $crate::Law::new($name, $check)$($condition)*
    };
    (both $condition:tt $($law:ident),* $(,)?) => {
        &[$(
            law_list!(@law stringify!($law), $law::<bayplan::Container>, $condition),
            law_list!(@law concat!(stringify!($law), " (records)"), $law::<bayplan::Record>, $condition)
                .of_records(),
        )*]
    };
    ($condition:tt $($law:ident),* $(,)?) => {
        &[$(law_list!(@law stringify!($law), $law, $condition),)*]
    };
}
pub(crate) use law_list;

/// All laws, in the order in which [`run`] tries them.
pub fn laws() -> impl Iterator<Item = &'static Law> {
    [
        create::LAWS,
        create::CONTAINER_LAWS,
        get::LAWS,
        list::LAWS,
        list::CONTAINER_LAWS,
        paging::LAWS,
        filters::LAWS,
        filters::CONTAINER_LAWS,
        full_updates::LAWS,
        full_updates::CONTAINER_LAWS,
        masks::LAWS,
        masks::CONTAINER_LAWS,
        named_updates::LAWS,
        named_updates::CONTAINER_LAWS,
        named_updates::RECORD_LAWS,
        named_updates::REVISION_LAWS,
        rules::STRICT_LAWS,
        rules::CONTAINERD2_LAWS,
        puts::LAWS,
        puts::CONTAINER_LAWS,
        puts::STRICT_LAWS,
        puts::REVISION_LAWS,
        imports::LAWS,
        delete::LAWS,
        delete::CONTAINER_LAWS,
        labels::LAWS,
        labels::DROPPING_LAWS,
        empty_labels::LAWS,
        empty_labels::NAMESPACE_LAWS,
        extensions::LAWS,
        limits::LAWS,
        limits::CONTAINER_LAWS,
        revisions::LAWS,
        records::LAWS,
        namespaces::LAWS,
        namespaces::DROPPING_LAWS,
    ]
    .into_iter()
    .flatten()
}

/// Tries every law that binds the store on a fresh fixture each, and reports those that are broken.
///
/// A law in which the implementation panics is broken, also if it panics while the fixture is
/// made or dropped.
pub fn run<F: Fixture>(new: impl Fn() -> F) -> Report {
    let mut report = Report::default();
    for law in laws() {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let fixture = new();
            law.binds(&fixture).then(|| (law.check)(&fixture))
        }));
        match tried {
            Ok(None) => {}
            Ok(Some(verdict)) => report.add(law.name, verdict),
            Err(panic) => report.add(law.name, Err(Broken::by_panic(&*panic))),
        }
    }
    report
}
