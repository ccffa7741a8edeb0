//! Which cell a value lies in: sorted edges, built once into the kernel that suits them.
//!
//! Real edge sets have a *core* near the data and structural edges far outside it (infinities, guard edges, SEMANTICS S2).
//! The kernel counts by the core and one edge on either side of it, which tells whether a block has rows outside; only
//! then are that block's outside rows searched for among all edges. So drift out of range costs time, never exactness.

use std::ops::Range;

use crate::kernel::level::{Level, Task};
use crate::kernel::native::Native;
use crate::kernel::small::{self, MAX_SMALL};
use crate::kernel::table::{Scratch, TABLE_BLOCK, Table};
use crate::kernel::validity::Validity;

/// The most edges of a locator: every cell and the two marks below fit a u16.
pub const MAX_EDGES: usize = 65_533;

/// The mark of a null row in [`Locator::locate`].
pub const NULL_CELL: u16 = u16::MAX;

/// The mark of a NaN row in [`Locator::locate`].
pub const NAN_CELL: u16 = u16::MAX - 1;

/// The sub-histograms are emptied after this many rows, long before a u32 is full.
const FLUSH_ROWS: usize = 1 << 30;

/// How many rows lay in no cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that the mask excludes, whatever value stands there.
    pub nulls: u64,
    /// Valid rows that are NaN.
    pub nans: u64,
}

/// Finds the cells of values among sorted edges; `cell(x) = #{e < x}`.
#[derive(Clone, Debug)]
pub struct Locator<T> {
    edges: Vec<T>,
    /// The edges near the data: all that the small kernel compares with.
    core: Range<usize>,
    /// The core and one edge on either side: what a table is made of.
    inner: Range<usize>,
    kernel: Kernel<T>,
    /// Stands for a null inside the loops, and the cell in which it is counted until it is taken out.
    fill: (T, usize),
    level: Level,
}

#[derive(Clone, Debug)]
pub(super) enum Kernel<T> {
    Search,
    Small,
    Table(Table<T>),
}

impl<T: Native> Locator<T> {
    /// A locator for `edges`, all of them near the data.
    ///
    /// The edges are in non-decreasing order and hold no NaN; duplicates are allowed. No edges make one cell.
    ///
    /// # Panics
    /// As [`Locator::with_core`].
    #[must_use]
    pub fn new(edges: Vec<T>) -> Self {
        let core = 0..edges.len();
        Self::with_core(edges, core)
    }

    /// A locator for `edges`, of which those of `core` lie near the data; the others should be below or above nearly all
    /// rows. The core decides speed, never results; an empty one stands for all edges.
    ///
    /// # Panics
    /// If the edges are out of order, hold NaN or are more than [`MAX_EDGES`], or if `core` is not a range of them.
    #[must_use]
    pub fn with_core(edges: Vec<T>, core: Range<usize>) -> Self {
        assert!(edges.len() <= MAX_EDGES, "`{}` edges, of at most `{MAX_EDGES}`", edges.len());
        assert!(edges.is_sorted(), "edges must be sorted and not NaN");
        assert!(edges.len() != 1 || edges[0].partial_cmp(&edges[0]).is_some(), "an edge must not be NaN");
        assert!(
            core.start <= core.end && core.end <= edges.len(),
            "a core `{core:?}` of `{}` edges",
            edges.len()
        );
        let core = if core.is_empty() { 0..edges.len() } else { core };
        let inner = core.start.saturating_sub(1)..(core.end + 1).min(edges.len());
        let level = Level::detect();
        let kernel = if !T::VECTOR {
            Kernel::Search
        } else if core.len() <= MAX_SMALL {
            Kernel::Small
        } else {
            let near = core.start - inner.start..core.end - inner.start;
            Table::new(level, &edges[inner.clone()], near).map_or(Kernel::Search, Kernel::Table)
        };
        // A fill inside the core, and at no edge, spares blocks with nulls all special care.
        let fill = match (edges.get(core.start), edges.get(core.start + 1)) {
            (Some(a), Some(b)) => a.middle(*b),
            (Some(a), None) => *a,
            _ => T::FILL,
        };
        let fill = (fill, edges.partition_point(|e| *e < fill));
        Self { edges, core, inner, kernel, fill, level }
    }

