//! The rows of one window name on their way into windows: by event time, or by their number (SEMANTICS S26).
//!
//! A window of rows knows no watermark: it is final when it is full, and its closings are those of `check` because the
//! rows stand in the order of their one partition.

use driftlead_connectors::store;
use driftlead_engine::accumulate::{Accumulator, SlotKey};
use driftlead_engine::id::{self, Extent};
use driftlead_engine::stream::{
    Added, Closing, CountClosing, CountSeries, PartitionId, Phase, RowCut, Rows, Series, Timing,
};
use driftlead_engine::window::{Grid, Span, WindowIndex};

use super::model::Model;
use crate::config::{Config, Window};
use crate::exit::{Error, Result};
use crate::job::At;
use crate::report::wire;

/// A window that took rows after it closed is corrected at most this often, in microseconds (SEMANTICS S15).
const DEBOUNCE: i64 = 10_000_000;
/// Of so many of a model's newest windows the largest number is asked for: rows need not be in the order of their times.
const LOOKED_BACK: usize = 1_000;

/// The series of one window name.
#[derive(Debug)]
pub(super) enum Flow {
    /// Windows of event time.
    Time { series: Box<Series>, grid: Grid },
    /// Windows of so many rows.
    Rows(Box<CountSeries>),
}

/// What a series says next.
#[derive(Debug)]
pub(super) enum Step {
    /// A window closes.
    Window {
        at: At,
        index: WindowIndex,
        /// Its event time; the epoch where rows have none.
        span: Span,
        arrival: wire::Arrival,
        /// Whether nothing is known to have kept rows of its time away.
        is_complete: bool,
    },
    /// A long run of windows without rows is over.
    Gap { grid: Grid, first: WindowIndex, last: WindowIndex },
}

/// What is needed to begin or restore a series.
pub(super) struct Begin<'a> {
    pub(super) model: &'a Model,
    pub(super) window: &'a Window,
    /// The newest event time of what the source gave before, of which a new series of event time sees a part.
    pub(super) seen: Option<i64>,
    /// The number of the first window of rows of a new series.
    pub(super) first: u64,
}

impl Flow {
    /// A series as it was stored, or a new one.
    ///
    /// # Errors
    ///
    /// If what was stored is damaged, or of another series.
    pub(super) fn open(
        begin: &Begin<'_>,
        stored: Option<(Vec<u8>, impl Iterator<Item = (SlotKey, Vec<u8>)>)>,
    ) -> Result<Self> {
        let Begin { model, window, seen, first } = *begin;
        let cells = model.baseline.features().iter().map(|feature| feature.cells().clone()).collect();
        if let Some(cut) = row_cut(&model.config, window) {
            let series = match stored {
                Some((head, slots)) => CountSeries::restore(cut, cells, &head, slots)?,
                None => CountSeries::new(cut, first, cells),
            };
            return Ok(Self::Rows(Box::new(series)));
        }
        let grid = grid(window)?;
        let timing = timing(&model.config, window, grid);
        let series = match stored {
            Some((head, slots)) => Series::restore(timing, cells, &head, slots)?,
            None => {
                let mut series = Series::new(timing, cells);
                if let Some(seen) = seen {
                    series.begin_after(seen);
                }
                series
            }
        };
        Ok(Self::Time { series: Box::new(series), grid })
    }

    /// How the store tells series of one name apart that cut differently.
    pub(super) fn key(config: &Config, window: &Window) -> Result<String> {
        if let Some(RowCut { rows, is_timed, .. }) = row_cut(config, window) {
            return Ok(if is_timed { format!("{rows} rows, timed") } else { format!("{rows} rows") });
        }
        let grid = grid(window)?;
        let offset = window.cut.map_or(0, |cut| cut.offset.micros());
        Ok(format!("{}us every {}us from {}us", grid.length_us(), grid.every_us(), offset))
    }

