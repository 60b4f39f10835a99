//! containerd's gRPC API for containers, sandboxes, namespaces and leases, over a [`bayplan`] store.
//!
//! A [`Server`] answers containerd's clients, such as `ctr`, on a Unix socket. What it knows is in the store; it runs
//! nothing.
//!
//! ```no_run
//! use bayplan::{Db, Rules};
//! use bayplan_containerd::{Server, Socket};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let db = Db::builder().rules(Rules::Containerd2).open("/var/lib/bayplan/meta.redb")?;
//! let socket = Socket::bind("/run/bayplan/bayplan.sock", 0o600, None)?;
//! Server::new(db).serve(socket, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it serves
//!
//! | service | what of it |
//! |---|---|
//! | `containerd.services.containers.v1.Containers` | all; `ListStream` from one snapshot, as the client reads |
//! | `containerd.services.namespaces.v1.Namespaces` | all |
//! | `containerd.services.leases.v1.Leases` | all; leases are records of the kind `leases`, and expire by `containerd.io/gc.expire` |
//! | `containerd.services.sandbox.v1.Store` | all; sandboxes are records of the kind `sandboxes` |
//! | `containerd.services.events.v1.Events` | all; the store's changes once they are durable, and what clients publish |
//! | `containerd.services.version.v1.Version` | all |
//! | `containerd.services.introspection.v1.Introspection` | `Server`, `Plugins` |
//! | `grpc.health.v1.Health`, `grpc.reflection.v1.ServerReflection` | all |
//!
//! With the feature `client`, `Remote` is the other side: a store behind this API, or behind containerd's own.
//!
//! Everything else is `Unimplemented`, but for `Snapshots.Remove` and `Tasks.Get`, which find nothing: `ctr containers rm` asks
//! them, and goes on only then.
//!
//! # Where it differs from containerd
//!
//! - What is immutable, and which labels count, is as in the store: see the rules of [`bayplan`].
//! - Several changes of a container that come close together are one event.
//! - A lease keeps nothing: nothing is collected here. It is for clients that make one around what they do.

#![forbid(unsafe_code)]

mod containers;
mod convert;
mod events;
mod introspection;
mod leases;
mod messages;
mod namespaces;
#[cfg(feature = "client")]
mod remote;
mod sandboxes;
mod server;
mod socket;
mod status;
mod version;

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    rustdoc::all,
    reason = "generated"
)]
mod proto;

#[cfg(feature = "client")]
pub use crate::remote::{Remote, RemoteStore};
pub use crate::server::{Error, Server};
pub use crate::socket::Socket;
