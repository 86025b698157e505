//! What the program knows, as one value. Screens are an enum, overlays a stack: there is no flag that
//! could contradict another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::desk::{Desk, NotArmed, PictureState, Side};
use super::history::History;
use super::interlock::Interlock;
use super::keymap::Keymap;
use super::line::Line;
use super::opening::{Reach, Tries};
use super::queue::{QueueView, View};
use super::statistics::Statistics;
use super::{Action, Scope};
use crate::domain::{
    Bands, Decision, DecisionId, DeliveryState, Details, HistoryRow, Millis, QueueRow, Reviewer,
    SessionId, Status, Unreadable,
};

/// A size in cells: columns, rows.
pub type Size = (u16, u16);

/// Stands behind the name of what draws pictures where only a wish says that it does.
pub const FORCED: &str = " (forced)";

/// What the rules depend on, handed in once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The band edges.
    pub bands: Bands,
    /// Undo window in milliseconds.
    pub undo_ms: i64,
    /// How long both faces must have been on the screen before a key decides, in milliseconds.
    pub dwell_ms: i64,
    /// Pairs kept hydrated and fetched around the cursor.
    pub window_pairs: u16,
    /// Statuses of workflow sessions that are in review.
    pub statuses: Vec<Status>,
    /// Who decides.
    pub reviewer: Reviewer,
    /// Why they cannot be one of two people, in words; nothing where they can.
    pub alone: Option<String>,
    /// Why nothing of theirs can be recorded, in words: the team wants it signed, and nothing can sign.
    pub unsigned: Option<String>,
    /// A word that stands in the corner: `DEMO`, or the host of the API.
    pub place: String,
    /// The keys.
    pub keymap: Keymap,
    /// The smallest screen on which a face can be judged.
    pub smallest: Size,
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screen {
    /// The pair.
    #[default]
    Review,
    /// The list of cases.
    Queue,
    /// What was decided.
    History,
    /// Figures.
    Statistics,
}

impl Screen {
    /// The scope of its keys.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Review => Scope::Review,
            Self::Queue => Scope::Queue,
            Self::History => Scope::History,
            Self::Statistics => Scope::Statistics,
        }
    }
}

/// What lies over the screen. The top of the stack takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// Every key of the screen; scrolled by this many lines.
    Help(u16),
    /// One more key names the reason.
    Reason,
    /// A comment being typed.
    Comment(Line),
    /// A filter being typed.
    Filter(Line),
    /// The blocklist interlock. Does not cover the pictures.
    Interlock(Interlock),
    /// Send, keep or stay?
    Quit,
    /// Everything hidden.
    Curtain,
}

/// How loud a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// Something did not happen as asked.
    Warn,
    /// Something is wrong.
    Error,
}

/// A word for the reviewer, until another one comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub severity: Severity,
    /// A sentence.
    pub text: String,
    /// Since when.
    pub at: Millis,
    /// What it is about, where that passes: the word goes with it.
    pub cause: Option<Cause>,
    /// What is true of it when that has passed.
    pub rest: Option<String>,
}

/// What a word can be about that passes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The store keeps nothing.
    Store,
    /// Didit does not answer.
    Link,
}

/// A decision that the screen has left but the store has not confirmed: the footer says `saving`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The decision.
    pub decision: Decision,
    /// Where its row was.
    pub index: usize,
    /// Its row, to be put back if it cannot be kept.
    pub row: QueueRow,
    /// The desk as it was, to be put back.
    pub desk: Desk,
    /// Whether the store has been asked. Until a burst of keys can be ruled out it has not.
    pub asked: bool,
    /// Whether it is to be taken back as soon as it is recorded.
    pub undo: bool,
}

/// How Didit can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// Nothing was heard yet.
    #[default]
    Unknown,
    /// The last call went well.
    Online,
    /// Another console of the team looks for new cases; nothing was asked from here.
    Elsewhere,
    /// The last call failed, in words.
    Down(String),
    /// The calls of this minute are used up; the intake goes on at this moment.
    Waits(Millis),
}

/// What is wrong with the store: nothing is taken that it cannot keep. A write that went well ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// It does not answer.
    Unreachable,
    /// It answers and takes nothing, as on a full disk.
    Unwritable,
}

impl StoreTrouble {
    /// The words of the status line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "the store cannot be reached",
            Self::Unwritable => "decisions cannot be kept",
        }
    }
}

/// Why the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The reviewer left.
    Quit,
    /// A signal, or the terminal went away.
    Gone,
}

/// What is waited for before the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Decisions are being recorded.
    Saving,
    /// Decisions are being recorded; what is held is sent after that.
    SavingToFlush,
    /// Held decisions are being sent; a second ctrl-c leaves at once.
    Flushing,
    /// Nothing: the terminal is gone.
    Gone,
}

