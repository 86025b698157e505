//! The keys of a screen, computed from the table.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::core::{ACTIONS, Action, Keymap, Scope};
use crate::tui::theme::{Meaning, Theme};

/// Actions that go together: their keys share a place.
const GROUPS: [&[Action]; 8] = [
    &[Action::PreviousCandidate, Action::NextCandidate],
    &[Action::NextCase, Action::PreviousCase],
    &[Action::NextLine, Action::PreviousLine],
    &[Action::First, Action::Last],
    &[Action::PageDown, Action::PageUp],
    &[Action::Zoom, Action::ZoomBack],
    &[Action::Nearer, Action::Farther, Action::ResetSight],
    &[Action::PanLeft, Action::PanRight, Action::PanUp, Action::PanDown],
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
    let further = |action: &Action| GROUPS.iter().any(|group| group[1..].contains(action));
    let shown = first(scope).iter().copied().chain(rest);
    let mut lines: Vec<Vec<(String, &'static str)>> = vec![vec![help.clone()]];
    let mut used = cells(&help);
    // The keys that are pressed least leave their place to others; help names them.
    let rare = |action: &Action| matches!(action, Action::Face | Action::Statistics);
    for action in shown.filter(|a| *a != Action::Help && !rare(a) && !further(a)) {
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
    let group = GROUPS.iter().find(|group| group[0] == action);
    let labels: Vec<String> =
        group.unwrap_or(&[action].as_slice()).iter().map(|a| keymap.label(*a)).collect();
    let label = match labels.join("/") {
        all if all == "left/right/up/down" => "arrows".to_owned(),
        // Spelled out where it would be read as joining two keys, which it is not here.
        some => some.replace("minus", "-"),
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
