//! Pictures: from a link to what a terminal can show.
//!
//! One way, in five steps: [`Fetcher`] follows a link under [`Rules`] and hands back
//! [`PictureBytes`]; [`decode`] makes a [`Portrait`] of them; [`fit`] cuts and scales the portrait
//! for a pane; [`encode`] turns that into one terminal protocol; [`Vault`] keeps bytes and
//! portraits in bounded memory meanwhile. Everything but the fetching is a plain function, to be run
//! on a worker and [`apart`]. Nothing here knows a case, a queue, a screen or the disk, and nothing that holds a
//! face prints it: every `Debug` here says sizes only, every buffer of ours is wiped when dropped.

mod apart;
mod bytes;
mod deadline;
mod decode;
mod fetch;
mod finder;
mod frame;
mod gap;
mod locked;
mod pose;
pub mod protocol;
mod read;
mod rules;
mod scale;
mod shrink;
mod vault;

pub use apart::{apart, is_apart};
pub use bytes::{Format, PictureBytes};
pub use deadline::{link_deadline, refresh_at};
pub use decode::{Area, DecodeError, Limits, Portrait, decode};
pub use fetch::{FetchError, Fetcher};
pub use finder::FaceFinder;
pub use frame::{Aim, FitError, Fitted, Pane, Region, View, eye_pixels, fit, likely_face};
pub use locked::may_lock;
pub use protocol::{
    CellMode, CellPicture, Colours, EncodeError, EncodeOptions, Encoded, Ground, Ink, PROTOCOLS,
    PictureCell, Protocol, Tier, Wrap, encode,
};
pub use read::{BEHIND, KINDS, Kind, Percent, Shown, readable};
pub use rules::{Breach, Rules};
pub use shrink::shrink;
pub use vault::{Held, Key, Side, Vault};
