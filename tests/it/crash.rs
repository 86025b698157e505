//! The real program, killed with -9 at every named step of a decision's way and at random moments,
//! against a server that loses replies; two people of a roster decide, propose, confirm and read a second
//! time. The oracle is the simulator's own record: each decided case
//! has exactly one effective decision.
//!
//! Here in small; in full by the command in CONTRIBUTING.md.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use secondlook::sim::{
    Candidate, Effect, Fault, Knobs, Limits, On, Options, Reply, Route, Session, Sim, World,
    session_id,
};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::people::{Person, enrolment};
use crate::stage::PATIENCE;
use crate::terminal::PROGRAM;

/// What is decided about a case, and what that changes at Didit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Approve,
    Reject,
    Blocklist,
    /// A saved search that is `Approved` already: a review note is all there is to write.
    Note,
    /// An approved customer is blocklisted: one person proposes, another one confirms.
    Propose,
    /// One person escalates, and another one rejects.
    Second,
}

impl Way {
    const ALL: [Self; 4] = [Self::Approve, Self::Reject, Self::Blocklist, Self::Note];

    /// Those that take two people.
    const OF_TWO: [Self; 2] = [Self::Propose, Self::Second];

    fn word(self) -> &'static str {
        match self {
            Self::Approve | Self::Note => "approve",
            Self::Reject | Self::Second => "reject",
            Self::Blocklist | Self::Propose => "blocklist",
        }
    }

    /// What one person has said of it before, and how that is kept.
    fn before(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Propose => Some(("blocklist", "local")),
            Self::Second => Some(("escalate", "local")),
            Self::Approve | Self::Reject | Self::Blocklist | Self::Note => None,
        }
    }

    /// How many people it takes.
    fn people(self) -> usize {
        1 + usize::from(self.before().is_some())
    }

    /// How many entries of the audit it makes.
    fn entries(self) -> usize {
        match self {
            // Proposed, confirmed, and the end of both.
            Self::Propose => 4,
            Self::Second => 3,
            Self::Approve | Self::Reject | Self::Blocklist | Self::Note => 2,
        }
    }

    fn changes(self) -> &'static [&'static str] {
        match self {
            Self::Approve => &["Approved"],
            Self::Reject | Self::Second => &["Declined"],
            Self::Blocklist | Self::Propose => &["Declined", "listed"],
            Self::Note => &["note"],
        }
    }

    fn session(self, number: u64) -> Session {
        let session = match self {
            Self::Note => Session::saved_search(number),
            _ => Session::in_review(number),
        };
        session.with(Candidate::session(self.candidate(number), 81.0))
    }

    /// The number of the only candidate; each proposal names an approved customer of its own.
    fn candidate(self, number: u64) -> u64 {
        if self == Self::Propose { 50_000 + number } else { 7 }
    }
}

/// One case of a rig.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    number: u64,
    pub session: Uuid,
    way: Way,
}

/// A simulator, a store in a folder, and the program beside them.
pub struct Rig {
    pub sim: Sim,
    pub folder: TempDir,
    pub cases: Vec<Case>,
    /// More of the program's environment.
    pub env: Vec<(String, String)>,
    /// Two people of the roster, and their chief behind them; nobody where there is no roster.
    people: Vec<Person>,
}

impl Rig {
    /// A rig whose store holds one open case for each way.
    pub async fn new(ways: &[Way], seed: u64) -> Self {
        let mut world = World::new(jiff::Timestamp::now());
        let mut cases = Vec::new();
        for (number, way) in (1001..).zip(ways.iter().copied()) {
            let session = world.add(way.session(number));
            cases.push(Case { number, session, way });
        }
        let options = Options { limits: Limits::none(), seed, ..Options::default() };
        let sim = Sim::start(world, options).await.unwrap();
        let folder = TempDir::new().unwrap();
        let config = "[review]\nundo_seconds = 0\n\
                      [didit]\nreads_per_minute = 100000\nwrites_per_minute = 100000\n";
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let rig = Self { sim, folder, cases, env: Vec::new(), people: Vec::new() };
        assert_eq!(rig.run(&["sync"]).await.0, Some(0));
        rig
    }

