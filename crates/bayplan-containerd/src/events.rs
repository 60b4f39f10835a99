//! The service of events: what changes in the store, and what clients publish.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bayplan::{
    AsyncDb, AsyncSubscription, Change, ContainerHeader, Detail, Event, Filters, Found, Labels,
    NamespaceName, Position, Subject,
};
use prost::{Message as _, Name as _};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, async_trait};

use crate::messages::MESSAGE_MAX_BYTES;
use crate::proto::containerd::events as api;
use crate::proto::containerd::services::events::v1::events_server::Events;
use crate::proto::containerd::services::events::v1::{
    ForwardRequest, PublishRequest, SubscribeRequest,
};
use crate::proto::containerd::types::Envelope;
use crate::status::{missing, namespace_of, status};

/// How many events a subscriber may be behind, and how many bytes: clients publish large ones.
const BEHIND_MAX_COUNT: usize = 4 * 1024;
const BEHIND_MAX_BYTES: usize = 64 * 1024 * 1024;

const _: () = assert!(BEHIND_MAX_BYTES > 2 * MESSAGE_MAX_BYTES);

/// An event, until it is dropped because of all the others.
#[derive(Clone)]
struct Kept(Arc<Mutex<Option<Envelope>>>);

impl Kept {
    fn get(&self) -> Option<Envelope> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    /// Drops the event, and returns its bytes.
    fn take(&self) -> usize {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.map_or(0, |envelope| envelope.encoded_len())
    }
}

/// The latest events, on their way to all subscribers.
struct Latest {
    sender: broadcast::Sender<Kept>,
    kept: VecDeque<Kept>,
    bytes: usize,
}

impl Latest {
    fn new() -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX_COUNT).0,
            kept: VecDeque::new(),
            bytes: 0,
        }
    }

    fn send(&mut self, envelope: Envelope) {
        let has_room = |latest: &Self| {
            latest.kept.len() < BEHIND_MAX_COUNT && latest.bytes <= BEHIND_MAX_BYTES
        };
        self.bytes += envelope.encoded_len();
        while !has_room(self)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.take();
        }
        let event = Kept(Arc::new(Mutex::new(Some(envelope))));
        self.kept.push_back(event.clone());
        // Without subscribers it is lost, as in containerd.
        if self.sender.send(event).is_err() {
            self.kept.clear();
            self.bytes = 0;
        }
    }
}

/// Where events come together.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Mutex<Option<Latest>>>);

impl Hub {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Latest::new()))))
    }

    fn send(&self, envelope: Envelope) {
        if let Some(latest) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            latest.send(envelope);
        }
    }

    fn subscribe(&self) -> Option<broadcast::Receiver<Kept>> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().map(|latest| latest.sender.subscribe())
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Follows the store from now on, and sends what changes.
    ///
    /// # Errors
    ///
    /// As [`bayplan::Db::changes_since`].
    pub(crate) async fn follow(
        self,
        db: AsyncDb,
    ) -> bayplan::Result<impl Future<Output = ()> + use<>> {
        let mut changes = from_now_on(&db).await?;
        Ok(async move {
            loop {
                let ended = self.send_all(&mut changes).await;
                match ended {
                    Err(error) if error.is_lagged() => {
                        tracing::warn!(%error, "events are lost");
                        match from_now_on(&db).await {
                            Ok(new) => changes = new,
                            Err(error) => return tracing::error!(%error, "no more events"),
                        }
                    }
                    Err(error) if error.is_unavailable() => return,
                    Err(error) => return tracing::error!(%error, "no more events"),
                    Ok(()) => return,
                }
            }
        })
    }

    async fn send_all(&self, changes: &mut AsyncSubscription) -> bayplan::Result<()> {
        while let Some(change) = changes.next().await {
            if let Some(envelope) = envelope(change?) {
                self.send(envelope);
            }
        }
        Ok(())
    }
}

async fn from_now_on(db: &AsyncDb) -> bayplan::Result<AsyncSubscription> {
    let now = db.run(now).await?;
    db.subscribe(now, detail()).await
}

fn detail() -> Detail {
    Detail::Header(Vec::new())
}

/// From where on only what happens from now on is told.
fn now(db: &bayplan::Db) -> bayplan::Result<Position> {
    let mut changes = db.changes_since(Position::START, Detail::Id)?;
    for change in &mut changes {
        change?;
    }
    Ok(changes.position())
}

