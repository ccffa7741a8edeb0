//! Rows into panes and segments: what each window of a model knows of its rows.

use std::collections::BTreeMap;

use driftlead_engine::Kind;
use driftlead_engine::accumulate::{Column, Slots, Split};
use driftlead_engine::baseline::Baseline;
use driftlead_engine::embedding::RowIds;

use super::columns::lacking;
use super::input::Input;
use super::ordinals::Ordinals;
use super::prune::{Pruned, prune};
use super::read::{Piece, Reading};
use super::segments::{SegmentRows, Segments};
use super::tally::Tally;
use super::time::event_times;
use crate::config::{Config, Window};
use crate::exit::{Error, Result};
use crate::progress::Progress;
use crate::report::wire;

/// Event times admitted: from the first, before the second, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The first instant admitted.
    pub since: Option<i64>,
    /// The first instant not admitted.
    pub until: Option<i64>,
}

impl Bounds {
    pub(super) fn admit(self, time: i64) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    pub(super) fn is_open(self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// Whether rows have to know their event time: for windows, or for bounds. Windows of rows tell theirs where the model names
/// its column, and then a row without one counts in none of them.
pub(super) fn needs_time(config: &Config, bounds: Bounds) -> bool {
    let wants = |window: &Window| window.cut.is_some() || (window.rows.is_some() && config.time.is_some());
    config.windows.iter().any(wants) || !bounds.is_open()
}

/// The states of all windows of a model over some rows.
#[derive(Debug)]
pub(super) struct Counted {
    /// What was counted for each window of the model file.
    pub(super) windows: Vec<Tally>,
    pub(super) input: wire::Input,
    /// The newest event time admitted.
    pub(super) newest: Option<i64>,
    /// The oldest.
    pub(super) oldest: Option<i64>,
    /// Rows that belong to windows.
    placed: u64,
    /// The place among all rows of the next that a thread reads.
    next: u64,
}

/// What decides where a row belongs.
pub(super) struct Plan<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) windows: &'a [Window],
    pub(super) time: Option<&'a str>,
    /// The column of the rows' ids, where an embedding keeps some.
    pub(super) id: Option<&'a str>,
    pub(super) segments: &'a Segments,
    pub(super) bounds: Bounds,
    /// Whether the rows are those that the baseline was made from.
    pub(super) is_baseline: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        baseline: &'a Baseline,
        config: &'a Config,
        segments: &'a Segments,
        bounds: Bounds,
    ) -> Result<Self> {
        let time = config.time.as_deref().filter(|_| needs_time(config, bounds));
        if time.is_none() && !bounds.is_open() {
            return Err(Error::input(
                "`--since` and `--until` need an event time: name its column with `time:` in a model file",
            ));
        }
        if let Some(window) = config.windows.iter().find(|own| own.rows.is_some() && !bounds.is_open()) {
            return Err(Error::input(format!(
                "window `{}` is of rows, which are numbered from the first on: `--since` and `--until` would number others; \
                 leave them out, or cut event time with such as `length: 1h`",
                window.name
            )));
        }
        let has_clusters = baseline.features().iter().any(|own| own.cells().kind() == Kind::Embedding);
        let id = config.id.as_deref().filter(|_| has_clusters);
        Ok(Self { baseline, windows: &config.windows, time, id, segments, bounds, is_baseline: false })
    }

    /// Counts all rows of `input`.
    pub(super) fn count(&self, input: &Input, progress: &Progress) -> Result<Counted> {
        let schema = input.schema();
        let mut columns = Vec::new();
        let mut feature_of = Vec::new();
        for (feature, own) in self.baseline.features().iter().enumerate() {
            // A feature that is not there is an error of its own, found when the states are asked for.
            if let Ok(place) = schema.index_of(own.name()) {
                columns.push(place);
                feature_of.push(feature);
            }
        }
        let n_features = columns.len();
        let mut extra = |name: &str, key: &str| -> Result<usize> {
            let place = schema.index_of(name).map_err(|_| Error::input(lacking(schema, name, key)))?;
            Ok(columns.iter().position(|own| *own == place).unwrap_or_else(|| {
                columns.push(place);
                columns.len() - 1
            }))
        };
        let time = self.time.map(|name| Ok::<_, Error>((extra(name, "`time`")?, name))).transpose()?;
        let id = self.id.map(|name| extra(name, "`id`")).transpose()?;
        let splits = self
            .segments
            .columns()
            .into_iter()
            .map(|name| Ok((name, extra(name, "`segments`")?)))
            .collect::<Result<BTreeMap<&str, usize>>>()?;
        let ordinals = match self.windows.iter().any(|window| window.rows.is_some()) {
            true => Some(Ordinals::of(input, time.map(|(place, name)| (columns[place], name)))?),
            false => None,
        };
        let together = time.is_some() || id.is_some() || !splits.is_empty();
        let pruned = match time {
            Some((_, name)) => prune(input, name, self.bounds)?,
            None => Pruned::default(),
        };
        let ranges = pruned.ranges.as_deref();
        let reading =
            Reading { input, columns: &columns, together, ranges, progress, tells_bad_records: true };
        let start = || self.empty();
        let add = |counted: &mut Counted, piece: &Piece<'_>| {
            let at = |place: usize| piece.places.iter().position(|own| *own == place);
            let column = |place: usize| at(place).map(|at| piece.rows.columns[at].clone());
            let features: Vec<(usize, Column<'_>)> = piece
                .places
                .iter()
                .enumerate()
                .filter(|(_, place)| **place < n_features)
                .map(|(at, place)| (feature_of[*place], piece.rows.column(at)))
                .collect();
            let times = match time.and_then(|(place, name)| column(place).map(|array| (array, name))) {
                Some((array, name)) => Some(event_times(&array, name)?),
                None => None,
            };
            let segments = self
                .segments
                .of_rows(piece.rows.n_rows, |name| splits.get(name).and_then(|place| column(*place)))?;
            let ids = id.and_then(column).map(|array| RowIds::of(&array)).transpose()?;
            let rows = Placed { n_rows: piece.rows.n_rows, times, segments, ids };
            if piece.counts_rows {
                counted.input.rows += piece.rows.n_rows as u64 + piece.rows.excluded;
                counted.input.excluded_rows += piece.rows.excluded;
                counted.input.bad_records += piece.bad_records;
            }
            if piece.first_row == 0 {
                counted.next = ordinals.as_ref().map_or(0, |own| own.before(piece.part.index));
            }
            self.add(counted, &features, &rows, piece.counts_rows);
            Ok(())
        };
        let mut counted = reading.run(start, add, |own, other| own.merge(&other))?;
        counted.input.rows += pruned.outside_rows + pruned.untimed_rows;
        counted.input.outside_rows += pruned.outside_rows;
        counted.input.untimed_rows += pruned.untimed_rows;
        if let Some(ordinals) = ordinals {
            ordinals.ensure(counted.placed)?;
        }
        self.fail_missing(input, &mut counted);
        Ok(counted)
    }

    fn empty(&self) -> Counted {
        let accumulator = || {
            if self.is_baseline { self.baseline.own_accumulator() } else { self.baseline.accumulator() }
        };
        let windows = self.windows.iter().map(|window| Tally::new(window, accumulator())).collect();
        let input = wire::Input::default();
        Counted { windows, input, newest: None, oldest: None, placed: 0, next: 0 }
    }

    fn add(&self, counted: &mut Counted, features: &[(usize, Column<'_>)], rows: &Placed, counts_rows: bool) {
        let mut admitted = None;
        if let Some(times) = &rows.times {
            let mut keep = Vec::with_capacity(rows.n_rows);
            for time in times {
                match time {
                    None => {
                        counted.input.untimed_rows += u64::from(counts_rows);
                        keep.push(None);
                    }
                    Some(time) if !self.bounds.admit(*time) => {
                        counted.input.outside_rows += u64::from(counts_rows);
                        keep.push(None);
                    }
                    Some(time) => {
                        counted.newest = counted.newest.max(Some(*time));
                        counted.oldest = Some(counted.oldest.map_or(*time, |oldest| oldest.min(*time)));
                        keep.push(Some(*time));
                    }
                }
            }
            admitted = Some(keep);
        }
        let splits: Vec<Split<'_>> = rows
            .segments
            .iter()
            .map(|split| Split { segments: &split.segments, rows: &split.rows })
            .collect();
        let before = counted.next;
        let belong = admitted.as_ref().map_or(rows.n_rows, |times| times.iter().flatten().count()) as u64;
        counted.next += belong;
        counted.placed += if counts_rows { belong } else { 0 };
        for tally in &mut counted.windows {
            let placement = tally.place(admitted.as_deref(), rows.n_rows, before);
            let accumulator = &mut tally.accumulator;
            let groupings = placement.group(accumulator, &splits);
            let slots: Vec<Slots<'_>> = groupings.iter().map(|grouping| grouping.as_slots()).collect();
            if counts_rows {
                accumulator.add_rows(rows.n_rows as u64, &slots);
            }
            for (feature, column) in features {
                accumulator.update_named(*feature, *column, rows.ids.as_ref().map(RowIds::all), &slots);
            }
        }
    }

    /// Features whose column is missing.
    fn fail_missing(&self, input: &Input, counted: &mut Counted) {
        for (feature, own) in self.baseline.features().iter().enumerate() {
            if input.schema().index_of(own.name()).is_err() {
                let message = lacking(input.schema(), own.name(), "the baseline");
                for tally in &mut counted.windows {
                    tally.accumulator.fail(feature, message.clone());
                }
            }
        }
    }
}

impl Counted {
    fn merge(&mut self, other: &Self) -> Result<()> {
        for (own, other) in self.windows.iter_mut().zip(&other.windows) {
            own.merge(other)?;
        }
        self.placed += other.placed;
        self.input.rows += other.input.rows;
        self.input.excluded_rows += other.input.excluded_rows;
        self.input.outside_rows += other.input.outside_rows;
        self.input.untimed_rows += other.input.untimed_rows;
        self.input.bad_records += other.input.bad_records;
        self.newest = self.newest.max(other.newest);
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        Ok(())
    }
}

/// Rows of a batch with what decides where they belong.
struct Placed {
    n_rows: usize,
    times: Option<Vec<Option<i64>>>,
    /// For each split, each row's segment.
    segments: Vec<SegmentRows>,
    ids: Option<RowIds>,
}
