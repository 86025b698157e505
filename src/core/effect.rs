//! Everything to be done, as data; and what the model wants to have, as a set.

use super::desk::Desk;
use super::model::{Model, Screen};
use crate::domain::{Decision, DecisionId, QueueQuery, SessionId, SubjectKind};

/// A one-shot order. Long-lived things (leases, pictures) are [`Wants`], not orders.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read a part of the queue: around a case if it is still there, else from where the query begins.
    LoadQueue {
        /// Which part.
        query: QueueQuery,
        /// Keep this case in the middle.
        around: Option<SessionId>,
    },
    /// Record a decision.
    Decide(Box<Decision>),
    /// Put a leased case to the end of the queue.
    Skip(SessionId),
    /// Take a held decision back.
    Undo(DecisionId),
    /// End a proposal that rests on what is no longer so.
    Void {
        /// Which.
        proposal: DecisionId,
        /// Its case.
        case: SessionId,
        /// Why, in words.
        why: String,
    },
    /// Open the case of a settled decision again.
    Reopen(DecisionId, SessionId),
    /// Send held decisions now.
    SendNow,
    /// Send held decisions now, wait until nothing is on its way, then say [`super::Event::Flushed`].
    FlushThenLeave,
    /// Take a case out of the queue because its status at Didit has changed.
    Depart {
        /// The case.
        key: SessionId,
        /// Why, in words.
        why: String,
    },
    /// Ask for a case's details and images again.
    Refresh(SessionId),
    /// Look for new cases now.
    Pull,
    /// Read the history.
    LoadHistory,
    /// Count the figures.
    LoadStatistics,
    /// Draw pictures by the next protocol.
    NextProtocol,
    /// Make pictures of the next set of characters.
    NextCells,
    /// Take every picture off the terminal (curtain).
    WipePictures,
    /// Stop the program as the shell's job control does (Ctrl-Z).
    Suspend,
}

/// What ought to be there: a pure function of the model, compared with what is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// Cases to hold a lease on: the current one, and those whose decision is being recorded.
    pub leases: Vec<SessionId>,
    /// Where somebody else has the case on the desk by now: the next free one of this query will do.
    pub or_next: Option<QueueQuery>,
    /// Cases to have details and images of, most urgent first: the window around the cursor.
    pub window: Vec<(SessionId, SubjectKind)>,
}

/// What the model wants.
#[must_use]
pub fn wants(model: &Model) -> Wants {
    let mut leases: Vec<SessionId> =
        model.pending.iter().map(|p| p.decision.case.clone()).collect();
    let mut or_next = None;
    if let (Screen::Review, Some(desk)) = (&model.screen, &model.desk)
        && !desk.is_closed()
    {
        leases.push(desk.key.clone());
        or_next = desk.by_itself.then(|| model.queue.query.clone());
    }
    Wants { leases, or_next, window: window(model) }
}

/// The window around the cursor: the current case first, those being recorded, for they may come back, then
/// what comes next, a few before.
fn window(model: &Model) -> Vec<(SessionId, SubjectKind)> {
    let cases = usize::from(model.settings.window_pairs);
    let rows = &model.queue.rows;
    let at = model.cursor_index().unwrap_or(0).min(rows.len());
    let ahead = rows[at..].iter();
    let behind = rows[..at].iter().rev().take(cases / 8);
    let desk = model.desk.as_ref().and_then(|desk: &Desk| model.row(&desk.key)).into_iter();
    let mut window: Vec<(SessionId, SubjectKind)> = Vec::with_capacity(cases);
    let mut pairs = 0;
    let pending = model.pending.iter().rev().map(|pending| &pending.row);
    for row in desk.chain(pending).chain(ahead.clone().take(cases - cases / 8)).chain(behind) {
        if pairs >= cases {
            break;
        }
        if window.iter().any(|(key, _)| *key == row.case.key) {
            continue;
        }
        pairs += row.case.must_judge(&model.settings.bands).count().max(1);
        window.push((row.case.key.clone(), row.case.kind));
    }
    window
}
