//! Alerts: what was last said of each, and who has seen it.
//!
//! An alert here is its newest message, `driftlead.event/1`, with two keys more: whether it is over, and who has
//! acknowledged it, which no message tells.

use driftlead_connectors::store::{Acknowledgement, Alert, AlertFilter, AlertStatus};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::external;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::time::Timestamp;

/// The most characters of a comment or a reason.
pub(super) const TEXT: usize = 2_000;

/// `GET /api/v1/alerts`: the last opened first; on the first page also those that Azure Monitor has sent.
pub(super) async fn list(call: Call) -> Answer {
    let words = [("open", AlertStatus::Open), ("resolved", AlertStatus::Resolved)];
    let filter =
        AlertFilter { model: call.query.owned("model"), status: call.query.choice("status", &words)? };
    let (cursor, limit) = (call.query.cursor()?, call.query.limit()?);
    let external = match &cursor {
        None => external::beside(&call, filter.model.clone(), filter.status).await?,
        Some(_) => Vec::new(),
    };
    let page = call.face.reader.ask(move |reader| reader.alerts(&filter, cursor.as_deref(), limit)).await?;
    let page = page.map_err(|error| Problem::of_store(&error))?;
    let items = page.items.iter().map(shown).collect::<Result<Vec<String>, Problem>>()?;
    reply::page_beside(items.iter().map(String::as_str), page.next.as_deref(), ("external", &external))
}

/// `GET /api/v1/alerts/{id}`.
pub(super) async fn one(call: Call) -> Answer {
    let alert = find(&call).await?;
    Ok(reply::json(axum::http::StatusCode::OK, shown(&alert)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    #[serde(default, deserialize_with = "given")]
    comment: Option<String>,
}

/// `POST /api/v1/alerts/{id}/acknowledge`: notes that the token's owner has seen an open alert.
pub(super) async fn acknowledge(mut call: Call) -> Answer {
    let Comment { comment } = call.body()?;
    if let Some(comment) = &comment {
        check_length("comment", comment)?;
    }
    let id = call.part(0).to_owned();
    let said = Acknowledgement { by: call.who.clone(), at: call.face.clock.now(), comment };
    let noted = call.face.commands.ask(move |commands| commands.acknowledge(&id, said)).await?;
    let is_open = noted.map_err(|error| Problem::of_command(&error))?;
    let alert = find(&call).await?;
    if !is_open {
        let id = &alert.id;
        return Err(Problem::conflict(format!("alert `{id}` is over: only an open one can be acknowledged")));
    }
    Ok(reply::json(axum::http::StatusCode::OK, shown(&alert)?))
}

/// The alert of the path.
async fn find(call: &Call) -> Result<Alert, Problem> {
    let id = call.part(0).to_owned();
    let asked = id.clone();
    let found = call.face.reader.ask(move |reader| reader.alert(&asked)).await?;
    found.map_err(|error| Problem::of_store(&error))?.ok_or_else(|| {
        Problem::unknown(format!(
            "there is no alert `{id}`: expected the `id` of one that the service has opened"
        ))
    })
}

/// An alert as the API has it.
fn shown(alert: &Alert) -> Result<String, Problem> {
    let document: Map<String, Value> = serde_json::from_str(&alert.document)
        .map_err(|error| Problem::internal(&format!("the document of alert `{}`: {error}", alert.id)))?;
    let mut document = Value::Object(document);
    document["state"] = json!(alert.status.name());
    document["acknowledged"] = match &alert.acknowledged {
        None => Value::Null,
        Some(said) => json!({
            "by": said.by,
            "at": Timestamp::from_micros(said.at).to_string(),
            "comment": said.comment,
        }),
    };
    reply::write(&document)
}

/// A text that may be left out, and is no null if it is there.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Refuses a text that nobody would read to its end.
pub(super) fn check_length(key: &str, text: &str) -> Result<(), Problem> {
    let length = text.chars().count();
    if length > TEXT {
        return Err(Problem::body(format!("`{key}` has {length} characters: expected at most {TEXT}")));
    }
    Ok(())
}
