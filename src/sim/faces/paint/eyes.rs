//! Eyes, lids, lashes and brows.

use tiny_skia::{PathBuilder, Pixmap};

use super::super::camera::Vec3;
use super::super::colour::{Rgb, bell, mix, rgb, scale, smooth};
use super::super::features::HairStyle;
use super::super::mesh::Layer;
use super::brush::{Px, inside, ribbon, shape};
use super::{Brush, Sitter, brush};

/// Steps from the inner to the outer corner.
const STEPS: i32 = 12;

/// One eye: its side (-1 is left in the picture) and its edges from inner to outer corner.
struct Eye {
    side: f32,
    upper: Vec<Px>,
    lower: Vec<Px>,
}

/// Paints both eyes.
pub(super) fn paint(sitter: &Sitter, picture: &mut Pixmap) {
    for side in [-1.0_f32, 1.0] {
        let eye =
            Eye { side, upper: lid(sitter, side, 1.0, 0.0), lower: lid(sitter, side, -1.0, 0.0) };
        ball(sitter, picture, &eye);
        let mut brush = brush(picture);
        lids(sitter, &mut brush, &eye);
        lashes(sitter, &mut brush, &eye);
    }
}

/// Where a point between the corners (-1 inner, 1 outer) of an eye lies in head units.
fn across(sitter: &Sitter, side: f32, t: f32) -> (f32, f32) {
    let e = &sitter.head.eye;
    let uneven = 0.008 * sitter.who.asymmetry * side;
    (side * (e.x + t * e.half), e.y + uneven - e.tilt * t)
}

/// The centre of an eye in pixels.
pub(in super::super) fn centre(sitter: &Sitter, side: f32) -> Px {
    let (x, y) = across(sitter, side, 0.0);
    sitter.px(x, y - 0.2 * sitter.head.eye.up)
}

/// The edge of the upper (`way` 1) or lower (-1) lid, or a line `apart` beyond it.
fn lid(sitter: &Sitter, side: f32, way: f32, apart: f32) -> Vec<Px> {
    let e = &sitter.head.eye;
    (0..=STEPS)
        .map(|i| {
            let t = 2.0 * i as f32 / STEPS as f32 - 1.0;
            let (x, y) = across(sitter, side, t);
            let lean = if way > 0.0 { -0.12 } else { 0.22 };
            let q = t - lean * (1.0 - t * t);
            let round = (1.0 - q.abs().powf(if way > 0.0 { 2.1 } else { 2.0 })).max(0.0);
            let open = if way > 0.0 {
                e.up * (1.0 - 0.35 * e.fold * smooth(0.1, -1.0, t))
            } else {
                e.down
            };
            let inner = 0.010 * smooth(-0.55, -1.0, t);
            sitter.px(x, y + inner - way * (open * round + apart * (0.55 + 0.45 * round)))
        })
        .collect()
}

/// White, iris and pupil.
fn ball(sitter: &Sitter, picture: &mut Pixmap, eye: &Eye) {
    let mut around = eye.upper.clone();
    around.extend(eye.lower.iter().rev().skip(1).take(STEPS as usize - 1));
    let path = shape(&around);
    let mask = inside(picture, path.as_ref());
    let u = sitter.unit;
    let mut brush = brush(picture);
    let (inner, outer) = (eye.upper[0], eye.upper[STEPS as usize]);
    let (x, y) = across(sitter, eye.side, 0.0);
    let white = sitter.lit(rgb(226, 220, 214), x, y);
    let white = mix(white, rgb(200, 194, 188), 0.25);
    brush.fill_along(
        path.as_ref(),
        (inner, outer),
        &[scale(white, 0.72), white, scale(white, 1.02), scale(white, 0.70)],
    );
    brush.mask = mask.as_ref();
    let pink = sitter.lit(rgb(196, 116, 106), x, y);
    brush.dab(inner, (0.05 * u, 0.035 * u), 0.0, pink, 0.75);
    iris(sitter, &mut brush, eye);
    // The upper lid and its lashes shade the ball.
    let lower: Vec<Px> = eye.upper.iter().map(|p| (p.0, p.1 + 0.012 * u)).collect();
    brush.crease(&lower, 0.034 * u, rgb(30, 20, 18), 0.62);
    let rim = sitter.lit(mix(sitter.skin, rgb(206, 130, 116), 0.5), x, y + 0.05);
    brush.crease(&eye.lower, 0.010 * u, rim, 0.8);
}

