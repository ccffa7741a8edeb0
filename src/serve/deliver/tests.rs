//! A worker through an outage, by a clock that the test moves: what kind of sink it is decides what an hour costs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use driftlead_connectors::Tls;
use driftlead_connectors::azure::{
    Access, CustomMetrics, Login, LogsIngestion, LogsSettings, MetricsSettings, RemoteWrite,
    RemoteWriteSettings, Resource, Rule,
};
use driftlead_connectors::store::{Commit, Message, Store};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use self::stub::{Answer, Stub};
use super::*;
use crate::azure::records::Streams;
use crate::azure::series::Selection;
use crate::clock::ManualClock;
use crate::serve::carrier::Freight;
use crate::time::Timestamp;

#[path = "../../../connectors/tests/support/stub.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod stub;

const NOW: i64 = 1_767_600_900_000_000;
const MINUTE: i64 = 60_000_000;

/// A verdict that was decided at `time`, on as many features.
fn verdict(at: i64, time: i64, features: usize) -> String {
    let features: Vec<Json> = (0..features)
        .map(|of| {
            json!({
                "name": format!("f{of}"), "kind": "numeric", "rows": 900, "nulls": 0, "nans": 0, "infinities": 0,
                "cutset_id": null, "verdict": "warn",
                "metrics": {"psi": {"value": 0.15, "warn": 0.1, "drift": 0.2, "verdict": "warn"}},
            })
        })
        .collect();
    json!({
        "schema": "driftlead.event/1", "type": "verdict", "id": format!("{at:032}"), "revision": 0,
        "time": Timestamp::from_micros(time).to_string(), "model": {"name": "orders", "version": "1"},
        "window": {
            "id": format!("{at:032}"), "name": "hourly", "start": null, "end": null, "segment": null, "rows": 900,
            "verdict": "warn", "features": features,
        },
    })
    .to_string()
}

struct World {
    _folder: TempDir,
    store: Store,
    clock: ManualClock,
    counters: Arc<Counters>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), NOW).unwrap();
        Self { _folder: folder, store, clock: ManualClock::at(NOW), counters: Arc::default() }
    }

    fn worker(&self, name: &str, freight: Freight) -> Worker {
        let carrier = Carrier::Freight(freight);
        let backoff = carrier.backoff();
        Worker {
            route: Route { name: name.to_owned(), carrier, max_age: 7 * 24 * 60 * MINUTE, backoff },
            outbox: self.store.outbox().unwrap(),
            clock: Arc::new(self.clock.clone()),
            counters: self.counters.clone(),
            orders: Arc::default(),
            bell: Arc::default(),
            breaker: Breaker::default(),
            arrived: BTreeMap::new(),
        }
    }

    /// A message for each of the sinks.
    fn put(&mut self, sinks: &[&str], at: i64, body: &str) {
        let message = |sink: &&str| Message {
            key: format!("{at:032}:0:{sink}"),
            sink: (*sink).to_owned(),
            lane: Some(format!("{at:032}")),
            body: body.to_owned(),
        };
        let messages = sinks.iter().map(message).collect();
        self.store.commit(&Commit { now: self.clock.now(), messages, ..Commit::default() }).unwrap();
    }

    /// Lets the workers do everything that is due until `end`, and moves the clock there.
    async fn until(&self, workers: &mut [Worker], end: i64) {
        loop {
            let mut next = end;
            for worker in &mut *workers {
                let until = loop {
                    if let Round::Until(until) = worker.round().await {
                        break until;
                    }
                };
                next = next.min(until.unwrap_or(end).max(self.clock.now() + 1));
            }
            self.clock.set(next);
            if next >= end {
                return;
            }
        }
    }

    /// Delivered, expired and failed attempts.
    fn counts(&self, sink: &str) -> (u64, u64, u64) {
        let of = OfSink { sink: sink.to_owned() };
        let counters = &self.counters;
        (
            counters.delivered.get_or_create(&of).get(),
            counters.sink_expired.get_or_create(&of).get(),
            counters.sink_errors.get_or_create(&of).get(),
        )
    }
}

fn open() -> Access {
    Access { login: Login::None, tls: Tls::default(), timeout: Duration::from_secs(10) }
}

fn metrics(stub: &Stub, max: usize) -> Freight {
    let resource = "/subscriptions/S/resourceGroups/G/providers/P/t/n".to_owned();
    let settings = MetricsSettings {
        first: Resource { endpoint: stub.url(), resource },
        second: None,
        namespace: "driftlead".to_owned(),
        access: open(),
    };
    Freight::Metrics {
        client: Box::new(CustomMetrics::new(&settings).unwrap()),
        selection: Box::new(Selection::new(false, max, BTreeMap::new())),
    }
}

