//! The baseline of a job: built from raw rows, or read from a file that `driftlead baseline` wrote.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use driftlead_connectors::baseline_file::{self, Replaces};
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::Metric;
use driftlead_engine::accumulate::SlotKey;
use driftlead_engine::baseline::{Baseline, SAMPLE_ROWS, Sampler, sample_plan};
use driftlead_engine::codec;
use driftlead_engine::feature::FeatureCells;
use driftlead_engine::score::design_effect;

use super::columns::{self, Columns, EXCLUDED};
use super::input::{Input, Preparation, from_connectors};
use super::read::{Piece, Reading};
use super::segments::{Segments, split_texts};
use super::tally::Tally;
use super::volume::{self, StoredVolume};
use super::windows::{Bounds, Plan};
use crate::config::problem::suggest;
use crate::config::{Config, Cut, Window};
use crate::exit::{Error, Kind, Result};
use crate::output;
use crate::progress::Progress;
use crate::report::wire::{Failed, Skipped};

/// A baseline with what the job has to know beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The frozen baseline.
    pub baseline: Baseline,
    /// The segments that are followed.
    pub segments: Segments,
    /// Columns that are no features, and why.
    pub skipped: Vec<Skipped>,
    /// Columns that should have been features but could not be read.
    pub failed: Vec<Failed>,
    /// Rows that the condition left out.
    pub excluded_rows: u64,
    /// Rows read to build it; none if it came from a file.
    pub rows_read: u64,
    /// What else its file says of where it came from, by key.
    pub labels: BTreeMap<String, String>,
}

/// The baseline of `config` from `paths`: a baseline file if it is one, else built from the rows.
///
/// # Errors
///
/// If the files cannot be read, have no rows, or no column can be a feature.
pub fn load(config: &Config, paths: &[String], remotes: &Arc<Remotes>) -> Result<Loaded> {
    let is_stored = is_stored(paths, remotes).map_err(|error| {
        let is_own = config.baseline.as_ref().is_some_and(|baseline| baseline.paths == paths);
        if is_own && error.kind() == Kind::Input {
            Error::input(config.origin.locate("baseline", "", &error.chain()))
        } else {
            error
        }
    });
    match paths {
        [path] if is_stored? => read(config, path, remotes),
        _ => build(config, paths, remotes),
    }
}

/// Whether `paths` name a baseline file, which holds counts and no rows.
///
/// # Errors
///
/// If the file cannot be read.
pub fn is_stored(paths: &[String], remotes: &Remotes) -> Result<bool> {
    match paths {
        [path] => baseline_file::is_baseline(path, remotes).map_err(|error| from_connectors(&error)),
        _ => Ok(false),
    }
}

/// Opens the raw rows of a baseline: those that meet both conditions, the model's and the baseline's own.
///
/// # Errors
///
/// As [`Input::open`].
pub(super) fn open(config: &Config, paths: &[String], remotes: &Arc<Remotes>) -> Result<Input> {
    let own_filter = config.baseline.as_ref().and_then(|baseline| baseline.filter.as_deref());
    let filter = match (config.filter.as_deref(), own_filter) {
        (Some(both), Some(own)) => Some(format!("({both}) AND ({own})")),
        (one, other) => one.or(other).map(str::to_owned),
    };
    let filter_key = if config.filter.is_some() { "where" } else { "baseline.where" };
    let preparation = Preparation { filter, filter_key, ..Preparation::of(config) };
    let mut input = Input::open(paths, remotes, preparation)?;
    input.retype(columns::declared_types(config))?;
    Ok(input)
}

/// The columns of a baseline's raw rows; `None` if it is a baseline file, which holds features only.
///
/// # Errors
///
/// As [`Input::open`].
pub(crate) fn raw_schema(paths: &[String], remotes: &Arc<Remotes>) -> Result<Option<SchemaRef>> {
    if is_stored(paths, remotes)? {
        return Ok(None);
    }
    let input = Input::open(paths, remotes, Preparation::default())?;
    Ok(Some(input.schema().clone()))
}

