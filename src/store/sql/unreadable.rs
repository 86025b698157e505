//! Rows that cannot be read: where they are, and how a decision among them ends, so that it neither stops the
//! others nor is forgotten. Reads what can be read of them and believes none of it.

use super::engine::{Row, Tx, args};
use super::rows::Place;
use super::{rows, statements};
use crate::domain::{DeliveryState, Millis, Origin, Parked, ParkedAs, RowKind, Unreadable};
use crate::store::audit::{AuditEntry, Audited, hash_of};
use crate::store::{Result, StoreError};

/// Rows that are looked at at a time.
const PAGE: i64 = 1_000;

/// Ends a decision that cannot be read as refused, and opens its case again where that can be read; in the
/// transaction that is under way. `None` when it can be read, has ended, or somebody is at it.
pub async fn park(tx: &mut Tx, origin: &Origin, seq: i64, now: Millis) -> Result<Option<Parked>> {
    // The case first, as all do.
    let sql = format!("{}{}", statements::CASE_AT, tx.lock("c"));
    let case = tx.row(sql, args![origin, seq]).await?;
    let sql = format!("{}{}", statements::DECISION_AT, tx.lock("d"));
    let Some(row) = tx.row(sql, args![origin, seq]).await? else { return Ok(None) };
    let why = match rows::kept_decision(&row) {
        Err(StoreError::Corrupt(why)) => why,
        done => return done.map(|_| None),
    };
    let (id, state) = (row.lossy("id"), row.lossy("state"));
    let at_it = row.maybe_int("claim_until").is_ok_and(|until| until > Some(now.0));
    let key = case.as_ref().map(|case| case.lossy("key")).unwrap_or_default();
    let entries = tx.rows(statements::audit_of(tx), args![origin, key.clone()]).await?;
    let read = |row: &Row| serde_json::from_str::<AuditEntry>(&row.lossy("entry")).ok();
    let of_it = |entry: &AuditEntry| entry.decision == id;
    let entries: Vec<_> = entries.iter().filter_map(read).filter(of_it).collect();
    let mut parked =
        Parked { row: Unreadable::new(RowKind::Decision, &id, &why), how: ParkedAs::Ended };
    match DeliveryState::from_word(&state) {
        Some(state) if !state.is_open() || at_it => return Ok(None),
        Some(_) => {}
        None => {
            // What was over is not begun anew because its word was bent.
            let last = entries.last().and_then(|entry| DeliveryState::from_word(&entry.state));
            if let Some(last) = last.filter(|last| !last.is_open()) {
                parked.how =
                    ParkedAs::Left(format!("it was {} when it was entered last", last.word()));
                return Ok(Some(parked));
            }
        }
    }
    let opened = match case.as_ref().map(rows::kept_case) {
        Some(Ok(mut case)) => {
            let opens = is_last(tx, case.id, seq).await? && case.row.open_anew();
            if opens {
                rows::save_case(tx, &case).await?;
                rows::save_lease(tx, &case).await?;
            }
            opens
        }
        _ => false,
    };
    if opened {
        parked.how = ParkedAs::Opened;
    }
    tx.run(statements::CLAIM_UNREAD, args![origin, seq]).await?;
    tx.run(statements::PARK, args![origin, seq, note(&row, &why, opened), now]).await?;
    tx.announce(origin).await?;
    // As far as its columns can be read.
    let own = AuditEntry {
        seq: 0,
        at: now,
        what: Audited::Settled,
        decision: id,
        case: key,
        disposition: row.lossy("disposition"),
        state: DeliveryState::Refused.word().to_owned(),
        reviewer: row.lossy("reviewer"),
        by: None,
        record: hash_of(&row.lossy("record")),
        before: String::new(),
    };
    rows::record_end(tx, origin, own).await?;
    Ok(Some(parked))
}

/// Whether no later decision about a case stands.
async fn is_last(tx: &mut Tx, case: Place, seq: i64) -> Result<bool> {
    let values = args![case.number, seq, case.origin];
    let later = tx.row(statements::LATER, values).await?;
    Ok(later.map_or(Ok(0), |row| row.int("n"))? == 0)
}

/// What stands beside it: what is wrong, what may have happened, and what to do.
fn note(row: &Row, why: &str, opened: bool) -> String {
    let steps = ["may_have_written", "status_done", "listed", "noted"];
    let left = steps.iter().any(|step| !matches!(row.flag(step), Ok(false)));
    let sent = if left { "nothing more of it is sent" } else { "not sent" };
    let next = if opened { "decide its case anew" } else { "look at its case again" };
    format!("{sent}: it cannot be read ({why}); {next}, and see `secondlook audit verify`")
}

/// Every row of an origin that cannot be read, or stands where none can.
pub async fn all(tx: &mut Tx, origin: &Origin) -> Result<Vec<Unreadable>> {
    let mut found = Vec::new();
    let decision = |row: &Row| rows::kept_decision(row).map(drop);
    let case = |row: &Row| rows::kept_case(row).map(drop);
    for (sql, number, read, kind) in [
        (statements::CASES, "id", &case as Reads<'_>, (RowKind::Case, "key")),
        (statements::DECISIONS, "seq", &decision, (RowKind::Decision, "id")),
        (statements::ENTRIES, "seq", &entry, (RowKind::Entry, "seq")),
        (statements::SIGNATURES, "seq", &signature, (RowKind::Signature, "seq")),
    ] {
        let mut after = i64::MIN;
        loop {
            let page = tx.rows(sql, args![origin, after, PAGE]).await?;
            found.extend(rows::apart(&page, read, kind)?.1);
            // What has no number is the last there is: texts come behind all numbers.
            let last = page.last().and_then(|row| row.int(number).ok());
            match last.filter(|_| i64::try_from(page.len()) == Ok(PAGE)) {
                Some(last) => after = last,
                None => break,
            }
        }
    }
    let acts = tx.rows(statements::ACTS, args![origin]).await?;
    found.extend(rows::apart(&acts, act, (RowKind::Act, "seq"))?.1);
    Ok(found)
}

/// How a row is read, for nothing but whether it can be.
type Reads<'a> = &'a (dyn Fn(&Row) -> Result<()> + Sync);

/// A place in the audit, from 1.
fn placed(row: &Row) -> Result<()> {
    match row.int("seq")? {
        1.. => Ok(()),
        _ => Err(StoreError::Corrupt("it stands before the first one".to_owned())),
    }
}

fn entry(row: &Row) -> Result<()> {
    placed(row)?;
    row.text("hash")?;
    let of: Option<AuditEntry> = serde_json::from_str(&row.text("entry")?).ok();
    // One that is no entry is found by the chain.
    if of.is_some_and(|entry| entry.decision != row.lossy("decision")) {
        let why = "it is kept under another decision than it is about";
        return Err(StoreError::Corrupt(why.to_owned()));
    }
    Ok(())
}

fn signature(row: &Row) -> Result<()> {
    placed(row)?;
    row.text("signature").map(drop)
}

fn act(row: &Row) -> Result<()> {
    placed(row)?;
    row.int("done_at")?;
    row.text("doer")?;
    row.maybe_text("signature")?;
    row.text("act").map(drop)
}
