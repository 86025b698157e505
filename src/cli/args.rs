//! The arguments, from which help, completions and the manual page are made too.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{FromArgMatches, Parser, Subcommand, ValueEnum};

use super::help;
use crate::config::{PRESETS, Preset};
use crate::sim::Scenario;

/// A terminal console for people who decide whether two faces are the same person.
#[derive(Debug, Parser)]
#[command(name = "secondlook", version, about)]
pub struct Args {
    /// Read this configuration file.
    #[arg(
        long,
        global = true,
        env = "SECONDLOOK_CONFIG",
        value_name = "FILE",
        hide_env_values = true,
        help_heading = EVERYWHERE
    )]
    pub config: Option<std::path::PathBuf>,
    /// Keep decisions here: sqlite:PATH, postgres://… or memory:.
    #[arg(
        long,
        global = true,
        env = "SECONDLOOK_STORE",
        value_name = "URL",
        hide_env_values = true,
        help_heading = EVERYWHERE
    )]
    pub store: Option<String>,
    /// Print data as JSON lines.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// How pictures are drawn.
    #[command(flatten)]
    pub drawn: Drawn,
    /// Begin with these keys.
    #[arg(long, value_name = "NAME", value_parser = presets())]
    pub preset: Option<String>,
    /// What to do; without it, the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The heading of the options that every command takes.
const EVERYWHERE: &str = "Options of every command";

impl Args {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// What is wrong with them, or the help that was asked for.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = help::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Which keys to begin with, said before the command or after it.
    #[must_use]
    pub fn preset(&self) -> Option<&str> {
        let own = match &self.command {
            Some(
                Command::Review { preset, .. }
                | Command::Demo { preset, .. }
                | Command::Keys { preset },
            ) => preset.as_deref(),
            _ => None,
        };
        own.or(self.preset.as_deref())
    }

    /// How pictures are to be drawn, said before the command or after it.
    #[must_use]
    pub fn drawn(&self) -> Drawn {
        let own = match &self.command {
            Some(
                Command::Review { drawn, .. }
                | Command::Demo { drawn, .. }
                | Command::Doctor { drawn, .. },
            ) => *drawn,
            _ => Drawn::default(),
        };
        Drawn { images: own.images.or(self.drawn.images), cells: own.cells.or(self.drawn.cells) }
    }
}

/// The names of presets, each with what it is.
fn presets() -> PossibleValuesParser {
    let about = |name| Preset::named(name).map(|preset| preset.about).unwrap_or_default();
    PRESETS.map(|(name, _)| PossibleValue::new(name).help(about(name))).into()
}

/// The names of scenarios, each with what it is.
fn scenarios() -> PossibleValuesParser {
    Scenario::ALL.map(|s| PossibleValue::new(s.word()).help(s.about())).into()
}

/// How pictures are drawn.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Drawn {
    /// Draw pictures this way.
    #[arg(long, value_enum, value_name = "HOW")]
    pub images: Option<Images>,
    /// Make them of these characters, where they are made of characters.
    #[arg(long, value_enum, value_name = "WHICH")]
    pub cells: Option<Cells>,
}

/// Ways to draw pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Images {
    /// As the terminal says it can, whatever was chosen in the console before.
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

