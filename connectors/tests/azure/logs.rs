//! The Logs Ingestion API.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use driftlead_connectors::azure::{Access, LogRecord, LogsIngestion, LogsSettings, Rule};
use driftlead_connectors::sink::Delivery;
use serde_json::Value as Json;

use crate::place::{NOW, access, clock, entra, send, tally, unzipped};
use crate::stub::{Answer, Request, Stub};

pub(crate) const RESOURCE: &str = "https://monitor.azure.com";
pub(crate) const RULE: &str = "dcr-00000000000000000000000000000001";
const TARGET: &str =
    "/dataCollectionRules/dcr-00000000000000000000000000000001/streams/Custom-A?api-version=2023-01-01";
/// The documented limit of a body, before compression.
pub(crate) const LIMIT: usize = 1_048_576;

/// What the service does with a request: refuses it where it breaks the contract or holds a record with `"bad"`.
pub(crate) fn judge(request: &Request, tokens: &[&str]) -> Answer {
    let error = |status: u16, code: &str| {
        Answer::of(status).saying(&format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#))
    };
    if request.method != "POST" || !request.target.starts_with("/dataCollectionRules/dcr-") {
        return error(404, "NotFound");
    }
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| tokens.contains(&token)) {
        return error(401, "InvalidToken");
    }
    if !request.target.ends_with("?api-version=2023-01-01") {
        return error(400, "InvalidApiVersion");
    }
    if request.header("content-type") != Some("application/json") {
        return error(415, "UnsupportedMediaType");
    }
    if request.header("content-encoding") != Some("gzip") || !request.body.starts_with(&[0x1f, 0x8b, 8]) {
        return error(415, "UnsupportedMediaType");
    }
    let body = unzipped(request);
    if body.len() > LIMIT || request.body.len() > LIMIT {
        return error(413, "ContentLengthLimitExceeded");
    }
    match serde_json::from_slice::<Vec<serde_json::Map<String, Json>>>(&body) {
        Ok(records) if records.iter().all(|record| !record.contains_key("bad")) => Answer::of(204),
        _ => error(400, "InvalidRecord"),
    }
}

fn strict() -> Stub {
    Stub::start(|request| Some(judge(request, &["token-1"])))
}

fn settings(first: &Stub, second: Option<&Stub>, access: Access) -> LogsSettings {
    let rule = |stub: &Stub| Rule { endpoint: stub.url(), rule: RULE.to_owned() };
    LogsSettings { first: rule(first), second: second.map(rule), access }
}

pub(crate) fn client(
    first: &Stub,
    second: Option<&Stub>,
    entra: &Stub,
    clock: &Arc<AtomicI64>,
) -> LogsIngestion {
    LogsIngestion::new(&settings(first, second, access(entra, RESOURCE, clock))).expect("a client")
}

fn record(stream: &str, json: impl Into<String>) -> LogRecord {
    LogRecord { stream: stream.to_owned(), json: json.into() }
}

