//! The test card: what one should see, and the picture by which to see whether it is so.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::tui::gallery::{Frame, FrameBody};
use crate::tui::widget;

/// The room for the picture of a card below so many lines of text, on a screen of this size.
#[must_use]
pub fn card_room((width, height): (u16, u16), lines: usize) -> Rect {
    let below = u16::try_from(lines).unwrap_or(u16::MAX).min(height);
    Rect::new(0, below, width, height - below)
}

/// Draws a card: lines, and the picture in the middle of the rest. Answers with the cells that the
/// picture covers.
pub fn card(lines: &[String], picture: &Frame, screen: &mut ratatui::Frame<'_>) -> Rect {
    let area = screen.area();
    let words: Vec<Line<'_>> = lines.iter().map(|line| Line::raw(line.as_str())).collect();
    screen.render_widget(Paragraph::new(words).style(Style::new()), area);
    let room = card_room((area.width, area.height), lines.len());
    let covered = widget::picture(picture, room, screen);
    if let FrameBody::Placeholders(id) = picture.body {
        widget::anchor(id, covered, screen);
    }
    covered
}
