//! The eight ways a picture can lie: a turn by quarters, perhaps mirrored. One small group, so that
//! an EXIF orientation, a further turn, pixels and face boxes all go through the same arithmetic.

use image::metadata::Orientation;
use zeroize::Zeroizing;

/// What is done to a picture: first x and y are exchanged if `transpose`, then the result is
/// mirrored left to right and top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pose {
    transpose: bool,
    flip_x: bool,
    flip_y: bool,
}

impl Pose {
    const fn new(transpose: bool, flip_x: bool, flip_y: bool) -> Self {
        Self { transpose, flip_x, flip_y }
    }

    /// What an EXIF orientation asks for.
    pub fn of_exif(orientation: Orientation) -> Self {
        match orientation {
            Orientation::NoTransforms => Self::new(false, false, false),
            Orientation::FlipHorizontal => Self::new(false, true, false),
            Orientation::Rotate180 => Self::new(false, true, true),
            Orientation::FlipVertical => Self::new(false, false, true),
            Orientation::Rotate90FlipH => Self::new(true, false, false),
            Orientation::Rotate90 => Self::new(true, true, false),
            Orientation::Rotate270FlipH => Self::new(true, true, true),
            Orientation::Rotate270 => Self::new(true, false, true),
        }
    }

    /// A clockwise turn in degrees. Only quarter turns exist; any other angle turns nothing.
    pub fn of_turn(degrees: u16) -> Self {
        match degrees % 360 {
            90 => Self::of_exif(Orientation::Rotate90),
            180 => Self::of_exif(Orientation::Rotate180),
            270 => Self::of_exif(Orientation::Rotate270),
            _ => Self::default(),
        }
    }

    /// This, and then `next`.
    pub fn then(self, next: Self) -> Self {
        // A transposition after a mirroring exchanges the two mirrors.
        let (flip_x, flip_y) =
            if next.transpose { (self.flip_y, self.flip_x) } else { (self.flip_x, self.flip_y) };
        Self {
            transpose: self.transpose ^ next.transpose,
            flip_x: flip_x ^ next.flip_x,
            flip_y: flip_y ^ next.flip_y,
        }
    }

    /// The size that a picture of `size` has afterwards.
    pub fn size<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Where a point of a picture of `size` lies afterwards (edges, not pixel centres).
    pub fn point(self, size: (f64, f64), (x, y): (f64, f64)) -> (f64, f64) {
        let (width, height) = self.size(size);
        let (x, y) = if self.transpose { (y, x) } else { (x, y) };
        (if self.flip_x { width - x } else { x }, if self.flip_y { height - y } else { y })
    }

    /// Does it to RGB pixels, rows from the top; `size` is the size before.
    pub fn pixels(self, size: (usize, usize), rgb: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        if self == Self::default() {
            return rgb;
        }
        let (width, height) = self.size(size);
        let mut turned = Zeroizing::new(Vec::with_capacity(rgb.len()));
        for y in 0..height {
            for x in 0..width {
                let x = if self.flip_x { width - 1 - x } else { x };
                let y = if self.flip_y { height - 1 - y } else { y };
                let (from_x, from_y) = if self.transpose { (y, x) } else { (x, y) };
                let at = (from_y * size.0 + from_x) * 3;
                turned.extend_from_slice(&rgb[at..at + 3]);
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn pose(exif: u8) -> Pose {
        Pose::of_exif(Orientation::from_exif(exif).unwrap())
    }

    /// A picture of 3 by 2 pixels whose red channel numbers them.
    fn numbered() -> Zeroizing<Vec<u8>> {
        Zeroizing::new((0..6).flat_map(|n| [n, 0, 0]).collect())
    }

    fn reds(rgb: &[u8]) -> Vec<u8> {
        rgb.chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn the_eight_orientations_do_what_exif_says() {
        let table: [(u8, [u8; 6]); 8] = [
            (1, [0, 1, 2, 3, 4, 5]),
            (2, [2, 1, 0, 5, 4, 3]),
            (3, [5, 4, 3, 2, 1, 0]),
            (4, [3, 4, 5, 0, 1, 2]),
            (5, [0, 3, 1, 4, 2, 5]),
            (6, [3, 0, 4, 1, 5, 2]),
            (7, [5, 2, 4, 1, 3, 0]),
            (8, [2, 5, 1, 4, 0, 3]),
        ];
        for (exif, wanted) in table {
            assert_eq!(reds(&pose(exif).pixels((3, 2), numbered())), wanted, "orientation {exif}");
        }
    }

    #[test]
    fn one_after_the_other_is_the_same_as_both_at_once() {
        for first in ALL.map(pose) {
            for next in ALL.map(pose) {
                let stepwise = next.pixels(first.size((3, 2)), first.pixels((3, 2), numbered()));
                let at_once = first.then(next).pixels((3, 2), numbered());
                assert_eq!(stepwise, at_once, "{first:?} then {next:?}");
            }
        }
    }

    #[test]
    fn points_go_where_pixels_go() {
        for pose in ALL.map(pose) {
            let turned = reds(&pose.pixels((3, 2), numbered()));
            for n in 0..6usize {
                let centre = ((n % 3) as f64 + 0.5, (n / 3) as f64 + 0.5);
                let (x, y) = pose.point((3.0, 2.0), centre);
                let at = y as usize * pose.size((3, 2)).0 + x as usize;
                assert_eq!(usize::from(turned[at]), n, "{pose:?}");
            }
        }
    }

    #[test]
    fn only_quarter_turns_turn() {
        assert_eq!(Pose::of_turn(90), pose(6));
        assert_eq!(Pose::of_turn(450), pose(6));
        assert_eq!(Pose::of_turn(180), pose(3));
        assert_eq!(Pose::of_turn(270), pose(8));
        for degrees in [0, 1, 45, 89, 359, 360] {
            assert_eq!(Pose::of_turn(degrees), Pose::default(), "{degrees}");
        }
    }
}
