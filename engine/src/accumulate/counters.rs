//! The counters that a state has beside its cells, added and taken away together.

use crate::{Error, ErrorKind, Result};

/// Adds each counter to its own.
pub(crate) fn add<const N: usize>(own: [&mut u64; N], other: [u64; N]) {
    for (own, other) in own.into_iter().zip(other) {
        *own += other;
    }
}

/// Takes each counter away from its own, and `cells` theirs.
///
/// # Errors
///
/// `Mismatch` if a counter is greater than its own, so that the other state was never added, or from `cells`; then no
/// counter is changed.
pub(crate) fn take<const N: usize>(
    own: [&mut u64; N],
    other: [u64; N],
    cells: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if own.iter().zip(other).any(|(own, other)| **own < other) {
        return Err(Error::new(ErrorKind::Mismatch, "cannot subtract a state that was never added"));
    }
    cells()?;
    for (own, other) in own.into_iter().zip(other) {
        *own -= other;
    }
    Ok(())
}
