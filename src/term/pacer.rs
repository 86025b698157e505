//! What to write next: the writer's judgement, without its thread, its file or its clock.
//!
//! A write that has returned says nothing: the bytes may lie in the buffers of a pty, of sshd and
//! of TCP for seconds, and every key's echo waits behind them. So pictures go out in a window of
//! about rate x (round trip + 100 ms), measured by fences (`CSI 5n`, which every terminal answers
//! in its turn), and text goes first. The answers carry no number: they are matched in order, and
//! where one goes missing the rest are matched *late* rather than early, because an answer means
//! that a face has been painted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::probe::ask_behind_tmux;

/// The window before anything has been measured.
const FIRST_WINDOW: usize = 8 * 1024;
/// No window is smaller or larger.
const WINDOW: (usize, usize) = (4 * 1024, 4 * 1024 * 1024);
/// What may lie in the buffers on top of one round trip.
const SLACK: Duration = Duration::from_millis(100);
/// A fence not answered for so long (or four round trips) is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// A fence after less than this says nothing about the rate.
const SAMPLE_BYTES: u64 = 2048;
/// The rate is the best of so many samples.
const SAMPLES: usize = 6;
/// The fence.
const FENCE: &[u8] = b"\x1b[5n";

/// A picture on its way to the terminal, or any other sequence that must not come between the
/// chunks of one (a delete, say).
#[derive(Clone, Default)]
pub struct Upload {
    /// The caller's number for it.
    pub id: u64,
    /// Whole sequences; text may be written between any two of them.
    pub chunks: Vec<Vec<u8>>,
    /// What to write when it is cancelled half-way, so that the terminal stops waiting for the
    /// rest; may be empty.
    pub abort: Vec<u8>,
}

impl std::fmt::Debug for Upload {
    /// Chunks are pictures of faces: only their number is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, chunks, .. } = self;
        f.debug_struct("Upload").field("id", id).field("chunks", &chunks.len()).finish()
    }
}

/// What an [`Event`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The upload with this number.
    Upload(u64),
    /// The mark with this tag.
    Mark(u64),
}

/// What became of an upload or a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The terminal answered a fence placed after the last byte.
    Painted {
        /// Of what.
        what: What,
        /// When the answer was heard.
        at: Instant,
    },
    /// All bytes are written, but the terminal does not answer (or is known not to). `Painted` may
    /// still follow.
    Unanswered {
        /// About what.
        what: What,
        /// When it was given up.
        at: Instant,
    },
    /// The last byte of an upload is written: whatever is written from now on finds it there.
    Written {
        /// Its number.
        id: u64,
    },
    /// An upload was cancelled; some of it may have been written.
    Dropped {
        /// Its number.
        id: u64,
    },
    /// The terminal is gone; nothing more will be written.
    Closed,
}

/// The link as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// Bytes a second to the terminal.
    pub rate: Option<u64>,
    /// From a fence to its answer on an idle link.
    pub round_trip: Option<Duration>,
}

/// What the thread is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Write this, then say how much of it went out.
    Write(&'a [u8]),
    /// Nothing before this time, unless something new is queued or answered.
    Wait(Option<Instant>),
    /// All is done for good.
    Done,
}

/// What a piece of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame,
    /// A frame that ends in a fence of its own.
    Asking(u64),
    Chunk,
    Fence(Purpose),
    /// An abort or the last words: nothing is counted.
    Plain,
}

/// Whom the answer to a fence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The window's.
    Window,
    /// The caller's.
    Tell(What),
    /// Asked because the fence before was not answered.
    Again,
}

struct Piece {
    bytes: Zeroizing<Vec<u8>>,
    written: usize,
    kind: Kind,
}

impl Piece {
    fn new(bytes: Zeroizing<Vec<u8>>, kind: Kind) -> Self {
        Self { bytes, written: 0, kind }
    }
}

/// An upload in the queue.
struct Job {
    id: u64,
    chunks: VecDeque<Zeroizing<Vec<u8>>>,
    abort: Vec<u8>,
    started: bool,
}

/// A mark that waits for the frames queued before it and for these uploads.
struct Mark {
    tag: u64,
    frames: u64,
    uploads: Vec<u64>,
}

/// A fence that was written and not answered.
struct Fence {
    purpose: Purpose,
    sent: Instant,
    /// Totals when it was written.
    bytes: u64,
    chunk_bytes: u64,
    chunks: u64,
    /// The last delivery known when it was written: so much had arrived, at that time.
    delivered: (u64, Instant),
    /// That delivery is in truth the start of a burst on an idle link.
    from_idle: bool,
    given_up: bool,
}

