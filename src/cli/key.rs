//! The API key: from the environment, a file, a command, or the 0600 file of `account login`. Never from
//! argv, never printed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::{CliError, Exit};
use crate::shell::child::{Sees, child};

/// How long `api_key_command` may take.
const COMMAND: Duration = Duration::from_secs(60);

/// Where a key may come from, first come first served.
pub struct Sources<'a> {
    /// `DIDIT_API_KEY`.
    pub env: Option<String>,
    /// `DIDIT_API_KEY_FILE`.
    pub env_file: Option<String>,
    /// `didit.api_key_command`.
    pub command: &'a str,
    /// The file of `account login`.
    pub login_file: &'a Path,
}

/// Finds the key.
///
/// # Errors
/// Exit code 4, with what to do, when there is none or it cannot be used.
pub async fn find(sources: Sources<'_>) -> Result<SecretString, CliError> {
    if let Some(key) = sources.env.filter(|key| !key.trim().is_empty()) {
        return checked(Zeroizing::new(key));
    }
    if let Some(path) = sources.env_file.filter(|path| !path.is_empty()) {
        return from_file(Path::new(&path));
    }
    if !sources.command.trim().is_empty() {
        return from_command(sources.command).await;
    }
    if sources.login_file.exists() {
        return from_file(sources.login_file);
    }
    Err(auth(
        "there is no API key",
        "Set DIDIT_API_KEY or DIDIT_API_KEY_FILE; `secondlook demo` needs none",
    ))
}

fn auth(text: impl Into<String>, hint: &str) -> CliError {
    CliError::new(Exit::Auth, text, hint)
}

fn from_file(path: &Path) -> Result<SecretString, CliError> {
    let shown = path.display();
    let hint = "Put the key there, alone, in a file that only you may read";
    let mode = std::fs::metadata(path)
        .map_err(|error| auth(format!("the key file {shown} cannot be read: {error}"), hint))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(auth(
            format!("others may read the key file {shown} (mode {:o})", mode & 0o777),
            "Run chmod 600 on it",
        ));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| auth(format!("the key file {shown} cannot be read: {error}"), hint))?;
    checked(Zeroizing::new(text))
}

async fn from_command(command: &str) -> Result<SecretString, CliError> {
    let hint = "Mend didit.api_key_command; it must print the key and nothing else";
    let output = tokio::process::Command::from(child("sh", Sees::AllButOurs))
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND, output)
        .await
        .map_err(|_| auth("didit.api_key_command did not end within a minute", hint))?
        .map_err(|error| auth(format!("didit.api_key_command cannot be run: {error}"), hint))?;
    let text = Zeroizing::new(String::from_utf8_lossy(&output.stdout).into_owned());
    if !output.status.success() {
        return Err(auth(format!("didit.api_key_command failed ({})", output.status), hint));
    }
    checked(text)
}

/// A key is one word of visible characters; anything else was not meant to be one.
fn checked(text: Zeroizing<String>) -> Result<SecretString, CliError> {
    let key = text.trim();
    if key.is_empty() || key.len() > 512 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(auth(
            "what stands where the API key should be is no key",
            "A key is one word, such as sk_live_…; look at DIDIT_API_KEY or its file",
        ));
    }
    Ok(SecretString::from(key.to_owned()))
}
