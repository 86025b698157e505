//! Curved surfaces on film: a sheet of points is lit at its corners and filled in between, nearer
//! over farther. Knows nothing of what the surface shows.

use std::f32::consts::PI;

use tiny_skia::{
    BlendMode, FillRule, FilterQuality, Paint, Path, PathBuilder, Pattern, Pixmap, PixmapPaint,
    Rect, SpreadMode, Transform,
};

use super::camera::{Camera, Vec3, cross, sub, unit};

/// A point of the surface to be coloured.
pub(super) struct Spot {
    /// Direction around the head, see [`super::head::Head::skin`].
    pub turn: f32,
    /// In head units.
    pub at: Vec3,
    /// Length 1, as the camera sees it.
    pub normal: Vec3,
}

#[derive(Clone, Copy)]
struct Corner {
    at: Vec3,
    rgba: [f32; 4],
}

/// How finely a surface is cut and drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    /// Rows of the surface, and columns around it.
    cut: (usize, usize),
    /// Rows of pixels.
    pixels: f32,
}

impl Grain {
    /// For a face.
    pub const FINE: Self = Self { cut: (68, 64), pixels: 290.0 };
    /// For hair, which has no features of its own.
    pub const HAIR: Self = Self { cut: (44, 52), pixels: 290.0 };
    /// For what is hardly seen.
    pub const COARSE: Self = Self { cut: (36, 40), pixels: 200.0 };
}

/// Pixels of surfaces, at a coarser step than the picture: shading is soft.
pub(super) struct Layer {
    pixels: Pixmap,
    depth: Vec<f32>,
    /// Leftmost and rightmost covered place in each row, in own pixels.
    spans: Vec<(f32, f32)>,
    /// Own pixels a pixel of the picture.
    step: f32,
    /// Rows and columns that a surface is cut into.
    cut: (usize, usize),
}

impl Layer {
    /// An empty layer for a picture of this size; `None` for a picture without pixels.
    pub fn new(width: u32, height: u32, grain: Grain) -> Option<Self> {
        let step = (grain.pixels / height as f32).min(1.0);
        let size = |side: u32| (side as f32 * step).ceil() as u32 + 1;
        let pixels = Pixmap::new(size(width), size(height))?;
        let count = pixels.pixels().len();
        let spans = vec![(f32::MAX, f32::MIN); pixels.height() as usize];
        Some(Self { pixels, depth: vec![f32::MIN; count], spans, step, cut: grain.cut })
    }

    /// An empty layer in which what was added here hides what lies behind it; of `grain` only the
    /// cut counts.
    pub fn in_front(&self, grain: Grain) -> Option<Self> {
        let pixels = Pixmap::new(self.pixels.width(), self.pixels.height())?;
        let spans = vec![(f32::MAX, f32::MIN); self.spans.len()];
        Some(Self { pixels, depth: self.depth.clone(), spans, step: self.step, cut: grain.cut })
    }

    /// Whether nothing that was added lies clearly before this place (pixels and depth).
    pub fn sees(&self, [x, y, depth]: Vec3) -> bool {
        let (column, row) = ((x * self.step) as usize, (y * self.step) as usize);
        let wide = self.pixels.width() as usize;
        let inside = x >= 0.0 && y >= 0.0 && column < wide;
        let hidden = |nearest: &f32| *nearest > depth + 0.03;
        !(inside && self.depth.get(row * wide + column).is_some_and(hidden))
    }

    /// Softens the borders of what was added, as hair has no sharp ones. Moves it by half an own
    /// pixel, which nobody sees.
    pub fn soften(&mut self) {
        let Some(mut soft) = Pixmap::new(self.pixels.width(), self.pixels.height()) else { return };
        let quality = FilterQuality::Bilinear;
        let paint =
            PixmapPaint { quality, blend_mode: BlendMode::Source, ..PixmapPaint::default() };
        soft.draw_pixmap(
            0,
            0,
            self.pixels.as_ref(),
            &paint,
            Transform::from_translate(0.5, 0.5),
            None,
        );
        self.pixels = soft;
    }

