//! Rows of every type that a stream can hold, with what is hard about each: the same as JSON records, as a baseline and as
//! a Parquet file of typed columns (SEMANTICS S4).

use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray, StringArray,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::rows::{BEGIN, Row};
use crate::support::folder::{Folder, times};
use crate::support::random::Random;

/// The model of these rows.
pub(super) const MODEL: &str = r#"
model: rows
version: "1"
baseline: baseline.parquet
source: rows
time: ts
id: id
window: {length: 10m, out_of_orderness: 60s, lateness: 60s, idle: 100ms, future: 5m}
segments: [s]
features:
  single: numeric
  double: numeric
  price: numeric
  whole: numeric
  s: categorical
  flag: categorical
  seen: numeric
  vector: {kind: embedding, dim: 6, mmd: true}
  code: {kind: embedding, dim: 6}
alert: {windows: 2 of 3, resolve_after: 2}
sinks: [record]
"#;

/// A row before it is written.
struct Wide {
    time: i64,
    /// A number in columns and text in records; the baseline has none.
    id: Option<i64>,
    single: Option<f32>,
    double: Option<f64>,
    /// Hundredths.
    price: Option<i128>,
    whole: Option<i64>,
    s: Option<&'static str>,
    flag: Option<bool>,
    /// Microseconds since the epoch.
    seen: Option<i64>,
    /// As an array of numbers; some have another length, or hold a null or only zeros.
    vector: Option<Vec<Option<f32>>>,
    /// As base64 text.
    code: Option<String>,
}

fn vector(random: &mut Random, drift: f64) -> Vec<Option<f32>> {
    let latent = [random.normal() + drift, random.normal()];
    (0..6).map(|j| Some((latent[j % 2] * 2.0 + random.normal()) as f32 + 1.0)).collect()
}

fn draw(random: &mut Random, time: i64, drift: f64) -> Wide {
    let some = |random: &mut Random| random.below(40) != 0;
    let kind = random.below(30);
    Wide {
        time,
        id: (kind != 14).then_some(time / 7),
        single: some(random).then(|| match kind {
            0 => f32::NAN,
            1 => f32::MIN_POSITIVE / 2.0,
            2 => f32::MAX,
            _ => (random.normal() + drift) as f32,
        }),
        double: some(random).then(|| match kind {
            0 => f64::NAN,
            1 | 2 => 10f64.powf(600.0 * random.uniform() - 300.0),
            3 => -10f64.powf(600.0 * random.uniform() - 300.0),
            4 => -0.0,
            _ => random.normal() + drift,
        }),
        price: some(random).then(|| match kind {
            5 => 0,
            // More digits than a double holds.
            6 => 12_345_678_901_234_567 + random.below(3) as i128,
            _ => (10_000.0 * random.uniform()) as i128,
        }),
        whole: some(random).then(|| match kind {
            7 => i64::MAX - random.below(2) as i64,
            8 => i64::MIN + random.below(2) as i64,
            // Neighbours that are one double.
            9 => (1 << 53) + random.below(4) as i64,
            _ => random.below(1_000) as i64,
        }),
        s: some(random).then(|| ["a", "b", "\u{e4}\u{1f6a2}", "\"quoted\\\"", ""][random.below(5)]),
        flag: some(random).then(|| random.uniform() < 0.3),
        seen: some(random).then(|| time - (3_600e6 * random.uniform()) as i64),
        vector: some(random).then(|| {
            let mut own = vector(random, drift);
            match kind {
                10 => own.truncate(5),
                11 => own[3] = None,
                12 => own.fill(Some(0.0)),
                _ => {}
            }
            own
        }),
        code: some(random).then(|| match kind {
            13 => "no base64".to_owned(),
            14 => "AAAA".to_owned(),
            _ => {
                let bytes = vector(random, drift).into_iter().flatten().flat_map(f32::to_le_bytes);
                BASE64_STANDARD.encode(bytes.collect::<Vec<u8>>())
            }
        }),
    }
}

