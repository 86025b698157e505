//! Strands combed over the body of hair, by the way the cut lies.

use std::f32::consts::TAU;

use fastrand::Rng;
use tiny_skia::{PathBuilder, Pixmap};

use super::super::camera::{Vec3, unit};
use super::super::colour::{Rgb, mix, scale, smooth};
use super::super::features::HairStyle;
use super::super::head::AXIS;
use super::super::mesh::Layer;
use super::brush::{Px, shape, strand};
use super::hair::{Cut, Lie, part_turn, strand_colour, volume};
use super::{Sitter, brush};

/// What the strands of one person need: the cut, and the surfaces that may hide them.
pub(super) struct Styling<'a, 'b> {
    pub sitter: &'a Sitter<'b>,
    pub cut: &'a Cut,
    pub layer: &'a Layer,
}

/// Strands gathered by tone, so that each tone is drawn in one go.
struct Strands<'a, 'b> {
    style: &'a Styling<'a, 'b>,
    tones: Vec<(PathBuilder, Rgb, f32)>,
}

/// Steps of brightness that strands are sorted into.
const TONES: usize = 9;

impl<'a, 'b> Strands<'a, 'b> {
    /// Adds a strand through points in head units, where nothing hides it. Its parts take the light
    /// of where they lie.
    fn add(&mut self, points: &[Vec3], tone: f32) {
        let sitter = self.style.sitter;
        let places: Vec<Vec3> = points.iter().map(|&p| sitter.camera.place(p)).collect();
        for start in (0..points.len().saturating_sub(1)).step_by(3) {
            let end = (start + 4).min(points.len());
            let seen = places[start..end].iter().take_while(|p| self.style.layer.sees(**p)).count();
            if seen < 2 {
                continue;
            }
            let p = points[start + seen / 2];
            let away = unit([p[0] * 1.2, (p[1] + 0.15).min(0.0), p[2] - AXIS]);
            let colour = strand_colour(sitter, tone, sitter.camera.turn(away));
            let line: Vec<Px> = places[start..start + seen].iter().map(|p| (p[0], p[1])).collect();
            self.sort_in(&line, colour);
        }
    }

    fn sort_in(&mut self, line: &[Px], colour: Rgb) {
        let hair = self.style.sitter.hair;
        let light = luminance(colour) / (1.5 * luminance(hair)).max(0.12);
        let place = ((light * TONES as f32) as usize).min(TONES - 1);
        let (path, mean, count) = &mut self.tones[place];
        strand(path, line);
        *count += 1.0;
        *mean = [0, 1, 2].map(|i| mean[i] + (colour[i] - mean[i]) / *count);
    }

    /// Draws all, dark under light; `width` in head units.
    fn draw(self, picture: &mut Pixmap, width: f32, alpha: f32) {
        let width = width * self.style.sitter.unit;
        for (path, colour, _) in self.tones {
            brush(picture).strands(path.finish().as_ref(), width, colour, alpha);
        }
    }
}

fn luminance([r, g, b]: Rgb) -> f32 {
    0.3 * r + 0.59 * g + 0.11 * b
}

impl Styling<'_, '_> {
    fn strands(&self) -> Strands<'_, '_> {
        Strands {
            style: self,
            tones: (0..TONES).map(|_| (PathBuilder::new(), [0.0; 3], 0.0)).collect(),
        }
    }

    /// Lays strands as the cut has them.
    pub fn comb(&self, picture: &mut Pixmap, rng: &mut Rng) {
        if self.sitter.who.hair.style == HairStyle::Braids {
            self.braids(picture);
            return;
        }
        if self.cut.falls_to.is_some() {
            for side in [-1.0, 1.0] {
                self.curtain(picture, side, rng);
            }
        }
        for (width, alpha, count) in [(0.028, 0.55, 110), (0.011, 0.6, 130)] {
            let mut strands = self.strands();
            for _ in 0..count {
                let points = match self.cut.lie {
                    Lie::Back => self.swept(rng),
                    Lie::Forward => self.forward(rng),
                    _ => self.parted(rng),
                };
                strands.add(&points, 0.62 + 0.7 * rng.f32());
            }
            strands.draw(picture, width, alpha);
        }
        if self.cut.lie == Lie::Parted {
            self.parting(picture);
        }
    }

