//! The run: round after round, everyone does the same work, each time another one first.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::args::Args;
use crate::contestant::{Contestant, Crowd, Filter, Opening, Samples, Work};
use crate::contestants;
use crate::op::Op;
use crate::payload::dice::Dice;
use crate::results::{Key, Results, Row};

/// Containers in one transaction while a store is filled.
pub(crate) const FILL_COUNT: usize = 500;

/// How much is done in one round.
struct Amounts {
    writes: usize,
    reads: usize,
    crowd: usize,
    verbs: usize,
}

const QUICK: Amounts = Amounts {
    writes: 20,
    reads: 300,
    crowd: 96,
    verbs: 3,
};

const FULL: Amounts = Amounts {
    writes: 100,
    reads: 1000,
    crowd: 640,
    verbs: 10,
};

/// How often a look at one container by a filter is timed in a round.
const FILTER_ID_COUNT: usize = 5;

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

/// The contestants, with stores of one size.
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

    /// Fills the stores, and measures their size while they are closed.
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
            let each = |bytes: u64| bytes as f64 / self.n as f64;
            if let Some(disk) = contestant.disk()? {
                let length = Row::bytes(key(Op::DiskLength), each(disk.length));
                let blocks = Row::bytes(key(Op::DiskBlocks), each(disk.blocks));
                let asked = [length, blocks].into_iter();
                results
                    .0
                    .extend(asked.filter(|row| self.args.ops.contains(&row.op)));
            }
            if self.args.ops.contains(&Op::Memory)
                && let Some(peak) = contestant.peak_bytes()?
            {
                results.0.push(Row::bytes(key(Op::Memory), peak as f64));
            }
            contestant.open()?;
        }
        Ok(())
    }

    /// One round of everything; round 0 is to warm up.
    fn round(&mut self, round: usize, quick: bool) -> Result<()> {
        let amounts = if quick { QUICK } else { FULL };
        let mut dice = Dice::new(round);
        self.measure(round, Op::FilterFirst, 1, |contestant| {
            contestant.close()?;
            contestant.open()?;
            contestant.run(&Work::Filter(&Filter::Label, 1))
        })?;
        // A store at work has been listed before. Twice: it may keep what it reads only then.
        self.everyone(round, |contestant| contestant.run(&Work::List(2)).map(drop))?;
        self.writes(round, &amounts, &mut dice)?;
        self.reads(round, &amounts, &mut dice)?;
        self.crowds(round, amounts.crowd)?;
        self.openings(round, &amounts, &mut dice)
    }

    fn writes(&mut self, round: usize, amounts: &Amounts, dice: &mut Dice) -> Result<()> {
        let new: Vec<usize> = self.new_numbers(amounts.writes).collect();
        if self.wants(Op::Create) || self.wants(Op::Delete) {
            self.all(round, Op::Create, &Work::Create(&new))?;
            self.all(round, Op::Delete, &Work::Delete(&new))?;
        }
        let old = dice.numbers(amounts.writes, self.n);
        self.all(round, Op::Update, &Work::Update(&old, &round.to_string()))
    }

    /// Everyone does each read once more than is timed, just before.
    fn reads(&mut self, round: usize, amounts: &Amounts, dice: &mut Dice) -> Result<()> {
        let listings = (20_000 / self.n).clamp(1, 5);
        let (before, old) = (
            dice.numbers(amounts.reads, self.n),
            dice.numbers(amounts.reads, self.n),
        );
        let (id_before, id) = (
            Filter::Id(dice.number(self.n)),
            Filter::Id(dice.number(self.n)),
        );
        let (label, regex) = (&Filter::Label, &Filter::Regex);
        for (op, warm_up, work) in [
            (Op::Get, Work::Get(&before), Work::Get(&old)),
            (Op::List, Work::List(1), Work::List(listings)),
            (Op::Headers, Work::Headers(1), Work::Headers(listings)),
            (
                Op::FilterLabel,
                Work::Filter(label, 1),
                Work::Filter(label, listings),
            ),
            (
                Op::FilterId,
                Work::Filter(&id_before, FILTER_ID_COUNT),
                Work::Filter(&id, FILTER_ID_COUNT),
            ),
            (
                Op::FilterRegex,
                Work::Filter(regex, 1),
                Work::Filter(regex, listings),
            ),
        ] {
            self.measure(round, op, 1, |contestant| {
                contestant.run(&warm_up)?;
                contestant.run(&work)
            })?;
        }
        Ok(())
    }

    fn crowds(&mut self, round: usize, count: usize) -> Result<()> {
        for op in [Op::Threads, Op::ThreadsApart, Op::Processes] {
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
                self.measure(round, op, *threads, |contestant| {
                    let samples = contestant.run(&match op {
                        Op::Processes => Work::Processes(&crowd),
                        _ => Work::Threads(&crowd),
                    })?;
                    if samples.is_some() {
                        contestant.run(&Work::Remove(crowd.all()))?;
                    }
                    Ok(samples)
                })?;
            }
        }
        Ok(())
    }

    /// What closes the store and opens it again.
    fn openings(&mut self, round: usize, amounts: &Amounts, dice: &mut Dice) -> Result<()> {
        let old = dice.numbers(amounts.reads, self.n);
        self.all(round, Op::GetFile, &Work::GetFile(&old))?;
        let new = self.new_numbers(amounts.verbs);
        let numbers: Vec<usize> = new.clone().collect();
        self.measure(round, Op::Verb, 1, |contestant| {
            let samples = contestant.run(&Work::Verb(&numbers))?;
            if samples.is_some() {
                contestant.run(&Work::Remove(new.clone()))?;
            }
            Ok(samples)
        })?;
        let one = dice.number(self.n);
        let reopen = Work::Reopen(one, Opening::Usual);
        self.all(round, Op::Reopen, &reopen)?;
        let reopen = Work::Reopen(one, Opening::Unchecked);
        self.all(round, Op::ReopenUnchecked, &reopen)?;
        self.all(round, Op::ReopenToWrite, &Work::ReopenToWrite(one))?;
        // The last of all that was written, so that the copy is of a store at work.
        self.measure(round, Op::ReopenKilled, 1, |contestant| {
            contestant.run(&Work::Update(&[one], "killed"))?;
            contestant.run(&Work::Killed(one))
        })?;
        self.all(round, Op::ReopenIdle, &Work::KilledIdle(one))
    }

    /// The numbers of so many containers that there have never been.
    fn new_numbers(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        self.next += count;
        start..self.next
    }

    /// Has everyone do the work of an operation.
    fn all(&mut self, round: usize, op: Op, work: &Work<'_>) -> Result<()> {
        self.measure(round, op, 1, |contestant| contestant.run(work))
    }

    /// Has everyone do the work of an operation, if it is asked for or other work needs it.
    fn measure(
        &mut self,
        round: usize,
        op: Op,
        threads: usize,
        mut work: impl FnMut(&mut dyn Contestant) -> Result<Option<Samples>>,
    ) -> Result<()> {
        let is_needed = matches!(op, Op::Create | Op::Delete);
        if !self.wants(op) && !is_needed {
            return Ok(());
        }
        let mut taken = Vec::new();
        self.everyone(round, |contestant| {
            let samples = work(contestant).with_context(|| format!("at {}", op.name()))?;
            taken.push((contestant.name(), samples));
            Ok(())
        })?;
        for (name, samples) in taken {
            self.record(round, op, threads, name, samples)?;
        }
        Ok(())
    }

    /// Has everyone do something, in the order of this round.
    fn everyone(
        &mut self,
        round: usize,
        mut work: impl FnMut(&mut dyn Contestant) -> Result<()>,
    ) -> Result<()> {
        let count = self.contestants.len();
        for turn in 0..count {
            let contestant = self.contestants[(round + turn) % count].as_mut();
            let name = contestant.name();
            work(contestant).with_context(|| format!("{name} failed"))?;
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
    numbers: Range<usize>,
    at_once: usize,
) -> Result<()> {
    contestant.open()?;
    for start in numbers.clone().step_by(at_once) {
        contestant.run(&Work::Fill(start..numbers.end.min(start + at_once)))?;
    }
    Ok(())
}
