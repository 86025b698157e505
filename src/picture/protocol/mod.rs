//! The protocols by which a terminal shows a picture, one file each, behind one table and one verb.
//! They make bytes and cells; which protocol a terminal speaks, and who writes the bytes when, is
//! not known here.

mod blocks;
mod budget;
mod iterm2;
mod kitty;
mod palette;
mod repeats;
mod sixel;

use std::fmt;

use zeroize::Zeroizing;

use super::{Aim, Fitted};

pub use blocks::{CellMode, CellPicture, Colours, Ground, Ink, PictureCell};
pub use kitty::{
    PLACEHOLDER, Tier, kitty_anchor, kitty_block, kitty_colour, kitty_delete, kitty_delete_range,
    kitty_question,
};

/// A way to show a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// kitty's graphics protocol with Unicode placeholders.
    Kitty,
    /// iTerm2's inline images.
    Iterm2,
    /// Sixel.
    Sixel,
    /// Characters and colours: works everywhere.
    Blocks,
}

/// One line of [`PROTOCOLS`].
pub struct Entry {
    /// Which.
    pub protocol: Protocol,
    /// Its word on the command line, in the configuration and in a receipt.
    pub word: &'static str,
    encode: fn(&Fitted, &EncodeOptions) -> Result<Encoded, EncodeError>,
}

/// All protocols, best first.
pub const PROTOCOLS: [Entry; 4] = [
    Entry { protocol: Protocol::Kitty, word: "kitty", encode: kitty::encode },
    Entry { protocol: Protocol::Iterm2, word: "iterm2", encode: iterm2::encode },
    Entry { protocol: Protocol::Sixel, word: "sixel", encode: sixel::encode },
    Entry { protocol: Protocol::Blocks, word: "blocks", encode: blocks::encode },
];

impl Protocol {
    fn entry(self) -> &'static Entry {
        // In the order of the table, which a test holds.
        &PROTOCOLS[self as usize]
    }

    /// Its word: `kitty`, `iterm2`, `sixel`, `blocks`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().word
    }

    /// Reads [`Protocol::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        PROTOCOLS.iter().find(|entry| entry.word == word).map(|entry| entry.protocol)
    }

    /// Picture elements that one cell shows, across and down; `cell` is its size in pixels.
    #[must_use]
    pub fn dots(self, cell: (u16, u16), mode: CellMode) -> (u16, u16) {
        match self {
            Self::Kitty | Self::Iterm2 | Self::Sixel => cell,
            Self::Blocks => mode.dots(),
        }
    }

    /// What the whole of a picture means where it is drawn this way.
    #[must_use]
    pub fn aim(self) -> Aim {
        match self {
            Self::Kitty | Self::Iterm2 | Self::Sixel => Aim::Picture,
            Self::Blocks => Aim::Face,
        }
    }

    /// How many pixels of its own a picture has from left to right once encoded: what
    /// [`super::eye_pixels`] asks for.
    #[must_use]
    pub fn across(self, fitted: &Fitted, options: &EncodeOptions) -> u32 {
        match self {
            Self::Kitty => options.tier.size(fitted).0,
            Self::Iterm2 | Self::Sixel => fitted.width,
            Self::Blocks => match options.colours {
                // Without colour one tone takes a whole cell, in shades or in scattered dots.
                Colours::Mono(_) => u32::from(fitted.columns),
                _ => fitted.width,
            },
        }
    }
}

/// What lies between the program and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wrap {
    /// Nothing.
    #[default]
    Bare,
    /// tmux, with passthrough allowed: each sequence goes in an envelope of its own.
    Tmux,
}

impl Wrap {
    /// Puts one escape sequence into the envelope: `ESC P tmux;`, each ESC doubled, `ESC \`.
    #[must_use]
    pub fn seal(self, sequence: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Bare => sequence,
            Self::Tmux => {
                let escapes = sequence.iter().filter(|byte| **byte == ESC).count();
                let mut sealed = Zeroizing::new(Vec::with_capacity(sequence.len() + escapes + 9));
                sealed.extend_from_slice(b"\x1bPtmux;");
                for byte in sequence.iter() {
                    if *byte == ESC {
                        sealed.push(ESC);
                    }
                    sealed.push(*byte);
                }
                sealed.extend_from_slice(b"\x1b\\");
                sealed
            }
        }
    }
}

