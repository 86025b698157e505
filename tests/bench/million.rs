//! A store of a million rows beside another build of the program: `cargo bench --bench million -- --against BIN`,
//! ten minutes and 6 GB of disk. 900,000 cases wait, 100,000 are decided, and all of it is in the audit.
//!
//! The other build makes the store, so that what it wrote is migrated here: how long that takes is printed, and
//! that the audit is whole afterwards. Then each command runs once with either build, on SQLite and on a
//! PostgreSQL of its own, with its wall time and the most memory that it had (VmHWM). Without `--against` the
//! figures of this build are printed alone. `--cases N` makes it a smaller one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secondlook::domain::{
    CaseState, Decision, DecisionId, Disposition, Judged, Judgement, Millis, Origin, QueueQuery,
    Receipt, Reviewer, ReviewerId, SessionId, Start, Status, SubjectKind, WorkerId,
};
use secondlook::sim::{Limits, Options, Sim, World};
use secondlook::store::audit::{AuditEntry, Audited, hash_of, record_hash};
use secondlook::store::{self, Holder};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

#[path = "../it/postgres.rs"]
mod postgres;
#[path = "../it/terminal.rs"]
mod terminal;

const OURS: &str = env!("CARGO_BIN_EXE_secondlook");
const BEGAN: i64 = 1_700_000_000_000;
/// Rows written with one statement.
const AT_ONCE: u64 = 500;

/// The statements of the build before keyset pages: a page deep down, what no list showed, a claim with a filter.
const PAGE_BEFORE: &str = "WITH page AS (SELECT c.id, c.place, c.key FROM cases c \
    WHERE c.origin = 1 AND c.state = 'open' ORDER BY place, key LIMIT 256 OFFSET @) \
    SELECT c.*, d.state AS newest_state FROM page p JOIN cases c ON c.id = p.id \
    LEFT JOIN decisions d ON d.seq = (SELECT max(n.seq) FROM decisions n \
    WHERE n.case_id = c.id AND n.state <> 'undone') ORDER BY p.place, p.key";
const UNSEEN_BEFORE: &str = "SELECT key FROM cases WHERE origin = 1 AND kind = 'workflow' \
    AND state IN ('open', 'escalated', 'left') AND seen_at < 9000000000000 \
    ORDER BY place, key LIMIT 20";
const CLAIM_BEFORE: &str = "SELECT c.* FROM cases c WHERE c.origin = 1 AND c.state = 'open' \
    AND (c.place, c.key) > (-1, '') AND (c.lease_until IS NULL OR c.lease_until <= 1) \
    AND (replace(c.key, '@', '') <> c.key OR replace(c.session_number, '@', '') <> c.session_number) \
    ORDER BY c.place, c.key LIMIT 1";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let named = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let against = named("--against").map(PathBuf::from);
    let open = named("--cases").map_or(900_000, |n| n.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = Options { limits: Limits::none(), ..Options::default() };
        let sim = Sim::start(World::new(jiff::Timestamp::now()), options).await.unwrap();
        let folder = tempfile::TempDir::with_prefix("look").unwrap();
        let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        println!("SQLite, {open} open cases, {} decisions", open / 9);
        let (theirs, ours) = (url("theirs.db"), url("ours.db"));
        make(&sim, &theirs, against.as_deref(), open).await;
        std::fs::copy(&theirs["sqlite:".len()..], &ours["sqlite:".len()..]).unwrap();
        measure(&sim, (&theirs, &ours), against.as_deref(), open).await;
        if let Some(cluster) = postgres::Cluster::start_durable() {
            println!("\nPostgreSQL, {open} open cases, {} decisions", open / 9);
            let theirs = cluster.database().await;
            make(&sim, &theirs, against.as_deref(), open).await;
            let name = theirs.split(['/', '?']).nth(3).unwrap();
            let postgres = cluster.url("postgres");
            let mut server = sqlx::PgConnection::connect(&postgres).await.unwrap();
            script(&mut server, &format!("CREATE DATABASE ours TEMPLATE {name}")).await;
            measure(&sim, (&theirs, &cluster.url("ours")), against.as_deref(), open).await;
        }
        sim.shutdown().await;
    });
}

/// A connection to a store.
enum Raw {
    File(sqlx::SqliteConnection),
    Server(sqlx::PgConnection),
}

