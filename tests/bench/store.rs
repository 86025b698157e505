//! How fast the store is, and whether it stays so as the queue grows: `cargo bench --bench store`.
//!
//! Every figure is taken on a real SQLite file and a real PostgreSQL of its own, both set as in production: SQLite
//! with WAL and `synchronous=FULL`, PostgreSQL with fsync, full page writes and `synchronous_commit`. Every
//! reviewer has a store of their own, as every console has. It prints and asserts nothing: figures depend
//! on the machine.
//!
//! `SECONDLOOK_BENCH_CASES=1000,100000` leaves the larger queues out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

use std::time::{Duration, Instant};

use secondlook::domain::{
    Candidate, Case, CaseState, Decision, DecisionId, Disposition, Judged, Judgement, Millis,
    Origin, Receipt, Reviewer, ReviewerId, SessionId, Similarity, Source, Start, Status,
    SubjectKind, WorkerId,
};
use secondlook::sim::{Limits, Options, Sim, World};
use secondlook::store::{self, Holder, QueueQuery, Store, StoreError};
use tokio::task::JoinSet;

#[path = "../it/postgres.rs"]
mod postgres;
#[path = "../it/terminal.rs"]
mod terminal;

const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
const REVIEWERS: [usize; 3] = [1, 10, 50];
/// How long each figure is taken for.
const RUN: Duration = Duration::from_secs(3);
/// Until all reviewers have connected.
const LEAD: Duration = Duration::from_millis(500);
const TTL: i64 = 60_000;
/// Opening the console is measured with so many cases, so often.
const START: (u64, usize) = (100_000, 9);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::TempDir::with_prefix("look").unwrap();
        let file = format!("sqlite:{}", folder.path().join("queue.db").display());
        println!("SQLite, WAL, synchronous=FULL");
        measure(&file, fill_file).await;
        if let Some(cluster) = postgres::Cluster::start_durable() {
            println!("\nPostgreSQL, fsync=on, full_page_writes=on, synchronous_commit=on");
            measure(&cluster.database().await, fill_server).await;
        }
    });
}

fn sizes() -> Vec<u64> {
    let named = std::env::var("SECONDLOOK_BENCH_CASES").unwrap_or_default();
    let named: Vec<u64> = named.split(',').filter_map(|size| size.parse().ok()).collect();
    if named.is_empty() { SIZES.into() } else { named }
}

async fn measure<F: Future<Output = ()>>(url: &str, fill: impl Fn(String, u64, u64) -> F) {
    let sim = Sim::start(World::new(jiff::Timestamp::now()), options()).await.unwrap();
    let store = store::open(url).await.unwrap();
    let key = sim.api_key().to_owned();
    let settings = secondlook::didit::Settings::new(sim.base_url().parse().unwrap(), key.into());
    let client = secondlook::didit::Client::new(settings).unwrap();
    let origin = client.origin(&store.salt().await.unwrap());
    store.admit(&origin, &case(), CaseState::Open, now(), now()).await.unwrap();
    println!(
        "{:>9} {:>9} {:>10} {:>18} {:>18} {:>18} {:>18}",
        "cases",
        "reviewers",
        "decided/s",
        "claim p50/p99 ms",
        "decide p50/p99 ms",
        "paced claim",
        "page of 256"
    );
    let mut filled = 1;
    for size in sizes() {
        // `size` cases are open at the beginning of each figure, however many were decided before.
        let mut top_up = async || {
            let lack = size - store.tally(&origin).await.unwrap().open;
            if lack > 0 {
                fill(url.to_owned(), filled, filled + lack).await;
                filled += lack;
            }
        };
        for reviewers in REVIEWERS {
            top_up().await;
            let began = Instant::now();
            let fast = work(url, &origin, reviewers, None).await;
            let rate = fast.claims.len() as f64 / (began.elapsed() - LEAD).as_secs_f64();
            top_up().await;
            // Each reviewer decides a case a second: many times faster than people do.
            let paced = work(url, &origin, reviewers, Some(Duration::from_secs(1))).await;
            top_up().await;
            let page = pages(store.as_ref(), &origin).await;
            println!(
                "{size:>9} {reviewers:>9} {rate:>10.0} {} {} {} {}",
                shown(fast.claims),
                shown(fast.decides),
                shown(paced.claims),
                shown(page),
            );
        }
        top_up().await;
        if size == START.0 {
            start(&sim, url).await;
        }
    }
    store.close().await;
}

