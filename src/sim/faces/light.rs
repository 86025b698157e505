//! What light does to a surface: from direction, colour and openness to a colour on film. Knows
//! nothing of shapes or pixels.

use super::camera::{Vec3, dot, unit};
use super::colour::Rgb;
use super::shot::{Light, Shot};

/// The light of one shot, ready for use.
pub(super) struct Lighting {
    /// Toward the lamp, as the camera sees it.
    pub toward: Vec3,
    between: Vec3,
    key: Rgb,
    sky: Rgb,
}

/// What a point of a surface is like.
pub(super) struct Matter {
    pub colour: Rgb,
    /// How much of the sky it sees, 0 to 1.
    pub open: f32,
    /// Shine, 0 to 1.
    pub gloss: f32,
    /// How far light creeps under the surface, 0 to 1: much for skin, little for cloth.
    pub soft: f32,
}

impl Lighting {
    pub fn new(shot: &Shot) -> Self {
        let Light { azimuth, elevation, strength, ambient, warmth } = shot.light;
        let (az, el) = (azimuth.to_radians(), elevation.to_radians());
        let toward = unit([az.sin() * el.cos(), -el.sin(), az.cos() * el.cos()]);
        let tint = [1.0 + 0.08 * warmth, 1.0, 1.0 - 0.11 * warmth];
        let key = tint.map(|c| c * 0.86 * strength);
        let sky = [1.0 - 0.02 * warmth, 1.0, 1.0 + 0.04 * warmth].map(|c| c * ambient * 0.95);
        Self { toward, between: unit([toward[0], toward[1], toward[2] + 1.0]), key, sky }
    }

    /// The colour on film of a surface with this normal (length 1, as the camera sees it).
    pub fn on(&self, matter: &Matter, normal: Vec3) -> Rgb {
        let facing = dot(normal, self.toward);
        let edge = 0.72 + 0.28 * normal[2].max(0.0);
        let above = 0.8 - 0.2 * normal[1];
        let half = dot(normal, self.between).max(0.0);
        let tight = half.powi(24);
        let shine = matter.gloss * (0.20 * tight + 0.05 * half.powi(6)) * matter.open;
        // Red light creeps farthest through skin: shadows begin red, not grey.
        let creep = [0.42, 0.24, 0.17];
        [0, 1, 2].map(|i| {
            let wrap = creep[i] * matter.soft;
            let lit = ((facing + wrap) / (1.0 + wrap)).max(0.0);
            let own = matter.colour[i].max(0.0);
            let got = self.key[i] * lit * (0.45 + 0.55 * matter.open)
                + self.sky[i] * above * edge * matter.open;
            (own * own * got + shine * self.key[i]).sqrt().min(1.0)
        })
    }
}
