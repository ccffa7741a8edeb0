//! The names of everything driftlead measures: the keys of reports and of threshold rules.

use std::fmt;

use crate::kind::Kind;

/// A measure of one feature in one window, compared with the baseline.
///
/// Definitions stand in `docs/statistics`, one page each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Population stability index, `sum (q-p) ln(q/p)` with Jeffreys smoothing, in nats.
    Psi,
    /// Kullback-Leibler divergence `KL(q || p)` with Jeffreys smoothing, in nats.
    Kl,
    /// Jensen-Shannon distance, base 2, in `[0, 1]`.
    Js,
    /// Hellinger distance, in `[0, 1]`.
    Hellinger,
    /// Total variation distance, in `[0, 1]`.
    Tvd,
    /// Largest difference of a cell's share, in `[0, 1]`.
    Linf,
    /// Two-sample Kolmogorov-Smirnov distance, in `[0, 1]`.
    Ks,
    /// Wasserstein-1 distance, in the feature's unit.
    Wasserstein,
    /// Wasserstein-1 distance divided by the baseline's standard deviation.
    WassersteinNormalized,
    /// Pearson's chi-squared statistic of the 2 x B table.
    Chi2,
    /// Difference of means in baseline standard deviations.
    MeanShift,
    /// Logarithm of the ratio of standard deviations, `ln(sd_window / sd_baseline)`.
    SdShift,
    /// Share of non-null rows whose category the baseline has never seen.
    NewCategoryRate,
    /// Share of rows that are null.
    NullRate,
    /// Share of rows that are NaN.
    NanRate,
    /// Share of non-null rows below the baseline's minimum or above its maximum.
    OutOfRangeRate,
    /// Share of rows whose value could not be read as the feature's type.
    TypeErrorRate,
    /// Whether vectors moved in any of five ways: the worst area under a curve along one direction, in `[0.5, 1]`, and the
    /// combined p-value.
    EmbeddingDrift,
    /// The mean, in all directions at once: the area under the curve along the best one, in `[0.5, 1]`.
    EmbeddingMean,
    /// The principal components, one by one: the worst area under a curve, in `[0.5, 1]`.
    EmbeddingComponents,
    /// Reconstruction error, norm and distance within the components: the worst area under a curve, in `[0.5, 1]`.
    EmbeddingShape,
    /// Products of two components: the largest change of a mean, in its own standard deviations.
    EmbeddingCovariance,
    /// Shares of the clusters: the area under the curve of their likelihood ratio, less what sampling adds, in `[0.5, 1]`.
    EmbeddingClusters,
    /// One less the cosine of the angle between the two means, in `[0, 2]`.
    CentroidCosine,
    /// The distance of the two means, in the unit of the vectors.
    CentroidEuclidean,
    /// Share of dimensions whose mean moved by more than a tenth of the baseline's standard deviation.
    DimensionDriftShare,
    /// Frechet distance of two normal distributions along the principal components, in squared units of the vectors.
    Frechet,
    /// The largest Kolmogorov-Smirnov distance along a principal component, at its cells' edges, in `[0, 1]`.
    SlicedKs,
    /// Squared distance of the two distributions' means under a Gaussian kernel, without bias, in `[0, 2]`; only where the
    /// baseline was made with what it is measured by.
    Mmd,
    /// Share of rows whose vector is all zero.
    ZeroRate,
    /// Rows in the window, of the window as a whole.
    RowCount,
    /// The clock less the newest event time, in seconds, of the model as a whole; of a running service only (SEMANTICS S21).
    Freshness,
}

