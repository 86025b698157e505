//! One round: the listings, page by page; a decision call for what is new; then the cases that no
//! listing shows any more. Every session seen ends in one of the counts. Writes nothing at Didit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use super::policy::{self, Setback, Standing};
use super::walk::{Shown, Step, Walk};
use super::{Counts, Intake, IntakeError, Notice, Pause, Report, Settings};
use crate::didit::{
    ApiError, Client, ErrorKind, FaceSteps, SessionPage, SessionQuery, SessionRow, SetAside,
};
use crate::domain::{
    CaseState, Clock, Details, Explained, Millis, ReviewEntry, SessionId, Status, SubjectKind,
};
use crate::store::{Admitted, PassedOver};

/// So many pages in a row without a session not yet seen mean that the listing goes in circles. Pages that
/// are read further back, because they did not join, are fewer.
const STALE_PAGES: u32 = 12;
/// How many pages are followed from the top of a list that is walked already.
const HEAD_PAGES: usize = 3;
/// At least so many calls lie between two looks at the tops of the lists.
const CALLS_BETWEEN_HEADS: u64 = 100;
/// A walk that was begun so long ago is begun anew, in milliseconds.
const OLDEST_WALK_MS: i64 = 24 * 3_600_000;
/// So often in a row Didit refuses a call for too many before the round ends.
const MOST_REFUSED: u32 = 10;
/// The shortest wait for a place in the minute.
const LEAST_WAIT: Duration = Duration::from_millis(20);
/// The longest one: then it is asked again.
const MOST_WAIT: Duration = Duration::from_secs(60);
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
    fn name(self) -> &'static str {
        match self {
            Self::Faces => "faces",
            Self::Rest => "rest",
            Self::Searches => "searches",
        }
    }

    fn kind(self) -> SubjectKind {
        match self {
            Self::Faces | Self::Rest => SubjectKind::Workflow,
            Self::Searches => SubjectKind::SavedSearch,
        }
    }
}

/// The way through one of them.
struct Way {
    list: List,
    query: SessionQuery,
    walk: Walk,
    over: bool,
    /// Sessions that this walk has met.
    met: HashSet<SessionId>,
    /// Pages in a row without a new one.
    stale: u32,
}

/// A page that was read.
struct Page {
    rows: Vec<SessionRow>,
    set_aside: Vec<SetAside>,
    count: Option<u64>,
    last: bool,
    listed_at: Millis,
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
    /// Calls made in this round.
    calls: u64,
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
    /// Whether a note of ours stands at Didit that this answer does not show.
    noted: Result<bool, ApiError>,
}

/// Asks Didit, for as long as it takes.
struct Reader {
    client: Client,
    clock: Arc<dyn Clock>,
    pause: Arc<dyn Pause>,
    turnstile: Arc<tokio::sync::Mutex<()>>,
}

impl Reader {
    async fn page(
        &self,
        report: Report<'_>,
        query: &SessionQuery,
    ) -> Result<SessionPage, ApiError> {
        self.patiently(report, || self.client.sessions(query)).await
    }

    async fn decision(
        &self,
        report: Report<'_>,
        key: &SessionId,
        kind: SubjectKind,
    ) -> Result<Details, ApiError> {
        self.patiently(report, || self.client.decision(key, kind)).await
    }

    async fn reviews(
        &self,
        report: Report<'_>,
        key: &SessionId,
    ) -> Result<Vec<ReviewEntry>, ApiError> {
        self.patiently(report, || self.client.reviews(key)).await
    }

