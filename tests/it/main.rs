//! All integration tests in one binary: one line a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod openapi;
mod sim;
