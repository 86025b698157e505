//! Pictures as files, good ones in the formats Didit takes and broken ones that a viewer has to
//! survive. Knows nothing of faces.

use std::io::Cursor;

use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder, ImageFormat, RgbImage};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG of this quality, 1 to 100.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// PNG.
    Png,
    /// WebP without loss.
    WebP,
    /// TIFF.
    Tiff,
    /// JPEG whose pixels are stored turned, with the EXIF orientation (1 to 8) that puts them
    /// upright again. Any other number is taken as 1.
    JpegTurned(u8),
}

/// A file that does not hold a picture anyone should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// A JPEG that ends in the middle of its header.
    Truncated,
    /// An error page with status 200.
    Html,
    /// A PNG whose header claims 60,000 by 60,000 pixels.
    Bomb,
    /// An SVG, which no face service takes.
    Svg,
    /// No bytes at all.
    Empty,
}

impl Broken {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Truncated, Self::Html, Self::Bomb, Self::Svg, Self::Empty];
}

/// A picture as a file. Empty if the encoder refuses the picture, as it does one without pixels.
#[must_use]
pub fn encode(picture: &RgbImage, format: Format) -> Vec<u8> {
    let bytes = match format {
        Format::Jpeg { quality } => jpeg(picture, quality, None),
        Format::JpegTurned(orientation) => turned(picture, orientation),
        Format::Png => plain(picture, ImageFormat::Png),
        Format::WebP => plain(picture, ImageFormat::WebP),
        Format::Tiff => plain(picture, ImageFormat::Tiff),
    };
    bytes.unwrap_or_default()
}

fn plain(picture: &RgbImage, format: ImageFormat) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).ok()?;
    Some(bytes.into_inner())
}

fn jpeg(picture: &RgbImage, quality: u8, exif: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).ok()?;
    }
    let (width, height) = picture.dimensions();
    encoder.write_image(picture.as_raw(), width, height, image::ExtendedColorType::Rgb8).ok()?;
    Some(bytes)
}

fn turned(picture: &RgbImage, number: u8) -> Option<Vec<u8>> {
    let orientation = Orientation::from_exif(number).unwrap_or(Orientation::NoTransforms);
    let mut stored = DynamicImage::ImageRgb8(picture.clone());
    stored.apply_orientation(undoing(orientation));
    jpeg(&stored.into_rgb8(), 90, Some(exif(orientation)))
}

/// What has to be done to pixels so that `orientation` makes them upright again.
fn undoing(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        // All others, done twice, change nothing.
        same => same,
    }
}

/// A TIFF directory, big-endian, with the orientation (tag 0x0112, one 16-bit number) alone.
fn exif(orientation: Orientation) -> Vec<u8> {
    let mut bytes = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
    bytes.extend_from_slice(&[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation.to_exif(), 0, 0]);
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// A file that is no picture, or one that must not be decoded. The seed varies where it is cut and
/// what it says.
#[must_use]
pub fn broken(kind: Broken, seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    match kind {
        Broken::Truncated => {
            let grey = RgbImage::from_pixel(64, 80, image::Rgb([rng.u8(..), 128, 128]));
            let mut bytes = encode(&grey, Format::Jpeg { quality: 80 });
            // Inside the tables, before the first scan.
            bytes.truncate(rng.usize(24..160));
            bytes
        }
        Broken::Html => format!(
            "<!doctype html><html><head><title>Request has expired</title></head>\
             <body><h1>403</h1><p>{:016x}</p></body></html>",
            rng.u64(..)
        )
        .into_bytes(),
        Broken::Bomb => bomb(),
        Broken::Svg => format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"480\" height=\"600\">\
             <circle cx=\"240\" cy=\"{}\" r=\"120\"/></svg>",
            rng.u16(200..400)
        )
        .into_bytes(),
        Broken::Empty => Vec::new(),
    }
}

