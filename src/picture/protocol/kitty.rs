//! kitty's graphics protocol, by Unicode placeholders: a picture is sent once, as a PNG under an id,
//! and shown by printing characters that carry the id in their colour. Showing it again or elsewhere
//! costs text only, works inside tmux, and needs no answer.
//!
//! The id is 32 bits: the lowest byte is one of 256 indexed colours, which survives a tmux that knows
//! no true colour; the highest is a third mark on the first cell of each row, and names the session.
//! The bytes between are zero. So a session's ids are one [`kitty_block`], and one command wipes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use zeroize::Zeroizing;

use super::budget;
use super::palette::reduce;
use super::repeats::favour_repeats;
use super::{EncodeError, EncodeOptions, Encoded, Wrap};
use crate::picture::scale::scale;
use crate::picture::{Area, Fitted};

/// The character that stands for one cell of a picture. Alone it continues the cell to its left, in
/// the same row and colour.
pub const PLACEHOLDER: char = '\u{10eeee}';

/// The most base64 that one sequence may carry; a multiple of four. On a slow line a key's echo waits
/// behind two of these.
const CHUNK: usize = 2048;

/// The characters that number rows and columns, as ranges: kitty's list `rowcolumn-diacritics`, the
/// marks of combining class 230 in Unicode 6.0 that decompose into nothing.
const DIACRITICS: [(u32, u32); 86] = [
    (0x305, 0x305),
    (0x30d, 0x30e),
    (0x310, 0x310),
    (0x312, 0x312),
    (0x33d, 0x33f),
    (0x346, 0x346),
    (0x34a, 0x34c),
    (0x350, 0x352),
    (0x357, 0x357),
    (0x35b, 0x35b),
    (0x363, 0x36f),
    (0x483, 0x487),
    (0x592, 0x595),
    (0x597, 0x599),
    (0x59c, 0x5a1),
    (0x5a8, 0x5a9),
    (0x5ab, 0x5ac),
    (0x5af, 0x5af),
    (0x5c4, 0x5c4),
    (0x610, 0x617),
    (0x657, 0x65b),
    (0x65d, 0x65e),
    (0x6d6, 0x6dc),
    (0x6df, 0x6e2),
    (0x6e4, 0x6e4),
    (0x6e7, 0x6e8),
    (0x6eb, 0x6ec),
    (0x730, 0x730),
    (0x732, 0x733),
    (0x735, 0x736),
    (0x73a, 0x73a),
    (0x73d, 0x73d),
    (0x73f, 0x741),
    (0x743, 0x743),
    (0x745, 0x745),
    (0x747, 0x747),
    (0x749, 0x74a),
    (0x7eb, 0x7f1),
    (0x7f3, 0x7f3),
    (0x816, 0x819),
    (0x81b, 0x823),
    (0x825, 0x827),
    (0x829, 0x82d),
    (0x951, 0x951),
    (0x953, 0x954),
    (0xf82, 0xf83),
    (0xf86, 0xf87),
    (0x135d, 0x135f),
    (0x17dd, 0x17dd),
    (0x193a, 0x193a),
    (0x1a17, 0x1a17),
    (0x1a75, 0x1a7c),
    (0x1b6b, 0x1b6b),
    (0x1b6d, 0x1b73),
    (0x1cd0, 0x1cd2),
    (0x1cda, 0x1cdb),
    (0x1ce0, 0x1ce0),
    (0x1dc0, 0x1dc1),
    (0x1dc3, 0x1dc9),
    (0x1dcb, 0x1dcc),
    (0x1dd1, 0x1de6),
    (0x1dfe, 0x1dfe),
    (0x20d0, 0x20d1),
    (0x20d4, 0x20d7),
    (0x20db, 0x20dc),
    (0x20e1, 0x20e1),
    (0x20e7, 0x20e7),
    (0x20e9, 0x20e9),
    (0x20f0, 0x20f0),
    (0x2cef, 0x2cf1),
    (0x2de0, 0x2dff),
    (0xa66f, 0xa66f),
    (0xa67c, 0xa67d),
    (0xa6f0, 0xa6f1),
    (0xa8e0, 0xa8f1),
    (0xaab0, 0xaab0),
    (0xaab2, 0xaab3),
    (0xaab7, 0xaab8),
    (0xaabe, 0xaabf),
    (0xaac1, 0xaac1),
    (0xfe20, 0xfe26),
    (0x10a0f, 0x10a0f),
    (0x10a38, 0x10a38),
    (0x1d185, 0x1d189),
    (0x1d1aa, 0x1d1ad),
    (0x1d242, 0x1d244),
];

