//! What a window is compared with: the frozen baseline, or the windows before it (SEMANTICS S25).
//!
//! The law: the windows before are as they were counted, of the same segment, on the same cells. Nothing of the frozen
//! baseline's rows enters but the cells and the design effects. A window that has fewer before it than the model file asks
//! for is measured against what there is, and not judged.

use std::sync::Arc;

use driftlead_engine::Result;
use driftlead_engine::accumulate::{Accumulator, FeatureState, SlotKey};
use driftlead_engine::baseline::BaselineFeature;
use driftlead_engine::score::{Measured, measure, measure_moving};
use driftlead_engine::window::Preceding;

/// The windows before one.
#[derive(Debug)]
pub(super) struct Before {
    /// Their panes that hold rows, in order.
    panes: Vec<i64>,
    /// How many of them there are, and how many there should be.
    pub(super) seen: u32,
    pub(super) wanted: u32,
}

impl Before {
    /// The windows before `window`, the number of its last of `per` panes; `first` is the first pane that ever held a row.
    pub(super) fn find(
        moving: Preceding,
        accumulator: &Accumulator,
        first: Option<i64>,
        window: i64,
        per: i64,
    ) -> Self {
        let panes = accumulator.panes_within(moving.panes_before(window, per)).collect();
        Self { panes, seen: moving.seen_since(first, window, per), wanted: moving.windows() }
    }

    /// Where the counts of one segment stand.
    pub(super) fn keys(&self, segment: Option<&Arc<str>>) -> Vec<SlotKey> {
        self.panes.iter().map(|pane| SlotKey { pane: Some(*pane), segment: segment.cloned() }).collect()
    }

    /// Why they are too few, if they are.
    pub(super) fn lacks(&self) -> Option<String> {
        (self.seen < self.wanted).then(|| match self.wanted {
            1 => "no window before it was seen whole".to_owned(),
            wanted => format!("{} of the {wanted} windows before it were seen whole", self.seen),
        })
    }
}

/// What one segment of a window is compared with.
#[derive(Debug)]
pub(super) enum Reference<'a> {
    /// The baseline, of this segment.
    Frozen { segment: Option<&'a str> },
    /// The windows before it: where their counts stand, and why they are too few.
    Moving { keys: Vec<SlotKey>, lacks: Option<String> },
}

impl Reference<'_> {
    /// The rows of the windows before; 0 for a frozen baseline, which says its own.
    pub(super) fn rows(&self, accumulator: &Accumulator) -> u64 {
        match self {
            Self::Frozen { .. } => 0,
            Self::Moving { keys, .. } => accumulator.rows_of(keys),
        }
    }

    /// Measures a window's state of feature number `feature` against it, and says why that is not to be judged.
    pub(super) fn measure(
        &self,
        own: &BaselineFeature,
        accumulator: &Accumulator,
        feature: usize,
        window: &FeatureState,
        deff: f64,
    ) -> (Result<Measured>, Option<String>) {
        let cells = own.cells();
        match self {
            Self::Frozen { segment } => match own.state(*segment) {
                Some(state) => (measure(cells, state, window, deff), None),
                None => (measure(cells, &FeatureState::empty(cells), window, deff), None),
            },
            Self::Moving { keys, lacks } => {
                let mut sum = FeatureState::empty(cells);
                let mut lacks = lacks.clone();
                for key in keys {
                    if let Err(error) = accumulator.add_state(feature, key, &mut sum) {
                        // The window itself is sound: there is only nothing to hold it to.
                        sum = FeatureState::empty(cells);
                        lacks = Some(format!("a window before it could not be read: {error}"));
                        break;
                    }
                }
                (measure_moving(cells, &sum, window, deff), lacks)
            }
        }
    }
}
