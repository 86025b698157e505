//! A line that never loses the end of a word: what does not fit is left out whole, the least important
//! first.

use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::tui::theme::{Meaning, Theme};

/// A piece of a line.
#[derive(Debug, Clone)]
pub struct Piece {
    text: String,
    meaning: Meaning,
    rank: u8,
}

/// A piece; those of the highest rank are left out first.
pub fn piece(rank: u8, meaning: Meaning, text: impl Into<String>) -> Piece {
    Piece { text: text.into(), meaning, rank }
}

/// The pieces in one line of `width` cells, two blanks between them.
#[must_use]
pub fn fit(mut pieces: Vec<Piece>, width: u16, theme: Theme) -> Line<'static> {
    const GAP: usize = 2;
    let width = usize::from(width);
    pieces.retain(|piece| !piece.text.is_empty());
    let used = |pieces: &[Piece]| pieces.iter().map(|p| p.text.width() + GAP).sum::<usize>();
    while pieces.len() > 1 && used(&pieces) + 1 > width + GAP {
        let least = pieces.iter().map(|piece| piece.rank).max();
        let Some(at) = pieces.iter().rposition(|piece| Some(piece.rank) == least) else { break };
        pieces.remove(at);
    }
    let mut spans = vec![Span::raw(" ")];
    for (n, piece) in pieces.iter().enumerate() {
        if n > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let text = clip(&piece.text, width.saturating_sub(1));
        spans.push(Span::styled(text, theme.style(piece.meaning)));
    }
    Line::from(spans)
}

/// A text in at most `width` cells, the cut shown as `…`.
#[must_use]
pub fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() + 1 > width {
            break;
        }
        used += grapheme.width();
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// A text in exactly `width` cells.
#[must_use]
pub fn pad(text: &str, width: usize) -> String {
    let mut out = clip(text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(out.width())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_important_goes_first_and_whole() {
        let line = |width| {
            let pieces = vec![
                piece(1, Meaning::Text, "#4821"),
                piece(9, Meaning::Text, "blocks"),
                piece(0, Meaning::Text, "OFFLINE"),
            ];
            fit(pieces, width, Theme::new(false)).to_string()
        };
        assert_eq!(line(23), " #4821  blocks  OFFLINE");
        assert_eq!(line(22), " #4821  OFFLINE");
        assert_eq!(line(14), " OFFLINE");
        assert_eq!(line(5), " OFF…");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_it_may_be(texts in prop::collection::vec("\\PC{0,9}", 0..6), width in 1u16..40) {
            let pieces = texts.iter().zip(0..).map(|(text, rank)| piece(rank, Meaning::Text, text.as_str()));
            let line = fit(pieces.collect(), width, Theme::new(false));
            prop_assert!(line.width() <= usize::from(width));
            prop_assert_eq!(pad("王小明x", usize::from(width)).width(), usize::from(width));
        }
    }
}
