//! Random keys through `core::update`, with the drawn screen as the oracle: no blocklisting without the
//! typed number of the target that the screen named, whose face it showed, when the key was pressed; and
//! none of an approved customer by one person.
//!
//! Here in small; a million by the command in CONTRIBUTING.md.

use std::collections::BTreeSet;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use secondlook::core::{Effect, Model, Overlay, Settings};
use secondlook::domain::{
    CaseState, Decision, Details, Disposition, Reviewer, ReviewerId, Source, Status,
};
use secondlook::input::Key;
use secondlook::roster::Standing;
use secondlook::tui::{Gallery, Theme, draw};

use crate::core_support::{DWELL, Play, candidate, known, settings};

/// Numbers that begin and end like each other.
const NUMBERS: [u64; 8] = [1, 11, 111, 12, 121, 2, 21, 4821];

const KEYS: &[&str] = &[
    "B", "B", "B", "B", "B", "1", "2", "4", "8", "h", "l", "l", "j", "k", "enter", "esc", "a", "x",
    "space", "tab", "z", "c", "t", "u", "?", ".", "e",
];

/// What a hand finds at the open interlock.
const AT_THE_LOCK: &[&str] =
    &["B", "B", "B", "B", "l", "l", "h", "h", "1", "2", "8", "enter", "esc", "space", "x", "tab"];

/// What a run saw.
#[derive(Debug, Default)]
struct Figures {
    sequences: u64,
    keys: u64,
    held: u64,
    proposed: u64,
    confirmed: u64,
}

/// The settings of a run by a person of the roster whose key is in the ssh-agent.
fn person(name: &str) -> Settings {
    let standing = Standing::Person { signs: true };
    Settings {
        reviewer: Reviewer { id: ReviewerId::of_person(name), name: name.to_owned() },
        alone: standing.cannot_be_second(),
        ..settings()
    }
}

/// Their console on some cases, looked at.
fn seated(name: &str, cases: Vec<Details>) -> Play {
    let mut play = Play::cold(cases, person(name));
    play.look();
    play
}

/// A case with three candidates of all kinds.
fn strange(random: &mut fastrand::Rng, number: u64) -> Details {
    let mut details = known(number, &[88.0, 80.0, 97.0]);
    let mut numbers = NUMBERS.to_vec();
    random.shuffle(&mut numbers);
    for (place, number) in numbers.into_iter().take(3).enumerate() {
        let candidate = &mut details.case.candidates[place];
        candidate.session_number = Some(number).filter(|_| random.u8(..12) > 0);
        candidate.blocklisted = random.u8(..8) == 0;
        if random.u8(..16) == 0 {
            candidate.source = Source::ListEntry;
        }
        let statuses =
            [Some(Status::Approved), Some(Status::Declined), Some(Status::InReview), None];
        details.candidates[place].status = random.choice(statuses).unwrap();
    }
    details
}

/// A console with two strange cases; half of the time somebody else has proposed something.
fn start(random: &mut fastrand::Rng) -> Play {
    let number = random.choice(NUMBERS).unwrap();
    let details = strange(random, number);
    let mut second = strange(random, 77);
    second.case.candidates.push(candidate(778, 40.0));
    second.candidates.push(second.candidates[0].clone());
    let proposal = random.bool().then(|| propose(details.clone())).flatten();
    let Some(proposal) = proposal else { return seated("ana", vec![details, second]) };
    let mut play = Play::cold(vec![details, second], person("ben"));
    play.cases[0].state = CaseState::Escalated;
    play.cases[0].proposal = Some(proposal);
    play.settle();
    play.press("tab v enter");
    play.look();
    play
}

/// What `ana` proposes about a case, if one of its candidates is an approved customer.
fn propose(details: Details) -> Option<Box<Decision>> {
    let mut play = seated("ana", vec![details]);
    play.press("B");
    for _ in 0..3 {
        play.press("l");
        let Some(Overlay::Interlock(lock)) = play.top() else { return None };
        let Some(line) = lock.target().filter(|line| line.approved && line.refused.is_none())
        else {
            continue;
        };
        let digits = line.session_number.unwrap().to_string();
        for digit in digits.chars() {
            play.press(&digit.to_string());
        }
        play.press("B");
        return play.effects.iter().find_map(|effect| match effect {
            Effect::Decide(decision) if decision.is_proposal() => Some(decision.clone()),
            _ => None,
        });
    }
    None
}

/// The next digit of the number that the interlock names, as a hand types that reads it there.
fn read_off(model: &Model) -> Option<Key> {
    let Some(Overlay::Interlock(lock)) = model.overlays.last() else { return None };
    let number = lock.target()?.session_number?.to_string();
    number[lock.typed.len() % number.len()..].chars().next().map(Key::char)
}

