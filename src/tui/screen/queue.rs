//! The list of cases: as a screen, and as a column beside the pair.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use crate::core::{Model, PictureState, Side, date};
use crate::domain::{QueueRow, RowKind, printable};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{clip, fit, key_line, notice, pad, piece, status_line, unread_lines};

/// The word for a candidate whose face is on a blocklist.
const LISTED: &str = "BLOCKLISTED";

/// The queue screen.
pub fn queue(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let line = |y: u16| Rect::new(0, y, area.width, 1);
    status_line(model, theme, line(0), frame);
    let tally = model.queue.tally;
    let filter = match model.queue.query.filter.as_str() {
        "" => String::new(),
        text => format!("filter '{}'", clip(text, 30)),
    };
    // What is not in the queue, each reason by its name, where the cases of one of them are listed.
    let explained = model
        .queue
        .explained
        .iter()
        .map(|(reason, count)| piece(1, Meaning::Warn, format!("{} {count}", reason.words())));
    let named = vec![piece(0, Meaning::Title, model.view.word()), piece(0, Meaning::Title, filter)];
    let tallied = vec![
        piece(1, Meaning::Muted, format!("open {}", tally.open)),
        piece(2, Meaning::Muted, format!("escalated {}", tally.escalated)),
        piece(3, Meaning::Muted, format!("strong only {}", tally.left)),
        piece(4, Meaning::Muted, format!("departed {}", tally.departed)),
        piece(5, Meaning::Muted, format!("decided {}", tally.decided)),
    ];
    let pieces = named.into_iter().chain(explained).chain(tallied).collect();
    let title = fit(pieces, area.width, theme);
    let room = candidates_room(area.width);
    let head = format!(" case       created     {:<room$} images  state", "candidates");
    frame.render_widget(Paragraph::new(title), line(1));
    frame.render_widget(Paragraph::new(head).style(theme.style(Meaning::Muted)), line(2));
    let unread = unread_lines(model, RowKind::Case, theme);
    let held = u16::try_from(unread.len()).unwrap_or(0);
    let rows = area.height.saturating_sub(5 + held);
    let body = Rect::new(0, 3, area.width, rows);
    let below = Rect::new(0, 3 + rows, area.width, held.min(area.height.saturating_sub(5)));
    if model.queue.rows.is_empty() {
        frame.render_widget(Paragraph::new(empty(model)).style(theme.style(Meaning::Muted)), body);
    } else {
        let lines =
            visible(model, rows).map(|(row, here)| full_line(model, row, here, area.width, theme));
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), body);
    }
    frame.render_widget(Paragraph::new(unread), below);
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
        let score = c.similarity.map_or_else(|| "unreadable".to_owned(), |s| s.to_string());
        words.push(if c.blocklisted {
            format!("{score} {LISTED}")
        } else if c.allowlisted {
            format!("{score} allowed")
        } else {
            score
        });
    }
    if row.case.set_aside > 0 {
        words.push(format!("{} unreadable", row.case.set_aside));
    }
    if folded > 0 {
        words.push(format!("{folded} self"));
    }
    clip(&words.join("  "), most)
}

fn images(model: &Model, row: &QueueRow) -> &'static str {
    let key = &row.case.key;
    if model.unreachable.contains_key(key) {
        return "gone";
    }
    let judged = row.case.must_judge(&model.settings.bands);
    let blocks = judged.filter_map(|place| row.case.candidates.get(place).map(|c| c.block));
    let blocks = blocks.filter(|block| *block > 0).map(Side::subject_of);
    let places = row.case.must_judge(&model.settings.bands).map(Side::Candidate).chain(blocks);
    let states: Vec<_> =
        std::iter::once(Side::Subject).chain(places).map(|side| model.picture(key, side)).collect();
    if states.iter().any(|s| matches!(s, PictureState::Gone { .. })) {
        "gone"
    } else if states.iter().any(|s| matches!(s, PictureState::Unreadable { .. })) {
        "unshown"
    } else if states.iter().any(|s| s.missing().is_some()) {
        "damaged"
    } else if states.iter().all(|s| matches!(s, PictureState::Ready { .. })) {
        "ready"
    } else if model.details.contains_key(key) {
        "loading"
    } else {
        "-"
    }
}

