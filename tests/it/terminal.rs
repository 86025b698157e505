//! The other side of the console: a terminal that shows its bytes on a screen and answers its
//! questions as a chosen make would, and a home of its own for every run, so that nothing else on
//! the machine is touched. Whoever waits is woken by arriving bytes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtyPair, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Termios, tcgetattr};
use secondlook::picture::protocol::PLACEHOLDER;
use secondlook::sim::{Candidate, Picture, Session, Sim, World};
use tempfile::TempDir;
use unicode_width::UnicodeWidthChar;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_secondlook");
/// Past this a test has failed; nothing waits for it when all is well.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Columns and rows, unless a test says otherwise.
const SIZE: (u16, u16) = (100, 30);

/// Which terminal is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plays {
    /// kitty, which draws pictures by its own protocol.
    Kitty,
    /// The same over a line that brings every byte of an answer alone.
    Dripping,
    /// kitty, which takes pictures and says of each that it has none.
    Refusing,
    /// kitty, which says that it knows pictures and then nothing of any.
    Ignoring,
    /// A terminal that draws no pictures: they become coloured characters.
    Xterm,
    /// The same, which shows what comes as it comes: it knows no whole frames.
    Plain,
    /// One that names itself, whose name nobody knows, and says that it draws nothing.
    Newcomer,
    /// One that knows no control strings and prints them.
    Printing,
    /// One that answers nothing.
    Silent,
}

impl Plays {
    /// It answers as kitty does.
    fn is_kitty(self) -> bool {
        matches!(self, Self::Kitty | Self::Dripping | Self::Refusing | Self::Ignoring)
    }
}

/// A line: bytes a second to the terminal, and how long a byte takes each way.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub rate: usize,
    pub delay: Duration,
}

impl Line {
    /// Bytes that cross in one round trip.
    pub fn trip_bytes(self) -> usize {
        self.rate * 2 * self.delay.as_millis() as usize / 1000
    }
}

/// Looks at each piece that has arrived, and at the screen with it. What it returns is typed at that very moment,
/// before anything is answered.
pub type Look = Box<dyn FnMut(&[u8], &vt100::Screen) -> Vec<u8> + Send>;

/// What stands between a program and its terminal here.
#[derive(Default)]
pub struct Between {
    /// A line with a rate and a delay; none, and everything is there at once.
    pub line: Option<Line>,
    /// Somebody who looks.
    pub look: Option<Look>,
}

/// A home for one run, and the environment that leads there.
pub struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    /// An empty home with a configuration; its store is a file in it.
    pub fn new(config: &str) -> Self {
        let folder = TempDir::with_prefix("look").unwrap();
        let mut home = Self { folder, environment: Vec::new() };
        let path = home.path("config.toml");
        std::fs::write(&path, config).unwrap();
        let below = |name: &str| home.path(name).display().to_string();
        let environment = [
            ("HOME", below("")),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_DATA_HOME", below("data")),
            ("XDG_STATE_HOME", below("state")),
            ("XDG_CACHE_HOME", below("cache")),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("SECONDLOOK_CONFIG", path.display().to_string()),
            ("SECONDLOOK_STORE", format!("sqlite:{}", below("store.db"))),
            ("SECONDLOOK_REVIEWER", "ana".to_owned()),
        ];
        home.environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        home
    }

    /// A home whose console talks to a simulator, with an undo window of so many seconds and nothing
    /// that makes a test wait.
    pub fn at(sim: &Sim, undo_seconds: u32) -> Self {
        let mut home = Self::new(&format!(
            "[review]\nundo_seconds = {undo_seconds}\ndwell_ms = 300\n\
             [intake]\npoll_seconds = 3600\n\
             [didit]\nreads_per_minute = 100000\nwrites_per_minute = 100000\n"
        ));
        home.set("DIDIT_BASE_URL", sim.base_url());
        home.set("DIDIT_API_KEY", sim.api_key());
        home
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// The environment.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// A path in this home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file with permissions; returns its path.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A command of the program, without a terminal.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().current_dir(self.folder.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments))
    }

    /// The rows that a command prints with `--json`.
    pub fn rows(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The dispositions and states of all decisions, newest first: `approve sent`.
    pub fn decisions(&self) -> Vec<String> {
        let word = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = self.rows(&["history"]);
        rows.iter().map(|r| format!("{} {}", word(r, "disposition"), word(r, "state"))).collect()
    }

    /// The same, once there are so many: the screen counts one that is still being recorded.
    pub fn recorded(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let all = self.decisions();
            if all.len() >= count || Instant::now() > deadline {
                return all;
            }
        }
    }

    /// Opens the console.
    pub fn console(&self, plays: Plays) -> Terminal {
        self.open(plays, PROGRAM, &["review"])
    }

    /// Runs a program in a terminal.
    pub fn open(&self, plays: Plays, program: &str, arguments: &[&str]) -> Terminal {
        self.open_over(Between::default(), plays, program, arguments)
    }

    /// Runs a program in a terminal at the end of a line.
    pub fn open_over(
        &self,
        between: Between,
        plays: Plays,
        program: &str,
        arguments: &[&str],
    ) -> Terminal {
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        command.cwd(self.folder.path());
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        Terminal::start(command, plays, between)
    }
}

