//! Laws of [`Store::update`](crate::Store::update), most of all with
//! [`FieldMask::full`](crate::FieldMask::full).

use super::expect::{equal, fails, holds, stored, tells};
use super::sample::{
    AWAY, HOME, NO_IDENTIFIERS, any, bare, complete, forged, forged_revision, forged_time,
    unstamped,
};
use super::{Fixture, Law, Verdict, law_list};
use crate::container::Container;
use crate::error::ErrorKind;
use crate::filter::Filters;
use crate::mask::FieldMask;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    update_of_an_empty_id_is_invalid,
    update_of_an_unknown_id_is_not_found_and_names_it,
    update_of_what_is_no_identifier_is_not_found,
    update_in_an_unknown_namespace_is_not_found_and_makes_none,
    update_of_an_unknown_id_is_not_found_also_with_a_bad_mask,
    update_then_get_gives_what_update_returned,
    a_full_update_replaces_labels_spec_and_extensions,
    a_full_update_removes_what_the_input_lacks,
    a_full_update_requires_a_spec,
    a_full_update_refuses_another_runtime_name_and_names_the_field,
    a_full_update_refuses_another_snapshotter_and_names_the_field,
    update_keeps_created_at,
    update_moves_updated_at_strictly_forward,
    update_of_nothing_moves_updated_at,
    update_ignores_the_times_and_the_revision_of_the_caller,
    update_changes_no_other_container,
    update_validates_its_result_and_a_failed_one_changes_nothing,
];

/// An update is of some container.
pub fn update_of_an_empty_id_is_invalid(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    for mask in [FieldMask::full(), FieldMask::deferred(["labels"])] {
        let result = store.update(bare(""), &mask);
        fails("update of an empty id", result, ErrorKind::InvalidArgument)?;
    }
    Ok(())
}

/// The error names the container and the namespace.
pub fn update_of_an_unknown_id_is_not_found_and_names_it(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let result = store.update(bare("db"), &FieldMask::full());
    let error = fails("update of an unknown id", result, ErrorKind::NotFound)?;
    tells(&error, &["db", HOME])
}

