//! Neck, shoulders and clothes. They do not turn with the head.

use fastrand::Rng;
use tiny_skia::Pixmap;

use super::super::camera::unit;
use super::super::colour::{Rgb, mix, rgb, scale};
use super::super::features::HairStyle;
use super::super::light::Matter;
use super::super::shot::Clothes;
use super::brush::{Px, shape};
use super::{Sitter, brush};

/// Paints everything below the head.
pub(super) fn paint(sitter: &Sitter, picture: &mut Pixmap) {
    neck(sitter, picture);
    let colour = cloth(sitter.shot.clothes);
    let covered = sitter.who.hair.style == HairStyle::Scarf;
    if matches!(sitter.shot.clothes, Clothes::Jacket(_)) {
        garment(sitter, picture, rgb(226, 226, 224), (0.30, 1.42), 0.8);
        collar(sitter, picture, rgb(232, 232, 230));
        jacket(sitter, picture, colour);
    } else {
        let neckline = match sitter.shot.clothes {
            Clothes::Tee(_) => (0.46, 1.52),
            Clothes::Pullover(_) => (0.44, 1.24),
            _ => (0.40, 1.42),
        };
        garment(sitter, picture, colour, neckline, 1.0);
    }
    if let Clothes::Shirt(_) = sitter.shot.clothes {
        collar(sitter, picture, scale(colour, 1.08));
    }
    if covered {
        drape(sitter, picture);
    }
}

fn cloth(clothes: Clothes) -> Rgb {
    match clothes {
        Clothes::Tee(c) | Clothes::Shirt(c) | Clothes::Jacket(c) | Clothes::Pullover(c) => c,
    }
}

/// How much higher the shoulders stand than the heights below say.
const RAISED: f32 = 0.08;

/// Pixels of a place of the body.
fn px(sitter: &Sitter, x: f32, y: f32) -> Px {
    let frame = sitter.camera.frame;
    (frame.x + x * sitter.unit, frame.y + (y - RAISED) * sitter.unit)
}

/// Colours from left to right of something round.
fn round(sitter: &Sitter, colour: Rgb, open: f32, soft: f32) -> Vec<Rgb> {
    [-0.95_f32, -0.7, -0.35, 0.0, 0.35, 0.7, 0.95]
        .iter()
        .map(|&x| {
            let normal = unit([x, -0.12, (1.0 - x * x).sqrt()]);
            sitter.light.on(&Matter { colour, open, gloss: 0.0, soft }, normal)
        })
        .collect()
}

fn neck_half(sitter: &Sitter) -> f32 {
    0.365 + 0.085 * sitter.who.masculine + 0.015 * sitter.who.outline.fullness
}

fn neck(sitter: &Sitter, picture: &mut Pixmap) {
    let half = neck_half(sitter);
    let top = sitter.camera.point([0.0, 0.45, -0.25]);
    let wide = half * sitter.unit;
    let base = |x: f32, y: f32| px(sitter, x, y);
    let points = [
        (top.0 - wide, top.1),
        base(-half * 0.98, 1.05),
        base(-half * 1.04, 1.3),
        base(-half * 1.5, 1.52),
        base(-0.9, 1.72),
        base(-0.9, 2.4),
        base(0.9, 2.4),
        base(0.9, 1.72),
        base(half * 1.5, 1.52),
        base(half * 1.04, 1.3),
        base(half * 0.98, 1.05),
        (top.0 + wide, top.1),
    ];
    let path = shape(&points);
    let colours = round(sitter, scale(sitter.skin, 0.97), 0.72, 1.0);
    let ends = (base(-half * 1.25, 1.2), base(half * 1.25, 1.2));
    let mask = brush::inside(picture, path.as_ref());
    let mut brush = brush(picture);
    brush.fill_along(path.as_ref(), ends, &colours);
    brush.mask = mask.as_ref();
    // The shadow of the chin falls away from the lamp.
    let chin = sitter.camera.point(sitter.head.at(0.0, sitter.head.chin - 0.05));
    let shade = mix(scale(sitter.skin, 0.22), rgb(50, 18, 12), 0.3);
    let away = -sitter.light.toward[0] * 0.22 * sitter.unit;
    let u = sitter.unit;
    brush.dab((chin.0 + away, chin.1 + 0.04 * u), (0.60 * u, 0.30 * u), 0.0, shade, 0.85);
    brush.dab((chin.0 + away, chin.1 - 0.05 * u), (0.75 * u, 0.48 * u), 0.0, shade, 0.45);
    for side in [-1.0, 1.0] {
        let cord =
            [base(side * half * 0.72, 1.12), base(side * half * 0.5, 1.32), base(side * 0.1, 1.52)];
        brush.crease(&cord, 0.05 * u, shade, 0.10);
    }
}

