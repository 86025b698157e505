//! Every session that Didit holds is a case or has a reason: whatever risks, sources, face checks and shapes of
//! scores it comes with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use proptest::prelude::*;
use secondlook::domain::{CaseState, Explained, Source};
use secondlook::intake::{Intake, Notice, Settings};
use secondlook::sim::{Candidate, Check, Face, Picture, Route, Session};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stage::{Backend, Stage, key_of, world};

const KNOWN: [&str; 6] = [
    "POSSIBLE_DUPLICATED_FACE",
    "POSSIBLE_FACE_IN_BLOCKLIST",
    "DUPLICATED_FACE_NAME_MISMATCH",
    "LIVENESS_FACE_ATTACK",
    "HIGH_FACE_LUMINANCE",
    "MULTIPLE_FACES_DETECTED",
];

/// What is sent as a score: a number, or something that is none.
#[derive(Debug, Clone)]
enum Score {
    Percent(f64),
    Odd(usize),
}

impl Score {
    fn odd(place: usize) -> Value {
        let shapes = [
            json!(null),
            json!("81.4"),
            json!(101),
            json!(-0.5),
            json!({}),
            json!([80.0]),
            json!(true),
        ];
        shapes[place % shapes.len()].clone()
    }
}

#[derive(Debug, Clone)]
struct Found {
    source: usize,
    score: Score,
    check: usize,
    same: bool,
    listed: (bool, bool),
}

#[derive(Debug, Clone)]
pub struct Held {
    risks: Vec<usize>,
    unknown: bool,
    by_document: bool,
    found: Vec<Found>,
}

fn found() -> impl Strategy<Value = Found> {
    let percent = prop_oneof![
        prop::sample::select(vec![0.0, 69.99, 70.0, 89.99, 90.0, 100.0]),
        0.0f64..=100.0
    ];
    let score =
        prop_oneof![3 => percent.prop_map(Score::Percent), 1 => (0usize..7).prop_map(Score::Odd)];
    let listed = (prop::bool::weighted(0.15), prop::bool::weighted(0.15));
    (0usize..5, score, 0usize..3, prop::bool::weighted(0.15), listed).prop_map(
        |(source, score, check, same, listed)| Found { source, score, check, same, listed },
    )
}

pub fn held() -> impl Strategy<Value = Held> {
    let risks = prop::collection::vec(0usize..KNOWN.len(), 0..3);
    let found = prop::collection::vec(found(), 0..4);
    (risks, prop::bool::weighted(0.2), prop::bool::weighted(0.2), found).prop_map(
        |(risks, unknown, by_document, found)| Held { risks, unknown, by_document, found },
    )
}

pub fn session(number: u64, held: &Held) -> Session {
    let mut session = Session::in_review(number);
    session.warnings = held.risks.iter().map(|place| KNOWN[*place].to_owned()).collect();
    if held.unknown {
        session.warnings.push("FACE_OF_THE_FUTURE".to_owned());
    }
    for shot in 2..4 {
        let picture = Some(Picture::of(Face::of(number), shot));
        session.further.push(Check { picture, warnings: Vec::new() });
    }
    for (place, found) in held.found.iter().enumerate() {
        let other = 100_000 + number * 10 + place as u64;
        let mut candidate = match found.source {
            0 => Candidate::session(other, 50.0),
            1 => Candidate::imported(&format!("user-{other}"), 50.0),
            2 => Candidate { blocklisted: false, ..Candidate::list_entry(50.0) },
            3 => Candidate::retained(Uuid::from_u128(u128::from(other)), 50.0),
            _ => Candidate { source: "hologram".to_owned(), ..Candidate::session(other, 50.0) },
        };
        candidate.similarity = None;
        candidate.raw_score = Some(match found.score {
            Score::Percent(percent) => json!(percent),
            Score::Odd(place) => Score::odd(place),
        });
        candidate.check = found.check;
        (candidate.blocklisted, candidate.allowlisted) = found.listed;
        if found.same {
            candidate.vendor_data.clone_from(&session.vendor_data);
        }
        session.candidates.push(candidate);
    }
    if held.by_document && session.risks().next().is_none() && session.candidates.is_empty() {
        session.held_by = Some("ID_VERIFICATION".to_owned());
    }
    session
}

