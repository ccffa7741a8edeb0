//! The service: sources in, verdicts and alerts out, for months (docs/architecture.md, "The service").
//!
//! [`Service::start`] opens everything and starts the threads; [`Service::wait`] lasts until somebody stops it or every
//! source has ended.

mod alerting;
mod anew;
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
mod fields;
mod files;
mod flow;
pub mod health;
mod identity;
mod ingest;
pub mod intake;
mod layout;
mod metrics;
mod model;
pub mod plan;
mod reader;
mod reload;
mod run;
mod seal;
pub mod silence;
mod sinks;
pub mod template;
pub mod trial;
mod watch;
pub mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::{self, Store};
use tokio::runtime::Handle;
use tracing::info;

use self::bells::Bells;
use self::board::{Board, Sheet, ShownModel};
use self::commit::Committer;
use self::counters::Counters;
use self::diary::Diary;
use self::engine::{Engine, OpenAlert, Progress, Subscription};
use self::event::Event;
use self::health::Health;
use self::intake::Intake;
use self::layout::{Layout, open_models};
use self::model::Model;
use self::plan::Plan;
use self::reload::InForce;
use self::run::{Begun, Frame, Opened, Remains};
use self::silence::Silences;
use self::sinks::Sinks;
use crate::clock::Clock;
use crate::exit::{Error, Result};

pub use self::engine::End;

/// How long a service that ends waits for its sinks, in microseconds.
const FAREWELL: i64 = 3_000_000;
/// Commands that may wait for the engine.
const ORDERS: usize = 8;

/// A running service.
pub struct Service {
    engine: JoinHandle<Result<End>>,
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
    orders: Sender<Event>,
    /// The service file, and by what the baselines of its models are read.
    file: Option<PathBuf>,
    remotes: Arc<Remotes>,
    clock: Arc<dyn Clock>,
    /// Where the settings hang that are in force.
    board: Arc<Board>,
    held: Arc<Mutex<Option<InForce>>>,
}

impl Commands {
    /// Asks the service to end with everything committed.
    pub fn stop(&self) {
        // One that has ended needs no asking.
        drop(self.orders.send(Event::Stop));
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
        self.orders.send(event(answer)).map_err(|_| ended())?;
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
        let subscriptions = Subscription::all(&plan.sinks);
        let models = open_models(&plan.models, &plan.sources, remotes)?;
        let layout = Layout::of(models, plan.sources, &subscriptions)?;
        let now = clock.now();
        let mut store = Store::open(&plan.store, now).map_err(|error| from_store(&error))?;
        let loaded = store.load().map_err(|error| from_store(&error))?;
        let counters = Arc::new(Counters::new());
        let health = Arc::new(Health::of(layout.sources.iter().map(|source| source.plan.name.as_str())));
        let board = Arc::new(Board::of(Sheet {
            models: layout.models.iter().map(|own| shown(&own.model)).collect(),
            sinks: plan.sinks.iter().map(|sink| sink.name.clone()).collect(),
        }));
        let (orders, ordered) = bounded(ORDERS);
        let commands = Commands {
            orders,
            file: plan.file,
            remotes: remotes.clone(),
            clock: clock.clone(),
            board: board.clone(),
            held: Arc::default(),
        };
        let intake = Arc::new(Intake::default());
        let frame = Frame {
            clock: clock.clone(),
            remotes: remotes.clone(),
            runtime: runtime.clone(),
            intake: intake.clone(),
        };
        let opened = Opened::open(&frame, layout, &mut store, &loaded)?;

        let reader = Arc::new(Mutex::new(store.reader().map_err(|error| from_store(&error))?));
        let outbox = Arc::new(Mutex::new(store.outbox().map_err(|error| from_store(&error))?));
        let own_reader = store.reader().map_err(|error| from_store(&error))?;
        let bells = Bells::default();
        let mut sinks = Sinks::new(runtime, clock, &counters, &bells);
        let instance = diary::instance(&|name| std::env::var(name).ok());
        let diary = Diary::new(instance, &plan.sinks, now);
        sinks.put(plan.sinks, |_| false, || store.outbox().map_err(|error| from_store(&error)))?;
        let Begun { models, feeds, dead, inbox, hands, stale, sources } =
            opened.begin(&frame, Remains::default())?;

        let committer = Committer::new(store, clock.clone(), counters.clone(), sinks);
        let silences = Silences::of(loaded.silences);
        let open = OpenAlert::all(loaded.alerts, &silences);
        counters.open_alerts.set(i64::try_from(open.len()).unwrap_or(i64::MAX));
        let mut engine = Engine {
            models,
            feeds,
            dead,
            committer,
            clock: clock.clone(),
            counters: counters.clone(),
            commit_every: micros(plan.commit_every),
            events: inbox,
            orders: ordered,
            health: health.clone(),
            listener: plan.listener,
            reader: own_reader,
            retention: plan.retention,
            subscriptions,
            silences,
            open,
            diary,
            progress: Progress::since(clock.now()),
        };
        engine.retire(stale)?;
        let engine = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || anew::supervise(&frame, engine, hands, sources))
            .map_err(|error| Error::run("cannot start a thread").because(error))?;
        info!("started");
        let clock = clock.clone();
        Ok(Self { engine, commands, clock, counters, health, reader, outbox, board, intake, bells })
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
        let Self { engine, commands, reader, clock, .. } = self;
        drop(commands);
        let end = engine.join().unwrap_or_else(|_| Err(Error::run("the engine thread has panicked")));
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
