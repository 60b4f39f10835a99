//! Summaries of a whole store: a name and a value per line.

use std::io::{self, Write};
use std::path::Path;

use bayplan::{BackupReport, StoreId};

use crate::text::visible;

/// Writes the lines.
pub(crate) fn write(rows: &[(&str, String)], out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in rows {
        writeln!(out, "{name:<12}{}", visible(value))?;
    }
    Ok(())
}

/// The line for records of other kinds than containers, if there are any.
pub(crate) fn records(count: u64) -> Option<(&'static str, String)> {
    (count > 0).then(|| ("records", count.to_string()))
}

/// A file that was made from a whole store.
pub(crate) struct Made<'a> {
    pub(crate) path: &'a Path,
    pub(crate) id: StoreId,
    pub(crate) namespaces: u64,
    pub(crate) containers: u64,
    /// Of other kinds.
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl<'a> Made<'a> {
    /// A backup, or a store restored from one.
    pub(crate) fn by_backup(path: &'a Path, report: &BackupReport) -> Self {
        Self {
            path,
            id: report.id,
            namespaces: report.namespaces_count,
            containers: report.containers_count,
            records: report.records_count,
            bytes: report.file_bytes,
        }
    }

    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("file", self.path.display().to_string()),
            ("store", self.id.to_string()),
            ("namespaces", self.namespaces.to_string()),
            ("containers", self.containers.to_string()),
        ];
        rows.extend(records(self.records));
        rows.push(("size", size(self.bytes)));
        rows
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write(&self.rows(), out)
    }
}

/// A number of bytes in the largest unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    const STEP: u128 = 1024;
    if u128::from(bytes) < STEP {
        return format!("{bytes} B");
    }
    let mut unit_bytes = 1;
    let mut shown = String::new();
    for unit in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        unit_bytes *= STEP;
        let tenths = (u128::from(bytes) * 10 + unit_bytes / 2) / unit_bytes;
        shown = format!("{}.{} {unit}", tenths / 10, tenths % 10);
        if tenths < STEP * 10 {
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_one_decimal_and_less_than_a_thousand_and_24_of_its_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (12_900_000, "12.3 MiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1024 * 1024 - 100, "1023.9 KiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
