//! Sixel: six rows of pixels at a time, one pass over them a colour. Packed by runs: within a pass
//! several colours follow one another where they do not overlap, and gaps are skipped.
//!
//! The picture never scrolls the screen: its height is cut to whole bands of six pixels that lie
//! within its cells, and no line feed follows the last band.

use zeroize::Zeroizing;

use super::palette::{Reduced, reduce};
use super::{EncodeError, EncodeOptions, Encoded};
use crate::picture::Fitted;

/// Rows of pixels in a band.
const BAND: u32 = 6;
/// How much of the error is handed on: all of it makes many more, shorter runs.
const DITHER: f32 = 0.5;
/// A gap longer than this inside one colour's pixels starts a new run: jumping back to it later is
/// cheaper than keeping the pass to itself.
const GAP: usize = 8;

pub(super) fn encode(fitted: &Fitted, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    let width = fitted.width;
    let height = fitted.height / BAND * BAND;
    if width == 0 || height == 0 {
        return Err(EncodeError::Size("sixel"));
    }
    let pixels = &fitted.pixels()[..(width * height * 3) as usize];
    let colours = options.palette.min(options.registers);
    let reduced = reduce(pixels, (width, height), colours, DITHER);
    let mut reduced = reduced.ok_or(EncodeError::Encoder("sixel"))?;
    short_numbers_first(&mut reduced);
    // Room for a rather long one, so that it seldom grows and leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(pixels.len() / 2 + 8192));
    // P2=1: pixels that are not drawn stay as they are. Then the shape of pixels (square) and the size.
    out.extend_from_slice(format!("\x1bP0;1;0q\"1;1;{width};{height}").as_bytes());
    for (register, colour) in reduced.palette.iter().enumerate() {
        let [red, green, blue] = colour.map(percent);
        out.extend_from_slice(format!("#{register};2;{red};{green};{blue}").as_bytes());
    }
    let bands = reduced.indices.chunks_exact((width * BAND) as usize);
    for (place, band) in bands.enumerate() {
        if place > 0 {
            out.push(b'-');
        }
        write_band(&mut out, band, width as usize, reduced.palette.len());
    }
    out.extend_from_slice(b"\x1b\\");
    let bytes = options.wrap.seal(out);
    Ok(Encoded::Inline { bytes, columns: fitted.columns, rows: fitted.rows })
}

/// Numbers the colours by how often they are used: each run names its colour, and short numbers are
/// fewer bytes.
fn short_numbers_first(reduced: &mut Reduced) {
    let mut uses = vec![0usize; reduced.palette.len()];
    for colour in reduced.indices.iter() {
        uses[usize::from(*colour)] += 1;
    }
    let mut order: Vec<usize> = (0..uses.len()).collect();
    order.sort_by_key(|colour| std::cmp::Reverse(uses[*colour]));
    let mut number = vec![0u8; uses.len()];
    for (place, colour) in order.iter().enumerate() {
        // At most 256 colours.
        number[*colour] = u8::try_from(place).unwrap_or(u8::MAX);
    }
    reduced.palette = order.iter().map(|colour| reduced.palette[*colour]).collect();
    for colour in reduced.indices.iter_mut() {
        *colour = number[usize::from(*colour)];
    }
}

fn percent(value: u8) -> u16 {
    (u16::from(value) * 100 + 127) / 255
}

/// Pixels of one colour in one band that are drawn in one go.
struct Run {
    colour: usize,
    start: usize,
    end: usize,
}

/// Writes one band: passes from left to right, each taking every run that still fits behind the one
/// before it.
fn write_band(out: &mut Vec<u8>, band: &[u8], width: usize, colours: usize) {
    let masks = masks(band, width, colours);
    let mut runs = Vec::new();
    for (colour, columns) in masks.chunks_exact(width).enumerate() {
        find_runs(colour, columns, &mut runs);
    }
    runs.sort_by_key(|run| (run.start, run.end));
    let mut first_pass = true;
    while !runs.is_empty() {
        if !first_pass {
            out.push(b'$');
        }
        first_pass = false;
        let mut x = 0;
        let mut current = None;
        runs.retain(|run| {
            if run.start < x {
                return true;
            }
            if current != Some(run.colour) {
                out.extend_from_slice(format!("#{}", run.colour).as_bytes());
                current = Some(run.colour);
            }
            repeat(out, 0, run.start - x);
            let at = run.colour * width;
            write_columns(out, &masks[at + run.start..at + run.end]);
            x = run.end;
            false
        });
    }
}

/// For each colour and column, which of the six pixels have that colour.
fn masks(band: &[u8], width: usize, colours: usize) -> Zeroizing<Vec<u8>> {
    let mut masks = Zeroizing::new(vec![0; width * colours]);
    for (bit, row) in band.chunks_exact(width).enumerate() {
        for (x, colour) in row.iter().enumerate() {
            masks[usize::from(*colour) * width + x] |= 1 << bit;
        }
    }
    masks
}

/// The runs of one colour: columns with a pixel, over gaps no longer than [`GAP`].
fn find_runs(colour: usize, columns: &[u8], runs: &mut Vec<Run>) {
    let mut open: Option<Run> = None;
    for (x, _) in columns.iter().enumerate().filter(|(_, mask)| **mask != 0) {
        match &mut open {
            Some(run) if x - run.end <= GAP => run.end = x + 1,
            _ => runs.extend(open.replace(Run { colour, start: x, end: x + 1 })),
        }
    }
    runs.extend(open);
}

fn write_columns(out: &mut Vec<u8>, columns: &[u8]) {
    for same in columns.chunk_by(|a, b| a == b) {
        repeat(out, same[0], same.len());
    }
}

/// One column, so many times: `!14?` where that is shorter than writing it out.
fn repeat(out: &mut Vec<u8>, mask: u8, count: usize) {
    let column = mask + b'?';
    if count > 3 {
        out.extend_from_slice(format!("!{count}").as_bytes());
        out.push(column);
    } else {
        out.extend(std::iter::repeat_n(column, count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(rows: [&[u8]; 6], colours: usize) -> String {
        let mut out = Vec::new();
        write_band(&mut out, &rows.concat(), rows[0].len(), colours);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn runs_are_packed() {
        let one = [0u8; 10];
        assert_eq!(band([&one; 6], 1), "#0!10~");
        // Two colours side by side share a pass; above one another they take two.
        let halves = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
        assert_eq!(band([&halves; 6], 2), "#0!5~#1!5~");
        let (top, low) = ([0u8; 4], [1u8; 4]);
        assert_eq!(band([&top, &top, &top, &low, &low, &low], 2), "#0!4F$#1!4w");
        assert_eq!(
            band([&[0, 1, 0], &[0, 1, 0], &[0, 1, 0], &[0, 1, 0], &[0, 1, 0], &[0, 1, 0]], 2),
            "#0~?~$#1?~"
        );
    }

    #[test]
    fn the_commonest_colour_has_the_lowest_number() {
        let palette = vec![[1; 3], [2; 3], [3; 3]];
        let indices = zeroize::Zeroizing::new(vec![2, 0, 2, 1, 2, 1]);
        let mut reduced = Reduced { palette, indices };
        short_numbers_first(&mut reduced);
        assert_eq!(reduced.palette, [[3; 3], [2; 3], [1; 3]]);
        assert_eq!(*reduced.indices, [0, 2, 0, 1, 0, 1]);
    }

    #[test]
    fn colours_are_in_percent() {
        assert_eq!([0, 127, 128, 255].map(percent), [0, 50, 50, 100]);
    }
}
