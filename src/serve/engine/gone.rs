//! Models that were taken out of the settings: their alerts end, and their series are laid aside.
//!
//! Nobody would ever resolve an alert of a model that is gone, so it is resolved as [`REMOVED`], and told to the sinks that
//! were told of it. A series that is laid aside keeps its head alone: what its source gives while the model is away it does
//! not see, so a model that comes back begins at the next border between panes, like any new series (decision 0033).

use driftlead_connectors::store;
use tracing::info;

use super::super::watch::Watch;
use super::super::wire::{self, Status};
use super::{Engine, Subscription};
use crate::exit::{Error, Result};
use crate::time::Timestamp;

/// Why such an alert ends.
const REMOVED: &str = "removed";

impl Engine {
    /// Lays the series of a model aside that is not there any more.
    pub(super) fn lay_aside(&mut self, series: &store::Series) -> Result<()> {
        let Some(track) = Watch::laid_aside(series)? else { return Ok(()) };
        info!(model = series.key.model, window = series.key.name, "series laid aside: its model is gone");
        let slots = self.reader.slots(series.id).map_err(|error| Error::run(error.to_string()))?;
        let commit = &mut self.progress.pending.commit;
        commit.tracks.push((series.id, track));
        commit.forgotten_slots.extend(slots.into_iter().map(|slot| slot.key));
        self.progress.pending.is_dirty = true;
        Ok(())
    }

    /// Resolves the alerts of models that are not there any more.
    pub(super) fn end_alerts_of_gone(&mut self, now: i64) -> Result<()> {
        let is_there = |model: &str| self.models.iter().any(|own| own.model.config.model == model);
        let open = self.open.values().map(|own| &own.alert).filter(|own| !is_there(&own.model));
        for alert in open.cloned().collect::<Vec<store::Alert>>() {
            let told = self.reader.told(&alert.id).map_err(|error| Error::run(error.to_string()))?;
            let wants = |own: &&Subscription| own.alerts && told.contains(&own.sink);
            let mut sinks: Vec<Subscription> = self.subscriptions.iter().filter(wants).cloned().collect();
            // What was delivered long ago is not known any more, and a sink may be gone with the model: then whoever takes
            // alerts hears of it.
            if sinks.is_empty() {
                sinks.clone_from(&self.subscriptions);
            }
            let ended = ended(&alert, REMOVED, now)?;
            self.put_alert(&sinks, alert.segment.as_deref(), ended, now)?;
        }
        Ok(())
    }
}

/// An open alert as it is when it is resolved for this reason.
pub(super) fn ended(open: &store::Alert, reason: &str, now: i64) -> Result<wire::Alert> {
    let event: wire::Event = serde_json::from_str(&open.document)
        .map_err(|error| Error::run(format!("the stored alert `{}` is not JSON", open.id)).because(error))?;
    let wire::Body::Alert(before) = event.body else {
        return Err(Error::run(format!("the stored alert `{}` is none", open.id)));
    };
    Ok(wire::Alert {
        revision: before.revision + 1,
        time: Timestamp::from_micros(now),
        status: Status::Resolved,
        reason: Some(reason.to_owned()),
        causes: Vec::new(),
        ..before
    })
}
