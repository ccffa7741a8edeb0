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

/// A PEM file as `openssl` writes one: a certificate, of which only the bytes count here, and a key made for this test.
fn pem(folder: &std::path::Path) -> (PathBuf, aws_lc_rs::rsa::KeyPair) {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use base64::Engine as _;

    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let engine = base64::engine::general_purpose::STANDARD;
    let block = |name: &str, bytes: &[u8]| {
        let text = engine.encode(bytes);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n"))
    };
    let file = folder.join("app.pem");
    let text =
        block("PRIVATE KEY", der.as_ref()) + &block("CERTIFICATE", b"not a real certificate, but bytes");
    std::fs::write(&file, text).unwrap();
    (file, key)
}

#[test]
fn a_certificate_signs_who_the_application_is() {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine as _;

    let folder = tempfile::tempdir().unwrap();
    let (file, key) = pem(folder.path());
    let stub = Stub::answering(vec![given("first", 100), given("second", 100)]);
    let identity = Identity::Certificate { application: application(stub.url()), file };
    let (entra, hand) = tokens(identity);
    assert_eq!(entra.token().unwrap().value, "first");
    hand.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(entra.token().unwrap().value, "second");
    let mut ids = Vec::new();
    for (at, request) in stub.requests().iter().enumerate() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/t-1/oauth2/v2.0/token"));
        let body = String::from_utf8(request.body.clone()).unwrap();
        let expected = "grant_type=client_credentials&client_id=c-1&scope=https%3A%2F%2Fns.servicebus.windows.net%2F.default\
                        &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                        &client_assertion=";
        let assertion = body.strip_prefix(expected).expect(&body);
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{assertion}") };
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let read = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&engine.decode(part).unwrap()).unwrap()
        };
        // By Python's hashlib.
        let header_expected = serde_json::json!({"alg": "RS256", "typ": "JWT", "x5t": "IFsxYvBCAK2EDyLwdSBf0xonRN0", "x5t#S256": "MbQhinQu7slm2-VhVHhfQ10c-2XyCTxDhJVeqmyqaKw"});
        assert_eq!(read(header), header_expected);
        let claims = read(claims);
        let now = NOW / 1_000 + 60 * i64::try_from(at).unwrap();
        let audience = format!("{}/t-1/oauth2/v2.0/token", stub.url());
        assert_eq!(
            (&claims["aud"], &claims["iss"], &claims["sub"]),
            (&audience.into(), &"c-1".into(), &"c-1".into())
        );
        assert_eq!((&claims["nbf"], &claims["exp"]), (&(now - 60).into(), &(now + 600).into()));
        ids.push(claims["jti"].clone());
        let said = &assertion[..assertion.rfind('.').unwrap()];
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
            .verify(said.as_bytes(), &engine.decode(signature).unwrap())
            .expect("the key's signature");
    }
    assert_ne!(ids[0], ids[1], "each statement once");
}

#[test]
fn a_file_without_certificate_or_key_is_named_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = pem(folder.path());
    let whole = std::fs::read_to_string(&file).unwrap();
    let at = whole.find("-----BEGIN CERTIFICATE").unwrap();
    let (key, certificate) = whole.split_at(at);
    let secret = key.lines().nth(1).unwrap().to_owned();
    let stub = Stub::answering(Vec::new());
    for (text, expected) in [
        (key.to_owned(), "expected a block `CERTIFICATE`"),
        (certificate.to_owned(), "has no key"),
        (whole.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "that is not encrypted"),
        (
            format!("{certificate}-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"),
            "none of RSA",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let identity = Identity::Certificate { application: application(stub.url()), file: file.clone() };
        let error = tokens(identity).0.token().unwrap_err();
        let message = format!("{error} {error:?}");
        assert!(message.contains(expected) && message.contains("app.pem"), "{message}");
        assert!(!message.contains(&secret), "{message}");
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
    assert!(stub.requests().is_empty());
}

#[cfg(unix)]
mod command {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::entra::cli;

    fn az(folder: &std::path::Path, script: &str) -> PathBuf {
        let file = folder.join("az");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
        file
    }

    fn asked(program: &std::path::Path, tenant: Option<&str>) -> Result<AccessToken> {
        let identity = Identity::Cli { program: program.to_owned(), tenant: tenant.map(str::to_owned) };
        tokens(identity).0.token()
    }

    #[test]
    fn who_has_signed_in_lends_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "echo \"$@\" > {}/words\necho '{{\"accessToken\":\"c.l.i\",\"expires_on\":{},\"expiresOn\":\"x\",\"tokenType\":\"Bearer\"}}'",
            folder.path().display(),
            NOW / 1_000 + 3_600
        );
        let program = az(folder.path(), &script);
        let token = asked(&program, Some("t-1")).unwrap();
        assert_eq!(token, AccessToken { value: "c.l.i".to_owned(), expires: NOW + 3_600_000 });
        let words = std::fs::read_to_string(folder.path().join("words")).unwrap();
        assert_eq!(
            words.trim(),
            "account get-access-token --resource https://ns.servicebus.windows.net -o json --tenant t-1"
        );
    }

    #[test]
    fn what_it_says_instead_of_a_token_is_passed_on_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let refused = az(
            folder.path(),
            "echo \"ERROR: Please run 'az login' to setup account.\" >&2; echo e.y.secret; exit 1",
        );
        let error = asked(&refused, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.to_string().contains("Please run 'az login'"), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        let old = az(
            folder.path(),
            "echo '{\"accessToken\":\"e.y.secret\",\"expiresOn\":\"2001-01-01 00:00:00\"}'",
        );
        let error = asked(&old, None).unwrap_err();
        assert!(error.to_string().contains("`expires_on`"), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        let error = asked(&folder.path().join("none"), None).unwrap_err();
        assert!(error.to_string().contains("cannot be started"), "{error}");
    }

    #[test]
    fn one_that_does_not_answer_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        // It reads a pipe that nobody writes to, so it would wait for ever.
        let script = "mkfifo \"$0.pipe\"; exec cat \"$0.pipe\"";
        let program = az(folder.path(), script);
        let error =
            cli::ask_within(program.as_os_str(), None, RESOURCE, NOW, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
