//! The screen as a thing to draw on: ratatui's cells become bytes for the one writer; pictures that are no
//! characters are written after the text; and the terminal is asked to say when a pair is painted.
//!
//! It is asked again when a picture of the painted pair is shown in a better tier. The pair stays
//! armed meanwhile, for it never left the screen; the answer only lets the receipt say what was seen.

use std::collections::HashMap;
use std::io;

use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::pen::{Pen, Sink};
use crate::core::{Model, Painted, Size};
use crate::picture::Tier;
use crate::term::{Upload, Writer};
use crate::tui::{
    Drawn, Eyes, FrameBody, FrameKey, Gallery, PlacedPicture, ReviewLayout, Theme, draw,
};

/// Numbers of uploads that are no kitty images begin here; image ids are 32 bits.
const INLINE: u64 = 1 << 40;
/// Frames may wait for a slow terminal, but a new one is not drawn behind many.
const FRAMES_AHEAD: usize = 2;

/// What the terminal was last asked to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    pictures: Vec<PlacedPicture>,
    epoch: u64,
    tiers: [Option<Tier>; 2],
}

/// The screen.
pub struct Board {
    terminal: Terminal<Pen>,
    sink: Sink,
    /// The pictures in the newest frame.
    shown: Vec<PlacedPicture>,
    /// Pictures standing on the terminal beside the cells, and the uploads that put them there.
    inline: Vec<(PlacedPicture, u64)>,
    asked: Option<Asked>,
    marks: HashMap<u64, Painted>,
    next: u64,
    /// Whether the terminal takes a frame as a whole (DEC mode 2026).
    pub synchronized: bool,
    /// Whether the terminal repeats picture cells by a count; taken in by [`Board::begin_anew`].
    pub counts: bool,
    /// Nothing is written now that lands, or whose answer lands, where the keys go: that is not here.
    waits: bool,
}

impl Board {
    /// A board of a size in cells; the terminal is blank.
    ///
    /// # Errors
    /// None in practice: the bytes are collected in memory.
    pub fn new(size: Size) -> io::Result<Self> {
        let sink = Sink::default();
        Ok(Self {
            terminal: terminal(sink.clone(), size, false)?,
            sink,
            shown: Vec::new(),
            inline: Vec::new(),
            asked: None,
            marks: HashMap::new(),
            next: 0,
            synchronized: false,
            counts: false,
            waits: false,
        })
    }

    /// Begins anew on a blank screen: after a resize, after a suspension, when a picture beside the cells
    /// has to go. Pictures on their way are taken back.
    ///
    /// # Errors
    /// None in practice.
    pub fn begin_anew(&mut self, size: Size, writer: &Writer) -> io::Result<()> {
        for (_, id) in self.inline.drain(..) {
            writer.cancel(id);
        }
        self.asked = None;
        self.terminal = terminal(self.sink.clone(), size, self.counts)?;
        self.sink.take();
        self.sink.add(b"\x1b[0m\x1b[2J");
        Ok(())
    }

    /// Holds back what would go to whoever has the keys, or lets it go again. An answer that is still to come
    /// means nothing: nobody may have been looking.
    pub fn wait(&mut self, waits: bool) {
        self.waits = waits;
        if waits {
            self.marks.clear();
            self.asked = None;
        }
    }

    /// Whether the writer has room for another frame.
    pub fn has_room(writer: &Writer) -> bool {
        writer.frames_waiting() <= FRAMES_AHEAD
    }

    /// Draws a frame, writes the pictures that go beside it, and asks for a word when a pair is painted.
    ///
    /// # Errors
    /// None in practice.
    pub fn draw(
        &mut self,
        model: &Model,
        gallery: &Gallery,
        theme: Theme,
        writer: &Writer,
    ) -> io::Result<()> {
        let mut drawn = self.frame(model, gallery, theme)?;
        if self.must_clear(&drawn, gallery) {
            self.begin_anew(model.size, writer)?;
            drawn = self.frame(model, gallery, theme)?;
        }
        let text = self.sink.take();
        if !text.is_empty() && writer.frame(sealed(text, self.synchronized)).is_err() {
            // The terminal is far behind: draw everything once it has caught up.
            return self.begin_anew(model.size, writer);
        }
        if !self.waits {
            self.write_inline(&drawn, gallery, writer);
            self.ask_painted(model, &drawn, gallery, writer);
        }
        self.shown = drawn.pictures;
        Ok(())
    }

    /// Whether a picture stands in the newest frame.
    pub fn shows(&self, key: &FrameKey) -> bool {
        self.shown.iter().any(|placed| placed.key == *key)
    }

    /// The pictures in the newest frame.
    pub fn shown(&self) -> &[PlacedPicture] {
        &self.shown
    }

    /// The next frame asks about its pair again, whatever was answered about it.
    pub fn ask_anew(&mut self) {
        self.asked = None;
    }

