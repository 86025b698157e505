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
mod error;
mod evidence;
mod looked;
mod memory;
mod news;
mod row;
mod sql;

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
pub use error::StoreError;
pub use evidence::{Doubt, Evidence, Kept, NewAct, stands};
pub use looked::{Looked, PassedOver};
pub use memory::MemoryStore;
pub use news::News;
pub use sql::SqlStore;

use crate::domain::{
    Case, CaseState, Decision, DecisionId, DeliveryState, Millis, Origin, ReviewerId, SessionId,
    Tally, WorkerId,
};
use crate::roster::Enacted;

/// A result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The durable queue, decisions and outbox. Every verb is one transaction; every verb takes the
/// time; rows of another origin are invisible to all of them.
#[async_trait]
pub trait Store: Looked {
    /// What and where it is, for `doctor` and the status line: `sqlite:/path`, `memory:`. No password.
    fn describe(&self) -> String;

    /// The random salt of this store, made when the store was made: what key fingerprints are
    /// computed with. The same for ever.
    async fn salt(&self) -> Result<[u8; 32]>;

    // Intake.

    /// Marks the sessions as seen in a listing at `now` and returns, in the same order, those that a
    /// decision call has to be spent on, each once: unknown ones, departed ones, and decided workflow
    /// cases whose newest decision was settled before `listed_at` (they are in review again).
    async fn touch(
        &self,
        origin: &Origin,
        keys: &[SessionId],
        listed_at: Millis,
        now: Millis,
    ) -> Result<Vec<SessionId>>;

    /// Takes a case in, as `state` (open or left). The same session twice is one case: its
    /// candidates and status are brought up to date, its place, lease and decision stay. A departed
    /// case is opened again. A decided one is opened again only when its newest decision is settled
    /// as sent before `read_at`, the moment the decision call began, and the case is a workflow
    /// session in review: an older answer must not undo a newer decision. An open case becomes left
    /// or the other way round, but not while somebody has it; an escalated one stays escalated.
    async fn admit(
        &self,
        origin: &Origin,
        case: &Case,
        state: CaseState,
        read_at: Millis,
        now: Millis,
    ) -> Result<Admitted>;

    /// Up to `limit` open, escalated or left workflow cases that no listing has shown since `before`,
    /// oldest place first: they may have left review.
    async fn unseen(&self, origin: &Origin, before: Millis, limit: u32) -> Result<Vec<SessionId>>;

    /// Takes a case out of the queue with a word (`Approved in the web console`). True when it was
    /// open, escalated or left; a decided case stays decided.
    async fn depart(
        &self,
        origin: &Origin,
        key: &SessionId,
        why: &str,
        now: Millis,
    ) -> Result<bool>;

    // The queue.

    /// A page of the queue, in its order: by place (creation time at Didit; skipped cases go to the
    /// end), then key. A case that cannot be read stands in it as such.
    async fn queue(&self, origin: &Origin, query: &QueueQuery, now: Millis) -> Result<QueuePage>;

    /// How many cases of the query come before `key`; `None` when the query does not hold it.
    async fn rank(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        key: &SessionId,
    ) -> Result<Option<u64>>;

    /// One case.
    async fn case(&self, origin: &Origin, key: &SessionId, now: Millis)
    -> Result<Option<QueueRow>>;

    /// How many cases stand where.
    async fn tally(&self, origin: &Origin) -> Result<Tally>;

    // Leases.

