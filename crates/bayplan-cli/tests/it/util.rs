//! Runs the program in a separate directory.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The smallest OCI specification.
pub(crate) const SPEC: &str = r#"{"ociVersion":"1.0.2"}"#;

/// A directory with a database, in which the program is run.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What a summary has under these names.
#[track_caller]
pub(crate) fn summary<'a>(out: &'a str, names: &[&str]) -> Vec<&'a str> {
    let value = |name: &&str| {
        let mut lines = out.lines();
        let value = lines.find_map(|line| line.strip_prefix(*name)?.strip_prefix(' '));
        value.unwrap_or_default().trim()
    };
    names.iter().map(value).collect()
}

/// Asserts that only its owner can read and write the file.
#[track_caller]
pub(crate) fn assert_private(path: &Path) {
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

impl Place {
    /// A directory without a database.
    pub(crate) fn bare() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    /// A directory with an empty database.
    pub(crate) fn new() -> Self {
        let place = Self::bare();
        place.ok(&["init"], "");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.path("meta.redb")
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The names of all files.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// A container of the smallest specification.
    pub(crate) fn container(&self, id: &str, args: &[&str]) {
        let args = [&["create", id, "--spec", "-"], args].concat();
        let run = self.run_with(&args, SPEC, &[]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
    }

    /// The program, with the database named by the environment.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bayplan"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("BAYPLAN_DB", self.db())
            .env_remove("CONTAINERD_NAMESPACE");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, "", &[])
    }

    /// Runs the program with an input and further variables.
    pub(crate) fn run_with(&self, args: &[&str], input: &str, env: &[(&str, &str)]) -> Run {
        let mut child = self
            .command(args)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may end without reading it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        self.told(child.wait_with_output().unwrap())
    }

    /// What a run left, with the directory shown as `DIR`.
    pub(crate) fn told(&self, output: Output) -> Run {
        let directory = self.directory.path().to_str().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(directory, "DIR");
        Run {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Asserts that the program prints `out` and nothing else.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str], out: &str) {
        assert_eq!(self.prints(args), out);
    }

    /// What the program prints where all goes well.
    #[track_caller]
    pub(crate) fn prints(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{args:?}");
        run.out
    }

    /// Asserts that the program prints nothing but the error `err`, and exits with `code`.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str], code: i32, err: &str) {
        let run = self.run(args);
        assert_eq!(
            (run.err.as_str(), run.out.as_str(), run.code),
            (err, "", code)
        );
    }

    /// Flips a bit in every place of the file where `marker` stands.
    pub(crate) fn damage(&self, marker: &str) {
        let mut bytes = fs::read(self.db()).unwrap();
        let marker = marker.as_bytes();
        let places: Vec<usize> = (0..bytes.len() - marker.len())
            .filter(|at| &bytes[*at..at + marker.len()] == marker)
            .collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at] ^= 1;
        }
        fs::write(self.db(), bytes).unwrap();
    }
}
