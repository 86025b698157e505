//! Lips, and what shows between them.

use tiny_skia::Pixmap;

use super::super::colour::{Rgb, mix, rgb, scale};
use super::brush::{Px, inside, shape};
use super::{Brush, Sitter, brush};

/// Steps from one corner to the other.
const STEPS: i32 = 14;

/// The four edges of the mouth at a part of its width (-1 left corner, 1 right corner).
#[derive(Clone, Copy)]
enum Edge {
    /// Upper edge of the upper lip.
    Top,
    /// Where the upper lip ends.
    Upper,
    /// Where the lower lip begins.
    Lower,
    /// Lower edge of the lower lip.
    Bottom,
}

/// Paints the mouth.
pub(super) fn paint(sitter: &Sitter, picture: &mut Pixmap) {
    let m = &sitter.head.mouth;
    let top = edge(sitter, Edge::Top);
    let upper = edge(sitter, Edge::Upper);
    let lower = edge(sitter, Edge::Lower);
    let bottom = edge(sitter, Edge::Bottom);
    if m.open > 0.0 {
        gap(sitter, picture, &upper, &lower);
    }
    lip(sitter, picture, &top, &upper, 0.80);
    lip(sitter, picture, &lower, &bottom, 1.0);
    let mut brush = brush(picture);
    let u = sitter.unit;
    let dark = mix(scale(sitter.skin, 0.22), rgb(58, 18, 18), 0.5);
    if m.open == 0.0 {
        brush.crease(&upper, 0.020 * u, dark, 0.9);
    } else {
        brush.crease(&upper, 0.012 * u, dark, 0.6);
    }
    for corner in [upper.first(), upper.last()].into_iter().flatten() {
        brush.dab(*corner, (0.030 * u, 0.022 * u), 0.0, dark, 0.38);
    }
    let shade = scale(sitter.lit(sitter.skin, 0.0, m.y + m.open + m.lower + 0.04), 0.62);
    let under: Vec<Px> = bottom.iter().skip(4).take(7).map(|p| (p.0, p.1 + 0.012 * u)).collect();
    brush.crease(&under, 0.026 * u, shade, 0.42);
}

fn edge(sitter: &Sitter, which: Edge) -> Vec<Px> {
    let m = &sitter.head.mouth;
    let skew = 0.02 * sitter.who.asymmetry;
    (0..=STEPS)
        .map(|i| {
            let t = 2.0 * i as f32 / STEPS as f32 - 1.0;
            let s = t.abs();
            let line = m.y - m.lift * s * s - 0.004 * (1.0 - s);
            let round = (1.0 - s * s).max(0.0);
            let y = match which {
                Edge::Top => {
                    let peak = (1.0 - ((s - 0.26) / 0.74).max(0.0).powf(1.25)).max(0.0);
                    let dip = m.bow * (1.0 - (s / 0.26).min(1.0)).powf(1.4);
                    line - m.upper * peak + dip - 0.35 * m.open * round * 0.3
                }
                Edge::Upper => line + 0.006 * (1.0 - (s / 0.25).min(1.0)),
                Edge::Lower => line + m.open * round + 0.004 * round,
                Edge::Bottom => line + m.open * round + m.lower * round.powf(0.72),
            };
            sitter.px(t * m.half + skew * round, y)
        })
        .collect()
}

/// Colour of the lips in neutral light.
fn colour(sitter: &Sitter) -> Rgb {
    let who = sitter.who;
    let rose = mix(rgb(190, 92, 92), rgb(104, 54, 54), who.skin.melanin);
    let much = 0.42 + 0.22 * (1.0 - who.masculine) + 0.05 * who.skin.red;
    mix(sitter.skin, rose, much)
}

