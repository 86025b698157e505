//! The terminal itself: one reader, one writer, one guard; nobody else touches it.
//!
//! What comes from the terminal is either a key, a paste, a change of focus, or an answer to a
//! question of ours ([`Heard`]); an answer never becomes a key, however it is cut. What goes to the
//! terminal is either a text frame or a picture in chunks ([`Writer`]); frames go first, pictures
//! in a window that keeps the keyboard quick on a slow link. [`Guard`] puts everything back on
//! every way out, and a panic is one, after which nothing goes on. This module knows nothing of cases, pictures' contents or screens.

mod answers;
mod choose;
mod fault;
mod guard;
mod pacer;
mod parser;
mod probe;
mod reader;
#[cfg(test)]
mod recorded;
mod sequence;
mod tty;
mod writer;

pub use answers::Answers;
pub use choose::{
    Blocks, Choice, Colours, Environment, PASSTHROUGH, Protocol, Wish, Wishes, choose, is_proven,
};
pub use fault::{end_on_panic, install_panic_hook};
pub use guard::{Guard, restore_sequence};
pub use pacer::{Event, Link, Upload, What};
pub use parser::{Answer, Heard, Parser};
pub use probe::{Capabilities, Inside, Probe, Question, ask_behind_tmux, questions, wrap_for_tmux};
pub use reader::{Arrival, Reader};
pub use tty::{Size, open, size};
pub use writer::{FRAMES, Hush, MARKS, Refused, UPLOADS, Writer};
