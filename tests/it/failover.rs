//! A primary that dies ten times: three PostgreSQL servers under Patroni with etcd, HAProxy before them, and
//! three people of a roster at three consoles who decide throughout. What a console said is held is at Didit in
//! the end, once. Patroni is an engine that others keep and run: here it is only started, watched and shot at.
//!
//! It takes minutes and three programs that the other tests do not need: see CONTRIBUTING.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secondlook::sim::{Effect, Limits, Options, Sim, session_id};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::postgres::{as_servant, programs, servant};
use crate::team::team;
use crate::terminal::{Between, Home, PROGRAM, Plays, case_on, has, world};

/// How often the primary dies.
const DEATHS: usize = 10;
/// Cases there are; nobody gets through all of them.
const CASES: u64 = 2_000;
/// What a console decides before the primary dies again.
const BETWEEN: usize = 3;
/// Past this an engine is not coming back.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long whoever watches an engine waits before they look again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a person waits for a pair before they go on to another one.
const HESITATES: Duration = Duration::from_secs(4);
const NAMES: [&str; 3] = ["ana", "roberto", "evangeline"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes, and Patroni, etcd and HAProxy: see CONTRIBUTING.md"]
async fn a_primary_that_dies_ten_times_loses_nothing() {
    if !["patroni", "etcd", "haproxy"].into_iter().all(has) {
        return;
    }
    let Some(mut engine) = Engine::start() else { return };
    engine.is_whole(None);
    let mut admin = PgConnection::connect(&engine.url("postgres")).await.unwrap();
    sqlx::raw_sql("CREATE DATABASE look").execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world(1001..1001 + CASES), options).await.unwrap();
    let Some(mut team) = team(&sim, &engine.url("look"), NAMES) else { return };
    for home in &mut team.homes {
        let settings = std::fs::read_to_string(home.path("config.toml")).unwrap();
        // Sent soon, so that the servers die under deliveries too; and at a hand's pace.
        let settings = settings.replace("undo_seconds = 300", "undo_seconds = 5");
        let settings = settings.replace("dwell_ms = 300", "dwell_ms = 1000");
        home.file("config.toml", &settings, 0o600);
    }
    let ran = team.homes[0].run(&["sync"]);
    assert_eq!(ran.code, 0, "{ran:?}");

    let (stop, logs) = (AtomicBool::new(false), [(); 3].map(|()| Arc::new(Log::default())));
    let mut rows = Vec::new();
    std::thread::scope(|scope| {
        for (home, log) in team.homes.iter().zip(&logs) {
            scope.spawn(|| reviews(home, log, &stop));
        }
        // Whoever fails here lets the consoles end too.
        let end = Stop(&stop);
        for _ in 0..DEATHS {
            for log in &logs {
                log.has_decided(Instant::now(), BETWEEN);
            }
            let (died, at) = engine.kill_the_primary();
            let again =
                logs.each_ref().map(|log| log.has_decided(at, 1).saturating_duration_since(at));
            let primary = engine.primary().unwrap_or(died);
            assert_ne!(primary, died, "another one took its place");
            engine.run(died);
            let whole = engine.is_whole(Some(died));
            rows.push((died, primary, again, whole.saturating_duration_since(at)));
        }
        drop(end);
    });

    // What is still held goes too.
    for home in &team.homes {
        let ran = home.run(&["outbox", "flush"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let history = team.homes[0].rows(&["history"]);
    let mut sent: BTreeMap<u64, Vec<(String, String)>> = BTreeMap::new();
    for row in &history {
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        let of = sent.entry(row["session_number"].as_u64().unwrap()).or_default();
        of.push((word("reviewer"), word("state")));
    }
    let (mut said, mut lost, mut doubled) = (0, Vec::new(), Vec::new());
    for (log, name) in logs.iter().zip(NAMES) {
        for case in log.held() {
            said += 1;
            let kept = (name.to_owned(), "sent".to_owned());
            if !sent.get(&case).is_some_and(|rows| rows.contains(&kept)) || writes(&sim, case) == 0
            {
                lost.push((case, name));
            }
        }
    }
    for case in 1001..1001 + CASES {
        let rows = sent.get(&case).map_or(0, Vec::len);
        if rows > 1 || writes(&sim, case) > 1 || writes(&sim, case) != rows {
            doubled.push((case, sent.get(&case), writes(&sim, case)));
        }
    }
    let verified = team.homes[0].run(&["audit", "verify"]);
    eprintln!(
        "death  of  taken over by  seconds until {} decide again  seconds until whole",
        NAMES.join(", ")
    );
    for (n, (died, primary, again, whole)) in rows.iter().enumerate() {
        let again = again.map(|after| format!("{:5.1}", after.as_secs_f64())).join("  ");
        eprintln!(
            "{:5}  {}  {:13}  {again}  {:5.1}",
            n + 1,
            node(*died),
            node(*primary),
            whole.as_secs_f64()
        );
    }
    eprintln!(
        "decisions: {}, said to be held: {said}, lost: {}, doubled: {}",
        history.len(),
        lost.len(),
        doubled.len()
    );
    assert!(lost.is_empty() && doubled.is_empty(), "lost {lost:?}, doubled {doubled:?}");
    assert!(said >= DEATHS * NAMES.len() && verified.code == 0, "{verified:?}");
    sim.shutdown().await;
}

/// How often our program changed a case's status at Didit.
fn writes(sim: &Sim, case: u64) -> usize {
    let ours = |effect: &Effect| matches!(effect, Effect::Status { by, .. } if by == "API Client");
    sim.effects_on(session_id(case)).iter().filter(|effect| ours(effect)).count()
}

/// Tells the consoles to end when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What one console was told, and what it said.
#[derive(Default)]
struct Log {
    seen: Mutex<Seen>,
    news: Condvar,
}

#[derive(Default)]
struct Seen {
    /// When a case's key was pressed last.
    pressed: BTreeMap<u64, Instant>,
    /// When the console first said of a case that its decision is held.
    held: BTreeMap<u64, Instant>,
    /// What stands on the screen.
    screen: String,
}

impl Log {
    /// Waits until the console has said of so many cases, decided after a moment, that they are held. Returns when
    /// it said so of the last one.
    fn has_decided(&self, after: Instant, count: usize) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.lock().unwrap();
        loop {
            let later = |(case, at): (&u64, &Instant)| {
                seen.pressed.get(case).filter(|pressed| **pressed > after).map(|_| *at)
            };
            let mut held: Vec<_> = seen.held.iter().filter_map(later).collect();
            held.sort();
            if let Some(at) = held.get(count - 1) {
                return *at;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "a console does not decide any more\n{}", seen.screen);
            seen = self.news.wait_timeout(seen, left).unwrap().0;
        }
    }

    fn held(&self) -> BTreeSet<u64> {
        self.seen.lock().unwrap().held.keys().copied().collect()
    }
}

/// A person at a console: rejects what arms, as long as they are not told to stop.
fn reviews(home: &Home, log: &Arc<Log>, stop: &AtomicBool) {
    let heard = Arc::clone(log);
    let look = move |_: &[u8], screen: &vt100::Screen| {
        let mut seen = heard.seen.lock().unwrap();
        seen.screen = screen.contents();
        let text = seen.screen.clone();
        for rest in text.split("held: #").skip(1) {
            let number = rest.split(|c: char| !c.is_ascii_digit()).next();
            if let Some(case) = number.and_then(|number| number.parse().ok()) {
                seen.held.entry(case).or_insert_with(Instant::now);
            }
        }
        heard.news.notify_all();
        Vec::new()
    };
    let between = Between { look: Some(Box::new(look)), ..Between::default() };
    let console = home.open_over(between, Plays::Xterm, PROGRAM, &["review"]);
    let stopped = || stop.load(Ordering::SeqCst);
    while !stopped() {
        let armed = |screen: &str| case_on(screen).is_some() && screen.contains(" ARMED ");
        if !console.comes_within(HESITATES, |screen| stopped() || armed(screen)) {
            // Somebody else may have this one: the next, as a person would.
            console.press("j");
            continue;
        }
        let Some(case) = console.case() else { continue };
        log.seen.lock().unwrap().pressed.insert(case, Instant::now());
        console.press("x");
        // Taken or not: where it was not, it is pressed again.
        console.comes_within(Duration::from_secs(1), |screen| case_on(screen) != Some(case));
    }
    console.press("q");
    console.press("q");
    console.comes_within(PAUSE, |_| false);
}

/// A number of a server, as its name.
fn node(number: usize) -> String {
    format!("n{}", number + 1)
}

/// Three servers, who keep each other's data, and what stands before them.
struct Engine {
    folder: TempDir,
    etcd: Child,
    haproxy: Option<Child>,
    nodes: Vec<Node>,
    port: u16,
}

struct Node {
    /// Of the server, and of Patroni's answers.
    ports: [u16; 2],
    patroni: Option<Child>,
}

impl Engine {
    fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::with_prefix("pat").unwrap();
        if let Some((uid, gid)) = servant() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let [client, peer, port] = [(); 3].map(|()| free_port());
        let mut etcd = in_folder("/usr/bin/etcd", folder.path());
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        etcd.arg("--data-dir").arg(folder.path().join("etcd"));
        etcd.args(["--listen-client-urls", &url(client), "--advertise-client-urls", &url(client)]);
        etcd.args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)]);
        etcd.args(["--initial-cluster", &format!("default={}", url(peer))]);
        let mut engine =
            Self { etcd: etcd.spawn().unwrap(), folder, haproxy: None, nodes: Vec::new(), port };
        for number in 0..3 {
            let ports = [free_port(), free_port()];
            engine.nodes.push(Node { ports, patroni: None });
            let config = engine.patroni(number, client, &programs);
            std::fs::write(engine.path(&format!("{}.yml", node(number))), config).unwrap();
            engine.run(number);
        }
        let servers = |(number, Node { ports: [server, answers], .. }): (usize, &Node)| {
            format!("  server {} 127.0.0.1:{server} check port {answers}\n", node(number))
        };
        let servers: String = engine.nodes.iter().enumerate().map(servers).collect();
        let config = format!(
            "global\n  maxconn 200\ndefaults\n  mode tcp\n  timeout connect 2s\n  timeout client 30m\n  \
             timeout server 30m\n  timeout check 2s\nlisten primary\n  bind 127.0.0.1:{port}\n  \
             option httpchk GET /primary\n  http-check expect status 200\n  \
             default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions\n{servers}"
        );
        std::fs::write(engine.path("haproxy.cfg"), config).unwrap();
        let mut haproxy = in_folder("/usr/sbin/haproxy", engine.folder.path());
        haproxy.arg("-db").arg("-f").arg(engine.path("haproxy.cfg"));
        engine.haproxy = Some(haproxy.spawn().unwrap());
        Some(engine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The settings of one Patroni: nothing is answered that a second server does not have.
    fn patroni(&self, number: usize, etcd: u16, programs: &Path) -> String {
        let [server, answers] = self.nodes[number].ports;
        let (name, folder) = (node(number), self.folder.path().display());
        let user = |name: &str| format!("{{username: {name}, password: x}}");
        format!(
            "scope: look\nname: {name}\n\
             restapi: {{listen: '127.0.0.1:{answers}', connect_address: '127.0.0.1:{answers}'}}\n\
             etcd3: {{host: '127.0.0.1:{etcd}'}}\n\
             bootstrap:\n  dcs:\n    ttl: 20\n    loop_wait: 2\n    retry_timeout: 5\n    \
             synchronous_mode: true\n    synchronous_mode_strict: true\n    \
             postgresql:\n      use_pg_rewind: true\n      parameters: {{max_connections: 100}}\n  \
             initdb: [encoding: UTF8, locale: C, auth: trust]\n\
             postgresql:\n  listen: '127.0.0.1:{server}'\n  connect_address: '127.0.0.1:{server}'\n  \
             data_dir: {folder}/{name}\n  bin_dir: {bin}\n  pgpass: {folder}/{name}.pass\n  \
             authentication:\n    superuser: {test}\n    replication: {replica}\n    rewind: {rewind}\n  \
             parameters: {{unix_socket_directories: {folder}}}\n  \
             pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', \
             'host replication all 127.0.0.1/32 trust']\n",
            bin = programs.display(),
            test = user("test"),
            replica = user("replica"),
            rewind = user("rewind"),
        )
    }

    /// Starts a server, which finds out by itself whom it follows.
    fn run(&mut self, number: usize) {
        let mut patroni = in_folder("/usr/bin/patroni", self.folder.path());
        patroni.arg(self.path(&format!("{}.yml", node(number))));
        let log = self.path(&format!("{}.log", node(number)));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        patroni.stdout(log.try_clone().unwrap()).stderr(log);
        self.nodes[number].patroni = Some(patroni.spawn().unwrap());
    }

    /// The address of a database, wherever it is written to.
    fn url(&self, name: &str) -> String {
        format!("postgres://test@127.0.0.1:{}/{name}", self.port)
    }

    /// Which server takes writes, as its Patroni says.
    fn primary(&self) -> Option<usize> {
        (0..self.nodes.len())
            .find(|number| self.asked(*number, "/primary").starts_with("HTTP/1.0 200"))
    }

    /// Waits until one server is written to, another has all that was answered, and all follow it. One that came
    /// back is among them. Returns when.
    fn is_whole(&self, back: Option<usize>) -> Instant {
        let since = Instant::now();
        loop {
            let asked = back.unwrap_or_default();
            let said = self.asked(asked, "/cluster");
            let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let cluster: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            let members = cluster["members"].as_array().cloned().unwrap_or_default();
            let in_role = |role: &str| members.iter().filter(|m| m["role"] == role).count();
            let run = members
                .iter()
                .all(|m| matches!(m["state"].as_str(), Some("running" | "streaming")));
            let leader = members.iter().find(|m| m["role"] == "leader");
            let as_one =
                members.iter().all(|m| Some(&m["timeline"]) == leader.map(|l| &l["timeline"]));
            if members.len() == 3
                && run
                && as_one
                && in_role("sync_standby") > 0
                && self.primary().is_some()
            {
                return Instant::now();
            }
            assert!(since.elapsed() < PATIENCE, "not whole: {said}\n{}", self.logs());
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills the server that is written to and its Patroni, as if their machine were gone. Returns which and when.
    fn kill_the_primary(&mut self) -> (usize, Instant) {
        let number = self.primary().expect("there is one");
        let at = Instant::now();
        self.kill(number);
        (number, at)
    }

    fn kill(&mut self, number: usize) {
        let Some(mut patroni) = self.nodes[number].patroni.take() else { return };
        let _ = patroni.kill();
        let _ = patroni.wait();
        let lock = self.path(&node(number)).join("postmaster.pid");
        let lock = std::fs::read_to_string(lock).unwrap_or_default();
        let Some(server) = lock.lines().next().and_then(|line| line.parse().ok()) else { return };
        for process in [vec![server], children(server)].concat() {
            if let Some(pid) = Pid::from_raw(process) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// What a Patroni answers.
    fn asked(&self, number: usize, path: &str) -> String {
        let mut said = Vec::new();
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.nodes[number].ports[1])) else {
            return String::new();
        };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = write!(stream, "GET {path} HTTP/1.0\r\n\r\n");
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    }

    fn logs(&self) -> String {
        let log = |number| std::fs::read_to_string(self.path(&format!("{}.log", node(number))));
        let last = |log: String| {
            log.lines().rev().take(15).map(|line| format!("{line}\n")).collect::<String>()
        };
        (0..self.nodes.len()).filter_map(|n| log(n).ok()).map(last).collect::<Vec<_>>().join("--\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for number in 0..self.nodes.len() {
            self.kill(number);
        }
        for child in std::iter::once(&mut self.etcd).chain(&mut self.haproxy) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that is free now, and that nobody else is likely to get meanwhile.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The processes that a process has started.
fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |process: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Behind the name in brackets: the state, then the parent.
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent_of.and_then(|number| number.parse().ok()) == Some(parent)
    };
    numbers.filter(is_child).collect()
}

/// A program as the user that PostgreSQL runs as, in a folder of that user's.
fn in_folder(program: &str, folder: &Path) -> Command {
    let mut command = as_servant(Path::new(program));
    command.env("HOME", folder).env("LC_ALL", "C.UTF-8").current_dir(folder);
    command
}