    /// The skin that shows along the part.
    fn parting(&self, picture: &mut Pixmap) {
        let turn = part_turn(self.sitter);
        let front = self.cut.hairline(turn);
        let line: Vec<Px> = (0..6)
            .map(|i| self.over(turn, front + (-1.0 - front) * (i as f32 / 5.0) * 0.9, -0.01))
            .map(|p| self.sitter.camera.point(p))
            .collect();
        let skin = self.sitter.lit(self.sitter.skin, 0.0, -0.55);
        let tone = mix(skin, strand_colour(self.sitter, 0.6, [0.0, -0.5, 0.8]), 0.45);
        brush(picture).crease(&line, 0.013 * self.sitter.unit, tone, 0.8);
    }

    /// A place in the hair that hangs beside the face: `across` from the cheek (0) outward (1),
    /// `down` from the temple (0) to the ends (1).
    fn hanging(&self, side: f32, across: f32, down: f32, bottom: f32) -> Vec3 {
        let head = &self.sitter.head;
        let top = -0.52;
        let y = top + (bottom - top) * down;
        let w = head.half_width(y.clamp(-0.2, 0.15));
        let inner = (0.90 + 0.10 * smooth(-0.45, 0.0, y)) * w - 0.05 * smooth(0.4, 0.9, y);
        let outer =
            (w + self.cut.side * smooth(-0.9, -0.2, y)) * (1.0 + 0.05 * smooth(0.0, 0.8, y));
        let swing = self.cut.wave * (y * 7.0 + across * 1.5).sin() * smooth(-0.3, 0.3, y);
        let x = inner + (outer - inner) * across + swing;
        [side * x, y, 0.30 - 0.34 * across - 0.10 * smooth(0.3, 1.0, y)]
    }

    /// The hair that hangs beside the face.
    fn curtain(&self, picture: &mut Pixmap, side: f32, rng: &mut Rng) {
        let sitter = self.sitter;
        let bottom = self.cut.falls_to.unwrap_or(0.0);
        let seen = |p: &Vec3| self.layer.sees(*p);
        let place = |across: f32, i: usize| {
            sitter.camera.place(self.hanging(side, across, i as f32 / 11.0, bottom))
        };
        let inner: Vec<Vec3> = (0..12).map(|i| place(0.0, i)).filter(seen).collect();
        let outer: Vec<Vec3> = (0..12).map(|i| place(1.0, i)).collect();
        if inner.len() > 2 {
            let around: Vec<Px> =
                inner.iter().chain(outer.iter().rev()).map(|p| (p[0], p[1])).collect();
            let facing = |out: f32| unit(sitter.camera.turn([side * out, -0.1, 0.8]));
            let tones = [0.5, 0.85, 0.7].map(|k| strand_colour(sitter, k, facing(k)));
            let ends = ((inner[2][0], inner[2][1]), (outer[2][0], outer[2][1]));
            brush(picture).fill_along(shape(&around).as_ref(), ends, &tones);
        }
        for (width, alpha) in [(0.022, 0.55), (0.010, 0.6)] {
            let mut strands = self.strands();
            for _ in 0..34 {
                let (across, end) = (rng.f32(), bottom + 0.05 * (rng.f32() - 0.4));
                let points: Vec<Vec3> =
                    (0..16).map(|i| self.hanging(side, across, i as f32 / 15.0, end)).collect();
                strands.add(&points, 0.55 + 0.75 * rng.f32());
            }
            strands.draw(picture, width, alpha);
        }
    }

    /// A point just over the body of hair.
    fn over(&self, turn: f32, y: f32, more: f32) -> Vec3 {
        self.sitter.head.raised(turn, y, volume(self.sitter, self.cut, turn, y) + more)
    }

