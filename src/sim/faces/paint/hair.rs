//! Hair of the head: a lit body of hair over the skull, and strands combed over it.

use std::f32::consts::TAU;

use tiny_skia::{PathBuilder, Pixmap};

use super::super::camera::{Vec3, unit};
use super::super::colour::{Rgb, scale, smooth};
use super::super::features::HairStyle;
use super::super::head::Profile;
use super::super::light::Matter;
use super::super::mesh::{Grain, Layer, Spot};
use super::brush::{Px, shape, strand, trace};
use super::strands::Styling;
use super::{Sitter, brush};

/// How the strands of a cut lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lie {
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
pub(super) struct Cut {
    pub lie: Lie,
    /// Height over the crown and beside the head.
    pub top: f32,
    pub side: f32,
    /// How far down the sides fall; the hairline if `None`.
    pub falls_to: Option<f32>,
    /// How far the hair falls below the hairline in front.
    pub fringe: f32,
    /// Sideways swing of falling hair.
    pub wave: f32,
    /// 0 straight edge of the body of hair, 1 rough.
    pub rough: f32,
    /// Height above which no hair grows.
    pub bare: f32,
    /// The height of the hairline by direction to either side.
    line: Profile,
}

impl Cut {
    /// The height of the hairline in the direction `turn`.
    pub fn hairline(&self, turn: f32) -> f32 {
        self.line.at(turn.abs())
    }

    /// How far down hair reaches in the direction `turn`, with the fringe.
    pub fn edge(&self, turn: f32) -> f32 {
        self.hairline(turn) + self.fringe * smooth(1.25, 0.8, turn.abs())
    }
}

fn cut(sitter: &Sitter) -> Option<Cut> {
    use HairStyle as S;
    let h = &sitter.who.hair;
    let more = 1.0 + 0.28 * h.volume;
    let cut = |lie, top: f32, side: f32, falls_to: Option<f32>, fringe, wave, rough| {
        let falls_to = falls_to.map(|y| y + 0.10 * h.length);
        let bare = if h.style == S::Horseshoe { -0.62 } else { -2.0 };
        let line = Profile::new(&hairline(sitter));
        Some(Cut {
            lie,
            top: top * more,
            side: side * more,
            falls_to,
            fringe,
            wave,
            rough,
            bare,
            line,
        })
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
        S::Bob => cut(Lie::Parted, 0.13, 0.12, Some(0.85), 0.0, 0.012, 0.1),
        S::FringeBob => cut(Lie::Forward, 0.11, 0.11, Some(0.82), 0.30, 0.006, 0.1),
        S::Long => cut(Lie::Parted, 0.12, 0.09, Some(1.95), 0.0, 0.014, 0.1),
        S::Waves => cut(Lie::Parted, 0.17, 0.15, Some(1.70), 0.0, 0.055, 0.3),
        S::Bun => cut(Lie::Back, 0.05, 0.03, None, 0.0, 0.0, 0.1),
        S::Braids => cut(Lie::Back, 0.06, 0.05, Some(1.8), 0.0, 0.0, 0.2),
        S::Scarf => cut(Lie::Cloth, 0.085, 0.075, None, 0.0, 0.0, 0.0),
    }
}

/// Knots of the hairline: direction, and height down to which hair grows.
fn hairline(sitter: &Sitter) -> Vec<(f32, f32)> {
    let h = &sitter.who.hair;
    if h.style == HairStyle::Scarf {
        return vec![
            (0.0, -0.60),
            (0.45, -0.55),
            (0.8, -0.38),
            (0.98, -0.1),
            (1.08, 0.25),
            (1.16, 0.7),
            (1.22, 3.0),
        ];
    }
    if h.style == HairStyle::Horseshoe {
        return vec![
            (0.0, -1.3),
            (1.05, -1.1),
            (1.22, -0.55),
            (1.34, -0.12),
            (1.48, 0.06),
            (1.7, -0.1),
            (2.0, 0.42),
            (3.2, 0.46),
        ];
    }
    let top = -0.645 - 0.055 * h.hairline - 0.10 * h.recession;
    // Sideburns are longer on men; women's hairline is rounder.
    let burn = -0.06 + 0.18 * smooth(0.4, 0.8, sitter.who.masculine);
    vec![
        (0.0, top),
        (0.40, top + 0.012 - 0.04 * h.recession),
        (0.72, top + 0.075 - 0.22 * h.recession),
        (0.98, -0.46 - 0.06 * h.recession),
        (1.16, -0.27),
        (1.33, burn),
        (1.46, burn),
        (1.62, -0.14),
        (1.9, 0.1),
        (2.15, 0.45),
        (3.2, 0.5),
    ]
}

