//! Plain tables: columns aligned by spaces, a line of capitals at the top.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

use crate::style::Style;
use crate::text::visible;

const GAP: usize = 3;

/// Lines that are written once the widths of all cells are known.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        let header = header.iter().map(|&cell| cell.to_owned()).collect();
        Self { rows: vec![header] }
    }

    /// Adds a line. An empty cell is shown as `-`, so that every line has as many words.
    pub(crate) fn push<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells = cells.into_iter().map(|cell| match cell {
            "" => "-".to_owned(),
            cell => visible(cell),
        });
        self.rows.push(cells.collect());
    }

    pub(crate) fn write(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let pad = width + GAP - cell.chars().count();
                line.extend(std::iter::repeat_n(' ', pad));
            }
            match number {
                0 => writeln!(out, "{}", style.head(line.trim_end()))?,
                _ => writeln!(out, "{}", line.trim_end())?,
            }
        }
        Ok(())
    }
}

/// How long ago a time was.
pub(crate) fn age_of(time: DateTime<Utc>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    age(now.saturating_sub(time.timestamp()))
}

/// How long ago a time was, in the largest unit that is not too coarse. Negative for a future time, since
/// one of the clocks is wrong.
fn age(seconds: i64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let sign = if seconds < 0 { "-" } else { "" };
    match seconds.unsigned_abs() {
        s if s < 2 * MINUTE => format!("{sign}{s}s"),
        s if s < 2 * HOUR => format!("{sign}{}m", s / MINUTE),
        s if s < 2 * DAY => format!("{sign}{}h", s / HOUR),
        s => format!("{sign}{}d", s / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_the_last_word() {
        let mut table = Table::new(&["NAME", "LABELS"]);
        table.push(["k8s.io", "a=\u{1b}[31m"]);
        table.push(["", ""]);
        let mut out = Vec::new();
        table.write(&mut out, Style::default()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME     LABELS\nk8s.io   a=\\u{1b}[31m\n-        -\n"
        );
    }

    #[test]
    fn an_age_has_one_unit() {
        let cases = [
            (i64::MIN, "-106751991167300d"),
            (-120, "-2m"),
            (-1, "-1s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7199, "119m"),
            (7200, "2h"),
            (172_799, "47h"),
            (172_800, "2d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(seconds), text);
        }
    }
}
