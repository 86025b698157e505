//! Round after round: when to begin the next one, and when to wait longer because the last failed. Of the
//! consoles of a team one looks for all; the others stand by and hear of it from the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Intake, IntakeError, Notice, Report};
use crate::didit::ErrorKind;
use crate::domain::{Clock, Origin, WorkerId};
use crate::store::Store;

/// The longest wait between two rounds unless the server asks for more, in milliseconds.
const MOST_MS: i64 = 600_000;
/// How long the duty to look for all lasts unless it is kept, in milliseconds.
pub const DUTY_MS: i64 = 60_000;
/// How often it is kept, or asked for by those who stand by: a console that died is followed by another
/// one within [`DUTY_MS`] and this.
const BEAT: Duration = Duration::from_secs(15);

impl Intake {
    /// Looks for new cases for all while this console has that duty, and stands by while another one
    /// has it, until it is stopped. `nudge` begins a round at once, on duty or not: somebody asked.
    pub async fn watch(
        &mut self,
        worker: &WorkerId,
        report: Report<'_>,
        nudge: &Notify,
        stop: &CancellationToken,
    ) {
        let duty = Duty {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            origin: self.origin.clone(),
            worker: worker.clone(),
        };
        while !stop.is_cancelled() {
            match duty.take().await {
                Ok(true) => {
                    tokio::select! {
                        biased;
                        () = self.rounds(report, nudge, stop) => {}
                        () = duty.keep() => {}
                    }
                    continue;
                }
                Ok(false) => report(Notice::LookedElsewhere),
                Err(error) => report(Notice::Failed(error.into())),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = nudge.notified() => {
                    self.look(report, stop).await;
                }
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        duty.leave().await;
    }

    /// Pulls, tells, waits, until it is stopped.
    async fn rounds(&mut self, report: Report<'_>, nudge: &Notify, stop: &CancellationToken) {
        let mut rng = fastrand::Rng::with_seed(self.clock.now().0.unsigned_abs());
        let mut failures = 0;
        loop {
            let asked = match self.look(report, stop).await {
                Look::Done => {
                    failures = 0;
                    Duration::ZERO
                }
                Look::Failed(asked) => {
                    failures += 1;
                    asked
                }
                Look::Stopped => return,
            };
            let wait = pause(self.settings.interval_ms, failures, asked, rng.f64());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Pulls once, and tells what came of it.
    async fn look(&mut self, report: Report<'_>, stop: &CancellationToken) -> Look {
        match self.pull(report, stop).await {
            Ok(counts) => {
                report(Notice::Pulled(counts));
                Look::Done
            }
            Err(IntakeError::Stopped) => Look::Stopped,
            Err(error) => {
                let asked = wait_asked(&error);
                report(Notice::Failed(error));
                Look::Failed(asked)
            }
        }
    }
}

/// How a round ended.
enum Look {
    Done,
    /// It failed; the server wants to be left alone for so long.
    Failed(Duration),
    Stopped,
}

/// The duty to look for all.
struct Duty {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    origin: Origin,
    worker: WorkerId,
}

impl Duty {
    async fn take(&self) -> crate::store::Result<bool> {
        self.store.take_duty(&self.origin, &self.worker, self.clock.now(), DUTY_MS).await
    }

    /// Keeps it; ends when another console has it by now. A store that is out of reach is out of reach
    /// for the others too.
    async fn keep(&self) {
        loop {
            tokio::time::sleep(BEAT).await;
            if matches!(self.take().await, Ok(false)) {
                return;
            }
        }
    }

    /// Gives it up, so that another console need not wait. It runs out by itself where that fails.
    async fn leave(&self) {
        let _ = self.store.leave_duty(&self.origin, &self.worker).await;
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
