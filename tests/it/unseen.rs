//! No verdict on pictures that were not seen, for every way of drawing and however it came to be wished for: against
//! terminals that refuse pictures, ignore them, or would print them.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use secondlook::shell::{Memory, Place};
use secondlook::sim::{Limits, Options, Sim};
use secondlook::term::{Capabilities, Environment, Probe, Protocol, Wish};

use crate::terminal::{Between, Home, PROGRAM, Plays, Terminal, has, opening_key, world};

/// The ways that are no characters.
const WAYS: [Protocol; 3] = [Protocol::Kitty, Protocol::Iterm2, Protocol::Sixel];

/// How a way comes to be wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Flag,
    Configuration,
    Memory,
    Key,
}

/// A console, and all that its terminal was sent.
struct Console {
    terminal: Terminal,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Console {
    /// Opens it with a wish.
    fn open(home: &mut Home, plays: Plays, way: Protocol, by: By) -> Self {
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let its = Arc::clone(&sent);
        let look: crate::terminal::Look = Box::new(move |bytes, _| {
            its.lock().unwrap().extend_from_slice(bytes);
            Vec::new()
        });
        let between = Between { line: None, look: Some(look) };
        let mut arguments = vec!["review"];
        match by {
            By::Flag => arguments.extend(["--images", way.word()]),
            By::Key => arguments.extend(["--images", "blocks"]),
            By::Configuration => {
                let config = std::fs::read_to_string(home.path("config.toml")).unwrap();
                let images = format!("{config}[images]\nprotocol = \"{}\"\n", way.word());
                home.file("config.toml", &images, 0o600);
            }
            By::Memory => remember(home, plays, way),
        }
        let terminal = home.open_over(between, plays, PROGRAM, &arguments);
        let console = Self { terminal, sent };
        if by == By::Key {
            console.terminal.any_armed();
            console.terminal.press("p");
        }
        console
    }

    /// Whether pictures of any protocol were sent, which whoever does not know them prints.
    fn was_sent_pictures(&self) -> bool {
        let sent = String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned();
        // `a=T`: a picture; `a=q`, the question, is all that may come of kitty's.
        let kitty = sent.split("\x1b_G").skip(1).any(|part| !part.contains("a=q"));
        // Of control strings `P` a picture in sixel is the only one.
        kitty || sent.contains("\x1bP") || sent.contains("]1337;")
    }

    /// Whether it was asked after the pictures of a pair.
    fn was_asked(&self) -> bool {
        let sent = String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned();
        let asked = sent.split("\x1b_G").skip(1).filter(|part| part.contains("a=p"));
        asked.count() >= 2
    }

    fn quit(self) {
        self.terminal.press("q");
        self.terminal.wait_for(&["keep them"]);
        self.terminal.press("k");
        self.terminal.end();
    }

    fn kill(self) {
        self.terminal.signal(rustix::process::Signal::TERM);
        self.terminal.end();
    }
}

/// Has the way remembered for this terminal.
fn remember(home: &Home, plays: Plays, way: Protocol) {
    let name = match plays {
        Plays::Kitty | Plays::Dripping | Plays::Refusing | Plays::Ignoring => Some("kitty(0.40.0)"),
        Plays::Xterm | Plays::Plain => Some("XTerm(379)"),
        Plays::Newcomer => Some("newcomer 1.0"),
        Plays::Silent | Plays::Printing => None,
    };
    let unknown = Probe::new(&Environment::default()).conclude();
    let known = Capabilities { version: name.map(str::to_owned), ..unknown };
    let environment = Environment { term: "xterm-256color".to_owned(), ..Environment::default() };
    let memory = Memory::read(home.path("state/secondlook/terminals.json")).unwrap();
    let wish = Wish { protocol: Some(way), blocks: None };
    memory.keep(Place::of(&known, &environment), wish).unwrap();
}

/// How the pictures of each decision were drawn, by its receipt.
fn drawn(home: &Home) -> Vec<String> {
    let of = |row: &serde_json::Value| row["receipt"]["protocol"].as_str().unwrap().to_owned();
    home.rows(&["export"]).iter().map(of).collect()
}

async fn sim() -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world([1001, 1002]), options).await.unwrap()
}

