//! What a terminal may hand on to the program: keys, pastes, focus, size. Nothing else.
//!
//! The terminal's own answers (image protocol replies, status reports) are kept apart by the `term`
//! layer and have no way into these types, so that no answer can ever act as a verdict.

mod key;

pub use key::{BadKey, Key, KeyCode};
