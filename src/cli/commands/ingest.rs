//! `ingest`: cases from a file or a pipe of any length, a line at a time, in constant memory. Lines that
//! cannot be read are named, and kept aside when that is asked for, byte for byte.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::wire::{self, Setup};
use super::Desk;
use super::sync::stop_on_signals;
use crate::didit::{ErrorKind, parse_item};
use crate::intake::{Inbox, IntakeError, Taken};

/// The longest line that is read.
const MOST_BYTES: usize = 8 << 20;

/// The result. The names are part of the contract with scripts.
#[derive(Debug, Default, Serialize)]
struct Summary {
    lines: u64,
    queued: u64,
    left: u64,
    updated: u64,
    duplicates: u64,
    departed: u64,
    passed_over: u64,
    unsaved: u64,
    bad: u64,
}

impl Summary {
    fn count(&mut self, taken: Taken) {
        let count = match taken {
            Taken::Queued => &mut self.queued,
            Taken::Left => &mut self.left,
            Taken::Updated => &mut self.updated,
            Taken::Known => &mut self.duplicates,
            Taken::Departed => &mut self.departed,
            Taken::Nothing => &mut self.passed_over,
            Taken::Unsaved => &mut self.unsaved,
        };
        *count += 1;
    }

    fn print(&self, args: &Args) -> Result<(), CliError> {
        if args.json {
            return json(self);
        }
        let Self { lines, queued, left, updated, duplicates, departed, passed_over, unsaved, bad } =
            self;
        line(&format!(
            "lines {lines}, queued {queued}, strong only {left}, updated {updated}, duplicates \
             {duplicates}, left the queue {departed}, nothing to review {passed_over}, unsaved {unsaved}, \
             bad {bad}"
        ))
    }

    fn exit(&self) -> Exit {
        match self.bad {
            0 => Exit::Done,
            bad if bad == self.lines => Exit::Failed,
            _ => Exit::Partly,
        }
    }
}

/// Takes in what a file or standard input holds.
pub async fn ingest(args: &Args, file: &Path, aside: Option<&Path>) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let mut input = BufReader::new(open(file).await.map_err(|error| {
        CliError::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", file.display()),
            "Name a file of JSON lines, or - for standard input",
        )
    })?);
    let mut aside = aside.map(Aside::open).transpose()?;
    let desk = Desk::open(&setup).await?;
    let clock = Arc::new(desk.clock().await);
    let inbox =
        Inbox::new(desk.store.clone(), &desk.client, clock, desk.origin.clone(), setup.intake());
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let mut summary = Summary::default();
    let end = tokio::select! {
        biased;
        () = stop.cancelled() => Err(CliError::new(
            Exit::Partly,
            "stopped before the end",
            "What was read is kept; the same file may be given again",
        )),
        end = all(&inbox, &mut input, &mut aside, &mut summary) => end,
    };
    desk.store.close().await;
    if let Some(aside) = aside.filter(|aside| aside.lines > 0) {
        say(&format!("{} line(s) are set aside in {}.", aside.lines, aside.path.display()));
    }
    let told = summary.print(args);
    end.and(told).map(|()| summary.exit())
}

pub(super) async fn open(file: &Path) -> std::io::Result<tokio::fs::File> {
    if file != Path::new("-") {
        let opened = tokio::fs::File::open(file).await?;
        if opened.metadata().await?.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        return Ok(opened);
    }
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(std::fs::File::from(input)))
}

/// Where lines go that cannot be read. Added to, so that one file may serve a job of every night.
struct Aside {
    path: PathBuf,
    file: File,
    lines: u64,
}

impl Aside {
    fn open(path: &Path) -> Result<Self, CliError> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = opened.map_err(|error| unkept(path, &error))?;
        Ok(Self { path: path.to_owned(), file, lines: 0 })
    }

    fn keep(&mut self, line: &[u8]) -> Result<(), CliError> {
        self.lines += 1;
        let written = self.file.write_all(line).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| unkept(&self.path, &error))
    }
}

