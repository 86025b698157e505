//! Accounts: register, verify by a code, log in, and the organization behind a token. Mails are not
//! sent; the code is asked for with [`super::Sim::mailed_code`].

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;
use uuid::Uuid;

use super::decide::text_of;
use super::decision::stamp;
use super::reply::Reply;
use super::route::Route;
use super::serve::Call;
use super::state::{State, new_id};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Failed logins and how long they lock the account, worst first.
const LOCKS: [(u32, i64, &str); 3] =
    [(20, 24 * HOUR, "24 hours"), (10, HOUR, "1 hour"), (5, 15 * MINUTE, "15 minutes")];

#[derive(Debug)]
struct Account {
    password: String,
    verified: bool,
    code: String,
    code_until: i64,
    code_sent: i64,
    failures: u32,
    locked_until: i64,
}

/// All accounts, and the one organization and application they share.
#[derive(Debug)]
pub(super) struct Accounts {
    by_email: BTreeMap<String, Account>,
    tokens: Vec<String>,
    registered: VecDeque<i64>,
    organization: Uuid,
    application: Uuid,
}

impl Accounts {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        Self {
            by_email: BTreeMap::new(),
            tokens: Vec::new(),
            registered: VecDeque::new(),
            organization: new_id(rng),
            application: new_id(rng),
        }
    }

    pub(super) fn code(&self, email: &str) -> Option<String> {
        self.by_email.get(email).map(|account| account.code.clone())
    }

    fn token(&mut self, rng: &mut fastrand::Rng) -> serde_json::Value {
        let (access, refresh) = (new_id(rng).simple(), new_id(rng).simple());
        self.tokens.push(access.to_string());
        json!({
            "access_token": access.to_string(),
            "refresh_token": refresh.to_string(),
            "expires_in": 86_400,
        })
    }
}

fn new_code(rng: &mut fastrand::Rng) -> String {
    (0..6).map(|_| rng.digit(10)).collect()
}

/// Why a password is refused, if it is.
fn weakness(password: &str) -> Option<&'static str> {
    let has = |test: fn(&char) -> bool| password.chars().any(|c| test(&c));
    if password.chars().count() < 8 {
        Some("This password is too short. It must contain at least 8 characters.")
    } else if !has(|c| c.is_uppercase())
        || !has(|c| c.is_lowercase())
        || !has(|c| c.is_numeric())
        || !has(|c| !c.is_alphanumeric())
    {
        Some("The password needs an upper-case and a lower-case letter, a digit and a symbol.")
    } else {
        None
    }
}

impl State {
    /// `POST /auth/v2/programmatic/register/`
    pub(super) fn register(&mut self, call: &Call) -> Reply {
        let (email, password) = match credentials(call) {
            Ok(both) => both,
            Err(reply) => return reply,
        };
        if let Some(text) = weakness(&password) {
            return Reply::field("password", text);
        }
        let now = self.now().as_millisecond();
        let accounts = &mut self.accounts;
        while accounts.registered.front().is_some_and(|at| at + HOUR <= now) {
            accounts.registered.pop_front();
        }
        if accounts.registered.len() >= 5 {
            return too_often(accounts.registered.front().map_or(1, |at| at + HOUR - now));
        }
        accounts.registered.push_back(now);
        if accounts.by_email.get(&email).is_some_and(|account| account.verified) {
            return Reply::field("email", "A user with this email already exists.");
        }
        let account = Account {
            password,
            verified: false,
            code: new_code(&mut self.rng),
            code_until: now + 10 * MINUTE,
            code_sent: now,
            failures: 0,
            locked_until: 0,
        };
        accounts.by_email.insert(email.clone(), account);
        self.setting("account registered");
        let text = "Registration successful. Check your email for the verification code.";
        Reply::json(201, json!({ "message": text, "email": email }))
    }

    /// `POST /auth/v2/programmatic/verify-email/`
    pub(super) fn verify_email(&mut self, call: &Call) -> Reply {
        let now = self.now().as_millisecond();
        let field = |name: &str| text_of(&call.json, name);
        let (Some(email), Some(code)) = (field("email"), field("code")) else {
            let name = if field("email").is_none() { "email" } else { "code" };
            return Reply::field(name, "This field is required.");
        };
        let fits = |account: &&mut Account| account.code == code && now < account.code_until;
        let Some(account) = self.accounts.by_email.get_mut(&email).filter(fits) else {
            return Reply::detail(400, "Invalid or expired verification code.");
        };
        account.verified = true;
        account.code_until = 0;
        let mut body = self.accounts.token(&mut self.rng);
        body["organization"] =
            json!({ "uuid": self.accounts.organization, "name": "Sim Organization" });
        body["application"] = self.application();
        self.setting("account verified");
        Reply::json(200, body)
    }

