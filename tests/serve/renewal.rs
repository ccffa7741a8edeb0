//! What a service that begins anew within its process must not do: change anything for a bad file, lose or repeat a row, or
//! leave somebody without an answer (decision 0042).

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use driftlead::serve::fault;

use super::anew::{other_model, reload, reload_well, settings};
use super::ingest::{lines, send};
use super::rows;
use super::same::{assert_complete, assert_same, finals, horizon};
use super::topic::{self, produce, source};
use super::truth::assert_true;
use super::{MODEL, service};
use crate::support::broker::broker;
use crate::support::folder::Folder;
use crate::support::service::{Service, asked, eventually, metric};
use crate::support::stub::{Answer, Stub};

const WINDOW: &str = "window: {length: 10m, out_of_orderness: 60s, lateness: 60s, idle: 1s, future: 5m}";

/// Whatever is wrong is said at once, the service goes on with what it had, and its windows are as if nobody had asked.
#[test]
fn a_bad_file_changes_nothing() {
    let rows = rows::rows(8_000, 3, 30, 311);
    let folder = Folder::new();
    let topic = produce(&rows, 5);
    let own = format!("rows: {}", source(&topic));
    service(&folder, "{}", "");
    settings(&folder, &["model.yaml"], &[&own]);
    folder.write("more.yaml", other_model("more", "rows"));
    folder.write("counted.yaml", other_model("counted", "rows").replace(WINDOW, "window: {rows: 500}"));
    folder.write("lost.yaml", other_model("lost", "nowhere"));
    folder.write("bare.yaml", other_model("bare", "rows").replace("baseline.parquet", "none.parquet"));
    folder.write("broken.avsc", "{\"type\": \"recor");
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("it is ready", || asked(&address, "/readyz").contains(" 200 "));
    let kafka = |topic: &str, properties: &str| {
        format!(
            "more: {{kafka: {{brokers: \"{}\", topics: [{topic}], properties: {{{properties}}}}}, format: json}}",
            broker().bootstrap()
        )
    };
    let more = ["model.yaml", "more.yaml"];
    for (models, sources, words) in [
        (vec!["model.yaml", "none.yaml"], vec![own.clone()], "none.yaml"),
        (vec!["model.yaml", "lost.yaml"], vec![own.clone()], "`nowhere`"),
        (vec!["model.yaml", "bare.yaml"], vec![own.clone()], "none.parquet"),
        (vec!["model.yaml", "counted.yaml"], vec![own.clone()], "rows of two partitions have no order"),
        (more.to_vec(), vec![own.clone(), kafka("there-is-no-such-topic", "")], "there-is-no-such-topic"),
        (more.to_vec(), vec![own.clone(), kafka(&topic, "no.such.property: 1")], "no.such.property"),
        (
            more.to_vec(),
            vec![own.clone(), "more: {lines: {path: none.ndjson}, format: json}".to_owned()],
            "none.ndjson",
        ),
        (
            more.to_vec(),
            vec![own.clone(), kafka(&topic, "").replace("json", "{avro: {schema: broken.avsc}}")],
            "`more`",
        ),
        (more.to_vec(), vec![], "sources"),
    ] {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        settings(&folder, &models, &sources);
        let reply = reload(&address);
        assert_eq!(reply.status, 422, "{words}: {reply:?}");
        assert!(reply.body.contains(words), "{words}: {reply:?}");
        assert!(asked(&address, "/readyz").contains(" 200 "), "{}", asked(&address, "/readyz"));
        assert!(!asked(&address, "/api/v1/models").contains("more"));
    }
    // What is the process's is named, and refused with all that came with it.
    settings(&folder, &more, &[&own]);
    let text = std::fs::read_to_string(folder.path("service.yaml")).expect("written");
    folder.write("service.yaml", text.replace("store: ./state", "store: ./elsewhere"));
    running.hang_up();
    let line = running.wait_for("SIGHUP");
    assert!(line.contains("not reloaded") && line.contains("`store` changed: restart the service"), "{line}");
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

/// What only shows when it is started: then the settings of before are started again.
#[test]
fn settings_that_cannot_be_started_are_taken_back() {
    let rows = rows::rows(8_000, 3, 30, 312);
    let folder = Folder::new();
    let own = |name: &str| format!("rows: {{lines: {{path: {name}}}, format: json}}");
    service(&folder, "{}", "");
    settings(&folder, &["model.yaml"], &[&own("b.ndjson")]);
    rows::file(&folder, "b.ndjson", &rows[..1_000]);
    rows::file(&folder, "a.ndjson", &rows[1_000..4_000]);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("the first file is counted", || metric(&address, "driftlead_rows_total") == 1_000);
    settings(&folder, &["model.yaml"], &[&own("a.ndjson")]);
    assert_eq!(reload_well(&address), "the source `rows` has other settings");
    eventually("the second file is counted", || metric(&address, "driftlead_rows_total") == 4_000);

    // It can be read, and is not what was read before.
    rows::file(&folder, "b.ndjson", &rows[..10]);
    settings(&folder, &["model.yaml"], &[&own("b.ndjson")]);
    let reply = reload(&address);
    assert_eq!(reply.status, 422, "{reply:?}");
    assert!(reply.body.contains("those of before are at work again"), "{reply:?}");
    assert!(reply.body.contains("may only grow"), "{reply:?}");
    rows::append(&folder, "a.ndjson", &rows[4_000..]);
    assert_complete(&folder, &rows);
    running.stop_well();
}

/// The windows of a model that nobody touches are byte for byte those of `check`, and every request is answered.
#[test]
fn reloads_under_load_change_no_window_of_another_model_and_turn_no_request_away() {
    let rows = rows::rows(24_000, 6, 30, 313);
    let folder = Folder::new();
    let topic = broker().topic("rows", 1);
    let kafka = format!("rows: {}", source(&topic));
    let sent = "sent: {ingest: {}}";
    service(&folder, "{}", "");
    folder.write("sent.yaml", other_model("sent", "sent"));
    folder.write("more.yaml", other_model("more", "rows"));
    let without = ["model.yaml", "sent.yaml"];
    let with = ["model.yaml", "more.yaml", "sent.yaml"];
    settings(&folder, &without, &[&kafka, sent]);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for part in rows.chunks(600) {
                topic::append_to(broker(), &topic, 1, part, 1);
            }
        });
        scope.spawn(|| {
            let body = lines(&rows[..20]);
            for at in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let path = "/api/v1/ingest/sent";
                let key = format!("key-{at}");
                let headers = [super::ingest::LINES, ("idempotency-key", key.as_str())];
                let reply = crate::support::client::ask(&address, "POST", path, &headers, body.as_bytes());
                let reply = reply.expect("an answer");
                assert_eq!(reply.status, 202, "{reply:?}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        for at in 0..6 {
            let before = answered.load(Ordering::SeqCst);
            eventually("requests are answered", || answered.load(Ordering::SeqCst) > before + 2);
            settings(&folder, if at % 2 == 0 { &with } else { &without }, &[&kafka, sent]);
            let what = if at % 2 == 0 { "the model `more` is new" } else { "the model `more` is gone" };
            assert_eq!(reload_well(&address), what);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert_complete(&folder, &rows);
    let counted = asked(&address, "/metrics");
    let rows_sent =
        format!("driftlead_source_records_total{{source=\"sent\"}} {}", 20 * answered.into_inner());
    assert!(counted.contains(&rows_sent), "{rows_sent}: {counted}");
    running.stop_well();
    assert_same(&folder, &rows, horizon(&rows));
}

#[test]
fn killed_amid_a_reload_nothing_is_lost_or_counted_twice() {
    let rows = rows::rows(8_000, 3, 30, 314);
    let folder = Folder::new();
    let topic = broker().topic("rows", topic::PARTITIONS);
    let own = format!("rows: {}", source(&topic));
    service(&folder, "{}", "");
    folder.write("more.yaml", other_model("more", "rows"));
    let parts = rows.chunks(rows.len().div_ceil(2 * fault::OF_RELOADS.len()));
    for (at, part) in parts.enumerate() {
        let point = fault::OF_RELOADS[at / 2];
        topic::append(&topic, part, 20 + at as u64);
        settings(&folder, &["model.yaml"], &[&own]);
        let fault = format!("{point}:1");
        let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
        running.wait_for("listening");
        settings(&folder, &["model.yaml", "more.yaml"], &[&own]);
        running.hang_up();
        let (status, log) = running.wait();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{fault} was not reached: {status}: {log:#?}");
    }
    let running = Service::start(&folder, &[]);
    assert_complete(&folder, &rows);
    running.stop_well();
    assert_true(&folder, &topic, horizon(&rows));
}

/// One is done after the other, and the second finds done what the first did.
#[test]
fn of_two_reloads_at_a_time_the_second_waits_and_readiness_says_why() {
    let folder = Folder::new();
    let own = "rows: {lines: {path: rows.ndjson}, format: json}";
    service(&folder, "{}", "");
    settings(&folder, &["model.yaml"], &[own]);
    rows::file(&folder, "rows.ndjson", &rows::rows(3_000, 3, 30, 315));
    let release = folder.path("release");
    let fault = format!("between_runs:1:{release}");
    let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
    let address = running.address();
    folder.write("more.yaml", other_model("more", "rows"));
    settings(&folder, &["model.yaml", "more.yaml"], &[own]);
    let mut said: Vec<String> = std::thread::scope(|scope| {
        let two = [scope.spawn(|| reload_well(&address)), scope.spawn(|| reload_well(&address))];
        eventually("it is held between two runs", || {
            asked(&address, "/readyz").contains("reloading: the model `more` is new")
        });
        // It is alive, and answers.
        assert!(asked(&address, "/healthz").contains(" 200 "));
        assert!(asked(&address, "/api/v1/alerts").contains(" 200 "));
        std::fs::write(&release, "").expect("written");
        two.into_iter().map(|own| own.join().expect("an answer")).collect()
    });
    said.sort();
    assert_eq!(said, ["nothing changed", "the model `more` is new"]);
    eventually("it is ready again", || asked(&address, "/readyz").contains(" 200 "));
    running.stop_well();
}

#[test]
fn requests_and_commands_that_come_between_two_runs_are_answered_by_the_next() {
    let folder = Folder::new();
    service(&folder, "{}", "");
    let ingest = |max: &str| format!("rows: {{ingest: {{max_body: {max}}}}}");
    settings(&folder, &["model.yaml"], &[&ingest("1MiB")]);
    let rows = rows::rows(6_000, 3, 30, 316);
    let release = folder.path("release");
    let fault = format!("between_runs:1:{release}");
    let mut running = Service::start(&folder, &[(fault::VARIABLE, &fault)]);
    let address = running.address();
    let mut parts = rows.chunks(600).enumerate();
    for (at, part) in parts.by_ref().take(5) {
        assert_eq!(send(&address, &format!("{at}"), &lines(part)).expect("an answer").status, 202);
    }
    settings(&folder, &["model.yaml"], &[&ingest("2MiB")]);
    let (at, part) = parts.next().expect("rows");
    std::thread::scope(|scope| {
        let asked_for = scope.spawn(|| reload_well(&address));
        eventually("it is held between two runs", || asked(&address, "/readyz").contains("reloading"));
        let waits = scope.spawn(|| send(&address, &format!("{at}"), &lines(part)));
        let silence = scope.spawn(|| {
            let body = br#"{"matcher": {"model": "rows"}, "reason": "a test", "duration": "1h"}"#;
            let headers = [("content-type", "application/json")];
            crate::support::client::ask(&address, "POST", "/api/v1/silences", &headers, body)
        });
        // Both are on their way, and wait.
        eventually("the request is inside", || !waits.is_finished() && !silence.is_finished());
        std::fs::write(&release, "").expect("written");
        assert_eq!(asked_for.join().expect("no panic"), "the source `rows` has other settings");
        assert_eq!(waits.join().expect("no panic").expect("an answer").status, 202);
        assert_eq!(silence.join().expect("no panic").expect("an answer").status / 100, 2);
    });
    for (at, part) in parts {
        assert_eq!(send(&address, &format!("{at}"), &lines(part)).expect("an answer").status, 202);
    }
    assert_complete(&folder, &rows);
    running.stop_well();
}

/// Standard input cannot be read again: it is handed over.
#[test]
fn a_pipe_goes_on_through_a_reload() {
    let folder = Folder::new();
    let own = "rows: {stdin: {}, format: json}";
    service(&folder, "{}", "");
    settings(&folder, &["model.yaml"], &[own]);
    folder.write("more.yaml", other_model("more", "rows"));
    let rows = rows::rows(6_000, 3, 30, 317);
    let (mut running, mut input) = Service::with_input(&folder);
    let address = running.address();
    for (at, part) in rows.chunks(1_000).enumerate() {
        for row in part {
            writeln!(input, "{}", row.json).expect("it reads");
        }
        let models: &[&str] = if at % 2 == 0 { &["model.yaml", "more.yaml"] } else { &["model.yaml"] };
        settings(&folder, models, &[own]);
        assert!(reload_well(&address).starts_with("the model `more` is "));
    }
    drop(input);
    running.wait_well();
    assert_same(&folder, &rows, i64::MAX);
}

/// Whoever renews a secret, a certificate or a schema has it read by a reload.
#[test]
fn a_secret_that_was_renewed_is_read_again() {
    let folder = Folder::new();
    let registry = Stub::answering(vec![Answer::of(503)]);
    let topic = broker().topic("rows", 1);
    let format = format!("{{avro: {{registry: {{url: \"{}\", token: {{file: secret}}}}}}}}", registry.url());
    folder.write("secret", "first");
    service(&folder, &topic::source_on(broker(), &topic, &format), "");
    let record = crate::support::broker::Message::new("k", vec![0, 0, 0, 0, 1, 2], 978_307_200_000);
    broker().produce(&topic, 0, &[record]);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    let is_known_by = |token: &str| {
        let bearer = format!("Bearer {token}");
        registry.requests().iter().any(|own| own.header("authorization") == Some(bearer.as_str()))
    };
    eventually("the registry was asked", || is_known_by("first"));
    assert_eq!(reload_well(&address), "nothing changed");
    folder.write("secret", "second");
    let changed = reload_well(&address);
    assert_eq!(changed, "the source `rows` has other secrets, certificates or schemas");
    eventually("it is asked with the new one", || is_known_by("second"));
    running.stop_well();
}

/// What needs no new beginning has none: the source is not opened again.
#[test]
fn bounds_and_waiting_times_are_taken_in_flight() {
    let folder = Folder::new();
    service(&folder, "{lines: {path: rows.ndjson}, format: json}", "");
    let rows = rows::rows(6_000, 3, 30, 318);
    rows::file(&folder, "rows.ndjson", &rows);
    let mut running = Service::start(&folder, &[]);
    let address = running.address();
    eventually("windows are there", || !finals(&folder).is_empty());
    folder.write(
        "model.yaml",
        format!("{}thresholds: [{{metric: psi, drift: 0.9}}]\n", MODEL.replace("idle: 1s", "idle: 2s")),
    );
    assert_eq!(reload_well(&address), "new settings for `rows`");
    let log = running.stop_well().join("\n");
    assert!(log.contains("reloaded") && !log.contains("begins anew"), "{log}");
}
