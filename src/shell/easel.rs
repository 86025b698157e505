//! Prepares pictures for the terminal, off the loop: decode, fit, encode; the pair on the desk first, then
//! what comes next. Owns the gallery, so nothing is drawn that was not prepared for exactly its place,
//! and the registry of what the terminal holds, so that nothing is sent twice.
//!
//! kitty pictures go out one at a time, each the most urgent of that moment. Where a review takes
//! longer than a blink, a preview goes first; better tiers follow when the line has nothing more
//! urgent to carry.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::drawing::Drawing;
use super::registry::Registry;
use super::window::SharedVault;
use crate::core::{Desk, Model, Overlay, PictureState, Screen, Side, Sight, Size, Zoom};
use crate::domain::{BoundingBox, SessionId};
use crate::picture::protocol::{
    EncodeOptions, Encoded, Protocol, Tier, Wrap, encode, kitty_delete,
};
use crate::picture::{
    self, FaceFinder, Key, Limits, Pane, Portrait, View, eye_pixels, fit, likely_face,
};
use crate::term::{Link, Upload, Writer};
use crate::tui::{
    Eyes, Frame, FrameBody, FrameKey, Gallery, PlacedPicture, ReviewLayout, region, size,
};

/// Pictures prepared at once; more would take the processor from the loop.
const PARALLEL: usize = 2;
/// Cases ahead whose first pair is prepared.
const AHEAD: usize = 3;
/// As many bytes as may be sent for cases that are not on the desk.
const AHEAD_BYTES: u64 = 1 << 20;
/// A review that takes longer than this goes out behind a preview.
const BLINK_MS: u64 = 150;
/// A refinement that takes longer than this is not sent at all.
const REFINE_MS: u64 = 1000;
/// A refinement of more pixels would take the processor for too long.
const REFINE_PIXELS: u64 = 2_000_000;
/// A picture for later that keeps the desk's own waiting for longer than this is taken back.
const PATIENCE_MS: u64 = 250;
/// How often a picture is sent again when the terminal says that it has none, before that is believed.
const TRIES: u8 = 3;
/// The number under which deletions and questions travel; ids of pictures are not zero.
const NO_PICTURE: u64 = 0;

/// What a picture is made of; another source makes another picture.
#[derive(Debug, Clone, PartialEq)]
struct Source {
    sha256: String,
    turn: u16,
    face: Option<BoundingBox>,
}

/// What a worker made.
pub struct Made {
    job: Job,
    id: u32,
    drawing: Drawing,
    result: Result<(Encoded, Eyes), Missing>,
}

/// Why there is no frame.
enum Missing {
    /// The file is not in the store any more: it has to be fetched again.
    File,
    /// The file has become another one since.
    Stale,
    /// The picture cannot be prepared.
    Unfit,
}

/// A frame to be prepared.
#[derive(Debug, Clone)]
struct Job {
    key: FrameKey,
    tier: Tier,
    source: Source,
}

/// What ought to be there, most urgent first.
#[derive(Debug, Default)]
struct Plan {
    jobs: Vec<Job>,
    /// So many of the first jobs are for the pair on the desk.
    desk: usize,
    /// Cases whose pictures may stay in the terminal.
    near: HashSet<SessionId>,
    /// The sizes a picture may have: beside the other, and alone.
    rooms: [Size; 2],
}

/// Prepares pictures.
pub struct Easel {
    vault: SharedVault,
    finder: Arc<FaceFinder>,
    gallery: Gallery,
    registry: Registry,
    made_of: HashMap<FrameKey, Source>,
    drawing: Drawing,
    workers: JoinSet<Made>,
    busy: HashSet<(FrameKey, Tier)>,
    unfit: HashSet<FrameKey>,
    /// How often the terminal did not have a picture that was sent.
    lost: HashMap<FrameKey, u8>,
    /// Whether somebody looks at our window, as far as the terminal says.
    pub focused: bool,
}

