//! The table of everything that can be asked, and the one way from a request to its handler.
//!
//! A route says what it takes: its scope, the keys of its query, its body. So a request is refused in one place, in one
//! order (who, what, how), and `openapi.json` can be held against the table by a test.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::auth::Scope;
use super::external;
use super::face::Face;
use super::ingest::{self, Delivery};
use super::problem::Problem;
use super::query::Query;
use super::reply::Answer;
use super::{alerts, features, models, operate, outbox, probe, silences, status, windows};

/// The most bytes of a body.
pub(super) const BODY: usize = 64 * 1024;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handler at work.
type Running = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Whether a route takes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It looks at none.
    Nothing,
    /// It may have one.
    Perhaps,
    /// It must have one.
    Body,
    /// It must have one, an alert of Azure, which may be long.
    Alert,
    /// It must have one, of rows, which [`ingest`] reads.
    Rows,
}

/// Something that can be asked.
pub(super) struct Route {
    pub(super) method: Method,
    /// With names in braces, as axum and OpenAPI have them.
    pub(super) path: &'static str,
    /// What it takes; `None` is for everybody.
    pub(super) scope: Option<Scope>,
    /// The keys of its query.
    pub(super) query: &'static [&'static str],
    pub(super) takes: Takes,
    run: fn(Call) -> Running,
}

/// A request that has been let in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) face: Arc<Face>,
    /// The values of the path's names, in order.
    path: Vec<String>,
    pub(super) query: Query,
    /// A JSON object, if there was a body.
    body: Option<Value>,
    /// Rows, if it takes some.
    pub(super) rows: Option<Delivery>,
    /// Whose token it was.
    pub(super) who: String,
}

impl Call {
    /// The value of the path's `at`th name.
    pub(super) fn part(&self, at: usize) -> &str {
        self.path.get(at).map_or("", String::as_str)
    }

    /// The body as what the handler takes; `{}` if there was none.
    ///
    /// # Errors
    ///
    /// A key is missing, unknown, or of another type.
    pub(super) fn body<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let body = self.body.take().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        serde_json::from_value(body)
            .map_err(|error| Problem::body(format!("the body is not what was expected: {error}")))
    }
}

