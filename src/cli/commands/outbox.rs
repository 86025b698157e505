//! `outbox list`, `flush` and `retry`, `history` and `undo`: what is on its way and what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::super::args::{Args, Outbox as What};
use super::super::error::{CliError, Exit};
use super::super::output::{Columns, Gauge, json, line, say, table};
use super::super::wire::Setup;
use super::Desk;
use super::reading::Reading;
use super::sync::stop_on_signals;
use crate::core::{clock, date};
use crate::domain::{
    Along, Clock as _, DecisionId, DeliveryState, HistoryQuery, HistoryRow, Millis, Past, Retried,
    ReviewerId, Settled, SubjectKind, Undone, Unreadable,
};
use crate::outbox::{Flushed, Flushing, Outbox, Settings};
use crate::shell::{Who, is_dead, worker_id};

/// Decisions that are read at a time.
const PAGE: u32 = 1_000;

/// A decision on its way, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct OnItsWay<'a> {
    decision: String,
    case: &'a str,
    disposition: &'static str,
    state: &'static str,
    attempts: u32,
    due: String,
    note: Option<&'a str>,
    half: bool,
}

/// A decision and what became of it, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Told<'a> {
    decision: String,
    case: &'a str,
    session_number: Option<u64>,
    disposition: &'static str,
    state: &'static str,
    target: Option<&'a str>,
    reviewer: &'a str,
    at: String,
    reason: Option<&'static str>,
    note: Option<&'a str>,
    half: bool,
}

/// Lists or sends.
pub async fn outbox(args: &Args, what: &What) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let result = match what {
        What::List => list(args, &desk).await,
        What::Flush { within } => flush(args, &setup, &desk, *within).await,
        What::Release { of } => release(args, &setup, &desk, of).await,
        What::End { decision } => end(args, &setup, &desk, decision).await,
        What::Retry { decisions, .. } => retry(args, &setup, &desk, decisions).await,
    };
    desk.store.close().await;
    result
}

async fn list(args: &Args, desk: &Desk) -> Result<Exit, CliError> {
    let waits = |state: &DeliveryState| !state.is_settled() || *state == DeliveryState::Refused;
    let states = DeliveryState::ALL.into_iter().filter(waits).collect();
    let query = HistoryQuery { states, ..HistoryQuery::default() };
    let Past { mut rows, unreadable, .. } = desk.store.history(&desk.origin, &query).await?;
    // What was refused is over, unless a face is missing on the list and nobody has decided anew.
    rows.retain(|row| !row.state.is_settled() || row.is_half());
    for row in std::mem::take(&mut rows) {
        if row.state.is_settled() && !is_newest(desk, &row).await? {
            continue;
        }
        rows.push(row);
    }
    // What is sent next comes first.
    rows.sort_by_key(|row| (row.due, row.decision.id));
    if args.json {
        for row in &rows {
            json(&OnItsWay {
                decision: row.decision.id.to_string(),
                case: row.decision.case.as_str(),
                disposition: row.decision.disposition.word(),
                state: row.state.word(),
                attempts: row.attempts,
                due: timestamp(row.due),
                note: row.note.as_deref(),
                half: row.is_half(),
            })?;
        }
        unreadable.iter().try_for_each(unread)?;
        return Ok(Exit::Done);
    }
    let cells = rows.iter().map(|row| {
        vec![
            name(row),
            row.decision.disposition.word().to_owned(),
            state_word(row),
            row.attempts.to_string(),
            timestamp(row.due),
            row.decision.id.to_string(),
            row.note.clone().unwrap_or_default(),
        ]
    });
    let head = ["case", "disposition", "state", "attempts", "due", "decision", "note"];
    table(&head, &cells.collect::<Vec<_>>())?;
    unreadable.iter().try_for_each(|row| line(&row.to_string()))?;
    Ok(Exit::Done)
}