impl Easel {
    /// An easel that draws by `drawing`; `session` numbers this session's block of image ids.
    pub fn new(vault: SharedVault, drawing: Drawing, session: u8) -> Self {
        Self {
            vault,
            finder: Arc::default(),
            gallery: Gallery::default(),
            registry: Registry::new(session),
            made_of: HashMap::new(),
            drawing,
            workers: JoinSet::new(),
            busy: HashSet::new(),
            unfit: HashSet::new(),
            lost: HashMap::new(),
            focused: true,
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

    /// Draws another way from now on; what the terminal holds is wiped.
    pub fn redraw_by(&mut self, drawing: Drawing, writer: &Writer) {
        self.wipe(writer);
        self.drawing = drawing;
    }

    /// Forgets every picture and has the terminal forget them.
    pub fn wipe(&mut self, writer: &Writer) {
        let bytes = self.forget(writer);
        send(bytes, writer);
    }

    /// Forgets every picture; answers with what has the terminal forget them. Nothing is on its way any
    /// more, so it may be written as text.
    pub fn forget(&mut self, writer: &Writer) -> Vec<u8> {
        self.workers.abort_all();
        self.busy.clear();
        self.unfit.clear();
        self.lost.clear();
        self.made_of.clear();
        self.gallery.retain(|_| false);
        if let Some((id, _)) = self.registry.sending()
            && writer.cancel(u64::from(id))
        {
            self.registry.dropped(id);
        }
        self.registry.wipe(self.drawing.options.wrap)
    }

    /// What deletes all that the terminal may hold, should this be the end.
    pub fn farewell(&self) -> Vec<u8> {
        self.registry.farewell(self.drawing.options.wrap)
    }

    /// Starts preparing what the model needs, sends what is ready and most urgent, and lets go of what
    /// is needed no more. True when something new is on its way to the terminal.
    pub fn tend(&mut self, model: &Model, writer: &Writer) -> bool {
        let plan = self.plan(model, writer.link());
        self.let_go(&plan, model, writer);
        for job in &plan.jobs {
            if self.workers.len() >= PARALLEL {
                break;
            }
            if !self.is_known(job) {
                self.start(job.clone());
            }
        }
        self.drawing.protocol == Protocol::Kitty && self.send_next(&plan, writer)
    }

    /// Tells the terminal what it may forget: to be called when a frame without it is on its way.
    pub fn delete(&mut self, writer: &Writer) {
        send(self.registry.deletions(self.drawing.options.wrap), writer);
    }

    /// Asks whether the terminal still holds the pictures that `asked` names.
    pub fn question(&self, writer: &Writer, asked: impl Fn(&FrameKey) -> bool) {
        send(self.registry.questions(self.drawing.options.wrap, asked), writer);
    }

    /// The question whether the terminal holds one picture, just written.
    pub fn question_of(&self, upload: u64) -> Vec<u8> {
        let id = u32::try_from(upload).unwrap_or_default();
        self.registry.question(id, self.drawing.options.wrap)
    }

    /// Whether the terminal has said of each of these pictures that it holds it, where it can say so.
    pub fn confirms(&self, pictures: &[PlacedPicture]) -> bool {
        let held = |placed: &PlacedPicture| match self.gallery.get(&placed.key).map(|f| &f.body) {
            Some(FrameBody::Placeholders(id)) => self.registry.is_confirmed(*id),
            Some(FrameBody::Inline(_) | FrameBody::Cells(_)) | None => true,
        };
        pictures.iter().all(held)
    }

    /// What the terminal said of its pictures was another one's word.
    pub fn unconfirm(&mut self) {
        self.registry.unconfirm();
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

    /// Hangs a picture, or keeps it to be sent first; answers with the case whose file is missing.
    pub fn hang(&mut self, made: Made) -> Option<SessionId> {
        let Made { job: Job { key, tier, source }, id, drawing, result } = made;
        self.busy.remove(&(key.clone(), tier));
        if drawing != self.drawing {
            return None;
        }
        let (encoded, eyes) = match result {
            Ok(done) => done,
            Err(Missing::Stale) => return None,
            Err(Missing::File) => {
                let case = key.case.clone();
                self.unfit.insert(key);
                return Some(case);
            }
            Err(Missing::Unfit) => {
                self.unfit.insert(key);
                return None;
            }
        };
        let (columns, rows) = encoded.size();
        let frame = |body, tier| Frame { columns, rows, body, eyes, tier };
        self.made_of.insert(key.clone(), source);
        match encoded {
            Encoded::Kitty { chunks, id: _, .. } => {
                let abort = kitty_delete(id, drawing.options.wrap);
                let chunks = chunks.iter().map(|chunk| chunk.to_vec()).collect();
                let upload = Upload { id: u64::from(id), chunks, abort };
                let frame = frame(FrameBody::Placeholders(id), Some(tier));
                self.registry.offer(id, key, tier, frame, upload);
            }
            Encoded::Inline { bytes, .. } => {
                self.gallery.put(key, frame(FrameBody::Inline(bytes.as_slice().into()), None));
            }
            Encoded::Cells(cells) => {
                self.gallery.put(key, frame(FrameBody::Cells(cells.into()), None));
            }
        }
        None
    }

    /// An upload is wholly written; true when its picture can be shown now.
    pub fn written(&mut self, upload: u64) -> bool {
        u32::try_from(upload).is_ok_and(|id| self.registry.written(id, &mut self.gallery))
    }

    /// An upload was taken back.
    pub fn dropped(&mut self, upload: u64) {
        if let Ok(id) = u32::try_from(upload) {
            self.registry.dropped(id);
        }
    }

    /// The terminal has spoken of a picture; answers with the one that it does not have (any more).
    pub fn answered(&mut self, id: u32, ok: bool) -> Option<FrameKey> {
        let lost = self.registry.answered(id, ok, &mut self.gallery)?;
        let times = self.lost.entry(lost.clone()).or_default();
        *times += 1;
        if *times >= TRIES {
            self.unfit.insert(lost.clone());
        }
        Some(lost)
    }

    fn is_known(&self, job: &Job) -> bool {
        let here = match self.drawing.protocol {
            Protocol::Kitty => self.registry.tier(&job.key).is_some_and(|tier| tier >= job.tier),
            Protocol::Iterm2 | Protocol::Sixel | Protocol::Blocks => {
                self.gallery.get(&job.key).is_some()
            }
        };
        here || self.unfit.contains(&job.key) || self.busy.contains(&(job.key.clone(), job.tier))
    }

    fn start(&mut self, job: Job) {
        let id = self.registry.free_id();
        let drawing = self.drawing;
        self.busy.insert((job.key.clone(), job.tier));
        let (vault, finder) = (self.vault.clone(), Arc::clone(&self.finder));
        self.workers.spawn_blocking(move || {
            let result = contained(|| prepare(&vault, &finder, &job, id, &drawing));
            Made { job, id, drawing, result }
        });
    }

    /// Lets go of what was made of something else, of another size, or for a case that is far away.
    fn let_go(&mut self, plan: &Plan, model: &Model, writer: &Writer) {
        let wanted: Vec<FrameKey> = plan.jobs.iter().map(|job| job.key.clone()).collect();
        let made_of = &self.made_of;
        let may_stay = |key: &FrameKey| {
            plan.rooms.contains(&key.cells)
                // Of all the places a face was moved to, only the present one is worth keeping.
                && (key.sight.is_plain() || wanted.contains(key))
                && plan.near.contains(&key.case)
                && source(model, key).as_ref() == made_of.get(key)
        };
        if self.drawing.protocol == Protocol::Kitty {
            let under_way = self.registry.keep(&wanted, may_stay, &mut self.gallery);
            if let Some(id) = under_way
                && writer.cancel(u64::from(id))
            {
                self.registry.dropped(id);
            }
        } else {
            self.gallery.retain(|key| may_stay(key) && wanted.contains(key));
        }
        let (gallery, registry) = (&self.gallery, &self.registry);
        self.made_of.retain(|key, _| gallery.get(key).is_some() || registry.tier(key).is_some());
        self.unfit.retain(|key| wanted.contains(key));
        self.lost.retain(|key, _| wanted.contains(key));
    }

    /// Sends the most urgent picture that is ready, when none is being sent.
    fn send_next(&mut self, plan: &Plan, writer: &Writer) -> bool {
        let desk = &plan.jobs[..plan.desk];
        if let Some((id, under_way)) = self.registry.sending() {
            let for_later = !desk.iter().any(|job| job.key == *under_way);
            let waits = desk.iter().any(|job| self.registry.is_unsent(&job.key));
            let bytes = writer.upload_bytes_waiting() as u64;
            let long = millis(bytes, writer.link()).is_some_and(|ms| ms > PATIENCE_MS);
            if !(for_later && waits && long && writer.cancel(u64::from(id))) {
                return false;
            }
            self.registry.dropped(id);
        }
        for (place, job) in plan.jobs.iter().enumerate() {
            if let Some(upload) = self.registry.send(&job.key, job.tier) {
                let id = upload.id;
                if writer.upload(upload).is_err() {
                    self.dropped(id);
                }
                return true;
            }
            // What the desk waits for is nearly ready: nothing goes before it.
            if place < plan.desk && self.busy.contains(&(job.key.clone(), job.tier)) {
                return false;
            }
        }
        false
    }

    /// What the model needs, most urgent first.
    fn plan(&self, model: &Model, link: Link) -> Plan {
        let layout = ReviewLayout::new(model.size);
        let rooms = [layout.picture_cells(), size(layout.alone)];
        let mut plan = Plan { rooms, ..Plan::default() };
        let Some(desk) = &model.desk else { return plan };
        if !model.fits() || matches!(model.overlays.last(), Some(Overlay::Curtain)) {
            return plan;
        }
        let at = model.cursor_index();
        let rows = model.queue.rows.iter();
        let neighbours = at.map_or(0, |at| at.saturating_sub(1))..at.map_or(0, |at| at + 1) + AHEAD;
        plan.near.extend(
            rows.skip(neighbours.start).take(neighbours.len()).map(|row| row.case.key.clone()),
        );
        plan.near.insert(desk.key.clone());
        let [beside, _] = rooms;
        let places = layout.places(desk);
        let shown: Vec<FrameKey> =
            places.iter().map(|(side, area)| FrameKey::of(desk, *side, size(*area))).collect();
        let room = places.first().map_or(beside, |(_, area)| size(*area));
        let pixels = self.pixels(room);
        let tiers = self.tiers(pixels, link);
        if model.screen == Screen::Review {
            // What is shown, the other half of a flip, and then the ways back.
            plan.push(model, &shown, tiers);
            plan.push(model, &both(desk, room), tiers);
            plan.desk = plan.jobs.len();
            plan.push(model, &both(desk, beside), tiers);
            let whole = Desk { sight: Sight::default(), ..desk.clone() };
            plan.push(model, &both(&whole, beside), tiers);
        }
        // In a tmux that nobody looks at, what is sent may be thrown away.
        if self.drawing.options.wrap == Wrap::Tmux && !self.focused {
            return plan;
        }
        let mut left = AHEAD_BYTES;
        for next in next_pairs(model, desk, beside) {
            let bytes: u64 = tiers.iter().map(|tier| 2 * tier.about_bytes(pixels)).sum();
            let Some(rest) = left.checked_sub(bytes) else { break };
            left = rest;
            plan.push(model, &next, tiers);
        }
        if model.screen == Screen::Review {
            let finer = shown.into_iter().filter(|key| has_more(model, key, pixels));
            let finer: Vec<FrameKey> = finer.collect();
            plan.push(model, &finer, self.refinement(desk, pixels, link).as_slice());
        }
        plan
    }

    /// The tiers in which a picture is sent, in turn.
    fn tiers(&self, pixels: u64, link: Link) -> &'static [Tier] {
        let quick = millis(Tier::Review.about_bytes(pixels), link).is_some_and(|ms| ms <= BLINK_MS);
        if self.drawing.protocol != Protocol::Kitty || quick {
            &[Tier::Review]
        } else {
            &[Tier::Preview, Tier::Review]
        }
    }

    /// The tier to which the pair on the desk is refined on a line that has nothing else to do; none
    /// where that takes long.
    fn refinement(&self, desk: &Desk, pixels: u64, link: Link) -> Option<Tier> {
        let tier = if desk.sight.zoom() == Zoom::Whole { Tier::Fine } else { Tier::Lossless };
        let quick = millis(tier.about_bytes(pixels), link).is_some_and(|ms| ms <= REFINE_MS);
        (quick && self.drawing.protocol == Protocol::Kitty).then_some(tier)
    }

    /// The pixels of a pane.
    fn pixels(&self, (columns, rows): (u16, u16)) -> u64 {
        let (width, height) = self.drawing.cell;
        u64::from(columns) * u64::from(width) * u64::from(rows) * u64::from(height)
    }
}

impl Plan {
    /// Adds a pair: both pictures in the first tier, then both in the next.
    fn push(&mut self, model: &Model, pair: &[FrameKey], tiers: &[Tier]) {
        for tier in tiers {
            for key in pair {
                let known = self.jobs.iter().any(|job| job.key == *key && job.tier >= *tier);
                if let Some(source) = source(model, key).filter(|_| !known) {
                    self.jobs.push(Job { key: key.clone(), tier: *tier, source });
                }
            }
        }
    }
}

/// Sends a sequence that is no picture: as an upload, for it must not come between the chunks of one.
fn send(bytes: Vec<u8>, writer: &Writer) {
    if !bytes.is_empty() {
        // A writer that is full of uploads is one whose terminal is gone.
        let _ = writer.upload(Upload { id: NO_PICTURE, chunks: vec![bytes], abort: Vec::new() });
    }
}

/// Whether a picture has pixels to show in a pane that a review leaves out.
fn has_more(model: &Model, key: &FrameKey, pane: u64) -> bool {
    let PictureState::Ready { pixels: (width, height), .. } = model.picture(&key.case, key.side)
    else {
        return false;
    };
    let shown = pane.min(u64::from(*width) * u64::from(*height));
    key.sight.zoom() != Zoom::Whole
        || (Tier::REVIEW_PIXELS * 5 / 4..=REFINE_PIXELS).contains(&shown)
}

/// How long so many bytes take, where the rate is known.
fn millis(bytes: u64, link: Link) -> Option<u64> {
    (bytes * 1000).checked_div(link.rate?)
}

/// Both pictures of the pair on the desk, each in a room of this size.
fn both(desk: &Desk, cells: Size) -> [FrameKey; 2] {
    desk.sides().map(|side| FrameKey::of(desk, side, cells))
}

/// The pairs that come after the one on the desk: the case's next candidate, then the next cases.
fn next_pairs(model: &Model, desk: &Desk, cells: (u16, u16)) -> Vec<Vec<FrameKey>> {
    let plain = |case: &SessionId, side| FrameKey {
        case: case.clone(),
        side,
        sight: Sight::default(),
        mirrored: false,
        cells,
    };
    let mut pairs = Vec::new();
    let count = model.desk_details().map_or(0, |d| d.case.candidates.len());
    if count > 1 {
        let next = (desk.place + 1) % count;
        let block = model
            .desk_details()
            .and_then(|d| d.case.candidates.get(next))
            .map_or(0, |candidate| candidate.block);
        let mut sides = vec![Side::Candidate(next)];
        if block != desk.block {
            sides.insert(0, Side::subject_of(block));
        }
        pairs.push(sides.into_iter().map(|side| plain(&desk.key, side)).collect());
    }
    let at = model.cursor_index().map_or(0, |index| index + 1);
    for row in model.queue.rows.iter().skip(at).take(AHEAD) {
        let place = row.case.must_judge(&model.settings.bands).next().unwrap_or(0);
        let block = row.case.candidates.get(place).map_or(0, |candidate| candidate.block);
        let sides = [Side::subject_of(block), Side::Candidate(place)];
        pairs.push(sides.map(|side| plain(&row.case.key, side)).into());
    }
    pairs
}

/// What a picture would be made of now; `None` while its bytes are not here, or may not be shown.
fn source(model: &Model, key: &FrameKey) -> Option<Source> {
    let PictureState::Ready { sha256, until, .. } = model.picture(&key.case, key.side) else {
        return None;
    };
    if *until <= model.now {
        return None;
    }
    let details = model.details.get(&key.case);
    let (turn, faces) = details.map_or((0, &[][..]), |d| d.turn_and_faces(key.side));
    let chosen = model.desk.as_ref().filter(|desk| desk.key == key.case).and_then(|desk| desk.face);
    Some(Source { sha256: sha256.clone(), turn, face: faces.get(chosen.unwrap_or(0)).copied() })
}

/// A picture over which a decoder or an encoder panics is one that cannot be prepared.
fn contained<T: Send>(work: impl FnOnce() -> Result<T, Missing> + Send) -> Result<T, Missing> {
    picture::apart(work).unwrap_or(Err(Missing::Unfit))
}

/// Decodes, fits and encodes one picture.
fn prepare(
    vault: &SharedVault,
    finder: &FaceFinder,
    job: &Job,
    id: u32,
    drawing: &Drawing,
) -> Result<(Encoded, Eyes), Missing> {
    let key = Key { case: job.key.case.clone(), side: job.key.side };
    let (file, portrait) = vault.with(|vault| (vault.file(&key), vault.portrait(&key)));
    let file = file.ok_or(Missing::File)?;
    if file.sha256() != job.source.sha256 {
        return Err(Missing::Stale);
    }
    let portrait = match portrait {
        Some(portrait) => portrait,
        None => {
            let portrait = picture::decode(&file, job.source.turn, &Limits::default())
                .map_err(|_| Missing::Unfit)?;
            vault.with(|vault| vault.put_portrait(key, portrait))
        }
    };
    draw(&portrait, finder, job, id, drawing).ok_or(Missing::Unfit)
}

fn draw(
    portrait: &Portrait,
    finder: &FaceFinder,
    job: &Job,
    id: u32,
    drawing: &Drawing,
) -> Option<(Encoded, Eyes)> {
    let Drawing { protocol, options, cell, .. } = drawing;
    let options = &EncodeOptions { image_id: id, tier: job.tier, ..*options };
    let given = job.source.face.as_ref().and_then(|face| portrait.place(face));
    let found = if given.is_none() { portrait.face(finder) } else { None };
    let sight = job.key.sight;
    let view = View {
        region: region(sight.zoom()),
        zoom: sight.times(),
        pan: sight.pan(),
        mirror: job.key.mirrored,
    };
    let (columns, rows) = drawing.within(job.key.cells);
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
