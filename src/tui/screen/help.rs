//! Every key of the screen, from the table; and the letters of the reasons.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use crate::core::{ACTIONS, Model};
use crate::domain::Reason;
use crate::input::Key;
use crate::tui::theme::{Meaning, Theme};

/// The help overlay, scrolled by `line` lines.
pub fn help(model: &Model, line: u16, theme: Theme, frame: &mut Frame<'_>) {
    let scope = model.screen.scope();
    let title = format!(" Keys of the {} screen", scope.word());
    let mut lines = vec![Line::styled(title, theme.style(Meaning::Title)), Line::default()];
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
        "A key decides only while the status line says ARMED: both faces painted and looked at.",
        "Decisions are held before they are sent; Enter never decides; a paste never decides.",
        "j and k scroll; any other key closes this page.",
    ] {
        lines.push(Line::styled(format!("  {words}"), theme.style(Meaning::Muted)));
    }
    let most = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(frame.area().height);
    frame.render_widget(Paragraph::new(lines).scroll((line.min(most), 0)), frame.area());
}

/// The letters of the reasons, over the bottom line.
pub fn reasons(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let whole = frame.area();
    let rows = if whole.width < 120 { 2 } else { 1 };
    let area = Rect::new(0, whole.height.saturating_sub(rows), whole.width, rows);
    let chosen = model.desk.as_ref().and_then(|desk| desk.reason);
    let mut spans = vec![Span::styled(" reason: ", theme.style(Meaning::Title))];
    for (letter, reason) in Reason::ALL {
        let meaning = if chosen == Some(reason) { Meaning::Good } else { Meaning::Text };
        spans.push(Span::styled(format!("{letter} "), theme.style(Meaning::Key)));
        spans.push(Span::styled(format!("{}  ", reason.word()), theme.style(meaning)));
    }
    frame.render_widget(Clear, area);
    let words = Paragraph::new(Line::from(spans)).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(words, area);
}
