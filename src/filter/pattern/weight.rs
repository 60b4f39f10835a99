//! The weight of a part of an expression, and its limits.

use crate::filter::error::Fault;
use crate::model::limits::{PATTERN_DEPTH_MAX, PATTERN_REPEAT_MAX};

/// The weight of a part of an expression.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// The product of the counts of nested repetitions.
    pub(super) repeats: u32,
    /// How deep groups and repetitions nest.
    pub(super) depth: u32,
}

impl Default for Weight {
    /// The weight of a single element, and of nothing.
    fn default() -> Weight {
        Weight {
            repeats: 1,
            depth: 0,
        }
    }
}

impl Weight {
    /// The weight of two parts side by side.
    pub(super) fn beside(self, other: Weight) -> Weight {
        Weight {
            repeats: self.repeats.max(other.repeats),
            depth: self.depth.max(other.depth),
        }
    }

    /// The weight of a group or repetition around a part, `repeats` in all; it stands at `at`.
    pub(super) fn around(self, repeats: u32, at: usize) -> Result<Weight, Fault> {
        let depth = self.depth + 1;
        if repeats > PATTERN_REPEAT_MAX {
            return Err(too_many(at));
        }
        if depth > PATTERN_DEPTH_MAX {
            return Err(too_deep(at));
        }
        Ok(Weight { repeats, depth })
    }
}

/// The fault of a repetition, at `at`, that repeats too often.
pub(super) fn too_many(at: usize) -> Fault {
    let message = format!(
        "regular expression: at most {PATTERN_REPEAT_MAX} repetitions, nested ones multiplied"
    );
    Fault::new(at, message)
}

/// The fault of a group or repetition, at `at`, that nests too deep.
pub(super) fn too_deep(at: usize) -> Fault {
    let message = format!(
        "regular expression: groups and repetitions nest more than {PATTERN_DEPTH_MAX} deep"
    );
    Fault::new(at, message)
}
