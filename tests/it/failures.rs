//! What the program stands on gives way: a full disk, a database that is gone, a clock that is wrong, a
//! store of a later version. It says so in a sentence, and takes nothing that it cannot keep.

use std::process::Stdio;
use std::time::Duration;

use secondlook::domain::{Disposition, Millis};
use secondlook::sim::{Limits, Options, Route, Sim};
use secondlook::store::StoreError;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::postgres::Cluster;
use crate::store::{Bench, T, TTL, at, decision, holder, lease, origin};
use crate::terminal::{Home, PROGRAM, Ran, world};

async fn sim(numbers: impl IntoIterator<Item = u64>) -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world(numbers), options).await.unwrap()
}

fn writes(sim: &Sim) -> usize {
    sim.record().iter().filter(|call| call.route == Some(Route::UpdateStatus)).count()
}

/// Wants one sentence with a next step on standard error, and an exit code.
fn says(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.err.contains(words), "{words}: {ran:?}");
    assert!(ran.err.starts_with("secondlook: ") && ran.err.trim_end().ends_with('.'), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
}

/// Lines of a shell in the home's surroundings, under limits or mounts of their own. What they print.
fn shell(home: &Home, before: &[&str], lines: &str) -> (bool, String) {
    let (first, rest) = before.split_first().unwrap_or((&"sh", &[]));
    let mut command = std::process::Command::new(first);
    command.args(rest);
    if !before.is_empty() {
        command.arg("sh");
    }
    command
        .args(["-c", lines])
        .env_clear()
        .envs(home.environment().iter().cloned())
        .env("PROGRAM", PROGRAM);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_refuses_keeps_no_decision_and_loses_none() {
    let sim = sim([1001, 1002]).await;
    let home = Home::at(&sim, 300);
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    // No file of the program may grow: every write of the store fails, and says so by a signal besides.
    let refused = "trap '' XFSZ; ulimit -f 0; $PROGRAM decide 1002 reject; echo \"code $?\"";
    let (_, said) = shell(&home, &[], refused);
    assert!(said.contains("code 1") && said.contains("the disk"), "{said}");
    assert_eq!(home.decisions(), ["approve held"], "nothing was taken, nothing was lost");
    home.rows(&["decide", "1002", "reject"]);
    assert_eq!(home.decisions(), ["reject held", "approve held"]);
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
    sim.shutdown().await;
}

/// A real full disk: a tiny file system in a mount namespace of its own, where one may be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_no_decision_and_loses_none() {
    let sim = sim([1001, 1002]).await;
    let mut home = Home::at(&sim, 300);
    let disk = home.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let apart = ["unshare", "-m", "-r"];
    let mount = format!("mount -t tmpfs -o size=1m,mode=700 none {}", disk.display());
    if !shell(&home, &apart, &mount).0 {
        eprintln!("skipped: no file system may be mounted here");
        return;
    }
    home.set("SECONDLOOK_STORE", &format!("sqlite:{}", disk.join("store.db").display()));
    let lines = format!(
        "{mount} && cd {} && $PROGRAM sync && $PROGRAM decide 1001 approve\n\
         dd if=/dev/zero of=filler bs=512 2>/dev/null\n\
         for n in 1 2 3; do $PROGRAM decide 1002 reject; echo \"full $?\"; done\n\
         rm filler; $PROGRAM history --json | sed 's/^/kept /'; $PROGRAM decide 1002 reject; echo \"room $?\"\n\
         $PROGRAM outbox flush; $PROGRAM audit verify; echo \"audit $?\"",
        disk.display(),
    );
    let (_, said) = shell(&home, &apart, &lines);
    assert_eq!(said.matches("full 1").count(), 3, "{said}");
    assert!(said.contains("disk is full") || said.contains("it may be full"), "{said}");
    assert_eq!(said.matches("kept {").count(), 1, "{said}");
    assert!(said.contains("room 0") && said.contains("audit 0"), "{said}");
    assert_eq!(writes(&sim), 2, "{said}");
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_takes_no_decision() {
    let Some(cluster) = Cluster::start() else { return };
    let sim = sim([1001, 1002]).await;
    let mut home = Home::at(&sim, 0);
    home.set("SECONDLOOK_STORE", &cluster.database().await);
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    assert!(cluster.stop());
    let before = sim.record().len();
    for command in
        [&["decide", "1002", "reject"][..], &["outbox", "flush"], &["undo", &"0".repeat(32)]]
    {
        says(&home.run(command), 1, "the store cannot be reached");
    }
    let asked = sim.record()[before..].iter().filter(|call| call.method != "GET").count();
    assert_eq!(asked, 0, "and nothing is sent");
    cluster.run();
    home.rows(&["decide", "1002", "reject"]);
    home.rows(&["outbox", "flush"]);
    assert_eq!(home.decisions(), ["reject sent", "approve sent"]);
    assert_eq!(writes(&sim), 2);
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_a_later_version_takes_no_decision() {
    let sim = sim([1001, 1002]).await;
    let home = Home::at(&sim, 0);
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    let version = async |schema: u32| {
        let file = SqliteConnectOptions::new().filename(home.path("store.db"));
        let mut file = file.connect().await.unwrap();
        let sql = format!("UPDATE store SET schema = schema + {schema} - 9");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
    };
    version(10).await;
    for command in [&["decide", "1002", "reject"][..], &["outbox", "flush"], &["history"]] {
        says(&home.run(command), 1, "a later version");
    }
    assert_eq!(writes(&sim), 0);
    version(8).await;
    home.rows(&["outbox", "flush"]);
    assert_eq!(home.decisions(), ["approve sent"]);
    sim.shutdown().await;
}

/// A later version changes the tables under a console that has them open.
async fn changed_while_open(bench: Option<Bench>) {
    let Some(bench) = bench else { return };
    let (store, ana) = (bench.store.as_ref(), holder("ana", 1));
    for n in [1, 2] {
        let case = crate::store::case(n);
        let open = secondlook::domain::CaseState::Open;
        store.admit(&origin(), &case, open, T, T).await.unwrap();
    }
    let ours = lease(store, 1, &ana, T).await;
    let made = decision(1, &ours, Disposition::Approve);
    store.decide(&ours, &made, at(1), T).await.unwrap();
    let ours = lease(store, 2, &ana, T).await;
    assert!(crate::audit::behind(&bench.url, "UPDATE store SET schema = schema + 1").await);
    let made = decision(2, &ours, Disposition::Approve);
    let answer = store.decide(&ours, &made, at(1), T).await;
    assert!(matches!(answer, Err(StoreError::Newer { .. })), "{answer:?}");
    let answer = store.take(&origin(), &ana.worker, &ana.reviewer.id, at(5), TTL).await;
    assert!(matches!(answer, Err(StoreError::Newer { .. })), "{answer:?}");
    store.close().await;
}

#[tokio::test]
async fn a_store_that_a_later_version_changes_takes_no_decision() {
    changed_while_open(Some(Bench::sqlite().await)).await;
    changed_while_open(Bench::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_off_is_said_and_didits_is_used() {
    let sim = sim([1001, 1002]).await;
    let home = Home::at(&sim, 300);
    home.rows(&["sync"]);
    let right = home.run(&["doctor"]);
    assert!(right.out.contains("clock          as Didit's"), "{right:?}");
    let due = |row: &Value| -> Millis {
        let at: jiff::Timestamp = row["due"].as_str().unwrap().parse().unwrap();
        Millis(at.as_millisecond())
    };
    let before = due(&home.rows(&["decide", "1001", "approve"])[0]);
    sim.knobs().advance(Duration::from_secs(3600));
    let wrong = home.run(&["doctor"]);
    assert!(wrong.out.contains("1 h 0 min behind Didit's"), "{wrong:?}");
    let ran = home.run(&["decide", "1002", "reject", "--json"]);
    assert!(ran.err.contains("1 h 0 min behind Didit's; Didit's time is used."), "{ran:?}");
    let after = due(&serde_json::from_str(ran.out.trim()).unwrap());
    let hour = after.since(before);
    assert!((3_590_000..3_900_000).contains(&hour), "the deadline is in Didit's time: {hour}");
    sim.shutdown().await;
}

// What is left behind.

/// What a program that it starts is shown: nothing of Didit's and no address of the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_it_starts_see_no_key_and_no_store() {
    let sim = sim([1001]).await;
    let mut home = Home::at(&sim, 300);
    home.file("key", sim.api_key(), 0o600);
    home.unset("DIDIT_API_KEY");
    home.set("DIDIT_WEBHOOK_SECRET", "canary-secret");
    home.set("PGPASSWORD", "canary-password");
    home.set("VAULT_TOKEN", "theirs");
    let config = std::fs::read_to_string(home.path("config.toml")).unwrap();
    let command = "env > seen; cat key";
    let config = config.replace("[didit]\n", &format!("[didit]\napi_key_command = '{command}'\n"));
    home.file("config.toml", &config, 0o600);
    home.rows(&["sync"]);
    let seen = std::fs::read_to_string(home.path("seen")).unwrap();
    for ours in ["DIDIT_", "SECONDLOOK_STORE", "canary", "store.db"] {
        assert!(!seen.contains(ours), "{ours} in {seen}");
    }
    // A command of the user's own sees what is theirs.
    assert!(seen.contains("VAULT_TOKEN=theirs") && seen.contains("HOME="), "{seen}");
    sim.shutdown().await;
}

/// The files in `/proc` of a program that may not be dumped belong to root: no debugger of the same user
/// and no dump reads its memory.
#[cfg(target_os = "linux")]
#[test]
fn its_memory_is_nobody_elses_to_read() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;

    let home = Home::new("");
    let mut command = home.command(&["sim", "--port", "0", "--media-port", "0"]);
    command.current_dir("/").env("HOME", "/");
    if rustix::process::getuid().is_root() {
        // Nobody is as good as anybody who is not root.
        command.uid(65_534).gid(65_534);
    }
    let mut running = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let owner = |file: &str| {
        std::fs::metadata(format!("/proc/{}/{file}", running.id())).map(|meta| meta.uid()).ok()
    };
    let found = (owner("environ"), owner("mem"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(first.starts_with("export "), "{first}");
    assert_eq!(found, (Some(0), Some(0)));
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
}

/// Names of files beside a store are known to anybody, so who may write its folder may put them there.
#[test]
fn a_store_in_a_folder_of_everybodys_is_refused() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    let mut home = Home::new("");
    let folder = home.path("shared");
    std::fs::create_dir(&folder).unwrap();
    let store = folder.join("store.db");
    home.set("SECONDLOOK_STORE", &format!("sqlite:{}", store.display()));
    home.set("DIDIT_API_KEY", "sk_test_any");
    let look = |mode| {
        std::fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        home.run(&["history"])
    };
    for mode in [0o777, 0o1777, 0o702] {
        let ran = look(mode);
        says(&ran, 4, "others may write the folder");
        assert!(
            ran.err.contains(&format!("mode {mode:o}")) && ran.err.contains("chmod o-w"),
            "{ran:?}"
        );
        assert!(!store.exists(), "nothing was made there");
    }
    // Another one's group; root's own has nobody else in it.
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(&folder, None, Some(1)).unwrap();
        says(&look(0o770), 4, "chmod g-w");
    }
    assert_eq!(look(0o750).code, 0);
    assert!(store.exists());
    says(&look(0o777), 4, "others may write the folder");
}
