//! The intake goes on: through long lists, over its own budget, where it was left, and while others decide. The
//! minute is a clock that the intake's own waiting turns.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secondlook::didit::{self, Client, SharedBudget};
use secondlook::domain::{
    CallsAsked, CallsGranted, Candidate as Known, Case, CaseState, Clock, Millis, Origin,
    Similarity, Source, Status, SubjectKind,
};
use secondlook::intake::{Counts, Intake, IntakeError, Notice, Pause, Settings};
use secondlook::sim::{
    Candidate, Fault, Knobs, Limits, On, Options, Reply, Route, Session, World, session_id,
};
use secondlook::store::Store;
use tokio_util::sync::CancellationToken;

use crate::stage::{Backend, HandClock, START, Stage, key_of, world};

/// The minute that the store keeps, on the clock of the test.
struct Minute {
    store: Arc<dyn Store>,
    origin: Origin,
    clock: Arc<HandClock>,
}

#[async_trait]
impl SharedBudget for Minute {
    async fn grant(&self, asked: CallsAsked) -> CallsGranted {
        self.store.grant(&self.origin, &asked, self.clock.now()).await.unwrap()
    }
}

/// Waiting turns the clock, and something happens meanwhile.
struct Turns {
    clock: Arc<HandClock>,
    meanwhile: Box<dyn Fn(u64) + Send + Sync>,
    count: Mutex<u64>,
}

#[async_trait]
impl Pause for Turns {
    async fn pause(&self, wait: Duration) {
        self.clock.turn(i64::try_from(wait.as_millis()).unwrap());
        let count = {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            *count
        };
        (self.meanwhile)(count);
        tokio::task::yield_now().await;
    }
}

/// A stage without the server's limit, and a client with this many reads in the minute of the test.
async fn stage(world: World, reads: u32) -> (Stage, Client) {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let stage = Stage::with(Backend::Memory, world, options).await;
    let key = stage.sim.api_key().to_owned();
    let settings = didit::Settings {
        reads_per_minute: reads,
        ..didit::Settings::new(stage.sim.base_url().parse().unwrap(), key.into())
    };
    let client = Client::new(settings).unwrap();
    client.share(Arc::new(Minute {
        store: Arc::clone(&stage.store),
        origin: stage.origin.clone(),
        clock: Arc::clone(&stage.clock),
    }));
    (stage, client)
}

fn intake(
    stage: &Stage,
    client: &Client,
    settings: Settings,
    meanwhile: impl Fn(u64) + Send + Sync + 'static,
) -> Intake {
    let clock = Arc::clone(&stage.clock);
    let pause =
        Turns { clock: Arc::clone(&clock), meanwhile: Box::new(meanwhile), count: Mutex::new(0) };
    let intake = Intake::new(stage.store.clone(), client, clock, stage.origin.clone(), settings);
    intake.with_pause(Arc::new(pause))
}

fn like(number: u64) -> Session {
    Session::in_review(number).with(Candidate::session(7, 81.0))
}

async fn knows(stage: &Stage, number: u64) {
    let candidate = Known {
        session_id: Some(key_of(session_id(7))),
        session_number: Some(7),
        similarity: Similarity::new(81.0),
        source: Source::Session,
        self_match: false,
        blocklisted: false,
        allowlisted: false,
        block: 0,
    };
    let case = Case {
        key: key_of(session_id(number)),
        session_number: Some(number),
        kind: SubjectKind::Workflow,
        status: Status::InReview,
        created_at: Some(Millis(START)),
        candidates: vec![candidate],
        set_aside: 0,
        total_matches: None,
    };
    let (open, at) = (CaseState::Open, Millis(START - 1));
    stage.store.admit(&stage.origin, &case, open, at, at).await.unwrap();
}

async fn open(stage: &Stage, number: u64) -> bool {
    let key = key_of(session_id(number));
    let row = stage.store.case(&stage.origin, &key, stage.now()).await.unwrap();
    row.is_some_and(|row| row.state == CaseState::Open)
}

/// How the calls of a round went by.
struct Went {
    counts: Counts,
    minutes: f64,
    calls: usize,
    waits: usize,
}

