//! Two consoles on the same cases, each with a store, a client and an outbox of its own, while a
//! third person decides some of them in the web console: no update is lost unseen, and no case has
//! two decisions of ours. Both are people of a roster, each with a key in an ssh-agent: they decide, escalate,
//! propose, and answer what the other escalated or proposed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secondlook::didit::Client;
use secondlook::domain::{
    Case, CaseState, Clock as _, Decision, DecisionId, DeliveryState, Disposition, Holder,
    LeaseAnswer, Origin, Receipt, Status, SubjectKind, Target,
};
use secondlook::outbox::{Outbox, Settings};
use secondlook::proof::{Proof, PublicKey};
use secondlook::roster::{Act, PersonId, Scope, statement};
use secondlook::shell::{AgentAt, SystemClock, Who, who};
use secondlook::sim::{
    Candidate, Effect, Fault, Limits, On, Options, Route, Session, Sim, World, session_id,
};
use secondlook::store::{self, HistoryQuery, NewAct, Store};
use tokio::sync::{Barrier, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::people::Person;
use crate::stage::{PATIENCE, client, key_of, reviewer, worker};
use crate::store::{Bench, TTL};

/// Cases of a race that fits every run; in full there are a thousand, as CONTRIBUTING.md says.
const CASES: u64 = 200;

/// One console without its screen.
struct Console {
    name: &'static str,
    who: Who,
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

    /// Goes through all cases in an order of its own and decides those that it gets, which its outbox sends
    /// meanwhile; then, when the other one is through as well, through those that wait for a second person.
    async fn work(mut self, sessions: Vec<Uuid>, both: Arc<Barrier>) -> Said {
        let mut sessions = sessions;
        self.chance.shuffle(&mut sessions);
        let (outbox, stop) = (self.outbox(), CancellationToken::new());
        let (events, nobody) = mpsc::channel(1);
        drop(nobody);
        let running = tokio::spawn({
            let (outbox, stop) = (outbox.clone(), stop.clone());
            async move { outbox.run(events, stop).await }
        });
        let mut said = Said::default();
        for round in 0..2 {
            for session in &sessions {
                self.decide(*session, &mut said).await;
                outbox.nudge();
            }
            if round == 0 {
                both.wait().await;
            }
        }
        stop.cancel();
        running.await.unwrap();
        outbox.flush(PATIENCE * 3, &CancellationToken::new()).await.unwrap();
        self.store.close().await;
        said
    }

    async fn decide(&mut self, session: Uuid, said: &mut Said) {
        let key = key_of(session);
        let holder = Holder { reviewer: self.who.reviewer.clone(), worker: worker(self.name) };
        let now = self.clock.now();
        let asked = self.store.lease(&self.origin, &key, &holder, now, TTL).await.unwrap();
        let LeaseAnswer::Yours(lease) = asked else { return };
        let row = self.store.case(&self.origin, &key, now).await.unwrap().unwrap();
        let details = self.client.decision(&key, SubjectKind::Workflow).await.unwrap();
        self.dawdle().await;
        let seen = details.case.status.clone();
        if seen != Status::InReview {
            self.store.depart(&self.origin, &key, "decided elsewhere", now).await.unwrap();
            return;
        }
        let customer = &details.case.candidates[0];
        let target = customer.session_id.clone().map(|session_id| Target {
            session_id,
            session_number: customer.session_number,
            is_subject: false,
            approved: true,
        });
        let alone = self.who.hand.is_none();
        let (disposition, target) = match (&row.proposal, row.state, self.chance.u8(..10)) {
            (Some(proposal), _, 0..7) => (Disposition::Blocklist, proposal.target.clone()),
            (None, CaseState::Open, 0..2) if !alone => (Disposition::Escalate, None),
            (None, CaseState::Open, 2..4) if !alone => (Disposition::Blocklist, target),
            (_, _, chance) if chance % 2 == 0 => (Disposition::Approve, None),
            _ => (Disposition::Reject, None),
        };
        let mut decision = Decision {
            id: DecisionId(Uuid::now_v7()),
            case: key,
            session_number: details.case.session_number,
            kind: SubjectKind::Workflow,
            disposition,
            judgements: Vec::new(),
            reason: None,
            comment: None,
            evidence: target.iter().flat_map(|_| details.case.candidates.clone()).collect(),
            target,
            reviewer: self.who.reviewer.clone(),
            seen_status: seen,
            at: self.clock.now(),
            receipt: Receipt::default(),
            replaces: None,
            answers: row.proposal.as_ref().map(|proposal| proposal.id),
            workflow: None,
            signature: None,
        };
        self.dawdle().await;
        let now = self.clock.now();
        self.who.sign(&self.store, &self.origin, &mut decision, now).await.unwrap();
        self.store.decide(&lease, &decision, now, now).await.unwrap();
        said.rows += 1;
        match (decision.disposition, &row.proposal, row.state) {
            (Disposition::Escalate, ..) => said.escalated += 1,
            (Disposition::Blocklist, None, _) => said.proposed += 1,
            (Disposition::Blocklist, Some(_), _) => said.confirmed += 1,
            (_, Some(_), _) => said.declined += 1,
            (_, None, CaseState::Escalated) => said.second += 1,
            (_, None, _) => said.alone += 1,
        }
    }

    fn outbox(&self) -> Outbox {
        let reviewer = self.who.reviewer.id.clone();
        let settings = Settings::new(self.origin.clone(), worker(self.name), reviewer);
        let (store, client) = (Arc::clone(&self.store), self.client.clone());
        Outbox::new(store, client, self.clock.clone(), settings)
    }
}

/// How often one console said what.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    rows: usize,
    alone: usize,
    escalated: usize,
    second: usize,
    proposed: usize,
    confirmed: usize,
    declined: usize,
}

