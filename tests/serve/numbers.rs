//! Verdicts and alerts become numbers in Azure Monitor and Prometheus, both played by servers on the loopback address: from
//! the settings to the request, through an outage and a power cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use super::rows;
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, asked, eventually};
use crate::support::stub::{Answer, Request, Stub};

const ID: &str = "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventHub/namespaces/orders";
const SECRETS: [(&str, &str); 2] = [("ENTRA_SECRET", "hush-hush"), ("PROM_LOGIN", "Basic c2VjcmV0")];

/// Entra, whose tokens say for what they are.
fn entra() -> Stub {
    Stub::start(|request| {
        let form = String::from_utf8(request.body.clone()).expect("a form");
        let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope=")).expect("a scope").to_owned();
        let token =
            json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("eyJ.{scope}")});
        Some(Answer::of(200).saying(&token.to_string()))
    })
}

/// A server that fails until it is told to be well.
fn late(is_up: &Arc<AtomicBool>, well: u16) -> Stub {
    let up = is_up.clone();
    Stub::start(move |_| Some(Answer::of(if up.load(Ordering::SeqCst) { well } else { 503 })))
}

/// The series of custom metrics that a request brought: metric, values of dimensions by name, and the entry.
fn series(request: &Request) -> Vec<(String, BTreeMap<String, String>, Json)> {
    let body: Json = serde_json::from_slice(&request.body).expect("JSON");
    let base = &body["data"]["baseData"];
    assert_eq!(base["namespace"], "drift", "{body}");
    let texts = |json: &Json| -> Vec<String> {
        json.as_array().expect("an array").iter().map(|own| own.as_str().expect("text").to_owned()).collect()
    };
    let names = texts(&base["dimNames"]);
    let metric = base["metric"].as_str().expect("a metric");
    let one = |own: &Json| {
        let values = texts(&own["dimValues"]);
        assert_eq!(values.len(), names.len(), "{body}");
        (metric.to_owned(), names.iter().cloned().zip(values).collect(), own.clone())
    };
    base["series"].as_array().expect("series").iter().map(one).collect()
}

#[test]
fn numbers_reach_azure_and_prometheus_through_an_outage_and_a_power_cut() {
    let folder = Folder::new();
    let (entra, is_up) = (entra(), Arc::new(AtomicBool::new(false)));
    let (azure, prometheus) = (late(&is_up, 200), late(&is_up, 204));
    let sinks = format!(
        "  resource:\n    azure_metrics:\n      endpoint: {}\n      resource: {ID}\n      namespace: drift\n      \
         entra: {{tenant: t-1, client: c-1, secret: \"${{ENTRA_SECRET}}\", authority: \"{}\"}}\n  charts:\n    prometheus: \
         {{url: \"{}/api/v1/write\", headers: {{Authorization: \"${{PROM_LOGIN}}\"}}, labels: {{job: driftlead}}, \
         segments: true}}\n",
        azure.url(),
        entra.url(),
        prometheus.url(),
    );
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &sinks);
    folder.write("model.yaml", super::MODEL.replace("sinks: [record]", "sinks: [record, resource, charts]"));
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    let running = Service::start(&folder, &SECRETS);
    eventually("both were tried", || !azure.requests().is_empty() && !prometheus.requests().is_empty());
    running.kill();

    let (before, before_samples) = (azure.requests().len(), prometheus.requests().len());
    is_up.store(true, Ordering::SeqCst);
    let mut running = Service::start(&folder, &SECRETS);
    let address = running.address();
    let all = || -> Vec<_> { azure.requests()[before..].iter().flat_map(series).collect() };
    eventually("the alert arrived", || all().iter().any(|(metric, _, _)| metric == "open_alerts"));
    let windows = || -> u64 {
        let all = all();
        let counts = all.iter().filter(|(metric, at, _)| metric == "row_count" && at["Segment"] == "(whole)");
        counts.filter_map(|(_, _, own)| own["count"].as_u64()).sum()
    };
    eventually("most windows arrived", || windows() >= 10);
    eventually("samples arrived", || prometheus.requests().len() > before_samples);
    let status = asked(&address, "/api/v1/status");
    let counted = asked(&address, "/metrics");
    let log = running.stop_well().join("\n");
    for shown in [&log, &status, &counted] {
        for secret in ["hush-hush", "eyJ", "c2VjcmV0"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    for request in azure.requests() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", &*format!("{ID}/metrics")));
        let token = request.header("authorization").expect("a token");
        assert_eq!(token, "Bearer eyJ.https%3A%2F%2Fmonitoring.azure.com%2F.default");
    }
    let of = |name: &str, feature: Option<&str>| -> Vec<Json> {
        let expected: BTreeMap<String, String> = [
            ("Model", Some("rows")),
            ("WindowName", Some("default")),
            ("Feature", feature),
            ("Segment", Some("(whole)")),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
        all().into_iter().filter(|own| own.0 == name && own.1 == expected).map(|own| own.2).collect()
    };
    let largest = |all: &[Json]| all.iter().filter_map(|own| own["max"].as_f64()).fold(f64::NAN, f64::max);
    assert_eq!(largest(&of("open_alerts", None)), 1.0);
    assert_eq!(largest(&of("verdict", None)), 3.0);
    assert_eq!(largest(&of("feature_verdict", Some("x"))), 3.0);
    assert!(largest(&of("psi", Some("x"))) > 0.2, "{:?}", of("psi", Some("x")));
    assert!(all().iter().all(|own| own.1["Segment"] == "(whole)"), "segments were not asked for");
    // Eighteen windows of ten minutes, each told once; the rows of those that were delivered.
    let rows: f64 = of("row_count", None).iter().filter_map(|own| own["sum"].as_f64()).sum();
    let windows: u64 = of("row_count", None).iter().filter_map(|own| own["count"].as_u64()).sum();
    assert!((10..=18).contains(&windows) && (3_000.0..=6_000.0).contains(&rows), "{windows} {rows}");

    let mut bodies = Vec::new();
    for request in prometheus.requests() {
        assert_eq!(request.target, "/api/v1/write");
        assert_eq!(request.header("authorization"), Some("Basic c2VjcmV0"));
        assert_eq!(request.header("content-encoding"), Some("snappy"));
        assert_eq!(request.header("x-prometheus-remote-write-version"), Some("0.1.0"));
        bodies.extend(snap::raw::Decoder::new().decompress_vec(&request.body).expect("snappy"));
    }
    // Names and labels stand in the message as they are; the connectors' tests read it field by field.
    let text = String::from_utf8_lossy(&bodies);
    for expected in ["driftlead_metric_value", "driftlead_open_alert", "c = a", "job", "psi", "segment"] {
        assert!(text.contains(expected), "{expected}");
    }
}
