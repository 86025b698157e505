//! `balance`, `top-up`, `verify` and `account` by the real program against the simulator.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use secondlook::sim::{Candidate, Fault, On, Options, Reply, Route};
use serde_json::json;

use super::search::{Place, picture, tell};
use super::terminal::{Home, PROGRAM, Plays, Terminal};

const PASSWORD: &str = "Correct-horse-7";

#[tokio::test(flavor = "multi_thread")]
async fn the_balance_keeps_every_digit() {
    let place =
        Place::with(Options { balance: 90_071_992_547_409_931, ..Options::default() }).await;
    let ran = place.run(&["balance"]).await;
    assert_eq!((ran.code(), ran.out.as_str()), (0, "$9007199254740.9931\n"), "{}", ran.err);
    let ran = place.run(&["balance", "--json"]).await;
    assert_eq!(ran.rows()[0]["balance"], "9007199254740.9931");
    let odd = json!({ "balance": "-0.050", "auto_refill_enabled": true,
        "auto_refill_amount": "500.00", "auto_refill_threshold": "100.00" });
    place.sim.knobs().once(On::route(Route::Balance), Fault::Answer(Reply::json(200, odd)));
    let ran = place.run(&["balance"]).await;
    assert_eq!(ran.out, "$-0.050\n");
    assert!(ran.err.contains("$500.00 below $100.00"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_is_asked_for_and_prints_the_page() {
    let place = Place::new().await;
    for (amount, words) in [("49.99", "no less than 50"), ("lots", "no amount")] {
        let ran = place.run(&["top-up", amount, "--yes"]).await;
        assert_eq!(ran.code(), 2, "{}", ran.err);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    assert_eq!(place.run(&["top-up", "100"]).await.code(), 2);
    assert_eq!(place.calls(Route::TopUp), 0);
    let ran = place.run(&["top-up", "99.50", "--yes"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert!(ran.out.starts_with("https://checkout."), "{}", ran.out);
    let sent = place.sim.record().into_iter().find(|c| c.route == Some(Route::TopUp)).unwrap();
    assert_eq!(sent.body["amount_in_dollars"].to_string(), "99.5");
    let refusal = Reply::json(400, json!(["Annual plans cannot be topped up."]));
    place.sim.knobs().once(On::route(Route::TopUp), Fault::Answer(refusal));
    let ran = place.run(&["top-up", "60", "--yes"]).await;
    assert!(ran.code() == 1 && ran.err.contains("by a contract"), "{}", ran.err);
    // Somebody will open the link.
    let odd = json!({ "checkout_session_id": "x", "checkout_session_url": "javascript:alert(1)" });
    place.sim.knobs().once(On::route(Route::TopUp), Fault::Answer(Reply::json(200, odd)));
    let ran = place.run(&["top-up", "60", "--yes"]).await;
    assert!(ran.code() == 7 && ran.out.is_empty(), "{}", ran.err);
}

/// What a check says in the shape it travels in.
fn says(route: Route, status: &str, risks: &[&str]) -> Reply {
    let key = match route {
        Route::PassiveLiveness => "liveness",
        Route::IdVerification => "id_verification",
        _ => "face_match",
    };
    let warnings: Vec<_> = risks.iter().map(|risk| json!({ "risk": risk })).collect();
    let body = json!({ "status": status, "score": 77.5, "warnings": warnings, "full_name": "Carmen Ejemplo" });
    Reply::json(200, json!({ "request_id": "0f5c0a52-0000-4000-8000-000000000001", key: body }))
}

async fn verifying(place: &Place, more: &[&str]) -> super::search::Ran {
    fs::write(place.path("selfie.png"), picture(1)).unwrap();
    fs::write(place.path("front.png"), picture(2)).unwrap();
    let mut args =
        vec!["verify", "--selfie", "selfie.png", "--id-front", "front.png", "--json", "--yes"];
    args.extend(more);
    place.run(&args).await
}

fn answer(place: &Place, route: Route, status: &str, risks: &[&str]) {
    place.sim.knobs().once(On::route(route), Fault::Answer(says(route, status, risks)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_verified_step_by_step() {
    let place = Place::new().await;
    place.sim.knobs().next_search_finds(vec![]);
    for route in [Route::PassiveLiveness, Route::IdVerification, Route::FaceMatch] {
        answer(&place, route, "Approved", &[]);
    }
    let ran = verifying(&place, &[]).await;
    assert_eq!(ran.code(), 0, "{} {}", ran.out, ran.err);
    assert!(ran.err.contains("At most 4 checks will be billed. Balance: $"), "{}", ran.err);
    let rows = ran.rows();
    let steps: Vec<_> = rows.iter().filter_map(|row| row["step"].as_str()).collect();
    assert_eq!(steps, ["liveness", "face_search", "id_verification", "face_match"]);
    assert_eq!(rows[0]["score"], 77.5);
    assert_eq!(rows[4], json!({ "result": "verified", "queued": false, "why": [] }));
    assert!(!ran.out.contains("Carmen"), "{}", ran.out);
    // A saved liveness check would enrol the face, and the search would find it.
    let sent = place.sim.record();
    let liveness = sent.iter().find(|c| c.route == Some(Route::PassiveLiveness)).unwrap();
    assert_eq!(liveness.body["save_api_request"], "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_decline_ends_it_unless_all_is_asked_for() {
    let place = Place::new().await;
    answer(&place, Route::PassiveLiveness, "Declined", &["LOW_LIVENESS_SCORE"]);
    let ran = verifying(&place, &[]).await;
    let rows = ran.rows();
    assert_eq!((ran.code(), rows.len()), (1, 2), "{}", ran.err);
    assert_eq!(rows[1]["why"], json!(["liveness: LOW_LIVENESS_SCORE"]));
    assert_eq!(place.calls(Route::FaceSearch), 0);
    answer(&place, Route::PassiveLiveness, "Declined", &["LOW_LIVENESS_SCORE"]);
    answer(&place, Route::FaceMatch, "Declined", &["LOW_FACE_MATCH_SIMILARITY"]);
    place.sim.knobs().next_search_finds(vec![]);
    let ran = verifying(&place, &["--all"]).await;
    let rows = ran.rows();
    assert_eq!((ran.code(), rows.len()), (1, 5), "{}", ran.err);
    assert_eq!(rows[4]["why"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_possible_duplicate_waits_in_the_queue() {
    let place = Place::new().await;
    for route in [Route::PassiveLiveness, Route::IdVerification, Route::FaceMatch] {
        answer(&place, route, "Approved", &[]);
    }
    place.sim.knobs().next_search_finds(vec![Candidate::session(1, 81.4)]);
    let ran = verifying(&place, &[]).await;
    assert_eq!(ran.code(), 8, "{} {}", ran.out, ran.err);
    let rows = ran.rows();
    assert_eq!(rows[1]["score"], 81.4);
    assert_eq!(rows[4], json!({ "result": "possible_duplicate", "queued": true, "why": [] }));
    let list = place.run(&["queue", "list", "--json"]).await.rows();
    assert_eq!((list.len(), &list[0]["case"]), (1, &rows[1]["request_id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_from_register_to_logout() {
    let place = Place::new().await;
    let mail = "ana@example.org";
    let key_file = place.path(".config/secondlook/api_key");
    let weak = place.tell(&["account", "register", mail], "weak\n").await;
    assert!(weak.code() == 1 && weak.err.contains("8 characters"), "{}", weak.err);
    let ran = place.tell(&["account", "register", mail], &format!("{PASSWORD}\n")).await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    let early = place.tell(&["account", "login", mail], &format!("{PASSWORD}\n")).await;
    assert!(early.code() == 4 && early.err.contains("verify-email"), "{}", early.err);
    let soon = place.run(&["account", "resend", mail]).await;
    assert!(soon.code() == 7 && soon.err.contains("one new code"), "{}", soon.err);
    let wrong = place.tell(&["account", "verify-email", mail], "000000x\n").await;
    assert!(wrong.code() == 1 && wrong.err.contains("resend"), "{}", wrong.err);
    assert!(!key_file.exists());
    let code = place.sim.mailed_code(mail).unwrap();
    let ran = place.tell(&["account", "verify-email", mail], &code).await;
    assert_eq!((ran.code(), ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("api_key"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&key_file).unwrap().trim(), place.sim.api_key());
    assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    // The file is enough for the other commands.
    let mut command = place.command(&["balance"]);
    command.env_remove("DIDIT_API_KEY");
    let ran = tell(command, "").await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert_eq!(place.run(&["account", "logout"]).await.code(), 0);
    assert!(!key_file.exists());
    assert_eq!(place.run(&["account", "logout"]).await.code(), 3);
    // Nothing of it carried a key to the account's host, and no password is in any output.
    let calls = place.sim.record();
    assert!(calls.iter().filter(|c| c.path.starts_with("/auth/")).all(|call| !call.key_known));
    for ran in [weak, early, soon, wrong] {
        assert!(!ran.err.contains(PASSWORD) && !ran.err.contains(place.sim.api_key()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_prints_the_key_when_asked_and_explains_a_lock() {
    let place = Place::new().await;
    let mail = "bo@example.org";
    place.tell(&["account", "register", mail], PASSWORD).await;
    let code = place.sim.mailed_code(mail).unwrap();
    let args = ["account", "verify-email", mail, "--print-key"];
    let ran = place.tell(&args, &code).await;
    assert_eq!(ran.out.trim(), place.sim.api_key(), "{}", ran.err);
    let ran = place.tell(&["account", "login", mail, "--print-key"], PASSWORD).await;
    assert_eq!((ran.code(), ran.out.trim()), (0, place.sim.api_key()), "{}", ran.err);
    let ran = place.tell(&["account", "login", mail, "--application", "Another"], PASSWORD).await;
    assert!(ran.code() == 3 && ran.err.contains("Sim Application"), "{}", ran.err);
    assert!(!place.path(".config/secondlook/api_key").exists());
    let mut last = None;
    for _ in 0..5 {
        let ran = place.tell(&["account", "login", mail], "Wrong-horse-7").await;
        assert_eq!(ran.code(), 4, "{}", ran.err);
        last = Some(ran);
    }
    assert!(last.unwrap().err.contains("locked for 15 minutes"));
    let empty = place.tell(&["account", "login", mail], "\n").await;
    assert_eq!(empty.code(), 2, "{}", empty.err);
}

/// The program in a terminal, at this simulator.
fn in_terminal(place: &Place, arguments: &[&str]) -> (Home, Terminal) {
    let mut home = Home::at(&place.sim, 0);
    home.set("DIDIT_AUTH_URL", &place.sim.auth_url());
    let terminal = home.open(Plays::Xterm, PROGRAM, arguments);
    (home, terminal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_and_a_code_are_asked_for_and_never_shown() {
    let place = Place::new().await;
    let mail = "ida@example.org";
    let (_home, terminal) = in_terminal(&place, &["account", "register", mail]);
    terminal.wait_for(&["Password (8 or more characters): "]);
    terminal.press(&format!("{PASSWORD}\r"));
    let (code, screen) = terminal.restored();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("verify-email") && !screen.contains(PASSWORD), "{screen}");
    let mailed = place.sim.mailed_code(mail).unwrap();
    let (home, terminal) = in_terminal(&place, &["account", "verify-email", mail]);
    terminal.wait_for(&["Code from the mail: "]);
    terminal.press(&format!("{mailed}\r"));
    let (code, screen) = terminal.restored();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&mailed) && !screen.contains(place.sim.api_key()), "{screen}");
    let file = home.path("config/secondlook/api_key");
    assert!(screen.replace('\n', "").contains("which only you may read"), "{screen}");
    assert_eq!(fs::read_to_string(file).unwrap().trim(), place.sim.api_key());
    // Ctrl-C at the prompt: nothing is sent, and the terminal shows again what is typed.
    let logins = place.calls(Route::Login);
    let (_home, terminal) = in_terminal(&place, &["account", "login", mail]);
    terminal.wait_for(&["Password: "]);
    terminal.press("Corr\x03");
    let (code, screen) = terminal.restored();
    assert!(code == 1 && screen.contains("Nothing was sent"), "{code} {screen}");
    assert!(!screen.contains("Corr"), "{screen}");
    assert_eq!(place.calls(Route::Login), logins);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_asked_for_twice() {
    let place = Place::new().await;
    for (first, second, code) in [("n", None, 3), ("y", Some("100"), 3), ("y", Some("$99.50"), 0)] {
        let (_home, terminal) = in_terminal(&place, &["top-up", "99.50"]);
        terminal.wait_for(&["Top up by $99.50? [y/N] "]);
        terminal.press(&format!("{first}\r"));
        if let Some(second) = second {
            terminal.wait_for(&["Type the amount again: "]);
            terminal.press(&format!("{second}\r"));
        }
        let (ended, screen) = terminal.restored();
        assert_eq!(ended, code, "{screen}");
        assert_eq!(screen.contains("https://checkout."), code == 0, "{screen}");
    }
    assert_eq!(place.calls(Route::TopUp), 1);
}
