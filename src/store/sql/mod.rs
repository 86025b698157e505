//! The store in a database, SQLite or PostgreSQL: every verb is one transaction that loads rows,
//! asks their rules ([`crate::store::row`]) and saves them. The statements are the same text for
//! both; what differs is in `engine`.

mod engine;
mod postgres;
mod rows;
mod schema;
mod sqlite;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use async_trait::async_trait;

use self::engine::{Arg, Engine, Tx, args};
use self::rows::{Kept, NEWEST, NEWEST_COLUMNS, of_origin, quoted, word};
use super::row::{CaseRow, may_enter, needs_call};
use super::{
    Admitted, Delivery, HistoryQuery, HistoryRow, Holder, Lease, LeaseAnswer, Progress, QueuePage,
    QueueQuery, QueueRow, Result, Settled, Store, StoreError, Undone,
};
use crate::domain::{
    Case, CaseState, Decision, DecisionId, DeliveryState, Millis, Origin, ReviewerId, SessionId,
    Tally, WorkerId,
};

/// A store in a database.
pub struct SqlStore {
    engine: Engine,
    place: String,
    salt: [u8; 32],
}

/// How many keys one statement of `touch` asks about.
const AT_ONCE: usize = 256;
/// What a filter asks of a case: that its key or number is another one without the text. Both
/// databases know `replace`; they have no common word for "contains".
const PASSES: &str = " AND (replace(c.key, $FILTER, '') <> c.key \
                      OR replace(c.session_number, $FILTER, '') <> c.session_number)";
/// The decisions in the outbox, in the words of their index.
const IS_OPEN: &str = "state IN ('held', 'sending', 'unknown')";
/// The cases that wait, in the words of their index.
const WAITS: &str = "state IN ('open', 'escalated', 'left')";

impl SqlStore {
    /// Opens a SQLite file, or makes it (mode 0600, its folder 0700).
    ///
    /// # Errors
    /// [`StoreError::Permissions`] when others may read the file, [`StoreError::NotAStore`] when it
    /// is something else, [`StoreError::Newer`] when a later version made it; the file is as it was.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        Self::ready(sqlite::open(path).await?, format!("sqlite:{}", path.display())).await
    }

    /// Connects to a PostgreSQL database and makes the tables when they are not there.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] when `url` is none, [`StoreError::Busy`] when the server does not
    /// answer in time, [`StoreError::Newer`] when a later version made the tables.
    pub async fn postgres(url: &str) -> Result<Self> {
        let (engine, place) = postgres::connect(url).await?;
        Self::ready(engine, place).await
    }

    async fn ready(engine: Engine, place: String) -> Result<Self> {
        match schema::prepare(&engine).await {
            Ok(salt) => Ok(Self { engine, place, salt }),
            Err(error) => {
                engine.close().await;
                Err(error)
            }
        }
    }

    /// Loads the case of a lease, changes it and saves the lease it has then.
    async fn change_lease<T>(
        &self,
        origin: &Origin,
        key: &SessionId,
        change: impl FnOnce(&mut CaseRow) -> T + Send,
    ) -> Result<Option<T>> {
        let mut tx = self.engine.write().await?;
        let Some(mut kept) = rows::case(&mut tx, origin, key).await? else { return Ok(None) };
        let before = (kept.row.lease.clone(), kept.row.fence);
        let answer = change(&mut kept.row);
        if before != (kept.row.lease.clone(), kept.row.fence) {
            rows::save_lease(&mut tx, &kept).await?;
            tx.commit().await?;
        }
        Ok(Some(answer))
    }

    /// Loads a claimed decision, changes it and saves it; false when the claim is not ours.
    async fn change_claimed(
        &self,
        delivery: &Delivery,
        change: impl FnOnce(&mut super::row::DecisionRow) + Send,
    ) -> Result<bool> {
        let mut tx = self.engine.write().await?;
        let found = rows::decision(&mut tx, &delivery.origin, delivery.decision.id).await?;
        let Some(mut kept) = found.filter(|kept| kept.row.is_claimed_by(delivery)) else {
            return Ok(false);
        };
        change(&mut kept.row);
        rows::save_decision(&mut tx, &kept).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The state words of a query, each once, and the condition that its filter adds with the filter at
/// placeholder `at`.
fn parts(query: &QueueQuery, at: usize) -> (Vec<&'static str>, String) {
    let mut words: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    words.sort_unstable();
    words.dedup();
    let passes = match query.filter.as_str() {
        "" => String::new(),
        _ => PASSES.replace("$FILTER", &format!("${at}")),
    };
    (words, passes)
}

fn with_filter(mut args: Vec<Arg>, query: &QueueQuery) -> Vec<Arg> {
    if !query.filter.is_empty() {
        args.push(Arg::from(query.filter.as_str()));
    }
    args
}

/// One page. An arm a state: each walks the index in the queue's order, and they are merged, so
/// that nothing is sorted however long the queue is. Values: origin, limit, offset, filter.
fn page_sql(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 4);
    let of_origin = of_origin!();
    let arm = |word| {
        format!(
            "SELECT c.id, c.place, c.key FROM cases c \
             WHERE c.{of_origin} AND c.state = '{word}'{passes}"
        )
    };
    let arms: Vec<_> = words.into_iter().map(arm).collect();
    format!(
        "WITH page AS ({} ORDER BY place, key LIMIT $2 OFFSET $3) \
         SELECT c.*, {NEWEST_COLUMNS} FROM page p JOIN cases c ON c.id = p.id \
         LEFT JOIN decisions d ON d.seq = {NEWEST} ORDER BY p.place, p.key",
        arms.join(" UNION ALL ")
    )
}

