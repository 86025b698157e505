//! A team: real consoles, each in its own terminal, on one PostgreSQL and one simulator.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use secondlook::sim::{Limits, Options, Sim, session_id};

use super::postgres::{Cluster, shared};
use crate::people::{Person, enrolment};
use crate::terminal::{
    Home, PROGRAM, Plays, Ran, Terminal, candidate, finish, has, subject, world,
};

/// The homes of reviewers who share a store: each has a key of their own, and all are on its roster. Nobody
/// is there where OpenSSH is missing.
pub fn team<const N: usize>(sim: &Sim, url: &str, names: [&str; N]) -> Option<Team<N>> {
    let chief = Person::new("chief")?;
    let people: Vec<_> = names.iter().map(|name| Person::new(name)).collect::<Option<_>>()?;
    let home = |person: &Person| {
        let mut home = Home::at(sim, 300);
        home.set("SECONDLOOK_STORE", url);
        for (name, value) in person.env() {
            home.set(&name, &value);
        }
        home
    };
    let all: Vec<_> = people.iter().collect();
    for add in enrolment(&chief, &all) {
        let add: Vec<_> = add.iter().map(String::as_str).collect();
        let ran = home(&chief).run(&add);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let homes: Vec<_> = people.iter().map(home).collect();
    Some(Team { homes: homes.try_into().ok()?, _people: people })
}

/// Reviewers at work; their agents run as long as this lives.
pub struct Team<const N: usize> {
    pub homes: [Home; N],
    _people: Vec<Person>,
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
    let Some(team) = team(&sim, &url, ["ana", "roberto"]) else { return };
    let [ana, bob] = &team.homes;
    let hers = ana.console(Plays::Xterm);
    let first = hers.any_armed();
    let his = bob.console(Plays::Xterm);
    // Hers is taken: he begins with another one.
    let other = his.any_armed();
    assert_ne!(other, first);
    his.press("\t");
    his.wait_for(&["with ana", "waiting", "open 4"]);
    hers.press("x");
    let next = hers.another_armed(first);
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

/// The server restarts under a console: it says that nothing can be kept, and goes on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_outlives_a_restart_of_the_server() {
    let Some(cluster) = Cluster::start() else { return };
    let (sim, url) = (simulator(2).await, cluster.database().await);
    let Some(team) = team(&sim, &url, ["ana"]) else { return };
    let [ana] = &team.homes;
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
    let Some(team) = team(&sim, &url, ["ana", "roberto", "evangeline"]) else { return };
    let [ana, bob, eva] = &team.homes;
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
    let Some(team) = team(&sim, &url, ["ana", "roberto", "evangeline"]) else { return };
    let [ana, bob, eva] = &team.homes;
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

/// Three consoles in one tmux, on one server: one is killed, the server restarts, and the work goes on
/// until every case is decided at Didit once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_in_tmux_loses_a_console_and_the_server_and_goes_on() {
    if !has("tmux") {
        return;
    }
    let Some(cluster) = Cluster::start() else { return };
    let (sim, url) = (simulator(6).await, cluster.database().await);
    let Some(mut team) = team(&sim, &url, ["ana", "roberto", "evangeline"]) else { return };
    let socket = team.homes[0].path("").display().to_string();
    for home in &mut team.homes {
        home.set("TMUX_TMPDIR", &socket);
    }
    let [ana, bob, eva] = &team.homes;
    let tmux = Server { home: ana };
    let hers = tmux.desk(ana, "ana");
    let first = hers.any_armed();
    let his = tmux.desk(bob, "roberto");
    let second = his.any_armed();
    let third = tmux.desk(eva, "evangeline");
    let lost = third.any_armed();
    for (desk, case) in [(&hers, first), (&his, second), (&third, lost)] {
        desk.press("x");
        desk.wait_for(&[&format!("held: #{case} reject"), "held 1"]);
        desk.another_armed(case);
    }
    // Each has another case by now. One is killed; the database goes.
    let left = third.case().unwrap();
    tmux.kill("evangeline");
    assert!(cluster.stop());
    for desk in [&hers, &his] {
        desk.wait_for(&["OFF: the store cannot be reached"]);
    }
    cluster.run();
    for desk in [&hers, &his] {
        desk.any_armed();
        desk.press("x");
        desk.wait_for(&["held 2"]);
    }
    // What the dead one had on the desk goes to one of them; what she decided is still hers.
    let there = format!("A SUBJECT #{left} ");
    hers.wait("the last case, somebody's", |screen| {
        screen.contains(&there)
            && (screen.contains(" ARMED ")
                || screen.contains(" to open")
                || screen.contains("roberto has it, read-only"))
    });
    let theirs = if hers.screen().contains("read-only") { &his } else { &hers };
    theirs.wait_armed(left);
    theirs.press("x");
    theirs.wait_for(&["held 3", "No case here."]);
    for desk in [&hers, &his] {
        desk.press("$");
        desk.wait_for(&["held 0", "unsent 0"]);
    }
    let status = |case: u64| sim.session(session_id(case)).unwrap().status;
    assert_eq!((sim.effects().len(), status(lost).as_str()), (5, "In Review"));
    let again = tmux.desk(eva, "again");
    again.wait_for(&["held 1", &format!("held: #{lost} reject")]);
    again.press("$");
    again.wait_for(&[&format!("#{lost} reject: Declined at Didit, read back.")]);
    assert_eq!(sim.effects().len(), 6, "each case once");
    assert!((1001..1007).all(|case| status(case) == "Declined"));
    assert_eq!(ana.decisions(), ["reject sent"; 6]);
}

/// A tmux server of a test's own.
struct Server<'a> {
    home: &'a Home,
}

impl Server<'_> {
    fn run(&self, home: &Home, arguments: &[&str]) -> Ran {
        let mut command = Command::new("tmux");
        command.args(["-L", "team", "-f", "/dev/null"]).args(arguments).env_clear();
        command.envs(home.environment().iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command)
    }

    /// A console in a session of its own, and a terminal that is attached to it.
    fn desk(&self, home: &Home, name: &str) -> Terminal {
        // Sessions inherit the server's environment, which is the first one's.
        let own: Vec<_> = home.environment().iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut new = vec!["new-session", "-d", "-s", name, "-x", "100", "-y", "30", "env", "-i"];
        new.extend(own.iter().map(String::as_str));
        new.extend([PROGRAM, "review", ";", "set", "-g", "status", "off"]);
        let ran = self.run(home, &new);
        assert_eq!(ran.code, 0, "{ran:?}");
        let attach = ["-L", "team", "-f", "/dev/null", "attach", "-t", name];
        home.open(Plays::Xterm, "tmux", &attach)
    }

    /// Kills the console of a session, as a crash would.
    fn kill(&self, name: &str) {
        let pid = self.run(self.home, &["display", "-p", "-t", name, "#{pane_pid}"]).out;
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // Where it is gone already, that is as good.
        let _ = self.run(self.home, &["kill-server"]);
    }
}
