//! Gaps are found by the time that they touch, each on one page of windows, until retention takes them.

use std::time::Duration;

use super::*;

fn ends(gaps: Vec<Gap>) -> Vec<i64> {
    gaps.into_iter().map(|gap| gap.end).collect()
}

#[test]
fn gaps_are_found_by_the_time_that_they_touch() {
    let folder = folder();
    let mut store = open(&folder);
    let other = Gap { name: "daily".to_owned(), version: "2001-02".to_owned(), ..gap(50_000) };
    let gaps = vec![gap(10_000), gap(30_000), other];
    store.commit(&Commit { now: 1, gaps: gaps.clone(), ..Commit::default() }).unwrap();
    // Records that are read again make the same gap again.
    store.commit(&Commit { now: 2, gaps, ..Commit::default() }).unwrap();

    let reader = Reader::open(folder.path()).unwrap();
    let found = |filter: GapFilter| ends(reader.gaps(&filter, None, None).unwrap());
    let of = of_flights;
    assert_eq!(found(of()), [50_000, 30_000, 10_000]);
    assert!(found(GapFilter { model: "trains".to_owned(), ..of() }).is_empty());
    assert_eq!(found(GapFilter { name: Some("hourly".to_owned()), ..of() }), [30_000, 10_000]);
    assert_eq!(found(GapFilter { version: Some("2001-02".to_owned()), ..of() }), [50_000]);
    assert_eq!(found(GapFilter { since: Some(9_999), until: Some(25_001), ..of() }), [30_000, 10_000]);
    assert!(found(GapFilter { since: Some(10_000), until: Some(25_000), ..of() }).is_empty());
    // One that is longer than what is asked for says why nothing is there.
    assert_eq!(found(GapFilter { since: Some(27_000), until: Some(28_000), ..of() }), [30_000]);
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn pages_of_windows_have_each_gap_once() {
    let folder = folder();
    let mut store = open(&folder);
    let window = |n: i64| Window { end: Some(n * 1_000), ..window(&format!("w{n}"), 0) };
    let commit = Commit {
        now: 1,
        windows: (1..=9).map(window).collect(),
        gaps: vec![gap(500), gap(4_000), gap(4_500), gap(20_000)],
        ..Commit::default()
    };
    store.commit(&commit).unwrap();
    let reader = store.reader().unwrap();
    let filter = WindowFilter { model: "flights".to_owned(), ..WindowFilter::default() };
    for limit in 1..=10 {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.windows(&filter, cursor.as_deref(), limit).unwrap();
            found.extend(ends(reader.gaps(&of_flights(), cursor.as_deref(), page.next.as_deref()).unwrap()));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, [20_000, 4_500, 4_000, 500], "by {limit}");
    }
}

#[test]
fn retention_takes_gaps_as_it_takes_windows() {
    let folder = folder();
    let mut store = open(&folder);
    for n in 1..=20 {
        let commit = Commit { now: n * 1_000_000, gaps: vec![gap(n * 10_000)], ..Commit::default() };
        store.commit(&commit).unwrap();
    }
    let retention = Retention { windows: Duration::from_secs(10), ..Retention::default() };
    let swept = store.sweep(20_000_000, &retention).unwrap();
    assert_eq!((swept.gaps, swept.windows, swept.more), (9, 0, false));
    let left = store.reader().unwrap().gaps(&of_flights(), None, None).unwrap();
    assert_eq!(ends(left).last(), Some(&100_000));
    let swept = store.sweep(20_000_000, &Retention { bytes: 0, rows: 4, ..Retention::default() }).unwrap();
    assert_eq!((swept.gaps, swept.more), (4, true), "the oldest go where there is too much");
}
