//! The counting kernels against this machine's streaming read bandwidth and against `partition_point`, in one run.
//!
//! Every job passes over a buffer much larger than the caches, in segments of 1 MiB, in calls of 64 Ki rows as a reader
//! hands them over. Jobs take turns, segment by segment, so that a busy neighbour hurts all alike, and each is elsewhere
//! in its buffer, so that none finds in the cache what another left there. What counts are the best decile of the
//! segments (most others were interrupted, on a busy machine) and the ratios. Usage: `kernels [MEBIBYTES [ROUNDS [NAME]]]`;
//! with a name only the jobs whose names contain it run, beside the read.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use driftlead_engine::kernel::{Locator, Native, Validity, extent, sums};

const SEGMENT_BYTES: usize = 1 << 20;
/// How far apart two jobs are in a buffer: all jobs read this many segments before one comes to the other's place.
const APART: usize = 8;
const CALL_ROWS: usize = 64 << 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| arguments.get(i).and_then(|a| a.parse().ok());
    let mebibytes: usize = number(0).unwrap_or(192);
    let rounds: usize = number(1).unwrap_or(6);

    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let n = mebibytes << 20;
    let doubles: Vec<f64> = (0..n / 8).map(|_| random.normal()).collect();
    let floats: Vec<f32> = (0..n / 4).map(|_| random.normal() as f32).collect();
    let integers: Vec<i64> = doubles.iter().map(|x| (x * 1e6) as i64).collect();
    let heavy: Vec<f64> = doubles.iter().map(|x| (3.0 * x).exp()).collect();
    let narrow: Vec<i32> = floats.iter().map(|x| (x * 1e6) as i32).collect();
    let mask: Vec<u8> = (0..CALL_ROWS / 8).map(|_| random.next() as u8 | random.next() as u8).collect();

    let few = |n: usize| edges_of(&floats, n);
    let few_doubles = |n: usize| edges_of(&doubles, n);
    let mut jobs = vec![
        Job::new("read (sum of words)", &doubles, sum_words),
        count_job("count, 4 edges, f32", &floats, few(4)),
        count_job("count, 9 edges, f32", &floats, few(9)),
        count_job("count, 16 edges, f32", &floats, few(16)),
        count_job("count, 9 edges, f64", &doubles, few_doubles(9)),
        count_job("count, 16 edges, f64", &doubles, few_doubles(16)),
        count_job("count, 1024 cells, f32", &floats, few(1023)),
        count_job("count, 1024 cells, f64", &doubles, few_doubles(1023)),
        count_job("count, 1024 cells, i32", &narrow, edges_of(&narrow, 1023)),
        count_job("count, 1024 cells, i64", &integers, edges_of(&integers, 1023)),
        count_job("count, 1024 cells, heavy f64", &heavy, edges_of(&heavy, 1023)),
        count_job("count, 4096 cells, f64", &doubles, few_doubles(4095)),
        partition_job("partition_point, 9 edges, f32", &floats, few(9)),
        partition_job("partition_point, 1024 cells, f64", &doubles, few_doubles(1023)),
        masked_job("count, 9 edges, f32, nulls", &floats, &mask, few(9)),
        masked_job("count, 1024 cells, f64, nulls", &doubles, &mask, few_doubles(1023)),
        locate_job("locate, 9 edges, f32", &floats, few(9)),
        locate_job("locate, 1024 cells, f64", &doubles, few_doubles(1023)),
        Job::new("sums, f64", &doubles, |rows| sums(rows, None, 0.1, 49, 46).x as u64),
        Job::new("sums, f32", &floats, |rows| sums(rows, None, 0.1, 49, 46).x as u64),
        Job::new("sums, i64", &integers, |rows| sums(rows, None, 0.1, 29, 6).x as u64),
        Job::new("extent, f64", &doubles, |rows| extent(rows, None).map_or(0, |e| e.0.to_bits())),
        Job::new("extent, f32", &floats, |rows| extent(rows, None).map_or(0, |e| u64::from(e.0.to_bits()))),
        whole_job("count + sums + extent, 1024, f64", &doubles, few_doubles(1023)),
    ];
    if let Some(name) = arguments.get(2) {
        jobs.retain(|job| job.is_read() || job.name.contains(name));
    }
    for round in 0..=rounds {
        let n_segments = n / SEGMENT_BYTES;
        for step in 0..n_segments {
            for (j, job) in jobs.iter_mut().enumerate() {
                let segment = (step + j * APART) % n_segments;
                let start = Instant::now();
                black_box((job.run)(segment));
                if round > 0 {
                    job.seconds.push(start.elapsed().as_secs_f64());
                }
            }
        }
    }

    // The extent does next to nothing with a row and asks for rows ahead of time, which a plain sum does not: the better of
    // the two is what the machine can read.
    let read = jobs.iter().filter(|job| job.is_read()).map(|job| job.rates().0).fold(0.0, f64::max);
    let rate_of = |name: &str| jobs.iter().find(|job| job.name == name).map_or(f64::NAN, |job| job.rates().0);
    println!("{:<36} {:>9} {:>9} {:>9} {:>10}", "job", "GB/s best", "median", "ns/row", "% of read");
    for job in &jobs {
        let (best, median) = job.rates();
        let ns = job.row_bytes as f64 / best;
        println!("{:<36} {best:>9.2} {median:>9.2} {ns:>9.3} {:>9.0}%", job.name, 100.0 * best / read);
    }
    println!("read bandwidth: {:.2} GB/s", read);
    for name in ["count, 9 edges, f32", "count, 16 edges, f32", "count, 1024 cells, f64"] {
        println!("ratio: {name} / read = {:.2}", rate_of(name) / read);
    }
    let ratio = |name: &str, by: &str| println!("ratio: {name} / {by} = {:.2}", rate_of(name) / rate_of(by));
    ratio("count, 1024 cells, f64", "partition_point, 1024 cells, f64");
    ratio("count, 9 edges, f32", "partition_point, 9 edges, f32");
    if arguments.get(2).is_none() {
        let share = |name: &str| 100.0 * rate_of(name) / read;
        let (nine, sixteen) = (share("count, 9 edges, f32"), share("count, 16 edges, f32"));
        println!("target: kernel, 9 edges, f32 | {nine:.0} % of read | 70 % | {}", limit(nine >= 70.0, FEW));
        println!(
            "target: kernel, 16 edges, f32 | {sixteen:.0} % of read | 70 % | {}",
            limit(sixteen >= 70.0, FEW)
        );
        let cells = share("count, 1024 cells, f64");
        let many = limit(cells >= 40.0, "three dependent loads a row: the core, not memory");
        println!("target: kernel, 1024 cells, f64 | {cells:.0} % of read | 40 % | {many}");
        let search = rate_of("count, 1024 cells, f64") / rate_of("partition_point, 1024 cells, f64");
        let many = limit(search >= 8.0, "as above");
        println!("target: the same against `partition_point` | {search:.1}x | 8x | {many}");
    }
}

