use super::*;

/// Azure's own list lacks the metrics of model performance, and its bound of NDCG is NaN, which Spark takes for the largest
/// number (docs/azure.md).
#[test]
fn which_side_is_bad_is_said_for_every_metric() {
    for below in [
        "Accuracy",
        "Precision",
        "Recall",
        "NormalizedDiscountedCumulativeGain",
        "TwoSampleKolmogorovSmirnovTest",
        "PearsonsChiSquaredTest",
        "AggregatedGroundednessPassRate",
        "AverageFluencyScore",
    ] {
        assert_eq!(breached(below, Some(0.50), Some(0.95)), Some(true), "{below}");
        assert_eq!(breached(below, Some(0.97), Some(0.95)), Some(false), "{below}");
    }
    for above in Metric::ALL.map(Metric::wire).into_iter().filter(|name| !name.ends_with("Test")) {
        assert_eq!(breached(above, Some(0.97), Some(0.95)), Some(true), "{above}");
        assert_eq!(breached(above, Some(0.50), Some(0.95)), Some(false), "{above}");
    }
}

#[test]
fn at_the_bound_and_without_one_nothing_breaches() {
    for metric in ["Accuracy", "NormalizedDiscountedCumulativeGain", "JensenShannonDistance", "RowCount"] {
        assert_eq!(breached(metric, Some(0.95), Some(0.95)), Some(false), "{metric}");
        for (value, threshold) in
            [(Some(0.99), Some(f64::NAN)), (Some(0.99), None), (None, Some(0.5)), (Some(f64::NAN), Some(0.5))]
        {
            assert_eq!(breached(metric, value, threshold), None, "{metric} {value:?} {threshold:?}");
        }
    }
}

#[test]
fn a_name_is_one_name_of_a_path_and_of_no_other() {
    let names = ["plain name", "a/b", "a%2Fb", "..", ".", "a\\b", "a:b", "a\nb", "ü.x"];
    let paths: std::collections::BTreeSet<String> = names.iter().map(|name| encoded(name)).collect();
    assert_eq!(paths.len(), names.len(), "{paths:?}");
    assert!(
        paths.iter().all(|path| !path.contains(['/', '\\', '\n']) && !path.starts_with('.')),
        "{paths:?}"
    );
    assert_eq!(encoded("plain name"), "plain name");
}
