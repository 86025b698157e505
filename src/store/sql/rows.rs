//! Between rows of the database and rows of [`crate::store::row`]: loading, saving, and nothing
//! else. The case and the decision are JSON of the domain's own types, which hold no name, no link
//! and no vendor data; beside them stand the columns that are searched or changed.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Row, Tx, args};
use super::statements;
use crate::domain::{
    CallVerb, CaseState, Decision, DecisionId, DeliveryState, Disposition, Millis, Origin,
    Reviewer, ReviewerId, RowKind, SessionId, SubjectKind, Unreadable, WorkerId, printable,
};
use crate::roster::{Enacted, Roster, Scope};
use crate::store::audit::{AuditEntry, Audited};
use crate::store::budget::Window;
use crate::store::evidence::{at_of, decisions_of, enacted_entry, is_entered};
use crate::store::row::{CaseRow, Claim, DecisionRow, Newest};
use crate::store::{
    AuditHead, AuditRow, AuditSignature, Evidence, HistoryRow, Kept, Login, NewAct, Progress,
    Result, SeenWorkflow, StoreError, Taken,
};

/// Where a row of a case or a decision is: no number means anything outside of its origin.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The number of the origin.
    pub origin: i64,
    /// The row's own.
    pub number: i64,
}

/// A case and what the database knows of it besides.
pub struct KeptCase {
    /// Its number.
    pub id: Place,
    /// The state in which it is counted.
    counted: CaseState,
    /// The row.
    pub row: CaseRow,
}

/// A decision and its number in the database.
pub struct KeptDecision {
    /// The number.
    pub seq: Place,
    /// The row.
    pub row: DecisionRow,
}

