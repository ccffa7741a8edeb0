//! New settings while the service runs: what is taken at once, and what needs a new beginning.

use std::collections::{BTreeMap, BTreeSet};

use driftlead_connectors::store;
use driftlead_connectors::stream::Partition;
use tracing::info;

use super::super::diary::Diary;
use super::super::event::Sender;
use super::super::fault;
use super::super::layout::{Drawn, Layout, Placed};
use super::super::micros;
use super::super::model::Model;
use super::super::plan::SourceKind;
use super::super::reader::Control;
use super::super::reload::{Draft, Settings};
use super::super::run::{Begun, Hands};
use super::super::watch::Watch;
use super::Engine;
use crate::exit::{Error, Result};

/// A reload that no running engine can take.
pub(in crate::serve) struct Anew {
    pub(in crate::serve) draft: Draft,
    /// What changed that needs it.
    pub(in crate::serve) why: Vec<String>,
    /// Who asked.
    pub(in crate::serve) by: String,
    pub(in crate::serve) answer: Sender<Result<Vec<String>>>,
}

impl Engine {
    /// Takes new settings, all or none, and answers what changed; what would make other series or other rows is handed
    /// back, to begin anew with it.
    ///
    /// # Errors
    ///
    /// The state cannot be committed.
    pub(super) fn reload(
        &mut self,
        draft: Draft,
        by: String,
        answer: Sender<Result<Vec<String>>>,
    ) -> Result<Option<Box<Anew>>> {
        let why = match self.admits(&draft).and_then(|()| self.other_runs(&draft)) {
            Ok(why) => why,
            Err(refusal) => {
                drop(answer.send(Err(refusal)));
                return Ok(None);
            }
        };
        if why.is_empty() {
            let changed = self.take_at_once(draft, &by)?;
            drop(answer.send(changed));
            return Ok(None);
        }
        Ok(Some(Box::new(Anew { draft, why, by, answer })))
    }

