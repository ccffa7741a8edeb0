//! Windows as they were judged, and the gaps between them, each exactly as `driftlead.report/1` has it.

use driftlead_connectors::store::{Gap, GapFilter, Reader, StoredWindow, WindowFilter};
use serde_json::json;

use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use crate::config::problem::suggest;
use crate::report::wire;
use crate::serve::board::Sheet;
use crate::time::Timestamp;

/// `GET /api/v1/models/{model}/windows`: the newest revision of each, the latest end first; and the gaps that touch the
/// same time. A gap is one of all segments, and final when it is said.
pub(super) async fn list(call: Call) -> Answer {
    let model = call.part(0).to_owned();
    let sheet = call.face.board.sheet();
    let splits = sheet.model(&model).map_or(&[][..], |own| own.config.segments.as_slice());
    let segment = call.query.segment()?;
    let filter = WindowFilter {
        model: model.clone(),
        version: call.query.owned("version"),
        name: call.query.owned("name"),
        segment: segment.map(|wish| wish.filter(splits)).unwrap_or_default(),
        since: call.query.time("since")?,
        until: call.query.time("until")?,
        is_final: call.query.flag("final")?,
    };
    let (cursor, limit) = (call.query.cursor()?, call.query.limit()?);
    let is_at_work = sheet.model(&model).is_some();
    let gap_filter = GapFilter {
        model: model.clone(),
        version: filter.version.clone(),
        name: filter.name.clone(),
        since: filter.since,
        until: filter.until,
    };
    let ask = move |reader: &mut Reader| {
        let page = reader.windows(&filter, cursor.as_deref(), limit)?;
        let gaps = match filter.is_final {
            Some(false) => Vec::new(),
            _ => reader.gaps(&gap_filter, cursor.as_deref(), page.next.as_deref())?,
        };
        // A model that was taken away has left its windows.
        let any = WindowFilter { model: filter.model, ..WindowFilter::default() };
        let is_known =
            is_at_work || !page.items.is_empty() || !reader.windows(&any, None, 1)?.items.is_empty();
        Ok((page, gaps, is_known))
    };
    let (page, gaps, is_known) =
        call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    if !is_known {
        return Err(unknown_model(&model, &sheet));
    }
    let gaps: Vec<wire::Gap> = gaps.into_iter().map(as_reported).collect();
    let items = page.items.iter().filter_map(|window| window.document.as_deref());
    reply::page_beside(items, page.next.as_deref(), ("gaps", &gaps))
}

/// A gap as a report has it.
fn as_reported(gap: Gap) -> wire::Gap {
    wire::Gap {
        name: gap.name,
        start: Timestamp::from_micros(gap.start),
        end: Timestamp::from_micros(gap.end),
        windows: gap.windows,
    }
}

/// `GET /api/v1/windows/{id}`: every revision of a window, the newest first, which alone has its document.
pub(super) async fn one(call: Call) -> Answer {
    let id = call.part(0).to_owned();
    let asked = id.clone();
    let revisions = call.face.reader.ask(move |reader| reader.revisions(&asked)).await?;
    let revisions = revisions.map_err(|error| Problem::of_store(&error))?;
    let Some(newest) = revisions.first() else {
        return Err(Problem::unknown(format!(
            "there is no window `{id}`: expected the `id` of one that the service has judged and still keeps"
        )));
    };
    let mut body = format!(
        r#"{{"id":{},"model":{},"revisions":["#,
        reply::write(&newest.id)?,
        json!({"name": newest.model, "version": newest.version})
    );
    for (at, revision) in revisions.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(&describe(revision));
    }
    body.push_str("]}");
    Ok(reply::json(axum::http::StatusCode::OK, body))
}

/// A revision, with its document as it stands.
fn describe(revision: &StoredWindow) -> String {
    let about = json!({
        "revision": revision.revision,
        "final": revision.is_final,
        "verdict": revision.verdict,
        "committed": Timestamp::from_micros(revision.committed).to_string(),
        "digest": hex(&revision.digest),
    })
    .to_string();
    let document = revision.document.as_deref().unwrap_or("null");
    format!(r#"{},"window":{document}}}"#, about.trim_end_matches('}'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// There is no such model.
pub(super) fn unknown_model(model: &str, sheet: &Sheet) -> Problem {
    let hint = suggest(model, sheet.models.iter().map(|own| own.config.model.as_str()));
    Problem::unknown(format!("there is no model `{model}`: {hint}"))
}