    /// How many cells there are: one more than edges.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        self.edges.len() + 1
    }

    /// The cell of one value: how many edges are below it. 0 for NaN.
    #[must_use]
    pub fn cell(&self, x: T) -> usize {
        self.edges.partition_point(|e| *e < x)
    }

    /// Adds the number of rows in each cell to `counts`. Nulls and NaN are in no cell; the tally holds them.
    ///
    /// # Panics
    /// If `counts` is not [`Locator::n_cells`] long, or the mask not as long as `values`.
    pub fn count(&self, values: &[T], validity: Option<Validity<'_>>, counts: &mut [u64]) -> Tally {
        assert!(counts.len() == self.n_cells(), "`{}` counters for `{}` cells", counts.len(), self.n_cells());
        check_mask(values, validity);
        match &self.kernel {
            Kernel::Small => self.level.run(Blocks {
                level: self.level,
                values,
                validity,
                fill: self.fill.0,
                into: SmallCounts::new(self, counts),
            }),
            // Emptying the histograms costs a step per cell: not worth it for fewer rows than cells.
            Kernel::Table(table) if values.len() >= table.n_cells() => {
                let into = TableCounts::new(self, table, counts);
                self.level.run(Blocks { level: self.level, values, validity, fill: self.fill.0, into })
            }
            _ => {
                let mut cells = [0; TABLE_BLOCK];
                let mut tally = Tally::default();
                for (i, rows) in values.chunks(TABLE_BLOCK).enumerate() {
                    let cells = &mut cells[..rows.len()];
                    let validity = validity.map(|mask| mask.slice(i * TABLE_BLOCK, rows.len()));
                    let located = self.locate(rows, validity, cells);
                    tally.nulls += located.nulls;
                    tally.nans += located.nans;
                    for cell in cells {
                        if *cell < NAN_CELL {
                            counts[usize::from(*cell)] += 1;
                        }
                    }
                }
                tally
            }
        }
    }

    /// Writes the cell of each row to `cells`, or [`NULL_CELL`] or [`NAN_CELL`].
    ///
    /// # Panics
    /// If `cells` or the mask is not as long as `values`.
    pub fn locate(&self, values: &[T], validity: Option<Validity<'_>>, cells: &mut [u16]) -> Tally {
        assert!(cells.len() == values.len(), "`{}` cells for `{}` rows", cells.len(), values.len());
        check_mask(values, validity);
        let into = Cells { locator: self, cells, validity, scratch: Scratch::new() };
        self.level.run(Blocks { level: self.level, values, validity, fill: self.fill.0, into })
    }

    /// Whether rows in a table's first and last cell need a search among all edges.
    fn is_open(&self) -> (bool, bool) {
        (self.inner.start > 0, self.inner.end < self.edges.len())
    }

    /// Counts the rows of a block that lie outside `(low, high]`, as far as it is bounded, among all edges; how many
    /// there are at most `low` and above `high`.
    #[cold]
    fn count_outside(&self, rows: &[T], bounds: (Option<T>, Option<T>), counts: &mut [u64]) -> (u64, u64) {
        let (mut n_low, mut n_high) = (0, 0);
        for x in rows {
            let is_low = bounds.0.is_some_and(|low| *x <= low);
            let is_high = bounds.1.is_some_and(|high| *x > high);
            if is_low || is_high {
                counts[self.cell(*x)] += 1;
                n_low += u64::from(is_low);
                n_high += u64::from(is_high);
            }
        }
        (n_low, n_high)
    }

    #[cfg(test)]
    pub(super) fn force(&mut self, kernel: Kernel<T>, level: Level) {
        self.kernel = kernel;
        self.level = level;
    }

    /// The most edges in one bucket of the table, if there is one.
    #[cfg(test)]
    pub(super) fn fullest(&self) -> Option<usize> {
        if let Kernel::Table(table) = &self.kernel { Some(table.fullest()) } else { None }
    }

    /// Whether there is a table of one look-up a row.
    #[cfg(test)]
    pub(super) fn is_packed(&self) -> bool {
        matches!(&self.kernel, Kernel::Table(table) if table.is_packed())
    }

    #[cfg(test)]
    pub(super) fn every_kernel(&self) -> Vec<Kernel<T>> {
        let mut kernels = vec![Kernel::Search];
        if T::VECTOR {
            if self.core.len() <= MAX_SMALL {
                kernels.push(Kernel::Small);
            }
            let edges = &self.edges[self.inner.clone()];
            kernels.extend(Table::every(edges, 0..edges.len()).into_iter().map(Kernel::Table));
        }
        kernels
    }
}

fn check_mask<T>(values: &[T], validity: Option<Validity<'_>>) {
    if let Some(mask) = validity {
        assert!(mask.len() == values.len(), "a mask of `{}` rows for `{}`", mask.len(), values.len());
    }
}

/// What is done with one block of rows after another.
trait Block<T> {
    const ROWS: usize;
    /// Takes the rows from `start` on, whose nulls are replaced by the fill; how many of them are NaN.
    fn block(&mut self, start: usize, rows: &[T]) -> usize;
    /// Takes the fills out again.
    fn finish(self, nulls: u64, unordered: u64);
}

