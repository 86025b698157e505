//! Decisions on their way to the simulator: each exactly once, whatever breaks on the way.

use std::sync::Arc;
use std::time::Duration;

use secondlook::didit::SharedBudget;
use secondlook::domain::{
    CallVerb, CallsAsked, CallsGranted, CaseState, Decision, DeliveryState, Disposition, Origin,
    Status,
};
use secondlook::outbox::{Attempt, Event, Outbox, Settings};
use secondlook::sim::{
    Candidate, Effect, Fault, Lag, On, Options, Recorded, Reply, Route, SameStatus, Session,
    session_id,
};
use secondlook::store::{Retried, Settled};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::stage::{
    Backend, CLAIM, DeadlyStore, Death, HandClock, Mortal, PATIENCE, Stage, answer, client, key_of,
    reviewer, worker, world,
};

const APPROVE: Disposition = Disposition::Approve;
const REJECT: Disposition = Disposition::Reject;
const BLOCKLIST: Disposition = Disposition::Blocklist;

/// A stage with one session in review, #1001, which resembles #7.
async fn one(backend: Backend, options: Options) -> (Stage, uuid::Uuid) {
    let mut world = world();
    let session = world.add(Session::in_review(1001).with(Candidate::session(7, 81.0)));
    (Stage::with(backend, world, options).await, session)
}

/// A stage with one saved search, #1001.
async fn search(options: Options) -> (Stage, uuid::Uuid) {
    let mut world = world();
    let session = world.add(Session::saved_search(1001).with(Candidate::session(7, 81.0)));
    (Stage::with(Backend::Memory, world, options).await, session)
}

fn is_sent(settled: &Settled) -> bool {
    matches!(settled, Settled::Sent { .. })
}

// The plain way.

#[tokio::test]
async fn each_disposition_makes_its_calls_in_order_and_once() {
    use Route::{Blocklist, BlocklistAdd, Decision, Reviews, UpdateStatus};
    let status = vec![Decision, Reviews, UpdateStatus, Decision];
    let listing = [status.clone(), vec![BlocklistAdd, Blocklist]].concat();
    for backend in [Backend::Memory, Backend::Sqlite] {
        for (disposition, changed, calls) in [
            (APPROVE, vec!["Approved"], status.clone()),
            (REJECT, vec!["Declined"], status.clone()),
            (BLOCKLIST, vec!["Declined", "listed face"], listing.clone()),
        ] {
            let (stage, session) = one(backend, Options::default()).await;
            let decision = stage.decide(session, disposition, "ana").await;
            assert!(is_sent(&stage.attempt("ana").await), "{disposition:?}");
            assert_eq!(stage.changed(session), changed);
            assert_eq!(stage.calls(), calls, "{disposition:?}");
            assert_eq!(stage.state(&decision).await, DeliveryState::Sent);
            let effects = stage.sim.effects_on(session);
            let Effect::Status { comment: Some(comment), .. } = &effects[0] else {
                panic!("{effects:?}")
            };
            assert_eq!(comment, decision.api_comment().as_str());
            assert!(comment.starts_with("secondlook by:ana case:"), "{comment}");
            assert!(stage.take("console", "ana").await.is_none());
        }
    }
}

#[tokio::test]
async fn a_candidate_as_target_gets_the_list_entry_and_nothing_else() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let candidate = session_id(7);
    stage.sim.knobs().change(candidate, |session| session.status = "Expired".into());
    let to_candidate = |decision: &mut Decision| {
        let target = decision.target.as_mut().unwrap();
        (target.session_id, target.session_number) = (key_of(candidate), Some(7));
        target.is_subject = false;
    };
    stage.decide_with(session, BLOCKLIST, "ana", to_candidate).await;
    assert!(is_sent(&stage.attempt("ana").await));
    assert_eq!(stage.changed(session), ["Declined"]);
    assert_eq!(stage.changed(candidate), ["listed face"]);
    assert_eq!(stage.sim.session(candidate).unwrap().status, "Expired");
}

#[tokio::test]
async fn a_sent_decision_can_be_decided_anew() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    let first = stage.decide(session, APPROVE, "ana").await;
    assert!(is_sent(&stage.attempt("ana").await));
    assert!(
        stage
            .store
            .reopen(&stage.origin, first.id, &reviewer("ana").id, stage.now())
            .await
            .unwrap()
    );
    stage.decide_with(session, REJECT, "ana", |d| d.replaces = Some(first.id)).await;
    assert!(is_sent(&stage.attempt("ana").await));
    assert_eq!(stage.changed(session), ["Approved", "Declined"]);
}

/// After a decline, the blocklist is looked at: whether the workflow lists faces by itself is remembered by
/// the workflow's id and nothing else, and looked at again the next day until it was seen.
#[tokio::test]
async fn what_a_decline_lists_by_itself_is_seen_once() {
    let mut world = world();
    let plain: Vec<_> = (1..4).map(|n| world.add(Session::in_review(1000 + n))).collect();
    let auto: Vec<_> = (4..6)
        .map(|n| world.add(Session::in_review(1000 + n).but(|s| s.auto_blocklist = true)))
        .collect();
    let stage = Stage::with(Backend::Sqlite, world, Options::default()).await;
    let looks = || {
        let looked = |call: &Recorded| call.route == Some(Route::Blocklist);
        stage.sim.record().iter().filter(|call| looked(call)).count()
    };
    let decide = async |session, disposition, workflow: &str| {
        let of = |d: &mut Decision| d.workflow = Some(workflow.to_owned());
        stage.decide_with(session, disposition, "ana", of).await;
        assert!(is_sent(&stage.attempt("ana").await));
    };
    decide(plain[0], APPROVE, "plain").await;
    assert_eq!(looks(), 0, "an approval lists nobody");
    decide(plain[1], REJECT, "plain").await;
    decide(plain[2], REJECT, "plain").await;
    assert_eq!(looks(), 1, "once a day");
    decide(auto[0], REJECT, "auto").await;
    decide(auto[1], REJECT, "auto").await;
    assert_eq!(looks(), 2, "once it was seen, never again");
    let seen = stage.store.workflows(&stage.origin).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|seen| (seen.workflow.as_str(), seen.lists)).collect();
    assert_eq!(seen, [("auto", true), ("plain", false)]);
}

