//! Puts a picture into the cells: placeholder characters, reserved cells, or coloured characters.

use ratatui::Frame as Screen;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::picture::protocol::{CellPicture, Ink, PLACEHOLDER, kitty_anchor, kitty_colour};
use crate::tui::gallery::{Frame, FrameBody};

/// Draws a picture in the middle of a pane; answers with the cells it covers.
pub fn picture(picture: &Frame, pane: Rect, screen: &mut Screen<'_>) -> Rect {
    let (columns, rows) = (picture.columns.min(pane.width), picture.rows.min(pane.height));
    let area = Rect::new(
        pane.x + (pane.width - columns) / 2,
        pane.y + (pane.height - rows) / 2,
        columns,
        rows,
    );
    match &picture.body {
        FrameBody::Placeholders(id) => placeholders(*id, area, screen),
        FrameBody::Inline(_) => reserve(area, screen),
        FrameBody::Cells(cells) => characters(cells, area, screen),
    }
    area
}

fn placeholders(id: u32, area: Rect, screen: &mut Screen<'_>) {
    let style = Style::new().fg(Color::Indexed(kitty_colour(id)));
    let buffer = screen.buffer_mut();
    for position in area.positions() {
        if let Some(cell) = buffer.cell_mut(position) {
            cell.set_char(PLACEHOLDER).set_style(style);
        }
    }
}

/// Says in the first cell of each row of a kitty picture which row and column it is; the others
/// continue the one to their left. To be done when all else is drawn: what lies over a picture cuts
/// its rows, and each piece begins with a first cell.
pub fn anchor(id: u32, area: Rect, screen: &mut Screen<'_>) {
    let mut letter = [0; 4];
    let letter: &str = PLACEHOLDER.encode_utf8(&mut letter);
    let buffer = screen.buffer_mut();
    for row in 0..area.height {
        let mut continues = false;
        for column in 0..area.width {
            let Some(cell) = buffer.cell_mut((area.x + column, area.y + row)) else { continue };
            let ours = cell.symbol() == letter;
            if ours
                && !continues
                && let Some(first) = kitty_anchor(id, row, column)
            {
                cell.set_symbol(&first);
            }
            continues = ours;
        }
    }
}

/// The cells of a picture that is written past the cell buffer: the diff must leave them alone.
fn reserve(area: Rect, screen: &mut Screen<'_>) {
    let buffer = screen.buffer_mut();
    for position in area.positions() {
        if let Some(cell) = buffer.cell_mut(position) {
            cell.set_diff_option(ratatui::buffer::CellDiffOption::Skip);
        }
    }
}

fn characters(picture: &CellPicture, area: Rect, screen: &mut Screen<'_>) {
    let buffer = screen.buffer_mut();
    for row in 0..area.height {
        for column in 0..area.width {
            let index = usize::from(row) * usize::from(picture.columns) + usize::from(column);
            let Some(from) = picture.cells.get(index) else { continue };
            if let Some(cell) = buffer.cell_mut((area.x + column, area.y + row)) {
                let style = Style::new().fg(colour(from.fg)).bg(colour(from.bg));
                cell.set_char(from.symbol).set_style(style);
            }
        }
    }
}

fn colour(ink: Ink) -> Color {
    match ink {
        Ink::Plain => Color::Reset,
        Ink::Index(index) => Color::Indexed(index),
        Ink::Rgb([r, g, b]) => Color::Rgb(r, g, b),
    }
}
