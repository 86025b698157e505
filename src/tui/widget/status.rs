//! The lines every screen has: where we are, the last word, a line being typed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use crate::core::{Line as Typed, Link, Model, PictureState, Severity, Side};
use crate::domain::{DeliveryState, Millis};
use crate::tui::theme::{Meaning, Theme};

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

/// The top line.
pub fn status_line(model: &Model, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let unsent = model.unsent();
    let at = model.cursor_index().map_or(0, |i| model.queue.offset + i as u64 + 1);
    let mut spans =
        vec![Span::styled(format!(" {at}/{}", model.queue.total), theme.style(Meaning::Title))];
    let mut word = |text: String, meaning: Meaning| {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(text, theme.style(meaning)));
    };
    if let Some(row) = model.desk.as_ref().and_then(|d| model.row(&d.key)) {
        word(row.case.name(), Meaning::Text);
    }
    if let Some(until) = images_until(model) {
        word(format!("img {}", duration(model.now, until)), Meaning::Muted);
    }
    let count = |n: usize, name: &str| format!("{name} {n}");
    word(count(unsent.held, "held"), if unsent.held > 0 { Meaning::Warn } else { Meaning::Muted });
    word(
        count(unsent.sending, "unsent"),
        if unsent.sending > 0 { Meaning::Warn } else { Meaning::Muted },
    );
    if unsent.conflicts > 0 {
        word(count(unsent.conflicts, "CONFLICTS"), Meaning::Bad);
    }
    if unsent.refused > 0 {
        word(count(unsent.refused, "REFUSED"), Meaning::Bad);
    }
    match &model.link {
        Link::Unknown => word("connecting".to_owned(), Meaning::Muted),
        Link::Online => word("ONLINE".to_owned(), Meaning::Good),
        Link::Down(_) => word("OFFLINE".to_owned(), Meaning::Bad),
    }
    word(model.settings.reviewer.name.clone(), Meaning::Muted);
    word(model.settings.place.clone(), Meaning::Title);
    if !model.protocol.is_empty() {
        word(model.protocol.clone(), Meaning::Muted);
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// Until when the images of the pair on the desk may be shown: the earlier of the two.
fn images_until(model: &Model) -> Option<Millis> {
    let desk = model.desk.as_ref()?;
    [Side::Subject, Side::Candidate(desk.place)]
        .into_iter()
        .filter_map(|side| match model.picture(&desk.key, side) {
            PictureState::Ready { until, .. } => Some(*until),
            _ => None,
        })
        .min()
}

/// The bottom line: the last word, or what is held and when it is sent.
pub fn notice(model: &Model, theme: Theme, area: Rect, frame: &mut Frame<'_>) {
    let mut spans = Vec::new();
    if !model.pending.is_empty() {
        spans.push(Span::styled(" saving ", theme.style(Meaning::Warn)));
    }
    if let Some(row) = model.outbox.iter().find(|row| row.state == DeliveryState::Held) {
        let name = row
            .decision
            .session_number
            .map_or_else(|| row.decision.case.short().to_owned(), |number| format!("#{number}"));
        let word = row.decision.disposition.word();
        let left = duration(model.now, row.due.max(model.now));
        spans.push(Span::styled(
            format!(" held: {name} {word}, sends in {left} "),
            theme.style(Meaning::Warn),
        ));
    }
    if let Some(notice) = &model.notice {
        let meaning = match notice.severity {
            Severity::Info => Meaning::Text,
            Severity::Warn => Meaning::Warn,
            Severity::Error => Meaning::Bad,
        };
        spans.push(Span::styled(format!(" {}", notice.text), theme.style(meaning)));
    } else if let Link::Down(why) = &model.link {
        spans.push(Span::styled(format!(" {why}"), theme.style(Meaning::Bad)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// A line being typed, over the bottom line; the cursor stands in it.
pub fn entry(label: &str, line: &Typed, theme: Theme, frame: &mut Frame<'_>) {
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
    frame.set_cursor_position((column.min(area.right().saturating_sub(1)), area.y));
}
