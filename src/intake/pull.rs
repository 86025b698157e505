//! One round: the listings, page by page; a decision call for what is new; then the cases that no
//! listing shows any more. Every session seen ends in one of the counts. Writes nothing at Didit.

use std::collections::{HashMap, HashSet};

use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use super::policy::{self, Setback, Standing};
use super::{Counts, Intake, IntakeError, Notice, Report};
use crate::didit::{ApiError, ErrorKind, FaceSteps, SessionPage, SessionQuery, SessionRow};
use crate::domain::{CaseState, Details, Explained, Millis, SessionId, Status, SubjectKind};
use crate::store::{Admitted, PassedOver};

/// So many pages in a row without a session not yet seen mean that the listing goes in circles.
const STALE_PAGES: u32 = 3;
/// So many server failures in a round are borne as single items.
const STUMBLES: u32 = 3;
/// How many unknown words of Didit's are remembered as told.
const MOST_UNKNOWN: usize = 200;
/// How many cases without a listing are looked through for those to ask.
const UNSEEN_MOST: u32 = 1_000;

/// Which of Didit's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// Workflow sessions with a wanted warning.
    Faces,
    /// All in review.
    Rest,
    /// Saved searches.
    Searches,
}

impl List {
    fn kind(self) -> SubjectKind {
        match self {
            Self::Faces | Self::Rest => SubjectKind::Workflow,
            Self::Searches => SubjectKind::SavedSearch,
        }
    }
}

/// A round under way.
struct Round<'a> {
    report: Report<'a>,
    started: Millis,
    /// Saved searches created before this are passed over.
    cutoff: Millis,
    counts: Counts,
    seen: HashSet<SessionId>,
    stumbles: u32,
}

impl Round<'_> {
    fn set_aside(&mut self, session: Option<SessionId>, why: String) {
        self.counts.set_aside += 1;
        (self.report)(Notice::SetAside { session, why });
    }

    /// Passes over a session whose decision call failed, or ends the round.
    fn setback(&mut self, key: Option<SessionId>, error: ApiError) -> Result<(), IntakeError> {
        let why = match policy::setback(error.kind) {
            Setback::Vanished => "The session vanished between listing and reading.".to_owned(),
            Setback::Unreadable => format!("The session cannot be read: {error}."),
            Setback::Stumble if self.stumbles < STUMBLES => {
                self.stumbles += 1;
                format!("The session could not be read this time: {error}.")
            }
            Setback::Stumble | Setback::Fatal => return Err(error.into()),
        };
        self.set_aside(key, why);
        Ok(())
    }
}

/// A session that was asked for.
struct Read {
    key: SessionId,
    listed: Status,
    /// When the call began: an answer older than a decision must not undo it.
    at: Millis,
    answer: Result<Details, ApiError>,
}

