//! A kitty for the tests at the other end of a slow line: it stores what it is sent, shows what its cells
//! name, answers as kitty does, and writes down what happened after how many bytes. The line has a
//! rate and a delay each way; what is asserted of it are order and bytes, never times.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, tcgetattr};
use secondlook::picture::protocol::{PLACEHOLDER, kitty_anchor};

pub use crate::terminal::Line;
use crate::terminal::{Home, LIMIT, PROGRAM, plain};

/// Something that happened in the terminal, and how many bytes had come by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub bytes: usize,
    /// Of these, bytes of text.
    pub text_bytes: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The first byte of a picture.
    Began(u32),
    /// Its last byte; its size in pixels.
    Stored(u32, (u32, u32)),
    /// It was freed.
    Deleted(u32),
    /// It was asked after.
    Asked(u32),
    /// The pictures on the screen, left to right, are these now.
    Shown(Vec<u32>),
}

/// What the terminal is.
pub struct Kitty {
    screen: vt100::Parser,
    pub images: BTreeMap<u32, RgbImage>,
    open: Option<(u32, String)>,
    pub log: Vec<Event>,
    pub bytes: usize,
    /// Of these, bytes that are no part of a picture or a command about one.
    pub text_bytes: usize,
    /// A fingerprint of every picture ever sent.
    pub sent: Vec<u64>,
    shown: Vec<u32>,
    /// Pictures that cells named and the terminal did not have.
    pub holes: Vec<u32>,
    state: State,
    sequence: Vec<u8>,
    in_update: bool,
    to_show: Vec<u8>,
    answers: Vec<u8>,
    /// It does not say what it is, so that whoever leaves waits for that until its time is over.
    pub keeps_waiting: bool,
    /// Whoever draws on it does not do so in whole frames: between two pieces cells may name nothing.
    pub in_pieces: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Control,
    String,
    EscapeInString,
}

impl Kitty {
    pub fn new((columns, rows): (u16, u16)) -> Self {
        Self {
            screen: screen(columns, rows),
            images: BTreeMap::new(),
            open: None,
            log: Vec::new(),
            bytes: 0,
            text_bytes: 0,
            sent: Vec::new(),
            shown: Vec::new(),
            holes: Vec::new(),
            state: State::Text,
            sequence: Vec::new(),
            in_update: false,
            to_show: Vec::new(),
            answers: Vec::new(),
            keeps_waiting: false,
            in_pieces: false,
        }
    }

    fn note(&mut self, what: What) {
        self.log.push(Event { bytes: self.bytes, text_bytes: self.text_bytes, what });
    }

