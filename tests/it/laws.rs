//! The rules that keep a wrong person from being decided about, held against `core::update`: one table
//! for each key, one for each guard, and laws over random events.

use proptest::prelude::*;
use secondlook::core::{
    Action, Effect, Event, Exit, LeaseState, Model, NotArmed, Overlay, PictureState, ProblemKind,
    Screen, Shown, Side, Sight, Signal, StoreTrouble, View, Zoom, wants,
};
use secondlook::domain::{
    BoundingBox, CaseState, Decision, DeliveryState, Details, Disposition, Judgement, LeaseAnswer,
    Millis, Reason, SessionId, Source, Status, SubjectKind, Taken, WorkerId,
};
use secondlook::input::Key;

use crate::core_support::{
    DWELL, Play, SHOWN, START, candidate, id, known, lease, person, problem, ready, reviewer,
    settings,
};

/// Three cases of one candidate each: `#1`, `#2`, `#3`.
fn three() -> Play {
    Play::new(vec![known(1, &[81.0]), known(2, &[82.0]), known(3, &[83.0])])
}

fn judgements(effects: &[Effect]) -> Vec<(usize, Option<Judgement>)> {
    let decided = effects.iter().rev().find_map(|effect| match effect {
        Effect::Decide(decision) => Some(decision),
        _ => None,
    });
    decided.unwrap().judgements.iter().map(|j| (j.place, j.judgement)).collect()
}

fn last_decision(play: &Play) -> Decision {
    let found = play.effects.iter().rev().find_map(|effect| match effect {
        Effect::Decide(decision) => Some(decision.as_ref().clone()),
        _ => None,
    });
    found.unwrap()
}

fn boxes(count: usize) -> Vec<BoundingBox> {
    let face = BoundingBox::new([1.0, 1.0, 9.0, 9.0]).unwrap();
    vec![face; count]
}

// Each key.

#[test]
fn a_approves_a_case_of_one_candidate_with_one_key() {
    let mut play = three();
    assert_eq!(play.consequence().0, "#1 In Review -> Approved");
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
    assert_eq!(judgements(&play.effects), [(0, Some(Judgement::Different))]);
    assert_eq!(play.on_desk(), 2, "the next pair is there");
    assert!(play.notice().contains("#1 approve held"), "{}", play.notice());
    let decision = last_decision(&play);
    assert_eq!(decision.seen_status, Status::InReview);
    assert_eq!(decision.receipt.pictures.len(), 2);
    assert!(decision.receipt.dwell_ms >= DWELL);
}

#[test]
fn a_goes_through_every_candidate_before_it_approves() {
    let mut play = Play::new(vec![known(1, &[88.0, 97.0, 72.0, 40.0]), known(2, &[75.0])]);
    assert_eq!(play.consequence().0, "this pair different, then 2 more to judge");
    play.press("a");
    assert_eq!((play.decided().len(), play.place()), (0, 1));
    assert!(!play.armed(), "the next pair was not looked at yet");
    play.press("a");
    assert_eq!((play.decided().len(), play.place()), (0, 2));
    play.look();
    assert_eq!(play.consequence().0, "#1 In Review -> Approved");
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
    let different = Some(Judgement::Different);
    assert_eq!(judgements(&play.effects), [(0, different), (1, different), (2, different)]);
}

#[test]
fn a_judges_in_any_order_and_the_last_one_approves() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0, 72.0])]);
    play.press("l a");
    assert_eq!(play.place(), 2);
    play.press("h h a");
    assert_eq!((play.decided().len(), play.place()), (0, 2), "on to the one that is left");
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
}

#[test]
fn judging_one_candidate_twice_is_not_judging_two() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0])]);
    play.press("a h a h a");
    assert_eq!(play.decided(), [""; 0]);
    assert_eq!(play.place(), 1);
}

#[test]
fn a_does_nothing_on_a_candidate_that_needs_no_judgement() {
    let mut play = Play::new(vec![known(1, &[88.0, 40.0])]);
    play.press("l");
    play.look();
    assert_eq!(play.consequence().0, "nothing, this candidate needs no judgement");
    play.press("a x i");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("needs no judgement"));
}

#[test]
fn x_rejects_at_once_and_leaves_the_rest_unjudged() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0, 72.0]), known(2, &[75.0])]);
    assert_eq!(play.consequence().1, "#1 In Review -> Declined");
    play.press("x");
    assert_eq!(play.decided(), ["#1 reject"]);
    assert_eq!(judgements(&play.effects), [(0, Some(Judgement::Same)), (1, None), (2, None)]);
    assert_eq!(play.on_desk(), 2);
}

#[test]
fn the_consequence_line_says_when_a_decline_lists_the_face_by_itself() {
    for (auto, words) in [
        (Some(true), "AUTO-BLOCKLIST"),
        (None, "may blocklist"),
        (Some(false), "#1 In Review -> Declined"),
    ] {
        let mut details = known(1, &[88.0]);
        details.auto_blocklist = auto;
        let play = Play::new(vec![details]);
        assert!(play.consequence().1.contains(words), "{:?}", play.consequence());
    }
}

#[test]
fn what_a_workflow_was_seen_to_do_is_said_of_its_other_cases() {
    let of = |number, workflow: &str| {
        let mut details = known(number, &[88.0]);
        details.auto_blocklist = None;
        details.workflow = Some(workflow.to_owned());
        details
    };
    let mut play = Play::new(vec![of(1, "w1"), of(2, "w2")]);
    play.send(Event::Listing(["w1".to_owned()].into()));
    assert!(play.consequence().1.contains("AUTO-BLOCKLIST"), "{:?}", play.consequence());
    play.press("x");
    assert_eq!(last_decision(&play).workflow.as_deref(), Some("w1"));
    play.look();
    assert!(play.consequence().1.contains("may blocklist"), "{:?}", play.consequence());
}

#[test]
fn i_sends_the_case_to_a_second_reviewer_as_unsure() {
    let mut play = three();
    play.press("i");
    assert_eq!(play.decided(), ["#1 escalate"]);
    assert_eq!(judgements(&play.effects), [(0, Some(Judgement::Unsure))]);
    assert!(play.notice().contains("#1 escalated"), "{}", play.notice());
}

#[test]
fn e_escalates_also_when_a_picture_is_gone() {
    let mut play = three();
    let state = PictureState::Gone { why: "refused twice".to_owned() };
    play.send(Event::Picture { key: id(1), side: Side::Subject, state });
    play.press("a x i");
    assert_eq!(play.decided(), [""; 0]);
    play.press("e");
    assert_eq!(play.decided(), ["#1 escalate"]);
    assert_eq!(judgements(&play.effects), [(0, None)]);
}

#[test]
fn s_puts_the_case_at_the_end_and_decides_nothing() {
    let mut play = three();
    play.press("s");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.effects.contains(&Effect::Skip(id(1))));
    assert_eq!(play.on_desk(), 2);
    assert_eq!(play.model.queue.rows.last().unwrap().case.key, id(1));
    assert_eq!(play.model.queue.total, 3);
}

#[test]
fn a_held_s_skips_one_case() {
    let mut play = three();
    for _ in 0..40 {
        play.strike("s");
        play.wait(33);
        play.settle();
    }
    assert_eq!(play.effects.iter().filter(|e| matches!(e, Effect::Skip(_))).count(), 1);
}

#[test]
fn b_blocklists_the_subject_after_its_number_and_its_own_key() {
    let mut play = three();
    play.press("B");
    assert!(matches!(play.top(), Some(Overlay::Interlock(_))));
    play.press("B enter");
    assert_eq!(play.decided(), [""; 0], "not before the number was typed");
    play.press("1 enter");
    assert_eq!(play.decided(), [""; 0], "enter does nothing");
    play.press("B");
    assert_eq!(play.decided(), ["#1 blocklist"]);
    let target = last_decision(&play).target.unwrap();
    assert_eq!((target.session_id, target.is_subject), (id(1), true));
    assert_eq!(play.model.overlays, []);
    assert_eq!(play.on_desk(), 2);
}

#[test]
fn b_with_the_number_of_a_candidate_names_the_candidate() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0]), known(2, &[75.0])]);
    play.press("B l l 1 2 B");
    let decision = last_decision(&play);
    let target = decision.target.unwrap();
    assert_eq!((target.session_id, target.is_subject), (id(12), false));
    assert_eq!(decision.case, id(1), "Declined is only ever written to the subject");
}

#[test]
fn a_wrong_digit_clears_and_another_target_forgets() {
    let mut play = Play::new(vec![known(4821, &[88.0])]);
    play.press("B 4 8 9 2 1 B");
    assert_eq!(play.decided(), [""; 0], "a wrong digit clears");
    play.press("4 8 l h 2 1 B");
    assert_eq!(play.decided(), [""; 0], "what was typed for another target is forgotten");
    play.press("4 8 2 1 1 B");
    assert_eq!(play.decided(), [""; 0], "one digit too many clears");
    let mut anew = play.clone();
    anew.press("4 9 4 8 2 1 B");
    assert_eq!(anew.decided(), ["#4821 blocklist"], "after a wrong digit it is typed anew");
    play.press("4 8 2 1 esc");
    assert_eq!(play.model.overlays, []);
    assert_eq!(play.notice(), "Nothing was put on the blocklist.");
    play.press("B B");
    assert_eq!(play.decided(), [""; 0], "what was typed before is forgotten");
}

/// Changes what Didit says of a case.
type Change = fn(&mut Details);

#[test]
fn who_cannot_be_listed_is_refused_in_words() {
    let unknown = |d: &mut Details| d.candidates[0].status = None;
    let listed = |d: &mut Details| d.case.candidates[0].blocklisted = true;
    let entry = |d: &mut Details| d.case.candidates[0].source = Source::ListEntry;
    let no_session = |d: &mut Details| d.case.candidates[0].session_id = None;
    let no_number = |d: &mut Details| d.case.candidates[0].session_number = None;
    let cases: [(&str, Change); 5] = [
        ("status is not known", unknown),
        ("already on a blocklist", listed),
        ("no session", entry),
        ("no session", no_session),
        ("no number", no_number),
    ];
    for (words, change) in cases {
        let mut details = known(1, &[88.0]);
        change(&mut details);
        let mut play = Play::new(vec![details]);
        play.press("B l");
        let Some(Overlay::Interlock(lock)) = play.top() else { panic!("{words}: not open") };
        let why = lock.target().unwrap().refused.clone().unwrap_or_default();
        assert!(why.contains(words), "{words}: {why}");
        play.press("1 1 B");
        assert_eq!(play.decided(), [""; 0], "{words}");
    }
    let mut details = known(1, &[88.0]);
    details.case.kind = SubjectKind::Unreachable;
    let mut play = Play::new(vec![details]);
    play.press("B 1 B");
    assert_eq!(play.decided(), [""; 0], "an unreachable subject");
    let mut details = known(1, &[88.0]);
    details.case.session_number = None;
    let mut play = Play::new(vec![details]);
    play.press("B 1 B");
    assert_eq!(play.decided(), [""; 0], "a subject without a number");
}

