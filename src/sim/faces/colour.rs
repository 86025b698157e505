//! Colours of skin, hair and eyes as plain numbers, and the little arithmetic they need. Knows
//! nothing of faces or pixels.

/// Red, green, blue in sRGB, each 0 to 1.
pub type Rgb = [f32; 3];

/// An [`Rgb`] from the usual bytes.
pub(super) fn rgb(r: u8, g: u8, b: u8) -> Rgb {
    [f32::from(r) / 255.0, f32::from(g) / 255.0, f32::from(b) / 255.0]
}

/// `a` at 0, `b` at 1.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// Brighter above 1, darker below.
pub(super) fn scale(a: Rgb, k: f32) -> Rgb {
    a.map(|c| c * k)
}

/// The colour at `t` (0 to 1) of evenly spaced stops.
pub(super) fn ramp(stops: &[Rgb], t: f32) -> Rgb {
    let last = stops.len().saturating_sub(1);
    let at = t.clamp(0.0, 1.0) * last as f32;
    let low = (at as usize).min(last.saturating_sub(1));
    match (stops.get(low), stops.get(low + 1)) {
        (Some(&a), Some(&b)) => mix(a, b, at - low as f32),
        (Some(&a), None) => a,
        _ => [0.0; 3],
    }
}

/// 0 below `low`, 1 above `high`, smooth between; `low` may be the greater of the two.
pub(super) fn smooth(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The bell curve: 1 at 0, about 0.6 at 1, nothing beyond 3.
pub(super) fn bell(x: f32, y: f32) -> f32 {
    let q = x * x + y * y;
    if q > 9.0 { 0.0 } else { (-0.5 * q).exp() }
}
