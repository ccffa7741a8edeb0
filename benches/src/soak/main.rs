//! Whether memory grows: tens of millions of rows through `driftlead serve`, with restarts and power cuts.
//!
//! ```text
//! scripts/kafka start FOLDER
//! cargo run --release -p driftlead-bench --bin soak -- BROKERS [ROWS]
//! ```
//!
//! ROWS (150 million by default) small JSON records go through a topic of four partitions that the broker keeps short;
//! the producer stays a little ahead of what the service has committed. One model of three features and fifty segments
//! is judged in windows of 24 hours, one an hour; an hour has 40,000 rows. One row in a hundred is late: half of these in
//! time to be counted, half not. Early on the service is killed twice and stopped once, and once more at three fifths.
//!
//! Resident memory is sampled as rows are counted. The slope is that of least squares over the last 40 million, or
//! four fifths if that is less, within runs: each run of the process has a level of its own; its first two million rows
//! are left out, while caches fill, and its last 400,000, while it has less and less to do.
//! At the end every FINAL window in the store is held to the number of rows that the producer knows it must have.

mod ledger;
#[allow(dead_code, reason = "shared with the bench of the service")]
#[path = "../serve/process.rs"]
mod process;
#[path = "../batch/say.rs"]
mod say;
#[path = "../serve/timed.rs"]
mod timed;
#[path = "../serve/topic.rs"]
mod topic;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ledger::{Ledger, SECOND};
use process::Served;
use say::say;
use topic::Writer;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Rows that the producer may be ahead.
const AHEAD: u64 = 400_000;
/// Rows at the end over which memory must not grow: after as many again in the same process, so that the allocator has met
/// its highest mark.
const LAST: u64 = 40_000_000;
/// Rows at the beginning of a run in which caches fill.
const WARM: u64 = 2_000_000;
const SEGMENTS: u64 = 50;
const WINDOW: &str = "windows:\n  day: {length: 24h, every: 1h, out_of_orderness: 60s, lateness: 10m}";

/// Resident memory at some moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Which run of the process.
    run: usize,
    /// Rows of all runs so far.
    rows: u64,
    megabytes: f64,
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    let brokers = args.get(1).ok_or("expected the address of a Kafka broker, see scripts/kafka")?;
    let rows: u64 = args.get(2).map_or(Ok(150_000_000), |text| text.parse())?;
    let topic = format!("soak-{}", std::process::id());
    // Long enough for what is under way, and for what is read again after a crash.
    topic::create(brokers, &topic, &[("retention.bytes", "134217728"), ("segment.bytes", "33554432")])?;
    let folder = tempfile::tempdir()?;
    settle(folder.path(), brokers, &topic)?;

    let began = Instant::now();
    let counted = AtomicU64::new(0);
    let (samples, ledger) = std::thread::scope(|scope| {
        let producer = scope.spawn(|| produce(brokers, &topic, rows, &counted));
        let watched = watch(folder.path(), rows, &counted);
        if watched.is_err() {
            // The producer ends when it need not wait any more.
            counted.store(u64::MAX / 2, Ordering::Relaxed);
        }
        let produced = producer.join().map_err(|_| Failure::from("the producer panicked"))?;
        Ok::<_, Failure>((watched?, produced?))
    })?;
    let windows = ledger.check(&folder.path().join("state"))?;
    let last = LAST.min(rows / 5 * 4);
    let slope = slope(&samples, rows - last)?;
    let most = samples.iter().map(|own| own.megabytes).fold(0.0, f64::max);
    say(&format!(
        "\nsoak: {rows} rows in {:.0} s, {} late, {windows} FINAL windows with the rows that they must have",
        began.elapsed().as_secs_f64(),
        ledger.late
    ));
    say("run      rows    MB");
    let step = (samples.len() / 20).max(1);
    for own in samples.iter().step_by(step) {
        say(&format!("{:3} {:9} {:5.1}", own.run, own.rows, own.megabytes));
    }
    say(&format!(
        "target: growth of memory over the last {} M rows | {slope:+.3} MB per million | <= 0.1 MB | ",
        last / 1_000_000
    ));
    say(&format!(
        "target: memory of serve, sliding windows and {SEGMENTS} segments | {most:.0} MB | none set | "
    ));
    if slope > 0.1 { Err("memory grows".into()) } else { Ok(()) }
}

