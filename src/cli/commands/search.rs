//! `search`: Face Search for files, folders and lists. What is billed is said before, asked for, and
//! never billed twice: see `search/journal.rs` and `search/inquiry.rs`. The work is a stream: files are
//! read as searches end, so that a batch of any length takes the same memory, but for the tag of each
//! picture.

mod inputs;
mod inquiry;
mod journal;
mod report;

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::inputs::{Loaded, single};
pub use self::inquiry::{Form, Inquiry, Outcome};
pub use self::journal::Sent;

use self::inputs::{Input, Inputs, Look};
use self::inquiry::FIELD;
use self::journal::{Journal, Known, Tag};
use self::report::{Report, Row};
use super::super::args::{Args, Search, SearchType};
use super::super::error::{CliError, Exit};
use super::super::output::{say, unwritten};
use super::super::wire::{self, Setup};
use crate::didit::{self, ApiError, Client, ErrorKind};
use crate::domain::{Bands, Details, Origin, SubjectKind};
use crate::store::Store;

/// How long one search may take, its upload included.
pub const CALL: Duration = Duration::from_secs(60);
/// After so many searches the newest one at Didit is asked for again: it bounds the look for a lost one.
const MARK_EVERY: u32 = 100;

/// Searches.
pub async fn search(args: &Args, wanted: &Search) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let form = form(wanted)?;
    if wanted.no_save {
        say("Not saved: these searches have no images and can never be queued for review.");
    }
    let client = setup.client_within(CALL).await?;
    let inputs = Inputs::new(&wanted.files)?;
    let options = format!(
        "{} {} {} {} {:?} {}",
        setup.config.didit.base_url,
        form.rotate,
        form.search_type.word(),
        form.save,
        form.vendor_data,
        serde_json::Value::Object(form.metadata.clone())
    );
    let mut journal = Journal::open(wanted.resume.as_deref(), &options)?;
    let count = count(&inputs, &journal, wanted.shrink)?;
    if count.files == 0 {
        return Err(CliError::new(
            Exit::Nothing,
            "there is no picture to search",
            "Name JPEG, PNG, WebP or TIFF files, or folders of them",
        ));
    }
    if count.to_search > 0 {
        agree(&client, wanted.yes, &count.text()).await?;
    }
    let queue = match wanted.enqueue {
        true => Some(Queue::open(&setup, &client).await?),
        false => None,
    };
    let stop = CancellationToken::new();
    let inquiry = Arc::new(Inquiry::new(client.clone(), form, stop.clone()));
    let mut batch = Batch {
        wanted,
        bands: setup.bands(),
        client,
        inquiry,
        queue,
        report: Report::new(args.json, count.files),
        tally: Tally::default(),
        under_way: HashSet::new(),
        jobs: JoinSet::new(),
        mark: None,
        until_mark: 0,
        stop,
        stopping: false,
        fatal: None,
    };
    let result = batch.run(&inputs, &mut journal).await;
    batch.report.clear();
    if let Some(queue) = &batch.queue {
        queue.store.close().await;
    }
    result?;
    batch.end()
}

/// What is asked, as the API takes it.
fn form(wanted: &Search) -> Result<Form, CliError> {
    let metadata = match wanted.metadata.as_deref().map(serde_json::from_str) {
        None => serde_json::Map::new(),
        Some(Ok(serde_json::Value::Object(fields))) if !fields.contains_key(FIELD) => fields,
        Some(Ok(serde_json::Value::Object(_))) => {
            return Err(CliError::new(
                Exit::Usage,
                "the field `secondlook` of --metadata is taken",
                "Name it otherwise",
            ));
        }
        Some(_) => {
            return Err(CliError::new(
                Exit::Usage,
                "--metadata is no JSON object",
                "Write it like '{\"ticket\": \"A-17\"}'",
            ));
        }
    };
    Ok(Form {
        rotate: wanted.rotate,
        search_type: match wanted.search_type {
            SearchType::MostSimilar => didit::SearchType::MostSimilar,
            SearchType::BlocklistedOrApproved => didit::SearchType::BlocklistedOrApproved,
        },
        save: !wanted.no_save,
        vendor_data: wanted.vendor_data.clone(),
        metadata,
    })
}

/// What lies ahead.
#[derive(Default)]
struct Count {
    files: u64,
    to_search: u64,
    done: u64,
    bad: u64,
}

impl Count {
    /// What will be billed, in a sentence.
    fn text(&self) -> String {
        let mut text = String::new();
        for (number, words) in [(self.done, "done before"), (self.bad, "cannot be sent")] {
            if number > 0 {
                text.push_str(&format!("{number} {words}; "));
            }
        }
        let searches = if self.to_search == 1 { "search" } else { "searches" };
        format!("{text}{} {searches} will be billed.", self.to_search)
    }
}

