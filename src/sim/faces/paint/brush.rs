//! Soft strokes, dabs and ribbons on a picture: the few marks that all parts of a portrait are made
//! of. Knows pixels only, nothing of faces.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path,
    PathBuilder, Pixmap, Point, RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::super::colour::Rgb;

/// A place in pixels.
pub(in super::super) type Px = (f32, f32);

fn ink(colour: Rgb, alpha: f32) -> Color {
    let [r, g, b] = colour.map(|c| c.clamp(0.0, 1.0));
    Color::from_rgba(r, g, b, alpha.clamp(0.0, 1.0)).unwrap_or(Color::TRANSPARENT)
}

/// A paint of one colour.
fn flat(colour: Rgb, alpha: f32) -> Paint<'static> {
    Paint { shader: Shader::SolidColor(ink(colour, alpha)), ..Paint::default() }
}

/// A picture being painted, optionally only inside a mask.
pub(super) struct Brush<'a> {
    pub picture: &'a mut Pixmap,
    pub mask: Option<&'a Mask>,
}

impl Brush<'_> {
    /// Fills a shape.
    pub fn fill(&mut self, path: Option<&Path>, colour: Rgb, alpha: f32) {
        self.fill_with(path, &flat(colour, alpha));
    }

    /// Fills a shape with colours along a line.
    pub fn fill_along(&mut self, path: Option<&Path>, (from, to): (Px, Px), colours: &[Rgb]) {
        let last = colours.len().saturating_sub(1).max(1) as f32;
        let stops = colours
            .iter()
            .enumerate()
            .map(|(i, &c)| GradientStop::new(i as f32 / last, ink(c, 1.0)));
        let shader = LinearGradient::new(
            Point::from_xy(from.0, from.1),
            Point::from_xy(to.0, to.1),
            stops.collect(),
            SpreadMode::Pad,
            Transform::identity(),
        );
        if let Some(shader) = shader {
            self.fill_with(path, &Paint { shader, ..Paint::default() });
        }
    }

    /// Fills a round shape with colours from its centre outward, each at a part of the radius.
    pub fn fill_around(&mut self, centre: Px, radius: f32, stops: &[(f32, Rgb)]) {
        let stops = stops.iter().map(|&(at, c)| GradientStop::new(at, ink(c, 1.0))).collect();
        let path = PathBuilder::from_circle(centre.0, centre.1, radius);
        let middle = Point::from_xy(centre.0, centre.1);
        let shader = RadialGradient::new(
            middle,
            0.0,
            middle,
            radius,
            stops,
            SpreadMode::Pad,
            Transform::identity(),
        );
        if let Some(shader) = shader {
            self.fill_with(path.as_ref(), &Paint { shader, ..Paint::default() });
        }
    }

    fn fill_with(&mut self, path: Option<&Path>, paint: &Paint) {
        if let Some(path) = path {
            self.picture.fill_path(
                path,
                paint,
                FillRule::Winding,
                Transform::identity(),
                self.mask,
            );
        }
    }

    /// A soft spot that fades out at `size` (half width, half height) turned by `angle` radians.
    pub fn dab(&mut self, at: Px, size: (f32, f32), angle: f32, colour: Rgb, alpha: f32) {
        if !(size.0 > 0.05 && size.1 > 0.05 && alpha > 0.004) {
            return;
        }
        let stops = [(0.0, 1.0), (0.25, 0.84), (0.5, 0.5), (0.75, 0.16), (1.0, 0.0)]
            .map(|(place, part)| GradientStop::new(place, ink(colour, alpha * part)))
            .to_vec();
        let place = Transform::from_scale(size.0, size.1)
            .post_rotate(angle.to_degrees())
            .post_translate(at.0, at.1);
        let zero = Point::zero();
        let shader = RadialGradient::new(zero, 0.0, zero, 1.0, stops, SpreadMode::Pad, place);
        let path = PathBuilder::from_circle(0.0, 0.0, 1.0).and_then(|p| p.transform(place));
        if let Some(shader) = shader {
            self.fill_with(path.as_ref(), &Paint { shader, ..Paint::default() });
        }
    }

    /// Draws lines of one width and colour.
    pub fn lines(&mut self, path: Option<&Path>, width: f32, colour: Rgb, alpha: f32) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.stroke(path, &stroke, colour, alpha);
    }

    /// Draws many hairs of one width and colour: lines without round ends, which cost time.
    pub fn strands(&mut self, path: Option<&Path>, width: f32, colour: Rgb, alpha: f32) {
        let stroke = Stroke { width, line_join: LineJoin::Bevel, ..Stroke::default() };
        self.stroke(path, &stroke, colour, alpha);
    }

    fn stroke(&mut self, path: Option<&Path>, stroke: &Stroke, colour: Rgb, alpha: f32) {
        if let Some(path) = path {
            let paint = flat(colour, alpha);
            self.picture.stroke_path(path, &paint, stroke, Transform::identity(), self.mask);
        }
    }

    /// A line that is thick in the middle and thin at both ends; soft if laid over itself wider.
    pub fn crease(&mut self, points: &[Px], width: f32, colour: Rgb, alpha: f32) {
        if alpha < 0.03 {
            return;
        }
        for (more, part) in [(2.6, 0.22), (1.7, 0.36), (0.9, 0.6)] {
            let path = ribbon(points, |t| width * more * (4.0 * t * (1.0 - t)).max(0.0).sqrt());
            self.fill(path.as_ref(), colour, alpha * part);
        }
    }
}

