//! The ssh-agent behind `SSH_AUTH_SOCK`: which keys and certificates it holds, and its signatures of our texts, in
//! the form of `ssh-keygen -Y sign`. Two requests of its protocol (draft-miller-ssh-agent) are all that is needed,
//! so they are written here. Each call has a deadline and a connection of its own: an agent may ask somebody, want
//! a touch, or hang, and nobody waits for it longer than is said. No secret passes through here.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use super::child::{Sees, child};
use crate::domain::printable;
use crate::proof::wire::{Broken, Reader, put};
use crate::proof::{self, Signer};

/// No message of an agent is longer, in bytes; it is OpenSSH's limit too.
const LONGEST: usize = 256 * 1024;
/// More keys than any agent holds: OpenSSH's own limit is below it.
const MOST_KEYS: u32 = 2048;
/// How long a look for another agent may take.
const LOOK: Duration = Duration::from_secs(1);

/// Numbers of the protocol.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGNATURE: u8 = 14;
const RSA_SHA2_512: u32 = 4;

/// An ssh-agent, by its socket.
#[derive(Debug, Clone)]
pub struct Agent {
    socket: PathBuf,
    patience: Patience,
}

/// How long an agent may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// To tell what it holds.
    pub list: Duration,
    /// To sign: some agents ask first, or want a touch.
    pub sign: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { list: Duration::from_secs(5), sign: Duration::from_secs(30) }
    }
}

/// What an agent holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identities {
    /// What it can sign with, in the agent's order.
    pub usable: Vec<Identity>,
    /// What does not count here.
    pub set_aside: Vec<SetAside>,
}

/// A key or certificate in an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What signs.
    pub signer: Signer,
    /// What the agent calls it; fit for a screen.
    pub comment: String,
}

/// A key in an agent that does not count here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// What the agent calls it; fit for a screen.
    pub comment: String,
    /// Why not, in words.
    pub why: proof::NotProven,
}

/// Why there is no answer of an agent that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// There is no socket's name.
    #[error(
        "no ssh-agent is known here (SSH_AUTH_SOCK is not set): log in with `ForwardAgent yes` for this host, or run `eval $(ssh-agent)` and `ssh-add`"
    )]
    NoAgent,
    /// Nobody answers at the socket.
    #[error(
        "the ssh-agent of SSH_AUTH_SOCK cannot be reached ({0}): log in again with `ForwardAgent yes`, or run `eval $(ssh-agent)` and `ssh-add`"
    )]
    Unreachable(String),
    /// The socket is another user's.
    #[error(
        "the ssh-agent of SSH_AUTH_SOCK belongs to another user: use your own, by `ForwardAgent yes` or `eval $(ssh-agent)`"
    )]
    NotOurs,
    /// It said no, and still shows the key.
    #[error(
        "the ssh-agent refused to sign with this key: say yes where it asks, touch the key, or run `ssh-add` again"
    )]
    Refused,
    /// It said no, and shows no key any more; an agent that is locked shows none.
    #[error(
        "the ssh-agent is locked or was emptied: `ssh-add -X` unlocks it, `ssh-add` adds a key"
    )]
    Locked,
    /// It said no, and no longer shows this key.
    #[error("the ssh-agent no longer holds this key: add it with `ssh-add`, or log in again")]
    Gone,
    /// It did not answer in time.
    #[error(
        "the ssh-agent did not answer within {0} seconds: look whether it asks for something, then try again"
    )]
    TimedOut(u64),
    /// Its answer is none.
    #[error("the ssh-agent's answer cannot be read ({0}): start another with `eval $(ssh-agent)`")]
    Garbled(&'static str),
}

impl Agent {
    /// The agent at that socket (`SSH_AUTH_SOCK`); nothing is asked of it yet.
    ///
    /// # Errors
    /// [`AgentError::NoAgent`] when there is no name.
    pub fn at(socket: Option<&Path>) -> Result<Self, AgentError> {
        let socket = socket.filter(|path| !path.as_os_str().is_empty());
        let socket = socket.ok_or(AgentError::NoAgent)?.to_owned();
        Ok(Self { socket, patience: Patience::default() })
    }

