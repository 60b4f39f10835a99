//! The service of containers.

use std::pin::Pin;

use bayplan::{AsyncDb, AsyncNamespace, FieldMask, Filters};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, async_trait};

use crate::convert::{from_api, to_api};
use crate::messages::{fits, fitting};
use crate::proto::containerd::services::containers::v1::containers_server::Containers;
use crate::proto::containerd::services::containers::v1::{
    CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, GetContainerRequest,
    GetContainerResponse, ListContainerMessage, ListContainersRequest, ListContainersResponse,
    UpdateContainerRequest, UpdateContainerResponse,
};
use crate::status::{missing, namespace_of, status};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: AsyncDb,
}

impl Service {
    fn namespace<T>(&self, request: &Request<T>) -> Result<AsyncNamespace, Status> {
        self.db.namespace(&namespace_of(request)?).map_err(status)
    }
}

fn filters(request: &ListContainersRequest) -> Result<Filters, Status> {
    let parsed = Filters::parse(&request.filters);
    parsed.map_err(|error| status(error.into()))
}

#[async_trait]
impl Containers for Service {
    /// On this thread: it waits for no writer, and to hand it to another one takes longer than to do it.
    async fn get(
        &self,
        request: Request<GetContainerRequest>,
    ) -> Result<Response<GetContainerResponse>, Status> {
        let store = self.db.db().namespace(&namespace_of(&request)?);
        let found = store.and_then(|store| store.get(&request.get_ref().id));
        let found = found.map_err(status)?;
        let container = Some(to_api(found));
        fitting(GetContainerResponse { container })
    }

    async fn list(
        &self,
        request: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        let store = self.namespace(&request)?;
        let filters = filters(request.get_ref())?;
        let found = store.list(&filters).await.map_err(status)?;
        let containers = found.into_iter().map(to_api).collect();
        fitting(ListContainersResponse { containers })
    }

    type ListStreamStream =
        Pin<Box<dyn Stream<Item = Result<ListContainerMessage, Status>> + Send + 'static>>;

    /// All from one snapshot, read as fast as the client takes it.
    async fn list_stream(
        &self,
        request: Request<ListContainersRequest>,
    ) -> Result<Response<Self::ListStreamStream>, Status> {
        let name = namespace_of(&request)?;
        let filters = filters(request.get_ref())?;
        let snapshot = self.db.snapshot().await.map_err(status)?;
        let found = snapshot.namespace(&name).map_err(status)?;
        let found = found.query().filter(&filters).stream();
        let messages = found.map(|found| match found {
            Ok(container) => {
                let container = Some(to_api(container));
                let message = ListContainerMessage { container };
                fits(&message).map(|()| message)
            }
            Err(error) => Err(status(error)),
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn create(
        &self,
        request: Request<CreateContainerRequest>,
    ) -> Result<Response<CreateContainerResponse>, Status> {
        let store = self.namespace(&request)?;
        let container = request.into_inner().container;
        let container = from_api(container.ok_or_else(|| missing("container"))?);
        let created = store.create(container).await.map_err(status)?;
        let container = Some(to_api(created));
        Ok(Response::new(CreateContainerResponse { container }))
    }

    async fn update(
        &self,
        request: Request<UpdateContainerRequest>,
    ) -> Result<Response<UpdateContainerResponse>, Status> {
        let store = self.namespace(&request)?;
        let UpdateContainerRequest {
            container,
            update_mask,
        } = request.into_inner();
        let container = from_api(container.ok_or_else(|| missing("container"))?);
        // A container that is not there is the error even if a path is wrong.
        let paths = update_mask.map(|mask| mask.paths).unwrap_or_default();
        let mask = FieldMask::deferred(paths);
        let updated = store.update(container, &mask).await.map_err(status)?;
        let container = Some(to_api(updated));
        Ok(Response::new(UpdateContainerResponse { container }))
    }

    async fn delete(
        &self,
        request: Request<DeleteContainerRequest>,
    ) -> Result<Response<()>, Status> {
        let store = self.namespace(&request)?;
        store.delete(&request.get_ref().id).await.map_err(status)?;
        Ok(Response::new(()))
    }
}
