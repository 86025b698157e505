//! One frame: the screen, what lies over it, and where pictures were placed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Paragraph};

use super::gallery::{FrameBody, FrameKey, Gallery};
use super::layout::SMALLEST;
use super::theme::{Meaning, Theme};
use super::{screen, widget};
use crate::core::{Model, Overlay, Screen};

/// A picture placed in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPicture {
    /// Which.
    pub key: FrameKey,
    /// The cells it covers.
    pub area: Rect,
}

/// What a frame placed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// The pictures, subject first.
    pub pictures: Vec<PlacedPicture>,
}

impl Drawn {
    /// Whether both pictures of a pair stand in the frame.
    #[must_use]
    pub fn is_pair(&self) -> bool {
        let has = |subject: bool| self.pictures.iter().any(|p| p.key.side.is_subject() == subject);
        has(true) && has(false)
    }
}

/// Draws the model.
pub fn draw(model: &Model, gallery: &Gallery, theme: Theme, frame: &mut Frame<'_>) -> Drawn {
    let area = frame.area();
    if matches!(model.overlays.last(), Some(Overlay::Curtain)) {
        let words = Paragraph::new("secondlook: curtain. Any key brings the screen back.");
        frame.render_widget(words.style(theme.style(Meaning::Muted)), area);
        return Drawn::default();
    }
    if !model.fits() {
        too_small(model, theme, frame);
        return Drawn::default();
    }
    let drawn = match model.screen {
        Screen::Review => screen::review(model, gallery, theme, frame),
        Screen::Queue => {
            screen::queue(model, theme, frame);
            Drawn::default()
        }
        Screen::History => {
            screen::history(model, theme, frame);
            Drawn::default()
        }
        Screen::Statistics => {
            screen::statistics(model, theme, frame);
            Drawn::default()
        }
    };
    match model.overlays.last() {
        Some(Overlay::Help(line)) => {
            frame.render_widget(Clear, area);
            screen::help(model, *line, theme, frame);
        }
        Some(Overlay::Quit) => {
            frame.render_widget(Clear, area);
            screen::quit(model, theme, frame);
        }
        Some(Overlay::Filter(line)) => widget::entry(model, "filter", line, theme, frame),
        Some(Overlay::Comment(line)) => widget::entry(model, "comment", line, theme, frame),
        Some(Overlay::Reason) => screen::reasons(model, theme, frame),
        Some(Overlay::Interlock(lock)) => {
            screen::interlock(model, lock, drawn.is_pair(), theme, frame)
        }
        Some(Overlay::Curtain) | None => {}
    }
    for placed in &drawn.pictures {
        if let Some(FrameBody::Placeholders(id)) = gallery.get(&placed.key).map(|f| &f.body) {
            widget::anchor(*id, placed.area, frame);
        }
    }
    if model.pictures_visible() { drawn } else { Drawn::default() }
}

fn too_small(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let (width, height) = model.size;
    let text = format!(
        "Too small for faces ({width}x{height}, needs {}x{}): decision keys are off. Enlarge the window.",
        SMALLEST.0, SMALLEST.1
    );
    let words = Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(words.style(theme.style(Meaning::Warn)), frame.area());
}