// Lost answers and refusals that pass.

#[tokio::test]
async fn a_lost_answer_is_read_before_anything_is_written_again() {
    let lost = || Reply::json(500, serde_json::json!({}));
    for (fault, patches) in [
        (Fault::DropBefore, 2),
        (Fault::DropAfter, 1),
        (Fault::Answer(lost()), 2),
        (Fault::AnswerAfter(lost()), 1),
        (Fault::CutBody(3), 1),
    ] {
        let (stage, session) = one(Backend::Memory, Options::default()).await;
        let decision = stage.decide(session, APPROVE, "ana").await;
        stage.once(Route::UpdateStatus, fault.clone());
        let settled = stage.attempt("ana").await;
        if !is_sent(&settled) {
            let Settled::Later { may_have_written, at, .. } = settled else {
                panic!("{fault:?} {settled:?}")
            };
            assert!(may_have_written && at > stage.now(), "{fault:?}");
            assert_eq!(stage.state(&decision).await, DeliveryState::Unknown);
            assert!(stage.take("console", "ana").await.is_none(), "not before it is due");
            assert!(is_sent(&stage.finish("ana").await), "{fault:?}");
        }
        assert_eq!(stage.count(Route::UpdateStatus), patches, "{fault:?}");
        assert_eq!(stage.changed(session), ["Approved"], "{fault:?}");
    }
}

#[tokio::test]
async fn too_many_calls_are_waited_for_as_long_as_didit_says() {
    let (mut stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    let slow_down = Reply::json(429, serde_json::json!({"detail": "Slow down."}));
    stage.once(Route::UpdateStatus, Fault::Answer(slow_down.header("Retry-After", "40")));
    let settled = stage.attempt("ana").await;
    let Settled::Later { at, may_have_written, .. } = settled else { panic!("{settled:?}") };
    assert!(!may_have_written && at.since(stage.now()) >= 40_000);
    assert_eq!(stage.state(&decision).await, DeliveryState::Held, "it can still be undone");
    stage.clock.turn(39_000);
    assert!(stage.take("console", "ana").await.is_none());
    // The client keeps to the wait by the real clock, so the console is started anew.
    stage.client = client(stage.sim.base_url(), stage.sim.api_key());
    assert!(is_sent(&stage.finish("ana").await));
    assert_eq!(stage.changed(session), ["Approved"]);
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_waited_for_and_never_a_refusal() {
    for route in [Route::Decision, Route::UpdateStatus] {
        for status in [401, 403] {
            let (stage, session) = one(Backend::Memory, Options::default()).await;
            let decision = stage.decide(session, APPROVE, "ana").await;
            stage.once(route, answer(status));
            let settled = stage.attempt("ana").await;
            let Settled::Later { why, may_have_written: false, .. } = &settled else {
                panic!("{route:?} {status} {settled:?}")
            };
            assert!(why.contains(&status.to_string()), "{why}");
            assert_eq!(stage.state(&decision).await, DeliveryState::Held);
            assert!(is_sent(&stage.finish("ana").await));
            assert_eq!(stage.changed(session), ["Approved"]);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_gone_is_a_refusal_with_its_reason() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.sim.knobs().vanish(session);
    let settled = stage.attempt("ana").await;
    let Settled::Refused { why } = &settled else { panic!("{settled:?}") };
    assert!(why.contains("404"), "{why}");
    assert_eq!(stage.state(&decision).await, DeliveryState::Refused);
    assert_eq!(stage.count(Route::UpdateStatus), 0);
}

#[tokio::test]
async fn a_change_that_didit_refuses_is_a_refusal() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    stage.decide(session, APPROVE, "ana").await;
    stage.once(Route::UpdateStatus, answer(400));
    let settled = stage.attempt("ana").await;
    let Settled::Refused { why } = &settled else { panic!("{settled:?}") };
    assert!(why.contains("As the test says."), "{why}");
}

// Somebody else.

#[tokio::test]
async fn a_decision_behind_our_back_stays() {
    for (disposition, theirs) in [
        (APPROVE, "Declined"),
        (APPROVE, "Approved"),
        (REJECT, "Approved"),
        (BLOCKLIST, "Declined"),
    ] {
        let (stage, session) = one(Backend::Memory, Options::default()).await;
        let decision = stage.decide(session, disposition, "ana").await;
        stage.sim.knobs().decide_elsewhere(session, theirs, "bo@example.org", None);
        let settled = stage.attempt("ana").await;
        let Settled::Conflict { theirs: found, by } = &settled else { panic!("{settled:?}") };
        assert_eq!(*found, Status::from(theirs));
        assert!(by.contains("bo@example.org at 20"), "{by}");
        assert_eq!(stage.changed(session), [""; 0], "nothing of ours");
        assert_eq!(stage.count(Route::UpdateStatus) + stage.count(Route::BlocklistAdd), 0);
        assert_eq!(stage.state(&decision).await, DeliveryState::Conflict);
    }
}

#[tokio::test]
async fn the_same_decision_a_moment_earlier_is_theirs_on_old_and_new_servers() {
    for same_status in [SameStatus::Bad400, SameStatus::NoOp200] {
        let options = Options { same_status, ..Options::default() };
        let (stage, session) = one(Backend::Memory, options).await;
        stage.decide(session, APPROVE, "ana").await;
        let elsewhere = Fault::DecidedElsewhere {
            status: "Approved".into(),
            by: "bo@example.org".into(),
            comment: None,
        };
        stage.once(Route::UpdateStatus, elsewhere);
        let settled = stage.attempt("ana").await;
        let Settled::Conflict { theirs, by } = &settled else { panic!("{settled:?}") };
        assert_eq!(*theirs, Status::Approved);
        assert!(by.starts_with("already so, by bo@example.org"), "{by}");
        assert_eq!(stage.changed(session), [""; 0], "{same_status:?}");
    }
}

#[tokio::test]
async fn what_somebody_overturned_is_not_written_again() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    stage.decide(session, BLOCKLIST, "ana").await;
    stage.once(Route::UpdateStatus, Fault::DropAfter);
    assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
    stage.sim.knobs().decide_elsewhere(session, "Approved", "bo@example.org", None);
    let settled = stage.finish("ana").await;
    let Settled::Conflict { theirs, by } = &settled else { panic!("{settled:?}") };
    assert_eq!(*theirs, Status::Approved);
    assert!(by.contains("after it had been Declined by this decision"), "{by}");
    assert_eq!(stage.changed(session), ["Declined"], "and its face is not listed");
}

#[tokio::test]
async fn an_older_feed_is_read_as_well() {
    let options = Options { old_reviews: true, ..Options::default() };
    let (stage, session) = one(Backend::Memory, options).await;
    stage.decide(session, APPROVE, "ana").await;
    stage.once(Route::UpdateStatus, Fault::DropAfter);
    assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
    assert!(is_sent(&stage.finish("ana").await));
    assert_eq!(stage.changed(session), ["Approved"]);
}

// Saved searches, and nothing to change.

#[tokio::test]
async fn what_is_so_already_is_tried_once_and_noted_once() {
    for fault in [None, Some(Fault::DropBefore), Some(Fault::DropAfter)] {
        let (stage, session) = search(Options::default()).await;
        let decision = stage.decide(session, APPROVE, "ana").await;
        if let Some(fault) = fault.clone() {
            stage.once(Route::AddReview, fault);
            assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
        }
        let settled = stage.finish("ana").await;
        assert!(is_sent(&settled), "{settled:?}");
        assert_eq!(stage.changed(session), ["note"], "{fault:?}");
        assert_eq!(stage.count(Route::UpdateStatus), 1, "{fault:?}");
        let Effect::Note { comment, new_status, .. } = &stage.sim.effects_on(session)[0] else {
            panic!("a note")
        };
        assert_eq!(comment.as_deref(), Some(decision.api_comment().as_str()));
        assert_eq!(*new_status, None);
    }
}

#[tokio::test]
async fn a_saved_search_is_overturned_where_didit_takes_it() {
    let (stage, session) = search(Options::default()).await;
    stage.decide(session, REJECT, "ana").await;
    assert!(is_sent(&stage.attempt("ana").await));
    assert_eq!(stage.changed(session), ["Declined"]);
}

#[tokio::test]
async fn a_saved_search_that_keeps_its_status_is_decided_here_and_noted_once() {
    for fault in [None, Some(Fault::DropBefore), Some(Fault::DropAfter)] {
        let options = Options { api_sessions_change: false, ..Options::default() };
        let (stage, session) = search(options).await;
        let decision = stage.decide(session, REJECT, "ana").await;
        if let Some(fault) = fault.clone() {
            stage.once(Route::AddReview, fault);
            assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
        }
        let settled = stage.finish("ana").await;
        assert!(matches!(settled, Settled::Local { .. }), "{settled:?}");
        assert_eq!(stage.changed(session), ["note"], "{fault:?}");
        assert_eq!(stage.state(&decision).await, DeliveryState::Local);
    }
}

#[tokio::test]
async fn a_note_that_didit_refuses_keeps_the_decision_here() {
    let options = Options { api_sessions_change: false, ..Options::default() };
    let (stage, session) = search(options).await;
    stage.decide(session, REJECT, "ana").await;
    stage.once(Route::AddReview, answer(404));
    let settled = stage.attempt("ana").await;
    let Settled::Local { why } = &settled else { panic!("{settled:?}") };
    assert!(why.contains("no note was posted"), "{why}");
    assert_eq!(stage.changed(session), [""; 0]);
}

// The blocklist.

#[tokio::test]
async fn a_lost_answer_of_the_blocklist_is_asked_again() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let (stage, session) = one(Backend::Memory, Options::default()).await;
        let decision = stage.decide(session, BLOCKLIST, "ana").await;
        stage.once(Route::BlocklistAdd, fault.clone());
        assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }), "{fault:?}");
        assert_eq!(stage.state(&decision).await, DeliveryState::Unknown, "half done");
        assert!(is_sent(&stage.finish("ana").await));
        assert_eq!(stage.changed(session), ["Declined", "listed face"], "{fault:?}");
        assert_eq!(stage.count(Route::UpdateStatus), 1);
    }
}

