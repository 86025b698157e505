//! Keeps the window around the cursor hydrated and its images fetched, so that nothing waits for a
//! reviewer to look. Outside the window no link is asked for, so no link can die unseen.
//!
//! A case is prepared in one go: one decision call, then its images as soon as their links are there. A
//! link that is refused is asked for anew once; refused again, the picture is `gone`. Never a search.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::given::Given;
use super::problem;
use crate::core::{Event, PictureState, ProblemKind, Side};
use crate::didit::{ApiError, Client, ErrorKind};
use crate::domain::{Clock, Details, Link, Millis, SessionId, Source, SubjectKind};
use crate::picture::{
    self, DecodeError, FetchError, Fetcher, Key, Vault, link_deadline, refresh_at,
};

/// How long bytes may be shown after they were fetched: as long as the links that brought them.
const HELD_MS: i64 = 60 * 60 * 1000;
/// Cases prepared at once.
const PARALLEL: usize = 8;
/// Cases prepared at once while the one on the desk is not ready: it has the line to itself, almost.
const PARALLEL_BEHIND: usize = 2;
/// How often the window looks for what has to be refreshed or tried again.
const LOOK: Duration = Duration::from_secs(1);

/// The picture store, shared with whoever draws.
#[derive(Clone)]
pub struct SharedVault(Arc<Mutex<Vault>>);

impl SharedVault {
    /// Room for the compressed files of a window and the portraits of a few cases.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Vault::new(48 << 20, 24 << 20))))
    }

    /// Does something with the store; never across a wait.
    pub fn with<T>(&self, f: impl FnOnce(&mut Vault) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a case needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was done yet.
    New,
    /// A worker is at it.
    Busy,
    /// All is here, to be done anew at this moment.
    Fresh(Millis),
    /// Something failed; to be tried again at this moment.
    Retry(Millis),
}

struct Slot {
    stage: Stage,
    failures: u32,
    worker: Option<AbortHandle>,
}

/// What a worker says at its end.
struct Done {
    key: SessionId,
    stage: Stage,
}

/// Keeps the window.
#[derive(Clone)]
pub struct Window {
    /// Who is asked for details.
    pub client: Client,
    /// Who fetches images.
    pub fetcher: Arc<Fetcher>,
    /// Where they are kept.
    pub vault: SharedVault,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What was handed in besides.
    pub given: Arc<Given>,
    /// Where news goes.
    pub events: mpsc::Sender<Event>,
}

type Wanted = Vec<(SessionId, SubjectKind)>;

impl Window {
    /// Follows what is wanted until stopped. `again` names cases to be prepared anew at once.
    pub async fn run(
        self,
        mut wanted: watch::Receiver<Wanted>,
        mut again: mpsc::Receiver<SessionId>,
        stop: CancellationToken,
    ) {
        let mut slots: HashMap<SessionId, Slot> = HashMap::new();
        let mut workers: JoinSet<Done> = JoinSet::new();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = wanted.changed() => if changed.is_err() { break },
                Some(key) = again.recv() => start_anew(&mut slots, &key),
                Some(done) = workers.join_next() => if let Ok(done) = done { settle(&mut slots, &done, self.clock.now()) },
                _ = look.tick() => {}
            }
            let list = wanted.borrow_and_update().clone();
            self.drop_unwanted(&mut slots, &list);
            self.start_due(&mut slots, &mut workers, &list);
        }
        workers.shutdown().await;
        self.vault.with(Vault::clear);
    }

    fn drop_unwanted(&self, slots: &mut HashMap<SessionId, Slot>, list: &Wanted) {
        slots.retain(|key, slot| {
            let keep = list.iter().any(|(wanted, _)| wanted == key);
            if !keep {
                if let Some(worker) = &slot.worker {
                    worker.abort();
                }
                self.vault.with(|vault| vault.forget_case(key));
            }
            keep
        });
    }

    fn start_due(
        &self,
        slots: &mut HashMap<SessionId, Slot>,
        workers: &mut JoinSet<Done>,
        list: &Wanted,
    ) {
        let now = self.clock.now();
        let mut most = PARALLEL;
        for (place, (key, kind)) in list.iter().enumerate() {
            if workers.len() >= most {
                return;
            }
            let slot = slots.entry(key.clone()).or_insert(Slot {
                stage: Stage::New,
                failures: 0,
                worker: None,
            });
            let due = match slot.stage {
                Stage::New => true,
                Stage::Busy => false,
                Stage::Fresh(at) | Stage::Retry(at) => at <= now,
            };
            if due {
                // The case on the desk comes before what is merely fetched ahead.
                let client =
                    if place == 0 { self.client.clone() } else { self.client.background() };
                let worker = Worker { window: self.clone(), client, key: key.clone(), kind: *kind };
                slot.stage = Stage::Busy;
                slot.worker = Some(workers.spawn(worker.prepare()));
            }
            if place == 0 && slot.stage == Stage::Busy {
                most = PARALLEL_BEHIND;
            }
        }
    }
}

