//! Custom metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arrow_cast::parse::string_to_timestamp_nanos;
use driftlead_connectors::azure::{
    CustomMetrics, LogRecord, LogsIngestion, LogsSettings, MetricRecord, MetricsSettings, Resource, Rule,
};
use driftlead_connectors::sink::Delivery;
use serde_json::{Map, Value as Json, json};

use crate::place::{NOW, access, clock, send, tally};
use crate::stub::{Answer, Request, Stub};

const AUDIENCE: &str = "https://monitoring.azure.com";
const ID: &str = "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventHub/namespaces/orders";
const MINUTE: i64 = 60_000_000;

/// An Entra whose tokens say for what they are: `n.AUDIENCE`.
fn entra() -> Stub {
    let mut given = 0;
    Stub::start(move |request| {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let scope = form.iter().find(|(name, _)| name == "scope").expect("a scope").1.clone();
        let audience = scope.strip_suffix("/.default").expect("a resource and `/.default`");
        given += 1;
        let token = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("{given}.{audience}")});
        Some(Answer::of(200).saying(&token.to_string()))
    })
}

/// What the service does with a request at a time: refuses it where it breaks the documented contract.
fn judge(request: &Request, now: i64) -> Answer {
    let error = |status: u16, code: &str| {
        Answer::of(status).saying(&json!({"error": {"code": code, "message": "no"}}).to_string())
    };
    if request.method != "POST" || request.target != format!("{ID}/metrics") {
        return error(404, "ResourceNotFound");
    }
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if token.and_then(|token| token.split_once('.')).map(|(_, audience)| audience) != Some(AUDIENCE) {
        return error(401, "InvalidAudience");
    }
    if request.header("content-type") != Some("application/json")
        || request.header("content-encoding").is_some()
    {
        return error(415, "UnsupportedMediaType");
    }
    match serde_json::from_slice(&request.body)
        .map_err(|error| error.to_string())
        .and_then(|body| read(&body, now))
    {
        Ok(_) => Answer::of(200),
        Err(fault) => error(400, &fault),
    }
}

fn keys<'a>(json: &'a Json, names: &[&str]) -> Result<&'a Map<String, Json>, String> {
    let map = json.as_object().ok_or("no object")?;
    let own: Vec<&str> = map.keys().map(String::as_str).collect();
    let same = own.len() == names.len() && names.iter().all(|name| own.contains(name));
    if same { Ok(map) } else { Err(format!("the keys {own:?}, expected {names:?}")) }
}

fn names(json: &Json) -> Result<Vec<&str>, String> {
    let all = json.as_array().ok_or("no array")?;
    let all: Option<Vec<&str>> = all.iter().map(Json::as_str).collect();
    let all = all.ok_or("no text")?;
    match all.iter().find(|name| !(1..=256).contains(&name.chars().count())) {
        Some(name) => Err(format!("{} characters", name.chars().count())),
        None => Ok(all),
    }
}

/// How many series the body has, or what is wrong with it.
fn read(body: &Json, now: i64) -> Result<usize, String> {
    let body = keys(body, &["time", "data"])?;
    let time = body["time"].as_str().ok_or("a time that is no text")?;
    if time.as_bytes().get(10) != Some(&b'T') || !time.ends_with('Z') {
        return Err(format!("the time `{time}`"));
    }
    let micros = string_to_timestamp_nanos(time).map_err(|error| error.to_string())? / 1_000;
    if !(-5 * MINUTE..=20 * MINUTE + 1_000_000).contains(&(now - micros)) {
        return Err(format!("the time `{time}` is out of bounds"));
    }
    let data = keys(&body["data"], &["baseData"])?;
    let base = keys(&data["baseData"], &["metric", "namespace", "dimNames", "series"])?;
    let own = json!([base["metric"], base["namespace"]]);
    names(&own)?;
    let dimensions = names(&base["dimNames"])?;
    if dimensions.len() > 10 {
        return Err("more than ten dimensions".to_owned());
    }
    let series = base["series"].as_array().filter(|all| !all.is_empty()).ok_or("no series")?;
    let mut seen = Vec::new();
    for one in series {
        let one = keys(one, &["dimValues", "min", "max", "sum", "count"])?;
        let values = names(&one["dimValues"])?;
        if values.len() != dimensions.len() {
            return Err(format!("{} names for {} values", dimensions.len(), values.len()));
        }
        if seen.contains(&values) {
            return Err("a series twice".to_owned());
        }
        if values.contains(&"bad") {
            return Err("a bad value".to_owned());
        }
        seen.push(values);
        let number = |name: &str| one[name].as_f64().ok_or(format!("`{name}` is no number"));
        let count = one["count"].as_u64().filter(|count| *count > 0).ok_or("no count")? as f64;
        let (min, max, sum) = (number("min")?, number("max")?, number("sum")?);
        if min > max || sum < min * count - 1e-9 || sum > max * count + 1e-9 {
            return Err("min, max, sum and count do not fit".to_owned());
        }
    }
    Ok(series.len())
}