#[tokio::test]
async fn without_the_older_call_the_face_becomes_a_list_entry_once() {
    for gone in [404, 405] {
        for fault in [None, Some(Fault::DropBefore), Some(Fault::DropAfter)] {
            let options = Options { old_blocklist_gone: Some(gone), ..Options::default() };
            let (stage, session) = one(Backend::Memory, options).await;
            let decision = stage.decide(session, BLOCKLIST, "ana").await;
            if let Some(fault) = fault.clone() {
                stage.once(Route::AddEntry, fault);
                assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
            }
            let settled = stage.finish("ana").await;
            assert!(is_sent(&settled), "{settled:?}");
            assert_eq!(stage.changed(session), ["Declined", "entry"], "{gone} {fault:?}");
            let effects = stage.sim.effects_on(session);
            let Some(Effect::EntryAdded { label, .. }) =
                effects.iter().find(|e| matches!(e, Effect::EntryAdded { .. }))
            else {
                panic!("{effects:?}")
            };
            assert_eq!(label.as_deref(), Some(decision.mark().as_str()));
        }
    }
}

#[tokio::test]
async fn a_target_that_is_gone_never_falls_back() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let gone = Candidate { status: Some("Expired".into()), ..Candidate::session(9, 80.0) };
    stage.sim.knobs().change(session, |session| session.candidates.push(gone));
    let to_nobody = |decision: &mut Decision| {
        let target = decision.target.as_mut().unwrap();
        (target.session_id, target.is_subject) = (key_of(session_id(9)), false);
    };
    stage.decide_with(session, BLOCKLIST, "ana", to_nobody).await;
    let settled = stage.attempt("ana").await;
    let Settled::Refused { why } = &settled else { panic!("{settled:?}") };
    assert!(why.contains("declined, but the face is not on the blocklist"), "{why}");
    assert_eq!(stage.changed(session), ["Declined"]);
    assert_eq!(stage.count(Route::Lists) + stage.count(Route::AddEntry), 0);
}

