//! `bayplan records kinds` and `ls`

use bayplan::{Detail, Found, ReadStore, RecordHeader, Selection};
use serde::Serialize;

use super::Ls;
use crate::cli::Global;
use crate::failure::{Exit, Failure, Result, say};
use crate::listing::{Format, Listing};
use crate::run::Io;
use crate::table::age_of;
use crate::{filters, text};

/// A kind in JSON.
#[derive(Serialize)]
struct Kind<'a> {
    kind: &'a str,
    records: u64,
}

pub(super) fn kinds(format: &Format, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let mut listing = Listing::new(format, &["KIND", "RECORDS"], &["kind", "records"])?;
    let namespace = global.namespace()?;
    let snapshot = global.open_to_read()?.read()?;
    let store = snapshot.namespace(&namespace)?;
    let kinds = snapshot.record_kinds(&namespace)?;
    for kind in &kinds {
        let records = store.records(kind)?.query().count()?;
        let cells = || vec![kind.clone(), records.to_string()];
        listing.push(io.out, cells, &Kind { kind, records })?;
    }
    listing.finish(io.out, io.terminals.style)?;
    if kinds.is_empty() && format.is_table() {
        io.out.flush()?;
        say(io.err, &format!("no records in namespace {namespace}"));
    }
    Ok(Exit::Done)
}

/// A record in a JSON list.
#[derive(Serialize)]
struct Row<'a> {
    namespace: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    header: &'a RecordHeader,
}

/// What a template can name.
const FIELDS: [&str; 8] = [
    "namespace",
    "kind",
    "id",
    "labels",
    "type_url",
    "created_at",
    "updated_at",
    "revision",
];

pub(super) fn records(args: &Ls, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let filters = filters::of_records(&args.filters, io.err)?;
    let columns = columns(args);
    let mut listing = Listing::new(&args.format, &columns, &FIELDS)?;
    let namespace = global.namespace()?;
    let snapshot = global.open_to_read()?.read()?;
    let store = snapshot.namespace(&namespace)?.records(&args.kind)?;
    let mut selection = Selection::default();
    selection.filters = filters;
    selection.after.clone_from(&args.after);
    selection.detail = Detail::Header(Vec::new());
    selection.is_lenient = true;
    let mut exit = Exit::Done;
    let (mut listed, mut last, mut has_more) = (0, None, false);
    for found in store.traverse(&selection)? {
        match found? {
            Found::Header(header) => {
                if args.limit.is_some_and(|limit| listed >= limit) {
                    has_more = true;
                    break;
                }
                listed += 1;
                if args.quiet {
                    writeln!(io.out, "{}", text::visible(&header.id))?;
                } else {
                    let row = Row {
                        namespace: &namespace,
                        kind: &args.kind,
                        header: &header,
                    };
                    listing.push(io.out, || cells(args, &header), &row)?;
                }
                last = Some(header.id);
            }
            Found::Damaged(damaged) => {
                let failure = Failure::from(damaged.error);
                failure.report(io.err);
                exit = exit.max(failure.exit());
            }
            _ => {}
        }
    }
    if !args.quiet {
        listing.finish(io.out, io.terminals.style)?;
    }
    let is_table = args.format.is_table() && !args.quiet;
    if is_table && (has_more || listed == 0) {
        io.out.flush()?;
        match last {
            Some(last) => say(
                io.err,
                &format!("there are more: --after {}", text::visible(&last)),
            ),
            None => on_empty(
                &args.kind,
                &namespace,
                &snapshot.record_kinds(&namespace)?,
                io,
            ),
        }
    }
    Ok(exit)
}

/// Says why a list is empty.
fn on_empty(kind: &str, namespace: &str, kinds: &[String], io: &mut Io<'_>) {
    if kinds.iter().any(|known| known == kind) {
        return;
    }
    let text = match kinds {
        [] => format!("no records in namespace {namespace}"),
        kinds => format!(
            "no records of the kind {kind} in namespace {namespace}; kinds there: {}",
            text::first_of(kinds)
        ),
    };
    say(io.err, &text);
}

fn columns(args: &Ls) -> Vec<String> {
    let fixed: &[&str] = match args.format {
        Format::Wide => &["ID", "TYPE", "CREATED", "UPDATED", "REVISION"],
        _ => &["ID", "TYPE", "AGE"],
    };
    let mut columns: Vec<String> = fixed.iter().map(|&name| name.to_owned()).collect();
    columns.extend(args.label_columns.iter().map(|key| text::label_column(key)));
    columns.extend(args.labels.then(|| "LABELS".to_owned()));
    columns
}

fn cells(args: &Ls, header: &RecordHeader) -> Vec<String> {
    let mut cells = vec![header.id.clone(), header.type_url.clone()];
    match args.format {
        Format::Wide => cells.extend([
            text::time(header.created_at),
            text::time(header.updated_at),
            header.revision.to_string(),
        ]),
        _ => cells.push(age_of(header.created_at)),
    }
    let labels = args.label_columns.iter();
    cells.extend(labels.map(|key| header.labels.get(key).cloned().unwrap_or_default()));
    cells.extend(args.labels.then(|| text::labels(&header.labels)));
    cells
}
