//! ratatui's cells as bytes for the one writer. What ratatui's own backends do not do is why this is
//! ours: a run of picture cells, which all look alike, is one character and a count (REP) where the
//! terminal can, so showing a face that it holds costs two dozen bytes a row; pictures go before text,
//! one after the other, so each says its colour once; and nothing is said twice (the cursor is hidden
//! once, not in every frame).

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::picture::protocol::PLACEHOLDER;

/// Fewer cells than this are written out: their number would take as many bytes.
const WORTH_A_COUNT: usize = 2;

/// Where the bytes are collected; shared with whoever takes them away.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// Takes what was written.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to what was written.
    pub fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

/// How letters look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Look = Look { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// Writes cells.
pub struct Pen {
    sink: Sink,
    size: Size,
    /// Whether the terminal repeats picture cells by a count.
    counts: bool,
    /// Whether the cursor is seen; unknown at first.
    cursor: Option<bool>,
    /// The row that is written before all others: a slow terminal shows them as they come, and what stands
    /// there must not speak of what is no more.
    pub first: Option<u16>,
}

impl Pen {
    /// A pen for a screen of a size. `counts`: whether the terminal repeats picture cells by a count;
    /// tmux 3.3a repeats only what is one byte, and would leave the face out.
    pub fn new(sink: Sink, (width, height): (u16, u16), counts: bool) -> Self {
        Self { sink, size: Size { width, height }, counts, cursor: None, first: None }
    }

    fn show(&mut self, seen: bool) {
        if self.cursor.replace(seen) != Some(seen) {
            self.sink.add(if seen { b"\x1b[?25h" } else { b"\x1b[?25l" });
        }
    }
}

/// One frame being written.
struct Strokes {
    out: Vec<u8>,
    look: Look,
    /// Where the terminal's cursor is, while that is certain.
    at: Option<Position>,
    /// Picture cells that are not written yet; all in the present look, at the present place.
    run: usize,
    /// Whether they are written as one and a count.
    counts: bool,
}

