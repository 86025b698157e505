//! Colours: samples of any number to RGB on a stated grey, and profiles to sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use zeroize::Zeroizing;

use super::BEHIND;

/// 8 bits of 16, by scaling: 65535 is 255, and 257 times anything is that.
pub(super) fn eight(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_767) / 65_535) as u8
}

/// A value as it looks over the grey behind.
pub(super) fn over_grey(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(value) * alpha + u32::from(BEHIND) * (255 - alpha) + 127) / 255) as u8
}

/// RGB of grey, grey and alpha, RGB or RGB and alpha; 8 bits a sample, or 16 with the high byte first.
pub(super) fn to_rgb(channels: usize, deep: bool, raw: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let raw = Zeroizing::new(raw);
    if channels == 3 && !deep {
        return Some(raw);
    }
    let depth = if deep { 2 } else { 1 };
    let pixel = channels * depth;
    let mut rgb = Zeroizing::new(Vec::with_capacity(raw.len() / pixel.max(1) * 3));
    for samples in raw.chunks_exact(pixel.max(1)) {
        let at = |n: usize| match deep {
            false => samples[n],
            true => eight(u16::from_be_bytes([samples[n * 2], samples[n * 2 + 1]])),
        };
        let (colour, alpha) = match channels {
            1 => ([at(0); 3], 255),
            2 => ([at(0); 3], at(1)),
            3 => ([at(0), at(1), at(2)], 255),
            4 => ([at(0), at(1), at(2)], at(3)),
            _ => return None,
        };
        rgb.extend_from_slice(&colour.map(|value| over_grey(value, alpha)));
    }
    Some(rgb)
}

/// From the colours of a profile to sRGB. Profiles of RGB and of grey only; the others do not fit what
/// the decoders give out, which is RGB already.
pub(super) fn to_srgb(rgb: &mut Zeroizing<Vec<u8>>, profile: &[u8]) {
    let Ok(source) = ColorProfile::new_from_slice(profile) else { return };
    let srgb = ColorProfile::new_srgb();
    let layout = match source.color_space {
        DataColorSpace::Rgb => Layout::Rgb,
        DataColorSpace::Gray => Layout::Gray,
        _ => return,
    };
    let options = TransformOptions::default();
    let Ok(transform) = source.create_transform_8bit(layout, &srgb, Layout::Rgb, options) else {
        return;
    };
    let from = match source.color_space {
        // Only a grey picture can have such a profile: all three are the same.
        DataColorSpace::Gray => rgb.as_chunks::<3>().0.iter().map(|pixel| pixel[0]).collect(),
        _ => rgb.to_vec(),
    };
    let from = Zeroizing::new(from);
    let mut to = Zeroizing::new(vec![0; rgb.len()]);
    if transform.transform(&from, &mut to).is_ok() {
        *rgb = to;
    }
}

/// CIE L*a*b* under D50 to sRGB; L from 0 to 100.
pub(super) fn lab([l, a, b]: [f32; 3]) -> [u8; 3] {
    let fy = (l + 16.0) / 116.0;
    let back = |t: f32| if t > 6.0 / 29.0 { t * t * t } else { (t - 16.0 / 116.0) / 7.787_037 };
    let x = 0.964_22 * back(fy + a / 500.0);
    let y = back(fy);
    let z = 0.825_21 * back(fy - b / 200.0);
    // D50 to linear sRGB, adapted by Bradford.
    let linear = [
        3.133_856 * x - 1.616_867 * y - 0.490_615 * z,
        -0.978_768 * x + 1.916_142 * y + 0.033_454 * z,
        0.071_945 * x - 0.228_991 * y + 1.405_243 * z,
    ];
    linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let coded = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (coded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_scaled_and_not_cut() {
        for value in 0..=255u16 {
            assert_eq!(u16::from(eight(value * 257)), value);
        }
        // Cut to its high byte this would be 127.
        assert_eq!(eight(0x7fff), 127);
        assert_eq!(eight(0x80ff), 128);
        assert_eq!(eight(0x00ff), 1);
    }

    #[test]
    fn lab_of_known_colours() {
        for (from, to) in [
            ([0.0, 0.0, 0.0], [0, 0, 0]),
            ([100.0, 0.0, 0.0], [255, 255, 255]),
            ([54.29, 80.81, 69.89], [255, 0, 0]),
            ([87.82, -79.29, 80.99], [0, 255, 0]),
            ([29.57, 68.30, -112.03], [0, 0, 255]),
        ] {
            let got = lab(from);
            assert!(got.iter().zip(to).all(|(a, b)| a.abs_diff(b) <= 2), "{from:?}: {got:?}");
        }
    }

    #[test]
    fn a_profile_that_is_none_changes_nothing() {
        let mut rgb = Zeroizing::new(vec![1, 2, 3]);
        for profile in [&b""[..], b"nonsense", &[0; 200]] {
            to_srgb(&mut rgb, profile);
            assert_eq!(*rgb, [1, 2, 3]);
        }
    }
}
