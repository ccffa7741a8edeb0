//! Silences: times in which messages of some alerts are kept back (see [`crate::serve::silence`]).
//!
//! What a silence names must exist: one with a typing error would keep nothing back, and be noticed at night.

use driftlead_connectors::store::Silence;
use driftlead_engine::id::{self, Field};
use serde::Deserialize;
use serde_json::{Value, json};

use super::alerts::{check_length, given};
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::config::Duration;
use crate::config::problem::suggest;
use crate::serve::board::Sheet;
use crate::serve::silence::Matcher;
use crate::time::Timestamp;

/// The longest silence, in microseconds: what is kept back for longer is better switched off.
const LONGEST: i64 = 366 * Duration::DAY.micros();

/// `GET /api/v1/silences`: those that end after `since`, by default now, by id.
pub(super) async fn list(call: Call) -> Answer {
    let now = call.face.clock.now();
    let since = call.query.time("since")?.unwrap_or(now);
    let silences = call.face.reader.ask(move |reader| reader.silences(since)).await?;
    let silences = silences.map_err(|error| Problem::of_store(&error))?;
    let items: Vec<Value> = silences.iter().map(|silence| shown(silence, now)).collect();
    reply::value(&json!({"items": items}))
}

/// The body of a new silence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    matcher: Value,
    reason: String,
    #[serde(default, deserialize_with = "given")]
    starts: Option<String>,
    #[serde(default, deserialize_with = "given")]
    expires: Option<String>,
    #[serde(default, deserialize_with = "given")]
    duration: Option<String>,
}

/// `POST /api/v1/silences`: keeps alerts back from `starts`, by default now, until `expires` or for a `duration`.
pub(super) async fn create(mut call: Call) -> Answer {
    let wanted: Wanted = call.body()?;
    let now = call.face.clock.now();
    let (starts, expires) = span(&wanted, now)?;
    check_length("reason", &wanted.reason)?;
    let reason = wanted.reason.trim_matches([' ', '\t', '\r', '\n']);
    if reason.is_empty() {
        return Err(Problem::body("`reason` is empty: say why, for whoever finds that nothing was sent"));
    }
    if !wanted.matcher.is_object() {
        return Err(Problem::body(
            "`matcher` is no object: expected such as `{\"model\":\"flights\"}`, or `{}` for all",
        ));
    }
    let matcher: Matcher = serde_json::from_value(wanted.matcher)
        .map_err(|error| Problem::body(format!("`matcher` is not what was expected: {error}")))?;
    check(&matcher, &call.face.board.sheet())?;
    if let Some(alert) = matcher.alert.clone() {
        let asked = alert.clone();
        let found = call.face.reader.ask(move |reader| reader.alert(&asked)).await?;
        if found.map_err(|error| Problem::of_store(&error))?.is_none() {
            return Err(Problem::refused(format!(
                "`matcher` names the alert `{alert}`, which does not exist"
            )));
        }
    }
    let matcher = reply::write(&matcher)?;
    let fields = [
        Field::Str(&call.who),
        Field::Str(&matcher),
        Field::Str(reason),
        Field::Int(starts),
        Field::Int(expires),
        Field::Int(now),
    ];
    let silence = Silence {
        id: id::hash(&fields),
        matcher,
        author: call.who.clone(),
        reason: reason.to_owned(),
        starts,
        expires,
    };
    let answer = shown(&silence, now);
    commit(&call, silence).await?;
    Ok(reply::json(axum::http::StatusCode::CREATED, reply::write(&answer)?))
}

/// `DELETE /api/v1/silences/{id}`: ends a silence now; one that has ended stays as it is.
pub(super) async fn lift(call: Call) -> Answer {
    let id = call.part(0).to_owned();
    let now = call.face.clock.now();
    let silences = call.face.reader.ask(|reader| reader.silences(i64::MIN)).await?;
    let silences = silences.map_err(|error| Problem::of_store(&error))?;
    let Some(mut silence) = silences.into_iter().find(|silence| silence.id == id) else {
        return Err(Problem::unknown(format!(
            "there is no silence `{id}`: expected the `id` of one of `/api/v1/silences`"
        )));
    };
    if silence.expires > now {
        silence.expires = now;
        silence.starts = silence.starts.min(now);
        commit(&call, silence.clone()).await?;
    }
    reply::value(&shown(&silence, now))
}