/// Builds a baseline from raw rows.
///
/// # Errors
///
/// As [`load`].
pub fn build(config: &Config, paths: &[String], remotes: &Arc<Remotes>) -> Result<Loaded> {
    let input = open(config, paths, remotes)?;
    columns::ensure_cuts(input.schema(), config, false)?;
    let columns = Columns::choose(input.schema(), config, input.dataset().format().envelope())?;
    for unknown in columns::unknown_excludes(input.schema(), config) {
        output::complain(&format!("note: {unknown}"));
    }
    let features = Arc::new(columns.features.clone());

    let plan = sample(&input, &columns, features)?;
    if let Some((name, wrong)) = plan.wrong_dims().next() {
        let message = format!("feature `{name}`: {wrong}");
        return Err(Error::input(config.origin.locate("dim", name, &message)));
    }
    let progress = Progress::rows("counting the baseline", input.dataset().n_rows());
    let reading = Reading {
        input: &input,
        columns: &columns.places,
        together: false,
        ranges: None,
        progress: &progress,
        tells_bad_records: true,
    };
    let (counter, excluded_rows) = reading.run(
        || (plan.counter(), 0_u64),
        |(counter, excluded), piece| {
            for (at, place) in piece.places.iter().enumerate() {
                counter.update(*place, piece.rows.column(at));
            }
            if piece.counts_rows {
                counter.add_rows(piece.rows.n_rows as u64);
                *excluded += piece.rows.excluded;
            }
            Ok(())
        },
        |own, other| {
            own.0.merge(other.0);
            own.1 += other.1;
            Ok(())
        },
    )?;
    progress.finish();
    let mut baseline = counter.freeze().map_err(|error| Error::input(error.to_string()))?;
    let segments = split(&input, config, &mut baseline)?;
    calibrate(&input, config, &mut baseline)?;
    volume::count(&input, config, &mut baseline)?;

    let mut skipped = columns.skipped;
    skipped.extend(
        baseline.skipped().iter().map(|own| Skipped { name: own.name.clone(), reason: own.reason.clone() }),
    );
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    let failed = baseline
        .failed()
        .iter()
        .map(|own| Failed { name: own.name.clone(), reason: own.reason.clone() })
        .collect();
    let rows_read = baseline.rows() + excluded_rows;
    let labels = BTreeMap::new();
    Ok(Loaded { baseline, segments, skipped, failed, excluded_rows, rows_read, labels })
}

