//! `azure-monitor-opentelemetry-exporter` beside ours.

use driftlead_connectors::azure::{Kind, Telemetry};
use driftlead_connectors::sink::Delivery;
use serde_json::{Map, Value as Json, json};

use super::{Allowed, compare, official, official_well};
use crate::insights::{AUDIENCE, KEY, client, client_with, judge};
use crate::place::{NOW, access, clock, entra, send, tally};
use crate::stub::{Answer, Request, Stub};

const TIME: &str = "2026-01-05T08:15:00.533858Z";
/// Theirs takes nothing but the id of a trace.
const OPERATION: &str = "5ec2e70000004000800000000000beef";

fn item(kind: Kind, data: Json) -> Telemetry {
    Telemetry { kind, time: TIME.to_owned(), operation: OPERATION.to_owned(), data }
}

fn event(name: &str) -> Telemetry {
    item(
        Kind::Event,
        json!({"ver": 2, "name": name, "properties": {"Model": "Zürich", "Verdict": "drift"},
            "measurements": {"Rows": 600.0, "Value": 0.31}}),
    )
}

fn availability() -> Telemetry {
    item(
        Kind::Availability,
        json!({"ver": 2, "id": "d-1", "name": "driftlead", "duration": "00:00:00.003", "success": true,
            "runLocation": "i-1", "message": "ok", "properties": {"Service": "s"}, "measurements": {}}),
    )
}

fn metric() -> Telemetry {
    let data = json!({"ver": 2, "metrics": [{"name": "driftlead.psi", "value": 0.31, "count": 1}],
        "properties": {"Model": "m", "Feature": "age"}});
    Telemetry { operation: String::new(), ..item(Kind::Metric, data) }
}

/// The attributes of OpenTelemetry by which the exporter makes this item.
fn attributes(item: &Telemetry) -> Json {
    let data = &item.data;
    let mut own: Map<String, Json> = data["properties"].as_object().cloned().unwrap_or_default();
    let measurements = data["measurements"].to_string();
    match item.kind {
        Kind::Event => {
            own.insert("microsoft.custom_event.name".to_owned(), data["name"].clone());
            own.insert("microsoft.custom_measurements".to_owned(), measurements.into());
        }
        _ => {
            for key in ["id", "name", "duration", "success", "runLocation", "message"] {
                own.insert(format!("microsoft.availability.{key}"), data[key].clone());
            }
        }
    }
    json!({"time": item.time, "operation": item.operation, "attributes": own})
}

fn step(stub: &Stub, events: &[Telemetry], metrics: &[Telemetry]) -> Json {
    let metric = |own: &Telemetry| {
        let point = &own.data["metrics"][0];
        json!({"time": own.time, "name": point["name"], "value": point["value"], "properties": own.data["properties"]})
    };
    json!({
        "do": "insights", "role": "driftlead", "instance": "i-1",
        // With a slash at its end theirs asks for `//v2.1/track`.
        "connection_string": format!("InstrumentationKey={KEY};IngestionEndpoint={}", stub.url()),
        "events": events.iter().map(attributes).collect::<Vec<Json>>(),
        "metrics": metrics.iter().map(metric).collect::<Vec<Json>>(),
    })
}

fn items(request: &Request) -> Vec<Json> {
    serde_json::from_slice(&request.body).expect("an array")
}

/// What both say alike: the item without the tags by which they may differ, which are checked here.
fn alike(mut item: Json, is_ours: bool) -> Json {
    let tags = item["tags"].as_object_mut().expect("tags");
    let version = tags.remove("ai.internal.sdkVersion").expect("a version");
    let version = version.as_str().expect("text");
    if is_ours {
        assert!(version.starts_with("driftlead:"), "{version}");
        return item;
    }
    assert!(version.contains(":otel"), "{version}");
    // The machine, of which ours says the instance alone, and the span, of which there is none.
    for own in ["ai.device.id", "ai.device.locale", "ai.device.type", "ai.internal.nodeName"] {
        assert!(tags.remove(own).is_some(), "{own} is gone: ours need not lack it");
    }
    if let Some(parent) = tags.remove("ai.operation.parentId") {
        assert_eq!(parent, "0000000000000000");
    }
    item
}

#[test]
fn both_send_the_same() {
    let stub = Stub::start(|request| Some(judge(request, None)));
    let events = [event("driftlead.verdict"), availability(), event("driftlead.alert")];
    let own = client(&stub);
    assert_eq!(tally(&send(&own, &events, NOW)), [3, 0, 0, 0]);
    assert_eq!(tally(&send(&own, &[metric()], NOW)), [1, 0, 0, 0]);
    official_well(step(&stub, &events, &[metric()]));
    let requests = stub.requests();
    let [events, metrics, their_events, their_metrics] = &requests[..] else { panic!("{requests:?}") };
    for (own, theirs) in [(events, their_events), (metrics, their_metrics)] {
        let allowed = Allowed { ours: &[], theirs: &["x-ms-client-request-id"], values: &[] };
        compare(own, theirs, &allowed);
        let (own, theirs) = (items(own), items(theirs));
        assert_eq!(own.len(), theirs.len());
        for (own, theirs) in own.into_iter().zip(theirs) {
            assert_eq!(alike(own, true), alike(theirs, false));
        }
    }
}

