//! What somebody does who owns the file and knows the program: rows and entries that fit each other, hashes and
//! all, and only are not true. None of it is sent, and `audit verify` says what is wrong.

use secondlook::sim::{Candidate, Limits, Options, Session, Sim, World};
use secondlook::store::audit::hash_of;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::crash::{Rig, Way};
use crate::people::Person;
use crate::roster::{no, ok, rig, rostered, store_of, target, writes};
use crate::terminal::Home;

/// A store's file in the hands of its owner.
struct Bent(SqliteConnection);

impl Bent {
    async fn open(rig: &Rig) -> Self {
        let mut file = SqliteConnection::connect(&store_of(rig)).await.unwrap();
        let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
        let triggers: Vec<String> =
            sqlx::query_scalar(triggers).fetch_all(&mut file).await.unwrap();
        let mut bent = Self(file);
        for name in triggers {
            bent.run(&format!("DROP TRIGGER {name}")).await;
        }
        bent
    }

    async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await.unwrap();
    }

    async fn text(&mut self, sql: &str) -> String {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.0)
            .await
            .unwrap()
            .get(0)
    }

    /// Writes the entries anew from `seq` on, each changed, so that all hashes and links fit.
    async fn rewrite(&mut self, seq: i64, change: impl Fn(i64, &mut Value)) {
        let all = "SELECT seq, entry, hash FROM audit ORDER BY seq";
        let rows = sqlx::query(all).fetch_all(&mut self.0).await.unwrap();
        let mut before = String::new();
        for row in rows {
            let (at, text, mut hash): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
            if at >= seq {
                let mut entry: Value = serde_json::from_str(&text).unwrap();
                change(at, &mut entry);
                entry["before"] = json!(before);
                hash = self.put(at, &entry).await;
            }
            before = hash;
        }
        self.close_chain().await;
    }

    /// Puts an entry in at the end.
    async fn append(&mut self, mut entry: Value) {
        let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query(last).fetch_one(&mut self.0).await.unwrap();
        let seq = row.get::<i64, _>(0) + 1;
        entry["seq"] = json!(seq);
        entry["before"] = json!(row.get::<String, _>(1));
        self.put(seq, &entry).await;
        self.close_chain().await;
    }

    /// Writes one entry, its fields in the order in which the program writes them.
    async fn put(&mut self, seq: i64, entry: &Value) -> String {
        let entry: secondlook::store::audit::AuditEntry =
            serde_json::from_value(entry.clone()).unwrap();
        let text = serde_json::to_string(&entry).unwrap();
        let hash = hash_of(&text);
        let sql = "INSERT INTO audit (origin, seq, entry, hash, decision) VALUES (1, $1, $2, $3, $4) \
                   ON CONFLICT (origin, seq) DO UPDATE SET entry = excluded.entry, hash = excluded.hash";
        let query = sqlx::query(sql).bind(seq).bind(&text).bind(&hash).bind(&entry.decision);
        query.execute(&mut self.0).await.unwrap();
        hash
    }

    async fn close_chain(&mut self) {
        self.run(
            "UPDATE audit_heads SET seq = (SELECT max(seq) FROM audit), \
             hash = (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1)",
        )
        .await;
    }

    /// Changes the last decision's record, and its entry with it.
    async fn redo_last(&mut self, change: impl Fn(&mut Value)) {
        self.redo("true", change).await;
    }

    /// The same for the last decision of which `what` is true.
    async fn redo(&mut self, what: &str, change: impl Fn(&mut Value)) {
        let last = format!("SELECT record FROM decisions WHERE {what} ORDER BY seq DESC LIMIT 1");
        let old = self.text(&last).await;
        let mut decision: secondlook::domain::Decision = serde_json::from_str(&old).unwrap();
        let mut value = serde_json::to_value(&decision).unwrap();
        change(&mut value);
        decision = serde_json::from_value(value).unwrap();
        let new = serde_json::to_string(&decision).unwrap();
        let sql = "UPDATE decisions SET record = $1, reviewer = $2 WHERE record = $3";
        let query = sqlx::query(sql).bind(&new).bind(&decision.reviewer.id.0).bind(&old);
        query.execute(&mut self.0).await.unwrap();
        let (old, new) = (hash_of(&old), hash_of(&new));
        self.rewrite(1, |_, entry| {
            if entry["record"] == json!(old) {
                entry["record"] = json!(new);
                entry["reviewer"] = json!(decision.reviewer.id.0);
            }
        })
        .await;
    }

    async fn close(self) {
        self.0.close().await.unwrap();
    }
}

