//! What is behind the head.

use fastrand::Rng;
use tiny_skia::{FilterQuality, PathBuilder, Pixmap, PixmapPaint, Rect, Transform};

use super::super::colour::{Rgb, mix, rgb, scale};
use super::super::shot::{Background, Shot};
use super::brush;

/// Fills the picture.
pub(in super::super) fn backdrop(picture: &mut Pixmap, shot: &Shot) {
    let level = (0.55 + 0.45 * shot.light.strength).min(1.1);
    match shot.background {
        Background::Plain(colour) => wall(picture, scale(colour, level), 0.03),
        Background::Wall(colour) => wall(picture, scale(colour, level), 0.28),
        Background::Room(seed) => blurred(picture, seed, level, &ROOM),
        Background::Outdoors(seed) => blurred(picture, seed, level, &OUTDOORS),
    }
}

const ROOM: [[u8; 3]; 5] =
    [[146, 130, 112], [94, 82, 72], [178, 166, 148], [70, 78, 88], [206, 190, 158]];
const OUTDOORS: [[u8; 3]; 5] =
    [[106, 126, 84], [70, 94, 62], [150, 168, 128], [176, 196, 210], [132, 142, 104]];

fn wall(picture: &mut Pixmap, colour: Rgb, fall: f32) {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let all = Rect::from_xywh(0.0, 0.0, w, h).map(PathBuilder::from_rect);
    let ends = [scale(colour, 1.04), scale(colour, 1.0 - fall * 0.6), scale(colour, 1.0 - fall)];
    brush(picture).fill_along(all.as_ref(), ((w * 0.3, 0.0), (w * 0.6, h)), &ends);
}

/// How many pixels of the picture are one of a blurred background: nobody sees the difference.
const COARSE: u32 = 8;

/// Large soft spots: what a lens makes of things far behind.
fn blurred(picture: &mut Pixmap, seed: u64, level: f32, colours: &[[u8; 3]; 5]) {
    let size = |side: u32| side / COARSE + 2;
    let Some(mut far) = Pixmap::new(size(picture.width()), size(picture.height())) else { return };
    let mut rng = Rng::with_seed(seed);
    let pick = |rng: &mut Rng| {
        let [r, g, b] = colours[rng.usize(..colours.len())];
        scale(rgb(r, g, b), level * (0.8 + 0.3 * rng.f32()))
    };
    let base = mix(pick(&mut rng), pick(&mut rng), 0.5);
    wall(&mut far, base, 0.2);
    let (w, h) = (far.width() as f32, far.height() as f32);
    for _ in 0..14 {
        let at = (w * rng.f32(), h * rng.f32());
        let size = (w * (0.12 + 0.3 * rng.f32()), h * (0.1 + 0.35 * rng.f32()));
        let colour = pick(&mut rng);
        brush(&mut far).dab(at, size, 0.0, colour, 0.75);
    }
    let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
    let large = Transform::from_scale(COARSE as f32, COARSE as f32);
    picture.draw_pixmap(0, 0, far.as_ref(), &paint, large, None);
}
