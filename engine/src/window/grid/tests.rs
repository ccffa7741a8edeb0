//! The grid against Python's unbounded integers (`fixtures/oracle/policy.py`), and its laws for every instant.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

const HOUR_US: i64 = 3_600_000_000;

/// 2001-01-01T00:00:00Z, a Monday.
const MONDAY_2001: i64 = 978_307_200_000_000;

fn grid(length: i64, every: i64, offset: i64) -> Grid {
    Grid::new(length, every, offset).unwrap()
}

fn oracle() -> serde_json::Value {
    let answers = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oracle/policy.json"));
    serde_json::from_str(answers).unwrap()
}

#[test]
fn a_window_may_lack_its_beginning_if_rows_begin_inside_and_nobody_asked_for_all() {
    let span = Span { start: 1_000, end: 2_000 };
    assert!(!span.may_lack_its_beginning(None, Some(1_060), 60), "rows may be out of order by so much");
    assert!(span.may_lack_its_beginning(None, Some(1_061), 60));
    assert!(!span.may_lack_its_beginning(None, Some(-5), 60) && !span.may_lack_its_beginning(None, None, 60));
    assert!(
        !span.may_lack_its_beginning(Some(1_000), Some(1_900), 60),
        "all rows of the window were admitted"
    );
    assert!(span.may_lack_its_beginning(Some(1_001), Some(1_900), 60));
    assert!(span.may_lack_its_beginning(None, Some(i64::MAX), 0));
}

#[test]
fn s13_panes_and_windows_agree_with_the_oracle() {
    let answers = oracle();
    let cases = answers["grids"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let int = |key: &str| case[key].as_i64().unwrap();
        let exact = |value: &serde_json::Value| value.as_str().unwrap().parse::<i128>().unwrap();
        let grid = grid(int("length"), int("every"), int("offset"));
        let pane = grid.pane_of(int("t"));
        assert_eq!(grid.exact_edge(pane.0), exact(&case["pane_start"]), "{case}");
        let windows: Vec<WindowIndex> = grid.windows_of_pane(pane).collect();
        assert_eq!(windows.len() as u64, case["windows"].as_u64().unwrap(), "{case}");
        for (i, window) in [windows[0], windows[windows.len() - 1]].into_iter().enumerate() {
            let start = grid.exact_edge(grid.panes_of_window(window).start().0);
            assert_eq!(start, exact(&case["window_starts"][i]), "{case}");
        }
    }
}

#[test]
fn s13_a_boundary_belongs_to_the_window_that_starts_there() {
    let grid = grid(HOUR_US, HOUR_US, 0);
    assert_eq!(grid.pane_of(0), Pane(0));
    assert_eq!(grid.pane_of(-1), Pane(-1));
    assert_eq!(grid.pane_of(HOUR_US - 1), Pane(0));
    assert_eq!(grid.pane_of(HOUR_US), Pane(1));
    assert_eq!(grid.pane_span(Pane(-1)), Span { start: -HOUR_US, end: 0 });
}

#[test]
fn s13_weeks_start_on_monday() {
    for (length, every) in [(7, 7), (14, 7), (14, 14), (28, 7)] {
        let grid = grid(length * DAY_US, every * DAY_US, 0);
        for window in grid.windows_of_pane(grid.pane_of(MONDAY_2001 + 3 * DAY_US)) {
            let start = grid.span(window).start;
            assert_eq!((start - MONDAY_2001) % WEEK_US, 0, "{length} days every {every} days");
        }
    }
    let shifted = grid(WEEK_US, WEEK_US, HOUR_US);
    let window = WindowIndex(shifted.pane_of(MONDAY_2001 + DAY_US).0);
    assert_eq!(shifted.span(window).start, MONDAY_2001 + HOUR_US);
    // Only multiples of seven days: ten days keep the epoch.
    let ten = grid(10 * DAY_US, 10 * DAY_US, 0);
    assert_eq!(ten.pane_span(Pane(0)).start, 0);
}

