//! Reading all parts of an input in parallel.
//!
//! Each thread takes units of work from one queue and adds them to a state of its own; the states are merged at the
//! end. What is counted are integers, so neither the number of threads nor who took which unit can show (I-GROUP).
//!
//! Where columns can be read apart, a unit is a few columns of one part: small memory, and a column is counted while it
//! is in the cache. Where rows must stay together (windows, segments, SQL), a unit is a whole part.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use driftlead_connectors::dataset::{Part, ReadOptions};
use driftlead_connectors::source::BadRecords;
use rayon::prelude::*;

use super::input::{Input, Rows, from_connectors};
use crate::exit::Result;
use crate::interrupt;
use crate::output;
use crate::progress::Progress;

/// What is read, and how.
pub(super) struct Reading<'a> {
    pub(super) input: &'a Input,
    /// Columns of the input's schema.
    pub(super) columns: &'a [usize],
    /// Whether all columns of a row must come in one batch.
    pub(super) together: bool,
    /// Rows of each part to read; `None` for all.
    pub(super) ranges: Option<&'a [Vec<Range<u64>>]>,
    pub(super) progress: &'a Progress,
    /// Whether records that could not be read are reported; once is enough for an input that is read twice.
    pub(super) tells_bad_records: bool,
}

/// One batch of a unit of work.
pub(super) struct Piece<'a> {
    pub(super) part: &'a Part,
    /// Which of the columns asked for these are: places in [`Reading::columns`].
    pub(super) places: &'a [usize],
    pub(super) rows: Rows,
    /// Records met on the way that could not become a row.
    pub(super) bad_records: u64,
    /// Whether this unit is the one that counts the part's rows.
    pub(super) counts_rows: bool,
    /// The first of these rows among the unit's, after the condition.
    pub(super) first_row: u64,
}

impl<'a> Reading<'a> {
    /// All of `columns` together, every row, by one who has been told of bad records or will be.
    pub(super) fn of_rows(input: &'a Input, columns: &'a [usize], progress: &'a Progress) -> Self {
        Self { input, columns, together: true, ranges: None, progress, tells_bad_records: false }
    }
}

impl Reading<'_> {
    /// Reads everything into one state a part, in the order of the parts. Rows must be read together: then one thread
    /// reads a part from its beginning to its end.
    pub(super) fn by_part<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        add: impl Fn(&mut S, &Piece<'_>) -> Result<()> + Sync,
    ) -> Result<impl Iterator<Item = S>> {
        let parts = self.run(
            BTreeMap::new,
            |parts, piece| add(parts.entry(piece.part.index).or_insert_with(&start), piece),
            |own, other| {
                own.extend(other);
                Ok(())
            },
        )?;
        Ok(parts.into_values())
    }

    /// Reads everything: `start` makes a thread's state, `add` adds a batch to it, `merge` adds one state to another.
    pub(super) fn run<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        add: impl Fn(&mut S, &Piece<'_>) -> Result<()> + Sync,
        merge: impl Fn(&mut S, S) -> Result<()>,
    ) -> Result<S> {
        let units = self.units()?;
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let worker = |_: usize| {
            let mut state = start();
            while let Some((part, places)) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.unit(*part, places, &mut state, &add) {
                    // Stop the others: no unit is left to take.
                    next.store(units.len(), Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    // The first part's error, so that the order of threads rarely shows.
                    if failed.as_ref().is_none_or(|(other, _)| *part < *other) {
                        *failed = Some((*part, error));
                    }
                    break;
                }
            }
            state
        };
        let threads = rayon::current_num_threads().min(units.len()).max(1);
        let states: Vec<S> = (0..threads).into_par_iter().with_max_len(1).map(worker).collect();
        if let Some((_, error)) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Err(error);
        }
        let mut whole = start();
        for state in states {
            merge(&mut whole, state)?;
        }
        Ok(whole)
    }

    /// Says on standard error which records of a file could not be read, a line a reason.
    fn tell(&self, file: usize, bad: &BadRecords) {
        let name = self.input.dataset().files().nth(file).map_or("input", |file| file.name());
        for (reason, count) in bad.counts() {
            if let Some(first) = bad.examples().find(|record| record.reason == reason) {
                let records = if count == 1 { "record" } else { "records" };
                output::complain(&format!(
                    "`{name}`: {count} {records} left out ({reason}), the first on line {}: {}",
                    first.line, first.detail
                ));
            }
        }
    }

    /// The units of work: a part, and places in `columns`. The first unit of a part counts its rows.
    fn units(&self) -> Result<Vec<(usize, Vec<usize>)>> {
        let dataset = self.input.dataset();
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let mut units = Vec::new();
        for (index, part) in dataset.parts().iter().enumerate() {
            if self.ranges.is_some_and(|ranges| ranges[index].is_empty()) {
                continue;
            }
            if self.together || self.input.is_prepared() || self.columns.is_empty() {
                units.push((index, all.clone()));
                continue;
            }
            for group in dataset.column_groups(part, self.columns).map_err(|error| from_connectors(&error))? {
                let place = |column: &usize| self.columns.iter().position(|own| own == column);
                units.push((index, group.iter().filter_map(place).collect()));
            }
        }
        Ok(units)
    }

    fn unit<S>(
        &self,
        part: usize,
        places: &[usize],
        state: &mut S,
        add: &(impl Fn(&mut S, &Piece<'_>) -> Result<()> + Sync),
    ) -> Result<()> {
        let dataset = self.input.dataset();
        let part = &dataset.parts()[part];
        let columns: Vec<usize> = places.iter().map(|place| self.columns[*place]).collect();
        let sources = self.input.sources(&columns);
        let options = ReadOptions::default();
        let batches = match self.ranges {
            None => dataset.read(part, &sources, &options),
            Some(ranges) if part.rows.is_some_and(|rows| ranges[part.index].first() == Some(&(0..rows))) => {
                dataset.read(part, &sources, &options)
            }
            Some(ranges) => dataset.read_rows(part, &sources, &ranges[part.index], &options),
        };
        let counts_rows = places.first().is_none_or(|place| *place == 0);
        let mut first_row = 0;
        let mut batches = batches.map_err(|error| from_connectors(&error))?;
        let mut bad = BadRecords::default();
        while let Some(decoded) = batches.next_decoded() {
            interrupt::check()?;
            let decoded = decoded.map_err(|error| from_connectors(&error))?;
            if counts_rows {
                self.progress.advance(decoded.batch.num_rows() as u64);
            }
            let bad_records = decoded.bad_records.total();
            bad.merge(decoded.bad_records.clone());
            let rows = self.input.prepare(decoded, &columns)?;
            let n_rows = rows.n_rows as u64;
            add(state, &Piece { part, places, rows, bad_records, counts_rows, first_row })?;
            first_row += n_rows;
        }
        if self.tells_bad_records {
            self.tell(part.file, &bad);
        }
        Ok(())
    }
}
