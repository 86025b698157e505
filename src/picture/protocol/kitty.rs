//! kitty's graphics protocol, by Unicode placeholders: a picture is sent once, as a palette PNG under
//! an id, and shown by printing characters that carry the id in their colour. Showing it again or
//! elsewhere costs text only, works inside tmux, and needs no answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use zeroize::Zeroizing;

use super::palette::{Reduced, reduce};
use super::{EncodeError, EncodeOptions, Encoded, Wrap};
use crate::picture::scale::scale;
use crate::picture::{Area, Fitted};

/// The character that stands for one cell of a picture.
const PLACEHOLDER: char = '\u{10eeee}';

/// The most base64 that one sequence may carry; a multiple of four.
const CHUNK: usize = 4096;

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
/// about 25, 85 and 128 KB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tier {
    /// As many pixels as 200x250, 64 colours: something to see at once on a slow line.
    Preview,
    /// As many pixels as 300x375, 256 colours: what a review needs.
    #[default]
    Review,
    /// All pixels of the pane, 256 colours.
    Fine,
}

impl Tier {
    /// The size in pixels at which a picture of a size is sent, its shape kept.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> (u32, u32) {
        let most = match self {
            Self::Preview => 200.0 * 250.0,
            Self::Review => 300.0 * 375.0,
            Self::Fine => return (width, height),
        };
        let scale = (most / (f64::from(width) * f64::from(height))).sqrt().min(1.0);
        let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
        (side(width), side(height))
    }

    fn colours(self) -> u16 {
        match self {
            Self::Preview => 64,
            Self::Review | Self::Fine => 256,
        }
    }

    /// With all pixels there, dithering costs more bytes than it gives.
    fn dither(self) -> f32 {
        match self {
            Self::Preview | Self::Review => 0.5,
            Self::Fine => 0.0,
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
    let quiet = if options.acknowledge { 0 } else { 2 };
    let head = format!("a=T,U=1,q={quiet},i={id},c={columns},r={rows},f=100");
    let chunks = chunks(&head, &png, options.wrap);
    Ok(Encoded::Kitty { chunks, id, columns, rows })
}

/// The palette PNG of a tier.
fn png_at(fitted: &Fitted, tier: Tier) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let size = (fitted.width, fitted.height);
    let wanted = tier.size(size.0, size.1);
    let smaller = if wanted == size {
        None
    } else {
        let whole = Area::whole(size.0, size.1);
        let scaled = scale(fitted.pixels(), size, &whole, wanted);
        Some(scaled.ok_or(EncodeError::Size("kitty"))?)
    };
    let pixels = smaller.as_ref().map_or(fitted.pixels(), |pixels| pixels);
    let reduced = reduce(pixels, wanted, tier.colours(), tier.dither());
    let reduced = reduced.ok_or(EncodeError::Encoder("kitty"))?;
    write_png(&reduced, wanted).map_err(|_| EncodeError::Encoder("kitty"))
}

fn write_png(
    reduced: &Reduced,
    (width, height): (u32, u32),
) -> Result<Zeroizing<Vec<u8>>, png::EncodingError> {
    // Room for the whole file, so that it does not grow and leave copies behind.
    let mut file = Zeroizing::new(Vec::with_capacity(reduced.indices.len() + 8192));
    let mut encoder = Encoder::new(&mut *file, width, height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(reduced.palette.concat());
    encoder.set_compression(Compression::High);
    // On palette pictures of this size every filter makes the file larger.
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&reduced.indices)?;
    writer.finish()?;
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

/// The text of one cell of a picture, and the foreground colour it must have. `None` for a row or
/// column beyond the 297 that can be numbered.
#[must_use]
pub fn kitty_placeholder(id: u32, row: u16, column: u16) -> Option<(String, [u8; 3])> {
    let [high, red, green, blue] = id.to_be_bytes();
    let mut text = String::from(PLACEHOLDER);
    text.push(diacritic(row)?);
    text.push(diacritic(column)?);
    if high != 0 {
        text.push(diacritic(u16::from(high))?);
    }
    Some((text, [red, green, blue]))
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
    fn a_cell_carries_the_id_in_its_colour_and_third_mark() {
        let cell = |id, row, column| kitty_placeholder(id, row, column).unwrap();
        assert_eq!(
            cell(0x00_12_34_56, 0, 1),
            ("\u{10eeee}\u{305}\u{30d}".into(), [0x12, 0x34, 0x56])
        );
        let (text, colour) = cell(0x02_00_00_2a, 1, 0);
        assert_eq!((text.as_str(), colour), ("\u{10eeee}\u{30d}\u{305}\u{30e}", [0, 0, 42]));
        assert_eq!(kitty_placeholder(1, 297, 0), None);
    }

    #[test]
    fn deletion_frees_the_data() {
        assert_eq!(kitty_delete(7, Wrap::Bare), b"\x1b_Ga=d,d=I,i=7,q=2\x1b\\");
        let range = b"\x1bPtmux;\x1b\x1b_Ga=d,d=R,x=1,y=9,q=2\x1b\x1b\\\x1b\\";
        assert_eq!(kitty_delete_range(1, 9, Wrap::Tmux), range);
    }

    #[test]
    fn a_tier_bounds_the_pixels_and_keeps_the_shape() {
        assert_eq!(Tier::Preview.size(400, 500), (200, 250));
        assert_eq!(Tier::Review.size(400, 500), (300, 375));
        assert_eq!(Tier::Fine.size(400, 500), (400, 500));
        assert_eq!(Tier::Preview.size(100, 125), (100, 125));
        assert_eq!(Tier::Preview.size(2000, 100), (1000, 50));
    }
}