/// Runs a command to its end, within [`LIMIT`].
pub fn finish(mut command: Command) -> Ran {
    let child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (send, ended) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(LIMIT) else {
        let _ = kill_process(pid, Signal::KILL);
        panic!("{command:?} did not end");
    };
    let output = output.unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sessions in review with one possible candidate each, whose pictures cost nothing to draw.
pub fn world(numbers: impl IntoIterator<Item = u64>) -> World {
    let mut world = World::new(jiff::Timestamp::now());
    for number in numbers {
        world.add(subject(number).with(candidate(number + 5000, 75.0)));
    }
    world
}

/// A session in review without candidates.
pub fn subject(number: u64) -> Session {
    Session::in_review(number).but(|session| session.picture = Some(picture(number)))
}

/// A candidate from an approved session.
pub fn candidate(number: u64, similarity: f64) -> Candidate {
    Candidate { picture: Some(picture(number)), ..Candidate::session(number, similarity) }
}

/// A small picture; each number has its own bytes.
fn picture(number: u64) -> Picture {
    let [.., red, green, blue] = number.wrapping_mul(0x9e_3779).to_be_bytes();
    let pixels = image::RgbImage::from_fn(48, 64, |x, y| {
        let light = u8::try_from(x * 2 + y).unwrap() / 2;
        image::Rgb([red.saturating_sub(light), green / 2 + light, blue / 2 + light])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    Picture::Bytes("image/jpeg".to_owned(), bytes.into_inner().into())
}

/// The number of the case that a screen shows.
pub fn case_on(screen: &str) -> Option<u64> {
    let rest = screen.split_once("A SUBJECT #")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The key that opens the pair on a screen, if it is shut.
pub fn opening_key(screen: &str) -> Option<char> {
    screen.split_once("SHUT: press ")?.1.chars().next()
}

/// A program in a terminal.
pub struct Terminal {
    shared: Arc<Shared>,
    master: Box<dyn MasterPty + Send>,
    /// The program's end of the line, to look at its modes and at what waits there.
    line: Arc<Mutex<Option<OwnedFd>>>,
    before: Termios,
    pid: Pid,
}

/// What the reading thread and those who wait share.
struct Shared {
    seen: Mutex<Seen>,
    news: Condvar,
    typing: Mutex<Box<dyn Write + Send>>,
}

struct Seen {
    screen: vt100::Parser,
    /// Raised by every arrival.
    arrivals: u64,
    exit: Option<portable_pty::ExitStatus>,
    hung_up: bool,
    /// Answers are kept back, and these are.
    holds: bool,
    held: Vec<u8>,
}

impl Seen {
    /// The text of the screen, as [`plain`] has it.
    fn text(&self) -> String {
        plain(&self.screen.screen().contents())
    }
}

/// A screen's text without the characters that kitty's pictures are made of, and with one blank for
/// many: how wide a gap is, is the screens' own test.
pub fn plain(screen: &str) -> String {
    let is_text = |c: &char| *c != PLACEHOLDER && c.width() != Some(0);
    let mut text = String::new();
    for c in screen.chars().filter(is_text) {
        if c != ' ' || !text.ends_with(' ') {
            text.push(c);
        }
    }
    text
}

impl Terminal {
    /// Starts a command in a new terminal.
    fn start(command: CommandBuilder, plays: Plays, between: Between) -> Self {
        let (columns, rows) = SIZE;
        let size = cells(columns, rows);
        let PtyPair { slave, master } = native_pty_system().openpty(size).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let line = rustix::fs::open(master.tty_name().unwrap(), flags, Mode::empty()).unwrap();
        let before = tcgetattr(&line).unwrap();
        assert!(before.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        let (mut reader, mut typing) =
            (master.try_clone_reader().unwrap(), master.take_writer().unwrap());
        if let Some(line) = between.line {
            (reader, typing) = (Box::new(Down::new(reader, line)), Box::new(Up::new(typing, line)));
        }
        let seen = Seen {
            screen: screen(columns, rows),
            arrivals: 0,
            exit: None,
            hung_up: false,
            holds: false,
            held: Vec::new(),
        };
        let shared = Arc::new(Shared {
            seen: Mutex::new(seen),
            news: Condvar::new(),
            typing: Mutex::new(typing),
        });
        let mut child = slave.spawn_command(command).unwrap();
        drop(slave);
        let pid = Pid::from_raw(i32::try_from(child.process_id().unwrap()).unwrap()).unwrap();
        let line = Arc::new(Mutex::new(Some(line)));
        let (reading, its_line) = (Arc::clone(&shared), Arc::clone(&line));
        std::thread::spawn(move || read(reader, &reading, &its_line, plays, between.look));
        let waiting = Arc::clone(&shared);
        std::thread::spawn(move || {
            let exit = child.wait().unwrap();
            waiting.tell(|seen| seen.exit = Some(exit));
        });
        Self { shared, master, line, before, pid }
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.shared.seen().text()
    }

    /// Waits until all of these stand on the screen together.
    pub fn wait_for(&self, texts: &[&str]) {
        self.wait(&format!("{texts:?}"), |screen| texts.iter().all(|text| screen.contains(text)));
    }

    /// Waits until the screen is as wanted.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        if !self.comes_within(LIMIT, &wanted) {
            panic!("never on the screen: {what}\n{}", self.screen());
        }
    }

    /// Whether the screen becomes as wanted in time. Ends early when the program has ended.
    pub fn comes_within(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut seen = self.shared.seen();
        loop {
            if wanted(&seen.text()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.hung_up {
                return false;
            }
            seen = self.shared.sleep(seen, left);
        }
    }

    /// How many times something has arrived from the program.
    pub fn arrivals(&self) -> u64 {
        self.shared.seen().arrivals
    }

    /// Waits until more has arrived than that; false when the program has ended or time is over.
    pub fn more_than(&self, arrivals: u64, deadline: Instant) -> bool {
        let mut seen = self.shared.seen();
        while seen.arrivals == arrivals {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.hung_up {
                return false;
            }
            seen = self.shared.sleep(seen, left);
        }
        true
    }

    /// Waits until a case stands on the desk and its keys decide; opens it where it is shut.
    pub fn wait_armed(&self, number: u64) {
        self.armed(&format!("A SUBJECT #{number} "));
    }

    /// Waits until any case's keys decide; returns its number.
    pub fn any_armed(&self) -> u64 {
        self.armed("A SUBJECT #");
        self.case().unwrap()
    }

    /// Waits until the keys decide another case than this one; returns its number.
    pub fn another_armed(&self, before: u64) -> u64 {
        let there = |screen: &str| screen.contains(" ARMED ") || opening_key(screen).is_some();
        self.wait(&format!("another one than #{before}, armed or shut"), |screen| {
            there(screen) && case_on(screen).is_some_and(|number| number != before)
        });
        self.any_armed()
    }

    fn armed(&self, subject: &str) {
        let there = |screen: &str| screen.contains(" ARMED ") || opening_key(screen).is_some();
        self.wait("armed or shut", |screen| screen.contains(subject) && there(screen));
        if let Some(key) = opening_key(&self.screen()) {
            self.press_until(&key.to_string(), " ARMED ");
        }
        self.wait_for(&[subject, " ARMED "]);
    }

    /// The number of the case on the desk.
    pub fn case(&self) -> Option<u64> {
        case_on(&self.screen())
    }

    /// Keeps answers back, as a slow line does, or lets them go.
    pub fn hold_answers(&self, hold: bool) {
        let held = {
            let mut seen = self.shared.seen();
            seen.holds = hold;
            std::mem::take(&mut seen.held)
        };
        self.send(&held);
    }

    /// Types.
    pub fn press(&self, keys: &str) {
        self.send(keys.as_bytes());
    }

    /// Sends bytes, as a paste does.
    pub fn send(&self, bytes: &[u8]) {
        let mut typing = self.shared.typing.lock().unwrap();
        typing.write_all(bytes).unwrap();
        typing.flush().unwrap();
    }

    /// Sends bytes so that the program reads each alone.
    pub fn drip(&self, bytes: &[u8]) {
        drip(&self.shared, &self.line, bytes);
    }

    /// Waits until the program has taken in everything that was typed.
    pub fn wait_read(&self) {
        taken(&self.line);
    }

    /// Presses a key again and again until a text stands on the screen: after a paste, say, while
    /// keys do not count yet.
    pub fn press_until(&self, key: &str, text: &str) {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            self.press(key);
            if self.comes_within(Duration::from_millis(300), |screen| screen.contains(text)) {
                return;
            }
        }
        panic!("{key} never brought {text:?}\n{}", self.screen());
    }

    /// Gives the window another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (wide, high) = (NonZeroU16::new(columns).unwrap(), NonZeroU16::new(rows).unwrap());
        self.shared.tell(|seen| seen.screen.screen_mut().set_size(high, wide));
        self.master.resize(cells(columns, rows)).unwrap();
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for the program's end; returns its exit code and what stands on the screen.
    pub fn end(self) -> (u32, String) {
        let exit = self.exit();
        (exit.exit_code(), self.last_words())
    }

    /// Waits for the program's end, and wants the terminal back as it was. Returns the exit code and
    /// what stands on the screen.
    pub fn restored(self) -> (u32, String) {
        let exit = self.exit();
        self.is_restored();
        assert!(exit.signal().is_none(), "{exit:?}");
        (exit.exit_code(), self.last_words())
    }

    /// Wants the modes of the line and the screen as they were before the program.
    pub fn is_restored(&self) {
        let after = tcgetattr(self.line.lock().unwrap().as_ref().unwrap()).unwrap();
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        let back = |seen: &Seen| {
            let screen = seen.screen.screen();
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        };
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.shared.seen();
        while !back(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not restored: {}", seen.text());
            seen = self.shared.sleep(seen, left);
        }
    }

    fn exit(&self) -> portable_pty::ExitStatus {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.shared.seen();
        loop {
            if let Some(exit) = &seen.exit {
                return exit.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it does not end\n{}", seen.text());
            seen = self.shared.sleep(seen, left);
        }
    }

    /// What stands on the screen when the last byte has arrived.
    fn last_words(&self) -> String {
        drop(self.line.lock().unwrap().take());
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.shared.seen();
        while !seen.hung_up && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            seen = self.shared.sleep(seen, left);
        }
        seen.text()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Under the lock, so that the number is still its own.
        let seen = self.shared.seen();
        if seen.exit.is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep<'a>(&self, seen: MutexGuard<'a, Seen>, most: Duration) -> MutexGuard<'a, Seen> {
        self.news.wait_timeout(seen, most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn tell(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen());
        self.news.notify_all();
    }
}

fn cells(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: columns * 10, pixel_height: rows * 20 }
}

fn screen(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 0)
}

/// The reading thread: shows what comes, answers what is asked.
fn read(
    mut from: Box<dyn Read + Send>,
    shared: &Shared,
    line: &Mutex<Option<OwnedFd>>,
    plays: Plays,
    mut look: Option<Look>,
) {
    let (mut listening, mut buffer) = (Listening::new(plays), [0; 4096]);
    // The end of a pty is an error, not an end.
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut answers = listening.hear(&buffer[..count]);
        let mut typed = Vec::new();
        shared.tell(|seen| {
            if seen.holds {
                seen.held.append(&mut answers);
            }
            seen.arrivals += 1;
            if !listening.in_update {
                seen.screen.process(&std::mem::take(&mut listening.to_show));
            }
            if let Some(look) = &mut look {
                typed = look(&buffer[..count], seen.screen.screen());
            }
        });
        if !typed.is_empty() {
            let _ = shared.typing.lock().unwrap().write_all(&typed);
        }
        if plays == Plays::Dripping {
            drip(shared, line, &answers);
        } else if !answers.is_empty() {
            // A program that is gone needs no answer.
            let _ = shared.typing.lock().unwrap().write_all(&answers);
        }
    }
    shared.tell(|seen| {
        seen.screen.process(&listening.to_show);
        seen.hung_up = true;
    });
}

