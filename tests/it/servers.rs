//! PostgreSQL as people run it: other defaults, other encodings, poolers, and servers that take each other's
//! place.

use secondlook::domain::DeliveryState;
use secondlook::sim::{Limits, Options, Sim};
use secondlook::store::{self, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::audit::behind;
use crate::postgres::{Cluster, shared};
use crate::store::{T, WINDOW, admit, at, decision, holder, lease, origin, row};
use crate::terminal::{Home, Plays, world};

/// Decides case `n` in the name of a reviewer; what became of it.
async fn decide(store: &dyn Store, n: u32, who: &str) -> store::Result<DeliveryState> {
    admit(store, n).await;
    let ours = lease(store, n, &holder(who, 1), T).await;
    let made = decision(u128::from(n), &ours, secondlook::domain::Disposition::Reject);
    store.decide(&ours, &made, at(WINDOW), T).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stricter_default_isolation_changes_nothing() {
    let Some(cluster) = shared() else { return };
    for level in ["serializable", "repeatable read"] {
        let url = cluster.database().await;
        let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
        let set = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
        assert!(behind(&url, &set).await);
        let (one, other) = (store::open(&url).await.unwrap(), store::open(&url).await.unwrap());
        let many = async |store: &dyn Store, from: u32, who: &str| {
            for n in from..from + 25 {
                assert_eq!(decide(store, n, who).await.unwrap(), DeliveryState::Held, "{level}");
            }
        };
        tokio::join!(many(one.as_ref(), 1, "ana"), many(other.as_ref(), 101, "eva"));
        assert_eq!(one.audit_head(&origin()).await.unwrap().seq, 50, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_hold_every_letter_is_refused_before_anything_is_made() {
    let Some(cluster) = shared() else { return };
    let postgres = cluster.url("postgres");
    let make =
        "CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    assert!(behind(&postgres, make).await);
    let url = cluster.url("narrow");
    let why = store::open(&url).await.err().expect("it is refused").to_string();
    assert!(why.contains("is in LATIN1, and a store needs UTF8"), "{why}");
    assert!(!behind(&url, "SELECT 1 FROM store").await, "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_said_and_forgotten_when_it_does() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database().await;
    let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
    let first = store::open(&url).await.unwrap();
    decide(first.as_ref(), 1, "ana").await.unwrap();
    first.close().await;
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let mut set = async |to: &str| {
        let sql = format!("ALTER DATABASE {name} {to}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    };
    set("SET default_transaction_read_only = on").await;
    let shut = store::open(&url).await.unwrap();
    assert_eq!(row(shut.as_ref(), 1).await.state, DeliveryState::Held, "it can be read");
    let why = shut.keeps().await.expect_err("it is refused").to_string();
    assert!(why.contains("default_transaction_read_only is on"), "{why}");
    shut.close().await;
    set("RESET default_transaction_read_only").await;
    let again = store::open(&url).await.unwrap();
    decide(again.as_ref(), 2, "ana").await.unwrap();
    // Its tables taken away.
    assert!(behind(&url, "ALTER SCHEMA public RENAME TO elsewhere").await);
    let why = decide_error(again.as_ref()).await;
    assert!(why.contains("tables are not there any more, or search_path leads elsewhere"), "{why}");
}

async fn decide_error(store: &dyn Store) -> String {
    store.tally(&origin()).await.expect_err("there is nothing").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_is_as_good_as_the_server_and_in_transaction_mode_it_is_refused() {
    let Some(cluster) = shared() else { return };
    let direct = cluster.database().await;
    let name = direct.split(['/', '?']).nth(3).unwrap().to_owned();
    let Some((_pooler, url)) = cluster.pooler("session", &name) else { return };
    let (one, other) = (store::open(&url).await.unwrap(), store::open(&url).await.unwrap());
    let mut news = other.news(&origin());
    news.next().await.unwrap().unwrap();
    for n in 1..5 {
        decide(one.as_ref(), n, "ana").await.unwrap();
        decide(other.as_ref(), 10 + n, "eva").await.unwrap();
    }
    news.next().await.unwrap().unwrap();
    assert_eq!(row(one.as_ref(), 1).await.state, DeliveryState::Held);
    let Some((_pooler, url)) = cluster.pooler("transaction", &name) else { return };
    for _ in 0..2 {
        let why = store::open(&url).await.err().expect("it is refused").to_string();
        assert!(why.contains("a pooler in transaction mode stands before the server"), "{why}");
    }
}

/// What was answered is kept, whichever of the servers is written to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_server_dies_the_next_one_of_the_address_is_used() {
    let Some(primary) = Cluster::start() else { return };
    let standby = primary.standby().await;
    // The standby first: it takes no writes, and is passed over.
    let url = standby.url_of_all(&[&primary], "postgres");
    let store = store::open(&url).await.unwrap();
    let reader = store::open(&url).await.unwrap();
    let mut news = reader.news(&origin());
    news.next().await.unwrap().unwrap();
    decide(store.as_ref(), 1, "ana").await.unwrap();
    // A report reads where nothing is written.
    let report = store::open(&standby.url("postgres")).await.unwrap();
    let mut tries = 0;
    while report.tally(&origin()).await.unwrap().decided == 0 {
        tries += 1;
        assert!(tries < 10_000, "it does not follow");
    }
    report.close().await;
    // Nor does one that is asked for any server.
    let any = store::open(&format!("{url}&target_session_attrs=any")).await.unwrap();
    assert_eq!(any.tally(&origin()).await.unwrap().decided, 1);
    any.close().await;
    assert!(primary.stop());
    standby.promote();
    let mut tries = 0;
    // What was under way on the dead one is told; the next is on the other.
    while let Err(why) = store.tally(&origin()).await {
        tries += 1;
        assert!(tries < 20, "{why}");
    }
    assert_eq!(row(store.as_ref(), 1).await.state, DeliveryState::Held);
    decide(store.as_ref(), 2, "ana").await.unwrap();
    // The others hear of it there.
    while news.next().await.unwrap().is_err() {}
    while reader.tally(&origin()).await.is_err() {}
    assert_eq!(row(reader.as_ref(), 2).await.state, DeliveryState::Held);
    assert_eq!(store.audit_head(&origin()).await.unwrap().seq, 2);
}

/// What the server says of itself stands on the screen as long as it is true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_says_what_is_wrong_with_the_server_and_forgets_it_when_it_is_not() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database().await;
    let name = url.split(['/', '?']).nth(3).unwrap().to_owned();
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002]), options).await.unwrap();
    let mut home = Home::at(&sim, 300);
    home.set("SECONDLOOK_STORE", &url);
    let console = home.console(Plays::Xterm);
    let case = console.any_armed();
    let postgres = cluster.url("postgres");
    // Whoever is logged in has to come again, as after a failover to a server that follows.
    let again =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    for (wrong, mended, said) in [
        (
            format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
            format!("ALTER DATABASE {name} RESET default_transaction_read_only"),
            "The server takes no writes",
        ),
        (
            "ALTER SCHEMA public RENAME TO elsewhere".to_owned(),
            "ALTER SCHEMA elsewhere RENAME TO public".to_owned(),
            "The store's tables are not there any more",
        ),
    ] {
        let at = if wrong.contains("SCHEMA") { &url } else { &postgres };
        assert!(behind(at, &wrong).await && behind(&postgres, &again).await);
        console.wait(said, |screen| screen.contains(said) && !screen.contains(" ARMED "));
        // With what is wrong goes its word; what it was about arms again, and is decided.
        assert!(behind(at, &mended).await && behind(&postgres, &again).await);
        console.wait("armed, and no word", |screen| {
            screen.contains(" ARMED ")
                && !screen.contains(said)
                && !screen.contains("Nothing is taken")
        });
    }
    let decided = console.any_armed();
    assert_eq!(decided, case);
    console.press("x");
    console.wait_for(&[&format!("held: #{decided} reject"), "held 1"]);
    console.press("q");
    sim.shutdown().await;
}
