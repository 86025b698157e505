//! The skin of head and ears, and what lies on it: marks, folds, the openings of the nose.

use tiny_skia::Pixmap;

use super::super::colour::{Rgb, bell, mix, rgb, scale, smooth};
use super::super::features::{FacialHair, HairStyle, MarkKind};
use super::super::light::Matter;
use super::super::mesh::{Layer, Spot};
use super::brush::{Px, inside, shape};
use super::{Sitter, brush};

/// Paints the bare head.
pub(super) fn head(sitter: &Sitter, picture: &mut Pixmap, layer: &mut Layer) {
    let head = &sitter.head;
    layer.surface(
        &sitter.camera,
        (head.crown, head.chin + 0.012),
        &|turn, y| head.skin(turn, y),
        &|spot| film(sitter, spot),
    );
    layer.bleed();
    let mask = inside(picture, layer.outline().as_ref());
    layer.lay_over(picture, mask.as_ref());
}

fn film(sitter: &Sitter, spot: &Spot) -> [f32; 4] {
    let [x, y, z] = spot.at;
    let front = z > -0.1;
    let open = if front { sitter.head.openness(x, y) * nose_shadow(sitter, x, y) } else { 0.8 };
    let colour = if front { complexion(sitter, x, y) } else { sitter.skin };
    let gloss = if front { shine(sitter, x, y) } else { 0.2 };
    let matter = Matter { colour, open, gloss, soft: 1.0 };
    let [r, g, b] = sitter.light.on(&matter, spot.normal);
    [r, g, b, 1.0]
}

/// The nose keeps the light from the cheek behind it and from the lip below.
fn nose_shadow(sitter: &Sitter, x: f32, y: f32) -> f32 {
    let n = &sitter.head.nose;
    let [right, down, _] = sitter.light.toward;
    let hard = 1.0 - sitter.shot.light.ambient;
    let beside = bell((x + right * 0.24) / (n.half * 0.75), (y - n.base + 0.12) / 0.15);
    let below = bell((x + right * 0.12) / (n.half * 0.9), (y - n.base - 0.055) / 0.045);
    let under_lip = -down.min(0.0);
    1.0 - hard * (0.42 * right.abs() * beside + 0.38 * under_lip * below)
}

/// Skin is not of one colour: redder where blood is near, bluish where a beard grows.
fn complexion(sitter: &Sitter, x: f32, y: f32) -> Rgb {
    let (head, who) = (&sitter.head, sitter.who);
    let side = x.abs();
    let pale = 1.0 - who.skin.melanin;
    let cheek = bell((side - 0.40) / 0.15, (y - 0.30) / 0.13);
    let tip = bell(side / 0.10, (y - head.nose.base + 0.07) / 0.08);
    let lids = bell((side - head.eye.x) / 0.13, (y - head.eye.y) / 0.08);
    let forehead = bell(side / 0.5, (y + 0.5) / 0.22);
    let red = 0.08 + 0.05 * who.skin.red;
    let mut colour =
        mix(sitter.skin, rgb(196, 88, 76), (red * (cheek + 0.9 * tip)) * (0.35 + 0.65 * pale));
    colour = mix(colour, rgb(110, 66, 70), 0.13 * lids * (0.4 + 0.6 * pale));
    colour = mix(colour, rgb(240, 206, 150), 0.06 * forehead);
    // Large soft blotches, always at the same places of this person.
    let phase = (who.skin.freckle_seed % 1000) as f32;
    let blotch = (x * 9.0 + phase).sin() * (y * 8.0 + phase * 1.7).sin()
        + 0.6 * (x * 21.0 - y * 17.0 + phase).sin();
    colour = scale(colour, 1.0 + 0.014 * blotch);
    let shadow = beard_shadow(sitter, side, y);
    mix(colour, mix(sitter.hair, rgb(60, 66, 74), 0.4), shadow)
}

