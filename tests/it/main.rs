//! All integration tests in one binary: one line a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod audit;
mod bad_input;
mod cli;
mod core_support;
mod crash;
mod didit;
mod didit_sim;
mod documents;
mod export;
mod fuzz;
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
mod ssh;
mod stage;
mod store;
mod store_laws;
mod store_races;
mod stretch;
mod term;
mod terminal;
mod tmux;
mod webhook;