/// Decisions on their way, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsent {
    /// In the undo window (those being saved included).
    pub held: usize,
    /// On the wire, or waiting for a lost answer.
    pub sending: usize,
    /// Decided otherwise at Didit: the reviewer has to look.
    pub conflicts: usize,
    /// Refused for good.
    pub refused: usize,
    /// Blocklistings of which the status is written and the face is not listed.
    pub half: usize,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Model {
    /// What the rules depend on.
    pub settings: Settings,
    /// What fills the screen.
    pub screen: Screen,
    /// What lies over it.
    pub overlays: Vec<Overlay>,
    /// The queue, as far as it is in memory.
    pub queue: QueueView,
    /// Which cases are listed.
    pub view: View,
    /// The case to open on, where it is not the first one.
    pub first: Option<SessionId>,
    /// Whether the queue has been read at all, and whether it is being read now.
    pub queue_read: bool,
    /// Whether a read of the queue is under way.
    pub queue_loading: bool,
    /// The case around which it is being read.
    pub queue_around: Option<SessionId>,
    /// Whether it is to be read once more after that.
    pub queue_again: bool,
    /// The case on the desk; also the cursor of the queue.
    pub desk: Option<Desk>,
    /// Details of the cases in the window.
    pub details: BTreeMap<SessionId, Details>,
    /// Why a case in the window could not be hydrated.
    pub unreachable: BTreeMap<SessionId, String>,
    /// Which pictures are portraits in Didit's record of a user, by the hash of the file.
    pub portraits: BTreeMap<(SessionId, Side), String>,
    /// Pictures of the cases in the window.
    pub pictures: BTreeMap<(SessionId, Side), PictureState>,
    /// Decisions that are not confirmed yet, oldest first.
    pub pending: VecDeque<Pending>,
    /// What the store has recorded and no reading of the outbox has shown yet, newest first.
    pub recorded: Vec<HistoryRow>,
    /// What this reviewer has on its way or decided last, newest first, as it was last read.
    pub outbox: Vec<HistoryRow>,
    /// The history screen.
    pub history: History,
    /// Rows of the store that cannot be read, as far as they were looked at.
    pub unreadable: Vec<Unreadable>,
    /// Workflows whose declines were seen to blocklist the face by themselves.
    pub listing: BTreeSet<String>,
    /// The statistics screen.
    pub statistics: Statistics,
    /// A word for the reviewer.
    pub notice: Option<Notice>,
    /// How Didit can be reached.
    pub link: Link,
    /// Why no decision is taken, if so.
    pub store_trouble: Option<StoreTrouble>,
    /// How pictures are drawn.
    pub protocol: String,
    /// What is known of the way to the reviewer's eyes.
    pub reach: Reach,
    /// Another terminal shows the console than before, and nobody has said by a key that it is theirs.
    pub attached_anew: bool,
    /// Tries to open a pair.
    pub tries: Tries,
    /// Size of the terminal.
    pub size: Size,
    /// The newest time an event told.
    pub now: Millis,
    /// Arrival times of the last keys: a burst decides nothing.
    pub arrivals: VecDeque<Millis>,
    /// When each deciding key was last seen: a held key decides at most once.
    pub last_press: BTreeMap<Action, Millis>,
    /// What is waited for before the program ends, once the reviewer has asked to leave.
    pub leaving: Option<Leaving>,
    /// Set when the program is to end.
    pub exit: Option<Exit>,
    /// Cases that were opened again, and the settled decision that the next one replaces.
    pub reopened: BTreeMap<SessionId, DecisionId>,
    /// Raised for every new desk, so that no answer for an old pair arms a new one.
    pub epoch: u64,
    /// The desk before the newest deciding key, and when that was.
    pub before_burst: Option<(Millis, Desk)>,
    /// Where decision ids come from; seeded by the shell.
    pub random: fastrand::Rng,
}

