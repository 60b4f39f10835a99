//! Failures: their messages and exit codes.

use std::any::Any;
use std::io::{self, Write};
use std::process::ExitCode;

use bayplan::ErrorKind;

/// The exit code. Of several, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The same failure with another exit code.
    pub(crate) fn with_exit(mut self, code: Exit) -> Self {
        if let Self::Told { exit, .. } = &mut self {
            *exit = code;
        }
        self
    }

    /// The same failure, with advice if the file is damaged.
    pub(crate) fn if_damaged(self, advice: &str) -> Self {
        match self.exit() {
            Exit::Damaged => self.because(advice),
            _ => self,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Told { exit, .. } => *exit,
            // The reader that closed the pipe has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Failed,
        }
    }

    /// The first line of the message.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Told { message, .. } => message.clone(),
            Self::Output(error) => error.to_string(),
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

/// The exit code of a command whose output is printed. Who closed the pipe has seen enough of the text, but the code
/// still tells what was found.
pub(crate) fn printed(output: Result<()>, exit: Exit) -> Result<Exit> {
    match output {
        Err(failure) if failure.exit() != Exit::Done => Err(failure),
        _ => Ok(exit),
    }
}

/// Writes a message to standard error.
pub(crate) fn say(err: &mut dyn Write, text: &str) {
    let _ = writeln!(err, "bayplan: {text}");
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
        let mut causes = causes(&error);
        if exit == Exit::Locked {
            // The cause says the same, without the process.
            causes = vec!["to wait for it: --timeout SECONDS".to_owned()];
        }
        Self::Told {
            message: error.to_string(),
            causes,
            exit,
        }
    }
}

impl From<bayplan_metadb::Error> for Failure {
    fn from(error: bayplan_metadb::Error) -> Self {
        use bayplan_metadb::Error;
        let exit = match &error {
            Error::Bolt(boltfile::Error::Locked { .. }) => Exit::Locked,
            Error::Version { .. } => Exit::TooNew,
            error if error.is_damage() => Exit::Damaged,
            _ => Exit::Failed,
        };
        if let Error::Store(error) = error {
            return error.into();
        }
        Self::Told {
            message: error.to_string(),
            causes: causes(&error),
            exit,
        }
    }
}

/// What lies below an error, one text for each.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
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
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn causes_follow_line_by_line_and_stay_indented() {
        let error = bayplan::Error::from(bayplan::Filter::parse("labels.app=x").unwrap_err());
        assert_eq!(
            told(&error.into()),
            "bayplan: invalid filter\n  \
               unknown operator `=`; expected `==`, `!=` or `~=`\n    \
                 labels.app=x\n              ^\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((told(&failure).as_str(), failure.exit()), ("", Exit::Done));
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(told(&failure).starts_with("bayplan: standard output cannot be written to: "));
        assert_eq!(failure.exit(), Exit::Failed);
    }
}
