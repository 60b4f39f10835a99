//! Laws of what [`Filters`](bayplan::Filters) find, by every way to list.

use crate::expect::{equal, filters, finds, lists};
use crate::sample::{AWAY, HOME, any, bare};
use crate::{Broken, Fixture, Law, Subject, Verdict, law_list};
use bayplan::{Any, Container, FieldMask, FieldPath, Runtime, Store};

/// The laws of containers and of records of other kinds.
pub const LAWS: &[Law] = law_list![
    both []
    the_empty_filter_finds_everything,
    a_container_is_found_once_if_any_filter_finds_it,
    all_selectors_of_a_filter_must_match,
    classes_of_regular_expressions_are_ascii,
    a_dot_of_a_regular_expression_is_one_code_point,
    parts_of_a_label_are_joined_by_dots,
    quotes_and_escapes_spell_any_key_and_value,
    bytes_that_are_no_text_find_nothing,
    white_space_before_fields_operators_and_values_is_ignored,
    values_are_compared_byte_by_byte,
    filters_find_what_updates_made,
    filters_see_only_their_namespace,
];

/// The laws of this module that are of containers alone.
pub const CONTAINER_LAWS: &[Law] = law_list![
    []
    a_field_alone_asks_whether_it_is_present,
    equality_asks_for_a_present_and_equal_field,
    inequality_finds_an_absent_field_unless_the_value_is_empty,
    a_regular_expression_finds_its_match_anywhere,
    a_regular_expression_tests_an_absent_field_as_empty,
    every_plain_field_is_found_by_its_name,
    parts_behind_a_plain_field_are_ignored,
    an_extension_is_present_and_its_value_is_its_type,
    an_unknown_field_is_absent_and_no_error,
];

/// Three that differ in their labels.
fn labelled<T: Subject>(fixture: &dyn Fixture) -> Result<Box<dyn Store<T> + '_>, Broken> {
    let store = T::store(fixture, HOME)?;
    let web = T::bare("web").label("app", "nginx");
    store.create(web.label("a.b.c", "dotted"))?;
    let db = T::bare("db").label("app", "postgres");
    store.create(db.label("tier", "back"))?;
    store.create(T::bare("idle"))?;
    Ok(store)
}

/// Three containers that differ in most fields.
fn filled(fixture: &dyn Fixture) -> Result<Box<dyn Store + '_>, Broken> {
    let store = fixture.store(HOME)?;
    store.create(
        bare("web")
            .image("docker.io/library/nginx:1.29")
            .snapshot("overlayfs", "rootfs-web")
            .sandbox("pod")
            .label("app", "nginx")
            .label("a.b.c", "dotted")
            .extension("net", any("net")),
    )?;
    let runtime = Runtime::new("io.containerd.kata.v2");
    store.create(
        Container::new("db", runtime, any("spec"))
            .image("docker.io/library/postgres:18")
            .label("app", "postgres")
            .label("tier", "back"),
    )?;
    store.create(bare("idle").extension("empty.type", Any::default()))?;
    Ok(store)
}

/// The empty text is the filter without a condition, alone or among others.
pub fn the_empty_filter_finds_everything<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = labelled::<T>(fixture)?;
    let all = ["db", "idle", "web"];
    finds(&*store, "", &all)?;
    lists(&*store, &filters(&["id==web", ""])?, &all)
}

/// Filters are joined by "or".
pub fn a_container_is_found_once_if_any_filter_finds_it<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = labelled::<T>(fixture)?;
    let any = filters(&["id==web", "labels.app", "id==nobody"])?;
    lists(&*store, &any, &["db", "web"])?;
    lists(&*store, &filters(&["id==nobody", "id==x"])?, &[])
}

/// Selectors are joined by "and".
pub fn all_selectors_of_a_filter_must_match<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = labelled::<T>(fixture)?;
    finds(&*store, "labels.app,labels.tier", &["db"])?;
    finds(&*store, "labels.app==nginx,id==web", &["web"])?;
    finds(&*store, "labels.app==nginx,id==db", &[])?;
    finds(&*store, "id==web,id==db", &[])
}

/// A field with an empty value is absent.
pub fn a_field_alone_asks_whether_it_is_present(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "id", &["db", "idle", "web"])?;
    finds(&*store, "image", &["db", "web"])?;
    finds(&*store, "labels.tier", &["db"])?;
    finds(&*store, "snapshotkey", &["web"])?;
    finds(&*store, "labels", &[])
}

