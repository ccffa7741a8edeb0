//! What happens, told in one vocabulary. Seconds; one partition is `0` unless it matters; windows of a minute.

use driftlead_engine::ErrorKind;
use driftlead_engine::accumulate::{Column, SlotKey};
use driftlead_engine::stream::{Added, Closing, PartitionId, Phase, Rows, Series, Timing};

use super::rows::{Row, add, cells, merged, segments, timing};
use crate::columns::{doubles, longs, texts};

const SECOND: i64 = 1_000_000;

struct Story {
    series: Series,
    now: i64,
    rows: u32,
}

impl Story {
    /// Windows of `panes` minutes, one ending every minute.
    fn new(panes: i64, out_of_orderness: i64, lateness: i64, debounce: i64) -> Self {
        let timing =
            timing(panes, 60 * SECOND, out_of_orderness * SECOND, lateness * SECOND, debounce * SECOND);
        Self { series: Series::new(timing, cells()), now: 0, rows: 0 }
    }

    fn rows(&mut self, partition: u32, times: &[i64]) -> Added {
        let rows: Vec<Row> = (self.rows..)
            .zip(times)
            .map(|(number, time)| Row { time: Some(time * SECOND), number })
            .collect();
        self.rows += rows.len() as u32;
        add(&mut self.series, partition, &rows)
    }

    fn idle(&mut self, partition: u32) {
        self.series.set_idle(PartitionId(partition), true);
    }

    fn at(&mut self, now: i64) {
        self.now = now * SECOND;
    }

    /// All that closes now, in words.
    fn said(&mut self) -> Vec<String> {
        let seconds = |t: i64| t / SECOND;
        let mut said = Vec::new();
        while let Some(closing) = self.series.poll(self.now) {
            said.push(match closing {
                Closing::Gap { first, last } => {
                    let grid = self.series.timing().grid;
                    format!("gap {}..{}", seconds(grid.span(first).start), seconds(grid.span(last).end))
                }
                Closing::Window { span, phase, revision, late_rows, late_after_final, is_empty, .. } => {
                    let phase = match phase {
                        Phase::OnTime => "on_time",
                        Phase::Late => "late",
                        Phase::Final => "final",
                    };
                    let mut words =
                        format!("{phase} {}..{} r{revision}", seconds(span.start), seconds(span.end));
                    for (word, n) in [("late", late_rows), ("after_final", late_after_final)] {
                        if n > 0 {
                            words += &format!(" {word}={n}");
                        }
                    }
                    words + if is_empty { " empty" } else { "" }
                }
            });
        }
        said
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.said(), expected);
    }

    fn watermark(&self) -> Option<i64> {
        self.series.watermark().map(|at| at / SECOND)
    }
}

fn counted(counted: u64) -> Added {
    Added { counted, ..Added::default() }
}

fn late(late: u64) -> Added {
    Added { late, ..Added::default() }
}

fn after_final(late_after_final: u64) -> Added {
    Added { late_after_final, ..Added::default() }
}

#[test]
fn s14_a_window_is_on_time_then_final() {
    let mut story = Story::new(1, 10, 120, 10);
    assert_eq!(story.rows(0, &[5, 50, 69]), counted(3));
    story.expect(&[]);
    story.rows(0, &[70]);
    story.expect(&["on_time 0..60 r0"]);
    story.rows(0, &[189]);
    story.expect(&["on_time 60..120 r0"]);
    // 60 + 120 <= 190 - 10; the window 120..180 is over too, and empty.
    story.rows(0, &[190]);
    story.expect(&["final 0..60 r1"]);
    assert_eq!(story.watermark(), Some(180));
    assert_eq!(story.rows(0, &[59]), late(1));
    assert_eq!(story.rows(0, &[60]), counted(1));
    story.expect(&[]);
}