#[test]
fn whoever_is_named_as_the_target_is_shown() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0, 72.0])]);
    play.press("l space B");
    assert_eq!(
        play.model.desk.as_ref().unwrap().shown,
        Shown::Pair,
        "the subject is named, so it is shown"
    );
    assert_eq!(play.place(), 1, "and the other pane stays");
    for (key, place) in [("l", 0), ("l", 1), ("l", 2), ("h", 1)] {
        play.now = play.now.plus(200);
        play.strike(key);
        assert_eq!(play.place(), place, "the named candidate is in its pane");
    }
    // Its face was not looked at yet: the number alone holds nothing.
    for key in ["1", "2", "B"] {
        play.now = play.now.plus(200);
        play.strike(key);
    }
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("decided nothing"), "{}", play.notice());
    play.press("B");
    assert_eq!(play.decided(), ["#1 blocklist"]);
    let decision = last_decision(&play);
    assert_eq!(decision.target.unwrap().session_id, id(12));
    let same: Vec<_> = decision.judgements.iter().map(|j| j.judgement).collect();
    assert_eq!(same, [None, Some(Judgement::Same), None], "the pair that was shown is the same");
}

#[test]
fn a_target_that_is_not_the_one_shown_is_not_listed() {
    for turn in
        [(|m: &mut Model| m.desk.as_mut().unwrap().place = 0) as fn(&mut Model), |m: &mut Model| {
            m.overlays.clear()
        }]
    {
        let mut play = Play::new(vec![known(1, &[88.0, 80.0])]);
        play.press("B l l 1 2");
        play.look();
        turn(&mut play.model);
        play.strike("B");
        play.settle();
        assert_eq!(play.decided(), [""; 0]);
    }
    let mut play = Play::new(vec![known(1, &[88.0])]);
    play.press("B 1");
    play.look();
    play.model.desk.as_mut().unwrap().shown = Shown::CandidateFlipped;
    play.strike("B");
    assert_eq!(play.decided(), [""; 0], "the subject is covered by the candidate");
}

// An approved customer, by two people.

/// A case whose only candidate is an approved customer, and `ana`'s proposal to list it.
fn proposed() -> (Details, Box<Decision>) {
    let mut details = known(1, &[88.0]);
    details.candidates[0].status = Some(Status::Approved);
    let mut play = Play::new(vec![details.clone()]);
    play.press("t f B l 1 1 B");
    (details, Box::new(last_decision(&play)))
}

/// The case as another reviewer comes upon it, the pair looked at.
fn second(details: Details, proposal: Box<Decision>) -> Play {
    let mut settings = settings();
    settings.reviewer = reviewer("ben");
    let mut play = Play::cold(vec![details, known(2, &[80.0])], settings);
    play.cases[0].state = CaseState::Escalated;
    play.cases[0].proposal = Some(proposal);
    play.settle();
    play.press("tab v enter");
    assert_eq!(play.on_desk(), 1);
    play.look();
    play
}

#[test]
fn an_approved_customer_is_only_proposed() {
    let (_, proposal) = proposed();
    assert!(proposal.is_proposal());
    assert_eq!(proposal.evidence.len(), 1, "what it rests on is kept");
    let mut details = known(1, &[88.0]);
    details.candidates[0].status = Some(Status::Approved);
    let mut play = Play::new(vec![details]);
    play.press("B l 1 1 B");
    assert!(
        play.notice().contains("proposed: a second person has to confirm"),
        "{}",
        play.notice()
    );
    assert!(play.notice().contains("nothing is sent"), "{}", play.notice());
    // Taken back like anything else, as long as nobody has taken it up.
    play.press("u");
    assert!(play.notice().contains("taken back"), "{}", play.notice());
}

#[test]
fn a_second_person_confirms_through_the_same_interlock() {
    let (details, proposal) = proposed();
    let mut play = second(details, proposal.clone());
    assert_eq!(play.place(), 0, "the proposed face is shown");
    play.press("B B enter B");
    assert_eq!(play.decided(), [""; 0], "the number has to be typed");
    play.press("l h 1 B 1 enter");
    assert_eq!(play.decided(), [""; 0], "enter confirms nothing");
    play.press("B");
    assert_eq!(play.decided(), ["#1 blocklist"]);
    let yes = last_decision(&play);
    assert!(yes.confirms(&proposal));
    assert_eq!(yes.reviewer, reviewer("ben"));
    assert!(yes.receipt.pictures.len() == 2, "with a receipt of its own");
}

/// The store gives nobody their own proposal to read; this is the guard behind that one.
#[test]
fn nobody_confirms_what_they_proposed() {
    let (details, proposal) = proposed();
    let mut play = second(details, proposal.clone());
    play.model.settings.reviewer = proposal.reviewer;
    play.press("B");
    assert!(play.top().is_none(), "it stays shut");
    assert!(play.notice().contains("You proposed this"), "{}", play.notice());
    play.press("1 1 B");
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn an_interlock_that_was_opened_for_another_case_shuts() {
    let mut play = Play::new(vec![known(1, &[88.0])]);
    play.press("B");
    let Some(Overlay::Interlock(lock)) = play.model.overlays.last_mut() else { panic!("shut") };
    lock.case = id(2);
    play.press("1");
    assert!(play.top().is_none() && play.notice().contains("changed"), "{}", play.notice());
    play.press("B");
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn a_second_person_can_list_no_other_face_and_declines_with_any_other_word() {
    let (details, proposal) = proposed();
    let mut play = second(details.clone(), proposal.clone());
    assert!(play.consequence().1.ends_with("declines the proposal"), "{:?}", play.consequence());
    play.press("B");
    let Some(Overlay::Interlock(lock)) = play.top() else { panic!("not open") };
    assert_eq!(lock.targets.len(), 1, "one target, the proposed one");
    play.press("h 1 B esc");
    assert_eq!(play.decided(), [""; 0]);
    play.press("x");
    let no = last_decision(&play);
    assert_eq!((no.disposition, no.answers), (Disposition::Reject, Some(proposal.id)));
    assert!(!no.confirms(&proposal));
}

#[test]
fn a_proposal_is_void_when_what_it_rests_on_has_changed() {
    let (details, proposal) = proposed();
    let changes: [(&str, Change); 3] = [
        ("no approved customer", |d| d.candidates[0].status = Some(Status::Declined)),
        ("candidates of #1 have changed", |d| d.case.candidates.push(candidate(12, 75.0))),
        ("candidates of #1 have changed", |d| d.case.candidates[0].blocklisted = true),
    ];
    for (words, change) in changes {
        let mut play = second(details.clone(), proposal.clone());
        play.press("B 1 1");
        play.change(1, |d| {
            change(d);
            d.candidates.resize(d.case.candidates.len(), d.candidates[0].clone());
        });
        for event in play.hydrated(&id(1)) {
            play.send(event);
        }
        play.strike("B");
        assert_eq!(play.decided(), [""; 0], "{words}");
        play.settle();
        let void = play.effects.iter().find_map(|effect| match effect {
            Effect::Void { proposal, why, .. } => Some((*proposal, why.clone())),
            _ => None,
        });
        let (id, why) = void.unwrap();
        assert_eq!(id, proposal.id);
        assert!(why.contains(words), "{why}");
        assert!(play.notice().contains("void"), "{}", play.notice());
        assert_eq!(
            (play.on_desk(), play.cases[0].state),
            (1, CaseState::Open),
            "to be decided anew"
        );
    }
    // Before the store has answered, the key does nothing by itself.
    let mut play = second(details, proposal);
    play.press("B 1 1");
    play.look();
    let key = id(1);
    play.model.details.get_mut(&key).unwrap().candidates[0].status = Some(Status::Declined);
    play.strike("B");
    assert_eq!(play.decided(), [""; 0]);
    play.strike("B");
    assert!(play.notice().contains("void"), "{}", play.notice());
}

// Two readers.

#[test]
fn a_reason_that_says_what_the_reader_thinks_goes_with_the_case() {
    for (keys, wanted) in [
        ("e", None),
        ("i", Some(Judgement::Unsure)),
        ("t s e", Some(Judgement::Same)),
        ("t d e", Some(Judgement::Different)),
        ("t p e", None),
    ] {
        let mut play = three();
        play.press(keys);
        assert_eq!(judgements(&play.effects), [(0, wanted)], "{keys}");
    }
    // Who could not see the pair has no opinion of it.
    let mut play = three();
    let state = PictureState::Gone { why: "refused twice".to_owned() };
    play.send(Event::Picture { key: id(1), side: Side::Subject, state });
    play.press("t s e");
    assert_eq!(judgements(&play.effects), [(0, None)]);
}

#[test]
fn a_target_whose_status_changes_under_the_interlock_is_not_listed() {
    let mut play = Play::new(vec![known(1, &[88.0])]);
    play.press("B l 1 1");
    play.change(1, |d| d.candidates[0].status = Some(Status::Approved));
    for event in play.hydrated(&id(1)) {
        play.send(event);
    }
    play.press("B");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("changed"), "{}", play.notice());
}

#[test]
fn the_interlock_closes_when_its_case_leaves_the_desk() {
    let mut play = three();
    play.press("B 1");
    play.send(Event::Departed { key: id(1), status: Some(Status::Declined) });
    assert_eq!(play.on_desk(), 2);
    play.press("B B 1 B");
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn u_takes_the_newest_decision_back_and_shows_its_case() {
    let mut play = three();
    play.press("a a u");
    assert!(play.notice().contains("#2 taken back"), "{}", play.notice());
    assert_eq!(play.on_desk(), 2);
    let states: Vec<_> = play.decisions.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Undone, DeliveryState::Held]);
}

#[test]
fn u_before_the_store_was_asked_leaves_no_trace() {
    let mut play = three();
    play.strike("a");
    play.now = play.now.plus(10);
    play.strike("u");
    play.look();
    play.wait(1_000);
    assert_eq!(play.decided(), [""; 0]);
    assert_eq!(play.on_desk(), 1);
    play.look();
    assert!(play.armed(), "the lease is still in hand: {:?}", play.model.armed(play.now));
}

#[test]
fn u_while_saving_takes_it_back_as_soon_as_it_is_saved() {
    let mut play = three();
    play.strike("a");
    play.wait(60);
    play.strike("u");
    assert_eq!(play.decisions.len(), 0, "the store has not answered yet");
    play.settle();
    assert_eq!(play.decisions[0].state, DeliveryState::Undone);
    assert_eq!(play.on_desk(), 1);
}

#[test]
fn a_decision_counts_as_held_before_the_outbox_is_read() {
    let mut play = three();
    play.press("a");
    play.unlisted = true;
    play.press("a");
    assert_eq!(play.model.unsent().held, 2);
    play.press("u");
    assert!(play.notice().contains("#2 taken back"), "{}", play.notice());
    let states: Vec<_> = play.decisions.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Undone, DeliveryState::Held], "the newest, no other");
    assert_eq!((play.on_desk(), play.model.unsent().held), (2, 1));
    // A reading from before it was recorded does not make it unknown.
    let mut play = three();
    play.unlisted = true;
    play.press("a");
    play.send(Event::Outbox(Vec::new()));
    play.press("q");
    assert_eq!(play.model.overlays.last(), Some(&Overlay::Quit), "who leaves is asked");
    assert_eq!(play.model.exit, None);
    play.send(Event::Outbox(play.decisions.clone()));
    assert_eq!(play.model.unsent().held, 1, "and it is counted once");
}

