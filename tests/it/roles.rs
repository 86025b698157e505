//! A team's server that tells its owner from reviewers: what each may write, tried with real roles.

use secondlook::sim::{Limits, Options, Recorded, Route, Sim};

use crate::audit::behind;
use crate::people::Person;
use crate::postgres::Cluster;
use crate::terminal::{Home, candidate, subject, world};

/// A home at a store's address, with somebody's agent.
fn home(sim: &Sim, url: &str, person: &Person) -> Home {
    let mut home = Home::at(sim, 300);
    for (name, value) in person.env() {
        home.set(&name, &value);
    }
    home.set("SECONDLOOK_STORE", url);
    home
}

fn done(home: &Home, arguments: &[&str]) -> String {
    let ran = home.run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    ran.out
}

/// What a reviewer may not, each a statement of its own.
const FORBIDDEN: &[&str] = &[
    "UPDATE audit SET entry = entry",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "UPDATE audit_signatures SET signature = 'x'",
    "TRUNCATE audit_signatures",
    "UPDATE audit_heads SET seq = 1",
    "UPDATE audit_heads SET hash = 'x'",
    "DELETE FROM audit_heads",
    "INSERT INTO audit (origin, seq, entry, hash, decision) SELECT origin, seq + 1, entry, hash, decision \
     FROM audit ORDER BY seq DESC LIMIT 1",
    "UPDATE decisions SET record = record || ' '",
    "UPDATE decisions SET reviewer = 'person:ana'",
    "UPDATE decisions SET disposition = 'approve'",
    "UPDATE decisions SET state = 'sent' WHERE reviewer = 'person:eva'",
    "UPDATE decisions SET state = 'sending' WHERE reviewer = 'person:eva'",
    "DELETE FROM decisions",
    "TRUNCATE decisions CASCADE",
    "INSERT INTO acts (origin, seq, done_at, doer, act) SELECT 1, 99, 0, 'person:ana', \
     '{\"act\":\"policy\",\"require\":\"two-person\"}'",
    "UPDATE acts SET act = act",
    "DELETE FROM acts",
    "UPDATE proofs SET signature = 'x'",
    "DELETE FROM proofs",
    "INSERT INTO proofs (origin, decision, made_at, signature) SELECT origin, id, 0, 'x' FROM decisions \
     WHERE reviewer = 'person:eva'",
    "UPDATE store SET owner = session_user",
    "UPDATE store SET salt = decode('00', 'hex')",
    "UPDATE store SET schema = 99",
    "CREATE TEMP TABLE store (owner TEXT); INSERT INTO store VALUES (session_user); \
     GRANT SELECT ON store TO PUBLIC; UPDATE decisions SET state = 'undone' WHERE reviewer = 'person:eva'",
    "CREATE TEMP TABLE store (owner TEXT); INSERT INTO store VALUES (session_user); \
     GRANT SELECT ON store TO PUBLIC; UPDATE public.store SET schema = 99",
    "UPDATE decisions SET listed = 1 WHERE reviewer = 'person:eva'",
    "UPDATE decisions SET status_done = 1 WHERE reviewer = 'person:ana'",
    "UPDATE decisions SET due = 0, attempts = 9 WHERE reviewer = 'person:eva'",
    "UPDATE cases SET key = 'x'",
    "UPDATE figures SET looked = 1",
    "DELETE FROM figures",
    "UPDATE scores SET n = 9",
    "INSERT INTO scores (origin, score, n) VALUES (1, 9999, 9)",
    "CREATE TEMP TABLE mine (origin BIGINT, id BIGINT, record TEXT); CREATE TRIGGER mine AFTER INSERT ON mine \
     FOR EACH ROW EXECUTE FUNCTION cases_score(); INSERT INTO mine VALUES (1, 1, '{\"candidates\":[]}')",
    "CREATE TEMP TABLE mine AS SELECT * FROM decisions; CREATE TRIGGER mine AFTER UPDATE ON mine \
     FOR EACH ROW EXECUTE FUNCTION decisions_figure(); UPDATE mine SET state = 'sent'",
    "DELETE FROM cases",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TABLE audit",
    "DROP FUNCTION only_added_to() CASCADE",
    "CREATE TABLE mine (n BIGINT)",
    "SET ROLE test",
];

