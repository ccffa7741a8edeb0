//! The store's laws, each in a file, in one vocabulary: commits, and a model of what the store must hold after them.

mod atomic;
mod crash;
mod damage;
mod export;
mod external;
mod full;
mod gaps;
mod kept;
mod opening;
mod outbox;
mod reading;
mod sweep;
mod threads;

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;

use super::*;
use crate::stream::{Partition, Position};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &TempDir) -> Store {
    Store::open(folder.path(), 1).unwrap()
}

fn series_key(name: &str) -> SeriesKey {
    SeriesKey {
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        baseline: "b".repeat(64),
        name: name.to_owned(),
        grid: "6h/1h+0".to_owned(),
    }
}

fn partition_key(number: i32) -> PartitionKey {
    PartitionKey {
        source: "flights".to_owned(),
        partition: Partition { topic: "flights".to_owned(), number },
    }
}

fn window(id: &str, revision: u32) -> Window {
    Window {
        id: id.to_owned(),
        revision,
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        name: "default".to_owned(),
        segment: None,
        start: Some(0),
        end: Some(3_600_000_000),
        verdict: "drift".to_owned(),
        is_final: false,
        document: format!("{{\"id\":\"{id}\",\"revision\":{revision}}}"),
    }
}

fn alert(id: &str, revision: u32, status: AlertStatus) -> Alert {
    Alert {
        id: id.to_owned(),
        revision,
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        name: "default".to_owned(),
        segment: Some("{\"origin\":\"ATL\"}".to_owned()),
        status,
        severity: "drift".to_owned(),
        opened: 5,
        resolved: (status == AlertStatus::Resolved).then_some(9),
        document: format!("{{\"id\":\"{id}\",\"revision\":{revision}}}"),
        acknowledged: None,
    }
}

/// A gap of the hours before `end`.
fn gap(end: i64) -> Gap {
    Gap {
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        name: "hourly".to_owned(),
        start: end - 5_000,
        end,
        windows: 1_001,
    }
}

fn message(sink: &str, lane: Option<&str>, number: u64) -> Message {
    Message {
        key: format!("{}:{number}:{sink}", lane.unwrap_or("free")),
        sink: sink.to_owned(),
        lane: lane.map(str::to_owned),
        body: format!("{{\"number\":{number}}}"),
    }
}

/// The ids that a store gives out for the history, in its order.
const HOURLY: SeriesId = SeriesId(1);
const DAILY: SeriesId = SeriesId(2);
const PASSING: SeriesId = SeriesId(3);

/// Makes sure of the history's ids, and answers its `n`-th commit.
fn step(store: &mut Store, n: u64) -> Commit {
    assert_eq!(store.series(&series_key("hourly")), HOURLY);
    assert_eq!(store.series(&series_key("daily")), DAILY);
    assert_eq!(store.series(&series_key(&format!("passing-{}", n / 4))), PASSING, "at {n}");
    for number in 0..3 {
        assert_eq!(store.partition(&partition_key(number)), PartitionId(i64::from(number) + 1));
    }
    history(n)
}

