//! The console as a reviewer has it: the real program in a real terminal against the simulator, by
//! keys alone. What counts is what Didit saw, and how the terminal was left.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use secondlook::sim::{
    AuthStyle, Candidate, Effect, Fault, Key, Limits, On, Options, Recorded, Reply, Route, Session,
    Sim, World, session_id,
};
use serde_json::json;

use crate::terminal::{Home, LIMIT, Plays, Terminal, candidate, case_on, subject, world};

/// What stands on the help screen and nowhere else.
const HELP: &str = "Keys of the Review screen";

async fn sim(world: World) -> Sim {
    sim_with(world, Options::default()).await
}

async fn sim_with(world: World, options: Options) -> Sim {
    Sim::start(world, Options { limits: Limits::none(), ..options }).await.unwrap()
}

/// Everything that was asked to be changed, in order.
fn writes(sim: &Sim) -> Vec<Recorded> {
    sim.record().into_iter().filter(|call| call.method != "GET").collect()
}

/// The calls about a session from the first write on, and the reads of the attempt before it.
fn delivery(sim: &Sim, session: u64) -> Vec<Route> {
    let id = session_id(session).to_string();
    let about = |call: &Recorded| {
        call.path.contains(&id) || call.body["session_id"].as_str() == Some(id.as_str())
    };
    let calls: Vec<Route> =
        sim.record().into_iter().filter(about).filter_map(|call| call.route).collect();
    let write = calls.iter().position(|route| *route == Route::UpdateStatus).unwrap();
    calls[write - 2..].to_vec()
}

/// Waits until so many calls were made to change something, and all were answered.
async fn written(sim: &Sim, count: usize) {
    let enough = |record: &[Recorded]| {
        let answered = |call: &&Recorded| call.method != "GET" && call.status.is_some();
        record.iter().filter(answered).count() >= count
    };
    assert!(sim.until(LIMIT, enough).await, "{:?}", writes(sim));
}

fn status(sim: &Sim, session: u64) -> String {
    sim.session(session_id(session)).unwrap().status
}

/// Leaves a console in which nothing is held.
fn quit(console: Terminal) -> String {
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    words
}

