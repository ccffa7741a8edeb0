//! The metrics of other tools beside our own (SEMANTICS S24, docs/compat.md). They never decide a verdict.
//!
//! These tools look at rows, not at counts, so their rows are read a second time and held: a bounded number of features
//! at once, or one if it is larger than that. A metric that a tool itself refuses says why, and never fails the run.

pub mod azureml;
mod column;
mod places;
mod score;
mod side;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use driftlead_connectors::dataset::Remotes;
use driftlead_engine::baseline::{Baseline, BaselineFeature};
use driftlead_engine::compat::Tool;
use driftlead_engine::feature::{Domain, Family, FeatureCells, Unit, ValueType};
use driftlead_engine::score::describe;
use driftlead_engine::{Kind, id};
use rayon::prelude::*;

use self::column::Column;
use self::places::Places;
use self::score::About;
use self::side::Side;
use super::baseline;
use super::input::Input;
use super::segments::Segments;
use super::windows::Bounds;
use crate::config::{Compat, Config};
use crate::exit::{Error, Result};
use crate::interrupt;
use crate::report::Verdict;
use crate::report::wire::{self, CompatMetric};

/// The most values that are held at once, of both sides: 256 MiB of doubles.
pub(super) const MAX_VALUES: u64 = 32 << 20;

/// The numbers of vectors, in single precision, that take the room of a value.
const NUMBERS_PER_VALUE: u64 = 2;

/// Refuses the tools that need raw rows, if the baseline is a file of counts.
///
/// # Errors
///
/// Input, with what to do.
pub(super) fn refuse_stored(tools: &[Compat], paths: &[String]) -> Result<()> {
    let needy = tools.iter().map(|own| tool(*own)).find(|tool| tool.needs_both_sides());
    needy.map_or(Ok(()), |tool| {
        Err(Error::input(format!(
            "`{}` lays its bins over the rows of both sides, and the baseline file `{}` holds no rows: name the \
             baseline's raw rows with `--baseline`, or leave out `{}`",
            tool.name(),
            paths.join("`, `"),
            tool.name()
        )))
    })
}

/// What is compared.
pub(super) struct Job<'a> {
    pub(super) config: &'a Config,
    pub(super) baseline: &'a Baseline,
    /// The baseline's raw rows; `None` if it came from a file of counts.
    pub(super) baseline_rows: Option<&'a [String]>,
    pub(super) segments: &'a Segments,
    pub(super) data: &'a Input,
    /// The event-time column, if windows or bounds need it.
    pub(super) time: Option<&'a str>,
    pub(super) bounds: Bounds,
    /// How many values may be held at once: [`MAX_VALUES`], where no test says otherwise.
    pub(super) max_values: u64,
}

/// One side of the whole comparison.
struct Rows<'a> {
    input: &'a Input,
    places: Places,
    /// Which rows have a value in every feature, where that is asked.
    complete: Option<Vec<bool>>,
}

/// A feature that can be compared, with its places in both schemas.
#[derive(Clone, Copy)]
struct Feature<'a> {
    index: usize,
    own: &'a BaselineFeature,
    baseline: Option<usize>,
    data: usize,
    /// Whether both columns are of an integer type.
    integer: bool,
}

impl Feature<'_> {
    fn kind(&self) -> Kind {
        self.own.cells().kind()
    }

    /// The length of an embedding's vectors; 0 of all else.
    fn dim(&self) -> usize {
        match self.own.cells().as_ref() {
            FeatureCells::Embedding(cells) => cells.dim(),
            FeatureCells::Numeric(_) | FeatureCells::Categorical(_) => 0,
        }
    }

    fn family(&self) -> Family {
        self.own.cells().value_type().family
    }
}

