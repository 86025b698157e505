//! Who somebody is: the features that stay the same from one picture to the next. Knows nothing
//! of how a picture is taken (`shot`) or drawn (`paint`).

use fastrand::Rng;

use super::colour::{Rgb, mix, ramp, rgb};

/// Defines a group of features. Each is a deviation from the average face: 0 average, 1 and -1
/// rather extreme, never beyond 1.4.
macro_rules! traits {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: f32),* }

        impl $name {
            fn drawn(rng: &mut Rng) -> Self {
                Self { $($field: deviation(rng)),* }
            }

            fn toward(&self, other: &Self, t: f32) -> Self {
                Self { $($field: self.$field + (other.$field - self.$field) * t),* }
            }

            /// Every difference to `other`, for a measure of likeness.
            fn apart(&self, other: &Self) -> Vec<f32> {
                vec![$(self.$field - other.$field),*]
            }
        }
    };
}

traits! {
    /// The outline of the head and the bones under it.
    Outline {
        /// Width at the cheekbones.
        width,
        /// Width at the angles of the jaw.
        jaw,
        /// Width of the chin.
        chin_width,
        /// Length from nose to chin.
        chin_length,
        /// How far the chin stands out.
        chin_out,
        /// Width of the forehead.
        forehead,
        /// Prominence of the cheekbones.
        cheekbones,
        /// Fullness of the cheeks.
        fullness,
    }
}

traits! {
    /// The eyes, both alike.
    Eyes {
        /// Distance between them.
        spacing,
        /// Length of the opening.
        size,
        /// Height of the opening.
        openness,
        /// Outer corner higher (1) or lower (-1).
        tilt,
        /// How deep they lie.
        depth,
        /// How much of the upper lid shows.
        lid,
        /// Height in the face.
        height,
    }
}

traits! {
    /// The nose.
    Nose {
        /// From bridge to base.
        length,
        /// Across the wings.
        width,
        /// Width of the bridge.
        bridge,
        /// Bulk of the tip.
        tip,
        /// How far it stands out.
        height,
        /// Tip turned up (1) or down (-1).
        turn,
    }
}

traits! {
    /// The mouth.
    Mouth {
        /// Corner to corner.
        width,
        /// Fullness of the upper lip.
        upper,
        /// Fullness of the lower lip.
        lower,
        /// Height between nose and chin.
        height,
        /// Depth of the cupid's bow.
        bow,
        /// Corners up (1) or down (-1).
        corners,
    }
}

traits! {
    /// The eyebrows.
    Brows {
        /// Thickness.
        thickness,
        /// Height of the arch.
        arch,
        /// Height above the eyes.
        height,
        /// Gap between them.
        spacing,
        /// Outer ends up (1) or down (-1).
        slope,
        /// Length.
        length,
    }
}

traits! {
    /// The ears.
    Ears {
        /// Height.
        size,
        /// How far they stand off.
        stick_out,
        /// Size of the lobe.
        lobe,
    }
}

/// How the hair is worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HairStyle {
    /// No hair on the scalp.
    Bald,
    /// A ring of hair at sides and back.
    Horseshoe,
    /// A few millimetres all over.
    Buzz,
    /// Short, combed from a part.
    SidePart,
    /// Short at the sides, swept up and back.
    Quiff,
    /// Short, falling into the forehead.
    Crop,
    /// Short curls.
    Curls,
    /// A round, full crown of tight curls.
    Afro,
    /// To the jaw, open forehead.
    Bob,
    /// To the jaw, with a straight fringe.
    FringeBob,
    /// Long and straight.
    Long,
    /// Long and wavy.
    Waves,
    /// Swept back and tied in a knot.
    Bun,
    /// Long thin braids.
    Braids,
    /// Hair covered with a scarf.
    Scarf,
}

/// Hair as it grows and as it is worn.
#[derive(Debug, Clone, PartialEq)]
pub struct Hair {
    /// The cut.
    pub style: HairStyle,
    /// Colour before any grey.
    pub colour: Rgb,
    /// Deviation of the volume.
    pub volume: f32,
    /// Deviation of the height of the hairline.
    pub hairline: f32,
    /// How far the temples recede, 0 to 1.
    pub recession: f32,
    /// Where the part is, -1 to 1.
    pub part: f32,
    /// Deviation of the length.
    pub length: f32,
    /// Age in years at which half of it is grey.
    pub grey_at: f32,
    /// Colour of the scarf, used by [`HairStyle::Scarf`].
    pub scarf: Rgb,
}

