//! How well the faces can be seen: the pixels between the eyes as they are displayed, pane by pane,
//! and where they are too few, what would help. It warns; it stops nobody.

use crate::core::{Action, Desk, Model, Shown, Side, Zoom};
use crate::tui::draw::Drawn;
use crate::tui::gallery::{Eyes, Gallery};
use crate::tui::layout::{ReviewLayout, pupils};
use crate::tui::theme::Meaning;
use crate::tui::widget::{Piece, piece};

/// Below this many pixels between the eyes people are near chance while feeling sure (Merino et al. 2025).
const STOP: u16 = 10;
/// Below this the screen asks for a closer look.
const FLOOR: u16 = 20;

/// The pixels between the eyes in words, and what helps.
pub fn legibility(model: &Model, desk: &Desk, drawn: &Drawn, gallery: &Gallery) -> Vec<Piece> {
    let eyes: Vec<(Side, Eyes)> = drawn
        .pictures
        .iter()
        .filter_map(|placed| Some((placed.key.side, gallery.get(&placed.key)?.eyes)))
        .collect();
    let Some(least) = eyes.iter().map(|(_, eyes)| eyes.pixels()).min() else { return Vec::new() };
    let words = format!("{} px between the eyes", numbers(&eyes));
    if least >= FLOOR {
        return vec![piece(2, Meaning::Muted, words)];
    }
    let (words, meaning) = if least < STOP {
        (format!("NOT LEGIBLE: {words}"), Meaning::Bad)
    } else {
        (words, Meaning::Warn)
    };
    vec![
        piece(1, meaning, words),
        piece(2, meaning, format!("{FLOOR} needed: {}", help(model, desk))),
    ]
}

/// `A 23 B 21`; once where both panes show the same picture. A place that is only guessed says so.
fn numbers(eyes: &[(Side, Eyes)]) -> String {
    let one = |(side, eyes): &(Side, Eyes)| {
        let letter = if side.is_subject() { 'A' } else { 'B' };
        let about = if matches!(eyes, Eyes::Guessed(_)) { "about " } else { "" };
        format!("{letter} {about}{}", eyes.pixels())
    };
    let mut each: Vec<String> = eyes.iter().map(one).collect();
    each.dedup();
    each.join(" ")
}

/// The keys that bring the eyes further apart from here.
fn help(model: &Model, desk: &Desk) -> String {
    let layout = ReviewLayout::new(model.size);
    let label = |action| model.settings.keymap.label(action);
    let now = layout
        .places(desk)
        .first()
        .map_or(0.0, |(_, area)| pupils(desk.sight.zoom(), *area) * desk.sight.times());
    let mut offers = Vec::new();
    if pupils(Zoom::Eyes, layout.subject) > now {
        offers.push(format!("{} zooms", label(Action::Zoom)));
    }
    if desk.shown == Shown::Pair && layout.alone_shows_more(desk.sight.zoom()) {
        offers.push(format!("{} shows one large", label(Action::Flip)));
    }
    offers.push("a smaller font helps".to_owned());
    offers.join(", ")
}