impl Raw {
    async fn to(url: &str) -> Self {
        match url.strip_prefix("sqlite:") {
            Some(_) => Self::File(sqlx::SqliteConnection::connect(url).await.unwrap()),
            None => Self::Server(sqlx::PgConnection::connect(url).await.unwrap()),
        }
    }

    async fn run(&mut self, sql: &str) {
        match self {
            Self::File(file) => script(file, sql).await,
            Self::Server(server) => script(server, sql).await,
        }
    }

    async fn timed(&mut self, sql: &str) -> Duration {
        let began = Instant::now();
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::File(file) => drop(sqlx::query(sql).fetch_all(file).await.unwrap()),
            Self::Server(server) => drop(sqlx::query(sql).fetch_all(server).await.unwrap()),
        }
        began.elapsed()
    }
}

async fn script<D: sqlx::Database, C>(connection: &mut C, sql: &str)
where
    for<'c> &'c mut C: sqlx::Executor<'c, Database = D>,
{
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::Executor::execute(connection, sqlx::raw_sql(sql)).await.unwrap();
}

fn key(n: u64) -> String {
    format!("case-{n:07}")
}

fn case(n: u64) -> String {
    let score = 70.0 + (n % 2000) as f64 / 100.0;
    format!(
        "{{\"key\":\"{}\",\"session_number\":{n},\"kind\":\"workflow\",\"status\":\"In Review\",\"created_at\":{},\
         \"candidates\":[{{\"session_id\":\"0f5c0a52-0000-4000-8000-{n:012}\",\"session_number\":{},\
         \"similarity\":{score},\"source\":\"session\",\"self_match\":false,\"blocklisted\":false,\
         \"allowlisted\":false}}],\"set_aside\":0,\"total_matches\":1}}",
        key(n),
        BEGAN + n as i64,
        n + 1,
    )
}

fn decision(n: u64) -> Decision {
    Decision {
        id: DecisionId(uuid::Uuid::from_u128(n.into())),
        case: SessionId::parse(&key(n)).unwrap(),
        session_number: Some(n),
        kind: SubjectKind::Workflow,
        disposition: if n.is_multiple_of(3) { Disposition::Reject } else { Disposition::Approve },
        judgements: vec![Judged {
            place: 0,
            session_id: SessionId::parse(&format!("0f5c0a52-0000-4000-8000-{n:012}")).ok(),
            judgement: Some(Judgement::Different),
        }],
        reason: None,
        comment: None,
        target: None,
        reviewer: Reviewer {
            id: ReviewerId(format!("os:{}", n % 7)),
            name: format!("reviewer{}", n % 7),
        },
        seen_status: Status::InReview,
        at: Millis(BEGAN + 2_000_000 + n as i64),
        receipt: Receipt {
            protocol: "kitty".to_owned(),
            dwell_ms: 900 + (n % 4000) as i64,
            ..Receipt::default()
        },
        replaces: None,
        workflow: None,
        answers: None,
        evidence: Vec::new(),
        signature: None,
    }
}

