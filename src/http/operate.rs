//! What an operator has the service do, and its description.

use axum::http::StatusCode;
use serde_json::json;

use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;

/// The description of the API, as OpenAPI 3.1.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`.
pub(super) async fn document(_: Call) -> Answer {
    Ok(reply::json(StatusCode::OK, DOCUMENT.to_owned()))
}

/// `POST /api/v1/reload`: reads the settings again. Files with problems change nothing.
pub(super) async fn reload(call: Call) -> Answer {
    let by = call.who;
    let changed = call.face.reloads.ask(move |commands| commands.reload(&by)).await?;
    let changed = changed.map_err(|error| Problem::of_command(&error))?;
    reply::value(&json!({"changed": changed}))
}
