//! Keys that hold the origin, and tables that are parted by it: the change of a store that is there keeps every
//! entry of the audit, may be killed at any moment, and is begun again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use secondlook::domain::{CaseState, DeliveryState, Disposition, LeaseAnswer, Origin};
use secondlook::store::{self, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::audit::behind;
use crate::postgres::{Cluster, shared};
use crate::store::{T, TTL, WINDOW, at, case, decision, holder};
use crate::terminal::{LIMIT, PROGRAM};

/// The migrations that were before keys held the origin.
const BEFORE: usize = 13;

fn tenant(name: &str) -> Origin {
    Origin(format!("https://verification.didit.me#{name}"))
}

/// Takes a case in and decides it, for a tenant.
async fn decide(store: &dyn Store, of: &Origin, n: u32) {
    store.admit(of, &case(n), CaseState::Open, T, T).await.unwrap();
    let ana = holder("ana", 1);
    let lease = store.lease(of, &case(n).key, &ana, T, TTL).await.unwrap();
    let LeaseAnswer::Yours(lease) = lease else { panic!("{lease:?}") };
    let made = decision(u128::from(n), &lease, Disposition::Reject);
    let state = store.decide(&lease, &made, at(WINDOW), T).await.unwrap();
    assert_eq!(state, DeliveryState::Held);
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn text(connection: &mut PgConnection, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap()
}

/// The number of a tenant.
async fn number(connection: &mut PgConnection, of: &Origin) -> String {
    text(connection, &format!("SELECT id::text FROM origins WHERE name = '{}'", of.0)).await
}

/// Whether the cases of a tenant lie in a table of their own, and nowhere else; in the default one otherwise.
async fn lie_apart(connection: &mut PgConnection, of: &Origin) -> bool {
    let number = number(connection, of).await;
    let sql = format!(
        "SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM cases WHERE origin = {number}"
    );
    let tables = text(connection, &sql).await;
    let apart = tables == format!("cases_{number}");
    assert!(apart || tables == "cases_rest", "{tables}");
    apart
}

/// All that must never change, as one text.
const CONTENTS: &str = "SELECT md5(coalesce((SELECT string_agg(md5(concat(origin, seq, entry, hash, decision)), '' \
    ORDER BY origin, seq) FROM audit), '') || coalesce((SELECT string_agg(md5(concat(origin, seq, id, record, \
    state)), '' ORDER BY origin, seq) FROM decisions), '') || (SELECT string_agg(md5(concat(origin, id, key, \
    record, state)), '' ORDER BY origin, id) FROM cases))";

/// Starts a command on a store and kills it when its server waits for a lock, which somebody else holds.
async fn killed_while_it_waits(url: &str, args: &[&str]) {
    let mut watching = connect(url).await;
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(PROGRAM)
        .args(args)
        .env_clear()
        .env("HOME", folder.path())
        .env("SECONDLOOK_STORE", url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                 AND application_name = 'secondlook' AND datname = current_database()";
    let since = Instant::now();
    while text(&mut watching, waits).await == "0" {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        assert!(since.elapsed() < LIMIT, "it waits for nothing");
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The server notices by itself that nobody is there any more.
    let there = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'secondlook' \
                 AND datname = current_database()";
    while text(&mut watching, there).await != "0" {
        assert!(since.elapsed() < LIMIT, "the server goes on for nobody");
        tokio::task::yield_now().await;
    }
    watching.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_parted_in_place_though_it_is_killed_in_the_middle() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database().await;
    let (one, other) = (tenant("one"), tenant("other"));
    let store = store::open(&url).await.unwrap();
    for n in 1..=30 {
        decide(store.as_ref(), &one, n).await;
        decide(store.as_ref(), &other, n).await;
    }
    let head = store.audit_head(&one).await.unwrap();
    // Consoles at work are not torn from their tables.
    store.admit(&one, &case(99), CaseState::Open, T, T).await.unwrap();
    let ana = holder("ana", 1);
    store.lease(&one, &case(99).key, &ana, T, TTL).await.unwrap();
    let busy = store::make_partitions(&url, T, |_, _| ()).await.unwrap_err().to_string();
    store.bury(&holder("ana", 1).worker, T).await.unwrap();
    assert!(busy.contains("at work"), "{busy}");
    store.close().await;
    let mut beside = connect(&url).await;
    let contents = text(&mut beside, CONTENTS).await;

    // Half of it is done when it comes to the audit, whose new name somebody else is about to take.
    let mut obstacle = connect(&url).await;
    let ones = number(&mut beside, &one).await;
    let name = AssertSqlSafe(format!("BEGIN; CREATE TABLE audit_{ones} ()"));
    sqlx::raw_sql(name).execute(&mut obstacle).await.unwrap();
    killed_while_it_waits(&url, &["store", "init", "--partitions"]).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut obstacle).await.unwrap();
    let parted =
        "SELECT string_agg(relkind::text, '') FROM pg_class WHERE relname IN ('cases', 'audit')";
    assert_eq!(text(&mut beside, parted).await, "rr", "as if it had never begun");
    assert_eq!(text(&mut beside, CONTENTS).await, contents);

    for _ in 0..2 {
        store::make_partitions(&url, T, |_, _| ()).await.unwrap();
        assert_eq!(text(&mut beside, parted).await, "pp");
        assert_eq!(text(&mut beside, CONTENTS).await, contents);
        assert!(lie_apart(&mut beside, &one).await);
        assert!(lie_apart(&mut beside, &other).await);
    }
    let store = store::open(&url).await.unwrap();
    assert_eq!(store.audit_head(&one).await.unwrap(), head);
    // Work goes on where it was, and a new tenant has tables of its own at once.
    decide(store.as_ref(), &one, 31).await;
    let third = tenant("third");
    decide(store.as_ref(), &third, 1).await;
    assert!(lie_apart(&mut beside, &third).await);
    // One that comes while somebody holds a table gets none, and has to wait for nobody.
    let hold = "BEGIN; LOCK TABLE decisions_rest IN ACCESS SHARE MODE";
    sqlx::raw_sql(hold).execute(&mut obstacle).await.unwrap();
    let late = tenant("late");
    decide(store.as_ref(), &late, 1).await;
    assert!(!lie_apart(&mut beside, &late).await);
    sqlx::raw_sql("ROLLBACK").execute(&mut obstacle).await.unwrap();
    store.bury(&holder("ana", 1).worker, T).await.unwrap();
    store::make_partitions(&url, T, |_, _| ()).await.unwrap();
    assert!(lie_apart(&mut beside, &late).await);
    decide(store.as_ref(), &late, 2).await;
    assert!(lie_apart(&mut beside, &late).await);
    // What guards a table guards its parts, and everybody.
    for sql in [
        "DELETE FROM audit_$",
        "TRUNCATE audit_$",
        "UPDATE audit_$ SET hash = ''",
        "UPDATE decisions_$ SET record = ''",
        "DELETE FROM decisions_$",
    ] {
        for of in [&one, &third, &late] {
            let sql = sql.replace('$', &number(&mut beside, of).await);
            assert!(!behind(&url, &sql).await, "{sql}");
        }
    }
    store.close().await;
    // It is carried over as any other, and into one that is parted.
    let to = cluster.database().await;
    store::make_partitions(&to, T, |_, _| ()).await.unwrap();
    let copied = store::copy(&url, &to, at(10 * TTL)).await.unwrap();
    assert_eq!((copied.cases, copied.decisions), (65, 64));
    let mut there = connect(&to).await;
    let contents = text(&mut beside, CONTENTS).await;
    assert_eq!(text(&mut there, CONTENTS).await, contents);
    assert!(lie_apart(&mut there, &late).await);
}

/// Every key of a table of rows, in both databases, holds the origin.
#[tokio::test]
async fn every_key_holds_the_origin() {
    let folder = TempDir::new().unwrap();
    let file = format!("sqlite:{}", folder.path().join("store.db").display());
    store::open(&file).await.unwrap().close().await;
    let mut file = SqliteConnection::connect(&file).await.unwrap();
    let keys = "SELECT m.name || ' ' || i.name || ' ' || (SELECT group_concat(c.name) FROM \
                pragma_index_info(i.name) c) FROM sqlite_master m, pragma_index_list(m.name) i \
                WHERE m.type = 'table' AND i.\"unique\" = 1 \
                UNION ALL SELECT m.name || ' rowid ' || group_concat(t.name) FROM sqlite_master m, \
                pragma_table_info(m.name) t WHERE m.type = 'table' AND t.pk > 0 GROUP BY m.name \
                UNION ALL SELECT m.name || ' to ' || f.\"table\" || ' ' || group_concat(f.\"from\") \
                FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' \
                GROUP BY m.name, f.id";
    let mut all: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut file).await.unwrap();
    if let Some(cluster) = shared() {
        let url = cluster.database().await;
        store::open(&url).await.unwrap().close().await;
        let keys = "SELECT concat_ws(' ', conrelid::regclass, conname, (SELECT string_agg(attname, ',') \
                    FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))) \
                    FROM pg_constraint WHERE contype IN ('p', 'u', 'f') \
                    AND connamespace = 'public'::regnamespace \
                    UNION ALL SELECT concat_ws(' ', indrelid::regclass, indexrelid::regclass, \
                    pg_get_indexdef(indexrelid)) FROM pg_index JOIN pg_class c ON c.oid = indrelid \
                    WHERE indisunique AND c.relnamespace = 'public'::regnamespace";
        let mut connection = connect(&url).await;
        let found: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut connection).await.unwrap();
        assert!(found.len() > 30, "{found:?}");
        all.extend(found);
    }
    assert!(all.len() > 30, "{all:?}");
    // The store's one row, and the origins themselves.
    all.retain(|key| !key.starts_with("store ") && !key.starts_with("origins "));
    for key in all {
        assert!(key.contains("origin"), "{key}");
    }
}

/// The folder of a database's migrations, in their order.
fn migrations(of: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/migrations").join(of);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// Rows of two tenants as they were kept before, in words of both databases: `$N` cases, a tenth of them decided.
fn rows(cases: u64) -> String {
    let decided = cases / 10;
    format!(
        "INSERT INTO origins (name) VALUES ('https://a#1'), ('https://a#2');\n\
         INSERT INTO cases (origin, key, session_number, kind, record, state, place, seen_at, fence) \
         WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {cases}) \
         SELECT 1 + n % 2, 'key' || n, n || '', 'workflow', '{{\"n\":' || n || ',\"of\":\"{filler}\"}}', 'open', n, n, 0 \
         FROM g;\n\
         INSERT INTO decisions (origin, id, case_id, reviewer, disposition, record, case_was, state, due, attempts, \
         fence, may_have_written, status_done, listed, noted) \
         SELECT origin, 'id' || id, id, 'os:1', 'reject', '{filler}', 'open', 'sent', 0, 1, 1, 1, 1, 0, 0 \
         FROM cases WHERE id <= {decided};\n\
         INSERT INTO audit (origin, seq, entry, hash, decision) \
         SELECT origin, 2 * seq, '{{\"case\":\"key' || case_id || '\",\"of\":\"{filler}\"}}', 'hash' || seq, id \
         FROM decisions UNION ALL \
         SELECT origin, 2 * seq + 1, '{{\"case\":\"key' || case_id || '\",\"of\":\"{filler}\"}}', 'hash' || seq, id \
         FROM decisions;\n",
        filler = "x".repeat(900),
    )
}

/// A server's store as the version before left it.
async fn server_before(cluster: &Cluster, cases: u64) -> String {
    let url = cluster.database().await;
    let mut connection = connect(&url).await;
    for sql in &migrations("postgres")[..BEFORE] {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await.unwrap();
    }
    let sql = format!(
        "INSERT INTO store (one, schema, salt) VALUES (1, {BEFORE}, sha256('x'));{}",
        rows(cases)
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    url
}

/// A file as the version before left it.
async fn file_before(path: &Path, cases: u64) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut file = options.busy_timeout(LIMIT).connect().await.unwrap();
    let begin = "PRAGMA application_id = 0x326c6b31; PRAGMA journal_mode = WAL";
    sqlx::raw_sql(begin).execute(&mut file).await.unwrap();
    for sql in &migrations("sqlite")[..BEFORE] {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut file).await.unwrap();
    }
    let sql = format!(
        "INSERT INTO store (one, schema, salt) VALUES (1, {BEFORE}, zeroblob(32)); BEGIN; {} COMMIT",
        rows(cases)
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// All that must never change of a file: read row by row, for a million is no text.
async fn contents_of(file: &mut SqliteConnection) -> String {
    let sql = "SELECT (SELECT count(*) || ' ' || sum(length(entry)) || ' ' || sum(seq * length(hash)) || ' ' || \
               count(DISTINCT origin || ' ' || seq || hash) FROM audit) || (SELECT count(*) || ' ' || \
               sum(length(record)) || ' ' || count(DISTINCT origin || ' ' || seq || id || case_id) FROM decisions) \
               || (SELECT count(*) || ' ' || sum(length(record)) || ' ' || \
               count(DISTINCT origin || ' ' || id || key) FROM cases)";
    sqlx::query_scalar(sql).fetch_one(file).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_a_server_change_though_the_program_is_killed_in_the_middle() {
    let Some(cluster) = shared() else { return };
    let url = server_before(&cluster, 2_000).await;
    let mut beside = connect(&url).await;
    let contents = text(&mut beside, CONTENTS).await;
    let mut obstacle = connect(&url).await;
    // The keys of cases and decisions have changed when it comes to who looks on.
    sqlx::raw_sql("BEGIN; LOCK TABLE watchers IN ACCESS SHARE MODE")
        .execute(&mut obstacle)
        .await
        .unwrap();
    killed_while_it_waits(&url, &["store", "init"]).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut obstacle).await.unwrap();
    assert_eq!(text(&mut beside, "SELECT schema::text FROM store").await, BEFORE.to_string());
    assert_eq!(text(&mut beside, CONTENTS).await, contents);
    store::open(&url).await.unwrap().close().await;
    assert_ne!(text(&mut beside, "SELECT schema::text FROM store").await, BEFORE.to_string());
    assert_eq!(text(&mut beside, CONTENTS).await, contents);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_a_file_change_though_the_program_is_killed_in_the_middle() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let mut file = file_before(&path, 20_000).await;
    let contents = contents_of(&mut file).await;
    file.close().await.unwrap();
    let mut init = Command::new(PROGRAM);
    init.args(["store", "init"]).env_clear().env("HOME", folder.path());
    init.env("SECONDLOOK_STORE", format!("sqlite:{}", path.display()));
    init.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = init.spawn().unwrap();
    // Rows have moved when the file beside the store has grown.
    let log = folder.path().join("store.db-wal");
    let since = Instant::now();
    while std::fs::metadata(&log).map_or(0, |meta| meta.len()) < 2 << 20 {
        assert!(since.elapsed() < LIMIT, "nothing is moved");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
    child.kill().unwrap();
    child.wait().unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut file = options.connect().await.unwrap();
    let schema = "SELECT schema FROM store";
    let kept: i64 = sqlx::query_scalar(schema).fetch_one(&mut file).await.unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), BEFORE, "as if it had never begun");
    assert_eq!(contents_of(&mut file).await, contents);
    let output = init.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let kept: i64 = sqlx::query_scalar(schema).fetch_one(&mut file).await.unwrap();
    assert!(usize::try_from(kept).unwrap() > BEFORE);
    assert_eq!(contents_of(&mut file).await, contents);
    let broken: Vec<String> = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
        .fetch_all(&mut file)
        .await
        .unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}

/// A store of a million rows on both databases: the keys change, and the server's is parted. Prints what that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: see CONTRIBUTING.md"]
async fn a_million_rows_in_full() {
    // With the decisions and two entries of each it comes to a million rows.
    const CASES: u64 = 770_000;
    let took = |what: &str, since: Instant| {
        eprintln!("{what}: {:.1} s", since.elapsed().as_secs_f64());
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let mut file = file_before(&path, CASES).await;
    let contents = contents_of(&mut file).await;
    file.close().await.unwrap();
    let since = Instant::now();
    store::open(&format!("sqlite:{}", path.display())).await.unwrap().close().await;
    took("keys of a file of a million rows", since);
    let mut file = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    assert_eq!(contents_of(&mut file).await, contents);
    file.close().await.unwrap();
    drop(folder);

    let Some(cluster) = Cluster::start_durable() else { return };
    let url = server_before(&cluster, CASES).await;
    let mut beside = connect(&url).await;
    let contents = text(&mut beside, CONTENTS).await;
    let since = Instant::now();
    store::open(&url).await.unwrap().close().await;
    took("keys of a server's store of a million rows", since);
    assert_eq!(text(&mut beside, CONTENTS).await, contents);
    let since = Instant::now();
    store::make_partitions(&url, T, |_, _| ()).await.unwrap();
    took("partitions of a million rows", since);
    assert_eq!(text(&mut beside, CONTENTS).await, contents);
}
