//! The simulator, point by point, against what Didit documents. Asked with a plain HTTP client and
//! no type of our own client.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use secondlook::sim::{
    AuthStyle, Broken, Candidate, Coding, Effect, Face, Fault, Key, Limits, On, Options, Picture,
    Reply, Route, SameStatus, Scenario, Session, Sim, World, session_id,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Long enough for any machine; a wait that takes this long has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// What a call was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A simulator with a caller that has its key.
pub struct Bench {
    pub sim: Sim,
    http: reqwest::Client,
    key: Option<String>,
}

impl Bench {
    pub async fn with(world: World, options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let sim = Sim::start(world, options).await.unwrap();
        let key = Some(sim.api_key().to_owned());
        Self { sim, http, key }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.sim.base_url()),
        };
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await.unwrap()
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(method, path).json(&body)).await.unwrap()
    }

    pub async fn decide(&self, session: Uuid, status: &str) -> Answer {
        self.call("PATCH", &update(session), json!({ "new_status": status })).await
    }

    /// A picture, asked for without any header of ours.
    async fn picture(&self, link: &Value) -> (StatusCode, String, Vec<u8>) {
        let response = self.http.get(link.as_str().unwrap()).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status(), kind, response.bytes().await.unwrap().to_vec())
    }
}

fn start() -> Timestamp {
    "2026-06-12T15:00:00Z".parse().unwrap()
}

fn update(session: Uuid) -> String {
    format!("/v3/session/{session}/update-status/")
}

fn decision(session: Uuid) -> String {
    format!("/v3/session/{session}/decision/")
}

fn reviews(session: Uuid) -> String {
    format!("/v3/sessions/{session}/reviews/")
}

/// #4821 in review with two candidates, a saved search, an approved session.
pub fn small_world() -> World {
    let mut world = World::new(start());
    world.add(
        Session::in_review(4821)
            .with(Candidate::session(1042, 81.4))
            .with(Candidate::list_entry(74.0)),
    );
    world.add(Session::saved_search(4822).with(Candidate::imported("old-customer", 78.2)));
    world.add(Session::approved(4823));
    world
}

async fn small() -> Bench {
    Bench::with(small_world(), Options::default()).await
}

/// A picture that no test needs to look at.
pub fn photo(shade: u8) -> Vec<u8> {
    let picture =
        image::RgbImage::from_fn(40, 50, |x, y| image::Rgb([shade, (x * 6) as u8, (y * 5) as u8]));
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

pub fn form(field: &'static str, name: &'static str, bytes: Vec<u8>) -> reqwest::multipart::Form {
    let part = reqwest::multipart::Part::bytes(bytes).file_name(name);
    reqwest::multipart::Form::new().part(field, part)
}

#[tokio::test]
async fn keys_are_refused_as_the_style_says() {
    for (style, wrong, none) in [
        (AuthStyle::Split, 401, 403),
        (AuthStyle::Always401, 401, 401),
        (AuthStyle::Always403, 403, 403),
    ] {
        let options = Options { auth: style, ..Options::default() };
        let mut bench = Bench::with(small_world(), options).await;
        bench.key = Some("sk_live_no".to_owned());
        assert_eq!(bench.get("/v3/sessions/").await.status, wrong, "{style:?}");
        assert_eq!(bench.decide(session_id(4821), "Approved").await.status, wrong);
        bench.key = None;
        let answer = bench.get("/v3/sessions/").await;
        assert_eq!(answer.status, none, "{style:?}");
        assert!(answer.json()["detail"].is_string());
        assert_eq!(bench.get("/system/healthcheck").await.json()["status"], "ok");
        assert!(bench.sim.effects().is_empty());
    }
}

#[tokio::test]
async fn the_decision_looks_for_the_session_before_the_key() {
    let mut bench = small().await;
    bench.key = None;
    let unknown = bench.get(&decision(Uuid::from_u128(7))).await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "detail": "Not found." })));
    assert_eq!(bench.get(&decision(session_id(4821))).await.status, 403);
    assert_eq!(bench.get(&reviews(Uuid::from_u128(7))).await.status, 403);
}

#[tokio::test]
async fn scopes_of_a_key() {
    let key = |secret: &str| Key::full(secret);
    let keys = vec![
        Key { media: false, ..key("no-media") },
        Key { write: false, ..key("no-write") },
        Key { expired: true, ..key("old") },
    ];
    let mut bench = Bench::with(small_world(), Options { keys, ..Options::default() }).await;
    let made = bench.get(&decision(session_id(4821))).await.json();
    assert_eq!(made["liveness_checks"][0]["reference_image"], Value::Null);
    assert_eq!(made["liveness_checks"][0]["matches"][0]["match_image_url"], Value::Null);
    assert_eq!(
        bench.get("/v3/sessions/").await.json()["results"][0]["portrait_image"],
        Value::Null
    );
    bench.key = Some("no-write".to_owned());
    assert_eq!(bench.decide(session_id(4821), "Approved").await.status, 403);
    assert_eq!(bench.get(&decision(session_id(4821))).await.json()["session_url"], Value::Null);
    bench.key = Some("old".to_owned());
    let expired = bench.get("/v3/sessions/").await;
    assert_eq!(expired.json()["detail"], "This API key has expired.");
}