    /// What was painted under a mark, once.
    pub fn painted(&mut self, mark: u64) -> Option<Painted> {
        self.marks.remove(&mark)
    }

    fn frame(&mut self, model: &Model, gallery: &Gallery, theme: Theme) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        self.terminal.backend_mut().first = Some(ReviewLayout::new(model.size).arming.y);
        self.terminal.draw(|frame| drawn = draw(model, gallery, theme, frame))?;
        Ok(drawn)
    }

    /// A picture beside the cells is taken away only by clearing: the cells do not know that it is there.
    fn must_clear(&self, drawn: &Drawn, gallery: &Gallery) -> bool {
        let still = |old: &PlacedPicture| drawn.pictures.contains(old) && is_inline(old, gallery);
        self.inline.iter().any(|(old, _)| !still(old))
    }

    fn write_inline(&mut self, drawn: &Drawn, gallery: &Gallery, writer: &Writer) {
        for placed in &drawn.pictures {
            let known = self.inline.iter().any(|(old, _)| old == placed);
            let Some(FrameBody::Inline(bytes)) = gallery.get(&placed.key).map(|f| &f.body) else {
                continue;
            };
            if known {
                continue;
            }
            let chunk = at_its_place(placed.area, bytes);
            self.next += 1;
            let id = INLINE + self.next;
            if writer.upload(Upload { id, chunks: vec![chunk], abort: Vec::new() }).is_ok() {
                self.inline.push((placed.clone(), id));
            }
        }
    }

    fn ask_painted(&mut self, model: &Model, drawn: &Drawn, gallery: &Gallery, writer: &Writer) {
        let Some(desk) = model.desk.as_ref().filter(|_| drawn.is_pair()) else { return };
        let frame = |subject: bool| {
            let placed = drawn.pictures.iter().find(|p| p.key.side.is_subject() == subject)?;
            Some((placed, gallery.get(&placed.key)?))
        };
        let (Some((a, of_a)), Some((b, of_b))) = (frame(true), frame(false)) else { return };
        let tiers = [of_a.tier, of_b.tier];
        let asked = Asked { pictures: drawn.pictures.clone(), epoch: desk.epoch, tiers };
        let better = |old: &Asked| {
            let same = (&old.pictures, old.epoch) == (&asked.pictures, asked.epoch);
            same && old.tiers != asked.tiers
        };
        let refined = self.asked.as_ref().is_some_and(better);
        let painted = desk.painted_at().is_some();
        if self.asked.as_ref() == Some(&asked) || (painted && !refined) {
            return;
        }
        let cells = |placed: &PlacedPicture| (placed.area.width, placed.area.height);
        // Of the pictures only those beside the cells may still be on their way.
        let on_their_way = self.inline.iter().map(|(_, upload)| *upload).collect();
        self.next += 1;
        if writer.mark(self.next, on_their_way).is_err() {
            return;
        }
        // An older question means nothing any more, whatever is answered; but for one about the same
        // pair in a lesser tier, whose answer is the sooner one.
        if !refined {
            self.marks.clear();
        }
        self.marks.insert(
            self.next,
            Painted {
                case: desk.key.clone(),
                place: desk.place,
                epoch: desk.epoch,
                protocol: model.protocol.clone(),
                cells: [cells(a), cells(b)],
                eye_pixels: [of_a.eyes, of_b.eyes].map(measured),
                tiers: tiers.map(|tier| tier.map(Tier::word)),
            },
        );
        self.asked = Some(asked);
    }
}

/// Only what was measured goes into a receipt, by a box from the API or by a face that was found.
fn measured(eyes: Eyes) -> Option<u16> {
    match eyes {
        Eyes::Measured(pixels) | Eyes::Detected(pixels) => Some(pixels),
        Eyes::Guessed(_) => None,
    }
}

/// A frame, in the marks of a synchronized update where the terminal knows them.
pub fn sealed(text: Vec<u8>, synchronized: bool) -> Vec<u8> {
    if !synchronized {
        return text;
    }
    [b"\x1b[?2026h".as_slice(), &text, b"\x1b[?2026l"].concat()
}

/// The bytes of a picture that stands beside the cells, written at its place.
pub fn at_its_place(area: Rect, picture: &[u8]) -> Vec<u8> {
    let at = format!("\x1b7\x1b[{};{}H", area.y + 1, area.x + 1);
    [at.as_bytes(), picture, b"\x1b8"].concat()
}

fn is_inline(placed: &PlacedPicture, gallery: &Gallery) -> bool {
    matches!(gallery.get(&placed.key).map(|f| &f.body), Some(FrameBody::Inline(_)))
}

/// A screen of so many cells, whose bytes are collected in a sink.
pub fn terminal(sink: Sink, (width, height): Size, counts: bool) -> io::Result<Terminal<Pen>> {
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, width, height)) };
    Terminal::with_options(Pen::new(sink, (width, height), counts), options)
}
