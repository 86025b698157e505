//! The keys of a screen, computed from the table.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::core::{ACTIONS, Action, Keymap, Scope};
use crate::tui::theme::{Meaning, Theme};

/// As many keys of a screen as fit into `rows` lines of `width` cells, the most used first. Help always
/// has its place, for it names the rest.
#[must_use]
pub fn key_line(
    keymap: &Keymap,
    scope: Scope,
    (width, rows): (u16, u16),
    theme: Theme,
) -> Vec<Line<'static>> {
    let help = item(keymap, Action::Help);
    let shown = ACTIONS.iter().filter(|info| info.scopes.contains(&scope)).map(|info| info.action);
    let mut lines: Vec<Vec<(String, &'static str)>> = vec![vec![help.clone()]];
    let mut used = cells(&help);
    // The second key of a pair (previous candidate, previous case) is shown with the first.
    for action in shown.filter(|a| !matches!(a, Action::Help | Action::Face)) {
        let item = item(keymap, action);
        let last_row = lines.len() == usize::from(rows);
        if used + cells(&item) > usize::from(width) {
            if last_row {
                break;
            }
            lines.push(Vec::new());
            used = 0;
        }
        used += cells(&item);
        if let Some(line) = lines.last_mut() {
            line.push(item);
        }
    }
    lines.into_iter().map(|items| line(items, theme)).collect()
}

fn item(keymap: &Keymap, action: Action) -> (String, &'static str) {
    (keymap.label(action), action.info().short)
}

fn cells((key, word): &(String, &'static str)) -> usize {
    key.width() + word.width() + 3
}

fn line(items: Vec<(String, &'static str)>, theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (key, word) in items {
        spans.push(Span::styled(format!(" {key}"), theme.style(Meaning::Key)));
        spans.push(Span::raw(format!(" {word} ")));
    }
    Line::from(spans)
}