async fn flush(
    args: &Args,
    setup: &Setup,
    desk: &Desk,
    within: Option<Duration>,
) -> Result<Exit, CliError> {
    let who = desk.who(setup).await?;
    // What is held stays so: it can be sent where its roster is.
    if let Some(missing) = who.stopped {
        let text = format!("nothing is sent: {missing}");
        return Err(CliError::new(Exit::Auth, text, "See `secondlook store status`"));
    }
    let worker = worker_id();
    let mut settings = Settings::new(desk.origin.clone(), worker, who.reviewer.id.clone());
    settings.adopted.clone_from(&who.adopted);
    let clock = Arc::new(desk.clock().await);
    let outbox = Outbox::new(desk.store.clone(), desk.client.clone(), clock, settings);
    outbox.bury(is_dead).await?;
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let signing = desk.signing(setup, &who).await?;
    let progress = Sending { gauge: Gauge::new(), said: Mutex::new(Instant::now()) };
    let flushed = outbox.flush_telling(within, &stop, &|so_far| progress.tell(so_far)).await;
    progress.gauge.over();
    let flushed = flushed?;
    desk.sign(signing).await?;
    report(args, desk, &flushed).await
}

/// How far a flush has come: a line that is written over where standard error is a terminal, else one now and then.
struct Sending {
    gauge: Gauge,
    said: Mutex<Instant>,
}

/// So long passes between two lines that stay.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

impl Sending {
    fn tell(&self, Flushing { ended, of }: Flushing) {
        let words = format!("{ended} of {of} sent or ended");
        if self.gauge.draw(ended as u64, of as u64, &words) {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= BETWEEN_LINES {
            say(&words);
            *said = Instant::now();
        }
    }
}

async fn report(args: &Args, desk: &Desk, flushed: &Flushed) -> Result<Exit, CliError> {
    // The exit code is told, also when nobody reads the words.
    let mut told = Ok(());
    for (decision, ..) in &flushed.settled {
        let query = HistoryQuery { decision: Some(*decision), ..HistoryQuery::default() };
        for row in desk.store.history(&desk.origin, &query).await?.rows {
            told = told.and_then(|()| print(args, &row));
        }
    }
    let settled = || flushed.settled.iter().map(|(.., settled)| settled);
    let bad = |s: &Settled| match s {
        Settled::Refused { .. } | Settled::Unproven { .. } | Settled::Later { .. } => true,
        Settled::Sent { .. } | Settled::Local { .. } | Settled::Conflict { .. } => false,
    };
    for parked in &flushed.parked {
        say(&format!("{parked}."));
    }
    let done =
        settled().filter(|s| matches!(s, Settled::Sent { .. } | Settled::Local { .. })).count();
    let failed = settled().any(bad) || !flushed.open.is_empty() || !flushed.parked.is_empty();
    let conflicts = settled().any(|s| matches!(s, Settled::Conflict { .. }));
    if !flushed.open.is_empty() {
        say(&format!(
            "{} decision(s) are still on their way; `secondlook outbox list` says why.",
            flushed.open.len()
        ));
    }
    Ok(match (failed, conflicts, done) {
        (false, false, _) => return told.map(|()| Exit::Done),
        (false, true, 0) => Exit::Conflict,
        (true, false, 0) if flushed.open.is_empty() => Exit::Failed,
        (true, false, 0) => Exit::Network,
        _ => Exit::Partly,
    })
}

/// Ends a decision of unknown outcome after one more look.
async fn end(args: &Args, setup: &Setup, desk: &Desk, name: &str) -> Result<Exit, CliError> {
    let id = parse(name)?;
    let who = desk.who(setup).await?;
    let settings = Settings::new(desk.origin.clone(), worker_id(), who.reviewer.id.clone());
    let clock = Arc::new(desk.clock().await);
    let outbox = Outbox::new(desk.store.clone(), desk.client.clone(), clock, settings);
    outbox.bury(is_dead).await?;
    let signing = desk.signing(setup, &who).await?;
    let ended = outbox.end(id, &who.reviewer.name).await?;
    desk.sign(signing).await?;
    let Some(settled) = ended else {
        return Err(CliError::new(
            Exit::Nothing,
            "there is no such decision of unknown outcome, or another console looks at it now",
            "`secondlook outbox list` shows what is on its way",
        ));
    };
    let query = HistoryQuery { decision: Some(id), ..HistoryQuery::default() };
    for row in desk.store.history(&desk.origin, &query).await?.rows {
        print(args, &row)?;
    }
    Ok(match settled {
        Settled::Later { .. } => Exit::Network,
        Settled::Conflict { .. } => Exit::Conflict,
        _ => Exit::Done,
    })
}

/// What trying a decision again came to, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Again {
    decision: String,
    case: Option<String>,
    state: Option<&'static str>,
    retried: bool,
    why: Option<String>,
}

