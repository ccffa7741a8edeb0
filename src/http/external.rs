//! Alerts of Azure Monitor, taken in and shown beside the service's own (`docs/azure.md`).

use axum::http::StatusCode;
use driftlead_connectors::store::{AlertStatus, ExternalAlert, Heard};
use serde_json::{Value, json};

use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::azure::incoming;
use crate::time::Timestamp;

/// The most bytes of an alert: what Azure sends at most.
pub(super) const LARGEST: usize = 256 * 1024;
/// The most that are shown beside a page of alerts.
const SHOWN: usize = 100;

/// `POST /api/v1/azure/alerts`: an alert of the common alert schema. The same one again changes nothing.
pub(super) async fn take(mut call: Call) -> Answer {
    let body: Value = call.body()?;
    let alert = incoming::read(&body, call.face.clock.now()).map_err(Problem::refused)?;
    let id = alert.id.clone();
    let heard = call.face.outbox.ask(move |outbox| outbox.hear(&alert)).await?;
    let heard = heard.map_err(|error| Problem::of_store(&error))?;
    let found = call.face.reader.ask(move |reader| reader.external_alert(incoming::ORIGIN, &id)).await?;
    let found = found
        .map_err(|error| Problem::of_store(&error))?
        .ok_or_else(|| Problem::internal("an alert of Azure is gone as soon as it was kept"))?;
    let mut answer = shown(&found)?;
    answer["news"] = json!(heard == Heard::News);
    Ok(reply::json(StatusCode::OK, reply::write(&answer)?))
}

/// Those of a model and of a status, if they are named, the last fired first.
pub(super) async fn beside(
    call: &Call,
    model: Option<String>,
    status: Option<AlertStatus>,
) -> Result<Vec<Value>, Problem> {
    let ask = move |reader: &mut driftlead_connectors::store::Reader| {
        reader.external_alerts(model.as_deref(), status, SHOWN)
    };
    let all = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    all.iter().map(shown).collect()
}

fn shown(alert: &ExternalAlert) -> Result<Value, Problem> {
    let document: Value = serde_json::from_str(&alert.document)
        .map_err(|error| Problem::internal(&format!("the document of alert `{}`: {error}", alert.id)))?;
    let time = |micros: i64| Timestamp::from_micros(micros).to_string();
    let essential = |key: &str| document["data"]["essentials"][key].clone();
    Ok(json!({
        "origin": alert.origin,
        "id": alert.id,
        "state": alert.status.name(),
        "model": alert.model,
        "rule": essential("alertRule"),
        "severity": essential("severity"),
        "fired": time(alert.fired),
        "resolved": alert.resolved.map(time),
        "received": time(alert.received),
        "document": document,
    }))
}
