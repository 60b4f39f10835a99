//! Dumps: a text either fails to load, and leaves nothing, or makes a store whose dump makes the
//! same store.

use std::path::Path;

use bayplan::{Db, ErrorKind, Maintenance};

use super::Canary;
use super::input::Input;
use super::sample::{DUMP, Place, without_panics_inside};

thread_local! {
    static PLACE: Place = Place::new();
}

/// The input is a dump, if it begins as one, or else what to change in the dump of the samples.
pub(crate) fn run(data: &[u8], canary: Canary) {
    let text = match data.first() {
        Some(b'{') => data.to_vec(),
        _ => changed(DUMP.as_bytes().to_vec(), Input::new(data)),
    };
    without_panics_inside(|| PLACE.with(|place| loads_or_fails(place, &text, canary)));
}

/// Each change is a place, how many bytes go there, and what comes instead.
fn changed(mut text: Vec<u8>, mut input: Input<'_>) -> Vec<u8> {
    while !input.is_empty() {
        let from = input.number() % (text.len() + 1);
        let to = from + usize::from(input.byte()).min(text.len() - from);
        let count = usize::from(input.byte());
        text.splice(from..to, input.bytes(count).iter().copied());
    }
    text
}

fn loads_or_fails(place: &Place, text: &[u8], canary: Canary) {
    let (first, second) = (place.free("first.redb"), place.free("second.redb"));
    let report = match Maintenance::new().load(&first, text, |_| {}) {
        Ok(report) => report,
        Err(error) => {
            let kinds = [ErrorKind::InvalidArgument, ErrorKind::IncompatibleFormat];
            assert!(kinds.contains(&error.kind()), "{error:#}");
            place.assert_holds_only(&[]);
            return;
        }
    };
    let mut dump = dump(&first, (report.containers_count, report.records_count));
    let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(
        (lines(text), lines(&dump)),
        (report.lines_count, report.lines_count)
    );
    if canary == Canary::Planted {
        dump = String::from_utf8(dump)
            .unwrap()
            .replace("nginx", "apache")
            .into();
    }
    let again = Maintenance::new().load(&second, &dump[..], |_| {});
    let again = again.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(self::dump(&second, (again.containers_count, again.records_count)) == dump);
    place.assert_holds_only(&["first.redb", "second.redb"]);
}

fn dump(path: &Path, counts: (u64, u64)) -> Vec<u8> {
    let db = Db::open(path).unwrap();
    assert!(db.check().unwrap().is_healthy());
    let mut dump = Vec::new();
    let report = db.dump(&mut dump, |_| {}).unwrap();
    assert_eq!((report.containers_count, report.records_count), counts);
    dump
}