/// Nothing of what was bent is sent, and it is said why; `found` is what `audit verify` says, where it can know.
async fn is_not_sent(rig: &Rig, before: usize, said: &str, found: Option<&str>) {
    let (_, out) = rig.run(&["audit", "verify"]).await;
    if let Some(found) = found {
        assert!(out.contains(found), "{out}");
    }
    rig.run(&["outbox", "flush", "--within", "10"]).await;
    assert_eq!(writes(rig), before, "nothing more is written at Didit");
    let shown = ok(rig, &["history", "--json"]).await;
    assert!(shown.contains(said), "{shown}");
}

/// The list of matches says one thing, the session itself another by now: what is sent goes by the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_became_a_customer_since_the_look_is_not_blocklisted_by_one_person() {
    let mut world = World::new(jiff::Timestamp::now());
    let other = Session::in_review(2001);
    let subject = Session::in_review(1001).with(Candidate::of(&other, 88.0));
    let other = world.add(other);
    world.add(subject);
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world, options).await.unwrap();
    let home = Home::at(&sim, 0);
    let run = |words: &[&str]| home.run(words);
    assert_eq!(run(&["sync"]).code, 0);
    let blocklist = ["decide", "1001", "blocklist", "--target", "2001"];
    assert_eq!(run(&blocklist).code, 0);
    sim.knobs().change(other, |session| session.status = "Approved".into());
    let flushed = run(&["outbox", "flush"]);
    let shown = run(&["history", "--json"]).out;
    assert!(shown.contains("not sent: #2001 is an approved customer by now"), "{flushed:?}{shown}");
    assert_eq!(sim.effects(), []);
    // Its case is open again, and now it takes two.
    let again = run(&blocklist);
    assert!(
        again.code == 1 && again.err.contains("an approved customer takes two people"),
        "{again:?}"
    );
    sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_no_candidate_or_is_called_no_customer_is_not_sent() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["chief", "ana", "eva"]).await else {
        return;
    };
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "blocklist", "--target", "1001"]).await;
    let customer = {
        let shown = ok(&rig, &["queue", "show", "1001", "--json"]).await;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["candidates"][0]["session_id"].as_str().unwrap().to_owned()
    };
    for (session, said) in [
        (customer.as_str(), "is an approved customer by now"),
        ("018f0000-0000-7000-8000-00000000000f", "is no candidate of this case at Didit"),
    ] {
        let mut bent = Bent::open(&rig).await;
        bent.redo_last(|record| {
            record["target"] =
                json!({ "session_id": session, "session_number": 2001, "is_subject": false });
        })
        .await;
        bent.run("UPDATE decisions SET state = 'held', due = 0, settled_at = NULL, note = NULL")
            .await;
        bent.rewrite(1, |_, _| ()).await;
        bent.run("DELETE FROM audit WHERE entry LIKE '%\"settled\"%'").await;
        bent.close_chain().await;
        bent.close().await;
        is_not_sent(&rig, 0, said, None).await;
    }
    rig.sim.shutdown().await;
}

