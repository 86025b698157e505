//! What to do next with a decision on its way, as pure functions: of what was read at Didit, how
//! far the decision has come and what this attempt was answered. Knows no network, no store and no
//! clock; the worker does what is said here and nothing else.
//!
//! The rule behind every line: a status is written only when the read shows what the reviewer saw
//! and no trace of this decision. Everything else is either ours already, or somebody's. What Didit
//! said yes to and does not show yet is nobody's: reads may lag behind writes, so a conflict needs a
//! status or an entry that is not ours, and the same is written twice at most.

use crate::didit::{ApiError, CarriedOut, ErrorKind};
use crate::domain::{Decision, Disposition, Millis, ReviewEntry, Status, SubjectKind, printable};
use crate::store::{Progress, Settled};

/// The longest name of a reviewer at Didit that is repeated, in graphemes.
const NAME_MOST: usize = 80;
/// So long before a decision its reviewer may have read the session, in milliseconds: pictures are
/// held for an hour, and another one is for clocks that differ.
const LOOK_MS: i64 = 2 * 3_600_000;
/// What Didit said yes to and has not shown for so long, in milliseconds, may be written once more: a
/// read that lags is no reason to write.
pub const QUIET_MS: i64 = 120_000;
/// No step that Didit said yes to is written more often.
pub const MOST_WRITES: u32 = 2;

/// What the review feed tells about this decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// The feed cannot be read.
    Hidden,
    /// The feed can be read and nothing in it is of this decision.
    None,
    /// The decision's mark stands in an entry that set another status or none.
    Note,
    /// The decision's mark stands in an entry that set the intended status.
    Written,
}

/// What was read at Didit about the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The subject's status.
    pub status: Status,
    /// What the feed tells about this decision.
    pub trace: Trace,
    /// Who set the status found, and when, in words: the newest entry of others that set a status,
    /// where it is this one.
    pub theirs: Option<String>,
    /// What somebody else had set just before this decision was written over it, and who and when in
    /// words: between the read and the write, where no lock reaches.
    pub overwritten: Option<(Status, String)>,
    /// Who set the status found after this decision was written, and when, in words.
    pub after: Option<String>,
}

impl Reading {
    /// Reads a status and a feed, newest first; `None` where the feed cannot be read.
    #[must_use]
    pub fn new(decision: &Decision, status: Status, feed: Option<&[ReviewEntry]>) -> Self {
        let Some(feed) = feed else {
            let (theirs, overwritten, after) = (None, None, None);
            return Self { status, trace: Trace::Hidden, theirs, overwritten, after };
        };
        let mark = decision.mark();
        let intended = decision.disposition.subject_status();
        let ours = || feed.iter().filter(|e| bears(e, &mark));
        let written = ours().find(|e| e.new_status.is_some() && e.new_status == intended);
        let trace = match written {
            Some(_) => Trace::Written,
            None if ours().next().is_some() => Trace::Note,
            None => Trace::None,
        };
        let theirs = feed
            .iter()
            .find(|e| e.new_status.is_some() && !bears(e, &mark))
            .filter(|e| e.new_status.as_ref() == Some(&status))
            // What was so before the reviewer looked is nobody's answer to this decision.
            .filter(|e| e.at.is_none_or(|at| at.since(decision.at) >= -LOOK_MS))
            .map(who_and_when);
        let overwritten = written.and_then(|ours| overwritten(decision, ours, feed));
        let after = written.and_then(|ours| after(decision, ours, &status, feed));
        Self { status, trace, theirs, overwritten, after }
    }
}

/// What others had set when `ours` was written, where it is neither what the reviewer saw nor what
/// was decided, and no older than the look that the reviewer had. Lines of one moment have no order,
/// so each of them may have been the last.
fn overwritten(
    decision: &Decision,
    ours: &ReviewEntry,
    feed: &[ReviewEntry],
) -> Option<(Status, String)> {
    let mark = decision.mark();
    let mut before = feed
        .iter()
        .filter(|e| e.new_status.is_some() && !bears(e, &mark) && e.at <= ours.at)
        .peekable();
    let last = before.peek()?.at.filter(|at| at.since(decision.at) >= -LOOK_MS)?;
    let other = |e: &&ReviewEntry| {
        e.new_status != ours.new_status && e.new_status.as_ref() != Some(&decision.seen_status)
    };
    let theirs = before.take_while(|e| e.at == Some(last)).find(other)?;
    Some((theirs.new_status.clone()?, who_and_when(theirs)))
}

/// Who gave the subject its status after `ours` was written. Lines of one moment have no order; without
/// a moment they stand newest first.
fn after(
    decision: &Decision,
    ours: &ReviewEntry,
    status: &Status,
    feed: &[ReviewEntry],
) -> Option<String> {
    let mark = decision.mark();
    let theirs = |e: &&ReviewEntry| e.new_status.as_ref() == Some(status) && !bears(e, &mark);
    let later = |e: &&ReviewEntry| ours.at.zip(e.at).is_none_or(|(ours, theirs)| theirs >= ours);
    let above = feed.iter().take_while(|e| *e != ours);
    let below = feed.iter().filter(|e| e.at.is_some() && ours.at.is_some());
    above.chain(below).filter(later).find(theirs).map(who_and_when)
}

/// Whether an entry's comment is that of the decision with this mark: it stands where
/// [`Decision::api_comment`] puts it, for anybody may write anything behind it.
fn bears(entry: &ReviewEntry, mark: &str) -> bool {
    let mut words = entry.comment.as_deref().unwrap_or_default().split_whitespace();
    words.next() == Some("secondlook") && words.nth(2) == Some(mark)
}

/// `ana at 2026-11-22 20:15 UTC`, as far as Didit says.
fn who_and_when(entry: &ReviewEntry) -> String {
    let who = printable(&entry.who, NAME_MOST);
    let who = if who.is_empty() { "somebody".to_owned() } else { who };
    match entry.at.and_then(moment) {
        Some(when) => format!("{who} at {when}"),
        None => who,
    }
}

