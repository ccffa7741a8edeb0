//! One run: the places of all models and the threads of all sources, from a layout and what the store holds.
//!
//! A service has several, one after the other, where it begins anew within its process (decision 0042). Each has a queue of
//! its own to the engine, so that nothing of a run that is over can reach the next. What cannot be read again is handed
//! over from one to the next: standard input, and requests that nobody has looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::decode::Registry;
use driftlead_connectors::store::{self, Loaded, SeenFile, Store};
use driftlead_connectors::stream::{LineFile, LinePipe, Partition, Position, Source};
use tokio::runtime::Handle;
use tracing::warn;

use super::dead::DeadLetters;
use super::engine::{Feed, Working};
use super::event::Event;
use super::files::FileReader;
use super::ingest::{IngestReader, Requests};
use super::intake::{Intake, Way};
use super::layout::{Drawn, Layout};
use super::model::Model;
use super::plan::{self, SourceKind, SourcePlan};
use super::reader::{ReadPlan, Reader};
use super::watch::{Stored, Watch};
use super::{border, flow, from_source, from_store};
use crate::clock::Clock;
use crate::exit::{Error, Result};

/// Chunks that may wait for the engine: enough to keep it busy, few enough to bound memory.
const QUEUE: usize = 8;

/// What lasts as long as the process, whatever is read.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) remotes: Arc<Remotes>,
    pub(super) runtime: Handle,
    pub(super) intake: Arc<Intake>,
}

/// What a source thread leaves to the next run.
pub(super) enum Left {
    /// Nothing: what it reads can be read again.
    Nothing,
    /// A pipe that goes on.
    Pipe(Box<dyn Source>),
    /// Requests that it has not looked at.
    Requests(Requests),
}

/// The threads of a run's sources.
pub(super) type Hands = Vec<JoinHandle<Left>>;

/// What a run takes over from the one before.
#[derive(Default)]
pub(super) struct Remains {
    pipe: Option<Box<dyn Source>>,
    requests: Vec<Requests>,
}

impl Remains {
    /// Waits for the end of these threads, which were told to end, and takes what they leave.
    pub(super) fn of(hands: Hands) -> Self {
        let mut remains = Self::default();
        for hand in hands {
            match hand.join() {
                Ok(Left::Pipe(pipe)) => remains.pipe = Some(pipe),
                Ok(Left::Requests(requests)) => remains.requests.push(requests),
                // One that has panicked leaves nothing either.
                Ok(Left::Nothing) | Err(_) => {}
            }
        }
        remains
    }
}

/// A run whose sources are open, and of which no thread has begun.
pub(super) struct Opened {
    working: Vec<Working>,
    feeds: Vec<Feed>,
    dead: Vec<DeadLetters>,
    inbox: Receiver<Event>,
    hands: Vec<(String, Hand)>,
    ways: Vec<Way>,
    stale: Vec<store::Series>,
    sources: Vec<Drawn>,
}

/// A run that has begun.
pub(super) struct Begun {
    pub(super) models: Vec<Working>,
    pub(super) feeds: Vec<Feed>,
    pub(super) dead: Vec<DeadLetters>,
    /// What the sources say.
    pub(super) inbox: Receiver<Event>,
    pub(super) hands: Hands,
    /// Series of the store that no model has.
    pub(super) stale: Vec<store::Series>,
    /// The sources, to be opened once more.
    pub(super) sources: Vec<Drawn>,
}

/// The reader of a source, and what its thread does.
enum Hand {
    Files(Box<FileReader>),
    Sent(IngestReader),
    Stream {
        /// `None` of standard input, which may have been begun before.
        source: Option<Box<dyn Source>>,
        reader: Box<dyn FnOnce(Box<dyn Source>) -> Reader + Send>,
    },
}

impl Opened {
    /// Opens all sources of a layout where the store says, and the series of all models.
    ///
    /// # Errors
    ///
    /// A source cannot be opened, or a stored series cannot be gone on with.
    pub(super) fn open(frame: &Frame, layout: Layout, store: &mut Store, loaded: &Loaded) -> Result<Self> {
        let Layout { models, sources } = layout;
        let (events, inbox) = bounded(QUEUE);
        let mut readers_of: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for own in &models {
            readers_of.entry(own.source).or_default().insert(own.model.config.model.clone());
        }
        let mut stale = loaded.series.clone();
        let mut working = Vec::with_capacity(models.len());
        for own in models {
            let siblings = readers_of.get(&own.source).cloned().unwrap_or_default();
            let watches = open_watches(&own.model, &siblings, store, loaded, &mut stale)?;
            working.push(Working::new(own, watches));
        }
        let mut opened = Self {
            working,
            feeds: Vec::new(),
            dead: Vec::new(),
            inbox,
            hands: Vec::new(),
            ways: Vec::new(),
            stale,
            sources: Vec::new(),
        };
        for (at, drawn) in sources.into_iter().enumerate() {
            opened.source(frame, at, drawn, &events, loaded)?;
        }
        Ok(opened)
    }

