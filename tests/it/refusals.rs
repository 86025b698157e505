//! What Didit is documented to answer when something is wrong, each said by the real program in a sentence
//! of its own, with what to do next and the right exit code. The bodies are written down from Didit's
//! documents, not taken from the simulator.

use std::collections::HashMap;

use secondlook::sim::{AuthStyle, Fault, Limits, On, Options, Reply, Route, Sim};
use serde_json::{Value, json};

use crate::search::picture;
use crate::terminal::{Home, world};

/// A documented answer: to what, what it is, the exit code, and words of our sentence and of our advice.
struct Refusal {
    command: &'static str,
    route: Route,
    status: u16,
    body: Value,
    code: i32,
    words: [&'static str; 2],
}

fn refusal(
    command: &'static str,
    route: Route,
    (status, body): (u16, Value),
    code: i32,
    words: [&'static str; 2],
) -> Refusal {
    Refusal { command, route, status, body, code, words }
}

/// Answers that any call may give.
fn everywhere() -> Vec<Refusal> {
    let of =
        |status, body, code, words| refusal("balance", Route::Balance, (status, body), code, words);
    vec![
        of(401, json!({"detail": "Invalid API key."}), 4, ["does not accept the API key", "Check"]),
        of(
            401,
            json!({"detail": "This API key has expired."}),
            4,
            ["the API key has expired", "Make a new one"],
        ),
        of(
            403,
            json!({"detail": "You do not have permission to perform this action."}),
            4,
            ["the key is missing or lacks the right", "which addresses"],
        ),
        of(403, json!({"detail": "Your IP is not allowed."}), 4, ["Your IP", "which addresses"]),
        of(
            403,
            json!({"detail": "Gone.", "code": "application_deleted"}),
            4,
            ["application of this key was deleted", "another application"],
        ),
        of(
            403,
            json!({"detail": "Suspended.", "code": "contract_billing_suspended"}),
            5,
            ["suspended the billing", "Settle it"],
        ),
        of(
            403,
            json!({"error": "You don't have enough credits ... top up at https://business.didit.me"}),
            5,
            ["balance at Didit is too low", "secondlook top-up"],
        ),
        of(402, json!({"detail": "Payment required."}), 5, ["Payment required", "top-up"]),
        of(404, json!({"detail": "Not found."}), 3, ["Not found", "deleted"]),
        of(404, json!({"detail": "Session not found."}), 3, ["Session not found", "deleted"]),
        of(409, json!({"detail": "Already there."}), 6, ["in conflict", "Read it again"]),
        of(400, json!({"date_from": ["Enter a valid date."]}), 1, ["date_from: Enter", "Correct"]),
        of(400, json!({"session_kind": "Must be user."}), 1, ["session_kind: Must", "Correct"]),
        of(
            400,
            json!({"nodes_to_resubmit": [{"feature": ["Bad."]}]}),
            1,
            ["nodes_to_resubmit.feature: Bad", "Correct"],
        ),
        of(400, json!({"message": "A third spelling."}), 1, ["A third spelling", "Correct"]),
        of(415, json!({"detail": "Unsupported media type."}), 1, ["Unsupported", "Correct"]),
        of(500, json!(null), 7, ["server failed (HTTP 500)", "few minutes"]),
        of(502, json!({"detail": "Bad gateway."}), 7, ["server failed (HTTP 502)", "few minutes"]),
        of(503, json!({"detail": "Busy."}), 7, ["server failed (HTTP 503)", "few minutes"]),
    ]
}

/// What pictures are refused for.
fn pictures() -> Vec<Refusal> {
    let field = |text: &str| json!({ "user_image": [text] });
    let of = |status, body, words| {
        refusal("search picture.png", Route::FaceSearch, (status, body), 1, words)
    };
    vec![
        of(400, json!({"error": "No face detected in the image"}), ["found no face", "clear face"]),
        of(400, field("No file was submitted."), ["no picture arrived", "proxy"]),
        of(
            400,
            field(
                "File extension “gif” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, \
                 webp.",
            ),
            ["pictures of this kind", "JPEG"],
        ),
        of(
            400,
            field("File size should not exceed 5 MB"),
            ["too large for Didit (HTTP 400)", "--shrink"],
        ),
        of(413, json!(null), ["too large for Didit (HTTP 413)", "--shrink"]),
    ]
}

/// What the steps of a verification are refused for.
fn verification() -> Vec<Refusal> {
    const VERIFY: &str = "verify --selfie picture.png --id-front picture.png";
    let error = |text: &str| json!({ "error": text });
    vec![
        refusal(
            VERIFY,
            Route::PassiveLiveness,
            (400, error("Invalid user image format.")),
            1,
            ["cannot read the picture", "Save it again"],
        ),
        refusal(
            VERIFY,
            Route::IdVerification,
            (400, error("COULD_NOT_RECOGNIZE_DOCUMENT")),
            1,
            ["does not recognize the document", "without glare"],
        ),
    ]
}

/// What money is refused for.
fn money() -> Vec<Refusal> {
    let of = |body, words| refusal("top-up 60", Route::TopUp, (400, body), 1, words);
    vec![
        of(json!(["amount_in_dollars is required."]), ["does not understand", "99.50"]),
        of(json!(["Amount must be at least $50."]), ["no less than 50", "larger"]),
        of(json!(["Annual plans cannot be topped up."]), ["by a contract", "whoever pays"]),
    ]
}

/// Wants one sentence and its advice, each with its words, and nothing of JSON or markup in it.
fn says(said: &str, Refusal { words, body, .. }: &Refusal) {
    let (sentence, advice) = said.split_once(". ").unwrap_or_else(|| panic!("no advice: {said}"));
    assert!(sentence.contains(words[0]), "{body}: {said}");
    assert!(advice.contains(words[1]), "{body}: {said}");
    assert!(!said.contains(['{', '[', '<', '"']) && !said.contains("://"), "{body}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_refusal_has_a_sentence_of_its_own() {
    let options = Options { limits: Limits::none(), auth: AuthStyle::Split, ..Options::default() };
    let sim = Sim::start(world([1001]), options).await.unwrap();
    let mut home = Home::at(&sim, 0);
    home.set("DIDIT_AUTH_URL", &sim.auth_url());
    std::fs::write(home.path("picture.png"), picture(1)).unwrap();
    let mut known: HashMap<String, Value> = HashMap::new();
    for refusal in [everywhere(), pictures(), verification(), money()].into_iter().flatten() {
        let reply = Reply::json(refusal.status, refusal.body.clone());
        // A server in trouble is asked again; all its answers are the same here.
        sim.knobs().always(On::route(refusal.route), Fault::Answer(reply));
        let mut arguments: Vec<&str> = refusal.command.split(' ').collect();
        if refusal.command != "balance" {
            arguments.push("--yes");
        }
        let ran = home.run(&arguments);
        sim.knobs().clear();
        assert_eq!(ran.code, refusal.code, "{}: {ran:?}", refusal.body);
        let said = match refusal.route {
            // A picture's own refusal stands in its row.
            Route::FaceSearch => {
                let row: Value = serde_json::from_str(ran.out.trim()).unwrap();
                row["error"].as_str().unwrap().to_owned()
            }
            _ => ran.err.trim_end().lines().last().unwrap().to_owned(),
        };
        says(&said, &refusal);
        if let Some(other) = known.insert(said.clone(), refusal.body.clone()) {
            panic!("{other} and {} are told by one sentence: {said}", refusal.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_says_how_long_to_wait() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([]), options).await.unwrap();
    let home = Home::at(&sim, 0);
    for text in [
        "GET request rate limit exceeded. You can make up to 600 requests per minute.",
        "Request was throttled. Expected available in 30 seconds.",
    ] {
        let reply = Reply::json(429, json!({ "detail": text })).header("Retry-After", "3000");
        sim.knobs().once(On::route(Route::Balance), Fault::Answer(reply));
        let ran = home.run(&["balance"]);
        assert_eq!(ran.code, 7, "{ran:?}");
        assert!(ran.err.contains("too many calls, wait 3000 s"), "{ran:?}");
        assert!(ran.err.trim_end().ends_with("Wait, then try again."), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_calls_say_what_is_wrong() {
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([]), options).await.unwrap();
    let mut home = Home::at(&sim, 0);
    home.set("DIDIT_AUTH_URL", &sim.auth_url());
    for (command, route, status, body, code, words) in [
        ("register", Route::Register, 500, json!(null), 7, ["server failed", "few minutes"]),
        (
            "register",
            Route::Register,
            429,
            json!({"detail": "Request was throttled."}),
            7,
            ["too many calls", "5 registrations"],
        ),
        (
            "verify-email",
            Route::VerifyEmail,
            400,
            json!({"detail": "Invalid or expired verification code."}),
            1,
            ["does not accept the code", "account resend"],
        ),
        (
            "login",
            Route::Login,
            401,
            json!({"detail": "Invalid credentials."}),
            4,
            ["address and password", "locked"],
        ),
        (
            "login",
            Route::Login,
            403,
            json!({"detail": "Account locked."}),
            4,
            ["Account locked", "opens again by itself"],
        ),
    ] {
        let mut reply = Reply::json(status, body.clone());
        if status == 429 {
            reply = reply.header("Retry-After", "3000");
        }
        sim.knobs().always(On::route(route), Fault::Answer(reply));
        let mut command = home.command(&["account", command, "ana@example.org"]);
        let secret = home.file("secret", "Correct-horse-7\n", 0o600);
        command.stdin(std::fs::File::open(secret).unwrap());
        let ran = crate::terminal::finish(command);
        sim.knobs().clear();
        assert_eq!(ran.code, code, "{ran:?}");
        for word in words {
            assert!(ran.err.contains(word), "{body}: {ran:?}");
        }
        assert!(!ran.err.contains("Correct-horse"), "{ran:?}");
    }
}
