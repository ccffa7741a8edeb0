//! From scores to verdicts, in pure steps: minimum rows, significance, bounds, roll-up.
//!
//! The input is what was measured ([`Score`](crate::statistic::Score)); counts and rows are out of sight. What a
//! verdict means to a person, and every constant, stands in `docs/verdicts.md`.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use driftlead_engine::policy::{FeatureInput, Policy, Verdict, judge};
//! use driftlead_engine::statistic::Score;
//! use driftlead_engine::{Kind, Metric};
//!
//! let psi = Score { corrected: Some(0.31), p_effect: Some(1e-9), ..Score::of(0.32) };
//! let scores = BTreeMap::from([(Metric::Psi, psi)]);
//! let carrier = FeatureInput {
//!     feature: "carrier",
//!     kind: Kind::Categorical,
//!     segment: None,
//!     rows: 5_000,
//!     n: 4_990,
//!     baseline_rows: 1_000_000,
//!     baseline_n: 999_000,
//!     calibrated: true,
//!     scores: &scores,
//!     error: None,
//!     skipped: None,
//!     lacks: None,
//! };
//! let verdicts = judge(&Policy::default(), &[carrier]);
//! assert_eq!(verdicts[0].verdict, Verdict::Drift);
//! ```

pub mod default;
mod error;
mod family;
mod judge;
mod rule;
mod rules;
mod verdict;

#[cfg(test)]
mod tests;

pub use error::RuleError;
pub use family::{benjamini_hochberg, feature_p, hard_p};
pub use judge::{
    Applied, FeatureInput, FeatureVerdict, Judgement, MetricVerdict, Policy, ThresholdSource, VolumeInput,
    judge, judge_window,
};
pub use rule::{Bounds, Gate, On, Rule, RuleSpec};
pub use rules::RuleSet;
pub use verdict::{FailOn, Verdict, WindowOutcome, exit_code, window_verdict};