/// Makes a store with a build of the program, and fills it through the database: a million transactions take an
/// hour.
async fn make(sim: &Sim, url: &str, against: Option<&Path>, open: u64) {
    let mut home = terminal::Home::at(sim, 30);
    home.set("SECONDLOOK_STORE", url);
    assert!(
        run(against.unwrap_or(Path::new(OURS)), &home, &["stats"], None).2,
        "the store is made"
    );
    let mut raw = Raw::to(url).await;
    let salt: Vec<u8> = match &mut raw {
        Raw::File(file) => {
            sqlx::query("SELECT salt FROM store").fetch_one(file).await.unwrap().get(0)
        }
        Raw::Server(server) => {
            sqlx::query("SELECT salt FROM store").fetch_one(server).await.unwrap().get(0)
        }
    };
    let settings = secondlook::didit::Settings::new(
        sim.base_url().parse().unwrap(),
        sim.api_key().to_owned().into(),
    );
    let origin =
        secondlook::didit::Client::new(settings).unwrap().origin(&salt.try_into().unwrap());
    let decided = open / 9;
    raw.run(&format!("INSERT INTO origins (name) VALUES ('{}') ON CONFLICT DO NOTHING", origin.0))
        .await;
    raw.run("BEGIN").await;
    let all = open + decided;
    for from in (0..all).step_by(AT_ONCE as usize) {
        let mut sql =
            "INSERT INTO cases (origin, key, session_number, kind, record, state, place, seen_at, \
                       fence) VALUES "
                .to_owned();
        for n in from..all.min(from + AT_ONCE) {
            let state = if n < open { "open" } else { "decided" };
            let comma = if n == from { "" } else { "," };
            let place = BEGAN + n as i64;
            write!(
                sql,
                "{comma}(1,'{}','{n}','workflow','{}','{state}',{place},{BEGAN},0)",
                key(n),
                case(n)
            )
            .unwrap();
        }
        raw.run(&sql).await;
    }
    raw.run(&format!(
        "INSERT INTO tallies (origin, state, n) VALUES (1, 'open', {open}), (1, 'decided', {decided})"
    ))
    .await;
    let (mut seq, mut before) = (0, String::new());
    for from in (open..all).step_by(AT_ONCE as usize) {
        let mut decisions = "INSERT INTO decisions (origin, case_id, id, reviewer, disposition, record, case_was, \
            state, due, attempts, fence, settled_at, may_have_written, status_done, listed, noted) VALUES "
            .to_owned();
        let mut entries =
            "INSERT INTO audit (origin, seq, entry, hash, decision) VALUES ".to_owned();
        for n in from..all.min(from + AT_ONCE) {
            let made = decision(n);
            let comma = if n == from { "" } else { "," };
            write!(
                decisions,
                "{comma}(1,(SELECT id FROM cases WHERE origin = 1 AND key = '{}'),'{}','{}','{}','{}','open',\
                 'sent',{at},1,1,{},1,1,0,0)",
                key(n),
                made.id,
                made.reviewer.id.0,
                made.disposition.word(),
                serde_json::to_string(&made).unwrap(),
                made.at.0 + 12_000,
                at = made.at.0,
            )
            .unwrap();
            for (what, state) in [(Audited::Decided, "held"), (Audited::Settled, "sent")] {
                seq += 1;
                let entry = AuditEntry {
                    seq,
                    at: made.at,
                    what,
                    decision: made.id.to_string(),
                    case: key(n),
                    disposition: made.disposition.word().to_owned(),
                    state: state.to_owned(),
                    reviewer: made.reviewer.id.0.clone(),
                    by: None,
                    record: record_hash(&made).unwrap(),
                    before,
                };
                let text = serde_json::to_string(&entry).unwrap();
                before = hash_of(&text);
                let comma = if entries.ends_with("VALUES ") { "" } else { "," };
                write!(entries, "{comma}(1,{seq},'{text}','{before}','{}')", made.id).unwrap();
            }
        }
        raw.run(&decisions).await;
        raw.run(&entries).await;
    }
    raw.run(&format!("INSERT INTO audit_heads (origin, seq, hash) VALUES (1, {seq}, '{before}')"))
        .await;
    raw.run("COMMIT").await;
    raw.run(if matches!(raw, Raw::File(_)) {
        "PRAGMA wal_checkpoint(TRUNCATE)"
    } else {
        "VACUUM ANALYZE"
    })
    .await;
}

