//! Delivers one claimed decision: read, compare, write, read back, settle. Does what the policy
//! says and nothing else; knows no queue, no screen and no other delivery.
//!
//! Before each write the step is noted in the store and the claim is asked for, so that the request
//! ends while the claim is still ours. Whoever drops this work half way loses nothing: the claim
//! runs out, and the next worker reads first.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::policy::{self, Answers, Failure, Meaning, Reading, StatusAnswer, Step, Trace};
use crate::didit::{
    BlocklistRow, Client, EntryType, ErrorKind, ListId, ListType, NewStatus, StatusWritten,
};
use crate::domain::{
    Clock, Details, Disposition, Millis, ReviewEntry, SeenWorkflow, SessionId, Status, SubjectKind,
    Target,
};
use crate::store::{Delivery, Progress, Settled, Store, StoreError};

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A claim runs out after this many milliseconds.
    pub claim_ms: i64,
    /// A call is given up after this long; a little more than the client's own deadline, which
    /// knows better whether anything was sent.
    pub request: Duration,
    /// What a claim must outlast a write by, in milliseconds: for clocks that differ a little.
    pub margin_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { claim_ms: 90_000, request: Duration::from_secs(22), margin_ms: 5_000 }
    }
}

impl Limits {
    /// Until when a claim must last for a write that begins at `now`.
    fn write_ends(&self, now: Millis) -> Millis {
        let request = i64::try_from(self.request.as_millis()).unwrap_or(i64::MAX);
        now.plus(request).plus(self.margin_ms)
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// It is settled, and the store has it.
    Settled {
        /// As the store has it.
        settled: Settled,
        /// It is put off until somebody mends the key, its rights or the balance.
        barred: bool,
    },
    /// The claim is not ours any more: another worker goes on with it. Nothing was settled.
    ClaimLost,
}

/// How long a workflow that was not seen to blocklist by itself is not looked at again, in milliseconds.
const LOOK_AGAIN_MS: i64 = 86_400_000;
/// Why one person's word is not enough.
const APPROVED: &str =
    "is an approved customer by now, whom two people blocklist: `secondlook decide` proposes it";
/// How many pages of the blocklist are read to find an entry again.
const BLOCKLIST_PAGES: u32 = 5;
/// Rows of such a page.
const BLOCKLIST_ROWS: u32 = 100;

/// Whether Didit's documents were seen to show in their own reviews what was written a moment ago. Where they do, one
/// without a review has an empty feed, and the feed need not be read as well.
#[derive(Debug, Default)]
pub(super) struct Shows(AtomicBool);

impl Shows {
    /// A document of a workflow session was read back and bore the mark of what had just been written.
    fn saw_own_mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn are_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Delivers a claimed decision and settles it in the store. With `ended_by`, somebody's name, this is the last
/// look: what Didit said yes to and still does not show is `refused` then, in words.
///
/// # Errors
/// [`StoreError`]: nothing was settled then; the claim runs out and the next attempt reads first.
pub async fn deliver_one(
    store: &dyn Store,
    client: &Client,
    clock: &dyn Clock,
    limits: &Limits,
    delivery: &Delivery,
    ended_by: Option<&str>,
) -> Result<Attempt, StoreError> {
    deliver(store, client, clock, limits, &Shows::default(), delivery, ended_by).await
}

/// The same, by one of many that share what was seen of Didit's documents.
pub(super) async fn deliver(
    store: &dyn Store,
    client: &Client,
    clock: &dyn Clock,
    limits: &Limits,
    shows: &Shows,
    delivery: &Delivery,
    ended_by: Option<&str>,
) -> Result<Attempt, StoreError> {
    let progress = delivery.progress;
    let mut errand = Errand { store, client, clock, limits, shows, delivery, ended_by, progress };
    let (settled, barred) = match errand.run().await {
        Ok(settled) => (settled, false),
        Err(End::Settle { settled, barred }) => (settled, barred),
        Err(End::ClaimLost) => return Ok(Attempt::ClaimLost),
        Err(End::Store(error)) => return Err(error),
    };
    if store.settle(delivery, &settled, clock.now()).await? {
        Ok(Attempt::Settled { settled, barred })
    } else {
        Ok(Attempt::ClaimLost)
    }
}

/// Why an errand ends before its last step.
enum End {
    Settle { settled: Settled, barred: bool },
    ClaimLost,
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a write was answered, when it was answered.
enum Answer<T> {
    /// It is done; nothing where the answer itself could not be read.
    Done(Option<T>),
    /// Didit refuses it, in these words.
    Refused(String),
    /// Didit does not know the session or the call, in these words.
    Missing(String),
}

/// One delivery on its way.
struct Errand<'a> {
    store: &'a dyn Store,
    client: &'a Client,
    clock: &'a dyn Clock,
    limits: &'a Limits,
    shows: &'a Shows,
    delivery: &'a Delivery,
    ended_by: Option<&'a str>,
    progress: Progress,
}

impl Errand<'_> {
    async fn run(&mut self) -> Result<Settled, End> {
        let decision = &self.delivery.decision;
        if let Some(settled) = policy::never_sent(decision) {
            return Ok(settled);
        }
        self.stands().await?;
        let mut answers = Answers::default();
        let mut read = self.read().await?;
        // Each step leaves a trace that keeps the policy from naming it again.
        loop {
            match policy::next(decision, self.progress, &answers, &read, self.clock.now()) {
                Step::WriteStatus(status) => {
                    self.is_still_no_customer().await?;
                    answers.status = self.write_status(&status).await?;
                    read = self.read().await?;
                }
                Step::PostNote => answers.note_refused = self.post_note().await?,
                Step::StatusStands => {
                    let ours = matches!(read.trace, Trace::Written | Trace::Note);
                    self.note(|p| {
                        p.status_done = true;
                        p.may_have_written |= ours;
                        (p.writes, p.answered_at) = (0, None);
                    })
                    .await?;
                }
                Step::List => {
                    self.is_still_no_customer().await?;
                    self.list().await?;
                }
                Step::Wait { why } => return Err(self.not_shown(why)),
                Step::End(settled) => {
                    if matches!(settled, Settled::Sent { .. }) {
                        self.watch_workflow().await;
                    }
                    return Ok(settled);
                }
            }
        }
    }

