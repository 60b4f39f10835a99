//! The budget of the regular expressions in one list.

use crate::filter::error::Fault;
use crate::model::limits::{PATTERN_CLASSES_MAX_COUNT, PATTERNS_MAX_COUNT};

/// The remaining budget of the regular expressions in one list.
#[derive(Debug)]
pub(crate) struct Budget {
    patterns: usize,
    classes: usize,
}

impl Budget {
    /// The budget of a whole list.
    pub(crate) fn new() -> Budget {
        Budget {
            patterns: PATTERNS_MAX_COUNT,
            classes: PATTERN_CLASSES_MAX_COUNT,
        }
    }

    /// Spends one expression.
    pub(super) fn pattern(&mut self) -> Result<(), Fault> {
        spend(&mut self.patterns).ok_or_else(|| {
            let message = format!(
                "more than {PATTERNS_MAX_COUNT} regular expressions in one list of filters"
            );
            Fault::new(0, message)
        })
    }

    /// Spends one class that needs a table of Unicode; it stands at `at` of the expression.
    pub(super) fn class(&mut self, at: usize) -> Result<(), Fault> {
        spend(&mut self.classes).ok_or_else(|| {
            let message = format!(
                "regular expression: more than {PATTERN_CLASSES_MAX_COUNT} classes by property or \
                 without regard to case in one list of filters"
            );
            Fault::new(at, message)
        })
    }
}

fn spend(left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}