/// Hair of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FacialHair {
    /// Shaven, or none grows.
    None,
    /// A few days.
    Stubble,
    /// Upper lip only.
    Moustache,
    /// Around the mouth and on the chin.
    Goatee,
    /// Trimmed, along the whole jaw.
    Short,
    /// Long, along the whole jaw.
    Full,
}

/// What a mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkKind {
    /// A dark round spot.
    Mole,
    /// A thin pale line.
    Scar,
}

/// Something on the skin that stays where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// What it is.
    pub kind: MarkKind,
    /// Left to right in head units (see `head`), 0 in the middle.
    pub x: f32,
    /// Top to bottom in head units, 0 at the eyes, 1 at the chin.
    pub y: f32,
    /// Radius, or half the length, in head units.
    pub size: f32,
    /// Direction of a scar in radians.
    pub angle: f32,
}

/// Skin colour: the whole human range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Skin {
    /// 0 palest to 1 darkest.
    pub melanin: f32,
    /// Deviation toward red.
    pub red: f32,
    /// Deviation toward yellow.
    pub yellow: f32,
    /// Freckles, 0 none to 1 many.
    pub freckles: f32,
    /// Where the freckles are.
    pub freckle_seed: u64,
}

impl Skin {
    /// The colour in neutral light.
    #[must_use]
    pub fn colour(&self) -> Rgb {
        let tones = [
            rgb(247, 218, 198),
            rgb(238, 200, 174),
            rgb(223, 178, 146),
            rgb(200, 152, 116),
            rgb(170, 121, 86),
            rgb(132, 88, 61),
            rgb(96, 62, 44),
            rgb(66, 43, 33),
        ];
        let [r, g, b] = ramp(&tones, self.melanin);
        [
            r * (1.0 + 0.025 * self.red),
            g * (1.0 - 0.02 * self.red + 0.01 * self.yellow),
            b * (1.0 - 0.02 * self.red - 0.06 * self.yellow),
        ]
    }
}

/// A person who does not exist: everything that two pictures of them share.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Apparent age in years, 18 to 85.
    pub age: f32,
    /// 0 feminine to 1 masculine.
    pub masculine: f32,
    /// Head and bones.
    pub outline: Outline,
    /// Eyes.
    pub eyes: Eyes,
    /// How far a fold covers the inner corner of the eye, 0 to 1.
    pub lid_fold: f32,
    /// Colour of the iris.
    pub iris: Rgb,
    /// Nose.
    pub nose: Nose,
    /// Mouth.
    pub mouth: Mouth,
    /// Eyebrows.
    pub brows: Brows,
    /// Ears.
    pub ears: Ears,
    /// Skin.
    pub skin: Skin,
    /// Hair.
    pub hair: Hair,
    /// Hair of the face.
    pub facial_hair: FacialHair,
    /// Moles and scars.
    pub marks: Vec<Mark>,
    /// How unlike the two halves are, -1 to 1.
    pub asymmetry: f32,
}

/// Features that tend to come together, so that faces look plausible. Numbers, not peoples: each
/// person is drawn loosely around one row.
struct Tendency {
    melanin: (f32, f32),
    fold: f32,
    nose_width: f32,
    nose_height: f32,
    lips: f32,
    fair: f32,
    tight_curls: f32,
    scarf: f32,
}

const TENDENCIES: [Tendency; 7] = [
    // melanin, fold of the lid, nose width and height, lips, fair hair and eyes, tight curls, scarf
    tendency((0.0, 0.2), 0.0, -0.4, 0.4, -0.4, 0.8, 0.0, 0.0),
    tendency((0.1, 0.35), 0.05, -0.2, 0.4, -0.1, 0.25, 0.03, 0.05),
    tendency((0.08, 0.38), 0.9, 0.15, -0.5, 0.0, 0.0, 0.0, 0.03),
    tendency((0.3, 0.55), 0.0, 0.0, 0.5, 0.0, 0.02, 0.05, 0.3),
    tendency((0.4, 0.75), 0.1, 0.1, 0.2, 0.1, 0.0, 0.03, 0.12),
    tendency((0.68, 1.0), 0.0, 0.8, -0.3, 0.8, 0.0, 0.9, 0.1),
    tendency((0.28, 0.6), 0.4, 0.3, 0.0, 0.2, 0.03, 0.1, 0.03),
];

