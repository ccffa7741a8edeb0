//! The service: sources in, verdicts and alerts out, for months (docs/architecture.md, "The service").
//!
//! [`Service::start`] opens everything and starts the threads; [`Service::wait`] lasts until somebody stops it or every
//! source has ended.

mod alerting;
mod azure;
pub mod bells;
pub mod board;
mod border;
pub mod build;
pub mod carrier;
mod chunk;
mod commit;
pub mod counters;
mod dead;
mod deliver;
mod diary;
mod engine;
mod event;
pub mod fault;
mod files;
mod flow;
pub mod health;
mod identity;
mod ingest;
pub mod intake;
mod metrics;
mod model;
pub mod plan;
mod reader;
mod reload;
pub mod silence;
mod sinks;
pub mod template;
pub mod trial;
mod watch;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arrow_schema::{DataType, TimeUnit};
use crossbeam_channel::{Sender, bounded, unbounded};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::decode::{FieldSpec, Place, Pointer, Registry};
use driftlead_connectors::store::{self, Loaded, SeenFile, Store};
use driftlead_connectors::stream::{LineFile, LinePipe, Partition, Position, Source};
use tokio::runtime::Handle;
use tracing::{info, warn};

use self::bells::Bells;
use self::board::{Board, Sheet, ShownModel};
use self::commit::Committer;
use self::counters::Counters;
use self::dead::DeadLetters;
use self::diary::Diary;
use self::engine::{Engine, Feed, OpenAlert, Progress, Subscription, Working};
use self::event::Event;
use self::files::FileReader;
use self::health::Health;
use self::ingest::IngestReader;
use self::intake::Intake;
use self::model::Model;
use self::plan::{Plan, SinkPlan, SourceKind, SourcePlan};
use self::reader::{ReadPlan, Reader, TimeColumn};
use self::reload::InForce;
use self::silence::Silences;
use self::sinks::Sinks;
use self::watch::{Stored, Watch};
use crate::clock::Clock;
use crate::exit::{Error, Result};

pub use self::engine::End;

/// How long a service that ends waits for its sinks, in microseconds.
const FAREWELL: i64 = 3_000_000;
/// Chunks that may wait for the engine: enough to keep it busy, few enough to bound memory.
const QUEUE: usize = 8;

/// A running service.
pub struct Service {
    engine: JoinHandle<Result<End>>,
    readers: Vec<JoinHandle<()>>,
    commands: Commands,
    clock: Arc<dyn Clock>,
    /// What the service counts of itself.
    pub counters: Arc<Counters>,
    /// Whether it is alive and ready.
    pub health: Arc<Health>,
    /// What the store holds, for questions.
    pub reader: Arc<Mutex<store::Reader>>,
    /// What retries messages that were given up.
    pub outbox: Arc<Mutex<store::Outbox>>,
    /// Models, baselines and sinks, for questions.
    pub board: Arc<Board>,
    /// Where rows come in that are sent.
    pub intake: Arc<Intake>,
    /// What wakes the sinks' workers when something is due that no commit brought.
    pub bells: Bells,
}

/// Speaks to a service from another thread.
#[derive(Clone, Debug)]
pub struct Commands {
    events: Sender<Event>,
    /// The service file, and by what the baselines of its models are read.
    file: Option<PathBuf>,
    remotes: Arc<Remotes>,
    /// Where the settings hang that are in force.
    board: Arc<Board>,
    held: Arc<Mutex<Option<InForce>>>,
}

impl Commands {
    /// Asks the service to end with everything committed.
    pub fn stop(&self) {
        // One that has ended needs no asking.
        drop(self.events.send(Event::Stop));
    }

    /// Notes who has seen an alert; answers whether there is such an alert, once that is committed.
    ///
    /// # Errors
    ///
    /// The service has ended, or cannot commit.
    pub fn acknowledge(&self, alert: &str, acknowledgement: store::Acknowledgement) -> Result<bool> {
        self.ask(|answer| Event::Acknowledge { alert: alert.to_owned(), acknowledgement, answer })
    }

