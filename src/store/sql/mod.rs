//! The store in a database, SQLite or PostgreSQL: every verb is one transaction that loads rows,
//! asks their rules ([`crate::store::row`]) and saves them. The statements are the same text for
//! both; what differs is in `engine`.

mod copy;
mod engine;
mod looked;
mod news;
mod postgres;
mod rows;
mod schema;
mod sqlite;
mod statements;
mod unreadable;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::engine::{Arg, Engine, Tx, args};
use self::rows::word;
use super::audit::Audited;
use super::row::{CaseRow, may_be_second, may_enter, needs_call};
use super::{
    Admitted, AuditHead, AuditRow, AuditSignature, CallsAsked, CallsGranted, Delivery, Evidence,
    HistoryQuery, Holder, Kept, Lease, LeaseAnswer, Login, NewAct, News, Parked, Past, Progress,
    QueuePage, QueueQuery, QueueRow, Result, Retried, SeenWorkflow, Settled, Store, StoreError,
    Taken, Undone, Unreadable,
};
use crate::domain::{
    Case, CaseState, Decision, DecisionId, DeliveryState, Millis, Origin, ParkedAs, ReviewerId,
    RowKind, SessionId, Tally, WorkerId,
};
use crate::roster::{Enacted, Roster, Scope};

/// A store in a database.
pub struct SqlStore {
    engine: Engine,
    place: String,
    salt: [u8; 32],
    /// Decisions, by their numbers, that cannot be read and cannot be ended either: told once, and passed over.
    passed: Mutex<BTreeSet<i64>>,
}

/// Which database an address names.
enum Address<'a> {
    File(&'a Path),
    Server(&'a str),
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(Path::new(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Server(url));
        }
        Err(StoreError::BadUrl)
    }
}

/// How soon a file that is held by another process is tried again.
const AGAIN: Duration = Duration::from_millis(25);
/// How many keys one statement of `touch` asks about.
const AT_ONCE: usize = 256;

