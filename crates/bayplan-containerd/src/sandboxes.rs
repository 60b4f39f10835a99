//! The service of sandboxes: records of the store of the kind `sandboxes`.
//!
//! The record has the id, the labels and the times of the sandbox. Its value is the message of the API with everything else.

use bayplan::{
    Any, AsyncCollection, AsyncDb, Db, Error, ErrorKind, Filters, NamespaceName, Record,
    to_prost_timestamp,
};
use prost::Message as _;
use prost::Name as _;
use tonic::{Request, Response, Status, async_trait};

use crate::messages::fitting;
use crate::proto::containerd::services::sandbox::v1::store_server::Store;
use crate::proto::containerd::services::sandbox::v1::{
    StoreCreateRequest, StoreCreateResponse, StoreDeleteRequest, StoreDeleteResponse,
    StoreGetRequest, StoreGetResponse, StoreListRequest, StoreListResponse, StoreUpdateRequest,
    StoreUpdateResponse,
};
use crate::proto::containerd::types::Sandbox;
use crate::status::{missing, namespace_of, status};

pub(crate) const KIND: &str = "sandboxes";

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) db: AsyncDb,
}

impl Service {
    fn sandboxes<T>(&self, request: &Request<T>) -> Result<AsyncCollection<Db, Record>, Status> {
        let namespace = self.db.namespace(&namespace_of(request)?);
        namespace.and_then(|all| all.records(KIND)).map_err(status)
    }
}

/// A sandbox of the API as a record. Its times are not taken: the store sets them.
fn to_record(mut sandbox: Sandbox) -> bayplan::Result<Record> {
    let id = std::mem::take(&mut sandbox.sandbox_id);
    let labels = std::mem::take(&mut sandbox.labels);
    sandbox.created_at = None;
    sandbox.updated_at = None;
    // Beside it, the id of a record is free text.
    NamespaceName::new(id.as_str()).map_err(|_| invalid(&id, "its id is no identifier"))?;
    if sandbox.extensions.contains_key("") {
        return Err(invalid(&id, "an extension has no name"));
    }
    sandbox.runtime.get_or_insert_default();
    let mut record = Record::new(id, Any::new(Sandbox::full_name(), sandbox.encode_to_vec()));
    record.labels = labels.into_iter().collect();
    Ok(record)
}

fn to_api(record: Record) -> bayplan::Result<Sandbox> {
    let decoded = Sandbox::decode(record.value.value.as_ref());
    let mut sandbox = decoded.map_err(|error| {
        let text = format!("sandbox {:?} cannot be read: {error}", record.id);
        Error::of_kind(ErrorKind::Corrupt, text)
    })?;
    sandbox.sandbox_id = record.id;
    sandbox.labels = record.labels.into_iter().collect();
    sandbox.created_at = to_prost_timestamp(record.created_at).ok();
    sandbox.updated_at = to_prost_timestamp(record.updated_at).ok();
    Ok(sandbox)
}

fn invalid(id: &str, why: &str) -> Error {
    Error::of_kind(ErrorKind::InvalidArgument, format!("sandbox {id:?}: {why}"))
}

/// Takes the fields that these paths name from `input`; without paths, all that may change.
fn change(sandbox: &mut Sandbox, mut input: Sandbox, paths: &[String]) -> bayplan::Result<()> {
    let all = ["labels", "extensions", "spec", "runtime"].map(str::to_owned);
    let paths = if paths.is_empty() {
        let name = |sandbox: &Sandbox| sandbox.runtime.clone().unwrap_or_default().name;
        if name(sandbox) != name(&input) {
            let why = "runtime.name is immutable in an update without a mask";
            return Err(invalid(&sandbox.sandbox_id, why));
        }
        &all
    } else {
        paths
    };
    for path in paths {
        if let Some(key) = path.strip_prefix("labels.") {
            // An empty value is no label.
            let value = input.labels.get(key).cloned().unwrap_or_default();
            sandbox.labels.insert(key.to_owned(), value);
            continue;
        }
        if let Some(name) = path.strip_prefix("extensions.") {
            match input.extensions.get(name) {
                Some(value) => sandbox.extensions.insert(name.to_owned(), value.clone()),
                None => sandbox.extensions.remove(name),
            };
            continue;
        }
        match path.as_str() {
            "labels" => sandbox.labels.clone_from(&input.labels),
            "extensions" => sandbox.extensions.clone_from(&input.extensions),
            "spec" => sandbox.spec.clone_from(&input.spec),
            "runtime" => sandbox.runtime = input.runtime.take(),
            _ => {
                let why = format!("field {path:?} cannot be updated");
                return Err(invalid(&sandbox.sandbox_id, &why));
            }
        }
    }
    Ok(())
}

