//! Application Insights: the ingestion at `/v2.1/track`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use driftlead_connectors::Tls;
use driftlead_connectors::azure::{
    Access, ApplicationInsights, ConnectionString, InsightsSettings, Kind, Login, Telemetry,
};
use driftlead_connectors::sink::Delivery;
use serde_json::{Map, Value as Json, json};

use crate::place::{NOW, access, clock, entra, send, tally};
use crate::stub::{Answer, Request, Stub};

pub(crate) const KEY: &str = "5ec2e700-0000-4000-8000-00000000beef";
/// The slash at its end is part of it: the scope has two.
pub(crate) const AUDIENCE: &str = "https://monitor.azure.com/";

/// What the service does with a request: refuses it where it breaks the contract. Of its items those are refused that do
/// so, or whose `name` is `STATUS MESSAGE`.
pub(crate) fn judge(request: &Request, token: Option<&str>) -> Answer {
    let whole = |status: u16, message: &str| {
        let errors = json!([{"index": 0, "statusCode": status, "message": message}]);
        let reply = json!({"itemsReceived": 0, "itemsAccepted": 0, "errors": errors});
        Answer::of(status).saying(&reply.to_string())
    };
    if request.method != "POST" || request.target != "/v2.1/track" {
        return whole(404, "not found");
    }
    if request.header("authorization").and_then(|own| own.strip_prefix("Bearer ")) != token {
        return whole(401, "unauthorized");
    }
    if request.header("content-type") != Some("application/json") {
        return whole(415, "an array of JSON");
    }
    if request.header("content-encoding").is_some() {
        return whole(400, "not compressed");
    }
    let Ok(items) = serde_json::from_slice::<Vec<Json>>(&request.body) else {
        return whole(400, "not an array of JSON");
    };
    if items.len() > 64_000 {
        return whole(413, "too many items");
    }
    let judged = items.iter().map(of_item).enumerate();
    let errors: Vec<Json> = judged
        .filter_map(|(index, own)| {
            let (status, message) = own.err()?;
            Some(json!({"index": index, "statusCode": status, "message": message}))
        })
        .collect();
    let status = match errors.len() {
        0 => 200,
        all if all == items.len() && errors.iter().all(|own| own["statusCode"] == 400) => 400,
        _ => 206,
    };
    let reply = json!({
        "itemsReceived": items.len(), "itemsAccepted": items.len() - errors.len(), "errors": errors,
    });
    Answer::of(status).saying(&reply.to_string())
}

/// The contract of one item.
fn of_item(item: &Json) -> Result<(), (u16, String)> {
    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err((400, what.to_owned())) };
    check(item.to_string().len() <= 65_536, "larger than 64 KB")?;
    check(keys(item) == ["data", "iKey", "name", "tags", "time"], "the keys of an envelope")?;
    if item["iKey"] != KEY {
        return Err((400, format!("Invalid instrumentation key {}", item["iKey"])));
    }
    let time = item["time"].as_str().unwrap_or_default();
    check(time.len() == 27 && time.ends_with('Z') && time.contains('T'), "time")?;
    let tags = item["tags"].as_object().ok_or((400, "tags".to_owned()))?;
    for tag in ["ai.cloud.role", "ai.cloud.roleInstance", "ai.internal.sdkVersion"] {
        check(tags.contains_key(tag), tag)?;
    }
    check(tags.keys().all(|tag| tag.starts_with("ai.")) && tags.values().all(Json::is_string), "tags")?;
    check(keys(&item["data"]) == ["baseData", "baseType"], "data")?;
    let (data, name) = (&item["data"]["baseData"], item["name"].as_str().unwrap_or_default());
    check(data["ver"] == 2, "ver")?;
    match (name, item["data"]["baseType"].as_str().unwrap_or_default()) {
        ("Microsoft.ApplicationInsights.Event", "EventData") => {
            check(is_name(&data["name"]), "name of an event")?;
            properties(data)?;
            let own = data["name"].as_str().unwrap_or_default();
            match own.split_once(' ').and_then(|(status, rest)| Some((status.parse().ok()?, rest))) {
                Some((status, message)) => Err((status, message.to_owned())),
                None => Ok(()),
            }
        }
        ("Microsoft.ApplicationInsights.Metric", "MetricData") => {
            let points = data["metrics"].as_array().ok_or((400, "metrics".to_owned()))?;
            check(points.len() == 1, "one point an item")?;
            check(is_name(&points[0]["name"]) && points[0]["value"].is_number(), "a point")?;
            properties(data)
        }
        ("Microsoft.ApplicationInsights.Availability", "AvailabilityData") => {
            let text = |key: &str| data[key].is_string();
            check(["id", "name", "duration", "runLocation"].into_iter().all(text), "availability")?;
            check(data["success"].is_boolean(), "success")?;
            properties(data)
        }
        _ => Err((400, "an envelope's name and its data do not belong together".to_owned())),
    }
}