/// Shoulders under cloth, with a neckline this wide and deep; `part` of the full width.
fn garment(
    sitter: &Sitter,
    picture: &mut Pixmap,
    colour: Rgb,
    (neckline, depth): (f32, f32),
    part: f32,
) {
    let wide = part * (1.28 + 0.18 * sitter.who.masculine);
    let p = |x: f32, y: f32| px(sitter, x, y);
    let edge = neck_half(sitter).max(neckline);
    let points = [
        p(-edge, 1.34),
        p(-wide * 0.62, 1.52),
        p(-wide * 0.94, 1.70),
        p(-wide * 1.08, 2.1),
        p(-wide * 1.1, 3.0),
        p(wide * 1.1, 3.0),
        p(wide * 1.08, 2.1),
        p(wide * 0.94, 1.70),
        p(wide * 0.62, 1.52),
        p(edge, 1.34),
        p(edge * 0.62, depth - 0.04),
        p(0.0, depth + 0.03),
        p(-edge * 0.62, depth - 0.04),
    ];
    let path = shape(&points);
    let colours = round(sitter, colour, 0.85, 0.2);
    let mask = brush::inside(picture, path.as_ref());
    let mut brush = brush(picture);
    brush.fill_along(path.as_ref(), (p(-wide * 1.2, 1.5), p(wide * 1.2, 1.7)), &colours);
    brush.mask = mask.as_ref();
    folds(sitter, &mut brush, colour);
    let rim = [
        p(-edge, 1.34),
        p(-edge * 0.62, depth - 0.04),
        p(0.0, depth + 0.03),
        p(edge * 0.62, depth - 0.04),
        p(edge, 1.34),
    ];
    brush.crease(&rim, 0.05 * sitter.unit, scale(colour, 0.4), 0.5);
}

/// Creases of cloth, other ones in each picture.
fn folds(sitter: &Sitter, brush: &mut brush::Brush, colour: Rgb) {
    let mut rng = Rng::with_seed(sitter.shot.grain ^ 0xf01d);
    let u = sitter.unit;
    for _ in 0..9 {
        let x = 2.4 * (rng.f32() - 0.5);
        let y = 1.62 + 0.5 * rng.f32();
        let fall =
            [px(sitter, x, y), px(sitter, x * 1.06 + 0.05, y + 0.2), px(sitter, x * 1.1, y + 0.5)];
        let tone = if rng.bool() { scale(colour, 0.45) } else { mix(colour, [1.0; 3], 0.25) };
        brush.crease(&fall, (0.03 + 0.05 * rng.f32()) * u, tone, 0.22);
    }
}

fn collar(sitter: &Sitter, picture: &mut Pixmap, colour: Rgb) {
    let half = neck_half(sitter);
    let u = sitter.unit;
    for side in [-1.0_f32, 1.0] {
        let p = |x: f32, y: f32| px(sitter, side * x, y);
        let points = [
            p(half * 1.12, 1.22),
            p(half * 1.3, 1.36),
            p(0.36, 1.68),
            p(0.03, 1.56),
            p(half * 0.7, 1.42),
        ];
        let facing = unit([side * 0.5, -0.2, 0.9]);
        let matter = Matter { colour, open: 0.95, gloss: 0.0, soft: 0.2 };
        let lit = sitter.light.on(&matter, facing);
        let mut path = tiny_skia::PathBuilder::new();
        for (i, at) in points.iter().enumerate() {
            if i == 0 { path.move_to(at.0, at.1) } else { path.line_to(at.0, at.1) }
        }
        path.close();
        let path = path.finish();
        let mut brush = brush(picture);
        brush.lines(path.as_ref(), 0.03 * u, scale(lit, 0.55), 0.5);
        brush.fill(path.as_ref(), lit, 1.0);
    }
}

