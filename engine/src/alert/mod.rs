//! From verdicts over time to alerts: N of M, open, update, resolve, cooldown (SEMANTICS S19).
//!
//! A [`Track`] follows one window name of one model's version. It sees what each window said of the whole and of each
//! segment, never a score or a row, and answers with the [`Change`]s of alerts that a person should know of. It has no
//! clock: time is the windows'.
//!
//! Three laws hold it together:
//!
//! - **What is not final may open, and never closes.** A first, provisional answer may page; a resolve is said once, by
//!   FINAL windows, and never taken back.
//! - **One fault, one page.** While the whole has an open alert, segments that drift are its causes. Each segment's course
//!   goes on underneath, so that one that outlasts the whole still has its alert.
//! - **Same windows, same changes.** A track can be written and read back between any two windows, and nothing shows it.
//!
//! What S19 leaves open is decided in `docs/decisions/0030-alerts.md`.
//!
//! ```
//! use driftlead_engine::alert::{ChangeKind, Observation, Part, Policy, Severity, Track};
//! use driftlead_engine::policy::Verdict;
//! use driftlead_engine::window::{Span, WindowIndex};
//!
//! let policy = Policy { needed: 2, last: 3, resolve_after: 2, cooldown: 0, stride: 1, is_even: true };
//! let mut track = Track::new("flights", "2001-01", "default", policy)?;
//! let mut close = |index: i64, verdict| {
//!     let id = format!("{index:032x}");
//!     let features: &[&str] = if verdict == Verdict::Drift { &["delay"] } else { &[] };
//!     track.observe(&Observation {
//!         window: WindowIndex(index),
//!         span: Span { start: 60 * index, end: 60 * (index + 1) },
//!         is_final: true,
//!         is_partial: false,
//!         parts: &[Part { segment: None, verdict_id: &id, revision: 0, verdict, judged: 5, features }],
//!     })
//! };
//! assert!(close(0, Verdict::Drift).is_empty());
//! let opened = close(1, Verdict::Drift);
//! assert_eq!((opened[0].kind, opened[0].severity), (ChangeKind::Opened, Severity::Major));
//! # Ok::<(), driftlead_engine::Error>(())
//! ```

mod change;
mod codec;
mod course;
mod history;
mod observation;
mod policy;
mod run;
mod severity;
mod track;

#[cfg(test)]
mod tests;

pub use change::{Change, ChangeKind, Reason};
pub use codec::VERSION;
pub use observation::{Observation, Part};
pub use policy::Policy;
pub use severity::Severity;
pub use track::Track;
