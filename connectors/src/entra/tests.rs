//! Against a strict stub: what is asked, byte for byte, and what becomes of the answers. Nothing here leaves the loopback
//! address.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::error::ErrorKind;

#[path = "../../tests/support/stub.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod stub;

use stub::{Answer, Request, Stub};

const RESOURCE: &str = "https://ns.servicebus.windows.net";
const NOW: i64 = 1_700_000_000_000;

fn application(authority: String) -> Application {
    Application { authority, tenant: "t-1".to_owned(), client: "c-1".to_owned() }
}

fn secret(stub: &Stub) -> Identity {
    Identity::Secret { application: application(stub.url()), secret: "s3cr&t=/+".to_owned() }
}

/// Tokens, and the hand of the clock.
fn tokens(identity: Identity) -> (Entra, Arc<AtomicI64>) {
    let hand = Arc::new(AtomicI64::new(NOW));
    let now = hand.clone();
    let entra = Entra::new(identity, RESOURCE, Arc::new(move || now.load(Ordering::SeqCst))).unwrap();
    (entra, hand)
}

fn given(token: &str, seconds: u32) -> Answer {
    Answer::of(200)
        .saying(&format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{token}"}}"#))
}

fn only(stub: &Stub) -> Request {
    let [request] = &stub.requests()[..] else { panic!("{:?}", stub.requests()) };
    request.clone()
}

#[test]
fn an_application_asks_with_its_secret() {
    let stub = Stub::answering(vec![given("a.b.c", 3_599)]);
    let token = tokens(secret(&stub)).0.token().unwrap();
    assert_eq!(token, AccessToken { value: "a.b.c".to_owned(), expires: NOW + 3_599_000 });
    let request = only(&stub);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/t-1/oauth2/v2.0/token"));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    let body = "grant_type=client_credentials&client_id=c-1\
                &scope=https%3A%2F%2Fns.servicebus.windows.net%2F.default&client_secret=s3cr%26t%3D%2F%2B";
    assert_eq!(String::from_utf8(request.body).unwrap(), body);
}

#[test]
fn a_workload_asks_with_the_token_that_its_file_holds_now() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let stub = Stub::answering(vec![given("first", 100), given("second", 100)]);
    let identity =
        Identity::Workload { application: application(stub.url()), token_file: token_file.clone() };
    let (entra, hand) = tokens(identity);
    let missing = entra.token().unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Misconfigured);
    assert!(missing.to_string().contains(token_file.to_str().unwrap()), "{missing}");
    std::fs::write(&token_file, " \n").unwrap();
    assert!(entra.token().unwrap_err().to_string().contains("is empty"));

    std::fs::write(&token_file, "e.y.1\n").unwrap();
    assert_eq!(entra.token().unwrap().value, "first");
    // Signed anew meanwhile.
    std::fs::write(&token_file, "e.y.2\n").unwrap();
    hand.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(entra.token().unwrap().value, "second");
    for (request, proof) in stub.requests().iter().zip(["e.y.1", "e.y.2"]) {
        let body = format!(
            "grant_type=client_credentials&client_id=c-1&scope=https%3A%2F%2Fns.servicebus.windows.net%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={proof}"
        );
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/t-1/oauth2/v2.0/token"));
        assert_eq!(String::from_utf8_lossy(&request.body), body);
    }
}

#[test]
fn a_machine_is_asked_for_its_own_identity() {
    // Numbers are text there.
    let body = format!(
        r#"{{"access_token":"m","client_id":"x","expires_in":"86399","expires_on":"{}","resource":"r"}}"#,
        NOW / 1_000 + 86_399
    );
    for (client, rest) in [(None, ""), (Some("c-2"), "&client_id=c-2")] {
        let stub = Stub::answering(vec![Answer::of(200).saying(&body)]);
        let client = client.map(str::to_owned);
        let token = tokens(Identity::Machine { endpoint: stub.url(), client }).0.token().unwrap();
        assert_eq!(token, AccessToken { value: "m".to_owned(), expires: NOW + 86_399_000 });
        let request = only(&stub);
        let path = "/metadata/identity/oauth2/token?api-version=2018-02-01";
        let target = format!("{path}&resource=https%3A%2F%2Fns.servicebus.windows.net{rest}");
        assert_eq!((request.method.as_str(), &request.target), ("GET", &target));
        assert_eq!(request.header("metadata"), Some("true"));
        assert!(request.body.is_empty());
    }
}

