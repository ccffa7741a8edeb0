//! Silence: no window closes where no row comes, so the clock has to ask (SEMANTICS S21).
//!
//! The freshness of a model is the clock less the newest event time that any of its windows has seen. It depends on when
//! somebody looks, so it stands in no window and in no verdict: it is a gauge, and where a rule bounds it, an alert of
//! its own that goes the way of all others. A model has at most one of them: whether it is open is what the store says.
//!
//! An alert opens above `drift`, stays while freshness is above `warn` (or `drift`, without one), and is resolved by rows.
//! Its id follows from the newest event time and the bound, so that a crash before its commit opens the same one again.
//! A service that has just started does not know yet whether it is the source that was silent or itself: it opens none
//! before it has read every partition to its end, or has seen the silence last as long as the bound.

use driftlead_connectors::store;
use driftlead_engine::id::{self, Extent};
use driftlead_engine::policy::Verdict;
use driftlead_engine::statistic::Score;
use driftlead_engine::{Metric, alert};

use super::super::counters::OfModel;
use super::super::wire::{self, Cause, Period, Status, WindowRef};
use super::Engine;
use super::gone::ended;
use crate::config::FRESHNESS as NAME;
use crate::exit::{Error, Result};
use crate::report::wire::Model;
use crate::time::Timestamp;

/// The freshness of one model.
struct Look {
    newest: i64,
    /// In seconds, from 0.
    age: f64,
    level: Verdict,
    /// The bound of `drift`, in seconds, where a rule has one.
    bound: Option<f64>,
}

impl Engine {
    /// Shows how fresh every model is, and opens and resolves what its rules ask for.
    ///
    /// # Errors
    ///
    /// The state cannot be committed.
    pub(super) fn look_at_freshness(&mut self, now: i64) -> Result<()> {
        for at in 0..self.models.len() {
            let look = self.look(at, now);
            let config = &self.models[at].model.config;
            let is_own = |own: &store::Alert| own.model == config.model && own.name == NAME;
            let open = self.open.values().map(|open| &open.alert).find(|own| is_own(own)).cloned();
            if let Some(open) = open.as_ref().filter(|open| open.version != config.version) {
                let newest = look.map_or(open.opened, |look| look.newest);
                self.end_silence(at, open, alert::Reason::Superseded, newest, now)?;
                continue;
            }
            // What has ended is not late.
            let Some(look) = look.filter(|_| !self.feeds[self.models[at].source].has_ended) else { continue };
            let of = OfModel { model: config.model.clone() };
            self.counters.freshness.get_or_create(&of).set(look.age);
            match open {
                Some(open) if look.level < Verdict::Warn => {
                    self.end_silence(at, &open, alert::Reason::Calm, look.newest, now)?;
                }
                None if look.level == Verdict::Drift && self.is_sure(at, &look, now) => {
                    self.open_silence(at, &look, now)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How fresh a model is; `None` if it never had a row.
    #[expect(clippy::cast_precision_loss, reason = "an age in seconds")]
    fn look(&self, at: usize, now: i64) -> Option<Look> {
        let working = &self.models[at];
        let newest = working.watches.iter().filter_map(|watch| watch.flow.newest()).max()?;
        let age = now.saturating_sub(newest).max(0) as f64 / 1e6;
        let rule = working.model.rules.resolve(Metric::Freshness, None, None);
        let level = rule.and_then(|rule| rule.grade(&Score::of(age))).unwrap_or(Verdict::Ok);
        Some(Look { newest, age, level, bound: rule.and_then(|rule| rule.above().drift) })
    }

    /// Whether the silence is the source's, and not that of a service which was not there.
    fn is_sure(&self, at: usize, look: &Look, now: i64) -> bool {
        let partitions = &self.feeds[self.models[at].source].partitions;
        let has_read_all = !partitions.is_empty() && partitions.values().all(|own| own.was_caught_up);
        has_read_all
            || look.bound.is_some_and(|bound| micros(bound) < now.saturating_sub(self.progress.reads_since))
    }

    fn open_silence(&mut self, at: usize, look: &Look, now: i64) -> Result<()> {
        let working = &self.models[at];
        let config = &working.model.config;
        let end = look.newest.saturating_add(look.bound.map_or(0, micros));
        let extent = Extent::Time { start: look.newest, end };
        let verdict_id =
            id::verdict_id(&config.model, &config.version, &working.model.baseline_id, NAME, None, extent);
        let id = id::alert_id(&config.model, &config.version, NAME, None, &verdict_id);
        // A clock that was put back may have ended this very silence: then it goes on.
        let before = self.reader.alert(&id).map_err(|error| Error::run(error.to_string()))?;
        let period = Period {
            start: Some(Timestamp::from_micros(look.newest)),
            end: Some(Timestamp::from_micros(end)),
        };
        let alert = wire::Alert {
            id,
            revision: before.map_or(0, |before| u64::from(before.revision) + 1),
            time: Timestamp::from_micros(now),
            opened: None,
            model: Model { name: config.model.clone(), version: config.version.clone() },
            status: Status::Open,
            severity: alert::Severity::Major.name().to_owned(),
            window: NAME.to_owned(),
            segment: None,
            first_window: period,
            last_window: WindowRef { id: verdict_id, period },
            reason: None,
            causes: vec![Cause {
                feature: String::new(),
                metric: Metric::Freshness.name().to_owned(),
                value: Some(look.age),
                threshold: look.bound,
                share: None,
                top: Vec::new(),
                directions: Vec::new(),
            }],
            segments: Vec::new(),
        };
        self.note_alert(at, None, alert, now)?;
        self.commit_if(true)
    }

    /// Ends an alert on silence: until `newest` it lasted.
    fn end_silence(
        &mut self,
        at: usize,
        open: &store::Alert,
        reason: alert::Reason,
        newest: i64,
        now: i64,
    ) -> Result<()> {
        let mut alert = ended(open, reason.name(), now)?;
        let last = &mut alert.last_window.period.end;
        *last = (*last).max(Some(Timestamp::from_micros(newest)));
        self.note_alert(at, None, alert, now)?;
        self.commit_if(true)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
