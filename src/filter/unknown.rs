//! Paths that name no field: the message, and the suggestion.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::model::field::{Field, name};

use super::chars;
use super::error::{Fault, FilterError};
use super::print::Parts;
use super::selector::Path;

/// A field that a [`Filter`](crate::Filter) names and no container can have.
///
/// Displayed, the first line says what is wrong and suggests a field, followed by the filter with a caret
/// under the field. As a [`FilterError`] it says the same.
#[derive(Clone, Debug)]
pub struct UnknownField {
    /// The filter; for a built one, only the path.
    text: Arc<str>,
    place: Range<usize>,
    parts: Vec<Vec<u8>>,
    index: Option<usize>,
}

/// The fields, as a message lists them.
const FIELDS: &str = "id, image, runtime.name, labels.KEY, extensions.NAME, snapshotter, \
                      snapshotkey, sandboxid";

/// The longest suggestion that a message shows whole, in bytes.
const SUGGESTION_MAX_BYTES: usize = 200;

/// Other names that people use for a field, in the form of [`plain`].
const ALIASES: [(&str, &str); 10] = [
    ("name", name::ID),
    ("container", name::ID),
    ("containerid", name::ID),
    ("containername", name::ID),
    ("runtimename", name::RUNTIME),
    ("snapshot", name::SNAPSHOT_KEY),
    ("snapshotid", name::SNAPSHOT_KEY),
    ("sandbox", name::SANDBOX_ID),
    ("pod", name::SANDBOX_ID),
    ("podid", name::SANDBOX_ID),
];

/// The first words of paths to fields.
const WORDS: [&str; 8] = [
    name::ID,
    name::IMAGE,
    name::RUNTIME,
    name::LABELS,
    name::EXTENSIONS,
    name::SNAPSHOTTER,
    name::SNAPSHOT_KEY,
    name::SANDBOX_ID,
];

impl UnknownField {
    /// The path of these parts, at a place in a filter.
    pub(super) fn new(text: Arc<str>, place: Range<usize>, parts: Vec<Vec<u8>>) -> UnknownField {
        UnknownField {
            text,
            place,
            parts,
            index: None,
        }
    }

    /// The path of these parts, without a text.
    pub(super) fn built(parts: Vec<Vec<u8>>) -> UnknownField {
        let text = Parts(&parts).to_string();
        UnknownField::new(text.as_str().into(), 0..text.len(), parts)
    }

    /// Its text, to be shared.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Sets the index of its filter.
    pub(super) fn set_index(&mut self, index: usize) {
        self.index = Some(index);
    }

    /// Returns the filter that names it; for a built filter, only the field.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.text
    }

    /// Returns the field as written.
    #[must_use]
    pub fn field(&self) -> &str {
        self.text.get(self.place.clone()).unwrap_or_default()
    }

    /// Returns its position: a byte offset into [`filter`](UnknownField::filter).
    #[must_use]
    pub fn position(&self) -> usize {
        self.place.start
    }

    /// Returns the index of the filter, counted from 0, if [`Filters::parse`](crate::Filters::parse) found it.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// Returns the nearest known field in the syntax of a filter, if one is near.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        nearest(&self.parts).map(|field| Path::from(field).to_string())
    }

    /// Returns what is wrong, on one line.
    #[must_use]
    pub fn message(&self) -> String {
        let written = chars::excerpt(self.field());
        let fault = match Field::resolve(&self.parts) {
            // Containers have no type; records have.
            Field::Unknown | Field::Type => {
                format!("unknown field {written}, absent in every container")
            }
            Field::Label(_) | Field::Extension(_) => {
                format!("{written} without a key is absent in every container")
            }
            known => {
                let known = Path::from(known);
                format!("{written} is read as `{known}`, and what follows is ignored")
            }
        };
        match self.suggestion() {
            Some(near) if near.len() > SUGGESTION_MAX_BYTES => {
                format!("{fault}; did you mean {}?", chars::excerpt(&near))
            }
            Some(near) => format!("{fault}; did you mean `{near}`?"),
            None => format!("{fault}; the fields are {FIELDS}"),
        }
    }
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FilterError::from(self).fmt(f)
    }
}