#[test]
fn s13_every_defaults_to_one_pane_a_window() {
    let grid = grid(6 * HOUR_US, 6 * HOUR_US, 0);
    assert_eq!(grid.panes_per_window(), 1);
    assert_eq!((grid.length_us(), grid.every_us()), (6 * HOUR_US, 6 * HOUR_US));
}

#[test]
fn s13_every_must_divide_the_length() {
    for (length, every) in
        [(HOUR_US, 7 * 60_000_000), (HOUR_US, 2 * HOUR_US), (0, HOUR_US), (-HOUR_US, HOUR_US)]
    {
        let error = Grid::new(length, every, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plan);
        assert!(error.to_string().contains("must divide"), "{error}");
    }
    for every in [0, -1, MIN_PANE_US - 1, i64::MIN] {
        let error = Grid::new(HOUR_US, every, 0).unwrap_err();
        assert!(error.to_string().contains("can end at most every `1000` us"), "{error}");
    }
}

#[test]
fn s13_sliding_windows_overlap() {
    let grid = grid(6 * HOUR_US, HOUR_US, 0);
    let windows: Vec<Span> = grid.windows_of_pane(grid.pane_of(MONDAY_2001)).map(|w| grid.span(w)).collect();
    let starts: Vec<i64> = windows.iter().map(|span| (span.start - MONDAY_2001) / HOUR_US).collect();
    assert_eq!(starts, [-5, -4, -3, -2, -1, 0]);
    assert!(windows.iter().all(|span| span.contains(MONDAY_2001) && span.end - span.start == 6 * HOUR_US));
}

#[test]
fn s13_empty_windows_in_between_are_listed() {
    let grid = grid(HOUR_US, HOUR_US, 0);
    let slots: Vec<Slot> = grid.slots([Pane(3), Pane(4), Pane(7)]).collect();
    let w = WindowIndex;
    assert_eq!(
        slots,
        [
            Slot::Occupied(w(3)),
            Slot::Occupied(w(4)),
            Slot::Empty(w(5)),
            Slot::Empty(w(6)),
            Slot::Occupied(w(7))
        ]
    );
    assert_eq!(grid.slots([]).count(), 0);
}

#[test]
fn s13_more_than_a_thousand_empty_windows_become_one_gap() {
    let grid = grid(HOUR_US, HOUR_US, 0);
    let w = WindowIndex;
    let listed: Vec<Slot> = grid.slots([Pane(0), Pane(1_001)]).collect();
    assert_eq!(listed.len(), 1_002);
    assert_eq!(listed[1_000], Slot::Empty(w(1_000)));
    let gap: Vec<Slot> = grid.slots([Pane(0), Pane(1_002)]).collect();
    let expected =
        [Slot::Occupied(w(0)), Slot::Gap { first: w(1), last: w(1_001) }, Slot::Occupied(w(1_002))];
    assert_eq!(gap, expected);
    // One timestamp at the beginning of time costs one record, not an endless list.
    let far: Vec<Slot> = grid.slots([grid.pane_of(i64::MIN), grid.pane_of(i64::MAX)]).collect();
    assert_eq!(far.len(), 3);
}

#[test]
fn s13_partial_is_cut_by_the_bounds_or_by_the_end_of_the_data() {
    let span = Span { start: 0, end: HOUR_US };
    let out_of_orderness = 60_000_000;
    let partial = |since, until, newest| span.is_partial(since, until, newest, out_of_orderness);
    assert!(!partial(None, None, Some(HOUR_US)));
    assert!(partial(Some(1), None, Some(HOUR_US)), "since cuts");
    assert!(!partial(Some(0), None, Some(HOUR_US)), "since at the start cuts nothing");
    assert!(partial(None, Some(HOUR_US - 1), Some(HOUR_US)), "until cuts");
    assert!(!partial(None, Some(HOUR_US), Some(HOUR_US)), "until at the end cuts nothing");
    assert!(!partial(None, None, Some(HOUR_US - out_of_orderness)), "the data stop within out_of_orderness");
    assert!(partial(None, None, Some(HOUR_US - out_of_orderness - 1)), "the data stop inside");
    assert!(!partial(None, None, None));
    let far = Span { start: 0, end: i64::MAX };
    assert!(far.is_partial(None, None, Some(i64::MIN), i64::MAX), "no overflow");
}