    /// From the part down one side, and on below the hairline if the hair is long.
    fn parted(&self, rng: &mut Rng) -> Vec<Vec3> {
        let from = part_turn(self.sitter);
        let side = if rng.f32() < 0.5 + 0.35 * from { -1.0 } else { 1.0 };
        let root = self.cut.hairline(from) + rng.f32().powf(0.8) * (-1.0 - self.cut.hairline(from));
        let back = smooth(-0.6, -1.0, root);
        let long = self.cut.falls_to.is_some();
        let end_turn = side * (1.12 + 0.75 * back + 0.25 * rng.f32());
        let end = if long { -0.05 } else { (self.cut.hairline(end_turn) - 0.02).min(0.06) };
        let more = 0.012 * rng.f32();
        (0..8)
            .map(|i| {
                let t = i as f32 / 7.0;
                let turn = from + (end_turn - from) * (1.0 - (1.0 - t).powf(1.6));
                let y = root + (end - root) * t.powf(1.75);
                // Short hair bends forward over the forehead before it goes aside.
                let dip =
                    if long { 0.0 } else { self.cut.fringe * (1.0 - back) * (t * (1.0 - t) * 2.4) };
                self.over(turn, y + dip, more)
            })
            .collect()
    }

    /// From the hairline up and back over the crown.
    fn swept(&self, rng: &mut Rng) -> Vec<Vec3> {
        let turn = 1.75 * (2.0 * rng.f32() - 1.0);
        let low = self.cut.hairline(turn) + 0.015;
        let start = low + rng.f32().powi(2) * (-0.95 - low);
        let lean = 0.35 * (rng.f32() - 0.5) + 0.35 * turn + 0.4 * self.sitter.who.hair.part;
        let more = 0.012 * rng.f32();
        let steep = smooth(1.2, 0.5, turn.abs());
        (0..8)
            .map(|i| {
                let t = i as f32 / 7.0;
                let up = start + (-0.98 - start) * t.powf(0.9);
                let aside = start - 0.10 * t;
                let turned = turn + lean * t + turn.signum() * (1.0 - steep) * 0.8 * t;
                self.over(turned, aside + (up - aside) * steep, more)
            })
            .collect()
    }

    /// From the crown forward over the forehead, or down the sides.
    fn forward(&self, rng: &mut Rng) -> Vec<Vec3> {
        let turn = 1.85 * (2.0 * rng.f32() - 1.0);
        let ragged = 0.05 * self.cut.rough * (rng.f32() - 0.3);
        let to_side = turn.abs() > 0.98 && self.cut.falls_to.is_some();
        let end = if to_side { -0.05 } else { self.cut.edge(turn) + ragged };
        let start = -1.0 + 0.55 * rng.f32().powi(2) * (end + 1.0);
        let lean = 0.22 * self.sitter.who.hair.part + 0.25 * (rng.f32() - 0.5);
        let more = 0.014 * rng.f32();
        (0..8)
            .map(|i| {
                let t = i as f32 / 7.0;
                let sway = if to_side { 0.0 } else { lean * t * self.cut.rough * 1.6 };
                self.over(turn * (0.9 + 0.1 * t) + sway, start + (end - start) * t.powf(1.3), more)
            })
            .collect()
    }

    /// Very short hairs and their stipple at the hairline.
    pub fn stubble(&self, picture: &mut Pixmap, rng: &mut Rng) {
        let mut strands = self.strands();
        for _ in 0..1100 {
            let turn = 1.9 * (2.0 * rng.f32() - 1.0);
            let y = -1.0 + 1.1 * rng.f32();
            let gap = self.cut.hairline(turn) - y + 0.02 * (rng.f32() - 0.5);
            if gap < 0.0 || y < self.cut.bare + 0.12 {
                continue;
            }
            let root = self.over(turn, y, 0.0);
            let tip = self.sitter.head.raised(
                turn * 1.01,
                y + 0.014,
                volume(self.sitter, self.cut, turn, y) + 0.008,
            );
            strands.add(&[root, tip], 0.5 + 0.6 * rng.f32());
        }
        strands.draw(picture, 0.008, 0.6);
    }

