//! Fetches pictures. It has an HTTP client of its own, so that nothing of the API's (key, cookies,
//! headers) can ever reach the media host, and it follows no link that [`Rules`] refuse. Neither its
//! errors nor its `Debug` carry any part of a link.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Breach, PictureBytes, Rules};
use crate::domain::Link;

/// How often one fetch may be redirected.
const MOST_REDIRECTS: usize = 3;

/// The longest wait that a server may ask for and be heeded.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Why a picture did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// 400, 403, 404 or 410: the link is dead. The caller asks for a new one, once.
    #[error("The media host refused the link ({0}); press r to ask for a new one.")]
    Refused(u16),
    /// 408, 429 or 5xx: later, after the wait where the host named one in seconds.
    #[error("The media host is busy ({0}); the picture is tried again by itself.")]
    Busy(u16, Option<Duration>),
    /// Any other status that is no picture.
    #[error("The media host answered {0} instead of a picture; press r to try again.")]
    Status(u16),
    /// No connection, or it broke before the end.
    #[error("The media host cannot be reached; check the network, then press r to try again.")]
    Network,
    /// Larger than [`Rules::max_bytes`].
    #[error("The picture is larger than allowed; look at it in the Didit console.")]
    TooLarge,
    /// Not JPEG, PNG, WebP or TIFF by its first bytes.
    #[error("The media host sent something that is not a picture; press r to try again.")]
    NotAnImage,
    /// The link breaks a rule; nothing was sent there.
    #[error("The link to the picture is not followed because {0}; report it to Didit.")]
    Forbidden(Breach),
    /// Took longer than [`Rules::total`].
    #[error("The media host did not answer in time; press r to try again.")]
    Timeout,
    /// No client could be made: no usable TLS.
    #[error("No secure connection can be made here; check the system's certificates.")]
    NoClient,
}

impl From<Breach> for FetchError {
    fn from(breach: Breach) -> Self {
        Self::Forbidden(breach)
    }
}