#[async_trait]
impl Store for Service {
    async fn create(
        &self,
        request: Request<StoreCreateRequest>,
    ) -> Result<Response<StoreCreateResponse>, Status> {
        let sandboxes = self.sandboxes(&request)?;
        let sandbox = request.into_inner().sandbox;
        let record = to_record(sandbox.ok_or_else(|| missing("sandbox"))?).map_err(status)?;
        let created = sandboxes.create(record).await;
        let sandbox = Some(created.and_then(to_api).map_err(status)?);
        Ok(Response::new(StoreCreateResponse { sandbox }))
    }

    /// A sandbox that is not there is the error even if a path is wrong.
    async fn update(
        &self,
        request: Request<StoreUpdateRequest>,
    ) -> Result<Response<StoreUpdateResponse>, Status> {
        let namespace = namespace_of(&request)?;
        let StoreUpdateRequest { sandbox, fields } = request.into_inner();
        let input = sandbox.ok_or_else(|| missing("sandbox"))?;
        let updated = self.db.write(move |txn| {
            let sandboxes = txn.namespace(&namespace)?.records(KIND)?;
            let mut sandbox = to_api(sandboxes.get(&input.sandbox_id)?)?;
            change(&mut sandbox, input, &fields)?;
            to_api(sandboxes.put(to_record(sandbox)?)?)
        });
        let sandbox = Some(updated.await.map_err(status)?);
        Ok(Response::new(StoreUpdateResponse { sandbox }))
    }

    async fn delete(
        &self,
        request: Request<StoreDeleteRequest>,
    ) -> Result<Response<StoreDeleteResponse>, Status> {
        let sandboxes = self.sandboxes(&request)?;
        let deleted = sandboxes.delete(&request.get_ref().sandbox_id).await;
        deleted.map_err(status)?;
        Ok(Response::new(StoreDeleteResponse {}))
    }

    async fn list(
        &self,
        request: Request<StoreListRequest>,
    ) -> Result<Response<StoreListResponse>, Status> {
        let sandboxes = self.sandboxes(&request)?;
        let filters = Filters::parse(&request.get_ref().filters);
        let filters = filters.map_err(|error| status(error.into()))?;
        let found = sandboxes.list(&filters).await.map_err(status)?;
        let list = found.into_iter().map(to_api).collect::<Result<_, _>>();
        let list = list.map_err(status)?;
        fitting(StoreListResponse { list })
    }

    async fn get(
        &self,
        request: Request<StoreGetRequest>,
    ) -> Result<Response<StoreGetResponse>, Status> {
        let sandboxes = self.sandboxes(&request)?;
        let found = sandboxes.get(&request.get_ref().sandbox_id).await;
        let sandbox = Some(found.and_then(to_api).map_err(status)?);
        fitting(StoreGetResponse { sandbox })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tonic::Code;

    use super::*;
    use crate::proto::containerd::types::sandbox::Runtime;
    use crate::status::NAMESPACE;

    fn service() -> Service {
        let db = bayplan::Db::in_memory().unwrap();
        Service { db: db.into() }
    }

    fn request<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        let name = "n".parse().unwrap();
        request.metadata_mut().insert(NAMESPACE, name);
        request
    }

    fn any(text: &str) -> prost_types::Any {
        prost_types::Any {
            type_url: format!("example.com/{text}"),
            value: text.into(),
        }
    }

    fn map<V: Clone>(pairs: &[(&str, V)]) -> BTreeMap<String, V> {
        let pair = |(key, value): &(&str, V)| ((*key).to_owned(), value.clone());
        pairs.iter().map(pair).collect()
    }

    fn runtime(name: &str) -> Option<Runtime> {
        Some(Runtime {
            name: name.into(),
            options: Some(any("options")),
        })
    }