    /// Rings all over the body of hair, also across its edge.
    pub fn curls(&self, picture: &mut Pixmap, rng: &mut Rng) {
        let tight = self.sitter.who.hair.style == HairStyle::Afro;
        let (count, size) = if tight { (620, 0.036) } else { (420, 0.062) };
        let mut strands = self.strands();
        for _ in 0..count {
            let turn = 1.9 * (2.0 * rng.f32() - 1.0);
            let y = -1.01 + 1.35 * rng.f32();
            if self.cut.edge(turn) - y < 0.01 {
                continue;
            }
            let middle = self.over(turn, y, 0.02 * rng.f32());
            let r = size * (0.6 + 0.7 * rng.f32());
            let (phase, flat) = (TAU * rng.f32(), 0.5 + 0.5 * rng.f32());
            let ring: Vec<Vec3> = (0..6)
                .map(|i| {
                    let (sin, cos) = (phase + i as f32 * 0.82).sin_cos();
                    [middle[0] + r * cos, middle[1] + r * flat * sin, middle[2] + 0.3 * r * sin]
                })
                .collect();
            strands.add(&ring, 0.5 + 0.85 * rng.f32());
        }
        strands.draw(picture, if tight { 0.012 } else { 0.018 }, 0.7);
    }

    /// Rows of thin braids from the hairline back, and down in front of the shoulders.
    fn braids(&self, picture: &mut Pixmap) {
        let u = self.sitter.unit;
        for i in -9_i32..=9 {
            let turn = 0.19 * i as f32;
            let low = self.cut.hairline(turn) + 0.01;
            let row: Vec<Vec3> = (0..10)
                .map(|j| {
                    self.over(
                        turn * (1.0 + 0.05 * j as f32 / 9.0),
                        low + (-1.0 - low) * j as f32 / 9.0,
                        0.0,
                    )
                })
                .collect();
            self.braid(picture, &row, 0.075 * u);
        }
        let bottom = self.cut.falls_to.unwrap_or(1.5);
        for side in [-1.0_f32, 1.0] {
            for k in 0..4 {
                let at = 1.62 - 0.10 * k as f32;
                let from = self.over(side * at, -0.35, 0.03);
                let hang: Vec<Vec3> = (0..14)
                    .map(|j| {
                        let t = j as f32 / 13.0;
                        let sway = 0.02 * (t * 5.0 + k as f32).sin();
                        [
                            from[0] * (1.0 + 0.05 * t) + side * (0.045 * k as f32 * t + sway),
                            -0.35 + (bottom + 0.35) * t,
                            from[2] + 0.02,
                        ]
                    })
                    .collect();
                self.braid(picture, &hang, 0.062 * u);
            }
        }
    }

    /// One braid: a rope with crossing notches.
    fn braid(&self, picture: &mut Pixmap, points: &[Vec3], width: f32) {
        let mut strands = self.strands();
        strands.add(points, 0.8);
        strands.draw(picture, width / self.sitter.unit, 1.0);
        let mut notches = self.strands();
        for pair in points.windows(2) {
            for part in [0.0, 0.33, 0.66] {
                let at = |k: f32| [0, 1, 2].map(|i| pair[0][i] + (pair[1][i] - pair[0][i]) * k);
                let half = 0.38 * width / self.sitter.unit;
                let (a, b) = (at(part), at(part + 0.28));
                notches.add(&[[a[0] - half, a[1], a[2]], [b[0], b[1], b[2] + 0.005]], 1.7);
                notches.add(&[[a[0] + half, a[1], a[2]], [b[0], b[1], b[2] + 0.005]], 0.35);
            }
        }
        notches.draw(picture, 0.011, 0.75);
    }

    /// Folds of a scarf around the face.
    pub fn folds(&self, picture: &mut Pixmap) {
        let colour = self.sitter.who.hair.scarf;
        let u = self.sitter.unit;
        for (i, apart) in [0.03_f32, 0.10, 0.19, 0.30].into_iter().enumerate() {
            let line: Vec<Px> = (-7_i32..=7)
                .map(|k| {
                    let turn = k as f32 * 0.15;
                    let y = self.cut.hairline(turn)
                        - apart * (1.0 + 0.3 * (turn * 2.0 + i as f32).sin());
                    self.sitter.camera.point(self.over(turn, y, 0.0))
                })
                .collect();
            let dark = if i % 2 == 0 { scale(colour, 0.5) } else { mix(colour, [1.0; 3], 0.25) };
            brush(picture).crease(&line, 0.030 * u, dark, 0.35);
        }
    }
}
