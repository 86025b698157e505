//! The geometry: which part of a portrait is shown, in which cells of a pane, in how many pixels.
//! Knows shapes and the rough build of a face; knows no terminal protocol.
//!
//! A picture is never stretched: the cut is trimmed to the shape of the whole cells it gets.
//!
//! Of a face box it is assumed (a detector's box: hairline to chin, ear to ear) that the pupils are
//! 0.42 of its width apart and lie at 0.40 of its height. What is shown and said of the distance
//! between the eyes is as good as that. That distance is the measure of a face here: regions and
//! movements are counted in it, so that two portraits are shown alike however they were taken.

use std::fmt;

use zeroize::Zeroizing;

use super::scale::scale;
use super::{Area, Portrait};

/// Distance of the pupils in widths of the face box.
const PUPILS: f64 = 0.42;
/// Height of the pupils in heights of the face box, from its top.
const EYE_LINE: f64 = 0.40;
/// Cells of a side that a picture can have: as many as kitty has row and column marks.
const MOST_CELLS: u16 = 297;
/// Pixels that a pane may ask for, whatever size of cells a terminal claims.
const MOST_PIXELS: u64 = 16 * 1024 * 1024;

/// The part of a face that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// All of it.
    #[default]
    Whole,
    /// Eyes and brows.
    Eyes,
    /// Nose and mouth.
    NoseMouth,
    /// Jaw line and ears.
    JawEars,
}

impl Region {
    /// Width and height, in distances of the pupils.
    #[must_use]
    pub fn size(self) -> (f64, f64) {
        match self {
            Self::Whole => (2.2, 2.8),
            Self::Eyes => (1.9, 0.7),
            Self::NoseMouth => (1.3, 1.4),
            Self::JawEars => (2.6, 1.7),
        }
    }

    /// Where its middle lies, in heights of the face box from its top.
    fn middle(self) -> f64 {
        match self {
            // The chin tells more than the hairline.
            Self::Whole => 0.54,
            Self::Eyes => EYE_LINE,
            Self::NoseMouth => 0.68,
            Self::JawEars => 0.72,
        }
    }
}

/// What the reviewer has asked to see of a portrait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The part.
    pub region: Region,
    /// How much nearer, 1.0 is all of the region; kept within 0.5 and 8.
    pub zoom: f64,
    /// How far moved right and down as seen, in distances of the pupils.
    pub pan: (f64, f64),
    /// Left and right exchanged, as in a mirror.
    pub mirror: bool,
}

impl View {
    /// All of a region, not moved.
    fn is_plain(&self) -> bool {
        self.zoom == 1.0 && self.pan == (0.0, 0.0)
    }
}

impl Default for View {
    fn default() -> Self {
        Self { region: Region::Whole, zoom: 1.0, pan: (0.0, 0.0), mirror: false }
    }
}

/// What [`Region::Whole`] shows while it is neither scaled nor moved; then it is the face, so that both
/// portraits go the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// All of the picture, for terminals that show pixels.
    Picture,
    /// The face, for those that draw with characters: they have none to waste on a background.
    Face,
}

/// The room there is for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pane {
    columns: u16,
    rows: u16,
    cell: (u16, u16),
    dots: (u16, u16),
}

impl Pane {
    /// A pane of so many cells. `cell` is the width and height of a cell in pixels (its shape counts),
    /// `dots` how many picture elements a cell shows: [`super::Protocol::dots`]. Absurd sizes are cut
    /// to what a picture can use.
    #[must_use]
    pub fn new(columns: u16, rows: u16, cell: (u16, u16), dots: (u16, u16)) -> Self {
        let (columns, rows) = (columns.min(MOST_CELLS), rows.min(MOST_CELLS));
        let cell = (cell.0.clamp(1, 256), cell.1.clamp(1, 256));
        let mut dots = (dots.0.clamp(1, 256), dots.1.clamp(1, 256));
        let pixels = |dots: (u16, u16)| {
            u64::from(columns) * u64::from(rows) * u64::from(dots.0) * u64::from(dots.1)
        };
        while pixels(dots) > MOST_PIXELS {
            dots = ((dots.0 / 2).max(1), (dots.1 / 2).max(1));
        }
        Self { columns, rows, cell, dots }
    }

    /// Width over height, in pixels.
    fn shape(&self) -> f64 {
        shape_of(self.columns, self.rows, self.cell)
    }
}

fn shape_of(columns: u16, rows: u16, cell: (u16, u16)) -> f64 {
    f64::from(columns) * f64::from(cell.0) / (f64::from(rows) * f64::from(cell.1))
}

