//! All integration tests in one binary: one line a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod didit;
mod didit_sim;
mod intake;
mod openapi;
mod outbox;
mod picture;
mod postgres;
mod search;
mod sim;
mod stage;
mod store;
mod store_laws;
mod store_races;
mod term;