    /// Settings under which all series and sources go on as they are.
    fn take_at_once(&mut self, draft: Draft, by: &str) -> Result<Result<Vec<String>>> {
        let Draft { layout, settings, .. } = draft;
        let mut said = match settings.map(|settings| self.take_settings(settings)).transpose() {
            Ok(of_sinks) => of_sinks.unwrap_or_default(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        said.splice(0..0, self.new_settings(&layout, &[]));
        for Placed { model, sinks, .. } in layout.models {
            let own = self.models.iter_mut().find(|own| own.model.config.model == model.config.model);
            let Some(working) = own else { continue };
            working.model = model;
            working.sinks = sinks;
            for watch in &mut working.watches {
                watch.retime(&working.model)?;
            }
        }
        // Waiting times that became shorter may close windows.
        for at in 0..self.models.len() {
            let now = self.clock.now();
            self.close(at, now)?;
        }
        self.has_reloaded(by, &said)?;
        for feed in &self.feeds {
            // A thread that has ended needs no telling.
            drop(feed.control.send(Control::AskAgain));
        }
        Ok(Ok(said))
    }

    /// Says so, and commits it.
    pub(in crate::serve) fn has_reloaded(&mut self, by: &str, said: &[String]) -> Result<()> {
        let said = said.join("; ");
        self.tell_reload(by, &said);
        self.progress.pending.is_dirty = true;
        self.commit_if(true)?;
        info!(said, "reloaded");
        Ok(())
    }

    /// Which models have other settings, but for those that are spoken of already.
    pub(in crate::serve) fn new_settings(&self, layout: &Layout, spoken_of: &[String]) -> Option<String> {
        let is_other =
            |placed: &&Placed| self.find(&placed.model).is_some_and(|own| own.config != placed.model.config);
        let names = layout.models.iter().filter(is_other);
        let names = names.map(|placed| format!("`{}`", placed.model.config.model));
        let names: Vec<String> =
            names.filter(|name| spoken_of.iter().all(|own| !own.contains(name.as_str()))).collect();
        (!names.is_empty()).then(|| format!("new settings for {}", names.join(", ")))
    }

    fn find(&self, model: &Model) -> Option<&Model> {
        self.models.iter().map(|own| &own.model).find(|own| own.config.model == model.config.model)
    }

    /// Takes the sinks, the retention and how often to commit; answers how the sinks changed.
    ///
    /// # Errors
    ///
    /// A sink cannot be had; then nothing has changed.
    pub(in crate::serve) fn take_settings(&mut self, settings: Settings) -> Result<Vec<String>> {
        let Settings { sinks, subscriptions, others, retention, commit_every } = settings;
        let wanted = Diary::wanted(&sinks);
        let changes = self.committer.put_sinks(sinks, &others)?;
        self.subscriptions = subscriptions;
        self.diary.tell_from_now_on(wanted);
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

    /// What makes other series, other rows or other sources, in words; nothing if all go on as they are.
    fn other_runs(&self, draft: &Draft) -> Result<Vec<String>> {
        let mut why = draft.sources.clone();
        let models = &draft.layout.models;
        for own in &self.models {
            let name = &own.model.config.model;
            if models.iter().all(|placed| placed.model.config.model != *name) {
                why.push(format!("the model `{name}` is gone"));
            }
        }
        for placed in models {
            let (new, name) = (&placed.model, &placed.model.config.model);
            let Some(own) = self.find(new) else {
                why.push(format!("the model `{name}` is new"));
                continue;
            };
            if keys(new)? != keys(own)? {
                why.push(format!("another version, baseline or window of `{name}`"));
                continue;
            }
            // The source threads hold it.
            let future = |model: &Model| -> Vec<i64> {
                model.config.windows.iter().map(|window| window.future.micros()).collect()
            };
            if future(new) != future(own)
                || new.wanted != own.wanted
                || new.config.source != own.config.source
                || new.config.segments != own.config.segments
                || new.config.filter != own.config.filter
                || new.config.derive != own.config.derive
            {
                why.push(format!("other rows or columns of `{name}`"));
            }
        }
        Ok(why)
    }

    /// Holds windows of rows against the partitions that they would be of: with two the engine would end as soon as they are
    /// read (SEMANTICS S26).
    ///
    /// # Errors
    ///
    /// There would be two.
    fn admits(&self, draft: &Draft) -> Result<()> {
        for placed in &draft.layout.models {
            let config = &placed.model.config;
            let Some(window) = config.windows.iter().find(|window| window.rows.is_some()) else { continue };
            let source = &draft.layout.sources[placed.source].plan;
            let own = self.models.iter().find(|own| own.model.config.model == config.model);
            let is_same = own.is_some_and(|own| {
                keys(&own.model).is_ok_and(|own| keys(&placed.model).is_ok_and(|new| new == own))
            });
            let mut partitions: BTreeSet<Partition> = match draft.partitions.get(&source.name) {
                Some(found) => found.clone(),
                None => self
                    .feeds
                    .iter()
                    .filter(|feed| feed.name == source.name)
                    .flat_map(|feed| feed.partitions.keys().cloned())
                    .collect(),
            };
            if let SourceKind::Ingest { .. } = source.kind {
                partitions.clear();
            } else if let Some(only) = source.kind.only_partition() {
                partitions = BTreeSet::from([only]);
            }
            if let (Some(own), true) = (own, is_same) {
                let counted = own.watches.iter().filter_map(|watch| watch.flow.only_partition());
                let counted: Vec<_> = counted.collect();
                let known = self.feeds[own.source].partitions.iter();
                let mine = known.filter(|(_, now)| counted.contains(&super::series_id(now.id)));
                partitions.extend(mine.map(|(partition, _)| partition.clone()));
            }
            if partitions.len() > 1 {
                let names: Vec<String> = partitions.iter().map(|own| format!("`{own}`")).collect();
                return Err(Error::input(config.origin.locate(
                    "windows",
                    &window.name,
                    &format!(
                        "window `{}` of model `{}` is of rows in their order, and they would be those of {}: rows of two \
                         partitions have no order; give the topic one partition, or cut event time with such as `length: \
                         1h`; where one input takes the other's place, another `version` of the model begins anew",
                        window.name,
                        config.model,
                        names.join(" and "),
                    ),
                )));
            }
        }
        Ok(())
    }

    /// Reads no further and commits all that was read, as at a stop, for other settings.
    pub(super) fn pause(&mut self, anew: &Anew) -> Result<()> {
        let why = anew.why.join("; ");
        info!(why, by = anew.by, "begins anew");
        self.health.begins_anew(&why);
        self.still(|| Control::HandOver)?;
        fault::point("before_reload_commit");
        self.commit_if(true)
    }

    /// Lets go of models and sources, and answers the models, to be placed again on the same `sources`.
    pub(in crate::serve) fn leave(&mut self, sources: Vec<Drawn>) -> Layout {
        // A source thread that did not end in time finds that nobody listens.
        self.events = crossbeam_channel::never();
        self.feeds.clear();
        self.dead.clear();
        let models = std::mem::take(&mut self.models).into_iter().map(|own| {
            let super::Working { model, source, places, time, sinks, .. } = own;
            Placed { model, source, places, time, sinks }
        });
        Layout { models: models.collect(), sources }
    }

    /// Goes on with these models and sources; answers the threads, and the sources to be opened once more.
    ///
    /// # Errors
    ///
    /// A stored series or alert cannot be read.
    pub(in crate::serve) fn enter(&mut self, begun: Begun) -> Result<(Hands, Vec<Drawn>)> {
        let Begun { models, feeds, dead, inbox, hands, stale, sources } = begun;
        (self.models, self.feeds, self.dead, self.events) = (models, feeds, dead, inbox);
        self.progress.reads_since = self.clock.now();
        self.health.has_begun_anew(self.feeds.iter().map(|feed| feed.name.as_str()));
        self.retire(stale)?;
        Ok((hands, sources))
    }

    /// What has numbers in `/metrics` that go with it.
    pub(in crate::serve) fn shown(&self) -> Shown {
        let of = |own: &super::Working| -> Vec<(String, String)> {
            let config = &own.model.config;
            config.windows.iter().map(|window| (config.model.clone(), window.name.clone())).collect()
        };
        Shown {
            windows: self.models.iter().flat_map(of).collect(),
            sources: self
                .feeds
                .iter()
                .map(|feed| (feed.name.clone(), feed.partitions.keys().cloned().collect()))
                .collect(),
        }
    }

    /// Shows nothing more of what is gone since `before`.
    pub(in crate::serve) fn forget(&self, before: &Shown) {
        let (now, counters) = (self.shown(), &self.counters);
        for (model, window) in before.windows.difference(&now.windows) {
            counters.forget(model, window);
            if now.windows.iter().all(|(own, _)| own != model) {
                counters.forget_model(model);
            }
        }
        for (source, partitions) in &before.sources {
            // Those that are still there say anew how far behind they are.
            partitions.iter().for_each(|partition| counters.forget_lag(source, partition));
            if !now.sources.contains_key(source) {
                counters.forget_source(source);
            }
        }
    }
}

/// The models with the names of their windows, and the sources with their partitions.
pub(in crate::serve) struct Shown {
    windows: BTreeSet<(String, String)>,
    sources: BTreeMap<String, Vec<Partition>>,
}

fn keys(model: &Model) -> Result<Vec<store::SeriesKey>> {
    model.config.windows.iter().map(|window| Watch::key(model, window)).collect()
}