    /// The same with two people on a roster, each with a key in an ssh-agent. `None` where OpenSSH is missing.
    async fn of_two(ways: &[Way], seed: u64) -> Option<Self> {
        let people = ["ana", "eva", "chief"].into_iter().map(Person::new);
        let people: Vec<_> = people.collect::<Option<_>>()?;
        let mut rig = Self::new(ways, seed).await;
        rig.env = people[2].env();
        for add in enrolment(&people[2], &[&people[0], &people[1]]) {
            let add: Vec<_> = add.iter().map(String::as_str).collect();
            let (code, out, err) = rig.run_aloud(&add).await;
            assert_eq!(code, Some(0), "{out}{err}");
        }
        rig.env = people[0].env();
        rig.people = people;
        Some(rig)
    }

    /// Starts the program as the first or the second person; where there is no roster they are one.
    fn start_as(&self, who: usize, args: &[&str]) -> Child {
        match self.people.get(who) {
            Some(person) => self.start_in(&person.env(), args),
            None => self.start(args),
        }
    }

    fn knobs(&self) -> Knobs {
        self.sim.knobs()
    }

    fn start(&self, args: &[&str]) -> Child {
        self.start_in(&self.env, args)
    }

    fn start_in(&self, env: &[(String, String)], args: &[&str]) -> Child {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(PROGRAM);
        command.args(args).env_clear().env("HOME", self.folder.path());
        command.env("SECONDLOOK_CONFIG", path("config.toml"));
        command.env("SECONDLOOK_STORE", format!("sqlite:{}", path("store.db").display()));
        command.env("SECONDLOOK_REVIEWER", "ana");
        command.env("DIDIT_BASE_URL", self.sim.base_url());
        command.env("DIDIT_API_KEY", self.sim.api_key());
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().unwrap()
    }

    /// Runs the program to its end.
    pub async fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let (code, out, _) = self.run_aloud(args).await;
        (code, out)
    }

    /// The same with what it says on standard error.
    pub async fn run_aloud(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let ended = tokio::time::timeout(PATIENCE * 6, self.start(args).wait_with_output());
        let output = ended.await.expect("the program ends").unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, err)
    }

    /// Starts what the first or the second person says of a case.
    fn decide(&self, case: Case, who: usize) -> Child {
        let number = case.number.to_string();
        let candidate = case.way.candidate(case.number).to_string();
        let decide = ["decide", &number];
        match case.way {
            Way::Blocklist => {
                self.start_as(who, &[&decide[..], &["blocklist", "--target", &number]].concat())
            }
            Way::Propose => {
                self.start_as(who, &[&decide[..], &["blocklist", "--target", &candidate]].concat())
            }
            Way::Second if who == 0 => self.start_as(who, &[&decide[..], &["escalate"]].concat()),
            _ => self.start_as(who, &[&decide[..], &[case.way.word()]].concat()),
        }
    }

    /// Decides a case, however often that takes.
    pub async fn is_decided(&self, case: Case) {
        for who in 0..case.way.people() {
            self.is_said(case, who).await;
        }
    }

    /// Has one person say what they say of a case: exit 6 says that it has been said.
    async fn is_said(&self, case: Case, who: usize) {
        for _ in 0..20 {
            let status = self.decide(case, who).wait().await.unwrap();
            if matches!(status.code(), Some(0 | 6)) {
                return;
            }
        }
        panic!("{case:?} cannot be decided");
    }

    /// A connection to the store's file beside the program's.
    async fn beside(&self) -> SqliteConnection {
        let path = self.folder.path().join("store.db");
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
        options.connect().await.unwrap()
    }

    /// Makes every wait after a fault be over, as an hour would.
    async fn wait_no_longer(&self) {
        let mut file = self.beside().await;
        let sql = "UPDATE decisions SET due = 0 WHERE state = 'unknown'";
        sqlx::raw_sql(sql).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
    }

    /// New processes flush until nothing is on its way.
    pub async fn flush(&self) {
        for _ in 0..40 {
            self.wait_no_longer().await;
            let mut done = true;
            // What is held is its own reviewer's to send.
            for who in 0..self.people.len().clamp(1, 2) {
                let mut flush = self.start_as(who, &["outbox", "flush", "--within", "1"]);
                let ended = tokio::time::timeout(PATIENCE * 6, flush.wait());
                done &= ended.await.expect("the program ends").unwrap().code() == Some(0);
            }
            if done {
                let (_, rest) = self.run(&["outbox", "list", "--json"]).await;
                assert_eq!(rest, "");
                return;
            }
        }
        panic!("it is never done: {}", self.run(&["outbox", "list", "--json"]).await.1);
    }

    /// What is wrong, a line each: the simulator's record against what was decided, and the history
    /// against both.
    async fn losses(&self) -> String {
        let (_, history) = self.run(&["history", "--json"]).await;
        let mut told: HashMap<String, Vec<Value>> = HashMap::new();
        for line in history.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            told.entry(row["case"].as_str().unwrap().to_owned()).or_default().push(row);
        }
        let mut wrong = String::new();
        for case in &self.cases {
            let mut effects = self.sim.effects_on(case.session);
            if case.way == Way::Propose {
                let target = session_id(case.way.candidate(case.number));
                effects.extend(self.sim.effects_on(target));
            }
            let changed: Vec<_> = effects.iter().filter_map(change).collect();
            if changed != case.way.changes() {
                writeln!(wrong, "{case:?} changed {changed:?}").unwrap();
            }
            let rows = told.remove(&case.session.to_string()).unwrap_or_default();
            let is_so = |row: &Value| {
                let mark = format!("decision:{}", row["decision"].as_str().unwrap());
                let ours = effects.iter().filter_map(comment).all(|text| text.contains(&mark));
                row["state"] == "sent" && row["disposition"] == case.way.word() && ours
            };
            // Newest first: what was sent, and what another person had said before.
            let said = |row: &Value| {
                case.way.before().is_some_and(|(word, state)| {
                    row["disposition"] == word
                        && row["state"] == state
                        && row["reviewer"] != rows[0]["reviewer"]
                })
            };
            if rows.len() != case.way.people() || !is_so(&rows[0]) || !rows[1..].iter().all(said) {
                writeln!(wrong, "{case:?} is told as {rows:?}").unwrap();
            }
        }
        if !told.is_empty() {
            writeln!(wrong, "decisions of nothing: {told:?}").unwrap();
        }
        // The audit is whole and holds a beginning and an end for each, the roster, and nothing besides.
        let (_, audit) = self.run(&["audit", "verify", "--json"]).await;
        let entries: usize = self.cases.iter().map(|case| case.way.entries()).sum();
        let entries = entries + self.people.len();
        let audit: Value = serde_json::from_str(audit.trim()).unwrap_or(Value::String(audit));
        if audit["entries"] != entries || audit["whole"] != true {
            writeln!(wrong, "the audit: {audit}").unwrap();
        }
        wrong
    }
}

