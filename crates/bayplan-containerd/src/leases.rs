//! The service of leases: records of the store of the kind `leases`.
//!
//! A lease keeps nothing here, since nothing is collected. One that has expired (label `containerd.io/gc.expire`) is not there
//! any more, and is deleted when the next one is created.

use std::time::SystemTime;

use bayplan::{
    Any, AsyncDb, Collection, Error, ErrorKind, Filters, Record, Source, WriteTxn,
    to_prost_timestamp,
};
use prost::Message as _;
use tonic::{Request, Response, Status, async_trait};

use crate::proto::containerd::services::leases::v1::leases_server::Leases;
use crate::proto::containerd::services::leases::v1::{
    AddResourceRequest, CreateRequest, CreateResponse, DeleteRequest, DeleteResourceRequest, Lease,
    ListRequest, ListResourcesRequest, ListResourcesResponse, ListResponse, Resource,
};
use crate::status::{missing, namespace_of, status};

pub(crate) const KIND: &str = "leases";
/// The type of a record's value: the resources of the lease.
const RESOURCES: &str = "containerd.services.leases.v1.ListResourcesResponse";
/// The label that says when a lease ends.
const EXPIRE: &str = "containerd.io/gc.expire";

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: AsyncDb,
}

fn to_api(record: &Record) -> Lease {
    Lease {
        id: record.id.clone(),
        created_at: to_prost_timestamp(record.created_at).ok(),
        labels: record.labels.clone().into_iter().collect(),
    }
}

/// Whether a lease has ended. A label that is no time ends none, as in containerd.
fn has_expired(record: &Record) -> bool {
    let Some(expire) = record.labels.get(EXPIRE) else {
        return false;
    };
    let parsed: Result<prost_types::Timestamp, _> = expire.parse();
    parsed.is_ok_and(|expire| {
        let now = prost_types::Timestamp::from(SystemTime::now());
        (expire.seconds, expire.nanos) < (now.seconds, now.nanos)
    })
}

fn resources(record: &Record) -> bayplan::Result<Vec<Resource>> {
    let decoded = ListResourcesResponse::decode(record.value.value.as_ref());
    let decoded = decoded.map_err(|error| {
        let text = format!(
            "the resources of lease {:?} cannot be read: {error}",
            record.id
        );
        Error::of_kind(ErrorKind::Corrupt, text)
    });
    Ok(decoded?.resources)
}

fn value(resources: Vec<Resource>) -> Any {
    Any::new(
        RESOURCES,
        ListResourcesResponse { resources }.encode_to_vec(),
    )
}

/// A lease that has not expired.
fn lease<S: Source>(leases: &Collection<S, Record>, id: &str) -> bayplan::Result<Record> {
    let record = leases.get(id)?;
    match has_expired(&record) {
        false => Ok(record),
        true => Err(Error::of_kind(
            ErrorKind::NotFound,
            format!("lease {id:?} in namespace {:?}", leases.name().as_str()),
        )),
    }
}

/// Deletes all leases of a namespace.
pub(crate) fn delete_all(txn: &WriteTxn, namespace: &str) -> bayplan::Result<()> {
    let leases = txn.namespace(namespace)?.records(KIND)?;
    for id in leases.query().ids()? {
        leases.delete(&id)?;
    }
    Ok(())
}

impl Service {
    /// Changes the resources of a lease.
    async fn change<T>(
        &self,
        request: Request<T>,
        id: String,
        change: impl FnOnce(&mut Vec<Resource>) + Send + 'static,
    ) -> Result<Response<()>, Status> {
        let namespace = namespace_of(&request)?;
        let changed = self.db.write(move |txn| {
            let leases = txn.namespace(&namespace)?.records(KIND)?;
            let mut record = lease(&leases, &id)?;
            let mut resources = resources(&record)?;
            change(&mut resources);
            record.value = value(resources);
            leases.put(record)?;
            Ok::<_, bayplan::Error>(())
        });
        changed.await.map_err(status)?;
        Ok(Response::new(()))
    }
}

#[async_trait]
impl Leases for Service {
    async fn create(
        &self,
        request: Request<CreateRequest>,
    ) -> Result<Response<CreateResponse>, Status> {
        let namespace = namespace_of(&request)?;
        let CreateRequest { mut id, labels } = request.into_inner();
        if id.is_empty() {
            id = uuid::Uuid::new_v4().simple().to_string();
        }
        let created = self.db.write(move |txn| {
            let leases = txn.namespace(&namespace)?.records(KIND)?;
            let mut expired = Vec::new();
            for record in leases.query().iter()? {
                let record = record?;
                if has_expired(&record) {
                    expired.push(record.id);
                }
            }
            for id in expired {
                leases.delete(&id)?;
            }
            let mut record = Record::new(id, value(Vec::new()));
            record.labels = labels.into_iter().collect();
            leases.create(record)
        });
        let record = created.await.map_err(status)?;
        Ok(Response::new(CreateResponse {
            lease: Some(to_api(&record)),
        }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<()>, Status> {
        let namespace = namespace_of(&request)?;
        let id = request.into_inner().id;
        let deleted = self.db.write(move |txn| {
            let leases = txn.namespace(&namespace)?.records(KIND)?;
            lease(&leases, &id)?;
            leases.delete(&id)
        });
        deleted.await.map_err(status)?;
        Ok(Response::new(()))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let namespace = namespace_of(&request)?;
        let filters = Filters::parse(&request.get_ref().filters);
        let filters = filters.map_err(|error| status(error.into()))?;
        let leases = self.db.namespace(&namespace).map_err(status)?;
        let leases = leases.records(KIND).map_err(status)?;
        let found = leases.list(&filters).await.map_err(status)?;
        let there = found.iter().filter(|record| !has_expired(record));
        Ok(Response::new(ListResponse {
            leases: there.map(to_api).collect(),
        }))
    }

    async fn add_resource(
        &self,
        mut request: Request<AddResourceRequest>,
    ) -> Result<Response<()>, Status> {
        let added = std::mem::take(request.get_mut());
        let resource = added.resource.ok_or_else(|| missing("resource"))?;
        self.change(request, added.id, move |resources| {
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        })
        .await
    }

    async fn delete_resource(
        &self,
        mut request: Request<DeleteResourceRequest>,
    ) -> Result<Response<()>, Status> {
        let deleted = std::mem::take(request.get_mut());
        let resource = deleted.resource.ok_or_else(|| missing("resource"))?;
        self.change(request, deleted.id, move |resources| {
            resources.retain(|known| *known != resource);
        })
        .await
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let namespace = namespace_of(&request)?;
        let id = request.into_inner().id;
        let found = self
            .db
            .read(move |txn| resources(&lease(&txn.namespace(&namespace)?.records(KIND)?, &id)?));
        let resources = found.await.map_err(status)?;
        Ok(Response::new(ListResourcesResponse { resources }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_when_its_label_says() {
        let with = |expire: &str| {
            let mut record = Record::new("a", value(Vec::new()));
            record.labels.insert(EXPIRE.into(), expire.into());
            has_expired(&record)
        };
        assert!(with("2020-01-02T03:04:05Z"));
        assert!(with("2020-01-02T03:04:05.123456789+02:00"));
        assert!(!with("2999-01-02T03:04:05Z"));
        assert!(!with("tomorrow"));
        assert!(!has_expired(&Record::new("a", value(Vec::new()))));
    }
}