/// A moment for people, in UTC to the minute.
fn moment(at: Millis) -> Option<String> {
    let stamp = jiff::Timestamp::from_millisecond(at.0).ok()?;
    Some(stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// What Didit answered, in this attempt, to the status that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StatusAnswer {
    /// It was not asked yet.
    #[default]
    NotYet,
    /// It took it (which today's API also says when it did nothing).
    Written,
    /// It had that status already.
    AlreadySo,
    /// It refused the change itself (400); why, in words.
    Refused(String),
}

/// What this attempt was answered so far. Forgotten with it: the next one reads anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// To the status.
    pub status: StatusAnswer,
    /// Why a review note was refused for good, in words.
    pub note_refused: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this status to the subject, then read again.
    WriteStatus(Status),
    /// Post the comment as a review note, which changes nothing at Didit.
    PostNote,
    /// The subject's status is as decided: note it, so that it is never written again.
    StatusStands,
    /// Put the target's face on the blocklist.
    List,
    /// Didit took it but does not show it yet: read again later.
    Wait {
        /// Why, in words.
        why: String,
    },
    /// Nothing more can be done: this came of it.
    End(Settled),
}

/// The next step of a delivery at a time.
#[must_use]
pub fn next(
    decision: &Decision,
    progress: Progress,
    answers: &Answers,
    read: &Reading,
    now: Millis,
) -> Step {
    if let Some(settled) = never_sent(decision) {
        return Step::End(settled);
    }
    let Some(intended) = decision.disposition.subject_status() else {
        return Step::End(nothing_to_send(decision));
    };
    if read.status != intended {
        let ours = progress.status_done || read.trace == Trace::Written;
        if read.status != decision.seen_status {
            return if ours { overturned(&intended, read) } else { theirs(read) };
        }
        if ours && read.after.is_some() {
            return overturned(&intended, read);
        }
        return if ours {
            late(&intended, progress)
        } else {
            seen_status(decision, intended, progress, answers, read, now)
        };
    }
    if !progress.status_done {
        return intended_status(decision, progress, answers, read);
    }
    if decision.disposition == Disposition::Blocklist && !progress.listed {
        return Step::List;
    }
    Step::End(Settled::Sent { note: done_note(decision, &intended, progress) })
}

/// Whether a step may be written: not when Didit said yes to it a moment ago, and not a third time.
/// What was never answered is written again after each read that shows nothing of it.
#[must_use]
pub fn may_write(progress: Progress, now: Millis) -> bool {
    let Some(answered) = progress.answered_at else { return true };
    progress.writes < MOST_WRITES && now.since(answered) >= QUIET_MS
}

/// What Didit said yes to and does not show, in words.
#[must_use]
pub fn no_change(progress: Progress) -> String {
    match progress.answered_at.and_then(moment) {
        Some(since) => {
            format!("Didit said yes and shows no change since {since}; it is read again.")
        }
        None => "Didit does not show it yet; it is read again.".to_owned(),
    }
}

/// The status is the one that the reviewer saw, though ours was written: a read that lags.
fn late(intended: &Status, progress: Progress) -> Step {
    let why = match progress.answered_at {
        Some(_) => no_change(progress),
        None => format!(
            "It was {} by this decision, and Didit shows an older status and nobody's change; it is \
             read again.",
            intended.word()
        ),
    };
    Step::Wait { why }
}

/// Decisions that never leave, whatever Didit says: known before anything is read.
#[must_use]
pub fn never_sent(decision: &Decision) -> Option<Settled> {
    let blocklist = decision.disposition == Disposition::Blocklist;
    if decision.disposition.subject_status().is_none() {
        return Some(nothing_to_send(decision));
    }
    if decision.kind == SubjectKind::Unreachable {
        return Some(if blocklist {
            refused("The face cannot be blocklisted: Didit has no session for this subject.")
        } else {
            local("Didit has no session for this subject; the record stays here.")
        });
    }
    if blocklist && decision.target.is_none() {
        return Some(refused("The decision names no session to blocklist; decide the case again."));
    }
    // The store holds no proposal for sending; if one came here all the same, it stops here.
    decision.is_proposal().then(|| {
        refused(if decision.is_without_picture() {
            "What has no picture is decided by two people; nobody confirmed it."
        } else {
            "An approved customer is blocklisted by two people; nobody confirmed it."
        })
    })
}

fn nothing_to_send(decision: &Decision) -> Settled {
    local(format!("Nothing is sent to Didit for {}.", decision.disposition.word()))
}

/// The status found is the intended one and this decision has not claimed it yet: whose is it?
fn intended_status(
    decision: &Decision,
    progress: Progress,
    answers: &Answers,
    read: &Reading,
) -> Step {
    if let Some((theirs, by)) = &read.overwritten {
        let by = format!("{by}, just before this decision was written over it");
        return Step::End(Settled::Conflict { theirs: theirs.clone(), by });
    }
    // A note of ours beside somebody else's change is no claim to it.
    let beside = decision.seen_status != read.status && read.theirs.is_some();
    if read.trace == Trace::Written || (read.trace == Trace::Note && !beside) {
        return Step::StatusStands;
    }
    if decision.seen_status == read.status {
        // A saved search is `Approved` from the start, and whether its status may be written at all is
        // documented nowhere: it is tried once, which changes nothing where it is the same.
        let untried = answers.status == StatusAnswer::NotYet && !progress.may_have_written;
        if decision.kind == SubjectKind::SavedSearch && untried && !progress.noted {
            return Step::WriteStatus(read.status.clone());
        }
        // Nothing to change. A note says at Didit who confirmed it, where it can be posted once.
        let said = progress.noted || answers.note_refused.is_some() || read.trace == Trace::Hidden;
        return if said { Step::StatusStands } else { Step::PostNote };
    }
    if let Some(by) = &read.theirs {
        return conflict(read, format!("already so, by {by}"));
    }
    // Nobody else's change is in the feed: where ours may have been made, it is ours or not shown yet.
    let only_try = answers.status == StatusAnswer::AlreadySo && progress.writes <= 1;
    if only_try || !progress.may_have_written {
        return conflict(read, "already so, by somebody else".to_owned());
    }
    let said_yes = answers.status == StatusAnswer::Written || progress.answered_at.is_some();
    if said_yes || read.trace == Trace::Hidden {
        return Step::StatusStands;
    }
    let status = read.status.word();
    Step::Wait {
        why: format!("It is {status}, and Didit does not say yet by whom; it is read again."),
    }
}