/// Characters that pictures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cells {
    /// The finest that the terminal is known to draw.
    Auto,
    /// One dot across and two down; in every font.
    Half,
    /// Two by two; in nearly every font.
    Quadrant,
    /// Two by three; many terminals draw them themselves.
    Sextant,
    /// Two by four; few terminals draw them.
    Octant,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the console with drawn faces: no key, no network, no files.
    Demo {
        /// So many cases.
        #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        cases: u32,
        /// Draw this world: the same one each time.
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
        /// How pictures are drawn.
        #[command(flatten)]
        drawn: Drawn,
        /// Begin with these keys.
        #[arg(long, value_name = "NAME", value_parser = presets())]
        preset: Option<String>,
    },
    /// Open the console.
    Review {
        /// Review the cases of this file of JSON lines at once; - for standard input.
        #[arg(long, value_name = "FILE|-")]
        from: Option<std::path::PathBuf>,
        /// How pictures are drawn.
        #[command(flatten)]
        drawn: Drawn,
        /// Begin with these keys.
        #[arg(long, value_name = "NAME", value_parser = presets())]
        preset: Option<String>,
    },
    /// Bring flagged cases into the store, without the screen.
    Sync {
        /// Go on until stopped, one look after the other.
        #[arg(long)]
        watch: bool,
    },
    /// Search all enrolled faces for the faces in pictures; billed.
    Search(Search),
    /// Check one person in four steps; billed.
    ///
    /// Passive liveness, face search, ID verification and face match, each billed, to the first decline. A
    /// possible match goes into the queue.
    Verify(Verify),
    /// Show the balance at Didit, to the last digit.
    Balance,
    /// Buy credit: print the link to a page to pay on.
    TopUp {
        /// How much in US dollars, 50 or more, such as 100 or 99.50.
        #[arg(value_name = "DOLLARS")]
        dollars: String,
        /// Do not ask; else you are asked twice.
        #[arg(long)]
        yes: bool,
    },
    /// Register at Didit, log in, log out.
    ///
    /// No browser is needed. Password and code are asked for without being shown, or read as one line of
    /// standard input; never from the arguments.
    #[command(subcommand)]
    Account(Account),
    /// Bring in cases from a file or a pipe of JSON lines.
    ///
    /// It may have any length. A line is one JSON object: the reply of a face search, a decision or a webhook
    /// payload, in the older shapes or today's.
    Ingest {
        /// The file; - for standard input.
        #[arg(value_name = "FILE|-")]
        file: std::path::PathBuf,
        /// Add the lines that cannot be read to this file, which only you may read; it holds what they
        /// hold, also names and links.
        #[arg(long, value_name = "FILE")]
        set_aside: Option<std::path::PathBuf>,
    },
    /// See the cases that wait.
    #[command(subcommand)]
    Queue(Queue),
    /// Decide a case without the screen.
    ///
    /// The decision is held, then sent by the console or by `secondlook outbox flush`. No picture is looked
    /// at, and the receipt says so: `script`.
    Decide {
        /// The case: its session number or its session id.
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
    /// Make, look at, carry or hand over the store.
    #[command(subcommand)]
    Store(StoreAct),
    /// See and change who may review, propose and confirm.
    ///
    /// The first person adds themselves and is the administrator. Each change is signed by an administrator's
    /// key in the ssh-agent and entered in the audit.
    #[command(subcommand)]
    Reviewers(Reviewers),
    /// See and set what has to be signed.
    #[command(subcommand)]
    Policy(Policy),
    /// See and send what is on its way to Didit.
    #[command(subcommand)]
    Outbox(Outbox),
    /// Verify or export the audit of all decisions.
    ///
    /// It is a chain of what was decided, taken back, opened again, tried again and settled.
    #[command(subcommand)]
    Audit(Audit),
    /// List what was decided and what became of it, newest first.
    History {
        /// At most so many decisions; all without it.
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// Whose rows.
        #[command(flatten)]
        of: Of,
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
    /// Print every decision with its judgements, for other programs.
    ///
    /// Oldest first, each with its receipt. Never a name, never a link.
    Export {
        /// In this form.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: ExportFormat,
        /// Whose rows.
        #[command(flatten)]
        of: Of,
    },
    /// Print figures: cases, decisions, reviewers, times.
    ///
    /// Cases by state and band; decisions by disposition, delivery, reviewer and hour; how often two readers
    /// agree; median times. On a terminal with bars beside the counts.
    Stats(Of),
    /// Run the simulated Didit API alone, for integrators.
    ///
    /// It answers on this machine alone, until stopped, and prints the variables that lead the other
    /// commands to it.
    Sim {
        /// Port of the API on 127.0.0.1; any that is free without it.
        #[arg(long)]
        port: Option<u16>,
        /// Port of the pictures; any that is free without it.
        #[arg(long, value_name = "PORT")]
        media_port: Option<u16>,
        /// What kind of day it is there.
        #[arg(long, default_value = "calm", value_name = "NAME", value_parser = scenarios())]
        scenario: String,
        /// So many flagged cases; 40 without it.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        cases: Option<u32>,
        /// Draw this world: the same one each time.
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
        /// Life of an image link in seconds; 3600 without it.
        #[arg(long, value_name = "SECONDS")]
        link_life: Option<u64>,
    },
    /// Show every setting, or write a configuration file.
    #[command(subcommand)]
    Config(What),
    /// Look at key, store, network and terminal; say what to mend.
    Doctor {
        /// Show a test card too, the way the console draws faces; any key ends it.
        #[arg(long)]
        card: bool,
        /// Look at the newest sessions too, and name what Didit sends that this version does not know: fields, sources,
        /// risks and statuses, counted. Names only, never a value.
        #[arg(long)]
        api: bool,
        /// How pictures are drawn.
        #[command(flatten)]
        drawn: Drawn,
    },
    /// Print every key of the console, as configured.
    Keys {
        /// Begin with these keys.
        #[arg(long, value_name = "NAME", value_parser = presets())]
        preset: Option<String>,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of a command, or write all of them.
    Man {
        /// The command, such as `search` or `webhook serve`; without it, secondlook itself.
        #[arg(value_name = "COMMAND", conflicts_with = "dir")]
        command: Vec<String>,
        /// Write the pages of all commands into this folder.
        #[arg(long, value_name = "FOLDER")]
        dir: Option<std::path::PathBuf>,
    },
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
    /// Let Didit keep nothing: no images then, and such a search can never be queued.
    #[arg(long)]
    pub no_save: bool,
    /// So many searches at once, 1 to 16.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub jobs: u8,
    /// Make pictures over 5 MB smaller; EXIF orientation is kept.
    #[arg(long)]
    pub shrink: bool,
    /// Note every result in this file and go on from it next time, so that no picture is billed twice.
    /// It holds the results of all runs; printed are those of this one.
    #[arg(long, value_name = "FILE")]
    pub resume: Option<std::path::PathBuf>,
    /// Do not ask before searches are billed.
    #[arg(long)]
    pub yes: bool,
    /// Put possible matches into the queue for review.
    #[arg(long, conflicts_with = "no_save")]
    pub enqueue: bool,
    /// Print the links to matched faces too: for an hour whoever holds one sees the face.
    #[arg(long)]
    pub show_links: bool,
}

/// Whose rows of one's own store are read.
#[derive(Debug, clap::Args)]
pub struct Of {
    /// Read the rows of this application, by the id that the program names it by.
    ///
    /// No key is needed where the store holds one application's rows, or where the database's role or your key in the
    /// ssh-agent is a person's of its roster.
    #[arg(long, value_name = "ID")]
    pub origin: Option<String>,
}

/// `verify …`
#[derive(Debug, clap::Args)]
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
    /// Give the mailed code and keep the API key.
    ///
    /// The key is put into a file that only you may read, where the other commands find it.
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
    /// Log in and keep the API key.
    ///
    /// The key is put into a file that only you may read, where the other commands find it.
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
        /// Cases in this state: open, escalated, left, departed or decided.
        #[arg(long, default_value = "open")]
        state: String,
        /// At most so many cases; all without it.
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Whose rows.
        #[command(flatten)]
        of: Of,
    },
    /// Show one case.
    Show {
        /// The case: its session number or its session id.
        case: String,
        /// Whose rows.
        #[command(flatten)]
        of: Of,
    },
}

