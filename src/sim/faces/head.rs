//! The shape of one head: features and the state of a shot turned into measures, and the surface
//! of the skin as a function. Knows nothing of light, colour or pixels.
//!
//! Measures are in head units (see `camera`): about 11 cm, from the eyes to the chin.

use super::camera::{Vec3, unit};
use super::colour::{bell, smooth};
use super::features::Identity;
use super::shot::{Expression, Shot};

/// Depth of the axis around which the rows of the head run.
pub(super) const AXIS: f32 = -0.12;
/// Roundness of a row: 2 is an ellipse, more is boxier.
const ROUND: f32 = 2.25;

/// A swelling (or hollow) of the skin, the same on both sides.
#[derive(Debug, Clone, Copy)]
struct Bump {
    x: f32,
    y: f32,
    wide: f32,
    high: f32,
    out: f32,
}

/// Measures of the eyes.
#[derive(Debug, Clone, Copy)]
pub(super) struct EyeShape {
    pub x: f32,
    pub y: f32,
    pub half: f32,
    pub up: f32,
    pub down: f32,
    /// How much higher the outer corner lies than the inner.
    pub tilt: f32,
    pub iris: f32,
    /// Gap between lash line and crease.
    pub crease: f32,
    pub fold: f32,
}

/// Measures of the nose.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoseShape {
    pub base: f32,
    pub half: f32,
    pub bridge: f32,
    pub tip: f32,
    pub out: f32,
    pub turn: f32,
}

/// Measures of the mouth.
#[derive(Debug, Clone, Copy)]
pub(super) struct MouthShape {
    pub y: f32,
    pub half: f32,
    pub upper: f32,
    pub lower: f32,
    pub bow: f32,
    /// How far the corners lie above the middle.
    pub lift: f32,
    /// Gap between the lips.
    pub open: f32,
}

/// Measures of the brows.
#[derive(Debug, Clone, Copy)]
pub(super) struct BrowShape {
    pub y: f32,
    pub inner: f32,
    pub outer: f32,
    pub thick: f32,
    pub arch: f32,
    /// How much higher the outer end lies.
    pub slope: f32,
}

/// One head in one state.
pub(super) struct Head {
    width: Vec<(f32, f32)>,
    front: Vec<(f32, f32)>,
    back: Vec<(f32, f32)>,
    bumps: Vec<Bump>,
    skew: f32,
    pub eye: EyeShape,
    pub nose: NoseShape,
    pub mouth: MouthShape,
    pub brow: BrowShape,
    /// Lowest point of the chin.
    pub chin: f32,
    /// Highest point of the skull.
    pub crown: f32,
    pub age: f32,
    pub smile: f32,
}

impl Head {
    pub fn new(who: &Identity, shot: &Shot) -> Self {
        let age = (who.age + shot.aged).clamp(16.0, 95.0);
        let smile = match shot.expression {
            Expression::Smile => 0.75,
            Expression::Grin => 1.0,
            _ => 0.0,
        };
        let jaw_drop = if shot.expression == Expression::MouthOpen { 0.07 } else { 0.012 * smile };
        let chin = 1.02 + 0.09 * who.outline.chin_length + jaw_drop;
        let old = smooth(45.0, 85.0, age);
        let mut head = Self {
            width: widths(who, chin, old),
            front: fronts(who, chin),
            back: backs(chin),
            bumps: Vec::new(),
            skew: 0.022 * who.asymmetry,
            eye: eyes(who, shot, smile, old),
            nose: nose(who, age),
            mouth: mouth(who, shot, smile, old),
            brow: brows(who, shot),
            chin,
            crown: -1.02,
            age,
            smile,
        };
        head.bumps = bumps(&head, who, old);
        head
    }

    /// Half the width of the head at this height.
    pub fn half_width(&self, y: f32) -> f32 {
        curve(&self.width, y)
    }

    /// A point of the skin by direction (0 is straight ahead, a quarter turn the right ear) and
    /// height.
    pub fn skin(&self, turn: f32, y: f32) -> Vec3 {
        let w = self.half_width(y);
        let (sin, cos) = turn.sin_cos();
        let p = 2.0 / ROUND;
        let x = w * sin.signum() * sin.abs().powf(p);
        if cos < 0.0 {
            return [x, y, AXIS + curve(&self.back, y) * cos];
        }
        let depth = cos.powf(p);
        [x, y, AXIS + curve(&self.front, y) * depth + self.relief(x, y) * smooth(0.0, 0.3, cos)]
    }