#[test]
fn u_touches_no_other_when_the_newest_is_not_held() {
    let mut play = three();
    play.press("a a");
    play.decisions[0].state = DeliveryState::Sent;
    play.send(Event::Outbox(play.decisions.clone()));
    let before = play.effects.len();
    play.press("u");
    assert_eq!(play.effects[before..].iter().filter(|e| is_write(e)).count(), 0);
    assert!(play.notice().contains("#2 is sent already"), "{}", play.notice());
    assert_eq!(play.decisions[1].state, DeliveryState::Held, "the older one stays held");
}

fn is_write(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Decide(_)
            | Effect::Undo(_)
            | Effect::Reopen(..)
            | Effect::Skip(_)
            | Effect::SendNow
            | Effect::FlushThenLeave
    )
}

#[test]
fn u_on_a_settled_decision_in_the_history_opens_its_case_again() {
    let mut play = three();
    play.press("x");
    let sent = play.settle_decisions(DeliveryState::Sent);
    play.send(sent);
    play.change(1, |d| d.case.status = Status::Declined);
    play.press("H u");
    assert_eq!((play.screen(), play.on_desk()), (Screen::Review, 1));
    play.look();
    assert!(play.armed(), "{:?}", play.model.armed(play.now));
    assert_eq!(play.consequence().0, "#1 Declined -> Approved");
    let replaced = play.decisions[0].decision.id;
    // Looking at another case and back changes nothing of it.
    play.press("j k a");
    assert_eq!(play.decided(), ["#1 reject", "#1 approve"]);
    assert_eq!(last_decision(&play).replaces, Some(replaced));
}

#[test]
fn dollar_sends_what_is_held() {
    let mut play = three();
    play.press("a $");
    assert!(play.effects.contains(&Effect::SendNow));
}

#[test]
fn h_and_l_walk_the_candidates_and_disarm() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0, 40.0])]);
    for (key, place) in [("l", 1), ("l", 2), ("l", 0), ("h", 2), ("h", 1)] {
        play.look();
        assert!(play.armed());
        play.strike(key);
        assert_eq!(play.place(), place, "{key}");
        assert!(!play.armed());
    }
}

#[test]
fn j_k_g_and_shift_g_walk_the_cases() {
    let mut play = three();
    for (key, case) in [
        ("j", 2),
        ("j", 3),
        ("j", 3),
        ("k", 2),
        ("k", 1),
        ("k", 1),
        ("G", 3),
        ("g", 1),
        ("end", 3),
        ("home", 1),
    ] {
        play.press(key);
        assert_eq!(play.on_desk(), case, "{key}");
    }
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn arrows_move_both_pictures_beside_a_list_and_lines_in_it() {
    let mut play = three();
    play.look();
    for key in ["down", "right", "+", "left", "up", "minus", "z", "m", "0"] {
        play.press(key);
        assert_eq!(play.on_desk(), 1, "{key}");
        assert!(play.armed(), "{key}: looking closer is no new pair");
    }
    play.press("tab");
    for (key, case) in [("down", 2), ("down", 3), ("up", 2)] {
        play.press(key);
        assert_eq!(play.on_desk(), case, "{key}");
    }
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn both_are_looked_at_alike_and_the_next_case_begins_with_the_whole() {
    let mut play = three();
    let sight = |play: &Play| play.model.desk.as_ref().unwrap().sight;
    play.press("z + right");
    let near = sight(&play);
    assert_eq!(near.zoom(), Zoom::Eyes);
    assert!(near.times() > 1.0 && near.pan().0 > 0.0 && near.pan().1 == 0.0);
    play.press("0");
    assert_eq!(sight(&play), Sight::of(Zoom::Eyes));
    play.press("left z");
    assert_eq!(sight(&play), Sight::of(Zoom::Mouth), "another part begins unmoved");
    play.press("j");
    assert_eq!(sight(&play), Sight::default());
}

#[test]
fn a_flip_shows_the_two_by_turns_and_what_covers_it_brings_both_back() {
    let mut play = three();
    let shown = |play: &Play| play.model.desk.as_ref().unwrap().shown;
    assert_eq!(shown(&play), Shown::Pair);
    for expected in [Shown::CandidateFlipped, Shown::SubjectFlipped, Shown::CandidateFlipped] {
        play.press("space");
        assert_eq!(shown(&play), expected);
    }
    play.look();
    play.press("esc");
    assert_eq!(shown(&play), Shown::Pair);
    // A verdict needs both side by side: whatever asks for a new look shows them so.
    for cover in ["? ?", "tab tab", "j"] {
        play.press("space");
        play.press(cover);
        assert_eq!(shown(&play), Shown::Pair, "{cover}");
    }
    play.press("space");
    play.send(Event::Resized((100, 30)));
    assert_eq!(shown(&play), Shown::Pair);
}

#[test]
fn looks_are_counted_in_the_receipt() {
    let mut play = three();
    play.press("space space space z z Z + + minus 0 0 right");
    play.look();
    play.press("x");
    let receipt = &play.decisions.last().unwrap().decision.receipt;
    assert_eq!((receipt.flips, receipt.zooms), (3, 7));
}

#[test]
fn shift_g_right_after_a_skip_goes_to_the_end() {
    let mut play = three();
    play.strike("s");
    play.now = play.now.plus(200);
    play.strike("G");
    assert_eq!(play.on_desk(), 3);
    play.settle();
    assert_eq!(play.on_desk(), 3);
}

#[test]
fn tab_shows_the_queue_and_comes_back_to_the_pair() {
    let mut play = three();
    play.press("tab j");
    assert_eq!((play.screen(), play.on_desk()), (Screen::Queue, 2));
    play.press("a x i e B s");
    assert_eq!(play.decided(), [""; 0], "no verdict in the list");
    assert_eq!(play.effects.iter().filter(|e| is_write(e)).count(), 0);
    play.press("enter");
    assert_eq!((play.screen(), play.on_desk()), (Screen::Review, 2));
    play.press("tab tab");
    assert_eq!(play.screen(), Screen::Review);
}

#[test]
fn shift_s_shows_the_figures_and_decides_nothing() {
    let mut play = three();
    play.press("a x S");
    assert_eq!(play.screen(), Screen::Statistics);
    let figures = play.model.statistics.figures.clone().unwrap();
    assert_eq!((figures.dispositions["approve"], figures.dispositions["reject"]), (1, 1));
    assert_eq!((figures.cases["open"], figures.cases["decided"]), (1, 2));
    let (decided, on_desk) = (play.decided(), play.on_desk());
    play.press("a x i e s B 1 B");
    assert_eq!((play.decided(), play.on_desk()), (decided, on_desk), "no verdict among figures");
    // It scrolls to its end and no further.
    play.press("G j j");
    let end = play.model.statistics.scrolled;
    assert!(end > 5);
    play.press("j");
    assert_eq!(play.model.statistics.scrolled, end);
    play.press("g k");
    assert_eq!(play.model.statistics.scrolled, 0);
    play.press("q");
    assert_eq!((play.screen(), play.on_desk()), (Screen::Review, on_desk));
}

#[test]
fn shift_h_shows_the_history_newest_first() {
    let mut play = three();
    play.press("a x H");
    assert_eq!(play.screen(), Screen::History);
    assert_eq!(play.model.history.rows.len(), 2);
    play.press("j j j");
    assert_eq!(play.model.history.cursor, 1);
    play.press("u");
    assert!(play.notice().contains("#1 taken back"), "{}", play.notice());
    play.press("H q");
    assert_eq!(play.screen(), Screen::Review);
}

#[test]
fn t_picks_a_reason_by_one_letter() {
    for (letter, reason) in Reason::ALL {
        let mut play = three();
        play.press("t");
        play.press(&letter.to_string());
        assert_eq!(play.decided(), [""; 0], "a letter of a reason is no verdict");
        play.press("x");
        if reason == Reason::NoPicture {
            // There are pictures.
            assert_eq!(play.decided(), [""; 0]);
            assert!(play.notice().contains("choose another reason"), "{}", play.notice());
            continue;
        }
        assert_eq!(last_decision(&play).reason, Some(reason));
    }
    let mut play = three();
    play.press("t a");
    assert!(play.notice().contains("no reason"), "{}", play.notice());
    assert_eq!(play.decided(), [""; 0]);
    play.press("t esc t enter");
    assert_eq!(play.model.overlays, []);
}

#[test]
fn c_takes_a_comment_into_the_decision() {
    let mut play = three();
    play.press("c");
    play.type_text("ears differ, x and a are letters here");
    assert_eq!(play.decided(), [""; 0]);
    play.press("enter x");
    let comment = last_decision(&play).comment;
    assert_eq!(comment.as_deref(), Some("ears differ, x and a are letters here"));
    play.press("c");
    play.type_text("never mind");
    play.press("esc x");
    assert_eq!(last_decision(&play).comment, None);
}

#[test]
fn a_comment_that_holds_a_name_on_the_screen_is_refused() {
    for (name, comment, refused) in [
        ("Ana Ejemplo", "looks like EJEMPLO", true),
        ("Ana Ejemplo", "ana's sister?", true),
        ("Ana Ejemplo", "Anabel", false),
        ("Li Na", "this is LI NA again", true),
        ("An Do", "an ear, no doubt", false),
        ("Maria-José da Silva", "mariajose", true),
        ("O'Brien", "mr obrien", true),
        ("José Núñez", "jose nunez", true),
        ("Jose\u{301} Nunez", "José", true),
        ("محمد علي", "هذا محمد", true),
        ("محمد علي", "same ears", false),
        ("王小明", "王小明", true),
        ("王小明", "是小明", true),
        ("Ольга Иванова", "это ОЛЬГА", true),
        ("Åsa Öberg", "asa", true),
        ("Σοφία", "ΣΟΦΙΑ", true),
        ("김민준", "민준 같음", true),
        ("محمد", "وَمُحَمَّدٌ", true),
        ("Ａｎａ", "ana", true),
    ] {
        let mut details = known(1, &[88.0]);
        details.subject.person = person("Otto");
        details.candidates[0].person = person(name);
        let mut play = Play::new(vec![details]);
        play.press("c");
        play.type_text(comment);
        play.press("enter");
        let open = matches!(play.top(), Some(Overlay::Comment(_)));
        assert_eq!(open, refused, "{name} / {comment}: {}", play.notice());
        if refused {
            assert!(play.notice().contains("a candidate's name"), "{}", play.notice());
            assert!(!play.notice().contains(comment));
        }
    }
}

#[test]
fn a_name_that_comes_after_the_comment_still_stops_it() {
    let mut details = known(1, &[88.0]);
    details.candidates[0].person.name = None;
    let mut play = Play::new(vec![details]);
    play.press("c");
    play.type_text("muster again");
    play.press("enter");
    assert_eq!(play.model.overlays, [], "no such name is known yet");
    play.change(1, |d| d.candidates[0].person = person("Berta Muster"));
    for event in play.hydrated(&id(1)) {
        play.send(event);
    }
    play.press("x");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("comment"), "{}", play.notice());
}

#[test]
fn r_asks_for_the_case_again_and_capital_r_for_new_cases() {
    let mut play = three();
    play.press("r");
    assert!(play.effects.contains(&Effect::Refresh(id(1))));
    play.press("R");
    assert!(play.effects.contains(&Effect::Pull));
}

#[test]
fn slash_filters_the_queue() {
    let mut play = three();
    play.press("tab /");
    play.type_text("#2");
    play.press("enter");
    assert_eq!(play.model.queue.rows.len(), 1);
    assert_eq!(play.on_desk(), 2);
    play.press("/ backspace enter");
    assert_eq!(play.model.queue.rows.len(), 3);
}

#[test]
fn v_walks_the_lists_of_the_queue() {
    let mut play = three();
    play.press("e tab v");
    assert_eq!((play.model.view, play.on_desk()), (View::Escalated, 1));
    play.press("v v v");
    assert_eq!((play.model.view, play.on_desk()), (View::Waiting, 2));
}

#[test]
fn question_mark_shows_help_and_any_key_closes_it_without_acting() {
    let mut play = three();
    for key in ["a", "x", "B", "s", "e", "i", "u", "enter"] {
        play.press("?");
        assert!(matches!(play.top(), Some(Overlay::Help(_))));
        play.press(key);
        assert_eq!(play.model.overlays, []);
    }
    play.press("? j j k");
    assert!(matches!(play.top(), Some(Overlay::Help(1))));
    assert_eq!(play.effects.iter().filter(|e| is_write(e)).count(), 0);
}

#[test]
fn the_curtain_hides_everything_until_a_key_that_does_nothing_else() {
    let mut play = three();
    play.press(".");
    assert_eq!(play.model.overlays, [Overlay::Curtain]);
    assert!(play.effects.contains(&Effect::WipePictures));
    play.press("a");
    assert_eq!(play.model.overlays, []);
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn q_leaves_at_once_when_nothing_is_on_its_way() {
    let mut play = three();
    play.press("q");
    assert_eq!(play.model.exit, Some(Exit::Quit));
}

#[test]
fn q_asks_when_decisions_are_held() {
    let mut play = three();
    play.press("a q");
    assert_eq!((play.top(), play.model.exit), (Some(&Overlay::Quit), None));
    play.press("a x B enter q");
    assert_eq!((play.top(), play.model.exit), (Some(&Overlay::Quit), None));
    assert_eq!(play.decided().len(), 1);
    let mut stay = play.clone();
    stay.press("esc");
    assert_eq!((stay.top(), stay.model.exit), (None, None));
    let mut keep = play.clone();
    keep.press("k");
    assert_eq!(keep.model.exit, Some(Exit::Quit));
    assert_eq!(keep.decisions[0].state, DeliveryState::Held);
    play.press("$");
    assert!(play.effects.contains(&Effect::FlushThenLeave));
    assert_eq!(play.model.exit, Some(Exit::Quit));
}

#[test]
fn leaving_waits_for_what_is_being_saved() {
    let mut play = three();
    play.strike("a");
    play.wait(60);
    play.strike("q");
    play.wait(200);
    play.strike("k");
    play.wait(200);
    assert_eq!(play.model.exit, None, "the store has not answered yet");
    play.settle();
    assert_eq!(play.model.exit, Some(Exit::Quit));
    assert_eq!(play.decisions.len(), 1);
}

#[test]
fn sending_before_leaving_sends_also_what_is_being_saved() {
    let mut play = three();
    play.strike("a");
    play.wait(60);
    play.strike("q");
    play.wait(200);
    play.strike("$");
    assert!(!play.effects.contains(&Effect::FlushThenLeave), "it would miss the one being saved");
    play.settle();
    assert!(play.effects.contains(&Effect::FlushThenLeave));
    assert_eq!(play.decisions[0].state, DeliveryState::Sent);
    assert_eq!(play.model.exit, Some(Exit::Quit));
}

#[test]
fn every_way_out_has_the_store_asked_first() {
    for event in
        [Event::InputClosed, Event::Signal(Signal::Hangup), Event::Signal(Signal::Terminate)]
    {
        let mut play = three();
        play.strike("a");
        play.send(event.clone());
        assert_eq!(play.decided(), ["#1 approve"], "{event:?}");
        assert!(play.model.exit.is_some());
    }
    // Ctrl-c twice, faster than a burst can be ruled out.
    let mut play = three();
    play.strike("a");
    play.strike("q");
    play.strike("k");
    play.now = play.now.plus(40);
    play.strike("ctrl-c");
    assert!(play.model.exit.is_some());
    assert_eq!(play.decided(), ["#1 approve"]);
}

#[test]
fn a_key_of_another_alphabet_says_why_nothing_happens() {
    let mut play = three();
    play.press("ф");
    assert!(play.notice().contains("Latin"), "{}", play.notice());
    assert_eq!(play.decided(), [""; 0]);
}

// What changes under the reviewer.

#[test]
fn a_case_decided_elsewhere_leaves_the_desk_with_a_word() {
    let mut play = three();
    play.send(Event::Departed { key: id(1), status: Some(Status::Approved) });
    assert_eq!(play.on_desk(), 2);
    assert!(play.notice().contains("#1 left the queue"), "{}", play.notice());
    assert!(!play.armed());
    play.strike("a");
    play.wait(100);
    assert_eq!(play.decided(), [""; 0], "a key meant for the case that left decides nothing");
}

#[test]
fn a_status_that_is_no_longer_in_review_takes_the_case_out() {
    let mut play = three();
    play.change(1, |d| d.case.status = Status::Declined);
    play.press("r");
    assert!(play.effects.iter().any(|e| matches!(e, Effect::Depart { key, .. } if *key == id(1))));
    assert_eq!(play.on_desk(), 2);
    assert!(play.notice().contains("Declined at Didit"), "{}", play.notice());
}

#[test]
fn another_status_that_is_in_review_too_disarms_and_is_what_was_seen() {
    let mut play = three();
    play.model.settings.statuses.push(Status::Other("Not Started".to_owned()));
    play.change(1, |d| d.case.status = Status::Other("Not Started".to_owned()));
    for event in play.hydrated(&id(1)) {
        play.send(event);
    }
    assert!(!play.armed());
    play.press("a");
    assert_eq!(last_decision(&play).seen_status.word(), "Not Started");
}

#[test]
fn candidates_that_change_are_judged_anew() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0])]);
    play.press("a");
    assert_eq!(play.place(), 1);
    play.change(1, |d| {
        d.case.candidates[0] = candidate(77, 86.0);
        d.candidates[0].person = person("Carla Otra");
    });
    for event in play.hydrated(&id(1)) {
        play.send(event);
    }
    assert!(play.notice().contains("candidates of this case have changed"));
    assert_eq!((play.place(), play.armed()), (0, false));
    play.press("a");
    assert_eq!(play.decided(), [""; 0], "the judgement of the one before does not count");
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
}

