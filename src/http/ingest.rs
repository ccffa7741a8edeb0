//! `POST /api/v1/ingest/{model}`: rows in, and an answer once they are counted and committed (SEMANTICS S17).
//!
//! A request is turned away before its body is read wherever that can be known: a model that takes none, a type that
//! nobody reads, a body that is too long, a service that has no room. What is let in is answered for.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::face::Face;
use super::packed::Packing;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::{Call, bytes_of};
use super::windows::unknown_model;
use crate::config::problem::quote;
use crate::serve::intake::{Answer as Told, Kind, Parcel, Refusal};

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// The header by which a sender knows a request again.
const KEY: &str = "idempotency-key";
/// The longest key, in bytes.
pub(super) const LONGEST: usize = 255;
/// Says that the answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The types of bodies that are read.
pub(super) const TYPES: [(&str, Kind); 3] = [
    ("application/x-ndjson", Kind::Lines),
    ("application/json", Kind::Lines),
    ("application/vnd.apache.arrow.stream", Kind::Arrow),
];

/// Rows at the door of their model.
#[derive(Debug)]
pub(super) struct Delivery {
    model: String,
    parcel: Parcel,
}

impl Delivery {
    /// Reads the rows that a request brings for `model`.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the request, or there is no room for it.
    pub(super) async fn read(face: &Face, model: &str, request: Request) -> Result<Self, Problem> {
        let Some(door) = face.intake.door(model) else { return Err(no_door(face, model)) };
        let headers = request.headers();
        let packing = Packing::of(headers)?;
        let kind = kind(headers)?;
        let key = key(headers)?;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|own| own.to_str().ok()?.parse().ok());
        let most = door.max_body();
        let length = match packing {
            Packing::Plain => length,
            Packing::Gzip if length.is_some_and(|length| length > most as u64) => {
                return Err(Problem::large(most));
            }
            // What will come out of it nobody knows: it is taken for the largest.
            Packing::Gzip => None,
        };
        let pass = door.enter(length).map_err(|refusal| match refusal {
            Refusal::TooLarge(limit) => Problem::large(limit),
            Refusal::Full => Problem::unavailable(
                "more rows wait to be counted than there is room for, and none of this request were: send it again \
                 in a moment",
            ),
        })?;
        let body = packing.unpack(bytes_of(request, most, PATIENCE).await?, most).await?;
        if body.is_empty() {
            return Err(Problem::body("there is no body: expected a JSON object a line, or an Arrow stream"));
        }
        let received = face.clock.now();
        Ok(Self { model: model.to_owned(), parcel: Parcel { kind, body, key, received, pass } })
    }
}

/// Hands the rows to the engine, and answers what became of them.
pub(super) async fn push(call: Call) -> Answer {
    let Call { face, rows, .. } = call;
    let Some(Delivery { model, parcel }) = rows else {
        return Err(Problem::internal("a request for rows was let in without any"));
    };
    let Some(door) = face.intake.door(&model) else { return Err(no_door(&face, &model)) };
    let told = door.send(parcel).await.map_err(|_| {
        Problem::unavailable(
            "the service has ended, and whether these rows were counted is not known: send them again, with the same \
             `Idempotency-Key` if they had one",
        )
    })?;
    match told {
        Told::Committed { receipt, is_replay } => {
            let mut response = reply::json(StatusCode::ACCEPTED, receipt);
            let is_replay = if is_replay { "true" } else { "false" };
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static(is_replay));
            Ok(response)
        }
        Told::OtherBody => Err(Problem::refused(
            "the `Idempotency-Key` was used for another body within 24 hours: give each request a key of its own, and \
             the same only to the same rows",
        )),
        Told::Unreadable(why) => {
            Err(Problem::body(format!("no rows can be read from the body, and none were counted: {why}")))
        }
        Told::Ending => Err(Problem::unavailable(
            "the service ends, and none of these rows were counted: send them again in a moment",
        )),
    }
}

/// Why a model takes no rows by requests.
fn no_door(face: &Face, name: &str) -> Problem {
    let sheet = face.board.sheet();
    let Some(model) = sheet.model(name) else { return unknown_model(name, &sheet) };
    let others = face.intake.models();
    let others = match others.as_slice() {
        [] => "no model does".to_owned(),
        others => {
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            format!("the models that do are {}", quote(&others))
        }
    };
    let source = model.config.source.as_deref().map(|own| format!(" `{own}`")).unwrap_or_default();
    Problem::conflict(format!(
        "the model `{name}` takes no rows by requests ({others}): write them to its source{source}, or give it a \
         source with `ingest: {{}}`"
    ))
}

/// How the body is written, by its `Content-Type`.
fn kind(headers: &HeaderMap) -> Result<Kind, Problem> {
    let expected = || {
        let types = TYPES.map(|(name, _)| name);
        format!("a `Content-Type` of {}", quote(&types))
    };
    let found = headers.get(header::CONTENT_TYPE).map_or("", |own| own.to_str().unwrap_or("?"));
    let essence = found.split(';').next().unwrap_or_default().trim();
    let known = TYPES.iter().find(|(name, _)| essence.eq_ignore_ascii_case(name));
    known.map(|(_, kind)| *kind).ok_or_else(|| Problem::media_type(found, &expected()))
}

/// The key that the sender gave, whatever it means to him.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all(KEY).iter();
    let (Some(key), more) = (all.next(), all.next()) else { return Ok(None) };
    if more.is_some() {
        return Err(Problem::request("the header `Idempotency-Key` is there twice: expected it once"));
    }
    let text = key.to_str().unwrap_or_default();
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(text.to_owned()));
    }
    Err(Problem::request(format!(
        "the header `Idempotency-Key` has {} bytes, or some that cannot be seen: expected 1 to {LONGEST} letters, \
         digits and signs without spaces, such as a UUID",
        key.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_type_says_how_rows_are_written() {
        let of = |kind: &str| super::kind(&headers(&[("content-type", kind)])).ok();
        assert_eq!(of("application/x-ndjson"), Some(Kind::Lines));
        assert_eq!(of("Application/JSON; charset=utf-8"), Some(Kind::Lines));
        assert_eq!(of("application/vnd.apache.arrow.stream"), Some(Kind::Arrow));
        for other in ["text/csv", "", "application/vnd.apache.arrow.file"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert!(format!("{:?}", kind(&headers(&[]))).contains("of no kind that it says"));
    }

    #[test]
    fn a_key_is_short_and_can_be_seen() {
        let of = |text: &str| key(&headers(&[(KEY, text)]));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(of("\"a-1\"").unwrap().as_deref(), Some("\"a-1\""));
        assert!(of(&"k".repeat(LONGEST)).is_ok());
        for wrong in ["", "a b", &"k".repeat(LONGEST + 1)] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let mut twice = headers(&[(KEY, "a")]);
        twice.append(KEY, HeaderValue::from_static("b"));
        assert!(format!("{:?}", key(&twice)).contains("twice"));
    }
}
