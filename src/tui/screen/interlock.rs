//! The blocklist interlock: who, what, and the number that has to be typed.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use crate::core::{Action, Interlock, Model, NotArmed, TargetLine};
use crate::tui::layout::ReviewLayout;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{clip, notice_above, pad};

/// Draws the interlock below the pictures.
pub fn interlock(
    model: &Model,
    lock: &Interlock,
    is_pair: bool,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    let area = ReviewLayout::new(model.size).interlock();
    let Some(target) = lock.target() else { return };
    let label = |action| model.settings.keymap.label(action);
    let number = target.session_number.map_or_else(|| "no number".to_owned(), |n| format!("#{n}"));
    let choice = match model.proposal() {
        Some(proposal) => format!("   proposed by {}", clip(&proposal.reviewer.name, 24)),
        None => format!(
            "   {} of {}, {}/{} another",
            lock.chosen + 1,
            lock.targets.len(),
            label(Action::PreviousCandidate),
            label(Action::NextCandidate),
        ),
    };
    let subject = model.desk_details().map(|d| d.case.name()).unwrap_or_default();
    let consequence = if target.approved && lock.proposal.is_none() {
        format!(" then: proposed to a second person; nothing is sent before they confirm {number}")
    } else {
        format!(" then: {subject} -> Declined, and the face of {number} is blocklisted")
    };
    let (third, fourth) = match (&target.refused, lock.is_complete()) {
        (Some(why), _) => (
            Line::styled(format!(" cannot be listed: {why}"), theme.style(Meaning::Bad)),
            String::new(),
        ),
        (None, true) => (
            Line::styled(
                format!(" {} again to {}", label(Action::Blocklist), what(target, lock)),
                theme.style(Meaning::Good),
            ),
            consequence,
        ),
        (None, false) => (
            Line::from(vec![
                Span::raw(" type the number of the session to block, or esc: "),
                Span::styled(format!("{}__", lock.typed), theme.style(Meaning::Key)),
            ]),
            consequence,
        ),
    };
    let lines = vec![
        Line::styled(
            pad(
                " BLOCKLIST  future sessions with this face are declined automatically",
                usize::from(area.width),
            ),
            theme.style(Meaning::Bad),
        ),
        Line::from(vec![
            Span::raw(" target > "),
            Span::styled(
                format!("{} {number}  {}", target.kind, status(target)),
                theme.style(Meaning::Warn),
            ),
            Span::styled(choice, theme.style(Meaning::Muted)),
        ]),
        third,
        Line::raw(fourth),
        match model.armed(model.now) {
            // It lies over the line that would say so.
            Err(NotArmed::Shut(key)) if is_pair => {
                let (why, _) = model.shut_words();
                let words = format!(" SHUT: press {key} to open this pair  {why}");
                Line::styled(words, theme.style(Meaning::Warn))
            }
            Ok(()) | Err(_) => {
                Line::styled(" enter does nothing here; esc leaves", theme.style(Meaning::Muted))
            }
        },
    ];
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
    notice_above(model, theme, Rect { y: area.bottom() + 1, height: 0, ..area }, frame);
}

/// What the second press does.
fn what(target: &TargetLine, lock: &Interlock) -> &'static str {
    match (lock.proposal, target.approved) {
        (Some(_), _) => "confirm; it is held",
        (None, true) => "propose",
        (None, false) => "hold",
    }
}

fn status(target: &TargetLine) -> String {
    if target.approved { "APPROVED CUSTOMER".to_owned() } else { clip(&target.status, 20) }
}
