//! What moved of an embedding, in words: its directions as the report has them.

use driftlead_engine::embedding::EmbeddingCells;
use driftlead_engine::score::{Direction, JointCounts, Way};

use crate::report::wire;

/// Below this area under its curve a number is hardly larger or smaller than it was, though it is distributed otherwise.
const CLEAR: f64 = 0.52;

/// The direction as the report has it.
pub(super) fn shown(own: &Direction) -> wire::Way {
    let (kind, numbers) = match own.way {
        Way::Component(k) => ("component_mean", vec![k + 1]),
        Way::Spread(k) => ("component_sd", vec![k + 1]),
        Way::Error => ("reconstruction_error", Vec::new()),
        Way::Norm => ("norm", Vec::new()),
        Way::Distance => ("distance", Vec::new()),
        Way::Product(i, j) => ("component_product", vec![i + 1, j + 1]),
        Way::Within => ("within_components", Vec::new()),
        Way::Dimension(j) => ("dimension_mean", vec![j]),
    };
    wire::Way {
        part: own.part.name().to_owned(),
        kind: kind.to_owned(),
        numbers: numbers.into_iter().map(|number| number as u64).collect(),
        label: label(own),
        baseline: own.baseline,
        window: own.window,
        auc: own.auc,
        share: own.share,
    }
}

/// What a person would say of it.
fn label(own: &Direction) -> String {
    let pair = own.baseline.zip(own.window);
    let is_clear = own.auc.is_none_or(|auc| auc >= CLEAR);
    let shape = |farther: &str, closer: &str, name: &str| match pair {
        Some((before, now)) if is_clear => {
            format!("vectors lie {} ({name})", if now >= before { farther } else { closer })
        }
        _ => format!("the {name} of vectors is distributed differently"),
    };
    match own.way {
        Way::Component(k) => match pair {
            Some((before, now)) if is_clear => {
                format!("component {} shifted by {:+.2} sd", k + 1, now - before)
            }
            _ => format!("component {} is distributed differently", k + 1),
        },
        Way::Spread(k) => match pair {
            Some((before, now)) if before > 0.0 => {
                let which = if now >= before { "wider" } else { "narrower" };
                format!("component {} is spread {which}, to {:.2} times its sd", k + 1, now / before)
            }
            _ => format!("component {} is spread differently", k + 1),
        },
        Way::Error => shape(
            "farther from what the baseline explains",
            "closer to what the baseline explains",
            "reconstruction error",
        ),
        Way::Norm => shape("farther from the baseline's mean", "closer to the baseline's mean", "norm"),
        Way::Distance => shape(
            "farther out within the components",
            "closer to the middle within the components",
            "Mahalanobis distance",
        ),
        Way::Product(i, j) => {
            let numbers = pair.map_or_else(String::new, |(before, now)| format!(": {before:.2} to {now:.2}"));
            if i == j {
                format!("component {} has another mean square{numbers}", i + 1)
            } else {
                format!("components {} and {} move together differently{numbers}", i + 1, j + 1)
            }
        }
        Way::Within => {
            let share = own.window.unwrap_or(0.0) * 100.0;
            format!("{share:.0} % of the shift of the mean lies within the components")
        }
        Way::Dimension(j) => match pair {
            Some((before, now)) => format!("dimension {j} shifted by {:+.2} sd", now - before),
            None => format!("dimension {j} shifted"),
        },
    }
}

/// The map of a window beside that of what it was compared with.
pub(super) fn map(cells: &EmbeddingCells, counts: &JointCounts) -> wire::Map {
    let [first, second] = cells.map_edges().map(|edges| edges.into_iter().map(f64::from).collect());
    wire::Map { first, second, baseline: counts.baseline.clone(), window: counts.window.clone() }
}

#[cfg(test)]
mod tests {
    use driftlead_engine::Metric;

    use super::*;

    #[test]
    fn a_person_understands_what_moved() {
        let of = |way, baseline: f64, window: f64, auc: Option<f64>| {
            let (baseline, window) = (Some(baseline), Some(window));
            let part = Metric::EmbeddingShape;
            shown(&Direction { part, way, baseline, window, auc, share: None }).label
        };
        let labels = [
            of(Way::Component(0), 0.01, 0.81, Some(0.7)),
            of(Way::Component(2), 0.01, 0.02, Some(0.505)),
            of(Way::Spread(3), 1.0, 1.4, Some(0.6)),
            of(Way::Error, 0.5, 0.8, Some(0.7)),
            of(Way::Error, 0.5, 0.3, Some(0.6)),
            of(Way::Norm, 0.5, 0.7, Some(0.6)),
            of(Way::Distance, 0.5, 0.2, Some(0.7)),
            of(Way::Distance, 0.5, 0.5, Some(0.5)),
            of(Way::Product(1, 4), 0.02, 0.35, None),
            of(Way::Product(1, 1), 1.0, 1.6, None),
            of(Way::Within, 0.0, 0.344, None),
            of(Way::Dimension(17), 0.1, -0.4, None),
        ];
        assert_eq!(
            labels,
            [
                "component 1 shifted by +0.80 sd",
                "component 3 is distributed differently",
                "component 4 is spread wider, to 1.40 times its sd",
                "vectors lie farther from what the baseline explains (reconstruction error)",
                "vectors lie closer to what the baseline explains (reconstruction error)",
                "vectors lie farther from the baseline's mean (norm)",
                "vectors lie closer to the middle within the components (Mahalanobis distance)",
                "the Mahalanobis distance of vectors is distributed differently",
                "components 2 and 5 move together differently: 0.02 to 0.35",
                "component 2 has another mean square: 1.00 to 1.60",
                "34 % of the shift of the mean lies within the components",
                "dimension 17 shifted by -0.50 sd",
            ]
        );
    }
}
