//! What the browser shows, and what keys do to it. It knows no terminal.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bayplan::{Change, Event, Subject};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::cursor::{Cursor, Move};
use super::filter;
use super::place::{Place, Row};
use super::source::{Source, is_damage};
use super::tree::Tree;
use crate::failure::{Failure, Result};

/// How many changes are kept to be looked at.
const CHANGES: usize = 1_000;

/// How long a change is marked in a list.
const MARKED: Duration = Duration::from_secs(10);

/// How long after the last key a filter is applied: nobody waits for a list of half a word.
const TYPING: Duration = Duration::from_millis(120);

/// What the keys are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Focus {
    Places,
    Rows,
    Filter,
    Detail,
    Changes,
    Help,
}

/// A change, as it was told.
pub(super) struct Told {
    pub(super) at: chrono::DateTime<chrono::Utc>,
    pub(super) since: Instant,
    pub(super) event: &'static str,
    pub(super) namespace: String,
    pub(super) kind: Option<String>,
    /// `None` if it is about the namespace.
    pub(super) id: Option<String>,
}

/// One container or record.
pub(super) struct Detail {
    pub(super) id: String,
    pub(super) tree: Tree,
    pub(super) cursor: Cursor,
}

pub(super) struct App<'g> {
    pub(super) source: Source<'g>,
    pub(super) focus: Focus,
    /// Where the keys go when help, the filter or changes are closed.
    before: Focus,
    pub(super) places: Vec<Place>,
    pub(super) place: Cursor,
    pub(super) rows: Vec<Row>,
    pub(super) row: Cursor,
    pub(super) filter: filter::Line,
    /// When the filter is to be applied.
    typed: Option<Instant>,
    pub(super) detail: Option<Detail>,
    pub(super) changes: VecDeque<Told>,
    pub(super) change: Cursor,
    /// What went wrong last.
    pub(super) problem: Option<String>,
    pub(super) is_damaged: bool,
    pub(super) is_ended: bool,
}

impl<'g> App<'g> {
    pub(super) fn new(source: Source<'g>, namespace: Option<&str>) -> Result<Self> {
        let places = source.places()?;
        let mut app = Self {
            source,
            focus: Focus::Rows,
            before: Focus::Rows,
            places,
            place: Cursor::default(),
            rows: Vec::new(),
            row: Cursor::default(),
            filter: filter::Line::default(),
            typed: None,
            detail: None,
            changes: VecDeque::new(),
            change: Cursor::default(),
            problem: None,
            is_damaged: false,
            is_ended: false,
        };
        let wanted = app
            .places
            .iter()
            .position(|place| Some(place.namespace.as_str()) == namespace);
        // Without the one that is meant, the first that holds something.
        let first = || app.places.iter().position(|place| place.count != Some(0));
        if let Some(line) = wanted.or_else(first) {
            app.place.select(line);
        }
        app.list();
        Ok(app)
    }

    /// The selected place.
    pub(super) fn here(&self) -> Option<&Place> {
        self.places.get(self.place.selected())
    }

