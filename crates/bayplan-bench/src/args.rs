//! The flags.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::contestants;
use crate::op::Op;

pub(crate) const HELP: &str = "\
Compares Bayplan with its peers, on the same work in one run.

  --quick               ends within a minute: 1,000 containers, few rounds
  --n 1000,10000        how many containers the stores hold
  --rounds COUNT        rounds, after one to warm up (7)
  --ops a,b             only these operations
  --contestants a,b     only these contestants
  --containerd PATH     the program that drives containerd's store, if it is built already
  --dir DIR             where the stores are made (the system's temporary directory)
  --out DIR             writes results.json, results.md and the plots there
  --json                prints one JSON object a line in place of the table
  --instructions        counts instructions with valgrind in place of time
  --scale [N]           grows one store to N containers (1,000,000) and tells how it holds up
";

const SCALE_DEFAULT_COUNT: usize = 1_000_000;

/// What a run is to do.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) sizes: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) ops: Vec<Op>,
    pub(crate) contestants: Vec<String>,
    pub(crate) containerd: Option<PathBuf>,
    pub(crate) dir: PathBuf,
    pub(crate) out: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) instructions: bool,
    pub(crate) scale: Option<usize>,
    pub(crate) help: bool,
}

impl Args {
    /// Reads the flags of this process.
    pub(crate) fn parse() -> Result<Self> {
        let mut args = Self {
            quick: false,
            sizes: Vec::new(),
            rounds: 0,
            ops: Op::ALL.to_vec(),
            contestants: Vec::new(),
            containerd: None,
            dir: std::env::temp_dir(),
            out: None,
            json: false,
            instructions: false,
            scale: None,
            help: false,
        };
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next()? {
            let Arg::Long(name) = arg else {
                bail!("{}\n\n{HELP}", arg.unexpected());
            };
            let name = name.to_owned();
            args.take(&name, &mut parser)?;
        }
        args.settle()
    }

    fn take(&mut self, name: &str, parser: &mut Parser) -> Result<()> {
        match name {
            "quick" => self.quick = true,
            "n" => self.sizes = list(parser)?,
            "rounds" => self.rounds = parser.value()?.parse()?,
            "ops" => self.ops = list(parser)?,
            "contestants" => self.contestants = list(parser)?,
            "containerd" => self.containerd = Some(parser.value()?.into()),
            "dir" => self.dir = parser.value()?.into(),
            "out" => self.out = Some(parser.value()?.into()),
            "json" => self.json = true,
            "instructions" => self.instructions = true,
            "scale" => {
                let number = parser.optional_value().or_else(|| {
                    let mut rest = parser.try_raw_args()?;
                    let digits = rest.peek()?.to_str()?.starts_with(|c: char| c.is_numeric());
                    if digits { rest.next() } else { None }
                });
                let number = number.map(|number| number.parse()).transpose()?;
                self.scale = Some(number.unwrap_or(SCALE_DEFAULT_COUNT));
            }
            "help" => self.help = true,
            other => bail!("there is no flag --{other}\n\n{HELP}"),
        }
        Ok(())
    }

    fn settle(mut self) -> Result<Self> {
        if self.sizes.is_empty() {
            self.sizes = if self.quick {
                vec![1000]
            } else {
                vec![1000, 10_000]
            };
        }
        if self.rounds == 0 {
            self.rounds = if self.quick { 3 } else { 7 };
        }
        if self.contestants.is_empty() {
            self.contestants = if self.scale.is_some() {
                vec!["bayplan".to_owned()]
            } else {
                contestants::names().map(str::to_owned).collect()
            };
        }
        for name in &self.contestants {
            let names: Vec<_> = contestants::names().collect();
            ensure!(
                names.contains(&name.as_str()),
                "there is no contestant {name:?}: they are {}",
                names.join(", ")
            );
        }
        ensure!(
            self.sizes.iter().all(|n| *n >= 100),
            "a store has 100 containers at least"
        );
        Ok(self)
    }
}

fn list<T>(parser: &mut Parser) -> Result<Vec<T>>
where
    T: FromStr,
    anyhow::Error: From<T::Err>,
{
    let value = parser.value()?;
    let text = value.to_str().context("a value is not UTF-8")?;
    text.split(',')
        .map(|item| Ok(item.trim().parse()?))
        .collect()
}