/// An absent field equals nothing, not even the empty text.
pub fn equality_asks_for_a_present_and_equal_field(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "labels.app==nginx", &["web"])?;
    finds(&*store, "labels.app==ngin", &[])?;
    finds(&*store, r#"labels.tier=="""#, &[])?;
    finds(&*store, r#"image=="""#, &[])
}

/// An absent field has the value "", which differs from all others.
pub fn inequality_finds_an_absent_field_unless_the_value_is_empty(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "labels.tier!=back", &["idle", "web"])?;
    finds(&*store, "labels.tier!=front", &["db", "idle", "web"])?;
    finds(&*store, r#"labels.tier!="""#, &["db"])?;
    finds(&*store, "id!=web", &["db", "idle"])
}

/// An expression is not anchored unless it says so.
pub fn a_regular_expression_finds_its_match_anywhere(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "image~=library", &["db", "web"])?;
    finds(&*store, "id~=^web$", &["web"])?;
    finds(&*store, "id~=e", &["idle", "web"])?;
    finds(&*store, "id~=^e", &[])?;
    finds(&*store, r"image~=/:1\\.\\d+$/", &["web"])?;
    finds(&*store, "image~=|postgres|", &["db"])?;
    finds(&*store, r#"id~="^(db|web)$""#, &["db", "web"])
}

/// An expression that matches the empty text finds containers without the field.
pub fn a_regular_expression_tests_an_absent_field_as_empty(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "labels.tier~=^$", &["idle", "web"])?;
    finds(&*store, "labels.tier~=x*", &["db", "idle", "web"])?;
    finds(&*store, "labels.tier~=/.+/", &["db"])
}

/// Expressions follow RE2: `\d`, `\w` and `\s` know ASCII only.
pub fn classes_of_regular_expressions_are_ascii<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("ascii").label("k", "7_ "))?;
    store.create(T::bare("wide").label("k", "\u{664}é\u{2003}"))?;
    finds(&*store, r"labels.k~=\d", &["ascii"])?;
    finds(&*store, r"labels.k~=\w", &["ascii"])?;
    finds(&*store, r"labels.k~=\s", &["ascii"])?;
    finds(&*store, r"labels.k~=^\W+$", &["wide"])
}

/// `.` is a character, not a byte.
pub fn a_dot_of_a_regular_expression_is_one_code_point<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("one").label("k", "é"))?;
    store.create(T::bare("two").label("k", "xy"))?;
    finds(&*store, "labels.k~=^.$", &["one"])?;
    finds(&*store, "labels.k~=^..$", &["two"])
}

/// All fields, including those that containerd lacks.
pub fn every_plain_field_is_found_by_its_name(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "id==web", &["web"])?;
    finds(&*store, "image==docker.io/library/postgres:18", &["db"])?;
    finds(&*store, "runtime.name==io.containerd.kata.v2", &["db"])?;
    finds(&*store, "snapshotter==overlayfs", &["web"])?;
    finds(&*store, "snapshotkey==rootfs-web", &["web"])?;
    finds(&*store, "sandboxid==pod", &["web"])
}

/// As in containerd, `id.x==a` reads as `id==a`.
pub fn parts_behind_a_plain_field_are_ignored(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "id.x==web", &["web"])?;
    finds(&*store, r#"image.x."y z"~=nginx"#, &["web"])?;
    finds(&*store, "runtime.name.x==io.containerd.kata.v2", &["db"])
}

