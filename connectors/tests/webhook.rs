//! Webhooks against a server that keeps what it was sent.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "support/tls.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod authority;
#[path = "support/stub.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod stub;
#[path = "webhook/tls.rs"]
mod tls;

use std::time::Duration;

use driftlead_connectors::sink::{Delivery, Key, Message, Sink, Tls, Webhook, WebhookSettings, sign};
use stub::{Answer, Stub};

const NOW: i64 = 1_700_000_000;

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings {
        url: url.to_owned(),
        key: Some(Key::of_secret("s3cr3t").expect("a key")),
        headers: vec![("Authorization".to_owned(), "Bearer t0ken".to_owned())],
        tls: Tls::default(),
        allow_private_redirects: false,
        timeout: Duration::from_secs(10),
    }
}

fn message() -> Message {
    Message {
        key: "abc:0:hook".to_owned(),
        order: "abc".to_owned(),
        body: br#"{"status":"open"}"#.to_vec(),
        content_type: "application/json".to_owned(),
    }
}

fn deliver(settings: &WebhookSettings) -> Delivery {
    let sink = Sink::Webhook(Box::new(Webhook::new(settings).expect("settings")));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    runtime.block_on(sink.deliver(&message(), NOW))
}

#[test]
fn a_message_is_posted_signed_and_named() {
    let stub = Stub::answering(vec![Answer::of(204)]);
    assert_eq!(deliver(&settings(&format!("{}/hook?a=b", stub.url()))), Delivery::Delivered);
    let [request] = &stub.requests()[..] else { panic!("{:?}", stub.requests()) };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hook?a=b"));
    assert_eq!(request.body, message().body);
    let signature = sign(&Key::of_secret("s3cr3t").unwrap(), "abc:0:hook", NOW, &message().body);
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", "abc:0:hook"),
        ("idempotency-key", "abc:0:hook"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", signature.as_str()),
        ("authorization", "Bearer t0ken"),
        ("user-agent", concat!("driftlead/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[test]
fn answers_tell_patience_from_refusal() {
    let answer = |answer: Answer| {
        let stub = Stub::answering(vec![answer]);
        deliver(&settings(&stub.url()))
    };
    let busy = answer(Answer::of(429).with("retry-after", "17").saying("slow down"));
    assert_eq!(
        busy,
        Delivery::Retry { after: Some(Duration::from_secs(17)), reason: "status 429: slow down".to_owned() }
    );
    let bad = answer(Answer::of(400).saying("<h1>no\n such   card</h1>"));
    assert_eq!(bad, Delivery::Refused { reason: "status 400: <h1>no such card</h1>".to_owned() });
    let dropped = deliver(&settings(&Stub::start(|_| None).url()));
    let Delivery::Retry { reason, .. } = dropped else { panic!("{dropped:?}") };
    assert!(!reason.contains("127.0.0.1") && reason.contains("request failed"), "{reason}");
}

#[test]
fn nobody_there_is_a_reason_without_the_address() {
    // A port that was just free.
    let port = Stub::answering(vec![]).port();
    let gone = deliver(&settings(&format!("http://127.0.0.1:{port}/secret-path")));
    let Delivery::Retry { after: None, reason } = gone else { panic!("{gone:?}") };
    assert!(reason.starts_with("cannot connect") && !reason.contains("secret-path"), "{reason}");
}

#[test]
fn a_redirect_to_a_private_address_is_refused_unless_allowed() {
    let target = Stub::answering(vec![Answer::of(204)]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let to = format!("http://{host}:{}/metadata", target.port());
        let stub = Stub::answering(vec![Answer::of(307).with("location", &to)]);
        let refused = deliver(&settings(&stub.url()));
        let reason = match refused {
            Delivery::Refused { reason } | Delivery::Retry { reason, .. } => reason,
            Delivery::Delivered | Delivery::Expired { .. } => panic!("followed to {host}"),
        };
        assert!(reason.contains("private address"), "{host}: {reason}");
    }
    assert!(target.requests().is_empty(), "{:?}", target.requests());

    let to = format!("http://localhost:{}/moved", target.port());
    let stub = Stub::answering(vec![Answer::of(308).with("location", &to)]);
    let allowed = WebhookSettings { allow_private_redirects: true, ..settings(&stub.url()) };
    assert_eq!(deliver(&allowed), Delivery::Delivered);
    let [request] = &target.requests()[..] else { panic!("{:?}", target.requests()) };
    assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", &message().body[..]));
    // Another host gets the message, which is signed, but not the credentials.
    assert_eq!(request.header("authorization"), None);
    assert!(request.header("webhook-signature").is_some());
}

#[test]
fn redirects_that_lose_the_message_or_never_end_are_refused() {
    let stub = Stub::answering(vec![Answer::of(302).with("location", "/login")]);
    let Delivery::Refused { reason } = deliver(&settings(&stub.url())) else { panic!("taken") };
    assert!(reason.contains("POST into GET"), "{reason}");
    let stub = Stub::answering(vec![Answer::of(307).with("location", "/again")]);
    let around = WebhookSettings { allow_private_redirects: true, ..settings(&stub.url()) };
    let Delivery::Refused { reason } = deliver(&around) else { panic!("taken") };
    assert!(reason.contains("redirects"), "{reason}");
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn settings_are_checked_without_showing_secrets() {
    let fails = |change: &dyn Fn(&mut WebhookSettings)| {
        let mut own = settings("http://127.0.0.1:1/s3cr3t-path");
        change(&mut own);
        Webhook::new(&own).expect_err("refused").to_string()
    };
    assert!(fails(&|own| own.url = "hooks.example/s3cr3t".to_owned()).contains("not an address"));
    assert!(fails(&|own| own.url = "ftp://example.org".to_owned()).contains("`ftp:`"));
    assert!(fails(&|own| own.headers = vec![("X Y".to_owned(), "v".to_owned())]).contains("`X Y`"));
    assert!(
        fails(&|own| own.headers = vec![("Webhook-Id".to_owned(), "v".to_owned())]).contains("leave it out")
    );
    assert!(fails(&|own| own.tls.ca_file = Some("no/such.pem".into())).contains("no/such.pem"));
    let shown = format!("{:?}", Webhook::new(&settings("http://127.0.0.1:1/s3cr3t-path")).unwrap());
    assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken"), "{shown}");
}
