//! How lists are printed.

use std::io::Write;
use std::mem;

use serde::Serialize;

use crate::failure::Result;
use crate::json;
use crate::style::Style;
use crate::table::Table;
use crate::template::Template;

/// How to print a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// More columns, and times in place of ages
    Wide,
    /// One array
    Json,
    /// One object per line
    Ndjson,
    /// A line for each item
    Template(Box<Template>),
}

/// What `--format` says of it.
pub(crate) const HELP: &str = "How to print the list: table, wide, json, ndjson or a template";

/// Reads the value of `--format`.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn format(text: &str) -> Result<Format, String> {
    Ok(match text {
        "table" => Format::Table,
        "wide" => Format::Wide,
        "json" => Format::Json,
        "ndjson" => Format::Ndjson,
        text if text.contains("{{") || text.contains("{%") => {
            Format::Template(Box::new(text.parse()?))
        }
        _ => {
            return Err(
                "it is table, wide, json, ndjson or a template such as '{{ id }}'".to_owned(),
            );
        }
    })
}

impl Format {
    pub(crate) fn is_table(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// A list being printed.
pub(crate) struct Listing<'f> {
    format: &'f Format,
    table: Table,
    array: json::Array,
}

impl<'f> Listing<'f> {
    /// A list with these columns, of items with these fields.
    ///
    /// # Errors
    ///
    /// If a template names other fields.
    pub(crate) fn new<C: AsRef<str>>(
        format: &'f Format,
        columns: &[C],
        fields: &[&str],
    ) -> Result<Self> {
        if let Format::Template(template) = format {
            template.must_name(fields)?;
        }
        let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        Ok(Self {
            format,
            table: Table::new(&columns),
            array: json::Array::default(),
        })
    }

    /// Adds an item: its cells for a table, itself for all others.
    pub(crate) fn push(
        &mut self,
        out: &mut dyn Write,
        cells: impl FnOnce() -> Vec<String>,
        item: &impl Serialize,
    ) -> Result<()> {
        match self.format {
            Format::Table | Format::Wide => {
                let cells = cells();
                self.table.push(cells.iter().map(String::as_str));
            }
            Format::Json => self.array.push(out, &json::of(item)?)?,
            Format::Ndjson => writeln!(out, "{}", json::line(&json::of(item)?))?,
            Format::Template(template) => writeln!(out, "{}", template.line(item)?)?,
        }
        Ok(())
    }

    /// Prints what was kept back.
    pub(crate) fn finish(&mut self, out: &mut dyn Write, style: Style) -> Result<()> {
        match self.format {
            Format::Table | Format::Wide => self.table.write(out, style)?,
            Format::Json => mem::take(&mut self.array).finish(out)?,
            Format::Ndjson | Format::Template(_) => {}
        }
        Ok(())
    }
}