    /// Adds the surface `shape` (by direction and height) between the heights `top` and `bottom`,
    /// coloured by `film` with red, green, blue and cover.
    pub fn surface(
        &mut self,
        camera: &Camera,
        (top, bottom): (f32, f32),
        shape: &dyn Fn(f32, f32) -> Vec3,
        film: &dyn Fn(&Spot) -> [f32; 4],
    ) {
        let (rows, columns) = self.cut;
        let points = sheet((top, bottom), self.cut, shape);
        let step = self.step;
        let corners: Vec<Corner> = (0..points.len())
            .map(|i| {
                let [x, y, depth] = camera.place(points[i].1);
                let normal = camera.turn(normal(&points, self.cut, i));
                let (turn, at) = points[i];
                let seen = normal[2] > -0.2;
                let rgba = if seen { film(&Spot { turn, at, normal }) } else { [0.0; 4] };
                Corner { at: [x * step, y * step, depth], rgba }
            })
            .collect();
        for row in 1..rows {
            for column in 0..columns {
                let next = (column + 1) % columns;
                let corner = |r: usize, c: usize| corners[r * columns + c];
                let (a, b) = (corner(row - 1, column), corner(row - 1, next));
                let (c, d) = (corner(row, column), corner(row, next));
                self.triangle([a, b, c]);
                self.triangle([b, d, c]);
            }
        }
    }

    /// Fills a triangle if it faces the viewer.
    fn triangle(&mut self, [a, b, c]: [Corner; 3]) {
        let area =
            (b.at[0] - a.at[0]) * (c.at[1] - a.at[1]) - (c.at[0] - a.at[0]) * (b.at[1] - a.at[1]);
        if area <= 1e-6 || a.rgba[3] + b.rgba[3] + c.rgba[3] <= 0.0 {
            return;
        }
        let ys = [a.at[1], b.at[1], c.at[1]];
        let low = ys.iter().copied().fold(f32::MAX, f32::min);
        let high = ys.iter().copied().fold(f32::MIN, f32::max);
        let rows = self.pixels.height() as f32;
        let first = (low - 0.5).ceil().clamp(0.0, rows) as usize;
        let end = (high - 0.5).ceil().clamp(0.0, rows) as usize;
        for row in first..end {
            let y = row as f32 + 0.5;
            let Some((left, right)) = crossing([&a, &b, &c], y) else { continue };
            let span = &mut self.spans[row];
            *span = (span.0.min(left.at[0]), span.1.max(right.at[0]));
            self.run(row, &left, &right);
        }
    }

    /// Fills the pixels of one row between two corners.
    fn run(&mut self, row: usize, left: &Corner, right: &Corner) {
        let wide = self.pixels.width() as usize;
        let first = (left.at[0] - 0.5).ceil().clamp(0.0, wide as f32) as usize;
        let end = (right.at[0] - 0.5).ceil().clamp(0.0, wide as f32) as usize;
        let length = (right.at[0] - left.at[0]).max(1e-6);
        for column in first..end {
            let t = (column as f32 + 0.5 - left.at[0]) / length;
            let place = row * wide + column;
            let depth = left.at[2] + (right.at[2] - left.at[2]) * t;
            if depth <= self.depth[place] {
                continue;
            }
            self.depth[place] = depth;
            let mut channels = left.rgba;
            for (channel, end) in channels.iter_mut().zip(right.rgba) {
                *channel += (end - *channel) * t;
            }
            let cover = channels[3].clamp(0.0, 1.0);
            let data = &mut self.pixels.data_mut()[place * 4..place * 4 + 4];
            data[0] = (channels[0] * cover * 255.0 + 0.5) as u8;
            data[1] = (channels[1] * cover * 255.0 + 0.5) as u8;
            data[2] = (channels[2] * cover * 255.0 + 0.5) as u8;
            data[3] = (cover * 255.0 + 0.5) as u8;
        }
    }

    /// Carries the colours at the border of an opaque surface outwards, so that a sharp outline cut
    /// out of it has no seam.
    pub fn bleed(&mut self) {
        let wide = self.pixels.width() as usize;
        let covered: Vec<usize> =
            (0..self.spans.len()).filter(|&r| self.spans[r].0 < self.spans[r].1).collect();
        let (Some(&top), Some(&bottom)) = (covered.first(), covered.last()) else { return };
        for &row in &covered {
            let line = &mut self.pixels.pixels_mut()[row * wide..(row + 1) * wide];
            let Some(first) = line.iter().position(|p| p.alpha() == 255) else { continue };
            let Some(last) = line.iter().rposition(|p| p.alpha() == 255) else { continue };
            // The outermost pixels are the darkest and least certain: the ones beside them spread.
            let (first, last) = ((first + 1).min(last), last.saturating_sub(1).max(first));
            let (start, end) = (first.saturating_sub(4), (last + 5).min(wide));
            let (left, right) = (line[first], line[last]);
            line[start..first].fill(left);
            line[last..end].fill(right);
        }
        for (from, to) in [
            (top, top.wrapping_sub(1)),
            (top, top.wrapping_sub(2)),
            (bottom, bottom + 1),
            (bottom, bottom + 2),
        ] {
            if to < self.spans.len() {
                self.pixels.pixels_mut().copy_within(from * wide..(from + 1) * wide, to * wide);
            }
        }
    }

