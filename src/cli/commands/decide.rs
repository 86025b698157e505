//! `decide`: a decision without the screen, by the same rules: leased, read fresh, held, recorded.

use serde::Serialize;
use uuid::Uuid;

use super::super::args::{Args, Verdict};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line};
use super::super::wire::Setup;
use super::Desk;
use super::outbox::timestamp;
use crate::core::{Interlock, TargetLine, candidates, name_held};
use crate::didit::{ApiError, ErrorKind};
use crate::domain::{
    Candidate, Clock as _, Decision, DecisionId, DeliveryState, Details, Disposition, Holder,
    Judged, Judgement, Lease, LeaseAnswer, Millis, QueueRow, Reason, Receipt, Side, SubjectKind,
    Target,
};
use crate::shell::{SystemClock, Who, is_dead, picture_link, worker_id};
use crate::store::StoreError;

/// What was asked.
pub struct Wanted {
    /// The case, by id or number.
    pub case: String,
    /// What is to happen.
    pub verdict: Verdict,
    /// Why, in a word.
    pub reason: Option<Reason>,
    /// Why, in a sentence.
    pub comment: Option<String>,
    /// The number of the blocklist target.
    pub target: Option<u64>,
}

/// What came of it, as JSON.
#[derive(Serialize)]
struct Row<'a> {
    decision: Option<String>,
    case: &'a str,
    disposition: &'static str,
    state: &'static str,
    due: Option<String>,
}

/// How long the lease lasts that the command takes, milliseconds.
const LEASE_MS: i64 = 60_000;

/// Decides.
pub async fn decide(args: &Args, wanted: Wanted) -> Result<Exit, CliError> {
    if (wanted.verdict == Verdict::Blocklist) != wanted.target.is_some() {
        return Err(CliError::new(
            Exit::Usage,
            "blocklist needs --target NUMBER, and nothing else takes it",
            "Name the session whose face is to be listed by its number",
        ));
    }
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let row = desk.find(&wanted.case).await?;
    let clock = desk.clock().await;
    let who = desk.who(&setup).await?;
    if let Some(why) = who.cannot_decide() {
        let hint = match who.stopped {
            Some(_) => "See `secondlook store status`",
            None => "`ssh-add` your key, or log in with `ssh -A`",
        };
        return Err(CliError::new(Exit::Auth, why, hint));
    }
    let lease = lease(&desk, &who, &row, &clock).await?;
    let signing = desk.signing(&setup, &who).await?;
    let result = under_lease(args, (&setup, &desk, &who), &wanted, &row, &lease, &clock).await;
    // Given back when nothing was decided; a decision has ended it.
    desk.store.release(&lease).await?;
    desk.sign(signing).await?;
    desk.store.close().await;
    result
}

async fn under_lease(
    args: &Args,
    (setup, desk, who): (&Setup, &Desk, &Who),
    wanted: &Wanted,
    row: &QueueRow,
    lease: &Lease,
    clock: &SystemClock,
) -> Result<Exit, CliError> {
    if wanted.verdict == Verdict::Skip {
        desk.store.skip(lease, clock.now()).await?;
        return said(args, None, row, "skip", "open", None);
    }
    let details = desk.client.decision(&row.case.key, row.case.kind).await;
    let comment = wanted.comment.as_deref();
    let mut details = details.map_err(|error| unread(error, comment.is_some()))?;
    is_meant(wanted, &details)?;
    if let Some(number) = wanted.target {
        with_status_of(desk, &mut details, number).await?;
    }
    nameless(comment, &details)?;
    if row.replaces.is_none() {
        in_review(setup, &details)?;
    }
    let now = clock.now();
    if let Some(proposal) = &row.proposal
        && let Some(why) = proposal.void_by(&details)
    {
        desk.store.void(&desk.origin, proposal.id, &why, now).await?;
        return Err(CliError::new(
            Exit::Conflict,
            format!("the proposal about {} is void: {why}; nothing was decided", row.case.name()),
            "Decide the case anew",
        ));
    }
    let unseen = unseen(setup, desk, wanted, &details).await?;
    two_people(setup, who, wanted, row, &details, &unseen)?;
    let mut decision = form(setup, who, wanted, row, (&details, &unseen[..]), now)?;
    who.sign(&desk.store, &desk.origin, &mut decision, now).await.map_err(|why| {
        let text = format!("nothing was decided: {}", why.trim_end_matches('.'));
        CliError::new(Exit::Auth, text, "See `secondlook doctor` and `secondlook reviewers list`")
    })?;
    let held_until = now.plus(setup.undo_ms());
    let state = desk.store.decide(lease, &decision, held_until, now).await?;
    let due = (state == DeliveryState::Held).then_some(held_until);
    said(args, Some(decision.id), row, decision.disposition.word(), state.word(), due)
}