fn keys(object: &Json) -> Vec<&str> {
    let mut keys: Vec<&str> =
        object.as_object().map(Map::keys).into_iter().flatten().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn is_name(name: &Json) -> bool {
    name.as_str().is_some_and(|name| !name.is_empty() && name.chars().count() <= 150)
}

fn properties(data: &Json) -> Result<(), (u16, String)> {
    for (name, value) in data["properties"].as_object().into_iter().flatten() {
        let fits = value.as_str().is_some_and(|text| text.chars().count() <= 8_192) && name.len() <= 150;
        if !fits {
            return Err((400, format!("property {name}")));
        }
    }
    let are_numbers = data["measurements"].as_object().into_iter().flatten().all(|(_, own)| own.is_number());
    if are_numbers { Ok(()) } else { Err((400, "measurements".to_owned())) }
}

fn strict() -> Stub {
    Stub::start(|request| Some(judge(request, None)))
}

fn connection(stub: &Stub) -> ConnectionString {
    let text = format!("InstrumentationKey={KEY};IngestionEndpoint={}/;", stub.url());
    ConnectionString::parse(&text).expect("a connection string")
}

pub(crate) fn client_with(stub: &Stub, access: Access) -> ApplicationInsights {
    let settings = InsightsSettings {
        connection: connection(stub),
        role: "driftlead".to_owned(),
        instance: "i-1".to_owned(),
        access,
    };
    ApplicationInsights::new(&settings).expect("a client")
}

pub(crate) fn client(stub: &Stub) -> ApplicationInsights {
    client_with(stub, Access { login: Login::None, tls: Tls::default(), timeout: Duration::from_secs(10) })
}

fn event(name: &str) -> Telemetry {
    Telemetry {
        kind: Kind::Event,
        time: "2026-01-05T08:15:00.533858Z".to_owned(),
        operation: "v-1".to_owned(),
        data: json!({"ver": 2, "name": name, "properties": {"Model": "Zürich"}, "measurements": {"Rows": 600}}),
    }
}

#[test]
fn items_arrive_as_the_contract_has_them() {
    let stub = strict();
    let metric = Telemetry {
        kind: Kind::Metric,
        operation: String::new(),
        data: json!({"ver": 2, "metrics": [{"name": "driftlead.psi", "value": 0.31, "count": 1}], "properties": {}}),
        ..event("")
    };
    let availability = Telemetry {
        kind: Kind::Availability,
        data: json!({"ver": 2, "id": "d-1", "name": "driftlead", "duration": "00:00:00.003", "success": true,
            "runLocation": "i-1"}),
        ..event("")
    };
    let own = client(&stub);
    assert_eq!(tally(&send(&own, &[event("driftlead.verdict"), metric, availability], NOW)), [3, 0, 0, 0]);
    let requests = stub.requests();
    assert_eq!(requests.len(), 1, "one request");
    let body: Json = serde_json::from_slice(&requests[0].body).expect("JSON");
    let version = concat!("driftlead:", env!("CARGO_PKG_VERSION"));
    let tags = json!({"ai.cloud.role": "driftlead", "ai.cloud.roleInstance": "i-1", "ai.operation.id": "v-1",
        "ai.internal.sdkVersion": version});
    assert_eq!(
        body[0],
        json!({
            "name": "Microsoft.ApplicationInsights.Event", "iKey": KEY, "tags": tags,
            "time": "2026-01-05T08:15:00.533858Z",
            "data": {"baseType": "EventData", "baseData": {"ver": 2, "name": "driftlead.verdict",
                "properties": {"Model": "Zürich"}, "measurements": {"Rows": 600}}},
        })
    );
    assert!(body[1]["tags"].get("ai.operation.id").is_none(), "{body}");
    assert_eq!(body[2]["data"]["baseType"], "AvailabilityData");
    assert!(requests[0].header("authorization").is_none(), "the key is enough");
    assert!(!format!("{own:?}").contains(KEY), "{own:?}");
}

#[test]
fn a_token_is_for_the_audience_with_two_slashes() {
    let entra = entra(AUDIENCE);
    let stub = Stub::start(|request| Some(judge(request, Some("token-2"))));
    let own = client_with(&stub, access(&entra, AUDIENCE, &clock()));
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0], "a refused token is asked for anew");
    assert_eq!((stub.requests().len(), entra.requests().len()), (2, 2));
    let form = String::from_utf8(entra.requests()[0].body.clone()).expect("a form");
    assert!(form.contains("scope=https%3A%2F%2Fmonitor.azure.com%2F%2F.default"), "{form}");
}

