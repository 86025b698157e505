//! The way in and every way out: raw mode and the alternate screen on, and all of it off again on
//! return, error, suspension and panic. What was drawn in between is not its business, but for the
//! farewell: bytes that take pictures out of the terminal before we leave it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::parser::{Answer, Heard, Parser};
use super::probe::wrap_for_tmux;
use super::tty;

/// Alternate screen, cleared; no cursor; pastes marked; focus reported.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l\x1b[?2004h\x1b[?1004h";
/// The end of any string that was cut off; the end of a synchronized update; plain letters;
/// reports off; the cursor; the screen from before.
const RESTORE: &[u8] = b"\x1b\\\x1b[?2026l\x1b[0m\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l";
/// Our own screen without its faces: who switches to it later finds nothing. Never written outside.
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";
/// Answered after all that was asked before. Not `CSI 5n`: the answer to an older fence of the
/// writer's would be taken for the end.
const LAST_QUESTION: &[u8] = b"\x1b[c";
/// How long a terminal may take for the last bytes.
const WRITE: Duration = Duration::from_millis(500);
/// How long to wait before the door is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// How long to wait for answers on their way, so that they do not reach the shell.
const ANSWERS: Duration = Duration::from_millis(500);

/// The bytes that put a terminal back. They may be written more than once.
#[must_use]
pub fn restore_sequence() -> &'static [u8] {
    RESTORE
}

/// Holds the terminal in raw mode on the alternate screen. Dropping it puts everything back.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
}

/// What the guard and the panic hook share.
struct Shared {
    tty: OwnedFd,
    before: Termios,
    inside: Mutex<Inside>,
    /// Held by whoever enters or leaves.
    door: Mutex<()>,
}

/// The way out of a program that is dying. It does not keep the terminal: the guard may be gone by then.
#[derive(Debug)]
pub(super) struct WayOut(Weak<Shared>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tty", &self.tty).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Inside {
    entered: bool,
    /// The program is dying: nobody enters any more.
    shut: bool,
    farewell: Vec<u8>,
    /// The terminal answers nothing: waiting for answers is in vain.
    silent: bool,
    /// Our fences went to the terminal around tmux, so the last question must, too.
    tmux: bool,
}

impl Guard {
    /// Enters. The file description must be ours alone (see [`super::open`]).
    ///
    /// # Errors
    /// When `tty` is not a terminal, or does not take the bytes in half a second; then it is left
    /// as it was.
    pub fn new(tty: OwnedFd) -> io::Result<Self> {
        tty::set_nonblocking(&tty)?;
        let before = tcgetattr(&tty)?;
        let shared = Shared { tty, before, inside: Mutex::default(), door: Mutex::default() };
        let guard = Self { shared: Arc::new(shared) };
        guard.enter()?;
        Ok(guard)
    }