#[tokio::test]
async fn a_forbidden_blocklist_waits_and_never_falls_back() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, BLOCKLIST, "ana").await;
    stage.once(Route::BlocklistAdd, answer(403));
    let settled = stage.attempt("ana").await;
    let Settled::Later { may_have_written: true, .. } = settled else { panic!("{settled:?}") };
    assert_eq!(stage.count(Route::Lists) + stage.count(Route::AddEntry), 0);
    assert_eq!(stage.state(&decision).await, DeliveryState::Unknown, "no longer undone by a key");
    assert!(is_sent(&stage.finish("ana").await));
    assert_eq!(stage.changed(session), ["Declined", "listed face"]);
}

#[tokio::test]
async fn a_face_that_the_blocklist_never_shows_is_no_success() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    stage.sim.knobs().change(session, |s| s.picture = None);
    let decision = stage.decide(session, BLOCKLIST, "ana").await;
    let why = never_shown(&stage, &decision).await;
    assert!(why.contains("blocklist: Didit said yes and shows no change since 20"), "{why}");
    assert_eq!(stage.count(Route::BlocklistAdd), 2);
    assert_eq!(stage.changed(session), ["Declined"]);
}

// Late truth: what Didit said yes to and does not show yet.

/// Makes attempts, each when it is due, until one settles; nothing where twenty do not.
async fn in_time(stage: &Stage, by: &str) -> Option<Settled> {
    for _ in 0..20 {
        match stage.attempt(by).await {
            Settled::Later { at, .. } => stage.clock.turn(at.since(stage.now()).max(0)),
            settled => return Some(settled),
        }
    }
    None
}

/// It stays unknown over twenty attempts, each later than the one before; its last words.
async fn never_shown(stage: &Stage, decision: &Decision) -> String {
    let mut pauses = Vec::new();
    let mut words = String::new();
    for _ in 0..20 {
        let settled = stage.attempt("ana").await;
        let Settled::Later { at, why, may_have_written: true } = settled else {
            panic!("{settled:?}")
        };
        assert_eq!(stage.state(decision).await, DeliveryState::Unknown);
        pauses.push(at.since(stage.now()));
        stage.clock.turn(at.since(stage.now()));
        words = why;
    }
    assert!(pauses[0] < 10_000 && pauses[19] >= 3_600_000, "{pauses:?}");
    assert!(pauses.windows(2).take(9).all(|two| two[0] < two[1]), "{pauses:?}");
    words
}

#[tokio::test]
async fn reads_that_lag_behind_a_write_are_waited_for_and_nobodys_conflict() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        for (status, feed) in [(1, 0), (3, 0), (4, 4), (3, 9), (0, 3), (9, 2)] {
            for disposition in [APPROVE, REJECT, BLOCKLIST] {
                let (stage, session) = one(backend, Options::default()).await;
                let decision = stage.decide(session, disposition, "ana").await;
                stage.sim.knobs().lag(session, Lag { status, feed });
                let settled = in_time(&stage, "ana").await.expect("it settles");
                let about = format!("{disposition:?} {status} {feed} {settled:?}");
                assert!(is_sent(&settled), "{about}");
                assert_eq!(stage.count(Route::UpdateStatus), 1, "{about}");
                assert_eq!(
                    stage.changed(session)[0],
                    decision.disposition.subject_status().unwrap().word()
                );
                assert_eq!(stage.count(Route::BlocklistAdd), usize::from(disposition == BLOCKLIST));
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_and_a_lag_are_two_writes_at_most() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        for same_status in [SameStatus::Bad400, SameStatus::NoOp200] {
            for lag in (0..7).flat_map(|s| [0, 2, 7].map(|feed| Lag { status: s, feed })) {
                let options = Options { same_status, ..Options::default() };
                let (stage, session) = one(Backend::Memory, options).await;
                stage.decide(session, APPROVE, "ana").await;
                stage.sim.knobs().lag(session, lag);
                stage.once(Route::UpdateStatus, fault.clone());
                let settled = in_time(&stage, "ana").await.expect("it settles");
                let about = format!("{fault:?} {same_status:?} {lag:?} {settled:?}");
                assert!(is_sent(&settled), "{about}");
                assert!(stage.count(Route::UpdateStatus) <= 2, "{about}");
                assert_eq!(stage.changed(session), ["Approved"], "{about}");
            }
        }
    }
}

/// Somebody may end it, after a look: what the look finds is what came of it.
#[tokio::test]
async fn what_never_shows_is_ended_by_a_person_after_one_more_look() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        for shows in [false, true] {
            let (stage, session) = one(backend, Options::default()).await;
            let decision = stage.decide(session, APPROVE, "ana").await;
            stage.sim.knobs().hears(session, false);
            never_shown(&stage, &decision).await;
            let outbox = outbox(&stage, "bo");
            // Where Didit cannot be read nothing is ended.
            stage.sim.knobs().always(On::route(Route::Decision), answer(503));
            let unread = outbox.end(decision.id, "bo").await.unwrap();
            assert!(matches!(unread, Some(Settled::Later { .. })), "{unread:?}");
            stage.sim.knobs().clear();
            stage.sim.knobs().hears(session, false);
            assert_eq!(stage.state(&decision).await, DeliveryState::Unknown);
            if shows {
                stage.sim.knobs().change(session, |s| s.status = "Approved".to_owned());
            }
            let ended = outbox.end(decision.id, "bo").await.unwrap();
            let writes = stage.count(Route::UpdateStatus);
            assert_eq!(writes, 2, "a look writes nothing");
            match ended {
                Some(settled) if shows => assert!(is_sent(&settled), "{settled:?}"),
                Some(Settled::Refused { why }) => {
                    assert!(
                        why.starts_with("Didit said yes and shows no change since 20"),
                        "{why}"
                    );
                    assert!(why.ends_with("UTC. Ended by bo after this look at Didit."), "{why}");
                    assert_eq!(stage.state(&decision).await, DeliveryState::Refused);
                    // Its case can be decided anew, knowingly.
                    let by = reviewer("bo").id;
                    let (store, now) = (&stage.store, stage.now());
                    assert!(store.reopen(&stage.origin, decision.id, &by, now).await.unwrap());
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(outbox.end(decision.id, "bo").await.unwrap(), None, "it is over");
        }
    }
}

