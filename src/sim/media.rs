//! The pictures' listener: opens signed links, answers XML where it does not, and takes no
//! credentials.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State as Handed};
use axum::response::Response;
use uuid::Uuid;

use super::decision;
use super::knobs::Fault;
use super::links::Refusal;
use super::record::MediaRecorded;
use super::reply::{Body, Reply};
use super::route::{Route, uuid};
use super::serve::{Shared, cut_body};
use super::state::State;
use super::wire::Scissors;
use super::world::{Coding, Picture};

/// What a link must never be asked with.
const CREDENTIALS: [&str; 3] = ["x-api-key", "authorization", "cookie"];

/// Answers one request for a picture.
pub(super) async fn serve(
    Handed(shared): Handed<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let carried: Vec<String> = CREDENTIALS
        .into_iter()
        .filter(|name| request.headers().contains_key(*name))
        .map(str::to_owned)
        .collect();
    let owner = path.split('/').nth(1).and_then(uuid);
    let row = shared.with(|state| {
        let at = state.now().as_millisecond();
        let row = MediaRecorded { at, path: path.clone(), session: owner, status: None, carried };
        let refused = !row.carried.is_empty();
        (state.media.push(row), refused)
    });
    let (number, refused) = row;
    shared.pass_gate(Route::Media).await;
    let faults = shared.draw(Some(Route::Media), owner);
    shared.delay(&faults).await;
    let get = request.method() == "GET";
    let opened = shared.with(|state| match (refused, get) {
        (true, _) => Err(xml(400, "InvalidArgument", "Only one auth mechanism allowed")),
        (_, false) => Err(xml(405, "MethodNotAllowed", "The specified method is not allowed")),
        _ => state.open(&path, &query, owner),
    });
    let reply = match (answer_of(&faults), opened) {
        (Some(reply), _) => reply,
        (None, Err(reply)) => reply,
        (None, Ok(picture)) => shared.drawn(bent(picture, &faults)).await,
    };
    if faults.iter().any(|f| matches!(f, Fault::DropBefore | Fault::DropAfter)) {
        scissors.cut();
        return Reply::empty(500).into_response();
    }
    shared.with(|state| state.media.change(number, |row| row.status = Some(reply.status)));
    shared.tick();
    cut_body(reply, &faults, &scissors)
}

fn answer_of(faults: &[Fault]) -> Option<Reply> {
    faults.iter().find_map(|fault| match fault {
        Fault::Answer(reply) | Fault::AnswerAfter(reply) => Some(reply.clone()),
        _ => None,
    })
}

/// The picture with its fault, if one was set for it.
fn bent(picture: Picture, faults: &[Fault]) -> Picture {
    let wanted = faults.iter().find_map(|fault| match fault {
        Fault::Picture(broken) => Some(*broken),
        _ => None,
    });
    match wanted {
        Some(broken) => picture.coded(Coding::Broken(broken)),
        None => picture,
    }
}

/// S3's error document.
fn xml(status: u16, code: &str, message: &str) -> Reply {
    let page = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}\
         </Message><RequestId>SIM</RequestId></Error>"
    );
    Reply::bytes(status, "application/xml", page)
}

impl State {
    /// The picture behind a link, if the link opens.
    fn open(&self, path: &str, query: &str, owner: Option<Uuid>) -> Result<Picture, Reply> {
        match self.links.check(path, query, self.now()) {
            Ok(()) => {}
            Err(Refusal::Expired) => return Err(xml(403, "AccessDenied", "Request has expired")),
            Err(Refusal::BadSignature) => {
                let text = "The request signature we calculated does not match the signature you \
                            provided.";
                return Err(xml(403, "SignatureDoesNotMatch", text));
            }
        }
        let slot = path.rsplit('/').next().and_then(|name| name.split('.').next());
        let found = owner.zip(slot).and_then(|(owner, slot)| self.picture_at(owner, slot));
        found.ok_or_else(|| xml(404, "NoSuchKey", "The specified key does not exist."))
    }

    fn picture_at(&self, owner: Uuid, slot: &str) -> Option<Picture> {
        match slot {
            "entry" => self.lists.picture(owner),
            "person" => {
                let mut imported = self.world.imported.iter();
                imported
                    .find(|(who, _)| decision::person_id_of(who) == owner)
                    .map(|(_, picture)| picture.clone())
            }
            _ => decision::picture(self.world.session(owner)?, slot),
        }
    }
}

impl Shared {
    /// A picture as an answer, from the cache or drawn now, off the async threads.
    async fn drawn(self: &Arc<Self>, picture: Picture) -> Reply {
        // Closed never, so an error cannot come; it would only mean drawing at once.
        let _turn = self.drawing.acquire().await;
        let shared = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || shared.pictures.bytes(&picture)).await;
        match made {
            Ok((kind, bytes)) => Reply {
                status: 200,
                headers: vec![("cache-control".to_owned(), "private".to_owned())],
                body: Body::Bytes(kind, bytes.to_vec()),
            },
            Err(_) => xml(500, "InternalError", "The picture could not be drawn."),
        }
    }
}
