//! The client against a strict stub: it serves what a script says, in that order, and keeps what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::*;
use crate::decode::tests::{bad, payload};
use crate::decode::{AvroSchema, FieldSpec, Format, Outcome, RecordDecoder};

/// A request: its first line and its headers, names in lowercase.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers one connection each with a status and a body; ends with the requests.
struct Stub {
    url: String,
    thread: JoinHandle<Vec<Request>>,
}

impl Stub {
    fn new(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let line = lines.next().unwrap();
                let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
                    let (name, value) = line.split_once(": ").unwrap();
                    (name.to_lowercase(), value.to_owned())
                });
                requests.push(Request { line, headers: headers.collect() });
                let location = if status == 302 { "Location: http://127.0.0.1:9/\r\n" } else { "" };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{location}Connection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                // A client that has seen enough may be gone.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
            requests
        });
        Self { url, thread }
    }

    fn requests(self) -> Vec<Request> {
        self.thread.join().unwrap()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn fetch(options: &RegistryOptions, id: u32) -> Result<Answer> {
    let registry = Registry::new(options).unwrap();
    runtime().block_on(registry.fetch(id))
}

fn schema(text: &str) -> String {
    serde_json::json!({ "schema": text }).to_string()
}

const X: &str = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}"#;

#[test]
fn schemas_are_asked_for_by_id() {
    let stub = Stub::new(vec![(200, schema(X)), (200, schema(X)), (200, schema(X))]);
    let mut options = RegistryOptions::new(format!("{}/apis/ccompat/v7/", stub.url));
    let known = SchemaText { kind: "AVRO".to_owned(), schema: X.to_owned(), references: Vec::new() };
    assert_eq!(fetch(&options, 7).unwrap(), Answer::Schema(known));
    options.auth = Auth::Basic { user: "anna".to_owned(), password: "s:cret".to_owned() };
    options.headers = Headers(vec![("X-Tenant".to_owned(), "blue".to_owned())]);
    fetch(&options, u32::MAX).unwrap();
    assert!(!format!("{options:?}").contains("cret") && !format!("{options:?}").contains("blue"));
    options.auth = Auth::Bearer("to.ken".to_owned());
    fetch(&options, 1).unwrap();
    assert!(!format!("{options:?}").contains("to.ken"));

    let requests = stub.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
    let path = "GET /apis/ccompat/v7/schemas/ids";
    assert_eq!(lines[0], format!("{path}/7 HTTP/1.1"));
    assert_eq!(lines[1], format!("{path}/4294967295 HTTP/1.1"));
    let credentials: Vec<_> = requests.iter().map(|request| request.header("authorization")).collect();
    assert_eq!(credentials, [None, Some("Basic YW5uYTpzOmNyZXQ="), Some("Bearer to.ken")]);
    assert_eq!(requests[1].header("x-tenant"), Some("blue"));
    let accept = "application/vnd.schemaregistry.v1+json, application/json";
    assert_eq!(requests[0].header("accept"), Some(accept));
}