    /// Keeps alerts back, or lets them go; returns once that is committed. `by` is who asks.
    ///
    /// # Errors
    ///
    /// As [`Commands::acknowledge`].
    pub fn silence(&self, silence: store::Silence, by: &str) -> Result<()> {
        self.ask(|answer| Event::Silence { silence, by: by.to_owned(), answer })
    }

    fn ask<T>(&self, event: impl FnOnce(event::Sender<Result<T>>) -> Event) -> Result<T> {
        let ended = || Error::run("the service has ended");
        let (answer, answered) = bounded(1);
        self.events.send(event(answer)).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())?
    }
}

impl Service {
    /// Opens store, models and sources, goes on where the store says, and starts. Deliveries run on `runtime`.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with a model, a source, or the store; nothing has been read then.
    pub fn start(
        plan: Plan,
        remotes: &Arc<Remotes>,
        clock: &Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Result<Self> {
        let models = open_models(&plan, remotes)?;
        let now = clock.now();
        let mut store = Store::open(&plan.store, now).map_err(|error| from_store(&error))?;
        let loaded = store.load().map_err(|error| from_store(&error))?;
        let counters = Arc::new(Counters::new());
        let health = Arc::new(Health::of(plan.sources.iter().map(|source| source.name.as_str())));
        let (events, inbox) = bounded(QUEUE);

        let mut working = Vec::new();
        let mut stale = loaded.series.clone();
        let board = Arc::new(Board::of(Sheet {
            models: models.iter().map(|(model, _)| shown(model)).collect(),
            sinks: plan.sinks.iter().map(|sink| sink.name.clone()).collect(),
        }));
        let commands = Commands {
            events: events.clone(),
            file: plan.file,
            remotes: remotes.clone(),
            board: board.clone(),
            held: Arc::default(),
        };
        let mut feeds = Vec::new();
        let mut dead = Vec::new();
        let mut starts = Vec::new();
        for (at, source) in plan.sources.into_iter().enumerate() {
            let own = models.iter().filter(|(_, name)| *name == source.name).map(|(model, _)| model);
            let reading = Fields::of(&source, own)?;
            starts.push((at, source, reading));
        }
        let mut readers_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (model, source) in &models {
            readers_of.entry(source.clone()).or_default().insert(model.config.model.clone());
        }
        let mut placed: BTreeMap<usize, (usize, Vec<usize>, Option<usize>)> = BTreeMap::new();
        let mut sent: BTreeMap<usize, Vec<(String, Fields)>> = BTreeMap::new();
        for (at, source, reading) in &starts {
            for (model, (own, name)) in models.iter().enumerate() {
                if *name == source.name {
                    let (places, time) = if let SourceKind::Ingest { .. } = source.kind {
                        // What is sent to a model has that model's columns only.
                        let fields = Fields::of(source, std::iter::once(own))?;
                        let found = fields.find(own)?;
                        sent.entry(*at).or_default().push((own.config.model.clone(), fields));
                        found
                    } else {
                        reading.find(own)?
                    };
                    placed.insert(model, (*at, places, time));
                }
            }
        }
        for (at, (model, source)) in models.into_iter().enumerate() {
            let Some((source_at, places, time)) = placed.remove(&at) else {
                return Err(Error::input(format!(
                    "the model `{}` reads the source `{source}`, which the service does not have",
                    model.config.model
                )));
            };
            let siblings = readers_of.get(&source).cloned().unwrap_or_default();
            let watches = open_watches(&model, &siblings, &mut store, &loaded, &mut stale)?;
            let sinks = subscriptions(&model, &plan.sinks)?;
            working.push(Working { model, source: source_at, places, time, watches, sinks });
        }

        let reader = Arc::new(Mutex::new(store.reader().map_err(|error| from_store(&error))?));
        let outbox = Arc::new(Mutex::new(store.outbox().map_err(|error| from_store(&error))?));
        let own_reader = store.reader().map_err(|error| from_store(&error))?;
        let bells = Bells::default();
        let mut sinks = Sinks::new(runtime, clock, &counters, &bells);
        let instance = diary::instance(&|name| std::env::var(name).ok());
        let diary = Diary::new(instance, &plan.sinks, now);
        sinks.put(plan.sinks, |_| false, || store.outbox().map_err(|error| from_store(&error)))?;

        let mut readers = Vec::new();
        let mut doors = Vec::new();
        for (at, source, reading) in starts {
            let (control, told) = unbounded();
            let mut feed = Feed::new(&source.name, control, &loaded);
            if let Some(own) = source.kind.only_partition() {
                feed.narrow_to(&own, now);
            }
            feeds.push(feed);
            let (name, keep) = (source.name.clone(), source.keep);
            dead.push(DeadLetters::open(&name, source.dead)?);
            let plan = Arc::new(ReadPlan {
                source: at,
                name: name.clone(),
                format: source.format,
                fields: reading.fields,
                times: reading.times,
                keep,
            });
            let registry = match source.registry {
                None => None,
                Some(options) => {
                    let registry = Registry::new(&options).map_err(|error| from_source(&name, &error))?;
                    Some(registry.blocking(runtime.clone()))
                }
            };
            let positions = positions_of(&name, &loaded);
            let thread = std::thread::Builder::new().name(format!("source {name}"));
            let (events, clock) = (events.clone(), clock.clone());
            let thread = match source.kind {
                SourceKind::Files { paths, every } => {
                    let seen = seen_files(&name, &loaded);
                    let own = FileReader::partition_of(&paths);
                    let next = positions.get(&own).map_or(0, |position| position.next);
                    let remotes = remotes.clone();
                    let reader = FileReader {
                        plan,
                        paths,
                        every,
                        remotes,
                        seen,
                        next,
                        looked: BTreeMap::new(),
                        events,
                        control: told,
                        clock,
                    };
                    thread.spawn(move || reader.run())
                }
                SourceKind::Ingest { max_body } => {
                    let own = sent.remove(&at).unwrap_or_default();
                    let lanes = own.into_iter().map(|(model, own)| (model, own.fields, own.times));
                    let (reader, own) = IngestReader::open(&plan, lanes, max_body, &positions, events, told)?;
                    feeds[at].doors = own.iter().map(|door| (door.partition(), door.clone())).collect();
                    doors.extend(own);
                    thread.spawn(move || reader.run())
                }
                kind => {
                    let source = open_source(&name, kind, &positions)?;
                    if !source.is_replayable() {
                        warn!(
                            source = name,
                            "the source cannot be read again: its rows are counted at most once"
                        );
                    }
                    let reader = Reader { source, plan, registry, events, control: told, clock };
                    thread.spawn(move || reader.run())
                }
            };
            readers.push(thread.map_err(|error| Error::run("cannot start a thread").because(error))?);
        }

        let committer = Committer::new(store, clock.clone(), counters.clone(), sinks);
        let silences = Silences::of(loaded.silences);
        let open = OpenAlert::all(loaded.alerts, &silences);
        counters.open_alerts.set(i64::try_from(open.len()).unwrap_or(i64::MAX));
        let mut engine = Engine {
            models: working,
            feeds,
            dead,
            committer,
            clock: clock.clone(),
            counters: counters.clone(),
            commit_every: micros(plan.commit_every),
            events: inbox,
            health: health.clone(),
            listener: plan.listener,
            reader: own_reader,
            retention: plan.retention,
            silences,
            open,
            diary,
            progress: Progress::since(clock.now()),
        };
        engine.retire(stale)?;
        let engine = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || engine.run())
            .map_err(|error| Error::run("cannot start a thread").because(error))?;
        info!("started");
        let intake = Arc::new(Intake::new(doors));
        let clock = clock.clone();
        Ok(Self { engine, readers, commands, clock, counters, health, reader, outbox, board, intake, bells })
    }

