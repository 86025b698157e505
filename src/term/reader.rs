//! The one reader of the terminal: a thread that turns bytes into [`Arrival`]s.
//!
//! It sleeps until something comes; it never drops anything (a full channel makes it wait, and the
//! terminal's own buffer fills); it ends when the terminal hangs up or the [`Reader`] is dropped.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::parser::{Heard, Parser};
use super::tty;

/// How many arrivals may wait for the program.
const WAITING: usize = 256;
/// How long to wait before a full channel is tried again.
const RETRY: Duration = Duration::from_millis(5);
/// How much is read at once.
const READ_BYTES: usize = 4096;

/// Something heard, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What it is.
    pub heard: Heard,
    /// When its last byte was read.
    pub at: Instant,
    /// How many keys came in the same read, this one included if it is one. Many at once were
    /// pasted, or piled up on a stalled link, and were not pressed at what is on the screen now.
    pub burst: u32,
}

/// The reading thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct Reader {
    /// Closing this wakes and ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts reading from a terminal in raw mode. The file description must be ours alone (see
    /// [`super::open`]): it is made non-blocking. The channel ends when the terminal does.
    ///
    /// # Errors
    /// When the system gives no pipe or thread.
    pub fn start(input: OwnedFd) -> io::Result<(Self, Receiver<Arrival>)> {
        tty::set_nonblocking(&input)?;
        let (stopped, stop) = io::pipe()?;
        let (send, arrivals) = channel(WAITING);
        let thread = std::thread::Builder::new().name("term-read".into()).spawn(move || {
            // An error here is a terminal that is gone, and the channel's end says so.
            let _ = Listening { input, stopped, send, parser: Parser::new() }.run();
        })?;
        Ok((Self { stop: Some(stop), thread: Some(thread) }, arrivals))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread blocks nowhere but in a poll that has just been woken.
            let _ = thread.join();
        }
    }
}

/// The thread's own side.
struct Listening {
    input: OwnedFd,
    stopped: PipeReader,
    send: Sender<Arrival>,
    parser: Parser,
}

/// Why the thread goes on or not.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Listening {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        let mut last = Instant::now();
        loop {
            let due = self.parser.unsettled();
            let left = due.map(|due| due.saturating_sub(last.elapsed()));
            let ready = self.wait(PollFlags::IN, left)?;
            if ready.other {
                return Ok(());
            }
            let mut heard = Vec::new();
            if ready.tty.contains(PollFlags::IN) {
                match rustix::io::read(&self.input, &mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(count) => {
                        last = Instant::now();
                        self.parser.feed(&buffer[..count], &mut heard);
                    }
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            } else if ready.hung_up() {
                return Ok(());
            } else {
                self.parser.settle(last.elapsed(), &mut heard);
            }
            if self.hand_out(heard) == Then::End {
                return Ok(());
            }
        }
    }

    fn wait(&self, want: PollFlags, most: Option<Duration>) -> io::Result<tty::Ready> {
        tty::wait(self.input.as_fd(), want, self.stopped.as_fd(), most)
    }

    fn hand_out(&self, heard: Vec<Heard>) -> Then {
        let at = Instant::now();
        let keys = heard.iter().filter(|heard| matches!(heard, Heard::Key(_))).count();
        let burst = u32::try_from(keys).unwrap_or(u32::MAX);
        for heard in heard {
            if self.send(Arrival { heard, at, burst }) == Then::End {
                return Then::End;
            }
        }
        Then::GoOn
    }

    /// Sends, waiting while the channel is full, but not past the end of either side.
    fn send(&self, mut arrival: Arrival) -> Then {
        loop {
            match self.send.try_send(arrival) {
                Ok(()) => return Then::GoOn,
                Err(TrySendError::Closed(_)) => return Then::End,
                Err(TrySendError::Full(back)) => arrival = back,
            }
            match tty::wait_until(&self.stopped, PollFlags::IN, Instant::now() + RETRY) {
                Ok(false) => {}
                Ok(true) | Err(_) => return Then::End,
            }
        }
    }
}
