//! The service that says what is served.

use bayplan::StoreId;
use tonic::{Request, Response, Status, async_trait};

use crate::proto::containerd::services::introspection::v1::introspection_server::Introspection;
use crate::proto::containerd::services::introspection::v1::{
    Plugin, PluginInfoRequest, PluginInfoResponse, PluginsRequest, PluginsResponse, ServerResponse,
};
use crate::status::not_served;

/// The plugins of containerd that are here as well.
const PLUGINS: [(&str, &str); 7] = [
    ("io.containerd.grpc.v1", "containers"),
    ("io.containerd.grpc.v1", "events"),
    ("io.containerd.grpc.v1", "healthcheck"),
    ("io.containerd.grpc.v1", "introspection"),
    ("io.containerd.grpc.v1", "leases"),
    ("io.containerd.grpc.v1", "namespaces"),
    ("io.containerd.grpc.v1", "version"),
];

pub(crate) struct Service {
    pub(crate) id: StoreId,
}

#[async_trait]
impl Introspection for Service {
    /// Filters are not looked at: there are few plugins.
    async fn plugins(
        &self,
        _: Request<PluginsRequest>,
    ) -> Result<Response<PluginsResponse>, Status> {
        let plugin = |(kind, id): (&str, &str)| Plugin {
            r#type: kind.to_owned(),
            id: id.to_owned(),
            ..Plugin::default()
        };
        Ok(Response::new(PluginsResponse {
            plugins: PLUGINS.map(plugin).into(),
        }))
    }

    async fn server(&self, _: Request<()>) -> Result<Response<ServerResponse>, Status> {
        Ok(Response::new(ServerResponse {
            uuid: self.id.to_string(),
            pid: u64::from(std::process::id()),
            pidns: 0,
            deprecations: Vec::new(),
        }))
    }

    async fn plugin_info(
        &self,
        _: Request<PluginInfoRequest>,
    ) -> Result<Response<PluginInfoResponse>, Status> {
        Err(not_served("Introspection.PluginInfo"))
    }
}