/// The iris looks at the camera, wherever the head turns.
fn iris(sitter: &Sitter, brush: &mut Brush, eye: &Eye) {
    let e = &sitter.head.eye;
    let (x, y) = across(sitter, eye.side, 0.0);
    let gaze_x = -0.075 * sitter.camera.yaw_sin;
    let gaze_y = 0.10 * sitter.camera.pitch_sin;
    let at = sitter.px(x + gaze_x, y - 0.30 * e.up + 0.006 + gaze_y);
    let (u, r) = (sitter.unit, e.iris * sitter.unit);
    let level = 0.75 + 0.35 * sitter.shot.light.strength;
    let own = scale(sitter.who.iris, level);
    let stops = [
        (0.0, scale(own, 0.9)),
        (0.38, mix(scale(own, 1.25), rgb(170, 130, 70), 0.12)),
        (0.70, own),
        (0.88, scale(own, 0.66)),
        (1.0, scale(own, 0.28)),
    ];
    brush.dab(at, (r * 1.22, r * 1.22), 0.0, scale(own, 0.25), 0.6);
    brush.fill_around(at, r, &stops);
    fibres(brush, at, r, mix(own, [1.0; 3], 0.3));
    // Light that came in opposite to the lamp glows in the iris.
    let [right, down, _] = sitter.light.toward;
    brush.dab(
        (at.0 - right * r * 0.4, at.1 + 0.35 * r),
        (r * 0.75, r * 0.6),
        0.0,
        mix(own, [1.0; 3], 0.35),
        0.4,
    );
    brush.fill_around(
        at,
        r * 0.42,
        &[(0.0, rgb(8, 7, 8)), (0.85, rgb(10, 8, 9)), (1.0, rgb(24, 18, 16))],
    );
    let glint = (at.0 + right * r * 0.55, at.1 + (down * 0.55 - 0.05) * r);
    brush.dab(glint, (r * 0.34, r * 0.34), 0.0, [1.0; 3], 1.0);
    brush.dab(glint, (r * 0.20, r * 0.20), 0.0, [1.0; 3], 1.0);
    brush.dab(
        (at.0 - right * r * 0.45, at.1 + r * 0.5),
        (0.018 * u, 0.012 * u),
        0.0,
        [1.0; 3],
        0.22,
    );
}

fn fibres(brush: &mut Brush, at: Px, r: f32, colour: [f32; 3]) {
    let mut path = PathBuilder::new();
    for i in 0..28 {
        let (sin, cos) = (i as f32 * 0.2244).sin_cos();
        let far = if i % 3 == 0 { 0.86 } else { 0.72 };
        path.move_to(at.0 + cos * r * 0.45, at.1 + sin * r * 0.45);
        path.line_to(at.0 + cos * r * far, at.1 + sin * r * far);
    }
    brush.lines(path.finish().as_ref(), r * 0.05, colour, 0.25);
}

/// Crease of the upper lid, its shine, and the edge of the lower lid.
fn lids(sitter: &Sitter, brush: &mut Brush, eye: &Eye) {
    let e = &sitter.head.eye;
    let u = sitter.unit;
    let (x, y) = across(sitter, eye.side, 0.1);
    let lit = sitter.lit(sitter.skin, x, y - e.up - 0.02);
    let dark = mix(scale(lit, 0.42), scale(rgb(70, 34, 30), 0.8), 0.35);
    if e.crease > 0.012 {
        let crease = lid(sitter, eye.side, 1.0, e.crease);
        brush.crease(&crease, 0.017 * u, dark, 0.72);
        let shine = lid(sitter, eye.side, 1.0, e.crease * 0.5);
        brush.crease(&shine[3..10], e.crease * 0.45 * u, mix(lit, [1.0; 3], 0.22), 0.38);
    } else {
        let soft = lid(sitter, eye.side, 1.0, 0.02);
        brush.crease(&soft, 0.012 * u, dark, 0.35);
    }
    let below = lid(sitter, eye.side, -1.0, 0.010);
    brush.crease(&below, 0.014 * u, dark, 0.42);
    let corner = eye.lower[0];
    brush.dab(corner, (0.03 * u, 0.02 * u), 0.0, dark, 0.4);
}

