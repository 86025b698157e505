//! The simulator's answers, and requests it recorded, against Didit's own `OpenAPI` document. The
//! document is test data and not part of the project: it is found through `DIDIT_OPENAPI`, and
//! without it these tests say so and pass.

use secondlook::sim::{
    Candidate, Fault, Key, Limits, On, Options, Recorded, Reply, Route, Session, World, session_id,
};
use serde_json::{Map, Value, json};

use crate::sim::{Bench, form, photo, small_world};

/// Didit's document.
pub struct Document(Value);

impl Document {
    /// Reads the file that `DIDIT_OPENAPI` names; prints a line and gives `None` where there is none.
    pub fn load() -> Option<Self> {
        let Some(path) = std::env::var_os("DIDIT_OPENAPI") else {
            println!(
                "skipped: DIDIT_OPENAPI is not set, so there is no OpenAPI file to compare with"
            );
            return None;
        };
        let Ok(text) = std::fs::read(&path) else {
            println!("skipped: the OpenAPI file that DIDIT_OPENAPI names is not there");
            return None;
        };
        Some(Self(serde_json::from_slice(&text).expect("the OpenAPI file is no JSON")))
    }

    /// Every path template with each of its methods, in capitals.
    fn operations(&self) -> Vec<(String, String)> {
        let methods = |item: &Value| {
            let names = ["get", "post", "patch", "put", "delete"].into_iter();
            names.filter(|m| item.get(*m).is_some()).map(str::to_uppercase).collect::<Vec<_>>()
        };
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, item)| methods(item).into_iter().map(|m| (path.clone(), m)))
            .collect()
    }

    fn operation(&self, template: &str, method: &str) -> Option<&Value> {
        self.0["paths"].get(template)?.get(method.to_lowercase())
    }

    fn template(&self, path: &str) -> Option<&str> {
        let fits = |template: &str| {
            let (mut a, mut b) = (template.split('/'), path.split('/'));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if a == b || a.starts_with('{') && !b.is_empty() => {}
                    _ => return false,
                }
            }
        };
        // A literal path wins over one with a parameter.
        let paths = self.0["paths"].as_object()?.keys().map(String::as_str);
        paths.filter(|t| fits(t)).min_by_key(|t| t.matches('{').count())
    }

    /// What is wrong with an answer; nothing where it is as documented.
    pub fn response(&self, template: &str, method: &str, status: u16, body: &Value) -> Vec<String> {
        let Some(operation) = self.operation(template, method) else {
            return vec![format!("{method} {template} is not documented")];
        };
        let Some(response) = operation["responses"].get(status.to_string()) else {
            return vec![format!("{method} {template}: status {status} is not documented")];
        };
        match response.pointer("/content/application~1json/schema") {
            Some(schema) => self.check(schema, body, ""),
            None => Vec::new(),
        }
    }

    /// What is wrong with a request that the simulator recorded: an undocumented path, parameter or
    /// field, or a value of the wrong kind. Paths that the document does not hold are not judged.
    pub fn request(&self, row: &Recorded) -> Vec<String> {
        let Some(template) = self.template(&row.path) else { return Vec::new() };
        let Some(operation) = self.operation(template, &row.method) else {
            return vec![format!("{} {template} is not documented", row.method)];
        };
        let mut wrong = self.query(operation, &row.query);
        let content = operation.pointer("/requestBody/content").and_then(Value::as_object);
        match content.and_then(|kinds| kinds.iter().next()) {
            None if row.body.is_null() => {}
            None => wrong.push("a body where none is documented".to_owned()),
            Some((kind, media)) => {
                let schema = self.resolve(&media["schema"]);
                let body = match kind.starts_with("multipart/") {
                    true => self.fields(schema, &row.body),
                    false => row.body.clone(),
                };
                wrong.extend(unknown_fields(schema, &body));
                wrong.extend(self.check(schema, &body, ""));
            }
        }
        let place = format!("{} {template}: ", row.method);
        wrong.into_iter().map(|text| place.clone() + &text).collect()
    }

    fn query(&self, operation: &Value, query: &[(String, String)]) -> Vec<String> {
        let empty = Vec::new();
        let known = operation["parameters"].as_array().unwrap_or(&empty);
        let mut wrong = Vec::new();
        for (name, text) in query {
            let found = known.iter().find(|p| p["name"] == name.as_str() && p["in"] != "path");
            match found {
                None => wrong.push(format!("undocumented parameter {name}")),
                Some(parameter) => {
                    let schema = self.resolve(&parameter["schema"]);
                    wrong.extend(self.check(schema, &typed(schema, text), name));
                }
            }
        }
        wrong
    }

    /// The fields of a form with their texts read as the types the schema gives them.
    fn fields(&self, schema: &Value, form: &Value) -> Value {
        let empty = Map::new();
        let read = |(name, value): (&String, &Value)| {
            let own = self.resolve(&schema["properties"][name]);
            let value = match value {
                Value::String(text) => typed(own, text),
                // A file, as the simulator records it.
                _ => json!("binary"),
            };
            (name.clone(), value)
        };
        Value::Object(form.as_object().unwrap_or(&empty).iter().map(read).collect())
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let place = schema.get("$ref").and_then(Value::as_str);
        match place.and_then(|place| self.0.pointer(place.strip_prefix('#')?)) {
            Some(target) => self.resolve(target),
            None => schema,
        }
    }

    /// A subset of JSON Schema, as `OpenAPI` 3.0 uses it. Each complaint begins with its place.
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.resolve(schema);
        if value.is_null() {
            let untyped = schema.get("type").is_none() && schema.get("oneOf").is_none();
            let fine = schema["nullable"] == true || untyped;
            return if fine { Vec::new() } else { vec![format!("{at}: null")] };
        }
        let mut wrong = Vec::new();
        if let Some(kind) = schema["type"].as_str().filter(|kind| !is_a(kind, value)) {
            return vec![format!("{at}: {value} is no {kind}")];
        }
        if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
            wrong.push(format!("{at}: {value} is none of {words:?}"));
        }
        wrong.extend(bounds(schema, value, at));
        wrong.extend(self.fields_of(schema, value, at));
        if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
            for (place, item) in values.iter().enumerate() {
                wrong.extend(self.check(items, item, &format!("{at}[{place}]")));
            }
        }
        wrong.extend(self.combined(schema, value, at));
        wrong
    }

    fn fields_of(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(fields) = value.as_object() else { return Vec::new() };
        let mut wrong = Vec::new();
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap_or_default()) {
                wrong.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, own) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(field) = fields.get(name) {
                wrong.extend(self.check(own, field, &format!("{at}.{name}")));
            }
        }
        wrong
    }

    fn combined(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            wrong.extend(self.check(part, value, at));
        }
        for (word, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
            let Some(choices) = schema[word].as_array() else { continue };
            let tried: Vec<Vec<String>> =
                choices.iter().map(|choice| self.check(choice, value, at)).collect();
            let fitting = tried.iter().filter(|complaints| complaints.is_empty()).count();
            if fitting == 0 || fitting > most {
                let nearest = tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
                wrong.push(format!("{at}: {fitting} of {word} fit; nearest: {nearest:?}"));
            }
        }
        wrong
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}