/// Parts rows that can be read from those that cannot, so that one of these hides none of the others.
pub fn apart<T>(
    found: &[Row],
    read: impl Fn(&Row) -> Result<T>,
    (kind, name): (RowKind, &str),
) -> Result<(Vec<T>, Vec<Unreadable>)> {
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for row in found {
        match read(row) {
            Ok(read) => rows.push(read),
            Err(StoreError::Corrupt(why)) => {
                unreadable.push(Unreadable::new(kind, &row.lossy(name), &why));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((rows, unreadable))
}

/// Loads a case for changing.
pub async fn case(tx: &mut Tx, origin: &Origin, key: &SessionId) -> Result<Option<KeptCase>> {
    let sql = format!("{}{}", statements::CASE, tx.lock("c"));
    tx.row(sql, args![origin, key]).await?.map(|row| kept_case(&row)).transpose()
}

/// Loads the newest decision of a case: a statement of its own, after the case was locked, because
/// one statement would see the decisions as they were before it waited for the lock.
pub async fn newest(tx: &mut Tx, case: Place) -> Result<Option<Newest>> {
    let values = args![case.number, case.origin];
    Ok(tx.row(statements::NEWEST, values).await?.and_then(|row| newest_of(&row)))
}

/// Loads a decision for changing.
pub async fn decision(
    tx: &mut Tx,
    origin: &Origin,
    id: DecisionId,
) -> Result<Option<KeptDecision>> {
    let sql = format!("{}{}", statements::DECISION, tx.lock("d"));
    tx.row(sql, args![origin, id]).await?.map(|row| kept_decision(&row)).transpose()
}

/// Loads a decision and its case for changing: the case first, as all do, so that none waits for a row
/// that another holds who waits for this one.
pub async fn case_of(
    tx: &mut Tx,
    origin: &Origin,
    id: DecisionId,
) -> Result<Option<(KeptCase, KeptDecision)>> {
    let sql = format!("{}{}", statements::CASE_OF, tx.lock("c"));
    let Some(row) = tx.row(sql, args![origin, id]).await? else { return Ok(None) };
    let case = kept_case(&row)?;
    Ok(decision(tx, origin, id).await?.map(|decision| (case, decision)))
}

/// Loads the proposal about a case that waits for a second person, for changing.
pub async fn proposal(tx: &mut Tx, origin: &Origin, case: Place) -> Result<Option<KeptDecision>> {
    match newest(tx, case).await?.and_then(|newest| newest.proposal) {
        Some(proposal) => decision(tx, origin, proposal.id).await,
        None => Ok(None),
    }
}

/// Inserts a case; false when it is there already.
pub async fn insert_case(tx: &mut Tx, origin: &Origin, row: &CaseRow) -> Result<bool> {
    tx.run(statements::ADD_ORIGIN, args![origin]).await?;
    let values = args![
        origin,
        &row.case.key,
        row.case.session_number.map(|number| number.to_string()),
        kind_word(row.case.kind),
        json(&row.case)?,
        row.state.word(),
        row.place,
        row.seen_at,
        row.fence,
    ];
    let added = tx.row(statements::add_case(tx), values).await?;
    if let Some(added) = &added {
        let counted = args![added.int("origin")?, row.state.word(), 1];
        tx.run(statements::RECOUNT, counted).await?;
    }
    Ok(added.is_some())
}

/// Saves everything of a case that can change.
pub async fn save_case(tx: &mut Tx, kept: &KeptCase) -> Result<()> {
    let KeptCase { id, counted, row } = kept;
    let values = args![
        id.number,
        row.case.session_number.map(|number| number.to_string()),
        kind_word(row.case.kind),
        json(&row.case)?,
        row.state.word(),
        row.place,
        row.note.clone(),
        row.seen_at,
        row.must_replace.map(|id| id.to_string()),
        readings(row)?,
        id.origin,
    ];
    tx.run(statements::SAVE_CASE, values).await?;
    if row.state == *counted {
        return Ok(());
    }
    // Always in the same order, so that two who move cases do not lock each other out.
    let mut moves = [(counted.word(), -1), (row.state.word(), 1)];
    moves.sort_unstable();
    for (state, n) in moves {
        tx.run(statements::RECOUNT, args![id.origin, state, n]).await?;
    }
    Ok(())
}

/// The column `readings`: a list, or nothing where there are none.
fn readings(row: &CaseRow) -> Result<Option<String>> {
    (!row.readings.is_empty()).then(|| json(&row.readings)).transpose()
}

/// Saves the lease of a case.
pub async fn save_lease(tx: &mut Tx, KeptCase { id, row, .. }: &KeptCase) -> Result<()> {
    let lease = row.lease.as_ref();
    let values = args![
        id.number,
        row.fence,
        lease.map(|lease| lease.worker.0.clone()),
        lease.map(|lease| lease.reviewer.id.0.clone()),
        lease.map(|lease| lease.reviewer.name.clone()),
        lease.map(|lease| lease.until),
        id.origin,
    ];
    tx.run(statements::SAVE_LEASE, values).await?;
    Ok(())
}

/// Inserts a decision about a case.
pub async fn insert_decision(
    tx: &mut Tx,
    case: Place,
    DecisionRow { row, case_was, fence, .. }: &DecisionRow,
) -> Result<()> {
    let decision = &row.decision;
    let values = args![
        case.number,
        decision.id,
        &decision.reviewer.id,
        decision.disposition.word(),
        json(decision)?,
        case_was.word(),
        row.state.word(),
        row.due,
        i64::from(row.attempts),
        *fence,
        row.settled_at,
        case.origin,
    ];
    tx.run(statements::add_decision(tx), values).await?;
    Ok(())
}

/// Saves everything of a decision that can change.
pub async fn save_decision(tx: &mut Tx, kept: &KeptDecision) -> Result<()> {
    let DecisionRow { row, fence, claim, .. } = &kept.row;
    let Progress { may_have_written, status_done, listed, noted, writes, answered_at } =
        row.progress;
    let values = args![
        kept.seq.number,
        row.state.word(),
        row.due,
        i64::from(row.attempts),
        *fence,
        claim.as_ref().map(|claim| claim.worker.0.clone()),
        claim.as_ref().map(|claim| claim.until),
        may_have_written,
        status_done,
        listed,
        noted,
        row.note.clone(),
        row.settled_at,
        i64::from(writes),
        answered_at,
        kept.seq.origin,
    ];
    tx.run(statements::SAVE_DECISION, values).await?;
    if let Tx::Sqlite(_) = tx {
        tx.run(statements::FIGURED, args![kept.seq.origin, kept.seq.number]).await?;
    }
    Ok(())
}

/// Who looks at which case without having it.
pub async fn watchers(
    tx: &mut Tx,
    origin: &Origin,
    now: Millis,
) -> Result<Vec<(SessionId, Taken)>> {
    let found = tx.rows(statements::WATCHERS, args![origin, now]).await?;
    let watcher = |row: &Row| -> Result<_> {
        let key = word(&row.text("key")?, |key| SessionId::parse(key).ok())?;
        let reviewer = Reviewer { id: ReviewerId(row.text("reviewer")?), name: row.text("name")? };
        let worker = WorkerId(row.text("worker")?);
        Ok((key, Taken { reviewer, worker, until: Millis(row.int("until")?) }))
    };
    Ok(found.iter().filter_map(|row| watcher(row).ok()).collect())
}

/// The budget of an origin, loaded for changing; made where there is none yet.
pub async fn budget(tx: &mut Tx, origin: &Origin, verb: CallVerb) -> Result<Window> {
    let sql = format!("{}{}", statements::BUDGET, tx.lock("b"));
    let values = args![origin, verb.word()];
    let mut found = tx.row(sql.clone(), values.clone()).await?;
    if found.is_none() {
        tx.run(statements::ADD_ORIGIN, args![origin]).await?;
        let empty = args![origin, verb.word(), json(&Window::default())?];
        tx.run(statements::BEGIN_BUDGET, empty).await?;
        // Somebody else may have been faster, and holds it.
        found = tx.row(sql, values).await?;
    }
    // What cannot be read is of the last minute at most: it is not worth stopping for.
    let read =
        |row: Row| Ok(row.text("record").and_then(|record| parsed(&record)).unwrap_or_default());
    found.map_or(Ok(Window::default()), read)
}

/// Saves it.
pub async fn save_budget(
    tx: &mut Tx,
    origin: &Origin,
    verb: CallVerb,
    window: &Window,
) -> Result<()> {
    tx.run(statements::SAVE_BUDGET, args![origin, verb.word(), json(window)?]).await?;
    Ok(())
}

/// Where the audit ends; loaded for changing where `lock` says so.
pub async fn audit_head(tx: &mut Tx, origin: &Origin, lock: bool) -> Result<AuditHead> {
    let lock = if lock { tx.lock("h") } else { String::new() };
    let found = tx.row(format!("{}{lock}", statements::AUDIT_HEAD), args![origin]).await?;
    found.map_or(Ok(AuditHead::default()), |row| head_of(&row))
}

/// Reads the end of the audit, which has to be one that an entry can follow.
fn head_of(row: &Row) -> Result<AuditHead> {
    let seq = row.int("seq").ok().filter(|seq| *seq < i64::MAX);
    match (seq.and_then(|seq| u64::try_from(seq).ok()), row.text("hash")) {
        (Some(seq), Ok(hash)) => Ok(AuditHead { seq, hash }),
        (None, _) => {
            let kept = printable(&row.lossy("seq"), 24);
            Err(StoreError::AuditEnd(format!("its end is kept as {kept}, which is no place")))
        }
        (_, Err(_)) => Err(StoreError::AuditEnd("the hash of its end is no text".to_owned())),
    }
}

/// Whether the audit can be continued: asked before anything begins whose end has to be entered.
pub async fn audit_goes_on(tx: &mut Tx, origin: &Origin) -> Result<()> {
    let Some(row) = tx.row(statements::AUDIT_NEXT, args![origin]).await? else { return Ok(()) };
    let head = head_of(&row)?;
    match row.maybe_int("next")? {
        None => Ok(()),
        Some(next) => Err(StoreError::AuditEnd(format!(
            "its end is kept as {}, and entry {next} stands behind it",
            head.seq
        ))),
    }
}

/// Adds an entry to the audit: the last thing that a transaction does, because all others of the
/// origin wait for the end of the chain from here on.
pub async fn record(
    tx: &mut Tx,
    origin: &Origin,
    what: Audited,
    row: &HistoryRow,
    at: Millis,
) -> Result<()> {
    record_by(tx, origin, None, what, row, at).await
}

/// The same for what another than its reviewer did with a decision.
pub async fn record_by(
    tx: &mut Tx,
    origin: &Origin,
    by: Option<&ReviewerId>,
    what: Audited,
    row: &HistoryRow,
    at: Millis,
) -> Result<()> {
    let head = begin_entry(tx, origin).await?;
    let entry = AuditRow::next(&head, by, what, row, at)?;
    add_entry(tx, origin, entry, row.decision.id.to_string()).await
}

/// Enters the end of a decision that is not believed: what its first entry says stands against what `own` says of
/// it, since all entries of a decision are about one record.
pub async fn record_end(tx: &mut Tx, origin: &Origin, own: AuditEntry) -> Result<()> {
    let head = begin_entry(tx, origin).await?;
    let id = own.decision.clone();
    let entries = tx.rows(statements::entries_of(tx), args![origin, id.clone()]).await?;
    let read = |row: &Row| serde_json::from_str::<AuditEntry>(&row.lossy("entry")).ok();
    let first = entries.iter().filter_map(read).min_by_key(|entry| entry.seq);
    let own = match first.filter(|first| first.what.begins() && first.decision == id) {
        Some(AuditEntry { case, disposition, reviewer, record, .. }) => {
            AuditEntry { case, disposition, reviewer, record, ..own }
        }
        None => own,
    };
    let entry = AuditEntry { seq: head.seq.saturating_add(1), before: head.hash, ..own };
    add_entry(tx, origin, AuditRow::of(&entry)?, id).await
}

/// Where the audit ends; from here on the origin's other writers wait.
pub async fn begin_entry(tx: &mut Tx, origin: &Origin) -> Result<AuditHead> {
    tx.run(statements::BEGIN_AUDIT, args![origin]).await?;
    let head = audit_head(tx, origin, true).await?;
    audit_goes_on(tx, origin).await?;
    Ok(head)
}

/// Puts an entry behind the end of the audit, and moves that.
pub async fn add_entry(
    tx: &mut Tx,
    origin: &Origin,
    row: AuditRow,
    decision: String,
) -> Result<()> {
    let AuditRow { seq, entry, hash } = row;
    let seq = number(seq);
    tx.run(statements::ADD_AUDIT, args![origin, seq, entry, hash.clone(), decision]).await?;
    tx.run(statements::MOVE_AUDIT_HEAD, args![origin, seq, hash]).await?;
    Ok(())
}

/// Changes the roster, where it may be changed so: the act and its entry.
pub async fn enact(
    tx: &mut Tx,
    scope: &Scope,
    origin: &Origin,
    act: &NewAct,
    now: Millis,
) -> Result<Enacted> {
    tx.run(statements::ADD_ORIGIN, args![origin]).await?;
    let head = begin_entry(tx, origin).await?;
    let owned = login(tx).await?.owner;
    let acts = acts(tx, origin).await?;
    let NewAct { by, act: text, signature } = act.clone();
    let seq = head.seq.saturating_add(1);
    let not_before = entered_at(tx, origin, head.seq).await?;
    let enacted =
        Enacted { seq, at: now, not_before, by, act: text, signature, owned, entered: true };
    let roster = Roster::of(scope, &acts);
    let judged = roster.judge(scope, &enacted)?;
    roster.is_clear(&enacted.act)?;
    let entry = enacted_entry(&head, act, judged.word(), now)?;
    add_entry(tx, origin, entry, String::new()).await?;
    let Enacted { by, act, signature, .. } = enacted.clone();
    let values = args![origin, number(seq), now, &by, act, signature];
    tx.run(statements::ADD_ACT, values).await.map_err(|error| match error {
        StoreError::Conflict => StoreError::AuditEnd(format!(
            "a change of the roster stands at {seq} already, which has no entry"
        )),
        error => error,
    })?;
    Ok(enacted)
}

/// When an entry was recorded; 0 where there is none.
async fn entered_at(tx: &mut Tx, origin: &Origin, seq: u64) -> Result<Millis> {
    let row = tx.row(statements::AUDIT_AT, args![origin, number(seq)]).await?;
    row.map_or(Ok(Millis(0)), |row| Ok(at_of(&row.text("entry")?)))
}

/// Who is logged in, and whether it is whom the server tells from reviewers; in a file it is nobody.
pub async fn login(tx: &mut Tx) -> Result<Login> {
    if let Tx::Sqlite(_) = tx {
        return Ok(Login::default());
    }
    let sql = "SELECT owner, session_user::text AS role FROM store";
    let Some(row) = tx.row(sql, args![]).await? else { return Ok(Login::default()) };
    let (owner, role) = (row.maybe_text("owner")?, row.maybe_text("role")?);
    let told = owner.is_some() && owner != role;
    Ok(Login { owner: owner.is_some() && !told, told, role })
}

/// Whom a server tells from reviewers.
async fn owner(tx: &mut Tx) -> Result<Option<String>> {
    if let Tx::Sqlite(_) = tx {
        return Ok(None);
    }
    let row = tx.row("SELECT owner FROM store", args![]).await?;
    row.map_or(Ok(None), |row| row.maybe_text("owner"))
}

/// What was done to the roster.
pub async fn acts(tx: &mut Tx, origin: &Origin) -> Result<Vec<Enacted>> {
    let owner = owner(tx).await?;
    let found = tx.rows(statements::ACTS, args![origin]).await?;
    let act = |row: &Row| {
        let entry = row.maybe_lossy("entry");
        let before = row.maybe_lossy("before");
        let mut act = Enacted {
            seq: row.int("seq").map_or(0, place),
            at: Millis(row.int("done_at").unwrap_or_default()),
            not_before: before.map_or(Millis(0), |entry| at_of(&entry)),
            by: ReviewerId(row.lossy("doer")),
            act: row.lossy("act"),
            signature: row.maybe_lossy("signature"),
            owned: owner.is_some() && row.maybe_lossy("role") == owner,
            entered: false,
        };
        // What cannot be read is not what was entered, and counts for nothing.
        act.entered = entry.is_some_and(|entry| is_entered(&act, &entry));
        act
    };
    Ok(found.iter().map(act).collect())
}

/// Whether another origin of the store has a roster.
pub async fn elsewhere(tx: &mut Tx, origin: &Origin) -> Result<bool> {
    Ok(tx.row(statements::ELSEWHERE, args![origin]).await?.is_some())
}

/// The roster as it is now.
pub async fn roster(tx: &mut Tx, scope: &Scope, origin: &Origin) -> Result<Roster> {
    let roster = Roster::of(scope, &acts(tx, origin).await?);
    Ok(roster.beside(elsewhere(tx, origin).await?))
}

/// Lays the signature of a decision beside it, where it has one.
pub async fn prove(tx: &mut Tx, origin: &Origin, decision: &Decision, now: Millis) -> Result<()> {
    let Some(signature) = decision.signature.clone() else { return Ok(()) };
    tx.run(statements::ADD_PROOF, args![origin, decision.id, now, signature]).await?;
    Ok(())
}

/// Reads a decision without believing it.
pub fn kept(row: &Row) -> Kept {
    let made_at = row.maybe_int("made_at").ok().flatten().unwrap_or_default();
    let signature = row.maybe_lossy("signature").map(|text| (text, Millis(made_at)));
    Kept {
        place: row.int("seq").map_or(0, place),
        id: row.lossy("id"),
        reviewer: row.lossy("reviewer"),
        disposition: row.lossy("disposition"),
        state: row.lossy("state"),
        case_was: row.lossy("case_was"),
        record: row.lossy("record"),
        signature,
    }
}

/// Gathers what stands behind a decision.
pub async fn evidence(
    tx: &mut Tx,
    scope: Scope,
    origin: &Origin,
    id: DecisionId,
) -> Result<Option<Evidence>> {
    let Some(row) = tx.row(statements::KEPT, args![origin, id]).await? else { return Ok(None) };
    let kept_row = kept(&row);
    let decision = kept_row.decision().ok();
    let case = decision.as_ref().map_or_else(String::new, |decision| decision.case.to_string());
    let entries = tx.rows(statements::audit_of(tx), args![origin, case]).await?;
    let entries: Vec<_> = entries.iter().map(audit_row).collect();
    let mut before = Vec::new();
    for entry in &entries {
        let at = args![origin, number(entry.seq.saturating_sub(1))];
        let row = tx.row(statements::AUDIT_AT, at).await?;
        before.push(row.map(|row| audit_row(&row)));
    }
    let answers = decision.and_then(|decision| decision.answers).map(|id| id.to_string());
    let mut beside = HashMap::new();
    for other in decisions_of(&entries).into_iter().chain(answers) {
        if other != kept_row.id && !beside.contains_key(&other) {
            let found = tx.row(statements::KEPT, args![origin, other.clone()]).await?;
            beside.extend(found.map(|row| (other, kept(&row))));
        }
    }
    let acts = acts(tx, origin).await?;
    let elsewhere = elsewhere(tx, origin).await?;
    Ok(Some(Evidence { scope, kept: kept_row, entries, before, beside, acts, elsewhere }))
}

/// A place in the audit as the database counts.
fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Reads an entry of the audit. What is no text in it is replaced, and then it does not hash to what it should.
pub fn audit_row(row: &Row) -> AuditRow {
    let seq = row.int("seq").map_or(0, place);
    AuditRow { seq, entry: row.lossy("entry"), hash: row.lossy("hash") }
}

/// Reads what was seen of a workflow.
pub fn seen_workflow(row: &Row) -> Result<SeenWorkflow> {
    Ok(SeenWorkflow {
        workflow: row.text("workflow")?,
        lists: row.int("lists")? != 0,
        at: Millis(row.int("seen_at")?),
    })
}

/// Reads a signature.
pub fn audit_signature(row: &Row) -> AuditSignature {
    AuditSignature { seq: row.int("seq").map_or(0, place), signature: row.lossy("signature") }
}

/// A place in the audit; one that is none is 0, which no chain has.
fn place(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

/// Reads a case from `cases.*`.
pub fn kept_case(row: &Row) -> Result<KeptCase> {
    let must_replace = row.maybe_text("must_replace")?;
    let case = CaseRow {
        case: parsed(&row.text("record")?)?,
        state: word(&row.text("state")?, CaseState::from_word)?,
        place: Millis(row.int("place")?),
        note: row.maybe_text("note")?,
        seen_at: Millis(row.int("seen_at")?),
        fence: row.fence("fence")?,
        lease: lease_of(row)?,
        must_replace: must_replace
            .map(|id| word(&id, |id| DecisionId::parse(id).ok()))
            .transpose()?,
        readings: row.maybe_text("readings")?.map_or(Ok(Vec::new()), |list| parsed(&list))?,
    };
    if case.case.key.as_str() != row.text("key")? {
        return Err(StoreError::Corrupt("it holds the record of another one".to_owned()));
    }
    Ok(KeptCase { id: place_of(row, "id")?, counted: case.state, row: case })
}

fn place_of(row: &Row, name: &str) -> Result<Place> {
    Ok(Place { origin: row.int("origin")?, number: row.int(name)? })
}

fn lease_of(row: &Row) -> Result<Option<Taken>> {
    let Some(worker) = row.maybe_text("lease_worker")? else { return Ok(None) };
    let reviewer =
        Reviewer { id: ReviewerId(row.text("lease_reviewer")?), name: row.text("lease_name")? };
    Ok(Some(Taken { reviewer, worker: WorkerId(worker), until: Millis(row.int("lease_until")?) }))
}

/// Reads the newest decision that stands beside a case, if there is one. One that cannot be read is none: it
/// is not confirmed, taken back or opened again, and its case is decided without it.
pub fn newest_of(row: &Row) -> Option<Newest> {
    newest_in(row).ok().flatten()
}

fn newest_in(row: &Row) -> Result<Option<Newest>> {
    let Some(id) = row.maybe_text("newest_id")? else { return Ok(None) };
    Ok(Some(Newest {
        id: word(&id, |id| DecisionId::parse(id).ok())?,
        disposition: word(&row.text("newest_disposition")?, Disposition::from_word)?,
        state: word(&row.text("newest_state")?, DeliveryState::from_word)?,
        settled_at: row.maybe_int("newest_settled_at")?.map(Millis),
        proposal: row.maybe_text("newest_proposal")?.map(|text| parsed(&text)).transpose()?,
    }))
}

/// Reads a decision from `decisions.*`.
pub fn kept_decision(row: &Row) -> Result<KeptDecision> {
    let claim = match row.maybe_text("claim_worker")? {
        Some(worker) => {
            Some(Claim { worker: WorkerId(worker), until: Millis(row.int("claim_until")?) })
        }
        None => None,
    };
    let history = HistoryRow {
        decision: parsed(&row.text("record")?)?,
        state: word(&row.text("state")?, DeliveryState::from_word)?,
        attempts: row.count("attempts")?,
        due: Millis(row.int("due")?),
        note: row.maybe_text("note")?,
        progress: Progress {
            may_have_written: row.flag("may_have_written")?,
            status_done: row.flag("status_done")?,
            listed: row.flag("listed")?,
            noted: row.flag("noted")?,
            writes: row.count("writes")?,
            answered_at: row.maybe_int("answered_at")?.map(Millis),
        },
        settled_at: row.maybe_int("settled_at")?.map(Millis),
    };
    let decision = DecisionRow {
        row: history,
        case_was: word(&row.text("case_was")?, CaseState::from_word)?,
        fence: row.fence("fence")?,
        claim,
    };
    Ok(KeptDecision { seq: place_of(row, "seq")?, row: decision })
}

/// The column `kind`.
pub fn kind_word(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Workflow => "workflow",
        SubjectKind::SavedSearch => "saved_search",
        SubjectKind::Unreachable => "unreachable",
    }
}

/// Reads [`kind_word`] back.
pub fn kind_of(text: &str) -> Option<SubjectKind> {
    [SubjectKind::Workflow, SubjectKind::SavedSearch, SubjectKind::Unreachable]
        .into_iter()
        .find(|kind| kind_word(*kind) == text)
}

/// Reads a word of a closed set.
pub fn word<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
    read(text).ok_or_else(|| StoreError::Corrupt("it holds a word of no meaning".to_owned()))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        StoreError::Other(format!("not to be written as JSON ({:?})", error.classify()))
    })
}

/// The words of a JSON error may quote the row, so only the place is told.
fn parsed<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("broken JSON at column {}", error.column())))
}
