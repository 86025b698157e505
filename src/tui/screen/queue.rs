//! The list of cases: as a screen, and as a column beside the pair.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::core::{Model, PictureState, Side, date};
use crate::domain::QueueRow;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{key_line, notice, status_line};

/// The queue screen.
pub fn queue(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let line = |y: u16| Rect::new(0, y, area.width, 1);
    status_line(model, theme, line(0), frame);
    let tally = model.queue.tally;
    let filter = match model.queue.query.filter.as_str() {
        "" => String::new(),
        text => format!("   filter '{text}'"),
    };
    let title = format!(
        " {}{filter}   open {}  escalated {}  strong only {}  departed {}  decided {}",
        model.view.word(),
        tally.open,
        tally.escalated,
        tally.left,
        tally.departed,
        tally.decided
    );
    let head = " case       created     candidates                         images  state";
    frame.render_widget(Paragraph::new(title).style(theme.style(Meaning::Title)), line(1));
    frame.render_widget(Paragraph::new(head).style(theme.style(Meaning::Muted)), line(2));
    let rows = area.height.saturating_sub(5);
    let body = Rect::new(0, 3, area.width, rows);
    if model.queue.rows.is_empty() {
        frame.render_widget(Paragraph::new(empty(model)).style(theme.style(Meaning::Muted)), body);
    } else {
        let lines =
            visible(model, rows).map(|(row, here)| full_line(model, row, here, area.width, theme));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), body);
    }
    let keys = key_line(&model.settings.keymap, model.screen.scope(), (area.width, 1), theme);
    frame.render_widget(Paragraph::new(keys), line(area.height.saturating_sub(2)));
    notice(model, theme, line(area.height.saturating_sub(1)), frame);
}

/// What stands where there are no cases.
pub fn empty(model: &Model) -> &'static str {
    match (model.queue_read, model.queue.query.filter.is_empty()) {
        (false, _) => " Reading the queue…",
        (true, true) => " No case here. New ones come by themselves; R looks now.",
        (true, false) => " No case matches the filter; / changes it.",
    }
}

/// The rows around the cursor that fit into `rows` lines.
fn visible(model: &Model, rows: u16) -> impl Iterator<Item = (&QueueRow, bool)> {
    let rows = usize::from(rows);
    let cursor = model.cursor_index();
    let at = cursor.unwrap_or(0);
    let last_start = model.queue.rows.len().saturating_sub(rows);
    let start = at.saturating_sub(rows / 2).min(last_start);
    model
        .queue
        .rows
        .iter()
        .enumerate()
        .skip(start)
        .take(rows)
        .map(move |(i, row)| (row, Some(i) == cursor))
}

/// Scores of the candidates, in one line: `81.4  97.0!  BLOCKLISTED  self`.
fn candidates(row: &QueueRow, most: usize) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut folded = 0;
    for c in &row.case.candidates {
        if c.self_match {
            folded += 1;
            continue;
        }
        let score = c.similarity.map_or_else(|| "no score".to_owned(), |s| s.to_string());
        let mark = if c.blocklisted {
            " BLOCKLISTED"
        } else if c.allowlisted {
            " allowed"
        } else {
            ""
        };
        words.push(format!("{score}{mark}"));
    }
    if row.case.set_aside > 0 {
        words.push(format!("{} unreadable", row.case.set_aside));
    }
    if folded > 0 {
        words.push(format!("{folded} self"));
    }
    let text = words.join("  ");
    if text.chars().count() > most {
        text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
    } else {
        text
    }
}

fn images(model: &Model, row: &QueueRow) -> &'static str {
    let key = &row.case.key;
    if model.unreachable.contains_key(key) {
        return "gone";
    }
    let places = row.case.must_judge(&model.settings.bands).map(Side::Candidate);
    let states: Vec<_> =
        std::iter::once(Side::Subject).chain(places).map(|side| model.picture(key, side)).collect();
    if states.iter().any(|s| matches!(s, PictureState::Gone { .. })) {
        "gone"
    } else if states.iter().all(|s| matches!(s, PictureState::Ready { .. })) {
        "ready"
    } else if model.details.contains_key(key) {
        "load"
    } else {
        "-"
    }
}

fn state(row: &QueueRow) -> (String, Meaning) {
    if row.case.candidates.iter().any(|c| c.blocklisted) {
        return ("BLOCKLISTED MATCH".to_owned(), Meaning::Bad);
    }
    match (&row.taken, &row.note) {
        (Some(taken), _) => (format!("with {}", taken.reviewer.name), Meaning::Warn),
        (None, Some(note)) => (note.clone(), Meaning::Muted),
        (None, None) => (row.case.status.word().to_owned(), Meaning::Muted),
    }
}

fn full_line(model: &Model, row: &QueueRow, here: bool, width: u16, theme: Theme) -> Line<'static> {
    let created = row.case.created_at.and_then(date).unwrap_or_else(|| "-".to_owned());
    let room = usize::from(width).saturating_sub(48).clamp(24, 60);
    let (state, meaning) = state(row);
    let marker = if here { '>' } else { ' ' };
    let text = format!(
        "{marker}{:<10} {created:<11} {:<room$} {:<7} ",
        row.case.name(),
        candidates(row, room),
        images(model, row),
    );
    if here {
        return Line::styled(format!("{text}{state:<24}"), theme.style(Meaning::Focus));
    }
    Line::from(vec![Span::raw(text), Span::styled(state, theme.style(meaning))])
}

/// The queue beside the pair.
pub fn queue_column(model: &Model, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let title = format!(" {} {}", model.view.word(), model.queue.total);
    let mut lines = vec![Line::styled(title, theme.style(Meaning::Title))];
    for (row, here) in visible(model, area.height.saturating_sub(1)) {
        let best = row.case.candidates.iter().filter(|c| !c.self_match).find_map(|c| c.similarity);
        let score = best.map_or_else(|| "-".to_owned(), |s| s.to_string());
        let marker = if here { '>' } else { ' ' };
        let text = format!(
            "{marker}{:<8} {score:>5} {}c {:<7}",
            row.case.name(),
            row.case.candidates.len(),
            images(model, row),
        );
        let (_, meaning) = state(row);
        let style = match (here, meaning) {
            (true, _) => theme.style(Meaning::Focus),
            (false, Meaning::Muted) => theme.style(Meaning::Text),
            (false, meaning) => theme.style(meaning),
        };
        lines.push(Line::styled(text, style));
    }
    if model.queue.rows.is_empty() {
        lines.push(Line::styled(empty(model), theme.style(Meaning::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
