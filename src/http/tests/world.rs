//! A store with something in it, a server in front of it, and a client that speaks plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::store::{
    Acknowledgement, Alert, AlertStatus, Commit, Message, Outbox, Silence, Store, Window,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::schema;
use crate::clock::ManualClock;
use crate::config::Config;
use crate::exit::{Error, Result};
use crate::http::Server;
use crate::http::auth::{Scope, Token, Tokens};
use crate::http::desk::Desk;
use crate::http::face::{Commands, Face};
use crate::job::baseline;
use crate::serve::bells::Bells;
use crate::serve::board::{Board, Sheet, ShownModel};
use crate::serve::counters::{Counters, OfModel, OfPartition, OfReason, OfSource, OfWindow};
use crate::serve::health::{Health, SourceHealth};

/// 2001-02-01, the time at which a world begins.
pub(super) const NOW: i64 = 980_985_600_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;

pub(super) const READER: (&str, &str) = ("authorization", "Bearer reader's");
pub(super) const WRITER: (&str, &str) = ("authorization", "Bearer writer's");
pub(super) const ADMIN: (&str, &str) = ("authorization", "Bearer admin's");

/// The engine's place in these tests: does to the store what the engine does, and nothing else.
#[derive(Clone, Debug)]
struct Clerk {
    store: Arc<Mutex<Store>>,
    clock: ManualClock,
    reload: Arc<Mutex<Option<Result<String>>>>,
    reloading: Arc<AtomicBool>,
}

impl Clerk {
    fn commit(&self, mut commit: Commit) -> Result<()> {
        commit.now = crate::clock::Clock::now(&self.clock);
        self.store.lock().unwrap().commit(&commit).map_err(|error| Error::run(error.to_string()))
    }
}

impl Commands for Clerk {
    fn acknowledge(&self, alert: &str, acknowledgement: Acknowledgement) -> Result<bool> {
        let loaded = self.store.lock().unwrap().load().map_err(|error| Error::run(error.to_string()))?;
        let is_open = loaded.alerts.iter().any(|own| own.id == alert);
        if is_open {
            let acknowledged = vec![(alert.to_owned(), acknowledgement)];
            self.commit(Commit { acknowledged, ..Commit::default() })?;
        }
        Ok(is_open)
    }

    fn silence(&self, silence: Silence, _: &str) -> Result<()> {
        self.commit(Commit { silences: vec![silence], ..Commit::default() })
    }

    fn reload(&self, _: &str) -> Result<String> {
        self.reloading.store(true, Ordering::SeqCst);
        self.reload.lock().unwrap().take().unwrap_or_else(|| Err(Error::run("the service has ended")))
    }
}

/// A server and everything behind it.
pub(super) struct World {
    pub(super) address: SocketAddr,
    /// Closed when it is let go.
    _server: Server,
    pub(super) clock: ManualClock,
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) outbox: Outbox,
    /// What wakes the workers.
    pub(super) bell: Arc<Notify>,
    pub(super) health: Arc<Health>,
    /// What the next reload answers; it waits while this is locked.
    pub(super) reload: Arc<Mutex<Option<Result<String>>>>,
    /// Whether a reload has begun.
    pub(super) reloading: Arc<AtomicBool>,
    pub(super) folder: TempDir,
    _runtime: Runtime,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code and the message of an error.
    pub(super) fn error(&self) -> String {
        let error = &self.json()["error"];
        let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned();
        format!("{}: {}", text("code"), text("message"))
    }

    /// The value of a header; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        let own = |line: &&str| line.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let line = self.head.lines().find(own);
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

impl World {
    /// A world in which everybody on the machine may do everything.
    pub(super) fn open() -> Self {
        Self::of(Tokens::default())
    }

    /// A world with three tokens.
    pub(super) fn guarded() -> Self {
        let token = |name: &str, scope| Token {
            name: name.to_owned(),
            scope,
            sha256: Sha256::digest(format!("{name}'s")).into(),
        };
        Self::of(Tokens::new(vec![
            token("reader", Scope::Read),
            token("writer", Scope::Write),
            token("admin", Scope::Admin),
        ]))
    }

