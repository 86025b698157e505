//! Figures of the queue and of what was decided, each with a bar: a chart that needs no colour.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::core::Model;
use crate::domain::{Figures, Section};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{bar, key_line, notice, pad, status_line};

/// Cells of a row's word and of its count.
const WORD: u16 = 18;
const COUNT: u16 = 9;

/// The statistics screen.
pub fn statistics(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let line = |y: u16| Rect::new(0, y, area.width, 1);
    status_line(model, theme, line(0), frame);
    let title = " Statistics of this store, taken-back decisions left out.";
    frame.render_widget(Paragraph::new(title).style(theme.style(Meaning::Title)), line(1));
    let body = Rect::new(0, 3, area.width, area.height.saturating_sub(5));
    match &model.statistics.figures {
        None => {
            let words = Paragraph::new(" Counting…").style(theme.style(Meaning::Muted));
            frame.render_widget(words, body);
        }
        Some(figures) => {
            let lines = lines(figures, area.width, theme);
            frame.render_widget(Paragraph::new(lines).scroll((model.statistics.scrolled, 0)), body);
        }
    }
    let keys = key_line(&model.settings.keymap, model.screen.scope(), (area.width, 1), theme);
    frame.render_widget(Paragraph::new(keys), line(area.height.saturating_sub(2)));
    notice(model, theme, line(area.height.saturating_sub(1)), frame);
}

fn lines(figures: &Figures, width: u16, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for section in figures.sections() {
        lines.push(Line::styled(format!(" {}", section.head), theme.style(Meaning::Title)));
        lines.extend(bars(&section, width.saturating_sub(WORD + COUNT + 4)));
        lines.push(Line::raw(""));
    }
    lines.push(Line::styled(" median time, seconds", theme.style(Meaning::Title)));
    let count = usize::from(COUNT);
    lines.extend(figures.times().map(|(what, seconds)| {
        Line::raw(format!("  {} {seconds:>count$}", pad(what, usize::from(WORD))))
    }));
    lines
}

fn bars(section: &Section, width: u16) -> impl Iterator<Item = Line<'static>> {
    let most = section.rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let places = usize::from(COUNT);
    section.rows.iter().map(move |(word, count)| {
        let start = format!("  {} {count:>places$} ", pad(word, usize::from(WORD)));
        Line::from(vec![Span::raw(start), Span::raw(bar(*count, most, width, true))])
    })
}
