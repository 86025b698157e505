//! A terminal console for people who decide whether two faces are the same person.
//!
//! It takes the possible matches that Didit Face Search flags, shows the two faces side by side and
//! turns one key into a durable, attributed decision at Didit, exactly once.
//!
//! # The layers
//!
//! Who may know whom, lowest first; only downwards. `tests/it/layers.rs` reads this block and fails
//! on any other `crate::` path, so the map is the law and not a picture of it.
//!
//! ```text
//! domain:
//! input:
//! config: domain input
//! core: domain input config
//! proof: domain
//! roster: domain proof
//! didit: domain
//! store: domain proof roster
//! picture: domain
//! term: input
//! intake: domain didit store
//! outbox: domain didit roster store
//! webhook: domain didit store intake
//! sim:
//! tui: domain input config core picture term
//! shell: domain input config core proof roster didit store picture term intake outbox tui
//! cli: domain input config core proof roster didit store picture term intake outbox webhook tui shell sim
//! ```

// An optimised build lays out a command's whole state at once, down to the database's statements.
#![recursion_limit = "256"]

pub mod cli;
pub mod config;
pub mod core;
pub mod didit;
pub mod domain;
pub mod input;
pub mod intake;
pub mod outbox;
pub mod picture;
pub mod proof;
pub mod roster;
pub mod shell;
pub mod sim;
pub mod store;
pub mod term;
pub mod tui;
pub mod webhook;
