//! Chance, the same in every run.

/// Numbers that look like chance.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Any number.
    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One below `end`.
    pub(crate) fn number(&mut self, end: usize) -> usize {
        (self.word() % end.max(1) as u64) as usize
    }

    /// So many below `end`.
    pub(crate) fn numbers(&mut self, count: usize, end: usize) -> Vec<usize> {
        (0..count).map(|_| self.number(end)).collect()
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy, const COUNT: usize>(&mut self, items: &[T; COUNT]) -> T {
        items[self.number(COUNT)]
    }

    /// So many hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let words = (0..digits.div_ceil(16)).map(|_| format!("{:016x}", self.word()));
        let mut text: String = words.collect();
        text.truncate(digits);
        text
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let digits = self.hex(32);
        let (a, b, c, d) = (
            &digits[..8],
            &digits[8..12],
            &digits[13..16],
            &digits[17..20],
        );
        format!("{a}-{b}-4{c}-a{d}-{}", &digits[20..])
    }
}
