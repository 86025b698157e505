//! Signed links to pictures, in the style of S3: time, life and signature in the query.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// Signs paths and checks what comes back.
#[derive(Debug)]
pub(super) struct Links {
    /// Base URL of the pictures' listener, no slash at the end.
    pub base: String,
    /// Life of a new link, in whole seconds.
    pub life: u64,
    secret: [u8; 32],
    made: u64,
}

/// Why a link does not open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its life is over.
    Expired,
    /// Not signed by us, or changed since.
    BadSignature,
}

impl Links {
    pub(super) fn new(life: u64, rng: &mut fastrand::Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self { base: String::new(), life, secret, made: 0 }
    }

    /// A link of its own each time, also within one second: the token counts.
    pub(super) fn sign(&mut self, path: &str, now: Timestamp) -> String {
        self.made += 1;
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=SIM%2F{day}%2Feu-west-1%2Fs3%2F\
             aws4_request&X-Amz-Date={date}&X-Amz-Expires={life}&X-Amz-Security-Token={token:08x}\
             &X-Amz-SignedHeaders=host",
            day = now.strftime("%Y%m%d"),
            date = now.strftime("%Y%m%dT%H%M%SZ"),
            life = self.life,
            token = self.made,
        );
        let signature = self.signature(path, &query);
        format!("{}{path}?{query}&X-Amz-Signature={signature}", self.base)
    }

    /// Checks a path with its query as they arrived.
    pub(super) fn check(&self, path: &str, query: &str, now: Timestamp) -> Result<(), Refusal> {
        let (signed, signature) =
            query.rsplit_once("&X-Amz-Signature=").ok_or(Refusal::BadSignature)?;
        if self.signature(path, signed) != signature {
            return Err(Refusal::BadSignature);
        }
        let value = |name: &str| {
            signed.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let made = value("X-Amz-Date").and_then(seconds).ok_or(Refusal::BadSignature)?;
        let life: i64 =
            value("X-Amz-Expires").and_then(|v| v.parse().ok()).ok_or(Refusal::BadSignature)?;
        if now.as_second() >= made.saturating_add(life) { Err(Refusal::Expired) } else { Ok(()) }
    }

    fn signature(&self, path: &str, query: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else {
            return String::new();
        };
        mac.update(path.as_bytes());
        mac.update(b"\n");
        mac.update(query.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `20260612T010442Z` as Unix seconds.
fn seconds(date: &str) -> Option<i64> {
    let part = |from: usize, to: usize| date.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_until_its_life_is_over_and_only_as_it_was_signed() {
        let mut links = Links::new(60, &mut fastrand::Rng::with_seed(1));
        let at = |second| Timestamp::from_second(second).unwrap();
        let link = links.sign("/a.jpg", at(1_000_000_000));
        let (path, query) = link.split_once('?').unwrap();
        assert_eq!(links.check(path, query, at(1_000_000_059)), Ok(()));
        assert_eq!(links.check(path, query, at(1_000_000_060)), Err(Refusal::Expired));
        assert_eq!(links.check("/b.jpg", query, at(1_000_000_000)), Err(Refusal::BadSignature));
        let longer = query.replace("Expires=60", "Expires=9999");
        assert_eq!(links.check(path, &longer, at(1_000_000_000)), Err(Refusal::BadSignature));
        assert_ne!(link, links.sign("/a.jpg", at(1_000_000_000)));
    }
}