/// A picture that fits a pane: RGB pixels for `columns` by `rows` cells. Wiped when dropped; `Debug`
/// prints sizes only.
pub struct Fitted {
    /// Columns of cells it covers.
    pub columns: u16,
    /// Rows of cells it covers.
    pub rows: u16,
    /// Where it stands in the pane so that it is centred: columns from the left, rows from the top.
    pub offset: (u16, u16),
    /// Width in pixels: a multiple of `columns`.
    pub width: u32,
    /// Height in pixels: a multiple of `rows`.
    pub height: u32,
    /// Which part of the portrait it shows.
    pub crop: Area,
    pixels: Zeroizing<Vec<u8>>,
}

impl Fitted {
    /// Red, green, blue of each pixel, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

impl fmt::Debug for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { columns, rows, width, height, .. } = self;
        write!(f, "Fitted({columns}x{rows} cells, {width}x{height} pixels)")
    }
}

/// A pane that has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("There is no room for the picture; make the window larger.")]
pub struct FitError;

/// Cuts and scales a portrait for a pane. `face` is the face's place in the portrait, where known;
/// where not, a face of half the picture's width in its middle is assumed.
///
/// # Errors
/// [`FitError`] when the pane has no cells.
pub fn fit(
    portrait: &Portrait,
    face: Option<&Area>,
    view: &View,
    aim: Aim,
    pane: &Pane,
) -> Result<Fitted, FitError> {
    if pane.columns == 0 || pane.rows == 0 {
        return Err(FitError);
    }
    let size = (portrait.width(), portrait.height());
    let Cut { shown, columns, rows } = cut(size, face, view, aim, pane);
    let width = u32::from(columns) * u32::from(pane.dots.0);
    let height = u32::from(rows) * u32::from(pane.dots.1);
    let mut pixels = scale(portrait.pixels(), size, &shown, (width, height)).ok_or(FitError)?;
    if view.mirror {
        mirror(&mut pixels, width as usize);
    }
    let offset = ((pane.columns - columns) / 2, (pane.rows - rows) / 2);
    Ok(Fitted { columns, rows, offset, width, height, crop: shown, pixels })
}

/// Pixels between the eyes as displayed: what a reviewer can tell faces apart by. `across` is how many
/// pixels of their own the picture has from left to right on the screen ([`super::Protocol::across`]);
/// no more are counted than the portrait has.
#[must_use]
pub fn eye_pixels(face: &Area, fitted: &Fitted, across: u32) -> u16 {
    between_eyes(face, &fitted.crop, across)
}

fn between_eyes(face: &Area, shown: &Area, across: u32) -> u16 {
    let in_portrait = face.width * PUPILS;
    let displayed = in_portrait * f64::from(across) / shown.width;
    // A float cast saturates, so no number can run over.
    displayed.min(in_portrait).round() as u16
}

/// Where a portrait's face most likely is, for one that came without a box: half the picture's width, in
/// its middle.
#[must_use]
pub fn likely_face(portrait: &Portrait) -> Area {
    guess_face((f64::from(portrait.width()), f64::from(portrait.height())))
}

/// What a pane shows of a picture, in how many of its cells.
struct Cut {
    shown: Area,
    columns: u16,
    rows: u16,
}

fn cut(size: (u32, u32), face: Option<&Area>, view: &View, aim: Aim, pane: &Pane) -> Cut {
    let shown = crop((f64::from(size.0), f64::from(size.1)), face, view, aim, pane.shape());
    let (columns, rows) = cells(&shown, pane);
    Cut { shown: trim(&shown, shape_of(columns, rows, pane.cell)), columns, rows }
}

/// The part of a picture of `size` that a view shows in a pane of a shape (width over height).
fn crop(size: (f64, f64), face: Option<&Area>, view: &View, aim: Aim, shape: f64) -> Area {
    let guess = guess_face(size);
    let face = face.unwrap_or(&guess);
    let wanted = wanted(size, face, view, aim);
    let zoom = if view.zoom.is_finite() { view.zoom.clamp(0.5, 8.0) } else { 1.0 };
    let (width, height) = (wanted.width / zoom, wanted.height / zoom);
    // The room beside it is used too: more of the picture at the same scale.
    let (width, height) = (width.max(height * shape), height.max(width / shape));
    let (width, height) = (width.min(size.0), height.min(size.1));
    let pupils = face.width * PUPILS;
    let moved = |pan: f64| if pan.is_finite() { pan.clamp(-64.0, 64.0) * pupils } else { 0.0 };
    let right = if view.mirror { -moved(view.pan.0) } else { moved(view.pan.0) };
    let left = wanted.left + (wanted.width - width) / 2.0 + right;
    let top = wanted.top + (wanted.height - height) / 2.0 + moved(view.pan.1);
    Area {
        left: left.clamp(0.0, size.0 - width),
        top: top.clamp(0.0, size.1 - height),
        width,
        height,
    }
}

/// What must be visible, regardless of the pane.
fn wanted(size: (f64, f64), face: &Area, view: &View, aim: Aim) -> Area {
    if aim == Aim::Picture && view.region == Region::Whole && view.is_plain() {
        return Area { left: 0.0, top: 0.0, width: size.0, height: size.1 };
    }
    let pupils = face.width * PUPILS;
    let (width, height) = view.region.size();
    let (width, height) = (width * pupils, height * pupils);
    let left = face.left + (face.width - width) / 2.0;
    let top = face.top + face.height * view.region.middle() - height / 2.0;
    Area { left, top, width, height }
}