impl SqlStore {
    /// Opens a SQLite file, or makes it (mode 0600, its folder 0700).
    ///
    /// # Errors
    /// [`StoreError::Permissions`] when others may read the file, [`StoreError::NotAStore`] when it
    /// is something else, [`StoreError::Newer`] when a later version made it; the file is as it was.
    /// [`StoreError::Busy`] when another process holds it for longer than ten seconds.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        // The first and the last connection to a file hold all of it for a moment, and SQLite does
        // not wait for that by itself.
        let patient = async {
            loop {
                match Self::file(path).await {
                    Err(StoreError::Busy(_)) => tokio::time::sleep(AGAIN).await,
                    done => return done,
                }
            }
        };
        let late = |_| Err(StoreError::Busy("another process holds the file".to_owned()));
        tokio::time::timeout(engine::LOCK * 2, patient).await.unwrap_or_else(late)
    }

    /// Opens the database at an address, or makes it.
    ///
    /// # Errors
    /// As [`SqlStore::sqlite`] and [`SqlStore::postgres`].
    pub async fn at(url: &str) -> Result<Self> {
        match Address::of(url)? {
            Address::File(path) => Self::sqlite(path).await,
            Address::Server(url) => Self::postgres(url).await,
        }
    }

    /// Opens the database at an address where a store has to be.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] when there is none; nothing is made then.
    pub async fn there(url: &str) -> Result<Self> {
        let nothing = |place: String| StoreError::NotAStore {
            path: place,
            why: "there is nothing".to_owned(),
        };
        match Address::of(url)? {
            Address::File(path) if path.exists() => Self::sqlite(path).await,
            Address::File(path) => Err(nothing(path.display().to_string())),
            Address::Server(url) => {
                let (engine, place) = postgres::connect(url).await?;
                match schema::is_made(&engine).await {
                    Ok(true) => Self::ready(engine, place).await,
                    made => {
                        engine.close().await;
                        Err(made.err().unwrap_or_else(|| nothing(place)))
                    }
                }
            }
        }
    }

    /// Tells the owner of the store from its reviewers; see [`crate::store::make_roles`].
    pub(super) async fn make_roles(&self) -> Result<()> {
        self.engine.write(schema::make_roles).await
    }

    /// Carries everything over; see [`crate::store::copy`].
    pub(super) async fn copy_into(&self, to: &Self, now: Millis) -> Result<super::Copied> {
        self.engine
            .read(async |from| {
                let at_work = copy::at_work(from, now).await?;
                if at_work > 0 {
                    return Err(StoreError::InUse(at_work));
                }
                to.engine.write(async |to| copy::copy(from, to, self.salt).await).await
            })
            .await
    }

    async fn file(path: &Path) -> Result<Self> {
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
            Ok(salt) => Ok(Self { engine, place, salt, passed: Mutex::default() }),
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
        self.engine
            .write(async |tx| {
                let Some(mut kept) = rows::case(tx, origin, key).await? else { return Ok(None) };
                let before = (kept.row.lease.clone(), kept.row.fence);
                let answer = change(&mut kept.row);
                if before != (kept.row.lease.clone(), kept.row.fence) {
                    rows::save_lease(tx, &kept).await?;
                }
                let worker = |lease: &Option<Taken>| lease.as_ref().map(|l| l.worker.clone());
                // A renewal is no news.
                if worker(&before.0) != worker(&kept.row.lease) {
                    tx.announce(origin).await?;
                }
                Ok(Some(answer))
            })
            .await
    }

    /// What signatures in this store hold for.
    fn scope(&self, origin: &Origin) -> Scope {
        Scope::of(&self.salt, origin)
    }

    /// Ends a claimed decision that the audit does not stand behind, and opens its case again.
    async fn settle_unproven(
        &self,
        delivery: &Delivery,
        settled: &Settled,
        now: Millis,
    ) -> Result<bool> {
        let (origin, id) = (&delivery.origin, delivery.decision.id);
        self.engine
            .write(async |tx| {
                let (case, kept) = match rows::case_of(tx, origin, id).await {
                    Ok(found) => found.unzip(),
                    // A case that cannot be read stays as it is.
                    Err(StoreError::Corrupt(_)) => (None, rows::decision(tx, origin, id).await?),
                    Err(error) => return Err(error),
                };
                let kept = kept.filter(|kept| kept.row.is_claimed_by(delivery));
                let Some(mut kept) = kept else { return Ok(false) };
                kept.row.settle(settled, now);
                rows::save_decision(tx, &kept).await?;
                if let Some(mut case) = case {
                    case.row.open_after_unproven(&kept.row.row.decision);
                    rows::save_case(tx, &case).await?;
                    rows::save_lease(tx, &case).await?;
                }
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::Settled, &kept.row.row, now).await?;
                Ok(true)
            })
            .await
    }

    fn passed(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a decision that cannot be read; one that cannot be ended is passed over from here on. `None` when
    /// somebody else has ended it.
    async fn park(
        &self,
        origin: &Origin,
        seq: i64,
        named: Unreadable,
        now: Millis,
    ) -> Result<Option<Parked>> {
        let parked = self.engine.write(async |tx| unreadable::park(tx, origin, seq, now).await);
        let left = match parked.await {
            Ok(parked) if !matches!(&parked, Some(Parked { how: ParkedAs::Left(_), .. })) => {
                return Ok(parked);
            }
            Ok(parked) => parked,
            Err(error @ (StoreError::Busy(_) | StoreError::Full)) => return Err(error),
            Err(error) => Some(Parked { row: named, how: ParkedAs::Left(error.to_string()) }),
        };
        self.passed().insert(seq);
        Ok(left)
    }

    /// Loads a claimed decision, changes it and saves it; false when the claim is not ours.
    async fn change_claimed(
        &self,
        delivery: &Delivery,
        change: impl FnOnce(&mut super::row::DecisionRow) + Send,
    ) -> Result<bool> {
        self.engine
            .write(async |tx| {
                let found = rows::decision(tx, &delivery.origin, delivery.decision.id).await?;
                let Some(mut kept) = found.filter(|kept| kept.row.is_claimed_by(delivery)) else {
                    return Ok(false);
                };
                change(&mut kept.row);
                rows::save_decision(tx, &kept).await?;
                let row = &kept.row.row;
                if let Some(at) = row.settled_at.filter(|_| !row.state.is_open()) {
                    tx.announce(&delivery.origin).await?;
                    rows::record(tx, &delivery.origin, Audited::Settled, row, at).await?;
                }
                Ok(true)
            })
            .await
    }
}

