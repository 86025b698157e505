//! Makes a palette picture cost fewer bytes as a PNG, at a price in likeness that is weighed. Deflate
//! writes three pixels or more that have been there already as one short reference; in a photograph
//! hardly any have, because of the camera's noise. So pixels are given the colours of pixels beside or
//! above them where that is nearly as right, and most where it saves most.
//!
//! Knows colours and what deflate charges for them, and nothing of faces.

use super::palette::{Reduced, distance};

/// Where a repeat is looked for: so many rows above, so many columns to the right.
const SOURCES: [(usize, isize); 11] =
    [(0, -1), (0, -2), (0, -3), (1, 0), (1, -1), (1, 1), (1, -2), (1, 2), (2, 0), (2, -1), (2, 1)];
/// About what deflate takes for a reference, in bits.
const REFERENCE: f32 = 17.0;
/// The same for one to the pixel before, whose distance is the shortest.
const NEXT: f32 = 12.0;
/// The shortest and the longest repeat of deflate (RFC 1951, section 3.2.5).
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
/// How many bits a repeat may fall behind before it is given up: the next pixel may make up for it.
const PATIENCE: f32 = 8.0;

/// Gives pixels of `rgb`, rows of `width`, the colours of a repeat where that saves more than it costs.
/// `bit` is how much error, in the unit of [`distance`], one saved bit may cost; at zero nothing changes.
pub(super) fn favour_repeats(reduced: &mut Reduced, rgb: &[u8], width: usize, bit: f32) {
    if bit <= 0.0 || width == 0 {
        return;
    }
    let literal = bits(reduced);
    let palette = &reduced.palette;
    let error = |at: usize, colour: u8| {
        distance(palette[usize::from(colour)], [rgb[at * 3], rgb[at * 3 + 1], rgb[at * 3 + 2]])
    };
    let indices = &mut reduced.indices;
    let mut at = 0;
    while at < indices.len() {
        let mut best = Repeat { gain: 0.0, back: 0, length: 1 };
        for (back, room) in SOURCES.iter().filter_map(|source| reach(*source, at, width)) {
            let price = if back == 1 { NEXT } else { REFERENCE };
            let mut gain = -price * bit;
            let lowest = gain - PATIENCE * bit;
            for length in 1..=room.min(LONGEST) {
                let here = at + length - 1;
                let own = indices[here];
                // A repeat may reach into itself: then its beginning comes again.
                let other = indices[at - back + (length - 1) % back];
                gain += literal[usize::from(own)] * bit;
                if other != own {
                    gain += error(here, own) as f32 - error(here, other) as f32;
                }
                if length >= SHORTEST && gain > best.gain {
                    best = Repeat { gain, back, length };
                }
                if gain < lowest {
                    break;
                }
            }
        }
        if best.back > 0 {
            for place in at..at + best.length {
                indices[place] = indices[at - best.back + (place - at) % best.back];
            }
        }
        at += best.length;
    }
}

/// The best repeat found for a place.
struct Repeat {
    /// Error saved, in the unit of [`distance`]: bits saved, weighed, less what is more wrong.
    gain: f32,
    /// Pixels between it and what it repeats; zero when there is none.
    back: usize,
    /// Pixels.
    length: usize,
}

/// How far back a source lies from a pixel, and how many pixels follow before a row ends: a row of a PNG
/// begins with a byte of its own. `None` outside the picture.
fn reach((rows, columns): (usize, isize), at: usize, width: usize) -> Option<(usize, usize)> {
    let (row, column) = (at / width, at % width);
    let from = column.checked_add_signed(columns).filter(|from| *from < width && rows <= row)?;
    let back = (rows * width).checked_add_signed(-columns)?;
    Some((back, if rows == 0 { width - column } else { width - column.max(from) }))
}

/// How many bits each colour takes by itself: the rarer, the more.
fn bits(reduced: &Reduced) -> Vec<f32> {
    let mut uses = vec![0usize; reduced.palette.len()];
    for colour in reduced.indices.iter() {
        uses[usize::from(*colour)] += 1;
    }
    let all = reduced.indices.len() as f32;
    uses.into_iter().map(|uses| (all / uses.max(1) as f32).log2()).collect()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn reduced(indices: &[u8]) -> Reduced {
        let palette = (0..=8).map(|grey| [grey * 10; 3]).collect();
        Reduced { palette, indices: Zeroizing::new(indices.to_vec()) }
    }

    fn pixels(indices: &[u8]) -> Vec<u8> {
        indices.iter().flat_map(|index| [index * 10; 3]).collect()
    }

    #[test]
    fn nothing_changes_where_a_bit_is_worth_nothing() {
        let noise: Vec<u8> = (0..64).map(|n| (n * 2 + n / 3) % 9).collect();
        let mut picture = reduced(&noise);
        favour_repeats(&mut picture, &pixels(&noise), 8, 0.0);
        assert_eq!(*picture.indices, noise);
    }

    #[test]
    fn what_is_nearly_the_row_above_becomes_it_and_an_edge_stays() {
        let above = [0, 1, 2, 3, 4, 5, 6, 7];
        let nearly = [0, 1, 2, 4, 4, 5, 6, 7];
        let other = [8, 0, 8, 0, 8, 0, 8, 0];
        let all = [above, nearly, other].concat();
        let mut picture = reduced(&all);
        favour_repeats(&mut picture, &pixels(&all), 8, 200.0);
        assert_eq!(*picture.indices, [above, above, other].concat());
    }

    #[test]
    fn the_more_a_bit_is_worth_the_more_is_repeated() {
        let mut chance = fastrand::Rng::with_seed(3);
        let noise: Vec<u8> = (0..4096).map(|_| chance.u8(0..9)).collect();
        let kept = |bit| {
            let mut picture = reduced(&noise);
            favour_repeats(&mut picture, &pixels(&noise), 64, bit);
            picture.indices.iter().zip(&noise).filter(|(now, before)| now == before).count()
        };
        let kept = [0.0, 1_000.0, 3_000.0, 30_000.0].map(kept);
        assert!(kept.is_sorted_by(|less, more| less > more), "{kept:?}");
    }

    #[test]
    fn a_source_lies_inside_the_picture() {
        assert_eq!(reach((0, -1), 0, 8), None);
        assert_eq!(reach((0, -1), 8, 8), None, "a row begins");
        assert_eq!(reach((0, -2), 3, 8), Some((2, 5)));
        assert_eq!(reach((1, 0), 3, 8), None);
        assert_eq!(reach((1, 1), 15, 8), None);
        assert_eq!(reach((1, 1), 10, 8), Some((7, 5)));
        assert_eq!(reach((2, -1), 17, 8), Some((17, 7)));
    }
}
