//! Work on pictures, kept apart. A picture is a stranger's file, and a decoder that panics over one must
//! stop nobody from looking at the next: so such work has a thread of its own, with a name by which the
//! panic hook knows that nothing has to end. Nowhere else is a panic survived.

use std::thread;

/// The name of every thread that works on a picture, and of no other.
const NAME: &str = "picture";

/// Does work on a picture and waits for it, so it belongs on a worker. `None` when it panicked, or when
/// the system has no thread to give: nothing is known of the picture then, as of one that is damaged.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(NAME.to_owned());
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

/// Whether this thread works on a picture. For the panic hook, and on the panicking thread.
#[must_use]
pub fn is_apart() -> bool {
    thread::current().name() == Some(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_work_and_nothing_else() {
        let mut numbers = vec![1, 2];
        assert_eq!(apart(|| numbers.pop()), Some(Some(2)));
        assert_eq!(apart(|| numbers[7]), None);
        assert_eq!(numbers, [1]);
    }

    #[test]
    fn the_work_and_nobody_else_is_known_by_its_thread() {
        assert_eq!(apart(is_apart), Some(true));
        assert!(!is_apart());
        assert_eq!(thread::spawn(is_apart).join().ok(), Some(false));
    }
}
