//! Hair of the head: a lit body of hair over the skull, and strands combed over it.

use std::f32::consts::TAU;

use fastrand::Rng;
use tiny_skia::{PathBuilder, Pixmap};

use super::super::camera::{Vec3, unit};
use super::super::colour::{Rgb, mix, scale, smooth};
use super::super::features::HairStyle;
use super::super::head::{AXIS, curve};
use super::super::light::Matter;
use super::super::mesh::{Layer, Spot};
use super::brush::{Px, shape, trace};
use super::{Sitter, brush};

/// How the strands of a cut lie.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    /// Short and standing, in no direction.
    Stubble,
    /// From a part to both sides.
    Parted,
    /// From the forehead back over the crown.
    Back,
    /// From the crown down over the forehead.
    Forward,
    /// Small rings.
    Curls,
    /// Smooth cloth with a few folds.
    Cloth,
}

/// The measures of one cut, in head units.
struct Cut {
    lie: Lie,
    /// Height over the crown and beside the head.
    top: f32,
    side: f32,
    /// How far down the sides fall; the hairline if `None`.
    falls_to: Option<f32>,
    /// How far the hair falls below the hairline in front.
    fringe: f32,
    /// Sideways swing of falling hair.
    wave: f32,
    /// 0 straight edge of the body of hair, 1 rough.
    rough: f32,
}

fn cut(sitter: &Sitter) -> Option<Cut> {
    use HairStyle as S;
    let h = &sitter.who.hair;
    let more = 1.0 + 0.28 * h.volume;
    let cut = |lie, top: f32, side: f32, falls_to: Option<f32>, fringe, wave, rough| {
        let falls_to = falls_to.map(|y| y + 0.10 * h.length);
        Some(Cut { lie, top: top * more, side: side * more, falls_to, fringe, wave, rough })
    };
    match h.style {
        S::Bald => None,
        S::Horseshoe => cut(Lie::Stubble, 0.02, 0.045, None, 0.0, 0.0, 0.4),
        S::Buzz => cut(Lie::Stubble, 0.025, 0.015, None, 0.0, 0.0, 0.2),
        S::SidePart => cut(Lie::Parted, 0.11, 0.05, None, 0.06, 0.0, 0.3),
        S::Quiff => cut(Lie::Back, 0.19, 0.035, None, -0.02, 0.0, 0.3),
        S::Crop => cut(Lie::Forward, 0.12, 0.06, None, 0.15, 0.0, 0.5),
        S::Curls => cut(Lie::Curls, 0.19, 0.11, None, 0.09, 0.0, 0.6),
        S::Afro => cut(Lie::Curls, 0.38, 0.34, None, 0.03, 0.0, 0.4),
        S::Bob => cut(Lie::Parted, 0.10, 0.10, Some(0.85), 0.0, 0.012, 0.1),
        S::FringeBob => cut(Lie::Forward, 0.11, 0.11, Some(0.82), 0.30, 0.006, 0.1),
        S::Long => cut(Lie::Parted, 0.09, 0.08, Some(1.95), 0.0, 0.014, 0.1),
        S::Waves => cut(Lie::Parted, 0.13, 0.15, Some(1.70), 0.0, 0.055, 0.3),
        S::Bun => cut(Lie::Back, 0.05, 0.03, None, 0.0, 0.0, 0.1),
        S::Braids => cut(Lie::Back, 0.06, 0.05, Some(1.8), 0.0, 0.0, 0.2),
        S::Scarf => cut(Lie::Cloth, 0.085, 0.075, None, 0.0, 0.0, 0.0),
    }
}