#[tokio::test]
async fn limits_count_reads_and_writes_apart_and_slide() {
    let limits = Limits { get: 3, write: 2 };
    let bench = Bench::with(small_world(), Options { limits, ..Options::default() }).await;
    for _ in 0..3 {
        let answer = bench.get("/v3/sessions/").await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
    let refused = bench.get("/v3/sessions/").await;
    assert_eq!(refused.status, 429);
    let text = "GET request rate limit exceeded. You can make up to 3 requests per minute.";
    assert_eq!(refused.json()["detail"], text);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(refused.header("x-ratelimit-limit"), Some("3"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert!(refused.header("x-ratelimit-reset").unwrap().parse::<u64>().unwrap() > 1_700_000_000);

    assert_eq!(bench.decide(session_id(4821), "Approved").await.status, 200);
    assert_eq!(bench.decide(session_id(4821), "Declined").await.status, 200);
    let refused = bench.decide(session_id(4821), "Approved").await;
    assert_eq!(refused.status, 429);
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("Write request rate limit"));
    assert_eq!(bench.sim.effects().len(), 2);

    bench.sim.knobs().advance(Duration::from_secs(60));
    assert_eq!(bench.get("/v3/sessions/").await.status, 200);
}

#[tokio::test]
async fn the_list_filters() {
    let mut world = small_world();
    world.add(Session::in_review(4824).but(|s| {
        s.status = "Declined".to_owned();
        s.warnings = vec!["DUPLICATED_FACE".to_owned()];
        s.email = Some("ana@example.com".to_owned());
        s.country = Some("DEU".to_owned());
        s.created_at = "2026-06-10T01:00:00Z".parse().unwrap();
    }));
    let bench = Bench::with(world, Options::default()).await;
    let id = session_id(4823);
    for (query, numbers) in [
        ("", vec![4824, 4823, 4822, 4821, 1042]),
        ("status=In Review", vec![4821]),
        ("status=in review", vec![]),
        ("status=In Review,Declined", vec![4824, 4821]),
        ("status=In Review&warning=DUPLICATED_FACE,POSSIBLE_DUPLICATED_FACE", vec![4821]),
        ("warning=DUPLICATED_FACE,POSSIBLE_DUPLICATED_FACE", vec![4824, 4822, 4821]),
        ("session_type=API&api_service=FACE_SEARCH", vec![4822]),
        ("session_type=HOSTED", vec![4824, 4823, 4821, 1042]),
        ("session_type=ALL", vec![4824, 4823, 4822, 4821, 1042]),
        ("session_kind=business", vec![]),
        ("session_kind=ALL", vec![4824, 4823, 4822, 4821, 1042]),
        ("vendor_data=user-4821", vec![4821]),
        ("search=4821", vec![4821]),
        ("search=482", vec![4824, 4823, 4822, 4821]),
        ("search=ana@", vec![4824]),
        ("search=person 1042", vec![1042]),
        (&format!("search={id}"), vec![4823]),
        ("country=DEU,FRA", vec![4824]),
        ("document_type=P", vec![1042]),
        ("date_from=2026-06-11", vec![4823, 4822, 4821]),
        ("date_to=2026-06-10", vec![4824, 1042]),
        ("limit=2&offset=1", vec![4823, 4822]),
        ("limit=2&offset=9", vec![]),
    ] {
        let answer = bench.get(&format!("/v3/sessions/?{query}")).await;
        let rows = answer.json()["results"].as_array().unwrap().clone();
        let found: Vec<u64> =
            rows.iter().map(|row| row["session_number"].as_u64().unwrap()).collect();
        assert_eq!(found, numbers, "{query}");
    }
}

#[tokio::test]
async fn the_list_refuses() {
    let bench = small().await;
    for (query, body) in [
        (
            "session_kind=cat",
            json!({ "session_kind": "Must be \"user\", \"business\", or \"all\"." }),
        ),
        ("date_from=yesterday", json!({ "date_from": ["Enter a valid date."] })),
        ("date_to=2026-02-30", json!({ "date_to": ["Enter a valid date."] })),
        ("didit_internal_id=7", json!({ "didit_internal_id": ["Enter a valid UUID."] })),
        (
            "api_service=FOO",
            json!({ "api_service": [
                "Select a valid choice. FOO is not one of the available choices."] }),
        ),
    ] {
        let answer = bench.get(&format!("/v3/sessions/?{query}")).await;
        assert_eq!((answer.status, answer.json()), (400, body), "{query}");
    }
}

#[tokio::test]
async fn pages_are_linked_absolutely_and_keep_the_filter() {
    let bench = small().await;
    let first = bench.get("/v3/sessions/?status=Approved&limit=2").await.json();
    assert_eq!((&first["count"], &first["previous"]), (&json!(3), &Value::Null));
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with(&format!("{}/v3/sessions/?", bench.sim.base_url())), "{next}");
    let second = bench.get(next).await.json();
    assert_eq!(second["results"].as_array().unwrap().len(), 1);
    assert_eq!(second["next"], Value::Null);
    let back = bench.get(second["previous"].as_str().unwrap()).await.json();
    let ids = |page: &Value| {
        let rows = page["results"].as_array().unwrap().iter();
        rows.map(|row| row["session_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&back), ids(&first));
}

#[tokio::test]
async fn slashes_methods_and_malformed_ids() {
    let bench = small().await;
    let moved = bench.get("/v3/sessions?status=In%20Review").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.header("location"), Some("/v3/sessions/?status=In%20Review"));
    for path in ["/v3/session/nonsense/decision/", "/v3/sessions/12/reviews/", "/v3/nothing/"] {
        let page = bench.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{path}");
    }
    assert_eq!(bench.call("PUT", "/v3/sessions/", json!({})).await.status, 405);
    let broken = bench.request("PATCH", &update(session_id(4821)));
    let broken = broken.header("content-type", "application/json").body("{");
    assert_eq!(bench.send(broken).await.unwrap().status, 400);
    let text = bench.request("PATCH", &update(session_id(4821))).body("new_status=Approved");
    assert_eq!(bench.send(text).await.unwrap().status, 415);
}

#[tokio::test]
async fn a_decision_in_full() {
    let bench = small().await;
    let made = bench.get(&decision(session_id(4821))).await.json();
    assert_eq!(made["session_number"], 4821);
    assert_eq!(made["status"], "In Review");
    assert_eq!(made["features"], json!(["ID_VERIFICATION", "LIVENESS", "FACE_MATCH"]));
    let check = &made["liveness_checks"][0];
    let first = &check["matches"][0];
    assert_eq!(first["session_id"], json!(session_id(1042)));
    assert_eq!(first["similarity_percentage"], 81.4);
    assert_eq!(first["user_details"]["full_name"], "Person 1042");
    let second = &check["matches"][1];
    assert_eq!(second["source"], "list_entry");
    for absent in ["session_id", "session_number", "status", "vendor_data", "user_details"] {
        assert_eq!(second[absent], Value::Null, "{absent}");
    }
    let warning = &check["warnings"][0];
    assert_eq!(warning["risk"], "POSSIBLE_DUPLICATED_FACE");
    assert_eq!(warning["additional_data"]["duplicated_session_number"], 1042);

    let saved = bench.get(&decision(session_id(4822))).await.json();
    assert_eq!(saved["features"], json!(["FACE_SEARCH"]));
    assert_eq!((&saved["id_verifications"], &saved["workflow_id"]), (&Value::Null, &Value::Null));
    assert_eq!(saved["liveness_checks"][0]["matches"][0]["source"], "imported");
    let events = bench.get(&format!("{}?include=events", decision(session_id(4822)))).await.json();
    assert_eq!(
        (&events["session_type"], &events["api_service"]),
        (&json!("API"), &json!("FACE_SEARCH"))
    );
    assert_eq!(events.get("session_kind"), None);
}

#[tokio::test]
async fn links_are_new_each_time_and_open_until_they_expire() {
    let bench = small().await;
    let path = decision(session_id(4821));
    let link =
        async || bench.get(&path).await.json()["liveness_checks"][0]["reference_image"].clone();
    let (first, second) = (link().await, link().await);
    assert_ne!(first, second);
    let text = first.as_str().unwrap();
    assert!(text.starts_with(bench.sim.media_url()));
    assert!(text.contains("X-Amz-Date=") && text.contains("X-Amz-Expires=3600"));
    let (status, kind, bytes) = bench.picture(&first).await;
    assert_eq!((status.as_u16(), kind.as_str()), (200, "image/jpeg"));
    image::load_from_memory(&bytes).unwrap();

    bench.sim.knobs().advance(Duration::from_secs(3601));
    let (status, kind, body) = bench.picture(&first).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!((status.as_u16(), kind.as_str()), (403, "application/xml"));
    assert!(body.contains("<Code>AccessDenied</Code><Message>Request has expired</Message>"));
    assert_eq!(bench.picture(&link().await).await.0, 200);

    let forged = json!(text.replace("Expires=3600", "Expires=360000"));
    let (status, _, body) = bench.picture(&forged).await;
    assert_eq!(status, 403);
    assert!(String::from_utf8(body).unwrap().contains("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn the_pictures_take_no_credentials() {
    let bench = small().await;
    let link = bench.sim.knobs().decision(session_id(4821)).unwrap()["liveness_checks"][0]
        ["reference_image"]
        .clone();
    for header in ["x-api-key", "authorization", "cookie"] {
        let request = bench.http.get(link.as_str().unwrap()).header(header, "secret");
        assert_eq!(bench.send(request).await.unwrap().status, 400, "{header}");
    }
    assert_eq!(bench.picture(&link).await.0, 200);
    let carried: Vec<Vec<String>> =
        bench.sim.media_record().into_iter().map(|row| row.carried).collect();
    let own = |name: &str| vec![name.to_owned()];
    assert_eq!(carried, [own("x-api-key"), own("authorization"), own("cookie"), vec![]]);
    assert!(bench.sim.record().is_empty());
}

#[tokio::test]
async fn pictures_of_every_kind() {
    let mut world = World::new(start());
    let kinds = [
        (Coding::Jpeg, "image/jpeg"),
        (Coding::Png, "image/png"),
        (Coding::WebP, "image/webp"),
        (Coding::Tiff, "image/tiff"),
        (Coding::Turned(6), "image/jpeg"),
    ];
    for (number, (coding, _)) in (1..).zip(kinds) {
        let picture = Picture::of(Face::of(9), 1).coded(coding);
        world.add(Session::in_review(number).but(|s| s.picture = Some(picture)));
    }
    let bench = Bench::with(world, Options::default()).await;
    for (number, (coding, kind)) in (1..).zip(kinds) {
        let made = bench.sim.knobs().decision(session_id(number)).unwrap();
        let (status, found, bytes) =
            bench.picture(&made["liveness_checks"][0]["reference_image"]).await;
        assert_eq!((status.as_u16(), found.as_str()), (200, kind), "{coding:?}");
        assert!(image::load_from_memory(&bytes).is_ok(), "{coding:?}");
    }
}

#[tokio::test]
async fn broken_pictures() {
    let bench = small().await;
    let id = session_id(4821);
    for kind in Broken::ALL {
        bench.sim.knobs().once(On::route(Route::Media).of(id), Fault::Picture(kind));
        let made = bench.sim.knobs().decision(id).unwrap();
        let link = &made["liveness_checks"][0]["reference_image"];
        let (status, content, bytes) = bench.picture(link).await;
        assert_eq!((status.as_u16(), content.as_str()), (200, "image/jpeg"), "{kind:?}");
        assert!(bytes.len() < 1024 * 1024, "{kind:?}");
        let mut reader = image::ImageReader::new(std::io::Cursor::new(bytes));
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(10_000);
        reader.limits(limits);
        let read = reader.with_guessed_format().unwrap().decode();
        assert!(read.is_err(), "{kind:?}");
        assert_eq!(bench.picture(link).await.0, 200);
    }
}

#[tokio::test]
async fn a_change_of_status() {
    let bench = small().await;
    let id = session_id(4821);
    let body = json!({ "new_status": "Declined", "comment": "secondlook by:ana" });
    let answer = bench.call("PATCH", &update(id), body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "session_id": id })));
    let made = bench.get(&decision(id)).await.json();
    assert_eq!(made["status"], "Declined");
    assert_eq!(made["reviews"][0]["user"], "API Client");
    assert_eq!(made["reviews"][0]["comment"], "secondlook by:ana");
    let feed = bench.get(&reviews(id)).await.json();
    let row = &feed["results"][0];
    assert_eq!(row["activity_type"], "STATUS_UPDATED");
    assert_eq!(
        (&row["actor_display"], &row["actor_type"]),
        (&json!("API Client"), &json!("API_KEY"))
    );
    assert_eq!(row["previous_status"], "In Review");
    assert_eq!(
        bench.sim.effects(),
        [Effect::Status {
            session: id,
            from: "In Review".to_owned(),
            to: "Declined".to_owned(),
            by: "API Client".to_owned(),
            comment: Some("secondlook by:ana".to_owned()),
        }]
    );
    let row = &bench.sim.record()[0];
    assert_eq!(
        (row.route, row.status, row.took_effect),
        (Some(Route::UpdateStatus), Some(200), true)
    );
    assert_eq!(row.body["new_status"], "Declined");
}

#[tokio::test]
async fn a_refused_change_of_status_changes_nothing() {
    let mut world = small_world();
    let running = world.add(Session::in_review(5000).but(|s| s.status = "In Progress".to_owned()));
    let bench = Bench::with(world, Options::default()).await;
    let node = |feature: &str| json!([{ "node_id": "n", "feature": feature }]);
    for (id, body, wanted) in [
        (
            running,
            json!({ "new_status": "nonsense" }),
            json!({ "detail": "Only sessions with status Approved, Declined, In Review, Kyc Expired, \
                Abandoned, Resubmitted can be updated. Current status: In Progress" }),
        ),
        (session_id(4821), json!({}), json!({ "new_status": ["This field is required."] })),
        (
            session_id(4821),
            json!({ "new_status": "In Review" }),
            json!({ "new_status": [
                "You can only update the status to 'Approved', 'Declined', or 'Resubmitted'."] }),
        ),
        (
            session_id(4821),
            json!({ "new_status": "Bogus" }),
            json!({ "new_status": ["\"Bogus\" is not a valid choice."] }),
        ),
        (
            session_id(4821),
            json!({ "new_status": "Approved", "send_email": true }),
            json!({ "email_address": ["Email address is required when send_email is true."] }),
        ),
        (
            session_id(4823),
            json!({ "new_status": "Approved" }),
            json!(["The new status is the same as the current status."]),
        ),
        (
            session_id(4821),
            json!({ "new_status": "Resubmitted", "nodes_to_resubmit": node("BOGUS") }),
            json!({ "nodes_to_resubmit": [{ "feature": ["\"BOGUS\" is not a valid choice."] }] }),
        ),
    ] {
        let answer = bench.call("PATCH", &update(id), body.clone()).await;
        assert_eq!((answer.status, answer.json()), (400, wanted), "{body}");
    }
    let kyb = json!({ "new_status": "Resubmitted", "nodes_to_resubmit": node("KYB_REGISTRY") });
    let answer = bench.call("PATCH", &update(session_id(4821)), kyb).await;
    assert!(answer.json()["nodes_to_resubmit"].as_str().unwrap().contains("KYB_REGISTRY"));
    assert_eq!(bench.decide(Uuid::from_u128(9), "Approved").await.status, 404);
    assert!(bench.sim.effects().is_empty());
    assert!(bench.sim.record().iter().all(|row| !row.took_effect));
}

#[tokio::test]
async fn the_same_status_again_can_be_a_silent_200() {
    let options = Options { same_status: SameStatus::NoOp200, ..Options::default() };
    let bench = Bench::with(small_world(), options).await;
    let id = session_id(4823);
    let answer = bench.decide(id, "Approved").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "session_id": id })));
    assert_eq!(bench.get(&reviews(id)).await.json()["count"], 0);
    assert_eq!(bench.decide(id, "Resubmitted").await.status, 200);
    assert_eq!(bench.decide(id, "Resubmitted").await.status, 400);
    assert_eq!(bench.sim.effects().len(), 1);
}

