//! A team: real consoles, each in its own terminal, on one PostgreSQL and one simulator.

use rustix::process::Signal;
use secondlook::sim::{Limits, Options, Sim, session_id};

use super::postgres::{Cluster, shared};
use crate::terminal::{Home, Plays, Terminal, candidate, case_on, subject, world};

/// A reviewer's home: a key of their own, and the store that all share.
fn home(sim: &Sim, url: &str, name: &str) -> Home {
    let mut home = Home::at(sim, 300);
    home.set("SECONDLOOK_STORE", url);
    home.set("SECONDLOOK_REVIEWER", name);
    // What sshd tells of the key that was used: two reviewers are two keys.
    let info = format!("publickey ssh-ed25519 {}\n", "A".repeat(4 * name.len()));
    let path = home.file("auth", &info, 0o600).display().to_string();
    home.set("SSH_USER_AUTH", &path);
    home
}

async fn simulator(cases: u64) -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world(1001..1001 + cases), options).await.unwrap()
}

/// Nobody polls: what one takes and decides, the other sees because the server says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consoles_see_each_other_take_and_decide() {
    let Some(cluster) = shared() else { return };
    let (sim, url) = (simulator(4).await, cluster.database().await);
    let (ana, bob) = (home(&sim, &url, "ana"), home(&sim, &url, "roberto"));
    let hers = ana.console(Plays::Xterm);
    let first = hers.any_armed();
    let his = bob.console(Plays::Xterm);
    // Hers is taken: he begins with another one.
    let other = his.any_armed();
    assert_ne!(other, first);
    his.press("\t");
    his.wait_for(&["with ana", "waiting", "open 4"]);
    hers.press("x");
    let next = any_armed_but(&hers, first);
    his.wait(&format!("without #{first}, and #{next} with ana"), |screen| {
        !screen.contains(&format!("#{first}"))
            && screen.contains("open 3")
            && screen.lines().any(|l| l.contains(&format!("#{next}")) && l.contains("with ana"))
    });
    // Taken back, it is there again.
    hers.press("u");
    his.wait_for(&[&format!("#{first}"), "open 4"]);
    assert!(sim.effects().is_empty());
    for console in [&hers, &his] {
        console.press("q");
    }
}

fn any_armed_but(console: &Terminal, before: u64) -> u64 {
    console.wait(&format!("another one than #{before}, armed"), |screen| {
        screen.contains(" ARMED ") && case_on(screen).is_some_and(|number| number != before)
    });
    case_on(&console.screen()).unwrap()
}

/// The server restarts under a console: it says that nothing can be kept, and goes on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_outlives_a_restart_of_the_server() {
    let Some(cluster) = Cluster::start() else { return };
    let (sim, url) = (simulator(2).await, cluster.database().await);
    let ana = home(&sim, &url, "ana");
    let console = ana.console(Plays::Xterm);
    let first = console.any_armed();
    assert!(cluster.stop());
    console.wait_for(&["OFF: the store cannot be reached"]);
    console.press("x");
    console.wait_for(&[&format!("A SUBJECT #{first} "), "OFF: the store cannot be reached"]);
    cluster.run();
    assert_eq!(console.any_armed(), first);
    console.press("x");
    console.wait_for(&[&format!("held: #{first} reject"), "held 1"]);
    console.press("$");
    console.wait_for(&[&format!("#{first} reject: Declined at Didit, read back.")]);
    console.press("q");
    console.end();
    assert_eq!(sim.session(session_id(first)).unwrap().status, "Declined");
    assert_eq!(sim.effects().len(), 1);
}

/// Who only looks on is seen too: in the list and beside the case; and not any more when they left or died.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_on_is_seen_and_vanishes() {
    let Some(cluster) = shared() else { return };
    let (sim, url) = (simulator(2).await, cluster.database().await);
    let (ana, bob, eva) =
        (home(&sim, &url, "ana"), home(&sim, &url, "roberto"), home(&sim, &url, "evangeline"));
    let hers = ana.console(Plays::Xterm);
    let case = hers.any_armed();
    let his = bob.console(Plays::Xterm);
    let other = his.any_armed();
    let list = eva.console(Plays::Xterm);
    list.wait_for(&["A SUBJECT #"]);
    list.press("\t");
    let listed = |number: u64, word: &str| {
        let (number, word) = (format!("#{number} "), word.to_owned());
        move |screen: &str| {
            screen.lines().any(|l| l.contains(&number) && l.trim_end().ends_with(&word))
        }
    };
    list.wait("each at a case", listed(case, "with ana"));
    // He goes to hers: read-only for him, and she sees that he is there.
    let (to, back) = if other > case { ("k", "j") } else { ("j", "k") };
    his.press(to);
    his.wait_for(&[&format!("A SUBJECT #{case} "), "OFF: ana has it, read-only"]);
    hers.wait_for(&["ARMED", "roberto looks on"]);
    list.wait("both at hers", listed(case, "with ana +1"));
    // Back at his own, he is there.
    his.press(back);
    his.wait_armed(other);
    list.wait("him at his own", listed(other, "with roberto"));
    list.wait("her alone", listed(case, "with ana"));
    hers.wait("nobody", |screen| !screen.contains("looks on"));
    // Killed, he is at nothing any more as soon as a console of this machine knows.
    his.press(to);
    list.wait("both at hers", listed(case, "with ana +1"));
    his.signal(Signal::KILL);
    his.end();
    let again = bob.console(Plays::Xterm);
    again.wait_armed(other);
    list.wait("her alone", listed(case, "with ana"));
    assert!(sim.effects().is_empty());
}

/// The console that looked for new cases is killed: the next one does, and the third hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_console_looks_for_cases_when_one_dies() {
    let Some(cluster) = shared() else { return };
    let (sim, url) = (simulator(1).await, cluster.database().await);
    let (ana, bob, eva) =
        (home(&sim, &url, "ana"), home(&sim, &url, "roberto"), home(&sim, &url, "evangeline"));
    let first = ana.console(Plays::Xterm);
    first.wait_armed(1001);
    let second = bob.console(Plays::Xterm);
    second.wait_for(&["A SUBJECT #1001 ", "OFF: ana has it, read-only"]);
    first.signal(Signal::KILL);
    first.end();
    sim.knobs().add(subject(1002).with(candidate(6002, 75.0)));
    // Nobody looks again for an hour, but who comes next looks first; the one who stood by is told.
    let third = eva.console(Plays::Xterm);
    second.press("\t");
    second.wait_for(&["#1001", "#1002", "open 2"]);
    third.any_armed();
}