fn lip(sitter: &Sitter, picture: &mut Pixmap, over: &[Px], under: &[Px], level: f32) {
    let m = &sitter.head.mouth;
    let mut around = over.to_vec();
    around.extend(under.iter().rev());
    let path = shape(&around);
    let lower = level >= 1.0;
    let y = if lower { m.y + m.open + 0.5 * m.lower } else { m.y - 0.5 * m.upper };
    let own = colour(sitter);
    let side = |x: f32| sitter.lit(scale(own, level), x * m.half, y);
    let colours = [side(-0.9), side(-0.4), side(0.0), side(0.4), side(0.9)];
    let ends = (over[0], over[over.len() - 1]);
    let mask = inside(picture, path.as_ref());
    let u = sitter.unit;
    let mut brush = brush(picture);
    // A wide faint line first: lips end softly.
    brush.lines(path.as_ref(), 0.022 * u, colours[2], 0.22);
    brush.fill_along(path.as_ref(), ends, &colours);
    brush.mask = mask.as_ref();
    let dark = scale(colours[2], 0.5);
    if lower {
        let full = sitter.px(-sitter.light.toward[0] * -0.3 * m.half, y - 0.1 * m.lower);
        brush.dab(
            full,
            (m.half * 0.62 * u, m.lower * 0.34 * u),
            sitter.camera.roll,
            mix(colours[2], [1.0; 3], 0.5),
            0.42,
        );
        let low: Vec<Px> = under.iter().skip(2).take(11).copied().collect();
        brush.crease(&low, 0.022 * u, dark, 0.35);
    } else {
        brush.crease(under, 0.030 * u, dark, 0.45);
    }
    furrows(sitter, &mut brush, over, under, dark);
}

/// The fine lines across the lips.
fn furrows(sitter: &Sitter, brush: &mut Brush, over: &[Px], under: &[Px], dark: Rgb) {
    let mut path = tiny_skia::PathBuilder::new();
    for i in 3..over.len().saturating_sub(3) {
        let (a, b) = (over[i], under[i]);
        path.move_to(a.0 * 0.85 + b.0 * 0.15, a.1 * 0.85 + b.1 * 0.15);
        path.line_to(a.0 * 0.15 + b.0 * 0.85, a.1 * 0.15 + b.1 * 0.85);
    }
    brush.lines(path.finish().as_ref(), 0.006 * sitter.unit, dark, 0.14);
}

/// Teeth and the dark behind them.
fn gap(sitter: &Sitter, picture: &mut Pixmap, upper: &[Px], lower: &[Px]) {
    let m = &sitter.head.mouth;
    let mut around = upper.to_vec();
    around.extend(lower.iter().rev());
    let path = shape(&around);
    let mask = inside(picture, path.as_ref());
    let u = sitter.unit;
    let mut brush = brush(picture);
    brush.fill(path.as_ref(), rgb(52, 16, 18), 1.0);
    brush.mask = mask.as_ref();
    let grin = sitter.head.smile > 0.9;
    let reach = if grin { 0.92 } else { 0.42 };
    let mut teeth = upper.to_vec();
    teeth.extend(
        upper
            .iter()
            .zip(lower)
            .rev()
            .map(|(a, b)| (a.0 * 0.96 + b.0 * 0.04, a.1 + (b.1 - a.1) * reach)),
    );
    let tone = |k: f32| scale(sitter.lit(rgb(236, 228, 214), 0.0, m.y), k);
    let ends = (upper[0], upper[upper.len() - 1]);
    brush.fill_along(
        shape(&teeth).as_ref(),
        ends,
        &[tone(0.45), tone(0.85), tone(0.96), tone(0.85), tone(0.45)],
    );
    let mut between = tiny_skia::PathBuilder::new();
    for i in -3_i32..=3 {
        let x = i as f32 * 0.056;
        let (a, b) = (sitter.px(x, m.y - 0.03), sitter.px(x, m.y + m.open * reach));
        between.move_to(a.0, a.1);
        between.line_to(b.0, b.1);
    }
    brush.lines(between.finish().as_ref(), 0.006 * u, tone(0.5), 0.5);
    brush.crease(upper, 0.03 * u, rgb(40, 14, 14), 0.45);
}