fn options() -> Options {
    Options { limits: Limits::none(), ..Options::default() }
}

/// What reviewers measured.
#[derive(Default)]
struct Times {
    claims: Vec<Duration>,
    decides: Vec<Duration>,
}

/// So many reviewers claim the next case and decide it, one after the other, for a while.
async fn work(url: &str, origin: &Origin, reviewers: usize, pace: Option<Duration>) -> Times {
    let mut stores = Vec::new();
    for _ in 0..reviewers {
        let store = store::open(url).await.unwrap();
        store.tally(origin).await.unwrap();
        stores.push(store);
    }
    let mut tasks = JoinSet::new();
    let begin = Instant::now() + LEAD;
    for (n, store) in stores.into_iter().enumerate() {
        let origin = origin.clone();
        tasks.spawn(async move {
            // Not all in step.
            let offset = pace.map_or(Duration::ZERO, |pace| pace * n as u32 / reviewers as u32);
            tokio::time::sleep_until((begin + offset).into()).await;
            let times = review(store.as_ref(), &origin, n, begin + RUN, pace).await;
            store.close().await;
            times
        });
    }
    let mut all = Times::default();
    for times in tasks.join_all().await {
        all.claims.extend(times.claims);
        all.decides.extend(times.decides);
    }
    all
}

async fn review(
    store: &dyn Store,
    origin: &Origin,
    n: usize,
    until: Instant,
    pace: Option<Duration>,
) -> Times {
    let reviewer = Reviewer { id: ReviewerId(format!("os:{n}")), name: format!("reviewer{n}") };
    let holder =
        Holder { reviewer, worker: WorkerId(format!("host/boot/{n}/{}", fastrand::u64(..))) };
    let query = open(1);
    let mut times = Times::default();
    while Instant::now() < until {
        let began = Instant::now();
        let lease = loop {
            let leased = store.lease_next(origin, &query, None, &holder, now(), TTL).await;
            if let Some(lease) = in_time(leased) {
                break lease;
            }
        };
        let Some(lease) = lease else { break };
        times.claims.push(began.elapsed());
        let made = decision(&lease.case, &holder.reviewer);
        let deciding = Instant::now();
        while in_time(store.decide(&lease, &made, now().plus(TTL), now()).await).is_none() {}
        times.decides.push(deciding.elapsed());
        if let Some(pace) = pace {
            tokio::time::sleep_until((began + pace).into()).await;
        }
    }
    times
}

/// Fifty consoles that never pause may keep one of them from a SQLite file for longer than it waits: it
/// tries again, and all of that counts.
fn in_time<T>(answer: store::Result<T>) -> Option<T> {
    match answer {
        Ok(done) => Some(done),
        Err(StoreError::Busy(_)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// What a console reads when something has changed.
async fn pages(store: &dyn Store, origin: &Origin) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        let page = store.queue(origin, &open(256), now()).await.unwrap();
        let middle = page.rows[page.rows.len() / 2].case.key.clone();
        store.rank(origin, &open(256), &middle).await.unwrap();
        store.tally(origin).await.unwrap();
        times.push(began.elapsed());
    }
    times
}

/// From the start of the program to its first complete frame.
async fn start(sim: &Sim, url: &str) {
    let mut home = terminal::Home::at(sim, 30);
    home.set("SECONDLOOK_STORE", url);
    let mut times = Vec::new();
    for _ in 0..START.1 {
        let began = Instant::now();
        let console = home.console(terminal::Plays::Xterm);
        tokio::task::block_in_place(|| {
            console.wait("the queue", |screen| screen.contains("A SUBJECT #"));
        });
        times.push(began.elapsed());
    }
    println!(
        "{:>9} start to the first frame with a case, median/worst of {}: {}",
        START.0,
        START.1,
        shown(times)
    );
}

fn shown(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: f64| {
        let last = times.len().saturating_sub(1);
        let place = (times.len() as f64 * part) as usize;
        times.get(place.min(last)).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    format!("{:>8.2} /{:>8.2}", at(0.5), at(0.99))
}

fn now() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond())
}