async fn pull(stage: &Stage, intake: &mut Intake) -> Went {
    let (began, before) = (stage.now(), stage.calls().len());
    let waits = Mutex::new(0);
    let report = |notice| match notice {
        Notice::Waits(_) => *waits.lock().unwrap() += 1,
        Notice::Failed(error) => panic!("{error}"),
        _ => {}
    };
    let counts = intake.pull(&report, &CancellationToken::new()).await.unwrap();
    let minutes = stage.now().since(began) as f64 / 60_000.0;
    let waits = waits.into_inner().unwrap();
    Went { counts, minutes, calls: stage.calls().len() - before, waits }
}

/// A tenth of the scale: 10,000 sessions, 60 reads a minute of which the intake takes 54, 40 unknown ones deep
/// in the list. Two rounds of (pages + unknown) reads are the limit; the build before never took one in.
#[tokio::test]
async fn forty_unknown_ones_deep_in_ten_thousand_are_taken_in() {
    let unknown: BTreeSet<u64> = (0..40).map(|n| 11_000 - 5_000 - n * 97).collect();
    let mut world = world();
    for number in 1_001..=11_000 {
        world.add(like(number));
    }
    let (stage, client) = stage(world, 60).await;
    for number in (1_001..=11_000).filter(|number| !unknown.contains(number)) {
        knows(&stage, number).await;
    }
    let mut intake = intake(&stage, &client, Settings::default(), |_| ());
    let went = pull(&stage, &mut intake).await;
    assert_eq!((went.counts.seen, went.counts.queued), (10_000, 40));
    assert_eq!((went.counts.known, went.counts.silent()), (9_960, 0));
    for number in unknown {
        assert!(open(&stage, number).await, "{number}");
    }
    assert!(went.waits > 0, "the minute was used up, and that is no failure");
    let needed = 100.0 + 40.0;
    let limit = needed / 54.0;
    println!(
        "{} calls, {:.1} minutes; one round by budget is {limit:.1}",
        went.calls, went.minutes
    );
    assert!((went.calls as f64) < 1.15 * needed, "{} calls", went.calls);
    assert!(went.minutes < 2.0 * limit, "{} minutes", went.minutes);
}

/// A flood of new ones goes as fast as the intake's share of the budget: within 1.1 times.
#[tokio::test]
async fn a_flood_comes_in_as_fast_as_the_share_allows() {
    let mut world = world();
    for number in 1_001..=2_200 {
        world.add(like(number));
    }
    let (stage, client) = stage(world, 60).await;
    let mut intake = intake(&stage, &client, Settings::default(), |_| ());
    let went = pull(&stage, &mut intake).await;
    assert_eq!((went.counts.queued, went.counts.silent()), (1_200, 0));
    let limit = (1_200.0 + 12.0) / 54.0;
    println!("{} calls, {:.1} minutes; the share allows {limit:.1}", went.calls, went.minutes);
    assert!(went.minutes <= 1.1 * limit, "{} minutes", went.minutes);
    // The first case within five calls.
    let first = stage.calls().iter().position(|route| *route == Route::Decision).unwrap();
    assert!(first < 5, "{first}");
}

/// Newest and oldest by turns: what comes to the top while a long list is walked does not wait for its end.
#[tokio::test]
async fn what_is_new_is_not_kept_waiting_by_a_backlog() {
    let mut world = world();
    for number in 1_001..=1_900 {
        world.add(like(number));
    }
    let (stage, client) = stage(world, 60).await;
    let knobs: Knobs = stage.sim.knobs();
    let meanwhile = move |count| {
        if count == 3 {
            knobs.add(like(5_000));
        }
    };
    let mut intake = intake(&stage, &client, Settings::default(), meanwhile);
    let order = Mutex::new(Vec::new());
    let stop = CancellationToken::new();
    let report = |notice| {
        if let Notice::Progress(counts) = notice {
            order.lock().unwrap().push(counts.queued);
        }
    };
    let counts = intake.pull(&report, &stop).await.unwrap();
    assert_eq!((counts.queued, counts.silent()), (901, 0));
    let decisions: Vec<_> =
        stage.sim.record().into_iter().filter(|r| r.route == Some(Route::Decision)).collect();
    let place = |number: u64| {
        let id = session_id(number).to_string();
        decisions.iter().position(|r| r.path.contains(&id)).unwrap()
    };
    assert!(place(1_900) < 100, "the newest page first");
    assert!(place(1_001) < 200, "then the oldest");
    assert!(place(5_000) < 600, "and what came meanwhile before the middle: {}", place(5_000));
}