const FEW: &str = "one comparison and one subtraction an edge and vector";

fn limit(reached: bool, what: &'static str) -> &'static str {
    if reached { "" } else { what }
}

/// A kernel over one segment of a buffer.
struct Job<'a> {
    name: &'static str,
    row_bytes: usize,
    run: Box<dyn FnMut(usize) -> u64 + 'a>,
    seconds: Vec<f64>,
}

impl<'a> Job<'a> {
    fn new<T: 'a>(name: &'static str, values: &'a [T], mut call: impl FnMut(&'a [T]) -> u64 + 'a) -> Self {
        let per_segment = SEGMENT_BYTES / size_of::<T>();
        let run = move |segment: usize| {
            let rows = &values[segment * per_segment..(segment + 1) * per_segment];
            rows.chunks(CALL_ROWS).fold(0, |sum: u64, rows| sum.wrapping_add(call(rows)))
        };
        Self { name, row_bytes: size_of::<T>(), run: Box::new(run), seconds: Vec::new() }
    }

    /// Whether the job shows how fast memory can be read.
    fn is_read(&self) -> bool {
        self.name.starts_with("read") || self.name == "extent, f64"
    }

    /// Gigabytes a second: of the best decile's boundary, and the median.
    fn rates(&self) -> (f64, f64) {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let rate = |at: usize| seconds.get(at).map_or(f64::NAN, |s| SEGMENT_BYTES as f64 / s / 1e9);
        (rate(seconds.len() / 10), rate(seconds.len() / 2))
    }
}

type Edges<T> = (Vec<T>, Range<usize>);

