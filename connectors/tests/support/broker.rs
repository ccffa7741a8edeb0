//! Apache Kafka for tests: one broker a test binary, a topic a test; tests that kill the broker start their own.
//!
//! `scripts/kafka run` starts it on the loopback address and kills it when its standard input ends, so that it never
//! outlives the tests, however they end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Longer than a slow machine needs, so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user of the listener with passwords, as Event Hubs call it, and the password.
pub(crate) const USER: &str = "$ConnectionString";
pub(crate) const PASSWORD: &str =
    "Endpoint=sb://local.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey=a2V5";
/// A user who proves the password by SCRAM-SHA-256.
pub(crate) const SCRAM_USER: &str = "driftlead";
pub(crate) const SCRAM_PASSWORD: &str = "scram-secret";

/// A running broker.
pub(crate) struct Broker {
    folder: PathBuf,
    /// Held as long as the folder is in use, also while the broker is down.
    _owner: File,
    running: Option<Running>,
    bootstrap: String,
    secured: String,
    tls: String,
    authority: String,
    topics: AtomicUsize,
}

struct Running {
    script: Child,
    lifeline: Option<ChildStdin>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.script.wait();
    }
}

/// What is written into a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    /// Milliseconds since the epoch; `None` for now.
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Message {
    pub(crate) fn new(key: &str, payload: impl Into<Vec<u8>>, timestamp: i64) -> Self {
        let key = Some(key.as_bytes().to_vec());
        Self { key, payload: Some(payload.into()), timestamp: Some(timestamp), headers: Vec::new() }
    }
}

/// The broker of this test binary, started when first asked for.
///
/// # Panics
/// If it cannot be installed or started: these tests fail, they are not skipped.
pub(crate) fn broker() -> &'static Broker {
    static RUNNING: OnceLock<Broker> = OnceLock::new();
    RUNNING.get_or_init(Broker::start)
}

impl Broker {
    /// Starts a broker with an empty folder.
    pub(crate) fn start() -> Self {
        let (folder, owner) = folder();
        let mut broker = Self {
            folder,
            _owner: owner,
            running: None,
            bootstrap: String::new(),
            secured: String::new(),
            tls: String::new(),
            authority: String::new(),
            topics: AtomicUsize::new(0),
        };
        broker.restart();
        broker
    }

    /// Starts it again after [`Self::kill`], at the same address with the same data.
    pub(crate) fn restart(&mut self) {
        assert!(self.running.is_none(), "the broker runs");
        let script = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script =
            script.ancestors().map(|root| root.join("scripts/kafka")).find(|path| path.exists()).unwrap();
        let mut script = Command::new(script)
            .arg("run")
            .arg(&self.folder)
            .arg("--sasl")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash runs");
        let lifeline = script.stdin.take();
        let output = BufReader::new(script.stdout.take().unwrap());
        self.running = Some(Running { script, lifeline });
        let mut missing = 5;
        for line in output.lines().map(Result::unwrap) {
            match line.split_once(": ").unwrap() {
                ("bootstrap", address) => address.clone_into(&mut self.bootstrap),
                ("sasl", address) => address.clone_into(&mut self.secured),
                ("tls", address) => address.clone_into(&mut self.tls),
                ("authority", file) => file.clone_into(&mut self.authority),
                _ => {}
            }
            missing -= 1;
        }
        assert_eq!(missing, 0, "scripts/kafka could not start a broker in {}", self.folder.display());
    }

    /// Kills it with signal 9.
    pub(crate) fn kill(&mut self) {
        assert!(self.running.take().is_some(), "the broker does not run");
    }

    /// Where it listens without passwords, `127.0.0.1:PORT`.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Where it listens and asks for passwords, `127.0.0.1:PORT`.
    pub(crate) fn secured(&self) -> &str {
        &self.secured
    }

    /// Where it listens by TLS and asks for passwords, `127.0.0.1:PORT`.
    pub(crate) fn tls(&self) -> &str {
        &self.tls
    }

    /// The file with the authority that has signed its certificate.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// A name that no other test of this broker uses.
    pub(crate) fn name(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.topics.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a topic that no other test uses; its name.
    pub(crate) fn topic(&self, prefix: &str, partitions: i32) -> String {
        let name = self.name(prefix);
        self.create_topic(&name, partitions, &[]);
        name
    }

    /// Makes a topic.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, options: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic.config = options.to_vec();
        let made = block_on(self.admin().create_topics([&topic], &options_of_admin())).unwrap();
        assert!(made[0].is_ok(), "{made:?}");
    }

    /// Deletes a topic with all that it holds.
    pub(crate) fn delete_topic(&self, name: &str) {
        let gone = block_on(self.admin().delete_topics(&[name], &options_of_admin())).unwrap();
        assert!(gone[0].is_ok(), "{gone:?}");
    }

