//! What Bayplan means to reach, and whether it does.

use crate::op::{Op, Unit};
use crate::results::{Key, Results};
use crate::table::{self, short, size};

use self::Against::{Best, EachThousand, Other, Own, Payload, Tail, Units};
use self::Bound::{AtLeast, AtMost};

/// What a figure must be at most or at least.
struct Target {
    /// Whose figure.
    who: &'static str,
    op: Op,
    /// For this many threads only.
    threads: Option<usize>,
    /// For stores of at least this many containers.
    from_n: usize,
    bound: Bound,
    against: Against,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What the figure is divided by.
#[derive(Clone, Copy)]
enum Against {
    /// The figure of this contestant.
    Other(&'static str),
    /// The best figure of [`PEERS`].
    Best,
    /// The own figure in this operation.
    Own(Op),
    /// Bytes of the payload.
    Payload,
    /// This much of the unit, so called.
    Units(f64, &'static str),
    /// This much of the unit for each thousand containers, so called.
    EachThousand(f64, &'static str),
    /// The own 99th percentile, in place of the figure, by this much of the unit, so called.
    Tail(f64, &'static str),
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;
const MILLISECOND_US: f64 = 1000.0;

/// The stores that are peers, of which the best counts.
const PEERS: [&str; 4] = ["fjall", "sqlite", "lmdb", "redb-blob"];

const PLAIN: &str = "bayplan";
const LOG: &str = "bayplan-log";

const PROCESSES: &str = "bayplan-processes";

const TARGETS: [Target; 38] = [
    by(LOG, Op::Create, AtMost(0.55), Other("containerd")),
    by(LOG, Op::Create, AtMost(1.0), Best),
    by(LOG, Op::Create, AtMost(2.0), Other("log-floor")),
    by(LOG, Op::Update, AtMost(0.55), Other("containerd")),
    by(LOG, Op::Update, AtMost(1.0), Best),
    by(LOG, Op::Update, AtMost(2.0), Other("log-floor")),
    by(LOG, Op::Delete, AtMost(0.55), Other("containerd")),
    by(LOG, Op::Delete, AtMost(1.0), Best),
    by(LOG, Op::Delete, AtMost(2.0), Other("log-floor")),
    by(PLAIN, Op::Create, AtMost(0.9), Other("containerd")),
    by(PLAIN, Op::Create, AtMost(0.9), Other("redb-blob")),
    by(PLAIN, Op::Update, AtMost(0.9), Other("containerd")),
    by(PLAIN, Op::Update, AtMost(0.9), Other("redb-blob")),
    by(PLAIN, Op::Delete, AtMost(0.9), Other("containerd")),
    by(PLAIN, Op::Delete, AtMost(0.9), Other("redb-blob")),
    crowd(LOG, AtLeast(4.0), Other("containerd")),
    crowd(LOG, AtLeast(2.0), Best),
    crowd(LOG, AtMost(10.0), Tail(MILLISECOND_US, "ms p99")),
    crowd(PLAIN, AtLeast(1.2), Best),
    crowd(PLAIN, AtMost(10.0), Tail(MILLISECOND_US, "ms p99")),
    by(PLAIN, Op::Get, AtMost(0.25), Other("containerd")),
    by(PLAIN, Op::Get, AtMost(0.8), Other("lmdb")),
    by(PLAIN, Op::GetFile, AtMost(1.2), Other("redb-blob")),
    by(PLAIN, Op::List, AtMost(0.15), Other("containerd")),
    by(PLAIN, Op::List, AtMost(0.7), Other("lmdb")),
    by(PLAIN, Op::Headers, AtMost(0.4), Own(Op::List)),
    by(PLAIN, Op::FilterFirst, AtMost(0.3), Other("containerd")),
    by(PLAIN, Op::FilterLabel, AtMost(0.1), Other("sqlite")),
    by(PLAIN, Op::FilterLabel, AtMost(0.003), Other("containerd")),
    by(PLAIN, Op::FilterRegex, AtMost(0.3), Other("sqlite")),
    by(PLAIN, Op::FilterRegex, AtMost(0.02), Other("containerd")),
    by(PLAIN, Op::FilterId, AtMost(1.3), Own(Op::Get)),
    by(
        PLAIN,
        Op::Reopen,
        AtMost(1.5),
        EachThousand(MILLISECOND_US, "ms per 1k containers"),
    ),
    by(
        PLAIN,
        Op::ReopenUnchecked,
        AtMost(0.5),
        Units(MILLISECOND_US, "ms"),
    ),
    by(PLAIN, Op::Verb, AtMost(1.0), Other("sqlite")),
    Target {
        threads: Some(4),
        ..by(PROCESSES, Op::Processes, AtLeast(1.0), Other("sqlite"))
    },
    by(PLAIN, Op::DiskBlocks, AtMost(0.5), Payload),
    Target {
        from_n: 100_000,
        ..by(PLAIN, Op::Memory, AtMost(32.0), Units(MEBIBYTE, "MiB"))
    },
];

const fn by(who: &'static str, op: Op, bound: Bound, against: Against) -> Target {
    Target {
        who,
        op,
        threads: None,
        from_n: 0,
        bound,
        against,
    }
}

const fn crowd(who: &'static str, bound: Bound, against: Against) -> Target {
    Target {
        threads: Some(32),
        ..by(who, Op::Threads, bound, against)
    }
}

/// Each target beside what was reached, for each size that was measured.
pub(crate) fn table(results: &Results, payload_bytes: f64) -> String {
    let mut sizes: Vec<usize> = results.0.iter().map(|row| row.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let head = ["operation", "n", "who", "target", "reached", "verdict"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for target in &TARGETS {
        for n in sizes.iter().copied().filter(|n| *n >= target.from_n) {
            let reached = target.reached(results, n, payload_bytes);
            lines.push(vec![
                table::title(target.op, target.threads.unwrap_or(1)),
                size(n),
                target.who.to_owned(),
                target.to_string(),
                reached.map(short).unwrap_or_default(),
                verdict(target.bound, reached).to_owned(),
            ]);
        }
    }
    table::markdown(&lines)
}

fn verdict(bound: Bound, reached: Option<f64>) -> &'static str {
    match reached {
        None => "not measured",
        Some(reached) if bound.holds(reached) => "met",
        Some(_) => "MISSED",
    }
}

/// The best of the peers in a line of the table, whose keys are these by contestant, and its figure.
pub(crate) fn best_peer(
    results: &Results,
    key: impl Fn(&'static str) -> Key,
) -> Option<(&'static str, f64)> {
    let figures = PEERS.into_iter().filter_map(|name| {
        let key = key(name);
        Some((name, results.figure(key)?, key.op.unit()))
    });
    let best = figures.min_by(|(_, a, unit), (_, b, _)| match unit {
        Unit::Throughput => b.total_cmp(a),
        Unit::Time | Unit::Bytes | Unit::BytesEach => a.total_cmp(b),
    });
    best.map(|(name, figure, _)| (name, figure))
}

impl Target {
    /// The ratio, if all that it takes was measured.
    fn reached(&self, results: &Results, n: usize, payload_bytes: f64) -> Option<f64> {
        let key = |op, contestant| Key {
            op,
            n,
            threads: self.threads.unwrap_or(1),
            contestant,
        };
        let own = results.row(key(self.op, self.who))?;
        let (figure, base) = match self.against {
            Other(name) => (own.figure(), results.figure(key(self.op, name))?),
            Best => {
                let (_, best) = best_peer(results, |name| key(self.op, name))?;
                (own.figure(), best)
            }
            Own(op) => (own.figure(), results.figure(key(op, self.who))?),
            Payload => (own.figure(), payload_bytes),
            Units(unit, _) => (own.figure(), unit),
            EachThousand(unit, _) => (own.figure(), unit * n as f64 / 1000.0),
            Tail(unit, _) => (own.p99_us, unit),
        };
        Some(figure? / base)
    }
}

impl Bound {
    fn holds(self, reached: f64) -> bool {
        match self {
            AtMost(most) => reached <= most,
            AtLeast(least) => reached >= least,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bound {
            AtMost(most) => write!(f, "≤ {most}")?,
            AtLeast(least) => write!(f, "≥ {least}")?,
        }
        match self.against {
            Other(name) => write!(f, " × {name}"),
            Best => f.write_str(" × the best peer"),
            Own(op) => write!(f, " × own {}", op.name()),
            Payload => f.write_str(" × payload"),
            Units(_, unit) | EachThousand(_, unit) | Tail(_, unit) => write!(f, " {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestant::Samples;
    use crate::results::Row;

    const N: usize = 1000;

    /// A row of calls that take so long each, all at once.
    fn row(op: Op, threads: usize, contestant: &'static str, nanos: u64) -> Row {
        let key = Key {
            op,
            n: N,
            threads,
            contestant,
        };
        let samples = Samples {
            nanos: vec![nanos],
            wall_nanos: nanos,
            found: 1,
        };
        Row::timed(key, &[samples])
    }

    #[track_caller]
    fn assert_reached(who: &str, op: Op, of: &str, rows: Vec<Row>, expected: (f64, &str)) {
        let is_meant = |target: &&Target| {
            (target.who, target.op) == (who, op) && target.to_string().ends_with(of)
        };
        let target = TARGETS.iter().find(is_meant).unwrap();
        let reached = target.reached(&Results(rows), N, 0.0);
        assert_eq!(reached, Some(expected.0));
        assert_eq!(verdict(target.bound, reached), expected.1);
    }

    #[test]
    fn a_time_is_compared_with_the_shortest_of_the_peers() {
        let row = |contestant, nanos| row(Op::Create, 1, contestant, nanos);
        let rows = vec![row(LOG, 3000), row("sqlite", 4000), row("lmdb", 2000)];
        assert_reached(LOG, Op::Create, "the best peer", rows, (1.5, "MISSED"));
    }

    #[test]
    fn a_throughput_is_compared_with_the_greatest_of_the_peers() {
        let row = |contestant, nanos| row(Op::Threads, 32, contestant, nanos);
        let rows = vec![row(PLAIN, 1000), row("sqlite", 4000), row("fjall", 2000)];
        assert_reached(PLAIN, Op::Threads, "the best peer", rows, (2.0, "met"));
    }

    #[test]
    fn floors_and_containerd_are_no_peers() {
        let rows = ["redb-put", "log-floor", "containerd"];
        let rows = rows.map(|contestant| row(Op::Create, 1, contestant, 1));
        let key = |contestant| Key {
            op: Op::Create,
            n: N,
            threads: 1,
            contestant,
        };
        assert_eq!(best_peer(&Results(rows.to_vec()), key), None);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        assert_eq!(verdict(AtMost(1.0), None), "not measured");
    }
}
