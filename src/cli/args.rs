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

const INGEST_HELP: &str = "\
Older shapes and today's are understood. Only what the store keeps is kept: no name, no link. A known case
stays as it is. A search that Didit did not save is counted as unsaved: nobody can look at it later.
A line that cannot be read is named by its number on standard error, and the others are kept; the exit
code is then 8, or 1 when no line could be read. A line holds at most 8 MiB.";

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
    /// Search all enrolled faces for the face in a picture, or in many. Each search is billed.
    Search(Search),
    /// Check one person: passive liveness, face search, ID verification, face match. Each is billed.
    Verify(Verify),
    /// Show what is left at Didit, to the last digit.
    Balance,
    /// Buy credit: prints the link to a page to pay on. Nothing is charged before that.
    TopUp {
        /// How much, 50 or more, such as 100 or 99.50.
        #[arg(value_name = "DOLLARS")]
        dollars: String,
        /// Do not ask twice.
        #[arg(long)]
        yes: bool,
    },
    /// Register at Didit, log in, log out. Password and code are asked for, or read from standard input.
    #[command(subcommand)]
    Account(Account),
    /// Bring in cases from a file or a pipe: face-search replies, decisions or webhook payloads, one
    /// JSON object a line.
    #[command(after_help = INGEST_HELP)]
    Ingest {
        /// The file; - for standard input.
        #[arg(value_name = "FILE|-")]
        file: std::path::PathBuf,
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
    /// Make the store, look at it, carry it to another place, or give it to a new key.
    #[command(subcommand)]
    Store(StoreAct),
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
    /// See whose faces are on the blocklist at Didit, and take one off.
    #[command(subcommand)]
    Blocklist(Blocklist),
    /// Receive Didit's events, and say where Didit sends them.
    #[command(subcommand)]
    Webhook(Webhook),
    /// Every decision with its judgements, for other programs. Never a name, never a link.
    Export {
        /// JSON lines, or a table for a spreadsheet.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: ExportFormat,
    },
    /// Figures: cases by band and state; decisions by disposition, state, reviewer and hour; times.
    Stats,
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
    /// Show every setting and where it comes from, or write a configuration file to begin with.
    #[command(subcommand)]
    Config(What),
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

/// `search …`
#[derive(Debug, clap::Args)]
#[command(after_help = "On a terminal the result is a table, else JSON lines:\n\
{file, request_id, status, matches: [{session_id, similarity_percentage, band, is_blocklisted}], queued, error}\n\
The same picture twice is searched once. Ctrl-C waits for the answers under way; a second one does not.\n\
Exit codes: 0 done, 1 all failed, 3 no picture, 4 key, 5 credit, 7 network, 8 stopped or partly failed.\n\
Example: secondlook search selfies/ --resume night.jsonl --enqueue --yes")]
pub struct Search {
    /// Pictures, folders of pictures, or - for a list of them on standard input, one a line.
    #[arg(required = true, value_name = "IMAGE")]
    pub files: Vec<std::path::PathBuf>,
    /// Try each picture in all four directions; slower.
    #[arg(long)]
    pub rotate: bool,
    /// Your own id for the person, kept and echoed by Didit.
    #[arg(long, value_name = "TEXT")]
    pub vendor_data: Option<String>,
    /// Which enrolled faces to look at.
    #[arg(long, value_enum, default_value = "most-similar", value_name = "TYPE")]
    pub search_type: SearchType,
    /// A JSON object, kept and echoed by Didit. A tag is added under `secondlook`, by which a search
    /// whose answer was lost is found again.
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
    /// Let Didit keep nothing: without images, and such a search can never be queued.
    #[arg(long)]
    pub no_save: bool,
    /// Searches at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub jobs: u8,
    /// Make pictures over 5 MB smaller; EXIF orientation is kept.
    #[arg(long)]
    pub shrink: bool,
    /// Note every result here and go on from it next time: no file is billed twice. It holds all
    /// results; printed are those of this run.
    #[arg(long, value_name = "FILE")]
    pub resume: Option<std::path::PathBuf>,
    /// Do not ask before searches are billed.
    #[arg(long)]
    pub yes: bool,
    /// Put possible matches into the queue for review.
    #[arg(long, conflicts_with = "no_save")]
    pub enqueue: bool,
    /// Print the links to matched faces too: whoever holds one sees the face for an hour.
    #[arg(long)]
    pub show_links: bool,
}

/// `verify …`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each step is a line {step, request_id, status, score, warnings} with --json, then one line\n\
{result, queued, why}, result being verified, possible_duplicate or declined.\n\
Exit codes: 0 verified and unique, 8 a possible duplicate waits for review, 1 declined or failed."
)]
pub struct Verify {
    /// The picture of the person.
    #[arg(long, value_name = "FILE")]
    pub selfie: std::path::PathBuf,
    /// The front of the document.
    #[arg(long, value_name = "FILE")]
    pub id_front: std::path::PathBuf,
    /// The back of the document.
    #[arg(long, value_name = "FILE")]
    pub id_back: Option<std::path::PathBuf>,
    /// Your own id for the person, kept and echoed by Didit.
    #[arg(long, value_name = "TEXT")]
    pub vendor_data: Option<String>,
    /// Go on after a decline.
    #[arg(long)]
    pub all: bool,
    /// Do not ask before the checks are billed.
    #[arg(long)]
    pub yes: bool,
}

