//! The audit in every store and through the program: it records each word, takes no change, and
//! whatever is bent behind its back is found where it is.

use std::path::Path;

use secondlook::domain::{CaseState, Disposition};
use secondlook::shell::NAMESPACE;
use secondlook::store::audit::{AuditEntry, Audited, verify};
use secondlook::store::{self, Settled, Store};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::crash::{Rig, Way};
use super::stage::PATIENCE;
use super::store::{Bench, T, TTL, at, case, decision, holder, id, lease, origin};
use super::terminal::{PROGRAM, has};

/// Five entries: #1 and #2 are decided, #1 is settled, #2 taken back, #1 opened again.
async fn five(store: &dyn Store) {
    let ana = holder("ana", 1);
    for n in [1, 2] {
        store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
        let ours = lease(store, n, &ana, T).await;
        let made = decision(n.into(), &ours, Disposition::Approve);
        store.decide(&ours, &made, at(i64::from(n) * 100), at(1)).await.unwrap();
    }
    let taken = store.take(&origin(), &ana.worker, &ana.reviewer.id, at(100), TTL).await.unwrap();
    let taken = taken.unwrap();
    // What is put off is no word, nor what is settled under a lost claim.
    let later = Settled::Later { at: at(150), why: "busy".to_owned(), may_have_written: false };
    assert!(store.settle(&taken, &later, at(110)).await.unwrap());
    assert!(!store.settle(&taken, &later, at(110)).await.unwrap());
    let taken = store.take(&origin(), &ana.worker, &ana.reviewer.id, at(150), TTL).await.unwrap();
    let sent = Settled::Sent { note: "done".to_owned() };
    assert!(store.settle(&taken.unwrap(), &sent, at(160)).await.unwrap());
    store.undo(&origin(), id(2), &holder("eva", 1).reviewer.id, at(165)).await.unwrap();
    store.undo(&origin(), id(2), &ana.reviewer.id, at(170)).await.unwrap();
    assert!(store.reopen(&origin(), id(1), &holder("eva", 1).reviewer.id, at(180)).await.unwrap());
    assert!(!store.reopen(&origin(), id(1), &holder("eva", 1).reviewer.id, at(190)).await.unwrap());
}

async fn found(store: &dyn Store) -> Vec<u64> {
    let rows = store.audit(&origin(), 0, 99).await.unwrap();
    let head = store.audit_head(&origin()).await.unwrap();
    verify(&rows, Some(&head)).into_iter().map(|finding| finding.seq).collect()
}

async fn each_word_is_recorded(bench: Bench) {
    let store = bench.store.as_ref();
    assert_eq!(found(store).await, [0u64; 0]);
    five(store).await;
    assert_eq!(found(store).await, [0u64; 0]);
    let rows = store.audit(&origin(), 0, 99).await.unwrap();
    let entries: Vec<AuditEntry> =
        rows.iter().map(|row| serde_json::from_str(&row.entry).unwrap()).collect();
    let told: Vec<_> = entries
        .iter()
        .map(|e| (e.what, e.decision.clone(), e.state.as_str(), e.at.0 - T.0))
        .collect();
    let (one, two) = (id(1).to_string(), id(2).to_string());
    assert_eq!(
        told,
        [
            (Audited::Decided, one.clone(), "held", 1),
            (Audited::Decided, two.clone(), "held", 1),
            (Audited::Settled, one.clone(), "sent", 160),
            (Audited::Undone, two, "undone", 170),
            (Audited::Reopened, one, "sent", 180),
        ]
    );
    assert!(entries.iter().all(|e| e.reviewer == "person:ana"));
    let doers: Vec<_> = entries.iter().map(|e| e.doer().trim_start_matches("person:")).collect();
    assert_eq!(doers, ["ana", "ana", "ana", "ana", "eva"], "somebody else opened it again");
    assert_eq!(store.audit(&origin(), 3, 1).await.unwrap(), rows[3..4]);
    let other = secondlook::domain::Origin("https://other.example#1".to_owned());
    assert_eq!(store.audit(&other, 0, 99).await.unwrap(), []);
    store.close().await;
}

