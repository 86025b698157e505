//! The durable queue, decisions and outbox: one trait in the words of the trade, one file a backend.
//!
//! What is kept: case keys, candidates' session ids and similarity, sources, flags, counts,
//! timestamps, leases, judgements, dispositions, reasons, comments, reviewers, receipts, delivery
//! state. What is never kept: names, document data, images, links, vendor data, API keys.
//!
//! The store knows no network: a decision and its outbox row are one transaction, and whatever
//! Didit is asked happens outside of any. Time is always a parameter.

pub mod audit;
mod budget;
mod cases;
mod decisions;
mod deliveries;
mod error;
mod evidence;
mod figures;
mod leases;
mod looked;
mod memory;
mod news;
mod row;
mod sql;
mod team;
mod testimony;

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use crate::domain::{
    Admitted, CallVerb, CallsAsked, CallsGranted, Delivery, HistoryQuery, HistoryRow, Holder,
    Lease, LeaseAnswer, Parked, Past, Progress, QueuePage, QueueQuery, QueueRow, Retried,
    SeenWorkflow, Settled, Taken, Undone, Unreadable,
};
pub use audit::{AuditHead, AuditRow, AuditSignature};
pub use cases::Cases;
pub use decisions::Decisions;
pub use deliveries::Deliveries;
pub use error::StoreError;
pub use evidence::{Doubt, Evidence, Kept, NewAct, stands};
pub use figures::Counted;
pub use leases::Leases;
pub use looked::{Looked, PassedOver};
pub use memory::MemoryStore;
pub use news::News;
pub use sql::SqlStore;
pub use team::Team;
pub use testimony::Testimony;

use crate::domain::{Millis, Origin};

/// A result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The durable queue, decisions and outbox. Every verb is one transaction; every verb takes the
/// time; rows of another origin are invisible to all of them.
#[async_trait]
pub trait Store:
    Cases + Leases + Decisions + Deliveries + Testimony + Team + Looked + Counted
{
    /// What and where it is, for `doctor` and the status line: `sqlite:/path`, `memory:`. No password.
    fn describe(&self) -> String;

    /// The random salt of this store, made when the store was made: what key fingerprints are
    /// computed with. The same for ever.
    async fn salt(&self) -> Result<[u8; 32]>;

    /// Whether the store keeps what it is given: writes, though nothing new. Asked after it failed.
    async fn keeps(&self) -> Result<()>;

    /// Everything that rows were kept of, oldest first.
    async fn origins(&self) -> Result<Vec<Origin>>;

    /// Gives all rows of an origin to another one: a new key of the same application. False when there
    /// are none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when consoles are at work, [`StoreError::NotEmpty`] when decisions or a
    /// roster are kept of the new one already. Nothing is changed then.
    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool>;

    /// Hears of what others change: cases that come, go, are taken, given back, decided or settled. A
    /// change is told when, and only when, its transaction is kept. Drop it before the store is closed.
    fn news(&self, origin: &Origin) -> Box<dyn News>;

    /// Ends all connections. Nothing may be called afterwards.
    async fn close(&self);
}

/// Opens the store named by `url`: `sqlite:PATH`, `postgres://…` or `memory:`. Makes it when it is
/// not there.
///
/// # Errors
/// [`StoreError::BadUrl`] for another scheme; [`StoreError::NotAStore`] when the file is something
/// else; [`StoreError::Permissions`] when others may read it; [`StoreError::Newer`] when a later
/// version of the program made it; [`StoreError::Busy`] when the server is out of reach.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    if url == "memory:" {
        return Ok(Arc::new(MemoryStore::new()));
    }
    // Boxed: what a command waits for would be nested too deep for the compiler to lay out.
    Ok(Arc::new(Box::pin(SqlStore::at(url)).await?))
}

/// Who is logged into the database that a store is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The role of the session; nothing in a file or in memory.
    pub role: Option<String>,
    /// Whether it is the owner, whom the database tells from reviewers (`store init --roles`).
    pub owner: bool,
    /// Whether it is a reviewer, told from the owner: what is written is in the name of this role alone.
    pub told: bool,
}

/// Makes the store at a server's address where it is not there, and tells its owner, who is logged in, from
/// reviewers (members of `secondlook_reviewer`) and auditors (of `secondlook_auditor`). Again, it changes nothing.
///
/// # Errors
/// [`StoreError::Other`] for a file or a store in memory; and as [`open`].
pub async fn make_roles(url: &str) -> Result<()> {
    let store = SqlStore::at(url).await?;
    let made = store.make_roles().await;
    store.close().await;
    made
}

/// Makes the store at a server's address where it is not there, and parts its tables by origin: those that are
/// there, and by a trigger those that come. Again, it gives partitions to the origins that have none. `told` hears
/// of each table how many rows were moved. It is one transaction: what breaks off changes nothing.
///
/// # Errors
/// [`StoreError::InUse`] when consoles are at work, [`StoreError::Other`] for a file; and as [`open`].
pub async fn make_partitions(
    url: &str,
    now: Millis,
    told: impl Fn(&str, u64) + Send + Sync,
) -> Result<()> {
    let store = SqlStore::at(url).await?;
    let made = Box::pin(store.make_partitions(now, &told)).await;
    store.close().await;
    made
}

/// What was carried from a store into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Cases.
    pub cases: u64,
    /// Decisions.
    pub decisions: u64,
    /// Entries of the audit.
    pub audit: u64,
}

/// Carries everything from the store at `from`, which has to be there, into the one at `to`, which is made
/// where it is not and has to be empty. Held decisions stay held; leases and claims end. It is one
/// transaction: what breaks off leaves an empty store.
///
/// # Errors
/// [`StoreError::InUse`] when consoles are at work in the old store, [`StoreError::Kept`] when whoever is logged
/// into it is told from its owner, or its roster would be another one in the new store, [`StoreError::NotEmpty`]
/// when the new one holds something, [`StoreError::BadUrl`] for a store in memory; and as [`open`].
pub async fn copy(from: &str, to: &str, now: Millis) -> Result<Copied> {
    let from = SqlStore::there(from).await?;
    let copied = copy_of(&from, to, now).await;
    from.close().await;
    copied
}

async fn copy_of(from: &SqlStore, to: &str, now: Millis) -> Result<Copied> {
    if from.login().await?.told {
        let why = "whoever is logged in is not its owner, whom it tells from reviewers";
        return Err(StoreError::Kept(why.to_owned()));
    }
    let to = SqlStore::at(to).await?;
    let copied = Box::pin(from.copy_into(&to, now)).await;
    to.close().await;
    copied
}

/// Draws a salt: 244 random bits, hashed to 32 bytes.
fn new_salt() -> [u8; 32] {
    let drawn = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
    Sha256::digest(drawn.as_flattened()).into()
}
