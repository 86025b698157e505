//! The console inside a real tmux, on a server of the test's own: driven by `send-keys`, read by
//! `capture-pane`, with a client attached whose terminal tells when something has changed.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use secondlook::sim::{Limits, Options, Sim, session_id};

use crate::kitty::{Far, Line};
use crate::terminal::{
    Between, Home, LIMIT, Look, PROGRAM, Plays, Ran, Terminal, case_on, finish, has, opening_key,
    plain, world,
};

/// A tmux server of this test's own.
struct Tmux {
    home: Home,
}

impl Tmux {
    fn new(mut home: Home) -> Self {
        let folder = home.path("").display().to_string();
        home.set("TMUX_TMPDIR", &folder);
        Self { home }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("tmux");
        command.args(["-L", "look", "-f", "/dev/null"]).args(arguments).env_clear();
        command.envs(self.home.environment().iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command)
    }

    /// Starts the console in a new session.
    fn start(&self) {
        let new = ["new-session", "-d", "-s", "desk", "-x", "100", "-y", "30"];
        let deadline = Instant::now() + LIMIT;
        loop {
            let ran = self.run(&[&new[..], &[PROGRAM, "review"]].concat());
            // The server before this one may still be on its way out.
            if ran.code == 0 {
                break;
            }
            assert!(ran.err.contains("exited") && Instant::now() < deadline, "{ran:?}");
        }
        assert_eq!(self.run(&["set", "-g", "allow-passthrough", "on"]).code, 0);
    }

    /// Starts a session that waits for a client: a console asks the terminal around it when it starts.
    fn start_waiting(&self) {
        let new = ["new-session", "-d", "-s", "desk", "-x", "100", "-y", "30"];
        let waiting = ["/bin/sh", "-c", "echo waiting; exec cat"];
        assert_eq!(self.run(&[&new[..], &waiting[..]].concat()).code, 0);
    }

    /// Starts the console with a kitty around it, and waits for the first case, drawn by it.
    fn review_in_kitty(&self) -> Client<'_> {
        self.start_waiting();
        assert_eq!(self.run(&["set", "-g", "allow-passthrough", "on"]).code, 0);
        let client = self.attach(Plays::Kitty);
        client.wait_for(&["waiting"]);
        assert_eq!(self.run(&["respawn-pane", "-k", "-t", "desk", PROGRAM, "review"]).code, 0);
        client.wait_for(&["A SUBJECT #1001 ", " ARMED ", "kitty"]);
        client
    }

    /// Attaches a client whose terminal is looked at with each piece that comes.
    fn attach_over(&self, plays: Plays, look: Look) -> Client<'_> {
        let attach = ["-L", "look", "-f", "/dev/null", "attach", "-t", "desk"];
        let between = Between { line: None, look: Some(look) };
        Client { tmux: self, terminal: self.home.open_over(between, plays, "tmux", &attach) }
    }

    /// Attaches a client.
    fn attach(&self, plays: Plays) -> Client<'_> {
        let attach = ["-L", "look", "-f", "/dev/null", "attach", "-t", "desk"];
        Client { tmux: self, terminal: self.home.open(plays, "tmux", &attach) }
    }
}

/// The values that this tmux knows of `allow-passthrough`.
fn known_values(tmux: &Tmux) -> Vec<&'static str> {
    let known = |word: &&str| tmux.run(&["set", "-g", "allow-passthrough", word]).code == 0;
    ["off", "on", "all"].into_iter().filter(known).collect()
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Where it is gone already, that is as good.
        let _ = self.run(&["kill-server"]);
    }
}

/// A client of the server, and the terminal it is attached to.
struct Client<'a> {
    tmux: &'a Tmux,
    terminal: Terminal,
}