fn change(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Status { to, .. } => Some(to),
        Effect::Blocklisted { automatic: false, .. } | Effect::EntryAdded { .. } => Some("listed"),
        Effect::Note { .. } => Some("note"),
        _ => None,
    }
}

fn comment(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Status { comment, .. } | Effect::Note { comment, .. } => comment.as_deref(),
        _ => None,
    }
}

/// A named step, and on which side of it the program dies.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The n-th request of a route is on the wire and has done nothing yet. What the store was to
    /// know before it is written.
    Asked(Route, usize),
    /// The first request of a route has taken effect and was not answered.
    Done(Route),
    /// The n-th request of a route was answered, and the store has not taken down what follows.
    Answered(Route, usize),
}

/// Lets a program of the rig come to a step and kills it there.
async fn kill_at(rig: &Rig, step: Step, start: impl AsyncFn() -> Child) {
    end_at(rig, step, start, async |child| child.kill().await.unwrap()).await;
}

/// Lets a program of the rig come to a step and ends it there, in some way.
async fn end_at(
    rig: &Rig,
    step: Step,
    start: impl AsyncFn() -> Child,
    end: impl AsyncFn(&mut Child),
) -> Child {
    let knobs = rig.knobs();
    let mut child;
    match step {
        Step::Asked(route, nth) => {
            knobs.hold(route);
            knobs.step(route, nth - 1);
            child = start().await;
            assert!(knobs.waiting(route, 1, PATIENCE).await, "{step:?} is never reached");
            end(&mut child).await;
            knobs.release(route);
        }
        Step::Done(route) => {
            let done = |sim: &Sim| sim.record().iter().filter(|r| took(r, route)).count();
            let before = done(&rig.sim);
            knobs.once(On::route(route), Fault::Withhold);
            child = start().await;
            let wanted = |r: &[_]| r.iter().filter(|r| took(r, route)).count() > before;
            assert!(rig.sim.until(PATIENCE, wanted).await, "{step:?} is never reached");
            end(&mut child).await;
        }
        Step::Answered(route, nth) => {
            let of = |r: &secondlook::sim::Recorded| r.route == Some(route) && r.status.is_some();
            let before = rig.sim.record().iter().filter(|r| of(r)).count();
            knobs.hold(route);
            knobs.step(route, nth - 1);
            child = start().await;
            assert!(knobs.waiting(route, 1, PATIENCE).await, "{step:?} is never reached");
            let mut file = rig.beside().await;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut file).await.unwrap();
            knobs.release(route);
            let wanted = |r: &[_]| r.iter().filter(|r| of(r)).count() >= before + nth;
            assert!(rig.sim.until(PATIENCE, wanted).await, "{step:?} is never answered");
            end(&mut child).await;
            sqlx::raw_sql("ROLLBACK").execute(&mut file).await.unwrap();
            file.close().await.unwrap();
        }
    }
    child
}

