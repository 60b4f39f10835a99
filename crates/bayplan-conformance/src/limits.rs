//! Laws of the [limits](bayplan::limits): a value at the limit is accepted, one beyond it refused.

use crate::expect::{equal, fails, finds, lists, stored, tells};
use crate::sample::{HOME, any, bare, labels};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::limits::{
    ANY_MAX_BYTES, EXTENSION_NAME_MAX_BYTES, EXTENSIONS_MAX_BYTES, EXTENSIONS_MAX_COUNT,
    IDENTIFIER_MAX_BYTES, LABEL_MAX_BYTES, LABELS_MAX_COUNT, TEXT_MAX_BYTES,
};
use bayplan::{Any, ErrorKind, FieldMask, Filters, Labels, Runtime};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    an_id_has_its_limit,
    a_label_has_at_most_4096_bytes_key_and_value_together,
    a_label_is_measured_in_bytes,
    a_label_that_is_set_by_its_path_has_the_same_limit,
    labels_have_a_limit_to_their_number,
    the_type_of_a_value_has_its_limit,
    a_value_beyond_the_limit_is_invalid,
];

/// The laws of this module that are of containers and namespaces.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    a_namespace_has_at_most_76_bytes,
    a_label_of_a_namespace_has_the_same_limit,
    labels_of_namespaces_have_a_limit_to_their_number,
    an_extension_name_has_its_limit,
    a_plain_text_has_its_limit,
    extensions_have_a_limit_to_their_number,
    extensions_have_a_limit_to_what_they_are_together,
];

/// One byte more is refused; the error has the whole id and the limit.
pub fn an_id_has_its_limit<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let at = "x".repeat(T::ID_MAX_BYTES);
    stored(&*store, &store.create(T::complete(&at))?)?;
    finds(&*store, &format!("id=={at}"), &[&at])?;
    let over = format!("{at}x");
    let result = store.create(T::bare(&over));
    let error = fails("create", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&over, &T::ID_MAX_BYTES.to_string()])?;
    fails("get", store.get(&over), ErrorKind::NotFound)?;
    store.delete(&at)?;
    lists(&*store, &Filters::all(), &[])
}

/// A name may have 76 bytes, but not 77.
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
pub fn a_label_has_at_most_4096_bytes_key_and_value_together<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let key = "k".repeat(96);
    let at = "v".repeat(LABEL_MAX_BYTES - key.len());
    stored(&*store, &store.create(T::bare("at").label(&key, &at))?)?;
    let over = format!("{at}v");
    let result = store.create(T::bare("over").label(&key, over));
    let error = fails("create", result, ErrorKind::InvalidArgument)?;
    tells(&error, &[&key, "4097", "4096"])
}

/// A character may be several bytes.
pub fn a_label_is_measured_in_bytes<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let at = "é".repeat(LABEL_MAX_BYTES / 2 - 1);
    stored(&*store, &store.create(T::bare("at").label("kk", &at))?)?;
    let result = store.create(T::bare("over").label("kkk", at));
    fails("create", result, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// An update is held to the limit of `create`.
pub fn a_label_that_is_set_by_its_path_has_the_same_limit<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let mask = FieldMask::deferred(["labels.key"]);
    let change = |size| T::with_id("web".to_owned()).label("key", "v".repeat(size));
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

/// At the limit it is stored, beyond it, it is invalid.
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

/// At the limit they are stored, beyond it they are invalid.
pub fn labels_have_a_limit_to_their_number<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut over = T::bare("web");
    for number in 0..=LABELS_MAX_COUNT {
        over = over.label(number.to_string(), "x");
    }
    let mut at = over.clone();
    at.labels_mut().remove("0");
    fails(
        "create",
        store.create(over.clone()),
        ErrorKind::InvalidArgument,
    )?;
    let web = store.create(at)?;
    let mask = FieldMask::deferred(["labels.0"]);
    let result = store.update(over, &mask);
    fails("update", result, ErrorKind::InvalidArgument)?;
    stored(&*store, &web)
}

/// By whichever way they are given.
pub fn labels_of_namespaces_have_a_limit_to_their_number(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    let number = |number: usize| (number.to_string(), "x".to_owned());
    let over: Labels = (0..=LABELS_MAX_COUNT).map(number).collect();
    let mut at = over.clone();
    at.remove("0");
    namespaces.create_namespace(HOME, at)?;
    let result = namespaces.set_namespace_label(HOME, "0", "x");
    fails("set_namespace_label", result, ErrorKind::InvalidArgument)?;
    let result = namespaces.create_namespace("over", over);
    fails("create_namespace", result, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// At the limit they are stored, beyond it they are invalid.
pub fn extensions_have_a_limit_to_their_number(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut over = bare("over");
    for number in 0..=EXTENSIONS_MAX_COUNT {
        over = over.extension(number.to_string(), Any::default());
    }
    let mut at = over.clone();
    at.extensions.remove("0");
    fails("create", store.create(over), ErrorKind::InvalidArgument)?;
    stored(&*store, &store.create(at)?)
}

/// Each within its own limit, and all together beyond theirs.
pub fn extensions_have_a_limit_to_what_they_are_together(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let large = Any::new("t", vec![0; ANY_MAX_BYTES]);
    let mut over = bare("web");
    for number in 0..=EXTENSIONS_MAX_BYTES / ANY_MAX_BYTES {
        over = over.extension(number.to_string(), large.clone());
    }
    fails("create", store.create(over), ErrorKind::InvalidArgument)?;
    Ok(())
}

/// At the limit it is stored, beyond it, it is invalid.
pub fn the_type_of_a_value_has_its_limit<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let at = "x".repeat(TEXT_MAX_BYTES);
    let web = T::bare("web").valued(Any::new(&at, b""));
    stored(&*store, &store.create(web)?)?;
    let over = T::bare("over").valued(Any::new(format!("{at}x"), b""));
    fails("create", store.create(over), ErrorKind::InvalidArgument)?;
    Ok(())
}

/// An implementation need not accept values as large as the limit, but refuses larger ones.
pub fn a_value_beyond_the_limit_is_invalid<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let over = Any::new("t", vec![0; ANY_MAX_BYTES + 1]);
    let result = store.create(T::bare("web").valued(over));
    fails("create", result, ErrorKind::InvalidArgument)?;
    Ok(())
}