impl Client<'_> {
    fn screen(&self) -> String {
        plain(&self.tmux.run(&["capture-pane", "-p", "-t", "desk"]).out)
    }

    /// Waits until all of these stand in the pane together; returns the pane.
    fn wait_for(&self, texts: &[&str]) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let arrivals = self.terminal.arrivals();
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            // What changes in the pane reaches the client; a second more for what does not.
            let soon = Instant::now() + Duration::from_secs(1);
            self.terminal.more_than(arrivals, soon.min(deadline));
            assert!(Instant::now() < deadline, "never in the pane: {texts:?}\n{screen}");
        }
    }

    fn any_armed(&self) -> u64 {
        case_on(&self.wait_for(&["A SUBJECT #", " ARMED "])).unwrap()
    }

    /// Opens the pair that stands there shut, by the key that its screen names.
    fn open(&self) -> u64 {
        let deadline = Instant::now() + LIMIT;
        loop {
            let arrivals = self.terminal.arrivals();
            let screen = self.screen();
            if screen.contains(" ARMED ") {
                return case_on(&screen).unwrap();
            }
            // One that comes too early opens nothing, and another one is named after three.
            if let Some(key) = opening_key(&screen) {
                self.press(&key.to_string());
            }
            let soon = Instant::now() + Duration::from_secs(1);
            self.terminal.more_than(arrivals, soon.min(deadline));
            assert!(Instant::now() < deadline, "never opened\n{screen}");
        }
    }

    fn press(&self, key: &str) {
        let ran = self.tmux.run(&["send-keys", "-t", "desk", key]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detached_attached_and_hung_up_it_is_as_it_was_left() {
    if !has("tmux") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002]), options).await.unwrap();
    let tmux = Tmux::new(Home::at(&sim, 300));
    tmux.start();
    let client = tmux.attach(Plays::Xterm);
    let decided = client.any_armed();
    client.press("x");
    client.wait_for(&[&format!("held: #{decided} reject"), "held 1"]);
    let other = client.any_armed();
    assert_ne!(other, decided);

    // The client is cut off: the console goes on, and whoever attaches finds it.
    client.terminal.signal(Signal::KILL);
    client.terminal.end();
    let client = tmux.attach(Plays::Xterm);
    client.wait_for(&["held 1", "Another terminal was attached."]);
    assert_eq!(client.open(), other);

    // The whole server goes: the console hangs up, and a new one finds everything but the window.
    assert_eq!(tmux.run(&["kill-server"]).code, 0);
    client.terminal.end();
    assert!(sim.effects().is_empty());
    tmux.start();
    let client = tmux.attach(Plays::Xterm);
    client.wait_for(&[&format!("held: #{decided} reject"), "held 1"]);
    client.wait_for(&[&format!("A SUBJECT #{other} "), " ARMED "]);
    client.press("$");
    client.wait_for(&[&format!("#{decided} reject: Declined at Didit, read back.")]);
    client.press("q");
    client.terminal.end();
    assert_eq!(sim.effects().len(), 1);
    assert_eq!(sim.session(session_id(decided)).unwrap().status, "Declined");
    assert_eq!(tmux.home.decisions(), ["reject sent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_terminal_around_tmux_is_asked_and_draws() {
    if !has("tmux") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001]), options).await.unwrap();
    let tmux = Tmux::new(Home::at(&sim, 0));
    let client = tmux.review_in_kitty();
    // tmux repeats no such character by a count: every cell of both faces has to be written.
    let pane = tmux.run(&["capture-pane", "-p", "-t", "desk"]).out;
    let widest = pane.lines().map(|line| line.matches('\u{10eeee}').count()).max();
    assert!(widest > Some(40), "{widest:?}");
    client.press("a");
    client.wait_for(&["#1001 approve: Approved at Didit, read back."]);
    client.press("q");
    client.terminal.end();
    assert_eq!(sim.session(session_id(1001)).unwrap().status, "Approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_pane_is_typed_into_nothing_is_drawn_or_asked() {
    if !has("tmux") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001]), options).await.unwrap();
    let tmux = Tmux::new(Home::at(&sim, 0));
    let client = tmux.review_in_kitty();
    // Another pane beside it, which is the active one from then on: the pair is not confirmed there.
    let split = ["split-window", "-v", "-l", "4", "-t", "desk", "cat"];
    assert_eq!(tmux.run(&split).code, 0);
    let pane = |index: &str| plain(&tmux.run(&["capture-pane", "-p", "-t", index]).out);
    let deadline = Instant::now() + LIMIT;
    let until = |what: &str, wanted: &dyn Fn(&str) -> bool| {
        while !wanted(&pane("desk.0")) {
            assert!(Instant::now() < deadline, "never {what}\n{}", pane("desk.0"));
            let soon = Instant::now() + Duration::from_millis(200);
            client.terminal.more_than(client.terminal.arrivals(), soon);
        }
    };
    until("held back", &|screen| screen.contains("WAIT") && !screen.contains(" ARMED "));
    // What is typed there gets there, and nothing else does.
    assert_eq!(tmux.run(&["send-keys", "-t", "desk.1", "typed"]).code, 0);
    client.terminal.more_than(client.terminal.arrivals(), Instant::now() + Duration::from_secs(7));
    assert!(!pane("desk.0").contains(" ARMED "), "{}", pane("desk.0"));
    assert_eq!(pane("desk.1").trim(), "typed", "{}", pane("desk.0"));
    assert_eq!(tmux.run(&["select-pane", "-t", "desk.0"]).code, 0);
    until("confirmed again", &|screen| screen.contains(" ARMED "));
    assert_eq!(pane("desk.1").trim(), "typed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_terminal_in_a_shared_tmux_stops_the_keys_and_one_in_its_place_is_asked() {
    if !has("tmux") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001]), options).await.unwrap();
    let tmux = Tmux::new(Home::at(&sim, 300));
    let client = tmux.review_in_kitty();
    let other = tmux.attach(Plays::Kitty);
    other.wait_for(&["OFF: another terminal came to this tmux"]);
    other.press("x");
    other.wait_for(&["'x' decided nothing"]);
    assert_eq!(tmux.home.decisions(), [""; 0]);
    // Whoever began it goes, and the other one stays.
    client.terminal.signal(Signal::KILL);
    client.terminal.end();
    let screen = other.wait_for(&["SHUT: press ", "whoever opens is ana"]);
    other.press("x");
    other.wait_for(&["'x' decided nothing: shut"]);
    assert_eq!(tmux.home.decisions(), [""; 0]);
    assert!(opening_key(&screen).is_some());
    // Nobody at all is left.
    other.terminal.signal(Signal::KILL);
    let Client { terminal, .. } = other;
    terminal.end();
    let deadline = Instant::now() + LIMIT;
    let pane = || plain(&tmux.run(&["capture-pane", "-p", "-t", "desk"]).out);
    while !pane().contains("OFF: no terminal is attached") {
        assert!(Instant::now() < deadline, "{}", pane());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_arms_while_nobody_or_two_sizes_look_and_afterwards_it_does() {
    if !has("tmux") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002]), options).await.unwrap();
    let tmux = Tmux::new(Home::at(&sim, 300));
    tmux.start_waiting();
    assert_eq!(tmux.run(&["set", "-g", "allow-passthrough", "on"]).code, 0);
    let first = tmux.attach(Plays::Kitty);
    let second = tmux.attach(Plays::Kitty);
    second.terminal.resize(90, 28);
    first.wait_for(&["waiting"]);
    let clients = ["list-clients", "-F", "#{client_width}x#{client_height}"];
    let deadline = Instant::now() + LIMIT;
    while !tmux.run(&clients).out.contains("90x28") {
        assert!(Instant::now() < deadline, "{}", tmux.run(&clients).out);
    }
    // Both are there when it begins, so both may look; but not at different screens.
    assert_eq!(tmux.run(&["respawn-pane", "-k", "-t", "desk", PROGRAM, "review"]).code, 0);
    first.wait_for(&["A SUBJECT #1001 ", "OFF: tmux shows two sizes: detach the other terminal"]);
    first.press("x");
    let screen = first.wait_for(&["'x' decided nothing: tmux shows two sizes"]);
    assert_eq!(opening_key(&screen), None, "{screen}");
    assert_eq!(tmux.home.decisions(), [""; 0]);
    second.terminal.signal(Signal::KILL);
    second.terminal.end();
    assert_eq!(first.open(), 1001);
    first.press("x");
    first.wait_for(&["held 1"]);
    assert_eq!(first.open(), 1002);

    // Detached, as by `ctrl-b d`: the keys that are sent to the pane then come from no reviewer.
    assert_eq!(tmux.run(&["detach-client", "-s", "desk"]).code, 0);
    first.terminal.end();
    let pane = || plain(&tmux.run(&["capture-pane", "-p", "-t", "desk"]).out);
    let until = |what: &str| {
        let deadline = Instant::now() + LIMIT;
        while !pane().contains(what) {
            assert!(Instant::now() < deadline, "never {what}\n{}", pane());
        }
    };
    until("OFF: no terminal is attached to tmux");
    assert_eq!(tmux.run(&["send-keys", "-t", "desk", "x"]).code, 0);
    until("'x' decided nothing: no terminal is attached to tmux");
    assert_eq!(tmux.home.recorded(1).len(), 1);
    let back = tmux.attach(Plays::Kitty);
    assert_eq!(back.open(), 1002);
    back.press("x");
    back.wait_for(&["held 2"]);
    assert_eq!(tmux.home.recorded(2).len(), 2);
}

