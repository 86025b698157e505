//! Every key of the screen, from the table; and the letters of the reasons.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use crate::core::{ACTIONS, Model};
use crate::domain::Reason;
use crate::input::Key;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{fit, piece};

/// The help overlay, scrolled by `line` lines.
pub fn help(model: &Model, line: u16, theme: Theme, frame: &mut Frame<'_>) {
    let scope = model.screen.scope();
    let mut lines = Vec::new();
    for info in ACTIONS.iter().filter(|info| info.scopes.contains(&scope)) {
        let keys: Vec<String> =
            model.settings.keymap.keys(info.action).iter().map(Key::to_string).collect();
        lines.push(Line::from(vec![
            Span::styled(format!("  {:<17}", keys.join(" ")), theme.style(Meaning::Key)),
            Span::raw(info.help),
        ]));
    }
    lines.push(Line::default());
    for words in [
        "A key decides only while the status line says ARMED.",
        "Decisions are held before they are sent. Enter and pastes never decide.",
    ] {
        lines.push(Line::styled(format!("  {words}"), theme.style(Meaning::Muted)));
    }
    let area = frame.area();
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let most = count.saturating_sub(body.height);
    let at = line.min(most);
    let more = if at < most { "more below: j/k scroll, " } else { "" };
    let title = vec![
        piece(0, Meaning::Title, format!("Keys of the {} screen", scope.word())),
        piece(1, Meaning::Warn, format!("{more}any other key closes")),
    ];
    frame.render_widget(Paragraph::new(fit(title, area.width, theme)), area);
    frame.render_widget(Paragraph::new(lines).scroll((at, 0)), body);
}

/// The letters of the reasons, over the bottom lines.
pub fn reasons(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let whole = frame.area();
    let chosen = model.desk.as_ref().and_then(|desk| desk.reason);
    let mut lines = vec![vec![Span::styled(" reason:", theme.style(Meaning::Title))]];
    let mut used = 8;
    for (letter, reason) in Reason::ALL {
        let meaning = if chosen == Some(reason) { Meaning::Good } else { Meaning::Text };
        let cells = reason.word().len() + 4;
        if used + cells > usize::from(whole.width) {
            lines.push(vec![Span::raw("        ")]);
            used = 8;
        }
        used += cells;
        if let Some(line) = lines.last_mut() {
            line.push(Span::styled(format!("  {letter} "), theme.style(Meaning::Key)));
            line.push(Span::styled(reason.word(), theme.style(meaning)));
        }
    }
    let rows = u16::try_from(lines.len()).unwrap_or(1).min(whole.height);
    let area = Rect::new(0, whole.height - rows, whole.width, rows);
    let lines: Vec<Line> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}
