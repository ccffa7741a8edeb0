//! The bytes of a remote object, fetched in large blocks ahead of use.
//!
//! A Parquet column is read page by page, and a page may be a few kilobytes: one request each would take minutes, one
//! request for the whole row group would take its size in memory. So the ranges that will be read are cut into blocks;
//! a block is fetched when first touched, the next one is requested meanwhile, and only a few are kept. Neighbouring
//! ranges (the small columns of a small file) share a block.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::Store;
use crate::error::{Error, Result};
use crate::location::changed;

/// What one reader may hold, bytes: three blocks of the largest size.
const BUDGET: u64 = 12 << 20;
/// The largest block: above this, throughput no longer grows with the size of a request.
const MAX_BLOCK: u64 = 4 << 20;
/// The smallest block: below this, latency is all that counts.
const MIN_BLOCK: u64 = 256 << 10;
/// Unwanted bytes between two ranges that are fetched rather than asked around.
const MAX_GAP: u64 = 64 << 10;

/// A reader of some ranges of one object.
#[derive(Debug)]
pub(crate) struct Blocks {
    store: Arc<Store>,
    path: Path,
    tag: Option<String>,
    /// Sorted and disjoint.
    plan: Vec<Range<u64>>,
    budget: u64,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// Least recently used first.
    slots: VecDeque<(usize, Slot)>,
    bytes: u64,
    last: Option<usize>,
}

#[derive(Debug)]
enum Slot {
    Ready(Bytes),
    Requested(mpsc::Receiver<object_store::Result<Bytes>>),
}

impl Blocks {
    /// Nothing is requested before the first read.
    pub(crate) fn new(store: Arc<Store>, path: Path, tag: Option<String>, ranges: &[Range<u64>]) -> Self {
        let (plan, block) = plan(ranges);
        // Wide reads jump from column to column: each needs its block, the next one, and some room.
        let budget = BUDGET.max(block * 2 * ranges.len() as u64);
        Self { store, path, tag, plan, budget, cache: Mutex::new(Cache::default()) }
    }

    /// The bytes of `range`, which must lie within the object.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let first = self.plan.partition_point(|block| block.end <= range.start);
        let mut covered = range.start;
        let mut last = first;
        while last < self.plan.len() && self.plan[last].start <= covered && covered < range.end {
            covered = self.plan[last].end;
            last += 1;
        }
        // Not foreseen, or one huge page: fetched as it is, and not kept.
        if covered < range.end || range.end - range.start > 2 * MAX_BLOCK {
            return self.receive(self.request(range));
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if last - first == 1 {
            let block = self.block(&mut cache, first)?;
            return Ok(block.slice(within(&range, &self.plan[first])));
        }
        let mut bytes = BytesMut::new();
        for index in first..last {
            let block = self.block(&mut cache, index)?;
            bytes.extend_from_slice(&block[within(&range, &self.plan[index])]);
        }
        Ok(bytes.freeze())
    }

    /// Block `index`, from the cache or the store; asks for the next one if reading goes forward.
    fn block(&self, cache: &mut Cache, index: usize) -> Result<Bytes> {
        let slot = match cache.slots.iter().position(|(held, _)| *held == index) {
            Some(position) => cache.slots.remove(position).map(|(_, slot)| slot),
            None => None,
        };
        let slot = slot.unwrap_or_else(|| {
            cache.bytes += length(&self.plan[index]);
            Slot::Requested(self.request(self.plan[index].clone()))
        });
        let forward = cache.last.is_none_or(|last| last == index || last + 1 == index);
        cache.last = Some(index);
        let next = index + 1;
        if forward
            && next < self.plan.len()
            && self.plan[next].start == self.plan[index].end
            && cache.bytes + length(&self.plan[next]) <= self.budget
            && !cache.slots.iter().any(|(held, _)| *held == next)
        {
            cache.bytes += length(&self.plan[next]);
            let requested = self.request(self.plan[next].clone());
            cache.slots.push_back((next, Slot::Requested(requested)));
        }
        let bytes = match slot {
            Slot::Ready(bytes) => bytes,
            Slot::Requested(answer) => match self.receive(answer) {
                Ok(bytes) => bytes,
                Err(error) => {
                    cache.bytes -= length(&self.plan[index]);
                    return Err(error);
                }
            },
        };
        cache.slots.push_back((index, Slot::Ready(bytes.clone())));
        // Blocks behind the reading position go first; the one just used and the one ahead stay.
        while cache.slots.len() > 2 && cache.bytes + MAX_BLOCK.min(length(&self.plan[index])) > self.budget {
            let Some((gone, _)) = cache.slots.pop_front() else { break };
            cache.bytes -= length(&self.plan[gone]);
        }
        Ok(bytes)
    }

