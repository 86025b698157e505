//! Reduces RGB pixels to a palette: k-means in a perceptual colour space, with as much dithering as
//! asked for. What kitty's PNG and sixel have in common.

use palette::Srgb;
use palette::cast::from_component_slice;
use quantette::dither::FloydSteinberg;
use quantette::{ImageRef, PaletteSize, Pipeline, QuantizeMethod};
use zeroize::Zeroizing;

/// A picture of at most 256 colours.
#[derive(Clone)]
pub(super) struct Reduced {
    /// Red, green, blue of each colour.
    pub palette: Vec<[u8; 3]>,
    /// For each pixel the place of its colour.
    pub indices: Zeroizing<Vec<u8>>,
}

/// Reduces pixels to at most `colours` (2 to 256) colours. `dither` is the share of the error handed to
/// the neighbours, 0.0 to 1.0; the same pixels always give the same result.
pub(super) fn reduce(
    rgb: &[u8],
    (width, height): (u32, u32),
    colours: u16,
    dither: f32,
) -> Option<Reduced> {
    if rgb.is_empty() || !rgb.len().is_multiple_of(3) {
        return None;
    }
    let pixels: &[Srgb<u8>] = from_component_slice(rgb);
    let image = ImageRef::new(width, height, pixels).ok()?;
    let reduced = Pipeline::new()
        .palette_size(PaletteSize::from_u16_clamped(colours.clamp(2, 256)))
        .quantize_method(QuantizeMethod::kmeans())
        .ditherer(FloydSteinberg::with_error_diffusion(dither))
        .input_image(image)
        .output_srgb8_indexed_image();
    let (palette, indices) = reduced.into_parts();
    let palette = palette.into_iter().map(|c| [c.red, c.green, c.blue]).collect();
    Some(Reduced { palette, indices: Zeroizing::new(indices) })
}

/// How far apart two colours are for the eye, without a unit: squares of the differences, weighted by
/// about how much each part counts for lightness. At most 650,250.
pub(super) fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let part = |place: usize| u32::from(a[place].abs_diff(b[place])).pow(2);
    3 * part(0) + 6 * part(1) + part(2)
}