impl Job<'_> {
    /// Adds the metrics of the model's tools to every feature of every window that has rows.
    ///
    /// # Errors
    ///
    /// If rows cannot be read.
    pub(super) fn add(&self, windows: &mut [wire::Window], remotes: &Arc<Remotes>) -> Result<()> {
        let mut tools: Vec<Tool> = self.config.compat.iter().map(|own| tool(*own)).collect();
        tools.sort_unstable();
        tools.dedup();
        let opened = match self.baseline_rows {
            Some(paths) => Some(baseline::open(self.config, paths, remotes)?),
            None => None,
        };
        let features = self.features(opened.as_ref(), windows);
        let is_vector = |feature: &&Feature<'_>| feature.kind() == Kind::Embedding;
        let (vectors, features): (Vec<&Feature<'_>>, Vec<&Feature<'_>>) =
            features.iter().partition(|feature| is_vector(feature));
        let features: Vec<Feature<'_>> = features.into_iter().copied().collect();
        let mut before = match &opened {
            Some(input) => Some(Rows {
                places: Places::read(input, None, Bounds::default(), self.segments)?,
                input,
                complete: None,
            }),
            None => None,
        };
        let places = Places::read(self.data, self.time, self.bounds, self.segments)?;
        let mut now = Rows { places, input: self.data, complete: None };
        let rows = now.places.n_rows + before.as_ref().map_or(0, |before| before.places.n_rows);
        let at_once = usize::try_from(self.max_values / (rows as u64).max(1)).unwrap_or(usize::MAX).max(1);
        let groups: Vec<&[Feature<'_>]> = features.chunks(at_once).collect();

        let mut kept = None;
        if let Some(before) = before.as_mut().filter(|_| tools.contains(&Tool::AzureMl)) {
            // A row counts for Azure ML only if none of its features is missing, so all must be seen before the first.
            before.complete = Some(vec![true; before.places.n_rows]);
            now.complete = Some(vec![true; now.places.n_rows]);
            for group in &groups {
                let columns = (before.columns(group, |f| f.baseline)?, now.columns(group, |f| Some(f.data))?);
                before.mark_missing(&columns.0);
                now.mark_missing(&columns.1);
                kept = (groups.len() == 1).then_some(columns);
            }
        }
        let frames = self.integer_frames(&features, windows);
        for group in groups {
            let (of_baseline, of_data) = match kept.take() {
                Some(columns) => columns,
                None => {
                    let of_baseline = match &before {
                        Some(before) => before.columns(group, |f| f.baseline)?,
                        None => Vec::new(),
                    };
                    (of_baseline, now.columns(group, |f| Some(f.data))?)
                }
            };
            for (at, feature) in group.iter().enumerate() {
                let reference = before.as_ref().zip(of_baseline.get(at));
                let one = One { tools: &tools, feature, reference, now: &now, column: &of_data[at] };
                one.add(windows, &frames)?;
            }
        }
        if let Some(before) = before.as_ref().filter(|_| tools.contains(&Tool::Evidently)) {
            for feature in vectors {
                self.add_vectors(feature, before, &now, windows, &frames)?;
            }
        }
        Ok(())
    }

    /// Adds evidently's metrics of vectors. No tool has them in a frame with other columns, so each column is read by itself.
    fn add_vectors(
        &self,
        feature: &Feature<'_>,
        before: &Rows<'_>,
        now: &Rows<'_>,
        windows: &mut [wire::Window],
        frames: &[bool],
    ) -> Result<()> {
        let rows = (before.places.n_rows + now.places.n_rows) as u64;
        if rows.saturating_mul(feature.dim() as u64) > self.max_values.saturating_mul(NUMBERS_PER_VALUE) {
            let reason = format!(
                "{rows} vectors of {} numbers on both sides are more than the {} MiB that are held of a column",
                feature.dim(),
                (self.max_values * size_of::<f64>() as u64) >> 20
            );
            for window in windows.iter_mut().filter(|window| window.rows > 0) {
                window.features[feature.index].compat = score::refused_vectors(&reason);
            }
            return Ok(());
        }
        let group = std::slice::from_ref(feature);
        let of_baseline = before.columns(group, |f| f.baseline)?;
        let of_data = now.columns(group, |f| Some(f.data))?;
        if let (Some(reference), Some(column)) = (of_baseline.first(), of_data.first()) {
            let tools = [Tool::Evidently];
            One { tools: &tools, feature, reference: Some((before, reference)), now, column }
                .add(windows, frames)?;
        }
        Ok(())
    }

    /// The features that both sides have in types that can be compared.
    fn features<'a>(&'a self, before: Option<&Input>, windows: &[wire::Window]) -> Vec<Feature<'a>> {
        let is_failed = |index: usize| {
            windows.iter().any(|window| {
                window.features.get(index).is_none_or(|feature| feature.verdict == Verdict::Error)
            })
        };
        let list = self.baseline.features().iter().enumerate().filter(|(index, _)| !is_failed(*index));
        list.filter_map(|(index, own)| {
            let place = |schema: &Schema| {
                let place = schema.index_of(own.name()).ok()?;
                Some((place, is_integer(schema.field(place).data_type())))
            };
            let (data, data_integer) = place(self.data.schema())?;
            let (baseline, integer) = match before {
                Some(input) => place(input.schema()).map(|(place, integer)| (Some(place), integer))?,
                None => (None, is_integer_type(own.cells().value_type())),
            };
            Some(Feature { index, own, baseline, data, integer: integer && data_integer })
        })
        .collect()
    }

    /// For each window, whether all numbers of both sides are integers and there: pandas then has one integer frame.
    fn integer_frames(&self, features: &[Feature<'_>], windows: &[wire::Window]) -> Vec<bool> {
        let numbers: Vec<&Feature<'_>> =
            features.iter().filter(|f| f.kind() == Kind::Numeric && f.family() == Family::Number).collect();
        windows
            .iter()
            .map(|window| {
                let segment = text_of(window.segment.as_ref());
                numbers.iter().all(|feature| {
                    let now = &window.features[feature.index];
                    let before = feature.own.state(segment.as_deref());
                    let before = before.map(|state| describe(feature.own.cells(), state)).unwrap_or_default();
                    feature.integer && now.nulls + now.nans + before.nulls + before.nans == 0
                })
            })
            .collect()
    }
}