impl Model {
    /// A program that has just started.
    #[must_use]
    pub fn new(settings: Settings, size: Size, now: Millis, seed: u64) -> Self {
        Self {
            settings,
            screen: Screen::Review,
            overlays: Vec::new(),
            queue: QueueView::default(),
            view: View::default(),
            first: None,
            queue_read: false,
            queue_loading: false,
            queue_around: None,
            queue_again: false,
            desk: None,
            details: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            portraits: BTreeMap::new(),
            pictures: BTreeMap::new(),
            pending: VecDeque::new(),
            recorded: Vec::new(),
            outbox: Vec::new(),
            history: History::default(),
            unreadable: Vec::new(),
            listing: BTreeSet::new(),
            statistics: Statistics::default(),
            notice: None,
            link: Link::Unknown,
            store_trouble: None,
            protocol: String::new(),
            reach: Reach::default(),
            attached_anew: false,
            tries: Tries::default(),
            size,
            now,
            arrivals: VecDeque::new(),
            last_press: BTreeMap::new(),
            leaving: None,
            exit: None,
            reopened: BTreeMap::new(),
            epoch: 0,
            before_burst: None,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Where the cursor is among the rows in memory.
    #[must_use]
    pub fn cursor_index(&self) -> Option<usize> {
        self.queue.position(&self.desk.as_ref()?.key)
    }

    /// The row of a case, if it is in memory.
    #[must_use]
    pub fn row(&self, key: &SessionId) -> Option<&QueueRow> {
        self.queue.rows.iter().find(|row| row.case.key == *key)
    }

    /// The settled decision that the next one about a case replaces, if it was opened again.
    #[must_use]
    pub fn replaces(&self, key: &SessionId) -> Option<DecisionId> {
        self.reopened.get(key).copied().or_else(|| self.row(key)?.replaces)
    }

    /// The details of the case on the desk.
    #[must_use]
    pub fn desk_details(&self) -> Option<&Details> {
        self.details.get(&self.desk.as_ref()?.key)
    }

    /// What somebody proposed about the case on the desk.
    #[must_use]
    pub fn proposal(&self) -> Option<&Decision> {
        self.row(&self.desk.as_ref()?.key)?.proposal.as_deref()
    }

    /// The picture's state; waiting when nothing was heard.
    #[must_use]
    pub fn picture(&self, key: &SessionId, side: Side) -> &PictureState {
        self.pictures.get(&(key.clone(), side)).unwrap_or(&PictureState::Waiting)
    }

    /// Whether what is shown of a side is the portrait of a user and not the picture that matched.
    #[must_use]
    pub fn is_portrait(&self, key: &SessionId, side: Side) -> bool {
        let known = self.portraits.get(&(key.clone(), side));
        matches!(self.picture(key, side), PictureState::Ready { sha256, .. } if known == Some(sha256))
    }

    /// Whether pictures are drawn as somebody wished, and the terminal does not say that it can.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.protocol.ends_with(FORCED)
    }

    /// Whether the screen is large enough for faces.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.size.0 >= self.settings.smallest.0 && self.size.1 >= self.settings.smallest.1
    }

    /// Whether the overlays leave the pictures to be seen.
    #[must_use]
    pub fn pictures_visible(&self) -> bool {
        self.screen == Screen::Review
            && self
                .overlays
                .iter()
                .all(|o| matches!(o, Overlay::Interlock(_) | Overlay::Reason | Overlay::Comment(_)))
    }

    /// Whether a deciding key would count, pressed at `at`; else why not.
    ///
    /// # Errors
    /// [`NotArmed`], whose words the status line shows.
    pub fn armed(&self, at: Millis) -> Result<(), NotArmed> {
        let desk = self.case_at_hand()?;
        for side in desk.sides() {
            match self.picture(&desk.key, side) {
                PictureState::Ready { until, .. } if *until > at => {}
                PictureState::Ready { .. }
                | PictureState::Waiting
                | PictureState::Failed { .. } => {
                    return Err(NotArmed::Loading);
                }
                PictureState::Gone { why } => return Err(NotArmed::Gone(why.clone())),
            }
        }
        if !self.pictures_visible() {
            return Err(NotArmed::Covered);
        }
        if at.since(self.seen_since()?) < self.settings.dwell_ms {
            return Err(NotArmed::Dwell);
        }
        Ok(())
    }

    /// Of which faces of the pair on the desk there is no picture and none to come, in words; nothing where both
    /// can be looked at, or may be yet.
    #[must_use]
    pub fn blind(&self) -> Option<String> {
        let (desk, details) = (self.desk.as_ref()?, self.desk_details()?);
        let case = &details.case;
        if case.set_aside > 0 && case.must_judge(&self.settings.bands).next().is_none() {
            return Some(format!("{} cannot be read", super::verdict::candidates(case.set_aside)));
        }
        let sides = desk.sides().map(|side| self.picture(&desk.key, side));
        let gone = sides.map(|state| matches!(state, PictureState::Gone { .. }));
        let here = sides.map(|state| matches!(state, PictureState::Ready { .. }));
        let faces = match gone {
            [false, false] => return None,
            [true, false] => "A",
            [false, true] => "B",
            [true, true] => "A and B",
        };
        let known = gone.iter().zip(here).all(|(gone, here)| *gone || here);
        known.then(|| format!("no picture of {faces}"))
    }

    /// Whether something could be decided without a picture: all that is asked of a deciding key but the picture.
    ///
    /// # Errors
    /// [`NotArmed`], whose words the status line shows.
    pub fn ready_but_for_pictures(&self) -> Result<(), NotArmed> {
        self.case_at_hand()?;
        if !self.pictures_visible() {
            return Err(NotArmed::Covered);
        }
        Ok(())
    }

