//! Prepares pictures for the terminal, off the loop: decode, fit, encode; the pair on the desk first, then
//! what comes next. Owns the gallery, so nothing is drawn that was not prepared for exactly its place.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::window::SharedVault;
use crate::core::{Desk, Model, PictureState, Screen, Side, Sight};
use crate::domain::{BoundingBox, SessionId};
use crate::picture::protocol::{
    CellMode, EncodeOptions, Encoded, Protocol, Tier, encode, kitty_delete,
};
use crate::picture::{
    self, FaceFinder, Key, Limits, Pane, Portrait, View, eye_pixels, fit, likely_face,
};
use crate::term::Upload;
use crate::tui::{Eyes, Frame, FrameBody, FrameKey, Gallery, ReviewLayout, region, size};

/// Pictures prepared at once; more would take the processor from the loop.
const PARALLEL: usize = 2;
/// Cases ahead whose first pair is prepared.
const AHEAD: usize = 3;

/// How pictures are drawn now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// By which protocol.
    pub protocol: Protocol,
    /// With which options.
    pub options: EncodeOptions,
    /// The size of a cell in pixels.
    pub cell: (u16, u16),
}

/// What a worker made.
pub struct Made {
    key: FrameKey,
    drawing: Drawing,
    result: Result<(Encoded, Eyes), Missing>,
}

/// Why there is no frame.
enum Missing {
    /// The file is not in the store any more: it has to be fetched again.
    File,
    /// The picture cannot be prepared.
    Unfit,
}

/// A frame to be prepared.
struct Job {
    key: FrameKey,
    turn: u16,
    face: Option<BoundingBox>,
}

/// Prepares pictures.
pub struct Easel {
    vault: SharedVault,
    finder: Arc<FaceFinder>,
    gallery: Gallery,
    drawing: Drawing,
    workers: JoinSet<Made>,
    busy: HashSet<FrameKey>,
    unfit: HashSet<FrameKey>,
    first_id: u32,
    next_id: u32,
}

impl Easel {
    /// An easel that draws by `drawing`. `first_id` begins this session's block of image ids.
    pub fn new(vault: SharedVault, drawing: Drawing, first_id: u32) -> Self {
        Self {
            vault,
            finder: Arc::default(),
            gallery: Gallery::default(),
            drawing,
            workers: JoinSet::new(),
            busy: HashSet::new(),
            unfit: HashSet::new(),
            first_id,
            next_id: first_id,
        }
    }

    /// The pictures that are ready.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// How pictures are drawn.
    pub fn drawing(&self) -> &Drawing {
        &self.drawing
    }

    /// The block of image ids of this session, first and last.
    pub fn ids(&self) -> (u32, u32) {
        (self.first_id, self.first_id | 0xffff)
    }

    /// Draws another way from now on; answers with what wipes the old pictures off the terminal.
    pub fn redraw_by(&mut self, drawing: Drawing) -> Vec<u8> {
        let wiped = self.wipe();
        self.drawing = drawing;
        wiped
    }

    /// Forgets every picture; answers with what wipes them off the terminal.
    pub fn wipe(&mut self) -> Vec<u8> {
        self.workers.abort_all();
        self.busy.clear();
        self.unfit.clear();
        let frames = self.gallery.retain(|_| false);
        self.deletions(&frames)
    }

    /// Starts preparing what the model needs and lets go of what it needs no more; answers with what
    /// wipes the latter off the terminal.
    pub fn want(&mut self, model: &Model) -> Vec<u8> {
        let jobs = wanted(model);
        let keep: HashSet<&FrameKey> = jobs.iter().map(|job| &job.key).collect();
        let gone = self.gallery.retain(|key| keep.contains(key));
        self.unfit.retain(|key| keep.contains(key));
        for job in jobs {
            if self.workers.len() >= PARALLEL {
                break;
            }
            let known = self.gallery.get(&job.key).is_some()
                || self.busy.contains(&job.key)
                || self.unfit.contains(&job.key);
            if !known {
                self.start(job);
            }
        }
        self.deletions(&gone)
    }

    /// A case's picture has come anew: what could not be prepared is tried again.
    pub fn look_again(&mut self, case: &SessionId) {
        self.unfit.retain(|key| key.case != *case);
    }

