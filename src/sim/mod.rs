//! A faithful simulator of the review API on loopback: for `demo`, for integrators, and for every
//! test. It answers what Didit documents, with knobs for what goes wrong in life.
//!
//! It uses no type of the client or the domain, so that a wrong field name cannot agree with
//! itself, and it binds to 127.0.0.1 only. It never sees a real key and never leaves the machine.

mod account;
mod bend;
mod checks;
mod decide;
mod decision;
pub mod faces;
mod gate;
mod knobs;
mod links;
mod lists;
mod media;
mod people;
mod pictures;
mod record;
mod reply;
mod route;
mod scenario;
mod seeded;
mod serve;
mod sessions;
mod state;
mod webhooks;
mod wire;
mod world;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use faces::Broken;
pub use gate::{AuthStyle, Key, Limits};
pub use knobs::{Fault, Lag, On};
pub use record::{Effect, MediaRecorded, Recorded};
pub use reply::{Body, Reply};
pub use route::Route;
pub use scenario::Scenario;
pub use world::{
    Blocked, Candidate, Check, Coding, Face, Kind, Picture, Review, Session, World, session_id,
};

use knobs::Lagging;
use serve::Shared;
use state::State;
use wire::{Loopback, Scissors};

/// How long open requests may take to end after [`Sim::shutdown`]; then their lines are cut.
const GRACE: Duration = Duration::from_secs(2);

/// What a PATCH to the status a session already has gets; Didit's documents disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameStatus {
    /// 400 with a bare array: the `OpenAPI` document.
    #[default]
    Bad400,
    /// 200 and nothing happens (except for `Resubmitted`): the newer documents.
    NoOp200,
}

/// How the simulator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the API; `None` is any that is free.
    pub port: Option<u16>,
    /// Port of the pictures; `None` is any that is free.
    pub media_port: Option<u16>,
    /// Life of a picture's link, in whole seconds.
    pub link_life: Duration,
    /// The keys that are known. Empty: one full key is made from the seed.
    pub keys: Vec<Key>,
    /// How a bad key is refused.
    pub auth: AuthStyle,
    /// Requests a minute.
    pub limits: Limits,
    /// What a repeated status gets.
    pub same_status: SameStatus,
    /// Whether the status of an API session can be changed; if not, 400.
    pub api_sessions_change: bool,
    /// Reviews in the older, unpaged shape.
    pub old_reviews: bool,
    /// Documents without their reviews: only the feed shows them.
    pub reviews_in_feed_only: bool,
    /// The status that the older blocklist calls answer as if they were gone (404 or 405).
    pub old_blocklist_gone: Option<u16>,
    /// Credit at the start, in ten-thousandths of a dollar.
    pub balance: i64,
    /// Price of a face search, in ten-thousandths of a dollar.
    pub search_price: i64,
    /// Price of any other check, in ten-thousandths of a dollar.
    pub other_price: i64,
    /// For everything that is left to chance.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            media_port: None,
            link_life: Duration::from_secs(3600),
            keys: Vec::new(),
            auth: AuthStyle::default(),
            limits: Limits::default(),
            same_status: SameStatus::default(),
            api_sessions_change: true,
            old_reviews: false,
            reviews_in_feed_only: false,
            old_blocklist_gone: None,
            balance: 1_425_000,
            search_price: 500,
            other_price: 1_000,
            seed: 1,
        }
    }
}