    /// Leases a case to a holder until `now + ttl_ms`. Succeeds for an open or escalated case that
    /// is free, whose lease has run out, or that this very worker holds (the fence stays then).
    /// Another terminal of the same reviewer is another worker. Who escalated a case does not get it
    /// before it is opened again: two readers are two people.
    async fn lease(
        &self,
        origin: &Origin,
        key: &SessionId,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<LeaseAnswer>;

    /// Leases the first case of a query that is free, in the queue's order, behind `after` and then from
    /// the front. Cases that others are taking at this moment are passed over, not waited for. `None`
    /// when there is none that this holder could have.
    async fn lease_next(
        &self,
        origin: &Origin,
        query: &QueueQuery,
        after: Option<&SessionId>,
        holder: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Lease>>;

    /// Renews a lease; `None` when it is not ours any more (run out and taken, decided, departed).
    async fn renew(&self, lease: &Lease, now: Millis, ttl_ms: i64) -> Result<Option<Lease>>;

    /// Gives a lease back. Nothing happens when it is not ours any more.
    async fn release(&self, lease: &Lease) -> Result<()>;

    /// Says that a console looks at a case that it does not have, until `now + ttl_ms` unless said
    /// again. One case a console: what it looked at before it does no longer.
    async fn watch(
        &self,
        origin: &Origin,
        key: &SessionId,
        who: &Holder,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<()>;

    /// Says that a console looks at no case any more that it does not have.
    async fn look_away(&self, origin: &Origin, worker: &WorkerId) -> Result<()>;

    /// Workers with a live lease or delivery claim, or who look at a case, or are on duty: the caller
    /// knows which of its own machine are dead.
    async fn workers(&self, now: Millis) -> Result<Vec<WorkerId>>;

    /// Ends every lease, claim, look and duty of a worker that is known to be dead. Its `sending` rows
    /// become `unknown`.
    async fn bury(&self, worker: &WorkerId, now: Millis) -> Result<u64>;

    // Decisions.

    /// Puts the leased case at the end of the queue and gives the lease back: its place is `now`, or
    /// the one after the last of those that wait.
    ///
    /// # Errors
    /// [`StoreError::LostLease`] when the lease is not ours any more.
    async fn skip(&self, lease: &Lease, now: Millis) -> Result<()>;

    /// Records a decision: the decision, the case's new state and the outbox row in one transaction;
    /// the lease ends with it. `held_until` is the end of the undo window. Returns what it is then:
    ///
    /// - an escalation is `local`, a blocklisting of an approved customer without another person's
    ///   proposal is `proposed`, one reader's word against another's is `differs`; the case waits for
    ///   another reader then (`escalated`);
    /// - everything else is `held`, and `local` when the subject is unreachable.
    ///
    /// A decision that answers a proposal ends it, as confirmed or declined. A lease that has run out is
    /// ours until somebody else takes the case.
    ///
    /// # Errors
    /// [`StoreError::LostLease`] when the lease is not ours any more, [`StoreError::Conflict`] when the
    /// case has been decided already, was opened again and `replaces` does not say so, or has a proposal
    /// that `answers` does not name, [`StoreError::SecondReader`] when the reviewer has read the case,
    /// [`StoreError::NotProven`] when it takes two people and this one is nobody of the roster,
    /// [`StoreError::NotSecond`] when they may not confirm what this one proposed,
    /// [`StoreError::Other`] when the decision is another case's, another reviewer's, a skip, or blocklists
    /// another face than was proposed. Nothing is written then.
    async fn decide(
        &self,
        lease: &Lease,
        decision: &Decision,
        held_until: Millis,
        now: Millis,
    ) -> Result<DeliveryState>;

    /// Takes a decision back: it becomes `undone` and its case is open again at its old place (escalated
    /// again, where it was escalated; a proposal that it answered waits again). Only the reviewer's own,
    /// only while it is held; an escalation or a proposal while nobody looks at the case or has said
    /// more about it.
    async fn undo(
        &self,
        origin: &Origin,
        decision: DecisionId,
        reviewer: &ReviewerId,
        now: Millis,
    ) -> Result<Undone>;

    /// Ends a proposal that rests on what is no longer so; its case is where it was before. False when it
    /// does not wait any more.
    async fn void(
        &self,
        origin: &Origin,
        proposal: DecisionId,
        why: &str,
        now: Millis,
    ) -> Result<bool>;

    /// Opens a decided case again whose newest decision is settled (sent, refused, conflict, local); the
    /// next decision must name the old one in `replaces`. False when there is nothing to open. A case that
    /// waits for another reader is open to that reader already.
    async fn reopen(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<bool>;

    // The outbox.

    /// Makes a decision due now that was refused or put off. A refused one only while it is the last word on
    /// its case: held, for its reviewer alone, where nothing of it has left, else unknown, so that whoever
    /// takes it reads first. An unknown one keeps its state; only the wait for its next attempt ends.
    async fn retry(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Retried>;

    /// Starts the undo window of the reviewer's held decisions anew (after a crash nothing is sent
    /// unseen): those due before `until` become due at `until`. Returns how many.
    async fn rewind_held(
        &self,
        origin: &Origin,
        reviewer: &ReviewerId,
        until: Millis,
    ) -> Result<u64>;

    /// Makes the reviewer's held decisions due now. Returns how many.
    async fn send_now(&self, origin: &Origin, reviewer: &ReviewerId, now: Millis) -> Result<u64>;

    /// Claims the next delivery for a worker until `now + ttl_ms`: a held decision of this reviewer
    /// that is due, or a `sending` or `unknown` one of anybody whose claim has run out and whose
    /// next attempt is due. It becomes `sending`, its fence and attempts go up by one.
    ///
    /// # Errors
    /// [`StoreError::Parked`] when it met one that cannot be read: told once of each, and what can be read
    /// comes with the next call. It is ended as refused, its case opened again, in one transaction; where
    /// that cannot be written it is passed over from here on. [`StoreError::AuditEnd`] when what comes of a
    /// delivery could not be entered; nothing is claimed then.
    async fn take(
        &self,
        origin: &Origin,
        worker: &WorkerId,
        reviewer: &ReviewerId,
        now: Millis,
        ttl_ms: i64,
    ) -> Result<Option<Delivery>>;

    /// Whether the claim is still ours and runs at least until `until`: asked immediately before
    /// every write to the wire.
    async fn is_ours(&self, delivery: &Delivery, until: Millis) -> Result<bool>;

    /// Notes how far a delivery has come. False when the claim is not ours any more.
    async fn progress(&self, delivery: &Delivery, progress: &Progress) -> Result<bool>;

    /// Ends a claim with what came of it. False when the claim is not ours any more: nothing is
    /// written then. What is done in part (see [`Progress`]) never becomes held again but unknown,
    /// because what is held can be undone.
    async fn settle(&self, delivery: &Delivery, settled: &Settled, now: Millis) -> Result<bool>;

    /// When the next delivery of this reviewer (or an abandoned one) is due, if any is open.
    async fn next_due(&self, origin: &Origin, reviewer: &ReviewerId) -> Result<Option<Millis>>;

    /// Ends decisions whose state is no word, so that no claim ever finds them, as [`Store::take`] ends
    /// those that it cannot read.
    async fn park_strays(&self, origin: &Origin, now: Millis) -> Result<Vec<Parked>>;

    /// Decisions, newest first; those that cannot be read apart.
    async fn history(&self, origin: &Origin, query: &HistoryQuery) -> Result<Past>;

    /// Remembers what was seen of a workflow after a decline of ours. Once seen to list, it stays so.
    async fn saw_workflow(&self, origin: &Origin, seen: &SeenWorkflow) -> Result<()>;

    /// What was seen of workflows, by their ids.
    async fn workflows(&self, origin: &Origin) -> Result<Vec<SeenWorkflow>>;

    // The audit: `decide`, `undo`, `void`, `reopen`, a `retry` of what was refused, and a `settle` that ends a decision add their entries
    // in their own transaction.

    /// Up to `limit` entries of the audit after the place `after`, in their order. What is no text in them is
    /// replaced, so it does not hash to what it should.
    async fn audit(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<AuditRow>>;

    /// Where the audit ends.
    ///
    /// # Errors
    /// [`StoreError::AuditEnd`] when what is kept as its end can be none.
    async fn audit_head(&self, origin: &Origin) -> Result<AuditHead>;

    /// Lays a signature beside an entry of the audit, which stays as it is. False when there is no such
    /// entry, or one is there already.
    async fn sign(&self, origin: &Origin, seq: u64, signature: &str) -> Result<bool>;

    /// Signatures of up to `limit` entries after the place `after`, in their order.
    async fn signatures(
        &self,
        origin: &Origin,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditSignature>>;

    // The roster, and what stands behind decisions.

    /// Who is logged into the database; nobody in particular where it is a file.
    async fn login(&self) -> Result<Login>;

    /// What was done to the roster, in its order.
    async fn acts(&self, origin: &Origin) -> Result<Vec<Enacted>>;

    /// Changes the roster: the act and its entry of the audit in one transaction. The act's statement is
    /// signed for this very `now`.
    ///
    /// # Errors
    /// [`StoreError::NotEnacted`] when it may not be done; nothing is written then.
    async fn enact(&self, origin: &Origin, act: &NewAct, now: Millis) -> Result<Enacted>;

    /// What stands behind a decision. `None` when there is no such decision.
    async fn evidence(&self, origin: &Origin, decision: DecisionId) -> Result<Option<Evidence>>;

    /// Up to `limit` decisions after the place `after`, in the order of recording, as they lie there.
    async fn kept(&self, origin: &Origin, after: u64, limit: u32) -> Result<Vec<Kept>>;

    /// Every row that cannot be read, or stands where none can: looks at all of them.
    async fn unreadable(&self, origin: &Origin) -> Result<Vec<Unreadable>>;

    /// Takes a held decision of somebody else back, of which nothing was written, and opens its case, as an
    /// administrator may whose colleague does not come back to it. It is never sent.
    async fn release_held(
        &self,
        origin: &Origin,
        decision: DecisionId,
        by: &ReviewerId,
        now: Millis,
    ) -> Result<Undone>;

    // As a whole.

    /// Whether the store keeps what it is given: writes, though nothing new. Asked after it failed.
    async fn keeps(&self) -> Result<()>;

    /// Everything that rows were kept of, oldest first.
    async fn origins(&self) -> Result<Vec<Origin>>;

    /// Gives all rows of an origin to another one: a new key of the same application. False when there
    /// are none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when consoles are at work, [`StoreError::NotEmpty`] when decisions are
    /// kept of the new one already. Nothing is changed then.
    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool>;

    // Together.

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
/// [`StoreError::InUse`] when consoles are at work in the old store, [`StoreError::NotEmpty`] when the
/// new one holds something, [`StoreError::BadUrl`] for a store in memory; and as [`open`].
pub async fn copy(from: &str, to: &str, now: Millis) -> Result<Copied> {
    let from = SqlStore::there(from).await?;
    let copied = match SqlStore::at(to).await {
        Ok(to) => {
            let copied = Box::pin(from.copy_into(&to, now)).await;
            to.close().await;
            copied
        }
        Err(error) => Err(error),
    };
    from.close().await;
    copied
}

/// Draws a salt: 244 random bits, hashed to 32 bytes.
fn new_salt() -> [u8; 32] {
    let drawn = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
    Sha256::digest(drawn.as_flattened()).into()
}