#[test]
fn only_the_registry_says_that_there_is_none() {
    let cases = [
        (404, r#"{"error_code":40403,"message":"Schema 7 not found"}"#, None),
        (404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#, Some(ErrorKind::Misconfigured)),
        (404, "<html>not found</html>", Some(ErrorKind::Misconfigured)),
        (404, r#"{"detail":"no such page"}"#, Some(ErrorKind::Misconfigured)),
        (200, "<html>login</html>", Some(ErrorKind::Malformed)),
        (200, "{}", Some(ErrorKind::Malformed)),
        (302, "", Some(ErrorKind::Misconfigured)),
        (401, "", Some(ErrorKind::Rejected)),
        (403, "{}", Some(ErrorKind::Rejected)),
        (429, "", Some(ErrorKind::Unavailable)),
        (500, r#"{"error_code":50001}"#, Some(ErrorKind::Unavailable)),
        (503, "", Some(ErrorKind::Unavailable)),
    ];
    let stub = Stub::new(cases.iter().map(|(status, body, _)| (*status, (*body).to_owned())).collect());
    for (status, body, expected) in cases {
        match (fetch(&RegistryOptions::new(&stub.url), 7), expected) {
            (Ok(answer), None) => assert_eq!(answer, Answer::Missing, "{status}"),
            (Err(error), Some(kind)) => {
                assert_eq!(error.kind(), kind, "{status} {body}");
                assert!(error.to_string().contains(&stub.url), "{error}");
            }
            (other, _) => panic!("{status} {body}: {other:?}"),
        }
    }
    stub.requests();
}

#[test]
fn a_registry_that_is_away_may_come_back() {
    // A port that was free a moment ago: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch(&RegistryOptions::new(&url), 7).unwrap_err();
    assert!(error.retryable());
    let message = error.to_string();
    let expected = format!("schema registry `{url}/` does not answer: is it running? (cannot connect: ");
    assert!(message.starts_with(&expected), "{message}");

    // One that takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = RegistryOptions::new(format!("http://{}", listener.local_addr().unwrap()));
    options.timeout = Duration::from_millis(50);
    assert!(fetch(&options, 7).unwrap_err().retryable());
}

#[test]
fn answers_without_end_are_cut_off() {
    let stub = Stub::new(vec![(200, format!("{{\"schema\":\"{}\"}}", "x".repeat(17 << 20)))]);
    let error = fetch(&RegistryOptions::new(&stub.url), 7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    stub.requests();
}

#[test]
fn references_come_before_what_refers_to_them() {
    let answer = |text: &str, references: &[(&str, i64)]| {
        let references: Vec<_> = references
            .iter()
            .map(
                |(subject, version)| serde_json::json!({"name": "n", "subject": subject, "version": version}),
            )
            .collect();
        (200, serde_json::json!({"schema": text, "references": references}).to_string())
    };
    // The root refers to b and c; both refer to a.
    let stub = Stub::new(vec![
        answer("root", &[("b/1", 2), ("c", 1)]),
        answer("c", &[("a", 1)]),
        answer("a", &[]),
        answer("b", &[("a", 1)]),
    ]);
    let Answer::Schema(found) = fetch(&RegistryOptions::new(&stub.url), 7).unwrap() else {
        panic!("expected a schema");
    };
    assert_eq!((found.schema.as_str(), found.references), ("root", vec!["a".into(), "c".into(), "b".into()]));
    let lines: Vec<_> = stub.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines[3], "GET /subjects/b%2F1/versions/2 HTTP/1.1");

    // Two that refer to each other end.
    let stub =
        Stub::new(vec![answer("root", &[("a", 1)]), answer("a", &[("b", 1)]), answer("b", &[("a", 1)])]);
    assert!(fetch(&RegistryOptions::new(&stub.url), 7).is_ok());
    stub.requests();

    let stub = Stub::new(vec![answer("root", &[("a", 1)]), (404, r#"{"error_code":40401}"#.to_owned())]);
    let error = fetch(&RegistryOptions::new(&stub.url), 7).unwrap_err();
    assert!(error.to_string().ends_with("a schema refers to version 1 of `a`, which is not there"));
    stub.requests();
}

#[test]
fn records_wait_for_their_schema() {
    let stub =
        Stub::new(vec![(503, String::new()), (200, schema(X)), (404, r#"{"error_code":40403}"#.to_owned())]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let registry =
        Registry::new(&RegistryOptions::new(&stub.url)).unwrap().blocking(runtime.handle().clone());
    let fields = [FieldSpec::new("x", arrow_schema::DataType::Int64)];
    let mut decoder = RecordDecoder::new(&Format::Avro(AvroSchema::Registry), &fields).unwrap();
    let (known, unknown) = ([0, 0, 0, 0, 7, 2], [0, 0, 0, 0, 8, 2]);

    assert_eq!(decoder.decode(&payload(&known)), Outcome::Unresolved(7));
    assert!(registry.fetch(7).unwrap_err().retryable());
    assert_eq!(decoder.decode(&payload(&known)), Outcome::Unresolved(7), "nothing is lost or made up");
    decoder.resolve(7, &registry.fetch(7).unwrap());
    assert_eq!(decoder.decode(&payload(&known)), Outcome::Rows(1));
    assert_eq!(decoder.decode(&payload(&unknown)), Outcome::Unresolved(8));
    decoder.resolve(8, &registry.fetch(8).unwrap());
    assert_eq!(bad(decoder.decode(&payload(&unknown))).reason.as_str(), "unknown_schema");
    assert_eq!(decoder.rows(), 1);
    assert_eq!(stub.requests().len(), 3);
}

#[test]
fn misconfiguration_is_refused_at_once() {
    let fail = |options: &RegistryOptions| {
        let error = Registry::new(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        error.to_string()
    };
    for url in ["registry:8081", "file:///tmp", "not a url"] {
        assert!(fail(&RegistryOptions::new(url)).contains("expected an address such as"), "{url}");
    }
    let message = fail(&RegistryOptions::new("http://anna:s3cret@localhost"));
    assert!(!message.contains("s3cret") && message.contains("put them under `auth`"));
    let mut options = RegistryOptions::new("http://localhost");
    options.headers = Headers(vec![("X".to_owned(), "s3cret\n".to_owned())]);
    assert_eq!(fail(&options), "schema registry: header `X` holds what a header cannot");
    options.headers = Headers(Vec::new());
    options.auth = Auth::Bearer("s3cret\n".to_owned());
    assert_eq!(fail(&options), "schema registry: the token holds what a header cannot");
}