    /// With other deadlines.
    #[must_use]
    pub fn with(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it holds. Nothing at all may mean that it is locked: an agent does not tell.
    ///
    /// # Errors
    /// [`AgentError`], in words.
    pub async fn list(&self) -> Result<Identities, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], self.patience.list).await?;
        match answer.split_first() {
            Some((&IDENTITIES, body)) => identities(body),
            Some(_) | None => Err(AgentError::Garbled("it lists no keys")),
        }
    }

    /// A signature of a text in a namespace, armoured, by one of the agent's identities. It has been checked.
    ///
    /// # Errors
    /// [`AgentError`], in words.
    pub async fn sign(
        &self,
        signer: &Signer,
        namespace: &str,
        text: &[u8],
    ) -> Result<String, AgentError> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, signer.blob());
        put(&mut request, &proof::to_be_signed(text, namespace));
        let flags = if signer.key().is_rsa() { RSA_SHA2_512 } else { 0 };
        request.extend(flags.to_be_bytes());
        let answer = self.ask(&request, self.patience.sign).await?;
        let raw = match answer.split_first() {
            Some((&SIGNATURE, body)) => only_string(body),
            Some((&FAILURE, _)) => return Err(self.why_not(signer).await),
            Some(_) | None => None,
        };
        let raw = raw.ok_or(AgentError::Garbled("it is no signature"))?;
        let armoured = proof::armoured(signer, namespace, raw);
        match proof::verify(text, &armoured, namespace) {
            Ok(found) if found == *signer => Ok(armoured),
            Ok(_) | Err(_) => Err(AgentError::Garbled("its signature is none of this key")),
        }
    }

    /// Why it said no. It says only that, so what it shows now has to tell.
    async fn why_not(&self, signer: &Signer) -> AgentError {
        match self.list().await {
            Ok(now) if now.usable.iter().any(|identity| identity.signer == *signer) => {
                AgentError::Refused
            }
            Ok(now) if now.usable.is_empty() && now.set_aside.is_empty() => AgentError::Locked,
            Ok(_) => AgentError::Gone,
            Err(error) => error,
        }
    }

    /// One question and its answer, without the length before them.
    async fn ask(&self, request: &[u8], patience: Duration) -> Result<Vec<u8>, AgentError> {
        let talk = async {
            owned(&self.socket).await?;
            let mut stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
            let mut message = Vec::new();
            put(&mut message, request);
            stream.write_all(&message).await.map_err(unreachable)?;
            let mut length = [0; 4];
            stream.read_exact(&mut length).await.map_err(broken_off)?;
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            if !(1..=LONGEST).contains(&length) {
                return Err(AgentError::Garbled("its length is impossible"));
            }
            let mut answer = vec![0; length];
            stream.read_exact(&mut answer).await.map_err(broken_off)?;
            Ok(answer)
        };
        timeout(patience, talk).await.map_err(|_| AgentError::TimedOut(patience.as_secs()))?
    }
}

/// Looks for an agent that answers: the one that was named before, whose path may lead elsewhere by now (a link that
/// each login renews), then the one that `again` names, [`tmux_socket`] for instance. One that holds a key wins.
///
/// # Errors
/// What is wrong with the named one, when none answers.
pub async fn find<F, Fut>(
    named: Option<&Path>,
    patience: Patience,
    again: F,
) -> Result<Agent, AgentError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Option<PathBuf>>,
{
    let (first, error) = match answering(named, patience).await {
        Ok((agent, true)) => return Ok(agent),
        Ok((agent, false)) => (Some(agent), AgentError::Locked),
        Err(error) => (None, error),
    };
    let other = again().await.filter(|path| Some(path.as_path()) != named);
    match answering(other.as_deref(), patience).await {
        Ok((agent, true)) => Ok(agent),
        Ok((agent, false)) => Ok(first.unwrap_or(agent)),
        Err(_) => first.ok_or(error),
    }
}

