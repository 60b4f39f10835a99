//! The namespaces of a store, and the public methods of transactions.

use crate::api::collection::{ReadNamespace, WriteNamespace};
use crate::api::db::Db;
use crate::api::source::{Sink, Source};
use crate::api::store::{Namespaces, ReadNamespaces};
use crate::model::error::{Error, Operation, Result};
use crate::model::identifier::NamespaceName;
use crate::model::kind::Kind;
use crate::model::labels::Labels;
use crate::session::txn::{ReadTxn, WriteTxn};

impl ReadTxn {
    /// Returns the containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<ReadNamespace<'_>> {
        ReadNamespace::containers(self, name)
    }
}

impl WriteTxn {
    /// Returns the containers of one namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not a valid name.
    pub fn namespace(&self, name: &str) -> Result<WriteNamespace<'_>> {
        WriteNamespace::containers(self, name)
    }
}

impl<S: Source> ReadNamespaces for S {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        self.namespaces()
            .map_err(|error| error.during(Operation::ListNamespaces))
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        let Ok(parsed) = NamespaceName::new(name) else {
            return Ok(Labels::new());
        };
        self.labels_of(&parsed)
            .map(Option::unwrap_or_default)
            .map_err(|error| error.during(Operation::NamespaceLabels).in_namespace(name))
    }

    fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        let Ok(parsed) = NamespaceName::new(name) else {
            return Ok(Vec::new());
        };
        let kinds = self
            .kinds(&parsed)
            .map_err(|error| error.during(Operation::List).in_namespace(name))?;
        let names = kinds.iter().filter_map(Kind::of_collection);
        Ok(names.map(str::to_owned).collect())
    }
}

impl<S: Sink> Namespaces for S {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        NamespaceName::new(name)
            .and_then(|name| self.write(move |txn| txn.create_namespace_of(&name, labels)))
            .map_err(|error| error.during(Operation::CreateNamespace).in_namespace(name))
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let [key, value] = [key, value].map(str::to_owned);
        NamespaceName::new(name)
            .and_then(|name| self.write(move |txn| txn.set_label_of(&name, &key, &value)))
            .map_err(|error| {
                error
                    .during(Operation::SetNamespaceLabel)
                    .in_namespace(name)
            })
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        NamespaceName::new(name)
            .map_err(|_| Error::not_found())
            .and_then(|name| self.write(move |txn| txn.delete_namespace_of(&name)))
            .map_err(|error| error.during(Operation::DeleteNamespace).in_namespace(name))
    }
}

/// Gives a handle the methods of the traits as its own methods, so that callers need not import the traits.
macro_rules! own_methods {
    ($handle:ty: $trait:ident { $($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $value:ty;)* }) => {
        impl $handle {
            $($(#[$doc])* pub fn $name(&self, $($argument: $type),*) -> Result<$value> {
                $trait::$name(self, $($argument),*)
            })*
        }
    };
    (reading $handle:ty) => {
        own_methods!($handle: ReadNamespaces {
            /// Returns the names of all namespaces, in order; see [`ReadNamespaces::list_namespaces`].
            ///
            /// # Errors
            ///
            /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io).
            fn list_namespaces() -> Vec<NamespaceName>;
            /// Returns the labels of a namespace; see [`ReadNamespaces::namespace_labels`].
            ///
            /// # Errors
            ///
            /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io).
            fn namespace_labels(name: &str) -> Labels;
            /// Returns the kinds of records that a namespace holds; see [`ReadNamespaces::record_kinds`].
            ///
            /// # Errors
            ///
            /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Io`](crate::ErrorKind::Io).
            fn record_kinds(name: &str) -> Vec<String>;
        });
    };
    (writing $handle:ty) => {
        own_methods!($handle: Namespaces {
            /// Creates a namespace; see [`Namespaces::create_namespace`].
            ///
            /// # Errors
            ///
            /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
            /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), and the errors of any write, see
            /// [`Store`](crate::Store).
            fn create_namespace(name: &str, labels: Labels) -> ();
            /// Sets or removes a label of a namespace; see [`Namespaces::set_namespace_label`].
            ///
            /// # Errors
            ///
            /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), and the errors of any write, see
            /// [`Store`](crate::Store).
            fn set_namespace_label(name: &str, key: &str, value: &str) -> ();
            /// Deletes an empty namespace; see [`Namespaces::delete_namespace`].
            ///
            /// # Errors
            ///
            /// [`NotFound`](crate::ErrorKind::NotFound),
            /// [`FailedPrecondition`](crate::ErrorKind::FailedPrecondition), and the errors of any write,
            /// see [`Store`](crate::Store).
            fn delete_namespace(name: &str) -> ();
        });
    };
}

own_methods!(reading ReadTxn);
own_methods!(reading WriteTxn);
own_methods!(reading Db);
own_methods!(writing WriteTxn);
own_methods!(writing Db);