/// The `n`-th commit of a history, from 1, that touches every table, rewrites, deletes, and is a function of `n` alone.
fn history(n: u64) -> Commit {
    let time = n.cast_signed();
    let bytes = |salt: u64, length: usize| -> Vec<u8> {
        (0..length).map(|i| (n.wrapping_mul(31).wrapping_add(salt) as usize + i) as u8).collect()
    };
    let slot = |series, pane, segment: Option<&str>, state| Slot {
        key: SlotKey { series, pane, segment: segment.map(str::to_owned), shard: 0 },
        state,
    };
    let mut commit = Commit { now: time, ..Commit::default() };
    commit.heads = vec![(HOURLY, bytes(1, 40)), (DAILY, bytes(2, 40)), (PASSING, bytes(3, 10))];
    commit.tracks = vec![(HOURLY, bytes(4, 60))];
    for i in 0..8 {
        let pane = ((n + i) % 12).cast_signed();
        // Lengths vary, so that pages are chained, freed and taken again.
        let length = 5_000 + 4_000 * ((n + i) % 5) as usize;
        commit.slots.push(slot(HOURLY, pane, None, bytes(10 + i, length)));
        commit.slots.push(slot(HOURLY, pane, Some("{\"origin\":\"ATL\"}"), bytes(20 + i, length / 2)));
    }
    commit.slots.push(slot(PASSING, 0, None, bytes(30, 900)));
    commit.forgotten_slots = vec![SlotKey {
        series: HOURLY,
        pane: ((n + 9) % 12).cast_signed(),
        segment: Some("{\"origin\":\"ATL\"}".to_owned()),
        shard: 0,
    }];
    commit.partitions = (0..3)
        .map(|number| PartitionState {
            id: PartitionId(i64::from(number) + 1),
            position: Position { next: time * 100 + i64::from(number), mark: Some(u64::MAX - n) },
            note: bytes(40, 16),
        })
        .collect();
    commit.windows = vec![window(&format!("w{n}"), 0)];
    commit.gaps = vec![gap(time)];
    if n > 1 {
        commit.windows.push(Window { is_final: true, ..window(&format!("w{}", n - 1), 1) });
        commit.alerts.push(alert(&format!("a{}", n - 1), 1, AlertStatus::Resolved));
    }
    commit.alerts.push(alert(&format!("a{n}"), 0, AlertStatus::Open));
    commit.acknowledged.push((
        format!("a{n}"),
        Acknowledgement {
            by: "kim".to_owned(),
            at: time,
            comment: n.is_multiple_of(2).then(|| "seen".to_owned()),
        },
    ));
    commit.silences = vec![Silence {
        id: format!("s{}", n % 5),
        matcher: "{}".to_owned(),
        author: "kim".to_owned(),
        reason: format!("step {n}"),
        starts: time,
        expires: time + 10,
    }];
    commit.messages = vec![message("oncall", Some("a"), n), message("record", None, n)];
    commit.files = vec![SeenFile {
        source: "drop".to_owned(),
        path: format!("f{n}"),
        size: u64::MAX - n,
        version: format!("etag-{n}"),
        prefix: n.is_multiple_of(2).then(|| bytes(50, 32)),
        note: bytes(51, 4),
    }];
    commit.forgotten_files =
        n.checked_sub(3).map(|n| ("drop".to_owned(), format!("f{n}"))).into_iter().collect();
    commit.idempotency = vec![Idempotency {
        scope: "flights".to_owned(),
        key: format!("k{n}"),
        created: time,
        answer: format!("{{\"rows\":{n}}}"),
    }];
    commit.counters = vec![("rows".to_owned(), n.to_string()), (format!("counter {}", n % 3), n.to_string())];
    commit.settings = vec![
        ("step".to_owned(), Some(n.to_string())),
        ("odd".to_owned(), (n % 2 == 1).then(|| n.to_string())),
    ];
    if n % 4 == 3 {
        commit.forgotten_series = vec![PASSING];
    }
    commit
}

/// What a store must hold, kept in memory by the simplest means.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    heads: BTreeMap<SeriesId, Vec<u8>>,
    tracks: BTreeMap<SeriesId, Vec<u8>>,
    slots: BTreeMap<SlotKey, Vec<u8>>,
    partitions: BTreeMap<PartitionId, (Position, Vec<u8>)>,
    windows: BTreeMap<(String, u32), (bool, Option<String>)>,
    gaps: BTreeSet<(String, String, String, i64, i64, u64)>,
    alerts: BTreeMap<String, Alert>,
    silences: BTreeMap<String, Silence>,
    messages: BTreeMap<String, String>,
    files: BTreeMap<(String, String), SeenFile>,
    idempotency: BTreeSet<(String, String)>,
    counters: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
}

fn columns(gap: Gap) -> (String, String, String, i64, i64, u64) {
    let Gap { model, version, name, start, end, windows } = gap;
    (model, version, name, start, end, windows)
}

fn of_flights() -> GapFilter {
    GapFilter { model: "flights".to_owned(), ..GapFilter::default() }
}

