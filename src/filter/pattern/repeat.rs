//! Counted repetitions: `{2}`, `{2,}` and `{2,5}`.

use crate::filter::error::Fault;
use crate::filter::scan::Scan;
use crate::model::limits::PATTERN_REPEAT_MAX;

use super::weight;

/// The counts of a repetition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    least: u32,
    /// `None` if unbounded.
    most: Option<u32>,
}

impl Counts {
    /// Reads counts in braces. Anything else in braces is not a repetition, and is left unread.
    pub(super) fn read(scan: &mut Scan<'_>) -> Option<Counts> {
        let mut ahead = *scan;
        ahead.eat("{");
        let least = number(&mut ahead)?;
        let most = if !ahead.eat(",") {
            Some(least)
        } else if ahead.peek() == Some('}') {
            None
        } else {
            Some(number(&mut ahead)?)
        };
        if !ahead.eat("}") {
            return None;
        }
        *scan = ahead;
        Some(Counts { least, most })
    }

    /// Checks counts that stand at `at`.
    pub(super) fn check(self, at: usize) -> Result<(), Fault> {
        if self.least.max(self.most.unwrap_or(0)) > PATTERN_REPEAT_MAX {
            return Err(weight::too_many(at));
        }
        if self.most.is_some_and(|most| most < self.least) {
            let message =
                "regular expression: the repetition's second count is less than its first";
            return Err(Fault::new(at, message));
        }
        Ok(())
    }

    /// Returns the total number of repetitions, if the repeated part repeats `inner` times itself.
    pub(super) fn times(self, inner: u32) -> u32 {
        match self.most {
            Some(0) => 1,
            most => most.unwrap_or(self.least).max(1).saturating_mul(inner),
        }
    }
}

/// A number without leading zeros. One that does not fit becomes the largest.
fn number(scan: &mut Scan<'_>) -> Option<u32> {
    let digits = scan.take_while(|c| c.is_ascii_digit());
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}