/// An extension whose type is empty is still present.
pub fn an_extension_is_present_and_its_value_is_its_type(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    finds(&*store, "extensions.net", &["web"])?;
    finds(&*store, "extensions.net==example.com/net", &["web"])?;
    finds(&*store, "extensions.net!=example.com/net", &["db", "idle"])?;
    finds(&*store, "extensions.empty.type", &["idle"])?;
    finds(&*store, r#"extensions."empty.type"=="""#, &["idle"])?;
    finds(&*store, "extensions", &[])
}

/// A field that no container can have is not an error.
pub fn an_unknown_field_is_absent_and_no_error(fixture: &dyn Fixture) -> Verdict {
    let store = filled(fixture)?;
    let all = ["db", "idle", "web"];
    for field in [
        "nope",
        "runtime",
        "runtime.options",
        "spec",
        "ID",
        "createdat",
    ] {
        finds(&*store, field, &[])?;
        finds(&*store, &format!("{field}==x"), &[])?;
        finds(&*store, &format!("{field}!=x"), &all)?;
        finds(&*store, &format!("{field}~=^$"), &all)?;
    }
    Ok(())
}

/// `labels.a.b.c` is the key `a.b.c`, however its parts are quoted.
pub fn parts_of_a_label_are_joined_by_dots<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = labelled::<T>(fixture)?;
    for field in [
        "labels.a.b.c",
        r#"labels."a.b".c"#,
        r#"labels."a.b.c""#,
        r#""labels".a."b".c"#,
    ] {
        finds(&*store, &format!("{field}==dotted"), &["web"])?;
    }
    finds(&*store, "labels.a.b", &[])
}

/// Whatever a label holds, a filter can ask for it.
pub fn quotes_and_escapes_spell_any_key_and_value<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    let odd = "a \"quoted\",\n\\ é 日本 \u{7}";
    store.create(T::bare("odd").label("key with spaces/é", odd))?;
    store.create(T::bare("even").label("key", "value"))?;
    finds(
        &*store,
        r#"labels."key with spaces/é"=="a \"quoted\",\n\\ é 日本 \a""#,
        &["odd"],
    )?;
    finds(
        &*store,
        r#"labels."key with spaces/\xc3\251"=="a \"quoted\",\x0a\134 \u00e9 \U000065e5本 \007""#,
        &["odd"],
    )?;
    finds(&*store, "labels.key==value", &["even"])
}

/// A value of bytes that are not UTF-8 equals no text, and differs from all.
pub fn bytes_that_are_no_text_find_nothing<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = labelled::<T>(fixture)?;
    finds(&*store, r#"id=="web\xff""#, &[])?;
    finds(&*store, r#"labels."\xff""#, &[])?;
    finds(&*store, r#"id!="\xff""#, &["db", "idle", "web"])
}

/// White space is allowed before a field, an operator and a value.
pub fn white_space_before_fields_operators_and_values_is_ignored<T: Subject>(
    fixture: &dyn Fixture,
) -> Verdict {
    let store = labelled::<T>(fixture)?;
    finds(&*store, "  labels.app  ==  nginx,  id  ==\tweb", &["web"])
}

/// Case is not folded, and nothing is trimmed.
pub fn values_are_compared_byte_by_byte<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = T::store(fixture, HOME)?;
    store.create(T::bare("lower").label("k", "value"))?;
    store.create(T::bare("upper").label("k", "VALUE"))?;
    store.create(T::bare("padded").label("k", " value "))?;
    finds(&*store, "labels.k==value", &["lower"])?;
    finds(&*store, "labels.K==value", &[])?;
    finds(&*store, r#"labels.k==" value ""#, &["padded"])
}

/// A container is found by its current fields, not by earlier ones.
pub fn filters_find_what_updates_made<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    let store = labelled::<T>(fixture)?;
    let mask = FieldMask::of([FieldPath::Labels]);
    store.update(T::with_id("web".to_owned()).label("app", "caddy"), &mask)?;
    finds(&*store, "labels.app==nginx", &[])?;
    finds(&*store, "labels.app==caddy", &["web"])?;
    store.delete("web")?;
    finds(&*store, "labels.app==caddy", &[])?;
    finds(&*store, "id==web", &[])?;
    store.create(T::bare("web"))?;
    finds(&*store, "labels.app", &["db"])?;
    finds(&*store, "id==web", &["web"])
}

/// A filter, also one for an id, finds nothing elsewhere.
pub fn filters_see_only_their_namespace<T: Subject>(fixture: &dyn Fixture) -> Verdict {
    labelled::<T>(fixture)?;
    let away = T::store(fixture, AWAY)?;
    away.create(T::bare("other").label("app", "nginx"))?;
    finds(&*away, "id==web", &[])?;
    finds(&*away, "labels.app==nginx", &["other"])?;
    let page = away.query().filter(&filters(&["labels.app"])?).limit(1);
    equal("the page", &page.ids()?, &vec!["other".to_owned()])
}