/// Makes decisions due now that were refused or put off: those that are named, or all of them. Without names
/// what is not the reviewer's to retry is passed over.
async fn retry(
    args: &Args,
    setup: &Setup,
    desk: &Desk,
    names: &[String],
) -> Result<Exit, CliError> {
    let ids: Vec<_> = names.iter().map(|name| parse(name)).collect::<Result<_, _>>()?;
    let all = ids.is_empty();
    let who = desk.who(setup).await?;
    let ids = if all { waiting(desk).await? } else { ids };
    let now = desk.clock().await.now();
    let signing = desk.signing(setup, &who).await?;
    let (mut due, mut missed) = (0, Vec::new());
    // What has been done is told and signed, also when the store fails half way or nobody reads.
    let mut told = Ok(());
    for id in ids {
        let retried = desk.store.retry(&desk.origin, id, &who.reviewer.id, now).await;
        let Ok(retried) = retried else {
            told = told.and(retried.map(|_| ()).map_err(CliError::from));
            break;
        };
        match not_retried(retried) {
            None => due += 1,
            Some(_) if all => continue,
            Some((exit, _)) => missed.push(exit),
        }
        told = told.and(tell_retried(args, desk, id, retried).await);
    }
    desk.sign(signing).await?;
    told?;
    if due == 0 && missed.is_empty() {
        return Err(CliError::new(
            Exit::Nothing,
            "nothing was refused or put off that you could try again",
            "`secondlook outbox list` shows what is on its way, `secondlook history` the rest",
        ));
    }
    let worst = [Exit::Conflict, Exit::Auth].into_iter().find(|exit| missed.contains(exit));
    Ok(match (due, missed.is_empty()) {
        (_, true) => Exit::Done,
        (0, false) => worst.unwrap_or(Exit::Nothing),
        (_, false) => Exit::Partly,
    })
}

/// Takes back what somebody else holds, and opens their cases.
async fn release(args: &Args, setup: &Setup, desk: &Desk, of: &str) -> Result<Exit, CliError> {
    let by = super::reviewers::administrator(setup, desk).await?;
    let who = desk.who(setup).await?;
    let whose =
        if of.contains(':') { ReviewerId(of.to_owned()) } else { ReviewerId::of_person(of) };
    let states = vec![DeliveryState::Held];
    let query = HistoryQuery { states, ..HistoryQuery::default() };
    let rows = desk.store.history(&desk.origin, &query).await?.rows;
    let now = desk.clock().await.now();
    let signing = desk.signing(setup, &who).await?;
    let (mut released, mut told) = (0, Ok(()));
    for row in rows.iter().filter(|row| row.decision.reviewer.id == whose) {
        let id = row.decision.id;
        let undone = desk.store.release_held(&desk.origin, id, &by, now).await?;
        if !matches!(undone, Undone::TakenBack(_)) {
            continue;
        }
        released += 1;
        let case = row.decision.case_name();
        told = told.and_then(|()| {
            if args.json {
                json(&serde_json::json!({ "decision": id.to_string(), "case": row.decision.case.as_str() }))
            } else {
                line(&format!("{case} is open again; {} {id} is never sent", row.decision.disposition.word()))
            }
        });
    }
    desk.sign(signing).await?;
    told?;
    if released == 0 {
        return Err(CliError::new(
            Exit::Nothing,
            format!("{whose} holds nothing"),
            "`secondlook outbox list` shows what is on its way",
        ));
    }
    Ok(Exit::Done)
}