    fn of(tokens: Tokens) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = model(&folder);
        let mut store = Store::open(folder.path(), NOW).unwrap();
        fill(&mut store, &model);
        let clock = ManualClock::at(NOW);
        let (reader, outbox) = (store.reader().unwrap(), store.outbox().unwrap());
        let own_outbox = store.outbox().unwrap();
        let store = Arc::new(Mutex::new(store));
        let (reload, reloading) = (Arc::default(), Arc::default());
        let clerk = Clerk {
            store: Arc::clone(&store),
            clock: clock.clone(),
            reload: Arc::clone(&reload),
            reloading: Arc::clone(&reloading),
        };
        let health = Arc::new(Health::of(["flights", "other"]));
        let desk = |line| {
            let commands: Box<dyn Commands> = Box::new(clerk.clone());
            Desk::new(Arc::new(Mutex::new(commands)), line)
        };
        let bells = Bells::default();
        let bell = bells.hang("oncall");
        let face = Face {
            reader: Desk::new(Arc::new(Mutex::new(reader)), 64),
            outbox: Desk::new(Arc::new(Mutex::new(outbox)), 16),
            commands: desk(16),
            reloads: desk(2),
            counters: Arc::new(counters()),
            health: Arc::clone(&health),
            board: Arc::new(Board::of(Sheet {
                models: vec![model],
                sinks: vec!["oncall".to_owned(), "quiet".to_owned()],
            })),
            bells,
            intake: Arc::default(),
            clock: Arc::new(clock.clone()),
            tokens,
            started: NOW - 90_000_000,
        };
        let runtime = Runtime::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = runtime.block_on(crate::http::serve(any, face)).unwrap();
        Self {
            address: server.address,
            _server: server,
            bell,
            clock,
            store,
            outbox: own_outbox,
            health,
            reload,
            reloading,
            folder,
            _runtime: runtime,
        }
    }

    /// Asks with a token that may do everything.
    pub(super) fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[ADMIN], None)
    }

    /// Sends JSON with a token that may do everything.
    pub(super) fn post(&self, target: &str, body: &Value) -> Reply {
        self.send("POST", target, &[ADMIN], Some(&body.to_string()))
    }

    /// One request on a connection of its own; the answer must be one that the document describes.
    pub(super) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        ask(self.address, method, target, headers, body)
    }
}

/// One request on a connection of its own; the answer must be one that the document describes.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Reply {
    let mut request = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    let is_set = |name: &str| headers.iter().any(|(own, _)| *own == name);
    if !is_set("host") {
        request.push_str(&format!("host: {address}\r\n"));
    }
    if let Some(body) = body {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
        if !is_set("content-type") {
            request.push_str("content-type: application/json\r\n");
        }
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body.unwrap_or_default());
    let mut stream = TcpStream::connect(address).unwrap();
    // A server that refuses a long body may close before it has read it.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_owned()
    };
    let reply = Reply { status, head: head.to_owned(), body };
    schema::check(method, target, &reply);
    reply
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}

/// A model over a baseline of 2,000 rows, with one split.
fn model(folder: &TempDir) -> ShownModel {
    let mut rows = String::from("t,delay,origin\n");
    for at in 0..2_000_u32 {
        let delay = (at * 7919 % 1000) as f64 / 10.0 - 20.0;
        let origin = ["ATL", "ORD", "DFW"][(at * 31 % 17 % 3) as usize];
        rows.push_str(&format!("2001-01-01T00:00:00Z,{delay},{origin}\n"));
    }
    let data = folder.path().join("baseline.csv");
    std::fs::write(&data, rows).unwrap();
    let text = format!(
        "model: flights\nversion: \"2001-01\"\nbaseline: {}\nsource: flights\ntime: t\nsegments: [origin]\n\
         windows: {{hourly: {{length: 1h}}, daily: {{length: 24h, every: 1h}}}}\nsinks: [oncall]\n\
         azure: {{resources: [/subscriptions/s-1/resourceGroups/G/providers/P/k/flights], rules: [flights are slow]}}\n\
         thresholds:\n  - {{metric: psi, warn: 0.1, drift: 0.2}}\n  - {{metric: ks, features: [delay], drift: 0.1}}\n",
        data.display()
    );
    let config = Config::parse(&folder.path().join("flights.yaml"), &text).unwrap();
    let paths = config.baseline.as_ref().unwrap().paths.clone();
    let baseline = baseline::load(&config, &paths, &Arc::new(Remotes::default())).unwrap().baseline;
    let baseline_id = baseline.id();
    ShownModel { config, baseline: Arc::new(baseline), baseline_id }
}

fn counters() -> Counters {
    let counters = Counters::new();
    let source = "flights".to_owned();
    counters.records.get_or_create(&OfSource { source: source.clone() }).inc_by(12);
    for (reason, count) in [("undecodable", 2), ("future", 1)] {
        let of = OfReason { source: source.clone(), reason: reason.to_owned() };
        counters.bad_records.get_or_create(&of).inc_by(count);
    }
    for partition in 0..2 {
        let of = OfPartition { source: source.clone(), topic: "flights".to_owned(), partition };
        counters.lag.get_or_create(&of).set(5 + i64::from(partition));
    }
    let of = OfWindow { model: "flights".to_owned(), window: "hourly".to_owned() };
    counters.rows.get_or_create(&of).inc_by(9);
    counters.watermark_delay.get_or_create(&of).set(1.5);
    counters.freshness.get_or_create(&OfModel { model: "flights".to_owned() }).set(2.5);
    counters.open_alerts.set(1);
    counters
}