    fn pod() -> Sandbox {
        Sandbox {
            sandbox_id: "pod".into(),
            runtime: runtime("runc"),
            spec: Some(any("spec")),
            labels: map(&[("app", "web".into()), ("a.b", "c".into())]),
            created_at: Some(prost_types::Timestamp::default()),
            updated_at: None,
            extensions: map(&[("x", any("x")), ("y.z", any("y"))]),
            sandboxer: "podsandbox".into(),
        }
    }

    async fn create(service: &Service, sandbox: Sandbox) -> Result<Sandbox, Status> {
        let sandbox = Some(sandbox);
        let created = service.create(request(StoreCreateRequest { sandbox }));
        Ok(created.await?.into_inner().sandbox.unwrap())
    }

    async fn get(service: &Service, id: &str) -> Result<Sandbox, Status> {
        let sandbox_id = id.to_owned();
        let got = service.get(request(StoreGetRequest { sandbox_id }));
        Ok(got.await?.into_inner().sandbox.unwrap())
    }

    async fn update(service: &Service, input: Sandbox, fields: &[&str]) -> Result<Sandbox, Status> {
        let fields = fields.iter().map(ToString::to_string).collect();
        let sandbox = Some(input);
        let updated = service.update(request(StoreUpdateRequest { sandbox, fields }));
        Ok(updated.await?.into_inner().sandbox.unwrap())
    }

    async fn ids(service: &Service, filters: &[&str]) -> Result<Vec<String>, Status> {
        let filters = filters.iter().map(ToString::to_string).collect();
        let listed = service.list(request(StoreListRequest { filters })).await?;
        let list = listed.into_inner().list.into_iter();
        Ok(list.map(|one| one.sandbox_id).collect())
    }

    fn untimed(mut sandbox: Sandbox) -> Sandbox {
        sandbox.created_at = None;
        sandbox.updated_at = None;
        sandbox
    }

    #[tokio::test]
    async fn a_sandbox_is_kept_whole_and_has_the_times_of_the_store() {
        let service = service();
        let created = create(&service, pod()).await.unwrap();
        assert_eq!(untimed(created.clone()), untimed(pod()));
        assert!(created.created_at.unwrap().seconds > 1_700_000_000);
        assert_eq!(created.updated_at, created.created_at);
        assert_eq!(get(&service, "pod").await.unwrap(), created);
        let error = create(&service, pod()).await.unwrap_err();
        assert_eq!(error.code(), Code::AlreadyExists);
        assert_eq!(
            error.message(),
            "sandbox \"pod\" in namespace \"n\": already exists"
        );
        let error = get(&service, "none").await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(
            error.message(),
            "sandbox \"none\" in namespace \"n\": not found"
        );

        // It needs no more than an id.
        let sandbox_id = "bare".to_owned();
        let bare = Sandbox {
            sandbox_id,
            ..Sandbox::default()
        };
        let created = create(&service, bare.clone()).await.unwrap();
        assert_eq!(created.runtime, Some(Runtime::default()));
        let sandbox_id = "pod".to_owned();
        let delete = || StoreDeleteRequest {
            sandbox_id: sandbox_id.clone(),
        };
        service.delete(request(delete())).await.unwrap();
        let error = service.delete(request(delete())).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(ids(&service, &[]).await.unwrap(), ["bare"]);
    }