/// The line to the terminal: bytes arrive at its rate, after its delay. What the program writes is on the line at
/// once, for the buffers of a line have no end.
struct Down {
    on_its_way: mpsc::Receiver<(Instant, Vec<u8>)>,
    line: Line,
    /// When the line has carried all that has arrived.
    free: Instant,
    left: Instant,
    bytes: VecDeque<u8>,
}

impl Down {
    fn new(mut from: Box<dyn Read + Send>, line: Line) -> Self {
        let (send, on_its_way) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if send.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let now = Instant::now();
        Self { on_its_way, line, free: now, left: now, bytes: VecDeque::new() }
    }
}

impl Read for Down {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const PIECE: usize = 128;
        while self.bytes.is_empty() {
            let Ok((left, bytes)) = self.on_its_way.recv() else { return Ok(0) };
            (self.left, self.bytes) = (left, bytes.into());
        }
        let length = buffer.len().min(PIECE);
        let count = self.bytes.read(&mut buffer[..length])?;
        let time = Duration::from_micros((count * 1_000_000 / self.line.rate) as u64);
        self.free = self.free.max(self.left + self.line.delay) + time;
        std::thread::sleep(self.free.saturating_duration_since(Instant::now()));
        Ok(count)
    }
}

/// The line from the terminal: keys and answers are there after its delay.
struct Up(mpsc::Sender<(Instant, Vec<u8>)>);

