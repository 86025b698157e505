//! The store as a whole: carried into another database, and given to a new key.

use std::sync::Arc;

use secondlook::domain::{CaseState, DeliveryState, Disposition, HistoryQuery, Start};
use secondlook::sim::{Key, Limits, Options, Sim};
use secondlook::store::{self, AuditRow, Copied, QueueQuery, Settled, Store, StoreError};

use super::postgres::shared;
use super::stage::Mortal;
use super::store::{Bench, T, TTL, at, case, decision, holder, id, key, lease, origin};
use crate::terminal::{Home, world};

/// When nobody is at work any more.
const LATER: i64 = 10 * TTL;

/// One case in every state there is, and a decision in most.
async fn fill(store: &dyn Store) {
    let (o, ana, eva) = (origin(), holder("ana", 1), holder("eva", 2));
    for n in 1..=7 {
        store.admit(&o, &case(n), CaseState::Open, T, T).await.unwrap();
    }
    store.admit(&o, &case(8), CaseState::Left, T, T).await.unwrap();
    store.depart(&o, &key(1), "Approved at Didit", T).await.unwrap();
    let decide = async |n: u32, disposition: Disposition, due: i64| {
        let mine = lease(store, n, &ana, T).await;
        store.decide(&mine, &decision(n.into(), &mine, disposition), at(due), T).await.unwrap();
    };
    decide(2, Disposition::Escalate, 0).await;
    decide(3, Disposition::Approve, 0).await;
    let claim = store.take(&o, &ana.worker, &ana.reviewer.id, T, TTL).await.unwrap().unwrap();
    store.settle(&claim, &Settled::Sent { note: "done ünd wörds".to_owned() }, T).await.unwrap();
    decide(4, Disposition::Reject, 0).await;
    store.take(&o, &ana.worker, &ana.reviewer.id, T, TTL).await.unwrap().unwrap();
    decide(5, Disposition::Blocklist, LATER * 2).await;
    decide(6, Disposition::Reject, LATER * 2).await;
    store.undo(&o, id(6), &ana.reviewer.id, T).await.unwrap();
    lease(store, 7, &eva, T).await;
}

/// Everything of a store, the ends of leases and claims aside.
#[derive(Debug, PartialEq)]
struct Whole {
    salt: [u8; 32],
    queue: Vec<String>,
    history: Vec<String>,
    audit: Vec<AuditRow>,
}

async fn whole(store: &dyn Store) -> Whole {
    let states = vec![
        CaseState::Open,
        CaseState::Escalated,
        CaseState::Left,
        CaseState::Departed,
        CaseState::Decided,
    ];
    let query = QueueQuery { states, filter: String::new(), from: Start::Front, limit: 1_000 };
    let page = store.queue(&origin(), &query, at(LATER)).await.unwrap();
    assert_eq!(page.total, 8);
    let history = store.history(&origin(), &HistoryQuery::default()).await.unwrap().rows;
    let history = history.into_iter().map(|mut row| {
        if row.state == DeliveryState::Sending {
            row.state = DeliveryState::Unknown;
        }
        format!("{row:?}")
    });
    Whole {
        salt: store.salt().await.unwrap(),
        // The decision beside a case is told by the history.
        queue: page
            .rows
            .iter()
            .map(|r| format!("{:?} {:?} {:?}", r.case, r.state, r.note))
            .collect(),
        history: history.collect(),
        audit: store.audit(&origin(), 0, 1_000).await.unwrap(),
    }
}

/// What was carried is all there, and work goes on in the new store.
async fn carried(from: Bench, to: String) {
    fill(from.store.as_ref()).await;
    let before = whole(from.store.as_ref()).await;
    assert_eq!((before.history.len(), before.audit.len()), (5, 7));
    let copied = store::copy(&from.url, &to, at(LATER)).await.unwrap();
    assert_eq!(copied, Copied { cases: 8, decisions: 5, audit: 7 });
    assert_eq!(whole(from.store.as_ref()).await, before, "the old one is as it was");
    let new = store::open(&to).await.unwrap();
    assert_eq!(whole(new.as_ref()).await, before);
    assert!(new.workers(T).await.unwrap().is_empty(), "nobody has anything there");
    assert_eq!(new.tally(&origin()).await.unwrap(), from.store.tally(&origin()).await.unwrap());
    // Held is held: its reviewer takes it back. What was on its way is read back first.
    let (ana, now) = (holder("ana", 9), at(LATER));
    let undone = new.undo(&origin(), id(5), &ana.reviewer.id, now).await.unwrap();
    assert_eq!(undone, store::Undone::TakenBack(key(5)));
    let claim =
        new.take(&origin(), &ana.worker, &ana.reviewer.id, now, TTL).await.unwrap().unwrap();
    assert_eq!((claim.decision.id, claim.was), (id(4), DeliveryState::Unknown));
    // Who escalated it is still not its second reader, and new rows find new numbers.
    let answer = new.lease(&origin(), &key(2), &ana, now, TTL).await.unwrap();
    assert_eq!(answer, store::LeaseAnswer::SecondReader);
    new.admit(&origin(), &case(9), CaseState::Open, now, now).await.unwrap();
    let mine = lease(new.as_ref(), 9, &ana, now).await;
    new.decide(&mine, &decision(9, &mine, Disposition::Reject), now, now).await.unwrap();
    let rows = new.audit(&origin(), 0, 1_000).await.unwrap();
    let head = new.audit_head(&origin()).await.unwrap();
    assert_eq!(store::audit::verify(&rows, Some(&head)), []);
    // It is not carried over what is there.
    let again = store::copy(&from.url, &to, at(LATER)).await.unwrap_err();
    assert!(matches!(again, StoreError::NotEmpty), "{again:?}");
    new.close().await;
    from.store.close().await;
}

