//! The `secondlook` command: see the library's documentation.

fn main() {}
