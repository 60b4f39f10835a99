//! The laws of the filter language, as tables of cases and as properties.

mod errors;
mod matching;
mod patterns;
mod planning;
mod printing;
mod unknown;

use crate::model::field::Field;

use super::{Filter, Filters, Subject};

/// A container, as filters see it.
#[derive(Clone, Debug, Default)]
struct Thing {
    fields: Vec<(Field, Vec<u8>)>,
}

impl Thing {
    fn with(mut self, field: Field, value: impl AsRef<[u8]>) -> Thing {
        self.fields.push((field, value.as_ref().to_vec()));
        self
    }

    fn label(self, key: &str, value: &str) -> Thing {
        self.with(Field::Label(key.into()), value)
    }
}

impl Subject for Thing {
    fn field(&self, field: &Field) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The container of most cases.
fn web() -> Thing {
    Thing::default()
        .with(Field::Id, "web")
        .with(Field::Image, "docker.io/library/nginx:1.27")
        .with(Field::RuntimeName, "io.containerd.runc.v2")
        .with(Field::Snapshotter, "overlayfs")
        .with(Field::Extension(b"net.cni".to_vec()), "types/Net")
        .with(Field::Extension(b"bare".to_vec()), "")
        .label("app", "nginx")
        .label("a.b", "two parts")
        .label("example.com/tier", "front")
        .label("quote\"back\\slash", "x,y")
        .label("größe", "牛")
        .label("1", "one")
}

#[track_caller]
fn parse(text: &str) -> Filter {
    match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => panic!("{error}"),
    }
}

/// The filter matches the container.
#[track_caller]
fn yes(text: &str) {
    assert!(
        Filters::from(parse(text)).matches(&web()),
        "{text} does not match"
    );
}

/// The filter parses and does not match the container.
#[track_caller]
fn no(text: &str) {
    assert!(
        !Filters::from(parse(text)).matches(&web()),
        "{text} matches"
    );
}
