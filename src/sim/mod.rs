//! A simulated Didit on loopback, for the demo, the tests and integrators.

pub mod faces;