#[test]
fn an_app_service_is_asked_where_it_says() {
    let body = format!(r#"{{"access_token":"a","expires_on":"{}","token_type":"Bearer"}}"#, NOW / 1_000 + 60);
    let stub = Stub::answering(vec![Answer::of(200).saying(&body)]);
    let endpoint = format!("{}/msi/token", stub.url());
    let identity =
        Identity::AppService { endpoint, header: "hush-1".to_owned(), client: Some("c-3".to_owned()) };
    assert!(!format!("{identity:?}").contains("hush"));
    assert_eq!(tokens(identity).0.token().unwrap().expires, NOW + 60_000);
    let request = only(&stub);
    let target =
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fns.servicebus.windows.net&client_id=c-3";
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", target));
    assert_eq!(request.header("x-identity-header"), Some("hush-1"));
}

#[test]
fn a_token_is_kept_in_the_first_half_of_its_life_and_outlives_an_outage() {
    let stub = Stub::answering(vec![given("first", 1_000), Answer::of(503), given("second", 1_000)]);
    let (entra, hand) = tokens(secret(&stub));
    let at = |seconds: i64| hand.store(NOW + seconds * 1_000, Ordering::SeqCst);
    assert_eq!(entra.token().unwrap().value, "first");
    at(499);
    assert_eq!(entra.token().unwrap().value, "first");
    assert_eq!(stub.requests().len(), 1);
    at(500);
    assert_eq!(entra.token().unwrap().value, "first", "Entra cannot now, and the old one is good");
    assert_eq!(stub.requests().len(), 2);
    assert_eq!(entra.token().unwrap().value, "second");
    assert_eq!(stub.requests().len(), 3);

    let stub = Stub::answering(vec![given("first", 1_000), Answer::of(503)]);
    let (entra, hand) = tokens(secret(&stub));
    entra.token().unwrap();
    hand.store(NOW + 980_000, Ordering::SeqCst);
    let error = entra.token().unwrap_err();
    assert!(error.retryable() && error.to_string().contains("status 503"), "{error}");
}

#[test]
fn refusals_say_what_entra_says_and_no_secret() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the client secret value. Trace ID: 1 Correlation ID: 2\r\nTimestamp: 3","error_codes":[7000215]}"#;
    let stub = Stub::answering(vec![Answer::of(401).saying(body)]);
    let error = tokens(secret(&stub)).0.token().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let message = error.to_string();
    assert!(
        message.contains("`c-1`") && message.contains("AADSTS7000215: Invalid client secret"),
        "{message}"
    );
    assert!(message.contains("check `tenant`, `client` and `secret`"), "{message}");
    assert!(!message.contains("s3cr") && !message.contains("Trace"), "{message}");

    for (status, body, kind) in [
        (400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#, ErrorKind::Rejected),
        (429, "", ErrorKind::Unavailable),
        (410, "", ErrorKind::Unavailable),
        (302, "", ErrorKind::Misconfigured),
        (200, "<html>", ErrorKind::Malformed),
        (200, r#"{"access_token":""}"#, ErrorKind::Malformed),
        (200, r#"{"access_token":"x"}"#, ErrorKind::Malformed),
        (200, r#"{"access_token":"x","expires_in":0}"#, ErrorKind::Malformed),
    ] {
        let stub = Stub::answering(vec![Answer::of(status).saying(body)]);
        let identity = Identity::Machine { endpoint: stub.url(), client: None };
        let error = tokens(identity).0.token().unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(error.to_string().starts_with("no token for the managed identity"), "{error}");
    }
    let stub = Stub::start(|_| None);
    let error = tokens(secret(&stub)).0.token().unwrap_err();
    assert!(error.retryable() && error.to_string().contains("does not answer"), "{error}");
}

#[test]
fn a_token_can_be_had_from_within_a_task() {
    let stub = Stub::answering(vec![given("a.b.c", 3_599)]);
    let (entra, _) = tokens(secret(&stub));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(async { entra.token() }).unwrap().value, "a.b.c");
}

#[test]
fn addresses_that_would_leak_are_refused() {
    let refuse = |authority: &str, tenant: &str| {
        let application = Application {
            authority: authority.to_owned(),
            tenant: tenant.to_owned(),
            client: "c".to_owned(),
        };
        let identity = Identity::Secret { application, secret: "hush".to_owned() };
        let message = Entra::new(identity, RESOURCE, Arc::new(|| NOW)).unwrap_err().to_string();
        assert!(!message.contains("hush"), "{message}");
        message
    };
    assert!(refuse("http://login.example.org", "t").contains("unprotected"));
    assert!(refuse("login.example.org", "t").contains("no address"));
    assert!(refuse(AUTHORITY, "../other").contains("`tenant: ../other`"));
}