/// The same where the tables are parted: the parts are named.
const FORBIDDEN_IN_PARTS: &[&str] = &[
    "UPDATE audit_1 SET entry = entry",
    "DELETE FROM audit_1",
    "TRUNCATE audit_1",
    "INSERT INTO audit_1 (origin, seq, entry, hash, decision) SELECT origin, seq + 1, entry, hash, decision \
     FROM audit ORDER BY seq DESC LIMIT 1",
    "UPDATE decisions_1 SET state = 'sent'",
    "UPDATE decisions_1 SET due = 0 WHERE reviewer = 'person:ana'",
    "DELETE FROM decisions_1",
    "UPDATE cases_1 SET state = 'open'",
    "DELETE FROM proofs_1",
    "INSERT INTO cases_rest SELECT * FROM cases_1",
    "ALTER TABLE audit DETACH PARTITION audit_1",
    "DROP TABLE decisions_1",
    "SELECT give_partition('cases', 77)",
    "SELECT part_table('cases')",
    "SELECT origins_get_partitions()",
];

/// What ana's role puts at the end of the chain about a decision: whose, what is done to its row in the same
/// transaction, what of its first entry is changed, and whether that is taken.
type Entered = (&'static str, &'static str, &'static [(&'static str, &'static str)], bool);

const UNDO: &str = "UPDATE decisions SET state = 'undone' WHERE reviewer = 'person:ana'";
const TOUCH: &str = "UPDATE decisions SET state = state WHERE reviewer = 'person:ana'";
const ENTRIES: &[Entered] = &[
    // What the program does is taken.
    ("ana", UNDO, &[("decided", "undone"), ("held", "undone")], true),
    (
        "ana",
        UNDO,
        &[
            ("decided", "undone"),
            ("held", "undone"),
            (",\"record\"", ",\"by\":\"person:ana\",\"record\""),
        ],
        true,
    ),
    // The same, written by another hand.
    ("ana", UNDO, &[("decided", "undone"), ("held", "undone"), ("{", "{ ")], false),
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), (",\"record\"", ",\"more\":1,\"record\"")],
        false,
    ),
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), ("{", "{\"what\":\"settled\",")],
        false,
    ),
    ("ana", UNDO, &[("decided", "undone"), ("held", "undone"), ("\"state\":", "\"stat\":")], false),
    ("ana", UNDO, &[("decided", "undone"), ("held", "undone"), ("\"at\":", "\"at\":0.1e1")], false),
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), ("\"reject\"", "[\"reject\"]")],
        false,
    ),
    // About another case, disposition, reviewer or record than the decision's.
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), ("\"case\":\"", "\"case\":\"x")],
        false,
    ),
    ("ana", UNDO, &[("decided", "undone"), ("held", "undone"), ("reject", "approve")], false),
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), ("person:ana", "person:eva")],
        false,
    ),
    (
        "ana",
        UNDO,
        &[("decided", "undone"), ("held", "undone"), ("\"record\":\"", "\"record\":\"0")],
        false,
    ),
    // What does not become of it.
    ("ana", TOUCH, &[("decided", "undone"), ("held", "undone")], false),
    ("ana", UNDO, &[("decided", "settled"), ("held", "sent")], false),
    ("ana", UNDO, &[("decided", "settled"), ("held", "undone")], false),
    ("ana", TOUCH, &[], false),
    ("ana", TOUCH, &[("decided", "reopened")], false),
    ("ana", TOUCH, &[("decided", "retried")], false),
    ("ana", TOUCH, &[("decided", "proposed"), ("held", "proposed")], false),
    ("ana", TOUCH, &[("decided", "roster")], false),
    ("ana", TOUCH, &[("decided", "released"), ("held", "undone")], false),
    // Whatever is said of what eva holds.
    ("eva", "SELECT 1", &[("decided", "settled"), ("held", "sent")], false),
    ("eva", "SELECT 1", &[("decided", "settled"), ("held", "refused")], false),
    ("eva", "SELECT 1", &[("decided", "settled")], false),
    ("eva", "SELECT 1", &[("decided", "undone"), ("held", "undone")], false),
    ("eva", "SELECT 1", &[("person:eva", "person:ana")], false),
    (
        "eva",
        "SELECT 1",
        &[("decided", "reopened"), (",\"record\"", ",\"by\":\"person:ana\",\"record\"")],
        false,
    ),
];