/// How much of a picture is sent; the terminal scales it to the cells. For 400x500 pixels these are
/// about 25, 70, 130 and 400 KB. None has more pixels than the part of the portrait it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// As many pixels as 200x250, 64 colours: something to see at once on a slow line.
    Preview,
    /// As many pixels as 300x375, 256 colours: what a review needs.
    #[default]
    Review,
    /// All pixels of the pane, 256 colours.
    Fine,
    /// All pixels of the pane, all colours: for a part that was zoomed into.
    Lossless,
}

impl Tier {
    /// The most pixels of a preview: 200x250.
    pub const PREVIEW_PIXELS: u64 = 200 * 250;
    /// The most pixels of a review: 300x375.
    pub const REVIEW_PIXELS: u64 = 300 * 375;

    /// Its word in a receipt.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Review => "review",
            Self::Fine => "fine",
            Self::Lossless => "lossless",
        }
    }

    /// The size in pixels at which a picture is sent, its shape kept.
    #[must_use]
    pub fn size(self, fitted: &Fitted) -> (u32, u32) {
        self.size_of((fitted.width, fitted.height), fitted.crop.width * fitted.crop.height)
    }

    /// The same for a pane of a size, showing so many pixels of a portrait.
    fn size_of(self, (width, height): (u32, u32), own: f64) -> (u32, u32) {
        let most = match self {
            Self::Preview => Self::PREVIEW_PIXELS as f64,
            Self::Review => Self::REVIEW_PIXELS as f64,
            Self::Fine | Self::Lossless => f64::INFINITY,
        };
        let scale = (most.min(own) / (f64::from(width) * f64::from(height))).sqrt().min(1.0);
        let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
        (side(width), side(height))
    }

    /// About how many bytes it takes for so many pixels of a pane, for planning.
    #[must_use]
    pub fn about_bytes(self, pixels: u64) -> u64 {
        match self {
            Self::Preview => pixels.min(Self::PREVIEW_PIXELS) / 2,
            Self::Review => pixels.min(Self::REVIEW_PIXELS) * 5 / 8,
            Self::Fine => pixels * 3 / 4,
            Self::Lossless => pixels * 2,
        }
    }

    /// The most bytes of a PNG of so many pixels, sent as four thirds of that: 29 KB for a preview, 71 KB
    /// for a review. Only the noise of a camera comes near it; what it costs in likeness is sent with
    /// the next tier, when the line is free.
    fn most_bytes(self, (width, height): (u32, u32)) -> usize {
        let pixels = width as usize * height as usize;
        match self {
            Self::Preview => pixels * 11 / 25,
            Self::Review => pixels * 19 / 40,
            Self::Fine | Self::Lossless => usize::MAX,
        }
    }

    fn colours(self) -> u16 {
        match self {
            Self::Preview => 64,
            Self::Review | Self::Fine | Self::Lossless => 256,
        }
    }

    /// With all pixels there, dithering costs more bytes than it gives.
    fn dither(self) -> f32 {
        match self {
            Self::Preview | Self::Review => 0.5,
            Self::Fine | Self::Lossless => 0.0,
        }
    }
}

pub(super) fn encode(fitted: &Fitted, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    let (id, columns, rows) = (options.image_id, fitted.columns, fitted.rows);
    if id == 0 {
        return Err(EncodeError::NoId);
    }
    if columns == 0 || rows == 0 || diacritic(columns.max(rows) - 1).is_none() {
        return Err(EncodeError::Size("kitty"));
    }
    let png = png_at(fitted, options.tier)?;
    // q=1: an error is told, success is not; that is known from the fence after it.
    let head = format!("a=T,U=1,q=1,i={id},c={columns},r={rows},f=100");
    let chunks = chunks(&head, &png, options.wrap);
    Ok(Encoded::Kitty { chunks, id, columns, rows })
}

