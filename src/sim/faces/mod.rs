//! Faces of people who do not exist, drawn by our own code: they stand in for photographs in the
//! demo, the tests and the benches, so that no real face is ever needed.
//!
//! An [`Identity`] is who somebody is, a [`Shot`] is how a picture is taken; the same two always
//! give the same pixels. A head is a lit surface that turns in space (`head`, `mesh`, `light`),
//! with eyes, mouth, brows and hair painted on it (`paint`). Knows nothing of the API it serves.
//!
//! ```
//! use secondlook::sim::faces::{Format, Identity, Shot, draw, encode};
//!
//! let somebody = Identity::from_seed(7);
//! let shot = Shot::from_seed(1);
//! let picture = draw(&somebody, &shot, 96, 120);
//! let file = encode(&picture, Format::Jpeg { quality: shot.quality });
//! assert!(!file.is_empty());
//! ```

mod camera;
mod colour;
mod encode;
mod features;
mod head;
mod light;
mod mesh;
mod paint;
mod shot;

use image::RgbImage;
use tiny_skia::Pixmap;

pub use colour::Rgb;
pub use encode::{Broken, Format, broken, encode};
pub use features::{
    Brows, Ears, Eyes, FacialHair, Hair, HairStyle, Identity, Mark, MarkKind, Mouth, Nose, Outline,
    Skin,
};
pub use shot::{Background, Clothes, Expression, Glasses, Light, Shot};

use camera::Frame;
use paint::Sitter;

/// The usual width of a picture in pixels.
pub const WIDTH: u32 = 480;
/// The usual height of a picture in pixels.
pub const HEIGHT: u32 = 600;

/// A face in a picture: `[x_min, y_min, x_max, y_max]` in pixels.
pub type FaceBox = [f64; 4];

/// Takes the picture: `width` by `height` pixels. An empty picture if either is 0.
#[must_use]
pub fn draw(who: &Identity, shot: &Shot, width: u32, height: u32) -> RgbImage {
    let Some(mut picture) = Pixmap::new(width, height) else {
        return RgbImage::new(width, height);
    };
    paint::backdrop(&mut picture, shot);
    Sitter::new(who, shot, frame(shot, width, height)).paint(&mut picture);
    paint::develop(picture, shot)
}

/// Where the face is in [`draw`] with the same arguments, from forehead to chin and from ear to
/// ear, as a detector would put it; may reach beyond the picture if the shot is cropped.
#[must_use]
pub fn face_box(who: &Identity, shot: &Shot, width: u32, height: u32) -> FaceBox {
    let sitter = Sitter::new(who, shot, frame(shot, width, height));
    mirrored_box(box_of(&sitter), shot, width)
}

/// The centres of the eyes in [`draw`] with the same arguments, left one in the picture first.
#[must_use]
pub fn eye_centres(who: &Identity, shot: &Shot, width: u32, height: u32) -> [(f64, f64); 2] {
    let sitter = Sitter::new(who, shot, frame(shot, width, height));
    let [left, right] = [-1.0, 1.0].map(|side| {
        let (x, y) = paint::eye_centre(&sitter, side);
        (f64::from(x), f64::from(y))
    });
    if shot.mirror {
        let wide = f64::from(width);
        return [(wide - right.0, right.1), (wide - left.0, left.1)];
    }
    [left, right]
}

/// A picture of several people side by side, and where their faces are, left to right as given.
/// Background, grain and mirror are those of the first shot. Nobody gives a black picture.
#[must_use]
pub fn group(people: &[(Identity, Shot)], width: u32, height: u32) -> (RgbImage, Vec<FaceBox>) {
    let (Some((_, first)), Some(mut picture)) = (people.first(), Pixmap::new(width, height)) else {
        return (RgbImage::new(width, height), Vec::new());
    };
    paint::backdrop(&mut picture, first);
    let share = 1.0 / people.len() as f32;
    let mut boxes = Vec::with_capacity(people.len());
    for (i, (who, shot)) in people.iter().enumerate() {
        let mut frame = frame(shot, width, height);
        let usual = 0.5 * width as f32;
        let smaller = (1.35 * share).min(1.0);
        frame.x += width as f32 * share * (i as f32 + 0.5) - usual;
        frame.unit *= smaller;
        frame.y -= height as f32 * 0.03 * (1.0 - smaller);
        let sitter = Sitter::new(who, shot, frame);
        sitter.paint(&mut picture);
        boxes.push(mirrored_box(box_of(&sitter), first, width));
    }
    (paint::develop(picture, first), boxes)
}

/// Where the head stands: eyes a little above the middle, head about two thirds of the height.
fn frame(shot: &Shot, width: u32, height: u32) -> Frame {
    let (w, h) = (width as f32, height as f32);
    Frame {
        x: w * (0.5 + shot.shift.0),
        y: h * (0.475 + shot.shift.1),
        unit: 0.30 * h.min(1.25 * w) * shot.scale.clamp(0.1, 4.0),
    }
}

fn box_of(sitter: &Sitter) -> FaceBox {
    let mut found: FaceBox = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    let (top, bottom) = (-0.60_f32, sitter.head.chin);
    for row in 0..=24 {
        let y = top + (bottom - top) * row as f32 / 24.0;
        for column in -8_i32..=8 {
            let (x, y) = sitter.camera.point(sitter.head.skin(column as f32 * 0.19, y));
            let (x, y) = (f64::from(x), f64::from(y));
            found = [found[0].min(x), found[1].min(y), found[2].max(x), found[3].max(y)];
        }
    }
    found
}

fn mirrored_box([x_min, y_min, x_max, y_max]: FaceBox, shot: &Shot, width: u32) -> FaceBox {
    let wide = f64::from(width);
    if shot.mirror {
        [wide - x_max, y_min, wide - x_min, y_max]
    } else {
        [x_min, y_min, x_max, y_max]
    }
}

#[cfg(test)]
mod tests;