impl Up {
    fn new(mut to: Box<dyn Write + Send>, line: Line) -> Self {
        let (send, on_its_way) = mpsc::channel::<(Instant, Vec<u8>)>();
        std::thread::spawn(move || {
            while let Ok((left, bytes)) = on_its_way.recv() {
                std::thread::sleep((left + line.delay).saturating_duration_since(Instant::now()));
                // A program that is gone needs no answer.
                let _ = to.write_all(&bytes).and_then(|()| to.flush());
            }
        });
        Self(send)
    }
}

impl Write for Up {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send((Instant::now(), bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes each byte when the program has read the one before. An escape goes with the byte behind it: one that
/// stays alone for 40 ms is a key, as it is on a keyboard, and a busy machine may take longer. What comes of each
/// cut is tried by the parser's own tests, whose time does not depend on that.
fn drip(shared: &Shared, line: &Mutex<Option<OwnedFd>>, bytes: &[u8]) {
    for piece in bytes.split_inclusive(|byte| *byte != 0x1b) {
        let _ = shared.typing.lock().unwrap().write_all(piece);
        taken(line);
    }
}

/// Waits until nothing that was typed is left to be read. Nobody is told of that by the system.
fn taken(line: &Mutex<Option<OwnedFd>>) {
    let deadline = Instant::now() + LIMIT;
    let waiting = || line.lock().unwrap().as_ref().map(rustix::io::ioctl_fionread);
    while matches!(waiting(), Some(Ok(1..))) && Instant::now() < deadline {
        std::thread::yield_now();
    }
}

/// Takes the program's output apart as far as needed to find its questions and its frames.
struct Listening {
    plays: Plays,
    state: State,
    /// The sequence being read, its start at least.
    sequence: Vec<u8>,
    to_show: Vec<u8>,
    /// Between the marks of a synchronized update.
    in_update: bool,
    answers: Vec<u8>,
    /// The pictures it was sent.
    held: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Control,
    String,
    EscapeInString,
}

impl Listening {
    fn new(plays: Plays) -> Self {
        Self {
            plays,
            state: State::Text,
            sequence: Vec::new(),
            to_show: Vec::new(),
            in_update: false,
            answers: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Hears bytes; returns what is to be answered.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        for &byte in bytes {
            self.to_show.push(byte);
            self.step(byte);
        }
        std::mem::take(&mut self.answers)
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::String, 0x1b) => State::EscapeInString,
            (State::String, 0x07) | (State::EscapeInString, b'\\') => {
                self.string();
                State::Text
            }
            (State::String | State::EscapeInString, _) => {
                // Of a picture's bytes only the start is looked at.
                if self.sequence.len() < 100 {
                    self.sequence.push(byte);
                }
                State::String
            }
            (_, 0x1b) => State::Escape,
            (State::Escape, b'[') => {
                self.sequence.clear();
                State::Control
            }
            (State::Escape, b'_' | b'P') if self.plays == Plays::Printing => {
                // The escape goes, and the rest is letters.
                self.to_show.truncate(self.to_show.len() - 2);
                State::Text
            }
            (State::Escape, b'_' | b'P' | b']') => {
                self.sequence = vec![byte];
                State::String
            }
            (State::Control, 0x40..=0x7e) => {
                self.sequence.push(byte);
                self.control();
                State::Text
            }
            (State::Control, _) => {
                self.sequence.push(byte);
                State::Control
            }
            (State::Text | State::Escape, _) => State::Text,
        };
    }

    fn control(&mut self) {
        let kitty = self.plays.is_kitty();
        let answer: &[u8] = match self.sequence.as_slice() {
            b"?2026h" => {
                let pieces = [Plays::Silent, Plays::Plain, Plays::Printing];
                self.in_update = !pieces.contains(&self.plays);
                return;
            }
            b"?2026l" => {
                self.in_update = false;
                return;
            }
            _ if self.plays == Plays::Silent => return,
            // As rxvt does.
            b">c" if self.plays == Plays::Printing => b"\x1b[>85;95;0c",
            b"c" if self.plays == Plays::Printing => b"\x1b[?1;2c",
            b">q" | b"?2026$p" if self.plays == Plays::Printing => return,
            b"?2026$p" if self.plays == Plays::Plain => b"\x1b[?2026;0$y",
            b">q" if self.plays == Plays::Newcomer => b"\x1bP>|newcomer 1.0\x1b\\",
            b">q" if kitty => b"\x1bP>|kitty(0.40.0)\x1b\\",
            b">q" => b"\x1bP>|XTerm(379)\x1b\\",
            b"?2026$p" => b"\x1b[?2026;2$y",
            b"16t" => b"\x1b[6;20;10t",
            b"14t" => b"\x1b[4;600;1000t",
            b"c" if kitty => b"\x1b[?62;52;c",
            b"c" => b"\x1b[?64;1;2;22c",
            b"5n" => b"\x1b[0n",
            _ => return,
        };
        self.answers.extend_from_slice(answer);
    }

    fn string(&mut self) {
        let text = String::from_utf8_lossy(&self.sequence).into_owned();
        let kitty = self.plays.is_kitty();
        if self.plays != Plays::Silent && text == "]11;?" {
            self.answers.extend_from_slice(b"\x1b]11;rgb:1010/1010/1010\x1b\\");
        }
        let knows = kitty || self.plays == Plays::Newcomer;
        let Some(keys) = text.strip_prefix("_G").filter(|_| knows) else { return };
        let keys = keys.split(';').next().unwrap_or_default();
        let value = |name: &str| keys.split(',').find_map(|key| key.strip_prefix(name));
        let Some(id) = value("i=") else { return };
        let word = match value("a=") {
            Some("T") => {
                self.held.push(id.to_owned());
                return;
            }
            Some("q") => "OK",
            Some("p") if matches!(self.plays, Plays::Ignoring | Plays::Newcomer) => return,
            Some("p") if self.plays == Plays::Refusing => "EINVAL:no",
            Some("p") if self.held.iter().any(|held| held == id) => "OK",
            Some("p") => "ENOENT:no such image",
            _ => return,
        };
        self.answers.extend_from_slice(format!("\x1b_Gi={id};{word}\x1b\\").as_bytes());
    }
}

/// Whether a program is there. A failure where it is not and `SECONDLOOK_REQUIRE_ALL=1`, else a line
/// that says so.
pub fn has(program: &str) -> bool {
    let found = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists());
    let required = std::env::var("SECONDLOOK_REQUIRE_ALL").is_ok_and(|v| v == "1");
    assert!(found || !required, "{program} is not installed");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}
