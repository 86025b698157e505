//! This process: what time it is, who it is among the workers, and which of the others on this machine
//! are dead.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::{Clock, Millis, WorkerId};

/// The time of day, read once; from then on it advances with the monotonic clock, so a clock that is set
/// while the program runs moves no deadline.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
    at: Millis,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self { started: Instant::now(), at: Millis(ms) }
    }

    /// The same clock, corrected by so many milliseconds.
    #[must_use]
    pub fn ahead_by(self, ms: i64) -> Self {
        Self { at: self.at.plus(ms), ..self }
    }

    /// The moment of an instant that was taken after the clock was made.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Millis {
        let passed = instant.saturating_duration_since(self.started).as_millis();
        self.at.plus(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// The instant of a moment; the present one for a moment that is past.
    #[must_use]
    pub fn instant(&self, at: Millis) -> Instant {
        let ahead = at.since(self.at).max(0).unsigned_abs();
        self.started + std::time::Duration::from_millis(ahead)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        self.at(Instant::now())
    }
}

/// This process as a worker: `HOST/BOOT/PID/START`. A process id alone comes back after a reboot, and
/// sooner on a busy machine; with the boot and the start time it does not.
#[must_use]
pub fn worker_id() -> WorkerId {
    let pid = std::process::id();
    let start = start_time(pid).unwrap_or_default();
    WorkerId(format!("{}/{}/{pid}/{start}", host(), boot()))
}

/// Whether a worker of this machine and boot is certainly dead. One of another machine never is, as far
/// as can be told here: its claims run out by themselves.
#[must_use]
pub fn is_dead(worker: &WorkerId) -> bool {
    let mut parts = worker.0.split('/');
    let (Some(its_host), Some(its_boot), Some(pid), Some(start)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if its_host != host() || boot().is_empty() {
        return false;
    }
    // Another boot of this machine: nothing of it is alive.
    if its_boot != boot() {
        return true;
    }
    pid.parse().is_ok_and(|pid: u32| start_time(pid).is_none_or(|alive| alive != start))
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().replace('/', "_")
}

/// The kernel's id of this boot; empty where there is none to read.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// When a process started, in clock ticks since the boot (proc(5): field 22 of `stat`); `None` when there is
/// no such process.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks and parentheses of its own.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // A zombie runs no more.
    (*fields.first()? != "Z").then(|| fields.get(19).map(|s| (*s).to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_past_one_is_not() {
        let me = worker_id();
        assert!(!is_dead(&me));
        let (rest, start) = me.0.rsplit_once('/').unwrap();
        assert!(is_dead(&WorkerId(format!("{rest}/{start}0"))), "same number, another start");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(is_dead(&WorkerId(format!("{}/{}/{pid}/1", host(), boot()))));
        assert!(!is_dead(&WorkerId("elsewhere/x/1/1".into())));
        assert!(!is_dead(&WorkerId("nonsense".into())));
    }
}
