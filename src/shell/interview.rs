//! A talk with the terminal without the console: the same questions, the same choice, and on request a
//! test card by the same encoder and the same writer. For `doctor`, which prints what came of it when the
//! terminal is as it was.

use std::time::{Duration, Instant};

use ratatui::layout::Rect;
use tokio::sync::mpsc;

use super::board::{at_its_place, sealed, terminal};
use super::drawing::{CellFrom, Drawing, cell_of, drawing, first_drawing};
use super::memory::{Memory, Place};
use super::pen::Sink;
use super::run::{PROBE, ShellError, Signals};
use crate::picture::protocol::{Encoded, Tier, encode, kitty_block, kitty_delete};
use crate::picture::{self, Aim, Limits, Pane, PictureBytes, View, decode, fit};
use crate::term::{
    self, Answer, Arrival, Capabilities, Choice, Environment, Guard, Heard, Inside, Probe, Reader,
    Upload, What, Wish, Wishes, Writer,
};
use crate::tui::{self, Eyes, Frame, FrameBody};

/// Answers that are kept of one terminal; more would come from one that means ill.
const ANSWERS: usize = 32;
/// How long the terminal may take for a card.
const SHOWING: Duration = Duration::from_secs(15);
/// How long a card stays when no key is pressed.
const LOOKING: Duration = Duration::from_secs(120);
/// How long the terminal may take for the last bytes.
const LEAVING: Duration = Duration::from_millis(500);

/// What the terminal was asked, what it said, and what follows from it.
pub struct Interview {
    /// Its size.
    pub size: term::Size,
    /// What whom we talk to has answered.
    pub here: Vec<Answer>,
    /// What the terminal around tmux has answered; `None` when it was not asked.
    pub outside: Option<Vec<Answer>>,
    /// What the answers add up to.
    pub known: Capabilities,
    /// What is remembered of it.
    pub remembered: Wish,
    /// What was chosen, and why.
    pub choice: Choice,
    /// How the console would draw.
    pub drawing: Drawing,
    /// Who told the size of a cell.
    pub cell_from: CellFrom,
    /// What became of the card, if there was to be one.
    pub card: Option<CardShown>,
}

/// A test card.
pub struct Card {
    /// The picture.
    pub picture: PictureBytes,
    /// What stands above it, when it is drawn so.
    pub words: fn(&Drawing) -> Vec<String>,
}

/// What became of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardShown {
    /// The terminal has confirmed that it is on the screen.
    Confirmed,
    /// It was written, and the terminal confirms nothing.
    Unconfirmed,
    /// There is no room for it, or it could not be encoded.
    NoRoom,
}

/// Asks the terminal, and shows a card until a key is pressed, drawn as it was set and as it is remembered.
///
/// # Errors
/// [`ShellError`] when there is no terminal, or a signal came.
pub async fn interview(
    environment: &Environment,
    set: Wish,
    memory: &Memory,
    card: Option<Card>,
) -> Result<Interview, ShellError> {
    let tty = term::open()?;
    let size = term::size(&tty)?;
    let signals = Signals::new()?;
    let guard = Guard::new(tty)?;
    let (writer, written) = Writer::start(term::open()?)?;
    term::install_panic_hook(&guard, writer.hush(), picture::is_apart);
    let (reader, heard) = Reader::start(term::open()?)?;
    let mut talk = Talk { writer, heard, written, signals };
    let found = talk.hold(environment, set, memory, card, size, &guard).await;
    // First the cells that name the card, then the card.
    let _ = talk.writer.frame(b"\x1b[0m\x1b[2J".to_vec());
    let wiped = guard.farewell();
    let _ = talk.writer.finish(wiped, Instant::now() + LEAVING);
    drop(reader);
    guard.restore()?;
    found
}

/// What comes next in a talk.
enum Next {
    Key,
    Answer(Answer),
    Written(term::Event),
    Other,
    /// The time is over.
    Over,
    /// A signal, or the terminal is gone.
    Stopped,
}

struct Talk {
    writer: Writer,
    heard: mpsc::Receiver<Arrival>,
    written: mpsc::Receiver<term::Event>,
    signals: Signals,
}

