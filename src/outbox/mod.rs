//! Brings decisions to Didit, each exactly once: claim, read, compare, write, read back, settle.
//!
//! Three parts: `policy` says what to do next (pure), `worker` does it for one decision, `runner`
//! takes what is due. It knows the store and the client; it refuses to know screens, keys and the
//! time of day, which is handed in.

pub mod policy;
mod runner;
mod worker;

pub use runner::{Event, Flushed, Flushing, Outbox, QUIET, Settings};
pub use worker::{Attempt, Limits, deliver_one};