/// Fetches pictures under [`Rules`]. One for the program's life; it bounds its own parallelism.
pub struct Fetcher {
    client: Client,
    rules: Rules,
    gate: Semaphore,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Makes a fetcher. A proxy of the system is used only where private addresses are allowed:
    /// a proxy resolves names itself, out of reach of the rules.
    ///
    /// # Errors
    /// [`FetchError::NoClient`] when the TLS library finds nothing to work with.
    pub fn new(rules: Rules) -> Result<Self, FetchError> {
        // Fails only when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers
            .insert(ACCEPT, HeaderValue::from_static("image/jpeg,image/png,image/webp,image/tiff"));
        let mut builder = Client::builder()
            .user_agent(concat!("secondlook/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            // A picture is compressed already; unpacking here would only let a small body grow.
            .no_gzip()
            .connect_timeout(rules.connect)
            .pool_max_idle_per_host(rules.parallel)
            .dns_resolver(Resolver { rules: rules.clone() });
        if !rules.allow_private {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|_| FetchError::NoClient)?;
        let gate = Semaphore::new(rules.parallel.max(1));
        Ok(Self { client, rules, gate })
    }

    /// Fetches one picture. Dropping the future ends the fetch.
    ///
    /// # Errors
    /// [`FetchError`], none of which holds any part of the link.
    pub async fn fetch(&self, link: &Link) -> Result<PictureBytes, FetchError> {
        let late = |_| FetchError::Timeout;
        // Waiting for a turn has its own bound: four rounds of the slowest fetches.
        let turn = timeout(self.rules.total * 4, self.gate.acquire()).await.map_err(late)?;
        let _turn = turn.map_err(|_| FetchError::Network)?;
        timeout(self.rules.total, self.follow(link)).await.map_err(late)?
    }

    async fn follow(&self, link: &Link) -> Result<PictureBytes, FetchError> {
        let mut url = self.rules.check(link.reveal())?;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.client.get(url.clone()).send().await.map_err(cause)?;
            match response.status() {
                StatusCode::OK => {
                    let bytes = self.body(response).await?;
                    return PictureBytes::new(bytes).ok_or(FetchError::NotAnImage);
                }
                status if is_redirect(status) => {
                    let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
                    url = self.rules.next_hop(&url, location.ok_or(Breach::Redirect)?)?;
                }
                status => return Err(refusal(status, response.headers())),
            }
        }
        Err(FetchError::Forbidden(Breach::Redirect))
    }

    /// Reads a body into memory that is wiped, never more than allowed, whatever length it claims.
    async fn body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, FetchError> {
        let most = self.rules.max_bytes;
        let claimed = response.content_length().map(usize::try_from);
        let claimed = claimed.transpose().map_err(|_| FetchError::TooLarge)?;
        if claimed.is_some_and(|length| length > most) {
            return Err(FetchError::TooLarge);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(claimed.unwrap_or(64 * 1024)));
        while let Some(piece) = response.chunk().await.map_err(cause)? {
            if bytes.len() + piece.len() > most {
                return Err(FetchError::TooLarge);
            }
            append(&mut bytes, &piece);
        }
        Ok(bytes)
    }
}

/// Appends without leaving an unwiped copy behind, as a growing vector would.
fn append(bytes: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let needed = bytes.len() + piece.len();
    if needed > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed * 2));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(piece);
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What a status that is neither success nor redirect means.
fn refusal(status: StatusCode, headers: &HeaderMap) -> FetchError {
    match status.as_u16() {
        code @ (400 | 403 | 404 | 410) => FetchError::Refused(code),
        code @ (408 | 429 | 500..=599) => {
            let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            // Only the form in seconds: the other needs a clock, and the caller has its own pace.
            let wait = text.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            FetchError::Busy(code, wait.map(|wait| wait.min(LONGEST_WAIT)))
        }
        code => FetchError::Status(code),
    }
}

/// Sorts a client's error, whose own text holds the link and therefore goes no further.
fn cause(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    let mut source: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = source {
        if inner.is::<InwardName>() {
            return FetchError::Forbidden(Breach::Inward);
        }
        source = inner.source();
    }
    FetchError::Network
}

/// A name that resolved to addresses none of which may be reached.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that is allowed")]
struct InwardName;

/// Resolves names with the system's resolver and hands on only the addresses that are allowed. The
/// connection is made to exactly these, so nothing can change between the check and the use.
struct Resolver {
    rules: Rules,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| rules.admits(name.as_str(), address.ip())).collect();
            if allowed.is_empty() {
                return Err(InwardName.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_body_keeps_its_bytes() {
        let mut bytes = Zeroizing::new(Vec::new());
        for piece in [&b"ab"[..], b"", b"cdefgh", b"i"] {
            append(&mut bytes, piece);
        }
        assert_eq!(&**bytes, b"abcdefghi");
    }

    #[test]
    fn a_status_says_what_to_do_next() {
        let mut headers = HeaderMap::new();
        let kind = |code, headers: &HeaderMap| {
            refusal(StatusCode::from_u16(code).unwrap_or_default(), headers)
        };
        for code in [400, 403, 404, 410] {
            assert_eq!(kind(code, &headers), FetchError::Refused(code));
        }
        for code in [204, 206, 304, 401, 402, 405, 451] {
            assert_eq!(kind(code, &headers), FetchError::Status(code));
        }
        assert_eq!(kind(503, &headers), FetchError::Busy(503, None));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(kind(429, &headers), FetchError::Busy(429, Some(Duration::from_secs(7))));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("99999999"));
        assert_eq!(kind(429, &headers), FetchError::Busy(429, Some(LONGEST_WAIT)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Wed, 21 Oct 2026 07:28:00 GMT"));
        assert_eq!(kind(429, &headers), FetchError::Busy(429, None));
    }
}