/// Runs a command; how long it took, its peak in MiB, and whether it ended well. With a number of lines, no more
/// are read, as `head` does.
fn run(
    bin: &Path,
    home: &terminal::Home,
    arguments: &[&str],
    lines: Option<usize>,
) -> (Duration, u64, bool) {
    let mut command = Command::new(bin);
    command.args(arguments).env_clear();
    command.envs(home.environment().iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(if lines.is_some() { Stdio::piped() } else { Stdio::null() });
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let reads = child.stdout.take().map(|out| {
        let lines = lines.unwrap_or_default();
        std::thread::spawn(move || BufReader::new(out).lines().take(lines).count())
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            let took = began.elapsed();
            if let Some(reads) = reads {
                reads.join().unwrap();
            }
            return (took, peak / 1024, status.success());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn told(what: &str, theirs: Option<(Duration, u64)>, ours: (Duration, u64)) {
    let mib = |mib: u64| if mib == 0 { String::new() } else { format!("{mib} MiB") };
    let [before, factor] = match theirs {
        Some((took, most)) => [
            format!("{:>10.3} s {:>9}", took.as_secs_f64(), mib(most)),
            format!("{:>8.1}x", took.as_secs_f64() / ours.0.as_secs_f64()),
        ],
        None => [String::new(), String::new()],
    };
    println!(
        "{what:<28} {before:>22} {:>10.3} s {:>9} {factor}",
        ours.0.as_secs_f64(),
        mib(ours.1)
    );
}

async fn measure(sim: &Sim, (theirs, ours): (&str, &str), against: Option<&Path>, open: u64) {
    let home = |url: &str| {
        let mut home = terminal::Home::at(sim, 30);
        home.set("SECONDLOOK_STORE", url);
        home
    };
    let (before, after) = (home(theirs), home(ours));
    let migrated = run(Path::new(OURS), &after, &["store", "init"], None);
    println!("{:<28} {:>22} {:>22}", "", "the other build", "this build");
    told("the first opening: migrated", None, (migrated.0, migrated.1));
    let commands: [(&str, &[&str], Option<usize>); 8] = [
        ("stats", &["stats"], None),
        ("queue list | head -3", &["queue", "list"], Some(3)),
        ("queue list", &["queue", "list", "--json"], None),
        ("history | head -3", &["history"], Some(3)),
        ("history", &["history", "--json"], None),
        ("export", &["export"], None),
        ("audit export", &["audit", "export"], None),
        ("audit verify", &["audit", "verify"], None),
    ];
    for (what, arguments, lines) in commands {
        let (took, peak, well) = run(Path::new(OURS), &after, arguments, lines);
        assert!(well, "{what}");
        let other = against.map(|bin| run(bin, &before, arguments, lines));
        told(what, other.map(|(took, peak, _)| (took, peak)), (took, peak));
    }
    let store = store::open(ours).await.unwrap();
    let origin: Origin = store.origins().await.unwrap().remove(0);
    let now = Millis(jiff::Timestamp::now().as_millisecond());
    let mut raw = Raw::to(theirs).await;
    let deep = open * 8 / 9;
    let query = |from: Start, limit: u32, filter: &str| QueueQuery {
        states: vec![CaseState::Open],
        filter: filter.to_owned(),
        from,
        limit,
    };
    // Each twice: what is told is with a warm connection.
    let mut took = Duration::ZERO;
    for _ in 0..2 {
        let began = Instant::now();
        let around = Start::Around(SessionId::parse(&key(deep)).unwrap());
        let page = store.queue(&origin, &query(around, 256, ""), now).await.unwrap();
        took = began.elapsed();
        assert_eq!(page.rows.len(), 256);
        assert!(page.before.abs_diff(deep - 128) < 5_000, "{}", page.before);
    }
    let rank = format!(
        "SELECT count(*) FROM cases c WHERE c.origin = 1 AND c.state = 'open' AND (c.place, c.key) < ({}, '{}')",
        BEGAN + deep as i64,
        key(deep)
    );
    let page = PAGE_BEFORE.replace('@', &deep.to_string());
    let _ = raw.timed(&page).await;
    let other = raw.timed(&rank).await + raw.timed(&page).await;
    told("a page deep down", Some((other, 0)), (took, 0));
    for _ in 0..2 {
        let began = Instant::now();
        let behind = secondlook::domain::Place { at: Millis(BEGAN + deep as i64), key: key(deep) };
        let page = store.queue(&origin, &query(Start::Behind(behind), 256, ""), now).await.unwrap();
        took = began.elapsed();
        assert_eq!(page.rows.len(), 256);
    }
    told("the page behind it", Some((other, 0)), (took, 0));
    let filter = deep.to_string();
    let holder = Holder {
        reviewer: Reviewer { id: ReviewerId("os:1".to_owned()), name: "ana".to_owned() },
        worker: WorkerId("host/boot/1".to_owned()),
    };
    for _ in 0..2 {
        let began = Instant::now();
        let only = query(Start::Front, 1, &filter);
        let lease = store.lease_next(&origin, &only, None, &holder, now, 1_000).await.unwrap();
        took = began.elapsed();
        store.release(&lease.unwrap()).await.unwrap();
    }
    let claim = CLAIM_BEFORE.replace('@', &filter);
    let _ = raw.timed(&claim).await;
    told("a claim with a filter", Some((raw.timed(&claim).await, 0)), (took, 0));
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(store.unseen(&origin, now, 20).await.unwrap().len(), 20);
        took = began.elapsed();
    }
    let _ = raw.timed(UNSEEN_BEFORE).await;
    told("what no list showed", Some((raw.timed(UNSEEN_BEFORE).await, 0)), (took, 0));
    store.close().await;
}
