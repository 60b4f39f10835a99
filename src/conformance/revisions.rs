//! Laws of [`Revision`] and [`Store::update_if`](crate::Store::update_if).

use super::expect::{equal, fails, holds, stored, tells};
use super::sample::{AWAY, HOME, bare, complete, unstamped};
use super::{Fixture, Law, Verdict, law_list};
use crate::container::Container;
use crate::error::ErrorKind;
use crate::filter::Filters;
use crate::mask::FieldMask;
use crate::revision::Revision;

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    every_write_gets_a_later_revision_than_all_before_it,
    every_way_to_read_gives_the_same_revision,
    a_failed_write_leaves_the_revision,
    update_if_of_the_stored_revision_updates,
    update_if_takes_a_mask,
    update_if_of_an_older_revision_fails_and_changes_nothing,
    update_if_of_no_revision_fails,
    update_if_of_an_unknown_id_is_not_found,
    update_if_of_an_empty_id_is_invalid,
    update_if_tells_a_container_from_the_one_that_had_its_id_before,
];

/// Over all containers and namespaces of the store, from the first on.
pub fn every_write_gets_a_later_revision_than_all_before_it(fixture: &dyn Fixture) -> Verdict {
    let (home, away) = (fixture.store(HOME)?, fixture.store(AWAY)?);
    let full = FieldMask::full();
    let mut last = Revision::NONE;
    for round in 0..3 {
        let image = format!("round-{round}");
        let revisions = [
            home.create(bare("web"))?.revision,
            away.create(bare("web").image(&image))?.revision,
            home.update(bare("web").label("a", "1"), &full)?.revision,
            away.update(bare("web").image(&image), &full)?.revision,
            home.update(bare("web").label("a", "1"), &full)?.revision,
        ];
        for revision in revisions {
            holds("a revision later than the last", revision > last)?;
            last = revision;
        }
        home.delete("web")?;
        away.delete("web")?;
    }
    Ok(())
}

/// `get`, lists and headers.
pub fn every_way_to_read_gives_the_same_revision(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    store.create(bare("web"))?;
    let revision = store.update(bare("web"), &FieldMask::full())?.revision;
    equal("the revision", &store.get("web")?.revision, &revision)?;
    let all = Filters::all();
    for container in store.list(&all)? {
        equal("the revision in a list", &container.revision, &revision)?;
    }
    for header in store.list_headers(&all)? {
        equal("the revision in a header", &header.revision, &revision)?;
    }
    Ok(())
}

/// What failed did not happen.
pub fn a_failed_write_leaves_the_revision(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(bare("web"))?;
    fails(
        "create",
        store.create(bare("web")),
        ErrorKind::AlreadyExists,
    )?;
    let result = store.update(bare("web"), &FieldMask::deferred(["nope"]));
    fails("update", result, ErrorKind::InvalidArgument)?;
    equal("the revision", &store.get("web")?.revision, &web.revision)
}

/// Nobody else wrote meanwhile.
pub fn update_if_of_the_stored_revision_updates(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut revision = store.create(complete("web"))?.revision;
    for number in 0..3 {
        let input = complete("web").label("number", number.to_string());
        let updated = store.update_if(revision, input.clone(), &FieldMask::full())?;
        equal("the container", &unstamped(updated.clone()), &input)?;
        holds("a later revision", updated.revision > revision)?;
        stored(&*store, &updated)?;
        revision = updated.revision;
    }
    Ok(())
}

/// The mask means what it means to `update`.
pub fn update_if_takes_a_mask(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let input = Container::with_id("web").label("app", "caddy");
    let mask = FieldMask::deferred(["labels.app"]);
    let updated = store.update_if(web.revision, input.clone(), &mask)?;
    let expected = complete("web").label("app", "caddy");
    equal("the container", &unstamped(updated.clone()), &expected)?;
    let bad = FieldMask::deferred(["nope"]);
    let result = store.update_if(updated.revision, input, &bad);
    fails("update_if", result, ErrorKind::InvalidArgument)?;
    stored(&*store, &updated)
}

/// Somebody wrote meanwhile; the error names the container.
pub fn update_if_of_an_older_revision_fails_and_changes_nothing(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let seen = store.create(complete("web"))?.revision;
    let web = store.update(complete("web").label("a", "1"), &FieldMask::full())?;
    let result = store.update_if(seen, complete("web"), &FieldMask::full());
    let error = fails("update_if", result, ErrorKind::FailedPrecondition)?;
    tells(&error, &["web", HOME])?;
    stored(&*store, &web)
}

/// No container has the revision that is none.
pub fn update_if_of_no_revision_fails(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(bare("web"))?;
    let result = store.update_if(Revision::NONE, bare("web"), &FieldMask::full());
    fails("update_if", result, ErrorKind::FailedPrecondition)?;
    stored(&*store, &web)
}

/// There is no revision to compare with.
pub fn update_if_of_an_unknown_id_is_not_found(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let seen = store.create(bare("web"))?.revision;
    for mask in [FieldMask::full(), FieldMask::deferred(["nope"])] {
        let result = store.update_if(seen, bare("db"), &mask);
        fails("update_if", result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// As for `update`.
pub fn update_if_of_an_empty_id_is_invalid(fixture: &dyn Fixture) -> Verdict {
    let result = fixture
        .store(HOME)?
        .update_if(Revision::NONE, bare(""), &FieldMask::full());
    fails("update_if", result, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// A container that was deleted and created again is another one.
pub fn update_if_tells_a_container_from_the_one_that_had_its_id_before(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = fixture.store(HOME)?;
    let seen = store.create(bare("web"))?.revision;
    store.delete("web")?;
    let web = store.create(bare("web"))?;
    let result = store.update_if(seen, bare("web"), &FieldMask::full());
    fails("update_if", result, ErrorKind::FailedPrecondition)?;
    stored(&*store, &web)
}
