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
    light: bool,
}

impl Theme {
    /// With colour, or (`NO_COLOR`) with modifiers alone.
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self { colour, light: false }
    }

    /// The same on a light ground, or on a dark one, as the terminal says.
    #[must_use]
    pub fn on_light(self, light: bool) -> Self {
        Self { light, ..self }
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
        // Yellow and cyan cannot be read on white, nor the light green that terminals make of a bold one.
        let light = self.light && self.colour;
        let (colour, modifier) = match meaning {
            Meaning::Title | Meaning::Key if light => (Color::Blue, Modifier::BOLD),
            Meaning::Good | Meaning::Same if light => (Color::Green, Modifier::empty()),
            Meaning::Warn | Meaning::Different if light => (Color::Magenta, Modifier::BOLD),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_light_ground_no_colour_is_lost_and_without_colour_nothing_changes() {
        let all = [
            Meaning::Text,
            Meaning::Muted,
            Meaning::Title,
            Meaning::Key,
            Meaning::Focus,
            Meaning::Good,
            Meaning::Warn,
            Meaning::Bad,
            Meaning::Same,
            Meaning::Different,
        ];
        for meaning in all {
            let light = Theme::new(true).on_light(true).style(meaning);
            let bright = [Some(Color::Yellow), Some(Color::Cyan), Some(Color::White)];
            assert!(!bright.contains(&light.fg), "{meaning:?}");
            let green_and_bold = (Some(Color::Green), Modifier::BOLD);
            assert_ne!((light.fg, light.add_modifier), green_and_bold, "{meaning:?}");
            assert_eq!(light.fg.is_some(), Theme::new(true).style(meaning).fg.is_some());
            let plain = Theme::new(false);
            assert_eq!(plain.on_light(true).style(meaning), plain.style(meaning));
        }
        assert_eq!(Theme::new(true).on_light(true).on_light(false), Theme::new(true));
    }
}