/// How far the body of hair stands off the skull.
pub(super) fn volume(sitter: &Sitter, cut: &Cut, turn: f32, y: f32) -> f32 {
    let high = smooth(-0.25, -0.85, y);
    let edge = smooth(0.0, 0.16, cut.hairline(turn) + cut.fringe - y);
    let full = cut.side + (cut.top - cut.side) * high;
    let front = if cut.lie == Lie::Back { 1.0 + 0.25 * turn.cos().max(0.0) } else { 1.0 };
    let part = if cut.lie == Lie::Parted { 1.0 - 0.10 * part_valley(sitter, turn, y) } else { 1.0 };
    let low = if cut.lie == Lie::Cloth { 1.0 } else { 0.25 + 0.75 * edge };
    full * low * front * part
}

/// Where the part runs, in the directions of the skull.
pub(super) fn part_turn(sitter: &Sitter) -> f32 {
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
        // The back of a turned head shows beyond its side.
        let outer = |x: f32, y: f32| {
            let (near, far) = (p(x, y, -0.18), p(0.88 * x, y, -0.6));
            if (near.0 - far.0) * side > 0.0 { near } else { far }
        };
        let edge = [
            (-0.75, 0.8),
            (-0.45, 0.98),
            (0.0, 1.02),
            (0.4, 1.03 * swell),
            (0.5 * (0.5 + bottom), 1.04 * swell),
            (bottom, 0.86),
        ];
        let mut line: Vec<Px> = edge.iter().map(|&(y, k)| outer(side * w(y) * k, y)).collect();
        if side > 0.0 {
            line.reverse();
        }
        points.extend(line);
    }
    // The left edge runs down, the right one up.
    let path = shape(&points);
    let dark = scale(strand_colour(sitter, 0.55, [0.0, 0.0, 1.0]), 0.75);
    brush(picture).fill(path.as_ref(), dark, 1.0);
    for tone in [0.55, 0.8, 1.15, 0.95] {
        let mut lines = PathBuilder::new();
        for _ in 0..26 {
            let s = 1.84 * rng.f32() - 0.92;
            let phase = TAU * rng.f32();
            let line: Vec<Px> = (0..16)
                .map(|i| {
                    let y = -0.4 + (bottom + 0.4) * i as f32 / 15.0;
                    let swing = cut.wave * (y * 7.0 + phase * 0.25 + s * 2.0).sin();
                    p(
                        s * w(y) * swell * (1.0 - 0.12 * smooth(bottom - 0.3, bottom, y)) + swing,
                        y,
                        -0.15,
                    )
                })
                .collect();
            strand(&mut lines, &line);
        }
        let colour = scale(strand_colour(sitter, tone, [0.0, -0.1, 1.0]), 0.9);
        brush(picture).strands(lines.finish().as_ref(), 0.016 * sitter.unit, colour, 0.6);
    }
}

