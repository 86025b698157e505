//! What stands between the console and the eyes: real multiplexers, which answer in the terminal's place. What
//! has left the console here is on its way to a reviewer who still sees the pair before: a key pressed
//! then decides that pair and no other.

use std::os::unix::fs::PermissionsExt as _;

use secondlook::sim::{Limits, Options, Sim};

use crate::terminal::{Home, PROGRAM, Plays, Terminal, finish, has, opening_key, world};

async fn sim() -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world([1001, 1002, 1003]), options).await.unwrap()
}

/// Two presses of `x` under the picture of the first pair, the second when the next one has been written and
/// everything that answers by itself has answered; then one under each of the pairs truly seen.
fn two_under_one_picture(home: &Home, console: &Terminal, by: &str) {
    let first = console.any_armed();
    console.press("x");
    let settled = |screen: &str| screen.contains("SHUT: press ") || screen.contains(" ARMED ");
    let another = |screen: &str| !screen.contains(&format!("A SUBJECT #{first} "));
    console.wait("the next pair", |screen| {
        screen.contains("A SUBJECT #") && another(screen) && settled(screen)
    });
    console.wait_for(&[&format!("not end to end ({by})")]);
    let second = console.case().unwrap();
    console.press_until("x", "'x' decided nothing: shut, press '");
    console.wait_for(&["held 1"]);
    assert_eq!(home.recorded(1), ["reject held"]);
    // No key but its own opens it.
    let own = opening_key(&console.screen()).unwrap();
    let wrong = if own == '9' { '8' } else { '9' };
    console.press(&wrong.to_string());
    console.wait_for(&[&format!("'{wrong}' does not open this pair")]);
    assert_eq!(console.any_armed(), second);
    console.press("x");
    console.wait_for(&["held 2"]);
    assert_eq!(home.recorded(2), ["reject held", "reject held"]);
    console.press("q");
    console.wait_for(&["keep them"]);
    console.press("k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_gnu_screen_a_key_under_one_pair_never_decides_the_next() {
    if !has("screen") {
        return;
    }
    let sim = sim().await;
    let mut home = Home::at(&sim, 300);
    let folder = home.path("screens");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    home.set("SCREENDIR", &folder.display().to_string());
    let console = home.open(Plays::Xterm, "screen", &["-U", "-c", "/dev/null", PROGRAM, "review"]);
    two_under_one_picture(&home, &console, "screen");
    console.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_mosh_a_key_under_one_pair_never_decides_the_next() {
    if !has("mosh-server") {
        return;
    }
    let sim = sim().await;
    let mut home = Home::at(&sim, 300);
    let mut server = std::process::Command::new("mosh-server");
    server.args(["new", "-s", "-i", "127.0.0.1", "--", PROGRAM, "review"]).env_clear();
    server.envs(home.environment().iter().map(|(name, value)| (name, value)));
    server.stdin(std::process::Stdio::null());
    server.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let told = finish(server).out;
    let (port, key) = told
        .lines()
        .find_map(|line| line.strip_prefix("MOSH CONNECT ")?.split_once(' '))
        .expect("a port and a key");
    home.set("MOSH_KEY", key.trim());
    home.set("MOSH_PREDICTION_DISPLAY", "never");
    let console = home.open(Plays::Xterm, "mosh-client", &["127.0.0.1", port]);
    two_under_one_picture(&home, &console, "mosh");
    console.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_tmux_that_passes_nothing_on_a_key_under_one_pair_never_decides_the_next() {
    if !has("tmux") {
        return;
    }
    let sim = sim().await;
    let mut home = Home::at(&sim, 300);
    let folder = home.path("").display().to_string();
    home.set("TMUX_TMPDIR", &folder);
    let new = ["-L", "look", "-f", "/dev/null", "new-session", PROGRAM, "review"];
    let console = home.open(Plays::Xterm, "tmux", &new);
    console.wait_for(&["set -g allow-passthrough"]);
    two_under_one_picture(&home, &console, "tmux");
    console.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_terminal_is_no_surer_than_a_multiplexer() {
    let sim = sim().await;
    let home = Home::at(&sim, 300);
    let console = home.console(Plays::Silent);
    two_under_one_picture(&home, &console, "silent terminal");
    console.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_of_its_own_answers_late_and_there_is_no_second_key() {
    let sim = sim().await;
    let home = Home::at(&sim, 300);
    for plays in [Plays::Xterm, Plays::Kitty] {
        let console = home.console(plays);
        let first = console.any_armed();
        let before = home.decisions().len();
        console.hold_answers(true);
        console.press("x");
        console.wait("the next pair", |screen| {
            screen.contains("A SUBJECT #") && !screen.contains(&format!("A SUBJECT #{first} "))
        });
        console.press_until("x", "'x' decided nothing: ");
        console.wait_for(&[&format!("held {}", before + 1)]);
        assert_eq!(home.decisions().len(), before + 1);
        assert!(!console.screen().contains("SHUT"), "{}", console.screen());
        console.hold_answers(false);
        console.wait_for(&[" ARMED "]);
        console.press("q");
        console.wait_for(&["keep them"]);
        console.press("k");
        console.end();
    }
}
