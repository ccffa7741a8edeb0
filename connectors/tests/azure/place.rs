//! What the services of Azure have in common: a token of Entra, JSON, and answers.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use driftlead_connectors::Tls;
use driftlead_connectors::azure::{Access, Login, RecordSink};
use driftlead_connectors::entra::{Application, Entra, Identity};
use driftlead_connectors::sink::Delivery;

use crate::stub::{Answer, Request, Stub};

/// The time of all attempts, in microseconds since the epoch.
pub(crate) const NOW: i64 = 1_767_600_900_000_000;

/// An Entra that gives out `token-1`, `token-2` … for one resource, and refuses every other.
pub(crate) fn entra(resource: &'static str) -> Stub {
    let mut given = 0;
    Stub::start(move |request| {
        if let Some(known) = discovery(request) {
            return Some(known);
        }
        let body = String::from_utf8(request.body.clone()).expect("a form");
        let scope = format!(
            "scope={}",
            url::form_urlencoded::byte_serialize(format!("{resource}/.default").as_bytes())
                .collect::<String>()
        );
        if !body.split('&').any(|pair| pair == scope) {
            return Some(
                Answer::of(400)
                    .saying(r#"{"error":"invalid_scope","error_description":"AADSTS70011: wrong scope"}"#),
            );
        }
        given += 1;
        let text = format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"token-{given}"}}"#);
        Some(Answer::of(200).saying(&text))
    })
}

/// What Entra says of the directory `t-1` to whom asks before anything else, as the official clients do.
pub(crate) fn discovery(request: &Request) -> Option<Answer> {
    if (request.method.as_str(), request.target.as_str())
        != ("GET", "/t-1/v2.0/.well-known/openid-configuration")
    {
        return None;
    }
    let own = format!("https://{}/t-1", request.header("host").expect("a host"));
    let text = format!(
        r#"{{"issuer":"{own}/v2.0","authorization_endpoint":"{own}/oauth2/v2.0/authorize","token_endpoint":"{own}/oauth2/v2.0/token"}}"#
    );
    Some(Answer::of(200).saying(&text))
}

/// Who asks `entra` for tokens of `resource`, by a clock that does not move unless it is told.
pub(crate) fn access(entra: &Stub, resource: &str, clock: &Arc<AtomicI64>) -> Access {
    let application =
        Application { authority: entra.url(), tenant: "t-1".to_owned(), client: "c-1".to_owned() };
    let identity = Identity::Secret { application, secret: "hush-hush".to_owned() };
    let clock = clock.clone();
    let now = Arc::new(move || clock.load(Ordering::SeqCst) / 1_000);
    let entra = Entra::new(identity, resource, now).expect("an identity");
    Access { login: Login::Entra(Arc::new(entra)), tls: Tls::default(), timeout: Duration::from_secs(10) }
}

/// A clock that stands at [`NOW`].
pub(crate) fn clock() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(NOW))
}

/// Sends once.
pub(crate) fn send<S: RecordSink>(sink: &S, records: &[S::Record], now: i64) -> Vec<Delivery> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(sink.send(records, now))
}

/// What was compressed.
pub(crate) fn unzipped(request: &Request) -> Vec<u8> {
    assert_eq!(request.header("content-encoding"), Some("gzip"), "{request:?}");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut plain).expect("gzip");
    plain
}

/// How many of each kind: delivered, to be tried again, refused, expired.
pub(crate) fn tally(answers: &[Delivery]) -> [usize; 4] {
    let mut tally = [0; 4];
    for answer in answers {
        let kind = match answer {
            Delivery::Delivered => 0,
            Delivery::Retry { .. } => 1,
            Delivery::Refused { .. } => 2,
            Delivery::Expired { .. } => 3,
        };
        tally[kind] += 1;
    }
    tally
}