#[allow(clippy::too_many_arguments)] // One row of a table, read under its heading.
const fn tendency(
    melanin: (f32, f32),
    fold: f32,
    nose_width: f32,
    nose_height: f32,
    lips: f32,
    fair: f32,
    tight_curls: f32,
    scarf: f32,
) -> Tendency {
    Tendency { melanin, fold, nose_width, nose_height, lips, fair, tight_curls, scarf }
}

impl Identity {
    /// The person of this seed; the same one always.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed_face_0000_0001);
        let rng = &mut rng;
        let kind = &TENDENCIES[rng.usize(..TENDENCIES.len())];
        let masculine: f32 = if rng.bool() { 0.72 + 0.28 * rng.f32() } else { 0.28 * rng.f32() };
        let age = 18.0 + 64.0 * rng.f32().powf(1.35);
        let fair = if rng.f32() < kind.fair { rng.f32() } else { 0.0 };
        let skin = skin(rng, kind, fair);
        let mut person = Self {
            age,
            masculine,
            outline: Outline::drawn(rng),
            eyes: Eyes::drawn(rng),
            lid_fold: if rng.f32() < kind.fold { 0.55 + 0.45 * rng.f32() } else { 0.0 },
            iris: iris(rng, fair),
            nose: Nose::drawn(rng),
            mouth: Mouth::drawn(rng),
            brows: Brows::drawn(rng),
            ears: Ears::drawn(rng),
            skin,
            hair: hair(rng, kind, fair, masculine, age),
            facial_hair: facial_hair(rng, masculine),
            marks: (0..rng.usize(0..4)).map(|_| mark(rng)).collect(),
            asymmetry: deviation(rng),
        };
        person.settle(kind);
        person
    }

    /// Moves what was drawn at random toward what goes together.
    fn settle(&mut self, kind: &Tendency) {
        let lean = self.masculine - 0.5;
        self.outline.jaw = mild(self.outline.jaw + 0.9 * lean);
        self.outline.chin_width = mild(self.outline.chin_width + 0.9 * lean);
        self.outline.chin_length = mild(self.outline.chin_length + 0.5 * lean);
        self.brows.thickness = mild(self.brows.thickness + 0.9 * lean);
        self.brows.height = mild(self.brows.height - 0.8 * lean);
        self.brows.arch = mild(self.brows.arch - 0.6 * lean);
        self.eyes.openness = mild(self.eyes.openness - 0.5 * lean - 0.35 * self.lid_fold);
        self.eyes.size = mild(self.eyes.size - 0.3 * lean);
        self.eyes.tilt = mild(self.eyes.tilt + 0.5 * self.lid_fold);
        self.nose.width = mild(0.8 * self.nose.width + kind.nose_width + 0.2 * lean);
        self.nose.height = mild(0.8 * self.nose.height + kind.nose_height);
        self.nose.length = mild(self.nose.length + 0.3 * lean);
        self.mouth.upper = mild(0.8 * self.mouth.upper + kind.lips - 0.5 * lean);
        self.mouth.lower = mild(0.8 * self.mouth.lower + kind.lips - 0.4 * lean);
    }

    /// Somebody like this person: 1.0 a twin nobody can tell apart, 0.7 a sibling, 0.0 a stranger.
    /// The same seed gives the same direction, so that a falling nearness moves steadily away.
    #[must_use]
    pub fn look_alike(&self, seed: u64, nearness: f32) -> Self {
        let far = (1.0 - nearness.clamp(0.0, 1.0)).powf(0.75);
        let t = (1.15 * far).min(1.0);
        let mut rng = Rng::with_seed(seed ^ 0x100c_a11c_e000_0002);
        let other = Self::from_seed(rng.u64(..));
        let takes = |rng: &mut Rng, from: f32| (far - from) / (1.0 - from) > rng.f32();
        let mut hair = self.hair.toward(&other.hair, t);
        let restyled = takes(&mut rng, 0.3);
        if restyled && (self.masculine - other.masculine).abs() < 0.5 {
            hair.style = other.hair.style;
        }
        let facial_hair = if takes(&mut rng, 0.3) { other.facial_hair } else { self.facial_hair };
        let own_marks = self.marks.iter().filter(|_| !takes(&mut rng, 0.05)).copied();
        let mut marks: Vec<Mark> = own_marks.collect();
        marks.extend(other.marks.iter().filter(|_| takes(&mut rng, 0.05)));
        Self {
            age: self.age + (other.age - self.age) * 0.5 * t,
            masculine: self.masculine
                + (other.masculine - self.masculine) * (2.0 * t - 1.0).max(0.0),
            outline: self.outline.toward(&other.outline, t),
            eyes: self.eyes.toward(&other.eyes, t),
            lid_fold: self.lid_fold + (other.lid_fold - self.lid_fold) * 0.6 * t,
            iris: mix(self.iris, other.iris, 0.5 * t),
            nose: self.nose.toward(&other.nose, t),
            mouth: self.mouth.toward(&other.mouth, t),
            brows: self.brows.toward(&other.brows, t),
            ears: self.ears.toward(&other.ears, t),
            skin: self.skin.toward(&other.skin, t * 0.4),
            hair,
            facial_hair,
            marks,
            asymmetry: self.asymmetry + (other.asymmetry - self.asymmetry) * t,
        }
    }

    /// How alike two people are, 0 to 1, from the features a camera cannot change (hair and marks
    /// count little). 1.0 is the same person; strangers lie mostly under 0.6.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f32 {
        let mut apart = self.outline.apart(&other.outline);
        apart.extend(self.eyes.apart(&other.eyes));
        apart.extend(self.nose.apart(&other.nose));
        apart.extend(self.mouth.apart(&other.mouth));
        apart.extend(self.brows.apart(&other.brows));
        apart.push(2.0 * (self.skin.melanin - other.skin.melanin));
        apart.push(2.0 * (self.masculine - other.masculine));
        apart.push(self.lid_fold - other.lid_fold);
        apart.push((self.age - other.age) / 25.0);
        let mean = apart.iter().map(|d| d * d).sum::<f32>() / apart.len() as f32;
        1.0 / (1.0 + 1.3 * mean.sqrt())
    }
}