    /// Takes bytes; returns the answers to what they ask.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        for &byte in bytes {
            self.bytes += 1;
            self.step(byte);
        }
        if !self.in_update {
            self.show();
        }
        std::mem::take(&mut self.answers)
    }

    fn step(&mut self, byte: u8) {
        let before = self.state;
        self.state = match (self.state, byte) {
            (State::String, 0x1b) => State::EscapeInString,
            (State::String, 0x07) | (State::EscapeInString, b'\\') => State::Text,
            (State::String | State::EscapeInString, _) => {
                self.sequence.push(byte);
                State::String
            }
            (_, 0x1b) => State::Escape,
            (State::Escape, b'[') => {
                self.sequence.clear();
                State::Control
            }
            (State::Escape, b'_' | b'P' | b']') => {
                self.sequence = vec![byte];
                State::String
            }
            (State::Control, 0x40..=0x7e) => {
                self.sequence.push(byte);
                State::Text
            }
            (State::Control, _) => {
                self.sequence.push(byte);
                State::Control
            }
            (State::Text | State::Escape, _) => State::Text,
        };
        // Pictures and their commands are no business of the screen's.
        let string = |state| matches!(state, State::String | State::EscapeInString);
        if !string(before) && !string(self.state) {
            self.to_show.push(byte);
            self.text_bytes += 1;
        } else if string(before) && self.state == State::Text {
            self.string();
        } else if self.state == State::String && !string(before) {
            // The ESC before it.
            self.to_show.pop();
            self.text_bytes -= 1;
        }
        if before == State::Control && self.state == State::Text {
            self.control();
        }
    }

    fn control(&mut self) {
        let answer: &[u8] = match self.sequence.as_slice() {
            b"?2026h" => {
                self.show();
                self.in_update = true;
                return;
            }
            b"?2026l" => {
                self.in_update = false;
                self.show();
                return;
            }
            b">q" => b"\x1bP>|kitty(0.40.0)\x1b\\",
            b"?2026$p" => b"\x1b[?2026;2$y",
            b"16t" => b"\x1b[6;20;10t",
            b"c" if self.keeps_waiting => return,
            b"c" => b"\x1b[?62;52;c",
            b"5n" => b"\x1b[0n",
            _ => return,
        };
        self.answers.extend_from_slice(answer);
    }

    /// A command about pictures.
    fn string(&mut self) {
        let text = String::from_utf8(std::mem::take(&mut self.sequence)).unwrap();
        let Some(rest) = text.strip_prefix("_G") else { return };
        let (keys, payload) = rest.split_once(';').unwrap_or((rest, ""));
        let value = |name: &str| keys.split(',').find_map(|key| key.strip_prefix(name));
        let number = |name: &str| value(name).and_then(|value| value.parse::<u32>().ok());
        let id = number("i=").unwrap_or_default();
        let more = value("m=") == Some("1");
        match value("a=") {
            Some("q") => self.answer(id, true),
            Some("p") => {
                self.note(What::Asked(id));
                self.answer(id, self.images.contains_key(&id));
            }
            Some("d") => self.delete(value("d="), id, number("x="), number("y=")),
            Some("T") => {
                assert_eq!(value("U="), Some("1"), "a picture that would be drawn at the cursor");
                assert!(self.open.is_none(), "a picture began within another");
                self.note(What::Began(id));
                self.open = Some((id, payload.to_owned()));
            }
            _ => {
                let (_, file) = self.open.as_mut().expect("a chunk of no picture");
                file.push_str(payload);
            }
        }
        if matches!(value("a="), Some("T") | None) && !more {
            let (id, file) = self.open.take().unwrap();
            let file = STANDARD.decode(file).unwrap();
            let image = image::load_from_memory(&file).unwrap().into_rgb8();
            self.note(What::Stored(id, image.dimensions()));
            let mut print = std::hash::DefaultHasher::new();
            image.as_raw().hash(&mut print);
            self.sent.push(print.finish());
            self.images.insert(id, image);
        }
    }

    fn answer(&mut self, id: u32, ok: bool) {
        let word = if ok { "OK" } else { "ENOENT:no such image" };
        self.answers.extend_from_slice(format!("\x1b_Gi={id};{word}\x1b\\").as_bytes());
    }

    fn delete(&mut self, how: Option<&str>, id: u32, low: Option<u32>, high: Option<u32>) {
        let gone: Vec<u32> = match how {
            Some("I") => vec![id],
            Some("R") => {
                let (low, high) = (low.unwrap(), high.unwrap());
                let within = |id: &&u32| (low..=high).contains(*id);
                self.images.keys().filter(within).copied().collect()
            }
            other => panic!("d={other:?}"),
        };
        self.open.take_if(|(open, _)| *open == id);
        for id in gone {
            self.images.remove(&id);
            self.note(What::Deleted(id));
        }
    }

    /// Draws what waits, and looks which pictures the cells name.
    fn show(&mut self) {
        if self.to_show.is_empty() {
            return;
        }
        self.screen.process(&std::mem::take(&mut self.to_show));
        let shown = match named(self.screen.screen()) {
            Ok(shown) => shown,
            Err(_) if self.in_pieces => return,
            Err(why) => panic!("{why}"),
        };
        let (now, held) = (shown.clone(), &self.images);
        let missing: Vec<u32> = shown.iter().filter(|id| !held.contains_key(id)).copied().collect();
        self.holes.extend(missing);
        if now != self.shown {
            self.note(What::Shown(now.clone()));
            self.shown = now;
        }
    }

    /// The pictures on the screen, left to right.
    pub fn shown(&self) -> &[u32] {
        &self.shown
    }

    /// Whether the program has left its own screen, or was never on it.
    pub fn is_left(&self) -> bool {
        let screen = self.screen.screen();
        !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
    }

    /// The text of the screen.
    pub fn text(&self) -> String {
        plain(&self.screen.screen().contents())
    }

    /// Forgets pictures, as a terminal does that has too many, or another one that is looking now.
    pub fn lose(&mut self, mut which: impl FnMut(u32) -> bool) {
        self.images.retain(|id, _| !which(*id));
    }
}