    /// Whether a saved search bears a note of ours that its decision call does not show: another
    /// secondlook decided it.
    async fn noted_elsewhere(
        &self,
        report: Report<'_>,
        settings: &Settings,
        details: &Details,
        cutoff: Millis,
    ) -> Result<bool, ApiError> {
        let search = details.case.kind == SubjectKind::SavedSearch && details.reviews.is_empty();
        if !search || !matches!(policy::standing(settings, details, cutoff), Standing::Case(_)) {
            return Ok(false);
        }
        match self.reviews(report, &details.case.key).await {
            Ok(feed) => Ok(policy::ours(&feed)),
            Err(e) if matches!(e.kind, ErrorKind::NotFound | ErrorKind::Permission) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a call, and waits for its place in the minute for as long as that takes: the limit is Didit's,
    /// nothing failed. One waits for all, and says so.
    async fn patiently<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        report: Report<'_>,
        call: impl Fn() -> F,
    ) -> Result<T, ApiError> {
        match call().await {
            Err(error) if matches!(error.kind, ErrorKind::Limited { .. }) => {}
            done => return done,
        }
        let _turn = self.turnstile.lock().await;
        let mut refused = 0;
        loop {
            let error = match call().await {
                Err(error) => error,
                done => return done,
            };
            let ErrorKind::Limited { after } = error.kind else { return Err(error) };
            // Didit itself refuses: another program uses the key up, or counts otherwise.
            refused += u32::from(error.status.is_some());
            if refused > MOST_REFUSED {
                return Err(error);
            }
            let wait = after.clamp(LEAST_WAIT, MOST_WAIT);
            report(Notice::Waits(wait));
            self.pause.pause(wait).await;
        }
    }
}

impl Intake {
    fn reader(&self) -> Reader {
        Reader {
            client: self.client.clone(),
            clock: Arc::clone(&self.clock),
            pause: Arc::clone(&self.pause),
            turnstile: Arc::clone(&self.turnstile),
        }
    }

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
        let seen = HashSet::new();
        let mut round = Round { report, started, cutoff, counts, seen, stumbles: 0, calls: 0 };
        let mut ways = vec![self.way(List::Faces, self.faces()).await?];
        let first = self.top(&mut round, &mut ways[0]).await?;
        let mut listed = first.count;
        if let Some(statuses) = self.held() {
            // Where both lists are as long, the one without a filter holds nothing more.
            let alike = first.count.is_some() && statuses == self.settings.statuses;
            let mut rest =
                self.way(List::Rest, SessionQuery { statuses, ..SessionQuery::default() }).await?;
            let page = self.top(&mut round, &mut rest).await?;
            if !alike || page.count != first.count {
                listed = page.count;
                self.begin(&mut round, &mut ways[0], first).await?;
                self.begin(&mut round, &mut rest, page).await?;
                ways.push(rest);
            } else {
                self.begin(&mut round, &mut ways[0], first).await?;
            }
        } else {
            self.begin(&mut round, &mut ways[0], first).await?;
        }
        let mut saved = self.way(List::Searches, SessionQuery::saved_searches(cutoff)).await?;
        let page = self.top(&mut round, &mut saved).await?;
        (report)(Notice::Listed(listed.unwrap_or_default() + page.count.unwrap_or_default()));
        self.begin(&mut round, &mut saved, page).await?;
        ways.push(saved);
        let (mut looked, mut calls) = (self.clock.now(), round.calls);
        for at in 0..ways.len() {
            while !ways[at].over {
                // Where calls are few, a look at the top must not eat them up.
                let due = self.clock.now().since(looked) >= self.settings.interval_ms;
                if due && round.calls - calls >= CALLS_BETWEEN_HEADS {
                    self.heads(&mut round, &mut ways).await?;
                    (looked, calls) = (self.clock.now(), round.calls);
                }
                self.step(&mut round, &mut ways[at]).await?;
            }
        }
        let oldest = ways.iter().map(|way| way.walk.started).min().unwrap_or(started);
        for way in &ways {
            // The next round begins anew, also where it is another process's.
            self.store.keep_place(&self.origin, way.list.name(), "").await?;
        }
        self.departures(&mut round, oldest).await?;
        self.store.forget_passed(&self.origin, oldest).await?;
        Ok(round.counts)
    }

    // Listing.

    /// The way through a list: from where it was left, else from the beginning.
    async fn way(&self, list: List, query: SessionQuery) -> Result<Way, IntakeError> {
        let limit = self.settings.page_size.clamp(1, 100);
        let query = SessionQuery { limit, ..query };
        let rule = format!("{query:?}");
        let now = self.clock.now();
        let kept = self.store.place_in(&self.origin, list.name()).await?;
        let kept = kept.and_then(|record| serde_json::from_str::<Walk>(&record).ok());
        let kept = kept.filter(|walk| {
            let age = now.since(walk.started);
            walk.is_of(&rule) && (0..OLDEST_WALK_MS).contains(&age)
        });
        let walk = kept.unwrap_or_else(|| Walk::new(rule, now, limit));
        Ok(Way { list, query, walk, over: false, met: HashSet::new(), stale: 0 })
    }

    /// The first page of a list: what is new stands there.
    async fn top(&self, round: &mut Round<'_>, way: &mut Way) -> Result<Page, IntakeError> {
        self.ask_page(round, way, 0, u64::from(way.query.limit)).await
    }

    /// Takes the first page in. Where the list is walked already, pages that hold something new are followed
    /// a little way, and the walk goes on where it was.
    async fn begin(
        &mut self,
        round: &mut Round<'_>,
        way: &mut Way,
        first: Page,
    ) -> Result<(), IntakeError> {
        if way.walk.is_fresh() {
            return self.walk_on(round, way, way.walk.next(), first).await;
        }
        let (mut page, mut offset) = (first, 0);
        for _ in 0..HEAD_PAGES {
            let (rows, last) = (page.rows.len() as u64, page.last);
            let asked = self.page(round, page, way.list).await?;
            if asked == 0 || last || rows == 0 {
                break;
            }
            offset += rows;
            page = self.ask_page(round, way, offset, u64::from(way.query.limit)).await?;
        }
        Ok(())
    }

