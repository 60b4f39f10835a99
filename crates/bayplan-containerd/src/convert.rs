//! Containers, as the store has them and as containerd's API does.

use bayplan::{Any, Container, Runtime, to_prost_timestamp};

use crate::proto::containerd::services::containers::v1 as api;

/// A container of the API. Its times are not taken: the store sets them.
pub(crate) fn from_api(container: api::Container) -> Container {
    let mut converted = Container::with_id(container.id);
    converted.labels = container.labels.into_iter().collect();
    converted.image = container.image;
    if let Some(runtime) = container.runtime {
        converted.runtime = Runtime::new(runtime.name);
        converted.runtime.options = runtime.options.map(Any::from);
    }
    converted.spec = container.spec.map(Any::from);
    converted.snapshotter = container.snapshotter;
    converted.snapshot_key = container.snapshot_key;
    converted.sandbox_id = container.sandbox;
    converted.extensions = container
        .extensions
        .into_iter()
        .map(|(name, value)| (name, Any::from(value)))
        .collect();
    converted
}

/// A container of the API, with the times that its server set.
///
/// # Errors
///
/// `InvalidArgument` if a time is none.
#[cfg(feature = "client")]
pub(crate) fn from_api_with_times(container: api::Container) -> bayplan::Result<Container> {
    let (created, updated) = (container.created_at, container.updated_at);
    let mut converted = from_api(container);
    if let Some(time) = created {
        converted.created_at = bayplan::from_prost_timestamp(&time)?;
    }
    if let Some(time) = updated {
        converted.updated_at = bayplan::from_prost_timestamp(&time)?;
    }
    Ok(converted)
}

/// A container for the API.
pub(crate) fn to_api(container: Container) -> api::Container {
    api::Container {
        id: container.id,
        labels: container.labels.into_iter().collect(),
        image: container.image,
        runtime: Some(api::container::Runtime {
            name: container.runtime.name,
            options: container.runtime.options.map(Into::into),
        }),
        spec: container.spec.map(Into::into),
        snapshotter: container.snapshotter,
        snapshot_key: container.snapshot_key,
        created_at: to_prost_timestamp(container.created_at).ok(),
        updated_at: to_prost_timestamp(container.updated_at).ok(),
        extensions: container
            .extensions
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
        sandbox: container.sandbox_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_comes_back_as_it_was() {
        let mut container = Container::new("web", Runtime::new("runc"), Any::new("spec", b"{}"))
            .label("a", "b")
            .image("nginx")
            .snapshot("overlayfs", "key")
            .extension("x", Any::new("t", b"v"));
        container.runtime.options = Some(Any::new("o", b"1"));
        container.sandbox_id = "pod".into();
        let back = from_api(to_api(container.clone()));
        assert_eq!(back, container);
        let bare = Container::with_id("bare");
        assert_eq!(from_api(to_api(bare.clone())), bare);
    }
}
