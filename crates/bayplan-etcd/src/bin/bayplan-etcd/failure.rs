//! Failures: their messages and exit codes, as those of the program `bayplan`.

use std::any::Any;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use bayplan::ErrorKind;
use bayplan_etcd::AnotherStore;

/// The exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Damaged = 2,
    Locked = 3,
    TooNew = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A message, followed by causes and hints.
    Told {
        message: String,
        causes: Vec<String>,
        exit: Exit,
    },
    /// Standard output cannot be written to.
    Output(io::Error),
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            causes: Vec::new(),
            exit: Exit::Failed,
        }
    }

    /// The same failure with one more line below it.
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        if let Self::Told { causes, .. } = &mut self {
            causes.push(cause.into());
        }
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Told { exit, .. } => *exit,
            // The reader that closed the pipe has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Failed,
        }
    }

    /// Prints it. If that fails, nothing more can be done.
    pub(crate) fn report(&self, err: &mut dyn Write) {
        let text = match self {
            Self::Told {
                message, causes, ..
            } => causes.iter().fold(message.clone(), |text, cause| {
                format!("{text}\n  {}", cause.replace('\n', "\n  "))
            }),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
            Self::Output(error) => format!("standard output cannot be written to: {error}"),
        };
        say(err, &text);
    }
}

/// Writes a message to standard error.
pub(crate) fn say(err: &mut dyn Write, text: &str) {
    let _ = writeln!(err, "bayplan-etcd: {text}");
}

/// Reports a panic, which is a bug in the program.
pub(crate) fn panicked(panic: &(dyn Any + Send), err: &mut dyn Write) -> Exit {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    say(
        err,
        &format!("this is a fault of the program, please report it: {text}"),
    );
    Exit::Failed
}

impl From<bayplan::Error> for Failure {
    fn from(error: bayplan::Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Corrupt => Exit::Damaged,
            ErrorKind::Locked => Exit::Locked,
            ErrorKind::IncompatibleFormat => Exit::TooNew,
            _ => Exit::Failed,
        };
        let causes = match exit {
            // The cause says the same, without the process.
            Exit::Locked => Vec::new(),
            _ => causes(&error),
        };
        let failure = Self::Told {
            message: error.to_string(),
            causes,
            exit,
        };
        match next_step(&error) {
            Some(step) => failure.because(step),
            None => failure,
        }
    }
}

/// What to do about an error, if that is known from the error alone.
fn next_step(error: &bayplan::Error) -> Option<&'static str> {
    let cause = error.source();
    if cause.is_some_and(|cause| cause.is::<AnotherStore>()) {
        return Some(
            "choose another --host; or remove the copy by `bayplan-etcd forget`, or replace it by --replace",
        );
    }
    match error.kind() {
        ErrorKind::Locked => Some(
            "a store that others may read meanwhile is shared: `bayplan share readers`, once it is free",
        ),
        ErrorKind::Io if error.is_storage_full() => {
            Some("compact and defragment etcd, and disarm its alarm: `etcdctl alarm disarm`")
        }
        ErrorKind::Io if error.path().is_none() => {
            Some("`etcdctl endpoint health` asks as well; --etcd names other endpoints")
        }
        ErrorKind::NotAStore if error.path().is_none() => Some(
            "--prefix names another place in etcd; `mirror` begins a fleet where there is none",
        ),
        _ => None,
    }
}

/// What lies below an error, one text for each.
fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .map(ToString::to_string)
        .collect()
}

impl From<io::Error> for Failure {
    /// Commands use `?` only for errors of standard output.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: &Failure) -> String {
        let mut err = Vec::new();
        failure.report(&mut err);
        String::from_utf8(err).unwrap_or_default()
    }

    #[test]
    fn causes_follow_line_by_line_and_kinds_have_their_codes() {
        let cause = io::Error::other("refused");
        let error =
            |kind| bayplan::Error::of_kind(kind, "it fails").caused_by(io::Error::other("x"));
        let failure =
            Failure::from(bayplan::Error::of_kind(ErrorKind::Gone, "no store").caused_by(cause));
        assert_eq!(told(&failure), "bayplan-etcd: no store\n  refused\n");
        for (kind, exit) in [
            (ErrorKind::Io, Exit::Failed),
            (ErrorKind::Corrupt, Exit::Damaged),
            (ErrorKind::Locked, Exit::Locked),
            (ErrorKind::IncompatibleFormat, Exit::TooNew),
        ] {
            assert_eq!(Failure::from(error(kind)).exit(), exit, "{kind}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((told(&failure).as_str(), failure.exit()), ("", Exit::Done));
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(told(&failure).starts_with("bayplan-etcd: standard output cannot be written to: "));
        assert_eq!(failure.exit(), Exit::Failed);
    }
}
