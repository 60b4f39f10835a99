//! Random numbers that a seed repeats.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};

/// A generator of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    /// The seed of `BAYPLAN_SEED`, or a random one.
    pub(crate) fn from_env() -> Self {
        let seed = std::env::var("BAYPLAN_SEED").ok();
        Self::new(match seed {
            Some(text) => text.parse().expect("BAYPLAN_SEED is a number"),
            None => RandomState::new().hash_one(std::process::id()),
        })
    }

    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns what [`Seed::new`] takes to continue from here.
    pub(crate) fn get(&self) -> u64 {
        self.0
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, without it.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % bound.max(1) as u64).expect("it is below a usize")
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.number().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// Prints the summary of a suite, even if the output of passing tests is not shown.
pub(crate) fn tell(sum: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{sum}");
}

/// How often to do something: what the variable says, or `default`.
pub(crate) fn count_from_env(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
        Err(_) => default,
    }
}

/// Prints the progress of a long run, every ten seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    told: Instant,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            told: Instant::now(),
        }
    }

    pub(crate) fn at(&mut self, done: usize, all: usize) {
        if self.told.elapsed() > Duration::from_secs(10) {
            eprintln!("{}: {done} of {all}", self.what);
            self.told = Instant::now();
        }
    }
}