    /// What stands behind the decision in the store has to be whole: a row that was changed or put in behind
    /// the program's back is not sent.
    async fn stands(&self) -> Result<(), End> {
        let Delivery { origin, decision, .. } = self.delivery;
        let evidence = self.store.evidence(origin, decision.id).await?;
        let stands = match evidence {
            Some(evidence) => evidence.stands(),
            None => Err("it is not in the store any more".to_owned()),
        };
        stands.map_err(|why| End::Settle { settled: Settled::Unproven { why }, barred: false })
    }

    /// After a decline that blocklists nobody, looks whether its workflow did so by itself, once a day
    /// until it was seen. What cannot be read is looked at after the next decline.
    async fn watch_workflow(&self) {
        let decision = &self.delivery.decision;
        let Some(workflow) = &decision.workflow else { return };
        if decision.disposition != Disposition::Reject {
            return;
        }
        let (store, origin, at) = (self.store, &self.delivery.origin, self.clock.now());
        let Ok(known) = store.workflows(origin).await else { return };
        let known = known.into_iter().find(|seen| seen.workflow == *workflow);
        if known.is_some_and(|seen| seen.lists || at.since(seen.at) < LOOK_AGAIN_MS) {
            return;
        }
        let Ok(found) = self.within(self.client.blocklist(0, BLOCKLIST_ROWS)).await else { return };
        let lists = found.rows.iter().any(|row| row.session_id == decision.case);
        let seen = SeenWorkflow { workflow: workflow.clone(), lists, at };
        // It is remembered with the next one, if not now.
        let _ = store.saw_workflow(origin, &seen).await;
    }

    // Reading.

