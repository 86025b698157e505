//! The keys of a screen, computed from the table.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::core::{ACTIONS, Action, Keymap, Scope};
use crate::tui::theme::{Meaning, Theme};

/// Actions that go by twos: their keys share a place.
const PAIRS: [(Action, Action); 5] = [
    (Action::PreviousCandidate, Action::NextCandidate),
    (Action::NextCase, Action::PreviousCase),
    (Action::First, Action::Last),
    (Action::PageDown, Action::PageUp),
    (Action::Zoom, Action::ZoomBack),
];

/// What is used most on a screen, where it is not what stands first in the table.
fn first(scope: Scope) -> &'static [Action] {
    match scope {
        Scope::Review => &[],
        Scope::Queue => {
            &[Action::Open, Action::NextCase, Action::Filter, Action::View, Action::Queue]
        }
        Scope::History => &[Action::NextCase, Action::Undo, Action::Back],
        Scope::Statistics => &[Action::NextCase, Action::Back],
    }
}

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
    let here = ACTIONS.iter().filter(|info| info.scopes.contains(&scope)).map(|info| info.action);
    let rest = here.filter(|action| !first(scope).contains(action));
    let second = |action: &Action| PAIRS.iter().any(|(_, second)| second == action);
    let shown = first(scope).iter().copied().chain(rest);
    let mut lines: Vec<Vec<(String, &'static str)>> = vec![vec![help.clone()]];
    let mut used = cells(&help);
    // The keys that are pressed least leave their place to others; help names them.
    let rare = |action: &Action| matches!(action, Action::Face | Action::Statistics);
    for action in shown.filter(|a| *a != Action::Help && !rare(a) && !second(a)) {
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
    let second = PAIRS.iter().find(|(first, _)| *first == action).map(|(_, second)| *second);
    let label = match second {
        Some(second) => format!("{}/{}", keymap.label(action), keymap.label(second)),
        None => keymap.label(action),
    };
    (label, action.info().short)
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