    /// Looks at what has come to the top of every list meanwhile: a long way through one must not keep what
    /// is new from the queue.
    async fn heads(&mut self, round: &mut Round<'_>, ways: &mut [Way]) -> Result<(), IntakeError> {
        for way in ways {
            let first = self.top(round, way).await?;
            if way.walk.is_fresh() || way.over {
                self.page(round, first, way.list).await?;
            } else {
                self.begin(round, way, first).await?;
            }
        }
        Ok(())
    }

    /// The next page of a walk.
    async fn step(&mut self, round: &mut Round<'_>, way: &mut Way) -> Result<(), IntakeError> {
        let step = way.walk.next();
        let page = self.ask_page(round, way, step.offset, step.limit).await?;
        self.walk_on(round, way, step, page).await
    }

    async fn walk_on(
        &mut self,
        round: &mut Round<'_>,
        way: &mut Way,
        step: Step,
        page: Page,
    ) -> Result<(), IntakeError> {
        let rows: Vec<_> =
            page.rows.iter().map(|row| (row.session_id.clone(), row.session_number)).collect();
        let before = way.met.len();
        way.met.extend(rows.iter().map(|(key, _)| key.clone()));
        way.stale = if way.met.len() > before { 0 } else { way.stale + 1 };
        let (unread, count, last) = (page.set_aside.len() as u64, page.count, page.last);
        self.page(round, page, way.list).await?;
        // Only what was taken in counts as walked.
        way.over = way.walk.took(step, &Shown { rows: &rows, unread, count, last });
        if !way.over && way.stale >= STALE_PAGES {
            self.store.keep_place(&self.origin, way.list.name(), "").await?;
            return Err(IntakeError::Endless);
        }
        if !way.over {
            let record = serde_json::to_string(&way.walk).unwrap_or_default();
            self.store.keep_place(&self.origin, way.list.name(), &record).await?;
        }
        (round.report)(Notice::Progress(round.counts));
        Ok(())
    }

    async fn ask_page(
        &self,
        round: &Round<'_>,
        way: &Way,
        offset: u64,
        limit: u64,
    ) -> Result<Page, IntakeError> {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let query =
            SessionQuery { offset: narrow(offset), limit: narrow(limit), ..way.query.clone() };
        let listed_at = self.clock.now();
        let SessionPage { rows, set_aside, count, next } =
            self.reader().page(round.report, &query).await?;
        Ok(Page { rows, set_aside, count, last: next.is_none(), listed_at })
    }

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

    /// Takes a page in; how many of its sessions had to be read.
    async fn page(
        &mut self,
        round: &mut Round<'_>,
        page: Page,
        list: List,
    ) -> Result<u64, IntakeError> {
        let listed_at = page.listed_at;
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
        let asked = ask.len() as u64;
        round.calls += asked + 1;
        let kind = list.kind();
        let (report, cutoff) = (round.report, round.cutoff);
        let (reader, settings) = (self.reader(), self.settings.clone());
        // All calls stand in here. One that waits is not polled while another is taken in, and must not be waited for.
        let mut reads = stream::iter(ask)
            .map(|row| {
                let (reader, settings) = (&reader, &settings);
                async move {
                    let at = reader.clock.now();
                    let answer = reader.decision(report, &row.session_id, kind).await;
                    let noted = match &answer {
                        Ok(details) => {
                            reader.noted_elsewhere(report, settings, details, cutoff).await
                        }
                        Err(_) => Ok(false),
                    };
                    Read { key: row.session_id, listed: row.status, at, answer, noted }
                }
            })
            .buffer_unordered(self.settings.parallel.max(1));
        while let Some(read) = reads.next().await {
            self.take_in(round, read).await?;
        }
        Ok(asked)
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
            match read.noted {
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
    async fn departures(
        &mut self,
        round: &mut Round<'_>,
        before: Millis,
    ) -> Result<(), IntakeError> {
        let recheck = self.settings.recheck_ms;
        self.still_in.retain(|_, read| round.started.since(*read) < recheck);
        let mut unseen = self.store.unseen(&self.origin, before, UNSEEN_MOST).await?;
        unseen.retain(|key| !self.still_in.contains_key(key));
        unseen.truncate(self.settings.check_most);
        let (report, reader) = (round.report, self.reader());
        let mut reads = stream::iter(unseen)
            .map(|key| async {
                let answer = reader.decision(report, &key, SubjectKind::Workflow).await;
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
