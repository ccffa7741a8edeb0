//! Locating and counting by many edges: a monotone bucket map, then a few comparisons inside the bucket.
//!
//! `first[b]` is how many edges lie in buckets below `b`. A row in bucket `b` is above all of those and above no edge of a
//! higher bucket, so its cell is `first[b]` plus the number of edges from there on that are below it. The edges are
//! padded with values that are above nothing, so that a fixed number of comparisons, enough for the fullest bucket, is
//! right for every bucket. In the worst case (all edges in one bucket) that is a binary search over all edges.

use crate::kernel::level::prefetch;
use crate::kernel::map::Map;
use crate::kernel::native::Lane;

/// How many rows are mapped to buckets before they are counted: small enough to stay beside the table in the cache.
pub(super) const TABLE_BLOCK: usize = 512;

/// How far ahead of the counting loop rows are asked for.
const PREFETCH_ROWS: usize = 1024;

/// A bucket map and its table of first cells, over `n_cells - 1` edges.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    map: Map<T>,
    /// For each bucket, the number of edges in lower buckets. As long as the map has buckets.
    first: Vec<u16>,
    /// The edges, then at least `2^halvings` times a value that is above nothing.
    edges: Vec<T>,
    /// The most edges in one bucket.
    fullest: usize,
    /// `2^halvings > fullest`.
    halvings: u32,
    n_cells: usize,
}

impl<T: Lane> Table<T> {
    /// The cheapest table over `edges` (sorted, at least one), whose rows lie mostly between the edges of `core`.
    pub(super) fn new(edges: &[T], core: std::ops::Range<usize>) -> Option<Self> {
        let mut best: Option<(f64, Map<T>, usize)> = None;
        let mut buckets = vec![0; edges.len()];
        for map in candidates(edges, core) {
            map.buckets(edges, &mut buckets);
            let fullest = buckets.chunk_by(|a, b| a == b).map(<[u16]>::len).max().unwrap_or(0);
            let cost = cost(&map, fullest);
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, map, fullest));
            }
        }
        let (_, map, fullest) = best?;
        Some(Self::with_map(edges, map, fullest))
    }

    fn with_map(edges: &[T], map: Map<T>, fullest: usize) -> Self {
        let mut buckets = vec![0; edges.len()];
        map.buckets(edges, &mut buckets);
        let mut first = vec![0_u16; map.n_buckets()];
        let mut below = 0;
        for (bucket, first) in first.iter_mut().enumerate() {
            while buckets.get(below).is_some_and(|b| usize::from(*b) < bucket) {
                below += 1;
            }
            *first = below as u16;
        }
        let halvings = usize::BITS - fullest.leading_zeros();
        let mut padded = edges.to_vec();
        padded.resize(edges.len() + (1 << halvings).max(4), T::GREATEST);
        Self { map, first, edges: padded, fullest, halvings, n_cells: edges.len() + 1 }
    }

    /// Tables with one map of each kind, suitable or not, for tests.
    #[cfg(test)]
    pub(super) fn every(edges: &[T], core: std::ops::Range<usize>) -> Vec<Self> {
        let mut tables = Vec::new();
        // Every seventh meets each kind, trim and size.
        for map in candidates(edges, core).into_iter().step_by(7) {
            let mut buckets = vec![0; edges.len()];
            map.buckets(edges, &mut buckets);
            assert!(buckets.is_sorted(), "{map:?} is not monotone");
            let fullest = buckets.chunk_by(|a, b| a == b).map(<[u16]>::len).max().unwrap_or(0);
            tables.push(Self::with_map(edges, map, fullest));
        }
        tables
    }

    /// The most edges in one bucket.
    #[cfg(test)]
    pub(super) fn fullest(&self) -> usize {
        self.fullest
    }

    /// How many cells the edges bound.
    pub(super) fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// The buckets of at most [`TABLE_BLOCK`] rows: the vector half of the work.
    #[inline(always)]
    pub(super) fn buckets(&self, rows: &[T], buckets: &mut [u16; TABLE_BLOCK]) {
        self.map.buckets(rows, &mut buckets[..rows.len()]);
    }

    /// Counts rows whose buckets are known into `histogram`, [`Table::n_histograms`] of `n_cells` counters side by side.
    #[inline]
    pub(super) fn count(&self, rows: &[T], buckets: &[u16; TABLE_BLOCK], histogram: &mut [u32]) {
        match (self.n_histograms(), self.fullest) {
            (2, 0..=1) => self.count_with::<1, 2>(rows, buckets, histogram),
            (2, 2) => self.count_with::<2, 2>(rows, buckets, histogram),
            (2, 3) => self.count_with::<3, 2>(rows, buckets, histogram),
            (2, _) => self.count_with::<HALVING, 2>(rows, buckets, histogram),
            (_, 0..=1) => self.count_with::<1, 4>(rows, buckets, histogram),
            (_, 2) => self.count_with::<2, 4>(rows, buckets, histogram),
            (_, 3) => self.count_with::<3, 4>(rows, buckets, histogram),
            (_, _) => self.count_with::<HALVING, 4>(rows, buckets, histogram),
        }
    }

    /// How many histograms are filled in turn, so that equal cells in a row do not wait for each other's stores.
    pub(super) fn n_histograms(&self) -> usize {
        if self.n_cells > 256 { 2 } else { 4 }
    }

    #[inline(never)]
    fn count_with<const STEPS: usize, const HISTOGRAMS: usize>(
        &self,
        rows: &[T],
        buckets: &[u16; TABLE_BLOCK],
        histogram: &mut [u32],
    ) {
        assert!(histogram.len() == HISTOGRAMS * self.n_cells && rows.len() <= TABLE_BLOCK);
        let per_line = 64 / size_of::<T>();
        for (start, group) in rows.chunks(per_line).enumerate().map(|(i, group)| (i * per_line, group)) {
            prefetch(group.as_ptr(), PREFETCH_ROWS);
            for (i, x) in group.iter().enumerate() {
                // SAFETY: `start + i < rows.len() <= TABLE_BLOCK`, and the buckets come from `self.buckets`.
                let cell = unsafe { self.cell::<STEPS>(*x, *buckets.get_unchecked(start + i)) };
                let at = i % HISTOGRAMS * self.n_cells + cell;
                // SAFETY: `cell < n_cells`, and `i % HISTOGRAMS < HISTOGRAMS`; the length is asserted above.
                unsafe { *histogram.get_unchecked_mut(at) += 1 };
            }
        }
    }

    /// Writes the cells of rows whose buckets are known.
    #[inline(never)]
    pub(super) fn locate(&self, rows: &[T], buckets: &[u16; TABLE_BLOCK], cells: &mut [u16]) {
        match self.fullest {
            0..=1 => self.locate_with::<1>(rows, buckets, cells),
            2 => self.locate_with::<2>(rows, buckets, cells),
            3 => self.locate_with::<3>(rows, buckets, cells),
            _ => self.locate_with::<HALVING>(rows, buckets, cells),
        }
    }

    #[inline(always)]
    fn locate_with<const STEPS: usize>(&self, rows: &[T], buckets: &[u16; TABLE_BLOCK], cells: &mut [u16]) {
        for ((x, bucket), cell) in rows.iter().zip(buckets).zip(cells) {
            // SAFETY: the buckets come from `self.buckets`.
            *cell = unsafe { self.cell::<STEPS>(*x, *bucket) } as u16;
        }
    }

    /// The cell of `x`, which is below `n_cells`.
    ///
    /// # Safety
    /// `bucket` is a bucket of `self.map`.
    #[inline(always)]
    unsafe fn cell<const STEPS: usize>(&self, x: T, bucket: u16) -> usize {
        // SAFETY: the caller gives a bucket of the map, and `first` has one entry for each.
        let first = usize::from(unsafe { *self.first.get_unchecked(usize::from(bucket)) });
        // SAFETY: `first < n_cells` and less than `max(4, 2^halvings)` is added to it at any time, which is the padding.
        let above = |at: usize| unsafe { *self.edges.get_unchecked(at) < x };
        let mut cell = first;
        if STEPS == HALVING {
            for half in (0..self.halvings).rev() {
                let step = 1 << half;
                cell += if above(cell + step - 1) { step } else { 0 };
            }
        } else {
            for step in 0..STEPS {
                cell += usize::from(above(first + step));
            }
        }
        cell
    }
}