/// The filter is the last value, where there is one.
fn with_filter(mut args: Vec<Arg>, query: &QueueQuery) -> Vec<Arg> {
    if !query.filter.is_empty() {
        args.push(Arg::from(query.filter.as_str()));
    }
    args
}

/// The sum of the counts of an answer.
fn sum(counts: &[engine::Row]) -> u64 {
    // A count that is none is of a state that nobody sees.
    let counts = counts.iter().filter_map(|row| u64::try_from(row.int("n").ok()?).ok());
    counts.fold(0, u64::saturating_add)
}

/// Leases the first case behind a place that `lease` gives; passes over those that it does not.
async fn first_free(
    tx: &mut Tx,
    origin: &Origin,
    query: &QueueQuery,
    state: CaseState,
    mut behind: (Millis, String),
    lease: impl Fn(&mut CaseRow) -> LeaseAnswer,
    now: Millis,
) -> Result<Option<Lease>> {
    loop {
        let values = with_filter(args![origin, behind.0, behind.1.clone(), now], query);
        let found = tx.row(statements::next_free(tx, query, state), values).await?;
        let Some(row) = found else { return Ok(None) };
        let mut kept = match rows::kept_case(&row) {
            Ok(kept) => kept,
            // One that cannot be read is passed over.
            Err(StoreError::Corrupt(_)) => {
                let next = match (row.int("place"), row.text("key")) {
                    (Ok(place), Ok(key)) => (Millis(place), key),
                    (Ok(place), Err(_)) => (Millis(place).plus(1), String::new()),
                    (Err(_), _) => return Ok(None),
                };
                if next <= behind {
                    return Ok(None);
                }
                behind = next;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let LeaseAnswer::Yours(lease) = lease(&mut kept.row) {
            rows::save_lease(tx, &kept).await?;
            tx.announce(origin).await?;
            return Ok(Some(lease));
        }
        behind = (kept.row.place, kept.row.case.key.as_str().to_owned());
    }
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

    async fn lease_next(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        after: Option<&SessionId>,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Lease>> {
        self.engine
            .write(async |tx| {
                let front = (Millis(i64::MIN), String::new());
                let mut behind = front.clone();
                if let Some(key) = after {
                    let values = with_filter(args![origin, key], query);
                    if let Some(row) = tx.row(statements::place(query), values).await? {
                        behind = (Millis(row.int("place")?), key.as_str().to_owned());
                    }
                }
                let mut begins = vec![behind.clone()];
                if behind != front {
                    begins.push(front);
                }
                for state in &query.states {
                    for begin in &begins {
                        let leased = first_free(
                            tx,
                            origin,
                            query,
                            *state,
                            begin.clone(),
                            |row| row.lease(origin, holder, now, ttl_ms),
                            now,
                        );
                        if let Some(lease) = leased.await? {
                            return Ok(Some(lease));
                        }
                    }
                }
                Ok(None)
            })
            .await
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

    async fn watch(
        &self,
        origin: &Origin,
        key: &SessionId,
        who: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<()> {
        let Holder { reviewer, worker } = who;
        self.engine
            .write(async |tx| {
                let before = tx.row(statements::WATCHED, args![worker, now]).await?;
                let before = before.map(|row| row.lossy("key"));
                tx.run(statements::FORGET_WATCHERS, args![origin, now]).await?;
                let until = now.plus(ttl_ms);
                let values =
                    args![origin, key, worker, &reviewer.id, reviewer.name.as_str(), until];
                tx.run(statements::WATCH, values).await?;
                if before.as_deref() != Some(key.as_str()) {
                    tx.announce(origin).await?;
                }
                Ok(())
            })
            .await
    }

    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.engine
            .write(async |tx| {
                if tx.run(statements::LOOK_AWAY, args![worker]).await? > 0 {
                    tx.announce(origin).await?;
                }
                Ok(())
            })
            .await
    }

    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>> {
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::WORKERS, args![now]).await?;
                let mut workers: Vec<_> =
                    found.iter().filter_map(|row| row.text("worker").ok()).map(WorkerId).collect();
                workers.sort_unstable();
                Ok(workers)
            })
            .await
    }

    async fn bury(&self, worker: &WorkerId, _now: Millis) -> Result<u64> {
        self.engine
            .write(async |tx| {
                let mut ended = 0;
                for sql in [
                    statements::BURY_LEASES,
                    statements::BURY_CLAIMS,
                    statements::LOOK_AWAY,
                    statements::BURY_DUTY,
                ] {
                    ended += tx.run(sql, args![worker]).await?;
                }
                if ended > 0 {
                    tx.announce_to_all().await?;
                }
                Ok(ended)
            })
            .await
    }

    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()> {
        self.engine
            .write(async |tx| {
                let found = rows::case(tx, &lease.origin, &lease.case).await?;
                let mut kept = found.ok_or(StoreError::LostLease)?;
                let last = tx.row(statements::last_place(), args![&lease.origin]).await?;
                let last = last.map(|row| row.maybe_int("last")).transpose()?.flatten();
                kept.row.skip(lease, Millis(last.unwrap_or(i64::MIN)), now)?;
                rows::save_case(tx, &kept).await?;
                rows::save_lease(tx, &kept).await?;
                tx.announce(&lease.origin).await?;
                Ok(())
            })
            .await
    }

    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState> {
        self.engine
            .write(async |tx| {
                schema::still_known(tx).await?;
                let origin = &lease.origin;
                let found = rows::case(tx, origin, &lease.case).await?;
                let mut kept = found.ok_or(StoreError::LostLease)?;
                let mut proposal = rows::proposal(tx, origin, kept.id).await?;
                if kept.row.state == CaseState::Escalated {
                    let acts = rows::acts(tx, origin).await?;
                    let roster = Roster::of(&self.scope(origin), &acts);
                    let waits = proposal.as_ref().map(|proposal| &proposal.row.row.decision);
                    may_be_second(&roster, decision, waits)?;
                }
                let waits = proposal.as_mut().map(|proposal| &mut proposal.row);
                let decided = kept.row.decide(lease, decision, waits, held_until, now)?;
                rows::insert_decision(tx, kept.id, &decided).await?;
                rows::prove(tx, origin, decision, now).await?;
                rows::save_case(tx, &kept).await?;
                rows::save_lease(tx, &kept).await?;
                if let Some(answered) = &proposal {
                    rows::save_decision(tx, answered).await?;
                }
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::of(&decided.row), &decided.row, now).await?;
                if let Some(answered) = &proposal {
                    rows::record(tx, origin, Audited::Settled, &answered.row.row, now).await?;
                }
                Ok(decided.row.state)
            })
            .await
    }

    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.engine
            .write(async |tx| {
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Undone::Unknown);
                };
                let newest = rows::newest(tx, case.id).await?;
                let waits = case.row.lets_go(decision, newest.as_ref(), now);
                let undone = kept.row.undo(reviewer, waits, now);
                if !matches!(undone, Undone::TakenBack(_)) {
                    return Ok(undone);
                }
                case.row.put_back(&kept.row);
                rows::save_decision(tx, &kept).await?;
                rows::save_case(tx, &case).await?;
                let mut answered = match kept.row.row.decision.answers {
                    Some(id) => rows::decision(tx, origin, id).await?,
                    None => None,
                };
                if let Some(proposal) = &mut answered {
                    proposal.row.propose_again();
                    rows::save_decision(tx, proposal).await?;
                }
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::Undone, &kept.row.row, now).await?;
                if let Some(proposal) = &answered {
                    rows::record(tx, origin, Audited::Proposed, &proposal.row.row, now).await?;
                }
                Ok(undone)
            })
            .await
    }

    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.engine
            .write(async |tx| {
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, proposal).await? else {
                    return Ok(false);
                };
                if !kept.row.void(why, now) {
                    return Ok(false);
                }
                case.row.put_back(&kept.row);
                rows::save_decision(tx, &kept).await?;
                rows::save_case(tx, &case).await?;
                tx.announce(origin).await?;
                rows::record(tx, origin, Audited::Settled, &kept.row.row, now).await?;
                Ok(true)
            })
            .await
    }

    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool> {
        self.engine
            .write(async |tx| {
                let Some((mut kept, of)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(false);
                };
                let newest = rows::newest(tx, kept.id).await?;
                let opens = kept.row.reopen(decision, newest, now);
                if opens {
                    rows::save_case(tx, &kept).await?;
                    rows::save_lease(tx, &kept).await?;
                    tx.announce(origin).await?;
                    rows::record_by(tx, origin, Some(by), Audited::Reopened, &of.row.row, now)
                        .await?;
                }
                Ok(opens)
            })
            .await
    }

    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried> {
        self.engine
            .write(async |tx| {
                schema::still_known(tx).await?;
                let Some((case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Retried::Unknown);
                };
                let newest = rows::newest(tx, case.id).await?;
                let rests = case.row.rests_on(decision, newest.as_ref());
                let was = kept.row.row.state;
                let retried = kept.row.retry(by, rests, now);
                if matches!(retried, Retried::Due(_)) {
                    rows::save_decision(tx, &kept).await?;
                    tx.announce(origin).await?;
                    if was == DeliveryState::Refused {
                        let row = &kept.row.row;
                        rows::record_by(tx, origin, Some(by), Audited::Retried, row, now).await?;
                    }
                }
                Ok(retried)
            })
            .await
    }

    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        self.engine
            .write(async |tx| {
                let rewound =
                    tx.run(statements::REWIND_HELD, args![origin, reviewer, until]).await?;
                Ok(rewound)
            })
            .await
    }

    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        self.engine
            .write(async |tx| {
                let due = tx.run(statements::SEND_NOW, args![origin, reviewer, now]).await?;
                Ok(due)
            })
            .await
    }

    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        let passed = self.passed().clone();
        let met = self.engine.write(async |tx| {
            schema::still_known(tx).await?;
            let sql = statements::take(tx, &passed);
            let Some(row) = tx.row(sql, args![origin, now, reviewer]).await? else {
                return Ok(None);
            };
            let mut kept = match rows::kept_decision(&row) {
                Ok(kept) => kept,
                Err(StoreError::Corrupt(why)) => {
                    let named = Unreadable::new(RowKind::Decision, &row.lossy("id"), &why);
                    return Ok(Some(Err((row.int("seq")?, named))));
                }
                Err(error) => return Err(error),
            };
            // Nothing is begun whose end could not be entered.
            rows::audit_goes_on(tx, origin).await?;
            let delivery = kept.row.take(origin, worker, now.plus(ttl_ms));
            rows::save_decision(tx, &kept).await?;
            Ok(Some(Ok(delivery)))
        });
        let (seq, named) = match met.await? {
            None => return Ok(None),
            Some(Ok(delivery)) => return Ok(Some(delivery)),
            Some(Err(met)) => met,
        };
        match self.park(origin, seq, named.clone(), now).await? {
            Some(parked) => Err(StoreError::Parked(Box::new(parked))),
            // Somebody else was faster; what is due comes with the next call.
            None => {
                let how = ParkedAs::Ended;
                Err(StoreError::Parked(Box::new(Parked { row: named, how })))
            }
        }
    }

    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        self.engine
            .read(async |tx| {
                let values = args![&delivery.origin, delivery.decision.id];
                let Some(row) = tx.row(statements::DECISION, values).await? else {
                    return Ok(false);
                };
                let row = rows::kept_decision(&row)?.row;
                let runs = row.claim.as_ref().is_some_and(|claim| claim.until >= until);
                Ok(runs && row.is_claimed_by(delivery))
            })
            .await
    }

    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        self.change_claimed(delivery, |row| row.row.progress = *progress).await
    }

    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        if let Settled::Unproven { .. } = settled {
            return self.settle_unproven(delivery, settled, now).await;
        }
        self.change_claimed(delivery, |row| row.settle(settled, now)).await
    }

    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        let passed = self.passed().clone();
        self.engine
            .read(async |tx| {
                let row = tx.row(statements::next_due(&passed), args![origin, reviewer]).await?;
                Ok(row.map(|row| row.maybe_int("due")).transpose()?.flatten().map(Millis))
            })
            .await
    }

    async fn park_strays(&self, origin: &Origin, now: Millis) -> Result<Vec<Parked>> {
        let passed = self.passed().clone();
        let found = self.engine.read(async |tx| tx.rows(statements::strays(), args![origin]).await);
        let mut parked = Vec::new();
        for row in found.await? {
            let seq = row.int("seq")?;
            let named =
                Unreadable::new(RowKind::Decision, &row.lossy("id"), "its state is no word");
            if !passed.contains(&seq) {
                parked.extend(self.park(origin, seq, named, now).await?);
            }
        }
        Ok(parked)
    }

    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past> {
        let limit = query.limit.map_or(i64::MAX, i64::from);
        let mut values = args![origin, limit];
        values.extend(query.case.as_ref().map(Arg::from));
        values.extend(query.decision.map(Arg::from));
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::history(query), values).await?;
                let past = |row: &engine::Row| Ok(rows::kept_decision(row)?.row.row);
                let (rows, unreadable) = rows::apart(&found, past, (RowKind::Decision, "id"))?;
                Ok(Past { rows, unreadable })
            })
            .await
    }

    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::AUDIT, values).await?;
                // Behind what has no place nothing could be read on.
                let placed = found.iter().filter(|row| row.int("seq").is_ok());
                Ok(placed.map(rows::audit_row).collect())
            })
            .await
    }

    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead> {
        self.engine.read(async |tx| rows::audit_head(tx, origin, false).await).await
    }

    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()> {
        let SeenWorkflow { workflow, lists, at } = seen;
        self.engine
            .write(async |tx| {
                let values = args![origin, workflow.as_str(), *lists, *at];
                tx.run(statements::SAW_WORKFLOW, values).await.map(drop)
            })
            .await
    }

    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>> {
        self.engine
            .read(async |tx| {
                let found = tx.rows(statements::WORKFLOWS, args![origin]).await?;
                Ok(found.iter().filter_map(|row| rows::seen_workflow(row).ok()).collect())
            })
            .await
    }

    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        self.engine
            .write(async |tx| {
                let signed = tx.run(statements::SIGN, args![origin, seq, signature]).await?;
                Ok(signed > 0)
            })
            .await
    }

    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::SIGNATURES, values).await?;
                // Behind what has no place nothing could be read on.
                let placed = found.iter().filter(|row| row.int("seq").is_ok());
                Ok(placed.map(rows::audit_signature).collect())
            })
            .await
    }

    async fn login(&self) -> Result<Login> {
        self.engine.read(async |tx| rows::login(tx).await).await
    }

    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>> {
        self.engine.read(async |tx| rows::acts(tx, origin).await).await
    }

    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted> {
        let scope = self.scope(origin);
        self.engine
            .write(async |tx| {
                schema::still_known(tx).await?;
                let enacted = rows::enact(tx, &scope, origin, act, now).await?;
                tx.announce(origin).await?;
                Ok(enacted)
            })
            .await
    }

    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>> {
        let scope = self.scope(origin);
        self.engine.read(async |tx| rows::evidence(tx, scope, origin, decision).await).await
    }

    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.engine
            .read(async |tx| {
                let values = args![origin, after, i64::from(limit)];
                let found = tx.rows(statements::KEPT_ALL, values).await?;
                Ok(found.iter().map(rows::kept).collect())
            })
            .await
    }

    async fn unreadable(&self, origin: &Origin) -> Result<Vec<Unreadable>> {
        self.engine.read(async |tx| unreadable::all(tx, origin).await).await
    }

    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.engine
            .write(async |tx| {
                schema::still_known(tx).await?;
                let Some((mut case, mut kept)) = rows::case_of(tx, origin, decision).await? else {
                    return Ok(Undone::Unknown);
                };
                let released = kept.row.release(by, now);
                if matches!(released, Undone::TakenBack(_)) {
                    case.row.put_back(&kept.row);
                    rows::save_decision(tx, &kept).await?;
                    rows::save_case(tx, &case).await?;
                    tx.announce(origin).await?;
                    let row = &kept.row.row;
                    rows::record_by(tx, origin, Some(by), Audited::Released, row, now).await?;
                }
                Ok(released)
            })
            .await
    }

    async fn keeps(&self) -> Result<()> {
        // Both databases write a row anew that is set to what it is.
        let write = async |tx: &mut Tx| tx.run("UPDATE store SET schema = schema", args![]).await;
        self.engine.write(write).await.map(drop)
    }

    async fn origins(&self) -> Result<Vec<Origin>> {
        self.engine.read(async |tx| copy::origins(tx).await).await
    }

    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool> {
        self.engine
            .write(async |tx| {
                let at_work = copy::at_work(tx, now).await?;
                if at_work > 0 {
                    return Err(StoreError::InUse(at_work));
                }
                copy::rename(tx, from, to).await
            })
            .await
    }

    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool> {
        self.engine
            .write(async |tx| {
                tx.run(statements::ADD_ORIGIN, args![origin]).await?;
                let values = args![origin, worker, now.plus(ttl_ms), now];
                Ok(tx.row(statements::TAKE_DUTY, values).await?.is_some())
            })
            .await
    }

    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.engine
            .write(async |tx| tx.run(statements::LEAVE_DUTY, args![origin, worker]).await)
            .await
            .map(drop)
    }

    async fn grant(
        &self,
        origin: &Origin,
        asked: &CallsAsked,
        now: Millis,
    ) -> Result<CallsGranted> {
        self.engine
            .write(async |tx| {
                let mut window = rows::budget(tx, origin, asked.verb).await?;
                let granted = window.grant(asked, now);
                if matches!(granted, CallsGranted::Now(_)) {
                    rows::save_budget(tx, origin, asked.verb, &window).await?;
                }
                Ok(granted)
            })
            .await
    }

    fn news(&self, origin: &Origin) -> Box<dyn News> {
        match &self.engine {
            Engine::Sqlite { readers, path, .. } => {
                Box::new(news::FromFile::new(readers.clone(), path, origin))
            }
            Engine::Postgres { servers, .. } => {
                Box::new(news::FromServer::new(servers.clone(), origin))
            }
        }
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Status, SubjectKind};

    fn origin() -> Origin {
        Origin("https://example.test#1".to_owned())
    }

    fn case(n: u32) -> Case {
        Case {
            key: SessionId::parse(&format!("case-{n}")).unwrap(),
            session_number: None,
            kind: SubjectKind::Workflow,
            status: Status::Other("long enough to fill pages ".repeat(40)),
            created_at: None,
            candidates: Vec::new(),
            set_aside: 0,
            total_matches: None,
        }
    }

    async fn admit(store: &SqlStore, n: u32) -> Result<Admitted> {
        store.admit(&origin(), &case(n), CaseState::Open, Millis(1), Millis(1)).await
    }

    async fn sqlite(folder: &tempfile::TempDir) -> SqlStore {
        SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_leaves_nothing_half_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        let Engine::Sqlite { writer, .. } = &store.engine else { unreachable!() };
        let pages = |n: u32| sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {n}"));
        sqlx::raw_sql(pages(40)).execute(writer).await.unwrap();
        let mut kept = 0;
        let error = loop {
            match admit(&store, kept).await {
                Ok(admitted) => assert_eq!(admitted, Admitted::New),
                Err(error) => break error,
            }
            kept += 1;
        };
        assert!(matches!(error, StoreError::Full), "{error:?}");
        assert!(kept > 0);
        assert_eq!(store.tally(&origin()).await.unwrap().open, u64::from(kept));
        sqlx::raw_sql(pages(4000)).execute(writer).await.unwrap();
        assert_eq!(admit(&store, kept).await.unwrap(), Admitted::New, "room again");
    }

    #[tokio::test]
    async fn a_damaged_row_is_told_without_its_words() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        admit(&store, 1).await.unwrap();
        for damage in [
            "UPDATE cases SET record = replace(record, '\"workflow\"', '\"canary\"')",
            "UPDATE cases SET state = 'canary'",
        ] {
            store.engine.write(async |tx| tx.run(damage, args![]).await).await.unwrap();
        }
        let key = case(1).key;
        let error = store.case(&origin(), &key, Millis(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
        let error = admit(&store, 1).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }

    #[tokio::test]
    async fn the_file_is_written_the_careful_way() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        let Engine::Sqlite { writer, readers, .. } = &store.engine else { unreachable!() };
        for (pragma, value) in [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("busy_timeout", 5000),
            ("temp_store", 2),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
            let found: i64 = sqlx::query_scalar(sql).fetch_one(writer).await.unwrap();
            assert_eq!(found, value, "{pragma}");
        }
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(writer).await.unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(writer.options().get_max_connections(), 1);
        let write = sqlx::raw_sql("DELETE FROM cases").execute(readers).await;
        assert!(write.is_err(), "a reader cannot write");
    }

    #[tokio::test]
    async fn another_writer_is_waited_for_and_then_told() {
        let folder = tempfile::TempDir::new().unwrap();
        let (one, other) = (sqlite(&folder).await, sqlite(&folder).await);
        let error = one.engine.write(async |_| admit(&other, 1).await).await.unwrap_err();
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        assert_eq!(admit(&other, 1).await.unwrap(), Admitted::New);
    }
}