/// What `--all` tries: refused ones, and those of unknown outcome, oldest first.
async fn waiting(desk: &Desk) -> Result<Vec<DecisionId>, CliError> {
    let states = vec![DeliveryState::Refused, DeliveryState::Unknown];
    let query = HistoryQuery { states, ..HistoryQuery::default() };
    let rows = desk.store.history(&desk.origin, &query).await?.rows;
    Ok(rows.iter().rev().map(|row| row.decision.id).collect())
}

/// Why it stays as it is, and the exit code for that; nothing where it is due now.
fn not_retried(retried: Retried) -> Option<(Exit, &'static str)> {
    use DeliveryState as State;
    Some(match retried {
        Retried::Due(_) => return None,
        Retried::Unknown => (Exit::Nothing, "there is no such decision"),
        Retried::NotYours => (Exit::Auth, "it is another reviewer's; only they can send it"),
        Retried::Replaced => (Exit::Conflict, "it is not the last word on its case any more"),
        Retried::Not(State::Held) => {
            (Exit::Nothing, "it is held; `secondlook outbox flush` sends it now")
        }
        Retried::Not(State::Sending) => (Exit::Nothing, "it is on its way at this moment"),
        Retried::Not(State::Conflict) => (
            Exit::Conflict,
            "somebody else decided at Didit; `secondlook undo` opens its case for a new decision",
        ),
        Retried::Not(_) => (Exit::Nothing, "nothing of it is left to send"),
    })
}

/// One line on each: where it is now, or why it stays as it is.
async fn tell_retried(
    args: &Args,
    desk: &Desk,
    id: DecisionId,
    retried: Retried,
) -> Result<(), CliError> {
    let query = HistoryQuery { decision: Some(id), ..HistoryQuery::default() };
    let row = desk.store.history(&desk.origin, &query).await?.rows.pop();
    let why = not_retried(retried).map(|(_, why)| why);
    if args.json {
        return json(&Again {
            decision: id.to_string(),
            case: row.as_ref().map(|row| row.decision.case.to_string()),
            state: row.as_ref().map(|row| row.state.word()),
            retried: why.is_none(),
            why: why.map(str::to_owned),
        });
    }
    let name = row.as_ref().map_or_else(|| id.to_string(), name);
    match why {
        None => line(&format!(
            "{name} {}: due now; the next `secondlook outbox flush` or console sends it",
            row.as_ref().map_or("decision", |row| row.decision.disposition.word()),
        )),
        Some(why) => line(&format!("{name} stays as it is: {why}")),
    }
}

/// Prints what was decided.
pub async fn history(
    args: &Args,
    limit: Option<u32>,
    origin: Option<&str>,
) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Reading::open(&setup, origin).await?;
    let head = ["at", "case", "disposition", "state", "reviewer", "decision", "note"];
    let (mut columns, mut unreadable) = (Columns::new(&head), Vec::new());
    let (mut along, mut left, mut hidden) = (Along::Newest, limit.unwrap_or(u32::MAX), None);
    // Page by page, so that a long history is printed in constant memory.
    loop {
        let limit = Some(left.min(PAGE));
        let query = HistoryQuery { limit, along, ..HistoryQuery::default() };
        let mut page = desk.store.history(&desk.origin, &query).await?;
        // Behind the first page: what is hidden of it was recorded before, and all that comes is older.
        if hidden.is_none() {
            hidden = Some(desk.hidden(&desk.reader(&setup).await?).await?);
        }
        let veiled = |row: &&mut HistoryRow| {
            hidden.as_ref().is_none_or(|hidden| hidden.contains(&row.decision.id))
        };
        page.rows.iter_mut().filter(veiled).for_each(HistoryRow::veil);
        if args.json {
            page.rows.iter().try_for_each(|row| print(args, row))?;
        } else {
            columns.rows(&page.rows.iter().map(cells).collect::<Vec<_>>())?;
        }
        let count = u32::try_from(page.rows.len() + page.unreadable.len()).unwrap_or(u32::MAX);
        unreadable.append(&mut page.unreadable);
        left = left.saturating_sub(count);
        match page.end {
            Some(end) if left > 0 && count > 0 => along = Along::Before(end),
            _ => break,
        }
    }
    if args.json {
        unreadable.iter().try_for_each(unread)?;
    } else {
        unreadable.iter().try_for_each(|row| line(&row.to_string()))?;
    }
    desk.store.close().await;
    Ok(Exit::Done)
}