/// What was taken back is found by what its entry says, whatever stands beside that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_is_not_sent_by_hiding_its_entry() {
    let Some((rig, _people)) = rostered(&[Way::Reject], &["ana", "ben"]).await else { return };
    let config = rig.folder.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("undo_seconds = 0", "undo_seconds = 300")).unwrap();
    ok(&rig, &["decide", "1001", "reject"]).await;
    let shown: Value = serde_json::from_str(&ok(&rig, &["history", "--json"]).await).unwrap();
    ok(&rig, &["undo", shown["decision"].as_str().unwrap()]).await;
    let mut bent = Bent::open(&rig).await;
    bent.run("UPDATE audit SET decision = 'elsewhere' WHERE entry LIKE '%\"undone\"%'").await;
    bent.run("UPDATE decisions SET state = 'held', due = 0, settled_at = NULL").await;
    bent.close().await;
    is_not_sent(&rig, 0, "is sending where its last entry left it undone", Some("left it undone"))
        .await;
    rig.sim.shutdown().await;
}

/// A case that somebody has read goes to another person, whatever the row says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_their_own_second_reader_by_bending_the_row() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    for _ in 0..2 {
        let mut bent = Bent::open(&rig).await;
        bent.run("UPDATE cases SET state = 'open', readings = NULL").await;
        bent.close().await;
        ok(&rig, &["decide", "1001", "reject"]).await;
        let said = "person:ana had read the case before";
        is_not_sent(&rig, 0, said, Some(said)).await;
    }
    // Another person's word, signed, is sent.
    let mut bent = Bent::open(&rig).await;
    bent.run("UPDATE cases SET state = 'escalated'").await;
    bent.close().await;
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "reject"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1);
    rig.sim.shutdown().await;
}

/// A case that left the queue and came back was read by whoever read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_left_and_came_back_waits_for_another_reader_still() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    let session = rig.cases[0].session;
    for status in ["Declined", "In Review"] {
        rig.sim.knobs().change(session, |session| session.status = status.into());
        ok(&rig, &["sync"]).await;
    }
    no(&rig, &["decide", "1001", "reject"], 6, "another reviewer decides it").await;
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "reject"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// Whoever owns the file can recover the roster with a second key of their own: it makes no second person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_with_a_recovery_is_nobodys_second_until_one_from_before_signs() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    let (Some(puppet), Some(second)) = (Person::new("puppet"), Person::new("second")) else {
        return;
    };
    rig.env = people[1].env();
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &blocklist).await;
    ok(&rig, &["reviewers", "recover", "puppet", "--key", &puppet.key()]).await;
    rig.env = puppet.env();
    no(&rig, &blocklist, 6, "came with a recovery by the store's owner").await;
    ok(&rig, &["reviewers", "add", "second", "--admin", "--key", &second.key()]).await;
    // They vouch for nobody, not by turns, and not by taking out who could say no.
    ok(&rig, &["reviewers", "remove", "chief"]).await;
    rig.env = second.env();
    ok(&rig, &["reviewers", "add", "puppet", "--label", "other"]).await;
    no(&rig, &blocklist, 6, "came with a recovery by the store's owner").await;
    ok(&rig, &["reviewers", "remove", "ana"]).await;
    ok(&rig, &["reviewers", "remove", "eva"]).await;
    let Some(third) = Person::new("third") else { return };
    ok(&rig, &["reviewers", "recover", "third", "--key", &third.key()]).await;
    rig.env = third.env();
    no(&rig, &blocklist, 6, "came with a recovery by the store's owner").await;
    let shown = ok(&rig, &["reviewers", "list"]).await;
    assert_eq!(shown.matches("by recovery").count(), 3, "{shown}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_from_before_vouches_for_who_was_recovered() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    let [chief, ana, _] = &people[..] else { panic!() };
    let Some(puppet) = Person::new("puppet") else { return };
    rig.env = ana.env();
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &blocklist).await;
    ok(&rig, &["reviewers", "recover", "puppet", "--key", &puppet.key()]).await;
    rig.env = chief.env();
    ok(&rig, &["reviewers", "add", "puppet"]).await;
    rig.env = puppet.env();
    ok(&rig, &blocklist).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 2);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// A recovery is told for seven days from when it was entered, whatever day it names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_of_long_ago_that_was_made_today_is_told() {
    let Some((mut rig, people)) = rostered(&[Way::Approve], &["chief", "ana"]).await else {
        return;
    };
    rig.env = people[1].env();
    let Some(puppet) = Person::new("puppet") else { return };
    ok(&rig, &["reviewers", "recover", "puppet", "--key", &puppet.key()]).await;
    let mut bent = Bent::open(&rig).await;
    let month = 30 * 86_400_000_i64;
    bent.run(&format!("UPDATE acts SET done_at = done_at - {month} WHERE act LIKE '%recover%'"))
        .await;
    bent.rewrite(3, |_, entry| entry["at"] = json!(entry["at"].as_i64().unwrap() - month)).await;
    bent.close().await;
    let (_, _, err) = rig.run_aloud(&["decide", "1001", "approve"]).await;
    assert!(err.contains("The roster was recovered by the store's owner"), "{err}");
    let (code, out) = rig.run(&["audit", "verify"]).await;
    assert!(code == Some(1) && out.contains("minutes before the one before it"), "{out}");
    rig.sim.shutdown().await;
}