const ESC: u8 = 0x1b;

/// How to encode. Each protocol reads what concerns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// What lies between here and the terminal (kitty, iTerm2, sixel).
    pub wrap: Wrap,
    /// kitty: the picture's id, not zero.
    pub image_id: u32,
    /// kitty: how much of the picture is sent.
    pub tier: Tier,
    /// Sixel: colours in the palette; 128 is a good measure.
    pub palette: u16,
    /// Sixel: colour registers that the terminal has; never more colours than this.
    pub registers: u16,
    /// Blocks: the colours that the terminal shows.
    pub colours: Colours,
    /// Blocks: the characters that it draws with.
    pub cells: CellMode,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            wrap: Wrap::Bare,
            image_id: 1,
            tier: Tier::Review,
            palette: 128,
            registers: 256,
            colours: Colours::True,
            cells: CellMode::Half,
        }
    }
}

/// A picture as a terminal takes it. Holds a face: wiped when dropped; `Debug` prints sizes only.
pub enum Encoded {
    /// Sent once, then shown wherever [`PLACEHOLDER`] cells stand, until deleted.
    Kitty {
        /// Complete escape sequences, to be written in order, other output between them allowed.
        chunks: Vec<Zeroizing<Vec<u8>>>,
        /// The id that placeholders and deletion name.
        id: u32,
        /// Columns of cells it fills.
        columns: u16,
        /// Rows of cells it fills.
        rows: u16,
    },
    /// One escape sequence, written with the cursor on the picture's top left cell; the cursor's place
    /// afterwards is the terminal's choice.
    Inline {
        /// The sequence.
        bytes: Zeroizing<Vec<u8>>,
        /// Columns of cells it fills.
        columns: u16,
        /// Rows of cells it fills.
        rows: u16,
    },
    /// Characters.
    Cells(CellPicture),
}

impl Encoded {
    /// How many bytes of escape sequences it takes; none for characters, which the screen writes.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        match self {
            Self::Kitty { chunks, .. } => chunks.iter().map(|chunk| chunk.len()).sum(),
            Self::Inline { bytes, .. } => bytes.len(),
            Self::Cells(_) => 0,
        }
    }

    /// The cells it fills: columns, rows.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        match self {
            Self::Kitty { columns, rows, .. } | Self::Inline { columns, rows, .. } => {
                (*columns, *rows)
            }
            Self::Cells(picture) => (picture.columns, picture.rows),
        }
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (columns, rows) = self.size();
        write!(f, "Encoded({columns}x{rows} cells, {} bytes)", self.wire_bytes())
    }
}

/// Why a picture could not be encoded. All of them are mistakes of the program, not of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The picture has no pixels, or too many for the protocol.
    #[error("The picture has a size that {0} cannot show; resize the window.")]
    Size(&'static str),
    /// An image id of zero names no image.
    #[error("The picture has no id to be shown by; please report this.")]
    NoId,
    /// The picture was fitted for other dots per cell than it is encoded for.
    #[error("The picture was prepared for another way of drawing; please report this.")]
    OtherDots,
    /// A library refused pixels that were right.
    #[error("The picture could not be encoded for {0}; choose another protocol with --images.")]
    Encoder(&'static str),
}

/// Encodes a fitted picture for a terminal.
///
/// # Errors
/// [`EncodeError`] when the picture and the options do not go together.
pub fn encode(
    fitted: &Fitted,
    protocol: Protocol,
    options: &EncodeOptions,
) -> Result<Encoded, EncodeError> {
    (protocol.entry().encode)(fitted, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_words_read_back() {
        for (place, entry) in PROTOCOLS.iter().enumerate() {
            assert_eq!(entry.protocol as usize, place);
            assert_eq!(Protocol::from_word(entry.protocol.word()), Some(entry.protocol));
        }
        assert_eq!(Protocol::from_word("auto"), None);
    }

    #[test]
    fn the_envelope_doubles_every_escape() {
        let sealed = |bytes: &[u8]| Wrap::Tmux.seal(Zeroizing::new(bytes.to_vec())).to_vec();
        assert_eq!(sealed(b"\x1b_Ga\x1b\\"), b"\x1bPtmux;\x1b\x1b_Ga\x1b\x1b\\\x1b\\");
    }
}
