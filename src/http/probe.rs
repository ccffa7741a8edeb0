//! Whether the service is alive and ready, and its metrics: what machines ask every few seconds.
//!
//! Health is for everybody, because what asks for it often cannot keep a token; it says nothing that a token would guard.

use axum::http::StatusCode;
use serde_json::json;

use super::reply::{self, Answer};
use super::route::Call;

/// `GET /healthz`: 503 if the service should be restarted.
pub(super) async fn health(call: Call) -> Answer {
    let stuck: Vec<String> = call.face.health.stuck(call.face.clock.now()).into_iter().collect();
    Ok(probe(["ok", "stuck"], &stuck))
}

/// `GET /readyz`: 503 with what the service waits for.
pub(super) async fn ready(call: Call) -> Answer {
    Ok(probe(["ready", "waiting"], &call.face.health.waits(call.face.clock.now())))
}

/// `GET /metrics`: everything that the service counts, as OpenMetrics.
pub(super) async fn metrics(call: Call) -> Answer {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(reply::text(StatusCode::OK, kind, call.face.numbers().await?))
}

fn probe([fine, not]: [&str; 2], reasons: &[String]) -> axum::response::Response {
    let (status, word) =
        if reasons.is_empty() { (StatusCode::OK, fine) } else { (StatusCode::SERVICE_UNAVAILABLE, not) };
    reply::json(status, json!({"status": word, "reasons": reasons}).to_string())
}
