//! Questions to the person at the terminal. Asked on standard error, answered on standard input.

use std::io::{self, BufRead, IsTerminal, Write};

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