/// The statements that put such an entry at the end of the chain, and move that.
fn entered((whose, first, edits, _): &Entered) -> String {
    let mut entry =
        "regexp_replace(regexp_replace(a.entry, '\"seq\":[0-9]+', '\"seq\":' || h.seq + 1), \
                     '\"before\":\"[0-9a-f]*\"', '\"before\":\"' || h.hash || '\"')"
            .to_owned();
    for (from, to) in *edits {
        // The first place only.
        let at = format!("strpos({entry}, '{from}')");
        let rest = format!("substr({entry}, {at} + {})", from.len());
        entry = format!("left({entry}, {at} - 1) || '{to}' || {rest}");
    }
    format!(
        "{first}; \
         CREATE TEMP TABLE made AS SELECT h.origin, h.seq + 1 AS seq, {entry} AS entry, a.decision \
         FROM audit_heads h JOIN audit a USING (origin) \
         WHERE a.entry LIKE '%\"what\":\"decided\"%' AND a.entry LIKE '%\"reviewer\":\"person:{whose}\"%'; \
         INSERT INTO audit (origin, seq, entry, hash, decision) SELECT origin, seq, entry, \
         encode(sha256(convert_to(entry, 'UTF8')), 'hex'), decision FROM made; \
         UPDATE audit_heads SET seq = made.seq, hash = encode(sha256(convert_to(made.entry, 'UTF8')), 'hex') \
         FROM made; SET CONSTRAINTS ALL IMMEDIATE"
    )
}

