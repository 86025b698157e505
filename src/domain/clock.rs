//! Where the time comes from, as a word only: no clock is read here. The shell and the commands
//! hand one in; tests hand in one that they turn by hand.

use super::Millis;

/// A source of the present moment.
pub trait Clock: Send + Sync {
    /// The present moment, in milliseconds since the Unix epoch.
    fn now(&self) -> Millis;
}