impl Strokes {
    fn cell(&mut self, place: Position, cell: &Cell) {
        let look = Look { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        let continues = is_placeholder(cell.symbol());
        let here = self.at.is_some_and(|at| {
            at.y == place.y && usize::from(at.x) + self.run == usize::from(place.x)
        });
        if continues && here && look == self.look {
            self.run += 1;
            return;
        }
        self.end_run();
        self.move_to(place);
        self.turn_to(look);
        if continues {
            self.run = 1;
            return;
        }
        self.out.extend_from_slice(cell.symbol().as_bytes());
        // Of any other letter terminals may think differently: the next one is placed anew.
        let one = cell.symbol().width() == 1;
        self.at = one.then(|| Position::new(place.x + 1, place.y));
    }

    /// The shortest way to a cell. None depends on the column the cursor is in, which in the last one
    /// differs between terminals.
    fn move_to(&mut self, place: Position) {
        let column = place.x + 1;
        match self.at {
            Some(at) if at == place => {}
            Some(at) if at.y == place.y => put(&mut self.out, format_args!("\x1b[{column}G")),
            Some(at) if at.y + 1 == place.y => {
                put(&mut self.out, format_args!("\n\x1b[{column}G"));
            }
            _ => put(&mut self.out, format_args!("\x1b[{};{column}H", place.y + 1)),
        }
        self.at = Some(place);
    }

    /// Writes the picture cells that wait.
    fn end_run(&mut self) {
        let count = std::mem::take(&mut self.run);
        if count == 0 {
            return;
        }
        let mut letter = [0; 4];
        let letter = PLACEHOLDER.encode_utf8(&mut letter).as_bytes();
        self.out.extend_from_slice(letter);
        if self.counts && count > WORTH_A_COUNT {
            put(&mut self.out, format_args!("\x1b[{}b", count - 1));
        } else {
            self.out.extend(std::iter::repeat_n(letter, count - 1).flatten());
        }
        let moved = u16::try_from(count).unwrap_or(u16::MAX);
        self.at = self.at.map(|at| Position::new(at.x.saturating_add(moved), at.y));
    }

    fn turn_to(&mut self, look: Look) {
        if look == self.look {
            return;
        }
        let mut words: Vec<String> = Vec::new();
        if look.modifier != self.look.modifier {
            words.push("0".to_owned());
            words.extend(
                MODIFIERS
                    .iter()
                    .filter(|(modifier, _)| look.modifier.contains(*modifier))
                    .map(|(_, number)| number.to_string()),
            );
            self.look = PLAIN;
        }
        if look.fg != self.look.fg {
            words.push(colour(look.fg, 30));
        }
        if look.bg != self.look.bg {
            words.push(colour(look.bg, 40));
        }
        put(&mut self.out, format_args!("\x1b[{}m", words.join(";")));
        self.look = look;
    }
}

/// Formatting into memory cannot fail.
fn put(out: &mut Vec<u8>, words: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(words);
}

/// Whether a cell only continues the picture cell to its left.
fn is_placeholder(symbol: &str) -> bool {
    let mut letters = symbol.chars();
    letters.next() == Some(PLACEHOLDER) && letters.next().is_none()
}

const MODIFIERS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// The parameters of a colour; `base` is 30 for letters, 40 for the ground.
fn colour(colour: Color, base: u8) -> String {
    let dark = |number: u8| (base + number).to_string();
    let light = |number: u8| (base + 60 + number).to_string();
    match colour {
        Color::Reset => dark(9),
        Color::Black => dark(0),
        Color::Red => dark(1),
        Color::Green => dark(2),
        Color::Yellow => dark(3),
        Color::Blue => dark(4),
        Color::Magenta => dark(5),
        Color::Cyan => dark(6),
        Color::Gray => dark(7),
        Color::DarkGray => light(0),
        Color::LightRed => light(1),
        Color::LightGreen => light(2),
        Color::LightYellow => light(3),
        Color::LightBlue => light(4),
        Color::LightMagenta => light(5),
        Color::LightCyan => light(6),
        Color::White => light(7),
        Color::Indexed(index) => format!("{};5;{index}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

impl Backend for Pen {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        // Each frame begins and ends with plain letters, wherever the cursor was.
        let counts = self.counts;
        let mut strokes = Strokes { out: Vec::new(), look: PLAIN, at: None, run: 0, counts };
        let (mut pictures, text): (Vec<_>, Vec<_>) =
            content.partition(|(_, _, cell)| cell.symbol().starts_with(PLACEHOLDER));
        // A picture's cells have a colour of their own. The sort keeps their order.
        pictures.sort_by_key(|(_, _, cell)| colour(cell.fg, 30));
        let (first, text): (Vec<_>, Vec<_>) =
            text.into_iter().partition(|(_, y, _)| Some(*y) == self.first);
        for (x, y, cell) in first.into_iter().chain(pictures).chain(text) {
            strokes.cell(Position::new(x, y), cell);
        }
        strokes.end_run();
        if strokes.look != PLAIN {
            strokes.out.extend_from_slice(b"\x1b[0m");
        }
        self.sink.add(&strokes.out);
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.show(false);
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.show(true);
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asked for by what draws inline; this screen is ours from its first cell.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.sink.add(format!("\x1b[{};{}H", y + 1, x + 1).as_bytes());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.sink.add(match region {
            ClearType::All => b"\x1b[2J",
            ClearType::AfterCursor => b"\x1b[0J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[0K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    /// What is written for cells from a place on, all in one row, where the terminal counts.
    fn written(x: u16, cells: &[(&str, Style)]) -> String {
        written_by(true, x, cells)
    }

    fn written_by(counts: bool, x: u16, cells: &[(&str, Style)]) -> String {
        let sink = Sink::default();
        let mut pen = Pen::new(sink.clone(), (80, 24), counts);
        let made: Vec<Cell> = cells
            .iter()
            .map(|(symbol, style)| {
                let mut cell = Cell::default();
                cell.set_symbol(symbol).set_style(*style);
                cell
            })
            .collect();
        let placed = made.iter().enumerate();
        pen.draw(placed.map(|(at, cell)| (x + u16::try_from(at).unwrap(), 2, cell))).unwrap();
        String::from_utf8(sink.take()).unwrap()
    }

    #[test]
    fn letters_are_placed_once_and_dressed_once() {
        let (plain, red) = (Style::new(), Style::new().fg(Color::Red));
        assert_eq!(written(4, &[("a", plain), ("b", plain)]), "\x1b[3;5Hab");
        assert_eq!(
            written(0, &[("a", red), ("b", red), ("c", plain)]),
            "\x1b[3;1H\x1b[31mab\x1b[39mc"
        );
        let bold = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(9)).bold();
        assert_eq!(
            written(0, &[("a", bold), ("b", red)]),
            "\x1b[3;1H\x1b[0;1;38;2;1;2;3;48;5;9ma\x1b[0;31mb\x1b[0m"
        );
        // After a letter of doubtful width the next is placed anew.
        assert_eq!(written(0, &[("好", plain)]), "\x1b[3;1H好");
    }

    #[test]
    fn a_run_of_picture_cells_is_one_and_a_count() {
        let id = Style::new().fg(Color::Indexed(7));
        let one = "\u{10eeee}";
        let anchor = "\u{10eeee}\u{305}\u{305}\u{30d}";
        let row = |count: usize| [vec![(anchor, id)], vec![(one, id); count]].concat();
        assert_eq!(
            written(9, &row(39)),
            format!("\x1b[3;10H\x1b[38;5;7m{anchor}{one}\x1b[38b\x1b[0m")
        );
        assert_eq!(written(0, &row(2)), format!("\x1b[3;1H\x1b[38;5;7m{anchor}{one}{one}\x1b[0m"));
        // Where nothing is known of counting, every cell is written.
        assert_eq!(
            written_by(false, 0, &row(9)),
            format!("\x1b[3;1H\x1b[38;5;7m{anchor}{}\x1b[0m", one.repeat(9))
        );
        // Text follows where the run ends.
        let ended = [row(9), vec![("x", Style::new())]];
        assert_eq!(
            written(0, &ended.concat()),
            format!("\x1b[3;1H\x1b[38;5;7m{anchor}{one}\x1b[8b\x1b[39mx")
        );
    }

    #[test]
    fn pictures_side_by_side_are_written_one_after_the_other_and_before_the_text() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
        for (x, y) in (0..20).flat_map(|x| [(x, 0), (x, 1)]) {
            let cell = &mut buffer[(x, y)];
            match x {
                0 => cell.set_symbol("t"),
                1 | 11 => cell.set_symbol("\u{10eeee}\u{305}"),
                _ => cell.set_symbol("\u{10eeee}"),
            };
            cell.set_fg(match x {
                0 => Color::Reset,
                1..=10 => Color::Indexed(7),
                _ => Color::Indexed(8),
            });
        }
        let sink = Sink::default();
        let mut pen = Pen::new(sink.clone(), (20, 2), true);
        let cells = (0..2).flat_map(|y| (0..20).map(move |x| (x, y)));
        pen.draw(cells.map(|(x, y)| (x, y, &buffer[(x, y)]))).unwrap();
        let row = "\u{10eeee}\u{305}\u{10eeee}";
        assert_eq!(
            String::from_utf8(sink.take()).unwrap(),
            format!(
                "\x1b[1;2H\x1b[38;5;7m{row}\x1b[8b\n\x1b[2G{row}\x1b[8b\
                 \x1b[1;12H\x1b[38;5;8m{row}\x1b[7b\n\x1b[12G{row}\x1b[7b\
                 \x1b[1;1H\x1b[39mt\n\x1b[1Gt"
            )
        );
    }

    #[test]
    fn the_cursor_is_hidden_once() {
        let sink = Sink::default();
        let mut pen = Pen::new(sink.clone(), (80, 24), false);
        pen.hide_cursor().unwrap();
        pen.hide_cursor().unwrap();
        assert_eq!(sink.take(), b"\x1b[?25l");
        pen.show_cursor().unwrap();
        pen.set_cursor_position((3, 4)).unwrap();
        assert_eq!(sink.take(), b"\x1b[?25h\x1b[5;4H");
    }
}