/// What the rules of the design make of it, said here once more and in other words.
fn wanted(held: &Held) -> Option<CaseState> {
    let judged = held.found.iter().filter(|found| !found.same && !found.listed.1);
    let mut strong = false;
    for found in judged {
        match found.score {
            Score::Odd(_) => return Some(CaseState::Open),
            Score::Percent(percent) if (70.0..90.0).contains(&percent) => {
                return Some(CaseState::Open);
            }
            Score::Percent(percent) if percent < 70.0 && found.listed.0 => {
                return Some(CaseState::Open);
            }
            Score::Percent(percent) => strong |= percent >= 90.0,
        }
    }
    strong.then_some(CaseState::Left)
}

async fn all_are_accounted_for(all: &[Held]) {
    let mut world = world();
    let mut sessions = Vec::new();
    for (number, held) in (1_001..).zip(all) {
        sessions.push((world.add(session(number, held)), held));
    }
    let stage = Stage::new(Backend::Memory, world).await;
    let (clock, store) = (Arc::clone(&stage.clock), Arc::clone(&stage.store));
    let mut intake =
        Intake::new(store, &stage.client, clock, stage.origin.clone(), Settings::default());
    let (unknown, unreadable) = (Mutex::new(BTreeSet::new()), Mutex::new(0u64));
    let report = |notice| match notice {
        Notice::Unknown { name, .. } => {
            unknown.lock().unwrap().insert(name);
        }
        Notice::Unreadable { .. } => *unreadable.lock().unwrap() += 1,
        _ => {}
    };
    let counts = intake.pull(&report, &CancellationToken::new()).await.unwrap();
    assert_eq!(counts.silent(), 0, "{counts:?}");
    assert_eq!(counts.seen, all.len() as u64, "{counts:?}");
    let mut reasons = 0;
    for (id, held) in sessions {
        let row = stage.store.case(&stage.origin, &key_of(id), stage.now()).await.unwrap();
        assert_eq!(row.as_ref().map(|row| row.state), wanted(held), "{held:?}");
        let Some(row) = row else {
            reasons += 1;
            continue;
        };
        let mut blocks: Vec<_> = row.case.candidates.iter().map(|c| c.block).collect();
        blocks.dedup();
        let mut checks: Vec<_> = held.found.iter().map(|found| found.check).collect();
        checks.sort_unstable();
        checks.dedup();
        assert_eq!(blocks.len(), checks.len(), "each keeps its check: {held:?}");
        let odd = held.found.iter().filter(|found| matches!(found.score, Score::Odd(_)));
        let none = row.case.candidates.iter().filter(|c| c.similarity.is_none());
        assert_eq!(none.count(), odd.count(), "{held:?}");
    }
    assert_eq!(counts.explained.total(), reasons, "{counts:?}");
    let told: BTreeSet<_> = unknown.into_inner().unwrap();
    assert_eq!(told.contains("FACE_OF_THE_FUTURE"), all.iter().any(|held| held.unknown));
    let hologram = all.iter().flat_map(|held| &held.found).any(|found| found.source == 4);
    assert_eq!(told.contains("hologram"), hologram);
    let loud = all.iter().filter(|held| {
        let odd = held.found.iter().any(|found| matches!(found.score, Score::Odd(_)));
        odd && wanted(held).is_some()
    });
    assert_eq!(unreadable.into_inner().unwrap(), loud.count() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_session_is_a_case_or_has_a_reason(all in prop::collection::vec(held(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all_are_accounted_for(&all));
    }
}

#[tokio::test]
async fn a_candidate_of_a_later_check_queues_the_case_and_keeps_its_picture() {
    let mut world = world();
    let session = world.add(
        Session::in_review(1_001)
            .with(Candidate::session(7, 91.5))
            .with_check(Candidate::session(8, 50.0))
            .with_check(Candidate::session(9, 77.7)),
    );
    let stage = Stage::new(Backend::Sqlite, world).await;
    let (clock, store) = (Arc::clone(&stage.clock), Arc::clone(&stage.store));
    let mut intake =
        Intake::new(store, &stage.client, clock, stage.origin.clone(), Settings::default());
    let counts = intake.pull(&|_| (), &CancellationToken::new()).await.unwrap();
    assert_eq!((counts.queued, counts.silent()), (1, 0));
    let row =
        stage.store.case(&stage.origin, &key_of(session), stage.now()).await.unwrap().unwrap();
    let blocks: Vec<_> = row.case.candidates.iter().map(|c| c.block).collect();
    assert_eq!(blocks, [0, 1, 2]);
    let seen = stage.client.decision(&key_of(session), row.case.kind).await.unwrap();
    let links: BTreeSet<_> =
        blocks.iter().map(|b| seen.subject_link(*b).unwrap().reveal().to_owned()).collect();
    assert_eq!(links.len(), 3, "each check has a picture of its own");
    for link in links {
        assert!(reqwest::get(link).await.unwrap().status().is_success());
    }
}

/// A risk that is in no table and no filter reaches the queue, and is said once.
#[tokio::test]
async fn a_warning_of_the_future_is_found_without_a_filter() {
    let mut world = world();
    for number in 1_001..=1_003 {
        world.add(
            Session::in_review(number)
                .with(Candidate::session(7, 81.0))
                .but(|s| s.warnings = vec!["FACE_OF_THE_FUTURE".into()]),
        );
    }
    world.add(Session::in_review(1_004).but(|s| s.warnings = vec!["LOW_LIVENESS_SCORE".into()]));
    world.add(Session::in_review(1_005).with(Candidate::retained(Uuid::from_u128(5), 84.0)));
    let stage = Stage::new(Backend::Memory, world).await;
    let (clock, store) = (Arc::clone(&stage.clock), Arc::clone(&stage.store));
    let mut intake =
        Intake::new(store, &stage.client, clock, stage.origin.clone(), Settings::default());
    let said = Mutex::new(Vec::new());
    let report = |notice| {
        if let Notice::Unknown { kind, name } = notice {
            said.lock().unwrap().push(format!("{kind} {name}"));
        }
    };
    let counts = intake.pull(&report, &CancellationToken::new()).await.unwrap();
    assert_eq!((counts.seen, counts.queued, counts.silent()), (5, 4, 0));
    assert_eq!(counts.explained.of(Explained::NoCandidate), 1);
    assert_eq!(*said.lock().unwrap(), ["warning about a face FACE_OF_THE_FUTURE"]);
    let key = key_of(secondlook::sim::session_id(1_005));
    let row = stage.store.case(&stage.origin, &key, stage.now()).await.unwrap().unwrap();
    assert_eq!(row.case.candidates[0].source, Source::Retained);
    let asked = stage.count(Route::Decision);
    intake.pull(&report, &CancellationToken::new()).await.unwrap();
    assert_eq!(stage.count(Route::Decision), asked, "nothing is read twice");
}

#[tokio::test]
async fn strong_only_cases_are_queued_where_the_settings_say_so() {
    let mut world = world();
    let session = world.add(Session::in_review(1_001).with(Candidate::session(7, 96.0)));
    let stage = Stage::new(Backend::Memory, world).await;
    let (clock, store) = (Arc::clone(&stage.clock), Arc::clone(&stage.store));
    let settings = Settings { queue_strong: true, ..Settings::default() };
    let mut intake = Intake::new(store, &stage.client, clock, stage.origin.clone(), settings);
    let counts = intake.pull(&|_| (), &CancellationToken::new()).await.unwrap();
    assert_eq!((counts.queued, counts.left), (1, 0));
    let row =
        stage.store.case(&stage.origin, &key_of(session), stage.now()).await.unwrap().unwrap();
    assert_eq!(row.state, CaseState::Open);
}
