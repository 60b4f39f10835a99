//! The progress of a long command, on one line of a terminal, which is cleared at the end.

use std::io::Write;
use std::time::{Duration, Instant};

use bayplan::Progress;

/// When it is told how long the rest takes.
const KNOWN_AFTER: Duration = Duration::from_secs(1);

/// How often the line is written at most.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes the line, and clears it when dropped.
pub(crate) struct Meter<'a> {
    err: Option<&'a mut dyn Write>,
    doing: &'static str,
    unit: &'static str,
    width: usize,
    begun: Instant,
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
            begun: Instant::now(),
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
        let left = total.and_then(|total| left(now - self.begun, done, total));
        let left = left
            .map(|left| format!(", {left} left"))
            .unwrap_or_default();
        let done = match total {
            Some(total) => format!("{done} of {total}"),
            None => done.to_string(),
        };
        self.rewrite(&format!("{}: {done} {}{left}", self.doing, self.unit));
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

/// How long the rest takes if it goes on as before; `None` before that can be told.
fn left(passed: Duration, done: u64, total: u64) -> Option<String> {
    if passed < KNOWN_AFTER || done == 0 {
        return None;
    }
    let rest = total.saturating_sub(done) as f64 / done as f64;
    let seconds = (passed.as_secs_f64() * rest).ceil();
    // Up to what a person waits for, in the unit that fits.
    Some(match seconds as u64 {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 120 * 60 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(60 * 60)),
    })
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

    #[test]
    fn the_time_that_is_left_is_told_after_a_second() {
        let second = Duration::from_secs(1);
        assert_eq!(left(second / 2, 10, 100), None);
        assert_eq!(left(second, 0, 100), None);
        assert_eq!(left(second, 10, 100).unwrap(), "9 s");
        assert_eq!(left(60 * second, 10, 100).unwrap(), "9 min");
        assert_eq!(left(3600 * second, 10, 100).unwrap(), "9 h");
        assert_eq!(left(second, 100, 100).unwrap(), "0 s");
        assert_eq!(left(second, 101, 100).unwrap(), "0 s");
    }

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
