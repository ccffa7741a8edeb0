//! Where a new series begins in a stream that was read before: decision 0033.
//!
//! A changed version, baseline or window begins a series of its own. What its source gave before was counted by others, so
//! whatever it says of windows that hold such times would be said of a part of them: it begins at the next border between
//! panes, and windows that start before are partial, which never alert.

use std::collections::BTreeSet;

use driftlead_connectors::store::Loaded;
use driftlead_engine::stream::Series;

use crate::exit::Result;

/// The newest event time that the series of these models have seen, of those whose input goes on; `None` if the source
/// gave nothing yet.
///
/// # Errors
///
/// A stored series that cannot be read.
pub(super) fn seen(loaded: &Loaded, models: &BTreeSet<String>) -> Result<Option<i64>> {
    let mut newest = None;
    for series in loaded.series.iter().filter(|series| models.contains(&series.key.model)) {
        // A series whose input is over has no head: what is read next is another input.
        if !series.head.is_empty() {
            newest = newest.max(Series::newest_of(&series.head)?);
        }
    }
    Ok(newest)
}
