//! The queue, in a database.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::engine::{Arg, Tx, anew, args};
use super::rows::word;
use super::statements::Part;
use super::{AT_ONCE, SqlStore, engine, rows, statements, with_filter};
use crate::domain::{Case, CaseState, Millis, Origin, Place, RowKind, SessionId, Start, Tally};
use crate::store::audit::Audited;
use crate::store::row::{CaseRow, may_enter, needs_call};
use crate::store::{Admitted, Cases, QueuePage, QueueQuery, QueueRow, Result, StoreError};

/// The sum of the counts of an answer.
fn sum(counts: &[engine::Row]) -> u64 {
    // A count that is none is of a state that nobody sees.
    let counts = counts.iter().filter_map(|row| u64::try_from(row.int("n").ok()?).ok());
    counts.fold(0, u64::saturating_add)
}

/// The rows of a page, in the queue's order.
async fn page(tx: &mut Tx, origin: &Origin, query: &QueueQuery) -> Result<Vec<engine::Row>> {
    let limit = i64::from(query.limit);
    match &query.from {
        Start::Front => part(tx, origin, query, (Part::First, limit), None).await,
        Start::Behind(place) => part(tx, origin, query, (Part::Behind, limit), Some(place)).await,
        Start::Last => part(tx, origin, query, (Part::Last, limit), None).await,
        Start::Around(key) => {
            let Some(row) = tx.row(statements::PLACE, args![origin, key]).await? else {
                return part(tx, origin, query, (Part::First, limit), None).await;
            };
            let place = Place { at: Millis(row.int("place")?), key: key.as_str().to_owned() };
            let mut rows = part(tx, origin, query, (Part::Back, limit / 2), Some(&place)).await?;
            let left = limit - i64::try_from(rows.len()).unwrap_or(limit);
            rows.extend(part(tx, origin, query, (Part::On, left), Some(&place)).await?);
            Ok(rows)
        }
    }
}

/// So many rows of a part.
async fn part(
    tx: &mut Tx,
    origin: &Origin,
    query: &QueueQuery,
    (part, limit): (Part, i64),
    place: Option<&Place>,
) -> Result<Vec<engine::Row>> {
    let mut values = args![origin, limit];
    if let Some(Place { at, key }) = place {
        values.extend(args![*at, key.as_str()]);
    }
    tx.rows(statements::page(tx, query, part), with_filter(values, query)).await
}

/// So far from an end of the queue each case is counted.
const NEAR: u64 = 5_000;

/// How many of a query come before a place, and whether that is only about right: counted from the nearer end,
/// and far from both, where counting takes longer than anybody waits, taken from the times.
async fn before(
    tx: &mut Tx,
    origin: &Origin,
    query: &QueueQuery,
    Place { at, key }: &Place,
    total: u64,
) -> Result<(u64, bool)> {
    let limit = i64::try_from(NEAR).unwrap_or(i64::MAX);
    let values = || with_filter(args![origin, *at, key.as_str(), limit + 1], query);
    let front = sum(&tx.rows(statements::near(query, Part::Back), values()).await?);
    if front <= NEAR {
        return Ok((front, false));
    }
    let behind = sum(&tx.rows(statements::near(query, Part::On), values()).await?);
    if behind <= NEAR {
        return Ok((total.saturating_sub(behind), false));
    }
    let ends = tx.row(statements::ends(query), args![origin]).await?;
    let end = |name: &str| ends.as_ref().and_then(|row| row.maybe_int(name).ok().flatten());
    let (first, last) = (end("first").unwrap_or(at.0), end("last").unwrap_or(at.0));
    Ok((between(total, at.0.saturating_sub(first), last.saturating_sub(first)), true))
}

/// About how many of `total` come before a moment that is `since` the first of `all` milliseconds, when it is far
/// from both ends.
fn between(total: u64, since: i64, all: i64) -> u64 {
    let (since, all) = (i128::from(since.max(0)), i128::from(all.max(1)));
    let about = i128::from(total) * since.min(all) / all;
    u64::try_from(about).unwrap_or_default().clamp(NEAR, total.saturating_sub(NEAR).max(NEAR))
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
        let keys = keys;
        self.engine
            .write(anew!(async |tx| {
                let mut known = HashMap::new();
                for some in keys.chunks(AT_ONCE) {
                    known.extend(touch_some(tx, origin, some, listed_at, now).await?);
                }
                let needed = |key: &&SessionId| known.get(key.as_str()).copied().unwrap_or(true);
                Ok(keys.iter().filter(needed).cloned().collect())
            }))
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
            .write(anew!(async |tx| {
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
            }))
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
            .write(anew!(async |tx| {
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
            }))
            .await
    }

    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage> {
        if query.states.is_empty() {
            return Ok(QueuePage::default());
        }
        self.engine
            .read(async |tx| {
                let found = page(tx, origin, query).await?;
                let shown = |row: &engine::Row| {
                    Ok(rows::kept_case(row)?.row.shown(rows::newest_of(row), now))
                };
                let (mut rows, unreadable): (Vec<QueueRow>, _) =
                    rows::apart(&found, shown, (RowKind::Case, "key"))?;
                let counted =
                    tx.rows(statements::total(query), with_filter(args![origin], query)).await?;
                let total = sum(&counted);
                for (key, taken) in rows::watchers(tx, origin, now).await? {
                    if let Some(row) = rows.iter_mut().find(|row| row.case.key == key) {
                        row.watched.push(taken);
                    }
                }
                let place = |row: &engine::Row| {
                    Ok::<_, StoreError>(Place {
                        at: Millis(row.int("place")?),
                        key: row.lossy("key"),
                    })
                };
                let end = found.last().map(place).transpose()?;
                let (before, about) = match (&query.from, found.first()) {
                    (Start::Around(_), Some(first)) => {
                        before(tx, origin, query, &place(first)?, total).await?
                    }
                    (Start::Last, _) => {
                        let found = u64::try_from(found.len()).unwrap_or(u64::MAX);
                        (total.saturating_sub(found), false)
                    }
                    _ => (0, false),
                };
                Ok(QueuePage { rows, unreadable, total, before, about, end })
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

    async fn known(&self, origin: &Origin, keys: &[SessionId]) -> Result<Vec<Case>> {
        self.engine
            .read(async |tx| {
                let mut known = Vec::new();
                for some in keys.chunks(AT_ONCE) {
                    let mut values = args![origin];
                    values.extend(some.iter().map(Arg::from));
                    let found = tx.rows(statements::some(some.len()), values).await?;
                    let read = found.iter().filter_map(|row| rows::kept_case(row).ok());
                    known.extend(read.map(|kept| kept.row.case));
                }
                Ok(known)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_is_far_from_both_ends() {
        assert_eq!(between(900_000, 50, 100), 450_000);
        assert_eq!(between(900_000, 0, 100), NEAR);
        assert_eq!(between(900_000, -5, 0), NEAR);
        assert_eq!(between(900_000, 200, 100), 900_000 - NEAR);
        assert_eq!(between(10, 5, 10), NEAR);
    }
}