fn beard_shadow(sitter: &Sitter, side: f32, y: f32) -> f32 {
    let much = match sitter.who.facial_hair {
        FacialHair::None => 0.07,
        FacialHair::Stubble => 0.26,
        FacialHair::Moustache | FacialHair::Goatee => 0.12,
        FacialHair::Short | FacialHair::Full => 0.34,
    };
    much * smooth(0.4, 0.8, sitter.who.masculine) * super::beard::growth(sitter, side, y)
}

fn shine(sitter: &Sitter, x: f32, y: f32) -> f32 {
    let side = x.abs();
    let n = &sitter.head.nose;
    let oily = bell(side / 0.32, (y + 0.42) / 0.18)
        + 1.2 * bell(side / 0.07, (y - n.base + 0.12) / 0.14)
        + 0.8 * bell((side - 0.40) / 0.12, (y - 0.16) / 0.09)
        + 0.5 * bell(side / 0.12, (y - 0.92) / 0.06);
    (0.16 + 0.42 * oily) * (0.85 + 0.4 * sitter.who.skin.melanin)
}

/// Which ears: those that the head hides in part, or the one turned to the viewer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ear {
    Behind,
    Before,
}

/// Paints the ears of one kind.
pub(super) fn ears(sitter: &Sitter, picture: &mut Pixmap, which: Ear) {
    // Covered by cloth, or by hair that hangs before them.
    if matches!(sitter.who.hair.style, HairStyle::Scarf | HairStyle::Bob | HairStyle::FringeBob) {
        return;
    }
    for side in [-1.0_f32, 1.0] {
        // Turning to the right shows the left ear.
        let near = side * sitter.camera.yaw_sin < -0.12;
        if near == (which == Ear::Before) {
            ear(sitter, picture, side);
        }
    }
}

/// A place on the plate of the ear: `out` from the head, `down` from its middle.
fn ear_px(sitter: &Sitter, side: f32, out: f32, down: f32) -> Px {
    let e = &sitter.who.ears;
    let spread = 0.85 + 0.28 * e.stick_out;
    let base = sitter.head.half_width(0.12) * 0.965;
    let at = [
        side * (base + out * spread.sin()),
        0.12 + down * (1.0 + 0.12 * e.size) - 0.06 * out,
        -0.10 - out * spread.cos(),
    ];
    sitter.camera.point(at)
}

fn ear(sitter: &Sitter, picture: &mut Pixmap, side: f32) {
    let p = |out: f32, down: f32| ear_px(sitter, side, out, down);
    let lobe = 0.022 * sitter.who.ears.lobe;
    let outline = [
        p(-0.03, -0.17),
        p(0.05, -0.245),
        p(0.15, -0.235),
        p(0.205, -0.14),
        p(0.19, 0.0),
        p(0.135, 0.12),
        p(0.10 + lobe, 0.215 + lobe),
        p(0.045 + lobe, 0.245 + 1.6 * lobe),
        p(-0.03, 0.19),
    ];
    let normal = super::super::camera::unit(sitter.camera.turn([side * 0.55, 0.0, 0.8]));
    let warm = mix(sitter.skin, rgb(196, 84, 70), 0.12);
    let tone = |k: f32, open: f32| {
        sitter.light.on(&Matter { colour: scale(warm, k), open, gloss: 0.1, soft: 1.0 }, normal)
    };
    let path = shape(&outline);
    let colours = [tone(0.8, 0.6), tone(0.98, 0.85), tone(1.0, 0.95)];
    let u = sitter.unit;
    let mask = inside(picture, path.as_ref());
    let mut brush = brush(picture);
    brush.fill_along(path.as_ref(), (p(-0.02, 0.0), p(0.2, 0.0)), &colours);
    brush.mask = mask.as_ref();
    let dark = scale(tone(0.6, 0.5), 0.6);
    let hollow = [p(0.02, -0.02), p(0.08, 0.03)];
    brush.dab(hollow[0], (0.09 * u, 0.12 * u), 0.0, dark, 0.75);
    let rim = [p(0.02, -0.17), p(0.08, -0.205), p(0.15, -0.17), p(0.155, -0.06), p(0.13, 0.05)];
    brush.crease(&rim, 0.02 * u, dark, 0.55);
    let inner = [p(0.07, -0.13), p(0.11, -0.07), p(0.10, 0.04), p(0.06, 0.11)];
    brush.crease(&inner, 0.022 * u, dark, 0.5);
    let light = [p(0.10, -0.225), p(0.18, -0.16), p(0.175, 0.0)];
    brush.crease(&light, 0.016 * u, mix(tone(1.0, 1.0), [1.0; 3], 0.3), 0.35);
}