#[test]
fn s15_late_rows_revise_a_window_when_the_debounce_has_passed() {
    let mut story = Story::new(1, 0, 300, 10);
    story.at(100);
    story.rows(0, &[5, 65]);
    story.expect(&["on_time 0..60 r0"]);
    assert_eq!(story.series.next_deadline(), None, "no row came since");
    story.rows(0, &[6]);
    assert_eq!(story.series.next_deadline(), Some(110 * SECOND));
    story.at(109);
    story.expect(&[]);
    story.rows(0, &[7]);
    story.at(110);
    story.expect(&["late 0..60 r1"]);
    story.expect(&[]);
    story.rows(0, &[8]);
    story.at(119);
    story.expect(&[]);
    assert_eq!(story.series.next_deadline(), Some(120 * SECOND));
    // What is final does not wait.
    story.rows(0, &[360]);
    story.expect(&["final 0..60 r2", "on_time 60..120 r0"]);
    assert_eq!(story.series.next_deadline(), None);
}

#[test]
fn s14_without_lateness_a_window_closes_once() {
    let mut story = Story::new(1, 5, 0, 10);
    story.rows(0, &[5, 64]);
    story.expect(&[]);
    story.rows(0, &[65]);
    story.expect(&["final 0..60 r0"]);
}

#[test]
fn s14_a_watermark_that_jumps_past_both_closes_once() {
    let mut story = Story::new(1, 0, 120, 10);
    story.rows(0, &[5, 200]);
    story.expect(&["final 0..60 r0"]);
    story.rows(0, &[130, 400]);
    story.expect(&["final 60..120 r0 empty", "final 120..180 r0", "final 180..240 r0"]);
}

#[test]
fn s14_a_row_is_late_by_its_own_partition_alone() {
    let mut story = Story::new(1, 0, 0, 10);
    story.rows(0, &[5]);
    story.rows(1, &[10]);
    story.rows(0, &[600]);
    story.expect(&[]);
    // Partition 1 is ten minutes behind, and in time.
    assert_eq!(story.rows(1, &[20, 59]), counted(2));
    // The same time is late in partition 0, in the same batch as the row that made it so.
    assert_eq!(story.rows(0, &[20]), late(1));
    assert_eq!(story.rows(1, &[61, 60, 59]), Added { counted: 2, late: 1, ..Added::default() });
    story.expect(&["final 0..60 r0 late=2"]);
    assert_eq!(
        story.series.totals(),
        Added { counted: 7, late: 2, ..Added::default() },
        "the counters add up to all rows"
    );
}

#[test]
fn s15_an_idle_partition_holds_nothing_and_what_it_missed_is_said() {
    let mut story = Story::new(1, 0, 60, 10);
    story.rows(0, &[5]);
    story.rows(1, &[6, 30]);
    story.rows(0, &[130]);
    story.expect(&[]);
    story.idle(1);
    assert_eq!(story.watermark(), Some(130));
    story.expect(&["final 0..60 r0"]);
    // In time by its own clock, and too late for the window; the watermark waits for it from now on.
    assert_eq!(story.rows(1, &[40, 59]), after_final(2));
    assert_eq!(story.rows(1, &[61]), counted(1));
    story.rows(0, &[500]);
    assert_eq!(story.watermark(), Some(130));
    story.expect(&["on_time 60..120 r0"]);
    story.rows(1, &[499]);
    assert_eq!(story.watermark(), Some(499));
    story.expect(&["final 60..120 r1", "final 120..180 r0"]);
}

#[test]
fn s15_rows_missed_in_a_pane_are_said_by_the_windows_that_are_open() {
    let mut story = Story::new(2, 0, 0, 10);
    story.rows(0, &[5]);
    story.rows(1, &[5]);
    story.idle(1);
    story.rows(0, &[70]);
    story.expect(&["final -60..60 r0"]);
    assert_eq!(story.rows(1, &[10]), after_final(1));
    story.rows(1, &[120]);
    story.rows(0, &[119, 10, 120]);
    story.expect(&["final 0..120 r0 late=1 after_final=1"]);
}

