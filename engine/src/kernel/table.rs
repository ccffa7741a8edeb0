//! Locating and counting by many edges: a monotone bucket map, then a few comparisons inside the bucket.
//!
//! `first[b]` is how many edges lie in buckets below `b`. A row in bucket `b` is above all of those and above no edge of a
//! higher bucket, so its cell is `first[b]` plus the number of edges from there on that are below it. The edges are
//! padded with values that are above nothing, so that a fixed number of comparisons, enough for the fullest bucket, is
//! right for every bucket. In the worst case (all edges in one bucket) that is a binary search over all edges.

#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::avx512;
use crate::kernel::level::{Level, prefetch};
use crate::kernel::map::Map;
use crate::kernel::native::Lane;
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::packed::{PLACE_BITS, Packed};
#[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
use crate::kernel::wide::ROWS;

/// How many rows are mapped to buckets before they are counted: small enough to stay beside the table in the cache.
pub(super) const TABLE_BLOCK: usize = 256;

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
    /// The same by one look-up, where the machine and the edges allow it.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    packed: Option<Packed<T>>,
}

/// Room for what is known of a block's rows before their cells.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    buckets: [u16; TABLE_BLOCK],
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    keys: [u32; TABLE_BLOCK],
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            buckets: [0; TABLE_BLOCK],
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            keys: [0; TABLE_BLOCK],
        }
    }
}

impl<T: Lane> Table<T> {
    /// The cheapest table over `edges` (sorted, at least one), whose rows lie mostly between the edges of `core`.
    pub(super) fn new(level: Level, edges: &[T], core: std::ops::Range<usize>) -> Option<Self> {
        let mut best: Option<(f64, Map<T>, usize)> = None;
        let mut buckets = vec![0; edges.len()];
        for map in candidates(edges, core.clone(), 0) {
            if best.as_ref().is_some_and(|(least, ..)| cost(&map, 1) >= *least) {
                continue;
            }
            map.buckets(edges, &mut buckets);
            let fullest = buckets.chunk_by(|a, b| a == b).map(<[u16]>::len).max().unwrap_or(0);
            let cost = cost(&map, fullest);
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, map, fullest));
            }
        }
        let (_, map, fullest) = best?;
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        if level == Level::Avx512 {
            let packed = Packed::new(edges, &candidates(edges, core, PLACE_BITS));
            return Some(Self { packed, ..Self::with_map(edges, map, fullest) });
        }
        let _ = level;
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
        Self {
            map,
            first,
            edges: padded,
            fullest,
            halvings,
            n_cells: edges.len() + 1,
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            packed: None,
        }
    }

    /// Tables with one map of each kind, suitable or not, for tests.
    #[cfg(test)]
    pub(super) fn every(edges: &[T], core: std::ops::Range<usize>) -> Vec<Self> {
        let mut tables = Vec::new();
        // Every seventh meets each kind, trim and size.
        let keyed = candidates(edges, core.clone(), 14);
        for (map, keyed) in candidates(edges, core, 0).into_iter().zip(keyed).step_by(7) {
            let mut buckets = vec![0; edges.len()];
            map.buckets(edges, &mut buckets);
            assert!(buckets.is_sorted(), "{map:?} is not monotone");
            let fullest = buckets.chunk_by(|a, b| a == b).map(<[u16]>::len).max().unwrap_or(0);
            let table = Self::with_map(edges, map, fullest);
            #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
            let table = Self { packed: Packed::new(edges, &[keyed]), ..table };
            #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
            let _ = keyed;
            tables.push(table);
        }
        tables
    }

    /// Whether rows are located by one look-up on a machine that can.
    #[cfg(test)]
    pub(super) fn is_packed(&self) -> bool {
        #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
        return self.packed.is_some();
        #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
        false
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

    /// Writes the cells of at most [`TABLE_BLOCK`] rows, and asks for rows further on.
    #[inline(always)]
    pub(super) fn locate(&self, level: Level, rows: &[T], scratch: &mut Scratch, cells: &mut [u16]) {
        let done = self.locate_packed(level, rows, scratch, cells);
        if done == rows.len() {
            return;
        }
        let (rows, cells) = (&rows[done..], &mut cells[done..]);
        // The vector half of the work comes first.
        let buckets = &mut scratch.buckets[..rows.len()];
        self.map.buckets(rows, buckets);
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

    /// Writes the cells of the first rows by one look-up each, if that can be; of how many.
    #[cfg(all(target_arch = "x86_64", not(driftlead_portable)))]
    #[inline(always)]
    fn locate_packed(&self, level: Level, rows: &[T], scratch: &mut Scratch, cells: &mut [u16]) -> usize {
        let (Level::Avx512, Some(packed)) = (level, &self.packed) else { return 0 };
        let keys = &mut scratch.keys[..rows.len()];
        packed.map.keys(rows, keys);
        // SAFETY: the level has AVX-512; the keys are of the packed table's map, which was made of the edges before
        // their padding.
        unsafe { avx512::locate(packed, &self.edges, rows, keys, cells) };
        rows.len() / ROWS * ROWS
    }

    #[cfg(not(all(target_arch = "x86_64", not(driftlead_portable))))]
    #[inline(always)]
    fn locate_packed(&self, _: Level, _: &[T], _: &mut Scratch, _: &mut [u16]) -> usize {
        0
    }

    #[inline(always)]
    fn locate_with<const STEPS: usize>(&self, rows: &[T], buckets: &[u16], cells: &mut [u16]) {
        // One row at a time, not unrolled by hand: else the compiler gathers the cells into vectors, element by element.
        for ((x, bucket), cell) in rows.iter().zip(buckets).zip(cells) {
            // SAFETY: the buckets come from the map.
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

/// The maps worth trying, with up to `2^bits` keys in a bucket.
pub(super) fn candidates<T: Lane>(edges: &[T], core: std::ops::Range<usize>, bits: u32) -> Vec<Map<T>> {
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
            maps.extend(Map::even(lo, hi, n_buckets, bits));
            let middle = edges[from + (to - from) / 2];
            for side in [0.45, 0.35, 0.25, 0.1, 0.02] {
                let knee = (at(1.0 - side) - at(side)) / 2.0;
                maps.extend(Map::bent(lo, hi, middle, knee, n_buckets, bits));
            }
            // All of the mass may lie beside one end, as in a log-normal column.
            for (middle, side) in [(edges[from + 1], 0.02), (edges[from + 1], 0.1), (edges[from + 1], 0.3)] {
                let knee = at(side) - at(0.0);
                maps.extend(Map::bent(lo, hi, middle, knee, n_buckets, bits));
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
