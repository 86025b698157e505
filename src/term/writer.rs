//! The one writer to the terminal: a thread around the pacer, which decides.
//!
//! The lock is held while writing, which never blocks; the thread sleeps outside it, and only until
//! the terminal can take more, something is queued, or a fence is overdue.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::pacer::{Event, Link, Next, Pacer, Upload};
use super::tty;

/// How many frames may wait. Who draws only when [`Writer::frames_waiting`] is small never gets
/// there.
pub const FRAMES: usize = 32;
/// How many uploads may wait.
pub const UPLOADS: usize = 256;
/// How many marks may wait for their answer.
pub const MARKS: usize = 256;
/// How many events may wait for the caller.
const EVENTS: usize = 256;
/// How long to wait before a full channel of events is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// Why something was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much is waiting. A frame that was refused must be drawn anew, whole.
    #[error("the terminal is too slow for what is already waiting")]
    Full,
    /// The terminal is gone.
    #[error("the terminal is gone")]
    Closed,
}

/// The writing thread and its queues. Dropping it stops at once; see [`Writer::finish`].
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    wake: PipeWriter,
    thread: Option<JoinHandle<()>>,
}

/// Silences the writer for good; kept by the panic hook.
#[derive(Debug, Clone)]
pub struct Hush(Arc<Shared>);

impl Hush {
    /// From now on nothing more is written. Waits a moment for a write that has begun, but not for
    /// ever: the caller may be the very thread that holds the lock.
    pub fn hush(&self) {
        self.0.hushed.store(true, Ordering::SeqCst);
        for _ in 0..50 {
            match self.0.state.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Ok(_) | Err(TryLockError::Poisoned(_)) => return,
            }
        }
    }
}

struct Shared {
    state: Mutex<State>,
    /// Told when the thread has nothing to write, and when it ends.
    calm: Condvar,
    hushed: AtomicBool,
}