/// Moles, scars and freckles.
pub(super) fn marks(sitter: &Sitter, picture: &mut Pixmap) {
    let u = sitter.unit;
    let mut brush = brush(picture);
    freckles(sitter, &mut brush);
    for mark in &sitter.who.marks {
        let seen = sitter.seen(mark.x, mark.y);
        let at = sitter.px(mark.x, mark.y);
        match mark.kind {
            MarkKind::Mole => {
                let dark =
                    sitter.lit(mix(scale(sitter.skin, 0.35), rgb(58, 32, 24), 0.5), mark.x, mark.y);
                let r = mark.size * u;
                brush.dab(at, (r * 1.9 * seen, r * 1.9), 0.0, dark, 0.55 * seen);
                brush.dab(at, (r * 1.2 * seen, r * 1.2), 0.0, dark, seen);
            }
            MarkKind::Scar => {
                let (sin, cos) = mark.angle.sin_cos();
                let along = |t: f32, bend: f32| {
                    sitter.px(
                        mark.x + mark.size * t * cos - bend * sin,
                        mark.y + mark.size * t * sin + bend * cos,
                    )
                };
                let points =
                    [along(-1.0, 0.0), along(-0.3, 0.008), along(0.4, -0.004), along(1.0, 0.006)];
                let shade = sitter.lit(scale(sitter.skin, 0.6), mark.x, mark.y);
                let pale = sitter.lit(mix(sitter.skin, rgb(255, 226, 216), 0.55), mark.x, mark.y);
                brush.crease(&points, 0.020 * u, shade, 0.55 * seen);
                brush.crease(&points, 0.009 * u, pale, 0.9 * seen);
            }
        }
    }
}

fn freckles(sitter: &Sitter, brush: &mut super::Brush) {
    let much = sitter.who.skin.freckles;
    let mut rng = sitter.own_rng(1);
    for _ in 0..(much * 130.0) as usize {
        let x = 0.62 * (rng.f32() + rng.f32() - 1.0);
        let y = 0.24 + 0.34 * (rng.f32() + rng.f32() - 1.0);
        let r = (0.006 + 0.008 * rng.f32()) * sitter.unit;
        let seen = sitter.seen(x, y);
        let colour = sitter.lit(mix(scale(sitter.skin, 0.62), rgb(150, 84, 48), 0.5), x, y);
        brush.dab(sitter.px(x, y), (r * 1.5 * seen, r * 1.5), 0.0, colour, 0.55 * seen);
    }
}

