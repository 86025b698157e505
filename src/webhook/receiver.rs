//! From a request to a place in the queue, without waiting: signature, time, repetition, room.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::recent::Recent;
use super::signature::{self, Headers, Refusal, Signed};
use crate::domain::Clock;

/// How much is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events that wait to be worked on.
    pub waiting: usize,
    /// Their bytes in all, in KiB.
    pub waiting_kib: u32,
    /// Events remembered, so that each is worked on once.
    pub remembered: usize,
    /// Bytes of one body.
    pub body: usize,
    /// Connections served at a time; the system lets a few more wait.
    pub connections: usize,
    /// How long a request may take to name itself, in milliseconds; its body may take as long again. Didit
    /// itself waits five seconds for an answer.
    pub patience_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting: 1_024,
            waiting_kib: 64 * 1024,
            remembered: 65_536,
            body: 1 << 20,
            connections: 256,
            patience_ms: 5_000,
        }
    }
}

/// What a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It waits to be worked on.
    Accepted {
        /// Whether something on the way wrote its body anew, so that the signature over the bytes is wrong.
        reencoded: bool,
    },
    /// It was accepted before.
    Repeated,
    /// It is not Didit's, or not of now.
    Refused(Refusal),
    /// There is no room: Didit has to send it again.
    Full,
}

/// An event that waits, with its share of the room.
pub struct Job {
    pub(super) event: Signed,
    _room: OwnedSemaphorePermit,
}

/// The events that wait to be worked on.
pub struct Waiting(pub(super) mpsc::Receiver<Job>);

/// Takes requests.
pub struct Receiver {
    secret: SecretString,
    clock: Arc<dyn Clock>,
    limits: Limits,
    known: Mutex<Recent<[u8; 32], ()>>,
    room: Arc<Semaphore>,
    queue: mpsc::Sender<Job>,
}

impl Receiver {
    /// A receiver, and the queue that it fills. The queue ends when the receiver is dropped.
    #[must_use]
    pub fn new(secret: SecretString, clock: Arc<dyn Clock>, limits: Limits) -> (Self, Waiting) {
        let (queue, waiting) = mpsc::channel(limits.waiting.max(1));
        let room = usize::try_from(limits.waiting_kib).unwrap_or(usize::MAX);
        let known = Mutex::new(Recent::new(limits.remembered));
        let room = Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS)));
        (Self { secret, clock, limits, known, room, queue }, Waiting(waiting))
    }

    /// What is kept and waited for at most.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes a request. An event is remembered only when it has a place in the queue, so that one that
    /// found no room is not called a repetition when it comes again.
    pub fn receive(&self, headers: &Headers<'_>, body: &[u8]) -> Answer {
        let event = match signature::verify(&self.secret, headers, body, self.clock.now()) {
            Ok(event) => event,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let name: [u8; 32] = Sha256::digest(event.name.as_bytes()).into();
        // Held while the event finds its place: of two at the same moment one is the repetition.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&name).is_some() {
            return Answer::Repeated;
        }
        let kib = u32::try_from(event.text.len() / 1024 + 1).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(kib) else {
            return Answer::Full;
        };
        let reencoded = event.reencoded;
        match self.queue.try_send(Job { event, _room: room }) {
            Ok(()) => {
                known.keep(name, ());
                Answer::Accepted { reencoded }
            }
            Err(_) => Answer::Full,
        }
    }
}
