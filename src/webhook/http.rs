//! The listener: one POST is one event, whatever its path, because the user's reverse proxy chooses that.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::receiver::{Answer, Receiver};
use super::signature::{Headers, Refusal};

/// A body has to be there within this time; Didit itself waits five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state((Arc::new(receiver), told));
    let ended = stop.clone().cancelled_owned();
    let serving = axum::serve(listener, app).with_graceful_shutdown(ended);
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = serving => served,
        // Somebody holds a connection open: it is cut.
        () = late => Ok(()),
    }
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
    let body = match tokio::time::timeout(PATIENCE, to_bytes(body, receiver.longest())).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long or broke off\n");
        }
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let headers = Headers {
        v2: header("x-signature-v2"),
        raw: header("x-signature"),
        simple: header("x-signature-simple"),
        timestamp: header("x-timestamp"),
    };
    let answer = receiver.receive(&headers, &body);
    told(answer);
    match answer {
        Answer::Accepted => (StatusCode::OK, "accepted\n"),
        Answer::Repeated => (StatusCode::OK, "accepted before\n"),
        Answer::Refused(Refusal::Unreadable) => (StatusCode::BAD_REQUEST, "not a JSON object\n"),
        Answer::Refused(_) => (StatusCode::UNAUTHORIZED, "signature or time refused\n"),
        Answer::Full => (StatusCode::SERVICE_UNAVAILABLE, "no room now, send it again\n"),
    }
}
