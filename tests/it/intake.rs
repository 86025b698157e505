//! Cases come in from the simulator's listings, once each, and leave when they left there.

use std::sync::{Arc, Mutex};

use secondlook::domain::{
    CaseState, Disposition, Explained, SessionId, Start, Status, SubjectKind,
};
use secondlook::intake::{Counts, Intake, IntakeError, Notice, Reasons, Settings};
use secondlook::sim::{
    Candidate, Fault, On, Recorded, Reply, Review, Route, Session, World, session_id,
};
use secondlook::store::{QueueQuery, QueueRow};
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stage::{Backend, PATIENCE, START, Stage, answer, key_of, world};

const HOUR: i64 = 3_600_000;

fn settings() -> Settings {
    Settings::default()
}

fn intake(stage: &Stage, settings: Settings) -> Intake {
    let clock = Arc::clone(&stage.clock);
    let store = Arc::clone(&stage.store);
    Intake::new(store, &stage.client, clock, stage.origin.clone(), settings)
}

async fn pull(intake: &mut Intake) -> Result<Counts, IntakeError> {
    intake.pull(&|_| (), &CancellationToken::new()).await
}

/// One round, with everything it told in words.
async fn told(intake: &mut Intake) -> (Counts, Vec<String>) {
    let words = Mutex::new(Vec::new());
    let report = |notice| match notice {
        Notice::SetAside { why, .. } | Notice::Departed { why, .. } => {
            words.lock().unwrap().push(why);
        }
        _ => {}
    };
    let counts = intake.pull(&report, &CancellationToken::new()).await.unwrap();
    (counts, words.into_inner().unwrap())
}

async fn row(stage: &Stage, session: Uuid) -> Option<QueueRow> {
    stage.store.case(&stage.origin, &key_of(session), stage.now()).await.unwrap()
}

async fn state(stage: &Stage, session: Uuid) -> Option<CaseState> {
    row(stage, session).await.map(|row| row.state)
}

/// A session in review with one candidate of this similarity.
fn like(number: u64, similarity: f64) -> Session {
    Session::in_review(number).with(Candidate::session(7, similarity))
}

fn created(session: Session, ms: i64) -> Session {
    session.but(|s| s.created_at = jiff::Timestamp::from_millisecond(ms).unwrap())
}

fn note(comment: &str) -> Review {
    Review {
        uuid: Uuid::new_v4(),
        activity: "COMMENT".into(),
        actor: "Unknown".into(),
        new_status: None,
        previous_status: None,
        comment: Some(comment.into()),
        metadata: serde_json::Value::Null,
        created_at: jiff::Timestamp::from_millisecond(START).unwrap(),
    }
}

/// A page of the listing that holds these rows.
fn page(rows: &[serde_json::Value], next: Option<String>) -> Fault {
    let count = rows.len();
    let body = json!({ "count": count, "next": next, "previous": null, "results": rows });
    Fault::Answer(Reply::json(200, body))
}

/// Makes the next requests of a route meet these faults, one each.
async fn in_turn(stage: &Stage, route: Route, faults: Vec<Fault>) {
    let knobs = stage.sim.knobs();
    knobs.hold(route);
    for (answered, fault) in faults.into_iter().enumerate() {
        assert!(knobs.waiting(route, 1, PATIENCE).await, "{answered} were answered");
        knobs.once(On::route(route), fault);
        let done = |r: &[Recorded]| {
            r.iter().filter(|r| r.route == Some(route)).all(|r| r.status.is_some())
        };
        knobs.step(route, 1);
        assert!(stage.sim.until(PATIENCE, done).await, "{answered} were answered");
    }
    knobs.release(route);
}

fn listed(session: Uuid) -> serde_json::Value {
    json!({ "session_id": session, "session_kind": "user", "session_number": 1,
            "status": "In Review", "created_at": "2026-11-20T00:00:00Z", "features": [] })
}

/// 300 sessions with the warning: 200 flagged, 50 with a strong match only, 30 that only look like
/// themselves, 20 that look like nobody; and people without the warning.
fn three_hundred() -> World {
    let mut world = world();
    for number in 1_001..=1_300 {
        let session = match number {
            ..=1_200 => like(number, 81.0),
            1_201..=1_250 => like(number, 96.0),
            1_251..=1_280 => {
                let mut own = Candidate::session(8, 80.0);
                own.vendor_data = Some(format!("user-{number}"));
                Session::in_review(number).with(own)
            }
            _ => like(number, 40.0),
        };
        world.add(session);
    }
    for number in 2_001..=2_010 {
        world.add(Session::approved(number));
    }
    world
}

