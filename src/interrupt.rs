//! Ctrl-C: a flag that loops look at between batches.
//!
//! The first Ctrl-C asks the run to end: it removes what it began to write and exits with 130. A second one ends the process at once, for a run that waits on a network, after removing the same files.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::{Error, Result, code};
use crate::output;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen for Ctrl-C. Where that is impossible (another handler is set), Ctrl-C ends the process as ever.
pub fn listen() {
    let listening = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            output::remove_pending();
            #[expect(clippy::exit, reason = "the person asked twice, and the main thread may be blocked")]
            std::process::exit(i32::from(code::INTERRUPTED));
        }
        output::complain("stopping: press Ctrl-C again to end at once");
    });
    drop(listening);
}

/// Whether Ctrl-C was pressed.
#[must_use]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// For loops: `interrupt::check()?` once a batch.
///
/// # Errors
///
/// Ctrl-C was pressed.
pub fn check() -> Result<()> {
    if requested() { Err(Error::interrupted()) } else { Ok(()) }
}