#[test]
fn of_a_partial_success_each_item_has_its_own_answer() {
    let stub = strict();
    let names = [
        "taken",
        "429 too many",
        "400 bad field",
        "500 internal",
        "402 quota",
        "503 Telemetry sampled out.",
        "439 daily cap",
        "taken too",
        "418 a status that nobody knows",
    ];
    let answers = send(&client(&stub), &names.map(event), NOW);
    let kinds: String = answers
        .iter()
        .map(|own| match own {
            Delivery::Delivered => 'd',
            Delivery::Retry { .. } => 'r',
            Delivery::Refused { .. } => 'x',
            Delivery::Expired { .. } => 'e',
        })
        .collect();
    assert_eq!(kinds, "drxrxdxdx");
    let Delivery::Refused { reason } = &answers[2] else { unreachable!("told above") };
    assert_eq!(reason, "status 400 of the item: bad field");
    assert_eq!(stub.requests().len(), 1, "no attempt of its own: the outbox decides when");
}

#[test]
fn an_answer_that_is_not_clear_loses_nothing() {
    for (answer, expected) in [
        // Three of four, and one that is named.
        (
            r#"{"itemsReceived":4,"itemsAccepted":3,"errors":[{"index":1,"statusCode":400,"message":"no"}]}"#,
            [3, 0, 1, 0],
        ),
        // Two are missing, and one is named: any of the others may be the second.
        (r#"{"itemsReceived":4,"itemsAccepted":2,"errors":[{"index":1,"statusCode":400}]}"#, [0, 3, 1, 0]),
        // The same one twice, and one that is not there.
        (
            r#"{"itemsReceived":4,"itemsAccepted":2,"errors":[{"index":1,"statusCode":500},{"index":1,"statusCode":500},{"index":9,"statusCode":500}]}"#,
            [0, 4, 0, 0],
        ),
        ("welcome", [0, 4, 0, 0]),
        ("", [0, 4, 0, 0]),
    ] {
        let stub = Stub::answering(vec![Answer::of(206).saying(answer)]);
        assert_eq!(tally(&send(&client(&stub), &["a"; 4].map(event), NOW)), expected, "{answer}");
    }
    let stub = Stub::answering(vec![Answer::of(200)]);
    assert_eq!(tally(&send(&client(&stub), &["a"; 4].map(event), NOW)), [4, 0, 0, 0]);
}

#[test]
fn what_may_be_taken_later_waits_and_what_never_will_does_not() {
    for status in [401, 403, 404, 408, 429, 500, 502, 503, 504] {
        let stub = Stub::answering(vec![Answer::of(status).with("retry-after", "7")]);
        let answers = send(&client(&stub), &["a"; 2].map(event), NOW);
        let Delivery::Retry { after, reason } = &answers[0] else { panic!("{status}: {answers:?}") };
        assert_eq!((*after, tally(&answers)), (Some(Duration::from_secs(7)), [0, 2, 0, 0]), "{reason}");
        assert_eq!(stub.requests().len(), 1, "{status}");
    }
    for status in [402, 439] {
        let stub = Stub::answering(vec![Answer::of(status)]);
        let answers = send(&client(&stub), &["a"; 2].map(event), NOW);
        let Delivery::Refused { reason } = &answers[1] else { panic!("{status}: {answers:?}") };
        assert!(reason.contains("quota is used up"), "{reason}");
        assert_eq!(stub.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_request_that_is_refused_whole_is_halved_down_to_the_item_at_fault() {
    // A service that does not say which item it is.
    let stub = Stub::start(|request| {
        let is_bad = String::from_utf8_lossy(&request.body).contains("worst");
        Some(Answer::of(if is_bad { 400 } else { 200 }).saying("no"))
    });
    let items: Vec<Telemetry> = (0..16).map(|at| event(if at == 11 { "worst" } else { "a" })).collect();
    let answers = send(&client(&stub), &items, NOW);
    assert_eq!(tally(&answers), [15, 0, 1, 0]);
    assert!(matches!(answers[11], Delivery::Refused { .. }), "{answers:?}");

    // One that says it of all of them is believed at once.
    let stub = strict();
    let answers = send(&client(&stub), &["400 a", "400 b"].map(event), NOW);
    assert_eq!((tally(&answers), stub.requests().len()), ([0, 0, 2, 0], 1));
}

#[test]
fn the_key_never_stands_in_a_reason() {
    let said = format!("Invalid instrumentation key {KEY} or {}", KEY.to_ascii_uppercase());
    let whole = format!(
        r#"{{"itemsReceived":1,"itemsAccepted":0,"errors":[{{"index":0,"statusCode":400,"message":"{said}"}}]}}"#
    );
    for answer in [
        Answer::of(400).saying(&said),
        Answer::of(403).saying(&said),
        Answer::of(402).saying(&said),
        Answer::of(206).saying(&whole),
        Answer::of(400).saying(&whole),
    ] {
        let stub = Stub::answering(vec![answer]);
        let answers = format!("{:?}", send(&client(&stub), &[event("a")], NOW));
        assert!(answers.contains("***"), "{answers}");
        assert!(!answers.to_ascii_lowercase().contains(KEY), "{answers}");
    }
}

#[test]
fn items_and_requests_keep_their_limits() {
    let stub = strict();
    let own = client(&stub);
    let long = Telemetry {
        data: json!({"ver": 2, "name": "a", "properties": {"p": "x".repeat(70_000)}}),
        ..event("")
    };
    let answers = send(&own, &[event("a"), long, event("b")], NOW);
    let [Delivery::Delivered, Delivery::Refused { reason }, Delivery::Delivered] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert!(reason.contains("the service takes 65536"), "{reason}");

    let before = stub.requests().len();
    let answers = send(&own, &vec![event("a"); 10_000], NOW);
    assert_eq!(tally(&answers), [10_000, 0, 0, 0]);
    let sizes: Vec<usize> = stub.requests()[before..].iter().map(|request| request.body.len()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= 1_000_000), "{sizes:?}");
}

#[test]
fn a_redirect_is_followed_here_and_never_to_a_foreign_host() {
    let place = strict();
    let target = format!("{}/v2.1/track", place.url());
    let leads = |status: u16, to: &str| Stub::answering(vec![Answer::of(status).with("location", to)]);

    let passing = leads(307, &target);
    let own = client(&passing);
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
    assert_eq!((passing.requests().len(), place.requests().len()), (2, 2), "for now");
    assert_eq!(passing.requests()[0].body, place.requests()[0].body);

    let moved = leads(308, &target);
    let own = client(&moved);
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
    assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
    assert_eq!((moved.requests().len(), place.requests().len()), (1, 4), "for good");

    for (status, to, said) in [
        (307, "https://evil.example/v2.1/track", "leads to `evil.example`"),
        (308, "http://10.0.0.1/v2.1/track", "leads to `10.0.0.1`"),
        (
            307,
            "https://westeurope-5.in.applicationinsights.azure.com/v2.1/track",
            "no place of the same cloud",
        ),
    ] {
        let stub = leads(status, to);
        let own = client(&stub);
        let answers = send(&own, &[event("a")], NOW);
        let Delivery::Retry { reason, .. } = &answers[0] else { panic!("{answers:?}") };
        assert!(reason.contains(said), "{reason}");
        assert_eq!(tally(&send(&own, &[event("a")], NOW)), [0, 1, 0, 0], "and not remembered");
        assert_eq!(stub.requests().len(), 2);
    }

    // One that leads to itself.
    let circle = Stub::answering(vec![Answer::of(307).with("location", "/v2.1/track")]);
    let answers = send(&client(&circle), &[event("a")], NOW);
    let Delivery::Retry { reason, .. } = &answers[0] else { panic!("{answers:?}") };
    assert!(reason.contains("more than 5 redirects"), "{reason}");
    assert_eq!(circle.requests().len(), 6);
}

#[test]
fn a_place_to_which_it_moved_and_that_is_gone_is_forgotten() {
    let gone = Stub::answering(vec![Answer::of(200), Answer::of(503), Answer::of(200)]);
    let first = Stub::answering(vec![
        Answer::of(308).with("location", &format!("{}/v2.1/track", gone.url())),
        Answer::of(200),
    ]);
    let own = client(&first);
    let one = [event("a")];
    assert_eq!(tally(&send(&own, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!(tally(&send(&own, &one, NOW)), [0, 1, 0, 0], "the new place fails");
    assert_eq!(tally(&send(&own, &one, NOW)), [1, 0, 0, 0], "the first is asked again");
    assert_eq!((first.requests().len(), gone.requests().len()), (2, 2));
}

#[test]
fn no_token_is_no_loss_and_no_request() {
    let entra = entra("https://monitor.azure.com");
    let stub = strict();
    let own = client_with(&stub, access(&entra, AUDIENCE, &Arc::new(AtomicI64::new(NOW))));
    let answers = send(&own, &[event("a")], NOW);
    let Delivery::Retry { reason, .. } = &answers[0] else { panic!("{answers:?}") };
    assert!(reason.contains("AADSTS70011") && !reason.contains("hush-hush"), "{reason}");
    assert!(stub.requests().is_empty());
}

#[test]
fn a_token_serves_until_half_of_its_hour() {
    let entra = entra(AUDIENCE);
    let stub = Stub::start(|_| Some(Answer::of(200)));
    let clock = clock();
    let own = client_with(&stub, access(&entra, AUDIENCE, &clock));
    for (minutes, asked) in [(0, 1), (29, 1), (31, 2)] {
        clock.store(NOW + minutes * 60_000_000, Ordering::SeqCst);
        assert_eq!(tally(&send(&own, &[event("a")], NOW)), [1, 0, 0, 0]);
        assert_eq!(entra.requests().len(), asked, "after {minutes} minutes");
    }
}

#[test]
fn the_server_of_these_tests_refuses_what_breaks_the_contract() {
    let stub = strict();
    assert_eq!(tally(&send(&client(&stub), &[event("a")], NOW)), [1, 0, 0, 0]);
    let well = stub.requests().remove(0);
    let status = |change: &dyn Fn(&mut Request)| {
        let mut request = well.clone();
        change(&mut request);
        judge(&request, None).status
    };
    let item = |change: &dyn Fn(&mut Json)| {
        status(&|own| {
            let mut items: Json = serde_json::from_slice(&own.body).expect("JSON");
            change(&mut items[0]);
            own.body = items.to_string().into_bytes();
        })
    };
    assert_eq!(status(&|_| ()), 200);
    assert_eq!(status(&|own| own.method = "PUT".to_owned()), 404);
    assert_eq!(status(&|own| own.target = "//v2.1/track".to_owned()), 404, "two slashes");
    assert_eq!(status(&|own| own.target = "/v2/track".to_owned()), 404);
    assert_eq!(
        status(&|own| own.headers.push(("authorization".to_owned(), "Bearer x".to_owned()))),
        401,
        "a token of somebody else"
    );
    assert_eq!(status(&|own| own.headers.retain(|(name, _)| name != "content-type")), 415);
    assert_eq!(status(&|own| own.headers.push(("content-encoding".to_owned(), "gzip".to_owned()))), 400);
    assert_eq!(status(&|own| own.body = own.body[1..own.body.len() - 1].to_vec()), 400, "no array");
    assert_eq!(status(&|own| own.body = format!("[{}]", ["{}"; 64_001].join(",")).into_bytes()), 413);
    assert_eq!(item(&|own| own["iKey"] = json!("another")), 400);
    assert_eq!(item(&|own| own["name"] = json!("Microsoft.ApplicationInsights.Metric")), 400);
    assert_eq!(item(&|own| own["time"] = json!("2026-01-05 08:15:00")), 400);
    assert_eq!(item(&|own| own["tags"] = json!({"ai.cloud.role": "driftlead"})), 400);
    assert_eq!(item(&|own| own["data"]["baseData"]["ver"] = json!(1)), 400);
    assert_eq!(item(&|own| own["data"]["baseData"]["name"] = json!("x".repeat(151))), 400);
    assert_eq!(item(&|own| own["data"]["baseData"]["properties"]["p"] = json!("x".repeat(8_193))), 400);
    assert_eq!(item(&|own| own["data"]["baseData"]["properties"]["p"] = json!(1)), 400, "a number");
    assert_eq!(item(&|own| own["data"]["baseData"]["measurements"]["m"] = json!("1")), 400, "a text");
    let two = |own: &mut Request| {
        let items: Json = serde_json::from_slice(&own.body).expect("JSON");
        let mut other = items[0].clone();
        other["iKey"] = json!("another");
        own.body = json!([items[0], other]).to_string().into_bytes();
    };
    assert_eq!(status(&two), 206);
}
