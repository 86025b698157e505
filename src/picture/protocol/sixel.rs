//! Sixel: six rows of pixels at a time, one pass over them a colour. Packed by runs: within a pass
//! several colours follow one another where they do not overlap, and gaps are skipped. Nothing else
//! compresses it, so pixels give way to their neighbours' colours until a picture fits its bytes.
//!
//! The picture never scrolls the screen: its height is cut to whole bands of six pixels that lie
//! within its cells, and no line feed follows the last band.

use zeroize::Zeroizing;

use super::budget;
use super::palette::{Reduced, distance, reduce};
use super::{EncodeError, EncodeOptions, Encoded};
use crate::picture::Fitted;

/// Rows of pixels in a band.
const BAND: u32 = 6;
/// No error is handed on: it would be undone again for longer runs.
const DITHER: f32 = 0.0;
/// What a byte weighs against likeness, in the unit of [`distance`], in a picture that is smooth: a third
/// of the bytes, and nobody sees it.
const BYTE: f32 = 60.0;
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
    let reduced = reduced.ok_or(EncodeError::Encoder("sixel"))?;
    // 0.7 bytes a pixel: 140 KB for 400x500.
    let most = width as usize * height as usize * 7 / 10;
    let out = budget::within(most, BYTE, heavier, |byte| {
        let mut reduced = reduced.clone();
        favour_runs(&mut reduced, pixels, width as usize, byte);
        short_numbers_first(&mut reduced);
        Ok(write(&reduced, width, height))
    })?;
    let bytes = options.wrap.seal(out);
    Ok(Encoded::Inline { bytes, columns: fitted.columns, rows: fitted.rows })
}

/// What a byte should weigh when a picture was so many times too large; no more than leaves edges alone.
fn heavier(byte: f32, times: f32) -> f32 {
    (byte * times.powf(2.6) * 1.05).min(400.0)
}

fn write(reduced: &Reduced, width: u32, height: u32) -> Zeroizing<Vec<u8>> {
    // Room for a rather long one, so that it seldom grows and leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(reduced.indices.len() * 3 / 2 + 8192));
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
    out
}

/// Gives pixels a colour that is nearly as right and costs fewer bytes. Each colour of a column of six
/// costs a byte, and more where its run begins; so a column takes up colours of the one to its left and
/// gives up those of its own that few pixels need. `byte` is what one weighs, in the unit of [`distance`].
fn favour_runs(reduced: &mut Reduced, rgb: &[u8], width: usize, byte: f32) {
    let palette = &reduced.palette;
    let band = width * BAND as usize;
    let mut candidates = Vec::with_capacity(2 * BAND as usize);
    let mut before = Vec::with_capacity(BAND as usize);
    let mut last_used = vec![None; palette.len()];
    for (indices, pixels) in reduced.indices.chunks_exact_mut(band).zip(rgb.chunks_exact(band * 3))
    {
        last_used.fill(None);
        before.clear();
        for x in 0..width {
            candidates.clear();
            let own = (0..BAND as usize).map(|row| indices[row * width + x]);
            for colour in own.chain(before.iter().copied()) {
                if candidates.iter().any(|known: &Candidate| known.colour == colour) {
                    continue;
                }
                let errors = std::array::from_fn(|row| {
                    let at = (row * width + x) * 3;
                    let pixel = [pixels[at], pixels[at + 1], pixels[at + 2]];
                    distance(palette[usize::from(colour)], pixel) as f32
                });
                let price = price(last_used[usize::from(colour)], x) * byte;
                candidates.push(Candidate { colour, errors, price });
            }
            thin(&mut candidates);
            before.clear();
            for row in 0..BAND as usize {
                let Some(colour) = nearest(&candidates, row) else { continue };
                indices[row * width + x] = colour;
                last_used[usize::from(colour)] = Some(x);
                if !before.contains(&colour) {
                    before.push(colour);
                }
            }
        }
    }
}

/// A colour that pixels of one column of six may have.
struct Candidate {
    colour: u8,
    /// How wrong it is for each of the six.
    errors: [f32; BAND as usize],
    /// What using it at all costs here, in the same unit.
    price: f32,
}

/// Drops candidates one after the other, that which saves most first, as long as any saves something.
fn thin(candidates: &mut Vec<Candidate>) {
    while candidates.len() > 1 {
        // What each row would have, and what it would have instead.
        let mut rows = [((0, f32::MAX), (0, f32::MAX)); BAND as usize];
        let mut used = 0u32;
        for (row, (first, second)) in rows.iter_mut().enumerate() {
            for (place, candidate) in candidates.iter().enumerate() {
                let error = candidate.errors[row];
                if error < first.1 {
                    *second = *first;
                    *first = (place, error);
                } else if error < second.1 {
                    *second = (place, error);
                }
            }
            used |= 1 << first.0;
        }
        let lost = |place: usize| {
            let mut taken = used;
            let mut lost = if used >> place & 1 == 1 { -candidates[place].price } else { 0.0 };
            for (first, second) in rows.iter().filter(|(first, _)| first.0 == place) {
                lost += second.1 - first.1;
                if taken >> second.0 & 1 == 0 {
                    taken |= 1 << second.0;
                    lost += candidates[second.0].price;
                }
            }
            lost
        };
        let losses = (0..candidates.len()).map(|place| (lost(place), place));
        match losses.min_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((least, place)) if least <= 0.0 => candidates.swap_remove(place),
            _ => return,
        };
    }
}

/// The colour that is least wrong for a row.
fn nearest(candidates: &[Candidate], row: usize) -> Option<u8> {
    let errors = candidates.iter().map(|candidate| (candidate.errors[row], candidate.colour));
    errors.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, colour)| colour)
}

/// What a colour costs in a column, in bytes, by where in its band it was last used.
fn price(last: Option<usize>, x: usize) -> f32 {
    match last.map(|last| x - last) {
        Some(1) => 1.0,
        // Over the gap.
        Some(gap) if gap <= GAP => 3.0,
        // Its number, and the way there.
        _ => 6.0,
    }
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
    fn a_column_takes_up_what_is_beside_it_and_keeps_what_it_needs() {
        // Light, a little lighter, dark; the second column differs a little in one pixel, the third much.
        let palette = vec![[200; 3], [204; 3], [10; 3]];
        let columns: [[u8; 6]; 3] = [[0; 6], [0, 0, 1, 0, 0, 0], [0, 0, 2, 0, 0, 0]];
        let indices: Vec<u8> = (0..6).flat_map(|row| columns.map(|column| column[row])).collect();
        let rgb: Vec<u8> = indices.iter().flat_map(|index| palette[usize::from(*index)]).collect();
        let after = |byte| {
            let indices = Zeroizing::new(indices.clone());
            let mut reduced = Reduced { palette: palette.clone(), indices };
            favour_runs(&mut reduced, &rgb, 3, byte);
            reduced.indices.to_vec()
        };
        assert_eq!(after(0.0), indices);
        let mut wanted = indices.clone();
        wanted[2 * 3 + 1] = 0;
        assert_eq!(after(100.0), wanted);
    }

    #[test]
    fn the_commonest_colour_has_the_lowest_number() {
        let palette = vec![[1; 3], [2; 3], [3; 3]];
        let indices = Zeroizing::new(vec![2, 0, 2, 1, 2, 1]);
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
