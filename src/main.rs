//! The `secondlook` command: see the library's documentation.

fn main() -> std::process::ExitCode {
    secondlook::cli::main()
}
