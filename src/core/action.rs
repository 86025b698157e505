//! THE table: every action, its name, its default keys, where it works and what help says. The
//! dispatcher, the footer, the help screen, `secondlook keys`, the manual page and the names in the
//! configuration are all computed from it, so none of them can be wrong on its own.

/// Where a key means something. Text entry (comment, filter, a number) takes keys raw and is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The pair on the screen.
    Review,
    /// The list of cases.
    Queue,
    /// What was decided.
    History,
    /// Figures.
    Statistics,
}

impl Scope {
    /// All scopes, in the order help shows them.
    pub const ALL: [Self; 4] = [Self::Review, Self::Queue, Self::History, Self::Statistics];

    /// The word used as a heading.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Review => "Review",
            Self::Queue => "Queue",
            Self::History => "History",
            Self::Statistics => "Statistics",
        }
    }
}

/// Something a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table below says what each does, in the words help uses")]
pub enum Action {
    Approve,
    Reject,
    Unsure,
    Skip,
    Escalate,
    Blocklist,
    Undo,
    SendNow,
    Face,
    PreviousCandidate,
    NextCandidate,
    NextCase,
    PreviousCase,
    NextLine,
    PreviousLine,
    First,
    Last,
    PageDown,
    PageUp,
    Open,
    Queue,
    History,
    Statistics,
    Reason,
    Comment,
    Refresh,
    Reload,
    Filter,
    View,
    Flip,
    Zoom,
    ZoomBack,
    Nearer,
    Farther,
    ResetSight,
    PanLeft,
    PanRight,
    PanUp,
    PanDown,
    Mirror,
    Protocol,
    Cells,
    Curtain,
    Help,
    Back,
}

/// One row of the table.
#[derive(Debug)]
pub struct ActionInfo {
    /// The action.
    pub action: Action,
    /// Its name in the configuration: one lower-case word, or words joined by `-`.
    pub name: &'static str,
    /// Default keys, in the spelling of [`crate::input::Key`].
    pub keys: &'static [&'static str],
    /// Where it works.
    pub scopes: &'static [Scope],
    /// One or two words for the footer.
    pub short: &'static str,
    /// What help says; at most 60 characters.
    pub help: &'static str,
    /// Whether it begins something that changes a case or Didit.
    pub mutating: bool,
}

use Scope::{History, Queue, Review, Statistics};

const EVERYWHERE: &[Scope] = &[Review, Queue, History, Statistics];
const LISTS: &[Scope] = &[Queue, History, Statistics];

const fn row(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    scopes: &'static [Scope],
    short: &'static str,
    help: &'static str,
) -> ActionInfo {
    let mutating = matches!(
        action,
        Action::Approve | Action::Reject | Action::Unsure | Action::Escalate | Action::Blocklist
    );
    ActionInfo { action, name, keys, scopes, short, help, mutating }
}

