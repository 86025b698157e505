//! Everything the simulator remembers, behind one lock, and the few ways it changes. Knows nothing
//! of connections.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Options;
use super::account::Accounts;
use super::knobs::{Faults, Gates, Lagging};
use super::links::Links;
use super::lists::Lists;
use super::record::{Effect, Journal, MediaRecorded, Recorded};
use super::sessions::Listing;
use super::webhooks::Destination;
use super::world::{Candidate, Review, World};

/// The state; see the fields.
#[derive(Debug)]
pub(super) struct State {
    pub world: World,
    pub options: Options,
    pub rng: fastrand::Rng,
    pub links: Links,
    /// Base URL of the API, no slash at the end.
    pub api_base: String,
    /// How far the clock was moved forward.
    pub moved: Duration,
    pub record: Journal<Recorded>,
    pub media: Journal<MediaRecorded>,
    pub effects: Journal<Effect>,
    pub faults: Faults,
    pub gates: Gates,
    /// Sessions whose reads lag behind their writes.
    pub lagging: HashMap<Uuid, Lagging>,
    /// Sessions whose changes are answered with a yes and not made.
    pub deaf: HashSet<Uuid>,
    /// When each key made its last requests: (key, whether writes) to Unix milliseconds.
    pub windows: HashMap<(String, bool), VecDeque<i64>>,
    /// The newest list filters and what they found.
    pub listings: VecDeque<Listing>,
    pub lists: Lists,
    /// Statuses of persons other than `ACTIVE`, by `vendor_data`.
    pub users: BTreeMap<String, String>,
    /// Statuses of single steps: (session, node) to status.
    pub steps: HashMap<(Uuid, String), String>,
    pub accounts: Accounts,
    pub webhooks: Vec<Destination>,
    /// Ten-thousandths of a dollar.
    pub balance: i64,
    /// What the next face searches find, before they find what they find by themselves.
    pub next_finds: VecDeque<Vec<Candidate>>,
}

impl State {
    pub(super) fn new(world: World, options: Options) -> Self {
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let now = Timestamp::now();
        Self {
            links: Links::new(options.link_life.as_secs(), &mut rng),
            lists: Lists::new(now, &mut rng),
            accounts: Accounts::new(&mut rng),
            balance: options.balance,
            rng,
            world,
            options,
            api_base: String::new(),
            moved: Duration::ZERO,
            record: Journal::default(),
            media: Journal::default(),
            effects: Journal::default(),
            faults: Faults::default(),
            gates: Gates::default(),
            lagging: HashMap::new(),
            deaf: HashSet::new(),
            windows: HashMap::new(),
            listings: VecDeque::new(),
            users: BTreeMap::new(),
            steps: HashMap::new(),
            webhooks: Vec::new(),
            next_finds: VecDeque::new(),
        }
    }

    /// The simulator's clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.moved).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn new_id(&mut self) -> Uuid {
        new_id(&mut self.rng)
    }

    /// A new link to a picture of a session, or null where there is none.
    pub(super) fn link(&mut self, path: Option<String>) -> Value {
        let now = self.now();
        path.map_or(Value::Null, |path| Value::String(self.links.sign(&path, now)))
    }

    /// Gives a session a status, with its line in the feed. The caller has checked that it may.
    pub(super) fn decide(&mut self, id: Uuid, to: &str, by: &str, comment: Option<String>) {
        let (uuid, created_at) = (self.new_id(), self.now());
        let Some(session) = self.world.session_mut(id) else { return };
        if let Some(lagging) = self.lagging.get_mut(&id) {
            let before = (session.status.clone(), session.reviews.len());
            lagging.before.get_or_insert(before);
        }
        let from = std::mem::replace(&mut session.status, to.to_owned());
        session.reviews.push(Review {
            uuid,
            activity: "STATUS_UPDATED".to_owned(),
            actor: by.to_owned(),
            new_status: Some(to.to_owned()),
            previous_status: Some(from.clone()),
            comment: comment.clone(),
            metadata: Value::Null,
            created_at,
        });
        let (to, by) = (to.to_owned(), by.to_owned());
        self.effects.push(Effect::Status { session: id, from, to, by, comment });
    }

    /// Takes a session away; its lists entries stay.
    pub(super) fn vanish(&mut self, id: Uuid) -> bool {
        self.world.remove(id).is_some()
    }

    /// A person's status, with the system list of users kept in step.
    pub(super) fn set_user(&mut self, who: &str, to: &str) {
        let before = self.users.get(who).map_or("ACTIVE", String::as_str);
        if before == to {
            return;
        }
        let listed = before == "BLOCKED";
        self.users.insert(who.to_owned(), to.to_owned());
        let now = self.now();
        if to == "BLOCKED" {
            self.lists.block_user(who, now, &mut self.rng);
        } else if listed {
            self.lists.unblock_user(who);
        }
        self.effects.push(Effect::User { vendor_data: who.to_owned(), to: to.to_owned() });
    }

    pub(super) fn setting(&mut self, what: impl Into<String>) {
        self.effects.push(Effect::Setting { what: what.into() });
    }

    /// A Django page: `{count, next, previous, results}` with absolute links.
    pub(super) fn page(
        &self,
        path: &str,
        window: &Window,
        total: usize,
        rows: Vec<Value>,
    ) -> Value {
        let link = |offset: usize| {
            let mut url = format!("{}{path}?limit={}", self.api_base, window.limit);
            if offset > 0 {
                url.push_str(&format!("&offset={offset}"));
            }
            let others = window.others.iter().map(|(k, v)| (k.as_str(), v.as_str()));
            let rest =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
            if rest.is_empty() { url } else { format!("{url}&{rest}") }
        };
        let (from, to) = (window.offset, window.offset.saturating_add(window.limit));
        json!({
            "count": total,
            "next": (to < total).then(|| link(to)),
            "previous": (from > 0).then(|| link(from.saturating_sub(window.limit))),
            "results": rows,
        })
    }
}

/// `limit` and `offset` of a list call, and its other parameters for the links to its neighbours.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub limit: usize,
    pub offset: usize,
    pub others: Arc<[(String, String)]>,
}

impl Window {
    /// Reads them; nonsense and zero mean the default, as in Django.
    pub(super) fn of(query: &[(String, String)], default: usize) -> Self {
        let number = |name: &str| {
            query.iter().find(|(k, _)| k == name).and_then(|(_, v)| v.parse::<usize>().ok())
        };
        let paging = |name: &str| name == "limit" || name == "offset";
        Self {
            limit: number("limit").filter(|n| *n > 0).unwrap_or(default),
            offset: number("offset").unwrap_or(0),
            others: query.iter().filter(|(k, _)| !paging(k)).cloned().collect(),
        }
    }

    /// The part of a list that the window shows.
    pub(super) fn cut<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let from = self.offset.min(all.len());
        &all[from..self.offset.saturating_add(self.limit).min(all.len())]
    }
}

/// A random UUID of the given generator.
pub(super) fn new_id(rng: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}
