//! The laws of [`Store`] and [`Namespaces`], for any
//! implementation of them.
//!
//! Each law is a function over a [`Fixture`], which knows nothing of files or transactions: an
//! implementation over another database is held to the same laws as the one here. [`run`] tries
//! all of them, each on a fresh fixture, and reports all that are broken:
//!
//! ```
//! use bayplan::conformance::{self, Fixture};
//! use bayplan::{Db, Namespaces, Result, Rules, Store};
//!
//! struct InMemory(Db);
//!
//! impl Fixture for InMemory {
//!     fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
//!         Ok(Box::new(self.0.namespace(namespace)?))
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
//! let report = conformance::run(|| InMemory(Db::in_memory().unwrap()));
//! assert!(report.is_clean(), "{report}");
//! ```
//!
//! The laws are grouped by subject, each group a module. What cannot be seen through the traits is
//! not here: durability, transactions, concurrency.

mod expect;
mod report;
mod sample;

pub mod create;
pub mod delete;
pub mod extensions;
pub mod filters;
pub mod full_updates;
pub mod get;
pub mod labels;
pub mod limits;
pub mod list;
pub mod masks;
pub mod namespaces;
pub mod paging;
pub mod revisions;
pub mod rules;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Result;
use crate::store::{Namespaces, Store};
use crate::update::Rules;

pub use report::{Breach, Broken, Report, Verdict};

/// A store to try one law on: fresh, without any namespace or container.
pub trait Fixture {
    /// The containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `namespace` is no namespace's
    /// name.
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>>;

    /// The namespaces of the same store.
    fn namespaces(&self) -> &dyn Namespaces;

    /// The rules of mutability that the store keeps.
    fn rules(&self) -> Rules;
}

/// One law: its name, whom it binds, and how to try it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Law {
    /// The name of the function that tries it.
    pub name: &'static str,
    /// The rules under which it holds; none if it holds under all.
    pub rules: Option<Rules>,
    /// Tries it on a fresh fixture.
    pub check: fn(&dyn Fixture) -> Verdict,
}

impl Law {
    /// Whether the law binds a store with these rules.
    #[must_use]
    pub fn binds(&self, rules: Rules) -> bool {
        self.rules.is_none_or(|own| own == rules)
    }
}

/// The laws of a module by their functions: all that follow `under` hold under those rules only.
macro_rules! law_list {
    ($($law:ident),* $(,)?) => {
        law_list!(@ None; $($law),*)
    };
    (under $rules:expr; $($law:ident),* $(,)?) => {
        law_list!(@ Some($rules); $($law),*)
    };
    (@ $rules:expr; $($law:ident),*) => {
        &[$($crate::conformance::Law {
            name: stringify!($law),
            rules: $rules,
            check: $law,
        }),*]
    };
}
pub(crate) use law_list;

/// All laws, in the order in which [`run`] tries them.
pub fn laws() -> impl Iterator<Item = &'static Law> {
    [
        create::LAWS,
        get::LAWS,
        list::LAWS,
        paging::LAWS,
        filters::LAWS,
        full_updates::LAWS,
        masks::LAWS,
        rules::STRICT_LAWS,
        rules::CONTAINERD2_LAWS,
        delete::LAWS,
        labels::LAWS,
        extensions::LAWS,
        limits::LAWS,
        revisions::LAWS,
        namespaces::LAWS,
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
            let binds = law.binds(fixture.rules());
            binds.then(|| (law.check)(&fixture))
        }));
        match tried {
            Ok(None) => {}
            Ok(Some(verdict)) => report.add(law.name, verdict),
            Err(panic) => report.add(law.name, Err(Broken::by_panic(&*panic))),
        }
    }
    report
}
