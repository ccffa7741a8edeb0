//! Locating by many edges with one look-up a row, for machines that look up 16 rows in one instruction.
//!
//! A row's key (`map`) is its bucket and 14 more bits, its place in the bucket. One word for each bucket holds the number
//! of edges in lower buckets and the place of the edge in it. A row whose place is beyond that of the edge is above it,
//! one before it is not. Only where the two places are equal, and equal places do not say it all (integers finer than
//! the keys, floats), are the values themselves compared: seldom between continuous values, always for the values of a
//! discrete column, whose edges are the rows.

use crate::kernel::map::Map;
use crate::kernel::native::Lane;

/// How many bits of a key are the place in a bucket, where the map is as fine as that.
pub(super) const PLACE_BITS: u32 = 14;

/// Where in a word the number of edges in lower buckets begins.
pub(super) const CELL_AT: u32 = 16;

/// Set in a word whose bucket holds two edges: an atom and its predecessor.
pub(super) const PAIR: u32 = 1 << 15;

/// The bits of a word that hold twice the place of the edge, plus one if equal places mean that a row is not above it.
pub(super) const PLACE: u32 = PAIR - 1;

/// The place of no edge, beyond all others.
const NOWHERE: u32 = PLACE;

/// A map to keys, and a word for each of its buckets.
#[derive(Clone, Debug)]
pub(super) struct Packed<T> {
    pub(super) map: Map<T>,
    /// As long as the map has buckets.
    pub(super) words: Vec<u32>,
    /// Whether any bucket holds two edges.
    pub(super) has_pairs: bool,
}

impl<T: Lane> Packed<T> {
    /// The cheapest of `maps` over `edges` (sorted); none if in each a bucket holds edges of more than one place, or more
    /// than two, or if edges are equal.
    pub(super) fn new(edges: &[T], maps: &[Map<T>]) -> Option<Self> {
        if !edges.windows(2).all(|pair| pair[0] < pair[1]) {
            return None;
        }
        let mut best: Option<(f64, &Map<T>)> = None;
        let mut keys = vec![0; edges.len()];
        for map in maps {
            // To try all maps costs as much as to count 100,000 rows.
            if best.is_some_and(|(least, _)| cost(map, false) >= least) {
                continue;
            }
            map.keys(edges, &mut keys);
            let bits = map.bits();
            let mut has_pairs = false;
            let is_plain = keys.chunk_by(|a, b| a >> bits == b >> bits).all(|bucket| {
                has_pairs |= bucket.len() == 2;
                bucket.len() == 1 || (bucket.len() == 2 && bucket[0] == bucket[1])
            });
            let cost = cost(map, has_pairs);
            if is_plain && best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, map));
            }
        }
        let (_, map) = best?;
        map.keys(edges, &mut keys);
        Some(Self::with_map(edges, &keys, map))
    }

    fn with_map(edges: &[T], keys: &[u32], map: &Map<T>) -> Self {
        let bits = map.bits();
        let mut has_pairs = false;
        let mut below = 0;
        let words = (0..map.n_buckets() as u32).map(|bucket| {
            let first = below;
            while keys.get(below).is_some_and(|key| key >> bits == bucket) {
                below += 1;
            }
            let mut word = (first as u32) << CELL_AT;
            if below == first {
                word |= NOWHERE;
            } else {
                word |= (keys[first] & ((1 << bits) - 1)) << 1;
                word |= u32::from(edges[first..below].iter().all(|edge| map.tells(*edge)));
            }
            if below == first + 2 {
                word |= PAIR;
                has_pairs = true;
            }
            word
        });
        let words = words.collect();
        Self { map: *map, words, has_pairs }
    }
}

/// A rough cost of one row in nanoseconds, to choose between maps; right or wrong, it changes no result.
fn cost<T: Lane>(map: &Map<T>, has_pairs: bool) -> f64 {
    let bent = if matches!(map, Map::Bent(_)) { 0.15 } else { 0.0 };
    let pairs = if has_pairs { 0.05 } else { 0.0 };
    let cache = match map.n_buckets() {
        0..=4097 => 0.0,
        4098..=8193 => 0.02,
        8194..=16385 => 0.1,
        _ => 0.3,
    };
    bent + pairs + cache
}
