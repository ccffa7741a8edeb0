//! Metrics exactly as other tools compute them, so that people can migrate and compare.
//!
//! Each tool has a module of its own with its edges, smoothing, logarithm, direction and default rule; what they share
//! is the arithmetic of [numpy] and [scipy], which all but scouter rest on. Nothing of this is used by driftlead's own
//! metrics. Azure ML and evidently lay their bins over both sides, so they need both sides' raw values; nannyml and
//! scouter bin on the reference alone (SEMANTICS S24, [`Tool::needs_both_sides`]).
//!
//! The law kept: for the versions named in `docs/compat.md`, [`score`] gives the number that the tool gives, within
//! 1e-9 (Azure ML: 1e-6, it stores float32), and refuses where the tool raises an error or answers NaN. Answers of the
//! tools themselves stand in `fixtures/compat`.

pub mod azureml;
pub mod evidently;
pub mod nannyml;
pub mod scouter;
pub mod vectors;

mod classifier;
mod columns;
mod numpy;
mod scipy;
mod twister;

pub use columns::{Columns, Counts};

use crate::{Error, ErrorKind, Kind, Metric, Result};

/// A tool whose metrics can be computed as it computes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// Azure Machine Learning model monitoring, data drift signal.
    AzureMl,
    /// Evidently 0.7.
    Evidently,
    /// NannyML 0.13, univariate drift.
    NannyMl,
    /// Scouter 0.25, PSI.
    Scouter,
}

impl Tool {
    /// Every tool, in the order of names.
    pub const ALL: [Self; 4] = [Self::AzureMl, Self::Evidently, Self::NannyMl, Self::Scouter];

    /// The name in configuration and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AzureMl => "azureml",
            Self::Evidently => "evidently",
            Self::NannyMl => "nannyml",
            Self::Scouter => "scouter",
        }
    }

    /// The tool of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Whether its edges depend on the current side too, so that a window's counts alone do not suffice.
    #[must_use]
    pub fn needs_both_sides(self) -> bool {
        matches!(self, Self::AzureMl | Self::Evidently)
    }

    /// Our names of the metrics that the tool has for features of `kind`, in the order of [`crate::metric::ALL`].
    #[must_use]
    pub fn metrics(self, kind: Kind) -> &'static [Metric] {
        use Metric::{Chi2, Hellinger, Js, Kl, Ks, Linf, Psi, Tvd, Wasserstein, WassersteinNormalized};
        match (self, kind) {
            (_, Kind::Embedding) => &[],
            (Self::AzureMl, Kind::Numeric) => &[Psi, Js, Ks, WassersteinNormalized],
            (Self::AzureMl, Kind::Categorical) => &[Psi, Js, Chi2],
            (Self::Evidently, Kind::Numeric) => &[Psi, Kl, Js, Hellinger, Ks, WassersteinNormalized],
            (Self::Evidently, Kind::Categorical) => &[Psi, Kl, Js, Hellinger, Tvd, Chi2],
            (Self::NannyMl, Kind::Numeric) => &[Js, Hellinger, Ks, Wasserstein],
            (Self::NannyMl, Kind::Categorical) => &[Js, Hellinger, Linf, Chi2],
            (Self::Scouter, _) => &[Psi],
        }
    }

    /// What the tool itself calls our `metric`; `None` where it has no such metric.
    #[must_use]
    pub fn metric_name(self, metric: Metric) -> Option<&'static str> {
        Some(match (self, metric) {
            (Self::AzureMl, Metric::Js) => "jensen_shannon_distance",
            (Self::AzureMl, Metric::Psi) => "population_stability_index",
            (Self::AzureMl, Metric::WassersteinNormalized) => "normalized_wasserstein_distance",
            (Self::AzureMl, Metric::Ks) => "two_sample_kolmogorov_smirnov_test",
            (Self::AzureMl, Metric::Chi2) => "pearsons_chi_squared_test",
            (Self::Evidently, Metric::Psi) | (Self::Scouter, Metric::Psi) => "psi",
            (Self::Evidently, Metric::Kl) => "kl_div",
            (Self::Evidently, Metric::Js) => "jensenshannon",
            (Self::Evidently, Metric::Hellinger) => "hellinger",
            (Self::Evidently, Metric::Ks) => "ks",
            (Self::Evidently, Metric::WassersteinNormalized) => "wasserstein",
            (Self::Evidently, Metric::Chi2) => "chisquare",
            (Self::Evidently, Metric::Tvd) => "TVD",
            (Self::NannyMl, Metric::Js) => "jensen_shannon",
            (Self::NannyMl, Metric::Hellinger) => "hellinger",
            (Self::NannyMl, Metric::Linf) => "l_infinity",
            (Self::NannyMl, Metric::Ks) => "kolmogorov_smirnov",
            (Self::NannyMl, Metric::Wasserstein) => "wasserstein",
            (Self::NannyMl, Metric::Chi2) => "chi2",
            _ => return None,
        })
    }
}