/// The screen as text, a line each.
fn drawn(model: &Model) -> Vec<String> {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let gallery = Gallery::default();
    terminal
        .draw(|frame| {
            draw(model, &gallery, Theme::new(false), frame);
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(line).collect()
}

/// Whether the text holds that number as a whole one.
fn names(text: &str, number: u64) -> bool {
    let wanted = format!("#{number}");
    text.split(|c: char| c != '#' && !c.is_ascii_digit()).any(|word| word == wanted)
}

/// Holds a blocklisting against the screen under which its key was pressed.
fn judge(decision: &Decision, before: &Model, typed: &str, figures: &mut Figures) {
    let target = decision.target.as_ref().unwrap();
    let number = target.session_number.unwrap();
    let screen = drawn(before);
    let all = screen.join("\n");
    let named = screen.iter().find(|line| line.contains("target >")).expect(&all);
    assert!(names(named, number), "another one than was named\n{all}");
    assert!(typed.ends_with(&number.to_string()), "{typed} was typed, not {number}\n{all}");
    let [subject, shown] = ["A SUBJECT", "B "].map(|title| {
        let line = screen.iter().find(|line| line.contains("A SUBJECT")).expect(&all);
        line.split_at(line.find(title).unwrap()).1
    });
    let (subject, shown) = (&subject[..subject.find("B ").unwrap()], shown);
    assert!(names(if target.is_subject { subject } else { shown }, number), "not shown\n{all}");
    let case = decision.session_number.unwrap();
    assert!(names(subject, case), "another case\n{all}");
    let approved = named.contains("APPROVED CUSTOMER");
    assert_eq!(approved, target.approved, "{all}");
    match decision.answers {
        Some(_) => {
            assert!(named.contains("proposed by ana"), "{all}");
            assert_eq!(decision.reviewer, person("ben").reviewer);
            figures.confirmed += 1;
        }
        None if approved => {
            assert!(all.contains("proposed to a second person"), "{all}");
            assert!(decision.is_proposal());
            figures.proposed += 1;
        }
        None => {
            assert!(all.contains(&format!("#{case} -> Declined")), "{all}");
            figures.held += 1;
        }
    }
}

/// One sequence of keys on a console that stands as it was left.
fn sequence(start: &Play, keys: &[Vec<Key>; 2], random: &mut fastrand::Rng, figures: &mut Figures) {
    let mut play = start.clone();
    play.model.size = random.choice([(80, 24), (120, 40)]).unwrap();
    let (mut typed, mut judged) = (String::new(), BTreeSet::new());
    for _ in 0..random.u8(6..20) {
        let open = matches!(play.top(), Some(Overlay::Interlock(_)));
        let key = match read_off(&play.model) {
            Some(digit) if random.u8(..5) > 1 => digit,
            _ => random.choice(&keys[usize::from(open)]).copied().unwrap(),
        };
        match random.u8(..8) {
            0 => {
                // Something changes at Didit, and the case is read again.
                let place = random.usize(..3);
                let details = &mut play.cases[0].details;
                match random.u8(..3) {
                    0 => details.candidates[place].status = Some(Status::Approved),
                    1 => details.candidates[place].status = Some(Status::Declined),
                    _ => details.case.candidates[place].blocklisted ^= true,
                }
                for event in play.hydrated(&play.cases[0].details.case.key.clone()) {
                    play.send(event);
                }
            }
            1 => play.wait(200),
            _ => play.look(),
        }
        if key == Key::char('B') || !matches!(play.top(), Some(Overlay::Interlock(_))) {
            let open = matches!(play.top(), Some(Overlay::Interlock(_)));
            let before = open.then(|| play.model.clone());
            strike(&mut play, key);
            let newest = play.model.pending.back().map(|pending| pending.decision.clone());
            let blocklist = newest.filter(|d| d.disposition == Disposition::Blocklist);
            if let Some(decision) = blocklist.filter(|d| !judged.contains(&d.id)) {
                judge(&decision, &before.expect("no interlock was open"), &typed, figures);
                judged.insert(decision.id);
            }
            if !open {
                typed.clear();
            }
        } else {
            match key {
                _ if key == Key::char('h') || key == Key::char('l') => typed.clear(),
                Key { code: secondlook::input::KeyCode::Char(c), .. } if c.is_ascii_digit() => {
                    typed.push(c);
                }
                _ => {}
            }
            strike(&mut play, key);
        }
        figures.keys += 1;
        play.wait(60);
        play.settle();
    }
    // What the store was asked to record is what was judged, and nothing besides.
    for effect in &play.effects {
        if let Effect::Decide(decision) = effect
            && decision.disposition == Disposition::Blocklist
        {
            assert!(judged.contains(&decision.id), "a blocklisting out of nowhere: {decision:?}");
        }
    }
    figures.sequences += 1;
}

fn strike(play: &mut Play, key: Key) {
    play.now = play.now.plus(200);
    play.send(secondlook::core::Event::Key { key, at: play.now, burst: 1 });
}

fn run(seed: u64, sequences: u64) -> Figures {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut figures = Figures::default();
    let parsed = |keys: &[&str]| keys.iter().map(|key| Key::parse(key).unwrap()).collect();
    let keys = [parsed(KEYS), parsed(AT_THE_LOCK)];
    let mut play = start(&mut random);
    for round in 0..sequences {
        if round % 64 == 0 {
            play = start(&mut random);
            play.effects.clear();
            play.wait(DWELL);
        }
        sequence(&play, &keys, &mut random, &mut figures);
    }
    figures
}

#[test]
fn no_keys_blocklist_whom_the_screen_does_not_name() {
    let figures = run(0x5ec0_0d10, 6_000);
    let seen = figures.held.min(figures.proposed).min(figures.confirmed);
    assert!(seen > 20, "it saw too little: {figures:?}");
}

/// A million sequences, on as many threads as there are. Prints its figures.
#[test]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
fn in_full() {
    let runs = 8;
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..runs).map(|seed| scope.spawn(move || run(seed, 1_000_000 / runs))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let sum = |of: fn(&Figures) -> u64| all.iter().map(of).sum::<u64>();
    eprintln!(
        "{} sequences, {} keys; blocklistings held {}, proposed {}, confirmed {}; \
         not named, not shown or not typed: 0",
        sum(|f| f.sequences),
        sum(|f| f.keys),
        sum(|f| f.held),
        sum(|f| f.proposed),
        sum(|f| f.confirmed),
    );
    assert_eq!(sum(|f| f.sequences), 1_000_000);
}
