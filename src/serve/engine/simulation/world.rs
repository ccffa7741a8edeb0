//! Two models, a baseline, and engines that go on from a store as [`Service::start`](crate::serve::Service::start) has
//! them do, without threads.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::{Loaded, Retention, Store};
use tempfile::TempDir;

use super::random::Random;
use super::rows::{BEGIN, SECOND, value};
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::job::baseline;
use crate::serve::bells::Bells;
use crate::serve::commit::Committer;
use crate::serve::counters::Counters;
use crate::serve::dead::DeadLetters;
use crate::serve::diary::Diary;
use crate::serve::engine::{Engine, Feed, OpenAlert, Progress, Subscription, Working};
use crate::serve::event::Event;
use crate::serve::health::Health;
use crate::serve::layout::{Layout, Placed};
use crate::serve::model::Model;
use crate::serve::plan::{DeadPlace, SourceKind, SourcePlan};
use crate::serve::reader::Control;
use crate::serve::run::open_watches;
use crate::serve::silence::Silences;
use crate::serve::sinks::Sinks;
use crate::serve::wire::Body;
use crate::time::Timestamp;

pub(super) const SOURCES: [&str; 2] = ["left", "right"];
/// Each model, the place of its source, and its windows.
const MODELS: [(&str, usize, &str); 2] = [
    ("alpha", 0, "  short: {length: 1m}\n  long: {length: 4m, every: 1m}\n"),
    ("beta", 1, "  wide: {length: 2m}\n"),
];

/// How soon a partition that was read to its end is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Never in these runs: so what is late is a fact of each partition alone.
    Patient,
    /// In half a minute: so what is counted depends on when rows come.
    Eager,
}

/// The files that all simulated services share.
pub(super) struct World {
    folder: TempDir,
    remotes: Arc<Remotes>,
}