    /// The point of the skin in front at `x`, `y`.
    pub fn at(&self, x: f32, y: f32) -> Vec3 {
        let w = self.half_width(y).max(1e-3);
        let inside = (1.0 - (x / w).abs().powf(ROUND)).max(0.0).powf(1.0 / ROUND);
        [x, y, AXIS + curve(&self.front, y) * inside + self.relief(x, y) * smooth(0.0, 0.3, inside)]
    }

    /// A point of the skin raised by `out`, away from the middle of the skull.
    pub fn raised(&self, turn: f32, y: f32, out: f32) -> Vec3 {
        let p = self.skin(turn, y);
        let away = unit([p[0], (p[1] + 0.15).min(0.0), p[2] - AXIS]);
        [0, 1, 2].map(|i| p[i] + out * away[i])
    }

    /// What the features add to the plain egg of the head.
    fn relief(&self, x: f32, y: f32) -> f32 {
        let x = x - self.skew * smooth(-0.1, 0.7, y);
        let side = x.abs();
        let mut out = self.ridge(side, y);
        for b in &self.bumps {
            out += b.out * bell((side - b.x) / b.wide, (y - b.y) / b.high);
        }
        out
    }

    /// The ridge of the nose: rises from between the eyes to the tip, then falls to the lip.
    fn ridge(&self, side: f32, y: f32) -> f32 {
        let n = &self.nose;
        let tip = n.base - 0.07 - 0.025 * n.turn;
        let along = smooth(-0.16, tip, y);
        let fall = 1.0 - smooth(tip, n.base + 0.035, y);
        let wide = n.bridge + (n.tip - n.bridge) * along * along;
        n.out
            * (0.16 + 0.84 * along.powf(1.3))
            * fall
            * bell(side / wide, 0.0)
            * smooth(-0.3, -0.05, y)
    }

    /// Directions in which light hardly comes: 1 open, 0 closed.
    pub fn openness(&self, x: f32, y: f32) -> f32 {
        let side = (x - self.skew * smooth(-0.1, 0.7, y)).abs();
        let (e, n, m) = (&self.eye, &self.nose, &self.mouth);
        let mut shut = 0.0;
        let mut hollow = |at: (f32, f32), size: (f32, f32), much: f32| {
            shut += much * bell((side - at.0) / size.0, (y - at.1) / size.1);
        };
        hollow((e.x - 0.09, e.y - 0.035), (0.07, 0.055), 0.34);
        hollow((e.x, e.y - 0.07), (0.12, 0.035), 0.20);
        hollow((e.x, e.y + 0.06), (0.10, 0.04), 0.14);
        hollow((0.0, n.base + 0.03), (n.half * 0.7, 0.03), 0.26);
        hollow((n.half + 0.03, n.base - 0.04), (0.035, 0.06), 0.15);
        hollow((0.0, m.y + m.lower + 0.05 + m.open), (0.13, 0.03), 0.26);
        hollow((m.half + 0.035, m.y - m.lift), (0.03, 0.04), 0.20);
        hollow((self.half_width(0.5) * 0.86, 0.58), (0.10, 0.20), 0.10);
        1.0 - shut.min(0.8)
    }
}

fn widths(who: &Identity, chin: f32, old: f32) -> Vec<(f32, f32)> {
    let o = &who.outline;
    let all = 1.0 + 0.10 * o.width;
    let brow = 0.615 * (1.0 + 0.08 * o.forehead);
    let cheek = 0.64 + 0.032 * o.cheekbones;
    let full = 0.03 * o.fullness + 0.015 * old;
    let jaw = 0.535 * (1.0 + 0.14 * o.jaw) + full;
    let chin_half = 0.255 * (1.0 + 0.30 * o.chin_width) + 0.02 * old;
    let low = chin - 1.0;
    [
        (-1.02, 0.0),
        (-1.0, 0.14),
        (-0.95, 0.27),
        (-0.86, 0.42),
        (-0.7, brow * 0.90),
        (-0.5, brow),
        (-0.2, (brow + cheek) * 0.5),
        (0.1, cheek),
        (0.36, (cheek + jaw) * 0.5 + 0.025 + full),
        (0.60 + 0.4 * low, jaw),
        (0.77 + 0.7 * low, (jaw + chin_half) * 0.5 + 0.03),
        (0.90 + low, chin_half),
        (0.965 + low, chin_half * 0.68),
        (1.0 + low, chin_half * 0.28),
        (1.012 + low, 0.0),
    ]
    .map(|(y, w)| (y, w * all))
    .to_vec()
}

