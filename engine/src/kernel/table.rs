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
const PREFETCH_ROWS: usize = TABLE_BLOCK;

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

    /// Writes the cells of rows whose buckets are known, and asks for rows further on.
    #[inline(always)]
    pub(super) fn locate(&self, rows: &[T], buckets: &[u16; TABLE_BLOCK], cells: &mut [u16]) {
        let per_line = 64 / size_of::<T>();
        for line in (0..rows.len()).step_by(per_line) {
            prefetch(rows.as_ptr(), line + PREFETCH_ROWS);
        }
        match self.fullest {
            0..=1 => self.locate_with::<1>(rows, buckets, cells),
            2 => self.locate_with::<2>(rows, buckets, cells),
            3 => self.locate_with::<3>(rows, buckets, cells),
            _ => self.locate_with::<HALVING>(rows, buckets, cells),
        }
    }

    #[inline(always)]
    fn locate_with<const STEPS: usize>(&self, rows: &[T], buckets: &[u16; TABLE_BLOCK], cells: &mut [u16]) {
        // One row at a time, not unrolled by hand: else the compiler gathers the cells into vectors, element by element.
        for ((x, bucket), cell) in rows.iter().zip(buckets).zip(cells) {
            // SAFETY: the buckets come from `self.buckets`.
            *cell = unsafe { self.cell::<STEPS>(*x, *bucket) } as u16;
        }
    }

    /// How many histograms are filled in turn, so that equal cells in a row do not wait for each other's stores.
    pub(super) fn n_histograms(&self) -> usize {
        if self.n_cells > 512 { 2 } else { 4 }
    }

    /// Counts cells into `histogram`, [`Table::n_histograms`] of `n_cells` counters side by side.
    ///
    /// Apart from the search for the cells on purpose: an increment whose address is known late makes the processor
    /// hold back the loads behind it, or repeat them, and the whole loop is then twice as slow.
    #[inline]
    pub(super) fn count(&self, cells: &[u16], histogram: &mut [u32]) {
        if self.n_histograms() == 2 {
            self.count_with::<2>(cells, histogram);
        } else {
            self.count_with::<4>(cells, histogram);
        }
    }

    #[inline(always)]
    fn count_with<const HISTOGRAMS: usize>(&self, cells: &[u16], histogram: &mut [u32]) {
        let n_cells = self.n_cells;
        assert!(histogram.len() == HISTOGRAMS * n_cells);
        let mut one = |i: usize, cell: u16| {
            debug_assert!(usize::from(cell) < n_cells);
            // SAFETY: the cells come from `self.locate`, so they are below `n_cells`; the length is asserted above.
            unsafe { *histogram.get_unchecked_mut(i % HISTOGRAMS * n_cells + usize::from(cell)) += 1 };
        };
        let (eights, rest) = cells.as_chunks::<8>();
        for eight in eights {
            for (i, cell) in eight.iter().enumerate() {
                one(i, *cell);
            }
        }
        for (i, cell) in rest.iter().enumerate() {
            one(i, *cell);
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
    let smallest = (core.len() * 2).next_power_of_two().clamp(512, 1 << 12) as u32;
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
        2 => 0.3,
        3 => 0.6,
        more => 0.7 * f64::from(usize::BITS - more.leading_zeros()),
    };
    let bent = match map {
        Map::Even(_) => 0.0,
        Map::Bent(_) if T::FLOAT => 0.3,
        Map::Bent(_) => 0.6,
    };
    // What no longer fits beside edges and counters in a first-level cache costs a visit to the second.
    let cache = match map.n_buckets() {
        0..=4096 => 0.0,
        4097..=8192 => 0.12,
        8193..=16384 => 0.2,
        _ => 0.6,
    };
    steps + bent + cache
}