/// Stands for a binary search in place of a number of comparisons.
const HALVING: usize = 0;

/// The maps worth trying.
fn candidates<T: Lane>(edges: &[T], core: std::ops::Range<usize>) -> Vec<Map<T>> {
    let mut maps = Vec::new();
    let smallest = (core.len() * 2).next_power_of_two().clamp(512, 1 << 13) as u32;
    // The first and last edges may be the least and the greatest value of the type.
    for trim in 0..3 {
        let (from, to) = (core.start + trim, core.end.saturating_sub(trim + 1));
        if from >= to {
            break;
        }
        let (lo, hi) = (edges[from], edges[to]);
        let at = |share: f64| edges[from + ((to - from) as f64 * share) as usize].nearest_double();
        for scale in 0..4 {
            let n_buckets = smallest << scale;
            maps.extend(Map::even(lo, hi, n_buckets));
            let middle = edges[from + (to - from) / 2];
            for side in [0.45, 0.35, 0.25, 0.1, 0.02] {
                let knee = (at(1.0 - side) - at(side)) / 2.0;
                maps.extend(Map::bent(lo, hi, middle, knee, n_buckets));
            }
            // All of the mass may lie beside one end, as in a log-normal column.
            for (middle, side) in [(edges[from + 1], 0.02), (edges[from + 1], 0.1), (edges[from + 1], 0.3)] {
                let knee = at(side) - at(0.0);
                maps.extend(Map::bent(lo, hi, middle, knee, n_buckets));
            }
        }
    }
    maps
}

/// A rough cost of one row in nanoseconds, to choose between maps; right or wrong, it changes no result.
fn cost<T: Lane>(map: &Map<T>, fullest: usize) -> f64 {
    let steps = match fullest {
        0..=1 => 0.0,
        2 => 0.1,
        3 => 0.2,
        more => 0.5 * f64::from(usize::BITS - more.leading_zeros()),
    };
    let bent = match map {
        Map::Even(_) => 0.0,
        Map::Bent(_) if T::FLOAT => 0.2,
        Map::Bent(_) => 0.5,
    };
    // What no longer fits beside edges and counters in a first-level cache costs a visit to the second.
    let cache = match map.n_buckets() {
        0..=4096 => 0.0,
        4097..=8192 => 0.15,
        8193..=16384 => 0.4,
        _ => 0.8,
    };
    steps + bent + cache
}
