//! Two people bring every case to an end, also one of which there is no picture; one person never does.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use secondlook::core::{Event, PictureState, Side};
use secondlook::domain::{CaseState, Decision, Details, Disposition, Judgement, Reason};
use secondlook::sim::{Candidate, Limits, Options, Session, Sim};
use serde_json::Value;
use uuid::Uuid;

use crate::accounted::{held, session};
use crate::core_support::{Play, id, known, reviewer, settings};
use crate::crash::Rig;
use crate::people::Person;
use crate::roster::{no, ok, rostered};
use crate::terminal::{Home, Plays, candidate, subject, world};

// The console.

fn gone(play: &mut Play, number: u64, side: Side) {
    let state = PictureState::Gone { why: "Didit kept a template of this face".to_owned() };
    play.send(Event::Picture { key: id(number), side, state });
}

/// The case as somebody comes upon it, the picture of its second candidate being none.
fn without(name: &str, details: &Details, proposal: Option<Box<Decision>>) -> Play {
    let mut settings = settings();
    settings.reviewer = reviewer(name);
    let mut play = Play::cold(vec![details.clone(), known(2, &[80.0])], settings);
    if proposal.is_some() {
        play.cases[0].state = CaseState::Escalated;
        play.cases[0].proposal = proposal;
        play.settle();
        play.press("tab v enter");
    }
    play.settle();
    gone(&mut play, 1, Side::Candidate(1));
    play.look();
    assert_eq!(play.on_desk(), 1);
    play
}

fn last(play: &Play) -> Decision {
    play.decisions[0].decision.clone()
}

/// What `ana` proposes of #1 without a picture of its second candidate.
fn proposed(key: &str) -> (Details, Box<Decision>) {
    let details = known(1, &[88.0, 80.0]);
    let mut play = without("ana", &details, None);
    play.press("a");
    assert_eq!(play.place(), 1);
    play.press(&format!("t n {key}"));
    (details, Box::new(last(&play)))
}

#[test]
fn without_a_picture_nobody_decides_alone() {
    let details = known(1, &[88.0, 80.0]);
    let mut play = without("ana", &details, None);
    play.press("a a x");
    assert_eq!(play.decided(), Vec::<String>::new());
    assert!(play.notice().contains("two people decide, reason no_picture"), "{}", play.notice());
    assert!(play.consequence().0.contains("no picture of B"), "{:?}", play.consequence());
    // Another reason is none.
    play.press("t f a x i");
    assert_eq!(play.decided(), Vec::<String>::new());
    // Who cannot be one of two learns what to do.
    play.model.settings.alone =
        Some("two people need a roster: `secondlook reviewers add` sets one up".to_owned());
    play.press("t n a x");
    assert_eq!(play.decided(), Vec::<String>::new());
    assert!(play.notice().contains("secondlook reviewers add"), "{}", play.notice());
}

#[test]
fn a_picture_that_may_still_come_is_waited_for() {
    let mut play = without("ana", &known(1, &[88.0, 80.0]), None);
    play.press("a t n");
    let failed = PictureState::Failed { why: "no connection".to_owned() };
    for state in [failed, PictureState::Waiting] {
        let (key, side) = (id(1), Side::Candidate(1));
        play.send(Event::Picture { key, side, state });
        play.press("a x");
        assert_eq!(play.decided(), Vec::<String>::new());
    }
    // It came: it is looked at, and the reason does not fit any more.
    play.send(Event::Picture {
        key: id(1),
        side: Side::Candidate(1),
        state: crate::core_support::ready("late", crate::core_support::START.plus(3_000_000)),
    });
    play.press("a x");
    assert_eq!(play.decided(), Vec::<String>::new());
    assert!(play.notice().contains("choose another reason"), "{}", play.notice());
    play.press("t d a");
    assert_eq!(play.decided(), ["#1 approve"]);
    assert!(!last(&play).is_proposal());
}

#[test]
fn two_people_who_mean_the_same_decide_without_a_picture() {
    for (key, disposition) in [("a", Disposition::Approve), ("x", Disposition::Reject)] {
        let (details, proposal) = proposed(key);
        assert!(proposal.is_proposal());
        assert_eq!((proposal.disposition, proposal.reason), (disposition, Some(Reason::NoPicture)));
        let said: Vec<_> = proposal.judgements.iter().map(|judged| judged.judgement).collect();
        assert_eq!(said, [Some(Judgement::Different), None], "what was not seen is not judged");
        assert_eq!(proposal.evidence, details.case.candidates);
        let mut play = without("ben", &details, Some(proposal.clone()));
        assert_eq!(play.place(), 1, "at the face that has no picture");
        // The other way is none: one person's word against one is no two.
        let other = if key == "a" { "x" } else { "a" };
        play.press(&format!("t n {other}"));
        assert_eq!(play.decided(), Vec::<String>::new());
        assert!(play.notice().contains("is proposed"), "{}", play.notice());
        if key == "a" {
            play.press("a");
            assert_eq!(play.place(), 0, "the pair that can be seen is looked at by both");
        }
        play.press(key);
        let yes = last(&play);
        assert!(yes.confirms(&proposal), "{yes:?}");
        assert!(!yes.is_proposal());
        // And whoever means otherwise declines it.
        let mut play = without("ben", &details, Some(proposal.clone()));
        play.press("e");
        let no = last(&play);
        assert_eq!((no.disposition, no.answers), (Disposition::Escalate, Some(proposal.id)));
    }
}

