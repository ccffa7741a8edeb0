//! Reading a topic: the Kafka source beside librdkafka's plain consumer, in one run.
//!
//! ```text
//! scripts/kafka start FOLDER
//! cargo run --release -p driftlead-bench --bin stream -- BROKERS [ROWS] [ROUNDS]
//! ```
//!
//! Writes ROWS JSON records (1 million by default) of about 266 bytes into four partitions of a topic of its own. In
//! alternating rounds, reads them all: by `KafkaSource`, and by the rdkafka crate's `BaseConsumer` with its own settings,
//! one `poll` a record. Nothing is decoded; the bytes of the payloads are added up. Printed are medians of rows per second
//! and of CPU seconds per million rows of this process, broker not counted, and the peak memory of reading by the source
//! in a process of its own, which pauses until librdkafka's queues are full.

mod records;
#[path = "../batch/say.rs"]
mod say;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use driftlead_connectors::kafka::{Connection, KafkaSettings, KafkaSource, Start};
use driftlead_connectors::stream::{Event, Source};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use say::say;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PARTITIONS: i32 = 4;

/// Long enough for librdkafka to fetch all that it may hold.
const PAUSE: Duration = Duration::from_secs(3);

/// What was read: records, and bytes of their payloads.
type Read = (usize, usize);

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, brokers, topic, rows] = args.as_slice()
        && flag == "--memory-of-source"
    {
        by_source(brokers, topic, rows.parse()?, PAUSE)?;
        say(&format!("{}", peak_kilobytes()?));
        return Ok(());
    }
    let brokers = args.get(1).ok_or("expected the address of a Kafka broker, see scripts/kafka")?;
    let number = |at: usize, default: usize| args.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, rounds) = (number(2, 1_000_000)?, number(3, 5)?);

    let topic = format!("bench-{}", std::process::id());
    let bytes = records::write(brokers, &topic, PARTITIONS, rows)?;
    let (mut source, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        source.push(timed(rows, bytes, || by_source(brokers, &topic, rows, Duration::ZERO))?);
        plain.push(timed(rows, bytes, || by_consumer(brokers, &topic, rows))?);
    }
    let (source, plain) = (medians(source), medians(plain));
    say(&format!(
        "\nconsume only, {rows} JSON records of {} B, {PARTITIONS} partitions, medians of {rounds}",
        bytes / rows
    ));
    say("by              rows/s   CPU s/M");
    for (name, (wall, cpu)) in [("KafkaSource", source), ("BaseConsumer", plain)] {
        say(&format!("{name:12} {:9.0} {:9.2}", rows as f64 / wall, cpu * 1e6 / rows as f64));
    }
    let megabytes = memory(brokers, &topic, rows)?;
    say(&format!("peak memory of reading by KafkaSource, its queues full: {megabytes:.0} MB"));
    say(&format!(
        "target: consume JSON by KafkaSource against BaseConsumer | {:.2}x rows/s, {:.2}x CPU | >= 1x, <= 1x | ",
        plain.0 / source.0,
        source.1 / plain.1
    ));
    say(&format!("target: memory of reading {rows} JSON records | {megabytes:.0} MB | 100 MB | "));
    Ok(())
}

/// Reads all records by the source, with one pause after the first ones, as a busy engine makes them.
fn by_source(brokers: &str, topic: &str, rows: usize, pause: Duration) -> Result<Read, Failure> {
    let settings = KafkaSettings {
        connection: Connection { brokers: brokers.to_owned(), ..Connection::default() },
        topics: vec![topic.to_owned()],
        headers: false,
    };
    let mut source = KafkaSource::open(&settings, &BTreeMap::new(), Start::Beginning)?;
    let (mut records, mut bytes, mut failure) = (0, 0, None);
    let began = Instant::now();
    while records < rows && failure.is_none() {
        source.poll(Duration::from_secs(1), &mut |event| match event {
            Event::Records { records: run, .. } => {
                records += run.len();
                bytes += run.iter().map(|record| record.payload.map_or(0, <[u8]>::len)).sum::<usize>();
            }
            Event::Gap { reason, .. } => failure = Some(reason),
            Event::Trouble(error) => failure = Some(error.to_string()),
            Event::Assigned { .. } | Event::CaughtUp { .. } | Event::Lost { .. } => {}
        })?;
        while records > 0 && began.elapsed() < pause {
            std::thread::park_timeout(Duration::from_millis(50));
            source.keep_alive();
        }
    }
    failure.map_or(Ok((records, bytes)), |text| Err(text.into()))
}

/// Reads all records by the consumer that the crate offers.
fn by_consumer(brokers: &str, topic: &str, rows: usize) -> Result<Read, Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut all = TopicPartitionList::new();
    for number in 0..PARTITIONS {
        all.add_partition_offset(topic, number, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let (mut records, mut bytes) = (0, 0);
    while records < rows {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            records += 1;
            bytes += message?.payload_len();
        }
    }
    Ok((records, bytes))
}

/// Wall and CPU seconds of reading, which must give what was written.
fn timed(
    rows: usize,
    bytes: usize,
    read: impl FnOnce() -> Result<Read, Failure>,
) -> Result<(f64, f64), Failure> {
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let found = read()?;
    if found != (rows, bytes) {
        return Err(format!("{rows} records of {bytes} bytes were written, and {found:?} read").into());
    }
    Ok((began.elapsed().as_secs_f64(), cpu_seconds()? - cpu))
}

fn medians(mut times: Vec<(f64, f64)>) -> (f64, f64) {
    let mut middle = |of: fn(&(f64, f64)) -> f64| {
        times.sort_by(|a, b| of(a).total_cmp(&of(b)));
        of(&times[times.len() / 2])
    };
    (middle(|t| t.0), middle(|t| t.1))
}

/// CPU seconds of this process so far, user and system.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).map_or(Ok(0), |text| text.parse::<u64>());
    Ok((ticks(11)? + ticks(12)?) as f64 / 100.0)
}

fn peak_kilobytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Peak resident megabytes of reading by the source, in a process of its own.
fn memory(brokers: &str, topic: &str, rows: usize) -> Result<f64, Failure> {
    let child = std::process::Command::new(std::env::current_exe()?)
        .args(["--memory-of-source", brokers, topic, &rows.to_string()])
        .output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into_owned().into());
    }
    let kilobytes: f64 = String::from_utf8(child.stdout)?.trim().parse()?;
    Ok(kilobytes / 1024.0)
}