/// The height of the hairline in the direction `turn`.
fn hairline(sitter: &Sitter, turn: f32) -> f32 {
    let h = &sitter.who.hair;
    let a = turn.abs();
    if h.style == HairStyle::Scarf {
        let knots = [
            (0.0, -0.60),
            (0.45, -0.55),
            (0.8, -0.38),
            (0.98, -0.1),
            (1.08, 0.25),
            (1.16, 0.7),
            (1.22, 3.0),
        ];
        return curve(&knots, a);
    }
    if h.style == HairStyle::Horseshoe {
        return curve(
            &[
                (0.0, -1.3),
                (1.05, -1.1),
                (1.22, -0.55),
                (1.34, -0.12),
                (1.48, 0.06),
                (1.7, -0.1),
                (2.0, 0.42),
                (3.2, 0.46),
            ],
            a,
        );
    }
    let top = -0.645 - 0.055 * h.hairline - 0.10 * h.recession;
    let temple = top + 0.075 - 0.22 * h.recession;
    // Sideburns are longer on men; women's hairline is rounder.
    let burn = -0.06 + 0.18 * smooth(0.4, 0.8, sitter.who.masculine);
    let knots = [
        (0.0, top),
        (0.40, top + 0.012 - 0.04 * h.recession),
        (0.72, temple),
        (0.98, -0.46 - 0.06 * h.recession),
        (1.16, -0.27),
        (1.33, burn),
        (1.46, burn),
        (1.62, -0.14),
        (1.9, 0.1),
        (2.15, 0.45),
        (3.2, 0.5),
    ];
    curve(&knots, a)
}

/// How far the body of hair stands off the skull.
fn volume(sitter: &Sitter, cut: &Cut, turn: f32, y: f32) -> f32 {
    let high = smooth(-0.25, -0.85, y);
    let edge = smooth(0.0, 0.16, hairline(sitter, turn) + cut.fringe - y);
    let full = cut.side + (cut.top - cut.side) * high;
    let front = if cut.lie == Lie::Back { 1.0 + 0.25 * turn.cos().max(0.0) } else { 1.0 };
    let part = if cut.lie == Lie::Parted { 1.0 - 0.30 * part_valley(sitter, turn, y) } else { 1.0 };
    let low = if cut.lie == Lie::Cloth { 1.0 } else { 0.25 + 0.75 * edge };
    full * low * front * part
}

/// Where the part runs, in the directions of the skull.
fn part_turn(sitter: &Sitter) -> f32 {
    let aside = match sitter.who.hair.style {
        HairStyle::SidePart => 0.55 * sitter.who.hair.part.signum() + 0.1 * sitter.who.hair.part,
        _ => 0.42 * sitter.who.hair.part,
    };
    aside.clamp(-0.7, 0.7)
}

fn part_valley(sitter: &Sitter, turn: f32, y: f32) -> f32 {
    let off = (turn - part_turn(sitter)) / 0.16;
    (-off * off).exp() * smooth(-0.4, -0.7, y)
}

