//! Models on their sources: what a run of the service is made of, read and checked, before anything is begun.
//!
//! A start and a reload make one in the same way, so that whatever a start would refuse a reload refuses too, while the
//! service goes on as it was. Of a source of Kafka that is new or has other settings a reload asks the cluster as well: a
//! topic that does not exist ends a service that has just started, and must not end one that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::decode::{RecordDecoder, Registry};
use driftlead_connectors::stream::{LineFile, Partition};

use super::dead::DeadLetters;
use super::engine::Subscription;
use super::fields::Fields;
use super::model::Model;
use super::plan::{SinkPlan, SourceKind, SourcePlan};
use super::reader::from_connectors;
use crate::clock::Clock;
use crate::exit::{Error, Result};

/// How long a reload waits for a cluster's first word, in microseconds. One that says nothing is taken as by a start: as
/// one that is away, and comes back.
#[cfg(feature = "kafka")]
const PATIENCE: i64 = 10_000_000;
/// How long one look at a cluster may take.
#[cfg(feature = "kafka")]
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Models and the sources that they read.
pub(super) struct Layout {
    /// By name.
    pub(super) models: Vec<Placed>,
    /// In the order of the plan.
    pub(super) sources: Vec<Drawn>,
}

/// A model and what it takes of its source.
pub(super) struct Placed {
    pub(super) model: Model,
    /// The place of its source.
    pub(super) source: usize,
    /// Each wanted column's place among the source's.
    pub(super) places: Vec<usize>,
    /// Its place among the source's time columns; `None` if it names no `time`.
    pub(super) time: Option<usize>,
    /// What its sinks want.
    pub(super) sinks: Vec<Subscription>,
}

/// A source and what its models want of it.
#[derive(Clone)]
pub(super) struct Drawn {
    pub(super) plan: SourcePlan,
    pub(super) fields: Fields,
    /// What each model wants by itself, where rows are sent to models.
    pub(super) lanes: Vec<(String, Fields)>,
}

impl Layout {
    /// Models, each with the name of its source, on the sources; `sinks` are all that there are.
    ///
    /// # Errors
    ///
    /// A model names a source or a sink that is not there, or wants a column that its source cannot have.
    pub(super) fn of(
        models: Vec<(Model, String)>,
        sources: Vec<SourcePlan>,
        sinks: &[Subscription],
    ) -> Result<Self> {
        let mut drawn = Vec::with_capacity(sources.len());
        for plan in sources {
            let own = || models.iter().filter(|(_, name)| *name == plan.name).map(|(model, _)| model);
            let fields = Fields::of(&plan, own())?;
            let lanes = match plan.kind {
                // What is sent to a model has that model's columns only.
                SourceKind::Ingest { .. } => own()
                    .map(|model| Ok((model.config.model.clone(), Fields::of(&plan, std::iter::once(model))?)))
                    .collect::<Result<_>>()?,
                _ => Vec::new(),
            };
            drawn.push(Drawn { plan, fields, lanes });
        }
        let place = |(model, source): (Model, String)| {
            let name = &model.config.model;
            let Some(at) = drawn.iter().position(|own| own.plan.name == source) else {
                return Err(Error::input(format!(
                    "the model `{name}` reads the source `{source}`, which the service does not have"
                )));
            };
            let lane = drawn[at].lanes.iter().find(|(model, _)| model == name).map(|(_, fields)| fields);
            let (places, time) = lane.unwrap_or(&drawn[at].fields).find(&model)?;
            let sinks = subscriptions(&model, sinks)?;
            Ok(Placed { model, source: at, places, time, sinks })
        };
        let models = models.into_iter().map(place).collect::<Result<_>>()?;
        Ok(Self { models, sources: drawn })
    }

    /// Tries out what a start would find wrong only once it reads, for the sources of these names; answers the partitions
    /// of each where they are known.
    ///
    /// # Errors
    ///
    /// What would end a service that has just started.
    pub(super) fn try_out(
        &self,
        names: &BTreeSet<String>,
        clock: &dyn Clock,
    ) -> Result<BTreeMap<String, BTreeSet<Partition>>> {
        let mut found = BTreeMap::new();
        for own in &self.sources {
            let name = &own.plan.name;
            for fields in std::iter::once(&own.fields).chain(own.lanes.iter().map(|(_, fields)| fields)) {
                RecordDecoder::new(&own.plan.format, &fields.fields)
                    .map_err(|error| from_connectors(name, &error))?;
            }
            if !names.contains(name) {
                continue;
            }
            DeadLetters::open(name, own.plan.dead.clone())?;
            if let Some(options) = &own.plan.registry {
                Registry::new(options).map_err(|error| from_connectors(name, &error))?;
            }
            found.insert(name.clone(), own.plan.kind.try_out(name, clock)?);
        }
        Ok(found)
    }
}

