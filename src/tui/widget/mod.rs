//! Pieces that several screens share.

mod bar;
mod fit;
mod keys;
mod picture;
mod status;
mod unread;

pub use bar::bar;
pub use fit::{Piece, clip, fit, pad, piece};
pub use keys::key_line;
pub use picture::{anchor, picture};
pub use status::{duration, entry, notice, notice_above, status_line};
pub use unread::unread_lines;
