//! Figures on the screen: what was read last, and how far it is scrolled.

use crate::domain::Figures;

/// The statistics on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The figures; `None` before they were read.
    pub figures: Option<Figures>,
    /// Lines that are scrolled away above.
    pub scrolled: u16,
}

impl Statistics {
    /// Scrolls by `by` lines. The last section stays on the screen.
    pub fn step(&mut self, by: i64) {
        let last = i64::from(self.lines().saturating_sub(1));
        let wanted = i64::from(self.scrolled).saturating_add(by).clamp(0, last);
        self.scrolled = u16::try_from(wanted).unwrap_or(0);
    }

    /// How many lines there are: a heading and a blank for each section, and the times.
    fn lines(&self) -> u16 {
        let Some(figures) = &self.figures else { return 0 };
        let rows: usize = figures.sections().iter().map(|section| section.rows.len() + 2).sum();
        u16::try_from(rows + 1 + figures.times().len()).unwrap_or(u16::MAX)
    }
}