#[test]
fn both_ask_for_a_token_with_two_slashes_and_send_it() {
    let entra = entra(AUDIENCE);
    let stub = Stub::start(|request| Some(judge(request, Some("token-1"))));
    let own = client_with(&stub, access(&entra, AUDIENCE, &clock()));
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
    let ours = String::from_utf8(entra.requests()[0].body.clone()).expect("a form");

    let theirs = crate::place::entra(AUDIENCE);
    let mut step = step(&stub, &[event("a")], &[]);
    // Theirs sends a token to `https` alone.
    step["connection_string"] =
        json!(step["connection_string"].as_str().expect("text").replace("http", "https"));
    step["identity"] = json!({"kind": "secret", "tenant": "t-1", "client": "c-1", "secret": "hush-hush",
        "authority": theirs.url().replace("http", "https")});
    official_well(step);
    let form = theirs.requests().into_iter().find(|own| own.method == "POST").expect("a form");
    let form = String::from_utf8(form.body).expect("a form");
    for form in [&ours, &form] {
        assert!(form.contains("scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default"), "{form}");
    }
    let [own, theirs] = &stub.requests()[..] else { panic!("{:?}", stub.requests()) };
    compare(own, theirs, &Allowed { ours: &[], theirs: &["x-ms-client-request-id"], values: &[] });
    assert_eq!(own.header("authorization"), Some("Bearer token-1"));
}

/// Both send again what may yet be taken, and that alone. Theirs keeps it in files of one machine, ours in the outbox.
#[test]
fn of_a_partial_success_both_send_the_same_again() {
    let flaky = || {
        let mut asked = 0;
        Stub::start(move |request| {
            asked += 1;
            let answer = judge(request, None);
            let received = items(request).len();
            let well = json!({"itemsReceived": received, "itemsAccepted": received, "errors": []});
            Some(if asked == 1 { answer } else { Answer::of(200).saying(&well.to_string()) })
        })
    };
    let names = ["taken", "500 internal", "400 bad field", "429 too many", "503 Telemetry sampled out."];
    let events = names.map(event);
    let (theirs, own) = (flaky(), flaky());
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = step(&theirs, &events, &[]);
    first["storage"] = json!(folder.path());
    let mut second = step(&theirs, &[event("next")], &[]);
    second["storage"] = json!(folder.path());
    let told = official(&[first, second]);
    assert!(told[1].said.is_none(), "{told:?}");

    let client = client(&own);
    let answers = send(&client, &events, NOW);
    let again: Vec<Telemetry> = events
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| matches!(answer, Delivery::Retry { .. }))
        .map(|(event, _)| event.clone())
        .collect();
    assert_eq!(tally(&send(&client, &again, NOW)), [2, 0, 0, 0]);
    let named = |request: &Request| -> Vec<String> {
        let name = |own: &Json| own["data"]["baseData"]["name"].as_str().expect("a name").to_owned();
        items(request).iter().map(name).collect()
    };
    let (own, theirs) = (own.requests(), theirs.requests());
    assert_eq!((own.len(), theirs.len()), (2, 3), "theirs sends the next before what was left");
    assert_eq!(named(&own[1]), ["500 internal", "429 too many"]);
    assert_eq!(named(&own[1]), named(&theirs[2]));
}

/// What passes, what does not and what is over: theirs tries the whole again from its files, or loses it.
#[test]
fn both_draw_the_same_line_between_what_passes_and_what_does_not() {
    for (status, is_kept) in [
        (401, true),
        (403, true),
        (408, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (400, false),
        (402, false),
        (439, false),
    ] {
        let (theirs, own) =
            (Stub::answering(vec![Answer::of(status)]), Stub::answering(vec![Answer::of(status)]));
        let folder = tempfile::tempdir().expect("a folder");
        let mut step = step(&theirs, &[event("a")], &[]);
        step["storage"] = json!(folder.path());
        let told = official(&[step]);
        assert!(told[0].said.is_some(), "{status}: {told:?}");
        let kept = std::fs::read_dir(folder.path())
            .expect("a folder")
            .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().contains(".blob"))
            .count();
        assert_eq!(kept > 0, is_kept, "{status}");
        let answers = send(&client(&own), &[event("a")], NOW);
        assert_eq!(matches!(answers[0], Delivery::Retry { .. }), is_kept, "{status}: {answers:?}");
        assert_eq!(matches!(answers[0], Delivery::Refused { .. }), !is_kept, "{status}: {answers:?}");
    }
}