/// How many a query holds. Values: origin, filter.
fn total_sql(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 2);
    let states = quoted(words.into_iter());
    let of_origin = of_origin!();
    format!(
        "SELECT count(*) AS n FROM cases c WHERE c.{of_origin} AND c.state IN ({states}){passes}"
    )
}

/// How many of a query come before a place, one row a state. Values: origin, place, key, filter.
fn before_sql(query: &QueueQuery) -> String {
    let (words, passes) = parts(query, 4);
    let of_origin = of_origin!();
    let arm = |word| {
        format!(
            "SELECT count(*) AS n FROM cases c WHERE c.{of_origin} AND c.state = '{word}' \
             AND (c.place, c.key) < ($2, $3){passes}"
        )
    };
    words.into_iter().map(arm).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The last place of the cases that wait. Value: origin.
fn last_place_sql() -> String {
    let of_origin = of_origin!();
    let arm = |state: CaseState| {
        let word = state.word();
        format!("SELECT max(place) AS last FROM cases WHERE {of_origin} AND state = '{word}'")
    };
    let arms = [CaseState::Open, CaseState::Escalated, CaseState::Left].map(arm);
    format!("SELECT max(last) AS last FROM ({}) AS ends", arms.join(" UNION ALL "))
}

/// The next delivery. Values: origin, now, reviewer.
fn take_sql(tx: &Tx) -> String {
    let (of_origin, claim) = (of_origin!(), tx.claim());
    format!(
        "SELECT * FROM decisions WHERE {of_origin} AND {IS_OPEN} AND due <= $2 \
         AND (state <> 'held' OR reviewer = $3) AND (claim_until IS NULL OR claim_until <= $2) \
         ORDER BY due, id LIMIT 1{claim}"
    )
}

/// What `touch` asks about some keys. Values: origin, the keys.
fn touched_sql(tx: &Tx, keys: &str) -> String {
    let (of_origin, lock) = (of_origin!(), tx.lock("c"));
    // In the order of the rows, so that two who touch the same ones do not lock each other out.
    format!(
        "SELECT c.key, c.state, c.kind, d.settled_at FROM cases c \
         LEFT JOIN decisions d ON d.seq = {NEWEST} \
         WHERE c.{of_origin} AND c.key IN ({keys}) ORDER BY c.id{lock}"
    )
}

/// The listed sessions that a store knows, and whether each is worth a decision call.
async fn touch_some(
    tx: &mut Tx,
    origin: &Origin,
    keys: &[SessionId],
    listed_at: Millis,
    now: Millis,
) -> Result<HashMap<String, bool>> {
    let places: Vec<_> = (2..keys.len() + 2).map(|n| format!("${n}")).collect();
    let places = places.join(", ");
    let mut values = args![origin];
    values.extend(keys.iter().map(Arg::from));
    let mut known = HashMap::new();
    for row in tx.rows(touched_sql(tx, &places), values.clone()).await? {
        let state = word(&row.text("state")?, CaseState::from_word)?;
        let kind = word(&row.text("kind")?, rows::kind_of)?;
        let settled_at = row.maybe_int("settled_at")?.map(Millis);
        known.insert(row.text("key")?, needs_call(state, kind, settled_at, listed_at));
    }
    let of_origin = of_origin!();
    values.push(Arg::from(now));
    let last = values.len();
    let sql = format!("UPDATE cases SET seen_at = ${last} WHERE {of_origin} AND key IN ({places})");
    tx.run(sql, values).await?;
    Ok(known)
}

#[async_trait]
impl Store for SqlStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn salt(&self) -> Result<[u8; 32]> {
        Ok(self.salt)
    }

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
        let mut tx = self.engine.write().await?;
        let mut known = HashMap::new();
        for some in keys.chunks(AT_ONCE) {
            known.extend(touch_some(&mut tx, origin, some, listed_at, now).await?);
        }
        tx.commit().await?;
        keys.retain(|key| known.get(key.as_str()).copied().unwrap_or(true));
        Ok(keys)
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
        let mut tx = self.engine.write().await?;
        let mut found = rows::case(&mut tx, origin, &case.key).await?;
        if found.is_none() {
            if rows::insert_case(&mut tx, origin, &CaseRow::new(case, state, now)).await? {
                tx.commit().await?;
                return Ok(Admitted::New);
            }
            // Somebody else put it there between the two statements.
            found = rows::case(&mut tx, origin, &case.key).await?;
        }
        let mut kept = found.ok_or_else(|| StoreError::Busy("a case came and went".to_owned()))?;
        let newest = rows::newest(&mut tx, kept.id).await?;
        let admitted = kept.row.admit(newest, case, state, read_at, now);
        if matches!(admitted, Admitted::New | Admitted::Updated) {
            rows::save_case(&mut tx, &kept).await?;
            tx.commit().await?;
        }
        Ok(admitted)
    }

    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>> {
        let of_origin = of_origin!();
        let sql = format!(
            "SELECT key FROM cases WHERE {of_origin} AND kind = 'workflow' AND {WAITS} \
             AND seen_at < $2 ORDER BY place, key LIMIT $3"
        );
        let mut tx = self.engine.read().await?;
        let found = tx.rows(sql, args![origin, before, i64::from(limit)]).await?;
        let key = |row: &engine::Row| word(&row.text("key")?, |key| SessionId::parse(key).ok());
        found.iter().map(key).collect()
    }

    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        _now: Millis,
    ) -> Result<bool> {
        let mut tx = self.engine.write().await?;
        let Some(mut kept) = rows::case(&mut tx, origin, key).await? else { return Ok(false) };
        let departs = kept.row.depart(why);
        if departs {
            rows::save_case(&mut tx, &kept).await?;
            rows::save_lease(&mut tx, &kept).await?;
            tx.commit().await?;
        }
        Ok(departs)
    }

    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage> {
        if query.states.is_empty() {
            return Ok(QueuePage { rows: Vec::new(), total: 0 });
        }
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
        let values = with_filter(args![origin, i64::from(query.limit), offset], query);
        let mut tx = self.engine.read().await?;
        let mut page = Vec::new();
        for row in tx.rows(page_sql(query), values).await? {
            page.push(rows::kept_case(&row)?.row.shown(rows::newest_of(&row)?, now));
        }
        let counted = tx.row(total_sql(query), with_filter(args![origin], query)).await?;
        let total = counted.map(|row| row.int("n")).transpose()?.unwrap_or_default();
        Ok(QueuePage { rows: page, total: u64::try_from(total).unwrap_or_default() })
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
        let (words, passes) = parts(query, 3);
        let (of_origin, states) = (of_origin!(), quoted(words.into_iter()));
        let place = format!(
            "SELECT c.place FROM cases c WHERE c.{of_origin} AND c.key = $2 \
             AND c.state IN ({states}){passes}"
        );
        let mut tx = self.engine.read().await?;
        let found = tx.row(place, with_filter(args![origin, key], query)).await?;
        let Some(place) = found.map(|row| row.int("place")).transpose()? else { return Ok(None) };
        let values = with_filter(args![origin, place, key], query);
        let mut rank = 0;
        for row in tx.rows(before_sql(query), values).await? {
            rank += u64::try_from(row.int("n")?).unwrap_or_default();
        }
        Ok(Some(rank))
    }

    async fn case(
        &self,
        origin: &Origin,
        key: &SessionId,
        now: Millis,
    ) -> Result<Option<QueueRow>> {
        let of_origin = of_origin!();
        let sql = format!(
            "SELECT c.*, {NEWEST_COLUMNS} FROM cases c LEFT JOIN decisions d ON d.seq = {NEWEST} \
             WHERE c.{of_origin} AND c.key = $2"
        );
        let mut tx = self.engine.read().await?;
        let Some(row) = tx.row(sql, args![origin, key]).await? else { return Ok(None) };
        Ok(Some(rows::kept_case(&row)?.row.shown(rows::newest_of(&row)?, now)))
    }

    async fn tally(&self, origin: &Origin) -> Result<Tally> {
        let of_origin = of_origin!();
        let sql =
            format!("SELECT state, count(*) AS n FROM cases WHERE {of_origin} GROUP BY state");
        let mut tx = self.engine.read().await?;
        let mut tally = Tally::default();
        for row in tx.rows(sql, args![origin]).await? {
            let n = u64::try_from(row.int("n")?).unwrap_or_default();
            match word(&row.text("state")?, CaseState::from_word)? {
                CaseState::Open => tally.open = n,
                CaseState::Escalated => tally.escalated = n,
                CaseState::Decided => tally.decided = n,
                CaseState::Departed => tally.departed = n,
                CaseState::Left => tally.left = n,
            }
        }
        Ok(tally)
    }

    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer> {
        let lease = |row: &mut CaseRow| row.lease(origin, holder, now, ttl_ms);
        Ok(self.change_lease(origin, key, lease).await?.unwrap_or(LeaseAnswer::Unknown))
    }

    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>> {
        let renew = |row: &mut CaseRow| row.renew(lease, now, ttl_ms);
        Ok(self.change_lease(&lease.origin, &lease.case, renew).await?.flatten())
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let release = |row: &mut CaseRow| row.release(lease);
        self.change_lease(&lease.origin, &lease.case, release).await?;
        Ok(())
    }

    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>> {
        let sql = "SELECT lease_worker AS worker FROM cases \
                   WHERE lease_worker IS NOT NULL AND lease_until > $1 \
                   UNION SELECT claim_worker AS worker FROM decisions \
                   WHERE claim_worker IS NOT NULL AND claim_until > $1";
        let mut tx = self.engine.read().await?;
        let found = tx.rows(sql, args![now]).await?;
        let workers: Result<Vec<_>> = found.iter().map(|row| row.text("worker")).collect();
        let mut workers: Vec<_> = workers?.into_iter().map(WorkerId).collect();
        workers.sort_unstable();
        Ok(workers)
    }

    async fn bury(&self, worker: &WorkerId, _now: Millis) -> Result<u64> {
        let leases = "UPDATE cases SET lease_worker = NULL, lease_reviewer = NULL, \
                      lease_name = NULL, lease_until = NULL WHERE lease_worker = $1";
        let claims = "UPDATE decisions SET state = 'unknown', claim_worker = NULL, \
                      claim_until = NULL WHERE claim_worker = $1";
        let mut tx = self.engine.write().await?;
        let ended = tx.run(leases, args![worker]).await? + tx.run(claims, args![worker]).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()> {
        let mut tx = self.engine.write().await?;
        let found = rows::case(&mut tx, &lease.origin, &lease.case).await?;
        let mut kept = found.ok_or(StoreError::LostLease)?;
        let last = tx.row(last_place_sql(), args![&lease.origin]).await?;
        let last = last.map(|row| row.maybe_int("last")).transpose()?.flatten();
        kept.row.skip(lease, Millis(last.unwrap_or(i64::MIN)), now)?;
        rows::save_case(&mut tx, &kept).await?;
        rows::save_lease(&mut tx, &kept).await?;
        tx.commit().await
    }

    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<()> {
        let mut tx = self.engine.write().await?;
        let found = rows::case(&mut tx, &lease.origin, &lease.case).await?;
        let mut kept = found.ok_or(StoreError::LostLease)?;
        let decided = kept.row.decide(lease, decision, held_until, now)?;
        rows::insert_decision(&mut tx, kept.id, &decided).await?;
        rows::save_case(&mut tx, &kept).await?;
        rows::save_lease(&mut tx, &kept).await?;
        tx.commit().await
    }

    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        let mut tx = self.engine.write().await?;
        let found = rows::decision(&mut tx, origin, decision).await?;
        let Some(mut kept) = found else { return Ok(Undone::Unknown) };
        let undone = kept.row.undo(reviewer, now);
        if let Undone::TakenBack(key) = &undone {
            let lost = || StoreError::Corrupt("a decision has no case".to_owned());
            let mut case = rows::case(&mut tx, origin, key).await?.ok_or_else(lost)?;
            case.row.put_back(&kept.row);
            rows::save_decision(&mut tx, &kept).await?;
            rows::save_case(&mut tx, &case).await?;
            tx.commit().await?;
        }
        Ok(undone)
    }

    async fn reopen(&self, origin: &Origin, decision: DecisionId, now: Millis) -> Result<bool> {
        let mut tx = self.engine.write().await?;
        let Some(Kept { row, .. }) = rows::decision(&mut tx, origin, decision).await? else {
            return Ok(false);
        };
        let found = rows::case(&mut tx, origin, &row.row.decision.case).await?;
        let Some(mut kept) = found else { return Ok(false) };
        let newest = rows::newest(&mut tx, kept.id).await?;
        let opens = kept.row.reopen(decision, newest, now);
        if opens {
            rows::save_case(&mut tx, &kept).await?;
            rows::save_lease(&mut tx, &kept).await?;
            tx.commit().await?;
        }
        Ok(opens)
    }

    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        let of_origin = of_origin!();
        let sql = format!(
            "UPDATE decisions SET due = $3 WHERE {of_origin} AND {IS_OPEN} AND state = 'held' \
             AND reviewer = $2 AND due < $3"
        );
        let mut tx = self.engine.write().await?;
        let rewound = tx.run(sql, args![origin, reviewer, until]).await?;
        tx.commit().await?;
        Ok(rewound)
    }

    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        let of_origin = of_origin!();
        let sql = format!(
            "UPDATE decisions SET due = CASE WHEN due < $3 THEN due ELSE $3 END \
             WHERE {of_origin} AND {IS_OPEN} AND state = 'held' AND reviewer = $2"
        );
        let mut tx = self.engine.write().await?;
        let due = tx.run(sql, args![origin, reviewer, now]).await?;
        tx.commit().await?;
        Ok(due)
    }

    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        let mut tx = self.engine.write().await?;
        let found = tx.row(take_sql(&tx), args![origin, now, reviewer]).await?;
        let Some(row) = found else { return Ok(None) };
        let mut kept = rows::kept_decision(&row)?;
        let delivery = kept.row.take(origin, worker, now.plus(ttl_ms));
        rows::save_decision(&mut tx, &kept).await?;
        tx.commit().await?;
        Ok(Some(delivery))
    }

    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        let mut tx = self.engine.read().await?;
        let values = args![&delivery.origin, delivery.decision.id];
        let Some(row) = tx.row(rows::DECISION, values).await? else { return Ok(false) };
        let row = rows::kept_decision(&row)?.row;
        let runs = row.claim.as_ref().is_some_and(|claim| claim.until >= until);
        Ok(runs && row.is_claimed_by(delivery))
    }

    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        self.change_claimed(delivery, |row| row.row.progress = *progress).await
    }

    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        self.change_claimed(delivery, |row| row.settle(settled, now)).await
    }

    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        let of_origin = of_origin!();
        let sql = format!(
            "SELECT min(CASE WHEN claim_until > due THEN claim_until ELSE due END) AS due \
             FROM decisions WHERE {of_origin} AND {IS_OPEN} \
             AND (state <> 'held' OR reviewer = $2)"
        );
        let mut tx = self.engine.read().await?;
        let row = tx.row(sql, args![origin, reviewer]).await?;
        Ok(row.map(|row| row.maybe_int("due")).transpose()?.flatten().map(Millis))
    }

    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Vec<HistoryRow>> {
        let limit = query.limit.map_or(i64::MAX, i64::from);
        let mut values = args![origin, limit];
        let mut tx = self.engine.read().await?;
        let sql = history_sql(query, &mut values);
        let found = tx.rows(sql, values).await?;
        found.iter().map(|row| Ok(rows::kept_decision(row)?.row.row)).collect()
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}

/// Decisions, newest first. Values: origin, limit, and those it adds.
fn history_sql(query: &HistoryQuery, values: &mut Vec<Arg>) -> String {
    let mut sql = concat!("SELECT d.* FROM decisions d WHERE d.", of_origin!()).to_owned();
    if !query.states.is_empty() {
        let states = quoted(query.states.iter().map(|state| state.word()));
        sql.push_str(&format!(" AND d.state IN ({states})"));
        // What is on its way is found without a walk through all that ever was.
        if query.states.iter().all(|state: &DeliveryState| state.is_open()) {
            sql.push_str(&format!(" AND d.{IS_OPEN}"));
        }
    }
    if let Some(key) = &query.case {
        values.push(Arg::from(key));
        let at = values.len();
        sql.push_str(&format!(
            " AND d.case_id = (SELECT c.id FROM cases c WHERE c.{} AND c.key = ${at})",
            of_origin!()
        ));
    }
    if let Some(id) = query.decision {
        values.push(Arg::from(id));
        sql.push_str(&format!(" AND d.id = ${}", values.len()));
    }
    sql.push_str(" ORDER BY d.seq DESC LIMIT $2");
    sql
}