async fn commit(call: &Call, silence: Silence) -> Result<(), Problem> {
    let by = call.who.clone();
    let committed = call.face.commands.ask(move |commands| commands.silence(silence, &by)).await?;
    committed.map_err(|error| Problem::of_command(&error))
}

/// From when until when, in microseconds since 1970.
fn span(wanted: &Wanted, now: i64) -> Result<(i64, i64), Problem> {
    let time = |key: &str, text: &String| {
        let time = text.parse::<Timestamp>().map_err(|error| Problem::body(format!("`{key}`: {error}")))?;
        Ok::<i64, Problem>(time.micros())
    };
    let starts = wanted.starts.as_ref().map(|text| time("starts", text)).transpose()?.unwrap_or(now);
    let expires = match (&wanted.expires, &wanted.duration) {
        (Some(expires), None) => time("expires", expires)?,
        (None, Some(duration)) => {
            let duration: Duration =
                duration.parse().map_err(|error| Problem::refused(format!("`duration`: {error}")))?;
            starts.saturating_add(duration.micros())
        }
        _ => {
            return Err(Problem::body(
                "expected either `expires` or `duration`, such as `\"duration\":\"2h\"`",
            ));
        }
    };
    if expires <= starts {
        return Err(Problem::refused("the silence ends before it starts: expected `expires` after `starts`"));
    }
    if expires <= now {
        let expires = Timestamp::from_micros(expires);
        return Err(Problem::refused(format!(
            "the silence ends at `{expires}`, which is over: expected a later end"
        )));
    }
    if expires.saturating_sub(starts) > LONGEST || expires.saturating_sub(now) > 2 * LONGEST {
        return Err(Problem::refused(
            "the silence is too long: expected at most 366 days, within the next two years",
        ));
    }
    Ok((starts, expires))
}

/// Refuses names that mean nothing.
fn check(matcher: &Matcher, sheet: &Sheet) -> Result<(), Problem> {
    let unknown = |what: &str, name: &str, known: &[&str]| {
        let hint = suggest(name, known.iter().copied());
        Problem::refused(format!(
            "`matcher` names the {what} `{name}`, which the service does not have: {hint}"
        ))
    };
    let models: Vec<_> = match &matcher.model {
        None => sheet.models.iter().collect(),
        Some(name) => {
            let known: Vec<&str> = sheet.models.iter().map(|own| own.config.model.as_str()).collect();
            vec![sheet.model(name).ok_or_else(|| unknown("model", name, &known))?]
        }
    };
    if let Some(name) = &matcher.window {
        let windows = models.iter().flat_map(|own| &own.config.windows);
        let known: Vec<&str> = windows.map(|window| window.name.as_str()).collect();
        if !known.contains(&name.as_str()) {
            return Err(unknown("window", name, &known));
        }
    }
    if let Some(segment) = &matcher.segment {
        let splits = || models.iter().flat_map(|own| &own.config.segments);
        let is_split = |split: &Vec<String>| {
            split.len() == segment.len() && split.iter().all(|column| segment.contains_key(column))
        };
        if !splits().any(is_split) {
            let columns: Vec<&str> = segment.keys().map(String::as_str).collect();
            let known: Vec<String> = splits().map(|split| split.join(" x ")).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(unknown("segment by", &columns.join(" x "), &known));
        }
    }
    Ok(())
}

/// A silence as the API has it.
fn shown(silence: &Silence, now: i64) -> Value {
    let state = match silence {
        Silence { expires, .. } if *expires <= now => "ended",
        Silence { starts, .. } if *starts > now => "pending",
        _ => "active",
    };
    json!({
        "id": silence.id,
        "state": state,
        // One that cannot be read matches nothing, and is shown as the text that it is.
        "matcher": serde_json::from_str(&silence.matcher).unwrap_or_else(|_| json!(silence.matcher)),
        "author": silence.author,
        "reason": silence.reason,
        "starts": Timestamp::from_micros(silence.starts).to_string(),
        "expires": Timestamp::from_micros(silence.expires).to_string(),
    })
}
