//! A feature of a baseline as a row that people and other tools can read.

use driftlead_connectors::baseline_file::FeatureRow;
use driftlead_engine::accumulate::FeatureState;
use driftlead_engine::baseline::BaselineFeature;
use driftlead_engine::embedding::CODES;
use driftlead_engine::feature::{Category, FeatureCells};
use driftlead_engine::score::describe;

/// The row of `feature` in `segment`, whose exact content is `state_bytes`.
pub(super) fn feature_row(
    feature: &BaselineFeature,
    segment: Option<&str>,
    state: &FeatureState,
    state_bytes: Vec<u8>,
) -> FeatureRow {
    let about = describe(feature.cells(), state);
    let (labels, edges, counts) = match (feature.cells().as_ref(), state) {
        (FeatureCells::Numeric(cells), FeatureState::Numeric(state)) => {
            (Vec::new(), cells.positions(), state.cells.to_vec())
        }
        (FeatureCells::Categorical(cells), FeatureState::Categorical(state)) => {
            let label = |cell| match cells.category(cell) {
                Category::Named(name) => name.to_owned(),
                Category::Other => "(other)".to_owned(),
                Category::New => "(new)".to_owned(),
            };
            ((0..cells.n_cells()).map(label).collect(), Vec::new(), state.cells.to_vec())
        }
        (FeatureCells::Embedding(_), FeatureState::Embedding(state)) => {
            ((0..CODES).map(|code| format!("cluster {code}")).collect(), Vec::new(), state.codes())
        }
        _ => (Vec::new(), Vec::new(), Vec::new()),
    };
    FeatureRow {
        feature: feature.name().to_owned(),
        segment: segment.map(str::to_owned),
        kind: feature.cells().kind().name().to_owned(),
        data_type: feature.cells().value_type().to_string(),
        rows: about.rows,
        nulls: about.nulls,
        nans: about.nans,
        min: about.min,
        max: about.max,
        mean: about.mean,
        sd: about.sd,
        labels,
        edges,
        counts,
        state: state_bytes,
    }
}
