//! What other programs see of the service: metrics and health.

pub mod auth;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use self::auth::{Refusal, Scope, Tokens};
use crate::clock::Clock;
use crate::exit::{Error, Result};
use crate::serve::Service;
use crate::serve::counters::Counters;
use crate::serve::health::Health;

/// How the face is shown.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Who may ask.
    pub tokens: Tokens,
}

struct Face {
    counters: Arc<Counters>,
    health: Arc<Health>,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
}

/// Begins to listen, on the runtime that this is called on; answers the address.
///
/// # Errors
///
/// The address is taken or not this machine's.
pub async fn start(settings: &Settings, service: &Service, clock: &Arc<dyn Clock>) -> Result<SocketAddr> {
    let address = settings.listen;
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Error::input(format!("cannot listen on `{address}`: choose another address with `listen`"))
            .because(error)
    })?;
    let bound = listener.local_addr().map_err(|error| Error::run("the address is unknown").because(error))?;
    let face = Face {
        counters: service.counters.clone(),
        health: service.health.clone(),
        tokens: settings.tokens.clone(),
        clock: clock.clone(),
    };
    let router = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(face));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(bound)
}

async fn alive(State(face): State<Arc<Face>>) -> Response {
    answer(face.health.stuck(face.clock.now()).into_iter().collect())
}

async fn ready(State(face): State<Arc<Face>>) -> Response {
    answer(face.health.waits(face.clock.now()))
}

fn answer(reasons: Vec<String>) -> Response {
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(json!({"ok": reasons.is_empty(), "reasons": reasons}))).into_response()
}

async fn metrics(State(face): State<Arc<Face>>, headers: HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match face.tokens.admit(shown, Scope::Read) {
        Ok(_) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], face.counters.text()).into_response()
        }
        Err(Refusal::Unknown) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "a token is needed")
                .into_response()
        }
        Err(Refusal::Forbidden { needed }) => {
            (StatusCode::FORBIDDEN, format!("a token of scope `{}` is needed", needed.word())).into_response()
        }
    }
}
