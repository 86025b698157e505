//! What was decided, and what became of it; a conflict shows both sides.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::core::{Model, clock, date};
use crate::domain::{DeliveryState, HistoryRow};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{duration, key_line, notice, status_line};

/// The history screen.
pub fn history(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let line = |y: u16| Rect::new(0, y, area.width, 1);
    status_line(model, theme, line(0), frame);
    let title =
        " Decisions, newest first.  u takes a held one back, or opens a settled one's case again.";
    frame.render_widget(Paragraph::new(title).style(theme.style(Meaning::Title)), line(1));
    let rows = usize::from(area.height.saturating_sub(8));
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
        .map(|(i, row)| row_line(model, row, i == model.history.cursor, theme))
        .collect();
    let body = Rect::new(0, 2, area.width, area.height.saturating_sub(8));
    if lines.is_empty() {
        let words = if model.history.loading { " Reading…" } else { " Nothing was decided yet." };
        frame.render_widget(Paragraph::new(words).style(theme.style(Meaning::Muted)), body);
    } else {
        frame.render_widget(Paragraph::new(lines), body);
    }
    if let Some(row) = model.history.current() {
        let words = Paragraph::new(details(row)).wrap(Wrap { trim: false });
        frame.render_widget(words, Rect::new(0, area.height.saturating_sub(6), area.width, 4));
    }
    let keys = key_line(&model.settings.keymap, model.screen.scope(), (area.width, 1), theme);
    frame.render_widget(Paragraph::new(keys), line(area.height.saturating_sub(2)));
    notice(model, theme, line(area.height.saturating_sub(1)), frame);
}

fn state_word(model: &Model, row: &HistoryRow) -> (String, Meaning) {
    match row.state {
        DeliveryState::Held => {
            (format!("held {}", duration(model.now, row.due.max(model.now))), Meaning::Warn)
        }
        DeliveryState::Sending => ("sending".to_owned(), Meaning::Warn),
        DeliveryState::Unknown => ("unknown, reading back".to_owned(), Meaning::Warn),
        DeliveryState::Sent => ("sent".to_owned(), Meaning::Good),
        DeliveryState::Refused => ("REFUSED".to_owned(), Meaning::Bad),
        DeliveryState::Conflict => ("CONFLICT".to_owned(), Meaning::Bad),
        DeliveryState::Local => ("kept here".to_owned(), Meaning::Text),
        DeliveryState::Undone => ("taken back".to_owned(), Meaning::Muted),
    }
}

fn row_line(model: &Model, row: &HistoryRow, here: bool, theme: Theme) -> Line<'static> {
    let d = &row.decision;
    let name = d.session_number.map_or_else(|| d.case.short().to_owned(), |n| format!("#{n}"));
    let day = date(d.at).unwrap_or_default();
    let text = format!(
        "{}{day} {}  {name:<10} {:<10} {:<12} ",
        if here { '>' } else { ' ' },
        clock(d.at),
        d.disposition.word(),
        d.reviewer.name,
    );
    let (word, meaning) = state_word(model, row);
    if here {
        return Line::styled(format!("{text}{word:<24}"), theme.style(Meaning::Focus));
    }
    Line::from(vec![Span::raw(text), Span::styled(word, theme.style(meaning))])
}

fn details(row: &HistoryRow) -> Vec<Line<'static>> {
    let d = &row.decision;
    let judged: Vec<String> = d
        .judgements
        .iter()
        .map(|j| {
            format!(
                "{} {}",
                j.place + 1,
                j.judgement.map_or("unjudged", crate::domain::Judgement::word)
            )
        })
        .collect();
    let target = d.target.as_ref().map_or_else(String::new, |t| {
        let number =
            t.session_number.map_or_else(|| t.session_id.short().to_owned(), |n| format!("#{n}"));
        format!("  blocklist target {number}")
    });
    let mine = match d.disposition.subject_status() {
        Some(status) => format!("mine: {} -> {}", d.seen_status.word(), status.word()),
        None => "nothing is written at Didit".to_owned(),
    };
    vec![
        Line::raw(format!(" decision {}  candidates: {}{target}", d.id, judged.join(", "))),
        Line::raw(format!(
            " {mine}   reason {}  comment {}",
            d.reason.map_or("-", crate::domain::Reason::word),
            d.comment.as_deref().unwrap_or("-")
        )),
        Line::raw(format!(" {}", row.note.as_deref().unwrap_or(""))),
    ]
}