#[tokio::test]
async fn the_status_of_a_saved_search_changes_unless_told_otherwise() {
    let bench = small().await;
    assert_eq!(bench.decide(session_id(4822), "Declined").await.status, 200);
    bench.sim.knobs().options(|options| options.api_sessions_change = false);
    let refused = bench.decide(session_id(4822), "Approved").await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["detail"].is_string());
}

#[tokio::test]
async fn one_step_alone() {
    let bench = small().await;
    let path = |id: Uuid, node: &str| format!("/v3/session/{id}/features/{node}/update-status/");
    let body = json!({ "new_status": "Declined" });
    let own = path(session_id(4821), "feature_liveness_1");
    let answer = bench.call("PATCH", &own, body.clone()).await;
    assert_eq!((answer.status, &answer.json()["new_status"]), (200, &json!("Declined")));
    assert_eq!(bench.call("PATCH", &own, body.clone()).await.status, 400);
    let made = bench.get(&decision(session_id(4821))).await.json();
    assert_eq!(made["status"], "In Review");
    assert_eq!(made["liveness_checks"][0]["status"], "Declined");
    let strange = bench.call("PATCH", &path(session_id(4821), "x"), body.clone()).await;
    assert_eq!(strange.status, 404);
    let api = bench.call("PATCH", &path(session_id(4822), "feature_liveness_1"), body).await;
    assert_eq!(api.json()["detail"], "Cannot change feature status for API sessions.");
}