#[test]
fn s15_with_all_idle_the_watermark_stops_at_the_largest_event_time() {
    let mut story = Story::new(1, 30, 0, 10);
    story.rows(0, &[5, 59]);
    story.rows(1, &[60, 119]);
    story.idle(0);
    assert_eq!(story.watermark(), Some(89));
    story.expect(&["final 0..60 r0"]);
    story.idle(1);
    assert_eq!(story.watermark(), Some(119));
    story.expect(&[]);
    story.rows(1, &[120]);
    assert_eq!(story.watermark(), Some(119), "it waits for rows out of order again");
    story.idle(1);
    story.expect(&["final 60..120 r0"]);
}

#[test]
fn s14_an_assigned_partition_holds_the_watermark_and_an_unknown_one_does_not() {
    let mut story = Story::new(1, 0, 0, 10);
    story.series.assign(PartitionId(0));
    story.series.assign(PartitionId(7));
    story.rows(0, &[5, 65]);
    story.expect(&[]);
    assert_eq!(story.watermark(), None);
    story.idle(7);
    story.expect(&["final 0..60 r0"]);
    // One that comes later starts behind: its own clock is clean, the frozen pane is not its fault.
    assert_eq!(story.rows(3, &[10, 66]), Added { counted: 1, late_after_final: 1, ..Added::default() });
    story.series.assign(PartitionId(3));
    story.rows(0, &[130]);
    assert_eq!(story.watermark(), Some(66), "assigning twice changes nothing");
    // Rows that were set aside wake nobody.
    let aside = add(&mut story.series, 7, &[Row { time: None, number: 1 }]);
    assert_eq!(aside, Added { untimed: 1, ..Added::default() });
    story.rows(3, &[130]);
    story.expect(&["final 60..120 r0"]);
}

#[test]
fn s13_empty_windows_wait_for_the_next_with_rows() {
    let mut story = Story::new(1, 0, 60, 10);
    story.rows(0, &[5, 130]);
    story.expect(&["final 0..60 r0"]);
    // 60..120 is empty and over, but nothing after it has closed.
    story.rows(0, &[179]);
    story.expect(&[]);
    story.rows(0, &[180]);
    story.expect(&["final 60..120 r0 empty", "on_time 120..180 r0"]);
    story.rows(0, &[310]);
    story.expect(&["final 120..180 r1", "final 180..240 r0"]);
    story.rows(0, &[370]);
    story.expect(&["final 240..300 r0 empty", "on_time 300..360 r0"]);
    story.series.end();
    // Nothing follows the last window with rows.
    story.expect(&["final 300..360 r1", "final 360..420 r0"]);
    assert_eq!(story.watermark(), Some(i64::MAX / SECOND));
    assert_eq!(story.rows(0, &[371]), after_final(1));
    story.expect(&[]);
}

#[test]
fn s13_an_empty_window_that_gets_rows_is_revised() {
    let mut story = Story::new(1, 0, 600, 10);
    story.rows(0, &[5, 130, 180]);
    story.expect(&["on_time 0..60 r0", "on_time 60..120 r0 empty", "on_time 120..180 r0"]);
    story.rows(0, &[70]);
    story.at(10);
    story.expect(&["late 60..120 r1"]);
    // A window before the first is a first word, however late; so are the empty ones behind it.
    story.rows(0, &[-100]);
    story.expect(&["on_time -120..-60 r0", "on_time -60..0 r0 empty"]);
}

#[test]
fn s13_a_long_run_of_empty_windows_is_one_gap_once_it_is_final() {
    let far = 60 * 1_010;
    let mut story = Story::new(1, 0, 120, 10);
    story.rows(0, &[5]);
    story.rows(1, &[5]);
    story.rows(0, &[far, far + 60]);
    story.rows(1, &[far + 70]);
    story.expect(&["final 0..60 r0", &format!("on_time {far}..{} r0", far + 60)]);
    story.rows(0, &[far + 200]);
    story.rows(1, &[far + 200]);
    story.expect(&[
        &format!("gap 60..{far}"),
        &format!("final {far}..{} r1", far + 60),
        &format!("on_time {}..{} r0", far + 60, far + 120),
    ]);
}

