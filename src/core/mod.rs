//! The pure heart: `update(model, event) -> effects`.
//!
//! Everything that happens is an [`Event`], everything to be done is an [`Effect`], and both are data.
//! There is no I/O here, no clock, no terminal and no network, so every rule that keeps a wrong person
//! from being decided about can be tested by handing in events.

mod action;
mod desk;
mod effect;
mod event;
mod facts;
mod history;
mod interlock;
mod keymap;
mod line;
mod model;
mod names;
mod opening;
mod queue;
mod sight;
mod statistics;
mod update;
mod verdict;

pub use action::{ACTIONS, Action, ActionInfo, Scope};
pub use desk::{Desk, LeaseState, NotArmed, PictureState, Shown, Side};
pub use effect::{Effect, Wants, wants};
pub use event::{Event, Painted, Problem, ProblemKind, Signal};
pub use facts::{Fact, Mark, Told, clock, date, facts, told};
pub use history::History;
pub use interlock::{Interlock, TargetLine};
pub use keymap::{Keymap, KeymapError};
pub use line::Line;
pub use model::{
    Cause, Exit, FORCED, Leaving, Link, Model, Notice, Overlay, Pending, Screen, Settings,
    Severity, Size, StoreTrouble, Unsent,
};
pub use names::held as name_held;
pub use opening::{CHOICES, Opening, Reach};
pub use queue::{QueueView, View};
pub use sight::{Sight, Zoom};
pub use statistics::Statistics;
pub use update::update;
pub use verdict::{Consequence, candidates};
