//! The run: round after round, everyone does the same work, each time another one first.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::args::Args;
use crate::contestant::{Contestant, Crowd, Disk, Filter, Opening, Samples, Work};
use crate::contestants;
use crate::op::Op;
use crate::payload::Dice;
use crate::results::{Key, Results, Row};

/// Containers in one transaction while a store is filled.
pub(crate) const FILL_COUNT: usize = 500;

/// How much is done in one round.
struct Amounts {
    writes: usize,
    reads: usize,
    crowd: usize,
}

/// Measures everything that the flags ask for.
pub(crate) fn run(args: &Args, directory: &Path) -> Result<Results> {
    let mut results = Results::default();
    for n in &args.sizes {
        let directory = directory.join(n.to_string());
        let mut field = Field::new(args, *n, &directory)?;
        field.fill(&mut results)?;
        for round in 0..=args.rounds {
            eprintln!("{n} containers: round {round} of {}", args.rounds);
            field.round(round, args.quick)?;
        }
        results.0.extend(field.rows());
        drop(field);
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(results)
}

/// Those who take part, with stores of one size.
struct Field<'a> {
    args: &'a Args,
    n: usize,
    contestants: Vec<Box<dyn Contestant>>,
    /// The number of the next container that there has never been.
    next: usize,
    samples: Vec<(Key, Vec<Samples>)>,
}

impl<'a> Field<'a> {
    fn new(args: &'a Args, n: usize, directory: &Path) -> Result<Self> {
        let mut contestants = Vec::new();
        for name in &args.contestants {
            match contestants::make(name, directory, args.containerd.as_deref()) {
                Ok(contestant) => contestants.push(contestant),
                Err(reason) => eprintln!("{name} is left out: {reason:#}"),
            }
        }
        ensure!(!contestants.is_empty(), "there is nobody to measure");
        Ok(Self {
            args,
            n,
            contestants,
            next: n,
            samples: Vec::new(),
        })
    }

    fn wants(&self, op: Op) -> bool {
        self.args.ops.contains(&op)
    }

    /// Fills the stores, and measures what they take while nobody has them open.
    fn fill(&mut self, results: &mut Results) -> Result<()> {
        for contestant in &mut self.contestants {
            let name = contestant.name();
            eprintln!("{} containers: filling {name}", self.n);
            fill(contestant.as_mut(), 0..self.n, FILL_COUNT)
                .with_context(|| format!("cannot fill {name}"))?;
            contestant.close()?;
            let key = |op| Key {
                op,
                n: self.n,
                threads: 1,
                contestant: name,
            };
            let disk = Disk::of(contestant.directory())?;
            let each = |bytes: u64| bytes as f64 / self.n as f64;
            if self.args.ops.contains(&Op::DiskLength) {
                let row = Row::bytes(key(Op::DiskLength), each(disk.length));
                results.0.push(row);
            }
            if self.args.ops.contains(&Op::DiskBlocks) {
                let row = Row::bytes(key(Op::DiskBlocks), each(disk.blocks));
                results.0.push(row);
            }
            if self.args.ops.contains(&Op::Memory) {
                let peak = contestant.peak_bytes()?;
                results.0.push(Row::bytes(key(Op::Memory), peak as f64));
            }
            contestant.open()?;
        }
        Ok(())
    }

    /// One round of everything; round 0 is to warm up.
    fn round(&mut self, round: usize, quick: bool) -> Result<()> {
        let amounts = if quick {
            Amounts {
                writes: 20,
                reads: 300,
                crowd: 160,
            }
        } else {
            Amounts {
                writes: 100,
                reads: 1000,
                crowd: 640,
            }
        };
        let listings = (20_000 / self.n).clamp(1, 5);
        let mut dice = Dice::new(round);
        let new: Vec<usize> = (self.next..self.next + amounts.writes).collect();
        self.next += new.len();
        if self.wants(Op::Create) || self.wants(Op::Delete) {
            self.all(round, Op::Create, &Work::Create(&new))?;
            self.all(round, Op::Delete, &Work::Delete(&new))?;
        }
        let old = dice.numbers(amounts.writes, self.n);
        let value = round.to_string();
        self.all(round, Op::Update, &Work::Update(&old, &value))?;
        let old = dice.numbers(amounts.reads, self.n);
        self.all(round, Op::Get, &Work::Get(&old))?;
        self.all(round, Op::List, &Work::List(listings))?;
        self.all(round, Op::Headers, &Work::Headers(listings))?;
        let id = Filter::Id(dice.number(self.n));
        for (op, filter) in [
            // Each round ends with reopening: this is the first filter that a store sees.
            (Op::FilterFirst, &Filter::Label),
            (Op::FilterLabel, &Filter::Label),
            (Op::FilterId, &id),
            (Op::FilterRegex, &Filter::Regex),
        ] {
            // What is read once is read from the disk: a look at one container is over too soon.
            let times = match op {
                Op::FilterFirst => 1,
                Op::FilterId => 5,
                _ => listings,
            };
            self.all(round, op, &Work::Filter(filter, times))?;
        }
        self.crowds(round, amounts.crowd)?;
        let one = dice.number(self.n);
        let reopen = Work::Reopen(one, Opening::Usual);
        self.all(round, Op::Reopen, &reopen)?;
        let reopen = Work::Reopen(one, Opening::Unchecked);
        self.all(round, Op::ReopenUnchecked, &reopen)?;
        self.all(round, Op::ReopenToWrite, &Work::ReopenToWrite(one))?;
        // The last of all that was written, so that the copy is of a store at work.
        if self.wants(Op::ReopenKilled) {
            self.each(round, &Work::Update(&[one], "killed"), |_, _| Ok(()))?;
            self.all(round, Op::ReopenKilled, &Work::Killed(one))?;
        }
        self.all(round, Op::ReopenIdle, &Work::KilledIdle(one))?;
        Ok(())
    }

