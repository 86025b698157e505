//! Every screen in every state at three sizes, as text. Snapshots hold no pixels: pictures are blank, the
//! names are invented. After a change, look at each as a tired reviewer would, then accept it.

use std::collections::BTreeMap;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use secondlook::core::{
    Cause, Event, LeaseState, Link, PictureState, ProblemKind, Screen, Side, Size, StoreTrouble,
};
use secondlook::domain::{
    BoundingBox, CaseState, DeliveryState, Details, Millis, Person, Source, Status, SubjectKind,
    Taken, Warning, WorkerId, printable,
};
use secondlook::tui::{Eyes, Frame, FrameBody, FrameKey, Gallery, ReviewLayout, Theme, draw};

use crate::core_support::{Play, case, details, id, known, problem, reviewer, settings};

/// The sizes that are promised: the smallest usual terminal, a roomy one, a large one.
const SIZES: [Size; 3] = [(80, 24), (120, 40), (200, 60)];

fn person(name: &str, document: &str, number: &str, country: &str, customer: &str) -> Person {
    let text = |words: &str| (!words.is_empty()).then(|| printable(words, 64));
    Person {
        name: text(name),
        document_type: text(document),
        document_number: text(number),
        country: text(country),
        vendor_data: text(customer),
    }
}

/// A case such as a reviewer meets: three candidates, names in three scripts.
fn usual(number: u64) -> Details {
    let mut known = details(case(number, &[88.4, 81.0, 72.35]));
    known.subject.person = person("Zoë Núñez", "Identity Card", "***456", "ESP", "u-1017");
    known.candidates[0].person = person("محمد علي", "Passport", "***901", "EGY", "u-0004");
    known.candidates[1].person = person("王小明", "Identity Card", "***456", "ESP", "");
    known.candidates[2].person = person("Zoë Núñez 👩‍🚀", "Identity Card", "***456", "ESP", "u-88");
    known.candidates[1].status = Some(Status::Approved);
    known
}

fn queue_of_many() -> Vec<Details> {
    let mut cases = vec![usual(4821)];
    cases.push({
        let mut d = details(case(4822, &[97.0, 74.25]));
        d.case.candidates[0].blocklisted = true;
        d
    });
    cases.push({
        let mut d = details(case(4823, &[88.0, 81.0, 76.5, 74.0, 71.0]));
        d.case.candidates[1].self_match = true;
        d.case.candidates[2].allowlisted = true;
        d
    });
    cases.push({
        let mut d = known(48_240_017, &[71.0]);
        d.case.set_aside = 2;
        d.case.created_at = None;
        d
    });
    cases.push({
        let mut d = known(4825, &[89.99]);
        d.case.session_number = None;
        d.case.kind = SubjectKind::SavedSearch;
        d.case.candidates[0].similarity = None;
        d
    });
    cases.extend((4830..4860).map(|n| known(n, &[70.0 + (n % 20) as f64])));
    cases
}

/// A console in the middle of its day: the pair is looked at, one decision is held.
fn at_work(cases: Vec<Details>, size: Size) -> Play {
    let mut all = vec![known(4819, &[83.0])];
    all.extend(cases);
    let mut play = Play::cold(all, settings());
    play.model.size = size;
    play.press("x");
    play.look();
    play.send(Event::Link(None));
    play
}

/// Pictures for the pair on the desk, blank.
fn gallery(play: &Play) -> Gallery {
    let mut gallery = Gallery::default();
    let Some(desk) = &play.model.desk else { return gallery };
    for (side, area) in ReviewLayout::new(play.model.size).places(desk) {
        let cells = (area.width, area.height);
        if !matches!(play.model.picture(&desk.key, side), PictureState::Ready { .. }) {
            continue;
        }
        let body = FrameBody::Inline(Vec::new().into());
        let frame =
            Frame { columns: cells.0, rows: cells.1, body, eyes: Eyes::Measured(34), tier: None };
        gallery.put(FrameKey::of(desk, side, cells), frame);
    }
    gallery
}

/// The screen as text, a bar at each end of a line so that its width can be seen.
pub fn text(play: &Play, theme: Theme) -> String {
    let (width, height) = play.model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let gallery = gallery(play);
    terminal
        .draw(|frame| {
            draw(&play.model, &gallery, theme, frame);
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let mut out = String::new();
    for y in 0..height {
        out.push('|');
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            out.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol).max(1)).unwrap();
        }
        out.push_str("|\n");
    }
    out
}