#[tokio::test]
async fn notes_decide_nothing() {
    let bench = small().await;
    let id = session_id(4821);
    let body = json!({ "new_status": "Approved", "comment": "looks fine" });
    let answer = bench.call("POST", &reviews(id), body).await;
    assert_eq!((answer.status, &answer.json()["user"]), (201, &json!("Unknown")));
    assert_eq!(bench.get(&decision(id)).await.json()["status"], "In Review");
    let wrong = bench.call("POST", &reviews(id), json!({ "new_status": "approved" })).await;
    assert_eq!(wrong.json(), json!({ "new_status": ["\"approved\" is not a valid choice."] }));
    for comment in ["second", "third, see ana@example.com."] {
        bench.call("POST", &reviews(id), json!({ "comment": comment })).await;
    }
    let page = bench.get(&format!("{}?limit=2", reviews(id))).await.json();
    let comments: Vec<&Value> =
        page["results"].as_array().unwrap().iter().map(|row| &row["comment"]).collect();
    assert_eq!(comments, ["third, see ana@example.com.", "second"]);
    assert_eq!(page["results"][0]["mentioned_emails"], json!(["ana@example.com"]));
    let next = bench.get(page["next"].as_str().unwrap()).await.json();
    assert_eq!(next["results"][0]["comment"], "looks fine");
    assert_eq!(
        bench.get(&reviews(Uuid::from_u128(3))).await.json()["detail"],
        "Session not found."
    );

    bench.sim.knobs().options(|options| options.old_reviews = true);
    let old = bench.get(&reviews(id)).await.json();
    assert_eq!(
        (&old[0]["note"], &old[0]["action"]),
        (&json!("third, see ana@example.com."), &json!("STATUS_UPDATED"))
    );
}

#[tokio::test]
async fn the_older_blocklist() {
    let bench = small().await;
    let id = session_id(4821);
    let add = json!({ "session_id": id, "blocklist_face": true, "blocklist_document": false });
    for _ in 0..2 {
        let answer = bench.call("POST", "/v3/blocklist/add/", add.clone()).await;
        assert_eq!(answer.json(), json!({ "message": "Successfully updated blocklist." }));
    }
    let listed = Effect::Blocklisted { session: id, item: "face".to_owned(), automatic: false };
    assert_eq!(bench.sim.effects(), [listed]);
    let rows = bench.get("/v3/blocklist/?item_type=face").await.json();
    assert_eq!((&rows["count"], &rows["results"][0]["session_number"]), (&json!(1), &json!(4821)));
    assert_eq!(bench.picture(&rows["results"][0]["face_image"]).await.0, 200);
    let made = bench.get(&decision(id)).await.json();
    assert_eq!(made["status"], "In Review", "a list entry decides nothing");

    let remove = json!({ "session_id": id, "unblock_face": true });
    let answer = bench.call("POST", "/v3/blocklist/remove/", remove).await;
    assert_eq!(answer.json(), json!({ "message": "Successfully removed from blocklist." }));
    assert_eq!(bench.get("/v3/blocklist/").await.json()["count"], 0);

    let nobody = json!({ "session_id": Uuid::from_u128(5), "blocklist_face": true });
    assert_eq!(bench.call("POST", "/v3/blocklist/add/", nobody).await.status, 404);
    assert_eq!(bench.call("POST", "/v3/blocklist/add/", json!({})).await.status, 400);
    for gone in [404, 405] {
        bench.sim.knobs().options(|options| options.old_blocklist_gone = Some(gone));
        assert_eq!(bench.call("POST", "/v3/blocklist/add/", add.clone()).await.status, gone);
    }
    assert_eq!(bench.sim.effects().len(), 2);
}

#[tokio::test]
async fn a_blocklisted_session_shows_as_such_where_it_is_a_candidate() {
    let bench = small().await;
    let add = json!({ "session_id": session_id(1042), "blocklist_face": true });
    bench.call("POST", "/v3/blocklist/add/", add).await;
    let made = bench.get(&decision(session_id(4821))).await.json();
    assert_eq!(made["liveness_checks"][0]["matches"][0]["is_blocklisted"], true);
}

#[tokio::test]
async fn lists_and_their_entries() {
    let bench = small().await;
    let lists = bench.get("/v3/lists/?list_type=blocklist&entry_type=face").await.json();
    assert_eq!((&lists["count"], &lists["results"][0]["is_system"]), (&json!(1), &json!(true)));
    let entries = format!("/v3/lists/{}/entries/", lists["results"][0]["uuid"].as_str().unwrap());
    let id = session_id(4821);
    let body = json!({ "reference_session_id": id, "display_label": "decision-7" });
    let made = bench.call("POST", &entries, body.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["reference_session_number"], 4821);
    // There is no idempotency: the second one is a second row.
    let second = bench.call("POST", &entries, body).await.json();
    let found = bench.get(&format!("{entries}?search=decision-7")).await.json();
    assert_eq!(found["count"], 2);
    assert_eq!(bench.get(&format!("{entries}?search=decision-8")).await.json()["count"], 0);
    let old = bench.get("/v3/blocklist/?item_type=face").await.json();
    assert_eq!(old["count"], 2, "both APIs show the same list");

    for row in [made.json(), second] {
        let path = format!("{entries}{}/", row["uuid"].as_str().unwrap());
        assert_eq!(bench.call("DELETE", &path, json!({})).await.status, 204);
        assert_eq!(bench.call("DELETE", &path, json!({})).await.status, 404);
    }
    assert!(!bench.sim.session(id).unwrap().blocked.face);
    let added = |e: &Effect| matches!(e, Effect::EntryAdded { session: Some(s), .. } if *s == id);
    assert_eq!(bench.sim.effects_on(id).iter().filter(|e| added(e)).count(), 2);

    let strange = json!({ "reference_session_id": Uuid::from_u128(1) });
    assert_eq!(bench.call("POST", &entries, strange).await.status, 400);
    assert_eq!(bench.call("POST", &entries, json!({})).await.status, 400);
}

#[tokio::test]
async fn faces_uploaded_to_a_list() {
    use base64::Engine as _;
    let bench = small().await;
    let encode = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let lists = bench.get("/v3/lists/?list_type=blocklist&entry_type=face").await.json();
    let list = lists["results"][0]["uuid"].as_str().unwrap().to_owned();
    let path = format!("/v3/lists/{list}/entries/face-upload/");
    let row = bench.call("POST", &path, json!({ "image": encode(photo(9)) })).await;
    assert_eq!(row.status, 201);
    assert_eq!(bench.picture(&row.json()["metadata"]["face_image_url"]).await.0, 200);
    let flat = image::RgbImage::new(20, 20);
    let mut file = std::io::Cursor::new(Vec::new());
    flat.write_to(&mut file, image::ImageFormat::Png).unwrap();
    for wrong in [encode(file.into_inner()), "%%%".to_owned(), encode(vec![7; 2_200_000])] {
        let answer = bench.call("POST", &path, json!({ "image": wrong })).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["image"].is_string());
    }
}