/// A decision as a row of a table.
fn cells(row: &HistoryRow) -> Vec<String> {
    vec![
        timestamp(row.decision.at),
        name(row),
        row.decision.disposition.word().to_owned(),
        state_word(row),
        row.decision.reviewer.name.clone(),
        row.decision.id.to_string(),
        row.note.clone().unwrap_or_default(),
    ]
}

/// A decision that cannot be read, as JSON: its id and why.
pub(super) fn unread(row: &Unreadable) -> Result<(), CliError> {
    json(&serde_json::json!({ "decision": row.name, "unreadable": row.why }))
}

fn print(args: &Args, row: &HistoryRow) -> Result<(), CliError> {
    let d = &row.decision;
    if !args.json {
        let note = row.note.as_deref().unwrap_or_default();
        let what = d.disposition.word();
        return line(&format!("{} {what}: {} {note}", name(row), row.state.word()));
    }
    json(&Told {
        decision: d.id.to_string(),
        case: d.case.as_str(),
        session_number: d.session_number,
        disposition: d.disposition.word(),
        state: row.state.word(),
        target: d.target.as_ref().map(|target| target.session_id.as_str()),
        reviewer: &d.reviewer.name,
        at: timestamp(d.at),
        reason: d.reason.map(crate::domain::Reason::word),
        note: row.note.as_deref(),
        half: row.is_half(),
    })
}

/// What undoing a settled decision came to, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Reopened<'a> {
    decision: String,
    case: &'a str,
    state: &'static str,
    status: &'a str,
    happened: &'a [String],
}

/// Takes a decision back that is held or that nobody else has taken up; opens the case of a settled one
/// again, as `u` does.
pub async fn undo(args: &Args, decision: &str) -> Result<Exit, CliError> {
    let id = parse(decision)?;
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let who = desk.who(&setup).await?;
    let signing = desk.signing(&setup, &who).await?;
    let now = desk.clock().await.now();
    let done = undo_in(args, &who, &desk, id, now).await;
    desk.sign(signing).await?;
    desk.store.close().await;
    done
}

async fn undo_in(
    args: &Args,
    who: &Who,
    desk: &Desk,
    id: DecisionId,
    now: Millis,
) -> Result<Exit, CliError> {
    let query = HistoryQuery { decision: Some(id), ..HistoryQuery::default() };
    let row = desk.store.history(&desk.origin, &query).await?.rows.pop();
    if let Some(row) = row.filter(is_done) {
        return reopen(args, who, desk, &row, now).await;
    }
    let mut undone = desk.store.undo(&desk.origin, id, &who.reviewer.id, now).await?;
    for adopted in &who.adopted {
        if undone == Undone::NotYours {
            undone = desk.store.undo(&desk.origin, id, adopted, now).await?;
        }
    }
    match undone {
        Undone::TakenBack(case) => {
            if args.json {
                json(
                    &serde_json::json!({"decision": id.to_string(), "case": case.as_str(), "state": "undone"}),
                )?;
            } else {
                line(&format!("{} taken back; nothing has left", case))?;
            }
            Ok(Exit::Done)
        }
        Undone::NotHeld(DeliveryState::Local | DeliveryState::Proposed) => Err(CliError::new(
            Exit::Conflict,
            "another reader has the case by now; nothing was touched",
            "See `secondlook history`",
        )),
        Undone::NotHeld(DeliveryState::Sending | DeliveryState::Unknown) => Err(CliError::new(
            Exit::Conflict,
            "the decision is on its way to Didit; nothing was touched",
            "`secondlook outbox flush` waits until it is settled; then undo opens its case again",
        )),
        Undone::NotHeld(state) => Err(CliError::new(
            Exit::Conflict,
            format!("the decision is {} already; nothing was touched", state.word()),
            "See `secondlook history`",
        )),
        Undone::NotYours => Err(CliError::new(
            Exit::Auth,
            "the decision is another reviewer's; nothing was touched",
            "Only who decided can take it back",
        )),
        Undone::Unknown => Err(CliError::new(
            Exit::Nothing,
            "there is no such decision",
            "`secondlook history` prints them",
        )),
    }
}