fn took(row: &secondlook::sim::Recorded, route: Route) -> bool {
    row.route == Some(route) && row.took_effect
}

/// Every named step of a decision made by the command.
const DECIDING: [(Way, Step); 2] = [
    (Way::Approve, Step::Asked(Route::Decision, 1)),
    (Way::Blocklist, Step::Answered(Route::Decision, 1)),
];

/// Every named step of the outbox: before and after each write to the store and to the wire.
const SENDING: [(Way, Step); 17] = [
    (Way::Approve, Step::Asked(Route::Decision, 1)),
    (Way::Approve, Step::Asked(Route::Reviews, 1)),
    (Way::Approve, Step::Answered(Route::Reviews, 1)),
    (Way::Approve, Step::Asked(Route::UpdateStatus, 1)),
    (Way::Approve, Step::Done(Route::UpdateStatus)),
    (Way::Reject, Step::Done(Route::UpdateStatus)),
    (Way::Approve, Step::Asked(Route::Decision, 2)),
    (Way::Reject, Step::Answered(Route::Decision, 2)),
    (Way::Blocklist, Step::Answered(Route::Decision, 2)),
    (Way::Blocklist, Step::Asked(Route::BlocklistAdd, 1)),
    (Way::Blocklist, Step::Done(Route::BlocklistAdd)),
    (Way::Blocklist, Step::Asked(Route::Blocklist, 1)),
    (Way::Blocklist, Step::Answered(Route::Blocklist, 1)),
    (Way::Note, Step::Done(Route::AddReview)),
    (Way::Note, Step::Asked(Route::AddReview, 1)),
    (Way::Note, Step::Asked(Route::UpdateStatus, 1)),
    (Way::Note, Step::Answered(Route::AddReview, 1)),
];

/// Named steps of what two people decide: at each of the two, with a signature on its way.
const DECIDING_OF_TWO: [(Way, Step); 4] = [
    (Way::Propose, Step::Asked(Route::Decision, 1)),
    (Way::Propose, Step::Answered(Route::Decision, 1)),
    (Way::Second, Step::Asked(Route::Decision, 1)),
    (Way::Second, Step::Answered(Route::Decision, 1)),
];

/// And of its way to Didit.
const SENDING_OF_TWO: [(Way, Step); 6] = [
    (Way::Propose, Step::Asked(Route::UpdateStatus, 1)),
    (Way::Propose, Step::Done(Route::UpdateStatus)),
    (Way::Propose, Step::Asked(Route::BlocklistAdd, 1)),
    (Way::Propose, Step::Done(Route::BlocklistAdd)),
    (Way::Second, Step::Done(Route::UpdateStatus)),
    (Way::Second, Step::Answered(Route::Decision, 2)),
];

/// The ways of some steps, one case each.
fn ways(deciding: &[(Way, Step)], sending: &[(Way, Step)]) -> Vec<Way> {
    deciding.iter().chain(sending).map(|(way, _)| *way).collect()
}

