//! The screen as a thing to draw on: ratatui's cells become bytes for the one writer; pictures that are no
//! characters are written after the text; and the terminal is asked to say when a pair is painted.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ratatui::layout::Rect;
use ratatui::prelude::CrosstermBackend;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::core::{Model, Painted, Side, Size};
use crate::term::{Upload, Writer};
use crate::tui::{Drawn, Eyes, FrameBody, Gallery, PlacedPicture, Theme, draw};

/// Numbers of uploads that are no kitty images begin here; image ids are 32 bits.
const INLINE: u64 = 1 << 40;
/// Frames may wait for a slow terminal, but a new one is not drawn behind many.
const FRAMES_AHEAD: usize = 2;

/// Where ratatui writes: bytes collected for the writer.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the terminal was last asked to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    pictures: Vec<PlacedPicture>,
    epoch: u64,
}

/// The screen.
pub struct Board {
    terminal: Terminal<CrosstermBackend<Sink>>,
    sink: Sink,
    /// Pictures standing on the terminal beside the cells, and the uploads that put them there.
    inline: Vec<(PlacedPicture, u64)>,
    asked: Option<Asked>,
    marks: HashMap<u64, Painted>,
    next: u64,
    /// Whether the terminal takes a frame as a whole (DEC mode 2026).
    pub synchronized: bool,
}

impl Board {
    /// A board of a size in cells; the terminal is blank.
    ///
    /// # Errors
    /// None in practice: the bytes are collected in memory.
    pub fn new(size: Size) -> io::Result<Self> {
        let sink = Sink::default();
        Ok(Self {
            terminal: terminal(sink.clone(), size)?,
            sink,
            inline: Vec::new(),
            asked: None,
            marks: HashMap::new(),
            next: 0,
            synchronized: false,
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
        self.terminal = terminal(self.sink.clone(), size)?;
        self.sink.take();
        self.sink.write_all(b"\x1b[0m\x1b[2J")
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
        if !text.is_empty() && writer.frame(self.sealed(text)).is_err() {
            // The terminal is far behind: draw everything once it has caught up.
            return self.begin_anew(model.size, writer);
        }
        self.write_inline(&drawn, gallery, writer);
        self.ask_painted(model, &drawn, gallery, writer);
        Ok(())
    }

    /// What was painted under a mark, once.
    pub fn painted(&mut self, mark: u64) -> Option<Painted> {
        self.marks.remove(&mark)
    }

    fn frame(&mut self, model: &Model, gallery: &Gallery, theme: Theme) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        self.terminal.draw(|frame| drawn = draw(model, gallery, theme, frame))?;
        Ok(drawn)
    }

    fn sealed(&self, text: Vec<u8>) -> Vec<u8> {
        if !self.synchronized {
            return text;
        }
        [b"\x1b[?2026h".as_slice(), &text, b"\x1b[?2026l"].concat()
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
            let Rect { x, y, .. } = placed.area;
            let at = format!("\x1b7\x1b[{};{}H", y + 1, x + 1);
            let chunk = [at.as_bytes(), bytes, b"\x1b8"].concat();
            self.next += 1;
            let id = INLINE + self.next;
            if writer.upload(Upload { id, chunks: vec![chunk], abort: Vec::new() }).is_ok() {
                self.inline.push((placed.clone(), id));
            }
        }
    }

    fn ask_painted(&mut self, model: &Model, drawn: &Drawn, gallery: &Gallery, writer: &Writer) {
        let Some(desk) = model.desk.as_ref().filter(|_| drawn.is_pair()) else { return };
        let asked = Asked { pictures: drawn.pictures.clone(), epoch: desk.epoch };
        if self.asked.as_ref() == Some(&asked) || desk.painted_at().is_some() {
            return;
        }
        let frame = |subject: bool| {
            let placed =
                drawn.pictures.iter().find(|p| (p.key.side == Side::Subject) == subject)?;
            Some((placed, gallery.get(&placed.key)?))
        };
        let (Some((a, of_a)), Some((b, of_b))) = (frame(true), frame(false)) else { return };
        let cells = |placed: &PlacedPicture| (placed.area.width, placed.area.height);
        self.next += 1;
        if writer.mark(self.next).is_err() {
            return;
        }
        // An older question means nothing any more, whatever is answered.
        self.marks.clear();
        self.marks.insert(
            self.next,
            Painted {
                case: desk.key.clone(),
                place: desk.place,
                epoch: desk.epoch,
                protocol: model.protocol.clone(),
                cells: [cells(a), cells(b)],
                eye_pixels: [of_a.eyes, of_b.eyes].map(measured),
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

fn is_inline(placed: &PlacedPicture, gallery: &Gallery) -> bool {
    matches!(gallery.get(&placed.key).map(|f| &f.body), Some(FrameBody::Inline(_)))
}

fn terminal(sink: Sink, (width, height): Size) -> io::Result<Terminal<CrosstermBackend<Sink>>> {
    let options = TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, width, height)) };
    Terminal::with_options(CrosstermBackend::new(sink), options)
}
