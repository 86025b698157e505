//! Puts the parts together: configuration, key, store, client, console.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::ValueEnum;
use secrecy::SecretString;
use url::Url;

use super::args::{Args, Cells, Images};
use super::error::{CliError, Exit};
use super::paths::Paths;
use super::{identity, key};
use crate::config::{Config, Preset};
use crate::core::{Keymap, Settings};
use crate::didit::{self, Client, SharedBudget};
use crate::domain::{
    Bands, CallsAsked, CallsGranted, Clock, Millis, Origin, Reviewer, ReviewerId, Status,
};
use crate::intake;
use crate::picture::{Fetcher, Rules};
use crate::shell::child::{Sees, child};
use crate::shell::{
    AgentAt, Given, Hint, Memory, Parts, Signer, SystemClock, Who, hint, roster, who, worker_id,
};
use crate::store::{self, Store, StoreError};
use crate::term::{Blocks, Environment, Protocol, Wish};
use crate::tui;

/// How long a call to the API may take.
const CALL: Duration = Duration::from_secs(20);

/// An environment variable, if it is set to something.
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The word by which a value is named on the command line and in the configuration.
fn word<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What every command needs: settings and where things are.
pub struct Setup {
    /// The settings, environment and flags put over them.
    pub config: Config,
    /// The store's address.
    pub store_url: String,
    /// Who sits at the computer, as far as the operating system knows; who decides is in [`Who`].
    pub reviewer: Reviewer,
    /// Pictures are drawn as the terminal says, whatever was chosen in it before.
    afresh: bool,
}

impl Setup {
    /// Reads the configuration and puts the environment and the flags over it.
    ///
    /// # Errors
    /// Exit code 2 when the configuration cannot be read or used.
    pub fn load(args: &Args) -> Result<Self, CliError> {
        let mut config = Config::load(user_file(args.config.as_deref())?.as_deref())?;
        if let Some(base) = var("DIDIT_BASE_URL") {
            config.didit.base_url = base;
        }
        if let Some(name) = var("SECONDLOOK_REVIEWER") {
            config.review.reviewer = name;
        }
        let store_url = match args.store.clone().or_else(|| Some(config.store.url.clone())) {
            Some(url) if !url.is_empty() => url,
            _ => format!("sqlite:{}", Paths::find()?.store().display()),
        };
        let reviewer = identity::system(&config.review.reviewer);
        if let Some(preset) = args.preset() {
            preset.clone_into(&mut config.review.preset);
        }
        let drawn = args.drawn();
        if let Some(images) = drawn.images {
            config.images.protocol = word(images);
        }
        if let Some(cells) = drawn.cells {
            config.images.cells = word(cells);
        }
        let afresh = drawn.images == Some(Images::Auto);
        Ok(Self { config, store_url, reviewer, afresh })
    }

    /// Whether anything says where an API key is; whether there is one is found out when it is used.
    ///
    /// # Errors
    /// When there is no home to look in.
    pub fn has_key(&self) -> Result<bool, CliError> {
        let set = [var("DIDIT_API_KEY"), var("DIDIT_API_KEY_FILE")].into_iter().flatten();
        let command = &self.config.didit.api_key_command;
        Ok(set.chain([command.clone()]).any(|word| !word.trim().is_empty())
            || Paths::find()?.key().exists())
    }

    /// Finds the API key.
    ///
    /// # Errors
    /// Exit code 4 when there is none.
    pub async fn key(&self) -> Result<SecretString, CliError> {
        let login_file = Paths::find()?.key();
        key::find(key::Sources {
            env: var("DIDIT_API_KEY"),
            env_file: var("DIDIT_API_KEY_FILE"),
            command: &self.config.didit.api_key_command,
            login_file: &login_file,
        })
        .await
    }

    /// The client of the API.
    ///
    /// # Errors
    /// Exit code 4 without a key, 2 for a base URL that cannot be used.
    pub async fn client(&self) -> Result<Client, CliError> {
        self.client_within(CALL).await
    }