fn open(limit: u32) -> QueueQuery {
    QueueQuery { states: vec![CaseState::Open], filter: String::new(), from: Start::Front, limit }
}

/// A case as Didit's are: two candidates.
fn case() -> Case {
    let candidate = |n: u64| Candidate {
        session_id: SessionId::parse(&format!("0f5c0a52-0000-4000-8000-00000000000{n}")).ok(),
        session_number: Some(n),
        similarity: Similarity::new(81.5),
        source: Source::Session,
        blocklisted: false,
        allowlisted: false,
        block: 0,
        self_match: false,
    };
    Case {
        key: SessionId::parse("case-0").unwrap(),
        session_number: Some(0),
        kind: SubjectKind::Workflow,
        status: Status::InReview,
        created_at: Some(Millis(1_700_000_000_000)),
        candidates: vec![candidate(1), candidate(2)],
        set_aside: 0,
        total_matches: None,
    }
}

fn decision(case: &SessionId, reviewer: &Reviewer) -> Decision {
    Decision {
        id: DecisionId(uuid::Uuid::now_v7()),
        case: case.clone(),
        session_number: Some(1),
        kind: SubjectKind::Workflow,
        disposition: Disposition::Approve,
        judgements: vec![Judged {
            place: 0,
            session_id: None,
            judgement: Some(Judgement::Different),
        }],
        reason: None,
        comment: None,
        target: None,
        reviewer: reviewer.clone(),
        seen_status: Status::InReview,
        at: now(),
        receipt: Receipt::default(),
        replaces: None,
        answers: None,
        evidence: Vec::new(),
        workflow: None,
        signature: None,
    }
}

/// Clones of the first case, put in by the database itself: a million transactions take an hour.
const CLONE: &str = "INSERT INTO cases \
    (origin, key, session_number, kind, record, state, place, seen_at, fence) \
    SELECT c.origin, 'case-' || n, cast(n AS text), c.kind, \
    replace(c.record, 'case-0', 'case-' || n), 'open', c.place + n, c.seen_at, 0 \
    FROM cases c, numbers WHERE c.key = 'case-0'";

async fn fill_file(url: String, from: u64, to: u64) {
    let path = url.strip_prefix("sqlite:").unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut file = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM numbers \
         WHERE n + 1 < {to}) {}",
        CLONE.replace("INSERT INTO", "\0")
    );
    // SQLite wants the numbers behind INSERT.
    let (with, select) = numbers.split_once('\0').unwrap();
    let (columns, select) = select.split_once("SELECT c.origin").unwrap();
    let sql = format!("INSERT INTO {columns} {with} SELECT c.origin{select}");
    script(&mut file, &sql).await;
    counted(&mut file, to - from).await;
}

async fn fill_server(url: String, from: u64, to: u64) {
    let mut server = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let sql = CLONE.replace("numbers", &format!("generate_series({from}, {}) AS n", to - 1));
    script(&mut server, &sql).await;
    counted(&mut server, to - from).await;
    script(&mut server, "VACUUM ANALYZE").await;
    script(&mut server, "CHECKPOINT").await;
}

async fn counted<D: sqlx::Database, C>(connection: &mut C, more: u64)
where
    for<'c> &'c mut C: sqlx::Executor<'c, Database = D>,
{
    script(connection, &format!("UPDATE tallies SET n = n + {more} WHERE state = 'open'")).await;
}

async fn script<D: sqlx::Database, C>(connection: &mut C, sql: &str)
where
    for<'c> &'c mut C: sqlx::Executor<'c, Database = D>,
{
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::Executor::execute(connection, sqlx::raw_sql(sql)).await.unwrap();
}
