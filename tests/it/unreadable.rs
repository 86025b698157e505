//! One row that cannot be read, put into the store by whoever can write its file: it is contained. Everything else is
//! sent and shown, the row stands for itself, and `audit verify` names it.

use secondlook::core::Event;
use secondlook::domain::{
    CaseState, DeliveryState, Disposition, Parked, ParkedAs, RowKind, Settled, Unreadable,
};
use secondlook::sim::{Limits, Options, Recorded, Route, Sim};
use secondlook::store::{HistoryQuery, StoreError};
use serde_json::Value;

use crate::audit::behind;
use crate::core_support::{Play, known, settings};
use crate::crash::{Rig, Way};
use crate::people::{Person, enrolment};
use crate::store::{Bench, T, TTL, at, case, decision, holder, id, key, lease, origin, query};
use crate::terminal::{Home, Plays, world};

/// What is done to the row of #1001's decision, which is on its way; each on a store of its own.
const DECISIONS: [&str; 12] = [
    "record = '{\"id\":'",
    "record = ''",
    "record = CAST(x'ff7b7d' AS TEXT)",
    "record = '{\"v\":2,\"what\":\"approve\"}'",
    "case_was = 'canary'",
    "case_was = CAST(x'ff' AS TEXT)",
    "state = 'canary'",
    "attempts = -1",
    "may_have_written = 7, state = 'unknown', due = 0",
    "writes = 5000000000",
    "fence = 9223372036854775807",
    "note = CAST(x'ff' AS TEXT)",
];

async fn ok(rig: &Rig, arguments: &[&str]) -> String {
    ends(rig, arguments, 0).await.0
}

/// Runs to an exit code; what was said on standard output and error.
async fn ends(rig: &Rig, arguments: &[&str], code: i32) -> (String, String) {
    let (found, out, err) = rig.run_aloud(arguments).await;
    assert_eq!(found, Some(code), "{arguments:?}: {out}{err}");
    (out, err)
}

fn store_of(rig: &Rig) -> String {
    format!("sqlite:{}", rig.folder.path().join("store.db").display())
}

async fn bend(rig: &Rig, sql: &str) {
    assert!(behind(&store_of(rig), sql).await, "{sql}");
}

fn writes(rig: &Rig) -> usize {
    rig.sim.record().iter().filter(|call| call.route == Some(Route::UpdateStatus)).count()
}

/// The row of the decision about a case, by its number.
fn of(number: u64) -> String {
    format!("case_id = (SELECT id FROM cases WHERE session_number = '{number}')")
}

