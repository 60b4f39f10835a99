//! The service of namespaces.

use bayplan::{AsyncDb, Labels};
use tonic::{Request, Response, Status, async_trait};

use crate::proto::containerd::services::namespaces::v1::namespaces_server::Namespaces;
use crate::proto::containerd::services::namespaces::v1::{
    CreateNamespaceRequest, CreateNamespaceResponse, DeleteNamespaceRequest, GetNamespaceRequest,
    GetNamespaceResponse, ListNamespacesRequest, ListNamespacesResponse, Namespace,
    UpdateNamespaceRequest, UpdateNamespaceResponse,
};
use crate::status::{missing, status};

/// Before a label's key in a mask.
const LABELS: &str = "labels.";

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: AsyncDb,
}

fn to_api(name: String, labels: Labels) -> Namespace {
    Namespace {
        name,
        labels: labels.into_iter().collect(),
    }
}

fn not_found(name: &str) -> Status {
    Status::not_found(format!("namespace {name:?}: not found"))
}

#[async_trait]
impl Namespaces for Service {
    async fn get(
        &self,
        request: Request<GetNamespaceRequest>,
    ) -> Result<Response<GetNamespaceResponse>, Status> {
        let name = request.into_inner().name;
        let found = self.db.read(move |txn| {
            let is_known = txn
                .list_namespaces()?
                .iter()
                .any(|known| known.as_str() == name);
            let labels = txn.namespace_labels(&name)?;
            Ok::<_, bayplan::Error>((name, is_known.then_some(labels)))
        });
        match found.await.map_err(status)? {
            (name, None) => Err(not_found(&name)),
            (name, Some(labels)) => Ok(Response::new(GetNamespaceResponse {
                namespace: Some(to_api(name, labels)),
            })),
        }
    }

    async fn list(
        &self,
        _: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        let namespaces = self.db.read(|txn| {
            let names = txn.list_namespaces()?.into_iter();
            let namespaces = names.map(|name| {
                let labels = txn.namespace_labels(name.as_str())?;
                Ok(to_api(name.to_string(), labels))
            });
            namespaces.collect::<bayplan::Result<_>>()
        });
        let namespaces = namespaces.await.map_err(status)?;
        Ok(Response::new(ListNamespacesResponse { namespaces }))
    }

    async fn create(
        &self,
        request: Request<CreateNamespaceRequest>,
    ) -> Result<Response<CreateNamespaceResponse>, Status> {
        let namespace = request.into_inner().namespace;
        let Namespace { name, labels } = namespace.ok_or_else(|| missing("namespace"))?;
        let labels: Labels = labels.into_iter().collect();
        let created = self.db.create_namespace(&name, labels.clone());
        created.await.map_err(status)?;
        Ok(Response::new(CreateNamespaceResponse {
            namespace: Some(to_api(name, labels)),
        }))
    }

    /// With a mask, sets the labels that it names; without one, replaces all of them.
    async fn update(
        &self,
        request: Request<UpdateNamespaceRequest>,
    ) -> Result<Response<UpdateNamespaceResponse>, Status> {
        let UpdateNamespaceRequest {
            namespace,
            update_mask,
        } = request.into_inner();
        let Namespace { name, labels } = namespace.ok_or_else(|| missing("namespace"))?;
        let paths = update_mask.map(|mask| mask.paths).unwrap_or_default();
        if let Some(path) = paths.iter().find(|path| !path.starts_with(LABELS)) {
            let text = format!("cannot update {path:?} field: invalid argument");
            return Err(Status::invalid_argument(text));
        }
        let updated = self.db.write(move |txn| {
            let mut keys: Vec<String> = paths
                .iter()
                .filter_map(|path| path.strip_prefix(LABELS).map(str::to_owned))
                .collect();
            if keys.is_empty() {
                keys.extend(txn.namespace_labels(&name)?.into_keys());
                keys.extend(labels.keys().cloned());
            }
            for key in keys {
                let value = labels.get(&key).map_or("", String::as_str);
                txn.set_namespace_label(&name, &key, value)?;
            }
            let labels = txn.namespace_labels(&name)?;
            Ok::<_, bayplan::Error>(to_api(name, labels))
        });
        let namespace = Some(updated.await.map_err(status)?);
        Ok(Response::new(UpdateNamespaceResponse { namespace }))
    }

    async fn delete(
        &self,
        request: Request<DeleteNamespaceRequest>,
    ) -> Result<Response<()>, Status> {
        let name = request.into_inner().name;
        self.db.delete_namespace(&name).await.map_err(status)?;
        Ok(Response::new(()))
    }
}
