//! `GET /api/v1/status`: the service at a glance.
//!
//! The numbers are those of `/metrics`; what they count stands in docs/operations.md.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::exposition::samples;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::serve::health::SourceHealth;
use crate::time::Timestamp;

/// What is known of a source, a window name and so on, by its labels.
type Counts = BTreeMap<(String, String), u64>;

pub(super) async fn status(call: Call) -> Answer {
    let face = &call.face;
    let now = face.clock.now();
    let sinks = face.reader.ask(|reader| reader.sinks()).await?.map_err(|error| Problem::of_store(&error))?;
    let text = face.numbers().await?;
    let waits = face.health.waits(now);
    let started = face.started;
    reply::value(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": Timestamp::from_micros(now).to_string(),
        "started": Timestamp::from_micros(started).to_string(),
        "uptime_seconds": now.saturating_sub(started).max(0) / 1_000_000,
        "ready": waits.is_empty(),
        "waits": waits,
        "models": face.board.sheet().models.len(),
        "open_alerts": total(&text, "driftlead_open_alerts"),
        "commits": total(&text, "driftlead_commits_total"),
        "messages": {
            "pending": sinks.iter().map(|sink| sink.pending).sum::<u64>(),
            "dead": sinks.iter().map(|sink| sink.dead).sum::<u64>(),
            "expired": sinks.iter().map(|sink| sink.expired).sum::<u64>(),
        },
        "sources": sources(&text, &face.health.sources()),
        "windows": windows(&text),
    }))
}

fn sources(text: &str, health: &BTreeMap<String, SourceHealth>) -> Vec<Value> {
    let by_source = |name: &str| sums(text, name, ["source", ""]);
    let records = by_source("driftlead_source_records_total");
    let bad = by_source("driftlead_source_bad_records_total");
    let gaps = by_source("driftlead_source_gaps_total");
    let lag = by_source("driftlead_source_lag_records");
    health
        .iter()
        .map(|(name, health)| {
            let of = |counts: &Counts| counts.get(&(name.clone(), String::new())).copied();
            let (state, message) = match health {
                SourceHealth::Starting => ("starting", None),
                SourceHealth::Reading => ("reading", None),
                SourceHealth::Troubled { message } => ("troubled", Some(message)),
                SourceHealth::Ended => ("ended", None),
            };
            json!({
                "name": name,
                "state": state,
                "message": message,
                "records": of(&records).unwrap_or(0),
                "bad_records": of(&bad).unwrap_or(0),
                "gaps": of(&gaps).unwrap_or(0),
                // Not every source can tell how much there is to read.
                "lag_records": of(&lag),
            })
        })
        .collect()
}

fn windows(text: &str) -> Vec<Value> {
    let by_window = |name: &str| sums(text, name, ["model", "window"]);
    let late = by_window("driftlead_late_rows_total");
    let after = by_window("driftlead_late_after_final_rows_total");
    let delays: BTreeMap<(String, String), Option<f64>> = samples(text, "driftlead_watermark_delay_seconds")
        .map(|sample| {
            ((sample.label("model").to_owned(), sample.label("window").to_owned()), sample.number())
        })
        .collect();
    by_window("driftlead_rows_total")
        .iter()
        .map(|(key, rows)| {
            json!({
                "model": key.0,
                "name": key.1,
                "rows": rows,
                "late_rows": late.get(key).copied().unwrap_or(0),
                "late_after_final_rows": after.get(key).copied().unwrap_or(0),
                "watermark_delay_seconds": delays.get(key).copied().flatten(),
            })
        })
        .collect()
}

/// The samples of a metric, added up by two of their labels.
fn sums(text: &str, name: &str, labels: [&str; 2]) -> Counts {
    let mut sums = Counts::new();
    for sample in samples(text, name) {
        let [first, second] = labels.map(|label| sample.label(label).to_owned());
        let sum = sums.entry((first, second)).or_default();
        *sum = sum.saturating_add(sample.count());
    }
    sums
}

fn total(text: &str, name: &str) -> u64 {
    samples(text, name).map(|sample| sample.count()).fold(0, u64::saturating_add)
}
