//! `verify`: passive liveness, face search, ID verification and face match of one person, in this
//! order, to the first decline. A possible match goes into the queue.

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::args::{Args, Verify};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line};
use super::super::wire::{self, Setup};
use super::search::{Form, Inquiry, Loaded, Outcome, Queue, Sent, admit, agree, single};
use crate::didit::{CheckFile, CheckOptions, CheckReply, Client, SearchType};
use crate::domain::{Bands, Details, Status, Warning};

/// A step as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Step {
    step: &'static str,
    request_id: Option<String>,
    status: String,
    score: Option<f64>,
    warnings: Vec<String>,
}

/// The last line as JSON.
#[derive(Serialize)]
struct End {
    result: &'static str,
    queued: bool,
    why: Vec<String>,
}

/// Most that a picture of a document may have.
const MOST_DOCUMENT: u64 = 10 << 20;
/// Most that a picture of a face may have.
const MOST_FACE: u64 = 5 << 20;

/// Checks one person.
pub async fn verify(args: &Args, wanted: &Verify) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    // All pictures are looked at before the first check is paid for.
    let selfie = single(&wanted.selfie, MOST_FACE)?;
    let front = single(&wanted.id_front, MOST_DOCUMENT)?;
    let back = wanted.id_back.as_deref().map(|path| single(path, MOST_DOCUMENT)).transpose()?;
    if front.bytes.len() as u64 > MOST_FACE {
        return Err(CliError::new(
            Exit::Usage,
            "the picture of the document's front is larger than 5 MB",
            "Its face is compared with the selfie, and that takes 5 MB at most",
        ));
    }
    let client = setup.client_within(super::search::CALL).await?;
    let queue = Queue::open(&setup, &client).await?;
    agree(&client, wanted.yes, "At most 4 checks will be billed.").await?;
    let bands = setup.bands();
    let mut course = Course { args, client, bands, all: wanted.all, why: Vec::new() };
    let result = course.run(wanted, &queue, selfie, front, back).await;
    queue.store.close().await;
    let (duplicate, queued) = result?;
    course.end(duplicate, queued)
}

/// The checks as they go on.
struct Course<'a> {
    args: &'a Args,
    client: Client,
    bands: Bands,
    all: bool,
    why: Vec<String>,
}