/// Every metric, in the order of reports.
pub const ALL: [Metric; 32] = [
    Metric::Psi,
    Metric::Kl,
    Metric::Js,
    Metric::Hellinger,
    Metric::Tvd,
    Metric::Linf,
    Metric::Ks,
    Metric::Wasserstein,
    Metric::WassersteinNormalized,
    Metric::Chi2,
    Metric::MeanShift,
    Metric::SdShift,
    Metric::NewCategoryRate,
    Metric::NullRate,
    Metric::NanRate,
    Metric::OutOfRangeRate,
    Metric::TypeErrorRate,
    Metric::EmbeddingDrift,
    Metric::EmbeddingMean,
    Metric::EmbeddingComponents,
    Metric::EmbeddingShape,
    Metric::EmbeddingCovariance,
    Metric::EmbeddingClusters,
    Metric::CentroidCosine,
    Metric::CentroidEuclidean,
    Metric::DimensionDriftShare,
    Metric::Frechet,
    Metric::SlicedKs,
    Metric::Mmd,
    Metric::ZeroRate,
    Metric::RowCount,
    Metric::Freshness,
];

/// The tests of which `embedding_drift` takes the least p-value.
pub const EMBEDDING_PARTS: [Metric; 5] = [
    Metric::EmbeddingMean,
    Metric::EmbeddingComponents,
    Metric::EmbeddingShape,
    Metric::EmbeddingCovariance,
    Metric::EmbeddingClusters,
];

