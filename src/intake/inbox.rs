//! What becomes of an item that was handed in, by a file or a webhook: the same rules as for what the
//! listings bring, so that a session is the same case whichever way it came.

use std::sync::Arc;

use super::policy::{self, Standing};
use super::{IntakeError, Settings};
use crate::didit::{Client, Item};
use crate::domain::{
    Case, CaseState, Clock, Details, Explained, Millis, Origin, SessionId, Status, SubjectKind,
};
use crate::store::{Admitted, PassedOver, Store};

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is a case in the queue now.
    Queued,
    /// It has strong candidates only: kept, not queued.
    Left,
    /// Its case was there and changed.
    Updated,
    /// Its case is known already, and nothing was changed.
    Known,
    /// Its case left the queue: the session is no longer in review.
    Departed,
    /// It holds nothing to review.
    Nothing,
    /// It is a search that Didit did not save: nobody can look at it later.
    Unsaved,
}

/// Takes items in, for one origin.
#[derive(Clone)]
pub struct Inbox {
    store: Arc<dyn Store>,
    client: Client,
    clock: Arc<dyn Clock>,
    origin: Origin,
    settings: Settings,
}

impl Inbox {
    /// An inbox in front of a store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        client: &Client,
        clock: Arc<dyn Clock>,
        origin: Origin,
        settings: Settings,
    ) -> Self {
        Self { store, client: client.background(), clock, origin, settings }
    }

    /// Takes an item in. `said_at` is the moment it speaks of, where that is certain: such an item
    /// brings a known case up to date, or takes it out. Where it is not, as in a file, a known case
    /// stays as it is, because what the store holds was read from Didit itself.
    ///
    /// # Errors
    /// [`IntakeError`] when the store fails, or when Didit has to be asked and cannot be.
    pub async fn take(&self, item: Item, said_at: Option<Millis>) -> Result<Taken, IntakeError> {
        match item {
            Item::Elsewhere => Ok(Taken::Nothing),
            Item::FaceSearch(reply) => self.details(reply.details, said_at).await,
            Item::Decision(details) => self.details(*details, said_at).await,
            Item::Session { session, kind, status } => {
                self.session(session, kind, status, said_at).await
            }
        }
    }

    /// Takes in a reply that Didit cannot be asked for: for whoever holds its links and shows it now. What is
    /// decided about it stays here.
    ///
    /// # Errors
    /// [`IntakeError`] when the store fails.
    pub async fn take_unreachable(&self, details: &Details) -> Result<Taken, IntakeError> {
        let mut case = details.case.clone();
        case.kind = SubjectKind::Unreachable;
        match case.worth(&self.settings.bands) {
            Some(state) => self.admit(&case, state, Some(self.clock.now())).await,
            None => Ok(Taken::Nothing),
        }
    }

    /// Reads the session at Didit first, whatever the item says of it besides its name.
    ///
    /// # Errors
    /// As [`Inbox::take`].
    pub async fn take_afresh(&self, item: Item) -> Result<Taken, IntakeError> {
        let (session, kind) = match item {
            Item::Elsewhere => return Ok(Taken::Nothing),
            Item::FaceSearch(reply) => (reply.details.case.key, reply.details.case.kind),
            Item::Decision(details) => (details.case.key, details.case.kind),
            Item::Session { session, kind, .. } => (session, kind),
        };
        match kind {
            SubjectKind::Unreachable => Ok(Taken::Unsaved),
            SubjectKind::Workflow | SubjectKind::SavedSearch => self.read(&session, kind).await,
        }
    }

    /// An event that names a session only: worth a call when the session may be in review.
    async fn session(
        &self,
        session: SessionId,
        kind: SubjectKind,
        status: Option<Status>,
        said_at: Option<Millis>,
    ) -> Result<Taken, IntakeError> {
        let elsewhere =
            status.filter(|s| kind == SubjectKind::Workflow && !policy::wanted(&self.settings, s));
        match elsewhere {
            Some(status) => self.not_in_review(&session, &status, said_at).await,
            None => self.read(&session, kind).await,
        }
    }

    async fn read(&self, session: &SessionId, kind: SubjectKind) -> Result<Taken, IntakeError> {
        let asked_at = self.clock.now();
        let details = self.client.decision(session, kind).await?;
        self.details(details, Some(asked_at)).await
    }

    async fn details(
        &self,
        details: Details,
        said_at: Option<Millis>,
    ) -> Result<Taken, IntakeError> {
        let case = &details.case;
        if case.kind == SubjectKind::Unreachable {
            return Ok(Taken::Unsaved);
        }
        let whatever_its_age = Millis(i64::MIN);
        let state = match policy::standing(&self.settings, &details, whatever_its_age) {
            Standing::Case(state) => state,
            Standing::Explained(reason) => {
                self.pass_over(case, reason, said_at).await?;
                return Ok(Taken::Nothing);
            }
            Standing::Elsewhere => {
                return self.not_in_review(&case.key, &case.status, said_at).await;
            }
        };
        self.admit(case, state, said_at).await
    }

    async fn admit(
        &self,
        case: &Case,
        state: CaseState,
        said_at: Option<Millis>,
    ) -> Result<Taken, IntakeError> {
        let now = self.clock.now();
        let known = self.store.case(&self.origin, &case.key, now).await?;
        if said_at.is_none() && known.is_some() {
            return Ok(Taken::Known);
        }
        let read_at = said_at.unwrap_or(Millis(i64::MIN));
        self.store.take_up(&self.origin, &case.key).await?;
        Ok(match self.store.admit(&self.origin, case, state, read_at, now).await? {
            Admitted::New if state == CaseState::Left => Taken::Left,
            Admitted::New => Taken::Queued,
            Admitted::Updated => Taken::Updated,
            Admitted::Same | Admitted::Decided => Taken::Known,
        })
    }

    /// What was read or told in full need not be read again when a listing shows it.
    async fn pass_over(
        &self,
        case: &Case,
        reason: Explained,
        said_at: Option<Millis>,
    ) -> Result<(), IntakeError> {
        let now = self.clock.now();
        if said_at.is_none() || self.store.case(&self.origin, &case.key, now).await?.is_some() {
            return Ok(());
        }
        let passed = PassedOver { key: case.key.clone(), status: case.status.clone(), reason };
        let rule = policy::rule(&self.settings);
        Ok(self.store.pass_over(&self.origin, &passed, &rule, now).await?)
    }

    async fn not_in_review(
        &self,
        session: &SessionId,
        status: &Status,
        said_at: Option<Millis>,
    ) -> Result<Taken, IntakeError> {
        if said_at.is_none() {
            return Ok(Taken::Nothing);
        }
        let why = format!("{} at Didit", crate::domain::printable(status.word(), 40));
        let departed = self.store.depart(&self.origin, session, &why, self.clock.now()).await?;
        Ok(if departed { Taken::Departed } else { Taken::Nothing })
    }
}
