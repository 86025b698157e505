//! The screens: from the model to cells. Takes everything by shared reference, changes nothing, and
//! answers with the pictures it placed, so that the shell can have them painted and acknowledged.

mod draw;
mod gallery;
mod layout;
mod screen;
mod theme;
mod widget;

pub use draw::{Drawn, PlacedPicture, draw};
pub use gallery::{Eyes, Frame, FrameBody, FrameKey, Gallery};
pub use layout::{ReviewLayout, SMALLEST, region, size};
pub use screen::{card, card_room};
pub use theme::{Meaning, Theme};
pub use widget::{bar, picture};