/// Nostrils and the folds beside the wings.
pub(super) fn nose(sitter: &Sitter, picture: &mut Pixmap) {
    let n = &sitter.head.nose;
    let u = sitter.unit;
    let mut brush = brush(picture);
    let deep = mix(scale(sitter.skin, 0.16), rgb(44, 14, 10), 0.5);
    for side in [-1.0_f32, 1.0] {
        let x = side * n.half * 0.47;
        let hole_y = n.base - 0.004 - 0.006 * n.turn;
        let high = (0.020 + 0.009 * n.turn + 0.05 * sitter.camera.pitch_sin).max(0.008) * u;
        let wide = n.half * 0.34 * u * sitter.seen(side * 0.45, 0.4).max(0.25);
        let angle = sitter.camera.roll - side * 0.32;
        let at = sitter.px(x, hole_y);
        brush.dab(at, (wide * 1.5, high * 1.8), angle, deep, 0.36);
        brush.dab(at, (wide, high), angle, deep, 0.9);
        let seen = sitter.seen(side * 0.42, 0.35);
        let fold = sitter.line(&[
            (side * n.half * 0.84, n.base - 0.135),
            (side * n.half * 1.03, n.base - 0.085),
            (side * n.half * 1.07, n.base - 0.035),
            (side * n.half * 0.92, n.base + 0.004),
        ]);
        let shade = scale(sitter.lit(sitter.skin, side * n.half * 1.1, n.base - 0.05), 0.55);
        brush.crease(&fold, 0.022 * u, shade, 0.46 * seen);
        let under = sitter.line(&[
            (side * n.half * 0.92, n.base - 0.004),
            (side * n.half * 0.5, n.base + 0.020),
            (0.0, n.base + 0.012),
        ]);
        brush.crease(&under, 0.018 * u, shade, 0.26);
    }
}

/// Folds of age and of the expression.
pub(super) fn wrinkles(sitter: &Sitter, picture: &mut Pixmap) {
    let (age, smile) = (sitter.head.age, sitter.head.smile);
    let old = smooth(36.0, 78.0, age);
    let shade = |x: f32, y: f32| scale(sitter.lit(sitter.skin, x, y), 0.58);
    let (e, n, m) = (&sitter.head.eye, &sitter.head.nose, &sitter.head.mouth);
    let u = sitter.unit;
    let mut brush = brush(picture);
    let raised = if sitter.head.brow.y < -0.225 { 0.2 } else { 0.0 };
    for (i, y) in [-0.36_f32, -0.43, -0.51].into_iter().enumerate() {
        let wave = 0.012 * (i as f32 + sitter.who.asymmetry * 3.0).sin();
        let line = sitter.line(&[
            (-0.30, y + wave),
            (-0.15, y - 0.012),
            (0.0, y + 0.012 + wave),
            (0.15, y - 0.010),
            (0.30, y),
        ]);
        brush.crease(&line, 0.014 * u, shade(0.0, y), 0.62 * old + raised);
    }
    for side in [-1.0_f32, 1.0] {
        let mut crease = |points: &[(f32, f32)], width: f32, much: f32| {
            let places: Vec<(f32, f32)> = points.iter().map(|&(x, y)| (side * x, y)).collect();
            let (x, y) = places[places.len() / 2];
            brush.crease(&sitter.line(&places), width * u, shade(x, y), much * sitter.seen(x, y));
        };
        let beside = [
            (n.half + 0.025, n.base - 0.10),
            (n.half + 0.085, n.base - 0.01),
            (m.half + 0.045, m.y - 0.10),
            (m.half + 0.065, m.y - 0.01),
        ];
        crease(&beside, 0.026, 0.10 + 0.50 * old + 0.38 * smile);
        let under_mouth = [
            (m.half + 0.025, m.y + 0.03),
            (m.half + 0.05, m.y + 0.10),
            (m.half + 0.035, m.y + 0.18),
        ];
        crease(&under_mouth, 0.02, 0.5 * old);
        let bag = [
            (e.x - e.half * 0.9, e.y + 0.055),
            (e.x - 0.02, e.y + 0.115),
            (e.x + e.half * 0.7, e.y + 0.085),
        ];
        crease(&bag, 0.022, 0.16 + 0.42 * old + 0.12 * smile);
        for i in 0..3 {
            let fan = (i as f32 - 1.0) * 0.045;
            let out = e.x + e.half;
            let line = [
                (out + 0.03, e.y + fan * 0.5),
                (out + 0.075, e.y + fan),
                (out + 0.11, e.y + fan * 1.7),
            ];
            crease(&line, 0.011, 0.55 * old + 0.25 * smile * smooth(24.0, 40.0, age));
        }
        let frown = [(0.055, -0.25), (0.05, -0.19), (0.062, -0.13)];
        crease(&frown, 0.014, 0.42 * old * sitter.who.masculine.max(0.4));
    }
}