/// Adds a smooth curve through the points to a path.
pub(super) fn trace(path: &mut PathBuilder, points: &[Px], closed: bool) {
    let count = points.len();
    if count < 2 {
        return;
    }
    let at = |i: isize| {
        let last = count as isize - 1;
        let i = if closed { i.rem_euclid(count as isize) } else { i.clamp(0, last) };
        points[i as usize]
    };
    path.move_to(points[0].0, points[0].1);
    let segments = if closed { count } else { count - 1 };
    for i in 0..segments as isize {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        path.cubic_to(
            b.0 + (c.0 - a.0) / 6.0,
            b.1 + (c.1 - a.1) / 6.0,
            c.0 - (d.0 - b.0) / 6.0,
            c.1 - (d.1 - b.1) / 6.0,
            c.0,
            c.1,
        );
    }
    if closed {
        path.close();
    }
}

/// Adds a hair through the points to a path.
pub(super) fn strand(path: &mut PathBuilder, points: &[Px]) {
    for (i, at) in points.iter().enumerate() {
        if i == 0 { path.move_to(at.0, at.1) } else { path.line_to(at.0, at.1) }
    }
}

/// A smooth closed shape through the points.
pub(super) fn shape(points: &[Px]) -> Option<Path> {
    let mut path = PathBuilder::new();
    trace(&mut path, points, true);
    path.finish()
}

/// A band along the points, as wide as `width` says for each part (0 to 1) of the way.
pub(super) fn ribbon(points: &[Px], width: impl Fn(f32) -> f32) -> Option<Path> {
    let last = points.len().checked_sub(1).filter(|&l| l > 0)?;
    let mut sides: [Vec<Px>; 2] = [Vec::new(), Vec::new()];
    for (i, &(x, y)) in points.iter().enumerate() {
        let (before, after) = (points[i.saturating_sub(1)], points[(i + 1).min(last)]);
        let (dx, dy) = (after.0 - before.0, after.1 - before.1);
        let length = dx.hypot(dy).max(1e-4);
        let half = 0.5 * width(i as f32 / last as f32);
        let (nx, ny) = (-dy / length * half, dx / length * half);
        sides[0].push((x + nx, y + ny));
        sides[1].push((x - nx, y - ny));
    }
    let [mut all, back] = sides;
    all.extend(back.into_iter().rev());
    shape(&all)
}

/// A mask that is open inside the path only.
pub(super) fn inside(picture: &Pixmap, path: Option<&Path>) -> Option<Mask> {
    let mut mask = Mask::new(picture.width(), picture.height())?;
    mask.fill_path(path?, FillRule::Winding, true, Transform::identity());
    Some(mask)
}