    /// Enters again after [`Guard::leave`]; does nothing when inside. Everything has to be drawn
    /// anew, and the terminal may have another size.
    ///
    /// # Errors
    /// As [`Guard::new`].
    pub fn enter(&self) -> io::Result<()> {
        let shared = &self.shared;
        let _door = shared.door();
        {
            let mut inside = shared.inside();
            if inside.shut {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if inside.entered {
                return Ok(());
            }
            // First, so that a failure half-way is undone.
            inside.entered = true;
        }
        let mut raw = shared.before.clone();
        raw.make_raw();
        let entered = tcsetattr(&shared.tty, OptionalActions::Now, &raw)
            .map_err(io::Error::from)
            .and_then(|()| tty::write_all(&shared.tty, ENTER, Instant::now() + WRITE));
        if entered.is_err() {
            // The first error is the one that matters.
            let _ = shared.put_back_inside(Duration::ZERO);
        }
        entered
    }

    /// Leaves, to come back: before the program is suspended. The writer must be paused
    /// and the reader ended: one that takes the last answer away makes this wait half a second.
    ///
    /// # Errors
    /// When the terminal is gone or does not take the bytes in half a second. Its modes are put back
    /// in any case.
    pub fn leave(&self) -> io::Result<()> {
        self.restore()
    }

    /// Puts everything back; does nothing the second time. Writer and reader must have ended: the
    /// answers that are still on their way are read here and thrown away, for half a second at most.
    ///
    /// # Errors
    /// As [`Guard::leave`].
    pub fn restore(&self) -> io::Result<()> {
        self.shared.put_back(ANSWERS)
    }

    /// What to write before leaving, such as the commands that delete our pictures. Inside tmux it
    /// should begin with a wrapped `ESC \`, which ends a string that was cut off on its way out.
    pub fn set_farewell(&self, bytes: Vec<u8>) {
        self.shared.inside().farewell = bytes;
    }

    /// What was set last by [`Guard::set_farewell`].
    #[must_use]
    pub fn farewell(&self) -> Vec<u8> {
        self.shared.inside().farewell.clone()
    }

    /// Answers come from the terminal around tmux.
    pub fn set_tmux(&self, tmux: bool) {
        self.shared.inside().tmux = tmux;
    }

    /// The terminal answers nothing, so nothing is waited for when leaving.
    pub fn set_silent(&self, silent: bool) {
        self.shared.inside().silent = silent;
    }

    /// For the panic hook.
    pub(super) fn way_out(&self) -> WayOut {
        WayOut(Arc::downgrade(&self.shared))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // There is nobody left to tell, and nothing more to try.
        let _ = self.restore();
    }
}

impl WayOut {
    /// Puts the terminal back for good, whatever others are doing with it.
    pub fn take(&self) {
        let Some(shared) = self.0.upgrade() else { return };
        // Whoever is at the door needs no longer than this, unless it is what panicked.
        let deadline = Instant::now() + WRITE + ANSWERS;
        let door = shared.door_until(deadline);
        shared.inside().shut = true;
        if door.is_some() {
            // A reader still at work may take the answers first, which is as good.
            let _ = shared.put_back_inside(ANSWERS);
        }
        // Also when somebody left, and did not come to the end of it.
        let _ = tcsetattr(&shared.tty, OptionalActions::Now, &shared.before);
    }
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self) -> MutexGuard<'_, ()> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when somebody was at the door all the time.
    fn door_until(&self, deadline: Instant) -> Option<MutexGuard<'_, ()>> {
        loop {
            match self.door.try_lock() {
                Ok(door) => return Some(door),
                Err(TryLockError::Poisoned(door)) => return Some(door.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return None,
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
            }
        }
    }

    fn put_back(&self, answers: Duration) -> io::Result<()> {
        let _door = self.door();
        self.put_back_inside(answers)
    }

    /// Leaves, if inside: farewell, the screen cleared, restoring bytes, answers drained, modes put back.
    /// Only for whoever is at the door.
    fn put_back_inside(&self, answers: Duration) -> io::Result<()> {
        // An unfinished string would swallow the farewell.
        let mut bytes = b"\x1b\\".to_vec();
        let ask = {
            let mut inside = self.inside();
            if !std::mem::take(&mut inside.entered) {
                return Ok(());
            }
            bytes.extend_from_slice(&inside.farewell);
            bytes.extend_from_slice(CLEAR);
            bytes.extend_from_slice(RESTORE);
            let ask = !inside.silent && !answers.is_zero();
            match (ask, inside.tmux) {
                (true, true) => bytes.extend_from_slice(&wrap_for_tmux(LAST_QUESTION)),
                (true, false) => bytes.extend_from_slice(LAST_QUESTION),
                (false, _) => {}
            }
            ask
        };
        let mut result = tty::write_all(&self.tty, &bytes, Instant::now() + WRITE);
        if ask && result.is_ok() {
            result = self.drain(Instant::now() + answers);
        }
        // Both, whatever happened before.
        let flushed = tcflush(&self.tty, QueueSelector::IFlush);
        let set = tcsetattr(&self.tty, OptionalActions::Now, &self.before);
        result?;
        flushed?;
        Ok(set?)
    }

    /// Reads and throws away until our last question is answered, the line is dead or time is over.
    fn drain(&self, deadline: Instant) -> io::Result<()> {
        let (mut parser, mut buffer) = (Parser::new(), [0; 1024]);
        while tty::wait_until(&self.tty, PollFlags::IN, deadline)? {
            let mut heard = Vec::new();
            match rustix::io::read(&self.tty, &mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => parser.feed(&buffer[..count], &mut heard),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let last = |heard: &Heard| matches!(heard, Heard::Answer(Answer::PrimaryAttributes(_)));
            if heard.iter().any(last) {
                return Ok(());
            }
        }
        Ok(())
    }
}
