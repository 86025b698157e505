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
/// [`DecodeError`] when the file cannot be read as a whole, or not made that small.
pub fn shrink(picture: &PictureBytes, most: usize) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    for (keep_side, quality) in STEPS {
        let limits = Limits { max_side: 16_384, max_alloc: 768 * 1024 * 1024, keep_side };
        let portrait = decode(picture, 0, &limits)?;
        // A gap, and the words across it, are no part of anybody's face.
        if portrait.missing().is_some() {
            return Err(DecodeError::Damaged);
        }
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

    /// A JPEG whose EXIF says that it lies on its side: its left half, where the person's head is down, is
    /// dark.
    fn lying() -> PictureBytes {
        let (width, height) = (1200, 600);
        let pixel = |n: usize| if n % width < width / 2 { [20; 3] } else { [220; 3] };
        let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 90).encode(&pixels, 1200, 600, ColorType::Rgb).unwrap();
        // Orientation 6: to be turned clockwise by a quarter.
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let whole = [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat();
        PictureBytes::new(Zeroizing::new(whole)).unwrap()
    }

    #[test]
    fn a_person_who_lay_stands_afterwards() {
        let small = shrink(&lying(), 1 << 20).unwrap();
        let limits = Limits { max_side: 4_000, max_alloc: 64 << 20, keep_side: 4_000 };
        let bytes = PictureBytes::new(small).unwrap();
        let upright = decode(&bytes, 0, &limits).unwrap();
        assert_eq!((upright.width(), upright.height()), (600, 1200));
        let green = |row: usize| upright.pixels()[(row * 600 + 300) * 3 + 1];
        assert!(green(100) < 60 && green(1100) > 180, "{} {}", green(100), green(1100));
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
