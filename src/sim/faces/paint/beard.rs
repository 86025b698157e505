//! Hair of the face: where it grows, and its strands.

use fastrand::Rng;
use tiny_skia::{PathBuilder, Pixmap};

use super::super::colour::{bell, mix, rgb, scale, smooth};
use super::super::features::FacialHair;
use super::super::mesh::Layer;
use super::{Sitter, brush};

/// How densely a beard grows at a place of the skin, 0 to 1.
pub(super) fn growth(sitter: &Sitter, side: f32, y: f32) -> f32 {
    let (n, m) = (&sitter.head.nose, &sitter.head.mouth);
    // The upper border runs from the ear to the corner of the mouth.
    let border = 0.30 + 0.26 * smooth(0.56, 0.24, side);
    let jaw = smooth(border - 0.02, border + 0.10, y)
        * smooth(0.10, 0.30, side + 0.8 * smooth(m.y, m.y + 0.14, y));
    let lip = smooth(n.base + 0.01, n.base + 0.06, y)
        * (1.0 - smooth(m.half + 0.02, m.half + 0.09, side));
    let mouth = bell(
        side / (m.half * 0.62),
        (y - m.y - m.open * 0.5 - 0.3 * m.lower) / (0.036 + m.open * 0.5),
    );
    (jaw.max(lip) * (1.0 - mouth.min(1.0))).clamp(0.0, 1.0)
}

/// The part of the growth that this beard leaves standing.
fn kept(kind: FacialHair, sitter: &Sitter, side: f32, y: f32) -> f32 {
    let m = &sitter.head.mouth;
    let lip = 1.0 - smooth(m.y + 0.01, m.y + 0.03, y - 0.35 * (side - m.half).max(0.0));
    let ring = 1.0 - smooth(m.half + 0.02, m.half + 0.07, side);
    match kind {
        FacialHair::None => 0.0,
        FacialHair::Moustache => lip * ring,
        FacialHair::Goatee => ring,
        FacialHair::Stubble | FacialHair::Short | FacialHair::Full => 1.0,
    }
}

/// Length of the hairs in head units, their number, and how far they hang from the skin.
fn length(kind: FacialHair) -> (f32, usize, f32) {
    match kind {
        FacialHair::None => (0.0, 0, 0.0),
        FacialHair::Stubble => (0.012, 1100, 0.0),
        FacialHair::Moustache => (0.070, 500, 0.01),
        FacialHair::Goatee => (0.075, 800, 0.02),
        FacialHair::Short => (0.060, 1000, 0.01),
        FacialHair::Full => (0.150, 1100, 0.05),
    }
}

/// Paints the hair of the face.
pub(super) fn paint(sitter: &Sitter, picture: &mut Pixmap, layer: &Layer) {
    let kind = sitter.who.facial_hair;
    let (long, count, out) = length(kind);
    if count == 0 {
        return;
    }
    let mut rng = sitter.own_rng(3);
    let colour = mix(scale(sitter.hair, 0.85), rgb(60, 38, 26), 0.12);
    if kind != FacialHair::Stubble {
        ground(sitter, picture, kind, colour, &mut rng);
    }
    let alpha = if kind == FacialHair::Stubble { 0.22 } else { 0.7 };
    for pass in 0..6 {
        let mut path = PathBuilder::new();
        let tone = [0.55, 0.75, 0.95, 0.8, 1.1, 1.35][pass];
        // Each pass lies on one side of the face in turn, so that it takes that side's light.
        let half = if pass % 2 == 0 { -1.0 } else { 1.0 };
        for _ in 0..count / 6 {
            let (x, y) = (half * 0.66 * rng.f32(), 0.28 + (sitter.head.chin - 0.26) * rng.f32());
            let dense = growth(sitter, x.abs(), y) * kept(kind, sitter, x.abs(), y);
            if dense < 0.25 + 0.5 * rng.f32() || x.abs() > sitter.head.half_width(y) * 0.96 {
                continue;
            }
            if !layer.sees(sitter.camera.place(sitter.head.at(x, y))) {
                continue;
            }
            hair(sitter, &mut path, (x, y), long * (0.7 + 0.6 * rng.f32()), out, &mut rng);
        }
        let lit = sitter.lit(scale(colour, tone), half * 0.3, 0.72);
        brush(picture).strands(
            path.finish().as_ref(),
            (0.0065 + 0.03 * long) * sitter.unit,
            lit,
            alpha,
        );
    }
}

/// One hair: down, and away from the middle of the lip.
fn hair(
    sitter: &Sitter,
    path: &mut PathBuilder,
    (x, y): (f32, f32),
    long: f32,
    out: f32,
    rng: &mut Rng,
) {
    let m = &sitter.head.mouth;
    let on_lip = y < m.y && x.abs() < m.half + 0.08;
    let away = if on_lip { 0.9 * x.signum() } else { -0.35 * x } + 0.5 * (rng.f32() - 0.5);
    let mut from = sitter.head.at(x, y);
    from[2] += out;
    let (down, across) =
        if on_lip { (long * 0.45, away * long * 0.75) } else { (long, away * long) };
    let to = [from[0] + across, from[1] + down, from[2] + out * 0.3 - 0.25 * down];
    let (a, b) = (sitter.camera.point(from), sitter.camera.point(to));
    path.move_to(a.0, a.1);
    path.line_to(b.0, b.1);
}

/// Soft dark ground, so that no skin shines through a dense beard.
fn ground(
    sitter: &Sitter,
    picture: &mut Pixmap,
    kind: FacialHair,
    colour: [f32; 3],
    rng: &mut Rng,
) {
    let u = sitter.unit;
    let heavy = if kind == FacialHair::Full { 0.62 } else { 0.42 };
    let mut brush = brush(picture);
    let rows = 15;
    for row in 0..rows {
        let y = 0.30 + (sitter.head.chin + 0.02 - 0.30) * row as f32 / (rows - 1) as f32;
        for column in -9_i32..=9 {
            let x = column as f32 * 0.066 + 0.02 * (rng.f32() - 0.5);
            if x.abs() > sitter.head.half_width(y) * 0.97 {
                continue;
            }
            let much = growth(sitter, x.abs(), y) * kept(kind, sitter, x.abs(), y);
            if much < 0.2 {
                continue;
            }
            let lit = sitter.lit(scale(colour, 0.8), x, y);
            let seen = sitter.seen(x, y);
            brush.dab(
                sitter.px(x, y),
                (0.066 * u * seen.max(0.3), 0.06 * u),
                0.0,
                lit,
                heavy * much,
            );
        }
    }
}
