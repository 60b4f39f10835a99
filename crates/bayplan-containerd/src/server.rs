//! The server: all services on one socket.

use std::time::Duration;

use bayplan::{AsyncDb, Db};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::Routes;

use crate::events::Hub;
use crate::messages::{MESSAGE_MAX_BYTES, with_containerds_code};
use crate::proto::containerd::services::containers::v1::containers_server::ContainersServer;
use crate::proto::containerd::services::events::v1::events_server::EventsServer;
use crate::proto::containerd::services::introspection::v1::introspection_server::IntrospectionServer;
use crate::proto::containerd::services::leases::v1::leases_server::LeasesServer;
use crate::proto::containerd::services::namespaces::v1::namespaces_server::NamespacesServer;
use crate::proto::containerd::services::sandbox::v1::store_server::StoreServer;
use crate::proto::containerd::services::version::v1::version_server::VersionServer;
use crate::socket::Socket;
use crate::status::not_served;
use crate::{containers, events, introspection, leases, namespaces, sandboxes, version};

/// How many calls of one connection are answered at a time: what they have read and not sent is in memory.
const CALLS_MAX_COUNT: u32 = 128;

/// How long calls that are being answered may take once the server is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What `ctr` asks of services that are not here, and goes on if nothing is found.
const FINDS_NOTHING: [&str; 2] = [
    "/containerd.services.snapshots.v1.Snapshots/Remove",
    "/containerd.services.tasks.v1.Tasks/Get",
];

const DESCRIPTORS: &[u8] = include_bytes!("proto/descriptors.bin");

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be followed or closed.
    #[error(transparent)]
    Store(#[from] bayplan::Error),
    /// The socket cannot be listened on.
    #[error("the socket failed")]
    Socket(#[from] std::io::Error),
    /// The server failed.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
    /// What is served cannot be described to clients.
    #[error("the descriptors cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Answers containerd's clients from a store.
#[derive(Debug)]
pub struct Server {
    db: AsyncDb,
}

impl Server {
    /// A server for a store. For today's clients open it with [`Rules::Containerd2`](bayplan::Rules::Containerd2).
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db: AsyncDb::from(db),
        }
    }

    /// Answers until `stop` is done; then ends subscriptions, lets the calls that are being answered end, for ten seconds at
    /// most, removes the socket and closes the store.
    ///
    /// # Errors
    ///
    /// Those of the store and of the socket.
    pub async fn serve(self, socket: Socket, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let hub = Hub::new();
        let follower = tokio::spawn(hub.clone().follow(self.db.clone()).await?);
        let routes = self.routes(hub.clone()).await?;
        let incoming = UnixListenerStream::new(socket.listener()?);
        let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
        let stop = async {
            stop.await;
            hub.close();
            let _ = stopping.send(());
        };
        let late = async {
            // Without a stop there is no end.
            if stopped.await.is_ok() {
                tokio::time::sleep(STOP_TIMEOUT).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let server = tonic::transport::Server::builder()
            .max_concurrent_streams(CALLS_MAX_COUNT)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop);
        let served = tokio::select! {
            served = server => served,
            () = late => {
                tracing::warn!("calls were cut off");
                Ok(())
            }
        };
        drop(socket);
        follower.abort();
        let _ = follower.await;
        // Commits that are being made hold handles; the last of them closes the store.
        match self.db.close().await {
            Err(error) if error.is_failed_precondition() => {}
            closed => closed?,
        }
        Ok(served?)
    }

    async fn routes(&self, hub: Hub) -> Result<Routes, Error> {
        let db = || self.db.clone();
        let (health, health_server) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        let id = self.db.info().id;
        macro_rules! limited {
            ($server:ident, $service:expr) => {
                $server::new($service).max_decoding_message_size(MESSAGE_MAX_BYTES)
            };
        }
        let containers = limited!(ContainersServer, containers::Service { db: db() });
        let mut routes = Routes::new(containers)
            .add_service(limited!(NamespacesServer, namespaces::Service { db: db() }))
            .add_service(limited!(LeasesServer, leases::Service { db: db() }))
            .add_service(limited!(StoreServer, sandboxes::Service { db: db() }))
            .add_service(limited!(EventsServer, events::Service { hub }))
            .add_service(limited!(IntrospectionServer, introspection::Service { id }))
            .add_service(limited!(VersionServer, version::Service))
            .add_service(health_server)
            .add_service(reflection);
        health
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
        let router = routes.axum_router_mut();
        let mut all = std::mem::take(router);
        for path in FINDS_NOTHING {
            let nothing = || async {
                tonic::Status::not_found("there are none: not found")
                    .into_http::<tonic::body::Body>()
            };
            all = all.route(path, axum::routing::post(nothing));
        }
        all = all.fallback(|uri: axum::http::Uri| async move {
            not_served(uri.path()).into_http::<tonic::body::Body>()
        });
        all = all.layer(axum::middleware::map_response(with_containerds_code));
        *routes.axum_router_mut() = all;
        Ok(routes)
    }
}
