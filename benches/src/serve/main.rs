//! The service end to end: `driftlead serve` on a topic, beside a consumer that only decodes it, in one run; and how long
//! after the record that closes a window its verdict stands in the store.
//!
//! ```text
//! scripts/kafka start FOLDER
//! cargo run --release -p driftlead-bench --bin serve -- BROKERS [ROWS] [ROUNDS] [CLOSINGS]
//! scripts/peers [ROWS] [ROUNDS] [SECONDS]
//! ```
//!
//! Writes ROWS records (2 million by default) as JSON of about 266 bytes and as Avro of about 90 into four partitions of
//! a topic each. In alternating rounds reads them all: by the service, with one model of nine features in windows of an
//! hour, a store of its own and all commits; and by `KafkaSource` with the same decoder and the same columns, of which
//! the batches are dropped. Both are processes of their own, and both are measured from the first rows that they have to
//! the last. Printed are medians of rows per second and CPU seconds per million rows, and the peak memory of the service.
//! `scripts/peers` calls it for the same topic read by tools in Python ([`peers`]).

mod decode;
mod latency;
mod peers;
#[allow(dead_code, reason = "shared with the soak")]
mod process;
#[path = "../batch/say.rs"]
mod say;
mod timed;
mod topic;
mod traffic;

use std::path::Path;

use process::Served;
use say::say;
use topic::Writer;
use traffic::{Random, Row};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Avro,
}

/// Reading some rows.
#[derive(Clone, Copy, Debug)]
struct Cost {
    rows_per_second: f64,
    cpu_per_million: f64,
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, brokers, topic, kind, rows] = args.as_slice()
        && flag == "--decode"
    {
        let kind = if kind == "Json" { Kind::Json } else { Kind::Avro };
        let cost = decode::run(brokers, topic, kind, rows.parse()?)?;
        say(&format!("{} {}", cost.rows_per_second, cost.cpu_per_million));
        return Ok(());
    }
    if let [_, flag, brokers, folder, environments, rows, rounds, seconds] = args.as_slice()
        && flag == "--peers"
    {
        let (folder, environments) = (Path::new(folder), Path::new(environments));
        return peers::run(brokers, folder, environments, rows.parse()?, rounds.parse()?, seconds.parse()?);
    }
    let brokers = args.get(1).ok_or("expected the address of a Kafka broker, see scripts/kafka")?;
    let number = |at: usize, default: usize| args.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, rounds, closings) = (number(2, 2_000_000)?, number(3, 5)?, number(4, 40)?);
    for kind in [Kind::Json, Kind::Avro] {
        throughput(brokers, kind, rows, rounds)?;
    }
    latency::run(closings)
}

fn throughput(brokers: &str, kind: Kind, rows: usize, rounds: usize) -> Result<(), Failure> {
    let topic = format!("serve-{kind:?}-{}", std::process::id());
    let bytes = write(brokers, &topic, kind, rows)?;
    let (mut served, mut decoded, mut peak) = (Vec::new(), Vec::new(), 0_f64);
    for _ in 0..rounds {
        decoded.push(decode(brokers, &topic, kind, rows)?);
        let (cost, megabytes) = serve(brokers, &topic, kind, rows)?;
        served.push(cost);
        peak = peak.max(megabytes);
    }
    // Of a pair, both had the same neighbours.
    let ratio =
        median(decoded.iter().zip(&served).map(|(a, b)| b.rows_per_second / a.rows_per_second).collect());
    say(&format!(
        "\nserve, {rows} {kind:?} records of {} B, {} partitions, medians of {rounds}",
        bytes / rows,
        topic::PARTITIONS
    ));
    say("by                    rows/s   CPU s/M");
    for (name, costs) in [("consume and decode", &decoded), ("driftlead serve", &served)] {
        let rate = median(costs.iter().map(|cost| cost.rows_per_second).collect());
        let cpu = median(costs.iter().map(|cost| cost.cpu_per_million).collect());
        say(&format!("{name:18} {rate:9.0} {cpu:9.2}"));
    }
    let cpu = median(served.iter().map(|cost| cost.cpu_per_million).collect());
    let most = if kind == Kind::Json { 2.1 } else { 1.0 };
    say(&format!(
        "target: serve {kind:?} against decoding only, rows/s | {:.0} % | >= 90 % | ",
        ratio * 100.0
    ));
    say(&format!("target: serve {kind:?}, CPU | {cpu:.2} s per million rows | <= {most} | "));
    say(&format!("target: memory of serve, {kind:?} | {peak:.0} MB | <= 100 MB | "));
    Ok(())
}

fn write(brokers: &str, topic: &str, kind: Kind, rows: usize) -> Result<usize, Failure> {
    topic::create(brokers, topic, &[])?;
    let writer = Writer::open(brokers, topic)?;
    let mut random = Random::new(1);
    let (mut record, mut bytes) = (Vec::new(), 0);
    for number in 0..rows {
        record.clear();
        let row = Row::new(number, peers::SPACING, &mut random);
        match kind {
            Kind::Json => row.json(&mut record)?,
            Kind::Avro => row.avro(&mut record),
        }
        bytes += record.len();
        writer.write(i32::try_from(number % topic::PARTITIONS as usize)?, &record)?;
    }
    writer.flush()?;
    Ok(bytes)
}

/// The cost of the service, and its peak memory in megabytes.
fn serve(brokers: &str, topic: &str, kind: Kind, rows: usize) -> Result<(Cost, f64), Failure> {
    let folder = tempfile::tempdir()?;
    settle(folder.path(), brokers, topic, kind)?;
    let served = Served::start(folder.path())?;
    let (first, last) = served.until(rows as u64)?;
    let (_, peak) = served.megabytes()?;
    served.stop()?;
    Ok((cost(last.rows - first.rows, (last.at - first.at).as_secs_f64(), last.cpu - first.cpu), peak))
}

fn settle(folder: &Path, brokers: &str, topic: &str, kind: Kind) -> Result<(), Failure> {
    std::fs::write(folder.join("baseline.ndjson"), traffic::baseline()?)?;
    std::fs::write(folder.join("model.yaml"), traffic::model("window: {length: 1h}"))?;
    std::fs::write(folder.join("flight.avsc"), traffic::avro_schema())?;
    let (format, time) = match kind {
        Kind::Json => ("json", "/meta/ts"),
        Kind::Avro => ("{avro: {schema: flight.avsc}}", "/ts"),
    };
    let text = format!(
        "listen: 127.0.0.1:0\nstore: ./state\nmodels: [model.yaml]\nsources:\n  flights:\n    kafka: {{brokers: \
         \"{brokers}\", topics: [{topic}]}}\n    format: {format}\n    time: {{field: {time}, unit: ms}}\n"
    );
    Ok(std::fs::write(folder.join("service.yaml"), text)?)
}

/// The cost of decoding only, in a process of its own.
fn decode(brokers: &str, topic: &str, kind: Kind, rows: usize) -> Result<Cost, Failure> {
    let child = std::process::Command::new(std::env::current_exe()?)
        .args(["--decode", brokers, topic, &format!("{kind:?}"), &rows.to_string()])
        .output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into_owned().into());
    }
    let text = String::from_utf8(child.stdout)?;
    let (rows_per_second, cpu_per_million) = text.trim().split_once(' ').ok_or("expected two numbers")?;
    Ok(Cost { rows_per_second: rows_per_second.parse()?, cpu_per_million: cpu_per_million.parse()? })
}

fn cost(rows: u64, wall: f64, cpu: f64) -> Cost {
    Cost { rows_per_second: rows as f64 / wall, cpu_per_million: cpu * 1e6 / rows as f64 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