/// What was failed or fresh is to be done at once; a worker that is at it goes on.
fn start_anew(slots: &mut HashMap<SessionId, Slot>, key: &SessionId) {
    if let Some(slot) = slots.get_mut(key)
        && slot.stage != Stage::Busy
    {
        slot.stage = Stage::New;
        slot.failures = 0;
    }
}

fn settle(slots: &mut HashMap<SessionId, Slot>, done: &Done, now: Millis) {
    let Some(slot) = slots.get_mut(&done.key) else { return };
    slot.worker = None;
    slot.stage = done.stage;
    if let Stage::Retry(at) = done.stage {
        slot.failures += 1;
        // Doubling, from what the worker asked for up to a minute.
        let wait = (at.since(now).max(500) << slot.failures.min(6)).min(60_000);
        slot.stage = Stage::Retry(now.plus(wait));
    } else {
        slot.failures = 0;
    }
}

/// Prepares one case.
struct Worker {
    window: Window,
    client: Client,
    key: SessionId,
    kind: SubjectKind,
}

/// Where a picture is.
pub struct Found {
    link: Link,
    /// It is the user's portrait and not the picture that matched.
    portrait: bool,
}

/// The picture's link; where the API sent none, the matched session's own face; else the portrait in
/// Didit's record of the user, which is said to be that. Nothing where there is none of these.
///
/// # Errors
/// [`ApiError`] where it could not be asked: then there may be one.
pub async fn picture_link(
    client: &Client,
    details: &Details,
    side: Side,
) -> Result<Option<Found>, ApiError> {
    let own = |link: Option<Link>| link.map(|link| Found { link, portrait: false });
    let place = match side {
        Side::Subject => return Ok(own(details.subject.link.clone())),
        Side::SubjectOf(block) => return Ok(own(details.subject_link(block).cloned())),
        Side::Candidate(place) => place,
    };
    let Some(known) = details.candidates.get(place) else { return Ok(None) };
    if let Some(link) = known.link.clone() {
        return Ok(own(Some(link)));
    }
    let session = details.case.candidates.get(place).and_then(|c| c.session_id.as_ref());
    if let Some(session) = session {
        let other = answered(client.decision(session, SubjectKind::Workflow).await)?;
        if let Some(link) = other.and_then(|other| other.subject.link) {
            return Ok(own(Some(link)));
        }
    }
    let Some(user) = &known.user else { return Ok(None) };
    let link = answered(client.user_portrait(user).await)?.flatten();
    Ok(link.map(|link| Found { link, portrait: true }))
}

