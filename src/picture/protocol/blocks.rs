//! Pictures made of characters: block elements with two colours a cell, for terminals that show no
//! pixels. For each cell every division into two colours that the characters can draw is tried, and
//! the one taken that is nearest to the picture for its bytes: on a slow line colours are nearly all
//! that a picture costs, and those of the neighbour to the left cost nothing. Without colours, dithering
//! gives tones.

use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

use super::{EncodeError, EncodeOptions, Encoded};
use crate::picture::Fitted;
use crate::picture::scale::luma;

/// Which characters a picture is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CellMode {
    /// `▀`: one by two dots a cell; in every font.
    #[default]
    Half,
    /// `▚` and its kin: two by two dots; in nearly every font.
    Quadrant,
    /// `🬗` and its kin (Unicode 13): two by three dots; many terminals draw them themselves.
    Sextant,
    /// `𜴀` and its kin (Unicode 16): two by four dots; only where the terminal draws them itself.
    Octant,
}

impl CellMode {
    /// Dots of a cell, across and down.
    #[must_use]
    pub fn dots(self) -> (u16, u16) {
        match self {
            Self::Half => (1, 2),
            Self::Quadrant => (2, 2),
            Self::Sextant => (2, 3),
            Self::Octant => (2, 4),
        }
    }

    /// The character whose drawn part is `mask`: one bit a dot, row by row, the first the lowest.
    #[must_use]
    pub fn symbol(self, mask: u8) -> char {
        match self {
            Self::Half => [' ', '▀', '▄', '█'][usize::from(mask & 0b11)],
            Self::Quadrant => QUADRANTS[usize::from(mask & 0b1111)],
            Self::Sextant => match mask & 0b11_1111 {
                0 => ' ',
                0b01_0101 => '▌',
                0b10_1010 => '▐',
                0b11_1111 => '█',
                // Unicode numbers the rest in order and leaves out the four above.
                mask => {
                    let skipped = 1 + u32::from(mask > 0b01_0101) + u32::from(mask > 0b10_1010);
                    char::from_u32(0x1fb00 + u32::from(mask) - skipped).unwrap_or(' ')
                }
            },
            Self::Octant => octant(mask),
        }
    }
}

const QUADRANTS: [char; 16] =
    [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];

/// The octant of a mask. Unicode numbers them in the order of their masks and leaves out those that it
/// had already: the quadrants, and these.
fn octant(mask: u8) -> char {
    const OTHERS: [(u8, char); 10] = [
        (0x01, '\u{1cea8}'),
        (0x02, '\u{1ceab}'),
        (0x03, '\u{1fb82}'),
        (0x14, '\u{1fbe6}'),
        (0x28, '\u{1fbe7}'),
        (0x3f, '\u{1fb85}'),
        (0x40, '\u{1cea3}'),
        (0x80, '\u{1cea0}'),
        (0xc0, '▂'),
        (0xfc, '▆'),
    ];
    let had_already = |mask: u8| {
        let other = OTHERS.iter().find(|(other, _)| *other == mask).map(|(_, symbol)| *symbol);
        other.or_else(|| quarters(mask).map(|quarters| QUADRANTS[usize::from(quarters)]))
    };
    had_already(mask).unwrap_or_else(|| {
        let before = (0..mask).filter(|mask| had_already(*mask).is_none()).count() as u32;
        char::from_u32(0x1cd00 + before).unwrap_or(' ')
    })
}

/// The quadrants that an octant's mask is made of, if it is made of whole ones.
fn quarters(mask: u8) -> Option<u8> {
    const QUARTERS: [u8; 4] = [0x05, 0x0a, 0x50, 0xa0];
    let whole = |quarter: u8| mask & quarter == 0 || mask & quarter == quarter;
    let bit = |(at, quarter): (usize, &u8)| u8::from(mask & quarter != 0) << at;
    let all = QUARTERS.iter().all(|quarter| whole(*quarter));
    all.then(|| QUARTERS.iter().enumerate().map(bit).sum())
}

/// What lies behind text in a terminal without colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ground {
    /// Light text on dark.
    #[default]
    Dark,
    /// Dark text on light.
    Light,
}

/// The colours that a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Colours {
    /// 24 bits.
    #[default]
    True,
    /// The 26 greys among the fixed ones of the 256. The coarse steps of its colours break skin into
    /// patches whose edges are not in the face; light and shade, by which faces are told, survive in grey.
    Ansi256,
    /// 16: of these the four greys are used, dithered, because the rest are anybody's choice.
    Ansi16,
    /// None: shades and dots of the text's own colour.
    Mono(Ground),
}

/// A colour of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ink {
    /// The terminal's own.
    #[default]
    Plain,
    /// A number in the terminal's palette.
    Index(u8),
    /// Red, green, blue.
    Rgb([u8; 3]),
}

