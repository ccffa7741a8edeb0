//! Sinks and their messages: what waits, what was given up, and another try (SEMANTICS S22).

use std::collections::BTreeMap;

use driftlead_connectors::store::{Delivery, MessageFilter, MessageState, Reader, Selection, SinkSummary};
use driftlead_connectors::{Error, ErrorKind};
use serde_json::{Value, json};

use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::config::problem::suggest;
use crate::time::Timestamp;

/// `GET /api/v1/sinks`: those of the service file, then those that only old messages name.
pub(super) async fn sinks(call: Call) -> Answer {
    let sheet = call.face.board.sheet();
    let mut summaries = summaries(&call).await?;
    let mut items = Vec::new();
    for name in &sheet.sinks {
        let summary = summaries.remove(name).unwrap_or_default();
        items.push(shown_sink(name, &summary, true));
    }
    items.extend(summaries.iter().map(|(name, summary)| shown_sink(name, summary, false)));
    reply::value(&json!({"items": items}))
}

/// `GET /api/v1/messages`: the last committed first.
pub(super) async fn messages(call: Call) -> Answer {
    let words = [MessageState::Pending, MessageState::Delivered, MessageState::Dead, MessageState::Expired]
        .map(|state| (state.name(), state));
    let filter = MessageFilter { sink: call.query.owned("sink"), state: call.query.choice("state", &words)? };
    let (cursor, limit) = (call.query.cursor()?, call.query.limit()?);
    let page = call.face.reader.ask(move |reader| reader.messages(&filter, cursor.as_deref(), limit)).await?;
    let page = page.map_err(|error| Problem::of_store(&error))?;
    let items: Vec<String> = page.items.iter().map(|message| shown(message).to_string()).collect();
    reply::page(items.iter().map(String::as_str), page.next.as_deref())
}

/// `POST /api/v1/sinks/{sink}/retry`: everything of a sink that was given up is due again.
pub(super) async fn retry_sink(call: Call) -> Answer {
    let name = call.part(0).to_owned();
    let sheet = call.face.board.sheet();
    if !sheet.sinks.contains(&name) && !summaries(&call).await?.contains_key(&name) {
        let hint = suggest(&name, sheet.sinks.iter().map(String::as_str));
        return Err(Problem::unknown(format!("there is no sink `{name}`: {hint}")));
    }
    let now = call.face.clock.now();
    let retried = call.face.outbox.ask(move |outbox| outbox.retry(Selection::Sink(&name), now)).await?;
    let retried = retried.map_err(|error| Problem::of_store(&error))?;
    call.face.ring();
    reply::value(&json!({"retried": retried}))
}

/// `POST /api/v1/messages/{key}/retry`: one message that was given up is due again.
pub(super) async fn retry_message(call: Call) -> Answer {
    let key = call.part(0).to_owned();
    let now = call.face.clock.now();
    let asked = key.clone();
    let retried = call.face.outbox.ask(move |outbox| outbox.retry(Selection::Key(&asked), now)).await?;
    match retried {
        Ok(0) => Err(Problem::conflict(format!(
            "message `{key}` was not given up: only one in the state `dead` can be retried"
        ))),
        Ok(retried) => {
            call.face.ring();
            reply::value(&json!({"retried": retried}))
        }
        Err(error) if error.kind() == ErrorKind::Misconfigured => Err(Problem::unknown(format!(
            "there is no message `{key}`: expected the `key` of one of `/api/v1/messages`"
        ))),
        Err(error) => Err(Problem::of_store(&error)),
    }
}

async fn summaries(call: &Call) -> Result<BTreeMap<String, SinkSummary>, Problem> {
    let ask = |reader: &mut Reader| -> Result<Vec<SinkSummary>, Error> { reader.sinks() };
    let summaries = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    Ok(summaries.into_iter().map(|summary| (summary.sink.clone(), summary)).collect())
}

fn shown_sink(name: &str, summary: &SinkSummary, configured: bool) -> Value {
    json!({
        "name": name,
        "configured": configured,
        "pending": summary.pending,
        "delivered": summary.delivered,
        "dead": summary.dead,
        "expired": summary.expired,
        "oldest": summary.oldest.map(time),
        "next_attempt": summary.next_attempt.map(time),
        "error": summary.error,
    })
}

fn shown(message: &Delivery) -> Value {
    json!({
        "key": message.key,
        "sink": message.sink,
        "state": message.state.name(),
        "created": time(message.created),
        "queued": time(message.queued),
        "attempts": message.attempts,
        "next_attempt": (message.state == MessageState::Pending).then(|| time(message.next_attempt)),
        "finished": message.finished.map(time),
        "error": message.error,
    })
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}
