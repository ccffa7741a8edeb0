//! Features: what the baseline holds of each, and what the newest final windows say.

use std::collections::BTreeMap;

use driftlead_connectors::store::{Reader, Segments, StoredWindow, WindowFilter};
use driftlead_engine::baseline::BaselineFeature;
use driftlead_engine::score::describe;
use serde_json::{Map, Value, json};

use super::histogram;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::route::Call;
use super::windows::unknown_model;
use crate::config::problem::suggest;
use crate::time::Timestamp;

/// `GET /api/v1/models/{model}/features`: of the whole or of a segment, all or one.
pub(super) async fn list(call: Call) -> Answer {
    let name = call.part(0).to_owned();
    let sheet = call.face.board.sheet();
    let model = sheet.model(&name).ok_or_else(|| unknown_model(&name, &sheet))?;
    let config = &model.config;
    let features = model.baseline.features();
    if let Some(wanted) = call.query.text("feature")
        && !features.iter().any(|own| own.name() == wanted)
    {
        let hint = suggest(wanted, features.iter().map(BaselineFeature::name));
        return Err(Problem::unknown(format!("model `{name}` has no feature `{wanted}`: {hint}")));
    }
    let names: Vec<String> = config.windows.iter().map(|window| window.name.clone()).collect();
    let names = match call.query.text("name") {
        None => names,
        Some(wanted) if names.iter().any(|own| own == wanted) => vec![wanted.to_owned()],
        Some(wanted) => {
            let hint = suggest(wanted, names.iter().map(String::as_str));
            return Err(Problem::unknown(format!("model `{name}` has no window `{wanted}`: {hint}")));
        }
    };
    let segment = call.query.segment()?.and_then(|wish| wish.text(&config.segments));
    let of = segment.clone().map_or(Segments::Whole, Segments::One);
    let ask = move |reader: &mut Reader| {
        let mut newest: Vec<StoredWindow> = Vec::new();
        for window in names {
            let filter = WindowFilter {
                model: name.clone(),
                name: Some(window),
                segment: of.clone(),
                is_final: Some(true),
                ..WindowFilter::default()
            };
            newest.extend(reader.windows(&filter, None, 1)?.items);
        }
        Ok(newest)
    };
    let newest = call.face.reader.ask(ask).await?.map_err(|error| Problem::of_store(&error))?;
    let windows = newest.iter().map(Judged::of).collect::<Result<Vec<_>, _>>()?;
    let wanted = call.query.text("feature");
    let items: Vec<Value> = features
        .iter()
        .filter(|own| wanted.is_none_or(|wanted| own.name() == wanted))
        .map(|own| shown(own, segment.as_deref(), &windows))
        .collect();
    reply::value(&json!({
        "model": {"name": config.model, "version": config.version},
        "baseline": model.baseline_shown(),
        "items": items,
    }))
}

/// A window with its features by name.
struct Judged {
    about: Map<String, Value>,
    features: BTreeMap<String, Value>,
}

impl Judged {
    fn of(window: &StoredWindow) -> Result<Self, Problem> {
        let document = window.document.as_deref().unwrap_or("{}");
        let mut document: Value = serde_json::from_str(document).map_err(|error| {
            Problem::internal(&format!("the document of window `{}`: {error}", window.id))
        })?;
        let features = match document.get_mut("features").map(Value::take) {
            Some(Value::Array(features)) => features,
            _ => Vec::new(),
        };
        let named = |feature: Value| Some((feature.get("name")?.as_str()?.to_owned(), feature));
        let time = |micros: i64| json!(Timestamp::from_micros(micros).to_string());
        let ordinal = document.get("ordinal").cloned();
        let about = [
            ("id", json!(window.id)),
            ("name", json!(window.name)),
            ("start", window.start.map_or(Value::Null, time)),
            ("end", window.end.map_or(Value::Null, time)),
        ];
        let ordinal = ordinal.map(|ordinal| ("ordinal", ordinal));
        Ok(Self {
            about: about.into_iter().chain(ordinal).map(|(key, value)| (key.to_owned(), value)).collect(),
            features: features.into_iter().filter_map(named).collect(),
        })
    }

    /// What the window says of a feature; `None` if it did not know it, as one of another version may not.
    fn feature(&self, name: &str) -> Option<Value> {
        let mut shown = self.about.clone();
        shown.insert("feature".to_owned(), self.features.get(name)?.clone());
        Some(Value::Object(shown))
    }
}

fn shown(own: &BaselineFeature, segment: Option<&str>, windows: &[Judged]) -> Value {
    let cells = own.cells();
    let of_baseline = own.state(segment).map(|state| {
        let about = describe(cells, state);
        // One range for all segments, so that their bars can be laid over each other.
        let whole = own.state(None).map(|whole| describe(cells, whole)).unwrap_or_default();
        json!({
            "rows": about.rows,
            "nulls": about.nulls,
            "nans": about.nans,
            "min": finite(about.min),
            "max": finite(about.max),
            "mean": finite(about.mean),
            "sd": finite(about.sd),
            "histogram": histogram::of(cells, state, whole.min.zip(whole.max)),
        })
    });
    json!({
        "name": own.name(),
        "kind": cells.kind().name(),
        "type": cells.value_type().to_string(),
        "cutset_id": own.cutset_id(),
        "baseline": of_baseline,
        "windows": windows.iter().filter_map(|window| window.feature(own.name())).collect::<Vec<_>>(),
    })
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}