/// Didit's console shows a name and nothing else of who decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_decides_in_the_name_of_another() {
    let ways = [Way::Approve, Way::Approve, Way::Approve];
    let Some((mut rig, people)) = rostered(&ways, &["chief", "ana"]).await else { return };
    // Nobody whom nothing proves bears a person's name.
    rig.env = vec![("SECONDLOOK_REVIEWER".to_owned(), "ana".to_owned())];
    ok(&rig, &["decide", "1001", "approve"]).await;
    let shown = ok(&rig, &["history", "--json"]).await;
    let me = format!("os:{}", rustix::process::getuid().as_raw());
    assert!(shown.contains(&me) && !shown.contains("\"reviewer\":\"ana\""), "{shown}");
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1);
    // Nor by bending the record.
    for name in ["chief", "ana "] {
        ok(&rig, &["decide", "1002", "approve"]).await;
        let mut bent = Bent::open(&rig).await;
        bent.redo_last(|record| record["reviewer"]["name"] = json!(name.trim())).await;
        bent.close().await;
        is_not_sent(&rig, 1, "in the name of ", Some("in the name of ")).await;
    }
    rig.env = people[1].env();
    ok(&rig, &["decide", "1003", "approve"]).await;
    let mut bent = Bent::open(&rig).await;
    bent.redo_last(|record| record["reviewer"]["name"] = json!("chief")).await;
    bent.close().await;
    is_not_sent(&rig, 1, "it bears another name than person:ana's", Some("bears another name"))
        .await;
    // And no two people are called the same.
    rig.env = people[0].env();
    let Some(other) = Person::new("other") else { return };
    let add = ["reviewers", "add", "other", "--label", "Ana", "--key", &other.key()];
    no(&rig, &add, 4, "ana is called that already").await;
    rig.sim.shutdown().await;
}

/// A key that was revoked signs nothing that is entered after that, whatever time it bears.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_signs_nothing_later_by_dating_it_earlier() {
    let Some((mut rig, people)) = rig(&[Way::Approve], &["ana", "ben"]).await else { return };
    let [ana, ben] = &people[..] else { panic!() };
    rig.env = ana.env();
    for who in [ana, ben] {
        ok(&rig, &["reviewers", "add", &who.name, "--admin", "--key", &who.key()]).await;
    }
    ok(&rig, &["policy", "set", "every-decision"]).await;
    rig.env = ben.env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    rig.env = ana.env();
    ok(&rig, &["reviewers", "revoke", &ben.key(), "--since", "2026-01-01"]).await;
    // The last one that works stays.
    no(
        &rig,
        &["reviewers", "revoke", &ana.key(), "--since", "2026-01-01"],
        4,
        "last administrator",
    )
    .await;
    // As if it had been signed and entered last year, but after the revocation.
    let mut bent = Bent::open(&rig).await;
    let year = 365 * 86_400_000_i64;
    bent.run(&format!("UPDATE proofs SET made_at = made_at - {year}")).await;
    bent.rewrite(1, |_, entry| {
        if entry["what"] == "decided" {
            entry["at"] = json!(entry["at"].as_i64().unwrap() - year);
        }
    })
    .await;
    let decided = "SELECT entry FROM audit WHERE entry LIKE '%\"decided\"%'";
    let entry: Value = serde_json::from_str(&bent.text(decided).await).unwrap();
    bent.run("DELETE FROM audit WHERE entry LIKE '%\"decided\"%'").await;
    // The revocation stands before it now.
    bent.run("UPDATE acts SET seq = seq - 1 WHERE act LIKE '%revoke%'").await;
    bent.run("UPDATE audit SET seq = seq - 1 WHERE seq > 3").await;
    bent.rewrite(1, |seq, entry| entry["seq"] = json!(seq)).await;
    bent.append(entry).await;
    bent.run("UPDATE decisions SET state = 'unknown'").await;
    bent.close().await;
    is_not_sent(&rig, 0, "it is not signed by person:ben", Some("it is not signed by person:ben"))
        .await;
    rig.sim.shutdown().await;
}

