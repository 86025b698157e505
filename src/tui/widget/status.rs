//! The lines every screen has: where we are, the last word, a line being typed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use crate::core::{Line as Typed, Link, Model, PictureState, Severity};
use crate::domain::{DeliveryState, Millis};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{clip, fit, piece};

/// Minutes and seconds until a moment: `41:07`; `--:--` when it is past.
#[must_use]
pub fn duration(from: Millis, until: Millis) -> String {
    let seconds = until.since(from) / 1000;
    if seconds < 0 {
        "--:--".to_owned()
    } else {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    }
}

/// The top line. What is wrong stays to the last.
pub fn status_line(model: &Model, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let unsent = model.unsent();
    let at = model.cursor_index().map_or(0, |i| model.queue.offset + i as u64 + 1);
    // Far from both ends of a long queue nobody waits until all before it are counted.
    let about = if model.queue.about { "~" } else { "" };
    let mut pieces = vec![piece(4, Meaning::Title, format!("{about}{at}/{}", model.queue.total))];
    if let Some(row) = model.desk.as_ref().and_then(|d| model.row(&d.key)) {
        pieces.push(piece(1, Meaning::Text, row.case.name()));
    }
    if let Some(until) = images_until(model) {
        pieces.push(piece(5, Meaning::Muted, format!("img {}", duration(model.now, until))));
    }
    let mut count = |n: usize, name: &str, some: (u8, Meaning), none: Option<u8>| {
        let text = format!("{name} {n}");
        match (n, none) {
            (0, None) => {}
            (0, Some(rank)) => pieces.push(piece(rank, Meaning::Muted, text)),
            _ => pieces.push(piece(some.0, some.1, text)),
        }
    };
    count(unsent.held, "held", (2, Meaning::Warn), Some(6));
    count(unsent.sending, "unsent", (2, Meaning::Warn), Some(6));
    count(unsent.conflicts, "CONFLICTS", (0, Meaning::Bad), None);
    count(unsent.refused, "REFUSED", (0, Meaning::Bad), None);
    count(unsent.half, "HALF", (0, Meaning::Bad), None);
    pieces.push(match &model.link {
        Link::Unknown => piece(5, Meaning::Muted, "connecting"),
        Link::Elsewhere => piece(5, Meaning::Muted, "a colleague looks for cases"),
        Link::Online => piece(5, Meaning::Good, "ONLINE"),
        Link::Waits(until) if until.since(model.now) < 1_000 => piece(5, Meaning::Good, "ONLINE"),
        Link::Waits(until) => {
            let seconds = until.since(model.now) / 1_000;
            piece(5, Meaning::Good, format!("ONLINE, waits {seconds} s for Didit's limit"))
        }
        Link::Down(_) => piece(0, Meaning::Bad, "OFFLINE"),
    });
    pieces.push(piece(7, Meaning::Muted, clip(&model.settings.reviewer.name, 20)));
    pieces.push(piece(3, Meaning::Title, clip(&model.settings.place, 32)));
    pieces.push(piece(8, Meaning::Muted, model.protocol.clone()));
    frame.render_widget(Paragraph::new(fit(pieces, area.width, theme)), area);
}

/// Until when the images of the pair on the desk may be shown: the earlier of the two.
fn images_until(model: &Model) -> Option<Millis> {
    let desk = model.desk.as_ref()?;
    desk.sides()
        .into_iter()
        .filter_map(|side| match model.picture(&desk.key, side) {
            PictureState::Ready { until, .. } => Some(*until),
            _ => None,
        })
        .min()
}

/// The bottom line: the last word, and what is held and when it is sent where there is room. A word that
/// is too long for the line takes the line above as well, for half of it could mean something else.
pub fn notice(model: &Model, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let (text, meaning) = words(model);
    let saving = if model.pending.is_empty() { "" } else { "saving" };
    let room = usize::from(area.width).saturating_sub(saving.width() + 3);
    if text.width() > room {
        let whole = if saving.is_empty() { text } else { format!("{saving}  {text}") };
        let lines = wrapped(&whole, usize::from(area.width).saturating_sub(2));
        let rows = u16::try_from(lines.len()).unwrap_or(1).min(area.y + 1);
        let area = Rect { y: area.y + 1 - rows, height: rows, ..area };
        let lines = lines.into_iter().map(|line| format!(" {line}"));
        frame.render_widget(Clear, area);
        let lines = lines.map(|line| Line::styled(line, theme.style(meaning)));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
        return;
    }
    let pieces = vec![
        piece(0, Meaning::Warn, saving),
        piece(2, Meaning::Warn, held(model)),
        piece(1, meaning, text),
    ];
    frame.render_widget(Paragraph::new(fit(pieces, area.width, theme)), area);
}

/// The last word over something that fills the bottom line: on the lines above it.
pub fn notice_above(model: &Model, theme: Theme, below: Rect, frame: &mut Frame<'_>) {
    if model.notice.is_some() && below.y > 0 {
        let area = Rect { y: below.y - 1, height: 1, ..below };
        frame.render_widget(Clear, area);
        notice(model, theme, area, frame);
    }
}

fn words(model: &Model) -> (String, Meaning) {
    match (&model.notice, &model.link) {
        (Some(notice), _) => {
            let meaning = match notice.severity {
                Severity::Info => Meaning::Text,
                Severity::Warn => Meaning::Warn,
                Severity::Error => Meaning::Bad,
            };
            (notice.text.clone(), meaning)
        }
        (None, Link::Down(why)) => (why.clone(), Meaning::Bad),
        (None, Link::Unknown | Link::Elsewhere | Link::Online | Link::Waits(_)) => {
            (String::new(), Meaning::Text)
        }
    }
}

/// The decision that is sent next, and when.
fn held(model: &Model) -> String {
    let rows = model.decided().filter(|row| row.state == DeliveryState::Held);
    rows.min_by_key(|row| row.due).map_or_else(String::new, |row| {
        let d = &row.decision;
        let name = d.case_name();
        let left = duration(model.now, row.due.max(model.now));
        format!("held: {name} {}, sends in {left}", d.disposition.word())
    })
}

/// A text in lines of at most `width` cells, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(clip(word, width)),
        }
    }
    lines
}

/// A line being typed, over the bottom line; the cursor stands in it.
pub fn entry(model: &Model, label: &str, line: &Typed, theme: Theme, frame: &mut Frame<'_>) {
    let whole = frame.area();
    let area = Rect::new(0, whole.height.saturating_sub(1), whole.width, 1);
    let (before, after) = line.halves();
    let label = format!(" {label}: ");
    let room = usize::from(area.width).saturating_sub(label.width() + 2);
    // What does not fit is cut on the left: the end is what is being typed.
    let mut start = 0;
    while before[start..].width() > room {
        start += before[start..].chars().next().map_or(1, char::len_utf8);
    }
    let shown = &before[start..];
    let column = u16::try_from(label.width() + shown.width()).unwrap_or(u16::MAX);
    frame.render_widget(Clear, area);
    let text = Line::from(vec![
        Span::styled(label, theme.style(Meaning::Title)),
        Span::raw(shown.to_owned()),
        Span::raw(after.to_owned()),
    ]);
    frame.render_widget(Paragraph::new(text), area);
    notice_above(model, theme, area, frame);
    frame.set_cursor_position((column.min(area.right().saturating_sub(1)), area.y));
}