/// Refuses another session than the one whose number was given: what the store says of numbers is a note of what
/// Didit said once, and Didit is asked now.
fn is_meant(wanted: &Wanted, details: &Details) -> Result<(), CliError> {
    let Ok(number) = wanted.case.trim_start_matches('#').parse::<u64>() else { return Ok(()) };
    if details.case.session_number == Some(number) {
        return Ok(());
    }
    let found = details.case.session_number.map_or_else(
        || "a session without a number".to_owned(),
        |number| format!("session #{number}"),
    );
    Err(CliError::new(
        Exit::Conflict,
        format!("the store has {found} under number {number}; nothing was decided"),
        "Somebody changed the store: keep a copy of it, and name the case by its session id",
    ))
}

/// The candidates that must be judged and cannot be, by their places: there is no picture of the face, or of the one
/// that it was compared with.
async fn unseen(
    setup: &Setup,
    desk: &Desk,
    wanted: &Wanted,
    details: &Details,
) -> Result<Vec<usize>, CliError> {
    let mut unseen = Vec::new();
    if !matches!(wanted.verdict, Verdict::Approve | Verdict::Reject | Verdict::Blocklist) {
        return Ok(unseen);
    }
    for place in details.case.must_judge(&setup.bands()) {
        let block = details.case.candidates[place].block;
        for side in [Side::subject_of(block), Side::Candidate(place)] {
            if picture_link(&desk.client, details, side).await?.is_none() {
                unseen.push(place);
                break;
            }
        }
    }
    Ok(unseen)
}

/// What has no picture is decided by two people, each with the reason `no_picture`; what has one is not.
fn two_people(
    setup: &Setup,
    who: &Who,
    wanted: &Wanted,
    row: &QueueRow,
    details: &Details,
    unseen: &[usize],
) -> Result<(), CliError> {
    let case = &details.case;
    let lacks = !unseen.is_empty() || case.set_aside > 0;
    let needs = match wanted.verdict {
        Verdict::Approve => lacks,
        // One pair that can be seen is enough to turn somebody away.
        Verdict::Reject | Verdict::Blocklist => {
            lacks && case.must_judge(&setup.bands()).count() == unseen.len()
        }
        Verdict::Escalate | Verdict::Skip => return Ok(()),
    };
    let chosen = wanted.reason == Some(Reason::NoPicture);
    let refuse = |exit, why: String, hint: &str| Err(CliError::new(exit, why, hint));
    let name = case.name();
    match (needs, chosen) {
        (false, false) => return Ok(()),
        (false, true) => {
            let why = format!("there are pictures to decide {name} by; nothing was decided");
            return refuse(Exit::Usage, why, "Look at them, and choose another reason");
        }
        (true, false) => {
            let what = match unseen.first() {
                Some(place) => format!("a picture is missing to judge candidate {}", place + 1),
                None => format!("{} could not be read", candidates(case.set_aside)),
            };
            let hint =
                "Two people decide without it, each with `--reason no_picture`; or escalate it";
            return refuse(Exit::Failed, format!("{what} of {name}; nothing was decided"), hint);
        }
        (true, true) => {}
    }
    if wanted.verdict == Verdict::Blocklist {
        let why =
            format!("nobody is blocklisted without a picture; nothing was decided about {name}");
        return refuse(Exit::Failed, why, "Reject it with `--reason no_picture`");
    }
    if let Some(alone) = who.standing.cannot_be_second() {
        let why =
            format!("{name} has no picture to decide by, which takes two people, and {alone}");
        return refuse(Exit::Auth, why, "Nothing was decided");
    }
    let same = |proposal: &Decision| {
        let approves = proposal.disposition == Disposition::Approve;
        proposal.is_without_picture() && approves == (wanted.verdict == Verdict::Approve)
    };
    if let Some(proposal) = row.proposal.as_ref().filter(|proposal| !same(proposal)) {
        let (who, what) = (&proposal.reviewer.name, proposal.disposition.word());
        let why = format!("{who} proposes to {what} {name}, which waits for an answer");
        return refuse(Exit::Conflict, why, "`secondlook decide CASE escalate` declines that");
    }
    Ok(())
}

