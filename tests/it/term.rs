//! The terminal's reader, writer and guard over a real pty, with the test playing the terminal.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver as Bytes, channel};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtyPair, PtySize, SlavePty, native_pty_system};
use rustix::termios::{LocalModes, tcgetattr};
use secondlook::input::{Key, KeyCode};
use secondlook::term::{
    Answer, Arrival, Event, FRAMES, Guard, Heard, Reader, Refused, Size, Upload, What, Writer,
    install_panic_hook, open, restore_sequence, size,
};
use tokio::sync::mpsc::Receiver;

/// Past this a test has failed; nothing waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(20);

/// A pty; the test holds the terminal's end.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    _slave: Box<dyn SlavePty + Send>,
    path: PathBuf,
    typing: Box<dyn Write + Send>,
}

impl Terminal {
    fn new() -> Self {
        let size = PtySize { rows: 40, cols: 110, pixel_width: 1100, pixel_height: 800 };
        let PtyPair { slave, master } = native_pty_system().openpty(size).unwrap();
        let path = master.tty_name().unwrap();
        let typing = master.take_writer().unwrap();
        Self { master, _slave: slave, path, typing }
    }

    /// The program's end, as its own file description.
    fn program_end(&self) -> OwnedFd {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::open(&self.path, flags, Mode::empty()).unwrap()
    }

    fn guard(&self) -> Guard {
        Guard::new(self.program_end()).unwrap()
    }

    fn types(&mut self, bytes: &[u8]) {
        self.typing.write_all(bytes).unwrap();
    }

    /// Starts reading what the program writes, answering each `question` with its `answer`.
    fn watch(&mut self, answers: &'static [(&'static [u8], &'static [u8])]) -> Bytes<Vec<u8>> {
        let mut reader = self.master.try_clone_reader().unwrap();
        let mut typing = std::mem::replace(&mut self.typing, Box::new(std::io::sink()));
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let (mut tail, mut buffer) = (Vec::new(), [0; 1000]);
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                for &byte in &buffer[..count] {
                    tail.push(byte);
                    for (question, answer) in answers {
                        if tail.ends_with(question) {
                            tail.clear();
                            typing.write_all(answer).unwrap();
                        }
                    }
                }
                if send.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        bytes
    }
}

const FENCES: &[(&[u8], &[u8])] = &[(b"\x1b[5n", b"\x1b[0n"), (b"\x1b[c", b"\x1b[?62;4c")];

/// Collects what the terminal has read until it ends with `end`.
fn until(bytes: &Bytes<Vec<u8>>, end: &[u8]) -> Vec<u8> {
    let deadline = Instant::now() + LIMIT;
    let mut all = Vec::new();
    while !all.ends_with(end) {
        let left = deadline.saturating_duration_since(Instant::now());
        match bytes.recv_timeout(left) {
            Ok(more) => all.extend(more),
            Err(error) => panic!("{error}, after {}", all.escape_ascii()),
        }
    }
    all
}

async fn next<T>(from: &mut Receiver<T>) -> Option<T> {
    tokio::time::timeout(LIMIT, from.recv()).await.expect("nothing came")
}

async fn next_heard(from: &mut Receiver<Arrival>) -> Heard {
    next(from).await.expect("the terminal closed").heard
}

fn without_fences(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().replace("\x1b[5n", "")
}

#[tokio::test]
async fn keys_and_answers_are_read_apart_and_the_end_is_told() {
    let mut terminal = Terminal::new();
    let guard = terminal.guard();
    let (_reader, mut arrivals) = Reader::start(terminal.program_end()).unwrap();
    terminal.types(b"a");
    let first = next(&mut arrivals).await.unwrap();
    assert_eq!((first.heard, first.burst), (Heard::Key(Key::char('a')), 1));
    terminal.types(b"\x1b_Gi=31;OK\x1b\\");
    assert!(matches!(
        next_heard(&mut arrivals).await,
        Heard::Answer(Answer::Kitty { ok: true, .. })
    ));
    // Control characters arrive as keys, a lone ESC once nothing follows.
    terminal.types(b"\x03\x1a\x1b");
    for key in [Key::ctrl('c'), Key::ctrl('z'), Key::plain(KeyCode::Esc)] {
        assert_eq!(next_heard(&mut arrivals).await, Heard::Key(key));
    }
    guard.set_silent(true);
    drop(guard);
    drop(terminal);
    // The pty types a line break and an end of file as it goes; then it is gone.
    while let Some(arrival) = next(&mut arrivals).await {
        assert!(matches!(arrival.heard, Heard::Key(Key { ctrl: true, .. })), "{arrival:?}");
    }
}