/// Any instant, the ends of `i64` as often as the middle.
fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -1_000_000_000i64..1_000_000_000,
        (0i64..5_000).prop_map(|x| i64::MIN + x),
        (0i64..5_000).prop_map(|x| i64::MAX - x),
    ]
}

fn any_grid() -> impl Strategy<Value = Grid> {
    let every = prop_oneof![
        MIN_PANE_US..10 * MIN_PANE_US,
        Just(HOUR_US),
        Just(DAY_US),
        Just(WEEK_US),
        Just(56 * HOUR_US),
        any::<i64>().prop_map(|x| (x.saturating_abs() / 60).max(MIN_PANE_US)),
    ];
    (every, 1i64..60, any::<i64>()).prop_map(|(every, panes, offset)| grid(every * panes, every, offset))
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(13),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn s13_every_instant_lies_in_one_pane(grid in any_grid(), t in instant()) {
        let Pane(k) = grid.pane_of(t);
        let t = i128::from(t);
        prop_assert!(grid.exact_edge(k) <= t && t < grid.exact_edge(k + 1));
        prop_assert_eq!(grid.exact_edge(k + 1) - grid.exact_edge(k), i128::from(grid.every_us()));
    }

    #[test]
    fn s13_every_instant_lies_in_length_over_every_windows(grid in any_grid(), t in instant()) {
        let pane = grid.pane_of(t);
        let windows: Vec<WindowIndex> = grid.windows_of_pane(pane).collect();
        prop_assert_eq!(windows.len() as i64, grid.length_us() / grid.every_us());
        let holds = |window: i64| {
            let panes = grid.panes_of_window(WindowIndex(window));
            let (start, end) = (grid.exact_edge(panes.start().0), grid.exact_edge(panes.end().0 + 1));
            prop_assert_eq!(end - start, i128::from(grid.length_us()));
            Ok(start <= i128::from(t) && i128::from(t) < end)
        };
        for window in &windows {
            prop_assert!(holds(window.0)?);
        }
        prop_assert!(!holds(windows[0].0 - 1)?);
        prop_assert!(!holds(windows[windows.len() - 1].0 + 1)?);
    }

    #[test]
    fn s13_a_window_is_the_disjoint_union_of_its_panes(grid in any_grid(), k in -1_000i64..1_000) {
        let window = WindowIndex(k);
        let (first, last) = grid.panes_of_window(window).into_inner();
        prop_assert_eq!(last.0 - first.0 + 1, grid.panes_per_window());
        let mut at = grid.exact_edge(first.0);
        for pane in first.0..=last.0 {
            prop_assert_eq!(grid.exact_edge(pane), at);
            at += i128::from(grid.every_us());
            prop_assert!(grid.windows_of_pane(Pane(pane)).any(|w| w == window));
        }
        prop_assert_eq!(grid.exact_edge(last.0 + 1), at);
        let span = grid.span(window);
        prop_assert_eq!(span.start, saturate(grid.exact_edge(first.0)));
        prop_assert_eq!(span.end, saturate(at));
    }

    #[test]
    fn s13_slots_list_every_window_once(panes in prop::collection::btree_set(-200i64..200, 0..12), m in 1i64..40) {
        let grid = grid(m * HOUR_US, HOUR_US, 0);
        let occupied: BTreeSet<i64> = panes.iter().flat_map(|p| *p..*p + m).collect();
        let slots: Vec<Slot> = grid.slots(panes.into_iter().map(Pane)).collect();
        let expected: Vec<Slot> = match (occupied.first(), occupied.last()) {
            (Some(first), Some(last)) => (*first..=*last)
                .map(WindowIndex)
                .map(|w| if occupied.contains(&w.0) { Slot::Occupied(w) } else { Slot::Empty(w) })
                .collect(),
            _ => Vec::new(),
        };
        prop_assert_eq!(slots, expected);
    }
}
