//! A store behind containerd's API, as a client has it.

use std::error::Error as _;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bayplan::{
    Container, Error, ErrorKind, FieldMask, Found, Labels, NamespaceName, Namespaces,
    ReadNamespaces, ReadStore, Result, Revision, Selection, Store, Traversal,
};
use prost_types::FieldMask as Paths;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::convert::{from_api_with_times, to_api};
use crate::messages::MESSAGE_MAX_BYTES;
use crate::proto::containerd::services::containers::v1::{
    CreateContainerRequest, CreateContainerResponse, DeleteContainerRequest, GetContainerRequest,
    GetContainerResponse, ListContainerMessage, ListContainersRequest, UpdateContainerRequest,
    UpdateContainerResponse,
};
use crate::proto::containerd::services::namespaces::v1::{
    CreateNamespaceRequest, CreateNamespaceResponse, DeleteNamespaceRequest, GetNamespaceRequest,
    GetNamespaceResponse, ListNamespacesRequest, ListNamespacesResponse, Namespace,
    UpdateNamespaceRequest, UpdateNamespaceResponse,
};
use crate::status::NAMESPACE;

/// How much of each answer may be unread, and of all together, in bytes: an unread listing must not keep others waiting.
const UNREAD_MAX_BYTES: u32 = 64 * 1024;
const ALL_UNREAD_MAX_BYTES: u32 = 8 * 1024 * 1024;

/// How many listings may be open: some servers answer no more than 128 calls of a connection at a time.
const LISTINGS_MAX_COUNT: usize = 100;

const _: () =
    assert!(ALL_UNREAD_MAX_BYTES as usize > LISTINGS_MAX_COUNT * UNREAD_MAX_BYTES as usize);

/// A method of the API, and whether it writes.
#[derive(Clone, Copy)]
struct Method {
    path: &'static str,
    is_write: bool,
}

impl Method {
    const fn reads(path: &'static str) -> Self {
        let is_write = false;
        Self { path, is_write }
    }

    const fn writes(path: &'static str) -> Self {
        let is_write = true;
        Self { path, is_write }
    }
}

const GET: Method = Method::reads("/containerd.services.containers.v1.Containers/Get");
const LIST: Method = Method::reads("/containerd.services.containers.v1.Containers/ListStream");
const CREATE: Method = Method::writes("/containerd.services.containers.v1.Containers/Create");
const UPDATE: Method = Method::writes("/containerd.services.containers.v1.Containers/Update");
const DELETE: Method = Method::writes("/containerd.services.containers.v1.Containers/Delete");
const GET_NAMESPACE: Method = Method::reads("/containerd.services.namespaces.v1.Namespaces/Get");
const LIST_NAMESPACES: Method = Method::reads("/containerd.services.namespaces.v1.Namespaces/List");
const CREATE_NAMESPACE: Method =
    Method::writes("/containerd.services.namespaces.v1.Namespaces/Create");
const UPDATE_NAMESPACE: Method =
    Method::writes("/containerd.services.namespaces.v1.Namespaces/Update");
const DELETE_NAMESPACE: Method =
    Method::writes("/containerd.services.namespaces.v1.Namespaces/Delete");

/// A connection to a server of containerd's API: [`Server`](crate::Server), or containerd itself. With the feature
/// `client`.
///
/// Its [`namespace`](Remote::namespace)s are stores of containers, and it has the namespaces themselves
/// ([`Namespaces`]). Each call blocks until the server answers; clones share the connection. A connection that broke is
/// made again by the next call.
///
/// ```no_run
/// use bayplan::{ReadNamespaces, ReadStore};
/// use bayplan_containerd::Remote;
///
/// # fn main() -> bayplan::Result<()> {
/// let remote = Remote::connect("/run/containerd/containerd.sock")?;
/// for name in remote.list_namespaces()? {
///     let store = remote.namespace(name.as_str())?;
///     println!("{name}: {} containers", store.query().count()?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # What the protocol does not carry
///
/// - Revisions: what is read has [`Revision::NONE`], and an operation that requires one is
///   [`FailedPrecondition`](ErrorKind::FailedPrecondition). So is an import: the server sets all times.
/// - Records of other kinds, and which there are: [`record_kinds`](ReadNamespaces::record_kinds) is
///   `FailedPrecondition`.
/// - Pages: a query with [`after`](bayplan::Query::after) reads everything before it as well, and drops it.
/// - Single damaged containers: one ends a lenient query too.
///
/// At most 100 iterators over queries can be alive at a time; one more is `FailedPrecondition`.
///
/// # Errors
///
/// An error of the server has the kind and the text that it has there; of containerd's, the kind that its code says.
/// Otherwise it is:
///
/// - [`Unavailable`](ErrorKind::Unavailable): nobody answers.
/// - [`CommitUncertain`](ErrorKind::CommitUncertain): the connection broke after a write was sent.
/// - [`FailedPrecondition`](ErrorKind::FailedPrecondition): the server does not have this method.
/// - [`InvalidArgument`](ErrorKind::InvalidArgument): a message above the server's limit of 16 MiB.
/// - [`Io`](ErrorKind::Io): anything else.
///
/// # Panics
///
/// It has a tokio runtime of its own, so it must be neither called nor dropped in a task of another one; see tokio's
/// `spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Remote(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    /// Without a thread: it runs while a call is made.
    runtime: Runtime,
    channel: Channel,
    /// Each listing that is open has one more.
    listings: Arc<()>,
}