#[test]
fn no_judgement_is_carried_to_candidates_or_faces_that_changed() {
    let other_candidate: Change = |d| d.case.candidates[1].session_id = Some(id(88));
    let other_faces: Change = |d| d.subject.faces = boxes(1);
    for (what, change) in [("candidate", other_candidate), ("faces", other_faces)] {
        let mut play = Play::new(vec![known(1, &[88.0, 80.0, 72.0])]);
        play.press("a a");
        assert_eq!(play.place(), 2);
        play.change(1, change);
        for event in play.hydrated(&id(1)) {
            play.send(event);
        }
        assert!(play.model.desk.as_ref().unwrap().judged.is_empty(), "{what}");
        play.press("a a");
        assert_eq!(play.decided(), [""; 0], "{what}");
        play.press("a");
        assert_eq!(play.decided().len(), 1, "{what}");
    }
}

#[test]
fn new_boxes_of_the_faces_ask_again_which_is_meant() {
    let mut details = known(1, &[88.0]);
    details.several_faces = true;
    details.subject.faces = boxes(2);
    let mut play = Play::new(vec![details]);
    play.press("2");
    play.change(1, |d| d.subject.faces = boxes(3));
    for event in play.hydrated(&id(1)) {
        play.send(event);
    }
    play.press("a");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.consequence().0.contains("press 1-3"), "{:?}", play.consequence());
}

#[test]
fn only_different_lets_a_case_be_approved() {
    for word in [Judgement::Same, Judgement::Unsure] {
        let mut play = Play::new(vec![known(1, &[88.0, 80.0])]);
        play.press("l");
        play.look();
        play.model.desk.as_mut().unwrap().judged.insert(0, word);
        play.strike("a");
        assert_eq!((play.model.pending.len(), play.place()), (0, 0), "{word:?}");
    }
}

#[test]
fn another_picture_is_judged_anew() {
    for (side, count) in [(Side::Subject, 2), (Side::Candidate(0), 2), (Side::Candidate(1), 1)] {
        let mut play = Play::new(vec![known(1, &[88.0, 80.0])]);
        play.press("a");
        play.look();
        // Gone for a moment, then another one: a change all the same.
        for state in [PictureState::Waiting, ready("another", START.plus(SHOWN))] {
            play.send(Event::Picture { key: id(1), side, state });
        }
        let mut keys = 0;
        while play.decided().is_empty() {
            keys += 1;
            assert!(keys < 5, "{side:?}");
            play.press("a");
        }
        assert_eq!(keys, count, "{side:?}");
    }
}

#[test]
fn the_same_picture_fetched_again_needs_no_second_look() {
    let mut play = three();
    let state = ready(&format!("{}{:?}", id(1), Side::Subject), START.plus(2 * SHOWN));
    play.send(Event::Picture { key: id(1), side: Side::Subject, state });
    assert!(play.armed());
}

#[test]
fn several_faces_keep_a_off_until_one_is_named() {
    let mut details = known(1, &[88.0, 80.0]);
    details.several_faces = true;
    details.subject.faces = boxes(3);
    let mut play = Play::new(vec![details]);
    assert!(play.consequence().0.contains("press 1-3"), "{:?}", play.consequence());
    play.press("a");
    assert!(play.model.desk.as_ref().unwrap().judged.is_empty());
    play.press("4");
    assert!(play.notice().contains("no face of that number"), "{}", play.notice());
    play.press("2 a");
    assert_eq!(play.model.desk.as_ref().unwrap().judged.len(), 1);
    play.press("1");
    assert!(play.model.desk.as_ref().unwrap().judged.is_empty(), "another face: judged anew");
    play.press("a a a");
    assert_eq!(play.decided(), ["#1 approve"]);
}

#[test]
fn a_candidate_that_could_not_be_read_keeps_the_case_from_being_approved() {
    let mut details = known(1, &[88.0]);
    details.case.set_aside = 1;
    let mut play = Play::new(vec![details]);
    assert!(play.consequence().0.contains("could not be read"), "{:?}", play.consequence());
    play.press("a");
    assert_eq!(play.decided(), [""; 0]);
    play.press("x");
    assert_eq!(play.decided(), ["#1 reject"]);
}

