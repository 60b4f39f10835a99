//! The program on a pseudo-terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};

use crate::util::Place;

/// How long a test waits for what is to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines and columns of a terminal of old.
pub(crate) const SMALL: (u16, u16) = (24, 80);

pub(crate) struct Terminal {
    pty: Pty,
    screen: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    pub(crate) child: Child,
}

impl Terminal {
    /// Runs the program with these arguments and variables.
    pub(crate) fn start(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Self {
        let (rows, columns) = SMALL;
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_bayplan"))
            .args(args)
            .current_dir(place.path(""))
            .env("BAYPLAN_DB", place.db())
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env_remove("CONTAINERD_NAMESPACE")
            .envs(env.iter().copied())
            .spawn(pts)
            .unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut reader = File::from(pty.as_fd().try_clone_to_owned().unwrap());
        let (shown, kept) = (Arc::clone(&screen), Arc::clone(&raw));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..length]);
                kept.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Self {
            pty,
            screen,
            raw,
            child,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).unwrap();
        let mut screen = self.screen.lock().unwrap();
        screen.screen_mut().set_size(rows, columns);
    }

    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// All that was written to it.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().unwrap()).into_owned()
    }

    /// Whether a program that takes the whole screen has it.
    pub(crate) fn is_taken(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_there(self) {
            assert!(begun.elapsed() < PATIENCE, "no {what}:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        self.wait(text, |terminal| terminal.text().contains(text));
    }

    #[track_caller]
    pub(crate) fn shows_no(&self, text: &str) {
        let what = format!("screen without {text}");
        self.wait(&what, |terminal| !terminal.text().contains(text));
    }

    /// Waits for the end of the program, and returns its exit code.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "no end:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