/// What was answered; nothing where Didit has nothing of the kind. Two people may decide without a picture, so
/// what could not be asked is no such answer.
fn answered<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind {
            ErrorKind::NotFound
            | ErrorKind::Permission
            | ErrorKind::Validation
            | ErrorKind::Protocol => Ok(None),
            ErrorKind::Key
            | ErrorKind::Credit
            | ErrorKind::WrongStatus
            | ErrorKind::Conflict
            | ErrorKind::Limited { .. }
            | ErrorKind::Server
            | ErrorKind::Network
            | ErrorKind::Timeout
            | ErrorKind::Redirect
            | ErrorKind::Settings => Err(error),
        },
    }
}

/// What became of one picture.
enum Got {
    Here(Millis),
    Refused,
    Later,
    Gone,
}

impl Worker {
    async fn prepare(self) -> Done {
        let stage = self.stages().await;
        Done { key: self.key, stage }
    }

    async fn stages(&self) -> Stage {
        let Some(details) = self.hydrate().await else { return self.retry() };
        let sides: Vec<Side> = std::iter::once(Side::Subject)
            .chain((0..details.candidates.len()).map(Side::Candidate))
            .chain(details.blocks_with_candidates().filter(|b| *b > 0).map(Side::subject_of))
            .collect();
        let mut ends = Vec::new();
        let mut refused = Vec::new();
        let first = sides.iter().map(|side| self.fetch(&details, *side));
        for (side, got) in sides.iter().zip(futures_util::future::join_all(first).await) {
            match got {
                Got::Refused => refused.push(*side),
                other => ends.push(other),
            }
        }
        let given = self.window.given.reply_on(&self.key).is_some();
        if given {
            for side in refused.drain(..) {
                self.tell(side, gone("its link has died, and Didit has no other")).await;
                ends.push(Got::Gone);
            }
        }
        if !refused.is_empty() {
            let Some(fresh) = self.hydrate().await else { return self.retry() };
            let second = refused.iter().map(|side| self.fetch(&fresh, *side));
            for (side, got) in refused.iter().zip(futures_util::future::join_all(second).await) {
                if matches!(got, Got::Refused) {
                    self.tell(*side, gone("the media host refused a fresh link too")).await;
                    ends.push(Got::Gone);
                } else {
                    ends.push(got);
                }
            }
        }
        if ends.iter().any(|got| matches!(got, Got::Later)) {
            return self.retry();
        }
        let soonest = ends.iter().filter_map(|got| match got {
            Got::Here(until) => Some(*until),
            _ => None,
        });
        let now = self.now();
        // There is no fresher link for what was handed in: the bytes are good to their end.
        let anew = |until| if given { until } else { refresh_at(now, until) };
        Stage::Fresh(soonest.min().map_or(now.plus(HELD_MS), anew))
    }

    fn retry(&self) -> Stage {
        Stage::Retry(self.now().plus(1_000))
    }

    fn now(&self) -> Millis {
        self.window.clock.now()
    }

    async fn hydrate(&self) -> Option<Details> {
        let answer = match self.window.given.reply_on(&self.key) {
            Some(details) => Ok(details.clone()),
            None => self.client.decision(&self.key, self.kind).await,
        };
        let (event, link, details) = match answer {
            Ok(details) => (Ok(Box::new(details.clone())), None, Some(details)),
            Err(error) => {
                let problem = problem::of_api(&error);
                let trouble = matches!(problem.kind, ProblemKind::Network | ProblemKind::Key)
                    .then(|| problem.clone());
                (Err(problem), trouble, None)
            }
        };
        let key = self.key.clone();
        let _ = self.window.events.send(Event::Hydrated { key, details: event }).await;
        if link.is_some() {
            let _ = self.window.events.send(Event::Link(link)).await;
        }
        details
    }

