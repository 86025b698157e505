//! The stage that the tests of outbox and intake play on: the simulator, the real client, a store,
//! a clock turned by hand, and workers that die where a test says so.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use secondlook::didit::{self, Client};
use secondlook::domain::{
    Bands, Case, CaseState, Clock, Decision, DecisionId, DeliveryState, Disposition, Explained,
    Figures, Millis, Origin, Parked, Past, Receipt, Reviewer, ReviewerId, SessionId, SubjectKind,
    Tally, Target, Unreadable, WorkerId,
};
use secondlook::outbox::{Attempt, Limits, deliver_one};
use secondlook::roster::Enacted;
use secondlook::sim::{Effect, Fault, Kind, On, Options, Reply, Route, Sim, World};
use secondlook::store::{
    self, Admitted, AuditHead, AuditRow, AuditSignature, CallsAsked, CallsGranted, Cases, Counted,
    Decisions, Deliveries, Delivery, Evidence, HistoryQuery, HistoryRow, Holder, Kept, Lease,
    LeaseAnswer, Leases, Login, Looked, NewAct, News, PassedOver, Progress, QueuePage, QueueQuery,
    QueueRow, Result, Retried, SeenWorkflow, Settled, Store, Team, Testimony, Undone,
};
use tokio::sync::Notify;
use uuid::Uuid;

/// When the tests begin: 2026-11-20 00:00 UTC.
pub const START: i64 = 1_795_132_800_000;
/// How long a claim of a test's worker lasts.
pub const CLAIM: i64 = 90_000;
/// Long enough for anything that happens on loopback; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Which store a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Memory,
    Sqlite,
}

/// Everything a test needs.
pub struct Stage {
    pub sim: Sim,
    pub client: Client,
    pub store: Arc<dyn Store>,
    pub clock: Arc<HandClock>,
    pub origin: Origin,
    _folder: tempfile::TempDir,
}

pub fn world() -> World {
    World::new(jiff::Timestamp::from_millisecond(START).unwrap())
}

pub fn reviewer(name: &str) -> Reviewer {
    Reviewer { id: ReviewerId(format!("os:{name}")), name: name.to_owned() }
}

pub fn worker(name: &str) -> WorkerId {
    WorkerId(name.to_owned())
}

pub fn key_of(session: Uuid) -> SessionId {
    SessionId::parse(&session.to_string()).unwrap()
}

/// An answer with this status and nothing to read.
pub fn answer(status: u16) -> Fault {
    Fault::Answer(Reply::json(status, serde_json::json!({ "detail": "As the test says." })))
}

impl Stage {
    pub async fn new(backend: Backend, world: World) -> Self {
        Self::with(backend, world, Options::default()).await
    }