#[tokio::test]
async fn a_yes_that_changes_nothing_is_written_twice_and_stays_in_sight() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let (stage, session) = one(backend, Options::default()).await;
        let decision = stage.decide(session, APPROVE, "ana").await;
        stage.sim.knobs().hears(session, false);
        let why = never_shown(&stage, &decision).await;
        assert!(why.starts_with("Didit said yes and shows no change since 20"), "{why}");
        assert_eq!(stage.count(Route::UpdateStatus), 2, "{backend:?}");
        let row = stage.row(decision.id).await;
        assert_eq!(row.note.as_deref(), Some(why.as_str()));
        // Its case is closed to a new decision, and it is read again when somebody asks for it.
        let case = stage.store.case(&stage.origin, &decision.case, stage.now()).await.unwrap();
        assert_eq!(case.unwrap().state, CaseState::Decided);
        stage.clock.turn(-1);
        assert!(stage.take("console", "ana").await.is_none());
        let by = reviewer("bo").id;
        let again = stage.store.retry(&stage.origin, decision.id, &by, stage.now()).await.unwrap();
        assert_eq!(again, Retried::Due(DeliveryState::Unknown));
        stage.attempt("bo").await;
        assert_eq!(stage.count(Route::UpdateStatus), 2, "read, not written");
        // What shows at last is ours.
        stage.sim.knobs().change(session, |s| s.status = "Approved".to_owned());
        stage.store.retry(&stage.origin, decision.id, &by, stage.now()).await.unwrap();
        assert!(is_sent(&stage.attempt("bo").await));
    }
}

/// Whoever dies, wherever: no decision is written a third time once Didit has said yes, nor called a
/// conflict.
#[tokio::test]
async fn the_number_of_writes_outlives_the_workers() {
    for death in [Death::Before, Death::After] {
        for backend in [Backend::Memory, Backend::Sqlite] {
            for verbs in 0i64.. {
                let (stage, session) = one(backend, Options::default()).await;
                let decision = stage.decide(session, APPROVE, "ana").await;
                stage.sim.knobs().hears(session, false);
                let first = stage.take("first", "ana").await.unwrap();
                let deadly = DeadlyStore::new(Arc::clone(&stage.store), verbs, death);
                let survived = tokio::select! {
                    _ = stage.deliver_on(&deadly, &first) => true,
                    () = deadly.died.notified() => false,
                };
                for n in 0..12 {
                    stage.clock.turn(2 * 3_600_000);
                    let next = stage.take(&format!("next{n}"), "ana").await.unwrap();
                    let Attempt::Settled { settled, .. } = stage.deliver(&next).await else {
                        panic!("{n}")
                    };
                    assert!(matches!(settled, Settled::Later { .. }), "{settled:?}");
                }
                // Counted before it leaves: a death in between takes one write away.
                let writes = stage.count(Route::UpdateStatus);
                assert!((1..=2).contains(&writes), "{writes} {verbs} {death:?} {backend:?}");
                assert_eq!(stage.state(&decision).await, DeliveryState::Unknown);
                if survived {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_somebody_else_after_a_yes_is_a_conflict() {
    for theirs in ["Declined", "In Review"] {
        let (stage, session) = one(Backend::Memory, Options::default()).await;
        stage.decide(session, APPROVE, "ana").await;
        stage.sim.knobs().lag(session, Lag { status: 2, feed: 2 });
        assert!(matches!(stage.attempt("ana").await, Settled::Later { .. }));
        stage.sim.knobs().decide_elsewhere(session, theirs, "bo@example.org", None);
        stage.sim.knobs().lag(session, Lag::default());
        let settled = stage.finish("ana").await;
        let Settled::Conflict { theirs: found, by } = &settled else { panic!("{settled:?}") };
        assert_eq!(*found, Status::from(theirs));
        assert!(by.contains("bo@example.org"), "{by}");
    }
}

#[tokio::test]
async fn a_flush_does_not_wait_for_what_is_read_again_after_its_end() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.sim.knobs().hears(session, false);
    never_shown(&stage, &decision).await;
    stage.attempt("ana").await;
    let flush = outbox(&stage, "ana");
    let never = CancellationToken::new();
    let flushed = flush.flush(Duration::from_secs(60), &never);
    let flushed = tokio::time::timeout(PATIENCE / 2, flushed).await.expect("it ends").unwrap();
    assert_eq!((flushed.settled.len(), flushed.open), (0, vec![decision.id]));
}

// Whose it is.

#[tokio::test]
async fn held_decisions_of_others_and_of_other_origins_are_never_sent() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.clock.turn(10 * CLAIM);
    let bo = outbox(&stage, "bo").flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    assert_eq!((bo.settled.len(), bo.open.len()), (0, 0));
    let mut elsewhere = settings(&stage, "ana");
    elsewhere.origin = Origin("http://127.0.0.1#other".into());
    let other = made(&stage, elsewhere).flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    assert_eq!((other.settled.len(), other.open.len()), (0, 0));
    assert_eq!(stage.state(&decision).await, DeliveryState::Held);
    assert_eq!(stage.calls(), []);
}

#[tokio::test]
async fn a_claim_that_ran_short_writes_nothing() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    let slow = stage.take("slow", "ana").await.unwrap();
    stage.clock.turn(CLAIM - 10_000);
    let Attempt::Settled { settled, .. } = stage.deliver(&slow).await else { panic!("settled") };
    let Settled::Later { may_have_written: false, .. } = settled else { panic!("{settled:?}") };
    assert_eq!(stage.count(Route::UpdateStatus), 0);
    assert_eq!(stage.state(&decision).await, DeliveryState::Held);
    assert!(is_sent(&stage.finish("ana").await));
}

#[tokio::test]
async fn a_claim_that_was_taken_over_writes_nothing_and_settles_nothing() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let (stage, session) = one(backend, Options::default()).await;
        let decision = stage.decide(session, APPROVE, "ana").await;
        let slow = stage.take("slow", "ana").await.unwrap();
        stage.clock.turn(CLAIM + 1);
        let quick = stage.take("quick", "bo").await.unwrap();
        assert_eq!(stage.deliver(&slow).await, Attempt::ClaimLost);
        assert_eq!(stage.count(Route::UpdateStatus), 0);
        assert!(matches!(stage.deliver(&quick).await, Attempt::Settled { .. }));
        assert_eq!(stage.deliver(&slow).await, Attempt::ClaimLost);
        assert_eq!(stage.state(&decision).await, DeliveryState::Sent);
        assert_eq!(stage.changed(session), ["Approved"]);
    }
}

