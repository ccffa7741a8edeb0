//! The batch job against its limit: `check` beside a plain decode of the same columns, in one run.
//!
//! ```text
//! cargo run --release -p driftlead-bench --bin batch -- [ROWS] [ROUNDS]
//! cargo run --release -p driftlead-bench --bin batch -- --generate FOLDER ROWS
//! ```
//!
//! ROWS is 1 million by default; the memory of `check` is measured at 20 times as many rows, too. In alternating rounds, decodes Parquet files with the `parquet` crate, checks one against a saved baseline of the
//! other, and builds that baseline. Both sides use as many threads: units of a row group and a column, read in batches
//! of 16 Ki rows. Three data sets: `table` and `normals` (see [`generate`]), and real flights if `DRIFTLEAD_DATA`
//! holds them. Printed are medians of wall and CPU seconds, their ratios, and the peak memory of a `check` in a process
//! of its own.

mod generate;
mod say;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use driftlead::config::Config;
use driftlead::job::baseline;
use driftlead::job::check::Check;
use driftlead::job::windows::Bounds;
use driftlead_connectors::baseline_file::Replaces;
use driftlead_connectors::dataset::Remotes;
use generate::Shape;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use say::say;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const SHAPES: [(&str, Shape); 2] = [("table", Shape::Table), ("normals", Shape::Normals)];

const BATCH_ROWS: usize = 16 << 10;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, baseline, data] = args.as_slice()
        && flag == "--memory-of-check"
    {
        check(baseline, data)?;
        say(&format!("{}", peak_kilobytes()?));
        return Ok(());
    }
    if let [_, flag, folder, rows] = args.as_slice()
        && flag == "--generate"
    {
        let (folder, rows) = (Path::new(folder), rows.parse()?);
        for (name, shape) in SHAPES {
            generate::file(&folder.join(format!("{name}-reference.parquet")), shape, rows, 1, 0.0)?;
            generate::file(&folder.join(format!("{name}-current.parquet")), shape, rows, 2, 0.3)?;
        }
        return Ok(());
    }
    let number = |at: usize, default: usize| args.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, rounds) = (number(1, 1_000_000)?, number(2, 5)?);
    let folder = std::env::temp_dir().join(format!("driftlead-batch-{rows}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure_all(&folder, rows, rounds).and_then(|()| memory_of_many(&folder, 20 * rows));
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure_all(folder: &Path, rows: usize, rounds: usize) -> Result<(), Failure> {
    for (name, shape) in SHAPES {
        let reference = generate::file(&folder.join("reference.parquet"), shape, rows, 1, 0.0)?;
        let current = generate::file(&folder.join("current.parquet"), shape, rows, 2, 0.3)?;
        measure(&format!("{name}, {rows} rows x 25 columns"), folder, &reference, &current, rounds)?;
    }
    match std::env::var("DRIFTLEAD_DATA").map(|data| Path::new(&data).join("flights-3m.parquet")) {
        Ok(flights) if flights.exists() => {
            let flights = flights.to_string_lossy().into_owned();
            measure("flights, 3000000 rows x 5 columns", folder, &flights, &flights, rounds)
        }
        _ => {
            say("flights: DRIFTLEAD_DATA does not hold flights-3m.parquet; `make test` fetches it");
            Ok(())
        }
    }
}

/// Lines that begin with `target:` are gathered into one table by `make bench`.
fn target(job: &str, reached: &str, aim: &str, limit: &str) {
    say(&format!("target: {job} | {reached} | {aim} | {limit}"));
}

/// The memory of a `check` of many more rows, against the baseline of one row group of them.
fn memory_of_many(folder: &Path, rows: usize) -> Result<(), Failure> {
    let reference = generate::file(&folder.join("reference.parquet"), Shape::Table, 1 << 20, 1, 0.0)?;
    let current = generate::file(&folder.join("current.parquet"), Shape::Table, rows, 2, 0.3)?;
    let saved = folder.join("saved.parquet").to_string_lossy().into_owned();
    build(&reference, &saved)?;
    let megabytes = memory(&saved, &current)?;
    let limit = if megabytes <= 200.0 { "" } else { "see above" };
    target(&format!("memory of check, {rows} rows x 25"), &format!("{megabytes:.0} MB"), "200 MB", limit);
    Ok(())
}

/// Peak resident megabytes of a `check` in a process of its own.
fn memory(saved: &str, current: &str) -> Result<f64, Failure> {
    let child = std::process::Command::new(std::env::current_exe()?)
        .args(["--memory-of-check", saved, current])
        .output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into_owned().into());
    }
    let kilobytes: f64 = String::from_utf8(child.stdout)?.trim().parse()?;
    Ok(kilobytes / 1024.0)
}