/// Takes a snapshot of a state at every size.
fn shots(name: &str, state: impl Fn(Size) -> Play) {
    for size in SIZES {
        let play = state(size);
        let shot = text(&play, Theme::new(true));
        insta::assert_snapshot!(format!("{name}@{}x{}", size.0, size.1), shot);
    }
}

fn with(size: Size, change: impl Fn(&mut Details)) -> Play {
    let mut first = usual(4821);
    change(&mut first);
    at_work(vec![first, known(4822, &[75.0])], size)
}

#[test]
fn review_armed() {
    shots("review_armed", |size| at_work(queue_of_many(), size));
}

#[test]
fn review_loading() {
    shots("review_loading", |size| {
        let mut play = Play::cold(queue_of_many(), settings());
        play.model.size = size;
        let effect = play.todo.pop_front().unwrap();
        for event in play.answer(effect) {
            play.send(event);
        }
        play
    });
}

#[test]
fn review_reading_the_queue() {
    shots("review_reading", |size| {
        let mut play = Play::cold(Vec::new(), settings());
        play.model.size = size;
        play
    });
}

#[test]
fn review_of_an_empty_queue() {
    shots("review_empty", |size| {
        let mut play = Play::cold(Vec::new(), settings());
        play.model.size = size;
        play.settle();
        play
    });
}

#[test]
fn review_of_the_last_candidate() {
    shots("review_last_candidate", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("a a");
        play.look();
        play
    });
}

#[test]
fn review_of_a_blocklisted_match() {
    shots("review_blocklisted", |size| {
        let mut play = with(size, |d| {
            d.case.candidates[0].blocklisted = true;
            d.auto_blocklist = Some(true);
            d.case.total_matches = Some(5);
            d.warnings.push(Warning {
                risk: "FACE_IN_BLOCKLIST".to_owned(),
                short: None,
                block: Some(0),
                about: None,
            });
        });
        play.look();
        play
    });
}

/// Every warning is there in words, beside the face it speaks of; one that nobody knows stands as it is.
#[test]
fn review_of_a_case_with_warnings() {
    let all: Vec<_> = secondlook::domain::face_risks().collect();
    shots("review_warnings", |size| {
        let mut play = with(size, |d| {
            let warning = |risk: &str, block, about| Warning {
                risk: risk.to_owned(),
                short: Some("Said by Didit".to_owned()),
                block,
                about,
            };
            let candidate = d.case.candidates[0].session_id.clone();
            d.warnings = vec![
                warning("POSSIBLE_DUPLICATED_FACE", Some(0), candidate),
                warning("LOW_FACE_QUALITY", Some(0), None),
                warning("LOW_FACE_MATCH_SIMILARITY", None, None),
                warning("FACE_OF_THE_FUTURE", Some(0), None),
            ];
        });
        play.look();
        play
    });
    // Each known one has words of its own, and none of them is a code.
    for risk in all {
        let short = secondlook::domain::risk_in_short(risk).unwrap();
        let words = secondlook::domain::risk_words(risk).unwrap();
        assert!(
            !short.contains('_') && !words.contains('_') && short.len() <= words.len(),
            "{risk}"
        );
    }
}

#[test]
fn warnings_stand_beside_the_face_that_they_speak_of() {
    let mut details = known(1, &[81.0, 75.0]);
    details.case.candidates[1].block = 1;
    let about = |place: usize| details.case.candidates[place].session_id.clone();
    let warning =
        |risk: &str, block, about| Warning { risk: risk.to_owned(), short: None, block, about };
    details.warnings = vec![
        warning("LOW_FACE_LUMINANCE", Some(1), None),
        warning("DUPLICATED_FACE", Some(0), about(0)),
        warning("POSSIBLE_FACE_IN_BLOCKLIST", Some(0), about(1)),
        warning("NO_REFERENCE_IMAGE", None, None),
        warning("NEW_RISK", Some(0), None),
    ];
    let shown = |place| -> Vec<(String, String)> {
        let told = secondlook::core::told(&details, place);
        told.into_iter().map(|one| (one.face, one.short)).collect()
    };
    let pair = |face: &str, words: &str| (face.to_owned(), words.to_owned());
    assert_eq!(
        shown(0),
        [
            pair("A, B", "seen before"),
            pair("A", "nothing to compare with"),
            pair("A", "NEW_RISK"),
            pair("A, 2", "maybe on the blocklist"),
            pair("A, other picture", "too dark"),
        ]
    );
    let second = shown(1);
    assert_eq!(second[..2], [pair("A", "too dark"), pair("A", "nothing to compare with")]);
    assert_eq!(second.len(), 5, "none is lost: {second:?}");
}