#[test]
fn a_candidate_without_a_score_must_be_judged() {
    let mut details = known(1, &[88.0, 80.0]);
    details.case.candidates[1].similarity = None;
    let mut play = Play::new(vec![details]);
    play.press("a");
    assert_eq!(play.decided(), [""; 0]);
    play.press("a");
    assert_eq!(play.decided(), ["#1 approve"]);
}

#[test]
fn what_could_not_be_recorded_comes_back() {
    let mut play = three();
    play.refuse = Some(problem(ProblemKind::Lost));
    play.press("x");
    assert_eq!(play.on_desk(), 1);
    assert!(play.notice().contains("#1 was NOT decided"), "{}", play.notice());
    assert!(!play.armed());
    play.press("a");
    assert_eq!(play.decided(), ["#1 reject", "#1 approve"]);
    assert_eq!(judgements(&play.effects), [(0, Some(Judgement::Different))]);
}

#[test]
fn a_store_that_takes_nothing_stops_deciding_until_it_takes_something() {
    let mut play = three();
    play.refuse = Some(problem(ProblemKind::Store));
    play.strike("a");
    play.wait(60);
    let asked = play.todo.pop_front().unwrap();
    for event in play.answer(asked) {
        play.send(event);
    }
    assert_eq!(play.model.store_trouble, Some(StoreTrouble::Unwritable));
    assert!(play.notice().contains("NOT decided"), "{}", play.notice());
    // That it can still be read says nothing.
    play.send(Event::Outbox(Vec::new()));
    assert_eq!(play.model.armed(play.now), Err(NotArmed::Store("decisions cannot be kept".into())));
    play.strike("x");
    assert_eq!(play.decided(), ["#1 approve"], "no other is taken");
    let leased = play.leased(&id(1));
    play.send(leased);
    play.look();
    assert!(play.armed(), "it took a lease");
    assert_eq!(play.notice(), "", "what was wrong is not said any more");
}

#[test]
fn what_is_wrong_with_the_store_is_said_as_long_as_it_is() {
    let mut play = three();
    play.refuse = Some(problem(ProblemKind::Unwritable));
    play.strike("a");
    play.wait(60);
    let asked = play.todo.pop_front().unwrap();
    for event in play.answer(asked) {
        play.send(event);
    }
    assert!(play.notice().starts_with("#1 was NOT decided: "), "{}", play.notice());
    play.send(Event::StoreMended);
    assert_eq!(play.notice(), "#1 was not decided.", "what is still true of it");
    let wrong = problem(ProblemKind::Unwritable);
    play.send(Event::History(Err(wrong)));
    assert!(!play.notice().is_empty() && play.model.store_trouble.is_some());
    play.send(Event::StoreMended);
    assert_eq!((play.notice(), play.model.store_trouble), ("", None));
}

#[test]
fn what_comes_back_does_not_take_over_what_is_being_typed() {
    for open in ["c", "t", "B"] {
        let mut play = three();
        play.strike("x");
        play.wait(60);
        // The answer of the store is late.
        play.todo.clear();
        let pending = play.model.pending[0].decision.id;
        play.press(open);
        assert_eq!((play.on_desk(), play.model.overlays.len()), (2, 1), "{open}");
        let result = Err(problem(ProblemKind::Other));
        play.send(Event::Decided { id: pending, result });
        assert_eq!(play.on_desk(), 1);
        assert_eq!(play.model.overlays, [], "{open}: it was begun for another case");
    }
}

#[test]
fn a_case_that_is_shown_again_keeps_nothing_of_what_was_open() {
    let mut play = three();
    play.press("a");
    play.strike("u");
    play.now = play.now.plus(200);
    play.strike("c");
    play.type_text("for #2");
    play.settle();
    assert_eq!(play.on_desk(), 1);
    assert_eq!(play.model.overlays, []);
}

#[test]
fn a_decided_case_in_a_late_answer_of_the_store_is_not_listed() {
    let mut play = three();
    let stale = play.view(play.model.queue.query.clone());
    play.strike("a");
    play.wait(60);
    play.send(Event::Queue(Ok(Box::new(stale))));
    assert_eq!(play.model.queue.position(&id(1)), None);
    assert_eq!(play.on_desk(), 2);
}

#[test]
fn a_case_reopened_is_found_also_when_an_older_answer_comes_first() {
    let mut play = three();
    play.press("x");
    let sent = play.settle_decisions(DeliveryState::Sent);
    play.send(sent);
    play.change(1, |d| d.case.status = Status::Declined);
    play.press("H");
    // A read of the queue is under way, its answer late.
    play.strike("R");
    let late = play.view(play.model.queue.query.clone());
    play.todo.clear();
    play.now = play.now.plus(200);
    play.strike("u");
    let effect = play.todo.pop_front().unwrap();
    for event in play.answer(effect) {
        play.send(event);
    }
    play.send(Event::Queue(Ok(Box::new(late))));
    play.look();
    assert_eq!(play.on_desk(), 1);
    play.press("a");
    assert!(last_decision(&play).replaces.is_some());
}

#[test]
fn a_case_that_vanishes_from_the_list_says_so() {
    let mut play = three();
    play.cases.remove(0);
    play.press("R");
    assert_eq!(play.on_desk(), 2);
    assert!(play.effects.contains(&Effect::Pull));
    assert!(play.notice().contains("#1"), "{}", play.notice());
}

// Each guard alone keeps a verdict back.

/// Takes one thing away from a play in which `a` would decide.
type Spoil = fn(&mut Play);

const GUARDS: &[(&str, Spoil)] = &[
    ("the lease is being asked for", |play| lease_state(play, LeaseState::Asking)),
    ("the lease of another case came", |play| {
        lease_state(play, LeaseState::Asking);
        let other = play.leased(&id(2));
        play.send(other);
    }),
    ("somebody else has the case", |play| lease_state(play, LeaseState::Taken(taken("bo")))),
    ("another terminal of mine has it", |play| lease_state(play, LeaseState::Taken(taken("ana")))),
    ("the case is closed", |play| lease_state(play, LeaseState::Closed(CaseState::Decided))),
    ("the lease was lost", |play| {
        play.send(Event::LeaseLost { key: id(1), why: "gone".to_owned() });
        repaint(play);
    }),
    ("the subject's picture is on its way", |play| {
        picture(play, Side::Subject, PictureState::Waiting)
    }),
    ("the candidate's picture is on its way", |play| {
        picture(play, Side::Candidate(0), PictureState::Waiting);
    }),
    ("a picture failed", |play| {
        picture(play, Side::Subject, PictureState::Failed { why: "late".to_owned() });
    }),
    ("a picture is gone", |play| {
        picture(play, Side::Candidate(0), PictureState::Gone { why: "null".to_owned() });
    }),
    ("a picture may not be shown any more", |play| {
        let state = ready(&format!("{}{:?}", id(1), Side::Subject), play.now);
        play.send(Event::Picture { key: id(1), side: Side::Subject, state });
    }),
    ("another picture came and was not painted", |play| {
        let state = ready("another", START.plus(SHOWN));
        play.send(Event::Picture { key: id(1), side: Side::Candidate(0), state });
    }),
    ("a picture went and came back and was not painted", |play| {
        let (key, side) = (id(1), Side::Candidate(0));
        let back = ready(&format!("{key}{side:?}"), START.plus(SHOWN));
        for state in [PictureState::Waiting, back] {
            play.send(Event::Picture { key: key.clone(), side, state });
        }
    }),
    ("the pair was covered", |play| play.send(Event::Covered)),
    ("the window was resized", |play| play.send(Event::Resized((120, 40)))),
    ("pictures are drawn another way", |play| play.send(Event::Protocol("sixel".to_owned()))),
    ("the answer was for an older epoch", |play| {
        play.send(Event::Covered);
        let mut painted = play.painted().unwrap();
        painted.epoch -= 1;
        play.send(Event::Painted { painted, at: Millis(play.now.0 - 10 * DWELL) });
    }),
    ("the answer was for another case", |play| {
        play.send(Event::Covered);
        let mut painted = play.painted().unwrap();
        painted.case = id(2);
        play.send(Event::Painted { painted, at: Millis(play.now.0 - 10 * DWELL) });
    }),
    ("the answer was for another candidate", |play| {
        play.send(Event::Covered);
        let mut painted = play.painted().unwrap();
        painted.place = 1;
        play.send(Event::Painted { painted, at: Millis(play.now.0 - 10 * DWELL) });
    }),
    ("it was not looked at long enough", |play| {
        play.send(Event::Covered);
        play.paint();
        play.now = play.now.plus(DWELL - 1);
    }),
    ("help covers it", |play| {
        play.model.overlays.push(Overlay::Help(0));
    }),
    ("the curtain is drawn", |play| play.model.overlays.push(Overlay::Curtain)),
    ("the question at the end is open", |play| play.model.overlays.push(Overlay::Quit)),
    ("the queue is on the screen", |play| play.model.screen = Screen::Queue),
    ("the history is on the screen", |play| play.model.screen = Screen::History),
    ("the statistics are on the screen", |play| play.model.screen = Screen::Statistics),
    ("the window is too small", |play| play.model.size = (20, 5)),
    ("decisions cannot be kept", |play| play.model.store_trouble = Some(StoreTrouble::Unwritable)),
    ("the case cannot be read at Didit", |play| {
        let details = Err(problem(ProblemKind::NotFound));
        play.send(Event::Hydrated { key: id(1), details });
    }),
    ("the case is not hydrated", |play| {
        play.model.details.clear();
    }),
    ("the case is not in the list", |play| {
        play.model.queue.rows.remove(0);
    }),
    ("no case is on the desk", |play| play.model.desk = None),
    ("the key was not quiet", |play| {
        play.model.last_press.insert(Action::Approve, Millis(play.now.0 - 149));
        play.model.last_press.insert(Action::Reject, Millis(play.now.0 - 149));
        play.model.last_press.insert(Action::Unsure, Millis(play.now.0 - 149));
        play.model.last_press.insert(Action::Blocklist, Millis(play.now.0 - 149));
    }),
];

/// Two went on to the same case: who came second has the next one on the desk, and it counts.
#[test]
fn who_came_second_to_a_case_goes_on_to_the_one_in_hand() {
    let mut play = three();
    play.strike("a");
    assert_eq!(play.on_desk(), 2);
    assert!(wants(&play.model).or_next.is_some());
    play.send(Event::LeasedInstead { of: id(2), taken: taken("bob"), key: id(3) });
    assert_eq!(play.on_desk(), 3);
    assert_eq!(wants(&play.model).leases.last(), Some(&id(3)));
    play.look();
    assert!(play.armed());
}

