//! The API in front of the whole service: rows in by a file, everything out over HTTP.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use driftlead_connectors::dataset::Remotes;
use driftlead_connectors::sink::{FileSink, Sink};
use driftlead_connectors::store::Retention;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::world::{Reply, ask};
use crate::clock::{Clock, SystemClock};
use crate::http::auth::Tokens;
use crate::http::{Settings, start};
use crate::serve::carrier::Carrier;
use crate::serve::plan::{Plan, SinkPlan, SourceKind, SourcePlan};
use crate::serve::template::Template;
use crate::serve::wire::Body;
use crate::serve::{End, Service};

const MODEL: &str = "model: flights\nversion: \"2001-01\"\nbaseline: baseline.ndjson\nsource: flights\ntime: t\n\
                     window: {length: 1h}\nsegments: [origin]\nsinks: [record]\n";

/// `n_rows` rows an hour from hour `first` on; delays are `shift` later than the baseline's.
fn rows(hours: std::ops::Range<u32>, n_rows: u32, shift: u32) -> String {
    let mut text = String::new();
    for hour in hours {
        for at in 0..n_rows {
            let delay = at * 7919 % 1000 + shift;
            let origin = ["ATL", "ORD"][(at % 2) as usize];
            let (minute, second) = (at * 60 / n_rows, at % 60);
            writeln!(
                text,
                r#"{{"t":"2001-02-01T{hour:02}:{minute:02}:{second:02}Z","delay":{delay},"origin":"{origin}"}}"#
            )
            .unwrap();
        }
    }
    text
}

fn plan(folder: &Path, listener: crossbeam_channel::Sender<Body>) -> Plan {
    std::fs::write(folder.join("flights.yaml"), MODEL).unwrap();
    std::fs::write(folder.join("baseline.ndjson"), rows(0..4, 1000, 0)).unwrap();
    std::fs::write(folder.join("live.ndjson"), rows(0..5, 1200, 700) + "no row\n").unwrap();
    Plan {
        file: None,
        store: folder.join("state"),
        models: vec![folder.join("flights.yaml")],
        sources: vec![SourcePlan::json(
            "flights",
            SourceKind::Lines { path: folder.join("live.ndjson"), ends: false },
        )],
        sinks: vec![SinkPlan {
            name: "record".to_owned(),
            carrier: Carrier::Message {
                sink: Box::new(Sink::File(FileSink::new(folder.join("events.ndjson")))),
                template: Box::new(Template::plain()),
            },
            verdicts: true,
            alerts: true,
            diagnostics: false,
            max_age: Duration::from_secs(86_400),
        }],
        commit_every: Duration::from_millis(100),
        listener: Some(listener),
        retention: Retention::default(),
    }
}

/// What the service says until an alert opens; each was committed before it was said.
fn until_an_alert(heard: &Receiver<Body>) -> (Vec<Value>, Value) {
    let mut windows = Vec::new();
    loop {
        match heard.recv().expect("the service has ended without an alert") {
            Body::Verdict(verdict) => windows.push(serde_json::to_value(verdict.window).unwrap()),
            Body::Alert(alert) => return (windows, serde_json::to_value(alert).unwrap()),
            own @ (Body::Gap(_) | Body::Diagnostic(_)) => {
                panic!("there is neither a gap nor a diagnostic: {own:?}")
            }
        }
    }
}

#[test]
fn the_whole_service_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, heard) = crossbeam_channel::unbounded();
    let runtime = Runtime::new().unwrap();
    // Rows gather for a moment by this clock before they are counted; nothing that is looked at here depends on it.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let plan = plan(folder.path(), listener);
    let service = Service::start(plan, &Arc::new(Remotes::default()), &clock, runtime.handle()).unwrap();
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), tokens: Tokens::default() };
    let server = runtime.block_on(start(&settings, &service, &clock)).unwrap();
    let address = server.address;
    let get = |target: &str| -> Reply {
        let reply = ask(address, "GET", target, &[], None);
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        reply
    };

    let (windows, alert) = until_an_alert(&heard);
    let first = windows[0]["id"].as_str().unwrap();
    let revisions = get(&format!("/api/v1/windows/{first}")).json();
    let of_first = |revision: &Value| revision["revision"] == windows[0]["arrival"]["revision"];
    assert!(revisions["revisions"].as_array().unwrap().iter().any(of_first), "{revisions}");
    let page = get("/api/v1/models/flights/windows?limit=500").json();
    let known = page["items"].as_array().unwrap();
    assert!(windows.iter().all(|own| known.iter().any(|found| found["id"] == own["id"])), "{page}");
    assert!(known.iter().any(|own| own["verdict"] == "drift" && own["segment"] == json!({"origin": "ATL"})));

    let id = alert["id"].as_str().unwrap();
    let shown = get(&format!("/api/v1/alerts/{id}")).json();
    assert_eq!((&shown["model"], &shown["segment"]), (&alert["model"], &Value::Null));
    assert_eq!(shown["causes"][0]["feature"], "delay");
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    let noted = ask(address, "POST", &path, &[], Some(r#"{"comment":"seen"}"#)).json();
    assert_eq!(noted["acknowledged"]["comment"], "seen");
    let silence = json!({"matcher": {"alert": id}, "reason": "known", "duration": "1h"}).to_string();
    let silence = ask(address, "POST", "/api/v1/silences", &[], Some(&silence));
    assert_eq!(silence.status, 201, "{silence:?}");
    let path = format!("/api/v1/silences/{}", silence.json()["id"].as_str().unwrap());
    assert_eq!(ask(address, "DELETE", &path, &[], None).json()["state"], "ended");

    let status = get("/api/v1/status").json();
    assert_eq!((&status["models"], &status["open_alerts"]), (&json!(1), &json!(1)));
    assert_eq!(status["sources"][0]["name"], "flights");
    let model = get("/api/v1/models/flights").json();
    assert_eq!((&model["open_alerts"], &model["baseline"]["rows"]), (&json!(1), &json!(4000)));
    let features = get("/api/v1/models/flights/features").json();
    let sum = |feature: &Value| -> u64 {
        let bars = feature["baseline"]["histogram"]["bars"].as_array().unwrap();
        bars.iter().map(|bar| bar["rows"].as_u64().unwrap()).sum()
    };
    assert_eq!(sum(&features["items"][0]), 4000, "{features}");
    let sinks = get("/api/v1/sinks").json();
    assert_eq!(sinks["items"][0]["name"], "record");
    assert!(!get("/api/v1/messages").json()["items"].as_array().unwrap().is_empty());
    assert!(get("/metrics").body.contains("driftlead_open_alerts 1\n"));
    get("/healthz");
    // Whatever a reload answers, it is one of the answers that are described, and the service goes on.
    ask(address, "POST", "/api/v1/reload", &[], None);
    get("/api/v1/status");

    service.commands().stop();
    assert_eq!(service.wait().unwrap(), End::Stopped);
    let late = ask(address, "POST", &format!("/api/v1/alerts/{id}/acknowledge"), &[], None);
    assert_eq!((late.status, late.error().as_str()), (503, "unavailable: the service has ended"));
}