    fn crowds(&mut self, round: usize, count: usize) -> Result<()> {
        for op in [Op::Threads, Op::ThreadsApart] {
            if !self.wants(op) {
                continue;
            }
            for threads in op.threads() {
                let crowd = Crowd {
                    threads: *threads,
                    // One thread alone is slow, and its figures are steady.
                    each: if *threads == 1 {
                        count / 4
                    } else {
                        count / threads
                    },
                    from: self.next,
                    apart: op == Op::ThreadsApart,
                };
                self.next = crowd.all().end;
                self.threads(round, op, &crowd)?;
            }
        }
        Ok(())
    }

    fn threads(&mut self, round: usize, op: Op, crowd: &Crowd) -> Result<()> {
        let mut taken = Vec::new();
        self.each(round, &Work::Threads(crowd), |contestant, samples| {
            if samples.is_some() {
                contestant.run(&Work::Remove(crowd.all()))?;
            }
            taken.push((contestant.name(), samples));
            Ok(())
        })?;
        for (name, samples) in taken {
            self.record(round, op, crowd.threads, name, samples)?;
        }
        Ok(())
    }

    /// Has everyone do the work, if it is asked for, or leaves what other work needs.
    fn all(&mut self, round: usize, op: Op, work: &Work<'_>) -> Result<()> {
        let is_needed = matches!(work, Work::Create(_) | Work::Delete(_));
        if !self.wants(op) && !is_needed {
            return Ok(());
        }
        let mut taken = Vec::new();
        self.each(round, work, |contestant, samples| {
            taken.push((contestant.name(), samples));
            Ok(())
        })?;
        for (name, samples) in taken {
            self.record(round, op, 1, name, samples)?;
        }
        Ok(())
    }

    /// Has everyone do the work, in the order of this round.
    fn each(
        &mut self,
        round: usize,
        work: &Work<'_>,
        mut then: impl FnMut(&mut dyn Contestant, Option<Samples>) -> Result<()>,
    ) -> Result<()> {
        let count = self.contestants.len();
        for turn in 0..count {
            let contestant = self.contestants[(round + turn) % count].as_mut();
            let name = contestant.name();
            let samples = contestant
                .run(work)
                .with_context(|| format!("{name} failed at {work:?}"))?;
            then(contestant, samples)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        round: usize,
        op: Op,
        threads: usize,
        contestant: &'static str,
        samples: Option<Samples>,
    ) -> Result<()> {
        let Some(samples) = samples else {
            return Ok(());
        };
        let expected = match op {
            Op::List | Op::Headers => self.n,
            Op::FilterFirst | Op::FilterLabel | Op::FilterRegex => self.n.div_ceil(100),
            Op::FilterId => 1,
            _ => samples.found,
        };
        let found = samples.found;
        ensure!(
            found == expected,
            "{contestant} finds {found} containers by {} where there are {expected}",
            op.name()
        );
        if round == 0 || !self.wants(op) {
            return Ok(());
        }
        let key = Key {
            op,
            n: self.n,
            threads,
            contestant,
        };
        match self.samples.iter_mut().find(|(other, _)| *other == key) {
            Some((_, rounds)) => rounds.push(samples),
            None => self.samples.push((key, vec![samples])),
        }
        Ok(())
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.samples
            .iter()
            .map(|(key, rounds)| Row::timed(*key, rounds))
    }
}

/// Opens the store and creates containers, so many in a transaction.
pub(crate) fn fill(
    contestant: &mut dyn Contestant,
    numbers: std::ops::Range<usize>,
    at_once: usize,
) -> Result<()> {
    contestant.open()?;
    for start in numbers.clone().step_by(at_once) {
        contestant.run(&Work::Fill(start..numbers.end.min(start + at_once)))?;
    }
    Ok(())
}
