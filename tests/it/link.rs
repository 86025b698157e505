//! The slow line on trial: a real console, on a bare pty and behind real multiplexers, and a reviewer at the far
//! end of a line with a rate and a delay each way. The line may wait by the clock, and so may the reviewer's hand;
//! nothing here asserts a time. What is asserted: no key pressed under one pair decides the next.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use secondlook::sim::{Limits, Options, Sim};

use crate::core_support::settings;
use crate::terminal::{
    Between, Home, Line, PROGRAM, Plays, Terminal, case_on, finish, has, opening_key, plain, world,
};

/// How the console is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pty,
    /// tmux that lets nothing through.
    Tmux,
    /// tmux with `allow-passthrough on`, in kitty.
    Passing,
    Screen,
    Mosh,
}

impl Way {
    const ALL: [Self; 5] = [Self::Pty, Self::Tmux, Self::Passing, Self::Screen, Self::Mosh];

    fn word(self) -> &'static str {
        match self {
            Self::Pty => "pty",
            Self::Tmux => "tmux",
            Self::Passing => "tmux, passthrough",
            Self::Screen => "screen",
            Self::Mosh => "mosh",
        }
    }

    fn program(self) -> Option<&'static str> {
        match self {
            Self::Pty => None,
            Self::Tmux | Self::Passing => Some("tmux"),
            Self::Screen => Some("screen"),
            Self::Mosh => Some("mosh-server"),
        }
    }

    /// Nothing that draws answers there.
    fn is_blind(self) -> bool {
        matches!(self, Self::Tmux | Self::Screen | Self::Mosh)
    }
}

/// One trial.
#[derive(Debug, Clone, Copy)]
struct Trial {
    way: Way,
    kilobits: usize,
    delay: Duration,
    /// How many keys are guessed for the pair that is not seen yet.
    guesses: usize,
}

impl Trial {
    fn line(self) -> Line {
        Line { rate: self.kilobits * 125, delay: self.delay }
    }