#[tokio::test]
async fn each_word_is_recorded_everywhere() {
    each_word_is_recorded(Bench::memory().await).await;
    each_word_is_recorded(Bench::sqlite().await).await;
    if let Some(bench) = Bench::postgres().await {
        each_word_is_recorded(bench).await;
    }
}

/// Runs statements behind the store's back; false when the database refuses.
pub async fn behind(url: &str, sql: &str) -> bool {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("postgres") {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let done = sqlx::raw_sql(sql).execute(&mut connection).await.is_ok();
        connection.close().await.unwrap();
        return done;
    }
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let done = sqlx::raw_sql(sql).execute(&mut connection).await.is_ok();
    connection.close().await.unwrap();
    done
}

/// What somebody may do who owns the database, and where it shows.
const BENT: [(&str, &[u64]); 7] = [
    ("UPDATE audit SET entry = replace(entry, 'approve', 'approvf') WHERE seq = 3", &[3]),
    ("UPDATE audit SET hash = replace(hash, substr(hash, 9, 1), 'z') WHERE seq = 2", &[2]),
    ("DELETE FROM audit WHERE seq = 4", &[4]),
    ("DELETE FROM audit WHERE seq = 5", &[5]),
    (
        "INSERT INTO audit (origin, seq, entry, hash) \
         SELECT origin, 6, entry, hash FROM audit WHERE seq = 2",
        &[6, 6],
    ),
    (
        "UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; \
         UPDATE audit SET seq = 3 WHERE seq = 9",
        &[2, 3, 4],
    ),
    ("DELETE FROM audit", &[1]),
];

async fn what_is_bent_is_found(bench: Option<Bench>, unlock: &str) {
    let Some(bench) = bench else { return };
    five(bench.store.as_ref()).await;
    // As it stands, nothing can be changed or removed.
    for sql in ["UPDATE audit SET entry = 'x'", "DELETE FROM audit"] {
        behind(&bench.url, sql).await;
        assert_eq!(found(bench.store.as_ref()).await, [0u64; 0], "{sql}");
    }
    assert!(behind(&bench.url, unlock).await);
    assert!(behind(&bench.url, "CREATE TABLE kept AS SELECT * FROM audit").await);
    for (sql, wanted) in BENT {
        assert!(behind(&bench.url, sql).await, "{sql}");
        assert_eq!(found(bench.store.as_ref()).await, wanted, "{sql}");
        let restore = "DELETE FROM audit; \
                       INSERT INTO audit (origin, seq, entry, hash) \
                       SELECT origin, seq, entry, hash FROM kept";
        assert!(behind(&bench.url, restore).await);
        assert_eq!(found(bench.store.as_ref()).await, [0u64; 0]);
    }
    bench.store.close().await;
}

#[tokio::test]
async fn what_is_bent_in_a_file_is_found() {
    let unlock = "DROP TRIGGER audit_stays; DROP TRIGGER audit_is_kept";
    what_is_bent_is_found(Some(Bench::sqlite().await), unlock).await;
}

#[tokio::test]
async fn what_is_bent_on_a_server_is_found() {
    let unlock = "ALTER TABLE audit DISABLE TRIGGER audit_stays";
    what_is_bent_is_found(Bench::postgres().await, unlock).await;
}

