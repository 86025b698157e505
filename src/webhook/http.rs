//! The listener: one POST is one event, whatever its path, because the user's reverse proxy chooses that.
//! It faces the outside: a connection brings one request, its head and its body are there within a
//! deadline, and no more connections are served than there is room for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::receiver::{Answer, Receiver};
use super::signature::{Headers, Refusal};

/// No head of a request is longer, in bytes: line and headers.
const LONGEST_HEAD: usize = 16 * 1024;
/// How long requests under way may take once it is to end, and how long the listener rests when the system
/// has no room for a connection.
const LAST: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_millis(100);

/// What is told of each answer. It must not block.
pub type Told = Arc<dyn Fn(Answer) + Send + Sync>;

/// Listens until it is stopped; requests under way get their answer.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    receiver: Receiver,
    told: Told,
    stop: CancellationToken,
) -> io::Result<()> {
    let limits = receiver.limits();
    let patience = Duration::from_millis(limits.patience_ms);
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state((Arc::new(receiver), told));
    let room = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let served = TaskTracker::new();
    let ended = loop {
        let next = async {
            // Who finds no room waits in the system's queue.
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            Ok((listener.accept().await?.0, place))
        };
        let next = tokio::select! {
            () = stop.cancelled() => break Ok(()),
            next = next => next,
        };
        match next {
            Ok((stream, place)) => {
                let app = app.clone();
                served.spawn(async move {
                    // Head, body and answer have a share each.
                    let _ = tokio::time::timeout(patience * 3, one(stream, app, patience)).await;
                    drop(place);
                });
            }
            // One that was gone before it was taken, or too many files: neither is the listener's end.
            Err(error) if is_of_a_connection(&error) => tokio::time::sleep(REST).await,
            Err(error) => break Err(error),
        }
    };
    served.close();
    // Somebody who holds a connection open is cut.
    let _ = tokio::time::timeout(LAST, served.wait()).await;
    ended
}

/// Whether an error of accepting speaks of one connection, or of room that comes back.
fn is_of_a_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    let files = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS];
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
        || files.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Serves the one request of a connection.
async fn one(mut stream: TcpStream, app: Router, patience: Duration) {
    let head = match tokio::time::timeout(patience, head(&mut stream)).await {
        Ok(Ok(head)) => head,
        // It broke off, or it said nothing at all: there is nobody to answer.
        Ok(Err(Unheard::Gone)) => return,
        Ok(Err(Unheard::Wrong(answer))) => return refuse(stream, answer).await,
        Err(_) => return refuse(stream, "408 Request Timeout").await,
    };
    let (reader, writer) = stream.into_split();
    let whole = tokio::io::join(io::Cursor::new(head).chain(reader), writer);
    let service = TowerToHyperService::new(app);
    let serving =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(whole), service);
    // Whatever broke, nothing was answered, and Didit sends it again.
    let _ = serving.await;
}

/// Why a request has no head.
enum Unheard {
    /// Its sender is.
    Gone,
    /// It is none; the status that says so.
    Wrong(&'static str),
}

/// Everything up to the end of a request's head, and what came with it. Two ways of saying where the body ends
/// are refused here: a proxy before us may have believed the other one (RFC 9112, 6.3), and the library
/// takes one of them away without a word.
async fn head(stream: &mut TcpStream) -> Result<Vec<u8>, Unheard> {
    let mut heard = Vec::new();
    loop {
        if stream.read_buf(&mut heard).await.map_err(|_| Unheard::Gone)? == 0 {
            return Err(Unheard::Gone);
        }
        if let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
            let named = |name: &str| {
                lines(&heard[..end]).any(|own| own.eq_ignore_ascii_case(name.as_bytes()))
            };
            return match named("content-length") && named("transfer-encoding") {
                true => Err(Unheard::Wrong("400 Bad Request")),
                false => Ok(heard),
            };
        }
        if heard.len() > LONGEST_HEAD {
            return Err(Unheard::Wrong("431 Request Header Fields Too Large"));
        }
    }
}

/// The names of a head's headers.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| line.split(|byte| *byte == b':').next()).map(<[u8]>::trim_ascii)
}

async fn refuse(mut stream: TcpStream, status: &'static str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn answer(
    State((receiver, told)): State<(Arc<Receiver>, Told)>,
    request: Request,
) -> (StatusCode, &'static str) {
    if request.method() == Method::GET && request.uri().path() == "/health" {
        return (StatusCode::OK, "ok\n");
    }
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "events are posted\n");
    }
    let (parts, body) = request.into_parts();
    let limits = receiver.limits();
    let patience = Duration::from_millis(limits.patience_ms);
    let body = match tokio::time::timeout(patience, to_bytes(body, limits.body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long or broke off\n");
        }
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
    };
    // One that is no text is there all the same, and wrong.
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let headers = Headers {
        v2: header("x-signature-v2"),
        raw: header("x-signature"),
        simple: header("x-signature-simple"),
        timestamp: header("x-timestamp"),
    };
    let answer = receiver.receive(&headers, &body);
    told(answer);
    match answer {
        Answer::Accepted { .. } => (StatusCode::OK, "accepted\n"),
        Answer::Repeated => (StatusCode::OK, "accepted before\n"),
        Answer::Refused(Refusal::Unreadable) => (StatusCode::BAD_REQUEST, "not a JSON object\n"),
        Answer::Refused(Refusal::Doubled) => {
            (StatusCode::BAD_REQUEST, "a field stands in it twice\n")
        }
        Answer::Refused(_) => (StatusCode::UNAUTHORIZED, "signature or time refused\n"),
        Answer::Full => (StatusCode::SERVICE_UNAVAILABLE, "no room now, send it again\n"),
    }
}
