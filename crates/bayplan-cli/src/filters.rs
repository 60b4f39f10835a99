//! Filters on the command line.

use std::io::Write;

use bayplan::{ContainerId, Filter, Filters};

use crate::failure::{Failure, Result};

/// Parses them, and warns of fields that no container can have.
pub(crate) fn told(texts: &[String], is_strict: bool, err: &mut dyn Write) -> Result<Filters> {
    let filters = parse(texts, is_strict)?;
    warn(&filters, err);
    Ok(filters)
}

/// Parses filters of records, and warns of fields that no record has.
pub(crate) fn of_records(texts: &[String], err: &mut dyn Write) -> Result<Filters> {
    let filters = parse(texts, false)?;
    for unknown in filters.unknown_fields() {
        Failure::new(format!(
            "warning: no record has the field {}",
            unknown.field()
        ))
        .because("records have id and labels.KEY")
        .report(err);
    }
    Ok(filters)
}

fn parse(texts: &[String], is_strict: bool) -> Result<Filters> {
    // To the library it matches everything. Here it is more likely an unset variable.
    if texts.iter().any(String::is_empty) {
        let failure = Failure::new("invalid filter").because("it is empty");
        return Err(failure.because("to list all containers, give no filter"));
    }
    let filters = match texts {
        // A single filter needs no number in the error.
        [text] if is_strict => Filter::parse_strict(text).map(Filters::from),
        [text] => Filter::parse(text).map(Filters::from),
        texts if is_strict => Filters::parse_strict(texts),
        texts => Filters::parse(texts),
    };
    filters.map_err(|error| {
        let failure = Failure::new("invalid filter").because(error.to_string());
        match hint(error.filter()) {
            Some(hint) => failure.because(hint),
            None => failure,
        }
    })
}

/// Warns of fields that no container can have: for them `==` matches nothing, and `!=` everything.
fn warn(filters: &Filters, err: &mut dyn Write) {
    for unknown in filters.unknown_fields() {
        let warning = Failure::new(format!("warning: {unknown}"));
        let warning = match hint(unknown.filter()) {
            Some(hint) => warning.because(hint),
            None if unknown.field() == "namespace" => warning.because("-n names the namespace"),
            None => warning,
        };
        warning.report(err);
    }
}

/// A hint for a filter that looks like an id.
fn hint(filter: &str) -> Option<String> {
    let id = ContainerId::new(filter).ok()?;
    Some(format!("for an id write id=={id}"))
}