    fn request(&self, range: Range<u64>) -> mpsc::Receiver<object_store::Result<Bytes>> {
        let store = Arc::clone(&self.store.store);
        let path = self.path.clone();
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.tag.clone(),
            ..GetOptions::default()
        };
        self.store.start(async move { store.get_opts(&path, options).await?.bytes().await })
    }

    fn receive(&self, answer: mpsc::Receiver<object_store::Result<Bytes>>) -> Result<Bytes> {
        let name = self.store.name_of(self.path.as_ref());
        match answer.recv() {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(object_store::Error::Precondition { .. })) => Err(changed(&name)),
            Ok(Err(error)) => Err(self.store.explain(self.path.as_ref(), error)),
            Err(_) => Err(Error::unavailable(format!("the request for `{name}` was given up"))),
        }
    }
}

/// Blocks that cover `ranges`, sorted and disjoint, and their usual size.
fn plan(ranges: &[Range<u64>]) -> (Vec<Range<u64>>, u64) {
    let mut ranges: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    ranges.sort_by_key(|range| range.start);
    let block = (BUDGET / (3 * ranges.len().max(1) as u64)).clamp(MIN_BLOCK, MAX_BLOCK);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(MAX_GAP) => {
                last.end = last.end.max(range.end)
            }
            _ => joined.push(range),
        }
    }
    let mut blocks = Vec::new();
    for range in joined {
        // Cut evenly, so that no tiny rest is left for a request of its own.
        let pieces = length(&range).div_ceil(block);
        let step = length(&range).div_ceil(pieces);
        let mut start = range.start;
        while start < range.end {
            let end = (start + step).min(range.end);
            blocks.push(start..end);
            start = end;
        }
    }
    (blocks, block)
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Where `range` lies within `block`, as indices.
fn within(range: &Range<u64>, block: &Range<u64>) -> Range<usize> {
    let start = range.start.max(block.start) - block.start;
    let end = range.end.min(block.end) - block.start;
    // A block is far smaller than an address space.
    start as usize..end as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_block_and_large_ranges_are_cut() {
        let (blocks, _) = plan(&[0..1000, 1000..2000, 5000..6000]);
        assert_eq!(blocks, vec![0..6000]);
        let large = 0..10 << 20;
        let (blocks, size) = plan(std::slice::from_ref(&large));
        assert_eq!(size, MAX_BLOCK);
        assert_eq!(blocks.len(), 3);
        assert_eq!(blocks[0].start, 0);
        assert_eq!(blocks[2].end, 10 << 20);
        assert!(blocks.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn distant_ranges_stay_apart() {
        let (blocks, _) = plan(&[0..1000, (1 << 20)..(1 << 20) + 10]);
        assert_eq!(blocks, vec![0..1000, (1 << 20)..(1 << 20) + 10]);
        assert!(plan(&[]).0.is_empty());
    }

    #[test]
    fn wide_reads_use_smaller_blocks() {
        let ranges: Vec<Range<u64>> = (0..25u64).map(|c| (c * (8 << 20))..((c + 1) * (8 << 20))).collect();
        assert_eq!(plan(&ranges).1, MIN_BLOCK);
    }
}
