//! `secondlook doctor` and the terminal: what was asked and answered, what follows, and the test card, in
//! real ptys with terminals of ours at the other end.

use std::time::Duration;

use crate::kitty::{Far, Line};
use crate::terminal::{Home, PROGRAM, Plays};

const HERE: Line = Line { rate: 100_000_000, delay: Duration::ZERO };

/// The rows of the report as they are printed on a terminal, with `--json`.
fn rows(plays: Plays, term: &str) -> Vec<(String, String, String)> {
    let mut home = Home::new("");
    home.set("TERM", term);
    // Into a file beside, because a row is longer than a screen is wide.
    let script = format!("{PROGRAM} doctor --json > report; true");
    let terminal = home.open(plays, "/bin/sh", &["-c", &script]);
    let (code, words) = terminal.restored();
    assert_eq!(code, 0, "{words}");
    let report = std::fs::read_to_string(home.path("report")).unwrap();
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        (word("check"), word("verdict"), word("text"))
    };
    report.lines().map(row).collect()
}

/// Whether a row says this.
fn says(rows: &[(String, String, String)], check: &str, verdict: &str, text: &str) {
    let found = rows
        .iter()
        .any(|row| (row.0.as_str(), row.1.as_str()) == (check, verdict) && row.2.contains(text));
    assert!(found, "{check} {verdict} {text:?} is not in {rows:#?}");
}

#[test]
fn it_tells_what_a_kitty_was_asked_and_said_and_what_follows() {
    let rows = rows(Plays::Kitty, "xterm-256color");
    says(&rows, "terminal", "ok", "100x30 cells; kitty(0.40.0)");
    says(&rows, "asked", "ok", "name and version \\u{1b}[>q: kitty(0.40.0)");
    says(&rows, "asked", "ok", "kitty graphics");
    says(&rows, "asked", "ok", ": i=31 OK");
    says(&rows, "asked", "ok", "size of a cell \\u{1b}[16t: 10x20 pixels");
    says(&rows, "asked", "ok", "sixel colours \\u{1b}[?1;1;0S: no answer");
    says(&rows, "asked", "ok", "device attributes \\u{1b}[c: 62;52");
    says(&rows, "answers", "ok", "the terminal that draws, end to end");
    says(&rows, "pictures", "ok", "kitty: kitty(0.40.0) draws kitty placeholders");
    says(&rows, "envelope", "ok", "none");
    says(&rows, "cell", "ok", "10x20 pixels: the terminal says so");
    says(&rows, "characters", "ok", "octants: the terminal draws them itself");
    says(&rows, "colours", "ok", "24 bits: the terminal is known");
    assert!(rows.iter().all(|row| row.0 != "sixel" && row.0 != "card"), "{rows:#?}");
    assert!(rows.iter().all(|row| !row.2.contains(char::is_control)), "{rows:#?}");
}

#[test]
fn it_tells_of_lesser_terminals_what_would_help() {
    let of = rows(Plays::Xterm, "xterm-256color");
    says(&of, "pictures", "warn", "blocks: XTerm(379) draws no pictures that we know of; kitty,");
    says(&of, "characters", "ok", "quadrants: nearly every font has them");
    says(&of, "colours", "ok", "256");
    let of = rows(Plays::Silent, "vt100");
    says(&of, "terminal", "warn", "it answers nothing");
    says(&of, "answers", "warn", "silent terminal, not end to end: each pair opens shut");
    says(&of, "asked", "ok", "all read \\u{1b}[5n: no answer");
    says(&of, "cell", "ok", "10x20 pixels: by the size of the window");
    says(&of, "colours", "ok", "none: TERM names a terminal without colours");
}

#[test]
fn the_card_is_drawn_by_kitty_and_nothing_of_it_stays() {
    let home = Home::new("");
    let far = Far::run(&home, &["doctor", "--card"], HERE, (100, 30));
    far.wait("the card", |kitty| kitty.shown().len() == 1);
    far.wait_for(&[
        "Test card, drawn by kitty.",
        "in each of the four corners",
        "in even small steps",
    ]);
    far.look(|kitty| {
        let card = &kitty.images[&kitty.shown()[0]];
        let at = |x: f64, y: f64| {
            let x = (f64::from(card.width() - 1) * x) as u32;
            let y = (f64::from(card.height() - 1) * y) as u32;
            card.get_pixel(x, y).0
        };
        for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let [red, green, blue] = at(x, y);
            assert!(red > 200 && green > 90 && blue < 80, "no mark at {x},{y}");
        }
        assert!(at(0.15, 0.07)[0] < 60 && at(0.85, 0.07)[0] > 190, "no ramp");
    });
    far.press(" ");
    let kitty = far.end();
    assert!(kitty.text().contains("confirmed by the terminal"), "{}", kitty.text());
    assert_eq!(kitty.images.len(), 0, "the card stays in the terminal");
    assert_eq!(kitty.holes, [0u32; 0]);
    assert!(!kitty.text().contains("Test card"));
}

#[test]
fn the_card_is_drawn_with_characters_where_there_are_no_pixels() {
    let home = Home::new("");
    let terminal = home.open(Plays::Xterm, PROGRAM, &["doctor", "--card"]);
    terminal.wait_for(&["Test card, drawn by blocks.", "all in greys. The fine lines"]);
    terminal.press("x");
    let (code, words) = terminal.restored();
    // There is no key in this home.
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("confirmed by the terminal") && !words.contains("Test card"), "{words}");
}

#[test]
fn without_a_terminal_nothing_is_asked_or_drawn() {
    let home = Home::new("");
    let ran = home.run(&["doctor"]);
    assert!(ran.out.contains("not asked") && !ran.out.contains('\u{1b}'), "{ran:?}");
    let ran = home.run(&["doctor", "--card"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("a card needs a terminal") && ran.out.is_empty(), "{ran:?}");
}

#[test]
fn it_warns_of_what_records_the_session() {
    let report = |home: &Home| {
        let ran = home.run(&["doctor", "--json"]);
        ran.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<serde_json::Value>>()
    };
    let home = Home::new("");
    let of = |rows: &[serde_json::Value], check: &str| {
        rows.iter().find(|row| row["check"] == check).map(|row| row["text"].to_string())
    };
    let rows = report(&home);
    assert_eq!(of(&rows, "recording"), None, "{rows:?}");
    assert!(of(&rows, "memory").is_some_and(|text| text.contains("swap")), "{rows:?}");
    if !crate::terminal::has("script") {
        return;
    }
    let line = format!("{PROGRAM} doctor --json > report; true");
    let mut script = std::process::Command::new("script");
    script.args(["-q", "-e", "-c", &line, "typescript"]).env_clear().current_dir(home.path(""));
    script.envs(home.environment().iter().cloned()).stdin(std::process::Stdio::null());
    script.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ran = crate::terminal::finish(script);
    let report = std::fs::read_to_string(home.path("report")).unwrap_or_else(|_| panic!("{ran:?}"));
    let rows: Vec<serde_json::Value> =
        report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = of(&rows, "recording").unwrap_or_else(|| panic!("{rows:?}"));
    assert!(text.contains("`script` records this session"), "{text}");
}