/// The PNG of a tier.
fn png_at(fitted: &Fitted, tier: Tier) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let size = (fitted.width, fitted.height);
    let wanted = tier.size(fitted);
    let smaller = if wanted == size {
        None
    } else {
        let whole = Area::whole(size.0, size.1);
        let scaled = scale(fitted.pixels(), size, &whole, wanted);
        Some(scaled.ok_or(EncodeError::Size("kitty"))?)
    };
    let pixels = smaller.as_ref().map_or(fitted.pixels(), |pixels| pixels);
    if tier == Tier::Lossless {
        return write_png(pixels, wanted, |encoder| {
            encoder.set_color(ColorType::Rgb);
            encoder.set_filter(Filter::Adaptive);
        });
    }
    let reduced = reduce(pixels, wanted, tier.colours(), tier.dither());
    let reduced = reduced.ok_or(EncodeError::Encoder("kitty"))?;
    budget::within(tier.most_bytes(wanted), 0.0, heavier, |bit| {
        let mut reduced = reduced.clone();
        favour_repeats(&mut reduced, pixels, wanted.0 as usize, bit);
        write_png(&reduced.indices, wanted, |encoder| {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(reduced.palette.concat());
            // On palette pictures of this size every filter makes the file larger.
            encoder.set_filter(Filter::NoFilter);
        })
    })
}

/// What a bit should weigh when a file was so many times too large: on noisy faces each unit takes off
/// about a hundredth of what it is at zero. At the most, a pixel is off by some six levels of 255.
fn heavier(bit: f32, times: f32) -> f32 {
    (bit + 90.0 * (1.0 - 1.0 / times) + 0.5).min(60.0)
}

fn write_png(
    samples: &[u8],
    (width, height): (u32, u32),
    set: impl FnOnce(&mut Encoder<'_, &mut Vec<u8>>),
) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    // Room for the whole file, so that it does not grow and leave copies behind.
    let mut file = Zeroizing::new(Vec::with_capacity(samples.len() + samples.len() / 64 + 8192));
    let mut encoder = Encoder::new(&mut *file, width, height);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    set(&mut encoder);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(samples)?;
        writer.finish()
    });
    written.map_err(|_| EncodeError::Encoder("kitty"))?;
    Ok(file)
}

/// Splits a transmission into sequences. Only the first carries the keys; all but the last say that
/// more follows.
fn chunks(head: &str, file: &[u8], wrap: Wrap) -> Vec<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(STANDARD.encode(file));
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(CHUNK).collect();
    let last = pieces.len().saturating_sub(1);
    let sequence = |(place, piece): (usize, &&[u8])| {
        let more = u8::from(place < last);
        let keys = if place == 0 { format!("{head},m={more}") } else { format!("m={more}") };
        let mut bytes = Zeroizing::new(Vec::with_capacity(keys.len() + piece.len() + 6));
        bytes.extend_from_slice(b"\x1b_G");
        bytes.extend_from_slice(keys.as_bytes());
        bytes.push(b';');
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\x1b\\");
        wrap.seal(bytes)
    };
    pieces.iter().enumerate().map(sequence).collect()
}

/// The ids of a session, first and last, by the session's number, which is not zero.
#[must_use]
pub fn kitty_block(session: u8) -> (u32, u32) {
    let high = u32::from(session.max(1)) << 24;
    (high | 1, high | 0xff)
}

/// The text of a cell that stands left of all others of a picture in its row. `None` for a row or
/// column beyond the 297 that can be numbered.
#[must_use]
pub fn kitty_anchor(id: u32, row: u16, column: u16) -> Option<String> {
    let [high, ..] = id.to_be_bytes();
    let mut text = String::from(PLACEHOLDER);
    text.push(diacritic(row)?);
    text.push(diacritic(column)?);
    if high != 0 {
        text.push(diacritic(u16::from(high))?);
    }
    Some(text)
}

/// The indexed colour of the letters of every cell of a picture.
#[must_use]
pub fn kitty_colour(id: u32) -> u8 {
    let [.., low] = id.to_be_bytes();
    low
}

