//! Many workers on one store at once: nothing is leased twice, decided twice or delivered twice.

use std::collections::HashSet;
use std::sync::Arc;

use secondlook::domain::{CaseState, DeliveryState, Disposition, SessionId, Start};
use secondlook::store::{self, HistoryQuery, LeaseAnswer, QueueQuery, Settled, Store};
use tokio::task::JoinSet;

use super::store::{Bench, T, TTL, at, case, decision, holder, id, key, origin};

const CASES: u32 = 400;
const WORKERS: u32 = 8;

/// Two stores opened on the same file or database, as two consoles have them.
async fn two(bench: &Bench) -> [Arc<dyn Store>; 2] {
    [Arc::clone(&bench.store), store::open(&bench.url).await.unwrap()]
}

/// Runs one task a worker, by turns on either store, and gathers what they did.
async fn all<T, F>(stores: &[Arc<dyn Store>; 2], work: impl Fn(Arc<dyn Store>, u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = Vec<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for worker in 0..WORKERS {
        tasks.spawn(work(Arc::clone(&stores[worker as usize % 2]), worker));
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

fn distinct<T: std::hash::Hash + Eq + Clone>(done: &[T]) -> usize {
    done.iter().cloned().collect::<HashSet<_>>().len()
}

/// All take the same cases in: each is new for exactly one of them.
async fn admit(store: Arc<dyn Store>) -> Vec<SessionId> {
    let mut new = Vec::new();
    for n in 0..CASES {
        let answer = store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
        if answer == store::Admitted::New {
            new.push(key(n));
        }
    }
    new
}

/// Goes through all cases and decides those that it gets: half of them in the order of its own, the
/// others by taking whichever is next.
async fn decide(store: Arc<dyn Store>, worker: u32) -> Vec<SessionId> {
    let who = holder(&format!("reviewer{worker}"), worker);
    let open = vec![CaseState::Open];
    let query = QueueQuery { states: open, filter: String::new(), from: Start::Front, limit: 1 };
    let mut decided = Vec::new();
    for n in 0..CASES {
        let lease = if worker.is_multiple_of(2) {
            let next = store.lease_next(&origin(), &query, None, &who, T, TTL).await.unwrap();
            let Some(lease) = next else { continue };
            lease
        } else {
            let answer = store.lease(&origin(), &key(n), &who, T, TTL).await.unwrap();
            let LeaseAnswer::Yours(lease) = answer else { continue };
            lease
        };
        tokio::task::yield_now().await;
        let made = decision(u128::from(n * WORKERS + worker + 1), &lease, Disposition::Approve);
        store.decide(&lease, &made, T, T).await.unwrap();
        decided.push(lease.case);
    }
    decided
}

/// Delivers what there is to deliver, of whomever it is: the claims of before have run out.
async fn deliver(store: Arc<dyn Store>, worker: u32) -> Vec<SessionId> {
    let who = holder(&format!("courier{worker}"), worker);
    let now = at(2 * TTL);
    let mut delivered = Vec::new();
    while let Some(delivery) =
        store.take(&origin(), &who.worker, &who.reviewer.id, now, TTL).await.unwrap()
    {
        tokio::task::yield_now().await;
        assert!(store.is_ours(&delivery, now).await.unwrap());
        let sent = Settled::Sent { note: "done".to_owned() };
        assert!(store.settle(&delivery, &sent, now).await.unwrap());
        delivered.push(delivery.decision.case);
    }
    delivered
}

/// Claims the worker's own held decisions and forgets them, as a crash would.
async fn abandon(store: Arc<dyn Store>, worker: u32) -> Vec<SessionId> {
    let who = holder(&format!("reviewer{worker}"), worker);
    let mut claimed = Vec::new();
    while let Some(delivery) =
        store.take(&origin(), &who.worker, &who.reviewer.id, at(1), TTL).await.unwrap()
    {
        claimed.push(delivery.decision.case);
    }
    claimed
}

async fn race(bench: Bench) {
    let stores = two(&bench).await;
    let new = all(&stores, |store, _| admit(store)).await;
    assert_eq!((new.len(), distinct(&new)), (CASES as usize, CASES as usize));

    let decided = all(&stores, decide).await;
    assert_eq!((decided.len(), distinct(&decided)), (CASES as usize, CASES as usize));
    let history = stores[0].history(&origin(), &HistoryQuery::default()).await.unwrap().rows;
    assert_eq!(history.len(), CASES as usize);
    assert!(history.iter().all(|row| row.state == DeliveryState::Held && row.attempts == 0));

    let claimed = all(&stores, abandon).await;
    assert_eq!((claimed.len(), distinct(&claimed)), (CASES as usize, CASES as usize));
    let delivered = all(&stores, deliver).await;
    assert_eq!((delivered.len(), distinct(&delivered)), (CASES as usize, CASES as usize));
    let history = stores[1].history(&origin(), &HistoryQuery::default()).await.unwrap().rows;
    assert!(history.iter().all(|row| row.state == DeliveryState::Sent && row.attempts == 2));
    assert_eq!(stores[0].tally(&origin()).await.unwrap().decided, u64::from(CASES));
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_happens_twice_in_one_file() {
    race(Bench::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_happens_twice_on_one_server() {
    if let Some(bench) = Bench::postgres().await {
        race(bench).await;
    }
}

/// Undo and send at the same moment: one of them has the decision, never both.
async fn undo_against_take(bench: Bench) {
    let stores = two(&bench).await;
    let who = holder("ana", 1);
    for n in 1..=60 {
        stores[0].admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
        let lease = super::store::lease(stores[0].as_ref(), n, &who, T).await;
        let made = decision(n.into(), &lease, Disposition::Reject);
        stores[0].decide(&lease, &made, T, T).await.unwrap();
        let (here, there, origin) = (&stores[0], &stores[1], origin());
        let (undone, taken) = tokio::join!(
            here.undo(&origin, id(n.into()), &who.reviewer.id, T),
            there.take(&origin, &who.worker, &who.reviewer.id, T, TTL),
        );
        let undone = matches!(undone.unwrap(), store::Undone::TakenBack(_));
        assert_ne!(undone, taken.unwrap().is_some(), "case {n}");
    }
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn undone_or_taken_in_one_file() {
    undo_against_take(Bench::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn undone_or_taken_on_one_server() {
    if let Some(bench) = Bench::postgres().await {
        undo_against_take(bench).await;
    }
}

/// Eight consoles started at once on nothing make one store.
async fn made_together(url: String) {
    let mut tasks = JoinSet::new();
    for _ in 0..WORKERS {
        let url = url.clone();
        tasks.spawn(async move {
            let store = store::open(&url).await.unwrap();
            let salt = store.salt().await.unwrap();
            store.close().await;
            salt
        });
    }
    assert_eq!(distinct(&tasks.join_all().await), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_file_is_made_once() {
    for _ in 0..10 {
        let folder = tempfile::TempDir::new().unwrap();
        made_together(format!("sqlite:{}", folder.path().join("queue.db").display())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_database_is_made_once() {
    if let Some(cluster) = super::postgres::shared() {
        made_together(cluster.database().await).await;
    }
}