impl Said {
    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            alone: self.alone + other.alone,
            escalated: self.escalated + other.escalated,
            second: self.second + other.second,
            proposed: self.proposed + other.proposed,
            confirmed: self.confirmed + other.confirmed,
            declined: self.declined + other.declined,
        }
    }
}

/// Puts two people on the roster, each with the key of their agent: by a chief, who reviews nothing. Nobody is
/// there where OpenSSH is missing.
async fn roster(store: &dyn Store, origin: &Origin) -> Option<[Person; 2]> {
    let people = [Person::new("ana")?, Person::new("eva")?];
    let chief = Person::new("chief")?;
    let scope = Scope::of(&store.salt().await.unwrap(), origin);
    for person in std::iter::once(&chief).chain(&people) {
        let key = std::fs::read_to_string(person.key()).unwrap();
        let act = Act::Add {
            person: PersonId::parse(&person.name).unwrap(),
            label: None,
            admin: (person.name == chief.name).then_some(true),
            proofs: vec![Proof::Key(PublicKey::parse(key.trim()).unwrap())],
        };
        let act = serde_json::to_string(&act).unwrap();
        let now = SystemClock::new().now();
        std::fs::write(chief.path("act"), statement(&scope, now, &act)).unwrap();
        let sign =
            "ssh-keygen -q -Y sign -n roster@secondlook -f key.pub act; cat act.sig; rm act.sig";
        let signature = Some(chief.shell(sign));
        let by = PersonId::parse(&chief.name).unwrap().reviewer();
        store.enact(origin, &NewAct { by, act, signature }, now).await.unwrap();
    }
    Some(people)
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
    said: Said,
    decided: usize,
    listed: usize,
    conflicts: usize,
    overwritten: usize,
    doubled: usize,
    unseen: usize,
}

async fn race(bench: Bench, cases: u64, seed: u64) -> Figures {
    let now = jiff::Timestamp::now();
    let mut world = World::new(now);
    let sessions: Vec<Uuid> = (0..cases)
        .map(|n| {
            // Each with an approved customer of its own beside it.
            let session = Session::in_review(1001 + n);
            world.add(session.with(Candidate::session(500_000 + n, 81.0)))
        })
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
    let origin = client(sim.base_url(), sim.api_key()).origin(&bench.store.salt().await.unwrap());
    let people = roster(bench.store.as_ref(), &origin).await;
    let console = async |name, n: u64| {
        let client = client(sim.base_url(), sim.api_key());
        let store = store::open(&bench.url).await.unwrap();
        let origin = client.origin(&store.salt().await.unwrap());
        let clock = Arc::new(SystemClock::new());
        let chance = fastrand::Rng::with_seed(seed * 10 + n);
        let agent = people.iter().flatten().find(|person| person.name == name);
        let agent =
            AgentAt { socket: agent.map(|person| person.path("agent")), ..AgentAt::default() };
        let who = who(&store, &origin, &reviewer(name), &agent, clock.as_ref()).await.unwrap();
        assert_eq!(who.hand.is_some(), people.is_some());
        Console { name, who, store, client, origin, clock, chance }
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
    let both = Arc::new(Barrier::new(2));
    let (ana, eva, ()) = tokio::join!(
        ana.work(sessions.clone(), both.clone()),
        eva.work(sessions.clone(), both),
        third
    );
    assert!(ana.rows > 0 && eva.rows > 0, "both decide: {ana:?} {eva:?}");
    let said = ana.and(eva);

    let rows = bench.store.history(&origin, &HistoryQuery::default()).await.unwrap().rows;
    assert_eq!(rows.len(), said.rows);
    // What one person said for another to go on with is kept here and sent nowhere.
    let (before, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
        row.decision.disposition == Disposition::Escalate || row.decision.is_proposal()
    });
    assert_eq!(before.len(), said.escalated + said.proposed);
    assert!(before.iter().all(|row| row.state == DeliveryState::Local), "{before:?}");
    let decided = rows.len();
    let rows: HashMap<_, _> = rows.into_iter().map(|r| (r.decision.case.clone(), r)).collect();
    assert_eq!(rows.len(), decided, "no case was decided twice");
    for row in before {
        let last = rows.get(&row.decision.case);
        let own = last.is_some_and(|last| last.decision.reviewer == row.decision.reviewer);
        assert!(!own, "nobody is their own second: {row:?} {last:?}");
    }
    let mut f = Figures { said, decided, ..Figures::default() };
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
        if let Some(target) = &row.decision.target {
            let on_it = sim.effects_on(target.session_id.as_str().parse().unwrap());
            let lists = |effect: &&Effect| matches!(effect, Effect::Blocklisted { .. });
            let listed = on_it.iter().filter(lists).count();
            assert_eq!(listed, usize::from(row.state == DeliveryState::Sent), "{on_it:?} {row:?}");
            f.listed += listed;
        }
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
    let two = f.said.second.min(f.said.confirmed).min(f.said.declined).min(f.listed);
    assert!(two > 0 || people.is_none(), "two people do little together: {f:?}");
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
