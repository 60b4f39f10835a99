//! Laws of [`Namespaces`](bayplan::Namespaces).

use crate::expect::{equal, fails, lists, namespaces_are as are, stored, tells};
use crate::sample::{AWAY, HOME, NO_IDENTIFIERS, bare, complete, labels};
use crate::{Fixture, Law, Verdict, law_list};
use bayplan::{ErrorKind, Filters, Labels};

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    []
    a_fresh_store_has_no_namespaces,
    a_created_namespace_is_listed_and_has_its_labels,
    namespaces_are_ordered_bytewise,
    no_name_of_a_namespace_or_a_container_is_reserved,
    create_namespace_of_a_known_name_is_already_exists_and_changes_nothing,
    create_namespace_of_one_that_a_container_made_is_already_exists,
    create_namespace_refuses_a_name_that_is_no_identifier,
    create_namespace_refuses_a_label_with_an_empty_key_and_makes_none,
    labels_of_an_unknown_namespace_are_empty,
    set_label_sets_and_replaces_one_label,
    set_label_with_an_empty_value_removes_the_label,
    set_label_brings_its_namespace_into_being,
    set_label_refuses_a_name_that_is_no_identifier,
    set_label_refuses_an_empty_key_and_makes_no_namespace,
    labels_of_namespaces_and_containers_are_apart,
    delete_namespace_removes_it_and_its_labels,
    delete_namespace_of_an_unknown_name_is_not_found,
    delete_namespace_that_holds_containers_fails_and_tells_what_it_holds,
    delete_namespace_leaves_the_others,
    a_namespace_that_a_container_made_is_one_like_any_other,
    a_namespace_stays_when_its_last_container_goes,
];

/// The laws of stores in which an empty value means "no label".
pub const DROPPING_LAWS: &[Law] = law_list![
    [.keeping_empty_labels(false)]
    create_namespace_drops_labels_with_empty_values,
];

fn has_labels(fixture: &dyn Fixture, name: &str, expected: &Labels) -> Verdict {
    let found = fixture.namespaces().namespace_labels(name)?;
    equal(&format!("the labels of {name:?}"), &found, expected)
}

/// Namespaces are not created by themselves.
pub fn a_fresh_store_has_no_namespaces(fixture: &dyn Fixture) -> Verdict {
    are(fixture, &[])
}

/// With labels and without.
pub fn a_created_namespace_is_listed_and_has_its_labels(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    namespaces.create_namespace(AWAY, Labels::new())?;
    are(fixture, &[AWAY, HOME])?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    has_labels(fixture, AWAY, &Labels::new())
}

/// As containers are.
pub fn namespaces_are_ordered_bytewise(fixture: &dyn Fixture) -> Verdict {
    let ordered = ["1", "10", "9", "A", "a", "a-b", "a.b", "a0", "a_b", "aa"];
    for name in ordered.iter().rev() {
        fixture
            .namespaces()
            .create_namespace(name, labels("owner", name))?;
    }
    are(fixture, &ordered)?;
    for name in ordered {
        has_labels(fixture, name, &labels("owner", name))?;
    }
    Ok(())
}

/// No name is reserved, whatever an implementation calls its own parts.
pub fn no_name_of_a_namespace_or_a_container_is_reserved(fixture: &dyn Fixture) -> Verdict {
    let names = [
        "containers",
        "labels",
        "meta",
        "namespaces",
        "v1",
        "version",
    ];
    for name in names {
        let store = fixture.store(name)?;
        stored(&*store, &store.create(complete(name))?)?;
        fixture.namespaces().set_namespace_label(name, name, name)?;
    }
    are(fixture, &names)?;
    for name in names {
        has_labels(fixture, name, &labels(name, name))?;
        lists(&*fixture.store(name)?, &Filters::all(), &[name])?;
    }
    Ok(())
}

/// The error names it.
pub fn create_namespace_of_a_known_name_is_already_exists_and_changes_nothing(
    fixture: &dyn Fixture,
) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    let result = namespaces.create_namespace(HOME, labels("owner", "you"));
    let error = fails("create_namespace", result, ErrorKind::AlreadyExists)?;
    tells(&error, &[HOME])?;
    has_labels(fixture, HOME, &labels("owner", "me"))
}

/// It exists already.
pub fn create_namespace_of_one_that_a_container_made_is_already_exists(
    fixture: &dyn Fixture,
) -> Verdict {
    fixture.store(HOME)?.create(bare("web"))?;
    let result = fixture
        .namespaces()
        .create_namespace(HOME, labels("owner", "me"));
    fails("create_namespace", result, ErrorKind::AlreadyExists)?;
    has_labels(fixture, HOME, &Labels::new())
}

/// With the name in the error.
pub fn create_namespace_refuses_a_name_that_is_no_identifier(fixture: &dyn Fixture) -> Verdict {
    for name in NO_IDENTIFIERS {
        let result = fixture
            .namespaces()
            .create_namespace(name, labels("a", "1"));
        let what = format!("create_namespace of {name:?}");
        let error = fails(&what, result, ErrorKind::InvalidArgument)?;
        tells(&error, &[&format!("{name:?}")])?;
    }
    are(fixture, &[])
}

/// An empty value means "unset", from the beginning.
pub fn create_namespace_drops_labels_with_empty_values(fixture: &dyn Fixture) -> Verdict {
    let mut given = labels("owner", "me");
    given.insert("empty".to_owned(), String::new());
    fixture.namespaces().create_namespace(HOME, given)?;
    has_labels(fixture, HOME, &labels("owner", "me"))
}

