//! The names of Azure ML: of signals and of metrics, in every spelling that is about.
//!
//! The schema of the SDK has `snake_case`, its documents write `chi_squared_test` for what the SDK calls
//! `pearsons_chi_squared_test`, and the service itself has `PascalCase` on the wire. Words are compared without case,
//! underscores and hyphens.

use driftlead_engine::policy::On;
use driftlead_engine::{Kind, Metric as Ours};

use super::SignalKind;

/// A metric of the signals that can be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Distance of Jensen and Shannon, base 2.
    JensenShannon,
    /// Wasserstein distance in standard deviations of the baseline.
    Wasserstein,
    /// Population stability index.
    Psi,
    /// p-value of Kolmogorov and Smirnov's test.
    Ks,
    /// p-value of Pearson's test.
    ChiSquared,
    /// Share of rows without a value.
    NullRate,
    /// Share of values that are not of the reference's type.
    TypeErrorRate,
    /// Share of values beyond the reference's range, or not among its values.
    OutOfBoundsRate,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::JensenShannon,
        Self::Wasserstein,
        Self::Psi,
        Self::Ks,
        Self::ChiSquared,
        Self::NullRate,
        Self::TypeErrorRate,
        Self::OutOfBoundsRate,
    ];

    /// The metrics that a signal has for features of `kind`.
    pub fn of(signal: SignalKind, kind: Kind) -> &'static [Self] {
        match (signal, kind) {
            (SignalKind::DataQuality, _) => &[Self::NullRate, Self::TypeErrorRate, Self::OutOfBoundsRate],
            (_, Kind::Categorical) => &[Self::JensenShannon, Self::Psi, Self::ChiSquared],
            (_, Kind::Numeric | Kind::Embedding) => {
                &[Self::JensenShannon, Self::Wasserstein, Self::Psi, Self::Ks]
            }
        }
    }

    /// As the SDK spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JensenShannon => "jensen_shannon_distance",
            Self::Wasserstein => "normalized_wasserstein_distance",
            Self::Psi => "population_stability_index",
            Self::Ks => "two_sample_kolmogorov_smirnov_test",
            Self::ChiSquared => "pearsons_chi_squared_test",
            Self::NullRate => "null_value_rate",
            Self::TypeErrorRate => "data_type_error_rate",
            Self::OutOfBoundsRate => "out_of_bounds_rate",
        }
    }

    /// As the service itself has it in its rows and files.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::JensenShannon => "JensenShannonDistance",
            Self::Wasserstein => "NormalizedWassersteinDistance",
            Self::Psi => "PopulationStabilityIndex",
            Self::Ks => "TwoSampleKolmogorovSmirnovTest",
            Self::ChiSquared => "PearsonsChiSquaredTest",
            Self::NullRate => "NullValueRate",
            Self::TypeErrorRate => "DataTypeErrorRate",
            Self::OutOfBoundsRate => "OutOfBoundsRate",
        }
    }

    /// The metric of that name, in any spelling.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let word = plain(name);
        if word == "chisquaredtest" {
            return Some(Self::ChiSquared);
        }
        Self::ALL.into_iter().find(|metric| plain(metric.name()) == word)
    }

    /// Our metric for features of `kind`, the number of it that is compared, and whether it fires below the bound.
    #[must_use]
    pub fn ours(self, kind: Kind) -> (Ours, On, bool) {
        match self {
            Self::JensenShannon => (Ours::Js, On::Value, false),
            Self::Wasserstein => (Ours::WassersteinNormalized, On::Value, false),
            Self::Psi => (Ours::Psi, On::Value, false),
            Self::Ks => (Ours::Ks, On::PValue, true),
            Self::ChiSquared => (Ours::Chi2, On::PValue, true),
            Self::NullRate => (Ours::NullRate, On::Value, false),
            Self::TypeErrorRate => (Ours::TypeErrorRate, On::Value, false),
            Self::OutOfBoundsRate if kind == Kind::Categorical => (Ours::NewCategoryRate, On::Value, false),
            Self::OutOfBoundsRate => (Ours::OutOfRangeRate, On::Value, false),
        }
    }

    /// What is not the same about ours.
    #[must_use]
    pub const fn differs(self) -> &'static str {
        match self {
            Self::JensenShannon => {
                "the same distance to base 2, on cells of the baseline alone where Azure cuts the range of both sides"
            }
            Self::Wasserstein => {
                "the same distance in standard deviations of the baseline, which Azure takes as 0.001 at least"
            }
            Self::Psi => {
                "on cells of the baseline alone and with 1/2 a row added to each, where Azure adds 1"
            }
            Self::Ks => "the same p-value, which Azure refuses from 10,000 rows on",
            Self::ChiSquared => {
                "of two samples, where Azure takes the baseline's shares as exact, and a category that is new as p = 0"
            }
            Self::NullRate | Self::TypeErrorRate => {
                "the rate of the window by itself, where Azure adds the baseline's own rate to the bound"
            }
            Self::OutOfBoundsRate => "the share of rows with a value, where Azure takes all rows",
        }
    }
}

/// The types of signals that cannot be carried over, and why.
const OTHERS: [(&str, &str); 5] = [
    ("feature_attribution_drift", "importances of features are not computed"),
    ("model_performance", "ground truth is not joined to predictions"),
    ("generation_safety_quality", "answers of language models are not graded"),
    ("generation_token_statistics", "tokens are not counted"),
    ("custom", "components of Azure ML are not run"),
];

/// The signal of a `type`: one that can be carried over, or why it cannot; `None` for no known type.
pub(super) fn signal(name: &str) -> Option<Result<SignalKind, &'static str>> {
    let word = plain(name);
    let known = [
        ("data_drift", SignalKind::DataDrift),
        ("prediction_drift", SignalKind::PredictionDrift),
        ("data_quality", SignalKind::DataQuality),
    ];
    let carried = known.into_iter().find(|(name, _)| plain(name) == word).map(|(_, kind)| Ok(kind));
    carried.or_else(|| OTHERS.into_iter().find(|(name, _)| plain(name) == word).map(|(_, why)| Err(why)))
}

/// All types of signals.
pub(super) fn signals() -> Vec<&'static str> {
    let carried = ["data_drift", "prediction_drift", "data_quality"];
    carried.into_iter().chain(OTHERS.into_iter().map(|(name, _)| name)).collect()
}

/// The kind that Azure ML calls `numerical` or `categorical`.
pub(super) fn kind(name: &str) -> Option<Kind> {
    match plain(name).as_str() {
        "numerical" => Some(Kind::Numeric),
        "categorical" => Some(Kind::Categorical),
        _ => None,
    }
}

/// A word without what its spellings differ in.
pub(super) fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