#[tokio::test]
async fn a_reader_whose_program_is_busy_waits_and_loses_nothing() {
    let mut terminal = Terminal::new();
    let guard = terminal.guard();
    guard.set_silent(true);
    let (reader, mut arrivals) = Reader::start(terminal.program_end()).unwrap();
    let typist = std::thread::spawn(move || {
        for _ in 0..200 {
            terminal.types(b"ax\x1b[0n\x1b[A");
        }
        terminal
    });
    let mut heard = Vec::new();
    while heard.len() < 800 {
        let arrival = next(&mut arrivals).await.unwrap();
        assert!(arrival.burst >= 1 || matches!(arrival.heard, Heard::Answer(_)));
        heard.push(arrival.heard);
    }
    let round = [
        Heard::Key(Key::char('a')),
        Heard::Key(Key::char('x')),
        Heard::Answer(Answer::StatusOk),
        Heard::Key(Key::plain(KeyCode::Up)),
    ];
    assert!(heard.chunks(4).all(|chunk| chunk == round));
    drop(reader);
    assert_eq!(next(&mut arrivals).await, None, "the thread has ended");
    typist.join().unwrap();
}

#[tokio::test]
async fn a_dropped_reader_ends_even_when_nobody_takes_what_it_read() {
    let mut terminal = Terminal::new();
    let guard = terminal.guard();
    guard.set_silent(true);
    let (reader, arrivals) = Reader::start(terminal.program_end()).unwrap();
    terminal.types(&[b'a'; 1000]);
    drop(reader);
    drop(arrivals);
}

#[tokio::test]
async fn pictures_are_told_painted_by_a_terminal_that_answers() {
    let mut terminal = Terminal::new();
    let _guard = terminal.guard();
    let bytes = terminal.watch(FENCES);
    let (_reader, mut arrivals) = Reader::start(terminal.program_end()).unwrap();
    let (writer, mut events) = Writer::start(terminal.program_end()).unwrap();
    let chunk = |n: usize| format!("<{n}{}>", "x".repeat(4000)).into_bytes();
    writer.upload(Upload { id: 7, chunks: (0..30).map(chunk).collect(), abort: vec![] }).unwrap();
    writer.mark(8, vec![7]).unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        tokio::select! {
            arrival = next(&mut arrivals) => {
                let arrival = arrival.unwrap();
                if arrival.heard == Heard::Answer(Answer::StatusOk) {
                    writer.acknowledge(arrival.at);
                }
            }
            event = next(&mut events) => match event.unwrap() {
                Event::Written { id } => told.push(format!("written {id}")),
                Event::Painted { what, .. } => told.push(format!("painted {what:?}")),
                other => panic!("{other:?}"),
            },
        }
    }
    assert_eq!(told, ["written 7", "painted Upload(7)", "painted Mark(8)"]);
    assert!(writer.link().round_trip.is_some() && writer.link().rate.is_some());
    assert_eq!(writer.uploads_waiting(), 0);
    writer.finish(b"bye".to_vec(), Instant::now() + LIMIT).unwrap();
    let written = without_fences(&until(&bytes, b"bye"));
    let expected: String = (0..30).map(|n| String::from_utf8(chunk(n)).unwrap()).collect();
    assert!(written.ends_with(&format!("{expected}bye")));
}