/// A change as containerd tells it; none of records of other kinds.
fn envelope(change: Change) -> Option<Envelope> {
    let (topic, event) = match change.subject {
        Subject::Container { id, event } => of_container(id, event)?,
        Subject::Namespace(event) => of_namespace(change.namespace.as_str(), event),
        _ => return None,
    };
    Some(Envelope {
        timestamp: Some(SystemTime::now().into()),
        namespace: change.namespace.to_string(),
        topic: topic.to_owned(),
        event: Some(event),
    })
}

fn any<M: prost::Name>(message: &M) -> prost_types::Any {
    prost_types::Any {
        // containerd's have no host before it.
        type_url: M::full_name(),
        value: message.encode_to_vec(),
    }
}

fn of_container(
    id: String,
    event: Event<Found<bayplan::Container>>,
) -> Option<(&'static str, prost_types::Any)> {
    let header = |found| match found {
        Found::Header(header) => Some(header),
        _ => None,
    };
    Some(match event {
        Event::Created(found) => {
            let ContainerHeader { image, runtime, .. } = header(found)?;
            let runtime = Some(api::container_create::Runtime {
                name: runtime.name,
                options: runtime.options.map(Into::into),
            });
            let event = api::ContainerCreate { id, image, runtime };
            ("/containers/create", any(&event))
        }
        Event::Updated(found) => {
            let header = header(found)?;
            let event = api::ContainerUpdate {
                id,
                image: header.image,
                labels: header.labels.into_iter().collect(),
                snapshot_key: header.snapshot_key,
            };
            ("/containers/update", any(&event))
        }
        _ => ("/containers/delete", any(&api::ContainerDelete { id })),
    })
}

fn of_namespace(name: &str, event: Event<Labels>) -> (&'static str, prost_types::Any) {
    let name = name.to_owned();
    match event {
        Event::Created(labels) => {
            let labels = labels.into_iter().collect();
            let event = api::NamespaceCreate { name, labels };
            ("/namespaces/create", any(&event))
        }
        Event::Updated(labels) => {
            let labels = labels.into_iter().collect();
            let event = api::NamespaceUpdate { name, labels };
            ("/namespaces/update", any(&event))
        }
        _ => ("/namespaces/delete", any(&api::NamespaceDelete { name })),
    }
}

/// Whether an event is one that was asked for. Filters know `namespace`, `topic`, and of the events that are made here the
/// fields that are texts, such as `event.id`.
fn matches(filters: &Filters, envelope: &Envelope) -> bool {
    filters.matches_with(|path| match path {
        ["namespace", ..] => Some(Cow::from(&envelope.namespace)),
        ["topic", ..] => Some(Cow::from(&envelope.topic)),
        ["event", field, rest @ ..] => {
            let event = envelope.event.as_ref()?;
            field_of(event, field, rest).map(Cow::from)
        }
        _ => None,
    })
}

fn field_of(event: &prost_types::Any, field: &str, rest: &[&str]) -> Option<String> {
    let decoded = |name: &str| event.type_url == name;
    let value = event.value.as_slice();
    if decoded(&api::ContainerCreate::full_name()) {
        let event: api::ContainerCreate = prost::Message::decode(value).ok()?;
        return match (field, rest) {
            ("id", _) => Some(event.id),
            ("image", _) => Some(event.image),
            ("runtime", ["name", ..]) => Some(event.runtime?.name),
            _ => None,
        };
    }
    if decoded(&api::ContainerUpdate::full_name()) {
        let event: api::ContainerUpdate = prost::Message::decode(value).ok()?;
        return match field {
            "id" => Some(event.id),
            "image" => Some(event.image),
            "snapshot_key" => Some(event.snapshot_key),
            "labels" => event.labels.get(&rest.join(".")).cloned(),
            _ => None,
        };
    }
    if decoded(&api::ContainerDelete::full_name()) {
        let event: api::ContainerDelete = prost::Message::decode(value).ok()?;
        return (field == "id").then_some(event.id);
    }
    if decoded(&api::NamespaceDelete::full_name()) {
        let event: api::NamespaceDelete = prost::Message::decode(value).ok()?;
        return (field == "name").then_some(event.name);
    }
    let (name, labels) = if decoded(&api::NamespaceCreate::full_name()) {
        let event: api::NamespaceCreate = prost::Message::decode(value).ok()?;
        (event.name, event.labels)
    } else if decoded(&api::NamespaceUpdate::full_name()) {
        let event: api::NamespaceUpdate = prost::Message::decode(value).ok()?;
        (event.name, event.labels)
    } else {
        return None;
    };
    match field {
        "name" => Some(name),
        "labels" => labels.get(&rest.join(".")).cloned(),
        _ => None,
    }
}

