//! How pictures are drawn: what was chosen for the terminal, in the words of the encoders. The console and
//! `doctor` get it from here, so that what the one says is what the other does.

use crate::core::FORCED;
use crate::picture::protocol::{CellMode, Colours, EncodeOptions, Ground, Protocol, Wrap};
use crate::term::{self, Capabilities, Inside};

/// How pictures are drawn now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// By which protocol.
    pub protocol: Protocol,
    /// Somebody wishes it, and the terminal does not say that it can.
    pub forced: bool,
    /// With which options; id and tier are each picture's own.
    pub options: EncodeOptions,
    /// The size of a cell in pixels.
    pub cell: (u16, u16),
    /// The longest side of a picture in pixels; the terminal draws nothing of a larger one.
    pub longest: Option<u16>,
}

impl Drawing {
    /// Its name for the screen and the receipt.
    pub fn name(&self) -> String {
        format!("{}{}", self.protocol.word(), if self.forced { FORCED } else { "" })
    }

    /// As many of a pane's cells, across and down, as one picture may take.
    pub fn within(&self, (columns, rows): (u16, u16)) -> (u16, u16) {
        let most = |cells: u16, cell: u16| match self.longest {
            Some(side) => cells.min((side / cell.max(1)).max(1)),
            None => cells,
        };
        (most(columns, self.cell.0), most(rows, self.cell.1))
    }

    /// Whether pictures lie over the cells instead of in them, in a tmux. It knows nothing of them there:
    /// whatever row it draws anew, and whatever pane, it draws without them.
    pub fn is_over_tmux(&self) -> bool {
        let over = matches!(self.protocol, Protocol::Iterm2 | Protocol::Sixel);
        over && self.options.wrap == Wrap::Tmux
    }

    /// Whether frames may be written as synchronized updates. At the end of one, tmux (3.7 and later) draws
    /// every row anew in which a cell has changed, the whole of it.
    pub fn synchronizes(&self, known: &Capabilities) -> bool {
        known.synchronized_output && !self.is_over_tmux()
    }
}

/// xterm's `maxGraphicSize`, as it comes: 1000 pixels either way.
fn longest(protocol: Protocol, version: Option<&str>) -> Option<u16> {
    let is_xterm = version.is_some_and(|version| version.starts_with("XTerm("));
    (protocol == Protocol::Sixel && is_xterm).then_some(1000)
}

/// Who told the size of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellFrom {
    /// The terminal, when it was asked.
    Terminal,
    /// The system, by the size of the window.
    Window,
    /// Nobody: it is a usual one.
    Nobody,
}

/// The drawing to begin with, before the terminal has answered anything: characters work everywhere, and
/// quadrants are in every font that has half-blocks.
pub fn first_drawing(cell: (u16, u16)) -> Drawing {
    let options = EncodeOptions { cells: CellMode::Quadrant, ..EncodeOptions::default() };
    Drawing { protocol: Protocol::Blocks, forced: false, options, cell, longest: None }
}

/// The size of a cell in pixels, and who told it.
pub fn cell_of(size: term::Size, told: Option<(u16, u16)>) -> ((u16, u16), CellFrom) {
    let by_window = || {
        let width = size.width.checked_div(size.columns)?;
        let height = size.height.checked_div(size.rows)?;
        ((4..=64).contains(&width) && (6..=128).contains(&height)).then_some((width, height))
    };
    if let Some(cell) = told {
        return (cell, CellFrom::Terminal);
    }
    by_window().map_or(((10, 20), CellFrom::Nobody), |cell| (cell, CellFrom::Window))
}

/// Which encoder draws so.
#[must_use]
pub fn encoder(protocol: term::Protocol) -> Protocol {
    match protocol {
        term::Protocol::Kitty => Protocol::Kitty,
        term::Protocol::Iterm2 => Protocol::Iterm2,
        term::Protocol::Sixel => Protocol::Sixel,
        term::Protocol::Blocks => Protocol::Blocks,
    }
}

fn cell_mode(blocks: term::Blocks) -> CellMode {
    match blocks {
        term::Blocks::Halves => CellMode::Half,
        term::Blocks::Quadrants => CellMode::Quadrant,
        term::Blocks::Sextants => CellMode::Sextant,
        term::Blocks::Octants => CellMode::Octant,
    }
}

/// The drawing that a choice means on this terminal; what nobody told stays as before.
pub fn drawing(choice: &term::Choice, known: &Capabilities, before: &Drawing) -> Drawing {
    let protocol = encoder(choice.protocol);
    let mut drawing = *before;
    drawing.protocol = protocol;
    drawing.forced = choice.forced;
    drawing.longest = longest(protocol, known.version.as_deref());
    drawing.cell = known.cell_pixels.unwrap_or(before.cell);
    drawing.options.wrap = match known.inside {
        Inside::Tmux { .. } => Wrap::Tmux,
        Inside::Bare | Inside::Screen | Inside::Zellij => Wrap::Bare,
    };
    if let Some(registers) = known.sixel_registers {
        drawing.options.registers = u16::try_from(registers).unwrap_or(u16::MAX);
    }
    drawing.options.cells = cell_mode(choice.blocks);
    drawing.options.colours = match choice.colours {
        term::Colours::True => Colours::True,
        term::Colours::C256 => Colours::Ansi256,
        term::Colours::C16 => Colours::Ansi16,
        term::Colours::None => {
            Colours::Mono(if known.is_light() { Ground::Light } else { Ground::Dark })
        }
    };
    drawing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_no_larger_than_xterm_draws_and_elsewhere_fills_its_pane() {
        let drawing = |protocol, version| Drawing {
            longest: longest(protocol, Some(version)),
            ..first_drawing((10, 20))
        };
        let xterm = drawing(Protocol::Sixel, "XTerm(379)");
        assert_eq!(xterm.within((200, 60)), (100, 50));
        assert_eq!(xterm.within((40, 25)), (40, 25));
        assert_eq!(drawing(Protocol::Blocks, "XTerm(379)").within((200, 60)), (200, 60));
        assert_eq!(drawing(Protocol::Sixel, "foot(1.13.1)").within((200, 60)), (200, 60));
    }

    #[test]
    fn no_update_is_synchronized_where_tmux_would_draw_over_a_picture() {
        let known = term::Probe::new(&term::Environment::default()).conclude();
        let (knows, not) = (Capabilities { synchronized_output: true, ..known.clone() }, known);
        for (protocol, wrap, synchronized) in [
            (Protocol::Sixel, Wrap::Tmux, false),
            (Protocol::Iterm2, Wrap::Tmux, false),
            (Protocol::Kitty, Wrap::Tmux, true),
            (Protocol::Blocks, Wrap::Tmux, true),
            (Protocol::Sixel, Wrap::Bare, true),
            (Protocol::Iterm2, Wrap::Bare, true),
        ] {
            let mut drawing = Drawing { protocol, ..first_drawing((10, 20)) };
            drawing.options.wrap = wrap;
            assert_eq!(drawing.synchronizes(&knows), synchronized, "{protocol:?} {wrap:?}");
            assert!(!drawing.synchronizes(&not));
        }
    }
}
