//! The console at work: the loop that owns the terminal and the time, and the workers that turn
//! effects into calls and answers into events. Knows every layer below; decides nothing itself.

pub mod agent;
mod board;
pub mod child;
mod drawing;
mod easel;
mod given;
mod interview;
mod leases;
mod memory;
mod pen;
pub mod private;
mod problem;
mod process;
mod registry;
mod run;
mod signer;
mod tmux;
mod way;
mod who;
mod window;
mod workers;

pub use drawing::{CellFrom, Drawing, encoder};
pub use given::Given;
pub use interview::{Card, CardShown, Interview, interview};
pub use memory::{Memory, MemoryError, Place};
pub use pen::{Pen, Sink};
pub use process::{SystemClock, ancestors, is_dead, worker_id};
pub use run::{Console, Parts, ShellError, run};
pub use signer::{NAMESPACE, Signed, Signer};
pub use who::{AgentAt, Hand, Hint, Who, hint, roster, who};
pub use window::picture_link;