    fn source(
        &mut self,
        frame: &Frame,
        at: usize,
        drawn: Drawn,
        events: &Sender<Event>,
        loaded: &Loaded,
    ) -> Result<()> {
        let Drawn { plan: SourcePlan { name, kind, format, registry, keep, dead, .. }, fields, lanes } =
            drawn.clone();
        let (control, told) = unbounded();
        let mut feed = Feed::new(&name, control, loaded);
        if let Some(own) = kind.only_partition() {
            feed.narrow_to(&own, frame.clock.now());
        }
        self.feeds.push(feed);
        self.dead.push(DeadLetters::open(&name, dead)?);
        self.sources.push(drawn);
        let plan = Arc::new(ReadPlan {
            source: at,
            name: name.clone(),
            format,
            fields: fields.fields,
            times: fields.times,
            needed: fields.needed,
            keep,
        });
        let registry = match registry {
            None => None,
            Some(options) => {
                let registry = Registry::new(&options).map_err(|error| from_source(&name, &error))?;
                Some(registry.blocking(frame.runtime.clone()))
            }
        };
        let positions = positions_of(&name, loaded);
        let (events, clock) = (events.clone(), frame.clock.clone());
        let hand = match kind {
            SourceKind::Files { paths, every } => {
                let own = FileReader::partition_of(&paths);
                Hand::Files(Box::new(FileReader {
                    plan,
                    next: positions.get(&own).map_or(0, |position| position.next),
                    paths,
                    every,
                    remotes: frame.remotes.clone(),
                    seen: seen_files(&name, loaded),
                    looked: BTreeMap::new(),
                    lacks_column: false,
                    events,
                    control: told,
                    clock,
                }))
            }
            SourceKind::Ingest { max_body } => {
                let lanes = lanes.into_iter().map(|(model, own)| (model, own.fields, own.times));
                let (reader, ways) = IngestReader::open(&plan, lanes, max_body, &positions, events, told)?;
                self.ways.extend(ways);
                Hand::Sent(reader)
            }
            kind => {
                let source = open_source(&name, kind, &positions)?;
                if source.as_ref().is_none_or(|source| !source.is_replayable()) {
                    warn!(
                        source = name,
                        "the source cannot be read again: its rows are counted at most once"
                    );
                }
                let reader = move |source| Reader { source, plan, registry, events, control: told, clock };
                Hand::Stream { source, reader: Box::new(reader) }
            }
        };
        self.hands.push((name, hand));
        Ok(())
    }

    /// Starts the threads. Who came to a door before and was not let further comes in here.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub(super) fn begin(self, frame: &Frame, remains: Remains) -> Result<Begun> {
        let Self { working: models, mut feeds, dead, inbox, hands, ways, stale, sources } = self;
        let Remains { mut pipe, requests } = remains;
        for (source, door) in frame.intake.aim(ways) {
            feeds[source].doors.insert(door.partition(), door);
        }
        requests.into_iter().for_each(|own| own.pass_on(&frame.intake));
        let mut threads = Vec::with_capacity(hands.len());
        for (name, hand) in hands {
            let thread = std::thread::Builder::new().name(format!("source {name}"));
            let begun = match hand {
                Hand::Files(reader) => thread.spawn(move || {
                    reader.run();
                    Left::Nothing
                }),
                Hand::Sent(reader) => {
                    thread.spawn(move || reader.run().map_or(Left::Nothing, Left::Requests))
                }
                Hand::Stream { source, reader } => {
                    let standard =
                        || Box::new(LinePipe::new(plan::STDIN, std::io::stdin())) as Box<dyn Source>;
                    let source = source.or_else(|| pipe.take()).unwrap_or_else(standard);
                    let reader = reader(source);
                    thread.spawn(move || {
                        let source = reader.run();
                        if source.is_replayable() { Left::Nothing } else { Left::Pipe(source) }
                    })
                }
            };
            threads.push(begun.map_err(|error| Error::run("cannot start a thread").because(error))?);
        }
        Ok(Begun { models, feeds, dead, inbox, hands: threads, stale, sources })
    }
}

/// The windows of a model, each as the store has it; what is found is taken out of `stale`. `siblings` are the models that
/// read its source, itself too.
pub(super) fn open_watches(
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

/// A stream of records; `None` of standard input, of which a process has one.
fn open_source(
    name: &str,
    kind: SourceKind,
    positions: &BTreeMap<Partition, Position>,
) -> Result<Option<Box<dyn Source>>> {
    let opened = match kind {
        #[cfg(feature = "kafka")]
        SourceKind::Kafka { settings, start } => {
            driftlead_connectors::kafka::KafkaSource::open(&settings, positions, start)
                .map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Lines { path, ends } => {
            LineFile::open(&path, positions, ends).map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Stdin => return Ok(None),
        SourceKind::Files { .. } | SourceKind::Ingest { .. } => {
            return Err(Error::run("files and requests are read by threads of their own"));
        }
    };
    opened.map(Some).map_err(|error| from_source(name, &error))
}

fn positions_of(source: &str, loaded: &Loaded) -> BTreeMap<Partition, Position> {
    let own = loaded.partitions.iter().filter(|(key, _)| key.source == source);
    own.map(|(key, state)| (key.partition.clone(), state.position)).collect()
}

fn seen_files(source: &str, loaded: &Loaded) -> BTreeMap<String, SeenFile> {
    let own = loaded.files.iter().filter(|file| file.source == source);
    own.map(|file| (file.path.clone(), file.clone())).collect()
}
