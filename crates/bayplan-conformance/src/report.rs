//! The results of the laws.

use std::any::Any;
use std::fmt;

use bayplan::Error;

/// Whether a law holds.
pub type Verdict = Result<(), Broken>;

/// A broken law: what it expected, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Broken {
    /// A law that expected one thing and found another.
    pub fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn by_panic(panic: &(dyn Any + Send)) -> Self {
        let words = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Self::new(
            "no panic",
            format!("a panic: {}", words.unwrap_or("without words")),
        )
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Broken {}

impl From<Error> for Broken {
    /// An operation that the law expects to succeed.
    fn from(error: Error) -> Self {
        Self::new("success", format!("the error {error:#}"))
    }
}

/// A law that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// The law.
    pub law: &'static str,
    /// How it is broken.
    pub broken: Broken,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.broken)
    }
}

/// What [`run`](crate::run) found: one line for each broken law when displayed.
#[derive(Clone, Debug, Default)]
#[must_use = "a report tells which laws are broken"]
pub struct Report {
    tried: usize,
    breaches: Vec<Breach>,
}

impl Report {
    /// How many laws were tried.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// The broken laws, in the order in which they were tried.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Whether all laws hold.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }

    pub(crate) fn add(&mut self, law: &'static str, verdict: Verdict) {
        self.tried += 1;
        if let Err(broken) = verdict {
            self.breaches.push(Breach { law, broken });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, tried) = (self.breaches.len(), self.tried);
        write!(f, "{broken} of {tried} laws are broken")?;
        for breach in &self.breaches {
            write!(f, "\n{breach}")?;
        }
        Ok(())
    }
}
