//! What was decided, and what became of it; a conflict shows both sides.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use crate::core::{Action, Model, clock, date};
use crate::domain::{DeliveryState, HistoryRow, Judgement, RowKind};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{duration, key_line, notice, pad, status_line, unread_lines};

/// Lines for the decision under the cursor.
const DETAILS: u16 = 6;

/// The history screen.
pub fn history(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let line = |y: u16| Rect::new(0, y, area.width, 1);
    status_line(model, theme, line(0), frame);
    let undo = model.settings.keymap.label(Action::Undo);
    let title =
        format!(" Decisions, newest first. {undo} takes a held one back, reopens a settled one.");
    frame.render_widget(Paragraph::new(title).style(theme.style(Meaning::Title)), line(1));
    let unread = unread_lines(model, RowKind::Decision, theme);
    let held = u16::try_from(unread.len()).unwrap_or(0);
    let room = area.height.saturating_sub(4 + DETAILS + held);
    let rows = usize::from(room);
    let start = model
        .history
        .cursor
        .saturating_sub(rows / 2)
        .min(model.history.rows.len().saturating_sub(rows));
    let lines: Vec<Line> = model
        .history
        .rows
        .iter()
        .enumerate()
        .skip(start)
        .take(rows)
        .map(|(i, row)| row_line(model, row, i == model.history.cursor, area.width, theme))
        .collect();
    let body = Rect::new(0, 2, area.width, room);
    let below =
        Rect::new(0, 2 + room, area.width, held.min(area.height.saturating_sub(4 + DETAILS)));
    frame.render_widget(Paragraph::new(unread), below);
    if lines.is_empty() {
        let words = if model.history.loading { " Reading…" } else { " Nothing was decided yet." };
        frame.render_widget(Paragraph::new(words).style(theme.style(Meaning::Muted)), body);
    } else {
        frame.render_widget(Paragraph::new(lines), body);
    }
    if let Some(row) = model.history.current() {
        let area = Rect::new(0, area.height.saturating_sub(2 + DETAILS), area.width, DETAILS);
        frame.render_widget(Paragraph::new(details(row, theme)).wrap(Wrap { trim: false }), area);
    }
    let keys = key_line(&model.settings.keymap, model.screen.scope(), (area.width, 1), theme);
    frame.render_widget(Paragraph::new(keys), line(area.height.saturating_sub(2)));
    notice(model, theme, line(area.height.saturating_sub(1)), frame);
}

fn state_word(model: &Model, row: &HistoryRow) -> (String, Meaning) {
    match row.state {
        DeliveryState::Refused if row.is_half() => {
            ("HALF: declined, not listed".to_owned(), Meaning::Bad)
        }
        _ if row.is_half() => ("half: listing".to_owned(), Meaning::Warn),
        DeliveryState::Held => {
            (format!("held {}", duration(model.now, row.due.max(model.now))), Meaning::Warn)
        }
        DeliveryState::Sending => ("sending".to_owned(), Meaning::Warn),
        DeliveryState::Unknown => ("unknown, reading back".to_owned(), Meaning::Warn),
        DeliveryState::Sent => ("sent".to_owned(), Meaning::Good),
        DeliveryState::Refused => ("REFUSED".to_owned(), Meaning::Bad),
        DeliveryState::Conflict => ("CONFLICT".to_owned(), Meaning::Bad),
        DeliveryState::Local => ("kept here".to_owned(), Meaning::Text),
        DeliveryState::Proposed => ("proposed".to_owned(), Meaning::Warn),
        DeliveryState::Differs => ("readers differ".to_owned(), Meaning::Warn),
        DeliveryState::Undone => ("taken back".to_owned(), Meaning::Muted),
    }
}

fn row_line(
    model: &Model,
    row: &HistoryRow,
    here: bool,
    width: u16,
    theme: Theme,
) -> Line<'static> {
    let d = &row.decision;
    let name = d.case_name();
    let day = date(d.at).unwrap_or_default();
    let text = format!(
        "{}{day} {}  {} {:<10} {} ",
        if here { '>' } else { ' ' },
        clock(d.at),
        pad(&name, 10),
        d.disposition.word(),
        pad(&d.reviewer.name, 12),
    );
    let (word, meaning) = state_word(model, row);
    if here {
        let left = usize::from(width).saturating_sub(text.width());
        return Line::styled(format!("{text}{}", pad(&word, left)), theme.style(Meaning::Focus));
    }
    Line::from(vec![Span::raw(text), Span::styled(word, theme.style(meaning))])
}

/// What was decided and what came of it first; what was said about it after that.
fn details(row: &HistoryRow, theme: Theme) -> Vec<Line<'static>> {
    let d = &row.decision;
    let judged: Vec<String> = d
        .judgements
        .iter()
        .map(|j| format!("{} {}", j.place + 1, j.judgement.map_or("unjudged", Judgement::word)))
        .collect();
    let mine = match d.disposition.subject_status() {
        _ if d.is_proposal() => format!(" proposed by {}", d.reviewer.name),
        Some(_) if row.is_reading() => " nothing is written at Didit".to_owned(),
        Some(status) => format!(" mine: {} -> {}", d.seen_status.word(), status.word()),
        None => " nothing is written at Didit".to_owned(),
    };
    let target = d.target.as_ref().map_or_else(String::new, |t| {
        let number =
            t.session_number.map_or_else(|| t.session_id.short().to_owned(), |n| format!("#{n}"));
        format!("   blocklist target {number}")
    });
    let meaning = match row.state {
        DeliveryState::Conflict | DeliveryState::Refused => Meaning::Warn,
        _ => Meaning::Text,
    };
    let note = row.note.as_ref().map(|note| Line::styled(format!(" {note}"), theme.style(meaning)));
    let comment = d.comment.as_ref().map(|words| Line::raw(format!(" comment {words}")));
    let answers = d.answers.map_or_else(String::new, |id| format!("   answers proposal {id}"));
    let reason = d.reason.map_or_else(String::new, |reason| format!("   reason {}", reason.word()));
    let lines = [
        Some(Line::raw(format!("{mine}{target}{reason}"))),
        note,
        Some(Line::raw(format!(" candidates: {}", judged.join(", ")))),
        Some(Line::styled(format!(" decision {}{answers}", d.id), theme.style(Meaning::Muted))),
        comment,
    ];
    lines.into_iter().flatten().collect()
}