/// The pictures that cells name, left to right. Every cell must name its place: the first of a row by
/// its marks, the others by what stands to their left.
fn named(screen: &vt100::Screen) -> Result<Vec<u32>, String> {
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let mut found: Vec<(u16, u32)> = Vec::new();
    for row in 0..rows {
        let mut continues: Option<vt100::Color> = None;
        for column in 0..columns {
            let Some(cell) =
                screen.cell(row, column).filter(|c| c.contents().starts_with(PLACEHOLDER))
            else {
                continues = None;
                continue;
            };
            let colour = cell.fgcolor();
            if cell.contents().chars().count() > 1 {
                let vt100::Color::Idx(low) = colour else { panic!("{colour:?}") };
                let third = cell.contents().chars().nth(3);
                let high = (1..=255u32).find(|high| {
                    let anchor = kitty_anchor(high << 24, 0, 0).unwrap();
                    anchor.chars().nth(3) == third
                });
                let id = high.unwrap_or_default() << 24 | u32::from(low);
                if !found.contains(&(column, id)) {
                    found.push((column, id));
                }
            } else if continues != Some(colour) {
                return Err(format!("a cell that continues nothing: {row},{column}"));
            }
            continues = Some(colour);
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(_, id)| *id);
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn screen(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 0)
}

/// The console at the near end of a line, the terminal at the far end.
pub struct Far {
    shared: Arc<Shared>,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    before: Termios,
}

struct Shared {
    seen: Mutex<Seen>,
    news: Condvar,
}

struct Seen {
    kitty: Kitty,
    /// On their way to the terminal, in the order of their leaving.
    down: VecDeque<(Instant, Vec<u8>)>,
    queued: usize,
    /// On their way to the program; keys of the test with the number of what was typed.
    up: VecDeque<(Instant, Vec<u8>, Option<usize>)>,
    /// For each thing typed, what had left and what had arrived when the program got it.
    typed: Vec<Option<Got>>,
    ended: bool,
}

/// Something typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed {
    number: usize,
    /// Events noted by then.
    pub events: usize,
}

/// What was on its way to the terminal when the program got something typed: an answer waits behind it.
#[derive(Debug, Clone, Copy)]
pub struct Got {
    /// Bytes.
    pub ahead: usize,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep<'a>(&self, seen: MutexGuard<'a, Seen>, most: Duration) -> MutexGuard<'a, Seen> {
        self.news.wait_timeout(seen, most).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Far {
    /// Opens the console of a home at the end of a line.
    pub fn open(home: &Home, line: Line, size: (u16, u16)) -> Self {
        Self::run(home, &["review"], line, size)
    }

    /// Runs a command of the program there.
    pub fn run(home: &Home, arguments: &[&str], line: Line, size: (u16, u16)) -> Self {
        Self::start(home, PROGRAM, arguments, line, size)
    }

    /// Runs any program there.
    pub fn start(
        home: &Home,
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        line: Line,
        size: (u16, u16),
    ) -> Self {
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        command.cwd(home.path(""));
        for (name, value) in home.environment() {
            command.env(name, value);
        }
        let pair = native_pty_system().openpty(cells(size)).unwrap();
        let before = modes(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let master = pair.master;
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                kitty: Kitty::new(size),
                down: VecDeque::new(),
                queued: 0,
                up: VecDeque::new(),
                typed: Vec::new(),
                ended: false,
            }),
            news: Condvar::new(),
        });
        let (from, to) = (master.try_clone_reader().unwrap(), master.take_writer().unwrap());
        let its = Arc::clone(&shared);
        std::thread::spawn(move || leave(from, &its));
        let its = Arc::clone(&shared);
        std::thread::spawn(move || arrive(&its, line));
        let its = Arc::clone(&shared);
        std::thread::spawn(move || answer(to, &its, line));
        Self { shared, master, child, before }
    }

    /// Looks at the terminal.
    pub fn look<T>(&self, look: impl FnOnce(&mut Kitty) -> T) -> T {
        look(&mut self.shared.seen().kitty)
    }

    /// Waits until the terminal is as wanted.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Kitty) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.shared.seen();
        while !wanted(&seen.kitty) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !seen.ended,
                "never: {what}\n{}\n{:?}",
                seen.kitty.text(),
                seen.kitty.log
            );
            seen = self.shared.sleep(seen, left);
        }
    }

    /// Waits until these stand on the screen.
    pub fn wait_for(&self, texts: &[&str]) {
        self.wait(&format!("{texts:?}"), |kitty| {
            let text = kitty.text();
            texts.iter().all(|wanted| text.contains(wanted))
        });
    }

    /// Presses keys at the far end.
    pub fn press(&self, keys: &str) -> Typed {
        self.send(keys.as_bytes())
    }

    /// Sends bytes from the far end.
    pub fn send(&self, bytes: &[u8]) -> Typed {
        let mut seen = self.shared.seen();
        let number = seen.typed.len();
        seen.typed.push(None);
        seen.up.push_back((Instant::now(), bytes.to_vec(), Some(number)));
        let typed = Typed { number, events: seen.kitty.log.len() };
        self.shared.news.notify_all();
        typed
    }

    /// Waits until the program has got what was typed.
    pub fn got(&self, typed: Typed) -> Got {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.shared.seen();
        loop {
            if let Some(got) = seen.typed[typed.number] {
                return got;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.ended, "the program does not read");
            seen = self.shared.sleep(seen, left);
        }
    }

    /// Gives the window another size.
    pub fn resize(&self, size: (u16, u16)) {
        let (columns, rows) = size;
        let (wide, high) = (NonZeroU16::new(columns).unwrap(), NonZeroU16::new(rows).unwrap());
        self.shared.seen().kitty.screen.screen_mut().set_size(high, wide);
        self.master.resize(cells(size)).unwrap();
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until the program is gone and all that it wrote has arrived; returns the terminal.
    pub fn end(self) -> Kitty {
        self.restored().0
    }

    /// As [`Far::end`], with the exit code. The modes of the line have to be what they were before.
    pub fn restored(mut self) -> (Kitty, u32) {
        let deadline = Instant::now() + LIMIT;
        let shared = Arc::clone(&self.shared);
        let mut seen = shared.seen();
        while !(seen.ended && seen.queued == 0) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it does not end\n{}", seen.kitty.text());
            seen = shared.sleep(seen, left);
        }
        let code = self.child.wait().unwrap().exit_code();
        let after = modes(self.master.as_ref());
        assert_eq!(after.local_modes, self.before.local_modes);
        assert_eq!(after.input_modes, self.before.input_modes);
        assert_eq!(after.output_modes, self.before.output_modes);
        (std::mem::replace(&mut seen.kitty, Kitty::new((1, 1))), code)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // It may have ended already, and then this does nothing.
        let _ = self.child.kill();
        self.shared.seen().ended = true;
        self.shared.news.notify_all();
    }
}

