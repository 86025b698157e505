//! One line of text being typed: a comment, a filter. Moves by graphemes, so a name in any script is
//! edited as a person sees it.

use unicode_segmentation::UnicodeSegmentation;

use crate::input::{Key, KeyCode};

/// One line of text and a cursor in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    before: String,
    after: String,
}

impl Line {
    /// Longest text, in characters.
    pub const MOST: usize = 400;

    /// A line that holds `text`, the cursor at its end.
    #[must_use]
    pub fn holding(text: &str) -> Self {
        Self { before: text.to_owned(), after: String::new() }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// The text before and after the cursor.
    #[must_use]
    pub fn halves(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }

    /// Puts a text in at the cursor; control characters become blanks, what is too long is left out.
    pub fn insert(&mut self, text: &str) {
        let room = Self::MOST.saturating_sub(self.text().chars().count());
        self.before.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(room));
    }

    /// Acts on an editing key; anything else does nothing.
    pub fn key(&mut self, key: Key) {
        match (key.code, key.ctrl) {
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => {
                self.after = self.text();
                self.before.clear();
            }
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => {
                self.before = self.text();
                self.after.clear();
            }
            (KeyCode::Char('u'), true) => self.before.clear(),
            (KeyCode::Char('k'), true) => self.after.clear(),
            (KeyCode::Char('w'), true) => {
                let kept = self.before.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.before.truncate(kept);
            }
            (KeyCode::Char(c), false) if !key.alt => self.insert(c.encode_utf8(&mut [0; 4])),
            (KeyCode::Backspace, _) => {
                let cut = self.before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
                self.before.truncate(cut);
            }
            (KeyCode::Delete, _) => {
                let cut = self.after.graphemes(true).next().map_or(0, str::len);
                self.after.drain(..cut);
            }
            (KeyCode::Left, _) => {
                let cut = self.before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
                let moved = self.before.split_off(cut);
                self.after.insert_str(0, &moved);
            }
            (KeyCode::Right, _) => {
                let cut = self.after.graphemes(true).next().map_or(0, str::len);
                let moved: String = self.after.drain(..cut).collect();
                self.before.push_str(&moved);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_moves_by_what_a_person_sees() {
        let mut line = Line::default();
        line.insert("né\u{301}e\n!");
        assert_eq!(line.text(), "né\u{301}e !");
        for code in [KeyCode::Backspace, KeyCode::Backspace, KeyCode::Backspace, KeyCode::Backspace]
        {
            line.key(Key::plain(code));
        }
        assert_eq!(line.text(), "n");
        line.key(Key::plain(KeyCode::Left));
        line.key(Key::char('a'));
        assert_eq!(line.halves(), ("a", "n"));
        line.key(Key::ctrl('k'));
        assert_eq!(line.text(), "a");
    }
}