fn file(folder: &tempfile::TempDir, name: &str) -> String {
    format!("sqlite:{}", folder.path().join(name).display())
}

#[tokio::test]
async fn a_file_is_carried_to_a_server() {
    let Some(cluster) = shared() else { return };
    carried(Bench::sqlite().await, cluster.database().await).await;
}

#[tokio::test]
async fn a_server_is_carried_to_a_file() {
    let Some(from) = Bench::postgres().await else { return };
    let folder = tempfile::TempDir::new().unwrap();
    carried(from, file(&folder, "new.db")).await;
}

#[tokio::test]
async fn a_file_is_carried_to_a_file_and_a_server_to_a_server() {
    let folder = tempfile::TempDir::new().unwrap();
    carried(Bench::sqlite().await, file(&folder, "new.db")).await;
    if let (Some(from), Some(cluster)) = (Bench::postgres().await, shared()) {
        carried(from, cluster.database().await).await;
    }
}

/// Broken off at any await: the new store is empty, and takes everything the next time.
#[tokio::test]
async fn a_copy_that_breaks_off_leaves_nothing() {
    let from = Bench::sqlite().await;
    fill(from.store.as_ref()).await;
    let mut targets: Vec<String> = Vec::new();
    let folder = tempfile::TempDir::new().unwrap();
    targets.push(file(&folder, "new.db"));
    let cluster = shared();
    if let Some(cluster) = &cluster {
        targets.push(cluster.database().await);
    }
    for to in targets {
        store::open(&to).await.unwrap().close().await;
        let mut ended = false;
        for polls in 1..10_000 {
            match Mortal::new(store::copy(&from.url, &to, at(LATER)), polls).await {
                Some(copied) => {
                    assert_eq!(copied.unwrap().cases, 8);
                    ended = true;
                    break;
                }
                None => {
                    let store = store::open(&to).await.unwrap();
                    // Cut off after it was kept, it was kept whole.
                    let origins = store.origins().await.unwrap();
                    ended = !origins.is_empty();
                    if ended {
                        whole(store.as_ref()).await;
                    }
                    store.close().await;
                    if ended {
                        break;
                    }
                }
            }
        }
        assert!(ended, "it never came to an end");
    }
    from.store.close().await;
}

#[tokio::test]
async fn a_store_at_work_or_of_nothing_is_not_carried() {
    let from = Bench::sqlite().await;
    let folder = tempfile::TempDir::new().unwrap();
    let to = file(&folder, "new.db");
    from.store.admit(&origin(), &case(1), CaseState::Open, T, T).await.unwrap();
    lease(from.store.as_ref(), 1, &holder("ana", 1), T).await;
    let busy = store::copy(&from.url, &to, at(1)).await.unwrap_err();
    assert!(matches!(busy, StoreError::InUse(1)), "{busy:?}");
    for url in ["memory:", "mysql://x"] {
        let bad = store::copy(url, &to, T).await.unwrap_err();
        assert!(matches!(bad, StoreError::BadUrl), "{bad:?}");
    }
    let nowhere = file(&folder, "nowhere.db");
    let none = store::copy(&nowhere, &to, T).await.unwrap_err();
    assert!(matches!(none, StoreError::NotAStore { .. }), "{none:?}");
    assert!(!folder.path().join("nowhere.db").exists());
    if let Some(cluster) = shared() {
        let none = store::copy(&cluster.database().await, &to, T).await.unwrap_err();
        assert!(matches!(none, StoreError::NotAStore { .. }), "{none:?}");
    }
    from.store.close().await;
}