impl SourceKind {
    /// The partitions that it has now, where that is known.
    fn try_out(&self, name: &str, clock: &dyn Clock) -> Result<BTreeSet<Partition>> {
        match self {
            #[cfg(feature = "kafka")]
            Self::Kafka { settings, .. } => ask(settings, name, clock),
            Self::Lines { path, ends } => {
                LineFile::open(path, &BTreeMap::new(), *ends)
                    .map_err(|error| from_connectors(name, &error))?;
                Ok(self.only_partition().into_iter().collect())
            }
            Self::Files { .. } | Self::Stdin | Self::Ingest { .. } => {
                let _ = clock;
                Ok(self.only_partition().into_iter().collect())
            }
        }
    }
}

/// Asks a cluster for the topics, and reads none of them: who begins at their ends is told of their partitions alone.
#[cfg(feature = "kafka")]
fn ask(
    settings: &driftlead_connectors::kafka::KafkaSettings,
    name: &str,
    clock: &dyn Clock,
) -> Result<BTreeSet<Partition>> {
    use driftlead_connectors::kafka::{KafkaSource, Start};
    use driftlead_connectors::stream::{Event, Source as _};

    let explain = |error| from_connectors(name, &error);
    let mut source = KafkaSource::open(settings, &BTreeMap::new(), Start::End).map_err(explain)?;
    let deadline = clock.now().saturating_add(PATIENCE);
    let mut found = BTreeSet::new();
    let mut is_away = false;
    while found.is_empty() && !is_away && clock.now() < deadline {
        source
            .poll(LOOK, &mut |event| match event {
                Event::Assigned { partition, .. } => {
                    found.insert(partition.clone());
                }
                Event::Trouble(_) => is_away = true,
                _ => {}
            })
            .map_err(explain)?;
    }
    Ok(found)
}

/// The models of these files with the names of their sources, sorted by name.
///
/// # Errors
///
/// Whatever is wrong with a model; two of one name; one that names no source where there are several.
pub(super) fn open_models(
    files: &[PathBuf],
    sources: &[SourcePlan],
    remotes: &Arc<Remotes>,
) -> Result<Vec<(Model, String)>> {
    let mut models: Vec<(Model, String)> = Vec::new();
    for file in files {
        let model = Model::open(file, remotes)?;
        let name = &model.config.model;
        if models.iter().any(|(other, _)| other.config.model == *name) {
            let message = format!("`{}`: there is another model `{name}`: give each a name", file.display());
            return Err(Error::input(message));
        }
        let source = match (&model.config.source, sources) {
            (Some(source), _) => source.clone(),
            // With one source there is nothing to choose.
            (None, [only]) => only.name.clone(),
            (None, _) => {
                let message = format!("`{}`: name the source it reads with `source:`", file.display());
                return Err(Error::input(message));
            }
        };
        models.push((model, source));
    }
    models.sort_by(|a, b| a.0.config.model.cmp(&b.0.config.model));
    Ok(models)
}

impl Subscription {
    /// What each of these sinks wants.
    pub(super) fn all(sinks: &[SinkPlan]) -> Vec<Self> {
        let of =
            |sink: &SinkPlan| Self { sink: sink.name.clone(), verdicts: sink.verdicts, alerts: sink.alerts };
        sinks.iter().map(of).collect()
    }
}

fn subscriptions(model: &Model, sinks: &[Subscription]) -> Result<Vec<Subscription>> {
    let find = |name: &String| {
        sinks.iter().find(|own| own.sink == *name).cloned().ok_or_else(|| {
            let names = sinks.iter().map(|own| own.sink.as_str());
            let hint = crate::config::problem::suggest(name, names);
            Error::input(model.config.origin.locate(
                "sinks",
                name,
                &format!("the service has no sink `{name}`: {hint}"),
            ))
        })
    };
    model.config.sinks.iter().map(find).collect()
}
