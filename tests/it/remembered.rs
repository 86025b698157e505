//! How pictures are drawn in a terminal is the reviewer's choice, made with a key and still good the next
//! day; and a key never makes it for another terminal, nor in the demo.

use std::time::Instant;

use rustix::process::Signal;
use secondlook::shell::{Memory, MemoryError, Place};
use secondlook::sim::{Limits, Options, Sim};
use secondlook::term::{Blocks, Capabilities, Environment, Inside, Probe, Protocol, Wish};
use serde_json::{Value, json};

use crate::terminal::{Home, LIMIT, PROGRAM, Plays, Terminal, world};

/// Presses a key of the review screen and waits for what it brings.
fn steps(console: &Terminal, key: &str, brings: &str) {
    console.wait_for(&[" ARMED "]);
    console.press(key);
    console.wait_for(&[" ARMED ", brings]);
}

fn written(home: &Home) -> Value {
    let text = std::fs::read(home.path("state/secondlook/terminals.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn quit(console: Terminal) {
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_case_was_decided_by_is_there_the_next_time() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002, 1003]), options).await.unwrap();
    let home = Home::at(&sim, 0);
    let console = home.console(Plays::Kitty);
    // Over what this terminal does not say that it draws.
    steps(&console, "p", " blocks");
    steps(&console, "P", "Pictures are made of half-blocks.");
    assert!(!home.path("state").exists(), "what is only tried is kept");
    console.press("a");
    console.wait_for(&["Approved at Didit, read back."]);
    let entry = json!({
        "place": { "terminal": "kitty(0.40.0)", "term": "xterm-256color", "tmux": null },
        "images": "blocks",
        "cells": "half",
    });
    // The file is written beside the decision, not before it.
    let deadline = Instant::now() + LIMIT;
    while !home.path("state/secondlook/terminals.json").exists() && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(written(&home), json!({ "version": 1, "terminals": [entry] }));
    console.signal(Signal::KILL);
    console.end();

    // Another terminal is asked anew.
    let console = home.console(Plays::Xterm);
    console.any_armed();
    steps(&console, "P", "Pictures are made of sextants.");
    quit(console);
    assert_eq!(written(&home)["terminals"].as_array().unwrap().len(), 2);

    // What the flag says goes before it, and `auto` passes over it.
    for (images, drawn) in [("kitty", " kitty"), ("sixel", " kitty"), ("auto", " kitty")] {
        let console = home.open(Plays::Kitty, PROGRAM, &["review", "--images", images]);
        console.wait_for(&[" ARMED ", drawn]);
        quit(console);
    }

    // One step on is where it began: that choice is forgotten, the other kept.
    let console = home.console(Plays::Kitty);
    console.wait_for(&[" ARMED ", " blocks"]);
    steps(&console, "p", " kitty");
    steps(&console, "P", "Pictures are drawn by kitty, not of characters");
    quit(console);
    let newest = &written(&home)["terminals"][0];
    assert_eq!((&newest["images"], &newest["cells"]), (&Value::Null, &json!("half")));
}