impl Remote {
    /// Connects to the socket at a path.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) if nobody listens there;
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if the path is not UTF-8.
    pub fn connect(address: impl AsRef<Path>) -> Result<Self> {
        let address = address.as_ref();
        let failed = |kind, why: &dyn fmt::Display| {
            Error::of_kind(kind, format!("connect to {}: {why}", address.display()))
        };
        let text = address.to_str();
        let text = text.ok_or_else(|| failed(ErrorKind::InvalidArgument, &"it is not UTF-8"))?;
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build();
        let runtime = runtime.map_err(|error| failed(ErrorKind::Io, &error).caused_by(error))?;
        let endpoint = Endpoint::from_shared(format!("unix://{text}")).map(|endpoint| {
            endpoint
                .initial_stream_window_size(UNREAD_MAX_BYTES)
                .initial_connection_window_size(ALL_UNREAD_MAX_BYTES)
        });
        let channel = endpoint.and_then(|endpoint| runtime.block_on(endpoint.connect()));
        let channel = channel.map_err(|error| {
            let why = "nobody answers there";
            failed(ErrorKind::Unavailable, &why).caused_by(error)
        })?;
        Ok(Self(Arc::new(Connection {
            runtime,
            channel,
            listings: Arc::default(),
        })))
    }

    /// The containers of a namespace, which need not exist.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if the name is no identifier.
    pub fn namespace(&self, name: &str) -> Result<RemoteStore> {
        Ok(RemoteStore {
            remote: self.clone(),
            name: NamespaceName::new(name)?,
        })
    }

    fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.0.runtime.block_on(async {
            // Nothing ran since the last call. What the server did meanwhile, such as to close the connection, comes first.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
            call.await
        })
    }

    fn unary<Q, A>(&self, method: Method, place: Place<'_>, message: Q) -> Result<A>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let answered = self.run(async {
            let request = request(place, message);
            let path = PathAndQuery::from_static(method.path);
            let mut grpc = self.ready().await?;
            grpc.unary(request, path, ProstCodec::default()).await
        });
        let answer = answered.map_err(|status| error(method, place, status))?;
        Ok(answer.into_inner())
    }

    fn list(&self, place: Place<'_>, selection: &Selection) -> Result<Listing> {
        let is_open = Arc::clone(&self.0.listings);
        if Arc::strong_count(&is_open) > LISTINGS_MAX_COUNT + 1 {
            let text =
                format!("{place}: {LISTINGS_MAX_COUNT} listings are open on this connection");
            return Err(Error::of_kind(ErrorKind::FailedPrecondition, text));
        }
        let filters = selection.filters.iter().map(ToString::to_string).collect();
        let answered = self.run(async {
            let request = request(place, ListContainersRequest { filters });
            let path = PathAndQuery::from_static(LIST.path);
            let mut grpc = self.ready().await?;
            let codec = ProstCodec::default();
            grpc.server_streaming(request, path, codec).await
        });
        let stream = answered.map_err(|status| error(LIST, place, status))?;
        Ok(Listing {
            remote: self.clone(),
            namespace: place.namespace.to_owned(),
            stream: Some(stream.into_inner()),
            after: selection.after.clone(),
            left: selection.limit.unwrap_or(usize::MAX),
            _is_open: is_open,
        })
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let grpc = Grpc::new(self.0.channel.clone());
        let mut grpc = grpc.max_decoding_message_size(MESSAGE_MAX_BYTES);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(error.into()))?;
        Ok(grpc)
    }
}

/// What a call is about.
#[derive(Clone, Copy)]
struct Place<'p> {
    namespace: &'p str,
    /// Of a container.
    id: Option<&'p str>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.id, self.namespace) {
            (Some(id), namespace) => write!(f, "container {id:?} in namespace {namespace:?}"),
            (None, "") => f.write_str("the namespaces"),
            (None, namespace) => write!(f, "namespace {namespace:?}"),
        }
    }
}