fn bounds(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let outside = |name: &str, size: f64| {
        let limit = schema[name].as_f64();
        limit.is_some_and(|limit| if name.starts_with("min") { size < limit } else { size > limit })
    };
    let mut judge = |names: [&str; 2], size: f64| {
        for name in names.into_iter().filter(|name| outside(name, size)) {
            wrong.push(format!("{at}: {size} breaks {name} {}", schema[name]));
        }
    };
    match value {
        Value::Number(number) => judge(["minimum", "maximum"], number.as_f64().unwrap_or(f64::NAN)),
        Value::Array(items) => judge(["minItems", "maxItems"], items.len() as f64),
        _ => {}
    }
    if let (Some(format), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        let good = match format {
            "uuid" => uuid::Uuid::parse_str(text).is_ok(),
            "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
            "date" => text.parse::<jiff::civil::Date>().is_ok(),
            "uri" => url::Url::parse(text).is_ok(),
            _ => true,
        };
        if !good {
            wrong.push(format!("{at}: {text:?} is no {format}"));
        }
    }
    wrong
}

/// A text of a query or a form, read as the type the schema gives it; as text where it is none.
fn typed(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number" | "boolean" | "object" | "array") => {
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
        _ => json!(text),
    }
}

/// Fields of a body that the schema does not name: how a mistyped name shows.
fn unknown_fields(schema: &Value, body: &Value) -> Vec<String> {
    let Some(known) = schema["properties"].as_object() else { return Vec::new() };
    let given = body.as_object().into_iter().flat_map(Map::keys);
    given
        .filter(|name| !known.contains_key(*name))
        .map(|name| format!("undocumented field {name}"))
        .collect()
}