#[tokio::test]
async fn three_hundred_sessions_come_in_once_and_the_next_round_asks_for_none() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let stage = Stage::new(backend, three_hundred()).await;
        let mut intake = intake(&stage, settings());
        let first = pull(&mut intake).await.unwrap();
        assert_eq!((first.seen, first.queued, first.left, first.silent()), (300, 200, 50, 0));
        let reasons = [(Explained::BelowBand, 20), (Explained::SameCustomer, 30)];
        assert_eq!(first.explained.named().collect::<Vec<_>>(), reasons);
        let mut told = stage.store.explained(&stage.origin).await.unwrap();
        told.sort_unstable();
        assert_eq!(told, reasons);
        assert_eq!(stage.count(Route::Decision), 300);
        let tally = stage.store.tally(&stage.origin).await.unwrap();
        assert_eq!((tally.open, tally.left), (200, 50));
        stage.clock.turn(45_000);
        let second =
            Counts { seen: 300, known: 250, explained: first.explained, ..Counts::default() };
        assert_eq!(pull(&mut intake).await.unwrap(), second);
        assert_eq!(stage.count(Route::Decision), 300, "{backend:?}");
        // Another process reads none of them again either.
        let mut other = Intake::new(
            Arc::clone(&stage.store),
            &stage.client,
            stage.clock.clone(),
            stage.origin.clone(),
            settings(),
        );
        assert_eq!(pull(&mut other).await.unwrap(), second);
        assert_eq!(stage.count(Route::Decision), 300, "{backend:?}");
        let now = stage.store.tally(&stage.origin).await.unwrap();
        assert_eq!(now, tally);
        assert!(stage.sim.effects().is_empty(), "nothing is written at Didit");
    }
}

#[tokio::test]
async fn a_case_keeps_what_the_decision_call_says() {
    let mut world = world();
    let session = world.add(
        like(1_001, 89.99)
            .with(Candidate::imported("user-5", 75.0))
            .with(Candidate::list_entry(99.0)),
    );
    let stage = Stage::new(Backend::Sqlite, world).await;
    pull(&mut intake(&stage, settings())).await.unwrap();
    let case = row(&stage, session).await.unwrap().case;
    assert_eq!((case.session_number, case.kind), (Some(1_001), SubjectKind::Workflow));
    let found: Vec<_> = case
        .candidates
        .iter()
        .map(|c| {
            (c.session_id.clone(), c.similarity.unwrap().percent(), c.source.word().to_owned())
        })
        .collect();
    assert!(found.contains(&(Some(key_of(session_id(7))), 89.99, "session".into())), "{found:?}");
    assert!(found.contains(&(None, 75.0, "imported".into())), "{found:?}");
    assert!(found.contains(&(None, 99.0, "list_entry".into())), "{found:?}");
}

#[tokio::test]
async fn other_sessions_stay_out() {
    let mut world = world();
    let approved = world.add(like(1_001, 81.0).but(|s| s.status = "Approved".into()));
    let other = world.add(Session::in_review(1_002).but(|s| {
        s.warnings.clear();
        s.held_by = Some("ID_VERIFICATION".into());
    }));
    let noted = world.add(like(1_003, 81.0).but(|s| {
        s.status = "Approved".into();
        s.warnings = vec!["DUPLICATED_FACE".into()];
    }));
    let stage = Stage::new(Backend::Memory, world).await;
    let mut explained = Reasons::default();
    explained.add(Explained::NoFaceReason);
    let nothing = Counts { seen: 1, explained, ..Counts::default() };
    assert_eq!(pull(&mut intake(&stage, settings())).await.unwrap(), nothing);
    assert_eq!(stage.count(Route::Decision), 0, "its row says that a document holds it");
    // Where workflows only note duplicates and approve, the statuses are a setting.
    let also = vec![Status::InReview, Status::Approved];
    let mut intake = intake(&stage, Settings { statuses: also, ..settings() });
    let counts = pull(&mut intake).await.unwrap();
    assert_eq!((counts.seen, counts.queued, counts.silent()), (3, 2, 0));
    for (session, wanted) in
        [(approved, Some(CaseState::Open)), (noted, Some(CaseState::Open)), (other, None)]
    {
        assert_eq!(state(&stage, session).await, wanted);
    }
}