/// Writes all rows, a little ahead of what is counted.
fn produce(brokers: &str, topic: &str, rows: u64, counted: &AtomicU64) -> Result<Ledger, Failure> {
    let writer = Writer::open(brokers, topic)?;
    let mut ledger = Ledger::new();
    let mut record = Vec::new();
    for number in 0..rows {
        while number > counted.load(Ordering::Relaxed) + AHEAD {
            writer.flush()?;
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let partition = (number % topic::PARTITIONS as u64) as usize;
        record.clear();
        ledger.row(&mut record, partition, number)?;
        writer.write(i32::try_from(partition)?, &record)?;
    }
    writer.flush()?;
    Ok(ledger)
}

/// Runs the service over all rows, again and again.
fn watch(folder: &Path, rows: u64, counted: &AtomicU64) -> Result<Vec<Sample>, Failure> {
    let mut samples = Vec::new();
    let ends = [rows * 3 / 50, rows * 6 / 50, rows * 9 / 50, rows * 3 / 5, rows];
    for (run, end) in ends.into_iter().enumerate() {
        let before = if run == 0 { 0 } else { stored(folder)? };
        let served = Served::start(folder)?;
        let mut last = Instant::now();
        let mut seen = 0;
        loop {
            let read = before + served.metric("driftlead_source_records_total")? as u64;
            if read > seen {
                (seen, last) = (read, Instant::now());
                counted.fetch_max(read, Ordering::Relaxed);
            }
            samples.push(Sample { run, rows: read, megabytes: served.megabytes()?.0 });
            if read >= end {
                break;
            }
            if last.elapsed() > Duration::from_secs(120) {
                return Err(format!("no row was counted for two minutes, at {read} of {rows}").into());
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        match run {
            0 | 2 => served.kill()?,
            _ => served.stop()?,
        }
    }
    Ok(samples)
}

/// Rows up to the positions that the store has, while nobody else has it open.
fn stored(folder: &Path) -> Result<u64, Failure> {
    let store = driftlead_connectors::store::Store::open(&folder.join("state"), 0)?;
    let loaded = store.load()?;
    Ok(loaded.partitions.iter().map(|(_, state)| state.position.next.unsigned_abs()).sum())
}

/// Megabytes per million rows, by least squares within runs, over what comes after `from`.
fn slope(samples: &[Sample], from: u64) -> Result<f64, Failure> {
    let mut runs: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for run in samples.chunk_by(|a, b| a.run == b.run) {
        let warm = from.max(run[0].rows + WARM);
        // At its end a run has less to do, and an allocator gives back what it kept.
        let end = run[run.len() - 1].rows.saturating_sub(AHEAD);
        let within = run.iter().filter(|own| (warm..=end).contains(&own.rows));
        let own = within.map(|own| (own.rows as f64 / 1e6, own.megabytes));
        runs.entry(run[0].run).or_default().extend(own);
    }
    let (mut across, mut spread) = (0.0, 0.0);
    for own in runs.values().filter(|own| own.len() > 1) {
        let mean = |of: fn(&(f64, f64)) -> f64| own.iter().map(of).sum::<f64>() / own.len() as f64;
        let (x, y) = (mean(|own| own.0), mean(|own| own.1));
        across += own.iter().map(|own| (own.0 - x) * (own.1 - y)).sum::<f64>();
        spread += own.iter().map(|own| (own.0 - x).powi(2)).sum::<f64>();
    }
    if spread == 0.0 {
        return Err("too few rows for a slope: expected some millions".into());
    }
    Ok(across / spread)
}

fn settle(folder: &Path, brokers: &str, topic: &str) -> Result<(), Failure> {
    let mut ledger = Ledger::new();
    let (mut text, mut row) = (String::new(), Vec::new());
    for number in 0..100_000 {
        row.clear();
        ledger.row(&mut row, 0, number)?;
        text.push_str(&timed::timed(std::str::from_utf8(&row)?, 1)?);
        text.push('\n');
    }
    std::fs::write(folder.join("baseline.ndjson"), text)?;
    let model = format!(
        "model: soak\nversion: \"1\"\nbaseline: baseline.ndjson\nsource: rows\ntime: ts\n{WINDOW}\nsegments: [shop]\n\
         features: {{a: numeric, b: numeric, kind: categorical}}\n"
    );
    std::fs::write(folder.join("model.yaml"), model)?;
    let mut file = std::fs::File::create(folder.join("service.yaml"))?;
    writeln!(file, "listen: 127.0.0.1:0\nstore: ./state\nmodels: [model.yaml]\nsources:\n  rows:")?;
    writeln!(file, "    kafka: {{brokers: \"{brokers}\", topics: [{topic}]}}\n    format: json")?;
    // Event time is far from the clock's: a row a tenth of a second apart.
    writeln!(file, "    time: {{field: /ts, unit: us}}")?;
    debug_assert_eq!(SECOND, 1_000_000);
    Ok(())
}