/// A case that was chosen stays on the desk, read-only, whatever else is to be had.
#[test]
fn a_case_that_was_chosen_stays_when_somebody_else_has_it() {
    let mut play = three();
    play.strike("j");
    assert_eq!(play.on_desk(), 2);
    assert!(wants(&play.model).or_next.is_none());
    play.send(Event::LeasedInstead { of: id(2), taken: taken("bob"), key: id(3) });
    assert_eq!(play.on_desk(), 2);
    assert!(matches!(play.model.armed(play.now), Err(NotArmed::Lease(_))));
}

/// Another reviewer whose time at a case is over is gone from the list without a word from the store, which is
/// asked once.
#[test]
fn the_others_are_gone_when_their_time_is_over() {
    let mut play = three();
    let until = play.now.plus(30_000);
    let other = Taken { until, ..taken("bob") };
    play.model.queue.rows[1].taken = Some(other.clone());
    play.model.queue.rows[2].watched = vec![other];
    assert!(play.model.wake().is_some_and(|at| at <= until));
    play.effects.clear();
    play.wait(29_999);
    assert!(play.model.queue.rows[1].taken.is_some());
    assert!(play.effects.is_empty());
    play.wait(1);
    assert!(play.model.queue.rows.iter().all(|r| r.taken.is_none() && r.watched.is_empty()));
    assert!(matches!(play.effects[..], [Effect::LoadQueue { .. }]), "{:?}", play.effects);
}

fn taken(name: &str) -> Taken {
    Taken {
        reviewer: reviewer(name),
        worker: WorkerId("elsewhere".to_owned()),
        until: Millis(i64::MAX),
    }
}

fn lease_state(play: &mut Play, state: LeaseState) {
    play.model.desk.as_mut().unwrap().lease = state;
}

fn picture(play: &mut Play, side: Side, state: PictureState) {
    play.send(Event::Picture { key: id(1), side, state });
    // As if what is on the terminal's screen had not changed.
    let epoch = play.model.desk.as_ref().unwrap().epoch;
    let at = Millis(play.now.0 - 10 * DWELL);
    let painted = secondlook::core::Painted {
        case: id(1),
        place: 0,
        epoch,
        protocol: "blocks".to_owned(),
        cells: [(39, 16); 2],
        eye_pixels: [None, None],
        tiers: [None; 2],
    };
    play.send(Event::Painted { painted, at });
}

fn repaint(play: &mut Play) {
    play.paint();
    play.now = play.now.plus(DWELL);
}

#[test]
fn each_guard_alone_keeps_every_verdict_back() {
    for key in ["a", "x", "i", "B"] {
        let ready = || {
            let mut play = three();
            if key == "B" {
                play.press("B 1");
            }
            play
        };
        let mut play = ready();
        play.strike(key);
        assert_eq!(play.model.pending.len(), 1, "{key} decides when nothing is missing");
        for (guard, spoil) in GUARDS {
            let mut play = ready();
            play.model.last_press.clear();
            spoil(&mut play);
            play.strike(key);
            assert_eq!(play.model.pending.len(), 0, "{key}: {guard}");
            play.wait(1_000);
            assert_eq!(play.decided(), [""; 0], "{key}: {guard}");
        }
    }
}

#[test]
fn escalating_needs_the_lease_and_a_quiet_key() {
    let needed = ["lease", "somebody", "another terminal", "closed", "small"];
    for (guard, spoil) in GUARDS {
        if !needed.iter().any(|word| guard.contains(word)) {
            continue;
        }
        let mut play = three();
        spoil(&mut play);
        play.strike("e");
        assert_eq!(play.model.pending.len(), 0, "{guard}");
    }
    let mut play = three();
    play.model.last_press.insert(Action::Escalate, Millis(play.now.0 - 149));
    play.strike("e");
    assert_eq!(play.model.pending.len(), 0);
}

#[test]
fn the_status_line_says_why_a_key_would_not_decide() {
    let mut play = three();
    assert_eq!(play.model.armed(play.now), Ok(()));
    play.send(Event::Covered);
    assert_eq!(play.model.armed(play.now), Err(NotArmed::Painting));
    play.paint();
    assert_eq!(play.model.armed(play.now), Err(NotArmed::Dwell));
    play.strike("a");
    assert_eq!(play.notice(), "'a' decided nothing: look first.");
    // The last guard is about the key and not about the pair.
    for (guard, spoil) in GUARDS.iter().take(GUARDS.len() - 1) {
        let mut play = three();
        spoil(&mut play);
        let why = play.model.armed(play.now).expect_err(guard);
        assert!(!why.words().is_empty(), "{guard}");
    }
}

// Bursts, pastes, held keys.

#[test]
fn more_than_three_keys_in_thirty_milliseconds_decide_nothing() {
    for keys in ["a x i e", "x x x x", "j a j a", "i q k a", "a q k x", "e $ u a", "s e a x"] {
        for gap in [0, 1, 5, 10] {
            let mut play = three();
            for key in keys.split(' ') {
                play.strike(key);
                play.now = play.now.plus(gap);
            }
            let undone = play.decided();
            assert_eq!(undone, [""; 0], "{keys} every {gap} ms");
            play.wait(1_000);
            play.settle();
            assert_eq!(play.decided(), [""; 0], "{keys} every {gap} ms");
            assert!(play.model.pending.is_empty());
        }
    }
}

#[test]
fn a_burst_that_arrives_as_time_runs_out_is_still_one() {
    let mut play = three();
    for (key, at) in [("a", 0), ("j", 10), ("j", 20)] {
        play.now = START.plus(DWELL + at);
        play.strike(key);
    }
    // The last key was read in time, but is heard after the clock was looked at.
    play.send(Event::Tick(START.plus(DWELL + 30)));
    play.now = START.plus(DWELL + 30);
    play.strike("j");
    play.wait(1_000);
    assert_eq!(play.decided(), [""; 0]);
}

#[test]
fn many_keys_in_one_read_decide_nothing() {
    let mut play = three();
    let at = play.now;
    for key in ["a", "x", "s", "e"] {
        play.send(Event::Key { key: Key::parse(key).unwrap(), at, burst: 4 });
    }
    play.wait(1_000);
    assert_eq!(play.effects.iter().filter(|e| is_write(e)).count(), 0);
}

#[test]
fn a_burst_gives_back_what_its_first_keys_began() {
    let mut play = Play::new(vec![known(1, &[88.0, 80.0]), known(2, &[75.0])]);
    for key in ["a", "l", "l", "l"] {
        play.strike(key);
    }
    assert!(play.model.desk.as_ref().unwrap().judged.is_empty());
    // Two cases decided in one burst, the lease of the second granted at once.
    let mut play = three();
    play.strike("x");
    play.settle();
    for key in ["e", "l", "l"] {
        play.strike(key);
    }
    assert_eq!((play.on_desk(), play.model.pending.len()), (1, 0));
    let mut play = three();
    for key in ["x", "l", "l", "l"] {
        play.strike(key);
    }
    assert_eq!(play.on_desk(), 1);
    play.look();
    assert!(play.armed(), "the lease was never given up: {:?}", play.model.armed(play.now));
}

#[test]
fn a_paste_decides_nothing_anywhere() {
    for open in ["", "B", "t", "?", "tab", "H"] {
        let mut play = three();
        play.press(open);
        let before = play.effects.len();
        play.send(Event::Paste { text: "1Baxie$u\n".to_owned(), at: play.now });
        play.wait(1_000);
        assert_eq!(play.effects[before..].iter().filter(|e| is_write(e)).count(), 0, "{open}");
        if let Some(Overlay::Interlock(lock)) = play.top() {
            assert_eq!(lock.typed, "", "a number is typed, never pasted");
        }
    }
    let mut play = three();
    play.press("c");
    play.send(Event::Paste { text: "two\nlines".to_owned(), at: play.now });
    play.press("enter x");
    assert_eq!(last_decision(&play).comment.as_deref(), Some("two lines"));
}

#[test]
fn a_held_key_decides_at_most_once() {
    for key in ["a", "x", "i", "e", "B"] {
        let mut play = three();
        // The worst console: everything is there at once, and no dwell is asked for.
        play.model.settings.dwell_ms = 0;
        if key == "B" {
            play.press("B 1");
            play.look();
        }
        for _ in 0..200 {
            play.strike(key);
            play.settle();
            play.paint();
            play.wait(33);
            play.settle();
            play.paint();
        }
        assert_eq!(play.decided().len(), 1, "{key}");
    }
}

#[test]
fn a_key_held_since_before_the_pair_was_armed_decides_nothing() {
    let mut play = Play::cold(vec![known(1, &[88.0]), known(2, &[75.0])], settings());
    play.settle();
    play.paint();
    for _ in 0..100 {
        play.strike("a");
        play.wait(33);
    }
    assert!(play.armed());
    assert_eq!(play.decided(), [""; 0]);
}

// The laws, over whatever may happen.

