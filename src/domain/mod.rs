//! The words of the trade and their pure rules.
//!
//! Everything here is plain data: no I/O, no clock, no terminal, no HTTP. A word used on the
//! screen, in a column or in a document is a type here, and means one thing (README, "Words").
//! Time is always a parameter, in Unix milliseconds ([`Millis`]).

mod case;
mod clock;
mod decision;
mod details;
mod figures;
mod ids;
mod risks;
mod rows;
mod share;
mod text;

pub use case::{
    Band, Bands, Candidate, Case, CaseState, Explained, Similarity, Source, Status, SubjectKind,
    Tally,
};
pub use clock::Clock;
pub use decision::{
    Agreement, Comment, Decision, DeliveryState, Disposition, Judged, Judgement, Reading, Reason,
    Receipt, Reviewer, SeenPicture, Target,
};
pub use details::{
    BoundingBox, CandidateDetails, Details, Link, OtherPicture, Person, ReviewEntry, Side,
    SubjectDetails, UserKey, Warning,
};
pub use figures::{Counts, Figures, Medians, ReadTwice, Section, Spans, Tallier, Told};
pub use ids::{BadId, DecisionId, Millis, Origin, ReviewerId, SessionId, WorkerId};
pub use risks::{face_risks, risk_in_short, risk_words};
pub use rows::{
    Admitted, Along, CallVerb, CallsAsked, CallsGranted, Delivery, HistoryQuery, HistoryRow,
    Holder, Lease, LeaseAnswer, Parked, ParkedAs, Past, Place, Progress, QueuePage, QueueQuery,
    QueueRow, Retried, RowKind, SeenWorkflow, Settled, Start, Taken, Undone, Unreadable, blind,
};
pub use share::{SLICE_MS, Urgency};
pub use text::{mask_number, printable, redact_mentions};
