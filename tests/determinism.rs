//! Equal rows give equal bytes, however they are cut into files, row groups and batches, and whoever counts them
//! (I-GROUP, SEMANTICS S1, S20); and windows hold the rows that they say, counted here a second time.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow_select::take::take_record_batch;
use driftlead::report::Verdict;
use driftlead::report::wire::{Report, Window};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::support::folder::{Folder, floats, table, texts, times};
use crate::support::program::{driftlead, json, parsed, report};
use crate::support::random::Random;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2001-01-01T00:00:00Z.
const START: i64 = 978_307_200_000_000;

/// Rows at these instants, with nulls in most columns.
fn rows(seed: u64, mean: f64, at: &[i64]) -> RecordBatch {
    let mut random = Random::new(seed);
    let n = at.len();
    let delay: Vec<Option<f64>> = (0..n).map(|row| (row % 13 != 5).then(|| mean + random.normal())).collect();
    let seats: Vec<f64> = (0..n).map(|_| random.below(200) as f64).collect();
    let origins = random.zipf(n, &["ATL", "BOS", "CLE", "DEN", "EWR"]);
    let origins: Vec<Option<&str>> =
        origins.into_iter().enumerate().map(|(row, name)| (row % 7 != 3).then_some(name)).collect();
    table(vec![
        ("at", times(at.iter().copied())),
        ("delay", floats(delay)),
        ("seats", floats(seats)),
        ("origin", texts(origins)),
        ("carrier", texts(random.zipf(n, &["AA", "UA"]))),
    ])
}

/// One instant a minute.
fn minutes(from: i64, to: i64) -> Vec<i64> {
    (from..to).step_by(MINUTE as usize).collect()
}

/// Writes rows as so many files in a folder of their own, and returns its path.
fn spread(folder: &Folder, name: &str, rows: &RecordBatch, files: usize, row_group: usize) -> String {
    let size = rows.num_rows().div_ceil(files);
    for file in 0..files {
        let first = file * size;
        let part = rows.slice(first, size.min(rows.num_rows() - first));
        folder.rows(&format!("{name}/part-{file}.parquet"), &part, row_group);
    }
    folder.path(name)
}

fn shuffled(seed: u64, rows: &RecordBatch) -> RecordBatch {
    let order = Random::new(seed).order(rows.num_rows());
    let order = UInt32Array::from_iter_values(order.into_iter().map(|row| row as u32));
    take_record_batch(rows, &order).expect("rows in range")
}

/// The same rows in one file, in several with small and large row groups, and in another order; by one thread and two.
fn same_bytes_however_cut(settings: &str) {
    let folder = Folder::new();
    let model = folder.write("model.yaml", format!("model: m\nversion: 1\n{settings}"));
    let baseline = rows(1, 0.0, &minutes(START - 6 * DAY, START));
    let window = rows(2, 0.4, &minutes(START + 10 * HOUR, START + 4 * DAY));
    let mut first: Option<String> = None;
    for (files, row_group, order) in
        [(1, 1_000_000, None), (3, 100, None), (7, 1_000, None), (2, 1_000, Some(5))]
    {
        let name = |what: &str| format!("{what}-{files}-{row_group}-{order:?}");
        let own = |rows: &RecordBatch| order.map_or_else(|| rows.clone(), |seed| shuffled(seed, rows));
        let baseline = spread(&folder, &name("baseline"), &own(&baseline), files, row_group);
        let window = spread(&folder, &name("window"), &own(&window), files, row_group);
        for threads in ["1", "2"] {
            let bytes = json(&[&model, "--baseline", &baseline, &window, "--threads", threads]);
            let first = first.get_or_insert_with(|| bytes.clone());
            assert!(
                bytes == *first,
                "{files} files, {row_group} rows a group, order {order:?}, {threads} threads"
            );
        }
    }
    let report = parsed(&first.expect("a run"));
    assert!(report.verdict == Verdict::Drift && report.errors.is_empty(), "{:?}", report.verdict);
}

#[test]
fn the_cut_into_files_does_not_show_in_one_window() {
    same_bytes_however_cut("exclude: at\n");
}

#[test]
fn the_cut_into_files_does_not_show_in_windows_and_segments() {
    same_bytes_however_cut(
        "time: at\nwindow: {length: 1d, every: 6h}\nsegments: [origin, [carrier, origin]]\n",
    );
}

