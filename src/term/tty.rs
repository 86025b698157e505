//! The terminal as a file: opening it, its size, waiting on it, writing to it within a deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// The terminal's size. Pixels are 0 where the terminal does not tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Cells across.
    pub columns: u16,
    /// Cells down.
    pub rows: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

/// Opens the controlling terminal, whatever standard input and output are.
///
/// The file description is new, so that reading and writing without blocking changes nothing for
/// the shell and for others who share the old one.
///
/// # Errors
/// When the process has no terminal.
pub fn open() -> io::Result<OwnedFd> {
    // By its own name where that is known: not every system can poll /dev/tty.
    let own = rustix::termios::ttyname(rustix::stdio::stderr(), Vec::new())
        .or_else(|_| rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()))
        .and_then(|name| rustix::fs::open(name.as_c_str(), flags(), Mode::empty()));
    Ok(own.or_else(|_| rustix::fs::open("/dev/tty", flags(), Mode::empty()))?)
}

fn flags() -> OFlags {
    OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK
}

/// Asks the system how large the terminal is.
///
/// # Errors
/// When `fd` is not a terminal.
pub fn size(fd: impl AsFd) -> io::Result<Size> {
    let size = rustix::termios::tcgetwinsize(fd)?;
    Ok(Size {
        columns: size.ws_col,
        rows: size.ws_row,
        width: size.ws_xpixel,
        height: size.ws_ypixel,
    })
}

/// Makes reads and writes return at once.
pub(super) fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    Ok(fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}

/// What [`wait`] found about each of its two files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// About the terminal.
    pub tty: PollFlags,
    /// The other file has something, or its other end is closed.
    pub other: bool,
}

impl Ready {
    /// The terminal is gone.
    pub fn hung_up(self) -> bool {
        self.tty.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
    }
}

/// Waits until the terminal is ready for `want`, the other file has something to read, or the time
/// is over. A signal ends the wait early.
pub(super) fn wait(
    tty: BorrowedFd<'_>,
    want: PollFlags,
    other: BorrowedFd<'_>,
    most: Option<Duration>,
) -> io::Result<Ready> {
    let mut files = [PollFd::from_borrowed_fd(tty, want), PollFd::new(&other, PollFlags::IN)];
    match poll(&mut files, most.map(timespec).as_ref()) {
        Ok(_) => Ok(Ready { tty: files[0].revents(), other: !files[1].revents().is_empty() }),
        Err(Errno::INTR | Errno::AGAIN) => Ok(Ready { tty: PollFlags::empty(), other: false }),
        Err(error) => Err(error.into()),
    }
}

fn timespec(time: Duration) -> Timespec {
    let time = time.min(Duration::from_secs(3600));
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(3600),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Waits for one file only, until the deadline; false when it has passed.
pub(super) fn wait_until(tty: impl AsFd, want: PollFlags, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut files = [PollFd::from_borrowed_fd(tty.as_fd(), want)];
        match poll(&mut files, Some(&timespec(left))) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all of it, or fails: with `TimedOut` at the deadline.
pub(super) fn write_all(tty: impl AsFd, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        if !wait_until(&tty, PollFlags::OUT, deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match rustix::io::write(&tty, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