impl Intake {
    /// One round. Stopping it loses nothing: what was taken in stays.
    ///
    /// # Errors
    /// [`IntakeError`]; a listing that failed half way makes nobody depart.
    pub async fn pull(
        &mut self,
        report: Report<'_>,
        stop: &CancellationToken,
    ) -> Result<Counts, IntakeError> {
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(IntakeError::Stopped),
            counts = self.round(report) => counts,
        }
    }

    async fn round(&mut self, report: Report<'_>) -> Result<Counts, IntakeError> {
        let started = self.clock.now();
        let cutoff = started.plus(-self.settings.lookback_ms);
        let counts = Counts::default();
        let mut round =
            Round { report, started, cutoff, counts, seen: HashSet::new(), stumbles: 0 };
        let limit = self.settings.page_size.clamp(1, 100);
        let faces = SessionQuery { limit, ..self.faces() };
        let count = self.listing(&mut round, &faces, List::Faces).await?;
        if let Some(statuses) = self.held() {
            // Where both lists are as long, the one without a filter holds nothing more.
            let alike = statuses == self.settings.statuses;
            let query = SessionQuery { statuses, limit, ..SessionQuery::default() };
            self.rest(&mut round, &query, count.filter(|_| alike)).await?;
        }
        self.departures(&mut round).await?;
        let saved = SessionQuery { limit, ..SessionQuery::saved_searches(cutoff) };
        self.listing(&mut round, &saved, List::Searches).await?;
        self.store.forget_passed(&self.origin, started).await?;
        Ok(round.counts)
    }

    // Listing.

    fn faces(&self) -> SessionQuery {
        let statuses = self.settings.statuses.clone();
        // Only workflow sessions are ever in review; in any other status there are saved calls too.
        let mixed = statuses.is_empty() || statuses.iter().any(|s| *s != Status::InReview);
        let session_type = mixed.then(|| "HOSTED,MIGRATED".to_owned());
        let warnings = self.settings.warnings.clone();
        SessionQuery { statuses, warnings, session_type, ..SessionQuery::default() }
    }

    /// The status in which Didit holds sessions for a person, where it is taken in at all.
    fn held(&self) -> Option<Vec<Status>> {
        policy::wanted(&self.settings, &Status::InReview).then(|| vec![Status::InReview])
    }

    /// A whole listing; how long it is, where the server says so.
    async fn listing(
        &mut self,
        round: &mut Round<'_>,
        query: &SessionQuery,
        list: List,
    ) -> Result<Option<u64>, IntakeError> {
        let listed_at = self.clock.now();
        let page = self.client.sessions(query).await?;
        let count = page.count;
        self.pages(round, page, list, listed_at).await?;
        Ok(count)
    }

    /// The sessions in review that no wanted warning names: held for a face by a warning of the future, or
    /// for something else. `known` is how long the list with the warnings is.
    async fn rest(
        &mut self,
        round: &mut Round<'_>,
        query: &SessionQuery,
        known: Option<u64>,
    ) -> Result<(), IntakeError> {
        let listed_at = self.clock.now();
        let page = self.client.sessions(query).await?;
        if known.is_some() && page.count == known {
            return Ok(());
        }
        self.pages(round, page, List::Rest, listed_at).await
    }

    async fn pages(
        &mut self,
        round: &mut Round<'_>,
        mut page: SessionPage,
        list: List,
        mut listed_at: Millis,
    ) -> Result<(), IntakeError> {
        let mut met = HashSet::new();
        let mut stale = 0;
        loop {
            let next = page.next.take();
            let before = met.len();
            met.extend(page.rows.iter().map(|row| row.session_id.clone()));
            let fresh = met.len() > before;
            self.page(round, page, list, listed_at).await?;
            stale = if fresh { 0 } else { stale + 1 };
            (round.report)(Notice::Progress(round.counts));
            let Some(next) = next else { return Ok(()) };
            if stale >= STALE_PAGES {
                return Err(IntakeError::Endless);
            }
            listed_at = self.clock.now();
            page = self.client.next_sessions(&next).await?;
        }
    }

    /// Takes a page in.
    async fn page(
        &mut self,
        round: &mut Round<'_>,
        page: SessionPage,
        list: List,
        listed_at: Millis,
    ) -> Result<(), IntakeError> {
        for row in page.set_aside {
            round.counts.seen += 1;
            round.set_aside(None, format!("Row {} of a page: {}.", row.place + 1, row.why));
        }
        let mut rows = page.rows;
        rows.retain(|row| round.seen.insert(row.session_id.clone()));
        round.counts.seen += rows.len() as u64;
        rows.retain(|row| match list {
            List::Searches if policy::is_old(row.created_at, round.cutoff) => {
                round.counts.explained.add(Explained::TooOld);
                false
            }
            List::Faces | List::Rest if !policy::wanted(&self.settings, &row.status) => {
                round.counts.explained.add(Explained::MovedOn);
                false
            }
            List::Searches | List::Faces | List::Rest => true,
        });
        let ask = self.to_ask(round, rows, list, listed_at).await?;
        let kind = list.kind();
        let (client, clock) = (self.client.clone(), self.clock.clone());
        let mut reads = stream::iter(ask)
            .map(|row| {
                let (client, clock) = (&client, &clock);
                async move {
                    let at = clock.now();
                    let answer = client.decision(&row.session_id, kind).await;
                    Read { key: row.session_id, listed: row.status, at, answer }
                }
            })
            .buffer_unordered(self.settings.parallel.max(1));
        while let Some(read) = reads.next().await {
            self.take_in(round, read).await?;
        }
        Ok(())
    }

    /// The rows that a decision call has to be spent on. The others are accounted for.
    async fn to_ask(
        &self,
        round: &mut Round<'_>,
        rows: Vec<SessionRow>,
        list: List,
        listed_at: Millis,
    ) -> Result<Vec<SessionRow>, IntakeError> {
        let keys: Vec<_> = rows.iter().map(|row| row.session_id.clone()).collect();
        let now = self.clock.now();
        let unsettled: HashSet<_> =
            self.store.touch(&self.origin, &keys, listed_at, now).await?.into_iter().collect();
        let rule = policy::rule(&self.settings);
        let passed = self.store.passed_over(&self.origin, &keys, &rule, now).await?;
        let passed: HashMap<_, _> =
            passed.into_iter().map(|known| (known.key.clone(), known)).collect();
        let mut ask = Vec::new();
        for row in rows {
            if !unsettled.contains(&row.session_id) {
                round.counts.known += 1;
                continue;
            }
            let known = passed.get(&row.session_id).filter(|known| known.status == row.status);
            let clear = list == List::Rest && row.faces == FaceSteps::Clear;
            let reason =
                known.map(|known| known.reason).or(clear.then_some(Explained::NoFaceReason));
            if let Some(reason) = reason {
                round.counts.explained.add(reason);
                continue;
            }
            let known = self.store.case(&self.origin, &row.session_id, now).await?;
            if policy::worth_asking(&row.status, known.as_ref()) {
                ask.push(row);
            } else {
                round.counts.known += 1;
            }
        }
        Ok(ask)
    }

    // One session.

    async fn take_in(&mut self, round: &mut Round<'_>, read: Read) -> Result<(), IntakeError> {
        let mut details = match read.answer {
            Ok(details) => details,
            Err(error) => return round.setback(Some(read.key), error),
        };
        // One spelling of the id, the listing's: the same session twice is one case.
        details.case.key = read.key.clone();
        self.tell_unknown(round, &details);
        let mut standing = policy::standing(&self.settings, &details, round.cutoff);
        if matches!(standing, Standing::Case(_)) {
            match self.noted_elsewhere(&details).await {
                Ok(true) => standing = Standing::Explained(Explained::Decided),
                Ok(false) => {}
                Err(error) => return round.setback(Some(read.key), error),
            }
        }
        match standing {
            Standing::Case(state) => self.admit(round, &details, state, read.at).await,
            Standing::Explained(reason) => {
                round.counts.explained.add(reason);
                let passed = PassedOver { key: read.key, status: read.listed, reason };
                let (rule, now) = (policy::rule(&self.settings), self.clock.now());
                Ok(self.store.pass_over(&self.origin, &passed, &rule, now).await?)
            }
            Standing::Elsewhere => {
                round.counts.explained.add(Explained::MovedOn);
                Ok(())
            }
        }
    }

    /// Says, once, every word that Didit has come to use since this version was made.
    fn tell_unknown(&mut self, round: &Round<'_>, details: &Details) {
        for (kind, name) in policy::unknown(details) {
            if self.unknown.len() < MOST_UNKNOWN && self.unknown.insert((kind, name.clone())) {
                (round.report)(Notice::Unknown { kind, name });
            }
        }
    }

    /// Whether a saved search bears a note of ours that its decision call does not show: another
    /// secondlook decided it.
    async fn noted_elsewhere(&self, details: &Details) -> Result<bool, ApiError> {
        if details.case.kind != SubjectKind::SavedSearch || !details.reviews.is_empty() {
            return Ok(false);
        }
        match self.client.reviews(&details.case.key).await {
            Ok(feed) => Ok(policy::ours(&feed)),
            Err(e) if matches!(e.kind, ErrorKind::NotFound | ErrorKind::Permission) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn admit(
        &self,
        round: &mut Round<'_>,
        details: &Details,
        state: CaseState,
        read_at: Millis,
    ) -> Result<(), IntakeError> {
        let now = self.clock.now();
        let counts = &mut round.counts;
        match self.store.admit(&self.origin, &details.case, state, read_at, now).await? {
            Admitted::New if state == CaseState::Left => counts.left += 1,
            Admitted::New => counts.queued += 1,
            Admitted::Updated => counts.updated += 1,
            Admitted::Same | Admitted::Decided => {
                counts.known += 1;
                return Ok(());
            }
        }
        self.store.take_up(&self.origin, &details.case.key).await?;
        let candidates = policy::unreadable(&details.case);
        if candidates > 0 {
            (round.report)(Notice::Unreadable { case: details.case.name(), candidates });
        }
        Ok(())
    }

    // Departures.

    /// Asks for the cases that the finished listing did not show, some each round, and takes those
    /// out that are really no longer there.
    async fn departures(&mut self, round: &mut Round<'_>) -> Result<(), IntakeError> {
        let recheck = self.settings.recheck_ms;
        self.still_in.retain(|_, read| round.started.since(*read) < recheck);
        let mut unseen = self.store.unseen(&self.origin, round.started, UNSEEN_MOST).await?;
        unseen.retain(|key| !self.still_in.contains_key(key));
        unseen.truncate(self.settings.check_most);
        let client = self.client.clone();
        let mut reads = stream::iter(unseen)
            .map(|key| async {
                let answer = client.decision(&key, SubjectKind::Workflow).await;
                (key, answer)
            })
            .buffer_unordered(self.settings.parallel.max(1));
        while let Some((key, answer)) = reads.next().await {
            let why = match answer {
                Ok(details) if policy::wanted(&self.settings, &details.case.status) => {
                    self.still_in.insert(key, self.clock.now());
                    continue;
                }
                Ok(details) => policy::departure(&details),
                Err(error) if policy::setback(error.kind) == Setback::Vanished => {
                    policy::INVISIBLE.to_owned()
                }
                Err(error) => {
                    // It was not seen in this round: it is set aside beside the count.
                    round.counts.seen += 1;
                    round.setback(Some(key), error)?;
                    continue;
                }
            };
            if self.store.depart(&self.origin, &key, &why, self.clock.now()).await? {
                round.counts.departed += 1;
                (round.report)(Notice::Departed { case: key, why });
            }
        }
        Ok(())
    }
}