/// Looks at all files once. Only where an account exists their contents are read, to leave out what
/// is done.
fn count(inputs: &Inputs, journal: &Journal, may_shrink: bool) -> Result<Count, CliError> {
    let mut count = Count::default();
    for found in inputs.walk().map_err(list_lost)? {
        let Ok(input) = found else {
            count.files += 1;
            count.bad += 1;
            continue;
        };
        match inputs::look(&input, may_shrink) {
            Look::Other => continue,
            Look::Bad(_) => count.bad += 1,
            Look::Picture if journal.is_fresh() => count.to_search += 1,
            Look::Picture => match inputs::read(&input.path) {
                Ok((_, digest)) => match journal.known(journal.tag(&digest)) {
                    Some(Known::Done(_)) => count.done += 1,
                    Some(Known::Sent(_)) | None => count.to_search += 1,
                },
                Err(_) => count.bad += 1,
            },
        }
        count.files += 1;
    }
    Ok(count)
}

fn list_lost(error: io::Error) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("the list of files cannot be read again: {error}"),
        "Run the same command again; with --resume FILE nothing is billed twice",
    )
}

/// Says what will be billed and what the balance is, and asks.
///
/// # Errors
/// When nobody can be asked, or the answer is no.
pub async fn agree(client: &Client, agreed: bool, what: &str) -> Result<(), CliError> {
    let balance = match client.balance().await {
        Ok(balance) => format!("${}", balance.balance),
        // A key may be allowed to search and not to see the balance.
        Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::NotFound) => {
            "not shown to this key".to_owned()
        }
        Err(error) => return Err(error.into()),
    };
    say(&format!("{what} Balance: {balance}."));
    if agreed {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            "nobody can be asked whether to go on, so nothing was sent",
            "Say --yes to agree beforehand",
        ));
    }
    let agreed = super::prompt::yes("Go on?")?;
    agreed
        .then_some(())
        .ok_or_else(|| CliError::new(Exit::Nothing, "nothing was sent", "Say y to go on next time"))
}

/// Where possible matches go.
pub struct Queue {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Whose rows in it.
    pub origin: Origin,
}

impl Queue {
    /// Opens it.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub async fn open(setup: &Setup, client: &Client) -> Result<Self, CliError> {
        let store = setup.open_store().await?;
        let origin = wire::origin(&store, client).await?;
        Ok(Self { store, origin })
    }
}

/// Takes a saved search into the queue when there is something to review. True when it is one that
/// waits for a reviewer.
///
/// # Errors
/// When the store cannot take it.
pub async fn admit(
    store: &dyn Store,
    origin: &Origin,
    client: &Client,
    details: &Details,
    bands: &Bands,
) -> Result<bool, CliError> {
    if details.case.worth(bands).is_none() {
        return Ok(false);
    }
    let read_at = wire::now();
    // Read back for its number, which the answer to a search lacks; without, it has none until then.
    let read_back = client.decision(&details.case.key, SubjectKind::SavedSearch).await.ok();
    let case = read_back.map_or_else(|| details.case.clone(), |read| read.case);
    let Some(state) = case.worth(bands) else { return Ok(false) };
    store.admit(origin, &case, state, read_at, wire::now()).await?;
    Ok(state == crate::domain::CaseState::Open)
}

/// How many of what.
#[derive(Default)]
struct Tally {
    searched: u64,
    possible: u64,
    queued: u64,
    failed: u64,
    lost: u64,
    done_before: u64,
    same: u64,
}

/// A search that is under way.
struct Ended {
    tag: Tag,
    file: String,
    outcome: Outcome,
}

/// A batch at work.
struct Batch<'a> {
    wanted: &'a Search,
    bands: Bands,
    client: Client,
    inquiry: Arc<Inquiry>,
    queue: Option<Queue>,
    report: Report,
    tally: Tally,
    under_way: HashSet<Tag>,
    jobs: JoinSet<Ended>,
    /// The newest saved search at Didit when last asked for.
    mark: Option<u64>,
    until_mark: u32,
    stop: CancellationToken,
    /// The end was heard of, and said.
    stopping: bool,
    fatal: Option<CliError>,
}