#[test]
fn records_arrive_by_stream_compressed_and_with_a_token_for_the_right_audience() {
    let (stub, entra) = (strict(), entra(RESOURCE));
    let client = client(&stub, None, &entra, &clock());
    let records = [
        record("Custom-A", r#"{"EventId":"1","Value":0.5}"#),
        record("Custom-B", r#"{"EventId":"2"}"#),
        record("Custom-A", r#"{"EventId":"3","Name":"Zürich"}"#),
    ];
    assert_eq!(tally(&send(&client, &records, NOW)), [3, 0, 0, 0]);
    let requests = stub.requests();
    assert_eq!(requests.len(), 2, "a request a stream");
    assert_eq!(requests[0].target, TARGET);
    assert_eq!(requests[1].target, TARGET.replace("Custom-A", "Custom-B"));
    let body = String::from_utf8(unzipped(&requests[0])).expect("UTF-8");
    assert_eq!(body, r#"[{"EventId":"1","Value":0.5},{"EventId":"3","Name":"Zürich"}]"#);
    // The header of gzip as the official client writes it: no time, no name.
    assert_eq!(requests[0].body[..9], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]);
    let names: Vec<&str> = requests[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["accept", "content-encoding", "content-type", "x-ms-client-request-id", "authorization"] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let id = requests[0].header("x-ms-client-request-id").expect("an id");
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
    assert_eq!(entra.requests().len(), 1, "the token is kept");
}

#[test]
fn a_request_is_cut_by_what_it_really_holds() {
    let (stub, entra) = (strict(), entra(RESOURCE));
    let client = client(&stub, None, &entra, &clock());
    // So small that brackets and commas count: the official client sends 1,116,929 bytes of such.
    let records: Vec<LogRecord> =
        (0..70_000).map(|at| record("Custom-A", format!(r#"{{"EventId":"{at:016}"}}"#))).collect();
    assert_eq!(tally(&send(&client, &records, NOW)), [70_000, 0, 0, 0]);
    let sizes: Vec<usize> = stub.requests().iter().map(|request| unzipped(request).len()).collect();
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    assert!(sizes[..2].iter().all(|size| (990_000..=1_000_000).contains(size)), "{sizes:?}");

    let long = record("Custom-A", format!(r#"{{"Text":"{}"}}"#, "x".repeat(1_000_000)));
    let answers = send(&client, &[record("Custom-A", "{}"), long], NOW);
    let [Delivery::Delivered, Delivery::Refused { reason }] = &answers[..] else { panic!("{answers:?}") };
    assert!(reason.contains("a record of 1000011 bytes"), "{reason}");
}

#[test]
fn a_bad_record_takes_no_other_with_it() {
    let (stub, entra) = (strict(), entra(RESOURCE));
    let client = client(&stub, None, &entra, &clock());
    let records: Vec<LogRecord> = (0..100)
        .map(|at| {
            record(
                "Custom-A",
                if at % 40 == 17 { r#"{"bad":1}"#.to_owned() } else { format!(r#"{{"at":{at}}}"#) },
            )
        })
        .collect();
    let answers = send(&client, &records, NOW);
    for (at, answer) in answers.iter().enumerate() {
        match answer {
            Delivery::Refused { reason } => {
                assert_eq!(at % 40, 17);
                assert_eq!(reason, "status 400: InvalidRecord: no");
            }
            answer => assert_eq!((answer, at % 40 != 17), (&Delivery::Delivered, true), "{at}"),
        }
    }
    // Each arrives once.
    let taken = stub
        .requests()
        .iter()
        .filter(|own| judge(own, &["token-1"]).status == 204)
        .map(|request| serde_json::from_slice::<Vec<Json>>(&unzipped(request)).expect("JSON").len())
        .sum::<usize>();
    assert_eq!(taken, 97);
}

#[test]
fn only_204_is_success_and_the_rest_waits_as_long_as_it_is_told() {
    for (answer, reason, after) in [
        (Answer::of(200).saying("welcome"), "status 200: welcome, expected 204", None),
        (Answer::of(202), "status 202, expected 204", None),
        (Answer::of(429).with("retry-after", "7"), "status 429", Some(7)),
        (Answer::of(408), "status 408", None),
        (Answer::of(502), "status 502", None),
        (Answer::of(503).with("retry-after", "30"), "status 503", Some(30)),
        (
            Answer::of(403)
                .saying(r#"{"error":{"code":"OperationFailed","message":"The\nauthentication token"}}"#),
            "status 403: OperationFailed: The authentication token",
            None,
        ),
    ] {
        let (stub, entra) = (Stub::answering(vec![answer]), entra(RESOURCE));
        let client = client(&stub, None, &entra, &clock());
        let answers = send(&client, &[record("Custom-A", "{}"), record("Custom-A", "{}")], NOW);
        assert_eq!(tally(&answers), [0, 2, 0, 0]);
        let Delivery::Retry { after: own, reason: said } = &answers[0] else { unreachable!("tallied") };
        assert!(said.starts_with(reason), "{said}");
        assert_eq!(*own, after.map(Duration::from_secs), "{said}");
        assert_eq!(stub.requests().len(), 1, "no attempt of its own: the outbox decides when");
    }
}

#[test]
fn a_token_that_is_refused_is_asked_for_anew_and_one_that_ages_in_time() {
    let entra = entra(RESOURCE);
    let stub = Stub::start(|request| Some(judge(request, &["token-2", "token-3"])));
    let clock = clock();
    let client = client(&stub, None, &entra, &clock);
    let one = [record("Custom-A", "{}")];
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!((stub.requests().len(), entra.requests().len()), (2, 2));
    clock.store(NOW + 1_900 * 1_000_000, Ordering::SeqCst);
    assert_eq!(tally(&send(&client, &one, NOW)), [1, 0, 0, 0]);
    assert_eq!(entra.requests().len(), 3, "in the second half of its hour");
}

#[test]
fn no_token_is_no_loss() {
    let entra = entra("https://monitoring.azure.com");
    let stub = strict();
    let client = client(&stub, None, &entra, &clock());
    let answers = send(&client, &[record("Custom-A", "{}")], NOW);
    let Delivery::Retry { reason, .. } = &answers[0] else { panic!("{answers:?}") };
    assert!(reason.contains("AADSTS70011") && !reason.contains("hush-hush"), "{reason}");
    assert!(stub.requests().is_empty());
}

#[test]
fn a_second_endpoint_takes_over_for_a_minute() {
    let down = Stub::start(|_| Some(Answer::of(500)));
    let (second, entra) = (strict(), entra(RESOURCE));
    let client = client(&down, Some(&second), &entra, &clock());
    let one = [record("Custom-A", "{}")];
    let asked = |now: i64| {
        assert_eq!(tally(&send(&client, &one, now)), [1, 0, 0, 0]);
        (down.requests().len(), second.requests().len())
    };
    assert_eq!(asked(NOW), (1, 1));
    assert_eq!(asked(NOW + 59_000_000), (1, 2), "the first is left alone");
    assert_eq!(asked(NOW + 61_000_000), (2, 3), "and then tried again");

    // A refusal is the same everywhere.
    let busy = Stub::answering(vec![Answer::of(429).with("retry-after", "3")]);
    let client = super::logs::client(&busy, Some(&second), &entra, &clock());
    assert_eq!(tally(&send(&client, &one, NOW)), [0, 1, 0, 0]);
    assert_eq!(second.requests().len(), 3);
}

#[test]
fn an_endpoint_that_would_show_the_token_is_refused() {
    let (stub, entra) = (strict(), entra(RESOURCE));
    let mut own = settings(&stub, None, access(&entra, RESOURCE, &clock()));
    for (endpoint, expected) in [
        ("http://drift.westeurope-1.ingest.monitor.azure.com", "is not `https`"),
        ("drift.westeurope-1.ingest.monitor.azure.com", "is not an address"),
    ] {
        own.first.endpoint = endpoint.to_owned();
        let error = LogsIngestion::new(&own).expect_err(endpoint).to_string();
        assert!(error.contains(expected) && error.contains(endpoint), "{error}");
    }
}

#[test]
fn the_server_of_these_tests_refuses_what_breaks_the_contract() {
    let well = Request {
        method: "POST".to_owned(),
        target: TARGET.to_owned(),
        headers: [
            ("authorization", "Bearer token-1"),
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: zipped(b"[{}]"),
    };
    let status = |change: &dyn Fn(&mut Request)| {
        let mut request = well.clone();
        change(&mut request);
        judge(&request, &["token-1"]).status
    };
    assert_eq!(status(&|_| ()), 204);
    assert_eq!(status(&|own| own.method = "PUT".to_owned()), 404);
    assert_eq!(status(&|own| own.target = TARGET.replace("/dataCollectionRules", "")), 404);
    assert_eq!(status(&|own| own.target = TARGET.replace("2023-01-01", "2021-11-01-preview")), 400);
    assert_eq!(
        status(&|own| own.headers[0].1 = "Bearer AccessToken(token='T', expires_on=1)".to_owned()),
        401
    );
    assert_eq!(status(&|own| own.headers[1].1 = "text/plain".to_owned()), 415);
    // What says that it is compressed and is not, and the other way about.
    assert_eq!(status(&|own| own.body = b"[{}]".to_vec()), 415);
    assert_eq!(status(&|own| drop(own.headers.remove(2))), 415);
    assert_eq!(status(&|own| drop(own.headers.remove(0))), 401);
    assert_eq!(status(&|own| own.body = zipped(b"{}")), 400);
    assert_eq!(status(&|own| own.body = zipped(b"[{\"Value\":NaN}]")), 400);
    assert_eq!(status(&|own| own.body = zipped(&[b' '; LIMIT + 1])), 413);
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