    /// The subject's status, and the review feed as far as it is needed and can be read.
    async fn read(&self) -> Result<Reading, End> {
        let decision = &self.delivery.decision;
        let details = self
            .within(self.client.decision(&decision.case, decision.kind))
            .await
            .map_err(|failure| self.unreadable(&failure))?;
        self.is_of_the_case(&details)?;
        let status = details.case.status;
        let read = Reading::new(decision, status.clone(), Some(&details.reviews));
        let decided = decision.disposition.subject_status().as_ref() == Some(&status);
        let unclear = decided && read.trace == Trace::None;
        if !details.reviews.is_empty() && !unclear {
            if self.shows_at_once(&read) {
                self.shows.saw_own_mark();
            }
            return Ok(read);
        }
        let as_seen = !decided && status == decision.seen_status;
        if details.reviews.is_empty() && as_seen && self.need_not_read_the_feed() {
            return Ok(read);
        }
        let mut feed = details.reviews;
        match self.feed(&decision.case).await? {
            Some(more) => feed.extend(more),
            None if feed.is_empty() => return Ok(Reading::new(decision, status, None)),
            None => {}
        }
        Ok(Reading::new(decision, status, Some(&feed)))
    }

    /// Whether a document showed in its own reviews what was written a moment ago.
    fn shows_at_once(&self, read: &Reading) -> bool {
        let workflow = self.delivery.decision.kind == SubjectKind::Workflow;
        workflow && self.progress.writes == 1 && read.trace == Trace::Written
    }

    /// Nothing was ever written of this decision, and documents show what their feed holds: one without a review has
    /// an empty feed. Whatever may have been written is always looked for in the feed itself.
    fn need_not_read_the_feed(&self) -> bool {
        let workflow = self.delivery.decision.kind == SubjectKind::Workflow;
        workflow && self.progress == Progress::default() && self.shows.are_whole()
    }

    /// Whose face goes on the blocklist is the subject or one of its candidates, and no approved customer where
    /// only one person decided: what the record says of that is not believed.
    fn is_of_the_case(&self, now: &Details) -> Result<(), End> {
        let Some(target) = self.to_list() else { return Ok(()) };
        let session = &target.session_id;
        let is_subject = now.case.key == *session;
        let known = is_subject
            || now.case.candidates.iter().any(|c| c.session_id.as_ref() == Some(session));
        if !known || is_subject != target.is_subject {
            return Err(self.wrong_target(target, "is no candidate of this case at Didit"));
        }
        // Another status than the one that was seen is told by the policy.
        let seen = !is_subject || now.case.status == self.delivery.decision.seen_status;
        if now.is_approved(session) && !target.approved && seen {
            return Err(self.wrong_target(target, APPROVED));
        }
        Ok(())
    }

    /// The same by the target's own session, just before it matters: a list of matches may be older.
    async fn is_still_no_customer(&self) -> Result<(), End> {
        let Some(target) = self.to_list().filter(|target| !target.is_subject && !target.approved)
        else {
            return Ok(());
        };
        let call = self.client.decision(&target.session_id, SubjectKind::Workflow);
        match self.within(call).await {
            Ok(now) if now.is_approved(&target.session_id) => {
                Err(self.wrong_target(target, APPROVED))
            }
            Ok(_) => Ok(()),
            Err(failure) => match policy::meaning(&failure) {
                // A saved search, or a session that is gone: no customer.
                Meaning::Missing | Meaning::Refused => Ok(()),
                _ => Err(self.later(&failure)),
            },
        }
    }

    /// The session that is still to be put on the blocklist.
    fn to_list(&self) -> Option<&Target> {
        let decision = &self.delivery.decision;
        let lists = decision.disposition == Disposition::Blocklist && !self.progress.listed;
        decision.target.as_ref().filter(|_| lists)
    }

    /// The target is not what the decision says: nothing is sent, or nothing more.
    fn wrong_target(&self, target: &Target, why: &str) -> End {
        let name = target
            .session_number
            .map_or_else(|| target.session_id.short().to_owned(), |number| format!("#{number}"));
        if self.something_left() {
            return not_listed(&format!("{name} {why}"));
        }
        End::Settle { settled: Settled::Unproven { why: format!("{name} {why}") }, barred: false }
    }

