//! What consoles have together: the roster, the login, the duty to look for new cases, and the calls of a minute.

use async_trait::async_trait;

use super::{Login, NewAct, Result};
use crate::domain::{CallsAsked, CallsGranted, Millis, Origin, WorkerId};
use crate::roster::Enacted;

/// What consoles have together.
#[async_trait]
pub trait Team: Send + Sync {
    /// Who is logged into the database; nobody in particular where it is a file.
    async fn login(&self) -> Result<Login>;

    /// What was done to the roster, in its order.
    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>>;

    /// Whether another key or address of this store has a roster, counting or not: then one without is no
    /// place where somebody works alone.
    async fn elsewhere(&self, origin: &Origin) -> Result<bool>;

    /// Changes the roster: the act and its entry of the audit in one transaction. The act's statement is
    /// signed for this very `now`.
    ///
    /// # Errors
    /// `StoreError::NotEnacted` when it may not be done; nothing is written then.
    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted>;

    /// Takes on the duty to look for new cases for all, or keeps it, until `now + ttl_ms`. False while
    /// another console has it.
    async fn take_duty(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<bool>;

    /// Gives the duty up. Nothing happens when another console has it.
    async fn leave_duty(&self, origin: &Origin, worker: &WorkerId) -> Result<()>;

    /// Grants calls to Didit out of the minute that all consoles with this key share.
    async fn grant(&self, origin: &Origin, asked: &CallsAsked, now: Millis)
    -> Result<CallsGranted>;
}
