//! What is sent to Application Insights, played by a server on the loopback address: from the settings to the request,
//! through an outage and a power cut, and through an outage that lasts longer than a status is of use.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use driftlead::clock::{Clock, ManualClock};
use driftlead::config::fleet::Fleet;
use driftlead::serve::plan::Plan;
use driftlead::serve::{End, Service as Library};
use driftlead::time::Timestamp;
use driftlead_connectors::dataset::Remotes;
use serde_json::{Value as Json, json};

use super::{rows, service};
use crate::support::client::ask;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};
use crate::support::stub::{Answer, Request, Stub};

const KEY: &str = "5ec2e700-0000-4000-8000-00000000beef";
const MINUTE: i64 = 60_000_000;
/// Longer than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service that is down until it is told otherwise.
fn stub(is_up: &Arc<AtomicBool>) -> Stub {
    let up = is_up.clone();
    Stub::start(move |_| Some(Answer::of(if up.load(Ordering::SeqCst) { 200 } else { 503 })))
}

fn connection(stub: &Stub) -> String {
    format!("InstrumentationKey={KEY};IngestionEndpoint={}/;", stub.url())
}

/// The envelopes of a request, each held to what all have in common.
fn envelopes(request: &Request) -> Vec<Json> {
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v2.1/track"), "{request:?}");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), None);
    let all: Vec<Json> = serde_json::from_slice(&request.body).expect("an array");
    for own in &all {
        assert_eq!(own["iKey"], KEY, "{own}");
        assert_eq!(own["tags"]["ai.cloud.role"], "drift-test", "{own}");
        assert!(own["tags"]["ai.cloud.roleInstance"].as_str().is_some_and(|name| !name.is_empty()), "{own}");
        let base = own["data"]["baseType"].as_str().expect("a type").trim_end_matches("Data").to_owned();
        assert_eq!(own["name"], format!("Microsoft.ApplicationInsights.{base}"));
        assert!(own.to_string().len() <= 65_536, "{own}");
    }
    all
}

/// What arrived from a request on, by type and `EventId`; a copy has to be the same.
fn arrived(stub: &Stub, from: usize) -> BTreeMap<(String, String), Json> {
    let mut all = BTreeMap::new();
    for envelope in stub.requests()[from..].iter().flat_map(envelopes) {
        let data = &envelope["data"]["baseData"];
        let kind = match envelope["data"]["baseType"].as_str().expect("a type") {
            "EventData" => data["name"].as_str().expect("a name").to_owned(),
            other => other.to_owned(),
        };
        let id = data["properties"]["EventId"].as_str().expect("an id").to_owned();
        let before = all.insert((kind, id), envelope.clone());
        assert!(before.is_none_or(|before| before == envelope), "{envelope}");
    }
    all
}

fn of<'a>(all: &'a BTreeMap<(String, String), Json>, kind: &str) -> Vec<&'a Json> {
    all.iter()
        .filter(|((own, _), _)| own == kind)
        .map(|(_, envelope)| &envelope["data"]["baseData"])
        .collect()
}