impl Queue {
    /// Whose rows are read.
    pub fn origin(&self) -> Option<&str> {
        let (Self::List { of, .. } | Self::Show { of, .. }) = self;
        of.origin.as_deref()
    }
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
    /// Make the store, or bring an older one up to date.
    Init {
        /// On a PostgreSQL server: tell its owner, which is who runs this, from reviewers and auditors.
        #[arg(long)]
        roles: bool,
        /// On a PostgreSQL server: part the tables by origin.
        ///
        /// Consoles have to be ended first.
        #[arg(long)]
        partitions: bool,
    },
    /// Show where the store is, what it holds and who is at work.
    Status,
    /// Carry everything into another, empty store.
    ///
    /// Consoles have to be ended first.
    Copy {
        /// The store that is there.
        #[arg(long, value_name = "URL")]
        from: String,
        /// The store that is to be made; it must hold nothing.
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Give the rows of an old API key to the present one.
    ///
    /// A stored case is read with the present key first.
    Rebind {
        /// Whose rows, where there are several: what `store status` shows behind the #.
        #[arg(long, value_name = "FINGERPRINT")]
        from: Option<String>,
    },
}

/// `reviewers …`
#[derive(Debug, Subcommand)]
pub enum Reviewers {
    /// List everybody and how they prove who they are.
    List,
    /// Show one person, and whose proposals they cannot confirm.
    Show {
        /// The person's id.
        person: String,
    },
    /// Add a person, or more proofs of one who is there.
    Add {
        /// The person's id: short, lower case, such as ana.
        person: String,
        /// What people call them; a word.
        #[arg(long)]
        label: Option<String>,
        /// They may change the roster too.
        #[arg(long)]
        admin: bool,
        /// How they prove who they are.
        #[command(flatten)]
        proofs: NewProofs,
    },
    /// Take a person out, or one of their proofs.
    Remove {
        /// The person's id.
        person: String,
        /// Only this proof: its SHA256:… or the role.
        #[arg(long, value_name = "PROOF")]
        key: Option<String>,
    },
    /// Say that somebody else may have a key.
    ///
    /// What it signed since then proves nothing.
    Revoke {
        /// The key's SHA256:…, its file, or its line; or those of a CA.
        key: String,
        /// Since when: 2026-11-28 or 2026-11-28T09:30:00Z.
        #[arg(long, value_name = "TIME")]
        since: String,
    },
    /// Hand over what an identity holds that no longer logs in.
    Adopt {
        /// The old identity, as `history --json` prints it: os:1000, ssh:SHA256:…, person:ben.
        old: String,
        /// Who has it from now on.
        person: String,
    },
    /// Make an administrator where none can act any more.
    ///
    /// The store's owner does it. It is entered in the audit, and every console says so for seven days.
    Recover {
        /// The person's id.
        person: String,
        /// How they prove who they are from now on.
        #[command(flatten)]
        proofs: NewProofs,
    },
    /// Add the keys of a file of OpenSSH's `allowed_signers`.
    Import {
        /// The file; the principal of a line is the person's id.
        file: std::path::PathBuf,
    },
    /// Print the roster as OpenSSH's `allowed_signers`.
    Export,
}

/// How somebody proves who they are.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NewProofs {
    /// An SSH public key: its file, or its line in quotes. Several may be given.
    #[arg(long, value_name = "FILE|KEY")]
    pub key: Vec<String>,
    /// The key of a CA whose certificates prove them; with --key-id or --principal.
    #[arg(long, value_name = "FILE|KEY")]
    pub ca: Option<String>,
    /// The key id in their certificates.
    #[arg(long, requires = "ca", value_name = "ID")]
    pub key_id: Vec<String>,
    /// A principal of their certificates.
    #[arg(long, requires = "ca", value_name = "NAME")]
    pub principal: Vec<String>,
    /// The PostgreSQL role that they log in as.
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
}

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Show what has to be signed.
    Show,
    /// Set what has to be signed; an administrator's act.
    Set {
        /// What: two-person or every-decision.
        #[arg(value_name = "WHAT", value_parser = required)]
        require: crate::roster::Require,
    },
}

