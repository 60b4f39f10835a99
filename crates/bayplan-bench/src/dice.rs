//! Chance, the same in every run.

/// Numbers that look like chance.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// One below `end`.
    pub(crate) fn number(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// So many below `end`.
    pub(crate) fn numbers(&mut self, count: usize, end: usize) -> Vec<usize> {
        (0..count).map(|_| self.number(end)).collect()
    }
}