impl Batch<'_> {
    async fn run(&mut self, inputs: &Inputs, journal: &mut Journal) -> Result<(), CliError> {
        let at_once = CancellationToken::new();
        listen(&self.stop, &at_once)?;
        let at_most = usize::from(self.wanted.jobs);
        for found in inputs.walk().map_err(list_lost)? {
            while self.jobs.len() >= at_most {
                self.end_one(journal, &at_once).await?;
            }
            if self.stop.is_cancelled() {
                break;
            }
            match found {
                Ok(input) => self.take(input, journal, &at_once).await?,
                Err((path, why)) => self.bad(&path, &why)?,
            }
            self.report.progress();
        }
        while !self.jobs.is_empty() {
            self.end_one(journal, &at_once).await?;
        }
        Ok(())
    }

    /// Begins the search of a file, or says at once what is known of it.
    async fn take(
        &mut self,
        input: Input,
        journal: &mut Journal,
        at_once: &CancellationToken,
    ) -> Result<(), CliError> {
        match inputs::look(&input, self.wanted.shrink) {
            Look::Other => return Ok(()),
            Look::Bad(why) => return self.bad(&input.path, &why),
            Look::Picture => {}
        }
        let (path, may_shrink) = (input.path.clone(), self.wanted.shrink);
        let read = tokio::task::spawn_blocking(move || {
            let (picture, digest) = inputs::read(&path)?;
            Ok::<_, String>((inputs::ready(&picture, may_shrink)?, digest))
        });
        let (loaded, digest) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(why)) => return self.bad(&input.path, &why),
            Err(_) => return self.bad(&input.path, "it cannot be decoded"),
        };
        let tag = journal.tag(&digest);
        // The same picture is under way: its answer is this one's too.
        while self.under_way.contains(&tag) {
            self.end_one(journal, at_once).await?;
        }
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let file = input.path.to_string_lossy().into_owned();
        let (sent, before) = match journal.known(tag) {
            Some(Known::Done(at)) if journal.is_earlier(at) => {
                self.tally.done_before += 1;
                self.report.ended += 1;
                return Ok(());
            }
            Some(Known::Done(at)) => {
                let row = journal.row(at).map_err(account_lost)?;
                self.tally.same += 1;
                return self.print(Row { file, ..row });
            }
            Some(Known::Sent(sent)) => (sent, true),
            None => (Sent { at: wire::now().0, after: self.mark().await? }, false),
        };
        if !before {
            journal.sending(tag, sent).map_err(account_lost)?;
        }
        self.under_way.insert(tag);
        let inquiry = Arc::clone(&self.inquiry);
        self.jobs.spawn(async move {
            let outcome = inquiry.carry_out(loaded, tag, sent, before).await;
            Ended { tag, file, outcome }
        });
        Ok(())
    }

    /// The number of the newest saved search, asked for now and then.
    async fn mark(&mut self) -> Result<Option<u64>, CliError> {
        if self.wanted.no_save {
            return Ok(None);
        }
        if self.until_mark == 0 {
            self.mark = match self.inquiry.newest().await {
                Ok(mark) => mark.max(self.mark),
                // Not every key may list; then a lost answer stays lost, and is said to be.
                Err(error) if error.kind == ErrorKind::Permission => None,
                // An older mark is as good, only slower.
                Err(_) if self.mark.is_some() => self.mark,
                Err(error) => return Err(error.into()),
            };
            self.until_mark = MARK_EVERY;
        }
        self.until_mark -= 1;
        Ok(self.mark)
    }

    /// Waits for one search to end and takes its answer in.
    async fn end_one(
        &mut self,
        journal: &mut Journal,
        at_once: &CancellationToken,
    ) -> Result<(), CliError> {
        let ended = loop {
            tokio::select! {
                ended = self.jobs.join_next() => break ended,
                () = at_once.cancelled() => {
                    self.tally.lost += self.jobs.len() as u64;
                    self.jobs.shutdown().await;
                    self.under_way.clear();
                    return Ok(());
                }
                () = self.stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    if self.fatal.is_none() {
                        self.report.clear();
                        say("Waiting for the answers under way; Ctrl-C again does not.");
                    }
                }
            }
        };
        let Some(Ok(Ended { tag, file, outcome })) = ended else { return Ok(()) };
        self.under_way.remove(&tag);
        match outcome {
            Outcome::Answered(details, no_face) => {
                self.answered(journal, tag, file, &details, no_face).await?;
            }
            Outcome::Refused(error) => {
                let row = Row::failed(file, error.advice());
                journal.refused(tag, &row).map_err(account_lost)?;
                self.tally.failed += 1;
                if is_fatal(&error) && self.fatal.is_none() {
                    self.fatal = Some(error.into());
                    self.stop.cancel();
                }
                self.print(row)?;
            }
            Outcome::Lost(why) => {
                self.tally.lost += 1;
                let text =
                    format!("the answer was lost and the search may have been billed: {why}");
                self.print(Row::failed(file, text))?;
            }
            Outcome::Stopped(true) => {
                self.tally.lost += 1;
                let text = "it was sent before and its answer is not known; not sent again";
                self.print(Row::failed(file, text))?;
            }
            Outcome::Stopped(false) => {
                let row = Row::failed(file, "stopped before it was sent");
                journal.refused(tag, &row).map_err(account_lost)?;
            }
        }
        self.report.progress();
        Ok(())
    }

    async fn answered(
        &mut self,
        journal: &mut Journal,
        tag: Tag,
        file: String,
        details: &Details,
        no_face: bool,
    ) -> Result<(), CliError> {
        let mut row = Row::of(file, details, &self.bands, self.wanted.show_links);
        if no_face {
            row.error = Some("no face was found in the picture".to_owned());
        }
        self.tally.searched += 1;
        self.tally.possible += u64::from(details.case.is_flagged(&self.bands));
        let mut trouble = None;
        if let Some(Queue { store, origin }) = &self.queue {
            match admit(store.as_ref(), origin, &self.client, details, &self.bands).await {
                Ok(queued) => row.queued = queued,
                Err(error) => trouble = Some(error),
            }
        }
        self.tally.queued += u64::from(row.queued);
        // What was paid for is noted and shown, whatever else went wrong.
        journal.answered(tag, &row).map_err(account_lost)?;
        self.print(row)?;
        if let Some(error) = trouble
            && self.fatal.is_none()
        {
            say("A search could not be queued; `secondlook sync` brings saved searches in.");
            self.fatal = Some(error);
            self.stop.cancel();
        }
        Ok(())
    }

    /// A file that cannot be sent.
    fn bad(&mut self, path: &Path, why: &str) -> Result<(), CliError> {
        self.tally.failed += 1;
        self.print(Row::failed(path.to_string_lossy().into_owned(), why))
    }

    fn print(&mut self, row: Row) -> Result<(), CliError> {
        self.report.ended += 1;
        if let Err(error) = self.report.row(&row) {
            // What nobody can read is not bought either.
            self.stop.cancel();
            if error.kind() != io::ErrorKind::BrokenPipe && self.fatal.is_none() {
                self.fatal = Some(unwritten(error));
            }
        }
        Ok(())
    }

    /// Says what was done.
    fn end(self) -> Result<Exit, CliError> {
        let Tally { searched, possible, queued, failed, lost, done_before, same } = self.tally;
        let mut words =
            vec![format!("{searched} searched"), format!("{possible} with a possible match")];
        for (number, word) in [
            (queued, "queued for review"),
            (done_before, "done before"),
            (same, "the same picture as another"),
            (failed, "failed"),
            (lost, "without a known answer (may have been billed)"),
        ] {
            if number > 0 {
                words.push(format!("{number} {word}"));
            }
        }
        let stopped = self.stop.is_cancelled();
        let how = if stopped { "Stopped: " } else { "" };
        say(&format!("{how}{}.", words.join(", ")));
        if stopped && self.wanted.resume.is_some() {
            say("Run the same command again to go on; nothing is billed twice.");
        } else if lost > 0 && self.wanted.resume.is_none() {
            say("With --resume FILE such answers are looked up on the next run.");
        }
        if let Some(error) = self.fatal {
            return Err(error);
        }
        Ok(match (stopped, failed + lost) {
            (false, 0) => Exit::Done,
            (false, _) if searched + done_before + same == 0 => Exit::Failed,
            _ => Exit::Partly,
        })
    }
}

/// Whether all further searches would fail as well.
fn is_fatal(error: &ApiError) -> bool {
    match error.kind {
        ErrorKind::Key
        | ErrorKind::Permission
        | ErrorKind::Credit
        | ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::Redirect
        | ErrorKind::NotFound
        | ErrorKind::Settings => true,
        ErrorKind::Validation
        | ErrorKind::WrongStatus
        | ErrorKind::Conflict
        | ErrorKind::Limited { .. }
        | ErrorKind::Server
        | ErrorKind::Protocol => false,
    }
}

fn account_lost(error: io::Error) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("the account of the search cannot be kept, so it ends here: {error}"),
        "See that there is room, then run the same command again",
    )
}

/// Ctrl-C or SIGTERM ends the work in good order, a second one at once.
fn listen(stop: &CancellationToken, at_once: &CancellationToken) -> Result<(), CliError> {
    let hear = |kind| {
        signal(kind).map_err(|error| CliError::failed(format!("signals cannot be heard: {error}")))
    };
    let (mut interrupt, mut terminate) =
        (hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?);
    let tokens = [stop.clone(), at_once.clone()];
    tokio::spawn(async move {
        for token in tokens {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(())
}