/// Stopped on the way and begun again, by another process: it goes on where it was, and reads nothing twice.
#[tokio::test]
async fn a_round_that_was_stopped_is_taken_up_where_it_was() {
    let mut world = world();
    for number in 1_001..=1_600 {
        world.add(like(number));
    }
    let (stage, client) = stage(world, 60).await;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let meanwhile = move |count| {
        if count == 5 {
            stopping.cancel();
        }
    };
    let settings = || Settings { page_size: 50, ..Settings::default() };
    let mut first = intake(&stage, &client, settings(), meanwhile);
    let ended = first.pull(&|_| (), &stop).await;
    assert!(matches!(ended, Err(IntakeError::Stopped)), "{ended:?}");
    let taken = stage.store.tally(&stage.origin).await.unwrap().open;
    assert!((100..500).contains(&taken), "{taken}");
    let kept = stage.store.place_in(&stage.origin, "faces").await.unwrap().unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let (down, up) = (kept["down"].as_u64().unwrap(), kept["up"].as_u64().unwrap_or(600));
    assert!(down > 0, "{kept}");
    let before = stage.sim.record().len();
    let mut second = intake(&stage, &client, settings(), |_| ());
    let went = pull(&stage, &mut second).await;
    assert_eq!(went.counts.queued, 600 - taken);
    let read = stage.count(Route::Decision);
    assert!((600..=608).contains(&read), "{read}: only what was under way is read again");
    let offsets: Vec<u64> = stage.sim.record()[before..]
        .iter()
        .filter_map(|r| r.query.iter().find(|(name, _)| name == "offset")?.1.parse().ok())
        .filter(|offset| *offset > 0)
        .collect();
    let walked = |offset: &u64| *offset + 5 < down || *offset > up;
    assert!(
        !offsets.iter().any(walked),
        "{offsets:?}: what was walked is not walked again: {kept}"
    );
    assert_eq!(stage.store.tally(&stage.origin).await.unwrap().open, 600);
}

/// Offsets shift as sessions leave: everybody who stays comes in all the same.
#[tokio::test]
async fn nobody_is_left_out_while_others_decide_between_pages() {
    let mut world = world();
    for number in 1_001..=1_400 {
        world.add(like(number));
    }
    let (stage, client) = stage(world, 60).await;
    let knobs = stage.sim.knobs();
    let gone = Arc::new(Mutex::new(BTreeSet::new()));
    let leaving = Arc::clone(&gone);
    let meanwhile = move |count: u64| {
        for n in 0..7 {
            let number = 1_001 + (count * 37 + n * 53) % 400;
            if leaving.lock().unwrap().insert(number) {
                knobs.decide_elsewhere(session_id(number), "Approved", "bo@example.org", None);
            }
        }
    };
    let settings = Settings { page_size: 20, ..Settings::default() };
    let mut intake = intake(&stage, &client, settings, meanwhile);
    let went = pull(&stage, &mut intake).await;
    assert_eq!(went.counts.silent(), 0);
    let gone = gone.lock().unwrap().clone();
    assert!(gone.len() > 20, "{}", gone.len());
    for number in (1_001..=1_400).filter(|number| !gone.contains(number)) {
        assert!(open(&stage, number).await, "{number} was left out");
    }
}

/// Didit's own word that there were too many calls is waited for as well.
#[tokio::test]
async fn a_refusal_for_too_many_calls_is_waited_for() {
    let mut world = world();
    world.add(like(1_001));
    let (stage, client) = stage(world, 600).await;
    let body = serde_json::json!({ "detail": "Request was throttled." });
    let refusal = Reply::json(429, body).header("Retry-After", "42");
    stage.sim.knobs().times(3, On::route(Route::Sessions), Fault::Answer(refusal));
    let mut intake = intake(&stage, &client, Settings::default(), |_| ());
    // The client's own gate is shut in real time: a clock of its own opens it.
    let waits = Mutex::new(Vec::new());
    let report = |notice| {
        if let Notice::Waits(wait) = notice {
            waits.lock().unwrap().push(wait.as_secs());
        }
    };
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let report = |notice| {
        report(notice);
        if waits.lock().unwrap().len() >= 3 {
            stopping.cancel();
        }
    };
    let ended = intake.pull(&report, &stop).await;
    assert!(matches!(ended, Err(IntakeError::Stopped)), "no failure: {ended:?}");
    let waits = waits.lock().unwrap();
    assert!(waits.iter().all(|wait| (40..=42).contains(wait)), "{waits:?}");
}