/// Many consoles at once write one chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn consoles_at_once_write_one_chain() {
    for bench in [Some(Bench::sqlite().await), Bench::postgres().await] {
        let Some(bench) = bench else { continue };
        let mut tasks = tokio::task::JoinSet::new();
        for console in 0..6u32 {
            let url = bench.url.clone();
            tasks.spawn(async move {
                let store = store::open(&url).await.unwrap();
                let who = holder("ana", console);
                for n in (0..60).filter(|n| n % 6 == console) {
                    store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
                    let ours = lease(store.as_ref(), n, &who, T).await;
                    let made = decision(u128::from(n) + 1, &ours, Disposition::Approve);
                    store.decide(&ours, &made, at(1), T).await.unwrap();
                }
                store.close().await;
            });
        }
        tasks.join_all().await;
        assert_eq!(found(bench.store.as_ref()).await, [0u64; 0]);
        assert_eq!(bench.store.audit_head(&origin()).await.unwrap().seq, 60);
        bench.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_program_exports_and_verifies() {
    let rig = Rig::new(&[Way::Approve, Way::Reject], 3).await;
    for case in rig.cases.clone() {
        rig.is_decided(case).await;
    }
    rig.flush().await;
    let (exit, text) = rig.run(&["audit", "verify"]).await;
    assert_eq!((exit, text.starts_with("4 entries")), (Some(0), true), "{text}");
    let (exit, export) = rig.run(&["audit", "export"]).await;
    assert_eq!((exit, export.lines().count()), (Some(0), 5), "four entries and the end");
    let file = rig.folder.path().join("export.jsonl");
    let file_name = file.display().to_string();
    for (text, wanted) in [
        (export.clone(), Some(0)),
        (export.replacen("reject", "approve", 1), Some(1)),
        (export.lines().skip(1).collect::<Vec<_>>().join("\n"), Some(1)),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(rig.run(&["audit", "verify", &file_name]).await.0, wanted);
    }
    // A decision whose record was changed behind the audit's back.
    let path = format!("sqlite:{}", rig.folder.path().join("store.db").display());
    let sql = "UPDATE decisions SET record = replace(record, 'approve', 'reject') WHERE seq = 1";
    assert!(behind(&path, sql).await);
    let (exit, text) = rig.run(&["audit", "verify"]).await;
    assert_eq!(exit, Some(1));
    assert!(text.contains("is not as it was recorded"), "{text}");
    rig.sim.shutdown().await;
}

async fn signatures_stand_beside_the_entries(bench: Option<Bench>) {
    let Some(bench) = bench else { return };
    let store = bench.store.as_ref();
    five(store).await;
    assert!(store.sign(&origin(), 2, "two").await.unwrap());
    assert!(store.sign(&origin(), 4, "four").await.unwrap());
    assert!(!store.sign(&origin(), 2, "another").await.unwrap(), "signed once");
    assert!(!store.sign(&origin(), 9, "nothing").await.unwrap(), "there is no such entry");
    let found = store.signatures(&origin(), 0, 9).await.unwrap();
    let found: Vec<_> = found.iter().map(|s| (s.seq, s.signature.as_str())).collect();
    assert_eq!(found, [(2, "two"), (4, "four")]);
    assert_eq!(store.signatures(&origin(), 2, 1).await.unwrap().len(), 1);
    let other = secondlook::domain::Origin("https://other.example#1".to_owned());
    assert_eq!(store.signatures(&other, 0, 9).await.unwrap(), []);
    store.close().await;
}

#[tokio::test]
async fn signatures_stand_beside_the_entries_everywhere() {
    signatures_stand_beside_the_entries(Some(Bench::memory().await)).await;
    signatures_stand_beside_the_entries(Some(Bench::sqlite().await)).await;
    signatures_stand_beside_the_entries(Bench::postgres().await).await;
}

/// Runs a shell's lines in a folder that is also the home; what they print.
fn shell(folder: &Path, env: &[(String, String)], lines: &str) -> String {
    let mut command = std::process::Command::new("sh");
    command.args(["-e", "-c", lines]).current_dir(folder).env("HOME", folder);
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{lines}\n{text}");
    text
}

/// The lines of README that verify a signature with nothing but ssh-keygen.
fn readme_lines() -> String {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.contains("ssh-keygen -Y verify")).unwrap();
    let commands = block.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agents_signatures_are_what_ssh_keygen_accepts() {
    if !["ssh-agent", "ssh-add", "ssh-keygen"].into_iter().all(has) {
        return;
    }
    let mut rig = Rig::new(&[Way::Approve, Way::Reject], 4).await;
    let folder = rig.folder.path().to_owned();
    let sock = folder.join("agent");
    let program = Path::new(PROGRAM).parent().unwrap().display();
    rig.env = vec![
        ("SSH_AUTH_SOCK".to_owned(), sock.display().to_string()),
        ("PATH".to_owned(), format!("{program}:{}", std::env::var("PATH").unwrap())),
    ];
    let mut agent = tokio::process::Command::new("ssh-agent");
    agent.arg("-D").arg("-a").arg(&sock).stdout(std::process::Stdio::null());
    let mut agent = agent.kill_on_drop(true).spawn().unwrap();
    let there = async {
        while !sock.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap();
    // The private half is in the agent and nowhere else.
    let key = "mkdir -p .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; \
               ssh-add -q .ssh/id_ed25519; rm .ssh/id_ed25519; \
               printf '[audit]\nsign_with = \"~/.ssh/id_ed25519.pub\"\n' >> config.toml";
    shell(&folder, &rig.env, key);
    let fingerprint = shell(&folder, &rig.env, "ssh-keygen -lf .ssh/id_ed25519.pub");
    let fingerprint = fingerprint.split(' ').nth(1).unwrap();

    rig.is_decided(rig.cases[0]).await;
    rig.flush().await;
    let (exit, text) = rig.run(&["audit", "verify"]).await;
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.contains(&format!("2 signed with {fingerprint}")), "{text}");
    assert!(text.contains("0 unsigned"), "{text}");
    let (_, export) = rig.run(&["audit", "export"]).await;
    std::fs::write(folder.join("audit.jsonl"), &export).unwrap();
    // README's own lines, but for the export, which the program would need its surroundings for.
    let lines = readme_lines();
    let (first, rest) = lines.split_once('\n').unwrap();
    assert_eq!(first, "secondlook audit export > audit.jsonl");
    let said = shell(&folder, &rig.env, rest);
    let wanted = format!("Good \"{NAMESPACE}\" signature for ana with ED25519 key {fingerprint}");
    assert!(said.contains(&wanted), "{said}");

    // A signature that was bent, or of another entry, is found where it is.
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let signature = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["signature"].as_str().unwrap().replace('\n', "\\n")
    };
    let [one, two, _end]: [&str; 3] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    let swapped = text.replace(&signature(one), "X").replace(&signature(two), &signature(one));
    let swapped = swapped.replace('X', "-");
    let mut bent = signature(two).into_bytes();
    let middle = bent.len() / 2;
    bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
    let bent = text.replace(&signature(two), &String::from_utf8(bent).unwrap());
    for (text, found) in [(swapped, ["entry 1", "entry 2"]), (bent, ["entry 2", "entry 2"])] {
        std::fs::write(folder.join("bent.jsonl"), text).unwrap();
        let file = folder.join("bent.jsonl").display().to_string();
        let (exit, said) = rig.run(&["audit", "verify", &file]).await;
        assert_eq!(exit, Some(1), "{said}");
        for found in found {
            assert!(said.contains(&format!("the signature of {found} is none")), "{said}");
        }
    }

    // One that was taken away shows in the count alone, and against what was kept.
    let part = format!("\"signature\":\"{}\",", signature(two));
    assert!(text.contains(&part), "{text}");
    std::fs::write(folder.join("less.jsonl"), text.replace(&part, "")).unwrap();
    let [less, kept] = ["less.jsonl", "audit.jsonl"].map(|n| folder.join(n).display().to_string());
    let (exit, said) = rig.run(&["audit", "verify", &less]).await;
    assert_eq!(exit, Some(0), "{said}");
    let (exit, said) = rig.run(&["audit", "verify", &less, "--since", &kept]).await;
    assert!(exit == Some(1) && said.contains("entry 2 lost its signature"), "{said}");

    // The agent goes: the decision is taken all the same, and what is unsigned says so.
    agent.kill().await.unwrap();
    let (exit, out, err) = rig.run_aloud(&["decide", "1002", "reject"]).await;
    assert_eq!(exit, Some(0), "{out}{err}");
    assert!(err.contains("1 entries of the audit stay unsigned"), "{err}");
    rig.flush().await;
    let (exit, text) = rig.run(&["audit", "verify"]).await;
    assert_eq!(exit, Some(0), "{text}");
    assert!(text.contains("2 unsigned"), "{text}");
    rig.sim.shutdown().await;
}