fn measure(name: &str, folder: &Path, reference: &str, current: &str, rounds: usize) -> Result<(), Failure> {
    let saved = folder.join("saved.parquet").to_string_lossy().into_owned();
    let names = build(reference, &saved)?;
    let mut times: [Vec<(f64, f64)>; 4] = Default::default();
    for _ in 0..rounds {
        times[0].push(timed(|| decode(current, &names))?);
        times[1].push(timed(|| check(&saved, current))?);
        times[2].push(timed(|| decode(reference, &names).and_then(|()| decode(current, &names)))?);
        times[3].push(timed(|| build(reference, &saved).and_then(|_| check(&saved, current)))?);
    }
    let [decode_one, check_one, decode_two, both] = times.map(medians);
    say(&format!("\n{name}, {} threads, medians of {rounds}", rayon::current_num_threads()));
    say("job                        wall s   cpu s");
    for (name, (wall, cpu)) in [
        ("decode current", decode_one),
        ("check, saved baseline", check_one),
        ("decode both", decode_two),
        ("baseline + check", both),
    ] {
        say(&format!("{name:24} {wall:8.3} {cpu:7.3}"));
    }
    let row = |job: &str, a: (f64, f64), b: (f64, f64), aim: f64, limit: &str| {
        let (wall, cpu) = (a.0 / b.0, a.1 / b.1);
        let limit = if wall <= aim { "" } else { limit };
        target(
            &format!("{job}, {name}"),
            &format!("{wall:.2}x wall, {cpu:.2}x CPU"),
            &format!("{aim}x"),
            limit,
        );
    };
    row("check, saved baseline", check_one, decode_one, 1.25, "counting costs more than decoding");
    row("baseline + check", both, decode_two, 1.5, "as above, and sums by cell");
    let megabytes = memory(&saved, current)?;
    let limit = if megabytes <= 200.0 { "" } else { "see above" };
    target(&format!("memory of check, {name}"), &format!("{megabytes:.0} MB"), "200 MB", limit);
    Ok(())
}

/// Reads the columns `names` of every row group and throws the batches away.
fn decode(path: &str, names: &[String]) -> Result<(), Failure> {
    let metadata = ArrowReaderMetadata::load(&File::open(path)?, Default::default())?;
    let groups = metadata.metadata().num_row_groups();
    let schema = metadata.metadata().file_metadata().schema_descr();
    let columns: Vec<usize> = (0..schema.num_columns())
        .filter(|column| names.iter().any(|name| name == schema.column(*column).name()))
        .collect();
    let units: Vec<(usize, usize)> =
        (0..groups).flat_map(|group| columns.iter().map(move |column| (group, *column))).collect();
    units.into_par_iter().try_for_each(|(group, column)| {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path)?, metadata.clone());
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
        let reader =
            builder.with_projection(mask).with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build()?;
        for batch in reader {
            std::hint::black_box(batch?);
        }
        Ok(())
    })
}

/// Builds and saves a baseline; gives the names of its features.
fn build(reference: &str, saved: &str) -> Result<Vec<String>, Failure> {
    let remotes = Arc::new(Remotes::default());
    let config = Config::first_look();
    let loaded = baseline::build(&config, &[reference.to_owned()], &remotes)?;
    baseline::write(&config, &loaded, saved, Replaces::Nothing, &remotes)?;
    Ok(loaded.baseline.features().iter().map(|feature| feature.name().to_owned()).collect())
}

fn check(baseline: &str, current: &str) -> Result<(), Failure> {
    let check = Check {
        config: Config::first_look(),
        model_file: None,
        baseline: vec![baseline.to_owned()],
        data: vec![current.to_owned()],
        bounds: Bounds::default(),
    };
    std::hint::black_box(check.run(&Arc::new(Remotes::default()))?);
    Ok(())
}

fn timed(job: impl FnOnce() -> Result<(), Failure>) -> Result<(f64, f64), Failure> {
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    job()?;
    Ok((began.elapsed().as_secs_f64(), cpu_seconds()? - cpu))
}

fn medians(mut times: Vec<(f64, f64)>) -> (f64, f64) {
    let middle = times.len() / 2;
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wall = times[middle].0;
    times.sort_by(|a, b| a.1.total_cmp(&b.1));
    (wall, times[middle].1)
}

/// User and system time of this process, from the kernel's own clock ticks.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / 100.0)
}

fn peak_kilobytes() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