/// What a walk sends for an operation of the document; `None` for those that the simulator does not
/// serve.
fn sample(
    bench: &Bench,
    method: &str,
    template: &str,
    hook: &str,
) -> Option<reqwest::RequestBuilder> {
    let id = session_id(4821).to_string();
    let path = template
        .replace("{sessionId}", &id)
        .replace("{session_id}", &id)
        .replace("{vendor_data}", "user-4821")
        .replace("{nodeId}", "feature_liveness_1")
        .replace("{destination_uuid}", hook);
    let request = bench.request(method, &path);
    let picture = |field| form(field, "a.png", photo(1));
    Some(match (method, template) {
        ("PATCH", "/v3/session/{sessionId}/update-status/") => {
            request.json(&json!({ "new_status": "Declined", "comment": "checked" }))
        }
        ("PATCH", "/v3/session/{sessionId}/features/{nodeId}/update-status/") => {
            request.json(&json!({ "new_status": "Approved" }))
        }
        ("PATCH", "/v3/users/{vendor_data}/update-status/") => {
            request.json(&json!({ "status": "FLAGGED" }))
        }
        ("POST", "/v3/sessions/{session_id}/reviews/") => {
            request.json(&json!({ "new_status": "In Review", "comment": "a note" }))
        }
        ("POST", "/v3/billing/top-up/") => request.json(&json!({ "amount_in_dollars": 50 })),
        ("POST", "/v3/webhook/destinations/") => {
            request.json(&json!({ "label": "b", "url": "https://example.com/b" }))
        }
        ("PATCH", "/v3/webhook/destinations/{destination_uuid}/") => {
            request.json(&json!({ "enabled": false }))
        }
        ("POST", "/v3/face-search/") => {
            let form = picture("user_image").text("metadata", "{\"batch\": 7}");
            request.multipart(form.text("save_api_request", "true"))
        }
        ("POST", "/v3/passive-liveness/") => request.multipart(picture("user_image")),
        ("POST", "/v3/id-verification/") => request.multipart(picture("front_image")),
        ("POST", "/v3/face-match/") => {
            let other = reqwest::multipart::Part::bytes(photo(2)).file_name("b.png");
            request.multipart(picture("user_image").part("ref_image", other))
        }
        ("POST", "/v3/session/" | "/v3/users/delete/" | "/v3/users/create/")
        | ("GET", "/v3/users/")
        | ("PATCH", "/v3/users/{vendor_data}/") => return None,
        _ => request,
    })
}

async fn walked() -> (Bench, String) {
    let mut world = small_world();
    world.add(Session::approved(4900).but(|s| {
        s.phone = Some("+34600000000".to_owned());
        s.email = Some("ana@example.com".to_owned());
    }));
    let bench = Bench::with(world, Options::default()).await;
    bench.sim.knobs().next_search_finds(vec![
        Candidate::session(1042, 91.0),
        Candidate::imported("old-customer", 88.1),
        Candidate::list_entry(72.5),
    ]);
    let hook = json!({ "label": "a", "url": "https://example.com/a" });
    let made = bench.call("POST", "/v3/webhook/destinations/", hook).await.json();
    let hook = made["uuid"].as_str().unwrap().to_owned();
    (bench, hook)
}