/// The table.
pub const ACTIONS: &[ActionInfo] = &[
    row(
        Action::Approve,
        "approve",
        &["a"],
        &[Review],
        "approve",
        "different people; approve after the last candidate",
    ),
    row(Action::Reject, "reject", &["x"], &[Review], "reject", "same person: decline the subject"),
    row(Action::Unsure, "unsure", &["i"], &[Review], "unsure", "cannot tell: to a second reviewer"),
    row(Action::Skip, "skip", &["s"], &[Review], "skip", "back to the end of the queue, undecided"),
    row(
        Action::Escalate,
        "escalate",
        &["e"],
        &[Review],
        "escalate",
        "to a second reviewer, with your comment",
    ),
    row(
        Action::Blocklist,
        "blocklist",
        &["B"],
        &[Review],
        "blocklist",
        "decline and blocklist: asks for a number first",
    ),
    row(
        Action::Undo,
        "undo",
        &["u"],
        EVERYWHERE,
        "undo",
        "take the newest decision back while it is held",
    ),
    row(Action::SendNow, "send-now", &["$"], EVERYWHERE, "send now", "send the held decisions now"),
    row(
        Action::Flip,
        "flip",
        &["space"],
        &[Review],
        "flip",
        "the candidate in the subject's place, then by turns",
    ),
    row(
        Action::Zoom,
        "zoom",
        &["z"],
        &[Review],
        "zoom",
        "whole face, eyes, nose and mouth, jaw: next",
    ),
    row(Action::ZoomBack, "zoom-back", &["Z"], &[Review], "zoom back", "the zoom before"),
    row(Action::Nearer, "nearer", &["+"], &[Review], "scale", "both faces nearer"),
    row(Action::Farther, "farther", &["minus"], &[Review], "scale", "both faces farther"),
    row(
        Action::ResetSight,
        "reset",
        &["0"],
        &[Review],
        "reset",
        "all of the part again, not moved",
    ),
    row(Action::PanLeft, "pan-left", &["left"], &[Review], "move", "look further left on both"),
    row(Action::PanRight, "pan-right", &["right"], &[Review], "move", "look further right on both"),
    row(Action::PanUp, "pan-up", &["up"], &[Review], "move", "look further up on both"),
    row(Action::PanDown, "pan-down", &["down"], &[Review], "move", "look further down on both"),
    row(Action::Mirror, "mirror", &["m"], &[Review], "mirror", "mirror the candidate's picture"),
    row(
        Action::Face,
        "face",
        &["1", "2", "3", "4", "5"],
        &[Review],
        "face",
        "which face is meant, where there are several",
    ),
    row(
        Action::PreviousCandidate,
        "previous-candidate",
        &["h"],
        &[Review],
        "candidate",
        "the candidate before",
    ),
    row(
        Action::NextCandidate,
        "next-candidate",
        &["l"],
        &[Review],
        "candidate",
        "the next candidate",
    ),
    row(Action::NextCase, "next", &["j"], EVERYWHERE, "case", "the next case or line"),
    row(Action::PreviousCase, "previous", &["k"], EVERYWHERE, "case", "the case or line before"),
    row(Action::NextLine, "next-line", &["down"], LISTS, "line", "the next line"),
    row(Action::PreviousLine, "previous-line", &["up"], LISTS, "line", "the line before"),
    row(Action::First, "first", &["g", "home"], EVERYWHERE, "ends", "the first case or line"),
    row(Action::Last, "last", &["G", "end"], EVERYWHERE, "last", "the last case or line"),
    row(Action::PageDown, "page-down", &["ctrl-d", "pagedown"], LISTS, "page", "half a page down"),
    row(Action::PageUp, "page-up", &["ctrl-u", "pageup"], LISTS, "page", "half a page up"),
    row(Action::Open, "open", &["enter"], &[Queue], "open", "look at this case"),
    row(Action::Queue, "queue", &["tab"], EVERYWHERE, "queue", "the queue, and back to the pair"),
    row(
        Action::View,
        "view",
        &["v"],
        &[Queue],
        "view",
        "waiting, escalated, strong only, departed: next",
    ),
    row(
        Action::Filter,
        "filter",
        &["/"],
        &[Queue],
        "filter",
        "only cases whose number or id contains a text",
    ),
    row(
        Action::History,
        "history",
        &["H"],
        EVERYWHERE,
        "history",
        "what was decided and what became of it",
    ),
    row(
        Action::Statistics,
        "statistics",
        &["S"],
        EVERYWHERE,
        "statistics",
        "figures: cases, decisions, times, two readers",
    ),
    row(Action::Reason, "reason", &["t"], &[Review], "reason", "why, in one word: one more key"),
    row(
        Action::Comment,
        "comment",
        &["c"],
        &[Review],
        "comment",
        "why, in a sentence; never a name",
    ),
    row(
        Action::Refresh,
        "refresh",
        &["r"],
        &[Review],
        "refresh",
        "ask for this case and its images again",
    ),
    row(Action::Reload, "reload", &["R"], EVERYWHERE, "reload", "look for new cases now"),
    row(
        Action::Protocol,
        "protocol",
        &["p"],
        &[Review],
        "images",
        "draw pictures another way: next protocol",
    ),
    row(
        Action::Cells,
        "cells",
        &["P"],
        &[Review],
        "cells",
        "make them of other characters: next set",
    ),
    row(
        Action::Curtain,
        "curtain",
        &["."],
        EVERYWHERE,
        "curtain",
        "hide everything until a key is pressed",
    ),
    row(Action::Help, "help", &["?"], EVERYWHERE, "help", "every key of this screen"),
    row(
        Action::Back,
        "back",
        &["q", "esc"],
        EVERYWHERE,
        "back",
        "leave one level; at the top: leave",
    ),
];

impl Action {
    /// Its row. Every action has one; a test walks them.
    #[must_use]
    pub fn info(self) -> &'static ActionInfo {
        ACTIONS.iter().find(|row| row.action == self).unwrap_or(&ACTIONS[0])
    }
}