impl Rows<'_> {
    /// Reads the columns of `features`.
    fn columns(
        &self,
        features: &[Feature<'_>],
        place: impl Fn(&Feature<'_>) -> Option<usize>,
    ) -> Result<Vec<Column>> {
        let wanted: Vec<(usize, &FeatureCells)> = features
            .iter()
            .filter_map(|feature| Some((place(feature)?, feature.own.cells().as_ref())))
            .collect();
        column::read(self.input, &wanted)
    }

    fn mark_missing(&mut self, columns: &[Column]) {
        if let Some(complete) = &mut self.complete {
            columns.iter().for_each(|column| column.mark_missing(complete));
        }
    }

    fn side<'b>(
        &self,
        column: &'b Column,
        segment: Option<&wire::Segment>,
        span: Option<(i64, i64)>,
        only_complete: bool,
    ) -> Side<'b> {
        let complete = self.complete.as_deref().filter(|_| only_complete);
        Side::of_rows(column, self.places.rows(segment, span), complete)
    }
}

/// One feature with its rows.
struct One<'a> {
    tools: &'a [Tool],
    feature: &'a Feature<'a>,
    reference: Option<(&'a Rows<'a>, &'a Column)>,
    now: &'a Rows<'a>,
    column: &'a Column,
}

/// The reference of one segment: all rows, and the complete ones if Azure ML asks.
type Reference<'a> = Result<(Side<'a>, Option<Side<'a>>), String>;

impl One<'_> {
    fn add(&self, windows: &mut [wire::Window], frames: &[bool]) -> Result<()> {
        let mut references: BTreeMap<Option<wire::Segment>, Reference<'_>> = BTreeMap::new();
        for window in windows.iter().filter(|window| window.rows > 0) {
            let reference = || self.reference(window.segment.as_ref());
            references.entry(window.segment.clone()).or_insert_with(reference);
        }
        windows.par_iter_mut().zip(frames).try_for_each(|(window, integer_frame)| {
            interrupt::check()?;
            if let Some(reference) = references.get(&window.segment).filter(|_| window.rows > 0) {
                let about = About { integer: self.feature.integer, integer_frame: *integer_frame };
                let span = window.start.zip(window.end).map(|(start, end)| (start.micros(), end.micros()));
                let compat = self.metrics(reference, window.segment.as_ref(), span, about);
                window.features[self.feature.index].compat = compat;
            }
            Ok(())
        })
    }

    fn reference(&self, segment: Option<&wire::Segment>) -> Reference<'_> {
        let Some((rows, column)) = self.reference else {
            return Ok((Side::of_state(self.feature.own, text_of(segment).as_deref())?, None));
        };
        let complete = rows.complete.is_some().then(|| rows.side(column, segment, None, true));
        Ok((rows.side(column, segment, None, false), complete))
    }

    fn metrics(
        &self,
        reference: &Reference<'_>,
        segment: Option<&wire::Segment>,
        span: Option<(i64, i64)>,
        about: About,
    ) -> Vec<CompatMetric> {
        let of_tools =
            |one: &dyn Fn(Tool) -> Vec<CompatMetric>| self.tools.iter().flat_map(|t| one(*t)).collect();
        let kind = self.feature.kind();
        let (all, complete) = match reference {
            Ok(reference) => reference,
            Err(reason) => return of_tools(&|tool| score::refused(tool, kind, reason)),
        };
        if self.feature.family() == Family::Time {
            return of_tools(&|tool| {
                score::refused(tool, kind, "dates and times are no numbers to this tool")
            });
        }
        let now = self.now.side(self.column, segment, span, false);
        of_tools(&|tool| match complete.as_ref().filter(|_| tool == Tool::AzureMl) {
            Some(complete) => {
                let now = self.now.side(self.column, segment, span, true);
                score::metrics(tool, complete, &now, about)
            }
            None => score::metrics(tool, all, &now, about),
        })
    }
}

