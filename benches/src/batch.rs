//! The batch job against its limit: `check` beside a plain decode of the same columns, in one run.
//!
//! ```text
//! cargo run --release -p driftlead-bench --bin batch -- [ROWS] [ROUNDS]
//! ```
//!
//! Generates two Parquet files of 25 columns (12 normal and 4 lognormal float64, 3 float32, 3 int32, 3 text) and, in
//! alternating rounds, decodes them with the `parquet` crate, checks one against a saved baseline of the other, and
//! builds that baseline. Both sides use as many threads: units of a row group and a column, each read in batches of
//! 16 Ki rows. Printed are medians of wall and CPU seconds and their ratios, and the peak memory of a `check` in a
//! process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float32Array, Float64Array, Int32Array, RecordBatch};
use driftlead::config::Config;
use driftlead::job::baseline;
use driftlead::job::check::Check;
use driftlead::job::windows::Bounds;
use driftlead_connectors::dataset::Remotes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    let number = |at: usize, default: usize| args.get(at).map_or(Ok(default), |text| text.parse());
    let (rows, rounds) = (number(1, 1_000_000)?, number(2, 5)?);
    let folder = std::env::temp_dir().join(format!("driftlead-batch-{rows}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(&folder, rows, rounds);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(folder: &Path, rows: usize, rounds: usize) -> Result<(), Failure> {
    let reference = generate(&folder.join("reference.parquet"), rows, 1, 0.0)?;
    let current = generate(&folder.join("current.parquet"), rows, 2, 0.3)?;
    let saved = folder.join("saved.parquet").to_string_lossy().into_owned();
    build(&reference, &saved)?;
    let mut times: [Vec<(f64, f64)>; 4] = Default::default();
    for _ in 0..rounds {
        times[0].push(timed(|| decode(&current))?);
        times[1].push(timed(|| check(&saved, &current))?);
        times[2].push(timed(|| decode(&reference).and_then(|()| decode(&current)))?);
        times[3].push(timed(|| build(&reference, &saved).and_then(|()| check(&saved, &current)))?);
    }
    let [decode_one, check_one, decode_two, both] = times.map(medians);
    say(&format!("{rows} rows x 25 columns, {} threads, medians of {rounds}", rayon::current_num_threads()));
    say("job                        wall s   cpu s");
    for (name, (wall, cpu)) in [
        ("decode current", decode_one),
        ("check, saved baseline", check_one),
        ("decode both", decode_two),
        ("baseline + check", both),
    ] {
        say(&format!("{name:24} {wall:8.3} {cpu:7.3}"));
    }
    let ratio = |a: (f64, f64), b: (f64, f64)| format!("{:.2} wall, {:.2} cpu", a.0 / b.0, a.1 / b.1);
    say(&format!("check / decode            {}   target 1.25", ratio(check_one, decode_one)));
    say(&format!("baseline + check / decode {}   target 1.5", ratio(both, decode_two)));
    let child = std::process::Command::new(std::env::current_exe()?)
        .args(["--memory-of-check", &saved, &current])
        .output()?;
    let kilobytes: u64 = String::from_utf8(child.stdout)?.trim().parse()?;
    say(&format!("peak memory of check      {:.0} MB   target 200", kilobytes as f64 / 1024.0));
    Ok(())
}

/// Reads every column of every row group and throws the batches away.
fn decode(path: &str) -> Result<(), Failure> {
    let metadata = ArrowReaderMetadata::load(&File::open(path)?, Default::default())?;
    let groups = metadata.metadata().num_row_groups();
    let columns = metadata.metadata().file_metadata().schema_descr().num_columns();
    let units: Vec<(usize, usize)> = (0..groups).flat_map(|g| (0..columns).map(move |c| (g, c))).collect();
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

fn config() -> Config {
    Config::first_look()
}

fn build(reference: &str, saved: &str) -> Result<(), Failure> {
    let remotes = Arc::new(Remotes::default());
    let loaded = baseline::build(&config(), &[reference.to_owned()], &remotes)?;
    baseline::write(&config(), &loaded, saved, &remotes)?;
    Ok(())
}

fn check(baseline: &str, current: &str) -> Result<(), Failure> {
    let check = Check {
        config: config(),
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

/// Writes `rows` rows in row groups of 512 Ki.
fn generate(path: &PathBuf, rows: usize, seed: u64, shift: f64) -> Result<String, Failure> {
    let mut random = Random(seed);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(512 << 10))
        .build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut left = rows;
    while left > 0 {
        let n = left.min(64 << 10);
        left -= n;
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for i in 0..12 {
            let shift = if i == 0 { shift } else { 0.0 };
            let values: Float64Array = (0..n).map(|_| Some(random.normal() + shift)).collect();
            columns.push((format!("normal_{i}"), Arc::new(values)));
        }
        for i in 0..4 {
            let values: Float64Array = (0..n).map(|_| Some((2.0 * random.normal()).exp())).collect();
            columns.push((format!("lognormal_{i}"), Arc::new(values)));
        }
        for i in 0..3 {
            let values: Float32Array = (0..n).map(|_| Some(random.normal() as f32)).collect();
            columns.push((format!("single_{i}"), Arc::new(values)));
        }
        for i in 0..3 {
            let values: Int32Array = (0..n).map(|_| Some((random.normal() * 30.0) as i32)).collect();
            columns.push((format!("integer_{i}"), Arc::new(values)));
        }
        for i in 0..3_i32 {
            let names: Vec<String> = (0..n)
                .map(|_| format!("category {}", (random.normal().abs() * f64::from(10 * (i + 1))) as i32))
                .collect();
            let values: DictionaryArray<Int32Type> = names.iter().map(|name| Some(name.as_str())).collect();
            columns.push((format!("text_{i}"), Arc::new(values)));
        }
        let batch = RecordBatch::try_from_iter(columns)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(
                File::create(path)?,
                batch.schema(),
                Some(properties.clone()),
            )?),
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(path.to_string_lossy().into_owned())
}

/// SplitMix64, and normal values by Box and Muller.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[expect(clippy::print_stdout, reason = "a bench speaks to a person")]
fn say(line: &str) {
    println!("{line}");
}
