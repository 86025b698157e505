//! Everything that happens, as data. Workers and the terminal make events; only `update` reads them.

use std::collections::BTreeSet;

use super::desk::{PictureState, Side};
use super::model::Size;
use super::opening::Reach;
use super::queue::QueueView;
use crate::domain::{
    DecisionId, DeliveryState, Details, Figures, HistoryRow, LeaseAnswer, Millis, RowKind,
    SessionId, Status, Taken, Undone, Unreadable,
};
use crate::input::Key;

/// Why something did not work, as a sentence for the reviewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind, for what the screen does about it.
    pub kind: ProblemKind,
    /// One sentence that names what is wrong.
    pub text: String,
    /// What to do next.
    pub hint: String,
}

/// Kinds of problem that the screen treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The key is wrong or lacks a right: nothing will work until it is mended.
    Key,
    /// Not there, or hidden from this key.
    NotFound,
    /// The link is down or the server is in trouble: it is tried again.
    Network,
    /// The store does not answer: no decision may be taken.
    Store,
    /// The store answers and keeps nothing: no decision may be taken.
    Unwritable,
    /// The case is not ours, or was decided already.
    Lost,
    /// Anything else.
    Other,
}

/// The terminal has answered that both pictures of a pair are on its screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Painted {
    /// The case they belong to.
    pub case: SessionId,
    /// The candidate's place.
    pub place: usize,
    /// The desk's epoch they were drawn under: an answer for an older one counts for nothing.
    pub epoch: u64,
    /// How they were drawn (`kitty`, `iterm2`, `sixel`, `blocks`).
    pub protocol: String,
    /// Cells each covers: subject, candidate.
    pub cells: [(u16, u16); 2],
    /// Pixels between the eyes as displayed, where a face box is known: subject, candidate.
    pub eye_pixels: [Option<u16>; 2],
    /// How much of each picture the terminal was sent, where there are degrees of it.
    pub tiers: [Option<&'static str>; 2],
}

/// A signal from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal or the connection is gone.
    Hangup,
    /// SIGINT from outside (the key Ctrl-C arrives as a key).
    Interrupt,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A key, when it was read, and how many keys came in the same read.
    Key {
        /// The key.
        key: Key,
        /// When its byte was read.
        at: Millis,
        /// How many keys came with it in one read, itself included.
        burst: u32,
    },
    /// A bracketed paste: its text goes into a line being typed, and decides nothing.
    Paste {
        /// The text.
        text: String,
        /// When it was read.
        at: Millis,
    },
    /// The terminal changed its size.
    Resized(Size),
    /// The terminal window gained (true) or lost the focus.
    Focus(bool),
    /// The terminal is gone.
    InputClosed,
    /// Time passed; asked for by `Model::wake`.
    Tick(Millis),
    /// A signal.
    Signal(Signal),
    /// The store keeps what it is given again, after it failed.
    StoreMended,
    /// Another console looks for new cases, for all.
    LookedElsewhere,
    /// Something in the store has changed, here or at another console.
    News,
    /// A part of the queue was read.
    Queue(Result<Box<QueueView>, Problem>),
    /// A lease was asked for.
    Leased {
        /// The case.
        key: SessionId,
        /// What came.
        answer: Result<LeaseAnswer, Problem>,
    },
    /// A case that came by itself is somebody else's by now; the next free one was leased instead.
    LeasedInstead {
        /// The case that was wanted.
        of: SessionId,
        /// Who has it.
        taken: Taken,
        /// The one that is ours.
        key: SessionId,
    },
    /// A lease could not be renewed: the case is not ours any more.
    LeaseLost {
        /// The case.
        key: SessionId,
        /// In words.
        why: String,
    },
    /// A case was hydrated.
    Hydrated {
        /// The case.
        key: SessionId,
        /// What came.
        details: Result<Box<Details>, Problem>,
    },
    /// A picture is on its way, here, or not to be had.
    Picture {
        /// The case.
        key: SessionId,
        /// Which side.
        side: Side,
        /// Where it stands.
        state: PictureState,
    },
    /// A picture that is told next is the portrait in Didit's record of the user: the one that matched is not to
    /// be had.
    Portrait {
        /// The case.
        key: SessionId,
        /// Which side.
        side: Side,
        /// SHA-256 of its file, hex.
        sha256: String,
    },
    /// Both pictures of a pair are on the terminal's screen.
    Painted {
        /// Of which pair, and how.
        painted: Painted,
        /// When the answer was read.
        at: Millis,
    },
    /// The terminal has answered, and does not hold both pictures of the pair of this epoch.
    Unconfirmed(u64),
    /// The pair on the screen is not painted any more (covered, resized, redrawn).
    Covered,
    /// What is known of the way to the reviewer's eyes.
    Reach(Reach),
    /// Another terminal shows the console than before.
    Attached,
    /// A decision was recorded, or not.
    Decided {
        /// Which.
        id: DecisionId,
        /// What it is now.
        result: Result<DeliveryState, Problem>,
    },
    /// A proposal was ended because what it rested on has changed, or it had ended already.
    Voided {
        /// Its case.
        case: SessionId,
        /// Why, in words.
        why: String,
        /// Whether it was waiting until now.
        result: Result<bool, Problem>,
    },
    /// A case was put to the end of the queue, or not.
    Skipped {
        /// Which.
        key: SessionId,
        /// What came.
        result: Result<(), Problem>,
    },
    /// Undoing was tried.
    Undone {
        /// Which decision.
        id: DecisionId,
        /// What came.
        result: Result<Undone, Problem>,
    },
    /// A settled decision's case was opened again, or not.
    Reopened {
        /// The decision that was settled.
        id: DecisionId,
        /// Its case.
        case: SessionId,
        /// What came.
        result: Result<bool, Problem>,
    },
    /// What this reviewer has on its way or decided last, newest first.
    Outbox(Vec<HistoryRow>),
    /// Workflows whose declines were seen to blocklist the face by themselves.
    Listing(BTreeSet<String>),
    /// Rows of a kind that cannot be read, where those that can were read last.
    Unreadable(RowKind, Vec<Unreadable>),
    /// The history was read, newest first.
    History(Result<Vec<HistoryRow>, Problem>),
    /// The figures were counted.
    Statistics(Result<Box<Figures>, Problem>),
    /// A case left the queue at Didit.
    Departed {
        /// Which.
        key: SessionId,
        /// Its status there, where it can be seen.
        status: Option<Status>,
    },
    /// The intake pulled, and this many cases came, changed or left.
    Pulled {
        /// New in the queue.
        queued: u64,
        /// Left the queue.
        departed: u64,
    },
    /// The intake waits so many milliseconds for Didit's limit of calls a minute. Nothing failed.
    Waits(i64),
    /// A call to Didit went well (`None`) or did not.
    Link(Option<Problem>),
    /// What draws pictures has changed; its name.
    Protocol(String),
    /// Everything held was sent, as far as it could be: leave now.
    Flushed,
    /// A word for the reviewer.
    Say(String),
}
