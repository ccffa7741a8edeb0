//! Alerts of Azure Monitor, taken in and shown beside the service's own (`docs/azure.md`).

use std::sync::Arc;

use axum::http::StatusCode;
use driftlead_connectors::store::{AlertStatus, ExternalAlert, Heard, Reader};
use serde_json::{Value, json};

use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::azure::incoming;
use crate::serve::board::Sheet;
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
    let mut answer = shown(&found, &call.face.board.sheet())?;
    answer["news"] = json!(heard == Heard::News);
    Ok(reply::json(StatusCode::OK, reply::write(&answer)?))
}

/// Those of a model and of a status, if they are named, the last fired first. Of a model are those that name it, and of
/// those that name none the ones that its settings lay claim to: by the settings of now, whenever the alert came.
pub(super) async fn beside(
    call: &Call,
    model: Option<String>,
    status: Option<AlertStatus>,
) -> Result<Vec<Value>, Problem> {
    let sheet = call.face.board.sheet();
    let by = Arc::clone(&sheet);
    let ask = move |reader: &mut Reader| {
        let is_of = |alert: &ExternalAlert| match (&model, &alert.model) {
            (None, _) => true,
            (Some(asked), Some(named)) => asked == named,
            (Some(asked), None) => claims(alert, &by).contains(asked),
        };
        reader.external_alerts(status, SHOWN, is_of)
    };
    let all = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    all.iter().map(|alert| shown(alert, &sheet)).collect()
}

/// The models whose settings lay claim to the target or the rule of an alert.
fn claims(alert: &ExternalAlert, sheet: &Sheet) -> Vec<String> {
    let document: Value = serde_json::from_str(&alert.document).unwrap_or_default();
    let essentials = &document["data"]["essentials"];
    let targets = || essentials["alertTargetIDs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let rule = essentials["alertRule"].as_str().unwrap_or_default();
    let id = essentials["alertRuleId"].as_str().or_else(|| essentials["alertRuleID"].as_str());
    let all = sheet.models.iter().map(|own| &own.config);
    all.filter(|own| own.azure.covers(targets(), rule, id)).map(|own| own.model.clone()).collect()
}

fn shown(alert: &ExternalAlert, sheet: &Sheet) -> Result<Value, Problem> {
    let document: Value = serde_json::from_str(&alert.document)
        .map_err(|error| Problem::internal(&format!("the document of alert `{}`: {error}", alert.id)))?;
    let time = |micros: i64| Timestamp::from_micros(micros).to_string();
    let essential = |key: &str| document["data"]["essentials"][key].clone();
    Ok(json!({
        "origin": alert.origin,
        "id": alert.id,
        "state": alert.status.name(),
        "model": alert.model,
        // The one that it names, whether or not there is one.
        "models": alert.model.clone().map_or_else(|| claims(alert, sheet), |named| vec![named]),
        "rule": essential("alertRule"),
        "severity": essential("severity"),
        "fired": time(alert.fired),
        "resolved": alert.resolved.map(time),
        "received": time(alert.received),
        "document": document,
    }))
}
