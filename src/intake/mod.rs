//! Brings cases from Didit into the store: sessions in review with a duplicate-face warning, and
//! saved Face Searches of the last days; and takes those out that left review elsewhere.
//!
//! It knows the client and the store. It refuses to know screens, keys and the time of day, which
//! is handed in, and it never searches: a search is billed and enrols a face.
//!
//! A decision call is spent on a session once: the store knows the cases that were taken in, and the sessions
//! that are no case, each with its reason. Every session that a list shows ends in one of the [`Counts`].

mod error;
mod inbox;
mod policy;
mod pull;
mod walk;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use error::IntakeError;
pub use inbox::{Inbox, Taken};
pub use watch::pause;

use async_trait::async_trait;

use crate::didit::Client;
use crate::domain::{Bands, Clock, Explained, Millis, Origin, SessionId, Status, face_risks};
use crate::store::Store;

/// What is taken in, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Workflow sessions in one of these statuses. Empty: in any.
    pub statuses: Vec<Status>,
    /// With one of these risk codes. One that nobody knows is wanted too, and said.
    pub warnings: Vec<String>,
    /// Saved searches not older than this, in milliseconds.
    pub lookback_ms: i64,
    /// Which candidates put a case into the queue.
    pub bands: Bands,
    /// Whether cases with strong candidates only are queued as well.
    pub queue_strong: bool,
    /// Rows a page, 1 to 100.
    pub page_size: u32,
    /// Decision calls at once.
    pub parallel: usize,
    /// How many cases that no listing shows any more are asked for in one round.
    pub check_most: usize,
    /// How long such a case is left alone when it turned out to be in review still, in milliseconds.
    pub recheck_ms: i64,
    /// From the end of one round to the next when watching, in milliseconds.
    pub interval_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            statuses: vec![Status::InReview],
            warnings: face_risks().map(str::to_owned).collect(),
            lookback_ms: 72 * 3_600_000,
            bands: Bands::default(),
            queue_strong: false,
            page_size: 100,
            parallel: 8,
            check_most: 50,
            recheck_ms: 600_000,
            interval_ms: 45_000,
        }
    }
}

/// What a round did. Every session that was seen ends in one of these: see [`Counts::silent`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that the listings showed, each once, and rows that could not be read.
    pub seen: u64,
    /// Cases that are new in the queue, or back in it.
    pub queued: u64,
    /// Cases that were there and changed.
    pub updated: u64,
    /// Cases that the store holds and that did not change.
    pub known: u64,
    /// New cases with strong candidates only: kept, not queued.
    pub left: u64,
    /// Sessions that are no case, by reason.
    pub explained: Reasons,
    /// Rows and sessions that could not be read, or vanished between listing and reading.
    pub set_aside: u64,
    /// Cases that left review elsewhere.
    pub departed: u64,
}

impl Counts {
    /// Sessions that were seen and that nothing accounts for: none, or the intake is broken.
    #[must_use]
    pub fn silent(&self) -> u64 {
        let Self { queued, updated, known, left, set_aside, .. } = self;
        let told = queued + updated + known + left + set_aside + self.explained.total();
        self.seen.abs_diff(told)
    }
}

/// How many sessions are no case, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons([u64; Explained::ALL.len()]);

impl Reasons {
    /// One more.
    pub fn add(&mut self, reason: Explained) {
        let place = Explained::ALL.iter().position(|known| *known == reason);
        if let Some(count) = place.and_then(|place| self.0.get_mut(place)) {
            *count += 1;
        }
    }

    /// How many there are for a reason.
    #[must_use]
    pub fn of(&self, reason: Explained) -> u64 {
        self.named().find(|(known, _)| *known == reason).map_or(0, |(_, count)| count)
    }

    /// All reasons there are, with their counts.
    pub fn named(&self) -> impl Iterator<Item = (Explained, u64)> {
        Explained::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What the intake tells while it works.
#[derive(Debug)]
pub enum Notice {
    /// So far in this round.
    Progress(Counts),
    /// How many sessions the lists hold, as far as Didit says so.
    Listed(u64),
    /// The calls of this minute are used up: it goes on after this time. No failure.
    Waits(Duration),
    /// An item was passed over.
    SetAside {
        /// Its session, where that could be read.
        session: Option<SessionId>,
        /// Why, in words.
        why: String,
    },
    /// A case is in the queue because a score of its candidates cannot be read, or a candidate.
    Unreadable {
        /// The case, as people call it.
        case: String,
        /// How many candidates.
        candidates: u64,
    },
    /// Didit says a word that this version does not know. Told once.
    Unknown {
        /// What kind of word.
        kind: &'static str,
        /// The word, printable.
        name: String,
    },
    /// A case left the queue.
    Departed {
        /// The case.
        case: SessionId,
        /// Why, in words.
        why: String,
    },
    /// Another console looks for new cases, for all.
    LookedElsewhere,
    /// A round of [`Intake::watch`] is over.
    Pulled(Counts),
    /// A round of [`Intake::watch`] failed; it tries again later.
    Failed(IntakeError),
}

/// Takes what the intake tells. It must not block.
pub type Report<'a> = &'a (dyn Fn(Notice) + Send + Sync);

/// How the intake waits. A test hands in one that turns its clock.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Waits so long.
    async fn pause(&self, wait: Duration);
}

/// Waits by the runtime's clock.
struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

/// Takes cases in, for one origin.
pub struct Intake {
    store: Arc<dyn Store>,
    client: Client,
    clock: Arc<dyn Clock>,
    origin: Origin,
    settings: Settings,
    pause: Arc<dyn Pause>,
    /// Held by whoever waits for a place in the minute: the others need not wait again.
    turnstile: Arc<tokio::sync::Mutex<()>>,
    /// Words of Didit's that this version does not know and that were told.
    unknown: BTreeSet<(&'static str, String)>,
    /// Cases that no listing shows and that are in review still, with the moment that was read.
    still_in: HashMap<SessionId, Millis>,
}

impl Intake {
    /// An intake that has seen nothing yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        client: &Client,
        clock: Arc<dyn Clock>,
        origin: Origin,
        settings: Settings,
    ) -> Self {
        let (unknown, still_in) = (BTreeSet::new(), HashMap::new());
        let client = client.patient();
        let (pause, turnstile) = (Arc::new(Sleep), Arc::default());
        Self { store, client, clock, origin, settings, pause, turnstile, unknown, still_in }
    }

    /// The same intake, waiting another way.
    #[must_use]
    pub fn with_pause(mut self, pause: Arc<dyn Pause>) -> Self {
        self.pause = pause;
        self
    }
}
