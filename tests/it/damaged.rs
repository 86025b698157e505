//! A picture of which a part is missing is shown as far as it is there, and nothing is decided by it without a word
//! that says so.

use secondlook::core::{Event, PictureState, Side};
use secondlook::domain::{Disposition, Reason};
use secondlook::sim::{Limits, Options, Picture, Sim};

use crate::core_support::{Play, START, id, known, ready, settings};
use crate::terminal::{Home, Plays, candidate, subject, world};

/// A case of two candidates to judge, a part of whose picture is missing.
fn damaged(side: Side, share: u8) -> Play {
    let mut play = Play::cold(vec![known(1, &[88.0, 80.0]), known(2, &[80.0])], settings());
    play.settle();
    let mut state = ready("damaged", START.plus(3_000_000));
    if let PictureState::Ready { missing, .. } = &mut state {
        *missing = Some(share);
    }
    play.send(Event::Picture { key: id(1), side, state });
    play.settle();
    play.look();
    assert_eq!(play.on_desk(), 1);
    play
}

#[test]
fn nothing_is_decided_by_a_part_of_a_face_without_a_word_that_says_so() {
    for (side, face) in [(Side::Subject, "A"), (Side::Candidate(0), "B")] {
        let mut play = damaged(side, 34);
        let said = format!("34 % of {face} is missing: reason damaged_picture (t m)");
        let (approve, reject) = play.consequence();
        assert!(approve.starts_with(&format!("nothing, {said}")), "{approve}");
        assert!(reject.starts_with(&format!("nothing, {said}")), "{reject}");
        for key in ["a", "x", "t f x", "t n x", "t n a"] {
            play.press(key);
            assert_eq!(play.decided(), [""; 0], "{key}");
            assert_eq!(play.place(), 0, "{key}");
        }
        // Whoever cannot tell needs no such word.
        play.press("i");
        assert_eq!(play.decided(), ["#1 escalate"]);
    }
}

#[test]
fn the_word_and_what_was_missing_go_with_the_decision() {
    let mut play = damaged(Side::Candidate(0), 34);
    play.press("t m x");
    assert_eq!(play.decided(), ["#1 reject"]);
    let decision = play.decisions[0].decision.clone();
    assert_eq!(decision.reason, Some(Reason::DamagedPicture));
    assert!(!decision.is_proposal(), "one person's word is enough");
    let missing: Vec<_> = decision.receipt.pictures.iter().map(|seen| seen.missing).collect();
    assert_eq!(missing, [None, Some(34)]);
}

#[test]
fn the_word_has_to_stand_when_the_last_pair_is_judged() {
    let mut play = damaged(Side::Candidate(0), 34);
    play.press("t m a");
    assert_eq!(play.place(), 1, "the pair that is whole");
    play.press("t d a");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("a part of pair 1 is missing"), "{}", play.notice());
    play.press("t m a");
    assert_eq!(play.decided(), ["#1 approve"]);
    let decision = &play.decisions[0].decision;
    let of = (decision.disposition, decision.reason);
    assert_eq!(of, (Disposition::Approve, Some(Reason::DamagedPicture)));
}

#[test]
fn no_whole_picture_is_called_damaged() {
    let mut play = Play::cold(vec![known(1, &[80.0]), known(2, &[80.0])], settings());
    play.settle();
    play.look();
    play.press("t m x a");
    assert_eq!(play.decided(), [""; 0]);
    assert!(play.notice().contains("choose another reason"), "{}", play.notice());
    play.press("t d x");
    assert_eq!(play.decided(), ["#1 reject"]);
}

#[test]
fn where_another_pair_has_no_picture_the_word_of_two_stands_for_both() {
    let mut play = damaged(Side::Candidate(0), 34);
    let state = PictureState::Unreadable { why: "a kind that is not shown".to_owned() };
    play.send(Event::Picture { key: id(1), side: Side::Candidate(1), state });
    play.look();
    play.press("t m a");
    assert_eq!(play.place(), 1);
    play.press("t n a");
    assert_eq!(play.decided(), ["#1 approve"]);
    assert!(play.decisions[0].decision.is_proposal());
}

/// A JPEG that ends half way: what there is is drawn, and decided by with the word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_jpeg_is_shown_and_decided_by_with_a_reason() {
    let mut world = world([]);
    let half = subject(1_001).but(|session| {
        let Some(Picture::Bytes(kind, bytes)) = &session.picture else { panic!() };
        let bytes = bytes[..bytes.len() * 3 / 4].into();
        session.picture = Some(Picture::Bytes(kind.clone(), bytes));
    });
    world.add(half.with(candidate(6_001, 80.0)));
    world.add(
        subject(1_002)
            .but(|session| {
                let unknown = b"\x00\x00\x00\x0cjP  \r\n\x87\n".repeat(9).into();
                session.picture = Some(Picture::Bytes("image/jp2".to_owned(), unknown));
            })
            .with(candidate(6_002, 80.0)),
    );
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world, options).await.unwrap();
    let home = Home::at(&sim, 300);
    assert_eq!(home.run(&["sync"]).code, 0);
    let console = home.console(Plays::Kitty);
    tokio::task::block_in_place(|| {
        console.wait_armed(1_001);
        console.wait_for(&["% of the picture is missing", "reason damaged_picture", "kitty"]);
        // Another key than the one below, which would else come again too soon.
        console.press("a");
        console.wait_for(&["'a' decided nothing: "]);
        assert!(home.decisions().is_empty());
        console.press("t");
        console.wait_for(&["m damaged_picture"]);
        console.press("m");
        console.wait_for(&["Reason: damaged_picture", "-> Declined"]);
        console.press("x");
        assert_eq!(home.recorded(1), ["reject held"]);
        // The other one is there, and nothing that can be shown.
        console.wait_for(&["A SUBJECT #1002", "cannot be shown"]);
        console.press("\t");
        console.wait_for(&["unshown"]);
    });
    let url = format!("sqlite:{}", home.path("store.db").display());
    let store = secondlook::store::open(&url).await.unwrap();
    let origin = store.origins().await.unwrap().pop().unwrap();
    let past = store.history(&origin, &secondlook::store::HistoryQuery::default()).await.unwrap();
    let seen = &past.rows[0].decision.receipt.pictures;
    assert!(seen[0].missing.is_some(), "{seen:?}");
    assert_eq!(seen[1].missing, None);
    sim.shutdown().await;
}
