//! The stores that a command asks: copies of hosts, or the one in etcd.

use bayplan::{ErrorKind, NamespaceName, ReadNamespaces, ReadStore};
use bayplan_etcd::{Etcd, Fleet, HostCopy};

use crate::cli::{EtcdArgs, HostArgs};
use crate::failure::{Failure, Result};

/// A store in etcd, or the copy of one.
pub(crate) enum Place {
    /// The copy of a host.
    Host(String, HostCopy),
    /// The store.
    Store(Etcd),
}

/// Returns the places that the arguments name.
///
/// # Errors
///
/// If a host is named that has no copy.
pub(crate) fn named(args: &HostArgs, etcd: &EtcdArgs) -> Result<Vec<Place>> {
    let options = etcd.options()?;
    if args.host.is_none() && !args.all_hosts {
        let etcd = Etcd::open_existing(&options).map_err(|error| {
            let is_absent = error.kind() == ErrorKind::NotAStore;
            let failure = Failure::from(error);
            match is_absent {
                true => {
                    failure.because("the copies of hosts are asked by --host NAME or --all-hosts")
                }
                false => failure,
            }
        });
        return Ok(vec![Place::Store(etcd?)]);
    }
    let fleet = Fleet::open_existing(&options)?;
    let hosts = fleet.hosts()?.into_iter().map(|host| host.name);
    let hosts: Vec<String> = match &args.host {
        None => hosts.collect(),
        Some(wanted) => hosts.filter(|host| host == wanted).collect(),
    };
    if let (Some(wanted), []) = (&args.host, hosts.as_slice()) {
        let message = format!("{} has no copy of a host {wanted:?}", etcd.place());
        return Err(
            Failure::new(message).because("`bayplan-etcd hosts` lists the hosts that have one")
        );
    }
    let places = hosts
        .into_iter()
        .map(|host| Ok(Place::Host(host.clone(), fleet.copy(&host)?)));
    places.collect()
}

impl Place {
    /// The name of the host, or `-` for the store.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Host(host, _) => host,
            Self::Store(_) => "-",
        }
    }

    pub(crate) fn namespaces(&self) -> bayplan::Result<Vec<NamespaceName>> {
        match self {
            Self::Host(_, copy) => copy.list_namespaces(),
            Self::Store(etcd) => etcd.list_namespaces(),
        }
    }

    pub(crate) fn containers(&self, namespace: &str) -> bayplan::Result<Box<dyn ReadStore>> {
        Ok(match self {
            Self::Host(_, copy) => Box::new(copy.namespace(namespace)?),
            Self::Store(etcd) => Box::new(etcd.namespace(namespace)?),
        })
    }
}