#[test]
fn a_held_key_and_a_burst_propose_nothing_twice() {
    let details = known(1, &[80.0]);
    let mut play = Play::cold(vec![details, known(2, &[80.0])], settings());
    play.settle();
    gone(&mut play, 1, Side::Candidate(0));
    play.look();
    play.press("t n");
    for _ in 0..5 {
        play.strike("a");
    }
    play.wait(60);
    play.settle();
    assert_eq!(play.decided(), Vec::<String>::new(), "too many keys at once");
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
    assert!(last(&play).is_proposal());
}

/// Strong-only cases are decided from their view, in the same console.
#[test]
fn a_strong_case_is_decided_from_its_view() {
    let mut play = Play::cold(vec![known(1, &[80.0]), known(2, &[97.0])], settings());
    play.cases[1].state = CaseState::Left;
    play.settle();
    play.press("tab v v enter");
    assert_eq!(play.on_desk(), 2);
    play.press("a");
    assert_eq!(play.decided(), ["#2 approve"]);
}

// The program.

async fn rows(rig: &Rig, arguments: &[&str]) -> Vec<Value> {
    let out = ok(rig, arguments).await;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Cases as the simulator can have them: any source, score and check; no picture of the subject, none of a
/// candidate, none of anybody; candidates that cannot be read; saved searches; strong ones only.
fn sessions() -> Vec<Session> {
    let mut runner = TestRunner::deterministic();
    let mut held = |number| session(number, &held().new_tree(&mut runner).unwrap().current());
    let mut all: Vec<Session> = (1_001..=1_020).map(&mut held).collect();
    let template = || Candidate::retained(Uuid::from_u128(7), 80.0);
    all.push(Session::in_review(1_021).with(template()));
    all.push(Session::in_review(1_022).with(template()).with(Candidate::session(7, 75.0)));
    all.push(Session::in_review(1_023).with(Candidate::session(7, 75.0)).but(|s| s.picture = None));
    all.push(Session::in_review(1_024).with(Candidate::session(7, 97.0)));
    all.push(Session::saved_search(1_025).with(template()));
    all.push(Session::in_review(1_026).with(Candidate::imported("nobody", 80.0)));
    all
}

/// One person's word on a case: its state, with the reason that it takes where it takes one.
async fn says(rig: &mut Rig, who: &Person, case: &str, verdict: &str) -> String {
    rig.env = who.env();
    let plain = ["decide", case, verdict, "--json"];
    let (code, out, err) = rig.run_aloud(&plain).await;
    let out = match code {
        Some(0) => out,
        _ => {
            assert!(err.contains("--reason no_picture"), "{case} {verdict}: {err}");
            ok(rig, &[&plain[..], &["--reason", "no_picture"]].concat()).await
        }
    };
    let row: Value = serde_json::from_str(out.trim()).unwrap();
    row["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_bring_every_case_to_its_end() {
    let Some((mut rig, people)) = rostered(&[], &["chief", "ana", "eva"]).await else { return };
    let [_, ana, eva] = &people[..] else { panic!() };
    for session in sessions() {
        rig.sim.knobs().add(session);
    }
    ok(&rig, &["sync"]).await;
    let mut cases = Vec::new();
    for state in ["open", "left"] {
        for row in rows(&rig, &["queue", "list", "--state", state, "--json"]).await {
            cases.push((row["case"].as_str().unwrap().to_owned(), state));
        }
    }
    assert!(cases.len() > 12 && cases.iter().any(|(_, state)| *state == "left"), "{cases:?}");
    let (mut alone, mut two) = (0, 0);
    for (n, (case, _)) in cases.iter().enumerate() {
        let verdict = ["approve", "reject"][n % 2];
        match says(&mut rig, ana, case, verdict).await.as_str() {
            "held" | "local" => alone += 1,
            "proposed" => {
                two += 1;
                let state = says(&mut rig, eva, case, verdict).await;
                assert!(["held", "local"].contains(&state.as_str()), "{case}: {state}");
            }
            other => panic!("{case}: {other}"),
        }
    }
    assert!(alone > 3 && two > 3, "{alone} {two}");
    for who in [ana, eva] {
        rig.env = who.env();
        rig.run(&["outbox", "flush"]).await;
    }
    let told = rows(&rig, &["history", "--limit", "500", "--json"]).await;
    for (case, _) in &cases {
        // The newest word on it.
        let row = told.iter().find(|row| row["case"] == **case).unwrap();
        let state = row["state"].as_str().unwrap();
        let in_words = row["note"].as_str().is_some_and(|note| !note.is_empty());
        assert!(["sent", "local"].contains(&state) || state == "refused" && in_words, "{row}");
        assert!(!in_words || !row["note"].as_str().unwrap().contains("not sent"), "{row}");
    }
    assert!(ok(&rig, &["audit", "verify", "--json"]).await.contains("\"whole\":true"));
    rig.sim.shutdown().await;
}

/// The reason alone is worth nothing: who has no roster, means otherwise or would list a face is told what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_picture_takes_two_who_mean_the_same() {
    let Some((mut rig, people)) = rostered(&[], &["chief", "ana", "eva"]).await else { return };
    let [_, ana, eva] = &people[..] else { panic!() };
    let template = Candidate::retained(Uuid::from_u128(7), 80.0);
    rig.sim.knobs().add(Session::in_review(1_001).with(template));
    rig.sim.knobs().add(Session::in_review(1_002).with(Candidate::session(7, 80.0)));
    ok(&rig, &["sync"]).await;
    rig.env = ana.env();
    no(&rig, &["decide", "1001", "approve"], 1, "--reason no_picture").await;
    no(&rig, &["decide", "1001", "reject", "--reason", "fraud"], 1, "--reason no_picture").await;
    no(&rig, &["decide", "1002", "approve", "--reason", "no_picture"], 2, "there are pictures")
        .await;
    let blocklist = ["decide", "1001", "blocklist", "--target", "1001", "--reason", "no_picture"];
    no(&rig, &blocklist, 1, "nobody is blocklisted without a picture").await;
    let approve = ["decide", "1001", "approve", "--reason", "no_picture"];
    ok(&rig, &approve).await;
    no(&rig, &approve, 6, "another reviewer decides it").await;
    rig.run(&["outbox", "flush"]).await;
    assert_eq!(crate::roster::writes(&rig), 0, "a proposal sends nothing");
    // Nobody outside the roster is the second.
    let env = std::mem::take(&mut rig.env);
    let (code, _, _) = rig.run_aloud(&approve).await;
    assert_ne!(code, Some(0));
    rig.env = env;
    rig.env = eva.env();
    let reject = ["decide", "1001", "reject", "--reason", "no_picture"];
    no(&rig, &reject, 6, "proposes to approve").await;
    ok(&rig, &approve).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(crate::roster::writes(&rig), 1);
    assert!(ok(&rig, &["audit", "verify", "--json"]).await.contains("\"whole\":true"));
    rig.sim.shutdown().await;
}

// The console, in a terminal.

/// An imported face without a picture: its user's portrait is fetched, said to be that, and in the receipt. A template
/// has neither: two people are named as the way out, and the user's id at Didit reaches no disk. And a strong case is
/// taken from its view and decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_a_template_and_a_strong_case_in_the_same_console() {
    let user = Uuid::from_u128(0x7e57_0000_1111_2222_3333_4444_5555_6666);
    let mut world = world([]);
    // Its face is enrolled with the user, who so has a portrait; the match itself shows none.
    world.add(subject(900).with(Candidate::imported("user-5", 77.0)).but(|s| {
        s.status = "Approved".to_owned();
    }));
    let hidden = Candidate { picture: None, ..Candidate::imported("user-5", 77.0) };
    world.add(subject(1_001).with(hidden));
    world.add(subject(1_002).with(Candidate::retained(user, 81.0)));
    world.add(subject(1_003).with(candidate(6_003, 97.0)));
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world, options).await.unwrap();
    let home = Home::at(&sim, 300);
    let before = home.run(&["sync"]);
    assert_eq!(before.code, 0, "{before:?}");
    let console = home.console(Plays::Kitty);
    tokio::task::block_in_place(|| {
        console.wait_armed(1_001);
        console.wait_for(&["portrait, not the picture that matched", "PORTRAIT"]);
        console.press("a");
        console.wait_for(&["A SUBJECT #1002", "template"]);
        console.press_until("a", "two people decide, reason no_picture");
        console.press("\t");
        console.wait_for(&["strong only 1"]);
        console.press_until("v", "#1003");
        console.press("\r");
        console.wait_armed(1_003);
        console.press("a");
        assert_eq!(home.recorded(2), ["approve held", "approve held"]);
    });
    let url = format!("sqlite:{}", home.path("store.db").display());
    let store = secondlook::store::open(&url).await.unwrap();
    let origin = store.origins().await.unwrap().pop().unwrap();
    let past = store.history(&origin, &secondlook::store::HistoryQuery::default()).await.unwrap();
    let receipt = |number: u64| {
        let row = past.rows.iter().find(|row| row.decision.session_number == Some(number)).unwrap();
        row.decision.receipt.pictures.iter().map(|seen| seen.portrait).collect::<Vec<_>>()
    };
    assert_eq!(receipt(1_001), [false, true], "the subject's own, and a portrait");
    assert_eq!(receipt(1_003), [false, false]);
    store.close().await;
    for file in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(home.path(file)).unwrap_or_default();
        for id in [user.to_string(), user.simple().to_string()] {
            assert!(!bytes.windows(id.len()).any(|part| part == id.as_bytes()), "{file}");
        }
    }
    drop(console);
    sim.shutdown().await;
}