#[tokio::test]
async fn every_answer_is_as_documented() {
    let Some(document) = Document::load() else { return };
    let (bench, hook) = walked().await;
    let mut operations = document.operations();
    // What reads comes after what writes, and what deletes last.
    operations.sort_by_key(|(_, method)| match method.as_str() {
        "DELETE" => 2,
        "GET" => 1,
        _ => 0,
    });
    let mut served = 0;
    for (template, method) in &operations {
        let Some(request) = sample(&bench, method, template, &hook) else {
            let answer = bench.call(method, template, json!({})).await;
            assert!([404, 405].contains(&answer.status), "{method} {template} is served after all");
            continue;
        };
        let answer = bench.send(request).await.unwrap();
        assert!(answer.status < 300, "{method} {template}: {} {}", answer.status, answer.text);
        let body = if answer.text.is_empty() { Value::Null } else { answer.json() };
        let wrong = document.response(template, method, answer.status, &body);
        assert!(wrong.is_empty(), "{method} {template}: {wrong:#?}");
        served += 1;
    }
    assert_eq!(served, operations.len() - 5);
    for row in bench.sim.record().iter().filter(|row| row.route.is_some()) {
        assert_eq!(document.request(row), Vec::<String>::new());
    }
}

#[tokio::test]
async fn refusals_are_as_documented() {
    let Some(document) = Document::load() else { return };
    let auth = secondlook::sim::AuthStyle::Always403;
    let keys = vec![Key::full("k")];
    let limits = Limits { get: 12, write: 8 };
    let options = Options { auth, keys, limits, ..Options::default() };
    let bench = Bench::with(small_world(), options).await;
    let unknown = session_id(1);
    let known = session_id(4821);
    for (method, path, body, status) in [
        ("GET", format!("/v3/session/{unknown}/decision/"), json!(null), 404),
        ("GET", format!("/v3/sessions/{unknown}/reviews/"), json!(null), 404),
        ("GET", "/v3/sessions/?date_from=x".to_owned(), json!(null), 400),
        ("GET", "/v3/users/nobody/".to_owned(), json!(null), 404),
        ("GET", format!("/v3/webhook/destinations/{unknown}/"), json!(null), 404),
        ("PATCH", format!("/v3/session/{known}/update-status/"), json!({}), 400),
        ("PATCH", format!("/v3/session/{unknown}/update-status/"), json!({}), 404),
        ("POST", format!("/v3/sessions/{known}/reviews/"), json!({ "new_status": "x" }), 400),
        ("POST", "/v3/billing/top-up/".to_owned(), json!({}), 400),
        ("POST", "/v3/face-search/".to_owned(), json!({}), 400),
    ] {
        let answer = match body.is_null() {
            true => bench.get(&path).await,
            false => bench.call(method, &path, body).await,
        };
        assert_eq!(answer.status, status, "{method} {path}");
        let bare = path.split('?').next().unwrap();
        let template = document.template(bare).unwrap();
        let wrong = document.response(template, method, status, &answer.json());
        assert!(wrong.is_empty(), "{method} {template}: {wrong:#?}");
    }
    let mut throttled = bench.get(&format!("/v3/session/{known}/decision/")).await;
    while throttled.status == 200 {
        throttled = bench.get(&format!("/v3/session/{known}/decision/")).await;
    }
    let template = "/v3/session/{sessionId}/decision/";
    assert_eq!(document.response(template, "GET", 429, &throttled.json()), Vec::<String>::new());
}