    /// What other threads speak to it by.
    #[must_use]
    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// Waits for the end, and then for what the sinks take at once; the rest stays in the outbox for the next start.
    ///
    /// # Errors
    ///
    /// Why it could not go on. What was committed stays, and the next start goes on from there.
    pub fn wait(self) -> Result<End> {
        let Self { engine, readers, commands, reader, clock, .. } = self;
        drop(commands);
        let end = engine.join().unwrap_or_else(|_| Err(Error::run("the engine thread has panicked")));
        for reader in readers {
            // The engine is gone, so the thread finds its queue closed.
            drop(reader.join());
        }
        let deadline = clock.now().saturating_add(FAREWELL);
        while clock.now() < deadline && is_delivering(&reader, clock.now()) {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        end
    }
}

/// Whether some sink has messages that it has not refused to take now.
fn is_delivering(reader: &Mutex<store::Reader>, now: i64) -> bool {
    let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
    let sinks = reader.sinks().unwrap_or_default();
    sinks.iter().any(|sink| sink.pending > 0 && sink.next_attempt.is_some_and(|next| next <= now))
}

fn shown(model: &Model) -> ShownModel {
    ShownModel {
        config: model.config.clone(),
        baseline: Arc::clone(&model.baseline),
        baseline_id: model.baseline_id.clone(),
    }
}

/// The models of a plan with the names of their sources, sorted by name.
fn open_models(plan: &Plan, remotes: &Arc<Remotes>) -> Result<Vec<(Model, String)>> {
    let mut models: Vec<(Model, String)> = Vec::new();
    for file in &plan.models {
        let model = Model::open(file, remotes)?;
        let name = &model.config.model;
        if models.iter().any(|(other, _)| other.config.model == *name) {
            let message = format!("`{}`: there is another model `{name}`: give each a name", file.display());
            return Err(Error::input(message));
        }
        let source = match (&model.config.source, plan.sources.as_slice()) {
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

/// The columns of a source, for all models that read it.
struct Fields {
    fields: Vec<FieldSpec>,
    /// What each is for: the column's name in the models, and its type.
    wanted: Vec<(String, DataType)>,
    times: Vec<TimeColumn>,
}

impl Fields {
    fn of<'a>(source: &SourcePlan, models: impl Iterator<Item = &'a Model>) -> Result<Self> {
        let mut fields = Self { fields: Vec::new(), wanted: Vec::new(), times: Vec::new() };
        let mut taken = BTreeSet::new();
        for model in models {
            // Windows of rows do not ask when a row is from, so none is too far ahead for them.
            let waits = model.config.windows.iter().filter(|window| window.cut.is_some());
            let future = waits.map(|window| window.future.micros()).min().unwrap_or(i64::MAX);
            for (at, own) in model.wanted.iter().enumerate() {
                let is_time = model.config.time.is_some() && at + 1 == model.wanted.len();
                let key = (own.name.clone(), own.data_type.clone());
                let column = match fields.wanted.iter().position(|wanted| *wanted == key) {
                    Some(column) => column,
                    None => {
                        // Two models may want one column as two types: then it is decoded twice, under two names.
                        let mut name = own.name.clone();
                        while !taken.insert(name.clone()) {
                            name.push('\'');
                        }
                        fields.fields.push(field(source, &name, own, is_time)?);
                        fields.wanted.push(key);
                        fields.wanted.len() - 1
                    }
                };
                if is_time {
                    match fields.times.iter_mut().find(|time| time.column == column) {
                        Some(time) => time.future = time.future.min(future),
                        None => fields.times.push(TimeColumn { column, future }),
                    }
                }
            }
        }
        Ok(fields)
    }

    /// The places of a model's columns, and that of its event time among the times, if it names one.
    fn find(&self, model: &Model) -> Result<(Vec<usize>, Option<usize>)> {
        let missing = || Error::run("a model's columns are not among its source's");
        let places = model
            .wanted
            .iter()
            .map(|own| {
                let key = (&own.name, &own.data_type);
                self.wanted.iter().position(|(name, data_type)| (name, data_type) == key).ok_or_else(missing)
            })
            .collect::<Result<Vec<usize>>>()?;
        if model.config.time.is_none() {
            return Ok((places, None));
        }
        let time = places.last().and_then(|last| self.times.iter().position(|time| time.column == *last));
        Ok((places, Some(time.ok_or_else(missing)?)))
    }
}

/// Where a column stands in a record.
fn field(source: &SourcePlan, name: &str, own: &model::Wanted, is_time: bool) -> Result<FieldSpec> {
    let spec = FieldSpec::new(name, own.data_type.clone());
    if is_time && let Some((place, unit)) = &source.time {
        let spec = spec.at(place.clone());
        return Ok(match unit {
            Some(unit) => spec.epoch(*unit),
            None => spec,
        });
    }
    let place =
        source.places.get(&own.name).cloned().unwrap_or_else(|| Place::Payload(Pointer::key(&own.name)));
    let spec = spec.at(place);
    let unit = match own.data_type {
        DataType::Timestamp(..) => source.time.as_ref().and_then(|(_, unit)| *unit),
        _ => None,
    };
    Ok(unit.map_or(spec.clone(), |unit: TimeUnit| spec.epoch(unit)))
}

/// The windows of a model, each as the store has it; what is found is taken out of `stale`. `siblings` are the models that
/// read its source, itself too.
fn open_watches(
    model: &Model,
    siblings: &BTreeSet<String>,
    store: &mut Store,
    loaded: &Loaded,
    stale: &mut Vec<store::Series>,
) -> Result<Vec<Watch>> {
    let seen = border::seen(loaded, siblings)?;
    let mut watches = Vec::new();
    for (at, window) in model.config.windows.iter().enumerate() {
        let key = Watch::key(model, window)?;
        let first = {
            let reader = store.reader().map_err(|error| from_store(&error))?;
            flow::first_of_new(&reader, model, window)?
        };
        let id = store.series(&key);
        let stored = loaded.series.iter().find(|series| series.id == id).map(|series| Stored {
            head: series.head.clone(),
            track: series.track.clone(),
            slots: loaded.slots.iter().filter(|slot| slot.key.series == id).cloned().collect(),
        });
        stale.retain(|series| series.id != id);
        watches.push(Watch::open(model, at, id, stored, (seen, first))?);
    }
    Ok(watches)
}

fn subscriptions(model: &Model, sinks: &[SinkPlan]) -> Result<Vec<Subscription>> {
    let find = |name: &String| {
        let sink = sinks.iter().find(|sink| sink.name == *name).ok_or_else(|| {
            let names = sinks.iter().map(|sink| sink.name.as_str());
            let hint = crate::config::problem::suggest(name, names);
            Error::input(model.config.origin.locate(
                "sinks",
                name,
                &format!("the service has no sink `{name}`: {hint}"),
            ))
        })?;
        Ok(Subscription { sink: name.clone(), verdicts: sink.verdicts, alerts: sink.alerts })
    };
    model.config.sinks.iter().map(find).collect()
}

fn open_source(
    name: &str,
    kind: SourceKind,
    positions: &BTreeMap<Partition, Position>,
) -> Result<Box<dyn Source>> {
    let opened = match kind {
        #[cfg(feature = "kafka")]
        SourceKind::Kafka { settings, start } => {
            driftlead_connectors::kafka::KafkaSource::open(&settings, positions, start)
                .map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Lines { path, ends } => {
            LineFile::open(&path, positions, ends).map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Stdin => Ok(Box::new(LinePipe::new(plan::STDIN, std::io::stdin())) as Box<dyn Source>),
        SourceKind::Files { .. } | SourceKind::Ingest { .. } => {
            return Err(Error::run("files and requests are read by threads of their own"));
        }
    };
    opened.map_err(|error| from_source(name, &error))
}

fn positions_of(source: &str, loaded: &Loaded) -> BTreeMap<Partition, Position> {
    let own = loaded.partitions.iter().filter(|(key, _)| key.source == source);
    own.map(|(key, state)| (key.partition.clone(), state.position)).collect()
}

fn seen_files(source: &str, loaded: &Loaded) -> BTreeMap<String, SeenFile> {
    let own = loaded.files.iter().filter(|file| file.source == source);
    own.map(|file| (file.path.clone(), file.clone())).collect()
}

fn from_store(error: &driftlead_connectors::Error) -> Error {
    match error.kind() {
        driftlead_connectors::ErrorKind::Unavailable => Error::run(error.to_string()),
        _ => Error::input(error.to_string()),
    }
}

fn from_source(name: &str, error: &driftlead_connectors::Error) -> Error {
    let message = format!("source `{name}`: {error}");
    match error.kind() {
        driftlead_connectors::ErrorKind::Unavailable => Error::run(message),
        _ => Error::input(message),
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
