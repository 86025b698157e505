//! A fault ends the program, wherever it happens, and the terminal is as it was; one that a picture causes
//! ends nothing. The whole console in a real pty, put together by a child of this test binary, with a kitty
//! of ours at the other end.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use secondlook::didit::{self, Client};
use secondlook::intake;
use secondlook::picture::{Fetcher, Rules, apart, is_apart};
use secondlook::shell::{self, Given, Memory, Parts, SystemClock, Who, worker_id};
use secondlook::sim::{Effect, Limits, Options, Sim, session_id};
use secondlook::store;
use secondlook::term::{Environment, Wish, end_on_panic};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use crate::core_support;
use crate::kitty::{Far, Kitty, Line};
use crate::stage::{DeadlyStore, Death};
use crate::terminal::{Home, Ran, case_on, finish, world};

const HERE: Line = Line { rate: 100_000_000, delay: Duration::ZERO };
/// What no fault may say.
const SECRET: &str = "a-name-from-a-passport";
/// Where the child's fault is to happen.
const WHERE: &str = "FAULT_IN";

/// The child: the console on the store and the simulator of its environment. It waits to be told on a
/// socket, and then has its fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the tests below"]
async fn console() {
    let var = |name: &str| std::env::var(name).unwrap();
    let place = var(WHERE);
    let base = var("DIDIT_BASE_URL").parse().unwrap();
    let client = Client::new(didit::Settings {
        reads_per_minute: 100_000,
        writes_per_minute: 100_000,
        ..didit::Settings::new(base, var("DIDIT_API_KEY").into())
    });
    let client = client.unwrap();
    let kept = store::open(&var("SECONDLOOK_STORE")).await.unwrap();
    let verbs = if place == "the outbox" { 0 } else { i64::MAX };
    let origin = client.origin(&kept.salt().await.unwrap());
    let rules = Rules { allow_loopback_http: true, ..Rules::default() };
    let mut settings = core_support::settings();
    settings.undo_ms = 300_000;
    let parts = Parts {
        who: Who::alone(settings.reviewer.clone()),
        settings,
        store: Arc::new(DeadlyStore::new(kept, verbs, Death::Fault(SECRET))),
        client,
        fetcher: Fetcher::new(rules).unwrap(),
        intake: intake::Settings { interval_ms: 3_600_000, ..intake::Settings::default() },
        origin,
        given: Given::default(),
        warning: None,
        signer: None,
        worker: worker_id(),
        clock: SystemClock::new(),
        set: Wish::default(),
        memory: Memory::default(),
        environment: Environment { term: var("TERM"), utf8: true, ..Environment::default() },
    };
    let told = UnixListener::bind("told").unwrap();
    let fault = async move {
        let (mut answer, _) = told.accept().await.unwrap();
        match place.as_str() {
            "the loop's own task" => panic!("{SECRET}"),
            "a task" => {
                tokio::spawn(async { panic!("{SECRET}") });
            }
            "a blocking worker" => {
                tokio::task::spawn_blocking(|| panic!("{SECRET}"));
            }
            "a thread" => {
                std::thread::spawn(|| panic!("{SECRET}"));
            }
            "a picture" => {
                let work = || apart(|| -> u8 { panic!("{SECRET}") });
                assert_eq!(tokio::task::spawn_blocking(work).await.unwrap(), None);
                answer.write_all(b"contained").await.unwrap();
            }
            other => panic!("{other}"),
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = shell::run(parts) => assert!(ended.is_ok()),
        () = fault => {}
    }
}

/// The console of the child.
struct Console {
    home: Home,
    far: Far,
}

impl Console {
    fn open(sim: &Sim, place: &str) -> Self {
        let mut home = Home::at(sim, 300);
        home.set(WHERE, place);
        let child = ["--exact", "panics::console", "--ignored", "--nocapture"];
        let program = std::env::current_exe().unwrap();
        let far = Far::start(&home, program, &child, HERE, (100, 30));
        Self { home, far }
    }

    /// Waits for a pair whose keys decide, drawn by kitty.
    fn any_armed(&self) -> u64 {
        self.far
            .wait("a pair", |kitty| kitty.text().contains(" ARMED ") && kitty.shown().len() == 2);
        self.far.look(|kitty| case_on(&kitty.text())).unwrap()
    }

    fn tell(&self) -> UnixStream {
        UnixStream::connect(self.home.path("told")).unwrap()
    }
}

fn no_fault_says_more_than_where(kitty: &Kitty, code: u32, file: &str) {
    let text = kitty.text();
    assert_eq!(code, 1, "{text}");
    let said = text.split_once("secondlook has a fault at ").unwrap().1.replace('\n', "");
    assert!(said.contains(file) && said.contains("decisions already held are kept"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains("panicked"), "{text}");
    assert!(kitty.is_left(), "{text}");
    assert_eq!(kitty.images.len(), 0, "faces stay in the terminal");
    assert!(!text.contains("SUBJECT"), "{text}");
}

async fn sim() -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world([1001, 1002, 1003]), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_anywhere_ends_the_console_and_no_key_counts_any_more() {
    for place in ["the loop's own task", "a task", "a blocking worker", "a thread"] {
        let sim = sim().await;
        let console = Console::open(&sim, place);
        let decided = console.any_armed();
        console.far.press("a");
        console.far.wait_for(&[&format!("held: #{decided} approve")]);
        let next = console.any_armed();
        assert_ne!(next, decided);
        // Leaving takes half a second then, in which a key is pressed for the pair that was armed.
        console.far.look(|kitty| kitty.keeps_waiting = true);
        let _told = console.tell();
        console.far.wait(&format!("the end, after a fault in {place}"), Kitty::is_left);
        console.far.press("x");
        let Console { home, far } = console;
        let (kitty, code) = far.restored();
        no_fault_says_more_than_where(&kitty, code, "panics.rs:");
        assert_eq!(home.decisions(), ["approve held"], "after a fault in {place}");
        assert!(sim.effects().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_while_sending_ends_the_console_and_the_next_one_sends_it_once() {
    let sim = sim().await;
    let console = Console::open(&sim, "the outbox");
    let decided = console.any_armed();
    console.far.press("a");
    console.far.wait_for(&[&format!("held: #{decided} approve")]);
    console.any_armed();
    console.far.press("$");
    let Console { home, far } = console;
    let (kitty, code) = far.restored();
    no_fault_says_more_than_where(&kitty, code, "stage.rs:");
    assert!(sim.effects().is_empty());
    assert_eq!(home.decisions().len(), 1);
    assert_eq!(home.run(&["outbox", "flush"]).code, 0);
    let changed = sim.effects_on(session_id(decided));
    assert!(matches!(changed[..], [Effect::Status { .. }]), "{changed:?}");
    assert_eq!(home.decisions(), ["approve sent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_over_a_picture_ends_nothing_and_is_not_seen() {
    let sim = sim().await;
    let console = Console::open(&sim, "a picture");
    let case = console.any_armed();
    let before = console.far.look(|kitty| kitty.text());
    let mut contained = [0; 9];
    console.tell().read_exact(&mut contained).unwrap();
    console.far.look(|kitty| {
        assert!(!kitty.is_left());
        assert_eq!(kitty.shown().len(), 2);
        assert_eq!(case_on(&kitty.text()), case_on(&before));
    });
    console.far.press("x");
    console.far.wait_for(&[&format!("held: #{case} reject")]);
    console.any_armed();
    console.far.press("q");
    console.far.wait_for(&["keep them"]);
    console.far.press("k");
    let Console { home, far } = console;
    let (kitty, code) = far.restored();
    assert_eq!(code, 0, "{}", kitty.text());
    assert!(!kitty.text().contains("fault") && !kitty.text().contains(SECRET), "{}", kitty.text());
    assert_eq!(home.decisions(), ["reject held"]);
}

/// Runs a child of this file without a terminal.
fn child(name: &str) -> Ran {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("panics::{name}"), "--ignored", "--nocapture"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command)
}

#[tokio::test]
#[ignore = "the child of the next test"]
async fn command_with_a_fault_in_a_task() {
    // What the command makes of the test's own arguments does not matter: it has begun.
    let _ = tokio::task::spawn_blocking(secondlook::cli::main).await;
    let _ = tokio::spawn(async { panic!("{SECRET}") }).await;
    println!("it went on");
}

#[test]
fn a_fault_in_a_plain_command_is_one_sentence_too() {
    let ran = child("command_with_a_fault_in_a_task");
    assert_eq!(ran.code, 1, "{ran:?}");
    let (_, said) = ran.err.split_once("secondlook has a fault at ").unwrap();
    assert!(said.contains("panics.rs:") && said.lines().count() == 1, "{ran:?}");
    assert!(!ran.err.contains(SECRET) && !ran.out.contains("it went on"), "{ran:?}");
}

#[test]
#[ignore = "the child of the next test"]
fn two_faults() {
    end_on_panic(is_apart);
    assert_eq!(apart(|| -> u8 { panic!("{SECRET}") }), None);
    let both = Arc::new(Barrier::new(2));
    let its = Arc::clone(&both);
    std::thread::spawn(move || {
        its.wait();
        panic!("{SECRET}");
    });
    both.wait();
    panic!("{SECRET}");
}

#[test]
fn faults_on_two_threads_are_told_once() {
    let ran = child("two_faults");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.err.matches("secondlook has a fault at ").count(), 1, "{ran:?}");
    assert!(!ran.err.contains(SECRET), "{ran:?}");
}