#[tokio::test]
async fn a_decided_case_that_keeps_its_place_in_the_listing_costs_nothing() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0).but(|s| s.status = "Approved".into()));
    let stage = Stage::new(Backend::Memory, world).await;
    let statuses = vec![Status::Approved];
    let mut intake = intake(&stage, Settings { statuses, ..settings() });
    stage.decide(session, Disposition::Approve, "ana").await;
    stage.attempt("ana").await;
    stage.clock.turn(HOUR);
    let asked = stage.count(Route::Decision);
    let counts = pull(&mut intake).await.unwrap();
    assert_eq!((counts.seen, counts.queued), (1, 0));
    assert_eq!(stage.count(Route::Decision), asked);
    assert_eq!(state(&stage, session).await, Some(CaseState::Decided));
}

#[tokio::test]
async fn a_session_that_is_in_review_again_comes_back() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Sqlite, world).await;
    let mut intake = intake(&stage, settings());
    pull(&mut intake).await.unwrap();
    stage.decide(session, Disposition::Reject, "ana").await;
    stage.clock.turn(1);
    stage.attempt("ana").await;
    stage.clock.turn(1);
    assert_eq!(pull(&mut intake).await.unwrap().queued, 0);
    assert_eq!(state(&stage, session).await, Some(CaseState::Decided));
    stage.clock.turn(HOUR);
    stage.sim.knobs().change(session, |s| s.status = "In Review".into());
    assert_eq!(pull(&mut intake).await.unwrap().queued, 1);
    assert_eq!(state(&stage, session).await, Some(CaseState::Open));
}

// Saved searches.

fn saved(number: u64) -> Session {
    Session::saved_search(number).with(Candidate::session(7, 81.0))
}

#[tokio::test]
async fn saved_searches_of_the_last_days_come_in_unless_somebody_decided_them() {
    let mut world = world();
    let now = START + 30 * 24 * HOUR;
    let fresh = world.add(created(saved(1_003), now - HOUR));
    let edge = world.add(created(saved(1_002), now - 71 * HOUR));
    // The listing knows days only: this one is listed and too old.
    let old = world.add(created(saved(1_001), now - 72 * HOUR - 1));
    let ours = note("secondlook by:bo case:1 decision:2 reason:none");
    let noted = world.add(created(saved(1_004), now - HOUR).but(|s| s.reviews.push(ours)));
    let theirs = note("Looks like a twin.");
    let talked = world.add(created(saved(1_005), now - HOUR).but(|s| s.reviews.push(theirs)));
    let decided = world.add(created(saved(1_006), now - HOUR));
    let other = Session { kind: secondlook::sim::Kind::Api("FACE_MATCH".into()), ..saved(1_007) };
    let other = world.add(created(other, now - HOUR));
    let stage = Stage::new(Backend::Sqlite, world).await;
    stage.clock.turn(now - START);
    stage.decide(decided, Disposition::Approve, "ana").await;
    let mut intake = intake(&stage, settings());
    let counts = pull(&mut intake).await.unwrap();
    assert_eq!((counts.seen, counts.queued), (5, 3));
    let open = Some(CaseState::Open);
    for (session, wanted) in [
        (fresh, open),
        (edge, open),
        (talked, open),
        (old, None),
        (noted, None),
        (other, None),
        (decided, Some(CaseState::Decided)),
    ] {
        assert_eq!(state(&stage, session).await, wanted);
    }
    assert_eq!(row(&stage, fresh).await.unwrap().case.kind, SubjectKind::SavedSearch);
    let (asked, read) = (stage.count(Route::Decision), stage.count(Route::Reviews));
    assert_eq!(pull(&mut intake).await.unwrap().queued, 0);
    let again = (stage.count(Route::Decision), stage.count(Route::Reviews));
    assert_eq!(again, (asked, read));
}

