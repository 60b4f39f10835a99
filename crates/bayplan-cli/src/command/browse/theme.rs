//! How the browser looks, with colours and without.

use ratatui::style::{Color, Modifier, Style};

/// The styles of its parts.
#[derive(Clone, Copy)]
pub(super) struct Theme {
    is_coloured: bool,
}

impl Theme {
    pub(super) fn new(is_coloured: bool) -> Self {
        Self { is_coloured }
    }

    pub(super) fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The selected line, in the part that has the keys or in another.
    pub(super) fn selected(self, has_keys: bool) -> Style {
        match has_keys {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// What was created, updated or deleted a short time ago.
    pub(super) fn event(self, event: &str) -> Style {
        self.colour(match event {
            "created" => Color::Green,
            "updated" => Color::Yellow,
            _ => Color::Red,
        })
    }

    pub(super) fn problem(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn key(self) -> Style {
        self.colour(Color::Cyan)
    }

    fn colour(self, colour: Color) -> Style {
        match self.is_coloured {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}