/// One cell of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureCell {
    /// The character.
    pub symbol: char,
    /// Its colour.
    pub fg: Ink,
    /// The colour behind it.
    pub bg: Ink,
}

impl DefaultIsZeroes for PictureCell {}

/// A picture of characters. Wiped when dropped; `Debug` prints its size only.
pub struct CellPicture {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// The cells, row by row.
    pub cells: Vec<PictureCell>,
}

impl Drop for CellPicture {
    fn drop(&mut self) {
        self.cells.zeroize();
    }
}

impl std::fmt::Debug for CellPicture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CellPicture({}x{})", self.columns, self.rows)
    }
}

pub(super) fn encode(fitted: &Fitted, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    let (columns, rows) = (fitted.columns, fitted.rows);
    let (across, down) = options.cells.dots();
    let dots = (u32::from(columns) * u32::from(across), u32::from(rows) * u32::from(down));
    if (fitted.width, fitted.height) != dots {
        return Err(EncodeError::OtherDots);
    }
    let mode = options.cells;
    let rgb = fitted.pixels();
    let width = fitted.width as usize;
    let cells = match options.colours {
        Colours::True => coloured(rgb, width, mode, &TRUE),
        Colours::Ansi256 => coloured(&greys(rgb), width, mode, &GREYS_256),
        Colours::Ansi16 => coloured(&dithered_greys(rgb, width), width, mode, &GREYS_16),
        Colours::Mono(ground) => uncoloured(rgb, width, mode, ground),
    };
    Ok(Encoded::Cells(CellPicture { columns, rows, cells }))
}

/// Splits pixels into cells, row by row, each with its dots in the order of the masks.
fn cells<T: Copy>(dots: &[T], width: usize, mode: CellMode) -> impl Iterator<Item = Vec<T>> {
    let (across, down) = mode.dots();
    let (across, down) = (usize::from(across), usize::from(down));
    dots.chunks_exact(width * down).flat_map(move |band| {
        (0..width / across).map(move |column| {
            let row = |y: usize| &band[y * width + column * across..][..across];
            (0..down).flat_map(row).copied().collect()
        })
    })
}

/// The colours that cells may have.
struct Palette {
    /// The nearest of them, as it is shown.
    nearest: fn([u8; 3]) -> [u8; 3],
    /// How one of them is named.
    ink: fn([u8; 3]) -> Ink,
    /// About as many bytes name one (`38;2;210;170;150`).
    bytes: f64,
}

const TRUE: Palette = Palette { nearest: |rgb| rgb, ink: Ink::Rgb, bytes: 16.0 };
const GREYS_256: Palette = Palette {
    nearest: |rgb| [light_256(grey_256(rgb)); 3],
    ink: |rgb| Ink::Index(grey_256(rgb)),
    bytes: 8.0,
};
const GREYS_16: Palette = Palette {
    nearest: |rgb| [nearest_grey(rgb).0; 3],
    ink: |rgb| Ink::Index(nearest_grey(rgb).1),
    bytes: 3.0,
};

/// What a byte is worth: the part of a cell's contrast that may be lost for it.
fn worth(mode: CellMode) -> f64 {
    match mode {
        CellMode::Half => 0.009,
        CellMode::Quadrant => 0.0047,
        CellMode::Sextant => 0.0039,
        CellMode::Octant => 0.0035,
    }
}

/// The contrast that a cell has at least, in steps squared: in an even one small errors are seen, too.
const LEAST_CONTRAST: f64 = 60.0;

/// A cell: the dots that are drawn, their colour, and that of the others. Where no dot is drawn the first
/// colour is whatever was in force.
#[derive(Clone, Copy)]
struct Division {
    mask: u8,
    fg: [u8; 3],
    bg: [u8; 3],
}

fn coloured(rgb: &[u8], width: usize, mode: CellMode, palette: &Palette) -> Vec<PictureCell> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let columns = width / usize::from(mode.dots().0);
    let worth = worth(mode) * palette.bytes;
    let mut left = None;
    let divided = cells(pixels, width, mode).enumerate().map(|(at, dots)| {
        // Each row begins anew: what stands to the left of a picture is not known here.
        let divided = divide(&dots, left.filter(|_| at % columns != 0), palette, worth);
        left = Some(divided);
        let Division { mask, fg, bg } = divided;
        PictureCell { symbol: mode.symbol(mask), fg: (palette.ink)(fg), bg: (palette.ink)(bg) }
    });
    divided.collect()
}