struct State {
    pacer: Pacer,
    /// There is nothing to write now.
    idle: bool,
    /// The thread has ended.
    ended: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough`, or the deadline; true when it came to be.
    fn wait_for(&self, deadline: Instant, enough: impl Fn(&State) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let (state, _) = self
            .calm
            .wait_timeout_while(self.lock(), left, |state| !enough(state))
            .unwrap_or_else(PoisonError::into_inner);
        enough(&state)
    }
}

impl Writer {
    /// Starts writing. The file description must be ours alone (see [`super::open`]): it is made
    /// non-blocking. Events come by the channel, in order; `Closed` is the last, when the terminal
    /// is gone.
    ///
    /// # Errors
    /// When the system gives no pipe or thread.
    pub fn start(output: OwnedFd) -> io::Result<(Self, Receiver<Event>)> {
        tty::set_nonblocking(&output)?;
        let (woken, wake) = io::pipe()?;
        tty::set_nonblocking(&wake)?;
        tty::set_nonblocking(&woken)?;
        let (send, events) = channel(EVENTS);
        let state = Mutex::new(State { pacer: Pacer::new(), idle: true, ended: false });
        let shared =
            Arc::new(Shared { state, calm: Condvar::new(), hushed: AtomicBool::new(false) });
        let thread = Writing { output, woken, send, shared: Arc::clone(&shared) };
        let thread =
            std::thread::Builder::new().name("term-write".into()).spawn(move || thread.run())?;
        Ok((Self { shared, wake, thread: Some(thread) }, events))
    }

    /// Queues a text frame. Frames go out before everything else, in order, and none is dropped.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn frame(&self, bytes: Vec<u8>) -> Result<(), Refused> {
        self.queue(|pacer| {
            let room = pacer.frames_waiting() < FRAMES;
            if room {
                pacer.frame(bytes);
            }
            room
        })
    }

    /// Queues questions that end in a fence of their own, such as [`super::questions`]; the answer
    /// to that fence is told as the mark `tag`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn ask(&self, bytes: Vec<u8>, tag: u64) -> Result<(), Refused> {
        self.queue(|pacer| {
            let room = pacer.frames_waiting() < FRAMES && pacer.marks_waiting() < MARKS;
            if room {
                pacer.ask(bytes, tag);
            }
            room
        })
    }

    /// Queues a picture behind the ones before it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn upload(&self, upload: Upload) -> Result<(), Refused> {
        self.queue(|pacer| {
            let room = pacer.uploads_waiting() < UPLOADS;
            if room {
                pacer.upload(upload);
            }
            room
        })
    }

    /// Asks the terminal to answer once the frames that are queued by now and these uploads have been
    /// read.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn mark(&self, tag: u64, uploads: Vec<u64>) -> Result<(), Refused> {
        self.queue(|pacer| {
            let room = pacer.marks_waiting() < MARKS;
            if room {
                pacer.mark(tag, uploads);
            }
            room
        })
    }

    /// Takes an upload back. False when it is not there, or wholly written.
    pub fn cancel(&self, id: u64) -> bool {
        self.change(|pacer| pacer.cancel(id))
    }

    /// Takes every upload back.
    pub fn cancel_all(&self) {
        self.change(Pacer::cancel_all);
    }

    /// Tells of a `StatusOk` that was heard: of every one, in order.
    pub fn acknowledge(&self, at: Instant) {
        self.change(|pacer| pacer.acknowledge(at));
    }

    /// Fences are wrapped for the terminal around tmux from now on.
    pub fn set_tmux(&self, tmux: bool) {
        self.change(|pacer| pacer.set_tmux(tmux));
    }

    /// The terminal answers nothing: do not ask it, do not wait for it.
    pub fn set_silent(&self, silent: bool) {
        self.change(|pacer| pacer.set_silent(silent, Instant::now()));
    }

    /// How many frames are not wholly written yet: draw the next one when there are few.
    #[must_use]
    pub fn frames_waiting(&self) -> usize {
        self.shared.lock().pacer.frames_waiting()
    }

    /// How many uploads are not wholly written yet.
    #[must_use]
    pub fn uploads_waiting(&self) -> usize {
        self.shared.lock().pacer.uploads_waiting()
    }

    /// How many bytes of uploads are not written yet.
    #[must_use]
    pub fn upload_bytes_waiting(&self) -> usize {
        self.shared.lock().pacer.upload_bytes_waiting()
    }

    /// The link as measured so far.
    #[must_use]
    pub fn link(&self) -> Link {
        self.shared.lock().pacer.link()
    }

    /// What silences this writer when the program is dying.
    #[must_use]
    pub fn hush(&self) -> Hush {
        Hush(Arc::clone(&self.shared))
    }

    /// Whether [`Hush::hush`] was called: the program is dying, on another thread than this.
    #[must_use]
    pub fn is_hushed(&self) -> bool {
        self.shared.hushed.load(Ordering::SeqCst)
    }

    /// Holds uploads back and waits until every frame is written: before the program is suspended.
    /// False when the deadline came first, or the terminal is gone.
    #[must_use]
    pub fn pause(&self, deadline: Instant) -> bool {
        self.change(|pacer| pacer.pause(true));
        self.shared.wait_for(deadline, |state| state.idle || state.ended) && !self.ended()
    }

    /// Lets uploads go on.
    pub fn resume(&self) {
        self.change(|pacer| pacer.pause(false));
    }

    /// Writes the frames that wait and then these last bytes, drops uploads, and stops, at the
    /// deadline at the latest.
    ///
    /// # Errors
    /// [`Refused::Full`] when the terminal did not take it all in time, [`Refused::Closed`] when it
    /// is gone.
    pub fn finish(mut self, last: Vec<u8>, deadline: Instant) -> Result<(), Refused> {
        if self.ended() {
            return Err(Refused::Closed);
        }
        self.change(|pacer| pacer.finish(last));
        if !self.shared.wait_for(deadline, |state| state.ended) {
            return Err(Refused::Full);
        }
        self.join();
        let done = self.shared.lock().pacer.next(Instant::now()) == Next::Done;
        if done { Ok(()) } else { Err(Refused::Closed) }
    }

    fn ended(&self) -> bool {
        self.shared.lock().ended
    }

    fn queue(&self, add: impl FnOnce(&mut Pacer) -> bool) -> Result<(), Refused> {
        if self.ended() {
            return Err(Refused::Closed);
        }
        if self.change(add) { Ok(()) } else { Err(Refused::Full) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pacer) -> T) -> T {
        let result = {
            let mut state = self.shared.lock();
            state.idle = false;
            change(&mut state.pacer)
        };
        // A full pipe wakes as well as one more byte would.
        let _ = rustix::io::write(&self.wake, &[1]);
        result
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread blocks nowhere but in a poll, and it has been woken.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.hush().hush();
        let _ = rustix::io::write(&self.wake, &[1]);
        self.join();
    }
}

/// The thread's own side.
struct Writing {
    output: OwnedFd,
    woken: PipeReader,
    send: Sender<Event>,
    shared: Arc<Shared>,
}

/// What the thread waits for.
enum Until {
    /// The terminal takes more, or this time.
    Writable(Option<Instant>),
    /// Something is queued, or this time.
    Woken(Option<Instant>),
    /// Nothing: it is done.
    Done,
}

impl Writing {
    fn run(self) {
        // An error is a terminal that is gone.
        let gone = self.write_on().is_err();
        {
            let mut state = self.shared.lock();
            state.ended = true;
            // Pictures and text that nobody will see any more.
            if gone {
                state.pacer = Pacer::new();
            }
        }
        self.shared.calm.notify_all();
        if gone {
            // A full channel still ends, which says the same.
            let _ = self.send.try_send(Event::Closed);
        }
    }

    fn write_on(&self) -> io::Result<()> {
        loop {
            let (until, events_left) = {
                let mut state = self.shared.lock();
                let until = self.write_some(&mut state)?;
                (until, self.hand_out(&mut state.pacer))
            };
            let (want, time) = match until {
                Until::Done => return Ok(()),
                Until::Writable(time) => (PollFlags::OUT, time),
                Until::Woken(time) => (PollFlags::empty(), time),
            };
            let mut most = time.map(|time| time.saturating_duration_since(Instant::now()));
            if events_left {
                most = Some(most.map_or(RETRY, |most| most.min(RETRY)));
            }
            let ready = tty::wait(self.output.as_fd(), want, self.woken.as_fd(), most)?;
            if ready.hung_up() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if ready.other {
                // What was written into the pipe says nothing but that it was.
                let _ = rustix::io::read(&self.woken, &mut [0; 64]);
            }
        }
    }

    /// Writes until the terminal takes no more or nothing is left.
    fn write_some(&self, state: &mut State) -> io::Result<Until> {
        loop {
            if self.shared.hushed.load(Ordering::SeqCst) {
                return Ok(Until::Done);
            }
            let result = match state.pacer.next(Instant::now()) {
                Next::Done => return Ok(Until::Done),
                Next::Wait(time) => {
                    state.idle = true;
                    self.shared.calm.notify_all();
                    return Ok(Until::Woken(time));
                }
                Next::Write(bytes) => rustix::io::write(&self.output, bytes),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => state.pacer.wrote(count, Instant::now()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Until::Writable(state.pacer.expiry())),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands out events; true when some are left because the caller is busy.
    fn hand_out(&self, pacer: &mut Pacer) -> bool {
        while let Some(event) = pacer.next_event() {
            match self.send.try_send(event) {
                // Nobody listens: nobody misses it.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(event)) => {
                    pacer.put_back(event);
                    return true;
                }
            }
        }
        false
    }
}
