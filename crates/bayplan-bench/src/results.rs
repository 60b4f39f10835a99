//! What was measured: the samples of many rounds, and the figures made of them.

use serde::Serialize;

use crate::contestant::Samples;
use crate::op::{Op, Unit};

/// The figures of one contestant in one operation; what does not apply is `null`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) op: Op,
    /// How many containers the store holds.
    pub(crate) n: usize,
    pub(crate) threads: usize,
    pub(crate) contestant: &'static str,
    /// The median over the rounds of the median of each.
    pub(crate) p50_us: Option<f64>,
    /// Over all samples.
    pub(crate) p99_us: Option<f64>,
    /// The median over the rounds.
    pub(crate) ops_per_s: Option<f64>,
    /// Of each container for what is on the disk, of the process for memory.
    pub(crate) bytes: Option<f64>,
    /// How many calls were timed.
    pub(crate) samples: usize,
}

impl Row {
    /// Of the rounds of one contestant.
    pub(crate) fn timed(key: Key, rounds: &[Samples]) -> Self {
        let all: Vec<u64> = rounds
            .iter()
            .flat_map(|round| round.nanos.iter().copied())
            .collect();
        let medians = rounds.iter().map(|round| quantile(&round.nanos, 0.5));
        let rates = rounds
            .iter()
            .map(|round| round.nanos.len() as f64 * 1e9 / round.wall_nanos.max(1) as f64);
        Self {
            p50_us: Some(median(medians.collect()) / 1e3),
            p99_us: Some(quantile(&all, 0.99) / 1e3),
            ops_per_s: Some(median(rates.collect())),
            samples: all.len(),
            ..Self::empty(key)
        }
    }

    /// Of a number of bytes.
    pub(crate) fn bytes(key: Key, bytes: f64) -> Self {
        Self {
            bytes: Some(bytes),
            samples: 1,
            ..Self::empty(key)
        }
    }

    fn empty(key: Key) -> Self {
        Self {
            op: key.op,
            n: key.n,
            threads: key.threads,
            contestant: key.contestant,
            p50_us: None,
            p99_us: None,
            ops_per_s: None,
            bytes: None,
            samples: 0,
        }
    }

    /// The figure that is compared: microseconds, calls in a second or bytes.
    pub(crate) fn figure(&self) -> Option<f64> {
        match self.op.unit() {
            Unit::Time => self.p50_us,
            Unit::Throughput => self.ops_per_s,
            Unit::Bytes | Unit::BytesEach => self.bytes,
        }
    }
}

/// Whose figures, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) op: Op,
    pub(crate) n: usize,
    pub(crate) threads: usize,
    pub(crate) contestant: &'static str,
}

/// All rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Results(pub(crate) Vec<Row>);

impl Results {
    pub(crate) fn row(&self, key: Key) -> Option<&Row> {
        self.0.iter().find(|row| {
            (row.op, row.n, row.threads, row.contestant)
                == (key.op, key.n, key.threads, key.contestant)
        })
    }

    pub(crate) fn figure(&self, key: Key) -> Option<f64> {
        self.row(key)?.figure()
    }

    /// The contestants that have a figure, in the order of the table.
    pub(crate) fn contestants(&self) -> Vec<&'static str> {
        crate::contestants::names()
            .filter(|name| self.0.iter().any(|row| row.contestant == *name))
            .collect()
    }

    /// What was measured, by anyone, each once, by size and then in the order of the table.
    pub(crate) fn lines(&self) -> Vec<(Op, usize, usize)> {
        let mut lines: Vec<_> = self
            .0
            .iter()
            .map(|row| (row.op, row.n, row.threads))
            .collect();
        let place = |op: Op| Op::ALL.iter().position(|other| *other == op);
        lines.sort_by_key(|(op, n, threads)| (*n, place(*op), *threads));
        lines.dedup();
        lines
    }
}

/// The sample below which this part of them lies.
pub(crate) fn quantile(samples: &[u64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).map_or(0.0, |sample| *sample as f64)
}

/// The one in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
