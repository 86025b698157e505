//! Round after round: when to begin the next one, and when to wait longer because the last failed.

use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Intake, IntakeError, Notice, Report};
use crate::didit::ErrorKind;

/// The longest wait between two rounds unless the server asks for more, in milliseconds.
const MOST_MS: i64 = 600_000;

impl Intake {
    /// Pulls, tells, waits, until it is stopped. `nudge` begins the next round at once.
    pub async fn watch(&mut self, report: Report<'_>, nudge: &Notify, stop: &CancellationToken) {
        let mut rng = fastrand::Rng::with_seed(self.clock.now().0.unsigned_abs());
        let mut failures = 0;
        loop {
            let mut asked = Duration::ZERO;
            match self.pull(report, stop).await {
                Ok(counts) => {
                    failures = 0;
                    report(Notice::Pulled(counts));
                }
                Err(IntakeError::Stopped) => return,
                Err(error) => {
                    failures += 1;
                    asked = wait_asked(&error);
                    report(Notice::Failed(error));
                }
            }
            let wait = pause(self.settings.interval_ms, failures, asked, rng.f64());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// How long the server wants to be left alone.
fn wait_asked(error: &IntakeError) -> Duration {
    match error {
        IntakeError::Api(api) => match api.kind {
            ErrorKind::Limited { after } => after,
            _ => Duration::ZERO,
        },
        IntakeError::Store(_) | IntakeError::Endless | IntakeError::Stopped => Duration::ZERO,
    }
}

/// How long to wait for the next round: the interval, doubled with each failure in a row up to ten
/// minutes, a fifth more or less by `jitter` (0 to 1), never less than the server asked for.
#[must_use]
pub fn pause(interval_ms: i64, failures: u32, asked: Duration, jitter: f64) -> Duration {
    let interval = interval_ms.clamp(1_000, MOST_MS);
    let base = interval.saturating_mul(1 << failures.min(10)).min(MOST_MS).unsigned_abs();
    let share = 0.8 + 0.4 * jitter.clamp(0.0, 1.0);
    Duration::from_millis(base).mul_f64(share).max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_round_begins_later_after_each_failure() {
        let seconds = |interval, failures, asked, jitter| {
            pause(interval, failures, Duration::from_secs(asked), jitter).as_secs_f64()
        };
        for (interval, failures, asked, jitter, wanted) in [
            (45_000, 0, 0, 0.5, 45.0),
            (45_000, 0, 0, 0.0, 36.0),
            (45_000, 0, 0, 1.0, 54.0),
            (45_000, 1, 0, 0.5, 90.0),
            (45_000, 2, 0, 0.5, 180.0),
            (45_000, u32::MAX, 0, 0.5, 600.0),
            (45_000, 1, 120, 0.5, 120.0),
            (0, 0, 0, 0.5, 1.0),
            (i64::MAX, 0, 0, 0.5, 600.0),
        ] {
            let found = seconds(interval, failures, asked, jitter);
            assert!((found - wanted).abs() < 0.001, "{interval} {failures} {asked} {found}");
        }
    }
}