/// The far side of full hair: what shows beside the face, around the hair in front.
fn backing(sitter: &Sitter, picture: &mut Pixmap, cut: &Cut) {
    let Some(mut layer) = Layer::new(picture.width(), picture.height(), Grain::COARSE) else {
        return;
    };
    if cut.lie == Lie::Stubble {
        return;
    }
    let (nape, colour) = match cut.lie {
        Lie::Cloth => (1.35, sitter.who.hair.scarf),
        Lie::Curls => (0.25 + cut.side, sitter.hair),
        _ if cut.falls_to.is_some() => (0.30, sitter.hair),
        // Short hair ends above the ears.
        _ => (0.0, sitter.hair),
    };
    layer.surface(
        &sitter.camera,
        (sitter.head.crown, nape),
        &|turn, y| {
            let round = (1.0 - smooth(nape - 0.5, nape, y)).sqrt();
            sitter.head.raised(turn, y, (cut.side - 0.005) * round)
        },
        &|spot| {
            let matter = Matter { colour: scale(colour, 0.62), open: 0.5, gloss: 0.0, soft: 0.5 };
            let [r, g, b] = sitter.light.on(&matter, spot.normal);
            [r, g, b, 1.0]
        },
    );
    layer.soften();
    if let Some(bounds) = layer.bounds() {
        layer.lay_over(picture, &bounds);
    }
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
    let head = &sitter.head;
    let cloth = cut.lie == Lie::Cloth;
    let grain = if cloth { Grain::FINE } else { Grain::HAIR };
    let Some(mut layer) = skin.in_front(grain) else { return };
    contact(sitter, picture, &cut);
    layer.surface(
        &sitter.camera,
        (head.crown, if cloth { head.chin + 0.012 } else { 0.52 }),
        &|turn, y| head.raised(turn, y, volume(sitter, &cut, turn, y)),
        &|spot| body(sitter, &cut, spot),
    );
    layer.soften();
    if let Some(bounds) = layer.bounds() {
        layer.lay_over(picture, &bounds);
    }
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
            sitter.camera.point(sitter.head.skin(turn, cut.hairline(turn) + cut.fringe + 0.012))
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
    let ragged = 0.03 * cut.rough * ((spot.turn * 37.0).sin() + (spot.turn * 61.0).sin());
    let inside = cut.edge(spot.turn) + ragged - spot.at[1];
    // What grows behind an ear shows only on the side that is turned to the viewer.
    let behind_ear = spot.turn.abs() > 1.5 && spot.at[1] > -0.16;
    let away = spot.turn.signum() * sitter.camera.yaw_sin > -0.12;
    if inside < -0.06 || (behind_ear && away && cut.lie != Lie::Cloth) {
        return [0.0; 4];
    }
    if cut.lie == Lie::Cloth {
        let matter = Matter { colour: sitter.who.hair.scarf, open: 0.92, gloss: 0.05, soft: 0.25 };
        let [r, g, b] = sitter.light.on(&matter, spot.normal);
        return [r, g, b, smooth(0.0, 0.03, inside)];
    }
    let streak = 1.0 + 0.10 * (spot.turn * 71.0).sin() * (spot.turn * 43.0 + 1.0).cos();
    let open = 0.5 + 0.5 * smooth(0.0, 0.25, inside);
    let matter =
        Matter { colour: scale(sitter.hair, 0.82 * streak), open, gloss: 0.18, soft: 0.45 };
    let [r, g, b] = sitter.light.on(&matter, spot.normal);
    let most = if cut.lie == Lie::Stubble { 0.82 } else { 1.0 };
    let grown = smooth(cut.bare, cut.bare + 0.18, spot.at[1]);
    // Hair that goes on downward has no lower edge of its own.
    let on = if cut.falls_to.is_some() { smooth(0.50, 0.25, spot.at[1]) } else { 1.0 };
    [r, g, b, most * grown * on * smooth(-0.015, 0.075, inside)]
}

/// The colour of a strand of this tone (1 is average) that lies on a surface facing `normal`.
pub(super) fn strand_colour(sitter: &Sitter, tone: f32, normal: Vec3) -> Rgb {
    let colour = scale(sitter.hair, tone);
    sitter.light.on(&Matter { colour, open: 0.95, gloss: 0.24 * tone, soft: 0.55 }, normal)
}
