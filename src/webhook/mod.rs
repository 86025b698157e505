//! Receives Didit's events: checks who sent them and when, answers at once, works afterwards.
//!
//! It knows the client's reading of events and the intake's rules. It refuses to know the time, which is
//! handed in, and the network beyond its own listener. An event is answered with 2xx only when it has a
//! place in the queue; when that is full the answer is 503, and Didit sends it again.

mod canonical;
mod http;
mod receiver;
mod recent;
mod signature;
mod work;

pub use http::{Told, serve};
pub use receiver::{Answer, Limits, Receiver, Waiting};
pub use signature::{Headers, Refusal, Scheme, Signed, Trust, verify};
pub use work::{Notice, Report, work};