/// A user's portrait is no picture that matched, and nobody can take it for one: not on the screen and not in
/// the receipt.
#[test]
fn review_of_a_portrait() {
    shots("review_portrait", |size| {
        let mut play = with(size, |_| ());
        let (key, side) = (id(4821), Side::Candidate(0));
        let PictureState::Ready { sha256, .. } = play.model.picture(&key, side).clone() else {
            panic!("no picture")
        };
        assert!(!play.model.is_portrait(&key, side));
        play.send(Event::Portrait { key: key.clone(), side, sha256 });
        assert!(play.model.is_portrait(&key, side));
        assert!(!play.model.is_portrait(&key, Side::Subject));
        play.look();
        play
    });
}

#[test]
fn review_of_a_picture_that_is_gone() {
    shots("review_gone", |size| {
        let mut play = at_work(queue_of_many(), size);
        let why = "the link was refused twice".to_owned();
        let state = PictureState::Gone { why };
        play.send(Event::Picture { key: id(4821), side: Side::Candidate(0), state });
        play
    });
}

#[test]
fn review_of_several_faces() {
    shots("review_several_faces", |size| {
        with(size, |d| {
            d.several_faces = true;
            d.subject.faces = vec![BoundingBox::new([1.0, 1.0, 9.0, 9.0]).unwrap(); 2];
        })
    });
}

#[test]
fn review_of_a_case_that_somebody_has() {
    shots("review_taken", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.model.desk.as_mut().unwrap().lease = LeaseState::Taken(Taken {
            reviewer: reviewer("bo"),
            worker: WorkerId("elsewhere".to_owned()),
            until: Millis(i64::MAX),
        });
        play
    });
}

#[test]
fn review_of_unreadable_candidates() {
    shots("review_set_aside", |size| {
        let mut play = with(size, |d| {
            d.case.set_aside = 2;
            d.auto_blocklist = None;
            d.case.candidates.truncate(1);
            d.candidates.truncate(1);
            d.case.candidates[0].similarity = None;
            d.case.candidates[0].source = Source::ListEntry;
            d.case.candidates[0].session_id = None;
            d.case.candidates[0].session_number = None;
            d.candidates[0].status = None;
        });
        play.press("a");
        play
    });
}

#[test]
fn review_when_everything_is_wrong() {
    shots("review_trouble", |size| {
        let mut play = at_work(queue_of_many(), size);
        let states = [DeliveryState::Conflict, DeliveryState::Refused, DeliveryState::Sending];
        for (state, number) in states.into_iter().zip(1..) {
            let mut row = play.decisions[0].clone();
            row.decision.session_number = Some(4800 + number);
            row.state = state;
            row.note = Some("theirs: Approved by API Client, 2026-11-20 00:00.".to_owned());
            play.decisions.push(row);
        }
        let mut before = play.decisions.clone();
        before[1].state = DeliveryState::Sending;
        play.model.settings.reviewer.name = "maximiliane.von-und-zu".to_owned();
        play.model.settings.place = "verification.didit.me".to_owned();
        play.model.protocol = "iterm2".to_owned();
        play.send(Event::Outbox(before));
        play.send(Event::Outbox(play.decisions.clone()));
        play.model.link = Link::Down("Didit cannot be reached.".to_owned());
        play
    });
}

#[test]
fn review_when_the_store_is_full() {
    shots("review_store_trouble", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.refuse = Some(problem(ProblemKind::Store));
        play.press("x");
        play.look();
        // In the play the lease is written at once, which a full disk would refuse too.
        play.model.store_trouble = Some(StoreTrouble::Unwritable);
        let said = "#4821 was NOT decided: It did not work. Try again.";
        play.model.say_while(Cause::Store, said, None);
        play
    });
}

#[test]
fn review_of_hostile_text() {
    let evil = "Ana\u{1b}[2J\u{202e}zereP\u{202c}\n\u{10eeee}A\u{308}\u{308}\u{308}\u{308} ";
    shots("review_hostile", |size| {
        with(size, |d| {
            d.subject.person = person(&evil.repeat(9), evil, evil, "E\u{1b}]0;x\u{7}P", evil);
            d.candidates[0].person =
                person("🏳️‍🌈👨‍👩‍👧‍👦 ﷽ ꧁꧂", "Ｐａｓｓｐｏｒｔ", "", "", &"W".repeat(64));
            d.case.status = Status::InReview;
            d.candidates[0].status = Some(Status::Other(printable(&"Kyc Expired ".repeat(5), 64)));
            d.case.candidates[0].source = Source::Other(printable("from\u{1b}[31mthere", 64));
            d.case.candidates[0].session_number = Some(u64::MAX);
        })
    });
}

