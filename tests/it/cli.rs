//! The commands for scripts, as the real program gives them: names, exit codes, and what goes where.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Stdio;

use secondlook::sim::{
    Candidate, Fault, Limits, On, Options, Reply, Route, Session, Sim, World, session_id,
};
use serde_json::{Value, json};

use crate::crash::{Rig, Way};
use crate::people::{Person, enrolment};
use crate::terminal::{Home, candidate, subject, world};

async fn sim(world: World) -> Sim {
    let options = Options { limits: Limits::none(), ..Options::default() };
    Sim::start(world, options).await.unwrap()
}

/// Wants at least these names in a row: more may come, none may go.
fn has_names(row: &Value, names: &[&str]) {
    let there: BTreeSet<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    for name in names {
        assert!(there.contains(name), "{name} is missing: {row}");
    }
}

fn writes(sim: &Sim) -> Vec<Option<Route>> {
    sim.record().into_iter().filter(|call| call.method != "GET").map(|call| call.route).collect()
}

fn id(number: u64) -> String {
    session_id(number).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_takes_in_decides_takes_back_and_sends() {
    let mut cases = world([1001, 1002, 1003]);
    // Strong only: counted, not queued. Of the same customer: folded, not queued.
    cases.add(subject(1004).with(candidate(6004, 95.0)));
    cases.add(
        subject(1005)
            .with(Candidate { vendor_data: Some("user-1005".to_owned()), ..candidate(6005, 80.0) }),
    );
    let sim = sim(cases).await;
    let home = Home::at(&sim, 300);

    let counts = home.rows(&["sync"]);
    assert_eq!(counts.len(), 1);
    has_names(&counts[0], &["seen", "queued", "updated", "left", "set_aside"]);
    assert_eq!((&counts[0]["queued"], &counts[0]["left"]), (&json!(3), &json!(1)), "{counts:?}");
    let again = home.rows(&["sync"]);
    assert_eq!((&again[0]["queued"], &again[0]["updated"]), (&json!(0), &json!(0)), "{again:?}");

    let queue = home.rows(&["queue", "list"]);
    assert_eq!(queue.len(), 3);
    for row in &queue {
        has_names(row, &["case", "session_number", "state", "candidates"]);
        assert_eq!(row["state"], "open");
        let found = &row["candidates"][0];
        has_names(
            found,
            &["session_id", "similarity_percentage", "band", "source", "self_match", "blocklisted"],
        );
        assert_eq!(found["similarity_percentage"], 75.0);
        assert_eq!((&found["band"], &found["source"]), (&json!("possible"), &json!("session")));
    }
    assert_eq!(home.rows(&["queue", "list", "--limit", "2"]).len(), 2);
    assert_eq!(home.rows(&["queue", "list", "--state", "left"]).len(), 1);
    for name in ["1002", "#1002", &id(1002)] {
        let shown = home.rows(&["queue", "show", name]);
        assert_eq!(shown[0]["case"], id(1002));
    }

    for (case, verdict) in [("1001", "approve"), ("1002", "reject"), ("1003", "approve")] {
        let decided = home.rows(&["decide", case, verdict, "--reason", "relatives"]);
        assert_eq!(
            (&decided[0]["disposition"], &decided[0]["state"]),
            (&json!(verdict), &json!("held"))
        );
    }
    let outbox = home.rows(&["outbox", "list"]);
    assert_eq!(outbox.len(), 3);
    for row in &outbox {
        has_names(row, &["decision", "case", "disposition", "state", "attempts", "due"]);
        assert_eq!((&row["state"], &row["attempts"]), (&json!("held"), &json!(0)));
    }
    let history = home.rows(&["history"]);
    assert_eq!(history.len(), 3);
    for row in &history {
        has_names(row, &["decision", "case", "disposition", "state", "target", "reviewer", "at"]);
        assert_eq!(row["reviewer"], "ana");
    }
    assert_eq!(history[0]["case"], id(1003), "newest first");
    assert_eq!(home.rows(&["history", "--limit", "1"]).len(), 1);

    let third = history[0]["decision"].as_str().unwrap();
    let undone = home.rows(&["undo", third]);
    assert_eq!(undone[0], json!({"decision": third, "case": id(1003), "state": "undone"}));
    assert_eq!(writes(&sim), []);

    let sent = home.rows(&["outbox", "flush"]);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|row| row["state"] == "sent"), "{sent:?}");
    assert_eq!(writes(&sim), [Some(Route::UpdateStatus); 2]);
    let status = |number| sim.session(session_id(number)).unwrap().status;
    assert_eq!((status(1001).as_str(), status(1002).as_str()), ("Approved", "Declined"));
    assert_eq!(status(1003), "In Review");
    let comments: Vec<String> = sim
        .record()
        .iter()
        .filter(|call| call.route == Some(Route::UpdateStatus))
        .map(|call| call.body["comment"].as_str().unwrap().to_owned())
        .collect();
    assert!(comments.iter().all(|c| c.contains(" by:ana ") && c.contains(" reason:relatives")));
    assert!(home.rows(&["outbox", "list"]).is_empty());
    assert_eq!(home.decisions(), ["approve undone", "reject sent", "approve sent"]);

    // What is decided is decided. What was sent is not taken back: its case is open again, and what has
    // happened is said.
    let first = history[2]["decision"].as_str().unwrap();
    refused(&home, &["decide", "1001", "reject"], 6, "already");
    let again = home.rows(&["undo", first]);
    assert_eq!(
        again[0],
        json!({
            "decision": first, "case": id(1001), "state": "reopened", "status": "Approved",
            "happened": ["Approved was written, and webhooks may have fired"],
        })
    );
    assert_eq!(status(1001), "Approved", "nothing is undone by that");
    refused(&home, &["undo", first], 6, "not the last word");
    home.rows(&["decide", "1001", "reject"]);
    let sent = home.rows(&["outbox", "flush"]);
    assert_eq!(sent[0]["state"], "sent", "{sent:?}");
    assert_eq!(status(1001), "Declined");
    refused(&home, &["undo", first], 6, "not the last word");
}

