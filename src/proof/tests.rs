//! Proofs that no tool here can make: hardware keys, and bytes that nobody meant.
