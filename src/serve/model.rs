//! One model at work: what it wants of its source, how its rows are prepared, and what it says of closed windows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use driftlead_connectors::dataset::{Format, Remotes};
use driftlead_connectors::source::DecodedBatch;
use driftlead_connectors::tabular::Prepare;
use driftlead_engine::Kind;
use driftlead_engine::accumulate::Column;
use driftlead_engine::baseline::Baseline;
use driftlead_engine::embedding::RowIds;
use driftlead_engine::policy::RuleSet;

use super::chunk::Chunk;
use crate::config::{Config, rule_problem};
use crate::exit::{Error, Result};
use crate::job::baseline::{self, Loaded};
use crate::job::segments::{SegmentRows, Segments};
use crate::job::{baseline_types, declared_types, ensure_ids, judge, raw_schema};

/// The column that carries event times through the condition; no SQL can name it.
const TIME: &str = "\u{0}time";

/// A column that a model wants from its source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// Its name in the model file.
    pub(super) name: String,
    /// The type as which it is decoded (SEMANTICS S4).
    pub(super) data_type: DataType,
    /// Which keys of the model file read it otherwise than as a feature, where some do.
    pub(super) needed_by: Option<&'static str>,
}

/// A model with its baseline, ready to take rows.
pub(super) struct Model {
    pub(super) config: Config,
    pub(super) baseline: Arc<Baseline>,
    pub(super) baseline_id: String,
    pub(super) rules: RuleSet,
    pub(super) segments: Segments,
    /// The columns wanted from the source; the event time, if the model names one, is the last.
    pub(super) wanted: Vec<Wanted>,
    prepare: Option<Prepare>,
    /// For each feature its place among the prepared columns.
    features: Vec<usize>,
}

/// A chunk's rows as one model sees them: those that meet its condition.
pub(super) struct Rows {
    /// Every column by name, in the order of `schema`.
    decoded: DecodedBatch,
    /// The event time of each row, `None` where it was set aside; any where the model names no `time`.
    pub(super) times: Vec<Option<i64>>,
    /// The segments of each split.
    pub(super) segments: Vec<SegmentRows>,
    /// The ids of the rows, where an embedding keeps some.
    pub(super) ids: Option<RowIds>,
    /// Columns that the rows' file does not have, by name, with what to say of it.
    absent: BTreeMap<String, String>,
    /// Rows that the condition left out.
    pub(super) excluded: u64,
}