impl Hair {
    fn toward(&self, other: &Self, t: f32) -> Self {
        let slide = |a: f32, b: f32| a + (b - a) * t;
        Self {
            style: self.style,
            colour: mix(self.colour, other.colour, 0.5 * t),
            volume: slide(self.volume, other.volume),
            hairline: slide(self.hairline, other.hairline),
            recession: slide(self.recession, other.recession),
            part: slide(self.part, other.part),
            length: slide(self.length, other.length),
            grey_at: slide(self.grey_at, other.grey_at),
            scarf: mix(self.scarf, other.scarf, t),
        }
    }
}

impl Skin {
    fn toward(&self, other: &Self, t: f32) -> Self {
        let slide = |a: f32, b: f32| a + (b - a) * t;
        Self {
            melanin: slide(self.melanin, other.melanin),
            red: slide(self.red, other.red),
            yellow: slide(self.yellow, other.yellow),
            freckles: slide(self.freckles, other.freckles),
            freckle_seed: self.freckle_seed,
        }
    }
}

/// Mostly small, sometimes large: -1.2 to 1.2.
fn deviation(rng: &mut Rng) -> f32 {
    1.2 * (rng.f32() + rng.f32() - 1.0)
}

fn mild(x: f32) -> f32 {
    x.clamp(-1.4, 1.4)
}

fn skin(rng: &mut Rng, kind: &Tendency, fair: f32) -> Skin {
    let (low, high) = kind.melanin;
    let freckled = rng.f32() < 0.15 + 0.35 * fair && low < 0.4;
    Skin {
        melanin: low + (high - low) * rng.f32() * (1.0 - 0.5 * fair),
        red: deviation(rng),
        yellow: deviation(rng),
        freckles: if freckled { 0.3 + 0.7 * rng.f32() } else { 0.0 },
        freckle_seed: rng.u64(..),
    }
}