/// Some of the steps in a rig of their ways; returns how often the program was killed.
async fn named_steps(
    rig: Rig,
    deciding: &[(Way, Step)],
    sending: &[(Way, Step)],
    times: usize,
) -> usize {
    let mut kills = 0;
    let steps = || deciding.iter().chain(sending);
    for (n, (_, step)) in steps().enumerate() {
        let case = rig.cases[n];
        if n < deciding.len() {
            for who in 0..case.way.people() {
                for _ in 0..times {
                    kill_at(&rig, *step, async || rig.decide(case, who)).await;
                    kills += 1;
                }
                rig.is_said(case, who).await;
            }
        } else {
            rig.is_decided(case).await;
            let last = case.way.people() - 1;
            kill_at(&rig, *step, async || rig.start_as(last, &["outbox", "flush"])).await;
            kills += 1;
        }
        rig.flush().await;
    }
    assert_eq!(rig.losses().await, "");
    rig.sim.shutdown().await;
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_where_a_decision_is_cut_short() {
    let rig = Rig::new(&ways(&DECIDING, &SENDING[..7]), 1).await;
    assert_eq!(named_steps(rig, &DECIDING, &SENDING[..7], 2).await, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_where_a_delivery_is_cut_short() {
    let rig = Rig::new(&ways(&[], &SENDING[7..]), 1).await;
    assert_eq!(named_steps(rig, &[], &SENDING[7..], 1).await, 10);
}

/// Two people of a roster: proposals, confirmations and second readings, each signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_where_two_people_are_cut_short() {
    let Some(rig) = Rig::of_two(&ways(&DECIDING_OF_TWO, &SENDING_OF_TWO), 1).await else { return };
    assert_eq!(named_steps(rig, &DECIDING_OF_TWO, &SENDING_OF_TWO, 1).await, 14);
}

/// The steps before each write to the wire, and those after it.
const STOPPED: [(Way, Step); 10] = [
    (Way::Approve, Step::Asked(Route::Decision, 1)),
    (Way::Approve, Step::Asked(Route::Reviews, 1)),
    (Way::Reject, Step::Answered(Route::Reviews, 1)),
    (Way::Approve, Step::Asked(Route::UpdateStatus, 1)),
    (Way::Reject, Step::Asked(Route::Decision, 2)),
    (Way::Blocklist, Step::Answered(Route::Decision, 2)),
    (Way::Blocklist, Step::Asked(Route::BlocklistAdd, 1)),
    (Way::Blocklist, Step::Asked(Route::Blocklist, 1)),
    (Way::Note, Step::Asked(Route::AddReview, 1)),
    (Way::Note, Step::Answered(Route::AddReview, 1)),
];

/// Whether every thread of a process has stopped.
fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(Result::ok).all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    })
}

/// A program that was stopped, as a laptop that was shut, for longer than its claim: another one has
/// taken over and finished when it goes on, and it writes nothing any more. What it had begun is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_was_stopped_for_longer_than_the_claim_begins_no_write() {
    let ways: Vec<_> = STOPPED.iter().map(|(way, _)| *way).collect();
    let rig = Rig::new(&ways, 8).await;
    let signal = |child: &Child, signal| {
        let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    for ((_, step), case) in STOPPED.iter().zip(rig.cases.clone()) {
        rig.is_decided(case).await;
        let flush = async || rig.start(&["outbox", "flush", "--within", "1"]);
        let stop = async |child: &mut Child| {
            // Not while it writes to the store: one file has one writer, stopped or not.
            let mut file = rig.beside().await;
            if matches!(step, Step::Asked(..)) {
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut file).await.unwrap();
            }
            signal(child, Signal::STOP);
            let pid = child.id().unwrap();
            let still = async {
                while !is_stopped(pid) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, still).await.unwrap();
            file.close().await.unwrap();
        };
        let stopped = end_at(&rig, *step, flush, stop).await;
        // What is on the wire takes effect while it is stopped.
        if let Step::Asked(route, _) = step {
            let done = |r: &[secondlook::sim::Recorded]| {
                r.iter().filter(|r| r.route == Some(*route)).all(|r| r.status.is_some())
            };
            assert!(rig.sim.until(PATIENCE, done).await, "{step:?}");
        }
        let mut file = rig.beside().await;
        let sql = "UPDATE decisions SET claim_until = 1 WHERE claim_until IS NOT NULL";
        let over = sqlx::raw_sql(sql).execute(&mut file).await;
        assert!(over.is_ok(), "{step:?}: {over:?}");
        file.close().await.unwrap();
        rig.flush().await;
        let writes = |rig: &Rig| rig.sim.record().iter().filter(|r| r.method != "GET").count();
        let before = writes(&rig);
        signal(&stopped, Signal::CONT);
        stopped.wait_with_output().await.unwrap();
        assert_eq!(writes(&rig), before, "{step:?}: it wrote after it had lost its claim");
    }
    assert_eq!(rig.losses().await, "");
    rig.sim.shutdown().await;
}