impl Model {
    /// Reads a model file and its baseline.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the file, its baseline, its rules or its expressions, with the place in the file.
    pub(super) fn open(file: &Path, remotes: &Arc<Remotes>) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::input(format!("cannot read `{}`", file.display())).because(error))?;
        let config = Config::parse(file, &text)?;
        let at = |message: String| Error::input(format!("`{}`: {message}", file.display()));
        if let Some(window) = config.windows.iter().find(|window| !window.is_cut()) {
            return Err(at(format!(
                "window `{}` has neither `length` nor `rows`: a stream has no end to wait for",
                window.name
            )));
        }
        if !config.compat.is_empty() {
            return Err(at(
                "`compat` is for `check`: the service keeps no raw rows to compute it from".to_owned()
            ));
        }
        let Some(paths) = config.baseline.as_ref().map(|baseline| baseline.paths.clone()) else {
            return Err(at(
                "there is no `baseline`: name raw rows or a file made by `driftlead baseline`".to_owned()
            ));
        };
        let Loaded { baseline, segments, .. } = baseline::load(&config, &paths, remotes)?;
        let rules = judge::rules(&config, &baseline).map_err(|error| {
            let problem = rule_problem(&config.rules, &error);
            Error::input(config.origin.at(problem.place, &problem.message))
        })?;
        let known = known_columns(&config, &baseline, &paths, remotes)?;
        let wanted = wanted(&config, &baseline, &segments, &known)?;
        if id_of(&config, &baseline).is_some_and(|id| known.index_of(id).is_ok()) {
            ensure_ids(&known, &config)?;
        }
        let schema = Schema::new(
            wanted.iter().map(|own| Field::new(&own.name, own.data_type.clone(), true)).collect::<Vec<_>>(),
        );
        let prepare = compile(&config, &schema)?;
        let output = prepare.as_ref().map_or(&schema, |prepare| prepare.output_schema().as_ref());
        let features = baseline
            .features()
            .iter()
            .map(|feature| {
                output
                    .index_of(feature.name())
                    .map_err(|_| at(format!("the feature `{}` of the baseline is nowhere", feature.name())))
            })
            .collect::<Result<_>>()?;
        let baseline_id = judge::baseline_id(&config, &baseline);
        Ok(Self {
            config,
            baseline: Arc::new(baseline),
            baseline_id,
            rules,
            segments,
            wanted,
            prepare,
            features,
        })
    }

    /// The rows of a chunk that meet the model's condition. `places` finds each wanted column among the chunk's, `time`
    /// is the model's place among the chunk's times, if it has one.
    pub(super) fn rows(&self, chunk: &Chunk, places: &[usize], time: Option<usize>) -> Result<Rows> {
        let n_rows = chunk.decoded.batch.num_rows();
        let untimed = || vec![Some(0); n_rows];
        let times = time.map_or_else(untimed, |time| chunk.times[time].clone());
        let columns: Vec<ArrayRef> =
            places.iter().map(|place| chunk.decoded.batch.column(*place).clone()).collect();
        let type_errors = places.iter().map(|place| chunk.decoded.type_errors[*place].clone()).collect();
        let (decoded, times, excluded) = match &self.prepare {
            None => {
                let batch = batch(self.names(), columns, n_rows)?;
                let bad_records = chunk.decoded.bad_records.clone();
                (DecodedBatch { batch, type_errors, bad_records }, times, 0)
            }
            Some(prepare) => self.prepared(prepare, columns, type_errors, &times)?,
        };
        let segments = self
            .segments
            .of_rows(decoded.batch.num_rows(), |name| decoded.batch.column_by_name(name).cloned())?;
        let absent = self
            .names()
            .zip(places)
            .filter_map(|(name, place)| Some((name.to_owned(), chunk.absent.get(place)?.clone())))
            .collect();
        let ids = id_of(&self.config, &self.baseline)
            .and_then(|name| decoded.batch.column_by_name(name))
            .map(|array| RowIds::of(array))
            .transpose()?;
        Ok(Rows { decoded, times, segments, ids, absent, excluded })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|own| own.name.as_str())
    }

    /// What the condition leaves, the derived columns, and the event times of what is left.
    fn prepared(
        &self,
        prepare: &Prepare,
        mut columns: Vec<ArrayRef>,
        mut type_errors: Vec<Option<arrow_buffer::BooleanBuffer>>,
        times: &[Option<i64>],
    ) -> Result<(DecodedBatch, Vec<Option<i64>>, u64)> {
        columns.push(Arc::new(times.iter().copied().collect::<Int64Array>()));
        type_errors.push(None);
        let batch = batch(self.names().chain([TIME]), columns, times.len())?;
        let decoded = DecodedBatch { batch, type_errors, bad_records: Default::default() };
        let (decoded, excluded) =
            prepare.apply_decoded(decoded).map_err(|error| Error::run(error.to_string()))?;
        let kept =
            decoded.batch.column_by_name(TIME).and_then(|own| own.as_any().downcast_ref::<Int64Array>());
        let times = kept.map(|kept| kept.iter().collect()).unwrap_or_default();
        Ok((decoded, times, excluded))
    }

    /// The features that the rows' file does not have, with what to say of it: no value was seen, not even null.
    pub(super) fn failed<'a>(&self, rows: &'a Rows) -> Vec<(usize, &'a str)> {
        let features = self.baseline.features().iter().enumerate();
        features.filter_map(|(feature, own)| Some((feature, rows.absent.get(own.name())?.as_str()))).collect()
    }

    /// The features of some rows, as the engine takes them; without those that [`Self::failed`] answers.
    pub(super) fn features<'a>(&self, rows: &'a Rows) -> Vec<(usize, Column<'a>)> {
        let schema = rows.decoded.batch.schema_ref();
        self.baseline
            .features()
            .iter()
            .enumerate()
            .filter(|(_, own)| !rows.absent.contains_key(own.name()))
            .filter_map(|(feature, own)| {
                // Derived columns stand behind the event time, so the place is asked for by name.
                let at = match schema.fields().get(self.features[feature]) {
                    Some(field) if field.name() == own.name() => self.features[feature],
                    _ => schema.index_of(own.name()).ok()?,
                };
                let array = rows.decoded.batch.column(at).as_ref();
                Some((feature, Column { array, errors: rows.decoded.type_errors[at].as_ref() }))
            })
            .collect()
    }
}

