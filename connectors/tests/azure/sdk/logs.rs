//! `azure-monitor-ingestion` beside ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftlead_connectors::azure::{LogRecord, LogsIngestion};
use driftlead_connectors::retry::{Backoff, Breaker};
use driftlead_connectors::sink::Delivery;
use serde_json::{Map, Value as Json, json};

use super::{Allowed, Told, compare, official, official_well};
use crate::logs::{LIMIT, RESOURCE, RULE, client, judge};
use crate::place::{NOW, clock, entra, send, tally, unzipped};
use crate::stub::{Answer, Request, Stub};

/// The columns that the stream declares, and their types.
const COLUMNS: [(&str, &str); 7] = [
    ("TimeGenerated", "datetime"),
    ("EventId", "string"),
    ("Value", "real"),
    ("Rows", "long"),
    ("Breached", "boolean"),
    ("Name", "string"),
    ("Causes", "dynamic"),
];

/// More than Azure asks for, which drops a column that it does not know without a word: here it is a mistake.
fn strict(request: &Request) -> Answer {
    let answer = judge(request, &["token-1"]);
    if answer.status != 204 {
        return answer;
    }
    let records: Vec<Map<String, Json>> = serde_json::from_slice(&unzipped(request)).expect("judged");
    match records.iter().flatten().find_map(|(name, value)| misfit(name, value)) {
        Some(what) => Answer::of(400).saying(&json!({"error": {"code": what, "message": "no"}}).to_string()),
        None => answer,
    }
}

fn misfit(name: &str, value: &Json) -> Option<String> {
    let Some((_, kind)) = COLUMNS.iter().find(|(own, _)| *own == name) else {
        return Some(format!("UnknownColumn {name}"));
    };
    let fits = value.is_null()
        || match *kind {
            "datetime" => value.as_str().is_some_and(|text| {
                text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z') && text.len() >= 20
            }),
            "string" => value.as_str().is_some_and(|text| text.len() <= 65_536),
            "real" => value.is_number(),
            "long" => value.is_i64(),
            "boolean" => value.is_boolean(),
            _ => value.is_array() || value.is_object(),
        };
    (!fits).then(|| format!("TypeMismatch {name}"))
}

fn records() -> Vec<Json> {
    vec![
        json!({"TimeGenerated": "2026-01-05T08:15:00.533858Z", "EventId": "1", "Value": 0.1, "Rows": 600,
            "Breached": true, "Name": "Zürich 😀 \"quoted\"\\ \u{7} </script>", "Causes": [{"feature": "x", "psi": 1e-7}]}),
        json!({"EventId": "2", "Value": null, "Rows": 9_007_199_254_740_993_i64, "Breached": false, "Name": ""}),
        json!({"EventId": "3", "Value": 123_456_789.123_456_79, "Rows": -1, "Causes": {}}),
    ]
}

fn ours(records: &[Json]) -> Vec<LogRecord> {
    let record = |json: &Json| LogRecord { stream: "Custom-A".to_owned(), json: json.to_string() };
    records.iter().map(record).collect()
}

fn step(stub: &Stub, records: &[Json]) -> Json {
    json!({"do": "logs", "endpoint": stub.url().replace("http", "https"), "rule": RULE, "stream": "Custom-A",
        "records": records, "identity": {"kind": "fixed", "token": "token-1"}})
}

#[test]
fn both_send_the_same() {
    let (stub, entra) = (Stub::start(|request| Some(strict(request))), entra(RESOURCE));
    let client = client(&stub, None, &entra, &clock());
    assert_eq!(tally(&send(&client, &ours(&records()), NOW)), [3, 0, 0, 0]);
    official_well(step(&stub, &records()));
    let [own, theirs] = &stub.requests()[..] else { panic!("{:?}", stub.requests()) };
    // Each names its requests.
    compare(own, theirs, &Allowed { ours: &[], theirs: &[], values: &["x-ms-client-request-id"] });
    let read = |request: &Request| -> Json { serde_json::from_slice(&unzipped(request)).expect("JSON") };
    assert_eq!(read(own), read(theirs));
    assert_eq!(read(own), Json::from(records()), "as it was given, to the last digit");
    // The header of gzip, with method, flags, time and level; its last byte names the system.
    assert_eq!(own.body[..9], theirs.body[..9]);
}

