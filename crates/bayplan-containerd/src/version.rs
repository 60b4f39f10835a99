//! The service of versions.

use tonic::{Request, Response, Status, async_trait};

use crate::proto::containerd::services::version::v1::VersionResponse;
use crate::proto::containerd::services::version::v1::version_server::Version;

pub(crate) struct Service;

#[async_trait]
impl Version for Service {
    async fn version(&self, _: Request<()>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse {
            version: concat!("bayplan ", env!("CARGO_PKG_VERSION")).to_owned(),
            revision: String::new(),
        }))
    }
}