/// The agent there, if it answers, and whether it holds a key that counts.
async fn answering(socket: Option<&Path>, patience: Patience) -> Result<(Agent, bool), AgentError> {
    let agent = Agent::at(socket)?.with(patience);
    let holds = !agent.list().await?.usable.is_empty();
    Ok((agent, holds))
}

/// The agent that the tmux around us knows of: whoever attached last brought theirs (its option `update-environment`).
/// `tmux` is the value of `TMUX`; without it we are in none.
pub async fn tmux_socket(tmux: Option<&str>) -> Option<PathBuf> {
    let mut ask = Command::from(child("tmux", Sees::Needed));
    ask.args(["show-environment", "SSH_AUTH_SOCK"]).env("TMUX", tmux?);
    ask.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(LOOK, ask.output()).await.ok()?.ok()?;
    let said = std::str::from_utf8(&output.stdout).ok()?;
    let path = said.trim_end_matches('\n').strip_prefix("SSH_AUTH_SOCK=")?;
    (path.starts_with('/') && !path.contains('\n')).then(|| PathBuf::from(path))
}

/// The socket must be ours, wherever its name leads: who else's agent it is would be who we are.
async fn owned(socket: &Path) -> Result<(), AgentError> {
    let path = socket.to_owned();
    let found = tokio::task::spawn_blocking(move || std::fs::metadata(path)).await;
    let found = found.map_err(|_| AgentError::Unreachable("it cannot be looked at".to_owned()))?;
    let found = found.map_err(unreachable)?;
    if !found.file_type().is_socket() {
        return Err(AgentError::Unreachable("it is not a socket".to_owned()));
    }
    if found.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(AgentError::NotOurs)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn unreachable(error: std::io::Error) -> AgentError {
    AgentError::Unreachable(match error.kind() {
        std::io::ErrorKind::NotFound => "its socket is gone".to_owned(),
        std::io::ErrorKind::ConnectionRefused => "nobody listens there any more".to_owned(),
        _ => printable(&error.to_string(), 80),
    })
}

fn broken_off(_: std::io::Error) -> AgentError {
    AgentError::Garbled("it broke off")
}

fn identities(body: &[u8]) -> Result<Identities, AgentError> {
    read_identities(Reader::new(body)).map_err(|_| AgentError::Garbled("its list is damaged"))
}

fn read_identities(mut reader: Reader) -> Result<Identities, Broken> {
    let count = reader.u32()?;
    if count > MOST_KEYS {
        return Err(Broken);
    }
    let mut found = Identities::default();
    for _ in 0..count {
        let (blob, comment) = (reader.string()?, reader.string()?);
        let comment = printable(&String::from_utf8_lossy(comment), 80);
        match Signer::of_blob(blob) {
            Ok(signer) => found.usable.push(Identity { signer, comment }),
            Err(why) => found.set_aside.push(SetAside { comment, why }),
        }
    }
    reader.end().map(|()| found)
}

fn only_string(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    let string = reader.string().ok()?;
    reader.end().ok().map(|()| string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_list_of_keys_breaks_it(body in any::<Vec<u8>>()) {
            if let Ok(found) = identities(&body) {
                let count = found.usable.len() + found.set_aside.len();
                prop_assert_eq!(Reader::new(&body).u32().unwrap() as usize, count);
            }
            let _ = only_string(&body);
        }

        #[test]
        fn what_is_no_key_is_set_aside(keys in prop::collection::vec((any::<Vec<u8>>(), ".*"), 0..8)) {
            let mut body = u32::try_from(keys.len()).unwrap().to_be_bytes().to_vec();
            for (blob, comment) in &keys {
                put(&mut body, blob);
                put(&mut body, comment.as_bytes());
            }
            let found = identities(&body).unwrap();
            prop_assert_eq!(found.set_aside.len(), keys.len());
            for cut in 0..body.len() {
                prop_assert!(identities(&body[..cut]).is_err());
            }
        }
    }
}