fn prometheus(stub: &Stub) -> Freight {
    let url = format!("{}/api/v1/write", stub.url());
    let settings = RemoteWriteSettings { url, headers: Vec::new(), access: open() };
    Freight::Prometheus {
        client: Box::new(RemoteWrite::new(&settings).unwrap()),
        selection: Box::new(Selection::new(false, 1_000, BTreeMap::new())),
    }
}

fn logs(stub: &Stub) -> Freight {
    let first = Rule { endpoint: stub.url(), rule: "dcr-1".to_owned() };
    let settings = LogsSettings { first, second: None, access: open() };
    Freight::Logs { client: Box::new(LogsIngestion::new(&settings).unwrap()), streams: Streams::default() }
}

#[tokio::test]
async fn an_hour_without_azure_costs_metrics_and_neither_logs_nor_samples() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let stub = Stub::start(move |_| Some(Answer::of(if up.load(Ordering::SeqCst) { 204 } else { 503 })));
    let mut world = World::new();
    let sinks = ["metrics", "samples", "logs"];
    let mut workers = [
        world.worker("metrics", metrics(&stub, 1_000)),
        world.worker("samples", prometheus(&stub)),
        world.worker("logs", logs(&stub)),
    ];
    // A window each five minutes, for an hour.
    for at in 0..12 {
        let now = world.clock.now();
        world.put(&sinks, at, &verdict(at, now, 3));
        world.until(&mut workers, NOW + (at + 1) * 5 * MINUTE).await;
    }
    assert_eq!((world.counts("samples").0, world.counts("logs").0), (0, 0));
    let tried = stub.requests().len();
    // A breaker stands between: metrics are tried about each minute, the others each ten.
    assert!((60..200).contains(&tried), "{tried} requests");
    is_up.store(true, Ordering::SeqCst);
    world.until(&mut workers, NOW + 90 * MINUTE).await;
    let (delivered, expired, _) = world.counts("metrics");
    assert_eq!(delivered + expired, 12);
    // Those of the 45th, 50th and 55th minute, within two minutes after the hour.
    assert_eq!((delivered, expired), (3, 9));
    for sink in ["samples", "logs"] {
        let (delivered, expired, errors) = world.counts(sink);
        assert_eq!((delivered, expired), (12, 0), "{sink}");
        assert!(errors > 0, "{sink}");
    }
    let dead = workers[0].outbox.retry(driftlead_connectors::store::Selection::All, world.clock.now());
    assert_eq!(dead.unwrap(), 0, "what has expired is not given up: nobody could use it later");
}

#[tokio::test]
async fn what_holds_nothing_or_has_expired_does_not_speak_for_a_sink_that_is_down() {
    let stub = Stub::start(|_| Some(Answer::of(503)));
    let mut world = World::new();
    let mut workers = [world.worker("metrics", metrics(&stub, 1_000))];
    let correction = verdict(0, NOW, 1).replace("\"revision\":0", "\"revision\":1");
    for at in 0..10 {
        let now = world.clock.now();
        world.put(&["metrics"], 3 * at, &verdict(3 * at, now, 1));
        world.put(&["metrics"], 3 * at + 1, &correction);
        world.put(&["metrics"], 3 * at + 2, &verdict(3 * at + 2, now - 21 * MINUTE, 1));
        let _ = workers[0].round().await;
        world.clock.set(now + 1_000);
    }
    // Ten corrections hold no number.
    let (delivered, expired, _) = world.counts("metrics");
    assert!(delivered > 0 && expired > 0, "{delivered} {expired}");
    assert!(workers[0].breaker.failures() >= Breaker::THRESHOLD, "{:?}", workers[0].breaker);
    assert!(stub.requests().len() <= 5, "{}", stub.requests().len());
}

#[tokio::test]
async fn series_are_bounded_and_the_rest_is_counted() {
    let stub = Stub::start(|_| Some(Answer::of(200)));
    let mut world = World::new();
    let mut workers = [world.worker("metrics", metrics(&stub, 10))];
    for at in 0..2 {
        let now = world.clock.now();
        world.put(&["metrics"], at, &verdict(at, now, 50));
        world.until(&mut workers, now + MINUTE).await;
    }
    // Two of the window and eight of features; each verdict has 102.
    let left_out = world.counters.sink_left_out.get_or_create(&OfSink { sink: "metrics".to_owned() }).get();
    assert_eq!((world.counts("metrics"), left_out), ((2, 0, 0), 184));
    let series: usize = stub
        .requests()
        .iter()
        .map(|request| {
            let body: Json = serde_json::from_slice(&request.body).unwrap();
            body["data"]["baseData"]["series"].as_array().unwrap().len()
        })
        .sum();
    assert_eq!(series, 20);
}