    /// Longer than this no answer takes here.
    fn patience(self) -> Duration {
        Duration::from_secs(10) + self.delay * 4
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Found {
    /// Decisions for two presses under one picture, the second at the last moment that it is on the screen.
    last: usize,
    /// The same, the second when the first is recorded and the console has gone on.
    midway: usize,
    /// Decisions for a press under each of two pairs truly seen.
    seen: usize,
    /// Of so many guesses so many decided a pair that was not seen.
    guessed: (usize, usize),
    /// Keys and time for a case that is seen.
    keys: usize,
    time: Duration,
}

/// What is on the reviewer's screen, and what is typed at the last moment that it is.
#[derive(Default)]
struct Eye {
    case: Option<u64>,
    last: Option<(u64, String)>,
}

/// The console and whoever sits before it.
struct Desk {
    console: Terminal,
    eye: Arc<Mutex<Eye>>,
    /// Keys pressed so far.
    keys: usize,
    /// The key that opened the pair on the screen.
    own: Option<char>,
    trial: Trial,
    // Dropped in this order, after the console.
    _relay: Option<Relay>,
    after: After,
    home: Home,
}

/// What is run in the end, so that no server stays behind.
struct After(Vec<Command>);

impl Drop for After {
    fn drop(&mut self) {
        for command in &mut self.0 {
            // What is gone already needs no end.
            let _ =
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

impl Desk {
    fn open(mut home: Home, trial: Trial) -> Self {
        let eye = Arc::<Mutex<Eye>>::default();
        let its = Arc::clone(&eye);
        let look = move |_: &[u8], screen: &vt100::Screen| {
            let mut eye = lock(&its);
            eye.case = case_on(&plain(&screen.contents()));
            let seen = eye.case;
            let gone = eye.last.take_if(|(case, _)| seen != Some(*case));
            gone.map_or_else(Vec::new, |(_, keys)| keys.into_bytes())
        };
        let folder = home.path("").display().to_string();
        let mut after = Vec::new();
        let mut relay = None;
        let mut line = Some(trial.line());
        let plays = if trial.way == Way::Passing { Plays::Kitty } else { Plays::Xterm };
        let (program, arguments): (&str, Vec<String>) = match trial.way {
            Way::Pty => (PROGRAM, vec!["review".into()]),
            Way::Tmux | Way::Passing => {
                home.set("TMUX_TMPDIR", &folder);
                let word = if trial.way == Way::Passing { "on" } else { "off" };
                let config = format!("set -g allow-passthrough {word}\n");
                let config = home.file("tmux.conf", &config, 0o600).display().to_string();
                let server = ["-L", "look", "-f", &config].map(str::to_owned);
                let mut kill = Command::new("tmux");
                kill.args(&server).arg("kill-server").env("TMUX_TMPDIR", &folder);
                after.push(kill);
                let new = ["new-session", PROGRAM, "review"].map(str::to_owned);
                ("tmux", [&server[..], &new[..]].concat())
            }
            Way::Screen => {
                let folder = home.path("screens");
                std::fs::create_dir(&folder).unwrap();
                let mode = std::fs::Permissions::from_mode(0o700);
                std::fs::set_permissions(&folder, mode).unwrap();
                home.set("SCREENDIR", &folder.display().to_string());
                let mut quit = Command::new("screen");
                quit.args(["-X", "quit"]).env("SCREENDIR", &folder);
                after.push(quit);
                let new = ["-U", "-c", "/dev/null", PROGRAM, "review"];
                ("screen", new.map(str::to_owned).to_vec())
            }
            Way::Mosh => {
                let (server, told) = mosh_server(&mut home);
                after.push(server);
                let between = Relay::start(told, trial.line());
                let port = between.port.to_string();
                relay = Some(between);
                // The line is between the two halves of mosh, and the terminal where its client is.
                line = None;
                ("mosh-client", vec!["127.0.0.1".into(), port])
            }
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let between = Between { line, look: Some(Box::new(look)) };
        let console = home.open_over(between, plays, program, &arguments);
        let after = After(after);
        Self { console, eye, keys: 0, own: None, trial, _relay: relay, after, home }
    }

    fn decided(&self) -> usize {
        self.home.decisions().len()
    }

    fn press(&mut self, key: &str) {
        self.keys += 1;
        self.console.press(key);
    }

    /// Waits until the keys decide the pair on the screen; opens it by the key that stands beside it. Returns its
    /// number.
    fn look(&mut self) -> u64 {
        let deadline = Instant::now() + 12 * self.trial.patience();
        while Instant::now() < deadline {
            let there = |screen: &str| screen.contains(" ARMED ") || opening_key(screen).is_some();
            let patience = self.trial.patience();
            self.console.comes_within(patience, |s| case_on(s).is_some() && there(s));
            let screen = self.console.screen();
            // An eye and a hand take as long.
            std::thread::sleep(Duration::from_millis(400));
            let case = case_on(&screen);
            if screen.contains(" ARMED ") {
                let screen = self.console.screen();
                if screen.contains(" ARMED ") && case_on(&screen) == case {
                    return case.unwrap();
                }
                continue;
            }
            let Some(key) = opening_key(&screen) else { continue };
            self.own = Some(key);
            self.press(&key.to_string());
            let other = |screen: &str| opening_key(screen).is_some_and(|now| now != key);
            self.console.comes_within(patience, |s| s.contains(" ARMED ") || other(s));
        }
        panic!("{:?}: never armed\n{}", self.trial, self.console.screen());
    }

    /// Decides the pair on the screen, once it is seen. Where the line shows the row of the pair before beside it for
    /// a while, the key has come too early and is pressed again.
    fn decide(&mut self) {
        let deadline = Instant::now() + 12 * self.trial.patience();
        while Instant::now() < deadline {
            let case = self.look();
            self.press("x");
            let other = |screen: &str| case_on(screen) != Some(case);
            self.console
                .comes_within(self.trial.patience(), |s| other(s) || opening_key(s).is_some());
            if other(&self.console.screen()) {
                return;
            }
        }
        panic!("{:?}: never decided\n{}", self.trial, self.console.screen());
    }

    /// Decides the pair on the screen, and goes on typing while it is still there: every key but the last one
    /// when the decision is recorded and the console has had the time to go on, the last one at the last moment.
    /// Returns how many decisions that made, when the next pair has been seen.
    fn under_one_picture(&mut self, keys: &[&str], last: &str) -> usize {
        let (first, before) = (self.look(), self.decided());
        lock(&self.eye).last = Some((first, [&keys.concat(), last].concat()));
        self.press("x");
        for (place, key) in keys.iter().enumerate() {
            let deadline = Instant::now() + self.trial.patience();
            while self.decided() == before
                && lock(&self.eye).last.is_some()
                && Instant::now() < deadline
            {
                std::thread::sleep(Duration::from_millis(200));
            }
            std::thread::sleep(Duration::from_millis(700));
            // Pressed in the same moment in which it is still there.
            let mut eye = lock(&self.eye);
            if let Some((_, typed)) = &mut eye.last {
                *typed = [&keys[place + 1..].concat(), last].concat();
                self.console.press(key);
            }
        }
        let deadline = Instant::now() + 12 * self.trial.patience();
        while lock(&self.eye).last.is_some() {
            assert!(Instant::now() < deadline, "it stays\n{}", self.console.screen());
            std::thread::sleep(Duration::from_millis(50));
            if case_on(&self.console.screen()) == Some(first)
                && opening_key(&self.console.screen()).is_some()
            {
                // The row of the pair before stood there: nothing was decided yet.
                self.look();
                self.press("x");
                let gone = |s: &str| case_on(s) != Some(first);
                self.console.comes_within(self.trial.patience(), gone);
            }
        }
        self.look();
        self.home.recorded(before + 1).len() - before
    }

    fn leave(mut self) {
        self.console.press("q");
        self.console.wait_for(&["keep them"]);
        self.console.press("k");
        self.console.end();
        // All that was started has ended by itself.
        self.after.0.clear();
    }
}

fn lock(eye: &Mutex<Eye>) -> MutexGuard<'_, Eye> {
    eye.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts mosh's server with a console; returns what ends it, and its port.
fn mosh_server(home: &mut Home) -> (Command, u16) {
    let mut server = Command::new("mosh-server");
    server.args(["new", "-s", "-i", "127.0.0.1", "--", PROGRAM, "review"]).env_clear();
    server.envs(home.environment().iter().map(|(name, value)| (name, value)));
    server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(server);
    let (port, key) = ran
        .out
        .lines()
        .find_map(|line| line.strip_prefix("MOSH CONNECT ")?.split_once(' '))
        .expect("a port and a key");
    home.set("MOSH_KEY", key.trim());
    home.set("MOSH_PREDICTION_DISPLAY", "never");
    let pid = ran.err.split_once("pid = ").unwrap().1;
    let pid = pid.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let mut end = Command::new("kill");
    end.arg(pid);
    (end, port.parse().unwrap())
}

/// Datagrams between the two halves of mosh, on a line. What does not fit on it is lost.
struct Relay {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Relay {
    /// As many are on the line at most.
    const ROOM: usize = 256;

    fn start(server: u16, line: Line) -> Self {
        let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
        let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
        inside.connect(("127.0.0.1", server)).unwrap();
        let port = outside.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let client = Arc::<Mutex<Option<SocketAddr>>>::default();
        let quick = Line { rate: 100_000_000, ..line };
        let (to_server, its) = (inside.try_clone().unwrap(), Arc::clone(&client));
        let from_client = outside.try_clone().unwrap();
        carry(
            &over,
            quick,
            from_client,
            move |from| *its.lock().unwrap() = Some(from),
            move |bytes| drop(to_server.send(bytes)),
        );
        carry(
            &over,
            line,
            inside,
            |_| {},
            move |bytes| {
                let to = *client.lock().unwrap();
                drop(to.map(|to| outside.send_to(bytes, to)));
            },
        );
        Self { port, over }
    }
}

/// Carries datagrams one way.
fn carry(
    over: &Arc<AtomicBool>,
    line: Line,
    from: UdpSocket,
    heard: impl Fn(SocketAddr) + Send + 'static,
    arrives: impl Fn(&[u8]) + Send + 'static,
) {
    from.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (send, on_its_way) = mpsc::sync_channel::<(Instant, Vec<u8>)>(Relay::ROOM);
    let over = Arc::clone(over);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while !over.load(Ordering::Relaxed) {
            if let Ok((count, address)) = from.recv_from(&mut buffer) {
                heard(address);
                let _ = send.try_send((Instant::now(), buffer[..count].to_vec()));
            }
        }
    });
    std::thread::spawn(move || {
        let mut free = Instant::now();
        while let Ok((left, bytes)) = on_its_way.recv() {
            let time = Duration::from_micros((bytes.len() * 1_000_000 / line.rate) as u64);
            free = free.max(left + line.delay) + time;
            std::thread::sleep(free.saturating_duration_since(Instant::now()));
            arrives(&bytes);
        }
    });
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Sits down and reviews.
fn tried(home: Home, trial: Trial) -> Found {
    let mut found = Found::default();
    let mut desk = Desk::open(home, trial);
    found.last = desk.under_one_picture(&[], "x");
    if trial.guesses > 0 {
        found.midway = desk.under_one_picture(&["x"], "");
    }
    // Two that are truly seen.
    let before = desk.decided();
    desk.decide();
    let (keys, since) = (desk.keys, Instant::now());
    desk.decide();
    (found.keys, found.time) = (desk.keys - keys, since.elapsed());
    desk.look();
    found.seen = desk.home.recorded(before + 2).len() - before;
    // The key of the pair before, out of habit, and then any.
    let mut free = settings().keymap.free_keys(false);
    fastrand::shuffle(&mut free);
    for _ in 0..trial.guesses {
        desk.look();
        let guess = desk.own.filter(|_| found.guessed.1 == 0).or_else(|| free.pop()).unwrap();
        let decided = desk.under_one_picture(&[&guess.to_string()], "x");
        assert!((1..=2).contains(&decided), "{trial:?}: {decided}");
        found.guessed.0 += decided - 1;
        found.guessed.1 += 1;
    }
    desk.leave();
    found
}

/// Runs trials, a few at a time, and prints a row for each.
async fn trials(all: Vec<Trial>, at_once: usize) -> Vec<(Trial, Found)> {
    let mut waiting = VecDeque::new();
    let mut sims = Vec::new();
    for trial in all {
        let options = Options { limits: Limits::none(), ..Options::default() };
        let sim = Sim::start(world(1001..=1020), options).await.unwrap();
        waiting.push_back((trial, Home::at(&sim, 300)));
        sims.push(sim);
    }
    let waiting = Mutex::new(waiting);
    let done = Mutex::new(Vec::new());
    eprintln!("way                kbit/s     ms  last  midway  seen  guessed  keys  seconds");
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some((trial, home)) = { waiting.lock().unwrap().pop_front() } {
                        let found = tried(home, trial);
                        eprintln!("{}", row(&trial, &found));
                        done.lock().unwrap().push((trial, found));
                    }
                });
            }
        });
    });
    done.into_inner().unwrap()
}