    /// Lets a topic have `partitions` partitions in all.
    pub(crate) fn grow_topic(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let grown = block_on(self.admin().create_partitions([&more], &options_of_admin())).unwrap();
        assert!(grown[0].is_ok(), "{grown:?}");
    }

    /// Deletes the records of a partition below an offset, as retention does.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, below: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(below)).unwrap();
        let done = block_on(self.admin().delete_records(&list, &options_of_admin())).unwrap();
        assert!(done.elements().iter().all(|element| element.error().is_ok()), "{done:?}");
    }

    /// The first offset of a partition's log and the one that its next record will have.
    pub(crate) fn bounds(&self, topic: &str, partition: i32) -> (i64, i64) {
        let consumer: BaseConsumer = self.config().create().unwrap();
        consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap()
    }

    /// All that a partition holds now, by offset: read by a plain consumer, not by what is tested.
    #[allow(dead_code, reason = "only the service's tests ask for it")]
    pub(crate) fn records(&self, topic: &str, partition: i32) -> Vec<(i64, Vec<u8>)> {
        let (low, high) = self.bounds(topic, partition);
        let consumer: BaseConsumer = self.config().set("group.id", "records").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        let mut next = low;
        while next < high {
            let record = consumer.poll(PATIENCE).expect("a record in time").unwrap();
            next = record.offset() + 1;
            records.push((record.offset(), record.payload().unwrap_or_default().to_vec()));
        }
        records
    }

    /// What a group has committed for a partition.
    pub(crate) fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let list = consumer.committed_offsets(list, PATIENCE).unwrap();
        match list.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Writes messages into a partition and waits until they stand there.
    pub(crate) fn produce(&self, topic: &str, partition: i32, messages: &[Message]) {
        let writer = self.writer(&[]);
        writer.send(topic, partition, messages);
        writer.flush();
    }

    /// A producer with options of its own.
    pub(crate) fn writer(&self, options: &[(&str, &str)]) -> Writer {
        let mut config = self.config();
        config.set("acks", "all").set("linger.ms", "0").set("message.max.bytes", "2000000");
        // A batch that the leader of a new partition refuses is sent again: with others on their way, after those that follow
        // it, and a partition's rows would not stand in the order in which they were sent. `enable.idempotence` would do
        // too, but takes half a second for each producer.
        config.set("max.in.flight.requests.per.connection", "1");
        for (key, value) in options {
            config.set(*key, *value);
        }
        Writer(config.create_with_context(Undelivered).unwrap())
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("reconnect.backoff.max.ms", "500");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.running.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A producer; that of a test that writes in its own way.
pub(crate) struct Writer(BaseProducer<Undelivered>);

impl Writer {
    /// The producer itself, for transactions.
    pub(crate) fn producer(&self) -> &BaseProducer<impl ProducerContext<DeliveryOpaque = ()>> {
        &self.0
    }

    /// Queues messages for a partition.
    pub(crate) fn send(&self, topic: &str, partition: i32, messages: &[Message]) {
        for message in messages {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
            record.key = message.key.as_deref();
            record.payload = message.payload.as_deref();
            record.timestamp = message.timestamp;
            record.headers = (!message.headers.is_empty()).then(|| {
                message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
                    all.insert(Header { key, value: Some(value) })
                })
            });
            while let Err((error, refused)) = self.0.send(record) {
                assert_eq!(
                    error.rdkafka_error_code(),
                    Some(rdkafka::types::RDKafkaErrorCode::QueueFull),
                    "{error}"
                );
                self.0.poll(Duration::from_millis(10));
                record = refused;
            }
        }
    }

    /// Waits until all of them stand in the log.
    pub(crate) fn flush(&self) {
        self.0.flush(PATIENCE).unwrap();
    }
}

/// A test's message that cannot be delivered is a failure.
pub(crate) struct Undelivered;

impl rdkafka::ClientContext for Undelivered {
    fn error(&self, _: rdkafka::error::KafkaError, _: &str) {}
}

impl ProducerContext for Undelivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a message of the test was not delivered: {error}");
        }
    }
}

fn options_of_admin() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// An empty folder and the lock on it. Folders of test binaries that were killed are removed.
fn folder() -> (PathBuf, File) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kafka");
    fs::create_dir_all(&root).unwrap();
    // One at a time, so that a folder is not taken for abandoned before its lock is taken.
    let gate = File::create(root.join("gate")).unwrap();
    gate.lock().unwrap();
    for entry in fs::read_dir(&root).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let owner = File::options().write(true).open(entry.path().join("owner"));
        if owner.is_ok_and(|owner| owner.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    let owner = File::create(folder.join("owner")).unwrap();
    owner.lock().unwrap();
    (folder, owner)
}