/// Whether a decision is the last word on its case.
async fn is_newest(desk: &Desk, row: &HistoryRow) -> Result<bool, CliError> {
    let case = Some(row.decision.case.clone());
    let query = HistoryQuery { case, ..HistoryQuery::default() };
    let rows = desk.store.history(&desk.origin, &query).await?.rows;
    let mut standing = rows.iter().filter(|row| row.state != DeliveryState::Undone);
    Ok(standing.next().is_some_and(|newest| newest.decision.id == row.decision.id))
}

/// Whether it has had its effect, or never will: nothing of it can be taken back.
fn is_done(row: &HistoryRow) -> bool {
    row.state.is_settled() && row.state != DeliveryState::Undone && !row.is_reading()
}

/// Opens the case of a settled decision again, read anew at Didit. Nothing is undone by that, and nothing
/// is called so: what has happened is said, and a new decision is needed.
async fn reopen(
    args: &Args,
    who: &Who,
    desk: &Desk,
    row: &HistoryRow,
    now: Millis,
) -> Result<Exit, CliError> {
    let d = &row.decision;
    let status = match d.kind {
        SubjectKind::Unreachable => "not at Didit".to_owned(),
        kind => desk.client.decision(&d.case, kind).await?.case.status.word().to_owned(),
    };
    if !desk.store.reopen(&desk.origin, d.id, &who.reviewer.id, now).await? {
        return Err(CliError::new(
            Exit::Conflict,
            format!(
                "the decision about {} is not the last word on it; nothing was touched",
                name(row)
            ),
            "See `secondlook history`: the newest decision of a case can be undone",
        ));
    }
    let happened = row.happened();
    if args.json {
        json(&Reopened {
            decision: d.id.to_string(),
            case: d.case.as_str(),
            state: "reopened",
            status: &status,
            happened: &happened,
        })?;
        return Ok(Exit::Done);
    }
    line(&format!("{} is open again for a new decision; it is {status} at Didit now", name(row)))?;
    for word in &happened {
        line(&format!("  not undone: {word}"))?;
    }
    Ok(Exit::Done)
}

fn parse(decision: &str) -> Result<DecisionId, CliError> {
    DecisionId::parse(decision).map_err(|_| {
        CliError::new(Exit::Usage, "that is no decision's id", "`secondlook history` prints them")
    })
}

/// Where a decision is; `half` beside it when the status is written and the face is not listed.
fn state_word(row: &HistoryRow) -> String {
    let word = row.state.word();
    if row.is_half() { format!("{word}, half") } else { word.to_owned() }
}

fn name(row: &HistoryRow) -> String {
    row.decision
        .session_number
        .map_or_else(|| row.decision.case.to_string(), |number| format!("#{number}"))
}

/// RFC 3339 in UTC, whole seconds.
pub(super) fn timestamp(at: Millis) -> String {
    date(at).map_or_else(|| "-".to_owned(), |day| format!("{day}T{}Z", clock(at)))
}