/// An id that a number names.
pub(super) fn id(number: u64) -> String {
    format!("{number:032x}")
}

/// A window's document as the service writes it.
pub(super) fn window(number: u64, hour: i64, segment: Option<&str>, revision: u32, is_final: bool) -> Window {
    let time = |micros: i64| crate::time::Timestamp::from_micros(micros).to_string();
    let (start, end) = (NOW + hour * HOUR, NOW + (hour + 1) * HOUR);
    let document = json!({
        "id": id(number), "name": "hourly", "start": time(start), "end": time(end),
        "segment": segment.map(|text| serde_json::from_str::<Value>(text).unwrap()), "rows": 1000,
        "arrival": {"late_rows": 0, "revision": revision, "final": is_final, "partial": false},
        "verdict": "drift", "metrics": {"row_count": {"value": 1000.0}},
        "features": [{
            "name": "delay", "kind": "numeric", "rows": 1000, "nulls": 3, "nans": 0, "infinities": 0,
            "cutset_id": "c".repeat(32), "verdict": "drift", "calibrated": false, "contribution": 1.0,
            "metrics": {"psi": {"value": 0.31, "corrected": 0.301, "p_value": 1e-60, "n": 997, "deff": 1.0,
                "warn": 0.1, "drift": 0.2, "threshold_source": "model", "verdict": "drift"}},
            "top": [{"label": "(10, 20]", "low": 10.0, "high": 20.0, "baseline": 0.1, "window": 0.4,
                "contribution": 0.7}]
        }]
    });
    Window {
        id: id(number),
        revision,
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        name: "hourly".to_owned(),
        segment: segment.map(str::to_owned),
        start: Some(start),
        end: Some(end),
        verdict: "drift".to_owned(),
        is_final,
        document: document.to_string(),
    }
}

/// An alert's newest message as the service writes it.
pub(super) fn alert(number: u64, revision: u32, status: &str, opened: i64) -> Alert {
    let time = |micros: i64| crate::time::Timestamp::from_micros(micros).to_string();
    let is_over = status == "resolved";
    let mut document = json!({
        "schema": "driftlead.event/1", "type": "alert", "id": id(number), "revision": revision, "time": time(NOW),
        "model": {"name": "flights", "version": "2001-01"}, "status": status, "severity": "critical",
        "window": "hourly", "segment": null,
        "first_window": {"start": time(opened - HOUR), "end": time(opened)},
        "last_window": {"id": id(1), "start": time(opened - HOUR), "end": time(opened)},
        "causes": [{"feature": "delay", "metric": "psi", "value": 0.301, "threshold": 0.2, "share": 1.0, "top": []}]
    });
    if is_over {
        document["reason"] = json!("calm");
    }
    Alert {
        id: id(number),
        revision,
        model: "flights".to_owned(),
        version: "2001-01".to_owned(),
        name: "hourly".to_owned(),
        segment: None,
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Open },
        severity: "critical".to_owned(),
        opened,
        resolved: is_over.then_some(opened + HOUR),
        document: document.to_string(),
        acknowledged: None,
    }
}

/// Windows 1 to 5 of the whole, of which 1 is corrected once and 5 is provisional; 11 and 12 of segments; one of a model
/// that is gone; alert 101, which is open, and 102, which is over; three messages.
fn fill(store: &mut Store, model: &ShownModel) {
    assert_eq!(model.baseline.rows(), 2_000);
    let mut gone = window(21, 0, None, 0, true);
    gone.model = "gone".to_owned();
    let windows = vec![
        window(1, 0, None, 0, false),
        window(2, 1, None, 0, true),
        window(3, 2, None, 0, true),
        window(4, 3, None, 0, true),
        window(5, 4, None, 0, false),
        window(11, 3, Some(r#"{"origin":"ATL"}"#), 0, true),
        window(12, 3, Some(r#"{"origin":null}"#), 0, true),
        gone,
    ];
    let message = |number: u64, sink: &str| Message {
        key: format!("{}:0:{sink}", id(number)),
        sink: sink.to_owned(),
        lane: None,
        body: "{}".to_owned(),
    };
    let messages = vec![message(101, "oncall"), message(102, "oncall"), message(103, "retired")];
    let alerts = vec![alert(101, 0, "open", NOW + HOUR), alert(102, 3, "resolved", NOW)];
    let commit = Commit { now: NOW, windows, messages, alerts, ..Commit::default() };
    store.commit(&commit).unwrap();
    let corrected = Commit { now: NOW + 1, windows: vec![window(1, 0, None, 1, true)], ..Commit::default() };
    store.commit(&corrected).unwrap();
}

/// A service of which one source is well and the other is not.
pub(super) fn trouble(health: &Health) {
    health.beat(NOW);
    health.source("flights", SourceHealth::Reading);
    health.source("other", SourceHealth::Troubled { message: "no broker answers".to_owned() });
}