/// The sequence that deletes one picture and frees its data in the terminal.
#[must_use]
pub fn kitty_delete(id: u32, wrap: Wrap) -> Vec<u8> {
    plain(&format!("a=d,d=I,i={id},q=2"), wrap)
}

/// The sequence that deletes all pictures with ids from `low` to `high` (kitty 0.33 and later; others
/// ignore it).
#[must_use]
pub fn kitty_delete_range(low: u32, high: u32, wrap: Wrap) -> Vec<u8> {
    plain(&format!("a=d,d=R,x={low},y={high},q=2"), wrap)
}

/// The question whether the terminal still holds a picture: `OK`, or `ENOENT` when it does not.
#[must_use]
pub fn kitty_question(id: u32, (columns, rows): (u16, u16), wrap: Wrap) -> Vec<u8> {
    plain(&format!("a=p,U=1,i={id},c={columns},r={rows}"), wrap)
}

fn plain(keys: &str, wrap: Wrap) -> Vec<u8> {
    let sequence = Zeroizing::new(format!("\x1b_G{keys}\x1b\\").into_bytes());
    wrap.seal(sequence).to_vec()
}

/// The character that stands for a row or column number.
fn diacritic(number: u16) -> Option<char> {
    let mut left = u32::from(number);
    for (first, last) in DIACRITICS {
        let count = last - first + 1;
        if left < count {
            return char::from_u32(first + left);
        }
        left -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_numbered_by_kittys_list() {
        let table = [
            (0, 0x305),
            (1, 0x30d),
            (4, 0x312),
            (17, 0x363),
            (18, 0x364),
            (30, 0x483),
            (60, 0x616),
            (100, 0x7eb),
            (150, 0x1b6b),
            (200, 0x20d4),
            (250, 0xa8e0),
            (255, 0xa8e5),
            (280, 0xfe24),
            (296, 0x1d244),
        ];
        for (number, code) in table {
            assert_eq!(diacritic(number).map(u32::from), Some(code), "{number}");
        }
        assert_eq!(diacritic(297), None);
        // The whole list, by its length and the sum of each mark times its place.
        let all: Vec<u64> =
            (0..).map_while(diacritic).map(|mark| u64::from(u32::from(mark))).collect();
        assert_eq!(all.len(), 297);
        let weighted: u64 = (1..).zip(&all).map(|(place, mark)| place * mark).sum();
        assert_eq!(weighted, 1_141_574_107);
    }

    #[test]
    fn a_row_carries_the_id_in_its_colour_and_its_first_cells_third_mark() {
        let (low, high) = kitty_block(2);
        assert_eq!((low, high), (0x02_00_00_01, 0x02_00_00_ff));
        let text = kitty_anchor(low + 41, 1, 0).unwrap();
        assert_eq!(text, "\u{10eeee}\u{30d}\u{305}\u{30e}");
        assert_eq!(kitty_colour(low + 41), 42);
        assert_eq!(kitty_anchor(7, 0, 1).unwrap(), "\u{10eeee}\u{305}\u{30d}");
        assert_eq!(kitty_anchor(1, 297, 0), None);
    }

    #[test]
    fn deletion_frees_the_data() {
        assert_eq!(kitty_delete(7, Wrap::Bare), b"\x1b_Ga=d,d=I,i=7,q=2\x1b\\");
        let range = b"\x1bPtmux;\x1b\x1b_Ga=d,d=R,x=1,y=9,q=2\x1b\x1b\\\x1b\\";
        assert_eq!(kitty_delete_range(1, 9, Wrap::Tmux), range);
    }

    #[test]
    fn a_tier_bounds_the_pixels_and_keeps_the_shape() {
        let size = |tier: Tier, pane: (u32, u32)| tier.size_of(pane, 1e9);
        assert_eq!(size(Tier::Preview, (400, 500)), (200, 250));
        assert_eq!(size(Tier::Review, (400, 500)), (300, 375));
        assert_eq!(size(Tier::Fine, (400, 500)), (400, 500));
        assert_eq!(size(Tier::Preview, (100, 125)), (100, 125));
        assert_eq!(size(Tier::Preview, (2000, 100)), (1000, 50));
        // No more than the portrait has.
        assert_eq!(Tier::Lossless.size_of((800, 1000), 200.0 * 250.0), (200, 250));
    }
}