fn fronts(who: &Identity, chin: f32) -> Vec<(f32, f32)> {
    let low = chin - 1.0;
    let out = 0.045 * who.outline.chin_out;
    vec![
        (-1.02, 0.0),
        (-1.0, 0.2),
        (-0.95, 0.38),
        (-0.86, 0.58),
        (-0.7, 0.78),
        (-0.5, 0.91),
        (-0.25, 0.96),
        (0.0, 0.92),
        (0.3, 0.93),
        (0.62, 0.95),
        (0.80 + low, 0.92 + out),
        (0.92 + low, 0.89 + out),
        (0.975 + low, 0.76 + out),
        (1.0 + low, 0.5),
        (1.012 + low, 0.0),
    ]
}

fn backs(chin: f32) -> Vec<(f32, f32)> {
    vec![
        (-1.02, 0.0),
        (-1.0, 0.2),
        (-0.95, 0.38),
        (-0.86, 0.58),
        (-0.6, 0.8),
        (-0.2, 0.86),
        (0.2, 0.66),
        (0.5, 0.4),
        (0.8, 0.3),
        (chin + 0.012, 0.0),
    ]
}

fn eyes(who: &Identity, shot: &Shot, smile: f32, old: f32) -> EyeShape {
    let e = &who.eyes;
    let raised = if shot.expression == Expression::BrowsUp { 0.014 } else { 0.0 };
    EyeShape {
        x: 0.288 * (1.0 + 0.10 * e.spacing),
        y: 0.025 * e.height,
        half: 0.150 * (1.0 + 0.13 * e.size),
        up: (0.060 + 0.018 * e.openness + raised) * (1.0 - 0.18 * smile - 0.15 * old),
        down: (0.038 + 0.008 * e.openness) * (1.0 - 0.25 * smile),
        tilt: 0.014 + 0.032 * e.tilt - 0.016 * old,
        iris: 0.062,
        crease: (0.036 + 0.022 * e.lid) * (1.0 - 0.75 * who.lid_fold) * (1.0 - 0.45 * old),
        fold: who.lid_fold,
    }
}

fn nose(who: &Identity, age: f32) -> NoseShape {
    let n = &who.nose;
    NoseShape {
        base: 0.430 + 0.058 * n.length + 0.012 * smooth(50.0, 85.0, age),
        half: 0.168 * (1.0 + 0.22 * n.width),
        bridge: 0.058 * (1.0 + 0.32 * n.bridge),
        tip: 0.088 * (1.0 + 0.28 * n.tip),
        out: 0.25 * (1.0 + 0.2 * n.height),
        turn: n.turn,
    }
}

fn mouth(who: &Identity, shot: &Shot, smile: f32, old: f32) -> MouthShape {
    let m = &who.mouth;
    let thin = (1.0 - 0.12 * smile) * (1.0 - 0.35 * old);
    let open = match shot.expression {
        Expression::MouthOpen => 0.085,
        Expression::Grin => 0.055,
        _ => 0.0,
    };
    MouthShape {
        y: 0.655 + 0.035 * m.height + 0.034 * who.nose.length - 0.015 * smile,
        half: 0.232
            * (1.0 + 0.16 * m.width)
            * (1.0 + 0.17 * smile)
            * (1.0 - 1.2 * open * (1.0 - smile)),
        upper: 0.052 * (1.0 + 0.42 * m.upper) * thin,
        lower: 0.074 * (1.0 + 0.36 * m.lower) * thin,
        bow: 0.014 * (1.0 + 0.7 * m.bow),
        lift: 0.010 + 0.014 * m.corners + 0.05 * smile - 0.012 * old,
        open,
    }
}