fn iris(rng: &mut Rng, fair: f32) -> Rgb {
    let dark = [rgb(48, 28, 18), rgb(78, 48, 28), rgb(96, 62, 34), rgb(110, 82, 44)];
    let light = [rgb(112, 112, 66), rgb(96, 118, 98), rgb(108, 128, 140), rgb(88, 124, 160)];
    if rng.f32() < 0.15 + 0.9 * fair && fair > 0.0 {
        ramp(&light, rng.f32())
    } else {
        ramp(&dark, rng.f32() * (0.7 + 0.3 * fair))
    }
}

fn hair_colour(rng: &mut Rng, fair: f32) -> Rgb {
    let dark = [rgb(20, 17, 17), rgb(34, 25, 21), rgb(52, 36, 27)];
    let light = [rgb(84, 56, 36), rgb(122, 86, 54), rgb(168, 130, 84), rgb(206, 174, 122)];
    let red = [rgb(96, 44, 26), rgb(160, 78, 38)];
    if fair == 0.0 {
        ramp(&dark, rng.f32())
    } else if rng.f32() < 0.2 {
        ramp(&red, rng.f32())
    } else {
        ramp(&light, rng.f32())
    }
}

fn hair(rng: &mut Rng, kind: &Tendency, fair: f32, masculine: f32, age: f32) -> Hair {
    let scarves =
        [rgb(38, 44, 66), rgb(120, 40, 52), rgb(196, 184, 168), rgb(52, 84, 78), rgb(28, 26, 28)];
    Hair {
        style: hair_style(rng, kind, masculine, age),
        colour: hair_colour(rng, fair),
        volume: deviation(rng),
        hairline: deviation(rng),
        recession: (masculine * (0.2 + (age - 25.0) / 60.0) * rng.f32() * 1.6).clamp(0.0, 1.0),
        part: 2.0 * rng.f32() - 1.0,
        length: deviation(rng),
        grey_at: 42.0 + 30.0 * rng.f32(),
        scarf: scarves[rng.usize(..scarves.len())],
    }
}

fn hair_style(rng: &mut Rng, kind: &Tendency, masculine: f32, age: f32) -> HairStyle {
    use HairStyle as S;
    let curly = rng.f32() < kind.tight_curls;
    let choices: &[S] = match (masculine > 0.5, curly) {
        (true, _) if rng.f32() < (age - 35.0) / 90.0 => &[S::Bald, S::Horseshoe],
        (true, true) => &[S::Buzz, S::Buzz, S::Afro, S::Curls, S::Bald, S::Braids],
        (true, false) => {
            &[S::SidePart, S::SidePart, S::Quiff, S::Quiff, S::Crop, S::Buzz, S::Curls, S::Waves]
        }
        (false, _) if rng.f32() < kind.scarf => &[S::Scarf],
        (false, true) => &[S::Afro, S::Braids, S::Curls, S::Bun, S::Long],
        (false, false) => {
            &[S::Bob, S::FringeBob, S::Long, S::Long, S::Waves, S::Waves, S::Bun, S::Crop]
        }
    };
    choices[rng.usize(..choices.len())]
}

fn facial_hair(rng: &mut Rng, masculine: f32) -> FacialHair {
    use FacialHair as F;
    if masculine < 0.5 {
        return F::None;
    }
    let choices = [
        F::None,
        F::None,
        F::None,
        F::Stubble,
        F::Stubble,
        F::Moustache,
        F::Goatee,
        F::Short,
        F::Short,
        F::Full,
    ];
    choices[rng.usize(..choices.len())]
}

fn mark(rng: &mut Rng) -> Mark {
    let kind = if rng.f32() < 0.75 { MarkKind::Mole } else { MarkKind::Scar };
    let (low, high) = if kind == MarkKind::Mole { (0.010, 0.022) } else { (0.05, 0.10) };
    // Cheeks, chin and forehead: a mark on an eye or on the lips would not be seen as one.
    let places =
        [(0.34, 0.28), (0.40, 0.45), (0.22, 0.82), (0.18, -0.42), (0.30, 0.60), (0.42, -0.30)];
    let (x, y) = places[rng.usize(..places.len())];
    let side = if rng.bool() { 1.0 } else { -1.0 };
    Mark {
        kind,
        x: side * (x + 0.06 * deviation(rng)),
        y: y + 0.05 * deviation(rng),
        size: low + (high - low) * rng.f32(),
        angle: std::f32::consts::PI * rng.f32(),
    }
}
