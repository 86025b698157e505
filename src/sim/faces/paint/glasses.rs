//! Glasses in front of the eyes.

use tiny_skia::Pixmap;

use super::super::colour::{Rgb, mix, rgb, scale};
use super::super::shot::Glasses;
use super::brush::{Px, inside, shape};
use super::{Sitter, brush};

/// What one kind of glasses looks like.
struct Frame {
    /// Half width and half height of a lens.
    half: (f32, f32),
    /// 2 is round, more is more square.
    power: f32,
    rim: f32,
    colour: Rgb,
    /// How dark the lenses are, 0 to 1.
    dark: f32,
    lower_rim: bool,
}

fn frame(kind: Glasses) -> Option<Frame> {
    let plastic = rgb(34, 26, 24);
    let metal = rgb(120, 104, 82);
    let (half, power, rim, colour, dark, lower_rim) = match kind {
        Glasses::None => return None,
        Glasses::Round => ((0.205, 0.195), 2.0, 0.016, metal, 0.0, true),
        Glasses::Square => ((0.222, 0.160), 4.0, 0.032, plastic, 0.0, true),
        Glasses::HalfRim => ((0.215, 0.140), 3.4, 0.024, rgb(60, 62, 68), 0.0, false),
        Glasses::Sun => ((0.228, 0.180), 2.9, 0.028, plastic, 0.9, true),
    };
    Some(Frame { half, power, rim, colour, dark, lower_rim })
}

/// Paints the glasses, if any.
pub(super) fn paint(sitter: &Sitter, picture: &mut Pixmap) {
    let Some(frame) = frame(sitter.shot.glasses) else { return };
    let u = sitter.unit;
    let facing = sitter.light.toward[2].max(0.3);
    let colour = scale(frame.colour, 0.6 + 0.6 * facing * sitter.shot.light.strength);
    for side in [-1.0_f32, 1.0] {
        temple(sitter, picture, &frame, side, colour);
    }
    for side in [-1.0_f32, 1.0] {
        lens(sitter, picture, &frame, side, colour);
    }
    let gap = lens_x(sitter) - frame.half.0;
    let y = lens_y(sitter);
    let bridge =
        [plane(sitter, -gap, y - 0.03), plane(sitter, 0.0, y - 0.06), plane(sitter, gap, y - 0.03)];
    let path = super::brush::ribbon(&bridge, |_| frame.rim * 1.1 * u);
    brush(picture).fill(path.as_ref(), colour, 1.0);
}

fn lens_x(sitter: &Sitter) -> f32 {
    sitter.head.eye.x.max(0.26) * 0.98
}

fn lens_y(sitter: &Sitter) -> f32 {
    sitter.head.eye.y + 0.03
}

/// Pixels of a place on the curved plane of the lenses.
fn plane(sitter: &Sitter, x: f32, y: f32) -> Px {
    let bridge = sitter.head.at(0.0, 0.03)[2];
    let z = bridge + 0.035 - 0.30 * x * x;
    sitter.camera.point([x, y, z])
}

fn lens(sitter: &Sitter, picture: &mut Pixmap, frame: &Frame, side: f32, colour: Rgb) {
    let u = sitter.unit;
    let (cx, cy) = (side * lens_x(sitter), lens_y(sitter));
    let p = 2.0 / frame.power;
    let around: Vec<Px> = (0..28)
        .map(|i| {
            let (sin, cos) = (i as f32 / 28.0 * std::f32::consts::TAU).sin_cos();
            let x = frame.half.0 * cos.signum() * cos.abs().powf(p);
            let y = frame.half.1 * sin.signum() * sin.abs().powf(p);
            plane(sitter, cx + x, cy + y - 0.015 * side * x / frame.half.0)
        })
        .collect();
    let path = shape(&around);
    let mask = inside(picture, path.as_ref());
    let mut brush = brush(picture);
    brush.mask = mask.as_ref();
    if frame.dark > 0.0 {
        brush.fill(path.as_ref(), rgb(22, 22, 26), frame.dark);
    } else {
        brush.fill(path.as_ref(), rgb(226, 236, 246), 0.07);
    }
    let gleam = [
        plane(sitter, cx - 0.10, cy - 0.14),
        plane(sitter, cx - 0.02, cy),
        plane(sitter, cx - 0.14, cy + 0.14),
    ];
    brush.crease(&gleam, 0.05 * u, [1.0; 3], 0.10 + 0.10 * frame.dark);
    let shadow: Vec<Px> = around.iter().skip(15).take(12).map(|q| (q.0, q.1 + 0.03 * u)).collect();
    brush.crease(&shadow, 0.03 * u, rgb(30, 18, 14), 0.30);
    brush.mask = None;
    let width = frame.rim * u;
    let mut closed = around.clone();
    if !frame.lower_rim {
        closed = around.iter().skip(14).chain(around.iter().take(1)).copied().collect();
    }
    let mut rim = tiny_skia::PathBuilder::new();
    super::brush::trace(&mut rim, &closed, frame.lower_rim);
    let rim = rim.finish();
    brush.lines(rim.as_ref(), width, colour, 1.0);
    brush.lines(rim.as_ref(), width * 0.3, mix(colour, [1.0; 3], 0.35), 0.45);
}

/// The side piece, from the hinge to the ear.
fn temple(sitter: &Sitter, picture: &mut Pixmap, frame: &Frame, side: f32, colour: Rgb) {
    // Hidden behind the face on the side that is turned away.
    if side * sitter.camera.yaw_sin > 0.12 {
        return;
    }
    let (x, y) = (side * (lens_x(sitter) + frame.half.0), lens_y(sitter) - 0.05);
    let ear = sitter.head.half_width(0.0) * 1.0;
    let hinge = plane(sitter, x, y);
    let path = super::brush::ribbon(
        &[
            hinge,
            sitter.camera.point([side * ear, y, 0.25]),
            sitter.camera.point([side * ear, y, -0.08]),
        ],
        |_| frame.rim * 1.1 * sitter.unit,
    );
    brush(picture).fill(path.as_ref(), scale(colour, 0.85), 1.0);
}