/// Paints the hair at the back of the head and what hangs behind neck and shoulders, before
/// anything else of the person.
pub(super) fn behind(sitter: &Sitter, picture: &mut Pixmap) {
    if sitter.who.hair.style == HairStyle::Bun {
        bun(sitter, picture);
    }
    let Some(cut) = cut(sitter) else { return };
    backing(sitter, picture, &cut);
    let Some(bottom) = cut.falls_to else { return };
    let mut rng = sitter.own_rng(4);
    let out = cut.side;
    let p = |x: f32, y: f32, z: f32| sitter.camera.point([x, y, z]);
    let w = |y: f32| sitter.head.half_width(y.min(0.1)) + out;
    let swell = 1.0 + 1.2 * cut.wave;
    let mut points: Vec<Px> = Vec::new();
    for side in [-1.0_f32, 1.0] {
        let edge = [
            (-0.75, 0.8),
            (-0.45, 0.98),
            (0.0, 1.02),
            (0.4, 1.03 * swell),
            (0.5 * (0.5 + bottom), 1.04 * swell),
            (bottom, 0.86),
        ];
        let mut line: Vec<Px> = edge.iter().map(|&(y, k)| p(side * w(y) * k, y, -0.18)).collect();
        if side > 0.0 {
            line.reverse();
        }
        points.extend(line);
    }
    // The left edge runs down, the right one up.
    let path = shape(&points);
    let dark = scale(strand_colour(sitter, 0.55, [0.0, 0.0, 1.0]), 0.62);
    brush(picture).fill(path.as_ref(), dark, 1.0);
    for tone in [0.55, 0.8, 1.15, 0.95] {
        let mut lines = PathBuilder::new();
        for _ in 0..26 {
            let s = 2.0 * rng.f32() - 1.0;
            let phase = TAU * rng.f32();
            let line: Vec<Px> = (0..8)
                .map(|i| {
                    let y = -0.4 + (bottom + 0.03 * rng.f32() + 0.4) * i as f32 / 7.0;
                    let swing = cut.wave * (y * 7.0 + phase * 0.25 + s * 2.0).sin();
                    p(
                        s * w(y) * swell * (1.0 - 0.12 * smooth(bottom - 0.3, bottom, y)) + swing,
                        y,
                        -0.15,
                    )
                })
                .collect();
            trace(&mut lines, &line, false);
        }
        let colour = scale(strand_colour(sitter, tone, [0.0, -0.1, 1.0]), 0.8);
        brush(picture).lines(lines.finish().as_ref(), 0.016 * sitter.unit, colour, 0.6);
    }
}

/// The far side of full hair: what shows beside the face, around the hair in front.
fn backing(sitter: &Sitter, picture: &mut Pixmap, cut: &Cut) {
    let Some(mut layer) = Layer::new(picture.width(), picture.height()) else { return };
    if cut.side < 0.05 || cut.lie == Lie::Cloth {
        return;
    }
    let nape = if cut.lie == Lie::Curls { 0.25 + cut.side } else { 0.30 };
    layer.surface(
        &sitter.camera,
        (sitter.head.crown, nape),
        &|turn, y| {
            let round = (1.0 - smooth(nape - 0.5, nape, y)).sqrt();
            sitter.head.raised(turn, y, (cut.side - 0.005) * round)
        },
        &|spot| {
            let matter =
                Matter { colour: scale(sitter.hair, 0.62), open: 0.5, gloss: 0.0, soft: 0.5 };
            let [r, g, b] = sitter.light.on(&matter, spot.normal);
            [r, g, b, 1.0]
        },
    );
    layer.soften();
    layer.lay_over(picture, None);
}

fn bun(sitter: &Sitter, picture: &mut Pixmap) {
    let r = (0.24 + 0.03 * sitter.who.hair.volume) * sitter.unit;
    let (x, y) = sitter.camera.point([0.0, -1.12, -0.45]);
    let tone = |k: f32| strand_colour(sitter, k, unit([0.0, -0.5, 0.8]));
    let mut brush = brush(picture);
    brush.fill_around((x, y), r, &[(0.0, tone(1.05)), (0.6, tone(0.85)), (1.0, tone(0.45))]);
    let mut path = PathBuilder::new();
    for i in 1..8 {
        let k = i as f32 / 8.0;
        let loops: Vec<Px> = (0..9)
            .map(|j| {
                let (sin, cos) = (j as f32 / 8.0 * 3.6 + 0.7 * i as f32).sin_cos();
                (x + r * k * cos, y + r * k * sin * 0.85)
            })
            .collect();
        trace(&mut path, &loops, false);
    }
    brush.lines(path.finish().as_ref(), 0.012 * sitter.unit, tone(0.5), 0.5);
}