    /// The client, for calls that may take so long: uploads over a slow line.
    ///
    /// # Errors
    /// As [`Setup::client`].
    pub async fn client_within(&self, timeout: Duration) -> Result<Client, CliError> {
        let base = &self.config.didit.base_url;
        let url = Url::parse(base).map_err(|_| {
            CliError::new(
                Exit::Usage,
                "the API's base URL is no URL",
                "Mend DIDIT_BASE_URL or didit.base_url; it looks like https://verification.didit.me",
            )
        })?;
        Ok(Client::new(didit::Settings {
            reads_per_minute: self.config.didit.reads_per_minute,
            writes_per_minute: self.config.didit.writes_per_minute,
            timeout,
            ..didit::Settings::new(url, self.key().await?)
        })?)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn open_store(&self) -> Result<Arc<dyn Store>, CliError> {
        Ok(store::open(&self.store_url).await?)
    }

    /// What is taken in.
    pub fn intake(&self) -> intake::Settings {
        let intake = &self.config.intake;
        intake::Settings {
            statuses: self.statuses(),
            warnings: intake.warnings.clone(),
            lookback_ms: i64::from(intake.lookback_hours) * 3_600_000,
            bands: self.config.bands(),
            queue_strong: intake.queue_strong,
            interval_ms: i64::from(intake.poll_seconds) * 1000,
            ..intake::Settings::default()
        }
    }

    /// Statuses of workflow sessions in review.
    pub fn statuses(&self) -> Vec<Status> {
        self.config.intake.statuses.iter().map(|s| Status::from(s.as_str())).collect()
    }

    /// The band edges.
    pub fn bands(&self) -> Bands {
        self.config.bands()
    }

    /// The undo window in milliseconds.
    pub fn undo_ms(&self) -> i64 {
        i64::from(self.config.review.undo_seconds) * 1000
    }

    /// The keys: the preset's, and the user's over them.
    ///
    /// # Errors
    /// Exit code 2 for keys that cannot be used.
    pub fn keymap(&self) -> Result<Keymap, CliError> {
        let preset = Preset::named(&self.config.review.preset)?;
        Ok(Keymap::over(&preset, &self.config.keys)?)
    }

    /// The console's own settings. `place` stands in its corner.
    ///
    /// # Errors
    /// Exit code 2 for keys that cannot be used.
    pub fn console(&self, place: &str, who: &Who) -> Result<Settings, CliError> {
        Ok(Settings {
            bands: self.bands(),
            undo_ms: self.undo_ms(),
            dwell_ms: i64::from(self.config.review.dwell_ms),
            window_pairs: self.config.review.window_pairs,
            statuses: self.statuses(),
            reviewer: who.reviewer.clone(),
            alone: who.standing.cannot_be_second(),
            unsigned: who.cannot_decide(),
            place: place.to_owned(),
            keymap: self.keymap()?,
            smallest: tui::SMALLEST,
        })
    }

    /// What signs this reviewer's entries of the audit, if anything is to.
    pub fn signer(
        &self,
        store: &Arc<dyn Store>,
        origin: &Origin,
        reviewer: &ReviewerId,
    ) -> Option<Signer> {
        let key = self.config.audit.sign_with.as_str();
        let key = match key.strip_prefix("~/").zip(var("HOME")) {
            _ if key.is_empty() => return None,
            Some((rest, home)) => Path::new(&home).join(rest),
            None => Path::new(key).to_owned(),
        };
        Some(Signer::new(Arc::clone(store), origin.clone(), reviewer.clone(), key))
    }

    /// What has to be told first, all of it: a clock that is wrong, a recovery of the roster, a login that
    /// does not fit who signed.
    async fn first_words(
        &self,
        store: &Arc<dyn Store>,
        origin: &Origin,
        client: &Client,
        who: &Who,
        clock: &SystemClock,
    ) -> Result<Option<String>, CliError> {
        let (_, roster) = roster(store, origin).await?;
        let login = var("SSH_USER_AUTH");
        let hint = match hint(login.as_deref(), &roster, who, clock.now()) {
            // Where nobody has to prove anything it is no trouble.
            _ if !roster.is_begun() => None,
            Hint::None | Hint::Fits => None,
            Hint::Gone(why) | Hint::NotOurs(why) | Hint::Contradicts(why) => {
                Some(format!("{why}."))
            }
        };
        let words: Vec<_> =
            [clock_trouble(client), who.told.clone(), hint].into_iter().flatten().collect();
        Ok((!words.is_empty()).then(|| words.join(" ")))
    }

    /// Who this run is: the person of the roster who can sign a fresh challenge.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn who(
        &self,
        store: &Arc<dyn Store>,
        origin: &Origin,
        clock: &SystemClock,
    ) -> Result<Who, CliError> {
        Ok(who(store, origin, &self.reviewer, &agent_at(), clock).await?)
    }

