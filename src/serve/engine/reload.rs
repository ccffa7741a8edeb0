//! New settings while the service runs.

use driftlead_connectors::store;
use tracing::info;

use super::super::model::Model;
use super::super::reader::Control;
use super::super::reload::{Settings, needs_restart};
use super::super::watch::Watch;
use super::super::{micros, subscriptions};
use super::{Engine, Subscription};
use crate::exit::Result;

impl Engine {
    /// Takes new settings for the models that run and the service, all or none; answers what changed. What would make
    /// another series of a model (its baseline, version, windows, columns, sources) needs a restart, which loses nothing;
    /// the inner error says so.
    ///
    /// # Errors
    ///
    /// The state cannot be committed.
    pub(super) fn reload(
        &mut self,
        models: Vec<Model>,
        settings: Option<Settings>,
    ) -> Result<Result<Vec<String>>> {
        if let Err(refusal) = self.reloadable(&models, settings.is_some()) {
            return Ok(Err(refusal));
        }
        let mut said = Vec::new();
        let mut subscribed: Vec<Option<Vec<Subscription>>> = models.iter().map(|_| None).collect();
        if let Some(settings) = settings {
            for (model, own) in models.iter().zip(&mut subscribed) {
                match subscriptions(model, &settings.sinks) {
                    Ok(sinks) => *own = Some(sinks),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            match self.take_settings(settings) {
                Ok(of_sinks) => said = of_sinks,
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let mut changed = Vec::new();
        for (model, sinks) in models.into_iter().zip(subscribed) {
            let Some(working) =
                self.models.iter_mut().find(|own| own.model.config.model == model.config.model)
            else {
                continue;
            };
            if working.model.config != model.config {
                changed.push(format!("`{}`", model.config.model));
            }
            working.model = model;
            if let Some(sinks) = sinks {
                working.sinks = sinks;
            }
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
        for feed in &self.feeds {
            // A thread that has ended needs no telling.
            drop(feed.control.send(Control::AskAgain));
        }
        if !changed.is_empty() {
            said.insert(0, format!("new settings for {}", changed.join(", ")));
        }
        info!(said = said.join("; "), "reloaded");
        Ok(Ok(said))
    }

    /// Takes the sinks, the retention and how often to commit; answers how the sinks changed.
    fn take_settings(&mut self, settings: Settings) -> Result<Vec<String>> {
        let Settings { sinks, others, retention, commit_every } = settings;
        let changes = self.committer.put_sinks(sinks, &others)?;
        self.retention = retention;
        self.commit_every = micros(commit_every);
        let waiting = match changes.ended.as_slice() {
            [] => Vec::new(),
            // How many is said for people; a store that cannot be read now has been told of elsewhere.
            _ => self.reader.sinks().unwrap_or_default(),
        };
        let ended = changes.ended.iter().map(|name| {
            let pending = waiting.iter().find(|own| own.sink == *name).map_or(0, |own| own.pending);
            match pending {
                0 => format!("the sink `{name}` has ended"),
                n => format!(
                    "the sink `{name}` has ended, and {n} of its messages wait in the store for one of that name"
                ),
            }
        });
        let begun = changes.begun.iter().map(|name| format!("the sink `{name}` has begun"));
        let others = others.iter().map(|name| format!("the sink `{name}` has new settings"));
        Ok(begun.chain(others).chain(ended).collect())
    }

    pub(super) fn reloadable(&self, models: &[Model], with_sinks: bool) -> Result<()> {
        let restart = |what: String| Err(needs_restart(&what));
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
                || (!with_sinks && model.config.sinks != own.model.config.sinks)
                || model.config.segments != own.model.config.segments
                || model.config.filter != own.model.config.filter
                || model.config.derive != own.model.config.derive
            {
                let sinks = if with_sinks { " or source" } else { ", source or sinks" };
                return restart(format!("the rows, columns{sinks} of `{name}` changed"));
            }
        }
        Ok(())
    }
}