#[test]
fn s13_a_row_in_time_ends_a_long_run() {
    let far = 60 * 1_002;
    let mut story = Story::new(1, 0, 120, 10);
    story.rows(0, &[5, far, far + 60]);
    story.expect(&["final 0..60 r0", &format!("on_time {far}..{} r0", far + 60)]);
    // Before it a run of 1,000: that is listed.
    assert_eq!(story.rows(0, &[far - 1]), counted(1));
    let said = story.said();
    assert_eq!(said.len(), 1_001);
    assert_eq!(said[0], "final 60..120 r0 empty");
    assert_eq!(said[999], format!("final {}..{} r0 empty", far - 120, far - 60));
    assert_eq!(said[1_000], format!("on_time {}..{far} r0", far - 60));
}

#[test]
fn s13_sliding_windows_share_their_panes() {
    let mut story = Story::new(3, 0, 60, 10);
    story.rows(0, &[5, 65]);
    story.expect(&["on_time -120..60 r0"]);
    story.rows(0, &[125]);
    story.expect(&["final -120..60 r1", "on_time -60..120 r0"]);
    assert!(story.series.release().is_empty(), "the first pane has two windows to go");
    // One late row, and every open window that holds its pane says so.
    story.rows(0, &[66, 181]);
    story.at(10);
    story.expect(&["final -60..120 r1", "on_time 0..180 r0"]);
    story.rows(0, &[126]);
    story.at(20);
    story.expect(&["late 0..180 r1"]);
    assert!(story.series.release().is_empty());
    story.rows(0, &[240]);
    story.expect(&["final 0..180 r2", "on_time 60..240 r0"]);
    let released: Vec<Option<i64>> = story.series.release().into_iter().map(|key| key.pane).collect();
    assert_eq!(released, [Some(0), Some(0)], "the whole and one segment of the first pane");
    assert!(story.series.release().is_empty());
}

#[test]
fn s13_the_end_of_the_input_is_final_and_may_be_partial() {
    let mut story = Story::new(1, 10, 60, 10);
    story.rows(0, &[5, 65, 100]);
    story.series.end();
    let mut partial = Vec::new();
    while let Some(Closing::Window { span, .. }) = story.series.poll(0) {
        partial.push(span.is_partial(None, None, story.series.newest(), 10 * SECOND));
    }
    assert_eq!(partial, [false, true]);
}

#[test]
fn nothing_is_said_of_nothing() {
    let mut story = Story::new(2, 10, 60, 10);
    assert_eq!(story.rows(0, &[]), Added::default());
    story.expect(&[]);
    assert_eq!((story.watermark(), story.series.newest(), story.series.next_deadline()), (None, None, None));
    story.idle(0);
    story.expect(&[]);
    story.series.end();
    story.expect(&[]);
    assert!(story.series.release().is_empty() && story.series.dirty_slots().count() == 0);
}

