//! Children, from their start to their death.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::model::Model;
use super::told::Told;
use super::{CHILD_FILE, CHILD_ROLE, CHILD_SEED};
use crate::seed::Seed;

/// A child and its reports.
pub(super) struct Running {
    child: Child,
    told: Receiver<Told>,
}

impl Running {
    pub(super) fn start(path: &Path, seed: u64, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "kill::child::works_until_it_is_killed",
                "--nocapture",
            ])
            .env(CHILD_FILE, path)
            .env(CHILD_SEED, seed.to_string())
            .env(CHILD_ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, told) = channel();
        thread::spawn(move || {
            for line in lines.map_while(|line| line.ok()) {
                if let Some(told) = Told::parse(&line) {
                    let _ = sender.send(told);
                }
            }
        });
        Self { child, told }
    }

    /// Listens until the time is over, kills, and listens to the end; whether it was ready.
    pub(super) fn kill_after(mut self, delay: Delay, model: &mut Model) -> bool {
        let mut was_ready = false;
        let mut deadline = Instant::now()
            + match delay {
                Delay::FromStart(delay) => delay,
                Delay::FromReady(_) => Duration::from_secs(30),
            };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok(told) => {
                    if told == Told::Ready {
                        was_ready = true;
                        if let Delay::FromReady(delay) = delay {
                            deadline = Instant::now() + delay;
                        }
                    }
                    model.hear(told);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the child ended by itself"),
            }
        }
        self.child.kill().unwrap(); // SIGKILL
        self.child.wait().unwrap();
        for told in self.told {
            was_ready |= told == Told::Ready;
            model.hear(told);
        }
        was_ready
    }
}

#[derive(Clone, Copy)]
pub(super) enum Delay {
    /// Also in the middle of opening and repairing.
    FromStart(Duration),
    FromReady(Duration),
}

pub(super) fn random_delay(seed: &mut Seed) -> Delay {
    let micros = |count: usize| Duration::from_micros(count as u64);
    if seed.one_in(4) {
        Delay::FromStart(micros(seed.below(40_000)))
    } else {
        Delay::FromReady(micros(1_000 + seed.below(50_000)))
    }
}
