//! Models: the settings at work, what they are compared with, and what was last said of them.
//!
//! Paths are not shown, nor anything that comes from the environment: an address may carry a key.

use std::collections::BTreeMap;

use driftlead_connectors::Error;
use driftlead_connectors::store::{AlertFilter, AlertStatus, Reader, Segments, StoredWindow, WindowFilter};
use driftlead_engine::policy::{Bounds, Gate, Rule};
use serde_json::{Map, Value, json};

use super::exposition::samples;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use super::windows::unknown_model;
use crate::config::{Config, Window};
use crate::job::segments::pairs_of;
use crate::report::wire::Segment;
use crate::serve::board::ShownModel;
use crate::time::Timestamp;

/// Alerts that are read at once.
const PAGE: usize = 1_000;

/// `GET /api/v1/models`: a line each.
pub(super) async fn list(call: Call) -> Answer {
    let sheet = call.face.board.sheet();
    let asked: Vec<(String, Vec<String>)> = sheet.models.iter().map(|own| wanted(&own.config)).collect();
    let ask = move |reader: &mut Reader| {
        let open = open_alerts(reader)?;
        let newest =
            asked.iter().map(|(model, names)| newest(reader, model, names)).collect::<Result<Vec<_>, _>>()?;
        Ok((open, newest))
    };
    let (open, newest) = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    let text = call.face.numbers().await?;
    let items: Vec<Value> = sheet
        .models
        .iter()
        .zip(&newest)
        .map(|(model, newest)| Value::Object(summary(model, newest, &open, &text)))
        .collect();
    reply::value(&json!({"items": items}))
}

/// `GET /api/v1/models/{model}`: one with its settings.
pub(super) async fn one(call: Call) -> Answer {
    let name = call.part(0).to_owned();
    let sheet = call.face.board.sheet();
    let model = sheet.model(&name).ok_or_else(|| unknown_model(&name, &sheet))?;
    let (asked, names) = wanted(&model.config);
    let ask = move |reader: &mut Reader| Ok((open_alerts(reader)?, newest(reader, &asked, &names)?));
    let (open, newest) = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    let mut answer = summary(model, &newest, &open, &call.face.numbers().await?);
    answer.extend(settings(model));
    reply::value(&answer)
}

fn wanted(config: &Config) -> (String, Vec<String>) {
    (config.model.clone(), config.windows.iter().map(|window| window.name.clone()).collect())
}

/// The newest window of the whole for each name.
fn newest(reader: &Reader, model: &str, names: &[String]) -> Result<Vec<Option<StoredWindow>>, Error> {
    names
        .iter()
        .map(|name| {
            let filter = WindowFilter {
                model: model.to_owned(),
                name: Some(name.clone()),
                segment: Segments::Whole,
                ..WindowFilter::default()
            };
            Ok(reader.windows(&filter, None, 1)?.items.pop())
        })
        .collect()
}

/// How many alerts of each model are open.
fn open_alerts(reader: &Reader) -> Result<BTreeMap<String, u64>, Error> {
    let filter = AlertFilter { status: Some(AlertStatus::Open), ..AlertFilter::default() };
    let mut open = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = reader.alerts(&filter, cursor.as_deref(), PAGE)?;
        for alert in page.items {
            *open.entry(alert.model).or_default() += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(open);
        }
    }
}

fn summary(
    model: &ShownModel,
    newest: &[Option<StoredWindow>],
    open: &BTreeMap<String, u64>,
    numbers: &str,
) -> Map<String, Value> {
    let config = &model.config;
    let windows: Vec<Value> = config
        .windows
        .iter()
        .zip(newest)
        .map(|(window, newest)| {
            let mut shown = describe(window, config);
            shown.insert("newest".to_owned(), newest.as_ref().map_or(Value::Null, glance));
            Value::Object(shown)
        })
        .collect();
    // As of the engine's last look; null before the first row.
    let freshness = samples(numbers, "driftlead_freshness_seconds")
        .find(|sample| sample.label("model") == config.model)
        .and_then(|sample| sample.number());
    let shown = json!({
        "name": config.model,
        "version": config.version,
        "source": config.source,
        "baseline": model.baseline_shown(),
        "freshness_seconds": freshness,
        "open_alerts": open.get(&config.model).copied().unwrap_or(0),
        "windows": windows,
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

/// A window in a line.
fn glance(window: &StoredWindow) -> Value {
    let time = |micros: i64| Timestamp::from_micros(micros).to_string();
    json!({
        "id": window.id,
        "version": window.version,
        "start": window.start.map(time),
        "end": window.end.map(time),
        "verdict": window.verdict,
        "revision": window.revision,
        "final": window.is_final,
        "committed": time(window.committed),
    })
}

fn describe(window: &Window, config: &Config) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| drop(shown.insert(key.to_owned(), value));
    put("name", json!(window.name));
    put("length", json!(window.cut.map(|cut| cut.length.to_string())));
    put("rows", json!(window.rows));
    put("every", json!(window.cut.map(|cut| cut.every.to_string())));
    put("offset", json!(window.cut.map(|cut| cut.offset.to_string())));
    put("lateness", json!(window.lateness.to_string()));
    put("out_of_orderness", json!(window.out_of_orderness.to_string()));
    put("idle", json!(window.idle.to_string()));
    put("future", json!(window.future.to_string()));
    put("min_rows", json!(window.min_rows));
    put(
        "alert",
        json!({
            "windows": config.alert.quorum(window).to_string(),
            "resolve_after": config.alert.resolve_after(window),
            "cooldown": config.alert.cooldown.to_string(),
        }),
    );
    shown
}

/// The settings that only one model's answer has room for.
fn settings(model: &ShownModel) -> Map<String, Value> {
    let config = &model.config;
    let derive: Vec<Value> =
        config.derive.iter().map(|(name, sql)| json!({"name": name, "sql": sql})).collect();
    let features: Vec<Value> = model
        .baseline
        .features()
        .iter()
        .map(|own| {
            let cells = own.cells();
            json!({
                "name": own.name(),
                "kind": cells.kind().name(),
                "type": cells.value_type().to_string(),
                "cutset_id": own.cutset_id(),
            })
        })
        .collect();
    let skipped: Vec<Value> = model
        .baseline
        .skipped()
        .iter()
        .chain(model.baseline.failed())
        .map(|own| json!({"name": own.name, "reason": own.reason}))
        .collect();
    let rules: Vec<Value> = config.rules.iter().map(|own| rule(&own.rule)).collect();
    let shown = json!({
        "time": config.time,
        "where": config.filter,
        "derive": derive,
        "segments": config.segments,
        "features": features,
        "skipped": skipped,
        "thresholds": rules,
        "sinks": config.sinks,
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

fn rule(rule: &Rule) -> Value {
    let bounds = |bounds: Bounds| json!({"warn": bounds.warn, "drift": bounds.drift});
    let segment = |text: &Option<String>| text.as_deref().and_then(pairs_of).map(Segment);
    json!({
        "metric": rule.metric().name(),
        "features": rule.features(),
        "segments": rule.segments().map(|segments| segments.iter().map(segment).collect::<Vec<_>>()),
        "on": rule.on().name(),
        "above": bounds(rule.above()),
        "below": bounds(rule.below()),
        "gate": match rule.gate() {
            Gate::SmallWindows => "small_windows",
            Gate::Significance => "significance",
            Gate::None => "none",
        },
    })
}