    /// Waits for the next picture; for ever when none is being made.
    pub async fn next(&mut self) -> Option<Made> {
        match self.workers.join_next().await {
            Some(Ok(made)) => Some(made),
            Some(Err(_)) => None,
            None => std::future::pending().await,
        }
    }

    /// Hangs a picture; answers with what has to be sent to the terminal before it can be seen, and
    /// with the case whose file is missing.
    pub fn hang(&mut self, made: Made) -> (Option<Upload>, Option<SessionId>) {
        self.busy.remove(&made.key);
        if made.drawing != self.same_id(&made.drawing) {
            return (None, None);
        }
        let (encoded, eyes) = match made.result {
            Ok(done) => done,
            Err(Missing::File) => {
                let case = made.key.case.clone();
                self.unfit.insert(made.key);
                return (None, Some(case));
            }
            Err(Missing::Unfit) => {
                self.unfit.insert(made.key);
                return (None, None);
            }
        };
        let (columns, rows) = encoded.size();
        let (body, upload) = match encoded {
            Encoded::Kitty { chunks, id, .. } => {
                let abort = kitty_delete(id, made.drawing.options.wrap);
                let chunks = chunks.iter().map(|chunk| chunk.to_vec()).collect();
                (FrameBody::Placeholders(id), Some(Upload { id: u64::from(id), chunks, abort }))
            }
            Encoded::Inline { bytes, .. } => (FrameBody::Inline(bytes.as_slice().into()), None),
            Encoded::Cells(cells) => (FrameBody::Cells(cells.into()), None),
        };
        self.gallery.put(made.key, Frame { columns, rows, body, eyes });
        (upload, None)
    }

    /// The present drawing with another's image id, which is each picture's own.
    fn same_id(&self, other: &Drawing) -> Drawing {
        let mut drawing = self.drawing;
        drawing.options.image_id = other.options.image_id;
        drawing
    }

    fn start(&mut self, job: Job) {
        let mut drawing = self.drawing;
        drawing.options.image_id = self.next_id;
        // Round again inside the block: by then the first ones are long gone.
        self.next_id = if self.next_id == self.ids().1 { self.first_id } else { self.next_id + 1 };
        self.busy.insert(job.key.clone());
        let (vault, finder) = (self.vault.clone(), Arc::clone(&self.finder));
        self.workers.spawn_blocking(move || {
            let result = prepare(&vault, &finder, &job, &drawing);
            Made { key: job.key, drawing, result }
        });
    }

    fn deletions(&self, frames: &[Frame]) -> Vec<u8> {
        let ids = frames.iter().filter_map(|frame| match frame.body {
            FrameBody::Placeholders(id) => Some(id),
            _ => None,
        });
        ids.flat_map(|id| kitty_delete(id, self.drawing.options.wrap)).collect()
    }
}

/// The frames the model needs, most urgent first.
fn wanted(model: &Model) -> Vec<Job> {
    let Some(desk) = &model.desk else { return Vec::new() };
    if !model.fits() || matches!(model.overlays.last(), Some(crate::core::Overlay::Curtain)) {
        return Vec::new();
    }
    let cells = ReviewLayout::new(model.size).picture_cells();
    let mut jobs = Vec::new();
    if model.screen == Screen::Review {
        for key in looks(desk, &ReviewLayout::new(model.size)) {
            push(&mut jobs, model, key, desk.face);
        }
    }
    let count = model.desk_details().map_or(0, |d| d.case.candidates.len());
    if count > 1 {
        let next = Side::Candidate((desk.place + 1) % count);
        push(&mut jobs, model, plain(desk.key.clone(), next, cells), None);
    }
    let at = model.cursor_index().map_or(0, |index| index + 1);
    for row in model.queue.rows.iter().skip(at).take(AHEAD) {
        let place = row.case.must_judge(&model.settings.bands).next().unwrap_or(0);
        for side in [Side::Subject, Side::Candidate(place)] {
            push(&mut jobs, model, plain(row.case.key.clone(), side, cells), None);
        }
    }
    jobs
}