impl Model {
    fn apply(&mut self, commit: &Commit) {
        self.heads.extend(commit.heads.iter().cloned());
        self.tracks.extend(commit.tracks.iter().cloned());
        self.slots.extend(commit.slots.iter().map(|slot| (slot.key.clone(), slot.state.clone())));
        self.slots.retain(|key, _| !commit.forgotten_slots.contains(key));
        for id in &commit.forgotten_series {
            self.heads.remove(id);
            self.tracks.remove(id);
            self.slots.retain(|key, _| key.series != *id);
        }
        for state in &commit.partitions {
            self.partitions.insert(state.id, (state.position, state.note.clone()));
        }
        for window in &commit.windows {
            for ((_, _), (_, document)) in self.windows.iter_mut().filter(|((id, _), _)| *id == window.id) {
                *document = None;
            }
            self.windows.insert(
                (window.id.clone(), window.revision),
                (window.is_final, Some(window.document.clone())),
            );
        }
        self.gaps.extend(commit.gaps.iter().cloned().map(columns));
        for alert in &commit.alerts {
            let acknowledged = self.alerts.get(&alert.id).and_then(|before| before.acknowledged.clone());
            self.alerts.insert(alert.id.clone(), Alert { acknowledged, ..alert.clone() });
        }
        for (id, said) in &commit.acknowledged {
            self.alerts.get_mut(id).unwrap().acknowledged = Some(said.clone());
        }
        for silence in &commit.silences {
            self.silences.insert(silence.id.clone(), silence.clone());
        }
        for message in &commit.messages {
            self.messages.entry(message.key.clone()).or_insert_with(|| message.body.clone());
        }
        for file in &commit.files {
            self.files.insert((file.source.clone(), file.path.clone()), file.clone());
        }
        self.files.retain(|key, _| !commit.forgotten_files.contains(key));
        self.idempotency.extend(commit.idempotency.iter().map(|row| (row.scope.clone(), row.key.clone())));
        self.counters.extend(commit.counters.iter().cloned());
        for (name, value) in &commit.settings {
            match value {
                Some(value) => self.settings.insert(name.clone(), value.clone()),
                None => self.settings.remove(name),
            };
        }
    }

    /// What the store holds, by its own load where that tells, and by SQL where it does not.
    fn read(store: &Store) -> Self {
        let loaded = store.load().unwrap();
        let mut settings = loaded.settings;
        settings.remove("created");
        let mut windows = BTreeMap::new();
        let mut statement =
            store.connection.prepare("SELECT id, revision, final, document FROM windows").unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let key = (row.get(0).unwrap(), row.get(1).unwrap());
            windows.insert(key, (row.get(2).unwrap(), row.get(3).unwrap()));
        }
        let pairs = |sql: &str| -> BTreeMap<String, String> {
            let mut statement = store.connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let reader = store.reader().unwrap();
        let (mut alerts, mut cursor) = (BTreeMap::new(), None);
        loop {
            let page = reader.alerts(&AlertFilter::default(), cursor.as_deref(), 1_000).unwrap();
            alerts.extend(page.items.into_iter().map(|alert| (alert.id.clone(), alert)));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let open: BTreeMap<_, _> = loaded.alerts.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        let expected = alerts.clone().into_iter().filter(|(_, alert)| alert.status == AlertStatus::Open);
        assert_eq!(open, expected.collect());
        Self {
            heads: loaded.series.iter().map(|series| (series.id, series.head.clone())).collect(),
            tracks: loaded.series.into_iter().filter_map(|s| s.track.map(|track| (s.id, track))).collect(),
            slots: loaded.slots.into_iter().map(|slot| (slot.key, slot.state)).collect(),
            partitions: loaded
                .partitions
                .into_iter()
                .map(|(_, state)| (state.id, (state.position, state.note)))
                .collect(),
            windows,
            gaps: reader.gaps(&of_flights(), None, None).unwrap().into_iter().map(columns).collect(),
            alerts,
            silences: loaded.silences.into_iter().map(|silence| (silence.id.clone(), silence)).collect(),
            messages: pairs("SELECT key, body FROM outbox"),
            files: loaded
                .files
                .into_iter()
                .map(|file| ((file.source.clone(), file.path.clone()), file))
                .collect(),
            idempotency: pairs("SELECT key, scope FROM idempotency")
                .into_iter()
                .map(|(k, s)| (s, k))
                .collect(),
            counters: loaded.counters,
            settings,
        }
    }
}
