//! What `doctor --api` names of Didit's answers: what this version does not know, never a value.

use secondlook::sim::{Candidate, Fault, On, Reply, Route, Session};
use serde_json::{Value, json};

use crate::crash::{Rig, Way};
use crate::roster::rig;

async fn doctor(rig: &Rig) -> Vec<(String, String, String)> {
    let (_, out, _) = rig.run_aloud(&["doctor", "--api", "--json"]).await;
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        (word("check"), word("verdict"), word("text"))
    };
    out.lines().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_didit_has_come_to_say_is_named_and_counted() {
    let Some((rig, _)) = rig(&[Way::Reject, Way::Approve], &[]).await else { return };
    let rows = doctor(&rig).await;
    let api = rows.iter().find(|(check, ..)| check == "api").unwrap();
    assert!(api.1 == "ok" && api.2.contains("all of them are known"), "{rows:?}");
    assert!(api.2.contains("3 session(s)"), "{api:?}");

    let knobs = rig.sim.knobs();
    let future = Candidate { source: "hologram".to_owned(), ..Candidate::session(7, 75.0) };
    let strange = Session::in_review(1_003).with(future).but(|session| {
        session.warnings.push("FACE_OF_THE_FUTURE".to_owned());
        session.status = "Frozen".to_owned();
    });
    let strange = knobs.add(strange);
    let mut document = knobs.decision(strange).unwrap();
    document["mood"] = json!("SECRET-VALUE");
    document["SECRET NAME@example.org"] = json!(1);
    document["liveness_checks"][0]["matches"][0]["halo"] = json!({ "SECRET-INNER": 1 });
    let answer = Fault::Answer(Reply::json(200, document));
    knobs.times(10, On::route(Route::Decision).of(strange), answer);
    let rows = doctor(&rig).await;
    let says = |check: &str, word: &str| {
        let found =
            rows.iter().any(|row| row.0 == check && row.1 == "warn" && row.2.contains(word));
        assert!(found, "{check} {word}: {rows:#?}");
    };
    says("fields", "decision.mood (1)");
    says("fields", "decision.liveness_checks.matches.halo (1)");
    says("fields", "(no name) (1)");
    says("sources", "hologram (1)");
    says("risks", "FACE_OF_THE_FUTURE");
    says("statuses", "Frozen");
    assert!(rows.iter().all(|row| !row.2.contains("SECRET")), "{rows:#?}");
    // Without the flag nothing of it is read.
    let before = rig.sim.record().len();
    rig.run_aloud(&["doctor", "--json"]).await;
    let calls = rig.sim.record().split_off(before);
    assert!(calls.iter().all(|call| call.route != Some(Route::Decision)), "{calls:?}");
    rig.sim.shutdown().await;
}
