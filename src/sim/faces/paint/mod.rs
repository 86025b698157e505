//! The portrait itself, part by part from back to front. Knows who is painted and how the picture
//! is taken; knows nothing of files.

mod backdrop;
mod beard;
mod body;
mod brush;
mod eyes;
mod film;
mod glasses;
mod hair;
mod mouth;
mod skin;
mod strands;

use fastrand::Rng;
use tiny_skia::Pixmap;

use super::camera::{Camera, Frame};
use super::colour::{Rgb, mix, rgb, smooth};
use super::features::Identity;
use super::head::Head;
use super::light::{Lighting, Matter};
use super::mesh::{Grain, Layer};
use super::shot::Shot;
use brush::{Brush, Px};

pub(super) use backdrop::backdrop;
pub(super) use eyes::centre as eye_centre;
pub(super) use film::develop;

/// One person before the camera, everything measured and lit.
pub(super) struct Sitter<'a> {
    pub who: &'a Identity,
    pub shot: &'a Shot,
    pub head: Head,
    pub camera: Camera,
    light: Lighting,
    /// Skin and hair in neutral light.
    skin: Rgb,
    hair: Rgb,
    /// Pixels a head unit.
    unit: f32,
}

impl<'a> Sitter<'a> {
    pub fn new(who: &'a Identity, shot: &'a Shot, frame: Frame) -> Self {
        let head = Head::new(who, shot);
        let grey = smooth(who.hair.grey_at - 16.0, who.hair.grey_at + 20.0, head.age);
        Self {
            camera: Camera::new(shot.yaw, shot.pitch, shot.roll, frame),
            light: Lighting::new(shot),
            skin: who.skin.colour(),
            hair: mix(who.hair.colour, rgb(186, 184, 182), grey),
            unit: frame.unit,
            head,
            who,
            shot,
        }
    }

    /// Paints the person over what is there.
    pub fn paint(&self, picture: &mut Pixmap) {
        hair::behind(self, picture);
        body::paint(self, picture);
        let Some(mut layer) = Layer::new(picture.width(), picture.height(), Grain::FINE) else {
            return;
        };
        skin::ears(self, picture, skin::Ear::Behind);
        skin::head(self, picture, &mut layer);
        skin::ears(self, picture, skin::Ear::Before);
        skin::marks(self, picture);
        skin::nose(self, picture);
        skin::wrinkles(self, picture);
        mouth::paint(self, picture);
        eyes::paint(self, picture);
        beard::paint(self, picture, &layer);
        eyes::brows(self, picture, &layer);
        hair::before(self, picture, &layer);
        glasses::paint(self, picture);
    }

    /// Random numbers that belong to the person, for the part with this number.
    fn own_rng(&self, part: u64) -> Rng {
        Rng::with_seed(self.who.skin.freckle_seed ^ (part << 32))
    }

    /// Pixels of the skin at `x`, `y` in head units.
    fn px(&self, x: f32, y: f32) -> Px {
        self.camera.point(self.head.at(x, y))
    }

    /// Pixels of many places of the skin.
    fn line(&self, places: &[(f32, f32)]) -> Vec<Px> {
        places.iter().map(|&(x, y)| self.px(x, y)).collect()
    }

    /// A colour as it looks on the skin at `x`, `y`.
    fn lit(&self, colour: Rgb, x: f32, y: f32) -> Rgb {
        let step = 0.03;
        let (right, left) = (self.head.at(x + step, y), self.head.at(x - step, y));
        let (down, up) = (self.head.at(x, y + step), self.head.at(x, y - step));
        let across = super::camera::sub(right, left);
        let normal = super::camera::cross(across, super::camera::sub(down, up));
        let normal = super::camera::unit(self.camera.turn(normal));
        let open = self.head.openness(x, y);
        self.light.on(&Matter { colour, open, gloss: 0.1, soft: 1.0 }, normal)
    }

    /// How much of a small patch at this place, facing outward, the viewer sees: 0 to 1.
    fn seen(&self, x: f32, y: f32) -> f32 {
        let w = self.head.half_width(y).max(0.05);
        let flat = (1.0 - (x / w).powi(2)).max(0.0).sqrt();
        let normal = self.camera.turn([x / w, 0.0, flat]);
        smooth(0.02, 0.3, normal[2])
    }
}

/// A brush without a mask.
fn brush(picture: &mut Pixmap) -> Brush<'_> {
    Brush { picture, mask: None }
}