/// The status found is the one that the reviewer saw, not the intended one, and ours was never seen
/// there: not written yet, not shown yet, or lost.
fn seen_status(
    decision: &Decision,
    intended: Status,
    progress: Progress,
    answers: &Answers,
    read: &Reading,
    now: Millis,
) -> Step {
    if progress.noted || read.trace == Trace::Note {
        return if decision.kind == SubjectKind::SavedSearch {
            let why =
                "Didit keeps the status of this saved search; a review note was posted there.";
            Step::End(local(why))
        } else {
            late(&intended, progress)
        };
    }
    match &answers.status {
        StatusAnswer::Written | StatusAnswer::AlreadySo => Step::Wait { why: no_change(progress) },
        // It may have been taken before, and a read that lags is no refusal.
        StatusAnswer::Refused(_) if progress.answered_at.is_some() => {
            Step::Wait { why: no_change(progress) }
        }
        StatusAnswer::Refused(why) => refused_status(decision, why, answers, read),
        StatusAnswer::NotYet if !progress.may_have_written => Step::WriteStatus(intended),
        StatusAnswer::NotYet if read.trace == Trace::None && may_write(progress, now) => {
            Step::WriteStatus(intended)
        }
        StatusAnswer::NotYet if progress.answered_at.is_some() => {
            Step::Wait { why: no_change(progress) }
        }
        StatusAnswer::NotYet => Step::Wait {
            why: "An answer was lost and the review feed cannot be read, so nothing is written again; \
                  it is read again."
                .to_owned(),
        },
    }
}

/// The change itself was refused although the status is the one that was seen.
fn refused_status(decision: &Decision, why: &str, answers: &Answers, read: &Reading) -> Step {
    if decision.kind != SubjectKind::SavedSearch {
        return Step::End(refused(why));
    }
    let no_note = match &answers.note_refused {
        Some(also) => also.as_str(),
        None if read.trace == Trace::Hidden => "its notes cannot be read",
        None => return Step::PostNote,
    };
    let why = "Didit keeps the status of this saved search, and no note was posted";
    Step::End(local(format!("{why}: {no_note}.")))
}

fn theirs(read: &Reading) -> Step {
    conflict(read, read.theirs.clone().unwrap_or_else(|| "somebody else".to_owned()))
}

/// Ours was written, and the status is another one again.
fn overturned(intended: &Status, read: &Reading) -> Step {
    let by = read.theirs.as_deref().unwrap_or("somebody else");
    conflict(read, format!("{by}, after it had been {} by this decision", intended.word()))
}

fn done_note(decision: &Decision, intended: &Status, progress: Progress) -> String {
    let status = intended.word();
    let unchanged = decision.seen_status == *intended;
    let mut note = match (unchanged, progress.noted) {
        (false, _) => format!("{status} at Didit, read back."),
        (true, true) => format!("It was {status} already; a review note says who confirmed it."),
        (true, false) => format!("It was {status} already; nothing had to be written."),
    };
    if let Some(target) = decision.target.as_ref().filter(|_| progress.listed) {
        let name = target
            .session_number
            .map_or_else(|| target.session_id.short().to_owned(), |n| format!("#{n}"));
        note.push_str(&format!(" The face of {name} is on the blocklist."));
    }
    note
}

fn conflict(read: &Reading, by: String) -> Step {
    Step::End(Settled::Conflict { theirs: read.status.clone(), by })
}

fn local(why: impl Into<String>) -> Settled {
    Settled::Local { why: why.into() }
}

fn refused(why: impl Into<String>) -> Settled {
    Settled::Refused { why: why.into() }
}

/// A call that brought no usable answer, as far as the policy has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Whether it may have had an effect at Didit.
    pub carried_out: CarriedOut,
    /// One sentence for people.
    pub words: String,
}

impl Failure {
    /// A call that was given up because its time was over.
    #[must_use]
    pub fn out_of_time() -> Self {
        Self {
            kind: ErrorKind::Timeout,
            carried_out: CarriedOut::Maybe,
            words: "Didit did not answer in time".to_owned(),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { kind: error.kind, carried_out: error.carried_out, words: error.to_string() }
    }
}

/// What a failure means for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It was done; only the answer could not be read.
    Done,
    /// Nobody knows whether it was done: read before writing again.
    Lost,
    /// Didit refuses this very change.
    Refused,
    /// Didit does not know the session, or the call.
    Missing,
    /// The key, its rights, the balance or the address must be mended first. Not done.
    Barred,
    /// Not done, and trying again may help.
    Failed,
}

/// What a failed call means. For a read, `Lost` and `Failed` are the same.
#[must_use]
pub fn meaning(failure: &Failure) -> Meaning {
    match failure.carried_out {
        CarriedOut::Yes => return Meaning::Done,
        CarriedOut::Maybe => return Meaning::Lost,
        CarriedOut::No => {}
    }
    match failure.kind {
        ErrorKind::Validation | ErrorKind::WrongStatus | ErrorKind::Conflict => Meaning::Refused,
        ErrorKind::NotFound => Meaning::Missing,
        ErrorKind::Key
        | ErrorKind::Permission
        | ErrorKind::Credit
        | ErrorKind::Redirect
        | ErrorKind::Settings => Meaning::Barred,
        ErrorKind::Limited { .. }
        | ErrorKind::Server
        | ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::Protocol => Meaning::Failed,
    }
}

