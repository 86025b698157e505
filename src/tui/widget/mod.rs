//! Pieces that several screens share.

mod keys;
mod picture;
mod status;

pub use keys::key_line;
pub use picture::picture;
pub use status::{duration, entry, notice, status_line};