fn count_job<'a, T: Native>(name: &'static str, values: &'a [T], edges: Edges<T>) -> Job<'a> {
    let locator = Locator::with_core(edges.0, edges.1);
    let mut counts = vec![0; locator.n_cells()];
    Job::new(name, values, move |rows| locator.count(rows, None, &mut counts).nans)
}

fn masked_job<'a, T: Native>(
    name: &'static str,
    values: &'a [T],
    mask: &'a [u8],
    edges: Edges<T>,
) -> Job<'a> {
    let locator = Locator::with_core(edges.0, edges.1);
    let mut counts = vec![0; locator.n_cells()];
    Job::new(name, values, move |rows| {
        locator.count(rows, Some(Validity::new(mask, 0, rows.len())), &mut counts).nulls
    })
}

fn whole_job<'a>(name: &'static str, values: &'a [f64], edges: Edges<f64>) -> Job<'a> {
    let locator = Locator::with_core(edges.0, edges.1);
    let mut counts = vec![0; locator.n_cells()];
    Job::new(name, values, move |rows| {
        rows.chunks(8192).fold(0, |sum: u64, rows| {
            let nans = locator.count(rows, None, &mut counts).nans;
            let sums = sums(rows, None, 0.1, 49, 46).x as u64;
            sum.wrapping_add(nans + extent(rows, None).map_or(0, |e| e.0.to_bits())).wrapping_add(sums)
        })
    })
}

fn locate_job<'a, T: Native>(name: &'static str, values: &'a [T], edges: Edges<T>) -> Job<'a> {
    let locator = Locator::with_core(edges.0, edges.1);
    let mut cells = vec![0; CALL_ROWS];
    Job::new(name, values, move |rows| {
        let tally = locator.locate(rows, None, &mut cells[..rows.len()]);
        tally.nans + u64::from(cells[0])
    })
}

/// The plain way: a binary search and an increment a row.
fn partition_job<'a, T: Native>(name: &'static str, values: &'a [T], edges: Edges<T>) -> Job<'a> {
    let edges = edges.0;
    let mut counts = vec![0_u64; edges.len() + 1];
    Job::new(name, values, move |rows| {
        for x in rows {
            counts[edges.partition_point(|e| e < x)] += 1;
        }
        counts[0]
    })
}

/// Reads every word once and does next to nothing with it.
fn sum_words(rows: &[f64]) -> u64 {
    let mut sums = [0_u64; 16];
    for lanes in rows.as_chunks::<16>().0 {
        for (sum, x) in sums.iter_mut().zip(lanes) {
            *sum = sum.wrapping_add(x.to_bits());
        }
    }
    sums.iter().fold(0, |a, b| a.wrapping_add(*b))
}

/// `n` quantiles of the values' first rows, between structural edges as baselines have them: 32 geometric guards a side.
fn edges_of<T: Native + Guard>(values: &[T], n: usize) -> Edges<T> {
    let mut sample = values[..values.len().min(1 << 17)].to_vec();
    sample.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let mut core: Vec<T> = (1..=n).map(|i| sample[i * sample.len() / (n + 1)]).collect();
    core.dedup();
    let (low, high) = (sample[0], sample[sample.len() - 1]);
    let mut edges: Vec<T> = (0..32).rev().map(|i| T::beyond(low, high, i).0).collect();
    edges.push(low);
    let start = edges.len();
    edges.extend(&core);
    let end = edges.len();
    edges.push(high);
    edges.extend((0..32).map(|i| T::beyond(low, high, i).1));
    (edges, start..end)
}

/// Guard edges at `2^i` widths from a range.
trait Guard: Sized {
    fn beyond(low: Self, high: Self, i: i32) -> (Self, Self);
}

macro_rules! guard {
    ($($t:ident)*) => {$(
        impl Guard for $t {
            fn beyond(low: Self, high: Self, i: i32) -> (Self, Self) {
                let width = (high as f64 - low as f64) * 2_f64.powi(i);
                ((low as f64 - width) as Self, (high as f64 + width) as Self)
            }
        }
    )*};
}

guard!(f32 f64 i32 i64);

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Nearly normal: the sum of 8 uniforms, centred and scaled.
    fn normal(&mut self) -> f64 {
        let sum: f64 = (0..8).map(|_| (self.next() >> 11) as f64 / (1_u64 << 53) as f64).sum();
        (sum - 4.0) * (12.0_f64 / 8.0).sqrt()
    }
}
