//! The arguments, from which help, completions and the manual page are made too.

use clap::{Parser, Subcommand, ValueEnum};

/// A terminal console for people who decide whether two faces are the same person.
#[derive(Debug, Parser)]
#[command(name = "secondlook", version, about, propagate_version = true)]
#[command(
    after_help = "Without a command the console opens. `secondlook demo` shows it without a key.\n\
Exit codes: 0 done, 1 failed, 2 usage, 3 nothing to do or not found, 4 key or permission, 5 credit,\n\
6 conflict, 7 network, 8 partly done."
)]
pub struct Args {
    /// The configuration file.
    #[arg(long, global = true, env = "SECONDLOOK_CONFIG", value_name = "FILE")]
    pub config: Option<std::path::PathBuf>,
    /// Where decisions are kept: sqlite:PATH, postgres://… or memory:.
    #[arg(
        long,
        global = true,
        env = "SECONDLOOK_STORE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: Option<String>,
    /// Print data as JSON lines.
    #[arg(long, global = true)]
    pub json: bool,
    /// How pictures are drawn in the console.
    #[arg(long, global = true, value_enum, value_name = "HOW")]
    pub images: Option<Images>,
    /// What to do; without it, the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How pictures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Images {
    /// As the terminal says it can.
    Auto,
    /// kitty's protocol with Unicode placeholders.
    Kitty,
    /// iTerm2's inline images.
    Iterm2,
    /// Sixel.
    Sixel,
    /// Coloured characters.
    Blocks,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the console with drawn faces: no key, no network, no files.
    Demo {
        /// How many cases.
        #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        cases: u32,
        /// Draws the same world each time.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Open the console.
    Review,
    /// Bring flagged cases into the store, without the screen.
    Sync {
        /// Go on until stopped.
        #[arg(long)]
        watch: bool,
    },
    /// See the cases that wait.
    #[command(subcommand)]
    Queue(Queue),
    /// Decide a case without the screen; it is held, then sent by the console or `outbox flush`.
    Decide {
        /// The case: a session id, or its number.
        case: String,
        /// What is to happen.
        #[arg(value_enum)]
        disposition: Verdict,
        /// Why, in one word (different_people, same_person, relatives, known_customer, fraud,
        /// poor_picture, other).
        #[arg(long)]
        reason: Option<String>,
        /// Why, in a sentence; never a name.
        #[arg(long)]
        comment: Option<String>,
        /// For blocklist: the number of the session whose face is to be listed.
        #[arg(long, value_name = "NUMBER")]
        target: Option<u64>,
    },
    /// See and send what is on its way to Didit.
    #[command(subcommand)]
    Outbox(Outbox),
    /// The chain of what was decided, taken back, opened again and settled.
    #[command(subcommand)]
    Audit(Audit),
    /// What was decided and what became of it, newest first.
    History {
        /// At most so many.
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Take a decision back while it is held.
    Undo {
        /// The decision's id, as `history` prints it.
        decision: String,
    },
    /// Run the simulated Didit API alone, for integrators.
    Sim {
        /// Port of the API on 127.0.0.1; any that is free when absent.
        #[arg(long)]
        port: Option<u16>,
        /// Port of the pictures.
        #[arg(long)]
        media_port: Option<u16>,
        /// How many flagged cases.
        #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        cases: u32,
        /// Draws the same world each time.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Life of an image link, seconds.
        #[arg(long, default_value_t = 3600)]
        link_life: u64,
    },
    /// Look at the key, the store, the network and the terminal; say what to mend.
    Doctor,
    /// Print every key of the console.
    Keys,
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Dispositions, as words of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    /// All candidates are other people: the subject becomes Approved.
    Approve,
    /// The same person: the subject becomes Declined.
    Reject,
    /// Declined, and the target's face on the blocklist.
    Blocklist,
    /// To a second reviewer.
    Escalate,
    /// Back to the end of the queue.
    Skip,
}

/// `queue …`
#[derive(Debug, Subcommand)]
pub enum Queue {
    /// List the cases that wait.
    List {
        /// In this state: open, escalated, left, departed, decided.
        #[arg(long, default_value = "open")]
        state: String,
        /// At most so many.
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Show one case.
    Show {
        /// The case: a session id, or its number.
        case: String,
    },
}

/// `outbox …`
#[derive(Debug, Subcommand)]
pub enum Outbox {
    /// List decisions that are on their way.
    List,
    /// Send your held decisions now and wait until nothing is in flight.
    Flush {
        /// Give up after so many seconds.
        #[arg(long, default_value_t = 120)]
        within: u64,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Look whether every entry is as it was written and none is missing; name those that are not.
    Verify {
        /// A file that `audit export` wrote; without it, the store.
        file: Option<std::path::PathBuf>,
    },
    /// Print the entries as JSON lines.
    Export,
}