/// A decision put in behind the program's back.
fn put_in(reviewer: &str, listed: u8) -> String {
    let id = "018f0000-0000-7000-8000-00000000000f";
    format!(
        "INSERT INTO decisions (origin, id, case_id, reviewer, disposition, record, case_was, state, due, \
         attempts, fence, may_have_written, status_done, listed, noted) \
         SELECT origin, '{id}', case_id, '{reviewer}', disposition, \
         replace(replace(record, id, '{id}'), 'person:eva', '{reviewer}'), case_was, 'held', 0, 0, 0, 0, 0, \
         {listed}, 0 FROM decisions WHERE reviewer = 'person:eva' LIMIT 1"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_takes_of_a_reviewer_what_is_their_own_and_nothing_else() {
    takes_what_is_ones_own(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_one_whose_tables_are_parted_and_a_reviewer_brings_a_new_tenant() {
    takes_what_is_ones_own(true).await;
}

async fn takes_what_is_ones_own(parted: bool) {
    let Some(cluster) = Cluster::start() else { return };
    let names = ["chief", "ana", "eva"];
    let Some(people) = names.iter().map(|n| Person::new(n)).collect::<Option<Vec<_>>>() else {
        return;
    };
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002, 1003, 1004]), options).await.unwrap();
    let url = cluster.database().await;
    let owner = home(&sim, &url, &people[0]);
    for _ in 0..2 {
        done(&owner, &["store", "init", "--roles"]);
        if parted {
            done(&owner, &["store", "init", "--partitions"]);
        }
    }
    let roles = "CREATE ROLE ana LOGIN; CREATE ROLE eva LOGIN; CREATE ROLE aud LOGIN; \
                 CREATE ROLE stranger LOGIN; GRANT secondlook_reviewer TO ana, eva, stranger; \
                 GRANT secondlook_auditor TO aud";
    assert!(behind(&url, roles).await);
    let as_role = |name: &str| url.replace("user=test", &format!("user={name}"));
    for person in &people[1..] {
        let (name, key) = (person.name.as_str(), person.key());
        done(&owner, &["reviewers", "add", name, "--role", name, "--key", &key]);
    }
    let (ana, eva) =
        (home(&sim, &as_role("ana"), &people[1]), home(&sim, &as_role("eva"), &people[2]));
    // The roster is the owner's: no reviewer changes it, whatever they sign.
    let ran = ana.run(&["reviewers", "add", "mallory", "--key", &people[0].key()]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(ana.run(&["policy", "set", "every-decision"]).code, 4);

    // Their own work goes on as ever.
    done(&ana, &["sync"]);
    done(&ana, &["decide", "1001", "reject"]);
    done(&eva, &["decide", "1002", "approve"]);
    assert!(done(&eva, &["history", "--json"]).contains("\"reviewer\":\"eva\""));
    assert_eq!(behind(&url, "SELECT 1 FROM decisions_1").await, parted);
    let in_parts = FORBIDDEN_IN_PARTS.iter().filter(|_| parted);
    for sql in FORBIDDEN.iter().chain(in_parts) {
        assert!(!behind(&as_role("ana"), sql).await, "ana may: {sql}");
        assert!(!behind(&as_role("aud"), sql).await, "an auditor may: {sql}");
    }
    for entry in ENTRIES {
        // Taken back at once: only whether it would be taken is asked.
        let sql = format!("BEGIN; {}; ROLLBACK", entered(entry));
        let taken = behind(&as_role("ana"), &sql).await;
        assert_eq!(taken, entry.3, "{entry:?}");
    }
    // An entry behind an end that stays where it is would stop everybody.
    let still = entered(&ENTRIES[0])
        .replace("UPDATE audit_heads SET seq = made.seq,", "UPDATE audit_heads SET");
    let still = still.replace(
        "hash = encode(sha256(convert_to(made.entry, 'UTF8')), 'hex') FROM made",
        "seq = seq",
    );
    assert!(!behind(&as_role("ana"), &format!("BEGIN; {still}; ROLLBACK")).await);
    for (reviewer, listed, why) in [
        ("person:eva", 0, "in another's name"),
        ("person:ana", 0, "without its entry"),
        ("db:ana", 0, "in the name of the role"),
    ] {
        assert!(!behind(&as_role("ana"), &put_in(reviewer, listed)).await, "{why}");
    }
    // Its entry apart, a row of one's own is taken; not one that says that something is done already.
    for listed in [0, 1] {
        let sql = format!("BEGIN; {}; ROLLBACK", put_in("person:ana", listed));
        assert_eq!(behind(&as_role("ana"), &sql).await, listed == 0);
    }
    assert!(behind(&as_role("aud"), "SELECT count(*) FROM audit").await, "an auditor reads");
    // The owner is held to what is only added to as well; not silently.
    for sql in ["UPDATE audit SET entry = entry", "TRUNCATE proofs", "DELETE FROM decisions"] {
        assert!(!behind(&url, sql).await, "the owner may: {sql}");
    }
    if parted {
        for sql in
            ["UPDATE audit_1 SET entry = entry", "TRUNCATE proofs_1", "DELETE FROM decisions_1"]
        {
            assert!(!behind(&url, sql).await, "the owner may: {sql}");
        }
        // Where there is no roster yet a reviewer may bring a tenant, which has tables of its own that they did
        // not make.
        let fresh = cluster.database().await;
        let owner = home(&sim, &fresh, &people[0]);
        done(&owner, &["store", "init", "--roles", "--partitions"]);
        let brings = home(&sim, &fresh.replace("user=test", "user=ana"), &people[1]);
        done(&brings, &["sync"]);
        assert!(done(&brings, &["queue", "list"]).contains("#1001"));
        let there = "SELECT 1 / count(*) FROM cases JOIN pg_class c ON c.oid = cases.tableoid \
                     WHERE c.relname = 'cases_' || origin AND pg_get_userbyid(c.relowner) = 'test' \
                     AND session_number = '1001'";
        assert!(behind(&fresh, there).await, "in a table of the owner's");
    }
    // A role that is nobody's on the roster works in its own name, and counts as nobody's second.
    let stranger = home(&sim, &as_role("stranger"), &people[1]);
    done(&stranger, &["decide", "1003", "escalate"]);
    let rows = done(&owner, &["export"]);
    assert!(rows.contains("\"reviewer_id\":\"db:stranger\""), "{rows}");
    let verified = done(&owner, &["audit", "verify"]);
    assert!(verified.contains("each as it was written"), "{verified}");
    done(&ana, &["outbox", "flush"]);
    done(&eva, &["outbox", "flush"]);
    assert_eq!(sim.effects().len(), 2);
    done(&owner, &["audit", "verify"]);
    // What came of it stands as it is.
    let note = "UPDATE decisions SET note = 'x' WHERE reviewer = 'person:eva'";
    assert!(!behind(&as_role("ana"), note).await, "ana may: {note}");
    // A row that cannot be read ends with the rights of its reviewer, though the guards know no such way.
    done(&ana, &["decide", "1004", "reject"]);
    let bent = "ALTER TABLE decisions DISABLE TRIGGER USER; UPDATE decisions SET record = 'x' WHERE state = 'held'; \
                ALTER TABLE decisions ENABLE TRIGGER USER";
    assert!(behind(&url, bent).await);
    let ran = ana.run(&["outbox", "flush"]);
    assert!(ran.code == 1 && ran.err.contains("its case is open again"), "{ran:?}");
    assert!(done(&ana, &["queue", "list"]).contains("#1004"));
    let auditor = home(&sim, &as_role("aud"), &people[0]);
    for who in [&owner, &auditor] {
        let ran = who.run(&["audit", "verify"]);
        let found = ran.out.lines().filter(|line| line.contains("cannot be read")).count();
        assert_eq!((ran.code, found, ran.out.lines().count()), (1, 1, 1), "{ran:?}");
    }
    sim.shutdown().await;
}

/// What was looked at and where in the lists a round stands is read and written with a reviewer's rights, so that no
/// session is read twice; and the role alone says whose store it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewer_reads_what_was_passed_over_and_needs_no_key_to_read() {
    let Some(cluster) = Cluster::start() else { return };
    let Some(chief) = Person::new("chief") else { return };
    let options = Options { limits: Limits::none(), ..Options::default() };
    let mut people = world([1001, 1002]);
    // Held for a face, and no case: nobody comes near, or it is the same customer.
    for number in 1003..=1006 {
        people.add(subject(number).with(candidate(number + 5000, 12.0)));
    }
    let sim = Sim::start(people, options.clone()).await.unwrap();
    let url = cluster.database().await;
    let owner = home(&sim, &url, &chief);
    done(&owner, &["store", "init", "--roles"]);
    let roles = "CREATE ROLE ana LOGIN; CREATE ROLE aud LOGIN; GRANT secondlook_reviewer TO ana; \
                 GRANT secondlook_auditor TO aud";
    assert!(behind(&url, roles).await);
    done(&owner, &["reviewers", "add", "ana", "--role", "ana", "--key", &chief.key()]);
    let as_role = |name: &str| url.replace("user=test", &format!("user={name}"));
    let mut ana = Home::at(&sim, 300);
    ana.set("SECONDLOOK_STORE", &as_role("ana"));
    let count = || {
        let decision = |call: &&Recorded| call.route == Some(Route::Decision);
        sim.record().iter().filter(decision).count()
    };
    let first = done(&ana, &["sync", "--json"]);
    assert!(first.contains("\"queued\":2") && first.contains("\"below_band\":4"), "{first}");
    assert_eq!(count(), 6);
    for _ in 0..2 {
        let again = done(&ana, &["sync", "--json"]);
        assert!(again.contains("\"below_band\":4") && again.contains("\"silent\":0"), "{again}");
    }
    assert_eq!(count(), 6, "nothing is read twice");
    assert!(done(&ana, &["doctor"]).contains("below the lower edge 4"));
    for table in ["passed_over", "listings"] {
        assert!(behind(&as_role("ana"), &format!("SELECT count(*) FROM {table}")).await, "{table}");
    }
    // Another application in the same database: the role says which one is ana's.
    let other = Sim::start(world([2001]), options).await.unwrap();
    done(&home(&other, &url, &chief), &["sync"]);
    ana.unset("DIDIT_API_KEY");
    let listed = done(&ana, &["queue", "list"]);
    assert!(listed.contains("#1001") && !listed.contains("#2001"), "{listed}");
    for command in [&["history"][..], &["stats"], &["export"], &["audit", "verify"]] {
        done(&ana, command);
    }
    // Nobody on its roster: it is named, and no key says otherwise.
    let mut aud = Home::at(&sim, 300);
    aud.set("SECONDLOOK_STORE", &as_role("aud"));
    aud.unset("DIDIT_API_KEY");
    let ran = aud.run(&["queue", "list"]);
    assert!(ran.code == 4 && ran.err.contains("--origin"), "{ran:?}");
    sim.shutdown().await;
    other.shutdown().await;
}
