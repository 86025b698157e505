//! Signs this reviewer's entries of the audit with a key in the ssh-agent, by `ssh-keygen -Y sign`, so that
//! plain `ssh-keygen -Y verify` accepts what comes of it. What is signed is the entry's hash, which stands
//! for all entries before it too. An entry that cannot be signed stays unsigned and says so: no decision
//! waits for an agent.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::child::{Sees, child};
use crate::domain::{Origin, ReviewerId};
use crate::store::audit::AuditEntry;
use crate::store::{self, Store};

/// What the signatures are for: one made for anything else is none here.
pub const NAMESPACE: &str = "audit@secondlook";
/// How long one signature may take: some agents ask first, or want a touch.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many entries are read at a time.
const PAGE: u32 = 100;

/// Signs entries.
#[derive(Clone)]
pub struct Signer {
    store: Arc<dyn Store>,
    origin: Origin,
    reviewer: ReviewerId,
    key: PathBuf,
}

/// What a round of signing came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signed {
    /// Entries signed.
    pub signed: u64,
    /// Entries that stay unsigned, and why.
    pub unsigned: Option<(u64, String)>,
}

impl Signer {
    /// Signs what this reviewer does, with the private half of this public key.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, origin: Origin, reviewer: ReviewerId, key: PathBuf) -> Self {
        Self { store, origin, reviewer, key }
    }

    /// Where the audit ends now: what comes after it is to be signed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn begin(&self) -> store::Result<u64> {
        Ok(self.store.audit_head(&self.origin).await?.seq)
    }

    /// Signs the reviewer's entries after `last`, and moves it on.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn catch_up(&self, last: &mut u64) -> store::Result<Signed> {
        let mut done = Signed::default();
        loop {
            let rows = self.store.audit(&self.origin, *last, PAGE).await?;
            let Some(end) = rows.last().map(|row| row.seq) else { return Ok(done) };
            for row in &rows {
                let mine = serde_json::from_str::<AuditEntry>(&row.entry)
                    .is_ok_and(|entry| entry.doer() == self.reviewer.0);
                if !mine {
                    continue;
                }
                match self.sign(&row.hash).await {
                    Ok(signature) => {
                        self.store.sign(&self.origin, row.seq, &signature).await?;
                        done.signed += 1;
                    }
                    Err(why) => {
                        let count = done.unsigned.map_or(0, |(count, _)| count);
                        done.unsigned = Some((count + 1, why));
                    }
                }
            }
            *last = end;
        }
    }

    /// A signature of a text, or why there is none, in words.
    ///
    /// # Errors
    /// What `ssh-keygen` says, in one line.
    pub async fn sign(&self, text: &str) -> Result<String, String> {
        let mut command = Command::from(child("ssh-keygen", Sees::Needed));
        command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&self.key);
        let output = run(command, text).await?;
        String::from_utf8(output).map_err(|_| "ssh-keygen wrote no text".to_owned())
    }
}

/// Runs a program with a text on its standard input and a deadline. It never asks on the terminal.
async fn run(mut command: Command, text: &str) -> Result<Vec<u8>, String> {
    command
        .env("SSH_ASKPASS", "false")
        .env("SSH_ASKPASS_REQUIRE", "force")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| format!("ssh-keygen cannot be run: {error}"))?;
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // One that does not read says why in what it writes.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(PATIENCE, talk)
        .await
        .map_err(|_| "the ssh-agent did not answer in time".to_owned())?
        .map_err(|error| format!("ssh-keygen cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(crate::domain::printable(line, 160))
}