    /// How pictures are to be drawn whatever the terminal says, if that was asked for.
    pub fn wish(&self) -> Wish {
        let images = &self.config.images;
        let protocol = match Images::from_str(&images.protocol, false) {
            Ok(Images::Kitty) => Some(Protocol::Kitty),
            Ok(Images::Iterm2) => Some(Protocol::Iterm2),
            Ok(Images::Sixel) => Some(Protocol::Sixel),
            Ok(Images::Blocks) => Some(Protocol::Blocks),
            Ok(Images::Auto) | Err(_) => None,
        };
        let blocks = match Cells::from_str(&images.cells, false) {
            Ok(Cells::Half) => Some(Blocks::Halves),
            Ok(Cells::Quadrant) => Some(Blocks::Quadrants),
            Ok(Cells::Sextant) => Some(Blocks::Sextants),
            Ok(Cells::Octant) => Some(Blocks::Octants),
            Ok(Cells::Auto) | Err(_) => None,
        };
        Wish { protocol, blocks }
    }

    /// What was chosen in which terminal; and what is to be said when that cannot be known, for then it is
    /// left as it is.
    pub fn memory(&self) -> (Memory, Option<String>) {
        // Without a home nothing is kept, which is no trouble here.
        let Some(path) = Paths::find().ok().and_then(|paths| paths.terminals()) else {
            return (Memory::default(), None);
        };
        if self.afresh {
            return (Memory::afresh(path), None);
        }
        match Memory::read(path.clone()) {
            Ok(memory) => (memory, None),
            Err(error) => {
                let shown = path.display();
                let text = format!("What was chosen for pictures is not known: {shown}: {error}");
                (Memory::default(), Some(text))
            }
        }
    }

    /// A console on a store and a client.
    ///
    /// # Errors
    /// As [`Setup::console`], and when images cannot be fetched at all.
    pub async fn parts(
        &self,
        store: Arc<dyn Store>,
        client: Client,
        place: &str,
    ) -> Result<Parts, CliError> {
        let rules = Rules {
            allow_loopback_http: client.base_is_loopback(),
            allow_private: self.config.images.allow_private_hosts,
            ..Rules::default()
        };
        let fetcher = Fetcher::new(rules).map_err(|error| CliError::failed(error.to_string()))?;
        let origin = origin(&store, &client).await?;
        let clock = clock(&client).await;
        let who = self.who(&store, &origin, &clock).await?;
        Ok(Parts {
            warning: self.first_words(&store, &origin, &client, &who, &clock).await?,
            memory: Memory::default(),
            given: Given::default(),
            signer: self.signer(&store, &origin, &who.reviewer.id),
            settings: self.console(place, &who)?,
            who,
            store,
            client,
            fetcher,
            intake: self.intake(),
            origin,
            worker: worker_id(),
            clock,
            set: self.wish(),
            environment: environment(),
        })
    }
}

/// Where the client's rows come from. From now on the client shares its budget of calls with all others
/// that use the store and the key.
///
/// # Errors
/// When the store cannot be read.
pub async fn origin(store: &Arc<dyn Store>, client: &Client) -> Result<Origin, CliError> {
    let origin = client.origin(&store.salt().await?);
    client.share(Arc::new(Budget {
        store: Arc::clone(store),
        origin: origin.clone(),
        clock: SystemClock::new(),
    }));
    Ok(origin)
}

/// The budget that is kept in the store: neither the store nor the client knows of the other.
struct Budget {
    store: Arc<dyn Store>,
    origin: Origin,
    clock: SystemClock,
}

#[async_trait]
impl SharedBudget for Budget {
    async fn grant(&self, asked: CallsAsked) -> CallsGranted {
        let (store, origin) = (Arc::clone(&self.store), self.origin.clone());
        let now = self.clock.now();
        // A task of its own: a call that waits among others in one task would keep the connection that
        // whoever runs them waits for.
        let granted = tokio::spawn(async move { store.grant(&origin, &asked, now).await }).await;
        match granted {
            Ok(Ok(granted)) => granted,
            // Waiting mends nothing: what comes next says what is refused.
            Ok(Err(StoreError::Guard(_))) => CallsGranted::Now(asked.wanted),
            // Without the store nothing could be kept that a call brings.
            Ok(Err(_)) | Err(_) => CallsGranted::NoneFor(1_000),
        }
    }
}

