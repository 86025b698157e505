//! What becomes of a session that was read, as pure functions of it.

use crate::didit::ErrorKind;
use crate::domain::{
    Case, CaseState, DeliveryState, Details, Millis, ReviewEntry, Status, SubjectKind,
};
use crate::store::QueueRow;

use super::Settings;

/// What every comment of ours begins with.
const OURS: &str = "secondlook by:";

/// What becomes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a case, in this state.
    Case(CaseState),
    /// It holds nothing to review, and will not unless its status changes.
    Nothing,
    /// It is not where the listing said: the next listing knows better.
    Elsewhere,
}

/// What becomes of a session, as its decision call shows it. `cutoff` is the age limit of saved
/// searches.
pub(super) fn standing(settings: &Settings, details: &Details, cutoff: Millis) -> Standing {
    let case = &details.case;
    match case.kind {
        SubjectKind::Workflow if !wanted(settings, &case.status) => return Standing::Elsewhere,
        SubjectKind::SavedSearch if is_old(case.created_at, cutoff) || ours(&details.reviews) => {
            return Standing::Nothing;
        }
        SubjectKind::Workflow | SubjectKind::SavedSearch | SubjectKind::Unreachable => {}
    }
    match worth(settings, case) {
        Some(state) => Standing::Case(state),
        None => Standing::Nothing,
    }
}

/// Whether there is something to review: `Open` for a flagged case, `Left` for one that only has
/// strong candidates, or some that nobody could read.
fn worth(settings: &Settings, case: &Case) -> Option<CaseState> {
    if case.is_flagged(&settings.bands) {
        return Some(CaseState::Open);
    }
    let left = case.is_left(&settings.bands) || case.set_aside > 0;
    left.then_some(CaseState::Left)
}

/// Whether a workflow session in this status is taken in.
pub(super) fn wanted(settings: &Settings, status: &Status) -> bool {
    settings.statuses.is_empty() || settings.statuses.contains(status)
}

/// Whether a session is certainly older than the limit.
pub(super) fn is_old(created_at: Option<Millis>, cutoff: Millis) -> bool {
    created_at.is_some_and(|at| at < cutoff)
}

/// Whether a comment of ours stands in a review feed.
pub(super) fn ours(feed: &[ReviewEntry]) -> bool {
    feed.iter().any(is_ours)
}

fn is_ours(entry: &ReviewEntry) -> bool {
    entry.comment.as_deref().is_some_and(|c| c.trim_start().starts_with(OURS))
}

/// Whether a decision call may bring anything new about a session that the store asks for. A decided
/// case opens again only when it is in review after its decision was sent.
pub(super) fn worth_asking(listed: &Status, known: Option<&QueueRow>) -> bool {
    let Some(row) = known.filter(|row| row.state == CaseState::Decided) else { return true };
    let sent = row.decision.is_some_and(|(_, _, state)| state == DeliveryState::Sent);
    sent && *listed == Status::InReview
}

/// Why a case that is in none of the statuses any more left, in words.
pub(super) fn departure(details: &Details) -> String {
    let status = &details.case.status;
    let entry = details.reviews.iter().find(|e| e.new_status.as_ref() == Some(status));
    let how = match entry {
        Some(entry) if is_ours(entry) => "in another secondlook",
        Some(entry) if entry.who.contains('@') => "in the web console",
        Some(entry) if entry.who == "API Client" => "through the API",
        Some(_) | None => "at Didit",
    };
    format!("{} {how}", crate::domain::printable(status.word(), 40))
}

/// Why a case that cannot be read any more left.
pub(super) const INVISIBLE: &str = "No longer visible to this key";

/// What a failed decision call means for the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// The session is gone.
    Vanished,
    /// This one answer cannot be read; others may.
    Unreadable,
    /// The server failed: a few of these are borne.
    Stumble,
    /// The others would fail as well.
    Fatal,
}

/// What a failed decision call means for the round.
pub(super) fn setback(kind: ErrorKind) -> Setback {
    match kind {
        ErrorKind::NotFound => Setback::Vanished,
        ErrorKind::Protocol
        | ErrorKind::Validation
        | ErrorKind::WrongStatus
        | ErrorKind::Conflict => Setback::Unreadable,
        ErrorKind::Server | ErrorKind::Timeout => Setback::Stumble,
        ErrorKind::Key
        | ErrorKind::Permission
        | ErrorKind::Credit
        | ErrorKind::Limited { .. }
        | ErrorKind::Network
        | ErrorKind::Redirect
        | ErrorKind::Settings => Setback::Fatal,
    }
}
