//! Answers as JSON.
//!
//! Documents that the store holds are put into answers as they are, byte for byte: a window in the API is the window of
//! `driftlead.report/1`, and nothing was lost on a way through numbers.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::problem::Problem;

/// What a handler gives.
pub(super) type Answer = Result<Response, Problem>;

/// A text of some type that nobody keeps or takes for anything else.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// JSON that is written already.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    text(status, "application/json", body)
}

/// A value as JSON, with status 200.
///
/// # Errors
///
/// The value has a map with keys that are no strings.
pub(super) fn value(value: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, write(value)?))
}

/// A value as JSON.
pub(super) fn write(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| Problem::internal(&error.to_string()))
}

/// `{"items":[...],"next":cursor}` of items that are JSON already.
pub(super) fn page<'a>(items: impl IntoIterator<Item = &'a str>, next: Option<&str>) -> Answer {
    let mut body = begun(items, next)?;
    body.push('}');
    Ok(json(StatusCode::OK, body))
}

/// The same with one more list, by its name.
pub(super) fn page_beside<'a>(
    items: impl IntoIterator<Item = &'a str>,
    next: Option<&str>,
    (name, beside): (&str, &impl Serialize),
) -> Answer {
    let mut body = begun(items, next)?;
    body.push_str(&format!(r#","{name}":{}}}"#, write(beside)?));
    Ok(json(StatusCode::OK, body))
}

/// A page but for its last brace.
fn begun<'a>(items: impl IntoIterator<Item = &'a str>, next: Option<&str>) -> Result<String, Problem> {
    let mut body = String::from(r#"{"items":["#);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(item);
    }
    body.push_str(r#"],"next":"#);
    body.push_str(&write(&next)?);
    Ok(body)
}