    pub async fn with(backend: Backend, world: World, options: Options) -> Self {
        let options = Options { limits: secondlook::sim::Limits::none(), ..options };
        let sim = Sim::start(world, options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = match backend {
            Backend::Memory => "memory:".to_owned(),
            Backend::Sqlite => format!("sqlite:{}", folder.path().join("store.db").display()),
        };
        let store = store::open(&url).await.unwrap();
        let client = client(sim.base_url(), sim.api_key());
        let origin = client.origin(&store.salt().await.unwrap());
        Self { sim, client, store, clock: HandClock::at(START), origin, _folder: folder }
    }

    /// Makes the next request of a route meet a fault.
    pub fn once(&self, route: Route, fault: Fault) {
        self.sim.knobs().once(On::route(route), fault);
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Takes a session in and decides it, due at once. A blocklist's target is the subject.
    pub async fn decide(&self, session: Uuid, disposition: Disposition, by: &str) -> Decision {
        self.decide_with(session, disposition, by, |_| ()).await
    }

    pub async fn decide_with(
        &self,
        session: Uuid,
        disposition: Disposition,
        by: &str,
        change: impl FnOnce(&mut Decision),
    ) -> Decision {
        let (key, now) = (key_of(session), self.now());
        let sim = self.sim.session(session).unwrap();
        let kind = match sim.kind {
            Kind::Workflow => SubjectKind::Workflow,
            Kind::Api(_) => SubjectKind::SavedSearch,
        };
        let case = Case {
            key: key.clone(),
            session_number: Some(sim.number),
            kind,
            status: sim.status.as_str().into(),
            created_at: Some(now),
            candidates: Vec::new(),
            set_aside: 0,
            total_matches: None,
        };
        let target = Target {
            session_id: key.clone(),
            session_number: Some(sim.number),
            is_subject: true,
            approved: false,
        };
        let mut decision = Decision {
            id: DecisionId(Uuid::now_v7()),
            case: key.clone(),
            session_number: Some(sim.number),
            kind,
            disposition,
            judgements: Vec::new(),
            reason: None,
            comment: None,
            target: (disposition == Disposition::Blocklist).then_some(target),
            reviewer: reviewer(by),
            seen_status: case.status.clone(),
            at: now,
            receipt: Receipt::default(),
            replaces: None,
            answers: None,
            evidence: Vec::new(),
            workflow: None,
            signature: None,
        };
        change(&mut decision);
        let holder = Holder { reviewer: reviewer(by), worker: worker("console") };
        self.store.admit(&self.origin, &case, CaseState::Open, now, now).await.unwrap();
        let lease = self.store.lease(&self.origin, &key, &holder, now, CLAIM).await.unwrap();
        let LeaseAnswer::Yours(lease) = lease else { panic!("{lease:?}") };
        self.store.decide(&lease, &decision, now, now).await.unwrap();
        decision
    }

    pub async fn take(&self, as_worker: &str, by: &str) -> Option<Delivery> {
        let (who, worker) = (reviewer(by).id, worker(as_worker));
        self.store.take(&self.origin, &worker, &who, self.now(), CLAIM).await.unwrap()
    }

    pub async fn deliver(&self, delivery: &Delivery) -> Attempt {
        self.deliver_on(self.store.as_ref(), delivery).await
    }

    pub async fn deliver_on(&self, store: &dyn Store, delivery: &Delivery) -> Attempt {
        let clock = self.clock.as_ref();
        deliver_one(store, &self.client, clock, &Limits::default(), delivery, None).await.unwrap()
    }

    /// Takes the next delivery of `by` and makes one attempt.
    pub async fn attempt(&self, by: &str) -> Settled {
        let delivery = self.take("console", by).await.expect("something is due");
        match self.deliver(&delivery).await {
            Attempt::Settled { settled, .. } => settled,
            Attempt::ClaimLost => panic!("the claim was lost"),
        }
    }

    /// Turns the clock past every claim and wait, again and again, until nothing is on its way.
    /// Returns what came of it in the end.
    pub async fn finish(&self, by: &str) -> Settled {
        for _ in 0..10 {
            self.clock.turn(CLAIM + 1);
            match self.attempt(by).await {
                Settled::Later { at, .. } => self.clock.turn(at.since(self.now()).max(0)),
                settled => return settled,
            }
        }
        panic!("it is never done");
    }

    pub async fn row(&self, decision: DecisionId) -> HistoryRow {
        let query = HistoryQuery { decision: Some(decision), ..HistoryQuery::default() };
        self.store.history(&self.origin, &query).await.unwrap().rows.remove(0)
    }

    pub async fn state(&self, decision: &Decision) -> DeliveryState {
        self.row(decision.id).await.state
    }

    /// All requests so far.
    pub fn calls(&self) -> Vec<Route> {
        self.sim.record().into_iter().filter_map(|r| r.route).collect()
    }

    pub fn count(&self, route: Route) -> usize {
        self.calls().into_iter().filter(|r| *r == route).count()
    }

    /// What was really changed of a session by this program, in a word each.
    pub fn changed(&self, session: Uuid) -> Vec<String> {
        let word = |effect: Effect| match effect {
            Effect::Status { to, by, .. } if by == "API Client" => Some(to),
            Effect::Blocklisted { item, automatic: false, .. } => Some(format!("listed {item}")),
            Effect::EntryAdded { .. } => Some("entry".to_owned()),
            Effect::Note { .. } => Some("note".to_owned()),
            _ => None,
        };
        self.sim.effects_on(session).into_iter().filter_map(word).collect()
    }
}

/// A client that gives up soon.
pub fn client(base: &str, key: &str) -> Client {
    let settings = didit::Settings {
        timeout: Duration::from_secs(5),
        reads_per_minute: 1_000_000,
        writes_per_minute: 1_000_000,
        ..didit::Settings::new(base.parse().unwrap(), key.to_owned().into())
    };
    Client::new(settings).unwrap()
}

/// A clock that stands until a test turns it.
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }

    pub fn turn(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

/// A future that is dropped after so many polls: a process that dies at an await.
pub struct Mortal<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u32,
}

impl<F: Future> Mortal<F> {
    pub fn new(inner: F, polls: u32) -> Self {
        Self { inner: Some(Box::pin(inner)), polls }
    }
}

impl<F: Future> Future for Mortal<F> {
    /// `None` when it died.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.inner = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let poll = inner.as_mut().poll(cx).map(Some);
        if poll.is_pending() && self.polls == 0 {
            self.inner = None;
            return Poll::Ready(None);
        }
        poll
    }
}

/// When a worker dies at the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before the verb took effect.
    Before,
    /// After it took effect.
    After,
    /// After it took effect, of a fault with these words.
    Fault(&'static str),
}

/// A store whose user stops at the n-th verb of a delivery, and `died` tells the test so: that the
/// time has come to drop the worker, or to let it go on late.
pub struct DeadlyStore {
    inner: Arc<dyn Store>,
    left: AtomicI64,
    death: Death,
    pub died: Notify,
    /// Told, the stopped one goes on where it stood.
    pub wake: Notify,
}

impl DeadlyStore {
    pub fn new(inner: Arc<dyn Store>, verbs: i64, death: Death) -> Self {
        Self { inner, left: AtomicI64::new(verbs), death, died: Notify::new(), wake: Notify::new() }
    }

    async fn verb<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        if self.left.fetch_sub(1, Ordering::SeqCst) != 0 {
            return call.await;
        }
        let stop = async {
            self.died.notify_one();
            self.wake.notified().await;
        };
        match self.death {
            Death::Before => {
                stop.await;
                call.await
            }
            Death::After => {
                let answer = call.await;
                stop.await;
                answer
            }
            Death::Fault(words) => {
                let _ = call.await;
                panic!("{words}");
            }
        }
    }
}

#[async_trait]
impl Looked for DeadlyStore {
    async fn passed_over(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        rule: &str,
        now: Millis,
    ) -> Result<Vec<PassedOver>> {
        self.inner.passed_over(origin, keys, rule, now).await
    }
    async fn pass_over(
        &self,
        origin: &Origin,
        passed: &PassedOver,
        rule: &str,
        now: Millis,
    ) -> Result<()> {
        self.inner.pass_over(origin, passed, rule, now).await
    }
    async fn take_up(&self, origin: &Origin, key: &SessionId) -> Result<()> {
        self.inner.take_up(origin, key).await
    }
    async fn forget_passed(&self, origin: &Origin, before: Millis) -> Result<u64> {
        self.inner.forget_passed(origin, before).await
    }
    async fn explained(&self, origin: &Origin) -> Result<Vec<(Explained, u64)>> {
        self.inner.explained(origin).await
    }
    async fn place_in(&self, origin: &Origin, list: &str) -> Result<Option<String>> {
        self.inner.place_in(origin, list).await
    }
    async fn keep_place(&self, origin: &Origin, list: &str, record: &str) -> Result<()> {
        self.inner.keep_place(origin, list, record).await
    }
}

#[async_trait]
impl Cases for DeadlyStore {
    async fn touch(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        listed_at: Millis,
        now: Millis,
    ) -> Result<Vec<SessionId>> {
        self.inner.touch(origin, keys, listed_at, now).await
    }
    async fn admit(
        &self,
        origin: &Origin,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Result<Admitted> {
        self.inner.admit(origin, case, state, read_at, now).await
    }
    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>> {
        self.inner.unseen(origin, before, limit).await
    }
    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.inner.depart(origin, key, why, now).await
    }
    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage> {
        self.inner.queue(origin, query, now).await
    }
    async fn rank(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        key: &SessionId,
    ) -> Result<Option<u64>> {
        self.inner.rank(origin, query, key).await
    }
    async fn case(
        &self,
        origin: &Origin,
        key: &SessionId,
        now: Millis,
    ) -> Result<Option<QueueRow>> {
        self.inner.case(origin, key, now).await
    }
    async fn known(&self, origin: &Origin, keys: &[SessionId]) -> Result<Vec<Case>> {
        self.inner.known(origin, keys).await
    }
    async fn tally(&self, origin: &Origin) -> Result<Tally> {
        self.inner.tally(origin).await
    }
}