#[tokio::test]
async fn own_lists() {
    let bench = small().await;
    let body = json!({ "name": "Twins", "list_type": "allowlist", "entry_type": "face" });
    let made = bench.call("POST", "/v3/lists/", body).await;
    assert_eq!(made.status, 201);
    let path = format!("/v3/lists/{}/", made.json()["uuid"].as_str().unwrap());
    let named = bench.call("PATCH", &path, json!({ "name": "Known twins" })).await.json();
    assert_eq!(named["name"], "Known twins");
    assert_eq!(bench.call("DELETE", &path, json!({})).await.status, 204);
    assert_eq!(bench.get(&path).await.status, 404);
    let system = json!({ "name": "x", "list_type": "blocklist", "entry_type": "face" });
    assert_eq!(bench.call("POST", "/v3/lists/", system).await.status, 400);
}

#[tokio::test]
async fn a_decline_blocklists_where_the_workflow_says_so() {
    let mut world = World::new(start());
    let id = world.add(Session::in_review(1).but(|s| s.auto_blocklist = true));
    let bench = Bench::with(world, Options::default()).await;
    bench.decide(id, "Declined").await;
    let items: Vec<String> = bench
        .sim
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Blocklisted { item, automatic: true, .. } => Some(item),
            _ => None,
        })
        .collect();
    assert_eq!(items, ["face", "document"], "the session has no phone and no e-mail");
    assert_eq!(bench.get("/v3/users/user-1/").await.json()["status"], "BLOCKED");
    let users = bench.get("/v3/lists/?list_type=blocklist&entry_type=user").await.json();
    assert_eq!(users["results"][0]["entry_count"], 1);
    let path = "/v3/users/user-1/update-status/";
    bench.call("PATCH", path, json!({ "status": "ACTIVE" })).await;
    let users = bench.get("/v3/lists/?list_type=blocklist&entry_type=user").await.json();
    assert_eq!(users["results"][0]["entry_count"], 0);
    assert_eq!(bench.call("PATCH", path, json!({})).await.status, 400);
    assert_eq!(bench.call("PATCH", path, json!({ "status": "GONE" })).await.status, 400);
    assert_eq!(bench.get("/v3/users/nobody/").await.status, 404);
}

#[tokio::test]
async fn imported_persons_have_a_portrait() {
    let bench = small().await;
    let person = bench.get("/v3/users/old-customer/").await.json();
    assert_eq!(bench.picture(&person["portrait_image_url"]).await.0, 200);
}

#[tokio::test]
async fn a_face_search_that_is_saved() {
    let bench = small().await;
    bench.sim.knobs().next_search_finds(vec![
        Candidate::imported("old-customer", 71.0),
        Candidate::session(1042, 81.4),
    ]);
    let form = form("user_image", "me.png", photo(1))
        .text("vendor_data", "user-123")
        .text("metadata", "{\"batch\": 7}");
    let answer =
        bench.send(bench.request("POST", "/v3/face-search/").multipart(form)).await.unwrap();
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    assert_eq!((&body["vendor_data"], &body["metadata"]["batch"]), (&json!("user-123"), &json!(7)));
    let found = &body["face_search"];
    assert_eq!((&found["status"], &found["total_matches"]), (&json!("Approved"), &json!(2)));
    assert_eq!(found["matches"][0]["similarity_percentage"], 81.4, "best first");
    assert_eq!(found["warnings"][0]["risk"], "POSSIBLE_DUPLICATED_FACE");
    assert_eq!(found["warnings"][0]["log_type"], "information");
    assert_eq!(bench.picture(&found["matches"][0]["match_image_url"]).await.0, 200);

    let id: Uuid = body["request_id"].as_str().unwrap().parse().unwrap();
    let list = bench.get("/v3/sessions/?session_type=API&api_service=FACE_SEARCH").await.json();
    assert_eq!(list["results"][0]["session_id"], json!(id));
    let saved = bench.get(&decision(id)).await.json();
    assert_eq!(saved["liveness_checks"][0]["matches"][0]["session_id"], json!(session_id(1042)));
    let (_, kind, bytes) = bench.picture(&saved["liveness_checks"][0]["reference_image"]).await;
    assert_eq!((kind.as_str(), bytes), ("image/png", photo(1)));
    let paid = Effect::Billed { service: "FACE_SEARCH".to_owned(), price: 500, saved: Some(id) };
    assert_eq!(bench.sim.effects(), [paid]);
    assert_eq!(bench.get("/v3/billing/balance/").await.json()["balance"], "142.4500");
    assert_eq!(bench.sim.record()[0].body["user_image"]["bytes"], photo(1).len());
}

