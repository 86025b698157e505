//! What leaves the store for other programs, and the blocklist's way back, by the real binary.

use secondlook::domain::SessionId;
use secondlook::sim::{Candidate, On, Options, Route, Session, session_id};
use serde_json::json;

use crate::ingest::Shell;
use crate::stage::{answer, client, key_of, world};

fn like(number: u64, similarity: f64) -> Session {
    Session::in_review(number).with(Candidate::session(7, similarity)).but(|s| {
        s.full_name = Some("Zoraida Quux".into());
    })
}

/// Three decided cases of five.
async fn decided() -> Shell {
    let mut people = world();
    for number in 1_001..=1_005 {
        people.add(like(number, if number == 1_005 { 96.0 } else { 81.0 }));
    }
    let shell = Shell::new(people, Options::default()).await;
    let (exit, _, said) = shell.json(&["sync"], b"").await;
    assert_eq!(exit, 0, "{said}");
    let reason = ["--reason", "different_people", "--comment", "=1+1, \"sure\""];
    for (case, disposition, more) in [
        ("1001", "approve", &reason[..]),
        ("1002", "reject", &[]),
        ("1003", "blocklist", &["--target", "1003"]),
    ] {
        let (exit, _, said) =
            shell.json(&[&["decide", case, disposition], more].concat(), b"").await;
        assert_eq!(exit, 0, "{said}");
    }
    shell
}