impl Place<'_> {
    /// A text of the server, with what it is about if it does not say.
    fn named_in(self, text: &str) -> String {
        let is_named = |name: &str| text.contains(&format!("{name:?}"));
        let is_complete = is_named(self.namespace) && self.id.is_none_or(is_named);
        match is_complete {
            true => text.to_owned(),
            false => format!("{self}: {text}"),
        }
    }
}

/// A request in a namespace. containerd needs one even to change namespaces: for its events.
fn request<Q>(place: Place<'_>, message: Q) -> Request<Q> {
    let mut request = Request::new(message);
    // A name that cannot be sent is no identifier either, and the server looks at the message.
    if let Ok(name) = MetadataValue::try_from(place.namespace) {
        request.metadata_mut().insert(NAMESPACE, name);
    }
    request
}

/// Whether a call failed before it was sent.
fn was_not_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn error(method: Method, place: Place<'_>, status: Status) -> Error {
    let Method { path, is_write } = method;
    if status.source().is_some() {
        let kind = match status.code() {
            _ if is_write && !was_not_sent(&status) => ErrorKind::CommitUncertain,
            Code::Unavailable => ErrorKind::Unavailable,
            _ => ErrorKind::Io,
        };
        let text = format!("{path}: {place}: the connection failed");
        return Error::of_kind(kind, text).caused_by(status);
    }
    // What the server itself says has no cause here.
    let text = place.named_in(status.message());
    let named = Status::with_metadata(status.code(), &text, status.metadata().clone());
    Error::try_from(named).unwrap_or_else(|status| {
        let kind = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded => ErrorKind::Unavailable,
            Code::Cancelled => ErrorKind::Cancelled,
            Code::Unimplemented => ErrorKind::FailedPrecondition,
            Code::ResourceExhausted if is_write => ErrorKind::InvalidArgument,
            _ => ErrorKind::Io,
        };
        Error::of_kind(kind, format!("{path}: {text}"))
    })
}

fn not_carried(place: Place<'_>, what: &str) -> Error {
    let text = format!("{place}: containerd's API carries no {what}");
    Error::of_kind(ErrorKind::FailedPrecondition, text)
}

/// An answer without what it is about.
fn incomplete(method: Method) -> Error {
    let text = format!("{}: the answer is empty", method.path);
    Error::of_kind(ErrorKind::Io, text)
}

/// The containers of one namespace behind containerd's API; see [`Remote`].
#[derive(Clone, Debug)]
pub struct RemoteStore {
    remote: Remote,
    name: NamespaceName,
}

impl RemoteStore {
    fn place<'p>(&'p self, id: &'p str) -> Place<'p> {
        Place {
            namespace: self.name.as_str(),
            id: Some(id),
        }
    }
}

/// Whole containers, whatever the detail.
struct Listing {
    remote: Remote,
    namespace: String,
    /// Until its end.
    stream: Option<Streaming<ListContainerMessage>>,
    after: Option<String>,
    left: usize,
    _is_open: Arc<()>,
}

impl Listing {
    fn read(&mut self) -> Result<Option<Container>> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.left > 0) else {
            return Ok(None);
        };
        let place = of_namespace(&self.namespace);
        let message = self.remote.run(stream.message());
        match message.map_err(|status| error(LIST, place, status))? {
            Some(ListContainerMessage { container }) => {
                from_api_with_times(container.ok_or_else(|| incomplete(LIST))?).map(Some)
            }
            None => Ok(None),
        }
    }
}

impl Iterator for Listing {
    type Item = Result<Found<Container>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let read = self.read().transpose();
            match &read {
                Some(Ok(container))
                    if (self.after.as_ref()).is_some_and(|after| container.id <= *after) => {}
                Some(Ok(_)) => {
                    self.left -= 1;
                    return read.map(|read| read.map(Found::Whole));
                }
                _ => {
                    self.stream = None;
                    return read.map(|read| read.map(Found::Whole));
                }
            }
        }
    }
}

impl ReadStore for RemoteStore {
    fn name(&self) -> &NamespaceName {
        &self.name
    }

    fn get(&self, id: &str) -> Result<Container> {
        let request = GetContainerRequest { id: id.to_owned() };
        let GetContainerResponse { container } = self.remote.unary(GET, self.place(id), request)?;
        from_api_with_times(container.ok_or_else(|| incomplete(GET))?)
    }

    fn traverse(&self, selection: &Selection) -> Result<Traversal<'_, Container>> {
        let place = of_namespace(self.name.as_str());
        Ok(Box::new(self.remote.list(place, selection)?))
    }
}