/// A simulator with two keys of one application.
async fn two_keys(numbers: impl IntoIterator<Item = u64>) -> Sim {
    let keys = ["sk_test_the_first_key", "sk_test_the_second_key"].map(Key::full).into();
    let options = Options { limits: Limits::none(), keys, ..Options::default() };
    Sim::start(world(numbers), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_made_shown_and_carried_from_the_shell() {
    let sim = two_keys([1001, 1002]).await;
    let mut home = Home::at(&sim, 300);
    let ready = home.rows(&["store", "init"]);
    assert!(ready[0]["store"].as_str().unwrap().ends_with("store.db"));
    assert_eq!(home.run(&["sync"]).code, 0);
    assert_eq!(home.run(&["decide", "1001", "reject"]).code, 0);
    let status = &home.rows(&["store", "status"])[0];
    assert_eq!((&status["origins"][0]["open"], &status["consoles"]), (&1.into(), &0.into()));
    let old = home.environment().iter().find(|(name, _)| name == "SECONDLOOK_STORE").unwrap();
    let (old, new) = (old.1.clone(), format!("sqlite:{}", home.path("new.db").display()));
    let copied = home.rows(&["store", "copy", "--from", &old, "--to", &new]);
    assert_eq!(copied[0], serde_json::json!({"cases": 2, "decisions": 1, "audit": 1}));
    let again = home.run(&["store", "copy", "--from", &old, "--to", &new]);
    assert_eq!((again.code, again.out.as_str()), (6, ""), "{again:?}");
    assert!(again.err.contains("not empty"), "{again:?}");
    home.set("SECONDLOOK_STORE", &new);
    assert_eq!(home.decisions(), ["reject held"]);
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
    let secret =
        home.run(&["store", "copy", "--from", "postgres://ana:s3cret@127.0.0.1:1/x", "--to", &new]);
    assert_eq!(secret.code, 1);
    assert!(!format!("{secret:?}").contains("s3cret"), "{secret:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_of_the_same_application_takes_the_rows() {
    let sim = two_keys([1001, 1002]).await;
    let mut home = Home::at(&sim, 300);
    assert_eq!(home.run(&["sync"]).code, 0);
    assert_eq!(home.run(&["decide", "1001", "reject"]).code, 0);
    home.set("DIDIT_API_KEY", "sk_test_the_second_key");
    assert_eq!(home.rows(&["history"]).len(), 0, "another key sees nothing");
    // With the new key the same cases were taken in meanwhile: the old rows are the ones that count.
    assert_eq!(home.run(&["sync"]).code, 0);
    let bound = home.run(&["store", "rebind", "--json"]);
    assert_eq!(bound.code, 0, "{bound:?}");
    assert!(bound.err.contains("can be read with this key"), "{bound:?}");
    assert!(bound.out.contains("\"cases\":2"), "{bound:?}");
    assert_eq!(home.decisions(), ["reject held"]);
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
    assert_eq!(home.run(&["outbox", "flush"]).code, 0);
    assert_eq!(home.decisions(), ["reject sent"]);
    assert_eq!(home.run(&["store", "rebind"]).code, 3, "there is nothing more");

    // A key that can read nothing of it gets nothing; nor does one that has decided for itself.
    let other = Sim::start(world([2001]), Options { limits: Limits::none(), ..Options::default() });
    let other = other.await.unwrap();
    sim.knobs().vanish(secondlook::sim::session_id(1001));
    sim.knobs().vanish(secondlook::sim::session_id(1002));
    home.set("DIDIT_API_KEY", sim.api_key());
    let refused = home.run(&["store", "rebind"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("another application"), "{refused:?}");
    home.set("DIDIT_BASE_URL", other.base_url());
    home.set("DIDIT_API_KEY", other.api_key());
    assert_eq!(home.run(&["store", "rebind"]).code, 3, "rows of another address are not touched");
}

/// The rules of giving rows to another key, on every store.
async fn rebound(store: &Arc<dyn Store>) {
    let new = secondlook::domain::Origin("https://verification.didit.me#ffff".to_owned());
    fill(store.as_ref()).await;
    let busy = store.rebind(&origin(), &new, T).await.unwrap_err();
    assert!(matches!(busy, StoreError::InUse(2)), "{busy:?}");
    store.admit(&new, &case(1), CaseState::Open, T, T).await.unwrap();
    let tally = store.tally(&origin()).await.unwrap();
    assert!(store.rebind(&origin(), &new, at(LATER)).await.unwrap());
    assert_eq!(store.tally(&new).await.unwrap(), tally);
    assert_eq!(store.audit_head(&new).await.unwrap().seq, 7);
    assert!(!store.rebind(&origin(), &new, at(LATER)).await.is_ok_and(|done| done));
    // The other way round is refused as soon as there is a decision on both sides.
    store.admit(&origin(), &case(1), CaseState::Open, T, T).await.unwrap();
    let error = store.rebind(&origin(), &new, at(LATER)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotEmpty), "{error:?}");
    assert_eq!(store.origins().await.unwrap().len(), 2);
}

#[tokio::test]
async fn rows_are_given_to_another_key() {
    rebound(&Bench::memory().await.store).await;
    let bench = Bench::sqlite().await;
    rebound(&bench.store).await;
    bench.store.close().await;
    if let Some(bench) = Bench::postgres().await {
        rebound(&bench.store).await;
        bench.store.close().await;
    }
}
