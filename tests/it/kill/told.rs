//! The reports of a child to its parent, as lines of text.

use std::io::Write;

/// The effect of one operation on one container: its namespace and id, and the new mark, or `None` if it was deleted.
pub(super) type Change = ((String, String), Option<u64>);

/// A report.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// The store is open.
    Ready,
    /// A snapshot was looked at, and was right.
    Read,
    /// A thread is about to do this.
    Begin(usize, Vec<Change>),
    /// The thread's operation has returned.
    Done(usize),
    /// Something failed that must not.
    Failed(String),
}

impl Told {
    pub(super) fn line(&self) -> String {
        match self {
            Self::Ready => "#ready\n".to_owned(),
            Self::Read => "#read\n".to_owned(),
            Self::Begin(thread, changes) => {
                let mut line = format!("#begin {thread}");
                for ((name, id), mark) in changes {
                    let mark = mark.map_or("-".to_owned(), |mark| mark.to_string());
                    line += &format!(" {name}/{id}={mark}");
                }
                line + "\n"
            }
            Self::Done(thread) => format!("#done {thread}\n"),
            Self::Failed(why) => format!("#failed {}\n", why.replace('\n', " ")),
        }
    }

    /// What a line says; none for lines of the test harness.
    pub(super) fn parse(line: &str) -> Option<Self> {
        // The harness begins its line without ending it: `test kill::child ... #ready`.
        let mut words = line.get(line.find('#')?..)?.split(' ');
        Some(match words.next()? {
            "#ready" => Self::Ready,
            "#read" => Self::Read,
            "#done" => Self::Done(words.next()?.parse().ok()?),
            "#failed" => Self::Failed(words.collect::<Vec<_>>().join(" ")),
            "#begin" => {
                let thread = words.next()?.parse().ok()?;
                let changes = words.map(|word| {
                    let (key, mark) = word.split_once('=')?;
                    let (name, id) = key.split_once('/')?;
                    let mark = match mark {
                        "-" => None,
                        mark => Some(mark.parse().ok()?),
                    };
                    Some(((name.to_owned(), id.to_owned()), mark))
                });
                Self::Begin(thread, changes.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    pub(super) fn tell(&self) {
        // One write for a line, so that lines of several threads do not mix.
        let mut out = std::io::stdout().lock();
        let line = self.line();
        if out
            .write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }
}
