//! The line for a filter.

use bayplan::{Filter, Filters};

/// What is typed, and what it means.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// The last one that could be read.
    filters: Filters,
    /// What is wrong with the text, in lines, with a caret below the place.
    problem: Option<String>,
}

impl Line {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(super) fn filters(&self) -> &Filters {
        &self.filters
    }

    pub(super) fn push(&mut self, character: char) {
        self.text.push(character);
        self.read();
    }

    pub(super) fn pop(&mut self) {
        self.text.pop();
        self.read();
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.read();
    }

    fn read(&mut self) {
        let text = self.text.trim();
        match of(text) {
            Ok(filters) => {
                // As `ls` warns: such a filter finds nothing, or everything.
                let unknown = filters.unknown_fields().next();
                self.problem = unknown.map(|unknown| format!("warning: {unknown}"));
                self.filters = filters;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }
}

/// A filter, or a part of an id.
fn of(text: &str) -> Result<Filters, String> {
    if text.is_empty() {
        return Ok(Filters::default());
    }
    let is_word = text
        .chars()
        .all(|it| it.is_alphanumeric() || "._-/:".contains(it));
    let filter = Filter::parse(text);
    match filter {
        // The name of a field asks for what has it; another word is looked for in ids.
        Ok(filter) if !is_word || filter.unknown_fields().next().is_none() => {
            Ok(Filters::from(filter))
        }
        Err(error) if !is_word => Err(error.to_string()),
        _ => Filter::id()
            .matches(&text.replace('.', "[.]"))
            .map(Filters::from)
            .map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bayplan::{Any, Container, Runtime, Stored};

    use super::*;

    fn line(text: &str) -> Line {
        let mut line = Line::default();
        text.chars().for_each(|character| line.push(character));
        line
    }

    #[test]
    fn a_word_is_looked_for_in_ids_and_a_filter_is_one() {
        let spec = Any::new("spec", "{}");
        let container = Container::new("web.1", Runtime::new("runc"), spec).label("app", "nginx");
        for (text, matches) in [
            ("", true),
            ("  ", true),
            ("web", true),
            ("b.1", true),
            ("b-1", false),
            ("labels.app", true),
            ("labels.tier", false),
            ("labels.app==nginx", true),
            ("id~=^web", true),
            ("image==x", false),
        ] {
            let line = line(text);
            assert_eq!(line.problem(), None, "{text}");
            assert_eq!(container.matches(line.filters()), matches, "{text}");
        }
    }

    #[test]
    fn what_is_half_typed_keeps_the_last_filter_and_is_told() {
        let mut line = line("id==web");
        let before = line.filters().clone();
        line.push(',');
        line.push('=');
        assert!(line.problem().is_some_and(|problem| problem.contains('^')));
        assert_eq!(line.filters(), &before);
        line.clear();
        assert!(line.filters().is_all() && line.problem().is_none());
    }
}