#[test]
fn the_demo_keeps_nothing() {
    let home = Home::new("");
    let before = std::fs::read_dir(home.path("")).unwrap().count();
    let console = home.open(Plays::Kitty, PROGRAM, &["demo", "--cases", "3"]);
    steps(&console, "p", " blocks");
    quit(console);
    assert_eq!(std::fs::read_dir(home.path("")).unwrap().count(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_something_else_is_said_and_left_alone() {
    let sim = Sim::start(world([1001]), Options::default()).await.unwrap();
    let home = Home::at(&sim, 0);
    std::fs::create_dir_all(home.path("state/secondlook")).unwrap();
    let file = home.file("state/secondlook/terminals.json", "{\"version\": 2}", 0o600);
    let console = home.console(Plays::Kitty);
    console.wait_for(&["What was chosen for pictures is not known", " ARMED "]);
    steps(&console, "p", " blocks");
    quit(console);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "{\"version\": 2}");
}

#[test]
fn doctor_tells_what_was_chosen_here_and_draws_by_it() {
    let home = Home::new("");
    std::fs::create_dir_all(home.path("state/secondlook")).unwrap();
    let entry = json!({
        "place": { "terminal": "kitty(0.40.0)", "term": "xterm-256color", "tmux": null },
        "images": "sixel",
        "cells": "half",
    });
    let text = json!({ "version": 1, "terminals": [entry] }).to_string();
    home.file("state/secondlook/terminals.json", &text, 0o600);
    let report = |options: &str| {
        // Into a file beside, because a row is longer than a screen is wide.
        let script = format!("{PROGRAM} doctor --json {options} > report; true");
        let terminal = home.open(Plays::Kitty, "/bin/sh", &["-c", &script]);
        assert_eq!(terminal.restored().0, 0);
        std::fs::read_to_string(home.path("report")).unwrap()
    };
    let said = report("");
    for text in [
        "sixel is wished for and not confirmed; kitty(0.40.0) draws kitty placeholders",
        "half-blocks: chosen in the console for this terminal",
        "sixel, half-blocks; p and P in the console change it",
    ] {
        assert!(said.contains(text), "{text} is not in {said}");
    }
    let said = report("--images auto");
    assert!(said.contains("kitty: kitty(0.40.0) draws kitty placeholders"), "{said}");
    let said = report("--cells octant");
    assert!(said.contains("octants: a flag or the configuration says so"), "{said}");
}

// The file itself.

fn known(name: &str, inside: Inside) -> Capabilities {
    let unknown = Probe::new(&Environment::default()).conclude();
    Capabilities { version: Some(name.to_owned()), inside, ..unknown }
}

fn place(name: &str, term: &str) -> Place {
    let environment = Environment { term: term.to_owned(), ..Environment::default() };
    Place::of(&known(name, Inside::Bare), &environment)
}

const SIXEL: Wish = Wish { protocol: Some(Protocol::Sixel), blocks: None };
const OCTANTS: Wish = Wish { protocol: None, blocks: Some(Blocks::Octants) };

#[test]
fn the_newest_terminals_are_remembered_and_what_is_wished_no_more_is_not() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new("");
    let path = home.path("state/terminals.json");
    let memory = || Memory::read(path.clone()).unwrap();
    for number in 0..40 {
        memory().keep(place(&format!("term {number}"), "xterm"), SIXEL).unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(memory().of(&place("term 7", "xterm")), Wish::default());
    for number in 8..40 {
        assert_eq!(memory().of(&place(&format!("term {number}"), "xterm")), SIXEL, "{number}");
    }
    assert_eq!(memory().of(&place("term 39", "tmux-256color")), Wish::default());
    memory().keep(place("term 8", "xterm"), OCTANTS).unwrap();
    assert_eq!(memory().of(&place("term 8", "xterm")), OCTANTS);
    memory().keep(place("term 8", "xterm"), Wish::default()).unwrap();
    assert_eq!(memory().of(&place("term 8", "xterm")), Wish::default());
    // Nothing lies beside the file.
    assert_eq!(std::fs::read_dir(home.path("state")).unwrap().count(), 1);
    // Whoever keeps nothing changes nothing, and makes no file.
    let other = home.path("state/other.json");
    Memory::read(other.clone()).unwrap().keep(place("x", "y"), Wish::default()).unwrap();
    assert!(!other.exists());
}

#[test]
fn a_terminal_in_tmux_is_another_place_and_its_name_is_cut() {
    let home = Home::new("");
    let path = home.path("terminals.json");
    let memory = || Memory::read(path.clone()).unwrap();
    let evil = format!("\u{1b}]0;{}\u{202e}\"}}]", "A".repeat(3000));
    memory().keep(place(&evil, &evil), SIXEL).unwrap();
    assert_eq!(memory().of(&place(&evil, &evil)), SIXEL);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.len() < 600 && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let inside = |version: &str| {
        let tmux = Inside::Tmux { version: version.to_owned() };
        Place::of(&known("kitty(0.40.0)", tmux), &Environment::default())
    };
    memory().keep(inside("3.3a"), SIXEL).unwrap();
    assert_eq!(memory().of(&inside("3.3a")), SIXEL);
    assert_eq!(memory().of(&inside("3.7")), Wish::default());
}

#[test]
fn what_is_no_such_file_is_an_error_and_stays() {
    let home = Home::new("");
    for text in ["", "[]", "{\"version\":1}", "{\"version\":2,\"terminals\":[]}", "\u{0}\u{1}"] {
        let path = home.file("terminals.json", text, 0o600);
        let read = Memory::read(path.clone());
        assert!(matches!(read, Err(MemoryError::Foreign)), "{text:?}");
        let kept = Memory::afresh(path.clone()).keep(place("x", "y"), SIXEL);
        assert!(matches!(kept, Err(MemoryError::Foreign)), "{text:?}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
    let folder = home.path("state");
    std::fs::create_dir(&folder).unwrap();
    assert!(matches!(Memory::read(folder), Err(MemoryError::Unreadable(_))));
}
