//! From a painted picture to a photograph: blur, grain, and the mirror of front cameras.

use fastrand::Rng;
use image::{DynamicImage, RgbImage, RgbaImage};
use tiny_skia::{
    BlendMode, FilterQuality, Paint, Pattern, Pixmap, PixmapPaint, Rect, SpreadMode, Transform,
};

use super::super::shot::Shot;

/// Side of the grain that is repeated over the picture.
const TILE: u32 = 128;

/// Finishes the picture.
pub(in super::super) fn develop(mut picture: Pixmap, shot: &Shot) -> RgbImage {
    let blur = shot.blur * picture.height() as f32 / 1000.0;
    soften(&mut picture, blur);
    // Skin has pores and every sensor a little noise: nothing in a photograph is quite smooth.
    grain(&mut picture, shot.grain, 0.07 + 0.42 * shot.noise);
    let (width, height) = (picture.width(), picture.height());
    // The picture is opaque, so its colours are not changed by having been multiplied by cover.
    let Some(image) = RgbaImage::from_raw(width, height, picture.take()) else {
        return RgbImage::new(width, height);
    };
    let image = DynamicImage::ImageRgba8(image);
    if shot.mirror { image.fliph().into_rgb8() } else { image.into_rgb8() }
}

/// Blurs by drawing the picture small and large again.
fn soften(picture: &mut Pixmap, radius: f32) {
    if radius < 0.5 {
        return;
    }
    let k = 1.0 / (1.0 + radius);
    let size = |side: u32| ((side as f32 * k).ceil() as u32).max(1);
    let Some(mut small) = Pixmap::new(size(picture.width()), size(picture.height())) else {
        return;
    };
    let kx = small.width() as f32 / picture.width() as f32;
    let ky = small.height() as f32 / picture.height() as f32;
    let fine = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
    small.draw_pixmap(0, 0, picture.as_ref(), &fine, Transform::from_scale(kx, ky), None);
    let over = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
    picture.draw_pixmap(
        0,
        0,
        small.as_ref(),
        &over,
        Transform::from_scale(1.0 / kx, 1.0 / ky),
        None,
    );
}

/// Lays grain of this strength over the picture: fine noise on a coarser one.
fn grain(picture: &mut Pixmap, seed: u64, strength: f32) {
    let Some(mut tile) = Pixmap::new(TILE, TILE) else { return };
    let mut rng = Rng::with_seed(seed);
    let coarse: Vec<u8> = (0..TILE * TILE / 4).map(|_| rng.u8(..)).collect();
    let side = TILE as usize;
    for (i, pixel) in tile.data_mut().chunks_exact_mut(4).enumerate() {
        let bits = rng.u32(..).to_le_bytes();
        let block = coarse[(i / side / 2) * (side / 2) + i % side / 2];
        let level = u16::from(bits[0]) + u16::from(bits[0]) + u16::from(block);
        // Mostly light and dark, a little colour.
        for (channel, bit) in pixel.iter_mut().zip(&bits[1..]) {
            *channel = ((level + u16::from(*bit)) / 4) as u8;
        }
        pixel[3] = 255;
    }
    let place = Transform::from_translate(-rng.f32() * TILE as f32, rng.f32() * TILE as f32);
    let shader =
        Pattern::new(tile.as_ref(), SpreadMode::Repeat, FilterQuality::Nearest, strength, place);
    let paint = Paint { shader, blend_mode: BlendMode::Overlay, ..Paint::default() };
    if let Some(all) = Rect::from_xywh(0.0, 0.0, picture.width() as f32, picture.height() as f32) {
        picture.fill_rect(all, &paint, Transform::identity(), None);
    }
}
