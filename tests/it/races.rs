//! Two consoles on the same cases, each with a store, a client and an outbox of its own, while a
//! third person decides some of them in the web console: no update is lost unseen, and no case has
//! two decisions of ours.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secondlook::didit::Client;
use secondlook::domain::{
    Case, CaseState, Clock as _, Decision, DecisionId, DeliveryState, Disposition, Holder,
    LeaseAnswer, Origin, Receipt, Status, SubjectKind,
};
use secondlook::outbox::{Outbox, Settings};
use secondlook::shell::SystemClock;
use secondlook::sim::{
    Candidate, Effect, Fault, Limits, On, Options, Route, Session, Sim, World, session_id,
};
use secondlook::store::{self, HistoryQuery, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stage::{PATIENCE, client, key_of, reviewer, worker};
use crate::store::{Bench, TTL};

/// Cases of a race that fits every run; in full there are a thousand, as CONTRIBUTING.md says.
const CASES: u64 = 200;

/// One console without its screen.
struct Console {
    name: &'static str,
    store: Arc<dyn Store>,
    client: Client,
    origin: Origin,
    clock: Arc<SystemClock>,
    chance: fastrand::Rng,
}

impl Console {
    /// Lets the others go on for a random while.
    async fn dawdle(&mut self) {
        for _ in 0..self.chance.u32(..40) {
            tokio::task::yield_now().await;
        }
    }

    /// Goes through all cases in an order of its own and decides those that it gets, which its
    /// outbox sends meanwhile. Returns how many it decided.
    async fn work(mut self, sessions: Vec<Uuid>) -> usize {
        let mut sessions = sessions;
        self.chance.shuffle(&mut sessions);
        let (outbox, stop) = (self.outbox(), CancellationToken::new());
        let (events, nobody) = mpsc::channel(1);
        drop(nobody);
        let running = tokio::spawn({
            let (outbox, stop) = (outbox.clone(), stop.clone());
            async move { outbox.run(events, stop).await }
        });
        let mut decided = 0;
        for session in sessions {
            decided += usize::from(self.decide(session).await);
            outbox.nudge();
        }
        stop.cancel();
        running.await.unwrap();
        outbox.flush(PATIENCE * 3, &CancellationToken::new()).await.unwrap();
        self.store.close().await;
        decided
    }

    async fn decide(&mut self, session: Uuid) -> bool {
        let (key, who) = (key_of(session), reviewer(self.name));
        let holder = Holder { reviewer: who.clone(), worker: worker(self.name) };
        let now = self.clock.now();
        let asked = self.store.lease(&self.origin, &key, &holder, now, TTL).await.unwrap();
        let LeaseAnswer::Yours(lease) = asked else { return false };
        let details = self.client.decision(&key, SubjectKind::Workflow).await.unwrap();
        self.dawdle().await;
        let seen = details.case.status;
        if seen != Status::InReview {
            self.store.depart(&self.origin, &key, "decided elsewhere", now).await.unwrap();
            return false;
        }
        let disposition =
            if self.chance.bool() { Disposition::Approve } else { Disposition::Reject };
        let decision = Decision {
            id: DecisionId(Uuid::now_v7()),
            case: key,
            session_number: details.case.session_number,
            kind: SubjectKind::Workflow,
            disposition,
            judgements: Vec::new(),
            reason: None,
            comment: None,
            target: None,
            reviewer: who,
            seen_status: seen,
            at: self.clock.now(),
            receipt: Receipt::default(),
            replaces: None,
            answers: None,
            evidence: Vec::new(),
            workflow: None,
            signature: None,
        };
        self.dawdle().await;
        let now = self.clock.now();
        self.store.decide(&lease, &decision, now, now).await.unwrap();
        true
    }

    fn outbox(&self) -> Outbox {
        let settings =
            Settings::new(self.origin.clone(), worker(self.name), reviewer(self.name).id);
        let (store, client) = (Arc::clone(&self.store), self.client.clone());
        Outbox::new(store, client, self.clock.clone(), settings)
    }
}

/// The third person: decides a share of the cases at random moments, as the simulator hears of them.
async fn web_console(sim: &Sim, mut sessions: Vec<Uuid>, mut chance: fastrand::Rng) {
    chance.shuffle(&mut sessions);
    let (mut heard, share) = (0, sessions.len() / 5);
    for session in sessions.into_iter().take(share) {
        heard += 1 + chance.usize(..15);
        let enough = |record: &[_]| record.len() >= heard;
        if !sim.until(Duration::from_secs(2), enough).await {
            return;
        }
        let status = if chance.bool() { "Approved" } else { "Declined" };
        let free = sim.session(session).is_some_and(|s| s.status == "In Review");
        if free {
            sim.knobs().decide_elsewhere(session, status, "bo@example.org", None);
        }
    }
}

/// What a race came to.
#[derive(Debug, Default)]
struct Figures {
    decided: usize,
    conflicts: usize,
    overwritten: usize,
    doubled: usize,
    unseen: usize,
}

async fn race(bench: Bench, cases: u64, seed: u64) -> Figures {
    let now = jiff::Timestamp::now();
    let mut world = World::new(now);
    let sessions: Vec<Uuid> = (0..cases)
        .map(|n| world.add(Session::in_review(1001 + n).with(Candidate::session(7, 81.0))))
        .collect();
    let options = Options { limits: Limits::none(), seed, ..Options::default() };
    let sim = Sim::start(world, options).await.unwrap();
    // Just between the last read and the write.
    for status in ["Approved", "Declined"] {
        let fault = Fault::DecidedElsewhere {
            status: status.to_owned(),
            by: "eve@example.org".to_owned(),
            comment: None,
        };
        sim.knobs().sometimes(0.06, On::route(Route::UpdateStatus), fault);
    }
    let console = async |name, n| {
        let client = client(sim.base_url(), sim.api_key());
        let store = store::open(&bench.url).await.unwrap();
        let origin = client.origin(&store.salt().await.unwrap());
        let clock = Arc::new(SystemClock::new());
        let chance = fastrand::Rng::with_seed(seed * 10 + n);
        Console { name, store, client, origin, clock, chance }
    };
    let (ana, eva) = (console("ana", 1).await, console("eva", 2).await);
    let origin = ana.origin.clone();
    for n in 0..cases {
        let case = Case {
            key: key_of(session_id(1001 + n)),
            session_number: Some(1001 + n),
            kind: SubjectKind::Workflow,
            status: Status::InReview,
            created_at: None,
            candidates: Vec::new(),
            set_aside: 0,
            total_matches: None,
        };
        let now = ana.clock.now();
        ana.store.admit(&origin, &case, CaseState::Open, now, now).await.unwrap();
    }
    let third = web_console(&sim, sessions.clone(), fastrand::Rng::with_seed(seed));
    let (ana, eva, ()) =
        tokio::join!(ana.work(sessions.clone()), eva.work(sessions.clone()), third);
    assert!(ana > 0 && eva > 0, "both decide: {ana} {eva}");

    let rows = bench.store.history(&origin, &HistoryQuery::default()).await.unwrap().rows;
    assert_eq!(rows.len(), ana + eva);
    let rows: HashMap<_, _> = rows.into_iter().map(|r| (r.decision.case.clone(), r)).collect();
    assert_eq!(rows.len(), ana + eva, "no case was decided twice");
    let mut f = Figures { decided: ana + eva, ..Figures::default() };
    for session in &sessions {
        let changes = sim.effects_on(*session).into_iter().filter_map(|effect| match effect {
            Effect::Status { from, by, comment, .. } => Some((from, by, comment)),
            _ => None,
        });
        let changes: Vec<_> = changes.collect();
        let ours: Vec<_> = changes.iter().filter(|(_, by, _)| by == "API Client").collect();
        f.doubled += usize::from(ours.len() > 1);
        let Some(row) = rows.get(&key_of(*session)) else {
            assert!(ours.is_empty(), "decided by nobody");
            continue;
        };
        let mark = row.decision.mark();
        assert!(ours.iter().all(|(.., text)| text.as_ref().is_some_and(|t| t.contains(&mark))));
        let over = ours.iter().any(|(from, ..)| from != "In Review");
        f.overwritten += usize::from(over);
        match row.state {
            DeliveryState::Sent => {
                let is_lost = over || ours.len() != 1;
                f.unseen += usize::from(is_lost);
                if is_lost {
                    eprintln!("{changes:?} {row:?}");
                }
            }
            DeliveryState::Conflict => {
                f.conflicts += 1;
                assert!(changes.len() > ours.len(), "a conflict with nobody: {row:?}");
            }
            state => panic!("{state:?} {row:?}"),
        }
    }
    assert_eq!((f.doubled, f.unseen), (0, 0), "doubled, lost unseen: {f:?}");
    assert!(f.decided > 0 && f.conflicts > 0 && f.overwritten > 0, "{f:?}");
    bench.store.close().await;
    sim.shutdown().await;
    f
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_consoles_on_one_file_lose_nothing_unseen() {
    race(Bench::sqlite().await, CASES, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_consoles_on_one_server_lose_nothing_unseen() {
    if let Some(bench) = Bench::postgres().await {
        race(bench, CASES, 2).await;
    }
}

/// A thousand cases, several times over. Prints its figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
async fn in_full() {
    for seed in 10..15 {
        eprintln!("SQLite     {:?}", race(Bench::sqlite().await, 1_000, seed).await);
        if let Some(bench) = Bench::postgres().await {
            eprintln!("PostgreSQL {:?}", race(bench, 1_000, seed).await);
        }
    }
}
