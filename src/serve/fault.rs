//! Fault points: named places where a test can end the process as a power cut would.
//!
//! `DRIFTLEAD_FAULT=NAME:N` kills the process with SIGKILL when the point NAME is passed for the Nth time. No second
//! build is needed, and without the variable a point is one comparison. [`ALL`] lists the points, so that the crash suite
//! can demand that each was hit.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every point, in the order in which a commit passes them.
pub const ALL: [&str; 8] = [
    "chunk_counted",
    "windows_judged",
    "dead_letters_written",
    "before_commit",
    "after_commit",
    "before_delivery",
    "after_delivery",
    "before_shutdown_commit",
];

/// The variable's name.
pub const VARIABLE: &str = "DRIFTLEAD_FAULT";

struct Armed {
    name: String,
    at: u64,
    passed: AtomicU64,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let read = || {
        let value = std::env::var(VARIABLE).ok()?;
        let (name, at) = value.split_once(':')?;
        Some(Armed { name: name.to_owned(), at: at.parse().ok()?, passed: AtomicU64::new(0) })
    };
    ARMED.get_or_init(read).as_ref()
}

/// Passes the point `name`, or ends here.
pub(super) fn point(name: &'static str) {
    debug_assert!(ALL.contains(&name), "{name} is not listed");
    let Some(armed) = armed().filter(|armed| armed.name == name) else { return };
    if armed.passed.fetch_add(1, Ordering::SeqCst) + 1 == armed.at {
        kill();
    }
}

/// As the kernel would: no destructor runs, nothing is flushed.
fn kill() -> ! {
    #[cfg(unix)]
    {
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
    std::process::abort()
}