/// Columns as a batch, each in the type that it has: files have widths and units of their own (SEMANTICS S4).
fn batch<'a>(
    names: impl Iterator<Item = &'a str>,
    columns: Vec<ArrayRef>,
    n_rows: usize,
) -> Result<RecordBatch> {
    let fields: Vec<Field> = names
        .zip(&columns)
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|error| Error::run("the source's columns are not those of its model").because(error))
}

fn compile(config: &Config, schema: &Schema) -> Result<Option<Prepare>> {
    if config.filter.is_none() && config.derive.is_empty() {
        return Ok(None);
    }
    let derived: Vec<(&str, &str)> =
        config.derive.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).collect();
    Prepare::new(config.filter.as_deref(), &derived, schema).map(Some).map_err(|refusal| {
        let (key, name) = match &refusal.column {
            Some(name) => ("derive", name.as_str()),
            None => ("where", ""),
        };
        Error::input(config.origin.locate(key, name, &refusal.to_string()))
    })
}

/// Every column whose type is known: those of the baseline's rows, its features as they are decoded, and those to
/// which the model file gives a type.
fn known_columns(
    config: &Config,
    baseline: &Baseline,
    paths: &[String],
    remotes: &Arc<Remotes>,
) -> Result<Schema> {
    let mut fields: Vec<Field> = match raw_schema(paths, remotes)? {
        Some(schema) => schema.fields().iter().map(|field| field.as_ref().clone()).collect(),
        None => Vec::new(),
    };
    let typed = declared_types(config).chain(baseline_types(baseline));
    for (name, _, data_type) in typed {
        match fields.iter_mut().find(|field| field.name() == name) {
            Some(field) => field.set_data_type(data_type),
            None => fields.push(Field::new(name, data_type, true)),
        }
    }
    // What rows have from the events in which they came, the baseline need not have; nor have its rows ids.
    for name in Format::Mdc.envelope().iter().copied().chain(id_of(config, baseline)) {
        if fields.iter().all(|field| field.name() != name) {
            fields.push(Field::new(name, DataType::Utf8, true));
        }
    }
    // A derived column is none of the source's.
    fields.retain(|field| !config.derive.iter().any(|(name, _)| name == field.name()));
    Ok(Schema::new(fields))
}

/// What the source must decode: features, columns of expressions and of segments, and the event time last, if there is
/// one.
fn wanted(config: &Config, baseline: &Baseline, segments: &Segments, known: &Schema) -> Result<Vec<Wanted>> {
    let time = config.time.as_deref();
    let is_derived = |name: &str| config.derive.iter().any(|(own, _)| own == name);
    let mut names: BTreeSet<String> = BTreeSet::new();
    names.extend(baseline.features().iter().map(|own| own.name().to_owned()));
    let mut readers: BTreeMap<String, &'static str> = BTreeMap::new();
    readers.extend(segments.columns().into_iter().map(|name| (name.to_owned(), "`segments`")));
    readers.extend(id_of(config, baseline).map(|name| (name.to_owned(), "`id`")));
    if let Some(prepare) = compile(config, known)? {
        let reader = match (&config.filter, config.derive.is_empty()) {
            (None, _) => "`derive`",
            (Some(_), true) => "`where`",
            (Some(_), false) => "`where` or `derive`",
        };
        readers.extend(prepare.input_columns().iter().map(|name| (name.clone(), reader)));
    }
    names.extend(readers.keys().cloned());
    names.retain(|name| !is_derived(name) && Some(name.as_str()) != time);
    let mut wanted = Vec::with_capacity(names.len() + 1);
    for name in names {
        let Ok(field) = known.field_with_name(&name) else {
            let message = format!(
                "the type of `{name}` is not known: the baseline file does not have it; name the baseline's rows instead"
            );
            return Err(Error::input(config.origin.locate("segments", &name, &message)));
        };
        let data_type = decoded_as(field.data_type());
        let needed_by = readers.get(&name).copied();
        wanted.push(Wanted { name, data_type, needed_by });
    }
    let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    wanted.extend(time.map(|time| Wanted { name: time.to_owned(), data_type, needed_by: None }));
    Ok(wanted)
}

/// The column of the rows' ids, if an embedding keeps some.
fn id_of<'a>(config: &'a Config, baseline: &Baseline) -> Option<&'a str> {
    let has_clusters = baseline.features().iter().any(|own| own.cells().kind() == Kind::Embedding);
    config.id.as_deref().filter(|_| has_clusters)
}

/// The type as which text is decoded for a column of this type.
fn decoded_as(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => decoded_as(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    }
}