/// The division of a cell's dots that costs least: what it loses, squared, and the price of its colours.
/// Each part has the mean of its dots or the colour that the cell to the left has left in force, which is
/// free. One colour alone is a plain ground: no character that a font could draw badly. Where a division and
/// its opposite cost the same, the first dot is drawn.
fn divide(dots: &[[u8; 3]], left: Option<Division>, palette: &Palette, worth: f64) -> Division {
    let all = Sum::of(dots, u8::MAX);
    let price = worth * all.lost(all.mean()).max(LEAST_CONTRAST);
    let colours = |part: &Sum, held: Option<[u8; 3]>| {
        let own = (palette.nearest)(part.mean());
        let free = held == Some(own);
        let own = (own, part.lost(own) + if free { 0.0 } else { price });
        let held = held.map_or(own, |held| (held, part.lost(held)));
        if held.1 < own.1 { held } else { own }
    };
    let (held_fg, held_bg) = (left.map(|left| left.fg), left.map(|left| left.bg));
    let (bg, cost) = colours(&all, held_bg);
    let mut best = (cost, Division { mask: 0, fg: held_fg.unwrap_or(bg), bg });
    let full = u8::MAX >> (8 - dots.len());
    for mask in (1..full).step_by(2).flat_map(|mask| [mask, full ^ mask]) {
        let part = Sum::of(dots, mask);
        let rest = all.less(&part);
        let ((fg, drawn), (bg, ground)) = (colours(&part, held_fg), colours(&rest, held_bg));
        if fg != bg && drawn + ground < best.0 - 1e-6 {
            best = (drawn + ground, Division { mask, fg, bg });
        }
    }
    best.1
}

/// Sums over some colours.
struct Sum {
    colour: [u32; 3],
    squares: u32,
    count: u32,
}

impl Sum {
    /// Of the dots that a mask names.
    fn of(dots: &[[u8; 3]], mask: u8) -> Self {
        let mut sum = Self { colour: [0; 3], squares: 0, count: 0 };
        for (_, dot) in dots.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            for (total, value) in sum.colour.iter_mut().zip(dot) {
                *total += u32::from(*value);
                sum.squares += u32::from(*value) * u32::from(*value);
            }
            sum.count += 1;
        }
        sum
    }

    /// What remains of this without a part of it.
    fn less(&self, part: &Self) -> Self {
        let colour = [0, 1, 2].map(|channel| self.colour[channel] - part.colour[channel]);
        let (squares, count) = (self.squares - part.squares, self.count - part.count);
        Self { colour, squares, count }
    }

    /// The squared error when all of them are shown as one colour.
    fn lost(&self, shown: [u8; 3]) -> f64 {
        let each = self.colour.iter().zip(shown).map(|(sum, shown)| {
            let (sum, shown) = (f64::from(*sum), f64::from(shown));
            f64::from(self.count) * shown * shown - 2.0 * sum * shown
        });
        f64::from(self.squares) + each.sum::<f64>()
    }

    fn mean(&self) -> [u8; 3] {
        let count = self.count.max(1);
        self.colour.map(|c| ((c + count / 2) / count) as u8)
    }
}

/// A picture in greys, as RGB.
fn greys(rgb: &[u8]) -> Zeroizing<Vec<u8>> {
    let (pixels, _) = rgb.as_chunks::<3>();
    Zeroizing::new(pixels.iter().flat_map(|pixel| [luma(pixel); 3]).collect())
}

/// The nearest grey of the fixed 240 colours: black and white of the cube (16 and 231), the ramp between
/// them (232 to 255: 8 to 238 in tens).
fn grey_256(rgb: [u8; 3]) -> u8 {
    match luma(&rgb) {
        0..4 => 16,
        247.. => 231,
        light => 232 + (light.saturating_sub(3) / 10).min(23),
    }
}

/// How light such a grey is.
fn light_256(number: u8) -> u8 {
    match number {
        16 => 0,
        232.. => 8 + (number - 232) * 10,
        _ => 255,
    }
}

/// The greys of the 16 colours as most terminals show them: value, number.
const GREYS: [(u8, u8); 4] = [(0, 0), (118, 8), (198, 7), (255, 15)];

fn nearest_grey([grey, ..]: [u8; 3]) -> (u8, u8) {
    let nearest = GREYS.iter().min_by_key(|(value, _)| value.abs_diff(grey));
    nearest.copied().unwrap_or(GREYS[0])
}

/// The picture in the four greys, dithered, as RGB.
fn dithered_greys(rgb: &[u8], width: usize) -> Zeroizing<Vec<u8>> {
    let levels = GREYS.map(|(value, _)| light_of(value));
    let dithered = dither(tones(rgb), width, &levels);
    Zeroizing::new(dithered.iter().flat_map(|level| [GREYS[*level].0; 3]).collect())
}

