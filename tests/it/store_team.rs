//! Stores that a team shares: what one changes the others hear of, a server may restart under them, and
//! the line to it can be encrypted.

use std::sync::Arc;
use std::time::Duration;

use secondlook::didit::{self, Client, ErrorKind, SessionQuery, SharedBudget};
use secondlook::domain::{CaseState, Clock as _, Disposition, Origin, Start};
use secondlook::shell::SystemClock;
use secondlook::sim::{Limits, Options, Sim};
use secondlook::store::{
    self, CallsAsked, CallsGranted, News, QueueQuery, Settled, Store, StoreError,
};
use tokio::task::JoinSet;

use super::postgres::Cluster;
use super::stage::PATIENCE;
use super::store::{Bench, T, TTL, at, case, decision, holder, id, lease, origin};

/// The next piece of news; a test that waits for longer has failed.
async fn next(news: &mut Box<dyn News>) -> store::Result<()> {
    tokio::time::timeout(PATIENCE, news.next()).await.expect("no news").expect("an end")
}

async fn take_in(store: &dyn Store, n: u32) {
    store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
}

/// Everything that another console has to know of is news to it.
async fn heard_of(here: &dyn Store, there: &dyn Store) {
    let mut news = there.news(&origin());
    next(&mut news).await.unwrap();
    let (ana, bob) = (holder("ana", 1), holder("bob", 2));
    take_in(here, 1).await;
    next(&mut news).await.unwrap();
    here.depart(&origin(), &case(1).key, "Approved at Didit", T).await.unwrap();
    next(&mut news).await.unwrap();
    take_in(here, 1).await;
    next(&mut news).await.unwrap();
    let mine = lease(here, 1, &ana, T).await;
    next(&mut news).await.unwrap();
    here.release(&mine).await.unwrap();
    next(&mut news).await.unwrap();
    let mine = lease(here, 1, &ana, T).await;
    next(&mut news).await.unwrap();
    here.skip(&mine, T).await.unwrap();
    next(&mut news).await.unwrap();
    let mine = lease(here, 1, &ana, T).await;
    next(&mut news).await.unwrap();
    here.decide(&mine, &decision(1, &mine, Disposition::Reject), T, T).await.unwrap();
    next(&mut news).await.unwrap();
    here.undo(&origin(), id(1), &ana.reviewer.id, T).await.unwrap();
    next(&mut news).await.unwrap();
    let mine = lease(here, 1, &bob, T).await;
    next(&mut news).await.unwrap();
    here.decide(&mine, &decision(2, &mine, Disposition::Reject), T, T).await.unwrap();
    next(&mut news).await.unwrap();
    let claim = here.take(&origin(), &bob.worker, &bob.reviewer.id, T, TTL).await.unwrap().unwrap();
    here.settle(&claim, &Settled::Sent { note: "done".to_owned() }, T).await.unwrap();
    next(&mut news).await.unwrap();
    assert!(here.reopen(&origin(), id(2), &holder("eva", 1).reviewer.id, T).await.unwrap());
    next(&mut news).await.unwrap();
    let _ = lease(here, 1, &ana, T).await;
    next(&mut news).await.unwrap();
    assert_eq!(here.bury(&ana.worker, T).await.unwrap(), 1);
    next(&mut news).await.unwrap();
}

/// However much was changed, there is one thing to do about it.
async fn coalesced(here: &dyn Store, there: &dyn Store) {
    const MANY: u32 = 1_000;
    let mut news = there.news(&origin());
    next(&mut news).await.unwrap();
    for n in 1..=MANY {
        take_in(here, n).await;
    }
    let open = vec![CaseState::Open];
    let query = QueueQuery { states: open, filter: String::new(), from: Start::Front, limit: 1 };
    let mut heard = 0;
    loop {
        next(&mut news).await.unwrap();
        heard += 1;
        // Where it is told late, it comes in a few pieces; the last one shows all.
        if there.queue(&origin(), &query, T).await.unwrap().total == u64::from(MANY) {
            break;
        }
    }
    assert!(heard <= 3, "{heard} for {MANY} changes");
}

/// A second store opened on the same file or database, as another console has it.
async fn beside(bench: &Bench) -> Arc<dyn Store> {
    store::open(&bench.url).await.unwrap()
}