/// Two spellings of one session are one case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_in_capitals_is_the_same_case() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    let shown = ok(&rig, &["queue", "show", "1001", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let capitals = shown["case"].as_str().unwrap().to_uppercase();
    let answer = rig.sim.knobs().decision(rig.cases[0].session).unwrap().to_string();
    let file = rig.folder.path().join("answer.json");
    std::fs::write(&file, answer.replace(&capitals.to_lowercase(), &capitals)).unwrap();
    rig.run(&["ingest", &file.display().to_string()]).await;
    let cases = ok(&rig, &["queue", "list", "--json"]).await;
    assert_eq!(cases, "", "no case is open: the one there is waits for another reader");
    no(&rig, &["decide", &capitals, "approve"], 6, "another reviewer decides it").await;
    rig.sim.shutdown().await;
}

/// A workflow's session that was taken in as a search is a customer's all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_one_whatever_kind_the_case_says() {
    let mut world = World::new(jiff::Timestamp::now());
    let customer = Session::approved(2001).with(Candidate::session(7, 88.0));
    let customer = world.add(customer);
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world, options).await.unwrap();
    let home = Home::at(&sim, 0);
    let found = sim.knobs().decision(customer).unwrap()["liveness_checks"][0]["matches"].clone();
    let reply = json!({
        "request_id": customer.to_string(),
        "face_search": { "status": "Approved", "total_matches": 1, "matches": found, "user_image": null,
                         "warnings": [] },
        "created_at": "2026-11-28T00:00:00Z",
    });
    let file = home.file("reply.json", &reply.to_string(), 0o600);
    home.run(&["ingest", &file.display().to_string()]);
    let key = customer.to_string();
    let ran = home.run(&["decide", &key, "blocklist", "--target", "2001"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("an approved customer takes two people"), "{ran:?}");
    assert_eq!(sim.effects(), []);
    sim.shutdown().await;
}

/// What a proposal needs is two people who are both who they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_recovered_person_proposes_is_confirmed_by_nobody() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    let Some(puppet) = Person::new("puppet") else { return };
    rig.env = people[1].env();
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &["reviewers", "recover", "puppet", "--key", &puppet.key()]).await;
    rig.env = puppet.env();
    ok(&rig, &blocklist).await;
    rig.env = people[1].env();
    no(&rig, &blocklist, 6, "came with a recovery by the store's owner").await;
    rig.sim.shutdown().await;
}

