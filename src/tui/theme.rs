//! Styles by meaning, so that no screen names a colour. Without colour every meaning still differs by a
//! word or a modifier: nothing is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Plain.
    Text,
    /// Of little weight now.
    Muted,
    /// A heading.
    Title,
    /// A key to press.
    Key,
    /// The line under the cursor.
    Focus,
    /// All is well; a key decides.
    Good,
    /// Look here.
    Warn,
    /// Something is wrong, or harm is near.
    Bad,
    /// Facts that agree.
    Same,
    /// Facts that differ.
    Different,
}

/// How meanings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    colour: bool,
}

impl Theme {
    /// With colour, or (`NO_COLOR`) with modifiers alone.
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Whether colours are used.
    #[must_use]
    pub fn has_colour(self) -> bool {
        self.colour
    }

    /// The style of a meaning. Only the sixteen colours that every theme of a terminal defines.
    #[must_use]
    pub fn style(self, meaning: Meaning) -> Style {
        let plain = Style::new();
        let (colour, modifier) = match meaning {
            Meaning::Text => return plain,
            Meaning::Muted => (Color::DarkGray, Modifier::DIM),
            Meaning::Title => (Color::Cyan, Modifier::BOLD),
            Meaning::Key => (Color::Yellow, Modifier::BOLD),
            Meaning::Focus => return plain.add_modifier(Modifier::REVERSED),
            Meaning::Good | Meaning::Same => (Color::Green, Modifier::BOLD),
            Meaning::Warn | Meaning::Different => (Color::Yellow, Modifier::BOLD),
            Meaning::Bad => (Color::Red, Modifier::BOLD | Modifier::REVERSED),
        };
        if self.colour && meaning == Meaning::Muted {
            plain.fg(colour)
        } else if self.colour {
            plain.fg(colour).add_modifier(modifier)
        } else {
            plain.add_modifier(modifier)
        }
    }
}
