//! Rows for a stream: the same as JSON records, and as a file for `check`.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Float64Array, Int64Array, StringArray};

use crate::support::folder::{Folder, times};
use crate::support::random::Random;

/// A record of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Microseconds since the epoch.
    pub(crate) time: i64,
    pub(crate) json: String,
}

/// 2001-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 978_307_200_000_000;

/// `n` rows over `hours`, in the order in which they are written: up to `jitter` seconds out of order. What is hard is in
/// them: nulls, values from 1e-300 to 1e300, 17 digits, new categories, and drift in the second half.
pub(crate) fn rows(n: usize, hours: i64, jitter: i64, seed: u64) -> Vec<Row> {
    let mut random = Random::new(seed);
    let span = hours * 3_600_000_000;
    let mut rows: Vec<(i64, Row)> = (0..n)
        .map(|at| {
            let time = BEGIN + span * i64::try_from(at).expect("small") / i64::try_from(n).expect("small");
            let shown = time - (random.uniform() * jitter as f64 * 1e6) as i64;
            let drifts = at > n / 2;
            let x = match at % 50 {
                0 => "null".to_owned(),
                1 => format!("{:e}", 10f64.powf(600.0 * random.uniform() - 300.0)),
                _ => format!("{}", random.normal() + if drifts { 1.0 } else { 0.0 }),
            };
            let y = (random.uniform() * 12.0) as i64;
            let c = match (random.uniform() * 10.0) as u32 {
                0 if drifts => "new",
                0..=4 => "a",
                5..=7 => "b",
                _ => "c",
            };
            let ts = rfc3339(time);
            let json = format!(r#"{{"ts":"{ts}","x":{x},"y":{y},"c":"{c}"}}"#);
            (shown, Row { time, json })
        })
        .collect();
    rows.sort_by_key(|(shown, _)| *shown);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A baseline of 6,000 rows without drift, as a Parquet file, and beside it as lines of JSON for whoever reads no Parquet.
pub(crate) fn baseline(folder: &Folder) -> String {
    let mut random = Random::new(4);
    let n = 6_000;
    let x: Float64Array = (0..n).map(|at| (at % 50 != 0).then(|| random.normal())).collect();
    let y: Int64Array = (0..n).map(|_| Some((random.uniform() * 12.0) as i64)).collect();
    let c: StringArray = (0..n)
        .map(|_| {
            Some(match (random.uniform() * 10.0) as u32 {
                0..=4 => "a",
                5..=7 => "b",
                _ => "c",
            })
        })
        .collect();
    let lines: Vec<String> = (0..n)
        .map(|at| {
            let x = if x.is_null(at) { "null".to_owned() } else { format!("{:e}", x.value(at)) };
            format!(r#"{{"x":{x},"y":{},"c":"{}"}}"#, y.value(at), c.value(at))
        })
        .collect();
    folder.write("baseline.ndjson", lines.join("\n") + "\n");
    // A day, long enough for the design effect of windows of ten minutes.
    let ts = times((0..6_000).map(|at| BEGIN - 86_400_000_000 + at * 14_400_000));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("ts", ts), ("x", Arc::new(x)), ("y", Arc::new(y)), ("c", Arc::new(c))];
    folder.parquet("baseline.parquet", columns)
}

/// All rows as a file of lines.
pub(crate) fn file(folder: &Folder, name: &str, rows: &[Row]) -> String {
    let lines: Vec<&str> = rows.iter().map(|row| row.json.as_str()).collect();
    folder.write(name, lines.join("\n") + "\n")
}

/// Rows more for such a file.
pub(crate) fn append(folder: &Folder, name: &str, rows: &[Row]) {
    let path = folder.path(name);
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("the file");
    for row in rows {
        writeln!(file, "{}", row.json).expect("written");
    }
}

fn rfc3339(micros: i64) -> String {
    driftlead::time::Timestamp::from_micros(micros).to_string()
}