/// Leaves a console in which something is held, and keeps it.
fn quit_keeping(console: Terminal) -> String {
    console.press("q");
    console.wait_for(&["on their way to Didit", "keep them"]);
    console.press("k");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_each_approves_rejects_and_blocklists_and_didit_sees_nothing_else() {
    let faces =
        |number: u64| Session::in_review(number).with(Candidate::session(number + 50, 78.0));
    let mut world = World::new(jiff::Timestamp::now());
    for number in [1001, 1002, 1003] {
        world.add(faces(number));
    }
    let sim = sim(world).await;
    let home = Home::at(&sim, 1);
    let console = home.console(Plays::Kitty);

    let approved = console.any_armed();
    console.wait_for(&["kitty", &format!("IF a: #{approved} In Review -> Approved")]);
    console.press("a");
    written(&sim, 1).await;
    console.wait_for(&[&format!("#{approved} approve: Approved at Didit, read back.")]);

    let rejected = console.any_armed();
    console.wait_for(&[&format!("x: #{rejected} In Review -> Declined")]);
    console.press("x");
    written(&sim, 2).await;
    console.wait_for(&[&format!("#{rejected} reject: Declined at Didit, read back.")]);

    let listed = console.any_armed();
    console.press("B");
    console.wait_for(&["target", &format!("#{listed}"), "type the number"]);
    // Enter does nothing, a wrong digit clears, and only the whole number counts.
    console.press("1\r9");
    console.wait_for(&["or esc: __"]);
    console.press(&listed.to_string());
    console.wait_for(&["B again to hold"]);
    assert_eq!(writes(&sim).len(), 2);
    // Not in the same breath as the digits: that would be a paste.
    console.press_until("B", &format!("#{listed} blocklist"));
    written(&sim, 4).await;
    console.wait_for(&[&format!("The face of #{listed} is on the blocklist.")]);
    quit(console);

    let mut cases = vec![approved, rejected, listed];
    let calls = writes(&sim);
    let expected = [
        (Route::UpdateStatus, approved, "Approved"),
        (Route::UpdateStatus, rejected, "Declined"),
        (Route::UpdateStatus, listed, "Declined"),
    ];
    for (call, (route, case, status)) in calls.iter().zip(expected) {
        assert_eq!(call.route, Some(route));
        assert_eq!(call.path, format!("/v3/session/{}/update-status/", session_id(case)));
        assert_eq!(call.body["new_status"], status);
        let comment = call.body["comment"].as_str().unwrap();
        let start = format!("secondlook by:ana case:{} decision:", session_id(case));
        assert!(comment.starts_with(&start), "{comment}");
        assert!(call.took_effect);
    }
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert_eq!(calls[3].route, Some(Route::BlocklistAdd));
    let body = json!({ "session_id": session_id(listed).to_string(), "blocklist_face": true });
    assert_eq!(calls[3].body, body);

    // Read, write, read back.
    use Route::{BlocklistAdd, Decision, Reviews, UpdateStatus};
    let once = [Decision, Reviews, UpdateStatus, Decision];
    assert_eq!(delivery(&sim, approved), once);
    // From then on documents are known to show their reviews; what comes before was read for the screen.
    let once = [Decision, Decision, UpdateStatus, Decision];
    assert_eq!(delivery(&sim, rejected), once);
    assert_eq!(delivery(&sim, listed)[..once.len() + 1], [&once[..], &[BlocklistAdd]].concat());
    assert!(sim.record().iter().all(|call| call.route != Some(Route::FaceSearch)));
    assert!(sim.media_record().iter().all(|call| call.carried.is_empty()));

    assert_eq!(status(&sim, approved), "Approved");
    assert_eq!(status(&sim, rejected), "Declined");
    assert_eq!(status(&sim, listed), "Declined");
    assert!(sim.session(session_id(listed)).unwrap().blocked.face);
    assert_eq!(home.decisions(), ["blocklist sent", "reject sent", "approve sent"]);
    cases.sort_unstable();
    assert_eq!(cases, [1001, 1002, 1003]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_undone_in_time_was_never_sent() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Xterm);
    console.wait_armed(1001);
    console.press("x");
    console.wait_for(&["held: #1001 reject", "held 1"]);
    console.press("u");
    console.wait_for(&["#1001 taken back; nothing has left", "held 0"]);
    // It is the current case again, and can be decided otherwise.
    console.wait_armed(1001);
    console.press("a");
    console.wait_for(&["held: #1001 approve"]);
    console.press("u");
    console.wait_armed(1001);
    quit(console);
    assert_eq!(home.decisions(), ["approve undone", "reject undone"]);
    assert_eq!(home.run(&["outbox", "flush"]).code, 0);
    assert_eq!(writes(&sim), []);
    assert_eq!(status(&sim, 1001), "In Review");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve_takes_a_judgement_of_every_candidate_also_of_those_without_a_customer_id() {
    let nameless =
        |number, similarity| Candidate { vendor_data: None, ..candidate(number, similarity) };
    let mut world = World::new(jiff::Timestamp::now());
    world.add(
        subject(1001)
            .with(nameless(6001, 72.0))
            .with(nameless(6002, 97.0))
            .but(|session| session.vendor_data = None),
    );
    let sim = sim(world).await;
    let home = Home::at(&sim, 0);
    let row = |home: &Home| home.rows(&["queue", "list"]).remove(0);
    home.rows(&["sync"]);
    let marks = |name: &str| {
        let row = row(&home);
        let of = |c: &serde_json::Value| c[name].as_bool().unwrap();
        row["candidates"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(marks("self_match"), [false, false]);
    assert_eq!(marks("must_judge"), [true, true]);

    let console = home.console(Plays::Xterm);
    console.wait_for(&["A SUBJECT #1001 ", " B 1/2 ", " ARMED "]);
    console.wait_for(&["1 more to judge"]);
    console.press("a");
    console.wait_for(&[" B 2/2 ", "Different. 1 more to judge.", " ARMED "]);
    assert_eq!(writes(&sim), [], "approved after one of two");
    console.press("a");
    written(&sim, 1).await;
    console.wait_for(&["Approved at Didit, read back."]);
    quit(console);
    assert_eq!(writes(&sim).len(), 1);
    assert_eq!(status(&sim, 1001), "Approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_another_origin_are_neither_shown_nor_sent() {
    let keys = vec![Key::full("sk_test_one"), Key::full("sk_test_two")];
    let here = sim_with(world([1001]), Options { keys, ..Options::default() }).await;
    let there = sim(world([2001])).await;
    let mut home = Home::at(&here, 300);
    let console = home.console(Plays::Xterm);
    console.wait_armed(1001);
    console.press("a");
    console.wait_for(&["held: #1001 approve"]);
    quit_keeping(console);

    // Another server, then another key of the same server, on the same store.
    for (base, key, case) in
        [(there.base_url(), there.api_key(), Some(2001)), (here.base_url(), "sk_test_two", None)]
    {
        home.set("DIDIT_BASE_URL", base);
        home.set("DIDIT_API_KEY", key);
        assert!(home.rows(&["queue", "list", "--state", "decided"]).is_empty());
        assert!(home.rows(&["outbox", "list"]).is_empty());
        assert!(home.rows(&["history"]).is_empty());
        assert_eq!(home.run(&["outbox", "flush"]).code, 0);
        let console = home.console(Plays::Xterm);
        match case {
            Some(case) => console.wait_armed(case),
            // It still has the session in review, and knows nothing of the decision.
            None => console.wait_armed(1001),
        }
        console.wait_for(&["held 0"]);
        quit(console);
    }
    assert_eq!(writes(&here), []);
    assert_eq!(writes(&there), []);

    home.set("DIDIT_API_KEY", here.api_key());
    assert_eq!(home.decisions(), ["approve held"]);
    assert_eq!(home.run(&["outbox", "flush"]).code, 0);
    assert_eq!(status(&here, 1001), "Approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_behind_the_back_stays_and_is_shown_beside_mine() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 0);
    let console = home.console(Plays::Xterm);
    console.wait_armed(1001);
    let by = "boss@example.com";
    assert!(sim.knobs().decide_elsewhere(session_id(1001), "Declined", by, None));
    console.press("a");
    console.wait_for(&["CONFLICT #1001", "CONFLICTS 1"]);
    console.press("H");
    console.wait_for(&["mine: In Review -> Approved", "Declined", by, "CONFLICT"]);
    console.press("q");
    console.wait(" the review again", |screen| !screen.contains("mine:"));
    quit(console);
    assert_eq!(writes(&sim), []);
    assert_eq!(status(&sim, 1001), "Declined");
    assert_eq!(home.decisions(), ["approve conflict"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pasted_page_decides_nothing() {
    let sim = sim(world([1001, 1002, 1003])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Xterm);
    let prose = "Axe and exit: a Boxer, 1001 and 1002 in 5 cases, said B.\r\n".repeat(200);
    assert!(prose.len() > 10_000);
    let case = console.any_armed();
    console.send(format!("\x1b[200~{prose}\x1b[201~").as_bytes());
    console.wait_for(&["A paste decides nothing.", "held 0"]);
    console.wait_armed(case);

    console.send(prose.as_bytes());
    console.wait_read();
    // Keys count again when the flood is over.
    console.press_until("?", HELP);
    console.press_until("\x1b", "A SUBJECT");
    console.wait_for(&["held 0"]);
    console.signal(Signal::TERM);
    console.restored();
    assert_eq!(home.decisions(), [""; 0]);
    assert_eq!(writes(&sim), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_held_down_decides_once() {
    let sim = sim(world(1001..1009)).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Xterm);
    console.any_armed();
    let (every, released) = (Duration::from_millis(33), Duration::from_millis(145));
    let mut pauses = 0;
    for _ in 0..75 {
        let pressed = Instant::now();
        console.press("a");
        // The keyboard's own rate is what is tested here; nothing is waited for.
        std::thread::sleep(every);
        // A machine that was stopped for so long has let the key go.
        pauses += usize::from(pressed.elapsed() >= released);
    }
    console.wait_read();
    console.wait_for(&["held: #"]);
    quit_keeping(console);
    let decided = home.decisions();
    assert!((1..=1 + pauses).contains(&decided.len()), "{decided:?}, {pauses} pauses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_pressed_before_the_next_pair_was_painted_are_dropped_with_a_word() {
    for (keys, word) in [("ax", "'x' decided nothing"), ("aa", "it counted once")] {
        let sim = sim(world([1001, 1002, 1003])).await;
        let home = Home::at(&sim, 300);
        let console = home.console(Plays::Xterm);
        console.any_armed();
        console.send(keys.as_bytes());
        console.wait_for(&[word]);
        // With two keys more within a burst's time all four would be a paste, and the decision taken back.
        let deadline = Instant::now() + LIMIT;
        while home.decisions().is_empty() && Instant::now() < deadline {}
        quit_keeping(console);
        assert_eq!(home.decisions(), ["approve held"], "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_terminal_of_the_same_reviewer_reads_only() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 300);
    let first = home.console(Plays::Xterm);
    let case = first.any_armed();
    let second = home.console(Plays::Xterm);
    second.wait_for(&["A SUBJECT", "OFF: open in your other terminal, read-only here"]);
    for key in ["a", "x", "i", "e", "s"] {
        second.press(key);
        second.wait_read();
    }
    second.press_until("B", "The blocklist stays shut");
    second.signal(Signal::TERM);
    second.restored();
    assert_eq!(home.decisions(), [""; 0]);
    first.wait_armed(case);
    first.press("a");
    first.wait_for(&["held: #"]);
    quit_keeping(first);
    assert_eq!(home.decisions(), ["approve held"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_the_terminal_are_never_keys_however_they_come() {
    let sim = sim(world([1001, 1002])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Dripping);
    let case = console.any_armed();
    console.wait_for(&["kitty", "held 0"]);
    // Late and doubled, while every key would count.
    for answer in [
        "\x1b_Gi=31;OK\x1b\\",
        "\x1b_Gi=31;ENODATA:axiB\x1b\\",
        "\x1bP>|kitty(0.40.0)\x1b\\",
        "\x1b[?62;52;c",
        "\x1b]11;rgb:aaaa/eeee/aaaa\x1b\\",
        "\x1b[6;20;10t",
        "\x1b[?2026;2$y",
        "\x1b[0n",
        "\x1b[I",
    ] {
        console.drip(answer.as_bytes());
        console.wait_armed(case);
    }
    console.press_until("?", HELP);
    console.press("\x1b");
    console.wait_armed(case);
    console.wait_for(&["held 0"]);
    quit(console);
    assert_eq!(home.decisions(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_answers_nothing_is_decided_on_all_the_same() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 0);
    let console = home.console(Plays::Silent);
    console.wait_armed(1001);
    console.press("a");
    written(&sim, 1).await;
    console.wait_for(&["Approved at Didit, read back."]);
    quit(console);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_with_something_held_asks_and_keeps_or_sends() {
    let sim = sim(world([1001, 1002])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Kitty);
    let first = console.any_armed();
    console.press("a");
    console.wait_for(&[&format!("held: #{first} approve")]);
    console.press("q");
    console.wait_for(&["1 held, 0 on their way to Didit", "esc"]);
    console.press("\x1b");
    console.wait_for(&["A SUBJECT", " ARMED "]);
    let words = quit_keeping(console);
    assert!(words.contains("1 decision(s) are still held"), "{words}");
    assert_eq!(writes(&sim), []);

    let console = home.console(Plays::Kitty);
    console.wait_for(&[" ARMED ", &format!("held: #{first} approve")]);
    console.press("q");
    console.wait_for(&["keep them"]);
    console.press("$");
    let (code, _) = console.restored();
    assert_eq!(code, 0);
    assert_eq!(status(&sim, first), "Approved");
    assert_eq!(home.decisions(), ["approve sent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_puts_the_terminal_back_and_loses_nothing() {
    let sim = sim(world([1001, 1002, 1003])).await;
    let home = Home::at(&sim, 300);
    for (signal, plays) in
        [(Signal::TERM, Plays::Kitty), (Signal::HUP, Plays::Xterm), (Signal::TERM, Plays::Silent)]
    {
        let console = home.console(plays);
        let case = console.any_armed();
        console.press("a");
        // At once: what was decided must be recorded on the way out.
        console.wait(&format!("{case} gone"), |screen| case_on(screen) != Some(case));
        console.signal(signal);
        let (code, _) = console.restored();
        assert_eq!(code, 0);
    }
    assert_eq!(home.decisions(), ["approve held"; 3]);
    assert_eq!(writes(&sim), []);
    // An interrupt from outside is a wish to leave, and asks.
    let console = home.console(Plays::Xterm);
    console.wait_for(&["held 3"]);
    console.signal(Signal::INT);
    console.wait_for(&["3 held, 0 on their way"]);
    console.press("k");
    console.restored();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_too_small_for_faces_says_so_and_takes_no_decision() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Kitty);
    console.wait_armed(1001);
    console.resize(20, 5);
    console.wait("one sentence", |screen| screen.starts_with("Too small for faces"));
    for key in ["a", "x", "e", "i", "B", "$", "s"] {
        console.press(key);
        console.wait_read();
    }
    console.resize(80, 24);
    console.wait_armed(1001);
    console.wait_for(&["held 0"]);
    console.press("x");
    console.wait_for(&["held: #1001 reject"]);
    quit_keeping(console);
    assert_eq!(home.decisions(), ["reject held"]);

    // Also when it starts there.
    let console = home.console(Plays::Xterm);
    console.resize(20, 5);
    console.wait_for(&["Too small"]);
    console.signal(Signal::TERM);
    console.restored();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspended_and_resumed_it_leaves_and_comes_back() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 300);
    // A shell with job control: it says how the job stopped, and brings it back on a line.
    let program = crate::terminal::PROGRAM;
    let script =
        format!("set -m; {program} review; echo \"stopped: $?\"; read line; fg; echo over");
    for plays in [Plays::Kitty, Plays::Silent] {
        let shell = home.open(plays, "/bin/bash", &["-c", &script]);
        shell.wait_armed(1001);
        shell.press("\x1a");
        shell.wait_for(&["stopped: 148"]);
        shell.is_restored();
        shell.press("back\r");
        shell.wait_armed(1001);
        shell.wait_for(&["held 0"]);
        shell.press("q");
        let (code, words) = shell.restored();
        assert!(code == 0 && words.contains("over"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_shell_to_come_back_from_the_suspend_key_only_draws_anew() {
    // As under `ssh -t host secondlook`: there is nobody who could resume it.
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Kitty);
    console.wait_armed(1001);
    console.press("\x1a");
    console.wait_for(&["no shell"]);
    console.wait_armed(1001);
    console.press("x");
    console.wait_for(&["held: #1001 reject"]);
    quit_keeping(console);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_something_is_held_it_is_still_held_and_nothing_was_sent() {
    let sim = sim(world([1001, 1002])).await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Kitty);
    let case = console.any_armed();
    console.press("a");
    console.wait_for(&[&format!("held: #{case} approve")]);
    // The next case is leased by then.
    console.any_armed();
    console.signal(Signal::KILL);
    console.end();
    assert_eq!(home.decisions(), ["approve held"]);
    assert_eq!(writes(&sim), []);

    let console = home.console(Plays::Kitty);
    console.wait_for(&[&format!("held: #{case} approve"), "held 1"]);
    assert_ne!(console.any_armed(), case);
    console.press("$");
    written(&sim, 1).await;
    console.wait_for(&["Approved at Didit, read back."]);
    quit(console);
    assert_eq!(writes(&sim).len(), 1);
    assert_eq!(status(&sim, case), "Approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_read_back_and_not_written_twice() {
    let sim = sim(world([1001])).await;
    sim.knobs().once(On::route(Route::UpdateStatus), Fault::DropAfter);
    let home = Home::at(&sim, 0);
    let console = home.console(Plays::Xterm);
    console.wait_armed(1001);
    console.press("a");
    console.wait_for(&["Approved at Didit, read back."]);
    quit(console);
    assert_eq!(writes(&sim).len(), 1);
    let changed = sim.effects_on(session_id(1001));
    assert!(matches!(changed[..], [Effect::Status { .. }]), "{changed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_and_a_dead_network_are_said_on_the_screen_and_lose_nothing() {
    let sim =
        sim_with(world([1001]), Options { auth: AuthStyle::Split, ..Options::default() }).await;
    let mut home = Home::at(&sim, 300);
    let console = home.console(Plays::Xterm);
    console.wait_armed(1001);
    console.press("a");
    console.wait_for(&["held: #1001 approve"]);
    quit_keeping(console);
    sim.knobs().always(On::any(), Fault::Answer(Reply::json(503, json!({"detail": "later"}))));
    let console = home.console(Plays::Xterm);
    console.wait_for(&["OFFLINE", "held 1", "(HTTP 503): later. Try again"]);
    quit_keeping(console);
    sim.knobs().clear();
    let right = home.environment().to_vec();
    home.set("DIDIT_API_KEY", "sk_test_of_nobody");
    let console = home.console(Plays::Xterm);
    let (code, words) = console.restored();
    assert!(code == 4 && words.contains("does not accept the API key"), "{code} {words}");
    for (name, value) in right {
        home.set(&name, &value);
    }
    assert_eq!(home.decisions(), ["approve held"]);
    assert_eq!(writes(&sim), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_live_twenty_seconds_never_leave_a_case_without_its_images() {
    const CASES: u64 = 300;
    let life = Duration::from_secs(20);
    let sim =
        sim_with(world(1001..1001 + CASES), Options { link_life: life, ..Options::default() })
            .await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Xterm);
    console.wait_for(&["/300 "]);
    console.press("g");
    console.wait_for(&[" 1/300 "]);
    let mut seen = vec![console.any_armed()];
    while seen.len() < usize::try_from(CASES).unwrap() {
        if seen.len() % 10 == 0 {
            // Every link that is in hand now is dead.
            sim.knobs().advance(life + Duration::from_secs(1));
        }
        let before = *seen.last().unwrap();
        console.press("j");
        console.wait(&format!("the case after #{before}, with its images"), |screen| {
            assert!(!screen.contains("no picture"), "{screen}");
            let painted = screen.contains(" ARMED ") || screen.contains(" look first ");
            painted && !screen.contains(&format!("A SUBJECT #{before} "))
        });
        seen.push(console.case().unwrap());
    }
    quit(console);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), usize::try_from(CASES).unwrap(), "every case was shown once");
    assert!(sim.record().iter().all(|call| call.route != Some(Route::FaceSearch)));
    assert_eq!(writes(&sim), []);
    let refused = sim.media_record().iter().filter(|call| call.status == Some(403)).count();
    println!("{refused} links were dead when they were used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_another_preset_other_keys_decide_and_the_screen_says_which() {
    let sim = sim(world([1001, 1002])).await;
    let home = Home::at(&sim, 1);
    let program = env!("CARGO_BIN_EXE_secondlook");
    let console = home.open(Plays::Kitty, program, &["review", "--preset", "mnemonic"]);
    let rejected = console.any_armed();
    console.wait_for(&[&format!("IF r: #{rejected} In Review -> Declined")]);
    console.press("x");
    console.press("r");
    console.wait_for(&[&format!("#{rejected} reject: Declined at Didit, read back.")]);
    quit(console);
    assert_eq!(writes(&sim).len(), 1);
}