/// A terminal that never says that it holds the pictures: whoever wishes for them, no key decides.
async fn nothing_is_decided_on_kitty(plays: Plays) {
    let sim = sim().await;
    for by in [By::Flag, By::Configuration, By::Memory, By::Key] {
        let mut home = Home::at(&sim, 300);
        let console = Console::open(&mut home, plays, Protocol::Kitty, by);
        let terminal = &console.terminal;
        terminal.wait_for(&["A SUBJECT #", " kitty"]);
        terminal.wait("both pictures", |_| console.was_asked());
        assert!(console.was_sent_pictures(), "{by:?}");
        terminal.press_until("x", "'x' decided nothing: ");
        assert!(!terminal.screen().contains(" ARMED "), "{by:?}");
        assert_eq!(opening_key(&terminal.screen()), None, "{by:?}: there is nothing to open");
        assert_eq!(home.decisions(), [""; 0], "{by:?}");
        // What can be seen is decided by.
        terminal.press("p");
        terminal.wait_for(&[" ARMED ", " blocks"]);
        terminal.press("x");
        terminal.wait_for(&["held 1", "held: #"]);
        assert_eq!(drawn(&home), ["blocks"], "{by:?}");
        console.quit();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kitty_that_refuses_every_picture_has_nothing_decided_on_them() {
    nothing_is_decided_on_kitty(Plays::Refusing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kitty_that_says_nothing_of_its_pictures_has_nothing_decided_on_them() {
    nothing_is_decided_on_kitty(Plays::Ignoring).await;
}

/// A terminal that does not say that it draws so: it is drawn by characters there, which are seen, and the receipt
/// says so; nothing else is sent to it.
async fn nothing_unconfirmed_is_sent(plays: Plays) {
    let sim = sim().await;
    for (place, way) in WAYS.into_iter().enumerate() {
        // The key is the same for all ways.
        let wished: &[By] =
            if place == 0 { &[By::Flag, By::Memory, By::Key] } else { &[By::Flag, By::Memory] };
        for &by in wished {
            let mut home = Home::at(&sim, 300);
            let console = Console::open(&mut home, plays, way, by);
            let terminal = &console.terminal;
            if by == By::Key {
                terminal.wait_for(&["The terminal confirms no other way to draw than blocks."]);
            }
            terminal.any_armed();
            terminal.wait_for(&[" blocks"]);
            terminal.press("x");
            terminal.wait_for(&["held 1", "held: #"]);
            assert_eq!(drawn(&home), ["blocks"], "{way:?} {by:?}");
            assert!(!console.was_sent_pictures(), "{way:?} {by:?}");
            // Nor does the question that it was asked stand there.
            let screen = terminal.screen();
            assert!(!screen.contains("AAAA") && !screen.contains("a=q"), "{screen}");
            console.quit();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_would_print_pictures_is_sent_none() {
    nothing_unconfirmed_is_sent(Plays::Printing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_says_that_it_draws_none_is_sent_none() {
    nothing_unconfirmed_is_sent(Plays::Xterm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_answers_nothing_is_sent_none() {
    nothing_unconfirmed_is_sent(Plays::Silent).await;
}

/// The longest word of letters and digits that a screen shows: a picture that is printed is one.
fn longest_word(screen: &vt100::Screen) -> usize {
    let text = screen.contents();
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_multiplexers_that_draw_none_are_sent_none() {
    let sim = sim().await;
    for program in ["screen", "tmux"].into_iter().filter(|program| has(program)) {
        for way in WAYS {
            let mut home = Home::at(&sim, 300);
            let folder = home.path("sockets");
            std::fs::create_dir(&folder).unwrap();
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
            home.set("SCREENDIR", &folder.display().to_string());
            home.set("TMUX_TMPDIR", &folder.display().to_string());
            let start: &[&str] = match program {
                "screen" => &["-U", "-c", "/dev/null"],
                _ => &["-L", "look", "-f", "/dev/null", "new-session"],
            };
            let longest = Arc::<Mutex<usize>>::default();
            let its = Arc::clone(&longest);
            let look: crate::terminal::Look = Box::new(move |_, screen| {
                let mut longest = its.lock().unwrap();
                *longest = longest_word(screen).max(*longest);
                Vec::new()
            });
            let between = Between { line: None, look: Some(look) };
            let review = [PROGRAM, "review", "--images", way.word()];
            let arguments = [start, &review[..]].concat();
            let terminal = home.open_over(between, Plays::Xterm, program, &arguments);
            terminal.any_armed();
            terminal.wait_for(&[" blocks"]);
            terminal.press("x");
            terminal.wait_for(&["held 1", "held: #"]);
            assert_eq!(drawn(&home), ["blocks"], "{program} {way:?}");
            assert!(*longest.lock().unwrap() < 40, "{program} {way:?}\n{}", terminal.screen());
            terminal.press("q");
            terminal.wait_for(&["keep them"]);
            terminal.press("k");
            terminal.end();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forced_on_a_terminal_that_nobody_knows_is_said_in_the_receipt() {
    let sim = sim().await;
    for way in WAYS {
        let mut home = Home::at(&sim, 300);
        let console = Console::open(&mut home, Plays::Newcomer, way, By::Flag);
        let terminal = &console.terminal;
        terminal.wait_for(&["A SUBJECT #", &format!("{} (forced)", way.word())]);
        if way == Protocol::Kitty {
            // It says of none that it holds it: that would be seen.
            terminal.wait_for(&["WAIT: the terminal confirms no picture"]);
            terminal.press_until("x", "'x' decided nothing: ");
            assert_eq!(home.decisions(), [""; 0]);
            console.kill();
            continue;
        }
        // By its key alone, for nobody knows who answers.
        terminal.wait("shut", |screen| opening_key(screen).is_some());
        terminal.press_until("x", "'x' decided nothing: ");
        assert_eq!(home.decisions(), [""; 0]);
        terminal.any_armed();
        terminal.wait_for(&["forced: nothing proves that pictures show"]);
        terminal.press("x");
        terminal.wait_for(&["held 1", "held: #"]);
        assert_eq!(drawn(&home), [format!("{} (forced)", way.word())]);
        console.quit();

        // What is remembered forces nothing.
        let mut home = Home::at(&sim, 300);
        let console = Console::open(&mut home, Plays::Newcomer, way, By::Memory);
        console.terminal.any_armed();
        console.terminal.press("x");
        console.terminal.wait_for(&["held 1", "held: #"]);
        assert_eq!(drawn(&home), ["blocks"]);
        assert!(!console.was_sent_pictures(), "{way:?}");
        console.quit();
    }
}