pub(crate) struct Service {
    pub(crate) hub: Hub,
}

#[async_trait]
impl Events for Service {
    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<()>, Status> {
        let namespace = namespace_of(&request)?;
        let PublishRequest { topic, event } = request.into_inner();
        check_namespace(&namespace)?;
        check_topic(&topic)?;
        self.hub.send(Envelope {
            timestamp: Some(SystemTime::now().into()),
            namespace,
            topic,
            event,
        });
        Ok(Response::new(()))
    }

    async fn forward(&self, request: Request<ForwardRequest>) -> Result<Response<()>, Status> {
        let envelope = request.into_inner().envelope;
        let envelope = envelope.ok_or_else(|| missing("envelope"))?;
        check_topic(&envelope.topic)?;
        if envelope.namespace.is_empty() {
            return Err(missing("the envelope's namespace"));
        }
        check_namespace(&envelope.namespace)?;
        self.hub.send(envelope);
        Ok(Response::new(()))
    }

    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<Envelope, Status>> + Send + 'static>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let filters = Filters::parse(&request.get_ref().filters);
        let filters = filters.map_err(|error| status(error.into()))?;
        let stopping = || Status::unavailable("the server is being stopped");
        let receiver = self.hub.subscribe().ok_or_else(stopping)?;
        let events = BroadcastStream::new(receiver).filter_map(move |event| {
            let count = match event.map(|event| event.get()) {
                Ok(Some(envelope)) => return matches(&filters, &envelope).then_some(Ok(envelope)),
                Ok(None) => 1,
                Err(BroadcastStreamRecvError::Lagged(count)) => count,
            };
            let text = format!("{count} events were missed: they were not taken fast enough");
            Some(Err(Status::resource_exhausted(text)))
        });
        Ok(Response::new(Box::pin(events)))
    }
}

/// A topic is a path of identifiers, as in containerd.
fn check_topic(topic: &str) -> Result<(), Status> {
    let invalid = |why: &str| {
        let text = format!("topic {topic:?} {why}: invalid argument");
        Err(Status::invalid_argument(text))
    };
    let Some(path) = topic.strip_prefix('/').filter(|path| !path.is_empty()) else {
        return invalid("must start with '/' and have at least one component");
    };
    match path.split('/').all(|part| NamespaceName::new(part).is_ok()) {
        true => Ok(()),
        false => invalid("has a component that is not an identifier"),
    }
}

fn check_namespace(name: &str) -> Result<(), Status> {
    NamespaceName::new(name).map(drop).map_err(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(bytes: usize) -> Envelope {
        let event = prost_types::Any {
            type_url: String::new(),
            value: vec![1; bytes],
        };
        Envelope {
            event: Some(event),
            ..Envelope::default()
        }
    }

    #[test]
    fn events_that_nobody_takes_are_kept_up_to_a_limit() {
        const EVENT_BYTES: usize = MESSAGE_MAX_BYTES / 2;
        let mut latest = Latest::new();
        latest.send(published(EVENT_BYTES));
        assert_eq!((latest.bytes, latest.kept.len()), (0, 0));

        let mut receiver = latest.sender.subscribe();
        for _ in 0..20 {
            latest.send(published(EVENT_BYTES));
            assert!(latest.bytes <= BEHIND_MAX_BYTES);
        }
        let mut lengths = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            lengths.push(event.get().map_or(0, |event| event.encoded_len()));
        }
        assert_eq!(lengths.len(), 20);
        assert_eq!(lengths.iter().sum::<usize>(), latest.bytes);
        assert_eq!(lengths.iter().filter(|length| **length > 0).count(), 7);

        for _ in 0..2 * BEHIND_MAX_COUNT {
            latest.send(published(1));
        }
        assert!(latest.bytes < BEHIND_MAX_BYTES && latest.kept.len() <= BEHIND_MAX_COUNT);
    }

    #[test]
    fn a_topic_is_a_path_of_identifiers() {
        for topic in ["/a", "/containers/create", "/a.b/c-d"] {
            assert!(check_topic(topic).is_ok(), "{topic}");
        }
        for topic in ["", "/", "a", "/a/", "//a", "/a b", "/a/-b"] {
            assert!(check_topic(topic).is_err(), "{topic}");
        }
        assert!(check_namespace("-bad").is_err());
    }
}
