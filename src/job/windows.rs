//! Rows into panes and segments: what each window of a model knows of its rows.

use std::collections::BTreeMap;

use driftlead_engine::accumulate::{Accumulator, Column, Place, Placement, SlotKey, Slots, Split};
use driftlead_engine::baseline::Baseline;
use driftlead_engine::window::Grid;

use super::columns::lacking;
use super::input::Input;
use super::prune::{Pruned, prune};
use super::read::{Piece, Reading};
use super::segments::{SegmentRows, Segments};
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

/// Whether rows have to know their event time: for windows, or for bounds.
pub(super) fn needs_time(config: &Config, bounds: Bounds) -> bool {
    config.windows.iter().any(|window| window.cut.is_some()) || !bounds.is_open()
}

/// The states of all windows of a model over some rows.
#[derive(Debug)]
pub(super) struct Counted {
    /// One accumulator for each window of the model file, with its grid.
    pub(super) windows: Vec<(Option<Grid>, Accumulator)>,
    pub(super) input: wire::Input,
    /// The newest event time admitted.
    pub(super) newest: Option<i64>,
    /// The oldest.
    pub(super) oldest: Option<i64>,
}

/// What decides where a row belongs.
pub(super) struct Plan<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) windows: &'a [Window],
    pub(super) time: Option<&'a str>,
    pub(super) segments: &'a Segments,
    pub(super) bounds: Bounds,
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
        Ok(Self { baseline, windows: &config.windows, time, segments, bounds })
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
        let splits = self
            .segments
            .columns()
            .into_iter()
            .map(|name| Ok((name, extra(name, "`segments`")?)))
            .collect::<Result<BTreeMap<&str, usize>>>()?;
        let together = time.is_some() || !splits.is_empty();
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
            let rows = Placed { n_rows: piece.rows.n_rows, times, segments };
            if piece.counts_rows {
                counted.input.rows += piece.rows.n_rows as u64 + piece.rows.excluded;
                counted.input.excluded_rows += piece.rows.excluded;
                counted.input.bad_records += piece.bad_records;
            }
            self.add(counted, &features, &rows, piece.counts_rows);
            Ok(())
        };
        let mut counted = reading.run(start, add, |own, other| own.merge(&other))?;
        counted.input.rows += pruned.outside_rows + pruned.untimed_rows;
        counted.input.outside_rows += pruned.outside_rows;
        counted.input.untimed_rows += pruned.untimed_rows;
        self.fail_missing(input, &mut counted);
        Ok(counted)
    }

    fn empty(&self) -> Counted {
        let windows = self
            .windows
            .iter()
            .map(|window| {
                let grid = window.cut.and_then(|cut| cut.grid().ok());
                let mut accumulator = self.baseline.accumulator();
                if grid.is_none() {
                    // A batch without windows has its one window even without rows.
                    accumulator.slot(&SlotKey::default());
                }
                (grid, accumulator)
            })
            .collect();
        Counted { windows, input: wire::Input::default(), newest: None, oldest: None }
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
        for (grid, accumulator) in &mut counted.windows {
            let groupings = placement(*grid, admitted.as_deref(), rows.n_rows).group(accumulator, &splits);
            let slots: Vec<Slots<'_>> = groupings.iter().map(|grouping| grouping.as_slots()).collect();
            if counts_rows {
                accumulator.add_rows(rows.n_rows as u64, &slots);
            }
            for (feature, column) in features {
                accumulator.update(*feature, *column, &slots);
            }
        }
    }

    /// Features whose column is missing.
    fn fail_missing(&self, input: &Input, counted: &mut Counted) {
        for (feature, own) in self.baseline.features().iter().enumerate() {
            if input.schema().index_of(own.name()).is_err() {
                let message = lacking(input.schema(), own.name(), "the baseline");
                for (_, accumulator) in &mut counted.windows {
                    accumulator.fail(feature, message.clone());
                }
            }
        }
    }
}

impl Counted {
    fn merge(&mut self, other: &Self) -> Result<()> {
        for ((_, own), (_, other)) in self.windows.iter_mut().zip(&other.windows) {
            own.merge(other).map_err(|error| Error::run(error.to_string()))?;
        }
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
}

/// The pane of each row; rows without a time, or outside the bounds, belong nowhere.
fn placement(grid: Option<Grid>, times: Option<&[Option<i64>]>, n_rows: usize) -> Placement {
    let mut placement = Placement::default();
    match times {
        None => placement.push(Place::Pane(None), n_rows),
        Some(times) => {
            for time in times {
                let place = match time {
                    Some(time) => Place::Pane(grid.map(|grid| grid.pane_of(*time).0)),
                    None => Place::Nowhere,
                };
                placement.push(place, 1);
            }
        }
    }
    placement
}