impl Wide {
    fn json(&self) -> String {
        fn show<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
            value.map_or_else(|| "null".to_owned(), text)
        }
        let text = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            r#"{{"ts":{},"id":{},"single":{},"double":{},"price":{},"whole":{},"s":{},"flag":{},"seen":{},"vector":{},"code":{}}}"#,
            text(&rfc3339(self.time)),
            show(self.id, |own| text(&own.to_string())),
            show(self.single, |own| if own.is_nan() { "NaN".to_owned() } else { format!("{own:e}") }),
            show(self.double, |own| if own.is_nan() { "NaN".to_owned() } else { format!("{own:e}") }),
            show(self.price, |own| format!("{}.{:02}", own / 100, own % 100)),
            show(self.whole, |own| own.to_string()),
            show(self.s, text),
            show(self.flag, |own| own.to_string()),
            show(self.seen, |own| text(&rfc3339(own))),
            show(self.vector.as_ref(), |own| {
                let numbers = own.iter().map(|x| show(*x, |x| format!("{x:e}")));
                format!("[{}]", numbers.collect::<Vec<_>>().join(","))
            }),
            show(self.code.as_deref(), text),
        )
    }
}

/// `n` rows over `hours`, up to 30 seconds out of order, as a stream; and the same as the file `all.parquet`.
pub(super) fn rows(folder: &Folder, n: usize, hours: i64, seed: u64) -> Vec<Row> {
    let mut random = Random::new(seed);
    let step = hours * 3_600_000_000 / i64::try_from(n).expect("small");
    let mut rows: Vec<(i64, Wide)> = (0..n)
        .map(|at| {
            let time = BEGIN + step * i64::try_from(at).expect("small");
            let shown = time - (random.uniform() * 30e6) as i64;
            (shown, draw(&mut random, time, if at > n / 2 { 1.0 } else { 0.0 }))
        })
        .collect();
    rows.sort_by_key(|(shown, _)| *shown);
    let rows: Vec<Wide> = rows.into_iter().map(|(_, row)| row).collect();
    let mut all = columns(&rows);
    all.push(("id", Arc::new(rows.iter().map(|row| row.id).collect::<Int64Array>())));
    folder.parquet("all.parquet", all);
    rows.iter().map(|row| Row { time: row.time, json: row.json() }).collect()
}

/// A baseline of 3,000 rows without drift.
pub(super) fn baseline(folder: &Folder) {
    let mut random = Random::new(5);
    let rows: Vec<Wide> =
        (0..3_000).map(|at| draw(&mut random, BEGIN - 86_400_000_000 + 28_800_000 * at, 0.0)).collect();
    folder.parquet("baseline.parquet", columns(&rows));
}

fn columns(rows: &[Wide]) -> Vec<(&'static str, ArrayRef)> {
    let price: Decimal128Array = rows.iter().map(|row| row.price).collect();
    let price = price.with_precision_and_scale(20, 2).expect("they fit");
    let seen = arrow_array::TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.seen));
    vec![
        ("ts", times(rows.iter().map(|row| row.time))),
        ("single", Arc::new(rows.iter().map(|row| row.single).collect::<Float32Array>())),
        ("double", Arc::new(rows.iter().map(|row| row.double).collect::<Float64Array>())),
        ("price", Arc::new(price)),
        ("whole", Arc::new(rows.iter().map(|row| row.whole).collect::<Int64Array>())),
        ("s", Arc::new(rows.iter().map(|row| row.s).collect::<StringArray>())),
        ("flag", Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>())),
        ("seen", Arc::new(seen)),
        (
            "vector",
            Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(
                rows.iter().map(|row| row.vector.clone()),
            )),
        ),
        ("code", Arc::new(rows.iter().map(|row| row.code.as_deref()).collect::<StringArray>())),
    ]
}

fn rfc3339(micros: i64) -> String {
    driftlead::time::Timestamp::from_micros(micros).to_string()
}