/// Above 64 Ki rows the cuts come from a sample, which depends on how the baseline is stored, and on nothing else.
#[test]
fn a_sampled_baseline_depends_on_no_thread_and_no_cut_of_the_window() {
    let folder = Folder::new();
    let mut random = Random::new(3);
    let mut columns = |n: usize, mean: f64| {
        table(vec![
            ("x", floats(random.normals(n, mean))),
            ("origin", texts(random.zipf(n, &["ATL", "BOS"]))),
        ])
    };
    let baseline = spread(&folder, "baseline", &columns(150_000, 0.0), 3, 20_000);
    let window = columns(30_000, 0.1);
    let mut first: Option<String> = None;
    for (files, row_group) in [(1, 1_000_000), (7, 1_000)] {
        let window = spread(&folder, &format!("window-{files}"), &window, files, row_group);
        for threads in ["1", "2", "3"] {
            let bytes = json(&["--baseline", &baseline, &window, "--threads", threads]);
            let first = first.get_or_insert_with(|| bytes.clone());
            assert!(bytes == *first, "window in {files} files, {threads} threads");
        }
    }
}

#[test]
fn a_saved_baseline_says_what_its_rows_say() {
    let folder = Folder::new();
    let baseline = rows(1, 0.0, &minutes(START - 12 * DAY, START));
    folder.rows("baseline.parquet", &baseline, 1_000);
    let window = folder.rows("window.parquet", &rows(2, 0.4, &minutes(START, START + 3 * DAY)), 1_000);
    for settings in [
        "exclude: at\n",
        "time: at\nwindow: {length: 1d}\n",
        "time: at\nwindows: {daily: {length: 1d}, all: {length: 7d}}\nsegments: [origin, [carrier, origin]]\n",
    ] {
        let model = folder.write("model.yaml", format!("model: m\nbaseline: baseline.parquet\n{settings}"));
        let frozen = folder.path("frozen.parquet");
        let ended = driftlead(&["baseline", &model, "-o", &frozen]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{settings}");
        let (raw, saved) = (json(&[&model, &window]), json(&[&model, "--baseline", &frozen, &window]));
        assert!(parsed(&raw).windows == parsed(&saved).windows, "{settings}");
        assert!(raw == saved, "{settings}");
        let bytes = std::fs::read(&frozen).expect("bytes");
        assert_eq!(driftlead(&["baseline", &model, "-o", &frozen, "--threads", "1"]).code, Some(0));
        assert!(bytes == std::fs::read(&frozen).expect("bytes"), "{settings}: the file depends on threads");
    }
}

/// A Monday from ten o'clock, a Tuesday, no Wednesday, and a Thursday until three.
fn a_week_with_a_hole(folder: &Folder, settings: &str) -> (String, Vec<i64>) {
    folder.rows("baseline.parquet", &rows(1, 0.0, &minutes(START - 6 * DAY, START)), 1_000);
    let mut at = minutes(START + 10 * HOUR, START + 2 * DAY);
    at.extend(minutes(START + 3 * DAY, START + 3 * DAY + 15 * HOUR));
    folder.rows("window.parquet", &rows(2, 0.0, &at), 700);
    let text = format!("model: m\nbaseline: baseline.parquet\ndata: window.parquet\ntime: at\n{settings}");
    (folder.write("model.yaml", text), at)
}

fn span(window: &Window) -> (i64, i64) {
    (window.start.expect("a start").micros(), window.end.expect("an end").micros())
}

fn partial(window: &Window) -> bool {
    window.arrival.expect("arrival").partial
}

/// Every window holds the rows of its span, and no window between the first and the last is left out.
fn windows_hold_their_rows(report: &Report, at: &[i64], every: i64) {
    for window in &report.windows {
        let (start, end) = span(window);
        let inside = at.iter().filter(|time| (start..end).contains(time)).count() as u64;
        assert_eq!(window.rows, inside, "{:?}", window.start);
        if inside == 0 {
            assert_eq!(window.verdict, Verdict::Insufficient);
        }
    }
    for pair in report.windows.windows(2) {
        assert_eq!(span(&pair[1]).1 - span(&pair[0]).1, every);
    }
    assert_eq!(report.input.rows, report.input.outside_rows + at.len() as u64);
}

#[test]
fn days_hold_their_rows_and_a_day_without_any_is_listed() {
    let folder = Folder::new();
    let (model, at) = a_week_with_a_hole(&folder, "window: {length: 1d}\n");
    let all = report(&[&model]);
    windows_hold_their_rows(&all, &at, DAY);
    let counts: Vec<u64> = all.windows.iter().map(|window| window.rows).collect();
    assert_eq!(counts, [840, 1_440, 0, 900]);
    // Only the last ends later than the data do.
    assert_eq!(all.windows.iter().map(partial).collect::<Vec<_>>(), [false, false, false, true]);

    let cut = report(&[&model, "--since", "2001-01-01T12:00:00Z", "--until", "2001-01-02T12:00:00Z"]);
    let inside: Vec<i64> =
        at.iter().copied().filter(|time| (START + 12 * HOUR..START + 36 * HOUR).contains(time)).collect();
    windows_hold_their_rows(&cut, &inside, DAY);
    assert_eq!(cut.windows.iter().map(|window| window.rows).collect::<Vec<_>>(), [720, 720]);
    assert!(cut.windows.iter().all(partial));
    assert_eq!(cut.input.outside_rows, 120 + 720 + 900);
    // The same windows have the same ids, whatever part of the data was read.
    for (own, other) in cut.windows.iter().zip(&all.windows) {
        assert_eq!(own.id, other.id);
    }
}

#[test]
fn a_day_alone_is_judged_as_among_others() {
    let folder = Folder::new();
    let (model, _) = a_week_with_a_hole(&folder, "window: {length: 1d}\n");
    let all = report(&[&model]);
    for (day, since, until) in [(1, "2001-01-02", "2001-01-03"), (3, "2001-01-04", "2001-01-05")] {
        let alone = report(&[&model, "--since", since, "--until", until]);
        assert_eq!(alone.windows.len(), 1);
        let (own, other) = (&alone.windows[0], &all.windows[day]);
        assert!(own == other, "day {day}: {own:?} is not {other:?}");
    }
}

#[test]
fn sliding_windows_hold_each_row_as_often_as_they_overlap() {
    let folder = Folder::new();
    let (model, at) = a_week_with_a_hole(&folder, "window: {length: 1d, every: 6h}\n");
    let report = report(&[&model]);
    windows_hold_their_rows(&report, &at, 6 * HOUR);
    assert_eq!(report.windows.iter().map(|window| window.rows).sum::<u64>(), 4 * at.len() as u64);
    let (first, _) = span(&report.windows[0]);
    assert_eq!(first, START - 12 * HOUR, "the first window that holds ten o'clock");
    assert_eq!(report.windows.iter().filter(|window| window.rows == 0).count(), 1);
    assert!(report.windows.iter().all(|window| span(window).1 - span(window).0 == DAY));
}

#[test]
fn a_long_silence_is_one_gap() {
    let folder = Folder::new();
    folder.rows("baseline.parquet", &rows(1, 0.0, &minutes(START - DAY, START)), 1_000);
    let mut at = minutes(START, START + HOUR);
    at.extend(minutes(START + 100 * DAY, START + 100 * DAY + HOUR));
    let window = folder.rows("window.parquet", &rows(2, 0.0, &at), 1_000);
    let text = "model: m\nbaseline: baseline.parquet\ntime: at\nwindow: {length: 1h, min_rows: 50}\n";
    let report = report(&[&folder.write("model.yaml", text), &window]);
    assert_eq!(report.windows.iter().map(|window| window.rows).collect::<Vec<_>>(), [60, 60]);
    assert_eq!(report.gaps.len(), 1);
    let gap = &report.gaps[0];
    assert_eq!((gap.start.micros(), gap.end.micros()), (START + HOUR, START + 100 * DAY));
    assert_eq!(gap.windows, 100 * 24 - 1);
}

#[test]
fn segments_hold_their_rows_null_and_others_among_them() {
    let folder = Folder::new();
    let at = minutes(START, START + 3 * DAY);
    folder.rows("baseline.parquet", &rows(1, 0.0, &minutes(START - 6 * DAY, START)), 1_000);
    let rows = rows(2, 0.0, &at);
    // An origin that the baseline has never seen.
    let origins: &StringArray = rows.column(3).as_any().downcast_ref().expect("text");
    let origins: Vec<Option<&str>> = origins
        .iter()
        .enumerate()
        .map(|(row, name)| if row % 11 == 0 { Some("new") } else { name })
        .collect();
    let mut columns: Vec<_> =
        ["at", "delay", "seats"].into_iter().zip(rows.columns().iter().cloned()).collect();
    columns.extend([("origin", texts(origins.clone())), ("carrier", rows.column(4).clone())]);
    let rows = table(columns);
    let window = folder.rows("window.parquet", &rows, 1_000);
    let text = "model: m\nbaseline: baseline.parquet\ntime: at\nwindow: {length: 1d}\nsegments: [origin, [carrier, origin]]\n";
    let report = report(&[&folder.write("model.yaml", text), &window]);
    assert_eq!(report.errors, []);

    let at: &TimestampMicrosecondArray = rows.column(0).as_any().downcast_ref().expect("times");
    let carriers: &StringArray = rows.column(4).as_any().downcast_ref().expect("text");
    type Segment = Vec<(String, Option<String>)>;
    let mut truth: BTreeMap<(i64, Segment), u64> = BTreeMap::new();
    for (row, origin) in origins.iter().enumerate() {
        let day = at.value(row).div_euclid(DAY) * DAY;
        let is_new = *origin == Some("new");
        let value =
            |name: Option<&str>| if is_new { Some("__other__".to_owned()) } else { name.map(str::to_owned) };
        let (origin, carrier) = (value(*origin), value(Some(carriers.value(row))));
        let cross = vec![("carrier".to_owned(), carrier), ("origin".to_owned(), origin.clone())];
        for segment in [vec![], vec![("origin".to_owned(), origin)], cross] {
            *truth.entry((day, segment)).or_default() += 1;
        }
    }
    assert!(truth.keys().any(|(_, segment)| segment.len() == 1 && segment[0].1.is_none()), "null is a value");
    let mut found = BTreeMap::new();
    for window in &report.windows {
        let segment = window.segment.as_ref().map(|segment| segment.0.clone()).unwrap_or_default();
        assert!(found.insert((span(window).0, segment), window.rows).is_none(), "twice");
    }
    assert_eq!(found, truth);
    let mut ids: Vec<&str> = report.windows.iter().map(|window| window.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), report.windows.len(), "an id names one window");
}