#[test]
fn verdicts_metrics_and_alerts_become_telemetry_through_an_outage_and_a_power_cut() {
    let folder = Folder::new();
    let is_up = Arc::new(AtomicBool::new(false));
    let stub = stub(&is_up);
    let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJtoken"}"#;
    let entra = Stub::answering(vec![Answer::of(200).saying(token)]);
    let sink = format!(
        "  insights:\n    application_insights:\n      connection_string: \"${{AI}}\"\n      role: drift-test\n      entra: \
         {{tenant: t-1, client: c-1, secret: \"${{ENTRA_SECRET}}\", authority: \"{}\"}}\n",
        entra.url()
    );
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &sink);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, insights]"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    let connection = connection(&stub);
    let secret = [("AI", connection.as_str()), ("ENTRA_SECRET", "hush-hush")];
    let running = Service::start(&folder, &secret);
    eventually("it was tried", || !stub.requests().is_empty());
    running.kill();

    let before = stub.requests().len();
    is_up.store(true, Ordering::SeqCst);
    let mut running = Service::start(&folder, &secret);
    let address = running.address();
    let has_alert = || arrived(&stub, before).keys().any(|(kind, _)| kind == "driftlead.alert");
    eventually("the alert arrived", has_alert);
    for path in ["/api/v1/status", "/api/v1/models", "/api/v1/messages", "/api/v1/sinks", "/metrics"] {
        let reply = ask(&address, "GET", path, &[], b"").expect(path);
        for secret in [KEY, "hush-hush", "eyJ"] {
            assert!(!reply.body.contains(secret), "{path}: {}", reply.body);
        }
    }
    let log = running.stop_well().join("\n");
    for secret in [KEY, "hush-hush", "eyJ"] {
        assert!(!log.contains(secret), "a secret in the log: {log}");
    }
    assert!(stub.requests().iter().all(|own| own.header("authorization") == Some("Bearer eyJtoken")));
    for request in entra.requests() {
        let form = String::from_utf8(request.body).expect("a form");
        assert!(form.contains("scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default"), "two slashes: {form}");
    }

    let all = arrived(&stub, before);
    let alert = of(&all, "driftlead.alert")[0];
    let property = |own: &Json, name: &str| own["properties"][name].as_str().map(str::to_owned);
    assert_eq!(property(alert, "Status").as_deref(), Some("open"), "{alert}");
    assert_eq!(property(alert, "Feature").as_deref(), Some("x"), "{alert}");
    let causes: Json = serde_json::from_str(&property(alert, "Causes").expect("causes")).expect("JSON");
    assert_eq!(causes[0]["value"], alert["measurements"]["Value"], "{alert}");
    let opened = property(alert, "VerdictId");
    let verdict = of(&all, "driftlead.verdict").into_iter().find(|own| property(own, "VerdictId") == opened);
    let verdict = verdict.expect("the verdict that opened it");
    assert_eq!(property(verdict, "Verdict").as_deref(), Some("drift"), "{verdict}");
    assert!(verdict["measurements"]["Rows"].as_u64().is_some_and(|rows| rows > 0), "{verdict}");
    let psi = of(&all, "MetricData").into_iter().find(|own| {
        property(own, "VerdictId") == opened
            && property(own, "Feature").as_deref() == Some("x")
            && own["metrics"][0]["name"] == "driftlead.psi"
    });
    let psi = psi.expect("its psi");
    assert!(psi["metrics"][0]["value"].as_f64().is_some_and(|value| value > 0.2), "{psi}");
    assert_eq!(property(psi, "Drift").as_deref(), Some("0.2"), "{psi}");
    assert!(of(&all, "AvailabilityData").is_empty(), "nobody asked for diagnostics");
}