    /// The desk, where its case can be decided as far as its pictures have no say in that.
    fn case_at_hand(&self) -> Result<&Desk, NotArmed> {
        let desk = self.desk.as_ref().ok_or(NotArmed::NoCase)?;
        if !self.fits() {
            return Err(NotArmed::TooSmall);
        }
        if let Some(trouble) = self.store_trouble {
            return Err(NotArmed::Store(trouble.words().to_owned()));
        }
        self.lease_held(desk)?;
        if self.row(&desk.key).is_none() {
            return Err(NotArmed::Loading);
        }
        if let Some(why) = self.unreachable.get(&desk.key) {
            return Err(NotArmed::Gone(why.clone()));
        }
        if self.desk_details().is_none() {
            return Err(NotArmed::Loading);
        }
        Ok(desk)
    }

    /// Whether the lease is ours; else why not.
    ///
    /// # Errors
    /// [`NotArmed::Lease`].
    pub fn lease_held(&self, desk: &Desk) -> Result<(), NotArmed> {
        use super::desk::LeaseState;
        if let Some(why) = &self.settings.unsigned {
            return Err(NotArmed::Lease(why.clone()));
        }
        match &desk.lease {
            LeaseState::Ours => Ok(()),
            LeaseState::Asking => Err(NotArmed::Lease("claiming the case".to_owned())),
            LeaseState::Taken(taken) if taken.reviewer.id == self.settings.reviewer.id => {
                Err(NotArmed::Lease("open in your other terminal, read-only here".to_owned()))
            }
            LeaseState::Taken(taken) => {
                let name = crate::domain::printable(&taken.reviewer.name, 20);
                Err(NotArmed::Lease(format!("{name} has it, read-only")))
            }
            LeaseState::Closed(state) => Err(NotArmed::Lease(state.word().to_owned())),
            LeaseState::Lost(why) => Err(NotArmed::Lease(why.clone())),
        }
    }

    /// What this reviewer has decided, newest first: what was recorded since the outbox was last read, and
    /// what it holds. A decision is in one of them from the moment that it is pending no more.
    pub fn decided(&self) -> impl Iterator<Item = &HistoryRow> {
        self.recorded.iter().chain(&self.outbox)
    }

    /// Decisions on their way, counted.
    #[must_use]
    pub fn unsent(&self) -> Unsent {
        let count = |wanted: fn(DeliveryState) -> bool| {
            self.decided().filter(|row| wanted(row.state)).count()
        };
        Unsent {
            held: self.pending.len() + count(|s| s == DeliveryState::Held),
            sending: count(|s| matches!(s, DeliveryState::Sending | DeliveryState::Unknown)),
            conflicts: count(|s| s == DeliveryState::Conflict),
            refused: count(|s| s == DeliveryState::Refused),
            half: self.decided().filter(|row| row.is_half()).count(),
        }
    }

    /// Says something to the reviewer.
    pub fn say(&mut self, severity: Severity, text: impl Into<String>) {
        let text = text.into();
        self.notice = Some(Notice { severity, text, at: self.now, cause: None, rest: None });
    }

    /// Says what is wrong, as long as it is.
    pub fn say_while(&mut self, cause: Cause, text: impl Into<String>, rest: Option<String>) {
        let (severity, text, at) = (Severity::Error, text.into(), self.now);
        self.notice = Some(Notice { severity, text, at, cause: Some(cause), rest });
    }

    /// What words were about has passed.
    pub fn passed(&mut self, cause: Cause) {
        let Some(notice) = self.notice.take_if(|notice| notice.cause == Some(cause)) else {
            return;
        };
        if let Some(rest) = notice.rest {
            self.say(Severity::Warn, rest);
        }
    }

    /// The store keeps what it is given.
    pub fn store_keeps(&mut self) {
        self.store_trouble = None;
        self.passed(Cause::Store);
    }

    /// When `update` wants to be called again without anything happening: the end of a dwell, of a
    /// burst's window, the next second of a countdown on the screen, or when another reviewer is gone.
    #[must_use]
    pub fn wake(&self) -> Option<Millis> {
        let saving = self
            .pending
            .iter()
            .filter(|p| !p.asked)
            .map(|p| p.decision.at.plus(super::verdict::KEPT_BACK_MS));
        let dwell = self
            .seen_since()
            .ok()
            .map(|at| at.plus(self.settings.dwell_ms))
            .filter(|at| *at > self.now);
        let has_images = matches!(self.screen, Screen::Review | Screen::Queue);
        let counting = self.unsent().held > 0 || (has_images && self.desk.is_some());
        let second = counting.then(|| Millis(self.now.0 - self.now.0.rem_euclid(1000) + 1000));
        let gone = self.queue.next_gone(&self.settings.reviewer.id);
        saving.chain(dwell).chain(second).chain(gone).min()
    }
}