    /// Makes a partition known; one that is known stays as it is.
    ///
    /// # Errors
    ///
    /// If windows are of rows, and of another partition's.
    pub(super) fn assign(&mut self, partition: PartitionId) -> Result<()> {
        match self {
            Self::Time { series, .. } => series.set_idle(partition, false),
            Self::Rows(series) => series.assign(partition)?,
        }
        Ok(())
    }

    /// Counts rows of one partition.
    ///
    /// # Errors
    ///
    /// As [`Flow::assign`].
    pub(super) fn add(&mut self, partition: PartitionId, rows: &Rows<'_>) -> Result<Added> {
        match self {
            Self::Time { series, .. } => Ok(series.add(partition, rows)),
            Self::Rows(series) => Ok(series.add(partition, rows)?),
        }
    }

    /// Says that a partition is idle: nobody waits for it.
    pub(super) fn set_idle(&mut self, partition: PartitionId) {
        if let Self::Time { series, .. } = self {
            series.set_idle(partition, true);
        }
    }

    /// Whether a partition may still hold windows up that others would close; idleness means nothing to windows of rows.
    pub(super) fn knows_idle(&self) -> bool {
        matches!(self, Self::Time { .. })
    }

    /// The input is over.
    pub(super) fn end(&mut self) {
        match self {
            Self::Time { series, .. } => series.end(),
            Self::Rows(series) => series.end(),
        }
    }

    /// What is said next; `None` if there is nothing to say.
    pub(super) fn poll(&mut self, window: &Window, is_over: bool, now: i64) -> Option<Step> {
        match self {
            Self::Time { series, grid } => {
                let closing = series.poll(now)?;
                Some(of_time(series, *grid, window, is_over, closing))
            }
            Self::Rows(series) => {
                let CountClosing { ordinal, seen, is_partial, .. } = series.poll()?;
                Some(Step::Window {
                    at: At::Rows { ordinal, seen },
                    index: WindowIndex(i64::try_from(ordinal).unwrap_or(i64::MAX)),
                    span: seen.unwrap_or(Span { start: 0, end: 0 }),
                    arrival: wire::Arrival { late_rows: 0, revision: 0, is_final: true, partial: is_partial },
                    is_complete: false,
                })
            }
        }
    }

    /// Takes new waiting times on the same windows; windows of rows have none.
    pub(super) fn retime(&mut self, config: &Config, window: &Window) -> Result<()> {
        if let Self::Time { series, grid } = self {
            series.retime(timing(config, window, *grid))?;
        }
        Ok(())
    }

    pub(super) fn accumulator(&self) -> &Accumulator {
        match self {
            Self::Time { series, .. } => series.accumulator(),
            Self::Rows(series) => series.accumulator(),
        }
    }

    /// The first pane that ever held a row.
    pub(super) fn first_pane(&self) -> Option<i64> {
        match self {
            Self::Time { series, .. } => series.first_pane(),
            Self::Rows(series) => series.first_pane(),
        }
    }

    /// The largest event time seen; `None` also where rows have none.
    pub(super) fn newest(&self) -> Option<i64> {
        match self {
            Self::Time { series, .. } => series.newest(),
            Self::Rows(series) => series.newest(),
        }
    }

    /// What became of all rows.
    #[cfg(test)]
    pub(super) fn totals(&self) -> Added {
        match self {
            Self::Time { series, .. } => series.totals(),
            Self::Rows(series) => series.totals(),
        }
    }

    /// The partition whose rows are counted, where only one's are.
    pub(super) fn only_partition(&self) -> Option<PartitionId> {
        match self {
            Self::Time { .. } => None,
            Self::Rows(series) => series.partition(),
        }
    }