fn row(trial: &Trial, found: &Found) -> String {
    let Found { last, midway, seen, guessed: (right, of), keys, time } = found;
    let (way, kilobits, ms) = (trial.way.word(), trial.kilobits, trial.delay.as_millis());
    let guessed = format!("{right} of {of}");
    let seconds = time.as_secs_f32();
    format!(
        "{way:18} {kilobits:6} {ms:6} {last:5} {midway:7} {seen:5}  {guessed:7} {keys:5} {seconds:8.1}"
    )
}

fn holds(trial: &Trial, found: &Found) {
    assert_eq!(found.last, 1, "{trial:?}");
    assert_eq!(found.seen, 2, "{trial:?}");
    if trial.guesses > 0 {
        assert_eq!(found.midway, 1, "{trial:?}");
    }
    if !trial.way.is_blind() {
        assert_eq!(found.guessed.0, 0, "{trial:?}");
        // No key more than where there is no line at all.
        assert_eq!(found.keys, 1, "{trial:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_a_slow_line_two_keys_under_one_picture_decide_once_whatever_is_between() {
    let there = |way: &Way| way.program().is_none_or(has);
    let ways = Way::ALL.into_iter().filter(there);
    let (kilobits, delay) = (256, Duration::from_millis(300));
    let mut all: Vec<_> = ways.map(|way| Trial { way, kilobits, delay, guesses: 0 }).collect();
    if has("tmux") {
        // The text of a pair takes longer here than its dwell.
        all.push(Trial { way: Way::Passing, kilobits: 64, delay, guesses: 4 });
    }
    for (trial, found) in trials(all, 6).await {
        holds(&trial, &found);
    }
}

/// What a screen was at one moment.
struct Moment {
    case: Option<u64>,
    armed: bool,
    key: Option<char>,
    /// The rows of the faces.
    faces: Vec<String>,
}

impl Moment {
    fn of(screen: &vt100::Screen) -> Self {
        let text = plain(&screen.contents());
        let width = screen.size().1.get();
        let mut heads = screen.rows(0, width);
        let head = heads.position(|row| plain(&row).contains("A SUBJECT #"));
        let faces = screen.rows_formatted(0, width).skip(head.unwrap_or_default() + 1).take(10);
        Self {
            case: case_on(&text),
            armed: text.contains(" ARMED "),
            key: opening_key(&text),
            faces: faces.collect(),
        }
    }
}

/// Opens the console in a terminal that shows what comes as it comes, and writes down each piece.
fn in_pieces(home: &Home, plays: Plays) -> (Terminal, Arc<Mutex<Vec<Moment>>>) {
    let moments = Arc::<Mutex<Vec<Moment>>>::default();
    let its = Arc::clone(&moments);
    let look: crate::terminal::Look = Box::new(move |_, screen| {
        its.lock().unwrap().push(Moment::of(screen));
        Vec::new()
    });
    let line = Line { rate: 1_000_000, delay: Duration::ZERO };
    let between = Between { line: Some(line), look: Some(look) };
    (home.open_over(between, plays, PROGRAM, &["review"]), moments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_armed_stands_beside_a_pair_that_is_coming_in_pieces() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world(1001..=1003), options).await.unwrap();
    let home = Home::at(&sim, 300);
    let (console, moments) = in_pieces(&home, Plays::Plain);
    let first = console.any_armed();
    let before = moments.lock().unwrap().pop().unwrap();
    moments.lock().unwrap().clear();
    // The next pair cannot be armed while nothing is answered.
    console.hold_answers(true);
    console.press("x");
    console.wait("the next pair", |s| case_on(s).is_some_and(|case| case != first));
    console.press_until("x", "'x' decided nothing: ");
    let pieces = std::mem::take(&mut *moments.lock().unwrap());
    assert_eq!(home.recorded(1).len(), 1);
    let (mut of_first, mut of_next) = (0, 0);
    for moment in &pieces {
        match moment.case {
            Some(case) if case == first && moment.armed => {
                assert!(moment.faces == before.faces, "ARMED beside half a pair");
                continue;
            }
            Some(case) if case == first => of_first += 1,
            Some(_) | None => of_next += 1,
        }
        assert!(!moment.armed, "{:?} is ARMED by the line of #{first}", moment.case);
    }
    // It did come in pieces, the line before all else.
    assert!(of_first > 0 && of_next > 10, "{of_first} and {of_next} of {}", pieces.len());
    console.hold_answers(false);
    console.wait_for(&[" ARMED "]);
}

/// Brings a pair onto the screen and opens it; its key has to stand beside the whole of it. Returns its number.
fn key_comes_last(moments: &Mutex<Vec<Moment>>, opens: impl FnOnce() -> u64) -> u64 {
    moments.lock().unwrap().clear();
    let case = opens();
    let pieces = std::mem::take(&mut *moments.lock().unwrap());
    let whole = pieces.last().unwrap();
    assert_eq!((whole.case, whole.armed), (Some(case), true));
    let (mut shut, mut coming) = (0, 0);
    // Of an older pair its number may stand there for a while.
    for moment in pieces.iter().filter(|moment| moment.case == Some(case) && !moment.armed) {
        let is_whole = moment.faces == whole.faces;
        coming += usize::from(!is_whole);
        if let Some(key) = moment.key {
            assert!(is_whole, "'{key}' stands beside half a pair");
            shut += 1;
        }
    }
    assert!(shut > 0 && coming > 5, "{shut} and {coming} of {}", pieces.len());
    case
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opening_key_is_seen_after_the_whole_of_its_pair() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world(1001..=1003), options).await.unwrap();
    let home = Home::at(&sim, 300);
    let (console, moments) = in_pieces(&home, Plays::Silent);
    let first = console.any_armed();
    let second = key_comes_last(&moments, || {
        console.press("x");
        console.another_armed(first)
    });
    // The same pair anew, whose lease is there already.
    key_comes_last(&moments, || {
        console.press("?");
        console.wait("help", |screen| !screen.contains("A SUBJECT #"));
        console.press("\x1b");
        assert_eq!(console.any_armed(), second);
        second
    });
    assert_eq!(home.decisions().len(), 1);
}

/// Every rate, delay and way. Prints its table.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
async fn in_full() {
    let mut all = Vec::new();
    // The slowest first, so that they do not end alone.
    for kilobits in [64, 256, 1_000] {
        for ms in [1_500, 300, 50] {
            for way in Way::ALL.into_iter().filter(|way| way.program().is_none_or(has)) {
                let delay = Duration::from_millis(ms);
                all.push(Trial { way, kilobits, delay, guesses: 4 });
            }
        }
    }
    let count = all.len();
    let done = trials(all, 5).await;
    assert_eq!(done.len(), count);
    let (mut right, mut of) = (0, 0);
    for (trial, found) in &done {
        holds(trial, found);
        if trial.way.is_blind() {
            right += found.guessed.0;
            of += found.guessed.1;
        }
    }
    eprintln!("guessed: {right} of {of}");
    // One in eight is what the rules promise (`opening.rs` tries every key); so few guesses may have luck.
    assert!(4 * right <= of, "{right} of {of}");
}