/// `account …`
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Register an address; Didit mails a code to it.
    Register {
        /// The e-mail address.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Give the mailed code; the API key is put into a file that only you may read.
    VerifyEmail {
        /// The e-mail address.
        #[arg(value_name = "ADDRESS")]
        email: String,
        /// Print the key instead, for a secret manager.
        #[arg(long)]
        print_key: bool,
    },
    /// Have a new code mailed.
    Resend {
        /// The e-mail address.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Log in; the API key is put into a file that only you may read.
    Login {
        /// The e-mail address.
        #[arg(value_name = "ADDRESS")]
        email: String,
        /// Which application's key, by name or id, where there are several.
        #[arg(long, value_name = "NAME")]
        application: Option<String>,
        /// Print the key instead, for a secret manager.
        #[arg(long)]
        print_key: bool,
    },
    /// Remove the file with the API key.
    Logout,
}

/// Which faces a search looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SearchType {
    /// Every enrolled face, best first.
    #[value(alias = "most_similar")]
    MostSimilar,
    /// Only blocklisted, allowlisted, approved and imported ones, blocklisted first.
    #[value(alias = "blocklisted_or_approved")]
    BlocklistedOrApproved,
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

/// `blocklist …`
#[derive(Debug, Subcommand)]
pub enum Blocklist {
    /// List the faces that are on the blocklist.
    List,
    /// Take a face off the blocklist, after asking.
    Remove {
        /// A session id, a session's number, or the id of an entry that has no session.
        #[arg(value_name = "SESSION|ENTRY")]
        what: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `store …`
#[derive(Debug, Subcommand)]
pub enum StoreAct {
    /// Make the store where it is not there yet, and bring an older one up to date.
    Init,
    /// Show where the store is, whose rows it holds and how many, and who is at work.
    Status,
    /// Carry everything into another, empty store. Consoles have to be ended first.
    #[command(after_help = COPY_HELP)]
    Copy {
        /// The store that is there.
        #[arg(long, value_name = "URL")]
        from: String,
        /// The store that is to be made; it must hold nothing.
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Give the rows of an old API key to the present one, after reading a stored case with it.
    Rebind {
        /// Whose rows, where there are several: what `store status` shows behind the #.
        #[arg(long, value_name = "FINGERPRINT")]
        from: Option<String>,
    },
}

const COPY_HELP: &str = "\
An address is sqlite:PATH or postgres://…; the password can come from PGPASSWORD or ~/.pgpass, so that it
stands in no list of processes. Carried are cases, decisions, what is held or on its way, and the audit; leases
end. It is one transaction: what breaks off leaves the new store empty, and the old one is never changed.";

/// `config …`
#[derive(Debug, Subcommand)]
pub enum What {
    /// Show every setting with its value and its origin: default, file, environment or flag.
    Show,
    /// Write the complete, commented default configuration; never over a file.
    Init,
}

/// `webhook …`
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Listen for events and turn them into cases; a line for each on standard output.
    #[command(after_help = SERVE_HELP)]
    Serve {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
        listen: std::net::SocketAddr,
        /// The file that holds the secret, when DIDIT_WEBHOOK_SECRET is not set.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<std::path::PathBuf>,
    },
    /// Show where Didit sends events; with a URL, send them there and keep the secret.
    Config {
        /// A public https address that leads to `webhook serve`.
        #[arg(value_name = "URL")]
        url: Option<String>,
        /// The destination's label.
        #[arg(long, requires = "url")]
        label: Option<String>,
        /// Send nothing there until it is set again without this.
        #[arg(long, requires = "url")]
        disable: bool,
        /// Where the secret is kept; readable by its owner alone.
        #[arg(long, requires = "url", value_name = "FILE")]
        secret_file: Option<std::path::PathBuf>,
    },
}

const SERVE_HELP: &str = "\
Didit sends events to a public https address only: put your reverse proxy before it, any path will do.
The secret comes from DIDIT_WEBHOOK_SECRET, or from a file with mode 0600 (`webhook config URL` writes it).
An event is answered at once and worked on afterwards; without room the answer is 503 and Didit sends it
again. What is refused, repeated or late is told on standard error. GET /health answers ok.";

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a head; no cell is a formula.
    Csv,
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