/// What to do with the queues.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Paused,
    Finishing,
}

/// The queues, the fences and the measure of the link.
pub(super) struct Pacer {
    stage: Stage,
    tmux: bool,
    silent: bool,
    current: Option<Piece>,
    frames: VecDeque<Piece>,
    frames_queued: u64,
    frames_done: u64,
    jobs: VecDeque<Job>,
    marks: VecDeque<Mark>,
    /// Aborts and last words.
    plain: VecDeque<Zeroizing<Vec<u8>>>,
    /// Fences to be written.
    due: VecDeque<Purpose>,
    /// Fences to be answered.
    fences: VecDeque<Fence>,
    events: VecDeque<Event>,
    /// Totals written, and chunks known to have arrived.
    bytes: u64,
    chunk_bytes: u64,
    chunks: u64,
    arrived_chunk_bytes: u64,
    arrived_chunks: u64,
    /// Of `chunk_bytes`, those followed by a fence.
    fenced_chunk_bytes: u64,
    delivered: Option<(u64, Instant)>,
    from_idle: bool,
    last_write: Option<Instant>,
    rates: VecDeque<u64>,
    round_trip: Option<Duration>,
    /// The round trip was measured on an idle link, and is not mostly our own bytes.
    true_trip: bool,
}

impl Pacer {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Running,
            tmux: false,
            silent: false,
            current: None,
            frames: VecDeque::new(),
            frames_queued: 0,
            frames_done: 0,
            jobs: VecDeque::new(),
            marks: VecDeque::new(),
            plain: VecDeque::new(),
            due: VecDeque::new(),
            fences: VecDeque::new(),
            events: VecDeque::new(),
            bytes: 0,
            chunk_bytes: 0,
            chunks: 0,
            arrived_chunk_bytes: 0,
            arrived_chunks: 0,
            fenced_chunk_bytes: 0,
            delivered: None,
            from_idle: false,
            last_write: None,
            rates: VecDeque::new(),
            round_trip: None,
            true_trip: false,
        }
    }

    // --- What the caller queues -----------------------------------------------------------------

    pub(super) fn frame(&mut self, bytes: Vec<u8>) {
        self.push_frame(bytes, Kind::Frame);
    }

    /// A frame that ends in a fence; its answer is told as the mark `tag`.
    pub(super) fn ask(&mut self, bytes: Vec<u8>, tag: u64) {
        self.push_frame(bytes, Kind::Asking(tag));
    }

    fn push_frame(&mut self, bytes: Vec<u8>, kind: Kind) {
        self.frames_queued += 1;
        self.frames.push_back(Piece::new(Zeroizing::new(bytes), kind));
    }

    pub(super) fn upload(&mut self, upload: Upload) {
        let chunks = upload.chunks.into_iter().filter(|chunk| !chunk.is_empty());
        self.jobs.push_back(Job {
            id: upload.id,
            chunks: chunks.map(Zeroizing::new).collect(),
            abort: upload.abort,
            started: false,
        });
    }

    /// Has a mark answered once the frames queued by now and these uploads have been read.
    pub(super) fn mark(&mut self, tag: u64, uploads: Vec<u64>) {
        self.marks.push_back(Mark { tag, frames: self.frames_queued, uploads });
    }

    /// Takes an upload back; false when it is not queued, or wholly written.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let Some(at) = self.jobs.iter().position(|job| job.id == id) else {
            return false;
        };
        if let Some(job) = self.jobs.remove(at) {
            if job.started && !job.abort.is_empty() {
                self.plain.push_back(Zeroizing::new(job.abort));
            }
            self.events.push_back(Event::Dropped { id });
        }
        true
    }

    pub(super) fn cancel_all(&mut self) {
        while let Some(id) = self.jobs.front().map(|job| job.id) {
            self.cancel(id);
        }
    }

    pub(super) fn set_tmux(&mut self, tmux: bool) {
        self.tmux = tmux;
    }

    pub(super) fn set_silent(&mut self, silent: bool, now: Instant) {
        self.silent = silent;
        if silent {
            self.give_up(now, Duration::ZERO);
        }
    }

    /// Holds uploads back, or lets them go on.
    pub(super) fn pause(&mut self, paused: bool) {
        if self.stage != Stage::Finishing {
            self.stage = if paused { Stage::Paused } else { Stage::Running };
        }
    }

    /// Frames, then these last bytes, then nothing more.
    pub(super) fn finish(&mut self, last: Vec<u8>) {
        self.cancel_all();
        self.stage = Stage::Finishing;
        self.marks.clear();
        self.plain.push_back(Zeroizing::new(last));
    }

    // --- What the caller asks -------------------------------------------------------------------

    /// Frames not wholly written.
    pub(super) fn frames_waiting(&self) -> usize {
        usize::try_from(self.frames_queued - self.frames_done).unwrap_or(usize::MAX)
    }

    /// Uploads not wholly written.
    pub(super) fn uploads_waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Bytes of uploads that are not written.
    pub(super) fn upload_bytes_waiting(&self) -> usize {
        let chunks = self.jobs.iter().flat_map(|job| &job.chunks);
        chunks.map(|chunk| chunk.len()).sum()
    }

    /// Marks not answered yet count too: each will be told once more.
    pub(super) fn marks_waiting(&self) -> usize {
        self.marks.len() + self.fences.len() + self.due.len()
    }

    pub(super) fn link(&self) -> Link {
        Link { rate: self.rates.iter().max().copied(), round_trip: self.round_trip }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// An event that could not be handed out yet.
    pub(super) fn put_back(&mut self, event: Event) {
        self.events.push_front(event);
    }

    // --- What the thread asks and tells ---------------------------------------------------------

    /// What to write now. Ask again after every [`Pacer::wrote`] and whenever something was queued.
    pub(super) fn next(&mut self, now: Instant) -> Next<'_> {
        self.expire(now);
        if self.current.is_none() {
            self.current = self.pick(now);
        }
        while self.current.as_ref().is_some_and(|piece| piece.bytes.is_empty()) {
            self.wrote(0, now);
            self.current = self.pick(now);
        }
        if self.current.is_none() {
            return match self.stage {
                Stage::Finishing => Next::Done,
                _ => Next::Wait(self.expiry()),
            };
        }
        Next::Write(self.current.as_ref().map_or(&[], |piece| &piece.bytes[piece.written..]))
    }

    /// Picks the next whole piece: fences (four bytes that free the window), text, aborts, chunks.
    fn pick(&mut self, now: Instant) -> Option<Piece> {
        self.pass_marks();
        if self.stage == Stage::Finishing {
            // An answer now would reach the shell.
            self.due.clear();
        }
        while let Some(purpose) = self.due.pop_front() {
            if !self.silent {
                return Some(self.fence(purpose));
            }
            self.unanswered(purpose, now);
        }
        if let Some(frame) = self.frames.pop_front() {
            return Some(frame);
        }
        if let Some(bytes) = self.plain.pop_front() {
            return Some(Piece::new(bytes, Kind::Plain));
        }
        if self.stage == Stage::Running { self.pick_chunk(now) } else { None }
    }

    fn pick_chunk(&mut self, now: Instant) -> Option<Piece> {
        let job = self.jobs.front_mut()?;
        let Some(length) = job.chunks.front().map(|chunk| chunk.len()) else {
            // Nothing in it: as good as written.
            let id = job.id;
            self.jobs.pop_front();
            self.written(id);
            return self.pick(now);
        };
        if self.may_send(length) {
            let job = self.jobs.front_mut()?;
            job.started = true;
            return job.chunks.pop_front().map(|chunk| Piece::new(chunk, Kind::Chunk));
        }
        // The window is shut: only a fence after its last chunk can open it again.
        let unfenced = self.chunk_bytes > self.fenced_chunk_bytes;
        unfenced.then(|| self.fence(Purpose::Window))
    }

    /// Whether a chunk fits: two are always under way.
    fn may_send(&self, length: usize) -> bool {
        let under_way = self.chunk_bytes - self.arrived_chunk_bytes;
        self.silent
            || self.chunks - self.arrived_chunks < 2
            || under_way + length as u64 <= self.window() as u64
    }

    /// How many bytes of pictures may be under way.
    pub(super) fn window(&self) -> usize {
        let Link { rate: Some(rate), round_trip: Some(round_trip) } = self.link() else {
            return FIRST_WINDOW;
        };
        let millis = u64::try_from((round_trip + SLACK).as_millis()).unwrap_or(u64::MAX);
        let bytes = usize::try_from(rate.saturating_mul(millis) / 1000).unwrap_or(usize::MAX);
        bytes.clamp(WINDOW.0, WINDOW.1)
    }

    fn fence(&mut self, purpose: Purpose) -> Piece {
        let bytes = if self.tmux { ask_behind_tmux(FENCE) } else { FENCE.to_vec() };
        Piece::new(Zeroizing::new(bytes), Kind::Fence(purpose))
    }

    /// Marks whose frames and uploads are written get their fence.
    fn pass_marks(&mut self) {
        while let Some(mark) = self.marks.front() {
            let under_way = self.jobs.iter().any(|job| mark.uploads.contains(&job.id));
            if self.frames_done < mark.frames || under_way {
                return;
            }
            self.due.push_back(Purpose::Tell(What::Mark(mark.tag)));
            self.marks.pop_front();
        }
    }

    /// So many bytes of what [`Pacer::next`] gave have been written.
    pub(super) fn wrote(&mut self, count: usize, now: Instant) {
        let idle = self.last_write.is_none_or(|last| {
            now.saturating_duration_since(last) > self.round_trip.unwrap_or_default().max(SLACK)
        });
        if self.fences.is_empty() && idle {
            self.delivered = Some((self.bytes, now));
            self.from_idle = true;
        }
        self.last_write = Some(now);
        self.bytes += count as u64;
        if let Some(piece) = &mut self.current {
            piece.written += count;
            if piece.written >= piece.bytes.len() {
                let (kind, length) = (piece.kind, piece.bytes.len());
                self.current = None;
                self.completed(kind, length, now);
            }
        }
    }

    fn completed(&mut self, kind: Kind, length: usize, now: Instant) {
        match kind {
            Kind::Plain => {}
            Kind::Frame => {
                self.frames_done += 1;
                // The first text of some length tells how fast the line is, before any picture goes.
                if self.rates.is_empty() && length as u64 >= SAMPLE_BYTES && !self.silent {
                    self.due.push_back(Purpose::Window);
                }
            }
            Kind::Asking(tag) => {
                self.frames_done += 1;
                let purpose = Purpose::Tell(What::Mark(tag));
                if self.silent { self.unanswered(purpose, now) } else { self.sent(purpose, now) }
            }
            Kind::Fence(purpose) => self.sent(purpose, now),
            Kind::Chunk => {
                self.chunks += 1;
                self.chunk_bytes += length as u64;
                let emptied = self.jobs.front().filter(|job| job.started && job.chunks.is_empty());
                if let Some(id) = emptied.map(|job| job.id) {
                    self.jobs.pop_front();
                    self.written(id);
                } else if !self.silent
                    && self.chunk_bytes - self.fenced_chunk_bytes >= (self.window() / 4) as u64
                {
                    self.due.push_back(Purpose::Window);
                }
            }
        }
    }

    /// An upload's last byte is written.
    fn written(&mut self, id: u64) {
        self.events.push_back(Event::Written { id });
        self.due.push_back(Purpose::Tell(What::Upload(id)));
    }

    /// A fence is on its way.
    fn sent(&mut self, purpose: Purpose, now: Instant) {
        self.fenced_chunk_bytes = self.chunk_bytes;
        self.fences.push_back(Fence {
            purpose,
            sent: now,
            bytes: self.bytes,
            chunk_bytes: self.chunk_bytes,
            chunks: self.chunks,
            delivered: self.delivered.unwrap_or((0, now)),
            from_idle: self.from_idle,
            given_up: false,
        });
    }

    /// The terminal has answered a fence: the oldest one that is unanswered.
    pub(super) fn acknowledge(&mut self, at: Instant) {
        let Some(fence) = self.fences.pop_front() else {
            return;
        };
        if !fence.given_up {
            self.measure(&fence, at);
        }
        self.arrived(fence.chunk_bytes, fence.chunks);
        self.delivered = Some((fence.bytes, at));
        self.from_idle = false;
        if let Purpose::Tell(what) = fence.purpose {
            self.events.push_back(Event::Painted { what, at });
        }
    }

    fn arrived(&mut self, chunk_bytes: u64, chunks: u64) {
        self.arrived_chunk_bytes = self.arrived_chunk_bytes.max(chunk_bytes);
        self.arrived_chunks = self.arrived_chunks.max(chunks);
    }

    /// Learns the round trip, and the rate at which bytes arrived since the delivery that was the
    /// last one known when the fence was written.
    fn measure(&mut self, fence: &Fence, at: Instant) {
        let bytes = fence.bytes.saturating_sub(fence.delivered.0);
        let trip = at.saturating_duration_since(fence.sent);
        let alone = fence.from_idle && bytes < SAMPLE_BYTES;
        self.round_trip = Some(match self.round_trip {
            // Only a fence on an idle link can show that the way has become longer.
            Some(known) if trip > known => {
                if alone {
                    (known * 3 + trip) / 4
                } else {
                    known
                }
            }
            _ => trip,
        });
        self.true_trip |= alone;
        // Before the round trip is known for sure, the start of a burst says too little.
        if bytes < SAMPLE_BYTES || (fence.from_idle && !self.true_trip) {
            return;
        }
        let mut time = at.saturating_duration_since(fence.delivered.1);
        if fence.from_idle {
            // The first bytes of a burst travel for a round trip that is not the rate's fault.
            time -= self.round_trip.unwrap_or_default().min(time * 7 / 8);
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1000);
        if self.rates.len() == SAMPLES {
            self.rates.pop_front();
        }
        self.rates.push_back(bytes.saturating_mul(1_000_000) / micros);
    }

    fn unanswered(&mut self, purpose: Purpose, at: Instant) {
        if let Purpose::Tell(what) = purpose {
            self.events.push_back(Event::Unanswered { what, at });
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE.max(self.round_trip.unwrap_or_default() * 4)
    }

    /// When the next fence is given up.
    pub(super) fn expiry(&self) -> Option<Instant> {
        let waited_for = self.fences.iter().find(|fence| !fence.given_up)?;
        Some(waited_for.sent + self.patience())
    }

    /// Gives up fences that are overdue. When all are given up, one more is asked: its answer proves
    /// the others', and if it has none either, the line is cleared, so that the next answer is
    /// matched rightly again.
    fn expire(&mut self, now: Instant) {
        let some = self.give_up(now, self.patience());
        if !some || self.fences.iter().any(|fence| !fence.given_up) {
            return;
        }
        if self.fences.back().is_some_and(|fence| fence.purpose == Purpose::Again) {
            self.fences.clear();
        } else {
            self.due.push_back(Purpose::Again);
        }
    }

    /// Stops waiting for fences of this age; they stay in line for a late answer. True when there
    /// were any.
    fn give_up(&mut self, now: Instant, age: Duration) -> bool {
        let overdue = |fence: &Fence| !fence.given_up && now >= fence.sent + age;
        let mut some = false;
        for at in 0..self.fences.len() {
            let Some(fence) = self.fences.get_mut(at).filter(|fence| overdue(fence)) else {
                continue;
            };
            fence.given_up = true;
            some = true;
            let (purpose, chunk_bytes, chunks) = (fence.purpose, fence.chunk_bytes, fence.chunks);
            self.arrived(chunk_bytes, chunks);
            self.unanswered(purpose, now);
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A link with endless buffers and a terminal that reads in order and answers fences.
    struct Sim {
        pacer: Pacer,
        start: Instant,
        now: Instant,
        /// Bytes a second.
        rate: u64,
        /// There and back.
        trip: Duration,
        /// When the last byte written so far will have been read.
        read_until: Instant,
        answers: VecDeque<Instant>,
        /// Of the fences to come: true for one that gets no answer.
        lost: VecDeque<bool>,
        /// What was written, with the time when it was read.
        read: Vec<(Instant, Vec<u8>)>,
        events: Vec<Event>,
        /// The most that a key's echo would have had to wait in the link.
        worst_wait: Duration,
    }

    impl Sim {
        fn new(rate: u64, trip: Duration) -> Self {
            let start = Instant::now();
            Self {
                pacer: Pacer::new(),
                start,
                now: start,
                rate,
                trip,
                read_until: start,
                answers: VecDeque::new(),
                lost: VecDeque::new(),
                read: Vec::new(),
                events: Vec::new(),
                worst_wait: Duration::ZERO,
            }
        }

        /// Runs until nothing is left to write, to hear or to wait for.
        fn run(&mut self) {
            for _ in 0..200_000 {
                let wake = match self.pacer.next(self.now) {
                    Next::Write(bytes) => {
                        let bytes = bytes.to_vec();
                        self.write(&bytes);
                        continue;
                    }
                    Next::Wait(time) => time,
                    Next::Done => None,
                };
                let Some(next) = self.answers.front().copied().into_iter().chain(wake).min() else {
                    self.events.extend(std::iter::from_fn(|| self.pacer.next_event()));
                    return;
                };
                self.now = self.now.max(next);
                if self.answers.front().is_some_and(|answer| *answer <= self.now) {
                    self.answers.pop_front();
                    self.pacer.acknowledge(self.now);
                }
            }
            panic!("the pacer spins");
        }

        fn write(&mut self, bytes: &[u8]) {
            self.worst_wait = self.worst_wait.max(self.read_until.duration_since(self.now));
            let time = Duration::from_micros(bytes.len() as u64 * 1_000_000 / self.rate);
            self.read_until = self.read_until.max(self.now + self.trip / 2) + time;
            self.read.push((self.read_until, bytes.to_vec()));
            if bytes == FENCE && !self.lost.pop_front().unwrap_or(false) {
                self.answers.push_back(self.read_until + self.trip / 2);
            }
            self.pacer.wrote(bytes.len(), self.now);
        }

        fn text(&self) -> String {
            let plain = self.read.iter().filter(|(_, bytes)| bytes != FENCE);
            plain.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect::<Vec<_>>().join(" ")
        }

        fn fences(&self) -> usize {
            self.read.iter().filter(|(_, bytes)| bytes == FENCE).count()
        }

        /// When the last byte of the picture with this letter was read.
        fn read_at(&self, letter: u8) -> Instant {
            let of = |(_, bytes): &&(Instant, Vec<u8>)| bytes.first() == Some(&letter);
            self.read.iter().rfind(of).unwrap().0
        }
    }

    fn picture(id: u64, chunks: usize, size: usize) -> Upload {
        let letter = b'A' + u8::try_from(id).unwrap();
        Upload { id, chunks: vec![vec![letter; size]; chunks], abort: Vec::new() }
    }

    fn painted(events: &[Event], wanted: What) -> Option<Instant> {
        events.iter().find_map(|event| match event {
            Event::Painted { what, at } if *what == wanted => Some(*at),
            _ => None,
        })
    }

    #[test]
    fn text_goes_before_pictures_and_between_their_chunks_but_never_into_one() {
        let mut pacer = Pacer::new();
        let now = Instant::now();
        pacer.upload(Upload {
            id: 1,
            chunks: vec![b"one".to_vec(), b"two".to_vec()],
            abort: vec![],
        });
        pacer.frame(b"text".to_vec());
        assert_eq!(pacer.next(now), Next::Write(b"text"));
        pacer.wrote(4, now);
        assert_eq!(pacer.frames_waiting(), 0);
        assert_eq!(pacer.next(now), Next::Write(b"one"));
        pacer.wrote(1, now);
        pacer.frame(b"more".to_vec());
        assert_eq!(pacer.next(now), Next::Write(b"ne"));
        pacer.wrote(2, now);
        assert_eq!(pacer.next(now), Next::Write(b"more"));
        pacer.wrote(4, now);
        assert_eq!(pacer.next(now), Next::Write(b"two"));
        pacer.wrote(3, now);
        assert_eq!(pacer.next(now), Next::Write(FENCE));
    }

    #[test]
    fn a_picture_is_painted_when_the_fence_after_its_last_byte_is_answered() {
        let mut sim = Sim::new(100_000, 50 * MS);
        sim.pacer.upload(picture(1, 5, 3000));
        sim.pacer.upload(picture(2, 1, 10));
        sim.run();
        for (id, letter) in [(1, b'B'), (2, b'C')] {
            let at = painted(&sim.events, What::Upload(id)).unwrap();
            assert!(at >= sim.read_at(letter) + sim.trip / 2);
        }
        let written = |id| sim.events.iter().position(|event| *event == Event::Written { id });
        assert!(written(1).unwrap() < written(2).unwrap());
        assert_eq!(sim.events.len(), 4);
        assert_eq!(sim.pacer.uploads_waiting() + sim.pacer.marks_waiting(), 0);
    }

    #[test]
    fn a_mark_waits_for_the_frames_before_it_and_the_uploads_it_names_and_for_nothing_else() {
        let mut sim = Sim::new(100_000, 50 * MS);
        sim.pacer.mark(1, vec![]);
        sim.pacer.frame(b"text".to_vec());
        sim.pacer.upload(picture(2, 3, 3000));
        sim.pacer.mark(2, vec![2]);
        sim.pacer.upload(picture(3, 3, 3000));
        sim.pacer.frame(b"more".to_vec());
        sim.pacer.mark(4, vec![]);
        sim.run();
        let painted = |event: &Event| match event {
            Event::Painted { what, .. } => Some(*what),
            _ => None,
        };
        let order: Vec<_> = sim.events.iter().filter_map(painted).collect();
        let expected =
            [What::Mark(1), What::Upload(2), What::Mark(2), What::Mark(4), What::Upload(3)];
        assert_eq!(order, expected);
    }

    #[test]
    fn questions_with_a_fence_of_their_own_are_told_as_a_mark() {
        let (mut pacer, now) = (Pacer::new(), Instant::now());
        pacer.ask(b"what?\x1b[5n".to_vec(), 9);
        pacer.mark(10, vec![]);
        assert_eq!(pacer.next(now), Next::Write(b"what?\x1b[5n"));
        pacer.wrote(9, now);
        assert_eq!(pacer.next(now), Next::Write(FENCE));
        pacer.wrote(4, now);
        pacer.acknowledge(now + MS);
        assert_eq!(pacer.next_event(), Some(Event::Painted { what: What::Mark(9), at: now + MS }));
        assert_eq!(pacer.next_event(), None);
        assert_eq!(pacer.link().round_trip, Some(MS));
    }

    #[test]
    fn the_window_fills_the_link_and_keeps_the_keyboard_quick() {
        // Kilobytes a second, round trip.
        for (rate, trip) in [(8, 100), (32, 50), (125, 100), (125, 300), (1250, 20), (12_500, 1)] {
            let (rate, trip) = (rate * 1000, trip * MS);
            let mut sim = Sim::new(rate, trip);
            // The questions at the start, a first picture, then the one that is measured.
            sim.pacer.mark(0, vec![]);
            sim.run();
            sim.pacer.upload(picture(1, 60, 4096));
            sim.run();
            sim.worst_wait = Duration::ZERO;
            let started = sim.now;
            sim.pacer.upload(picture(2, 60, 4096));
            sim.run();
            let took = sim.read_at(b'C').duration_since(started);
            let alone = Duration::from_micros(60 * 4096 * 1_000_000 / rate) + trip / 2;
            assert!(took < alone * 3 / 2, "{rate} B/s, {trip:?}: {took:?} against {alone:?}");
            // Two chunks are always under way, however slow the link is.
            let two = Duration::from_micros(2 * 4096 * 1_000_000 / rate);
            let bound = (trip + SLACK).max(two) * 3 / 2;
            assert!(sim.worst_wait < bound, "{rate} B/s, {trip:?}: {:?}", sim.worst_wait);
            let link = sim.pacer.link();
            let measured = link.rate.unwrap();
            assert!((rate / 2..rate * 3 / 2).contains(&measured), "{measured} for {rate}");
            assert!(link.round_trip.unwrap() >= trip);
        }
    }

    #[test]
    fn the_first_window_is_eight_kilobytes_and_two_chunks_always_fit() {
        for (size, count) in [(2048, 4), (40_000, 2)] {
            let (mut pacer, now) = (Pacer::new(), Instant::now());
            pacer.upload(picture(0, 20, size));
            let mut chunks = 0;
            while let Next::Write(bytes) = pacer.next(now) {
                let length = bytes.len();
                chunks += usize::from(length == size);
                pacer.wrote(length, now);
            }
            assert_eq!(chunks, count);
        }
    }

    #[test]
    fn a_terminal_known_to_be_silent_is_neither_asked_nor_waited_for() {
        let mut sim = Sim::new(1_000_000, MS);
        sim.pacer.set_silent(true, sim.now);
        sim.pacer.upload(picture(1, 20, 4096));
        sim.pacer.mark(5, vec![1]);
        sim.run();
        assert_eq!(sim.fences(), 0);
        assert_eq!(sim.read.len(), 20);
        let at = sim.now;
        let unanswered = |what| Event::Unanswered { what, at };
        let written = Event::Written { id: 1 };
        assert_eq!(sim.events, [written, unanswered(What::Upload(1)), unanswered(What::Mark(5))]);
    }

    #[test]
    fn a_terminal_that_falls_silent_is_given_three_seconds_and_then_goes_on() {
        let mut sim = Sim::new(1_000_000, MS);
        sim.lost = vec![true; 1000].into();
        sim.pacer.upload(picture(1, 40, 4096));
        sim.run();
        assert_eq!(sim.read.iter().filter(|(_, bytes)| bytes.len() == 4096).count(), 40);
        assert!(sim.now.duration_since(sim.start) >= PATIENCE);
        assert_eq!(painted(&sim.events, What::Upload(1)), None);
        assert!(
            sim.events
                .iter()
                .any(|event| matches!(event, Event::Unanswered { what: What::Upload(1), .. }))
        );
        // It speaks again: answers are matched rightly.
        sim.lost.clear();
        sim.pacer.mark(3, vec![]);
        sim.run();
        assert!(painted(&sim.events, What::Mark(3)).is_some());
    }

    #[test]
    fn an_answer_that_went_missing_is_asked_for_again() {
        let mut sim = Sim::new(1_000_000, MS);
        sim.lost = vec![true].into();
        sim.pacer.mark(1, vec![]);
        sim.run();
        assert_eq!(sim.fences(), 2);
        assert!(matches!(sim.events[0], Event::Unanswered { what: What::Mark(1), .. }));
        assert!(painted(&sim.events, What::Mark(1)).is_some());
        assert_eq!(sim.pacer.marks_waiting(), 0);
    }

    #[test]
    fn silence_being_told_does_not_make_old_answers_count_for_new_fences() {
        let (mut pacer, now) = (Pacer::new(), Instant::now());
        pacer.mark(1, vec![]);
        assert_eq!(pacer.next(now), Next::Write(FENCE));
        pacer.wrote(4, now);
        pacer.set_silent(true, now);
        assert_eq!(pacer.next_event(), Some(Event::Unanswered { what: What::Mark(1), at: now }));
        pacer.set_silent(false, now);
        pacer.mark(2, vec![]);
        assert_eq!(pacer.next(now), Next::Write(FENCE));
        pacer.wrote(4, now);
        pacer.acknowledge(now);
        assert_eq!(pacer.next_event(), Some(Event::Painted { what: What::Mark(1), at: now }));
        pacer.acknowledge(now);
        assert_eq!(pacer.next_event(), Some(Event::Painted { what: What::Mark(2), at: now }));
        pacer.acknowledge(now);
        assert_eq!(pacer.next_event(), None);
    }

    #[test]
    fn a_cancelled_picture_is_ended_properly_and_one_not_begun_leaves_no_trace() {
        let (mut pacer, now) = (Pacer::new(), Instant::now());
        for id in [1, 2] {
            let chunks = vec![format!("a{id}").into_bytes(), format!("b{id}").into_bytes()];
            pacer.upload(Upload { id, chunks, abort: format!("stop{id}").into_bytes() });
        }
        assert_eq!(pacer.next(now), Next::Write(b"a1"));
        pacer.wrote(1, now);
        assert!(pacer.cancel(1) && pacer.cancel(2) && !pacer.cancel(2));
        assert_eq!(pacer.next(now), Next::Write(b"1"));
        pacer.wrote(1, now);
        assert_eq!(pacer.next(now), Next::Write(b"stop1"));
        pacer.wrote(5, now);
        assert_eq!(pacer.next(now), Next::Wait(None));
        assert_eq!(pacer.next_event(), Some(Event::Dropped { id: 1 }));
        assert_eq!(pacer.next_event(), Some(Event::Dropped { id: 2 }));
        pacer.upload(Upload { id: 3, ..Upload::default() });
        assert_eq!(pacer.next(now), Next::Write(FENCE), "nothing to write is written at once");
    }

    #[test]
    fn pausing_holds_pictures_and_finishing_writes_frames_and_the_last_bytes_only() {
        let (mut pacer, now) = (Pacer::new(), Instant::now());
        pacer.pause(true);
        pacer.upload(picture(1, 2, 10));
        assert_eq!(pacer.next(now), Next::Wait(None));
        pacer.pause(false);
        assert!(matches!(pacer.next(now), Next::Write(_)));
        pacer.wrote(10, now);
        pacer.mark(1, vec![]);
        pacer.frame(b"text".to_vec());
        pacer.finish(b"bye".to_vec());
        assert_eq!(pacer.next(now), Next::Write(b"text"));
        pacer.wrote(4, now);
        assert_eq!(pacer.next(now), Next::Write(b"bye"));
        pacer.wrote(3, now);
        assert_eq!(pacer.next(now + PATIENCE * 2), Next::Done);
    }

    #[test]
    fn inside_tmux_the_terminal_around_it_is_asked_after_what_tmux_has_kept_back() {
        let (mut pacer, now) = (Pacer::new(), Instant::now());
        pacer.set_tmux(true);
        pacer.mark(1, vec![]);
        let fence = b"\x1b7\x1b[r\x1b8\x1bPtmux;\x1b\x1b[5n\x1b\\";
        assert_eq!(pacer.next(now), Next::Write(fence));
    }

    proptest! {
        #[test]
        fn nothing_is_called_painted_before_it_was_read(
            sizes in prop::collection::vec((1usize..8, 1usize..6000), 1..12),
            lost in prop::collection::vec(prop::bool::weighted(0.3), 0..30),
            rate in 5_000u64..2_000_000,
            trip in 0u32..400,
        ) {
            let mut sim = Sim::new(rate, trip * MS);
            sim.lost = lost.into();
            for (id, (chunks, size)) in sizes.iter().enumerate() {
                sim.pacer.upload(picture(id as u64, *chunks, *size + FENCE.len()));
                sim.pacer.frame(format!("-{id}").into_bytes());
                sim.run();
            }
            for (id, (chunks, _)) in sizes.iter().enumerate() {
                let letter = b'A' + u8::try_from(id).unwrap();
                let read = sim.read.iter().filter(|(_, bytes)| bytes[0] == letter).count();
                prop_assert_eq!(read, *chunks, "every chunk exactly once");
                let what = What::Upload(id as u64);
                let told = sim.events.iter().any(|event| matches!(
                    event,
                    Event::Painted { what: w, .. } | Event::Unanswered { what: w, .. } if *w == what
                ));
                prop_assert!(told, "nothing told of {}", id);
                if let Some(at) = painted(&sim.events, what) {
                    prop_assert!(at >= sim.read_at(letter));
                }
            }
            prop_assert_eq!(sim.text().matches('-').count(), sizes.len());
        }
    }
}
