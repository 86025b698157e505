//! Questions to the person at the terminal. Asked on standard error, answered on standard input.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::super::error::{CliError, Exit};

/// Asks a question that is answered with y or n; anything but y is no.
///
/// # Errors
/// When the answer cannot be read.
pub fn yes(question: &str) -> Result<bool, CliError> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line. The question is shown on a terminal only.
///
/// # Errors
/// When there is none to read.
pub fn line(question: &str) -> Result<String, CliError> {
    if io::stdin().is_terminal() {
        // Nobody is left to be told when this fails.
        let _ = write!(io::stderr().lock(), "{question}");
        let _ = io::stderr().flush();
    }
    let mut text = String::new();
    match io::stdin().lock().read_line(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::new(
            Exit::Usage,
            format!("standard input cannot be read: {error}"),
            "Answer in UTF-8, or start it in a terminal",
        )),
    }
}

/// Asks for something that must not be seen: without echo on a terminal, else a line of standard input.
/// The terminal is as it was on every way out.
///
/// # Errors
/// When there is none, or the asking was stopped.
pub async fn secret(question: &str) -> Result<SecretString, CliError> {
    let stopped = || CliError::new(Exit::Failed, "stopped", "Nothing was sent");
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| CliError::failed(format!("signals cannot be heard: {error}")))?;
    let silence = Silence::begin();
    let asked = question.to_owned();
    let read = tokio::task::spawn_blocking(move || line(&asked).map(Zeroizing::new));
    let text = tokio::select! {
        text = read => text.map_err(|_| stopped())?,
        _ = interrupt.recv() => Err(stopped()),
    };
    if silence.is_some() {
        // The Enter was not shown either.
        super::super::output::say("");
    }
    drop(silence);
    let text = text?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err(CliError::new(
            Exit::Usage,
            "nothing was given",
            "Type it at the prompt, or pipe it in as one line",
        ));
    }
    Ok(SecretString::from(secret.to_owned()))
}

/// The terminal's echo is off while this lives.
struct Silence(Termios);

impl Silence {
    /// Switches it off, when standard input is a terminal.
    fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // When the terminal is gone there is no echo to bring back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
