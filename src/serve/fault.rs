//! Fault points: named places where a test can end the process as a power cut would, or hold it up as a slow disk would.
//!
//! `DRIFTLEAD_FAULT=NAME:N` kills the process with SIGKILL when the point NAME is passed for the Nth time.
//! `DRIFTLEAD_FAULT=NAME:N:FILE` holds up whoever passes it for the Nth time or later, until there is a file FILE. No
//! second build is needed, and without the variable a point is one comparison. [`ALL`] and [`OF_RELOADS`] list the points, so that the crash
//! suite can demand that each was hit.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

/// The points that are passed where a service begins anew within its process.
pub const OF_RELOADS: [&str; 2] = ["before_reload_commit", "between_runs"];

/// The variable's name.
pub const VARIABLE: &str = "DRIFTLEAD_FAULT";

struct Armed {
    name: String,
    at: u64,
    passed: AtomicU64,
    /// Whoever passes waits for this file; without one, it is the end.
    until: Option<PathBuf>,
}

/// How often a file is looked for that ends a wait.
const LOOK: Duration = Duration::from_millis(5);

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let read = || {
        let value = std::env::var(VARIABLE).ok()?;
        let mut parts = value.splitn(3, ':');
        let (name, at) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        Some(Armed { name, at, passed: AtomicU64::new(0), until: parts.next().map(PathBuf::from) })
    };
    ARMED.get_or_init(read).as_ref()
}

/// Passes the point `name`, waits here, or ends here.
pub(super) fn point(name: &'static str) {
    debug_assert!(ALL.iter().chain(&OF_RELOADS).any(|own| *own == name), "{name} is not listed");
    let Some(armed) = armed().filter(|armed| armed.name == name) else { return };
    let passed = armed.passed.fetch_add(1, Ordering::SeqCst) + 1;
    match &armed.until {
        None if passed == armed.at => kill(),
        Some(file) if passed >= armed.at => {
            while !file.exists() {
                std::thread::park_timeout(LOOK);
            }
        }
        None | Some(_) => {}
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