#[tokio::test]
async fn the_whole_demo_is_as_documented() {
    let Some(document) = Document::load() else { return };
    let start = "2026-06-12T15:00:00Z".parse().unwrap();
    let options = Options { limits: Limits::none(), ..Options::default() };
    let bench = Bench::with(World::seeded(1, 24, start), options).await;
    let page = bench.get("/v3/sessions/?limit=500").await.json();
    assert_eq!(document.response("/v3/sessions/", "GET", 200, &page), Vec::<String>::new());
    for row in page["results"].as_array().unwrap() {
        let id = row["session_id"].as_str().unwrap();
        let made = bench.get(&format!("/v3/session/{id}/decision/")).await.json();
        let wrong = document.response("/v3/session/{sessionId}/decision/", "GET", 200, &made);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// A small document of our own, so that the checker itself is tested without Didit's.
fn own_document() -> Document {
    Document(json!({
        "components": { "schemas": { "Name": { "type": "string", "enum": ["a", "b"] } } },
        "paths": {
            "/things/": { "get": {
                "parameters": [{ "name": "limit", "in": "query", "schema": { "type": "integer" } }],
                "responses": { "200": { "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": { "$ref": "#/components/schemas/Name" },
                        "id": { "type": "string", "format": "uuid", "nullable": true },
                        "shares": { "type": "array", "maxItems": 2,
                            "items": { "type": "number", "maximum": 100 } },
                        "either": { "oneOf": [
                            { "type": "object", "required": ["x"] },
                            { "type": "object", "required": ["y"] }] },
                    },
                } } } } },
            } },
            "/things/{id}/": { "post": { "requestBody": { "content": { "application/json": {
                "schema": { "type": "object", "required": ["name"], "properties": {
                    "name": { "type": "string" }, "count": { "type": "integer" } } },
            } } }, "responses": {} } },
        },
    }))
}

#[test]
fn the_checker_sees_what_is_wrong_with_an_answer() {
    let document = own_document();
    let complaints = |body: Value| document.response("/things/", "GET", 200, &body).len();
    assert_eq!(complaints(json!({ "name": "a", "id": null, "more": 1 })), 0);
    assert_eq!(complaints(json!({ "name": "a", "shares": [1.5, 100], "either": { "x": 1 } })), 0);
    for wrong in [
        json!({}),
        json!([]),
        json!({ "name": "c" }),
        json!({ "name": null }),
        json!({ "name": "a", "id": "4821" }),
        json!({ "name": "a", "shares": [1, 2, 3] }),
        json!({ "name": "a", "shares": [101] }),
        json!({ "name": "a", "shares": ["1"] }),
        json!({ "name": "a", "either": { "z": 1 } }),
        json!({ "name": "a", "either": { "x": 1, "y": 1 } }),
    ] {
        assert_eq!(complaints(wrong.clone()), 1, "{wrong}");
    }
    assert_eq!(document.response("/things/", "GET", 404, &json!({})).len(), 1);
}

#[tokio::test]
async fn the_checker_sees_what_is_wrong_with_a_request() {
    let bench = Bench::with(small_world(), Options::default()).await;
    bench.sim.knobs().always(On::any(), Fault::Answer(Reply::empty(204)));
    bench.get("/things/?limit=5").await;
    bench.get("/things/?limit=five").await;
    bench.get("/things/?offset=5").await;
    bench.call("POST", "/things/7/", json!({ "name": "x", "count": 1 })).await;
    bench.call("POST", "/things/7/", json!({ "nam": "x" })).await;
    bench.call("POST", "/things/7/", json!({ "name": "x", "count": "1" })).await;
    bench.call("DELETE", "/things/7/", json!({})).await;
    bench.call("DELETE", "/elsewhere/", json!({})).await;
    let document = own_document();
    let complaints: Vec<usize> =
        bench.sim.record().iter().map(|row| document.request(row).len()).collect();
    assert_eq!(complaints, [0, 1, 1, 0, 2, 1, 1, 0]);
    assert!(bench.sim.record().iter().all(|row| row.route != Some(Route::Sessions)));
}
