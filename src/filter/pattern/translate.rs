//! From Go's expressions to those of the `regex` crate.
//!
//! One pass over the expression, without recursion. Flags such as `(?i)` are not copied but applied: every
//! element is written so that it means the same in any position. Greediness is dropped, since it cannot
//! change whether something matches.

use crate::filter::error::Fault;
use crate::filter::scan::Scan;
use crate::model::limits::PATTERN_DEPTH_MAX;

use super::budget::Budget;
use super::class;
use super::escape::{self, Escape};
use super::flags::{self, Flags};
use super::property::NOTHING;
use super::repeat::Counts;
use super::weight::{self, Weight};

/// ASCII `\B`, which must not match within a character: the second part holds between characters
/// only.
const NOT_WORD_BOUNDARY: &str = r"(?:(?-u:\B)(?:\b|\B))";

/// Rewrites an expression from Go's syntax to that of the crate.
pub(super) fn translate(source: &str, budget: &mut Budget) -> Result<String, Fault> {
    let mut translator = Translator {
        scan: Scan::new(source),
        budget,
        out: String::with_capacity(source.len()),
        flags: Flags::default(),
        level: Level::default(),
        open: Vec::new(),
        after_repeat: false,
    };
    while let Some(c) = translator.scan.peek() {
        translator.element(c)?;
    }
    match translator.open.last() {
        None => Ok(translator.out),
        Some(group) => {
            let message = "regular expression: the group `(` is never closed";
            Err(Fault::new(group.at, message))
        }
    }
}

/// Something that a repetition can follow.
#[derive(Clone, Copy)]
struct Atom {
    /// Where it begins in the output.
    start: usize,
    /// Whether a repetition may follow as it stands, or it must be put in a group first.
    closed: bool,
    weight: Weight,
}

/// What is known of the level of groups being read.
#[derive(Default)]
struct Level {
    /// What a repetition that comes next would repeat.
    last: Option<Atom>,
    /// The heaviest of what stands before it.
    before: Weight,
}

impl Level {
    /// Notes an element beside those before.
    fn push(&mut self, atom: Atom) {
        self.before = self.weight();
        self.last = Some(atom);
    }

    /// Begins an alternative.
    fn alternative(&mut self) {
        self.before = self.weight();
        self.last = None;
    }

    /// The heaviest of all.
    fn weight(&self) -> Weight {
        self.last
            .map_or(self.before, |last| self.before.beside(last.weight))
    }
}

/// A group that is open.
struct Group {
    /// Where it begins in the expression.
    at: usize,
    /// Where it begins in the output.
    start: usize,
    /// The flags outside.
    flags: Flags,
    /// The level outside.
    level: Level,
}

struct Translator<'a, 'b> {
    scan: Scan<'a>,
    budget: &'b mut Budget,
    out: String,
    flags: Flags,
    level: Level,
    open: Vec<Group>,
    /// Whether the element before was a repetition.
    after_repeat: bool,
}

impl Translator<'_, '_> {
    /// Reads one element, which begins with `c`.
    fn element(&mut self, c: char) -> Result<(), Fault> {
        let after_repeat = std::mem::take(&mut self.after_repeat);
        match c {
            '(' => self.group()?,
            ')' => self.close()?,
            '|' => {
                self.scan.bump();
                self.out.push('|');
                self.level.alternative();
            }
            '^' => self.take("^", if self.flags.lines { "(?m:^)" } else { r"\A" }),
            '$' => self.take("$", if self.flags.lines { "(?m:$)" } else { r"\z" }),
            '.' => self.take(
                ".",
                if self.flags.dot_all {
                    "(?s:.)"
                } else {
                    r"[^\n]"
                },
            ),
            '[' => {
                let at = self.scan.at();
                let class = class::class(&mut self.scan, self.budget)?;
                self.class(&class, at)?;
            }
            '*' | '+' | '?' | '{' => self.repeat(c, after_repeat)?,
            '\\' => self.backslash()?,
            c => {
                self.scan.bump();
                self.literal(u32::from(c));
            }
        }
        Ok(())
    }

    /// Takes `text` and writes an element that is ready to be repeated in a group.
    fn take(&mut self, text: &str, element: &str) {
        self.scan.eat(text);
        self.atom(element, false);
    }

    /// Writes an element.
    fn atom(&mut self, element: &str, closed: bool) {
        let start = self.out.len();
        self.out.push_str(element);
        self.level.push(Atom {
            start,
            closed,
            weight: Weight::default(),
        });
    }

    /// Writes a class that stands at `at`, in the letter cases asked for.
    fn class(&mut self, class: &str, at: usize) -> Result<(), Fault> {
        if self.flags.fold {
            self.budget.class(at)?;
            self.atom(&format!("(?i:{class})"), true);
        } else {
            self.atom(class, true);
        }
        Ok(())
    }