#[test]
fn review_with_the_candidate_in_the_subjects_place() {
    shots("review_flipped", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("t k space z m");
        play.look();
        play
    });
}

#[test]
fn interlock_open() {
    shots("interlock_open", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("B 4 8");
        play
    });
}

#[test]
fn interlock_complete() {
    shots("interlock_complete", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("B l 4 8 2 1 1");
        play
    });
}

#[test]
fn interlock_refused() {
    shots("interlock_refused", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.change(4821, |d| d.case.candidates[0].blocklisted = true);
        for event in play.hydrated(&id(4821)) {
            play.send(event);
        }
        play.press("B l");
        play
    });
}

#[test]
fn interlock_approved() {
    shots("interlock_approved", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("B l l");
        play
    });
}

#[test]
fn reason() {
    shots("reason", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("t f t");
        play
    });
}

#[test]
fn comment() {
    shots("comment", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("c");
        play.type_text(
            "the left ear of 小明 is lower, the mole is missing; see the second picture, too",
        );
        play
    });
}

#[test]
fn comment_with_a_name() {
    shots("comment_refused", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("c");
        play.type_text("looks like nunez");
        play.press("enter");
        play
    });
}

#[test]
fn queue_filled() {
    shots("queue_filled", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("tab j");
        play.model.queue.rows[6].taken = Some(Taken {
            reviewer: reviewer("bo"),
            worker: WorkerId("elsewhere".to_owned()),
            until: Millis(i64::MAX),
        });
        play.model.queue.rows[7].note = Some("please look at the ears once more".to_owned());
        play
    });
}

#[test]
fn queue_unread() {
    shots("queue_unread", |size| {
        let mut play = Play::cold(Vec::new(), settings());
        play.model.size = size;
        play.model.screen = Screen::Queue;
        play
    });
}

#[test]
fn queue_empty() {
    shots("queue_empty", |size| {
        let mut play = Play::cold(Vec::new(), settings());
        play.model.size = size;
        play.press("tab");
        play
    });
}

#[test]
fn queue_filtered() {
    shots("queue_filtered", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("tab /");
        play.type_text("483");
        play.press("enter");
        play
    });
}

#[test]
fn queue_filtered_to_nothing() {
    shots("queue_no_match", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("tab /");
        play.type_text("#99999");
        play.press("enter");
        play
    });
}

#[test]
fn queue_filter_being_typed() {
    shots("queue_filter", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("tab /");
        play.type_text("48");
        play
    });
}

#[test]
fn queue_of_departed_cases() {
    shots("queue_departed", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.cases[2].state = CaseState::Departed;
        play.press("tab v v v");
        play.model.queue.rows[0].note = Some("Declined at Didit".to_owned());
        play
    });
}

/// One decision in every state.
fn every_state(size: Size, cursor: usize) -> Play {
    let mut play = at_work(queue_of_many(), size);
    let first = play.decisions[0].clone();
    let notes = [
        "",
        "",
        "the answer was lost; reading back",
        "Declined, read back.",
        "403: this key may not write sessions.",
        "theirs: Approved by API Client at 2026-11-20 00:01; it stays unless you decide again.",
        "the search cannot be decided at Didit; a review note was posted",
        "",
    ];
    play.decisions = DeliveryState::ALL
        .into_iter()
        .zip(notes)
        .zip(4_800..)
        .map(|((state, note), number)| {
            let mut row = first.clone();
            row.decision.session_number = Some(number);
            row.decision.at = Millis(first.decision.at.0 - 61_000 * (number as i64 - 4_800));
            row.state = state;
            row.note = (!note.is_empty()).then(|| note.to_owned());
            row
        })
        .collect();
    play.decisions[2].decision.reviewer = reviewer("maximiliane.von-und-zu");
    play.decisions[5].decision.comment =
        Some("the left ear is lower, and the mole is missing".to_owned());
    play.press("H");
    for _ in 0..cursor {
        play.press("j");
    }
    play
}

#[test]
fn history_held() {
    shots("history_held", |size| every_state(size, 0));
}

#[test]
fn history_conflict() {
    shots("history_conflict", |size| every_state(size, 5));
}