/// A walk over a column in blocks that stay cached.
struct Blocks<'a, T, B> {
    level: Level,
    values: &'a [T],
    validity: Option<Validity<'a>>,
    fill: T,
    into: B,
}

impl<T: Native, B: Block<T>> Task for Blocks<'_, T, B> {
    type Output = Tally;

    #[inline(always)]
    fn run(mut self) -> Tally {
        // Room for a block whose nulls are replaced.
        let mut filled = vec![self.fill; if self.validity.is_some() { B::ROWS } else { 0 }];
        let (mut nulls, mut unordered) = (0, 0);
        for (i, rows) in self.values.chunks(B::ROWS).enumerate() {
            let start = i * B::ROWS;
            let mut rows = rows;
            if let Some(mask) = self.validity {
                let n_nulls = mask.count_nulls(start, rows.len());
                if n_nulls > 0 {
                    nulls += n_nulls as u64;
                    mask.fill_nulls(self.level, start, rows, self.fill, &mut filled);
                    rows = &filled[..rows.len()];
                }
            }
            unordered += self.into.block(start, rows) as u64;
        }
        self.into.finish(nulls, unordered);
        Tally { nulls, nans: unordered }
    }
}

/// How many rows of a block are NaN.
#[inline(always)]
#[expect(clippy::eq_op, reason = "only NaN differs from itself")]
fn count_nans<T: Native>(rows: &[T]) -> usize {
    if !T::FLOAT {
        return 0;
    }
    let mut count = T::Count::default();
    for x in rows {
        count += T::one_if(*x != *x);
    }
    count.into() as usize
}

struct SmallCounts<'a, T> {
    locator: &'a Locator<T>,
    counts: &'a mut [u64],
    above: [u64; MAX_SMALL],
    rows: u64,
    /// Rows at most the lower bound and above the upper one.
    outside: (u64, u64),
}

impl<'a, T: Native> SmallCounts<'a, T> {
    fn new(locator: &'a Locator<T>, counts: &'a mut [u64]) -> Self {
        Self { locator, counts, above: [0; MAX_SMALL], rows: 0, outside: (0, 0) }
    }
}

impl<T: Native> Block<T> for SmallCounts<'_, T> {
    /// 8 KiB.
    const ROWS: usize = 8192 / size_of::<T>();

    #[inline(always)]
    fn block(&mut self, _start: usize, rows: &[T]) -> usize {
        let locator = self.locator;
        self.rows += rows.len() as u64;
        // Without an edge as a bound the least value is one, as far as speed is concerned.
        let edges = &locator.edges;
        let low = locator.core.start.checked_sub(1).map(|i| edges[i]);
        let high = edges.get(locator.core.end).copied();
        // Without an edge as a bound the extreme value is one, as far as speed is concerned.
        let bounds = (low.unwrap_or(T::LEAST), high.unwrap_or(T::GREATEST));
        let core = &edges[locator.core.clone()];
        if !small::count_above(locator.level, core, rows, bounds, &mut self.above) {
            return 0;
        }
        let unordered = count_nans(rows);
        if small::count_outside(bounds, rows) > unordered {
            let (n_low, n_high) = locator.count_outside(rows, (low, high), self.counts);
            self.outside.0 += n_low;
            self.outside.1 += n_high;
        }
        unordered
    }

    fn finish(self, nulls: u64, unordered: u64) {
        let Self { locator, counts, above, rows, outside } = self;
        let n_edges = locator.core.len();
        let mut at_least = rows - unordered - outside.0;
        for j in 0..=n_edges {
            let next = if j < n_edges { above[j] } else { outside.1 };
            counts[locator.core.start + j] += at_least - next;
            at_least = next;
        }
        counts[locator.fill.1] -= nulls;
    }
}

struct TableCounts<'a, T> {
    locator: &'a Locator<T>,
    table: &'a Table<T>,
    counts: &'a mut [u64],
    histogram: Vec<u32>,
    scratch: Scratch,
    cells: [u16; TABLE_BLOCK],
    rows: usize,
}

impl<'a, T: Native> TableCounts<'a, T> {
    fn new(locator: &'a Locator<T>, table: &'a Table<T>, counts: &'a mut [u64]) -> Self {
        let histogram = vec![0; table.n_histograms() * table.n_cells()];
        let (scratch, cells) = (Scratch::new(), [0; TABLE_BLOCK]);
        Self { locator, table, counts, histogram, scratch, cells, rows: 0 }
    }

    /// How many rows a cell of the table has.
    #[inline(always)]
    fn counted(&self, cell: usize) -> u64 {
        let n_cells = self.table.n_cells();
        (0..self.table.n_histograms()).map(|i| u64::from(self.histogram[i * n_cells + cell])).sum()
    }