    #[tokio::test]
    async fn what_is_no_sandbox_is_refused() {
        let service = service();
        let mut nameless = pod();
        nameless.sandbox_id = "not valid".into();
        let mut unlabelled = pod();
        unlabelled.labels.insert(String::new(), "x".into());
        let mut extended = pod();
        extended.extensions.insert(String::new(), any("x"));
        for refused in [nameless, unlabelled, extended] {
            let error = create(&service, refused).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().ends_with(": invalid argument"), "{error}");
        }
        let error = service.create(request(StoreCreateRequest { sandbox: None }));
        assert_eq!(error.await.unwrap_err().code(), Code::InvalidArgument);
        let unnamed = service.list(Request::new(StoreListRequest::default()));
        assert_eq!(unnamed.await.unwrap_err().code(), Code::FailedPrecondition);
    }

    /// What an update by these paths leaves, of labels, extensions, spec and runtime.
    async fn updated(fields: &[&str]) -> Sandbox {
        let service = service();
        create(&service, pod()).await.unwrap();
        let input = Sandbox {
            sandbox_id: "pod".into(),
            labels: map(&[("app", "db".into()), ("new", "1".into())]),
            extensions: map(&[("x", any("other"))]),
            spec: Some(any("other")),
            runtime: runtime(if fields.is_empty() { "runc" } else { "kata" }),
            sandboxer: "other".into(),
            ..Sandbox::default()
        };
        let answered = update(&service, input, fields).await.unwrap();
        let later = answered.updated_at.unwrap().to_string();
        assert!(answered.created_at.unwrap().to_string() < later);
        assert_eq!(get(&service, "pod").await.unwrap(), answered);
        untimed(answered)
    }

    #[tokio::test]
    async fn an_update_takes_what_its_paths_name() {
        let with = |change: fn(&mut Sandbox)| {
            let mut expected = untimed(pod());
            change(&mut expected);
            expected
        };
        let labels = |one: &mut Sandbox| {
            one.labels = map(&[("app", "db".into()), ("new", "1".into())]);
        };
        assert_eq!(updated(&["labels"]).await, with(labels));
        let one_label = with(|one| drop(one.labels.insert("app".into(), "db".into())));
        assert_eq!(updated(&["labels.app"]).await, one_label);
        let no_label = with(|one| drop(one.labels.remove("a.b")));
        assert_eq!(updated(&["labels.a.b"]).await, no_label);
        let extensions = with(|one| one.extensions = map(&[("x", any("other"))]));
        assert_eq!(updated(&["extensions"]).await, extensions);
        let one_extension = with(|one| drop(one.extensions.insert("x".into(), any("other"))));
        assert_eq!(updated(&["extensions.x"]).await, one_extension);
        let no_extension = with(|one| drop(one.extensions.remove("y.z")));
        assert_eq!(updated(&["extensions.y.z"]).await, no_extension);
        let both = with(|one| {
            one.spec = Some(any("other"));
            one.runtime = runtime("kata");
        });
        assert_eq!(updated(&["spec", "runtime"]).await, both);
        let all = with(|one| {
            one.labels = map(&[("app", "db".into()), ("new", "1".into())]);
            one.extensions = map(&[("x", any("other"))]);
            one.spec = Some(any("other"));
        });
        assert_eq!(updated(&[]).await, all);
    }

    #[tokio::test]
    async fn an_update_that_fails_changes_nothing() {
        let service = service();
        let created = create(&service, pod()).await.unwrap();
        let mut input = pod();
        input.runtime = runtime("kata");
        let error = update(&service, input.clone(), &[]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(
            error.message().contains("runtime.name is immutable"),
            "{error}"
        );
        for path in ["sandboxer", "id", "nope"] {
            let error = update(&service, input.clone(), &["runtime", path])
                .await
                .unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains(path), "{error}");
        }
        assert_eq!(get(&service, "pod").await.unwrap(), created);
        input.sandbox_id = "none".into();
        let error = update(&service, input, &["nope"]).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
    }

    #[tokio::test]
    async fn sandboxes_are_found_by_their_ids_and_labels() {
        let service = service();
        create(&service, pod()).await.unwrap();
        let mut other = pod();
        other.sandbox_id = "other".into();
        other.labels.clear();
        create(&service, other).await.unwrap();
        for (filters, expected) in [
            (&[][..], &["other", "pod"][..]),
            (&["id==pod"], &["pod"]),
            (&["labels.app==web"], &["pod"]),
            (&["labels.a.b"], &["pod"]),
            (&["labels.app!=web", "id~=^p"], &["other", "pod"]),
            (&["runtime.name==runc"], &[]),
        ] {
            assert_eq!(
                ids(&service, filters).await.unwrap(),
                expected,
                "{filters:?}"
            );
        }
        let error = ids(&service, &["id=="]).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }

    #[tokio::test]
    async fn a_record_that_is_no_sandbox_is_damage() {
        let service = service();
        let sandboxes = service.db.namespace("n").unwrap().records(KIND).unwrap();
        let record = Record::new("odd", Any::new("t", b"\xff"));
        sandboxes.create(record).await.unwrap();
        let error = get(&service, "odd").await.unwrap_err();
        assert_eq!(error.code(), Code::DataLoss);
    }
}
