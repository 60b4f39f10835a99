//! The progress of a long command, on one line of a terminal, which is cleared at the end.

use std::io::Write;
use std::time::{Duration, Instant};

use bayplan::Progress;

/// How often the line is written at most.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes the line, and clears it when dropped.
pub(crate) struct Meter<'a> {
    err: Option<&'a mut dyn Write>,
    doing: &'static str,
    unit: &'static str,
    width: usize,
    next: Instant,
}

impl<'a> Meter<'a> {
    /// A meter for an activity and its unit; it writes nothing unless `is_wanted`.
    pub(crate) fn new(
        err: &'a mut dyn Write,
        is_wanted: bool,
        doing: &'static str,
        unit: &'static str,
    ) -> Self {
        Self {
            err: is_wanted.then_some(err),
            doing,
            unit,
            width: 0,
            next: Instant::now(),
        }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        self.count(progress.done, progress.total);
    }

    /// So many are done, of a total if it is known.
    pub(crate) fn count(&mut self, done: u64, total: Option<u64>) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + PAUSE;
        let done = match total {
            Some(total) => format!("{done} of {total}"),
            None => done.to_string(),
        };
        self.rewrite(&format!("{}: {done} {}", self.doing, self.unit));
    }

    /// Replaces the line. Errors do not matter.
    fn rewrite(&mut self, line: &str) {
        if let Some(err) = &mut self.err {
            let width = self.width;
            let _ = write!(err, "\r{line:<width$}\r{line}");
            let _ = err.flush();
            self.width = line.len();
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if self.width > 0 {
            self.rewrite("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal shows after this output.
    fn seen(written: &[u8]) -> String {
        let mut line: Vec<u8> = Vec::new();
        let mut at = 0;
        for byte in written {
            match byte {
                b'\r' => at = 0,
                byte => {
                    line.resize(line.len().max(at + 1), b' ');
                    line[at] = *byte;
                    at += 1;
                }
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_line_replaces_the_one_before_and_nothing_is_left_in_the_end() {
        let mut err = Vec::new();
        let mut meter = Meter::new(&mut err, true, "dumping", "containers");
        meter.rewrite("dumping: 1000 containers");
        meter.rewrite("dumping: 2");
        drop(meter);
        assert_eq!(seen(&err), "");
        let end = err.iter().rposition(|byte| *byte == b'2').unwrap();
        assert_eq!(seen(&err[..=end]), "dumping: 2");
    }

    #[test]
    fn nothing_is_written_where_nobody_looks() {
        let mut err = Vec::new();
        let mut meter = Meter::new(&mut err, false, "dumping", "containers");
        meter.rewrite("dumping: 1");
        drop(meter);
        assert!(err.is_empty());
    }
}