/// A running simulator. Dropping it cuts all connections; [`Sim::shutdown`] ends it in order.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    base_url: String,
    media_url: String,
    api_key: String,
    ending: CancellationToken,
    cut_all: CancellationToken,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Sim {
    /// Starts the API and the pictures on 127.0.0.1.
    ///
    /// # Errors
    /// Where a port cannot be bound.
    pub async fn start(world: World, mut options: Options) -> std::io::Result<Self> {
        if options.keys.is_empty() {
            options.keys.push(Key::full(&made_key(options.seed)));
        }
        let api_key = options.keys.first().map(|key| key.secret.clone()).unwrap_or_default();
        let (ending, cut_all) = (CancellationToken::new(), CancellationToken::new());
        let api = Loopback::bind(options.port, cut_all.clone()).await?;
        let media = Loopback::bind(options.media_port, cut_all.clone()).await?;
        let base_url = format!("http://127.0.0.1:{}", api.port()?);
        let media_url = format!("http://127.0.0.1:{}", media.port()?);
        let mut state = State::new(world, options);
        state.api_base.clone_from(&base_url);
        state.links.base.clone_from(&media_url);
        let shared = Arc::new(Shared::new(state, ending.clone()));
        let tasks = vec![
            listen(api, serve::serve, &shared, &ending),
            listen(media, media::serve, &shared, &ending),
        ];
        Ok(Self { shared, base_url, media_url, api_key, ending, cut_all, tasks })
    }

    /// Base URL of the API, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Base URL of the account calls (`DIDIT_AUTH_URL`), without a slash at the end.
    #[must_use]
    pub fn auth_url(&self) -> String {
        format!("{}/auth/v2", self.base_url)
    }

    /// Base URL of the pictures, without a slash at the end.
    #[must_use]
    pub fn media_url(&self) -> &str {
        &self.media_url
    }

    /// The first key.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// What can be turned while it runs.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        Knobs { shared: Arc::clone(&self.shared) }
    }

    /// All requests of the API in the order they arrived (the newest 50,000).
    #[must_use]
    pub fn record(&self) -> Vec<Recorded> {
        self.shared.with(|state| state.record.all())
    }

    /// All requests for pictures in the order they arrived (the newest 50,000).
    #[must_use]
    pub fn media_record(&self) -> Vec<MediaRecorded> {
        self.shared.with(|state| state.media.all())
    }

    /// Everything that really changed, in order (the newest 50,000).
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.shared.with(|state| state.effects.all())
    }

    /// What really changed of one session, in order.
    #[must_use]
    pub fn effects_on(&self, session: Uuid) -> Vec<Effect> {
        let mut all = self.effects();
        all.retain(|effect| effect.session() == Some(session));
        all
    }

    /// A session as it is now.
    #[must_use]
    pub fn session(&self, id: Uuid) -> Option<Session> {
        self.shared.with(|state| state.world.session(id).cloned())
    }

    /// The code that was "mailed" to an address.
    #[must_use]
    pub fn mailed_code(&self, email: &str) -> Option<String> {
        self.shared.with(|state| state.accounts.code(email))
    }

    /// Waits until the recorded requests are as wanted; `false` when the time is over first.
    pub async fn until(&self, limit: Duration, wanted: impl Fn(&[Recorded]) -> bool) -> bool {
        self.shared.until(limit, |state| wanted(&state.record.all())).await
    }

    /// Ends it: no new connection, held requests go on, open ones get two seconds, then their lines
    /// are cut. Nothing of it runs afterwards.
    pub async fn shutdown(mut self) {
        self.ending.cancel();
        let mut tasks = std::mem::take(&mut self.tasks);
        let mut all = futures_util::future::join_all(tasks.iter_mut());
        if tokio::time::timeout(GRACE, &mut all).await.is_err() {
            self.cut_all.cancel();
            // With every line cut the servers end by themselves; the limit is only for certainty.
            if tokio::time::timeout(GRACE, &mut all).await.is_err() {
                drop(all);
                tasks.iter().for_each(JoinHandle::abort);
            }
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.ending.cancel();
        self.cut_all.cancel();
    }
}

fn listen<H, T>(
    listener: Loopback,
    handler: H,
    shared: &Arc<Shared>,
    ending: &CancellationToken,
) -> JoinHandle<std::io::Result<()>>
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    let app = Router::new()
        .fallback(handler)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(shared))
        .into_make_service_with_connect_info::<Scissors>();
    let end = ending.clone().cancelled_owned();
    tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(end).await })
}

/// A key in Didit's form that is plainly not a real one.
fn made_key(seed: u64) -> String {
    let mut rng = fastrand::Rng::with_seed(seed);
    let tail: String = (0..32).map(|_| rng.alphanumeric()).collect();
    format!("sk_test_simulated-{tail}_")
}

/// What can be turned while the simulator runs.
#[derive(Debug, Clone)]
pub struct Knobs {
    shared: Arc<Shared>,
}

impl Knobs {
    /// The next request that fits meets a fault.
    pub fn once(&self, on: On, fault: Fault) {
        self.times(1, on, fault);
    }