/// What lies outside of the bounds by the file's own statistics is not read, and counted as if it were: pages that cannot
/// be read do not disturb, and the bytes are those of a file without statistics.
#[test]
fn row_groups_out_of_bounds_are_counted_and_not_read() {
    let folder = Folder::new();
    let model = folder.write("model.yaml", "model: m\nversion: 1\ntime: at\nwindow: {length: 1d}\n");
    let baseline = folder.rows("baseline.parquet", &rows(1, 0.0, &minutes(START - 6 * DAY, START)), 100_000);
    // A row group a day; the event time of some rows is missing.
    let window = rows(2, 0.4, &minutes(START, START + 4 * DAY));
    let at = window.column(0).as_any().downcast_ref::<TimestampMicrosecondArray>().expect("times");
    let at: TimestampMicrosecondArray =
        at.iter().enumerate().map(|(row, at)| at.filter(|_| row % 17 != 3)).collect();
    let mut columns = window.columns().to_vec();
    columns[0] = Arc::new(at);
    let window = RecordBatch::try_new(window.schema(), columns).expect("the same schema");
    let day = (DAY / MINUTE) as usize;
    let stated = folder.rows("stated.parquet", &window, day);
    let silent = folder.path("silent.parquet");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(day))
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let file = File::create(&silent).expect("created");
    let mut writer = ArrowWriter::try_new(file, window.schema(), Some(properties)).expect("a schema");
    writer.write(&window).expect("rows");
    writer.close().expect("a footer");

    // The pages of the first and the last row group become noise.
    let mut bytes = std::fs::read(&stated).expect("bytes");
    let footer = SerializedFileReader::new(File::open(&stated).expect("opened")).expect("Parquet");
    for group in [0, 3] {
        for column in footer.metadata().row_group(group).columns() {
            let (start, length) = column.byte_range();
            bytes[start as usize..(start + length) as usize].fill(0x5a);
        }
    }
    let broken = folder.write("broken.parquet", bytes);

    let check = |file: &str, until: &str| {
        let bounds = ["--since", "2001-01-02T06:00:00Z", "--until", until];
        json(&[&[model.as_str(), file, "--baseline", &baseline][..], &bounds].concat())
    };
    let within = check(&stated, "2001-01-03T12:00:00Z");
    assert!(
        within == check(&broken, "2001-01-03T12:00:00Z") && within == check(&silent, "2001-01-03T12:00:00Z")
    );
    let report = parsed(&within);
    assert_eq!(report.input.rows, 4 * 1440);
    assert!(report.input.untimed_rows == 339 && report.input.outside_rows > 3_000, "{:?}", report.input);
    let shown: u64 = report.windows.iter().map(|window| window.rows).sum();
    assert_eq!(shown + report.input.outside_rows + report.input.untimed_rows, report.input.rows);
    // The last row group begins at the bound, and then a minute before it.
    assert!(!check(&broken, "2001-01-04T00:00:00Z").is_empty());
    let bounds = ["--since", "2001-01-02T06:00:00Z", "--until", "2001-01-04T00:01:00Z"];
    let args = [&["check", model.as_str(), &broken, "--baseline", &baseline][..], &bounds].concat();
    let ended = driftlead(&args);
    assert_eq!(ended.code, Some(2), "the noise was read: {ended:?}");
}
