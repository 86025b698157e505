//! What a panic does: it ends the program, on whatever thread it happens. A runtime that catches it would
//! leave a console that goes on without a screen, and whose keys decide.
//!
//! The end comes from within the hook. Whoever would have to hear of it, the loop first of all, may be
//! what panicked, or wait for a lock that the panicking thread holds. What is half done is half done as
//! when the program is killed, which the store and the outbox are made for.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::Guard;
use super::tty;
use super::writer::Hush;

/// The exit code of a fault.
const FAULT: i32 = 1;
/// How long the sentence may take.
const SAY: Duration = Duration::from_millis(500);

/// From now on a panic ends the program: it says where it happened, never what. The panic's own message
/// could hold a name or a link. Where `contained` says so, on the panicking thread, nothing is said and
/// nothing ends.
pub fn end_on_panic(contained: fn() -> bool) {
    install(contained, || ());
}

/// As [`end_on_panic`], and before anything is said no key counts any more, the writer is silent and the
/// terminal as it was.
pub fn install_panic_hook(guard: &Guard, hush: Hush, contained: fn() -> bool) {
    let way_out = guard.way_out();
    install(contained, move || {
        hush.hush();
        way_out.take();
    });
}

fn install(contained: fn() -> bool, leave: impl Fn() + Send + Sync + 'static) {
    let ending = Mutex::new(());
    std::panic::set_hook(Box::new(move |info| {
        if contained() {
            return;
        }
        // A second panic waits here, and the end comes with the first.
        let _ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
        leave();
        say(info);
        std::process::exit(FAULT);
    }));
}

/// Says where, on standard error.
fn say(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}", place.file(), place.line()),
    );
    let sentence = format!(
        "secondlook has a fault at {place} and had to stop; decisions already held are kept, please \
         report this place\n"
    );
    // Nothing is left to be done if even this fails.
    let _ = tty::write_all(rustix::stdio::stderr(), sentence.as_bytes(), Instant::now() + SAY);
}