/// One process: an engine, and the other end of all that it speaks to.
pub(super) struct Process {
    pub(super) engine: Engine,
    pub(super) events: Sender<Event>,
    pub(super) heard: Receiver<Body>,
    pub(super) controls: Vec<Receiver<Control>>,
    /// For each source the columns of its chunks.
    pub(super) columns: Vec<Vec<String>>,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), remotes: Arc::new(Remotes::default()) };
        let mut random = Random::new(7);
        let mut text = String::new();
        for at in 0..6_000 {
            let row = value(&mut random, false);
            let time = Timestamp::from_micros(BEGIN - 86_400 * SECOND + at * SECOND);
            let x = row.x.map_or("null".to_owned(), |x| x.to_string());
            writeln!(text, r#"{{"t":"{time}","x":{x},"c":"{}"}}"#, row.c).unwrap();
        }
        std::fs::write(world.path("rows.ndjson"), text).unwrap();
        // Read once, so that an engine starts in no time.
        let raw = world.path("raw.yaml");
        world.write_model(&raw, MODELS[0], "rows.ndjson", ("1h", "1 of 2"));
        let config = Config::parse(&raw, &std::fs::read_to_string(&raw).unwrap()).unwrap();
        let paths = config.baseline.as_ref().unwrap().paths.clone();
        let built = baseline::build(&config, &paths, &world.remotes).unwrap();
        let file = world.path("rows.parquet");
        let file = file.to_str().unwrap();
        let replaces = baseline::look(file, &world.remotes).unwrap();
        baseline::write(&config, &built, file, replaces, &world.remotes).unwrap();
        for (temper, idle) in [(Temper::Patient, "1000h"), (Temper::Eager, "30s")] {
            for own in MODELS {
                for (variant, quorum) in ["1 of 2", "2 of 3"].into_iter().enumerate() {
                    let file = world.model_file(own.0, temper, variant);
                    world.write_model(&file, own, "rows.parquet", (idle, quorum));
                }
            }
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn model_file(&self, name: &str, temper: Temper, variant: usize) -> PathBuf {
        self.path(&format!("{name}-{temper:?}-{variant}.yaml"))
    }

    fn write_model(&self, file: &Path, own: (&str, usize, &str), baseline: &str, settings: (&str, &str)) {
        let (name, source, windows) = own;
        let (idle, quorum) = settings;
        let waits = format!("out_of_orderness: 5s, lateness: 20s, idle: {idle}, min_rows: 20}}");
        let text = format!(
            "model: {name}\nversion: \"1\"\nbaseline: {baseline}\nsource: {}\ntime: t\nwindows:\n{}segments: [c]\n\
             features: {{x: numeric, c: categorical}}\nalert: {{windows: {quorum}, resolve_after: 2}}\nsinks: [record]\n",
            SOURCES[source],
            windows.replace('}', &format!(", {waits}")),
        );
        std::fs::write(file, text).unwrap();
    }

    /// The models with alerts as one of two variants has them.
    fn models(&self, temper: Temper, variant: usize) -> Vec<Model> {
        let open = |own: &(&str, usize, &str)| {
            Model::open(&self.model_file(own.0, temper, variant), &self.remotes).unwrap()
        };
        MODELS.iter().map(open).collect()
    }

    /// The same on their sources.
    pub(super) fn layout(&self, temper: Temper, variant: usize) -> Layout {
        let models = self.models(temper, variant).into_iter().zip(MODELS);
        let models = models.map(|(model, own)| (model, SOURCES[own.1].to_owned())).collect();
        let record = Subscription { sink: "record".to_owned(), verdicts: true, alerts: true };
        Layout::of(models, SOURCES.map(source_plan).into(), &[record]).unwrap()
    }

    /// A process that goes on where the store in `folder` is.
    pub(super) fn start(&self, folder: &Path, clock: &ManualClock, temper: Temper) -> Process {
        let now = clock.now();
        let mut store = Store::open(folder, now).unwrap();
        let loaded = store.load().unwrap();
        let counters = Arc::new(Counters::new());
        let mut stale = loaded.series.clone();
        let Layout { models, sources } = self.layout(temper, 0);
        let mut working = Vec::new();
        for placed in models {
            let siblings =
                MODELS.iter().filter(|own| own.1 == placed.source).map(|own| own.0.to_owned()).collect();
            let Placed { model, .. } = &placed;
            let watches = open_watches(model, &siblings, &mut store, &loaded, &mut stale).unwrap();
            working.push(Working::new(placed, watches));
        }
        let (events, inbox) = unbounded();
        let (listener, heard) = unbounded();
        let (told, controls): (Vec<_>, Vec<_>) = SOURCES.iter().map(|_| unbounded()).unzip();
        let feeds =
            SOURCES.iter().zip(told).map(|(name, control)| Feed::new(name, control, &loaded)).collect();
        let dead = SOURCES.iter().map(|name| DeadLetters::open(name, DeadPlace::Nowhere).unwrap()).collect();
        let reader = store.reader().unwrap();
        let Loaded { alerts, silences, .. } = loaded;
        let silences = Silences::of(silences);
        let open = OpenAlert::all(alerts, &silences);
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        // No worker is ever spawned: what is to be delivered is looked up in the store.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sinks = Sinks::new(runtime.handle(), &clock, &counters, &Bells::default());
        let mut engine = Engine {
            models: working,
            feeds,
            dead,
            committer: Committer::new(store, clock.clone(), Arc::clone(&counters), sinks),
            clock,
            counters,
            commit_every: SECOND,
            events: inbox,
            orders: crossbeam_channel::never(),
            health: Arc::new(Health::of(SOURCES)),
            listener: Some(listener),
            reader,
            retention: Retention::default(),
            subscriptions: Vec::new(),
            silences,
            open,
            diary: Diary::telling("simulation", &["diagnostics"], now),
            progress: Progress::since(now),
        };
        engine.retire(stale).unwrap();
        engine.commit_if(true).unwrap();
        let columns = sources
            .iter()
            .map(|own| own.fields.wanted.iter().map(|(name, _)| name.clone()).collect())
            .collect();
        Process { engine, events, heard, controls, columns }
    }
}

fn source_plan(name: &str) -> SourcePlan {
    SourcePlan::json(name, SourceKind::Lines { path: PathBuf::new(), ends: false })
}

/// A folder for a store: in memory where the machine has such a place, because these crashes are not the disk's.
pub(super) fn store_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// Everything that a store holds, as text.
pub(super) fn contents(engine: &mut Engine) -> String {
    use driftlead_connectors::store::{AlertFilter, MessageFilter, WindowFilter};

    let loaded = engine.committer.store().load().unwrap();
    let mut text = format!("{loaded:?}");
    let reader = &engine.reader;
    for (model, _, _) in MODELS {
        let filter = WindowFilter { model: model.to_owned(), ..WindowFilter::default() };
        let mut cursor = None;
        loop {
            let page = reader.windows(&filter, cursor.as_deref(), 1_000).unwrap();
            for window in page.items {
                write!(text, "{:?}", reader.revisions(&window.id).unwrap()).unwrap();
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    let alerts = reader.alerts(&AlertFilter::default(), None, 1_000).unwrap();
    let messages = reader.messages(&MessageFilter::default(), None, 1_000).unwrap();
    write!(text, "{alerts:?}{messages:?}").unwrap();
    text
}

/// Longer than any round of these engines, so that nothing waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