/// A proposal that was taken back or declined waits no more, whatever its case says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_that_waits_no_more_is_confirmed_by_no_row() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    rig.env = people[2].env();
    ok(&rig, &blocklist).await;
    let shown = ok(&rig, &["history", "--json"]).await;
    let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    ok(&rig, &["undo", shown["decision"].as_str().unwrap()]).await;
    // As if it waited still, for as long as it takes to confirm it; then as its last entry left it.
    let mut bent = Bent::open(&rig).await;
    bent.run("UPDATE decisions SET state = 'proposed', settled_at = NULL").await;
    bent.run("UPDATE cases SET state = 'escalated'").await;
    bent.close().await;
    rig.env = people[1].env();
    ok(&rig, &blocklist).await;
    let mut bent = Bent::open(&rig).await;
    bent.run("UPDATE decisions SET state = 'undone' WHERE reviewer = 'person:eva'").await;
    bent.run("DELETE FROM audit WHERE seq > 3 AND entry LIKE '%\"settled\"%'").await;
    bent.close_chain().await;
    bent.close().await;
    is_not_sent(&rig, 0, "the proposal that it answers did not wait any more", None).await;
    rig.sim.shutdown().await;
}

/// What was sent and opened again begins a new round: who had read the case in the one before decides it as anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_was_opened_again_is_decided_by_who_had_read_it_before() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "reject"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    ok(&rig, &["undo", &newest(&rig).await]).await;
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 2);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// The id of the newest decision.
async fn newest(rig: &Rig) -> String {
    let shown = ok(rig, &["history", "--json"]).await;
    let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    shown["decision"].as_str().unwrap().to_owned()
}

/// Entries that cannot follow those before them end no round: the first reader stays one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_cannot_be_make_nobody_their_own_second_reader() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    let mut bent = Bent::open(&rig).await;
    let first = bent.text("SELECT entry FROM audit ORDER BY seq DESC LIMIT 1").await;
    let first: Value = serde_json::from_str(&first).unwrap();
    // Somebody else is said to have closed the case with it, and it is known what came of that.
    for (what, state, reviewer) in [
        ("settled", "local", "person:ana"),
        ("proposed", "held", "person:eva"),
        ("settled", "sent", "person:eva"),
        ("reopened", "sent", "person:eva"),
    ] {
        let mut entry = first.clone();
        (entry["what"], entry["state"], entry["reviewer"]) =
            (json!(what), json!(state), json!(reviewer));
        bent.append(entry).await;
    }
    bent.run("UPDATE cases SET state = 'open', readings = NULL").await;
    bent.close().await;
    ok(&rig, &["decide", "1001", "reject"]).await;
    let said = "person:ana had read the case before";
    is_not_sent(&rig, 0, said, Some(said)).await;
    let (_, out) = rig.run(&["audit", "verify"]).await;
    assert!(out.contains("cannot follow those before it"), "{out}");
    rig.sim.shutdown().await;
}

/// A decision that an earlier reader's word outweighs is not sent, whatever state its row was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_differs_is_not_called_agreed() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "escalate"]).await;
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    let mut bent = Bent::open(&rig).await;
    // What eva said, had she said it: the contrary. The case's row knows nothing of it.
    let said = bent.text("SELECT record FROM decisions ORDER BY seq DESC LIMIT 1").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    let mut judged = said["judgements"].clone();
    for judged in judged.as_array_mut().unwrap() {
        assert_eq!(judged["judgement"], json!("different"), "{said}");
        judged["judgement"] = json!("same");
    }
    bent.redo("disposition = 'escalate'", |decision| decision["judgements"] = judged.clone()).await;
    bent.close().await;
    let said = "an earlier reader said the contrary";
    is_not_sent(&rig, 0, said, Some(said)).await;
    rig.sim.shutdown().await;
}

/// Of two decisions on one case the first stands until it is known what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_on_a_case_that_another_holds_is_not_sent() {
    let names = ["chief", "ana", "eva"];
    let Some((mut rig, people)) = rostered(&[Way::Reject], &names).await else { return };
    rig.env = people[2].env();
    ok(&rig, &["decide", "1001", "reject"]).await;
    let mut bent = Bent::open(&rig).await;
    bent.run("UPDATE cases SET state = 'open'").await;
    bent.close().await;
    rig.env = people[1].env();
    ok(&rig, &["decide", "1001", "approve"]).await;
    is_not_sent(&rig, 0, "was on its way for the case", Some("was on its way for the case")).await;
    rig.env = people[2].env();
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1, "the first is sent");
    rig.sim.shutdown().await;
}