#[test]
fn of_a_partial_success_only_what_was_not_taken_is_sent_again() {
    let folder = Folder::new();
    let taken: Arc<Mutex<BTreeMap<(String, String), usize>>> = Arc::default();
    let (kept, mut is_first) = (taken.clone(), true);
    let stub = Stub::start(move |request| {
        let mut kept = kept.lock().expect("no panic");
        let all = envelopes(request);
        // Of the first request every other item is not taken, for now.
        let is_partial = std::mem::replace(&mut is_first, false);
        let mut errors = Vec::new();
        for (index, envelope) in all.iter().enumerate() {
            if is_partial && index % 2 == 1 {
                errors.push(json!({"index": index, "statusCode": 503, "message": "later"}));
                continue;
            }
            let data = &envelope["data"];
            let key = (data["baseType"].to_string(), data["baseData"]["properties"]["EventId"].to_string());
            *kept.entry(key).or_default() += 1;
        }
        let reply =
            json!({"itemsReceived": all.len(), "itemsAccepted": all.len() - errors.len(), "errors": errors});
        Some(Answer::of(if errors.is_empty() { 200 } else { 206 }).saying(&reply.to_string()))
    });
    let sink = "  insights: {application_insights: {connection_string: \"${AI}\", role: drift-test}}\n";
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", sink);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, insights]"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    let mut running = Service::start(&folder, &[("AI", &connection(&stub))]);
    let address = running.address();
    let has_alert = || taken.lock().expect("no panic").keys().any(|(kind, _)| kind.contains("Event"));
    let sinks = || ask(&address, "GET", "/api/v1/sinks", &[], b"").expect("sinks").json();
    running.wait_for("caught up");
    eventually("all was taken", || {
        let own =
            sinks()["items"].as_array().into_iter().flatten().find(|own| own["name"] == "insights").cloned();
        let own = own.expect("the sink");
        has_alert() && own["pending"] == 0 && own["dead"] == 0
    });
    running.stop_well();
    let requests = stub.requests();
    assert!(requests.len() > 1, "it was sent again");
    let first = envelopes(&requests[0]);
    assert!(first.len() > 10, "{}", first.len());
    let taken = taken.lock().expect("no panic");
    assert!(taken.values().all(|times| *times == 1), "each once: {taken:?}");
    for envelope in &first {
        let data = &envelope["data"];
        let key = (data["baseType"].to_string(), data["baseData"]["properties"]["EventId"].to_string());
        assert!(taken.contains_key(&key), "{envelope}");
    }
}

/// The service in this process, by a clock that the test moves.
struct World {
    service: Library,
    clock: ManualClock,
    now: i64,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn start(folder: &Folder, connection: &str, now: i64) -> Self {
        let file = folder.path("service.yaml");
        let fleet = Fleet::load(file.as_ref()).expect("a service");
        let connection = connection.to_owned();
        let environment = move |name: &str| (name == "AI").then(|| connection.clone());
        let plan = Plan::of(file.as_ref(), &fleet, &environment).expect("a plan");
        let clock = ManualClock::at(now);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let service = Library::start(plan, &Arc::new(Remotes::default()), &shared, runtime.handle());
        Self { service: service.expect("it starts"), clock, now, _runtime: runtime }
    }

    fn move_to(&mut self, now: i64) {
        self.now = now;
        self.clock.set(now);
    }

    /// How many messages of the sink wait, and how many came too late.
    fn outbox(&self) -> (u64, u64) {
        let reader = self.service.reader.lock().expect("no panic");
        let sinks = reader.sinks().expect("a store");
        let own = sinks.iter().find(|sink| sink.sink == "insights");
        own.map_or((0, 0), |own| (own.pending, own.expired))
    }
}

/// When something was said.
fn micros(own: &Json) -> i64 {
    let time: Timestamp = own["time"].as_str().expect("a time").parse().expect("RFC 3339");
    time.micros()
}