#[tokio::test]
async fn decisions_are_exported_whole_and_harmless() {
    let shell = decided().await;
    let (exit, rows, said) = shell.json(&["export"], b"").await;
    assert_eq!((exit, rows.len()), (0, 3), "{said}");
    let first = &rows[0];
    assert_eq!(first["case"], json!(session_id(1_001)));
    assert_eq!(first["disposition"], json!("approve"));
    assert_eq!(first["reason"], json!("different_people"));
    assert_eq!(first["comment"], json!("=1+1, \"sure\""));
    assert_eq!(first["state"], json!("held"));
    assert_eq!(first["judgements"][0]["judgement"], json!("different"));
    assert_eq!(first["judgements"][0]["similarity_percentage"], json!(81.0));
    assert_eq!(first["judgements"][0]["band"], json!("possible"));
    assert_eq!(first["receipt"]["protocol"], json!("script"));
    assert_eq!(rows[2]["target"], json!(session_id(1_003)));
    let output = shell.run(&["export", "--format", "csv"], b"").await;
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("decision,case,session_number,kind,disposition,"));
    assert!(lines[1].contains(",\"'=1+1, \"\"sure\"\"\","), "{}", lines[1]);
    let all = format!("{rows:?}{text}");
    for word in ["Zoraida", "http", "user-1"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[tokio::test]
async fn figures_count_what_stands() {
    let shell = decided().await;
    let (_, history, _) = shell.json(&["history"], b"").await;
    let newest = history[0]["decision"].as_str().unwrap();
    assert_eq!(shell.json(&["undo", newest], b"").await.0, 0);
    let (exit, rows, said) = shell.json(&["stats"], b"").await;
    assert_eq!(exit, 0, "{said}");
    let figures = &rows[0];
    assert_eq!(figures["cases"], json!({ "decided": 2, "left": 1, "open": 2 }));
    assert_eq!(figures["bands"], json!({ "possible": 4, "strong": 1 }));
    assert_eq!(figures["dispositions"], json!({ "approve": 1, "reject": 1 }));
    assert_eq!(figures["states"], json!({ "held": 2, "undone": 1 }));
    let total = |name: &str| {
        figures[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((total("reviewers"), total("hours")), (2, 2));
    // A script looks at nothing, and nothing was sent yet.
    assert_eq!(figures["median_ms"]["looked"], json!(null));
    assert_eq!(figures["median_ms"]["sent"], json!(null));
    assert!(figures["median_ms"]["waited"].is_i64());
    let output = shell.run(&["stats"], b"").await;
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["approve", "1"]) && text.contains("median time"), "{text}");
    assert!(!text.contains('█') && !text.contains('#'), "a bar where nobody looks: {text}");
}

#[tokio::test]
async fn a_listed_face_is_shown_and_taken_off_by_either_way() {
    for gone in [None, Some(404), Some(405)] {
        let mut people = world();
        for number in 1_001..=1_003 {
            people.add(like(number, 81.0));
        }
        let shell = Shell::new(people, Options::default()).await;
        let sim = &shell.sim;
        let api = client(sim.base_url(), sim.api_key());
        let id = |number| -> SessionId { key_of(session_id(number)) };
        for number in 1_001..=1_003 {
            api.blocklist_add_face(&id(number)).await.unwrap();
        }
        sim.knobs().options(|o| o.old_blocklist_gone = gone);
        if let Some(status) = gone {
            sim.knobs().always(On::route(Route::Blocklist), answer(status));
        }
        let (exit, rows, said) = shell.json(&["blocklist", "list"], b"").await;
        assert_eq!((exit, rows.len()), (0, 3), "{gone:?}: {said}");
        assert!(rows.iter().all(|row| row["since"].is_string()));
        assert_eq!(rows[0]["entry"].is_string(), gone.is_some());
        // Nobody is there to be asked.
        let (exit, _, said) = shell.json(&["blocklist", "remove", "1001"], b"yes\n").await;
        assert_eq!(exit, 2, "{said}");
        assert!(sim.session(session_id(1_001)).unwrap().blocked.face);
        assert!(said.contains(&format!("session #1001 ({})", session_id(1_001))), "{said}");
        let (exit, ..) = shell.json(&["blocklist", "remove", "4711", "--yes"], b"").await;
        assert_eq!(exit, 3);
        for what in ["#1001".to_owned(), session_id(1_002).to_string()] {
            let args = ["blocklist", "remove", &what, "--yes"];
            let (exit, rows, said) = shell.json(&args, b"").await;
            assert_eq!((exit, &rows[0]["removed"]), (0, &json!(true)), "{gone:?}: {said}");
        }
        let blocked = |number| sim.session(session_id(number)).unwrap().blocked.face;
        assert_eq!([1_001, 1_002, 1_003].map(blocked), [false, false, true], "{gone:?}");
        let (_, rows, _) = shell.json(&["blocklist", "list"], b"").await;
        assert_eq!(rows.len(), 1);
        // Nothing but the face was touched.
        assert_eq!(sim.session(session_id(1_001)).unwrap().status, "In Review");
    }
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_origins_and_begun_once() {
    let shell = Shell::new(world(), Options::default()).await;
    let file = shell.path("new/config.toml");
    let named = ["--config", file.to_str().unwrap()];
    assert_eq!(shell.json(&[&named[..], &["config", "init"]].concat(), b"").await.0, 0);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, secondlook::config::DEFAULT);
    std::fs::write(&file, "[review]\nundo_seconds = 5\n").unwrap();
    assert_eq!(shell.json(&[&named[..], &["config", "init"]].concat(), b"").await.0, 3);
    let store = ["--store", "postgres://ana:hidden-word@127.0.0.1/queue"];
    let args = [&named[..], &store, &["config", "show"]].concat();
    let (exit, rows, said) = shell.json(&args, b"").await;
    assert_eq!(exit, 0, "{said}");
    let of = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap())
    };
    assert_eq!(of("review.undo_seconds"), ("5".to_owned(), "file"));
    assert_eq!(of("review.dwell_ms"), ("700".to_owned(), "default"));
    assert_eq!(of("didit.base_url"), (shell.sim.base_url().to_owned(), "environment"));
    assert_eq!(of("store.url"), ("postgres://ana:***@127.0.0.1/queue".to_owned(), "flag"));
    std::fs::write(&file, "[review]\nundo_secs = 5\n").unwrap();
    let (exit, _, said) = shell.json(&[&named[..], &["config", "show"]].concat(), b"").await;
    assert!(exit == 2 && said.contains("did you mean 'undo_seconds'"), "{said}");
}
