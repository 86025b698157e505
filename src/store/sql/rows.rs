//! Between rows of the database and rows of [`crate::store::row`]: loading, saving, and nothing
//! else. The case and the decision are JSON of the domain's own types, which hold no name, no link
//! and no vendor data; beside them stand the columns that are searched or changed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::{Row, Tx, args};
use crate::domain::{
    CaseState, DecisionId, DeliveryState, Disposition, Millis, Origin, Reviewer, ReviewerId,
    SessionId, SubjectKind, WorkerId,
};
use crate::store::row::{CaseRow, Claim, DecisionRow, Newest};
use crate::store::{HistoryRow, Progress, Result, StoreError, Taken};

/// The origin that `$1` names.
macro_rules! of_origin {
    () => {
        "origin = (SELECT o.id FROM origins o WHERE o.name = $1)"
    };
}
pub(super) use of_origin;

/// The newest decision of the case `c` that was not undone.
pub const NEWEST: &str = "(SELECT max(n.seq) FROM decisions n \
                          WHERE n.case_id = c.id AND n.state <> 'undone')";
/// Its columns, from `d`.
pub const NEWEST_COLUMNS: &str = "d.id AS newest_id, d.disposition AS newest_disposition, \
                                  d.state AS newest_state, d.settled_at AS newest_settled_at";

const CASE: &str = concat!("SELECT c.* FROM cases c WHERE c.", of_origin!(), " AND c.key = $2");

/// One decision, by origin and id.
pub const DECISION: &str =
    concat!("SELECT d.* FROM decisions d WHERE d.", of_origin!(), " AND d.id = $2");

/// A row and its number in the database.
pub struct Kept<T> {
    /// The number.
    pub id: i64,
    /// The row.
    pub row: T,
}

/// Loads a case for changing.
pub async fn case(tx: &mut Tx, origin: &Origin, key: &SessionId) -> Result<Option<Kept<CaseRow>>> {
    let sql = format!("{CASE}{}", tx.lock("c"));
    tx.row(sql, args![origin, key]).await?.map(|row| kept_case(&row)).transpose()
}

/// Loads the newest decision of a case: a statement of its own, after the case was locked, because
/// one statement would see the decisions as they were before it waited for the lock.
pub async fn newest(tx: &mut Tx, case: i64) -> Result<Option<Newest>> {
    let sql = format!(
        "SELECT {NEWEST_COLUMNS} FROM decisions d WHERE d.case_id = $1 AND d.state <> 'undone' \
         ORDER BY d.seq DESC LIMIT 1"
    );
    tx.row(sql, args![case]).await?.map_or(Ok(None), |row| newest_of(&row))
}

/// Loads a decision for changing.
pub async fn decision(
    tx: &mut Tx,
    origin: &Origin,
    id: DecisionId,
) -> Result<Option<Kept<DecisionRow>>> {
    let sql = format!("{DECISION}{}", tx.lock("d"));
    tx.row(sql, args![origin, id]).await?.map(|row| kept_decision(&row)).transpose()
}

/// Inserts a case; false when it is there already.
pub async fn insert_case(tx: &mut Tx, origin: &Origin, row: &CaseRow) -> Result<bool> {
    let name = "INSERT INTO origins (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
    tx.run(name, args![origin]).await?;
    let sql = "INSERT INTO cases \
               (origin, key, session_number, kind, record, state, place, seen_at, fence) \
               SELECT o.id, $2, $3, $4, $5, $6, $7, $8, $9 FROM origins o WHERE o.name = $1 \
               ON CONFLICT (origin, key) DO NOTHING";
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
    Ok(tx.run(sql, values).await? > 0)
}