#[test]
fn after_an_outage_of_more_than_an_hour_all_alerts_arrive_and_the_statuses_of_the_last_hour() {
    let folder = Folder::new();
    let is_up = Arc::new(AtomicBool::new(false));
    let stub = stub(&is_up);
    let sinks = "  insights:\n    application_insights: {connection_string: \"${AI}\", role: drift-test, send: [alerts, \
                 verdicts, diagnostics]}\n  diary: {file: {path: ./diary.ndjson, send: diagnostics}}\n";
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", sinks);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, insights]"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    // Years after the rows, so that none is ahead of it; in the middle of five minutes.
    let begin = rows::BEGIN + 1_000 * 24 * 60 * MINUTE + 2 * MINUTE;
    let mut world = World::start(&folder, &connection(&stub), begin);
    let said = || {
        let lines = folder.whole_lines("diary.ndjson");
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Json>>()
    };
    let statuses = || said().iter().filter(|own| own["operation"] == "status").count();
    eventually("it was tried", || !stub.requests().is_empty());
    // An hour and a quarter of five minutes each, none of which the engine may miss.
    for n in 1..=15 {
        world.move_to(begin + (5 * n - 1) * MINUTE);
        let n = usize::try_from(n).expect("small");
        eventually("the next status", || statuses() == n);
    }
    let outage = stub.requests().len();
    let tried = stub.requests().iter().flat_map(envelopes).count();
    assert!(tried > 0 && outage < 100, "{outage} requests in the outage: it backs off");
    let (waiting, _) = world.outbox();

    is_up.store(true, Ordering::SeqCst);
    // The breaker and each message may wait for ten minutes more. The clock stands while the newest status is not said.
    let newest = || said().iter().rev().find(|own| own["operation"] == "status").map(micros);
    let is_said = |now: i64| newest() == Some(now.div_euclid(5 * MINUTE) * 5 * MINUTE);
    let deadline = Instant::now() + PATIENCE;
    while !(is_said(world.now) && world.outbox().0 == 0) {
        assert!(Instant::now() < deadline, "not in time: all that waited is gone");
        let step = if is_said(world.now) { 10_000_000 } else { 0 };
        world.move_to(world.now + step);
        world.service.bells.ring();
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let all = arrived(&stub, outage);
    let (pending, expired) = world.outbox();
    assert_eq!(pending, 0);
    world.service.commands().stop();
    assert_eq!(world.service.wait().expect("it ends well"), End::Stopped);

    let heard = said();
    let all_statuses: Vec<&Json> = heard.iter().filter(|own| own["operation"] == "status").collect();
    let availability: Vec<(&String, &Json)> = all
        .iter()
        .filter(|((kind, _), _)| kind == "AvailabilityData")
        .map(|((_, id), own)| (id, own))
        .collect();
    assert!(expired > 0 && waiting > expired, "{expired} of {waiting}");
    assert_eq!(availability.len() + usize::try_from(expired).expect("small"), all_statuses.len());
    // What arrived is the newest, five minutes apart at least, and says what was said elsewhere.
    let mut times: Vec<i64> = Vec::new();
    for (id, own) in &availability {
        let data = &own["data"]["baseData"];
        let same =
            all_statuses.iter().find(|said| **id == format!("{}:0", said["id"].as_str().unwrap_or_default()));
        let same = same.expect("said elsewhere too");
        assert_eq!(own["time"], same["time"]);
        assert_eq!((&data["success"], &data["message"]), (&Json::Bool(true), &same["message"]), "{data}");
        assert_eq!(data["measurements"]["late_rows"], same["properties"]["late_rows"], "{data}");
        assert!(data["measurements"]["rows"].as_u64().is_some_and(|rows| rows > 0), "{data}");
        assert!(data["measurements"]["outbox_messages"].as_u64().is_some(), "{data}");
        let time = same["time"].as_str().expect("a time");
        let at = all_statuses.iter().position(|own| own["time"] == time).expect("it is there");
        times.push(i64::try_from(at).expect("small"));
    }
    times.sort_unstable();
    let last = i64::try_from(all_statuses.len()).expect("small") - 1;
    let first = last + 1 - i64::try_from(times.len()).expect("small");
    assert_eq!(times, (first..=last).collect::<Vec<_>>(), "the newest, each once");
    for pair in all_statuses.windows(2) {
        assert!(micros(pair[1]) - micros(pair[0]) >= 5 * MINUTE, "{pair:?}");
    }
    // Everything else waited, however long it took.
    let text = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        *expected.entry(if line.contains(r#""type":"alert""#) { "alert" } else { "verdict" }).or_default() +=
            1;
    }
    assert_eq!(of(&all, "driftlead.verdict").len(), expected["verdict"]);
    assert_eq!(of(&all, "driftlead.alert").len(), expected["alert"]);
    let started = of(&all, "driftlead.diagnostic");
    assert_eq!(started[0]["properties"]["OperationName"], "started", "{started:?}");
}
