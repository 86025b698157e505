//! The `secondlook` command: see the library's documentation.

/// Gives back what was freed: see CONTRIBUTING.md for the figures.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    secondlook::cli::main()
}