fn cells((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: cols * 10, pixel_height: rows * 20 }
}

/// The modes of the program's end of a line.
fn modes(master: &dyn MasterPty) -> Termios {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let line = rustix::fs::open(master.tty_name().unwrap(), flags, Mode::empty()).unwrap();
    tcgetattr(line).unwrap()
}

/// Takes what the program writes onto the line at once: its buffers have no end.
fn leave(mut from: Box<dyn Read + Send>, shared: &Shared) {
    let mut buffer = [0; 4096];
    // The end of a pty is an error, not an end.
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut seen = shared.seen();
        seen.queued += count;
        seen.down.push_back((Instant::now(), buffer[..count].to_vec()));
        shared.news.notify_all();
    }
    shared.seen().ended = true;
    shared.news.notify_all();
}

/// Lets bytes arrive at the line's rate, after its delay.
fn arrive(shared: &Shared, line: Line) {
    const PIECE: usize = 256;
    let mut free = Instant::now();
    loop {
        let (left, bytes) = {
            let mut seen = shared.seen();
            loop {
                if let Some(piece) = seen.down.pop_front() {
                    break piece;
                }
                if seen.ended {
                    return;
                }
                seen = shared.sleep(seen, Duration::from_millis(100));
            }
        };
        for piece in bytes.chunks(PIECE) {
            let time = Duration::from_micros((piece.len() * 1_000_000 / line.rate) as u64);
            free = free.max(left + line.delay) + time;
            std::thread::sleep(free.saturating_duration_since(Instant::now()));
            let mut seen = shared.seen();
            let answers = seen.kitty.hear(piece);
            seen.queued -= piece.len();
            if !answers.is_empty() {
                seen.up.push_back((Instant::now(), answers, None));
            }
            shared.news.notify_all();
        }
    }
}

/// Brings keys and answers to the program after the line's delay.
fn answer(mut to: Box<dyn Write + Send>, shared: &Shared, line: Line) {
    loop {
        let (left, bytes, number) = {
            let mut seen = shared.seen();
            loop {
                if let Some(piece) = seen.up.pop_front() {
                    break piece;
                }
                if seen.ended {
                    return;
                }
                seen = shared.sleep(seen, Duration::from_millis(100));
            }
        };
        std::thread::sleep((left + line.delay).saturating_duration_since(Instant::now()));
        if let Some(number) = number {
            let mut seen = shared.seen();
            let ahead = seen.queued;
            seen.typed[number] = Some(Got { ahead });
            shared.news.notify_all();
        }
        // A program that is gone needs no answer.
        let _ = to.write_all(&bytes).and_then(|()| to.flush());
    }
}