/// They count the records alone, and so send more than the limit; what is taken at all is the same.
#[test]
fn only_ours_keeps_the_limit_of_a_request() {
    let (stub, entra) = (Stub::start(|request| Some(strict(request))), entra(RESOURCE));
    let many: Vec<Json> = (0..60_000).map(|at| json!({"EventId": format!("{at:016}")})).collect();
    let client = client(&stub, None, &entra, &clock());
    assert_eq!(tally(&send(&client, &ours(&many), NOW)), [60_000, 0, 0, 0]);
    let own = stub.requests().len();
    let told = official(&[step(&stub, &many)]);
    let requests = stub.requests();
    let sizes: Vec<usize> = requests.iter().map(|request| unzipped(request).len()).collect();
    assert!(sizes[..own].iter().all(|size| *size <= 1_000_000), "{sizes:?}");
    assert!(sizes[own] > LIMIT, "{sizes:?}");
    assert!(told[0].said.as_deref().is_some_and(|said| said.starts_with("HttpResponseError")), "{told:?}");
}

/// What a client of ours makes of one answer, and for how long its outbox would leave the sink alone, in seconds.
fn wait(client: &LogsIngestion) -> Result<(), f64> {
    match &send(client, &ours(&records()[..1]), NOW)[0] {
        Delivery::Delivered => Ok(()),
        Delivery::Retry { after, .. } => {
            let mut breaker = Breaker::default();
            let least = after.map(|after| i64::try_from(after.as_micros()).expect("short"));
            breaker.failed(NOW, Backoff::default(), "workspace", least);
            Err(breaker.open_until().map_or(0.0, |until| (until - NOW) as f64 / 1e6))
        }
        other => panic!("{other:?}"),
    }
}

/// Theirs gives up after at most four attempts within five seconds, and the records are lost if nobody else keeps them;
/// some of what passes by itself it does not try again at all. Ours asks once and leaves the rest to the outbox, which
/// keeps the message, waits at least as long as it is told, and goes on for days.
#[test]
fn ours_waits_as_it_is_told_and_gives_up_less() {
    let waits = |seconds: &[f64]| seconds.to_vec();
    let given_up =
        |said: &str| Some(format!("HttpResponseError: Operation returned an invalid status '{said}'"));
    for (answer, requests, sleeps, is_lost) in [
        // As told: the same in both.
        (Answer::of(429).with("retry-after", "7"), 2, waits(&[7.0]), false),
        (Answer::of(503).with("retry-after", "30"), 2, waits(&[30.0]), false),
        // Theirs does not try again what does not say how long.
        (Answer::of(429), 1, waits(&[]), true),
        (Answer::of(408), 1, waits(&[]), true),
        (Answer::of(502), 1, waits(&[]), true),
        (Answer::of(403), 1, waits(&[]), true),
        // Nobody's idea of success.
        (Answer::of(200), 1, waits(&[]), true),
        (Answer::of(202), 1, waits(&[]), true),
        // The second attempt comes at once.
        (Answer::of(500), 2, waits(&[]), false),
        (Answer::of(504), 2, waits(&[]), false),
    ] {
        let after = answer.headers.first().map(|(_, value)| value.parse::<f64>().expect("seconds"));
        let passing = || Stub::answering(vec![answer.clone(), Answer::of(204)]);
        let theirs = passing();
        let told = official(&[step(&theirs, &records()[..1])]);
        assert_eq!((theirs.requests().len(), &told[0].sleeps), (requests, &sleeps), "{answer:?}: {told:?}");
        assert_eq!(told[0].said.is_some(), is_lost, "{answer:?}: {told:?}");
        assert_eq!(told[0].said.is_some(), told[0].said == given_up("Stub"), "{answer:?}: {told:?}");

        let (stub, entra) = (passing(), entra(RESOURCE));
        let client = client(&stub, None, &entra, &clock());
        let waited = wait(&client).expect_err("not taken");
        assert!(waited >= after.unwrap_or(0.0), "{answer:?}: {waited}");
        assert_eq!(stub.requests().len(), 1);
        assert_eq!(wait(&client), Ok(()), "nothing is lost");
    }
    // An outage of an hour: theirs is done in five seconds, ours still there.
    let down = Stub::start(|_| Some(Answer::of(503)));
    let told = official(&[step(&down, &records()[..1])]);
    assert_eq!(told, [Told { said: given_up("Stub"), sleeps: vec![1.6, 3.2] }]);
    assert_eq!(down.requests().len(), 4);
    let backoff = Backoff::default();
    let waits: Vec<i64> = (1..=20).map(|failures| backoff.wait(failures, "workspace")).collect();
    assert!(waits.iter().sum::<i64>() > 3_600_000_000, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 600_000_000), "none is longer than ten minutes: {waits:?}");
}