#[tokio::test]
async fn a_note_that_only_the_feed_shows_keeps_a_saved_search_out() {
    let mut world = world();
    let ours = note("secondlook by:bo case:1 decision:2 reason:none");
    let session = world.add(saved(1_001).but(|s| s.reviews.push(ours)));
    let stage = Stage::new(Backend::Memory, world).await;
    let mut document = stage.sim.knobs().decision(session).unwrap();
    document["reviews"] = json!([]);
    stage.once(Route::Decision, Fault::Answer(Reply::json(200, document)));
    assert_eq!(pull(&mut intake(&stage, settings())).await.unwrap().queued, 0);
    assert_eq!(state(&stage, session).await, None);
}

// What cannot be read.

#[tokio::test]
async fn a_session_that_vanishes_or_breaks_is_passed_over() {
    let mut world = world();
    let [gone, broken, failing, good] =
        [1_001, 1_002, 1_003, 1_004].map(|n| world.add(like(n, 81.0)));
    let stage = Stage::new(Backend::Memory, world).await;
    let knobs = stage.sim.knobs();
    let decision = On::route(Route::Decision);
    knobs.once(decision.of(gone), Fault::Vanish);
    knobs.once(decision.of(broken), Fault::Answer(Reply::bytes(200, "text/html", "<html>")));
    // The client tries a read four times.
    knobs.times(4, decision.of(failing), answer(500));
    let mut intake = intake(&stage, settings());
    let (counts, words) = told(&mut intake).await;
    assert_eq!((counts.seen, counts.queued, counts.set_aside), (4, 1, 3));
    assert!(words.iter().any(|w| w.contains("vanished")), "{words:?}");
    assert!(words.iter().any(|w| w.contains("HTTP 500")), "{words:?}");
    assert_eq!(state(&stage, good).await, Some(CaseState::Open));
    let next = pull(&mut intake).await.unwrap();
    assert_eq!((next.seen, next.queued), (3, 2), "the next round takes what can be read then");
}

#[tokio::test]
async fn a_malformed_row_is_set_aside_with_its_reason_and_a_doubled_one_is_one_case() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    let rows = [
        json!({ "session_id": "../../etc/passwd", "status": "In Review" }),
        listed(session),
        json!(null),
        json!("row"),
        listed(session),
        json!({ "status": "In Review" }),
    ];
    stage.once(Route::Sessions, page(&rows, None));
    let (counts, words) = told(&mut intake(&stage, settings())).await;
    assert_eq!((counts.seen, counts.queued, counts.set_aside), (5, 1, 4));
    assert_eq!(words.len(), 4);
    assert!(words[0].starts_with("Row 1 of a page: "), "{words:?}");
    assert!(!words[0].contains("passwd"), "{words:?}");
    assert_eq!(stage.count(Route::Decision), 1);
}

#[tokio::test]
async fn matches_that_cannot_be_read_never_lose_the_case() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    stage.once(Route::Decision, Fault::MalformedMatches);
    let said = Mutex::new(Vec::new());
    let report = |notice| {
        if let Notice::Unreadable { case, candidates } = notice {
            said.lock().unwrap().push((case, candidates));
        }
    };
    let mut intake = intake(&stage, settings());
    let counts = intake.pull(&report, &CancellationToken::new()).await.unwrap();
    assert_eq!((counts.queued, counts.left), (1, 0));
    assert_eq!(*said.lock().unwrap(), [("#1001".to_owned(), 1)]);
    let row = row(&stage, session).await.unwrap();
    assert_eq!((row.state, row.case.set_aside), (CaseState::Open, 1));
}

#[tokio::test]
async fn a_key_problem_ends_the_round_with_its_reason() {
    let stage = Stage::new(Backend::Memory, three_hundred()).await;
    stage.sim.knobs().always(On::route(Route::Decision), answer(401));
    let error = pull(&mut intake(&stage, settings())).await.unwrap_err();
    assert!(matches!(error, IntakeError::Api(_)), "{error}");
    assert!(error.to_string().contains("key"), "{error}");
    assert!(stage.count(Route::Decision) < 50, "not all three hundred are tried");
}

