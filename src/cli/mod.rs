//! The command line: arguments, the putting together of the parts, exit codes. The only place that names
//! concrete stores and clients.
//!
//! Data goes to standard output, talk to standard error. Every failure is one sentence with a next step.

mod args;
mod commands;
mod error;
mod help;
mod identity;
mod key;
mod output;
mod paths;
mod wire;

use std::process::ExitCode;

pub use args::{Args, Command};
pub use error::{CliError, Exit};
pub use help::{WORDS, Words, command};

use crate::{picture, term};

/// Parses the arguments, does what they ask, and answers with the exit code.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    term::end_on_panic(picture::is_apart);
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are data, errors are talk.
            let printed = error.print();
            return match printed {
                Err(error) => output::unwritten(error).report(),
                Ok(()) if error.use_stderr() => Exit::Usage.into(),
                Ok(()) => Exit::Done.into(),
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return CliError::failed(format!("no thread can be started: {error}")).report();
        }
    };
    let result = runtime.block_on(commands::run(args));
    // Whatever still runs (a decoder, say) holds nothing that has to be kept.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(exit) => exit.into(),
        Err(error) => error.report(),
    }
}

/// Faces, links and keys are in this process's memory: a crash must leave none of them on a disk, and
/// no other program of the same user, a debugger say, may read them. Before anything is read that is
/// worth it. It also leaves all of the memory out of dumps, so no part of it is marked for that.
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A system without the limit has no core dumps to forbid; `doctor` says what is in force.
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