    /// The next `count` requests that fit meet a fault.
    pub fn times(&self, count: u32, on: On, fault: Fault) {
        self.shared.with(|state| state.faults.add(on, fault, Some(count), 1.0));
    }

    /// Every request that fits meets a fault, until [`Knobs::clear`].
    pub fn always(&self, on: On, fault: Fault) {
        self.shared.with(|state| state.faults.add(on, fault, None, 1.0));
    }

    /// Each request that fits meets a fault with a chance of 0 to 1, by [`Options::seed`].
    pub fn sometimes(&self, chance: f64, on: On, fault: Fault) {
        self.shared.with(|state| state.faults.add(on, fault, None, chance));
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.shared.with(|state| state.faults.clear());
    }

    /// From now on, requests of a route wait on arrival.
    pub fn hold(&self, route: Route) {
        self.shared.with(|state| state.gates.hold(route));
    }

    /// Lets `count` requests of a held route through, waiting or still to come.
    pub fn step(&self, route: Route, count: usize) {
        self.shared.with(|state| state.gates.step(route, count));
        self.shared.tick();
    }

    /// Lets all requests of a route through.
    pub fn release(&self, route: Route) {
        self.shared.with(|state| state.gates.release(route));
        self.shared.tick();
    }

    /// Waits until so many requests of a held route wait; `false` when the time is over first.
    pub async fn waiting(&self, route: Route, count: usize, limit: Duration) -> bool {
        self.shared.until(limit, |state| state.gates.waiting(route) >= count).await
    }

    /// Moves the simulator's clock forward: links expire, rate windows pass.
    pub fn advance(&self, by: Duration) {
        self.shared.with(|state| state.moved += by);
    }

    /// Somebody at the Console decides a session now. `false` where there is no such session.
    pub fn decide_elsewhere(
        &self,
        session: Uuid,
        status: &str,
        by: &str,
        comment: Option<&str>,
    ) -> bool {
        self.shared.with(|state| {
            let there = state.world.session(session).is_some();
            if there {
                state.decide(session, status, by, comment.map(str::to_owned));
            }
            there
        })
    }

    /// From the next change of a session's status on, what is read of it lags behind for so many reads.
    pub fn lag(&self, session: Uuid, lag: Lag) {
        let lagging = Lagging { lag, before: None };
        self.shared.with(|state| state.lagging.insert(session, lagging));
    }

    /// Changes of a session's status are answered with a yes from now on, and made only where `hears`.
    pub fn hears(&self, session: Uuid, hears: bool) {
        self.shared.with(|state| match hears {
            true => state.deaf.remove(&session),
            false => state.deaf.insert(session),
        });
    }

    /// Takes a session away now. `false` where there is no such session.
    pub fn vanish(&self, session: Uuid) -> bool {
        self.shared.with(|state| state.vanish(session))
    }

    /// Adds or replaces a session now; returns its id.
    pub fn add(&self, session: Session) -> Uuid {
        self.shared.with(|state| state.world.add(session))
    }

    /// Changes a session in any way, outside the API and its records.
    pub fn change(&self, session: Uuid, change: impl FnOnce(&mut Session)) {
        self.shared.with(|state| {
            if let Some(session) = state.world.session_mut(session) {
                change(session);
            }
        });
    }

    /// What the next face search finds. Calls queue up.
    pub fn next_search_finds(&self, found: Vec<Candidate>) {
        self.shared.with(|state| state.next_finds.push_back(found));
    }

    /// Sets the credit, in ten-thousandths of a dollar.
    pub fn set_balance(&self, balance: i64) {
        self.shared.with(|state| state.balance = balance);
    }

    /// Changes the options; ports stay as they are, and [`Options::balance`] and
    /// [`Options::seed`] count only at the start.
    pub fn options(&self, change: impl FnOnce(&mut Options)) {
        self.shared.with(|state| {
            change(&mut state.options);
            state.links.life = state.options.link_life.as_secs();
        });
    }

    /// The decision document of a session as the API would send it to the first key, without asking
    /// the API: nothing is recorded.
    #[must_use]
    pub fn decision(&self, session: Uuid) -> Option<Value> {
        self.shared.with(|state| {
            let key = state.options.keys.first().cloned()?;
            state.decision(session, &key, false)
        })
    }
}