/// A well-formed PNG of few bytes that would take 14 GB.
fn bomb() -> Vec<u8> {
    let side = 60_000_u32.to_be_bytes();
    let mut header = side.to_vec();
    header.extend_from_slice(&side);
    // Eight bits, RGBA, the only compression and filter there are, not interlaced.
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut bytes, *b"IHDR", &header);
    // An empty zlib stream.
    chunk(&mut bytes, *b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
    chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

fn chunk(bytes: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let start = bytes.len();
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(data);
    let sum = crc(&bytes[start..]);
    bytes.extend_from_slice(&sum.to_be_bytes());
}

/// The check sum of PNG chunks (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |s, _| (s >> 1) ^ (0xedb8_8320 & (s & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageDecoder, ImageReader};

    fn sample() -> RgbImage {
        // Every corner differs, so that no turn or flip looks like another.
        RgbImage::from_fn(48, 64, |x, y| {
            image::Rgb([(x * 5) as u8, (y * 3) as u8, ((x + y) / 2) as u8])
        })
    }

    fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
        assert_eq!(a.dimensions(), b.dimensions());
        let sum: u64 =
            a.as_raw().iter().zip(b.as_raw()).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
        sum as f64 / a.as_raw().len() as f64
    }

    #[test]
    fn every_format_comes_back_as_it_went() {
        let picture = sample();
        for (format, kind) in [
            (Format::Png, ImageFormat::Png),
            (Format::WebP, ImageFormat::WebP),
            (Format::Tiff, ImageFormat::Tiff),
        ] {
            let bytes = encode(&picture, format);
            assert_eq!(image::guess_format(&bytes).unwrap(), kind);
            assert_eq!(image::load_from_memory(&bytes).unwrap().into_rgb8(), picture, "{format:?}");
        }
        let bytes = encode(&picture, Format::Jpeg { quality: 92 });
        assert_eq!(image::guess_format(&bytes).unwrap(), ImageFormat::Jpeg);
        assert!(difference(&image::load_from_memory(&bytes).unwrap().into_rgb8(), &picture) < 4.0);
    }

    #[test]
    fn a_lower_quality_makes_a_smaller_file() {
        let picture = sample();
        let size = |quality| encode(&picture, Format::Jpeg { quality }).len();
        assert!(size(20) < size(95));
    }

    #[test]
    fn all_eight_orientations_stand_upright_once_applied_and_not_before() {
        let picture = sample();
        for number in 1..=8 {
            let bytes = encode(&picture, Format::JpegTurned(number));
            let mut decoder = ImageReader::new(Cursor::new(&bytes))
                .with_guessed_format()
                .unwrap()
                .into_decoder()
                .unwrap();
            let orientation = decoder.orientation().unwrap();
            assert_eq!(orientation.to_exif(), number);
            let mut shown = DynamicImage::from_decoder(decoder).unwrap();
            if number > 4 {
                assert_eq!(
                    (shown.width(), shown.height()),
                    (64, 48),
                    "{number} is stored on its side"
                );
            } else if number > 1 {
                assert!(difference(&shown.to_rgb8(), &picture) > 20.0, "{number} is stored turned");
            }
            shown.apply_orientation(orientation);
            assert!(difference(&shown.into_rgb8(), &picture) < 4.0, "{number} is upright");
        }
    }

    #[test]
    fn broken_files_do_not_decode() {
        for kind in Broken::ALL {
            for seed in 0..20 {
                let bytes = broken(kind, seed);
                assert!(image::load_from_memory(&bytes).is_err(), "{kind:?} {seed}");
            }
        }
    }

    #[test]
    fn the_bomb_is_a_sound_png_that_a_limit_on_the_sides_refuses() {
        let bytes = broken(Broken::Bomb, 1);
        assert!(bytes.len() < 100);
        let open =
            || ImageReader::new(Cursor::new(bytes.as_slice())).with_guessed_format().unwrap();
        assert_eq!(open().into_dimensions().unwrap(), (60_000, 60_000));
        let mut limited = open();
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(10_000);
        limited.limits(limits);
        assert!(matches!(limited.decode(), Err(image::ImageError::Limits(_))));
    }
}