/// The first wait after a failure that may pass, and the longest, in milliseconds.
const SOON: (i64, i64) = (5_000, 300_000);
/// The same after one that somebody has to mend.
const MEND: (i64, i64) = (60_000, 600_000);
/// The same while Didit does not show what it said yes to.
const LATE: (i64, i64) = (5_000, 3_600_000);

/// How long to wait after a failure, in milliseconds: doubled with each attempt up to a bound, up to
/// a quarter more by `jitter` (0 to 1), never less than the server asked for.
#[must_use]
pub fn backoff(failure: &Failure, attempts: u32, jitter: f64) -> i64 {
    let pauses = if meaning(failure) == Meaning::Barred { MEND } else { SOON };
    let asked = match failure.kind {
        ErrorKind::Limited { after } => i64::try_from(after.as_millis()).unwrap_or(pauses.1),
        _ => 0,
    };
    pause(pauses, asked, attempts, jitter)
}

/// How long to wait before what Didit does not show yet is read again, in milliseconds: as [`backoff`],
/// up to an hour.
#[must_use]
pub fn late_pause(attempts: u32, jitter: f64) -> i64 {
    pause(LATE, 0, attempts, jitter)
}

fn pause((first, most): (i64, i64), asked: i64, attempts: u32, jitter: f64) -> i64 {
    let doublings = attempts.saturating_sub(1).min(16);
    let base = first.saturating_mul(1 << doublings).min(most);
    #[expect(clippy::cast_possible_truncation, reason = "at most a quarter of an hour")]
    let extra = (base as f64 / 4.0 * jitter.clamp(0.0, 1.0)) as i64;
    base.max(asked).saturating_add(extra)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{DecisionId, Receipt, Reviewer, ReviewerId, SessionId, Target};

    #[test]
    fn a_mark_in_somebodys_words_is_no_mark() {
        let mark = "decision:018f0000-0000-7000-8000-00000000000f";
        let bears = |comment: String| {
            let (who, new_status, at) = ("x".to_owned(), None, None);
            bears(&ReviewEntry { who, new_status, comment: Some(comment), at }, mark)
        };
        assert!(bears(format!("secondlook by:ana case:c {mark} reason:none words")));
        for words in [
            format!("secondlook by:ana case:c decision:other reason:none {mark}"),
            format!("looks like {mark} to me"),
            mark.to_owned(),
        ] {
            assert!(!bears(words.clone()), "{words}");
        }
    }

    fn decision(kind: SubjectKind, disposition: Disposition, seen: &str) -> Decision {
        let target = Target {
            session_id: SessionId::parse("subject").unwrap(),
            session_number: Some(7),
            is_subject: true,
            approved: false,
        };
        Decision {
            id: DecisionId::parse("018f0000-0000-7000-8000-000000000001").unwrap(),
            case: SessionId::parse("subject").unwrap(),
            session_number: Some(7),
            kind,
            disposition,
            judgements: Vec::new(),
            reason: None,
            comment: None,
            target: (disposition == Disposition::Blocklist).then_some(target),
            reviewer: Reviewer { id: ReviewerId("os:1".into()), name: "ana".into() },
            seen_status: seen.into(),
            at: Millis(0),
            receipt: Receipt::default(),
            replaces: None,
            answers: None,
            evidence: Vec::new(),
            workflow: None,
            signature: None,
        }
    }

    fn entry(who: &str, status: Option<&str>, comment: Option<String>) -> ReviewEntry {
        let new_status = status.map(Status::from);
        ReviewEntry { who: who.into(), new_status, comment, at: Some(Millis(0)) }
    }

    fn read(status: &str, trace: Trace, theirs: Option<&str>) -> Reading {
        let theirs = theirs.map(str::to_owned);
        Reading { status: status.into(), trace, theirs, overwritten: None, after: None }
    }

    fn progress(letters: &str) -> Progress {
        Progress {
            may_have_written: letters.contains('m'),
            status_done: letters.contains('s'),
            listed: letters.contains('l'),
            noted: letters.contains('n'),
            writes: u32::try_from(letters.matches('w').count()).unwrap(),
            answered_at: letters.contains('y').then_some(Millis(0)),
        }
    }

    fn word(step: &Step) -> String {
        match step {
            Step::WriteStatus(status) => format!("write {}", status.word()),
            Step::PostNote => "post".into(),
            Step::StatusStands => "stands".into(),
            Step::List => "list".into(),
            Step::Wait { .. } => "wait".into(),
            Step::End(settled) => end(settled),
        }
    }

    fn end(settled: &Settled) -> String {
        match settled {
            Settled::Sent { .. } => "done".into(),
            Settled::Conflict { theirs, .. } => format!("conflict {}", theirs.word()),
            Settled::Local { .. } => "local".into(),
            Settled::Refused { .. } => "refuse".into(),
            Settled::Unproven { .. } => "unproven".into(),
            Settled::Later { .. } => "later".into(),
        }
    }

    const APPROVE: Disposition = Disposition::Approve;
    const REJECT: Disposition = Disposition::Reject;
    const BLOCKLIST: Disposition = Disposition::Blocklist;
    const WORKFLOW: SubjectKind = SubjectKind::Workflow;
    const SEARCH: SubjectKind = SubjectKind::SavedSearch;
    const R: &str = "In Review";
    const A: &str = "Approved";
    const D: &str = "Declined";

    /// Disposition, kind, seen; progress, answer; status, trace, theirs; the step.
    type Row = (
        (Disposition, SubjectKind, &'static str),
        (&'static str, StatusAnswer),
        (&'static str, Trace, Option<&'static str>),
        &'static str,
    );

    #[test]
    fn the_way_of_a_decision() {
        use StatusAnswer::{AlreadySo, NotYet, Refused, Written};
        let no = || Refused("400".into());
        let rows: Vec<Row> = vec![
            // The plain way.
            ((APPROVE, WORKFLOW, R), ("", NotYet), (R, Trace::None, None), "write Approved"),
            ((REJECT, WORKFLOW, R), ("", NotYet), (R, Trace::None, None), "write Declined"),
            ((REJECT, WORKFLOW, A), ("", NotYet), (A, Trace::None, None), "write Declined"),
            ((APPROVE, WORKFLOW, R), ("", NotYet), (R, Trace::Hidden, None), "write Approved"),
            ((APPROVE, WORKFLOW, R), ("m", Written), (A, Trace::Written, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("ms", Written), (A, Trace::Written, None), "done"),
            ((BLOCKLIST, WORKFLOW, R), ("ms", Written), (D, Trace::Written, None), "list"),
            ((BLOCKLIST, WORKFLOW, R), ("msl", Written), (D, Trace::Written, None), "done"),
            // A lost answer: read first.
            ((APPROVE, WORKFLOW, R), ("m", NotYet), (A, Trace::Written, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("m", NotYet), (R, Trace::None, None), "write Approved"),
            ((APPROVE, WORKFLOW, R), ("mw", NotYet), (R, Trace::Hidden, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("mw", NotYet), (A, Trace::None, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("m", NotYet), (A, Trace::Hidden, None), "stands"),
            (
                (APPROVE, WORKFLOW, R),
                ("m", NotYet),
                (A, Trace::None, Some("bo")),
                "conflict Approved",
            ),
            // Behind the back.
            (
                (APPROVE, WORKFLOW, R),
                ("", NotYet),
                (D, Trace::None, Some("bo")),
                "conflict Declined",
            ),
            (
                (APPROVE, WORKFLOW, R),
                ("", NotYet),
                (A, Trace::None, Some("bo")),
                "conflict Approved",
            ),
            ((APPROVE, WORKFLOW, R), ("", NotYet), (A, Trace::Hidden, None), "conflict Approved"),
            (
                (APPROVE, WORKFLOW, R),
                ("m", AlreadySo),
                (A, Trace::None, Some("bo")),
                "conflict Approved",
            ),
            ((APPROVE, WORKFLOW, R), ("m", AlreadySo), (A, Trace::Written, None), "stands"),
            (
                (APPROVE, WORKFLOW, R),
                ("m", Written),
                (A, Trace::None, Some("bo")),
                "conflict Approved",
            ),
            ((APPROVE, WORKFLOW, R), ("m", Written), (A, Trace::None, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("m", Written), (A, Trace::Hidden, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("m", Written), (R, Trace::None, None), "wait"),
            // Overturned: never written again.
            (
                (APPROVE, WORKFLOW, R),
                ("m", NotYet),
                (D, Trace::Written, Some("bo")),
                "conflict Declined",
            ),
            (
                (APPROVE, WORKFLOW, R),
                ("m", NotYet),
                (A, Trace::None, Some("bo")),
                "conflict Approved",
            ),
            // Reads that lag behind the write.
            ((APPROVE, WORKFLOW, R), ("mwy", Written), (R, Trace::None, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwy", Written), (R, Trace::Written, Some("bo")), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (R, Trace::Written, Some("bo")), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (R, Trace::Note, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (R, Trace::Hidden, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (A, Trace::None, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (A, Trace::Hidden, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("mw", AlreadySo), (R, Trace::None, None), "wait"),
            (
                (APPROVE, WORKFLOW, R),
                ("mw", AlreadySo),
                (A, Trace::None, None),
                "conflict Approved",
            ),
            ((APPROVE, WORKFLOW, R), ("mwwy", AlreadySo), (A, Trace::None, None), "stands"),
            ((APPROVE, WORKFLOW, R), ("ms", NotYet), (R, Trace::Written, None), "wait"),
            ((BLOCKLIST, WORKFLOW, R), ("ms", NotYet), (R, Trace::None, None), "wait"),
            ((APPROVE, WORKFLOW, R), ("mwwy", no()), (R, Trace::None, None), "wait"),
            // A yes that changes nothing: once more, and not again.
            ((APPROVE, WORKFLOW, R), ("mwy", NotYet), (R, Trace::None, None), "write Approved"),
            ((APPROVE, WORKFLOW, R), ("mwwy", NotYet), (R, Trace::None, None), "wait"),
            (
                (BLOCKLIST, WORKFLOW, R),
                ("ms", NotYet),
                (A, Trace::Written, Some("bo")),
                "conflict Approved",
            ),
            // Nothing to change: who confirmed it is noted once.
            ((APPROVE, WORKFLOW, A), ("", NotYet), (A, Trace::None, None), "post"),
            ((APPROVE, WORKFLOW, A), ("mn", NotYet), (A, Trace::None, None), "stands"),
            ((APPROVE, WORKFLOW, A), ("m", NotYet), (A, Trace::Note, Some("bo")), "stands"),
            ((APPROVE, WORKFLOW, A), ("", NotYet), (A, Trace::Hidden, None), "stands"),
            ((BLOCKLIST, SEARCH, D), ("mns", NotYet), (D, Trace::Note, None), "list"),
            // A saved search that keeps its status.
            ((REJECT, SEARCH, A), ("", NotYet), (A, Trace::None, None), "write Declined"),
            ((REJECT, SEARCH, A), ("", no()), (A, Trace::None, None), "post"),
            ((REJECT, SEARCH, A), ("mn", no()), (A, Trace::None, None), "local"),
            ((REJECT, SEARCH, A), ("m", NotYet), (A, Trace::Note, None), "local"),
            ((REJECT, SEARCH, A), ("", no()), (A, Trace::Hidden, None), "local"),
            ((REJECT, SEARCH, A), ("m", NotYet), (D, Trace::Note, Some("bo")), "conflict Declined"),
            // Approved from the start: tried once, then said in a note, where nothing was recorded.
            ((APPROVE, SEARCH, A), ("", NotYet), (A, Trace::None, None), "write Approved"),
            ((APPROVE, SEARCH, A), ("", AlreadySo), (A, Trace::None, None), "post"),
            ((APPROVE, SEARCH, A), ("m", NotYet), (A, Trace::None, None), "post"),
            ((APPROVE, SEARCH, A), ("", Written), (A, Trace::Written, None), "stands"),
            // The same of a session is a refusal, unless somebody was faster.
            ((REJECT, WORKFLOW, R), ("", no()), (R, Trace::None, None), "refuse"),
            ((REJECT, WORKFLOW, R), ("", no()), (A, Trace::None, Some("bo")), "conflict Approved"),
        ];
        for ((disposition, kind, seen), (done, status), (now, trace, theirs), wanted) in rows {
            let decision = decision(kind, disposition, seen);
            let answers = Answers { status, note_refused: None };
            let read = read(now, trace, theirs);
            let step = next(&decision, progress(done), &answers, &read, Millis(QUIET_MS));
            assert_eq!(
                word(&step),
                wanted,
                "{disposition:?} {kind:?} {seen} {done} {answers:?} {now} {trace:?}"
            );
        }
    }

    #[test]
    fn what_never_leaves() {
        let nobody = SubjectKind::Unreachable;
        for (kind, disposition, wanted) in [
            (nobody, APPROVE, "local"),
            (nobody, REJECT, "local"),
            (nobody, BLOCKLIST, "refuse"),
            (WORKFLOW, Disposition::Escalate, "local"),
            (WORKFLOW, Disposition::Skip, "local"),
        ] {
            let step = never_sent(&decision(kind, disposition, R));
            assert_eq!(step.as_ref().map(end).as_deref(), Some(wanted), "{kind:?} {disposition:?}");
        }
        let mut without = decision(WORKFLOW, BLOCKLIST, R);
        without.target = None;
        assert!(matches!(never_sent(&without), Some(Settled::Refused { .. })));
        let mut proposal = decision(WORKFLOW, BLOCKLIST, R);
        proposal.target.as_mut().unwrap().approved = true;
        assert!(matches!(never_sent(&proposal), Some(Settled::Refused { .. })));
        proposal.answers = Some(DecisionId(uuid::Uuid::nil()));
        assert_eq!(never_sent(&proposal), None, "confirmed");
        assert_eq!(never_sent(&decision(WORKFLOW, APPROVE, R)), None);
    }

    #[test]
    fn what_didit_said_yes_to_is_not_written_again_at_once() {
        let d = decision(WORKFLOW, APPROVE, R);
        let read = read(R, Trace::None, None);
        let at = |letters, ms| next(&d, progress(letters), &Answers::default(), &read, Millis(ms));
        for (letters, ms, wanted) in [
            ("mwy", QUIET_MS - 1, "wait"),
            ("mwy", QUIET_MS, "write Approved"),
            ("mwwy", 100 * QUIET_MS, "wait"),
            ("mwwwy", 100 * QUIET_MS, "wait"),
            // Never answered: written again after every read that shows nothing of it.
            ("mww", 0, "write Approved"),
        ] {
            assert_eq!(word(&at(letters, ms)), wanted, "{letters} {ms}");
        }
        let Step::Wait { why } = at("mwy", 1) else { panic!("it waits") };
        let wanted =
            "Didit said yes and shows no change since 1970-01-01 00:00 UTC; it is read again.";
        assert_eq!(why, wanted);
    }

    #[test]
    fn the_status_that_was_seen_is_somebodys_only_by_a_later_entry() {
        let d = decision(WORKFLOW, APPROVE, R);
        let at = |ms, mut e: ReviewEntry| {
            e.at = Some(Millis(ms));
            e
        };
        let ours = |ms| at(ms, entry("API Client", Some(A), Some(d.api_comment().to_string())));
        let bo = |ms, status| at(ms, entry("bo", Some(status), None));
        let bare = |mut e: ReviewEntry| {
            e.at = None;
            e
        };
        for (feed, wanted) in [
            (vec![ours(9)], "wait"),
            (vec![ours(9), bo(5, R)], "wait"),
            (vec![bo(5, R), ours(9)], "wait"),
            (vec![bo(10, "Kyc Expired"), ours(9)], "wait"),
            (vec![bo(10, R), ours(9)], "conflict In Review"),
            (vec![ours(9), bo(10, R)], "conflict In Review"),
            (vec![bare(bo(0, R)), bare(ours(0))], "conflict In Review"),
            (vec![bare(ours(0)), bare(bo(0, R))], "wait"),
        ] {
            let r = Reading::new(&d, R.into(), Some(&feed));
            for letters in ["mw", "mwy", "ms"] {
                let step = next(&d, progress(letters), &Answers::default(), &r, Millis(QUIET_MS));
                assert_eq!(word(&step), wanted, "{letters} {feed:?}");
            }
        }
        // An approval of long ago is not what took the place of a lost write.
        let old = [bo(-LOOK_MS - 1, A)];
        let r = Reading::new(&d, A.into(), Some(&old));
        assert_eq!(r.theirs, None);
        let step = next(&d, progress("mwy"), &Answers::default(), &r, Millis(0));
        assert_eq!(word(&step), "stands");
    }

    /// Every combination of what can be known.
    fn everything(mut check: impl FnMut(&Decision, Progress, &Answers, &Reading, Step)) {
        let answers = [
            StatusAnswer::NotYet,
            StatusAnswer::Written,
            StatusAnswer::AlreadySo,
            StatusAnswer::Refused("no".into()),
        ];
        for kind in [WORKFLOW, SEARCH] {
            for (disposition, seen) in [APPROVE, REJECT, BLOCKLIST]
                .into_iter()
                .flat_map(|d| [R, A, D, "Kyc Expired"].map(move |s| (d, s)))
            {
                let decision = decision(kind, disposition, seen);
                for (bits, writes, yes) in (0u8..16)
                    .flat_map(|b| [(b, 0, None), (b, 1, Some(Millis(0))), (b, 2, Some(Millis(0)))])
                {
                    let p = Progress {
                        writes,
                        answered_at: yes,
                        may_have_written: bits & 1 != 0 || yes.is_some(),
                        status_done: bits & 2 != 0,
                        listed: bits & 4 != 0,
                        noted: bits & 8 != 0,
                    };
                    for (status, refused) in answers.iter().flat_map(|a| [(a, false), (a, true)]) {
                        let note_refused = refused.then(|| "no".to_owned());
                        let a = Answers { status: status.clone(), note_refused };
                        for now in [R, A, D, "Resubmitted"] {
                            for trace in [Trace::Hidden, Trace::None, Trace::Note, Trace::Written] {
                                for (theirs, over) in
                                    [(None, false), (Some("bo"), false), (None, true)]
                                {
                                    let mut r = read(now, trace, theirs);
                                    let over = over && trace == Trace::Written;
                                    r.overwritten =
                                        over.then(|| ("Overwritten".into(), "bo".into()));
                                    r.after = over.then(|| "bo".into());
                                    let step = next(&decision, p, &a, &r, Millis(QUIET_MS));
                                    check(&decision, p, &a, &r, step);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn laws_over_every_combination() {
        let mut seen = 0;
        everything(|decision, p, a, r, step| {
            seen += 1;
            let intended = decision.disposition.subject_status().unwrap();
            let about = format!("{decision:?} {p:?} {a:?} {r:?} {step:?}");
            match &step {
                Step::WriteStatus(new) => {
                    assert_eq!(*new, intended, "{about}");
                    assert_eq!(r.status, decision.seen_status, "{about}");
                    // The same status only to a saved search, where nobody knows what is taken.
                    assert!(r.status != intended || decision.kind == SEARCH, "{about}");
                    assert!(matches!(r.trace, Trace::None | Trace::Hidden), "{about}");
                    assert!(!p.status_done && !p.noted, "{about}");
                    assert_eq!(a.status, StatusAnswer::NotYet, "once an attempt: {about}");
                    let fresh = decision.kind == SEARCH && r.status == intended;
                    assert!(fresh || !(p.may_have_written && r.trace == Trace::Hidden), "{about}");
                    assert!(p.answered_at.is_none() || p.writes < MOST_WRITES, "{about}");
                }
                Step::PostNote => {
                    assert!(!p.noted && a.note_refused.is_none(), "{about}");
                    assert_eq!(r.trace, Trace::None, "looked for first: {about}");
                    assert_eq!(r.status, decision.seen_status, "{about}");
                }
                Step::StatusStands => {
                    assert!(r.status == intended && !p.status_done, "{about}");
                    assert_eq!(r.overwritten, None, "{about}");
                }
                Step::List => {
                    assert_eq!(decision.disposition, BLOCKLIST, "{about}");
                    assert!(p.status_done && !p.listed && r.status == intended, "{about}");
                }
                Step::End(Settled::Sent { .. }) => {
                    assert!(r.status == intended && p.status_done, "{about}");
                    assert!(decision.disposition != BLOCKLIST || p.listed, "{about}");
                }
                Step::End(Settled::Conflict { theirs, .. }) if *theirs != r.status => {
                    let over = r.overwritten.as_ref().map(|(status, _)| status);
                    assert_eq!(over, Some(theirs), "{about}");
                    assert!(r.status == intended && !p.status_done, "{about}");
                }
                Step::End(Settled::Conflict { theirs, .. }) => {
                    assert_eq!(*theirs, r.status, "{about}");
                    // A status that is not ours, or an entry that is not ours.
                    let strange = r.status != intended && r.status != decision.seen_status;
                    let never = !p.may_have_written || a.status == StatusAnswer::AlreadySo;
                    let entry = r.theirs.is_some() || r.after.is_some();
                    assert!(strange || entry || never, "{about}");
                    assert!(!(r.status == intended && p.status_done), "{about}");
                    assert!(!(r.status == intended && r.trace == Trace::Written), "{about}");
                }
                Step::End(Settled::Local { .. }) => {
                    assert_eq!(decision.kind, SEARCH, "{about}");
                    assert_eq!(r.status, decision.seen_status, "{about}");
                }
                Step::End(Settled::Refused { .. }) => {
                    assert!(matches!(a.status, StatusAnswer::Refused(_)), "{about}");
                    assert_eq!(r.status, decision.seen_status, "{about}");
                }
                Step::End(Settled::Later { .. } | Settled::Unproven { .. }) => panic!("{about}"),
                Step::Wait { .. } => {
                    // Only where something of it may be at Didit.
                    let asked = matches!(a.status, StatusAnswer::Written | StatusAnswer::AlreadySo);
                    let left = p.may_have_written || p.status_done || p.noted;
                    let shown = matches!(r.trace, Trace::Written | Trace::Note);
                    assert!(asked || left || shown, "{about}");
                }
            }
        });
        assert_eq!(seen, 2 * 12 * 16 * 3 * 8 * 4 * 4 * 3);
    }

    #[test]
    fn a_feed_is_read_for_our_mark_and_for_theirs() {
        let d = decision(WORKFLOW, APPROVE, R);
        let ours = || Some(d.api_comment().as_str().to_owned());
        let longer = Some(format!("secondlook by:x {}0", d.mark()));
        let feed = |entries: Vec<ReviewEntry>| {
            let r = Reading::new(&d, A.into(), Some(&entries));
            (r.trace, r.theirs)
        };
        let bo = || Some("bo@example.org at 1970-01-01 00:00 UTC".to_owned());
        assert_eq!(feed(vec![]), (Trace::None, None));
        assert_eq!(feed(vec![entry("API Client", Some(A), ours())]), (Trace::Written, None));
        assert_eq!(feed(vec![entry("Unknown", None, ours())]), (Trace::Note, None));
        assert_eq!(feed(vec![entry("API Client", Some(A), longer)]).0, Trace::None);
        assert_eq!(feed(vec![entry("bo@example.org", Some(A), None)]), (Trace::None, bo()));
        let (note, theirs) =
            (entry("Unknown", None, ours()), entry("bo@example.org", Some(A), None));
        assert_eq!(feed(vec![note, theirs]), (Trace::Note, bo()));
        // An approval of an earlier round is nobody's claim to this one.
        let round = vec![entry("bo", Some(R), None), entry("bo", Some(A), None)];
        assert_eq!(feed(round), (Trace::None, None));
        assert_eq!(Reading::new(&d, A.into(), None).trace, Trace::Hidden);
    }

    #[test]
    fn what_was_written_over_is_found() {
        let d = decision(WORKFLOW, APPROVE, R);
        let at = |ms, mut e: ReviewEntry| {
            e.at = Some(Millis(ms));
            e
        };
        let ours = |ms| at(ms, entry("API Client", Some(A), Some(d.api_comment().to_string())));
        let bo = |ms, status| at(ms, entry("bo", Some(status), None));
        for (feed, wanted) in [
            (vec![ours(9), bo(5, D)], Some(D)),
            // Lines of one moment may come in either order.
            (vec![bo(9, D), ours(9)], Some(D)),
            (vec![ours(9), bo(9, D)], Some(D)),
            (vec![bo(9, A), bo(9, D), ours(9)], Some(D)),
            (vec![ours(9), bo(5, "Kyc Expired"), bo(4, R)], Some("Kyc Expired")),
            // What the reviewer saw, the same word, an earlier round, a later word.
            (vec![ours(9), bo(5, R), bo(4, D)], None),
            (vec![ours(9), bo(5, A)], None),
            (vec![ours(9), bo(-LOOK_MS - 1, D)], None),
            (vec![bo(10, D), ours(9)], None),
            (vec![bo(5, D)], None),
            (vec![ours(9)], None),
        ] {
            let r = Reading::new(&d, A.into(), Some(&feed));
            let found = r.overwritten.map(|(status, _)| status);
            assert_eq!(found, wanted.map(Status::from), "{feed:?}");
        }
        let r = Reading::new(&d, A.into(), Some(&[ours(9), bo(5, D)]));
        let step = next(&d, progress("m"), &Answers::default(), &r, Millis(0));
        assert_eq!(word(&step), "conflict Declined");
    }

    #[test]
    fn a_hostile_name_is_made_harmless() {
        let d = decision(WORKFLOW, APPROVE, R);
        let feed = [entry("bo\u{1b}[2J", Some(D), None)];
        let r = Reading::new(&d, D.into(), Some(&feed));
        assert_eq!(r.theirs.as_deref(), Some("bo[2J at 1970-01-01 00:00 UTC"));
    }

    fn failure(kind: ErrorKind, carried_out: CarriedOut) -> Failure {
        Failure { kind, carried_out, words: String::new() }
    }

    #[test]
    fn what_a_failure_means() {
        let after = Duration::from_secs(30);
        let no = [
            (ErrorKind::Validation, Meaning::Refused),
            (ErrorKind::WrongStatus, Meaning::Refused),
            (ErrorKind::Conflict, Meaning::Refused),
            (ErrorKind::NotFound, Meaning::Missing),
            (ErrorKind::Key, Meaning::Barred),
            (ErrorKind::Permission, Meaning::Barred),
            (ErrorKind::Credit, Meaning::Barred),
            (ErrorKind::Redirect, Meaning::Barred),
            (ErrorKind::Settings, Meaning::Barred),
            (ErrorKind::Limited { after }, Meaning::Failed),
            (ErrorKind::Server, Meaning::Failed),
            (ErrorKind::Network, Meaning::Failed),
            (ErrorKind::Timeout, Meaning::Failed),
            (ErrorKind::Protocol, Meaning::Failed),
        ];
        for (kind, wanted) in no {
            assert_eq!(meaning(&failure(kind, CarriedOut::No)), wanted, "{kind:?}");
            assert_eq!(meaning(&failure(kind, CarriedOut::Maybe)), Meaning::Lost, "{kind:?}");
            assert_eq!(meaning(&failure(kind, CarriedOut::Yes)), Meaning::Done, "{kind:?}");
        }
        assert_eq!(meaning(&Failure::out_of_time()), Meaning::Lost);
    }

    #[test]
    fn how_long_to_wait() {
        let server = failure(ErrorKind::Server, CarriedOut::No);
        let key = failure(ErrorKind::Key, CarriedOut::No);
        let limited =
            |s| failure(ErrorKind::Limited { after: Duration::from_secs(s) }, CarriedOut::No);
        for (failure, attempts, jitter, wanted) in [
            (&server, 0, 0.0, 5_000),
            (&server, 1, 0.0, 5_000),
            (&server, 2, 0.0, 10_000),
            (&server, 4, 0.0, 40_000),
            (&server, 4, 1.0, 50_000),
            (&server, u32::MAX, 0.0, 300_000),
            (&server, u32::MAX, 9.0, 375_000),
            (&key, 1, 0.0, 60_000),
            (&key, 99, 0.0, 600_000),
            (&limited(2), 1, 0.0, 5_000),
            (&limited(30), 1, 0.0, 30_000),
            (&limited(900), 1, 1.0, 901_250),
        ] {
            assert_eq!(backoff(failure, attempts, jitter), wanted, "{failure:?} {attempts}");
        }
    }
}