/// A metric as one of the tools reports it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompatScore {
    /// The number that the tool reports: a distance or a statistic, or a p-value where [`Self::p_value`] is the same.
    pub value: f64,
    /// The test statistic behind a reported p-value, or the reported statistic itself.
    pub statistic: Option<f64>,
    /// The p-value, where the tool computes one.
    pub p_value: Option<f64>,
    /// The tool's default rule for drift; `None` where it has no constant one.
    pub rule: Option<Rule>,
}

impl CompatScore {
    /// A distance of `value`, judged by `rule`.
    fn distance(value: f64, rule: Option<Rule>) -> Result<Self> {
        Self { value, statistic: None, p_value: None, rule }.checked()
    }

    /// A test reported by its p-value.
    fn test(statistic: f64, p_value: f64, rule: Option<Rule>) -> Result<Self> {
        Self { value: p_value, statistic: Some(statistic), p_value: Some(p_value), rule }.checked()
    }

    /// A score never holds NaN or an infinity: where the tool does, there is no score.
    fn checked(self) -> Result<Self> {
        let finite = self.value.is_finite();
        finite.then_some(self).ok_or_else(|| {
            Error::new(
                ErrorKind::Plan,
                format!("the tool's own answer is `{}`, which is no number", self.value),
            )
        })
    }

    /// The tool's own verdict by its default rule; `None` where it has no constant one.
    ///
    /// [`Rule::AtMost`] and [`Rule::Below`] judge the p-value, the others the value.
    #[must_use]
    pub fn drifted(&self) -> Option<bool> {
        let judged = |rule| match rule {
            Rule::AtMost(_) | Rule::Below(_) => self.p_value.unwrap_or(self.value),
            Rule::AtLeast(_) | Rule::Above(_) => self.value,
        };
        self.rule.map(|rule| rule.breached(judged(rule)))
    }
}

/// A tool's rule: which values it calls drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `value >= bound`.
    AtLeast(f64),
    /// `value > bound`.
    Above(f64),
    /// `value <= bound`.
    AtMost(f64),
    /// `value < bound`.
    Below(f64),
}

impl Rule {
    /// Whether `value` is drift. NaN never is.
    #[must_use]
    pub fn breached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::Above(bound) => value > bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }
}

/// `metric` of `columns` as `tool` computes it.
///
/// # Errors
/// Of kind [`ErrorKind::Plan`] where the tool has no such metric for this kind of column, where a side is empty once
/// its missing values are gone, and where the tool itself raises an error or answers NaN.
pub fn score(tool: Tool, metric: Metric, columns: Columns<'_>) -> Result<CompatScore> {
    match (tool, metric) {
        (Tool::AzureMl, Metric::Js) => azureml::js(columns),
        (Tool::AzureMl, Metric::Psi) => azureml::psi(columns),
        (Tool::AzureMl, Metric::WassersteinNormalized) => azureml::wasserstein_normalized(columns),
        (Tool::AzureMl, Metric::Ks) => azureml::ks(columns),
        (Tool::AzureMl, Metric::Chi2) => azureml::chi2(columns),
        (Tool::Evidently, Metric::Psi) => evidently::psi(columns),
        (Tool::Evidently, Metric::Kl) => evidently::kl_div(columns),
        (Tool::Evidently, Metric::Js) => evidently::jensenshannon(columns),
        (Tool::Evidently, Metric::Hellinger) => evidently::hellinger(columns),
        (Tool::Evidently, Metric::WassersteinNormalized) => evidently::wasserstein(columns),
        (Tool::Evidently, Metric::Ks) => evidently::ks(columns),
        (Tool::Evidently, Metric::Chi2) => evidently::chisquare(columns),
        (Tool::Evidently, Metric::Tvd) => Err(Error::new(
            ErrorKind::Plan,
            "evidently's `TVD` is the p-value of a permutation of rows: it needs the rows in their order, not counts",
        )),
        (Tool::NannyMl, Metric::Js) => nannyml::jensen_shannon(columns),
        (Tool::NannyMl, Metric::Hellinger) => nannyml::hellinger(columns),
        (Tool::NannyMl, Metric::Linf) => nannyml::l_infinity(columns),
        (Tool::NannyMl, Metric::Ks) => nannyml::kolmogorov_smirnov(columns),
        (Tool::NannyMl, Metric::Wasserstein) => nannyml::wasserstein(columns),
        (Tool::NannyMl, Metric::Chi2) => nannyml::chi2(columns),
        (Tool::Scouter, Metric::Psi) => scouter::psi(columns, scouter::Threshold::default()),
        _ => {
            let has: Vec<&str> = crate::metric::ALL
                .into_iter()
                .filter(|metric| tool.metric_name(*metric).is_some())
                .map(Metric::name)
                .collect();
            Err(Error::new(
                ErrorKind::Plan,
                format!("`{}` has no metric `{metric}`; it has `{}`", tool.name(), has.join("`, `")),
            ))
        }
    }
}