#[tokio::test]
async fn frames_pile_up_visibly_on_a_stuck_terminal_and_all_arrive_in_order_later() {
    let mut terminal = Terminal::new();
    let _guard = terminal.guard();
    let (writer, _events) = Writer::start(terminal.program_end()).unwrap();
    let frame = |n: usize| format!("[{n}{}]", "f".repeat(3000)).into_bytes();
    let mut sent = 0;
    while writer.frame(frame(sent)).is_ok() {
        sent += 1;
        assert!(sent < 1000, "a stuck terminal takes everything");
    }
    assert_eq!(writer.frame(frame(sent)), Err(Refused::Full));
    assert_eq!(writer.frames_waiting(), FRAMES);
    assert!(!writer.pause(Instant::now()), "frames are still waiting");
    let bytes = terminal.watch(&[]);
    assert!(writer.pause(Instant::now() + LIMIT));
    assert_eq!(writer.frames_waiting(), 0);
    writer.finish(b"bye".to_vec(), Instant::now() + LIMIT).unwrap();
    let written = without_fences(&until(&bytes, b"bye"));
    let expected: String = (0..sent).map(|n| String::from_utf8(frame(n)).unwrap()).collect();
    assert!(written.ends_with(&format!("{expected}bye")));
}

#[tokio::test]
async fn a_silent_terminal_is_not_waited_for() {
    let mut terminal = Terminal::new();
    let guard = terminal.guard();
    guard.set_silent(true);
    let bytes = terminal.watch(&[]);
    let (writer, mut events) = Writer::start(terminal.program_end()).unwrap();
    writer.set_silent(true);
    let chunks = vec![vec![b'x'; 4096]; 20];
    writer.upload(Upload { id: 1, chunks, abort: vec![] }).unwrap();
    assert_eq!(next(&mut events).await, Some(Event::Written { id: 1 }));
    let event = next(&mut events).await.unwrap();
    assert!(matches!(event, Event::Unanswered { what: What::Upload(1), .. }), "{event:?}");
    writer.finish(b"bye".to_vec(), Instant::now() + LIMIT).unwrap();
    let written = until(&bytes, b"bye");
    assert_eq!(written.len() - without_fences(&written).len(), 0, "a fence was sent");
}

#[tokio::test]
async fn finishing_a_stuck_terminal_ends_at_the_deadline_and_drops_pictures() {
    let terminal = Terminal::new();
    let guard = terminal.guard();
    guard.set_silent(true);
    let (writer, mut events) = Writer::start(terminal.program_end()).unwrap();
    writer.frame(vec![b'f'; 1_000_000]).unwrap();
    writer.upload(Upload { id: 5, chunks: vec![vec![b'x'; 10]], abort: vec![] }).unwrap();
    assert_eq!(writer.finish(b"bye".to_vec(), Instant::now()), Err(Refused::Full));
    assert_eq!(next(&mut events).await, Some(Event::Dropped { id: 5 }));
    assert_eq!(next(&mut events).await, None, "the thread has ended");
}

#[tokio::test]
async fn a_terminal_that_hangs_up_ends_the_writer_with_an_event() {
    let terminal = Terminal::new();
    let guard = terminal.guard();
    let (writer, mut events) = Writer::start(terminal.program_end()).unwrap();
    drop(terminal);
    while writer.frame(b"text".to_vec()).is_ok() && writer.pause(Instant::now() + LIMIT) {}
    assert_eq!(next(&mut events).await, Some(Event::Closed));
    assert_eq!(next(&mut events).await, None);
    assert_eq!(writer.frame(b"text".to_vec()), Err(Refused::Closed));
    assert_eq!(writer.finish(Vec::new(), Instant::now() + LIMIT), Err(Refused::Closed));
    assert!(guard.restore().is_err(), "nothing can be put back any more");
}