/// Something that happens in a random play.
#[derive(Debug, Clone)]
enum Step {
    /// A key, so many milliseconds after the last one.
    Key(&'static str, i64),
    /// A key after a good look.
    Press(&'static str),
    /// Several keys, each so many milliseconds after the one before.
    Burst(Vec<&'static str>, i64),
    Paste,
    Wait(i64),
    /// The oldest effect is answered; not as asked for, if it can be refused.
    Answer {
        refused: bool,
    },
    Settle,
    Look,
    Paint,
    /// An answer of the terminal for something that is not on the screen (any more).
    OldPaint(u8),
    Picture(u64, u8, u8),
    /// A case is hydrated, after something of it has changed at Didit.
    Hydrate(u64, u8),
    Lease(u64, u8),
    Depart(u64),
    Resize(bool),
    Covered,
    Outbox(DeliveryState),
}

const KEYS: &[&str] = &[
    "a", "a", "a", "a", "x", "x", "i", "s", "e", "B", "B", "1", "2", "3", "u", "u", "$", "h", "l",
    "j", "k", "g", "G", "tab", "H", "t", "t", "n", "c", "r", "R", "/", "?", "v", "q", "esc", "esc",
    "enter", ".", "space", "d", "z", "m",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || proptest::sample::select(KEYS);
    let case = 1..6_u64;
    let step = prop_oneof![
        12 => (key(), 0..400_i64).prop_map(|(key, gap)| Step::Key(key, gap)),
        14 => key().prop_map(Step::Press),
        2 => (prop::collection::vec(key(), 2..8), 0..12_i64)
            .prop_map(|(keys, gap)| Step::Burst(keys, gap)),
        1 => Just(Step::Paste),
        2 => (0..1_500_i64).prop_map(Step::Wait),
        3 => any::<bool>().prop_map(|refused| Step::Answer { refused }),
        3 => Just(Step::Settle),
        3 => Just(Step::Look),
        3 => Just(Step::Paint),
        1 => (0..4_u8).prop_map(Step::OldPaint),
        2 => (case.clone(), 0..4_u8, 0..6_u8).prop_map(|(c, side, what)| Step::Picture(c, side, what)),
        2 => (case.clone(), 0..8_u8).prop_map(|(case, what)| Step::Hydrate(case, what)),
        1 => (case.clone(), 0..5_u8).prop_map(|(case, what)| Step::Lease(case, what)),
        1 => case.prop_map(Step::Depart),
        1 => any::<bool>().prop_map(Step::Resize),
        1 => Just(Step::Covered),
        1 => prop_oneof![Just(DeliveryState::Sent), Just(DeliveryState::Conflict)]
            .prop_map(Step::Outbox),
    ];
    prop::collection::vec(step, 1..70)
}

fn five() -> Vec<Details> {
    let mut several = known(3, &[88.0, 72.0]);
    several.several_faces = true;
    several.subject.faces = boxes(2);
    let mut unread = known(4, &[75.0]);
    unread.case.set_aside = 1;
    let mut listed = known(5, &[82.0, 30.0]);
    listed.case.candidates[1].blocklisted = true;
    listed.candidates[0].status = Some(Status::Approved);
    vec![known(1, &[81.0]), known(2, &[88.0, 97.0, 72.0, 40.0]), several, unread, listed]
}

fn side_of(number: u8) -> Side {
    if number == 0 { Side::Subject } else { Side::Candidate(usize::from(number) - 1) }
}

fn happen(play: &mut Play, step: &Step) {
    match step {
        Step::Key(key, gap) => {
            play.now = play.now.plus(*gap);
            play.strike(key);
        }
        Step::Press(key) => {
            play.look();
            play.strike(key);
        }
        Step::Burst(keys, gap) => {
            for key in keys {
                play.now = play.now.plus(*gap);
                play.strike(key);
            }
        }
        Step::Paste => play.send(Event::Paste { text: "aaxxB1B\n".to_owned(), at: play.now }),
        Step::Wait(ms) => play.wait(*ms),
        Step::Answer { refused } => {
            if let Some(effect) = play.todo.pop_front() {
                play.refuse = refused.then(|| problem(ProblemKind::Lost));
                for event in play.answer(effect) {
                    play.send(event);
                }
                play.refuse = None;
            }
        }
        Step::Settle => play.settle(),
        Step::Look => play.look(),
        Step::Paint => play.paint(),
        Step::OldPaint(what) => {
            if let Some(mut painted) = play.painted() {
                match what {
                    0 => painted.epoch -= 1,
                    1 => painted.epoch += 1,
                    2 => painted.place += 1,
                    _ => painted.case = id(99),
                }
                play.send(Event::Painted { painted, at: Millis(play.now.0 - 2 * DWELL) });
            }
        }
        Step::Picture(case, side, what) => {
            let key = id(*case);
            let side = side_of(*side);
            let state = match what {
                0 => PictureState::Waiting,
                1 => PictureState::Failed { why: "late".to_owned() },
                2 => PictureState::Gone { why: "null".to_owned() },
                3 => ready("another", START.plus(SHOWN)),
                4 => ready(&format!("{key}{side:?}"), play.now.plus(100)),
                _ => ready(&format!("{key}{side:?}"), START.plus(SHOWN)),
            };
            play.send(Event::Picture { key, side, state });
        }
        Step::Hydrate(case, what) => {
            play.change(*case, |d| match what {
                0 => d.case.status = Status::Declined,
                1 => d.case.candidates.reverse(),
                2 => d.case.candidates[0].session_id = Some(id(88)),
                3 => d.candidates[0].status = Some(Status::Approved),
                4 => d.case.set_aside ^= 1,
                5 => d.several_faces ^= true,
                _ => d.case.status = Status::InReview,
            });
            for event in play.hydrated(&id(*case)) {
                play.send(event);
            }
        }
        Step::Lease(case, what) => {
            let key = id(*case);
            let answer = match what {
                0 => Ok(LeaseAnswer::Yours(lease(&key))),
                1 => Ok(LeaseAnswer::Taken(taken("bo"))),
                2 => Ok(LeaseAnswer::Closed(CaseState::Decided)),
                3 => Err(problem(ProblemKind::Store)),
                _ => {
                    play.send(Event::LeaseLost { key, why: "it ran out".to_owned() });
                    return;
                }
            };
            play.send(Event::Leased { key, answer });
        }
        Step::Depart(case) => play.send(Event::Departed { key: id(*case), status: None }),
        Step::Resize(small) => {
            play.send(Event::Resized(if *small { (20, 5) } else { (120, 40) }));
        }
        Step::Covered => play.send(Event::Covered),
        Step::Outbox(state) => {
            let outbox = play.settle_decisions(*state);
            play.send(outbox);
        }
    }
}

/// What was told, kept apart from the model, and the laws held against it.
#[derive(Default)]
struct Watch {
    pictures: std::collections::BTreeMap<(SessionId, Side), PictureState>,
    hydrated: std::collections::BTreeMap<SessionId, Details>,
    ours: std::collections::BTreeSet<SessionId>,
    /// The pair that the terminal said is painted, under what epoch, and when.
    painted: Option<(SessionId, usize, u64, Millis)>,
    /// Judged different while armed, and by which pictures.
    different: std::collections::BTreeMap<(SessionId, usize), [String; 2]>,
    arrivals: Vec<Millis>,
    bursts: std::collections::BTreeSet<Millis>,
    /// Decisions the store was asked to record.
    asked: Vec<secondlook::domain::DecisionId>,
    /// The decision that stands for a case.
    standing: std::collections::BTreeMap<SessionId, secondlook::domain::DecisionId>,
    seen: u32,
}

impl Watch {
    fn told(&mut self, event: &Event, before: &Model) {
        match event {
            Event::Picture { key, side, state } => {
                let was = self.pictures.insert((key.clone(), *side), state.clone());
                let same = matches!((&was, state),
                    (Some(PictureState::Ready { sha256: a, .. }), PictureState::Ready { sha256: b, .. }) if a == b);
                if matches!(was, Some(PictureState::Ready { .. })) && !same {
                    self.painted.take_if(|(case, ..)| case == key);
                }
            }
            Event::Hydrated { key, details: Ok(details) } => {
                let was = self.hydrated.insert(key.clone(), details.as_ref().clone());
                if was.is_none_or(|was| was.case.candidates != details.case.candidates) {
                    self.different.retain(|(case, _), _| case != key);
                }
            }
            Event::Leased { key, answer: Ok(LeaseAnswer::Yours(_)) } => {
                self.ours.insert(key.clone());
            }
            Event::Leased { key, .. } | Event::LeaseLost { key, .. } => {
                self.ours.remove(key);
            }
            Event::Resized(_) | Event::Covered | Event::Protocol(_) => self.painted = None,
            Event::Painted { painted, at } => {
                let fits = before.desk.as_ref().is_some_and(|desk| {
                    (&desk.key, desk.place, desk.epoch)
                        == (&painted.case, painted.place, painted.epoch)
                });
                if fits {
                    self.painted = Some((painted.case.clone(), painted.place, painted.epoch, *at));
                }
            }
            Event::Key { at, .. } => {
                let typing = matches!(
                    before.overlays.last(),
                    Some(Overlay::Comment(_) | Overlay::Filter(_))
                );
                if !typing {
                    self.arrivals.push(*at);
                    if let Some(last) = self.arrivals.last_chunk::<4>()
                        && last[3].since(last[0]) <= 30
                    {
                        self.bursts.extend(last);
                    }
                }
            }
            Event::Decided { id, result: Err(_) } => self.standing.retain(|_, d| d != id),
            Event::Undone { id, result: Ok(_) } | Event::Reopened { id, .. } => {
                self.standing.retain(|_, d| d != id);
            }
            _ => {}
        }
    }

    fn hash(&self, key: &SessionId, side: Side) -> Option<(String, Millis)> {
        match self.pictures.get(&(key.clone(), side)) {
            Some(PictureState::Ready { sha256, until, .. }) => Some((sha256.clone(), *until)),
            _ => None,
        }
    }

    /// Both pictures of the pair on the desk were here and were looked at; their hashes.
    fn looked_at(&self, before: &Model, at: Millis) -> Result<[String; 2], TestCaseError> {
        let desk = before.desk.as_ref().unwrap();
        let Some((case, place, epoch, painted)) = &self.painted else {
            return Err(TestCaseError::fail("nothing was painted"));
        };
        prop_assert_eq!((case, *place, *epoch), (&desk.key, desk.place, desk.epoch));
        prop_assert!(at.since(*painted) >= DWELL, "not looked at long enough");
        prop_assert!(before.pictures_visible() && before.fits(), "not to be seen");
        let mut hashes = [String::new(), String::new()];
        for (n, side) in [Side::Subject, Side::Candidate(desk.place)].into_iter().enumerate() {
            let found = self.hash(&desk.key, side);
            prop_assert!(found.is_some(), "a picture is not here");
            let (hash, until) = found.unwrap();
            prop_assert!(until > at, "a picture that may not be shown any more");
            hashes[n] = hash;
        }
        Ok(hashes)
    }

    fn moment(&mut self, moment: &crate::core_support::Moment) -> Result<(), TestCaseError> {
        let crate::core_support::Moment { before, event, effects, after } = moment;
        self.told(event, before);
        let at = match event {
            Event::Key { at, .. } => Some(*at),
            _ => None,
        };
        let is_new = |p: &&secondlook::core::Pending| {
            !before.pending.iter().any(|old| old.decision.id == p.decision.id)
        };
        for pending in after.pending.iter().filter(is_new) {
            prop_assert!(at.is_some(), "decided without a key");
            self.decided(&pending.decision, before, at.unwrap())?;
            self.seen += 1;
        }
        self.judged(before, after, at)?;
        for effect in effects {
            self.effect(effect, event, before)?;
        }
        self.nothing_is_lost(event, before, after, effects)?;
        self.valid(after)?;
        let desk = after.desk.as_ref();
        let shown = desk.map(|desk| (&desk.key, desk.place));
        let seen = after.pictures_visible() && after.fits();
        self.painted.take_if(|(case, place, ..)| !seen || shown != Some((&*case, *place)));
        self.different.retain(|(case, _), _| desk.is_some_and(|desk| desk.key == *case));
        Ok(())
    }

    /// A pair was judged different: only after a look.
    fn judged(
        &mut self,
        before: &Model,
        after: &Model,
        at: Option<Millis>,
    ) -> Result<(), TestCaseError> {
        let (Some(was), Some(is)) = (&before.desk, &after.desk) else { return Ok(()) };
        if was.key == is.key
            && is.judged.len() > was.judged.len()
            && let Some(at) = at
        {
            prop_assert_eq!(is.judged.get(&was.place), Some(&Judgement::Different));
            let hashes = self.looked_at(before, at)?;
            self.different.insert((was.key.clone(), was.place), hashes);
        }
        Ok(())
    }

    fn decided(
        &mut self,
        decision: &secondlook::domain::Decision,
        before: &Model,
        at: Millis,
    ) -> Result<(), TestCaseError> {
        let desk = before.desk.as_ref().unwrap();
        prop_assert_eq!(&decision.case, &desk.key);
        prop_assert_eq!((before.screen, decision.at), (Screen::Review, at));
        prop_assert!(self.ours.contains(&desk.key), "the lease was not ours");
        prop_assert!(!self.standing.contains_key(&desk.key), "decided twice");
        prop_assert!(before.pending.iter().all(|p| p.decision.case != desk.key), "decided twice");
        let unsure = decision.judgements.iter().any(|j| j.judgement == Some(Judgement::Unsure));
        if decision.disposition == Disposition::Escalate && !unsure {
            return Ok(());
        }
        if decision.is_without_picture() {
            return self.without_picture(decision, before, at);
        }
        let here = self.looked_at(before, at)?;
        let details = self.hydrated.get(&desk.key).unwrap();
        prop_assert_eq!(&decision.seen_status, &details.case.status);
        let line = secondlook::core::Consequence::of(before).unwrap();
        let status = details.case.status.word();
        let declined = format!("{} {status} -> Declined", details.case.name());
        match decision.disposition {
            Disposition::Approve => {
                let words = format!("{} {status} -> Approved", details.case.name());
                prop_assert_eq!(line.approve, words);
                prop_assert_eq!(details.case.set_aside, 0, "a candidate could not be read");
                prop_assert!(!details.several_faces || desk.face.is_some(), "whose face?");
                for place in details.case.must_judge(&before.settings.bands) {
                    let hashes = if place == desk.place {
                        Some(&here)
                    } else {
                        self.different.get(&(desk.key.clone(), place))
                    };
                    prop_assert!(hashes.is_some(), "candidate {place} was not judged");
                    let judged_by = hashes.unwrap();
                    prop_assert_eq!(&judged_by[0], &here[0], "another face of the subject");
                    if let Some((now, _)) = self.hash(&desk.key, Side::Candidate(place)) {
                        prop_assert_eq!(&judged_by[1], &now, "another face of the candidate");
                    }
                    let word = decision.judgements.iter().find(|j| j.place == place);
                    prop_assert_eq!(word.unwrap().judgement, Some(Judgement::Different));
                }
            }
            Disposition::Reject => prop_assert!(line.reject.starts_with(&declined)),
            Disposition::Blocklist => {
                prop_assert!(line.reject.starts_with(&declined));
                let Some(Overlay::Interlock(lock)) = before.overlays.last() else {
                    return Err(TestCaseError::fail("blocklisted without the interlock"));
                };
                let (target, line) = (decision.target.as_ref().unwrap(), lock.target().unwrap());
                prop_assert_eq!(Some(&target.session_id), line.session_id.as_ref());
                prop_assert_eq!(&lock.typed, &target.session_number.unwrap().to_string());
                let place = details
                    .case
                    .candidates
                    .iter()
                    .position(|c| c.session_id.as_ref() == Some(&target.session_id));
                if let Some(place) = place.filter(|_| !target.is_subject) {
                    prop_assert_eq!(place, desk.place, "the face that is listed is shown");
                    let approved = details.candidates[place].status == Some(Status::Approved);
                    prop_assert_eq!(approved, target.approved);
                } else {
                    prop_assert_eq!(desk.shown, Shown::Pair, "the subject's face is shown");
                }
            }
            Disposition::Escalate | Disposition::Skip => {}
        }
        Ok(())
    }

    /// Without a picture: only proposed, only where there is none and none to come, and what could be seen was.
    fn without_picture(
        &self,
        decision: &secondlook::domain::Decision,
        before: &Model,
        at: Millis,
    ) -> Result<(), TestCaseError> {
        let desk = before.desk.as_ref().unwrap();
        let details = self.hydrated.get(&desk.key).unwrap();
        prop_assert_eq!(&decision.seen_status, &details.case.status);
        prop_assert!(decision.is_proposal(), "one person decided without a picture");
        prop_assert!(before.pictures_visible() && before.fits(), "not to be seen");
        let gone = |side| {
            matches!(self.pictures.get(&(desk.key.clone(), side)), Some(PictureState::Gone { .. }))
        };
        let unseen = |place: usize| gone(Side::Subject) || gone(Side::Candidate(place));
        let line = secondlook::core::Consequence::of(before).unwrap();
        let name = details.case.name();
        match decision.disposition {
            Disposition::Approve => {
                prop_assert!(line.approve.starts_with(&name), "{}", line.approve);
                prop_assert!(line.approve.ends_with("proposed to a second person"));
                let mut lacks = details.case.set_aside > 0;
                for place in details.case.must_judge(&before.settings.bands) {
                    let seen = self.different.contains_key(&(desk.key.clone(), place));
                    let here = place == desk.place && !unseen(place);
                    if here {
                        self.looked_at(before, at)?;
                    }
                    prop_assert!(seen || here || unseen(place), "candidate {place} was not judged");
                    lacks |= !seen && unseen(place);
                }
                prop_assert!(lacks, "there are pictures of all");
            }
            Disposition::Reject => {
                prop_assert!(line.reject.starts_with(&name), "{}", line.reject);
                prop_assert!(line.reject.ends_with("proposed to a second person"));
                let none = details.case.must_judge(&before.settings.bands).next().is_none();
                prop_assert!(unseen(desk.place) || none && details.case.set_aside > 0);
            }
            Disposition::Blocklist | Disposition::Escalate | Disposition::Skip => {
                return Err(TestCaseError::fail("nobody is blocklisted without a picture"));
            }
        }
        Ok(())
    }

    /// No effect names a session that was not on the screen.
    fn effect(
        &mut self,
        effect: &Effect,
        event: &Event,
        before: &Model,
    ) -> Result<(), TestCaseError> {
        let desk = before.desk.as_ref().map(|desk| &desk.key);
        match effect {
            Effect::Decide(decision) => {
                prop_assert!(!self.asked.contains(&decision.id), "recorded twice");
                self.asked.push(decision.id);
                // An escalated case is decided by another word after that one.
                if decision.disposition.subject_status().is_some() {
                    let was = self.standing.insert(decision.case.clone(), decision.id);
                    prop_assert!(was.is_none(), "decided twice");
                }
                prop_assert!(!self.bursts.contains(&decision.at), "a key of a burst decided");
            }
            Effect::Skip(key) => {
                prop_assert_eq!(Some(key), desk);
                prop_assert!(self.ours.contains(key));
            }
            Effect::Refresh(key) => match event {
                Event::Reopened { case, .. } => prop_assert_eq!(key, case),
                _ => prop_assert_eq!(Some(key), desk),
            },
            Effect::Undo(id) => match event {
                Event::Decided { id: decided, result: Ok(_) } => prop_assert_eq!(id, decided),
                _ if before.screen == Screen::History => {
                    prop_assert_eq!(*id, before.history.current().unwrap().decision.id);
                }
                _ => {
                    let mut rows = before.decided();
                    let newest = rows.find(|row| row.state != DeliveryState::Undone).unwrap();
                    prop_assert_eq!(*id, newest.decision.id);
                    // An escalation may be taken back while nobody has taken it up.
                    let escalated = newest.decision.disposition == Disposition::Escalate;
                    let held = newest.state == DeliveryState::Held;
                    let waits = newest.state == DeliveryState::Proposed || escalated;
                    prop_assert!(held || waits);
                }
            },
            Effect::Reopen(id, case) => {
                let row = before.history.current().unwrap();
                prop_assert_eq!((id, case), (&row.decision.id, &row.decision.case));
            }
            Effect::Depart { key, .. } => match event {
                Event::Hydrated { key: hydrated, details: Ok(details) } => {
                    prop_assert_eq!(key, hydrated);
                    prop_assert!(!before.settings.statuses.contains(&details.case.status));
                }
                _ => return Err(TestCaseError::fail("departed by itself")),
            },
            _ => {}
        }
        Ok(())
    }

    /// What was decided is pending until the store has answered, and comes back if it cannot be kept.
    fn nothing_is_lost(
        &self,
        event: &Event,
        before: &Model,
        after: &Model,
        effects: &[Effect],
    ) -> Result<(), TestCaseError> {
        for pending in &before.pending {
            let case = &pending.decision.case;
            if after.pending.iter().any(|p| p.decision.id == pending.decision.id) {
                continue;
            }
            let is_back = after.queue.position(case).is_some()
                && after.desk.as_ref().is_some_and(|desk| desk.key == *case);
            match event {
                Event::Decided { id, result: Ok(_) } if *id == pending.decision.id => {}
                Event::Decided { id, result: Err(_) } if *id == pending.decision.id => {
                    prop_assert!(is_back, "what could not be recorded did not come back");
                }
                _ => {
                    // Of several that a burst gives back, one is on the desk.
                    let one_is_on_the_desk = after.desk.as_ref().is_some_and(|desk| {
                        before.pending.iter().any(|p| p.decision.case == desk.key)
                    });
                    let is_listed = after.queue.position(case).is_some();
                    prop_assert!(
                        !pending.asked && is_listed && one_is_on_the_desk,
                        "a decision vanished at {event:?}"
                    );
                }
            }
        }
        for pending in after.pending.iter().filter(|p| p.asked) {
            let asked = self.asked.contains(&pending.decision.id);
            prop_assert!(asked, "said to be asked, but never was: {effects:?}");
        }
        if after.exit.is_some() {
            prop_assert!(after.pending.iter().all(|p| p.asked), "left with a decision unasked");
        }
        Ok(())
    }

    fn valid(&self, model: &Model) -> Result<(), TestCaseError> {
        let wanted = wants(model);
        let keys: std::collections::BTreeSet<_> =
            wanted.window.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(keys.len(), wanted.window.len(), "the window names a case twice");
        prop_assert!(wanted.window.len() <= usize::from(model.settings.window_pairs));
        let rows: std::collections::BTreeSet<_> =
            model.queue.rows.iter().map(|row| &row.case.key).collect();
        prop_assert_eq!(rows.len(), model.queue.rows.len(), "a case stands in the list twice");
        prop_assert!(model.queue.total >= rows.len() as u64);
        for pending in &model.pending {
            prop_assert!(!rows.contains(&pending.decision.case), "decided and still in the list");
        }
        let Some(desk) = &model.desk else { return Ok(()) };
        if let Some(row) = model.row(&desk.key) {
            prop_assert_eq!(&wanted.window[0].0, &desk.key, "the desk comes first");
            let case = model.desk_details().map_or(&row.case, |details| &details.case);
            prop_assert!(desk.place < case.candidates.len(), "no such candidate");
        }
        if model.armed(model.now).is_ok() {
            prop_assert!(model.desk_details().is_some() && rows.contains(&desk.key));
        }
        prop_assert!(model.history.rows.is_empty() || model.history.current().is_some());
        Ok(())
    }
}

#[test]
fn whatever_happens_no_wrong_person_and_nothing_lost() {
    let seen = std::cell::Cell::new(0);
    let config = ProptestConfig { failure_persistence: None, ..Default::default() };
    proptest!(config, |(steps in steps())| {
        let mut small = settings();
        small.window_pairs = 6;
        let mut play = Play::cold(five(), small);
        play.moments = Some(Vec::new());
        play.look();
        let mut watch = Watch::default();
        for step in &steps {
            happen(&mut play, step);
            for moment in std::mem::take(play.moments.as_mut().unwrap()) {
                watch.moment(&moment)?;
            }
            if play.model.exit.is_some() {
                break;
            }
        }
        seen.set(seen.get() + watch.seen);
    });
    assert!(seen.get() > 100, "{} decisions: the test saw too little", seen.get());
}