#[test]
fn history_of_a_blocklisting() {
    shots("history_blocklist", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("t f B l 4 8 2 1 1 B H");
        play
    });
}

#[test]
fn history_empty() {
    shots("history_empty", |size| {
        let mut play = Play::cold(vec![known(1, &[75.0])], settings());
        play.model.size = size;
        play.press("H");
        play
    });
}

#[test]
fn statistics() {
    shots("statistics", |size| {
        let mut play = every_state(size, 0);
        play.press("S");
        play
    });
}

#[test]
fn help() {
    for (name, keys) in
        [("review", "?"), ("queue", "tab ?"), ("history", "H ?"), ("statistics", "S ?")]
    {
        shots(&format!("help_{name}"), |size| {
            let mut play = at_work(queue_of_many(), size);
            play.press(keys);
            play
        });
    }
}

#[test]
fn help_scrolled_to_its_end() {
    shots("help_end", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("?");
        for _ in 0..40 {
            play.press("j");
        }
        play
    });
}

#[test]
fn quit() {
    shots("quit", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("q");
        play
    });
}

#[test]
fn quit_while_sending() {
    shots("quit_sending", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("q");
        play.strike("$");
        play
    });
}

#[test]
fn quit_when_all_has_gone_out_meanwhile() {
    shots("quit_nothing_left", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press("q");
        play.send(Event::Outbox(Vec::new()));
        play
    });
}

#[test]
fn curtain() {
    shots("curtain", |size| {
        let mut play = at_work(queue_of_many(), size);
        play.press(".");
        play
    });
}

#[test]
fn too_small() {
    for size in [(20, 5), (59, 18), (60, 17), (1, 1)] {
        let play = at_work(queue_of_many(), size);
        insta::assert_snapshot!(
            format!("too_small@{}x{}", size.0, size.1),
            text(&play, Theme::new(true))
        );
    }
}

#[test]
fn a_screen_too_small_comes_back_when_it_is_enlarged() {
    let mut play = at_work(queue_of_many(), (80, 24));
    let before = text(&play, Theme::new(true));
    play.send(Event::Resized((20, 5)));
    assert!(text(&play, Theme::new(true)).contains("small"));
    play.press("a x i e B");
    assert_eq!(play.decided(), ["#4819 reject"]);
    play.send(Event::Resized((80, 24)));
    play.look();
    assert!(play.armed());
    let after = text(&play, Theme::new(true));
    let pair = |text: &str| text.lines().take(20).skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(pair(&after), pair(&before));
}

/// States that a reviewer must tell apart, as (what to look for, how to get there).
fn words() -> BTreeMap<&'static str, Play> {
    let at = |keys: &str| {
        let mut play = at_work(queue_of_many(), (80, 24));
        play.press(keys);
        play.look();
        play
    };
    let blocklisted = with((80, 24), |d| d.case.candidates[0].blocklisted = true);
    let gone = {
        let mut play = at("");
        let state = PictureState::Gone { why: "null".to_owned() };
        play.send(Event::Picture { key: id(4821), side: Side::Subject, state });
        play
    };
    let mut offline = at("");
    offline.model.link = Link::Down("no route".to_owned());
    BTreeMap::from([
        ("ARMED", at("")),
        ("Approved", at("a a")),
        ("Declined", at("")),
        ("BLOCKLISTED", blocklisted),
        ("no picture", gone),
        ("OFFLINE", offline),
        ("CONFLICT", every_state((80, 24), 5)),
        ("REFUSED", every_state((80, 24), 4)),
        ("APPROVED CUSTOMER", at("B l l")),
        ("B again to hold", at("B 4 8 2 1")),
        (">#4822", at("tab j")),
    ])
}

#[test]
fn without_colour_the_words_say_the_same() {
    for (word, play) in words() {
        let (colour, plain) = (text(&play, Theme::new(true)), text(&play, Theme::new(false)));
        assert_eq!(colour, plain, "{word}");
        assert!(plain.contains(word), "{word}:\n{plain}");
    }
}

#[test]
fn without_colour_no_cell_has_one() {
    for (word, play) in words() {
        let (width, height) = play.model.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let gallery = gallery(&play);
        terminal
            .draw(|frame| {
                draw(&play.model, &gallery, Theme::new(false), frame);
            })
            .unwrap();
        for cell in terminal.backend().buffer().content() {
            let plain = ratatui::style::Color::Reset;
            assert_eq!((cell.fg, cell.bg), (plain, plain), "{word}: {:?}", cell.symbol());
        }
    }
}
