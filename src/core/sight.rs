//! How both faces are looked at: which part, how near, how far moved. One value for both pictures,
//! so that what is compared is the same part at the same scale. Whole numbers only, so that two
//! sights are equal exactly when they show the same.

/// Which part of both faces is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Zoom {
    /// The whole picture.
    #[default]
    Whole,
    /// Eyes and brows.
    Eyes,
    /// Nose and mouth.
    Mouth,
    /// Jaw and ears.
    Jaw,
}

impl Zoom {
    /// In the order of the key.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Eyes, Self::Mouth, Self::Jaw];

    /// The word on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole face",
            Self::Eyes => "eyes and brows",
            Self::Mouth => "nose and mouth",
            Self::Jaw => "jaw and ears",
        }
    }

    /// The next one, or the one before.
    #[must_use]
    pub fn step(self, forward: bool) -> Self {
        let at = Self::ALL.iter().position(|z| *z == self).unwrap_or(0);
        Self::ALL[(at + if forward { 1 } else { Self::ALL.len() - 1 }) % Self::ALL.len()]
    }
}

/// How much nearer one step brings the faces.
const STEP: f64 = 1.25;
/// Steps of scale: from about half the size to about six times.
const SCALES: std::ops::RangeInclusive<i8> = -3..=8;
/// One press of an arrow moves by so many hundredths of the pupils' distance, at no scale.
const STRIDE: f64 = 25.0;
/// No further than this from the middle of the region, right and down: a face is not wider.
const FARTHEST: (i16, i16) = (200, 250);

/// What the reviewer has chosen to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sight {
    zoom: Zoom,
    scale: i8,
    /// Right and down, in hundredths of the pupils' distance.
    pan: (i16, i16),
}

impl Sight {
    /// All of a part, not moved.
    #[must_use]
    pub fn of(zoom: Zoom) -> Self {
        Self { zoom, ..Self::default() }
    }

    /// Which part.
    #[must_use]
    pub fn zoom(self) -> Zoom {
        self.zoom
    }

    /// How many times nearer than all of the part.
    #[must_use]
    pub fn times(self) -> f64 {
        STEP.powi(i32::from(self.scale))
    }

    /// How far moved right and down, in distances of the pupils.
    #[must_use]
    pub fn pan(self) -> (f64, f64) {
        (f64::from(self.pan.0) / 100.0, f64::from(self.pan.1) / 100.0)
    }

    /// Whether it shows all of the part, not moved.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self == Self::of(self.zoom)
    }

    /// The next part or the one before: all of it, not moved.
    #[must_use]
    pub fn step(self, forward: bool) -> Self {
        Self::of(self.zoom.step(forward))
    }

    /// One step nearer or farther, about the same point.
    #[must_use]
    pub fn nearer(self, by: i8) -> Self {
        let scale = (self.scale + by).clamp(*SCALES.start(), *SCALES.end());
        Self { scale, ..self }
    }

    /// One stride right and down (or, if negative, left and up): the nearer, the shorter.
    #[must_use]
    pub fn moved(self, (right, down): (i16, i16)) -> Self {
        let stride = (STRIDE / self.times()).round().max(1.0) as i16;
        let along = |now: i16, steps: i16, most: i16| (now + steps * stride).clamp(-most, most);
        let pan = (along(self.pan.0, right, FARTHEST.0), along(self.pan.1, down, FARTHEST.1));
        Self { pan, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_round_in_both_directions_and_begin_unmoved() {
        let near = Sight::default().nearer(1).moved((1, 0));
        let mut sight = near;
        for zoom in [Zoom::Eyes, Zoom::Mouth, Zoom::Jaw, Zoom::Whole] {
            sight = sight.step(true);
            assert_eq!(sight, Sight::of(zoom));
        }
        assert_eq!(near.step(false), Sight::of(Zoom::Jaw));
    }

    #[test]
    fn nearer_and_back_is_where_it_was_and_has_an_end() {
        let start = Sight::of(Zoom::Eyes).moved((2, -1));
        assert_eq!(start.nearer(1).nearer(-1), start);
        let nearest = (0..40).fold(start, |sight, _| sight.nearer(1));
        assert!(nearest.times() > 5.0 && nearest.times() < 8.0);
        let farthest = (0..40).fold(start, |sight, _| sight.nearer(-1));
        assert!(farthest.times() > 0.5 && farthest.times() < 0.6);
    }

    #[test]
    fn a_stride_is_shorter_when_near_and_ends_at_the_faces_edge() {
        let right = |sight: Sight| sight.moved((1, 0)).pan().0;
        assert!(right(Sight::default()) > right(Sight::default().nearer(4)));
        assert!(right(Sight::default().nearer(8)) > 0.0);
        let far = (0..99).fold(Sight::default(), |sight, _| sight.moved((-1, 1)));
        assert_eq!(far.pan(), (-2.0, 2.5));
        assert!(!far.is_plain() && far.step(true).is_plain());
    }
}