    /// The review feed; `None` where this key or this kind of session has none.
    async fn feed(&self, case: &SessionId) -> Result<Option<Vec<ReviewEntry>>, End> {
        match self.within(self.client.reviews(case)).await {
            Ok(feed) => Ok(Some(feed)),
            Err(f) if matches!(f.kind, ErrorKind::NotFound | ErrorKind::Permission) => Ok(None),
            Err(failure) => Err(self.later(&failure)),
        }
    }

    /// The subject cannot be read: gone, or another time.
    fn unreadable(&self, failure: &Failure) -> End {
        match policy::meaning(failure) {
            Meaning::Missing if self.something_left() => refused(format!(
                "Didit shows the session no more, nor whether the decision reached it ({}).",
                failure.words
            )),
            Meaning::Missing => {
                refused(format!("Didit shows the session no more ({}).", failure.words))
            }
            Meaning::Refused => refused(format!("The session cannot be read ({}).", failure.words)),
            _ => self.later(failure),
        }
    }

    // Writing.

    async fn write_status(&mut self, status: &Status) -> Result<StatusAnswer, End> {
        let new = match status {
            Status::Approved => NewStatus::Approved,
            Status::Declined => NewStatus::Declined,
            Status::InReview | Status::Other(_) => {
                return Err(refused(format!("{} cannot be written.", status.word())));
            }
        };
        let decision = &self.delivery.decision;
        let comment = decision.api_comment();
        let call = self.client.update_status(&decision.case, new, &comment);
        match self.write(call).await? {
            Answer::Done(Some(StatusWritten::AlreadySo)) => {
                // Of the first write it says that somebody else was faster, of a later one that an
                // earlier one may have been taken.
                if self.progress.writes > 1 {
                    self.said_yes().await?;
                }
                Ok(StatusAnswer::AlreadySo)
            }
            Answer::Done(Some(StatusWritten::Written) | None) => {
                self.said_yes().await?;
                Ok(StatusAnswer::Written)
            }
            Answer::Refused(words) => Ok(StatusAnswer::Refused(words)),
            Answer::Missing(words) => {
                Err(refused(format!("The status could not be written: {words}.")))
            }
        }
    }

    /// Posts the comment as a note. Some words when Didit refuses it for good.
    async fn post_note(&mut self) -> Result<Option<String>, End> {
        let decision = &self.delivery.decision;
        let comment = decision.api_comment();
        let call = self.client.post_review(&decision.case, &comment);
        match self.write(call).await? {
            Answer::Done(_) => {
                self.note(|p| p.noted = true).await?;
                Ok(None)
            }
            Answer::Refused(words) | Answer::Missing(words) => Ok(Some(words)),
        }
    }

    /// Makes a write: notes it, makes sure of the claim, and calls. What is lost or may pass ends the
    /// attempt here; the note is taken back where the write certainly did not happen.
    async fn write<T>(
        &mut self,
        call: impl Future<Output = crate::didit::Result<T>>,
    ) -> Result<Answer<T>, End> {
        let before = self.about_to_write().await?;
        let failure = match self.within(call).await {
            Ok(answer) => return Ok(Answer::Done(Some(answer))),
            Err(failure) => failure,
        };
        match policy::meaning(&failure) {
            Meaning::Done => return Ok(Answer::Done(None)),
            Meaning::Lost => return Err(self.later(&failure)),
            Meaning::Refused | Meaning::Missing | Meaning::Barred | Meaning::Failed => {}
        }
        self.take_back(before).await?;
        match policy::meaning(&failure) {
            Meaning::Refused => Ok(Answer::Refused(failure.words)),
            Meaning::Missing => Ok(Answer::Missing(failure.words)),
            _ => Err(self.later(&failure)),
        }
    }

    // The blocklist.