/// Paints the hair on the head, after the face.
pub(super) fn before(sitter: &Sitter, picture: &mut Pixmap, skin: &Layer) {
    let Some(cut) = cut(sitter) else { return };
    let Some(mut layer) = skin.in_front() else { return };
    let head = &sitter.head;
    contact(sitter, picture, &cut);
    layer.surface(
        &sitter.camera,
        (head.crown, head.chin + 0.012),
        &|turn, y| head.raised(turn, y, volume(sitter, &cut, turn, y)),
        &|spot| body(sitter, &cut, spot),
    );
    layer.soften();
    layer.lay_over(picture, None);
    let mut rng = sitter.own_rng(5);
    let style = Styling { sitter, cut: &cut, layer: &layer };
    match cut.lie {
        Lie::Stubble => style.stubble(picture, &mut rng),
        Lie::Curls => style.curls(picture, &mut rng),
        Lie::Cloth => style.folds(picture),
        _ => style.comb(picture, &mut rng),
    }
}

/// The shadow that hair throws on the forehead.
fn contact(sitter: &Sitter, picture: &mut Pixmap, cut: &Cut) {
    if cut.lie == Lie::Stubble {
        return;
    }
    let u = sitter.unit;
    let line: Vec<Px> = (-8_i32..=8)
        .map(|i| {
            let turn = i as f32 * 0.145;
            sitter.camera.point(sitter.head.skin(turn, hairline(sitter, turn) + cut.fringe + 0.012))
        })
        .collect();
    let shade = scale(sitter.skin, 0.25);
    for (x, y) in line {
        brush(picture).dab(
            (x, y),
            (0.10 * u, (0.05 + 0.25 * cut.top.min(0.2)) * u),
            0.0,
            shade,
            0.16,
        );
    }
}

/// Colour and cover of the body of hair.
fn body(sitter: &Sitter, cut: &Cut, spot: &Spot) -> [f32; 4] {
    let line = hairline(sitter, spot.turn);
    let ragged = 0.03 * cut.rough * ((spot.turn * 37.0).sin() + (spot.turn * 61.0).sin());
    let fringe = cut.fringe * smooth(1.25, 0.8, spot.turn.abs());
    let inside = line + fringe + ragged - spot.at[1];
    if cut.lie == Lie::Cloth {
        let matter = Matter { colour: sitter.who.hair.scarf, open: 0.92, gloss: 0.05, soft: 0.25 };
        let [r, g, b] = sitter.light.on(&matter, spot.normal);
        return [r, g, b, smooth(0.0, 0.03, line - spot.at[1])];
    }
    let streak = 1.0 + 0.10 * (spot.turn * 71.0).sin() * (spot.turn * 43.0 + 1.0).cos();
    let open = 0.5 + 0.5 * smooth(0.0, 0.25, inside);
    let matter =
        Matter { colour: scale(sitter.hair, 0.82 * streak), open, gloss: 0.18, soft: 0.45 };
    let [r, g, b] = sitter.light.on(&matter, spot.normal);
    let most = if cut.lie == Lie::Stubble { 0.82 } else { 1.0 };
    [r, g, b, most * smooth(-0.015, 0.075, inside)]
}

/// The colour of a strand of this tone (1 is average) that lies on a surface facing `normal`.
fn strand_colour(sitter: &Sitter, tone: f32, normal: Vec3) -> Rgb {
    let colour = scale(sitter.hair, tone);
    sitter.light.on(&Matter { colour, open: 0.95, gloss: 0.24 * tone, soft: 0.55 }, normal)
}

/// What the strands of one person need: the cut, and the surfaces that may hide them.
struct Styling<'a, 'b> {
    sitter: &'a Sitter<'b>,
    cut: &'a Cut,
    layer: &'a Layer,
}

/// Strands gathered by tone, so that each tone is drawn in one go.
struct Strands<'a, 'b> {
    style: &'a Styling<'a, 'b>,
    tones: Vec<(PathBuilder, Rgb, f32)>,
}

/// Steps of brightness that strands are sorted into.
const TONES: usize = 9;