#[async_trait]
impl Leases for DeadlyStore {
    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer> {
        self.inner.lease(origin, key, holder, now, ttl_ms).await
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
        self.inner.lease_next(origin, query, after, holder, now, ttl_ms).await
    }
    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>> {
        self.inner.renew(lease, now, ttl_ms).await
    }
    async fn release(&self, lease: &Lease) -> Result<()> {
        self.inner.release(lease).await
    }
    async fn watch(
        &self,
        origin: &Origin,
        key: &SessionId,
        who: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<()> {
        self.inner.watch(origin, key, who, now, ttl_ms).await
    }
    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.inner.look_away(origin, worker).await
    }
    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>> {
        self.inner.workers(now).await
    }
    async fn bury(&self, worker: &WorkerId, now: Millis) -> Result<u64> {
        self.inner.bury(worker, now).await
    }
    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()> {
        self.inner.skip(lease, now).await
    }
}

#[async_trait]
impl Decisions for DeadlyStore {
    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.inner.release_held(origin, decision, by, now).await
    }
    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState> {
        self.inner.decide(lease, decision, held_until, now).await
    }
    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone> {
        self.inner.undo(origin, decision, reviewer, now).await
    }
    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool> {
        self.inner.void(origin, proposal, why, now).await
    }
    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool> {
        self.inner.reopen(origin, decision, by, now).await
    }
    async fn open_rounds(&self, origin: &Origin) -> Result<Vec<SessionId>> {
        self.inner.open_rounds(origin).await
    }
    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past> {
        self.inner.history(origin, query).await
    }
}

#[async_trait]
impl Deliveries for DeadlyStore {
    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool> {
        self.verb(self.inner.is_ours(delivery, until)).await
    }
    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool> {
        self.verb(self.inner.progress(delivery, progress)).await
    }
    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool> {
        self.verb(self.inner.settle(delivery, settled, now)).await
    }
    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()> {
        self.inner.saw_workflow(origin, seen).await
    }
    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>> {
        self.inner.workflows(origin).await
    }
    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried> {
        self.inner.retry(origin, decision, by, now).await
    }
    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64> {
        self.inner.rewind_held(origin, reviewer, until).await
    }
    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64> {
        self.inner.send_now(origin, reviewer, now).await
    }
    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>> {
        self.inner.take(origin, worker, reviewer, now, ttl_ms).await
    }
    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>> {
        self.inner.next_due(origin, reviewer).await
    }
    async fn park_strays(&self, origin: &Origin, now: Millis) -> Result<Vec<Parked>> {
        self.inner.park_strays(origin, now).await
    }
}

#[async_trait]
impl Testimony for DeadlyStore {
    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>> {
        self.inner.evidence(origin, decision).await
    }
    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>> {
        self.inner.kept(origin, after, limit).await
    }
    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool> {
        self.inner.sign(origin, seq, signature).await
    }
    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>> {
        self.inner.signatures(origin, after, limit).await
    }
    async fn unreadable(&self, origin: &Origin) -> Result<Vec<Unreadable>> {
        self.inner.unreadable(origin).await
    }
    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        self.inner.audit(origin, after, limit).await
    }
    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead> {
        self.inner.audit_head(origin).await
    }
}

#[async_trait]
impl Team for DeadlyStore {
    async fn login(&self) -> Result<Login> {
        self.inner.login().await
    }
    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>> {
        self.inner.acts(origin).await
    }
    async fn elsewhere(&self, origin: &Origin) -> Result<bool> {
        self.inner.elsewhere(origin).await
    }
    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted> {
        self.inner.enact(origin, act, now).await
    }
    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool> {
        self.inner.take_duty(origin, worker, now, ttl_ms).await
    }
    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()> {
        self.inner.leave_duty(origin, worker).await
    }
    async fn grant(
        &self,
        origin: &Origin,
        asked: &CallsAsked,
        now: Millis,
    ) -> Result<CallsGranted> {
        self.inner.grant(origin, asked, now).await
    }
}

#[async_trait]
impl Counted for DeadlyStore {
    async fn figures(&self, origin: &Origin, bands: &Bands) -> Result<Figures> {
        self.inner.figures(origin, bands).await
    }
}

#[async_trait]
impl Store for DeadlyStore {
    fn describe(&self) -> String {
        self.inner.describe()
    }
    async fn salt(&self) -> Result<[u8; 32]> {
        self.inner.salt().await
    }
    async fn keeps(&self) -> Result<()> {
        self.inner.keeps().await
    }
    async fn origins(&self) -> Result<Vec<Origin>> {
        self.inner.origins().await
    }
    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool> {
        self.inner.rebind(from, to, now).await
    }
    fn news(&self, origin: &Origin) -> Box<dyn News> {
        self.inner.news(origin)
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}
