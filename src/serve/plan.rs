//! What a service is made of, as components need it: no YAML, no defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arrow_schema::TimeUnit;
use driftlead_connectors::decode::{Format, Framing, Place, RegistryOptions};
use driftlead_connectors::store::Retention;
use driftlead_connectors::stream::{LineFile, Partition};

use super::carrier::Carrier;
use super::files::FileReader;
use super::wire::Body;

/// A service to be started.
pub struct Plan {
    /// The service file, to be read again by a reload; `None` if there is none.
    pub file: Option<PathBuf>,
    /// The folder of the store.
    pub store: PathBuf,
    /// The model files.
    pub models: Vec<PathBuf>,
    /// The sources, in the order of their names.
    pub sources: Vec<SourcePlan>,
    /// The sinks.
    pub sinks: Vec<SinkPlan>,
    /// The longest time between commits while rows come.
    pub commit_every: Duration,
    /// Who hears of every verdict and alert once it is committed, beside the sinks.
    pub listener: Option<crossbeam_channel::Sender<Body>>,
    /// How long things are kept.
    pub retention: Retention,
}

/// A source.
#[derive(Clone)]
pub struct SourcePlan {
    /// Its name in the service file.
    pub name: String,
    /// What is read.
    pub kind: SourceKind,
    /// How payloads are written; of no use for files, which say so themselves.
    pub format: Format,
    /// The schema registry, where the format needs one.
    pub registry: Option<RegistryOptions>,
    /// Where the event time stands, and the unit of numbers there; `None`: where the model's `time` column does.
    pub time: Option<(Place, Option<TimeUnit>)>,
    /// Where columns stand; those not named stand under their own name at the top level.
    pub places: BTreeMap<String, Place>,
    /// What is kept of dead records.
    pub keep: Keep,
    /// Where dead records go.
    pub dead: DeadPlace,
}

impl SourcePlan {
    /// A source of JSON objects whose columns stand under their own names at the top level, and of which dead records are
    /// only counted.
    #[must_use]
    pub fn json(name: &str, kind: SourceKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            format: Format::Json { framing: Framing::Plain },
            registry: None,
            time: None,
            places: BTreeMap::new(),
            keep: Keep::Nothing,
            dead: DeadPlace::Nowhere,
        }
    }
}

/// What a source reads.
#[derive(Clone)]
pub enum SourceKind {
    /// Topics of a Kafka cluster.
    #[cfg(feature = "kafka")]
    Kafka {
        /// Brokers and topics.
        settings: Box<driftlead_connectors::kafka::KafkaSettings>,
        /// Where partitions without a position begin.
        start: driftlead_connectors::kafka::Start,
    },
    /// Files: paths, patterns, folders or URLs.
    Files {
        /// What they are.
        paths: Vec<String>,
        /// How often to look for new ones; `None` reads what is there, once.
        every: Option<Duration>,
    },
    /// A file of lines.
    Lines {
        /// Where it is.
        path: PathBuf,
        /// Whether it is read to its end once, or waited for.
        ends: bool,
    },
    /// Standard input, a record a line.
    Stdin,
    /// What is sent to the HTTP API.
    Ingest {
        /// The most bytes of a request's body.
        max_body: usize,
    },
}

impl SourceKind {
    /// The one partition of a source that has one; `None` where partitions come and go.
    pub(super) fn only_partition(&self) -> Option<Partition> {
        match self {
            #[cfg(feature = "kafka")]
            Self::Kafka { .. } => None,
            Self::Files { paths, .. } => Some(FileReader::partition_of(paths)),
            Self::Lines { path, .. } => Some(LineFile::partition_of(path)),
            Self::Stdin => Some(Partition { topic: STDIN.to_owned(), number: 0 }),
            // One for each model that rows are sent to.
            Self::Ingest { .. } => None,
        }
    }
}

/// The topic of standard input.
pub(super) const STDIN: &str = "stdin";

/// What is kept of dead records: payloads may be personal data (SEMANTICS S17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing but where they stand.
    Nothing,
    /// Their length and hash.
    #[default]
    Hash,
    /// All of them.
    Full,
}

/// Where dead letters go.
#[derive(Clone, Default)]
pub enum DeadPlace {
    /// Nowhere: they are counted only.
    #[default]
    Nowhere,
    /// A file that grows by a line each.
    File(PathBuf),
    /// A topic, a message each.
    #[cfg(feature = "kafka")]
    Topic {
        /// How the cluster is reached.
        connection: Box<driftlead_connectors::kafka::Connection>,
        /// Its name.
        topic: String,
    },
}

/// A sink.
#[derive(Debug)]
pub struct SinkPlan {
    /// Its name in the service file.
    pub name: String,
    /// What carries its messages.
    pub carrier: Carrier,
    /// Whether it takes verdicts.
    pub verdicts: bool,
    /// Whether it takes alerts.
    pub alerts: bool,
    /// Whether it takes what the service says of itself, whichever models name it.
    pub diagnostics: bool,
    /// The age at which a message is given up.
    pub max_age: Duration,
}
