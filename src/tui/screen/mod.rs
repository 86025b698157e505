//! One file a screen; a screen reads the model and draws.

mod card;
mod help;
mod history;
mod interlock;
mod legibility;
mod queue;
mod quit;
mod review;
mod statistics;

pub use card::{card, card_room};
pub use help::{help, reasons};
pub use history::history;
pub use interlock::interlock;
pub use queue::queue;
pub use quit::quit;
pub use review::review;
pub use statistics::statistics;