impl Talk {
    async fn next(&mut self, deadline: Instant) -> Next {
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => Next::Stopped,
            _ = self.signals.hangup.recv() => Next::Stopped,
            _ = self.signals.interrupt.recv() => Next::Stopped,
            arrival = self.heard.recv() => match arrival {
                None => Next::Stopped,
                Some(Arrival { heard: Heard::Key(_), .. }) => Next::Key,
                Some(Arrival { heard: Heard::Answer(answer), at, .. }) => {
                    if answer == Answer::StatusOk {
                        self.writer.acknowledge(at);
                    }
                    Next::Answer(answer)
                }
                Some(_) => Next::Other,
            },
            event = self.written.recv() => event.map_or(Next::Stopped, Next::Written),
            () = tokio::time::sleep_until(deadline.into()) => Next::Over,
        }
    }

    async fn hold(
        &mut self,
        environment: &Environment,
        set: Wish,
        memory: &Memory,
        card: Option<Card>,
        size: term::Size,
        guard: &Guard,
    ) -> Result<Interview, ShellError> {
        let (probe, here, outside) = self.ask(environment).await?;
        let known = probe.conclude();
        let (cell, cell_from) = cell_of(size, known.cell_pixels);
        let chosen = memory.of(&Place::of(&known, environment));
        let choice = term::choose(&known, environment, &Wishes { set, chosen });
        let drawing = drawing(&choice, &known, &first_drawing(cell));
        let mut found = Interview {
            size,
            here,
            outside,
            known,
            remembered: chosen,
            choice,
            drawing,
            cell_from,
            card: None,
        };
        self.writer.set_silent(found.known.silent);
        guard.set_silent(found.known.silent);
        let in_tmux = matches!(found.known.inside, Inside::Tmux { .. });
        self.writer.set_tmux(in_tmux && found.known.version.is_some());
        if let Some(card) = card {
            found.card = Some(self.show(&card, &found, guard).await?);
        }
        Ok(found)
    }

    /// Asks as the console does; takes answers for as long as it does before it goes on without.
    async fn ask(
        &mut self,
        environment: &Environment,
    ) -> Result<(Probe, Vec<Answer>, Option<Vec<Answer>>), ShellError> {
        let mut probe = Probe::new(environment);
        let (mut here, mut outside): (Vec<Answer>, Option<Vec<Answer>>) = (Vec::new(), None);
        let _ = self.writer.ask(term::questions(environment, false), 0);
        let deadline = Instant::now() + PROBE;
        loop {
            let fenced = |list: &Vec<Answer>| list.contains(&Answer::StatusOk);
            if probe.complete() && fenced(&here) && outside.as_ref().is_none_or(fenced) {
                return Ok((probe, here, outside));
            }
            let answer = match self.next(deadline).await {
                Next::Answer(answer) => answer,
                Next::Over => return Ok((probe, here, outside)),
                Next::Stopped => return Err(ShellError::Stopped),
                Next::Key | Next::Written(_) | Next::Other => continue,
            };
            probe.heard(&answer);
            // The fence of the first batch may be answered when the second has been asked.
            let late = answer == Answer::StatusOk && !fenced(&here);
            let list = outside.as_mut().filter(|_| !late).unwrap_or(&mut here);
            if list.len() < ANSWERS {
                list.push(answer);
            }
            if probe.wants_outside() {
                probe.asked_outside();
                outside = Some(Vec::new());
                let _ = self.writer.ask(term::questions(environment, true), 0);
            }
        }
    }

    /// Shows a card, waits for the terminal's word and for a key.
    async fn show(
        &mut self,
        card: &Card,
        found: &Interview,
        guard: &Guard,
    ) -> Result<CardShown, ShellError> {
        let drawing = &found.drawing;
        let words = (card.words)(drawing);
        let cells = (found.size.columns, found.size.rows);
        // One id out of a random block, so that no console in this terminal has the same.
        let (id, _) = kitty_block(fastrand::u8(1..));
        let below = tui::card_room(cells, words.len());
        // As large as a face beside another, so that what holds for the card holds for faces.
        let (columns, rows) = tui::ReviewLayout::new(cells).picture_cells();
        let room = drawing.within((columns.min(below.width), rows.min(below.height)));
        let Some(encoded) = made(card, drawing, room, id) else {
            return Ok(CardShown::NoRoom);
        };
        let counts = found.known.inside == Inside::Bare && found.known.version.is_some();
        let wrap = drawing.options.wrap;
        let mut farewell = wrap.seal(b"\x1b\\".to_vec().into()).to_vec();
        farewell.extend(kitty_delete(id, wrap));
        let (columns, rows) = encoded.size();
        let mut uploads = Vec::new();
        let body = match encoded {
            Encoded::Kitty { chunks, .. } => {
                guard.set_farewell(farewell);
                let chunks = chunks.iter().map(|chunk| chunk.to_vec()).collect();
                let abort = kitty_delete(id, wrap);
                let upload = u64::from(id);
                if self.writer.upload(Upload { id: upload, chunks, abort }).is_ok() {
                    uploads.push(upload);
                }
                self.until_written(upload).await?;
                FrameBody::Placeholders(id)
            }
            Encoded::Inline { bytes, .. } => FrameBody::Inline(bytes.as_slice().into()),
            Encoded::Cells(cells) => FrameBody::Cells(cells.into()),
        };
        let frame = Frame { columns, rows, body, eyes: Eyes::Guessed(0), tier: None };
        let (text, area) = drawn(&words, &frame, cells, counts)?;
        let _ = self.writer.frame(sealed(text, drawing.synchronizes(&found.known)));
        if let FrameBody::Inline(bytes) = &frame.body {
            let chunks = vec![at_its_place(area, bytes)];
            if self.writer.upload(Upload { id: 1, chunks, abort: Vec::new() }).is_ok() {
                uploads.push(1);
            }
        }
        let _ = self.writer.mark(1, uploads);
        self.until_looked_at().await
    }

    async fn until_written(&mut self, upload: u64) -> Result<(), ShellError> {
        let deadline = Instant::now() + SHOWING;
        loop {
            match self.next(deadline).await {
                Next::Written(term::Event::Written { id }) if id == upload => return Ok(()),
                Next::Over => return Ok(()),
                Next::Stopped => return Err(ShellError::Stopped),
                Next::Key | Next::Answer(_) | Next::Written(_) | Next::Other => {}
            }
        }
    }

    async fn until_looked_at(&mut self) -> Result<CardShown, ShellError> {
        let deadline = Instant::now() + LOOKING;
        let (mut shown, mut pressed) = (None, false);
        loop {
            // A key may be quicker than the terminal's word, which the writer does not wait for long.
            if let (true, Some(shown)) = (pressed, shown) {
                return Ok(shown);
            }
            match self.next(deadline).await {
                Next::Written(term::Event::Painted { what: What::Mark(_), .. }) => {
                    shown = Some(CardShown::Confirmed);
                }
                Next::Written(term::Event::Unanswered { what: What::Mark(_), .. }) => {
                    shown = shown.or(Some(CardShown::Unconfirmed));
                }
                Next::Key => pressed = true,
                Next::Over => return Ok(shown.unwrap_or(CardShown::Unconfirmed)),
                Next::Stopped => return Err(ShellError::Stopped),
                Next::Answer(_) | Next::Written(_) | Next::Other => {}
            }
        }
    }
}

/// The card as the terminal takes it.
fn made(card: &Card, drawing: &Drawing, (columns, rows): (u16, u16), id: u32) -> Option<Encoded> {
    let Drawing { protocol, options, cell, .. } = *drawing;
    let mut options = options;
    (options.image_id, options.tier) = (id, Tier::Fine);
    let portrait = decode(&card.picture, 0, &Limits::default()).ok()?;
    let pane = Pane::new(columns, rows, cell, protocol.dots(cell, options.cells));
    let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pane).ok()?;
    encode(&fitted, protocol, &options).ok()
}

/// The text of a card's screen, and the cells of the picture.
fn drawn(
    words: &[String],
    frame: &Frame,
    cells: (u16, u16),
    counts: bool,
) -> Result<(Vec<u8>, Rect), ShellError> {
    let sink = Sink::default();
    let mut screen = terminal(sink.clone(), cells, counts)?;
    let mut area = Rect::default();
    screen.draw(|screen| area = tui::card(words, frame, screen))?;
    Ok((sink.take(), area))
}
