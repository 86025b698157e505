//! Leaving with decisions that have not been sent: send, keep or stay.

use ratatui::Frame;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::core::{Action, Leaving, Model};
use crate::tui::theme::{Meaning, Theme};

/// The question, as a screen of its own.
pub fn quit(model: &Model, theme: Theme, frame: &mut Frame<'_>) {
    let unsent = model.unsent();
    let key = |label: &str, words: &str| {
        Line::from(vec![
            Span::styled(format!("   {label:<6}"), theme.style(Meaning::Key)),
            Span::raw(words.to_owned()),
        ])
    };
    // They may have gone out while the question stood.
    if unsent.held + unsent.sending == 0 {
        let lines = vec![
            Line::default(),
            Line::styled("  Nothing is left to send.", theme.style(Meaning::Good)),
            Line::default(),
            key("k", "leave"),
            key("esc", "stay"),
        ];
        return frame.render_widget(Paragraph::new(lines), frame.area());
    }
    let mut lines = vec![
        Line::default(),
        Line::styled(
            format!("  Decisions: {} held, {} on their way to Didit.", unsent.held, unsent.sending),
            theme.style(Meaning::Warn),
        ),
        Line::default(),
        key(
            &model.settings.keymap.label(Action::SendNow),
            "send them, wait for the answers, then leave",
        ),
        key("k", "keep them: they stay held, and are sent when you are back"),
        key("esc", "stay"),
    ];
    if matches!(model.leaving, Some(Leaving::SavingToFlush | Leaving::Flushing)) {
        lines.push(Line::default());
        lines.push(Line::styled(
            "  Sending… k or ctrl-c leaves at once; what was not sent stays held.",
            theme.style(Meaning::Good),
        ));
    }
    frame.render_widget(Paragraph::new(lines), frame.area());
}