/// Reads what has to be signed.
fn required(word: &str) -> Result<crate::roster::Require, String> {
    crate::roster::Require::from_word(word)
        .ok_or_else(|| "it is two-person or every-decision".to_owned())
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum What {
    /// Show every setting with its value and its origin.
    ///
    /// The origin is default, file, environment or flag.
    Show,
    /// Write the commented default configuration, never over a file.
    Init,
}

/// `webhook …`
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Listen for events and turn them into cases.
    ///
    /// Each event that became something is a line on standard output: {session_id, result} with --json.
    Serve {
        /// Listen here.
        #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
        listen: std::net::SocketAddr,
        /// The file that holds the secret, when DIDIT_WEBHOOK_SECRET is not set.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<std::path::PathBuf>,
    },
    /// Show or set where Didit sends events.
    ///
    /// With a URL events are sent there from now on, and their secret is kept in a file.
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
        /// Give up after so long: `90`, `90s`, `15m` or `2h`. Without it, it takes as long as it needs, and gives up
        /// when nothing came to its end for two minutes.
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        within: Option<Duration>,
    },
    /// Take back what a colleague holds who does not come back to it.
    ///
    /// An administrator's act. Only what is held and of which nothing has been written. It is never sent, and its
    /// case is open again.
    Release {
        /// Whose: a person's id, or an older identity as `history --json` prints it.
        #[arg(long, value_name = "PERSON")]
        of: String,
    },
    /// Make refused and put-off decisions due now.
    ///
    /// The next flush or console sends them: a refused one only while it is the last word on its case. What
    /// has already reached Didit is read there
    /// before anything is written again.
    Retry {
        /// The decisions' ids, as `outbox list` and `history` print them.
        #[arg(value_name = "DECISION", required_unless_present = "all")]
        decisions: Vec<String>,
        /// All that are yours and refused, and all that were put off with an unknown outcome.
        #[arg(long, conflicts_with = "decisions")]
        all: bool,
    },
    /// End a decision of unknown outcome, after one more look at Didit.
    ///
    /// For what Didit said yes to and never shows, or never says. What the look finds is what came of it; only
    /// where Didit still does not show the decision it is refused, in words, and its case can be decided again
    /// with `undo`. Where Didit cannot be read nothing is ended.
    End {
        /// The decision's id, as `outbox list` and `history` print it.
        decision: String,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Look whether every entry is as it was written.
    ///
    /// Entries that are not, and places where some are missing, are named.
    Verify {
        /// A file that `audit export` wrote; without it, the store.
        file: Option<std::path::PathBuf>,
        /// The end that was noted elsewhere, SEQ:HASH as `audit verify` prints it: what was cut off since is
        /// missed.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<String>,
        /// An older export: every entry in it must still stand here as it was.
        #[arg(long, value_name = "EXPORT")]
        since: Option<std::path::PathBuf>,
        /// Whose rows.
        #[command(flatten)]
        of: Of,
    },
    /// Print the entries as JSON lines.
    Export,
}

/// A duration as people write it: seconds, or a number with `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = [("s", 1), ("m", 60), ("h", 3_600)];
    let unit = unit.iter().find_map(|(unit, s)| text.strip_suffix(unit).map(|number| (number, *s)));
    let (number, seconds) = unit.unwrap_or((text, 1));
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    // A year is longer than anybody waits, and short enough for every clock.
    let seconds = seconds.filter(|seconds| *seconds <= 366 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        "a time is seconds, or a number with s, m or h, such as 90s or 15m".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_people_write_them() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("2h", Some(7_200)),
        ] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        for text in ["", "s", "-1", "1.5m", "1d", "99999999h", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
