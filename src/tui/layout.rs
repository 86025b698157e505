//! Where things are: pure functions of the size, used by the views and by whoever prepares pictures, so
//! that a picture is made for exactly the cells it will fill.

use ratatui::layout::Rect;

use crate::core::{Desk, Shown, Side, Size, Zoom};
use crate::picture::Region;

/// The smallest screen on which faces are shown: below it the decision keys are off.
pub const SMALLEST: Size = (60, 18);

/// Rows of facts on a tall screen: one a fact.
pub const FACTS_ROWS: u16 = 6;

/// The Review screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewLayout {
    /// One line: place in the queue, deadlines, what is on its way, who.
    pub status: Rect,
    /// The queue beside the pair, on wide screens.
    pub queue: Option<Rect>,
    /// One line over the subject's picture.
    pub subject_title: Rect,
    /// The subject's picture.
    pub subject: Rect,
    /// One line over the candidate's picture.
    pub candidate_title: Rect,
    /// The candidate's picture.
    pub candidate: Rect,
    /// One line over a picture that stands alone.
    pub alone_title: Rect,
    /// A picture alone, in the room of both: where that shows more of it.
    pub alone: Rect,
    /// What agrees and what differs.
    pub facts: Rect,
    /// One line: armed or not, and why.
    pub arming: Rect,
    /// What the keys would do.
    pub consequence: Rect,
    /// The keys.
    pub keys: Rect,
    /// The last word.
    pub notice: Rect,
}

impl ReviewLayout {
    /// The layout for a size in cells.
    #[must_use]
    pub fn new((width, height): Size) -> Self {
        let tall = height >= 32;
        let wide = width >= 110;
        let facts_rows = if tall { FACTS_ROWS } else { 1 };
        // A line each: a consequence that is cut could mean something else.
        let consequence_rows = 2;
        let key_rows = if tall { 2 } else { 1 };
        let line = |y: u16, rows: u16| {
            Rect::new(0, y.min(height), width, rows.min(height.saturating_sub(y)))
        };
        let bottom = facts_rows + 1 + consequence_rows + key_rows + 1;
        let top = 1;
        let middle = height.saturating_sub(top + bottom);
        let queue_width = if wide { (width / 5).clamp(24, 34) } else { 0 };
        let queue = wide.then(|| Rect::new(0, top, queue_width, middle));
        let left = queue_width + u16::from(wide);
        let room = width.saturating_sub(left);
        let pane = |x: u16, w: u16, title: bool| {
            let (y, rows) = if title { (top, 1) } else { (top + 1, middle.saturating_sub(1)) };
            Rect::new(x, y.min(height), w, rows.min(middle))
        };
        let half = room.saturating_sub(1) / 2;
        let (subject_x, candidate_x) = (left, left + half + 1);
        let mut y = top + middle;
        let mut next = |rows: u16| {
            let area = line(y, rows);
            y += rows;
            area
        };
        Self {
            status: line(0, 1),
            queue,
            subject_title: pane(subject_x, half, true),
            subject: pane(subject_x, half, false),
            candidate_title: pane(candidate_x, half, true),
            candidate: pane(candidate_x, half, false),
            alone_title: pane(left, room, true),
            alone: pane(left, room, false),
            facts: next(facts_rows),
            arming: next(1),
            consequence: next(consequence_rows),
            keys: next(key_rows),
            notice: next(1),
        }
    }

    /// Where the blocklist interlock stands: everything below the pictures, which it never covers.
    #[must_use]
    pub fn interlock(&self) -> Rect {
        let bottom = self.keys.bottom();
        Rect::new(0, self.facts.y, self.status.width, bottom.saturating_sub(self.facts.y))
    }

    /// Cells for each picture: columns, rows.
    #[must_use]
    pub fn picture_cells(&self) -> Size {
        size(self.subject)
    }

    /// Which pictures are shown, and where. A flip shows one of the two in the subject's place, or,
    /// where that brings the eyes further apart, in the room of both.
    #[must_use]
    pub fn places(&self, desk: &Desk) -> Vec<(Side, Rect)> {
        let [subject, candidate] = desk.sides();
        let flipped = match desk.shown {
            Shown::Pair => subject,
            Shown::CandidateFlipped => candidate,
            Shown::SubjectFlipped => subject,
        };
        if desk.shown != Shown::Pair && self.alone_shows_more(desk.sight.zoom()) {
            return vec![(flipped, self.alone)];
        }
        vec![(flipped, self.subject), (candidate, self.candidate)]
    }

    /// Whether a part of the face is shown larger in the room of both pictures than in half of it.
    #[must_use]
    pub fn alone_shows_more(&self, zoom: Zoom) -> bool {
        pupils(zoom, self.alone) > 1.05 * pupils(zoom, self.subject)
    }
}

/// The size of an area.
#[must_use]
pub fn size(area: Rect) -> Size {
    (area.width, area.height)
}

/// The columns between the pupils when a part of the face fills an area, cells being twice as high as
/// wide.
#[must_use]
pub fn pupils(zoom: Zoom, area: Rect) -> f64 {
    let (width, height) = region(zoom).size();
    (f64::from(area.width) / width).min(2.0 * f64::from(area.height) / height)
}

/// The part of a portrait that a zoom stands for.
#[must_use]
pub fn region(zoom: Zoom) -> Region {
    match zoom {
        Zoom::Whole => Region::Whole,
        Zoom::Eyes => Region::Eyes,
        Zoom::Mouth => Region::NoseMouth,
        Zoom::Jaw => Region::JawEars,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faces_get_the_room_they_need() {
        for (size, least) in [((80, 24), (39, 15)), ((120, 40), (46, 25)), ((200, 60), (80, 45))] {
            let (columns, rows) = ReviewLayout::new(size).picture_cells();
            assert!(columns >= least.0 && rows >= least.1, "{size:?}: {columns}x{rows}");
        }
    }

    proptest! {
        #[test]
        fn everything_stays_on_the_screen(width in 0u16..400, height in 0u16..200) {
            let l = ReviewLayout::new((width, height));
            for area in [l.status, l.subject_title, l.subject, l.candidate_title, l.candidate, l.facts,
                l.arming, l.consequence, l.keys, l.notice, l.interlock(), l.queue.unwrap_or_default()] {
                prop_assert!(area.right() <= width.max(1) && area.bottom() <= height.max(1), "{area:?}");
            }
        }
    }
}