#[test]
fn other_waiting_times_hold_at_once_and_open_nothing_again() {
    let mut story = Story::new(1, 30, 120, 10);
    story.rows(0, &[5, 95]);
    story.expect(&["on_time 0..60 r0"]);
    let with = |out_of_orderness: i64, lateness: i64| {
        timing(1, 60 * SECOND, out_of_orderness * SECOND, lateness * SECOND, 0)
    };
    story.series.retime(with(0, 30)).unwrap();
    assert_eq!(story.watermark(), Some(95));
    story.expect(&["final 0..60 r1"]);
    story.series.retime(with(30, 600)).unwrap();
    assert_eq!(story.watermark(), Some(95), "never back");
    assert_eq!(story.rows(0, &[20]), after_final(1));
    assert_eq!(story.rows(0, &[70, 150]), counted(2));
    story.expect(&["on_time 60..120 r0"]);
    let error = story.series.retime(timing(2, 60 * SECOND, 0, 0, 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plan);
    assert!(error.to_string().contains("start a new series"), "{error}");
    assert_eq!(story.series.timing(), with(30, 600));
    // Negative times wait no less than not at all.
    story.series.retime(Timing { lateness: -5, out_of_orderness: -5, ..with(0, 0) }).unwrap();
    assert_eq!(story.watermark(), Some(150));
    story.expect(&["final 60..120 r1"]);
}

/// I-ONE, in time too: the pane whose rows could not be read has no state of that feature, its neighbours have.
#[test]
fn a_column_that_cannot_be_read_spoils_its_feature_in_its_panes() {
    let mut series = Series::new(timing(1, 60 * SECOND, 0, 0, 0), cells());
    let (numbers, words, long) = (doubles(&[1.0, 2.0]), texts(&["red", "blue"]), longs(&[1, 2, 3]));
    let column = |array| Column { array, errors: None };
    let mut at = |second: i64, features: &[(usize, Column<'_>)], failed: &[(usize, &str)]| {
        let times = [Some(second * SECOND); 2];
        series.add(PartitionId(0), &Rows { times: &times, features, failed, splits: &[], ids: None })
    };
    let (x, word) = ((0, column(numbers.as_ref())), (1, column(words.as_ref())));
    at(0, &[x, word], &[]);
    at(60, &[(0, column(words.as_ref())), word], &[]);
    at(120, &[x], &[(1, "no such field")]);
    at(180, &[(0, column(long.as_ref())), word], &[]);
    at(240, &[x], &[]);
    at(241, &[word, x], &[]);
    assert_eq!(at(300, &[x, word], &[]), counted(2));
    let state = |pane: i64, feature: usize| {
        let key = SlotKey { pane: Some(pane), segment: None };
        series.accumulator().state(feature, &key).map(|state| state.rows()).map_err(|error| error.to_string())
    };
    assert_eq!((state(0, 0), state(0, 1)), (Ok(2), Ok(2)));
    assert!(state(1, 0).unwrap_err().contains("type changed"));
    assert_eq!(state(1, 1), Ok(2));
    assert_eq!((state(2, 0), state(2, 1)), (Ok(2), Err("no such field".to_owned())));
    assert_eq!(state(3, 0), Err("expected a column of `2` rows, found `3`".to_owned()));
    assert_eq!(state(4, 0), Ok(4));
    assert_eq!(state(4, 1), Err("the column is missing in some rows".to_owned()));
    assert_eq!((state(5, 0), state(5, 1)), (Ok(2), Ok(2)));
}

/// The same where panes are counted run by run.
#[test]
fn a_column_of_another_length_spoils_no_other_in_long_runs() {
    let mut series = Series::new(timing(1, 60 * SECOND, 0, 0, 0), cells());
    let times: Vec<Option<i64>> = (0..1_000).map(|row| Some(row / 500 * 60 * SECOND)).collect();
    let (numbers, words) = (doubles(&vec![1.0; 999]), texts(&vec!["red"; 1_000]));
    let column = |array| Column { array, errors: None };
    let features = [(1, column(words.as_ref())), (0, column(numbers.as_ref()))];
    let added = series.add(
        PartitionId(0),
        &Rows { times: &times, features: &features, failed: &[], splits: &[], ids: None },
    );
    assert_eq!(added, counted(1_000));
    for pane in [0, 1] {
        let key = SlotKey { pane: Some(pane), segment: None };
        let error = series.accumulator().state(0, &key).unwrap_err();
        assert_eq!(error.to_string(), "expected a column of `1000` rows, found `999`");
        assert_eq!(series.accumulator().state(1, &key).unwrap().rows(), 500);
    }
}

#[test]
fn a_window_is_the_sum_of_its_panes_in_every_segment() {
    let mut story = Story::new(2, 0, 0, 10);
    story.rows(0, &[5, 10, 61, 62, 63, 130]);
    story.expect(&["final -60..60 r0", "final 0..120 r0"]);
    let (rows, states) = merged(story.series.accumulator(), 0..=1, None);
    assert_eq!((rows, states.len()), (5, 2));
    let of_segments: Vec<u64> =
        segments().iter().map(|segment| merged(story.series.accumulator(), 0..=1, Some(segment)).0).collect();
    assert_eq!(of_segments, [2, 2, 1]);
}