fn lashes(sitter: &Sitter, brush: &mut Brush, eye: &Eye) {
    let u = sitter.unit;
    let femme = 1.0 - sitter.who.masculine;
    let colour = mix(rgb(24, 17, 15), scale(sitter.who.hair.colour, 0.5), 0.35);
    let width = (0.017 + 0.010 * femme) * u;
    let line =
        ribbon(&eye.upper, |t| width * (0.35 + 0.9 * t) * (1.0 - smooth(0.93, 1.0, t) * 0.8));
    brush.fill(line.as_ref(), colour, 0.88);
    brush.crease(&eye.lower[5..], 0.008 * u, colour, 0.4 + 0.25 * femme);
    let mut path = PathBuilder::new();
    let length = (0.014 + 0.026 * femme) * u;
    for i in 2..=STEPS as usize {
        let t = i as f32 / STEPS as f32;
        let at = eye.upper[i];
        let out = eye.side * (t - 0.42) * 1.3;
        path.move_to(at.0, at.1);
        path.quad_to(
            at.0 + out * length * 0.5,
            at.1 - 0.35 * length,
            at.0 + out * length * 1.1,
            at.1 - length * (0.6 + 0.5 * bell((t - 0.7) / 0.3, 0.0)),
        );
    }
    brush.lines(path.finish().as_ref(), 0.007 * u, colour, 0.65);
}

/// How thick a brow is at a part of its length, 0 inner to 1 outer end.
fn brow_thickness(sitter: &Sitter, t: f32) -> f32 {
    sitter.head.brow.thick
        * (0.72 + 0.5 * smooth(0.0, 0.3, t))
        * (1.0 - 0.82 * smooth(0.45, 1.05, t))
}

/// A place in a brow: `t` along it, `v` across it (-0.5 to 0.5).
fn in_brow(sitter: &Sitter, side: f32, t: f32, v: f32) -> Vec3 {
    let b = &sitter.head.brow;
    let x = side * (b.inner + (b.outer - b.inner) * t);
    let arch = b.arch * (smooth(0.0, 0.66, t) - 1.15 * smooth(0.62, 1.08, t));
    let uneven = 0.010 * sitter.who.asymmetry * side;
    let y = b.y + uneven - arch - b.slope * t + v * brow_thickness(sitter, t);
    sitter.camera.place(sitter.head.at(x, y))
}

fn brow_colour(sitter: &Sitter) -> Rgb {
    let grey = smooth(62.0, 90.0, sitter.head.age) * 0.6;
    let own = sitter.who.hair.colour;
    let base =
        if sitter.who.hair.style == HairStyle::Scarf { own } else { mix(own, sitter.hair, 0.5) };
    mix(mix(scale(base, 0.72), rgb(58, 40, 30), 0.28), rgb(170, 168, 166), grey)
}

/// Paints both brows, hair by hair over a soft shadow, as far as the skin does not hide them.
pub(super) fn brows(sitter: &Sitter, picture: &mut Pixmap, skin: &Layer) {
    let u = sitter.unit;
    let mut rng = sitter.own_rng(2);
    let mut brush = brush(picture);
    for side in [-1.0_f32, 1.0] {
        let lit = sitter.lit(brow_colour(sitter), side * 0.3, sitter.head.brow.y);
        let middle: Vec<Px> = (0..=8)
            .map(|i| in_brow(sitter, side, i as f32 / 8.0, 0.0))
            .take_while(|p| skin.sees(*p))
            .map(|p| (p[0], p[1]))
            .collect();
        let shown = middle.len() as f32 / 9.0;
        for (more, part) in [(1.25, 0.20), (0.9, 0.28), (0.55, 0.32)] {
            let width =
                |t: f32| brow_thickness(sitter, t * shown) * more * u * smooth(-0.08, 0.12, t);
            brush.fill(ribbon(&middle, width).as_ref(), lit, part);
        }
        for tone in [0.75, 1.15] {
            let mut path = PathBuilder::new();
            for _ in 0..44 {
                let (t, v) = (rng.f32(), rng.f32() - 0.5);
                let from = in_brow(sitter, side, t, v);
                let rise = 0.45 * (1.0 - t).powi(2);
                let to = in_brow(sitter, side, (t + 0.10).min(1.05), v * 0.7 - rise);
                if skin.sees(from) && skin.sees(to) {
                    path.move_to(from[0], from[1]);
                    path.line_to(to[0], to[1]);
                }
            }
            brush.strands(path.finish().as_ref(), 0.0085 * u, scale(lit, tone), 0.6);
        }
    }
}