/// What cannot be there is not there.
pub fn update_of_what_is_no_identifier_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    for id in NO_IDENTIFIERS.iter().filter(|id| !id.is_empty()) {
        let result = store.update(bare(id), &FieldMask::full());
        fails(&format!("update of {id:?}"), result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// An update creates nothing.
pub fn update_in_an_unknown_namespace_is_not_found_and_makes_none(
    fixture: &dyn Fixture,
) -> Verdict {
    let result = fixture.store(HOME)?.update(bare("web"), &FieldMask::full());
    let error = fails("update", result, ErrorKind::NotFound)?;
    tells(&error, &["web", HOME])?;
    equal(
        "the number of namespaces",
        &fixture.namespaces().list_namespaces()?.len(),
        &0,
    )
}

/// The container is looked for before the mask and the input are looked at.
pub fn update_of_an_unknown_id_is_not_found_also_with_a_bad_mask(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    for path in ["nope", "id", "labels."] {
        let mask = FieldMask::deferred([path]);
        let result = store.update(Container::with_id("db"), &mask);
        fails(&format!("update of {path:?}"), result, ErrorKind::NotFound)?;
    }
    let invalid = bare("db").label("", "x");
    let result = store.update(invalid, &FieldMask::full());
    fails("update by an invalid input", result, ErrorKind::NotFound)?;
    Ok(())
}

/// What `update` returns is what is stored.
pub fn update_then_get_gives_what_update_returned(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let full = store.update(complete("web").label("more", "1"), &FieldMask::full())?;
    stored(&*store, &full)?;
    let change = Container::with_id("web").label("more", "2");
    let masked = store.update(change, &FieldMask::deferred(["labels.more"]))?;
    stored(&*store, &masked)
}

/// The fields that may change under all rules.
pub fn a_full_update_replaces_labels_spec_and_extensions(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let mut input = complete("web").spec(any("other-spec"));
    input.labels = super::sample::labels("app", "caddy");
    input.extensions = [("third".to_owned(), any("3"))].into();
    let updated = store.update(input.clone(), &FieldMask::full())?;
    equal("the container", &unstamped(updated), &input)?;
    equal("the container", &unstamped(store.get("web")?), &input)
}

/// Replacing is not merging: labels and extensions that the input lacks are gone, also from the
/// next `get`.
pub fn a_full_update_removes_what_the_input_lacks(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(complete("web"))?;
    let mut input = complete("web");
    input.labels.clear();
    input.extensions.clear();
    store.update(input.clone(), &FieldMask::full())?;
    equal("the container", &unstamped(store.get("web")?), &input)
}

/// The result must be valid, and a spec is required.
pub fn a_full_update_requires_a_spec(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mut input = complete("web");
    input.spec = None;
    let result = store.update(input, &FieldMask::full());
    let error = fails("update without spec", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["spec"])?;
    stored(&*store, &web)
}

/// The runtime's name never changes.
pub fn a_full_update_refuses_another_runtime_name_and_names_the_field(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mut input = complete("web").label("more", "1");
    input.runtime.name = "io.containerd.kata.v2".to_owned();
    let result = store.update(input, &FieldMask::full());
    let error = fails("update", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["runtime.name", "web"])?;
    stored(&*store, &web)
}

/// The snapshotter never changes.
pub fn a_full_update_refuses_another_snapshotter_and_names_the_field(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mut input = complete("web").label("more", "1");
    input.snapshotter = "native".to_owned();
    let result = store.update(input, &FieldMask::full());
    let error = fails("update", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["snapshotter", "web"])?;
    stored(&*store, &web)
}

/// A container was created once.
pub fn update_keeps_created_at(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let created = store.create(bare("web"))?.created_at;
    for mask in [FieldMask::full(), FieldMask::deferred(["labels"])] {
        let updated = store.update(forged(bare("web")), &mask)?;
        equal("created_at", &updated.created_at, &created)?;
        equal("created_at", &store.get("web")?.created_at, &created)?;
    }
    Ok(())
}

/// Each update is later than the one before, even if no time passes between them.
pub fn update_moves_updated_at_strictly_forward(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut last = store.create(bare("web"))?.updated_at;
    for number in 0..20 {
        let change = bare("web").label("number", number.to_string());
        let updated = store.update(change, &FieldMask::full())?.updated_at;
        holds("updated_at to move strictly forward", updated > last)?;
        last = updated;
    }
    equal("updated_at", &store.get("web")?.updated_at, &last)
}

/// An update that changes nothing is an update.
pub fn update_of_nothing_moves_updated_at(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    for mask in [FieldMask::full(), FieldMask::deferred(["spec"])] {
        let before = store.get("web")?.updated_at;
        let updated = store.update(web.clone(), &mask)?;
        holds("updated_at to move", updated.updated_at > before)?;
    }
    Ok(())
}

/// Times and revision are the store's, whatever the caller says.
pub fn update_ignores_the_times_and_the_revision_of_the_caller(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let web = store.update(forged(bare("web")), &FieldMask::full())?;
    let times = [web.created_at, web.updated_at];
    holds(
        "the times to be the store's",
        times.iter().all(|time| *time != forged_time()),
    )?;
    holds(
        "the revision to be the store's",
        web.revision != forged_revision(),
    )
}

/// Neither ids that begin alike nor the same id elsewhere are touched.
pub fn update_changes_no_other_container(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (fixture.store(HOME)?, fixture.store(AWAY)?);
    let others = [
        home.create(complete("web-1"))?,
        home.create(complete("web.1"))?,
    ];
    home.create(complete("web"))?;
    let elsewhere = away.create(complete("web"))?;
    let mut input = complete("web").spec(any("other"));
    input.labels.clear();
    home.update(input, &FieldMask::full())?;
    for other in &others {
        stored(&*home, other)?;
    }
    stored(&*away, &elsewhere)
}

/// An update is held to the rules of `create`, and happens completely or not at all.
pub fn update_validates_its_result_and_a_failed_one_changes_nothing(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let changed = complete("web").label("app", "caddy").spec(any("other"));
    for invalid in [
        changed.clone().label("", "x"),
        changed.clone().label("key", "v".repeat(4096)),
        changed.extension("", any("x")),
    ] {
        for mask in [
            FieldMask::full(),
            FieldMask::deferred(["spec", "labels", "extensions"]),
        ] {
            let result = store.update(invalid.clone(), &mask);
            fails("an invalid update", result, ErrorKind::InvalidArgument)?;
            equal(
                "the containers",
                &store.list(&Filters::all())?,
                &vec![web.clone()],
            )?;
        }
    }
    Ok(())
}