/// Saves everything of a case that can change.
pub async fn save_case(tx: &mut Tx, Kept { id, row }: &Kept<CaseRow>) -> Result<()> {
    let sql = "UPDATE cases SET session_number = $2, kind = $3, record = $4, state = $5, \
               place = $6, note = $7, seen_at = $8, must_replace = $9 WHERE id = $1";
    let values = args![
        *id,
        row.case.session_number.map(|number| number.to_string()),
        kind_word(row.case.kind),
        json(&row.case)?,
        row.state.word(),
        row.place,
        row.note.clone(),
        row.seen_at,
        row.must_replace.map(|id| id.to_string()),
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// Saves the lease of a case.
pub async fn save_lease(tx: &mut Tx, Kept { id, row }: &Kept<CaseRow>) -> Result<()> {
    let sql = "UPDATE cases SET fence = $2, lease_worker = $3, lease_reviewer = $4, \
               lease_name = $5, lease_until = $6 WHERE id = $1";
    let lease = row.lease.as_ref();
    let values = args![
        *id,
        row.fence,
        lease.map(|lease| lease.worker.0.clone()),
        lease.map(|lease| lease.reviewer.id.0.clone()),
        lease.map(|lease| lease.reviewer.name.clone()),
        lease.map(|lease| lease.until),
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// Inserts a decision about a case.
pub async fn insert_decision(
    tx: &mut Tx,
    case: i64,
    DecisionRow { row, case_was, fence, .. }: &DecisionRow,
) -> Result<()> {
    let decision = &row.decision;
    let sql = "INSERT INTO decisions (origin, case_id, id, reviewer, disposition, record, \
               case_was, state, due, attempts, fence, settled_at, \
               may_have_written, status_done, listed, noted) \
               SELECT c.origin, c.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0 \
               FROM cases c WHERE c.id = $1";
    let values = args![
        case,
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
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// Saves everything of a decision that can change.
pub async fn save_decision(tx: &mut Tx, kept: &Kept<DecisionRow>) -> Result<()> {
    let sql = "UPDATE decisions SET state = $2, due = $3, attempts = $4, fence = $5, \
               claim_worker = $6, claim_until = $7, may_have_written = $8, status_done = $9, \
               listed = $10, noted = $11, note = $12, settled_at = $13 WHERE seq = $1";
    let DecisionRow { row, fence, claim, .. } = &kept.row;
    let Progress { may_have_written, status_done, listed, noted } = row.progress;
    let values = args![
        kept.id,
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
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// Reads a case from `cases.*`.
pub fn kept_case(row: &Row) -> Result<Kept<CaseRow>> {
    let must_replace = row.maybe_text("must_replace")?;
    let case = CaseRow {
        case: parsed(&row.text("record")?)?,
        state: word(&row.text("state")?, CaseState::from_word)?,
        place: Millis(row.int("place")?),
        note: row.maybe_text("note")?,
        seen_at: Millis(row.int("seen_at")?),
        fence: row.int("fence")?,
        lease: lease_of(row)?,
        must_replace: must_replace
            .map(|id| word(&id, |id| DecisionId::parse(id).ok()))
            .transpose()?,
    };
    Ok(Kept { id: row.int("id")?, row: case })
}

fn lease_of(row: &Row) -> Result<Option<Taken>> {
    let Some(worker) = row.maybe_text("lease_worker")? else { return Ok(None) };
    let reviewer =
        Reviewer { id: ReviewerId(row.text("lease_reviewer")?), name: row.text("lease_name")? };
    Ok(Some(Taken { reviewer, worker: WorkerId(worker), until: Millis(row.int("lease_until")?) }))
}

/// Reads [`NEWEST_COLUMNS`].
pub fn newest_of(row: &Row) -> Result<Option<Newest>> {
    let Some(id) = row.maybe_text("newest_id")? else { return Ok(None) };
    Ok(Some(Newest {
        id: word(&id, |id| DecisionId::parse(id).ok())?,
        disposition: word(&row.text("newest_disposition")?, Disposition::from_word)?,
        state: word(&row.text("newest_state")?, DeliveryState::from_word)?,
        settled_at: row.maybe_int("newest_settled_at")?.map(Millis),
    }))
}

/// Reads a decision from `decisions.*`.
pub fn kept_decision(row: &Row) -> Result<Kept<DecisionRow>> {
    let claim = match row.maybe_text("claim_worker")? {
        Some(worker) => {
            Some(Claim { worker: WorkerId(worker), until: Millis(row.int("claim_until")?) })
        }
        None => None,
    };
    let history = HistoryRow {
        decision: parsed(&row.text("record")?)?,
        state: word(&row.text("state")?, DeliveryState::from_word)?,
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        due: Millis(row.int("due")?),
        note: row.maybe_text("note")?,
        progress: Progress {
            may_have_written: row.int("may_have_written")? != 0,
            status_done: row.int("status_done")? != 0,
            listed: row.int("listed")? != 0,
            noted: row.int("noted")? != 0,
        },
        settled_at: row.maybe_int("settled_at")?.map(Millis),
    };
    let decision = DecisionRow {
        row: history,
        case_was: word(&row.text("case_was")?, CaseState::from_word)?,
        fence: row.int("fence")?,
        claim,
    };
    Ok(Kept { id: row.int("seq")?, row: decision })
}

/// The words of a set of states, to stand in a statement. They are ours, so nothing can be injected.
pub fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
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
