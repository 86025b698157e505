//! What sshd says of a login (`ExposeAuthInfo`, the file that `SSH_USER_AUTH` names): which keys it took. The
//! file is the user's own, so what it says is a hint for a label and proves nothing.

use super::key::CERTIFICATE;
use super::{Certificate, PublicKey, Signer};

/// No such file has more lines: sshd ends a login after far fewer tries.
const MOST: usize = 16;

/// The keys and certificates that the text says were taken at a login. What cannot be read is passed over.
#[must_use]
pub fn auth_info(text: &str) -> Vec<Signer> {
    text.lines().take(MOST).filter_map(signer).collect()
}

fn signer(line: &str) -> Option<Signer> {
    let key = line.trim().strip_prefix("publickey ")?;
    if key.split_ascii_whitespace().next()?.ends_with(CERTIFICATE) {
        return Certificate::parse(key).ok().map(|found| Signer::Certificate(Box::new(found)));
    }
    PublicKey::parse(key).ok().map(Signer::Key)
}