fn brows(who: &Identity, shot: &Shot) -> BrowShape {
    let b = &who.brows;
    let raised = if shot.expression == Expression::BrowsUp { 0.06 } else { 0.0 };
    BrowShape {
        y: -0.19 - 0.042 * b.height - raised,
        inner: 0.108 * (1.0 + 0.42 * b.spacing),
        outer: 0.475 + 0.035 * b.length,
        thick: 0.050 * (1.0 + 0.55 * b.thickness),
        arch: 0.04 * (1.0 + 0.85 * b.arch),
        slope: 0.025 * b.slope,
    }
}

fn bumps(head: &Head, who: &Identity, old: f32) -> Vec<Bump> {
    let (e, n, m) = (&head.eye, &head.nose, &head.mouth);
    let (o, male) = (&who.outline, who.masculine);
    let bump = |x, y, wide, high, out| Bump { x, y, wide, high, out };
    vec![
        // Brow ridge, temples.
        bump(0.22, -0.19, 0.17, 0.07, 0.014 + 0.036 * male),
        bump(0.55, -0.25, 0.10, 0.16, -0.03),
        // Sockets, and the eyeballs in them.
        bump(e.x - 0.03, e.y - 0.005, 0.13, 0.085, -0.085 - 0.03 * who.eyes.depth),
        bump(e.x, e.y, 0.085, 0.06, 0.055),
        bump(e.x, e.y + 0.11, 0.11, 0.035, -0.012 - 0.02 * old),
        // Cheeks.
        bump(0.42, 0.20, 0.13, 0.10, 0.03 + 0.022 * o.cheekbones + 0.02 * head.smile),
        bump(0.30, 0.33, 0.11, 0.12, 0.012 + 0.02 * o.fullness + 0.045 * head.smile),
        bump(0.44, 0.50, 0.12, 0.14, 0.026 * o.fullness - 0.012 - 0.02 * old),
        // Wings and tip of the nose.
        bump(n.half * 0.70, n.base - 0.055, 0.052, 0.052, 0.085),
        bump(0.0, n.base - 0.08, n.tip * 0.8, 0.05, 0.03 + 0.015 * who.nose.tip),
        // The mouth.
        bump(0.0, m.y, 0.22, 0.15, 0.05),
        bump(0.0, n.base + 0.10, 0.022, 0.05, -0.014),
        bump(m.half * 0.35, m.y - m.upper * 0.6, m.half * 0.5, m.upper * 0.6, 0.022),
        bump(0.0, m.y + m.open + m.lower * 0.55, m.half * 0.55, m.lower * 0.6, 0.035),
        bump(0.0, m.y + m.open + m.lower + 0.05, 0.12, 0.035, -0.035),
        bump(m.half + 0.06, m.y + 0.02, 0.05, 0.10, 0.014),
        // The chin, and folds of age from the nose to the corners of the mouth.
        bump(0.0, head.chin - 0.11, 0.12, 0.075, 0.045 + 0.02 * o.chin_out),
        bump(n.half + 0.09, m.y - 0.10, 0.03, 0.10, -0.014 - 0.02 * old - 0.022 * head.smile),
        bump(0.33, m.y + 0.16, 0.07, 0.08, 0.03 * old),
    ]
}

/// The height of a smooth curve through knots in rising order, level outside of them.
pub(super) fn curve(knots: &[(f32, f32)], at: f32) -> f32 {
    let next = knots.partition_point(|k| k.0 < at);
    let knot = |i: usize| knots.get(i.min(knots.len() - 1)).copied().unwrap_or_default();
    if next == 0 || next == knots.len() {
        return knot(next).1;
    }
    let (a, b, c, d) = (knot(next.saturating_sub(2)), knot(next - 1), knot(next), knot(next + 1));
    let step = c.0 - b.0;
    let slope = |p: (f32, f32), q: (f32, f32)| {
        if q.0 > p.0 { (q.1 - p.1) / (q.0 - p.0) * step } else { 0.0 }
    };
    let (m0, m1) = (slope(a, c), slope(b, d));
    let t = (at - b.0) / step;
    let (t2, t3) = (t * t, t * t * t);
    b.1 * (2.0 * t3 - 3.0 * t2 + 1.0)
        + m0 * (t3 - 2.0 * t2 + t)
        + c.1 * (3.0 * t2 - 2.0 * t3)
        + m1 * (t3 - t2)
}