/// Starts a session that waits, and attaches a kitty to it.
fn kitty_around(tmux: &Tmux) -> Far {
    tmux.start_waiting();
    let attach = ["-L", "look", "-f", "/dev/null", "attach", "-t", "desk"];
    let line = Line { rate: 100_000_000, delay: Duration::ZERO };
    let far = Far::start(&tmux.home, "tmux", &attach, line, (100, 31));
    far.look(|kitty| kitty.in_pieces = true);
    far.wait_for(&["waiting"]);
    far
}

#[test]
fn the_terminal_around_tmux_is_asked_behind_the_text_before_the_question() {
    if !has("tmux") {
        return;
    }
    let tmux = Tmux::new(Home::new(""));
    let question = secondlook::term::ask_behind_tmux(b"\x1b[5n");
    let payload = [b"\x1b[5;5Hthe pair", &question[..], b"\x1b[7;5Hafterwards"].concat();
    let path = tmux.home.path("payload");
    std::fs::write(&path, payload).unwrap();
    tmux.start_waiting();
    assert_eq!(tmux.run(&["set", "-g", "allow-passthrough", "on"]).code, 0);
    let read = Arc::<Mutex<Vec<u8>>>::default();
    let its = Arc::clone(&read);
    let look = move |bytes: &[u8], _: &vt100::Screen| {
        its.lock().unwrap().extend_from_slice(bytes);
        Vec::new()
    };
    let client = tmux.attach_over(Plays::Kitty, Box::new(look));
    client.wait_for(&["waiting"]);
    // In one write, as the console does.
    let cat = format!("cat {}; exec cat", path.display());
    assert_eq!(tmux.run(&["respawn-pane", "-k", "-t", "desk", "/bin/sh", "-c", &cat]).code, 0);
    client.wait_for(&["the pair", "afterwards"]);
    client.terminal.wait("the whole", |screen| screen.contains("afterwards"));
    let read = std::mem::take(&mut *read.lock().unwrap());
    let at = |text: &[u8]| read.windows(text.len()).position(|some| some == text).unwrap();
    assert!(at(b"the pair") < at(b"\x1b[5n"), "{}", read.escape_ascii());
}