fn unkept(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("{} cannot be written: {error}", path.display()),
        "Name another file with --set-aside; the cases that were taken in are kept",
    )
}

async fn all(
    inbox: &Inbox,
    input: &mut (dyn AsyncBufRead + Send + Unpin),
    aside: &mut Option<Aside>,
    summary: &mut Summary,
) -> Result<(), CliError> {
    // It holds names and links: wiped when it is let go.
    let mut buffer = Zeroizing::new(Vec::new());
    let mut number = 0_u64;
    loop {
        let read = next_line(input, &mut buffer).await;
        let whole = read.map_err(|error| {
            CliError::new(
                Exit::Failed,
                format!("reading ended early: {error}"),
                "What was read is kept; the same file may be given again",
            )
        })?;
        let Some(whole) = whole else { return Ok(()) };
        number += 1;
        let text = whole.then(|| std::str::from_utf8(&buffer).ok());
        let taken = match text {
            Some(Some(text)) if text.trim().is_empty() => continue,
            Some(Some(text)) => one(inbox, text).await,
            Some(None) => Err(Bad::Line("it is not UTF-8".to_owned())),
            None => Err(Bad::Line("it is longer than 8 MiB".to_owned())),
        };
        summary.lines += 1;
        match taken {
            Ok(taken) => {
                if taken == Taken::Unsaved {
                    say(&format!(
                        "line {number}: the search was not saved at Didit, so it cannot be reviewed later"
                    ));
                }
                summary.count(taken);
            }
            Err(Bad::Line(why)) => {
                summary.bad += 1;
                say(&format!("line {number}: {why}"));
                if let Some(aside) = aside {
                    aside.keep(&buffer)?;
                }
            }
            Err(Bad::End(error)) => {
                say(&format!("line {number}: the work ends here; the lines before it are kept"));
                return Err(error.into());
            }
        }
    }
}

/// Why a line was not taken in.
enum Bad {
    /// It is this line's fault.
    Line(String),
    /// No other line would fare better.
    End(IntakeError),
}

async fn one(inbox: &Inbox, text: &str) -> Result<Taken, Bad> {
    let item =
        parse_item(text, wire::now()).map_err(|error| Bad::Line(error.detail().to_owned()))?;
    inbox.take(item, None).await.map_err(|error| match error {
        IntakeError::Api(api)
            if matches!(
                api.kind,
                ErrorKind::NotFound | ErrorKind::Protocol | ErrorKind::Validation
            ) =>
        {
            Bad::Line(format!("its session cannot be read: {api}"))
        }
        error => Bad::End(error),
    })
}

/// Reads a line without its end into `buffer`: `Some(true)` when it is whole, `Some(false)` when it was
/// too long and passed over, `None` at the end.
pub(super) async fn next_line(
    input: &mut (dyn AsyncBufRead + Send + Unpin),
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<bool>> {
    buffer.clear();
    let (mut any, mut whole) = (false, true);
    loop {
        let piece = input.fill_buf().await?;
        if piece.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(piece.len());
        whole = whole && buffer.len() + taken <= MOST_BYTES;
        if whole {
            buffer.extend_from_slice(&piece[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_whole_or_passed_over() {
        let long = "x".repeat(MOST_BYTES + 1);
        let text = format!("a\r\n\n{long}\nb\n{}\nlast", &long[1..]);
        let mut input = BufReader::with_capacity(4096, text.as_bytes());
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        while let Some(whole) = next_line(&mut input, &mut buffer).await.unwrap() {
            found.push((whole, buffer.len()));
            assert!(buffer.capacity() <= 2 * MOST_BYTES);
        }
        let wanted = [(true, 2), (true, 0), (false, 0), (true, 1), (true, MOST_BYTES), (true, 4)];
        assert_eq!(found.len(), wanted.len());
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            // What is left of a line that was too long is nobody's concern.
            assert!(found.0 == wanted.0 && (!wanted.0 || found.1 == wanted.1), "{at}: {found:?}");
        }
    }
}