// Death.

/// The four ways of a decision that write, each with what it must come to.
fn ways() -> [(bool, Disposition, Options, Vec<&'static str>); 5] {
    let plain = Options::default;
    let lists = Options { old_blocklist_gone: Some(404), ..plain() };
    let stubborn = Options { api_sessions_change: false, ..plain() };
    [
        (true, APPROVE, plain(), vec!["Approved"]),
        (true, BLOCKLIST, plain(), vec!["Declined", "listed face"]),
        (true, BLOCKLIST, lists, vec!["Declined", "entry"]),
        (false, APPROVE, plain(), vec!["note"]),
        (false, REJECT, stubborn, vec!["note"]),
    ]
}

fn case(workflow: bool, number: u64) -> Session {
    let make = if workflow { Session::in_review } else { Session::saved_search };
    make(number).with(Candidate::session(7, 81.0))
}

/// After a death: the claim runs out, another worker goes on, and all is done once.
async fn comes_to(stage: &Stage, session: uuid::Uuid, decision: &Decision, wanted: &[&str]) {
    if stage.state(decision).await.is_open() {
        assert!(stage.take("second", "bo").await.is_none(), "the claim still lives");
        stage.finish("bo").await;
    }
    assert_eq!(stage.changed(session), wanted);
    assert!(!stage.state(decision).await.is_open());
}

#[tokio::test]
async fn a_worker_may_die_at_every_verb_of_the_store() {
    for (workflow, disposition, options, wanted) in ways() {
        for death in [Death::Before, Death::After] {
            let stage = Stage::with(Backend::Sqlite, world(), options.clone()).await;
            for verbs in 0i64.. {
                let number = 2_000 + verbs.unsigned_abs();
                let session = stage.sim.knobs().add(case(workflow, number));
                let decision = stage.decide(session, disposition, "ana").await;
                let delivery = stage.take("first", "ana").await.unwrap();
                let deadly = DeadlyStore::new(Arc::clone(&stage.store), verbs, death);
                let survived = tokio::select! {
                    attempt = stage.deliver_on(&deadly, &delivery) => Some(attempt),
                    () = deadly.died.notified() => None,
                };
                comes_to(&stage, session, &decision, &wanted).await;
                if survived.is_some() {
                    assert!(verbs >= 3, "it died at {verbs} verbs at least");
                    break;
                }
            }
        }
    }
}

/// Writes asked for so far, of whatever kind.
fn writes(stage: &Stage) -> usize {
    let routes = [Route::UpdateStatus, Route::AddReview, Route::BlocklistAdd, Route::AddEntry];
    routes.into_iter().map(|route| stage.count(route)).sum()
}

/// The worker is stopped at every verb of the store for longer than its claim and then goes on: it
/// writes nothing any more, whether somebody has taken its work over or nobody has.
#[tokio::test]
async fn a_worker_that_was_stopped_too_long_writes_nothing() {
    for (workflow, disposition, options, wanted) in ways() {
        for (death, taken_over) in [
            (Death::Before, true),
            (Death::After, true),
            (Death::Before, false),
            (Death::After, false),
        ] {
            let stage = Stage::with(Backend::Sqlite, world(), options.clone()).await;
            for verbs in 0i64.. {
                let session = stage.sim.knobs().add(case(workflow, 2_000 + verbs.unsigned_abs()));
                let decision = stage.decide(session, disposition, "ana").await;
                let delivery = stage.take("slow", "ana").await.unwrap();
                let slow = DeadlyStore::new(Arc::clone(&stage.store), verbs, death);
                let attempt = stage.deliver_on(&slow, &delivery);
                tokio::pin!(attempt);
                let ended = tokio::select! {
                    biased;
                    attempt = &mut attempt => Some(attempt),
                    () = slow.died.notified() => None,
                };
                let about = format!("{disposition:?} {verbs} {death:?} {taken_over}");
                if let Some(ended) = ended {
                    assert!(verbs >= 3 && matches!(ended, Attempt::Settled { .. }), "{about}");
                    break;
                }
                stage.clock.turn(CLAIM + 1);
                if taken_over {
                    let quick = stage.take("quick", "bo").await;
                    if let Some(quick) = quick {
                        assert!(matches!(stage.deliver(&quick).await, Attempt::Settled { .. }));
                    }
                }
                let before = writes(&stage);
                slow.wake.notify_one();
                let late = attempt.await;
                assert_eq!(writes(&stage), before, "{about} {late:?}");
                if stage.state(&decision).await.is_open() {
                    stage.finish("ana").await;
                }
                assert_eq!(stage.changed(session), wanted, "{about}");
                assert!(!stage.state(&decision).await.is_open(), "{about}");
            }
        }
    }
}

#[tokio::test]
async fn a_worker_may_die_at_every_await() {
    for (workflow, disposition, options, wanted) in ways() {
        let stage = Stage::with(Backend::Memory, world(), options).await;
        for polls in 1.. {
            let number = 2_000 + u64::from(polls);
            let session = stage.sim.knobs().add(case(workflow, number));
            let decision = stage.decide(session, disposition, "ana").await;
            let delivery = stage.take("first", "ana").await.unwrap();
            let survived = Mortal::new(stage.deliver(&delivery), polls).await.is_some();
            comes_to(&stage, session, &decision, &wanted).await;
            if survived {
                assert!(polls > 3, "it died at {polls} awaits at least");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_worker_may_die_while_a_request_is_on_the_wire() {
    for (workflow, disposition, options, wanted) in ways() {
        let stage = Stage::with(Backend::Memory, world(), options).await;
        let routes = [Route::UpdateStatus, Route::AddReview, Route::BlocklistAdd, Route::AddEntry];
        for (number, route) in (3_000..).zip(routes) {
            let session = stage.sim.knobs().add(case(workflow, number));
            let decision = stage.decide(session, disposition, "ana").await;
            let delivery = stage.take("first", "ana").await.unwrap();
            stage.sim.knobs().hold(route);
            tokio::select! {
                _ = stage.deliver(&delivery) => {}
                held = async { stage.sim.knobs().waiting(route, 1, PATIENCE).await } => {
                    assert!(held, "{route:?}");
                }
            }
            stage.sim.knobs().release(route);
            comes_to(&stage, session, &decision, &wanted).await;
        }
    }
}

// The runner.

fn settings(stage: &Stage, by: &str) -> Settings {
    Settings::new(stage.origin.clone(), worker(by), reviewer(by).id)
}

fn made(stage: &Stage, settings: Settings) -> Outbox {
    let clock = Arc::clone(&stage.clock);
    Outbox::new(Arc::clone(&stage.store), stage.client.clone(), clock, settings)
}

fn outbox(stage: &Stage, by: &str) -> Outbox {
    made(stage, settings(stage, by))
}

async fn next(events: &mut mpsc::Receiver<Event>) -> Event {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event").expect("a runner")
}

#[tokio::test]
async fn the_runner_sends_what_is_due_and_looks_when_it_is_nudged() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    let outbox = outbox(&stage, "ana");
    let (sender, mut events) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (outbox, stop) = (outbox.clone(), stop.clone());
        async move { outbox.run(sender, stop).await }
    });
    let decision = stage.decide(session, APPROVE, "ana").await;
    outbox.nudge();
    let event = next(&mut events).await;
    let Event::Delivered { decision: id, case, settled } = event else { panic!("{event:?}") };
    assert_eq!((id, case), (decision.id, decision.case.clone()));
    assert!(is_sent(&settled));
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
    assert_eq!(stage.changed(session), ["Approved"]);
}

#[tokio::test]
async fn the_runner_has_few_on_the_way_and_finishes_them_when_it_is_stopped() {
    let stage = Stage::new(Backend::Memory, world()).await;
    for number in 1..=8 {
        let session = stage.sim.knobs().add(Session::in_review(number));
        stage.decide(session, APPROVE, "ana").await;
    }
    stage.sim.knobs().hold(Route::UpdateStatus);
    let (sender, mut events) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let outbox = outbox(&stage, "ana");
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { outbox.run(sender, stop).await }
    });
    assert!(stage.sim.knobs().waiting(Route::UpdateStatus, 3, PATIENCE).await);
    stop.cancel();
    stage.sim.knobs().release(Route::UpdateStatus);
    tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
    let mut delivered = 0;
    while let Ok(event) = events.try_recv() {
        assert!(matches!(event, Event::Delivered { .. }), "{event:?}");
        delivered += 1;
    }
    assert_eq!(delivered, 3);
    assert_eq!(stage.count(Route::UpdateStatus), 3, "the others were not begun");
}

