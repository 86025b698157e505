//! One search, carried out exactly once: sent, and when its answer was lost looked up among the saved
//! searches by its tag before it is sent again. Knows no files and prints nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::inputs::Loaded;
use super::journal::{Sent, Tag};
use crate::didit::{
    ApiError, CarriedOut, Client, ErrorKind, FaceSearchRequest, SearchType, SessionQuery,
};
use crate::domain::{Details, Millis, SessionId};

/// The field of the metadata that holds the tag.
pub const FIELD: &str = "secondlook";
/// Times that a search is sent at most.
const SENDINGS: u32 = 4;
/// Waits before the looks for a search whose answer was lost: the server may still be at it.
const LOOKS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(2_000)];
/// The same after no answer came in time at all.
const LATE_LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(15)];
/// Days are all that Didit's list knows, and clocks differ.
const DAY: i64 = 86_400_000;
/// Pages of a hundred that a look goes through.
const MOST_PAGES: usize = 10_000;
/// Searches that are remembered, so that none is read twice.
const REMEMBERED: usize = 8_192;

/// How a search ended.
pub enum Outcome {
    /// Its answer; whether a face was found.
    Answered(Box<Details>, bool),
    /// It was not carried out.
    Refused(ApiError),
    /// It may have been carried out and billed, and cannot be found; why.
    Lost(String),
    /// It was not sent (again), because the work is to end; `true` when it may have been sent before.
    Stopped(bool),
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("the list of saved searches has no end")]
    Endless,
}

impl Trouble {
    fn text(self) -> String {
        self.to_string()
    }
}

/// What all searches of a batch share.
pub struct Inquiry {
    client: Client,
    form: Form,
    recent: Mutex<Recent>,
    stop: CancellationToken,
}

/// What is asked, besides the picture.
#[derive(Clone)]
pub struct Form {
    /// All four directions.
    pub rotate: bool,
    /// Which faces.
    pub search_type: SearchType,
    /// Kept at Didit.
    pub save: bool,
    /// The customer's own id.
    pub vendor_data: Option<String>,
    /// The customer's own fields.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// The tags of saved searches that were read, newest last.
#[derive(Default)]
struct Recent {
    tags: HashMap<SessionId, Option<Tag>>,
    order: VecDeque<SessionId>,
}

impl Inquiry {
    /// Searches over `client`; none is begun once `stop` is set.
    pub fn new(client: Client, form: Form, stop: CancellationToken) -> Self {
        Self { client, form, recent: Mutex::default(), stop }
    }

    /// The number of the newest saved search.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn newest(&self) -> Result<Option<u64>, ApiError> {
        let mut query = SessionQuery::saved_searches(Millis(0));
        (query.date_from, query.limit) = (None, 1);
        let page = self.client.sessions(&query).await?;
        Ok(page.rows.iter().filter_map(|row| row.session_number).max())
    }