/// Frames of the pair on the desk: what is shown, the other half of a flip, and the ways back.
fn looks(desk: &Desk, layout: &ReviewLayout) -> Vec<FrameKey> {
    let both = |desk: &Desk, cells| {
        [Side::Subject, Side::Candidate(desk.place)].map(|side| FrameKey::of(desk, side, cells))
    };
    let places = layout.places(desk);
    let shown = places.iter().map(|(side, area)| FrameKey::of(desk, *side, size(*area)));
    let mut keys: Vec<FrameKey> = shown.collect();
    if let Some((_, area)) = places.first() {
        keys.extend(both(desk, size(*area)));
    }
    keys.extend(both(desk, layout.picture_cells()));
    let whole = Desk { sight: Sight::default(), ..desk.clone() };
    keys.extend(both(&whole, layout.picture_cells()));
    keys
}

fn plain(case: SessionId, side: Side, cells: (u16, u16)) -> FrameKey {
    FrameKey { case, side, sight: Sight::default(), mirrored: false, cells }
}

fn push(jobs: &mut Vec<Job>, model: &Model, key: FrameKey, face: Option<usize>) {
    let here = matches!(model.picture(&key.case, key.side), PictureState::Ready { .. });
    if !here || jobs.iter().any(|job| job.key == key) {
        return;
    }
    let details = model.details.get(&key.case);
    let subject = details.filter(|_| key.side == Side::Subject).map(|d| &d.subject);
    jobs.push(Job {
        turn: subject.map_or(0, |s| s.turn),
        face: subject.and_then(|s| s.faces.get(face.unwrap_or(0)).copied()),
        key,
    });
}

/// Decodes, fits and encodes one picture.
fn prepare(
    vault: &SharedVault,
    finder: &FaceFinder,
    job: &Job,
    drawing: &Drawing,
) -> Result<(Encoded, Eyes), Missing> {
    let key = Key { case: job.key.case.clone(), side: job.key.side };
    let portrait = match vault.with(|vault| vault.portrait(&key)) {
        Some(portrait) => portrait,
        None => {
            let file = vault.with(|vault| vault.file(&key)).ok_or(Missing::File)?;
            let portrait =
                picture::decode(&file, job.turn, &Limits::default()).map_err(|_| Missing::Unfit)?;
            vault.with(|vault| vault.put_portrait(key, portrait))
        }
    };
    draw(&portrait, finder, job, drawing).ok_or(Missing::Unfit)
}

fn draw(
    portrait: &Portrait,
    finder: &FaceFinder,
    job: &Job,
    drawing: &Drawing,
) -> Option<(Encoded, Eyes)> {
    let Drawing { protocol, options, cell } = drawing;
    let given = job.face.as_ref().and_then(|face| portrait.place(face));
    let found = if given.is_none() { portrait.face(finder) } else { None };
    let sight = job.key.sight;
    let view = View {
        region: region(sight.zoom()),
        zoom: sight.times(),
        pan: sight.pan(),
        mirror: job.key.mirrored,
    };
    let (columns, rows) = job.key.cells;
    let pane = Pane::new(columns, rows, *cell, protocol.dots(*cell, options.cells));
    let face = given.or(found).unwrap_or_else(|| likely_face(portrait));
    let fitted = fit(portrait, Some(&face), &view, protocol.aim(), &pane).ok()?;
    let pixels = eye_pixels(&face, &fitted, protocol.across(&fitted, options));
    let eyes = match (given, found) {
        (Some(_), _) => Eyes::Measured(pixels),
        (None, Some(_)) => Eyes::Detected(pixels),
        (None, None) => Eyes::Guessed(pixels),
    };
    let encoded = encode(&fitted, *protocol, options).ok()?;
    Some((encoded, eyes))
}

/// The drawing to begin with, before the terminal has answered anything: characters work everywhere, and
/// quadrants are in every font that has half-blocks.
pub fn first_drawing(cell: (u16, u16)) -> Drawing {
    let options =
        EncodeOptions { tier: Tier::Review, cells: CellMode::Quadrant, ..EncodeOptions::default() };
    Drawing { protocol: Protocol::Blocks, options, cell }
}

/// The face that is meant changes what is cut out: its frames are made anew.
pub fn face_key(desk: Option<&Desk>) -> Option<(SessionId, usize)> {
    desk.and_then(|desk| Some((desk.key.clone(), desk.face?)))
}