/// A refusal that asks for patience: theirs sends the same again until it gives up, ours halves.
#[test]
fn only_ours_finds_the_record_at_fault() {
    let bad = || {
        let patient = |request: &Request| {
            let answer = strict(request);
            if answer.status == 400 { answer.with("retry-after", "3") } else { answer }
        };
        Stub::start(move |request| Some(patient(request)))
    };
    let mut all = records();
    all[1]["Unknown"] = json!(1);
    let (theirs, own, entra) = (bad(), bad(), entra(RESOURCE));
    let told = official(&[step(&theirs, &all)]);
    assert!(told[0].said.is_some() && told[0].sleeps.iter().all(|sleep| *sleep == 3.0), "{told:?}");
    let taken = |stub: &Stub| stub.requests().iter().filter(|own| strict(own).status == 204).count();
    assert_eq!(taken(&theirs), 0, "the good ones are lost with the bad");
    let client = client(&own, None, &entra, &clock());
    let answers = send(&client, &ours(&all), NOW);
    assert_eq!(tally(&answers), [2, 0, 1, 0]);
    let Delivery::Refused { reason } = &answers[1] else { panic!("{answers:?}") };
    assert!(reason.contains("UnknownColumn Unknown"), "{reason}");
}

#[test]
fn the_server_refuses_what_does_not_fit_the_columns() {
    let stub = Stub::start(|request| Some(strict(request)));
    let clock = clock();
    let wrong: BTreeMap<&str, Json> = BTreeMap::from([
        ("UnknownColumn Color", json!({"Color": "red"})),
        ("TypeMismatch TimeGenerated", json!({"TimeGenerated": "2026-01-05 08:15:00"})),
        ("TypeMismatch Value", json!({"Value": "0.5"})),
        ("TypeMismatch Rows", json!({"Rows": 0.5})),
        ("TypeMismatch Breached", json!({"Breached": "true"})),
        ("TypeMismatch Causes", json!({"Causes": "[]"})),
        ("TypeMismatch Name", json!({"Name": "x".repeat(65_537)})),
    ]);
    let entra = entra(RESOURCE);
    let client = Arc::new(client(&stub, None, &entra, &clock));
    for (expected, record) in wrong {
        let answers = send(&*client, &ours(&[record]), NOW);
        let Delivery::Refused { reason } = &answers[0] else { panic!("{expected}: {answers:?}") };
        assert!(reason.contains(expected), "{reason}");
    }
    // Theirs is told the same.
    let told = official(&[
        step(&stub, &[json!({"Color": "red"})]),
        json!({"do": "logs", "endpoint": stub.url().replace("http", "https"), "rule": "other", "stream": "Custom-A",
            "records": [{}], "identity": {"kind": "fixed", "token": "token-1"}}),
        json!({"do": "logs", "endpoint": stub.url().replace("http", "https"), "rule": RULE, "stream": "Custom-A",
            "records": [{}], "identity": {"kind": "fixed", "token": "token-of-another"}}),
    ]);
    for (told, expected) in told.iter().zip(["UnknownColumn", "NotFound", "InvalidToken"]) {
        assert!(told.said.as_deref().is_some_and(|said| said.contains(expected)), "{expected}: {told:?}");
    }
}