impl Metric {
    /// The key in reports and rules, such as `psi`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::Kl => "kl",
            Self::Js => "js",
            Self::Hellinger => "hellinger",
            Self::Tvd => "tvd",
            Self::Linf => "linf",
            Self::Ks => "ks",
            Self::Wasserstein => "wasserstein",
            Self::WassersteinNormalized => "wasserstein_normalized",
            Self::Chi2 => "chi2",
            Self::MeanShift => "mean_shift",
            Self::SdShift => "sd_shift",
            Self::NewCategoryRate => "new_category_rate",
            Self::NullRate => "null_rate",
            Self::NanRate => "nan_rate",
            Self::OutOfRangeRate => "out_of_range_rate",
            Self::TypeErrorRate => "type_error_rate",
            Self::EmbeddingDrift => "embedding_drift",
            Self::EmbeddingMean => "embedding_mean",
            Self::EmbeddingComponents => "embedding_components",
            Self::EmbeddingShape => "embedding_shape",
            Self::EmbeddingCovariance => "embedding_covariance",
            Self::EmbeddingClusters => "embedding_clusters",
            Self::CentroidCosine => "centroid_cosine",
            Self::CentroidEuclidean => "centroid_euclidean",
            Self::DimensionDriftShare => "dimension_drift_share",
            Self::Frechet => "frechet",
            Self::SlicedKs => "sliced_ks",
            Self::Mmd => "mmd",
            Self::ZeroRate => "zero_rate",
            Self::RowCount => "row_count",
            Self::Freshness => "freshness",
        }
    }

    /// The metric of that key, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The least and the greatest value that the metric can take; a bound outside can never fire.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Js
            | Self::Hellinger
            | Self::Tvd
            | Self::Linf
            | Self::Ks
            | Self::NewCategoryRate
            | Self::NullRate
            | Self::NanRate
            | Self::OutOfRangeRate
            | Self::TypeErrorRate
            | Self::ZeroRate
            | Self::DimensionDriftShare
            | Self::SlicedKs => (0.0, 1.0),
            Self::EmbeddingDrift
            | Self::EmbeddingMean
            | Self::EmbeddingComponents
            | Self::EmbeddingShape
            | Self::EmbeddingClusters => (0.5, 1.0),
            Self::CentroidCosine | Self::Mmd => (0.0, 2.0),
            Self::MeanShift | Self::SdShift => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Psi
            | Self::Kl
            | Self::Wasserstein
            | Self::WassersteinNormalized
            | Self::Chi2
            | Self::EmbeddingCovariance
            | Self::CentroidEuclidean
            | Self::Frechet
            | Self::RowCount
            | Self::Freshness => (0.0, f64::INFINITY),
        }
    }

    /// Whether the metric has a sign, which says the direction; its size is compared with bounds.
    #[must_use]
    pub fn is_signed(self) -> bool {
        matches!(self, Self::MeanShift | Self::SdShift)
    }

    /// Whether a small value can be bad news. A small distance never is, a small count or share can be:
    /// `below` bounds on any other metric's value are refused (SEMANTICS S11).
    #[must_use]
    pub fn small_can_be_bad(self) -> bool {
        self.is_rate() || self == Self::RowCount
    }

    /// Whether the metric is published less what sampling alone adds on average (`Score::corrected`).
    #[must_use]
    pub fn has_corrected(self) -> bool {
        matches!(self, Self::Psi | Self::Kl)
    }

    /// Whether the metric comes with a p-value; a rule on the p-value of another could never fire.
    #[must_use]
    pub fn has_p_value(self) -> bool {
        !matches!(
            self,
            Self::Tvd
                | Self::Linf
                | Self::Wasserstein
                | Self::WassersteinNormalized
                | Self::CentroidCosine
                | Self::CentroidEuclidean
                | Self::DimensionDriftShare
                | Self::Frechet
                | Self::SlicedKs
                | Self::Freshness
        )
    }

    /// Whether every row of the window enters the metric, or only the rows that carry a value (neither null nor
    /// NaN nor of a wrong type). It decides which rows count against `min_rows` (SEMANTICS S6).
    #[must_use]
    pub fn counts_all_rows(self) -> bool {
        matches!(self, Self::NullRate | Self::NanRate | Self::TypeErrorRate | Self::ZeroRate | Self::RowCount)
    }

    /// Whether the metric belongs to no feature: `row_count` is a window's, `freshness` a model's.
    #[must_use]
    pub fn is_of_no_feature(self) -> bool {
        matches!(self, Self::RowCount | Self::Freshness)
    }

    /// Whether the metric can be computed for features of `kind`. `row_count` and `freshness` belong to no feature, and
    /// apply to none.
    #[must_use]
    pub fn applies_to(self, kind: Kind) -> bool {
        match self {
            Self::NullRate | Self::TypeErrorRate => true,
            Self::NanRate => kind != Kind::Categorical,
            Self::Psi | Self::Kl | Self::Js | Self::Hellinger | Self::Tvd | Self::Linf | Self::Chi2 => {
                kind != Kind::Embedding
            }
            Self::Ks
            | Self::Wasserstein
            | Self::WassersteinNormalized
            | Self::MeanShift
            | Self::SdShift
            | Self::OutOfRangeRate => kind == Kind::Numeric,
            Self::NewCategoryRate => kind == Kind::Categorical,
            Self::ZeroRate
            | Self::EmbeddingDrift
            | Self::EmbeddingMean
            | Self::EmbeddingComponents
            | Self::EmbeddingShape
            | Self::EmbeddingCovariance
            | Self::EmbeddingClusters
            | Self::CentroidCosine
            | Self::CentroidEuclidean
            | Self::DimensionDriftShare
            | Self::Frechet
            | Self::SlicedKs
            | Self::Mmd => kind == Kind::Embedding,
            Self::RowCount | Self::Freshness => false,
        }
    }

    /// Whether the metric is a share of rows, judged by the hard checks of SEMANTICS S3a.
    #[must_use]
    pub fn is_rate(self) -> bool {
        matches!(
            self,
            Self::NewCategoryRate
                | Self::NullRate
                | Self::NanRate
                | Self::OutOfRangeRate
                | Self::TypeErrorRate
                | Self::ZeroRate
        )
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_feature_applies_to_a_kind() {
        for metric in ALL {
            let n_kinds = Kind::ALL.into_iter().filter(|kind| metric.applies_to(*kind)).count();
            assert_eq!(n_kinds == 0, metric.is_of_no_feature(), "{metric}");
        }
        assert!(Metric::Ks.applies_to(Kind::Numeric) && !Metric::Ks.applies_to(Kind::Categorical));
        assert!(!Metric::NewCategoryRate.applies_to(Kind::Numeric));
    }

    #[test]
    fn names_are_distinct_and_parse_back() {
        for metric in ALL {
            assert_eq!(Metric::parse(metric.name()), Some(metric));
        }
        assert_eq!(Metric::parse("PSI"), None);
    }
}