/// How long the first question to Didit may take that asks for the time.
const ASK_TIME: Duration = Duration::from_secs(3);
/// From here on a clock that is wrong is said to be, in milliseconds.
const SAY_CLOCK_MS: i64 = 60_000;

/// The time as Didit tells it, for the deadlines of links and leases are in its time and in that of other
/// computers. Out of reach of Didit, this computer's.
pub async fn clock(client: &Client) -> SystemClock {
    if client.ahead().is_none() {
        // Whatever it answers, it tells the time.
        let _ = tokio::time::timeout(ASK_TIME, client.health()).await;
    }
    SystemClock::new().ahead_by(client.ahead().unwrap_or_default())
}

/// What is wrong with this computer's clock, if anything is.
pub fn clock_trouble(client: &Client) -> Option<String> {
    let ahead = client.ahead().filter(|ms| ms.abs() >= SAY_CLOCK_MS)?;
    let minutes = (ahead.abs() + 30_000) / 60_000;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let way = if ahead > 0 { "behind" } else { "ahead of" };
    Some(format!(
        "This computer's clock is {hours} h {minutes} min {way} Didit's; Didit's time is used."
    ))
}

/// Where the ssh-agent listens, as the environment says.
pub fn agent_at() -> AgentAt {
    AgentAt { socket: var("SSH_AUTH_SOCK").map(PathBuf::from), tmux: var("TMUX") }
}

/// The present moment.
pub fn now() -> Millis {
    SystemClock::new().now()
}

/// The text of the configuration file, if there is one.
///
/// # Errors
/// Exit code 2 when it cannot be read, or was named and is not there.
pub fn user_file(named: Option<&Path>) -> Result<Option<String>, CliError> {
    let unreadable = |path: &Path, error: std::io::Error| {
        CliError::new(
            Exit::Usage,
            format!("the configuration {} cannot be read: {error}", path.display()),
            "Mend its path or its permissions",
        )
    };
    if let Some(path) = named {
        return std::fs::read_to_string(path).map(Some).map_err(|error| unreadable(path, error));
    }
    let Ok(paths) = Paths::find() else { return Ok(None) };
    let path = paths.config();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// What the environment says of the terminal.
pub fn environment() -> Environment {
    let text = |name: &str| var(name).unwrap_or_default();
    Environment {
        term: text("TERM"),
        term_program: text("TERM_PROGRAM"),
        lc_terminal: text("LC_TERMINAL"),
        colorterm: text("COLORTERM"),
        no_color: var("NO_COLOR").is_some(),
        utf8: utf8(),
        pane: tmux_pane(),
        pane_left: tmux_pane_left(),
    }
}

/// Whether the locale has more letters than ASCII; taken to be so when none is set.
pub fn utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8")
}

/// The column of our pane's left edge, when tmux can be asked.
fn tmux_pane_left() -> Option<u16> {
    tmux(&["display-message", "-p"], &["#{pane_left}"])?.parse().ok()
}

/// Whether tmux lets pictures through from our pane: `off`, `on`, `all`; `None` without a tmux that knows.
pub fn tmux_passthrough() -> Option<String> {
    tmux(&["show-options", "-Apv"], &["allow-passthrough"]).filter(|word| !word.is_empty())
}

/// The process of the tmux client that shows our pane: what records its terminal stands above it.
pub fn tmux_client() -> Option<u32> {
    tmux(&["display-message", "-p"], &["#{client_pid}"])?.parse().ok()
}

/// Our pane, when there is a tmux to ask.
fn tmux_pane() -> Option<String> {
    var("TMUX_PANE").filter(|_| var("TMUX").is_some())
}

/// Asks tmux something about our pane.
fn tmux(ask: &[&str], what: &[&str]) -> Option<String> {
    let pane = tmux_pane()?;
    let output = child("tmux", Sees::Needed)
        .args(ask)
        .args(["-t", &pane])
        .args(what)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// A name for each environment variable that settings can come from, for `doctor`.
pub const VARIABLES: [&str; 9] = [
    "DIDIT_API_KEY",
    "DIDIT_API_KEY_FILE",
    "DIDIT_BASE_URL",
    "DIDIT_AUTH_URL",
    "DIDIT_WEBHOOK_SECRET",
    "SECONDLOOK_STORE",
    "SECONDLOOK_CONFIG",
    "SECONDLOOK_REVIEWER",
    "NO_COLOR",
];