fn tool(own: Compat) -> Tool {
    match own {
        Compat::AzureMl => Tool::AzureMl,
        Compat::Evidently => Tool::Evidently,
        Compat::NannyMl => Tool::NannyMl,
        Compat::Scouter => Tool::Scouter,
    }
}

/// The text by which the baseline knows a segment.
fn text_of(segment: Option<&wire::Segment>) -> Option<String> {
    let pairs: Vec<(&str, Option<&str>)> =
        segment?.0.iter().map(|(column, value)| (column.as_str(), value.as_deref())).collect();
    Some(id::segment(&pairs))
}

fn is_integer(data_type: &DataType) -> bool {
    ValueType::of(data_type).is_ok_and(is_integer_type)
}

fn is_integer_type(value_type: ValueType) -> bool {
    let is_whole = matches!(value_type.domain, Domain::I64 | Domain::I128) && value_type.unit == Unit::ONE;
    value_type.family == Family::Number && is_whole
}

#[cfg(test)]
mod tests {
    use super::super::check::Check;
    use super::super::input::Preparation;
    use super::*;

    /// Features read one by one, with Azure ML's incomplete rows found in a pass of their own.
    #[test]
    fn how_many_features_are_held_at_once_does_not_show() {
        let file = |month: &str| {
            vec![format!("{}/fixtures/flights/newark-2001-{month}.parquet", env!("CARGO_MANIFEST_DIR"))]
        };
        let remotes = Arc::new(Remotes::new([]).without_identity_service());
        let config = Config { compat: Compat::ALL.to_vec(), ..Config::first_look() };
        let check = Check {
            config: Config::first_look(),
            model_file: None,
            baseline: file("01"),
            data: file("02"),
            bounds: Bounds::default(),
        };
        let report = check.run(&remotes).unwrap();
        let loaded = baseline::load(&config, &check.baseline, &remotes).unwrap();
        let data = Input::open(&check.data, &remotes, Preparation::default()).unwrap();
        let with = |max_values: u64| {
            let job = Job {
                config: &config,
                baseline: &loaded.baseline,
                baseline_rows: Some(&check.baseline),
                segments: &loaded.segments,
                data: &data,
                time: None,
                bounds: Bounds::default(),
                max_values,
            };
            let mut windows = report.windows.clone();
            job.add(&mut windows, &remotes).unwrap();
            windows
        };
        let at_once = with(MAX_VALUES);
        assert!(at_once[0].features.iter().all(|feature| feature.compat.len() > 10), "{at_once:?}");
        assert!(with(1) == at_once && with(40_000) == at_once);
    }

    /// A column of vectors that is too large says so for each metric, and the columns beside it are computed.
    #[test]
    fn vectors_beyond_the_bound_are_refused_with_the_reason() {
        let fixture =
            |name: &str| vec![format!("{}/fixtures/speeches/{name}.parquet", env!("CARGO_MANIFEST_DIR"))];
        let remotes = Arc::new(Remotes::new([]).without_identity_service());
        let config = Config { compat: vec![Compat::Evidently], ..Config::first_look() };
        let check = Check {
            config: Config::first_look(),
            model_file: None,
            baseline: fixture("held-out"),
            data: fixture("mixed"),
            bounds: Bounds::default(),
        };
        let report = check.run(&remotes).unwrap();
        let loaded = baseline::load(&config, &check.baseline, &remotes).unwrap();
        let data = Input::open(&check.data, &remotes, Preparation::default()).unwrap();
        let job = Job {
            config: &config,
            baseline: &loaded.baseline,
            baseline_rows: Some(&check.baseline),
            segments: &loaded.segments,
            data: &data,
            time: None,
            bounds: Bounds::default(),
            // 1,200 vectors of 384 in single precision, less a number.
            max_values: 1_200 * 384 / 2 - 1,
        };
        let mut windows = report.windows.clone();
        job.add(&mut windows, &remotes).unwrap();
        let of = |name: &str| windows[0].features.iter().find(|own| own.name == name).unwrap().compat.clone();
        let refused = of("embedding");
        let says_so =
            |own: &CompatMetric| own.reason.as_ref().is_some_and(|reason| reason.contains("1200 vectors"));
        assert!(refused.len() == 7 && refused.iter().all(says_so), "{refused:?}");
        assert!(of("year").iter().all(|own| own.value.is_some()));
    }
}