    /// `POST /auth/v2/programmatic/resend-otp/`
    pub(super) fn resend_code(&mut self, call: &Call) -> Reply {
        let now = self.now().as_millisecond();
        let Some(email) = text_of(&call.json, "email") else {
            return Reply::field("email", "This field is required.");
        };
        if let Some(account) = self.accounts.by_email.get_mut(&email) {
            let wait = account.code_sent + MINUTE - now;
            if wait > 0 {
                return too_often(wait);
            }
            account.code = new_code(&mut self.rng);
            (account.code_sent, account.code_until) = (now, now + 10 * MINUTE);
        }
        // The same answer for strangers: it must not tell who has an account.
        Reply::json(200, json!({ "message": "A new code was sent.", "email": email }))
    }

    /// `POST /auth/v2/programmatic/login/`
    pub(super) fn login(&mut self, call: &Call) -> Reply {
        let (email, password) = match credentials(call) {
            Ok(both) => both,
            Err(reply) => return reply,
        };
        let now = self.now().as_millisecond();
        let wrong = || Reply::detail(401, "Invalid email or password.");
        let Some(account) = self.accounts.by_email.get_mut(&email) else { return wrong() };
        if now < account.locked_until {
            let wait = (account.locked_until - now).unsigned_abs().div_ceil(1000);
            return Reply::detail(403, "Account locked after too many failed attempts.")
                .header("Retry-After", wait.to_string());
        }
        if account.password != password {
            account.failures += 1;
            let lock = LOCKS.iter().find(|(fails, ..)| account.failures.is_multiple_of(*fails));
            let Some((_, life, words)) = lock else { return wrong() };
            account.locked_until = now + life;
            let text = format!("Account locked for {words} after too many failed attempts.");
            return Reply::detail(403, text);
        }
        if !account.verified {
            return Reply::detail(403, "Email not verified.");
        }
        account.failures = 0;
        Reply::json(200, self.accounts.token(&mut self.rng))
    }

    /// `GET /auth/v2/organizations/me/…`
    pub(super) fn organization(&mut self, call: &Call) -> Reply {
        let known = |token: &str| self.accounts.tokens.iter().any(|own| own == token);
        if !call.bearer.as_deref().is_some_and(known) {
            let text =
                "You must be authenticated with a valid access token to access this endpoint.";
            return Reply::detail(401, text);
        }
        let route = call.place.route();
        if route == Some(Route::Organizations) {
            let row = json!({
                "uuid": self.accounts.organization,
                "name": "Sim Organization",
                "contact_email": null,
                "created_at": stamp(self.now()),
            });
            return Reply::json(200, json!([row]));
        }
        if call.place.id() != self.accounts.organization {
            return Reply::not_found();
        }
        match route {
            Some(Route::Applications) => Reply::json(200, json!([self.application()])),
            _ if call.place.id_at(1) == self.accounts.application => {
                Reply::json(200, self.application())
            }
            _ => Reply::not_found(),
        }
    }

    fn application(&self) -> serde_json::Value {
        json!({
            "uuid": self.accounts.application,
            "name": "Sim Application",
            "client_id": self.accounts.application.simple().to_string(),
            "api_key": self.options.keys.first().map(|key| key.secret.clone()),
        })
    }
}

fn credentials(call: &Call) -> Result<(String, String), Reply> {
    let field = |name: &str| {
        text_of(&call.json, name).ok_or_else(|| Reply::field(name, "This field is required."))
    };
    let (email, password) = (field("email")?, field("password")?);
    if !email.contains('@') {
        return Err(Reply::field("email", "Enter a valid email address."));
    }
    Ok((email, password))
}

fn too_often(wait: i64) -> Reply {
    let seconds = wait.max(1).unsigned_abs().div_ceil(1000);
    Reply::detail(429, format!("Request was throttled. Expected available in {seconds} seconds."))
        .header("Retry-After", seconds.to_string())
}
