//! Laws of a container's extensions.

use crate::expect::{equal, fails, finds, stored, written};
use crate::sample::{HOME, ODD_TEXTS, any, bare, complete};
use crate::{Fixture, Law, Verdict, law_list};
use bayplan::{Any, Container, ErrorKind, FieldMask};

/// The laws of this module.
pub const LAWS: &[Law] = law_list![
    []
    an_extension_with_an_empty_name_is_invalid,
    an_empty_extension_is_stored,
    names_of_extensions_are_any_text,
    an_extension_that_was_removed_does_not_come_back,
];

/// Neither create nor update takes it.
pub fn an_extension_with_an_empty_name_is_invalid(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let result = store.create(bare("db").extension("", any("x")));
    fails("create", result, ErrorKind::InvalidArgument)?;
    let input = complete("web").extension("", any("x"));
    for mask in [FieldMask::full(), FieldMask::deferred(["extensions"])] {
        let result = store.update(input.clone(), &mask);
        fails("update", result, ErrorKind::InvalidArgument)?;
    }
    stored(&*store, &web)
}

/// Unlike a label's, an extension's empty value is a value.
pub fn an_empty_extension_is_stored(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let created = store.create(bare("web").extension("x", Any::default()))?;
    equal(
        "the extension",
        &created.extensions.get("x"),
        &Some(&Any::default()),
    )?;
    stored(&*store, &created)?;
    let input = Container::with_id("web").extension("y", Any::default());
    let updated = store.update(input, &FieldMask::deferred(["extensions.y"]))?;
    equal("the number of extensions", &updated.extensions.len(), &2)?;
    stored(&*store, &updated)
}

/// Only their length is limited.
pub fn names_of_extensions_are_any_text(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut given = bare("web");
    for text in ODD_TEXTS {
        given = given.extension(text, any(text));
    }
    let created = store.create(given.clone())?;
    written(&created, &given)?;
    stored(&*store, &created)
}

/// A removed extension is gone, whichever update removed it, for every read and for later updates.
pub fn an_extension_that_was_removed_does_not_come_back(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut without = complete("web");
    without.extensions.clear();
    for mask in [
        FieldMask::full(),
        FieldMask::deferred(["extensions"]),
        FieldMask::deferred(["extensions.first", "extensions.example.com/second.one"]),
    ] {
        store.create(complete("web"))?;
        store.update(without.clone(), &mask)?;
        finds(&*store, "extensions.first", &[])?;
        let change = Container::with_id("web").extension("third", any("3"));
        store.update(change, &FieldMask::deferred(["extensions.third"]))?;
        let names: Vec<String> = store.get("web")?.extensions.into_keys().collect();
        equal("the extensions", &names, &vec!["third".to_owned()])?;
        store.delete("web")?;
    }
    Ok(())
}