/// A picture without colours. With half-blocks a cell is one of five shades; with more dots a cell,
/// dots are drawn or not.
fn uncoloured(rgb: &[u8], width: usize, mode: CellMode, ground: Ground) -> Vec<PictureCell> {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let mut tones = tones(rgb);
    if ground == Ground::Light {
        tones.iter_mut().for_each(|tone| *tone = 1.0 - *tone);
    }
    let plain = |symbol| PictureCell { symbol, fg: Ink::Plain, bg: Ink::Plain };
    match mode {
        CellMode::Half => {
            let means = cells(&tones, width, mode).map(|dots| dots.iter().sum::<f32>() / 2.0);
            let levels = [0.0, 0.25, 0.5, 0.75, 1.0];
            let shades = dither(Zeroizing::new(means.collect()), width, &levels);
            shades.iter().map(|level| plain(SHADES[*level])).collect()
        }
        CellMode::Quadrant | CellMode::Sextant | CellMode::Octant => {
            let drawn = dither(tones, width, &[0.0, 1.0]);
            let mask = |dots: Vec<usize>| dots.iter().rev().fold(0, |m, dot| m << 1 | *dot as u8);
            cells(&drawn, width, mode).map(|dots| plain(mode.symbol(mask(dots)))).collect()
        }
    }
}

/// The light of each pixel, 0.0 to 1.0, stretched so that the darkest and lightest 2 % are black and
/// white: with so few tones none may lie idle.
fn tones(rgb: &[u8]) -> Zeroizing<Vec<f32>> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let lumas: Zeroizing<Vec<u8>> = Zeroizing::new(pixels.iter().map(luma).collect());
    let mut sorted = lumas.clone();
    sorted.sort_unstable();
    let edge = sorted.len() / 50;
    let dark = sorted.get(edge).copied().unwrap_or(0);
    let light = sorted.iter().rev().nth(edge).copied().unwrap_or(255);
    let span = u16::from(light.saturating_sub(dark));
    let stretch = |value: u8| {
        // A picture of one tone keeps it.
        if span < 16 {
            return value;
        }
        ((u16::from(value.saturating_sub(dark)) * 255 / span).min(255)) as u8
    };
    Zeroizing::new(lumas.iter().map(|value| light_of(stretch(*value))).collect())
}

/// How much light an sRGB value stands for: a half-covered cell is a half of the light, which is far
/// from the value 128.
fn light_of(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The nearest of some levels for each tone, what is lost handed on to the neighbours (Floyd and
/// Steinberg). Answers with places in `levels`.
fn dither(mut tones: Zeroizing<Vec<f32>>, width: usize, levels: &[f32]) -> Zeroizing<Vec<usize>> {
    let mut chosen = Zeroizing::new(Vec::with_capacity(tones.len()));
    for at in 0..tones.len() {
        let tone = tones[at];
        let apart = |level: &f32| (level - tone).abs();
        let nearest = levels.iter().enumerate().min_by(|a, b| apart(a.1).total_cmp(&apart(b.1)));
        let (place, shown) = nearest.map_or((0, 0.0), |(place, level)| (place, *level));
        chosen.push(place);
        let x = at % width;
        let mut spread = |inside: bool, to: usize, share: f32| {
            if let Some(neighbour) = tones.get_mut(to).filter(|_| inside) {
                *neighbour += (tone - shown) * share / 16.0;
            }
        };
        spread(x + 1 < width, at + 1, 7.0);
        spread(x > 0, (at + width).saturating_sub(1), 3.0);
        spread(true, at + width, 5.0);
        spread(x + 1 < width, at + width + 1, 1.0);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_division_has_a_character_of_its_own() {
        for mode in [CellMode::Half, CellMode::Quadrant, CellMode::Sextant, CellMode::Octant] {
            let (across, down) = mode.dots();
            let masks = 0..=u8::MAX >> (8 - across * down);
            let all: BTreeSet<char> = masks.clone().map(|mask| mode.symbol(mask)).collect();
            assert_eq!(all.len(), masks.count(), "{mode:?}");
        }
    }

    #[test]
    fn octants_are_those_of_the_standard() {
        // From the names of the characters: BLOCK OCTANT-3 is the first, BLOCK OCTANT-2345678 the last.
        let table = [
            (0b0000_0100, '\u{1cd00}'),
            (0b0000_0110, '\u{1cd01}'),
            (0b0000_0111, '\u{1cd02}'),
            (0b0000_1000, '\u{1cd03}'),
            (0b0001_0000, '\u{1cd09}'),
            (0b1111_1110, '\u{1cde5}'),
            (0b0000_1111, '▀'),
            (0b0101_0101, '▌'),
            (0b1111_0000, '▄'),
            (0, ' '),
            (0b1111_1111, '█'),
        ];
        for (mask, symbol) in table {
            assert_eq!(octant(mask), symbol, "{mask:08b}");
        }
    }
}