    /// Writes one code point, in the letter cases asked for.
    fn literal(&mut self, code: u32) {
        let Some(c) = char::from_u32(code) else {
            return self.atom(NOTHING, true); // half of a surrogate pair
        };
        let text = regex_syntax::escape(c.encode_utf8(&mut [0; 4]));
        if self.flags.fold && (c.is_ascii_alphabetic() || !c.is_ascii()) {
            self.atom(&format!("(?i:{text})"), true);
        } else {
            self.atom(&text, true);
        }
    }

    /// Reads what begins with a backslash outside brackets.
    fn backslash(&mut self) -> Result<(), Fault> {
        let start = self.scan;
        match self.scan.rest().chars().nth(1) {
            Some('A') => self.take(r"\A", r"\A"),
            Some('z') => self.take(r"\z", r"\z"),
            Some('b') => self.take(r"\b", r"(?-u:\b)"),
            Some('B') => self.take(r"\B", NOT_WORD_BOUNDARY),
            Some('Q') => self.verbatim(),
            Some('C') => {
                let message = "regular expression: `\\C`, a single byte, is not available";
                return Err(Fault::new(start.at(), message));
            }
            Some(c @ 'Z') => {
                let mut fault = escape::unknown(c, start);
                fault.message.push_str("; the end of the text is `\\z`");
                return Err(fault);
            }
            _ => match escape::escape(&mut self.scan, self.budget)? {
                Escape::Code(code) => self.literal(code),
                Escape::Class(class) => self.class(&class, start.at())?,
            },
        }
        Ok(())
    }

    /// Reads `\Q..\E`, or `\Q..` to the end of the expression: characters that mean themselves.
    fn verbatim(&mut self) {
        self.scan.eat(r"\Q");
        let text = self.scan.take_until(r"\E");
        for c in text.unwrap_or_else(|| self.scan.take_all()).chars() {
            self.literal(u32::from(c));
        }
    }

    /// Reads what begins with a parenthesis: a group, or flags for the rest of this one.
    fn group(&mut self) -> Result<(), Fault> {
        let at = self.scan.at();
        let outside = self.flags;
        if self.scan.eat("(?P<") || self.scan.eat("(?<") {
            self.group_name(at)?;
        } else if self.scan.eat("(?") {
            let (flags, end) = self.flags.read(&mut self.scan, at)?;
            self.flags = flags;
            if end == ')' {
                return Ok(());
            }
        } else {
            self.scan.bump();
        }
        if self.open.len() >= PATTERN_DEPTH_MAX as usize {
            return Err(weight::too_deep(at));
        }
        let start = self.out.len();
        self.out.push_str("(?:");
        let level = std::mem::take(&mut self.level);
        self.open.push(Group {
            at,
            start,
            flags: outside,
            level,
        });
        Ok(())
    }

    /// Reads the name of a group and its `>`. Two groups may have the same name.
    fn group_name(&mut self, at: usize) -> Result<(), Fault> {
        if matches!(self.scan.peek(), Some('=' | '!')) {
            return Err(flags::look_around(at));
        }
        let name = self.scan.take_until(">").unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message =
                "regular expression: a group's name is letters, digits and `_`, and `>` after it";
            return Err(Fault::new(at, message));
        }
        Ok(())
    }

    /// Reads a closing parenthesis.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(group) = self.open.pop() else {
            let message = "regular expression: this `)` closes no group";
            return Err(Fault::new(self.scan.at(), message));
        };
        self.scan.bump();
        self.out.push(')');
        self.flags = group.flags;
        let inside = std::mem::replace(&mut self.level, group.level).weight();
        let weight = inside.around(inside.repeats, group.at)?;
        self.level.push(Atom {
            start: group.start,
            closed: true,
            weight,
        });
        Ok(())
    }

    /// Reads a repetition, or a brace that means itself.
    fn repeat(&mut self, c: char, after_repeat: bool) -> Result<(), Fault> {
        let start = self.scan;
        let counts = if c == '{' {
            let Some(counts) = Counts::read(&mut self.scan) else {
                self.scan.bump();
                self.literal(u32::from(c));
                return Ok(());
            };
            counts.check(start.at())?;
            Some(counts)
        } else {
            self.scan.bump();
            None
        };
        let operator = start
            .rest()
            .get(..self.scan.at() - start.at())
            .unwrap_or_default();
        self.scan.eat("?"); // reluctant, which makes no difference here
        if after_repeat {
            let message = format!(
                "regular expression: the repetition `{operator}` follows another; put the first in \
                 a group"
            );
            return Err(Fault::new(start.at(), message));
        }
        let Some(atom) = self.level.last else {
            let message =
                format!("regular expression: there is nothing that `{operator}` could repeat");
            return Err(Fault::new(start.at(), message));
        };
        let inner = atom.weight.repeats;
        let repeats = counts.map_or(inner, |counts| counts.times(inner));
        let weight = atom.weight.around(repeats, start.at())?;
        if !atom.closed {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        self.level.last = Some(Atom {
            start: atom.start,
            closed: false,
            weight,
        });
        self.after_repeat = true;
        Ok(())
    }
}