    /// Puts the target's face on the blocklist: by the call that sets a flag, else as a list entry.
    async fn list(&mut self) -> Result<(), End> {
        let Some(target) = self.delivery.decision.target.clone() else {
            return Err(refused("The decision names no session to blocklist.".to_owned()));
        };
        let listed =
            self.progress.answered_at.is_some() && self.is_listed(&target.session_id).await;
        if !listed {
            if !policy::may_write(self.progress, self.clock.now()) {
                return Err(self.not_on_blocklist());
            }
            match self.write(self.client.blocklist_add_face(&target.session_id)).await? {
                Answer::Done(_) => self.said_yes().await?,
                // It may have been taken before, and a read that lags is no refusal.
                Answer::Missing(_) | Answer::Refused(_) if self.progress.answered_at.is_some() => {
                    return Err(self.not_on_blocklist());
                }
                Answer::Missing(_) => return self.list_entry(&target).await,
                Answer::Refused(words) => return Err(not_listed(&words)),
            }
            if !self.is_listed(&target.session_id).await {
                return Err(self.not_on_blocklist());
            }
        }
        self.note(|p| p.listed = true).await
    }

    /// Reads the blocklist back. One that cannot be read, or is too long, leaves Didit's word.
    async fn is_listed(&self, session: &SessionId) -> bool {
        let mut read = 0;
        for page in 0..BLOCKLIST_PAGES {
            let call = self.client.blocklist(page * BLOCKLIST_ROWS, BLOCKLIST_ROWS);
            let Ok(found) = self.within(call).await else { return true };
            let is_it = |row: &BlocklistRow| row.session_id == *session;
            if found.rows.iter().any(is_it) || !found.set_aside.is_empty() {
                return true;
            }
            read += found.rows.len() as u64;
            if found.rows.is_empty() || found.count.is_some_and(|count| read >= count) {
                return false;
            }
        }
        true
    }

    fn not_on_blocklist(&self) -> End {
        self.not_shown(format!("The face for the blocklist: {}", policy::no_change(self.progress)))
    }

    /// The older call is missing or the target is: only if the target is there, the Lists API.
    async fn list_entry(&mut self, target: &Target) -> Result<(), End> {
        let session = &target.session_id;
        let kind =
            if target.is_subject { self.delivery.decision.kind } else { SubjectKind::Workflow };
        if let Err(failure) = self.within(self.client.decision(session, kind)).await {
            return Err(match policy::meaning(&failure) {
                Meaning::Missing | Meaning::Refused => not_listed("its session is gone"),
                _ => self.later(&failure),
            });
        }
        let list = self.face_blocklist().await?;
        let label = self.delivery.decision.mark();
        if self.has_entry(list, &label).await? {
            return self.note(|p| p.listed = true).await;
        }
        let comment = self.delivery.decision.api_comment();
        match self.write(self.client.add_entry(list, session, &label, &comment)).await? {
            Answer::Done(_) => self.entry_read_back(list, &label).await,
            Answer::Refused(words) | Answer::Missing(words) => Err(not_listed(&words)),
        }
    }

    /// The system's own list of blocked faces.
    async fn face_blocklist(&self) -> Result<ListId, End> {
        let call = self.client.lists(ListType::Blocklist, EntryType::Face);
        let lists = self.within(call).await.map_err(|failure| self.unlisted(&failure))?;
        lists
            .rows
            .iter()
            .find(|list| list.is_system)
            .map(|list| list.id)
            .ok_or_else(|| not_listed("Didit shows no face blocklist to this key"))
    }

    /// Whether the list has an entry under exactly this label.
    async fn has_entry(&self, list: ListId, label: &str) -> Result<bool, End> {
        let call = self.client.list_entries(list, Some(label), 0);
        let entries = self.within(call).await.map_err(|failure| self.unlisted(&failure))?;
        Ok(entries.rows.iter().any(|row| row.label.as_deref() == Some(label)))
    }

    /// The entry was accepted: it is noted whatever the read-back shows, because an entry added
    /// twice cannot be told from one added once.
    async fn entry_read_back(&mut self, list: ListId, label: &str) -> Result<(), End> {
        self.note(|p| p.listed = true).await?;
        if self.has_entry(list, label).await? {
            return Ok(());
        }
        Err(self.not_shown("Didit took the blocklist entry but does not show it yet.".to_owned()))
    }