#[tokio::test]
async fn a_listing_that_goes_in_circles_ends() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    let to = |offset| Some(format!("{}/v3/sessions/?offset={offset}", stage.sim.base_url()));
    let pages = (1..20).map(|offset| page(&[listed(session)], to(offset))).collect();
    let mut intake = intake(&stage, settings());
    let error = tokio::select! {
        pulled = pull(&mut intake) => pulled.unwrap_err(),
        () = in_turn(&stage, Route::Sessions, pages) => panic!("it asked for every page"),
    };
    assert!(matches!(error, IntakeError::Endless), "{error}");
    assert_eq!(state(&stage, session).await, Some(CaseState::Open));
}

// Departures.

#[tokio::test]
async fn a_case_departs_when_it_is_decided_elsewhere_or_hidden() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let mut world = world();
        let [console, api, gone, stays] =
            [1_001, 1_002, 1_003, 1_004].map(|n| world.add(like(n, 81.0)));
        let stage = Stage::new(backend, world).await;
        let mut intake = intake(&stage, settings());
        assert_eq!(pull(&mut intake).await.unwrap().queued, 4);
        let knobs = stage.sim.knobs();
        knobs.decide_elsewhere(console, "Approved", "bo@example.org", None);
        knobs.decide_elsewhere(api, "Declined", "API Client", None);
        knobs.vanish(gone);
        stage.clock.turn(45_000);
        let (counts, _) = told(&mut intake).await;
        assert_eq!((counts.seen, counts.departed), (1, 3), "{backend:?}");
        for (session, why) in [
            (console, "Approved in the web console"),
            (api, "Declined through the API"),
            (gone, "No longer visible to this key"),
        ] {
            let row = row(&stage, session).await.unwrap();
            assert_eq!((row.state, row.note.as_deref()), (CaseState::Departed, Some(why)));
        }
        assert_eq!(state(&stage, stays).await, Some(CaseState::Open));
        // And one that is in review again is back.
        stage.clock.turn(45_000);
        knobs.change(console, |s| s.status = "In Review".into());
        assert_eq!(pull(&mut intake).await.unwrap().queued, 1);
        assert_eq!(state(&stage, console).await, Some(CaseState::Open));
    }
}

#[tokio::test]
async fn a_listing_that_fails_half_way_makes_nobody_depart() {
    let stage = Stage::new(Backend::Memory, three_hundred()).await;
    let mut intake = intake(&stage, settings());
    pull(&mut intake).await.unwrap();
    let before = stage.store.tally(&stage.origin).await.unwrap();
    let decided = session_id(1_001);
    stage.sim.knobs().decide_elsewhere(decided, "Approved", "bo@example.org", None);
    stage.clock.turn(45_000);
    let next = Some(format!("{}/v3/sessions/?limit=100&offset=100", stage.sim.base_url()));
    let mut faults = vec![page(&[listed(session_id(1_300))], next)];
    // The client tries a read four times.
    faults.extend((0..4).map(|_| answer(503)));
    let (pulled, ()) = tokio::join!(pull(&mut intake), in_turn(&stage, Route::Sessions, faults));
    assert!(matches!(pulled, Err(IntakeError::Api(_))), "{pulled:?}");
    assert_eq!(stage.store.tally(&stage.origin).await.unwrap(), before);
    stage.clock.turn(45_000);
    assert_eq!(pull(&mut intake).await.unwrap().departed, 1);
    assert_eq!(state(&stage, decided).await, Some(CaseState::Departed));
}

#[tokio::test]
async fn a_case_that_no_listing_shows_but_is_in_review_stays_and_is_not_asked_for_each_round() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    let mut intake = intake(&stage, settings());
    pull(&mut intake).await.unwrap();
    // The lists say nothing, and the session itself says that it waits.
    let silent = On::route(Route::Sessions);
    stage.sim.knobs().always(silent, page(&[], None));
    for (minutes, asked) in [(1, 2), (1, 2), (5, 2), (10, 3), (1, 3)] {
        stage.clock.turn(minutes * 60_000);
        assert_eq!(pull(&mut intake).await.unwrap().departed, 0);
        assert_eq!(stage.count(Route::Decision), asked, "after {minutes} minutes");
    }
    assert_eq!(state(&stage, session).await, Some(CaseState::Open));
}