    async fn fetch(&self, details: &Details, side: Side) -> Got {
        let here = side == Side::Subject && details.subject.link.is_none();
        let here = if here { self.window.given.picture_of(&self.key).await } else { None };
        match here {
            Some(Ok(file)) => return self.keep(details, side, file).await,
            Some(Err(why)) => {
                self.tell(side, gone(&why)).await;
                return Got::Gone;
            }
            None => {}
        }
        let found = picture_link(&self.client.background(), details, side).await;
        let Found { link, portrait } = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.tell(side, gone(&Self::without(details, side))).await;
                return Got::Gone;
            }
            Err(error) => {
                self.tell(side, PictureState::Failed { why: lower(&error.to_string()) }).await;
                return Got::Later;
            }
        };
        let received = self.now();
        if received >= link_deadline(&link, details.at) {
            return Got::Refused;
        }
        match self.window.fetcher.fetch(&link).await {
            Ok(file) => {
                if portrait {
                    let (key, sha256) = (self.key.clone(), file.sha256().to_owned());
                    let _ = self.window.events.send(Event::Portrait { key, side, sha256 }).await;
                }
                self.keep(details, side, file).await
            }
            Err(FetchError::Refused(_)) => Got::Refused,
            Err(
                error @ (FetchError::Forbidden(_) | FetchError::TooLarge | FetchError::NotAnImage),
            ) => {
                self.tell(side, gone(&lower(&error.to_string()))).await;
                Got::Gone
            }
            Err(error) => {
                self.tell(side, PictureState::Failed { why: lower(&error.to_string()) }).await;
                Got::Later
            }
        }
    }

    /// Why there is no picture, and whose face it is where that is known.
    fn without(details: &Details, side: Side) -> String {
        let Side::Candidate(place) = side else {
            return "Didit sent no link (the key may lack the media right)".to_owned();
        };
        let source = details.case.candidates.get(place).map(|candidate| &candidate.source);
        let why = match source {
            Some(Source::Retained) => "Didit kept a template of this face and no picture",
            Some(Source::Imported) => "Didit gives no picture of this imported face",
            Some(Source::Session | Source::ListEntry | Source::Other(_)) | None => {
                "Didit sent no link (the key may lack the media right)"
            }
        };
        let known = details.candidates.get(place);
        let user = known
            .and_then(|known| known.person.vendor_data.clone().or_else(|| known.user_id.clone()));
        user.map_or_else(|| why.to_owned(), |user| format!("{why}; it is user {user}'s"))
    }

    /// Checks that the bytes are a picture, off the loop, and keeps them.
    async fn keep(&self, details: &Details, side: Side, file: picture::PictureBytes) -> Got {
        let (turn, _) = details.turn_and_faces(side);
        let limits = picture::Limits::default();
        let looked = tokio::task::spawn_blocking(move || {
            let portrait = picture::apart(|| picture::decode(&file, turn, &limits));
            (file, portrait.unwrap_or(Err(DecodeError::Damaged)))
        });
        let Ok((file, portrait)) = looked.await else { return Got::Later };
        let portrait = match portrait {
            Ok(portrait) => portrait,
            Err(error) => {
                self.tell(side, gone(&lower(&error.to_string()))).await;
                return Got::Gone;
            }
        };
        // A verdict on a part of a face is none: what is left of the picture arms nothing.
        if let Some(missing) = portrait.missing() {
            self.tell(side, gone(&format!("damaged: {missing} of the picture is missing"))).await;
            return Got::Gone;
        }
        let until = self.now().plus(HELD_MS);
        let pixels = (portrait.width(), portrait.height());
        let sha256 = file.sha256().to_owned();
        let key = Key { case: self.key.clone(), side };
        self.window.vault.with(|vault| {
            vault.put_file(key, file);
        });
        self.tell(side, PictureState::Ready { sha256, pixels, until }).await;
        Got::Here(until)
    }

    async fn tell(&self, side: Side, state: PictureState) {
        let event = Event::Picture { key: self.key.clone(), side, state };
        let _ = self.window.events.send(event).await;
    }
}

fn gone(why: &str) -> PictureState {
    PictureState::Gone { why: why.to_owned() }
}

/// An error's sentence as part of another one.
fn lower(sentence: &str) -> String {
    let mut chars = sentence.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}