#[test]
fn the_guard_puts_everything_back_once_and_lets_no_answer_through() {
    let mut terminal = Terminal::new();
    let looking = terminal.program_end();
    let before = tcgetattr(&looking).unwrap();
    assert!(before.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    // An answer on its way, and one more that is caused by the last question.
    let bytes = terminal.watch(&[(b"\x1b[5n", b"\x1b[0n"), (b"\x1b[c", b"\x1b[0n\x1b[?62;4c")]);
    let guard = terminal.guard();
    let inside = tcgetattr(&looking).unwrap();
    assert!(!inside.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
    assert!(!inside.local_modes.contains(LocalModes::ISIG));
    until(&bytes, b"\x1b[?1004h");
    guard.set_farewell(b"farewell".to_vec());
    // Twice, as when the program is suspended and then left.
    for _ in 0..2 {
        guard.leave().unwrap();
        let written = until(&bytes, b"\x1b[c");
        // The last thing on our own screen is nothing.
        let mut expected = b"\x1b\\farewell\x1b[0m\x1b[2J".to_vec();
        expected.extend_from_slice(restore_sequence());
        expected.extend_from_slice(b"\x1b[c");
        assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
        let after = tcgetattr(&looking).unwrap();
        assert_eq!(after.local_modes, before.local_modes);
        assert_eq!(after.input_modes, before.input_modes);
        assert_eq!(after.output_modes, before.output_modes);
        // Canonical reading would hide a line without an end, so look at it raw.
        guard.enter().unwrap();
        assert_eq!(rustix::io::read(&looking, &mut [0; 64]), Err(rustix::io::Errno::AGAIN));
        until(&bytes, b"\x1b[?1004h");
    }
    guard.restore().unwrap();
    guard.restore().unwrap();
    drop(guard);
    until(&bytes, b"\x1b[c");
    drop(terminal);
    drop(looking);
    let rest: Vec<u8> = bytes.iter().flatten().collect();
    assert_eq!(rest, b"", "put back once only");
}

#[test]
fn the_size_is_told_in_cells_and_pixels() {
    let terminal = Terminal::new();
    let told = size(terminal.program_end()).unwrap();
    assert_eq!(told, Size { columns: 110, rows: 40, width: 1100, height: 800 });
    assert!(size(std::fs::File::open("/dev/null").unwrap()).is_err());
}

/// What the panicking child must not say.
const SECRET: &str = "a-name-from-a-passport";

#[test]
#[ignore = "the child of the next test"]
fn panicking_child() {
    let guard = Guard::new(open().unwrap()).unwrap();
    let (writer, _events) = Writer::start(open().unwrap()).unwrap();
    install_panic_hook(&guard, writer.hush(), || false);
    writer.frame(b"on-the-screen".to_vec()).unwrap();
    assert!(writer.pause(Instant::now() + LIMIT));
    panic!("{SECRET}");
}

#[test]
fn a_panic_puts_the_terminal_back_and_then_tells_where_but_not_what() {
    let size = PtySize { rows: 40, cols: 110, pixel_width: 0, pixel_height: 0 };
    let PtyPair { slave, master } = native_pty_system().openpty(size).unwrap();
    let looking = rustix::fs::open(
        master.tty_name().unwrap(),
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::NONBLOCK,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    let before = tcgetattr(&looking).unwrap();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "term::panicking_child", "--ignored", "--nocapture"]);
    let mut reader = master.try_clone_reader().unwrap();
    let (send, output) = channel();
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        // The end of a pty is an error, not an end.
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        let _ = send.send(all);
    });
    let mut child = slave.spawn_command(command).unwrap();
    assert_eq!(child.wait().unwrap().exit_code(), 1);
    let after = tcgetattr(&looking).unwrap();
    drop((slave, looking));
    let output = output.recv_timeout(LIMIT).unwrap();
    let text = String::from_utf8(output).unwrap();
    assert_eq!(after.local_modes, before.local_modes);
    let restored = text.find(std::str::from_utf8(restore_sequence()).unwrap()).unwrap();
    let drawn = text.find("on-the-screen").unwrap();
    let said = text.find("secondlook has a fault at").unwrap();
    assert!(drawn < restored && restored < said, "{text:?}");
    assert!(text[said..].contains("term.rs:"), "{text:?}");
    assert!(!text.contains(SECRET), "{text:?}");
}
