//! Verdicts and alerts become records in Azure Monitor, played by a server on the loopback address: from the settings to
//! the request, through an outage and a power cut.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value as Json;

use super::rows;
use super::service;
use crate::support::folder::Folder;
use crate::support::service::{Service, eventually};
use crate::support::stub::{Answer, Request, Stub};

/// Entra, which gives everybody a token.
fn entra() -> Stub {
    Stub::start(|_| {
        Some(Answer::of(200).saying(r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJtoken"}"#))
    })
}

/// The records that a request brought.
fn records(request: &Request) -> Vec<Json> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("an array")
}

/// All records of the requests from this one on, by stream and `EventId`; a copy has to be the same.
fn arrived(stub: &Stub, from: usize) -> BTreeMap<(String, String), Json> {
    let mut all = BTreeMap::new();
    for request in &stub.requests()[from..] {
        let stream = request.target.split("/streams/").nth(1).and_then(|rest| rest.split('?').next());
        for record in records(request) {
            let key =
                (stream.expect("a stream").to_owned(), record["EventId"].as_str().expect("an id").to_owned());
            let before = all.insert(key, record.clone());
            assert!(before.is_none_or(|before| before == record), "{record}");
        }
    }
    all
}

#[test]
fn verdicts_metrics_and_alerts_become_records_through_an_outage_and_a_power_cut() {
    let folder = Folder::new();
    let (entra, is_up) = (entra(), Arc::new(AtomicBool::new(false)));
    let up = is_up.clone();
    let stub = Stub::start(move |_| Some(Answer::of(if up.load(Ordering::SeqCst) { 204 } else { 503 })));
    let sink = format!(
        "  workspace:\n    azure_logs:\n      endpoint: {}\n      rule: dcr-1\n      entra: {{tenant: t-1, client: c-1, secret: \
         \"${{ENTRA_SECRET}}\", authority: \"{}\"}}\n",
        stub.url(),
        entra.url()
    );
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", &sink);
    let model = super::MODEL.replace("sinks: [record]", "sinks: [record, workspace]");
    folder.write("model.yaml", model);
    rows::file(&folder, "rows.ndjson", &rows::rows(6_000, 3, 30, 21));
    let secret = [("ENTRA_SECRET", "hush-hush")];
    let running = Service::start(&folder, &secret);
    eventually("it was tried", || !stub.requests().is_empty());
    running.kill();

    let before = stub.requests().len();
    is_up.store(true, Ordering::SeqCst);
    let running = Service::start(&folder, &secret);
    let has_alert = || arrived(&stub, before).keys().any(|(stream, _)| stream == "Custom-DriftleadAlerts");
    eventually("the alert arrived", has_alert);
    let log = running.stop_well().join("\n");
    assert!(!log.contains("hush-hush") && !log.contains("eyJ"), "a secret in the log: {log}");

    for request in stub.requests() {
        assert!(
            request.target.starts_with("/dataCollectionRules/dcr-1/streams/Custom-Driftlead"),
            "{request:?}"
        );
        assert!(request.target.ends_with("?api-version=2023-01-01"), "{request:?}");
        assert_eq!(request.header("authorization"), Some("Bearer eyJtoken"));
    }
    let all = arrived(&stub, before);
    let of = |stream: &str| -> Vec<&Json> {
        all.iter().filter(|((own, _), _)| own == stream).map(|(_, record)| record).collect()
    };
    let alert = of("Custom-DriftleadAlerts")[0];
    assert_eq!((&alert["Status"], &alert["Model"]), (&"open".into(), &"rows".into()), "{alert}");
    assert_eq!(alert["Causes"][0]["feature"], "x", "{alert}");
    let verdict =
        of("Custom-DriftleadVerdicts").into_iter().find(|own| own["VerdictId"] == alert["VerdictId"]);
    let verdict = verdict.expect("the verdict that opened it");
    assert_eq!(verdict["Verdict"], "drift", "{verdict}");
    let metric = of("Custom-DriftleadMetrics").into_iter().find(|own| {
        own["VerdictId"] == alert["VerdictId"] && own["Feature"] == "x" && own["Metric"] == "psi"
    });
    let metric = metric.expect("its psi");
    assert!(metric["Value"].as_f64().is_some_and(|value| value > 0.2), "{metric}");
    assert_eq!((&metric["Verdict"], &metric["Drift"]), (&"drift".into(), &0.2.into()), "{metric}");
}
