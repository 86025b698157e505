//! The roster, proofs and what the audit binds: through the program, with real agents, keys and certificates, and
//! with everything that somebody could do who owns the file.

use secondlook::domain::ReviewerId;
use secondlook::sim::{Limits, Options, Route, Sim, World};
use serde_json::Value;

use crate::audit::behind;
use crate::crash::{Rig, Way};
use crate::people::{Person, enrolment};
use crate::terminal::Home;

/// A rig without a roster, and people who could be on one.
pub async fn rig(ways: &[Way], names: &[&str]) -> Option<(Rig, Vec<Person>)> {
    let people = names.iter().map(|name| Person::new(name)).collect::<Option<Vec<_>>>()?;
    Some((Rig::new(ways, 11).await, people))
}

/// The same with all of them on the roster; the first is its administrator and adds the rest.
pub async fn rostered(ways: &[Way], names: &[&str]) -> Option<(Rig, Vec<Person>)> {
    let (mut rig, people) = rig(ways, names).await?;
    rig.env = people[0].env();
    let rest: Vec<_> = people[1..].iter().collect();
    for add in enrolment(&people[0], &rest) {
        ok(&rig, &add.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    Some((rig, people))
}

pub async fn ok(rig: &Rig, arguments: &[&str]) -> String {
    let (code, out, err) = rig.run_aloud(arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    out
}

/// Wants a refusal with an exit code and a word of it.
pub async fn no(rig: &Rig, arguments: &[&str], code: i32, word: &str) {
    let (found, out, err) = rig.run_aloud(arguments).await;
    assert_eq!(found, Some(code), "{arguments:?}: {out}{err}");
    assert!(err.contains(word), "{arguments:?}: {err}");
}

pub async fn target(rig: &Rig) -> String {
    let shown = ok(rig, &["queue", "show", "1001", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["candidates"][0]["session_number"].to_string()
}

pub fn store_of(rig: &Rig) -> String {
    format!("sqlite:{}", rig.folder.path().join("store.db").display())
}

pub fn writes(rig: &Rig) -> usize {
    let write = |route: &Route| matches!(route, Route::UpdateStatus | Route::BlocklistAdd);
    rig.sim.record().iter().filter(|call| call.route.as_ref().is_some_and(write)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_adds_themselves_with_a_key_that_is_tried_and_only_administrators_change_it() {
    let Some((mut rig, people)) = rig(&[Way::Approve], &["ana", "ben", "eva"]).await else {
        return;
    };
    let [ana, ben, eva] = &people[..] else { panic!() };
    // Without an agent, or with somebody else's key, nobody is first.
    no(&rig, &["reviewers", "add", "ana", "--key", &ana.key()], 4, "no ssh-agent is known").await;
    rig.env = ben.env();
    no(&rig, &["reviewers", "add", "ana", "--key", &ana.key()], 4, "holds none of these keys")
        .await;
    rig.env = ana.env();
    ok(&rig, &["reviewers", "add", "ana", "--key", &ana.key()]).await;
    // The last administrator stays, and so does the last of their keys.
    no(&rig, &["reviewers", "remove", "ana"], 4, "last administrator").await;
    let print = ana.shell("ssh-keygen -lf key.pub");
    let print = print.split(' ').nth(1).unwrap();
    no(&rig, &["reviewers", "remove", "ana", "--key", print], 4, "last administrator").await;
    ok(&rig, &["reviewers", "add", "ben", "--key", &ben.key()]).await;
    no(&rig, &["reviewers", "add", "eva", "--key", &ben.key()], 4, "is ben's already").await;
    // Who is no administrator changes nothing; nor does who is nobody.
    for who in [ben, eva] {
        rig.env = who.env();
        let add = ["reviewers", "add", "eva", "--key", &eva.key()];
        no(
            &rig,
            &add,
            4,
            if who.name == "ben" { "is no administrator" } else { "no key of anybody" },
        )
        .await;
        no(&rig, &["policy", "set", "every-decision"], 4, "administrator").await;
    }
    rig.env = ana.env();
    let shown = ok(&rig, &["reviewers", "show", "ben"]).await;
    assert!(shown.contains("added by person:ana"), "{shown}");
    assert!(shown.contains("cannot confirm what person:ana proposes"), "{shown}");
    // As OpenSSH writes it, and back.
    let list = ok(&rig, &["reviewers", "export"]).await;
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.starts_with("ana ssh-ed25519 "), "{list}");
    let file = rig.folder.path().join("signers");
    std::fs::write(&file, list.replace("ben ", "ben2 ") + "no key here\n").unwrap();
    let (code, _, err) = rig.run_aloud(&["reviewers", "import", &file.display().to_string()]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("line 3") && err.contains("is ben's already"), "{err}");
    let audit = ok(&rig, &["audit", "verify"]).await;
    assert!(audit.starts_with("2 entries"), "{audit}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_confirms_who_added_them_and_a_policy_wants_every_decision_signed() {
    let Some((mut rig, people)) = rostered(&[Way::Reject, Way::Approve], &["ana", "ben"]).await
    else {
        return;
    };
    let [ana, ben] = &people[..] else { panic!() };
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &blocklist).await;
    rig.env = ben.env();
    no(&rig, &blocklist, 6, "put on the roster by who proposed it").await;
    rig.env = ana.env();
    ok(&rig, &["policy", "set", "every-decision"]).await;
    // Now a decision of one person is signed too, or not made; before the case is touched.
    rig.env = Vec::new();
    no(&rig, &["decide", "1002", "approve"], 4, "the team wants every decision signed").await;
    rig.env = ben.env();
    ok(&rig, &["decide", "1002", "approve"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1);
    // Its signature taken away behind the program's back shows.
    ok(&rig, &["audit", "verify"]).await;
    let url = store_of(&rig);
    assert!(behind(&url, "DROP TRIGGER proofs_are_kept").await);
    assert!(behind(&url, "DELETE FROM proofs").await);
    let (code, out) = rig.run(&["audit", "verify"]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("person:ben did not sign it"), "{out}");
    rig.sim.shutdown().await;
}

/// A puppet of a puppet is no second person, and being taken out and put in again forgets nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_added_whom_is_followed_to_its_beginning() {
    let names = ["ana", "puppet", "second"];
    let Some((mut rig, people)) = rig(&[Way::Reject], &names).await else { return };
    let [ana, puppet, second] = &people[..] else { panic!() };
    rig.env = ana.env();
    ok(&rig, &["reviewers", "add", "ana", "--key", &ana.key()]).await;
    ok(&rig, &["reviewers", "add", "puppet", "--admin", "--key", &puppet.key()]).await;
    rig.env = puppet.env();
    ok(&rig, &["reviewers", "add", "second", "--key", &second.key()]).await;
    ok(&rig, &["reviewers", "remove", "second"]).await;
    ok(&rig, &["reviewers", "add", "second", "--key", &second.key()]).await;
    rig.env = ana.env();
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &blocklist).await;
    for who in [puppet, second] {
        rig.env = who.env();
        no(&rig, &blocklist, 6, "put on the roster by who proposed it").await;
    }
    rig.sim.shutdown().await;
}

/// What was seen: a certificate authority that signs a fresh key at each login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_certificate_each_login_is_one_person() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["chief", "ana", "eva"]).await else {
        return;
    };
    let [chief, ana, eva] = &people[..] else { panic!() };
    chief.shell("ssh-keygen -q -t ed25519 -N '' -C '' -f ca");
    let login = |person: &Person, id: &str| {
        let ca = chief.path("ca").display().to_string();
        person.shell(&format!(
            "ssh-add -q -D; ssh-keygen -q -t ed25519 -N '' -C '' -f fresh; \
             ssh-keygen -q -s {ca} -I {id} -n {id} -V -1m:+5m fresh.pub; \
             ssh-add -q fresh; rm fresh fresh.pub fresh-cert.pub"
        ));
    };
    let ca = chief.path("ca.pub").display().to_string();
    for (name, id) in [("ana", "ana@corp"), ("eva", "eva@corp")] {
        ok(&rig, &["reviewers", "add", name, "--ca", &ca, "--key-id", id]).await;
    }
    rig.env = ana.env();
    login(ana, "ana@corp");
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    ok(&rig, &blocklist).await;
    // Another login, another key, the same person.
    login(ana, "ana@corp");
    no(&rig, &blocklist, 6, "another reviewer decides it").await;
    // A certificate for a name that is on no roster is nobody.
    rig.env = eva.env();
    login(eva, "mallory@corp");
    no(&rig, &blocklist, 4, "no key of anybody on the roster").await;
    login(eva, "eva@corp");
    ok(&rig, &blocklist).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 2);
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

/// What somebody can do who owns the file, each on a store of its own: none of it is sent, and all of it is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_owner_of_the_file_bends_is_found_and_not_sent() {
    let bent = [
        ("UPDATE decisions SET reviewer = 'person:ben'", "names another reviewer", true),
        ("UPDATE decisions SET disposition = 'approve'", "names another disposition", true),
        ("UPDATE decisions SET state = 'sent'", "is sent where its last entry left it held", false),
        (
            "UPDATE decisions SET record = replace(record, 'reject', 'approve'), \
             disposition = 'approve'",
            "is not as it was recorded",
            true,
        ),
        (
            "INSERT INTO decisions SELECT 9, origin, '018f0000-0000-7000-8000-00000000000f', case_id, \
             reviewer, disposition, replace(record, substr(record, 8, 36), \
             '018f0000-0000-7000-8000-00000000000f'), case_was, state, due, attempts, fence, claim_worker, \
             claim_until, may_have_written, status_done, listed, noted, note, settled_at FROM decisions",
            "has no entry of its making",
            true,
        ),
        ("UPDATE decisions SET record = 'x', state = 'local'", "cannot be read", false),
    ];
    for (sql, finding, goes) in bent {
        let Some((rig, _people)) = rostered(&[Way::Reject], &["ana", "ben"]).await else { return };
        ok(&rig, &["decide", "1001", "reject"]).await;
        let url = store_of(&rig);
        let columns =
            if sql.starts_with("INSERT") { column_list(&rig, sql).await } else { sql.to_owned() };
        assert!(behind(&url, &columns).await, "{columns}");
        let (code, out) = rig.run(&["audit", "verify"]).await;
        assert!(code == Some(1) && out.contains(finding), "{sql}: {out}");
        rig.run(&["outbox", "flush", "--within", "5"]).await;
        let sent = usize::from(sql.starts_with("INSERT"));
        assert_eq!(writes(&rig), sent, "{sql}: only what was entered is sent");
        if goes && sent == 0 && !sql.contains("reviewer =") {
            let shown = ok(&rig, &["history", "--json"]).await;
            assert!(shown.contains("not sent: "), "{shown}");
            let open = ok(&rig, &["queue", "list", "--json"]).await;
            assert!(open.contains("\"session_number\":1001"), "its case is open again: {open}");
        }
        rig.sim.shutdown().await;
    }
}

/// The statement with the columns that the table has now, in their order.
async fn column_list(rig: &Rig, sql: &str) -> String {
    use sqlx::Connection as _;
    let url = store_of(rig);
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info('decisions') ORDER BY cid")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    connection.close().await.unwrap();
    let id = "'018f0000-0000-7000-8000-00000000000f'";
    let value = |name: &String| match name.as_str() {
        "seq" => "9".to_owned(),
        "id" => id.to_owned(),
        "record" => format!("replace(record, substr(record, 8, 36), {id})"),
        name => name.to_owned(),
    };
    let values: Vec<_> = names.iter().map(value).collect();
    assert!(sql.starts_with("INSERT INTO decisions"));
    format!(
        "INSERT INTO decisions ({}) SELECT {} FROM decisions",
        names.join(", "),
        values.join(", ")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_cut_or_written_anew_is_found_by_what_is_kept_elsewhere() {
    let Some((rig, _people)) = rostered(&[Way::Reject, Way::Approve], &["ana", "ben"]).await else {
        return;
    };
    ok(&rig, &["decide", "1001", "reject"]).await;
    let export = ok(&rig, &["audit", "export"]).await;
    let kept = rig.folder.path().join("kept.jsonl");
    std::fs::write(&kept, &export).unwrap();
    let kept = kept.display().to_string();
    let verified = ok(&rig, &["audit", "verify", &kept]).await;
    assert!(verified.starts_with("3 entries"), "{verified}");
    let (_, _, said) = rig.run_aloud(&["audit", "verify", &kept]).await;
    assert!(said.contains("Its end is signed with SHA256:"), "{said}");
    // The last lines of an export cut off.
    let cut = rig.folder.path().join("cut.jsonl");
    let lines: Vec<_> = export.lines().collect();
    for (text, word) in [
        (lines[..lines.len() - 1].join("\n"), "was cut"),
        ([&lines[..lines.len() - 2], &lines[lines.len() - 1..]].concat().join("\n"), "are missing"),
    ] {
        std::fs::write(&cut, text).unwrap();
        let (code, out) = rig.run(&["audit", "verify", &cut.display().to_string()]).await;
        assert!(code == Some(1) && out.contains(word), "{out}");
    }
    let head = ok(&rig, &["audit", "verify"]).await;
    let head = head.lines().find_map(|line| line.strip_prefix("head ")).unwrap().to_owned();
    ok(&rig, &["decide", "1002", "approve"]).await;
    ok(&rig, &["audit", "verify", "--head", &head, "--since", &kept]).await;
    let url = store_of(&rig);
    // The end of the chain taken away, with its decision, and the head moved.
    let back = "DROP TRIGGER audit_is_kept; DROP TRIGGER decisions_are_kept; DELETE FROM audit WHERE seq > 2; DELETE FROM decisions; \
                UPDATE audit_heads SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)";
    assert!(behind(&url, back).await);
    ok(&rig, &["audit", "verify"]).await;
    for elsewhere in [["--head", &head], ["--since", &kept]] {
        let (code, out) = rig.run(&[&["audit", "verify"][..], &elsewhere].concat()).await;
        assert!(code == Some(1) && out.contains("entry 3 is missing"), "{out}");
    }
    no(&rig, &["audit", "verify", "--head", "3:zz"], 2, "that is no head").await;
    // What is no older export compares to nothing, and is not passed over.
    let all = export.lines().collect::<Vec<_>>();
    let (rows, end) = (all[..2].join("\n") + "\n", all[3]);
    let head: Value = serde_json::from_str(end).unwrap();
    let elsewhere = head["head"].to_string().replace("\"scope\":\"", "\"scope\":\"x");
    let hash = secondlook::store::audit::hash_of(&elsewhere);
    let other = format!("{{\"head\":{elsewhere},\"hash\":\"{hash}\"}}\n");
    for (text, why) in [
        (String::new(), "it holds no entry and no end"),
        (rows.clone(), "it was cut"),
        (other, "it is of another application or store"),
    ] {
        std::fs::write(&cut, text).unwrap();
        no(&rig, &["audit", "verify", "--since", &cut.display().to_string()], 2, why).await;
    }
    // Lines taken out of its middle are told.
    std::fs::write(&cut, format!("{}\n{end}\n", all[0])).unwrap();
    let (code, out) = rig.run(&["audit", "verify", "--since", &cut.display().to_string()]).await;
    assert!(code == Some(1) && out.contains("in the older export: "), "{out}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_confirmation_is_not_sent() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["chief", "ana", "eva"]).await else {
        return;
    };
    let [_, ana, eva] = &people[..] else { panic!() };
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    rig.env = ana.env();
    ok(&rig, &blocklist).await;
    rig.env = eva.env();
    ok(&rig, &blocklist).await;
    // Ana's own signature in the place of eva's, entry and all.
    let url = store_of(&rig);
    let swap = "DROP TRIGGER proofs_stay; UPDATE proofs SET signature = \
                (SELECT signature FROM proofs ORDER BY made_at, decision LIMIT 1)";
    assert!(behind(&url, swap).await);
    rig.run(&["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 0);
    let shown = ok(&rig, &["history", "--json"]).await;
    assert!(shown.contains("not sent: its signature is none"), "{shown}");
    let (code, out) = rig.run(&["audit", "verify"]).await;
    assert!(code == Some(1) && out.contains("its signature is none"), "{out}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_comes_back_to_is_adopted_or_released() {
    let Some((mut rig, people)) = rig(&[Way::Reject, Way::Approve], &["ana", "ben"]).await else {
        return;
    };
    let [ana, ben] = &people[..] else { panic!() };
    let config = rig.folder.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("undo_seconds = 0", "undo_seconds = 300")).unwrap();
    // Decided alone, before there was a roster.
    ok(&rig, &["decide", "1001", "reject"]).await;
    rig.env = ana.env();
    ok(&rig, &["reviewers", "add", "ana", "--key", &ana.key()]).await;
    ok(&rig, &["reviewers", "add", "ben", "--key", &ben.key()]).await;
    let alone = format!("os:{}", rustix::process::getuid().as_raw());
    no(&rig, &["outbox", "release", "--of", "ben"], 3, "holds nothing").await;
    ok(&rig, &["reviewers", "adopt", &alone, "ana"]).await;
    ok(&rig, &["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1, "what was adopted is sent");
    rig.env = ben.env();
    ok(&rig, &["decide", "1002", "approve"]).await;
    no(&rig, &["outbox", "release", "--of", "ben"], 4, "only an administrator").await;
    rig.env = ana.env();
    let out = ok(&rig, &["outbox", "release", "--of", "ben"]).await;
    assert!(out.contains("#1002 is open again"), "{out}");
    rig.env = ben.env();
    rig.run(&["outbox", "flush"]).await;
    assert_eq!(writes(&rig), 1, "what was released is never sent");
    let audit = ok(&rig, &["audit", "verify"]).await;
    assert!(audit.contains("1 from before there was a roster"), "{audit}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_proves_nothing_and_a_recovery_is_told() {
    let Some((mut rig, people)) = rostered(&[Way::Approve], &["ana", "ben", "eva"]).await else {
        return;
    };
    let [_, ben, eva] = &people[..] else { panic!() };
    ok(&rig, &["reviewers", "revoke", &ben.key(), "--since", "2026-01-01"]).await;
    no(&rig, &["reviewers", "revoke", &ben.key(), "--since", "lately"], 2, "is no moment").await;
    rig.env = ben.env();
    let doctor = rig.run(&["doctor"]).await.1;
    assert!(doctor.contains("not proven to be on the roster"), "{doctor}");
    // The owner of the file makes another administrator; everybody is told.
    rig.env = eva.env();
    no(&rig, &["reviewers", "add", "eva", "--admin"], 4, "is no administrator").await;
    ok(&rig, &["reviewers", "recover", "eva", "--key", &eva.key()]).await;
    // A key is named by its file as well; one that was revoked is not put in again without a word.
    no(&rig, &["reviewers", "remove", "ben", "--key", &eva.key()], 3, "has no proof").await;
    ok(&rig, &["reviewers", "remove", "ben", "--key", &ben.key()]).await;
    for name in ["ben", "other"] {
        no(&rig, &["reviewers", "add", name, "--key", &ben.key()], 4, "was revoked").await;
    }
    ok(&rig, &["reviewers", "remove", "ben"]).await;
    let (_, _, err) = rig.run_aloud(&["decide", "1001", "approve"]).await;
    assert!(err.contains("The roster was recovered by the store's owner"), "{err}");
    ok(&rig, &["audit", "verify"]).await;
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sshd_says_is_a_hint_and_doctor_says_what_is_wrong_with_it() {
    let Some((mut rig, people)) = rostered(&[Way::Approve], &["ana", "ben"]).await else { return };
    let [ana, ben] = &people[..] else { panic!() };
    let info = rig.folder.path().join("auth");
    let key = |person: &Person| std::fs::read_to_string(person.key()).unwrap();
    let with =
        |path: &str| [ana.env(), vec![("SSH_USER_AUTH".to_owned(), path.to_owned())]].concat();
    let said = async |rig: &Rig| {
        let (_, out) = rig.run(&["doctor"]).await;
        out.lines().filter(|l| l.contains("reviewer") || l.contains("login")).collect::<String>()
    };
    std::fs::write(&info, format!("publickey {}", key(ben))).unwrap();
    rig.env = with(&info.display().to_string());
    let text = said(&rig).await;
    assert!(text.contains("FAIL") && text.contains("none of ana's"), "{text}");
    assert!(text.contains("(person:ana), proven by a signature"), "{text}");
    std::fs::write(&info, format!("publickey {}", key(ana))).unwrap();
    let text = said(&rig).await;
    assert!(!text.contains("FAIL") && !text.contains("login"), "{text}");
    rig.env = with("/nowhere/auth");
    let text = said(&rig).await;
    assert!(
        text.contains("warn") && text.contains("the login it was made for has ended"),
        "{text}"
    );
    rig.sim.shutdown().await;
}

#[tokio::test]
async fn nobody_alone_is_two() {
    let rig = Rig::new(&[Way::Reject], 12).await;
    let number = target(&rig).await;
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    no(&rig, &blocklist, 1, "`secondlook reviewers add` sets one up").await;
    ok(&rig, &["decide", "1001", "escalate"]).await;
    no(&rig, &["decide", "1001", "reject"], 6, "another reviewer decides it").await;
    // A claim to be somebody else makes nobody else.
    let store = secondlook::store::open(&store_of(&rig)).await.unwrap();
    let origin = store.origins().await.unwrap().pop().unwrap();
    let holder = secondlook::store::Holder {
        reviewer: secondlook::domain::Reviewer {
            id: ReviewerId("os:424242".to_owned()),
            name: "other".to_owned(),
        },
        worker: secondlook::domain::WorkerId("w".to_owned()),
    };
    let key = store.kept(&origin, 0, 1).await.unwrap()[0].decision().unwrap().case;
    let now = secondlook::domain::Millis(i64::MAX / 2);
    let answer = store.lease(&origin, &key, &holder, now, 1_000).await.unwrap();
    assert_eq!(answer, secondlook::store::LeaseAnswer::NotProven);
    store.close().await;
    rig.sim.shutdown().await;
}

/// The agent dies in the middle of a shift: what needs no signature goes on, what needs one says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_gone_is_said_and_changes_nobody() {
    let Some((mut rig, people)) = rostered(&[Way::Reject], &["ana", "ben"]).await else { return };
    let number = target(&rig).await;
    rig.env.retain(|(name, _)| name != "SSH_AUTH_SOCK");
    let gone = people[0].path("gone").display().to_string();
    rig.env.push(("SSH_AUTH_SOCK".to_owned(), gone));
    let blocklist = ["decide", "1001", "blocklist", "--target", &number];
    no(&rig, &blocklist, 1, "its socket is gone").await;
    ok(&rig, &["decide", "1001", "reject"]).await;
    let rows = ok(&rig, &["export"]).await;
    assert!(rows.contains("\"reviewer_id\":\"os:"), "{rows}");
    drop(people);
    rig.sim.shutdown().await;
}

/// What the build before the roster left behind: its held and unknown decisions leave, its proposals say what they
/// need, and nothing of then is a finding.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_the_build_before_is_opened_and_what_it_holds_leaves() {
    use sqlx::{ConnectOptions as _, Connection as _};
    let (Some(ana), Some(eva)) = (Person::new("ana"), Person::new("eva")) else { return };
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(World::seeded(5, 8, jiff::Timestamp::now()), options).await.unwrap();
    let mut home = Home::at(&sim, 0);
    let file = home.file("store.db", "", 0o600);
    let mut store = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&file)
        .foreign_keys(false)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(include_str!("stores/schema-7.sql")).execute(&mut store).await.unwrap();
    let salt: Vec<u8> =
        sqlx::query_scalar("SELECT salt FROM store").fetch_one(&mut store).await.unwrap();
    let client = crate::stage::client(sim.base_url(), sim.api_key());
    let origin = client.origin(&salt.try_into().unwrap());
    sqlx::query("UPDATE origins SET name = $1").bind(&origin.0).execute(&mut store).await.unwrap();
    store.close().await.unwrap();

    let run = |home: &Home, words: &[&str]| {
        let ran = home.run(words);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        ran.out
    };
    let me = format!("os:{}", rustix::process::getuid().as_raw());
    if me != "os:0" {
        run(&home, &["reviewers", "adopt", "os:0", &me]);
    }
    run(&home, &["outbox", "flush"]);
    let statuses = |home: &Home| {
        let rows = run(home, &["history", "--json"]);
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| format!("{} {}", row["disposition"], row["state"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let found = statuses(&home);
    assert_eq!(found.iter().filter(|row| row.ends_with(" sent")).count(), 2, "{found:?}");
    assert_eq!(found.iter().filter(|row| *row == "blocklist proposed").count(), 4, "{found:?}");
    let verified = run(&home, &["audit", "verify"]);
    assert!(verified.contains("from before there was a roster"), "{verified}");
    // A proposal of then was made by somebody whom nothing proves: it is declined, never confirmed.
    for (name, value) in ana.env() {
        home.set(&name, &value);
    }
    run(&home, &["reviewers", "add", "ana", "--key", &ana.key()]);
    run(&home, &["reviewers", "add", "eva", "--key", &eva.key()]);
    for (name, value) in eva.env() {
        home.set(&name, &value);
    }
    let ran = home.run(&["decide", "4800", "blocklist", "--target", "1276"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("before there was a roster"), "{ran:?}");
    run(&home, &["decide", "4800", "reject"]);
    run(&home, &["outbox", "flush"]);
    run(&home, &["audit", "verify"]);
    sim.shutdown().await;
}
