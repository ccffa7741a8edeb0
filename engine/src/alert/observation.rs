//! What a track is shown: one closing of one window.

use crate::policy::Verdict;
use crate::window::{Span, WindowIndex};

/// One closing of one window: ON_TIME, LATE or FINAL.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The window's number.
    pub window: WindowIndex,
    /// Its event time, `[start, end)` in microseconds since the epoch.
    pub span: Span,
    /// Whether this is the window's last word. Every window up to it is then settled, whether it had one or not.
    pub is_final: bool,
    /// Whether the window is cut (SEMANTICS S13): it never alerts, and counts as not judged.
    pub is_partial: bool,
    /// What is said of the whole and of each segment, each once, in any order. A segment that is left out was not judged.
    pub parts: &'a [Part<'a>],
}

/// What a window says of the whole or of one segment.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The segment's text; `None` for the whole.
    pub segment: Option<&'a str>,
    /// The verdict's id (SEMANTICS S20).
    pub verdict_id: &'a str,
    /// The verdict's revision, from 0.
    pub revision: u64,
    /// The verdict. `insufficient`, `error` and `skipped` are not judged, and are passed over.
    pub verdict: Verdict,
    /// How many features were judged.
    pub judged: u32,
    /// The names of the features that drift, in any order; empty if only the number of rows does.
    pub features: &'a [&'a str],
}