async fn on_two(bench: Bench) {
    let there = beside(&bench).await;
    heard_of(bench.store.as_ref(), there.as_ref()).await;
    there.close().await;
    bench.store.close().await;
}

async fn coalesced_on_two(bench: Bench) {
    let there = beside(&bench).await;
    coalesced(bench.store.as_ref(), there.as_ref()).await;
    there.close().await;
    bench.store.close().await;
}

#[tokio::test]
async fn changes_in_memory_are_heard_of() {
    let bench = Bench::memory().await;
    heard_of(bench.store.as_ref(), bench.store.as_ref()).await;
    let bench = Bench::memory().await;
    coalesced(bench.store.as_ref(), bench.store.as_ref()).await;
}

#[tokio::test]
async fn changes_in_a_file_are_heard_of() {
    on_two(Bench::sqlite().await).await;
    coalesced_on_two(Bench::sqlite().await).await;
}

#[tokio::test]
async fn changes_on_a_server_are_heard_of() {
    if let Some(bench) = Bench::postgres().await {
        on_two(bench).await;
    }
    if let Some(bench) = Bench::postgres().await {
        coalesced_on_two(bench).await;
    }
}

#[tokio::test]
async fn what_is_taken_back_is_no_news_and_another_origin_is_silent() {
    let Some(bench) = Bench::postgres().await else { return };
    let elsewhere = Origin("https://verification.didit.me#ffff".to_owned());
    let mut news = bench.store.news(&origin());
    next(&mut news).await.unwrap();
    bench.store.admit(&elsewhere, &case(1), CaseState::Open, T, T).await.unwrap();
    // Refused, so nothing of it is kept.
    take_in(bench.store.as_ref(), 2).await;
    next(&mut news).await.unwrap();
    let lost = lease(bench.store.as_ref(), 2, &holder("ana", 1), T).await;
    next(&mut news).await.unwrap();
    let mine = lease(bench.store.as_ref(), 2, &holder("bob", 2), at(2 * TTL)).await;
    next(&mut news).await.unwrap();
    let refused = decision(1, &lost, Disposition::Reject);
    let refused = bench.store.decide(&lost, &refused, T, T).await.unwrap_err();
    assert!(matches!(refused, StoreError::LostLease));
    // A renewal is none either: the next thing heard of is the decision.
    bench.store.renew(&mine, at(2 * TTL), TTL).await.unwrap().unwrap();
    let (held, now) = (decision(2, &mine, Disposition::Reject), at(2 * TTL));
    bench.store.decide(&mine, &held, now, now).await.unwrap();
    next(&mut news).await.unwrap();
    assert_eq!(bench.store.tally(&origin()).await.unwrap().decided, 1);
    drop(news);
    bench.store.close().await;
}

/// The server goes and comes back: everybody is told, and goes on with the store they have.
#[tokio::test]
async fn a_server_may_restart() {
    // As in production: what was kept is there after a stop like a crash.
    let Some(cluster) = Cluster::start_durable() else { return };
    let url = cluster.database().await;
    let (here, there) = (store::open(&url).await.unwrap(), store::open(&url).await.unwrap());
    let mut news = there.news(&origin());
    next(&mut news).await.unwrap();
    take_in(here.as_ref(), 1).await;
    next(&mut news).await.unwrap();
    let mine = lease(here.as_ref(), 1, &holder("ana", 1), T).await;
    next(&mut news).await.unwrap();
    for n in 2..4 {
        assert!(cluster.stop());
        let gone = next(&mut news).await.unwrap_err();
        assert!(matches!(gone, StoreError::Busy(_)), "{gone:?}");
        let error = here.tally(&origin()).await.unwrap_err();
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        cluster.run();
        next(&mut news).await.expect("it is back");
        // What was leased is leased still, and what changes is heard of again.
        let renewed = here.renew(&mine, T, TTL).await.unwrap();
        assert_eq!(renewed.map(|lease| lease.fence), Some(mine.fence));
        take_in(here.as_ref(), n).await;
        next(&mut news).await.unwrap();
        assert_eq!(there.tally(&origin()).await.unwrap().open, u64::from(n));
    }
    drop(news);
    here.close().await;
    there.close().await;
}

