//! What the service says of itself: to whom, what, and not to others.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{rows, service};
use crate::support::client::ask;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};

const SOURCE: &str = "{lines: {path: rows.ndjson}, format: json}";

fn said(folder: &Folder) -> Vec<Json> {
    let lines = folder.whole_lines("diary.ndjson");
    lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn operations(folder: &Folder) -> Vec<String> {
    said(folder).iter().map(|own| own["operation"].as_str().expect("a word").to_owned()).collect()
}

#[test]
fn who_changed_what_is_told_in_order_and_with_names() {
    let folder = Folder::new();
    service(&folder, SOURCE, "  diary: {file: {path: ./diary.ndjson, send: diagnostics}}\n");
    let text = std::fs::read_to_string(folder.path("service.yaml")).expect("written");
    let tokens = "tokens: [{name: ops, scope: admin, secret: \"${OPS}\"}]\n";
    folder.write("service.yaml", format!("{text}{tokens}"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 31));
    let secret = [("OPS", "hush-hush")];
    let mut running = Service::start(&folder, &secret);
    let address = running.address();
    let token = [("authorization", "Bearer hush-hush"), ("content-type", "application/json")];
    let call = |method: &str, path: &str, body: &str| {
        let reply = ask(&address, method, path, &token, body.as_bytes()).expect(path);
        assert!((200..300).contains(&reply.status), "{path}: {reply:?}");
        if reply.body.is_empty() { Json::Null } else { reply.json() }
    };
    eventually("an alert", || call("GET", "/api/v1/alerts", "")["items"].get(0).is_some());
    let alert = call("GET", "/api/v1/alerts", "")["items"][0]["id"].as_str().expect("an id").to_owned();
    call("POST", &format!("/api/v1/alerts/{alert}/acknowledge"), r#"{"comment":"on it"}"#);
    let silence = call("POST", "/api/v1/silences", r#"{"matcher":{},"reason":"works","duration":"1h"}"#);
    let silence = silence["id"].as_str().expect("an id").to_owned();
    call("DELETE", &format!("/api/v1/silences/{silence}"), "");
    call("POST", "/api/v1/reload", "");
    folder.write("model.yaml", format!("{}thresholds:\n  - {{metric: psi, drift: 0.5}}\n", super::MODEL));
    running.hang_up();
    running.wait_for("SIGHUP");
    let log = running.stop_well().join("\n");

    let all = said(&folder);
    assert_eq!(
        operations(&folder),
        ["started", "acknowledged", "silenced", "silenced", "reloaded", "reloaded", "stopped"],
        "{all:#?}"
    );
    let by: Vec<&str> = all[1..6].iter().map(|own| own["properties"]["by"].as_str().expect("who")).collect();
    assert_eq!(by, ["ops", "ops", "ops", "ops", "SIGHUP"]);
    let categories: Vec<&str> = all.iter().map(|own| own["category"].as_str().expect("a word")).collect();
    assert_eq!(categories, ["service", "audit", "audit", "audit", "audit", "audit", "service"]);
    assert_eq!(
        (&all[1]["correlation"], &all[1]["properties"]["comment"]),
        (&alert.as_str().into(), &"on it".into())
    );
    assert_eq!(all[2]["correlation"], silence.as_str());
    let lifted: Vec<&Json> = all[2..4].iter().map(|own| &own["properties"]["lifted"]).collect();
    assert_eq!(lifted, [&Json::Bool(false), &Json::Bool(true)]);
    assert_eq!(all[4]["properties"]["changed"], "nothing changed");
    assert_eq!(all[5]["properties"]["changed"], "new settings for `rows`");
    let mut ids = BTreeMap::new();
    for own in &all {
        assert_eq!((&own["schema"], &own["type"]), (&"driftlead.event/1".into(), &"diagnostic".into()));
        assert_eq!(own["instance"], all[0]["instance"]);
        *ids.entry(own["id"].to_string()).or_insert(0) += 1;
    }
    assert!(ids.values().all(|n| *n == 1), "{ids:?}");
    let text = std::fs::read_to_string(folder.path("diary.ndjson")).expect("a diary");
    assert!(!text.contains("hush-hush") && !log.contains("hush-hush"), "{log}");

    // The alerts and verdicts of the model went elsewhere only.
    let events = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    assert!(!events.contains(r#""type":"diagnostic""#) && events.contains(r#""type":"alert""#));
}

#[test]
fn a_sink_that_wants_them_may_come_later_and_nobody_else_is_told() {
    let folder = Folder::new();
    service(&folder, SOURCE, "");
    rows::file(&folder, "rows.ndjson", &rows::rows(600, 1, 30, 31));
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    service(&folder, SOURCE, "  diary: {file: {path: ./diary.ndjson, send: diagnostics}}\n");
    running.hang_up();
    running.wait_for("SIGHUP");
    eventually("it is told", || !said(&folder).is_empty());
    running.stop_well();
    assert_eq!(operations(&folder), ["reloaded", "stopped"]);
    assert_eq!(said(&folder)[0]["properties"]["changed"], "the sink `diary` has begun");
    let events = std::fs::read_to_string(folder.path("events.ndjson")).expect("events");
    assert!(!events.contains("diagnostic"), "{events}");
}

#[test]
fn after_a_power_cut_it_starts_anew_and_nothing_is_told_twice() {
    let folder = Folder::new();
    service(&folder, SOURCE, "  diary: {file: {path: ./diary.ndjson, send: diagnostics}}\n");
    rows::file(&folder, "rows.ndjson", &rows::rows(600, 1, 30, 31));
    let running = Service::start(&folder, &[]);
    eventually("it is told", || !said(&folder).is_empty());
    running.kill();
    let mut running = Service::start(&folder, &[]);
    running.wait_for("caught up");
    eventually("it is told", || said(&folder).iter().any(|own| own["id"] != said(&folder)[0]["id"]));
    running.stop_well();
    // At least once: the first may have been told and not noted.
    let mut ids: Vec<String> = said(&folder).iter().map(|own| own["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "started, started, stopped: {ids:?}");
    assert_eq!(operations(&folder).last().map(String::as_str), Some("stopped"));
}