    /// The outline of all that was added, in pixels of the picture.
    pub fn outline(&self) -> Option<Path> {
        let covered: Vec<(f32, f32, f32)> = self
            .spans
            .iter()
            .enumerate()
            .filter(|(_, span)| span.0 < span.1)
            .map(|(row, span)| (row as f32 + 0.5, span.0, span.1))
            .collect();
        let mut path = PathBuilder::new();
        let smoothed = |i: usize, side: fn(&(f32, f32, f32)) -> f32| {
            let (from, to) = (i.saturating_sub(2), (i + 3).min(covered.len()));
            // Ends of the outline are narrow and must stay where they are.
            if i < 3 || i + 3 >= covered.len() {
                return side(&covered[i]);
            }
            covered[from..to].iter().map(side).sum::<f32>() / (to - from) as f32
        };
        let scale = 1.0 / self.step;
        for (i, row) in covered.iter().enumerate() {
            let (x, y) = (smoothed(i, |r| r.1) * scale, row.0 * scale);
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        for (i, row) in covered.iter().enumerate().rev() {
            path.line_to(smoothed(i, |r| r.2) * scale, row.0 * scale);
        }
        path.close();
        path.finish()
    }

    /// Lays what was added over a picture, cut out along `path`.
    pub fn lay_over(&self, picture: &mut Pixmap, path: &Path) {
        let back = Transform::from_scale(1.0 / self.step, 1.0 / self.step);
        let shader =
            Pattern::new(self.pixels.as_ref(), SpreadMode::Pad, FilterQuality::Bilinear, 1.0, back);
        let paint = Paint { shader, ..Paint::default() };
        picture.fill_path(path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    /// A rectangle around all that was added and its soft border, in pixels of the picture.
    pub fn bounds(&self) -> Option<Path> {
        let covered = || self.spans.iter().enumerate().filter(|(_, span)| span.0 < span.1);
        let (top, bottom) = (covered().next()?.0 as f32, covered().next_back()?.0 as f32 + 1.0);
        let left = covered().map(|(_, span)| span.0).fold(f32::MAX, f32::min);
        let right = covered().map(|(_, span)| span.1).fold(f32::MIN, f32::max);
        let rect = Rect::from_ltrb(left - 2.0, top - 2.0, right + 2.0, bottom + 2.0)?;
        PathBuilder::from_rect(rect)
            .transform(Transform::from_scale(1.0 / self.step, 1.0 / self.step))
    }
}

/// Points of the surface row by row, closer together at the ends and in front, each with its
/// direction.
fn sheet(
    (top, bottom): (f32, f32),
    (rows, columns): (usize, usize),
    shape: &dyn Fn(f32, f32) -> Vec3,
) -> Vec<(f32, Vec3)> {
    let mut points = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let t = row as f32 / (rows - 1) as f32;
        // Half even steps, half those of a circle, whose ends are close together.
        let t = 0.6 * t + 0.4 * (0.5 - 0.5 * (PI * t).cos());
        let y = top + (bottom - top) * t;
        for column in 0..columns {
            let around = 2.0 * column as f32 / columns as f32 - 1.0;
            let turn = PI * (0.62 * around + 0.38 * around.powi(3));
            points.push((turn, shape(turn, y)));
        }
    }
    points
}

/// The normal at a point of a sheet, from its neighbours.
fn normal(points: &[(f32, Vec3)], (rows, columns): (usize, usize), i: usize) -> Vec3 {
    let (row, column) = (i / columns, i % columns);
    let at = |r: usize, c: usize| points[r * columns + c].1;
    let right = at(row, (column + 1) % columns);
    let left = at(row, (column + columns - 1) % columns);
    let down = at((row + 1).min(rows - 1), column);
    let up = at(row.saturating_sub(1), column);
    unit(cross(sub(right, left), sub(down, up)))
}

/// Where the row at `y` enters and leaves a triangle.
fn crossing(corners: [&Corner; 3], y: f32) -> Option<(Corner, Corner)> {
    let mut found: [Option<Corner>; 2] = [None, None];
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let (a, b) = (corners[from], corners[to]);
        if (a.at[1] <= y) == (b.at[1] <= y) {
            continue;
        }
        let t = (y - a.at[1]) / (b.at[1] - a.at[1]);
        let mut between = *a;
        for i in 0..3 {
            between.at[i] += (b.at[i] - a.at[i]) * t;
        }
        for i in 0..4 {
            between.rgba[i] += (b.rgba[i] - a.rgba[i]) * t;
        }
        let free = usize::from(found[0].is_some());
        found[free] = Some(between);
    }
    match found {
        [Some(a), Some(b)] if a.at[0] <= b.at[0] => Some((a, b)),
        [Some(a), Some(b)] => Some((b, a)),
        _ => None,
    }
}