fn jacket(sitter: &Sitter, picture: &mut Pixmap, colour: Rgb) {
    let half = neck_half(sitter);
    let wide = 1.28 + 0.18 * sitter.who.masculine;
    let u = sitter.unit;
    for side in [-1.0_f32, 1.0] {
        let p = |x: f32, y: f32| px(sitter, side * x, y);
        let points = [
            p(half * 1.2, 1.33),
            p(wide * 0.62, 1.50),
            p(wide * 0.96, 1.68),
            p(wide * 1.1, 2.1),
            p(wide * 1.12, 3.0),
            p(0.0, 3.0),
            p(0.06, 2.4),
            p(0.32, 1.8),
        ];
        let path = shape(&points);
        let matter = |x: f32| {
            let normal = unit([side * x, -0.15, (1.0 - x * x).sqrt()]);
            sitter.light.on(&Matter { colour, open: 0.9, gloss: 0.0, soft: 0.2 }, normal)
        };
        let colours = [matter(0.0), matter(0.4), matter(0.75), matter(0.97)];
        let mut brush = brush(picture);
        brush.fill_along(path.as_ref(), (p(0.1, 1.6), p(wide * 1.1, 1.8)), &colours);
        let lapel = [p(half * 1.2, 1.33), p(0.62, 1.75), p(0.5, 1.98), p(0.1, 2.5)];
        brush.crease(&lapel, 0.03 * u, scale(colour, 0.4), 0.8);
    }
}

/// The ends of a headscarf around the neck and over the shoulders.
fn drape(sitter: &Sitter, picture: &mut Pixmap) {
    let colour = sitter.who.hair.scarf;
    let u = sitter.unit;
    let p = |x: f32, y: f32| px(sitter, x, y);
    let chin = sitter.camera.point(sitter.head.at(0.0, sitter.head.chin - 0.12));
    let points = [
        (p(-0.56, 0.0).0, chin.1 - 0.28 * u),
        p(-0.72, 1.2),
        p(-1.05, 1.62),
        p(-1.15, 2.1),
        p(-0.5, 2.5),
        p(0.5, 2.5),
        p(1.15, 2.1),
        p(1.05, 1.62),
        p(0.72, 1.2),
        (p(0.56, 0.0).0, chin.1 - 0.28 * u),
        (chin.0, chin.1),
    ];
    let path = shape(&points);
    let colours = round(sitter, colour, 0.85, 0.2);
    let mask = brush::inside(picture, path.as_ref());
    let mut brush = brush(picture);
    brush.fill_along(path.as_ref(), (p(-1.0, 1.3), p(1.0, 1.4)), &colours);
    brush.mask = mask.as_ref();
    brush.dab((chin.0, chin.1 + 0.06 * u), (0.7 * u, 0.28 * u), 0.0, scale(colour, 0.2), 0.7);
    let mut rng = sitter.own_rng(7);
    for i in 0..9 {
        let from = -0.6 + 0.15 * i as f32;
        let sag = 1.35 + 0.12 * rng.f32() + 0.2 * (i % 3) as f32;
        let fall = [
            p(from, 1.0),
            p(from * 0.7 + 0.1, sag),
            p(from * 0.4 + 0.35, sag + 0.28),
            p(0.8, sag + 0.3),
        ];
        let tone = if i % 2 == 0 { scale(colour, 0.45) } else { mix(colour, [1.0; 3], 0.3) };
        brush.crease(&fall, 0.05 * u, tone, 0.3);
    }
}