/// What the target's own session says of its status: a list of matches may be older. One that cannot be read as
/// a session, such as a saved search, is as the list says.
async fn with_status_of(desk: &Desk, details: &mut Details, number: u64) -> Result<(), CliError> {
    let is_it = |candidate: &Candidate| candidate.session_number == Some(number);
    let Some(place) = details.case.candidates.iter().position(is_it) else { return Ok(()) };
    let Some(session) = details.case.candidates[place].session_id.clone() else { return Ok(()) };
    match desk.client.decision(&session, SubjectKind::Workflow).await {
        Ok(now) => details.candidates[place].status = Some(now.case.status),
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Permission) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Why nothing was decided. A comment needs the names, and they are known to Didit alone.
fn unread(error: ApiError, comment: bool) -> CliError {
    let (words, hint) = (error.to_string(), error.hint());
    let error = CliError::from(error);
    if !comment {
        return error;
    }
    let words =
        format!("the comment cannot be searched for names, so nothing was decided: {words}");
    error.reworded(words, hint)
}

/// Refuses a comment that holds a name of either person, as the console does.
fn nameless(comment: Option<&str>, details: &Details) -> Result<(), CliError> {
    let Some(whose) = comment.and_then(|text| name_held(text, Some(details))) else {
        return Ok(());
    };
    Err(CliError::new(
        Exit::Usage,
        format!("the comment holds {whose}; nothing was decided"),
        "Leave names out: Didit keeps comments for ever",
    ))
}

fn said(
    args: &Args,
    decision: Option<DecisionId>,
    row: &QueueRow,
    disposition: &'static str,
    state: &'static str,
    due: Option<Millis>,
) -> Result<Exit, CliError> {
    if args.json {
        let decision = decision.map(|id| id.to_string());
        let case = row.case.key.as_str();
        json(&Row { decision, case, disposition, state, due: due.map(timestamp) })?;
    } else {
        let id = decision.map(|id| format!(" decision {id}")).unwrap_or_default();
        line(&format!("{} {disposition}: {state}{id}", row.case.name()))?;
    }
    Ok(Exit::Done)
}

/// Reads a reason.
///
/// # Errors
/// Exit code 2 for a word that is none.
pub fn reason(word: &str) -> Result<Reason, CliError> {
    Reason::from_word(word).ok_or_else(|| {
        let known: Vec<&str> = Reason::ALL.iter().map(|(_, reason)| reason.word()).collect();
        CliError::new(Exit::Usage, "there is no such reason", format!("Use {}", known.join(", ")))
    })
}

async fn lease(
    desk: &Desk,
    who: &Who,
    row: &QueueRow,
    clock: &SystemClock,
) -> Result<Lease, CliError> {
    let holder = Holder { reviewer: who.reviewer.clone(), worker: worker_id() };
    let ask = || desk.store.lease(&desk.origin, &row.case.key, &holder, clock.now(), LEASE_MS);
    let mut answer = ask().await?;
    if let LeaseAnswer::Taken(taken) = &answer
        && is_dead(&taken.worker)
    {
        desk.store.bury(&taken.worker, clock.now()).await?;
        answer = ask().await?;
    }
    let name = row.case.name();
    match answer {
        LeaseAnswer::Yours(lease) => Ok(lease),
        LeaseAnswer::Taken(taken) => Err(CliError::new(
            Exit::Conflict,
            format!("{} has {name} on the screen", taken.reviewer.name),
            "Wait until it is free, or decide it there",
        )),
        LeaseAnswer::Closed(state) => Err(CliError::new(
            Exit::Conflict,
            format!("{name} is {} already", state.word()),
            "See `secondlook history`",
        )),
        LeaseAnswer::SecondReader => Err(StoreError::SecondReader.into()),
        LeaseAnswer::NotProven => Err(CliError::from(StoreError::NotProven).reworded(
            format!("{name} waits for a second reader: {}", alone(who)),
            "Nothing was decided",
        )),
        LeaseAnswer::Unknown => Err(CliError::new(
            Exit::Nothing,
            format!("{name} is not in the queue any more"),
            "See `secondlook queue list`",
        )),
    }
}

/// Why this run cannot be one of two people.
fn alone(who: &Who) -> String {
    who.standing.cannot_be_second().unwrap_or_else(|| "that is another person".to_owned())
}

/// Refuses when somebody decided at Didit meanwhile.
fn in_review(setup: &Setup, details: &Details) -> Result<(), CliError> {
    let case = &details.case;
    if case.kind != SubjectKind::Workflow || setup.statuses().contains(&case.status) {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Conflict,
        format!("{} is {} at Didit by now; nothing was decided", case.name(), case.status.word()),
        "`secondlook sync` takes it out of the queue",
    ))
}