#[tokio::test]
async fn a_flush_sends_all_that_is_held_and_ends() {
    let stage = Stage::new(Backend::Sqlite, world()).await;
    let mut sessions = Vec::new();
    for number in 1..=5 {
        let session = stage.sim.knobs().add(Session::in_review(number));
        stage.decide(session, REJECT, "ana").await;
        sessions.push(session);
    }
    let flushed = outbox(&stage, "ana").flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    assert_eq!((flushed.settled.len(), flushed.open.len()), (5, 0));
    assert!(flushed.settled.iter().all(|(.., settled)| is_sent(settled)));
    for session in sessions {
        assert_eq!(stage.changed(session), ["Declined"]);
    }
}

/// Reads at Didit that a flush of so many makes, with documents that show their reviews or do not.
async fn reads_of_a_flush(n: u64, shown: bool) -> usize {
    let options = Options { reviews_in_feed_only: !shown, ..Options::default() };
    let stage = Stage::with(Backend::Memory, world(), options).await;
    for number in 1..=n {
        let session = stage.sim.knobs().add(Session::in_review(number));
        stage.decide(session, APPROVE, "ana").await;
    }
    let flushed = outbox(&stage, "ana").flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    assert!(flushed.settled.iter().all(|(.., settled)| is_sent(settled)), "{flushed:?}");
    assert_eq!(stage.count(Route::UpdateStatus), n as usize);
    stage.count(Route::Decision) + stage.count(Route::Reviews)
}

/// The feed is read beside the document until documents were seen to show it: two reads a decision where there were
/// three, and as many as ever where documents do not show what was written.
#[tokio::test]
async fn a_flush_reads_the_feed_only_until_documents_show_it() {
    let n = 40;
    let reads = reads_of_a_flush(n, true).await;
    println!("{:.2} reads a decision", reads as f64 / n as f64);
    // Three are under way before the first was read back.
    assert!((2 * n as usize..=2 * n as usize + 3).contains(&reads), "{reads}");
    assert_eq!(reads_of_a_flush(n, false).await, 4 * n as usize);
}

/// Spared reads weaken nothing: who is faster between the read and the write is still met.
#[tokio::test]
async fn somebody_between_the_read_and_the_write_is_met_without_the_feed_too() {
    let stage = Stage::new(Backend::Sqlite, world()).await;
    let sessions: Vec<_> =
        (1..=6).map(|number| stage.sim.knobs().add(Session::in_review(number))).collect();
    for session in &sessions[..5] {
        stage.decide(*session, APPROVE, "ana").await;
    }
    let outbox = outbox(&stage, "ana");
    outbox.flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    let feeds = stage.count(Route::Reviews);
    stage.decide(sessions[5], APPROVE, "ana").await;
    stage.sim.knobs().hold(Route::UpdateStatus);
    let never = CancellationToken::new();
    let flush = outbox.flush(PATIENCE, &never);
    let meanwhile = async {
        assert!(stage.sim.knobs().waiting(Route::UpdateStatus, 1, PATIENCE).await);
        stage.sim.knobs().decide_elsewhere(sessions[5], "Declined", "bo@example.org", None);
        stage.sim.knobs().release(Route::UpdateStatus);
    };
    let (flushed, ()) = tokio::join!(flush, meanwhile);
    let flushed = flushed.unwrap();
    let [(.., Settled::Conflict { theirs, by })] = &flushed.settled[..] else {
        panic!("{flushed:?}")
    };
    assert_eq!(*theirs, Status::Declined);
    assert!(by.contains("bo@example.org"), "{by}");
    assert_eq!(stage.count(Route::Reviews), feeds, "the feed was not read");
}

