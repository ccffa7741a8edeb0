//! New settings while the service runs.

use driftlead_connectors::store;
use tracing::info;

use super::super::model::Model;
use super::super::watch::Watch;
use super::Engine;
use crate::exit::{Error, Result};

impl Engine {
    /// Takes new settings for the models that run, all or none. What would make another series of a model (its baseline,
    /// version, windows, columns, sources) needs a restart, which loses nothing; the inner error says so.
    ///
    /// # Errors
    ///
    /// The state cannot be committed.
    pub(super) fn reload(&mut self, models: Vec<Model>) -> Result<Result<String>> {
        if let Err(refusal) = self.reloadable(&models) {
            return Ok(Err(refusal));
        }
        let mut changed = Vec::new();
        for model in models {
            let Some(working) =
                self.models.iter_mut().find(|own| own.model.config.model == model.config.model)
            else {
                continue;
            };
            if working.model.config != model.config {
                changed.push(format!("`{}`", model.config.model));
            }
            working.model = model;
            for watch in &mut working.watches {
                watch.retime(&working.model)?;
            }
        }
        // Waiting times that became shorter may close windows.
        for at in 0..self.models.len() {
            let now = self.clock.now();
            self.close(at, now)?;
        }
        self.progress.pending.is_dirty = true;
        self.commit_if(true)?;
        let text = match changed.as_slice() {
            [] => "nothing changed".to_owned(),
            changed => format!("new settings for {}", changed.join(", ")),
        };
        info!(text, "reloaded");
        Ok(Ok(text))
    }

    pub(super) fn reloadable(&self, models: &[Model]) -> Result<()> {
        let restart = |what: String| {
            Err(Error::input(format!(
                "{what}: restart the service for that, which loses nothing; nothing has changed"
            )))
        };
        if models.len() != self.models.len() {
            return restart("models were added or removed".to_owned());
        }
        for model in models {
            let name = &model.config.model;
            let Some(own) = self.models.iter().find(|own| own.model.config.model == *name) else {
                return restart(format!("the model `{name}` is new"));
            };
            let keys = |model: &Model| -> Result<Vec<store::SeriesKey>> {
                model.config.windows.iter().map(|window| Watch::key(model, window)).collect()
            };
            if keys(model)? != keys(&own.model)? {
                return restart(format!("the version, baseline or windows of `{name}` changed"));
            }
            // The source threads hold it.
            let future = |model: &Model| -> Vec<i64> {
                model.config.windows.iter().map(|window| window.future.micros()).collect()
            };
            if future(model) != future(&own.model) {
                return restart(format!("`future` of `{name}` changed"));
            }
            if model.wanted != own.model.wanted
                || model.config.source != own.model.config.source
                || model.config.sinks != own.model.config.sinks
                || model.config.segments != own.model.config.segments
                || model.config.filter != own.model.config.filter
                || model.config.derive != own.model.config.derive
            {
                return restart(format!("the rows, columns, source or sinks of `{name}` changed"));
            }
        }
        Ok(())
    }
}
