//! Laws of the [limits](crate::limits): what is at one is accepted, what is beyond it refused.

use super::expect::{equal, fails, stored, tells};
use super::sample::{HOME, any, bare, labels};
use super::{Fixture, Law, Verdict, law_list};
use crate::any::Any;
use crate::container::{Container, Runtime};
use crate::error::ErrorKind;
use crate::limits::{
    ANY_MAX_BYTES, EXTENSION_NAME_MAX_BYTES, EXTENSIONS_MAX_COUNT, IDENTIFIER_MAX_BYTES,
    LABEL_MAX_BYTES, LABELS_MAX_COUNT, TEXT_MAX_BYTES,
};
use crate::mask::FieldMask;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    an_id_has_at_most_76_bytes,
    a_namespace_has_at_most_76_bytes,
    a_label_has_at_most_4096_bytes_key_and_value_together,
    a_label_is_measured_in_bytes,
    a_label_that_is_set_by_its_path_has_the_same_limit,
    a_label_of_a_namespace_has_the_same_limit,
    an_extension_name_has_its_limit,
    a_plain_text_has_its_limit,
    labels_and_extensions_have_a_limit_to_their_number,
    a_value_beyond_the_limit_is_invalid,
];

/// 76 bytes are an id, 77 are none.
pub fn an_id_has_at_most_76_bytes(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let at = "x".repeat(IDENTIFIER_MAX_BYTES);
    stored(&*store, &store.create(bare(&at))?)?;
    let over = format!("{at}x");
    let result = store.create(bare(&over));
    let error = fails("create", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&over, "76"])?;
    fails("get", store.get(&over), ErrorKind::NotFound)?;
    Ok(())
}

/// 76 bytes are a name, 77 are none.
pub fn a_namespace_has_at_most_76_bytes(fixture: &dyn Fixture) -> Verdict {
    let at = "x".repeat(IDENTIFIER_MAX_BYTES);
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(&at, labels("a", "1"))?;
    let store = fixture.store(&at)?;
    stored(&*store, &store.create(bare(&at))?)?;
    let over = format!("{at}x");
    let result = namespaces.create_namespace(&over, labels("a", "1"));
    let error = fails("create_namespace", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&over, "76"])
}

/// The error names the whole key, the size and the limit.
pub fn a_label_has_at_most_4096_bytes_key_and_value_together(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let key = "k".repeat(96);
    let at = "v".repeat(LABEL_MAX_BYTES - key.len());
    stored(&*store, &store.create(bare("at").label(&key, &at))?)?;
    let over = format!("{at}v");
    let result = store.create(bare("over").label(&key, over));
    let error = fails("create", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&key, "4097", "4096"])
}

/// A character may be several bytes.
pub fn a_label_is_measured_in_bytes(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let at = "é".repeat(LABEL_MAX_BYTES / 2 - 1);
    stored(&*store, &store.create(bare("at").label("kk", &at))?)?;
    let result = store.create(bare("over").label("kkk", at));
    fails("create", result, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// An update is held to the limit of `create`.
pub fn a_label_that_is_set_by_its_path_has_the_same_limit(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let mask = FieldMask::deferred(["labels.key"]);
    let change = |size| Container::with_id("web").label("key", "v".repeat(size));
    let web = store.update(change(LABEL_MAX_BYTES - 3), &mask)?;
    let result = store.update(change(LABEL_MAX_BYTES - 2), &mask);
    let error = fails("update", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["key", "4097", "4096"])?;
    stored(&*store, &web)
}

/// By whichever way it is given.
pub fn a_label_of_a_namespace_has_the_same_limit(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    let at = "v".repeat(LABEL_MAX_BYTES - 3);
    let over = format!("{at}v");
    let result = namespaces.create_namespace(HOME, labels("key", &over));
    let error = fails("create_namespace", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["key", "4097", "4096"])?;
    namespaces.create_namespace(HOME, labels("key", &at))?;
    let result = namespaces.set_namespace_label(HOME, "key", &over);
    let error = fails("set_namespace_label", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["key", "4097", "4096"])?;
    let found = namespaces.namespace_labels(HOME)?;
    equal("the labels", &found, &labels("key", &at))
}

/// At the limit it is stored, beyond it is invalid.
pub fn an_extension_name_has_its_limit(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let at = "n".repeat(EXTENSION_NAME_MAX_BYTES);
    stored(&*store, &store.create(bare("at").extension(&at, any("x")))?)?;
    let result = store.create(bare("over").extension(format!("{at}n"), any("x")));
    let error = fails("create", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&at])
}

/// `image`, `runtime.name`, `snapshotter`, `snapshot_key`, `sandbox_id` and type URLs alike.
pub fn a_plain_text_has_its_limit(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let at = "x".repeat(TEXT_MAX_BYTES);
    let long = |text: &str| Any::new(text, b"");
    let mut largest = bare("at").image(&at).snapshot(&at, &at).sandbox(&at);
    largest.runtime = Runtime::new(&at).options(long(&at));
    let largest = largest.spec(long(&at)).extension("x", long(&at));
    stored(&*store, &store.create(largest)?)?;
    let over = format!("{at}x");
    let with_runtime = |runtime| {
        let mut container = bare("over");
        container.runtime = runtime;
        container
    };
    for container in [
        bare("over").image(&over),
        bare("over").snapshot(&over, "key"),
        bare("over").snapshot("snapshotter", &over),
        bare("over").sandbox(&over),
        bare("over").spec(long(&over)),
        bare("over").extension("x", long(&over)),
        with_runtime(Runtime::new(&over)),
        with_runtime(Runtime::new("runtime").options(long(&over))),
    ] {
        fails(
            "create",
            store.create(container),
            ErrorKind::InvalidArgument,
        )?;
    }
    Ok(())
}

/// Labels of containers and namespaces, and extensions.
pub fn labels_and_extensions_have_a_limit_to_their_number(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let namespaces = fixture.namespaces();
    let mut over = bare("over");
    for number in 0..=LABELS_MAX_COUNT {
        over = over.label(number.to_string(), "x");
    }
    let mut at = over.labels.clone();
    at.remove("0");
    namespaces.create_namespace(HOME, at)?;
    let result = namespaces.set_namespace_label(HOME, "0", "x");
    fails("set_namespace_label", result, ErrorKind::InvalidArgument)?;
    let result = namespaces.create_namespace("over", over.labels.clone());
    fails("create_namespace", result, ErrorKind::InvalidArgument)?;
    fails("create", store.create(over), ErrorKind::InvalidArgument)?;
    let mut over = bare("over");
    for number in 0..=EXTENSIONS_MAX_COUNT {
        over = over.extension(number.to_string(), Any::default());
    }
    let mut at = over.clone();
    at.extensions.remove("0");
    fails("create", store.create(over), ErrorKind::InvalidArgument)?;
    stored(&*store, &store.create(at)?)
}

/// An implementation need not hold values as large as the limit, but refuses what is larger.
pub fn a_value_beyond_the_limit_is_invalid(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let over = Any::new("t", vec![0; ANY_MAX_BYTES + 1]);
    let result = store.create(bare("web").spec(over));
    fails("create", result, ErrorKind::InvalidArgument)?;
    Ok(())
}
