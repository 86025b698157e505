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
    "DELETE FROM cases",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TABLE audit",
    "DROP FUNCTION only_added_to() CASCADE",
    "CREATE TABLE mine (n BIGINT)",
    "SET ROLE test",
];

/// An entry that follows the chain and says something of eva's decision that ana may not say; each as what it is
/// changed in. The first changes nothing, and is taken.
const ENTRIES: &[&str] = &[
    "",
    "|| '{\"what\":\"undone\"}'",
    "|| '{\"what\":\"undone\",\"by\":\"person:ana\"}'",
    "|| '{\"what\":\"decided\",\"by\":\"person:ana\"}'",
    "|| '{\"what\":\"roster\",\"by\":\"person:ana\"}'",
    "|| '{\"what\":\"released\",\"by\":\"person:ana\"}'",
    "|| '{\"case\":\"elsewhere\"}'",
    "|| '{\"reviewer\":[\"person:ana\"]}'",
    "|| '{\"at\":\"x\"}'",
    "- 'state'",
];

/// The statement that puts such an entry at the end of the chain, its fields in their order.
fn entered(change: &str) -> String {
    format!(
        "WITH h AS (SELECT origin, seq, hash FROM audit_heads), \
         last AS (SELECT (entry::jsonb || jsonb_build_object('what', 'settled', 'seq', h.seq + 1, 'before', \
         h.hash)) {change} AS e FROM audit JOIN h USING (origin) WHERE entry LIKE '%person:eva%' LIMIT 1), \
         new AS (SELECT '{{' || string_agg('\"' || key || '\":' || value::text, ',') || '}}' AS entry, \
         min(e ->> 'decision') AS decision FROM last, jsonb_each(e)) \
         INSERT INTO audit (origin, seq, entry, hash, decision) SELECT h.origin, h.seq + 1, new.entry, \
         encode(sha256(convert_to(new.entry, 'UTF8')), 'hex'), new.decision FROM h, new"
    )
}

/// A decision put in behind the program's back.
fn put_in(reviewer: &str) -> String {
    let id = "018f0000-0000-7000-8000-00000000000f";
    format!(
        "INSERT INTO decisions (origin, id, case_id, reviewer, disposition, record, case_was, state, due, \
         attempts, fence, may_have_written, status_done, listed, noted) \
         SELECT origin, '{id}', case_id, '{reviewer}', disposition, \
         replace(replace(record, id, '{id}'), 'person:eva', '{reviewer}'), case_was, 'held', 0, 0, 0, 0, 0, \
         0, 0 FROM decisions WHERE reviewer = 'person:eva' LIMIT 1"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_takes_of_a_reviewer_what_is_their_own_and_nothing_else() {
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
    for sql in FORBIDDEN {
        assert!(!behind(&as_role("ana"), sql).await, "ana may: {sql}");
        assert!(!behind(&as_role("aud"), sql).await, "an auditor may: {sql}");
    }
    for change in ENTRIES {
        // Taken back at once: only whether it would be taken is asked.
        let sql = format!("BEGIN; {}; ROLLBACK", entered(change));
        let taken = behind(&as_role("ana"), &sql).await;
        assert_eq!(taken, change.is_empty(), "{change}");
    }
    for (reviewer, why) in [
        ("person:eva", "in another's name"),
        ("person:ana", "without its entry"),
        ("db:ana", "in the name of the role"),
    ] {
        assert!(!behind(&as_role("ana"), &put_in(reviewer)).await, "{why}");
    }
    assert!(behind(&as_role("aud"), "SELECT count(*) FROM audit").await, "an auditor reads");
    // The owner is held to what is only added to as well; not silently.
    for sql in ["UPDATE audit SET entry = entry", "TRUNCATE proofs", "DELETE FROM decisions"] {
        assert!(!behind(&url, sql).await, "the owner may: {sql}");
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