    fn flush(&mut self) {
        let n_cells = self.table.n_cells();
        let is_open = self.locator.is_open();
        let (from, to) = (usize::from(is_open.0), n_cells - usize::from(is_open.1));
        for histogram in self.histogram.chunks(n_cells) {
            let counts = &mut self.counts[self.locator.inner.start + from..];
            for (count, n) in counts.iter_mut().zip(&histogram[from..to]) {
                *count += u64::from(*n);
            }
        }
    }
}

impl<T: Native> Block<T> for TableCounts<'_, T> {
    const ROWS: usize = TABLE_BLOCK;

    #[inline(always)]
    fn block(&mut self, _start: usize, rows: &[T]) -> usize {
        let last = self.table.n_cells() - 1;
        let is_open = self.locator.is_open();
        let before = (self.counted(0), self.counted(last));
        let cells = &mut self.cells[..rows.len()];
        self.table.locate(self.locator.level, rows, &mut self.scratch, cells);
        self.table.count(cells, &mut self.histogram);
        // NaN is in the first cell, which the core's bound usually leaves empty: then there is none to count.
        let n_first = self.counted(0) - before.0;
        let unordered = if n_first > 0 { count_nans(rows) } else { 0 };
        if (is_open.0 && n_first > unordered as u64) || (is_open.1 && self.counted(last) > before.1) {
            let inner = &self.locator.edges[self.locator.inner.clone()];
            let low = inner.first().copied().filter(|_| is_open.0);
            let high = inner.last().copied().filter(|_| is_open.1);
            self.locator.count_outside(rows, (low, high), self.counts);
        }
        self.rows += rows.len();
        if self.rows >= FLUSH_ROWS {
            self.flush();
            self.histogram.fill(0);
            self.rows = 0;
        }
        unordered
    }

    fn finish(mut self, nulls: u64, unordered: u64) {
        self.flush();
        if !self.locator.is_open().0 {
            // NaN is in the first cell of the table, which is counted only if it is the first of all.
            self.counts[0] -= unordered;
        }
        self.counts[self.locator.fill.1] -= nulls;
    }
}

struct Cells<'a, T> {
    locator: &'a Locator<T>,
    cells: &'a mut [u16],
    validity: Option<Validity<'a>>,
    scratch: Scratch,
}

impl<T: Native> Block<T> for Cells<'_, T> {
    const ROWS: usize = TABLE_BLOCK;

    #[inline(always)]
    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
    fn block(&mut self, start: usize, rows: &[T]) -> usize {
        let unordered = count_nans(rows);
        let Self { locator, cells, validity, scratch } = self;
        let cells = &mut cells[start..start + rows.len()];
        let inner = &locator.edges[locator.inner.clone()];
        match &locator.kernel {
            Kernel::Search => {
                for (cell, x) in cells.iter_mut().zip(rows) {
                    *cell = locator.cell(*x) as u16;
                }
            }
            Kernel::Small => small::locate(inner, rows, cells),
            Kernel::Table(table) => table.locate(locator.level, rows, scratch, cells),
        }
        if !matches!(locator.kernel, Kernel::Search) {
            let last = inner.len() as u16;
            let is_open = locator.is_open();
            // Copied out of the locator, or else the loop reads them again for each row.
            let (first, low, high) = (locator.inner.start as u16, u16::from(is_open.0), u16::from(is_open.1));
            let mut outside = 0_u16;
            for cell in cells.iter_mut() {
                outside += (u16::from(*cell == 0) & low) + (u16::from(*cell == last) & high);
                *cell += first;
            }
            if usize::from(outside) > if is_open.0 { unordered } else { 0 } {
                let (lowest, highest) = (locator.inner.start as u16, locator.inner.end as u16);
                for (cell, x) in cells.iter_mut().zip(rows) {
                    if (is_open.0 && *cell == lowest) || (is_open.1 && *cell == highest) {
                        *cell = locator.cell(*x) as u16;
                    }
                }
            }
        }
        if unordered > 0 {
            for (cell, x) in cells.iter_mut().zip(rows) {
                *cell = if *x != *x { NAN_CELL } else { *cell };
            }
        }
        if let Some(mask) = validity {
            for (group, cells) in cells.chunks_mut(64).enumerate() {
                let word = mask.word(start + group * 64);
                for (i, cell) in cells.iter_mut().enumerate() {
                    *cell = if word >> i & 1 == 1 { *cell } else { NULL_CELL };
                }
            }
        }
        unordered
    }

    fn finish(self, _nulls: u64, _unordered: u64) {}
}
