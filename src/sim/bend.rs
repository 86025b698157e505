//! Faults that change an answer after it is made: links taken away, malformed matches, old shapes.

use serde_json::{Map, Value, json};

use super::knobs::Fault;

/// Applies a fault to a body; faults that do not concern bodies leave it as it is. `links` is the
/// base URL that makes a text a link.
pub(super) fn bend(body: &mut Value, fault: &Fault, links: &str) {
    match fault {
        Fault::NullLinks => each_link(body, links, &Value::Null),
        Fault::LinksTo(text) => each_link(body, links, &json!(text)),
        Fault::MalformedMatches => each_field(body, &mut |name, value| {
            if let (true, Some(items)) = (name == "matches", value.as_array_mut()) {
                spoil(items);
            }
        }),
        Fault::OldShapes => {
            each_object(body, &mut old_fields);
            each_field(body, &mut old_field);
        }
        _ => {}
    }
}

fn each_link(body: &mut Value, links: &str, instead: &Value) {
    let mut change = |value: &mut Value| {
        if value.as_str().is_some_and(|text| text.starts_with(links)) {
            *value = instead.clone();
        }
    };
    each_value(body, &mut change);
}

fn each_value(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    change(value);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_value(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_value(field, change)),
        _ => {}
    }
}

fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    each_value(value, &mut |value| {
        if let Some(fields) = value.as_object_mut() {
            change(fields);
        }
    });
}

fn each_field(value: &mut Value, change: &mut impl FnMut(&str, &mut Value)) {
    each_object(value, &mut |fields| {
        fields.iter_mut().for_each(|(name, field)| change(name, field));
    });
}

fn spoil(items: &mut [Value]) {
    if let Some(first) = items.get_mut(0) {
        *first = json!(17);
    }
    if let Some(second) = items.get_mut(1) {
        second["similarity_percentage"] = json!("high");
        second["session_number"] = json!({ "no": "number" });
    }
    if let Some(third) = items.get_mut(2) {
        *third = json!({});
    }
}

/// A match of the older documents has only what they name.
fn old_fields(fields: &mut Map<String, Value>) {
    if fields.contains_key("similarity_percentage") {
        for newer in
            ["source", "is_allowlisted", "api_service", "vendor_user_id", "biometric_template_id"]
        {
            fields.remove(newer);
        }
    }
    if fields.contains_key("bbox") {
        fields.insert("age".to_owned(), json!("31.50"));
        fields.insert("gender".to_owned(), json!("female"));
    }
}

fn old_field(name: &str, value: &mut Value) {
    match name {
        "user_details" => {
            if let Some(details) = value.as_object_mut() {
                let full_name = details.remove("full_name").unwrap_or(Value::Null);
                details.insert("name".to_owned(), full_name);
            }
        }
        "age" | "age_estimation" if value.is_number() => *value = json!(value.to_string()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bent(fault: &Fault) -> Value {
        let mut body = json!({
            "age_estimation": 34.6,
            "matches": [
                { "similarity_percentage": 81.4, "source": "session", "match_image_url": "http://m/a",
                  "user_details": { "full_name": "Ana" } },
                { "similarity_percentage": 70.0, "session_number": 4 },
            ],
        });
        bend(&mut body, fault, "http://m/");
        body
    }

    #[test]
    fn links() {
        assert_eq!(bent(&Fault::NullLinks)["matches"][0]["match_image_url"], Value::Null);
        let moved = bent(&Fault::LinksTo("file:///etc".to_owned()));
        assert_eq!(moved["matches"][0]["match_image_url"], "file:///etc");
    }

    #[test]
    fn shapes() {
        let old = bent(&Fault::OldShapes);
        assert_eq!(old["age_estimation"], "34.6");
        assert_eq!(old["matches"][0]["user_details"], json!({ "name": "Ana" }));
        assert_eq!(old["matches"][0].get("source"), None);
        let bad = bent(&Fault::MalformedMatches);
        assert_eq!(bad["matches"][0], 17);
        assert_eq!(bad["matches"][1]["similarity_percentage"], "high");
    }
}