impl<'a, 'b> Strands<'a, 'b> {
    /// Adds a strand through points in head units, as far as nothing hides it.
    fn add(&mut self, points: &[Vec3], tone: f32) {
        let sitter = self.style.sitter;
        let places: Vec<Vec3> = points.iter().map(|&p| sitter.camera.place(p)).collect();
        let sees = |place: &Vec3| self.style.layer.sees(*place);
        let Some(first) = places.iter().position(sees) else { return };
        let run = places[first..].iter().take_while(|p| sees(p)).count();
        if run < 2 {
            return;
        }
        let p = points[first + run / 2];
        let away = unit([p[0] * 1.2, (p[1] + 0.15).min(0.0), p[2] - AXIS]);
        let colour = strand_colour(sitter, tone, sitter.camera.turn(away));
        let light = luminance(colour) / (1.5 * luminance(sitter.hair)).max(0.12);
        let place = ((light * TONES as f32) as usize).min(TONES - 1);
        let line: Vec<Px> = places[first..first + run].iter().map(|p| (p[0], p[1])).collect();
        let (path, mean, count) = &mut self.tones[place];
        trace(path, &line, false);
        *count += 1.0;
        *mean = [0, 1, 2].map(|i| mean[i] + (colour[i] - mean[i]) / *count);
    }

