//! What Bayplan means to reach, and whether it does.

use crate::op::Op;
use crate::results::{Key, Results};

/// What a figure must be at most or at least.
struct Target {
    op: Op,
    /// For this many threads only.
    threads: Option<usize>,
    /// For stores of at least this many containers.
    from_n: usize,
    bound: Bound,
    against: Against,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What the figure is divided by.
#[derive(Clone, Copy)]
enum Against {
    /// The figure of this contestant.
    Contestant(&'static str),
    /// The own figure in this operation.
    Own(Op),
    /// Bytes of the payload.
    Payload,
    /// This much of the unit, so called.
    Unit(f64, &'static str),
    /// This much of the unit for each thousand containers, so called.
    EachThousand(f64, &'static str),
    /// The own 99th percentile, in place of the figure, by this much of the unit, so called.
    Tail(f64, &'static str),
}

/// A target, and what was reached.
pub(crate) struct Verdict {
    pub(crate) target: String,
    /// The ratio, if all that it takes was measured.
    pub(crate) reached: Option<f64>,
    pub(crate) met: bool,
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;
const MILLISECOND_US: f64 = 1000.0;

fn targets() -> Vec<Target> {
    use Against::{Contestant, EachThousand, Own, Payload, Tail, Unit};
    use Bound::{AtLeast, AtMost};
    let target = |op, bound, against| Target {
        op,
        threads: None,
        from_n: 0,
        bound,
        against,
    };
    let crowd = |bound, against| Target {
        threads: Some(32),
        ..target(Op::Threads, bound, against)
    };
    vec![
        target(Op::Create, AtMost(1.15), Contestant("redb-put")),
        target(Op::Create, AtMost(0.55), Contestant("containerd")),
        target(Op::Update, AtMost(1.0), Contestant("redb-blob")),
        target(Op::Update, AtMost(0.6), Contestant("containerd")),
        target(Op::Get, AtMost(1.2), Contestant("redb-blob")),
        target(Op::Get, AtMost(0.33), Contestant("containerd")),
        target(Op::List, AtMost(1.3), Contestant("redb-blob")),
        target(Op::List, AtMost(0.3), Contestant("containerd")),
        target(Op::Headers, AtMost(0.5), Own(Op::List)),
        target(Op::FilterLabel, AtMost(0.1), Own(Op::List)),
        target(Op::FilterLabel, AtMost(0.01), Contestant("containerd")),
        target(Op::FilterRegex, AtMost(0.05), Contestant("containerd")),
        target(
            Op::Reopen,
            AtMost(8.0),
            EachThousand(MILLISECOND_US, "ms per 1k containers"),
        ),
        target(Op::ReopenUnchecked, AtMost(1.0), Unit(MILLISECOND_US, "ms")),
        target(Op::ReopenIdle, AtMost(15.0), Unit(MILLISECOND_US, "ms")),
        crowd(AtLeast(4.0), Own(Op::ThreadsApart)),
        crowd(AtLeast(6.0), Contestant("containerd")),
        crowd(AtMost(20.0), Tail(MILLISECOND_US, "ms p99")),
        target(Op::DiskBlocks, AtMost(1.8), Payload),
        Target {
            from_n: 100_000,
            ..target(Op::Memory, AtMost(32.0), Unit(MEBIBYTE, "MiB"))
        },
    ]
}

/// The targets for this line of the table.
pub(crate) fn verdicts(
    results: &Results,
    line: (Op, usize, usize),
    payload_bytes: f64,
) -> Vec<Verdict> {
    let (op, n, threads) = line;
    targets()
        .into_iter()
        .filter(|target| target.op == op && n >= target.from_n)
        .filter(|target| target.threads.is_none_or(|only| only == threads))
        .map(|target| target.verdict(results, n, threads, payload_bytes))
        .collect()
}

impl Target {
    fn verdict(&self, results: &Results, n: usize, threads: usize, payload_bytes: f64) -> Verdict {
        let key = |op, contestant| Key {
            op,
            n,
            threads,
            contestant,
        };
        let own = key(self.op, "bayplan");
        let (figure, base) = match self.against {
            Against::Contestant(name) => (None, results.figure(key(self.op, name))),
            Against::Own(op) => (None, results.figure(key(op, "bayplan"))),
            Against::Payload => (None, Some(payload_bytes)),
            Against::Unit(unit, _) => (None, Some(unit)),
            Against::EachThousand(unit, _) => (None, Some(unit * n as f64 / 1000.0)),
            Against::Tail(unit, _) => (results.row(own).and_then(|row| row.p99_us), Some(unit)),
        };
        let reached = figure
            .or_else(|| results.figure(own))
            .zip(base)
            .map(|(figure, base)| figure / base);
        Verdict {
            target: self.to_string(),
            reached,
            met: reached.is_some_and(|reached| match self.bound {
                Bound::AtMost(most) => reached <= most,
                Bound::AtLeast(least) => reached >= least,
            }),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bound {
            Bound::AtMost(most) => write!(f, "≤ {most}")?,
            Bound::AtLeast(least) => write!(f, "≥ {least}")?,
        }
        match self.against {
            Against::Contestant(name) => write!(f, " × {name}"),
            Against::Own(op) => write!(f, " × own {}", op.name()),
            Against::Payload => f.write_str(" × payload"),
            Against::Unit(_, unit) | Against::EachThousand(_, unit) | Against::Tail(_, unit) => {
                write!(f, " {unit}")
            }
        }
    }
}
