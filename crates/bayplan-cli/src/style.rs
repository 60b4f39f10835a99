//! Colours and bold text, for terminals.

use std::env;
use std::fmt::Display;

use anstyle::{AnsiColor, Effects};

/// Whether text may be styled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    is_on: bool,
}

impl Style {
    /// What a stream takes: styles on a terminal, unless `NO_COLOR` is set or the terminal has none.
    pub(crate) fn of(is_terminal: bool) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_on: is_terminal && !is_set("NO_COLOR") && !is_dumb,
        }
    }

    pub(crate) fn is_on(self) -> bool {
        self.is_on
    }

    /// The first line of a table.
    pub(crate) fn head(self, text: impl Display) -> String {
        self.with(anstyle::Style::new().effects(Effects::BOLD), text)
    }

    /// What is there now.
    pub(crate) fn added(self, text: impl Display) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// What is not as it was.
    pub(crate) fn changed(self, text: impl Display) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// What is gone, or damaged.
    pub(crate) fn removed(self, text: impl Display) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    fn with(self, style: anstyle::Style, text: impl Display) -> String {
        match self.is_on {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_styled_only_if_that_is_on() {
        let [off, on] = [false, true].map(|is_on| Style { is_on });
        assert_eq!(off.added("+ web"), "+ web");
        assert_eq!(on.added("+ web"), "\u{1b}[32m+ web\u{1b}[0m");
        assert_eq!(on.head("NAME"), "\u{1b}[1mNAME\u{1b}[0m");
        assert!(!Style::of(false).is_on());
    }
}