    /// Draws all, dark under light; `width` in head units.
    fn draw(self, picture: &mut Pixmap, width: f32, alpha: f32) {
        let width = width * self.style.sitter.unit;
        for (path, colour, _) in self.tones {
            brush(picture).lines(path.finish().as_ref(), width, colour, alpha);
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
    fn comb(&self, picture: &mut Pixmap, rng: &mut Rng) {
        if self.sitter.who.hair.style == HairStyle::Braids {
            self.braids(picture);
            return;
        }
        for (width, alpha, count) in [(0.026, 0.55, 150), (0.010, 0.6, 170)] {
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
    }

    /// A point just over the body of hair.
    fn over(&self, turn: f32, y: f32, more: f32) -> Vec3 {
        self.sitter.head.raised(turn, y, volume(self.sitter, self.cut, turn, y) + more)
    }

    /// From the part down one side, and on below the hairline if the hair is long.
    fn parted(&self, rng: &mut Rng) -> Vec<Vec3> {
        let from = part_turn(self.sitter);
        let side = if rng.f32() < 0.5 + 0.35 * from { -1.0 } else { 1.0 };
        let root = hairline(self.sitter, from)
            + (0.0 + rng.f32().powf(0.8)) * (-1.0 - hairline(self.sitter, from));
        let back = smooth(-0.6, -1.0, root);
        let long = self.cut.falls_to.is_some();
        let end_turn = side * (1.12 + 0.75 * back + 0.25 * rng.f32());
        let end = if long { -0.05 } else { (hairline(self.sitter, end_turn) - 0.02).min(0.06) };
        let more = 0.012 * rng.f32();
        let mut points: Vec<Vec3> = (0..8)
            .map(|i| {
                let t = i as f32 / 7.0;
                let turn = from + (end_turn - from) * (1.0 - (1.0 - t).powf(1.6));
                let y = root + (end - root) * t.powf(1.75);
                // Short hair bends forward over the forehead before it goes aside.
                let dip =
                    if long { 0.0 } else { self.cut.fringe * (1.0 - back) * (t * (1.0 - t) * 2.4) };
                self.over(turn, y + dip, more)
            })
            .collect();
        if let (Some(bottom), Some(&last)) = (self.cut.falls_to, points.last()) {
            fall(&mut points, last, bottom, self.cut.wave, rng);
        }
        points
    }

    /// From the hairline up and back over the crown.
    fn swept(&self, rng: &mut Rng) -> Vec<Vec3> {
        let turn = 1.75 * (2.0 * rng.f32() - 1.0);
        let low = hairline(self.sitter, turn) + 0.015;
        let start = low + rng.f32().powi(2) * (-0.95 - low);
        let lean = 0.25 * (rng.f32() - 0.5) + 0.3 * turn;
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
        let fringe = self.cut.fringe * smooth(1.25, 0.8, turn.abs());
        let ragged = 0.05 * self.cut.rough * (rng.f32() - 0.3);
        let to_side = turn.abs() > 0.98 && self.cut.falls_to.is_some();
        let end = if to_side { -0.05 } else { hairline(self.sitter, turn) + fringe + ragged };
        let start = -1.0 + 0.55 * rng.f32().powi(2) * (end + 1.0);
        let lean = 0.22 * self.sitter.who.hair.part + 0.25 * (rng.f32() - 0.5);
        let more = 0.014 * rng.f32();
        let mut points: Vec<Vec3> = (0..8)
            .map(|i| {
                let t = i as f32 / 7.0;
                let sway = if to_side { 0.0 } else { lean * t * self.cut.rough * 1.6 };
                self.over(turn * (0.9 + 0.1 * t) + sway, start + (end - start) * t.powf(1.3), more)
            })
            .collect();
        if let (true, Some(bottom), Some(&last)) = (to_side, self.cut.falls_to, points.last()) {
            fall(&mut points, last, bottom, self.cut.wave, rng);
        }
        points
    }

    /// Very short hairs and their stipple at the hairline.
    fn stubble(&self, picture: &mut Pixmap, rng: &mut Rng) {
        let mut strands = self.strands();
        for _ in 0..1100 {
            let turn = 1.9 * (2.0 * rng.f32() - 1.0);
            let y = -1.0 + 1.1 * rng.f32();
            let gap = hairline(self.sitter, turn) - y + 0.02 * (rng.f32() - 0.5);
            if gap < 0.0 {
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
    fn curls(&self, picture: &mut Pixmap, rng: &mut Rng) {
        let tight = self.sitter.who.hair.style == HairStyle::Afro;
        let (count, size) = if tight { (620, 0.036) } else { (420, 0.062) };
        let mut strands = self.strands();
        for _ in 0..count {
            let turn = 1.9 * (2.0 * rng.f32() - 1.0);
            let y = -1.01 + 1.35 * rng.f32();
            let fringe = self.cut.fringe * smooth(1.25, 0.8, turn.abs());
            if hairline(self.sitter, turn) + fringe - y < 0.01 {
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
            let low = hairline(self.sitter, turn) + 0.01;
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
    fn folds(&self, picture: &mut Pixmap) {
        let colour = self.sitter.who.hair.scarf;
        let u = self.sitter.unit;
        for (i, apart) in [0.03_f32, 0.10, 0.19, 0.30].into_iter().enumerate() {
            let line: Vec<Px> = (-7_i32..=7)
                .map(|k| {
                    let turn = k as f32 * 0.15;
                    let y = hairline(self.sitter, turn)
                        - apart * (1.0 + 0.3 * (turn * 2.0 + i as f32).sin());
                    self.sitter.camera.point(self.over(turn, y, 0.0))
                })
                .collect();
            let dark = if i % 2 == 0 { scale(colour, 0.5) } else { mix(colour, [1.0; 3], 0.25) };
            brush(picture).crease(&line, 0.030 * u, dark, 0.35);
        }
    }
}

/// Lets a strand hang down from its last point.
fn fall(points: &mut Vec<Vec3>, from: Vec3, bottom: f32, wave: f32, rng: &mut Rng) {
    let phase = 0.8 * rng.f32();
    let end = bottom - 0.08 * rng.f32();
    let side = from[0].signum();
    for i in 1..=8 {
        let t = i as f32 / 8.0;
        let y = from[1] + (end - from[1]) * t;
        let swing = wave * (y * 7.0 + phase + from[2] * 3.0).sin();
        points.push([from[0] + side * (0.03 * t + swing), y, from[2] + (0.10 * t).min(0.05)]);
    }
}
