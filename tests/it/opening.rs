//! The opening key, as rules: where nothing that draws answers, a pair opens shut, and only the key that
//! stands on its own frame opens it.

use secondlook::core::{CHOICES, Event, Keymap, NotArmed, Reach};
use secondlook::domain::Details;

use crate::core_support::{DWELL, Play, known, settings};

/// A console behind something that answers for the terminal; the first pair is painted and shut.
fn blind(cases: Vec<Details>, seed: u64) -> Play {
    let mut play = Play::cold(cases, settings());
    play.model.random = fastrand::Rng::with_seed(seed);
    play.send(Event::Reach(way()));
    play.look();
    play
}

fn way() -> Reach {
    Reach::Blind { by: "tmux".to_owned(), remedy: "set -g allow-passthrough on".to_owned() }
}

fn pairs() -> Vec<Details> {
    (1..=5).map(|number| known(number, &[88.0])).collect()
}

fn key(play: &Play) -> String {
    play.model.opening_key().expect("the pair is shut").to_string()
}

/// Keys as a hand types them.
fn type_slowly(play: &mut Play, keys: &[&str]) {
    for key in keys {
        play.wait(400);
        play.strike(key);
        play.settle();
    }
}

#[test]
fn a_pair_opens_shut_and_only_its_own_key_opens_it() {
    let mut play = blind(pairs(), 1);
    assert!(matches!(play.model.armed(play.now), Err(NotArmed::Shut(_))));
    play.strike("x");
    assert!(play.notice().contains("shut, press '"), "{}", play.notice());
    let own = key(&play);
    type_slowly(&mut play, &[&own]);
    assert_eq!(play.model.armed(play.now), Err(NotArmed::Dwell), "it has to be looked at, too");
    play.wait(DWELL);
    play.strike("x");
    assert_eq!(play.model.pending.len(), 1);
    // The next one is shut again, and its key is another one.
    play.look();
    assert_ne!(key(&play), own);
    play.strike("x");
    assert_eq!(play.model.pending.len() + play.decided().len(), 1);
    // One that is seen is opened and decided.
    let own = key(&play);
    type_slowly(&mut play, &[&own]);
    play.wait(DWELL);
    play.strike("x");
    play.wait(1_000);
    play.settle();
    assert_eq!(play.decided().len(), 2);
}

#[test]
fn the_same_key_for_every_case_is_right_for_one_in_eight_at_most() {
    let free = settings().keymap.free_keys(false);
    let (mut decided, mut plays) = (0, 0);
    for seed in 0..200 {
        for guess in &free {
            let mut play = blind(pairs(), seed);
            let own = key(&play);
            type_slowly(&mut play, &[&own]);
            play.wait(DWELL);
            // Under the first pair; the second comes on the screen while this is on its way.
            type_slowly(&mut play, &["x"]);
            play.paint();
            type_slowly(&mut play, &[&guess.to_string()]);
            play.wait(DWELL);
            type_slowly(&mut play, &["x"]);
            play.wait(1_000);
            play.settle();
            assert!((1..=2).contains(&play.decided().len()));
            decided += play.decided().len() - 1;
            plays += 1;
        }
    }
    assert!(decided > 0 && decided * CHOICES <= plays, "{decided} of {plays}");
}

#[test]
fn a_key_that_came_before_its_frame_or_with_others_opens_nothing() {
    let mut play = blind(pairs(), 3);
    play.send(Event::Covered);
    let own = key(&play);
    // Nothing of this epoch is on the screen yet.
    type_slowly(&mut play, &[&own]);
    assert_eq!(key(&play), own);
    // Written just now: nobody has read it.
    play.paint();
    play.wait(100);
    play.strike(&own);
    assert_eq!(key(&play), own);
    // Several in one read, and one right behind another.
    play.wait(1_000);
    let pressed = secondlook::input::Key::parse(&own).unwrap();
    play.send(Event::Key { key: pressed, at: play.now, burst: 2 });
    assert_eq!(key(&play), own);
    play.wait(1_000);
    play.strike("z");
    play.wait(20);
    play.strike(&own);
    assert_eq!(key(&play), own);
    play.wait(1_000);
    play.strike(&own);
    assert_eq!(play.model.opening_key(), None);
}