    pub(super) fn watermark(&self) -> Option<i64> {
        match self {
            Self::Time { series, .. } => series.watermark(),
            Self::Rows(_) => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        match self {
            Self::Time { series, .. } => series.next_deadline(),
            Self::Rows(_) => None,
        }
    }

    pub(super) fn mark_clean(&mut self) {
        match self {
            Self::Time { series, .. } => series.mark_clean(),
            Self::Rows(series) => series.mark_clean(),
        }
    }

    pub(super) fn release(&mut self) -> Vec<SlotKey> {
        match self {
            Self::Time { series, .. } => series.release(),
            Self::Rows(series) => series.release(),
        }
    }

    pub(super) fn dirty_slots(&self) -> Vec<(SlotKey, Vec<u8>)> {
        match self {
            Self::Time { series, .. } => series.dirty_slots().collect(),
            Self::Rows(series) => series.dirty_slots().collect(),
        }
    }

    pub(super) fn head(&self) -> Vec<u8> {
        match self {
            Self::Time { series, .. } => series.head(),
            Self::Rows(series) => series.head(),
        }
    }
}

/// The number of the first window of a new series of rows: after the last that was said under the same ids, by a series
/// whose input ended, that had windows of other sizes, or whose model had another version meanwhile. So no number names two
/// windows.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn first_of_new(reader: &store::Reader, model: &Model, window: &Window) -> Result<u64> {
    if window.rows.is_none() {
        return Ok(0);
    }
    let filter = store::WindowFilter {
        model: model.config.model.clone(),
        version: Some(model.config.version.clone()),
        name: Some(window.name.clone()),
        segment: store::Segments::Whole,
        ..store::WindowFilter::default()
    };
    let page = reader
        .windows(&filter, None, LOOKED_BACK)
        .map_err(|error| Error::run(error.to_string()).because(error))?;
    let own = |said: &store::StoredWindow| -> Option<u64> {
        let document: wire::Window = serde_json::from_str(said.document.as_deref()?).ok()?;
        let ordinal = document.ordinal?;
        let (config, extent) = (&model.config, Extent::Ordinal(ordinal));
        let id =
            id::verdict_id(&config.model, &config.version, &model.baseline_id, &window.name, None, extent);
        (id == said.id).then_some(ordinal)
    };
    Ok(page.items.iter().filter_map(own).max().map_or(0, |last| last + 1))
}

/// How windows of rows are made; `None` if they are of event time.
fn row_cut(config: &Config, window: &Window) -> Option<RowCut> {
    let keep = config.moving().map_or(0, |moving| u64::from(moving.windows()));
    window.rows.map(|rows| RowCut { rows, keep, is_timed: config.time.is_some() })
}

fn grid(window: &Window) -> Result<Grid> {
    let Some(cut) = window.cut else {
        return Err(Error::input(format!("window `{}` has neither `length` nor `rows`", window.name)));
    };
    Ok(cut.grid()?)
}

fn timing(config: &Config, window: &Window, grid: Grid) -> Timing {
    Timing {
        grid,
        out_of_orderness: window.out_of_orderness.micros(),
        lateness: window.lateness.micros(),
        debounce: DEBOUNCE,
        keep: config.moving().map_or(0, |moving| moving.n_panes(grid.panes_per_window())),
    }
}

fn of_time(series: &Series, grid: Grid, window: &Window, is_over: bool, closing: Closing) -> Step {
    let (index, span, phase, revision, late_rows) = match closing {
        Closing::Gap { first, last } => return Step::Gap { grid, first, last },
        Closing::Window { index, span, phase, revision, late_rows, late_after_final, .. } => {
            (index, span, phase, revision, late_rows + late_after_final)
        }
    };
    let out_of_orderness = window.out_of_orderness.micros();
    let is_cut = series.begins().is_some_and(|begins| span.start < begins);
    let partial = is_cut || is_over && span.is_partial(None, None, series.newest(), out_of_orderness);
    let revision = u64::from(revision);
    let arrival = wire::Arrival { late_rows, revision, is_final: phase == Phase::Final, partial };
    let is_complete = !partial && !span.may_lack_its_beginning(None, series.oldest(), out_of_orderness);
    Step::Window { at: At::Time { grid, index }, index, span, arrival, is_complete }
}
