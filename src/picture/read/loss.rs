//! What of a picture is not there: how much, and where. Knows pixels; why it is not there is its
//! decoder's business.

use std::fmt;

/// A part of a whole, 1 to 99: what is all there or not there at all is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// A share (0 to 1) in percent, rounded up.
    #[must_use]
    pub fn of(share: f64) -> Self {
        // A float cast saturates, so no number can run over.
        Self((share * 100.0).ceil().clamp(1.0, 99.0) as u8)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A rectangle of pixels that are not there: left, top, right, bottom, the last two outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hole(pub u32, pub u32, pub u32, pub u32);

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Loss {
    /// How much.
    pub percent: Percent,
    /// Where, in pixels of the picture as it lies in its file. None where it is only coarser than it was.
    pub(super) holes: Vec<Hole>,
}

impl Loss {
    /// Everything behind so many units of `unit` pixels, counted in rows of a picture of `size`. `None`
    /// when that is nothing.
    pub(super) fn behind(done: u64, unit: (u32, u32), size: (u32, u32)) -> Option<Self> {
        let across = u64::from(size.0.div_ceil(unit.0));
        let all = across * u64::from(size.1.div_ceil(unit.1));
        if done >= all {
            return None;
        }
        let clip = |units: u64, unit: u32, side: u32| {
            u32::try_from(units * u64::from(unit)).unwrap_or(side).min(side)
        };
        let (row, column) = (done / across, done % across);
        let (top, below) = (clip(row, unit.1, size.1), clip(row + 1, unit.1, size.1));
        let left = clip(column, unit.0, size.0);
        let (broken, rest) = (Hole(left, top, size.0, below), Hole(0, below, size.0, size.1));
        let holes = [broken, rest].into_iter().filter(|hole| hole.1 < hole.3).collect();
        Some(Self { percent: Percent::of((all - done) as f64 / all as f64), holes })
    }

    /// Whether nothing of a picture of `size` is there.
    pub(super) fn is_all(&self, size: (u32, u32)) -> bool {
        self.holes.contains(&Hole(0, 0, size.0, size.1))
    }

    /// The holes as left, top, right, bottom, in pixels.
    pub fn areas(&self) -> impl Iterator<Item = [f64; 4]> {
        self.holes.iter().map(|hole| [hole.0, hole.1, hole.2, hole.3].map(f64::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_is_missing_and_nothing_else() {
        let size = (20, 20);
        let behind = |done| Loss::behind(done, (8, 8), size);
        assert_eq!(behind(9), None);
        assert_eq!(behind(12), None);
        let last = behind(8).unwrap();
        assert_eq!((last.percent.get(), last.holes), (12, vec![Hole(16, 16, 20, 20)]));
        let middle = behind(4).unwrap();
        assert_eq!(middle.holes, [Hole(8, 8, 20, 16), Hole(0, 16, 20, 20)]);
        assert_eq!(middle.percent.get(), 56);
        assert_eq!(behind(0).unwrap().percent.get(), 99);
        assert!(Loss::behind(0, (20, 20), size).unwrap().is_all(size));
    }

    #[test]
    fn a_share_is_never_said_to_be_nothing_nor_all() {
        for (share, percent) in [(0.0, 1), (0.001, 1), (0.5, 50), (0.501, 51), (1.0, 99), (9.0, 99)]
        {
            assert_eq!(Percent::of(share).get(), percent, "{share}");
        }
        assert_eq!(Percent::of(0.4).to_string(), "40 %");
    }
}