#[tokio::test]
async fn a_face_search_that_is_not_saved_gives_no_link() {
    let bench = small().await;
    let before = bench.get("/v3/sessions/").await.json()["count"].clone();
    bench.sim.knobs().next_search_finds(vec![
        Candidate::session(1042, 96.0).but_blocklisted(),
        Candidate::session(1043, 99.0),
    ]);
    let form = form("user_image", "me.png", photo(1))
        .text("save_api_request", "false")
        .text("search_type", "blocklisted_or_approved");
    let body = bench.send(bench.request("POST", "/v3/face-search/").multipart(form)).await.unwrap();
    let body = body.json();
    assert_eq!(body["face_search"]["status"], "Declined");
    assert_eq!(body["face_search"]["warnings"][0]["risk"], "FACE_IN_BLOCKLIST");
    let link = body["face_search"]["matches"][0]["match_image_url"].as_str().unwrap();
    assert!(!link.contains("://"), "{link}");
    assert_eq!(body["face_search"]["matches"][0]["similarity_percentage"], 96.0, "listed first");
    assert_eq!(bench.get("/v3/sessions/").await.json()["count"], before);
    let id: Uuid = body["request_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bench.get(&decision(id)).await.status, 404);
}

trait ButBlocklisted {
    fn but_blocklisted(self) -> Self;
}

impl ButBlocklisted for Candidate {
    fn but_blocklisted(mut self) -> Self {
        self.blocklisted = true;
        self
    }
}

#[tokio::test]
async fn a_face_search_refuses() {
    let bench = small().await;
    let send = async |form: reqwest::multipart::Form| {
        bench.send(bench.request("POST", "/v3/face-search/").multipart(form)).await.unwrap()
    };
    let text = || reqwest::multipart::Form::new().text("vendor_data", "x");
    let not_allowed = "File extension \u{201c}txt\u{201d} is not allowed. Allowed extensions are: \
                       tiff, jpg, jpeg, png, webp.";
    for (form, body) in [
        (text(), json!({ "user_image": ["No file was submitted."] })),
        (form("user_image", "a.txt", photo(1)), json!({ "user_image": [not_allowed] })),
        (
            form("user_image", "a.png", vec![0; 5 * 1024 * 1024 + 1]),
            json!({ "user_image": ["File size should not exceed 5 MB"] }),
        ),
        (
            form("user_image", "a.png", b"not a picture".to_vec()),
            json!({ "error": "No face detected in the image" }),
        ),
        (
            form("user_image", "a.png", photo(1)).text("search_type", "all"),
            json!({ "search_type": ["\"all\" is not a valid choice."] }),
        ),
    ] {
        let answer = send(form).await;
        assert_eq!((answer.status, answer.json()), (400, body));
    }
    bench.sim.knobs().set_balance(499);
    let broke = send(form("user_image", "a.png", photo(1))).await;
    assert_eq!(broke.status, 403);
    assert!(broke.json()["error"].as_str().unwrap().contains("credits"));
    assert!(bench.sim.effects().is_empty());
}

#[tokio::test]
async fn a_search_finds_the_same_for_the_same_picture() {
    let bench = Bench::with(World::seeded(1, 24, start()), Options::default()).await;
    let search = async |shade: u8| {
        let form = form("user_image", "a.png", photo(shade)).text("save_api_request", "false");
        let request = bench.request("POST", "/v3/face-search/").multipart(form);
        let body = bench.send(request).await.unwrap().json();
        let matches = body["face_search"]["matches"].as_array().unwrap().clone();
        matches.into_iter().map(|m| m["session_id"].clone()).collect::<Vec<_>>()
    };
    let mut found = 0;
    for shade in 0..8 {
        let first = search(shade).await;
        assert_eq!(first, search(shade).await);
        found += first.len();
    }
    assert!(found > 0, "eight pictures found nobody");
}

#[tokio::test]
async fn a_sandbox_key_is_checked_and_answers_a_mock() {
    let keys = vec![Key { sandbox: true, ..Key::full("sk_test_x") }];
    let bench =
        Bench::with(small_world(), Options { keys, balance: 0, ..Options::default() }).await;
    bench.sim.knobs().next_search_finds(vec![Candidate::session(1042, 99.0)]);
    let request = bench.request("POST", "/v3/face-search/");
    let body = bench.send(request.multipart(form("user_image", "a.png", photo(1)))).await.unwrap();
    let body = body.json();
    assert_eq!(body["face_search"]["status"], "Approved");
    assert_eq!(body["face_search"]["total_matches"], 0);
    let request = bench.request("POST", "/v3/face-search/");
    let wrong = bench.send(request.multipart(form("user_image", "a.gif", photo(1)))).await.unwrap();
    assert_eq!(wrong.status, 400);
    assert!(bench.sim.effects().is_empty());
}

#[tokio::test]
async fn the_other_checks() {
    let bench = small().await;
    let send = async |path: &str, form: reqwest::multipart::Form| {
        bench.send(bench.request("POST", path).multipart(form)).await.unwrap()
    };
    let alive = send("/v3/passive-liveness/", form("user_image", "a.png", photo(1))).await.json();
    assert_eq!(
        (&alive["liveness"]["status"], &alive["liveness"]["method"]),
        (&json!("Approved"), &json!("PASSIVE"))
    );
    let strict =
        form("user_image", "a.png", photo(1)).text("face_liveness_score_decline_threshold", "100");
    let strict = send("/v3/passive-liveness/", strict).await.json();
    assert_eq!(strict["liveness"]["warnings"][0]["risk"], "LOW_LIVENESS_SCORE");
    let unread = send("/v3/passive-liveness/", form("user_image", "a.png", vec![1, 2])).await;
    assert_eq!(unread.json()["error"], "Invalid user image format.");

    let part = |bytes| reqwest::multipart::Part::bytes(bytes).file_name("b.png");
    let pair = |other| form("user_image", "a.png", photo(1)).part("ref_image", part(other));
    let same = send("/v3/face-match/", pair(photo(1))).await.json();
    assert_eq!(
        (&same["face_match"]["status"], &same["face_match"]["score"]),
        (&json!("Approved"), &json!(100.0))
    );
    let alone = send("/v3/face-match/", form("user_image", "a.png", photo(1))).await;
    assert_eq!(alone.json(), json!({ "ref_image": ["No file was submitted."] }));
    let far = pair(photo(1)).text("face_match_score_decline_threshold", "101");
    assert_eq!(send("/v3/face-match/", far).await.status, 400);

    let document =
        send("/v3/id-verification/", form("front_image", "a.png", photo(3))).await.json();
    assert_eq!(document["id_verification"]["status"], "Approved");
    assert_eq!(bench.picture(&document["id_verification"]["front_image"]).await.0, 200);
    let unread = send("/v3/id-verification/", form("front_image", "a.jpg", vec![1; 9])).await;
    assert_eq!(unread.json(), json!({ "error": "COULD_NOT_RECOGNIZE_DOCUMENT" }));
}

#[tokio::test]
async fn money_is_decimal_text() {
    let bench = small().await;
    let balance = bench.get("/v3/billing/balance/").await.json();
    assert_eq!(
        (&balance["balance"], &balance["auto_refill_amount"]),
        (&json!("142.5000"), &Value::Null)
    );
    for (body, status, wanted) in [
        (json!({}), 400, json!(["amount_in_dollars is required."])),
        (
            json!({ "amount_in_dollars": "many" }),
            400,
            json!(["amount_in_dollars must be a number."]),
        ),
        (json!({ "amount_in_dollars": 49.99 }), 400, json!(["Amount must be at least $50."])),
    ] {
        let answer = bench.call("POST", "/v3/billing/top-up/", body).await;
        assert_eq!((answer.status, answer.json()), (status, wanted));
    }
    let page = bench.call("POST", "/v3/billing/top-up/", json!({ "amount_in_dollars": 50 })).await;
    assert!(page.json()["checkout_session_url"].as_str().unwrap().starts_with("https://"));
    assert_eq!(bench.get("/v3/billing/balance/").await.json(), balance, "nothing is charged");
}

#[tokio::test]
async fn an_account_from_the_beginning() {
    let bench = small().await;
    let url = |path: &str| format!("{}/programmatic/{path}/", bench.sim.auth_url());
    let who = |password: &str| json!({ "email": "ana@example.com", "password": password });
    assert_eq!(bench.call("POST", &url("register"), who("weak")).await.status, 400);
    assert_eq!(bench.call("POST", &url("register"), who("Str0ng-enough")).await.status, 201);
    let login =
        async |password: &str| bench.call("POST", &url("login"), who(password)).await.status;
    assert_eq!(login("Str0ng-enough").await, 403, "not verified yet");
    let again = bench.call("POST", &url("resend-otp"), json!({ "email": "ana@example.com" })).await;
    assert_eq!(again.status, 429);
    let code = bench.sim.mailed_code("ana@example.com").unwrap();
    let verify = |code: &str| json!({ "email": "ana@example.com", "code": code });
    assert_eq!(bench.call("POST", &url("verify-email"), verify("nocode")).await.status, 400);
    let made = bench.call("POST", &url("verify-email"), verify(&code)).await.json();
    assert_eq!(made["expires_in"], 86_400);
    assert_eq!(made["application"]["api_key"], bench.sim.api_key());
    assert_eq!(bench.call("POST", &url("verify-email"), verify(&code)).await.status, 400);

    let organizations = format!("{}/organizations/me/", bench.sim.auth_url());
    assert_eq!(bench.get(&organizations).await.status, 401);
    let token = made["access_token"].as_str().unwrap();
    let asked = bench.request("GET", &organizations).bearer_auth(token);
    let row = bench.send(asked).await.unwrap().json()[0].clone();
    assert_eq!(row["uuid"], made["organization"]["uuid"]);
    let applications = format!("{organizations}{}/applications/", row["uuid"].as_str().unwrap());
    let asked = bench.request("GET", &applications).bearer_auth(token);
    assert_eq!(bench.send(asked).await.unwrap().json()[0]["api_key"], bench.sim.api_key());

    for _ in 0..4 {
        assert_eq!(login("wrong").await, 401);
    }
    assert_eq!(login("wrong").await, 403, "the fifth failure locks");
    assert_eq!(login("Str0ng-enough").await, 403);
    bench.sim.knobs().advance(Duration::from_secs(15 * 60));
    assert_eq!(login("Str0ng-enough").await, 200);
}

#[tokio::test]
async fn registering_is_limited() {
    let bench = small().await;
    let url = format!("{}/programmatic/register/", bench.sim.auth_url());
    let mut last = 0;
    for at in 0..6 {
        let body = json!({ "email": format!("a{at}@example.com"), "password": "Str0ng-enough" });
        last = bench.call("POST", &url, body).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn webhook_destinations() {
    let bench = small().await;
    let path = "/v3/webhook/destinations/";
    let body = json!({ "label": "mine", "url": "https://example.com/hook",
        "subscribed_events": ["status.updated"] });
    let made = bench.call("POST", path, body.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["secret_shared_key"].as_str().unwrap().len(), 43);
    let twice = bench.call("POST", path, body).await.json();
    assert_eq!(twice["url"][0], "This webhook destination already exists for the application.");
    for (url, events, field) in [
        ("http://example.com/", json!(["status.updated"]), "url"),
        ("https://127.0.0.1/", json!(["status.updated"]), "url"),
        ("https://localhost/", json!(["status.updated"]), "url"),
        ("https://example.com/2", json!([]), "subscribed_events"),
        ("https://example.com/2", json!(["foo.bar"]), "subscribed_events"),
    ] {
        let body = json!({ "label": "x", "url": url, "subscribed_events": events });
        let answer = bench.call("POST", path, body).await;
        assert_eq!(answer.status, 400, "{url}");
        assert!(answer.json()[field].is_array(), "{url}");
    }
    let own = format!("{path}{}/", made.json()["uuid"].as_str().unwrap());
    let off = bench.call("PATCH", &own, json!({ "enabled": false })).await.json();
    assert_eq!(off["enabled"], false);
    assert_eq!(bench.get(path).await.json().as_array().unwrap().len(), 1);
    assert_eq!(bench.call("DELETE", &own, json!({})).await.status, 204);
    assert_eq!(bench.get(&own).await.json()["detail"], "Webhook destination not found.");
}

#[tokio::test]
async fn deletion_takes_the_pictures_along() {
    let bench = small().await;
    let id = session_id(4821);
    let made = bench.get(&decision(id)).await.json();
    let path = format!("/v3/session/{id}/delete/");
    assert_eq!(bench.call("DELETE", &path, json!({})).await.status, 204);
    assert_eq!(bench.call("DELETE", &path, json!({})).await.status, 404);
    assert_eq!(bench.picture(&made["liveness_checks"][0]["reference_image"]).await.0, 404);
}

#[tokio::test]
async fn an_answer_can_be_lost_before_or_after_the_effect() {
    let bench = small().await;
    let id = session_id(4821);
    for (fault, effects) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        bench.sim.knobs().once(On::route(Route::UpdateStatus).of(id), fault.clone());
        let request =
            bench.request("PATCH", &update(id)).json(&json!({ "new_status": "Approved" }));
        let error = bench.send(request).await.unwrap_err();
        assert!(!error.is_builder() && error.status().is_none(), "{error:?}");
        assert_eq!(bench.sim.effects_on(id).len(), effects, "{fault:?}");
        let row = bench.sim.record().pop().unwrap();
        assert_eq!((row.status, row.took_effect), (None, effects == 1), "{fault:?}");
    }
    assert_eq!(bench.get(&decision(id)).await.json()["status"], "Approved");
}

#[tokio::test]
async fn answers_can_be_anything() {
    let bench = small().await;
    let id = session_id(4821);
    let knobs = bench.sim.knobs();
    knobs.times(2, On::route(Route::UpdateStatus), Fault::Answer(Reply::empty(500)));
    for _ in 0..2 {
        let answer = bench.decide(id, "Approved").await;
        assert_eq!((answer.status, answer.text.as_str()), (500, ""));
    }
    assert!(bench.sim.effects().is_empty());
    let page = Reply::bytes(502, "text/html", "<h1>Bad Gateway</h1>");
    knobs.once(On::route(Route::UpdateStatus), Fault::AnswerAfter(page));
    assert_eq!(bench.decide(id, "Approved").await.status, 502);
    assert_eq!(bench.sim.effects().len(), 1);
    let busy = Reply::json(429, json!({ "detail": "later" })).header("Retry-After", "7");
    knobs.always(On::any(), Fault::Answer(busy));
    assert_eq!(bench.get("/v3/sessions/").await.header("retry-after"), Some("7"));
    knobs.clear();
    assert_eq!(bench.get("/v3/sessions/").await.status, 200);
}

#[tokio::test]
async fn a_body_can_end_early() {
    let bench = small().await;
    bench.sim.knobs().once(On::route(Route::Sessions), Fault::CutBody(40));
    let response = bench.request("GET", "/v3/sessions/").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert_eq!(bench.get("/v3/sessions/").await.status, 200);
}

#[tokio::test]
async fn links_and_shapes_can_be_wrong() {
    let bench = small().await;
    let (id, knobs) = (session_id(4821), bench.sim.knobs());
    let check = async || bench.get(&decision(id)).await.json()["liveness_checks"][0].clone();
    knobs.once(On::route(Route::Decision), Fault::NullLinks);
    assert_eq!(check().await["reference_image"], Value::Null);
    knobs.once(On::route(Route::Decision), Fault::LinksTo("http://10.0.0.1/x".to_owned()));
    assert_eq!(check().await["matches"][0]["match_image_url"], "http://10.0.0.1/x");
    knobs.once(On::route(Route::Decision), Fault::MalformedMatches);
    assert_eq!(check().await["matches"][0], 17);
    knobs.once(On::route(Route::Decision), Fault::OldShapes);
    let old = check().await;
    assert_eq!(old["matches"][0]["user_details"]["name"], "Person 1042");
    assert_eq!(old["age_estimation"], "34.6");
    assert!(check().await["reference_image"].is_string());
}

#[tokio::test]
async fn somebody_else_can_decide_between_read_and_write() {
    let bench = small().await;
    let id = session_id(4821);
    assert!(bench.sim.knobs().decide_elsewhere(id, "In Review", "eve@example.com", None));
    let elsewhere = Fault::DecidedElsewhere {
        status: "Declined".to_owned(),
        by: "eve@example.com".to_owned(),
        comment: Some("mine".to_owned()),
    };
    bench.sim.knobs().once(On::route(Route::UpdateStatus).of(id), elsewhere);
    assert_eq!(bench.get(&decision(id)).await.json()["status"], "In Review");
    assert_eq!(bench.decide(id, "Declined").await.status, 400, "the same as theirs by now");
    assert!(bench.sim.record().iter().all(|row| !row.took_effect));
    let feed = bench.get(&reviews(id)).await.json();
    assert_eq!(feed["results"][0]["actor_email"], "eve@example.com");
    assert_eq!(feed["results"][0]["actor_type"], "CONSOLE_USER");
}

#[tokio::test]
async fn a_session_can_vanish_between_list_and_detail() {
    let bench = small().await;
    let id = session_id(4821);
    bench.sim.knobs().once(On::route(Route::Reviews).of(id), Fault::Vanish);
    assert_eq!(bench.get("/v3/sessions/?search=4821").await.json()["count"], 1);
    assert_eq!(bench.get(&reviews(id)).await.status, 404);
    assert_eq!(bench.get(&decision(id)).await.json()["detail"], "Session not found.");
    bench.sim.knobs().once(On::route(Route::Decision), Fault::Vanish);
    let other = bench.get(&decision(session_id(4823))).await;
    assert_eq!(other.json()["detail"], "Session not found.");
    let never = bench.get(&decision(Uuid::from_u128(7))).await;
    assert_eq!(never.json()["detail"], "Not found.");
    assert!(!bench.sim.knobs().vanish(id));
}

#[tokio::test]
async fn a_route_can_be_single_stepped() {
    let bench = small().await;
    let (id, knobs) = (session_id(4821), bench.sim.knobs());
    knobs.hold(Route::UpdateStatus);
    let request = |status: &str| {
        let request = bench.request("PATCH", &update(id)).json(&json!({ "new_status": status }));
        tokio::spawn(request.send())
    };
    let first = request("Approved");
    assert!(knobs.waiting(Route::UpdateStatus, 1, LIMIT).await);
    assert!(bench.sim.effects().is_empty());
    assert_eq!(bench.sim.record()[0].status, None);
    knobs.step(Route::UpdateStatus, 1);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    let second = request("Declined");
    assert!(knobs.waiting(Route::UpdateStatus, 1, LIMIT).await);
    knobs.release(Route::UpdateStatus);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert!(
        bench.sim.until(LIMIT, |rows| rows.iter().filter(|r| r.took_effect).count() == 2).await
    );
}

#[tokio::test]
async fn it_ends_with_requests_held_and_leaves_nothing_behind() {
    let bench = small().await;
    bench.sim.knobs().hold(Route::Sessions);
    let held = tokio::spawn(bench.request("GET", "/v3/sessions/").send());
    assert!(bench.sim.knobs().waiting(Route::Sessions, 1, LIMIT).await);
    let (base, media) = (bench.sim.base_url().to_owned(), bench.sim.media_url().to_owned());
    let ended = tokio::time::timeout(LIMIT, bench.sim.shutdown()).await;
    assert!(ended.is_ok());
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    for url in [base, media] {
        assert!(bench.http.get(url).send().await.unwrap_err().is_connect());
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_on_the_port_it_is_told() {
    let bench = small().await;
    let port: u16 = bench.sim.base_url().rsplit(':').next().unwrap().parse().unwrap();
    assert!(bench.sim.base_url().starts_with("http://127.0.0.1:"));
    let options = Options { port: Some(port), ..Options::default() };
    assert!(Sim::start(World::new(start()), options).await.is_err(), "the port is taken");
}

#[tokio::test]
async fn a_large_queue_is_walked_page_by_page() {
    let mut world = World::new(start());
    for number in 1..=20_000 {
        world.add(Session::in_review(number));
    }
    let limits = Limits::none();
    let bench = Bench::with(world, Options { limits, ..Options::default() }).await;
    let mut next = Some("/v3/sessions/?status=In+Review&limit=500".to_owned());
    let mut numbers = Vec::new();
    while let Some(path) = next {
        let page = bench.get(&path).await.json();
        let rows = page["results"].as_array().unwrap();
        numbers.extend(rows.iter().map(|row| row["session_number"].as_u64().unwrap()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert!(numbers.iter().copied().eq((1..=20_000).rev()));
}

#[tokio::test]
async fn every_picture_of_the_demo_opens() {
    let mut world = World::seeded(1, 24, start());
    world.add(Session::in_review(9_000));
    let ids: Vec<Uuid> =
        world.sessions().filter(|s| !s.candidates.is_empty()).map(|s| s.id).collect();
    let bench = Bench::with(world, Options::default()).await;
    for id in ids.into_iter().take(6) {
        let made = bench.sim.knobs().decision(id).unwrap();
        let check = &made["liveness_checks"][0];
        let links = check["matches"].as_array().unwrap().iter().map(|m| &m["match_image_url"]);
        for link in links.chain([&check["reference_image"]]) {
            let (status, _, bytes) = bench.picture(link).await;
            assert_eq!(status, 200);
            assert!(image::load_from_memory(&bytes).is_ok());
        }
    }
}

/// A simulator in a scenario, as `secondlook sim` starts it.
async fn scenario(scenario: Scenario, sessions: u64) -> Bench {
    let mut world = World::new(start());
    for number in 1..=sessions {
        world.add(Session::in_review(number).with(Candidate::session(number + 5_000, 75.0)));
    }
    let mut options = Options::default();
    scenario.set_options(&mut options);
    let bench = Bench::with(world, options).await;
    scenario.turn(&bench.sim.knobs());
    bench
}

#[tokio::test]
async fn every_scenario_is_the_day_that_its_name_says() {
    for known in Scenario::ALL {
        assert_eq!(Scenario::from_word(known.word()), Some(known));
        assert!(known.about().len() <= 90, "{}", known.about());
    }
    // Calm: everything is answered, and links live an hour.
    let calm = scenario(Scenario::Calm, 20).await;
    for number in 1..=20 {
        let read = calm.get(&decision(session_id(number))).await;
        assert_eq!(read.status, 200);
        assert!(read.text.contains("X-Amz-Expires=3600"));
        assert_eq!(calm.decide(session_id(number), "Approved").await.status, 200);
        assert_eq!(calm.sim.session(session_id(number)).unwrap().reviews.len(), 1);
    }
    let expiring = scenario(Scenario::Expiring, 1).await;
    let read = expiring.get(&decision(session_id(1))).await;
    assert!(read.text.contains("X-Amz-Expires=20"), "{}", read.text);
    assert_eq!(Scenario::Empty.cases(), 0);
    let empty = scenario(Scenario::Empty, 0).await;
    assert_eq!(empty.get("/v3/sessions/").await.json()["count"], 0);
}

#[tokio::test]
async fn in_races_somebody_else_decides_some_of_the_cases() {
    let races = scenario(Scenario::Races, 100).await;
    let mut theirs = 0;
    for number in 1..=100 {
        races.decide(session_id(number), "Approved").await;
        let by = |review: &secondlook::sim::Review| review.actor == "console@example.org";
        theirs +=
            usize::from(races.sim.session(session_id(number)).unwrap().reviews.iter().any(by));
    }
    assert!((5..=50).contains(&theirs), "{theirs} of 100");
}

#[tokio::test]
async fn with_faults_each_kind_of_trouble_comes_and_most_calls_do_not() {
    let faults = scenario(Scenario::Faults, 1).await;
    faults.sim.knobs().options(|options| options.limits = Limits::none());
    let (mut throttled, mut down, mut broken) = (0, 0, 0);
    for _ in 0..1_000 {
        match faults.send(faults.request("GET", &decision(session_id(1)))).await {
            Ok(answer) if answer.status == 429 => {
                assert_eq!(answer.header("retry-after"), Some("1"));
                throttled += 1;
            }
            Ok(answer) if answer.status == 503 => down += 1,
            Ok(answer) => assert_eq!(answer.status, 200),
            Err(_) => broken += 1,
        }
    }
    assert!(throttled > 0 && down > 0 && broken > 0, "{throttled} {down} {broken}");
    let all = throttled + down + broken;
    assert!((20..=100).contains(&all), "{all} of 1,000");
}

#[tokio::test]
async fn with_limits_the_next_read_after_sixty_is_throttled() {
    let limits = scenario(Scenario::Limits, 1).await;
    for _ in 0..60 {
        assert_eq!(limits.get(&decision(session_id(1))).await.status, 200);
    }
    assert_eq!(limits.get(&decision(session_id(1))).await.status, 429);
}