impl Store for RemoteStore {
    fn create(&self, new: Container) -> Result<Container> {
        let id = new.id.clone();
        let container = Some(to_api(new));
        let request = CreateContainerRequest { container };
        let CreateContainerResponse { container } =
            self.remote.unary(CREATE, self.place(&id), request)?;
        from_api_with_times(container.ok_or_else(|| incomplete(CREATE))?)
    }

    fn update_when(
        &self,
        expected: Option<Revision>,
        input: Container,
        mask: &FieldMask,
    ) -> Result<Container> {
        let id = input.id.clone();
        let place = self.place(&id);
        if expected.is_some() {
            return Err(not_carried(place, "revision that an update could require"));
        }
        let update_mask = match Paths::try_from(mask) {
            Ok(paths) => Some(paths),
            Err(invalid) => {
                // That it is not there would be the error even so.
                self.get(&id)?;
                let text = format!("{place}: {invalid:#}");
                return Err(Error::of_kind(invalid.kind(), text));
            }
        };
        let request = UpdateContainerRequest {
            container: Some(to_api(input)),
            update_mask,
        };
        let UpdateContainerResponse { container } = self.remote.unary(UPDATE, place, request)?;
        from_api_with_times(container.ok_or_else(|| incomplete(UPDATE))?)
    }

    fn delete_when(&self, expected: Option<Revision>, id: &str) -> Result<()> {
        let place = self.place(id);
        if expected.is_some() {
            return Err(not_carried(place, "revision that a deletion could require"));
        }
        let request = DeleteContainerRequest { id: id.to_owned() };
        self.remote.unary(DELETE, place, request)
    }

    /// In two steps: if others write at the same time, it replaces what they wrote.
    fn put(&self, item: Container) -> Result<Container> {
        loop {
            match self.update(item.clone(), &FieldMask::full()) {
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_immutable_field() => {
                    let kind = ErrorKind::FailedPrecondition;
                    let error = Error::of_kind(kind, error.to_string());
                    return Err(error.about_immutable_field());
                }
                done => return done,
            }
            match self.create(item.clone()) {
                Err(error) if error.is_already_exists() => {}
                done => return done,
            }
        }
    }
}

/// A call about a namespace itself.
fn of_namespace(namespace: &str) -> Place<'_> {
    let id = None;
    Place { namespace, id }
}

impl ReadNamespaces for Remote {
    fn list_namespaces(&self) -> Result<Vec<NamespaceName>> {
        let request = ListNamespacesRequest::default();
        let ListNamespacesResponse { namespaces } =
            self.unary(LIST_NAMESPACES, of_namespace(""), request)?;
        let names = namespaces.into_iter();
        names.map(|one| NamespaceName::new(one.name)).collect()
    }

    fn namespace_labels(&self, name: &str) -> Result<Labels> {
        let request = GetNamespaceRequest {
            name: name.to_owned(),
        };
        let GetNamespaceResponse { namespace } =
            self.unary(GET_NAMESPACE, of_namespace(name), request)?;
        let namespace = namespace.ok_or_else(|| incomplete(GET_NAMESPACE))?;
        Ok(namespace.labels.into_iter().collect())
    }

    /// Is [`FailedPrecondition`](ErrorKind::FailedPrecondition): there is no such call.
    fn record_kinds(&self, name: &str) -> Result<Vec<String>> {
        Err(not_carried(of_namespace(name), "kinds of records"))
    }
}

impl Namespaces for Remote {
    fn create_namespace(&self, name: &str, labels: Labels) -> Result<()> {
        let namespace = Some(Namespace {
            name: name.to_owned(),
            labels: labels.into_iter().collect(),
        });
        let request = CreateNamespaceRequest { namespace };
        self.unary(CREATE_NAMESPACE, of_namespace(name), request)
            .map(|CreateNamespaceResponse { .. }| ())
    }

    fn set_namespace_label(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let request = UpdateNamespaceRequest {
            namespace: Some(Namespace {
                name: name.to_owned(),
                labels: [(key.to_owned(), value.to_owned())].into(),
            }),
            update_mask: Some(Paths {
                paths: vec![format!("labels.{key}")],
            }),
        };
        self.unary(UPDATE_NAMESPACE, of_namespace(name), request)
            .map(|UpdateNamespaceResponse { .. }| ())
    }

    fn delete_namespace(&self, name: &str) -> Result<()> {
        let request = DeleteNamespaceRequest {
            name: name.to_owned(),
        };
        self.unary(DELETE_NAMESPACE, of_namespace(name), request)
    }
}
