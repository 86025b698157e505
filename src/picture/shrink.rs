//! A picture made small enough to be sent: decoded, turned upright, written again as JPEG. Knows
//! nothing of who takes it.

use jpeg_encoder::{ColorType, Encoder};
use zeroize::Zeroizing;

use super::{DecodeError, Limits, PictureBytes, decode};

/// Sides and qualities that are tried, best first.
const STEPS: [(u32, u8); 4] = [(3000, 92), (2000, 90), (1600, 85), (1000, 80)];

/// Makes a JPEG of at most `most` bytes. The EXIF orientation is applied to the pixels, so the face
/// stands as it stood.
///
/// # Errors
/// [`DecodeError`] when the file cannot be read, or not made that small.
pub fn shrink(picture: &PictureBytes, most: usize) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    for (keep_side, quality) in STEPS {
        let limits = Limits { max_side: 16_384, max_alloc: 768 * 1024 * 1024, keep_side };
        let portrait = decode(picture, 0, &limits)?;
        let side = |n: u32| u16::try_from(n).map_err(|_| DecodeError::TooLarge);
        let (width, height) = (side(portrait.width())?, side(portrait.height())?);
        // Room for the whole file, so that it does not grow and leave copies behind.
        let mut jpeg = Zeroizing::new(Vec::with_capacity(portrait.pixels().len() / 2 + 4096));
        Encoder::new(&mut *jpeg, quality)
            .encode(portrait.pixels(), width, height, ColorType::Rgb)
            .map_err(|_| DecodeError::Damaged)?;
        if jpeg.len() <= most {
            return Ok(jpeg);
        }
    }
    Err(DecodeError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Format;

    /// Noise, which compresses badly.
    fn noise(width: u32, height: u32) -> PictureBytes {
        let mut rng = fastrand::Rng::with_seed(7);
        let pixels: Vec<u8> =
            std::iter::repeat_with(|| rng.u8(..)).take((width * height * 3) as usize).collect();
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        PictureBytes::new(Zeroizing::new(png)).unwrap()
    }

    #[test]
    fn a_large_picture_becomes_a_jpeg_that_fits() {
        let large = noise(1800, 1200);
        assert!(large.bytes().len() > 5 << 20);
        let small = shrink(&large, 2 << 20).unwrap();
        assert!(small.len() <= 2 << 20);
        assert_eq!(Format::of(&small), Some(Format::Jpeg));
        assert!(matches!(shrink(&large, 1_000), Err(DecodeError::TooLarge)));
    }
}