/// The status is written and the face is not listed: killed there, it is shown as half and goes on; where
/// Didit will not have the face, it stays in sight until the case is decided anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_half_done_is_shown_and_resumed_or_decided_anew() {
    let mut rig = Rig::new(&[Way::Blocklist, Way::Blocklist], 9).await;
    let flush = async |rig: &Rig| rig.start(&["outbox", "flush"]);
    rig.is_decided(rig.cases[0]).await;
    let step = Step::Asked(Route::BlocklistAdd, 1);
    kill_at(&rig, step, async || flush(&rig).await).await;
    let half = async |rig: &Rig, command: &[&str]| {
        let (_, rows) = rig.run(&[command, &["--json"]].concat()).await;
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["state"].as_str().unwrap().to_owned(), row["half"] == true))
            .collect::<Vec<_>>()
    };
    let shown = half(&rig, &["outbox", "list"]).await;
    assert!(shown.len() == 1 && shown[0].1, "{shown:?}");
    rig.flush().await;
    assert_eq!(half(&rig, &["history"]).await, [("sent".to_owned(), false)], "resumed");

    rig.is_decided(rig.cases[1]).await;
    let refused = Reply::json(400, serde_json::json!({"detail": "No face in this session."}));
    rig.knobs().always(On::route(Route::BlocklistAdd), Fault::Answer(refused));
    rig.run(&["outbox", "flush", "--within", "1"]).await;
    assert_eq!(half(&rig, &["outbox", "list"]).await, [("refused".to_owned(), true)]);
    let (_, history) = rig.run(&["history", "--json"]).await;
    let row: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    rig.knobs().clear();
    // Opened again and decided anew, it is whole.
    let (code, said) = rig.run(&["undo", row["decision"].as_str().unwrap()]).await;
    assert!(code == Some(0) && said.contains("not undone: Declined was written"), "{said}");
    let number = rig.cases[1].number.to_string();
    let again = ["decide", &number, "blocklist", "--target", &number];
    assert_eq!(rig.run(&again).await.0, Some(0));
    rig.flush().await;
    assert_eq!(half(&rig, &["outbox", "list"]).await, []);
    let listed = rig.sim.effects_on(rig.cases[1].session);
    let listed: Vec<_> = listed.iter().filter_map(change).collect();
    assert_eq!(listed, ["Declined", "note", "listed"]);
    rig.cases.clear();
    rig.sim.shutdown().await;
}

/// What a run did.
#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    runs: usize,
    kills: usize,
    faults: usize,
    requests: usize,
    decisions: usize,
    proposals: usize,
    second_readings: usize,
}

/// Sets everything that goes wrong in life, each with a chance.
fn go_wrong(knobs: &Knobs) {
    let busy = |status| Reply::json(status, serde_json::json!({"detail": "As the test says."}));
    let limited = busy(429).header("Retry-After", "0");
    for fault in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Answer(limited),
        Fault::Answer(busy(503)),
        Fault::AnswerAfter(busy(500)),
        Fault::AnswerAfter(busy(502)),
        Fault::CutBody(3),
    ] {
        knobs.sometimes(0.05, On::any(), fault);
    }
}

/// Lets a program run until a random moment and kills it there; true when it still ran. The moment is
/// counted in requests, and a little beyond, so that it lies inside the work on any machine.
async fn killed(rig: &Rig, mut child: Child, moment: Moment) -> bool {
    let wanted = rig.sim.record().len() + moment.requests;
    let there = async {
        let asked = rig.sim.until(PATIENCE, |record| record.len() >= wanted).await;
        tokio::time::sleep(moment.beyond).await;
        asked
    };
    tokio::select! {
        _ = child.wait() => return false,
        asked = there => assert!(asked, "it neither asks nor ends"),
    }
    child.kill().await.unwrap();
    true
}

/// When a program is killed: so many requests after its start, and a little later.
#[derive(Debug, Clone, Copy)]
struct Moment {
    requests: usize,
    beyond: Duration,
}