#[tokio::test]
async fn the_line_to_a_server_is_encrypted_and_its_name_is_checked() {
    let Some(cluster) = Cluster::start_with_tls() else { return };
    let Some(other) = Cluster::start_with_tls() else { return };
    let full =
        |root: &std::path::Path| format!("sslmode=verify-full&sslrootcert={}", root.display());
    let url = format!("{}?{}", cluster.tcp("localhost", "postgres"), full(&cluster.root()));
    let store = store::open(&url).await.unwrap();
    let mut news = store.news(&origin());
    next(&mut news).await.unwrap();
    assert!(!store.describe().contains("root.crt"), "{}", store.describe());
    // The server's own word on every connection of ours, the listening one too.
    let mut asking =
        <sqlx::PgConnection as sqlx::Connection>::connect(&cluster.url("postgres")).await.unwrap();
    let encrypted: Vec<bool> = sqlx::query_scalar(
        "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
         WHERE a.application_name = 'secondlook'",
    )
    .fetch_all(&mut asking)
    .await
    .unwrap();
    assert!(encrypted.len() >= 2 && encrypted.iter().all(|ssl| *ssl), "{encrypted:?}");
    drop(news);
    store.close().await;

    // Another authority, and another name.
    for url in [
        format!("{}?{}", cluster.tcp("localhost", "postgres"), full(&other.root())),
        format!("{}?{}", cluster.tcp("127.0.0.1", "postgres"), full(&cluster.root())),
    ] {
        match store::open(&url).await {
            Err(StoreError::Other(why)) => assert!(why.contains("sslmode"), "{why}"),
            Err(error) => panic!("{url}: {error:?}"),
            Ok(_) => panic!("{url} was trusted"),
        }
    }
}

/// The budget of a client, kept in a store, as the program puts them together.
struct Kept {
    store: Arc<dyn Store>,
    origin: Origin,
}

#[async_trait::async_trait]
impl SharedBudget for Kept {
    async fn grant(&self, asked: CallsAsked) -> CallsGranted {
        let now = SystemClock::new().now();
        self.store.grant(&self.origin, &asked, now).await.unwrap()
    }
}

/// Three consoles with one key call as fast as they can. The simulator counts, as Didit does: it turns
/// none away, and what it allows is used up to the last call.
async fn never_too_many(bench: Bench) {
    const LIMIT: u32 = 60;
    let options = Options { limits: Limits { get: LIMIT, write: LIMIT }, ..Options::default() };
    let sim = Sim::start(super::stage::world(), options).await.unwrap();
    let mut calls = JoinSet::new();
    let mut stores = vec![Arc::clone(&bench.store)];
    if bench.url != "memory:" {
        stores.extend([beside(&bench).await, beside(&bench).await]);
    }
    for n in 0..3 {
        let client = Client::new(didit::Settings {
            // Nobody waits for the next minute.
            timeout: Duration::from_secs(10),
            reads_per_minute: LIMIT,
            writes_per_minute: LIMIT,
            ..didit::Settings::new(sim.base_url().parse().unwrap(), sim.api_key().to_owned().into())
        })
        .unwrap();
        let store = Arc::clone(&stores[n % stores.len()]);
        client.share(Arc::new(Kept { store, origin: origin() }));
        for _ in 0..LIMIT {
            let client = client.clone();
            calls.spawn(async move {
                let query = SessionQuery { limit: 1, ..SessionQuery::faces(Vec::new()) };
                match client.sessions(&query).await {
                    Ok(_) => true,
                    Err(error) => {
                        assert!(matches!(error.kind, ErrorKind::Limited { .. }), "{error:?}");
                        false
                    }
                }
            });
        }
    }
    let went = calls.join_all().await.into_iter().filter(|went| *went).count();
    let record = sim.record();
    assert!(record.iter().all(|request| request.status == Some(200)), "none was turned away");
    assert_eq!((went, record.len()), (LIMIT as usize, LIMIT as usize));
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_share_one_minute_in_memory() {
    never_too_many(Bench::memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_share_one_minute_in_a_file() {
    never_too_many(Bench::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_share_one_minute_on_a_server() {
    if let Some(bench) = Bench::postgres().await {
        never_too_many(bench).await;
    }
}