/// The minute of others: every fourth write finds no place for longer than a call waits.
struct Busy(std::sync::atomic::AtomicU64);

#[async_trait::async_trait]
impl SharedBudget for Busy {
    async fn grant(&self, asked: CallsAsked) -> CallsGranted {
        if asked.verb == CallVerb::Read {
            return CallsGranted::Now(1);
        }
        if self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 4 != 3 {
            return CallsGranted::Now(1);
        }
        CallsGranted::NoneFor(60_000)
    }
}

/// Time goes by as on a clock that is a hundred times as fast.
async fn time_goes_by(clock: &HandClock) {
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    loop {
        beat.tick().await;
        clock.turn(1_000);
    }
}

/// A flush takes as long as it needs: what found no place in the minute is sent in a later one.
#[tokio::test]
async fn a_flush_without_a_time_ends_when_all_is_sent() {
    let stage = Stage::new(Backend::Memory, world()).await;
    for number in 1..=30 {
        let session = stage.sim.knobs().add(Session::in_review(number));
        stage.decide(session, REJECT, "ana").await;
    }
    let busy = Arc::new(Busy(0.into()));
    stage.client.share(busy.clone());
    let told = std::sync::Mutex::new(Vec::new());
    let never = CancellationToken::new();
    let outbox = made(&stage, Settings { idle_ms: 250, ..settings(&stage, "ana") });
    let tell = |so_far| told.lock().unwrap().push(so_far);
    let flushed = tokio::select! {
        flushed = outbox.flush_telling(None, &never, &tell) => flushed.unwrap(),
        () = time_goes_by(&stage.clock) => unreachable!(),
    };
    assert_eq!((flushed.settled.len(), flushed.open.len()), (30, 0));
    assert!(flushed.settled.iter().all(|(.., settled)| is_sent(settled)));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 31);
    assert!(told.iter().enumerate().all(|(n, t)| (t.ended, t.of) == (n, 30)), "{told:?}");
    assert!(busy.0.load(std::sync::atomic::Ordering::SeqCst) > 35, "it met full minutes");
}

#[tokio::test]
async fn two_consoles_of_one_reviewer_send_each_decision_once() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let stage = Stage::new(backend, world()).await;
        let mut sessions = Vec::new();
        for number in 1..=20 {
            let session = stage.sim.knobs().add(Session::in_review(number));
            stage.decide(session, APPROVE, "ana").await;
            sessions.push(session);
        }
        let never = CancellationToken::new();
        let other = Settings { worker: worker("other"), ..settings(&stage, "ana") };
        let (left, right) = (outbox(&stage, "ana"), made(&stage, other));
        let (left, right) =
            tokio::join!(left.flush(PATIENCE, &never), right.flush(PATIENCE, &never));
        assert_eq!(left.unwrap().settled.len() + right.unwrap().settled.len(), 20);
        assert_eq!(stage.count(Route::UpdateStatus), 20, "{backend:?}");
        for session in sessions {
            assert_eq!(stage.changed(session), ["Approved"]);
        }
    }
}

#[tokio::test]
async fn a_flush_takes_over_the_claim_of_a_dead_worker() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    let dead = stage.take("dead", "ana").await.unwrap();
    stage.once(Route::UpdateStatus, Fault::DropAfter);
    let deadly = DeadlyStore::new(Arc::clone(&stage.store), 2, Death::Before);
    tokio::select! {
        attempt = stage.deliver_on(&deadly, &dead) => panic!("it lives: {attempt:?}"),
        () = deadly.died.notified() => {}
    }
    let outbox = outbox(&stage, "bo");
    assert_eq!(outbox.bury(|_| false).await.unwrap(), 0);
    assert!(outbox.bury(|who| *who == worker("dead")).await.unwrap() > 0);
    let flushed = outbox.flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    assert_eq!((flushed.settled.len(), flushed.open.len()), (1, 0));
    assert_eq!(stage.state(&decision).await, DeliveryState::Sent);
    assert_eq!(stage.changed(session), ["Approved"]);
}

#[tokio::test]
async fn a_flush_waits_for_a_claim_that_still_lives() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.take("dead", "ana").await.unwrap();
    let outbox = outbox(&stage, "ana");
    let never = CancellationToken::new();
    let flush = outbox.flush(PATIENCE, &never);
    let later = async {
        stage.clock.turn(CLAIM + 1);
        outbox.nudge();
    };
    let (flushed, ()) = tokio::join!(async { flush.await.unwrap() }, later);
    assert_eq!((flushed.settled.len(), flushed.open.len()), (1, 0));
    assert_eq!(stage.state(&decision).await, DeliveryState::Sent);
    assert_eq!(stage.changed(session), ["Approved"]);
}

#[tokio::test]
async fn a_flush_ends_in_time_and_names_what_is_open() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.take("elsewhere", "ana").await.unwrap();
    let flushed =
        outbox(&stage, "ana").flush(Duration::ZERO, &CancellationToken::new()).await.unwrap();
    assert_eq!((flushed.settled.len(), flushed.open), (0, vec![decision.id]));
}

#[tokio::test]
async fn a_flush_does_not_wait_for_a_key_to_be_mended() {
    let (stage, session) = one(Backend::Memory, Options::default()).await;
    let decision = stage.decide(session, APPROVE, "ana").await;
    stage.sim.knobs().always(On::route(Route::Decision), answer(401));
    let flushed = outbox(&stage, "ana").flush(PATIENCE, &CancellationToken::new()).await.unwrap();
    let [(id, _, Settled::Later { why, .. })] = &flushed.settled[..] else { panic!("{flushed:?}") };
    assert_eq!((*id, &flushed.open[..]), (decision.id, &[decision.id][..]));
    assert!(why.contains("key"), "{why}");
    assert_eq!(stage.count(Route::Decision), 1);
}

#[tokio::test]
async fn the_runner_tells_of_a_store_that_fails() {
    let (stage, session) = one(Backend::Sqlite, Options::default()).await;
    stage.decide(session, APPROVE, "ana").await;
    stage.store.close().await;
    let (sender, mut events) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let outbox = outbox(&stage, "ana");
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { outbox.run(sender, stop).await }
    });
    assert!(matches!(next(&mut events).await, Event::Failed(_)));
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
    assert_eq!(stage.calls(), []);
}
