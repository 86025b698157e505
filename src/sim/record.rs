//! What the simulator saw and what it really changed: the oracle of tests that promise "exactly
//! once". Knows nothing of how an answer is made.

use std::collections::VecDeque;

use serde_json::Value;
use uuid::Uuid;

use super::route::Route;

/// How many requests are kept; older ones are forgotten, so that a long demo stays small.
const KEPT: usize = 50_000;

/// One request of the API, as it arrived, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it arrived, Unix milliseconds on the simulator's clock.
    pub at: i64,
    /// `None` where no route fits.
    pub route: Option<Route>,
    /// The method, in capitals.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The JSON body; for a form an object of its fields, a file being
    /// `{"file_name", "content_type", "bytes"}`; else null.
    pub body: Value,
    /// Whether it carried a key that is known.
    pub key_known: bool,
    /// The status that was answered; `None` while it is held, and where no answer was sent.
    pub status: Option<u16>,
    /// Whether it changed something.
    pub took_effect: bool,
}

/// One request for a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaRecorded {
    /// When it arrived, Unix milliseconds on the simulator's clock.
    pub at: i64,
    /// The path, without the signature.
    pub path: String,
    /// The session the picture belongs to.
    pub session: Option<Uuid>,
    /// The status that was answered; `None` where no answer was sent.
    pub status: Option<u16>,
    /// Headers it carried and must not (`x-api-key`, `authorization`, `cookie`), by name.
    pub carried: Vec<String>,
}

/// Something that really changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A session's status.
    Status {
        /// The session.
        session: Uuid,
        /// Before.
        from: String,
        /// After.
        to: String,
        /// `API Client`, or the one who decided elsewhere.
        by: String,
        /// The comment that came with it.
        comment: Option<String>,
    },
    /// A session's record went onto a system blocklist by a flag.
    Blocklisted {
        /// The session.
        session: Uuid,
        /// `face`, `document`, `phone` or `email`.
        item: String,
        /// Whether the workflow did it on a decline.
        automatic: bool,
    },
    /// A session's record was taken off a system blocklist.
    Unblocked {
        /// The session.
        session: Uuid,
        /// `face`, `document`, `phone` or `email`.
        item: String,
    },
    /// A row was added to a list through the Lists API.
    EntryAdded {
        /// The list.
        list: Uuid,
        /// The row.
        entry: Uuid,
        /// The session it refers to.
        session: Option<Uuid>,
        /// Its label.
        label: Option<String>,
    },
    /// A row was taken off a list.
    EntryRemoved {
        /// The list.
        list: Uuid,
        /// The row.
        entry: Uuid,
        /// The session it referred to.
        session: Option<Uuid>,
    },
    /// A review note was posted; it changes no session.
    Note {
        /// The session.
        session: Uuid,
        /// The status the note speaks of.
        new_status: Option<String>,
        /// Its text.
        comment: Option<String>,
    },
    /// One step of a session got another status.
    Feature {
        /// The session.
        session: Uuid,
        /// The step.
        node: String,
        /// Its new status.
        to: String,
    },
    /// A person's status.
    User {
        /// The person.
        vendor_data: String,
        /// `ACTIVE`, `FLAGGED` or `BLOCKED`.
        to: String,
    },
    /// A session was deleted.
    Deleted {
        /// The session.
        session: Uuid,
    },
    /// A standalone check was paid for.
    Billed {
        /// Which check.
        service: String,
        /// Ten-thousandths of a dollar.
        price: i64,
        /// The session it was saved as.
        saved: Option<Uuid>,
    },
    /// An account, list or webhook destination was made, changed or removed.
    Setting {
        /// In words.
        what: String,
    },
}

impl Effect {
    /// The session it touched.
    #[must_use]
    pub fn session(&self) -> Option<Uuid> {
        match self {
            Self::Status { session, .. }
            | Self::Blocklisted { session, .. }
            | Self::Unblocked { session, .. }
            | Self::Note { session, .. }
            | Self::Feature { session, .. }
            | Self::Deleted { session } => Some(*session),
            Self::EntryAdded { session, .. } | Self::EntryRemoved { session, .. } => *session,
            Self::Billed { saved, .. } => *saved,
            Self::User { .. } | Self::Setting { .. } => None,
        }
    }
}

/// The newest [`KEPT`] of anything, each findable by the number it got on arrival.
#[derive(Debug)]
pub(super) struct Journal<T> {
    rows: VecDeque<T>,
    first: u64,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), first: 0 }
    }
}

impl<T: Clone> Journal<T> {
    pub(super) fn push(&mut self, row: T) -> u64 {
        if self.rows.len() == KEPT {
            self.rows.pop_front();
            self.first += 1;
        }
        self.rows.push_back(row);
        self.total() - 1
    }

    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut T)) {
        let place = number.checked_sub(self.first).and_then(|p| usize::try_from(p).ok());
        if let Some(row) = place.and_then(|place| self.rows.get_mut(place)) {
            change(row);
        }
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.rows.iter().cloned().collect()
    }

    /// How many there ever were.
    pub(super) fn total(&self) -> u64 {
        self.first + self.rows.len() as u64
    }
}