    /// What happened to this row a short time ago.
    pub(super) fn mark(&self, row: &Row) -> Option<&'static str> {
        let here = self.here()?;
        let recent = self.changes.iter().rev();
        recent
            .take_while(|told| told.since.elapsed() < MARKED)
            .find(|told| {
                told.id.as_deref() == Some(row.id.as_str())
                    && told.namespace == here.namespace
                    && told.kind == here.kind
            })
            .map(|told| told.event)
    }

    /// Does what is due without a key. Returns false if nothing was.
    pub(super) fn tick(&mut self) -> bool {
        let is_typed = self.typed.is_some_and(|typed| typed.elapsed() >= TYPING);
        if is_typed {
            self.typed = None;
            self.list();
        }
        let has_changed = self.source.has_changed();
        if has_changed {
            self.refresh();
        }
        is_typed || has_changed
    }

    fn refresh(&mut self) {
        match self.source.refresh() {
            Ok(changes) => {
                self.problem = None;
                self.changes.extend(changes.into_iter().map(told));
                let excess = self.changes.len().saturating_sub(CHANGES);
                self.changes.drain(..excess);
                let here = self.here().cloned();
                if let Some(places) = self.accept(self.source.places()) {
                    self.places = places;
                    let same = |place: &Place| here.as_ref().is_some_and(|it| place.is_same(it));
                    if let Some(line) = self.places.iter().position(same) {
                        self.place.select(line);
                    }
                }
                self.list();
                self.show();
            }
            Err(failure) => {
                self.accept::<()>(Err(failure));
            }
        }
    }

    /// Reads the list anew, and stays at the same id.
    fn list(&mut self) {
        let Some(here) = self.here().cloned() else {
            self.rows.clear();
            return;
        };
        let selected = self.rows.get(self.row.selected()).map(|row| row.id.clone());
        let rows = self.source.rows(&here, self.filter.filters());
        if let Some(rows) = self.accept(rows) {
            self.rows = rows;
            // What is gone leaves its line to what comes after it.
            let same = selected.map(|id| self.rows.partition_point(|row| row.id < id));
            self.row.select(same.unwrap_or_default());
        }
    }

    /// Reads the detail that is shown anew.
    fn show(&mut self) {
        let (Some(here), Some(detail)) = (self.here().cloned(), &self.detail) else {
            return;
        };
        let id = detail.id.clone();
        let text = self.source.whole(&here, &id);
        if let Some(text) = self.accept(text)
            && let Some(detail) = &mut self.detail
        {
            detail.tree.replace(&text);
        }
    }

    fn open(&mut self) {
        let (Some(here), Some(row)) = (self.here().cloned(), self.rows.get(self.row.selected()))
        else {
            return;
        };
        let id = row.id.clone();
        let text = self.source.whole(&here, &id);
        if let Some(text) = self.accept(text) {
            self.detail = Some(Detail {
                id,
                tree: Tree::new(&text),
                cursor: Cursor::default(),
            });
            self.focus = Focus::Detail;
        }
    }

    /// What was read, or nothing; then what went wrong is told.
    fn accept<T>(&mut self, read: Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(failure) => {
                self.is_damaged |= is_damage(&failure);
                self.problem = Some(Failure::message(&failure));
                None
            }
        }
    }

    pub(super) fn press(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            self.is_ended = true;
            return;
        }
        self.problem = None;
        match self.focus {
            Focus::Filter => self.press_in_filter(key.code, is_control),
            Focus::Help => self.focus = self.before,
            _ => self.press_in_view(key.code),
        }
    }

    fn press_in_filter(&mut self, key: KeyCode, is_control: bool) {
        match key {
            KeyCode::Esc => {
                self.filter.clear();
                self.focus = Focus::Rows;
            }
            KeyCode::Enter | KeyCode::Down => self.focus = Focus::Rows,
            KeyCode::Backspace => self.filter.pop(),
            KeyCode::Char('u') if is_control => self.filter.clear(),
            KeyCode::Char(character) if !is_control => self.filter.push(character),
            _ => return,
        }
        self.typed = Some(Instant::now());
    }

    fn press_in_view(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('q') => self.is_ended = true,
            KeyCode::Char('?') | KeyCode::F(1) => {
                self.before = self.focus;
                self.focus = Focus::Help;
            }
            KeyCode::Char('r') | KeyCode::F(5) => self.refresh(),
            KeyCode::Char('/') => {
                self.detail = None;
                self.focus = Focus::Filter;
            }
            KeyCode::Char('c') => match self.focus {
                Focus::Changes => self.focus = self.before,
                focus => {
                    self.before = focus;
                    self.focus = Focus::Changes;
                    self.change.select(self.changes.len().saturating_sub(1));
                }
            },
            key => match movement(key) {
                Some(by) => self.go(by),
                None => self.press_here(key),
            },
        }
    }

    fn go(&mut self, by: Move) {
        match self.focus {
            Focus::Places => {
                let before = self.place.selected();
                self.place.go(by, self.places.len());
                if self.place.selected() != before {
                    self.rows.clear();
                    self.row = Cursor::default();
                    self.list();
                }
            }
            Focus::Detail => {
                if let Some(detail) = &mut self.detail {
                    let length = detail.tree.visible().len();
                    detail.cursor.go(by, length);
                }
            }
            Focus::Changes => self.change.go(by, self.changes.len()),
            _ => self.row.go(by, self.rows.len()),
        }
    }

    /// A key that means something else in each part.
    fn press_here(&mut self, key: KeyCode) {
        let is_back = matches!(key, KeyCode::Esc | KeyCode::Backspace);
        match (self.focus, key) {
            (
                Focus::Places,
                KeyCode::Tab | KeyCode::Right | KeyCode::Enter | KeyCode::Char('l'),
            ) => {
                self.focus = Focus::Rows;
            }
            (Focus::Rows, KeyCode::Enter | KeyCode::Right | KeyCode::Char('l')) => self.open(),
            (Focus::Rows, KeyCode::Esc) if !self.filter.text().is_empty() => {
                self.filter.clear();
                self.list();
            }
            (Focus::Rows, KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h')) => {
                self.focus = Focus::Places;
            }
            (Focus::Changes, _) if is_back => self.focus = self.before,
            (Focus::Detail, _) if is_back => {
                self.detail = None;
                self.focus = Focus::Rows;
            }
            (Focus::Detail, key) => {
                if let Some(detail) = &mut self.detail
                    && !detail.press(key)
                {
                    self.detail = None;
                    self.focus = Focus::Rows;
                }
            }
            _ => {}
        }
    }
}

