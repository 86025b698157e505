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

/// So many processes above one are looked at: more than a session has, and an end in any case.
const MOST_ANCESTORS: usize = 64;

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
    pid.parse().is_ok_and(|pid: u32| match stat(pid) {
        Some(stat) => alive_since(&stat).is_none_or(|alive| alive != start),
        // Where the system hides what others run, it still says whether there is such a process.
        None => !exists(pid),
    })
}

/// The names of the processes above one of this machine, the nearest first, itself not among them.
#[must_use]
pub fn ancestors(of: u32) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = stat(of).and_then(|stat| parent(&stat));
    while let Some(pid) = next.filter(|_| names.len() < MOST_ANCESTORS) {
        let Some(stat) = stat(pid) else { break };
        names.extend(name(&stat).map(str::to_owned));
        next = parent(&stat);
    }
    names
}

/// Whether there is a process of this number, whoever's.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let asked = pid.map(rustix::process::test_kill_process);
    asked.is_some_and(|asked| asked != Err(rustix::io::Errno::SRCH))
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

/// When a process started; `None` when there is no such process, or none that is shown to us.
fn start_time(pid: u32) -> Option<String> {
    alive_since(&stat(pid)?)
}

/// What proc(5) says of a process. Of one that may not be dumped, as ours, it may be hidden (`hidepid`).
fn stat(pid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// When it started, in clock ticks since the boot (field 22); `None` when it runs no more.
fn alive_since(stat: &str) -> Option<String> {
    let fields = after_name(stat)?;
    (*fields.first()? != "Z").then(|| fields.get(19).map(|s| (*s).to_owned()))?
}

/// The number of its parent (field 4).
fn parent(stat: &str) -> Option<u32> {
    after_name(stat)?.get(1)?.parse().ok().filter(|pid| *pid > 0)
}

/// Its name, of which the system keeps 15 bytes.
fn name(stat: &str) -> Option<&str> {
    stat.get(stat.find('(')? + 1..stat.rfind(')')?)
}

/// The name, in parentheses, may hold blanks and parentheses of its own.
fn after_name(stat: &str) -> Option<Vec<&str>> {
    Some(stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::child::{Sees, child};

    #[test]
    fn what_stands_above_a_process_is_read() {
        let stat = "42 (tlog-rec (x) y) S 7 42 42 34816 42 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 1";
        assert_eq!((parent(stat), name(stat)), (Some(7), Some("tlog-rec (x) y")));
        assert_eq!(alive_since(stat).as_deref(), Some("99"));
        assert_eq!(alive_since(&stat.replace(") S 7", ") Z 7")), None);
        assert_eq!(parent("1 (init) S 0 1"), None);
        assert!(exists(std::process::id()) && exists(1));
        assert!(!exists(0) && !exists(u32::MAX));
        let above = ancestors(std::process::id());
        assert!(!above.is_empty() && above.len() < MOST_ANCESTORS, "{above:?}");
    }

    #[test]
    fn this_process_is_alive_and_a_past_one_is_not() {
        let me = worker_id();
        assert!(!is_dead(&me));
        let (rest, start) = me.0.rsplit_once('/').unwrap();
        assert!(is_dead(&WorkerId(format!("{rest}/{start}0"))), "same number, another start");
        let mut child = child("true", Sees::Needed).spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(is_dead(&WorkerId(format!("{}/{}/{pid}/1", host(), boot()))));
        assert!(!is_dead(&WorkerId("elsewhere/x/1/1".into())));
        assert!(!is_dead(&WorkerId("nonsense".into())));
    }
}
