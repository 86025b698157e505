//! All integration tests in one binary: one line a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod core_support;
mod crash;
mod didit;
mod didit_sim;
mod documents;
mod ingest;
mod intake;
mod laws;
mod layers;
mod openapi;
mod outbox;
mod picture;
mod postgres;
mod pty;
mod races;
mod readme;
mod screens;
mod search;
mod sim;
mod stage;
mod store;
mod store_laws;
mod store_races;
mod term;
mod terminal;