#[test]
fn three_wrong_keys_draw_another_and_make_it_wait() {
    let mut play = blind(pairs(), 4);
    let own = key(&play);
    let free = settings().keymap.free_keys(false);
    let wrong: Vec<String> =
        free.iter().map(char::to_string).filter(|key| *key != own).take(3).collect();
    for key in &wrong {
        type_slowly(&mut play, &[key]);
    }
    assert!(play.notice().contains("another one is drawn"), "{}", play.notice());
    let other = key(&play);
    assert_ne!(other, own);
    play.paint();
    play.wait(400);
    play.strike(&other);
    assert_eq!(key(&play), other, "within the second none counts");
    play.wait(1_000);
    play.strike(&other);
    assert_eq!(play.model.opening_key(), None);
}

#[test]
fn whatever_covers_the_pair_shuts_it_again() {
    let mut play = blind(pairs(), 5);
    let own = key(&play);
    type_slowly(&mut play, &[&own]);
    play.look();
    assert!(play.armed());
    play.send(Event::Covered);
    play.look();
    assert!(matches!(play.model.armed(play.now), Err(NotArmed::Shut(_))));
}

#[test]
fn where_the_terminal_answers_there_is_no_second_key() {
    let mut play = Play::new(pairs());
    assert!(play.armed());
    assert_eq!(play.model.opening_key(), None);
    // The way is lost, and found again: both times the pair has to be seen anew.
    play.send(Event::Reach(way()));
    play.look();
    assert!(!play.armed());
    play.send(Event::Reach(Reach::EndToEnd));
    assert!(!play.armed());
    play.look();
    assert!(play.armed());
}

#[test]
fn nothing_arms_while_nobody_looks_or_the_terminal_is_being_asked() {
    for (reach, why) in [
        (
            Reach::Off("nobody is attached".to_owned()),
            NotArmed::Off("nobody is attached".to_owned()),
        ),
        (Reach::Asking, NotArmed::Asking),
    ] {
        let mut play = Play::new(pairs());
        play.send(Event::Reach(reach));
        play.look();
        assert_eq!(play.model.armed(play.now), Err(why));
        assert_eq!(play.model.opening_key(), None);
        type_slowly(&mut play, &["x"]);
        assert_eq!(play.model.pending.len(), 0);
    }
}

#[test]
fn whoever_attaches_anew_says_by_a_key_that_it_is_theirs() {
    let mut play = Play::new(pairs());
    play.send(Event::Attached);
    assert!(play.notice().contains("decides as ana"), "{}", play.notice());
    play.look();
    type_slowly(&mut play, &["x"]);
    assert_eq!(play.model.pending.len(), 0);
    play.look();
    let own = key(&play);
    type_slowly(&mut play, &[&own]);
    play.look();
    assert!(play.armed());
    // Said once, it is said: the terminal answers for itself.
    type_slowly(&mut play, &["x"]);
    play.look();
    assert!(play.armed());
}

#[test]
fn under_the_interlock_a_letter_opens_whoever_is_named() {
    let mut play = blind(vec![known(1, &[88.0, 77.0])], 6);
    let own = key(&play);
    type_slowly(&mut play, &[&own]);
    play.look();
    type_slowly(&mut play, &["B", "l", "l"]);
    play.look();
    let own = key(&play);
    assert!(own.chars().all(|c| c.is_ascii_lowercase()), "{own} would be a digit of the number");
    type_slowly(&mut play, &["1", "2", "B"]);
    assert_eq!(play.model.pending.len(), 0);
    play.look();
    type_slowly(&mut play, &[&own]);
    play.wait(DWELL);
    play.strike("B");
    assert_eq!(play.model.pending.len(), 1, "{}", play.notice());
}

#[test]
fn every_key_map_leaves_enough_keys_free() {
    use secondlook::config::{PRESETS, Preset};
    let maps = PRESETS.iter().map(|(name, _)| Preset::named(name).unwrap());
    for preset in maps.chain([Preset::default()]) {
        let keymap = Keymap::over(&preset, &Default::default()).unwrap();
        for letters in [false, true] {
            let free = keymap.free_keys(letters);
            assert!(free.len() >= CHOICES, "{preset:?}: {free:?}");
            assert!(!letters || free.iter().all(|c| !c.is_ascii_digit()), "{free:?}");
        }
    }
    let free = settings().keymap.free_keys(false);
    // Beside `e` and `s`, which act on a pair that is shut.
    assert!(!free.iter().any(|c| "wd".contains(*c)), "{free:?}");
}