/// Nothing is half-made.
pub fn create_namespace_refuses_a_label_with_an_empty_key_and_makes_none(
    fixture: &dyn Fixture,
) -> Verdict {
    for value in ["", "x"] {
        let result = fixture
            .namespaces()
            .create_namespace(HOME, labels("", value));
        fails("create_namespace", result, ErrorKind::InvalidArgument)?;
    }
    are(fixture, &[])
}

/// Also where no namespace can be.
pub fn labels_of_an_unknown_namespace_are_empty(fixture: &dyn Fixture) -> Verdict {
    fixture
        .namespaces()
        .create_namespace(AWAY, labels("a", "1"))?;
    has_labels(fixture, HOME, &Labels::new())?;
    has_labels(fixture, "", &Labels::new())?;
    has_labels(fixture, "no/identifier", &Labels::new())?;
    are(fixture, &[AWAY])
}

/// The other labels stay.
pub fn set_label_sets_and_replaces_one_label(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    namespaces.set_namespace_label(HOME, "tier", "front")?;
    namespaces.set_namespace_label(HOME, "owner", "you")?;
    let mut expected = labels("owner", "you");
    expected.insert("tier".to_owned(), "front".to_owned());
    has_labels(fixture, HOME, &expected)
}

/// Also if there is none.
pub fn set_label_with_an_empty_value_removes_the_label(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    namespaces.set_namespace_label(HOME, "nobody", "")?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    namespaces.set_namespace_label(HOME, "owner", "")?;
    has_labels(fixture, HOME, &Labels::new())?;
    are(fixture, &[HOME])
}

/// Whatever the value is.
pub fn set_label_brings_its_namespace_into_being(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.set_namespace_label(HOME, "owner", "me")?;
    namespaces.set_namespace_label(AWAY, "owner", "")?;
    are(fixture, &[AWAY, HOME])?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    has_labels(fixture, AWAY, &Labels::new())
}

/// The name is validated before anything is written.
pub fn set_label_refuses_a_name_that_is_no_identifier(fixture: &dyn Fixture) -> Verdict {
    for name in NO_IDENTIFIERS {
        let result = fixture.namespaces().set_namespace_label(name, "a", "1");
        let what = format!("set_namespace_label of {name:?}");
        let error = fails(&what, result, ErrorKind::InvalidArgument)?;
        tells(&error, &[&format!("{name:?}")])?;
    }
    are(fixture, &[])
}

/// Whatever the value is.
pub fn set_label_refuses_an_empty_key_and_makes_no_namespace(fixture: &dyn Fixture) -> Verdict {
    for value in ["", "x"] {
        let result = fixture.namespaces().set_namespace_label(HOME, "", value);
        fails("set_namespace_label", result, ErrorKind::InvalidArgument)?;
    }
    are(fixture, &[])
}

/// Neither is found under the name of the other.
pub fn labels_of_namespaces_and_containers_are_apart(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    fixture
        .namespaces()
        .create_namespace(HOME, labels("owner", "me"))?;
    let web = store.create(bare("web").label("app", "nginx"))?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    stored(&*store, &web)
}

/// A new namespace of the same name inherits nothing from it.
pub fn delete_namespace_removes_it_and_its_labels(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    namespaces.delete_namespace(HOME)?;
    are(fixture, &[])?;
    has_labels(fixture, HOME, &Labels::new())?;
    namespaces.create_namespace(HOME, Labels::new())?;
    has_labels(fixture, HOME, &Labels::new())
}

/// Also where no namespace can be.
pub fn delete_namespace_of_an_unknown_name_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    let result = namespaces.delete_namespace(HOME);
    let error = fails("delete_namespace", result, ErrorKind::NotFound)?;
    tells(&error, &[HOME])?;
    for name in NO_IDENTIFIERS {
        let what = format!("delete_namespace of {name:?}");
        let result = namespaces.delete_namespace(name);
        fails(&what, result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// How many, and which.
pub fn delete_namespace_that_holds_containers_fails_and_tells_what_it_holds(
    fixture: &dyn Fixture,
) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    store.create(bare("db"))?;
    let result = namespaces.delete_namespace(HOME);
    let error = fails("delete_namespace", result, ErrorKind::FailedPrecondition)?;
    tells(&error, &[HOME, "2", "db", "web"])?;
    are(fixture, &[HOME])?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    stored(&*store, &web)
}

/// Names that begin alike are kept apart.
pub fn delete_namespace_leaves_the_others(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    for name in ["a", "a-b", "a.b", "ab"] {
        namespaces.create_namespace(name, labels("owner", name))?;
    }
    let web = fixture.store("a.b")?.create(complete("web"))?;
    namespaces.delete_namespace("a")?;
    are(fixture, &["a-b", "a.b", "ab"])?;
    for name in ["a-b", "a.b", "ab"] {
        has_labels(fixture, name, &labels("owner", name))?;
    }
    stored(&*fixture.store("a.b")?, &web)
}

/// It can have labels, and it can be deleted.
pub fn a_namespace_that_a_container_made_is_one_like_any_other(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    fixture.store(HOME)?.create(bare("web"))?;
    has_labels(fixture, HOME, &Labels::new())?;
    namespaces.set_namespace_label(HOME, "owner", "me")?;
    are(fixture, &[HOME])?;
    fixture.store(HOME)?.delete("web")?;
    namespaces.delete_namespace(HOME)?;
    are(fixture, &[])?;
    has_labels(fixture, HOME, &Labels::new())
}

/// With its labels; then it can be deleted.
pub fn a_namespace_stays_when_its_last_container_goes(fixture: &dyn Fixture) -> Verdict {
    let namespaces = fixture.namespaces();
    namespaces.create_namespace(HOME, labels("owner", "me"))?;
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    store.delete("web")?;
    are(fixture, &[HOME])?;
    has_labels(fixture, HOME, &labels("owner", "me"))?;
    namespaces.delete_namespace(HOME)?;
    are(fixture, &[])
}