/// Two cases, both decided, nothing sent.
async fn two() -> Rig {
    let rig = Rig::new(&[Way::Reject, Way::Approve], 5).await;
    ok(&rig, &["decide", "1001", "reject"]).await;
    ok(&rig, &["decide", "1002", "approve"]).await;
    rig
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The id of the decision about a case, as it was before anything was bent.
async fn decision_of(rig: &Rig, number: u64) -> String {
    let rows = lines(&ok(rig, &["history", "--json"]).await);
    let row = rows.iter().find(|row| row["session_number"] == number).unwrap();
    row["decision"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_cannot_be_read_is_refused_and_the_rest_is_sent() {
    for bent in DECISIONS {
        let rig = two().await;
        let id = decision_of(&rig, 1001).await;
        bend(&rig, &format!("UPDATE decisions SET {bent} WHERE {}", of(1001))).await;
        // Nothing stops at it that only looks.
        let rows = lines(&ok(&rig, &["history", "--json"]).await);
        let row = rows.iter().find(|row| row["decision"] == id.as_str()).unwrap();
        assert!(row["unreadable"].is_string() && rows.len() == 2, "{bent}: {rows:?}");
        let told = format!("decision {id} cannot be read: `secondlook audit verify` says more");
        assert!(ok(&rig, &["history"]).await.contains(&told), "{bent}");
        let out = ok(&rig, &["outbox", "list"]).await;
        assert!(
            out.contains("#1002") && (out.contains(&told) || bent.starts_with("state =")),
            "{out}"
        );
        let stats: Value = serde_json::from_str(&ok(&rig, &["stats", "--json"]).await).unwrap();
        assert_eq!(stats["unreadable"]["decision"], 1, "{bent}: {stats}");
        let (out, err) = ends(&rig, &["export"], 8).await;
        assert!(out.lines().count() == 1 && err.contains(&told), "{bent}: {out}{err}");
        let (out, _) = ends(&rig, &["audit", "verify"], 1).await;
        assert_eq!(out.matches(&id).count(), 1, "{bent}: {out}");
        // Everything else is sent, and it is said.
        let (out, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 8).await;
        assert!(out.contains("#1002 approve: sent"), "{bent}: {out}");
        let told = format!("decision {id} cannot be read and is not sent");
        assert!(err.contains(&told) && err.contains("its case is open again"), "{bent}: {err}");
        assert_eq!(writes(&rig), 1, "{bent}");
        // It has ended, and its case waits.
        let refused =
            "json(CASE WHEN state = 'refused' AND note LIKE '%anew%' THEN '1' ELSE 'no' END)";
        bend(&rig, &format!("SELECT {refused} FROM decisions WHERE {}", of(1001))).await;
        ok(&rig, &["outbox", "flush", "--within", "5"]).await;
        ok(&rig, &["decide", "1001", "reject"]).await;
        ok(&rig, &["outbox", "flush", "--within", "5"]).await;
        assert_eq!(writes(&rig), 2, "{bent}");
        // The decision alone is found, not what was entered of its end; what its end wrote anew is whole.
        let whole = bent.starts_with("state =") || bent.starts_with("note =");
        let (out, _) = ends(&rig, &["audit", "verify"], i32::from(!whole)).await;
        let found = out.lines().filter(|line| line.contains("decision ")).count();
        assert_eq!(
            (out.matches(&id).count(), found),
            (1 - usize::from(whole), 1 - usize::from(whole)),
            "{out}"
        );
        rig.sim.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_even_be_refused_is_passed_over_and_said_each_time() {
    let rig = two().await;
    let id = decision_of(&rig, 1001).await;
    bend(
        &rig,
        &format!(
            "UPDATE decisions SET record = 'x' WHERE {}; CREATE TRIGGER stuck BEFORE UPDATE ON decisions \
             WHEN NEW.state = 'refused' BEGIN SELECT RAISE(ABORT, 'stuck'); END",
            of(1001)
        ),
    )
    .await;
    let (_, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 8).await;
    assert!(err.contains(&id) && err.contains("it stays where it is"), "{err}");
    assert_eq!(err.matches(&id).count(), 1, "it is told once: {err}");
    assert_eq!(writes(&rig), 1);
    let (_, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 1).await;
    assert!(err.contains(&id), "{err}");
    // A decision that was over is not begun anew because its word was bent.
    bend(
        &rig,
        &format!("DROP TRIGGER stuck; UPDATE decisions SET state = 'canary' WHERE {}", of(1002)),
    )
    .await;
    let (_, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 1).await;
    assert!(err.contains("it was sent when it was entered last"), "{err}");
    assert_eq!(writes(&rig), 1);
    rig.sim.shutdown().await;
}

/// Nothing is sent whose end could not be entered; everything that only looks goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_the_audit_that_can_be_none_is_said_in_its_own_words() {
    let anew = "CREATE TABLE bent (origin INTEGER PRIMARY KEY, seq, hash); \
                INSERT INTO bent SELECT origin, 'canary', hash FROM audit_heads; \
                DROP TABLE audit_heads; ALTER TABLE bent RENAME TO audit_heads";
    for (sql, why) in [
        ("UPDATE audit_heads SET seq = -1", "its end is kept as -1, which is no place"),
        (
            "UPDATE audit_heads SET seq = 9223372036854775807",
            "its end is kept as 9223372036854775807, which is no place",
        ),
        (anew, "its end is kept as canary, which is no place"),
        ("UPDATE audit_heads SET hash = CAST(x'ff' AS TEXT)", "the hash of its end is no text"),
        (
            "UPDATE audit_heads SET seq = 1, hash = (SELECT hash FROM audit WHERE seq = 1)",
            "its end is kept as 1, and entry 2 stands behind it",
        ),
        (
            "INSERT INTO audit SELECT origin, 3, entry, hash, decision FROM audit WHERE seq = 2",
            "its end is kept as 2, and entry 3 stands behind it",
        ),
    ] {
        let rig = two().await;
        bend(&rig, sql).await;
        for looks in
            [&["history"][..], &["stats"], &["queue", "list"], &["export"], &["outbox", "list"]]
        {
            ok(&rig, looks).await;
        }
        ok(&rig, &["store", "status"]).await;
        ok(&rig, &["audit", "export"]).await;
        let said = format!("nothing can be entered in the audit: {why}");
        let (_, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 1).await;
        assert!(err.contains(&said) && err.contains("put back from a copy"), "{sql}: {err}");
        assert_eq!(writes(&rig), 0, "{sql}");
        let (out, _) = ends(&rig, &["audit", "verify"], 1).await;
        let found = why.contains("kept as 2") || out.contains(why.trim_start_matches("its end "));
        assert!(found, "{sql}: {out}");
        rig.sim.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_or_a_signature_that_cannot_be_read_is_a_finding_and_ends_nothing() {
    for (sql, finding) in [
        (
            "DROP TRIGGER audit_stays; UPDATE audit SET entry = CAST(x'ff7b7d' AS TEXT) WHERE seq = 1",
            "entry 1 is not as it was written",
        ),
        (
            "DROP TRIGGER audit_stays; UPDATE audit SET entry = 'x', hash = \
             '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881' WHERE seq = 1",
            "entry 1 is no entry",
        ),
        (
            "DROP TRIGGER audit_stays; UPDATE audit SET hash = CAST(x'ff' AS TEXT) WHERE seq = 1",
            "entry 1 is not as it was written",
        ),
        (
            "INSERT INTO audit SELECT origin, -7, entry, hash, decision FROM audit WHERE seq = 1",
            "entry -7 cannot be read: it stands before the first one",
        ),
        (
            "DROP TRIGGER audit_stays; UPDATE audit SET decision = 'canary' WHERE seq = 1",
            "entry 1 cannot be read: it is kept under another decision than it is about",
        ),
        (
            "INSERT INTO audit_signatures SELECT origin, -7, CAST(x'ff' AS TEXT) FROM audit_heads",
            "the signature of -7 cannot be read",
        ),
    ] {
        // The entry after it hangs on it too; the third one does not.
        let rig = Rig::new(&[Way::Reject, Way::Approve, Way::Approve], 5).await;
        for (number, word) in [("1001", "reject"), ("1002", "approve"), ("1003", "approve")] {
            ok(&rig, &["decide", number, word]).await;
        }
        bend(&rig, sql).await;
        let (out, _) = ends(&rig, &["audit", "verify"], 1).await;
        assert!(out.contains(finding), "{sql}: {out}");
        // What hangs on it is not sent, and is a failure; the rest is.
        // What stands beside an entry binds nothing: it is found by what it says.
        let binds = !sql.contains("audit_signatures") && !sql.contains("canary");
        let (_, err) =
            ends(&rig, &["outbox", "flush", "--within", "5"], if binds { 8 } else { 0 }).await;
        assert!(!err.contains("cannot be read and"), "{sql}: {err}");
        assert!(writes(&rig) >= 1, "{sql}");
        ok(&rig, &["history"]).await;
        // An export carries it, and says so when it is looked at.
        let export = ok(&rig, &["audit", "export"]).await;
        let file = rig.folder.path().join("export.jsonl");
        std::fs::write(&file, &export).unwrap();
        let file = file.display().to_string();
        let unseen = sql.contains("-7") || sql.contains("canary");
        ends(&rig, &["audit", "verify", &file], if unseen { 0 } else { 1 }).await;
        rig.sim.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_its_evidence_is_a_failure() {
    let rig = Rig::new(&[Way::Reject], 5).await;
    ok(&rig, &["decide", "1001", "reject"]).await;
    bend(&rig, "UPDATE decisions SET reviewer = 'os:424242', state = 'unknown', due = 0").await;
    let (out, _) = ends(&rig, &["outbox", "flush", "--within", "5"], 1).await;
    assert!(out.contains("#1001 reject: refused not sent: "), "{out}");
    assert_eq!(writes(&rig), 0);
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_cannot_be_read_stands_in_the_queue_as_such() {
    for bent in [
        "record = '{\"key\":'",
        "record = CAST(x'ff' AS TEXT)",
        "readings = 'x'",
        "must_replace = 'canary'",
        "fence = -1",
        "record = replace(record, substr(key, 1, 8), '00000000')",
    ] {
        let rig = Rig::new(&[Way::Reject, Way::Approve, Way::Approve], 5).await;
        ok(&rig, &["decide", "1001", "reject"]).await;
        let names = [1001, 1003].map(|n| format!("session_number = '{n}'")).join(" OR ");
        bend(&rig, &format!("UPDATE cases SET {bent} WHERE {names}")).await;
        let rows = lines(&ok(&rig, &["queue", "list", "--json"]).await);
        let unread = rows.iter().filter(|row| row["unreadable"].is_string()).count();
        assert_eq!((rows.len(), unread), (2, 1), "{bent}: {rows:?}");
        let text = ok(&rig, &["queue", "list"]).await;
        assert!(text.contains("#1002") && text.contains("cannot be read: `secondlook"), "{text}");
        ok(&rig, &["stats"]).await;
        ok(&rig, &["export"]).await;
        ok(&rig, &["sync"]).await;
        // The others go on, and so does what was decided about it.
        ok(&rig, &["decide", "1002", "approve"]).await;
        ok(&rig, &["outbox", "flush", "--within", "5"]).await;
        assert_eq!(writes(&rig), 2, "{bent}");
        let (_, err) = ends(&rig, &["decide", "1003", "approve"], 3).await;
        assert!(err.contains("there is no case"), "{bent}: {err}");
        let (out, _) = ends(&rig, &["audit", "verify"], 1).await;
        let found =
            out.lines().filter(|line| line.starts_with("case ") && line.contains("cannot be read"));
        assert_eq!(found.count(), 2, "{bent}: {out}");
        rig.sim.shutdown().await;
    }
}

/// A decision that the audit does not stand behind ends also where its case cannot be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_case_unreadable_a_decision_is_still_refused() {
    let rig = two().await;
    bend(
        &rig,
        &format!(
            "UPDATE cases SET record = 'x' WHERE session_number = '1001'; \
             UPDATE decisions SET disposition = 'approve' WHERE {}",
            of(1001)
        ),
    )
    .await;
    let (out, _) = ends(&rig, &["outbox", "flush", "--within", "5"], 8).await;
    assert!(out.contains("#1001 reject: refused not sent: "), "{out}");
    // And one that cannot be read either is refused without it.
    let rig = two().await;
    bend(
        &rig,
        &format!(
            "UPDATE cases SET record = 'x' WHERE session_number = '1001'; \
             UPDATE decisions SET record = 'x' WHERE {}",
            of(1001)
        ),
    )
    .await;
    let (_, err) = ends(&rig, &["outbox", "flush", "--within", "5"], 8).await;
    assert!(err.contains("it is refused; `secondlook audit verify`"), "{err}");
    assert_eq!(writes(&rig), 1);
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_roster_that_cannot_be_read_counts_for_nothing() {
    let (Some(ana), Some(ben)) = (Person::new("ana"), Person::new("ben")) else { return };
    for bent in ["'{\"act\":'", "CAST(x'ff7b7d' AS TEXT)", "''"] {
        let mut rig = two().await;
        rig.env = ana.env();
        for add in enrolment(&ana, &[&ben]) {
            ok(&rig, &add.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        bend(&rig, &format!("DROP TRIGGER acts_stay; UPDATE acts SET act = {bent} WHERE seq = 4"))
            .await;
        let alone = format!("os:{}", rustix::process::getuid().as_raw());
        for looks in [&["history"][..], &["stats"], &["queue", "list"], &["export"]] {
            ok(&rig, looks).await;
        }
        let (out, _) = ends(&rig, &["audit", "verify"], 1).await;
        assert!(out.contains("roster at 4"), "{bent}: {out}");
        let listed = ok(&rig, &["reviewers", "list"]).await;
        assert!(listed.contains("ana") && !listed.contains("ben"), "{listed}");
        // What was decided before goes on, handed over.
        ok(&rig, &["reviewers", "adopt", &alone, "ana"]).await;
        ok(&rig, &["outbox", "flush", "--within", "5"]).await;
        assert_eq!(writes(&rig), 2, "{bent}");
        rig.sim.shutdown().await;
    }
}

/// The verbs of both databases: one bad row of three is met once, ended, and shown as such.
async fn three(bench: Bench) {
    let (store, ana) = (bench.store.as_ref(), holder("ana", 1));
    for n in [1, 2, 3] {
        store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
        let ours = lease(store, n, &ana, T).await;
        let made = decision(n.into(), &ours, Disposition::Reject);
        store.decide(&ours, &made, at(i64::from(n)), T).await.unwrap();
    }
    store.admit(&origin(), &case(4), CaseState::Open, T, T).await.unwrap();
    store.admit(&origin(), &case(5), CaseState::Open, T, T).await.unwrap();
    // A server keeps a decision as it was made; its owner may take the guard away.
    let free = if bench.url.starts_with("postgres") {
        "ALTER TABLE decisions DISABLE TRIGGER USER; "
    } else {
        ""
    };
    let bound = free.replace("DISABLE", "ENABLE");
    let sql = format!(
        "{free}UPDATE decisions SET record = 'x' WHERE id = '{}'; {bound}\
         UPDATE cases SET record = '{{}}' WHERE key = '{}'",
        id(1),
        key(4)
    );
    assert!(behind(&bench.url, &sql).await);
    let take = async || store.take(&origin(), &ana.worker, &ana.reviewer.id, at(9), TTL).await;
    let Err(StoreError::Parked(parked)) = take().await else { panic!() };
    assert_eq!(parked.how, ParkedAs::Opened);
    assert_eq!(parked.row.name, id(1).to_string());
    for n in [2, 3] {
        let taken = take().await.unwrap().unwrap();
        assert_eq!(taken.decision.id, id(n));
        let sent = Settled::Sent { note: String::new() };
        assert!(store.settle(&taken, &sent, at(10)).await.unwrap());
    }
    assert_eq!(take().await.unwrap(), None);
    let past = store.history(&origin(), &HistoryQuery::default()).await.unwrap();
    assert_eq!((past.rows.len(), past.unreadable.len()), (2, 1));
    let refused = HistoryQuery { states: vec![DeliveryState::Refused], ..HistoryQuery::default() };
    let past = store.history(&origin(), &refused).await.unwrap();
    assert_eq!(past.unreadable, std::slice::from_ref(&parked.row), "it has ended");
    let page = store.queue(&origin(), &query(&[CaseState::Open]), T).await.unwrap();
    let open: Vec<_> = page.rows.iter().map(|row| row.case.key.clone()).collect();
    assert_eq!((open, page.total), (vec![key(1), key(5)], 3));
    assert_eq!(page.unreadable[0].name, key(4).to_string());
    // Whoever goes on passes over it.
    let eva = holder("eva", 1);
    let open = query(&[CaseState::Open]);
    for (who, wanted) in [(&eva, Some(key(1))), (&eva, Some(key(5))), (&ana, None)] {
        let next = store.lease_next(&origin(), &open, None, who, at(11), TTL).await.unwrap();
        assert_eq!(next.map(|lease| lease.case), wanted);
    }
    assert_eq!(store.touch(&origin(), &[key(4), key(6)], T, T).await.unwrap(), [key(6)]);
    let kinds: Vec<_> =
        store.unreadable(&origin()).await.unwrap().iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [RowKind::Case, RowKind::Decision]);
    // Its end stands in the audit, which has no gap.
    let rows = store.audit(&origin(), 0, 99).await.unwrap();
    let head = store.audit_head(&origin()).await.unwrap();
    assert_eq!(secondlook::store::audit::verify(&rows, Some(&head)), []);
    assert!(rows[3].entry.contains("\"state\":\"refused\""), "{}", rows[3].entry);
    store.close().await;
}

#[tokio::test]
async fn one_bad_row_of_three_hides_none_of_the_others() {
    three(Bench::sqlite().await).await;
    if let Some(bench) = Bench::postgres().await {
        three(bench).await;
    }
}

/// Where it cannot be ended, it is met once and then passed over; nothing waits for it.
#[tokio::test]
async fn what_cannot_be_ended_is_never_taken_again() {
    let benches = [Some(Bench::sqlite().await), Bench::postgres().await];
    for bench in benches.into_iter().flatten() {
        let (store, ana) = (bench.store.as_ref(), holder("ana", 1));
        for n in [1, 2] {
            store.admit(&origin(), &case(n), CaseState::Open, T, T).await.unwrap();
            let ours = lease(store, n, &ana, T).await;
            let made = decision(n.into(), &ours, Disposition::Reject);
            store.decide(&ours, &made, at(i64::from(n)), T).await.unwrap();
        }
        let postgres = bench.url.starts_with("postgres");
        let stuck = if postgres {
            "ALTER TABLE decisions DISABLE TRIGGER USER; UPDATE decisions SET record = 'x' WHERE seq = 1; \
             CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.state = 'refused' THEN RAISE EXCEPTION 'stuck'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER stuck BEFORE UPDATE ON decisions FOR EACH ROW EXECUTE FUNCTION stuck()"
        } else {
            "UPDATE decisions SET record = 'x' WHERE seq = 1; CREATE TRIGGER stuck BEFORE UPDATE ON \
             decisions WHEN NEW.state = 'refused' BEGIN SELECT RAISE(ABORT, 'stuck'); END"
        };
        assert!(behind(&bench.url, stuck).await);
        let take = async || store.take(&origin(), &ana.worker, &ana.reviewer.id, at(9), TTL).await;
        let Err(StoreError::Parked(parked)) = take().await else { panic!() };
        assert!(matches!(*parked, Parked { how: ParkedAs::Left(_), .. }), "{parked}");
        let taken = take().await.unwrap().unwrap();
        assert_eq!(taken.decision.id, id(2));
        assert!(
            store.settle(&taken, &Settled::Sent { note: String::new() }, at(10)).await.unwrap()
        );
        assert_eq!(take().await.unwrap(), None);
        assert_eq!(store.next_due(&origin(), &ana.reviewer.id).await.unwrap(), None);
        store.close().await;
    }
}

#[test]
fn the_console_shows_a_line_for_what_it_cannot_read() {
    use secondlook::core::Screen;
    let mut play = Play::cold(vec![known(4819, &[83.0])], settings());
    play.model.size = (100, 30);
    for (kind, screen) in [(RowKind::Case, Screen::Queue), (RowKind::Decision, Screen::History)] {
        let rows = ["one", "two", "three", "four"].map(|name| Unreadable::new(kind, name, "x"));
        play.send(Event::Unreadable(kind, rows.to_vec()));
        play.model.screen = screen;
        let text = crate::screens::text(&play, secondlook::tui::Theme::new(true));
        let word = kind.word();
        for line in [
            format!("{word} one cannot be read: `secondlook audit verify` says more"),
            format!("{word} two cannot be read"),
            "and 2 more that cannot be read".to_owned(),
        ] {
            assert!(text.contains(&line), "{text}");
        }
        play.send(Event::Unreadable(kind, Vec::new()));
        let text = crate::screens::text(&play, secondlook::tui::Theme::new(true));
        assert!(!text.contains("cannot be read"), "{text}");
    }
}

/// The console itself: what cannot be read is said and stands in its lists, and the next case can be decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_works_on_beside_what_it_cannot_read() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world(1001..1005), options).await.unwrap();
    let home = Home::at(&sim, 0);
    assert_eq!(home.run(&["sync"]).code, 0);
    for number in ["1001", "1002"] {
        assert_eq!(home.run(&["decide", number, "reject"]).code, 0);
    }
    let url = format!("sqlite:{}", home.path("store.db").display());
    let sql = format!(
        "UPDATE decisions SET record = 'x' WHERE {}; \
         UPDATE cases SET record = 'x' WHERE session_number = '1003'",
        of(1001)
    );
    assert!(behind(&url, &sql).await);
    let console = home.console(Plays::Xterm);
    console.any_armed();
    let sent = |record: &[Recorded]| {
        record.iter().any(|call| call.route == Some(Route::UpdateStatus) && call.took_effect)
    };
    assert!(sim.until(crate::stage::PATIENCE, sent).await, "the other decision is sent");
    console.press("\t");
    console.wait_for(&["case ", "cannot be read: `secondlook audit verify` says more", "#1004"]);
    console.press("H");
    console.wait_for(&["Decisions, newest first", "decision ", "cannot be read", "#1002"]);
    console.press("q");
    console.any_armed();
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    let open = home.rows(&["queue", "list"]);
    let open: Vec<_> = open.iter().filter_map(|row| row["session_number"].as_u64()).collect();
    assert_eq!(open, [1001, 1004], "the case of what could not be sent is open again");
    sim.shutdown().await;
}
