//! The queue, in a database.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::engine::{Arg, Tx, args};
use super::rows::word;
use super::{AT_ONCE, SqlStore, engine, rows, statements, with_filter};
use crate::domain::{Case, CaseState, Millis, Origin, RowKind, SessionId, Tally};
use crate::store::audit::Audited;
use crate::store::row::{CaseRow, may_enter, needs_call};
use crate::store::{Admitted, Cases, QueuePage, QueueQuery, QueueRow, Result, StoreError};

/// The sum of the counts of an answer.
fn sum(counts: &[engine::Row]) -> u64 {
    // A count that is none is of a state that nobody sees.
    let counts = counts.iter().filter_map(|row| u64::try_from(row.int("n").ok()?).ok());
    counts.fold(0, u64::saturating_add)
}

/// The listed sessions that a store knows, and whether each is worth a decision call.
async fn touch_some(
    tx: &mut Tx,
    origin: &Origin,
    keys: &[SessionId],
    listed_at: Millis,
    now: Millis,
) -> Result<HashMap<String, bool>> {
    let mut values = args![origin];
    values.extend(keys.iter().map(Arg::from));
    let mut known = HashMap::new();
    for row in tx.rows(statements::listed(tx, keys.len()), values.clone()).await? {
        let needs = |row: &engine::Row| {
            let state = word(&row.text("state")?, CaseState::from_word)?;
            let kind = word(&row.text("kind")?, rows::kind_of)?;
            let settled_at = row.maybe_int("settled_at")?.map(Millis);
            Ok::<_, StoreError>(needs_call(state, kind, settled_at, listed_at))
        };
        // What cannot be read would not take in what a call brings.
        known.insert(row.lossy("key"), needs(&row).unwrap_or(false));
    }
    values.push(Arg::from(now));
    tx.run(statements::seen(keys.len()), values).await?;
    Ok(known)
}

#[async_trait]
impl Cases for SqlStore {
    async fn touch(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        listed_at: Millis,
        now: Millis,
    ) -> Result<Vec<SessionId>> {
        let mut asked = HashSet::new();
        let mut keys = keys.to_vec();
        keys.retain(|key| asked.insert(key.clone()));
        self.engine
            .write(async |tx| {
                let mut known = HashMap::new();
                for some in keys.chunks(AT_ONCE) {
                    known.extend(touch_some(tx, origin, some, listed_at, now).await?);
                }
                keys.retain(|key| known.get(key.as_str()).copied().unwrap_or(true));
                Ok(keys)
            })
            .await
    }

    async fn admit(
        &self,
        origin: &Origin,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Result<Admitted> {
        may_enter(state)?;
        self.engine
            .write(async |tx| {
                let mut found = rows::case(tx, origin, &case.key).await?;
                if found.is_none() {
                    if rows::insert_case(tx, origin, &CaseRow::new(case, state, now)).await? {
                        tx.announce(origin).await?;
                        return Ok(Admitted::New);
                    }
                    // Somebody else put it there between the two statements.
                    found = rows::case(tx, origin, &case.key).await?;
                }
                let mut kept =
                    found.ok_or_else(|| StoreError::Busy("a case came and went".to_owned()))?;
                let newest = rows::newest(tx, kept.id).await?;
                let admitted = kept.row.admit(newest, case, state, read_at, now);
                if matches!(admitted, Admitted::New | Admitted::Updated) {
                    rows::save_case(tx, &kept).await?;
                    tx.announce(origin).await?;
                }
                Ok(admitted)
            })
            .await
    }

    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>> {
        self.engine
            .read(async |tx| {
                let found =
                    tx.rows(statements::UNSEEN, args![origin, before, i64::from(limit)]).await?;
                let key = |row: &engine::Row| SessionId::parse(&row.text("key").ok()?).ok();
                Ok(found.iter().filter_map(key).collect())
            })
            .await
    }

    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.engine
            .write(async |tx| {
                let Some(mut kept) = rows::case(tx, origin, key).await? else { return Ok(false) };
                if !kept.row.depart(why) {
                    return Ok(false);
                }
                rows::save_case(tx, &kept).await?;
                rows::save_lease(tx, &kept).await?;
                tx.announce(origin).await?;
                if let Some(mut proposal) = rows::proposal(tx, origin, kept.id).await? {
                    proposal.row.void(why, now);
                    rows::save_decision(tx, &proposal).await?;
                    rows::record(tx, origin, Audited::Settled, &proposal.row.row, now).await?;
                }
                Ok(true)
            })
            .await
    }

    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage> {
        if query.states.is_empty() {
            return Ok(QueuePage { rows: Vec::new(), unreadable: Vec::new(), total: 0 });
        }
        // Half of what fits: limit and offset are added.
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX).min(i64::MAX / 2);
        let values = with_filter(args![origin, i64::from(query.limit), offset], query);
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::page(tx, query), values).await?;
                let shown = |row: &engine::Row| {
                    Ok(rows::kept_case(row)?.row.shown(rows::newest_of(row), now))
                };
                let (mut page, unreadable): (Vec<QueueRow>, _) =
                    rows::apart(&found, shown, (RowKind::Case, "key"))?;
                let counted =
                    tx.rows(statements::total(query), with_filter(args![origin], query)).await?;
                for (key, taken) in rows::watchers(tx, origin, now).await? {
                    if let Some(row) = page.iter_mut().find(|row| row.case.key == key) {
                        row.watched.push(taken);
                    }
                }
                Ok(QueuePage { rows: page, unreadable, total: sum(&counted) })
            })
            .await
    }

    async fn rank(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        key: &SessionId,
    ) -> Result<Option<u64>> {
        if query.states.is_empty() {
            return Ok(None);
        }
        self.engine
            .read(async |tx| {
                let found = tx
                    .row(statements::place(query), with_filter(args![origin, key], query))
                    .await?;
                let Some(place) = found.map(|row| row.int("place")).transpose()? else {
                    return Ok(None);
                };
                let values = with_filter(args![origin, place, key], query);
                Ok(Some(sum(&tx.rows(statements::before(query), values).await?)))
            })
            .await
    }

    async fn case(
        &self,
        origin: &Origin,
        key: &SessionId,
        now: Millis,
    ) -> Result<Option<QueueRow>> {
        self.engine
            .read(async |tx| {
                let Some(row) = tx.row(statements::CASE_SHOWN, args![origin, key]).await? else {
                    return Ok(None);
                };
                let mut shown = rows::kept_case(&row)?.row.shown(rows::newest_of(&row), now);
                let watchers = rows::watchers(tx, origin, now).await?.into_iter();
                shown.watched = watchers.filter(|(of, _)| of == key).map(|(_, w)| w).collect();
                Ok(Some(shown))
            })
            .await
    }

    async fn tally(&self, origin: &Origin) -> Result<Tally> {
        self.engine
            .read(async |tx| {
                let mut tally = Tally::default();
                for row in tx.rows(statements::TALLY, args![origin]).await? {
                    let n = row.int("n").map(u64::try_from);
                    let state = row.text("state").ok().and_then(|s| CaseState::from_word(&s));
                    let (Ok(Ok(n)), Some(state)) = (n, state) else { continue };
                    match state {
                        CaseState::Open => tally.open = n,
                        CaseState::Escalated => tally.escalated = n,
                        CaseState::Decided => tally.decided = n,
                        CaseState::Departed => tally.departed = n,
                        CaseState::Left => tally.left = n,
                    }
                }
                Ok(tally)
            })
            .await
    }
}
