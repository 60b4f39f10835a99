//! Filters as values, with a meaning of their own.

use bayplan::{Container, Record};
use proptest::prelude::*;
use proptest::sample::select;

const FIELDS: [&str; 10] = [
    "id",
    "image",
    "snapshotter",
    "sandboxid",
    "labels.k",
    "labels.\"k.x\"",
    "extensions.e",
    "extensions.e.f",
    "type",
    "nope",
];

const VALUES: [&str; 8] = ["", "a", "a-1", "b", "1", "2", "i", "t"];

#[derive(Clone, Copy, Debug)]
enum Test {
    Present,
    Equals(&'static str),
    Differs(&'static str),
    Contains(&'static str),
}

/// A selector: a field and a condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector {
    field: &'static str,
    test: Test,
}

/// Several filters of several selectors.
pub(crate) type Any = Vec<Vec<Selector>>;

pub(crate) fn filters() -> impl Strategy<Value = Any> {
    let value = || select(&VALUES[..]);
    let test = prop_oneof![
        Just(Test::Present),
        value().prop_map(Test::Equals),
        value().prop_map(Test::Differs),
        value().prop_map(Test::Contains),
    ];
    let selector = (select(&FIELDS[..]), test).prop_map(|(field, test)| Selector { field, test });
    let filter = proptest::collection::vec(selector, 0..3);
    prop_oneof![
        1 => Just(Vec::new()),
        3 => proptest::collection::vec(filter, 1..3),
    ]
}

/// The texts of the filters.
pub(crate) fn texts(any: &Any) -> Vec<String> {
    let text = |filter: &Vec<Selector>| {
        let selectors: Vec<String> = filter.iter().map(Selector::text).collect();
        selectors.join(",")
    };
    any.iter().map(text).collect()
}

/// What filters can ask for.
pub(crate) trait Fields {
    /// The value of a field, if it is present.
    fn field(&self, name: &str) -> Option<&str>;
}

/// Whether it passes.
pub(crate) fn passes(any: &Any, item: &impl Fields) -> bool {
    let all = |filter: &Vec<Selector>| filter.iter().all(|selector| selector.holds(item));
    any.is_empty() || any.iter().any(all)
}

impl Selector {
    fn text(&self) -> String {
        let field = self.field;
        match self.test {
            Test::Present => field.to_owned(),
            Test::Equals(value) => format!("{field}==\"{value}\""),
            Test::Differs(value) => format!("{field}!=\"{value}\""),
            Test::Contains(value) => format!("{field}~=\"{value}\""),
        }
    }

    fn holds(&self, item: &impl Fields) -> bool {
        let value = item.field(self.field);
        match self.test {
            Test::Present => value.is_some(),
            Test::Equals(wanted) => value == Some(wanted),
            Test::Differs(other) => value.unwrap_or("") != other,
            Test::Contains(part) => value.unwrap_or("").contains(part),
        }
    }
}

fn text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Fields for Container {
    fn field(&self, name: &str) -> Option<&str> {
        let label = |key| self.labels.get(key).map(String::as_str);
        let extension = |name| self.extensions.get(name).map(|any| any.type_url.as_str());
        match name {
            "id" => text(&self.id),
            "image" => text(&self.image),
            "snapshotter" => text(&self.snapshotter),
            "sandboxid" => text(&self.sandbox_id),
            "labels.k" => label("k"),
            "labels.\"k.x\"" => label("k.x"),
            "extensions.e" => extension("e"),
            "extensions.e.f" => extension("e.f"),
            _ => None,
        }
    }
}

impl Fields for Record {
    fn field(&self, name: &str) -> Option<&str> {
        let label = |key| self.labels.get(key).map(String::as_str);
        match name {
            "id" => text(&self.id),
            "type" => text(&self.value.type_url),
            "labels.k" => label("k"),
            "labels.\"k.x\"" => label("k.x"),
            _ => None,
        }
    }
}
