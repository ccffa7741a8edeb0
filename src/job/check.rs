//! `check`: a baseline, data, and the report of their comparison.

use std::sync::Arc;
use std::time::Instant;

use driftlead_connectors::dataset::Remotes;

use super::baseline::{self, Loaded};
use super::compat::azureml::Extract;
use super::input::{Input, Preparation};
use super::windows::{Bounds, Plan, needs_time};
use super::{columns, compat, judge};
use crate::config::{COMPAT_OF_ROWS, Config, rule_problem};
use crate::exit::{Error, Result};
use crate::progress::Progress;
use crate::report::of_windows;
use crate::report::wire::{self, Failed, Report};

/// What is compared with what.
#[derive(Clone, Debug)]
pub struct Check {
    /// The model's settings.
    pub config: Config,
    /// The model file, as typed.
    pub model_file: Option<String>,
    /// Raw rows or a baseline file.
    pub baseline: Vec<String>,
    /// The data to judge.
    pub data: Vec<String>,
    /// The event times admitted.
    pub bounds: Bounds,
}

impl Check {
    /// Does it all.
    ///
    /// # Errors
    ///
    /// If files cannot be read, or configuration and data do not fit each other. A feature that cannot be compared is
    /// not an error here: the report says so, and the others are judged.
    pub fn run(&self, remotes: &Arc<Remotes>) -> Result<Report> {
        self.run_with(remotes, None)
    }

    /// As [`Check::run`]; what Azure ML keeps of each window beside its metrics is put into `extracts`, if it is asked for.
    ///
    /// # Errors
    ///
    /// As [`Check::run`].
    pub fn run_with(&self, remotes: &Arc<Remotes>, extracts: Option<&mut Vec<Extract>>) -> Result<Report> {
        let began = Instant::now();
        // A model file that says both was refused; the command line may add the one to the other.
        if !self.config.compat.is_empty() && self.config.moving().is_some() {
            return Err(Error::input(
                "`compat` compares with the baseline's own rows, and the model's baseline moves: leave out `--compat`",
            ));
        }
        if !self.config.compat.is_empty() && self.config.windows.iter().any(|window| window.rows.is_some()) {
            return Err(Error::input(COMPAT_OF_ROWS));
        }
        // Asked first: building a baseline may take minutes, and a refusal should not.
        let is_stored = !self.config.compat.is_empty() && baseline::is_stored(&self.baseline, remotes)?;
        if is_stored {
            compat::refuse_stored(&self.config.compat, &self.baseline)?;
        }
        // The data first: what is wrong with them should not be found after minutes spent on the baseline.
        let mut input = Input::open(&self.data, remotes, Preparation::of(&self.config))?;
        columns::ensure_cuts(input.schema(), &self.config, needs_time(&self.config, self.bounds))?;
        columns::ensure_ids(input.schema(), &self.config)?;
        let loaded = baseline::load(&self.config, &self.baseline, remotes)?;
        let Loaded { baseline, segments, skipped, failed, .. } = &loaded;
        let rules = judge::rules(&self.config, baseline).map_err(|error| {
            let problem = rule_problem(&self.config.rules, &error);
            Error::input(self.config.origin.at(problem.place, &problem.message))
        })?;

        input.retype(columns::baseline_types(baseline))?;
        let plan = Plan::new(baseline, &self.config, segments, self.bounds)?;
        let progress = Progress::rows("counting the data", input.dataset().n_rows());
        let counted = plan.count(&input, &progress)?;
        progress.finish();
        let mut judged = judge::judge(&self.config, baseline, &rules, &counted, self.bounds)?;
        if !self.config.compat.is_empty() {
            let job = compat::Job {
                config: &self.config,
                baseline,
                baseline_rows: (!is_stored).then_some(self.baseline.as_slice()),
                segments,
                data: &input,
                time: plan.time,
                bounds: self.bounds,
                max_values: compat::MAX_VALUES,
            };
            job.add(&mut judged.windows, remotes)?;
            if let Some(extracts) = extracts {
                *extracts = job.extracts(&judged.windows, remotes)?;
            }
        }

        let mut errors = failed.clone();
        errors
            .extend(judge::failed(&judged.windows).into_iter().map(|(name, reason)| Failed { name, reason }));
        errors.sort_by(|a, b| a.name.cmp(&b.name));
        let seconds = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rows = (counted.input.rows + loaded.rows_read) as f64;
        Ok(Report {
            schema: wire::SCHEMA.to_owned(),
            model: wire::Model { name: self.config.model.clone(), version: self.config.version.clone() },
            baseline: wire::Baseline {
                id: judge::baseline_id(&self.config, baseline),
                rows: baseline.rows(),
                excluded_rows: loaded.excluded_rows,
                moving_windows: self.config.moving().map(|moving| u64::from(moving.windows())),
            },
            verdict: of_windows(judged.windows.iter().map(|window| window.verdict)),
            input: counted.input,
            windows: judged.windows,
            gaps: judged.gaps,
            skipped: skipped.clone(),
            errors,
            run: Some(wire::Run {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                seconds,
                rows_per_second: (seconds > 0.0).then(|| rows / seconds),
                paths: wire::Paths {
                    model: self.model_file.clone(),
                    baseline: self.baseline.clone(),
                    data: self.data.clone(),
                },
            }),
        })
    }
}
