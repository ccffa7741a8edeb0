//! What reading holds in memory, by a counting allocator: a few pages, however many rows a row group has.
//!
//! One test in a binary of its own, so that nothing else allocates meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use driftlead_connectors::dataset::{Dataset, OpenOptions, ReadOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator can only be counted by being one")]
// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above, hence from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COLUMNS: usize = 12;
const BATCH: usize = 32 << 10;

/// A third floats, a third integers, a third categories; values that compress badly.
fn rows(start: usize) -> RecordBatch {
    let mix = |row: usize, column: usize| {
        let mut x = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (column as u64) << 32;
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ (x >> 32)
    };
    let columns = (0..COLUMNS).map(|column| {
        let bits = (start..start + BATCH).map(|row| mix(row, column));
        let array: ArrayRef = match column % 3 {
            0 => Arc::new(Float64Array::from_iter_values(bits.map(|x| x as f64 / 1e6))),
            1 => Arc::new(Int64Array::from_iter_values(bits.map(|x| (x >> 1) as i64))),
            _ => Arc::new(StringArray::from_iter_values(bits.map(|x| format!("category {}", x % 300)))),
        };
        (format!("c{column}"), array)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Writes one row group; pages hold about 1 MiB, and as many rows as fit, which is the harder case.
fn write(path: &Path, batches: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1 << 20))
        .set_data_page_row_count_limit(usize::MAX)
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows(0).schema(), Some(properties)).unwrap();
    for batch in 0..batches {
        writer.write(&rows(batch * BATCH)).unwrap();
    }
    let footer = writer.close().unwrap();
    assert_eq!(footer.row_groups().len(), 1);
}

/// Reads all columns, `groups` at a time on two threads; the peak of what was allocated beyond the beginning, bytes.
fn peak(path: &Path, together: bool) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let data = Dataset::open(&[path.to_str().unwrap().to_owned()], &OpenOptions::default()).unwrap();
    let part = &data.parts()[0];
    let all: Vec<usize> = (0..COLUMNS).collect();
    let groups = if together { vec![all] } else { data.column_groups(part, &all).unwrap() };
    std::thread::scope(|scope| {
        for half in [0, 1] {
            let (data, groups) = (&data, &groups);
            scope.spawn(move || {
                for columns in groups.iter().skip(half).step_by(2) {
                    let mut rows = 0;
                    for batch in data.read(part, columns, &ReadOptions::default()).unwrap() {
                        rows += batch.unwrap().num_rows() as u64;
                    }
                    assert_eq!(Some(rows), part.rows);
                }
            });
        }
    });
    PEAK.load(Ordering::Relaxed) - before
}

#[test]
fn a_row_group_of_a_million_rows_takes_no_more_than_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small.parquet");
    let large = folder.path().join("large.parquet");
    write(&small, 8);
    write(&large, 32);
    assert!(
        std::fs::metadata(&large).unwrap().len() > 64 << 20,
        "the file is much larger than what may be held"
    );

    let (apart_small, apart) = (peak(&small, false), peak(&large, false));
    let (together_small, together) = (peak(&small, true), peak(&large, true));
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    assert!(apart < 16 << 20, "{} MiB for single columns on two threads", mib(apart));
    assert!(together < 64 << 20, "{} MiB for {COLUMNS} columns at once", mib(together));
    assert!(apart < apart_small * 3 / 2 + (1 << 20), "{} against {} MiB", mib(apart), mib(apart_small));
    assert!(
        together < together_small * 3 / 2 + (1 << 20),
        "{} against {} MiB",
        mib(together),
        mib(together_small)
    );
}
