//! How much more a baseline's panes vary than independent rows would.
//!
//! Each pane is compared with the rest of the baseline, which is the baseline less the pane: integers, so the rest is
//! exact. Under independence `n_e PSI` has mean `B - 1`; the ratio that is found instead is the design effect (Kish
//! 1965; measured for PSI in docs/decisions).

use crate::Metric;
use crate::accumulate::FeatureState;
use crate::feature::FeatureCells;
use crate::score::measure;
use crate::statistic::significance::effective_size;

/// With fewer panes there is no estimate (SEMANTICS S6).
const MIN_PANES: usize = 10;

/// A pane with fewer rows says nothing about full panes.
const MIN_PANE_ROWS: u64 = 100;

/// The design effect of a feature, at least 1, from the states of the baseline's panes; `None` from fewer than ten.
#[must_use]
pub fn design_effect(
    cells: &FeatureCells,
    whole: &FeatureState,
    panes: impl IntoIterator<Item = FeatureState>,
) -> Option<f64> {
    let mut ratios = Vec::new();
    for pane in panes {
        let mut rest = whole.clone();
        if pane.rows() < MIN_PANE_ROWS || rest.subtract(&pane).is_err() {
            continue;
        }
        let Ok(measured) = measure(cells, &rest, &pane, 1.0) else { continue };
        let Some(psi) = measured.scores.get(&Metric::Psi) else { continue };
        let (Some(value), Some(n_cells)) = (psi.value, psi.cells.filter(|n| *n > 1)) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a few cells")]
        let freedom = (n_cells - 1) as f64;
        ratios.push(effective_size(psi.n, psi.n_baseline, 1.0) * value / freedom);
    }
    if ratios.len() < MIN_PANES {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    Some(mean.max(1.0))
}