fn strict(clock: &Arc<AtomicI64>) -> Stub {
    let clock = clock.clone();
    Stub::start(move |request| Some(judge(request, clock.load(Ordering::SeqCst))))
}

fn settings(first: &Stub, entra: &Stub, clock: &Arc<AtomicI64>) -> MetricsSettings {
    MetricsSettings {
        first: Resource { endpoint: first.url(), resource: ID.to_owned() },
        second: None,
        namespace: "driftlead".to_owned(),
        access: access(entra, AUDIENCE, clock),
    }
}

fn client(first: &Stub, entra: &Stub, clock: &Arc<AtomicI64>) -> CustomMetrics {
    CustomMetrics::new(&settings(first, entra, clock)).expect("a client")
}

fn record(metric: &str, feature: &str, time: i64, value: f64) -> MetricRecord {
    let dimensions = vec![("Model", "orders".to_owned()), ("Feature", feature.to_owned())];
    MetricRecord { metric: metric.to_owned(), time, dimensions, value }
}

fn bodies(stub: &Stub) -> Vec<Json> {
    stub.requests().iter().map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
}

#[test]
fn a_request_holds_one_metric_of_one_minute_with_all_its_series() {
    let (clock, entra) = (clock(), entra());
    let stub = strict(&clock);
    let client = client(&stub, &entra, &clock);
    let records = [
        record("psi", "price", NOW + 2_500_000, 0.31),
        record("psi", "age", NOW + 3_000_000, 0.25),
        record("ks", "age", NOW, 0.5),
        record("psi", "age", NOW + 59_000_000, 0.5),
        record("psi", "age", NOW - MINUTE, 7.0),
    ];
    assert_eq!(tally(&send(&client, &records, NOW)), [5, 0, 0, 0]);
    let series = |feature: &str, min: f64, max: f64, sum: f64, count: u64| json!({"dimValues": ["orders", feature], "min": min, "max": max, "sum": sum, "count": count});
    let body = |time: &str, metric: &str, series: &[Json]| {
        let base = json!({
            "metric": metric, "namespace": "driftlead", "dimNames": ["Model", "Feature"], "series": series,
        });
        json!({"time": time, "data": {"baseData": base}})
    };
    assert_eq!(
        bodies(&stub),
        [
            body("2026-01-05T08:14:00Z", "psi", &[series("age", 7.0, 7.0, 7.0, 1)]),
            body("2026-01-05T08:15:00Z", "ks", &[series("age", 0.5, 0.5, 0.5, 1)]),
            body(
                "2026-01-05T08:15:02Z",
                "psi",
                &[series("age", 0.25, 0.5, 0.75, 2), series("price", 0.31, 0.31, 0.31, 1)]
            ),
        ]
    );
    let request = &stub.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer 1.https://monitoring.azure.com"));
    assert!(request.header("x-ms-client-request-id").is_some());
    assert_eq!(entra.requests().len(), 1, "the token is kept");
}