/// Reads the seeded sample and draws the cuts (SEMANTICS S5).
fn sample(
    input: &Input,
    columns: &Columns,
    features: Arc<Vec<driftlead_engine::baseline::FeatureSpec>>,
) -> Result<driftlead_engine::baseline::Plan> {
    let known: Option<Vec<u64>> = input.dataset().parts().iter().map(|part| part.rows).collect();
    // Rows are chosen by their place; where a condition or the format hides how many there are, count them first.
    let part_rows = match known.filter(|_| !input.is_prepared()) {
        Some(rows) => rows,
        None => count_rows(input)?,
    };
    let total: u64 = part_rows.iter().sum();
    let ranges = sample_plan(&part_rows);
    let progress = Progress::rows("sampling the baseline", Some(total.min(SAMPLE_ROWS)));
    let skips = !input.is_prepared() && input.dataset().n_rows().is_some();
    let reading = Reading {
        input,
        columns: &columns.places,
        together: false,
        ranges: skips.then_some(ranges.as_slice()),
        progress: &progress,
        tells_bad_records: false,
    };
    let sampler = reading.run(
        || Sampler::new(features.clone()),
        |sampler, piece| {
            for (place, array) in piece.places.iter().zip(&piece.rows.columns) {
                if skips {
                    sampler.add(*place, piece.part.index, array.as_ref());
                } else {
                    for slice in chosen(array, piece, &ranges[piece.part.index]) {
                        sampler.add(*place, piece.part.index, slice.as_ref());
                    }
                }
            }
            Ok(())
        },
        |own, other| {
            own.merge(other);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(sampler.draft(total <= SAMPLE_ROWS))
}

/// The rows of a batch that lie in `ranges` of its part.
fn chosen(array: &ArrayRef, piece: &Piece<'_>, ranges: &[Range<u64>]) -> Vec<ArrayRef> {
    let (first, end) = (piece.first_row, piece.first_row + piece.rows.n_rows as u64);
    ranges
        .iter()
        .filter(|range| range.start < end && range.end > first)
        .map(|range| {
            let from = usize::try_from(range.start.max(first) - first).unwrap_or(0);
            let to = usize::try_from(range.end.min(end) - first).unwrap_or(0);
            array.slice(from, to - from)
        })
        .collect()
}

/// How many rows of each part meet the condition.
fn count_rows(input: &Input) -> Result<Vec<u64>> {
    let progress = Progress::rows("counting rows", input.dataset().n_rows());
    let reading = Reading::of_rows(input, &[], &progress);
    let n_parts = input.dataset().parts().len();
    let rows = reading.run(
        || vec![0_u64; n_parts],
        |rows, piece| {
            rows[piece.part.index] += piece.rows.n_rows as u64;
            Ok(())
        },
        |own, other| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(rows)
}

/// Chooses the segments of each split and gives every feature its state in them (SEMANTICS S18).
fn split(input: &Input, config: &Config, baseline: &mut Baseline) -> Result<Segments> {
    if config.segments.is_empty() {
        return Ok(Segments::default());
    }
    let mut names: Vec<&String> = config.segments.iter().flatten().collect();
    names.sort_unstable();
    names.dedup();
    let places = names
        .iter()
        .map(|name| {
            let schema = input.schema();
            schema.index_of(name).map_err(|_| columns::missing(schema, config, name, "segments"))
        })
        .collect::<Result<Vec<usize>>>()?;
    let progress = Progress::rows("counting segments", input.dataset().n_rows());
    let reading = Reading::of_rows(input, &places, &progress);
    let rows = reading.run(
        || vec![BTreeMap::<String, u64>::new(); config.segments.len()],
        |rows, piece| {
            for (split, rows) in config.segments.iter().zip(rows) {
                let column = |name: &str| {
                    let at = names.iter().position(|own| own.as_str() == name)?;
                    piece.rows.columns.get(at).cloned()
                };
                let texts = split_texts(split, piece.rows.n_rows, column)?;
                let mut counts = vec![0_u64; texts.names.len()];
                texts.rows.iter().for_each(|number| counts[*number as usize] += 1);
                for (text, count) in texts.names.into_iter().zip(counts) {
                    *rows.entry(text).or_default() += count;
                }
            }
            Ok(())
        },
        |own, other| {
            for (own, other) in own.iter_mut().zip(other) {
                for (text, count) in other {
                    *own.entry(text).or_default() += count;
                }
            }
            Ok(())
        },
    )?;
    progress.finish();
    let segments = Segments::choose(&config.segments, &rows);

    let progress = Progress::rows("counting the baseline's segments", input.dataset().n_rows());
    let windows = [Window::whole()];
    let plan = Plan {
        baseline,
        windows: &windows,
        time: None,
        id: None,
        segments: &segments,
        bounds: Bounds::default(),
        is_baseline: true,
    };
    let counted = plan.count(input, &progress)?;
    progress.finish();
    let Some(Tally { accumulator, .. }) = counted.windows.first() else { return Ok(segments) };
    let mut by_segment = BTreeMap::new();
    let mut states = Vec::new();
    for (key, rows) in accumulator.slots() {
        let Some(segment) = &key.segment else { continue };
        by_segment.insert(segment.clone(), rows);
        for feature in 0..baseline.features().len() {
            if let Ok(state) = accumulator.state(feature, key) {
                states.push((feature, segment.clone(), state));
            }
        }
    }
    for (feature, segment, state) in states {
        baseline.features_mut()[feature].set_segment(segment, state);
    }
    baseline.set_segments(by_segment);
    Ok(segments)
}

/// Gives every feature a design effect for each window, from the baseline's own panes of the window's length (SEMANTICS
/// S6).
fn calibrate(input: &Input, config: &Config, baseline: &mut Baseline) -> Result<()> {
    let Some(time) = config.time.as_deref() else { return Ok(()) };
    let mut windows: Vec<Window> = Vec::new();
    for window in &config.windows {
        let Some(cut) = window.cut else { continue };
        if windows.iter().all(|own| own.cut.is_some_and(|own| own.length != cut.length)) {
            // Panes, not overlapping windows: each row belongs to one of them.
            windows.push(Window { cut: Some(Cut { every: cut.length, ..cut }), ..window.clone() });
        }
    }
    if windows.is_empty() {
        return Ok(());
    }
    if input.schema().index_of(time).is_err() {
        let lacks = columns::lacking(input.schema(), time, "`time`");
        let message = format!("{lacks}; without its times the baseline is not calibrated");
        output::complain(&format!("note: {}", config.origin.locate("time", time, &message)));
        return Ok(());
    }
    columns::ensure_time(input.schema(), config)?;
    let segments = Segments::default();
    let progress = Progress::rows("calibrating on the baseline", input.dataset().n_rows());
    let bounds = Bounds::default();
    let plan = Plan {
        baseline,
        windows: &windows,
        time: Some(time),
        id: None,
        segments: &segments,
        bounds,
        is_baseline: true,
    };
    let counted = plan.count(input, &progress)?;
    progress.finish();
    let mut effects: Vec<(usize, i64, f64)> = Vec::new();
    for (window, Tally { accumulator, .. }) in windows.iter().zip(&counted.windows) {
        let Some(cut) = window.cut else { continue };
        let keys: Vec<SlotKey> = accumulator.slots().map(|(key, _)| key.clone()).collect();
        for (feature, own) in baseline.features().iter().enumerate() {
            let panes = keys.iter().filter_map(|key| accumulator.state(feature, key).ok());
            let effect = own.state(None).and_then(|whole| design_effect(own.cells(), whole, panes));
            effects.extend(effect.map(|effect| (feature, cut.length.micros(), effect)));
        }
    }
    for (feature, length, effect) in effects {
        baseline.features_mut()[feature].set_design_effect(length, effect)?;
    }
    Ok(())
}

const ROWS_KEY: &str = "driftlead.rows";
const EXCLUDED_KEY: &str = "driftlead.excluded_rows";
const ID_KEY: &str = "driftlead.baseline_id";
const MODEL_KEY: &str = "driftlead.model";
const SEGMENTS_KEY: &str = "driftlead.segments";
const SKIPPED_KEY: &str = "driftlead.skipped";
const ERRORS_KEY: &str = "driftlead.errors";
const VOLUMES_KEY: &str = "driftlead.volumes";

/// Looks at the place of a baseline file to be written, before its rows are read.
///
/// # Errors
///
/// If it cannot be written there, or something else than an older baseline would be written over.
pub fn look(location: &str, remotes: &Remotes) -> Result<Replaces> {
    baseline_file::look(location, remotes).map_err(|error| from_connectors(&error))
}

/// Writes `loaded` as a baseline file; `replaces` is what [`look`] found at its place.
///
/// # Errors
///
/// If the place cannot be written to; nothing half-written is left there.
pub fn write(
    config: &Config,
    loaded: &Loaded,
    location: &str,
    replaces: Replaces,
    remotes: &Remotes,
) -> Result<()> {
    let baseline = &loaded.baseline;
    let mut rows = Vec::new();
    for feature in baseline.features() {
        if let Some(whole) = feature.state(None) {
            let state = codec::encode_feature(feature);
            rows.push(super::feature_row::feature_row(feature, None, whole, state));
        }
        for (segment, state) in feature.segments() {
            rows.push(super::feature_row::feature_row(feature, Some(segment), state, Vec::new()));
        }
    }
    let mut metadata = BTreeMap::from([
        (ROWS_KEY.to_owned(), baseline.rows().to_string()),
        (EXCLUDED_KEY.to_owned(), loaded.excluded_rows.to_string()),
        (ID_KEY.to_owned(), baseline.id()),
        (MODEL_KEY.to_owned(), format!("{} {}", config.model, config.version)),
        (
            SEGMENTS_KEY.to_owned(),
            json(
                &baseline
                    .segments()
                    .iter()
                    .map(|(text, rows)| (text.to_string(), *rows))
                    .collect::<BTreeMap<_, _>>(),
            )?,
        ),
        (SKIPPED_KEY.to_owned(), json(&loaded.skipped)?),
        (ERRORS_KEY.to_owned(), json(&loaded.failed)?),
        (VOLUMES_KEY.to_owned(), json(&volume::stored(baseline))?),
    ]);
    metadata.extend(loaded.labels.clone());
    baseline_file::write(location, replaces, &rows, &metadata, remotes)
        .map_err(|error| from_connectors(&error))
}

fn json(what: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(what)
        .map_err(|error| Error::run("the baseline's metadata cannot be written").because(error))
}

/// Reads a baseline file.
///
/// # Errors
///
/// If it is damaged, of a newer version, or lacks segments that the model file asks for.
pub fn read(config: &Config, location: &str, remotes: &Remotes) -> Result<Loaded> {
    let (rows, metadata) = baseline_file::read(location, remotes).map_err(|error| from_connectors(&error))?;
    let damaged = |detail: &str| {
        Error::input(format!("the baseline file `{location}` is damaged: {detail}; make it again"))
    };
    let number = |key: &str| {
        metadata
            .get(key)
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(|| damaged(&format!("its metadata lack `{key}`")))
    };
    let features = rows
        .iter()
        .filter(|row| row.segment.is_none())
        .map(|row| {
            codec::decode_feature(&row.state).map_err(|error| {
                Error::input(format!("baseline file `{location}`, feature `{}`: {error}", row.feature))
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let list = |key: &str| metadata.get(key).map_or("[]", String::as_str);
    let mut skipped: Vec<Skipped> = serde_json::from_str(list(SKIPPED_KEY))
        .map_err(|_| damaged("its list of skipped columns is not JSON"))?;
    let failed: Vec<Failed> =
        serde_json::from_str(list(ERRORS_KEY)).map_err(|_| damaged("its list of errors is not JSON"))?;
    let by_segment: BTreeMap<String, u64> =
        serde_json::from_str(metadata.get(SEGMENTS_KEY).map_or("{}", String::as_str))
            .map_err(|_| damaged("its segments are not JSON"))?;
    let volumes = || -> Result<Vec<StoredVolume>> {
        serde_json::from_str(list(VOLUMES_KEY)).map_err(|_| damaged("its volumes are not JSON"))
    };
    let rows = number(ROWS_KEY)?;
    let of = |features| {
        let mut baseline = Baseline::new(rows, features, Vec::new(), Vec::new());
        let segments = by_segment.iter().map(|(text, rows)| (Arc::from(text.as_str()), *rows));
        baseline.set_segments(segments.collect());
        baseline
    };
    let mut baseline = of(features);
    if metadata.get(ID_KEY) != Some(&baseline.id()) {
        return Err(damaged("its content does not have the id that it was written with"));
    }
    check_declared(config, &baseline, location)?;
    // What the model file leaves out by now is not judged; the baseline of the rest has another name.
    let (kept, left): (Vec<_>, Vec<_>) =
        baseline.features().iter().cloned().partition(|feature| config.features.includes(feature.name()));
    skipped.retain(|skipped| config.features.includes(&skipped.name) || skipped.reason == EXCLUDED);
    if !left.is_empty() {
        skipped.extend(
            left.iter()
                .filter(|feature| config.features.exclude.iter().any(|name| name == feature.name()))
                .map(|feature| Skipped { name: feature.name().to_owned(), reason: EXCLUDED.to_owned() }),
        );
        skipped.sort_by(|a, b| a.name.cmp(&b.name));
        if kept.is_empty() {
            return Err(Error::input(format!(
                "the model file leaves out every feature of the baseline file `{location}`"
            )));
        }
        baseline = of(kept);
    }
    volume::restore(&mut baseline, volumes()?);
    let segments = Segments::stored(&config.segments, baseline.segments().keys())?;
    let labels = BTreeMap::new();
    let excluded_rows = number(EXCLUDED_KEY)?;
    Ok(Loaded { excluded_rows, baseline, segments, skipped, failed, rows_read: 0, labels })
}

/// Holds a stored baseline to what the model file says of its features by now.
fn check_declared(config: &Config, baseline: &Baseline, location: &str) -> Result<()> {
    let names = || baseline.features().iter().map(driftlead_engine::baseline::BaselineFeature::name);
    for declared in &config.features.declared {
        let own = baseline.features().iter().find(|own| own.name() == declared.name);
        let dim = own.and_then(|own| match own.cells().as_ref() {
            FeatureCells::Embedding(cells) => Some(cells.dim()),
            _ => None,
        });
        if let Some((wanted, found)) =
            declared.dim.zip(dim).filter(|(wanted, found)| *wanted != *found as u64)
        {
            let message = format!(
                "feature `{}` has `dim: {wanted}`, but the vectors of the baseline file `{location}` have {found} numbers: \
                 write `dim: {found}`, or make it again with `driftlead baseline`",
                declared.name
            );
            return Err(Error::input(config.origin.locate("dim", &declared.name, &message)));
        }
        let message = match (own, declared.kind) {
            (None, _) => format!(
                "`features` names `{}`, which the baseline file `{location}` does not have: {}; or make it again with \
                 `driftlead baseline`",
                declared.name,
                suggest(&declared.name, names())
            ),
            (Some(own), Some(kind)) if own.cells().kind() != kind => format!(
                "feature `{}` is {kind}, but the baseline file `{location}` has it as {}: make it again with `driftlead \
                 baseline`",
                declared.name,
                own.cells().kind()
            ),
            (Some(own), _) if declared.mmd && !own.cells().measures(Metric::Mmd) => format!(
                "feature `{}` asks for `mmd`, but the baseline file `{location}` was made without it: make it again with \
                 `driftlead baseline`",
                declared.name
            ),
            _ => continue,
        };
        return Err(Error::input(config.origin.locate("features", &declared.name, &message)));
    }
    Ok(())
}