fn state(model: &Model, row: &QueueRow) -> (String, Meaning) {
    if let Some(proposal) = &row.proposal {
        return (format!("proposed by {}", printable(&proposal.reviewer.name, 20)), Meaning::Warn);
    }
    match (others(model, row), &row.note) {
        (Some(others), _) => (others, Meaning::Warn),
        (None, Some(note)) => (note.clone(), Meaning::Muted),
        (None, None) => (row.case.status.word().to_owned(), Meaning::Muted),
    }
}

/// The other reviewers at a case: `with ana`, `seen by bob`, `with ana +1`. The reviewer's own lease,
/// a moment old perhaps, is no news.
fn others(model: &Model, row: &QueueRow) -> Option<String> {
    let me = &model.settings.reviewer.id;
    let first = row.others(me).next()?;
    let has_it = row.taken.as_ref() == Some(first);
    let how = if has_it { "with" } else { "seen by" };
    let name = printable(&first.reviewer.name, 20);
    Some(match row.others(me).count() {
        1 => format!("{how} {name}"),
        more => format!("{how} {name} +{}", more - 1),
    })
}

fn full_line(model: &Model, row: &QueueRow, here: bool, width: u16, theme: Theme) -> Line<'static> {
    let created = row.case.created_at.and_then(date).unwrap_or_else(|| "-".to_owned());
    let room = candidates_room(width);
    let (state, meaning) = state(model, row);
    let marker = if here { '>' } else { ' ' };
    let head = format!("{marker}{} {created:<11} ", pad(&row.case.name(), 10));
    let scores = pad(&candidates(row, room), room);
    let tail = format!(" {:<7} ", images(model, row));
    let left = usize::from(width).saturating_sub(head.width() + scores.width() + tail.width());
    if here {
        let text = format!("{head}{scores}{tail}{}", pad(&state, left));
        return Line::styled(text, theme.style(Meaning::Focus));
    }
    let mut spans = vec![Span::raw(head)];
    spans.extend(marked(&scores, LISTED, theme));
    spans.push(Span::raw(tail));
    spans.push(Span::styled(clip(&state, left), theme.style(meaning)));
    Line::from(spans)
}

/// A text in which one word stands out wherever it is.
fn marked(text: &str, word: &'static str, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (place, between) in text.split(word).enumerate() {
        if place > 0 {
            spans.push(Span::styled(word, theme.style(Meaning::Bad)));
        }
        spans.push(Span::raw(between.to_owned()));
    }
    spans
}

/// Cells for the scores; the rest of a line is 48.
fn candidates_room(width: u16) -> usize {
    usize::from(width).saturating_sub(48).clamp(24, 60)
}

/// The queue beside the pair.
pub fn queue_column(model: &Model, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let title = format!(" {} {}", model.view.word(), model.queue.total);
    let mut lines = vec![Line::styled(title, theme.style(Meaning::Title))];
    for (row, here) in visible(model, area.height.saturating_sub(1)) {
        let best = row.case.candidates.iter().filter(|c| !c.self_match).find_map(|c| c.similarity);
        let score = best.map_or_else(|| "-".to_owned(), |s| s.to_string());
        let marker = if here { '>' } else { ' ' };
        let listed = row.case.candidates.iter().any(|c| c.blocklisted);
        // What is ready needs no word.
        let images = match images(model, row) {
            "ready" => "",
            word => word,
        };
        let head = format!("{marker}{} {score:>5}", pad(&row.case.name(), 9));
        let left = usize::from(area.width).saturating_sub(head.width() + 1);
        let tail = pad(&format!("{}c {images}", row.case.candidates.len()), left);
        let (_, meaning) = state(model, row);
        let style = match (here, meaning) {
            (true, _) => theme.style(Meaning::Focus),
            (false, Meaning::Muted) => theme.style(Meaning::Text),
            (false, meaning) => theme.style(meaning),
        };
        // One mark in the line, so that it does not outshout the case that is looked at.
        let mark = if listed { Span::styled("!", theme.style(Meaning::Bad)) } else { " ".into() };
        lines.push(Line::from(vec![head.into(), mark, tail.into()]).style(style));
    }
    if model.queue.rows.is_empty() {
        // The words stand beside it, where the pair would be.
        lines.push(Line::styled(" none", theme.style(Meaning::Muted)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
