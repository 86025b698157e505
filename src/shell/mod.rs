//! The console at work: the loop that owns the terminal and the time, and the workers that turn
//! effects into calls and answers into events. Knows every layer below; decides nothing itself.

mod board;
mod easel;
mod figures;
mod given;
mod leases;
mod pen;
mod problem;
mod process;
mod registry;
mod run;
mod signer;
mod window;
mod workers;

pub use figures::figures;
pub use given::Given;
pub use process::{SystemClock, is_dead, worker_id};
pub use run::{Console, Parts, ShellError, run};
pub use signer::{NAMESPACE, Signed, Signer, check};