#[test]
fn what_is_too_old_expires_and_what_is_ahead_is_refused_without_a_request() {
    let (clock, entra) = (clock(), entra());
    let stub = strict(&clock);
    let client = client(&stub, &entra, &clock);
    let at = |minutes: i64, micros: i64| record("psi", "age", NOW + minutes * MINUTE + micros, 1.0);
    let answers = send(&client, &[at(-20, 0), at(-20, -1), at(5, 0), at(5, 1)], NOW);
    assert_eq!(answers[0], Delivery::Delivered);
    assert_eq!(
        answers[1],
        Delivery::Expired { reason: "20 minutes old; custom metrics are taken for 20".to_owned() }
    );
    assert_eq!(answers[2], Delivery::Delivered);
    let Delivery::Refused { reason } = &answers[3] else { panic!("{answers:?}") };
    assert!(reason.contains("5 minutes ahead of the clock"), "{reason}");
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn an_hour_without_the_service_costs_metrics_and_no_log() {
    let (clock, entra) = (clock(), entra());
    let is_up = Arc::new(AtomicBool::new(false));
    let (up, time) = (is_up.clone(), clock.clone());
    let stub = Stub::start(move |request| {
        let is_log = request.target.starts_with("/dataCollectionRules/");
        let now = time.load(Ordering::SeqCst);
        Some(match (up.load(Ordering::SeqCst), is_log) {
            (false, _) => Answer::of(503),
            (true, true) => Answer::of(204),
            (true, false) => judge(request, now),
        })
    });
    let metrics = client(&stub, &entra, &clock);
    let rule = Rule { endpoint: stub.url(), rule: "dcr-1".to_owned() };
    let access = access(&entra, "https://monitor.azure.com", &clock);
    let logs = LogsIngestion::new(&LogsSettings { first: rule, second: None, access }).expect("a client");
    let metric = [record("psi", "age", NOW, 1.0)];
    let log = [LogRecord { stream: "Custom-A".to_owned(), json: "{}".to_owned() }];
    let mut answered = Vec::new();
    for minute in [0, 1, 5, 10, 20, 21, 40, 59] {
        let now = NOW + minute * MINUTE;
        clock.store(now, Ordering::SeqCst);
        answered.push((tally(&send(&metrics, &metric, now)), tally(&send(&logs, &log, now))));
    }
    let (waits, is_over) = ([0, 1, 0, 0], [0, 0, 0, 1]);
    assert_eq!(answered[..5], [(waits, waits); 5], "they wait");
    assert_eq!(answered[5..], [(is_over, waits); 3], "metrics are of no use any more");
    let now = NOW + 60 * MINUTE;
    clock.store(now, Ordering::SeqCst);
    is_up.store(true, Ordering::SeqCst);
    assert_eq!(tally(&send(&metrics, &metric, now)), is_over);
    assert_eq!(tally(&send(&logs, &log, now)), [1, 0, 0, 0]);
    assert_eq!(tally(&send(&metrics, &[record("psi", "age", now, 1.0)], now)), [1, 0, 0, 0], "news arrives");
}

#[test]
fn a_bad_series_takes_no_other_with_it() {
    let (clock, entra) = (clock(), entra());
    let stub = strict(&clock);
    let client = client(&stub, &entra, &clock);
    let name = |at: usize| if at == 33 { "bad".to_owned() } else { format!("f{at}") };
    let mut records: Vec<MetricRecord> = (0..1_200).map(|at| record("psi", &name(at), NOW, 1.0)).collect();
    records.push(record("ks", "age", NOW, f64::NAN));
    let mut wide = record("ks", "age", NOW, 1.0);
    wide.dimensions = (0..11).map(|_| ("Same", "x".to_owned())).collect();
    records.push(wide);
    let long = "ä".repeat(10_000);
    records.push(record("ks", &long, NOW, 1.0));
    let answers = send(&client, &records, NOW);
    assert_eq!(tally(&answers), [1_200, 0, 3, 0]);
    let reason = |at: usize| match &answers[at] {
        Delivery::Refused { reason } => reason.clone(),
        other => panic!("{at}: {other:?}"),
    };
    assert_eq!(reason(33), "status 400: a bad value: no");
    assert_eq!(reason(1_200), "`ks` is not finite");
    assert_eq!(reason(1_201), "`ks` has 11 dimensions; a metric takes 10");
    let taken: usize = bodies(&stub).iter().filter_map(|body| read(body, NOW).ok()).sum();
    assert_eq!(taken, 1_200, "each arrives once");
    assert!(stub.requests().len() < 30, "{}", stub.requests().len());
}

#[test]
fn any_2xx_is_success_and_the_rest_waits_as_long_as_it_is_told() {
    for (answer, expected) in [
        (Answer::of(200), None),
        (Answer::of(202), None),
        (Answer::of(204), None),
        (Answer::of(429).with("retry-after", "7"), Some(("status 429", Some(7)))),
        (Answer::of(408), Some(("status 408", None))),
        (Answer::of(503).with("retry-after", "30"), Some(("status 503", Some(30)))),
        (Answer::of(403).saying("no role"), Some(("status 403: no role", None))),
        (Answer::of(404), Some(("status 404", None))),
        (Answer::of(302).with("location", "http://127.0.0.1:9/x"), Some(("status 302", None))),
    ] {
        let (clock, entra, stub) = (clock(), entra(), Stub::answering(vec![answer]));
        let client = client(&stub, &entra, &clock);
        let answers = send(&client, &[record("psi", "a", NOW, 1.0), record("ks", "b", NOW, 1.0)], NOW);
        match expected {
            None => assert_eq!(tally(&answers), [2, 0, 0, 0]),
            Some((reason, after)) => {
                let after = after.map(Duration::from_secs);
                assert_eq!(answers[0], Delivery::Retry { after, reason: reason.to_owned() });
                assert_eq!(answers[1], answers[0]);
                assert_eq!(stub.requests().len(), 1, "the second metric would meet the same");
            }
        }
    }
}

#[test]
fn a_token_that_is_refused_is_asked_for_anew_and_one_that_ages_in_time() {
    let (clock, entra) = (clock(), entra());
    let stub = Stub::start(|request| {
        let is_first = request.header("authorization") == Some("Bearer 1.https://monitoring.azure.com");
        Some(if is_first { Answer::of(401) } else { judge(request, NOW) })
    });
    let client = client(&stub, &entra, &clock);
    let one = [record("psi", "age", NOW, 1.0)];
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!((stub.requests().len(), entra.requests().len()), (2, 2));
    clock.store(NOW + 1_900 * 1_000_000, Ordering::SeqCst);
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!(entra.requests().len(), 3, "in the second half of its hour");
}

#[test]
fn a_token_for_logs_is_not_taken_and_shown_to_nobody() {
    let (clock, entra) = (clock(), entra());
    let stub = strict(&clock);
    let mut own = settings(&stub, &entra, &clock);
    own.access = access(&entra, "https://monitor.azure.com", &clock);
    let client = CustomMetrics::new(&own).expect("a client");
    let answers = send(&client, &[record("psi", "age", NOW, 1.0)], NOW);
    let Delivery::Retry { reason, .. } = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(reason, "status 401: InvalidAudience: no");
    let shown = format!("{client:?} {own:?} {answers:?}");
    assert!(!shown.contains("hush-hush") && !shown.contains(".https://"), "{shown}");
}

#[test]
fn another_region_takes_over_for_a_minute() {
    let down = Stub::start(|_| Some(Answer::of(502)));
    let (clock, entra) = (clock(), entra());
    let second = Stub::start(|_| Some(Answer::of(200)));
    let mut own = settings(&down, &entra, &clock);
    let other = ID.replace("orders", "orders-2");
    own.second = Some(Resource { endpoint: second.url(), resource: other.clone() });
    let client = CustomMetrics::new(&own).expect("a client");
    let asked = |now: i64| {
        assert_eq!(tally(&send(&client, &[record("psi", "age", now, 1.0)], now)), [1, 0, 0, 0]);
        (down.requests().len(), second.requests().len())
    };
    assert_eq!(asked(NOW), (1, 1));
    assert_eq!(asked(NOW + 59_000_000), (1, 2), "the first is left alone");
    assert_eq!(asked(NOW + 61_000_000), (2, 3), "and then tried again");
    assert_eq!(second.requests()[0].target, format!("{other}/metrics"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let (clock, entra) = (clock(), entra());
    let stub = strict(&clock);
    for (endpoint, resource, expected) in [
        ("http://westeurope.monitoring.azure.com", ID, "is not `https`"),
        ("westeurope", ID, "is not an address"),
        (stub.url().as_str(), "/subscriptions/S/resourceGroups/G", "is not the id of a resource"),
        (stub.url().as_str(), "orders", "is not the id of a resource"),
    ] {
        let mut own = settings(&stub, &entra, &clock);
        own.first = Resource { endpoint: endpoint.to_owned(), resource: resource.to_owned() };
        let error = CustomMetrics::new(&own).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_server_of_these_tests_refuses_what_breaks_the_contract() {
    let body = json!({"time": "2026-01-05T08:15:00Z", "data": {"baseData": {
        "metric": "PopulationStabilityIndex", "namespace": "ModelMonitor", "dimNames": ["Model", "Feature"],
        "series": [{"dimValues": ["credit", "age"], "min": 0.31, "max": 0.31, "sum": 0.31, "count": 1}],
    }}});
    let well = Request {
        method: "POST".to_owned(),
        target: format!("{ID}/metrics"),
        headers: [
            ("authorization", "Bearer 1.https://monitoring.azure.com"),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: body.to_string().into_bytes(),
    };
    let status = |change: &dyn Fn(&mut Request)| {
        let mut request = well.clone();
        change(&mut request);
        judge(&request, NOW).status
    };
    assert_eq!(status(&|_| ()), 200);
    assert_eq!(status(&|own| own.method = "PUT".to_owned()), 404);
    assert_eq!(status(&|own| own.target = "/subscriptions/S/resourceGroups/G/metrics".to_owned()), 404);
    // The audience of logs, and a credential that was printed in place of its token.
    for token in ["Bearer 1.https://monitor.azure.com", "Bearer AccessToken(token='T', expires_on=1)"] {
        assert_eq!(status(&|own| own.headers[0].1 = token.to_owned()), 401, "{token}");
    }
    assert_eq!(status(&|own| own.headers[1].1 = "text/plain".to_owned()), 415);

    let said = |change: &dyn Fn(&mut Json)| {
        let mut body = body.clone();
        change(&mut body);
        let request = Request { body: body.to_string().into_bytes(), ..well.clone() };
        let answer = judge(&request, NOW);
        assert_eq!(answer.status, 400, "{body}");
        answer.body
    };
    let assert_said = |expected: &str, change: &dyn Fn(&mut Json)| {
        let said = said(change);
        assert!(said.contains(expected), "{said}");
    };
    // What the publisher of Azure ML sends: a comma is missing between two of six names.
    assert_said("5 names for 6 values", &|own| {
        let base = &mut own["data"]["baseData"];
        base["dimNames"] =
            json!(["GroupGroupDimension", "MonitorName", "SignalName", "DataWindowStart", "DataWindowEnd"]);
        base["series"][0]["dimValues"] = json!(["age", "", "m", "s", "a", "b"].map(|v| format!("{v}.")));
    });
    // And the time with a space.
    assert_said("the time `2026-01-05 08:15:00Z`", &|own| own["time"] = "2026-01-05 08:15:00Z".into());
    assert_said("out of bounds", &|own| own["time"] = "2026-01-05T07:54:00Z".into());
    assert_said("out of bounds", &|own| own["time"] = "2026-01-05T08:21:00Z".into());
    let series = |own: &mut Json, name: &str, value: Json| own["data"]["baseData"]["series"][0][name] = value;
    assert_said("`min` is no number", &|own| series(own, "min", Json::Null));
    assert_said("do not fit", &|own| series(own, "count", 2.into()));
    assert_said("no count", &|own| series(own, "count", 0.into()));
    assert_said("257 characters", &|own| series(own, "dimValues", json!(["credit", "x".repeat(257)])));
    assert_said("0 characters", &|own| series(own, "dimValues", json!(["credit", ""])));
    assert_said("more than ten", &|own| {
        own["data"]["baseData"]["dimNames"] = (0..11).map(|at| at.to_string()).collect();
    });
    assert_said("a series twice", &|own| {
        let series = own["data"]["baseData"]["series"].as_array_mut().expect("an array");
        series.push(series[0].clone());
    });
    assert_said("the keys", &|own| own["data"]["baseData"]["extra"] = 1.into());
}