#[tokio::test]
async fn many_departures_are_asked_for_some_each_round() {
    let mut world = world();
    let sessions: Vec<_> = (1_001..=1_030).map(|n| world.add(like(n, 81.0))).collect();
    let stage = Stage::new(Backend::Memory, world).await;
    let mut intake = intake(&stage, Settings { check_most: 12, ..settings() });
    pull(&mut intake).await.unwrap();
    for session in sessions {
        stage.sim.knobs().decide_elsewhere(session, "Approved", "bo@example.org", None);
    }
    for departed in [12, 12, 6, 0] {
        stage.clock.turn(45_000);
        assert_eq!(pull(&mut intake).await.unwrap().departed, departed);
    }
}

#[tokio::test]
async fn a_decided_case_never_departs() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    let mut intake = intake(&stage, settings());
    pull(&mut intake).await.unwrap();
    stage.decide(session, Disposition::Approve, "ana").await;
    stage.sim.knobs().vanish(session);
    stage.clock.turn(45_000);
    assert_eq!(pull(&mut intake).await.unwrap().departed, 0);
    assert_eq!(state(&stage, session).await, Some(CaseState::Decided));
}

// Watching and stopping.

#[tokio::test]
async fn a_stopped_round_ends_and_keeps_what_it_took_in() {
    let stage = Stage::new(Backend::Memory, three_hundred()).await;
    let mut intake = intake(&stage, settings());
    stage.sim.knobs().hold(Route::Decision);
    stage.sim.knobs().step(Route::Decision, 5);
    let stop = CancellationToken::new();
    let held = async {
        assert!(stage.sim.knobs().waiting(Route::Decision, 8, PATIENCE).await);
        stop.cancel();
    };
    let (pulled, ()) = tokio::join!(intake.pull(&|_| (), &stop), held);
    assert!(matches!(pulled, Err(IntakeError::Stopped)), "{pulled:?}");
    assert_eq!(stage.count(Route::Decision), 13, "eight at once, five answered");
    stage.sim.knobs().release(Route::Decision);
    let counts = pull(&mut intake).await.unwrap();
    let query = QueueQuery {
        states: vec![CaseState::Open],
        filter: String::new(),
        from: Start::Front,
        limit: 1,
    };
    let page = stage.store.queue(&stage.origin, &query, stage.now()).await.unwrap();
    assert_eq!((page.total, counts.seen), (200, 300));
}