impl Detail {
    /// Folds and unfolds. Returns false if the key leads out.
    fn press(&mut self, key: KeyCode) -> bool {
        let visible = self.tree.visible();
        let Some(&line) = visible.get(self.cursor.selected()) else {
            return !matches!(key, KeyCode::Left | KeyCode::Char('h'));
        };
        match key {
            KeyCode::Enter | KeyCode::Char(' ') => self.tree.toggle(line),
            KeyCode::Right | KeyCode::Char('l') => self.tree.unfold(line),
            // First the block that begins here, then the one around it.
            KeyCode::Left | KeyCode::Char('h') => {
                let is_folded = self.tree.fold(line);
                match self.tree.parent(line) {
                    _ if is_folded => {}
                    Some(parent) => {
                        let at = visible.iter().position(|it| *it == parent);
                        self.cursor.select(at.unwrap_or_default());
                    }
                    None => return false,
                }
            }
            KeyCode::Char('e') => self.tree.unfold_all(),
            KeyCode::Char('f') => {
                self.tree.fold_all();
                self.cursor.select(0);
            }
            _ => {}
        }
        true
    }
}

fn movement(key: KeyCode) -> Option<Move> {
    Some(match key {
        KeyCode::Up | KeyCode::Char('k') => Move::Up,
        KeyCode::Down | KeyCode::Char('j') => Move::Down,
        KeyCode::PageUp => Move::PageUp,
        KeyCode::PageDown => Move::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Move::First,
        KeyCode::End | KeyCode::Char('G') => Move::Last,
        _ => return None,
    })
}

fn told(change: Change) -> Told {
    let (kind, id, event) = match change.subject {
        Subject::Container { id, event } => (None, Some(id), name(&event)),
        Subject::Record { kind, id, event } => (Some(kind), Some(id), name(&event)),
        Subject::Namespace(event) => (None, None, name(&event)),
        _ => (None, None, "changed"),
    };
    Told {
        at: chrono::Utc::now(),
        since: Instant::now(),
        event,
        namespace: change.namespace.to_string(),
        kind,
        id,
    }
}

fn name<T>(event: &Event<T>) -> &'static str {
    match event {
        Event::Created(_) => "created",
        Event::Updated(_) => "updated",
        _ => "deleted",
    }
}
