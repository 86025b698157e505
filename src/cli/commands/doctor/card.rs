//! The test card, drawn by our own code: what cropping, coarse scaling, wrong colours and lost lines
//! would show on. The face is one of the simulator's and shows nobody.

use image::{Rgb, RgbImage, imageops};
use zeroize::Zeroizing;

use crate::picture::{Colours, PictureBytes, Protocol};
use crate::shell::{Card, Drawing};
use crate::sim::faces::{self, Format, Identity, Shot};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 400;
/// Arms of the corner marks.
const ARM: u32 = 40;
/// Of the marks: seen beside a black screen, a white one and the card itself, also in greys.
const MARK: Rgb<u8> = Rgb([255, 140, 0]);
const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
/// Skin, dark to light, then the corners of the colours.
const PATCHES: [[u8; 3]; 8] = [
    [66, 41, 30],
    [141, 92, 64],
    [198, 149, 116],
    [240, 208, 186],
    [220, 40, 40],
    [40, 170, 60],
    [50, 90, 220],
    [235, 205, 50],
];

/// The card; `None` never, in practice: it is a picture that we have just encoded.
pub fn card() -> Option<Card> {
    let file = faces::encode(&picture(), Format::Png);
    Some(Card { picture: PictureBytes::new(Zeroizing::new(file))?, words })
}

/// What one should see.
fn words(drawing: &Drawing) -> Vec<String> {
    let fine = match drawing.protocol {
        Protocol::Blocks => "The fine lines run into grey: characters are coarse.",
        Protocol::Kitty | Protocol::Iterm2 | Protocol::Sixel => {
            "The lines at the bottom stand apart, at least the wider ones."
        }
    };
    // A palette has no room for every grey, and characters have few cells for them.
    let steps = if drawing.protocol == Protocol::Blocks { "steps" } else { "small steps" };
    let coloured = drawing.protocol != Protocol::Blocks || drawing.options.colours == Colours::True;
    let colours =
        if coloured { "red, green, blue, yellow." } else { "four colours, all in greys." };
    vec![
        format!("Test card, drawn by {}. Any key takes it away.", drawing.protocol.word()),
        "You should see: an angle in each of the four corners, whole (else it is cropped); a ramp from"
            .into(),
        format!(
            "black to white in even {steps}; a face, not stretched; eight patches, four of skin, then"
        ),
        format!("{colours} {fine}"),
    ]
}

fn picture() -> RgbImage {
    let mut card = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([48; 3]));
    let mut fill =
        |left: u32, top: u32, width: u32, height: u32, of: &dyn Fn(u32, u32) -> Rgb<u8>| {
            for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
                card.put_pixel(left + x, top + y, of(x, y));
            }
        };
    // The ramp along the top, between the marks.
    let ramp = WIDTH - 2 * ARM - 40;
    fill(ARM + 20, 14, ramp, 36, &|x, _| {
        Rgb([u8::try_from(x * 255 / (ramp - 1)).unwrap_or(255); 3])
    });
    // Patches on the right, four by two.
    for (place, colour) in (0u32..).zip(PATCHES) {
        fill(420 + place % 2 * 90, 70 + place / 2 * 56, 80, 46, &|_, _| Rgb(colour));
    }
    // Lines along the bottom, one to four pixels wide, upright and level.
    for wide in 1..=4 {
        let upright = move |x: u32, _| if (x / wide).is_multiple_of(2) { WHITE } else { BLACK };
        let level = move |_, y: u32| if (y / wide).is_multiple_of(2) { WHITE } else { BLACK };
        let left = ARM + 20 + (wide - 1) * 132;
        fill(left, 320, 60, 56, &upright);
        fill(left + 64, 320, 60, 56, &level);
    }
    // The marks, to the very corner.
    for (right, bottom) in [(false, false), (true, false), (false, true), (true, true)] {
        let (x, y) = (if right { WIDTH - ARM } else { 0 }, if bottom { HEIGHT - ARM } else { 0 });
        let (x_bar, y_bar) =
            (if right { WIDTH - 6 } else { 0 }, if bottom { HEIGHT - 6 } else { 0 });
        fill(x, y_bar, ARM, 6, &|_, _| MARK);
        fill(x_bar, y, 6, ARM, &|_, _| MARK);
    }
    let face = faces::draw(&Identity::from_seed(7), &Shot::from_seed(1), 190, 238);
    imageops::replace(&mut card, &face, 130, 66);
    card
}
