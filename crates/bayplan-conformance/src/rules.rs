//! Laws in which the two [`Rules`] differ.

use crate::expect::{equal, fails, stored, tells, written};
use crate::sample::{HOME, any, complete, unstamped};
use crate::{Fixture, Law, Verdict, law_list};
use bayplan::{Container, ErrorKind, FieldMask, Rules};

/// The laws of [`Rules::Strict`].
pub const STRICT_LAWS: &[Law] = law_list![
    [.under(Rules::Strict)]
    a_strict_full_update_refuses_another_image,
    a_strict_full_update_refuses_another_snapshot_key,
    a_strict_full_update_refuses_other_runtime_options,
    a_strict_full_update_refuses_another_sandbox,
    a_strict_full_update_names_every_field_that_differs,
    the_strict_rules_know_no_path_to_image_and_snapshot_key,
];

/// The laws of [`Rules::Containerd2`].
pub const CONTAINERD2_LAWS: &[Law] = law_list![
    [.under(Rules::Containerd2)]
    a_containerd2_full_update_replaces_image_and_snapshot_key,
    a_containerd2_full_update_ignores_other_runtime_options,
    a_containerd2_full_update_ignores_another_sandbox,
    the_containerd2_path_image_replaces_the_image_and_nothing_else,
    the_containerd2_path_snapshotkey_replaces_the_key_and_nothing_else,
    a_containerd2_snapshot_key_requires_a_snapshotter,
];

/// A full update by the stored container with these changes is refused, names the fields and changes nothing.
pub(crate) fn refuses(
    fixture: &dyn Fixture,
    change: impl FnOnce(&mut Container),
    fields: &[&str],
) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    let mut input = complete("web").label("more", "1");
    change(&mut input);
    let result = store.update(input, &FieldMask::full());
    let error = fails("a full update", result, ErrorKind::InvalidArgument)?;
    tells(&error, fields)?;
    stored(&*store, &web)
}

/// The image is immutable.
pub fn a_strict_full_update_refuses_another_image(fixture: &dyn Fixture) -> Verdict {
    refuses(fixture, |input| input.image.push('x'), &["image"])
}

/// The snapshot's key is immutable.
pub fn a_strict_full_update_refuses_another_snapshot_key(fixture: &dyn Fixture) -> Verdict {
    refuses(fixture, |input| input.snapshot_key.push('x'), &["snapshot"])
}

/// The runtime's options are immutable.
pub fn a_strict_full_update_refuses_other_runtime_options(fixture: &dyn Fixture) -> Verdict {
    refuses(
        fixture,
        |input| input.runtime.options = None,
        &["runtime.options"],
    )
}

/// The sandbox is immutable.
pub fn a_strict_full_update_refuses_another_sandbox(fixture: &dyn Fixture) -> Verdict {
    refuses(fixture, |input| input.sandbox_id.push('x'), &["sandbox"])
}

/// The error names every field that differs.
pub fn a_strict_full_update_names_every_field_that_differs(fixture: &dyn Fixture) -> Verdict {
    refuses(
        fixture,
        |input| {
            input.image.clear();
            input.runtime.name.push('x');
            input.sandbox_id.clear();
        },
        &["image", "runtime.name", "sandbox"],
    )
}

/// The paths of containerd 2 are refused, also by their types.
pub fn the_strict_rules_know_no_path_to_image_and_snapshot_key(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(complete("web"))?;
    for path in ["image", "snapshotkey"] {
        let mask = FieldMask::deferred(["labels", path]);
        let result = store.update(complete("web").label("more", "1"), &mask);
        let what = format!("update of {path:?}");
        let error = fails(&what, result, ErrorKind::InvalidArgument)?;
        tells(&error, &[&format!("{path:?}"), "web"])?;
        stored(&*store, &web)?;
    }
    Ok(())
}

/// An update of a complete container by `input` gives it these changes and no others.
fn updates_to(
    fixture: &dyn Fixture,
    input: Container,
    mask: &FieldMask,
    change: impl FnOnce(&mut Container),
) -> Verdict {
    let store = fixture.store(HOME)?;
    let mut expected = unstamped(store.create(complete("web"))?);
    change(&mut expected);
    store.update(input, mask)?;
    written(&store.get("web")?, &expected)
}

/// Both are mutable.
pub fn a_containerd2_full_update_replaces_image_and_snapshot_key(fixture: &dyn Fixture) -> Verdict {
    let mut input = complete("web").image("other");
    input.snapshot_key.clear();
    updates_to(fixture, input, &FieldMask::full(), |expected| {
        expected.image = "other".to_owned();
        expected.snapshot_key.clear();
    })
}

/// A difference is ignored, and the stored value stays.
pub fn a_containerd2_full_update_ignores_other_runtime_options(fixture: &dyn Fixture) -> Verdict {
    let mut input = complete("web");
    input.runtime.options = Some(any("other"));
    updates_to(fixture, input, &FieldMask::full(), |_| {})
}

/// A difference is ignored, and the stored value stays.
pub fn a_containerd2_full_update_ignores_another_sandbox(fixture: &dyn Fixture) -> Verdict {
    let input = complete("web").sandbox("other");
    updates_to(fixture, input, &FieldMask::full(), |_| {})
}

/// `image` is a path; an empty image is one that is absent.
pub fn the_containerd2_path_image_replaces_the_image_and_nothing_else(
    fixture: &dyn Fixture,
) -> Verdict {
    let mask = FieldMask::deferred(["image"]);
    updates_to(fixture, Container::with_id("web"), &mask, |expected| {
        expected.image.clear();
    })?;
    let store = fixture.store(HOME)?;
    store.update(Container::with_id("web").image("other"), &mask)?;
    equal("the image", &store.get("web")?.image, &"other".to_owned())
}

/// `snapshotkey` is a path.
pub fn the_containerd2_path_snapshotkey_replaces_the_key_and_nothing_else(
    fixture: &dyn Fixture,
) -> Verdict {
    let input = Container::with_id("web").snapshot("ignored", "other");
    let mask = FieldMask::deferred(["snapshotkey"]);
    updates_to(fixture, input, &mask, |expected| {
        expected.snapshot_key = "other".to_owned();
    })
}

/// The result is validated, and the snapshotter is not taken from the input.
pub fn a_containerd2_snapshot_key_requires_a_snapshotter(fixture: &dyn Fixture) -> Verdict {
    let store = fixture.store(HOME)?;
    let web = store.create(crate::sample::bare("web"))?;
    let input = Container::with_id("web").snapshot("overlayfs", "key");
    let result = store.update(input, &FieldMask::deferred(["snapshotkey"]));
    let error = fails("update", result, ErrorKind::InvalidArgument)?;
    tells(&error, &["snapshotter"])?;
    stored(&*store, &web)
}
