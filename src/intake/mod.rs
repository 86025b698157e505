//! Brings cases from Didit into the store: sessions in review with a duplicate-face warning, and
//! saved Face Searches of the last days; and takes those out that left review elsewhere.
//!
//! It knows the client and the store. It refuses to know screens, keys and the time of day, which
//! is handed in, and it never searches: a search is billed and enrols a face.
//!
//! A decision call is spent on a session once: the store knows the cases that were taken in, and the
//! intake remembers, while it lives, the sessions that hold nothing to review.

mod error;
mod inbox;
mod policy;
mod pull;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

pub use error::IntakeError;
pub use inbox::{Inbox, Taken};
pub use watch::pause;

use crate::didit::{Client, DUPLICATE_RISKS};
use crate::domain::{Bands, Clock, Millis, Origin, SessionId, Status};
use crate::store::Store;

/// What is taken in, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Workflow sessions in one of these statuses. Empty: in any.
    pub statuses: Vec<Status>,
    /// With one of these risk codes.
    pub warnings: Vec<String>,
    /// Saved searches not older than this, in milliseconds.
    pub lookback_ms: i64,
    /// Which candidates put a case into the queue.
    pub bands: Bands,
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
            warnings: DUPLICATE_RISKS.map(str::to_owned).to_vec(),
            lookback_ms: 72 * 3_600_000,
            bands: Bands::default(),
            page_size: 100,
            parallel: 8,
            check_most: 50,
            recheck_ms: 600_000,
            interval_ms: 45_000,
        }
    }
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sessions that the listings showed, each once.
    pub seen: u64,
    /// Cases that are new in the queue, or back in it.
    pub queued: u64,
    /// Cases that were there and changed.
    pub updated: u64,
    /// New cases with strong candidates only: kept, not queued.
    pub left: u64,
    /// Rows and sessions that could not be read, or vanished between listing and reading.
    pub set_aside: u64,
    /// Cases that left review elsewhere.
    pub departed: u64,
}

/// What the intake tells while it works.
#[derive(Debug)]
pub enum Notice {
    /// So far in this round.
    Progress(Counts),
    /// An item was passed over.
    SetAside {
        /// Its session, where that could be read.
        session: Option<SessionId>,
        /// Why, in words.
        why: String,
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

/// Takes cases in, for one origin.
pub struct Intake {
    store: Arc<dyn Store>,
    client: Client,
    clock: Arc<dyn Clock>,
    origin: Origin,
    settings: Settings,
    /// Sessions that hold nothing to review, with the status they were listed in. No longer than
    /// the listings.
    passed_over: HashMap<SessionId, Status>,
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
        let (passed_over, still_in) = (HashMap::new(), HashMap::new());
        let client = client.background();
        Self { store, client, clock, origin, settings, passed_over, still_in }
    }
}