#[tokio::test]
async fn the_watch_pulls_again_when_it_is_nudged_and_after_a_failure() {
    let mut world = world();
    world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    stage.sim.knobs().times(1, On::route(Route::Sessions), answer(401));
    let mut intake = intake(&stage, settings());
    let (sender, mut notices) = mpsc::channel(64);
    let (nudge, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let watching = tokio::spawn({
        let (nudge, stop) = (Arc::clone(&nudge), stop.clone());
        async move {
            let report = move |notice| {
                let round = matches!(notice, Notice::Pulled(_) | Notice::Failed(_));
                if round {
                    sender.try_send(notice).unwrap();
                }
            };
            intake.watch(&super::stage::worker("console"), &report, &nudge, &stop).await;
        }
    });
    let mut next = async || {
        tokio::time::timeout(PATIENCE, notices.recv()).await.expect("a round").expect("a watch")
    };
    assert!(matches!(next().await, Notice::Failed(IntakeError::Api(_))));
    nudge.notify_one();
    assert!(matches!(next().await, Notice::Pulled(Counts { seen: 1, queued: 1, .. })));
    nudge.notify_one();
    assert!(matches!(next().await, Notice::Pulled(Counts { seen: 1, queued: 0, .. })));
    stop.cancel();
    tokio::time::timeout(PATIENCE, watching).await.expect("it stops").unwrap();
}

/// A watch of a console, and what it tells.
fn watching(
    stage: &Stage,
    console: &'static str,
    nudge: &Arc<Notify>,
    stop: &CancellationToken,
) -> (tokio::task::JoinHandle<()>, mpsc::Receiver<&'static str>) {
    let (sender, notices) = mpsc::channel(64);
    let (mut intake, nudge, stop) = (intake(stage, settings()), Arc::clone(nudge), stop.clone());
    let task = tokio::spawn(async move {
        let report = move |notice: Notice| {
            let word = match notice {
                Notice::Pulled(_) => "looked",
                Notice::LookedElsewhere => "stands by",
                Notice::Failed(error) => panic!("{error:?}"),
                _ => return,
            };
            sender.try_send(word).unwrap();
        };
        intake.watch(&super::stage::worker(console), &report, &nudge, &stop).await;
    });
    (task, notices)
}

#[tokio::test]
async fn one_console_of_a_team_looks_and_another_follows_it() {
    let stage = Stage::new(Backend::Sqlite, world()).await;
    let next = async |notices: &mut mpsc::Receiver<&'static str>| {
        tokio::time::timeout(PATIENCE, notices.recv()).await.expect("a word").expect("a watch")
    };
    let (first_nudge, first_stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (first, mut from_first) = watching(&stage, "first", &first_nudge, &first_stop);
    assert_eq!(next(&mut from_first).await, "looked");
    let (second_nudge, second_stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (second, mut from_second) = watching(&stage, "second", &second_nudge, &second_stop);
    assert_eq!(next(&mut from_second).await, "stands by");
    // Somebody asks there: it looks once, and the duty stays where it is.
    second_nudge.notify_one();
    assert_eq!(next(&mut from_second).await, "looked");
    assert_eq!(next(&mut from_second).await, "stands by");
    first_stop.cancel();
    tokio::time::timeout(PATIENCE, first).await.expect("it stops").unwrap();
    // The first one has gone: asked or not, the second has the duty when it looks at it again.
    second_nudge.notify_one();
    assert_eq!(next(&mut from_second).await, "looked");
    assert_eq!(next(&mut from_second).await, "looked");
    // One that died keeps nobody waiting for longer than its duty lasts.
    let (third, now) = (super::stage::worker("third"), stage.now());
    let dies = |now| stage.store.take_duty(&stage.origin, &third, now, 60_000);
    assert!(!dies(now).await.unwrap());
    second_stop.cancel();
    tokio::time::timeout(PATIENCE, second).await.expect("it stops").unwrap();
    assert!(dies(now).await.unwrap());
    let (fourth_nudge, fourth_stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (fourth, mut from_fourth) = watching(&stage, "fourth", &fourth_nudge, &fourth_stop);
    assert_eq!(next(&mut from_fourth).await, "stands by");
    stage.clock.turn(60_000);
    fourth_nudge.notify_one();
    assert_eq!(next(&mut from_fourth).await, "looked");
    assert_eq!(next(&mut from_fourth).await, "looked");
    fourth_stop.cancel();
    tokio::time::timeout(PATIENCE, fourth).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn the_listings_ask_for_what_the_design_says() {
    let stage = Stage::new(Backend::Memory, world()).await;
    pull(&mut intake(&stage, settings())).await.unwrap();
    let record = stage.sim.record();
    let queries: Vec<_> = record.iter().map(|r| &r.query).collect();
    let pairs = |wanted: &[(&str, &str)]| -> Vec<(String, String)> {
        wanted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    let [first, rest, second] = queries[..] else { panic!("{queries:?}") };
    let all = secondlook::domain::face_risks().collect::<Vec<_>>().join(",");
    assert!(all.contains("POSSIBLE_FACE_IN_BLOCKLIST") && all.contains("LOW_FACE_LUMINANCE"));
    let faces =
        [("status", "In Review"), ("warning", all.as_str()), ("limit", "100"), ("offset", "0")];
    let held = [("status", "In Review"), ("limit", "100"), ("offset", "0")];
    let searches = [
        ("session_type", "API"),
        ("api_service", "FACE_SEARCH"),
        ("date_from", "2026-11-17"),
        ("limit", "100"),
        ("offset", "0"),
    ];
    assert_eq!((first, rest, second), (&pairs(&faces), &pairs(&held), &pairs(&searches)));
}

#[tokio::test]
async fn one_spelling_of_an_id_is_one_case() {
    let mut world = world();
    let session = world.add(like(1_001, 81.0));
    let stage = Stage::new(Backend::Memory, world).await;
    let upper = session.to_string().to_uppercase();
    let mut row = listed(session);
    row["session_id"] = json!(upper);
    stage.once(Route::Sessions, page(&[row], None));
    pull(&mut intake(&stage, settings())).await.unwrap();
    let key = SessionId::parse(&upper).unwrap();
    let found = stage.store.case(&stage.origin, &key, stage.now()).await.unwrap();
    assert!(found.is_some(), "either spelling is the key");
    assert_eq!(state(&stage, session).await, Some(CaseState::Open));
}
