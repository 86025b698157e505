//! How a picture of somebody is taken: everything that differs between two pictures of one
//! person. Knows nothing of who is in it (`features`).

use fastrand::Rng;

use super::colour::{Rgb, rgb};

/// Where the main light stands and what it is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Degrees to the right of the camera, seen in the picture; -90 is from the left.
    pub azimuth: f32,
    /// Degrees above the camera.
    pub elevation: f32,
    /// 1 is a well-lit face.
    pub strength: f32,
    /// Light from everywhere; little of it makes hard shadows. 0.4 is usual.
    pub ambient: f32,
    /// -1 bluish to 1 reddish.
    pub warmth: f32,
}

/// What the face does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expression {
    /// Nothing.
    Neutral,
    /// Smiles with closed lips.
    Smile,
    /// Smiles and shows the teeth.
    Grin,
    /// Speaks: the jaw is down.
    MouthOpen,
    /// Brows raised.
    BrowsUp,
}

/// Glasses, if any are worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Glasses {
    /// None.
    None,
    /// Round, thin metal.
    Round,
    /// Rectangular, dark plastic.
    Square,
    /// Half rim.
    HalfRim,
    /// Dark lenses.
    Sun,
}

/// What is behind the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Background {
    /// One colour, as on a document.
    Plain(Rgb),
    /// A wall that grows darker to the edges.
    Wall(Rgb),
    /// A room out of focus.
    Room(u64),
    /// Greenery out of focus.
    Outdoors(u64),
}

/// What is worn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clothes {
    /// A round neck.
    Tee(Rgb),
    /// A shirt with a collar.
    Shirt(Rgb),
    /// A jacket over a shirt.
    Jacket(Rgb),
    /// A pullover with a high neck.
    Pullover(Rgb),
}

/// One picture being taken. Angles in degrees.
#[derive(Debug, Clone, PartialEq)]
pub struct Shot {
    /// Face turned to the right of the picture; sensible from -35 to 35.
    pub yaw: f32,
    /// Face turned up; sensible from -20 to 20.
    pub pitch: f32,
    /// Head leaning clockwise; sensible from -25 to 25.
    pub roll: f32,
    /// Light.
    pub light: Light,
    /// Expression.
    pub expression: Expression,
    /// Years since (negative: before) the age of the identity.
    pub aged: f32,
    /// Glasses.
    pub glasses: Glasses,
    /// Background.
    pub background: Background,
    /// Clothes.
    pub clothes: Clothes,
    /// Sensor noise, 0 none to 1 a bad camera at night.
    pub noise: f32,
    /// Blur in thousandths of the picture's height: 0 sharp, 10 hardly recognisable.
    pub blur: f32,
    /// Left and right exchanged, as front cameras do.
    pub mirror: bool,
    /// Size of the face; 1 fills a portrait well, 0.6 is far away, 1.4 is cropped.
    pub scale: f32,
    /// Where the middle of the face lies beside the usual place, in parts of the picture's sides.
    pub shift: (f32, f32),
    /// Quality of the JPEG this camera writes, 1 to 100; see [`super::encode()`].
    pub quality: u8,
    /// Makes noise, strands and creases of cloth differ from picture to picture.
    pub grain: u64,
}

impl Default for Shot {
    /// A well-lit picture from the front, as for a passport.
    fn default() -> Self {
        Self {
            yaw: 0.0,
            pitch: 0.0,
            roll: 0.0,
            light: Light {
                azimuth: -22.0,
                elevation: 32.0,
                strength: 1.0,
                ambient: 0.42,
                warmth: 0.1,
            },
            expression: Expression::Neutral,
            aged: 0.0,
            glasses: Glasses::None,
            background: Background::Plain(rgb(205, 212, 218)),
            clothes: Clothes::Tee(rgb(62, 74, 92)),
            noise: 0.12,
            blur: 0.0,
            mirror: false,
            scale: 1.0,
            shift: (0.0, 0.0),
            quality: 88,
            grain: 0,
        }
    }
}

impl Shot {
    /// An everyday picture, such as a selfie taken with a telephone.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0005_4075_0000_0003);
        let rng = &mut rng;
        let spread = |rng: &mut Rng, most: f32| most * (rng.f32() + rng.f32() - 1.0);
        Self {
            yaw: spread(rng, 32.0),
            pitch: spread(rng, 16.0),
            roll: spread(rng, 14.0),
            light: light(rng),
            expression: expression(rng),
            aged: spread(rng, 4.0),
            glasses: glasses(rng),
            background: background(rng),
            clothes: clothes(rng),
            noise: 0.1 + 0.5 * rng.f32() * rng.f32(),
            blur: 2.2 * rng.f32() * rng.f32(),
            mirror: rng.f32() < 0.25,
            scale: 1.0 + spread(rng, 0.22),
            shift: (spread(rng, 0.05), spread(rng, 0.03)),
            quality: rng.u8(62..=92),
            grain: rng.u64(..),
        }
    }

    /// A picture as on an identity document: from the front, plain, some years old.
    #[must_use]
    pub fn document(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x0000_d0c5_0000_0004);
        let rng = &mut rng;
        let greys = [rgb(205, 212, 218), rgb(226, 226, 222), rgb(184, 198, 214)];
        Self {
            yaw: 4.0 * (rng.f32() - 0.5),
            roll: 3.0 * (rng.f32() - 0.5),
            aged: -8.0 * rng.f32(),
            background: Background::Plain(greys[rng.usize(..greys.len())]),
            clothes: clothes(rng),
            blur: 0.8,
            grain: rng.u64(..),
            ..Self::default()
        }
    }
}

fn light(rng: &mut Rng) -> Light {
    Light {
        azimuth: 130.0 * (rng.f32() - 0.5),
        elevation: 8.0 + 40.0 * rng.f32(),
        strength: 0.75 + 0.4 * rng.f32(),
        ambient: 0.28 + 0.3 * rng.f32(),
        warmth: 1.6 * (rng.f32() - 0.5),
    }
}

fn expression(rng: &mut Rng) -> Expression {
    use Expression as E;
    let choices =
        [E::Neutral, E::Neutral, E::Neutral, E::Smile, E::Smile, E::Grin, E::MouthOpen, E::BrowsUp];
    choices[rng.usize(..choices.len())]
}

fn glasses(rng: &mut Rng) -> Glasses {
    match rng.u8(..20) {
        0 | 1 => Glasses::Square,
        2 => Glasses::Round,
        3 => Glasses::HalfRim,
        _ => Glasses::None,
    }
}

fn background(rng: &mut Rng) -> Background {
    let walls = [
        rgb(190, 186, 178),
        rgb(150, 166, 172),
        rgb(214, 206, 192),
        rgb(122, 110, 104),
        rgb(86, 98, 108),
    ];
    match rng.u8(..4) {
        0 | 1 => Background::Wall(walls[rng.usize(..walls.len())]),
        2 => Background::Room(rng.u64(..)),
        _ => Background::Outdoors(rng.u64(..)),
    }
}

fn clothes(rng: &mut Rng) -> Clothes {
    let colours = [
        rgb(40, 46, 58),
        rgb(222, 222, 220),
        rgb(104, 38, 44),
        rgb(58, 84, 112),
        rgb(70, 86, 66),
        rgb(148, 132, 112),
        rgb(30, 30, 32),
    ];
    let colour = colours[rng.usize(..colours.len())];
    match rng.u8(..4) {
        0 => Clothes::Tee(colour),
        1 => Clothes::Shirt(colour),
        2 => Clothes::Jacket(colour),
        _ => Clothes::Pullover(colour),
    }
}