/// Makes the future of an async handler one type.
macro_rules! run {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

const READ: Option<Scope> = Some(Scope::Read);
const WRITE: Option<Scope> = Some(Scope::Write);
const ADMIN: Option<Scope> = Some(Scope::Admin);

const fn open(path: &'static str, run: fn(Call) -> Running) -> Route {
    Route { method: Method::GET, path, scope: None, query: &[], takes: Takes::Nothing, run }
}

const fn get(path: &'static str, query: &'static [&'static str], run: fn(Call) -> Running) -> Route {
    Route { method: Method::GET, path, scope: READ, query, takes: Takes::Nothing, run }
}

const fn post(path: &'static str, scope: Option<Scope>, takes: Takes, run: fn(Call) -> Running) -> Route {
    Route { method: Method::POST, path, scope, query: &[], takes, run }
}

const fn delete(path: &'static str, scope: Option<Scope>, run: fn(Call) -> Running) -> Route {
    Route { method: Method::DELETE, path, scope, query: &[], takes: Takes::Nothing, run }
}

/// Everything that can be asked.
pub(super) static ROUTES: [Route; 23] = [
    open("/healthz", run!(probe::health)),
    open("/readyz", run!(probe::ready)),
    get("/metrics", &[], run!(probe::metrics)),
    get("/api/v1/openapi.json", &[], run!(operate::document)),
    get("/api/v1/status", &[], run!(status::status)),
    get("/api/v1/models", &[], run!(models::list)),
    get("/api/v1/models/{model}", &[], run!(models::one)),
    get("/api/v1/models/{model}/features", &["feature", "name", "segment"], run!(features::list)),
    get(
        "/api/v1/models/{model}/windows",
        &["since", "until", "segment", "name", "version", "final", "cursor", "limit"],
        run!(windows::list),
    ),
    get("/api/v1/windows/{id}", &[], run!(windows::one)),
    get("/api/v1/alerts", &["status", "model", "cursor", "limit"], run!(alerts::list)),
    get("/api/v1/alerts/{id}", &[], run!(alerts::one)),
    post("/api/v1/alerts/{id}/acknowledge", WRITE, Takes::Perhaps, run!(alerts::acknowledge)),
    post("/api/v1/azure/alerts", WRITE, Takes::Alert, run!(external::take)),
    get("/api/v1/silences", &["since"], run!(silences::list)),
    post("/api/v1/silences", WRITE, Takes::Body, run!(silences::create)),
    delete("/api/v1/silences/{id}", WRITE, run!(silences::lift)),
    get("/api/v1/sinks", &[], run!(outbox::sinks)),
    post("/api/v1/sinks/{sink}/retry", ADMIN, Takes::Nothing, run!(outbox::retry_sink)),
    get("/api/v1/messages", &["sink", "state", "cursor", "limit"], run!(outbox::messages)),
    post("/api/v1/messages/{key}/retry", ADMIN, Takes::Nothing, run!(outbox::retry_message)),
    post("/api/v1/ingest/{model}", WRITE, Takes::Rows, run!(ingest::push)),
    post("/api/v1/reload", ADMIN, Takes::Nothing, run!(operate::reload)),
];

/// The router of all [`ROUTES`].
pub(super) fn router(face: Arc<Face>) -> Router {
    let mut router = Router::new();
    for (at, first) in ROUTES.iter().enumerate() {
        if ROUTES[..at].iter().any(|before| before.path == first.path) {
            continue;
        }
        let methods = ROUTES[at..].iter().filter(|route| route.path == first.path).fold(
            MethodRouter::new(),
            |methods, route| {
                let serve = move |State(face), request| serve(face, route, request);
                match MethodFilter::try_from(route.method.clone()) {
                    Ok(filter) => methods.on(filter, serve),
                    // The table has plain methods only.
                    Err(_) => methods,
                }
            },
        );
        router = router.route(first.path, methods);
    }
    router
        .fallback(async |request: Request| {
            let path = request.uri().path();
            Problem::unknown(format!("there is no `{path}`: `/api/v1/openapi.json` says what there is"))
        })
        .method_not_allowed_fallback(async |request: Request| {
            Problem::method(request.method().as_str(), request.uri().path())
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&face), guard))
        .with_state(face)
}

/// Without tokens, only this machine is let in; see [`super::origin`].
async fn guard(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    if face.tokens.is_empty()
        && let Err(problem) = super::origin::check(request.method(), request.uri(), request.headers())
    {
        return problem.into_response();
    }
    next.run(request).await
}

async fn serve(face: Arc<Face>, route: &'static Route, request: Request) -> Response {
    let call = match admit(face, route, request).await {
        Ok(call) => call,
        Err(problem) => return problem.into_response(),
    };
    (route.run)(call).await.unwrap_or_else(IntoResponse::into_response)
}

/// Lets a request in: who asks, then what for, then with which words.
async fn admit(face: Arc<Face>, route: &Route, request: Request) -> Result<Call, Problem> {
    let (mut parts, body) = request.into_parts();
    let who = match route.scope {
        None => String::new(),
        Some(scope) => {
            let shown = parts.headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
            let admitted = face.tokens.admit(shown, scope);
            admitted.map_err(|refusal| Problem::of_refusal(refusal, parts.uri.path()))?
        }
    };
    let path = path_of(route, &mut parts).await?;
    let query = Query::read(&parts.uri, route.query)?;
    let (body, rows) = match route.takes {
        Takes::Nothing => (None, None),
        Takes::Perhaps | Takes::Body => (json_of(parts, body, BODY).await?, None),
        Takes::Alert => (json_of(parts, body, external::LARGEST).await?, None),
        Takes::Rows => {
            let model = path.first().map_or("", String::as_str);
            (None, Some(Delivery::read(&face, model, Request::from_parts(parts, body)).await?))
        }
    };
    if matches!(route.takes, Takes::Body | Takes::Alert) && body.is_none() {
        return Err(Problem::body("there is no body: expected a JSON object"));
    }
    Ok(Call { face, path, query, body, rows, who })
}

async fn path_of(route: &Route, parts: &mut Parts) -> Result<Vec<String>, Problem> {
    if !route.path.contains('{') {
        return Ok(Vec::new());
    }
    let read = RawPathParams::from_request_parts(parts, &()).await;
    let values = read.map_err(|error| Problem::request(format!("the path cannot be read: {error}")))?;
    Ok(values.iter().map(|(_, value)| value.to_owned()).collect())
}

/// A body of up to `limit` bytes, which comes within `patience`.
pub(super) async fn bytes_of(
    mut request: Request,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Problem> {
    DefaultBodyLimit::max(limit).apply(&mut request);
    let read = Bytes::from_request(request, &());
    let bytes = tokio::time::timeout(patience, read).await.map_err(|_| Problem::slow(patience.as_secs()))?;
    bytes.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::large(limit),
        other => Problem::body(format!("the body cannot be read: {other}")),
    })
}

/// The body as a JSON object of up to `most` bytes; `None` if it is empty.
async fn json_of(parts: Parts, body: Body, most: usize) -> Result<Option<Value>, Problem> {
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    let bytes = bytes_of(Request::from_parts(parts, body), most, PATIENCE).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let kind = kind.as_ref().map_or("", |kind| kind.to_str().unwrap_or("?"));
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type(kind, "`Content-Type: application/json`"));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(Some(Value::Object(object))),
        Ok(_) => Err(Problem::body("the body is JSON, and no object: expected such as `{}`")),
        Err(error) => Err(Problem::body(format!("the body is not JSON: {error}"))),
    }
}
