//! The account of a batch: which picture was sent, and what came of it. A line is written before a
//! search leaves and another after its answer, so that whoever goes on knows what may have been billed.
//!
//! Holds paths, session ids and similarities; never a link, a name or a piece of a picture. A picture
//! is known by a tag made of the batch's own random id and the file's digest, which says nothing to
//! anybody without the account.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::super::error::{CliError, Exit};
use super::inputs::{Digest32, unnamed_file};
use super::report::Row;

/// What a picture is known by: 128 bits.
pub type Tag = Uuid;

/// What is known of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was sent and no answer is known: it may have been billed.
    Sent(Sent),
    /// Its answer stands at this place of the account.
    Done(u64),
}

/// When a picture was sent: what bounds the look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// By our clock, Unix milliseconds.
    pub at: i64,
    /// The newest saved search then; what is found has a higher number.
    pub after: Option<u64>,
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head { secondlook_search: u32, batch: Uuid, options: String },
    Sent { sent: Tag, at: i64, after: Option<u64> },
    Done { tag: Tag, done: bool, result: Row },
}

/// The account.
pub struct Journal {
    file: File,
    end: u64,
    /// Where it ended when it was opened.
    began: u64,
    /// Whether it outlives this process, and has to be on the disk before a search leaves.
    kept: bool,
    batch: Uuid,
    known: HashMap<Tag, Known>,
}

impl Journal {
    /// Opens the account at `path`, or one that ends with this process. `options` is everything that
    /// makes one search differ from another of the same picture.
    ///
    /// # Errors
    /// When it cannot be read or written, is no account or one of other options, or is in use.
    pub fn open(path: Option<&Path>, options: &str) -> Result<Self, CliError> {
        let Some(path) = path else {
            let unusable = |error| {
                CliError::new(
                    Exit::Failed,
                    format!("no temporary file can be made for the account: {error}"),
                    "See that there is room (TMPDIR), or name a file with --resume",
                )
            };
            let file = unnamed_file().map_err(unusable)?;
            return Self::begin(file, false, options).map_err(unusable);
        };
        let shown = path.display();
        let unusable = |error: io::Error| {
            CliError::new(
                Exit::Failed,
                format!("the file {shown} for --resume cannot be used: {error}"),
                "Name another file; nothing was sent",
            )
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(unusable)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            CliError::new(
                Exit::Conflict,
                format!("another search works with {shown}"),
                "Wait until it has ended",
            )
        })?;
        if file.metadata().map_err(unusable)?.len() == 0 {
            return Self::begin(file, true, options).map_err(unusable);
        }
        Self::go_on(file, options).map_err(unusable)?.map_err(|why| {
            CliError::new(Exit::Usage, format!("{shown} {why}"), "Name another file for --resume")
        })
    }

    fn begin(file: File, kept: bool, options: &str) -> io::Result<Self> {
        let batch = Uuid::new_v4();
        let mut journal = Self { file, end: 0, began: 0, kept, batch, known: HashMap::new() };
        let options = seal(batch, options);
        journal.write(&Line::Head { secondlook_search: 1, batch, options })?;
        Ok(journal)
    }

    fn go_on(file: File, options: &str) -> io::Result<Result<Self, &'static str>> {
        let mut lines = BufReader::new(file);
        let mut text = String::new();
        // A line is far shorter; a file that is something else must not fill the memory.
        let mut next = |text: &mut String| {
            text.clear();
            lines.by_ref().take(1 << 20).read_line(text).map(|n| n as u64)
        };
        let not_ours = Ok(Err("is no account of a search"));
        let mut at = match next(&mut text) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return not_ours,
            Err(error) => return Err(error),
        };
        let Ok(Line::Head { secondlook_search: 1, batch, options: known }) =
            serde_json::from_str(&text)
        else {
            return not_ours;
        };
        if known != seal(batch, options) {
            return Ok(Err("belongs to a search with other options or another server"));
        }
        let mut known = HashMap::new();
        loop {
            let length = next(&mut text)?;
            if !text.ends_with('\n') {
                break;
            }
            match serde_json::from_str(&text) {
                Ok(Line::Sent { sent, at, after }) => {
                    known.insert(sent, Known::Sent(Sent { at, after }));
                }
                Ok(Line::Done { tag, done: true, .. }) => {
                    known.insert(tag, Known::Done(at));
                }
                // It certainly was not carried out, so it may be sent again.
                Ok(Line::Done { tag, done: false, .. }) => {
                    known.remove(&tag);
                }
                Ok(Line::Head { .. }) | Err(_) => return Ok(Err("is damaged")),
            }
            at += length;
        }
        let file = lines.into_inner();
        // Half a line is what a crash left.
        file.set_len(at)?;
        Ok(Ok(Self { file, end: at, began: at, kept: true, batch, known }))
    }

    /// What a picture is known by in this batch.
    pub fn tag(&self, digest: &Digest32) -> Tag {
        let hash = Sha256::new().chain_update(self.batch).chain_update(digest).finalize();
        let mut tag = [0; 16];
        tag.copy_from_slice(&hash[..16]);
        Uuid::from_bytes(tag)
    }

    /// What is known of a picture.
    pub fn known(&self, tag: Tag) -> Option<Known> {
        self.known.get(&tag).copied()
    }

    /// Whether an earlier run left anything.
    pub fn is_fresh(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether a place of the account is an earlier run's.
    pub fn is_earlier(&self, at: u64) -> bool {
        at < self.began
    }

    /// Notes that a picture is about to be sent. On the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written: then nothing may be sent.
    pub fn sending(&mut self, tag: Tag, sent: Sent) -> io::Result<()> {
        self.write(&Line::Sent { sent: tag, at: sent.at, after: sent.after })?;
        if self.kept {
            self.file.sync_data()?;
        }
        self.known.insert(tag, Known::Sent(sent));
        Ok(())
    }

    /// Notes an answer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn answered(&mut self, tag: Tag, row: &Row) -> io::Result<()> {
        let at = self.end;
        self.write(&Line::Done { tag, done: true, result: row.without_links() })?;
        self.known.insert(tag, Known::Done(at));
        Ok(())
    }

    /// Notes that a search was certainly not carried out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn refused(&mut self, tag: Tag, row: &Row) -> io::Result<()> {
        self.write(&Line::Done { tag, done: false, result: row.without_links() })?;
        self.known.remove(&tag);
        Ok(())
    }

    /// The answer at a place of the account.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn row(&mut self, at: u64) -> io::Result<Row> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut text = String::new();
        BufReader::new(&self.file).read_line(&mut text)?;
        match serde_json::from_str(&text) {
            Ok(Line::Done { result, .. }) => Ok(result),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(text.as_bytes())?;
        self.end += text.len() as u64;
        Ok(())
    }
}

/// Options hold vendor data: only a digest of them is kept.
fn seal(batch: Uuid, options: &str) -> String {
    let hash = Sha256::new().chain_update(batch).chain_update(options).finalize();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
