//! Persons under the customer's own names: `/v3/users/{vendor_data}/`, and the money of the account.

use serde_json::{Value, json};

use super::decision::{paths, person_id_of, stamp};
use super::reply::Reply;
use super::serve::Call;
use super::state::State;

impl State {
    /// `GET /v3/users/{vendor_data}/`
    pub(super) fn user(&mut self, call: &Call) -> Reply {
        match self.person(call.place.text()) {
            Some(body) => Reply::json(200, body),
            None => Reply::not_found(),
        }
    }

    /// `PATCH /v3/users/{vendor_data}/update-status/`
    pub(super) fn update_user(&mut self, call: &Call) -> Reply {
        let who = call.place.text().to_owned();
        if self.person(&who).is_none() {
            return Reply::not_found();
        }
        let text = "Invalid status. Valid options are: ACTIVE, FLAGGED, BLOCKED";
        match call.json.get("status").and_then(Value::as_str) {
            None => return Reply::field("status", "This field is required."),
            Some(word @ ("ACTIVE" | "FLAGGED" | "BLOCKED")) => self.set_user(&who, word),
            Some(_) => return Reply::field("status", text),
        }
        self.user(call)
    }

    fn person(&mut self, who: &str) -> Option<Value> {
        let sessions: Vec<_> = self.world.of_vendor(who).collect();
        let imported = self.world.imported.get(who);
        if sessions.is_empty() && imported.is_none() {
            return None;
        }
        let id = person_id_of(who);
        let count = |status: &str| sessions.iter().filter(|s| s.status == status).count();
        let name = sessions.iter().rev().find_map(|s| s.full_name.clone());
        let own = imported.map(|p| format!("/{id}/person.{}", p.extension()));
        let portrait = own.or_else(|| sessions.iter().rev().find_map(|s| paths(s).reference));
        let first = sessions.first().map(|s| stamp(s.created_at));
        let last = sessions.last().map(|s| stamp(s.created_at));
        let mut states: Vec<String> = sessions.iter().filter_map(|s| s.country.clone()).collect();
        states.sort_unstable();
        states.dedup();
        let made_at = first.clone().unwrap_or_else(|| stamp(self.now()));
        let mut made = json!({
            "didit_internal_id": id,
            "vendor_data": who,
            "display_name": null,
            "full_name": name,
            "date_of_birth": null,
            "effective_name": name,
            "status": self.users.get(who).map_or("ACTIVE", String::as_str),
            "metadata": {},
            "session_count": sessions.len(),
            "approved_count": count("Approved"),
            "declined_count": count("Declined"),
            "in_review_count": count("In Review"),
            "issuing_states": states,
            "approved_emails": [],
            "approved_phones": [],
            "features": {},
            "features_list": [],
            "last_session_at": last,
            "last_activity_at": last,
            "first_session_at": first,
            "tags": [],
            "comments": [],
            "created_at": made_at,
            "updated_at": made_at,
        });
        made["portrait_image_url"] = self.link(portrait);
        Some(made)
    }

    /// `GET /v3/billing/balance/`: decimal text, never a float.
    pub(super) fn show_balance(&self) -> Reply {
        let sign = if self.balance < 0 { "-" } else { "" };
        let parts = self.balance.unsigned_abs();
        let body = json!({
            "balance": format!("{sign}{}.{:04}", parts / 10_000, parts % 10_000),
            "auto_refill_enabled": false,
            "auto_refill_amount": null,
            "auto_refill_threshold": null,
        });
        Reply::json(200, body)
    }

    /// `POST /v3/billing/top-up/`: a page to pay on; nothing is charged by the call.
    pub(super) fn top_up(&mut self, call: &Call) -> Reply {
        let refuse = |text: &str| Reply::json(400, json!([text]));
        let amount = match call.json.get("amount_in_dollars") {
            None | Some(Value::Null) => return refuse("amount_in_dollars is required."),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match amount.filter(|amount: &f64| amount.is_finite()) {
            None => refuse("amount_in_dollars must be a number."),
            Some(amount) if amount < 50.0 => refuse("Amount must be at least $50."),
            Some(amount) => {
                let id = format!("cs_sim_{}", self.new_id().simple());
                self.setting(format!("top-up of {amount} started"));
                let url = format!("https://checkout.stripe.com/c/pay/{id}");
                let body = json!({ "checkout_session_id": id, "checkout_session_url": url });
                Reply::json(200, body)
            }
        }
    }
}