impl Course<'_> {
    /// Runs the steps; whether there may be a duplicate, and whether it is in the queue.
    async fn run(
        &mut self,
        wanted: &Verify,
        queue: &Queue,
        selfie: Loaded,
        front: Loaded,
        back: Option<Loaded>,
    ) -> Result<(bool, bool), CliError> {
        let file = |loaded: &Loaded| CheckFile {
            name: format!("image.{}", loaded.ending),
            bytes: loaded.bytes.to_vec(),
        };
        let (user, front) = (file(&selfie), file(&front));
        let back = back.as_ref().map(file);
        let vendor_data = wanted.vendor_data.clone();
        // Not saved: a saved one enrols the face, and the search after it would find the person himself.
        let unsaved = CheckOptions { save: false, vendor_data: vendor_data.clone() };
        let saved = CheckOptions { save: true, vendor_data: vendor_data.clone() };
        let reply = self.client.passive_liveness(&user, &unsaved).await?;
        if self.step("liveness", &reply)? {
            return Ok((false, false));
        }
        let details = self.search(selfie, vendor_data).await?;
        let (store, origin) = (queue.store.as_ref(), &queue.origin);
        let queued = admit(store, origin, &self.client, &details, &self.bands).await?;
        let duplicate = details.case.worth(&self.bands).is_some();
        if self.found(&details)? {
            return Ok((duplicate, queued));
        }
        let reply = self.client.id_verification(&front, back.as_ref(), &saved).await?;
        if self.step("id_verification", &reply)? {
            return Ok((duplicate, queued));
        }
        let reply = self.client.face_match(&user, &front, &saved).await?;
        self.step("face_match", &reply)?;
        Ok((duplicate, queued))
    }

    /// One search, carried out once, also when its answer is lost.
    async fn search(
        &self,
        selfie: Loaded,
        vendor_data: Option<String>,
    ) -> Result<Details, CliError> {
        let form = Form {
            rotate: false,
            search_type: SearchType::MostSimilar,
            save: true,
            vendor_data,
            metadata: serde_json::Map::new(),
        };
        let inquiry = Inquiry::new(self.client.clone(), form, CancellationToken::new());
        let sent = Sent { at: wire::now().0, after: inquiry.newest().await? };
        match inquiry.carry_out(selfie, Uuid::new_v4(), sent, false).await {
            Outcome::Answered(details, false) => Ok(*details),
            Outcome::Answered(_, true) => Err(CliError::new(
                Exit::Failed,
                "no face was found in the selfie",
                "Name a picture of a face",
            )),
            Outcome::Refused(error) => Err(error.into()),
            Outcome::Lost(why) => Err(CliError::new(
                Exit::Network,
                format!("the answer to the search was lost and it may have been billed: {why}"),
                "See `secondlook sync`: a saved search is brought in by it",
            )),
            Outcome::Stopped(_) => Err(CliError::failed("stopped")),
        }
    }

    /// Prints a step. True when the checks end here.
    fn step(&mut self, name: &'static str, reply: &CheckReply) -> Result<bool, CliError> {
        let id = reply.request_id.as_ref().map(ToString::to_string);
        self.print(name, id, &reply.status, reply.score, &reply.warnings)
    }

    /// Prints the search as a step; its score is the best match that is somebody else.
    fn found(&mut self, details: &Details) -> Result<bool, CliError> {
        let others = details.case.candidates.iter().filter(|c| !c.self_match && !c.allowlisted);
        let best = others.filter_map(|c| c.similarity).map(|s| s.percent()).reduce(f64::max);
        let id = Some(details.case.key.to_string());
        self.print("face_search", id, &details.case.status, best, &details.warnings)
    }

    fn print(
        &mut self,
        step: &'static str,
        request_id: Option<String>,
        status: &Status,
        score: Option<f64>,
        warnings: &[Warning],
    ) -> Result<bool, CliError> {
        let warnings: Vec<_> = warnings.iter().map(|warning| warning.risk.clone()).collect();
        let declined = *status == Status::Declined;
        if declined {
            let about =
                if warnings.is_empty() { "declined".to_owned() } else { warnings.join(", ") };
            self.why.push(format!("{step}: {about}"));
        } else if step != "face_search" && *status != Status::Approved {
            self.why.push(format!("{step}: {}", status.word()));
        }
        if self.args.json {
            let status = status.word().to_owned();
            json(&Step { step, request_id, status, score, warnings })?;
        } else {
            let score = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.1}"));
            let text =
                format!("{step:<16} {:<10} {score:>6}  {}", status.word(), warnings.join(", "));
            line(text.trim_end())?;
        }
        Ok(declined && !self.all)
    }

    /// Prints the last line.
    fn end(self, duplicate: bool, queued: bool) -> Result<Exit, CliError> {
        let (result, exit) = match (self.why.is_empty(), duplicate) {
            (false, _) => ("declined", Exit::Failed),
            (true, true) => ("possible_duplicate", Exit::Partly),
            (true, false) => ("verified", Exit::Done),
        };
        if self.args.json {
            json(&End { result, queued, why: self.why })?;
            return Ok(exit);
        }
        line(&match (result, queued) {
            ("declined", true) => {
                format!("declined ({}); possible duplicate, queued", self.why.join("; "))
            }
            ("declined", false) => format!("declined ({})", self.why.join("; ")),
            ("possible_duplicate", true) => {
                "possible duplicate, queued: secondlook review".to_owned()
            }
            ("possible_duplicate", false) => {
                "probably a duplicate: see secondlook queue list --state left".to_owned()
            }
            _ => "verified and unique".to_owned(),
        })?;
        Ok(exit)
    }
}