impl Moment {
    /// Up to `most` requests after the start.
    fn random(chance: &mut fastrand::Rng, most: usize) -> Self {
        let beyond = Duration::from_micros(chance.u64(..15_000));
        Self { requests: chance.usize(1..=most), beyond }
    }
}

/// Two people decide `cases` cases and send them, the program being killed at random moments. Where OpenSSH is
/// missing it is one person, and nothing that takes two.
async fn random_moments(seed: u64, cases: usize) -> Figures {
    let mut chance = fastrand::Rng::with_seed(seed);
    let all = [&Way::ALL[..], &Way::OF_TWO].concat();
    let drawn: Vec<_> = (0..cases).map(|_| all[chance.usize(..all.len())]).collect();
    let rig = match Rig::of_two(&drawn, seed).await {
        Some(rig) => rig,
        None => {
            let alone: Vec<_> = (0..cases).map(|n| Way::ALL[n % Way::ALL.len()]).collect();
            Rig::new(&alone, seed).await
        }
    };
    let quiet = rig.sim.record().len();
    go_wrong(&rig.knobs());
    let mut figures = Figures { runs: 1, decisions: cases, ..Figures::default() };
    for (n, case) in rig.cases.iter().enumerate() {
        for who in 0..case.way.people() {
            let moment = Moment::random(&mut chance, 2);
            figures.kills += usize::from(killed(&rig, rig.decide(*case, who), moment).await);
            rig.is_said(*case, who).await;
        }
        figures.proposals += usize::from(case.way == Way::Propose);
        figures.second_readings += usize::from(case.way == Way::Second);
        // While some are still decided, others are sent.
        if n % 2 == 0 {
            let flush = rig.start_as(chance.usize(..2), &["outbox", "flush"]);
            let moment = Moment::random(&mut chance, 8);
            figures.kills += usize::from(killed(&rig, flush, moment).await);
        }
    }
    for _ in 0..cases {
        rig.wait_no_longer().await;
        // Two consoles, of one reviewer or of both, each killed while it works, if it still does.
        let mut flush = || rig.start_as(chance.usize(..2), &["outbox", "flush", "--within", "1"]);
        let (one, other) = (flush(), flush());
        let (at, then) = (Moment::random(&mut chance, 8), Moment::random(&mut chance, 16));
        let (one, other) = tokio::join!(killed(&rig, one, at), killed(&rig, other, then));
        figures.kills += usize::from(one) + usize::from(other);
    }
    // What is left goes through the same faults, killed no more.
    rig.flush().await;
    let record = rig.sim.record();
    let wrong = |status: Option<u16>| status.is_none_or(|s| s == 429 || s >= 500);
    figures.requests = record.len() - quiet;
    figures.faults = record[quiet..].iter().filter(|r| wrong(r.status)).count();
    rig.knobs().clear();
    assert_eq!(rig.losses().await, "", "seed {seed}");
    rig.sim.shutdown().await;
    figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_at_random_moments() {
    let figures = random_moments(1, 8).await;
    assert!(figures.kills > 0 && figures.faults > 0, "{figures:?}");
}

/// Hundreds of kills, thousands of faults. Prints its figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
async fn in_full() {
    let mut sum = Figures::default();
    for seed in 0..20 {
        let (one, other) =
            tokio::join!(random_moments(2 * seed, 24), random_moments(2 * seed + 1, 24));
        for figures in [one, other] {
            sum.runs += figures.runs;
            sum.kills += figures.kills;
            sum.faults += figures.faults;
            sum.requests += figures.requests;
            sum.decisions += figures.decisions;
            sum.proposals += figures.proposals;
            sum.second_readings += figures.second_readings;
        }
        eprintln!("{sum:?}");
    }
    let deciding = [&DECIDING[..], &DECIDING_OF_TWO].concat();
    let sending = [&SENDING[..], &SENDING_OF_TWO].concat();
    let rig = Rig::of_two(&ways(&deciding, &sending), 1).await.expect("OpenSSH is here");
    let named = named_steps(rig, &deciding, &sending, 10).await;
    eprintln!("{sum:?}, and {named} kills at named steps; losses: 0, doubled: 0");
    assert!(sum.kills >= 500 && sum.faults >= 2_000, "{sum:?}");
    assert!(sum.proposals >= 40 && sum.second_readings >= 40, "{sum:?}");
}