    /// Carries a search out. `sent` is when it was first sent; `before`, that an earlier run did.
    pub async fn carry_out(&self, loaded: Loaded, tag: Tag, sent: Sent, before: bool) -> Outcome {
        let mut fields = self.form.metadata.clone();
        fields.insert(FIELD.to_owned(), tag.to_string().into());
        let request = FaceSearchRequest {
            file_name: format!("image.{}", loaded.ending),
            bytes: loaded.bytes.to_vec(),
            rotate: self.form.rotate,
            search_type: self.form.search_type,
            save: self.form.save,
            vendor_data: self.form.vendor_data.clone(),
            metadata: Some(fields),
        };
        drop(loaded);
        let mut may_be_there = before;
        if before {
            if !self.form.save {
                return Outcome::Stopped(true);
            }
            match self.look_for(tag, sent, &LOOKS).await {
                Ok(Some(details)) => return Outcome::Answered(Box::new(details), false),
                Ok(None) => may_be_there = false,
                Err(why) => return Outcome::Lost(why),
            }
        }
        let mut sendings = 0;
        loop {
            if self.stop.is_cancelled() {
                return Outcome::Stopped(may_be_there);
            }
            sendings += 1;
            let error = match self.client.face_search(&request).await {
                Ok(reply) => {
                    self.remember(reply.details.case.key.clone(), Some(tag));
                    return Outcome::Answered(Box::new(reply.details), reply.no_face);
                }
                Err(error) => error,
            };
            match (error.carried_out, error.kind) {
                (CarriedOut::No, ErrorKind::Limited { after }) => {
                    // It never left: this is no try.
                    sendings -= 1;
                    self.pause(after).await;
                }
                (CarriedOut::No, ErrorKind::Network | ErrorKind::Timeout)
                    if sendings < SENDINGS =>
                {
                    self.pause(Duration::from_millis(500) * 2u32.pow(sendings)).await;
                }
                (CarriedOut::No, _) => return Outcome::Refused(error),
                (CarriedOut::Maybe | CarriedOut::Yes, kind) => {
                    let looks = if kind == ErrorKind::Timeout { &LATE_LOOKS } else { &LOOKS };
                    match self.look_for(tag, sent, looks).await {
                        Ok(Some(details)) => return Outcome::Answered(Box::new(details), false),
                        // It was done, whether it can be found or not.
                        Ok(None) if error.carried_out == CarriedOut::Yes => {
                            return Outcome::Lost(error.to_string());
                        }
                        Ok(None) if self.form.save && sendings < SENDINGS => {}
                        Ok(None) | Err(_) => return Outcome::Lost(error.to_string()),
                    }
                }
            }
        }
    }

    /// Waits, unless the work is to end.
    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Looks for a saved search by its tag, several times.
    async fn look_for(
        &self,
        tag: Tag,
        sent: Sent,
        waits: &[Duration],
    ) -> Result<Option<Details>, String> {
        if !self.form.save {
            return Ok(None);
        }
        for wait in waits {
            tokio::time::sleep(*wait).await;
            if let Some(details) = self.look(tag, sent).await.map_err(Trouble::text)? {
                return Ok(Some(details));
            }
        }
        Ok(None)
    }

    /// One walk over the saved searches that are newer than the sending.
    async fn look(&self, tag: Tag, sent: Sent) -> Result<Option<Details>, Trouble> {
        let mut query = SessionQuery::saved_searches(Millis(sent.at).plus(-DAY));
        (query.vendor_data, query.limit) = (self.form.vendor_data.clone(), 100);
        let mut page = self.client.sessions(&query).await?;
        for _ in 0..MOST_PAGES {
            let mut newer = false;
            for row in &page.rows {
                if row.session_number.zip(sent.after).is_some_and(|(number, after)| number <= after)
                {
                    continue;
                }
                newer = true;
                let known = self.known(&row.session_id);
                if known.is_some_and(|known| known != Some(tag)) {
                    continue;
                }
                match self.client.saved_search(&row.session_id).await {
                    Ok(found) => {
                        let theirs = found.metadata.get(FIELD).and_then(|text| text.as_str());
                        let theirs = theirs.and_then(|text| text.parse().ok());
                        self.remember(row.session_id.clone(), theirs);
                        if theirs == Some(tag) {
                            return Ok(Some(found.details));
                        }
                    }
                    Err(error) if error.kind == ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.next.take() {
                Some(next) if newer => page = self.client.next_sessions(&next).await?,
                _ => return Ok(None),
            }
        }
        Err(Trouble::Endless)
    }

    fn known(&self, id: &SessionId) -> Option<Option<Tag>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.tags.get(id).copied()
    }

    fn remember(&self, id: SessionId, tag: Option<Tag>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.tags.insert(id.clone(), tag).is_none() {
            recent.order.push_back(id);
        }
        while recent.order.len() > REMEMBERED
            && let Some(oldest) = recent.order.pop_front()
        {
            recent.tags.remove(&oldest);
        }
    }
}
