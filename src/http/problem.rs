//! Why a request is not served: one status, one word for programs, one sentence for people.
//!
//! Every error of the API has the same JSON, `{"error":{"code":"...","message":"..."}}`. A message names what was found
//! and what was expected; what only the operator should know (paths, the store's own words) goes to the log instead.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use driftlead_connectors::{Error as StoreError, ErrorKind};
use serde_json::json;
use tracing::error;

use super::auth::{Refusal, Scope};
use super::reply;
use crate::exit::{Error, Kind};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    /// A path, a query or a header that cannot be read.
    pub(super) fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// A body that cannot be read.
    pub(super) fn body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", message)
    }

    /// Nobody we know, or somebody who may not do this.
    pub(super) fn of_refusal(refusal: Refusal, path: &str) -> Self {
        match refusal {
            Refusal::Unknown => Self {
                header: Some((
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"driftlead\""),
                )),
                ..Self::new(
                    StatusCode::UNAUTHORIZED,
                    "unauthorized",
                    "there is no token that the service knows: expected `Authorization: Bearer TOKEN` with one of \
                     `tokens` in the service file",
                )
            },
            Refusal::Forbidden { needed } => Self::forbidden(needed, path),
        }
    }

    fn forbidden(needed: Scope, path: &str) -> Self {
        let scope = needed.word();
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("the token does not permit `{path}`: expected one with the scope `{scope}`"),
        )
    }

    /// A request that another site's page may have made.
    pub(super) fn foreign(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// Nothing there.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// Something there, with which this cannot be done.
    pub(super) fn method(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("`{method}` cannot be done to `{path}`: expected a method of the header `Allow`"),
        )
    }

    /// The body did not come in time.
    pub(super) fn slow(seconds: u64) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body was not sent within {seconds} s: send it at once"),
        )
    }

    /// It was so already, or is so no longer.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// More than is read.
    pub(super) fn large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is too large: expected at most {limit} bytes; send it in parts"),
        )
    }

    /// More than is read, once it is unpacked.
    pub(super) fn large_unpacked(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is too large once it is unpacked: expected at most {limit} bytes"),
        )
    }

    /// A body of another kind than those that are `expected`.
    pub(super) fn media_type(found: &str, expected: &str) -> Self {
        let found =
            if found.is_empty() { "of no kind that it says".to_owned() } else { format!("`{found}`") };
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("the body is {found}: expected {expected}"),
        )
    }

    /// Well written, and still not to be done.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message)
    }

    /// Not now.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            header: Some((header::RETRY_AFTER, HeaderValue::from_static("1"))),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
        }
    }

    /// Our fault. The reason is logged, not told.
    pub(super) fn internal(reason: &str) -> Self {
        error!(reason, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the service has failed to answer: its log says why",
        )
    }

    /// What the store said to a question.
    pub(super) fn of_store(error: &StoreError) -> Self {
        if error.kind() == ErrorKind::Unavailable {
            error!(%error, "the store cannot be read");
            return Self::unavailable("the store cannot be read now: the service's log says why");
        }
        Self::internal(&error.to_string())
    }

    /// What the service said to a command.
    pub(super) fn of_command(error: &Error) -> Self {
        match error.kind() {
            Kind::Input => Self::refused(error.chain()),
            Kind::Run | Kind::Interrupted | Kind::Terminated => Self::unavailable(error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = reply::json(self.status, body.to_string());
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