/// A face where a portrait has one, for pictures that came without a box.
fn guess_face(size: (f64, f64)) -> Area {
    let width = (size.0 * 0.5).min(size.1 * 0.4);
    let height = width * 1.3;
    Area { left: (size.0 - width) / 2.0, top: size.1 * 0.5 - height / 2.0, width, height }
}

/// The cells that a cut fills at the largest scale that fits.
fn cells(crop: &Area, pane: &Pane) -> (u16, u16) {
    let cell = (f64::from(pane.cell.0), f64::from(pane.cell.1));
    let by_width = f64::from(pane.columns) * cell.0 / crop.width;
    let by_height = f64::from(pane.rows) * cell.1 / crop.height;
    let scale = by_width.min(by_height);
    // Cut down to whole cells, with an allowance for rounding errors: so the side that sets the scale
    // keeps it, and the other loses less than a cell.
    let whole = |cells: f64, most: u16| ((cells + 1e-6).floor() as u16).clamp(1, most);
    (
        whole(crop.width * scale / cell.0, pane.columns),
        whole(crop.height * scale / cell.1, pane.rows),
    )
}

/// Trims a cut to a shape, around its middle.
fn trim(crop: &Area, shape: f64) -> Area {
    let width = crop.width.min(crop.height * shape);
    let height = crop.height.min(crop.width / shape);
    Area {
        left: crop.left + (crop.width - width) / 2.0,
        top: crop.top + (crop.height - height) / 2.0,
        width,
        height,
    }
}

fn mirror(pixels: &mut [u8], width: usize) {
    for row in pixels.chunks_exact_mut(width * 3) {
        for x in 0..width / 2 {
            let (near, far) = (x * 3, (width - 1 - x) * 3);
            for channel in 0..3 {
                row.swap(near + channel, far + channel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_between_the_eyes_is_that_of_the_table() {
        // A face with so much picture around it, and so many pixels, that nothing else sets a limit.
        let pupils = 800.0;
        let size = (8000, 6000);
        let face =
            Area { left: 3000.0, top: 1500.0, width: pupils / 0.42, height: pupils / 0.42 * 1.3 };
        let shown = |region, (columns, rows), dots: (u16, u16)| {
            let pane = Pane::new(columns, rows, (10, 20), dots);
            let view = View { region, ..View::default() };
            let cut = cut(size, Some(&face), &view, Aim::Face, &pane);
            between_eyes(&face, &cut.shown, u32::from(cut.columns) * u32::from(dots.0))
        };
        // Pane, region, half-blocks, quadrants or sextants, ten pixels a cell (a table computed for the panes of three sizes of screen).
        let table = [
            ((38, 16), Region::Whole, 11, 23, 114),
            ((38, 16), Region::Eyes, 20, 40, 200),
            ((38, 16), Region::NoseMouth, 23, 46, 229),
            ((78, 7), Region::Whole, 5, 10, 50),
            ((78, 7), Region::Eyes, 20, 40, 200),
            ((78, 7), Region::NoseMouth, 10, 20, 100),
            ((78, 16), Region::Whole, 11, 23, 114),
            ((78, 16), Region::Eyes, 41, 82, 411),
            ((78, 16), Region::NoseMouth, 23, 46, 229),
            ((44, 22), Region::Whole, 16, 31, 157),
            ((44, 22), Region::Eyes, 23, 46, 232),
            ((44, 22), Region::NoseMouth, 31, 63, 314),
            ((92, 24), Region::Whole, 17, 34, 171),
            ((92, 24), Region::Eyes, 48, 97, 484),
            ((92, 24), Region::NoseMouth, 34, 69, 343),
            ((64, 37), Region::Whole, 26, 53, 264),
            ((64, 37), Region::Eyes, 34, 67, 337),
            ((64, 37), Region::NoseMouth, 49, 98, 492),
            ((134, 40), Region::Whole, 29, 57, 286),
            ((134, 40), Region::Eyes, 71, 141, 705),
            ((134, 40), Region::NoseMouth, 57, 114, 571),
        ];
        for (pane, region, half, quadrant, pixels) in table {
            for (dots, wanted) in
                [((1, 2), half), ((2, 2), quadrant), ((2, 3), quadrant), ((10, 20), pixels)]
            {
                let seen = shown(region, pane, dots);
                assert!(
                    seen.abs_diff(wanted) <= 1,
                    "{pane:?} {region:?} {dots:?}: {seen}, not {wanted}"
                );
            }
        }
        assert_eq!(
            shown(Region::Eyes, (200, 90), (10, 20)),
            800,
            "never more than the portrait has"
        );
    }
}
