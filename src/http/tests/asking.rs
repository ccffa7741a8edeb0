//! Questions, and that answers are what was committed.

use serde_json::{Value, json};

use super::world::{NOW, World, id, trouble, window};
use crate::http::histogram::BARS;

/// The ids of a page's items.
fn ids(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| u64::from_str_radix(item["id"].as_str().unwrap(), 16).unwrap()).collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn windows_are_found_by_all_that_can_be_asked() {
    let world = World::open();
    let ask = |query: &str| {
        let reply = world.get(&format!("/api/v1/models/flights/windows{query}"));
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        ids(&reply.json())
    };
    assert_eq!(ask(""), [5, 12, 11, 4, 3, 2, 1]);
    assert_eq!(ask("?segment=null"), [5, 4, 3, 2, 1]);
    assert_eq!(ask(&format!("?segment={}", encoded(r#"{ "origin" : "ATL" }"#))), [11]);
    assert_eq!(ask(&format!("?segment={}", encoded(r#"{"origin":null}"#))), [12]);
    assert_eq!(ask(&format!("?segment={}", encoded(r#"{"origin":"JFK"}"#))), [0_u64; 0]);
    assert_eq!(ask("?final=false"), [5]);
    assert_eq!(ask("?segment=null&final=true"), [4, 3, 2, 1]);
    assert_eq!(ask("?segment=null&since=2001-02-01T02:00:00Z&until=2001-02-01T04:00:00Z"), [4, 3]);
    assert_eq!(ask("?name=daily"), [0_u64; 0]);
    assert_eq!(ask("?name=hourly&version=2001-01&limit=2"), [5, 12]);
    assert_eq!(ask("?version=2001-02"), [0_u64; 0]);
}

#[test]
fn a_window_has_the_bytes_that_were_committed() {
    let world = World::open();
    let page = world.get("/api/v1/models/flights/windows?segment=null&limit=1").body;
    let document = window(5, 4, None, 0, false).document;
    assert!(page.starts_with(&format!(r#"{{"items":[{document}],"next":""#)), "{page}");
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let world = World::open();
    for path in ["models/flights/windows?", "alerts?", "messages?"] {
        let all = world.get(&format!("/api/v1/{path}limit=500")).json();
        assert!(all["next"].is_null() && all["items"].as_array().unwrap().len() > 1, "{path}: {all}");
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.get(&format!("/api/v1/{path}limit=1{cursor}")).json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(Value::Array(items), all["items"], "{path}");
    }
}

#[test]
fn a_model_that_is_unknown_is_told_from_one_without_windows() {
    let world = World::open();
    let unknown = world.get("/api/v1/models/fligths/windows");
    assert_eq!(
        (unknown.status, unknown.error().contains("did you mean `flights`?")),
        (404, true),
        "{unknown:?}"
    );
    // A model that was taken away is still asked about.
    assert_eq!(ids(&world.get("/api/v1/models/gone/windows").json()), [21]);
    assert_eq!(world.get("/api/v1/models/gone").status, 404);
    assert_eq!(world.get("/api/v1/models/fligths/features").status, 404);
}

#[test]
fn a_window_shows_every_revision_and_the_newest_document() {
    let world = World::open();
    let found = world.get(&format!("/api/v1/windows/{}", id(1))).json();
    assert_eq!(found["model"], json!({"name": "flights", "version": "2001-01"}));
    let revisions = found["revisions"].as_array().unwrap();
    let about: Vec<_> =
        revisions.iter().map(|own| (own["revision"].as_u64(), own["final"].as_bool())).collect();
    assert_eq!(about, [(Some(1), Some(true)), (Some(0), Some(false))]);
    assert_eq!(revisions[0]["window"]["id"], id(1));
    assert!(revisions[1]["window"].is_null(), "{found}");
    let missing = world.get(&format!("/api/v1/windows/{}", id(99)));
    assert_eq!((missing.status, missing.error().contains(&id(99))), (404, true), "{missing:?}");
}

#[test]
fn models_show_settings_and_what_was_last_said_but_no_path() {
    let world = World::open();
    let list = world.get("/api/v1/models").json();
    let model = &list["items"][0];
    assert_eq!((model["name"].as_str(), model["open_alerts"].as_u64()), (Some("flights"), Some(1)));
    assert_eq!(model["baseline"]["rows"], 2000);
    assert_eq!(model["freshness_seconds"], 2.5);
    let windows = model["windows"].as_array().unwrap();
    assert_eq!((windows[0]["name"].as_str(), windows[0]["length"].as_str()), (Some("hourly"), Some("1h")));
    assert_eq!(windows[0]["newest"]["id"], id(5));
    assert!(windows[1]["newest"].is_null(), "{model}");
    let reply = world.get("/api/v1/models/flights");
    let one = reply.json();
    assert_eq!(one["windows"], model["windows"]);
    assert_eq!(one["segments"], json!([["origin"]]));
    let features: Vec<_> =
        one["features"].as_array().unwrap().iter().map(|own| (&own["name"], &own["kind"])).collect();
    assert_eq!(features, [(&json!("delay"), &json!("numeric")), (&json!("origin"), &json!("categorical"))]);
    assert_eq!(one["thresholds"][1]["features"], json!(["delay"]));
    assert_eq!(one["thresholds"][0]["above"], json!({"warn": 0.1, "drift": 0.2}));
    let path = world.folder.path().to_str().unwrap();
    assert!(!reply.body.contains(path) && !reply.body.contains("baseline.csv"), "{reply:?}");
}

#[test]
fn features_show_the_baseline_in_bars_that_add_up_and_the_newest_final_window() {
    let world = World::open();
    let list = world.get("/api/v1/models/flights/features").json();
    let [delay, origin] = [&list["items"][0], &list["items"][1]];
    let bars = delay["baseline"]["histogram"]["bars"].as_array().unwrap();
    let sum: u64 = bars.iter().map(|bar| bar["rows"].as_u64().unwrap()).sum();
    assert_eq!((bars.len(), sum), (BARS, 2000), "{delay}");
    // Every value of -20.0, -19.9, ... 79.9 is there twice: the counts follow from the widths alone.
    for bar in bars {
        let (low, high) = (bar["low"].as_f64().unwrap(), bar["high"].as_f64().unwrap());
        let expected = (high - low) * 20.0;
        assert!((bar["rows"].as_f64().unwrap() - expected).abs() <= 2.0, "{bar}: {expected}");
    }
    assert_eq!((bars[0]["low"].as_f64(), bars[BARS - 1]["high"].as_f64()), (Some(-20.0), Some(79.9)));
    let categories = origin["baseline"]["histogram"]["categories"].as_array().unwrap();
    let sum: u64 = categories.iter().map(|own| own["rows"].as_u64().unwrap()).sum();
    assert_eq!((categories.len(), sum), (3, 2000), "{origin}");
    let newest = &delay["windows"][0];
    assert_eq!(
        (newest["id"].as_str(), newest["feature"]["name"].as_str()),
        (Some(id(4).as_str()), Some("delay"))
    );
    assert_eq!(origin["windows"], json!([]), "the documents of this test know no origin");

    let atlanta = encoded(r#"{"origin":"ATL"}"#);
    let segment =
        world.get(&format!("/api/v1/models/flights/features?feature=delay&segment={atlanta}")).json();
    assert_eq!(segment["items"].as_array().unwrap().len(), 1);
    assert_eq!(segment["items"][0]["windows"][0]["id"], id(11));
    let rows = segment["items"][0]["baseline"]["rows"].as_u64().unwrap();
    let atlanta = categories.iter().find(|own| own["category"] == "ATL").unwrap();
    assert_eq!(Some(rows), atlanta["rows"].as_u64());
    let nowhere =
        world.get(&format!("/api/v1/models/flights/features?segment={}", encoded(r#"{"origin":"X"}"#)));
    assert!(nowhere.json()["items"][0]["baseline"].is_null(), "{nowhere:?}");
    for (query, hint) in
        [("feature=dealy", "did you mean `delay`?"), ("name=hourl", "did you mean `hourly`?")]
    {
        let reply = world.get(&format!("/api/v1/models/flights/features?{query}"));
        assert_eq!((reply.status, reply.error().contains(hint)), (404, true), "{reply:?}");
    }
}

#[test]
fn alerts_are_their_newest_message_with_their_state() {
    let world = World::open();
    let ask = |query: &str| world.get(&format!("/api/v1/alerts{query}")).json();
    assert_eq!(ids(&ask("")), [0x65, 0x66]);
    assert_eq!(ids(&ask("?status=open")), [0x65]);
    assert_eq!(ids(&ask("?status=resolved&model=flights")), [0x66]);
    assert_eq!(ids(&ask("?model=other")), [0_u64; 0]);
    let alert = world.get(&format!("/api/v1/alerts/{}", id(102))).json();
    assert_eq!((&alert["status"], &alert["state"]), (&json!("resolved"), &json!("resolved")));
    assert_eq!((&alert["reason"], &alert["acknowledged"]), (&json!("calm"), &Value::Null));
    assert_eq!(alert["causes"][0]["feature"], "delay");
    assert_eq!(world.get(&format!("/api/v1/alerts/{}", id(1))).status, 404);
    let wrong = world.get("/api/v1/alerts?status=closed");
    assert_eq!((wrong.status, wrong.error().contains("`open`, `resolved`")), (400, true), "{wrong:?}");
}

#[test]
fn the_status_agrees_with_the_metrics() {
    let world = World::open();
    trouble(&world.health);
    let status = world.get("/api/v1/status").json();
    assert_eq!((&status["uptime_seconds"], &status["ready"]), (&json!(90), &json!(false)));
    assert_eq!(status["now"], "2001-02-01T00:00:00.000000Z");
    assert_eq!(
        status["sources"],
        json!([
            {"name": "flights", "state": "reading", "message": null, "records": 12, "bad_records": 3, "gaps": 0,
             "lag_records": 11},
            {"name": "other", "state": "troubled", "message": "no broker answers", "records": 0, "bad_records": 0,
             "gaps": 0, "lag_records": null},
        ])
    );
    assert_eq!(status["windows"][0]["rows"], 9);
    assert_eq!(status["windows"][0]["watermark_delay_seconds"], 1.5);
    assert_eq!(status["messages"]["pending"], 3);
    let metrics = world.get("/metrics");
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(
        metrics.body.contains("driftlead_source_records_total{source=\"flights\"} 12\n"),
        "{}",
        metrics.body
    );
    assert!(metrics.body.ends_with("# EOF\n"));
}

#[test]
fn queries_that_cannot_be_read_say_what_was_expected() {
    let world = World::open();
    for (query, expected) in [
        ("since=yesterday", "is not a time"),
        ("limit=0", "from 1 to 500"),
        ("limit=501", "from 1 to 500"),
        ("cursor=abc", "the `next` of the page before"),
        ("segment=ATL", "expected `null` for the whole"),
        ("final=maybe", "`true`, `false`"),
        ("limit=5&limit=6", "twice"),
        ("name=", "is empty"),
    ] {
        let reply = world.get(&format!("/api/v1/models/flights/windows?{query}"));
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
        assert!(
            reply.error().starts_with("invalid_request: ") && reply.error().contains(expected),
            "{reply:?}"
        );
    }
    assert_eq!(NOW % 1_000_000, 0);
}