impl From<&UnknownField> for FilterError {
    fn from(unknown: &UnknownField) -> FilterError {
        let fault = Fault::new(unknown.position(), unknown.message());
        let error = FilterError::new(unknown.filter(), fault);
        match unknown.index {
            Some(index) => error.at_index(index),
            None => error,
        }
    }
}

/// The error for the first of these, if there is one.
pub(super) fn refuse<'u>(
    mut unknown: impl Iterator<Item = &'u UnknownField>,
) -> Result<(), FilterError> {
    unknown.next().map_or(Ok(()), |first| Err(first.into()))
}

/// Returns the known field that is nearest to a path.
fn nearest(parts: &[Vec<u8>]) -> Option<Field> {
    let (first, rest) = parts.split_first()?;
    let key = |placeholder: &str| match rest.join(&b'.') {
        key if key.is_empty() => placeholder.as_bytes().to_vec(),
        key => key,
    };
    Some(match nearest_word(str::from_utf8(first).ok()?)? {
        name::LABELS => Field::Label(key("KEY")),
        name::EXTENSIONS => Field::Extension(key("NAME")),
        name::RUNTIME => Field::RuntimeName,
        word => Field::resolve(&[word.as_bytes().to_vec()]),
    })
}

/// Returns the word that was probably meant: the same word, another name for it, or one with one or two typing errors.
fn nearest_word(written: &str) -> Option<&'static str> {
    let word = plain(written)?;
    if let Some(known) = WORDS.into_iter().find(|known| *known == word) {
        return Some(known);
    }
    if let Some((_, known)) = ALIASES.into_iter().find(|(alias, _)| *alias == word) {
        return Some(known);
    }
    let slips = |known: &&str| distance(word.as_bytes(), known.as_bytes());
    let near = WORDS.into_iter().min_by_key(slips)?;
    let most = match word.len() {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    (slips(&near) <= most).then_some(near)
}

/// A word in lower case, without `_` and `-`; `None` if it is longer than any known word.
fn plain(word: &str) -> Option<String> {
    const WORD_MAX_BYTES: usize = 24;
    let letters = word.chars().filter(|c| !matches!(c, '_' | '-'));
    (word.len() <= WORD_MAX_BYTES).then(|| letters.map(|c| c.to_ascii_lowercase()).collect())
}

/// How many insertions, deletions, replacements or swaps of neighbouring bytes turn one word into the
/// other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous_byte = None;
    for (row, &byte) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        let mut left = row + 1;
        let mut previous_other = None;
        for (column, (&with, pair)) in other.iter().zip(last.windows(2)).enumerate() {
            let [diagonal, above] = *pair else { continue };
            let replaced = diagonal + usize::from(byte != with);
            left = replaced.min(above + 1).min(left + 1);
            if previous_byte == Some(with) && previous_other == Some(byte) {
                let swapped: Option<&usize> = before_last.get(column.saturating_sub(1));
                left = left.min(swapped.map_or(left, |cost| cost + 1));
            }
            line.push(left);
            previous_other = Some(with);
        }
        before_last = std::mem::replace(&mut last, line);
        previous_byte = Some(byte);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_slips() {
        for (one, other, slips) in [
            ("", "", 0),
            ("", "id", 2),
            ("image", "image", 0),
            ("imgae", "image", 1),
            ("di", "id", 1),
            ("images", "image", 1),
            ("mage", "image", 1),
            ("inage", "image", 1),
            ("snapshooter", "snapshotter", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), slips, "{one}");
            assert_eq!(distance(other.as_bytes(), one.as_bytes()), slips, "{one}");
        }
    }

    #[test]
    fn the_words_and_aliases_are_as_they_are_compared() {
        for word in WORDS.into_iter().chain(ALIASES.map(|(alias, _)| alias)) {
            assert_eq!(plain(word).as_deref(), Some(word));
        }
    }
}
