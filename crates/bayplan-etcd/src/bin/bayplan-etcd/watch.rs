//! `bayplan-etcd watch`

use std::io::Write;
use std::sync::mpsc;

use bayplan::{Detail, Event, Filters, Found, Revision, Stored, Subject};
use bayplan_etcd::{Change, Subscription};

use crate::cli::{EtcdArgs, HostArgs};
use crate::failure::Result;
use crate::places::{self, Place};

/// Print changes of containers as they happen
///
/// Prints a line for each container that is created, updated or deleted. With filters, only those that match; a deletion
/// is always printed. Hosts whose copies begin later are not watched.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    hosts: HostArgs,

    /// Only containers that match any of these filters
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    /// Begin with what is stored now
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &Args, etcd: &EtcdArgs, out: &mut impl Write) -> Result<()> {
    let filters = Filters::parse(&args.filters).map_err(bayplan::Error::from)?;
    let places = places::named(&args.hosts, etcd)?;
    let (sender, changes) = mpsc::sync_channel(16);
    for place in places {
        let feed = begin(&place, args.all)?;
        let (sender, host) = (sender.clone(), place.host().to_owned());
        std::thread::spawn(move || follow(feed, &host, &sender));
    }
    drop(sender);
    for received in changes {
        let (host, change): (String, Change) = received?;
        let Subject::Container { id, event } = change.subject else {
            continue;
        };
        let (word, found) = match event {
            Event::Created(found) => ("created", Some(found)),
            Event::Updated(found) => ("updated", Some(found)),
            _ => ("deleted", None),
        };
        if let Some(Found::Whole(container)) = found
            && !container.matches(&filters)
        {
            continue;
        }
        let (revision, namespace) = (change.revision, change.namespace);
        writeln!(out, "{revision} {host} {word} {namespace}/{id}")?;
        out.flush()?;
    }
    Ok(())
}

/// Subscribes to a store or to the copy of one.
fn begin(place: &Place, is_all: bool) -> bayplan::Result<Subscription> {
    let detail = Detail::Whole;
    let now = |snapshot: Revision| if is_all { Revision::NONE } else { snapshot };
    match place {
        Place::Host(_, copy) => copy.subscribe(now(copy.revision()?), detail),
        Place::Store(etcd) => etcd.subscribe(now(etcd.snapshot()?.revision()), detail),
    }
}

/// Sends what changes, until nobody listens or it fails.
fn follow(
    mut feed: Subscription,
    host: &str,
    sender: &mpsc::SyncSender<bayplan::Result<(String, Change)>>,
) {
    loop {
        let received = feed.recv().map(|change| (host.to_owned(), change));
        let has_failed = received.is_err();
        if sender.send(received).is_err() || has_failed {
            return;
        }
    }
}
