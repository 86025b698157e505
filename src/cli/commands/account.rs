//! `account …`: an account at Didit from the shell. Password and code come from a prompt without echo or
//! from standard input, never from the arguments; the API key goes into a file that only the user may
//! read, or to standard output when asked for.

use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::super::args::{Account as What, Args};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::paths::Paths;
use super::prompt;
use crate::didit::{Account, ApiError, Application};
use crate::shell::private;

/// Where the account calls are, unless DIDIT_AUTH_URL says otherwise.
const BASE: &str = "https://apx.didit.me/auth/v2";

/// Does it.
pub async fn account(args: &Args, what: &What) -> Result<Exit, CliError> {
    if let What::Register { email }
    | What::VerifyEmail { email, .. }
    | What::Resend { email }
    | What::Login { email, .. } = what
    {
        is_address(email)?;
    }
    match what {
        What::Register { email } => {
            let client = client()?;
            let password = prompt::secret("Password (8 or more characters): ").await?;
            client.register(email, &password).await.map_err(refused)?;
            say("A code was mailed. Next: secondlook account verify-email ADDRESS");
        }
        What::VerifyEmail { email, print_key } => {
            let client = client()?;
            let code = prompt::secret("Code from the mail: ").await?;
            let application = client.verify_email(email, &code).await.map_err(refused)?;
            keep(args, &application, *print_key)?;
        }
        What::Resend { email } => {
            client()?.resend(email).await.map_err(refused)?;
            say("A new code was mailed, if the address is registered.");
        }
        What::Login { email, application, print_key } => {
            let client = client()?;
            let password = prompt::secret("Password: ").await?;
            let token = client.login(email, &password).await.map_err(refused)?;
            let all = client.applications(&token).await.map_err(refused)?;
            keep(args, &chosen(all, application.as_deref())?, *print_key)?;
        }
        What::Logout => return logout(),
    }
    Ok(Exit::Done)
}

/// Looked at before a password is asked for: only that it is no name or something forgotten.
fn is_address(text: &str) -> Result<(), CliError> {
    let (name, host) = text.split_once('@').unwrap_or_default();
    let fits = !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace);
    fits.then_some(()).ok_or_else(|| {
        let shown = crate::domain::printable(text, 64);
        let what = format!("{shown} is no e-mail address");
        CliError::new(Exit::Usage, what, "Write it like ana@example.org")
    })
}

fn client() -> Result<Account, CliError> {
    let base = std::env::var("DIDIT_AUTH_URL").ok().filter(|base| !base.is_empty());
    let url = Url::parse(base.as_deref().unwrap_or(BASE)).map_err(|_| {
        CliError::new(Exit::Usage, "DIDIT_AUTH_URL is no URL", format!("It looks like {BASE}"))
    })?;
    Account::new(url).map_err(refused)
}

fn refused(error: ApiError) -> CliError {
    let hint = error.account_hint();
    let text = match error.kind {
        crate::didit::ErrorKind::Key => "Didit does not accept the address and password".to_owned(),
        _ => error.to_string(),
    };
    CliError::from(error).reworded(text, hint)
}

/// The application that was meant: the named one, or the only one with a key.
fn chosen(all: Vec<Application>, named: Option<&str>) -> Result<Application, CliError> {
    let names = |list: &[Application]| {
        let words: Vec<_> = list
            .iter()
            .map(|one| format!("{} ({})", one.name.as_deref().unwrap_or("no name"), one.id))
            .collect();
        words.join(", ")
    };
    let fits = |one: &Application| match named {
        Some(named) => one.id == named || one.name.as_deref() == Some(named),
        None => one.key.is_some(),
    };
    let (mut fitting, others): (Vec<_>, Vec<_>) = all.into_iter().partition(fits);
    match (fitting.pop(), fitting.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            fitting.push(last);
            Err(CliError::new(
                Exit::Usage,
                format!("the account has several applications: {}", names(&fitting)),
                "Name one with --application",
            ))
        }
        (None, _) if others.is_empty() => Err(CliError::new(
            Exit::Nothing,
            "the account has no application whose key this user may see",
            "Ask an owner or administrator of the organization",
        )),
        (None, _) => Err(CliError::new(
            Exit::Nothing,
            format!("no application fits; there are: {}", names(&others)),
            "Name one with --application; its key is seen by owners and administrators only",
        )),
    }
}

/// Puts the key where it is found again, or prints it.
fn keep(args: &Args, application: &Application, print: bool) -> Result<(), CliError> {
    let key = application.key.as_ref().ok_or_else(|| {
        CliError::new(
            Exit::Auth,
            "this user may not see the application's key",
            "Ask an owner or administrator of the organization",
        )
    })?;
    if print {
        line(key.expose_secret())?;
        return Ok(());
    }
    let path = Paths::find()?.key();
    write(&path, key).map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("the key cannot be written to {}: {error}", path.display()),
            "Mend the folder, or use --print-key",
        )
    })?;
    if args.json {
        json(&json!({ "key_file": path.display().to_string(), "application": application.id }))?;
    }
    say(&format!("The API key is in {}, which only you may read.", path.display()));
    if std::env::var_os("DIDIT_API_KEY").is_some()
        || std::env::var_os("DIDIT_API_KEY_FILE").is_some()
    {
        say("DIDIT_API_KEY or DIDIT_API_KEY_FILE is set and goes before it.");
    }
    Ok(())
}

fn write(path: &Path, key: &SecretString) -> std::io::Result<()> {
    let text = Zeroizing::new(format!("{}\n", key.expose_secret()));
    private::replace(path, text.as_bytes())
}

fn logout() -> Result<Exit, CliError> {
    let path = Paths::find()?.key();
    match fs::remove_file(&path) {
        Ok(()) => {
            say(&format!("{} is removed; the key itself is still valid at Didit.", path.display()));
            Ok(Exit::Done)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(CliError::new(
            Exit::Nothing,
            "there is no key file",
            "A key in DIDIT_API_KEY or a key command is not removed by this",
        )),
        Err(error) => {
            Err(CliError::failed(format!("{} cannot be removed: {error}", path.display())))
        }
    }
}