fn form(
    setup: &Setup,
    who: &Who,
    wanted: &Wanted,
    row: &QueueRow,
    (details, unseen): (&Details, &[usize]),
    now: Millis,
) -> Result<Decision, CliError> {
    let case = &details.case;
    let (disposition, judgement) = match wanted.verdict {
        Verdict::Approve => (Disposition::Approve, Some(Judgement::Different)),
        Verdict::Reject => (Disposition::Reject, None),
        Verdict::Blocklist => (Disposition::Blocklist, None),
        Verdict::Escalate => (Disposition::Escalate, None),
        Verdict::Skip => (Disposition::Skip, None),
    };
    let proposal = row.proposal.as_deref();
    let alone = who.standing.cannot_be_second();
    let target = |number| target(details, proposal, alone.as_deref(), number);
    let target = wanted.target.map(target).transpose()?;
    let mut decision = Decision {
        id: DecisionId(Uuid::now_v7()),
        case: case.key.clone(),
        session_number: case.session_number.or(row.case.session_number),
        kind: case.kind,
        disposition,
        judgements: case
            .must_judge(&setup.bands())
            .map(|place| Judged {
                place,
                session_id: case.candidates[place].session_id.clone(),
                judgement: judgement.filter(|_| !unseen.contains(&place)),
            })
            .collect(),
        reason: wanted.reason,
        comment: wanted.comment.clone().filter(|c| !c.trim().is_empty()),
        target,
        reviewer: who.reviewer.clone(),
        seen_status: case.status.clone(),
        at: now,
        receipt: Receipt { protocol: "script".to_owned(), ..Receipt::default() },
        replaces: row.replaces,
        answers: proposal.map(|proposal| proposal.id),
        evidence: Vec::new(),
        workflow: details.workflow.clone(),
        signature: None,
    };
    if decision.is_proposal() {
        decision.evidence.clone_from(&case.candidates);
    }
    Ok(decision)
}

/// The interlock's own rules, the number given in place of typed.
fn target(
    details: &Details,
    proposal: Option<&Decision>,
    alone: Option<&str>,
    number: u64,
) -> Result<Target, CliError> {
    let lock = Interlock::open(details, proposal, alone);
    let refuse = |why: &str| {
        CliError::new(
            Exit::Failed,
            format!("session {number} cannot be put on the blocklist: {why}"),
            "Nothing was decided; see `secondlook queue show`",
        )
    };
    let line: &TargetLine =
        lock.targets.iter().find(|line| line.session_number == Some(number)).ok_or_else(|| {
            refuse(match proposal {
                Some(_) => "another face was proposed, and that proposal waits for an answer",
                None => "it is neither the subject nor a candidate of this case",
            })
        })?;
    match &line.refused {
        Some(why) => Err(refuse(why)),
        None => line.target().ok_or_else(|| refuse("it has no session")),
    }
}
