//! Who may have how much of a minute's calls. What can wait for as long as it takes has all but a reserve, and the
//! reserve follows what the others use: somebody who decides finds it there, and nobody keeps it for nobody. Pure;
//! the windows that count are the client's own and the store's.

/// How long a call can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it, or a decision depends on it.
    Now,
    /// It is fetched ahead: a little is left to those who wait.
    Background,
    /// It goes on for as long as it takes, as the intake does; who asks does the waiting: no place now is an answer.
    Patient,
}

/// The time over which patient calls are spread, in milliseconds: what all of them together took at once comes free
/// at once a minute later, and somebody who decides cannot wait until then.
pub const SLICE_MS: i64 = 5_000;

impl Urgency {
    /// How many of a minute's calls there may be in all before one of this urgency has to wait, where those that
    /// are not patient made `urgent` of them.
    #[must_use]
    pub fn most(self, limit: u32, urgent: u32) -> u32 {
        let limit = limit.max(1);
        let kept = match self {
            Self::Now => 0,
            Self::Background => floor(limit),
            Self::Patient => floor(limit).saturating_add(urgent / 2).min(limit.div_ceil(4)),
        };
        limit.saturating_sub(kept).max(1)
    }

    /// How long a grant of a minute that others share lasts, in milliseconds: until then its calls may leave, and from
    /// then they count for a minute. Who goes on without a pause needs less, and loses less.
    #[must_use]
    pub fn grant_lasts_ms(self) -> i64 {
        match self {
            Self::Now | Self::Background => 2_000,
            Self::Patient => 1_000,
        }
    }

    /// How many calls of this urgency may leave within [`SLICE_MS`]: a little more than their part of the minute.
    #[must_use]
    pub fn at_once(self, limit: u32) -> u32 {
        match self {
            Self::Now | Self::Background => u32::MAX,
            Self::Patient => limit.max(1).div_ceil(10),
        }
    }
}

/// What is kept for those who wait when there was none of them for a minute: a decision or two, until what they use
/// shows. A fiftieth, six where the limit is small, and never more than a tenth.
fn floor(limit: u32) -> u32 {
    limit.div_ceil(50).max(limit.div_ceil(10).min(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_follows_use() {
        for (limit, urgent, patient, background) in [
            (600, 0, 588, 588),
            (600, 1, 588, 588),
            (600, 60, 558, 588),
            (600, 600, 450, 588),
            (60, 0, 54, 54),
            (60, 20, 45, 54),
            (10, 0, 9, 9),
            (1, 9, 1, 1),
            (0, 0, 1, 1),
        ] {
            assert_eq!(Urgency::Patient.most(limit, urgent), patient, "{limit} {urgent}");
            assert_eq!(Urgency::Background.most(limit, urgent), background, "{limit} {urgent}");
            assert_eq!(Urgency::Now.most(limit, urgent), limit.max(1));
        }
        assert_eq!((Urgency::Patient.at_once(600), Urgency::Now.at_once(600)), (60, u32::MAX));
    }
}
