//! Counts of panes outlive their series, once each, until retention takes them.

use std::time::Duration;

use super::*;

fn kept(pane: i64, segment: Option<&str>, state: &[u8]) -> Kept {
    Kept {
        key: SlotKey { series: HOURLY, pane, segment: segment.map(str::to_owned), shard: 0 },
        start: pane * 10,
        end: pane * 10 + 10,
        state: state.to_vec(),
    }
}

fn filter(since: Option<i64>, until: Option<i64>) -> KeptFilter {
    let SeriesKey { model, version, baseline, name, .. } = series_key("hourly");
    KeptFilter { model, version, baseline, name, since, until }
}

#[test]
fn kept_panes_are_found_by_their_time_after_their_series_is_gone() {
    let folder = folder();
    let mut store = open(&folder);
    assert_eq!(store.series(&series_key("hourly")), HOURLY);
    let all = vec![kept(3, None, b"c"), kept(1, None, b"a"), kept(1, Some("{\"o\":\"ATL\"}"), b"b")];
    let forgotten_slots = all.iter().map(|own| own.key.clone()).collect();
    store.commit(&Commit { now: 5, kept: all, forgotten_slots, ..Commit::default() }).unwrap();
    // Records that are read again make the same pane again; what was kept stays.
    let again = Commit { now: 6, kept: vec![kept(1, None, b"again")], ..Commit::default() };
    store.commit(&Commit { forgotten_series: vec![HOURLY], ..again }).unwrap();

    let reader = Reader::open(folder.path()).unwrap();
    let states = |since, until| -> Vec<(Option<String>, Vec<u8>)> {
        let panes = reader.kept(&filter(since, until)).unwrap();
        panes.into_iter().map(|pane| (pane.segment, pane.state)).collect()
    };
    let (a, b) = ((None, b"a".to_vec()), (Some("{\"o\":\"ATL\"}".to_owned()), b"b".to_vec()));
    let c = (None, b"c".to_vec());
    assert_eq!(states(None, None), [a.clone(), b.clone(), c.clone()]);
    assert_eq!(states(Some(11), None), [c], "a pane that begins before is cut");
    assert_eq!(states(Some(10), Some(39)), [a, b], "and one that ends after");
    let other = KeptFilter { version: "2001-02".to_owned(), ..filter(None, None) };
    assert_eq!(reader.kept(&other).unwrap(), []);
    assert_eq!(check(folder.path()).unwrap(), []);
}

#[test]
fn retention_takes_what_was_kept_long_enough_or_is_too_much() {
    let folder = folder();
    let mut store = open(&folder);
    assert_eq!(store.series(&series_key("hourly")), HOURLY);
    for now in 1..=20 {
        let pane = kept(now, None, &[7; 100_000]);
        store.commit(&Commit { now: now * 1_000_000, kept: vec![pane], ..Commit::default() }).unwrap();
    }
    let retention = Retention { counts: Duration::from_secs(10), ..Retention::default() };
    let swept = store.sweep(20_000_000, &retention).unwrap();
    assert_eq!((swept.kept, swept.windows), (9, 0));
    let left = || Reader::open(folder.path()).unwrap().kept(&filter(None, None)).unwrap();
    assert_eq!(left().first().map(|pane| pane.start), Some(100));

    let swept = store.sweep(20_000_000, &Retention { bytes: 700_000, rows: 4, ..retention }).unwrap();
    assert_eq!(swept.kept, 4, "the oldest go before their time");
    assert_eq!(left().first().map(|pane| pane.start), Some(140));
}
