//! Ctrl-C and SIGTERM: a flag that loops look at between batches.
//!
//! The first signal asks the run to end: it removes what it began to write and exits with 130, or with 143 after SIGTERM,
//! which is how schedulers and containers end a program. A second one ends the process at once, for a run that waits on
//! a network, after removing the same files.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::exit::{Error, Result, code};
use crate::output;

/// The exit code that was asked for; 0 while nobody asked.
static REQUESTED: AtomicU8 = AtomicU8::new(0);

/// Begins to listen. Where that is impossible (another handler is set), a signal ends the process as ever.
pub fn listen() {
    // SIGTERM first: a test that sees Ctrl-C caught may send either.
    #[cfg(unix)]
    listen_for_termination();
    drop(ctrlc::set_handler(|| {
        request(code::INTERRUPTED, "stopping: press Ctrl-C again to end at once");
    }));
}

#[cfg(unix)]
fn listen_for_termination() {
    use signal_hook::consts::SIGTERM;

    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGTERM]) else { return };
    let listen = move || {
        for _ in signals.forever() {
            request(code::TERMINATED, "stopping: a second SIGTERM ends the run at once");
        }
    };
    drop(std::thread::Builder::new().name("signals".to_owned()).spawn(listen));
}

/// Calls `act` on a thread of its own at each SIGHUP.
#[cfg(unix)]
pub fn on_hangup(act: impl Fn() + Send + 'static) {
    let Ok(mut signals) = signal_hook::iterator::Signals::new([signal_hook::consts::SIGHUP]) else { return };
    let listen = move || {
        for _ in signals.forever() {
            act();
        }
    };
    drop(std::thread::Builder::new().name("hangup".to_owned()).spawn(listen));
}

/// There is no SIGHUP here.
#[cfg(not(unix))]
pub fn on_hangup(_: impl Fn() + Send + 'static) {}

/// What is to be done at the first signal, beside raising the flag.
static ON_REQUEST: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// Calls `act` at the first signal: for what waits for events and looks at no flag. If the signal has come already, at
/// once.
pub fn on_request(act: impl Fn() + Send + 'static) {
    if REQUESTED.load(Ordering::SeqCst) != 0 {
        act();
    }
    *ON_REQUEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
}

fn request(exit_code: u8, notice: &str) {
    if REQUESTED.swap(exit_code, Ordering::Relaxed) != 0 {
        output::remove_pending();
        #[expect(clippy::exit, reason = "the person asked twice, and the main thread may be blocked")]
        std::process::exit(i32::from(exit_code));
    }
    output::complain(notice);
    if let Some(act) = ON_REQUEST.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        act();
    }
}

/// For loops: `interrupt::check()?` once a batch.
///
/// # Errors
///
/// Ctrl-C was pressed, or SIGTERM came.
pub fn check() -> Result<()> {
    match REQUESTED.load(Ordering::Relaxed) {
        0 => Ok(()),
        code::TERMINATED => Err(Error::terminated()),
        _ => Err(Error::interrupted()),
    }
}
