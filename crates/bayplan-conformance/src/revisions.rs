//! Laws of [`Revision`] and [`Store::update_if`](bayplan::Store::update_if).

use crate::expect::{equal, fails, holds, stored, tells, written};
use crate::sample::{AWAY, HOME};
use crate::{Fixture, Law, Subject, Verdict, law_list};
use bayplan::{ErrorKind, FieldMask, Filters, Revision};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both [.of_revisions()]
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
    delete_if_of_the_stored_revision_deletes,
    delete_if_of_another_revision_fails_and_deletes_nothing,
    delete_if_of_an_unknown_id_is_not_found,
];

/// Over all containers and namespaces of the store, from the first on.
pub fn every_write_gets_a_later_revision_than_all_before_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let (home, away) = (T::store(fixture, HOME)?, T::store(fixture, AWAY)?);
    let full = FieldMask::full();
    let mut last = Revision::NONE;
    for round in 0..3 {
        let image = format!("round-{round}");
        let revisions = [
            home.create(T::bare("web"))?.revision(),
            away.create(T::bare("web").label("mark", &image))?
                .revision(),
            home.update(T::bare("web").label("a", "1"), &full)?
                .revision(),
            away.update(T::bare("web").label("mark", &image), &full)?
                .revision(),
            home.update(T::bare("web").label("a", "1"), &full)?
                .revision(),
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
pub fn every_way_to_read_gives_the_same_revision<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("web"))?;
    let revision = store.update(T::bare("web"), &FieldMask::full())?.revision();
    equal("the revision", &store.get("web")?.revision(), &revision)?;
    for item in store.list(&Filters::all())? {
        equal("the revision in a list", &item.revision(), &revision)?;
    }
    let web = store.get("web")?;
    equal(
        "the headers",
        &store.query().headers()?,
        &vec![web.into_header(&[])],
    )
}

/// What failed did not happen.
pub fn a_failed_write_leaves_the_revision<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::bare("web"))?;
    fails(
        "create",
        store.create(T::bare("web")),
        ErrorKind::AlreadyExists,
    )?;
    let result = store.update(T::bare("web"), &FieldMask::deferred(["nope"]));
    fails("update", result, ErrorKind::InvalidArgument)?;
    equal(
        "the revision",
        &store.get("web")?.revision(),
        &web.revision(),
    )
}

/// No other writer changed it meanwhile.
pub fn update_if_of_the_stored_revision_updates<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let mut revision = store.create(T::complete("web"))?.revision();
    for number in 0..3 {
        let input = T::complete("web").label("number", number.to_string());
        let updated = store.update_if(revision, input.clone(), &FieldMask::full())?;
        written(&updated, &input)?;
        holds("a later revision", updated.revision() > revision)?;
        stored(&*store, &updated)?;
        revision = updated.revision();
    }
    Ok(())
}

/// The mask has the same meaning as for `update`.
pub fn update_if_takes_a_mask<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::complete("web"))?;
    let input = T::with_id("web".to_owned()).label("app", "caddy");
    let mask = FieldMask::deferred(["labels.app"]);
    let updated = store.update_if(web.revision(), input.clone(), &mask)?;
    let expected = T::complete("web").label("app", "caddy");
    written(&updated, &expected)?;
    let bad = FieldMask::deferred(["nope"]);
    let result = store.update_if(updated.revision(), input, &bad);
    fails("update_if", result, ErrorKind::InvalidArgument)?;
    stored(&*store, &updated)
}

/// Another writer changed it meanwhile. The error names the container.
pub fn update_if_of_an_older_revision_fails_and_changes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::complete("web"))?.revision();
    let web = store.update(T::complete("web").label("a", "1"), &FieldMask::full())?;
    let result = store.update_if(seen, T::complete("web"), &FieldMask::full());
    let error = fails("update_if", result, ErrorKind::FailedPrecondition)?;
    tells(&error, &["web", HOME])?;
    stored(&*store, &web)
}

/// No container has the revision that is none.
pub fn update_if_of_no_revision_fails<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let web = store.create(T::bare("web"))?;
    let result = store.update_if(Revision::NONE, T::bare("web"), &FieldMask::full());
    fails("update_if", result, ErrorKind::FailedPrecondition)?;
    stored(&*store, &web)
}

/// There is no revision to compare with.
pub fn update_if_of_an_unknown_id_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::bare("web"))?.revision();
    for mask in [FieldMask::full(), FieldMask::deferred(["nope"])] {
        let result = store.update_if(seen, T::bare("db"), &mask);
        fails("update_if", result, ErrorKind::NotFound)?;
    }
    Ok(())
}

/// As for `update`.
pub fn update_if_of_an_empty_id_is_invalid<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let result =
        T::store(fixture, HOME)?.update_if(Revision::NONE, T::bare(""), &FieldMask::full());
    fails("update_if", result, ErrorKind::InvalidArgument)?;
    Ok(())
}

/// A container that was deleted and created again is another one.
pub fn update_if_tells_a_container_from_the_one_that_had_its_id_before<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::bare("web"))?.revision();
    store.delete("web")?;
    let web = store.create(T::bare("web"))?;
    let result = store.update_if(seen, T::bare("web"), &FieldMask::full());
    fails("update_if", result, ErrorKind::FailedPrecondition)?;
    stored(&*store, &web)
}

/// No other writer changed it meanwhile.
pub fn delete_if_of_the_stored_revision_deletes<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::complete("web"))?;
    let web = store.put(T::complete("web").label("a", "1"))?;
    store.delete_if(web.revision(), "web")?;
    fails("get", store.get("web"), ErrorKind::NotFound)?;
    Ok(())
}

/// Another writer changed it meanwhile, or it is another container with this id. The error names it.
pub fn delete_if_of_another_revision_fails_and_deletes_nothing<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let first = store.create(T::complete("web"))?.revision();
    store.delete("web")?;
    let second = store.create(T::complete("web"))?.revision();
    let web = store.put(T::complete("web").label("a", "1"))?;
    for revision in [first, second, Revision::NONE] {
        let result = store.delete_if(revision, "web");
        let error = fails("delete_if", result, ErrorKind::FailedPrecondition)?;
        tells(&error, &["web", HOME])?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// There is no revision to compare with.
pub fn delete_if_of_an_unknown_id_is_not_found<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let seen = store.create(T::complete("web"))?.revision();
    store.delete_if(seen, "web")?;
    for id in T::NO_IDS.iter().chain(&["web", "db"]) {
        let result = store.delete_if(seen, id);
        fails(&format!("delete_if of {id:?}"), result, ErrorKind::NotFound)?;
    }
    Ok(())
}
