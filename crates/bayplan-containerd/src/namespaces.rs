//! The service of namespaces.

use bayplan::{AsyncDb, Labels};
use tonic::{Request, Response, Status, async_trait};

use crate::leases;
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

#[async_trait]
impl Namespaces for Service {
    /// A namespace that does not exist has no labels, as in containerd: a Go client with a default namespace asks for them
    /// before it creates anything, and cannot start if that fails.
    async fn get(
        &self,
        request: Request<GetNamespaceRequest>,
    ) -> Result<Response<GetNamespaceResponse>, Status> {
        let name = request.into_inner().name;
        let labels = self.db.namespace_labels(&name).await.map_err(status)?;
        Ok(Response::new(GetNamespaceResponse {
            namespace: Some(to_api(name, labels)),
        }))
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

    /// Deletes its leases with it, as containerd does: a client that was killed leaves one, and an expired one is not even
    /// listed. If something else keeps the namespace, they stay.
    async fn delete(
        &self,
        request: Request<DeleteNamespaceRequest>,
    ) -> Result<Response<()>, Status> {
        let name = request.into_inner().name;
        let deleted = self.db.write(move |txn| {
            let names = txn.list_namespaces()?;
            if names.iter().any(|known| known.as_str() == name) {
                leases::delete_all(txn, &name)?;
            }
            txn.delete_namespace(&name)
        });
        deleted.await.map_err(status)?;
        Ok(Response::new(()))
    }
}

#[cfg(test)]
mod tests {
    use bayplan::{Any, Container, Db, Record, Runtime};
    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn an_unknown_namespace_has_no_labels() {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let service = Service { db: db.clone() };
        let name = "new".to_owned();
        let got = service.get(Request::new(GetNamespaceRequest { name }));
        let namespace = got.await.unwrap().into_inner().namespace.unwrap();
        assert_eq!(namespace, to_api("new".into(), Labels::new()));
        assert!(db.list_namespaces().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn leases_go_with_their_namespace_and_only_then() {
        let db = AsyncDb::from(Db::in_memory().unwrap());
        let service = Service { db: db.clone() };
        let containers = db.namespace("n").unwrap();
        let leases = containers.records(leases::KIND).unwrap();
        let others = containers.records("sandboxes").unwrap();
        let delete = |name: &str| {
            let name = name.to_owned();
            service.delete(Request::new(DeleteNamespaceRequest { name }))
        };
        let web = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"));
        containers.create(web).await.unwrap();
        let lease = Record::new("killed", Any::new("t", b""));
        leases.create(lease).await.unwrap();
        let error = delete("n").await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(leases.get("killed").await.is_ok());

        containers.delete("web").await.unwrap();
        let pod = Record::new("pod", Any::new("t", b""));
        others.create(pod).await.unwrap();
        let error = delete("n").await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(leases.get("killed").await.is_ok());

        others.delete("pod").await.unwrap();
        delete("n").await.unwrap();
        assert!(db.list_namespaces().await.unwrap().is_empty());
        for unknown in ["n", ""] {
            let error = delete(unknown).await.unwrap_err();
            assert_eq!(error.code(), Code::NotFound);
        }
    }
}