    /// A list cannot be read: there is none, or another time.
    fn unlisted(&self, failure: &Failure) -> End {
        match policy::meaning(failure) {
            Meaning::Missing | Meaning::Refused => not_listed(&failure.words),
            _ => self.later(failure),
        }
    }

    // The claim and its notes.

    /// Notes and counts that a write may follow, and makes sure that it will end while the claim is ours.
    /// Returns how far it had come before.
    async fn about_to_write(&mut self) -> Result<Progress, End> {
        let before = self.progress;
        self.note(|p| {
            p.may_have_written = true;
            p.writes = p.writes.saturating_add(1);
        })
        .await?;
        let now = self.clock.now();
        let ours = self.store.is_ours(self.delivery, self.limits.write_ends(now)).await?;
        // The answer may be old by the time it is here: a worker that was stopped meanwhile has no
        // time left.
        let now = self.clock.now();
        if ours && self.limits.write_ends(now) <= self.delivery.until {
            return Ok(before);
        }
        self.take_back(before).await?;
        let why = "The time for this attempt ran short.".to_owned();
        Err(self.put_off(why, now, false))
    }

    /// A write was certainly not made.
    async fn take_back(&mut self, before: Progress) -> Result<(), End> {
        self.note(|p| {
            (p.may_have_written, p.writes) = (before.may_have_written, before.writes);
        })
        .await
    }

    /// Notes that Didit said yes to the step in hand, the first time.
    async fn said_yes(&mut self) -> Result<(), End> {
        let now = self.clock.now();
        self.note(|p| p.answered_at = p.answered_at.or(Some(now))).await
    }

    /// Writes down how far the delivery has come.
    async fn note(&mut self, change: impl FnOnce(&mut Progress)) -> Result<(), End> {
        let mut progress = self.progress;
        change(&mut progress);
        if progress == self.progress {
            return Ok(());
        }
        if !self.store.progress(self.delivery, &progress).await? {
            return Err(End::ClaimLost);
        }
        self.progress = progress;
        Ok(())
    }

    /// A call with its deadline.
    async fn within<T>(
        &self,
        call: impl Future<Output = crate::didit::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.limits.request, call).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::out_of_time()),
        }
    }

    // Putting off.

    /// Whether anything of this decision may be at Didit: then it is no longer the reviewer's to undo.
    fn something_left(&self) -> bool {
        let p = self.progress;
        p.may_have_written || p.noted || p.listed
    }

    fn later(&self, failure: &Failure) -> End {
        let attempts = self.delivery.attempts;
        let wait = policy::backoff(failure, attempts, self.jitter());
        let barred = policy::meaning(failure) == Meaning::Barred;
        self.put_off(failure.words.clone(), self.clock.now().plus(wait), barred)
    }

    fn not_shown(&self, why: String) -> End {
        if let Some(by) = self.ended_by {
            let why = why.trim_end_matches('.').trim_end_matches("; it is read again");
            return refused(format!("{why}. Ended by {by} after this look at Didit."));
        }
        let wait = policy::late_pause(self.delivery.attempts, self.jitter());
        self.put_off(why, self.clock.now().plus(wait), false)
    }

    fn put_off(&self, why: String, at: Millis, barred: bool) -> End {
        let may_have_written = self.something_left();
        End::Settle { settled: Settled::Later { at, why, may_have_written }, barred }
    }

    /// A share of the wait that differs from decision to decision and from attempt to attempt.
    fn jitter(&self) -> f64 {
        let (_, low) = self.delivery.decision.id.0.as_u64_pair();
        fastrand::Rng::with_seed(low ^ u64::from(self.delivery.attempts)).f64()
    }
}

fn refused(why: String) -> End {
    End::Settle { settled: Settled::Refused { why }, barred: false }
}

/// The status stands, and the face can never be listed.
fn not_listed(why: &str) -> End {
    refused(format!("The session is declined, but the face is not on the blocklist: {why}."))
}