/// A rig with a roster of these people, set up by somebody else; nothing where OpenSSH is missing.
async fn rostered(ways: &[Way], seed: u64, names: [&str; 2]) -> Option<(Rig, [Person; 2])> {
    let mut rig = Rig::new(ways, seed).await;
    let chief = Person::new("chief")?;
    let people = [Person::new(names[0])?, Person::new(names[1])?];
    rig.env = chief.env();
    for add in enrolment(&chief, &[&people[0], &people[1]]) {
        let add: Vec<_> = add.iter().map(String::as_str).collect();
        let (code, out, err) = rig.run_aloud(&add).await;
        assert_eq!(code, Some(0), "{out}{err}");
    }
    Some((rig, people))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_blocklist_an_approved_customer() {
    let Some((mut rig, [ana, ben])) = rostered(&[Way::Reject], 6, ["ana", "ben"]).await else {
        return;
    };
    let target = {
        let (_, shown) = rig.run(&["queue", "show", "1001", "--json"]).await;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["candidates"][0]["session_number"].to_string()
    };
    let decide = ["decide", "1001", "blocklist", "--target", &target, "--json"];
    rig.env = ana.env();
    let (code, out) = rig.run(&decide).await;
    assert_eq!((code, out.contains("\"state\":\"proposed\"")), (Some(0), true), "{out}");
    rig.run(&["outbox", "flush"]).await;
    assert_eq!(writes(&rig.sim), [], "nothing is sent");
    // The same key under another name is the same person.
    rig.env = [ana.env(), vec![("SECONDLOOK_REVIEWER".to_owned(), "ben".to_owned())]].concat();
    let (code, _, err) = rig.run_aloud(&decide).await;
    assert_eq!(code, Some(6), "{err}");
    // Without a key the same user is nobody's second, whatever sshd's file would say.
    let info = rig.folder.path().join("auth");
    std::fs::write(&info, format!("publickey {}\n", std::fs::read_to_string(ben.key()).unwrap()))
        .unwrap();
    rig.env = vec![("SSH_USER_AUTH".to_owned(), info.display().to_string())];
    let (code, _, err) = rig.run_aloud(&decide).await;
    assert!(code == Some(4) && err.contains("no ssh-agent is known"), "{err}");
    rig.env = ben.env();
    let (_, shown) = rig.run(&["queue", "show", "1001"]).await;
    let proposed = format!("ana proposes to blocklist #{target}");
    assert!(shown.contains(&proposed), "{shown}");
    // Another face is not what was proposed.
    let other = ["decide", "1001", "blocklist", "--target", "1001"];
    let (code, _, err) = rig.run_aloud(&other).await;
    assert!(code == Some(1) && err.contains("another face was proposed"), "{err}");
    let (code, out) = rig.run(&decide).await;
    assert_eq!((code, out.contains("\"state\":\"held\"")), (Some(0), true), "{out}");
    assert_eq!(rig.run(&["outbox", "flush"]).await.0, Some(0));
    let done = writes(&rig.sim);
    assert_eq!(done, [Some(Route::UpdateStatus), Some(Route::BlocklistAdd)]);
    let (_, history) = rig.run(&["history"]).await;
    assert!(history.contains("confirmed by ben"), "{history}");
    let (code, audit) = rig.run(&["audit", "verify"]).await;
    assert_eq!((code, audit.starts_with("7 entries")), (Some(0), true), "{audit}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_tells_a_second_reader_nothing_before_they_have_read() {
    let ways = [Way::Reject, Way::Approve];
    let Some((mut rig, [ana, ben])) = rostered(&ways, 8, ["ana", "ben"]).await else { return };
    rig.env = ana.env();
    let said = ["--reason", "same_person", "--comment", "the ears"];
    let (code, out) = rig.run(&[&["decide", "1001", "escalate"][..], &said].concat()).await;
    assert_eq!(code, Some(0), "{out}");
    let (code, out) = rig.run(&[&["decide", "1002", "reject"][..], &said].concat()).await;
    assert_eq!(code, Some(0), "{out}");
    let exported = async |rig: &Rig| {
        let (_, lines) = rig.run(&["export"]).await;
        let (_, table) = rig.run(&["export", "--format", "csv"]).await;
        let rows: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let cells: Vec<String> = table.lines().skip(1).map(str::to_owned).collect();
        assert_eq!((rows.len(), cells.len()), (2, 2), "{lines}{table}");
        (rows, cells)
    };
    let tells = |row: &Value, cells: &str| {
        let told = row["comment"] == json!("the ears");
        assert_eq!(cells.contains("the ears"), told, "{cells}");
        assert_eq!(cells.contains("same_person"), told, "{cells}");
        assert_eq!(row["reason"] == json!("same_person"), told, "{row}");
        assert!(told || row["judgements"] == json!([]), "{row}");
        assert_eq!(row["withheld"], json!(!told), "{row}");
        told
    };
    // Who said it sees it; a second reader sees that somebody escalated, and everything of what is over.
    let (rows, cells) = exported(&rig).await;
    assert!(tells(&rows[0], &cells[0]) && tells(&rows[1], &cells[1]));
    rig.env = ben.env();
    let (rows, cells) = exported(&rig).await;
    assert!(!tells(&rows[0], &cells[0]) && tells(&rows[1], &cells[1]));
    assert_eq!(
        (&rows[0]["disposition"], &rows[0]["reviewer"]),
        (&json!("escalate"), &json!("ana"))
    );
    // Once they have said something themselves, nothing is hidden.
    assert_eq!(rig.run(&["decide", "1001", "escalate"]).await.0, Some(0));
    let (_, lines) = rig.run(&["export"]).await;
    assert!(lines.lines().next().unwrap().contains("the ears"), "{lines}");
    rig.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_is_void_once_the_customer_is_none_any_more() {
    let Some((mut rig, [ana, ben])) = rostered(&[Way::Reject], 7, ["ana", "ben"]).await else {
        return;
    };
    let (_, shown) = rig.run(&["queue", "show", "1001", "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let found = &shown["candidates"][0];
    let target = found["session_number"].to_string();
    let decide = ["decide", "1001", "blocklist", "--target", &target];
    rig.env = ana.env();
    assert_eq!(rig.run(&decide).await.0, Some(0));
    let session = found["session_id"].as_str().unwrap().parse().unwrap();
    assert!(rig.sim.knobs().decide_elsewhere(session, "Declined", "bo@example.org", None));
    rig.env = ben.env();
    let (code, _, err) = rig.run_aloud(&decide).await;
    assert!(code == Some(6) && err.contains("is void"), "{err}");
    let (_, shown) = rig.run(&["queue", "show", "1001", "--json"]).await;
    assert!(shown.contains("\"state\":\"open\""), "{shown}");
    rig.sim.shutdown().await;
}

/// Wants a refusal: an exit code, one sentence with a next step on standard error, and no data.
fn refused(home: &Home, arguments: &[&str], code: i32, word: &str) {
    let ran = home.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    assert_eq!(ran.out, "", "{arguments:?}: {ran:?}");
    assert!(ran.err.contains(word), "{arguments:?}: {ran:?}");
    assert_eq!(ran.err.trim_end().lines().count(), 1, "{arguments:?}: {ran:?}");
    assert!(ran.err.starts_with("secondlook: ") && ran.err.ends_with(".\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocklist_needs_its_number_and_lists_the_target() {
    let listed = Session::in_review(1002).but(|s| s.status = "Declined".to_owned());
    let mut cases = World::new(jiff::Timestamp::now());
    cases.add(subject(1001).with(Candidate::of(&listed, 75.0)));
    cases.add(listed);
    let sim = sim(cases).await;
    let home = Home::at(&sim, 0);
    home.rows(&["sync"]);
    refused(&home, &["decide", "1001", "blocklist"], 2, "--target");
    refused(&home, &["decide", "1001", "approve", "--target", "1001"], 2, "--target");
    refused(&home, &["decide", "1001", "blocklist", "--target", "9"], 1, "9");
    refused(&home, &["decide", "1001", "approve", "--reason", "whim"], 2, "relatives");
    assert!(home.rows(&["history"]).is_empty());
    home.rows(&["decide", "1001", "blocklist", "--target", "1002"]);
    let sent = home.rows(&["outbox", "flush"]);
    assert_eq!((&sent[0]["state"], &sent[0]["target"]), (&json!("sent"), &json!(id(1002))));
    assert_eq!(writes(&sim), [Some(Route::UpdateStatus), Some(Route::BlocklistAdd)]);
    // The status is the subject's, the list entry the target's; never crossed.
    assert_eq!(sim.session(session_id(1001)).unwrap().status, "Declined");
    assert!(sim.session(session_id(1002)).unwrap().blocked.face);
    assert!(!sim.session(session_id(1001)).unwrap().blocked.face);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_told_by_the_exit_code() {
    let sim = sim(world([1001, 1002])).await;
    let home = Home::at(&sim, 0);
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    sim.knobs().decide_elsewhere(session_id(1001), "Declined", "boss@example.com", None);
    sim.knobs().decide_elsewhere(session_id(1002), "Declined", "boss@example.com", None);
    let ran = home.run(&["outbox", "flush", "--json"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.out.contains("\"conflict\"") && ran.out.contains("boss@example.com"), "{ran:?}");
    refused(&home, &["decide", "1002", "approve"], 6, "Declined at Didit by now");
    assert_eq!(writes(&sim), []);
    assert_eq!(home.decisions(), ["approve conflict"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_tried_again_and_reaches_didit_once() {
    let sim = sim(world([1001, 1002, 1003])).await;
    let home = Home::at(&sim, 300);
    home.rows(&["sync"]);
    refused(&home, &["outbox", "retry", "--all"], 3, "nothing was refused");
    // One is refused before anything is written, one with its status written and its face not listed.
    let no = || Fault::Answer(Reply::json(404, json!({"detail": "Not found."})));
    let bad = || Fault::Answer(Reply::json(400, json!({"detail": "No face."})));
    sim.knobs().once(On::route(Route::UpdateStatus).of(session_id(1001)), no());
    sim.knobs().once(On::route(Route::BlocklistAdd), bad());
    home.rows(&["decide", "1001", "reject"]);
    home.rows(&["decide", "1002", "blocklist", "--target", "1002"]);
    assert_eq!(home.run(&["outbox", "flush"]).code, 1);
    assert_eq!(home.decisions(), ["blocklist refused", "reject refused"]);
    let before = writes(&sim).len();

    let tried = home.rows(&["outbox", "retry", "--all"]);
    let told = |row: &Value| (row["case"].clone(), row["state"].clone(), row["retried"].clone());
    let tried: Vec<_> = tried.iter().map(told).collect();
    let expected = [(id(1001), "held"), (id(1002), "unknown")];
    assert_eq!(tried, expected.map(|(case, state)| (json!(case), json!(state), json!(true))));
    assert_eq!(writes(&sim).len(), before, "nothing is sent by that");
    let sent = home.rows(&["outbox", "flush"]);
    assert!(sent.len() == 2 && sent.iter().all(|row| row["state"] == "sent"), "{sent:?}");
    let done = writes(&sim).split_off(before);
    assert_eq!(done.iter().filter(|r| **r == Some(Route::UpdateStatus)).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|r| **r == Some(Route::BlocklistAdd)).count(), 1, "{done:?}");
    assert!(sim.session(session_id(1002)).unwrap().blocked.face);
    assert_eq!(sim.session(session_id(1001)).unwrap().status, "Declined");
    let audit = home.run(&["audit", "verify"]);
    assert_eq!((audit.code, audit.out.starts_with("8 entries")), (0, true), "{audit:?}");

    // What is sent, or not there, is said for each; what was decided anew is a conflict.
    let ids: Vec<_> = home.rows(&["history"]).iter().map(|r| r["decision"].to_string()).collect();
    let named = |n: usize| ids[n].trim_matches('"').to_owned();
    let ran = home.run(&["outbox", "retry", &named(0), &id(77)]);
    assert_eq!((ran.code, ran.out.lines().count()), (3, 2), "{ran:?}");
    sim.knobs().once(On::route(Route::UpdateStatus), no());
    home.rows(&["decide", "1003", "approve"]);
    assert_eq!(home.run(&["outbox", "flush"]).code, 1);
    let third = home.rows(&["history", "--limit", "1"])[0]["decision"].as_str().unwrap().to_owned();
    home.rows(&["undo", &third]);
    let ran = home.run(&["outbox", "retry", &third]);
    assert!(ran.code == 6 && ran.out.contains("not the last word"), "{ran:?}");
    refused(&home, &["outbox", "retry", "77"], 2, "no decision's id");
    assert_eq!(home.run(&["outbox", "retry"]).code, 2);
    assert_eq!(home.run(&["outbox", "retry", "--all", &third]).code, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_code_three() {
    let sim = sim(world([])).await;
    let home = Home::at(&sim, 0);
    assert!(home.rows(&["queue", "list"]).is_empty());
    refused(&home, &["queue", "show", "77"], 3, "no case 77");
    refused(&home, &["decide", &id(77), "approve"], 3, "no case");
    refused(&home, &["undo", &id(77)], 3, "no such decision");
    refused(&home, &["undo", "77"], 2, "no decision's id");
    refused(&home, &["queue", "list", "--state", "asleep"], 2, "escalated");
    assert_eq!(home.run(&["outbox", "flush"]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_is_no_error() {
    let sim = sim(world(1001..1041)).await;
    let home = Home::at(&sim, 0);
    home.rows(&["sync"]);
    // Nobody reads from the start.
    let mut child = home.command(&["queue", "list", "--json"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() && said.is_empty(), "{status} {said}");
    for arguments in [&["--help"][..], &["keys"], &["man"], &["completions", "bash"]] {
        let mut child = home.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        said.clear();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!said.contains("panicked") && !said.contains("fault"), "{arguments:?}: {said}");
        assert!(child.wait().unwrap().code().is_some_and(|code| code <= 1), "{arguments:?}");
    }
}

#[test]
fn what_is_generated_goes_to_standard_output() {
    let home = Home::new("");
    for (arguments, word) in [
        (&["--help"][..], "Exit codes"),
        (&["--version"], "secondlook "),
        (&["keys"], "approve"),
        (&["completions", "bash"], "_secondlook"),
        (&["man"], ".TH"),
    ] {
        let ran = home.run(arguments);
        assert!(ran.code == 0 && ran.out.contains(word) && ran.err.is_empty(), "{ran:?}");
    }
    assert!(!home.path("store.db").exists(), "nothing was made on the way");
}

#[test]
fn a_scenario_is_one_of_those_that_help_lists() {
    let home = Home::new("");
    let help = home.run(&["sim", "--help"]);
    for scenario in secondlook::sim::Scenario::ALL {
        assert!(help.out.contains(&format!("- {}:", scenario.word())), "{help:?}");
    }
    let ran = home.run(&["sim", "--scenario", "race"]);
    assert!(ran.code == 2 && ran.err.contains("'races'"), "{ran:?}");
}

#[test]
fn a_preset_is_printed_with_ones_own_keys_over_it() {
    let keys = |home: &Home, arguments: &[&str], action: &str| {
        let rows = home.rows(&[&["keys"], arguments].concat());
        rows.iter().find(|row| row["action"] == action).unwrap()["keys"].clone()
    };
    let plain = Home::new("");
    assert_eq!(keys(&plain, &[], "reject"), json!(["x"]));
    assert_eq!(keys(&plain, &["--preset", "mnemonic"], "reject"), json!(["r"]));
    let own = Home::new("[review]\npreset = 'mnemonic'\n[keys]\nunsure = ['o']");
    assert_eq!(keys(&own, &[], "reject"), json!(["r"]));
    assert_eq!(keys(&own, &[], "unsure"), json!(["o"]));
    assert_eq!(keys(&own, &["--preset", "default"], "reject"), json!(["x"]), "flag over file");
    let ran = plain.run(&["keys", "--preset", "mnemonik"]);
    assert!(ran.code == 2 && ran.err.contains("'mnemonic'"), "{ran:?}");
    refused(&Home::new("[review]\npreset = 'dvorack'"), &["keys"], 2, "did you mean 'dvorak'");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_the_watch_in_good_order() {
    let sim = sim(world([1001])).await;
    let home = Home::at(&sim, 0);
    let mut command = home.command(&["sync", "--watch", "--json"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    has_names(&serde_json::from_str(&line).unwrap(), &["seen", "queued"]);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(home.rows(&["queue", "list"]).len(), 1);
}

/// A comment goes to the disk and to Didit, and stays there: no name of either person goes into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_with_a_name_decides_nothing() {
    let mut cases = World::new(jiff::Timestamp::now());
    cases.add(subject(1001).with(Candidate {
        full_name: Some("Zoë Quarterstaff".to_owned()),
        ..candidate(6001, 75.0)
    }));
    let sim = sim(cases).await;
    let home = Home::at(&sim, 300);
    home.rows(&["sync"]);
    let decide = |comment| ["decide", "1001", "reject", "--comment", comment];
    for comment in ["not Quarterstaff", "ZOE, by the ears", "zoë quarterstaff"] {
        refused(&home, &decide(comment), 2, "the comment holds a candidate's name");
    }
    // Nobody knows the names while Didit cannot be asked.
    sim.knobs().always(On::route(Route::Decision), Fault::DropBefore);
    refused(&home, &decide("the ears"), 7, "the comment cannot be searched for names");
    sim.knobs().clear();
    assert!(home.decisions().is_empty());
    let kept = std::fs::read(home.path("store.db")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("uarterstaff"), "nor on the disk");
    assert_eq!(writes(&sim), []);
    home.rows(&decide("the ears"));
    assert_eq!(home.decisions(), ["reject held"]);
    sim.shutdown().await;
}