#[test]
fn doctor_names_tmux_and_what_to_set() {
    if !has("tmux") {
        return;
    }
    let tmux = Tmux::new(Home::new(""));
    let far = kitty_around(&tmux);
    let version = tmux.run(&["-V"]).out.trim().to_owned();
    let path = tmux.home.path("report").display().to_string();
    for word in known_values(&tmux) {
        assert_eq!(tmux.run(&["set", "-g", "allow-passthrough", word]).code, 0);
        // Into a file beside, because a row is longer than a screen is wide.
        let script = format!("{PROGRAM} doctor --json > {path}; echo told: {word}; exec cat");
        let respawn = ["respawn-pane", "-k", "-t", "desk", "/bin/sh", "-c", &script];
        assert_eq!(tmux.run(&respawn).code, 0);
        far.wait_for(&[&format!("told: {word}")]);
        let report = std::fs::read_to_string(&path).unwrap();
        let row = |check: &str| {
            let rows =
                report.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
            rows.into_iter().find(|row| row["check"] == check).unwrap()
        };
        let (terminal, envelope) = (row("terminal"), row("envelope"));
        let text = terminal["text"].as_str().unwrap();
        if word == "off" {
            assert_eq!(terminal["verdict"], "warn", "{report}");
            let said = format!("{version}, which lets nothing through: tmux set -g");
            assert!(text.contains(&format!("{said} allow-passthrough on")), "{report}");
        } else {
            assert_eq!(terminal["verdict"], "ok", "{report}");
            assert!(text.contains("kitty(0.40.0)"), "{report}");
        }
        assert_eq!(envelope["verdict"], if word == "on" { "ok" } else { "warn" }, "{report}");
        let told = format!("allow-passthrough is {word}");
        assert!(envelope["text"].as_str().unwrap().contains(&told), "{report}");
    }
}

#[test]
fn the_card_comes_through_tmux_and_nothing_of_it_stays() {
    if !has("tmux") {
        return;
    }
    let tmux = Tmux::new(Home::new(""));
    let far = kitty_around(&tmux);
    assert_eq!(tmux.run(&["set", "-g", "allow-passthrough", "on"]).code, 0);
    let script = format!("{PROGRAM} doctor --card; echo over; exec cat");
    let respawn = ["respawn-pane", "-k", "-t", "desk", "/bin/sh", "-c", &script];
    assert_eq!(tmux.run(&respawn).code, 0);
    far.wait("the card", |kitty| kitty.shown().len() == 1);
    far.wait_for(&["Test card, drawn by kitty.", "in even small steps"]);
    far.press(" ");
    far.wait_for(&["taken away", "over"]);
    far.look(|kitty| {
        assert_eq!(kitty.images.len(), 0, "the card stays in the terminal");
        assert!(!kitty.text().contains("Test card"));
    });
    assert_eq!(tmux.run(&["kill-server"]).code, 0);
    far.end();
}
