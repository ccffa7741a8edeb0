//! Where the rows of each part stand among all rows, for windows of so many rows (SEMANTICS S26).
//!
//! Only rows that count have a place: not those that `where` leaves out, nor, where the model names a `time`, those that
//! have none. Where the files state how many rows they have and all of them count, nothing is read for it; else the rows
//! are counted first, by no more columns than decide whether they count.

use std::collections::BTreeMap;

use super::input::Input;
use super::read::{Piece, Reading};
use super::time::event_times;
use crate::exit::{Error, Result};
use crate::progress::Progress;

/// Where each part begins.
#[derive(Debug, Default)]
pub(super) struct Ordinals {
    starts: Vec<u64>,
    total: u64,
}

impl Ordinals {
    /// Those of `input`; `time` is the place and name of the event-time column, if rows need one.
    ///
    /// # Errors
    ///
    /// If rows cannot be read.
    pub(super) fn of(input: &Input, time: Option<(usize, &str)>) -> Result<Self> {
        let parts = input.dataset().parts();
        let stated: Option<Vec<u64>> = parts.iter().map(|part| part.rows).collect();
        let rows = match stated.filter(|_| time.is_none() && !input.is_prepared()) {
            Some(rows) => rows,
            None => {
                let counted = count(input, time)?;
                (0..parts.len()).map(|part| counted.get(&part).copied().unwrap_or(0)).collect()
            }
        };
        let mut own = Self::default();
        for rows in rows {
            own.starts.push(own.total);
            own.total += rows;
        }
        Ok(own)
    }

    /// How many rows that count come before those of a part.
    pub(super) fn before(&self, part: usize) -> u64 {
        self.starts.get(part).copied().unwrap_or(self.total)
    }

    /// Holds the rows that were placed against those that were found before.
    ///
    /// # Errors
    ///
    /// If they differ: somebody wrote to the files in between, and no row's place can be trusted.
    pub(super) fn ensure(&self, placed: u64) -> Result<()> {
        if placed == self.total {
            return Ok(());
        }
        Err(Error::run(format!(
            "the data changed while they were read: first they had `{}` rows, then `{placed}`; check files that nobody \
             writes to",
            self.total
        )))
    }
}

/// The rows of each part that count.
fn count(input: &Input, time: Option<(usize, &str)>) -> Result<BTreeMap<usize, u64>> {
    let columns: Vec<usize> = time.iter().map(|(place, _)| *place).collect();
    let progress = Progress::rows("numbering the rows", input.dataset().n_rows());
    let reading = Reading::of_rows(input, &columns, &progress);
    let add = |counts: &mut BTreeMap<usize, u64>, piece: &Piece<'_>| {
        let rows = match time {
            None => piece.rows.n_rows as u64,
            Some((_, name)) => event_times(&piece.rows.columns[0], name)?.iter().flatten().count() as u64,
        };
        *counts.entry(piece.part.index).or_default() += rows;
        Ok(())
    };
    let counts = reading.run(BTreeMap::new, add, |own, other| {
        for (part, rows) in other {
            *own.entry(part).or_default() += rows;
        }
        Ok(())
    })?;
    progress.finish();
    Ok(counts)
}
