//! `azure-identity` beside ours: for every identity that it knows too, the same is asked of the same strict server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use driftlead_connectors::entra::{Application, Entra, Identity};
use serde_json::{Value as Json, json};

use super::{Allowed, Told, compare, official, official_well, target};
use crate::place::discovery;
use crate::stub::{Answer, Request, Stub};
use crate::tls::openssl;

const RESOURCE: &str = "https://monitor.azure.com";
const SCOPE: &str = "https://monitor.azure.com/.default";
const SECRET: &str = "hush/=&+";
const WORKLOAD: &str = "e.y.workload";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What only theirs says: of itself, and what it takes for an answer, which ours leaves open (`*/*`).
const SAYS_WHO: &[&str] = &[
    "accept",
    "client-request-id",
    "x-client-current-telemetry",
    "x-client-last-telemetry",
    "x-client-os",
    "x-client-sku",
    "x-client-ver",
    "x-ms-client-request-id",
    "x-ms-lib-capability",
];

/// The application's certificate and key, and what Entra knows of it.
struct Registered {
    _folder: tempfile::TempDir,
    file: PathBuf,
    certificate: Vec<u8>,
    public: Vec<u8>,
}

impl Registered {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let name = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        let (key, certificate) = (name("key.pem"), name("certificate.pem"));
        let base =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=application"];
        openssl(&[&base[..], &["-keyout", &key, "-out", &certificate]].concat());
        let read = |path: &str| fs::read_to_string(path).expect("written");
        let (key, certificate) = (read(&key), read(&certificate));
        let file = folder.path().join("application.pem");
        fs::write(&file, format!("{key}{certificate}")).expect("written");
        let pair = RsaKeyPair::from_pkcs8(&der(&key)).expect("a key");
        let public = pair.public_key().as_ref().to_vec();
        Self { file, certificate: der(&certificate), public, _folder: folder }
    }
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).expect("base64")
}

fn form(request: &Request) -> BTreeMap<String, String> {
    let all: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let map: BTreeMap<String, String> = all.iter().cloned().collect();
    assert_eq!(map.len(), all.len(), "a field stands twice: {all:?}");
    map
}

fn part(text: &str) -> Option<Json> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// What is wrong with a statement of the application by its certificate, at `now` in seconds.
fn misstated(assertion: &str, audience: &str, registered: &Registered, now: f64) -> Option<&'static str> {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Some("not a statement") };
    let (Some(header), Some(claims)) = (part(header), part(claims)) else { return Some("not a statement") };
    if header["alg"] != "RS256" || header["typ"] != "JWT" {
        return Some("another algorithm");
    }
    // Theirs fills the thumbprint up with `=`.
    let is_print = |key: &str, algorithm| match header.get(key).and_then(Json::as_str) {
        Some(own) => {
            own.trim_end_matches('=') == URL_SAFE_NO_PAD.encode(digest(algorithm, &registered.certificate))
        }
        None => true,
    };
    let has_none = header.get("x5t").is_none() && header.get("x5t#S256").is_none();
    if has_none || !is_print("x5t", &SHA1_FOR_LEGACY_USE_ONLY) || !is_print("x5t#S256", &SHA256) {
        return Some("AADSTS700027: another certificate");
    }
    // The address of tokens, in whichever way it is asked.
    if claims["aud"].as_str().is_none_or(|own| own.replace("https://", "http://") != audience) {
        return Some("AADSTS50012: another audience");
    }
    if claims["iss"] != "c-1" || claims["sub"] != "c-1" || claims["jti"].as_str().is_none_or(str::is_empty) {
        return Some("another issuer");
    }
    let time = |key: &str| claims.get(key).and_then(Json::as_f64);
    let begins = time("nbf").or(time("iat")).is_some_and(|own| own <= now + 1.0);
    if !begins || time("exp").is_none_or(|own| own <= now || own > now + 86_400.0) {
        return Some("AADSTS700024: not now");
    }
    let said = &assertion[..assertion.rfind('.').unwrap_or_default()];
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &registered.public);
    let is_signed = URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| key.verify(said.as_bytes(), &signature).is_ok());
    (!is_signed).then_some("AADSTS700027: another key")
}

fn refused(status: u16, error: &str, said: &str) -> Answer {
    Answer::of(status).saying(&json!({"error": error, "error_description": said}).to_string())
}

/// The clock of the statements, in seconds.
fn seconds() -> f64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64()
}

fn now() -> Arc<dyn Fn() -> i64 + Send + Sync> {
    Arc::new(|| (seconds() * 1_000.0) as i64)
}

/// Entra: the directory `t-1` with the application `c-1`.
fn judge(request: &Request, registered: &Registered) -> Answer {
    if let Some(known) = discovery(request) {
        return known;
    }
    if request.method != "POST" || request.target != "/t-1/oauth2/v2.0/token" {
        return refused(404, "invalid_request", "AADSTS90002: no such directory");
    }
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return refused(415, "invalid_request", "AADSTS900144: no form");
    }
    let form = form(request);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        return refused(400, "unsupported_grant_type", "AADSTS70003: another grant");
    }
    if field("client_id") != "c-1" {
        return refused(400, "unauthorized_client", "AADSTS700016: no such application");
    }
    if field("scope") != SCOPE {
        return refused(400, "invalid_scope", "AADSTS70011: another scope");
    }
    let is_known = |name: &String| {
        let known = [
            "grant_type",
            "client_id",
            "scope",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
            "client_info",
        ];
        known.contains(&name.as_str())
    };
    if let Some(other) = form.keys().find(|name| !is_known(name)) {
        return refused(400, "invalid_request", &format!("the field `{other}`"));
    }
    let fault = match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(own), None) => (own != SECRET).then_some("AADSTS7000215: another secret"),
        (None, Some(_)) if field("client_assertion_type") != ASSERTION => {
            Some("AADSTS50027: another kind of statement")
        }
        // The pod's token; theirs leaves the end of the line in the file on it.
        (None, Some(own)) if own.trim_end() == WORKLOAD => None,
        (None, Some(own)) => {
            let audience = format!("http://{}{}", request.header("host").unwrap_or_default(), request.target);
            misstated(own, &audience, registered, seconds())
        }
        _ => Some("AADSTS7000216: no proof"),
    };
    match fault {
        Some(fault) => refused(401, "invalid_client", fault),
        None => Answer::of(200).saying(
            &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "e.y.J"}).to_string(),
        ),
    }
}

/// The metadata service of a machine with the identities `c-2` and one that needs no name.
fn machine(request: &Request) -> Answer {
    let (path, query) = target(request);
    let query: BTreeMap<String, String> = query.into_iter().collect();
    if request.method != "GET" || path != "/metadata/identity/oauth2/token" {
        return refused(404, "not_found", "no such path");
    }
    // Who was led there from outside is not on the machine.
    if request.header("metadata") != Some("true") || request.header("x-forwarded-for").is_some() {
        return refused(400, "invalid_request", "Required metadata header not specified");
    }
    managed(&query, "2018-02-01", "c-2")
}

/// The endpoint of an app service with the identity `c-3`.
fn app_service(request: &Request) -> Answer {
    let (path, query) = target(request);
    let query: BTreeMap<String, String> = query.into_iter().collect();
    if request.method != "GET" || path != "/msi/token" {
        return refused(404, "not_found", "no such path");
    }
    if request.header("x-identity-header") != Some("hush-1") {
        return refused(401, "unauthorized", "the header is missing or wrong");
    }
    managed(&query, "2019-08-01", "c-3")
}

fn managed(query: &BTreeMap<String, String>, version: &str, client: &str) -> Answer {
    let of = |name: &str| query.get(name).map(String::as_str);
    if of("api-version") != Some(version) {
        return refused(400, "bad_request_102", "the api-version is not known");
    }
    if of("resource") != Some(RESOURCE) {
        return refused(400, "invalid_resource", "AADSTS500011: no such resource");
    }
    if of("client_id").is_some_and(|own| own != client) || query.len() > 3 {
        return refused(400, "invalid_request", "Identity not found");
    }
    let end = format!("{:.0}", seconds() + 86_400.0);
    let json = json!({"access_token": "m.i.t", "expires_in": "86399", "expires_on": end, "resource": RESOURCE,
        "token_type": "Bearer", "client_id": client});
    Answer::of(200).saying(&json.to_string())
}

fn application(stub: &Stub) -> Application {
    Application { authority: stub.url(), tenant: "t-1".to_owned(), client: "c-1".to_owned() }
}

fn ask(identity: Identity) -> driftlead_connectors::Result<String> {
    Ok(Entra::new(identity, RESOURCE, now())?.token()?.value)
}

fn step(identity: Json) -> Json {
    json!({"do": "token", "scope": SCOPE, "identity": identity})
}

fn of_application(stub: &Stub, kind: &str, more: Json) -> Json {
    let mut own = json!({"kind": kind, "tenant": "t-1", "client": "c-1",
        "authority": stub.url().replace("http", "https")});
    own.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    step(own)
}

/// A server that knows the application, for ours and theirs.
fn directory() -> (Stub, Arc<Registered>) {
    let registered = Arc::new(Registered::new());
    let own = registered.clone();
    (Stub::start(move |request| Some(judge(request, &own))), registered)
}

/// The one form of each, of which theirs comes after a look at the directory where `looks`.
fn forms(stub: &Stub, looks: bool) -> [Request; 2] {
    let requests = stub.requests();
    assert_eq!(requests.len(), if looks { 3 } else { 2 }, "{requests:?}");
    if looks {
        assert!(requests[1].target.ends_with("/openid-configuration"), "ours knows the place without asking");
    }
    [requests[0].clone(), requests[requests.len() - 1].clone()]
}

#[test]
fn an_application_with_its_secret_asks_for_the_same() {
    let (stub, _) = directory();
    let identity = Identity::Secret { application: application(&stub), secret: SECRET.to_owned() };
    assert_eq!(ask(identity).expect("a token"), "e.y.J");
    official_well(of_application(&stub, "secret", json!({"secret": SECRET})));
    let [own, theirs] = forms(&stub, true);
    compare(&own, &without_telemetry(&theirs), &Allowed { ours: &["accept"], theirs: &[], values: &[] });
    let (own, mut theirs) = (form(&own), form(&theirs));
    // Asks for a description of who has signed in, of which there is nobody.
    assert_eq!(theirs.remove("client_info").as_deref(), Some("1"));
    assert_eq!(own, theirs);
}

/// Less what the official client says of itself.
fn without_telemetry(request: &Request) -> Request {
    let mut own = request.clone();
    own.headers.retain(|(name, _)| !SAYS_WHO.contains(&name.as_str()));
    own
}

#[test]
fn an_application_with_a_certificate_states_the_same() {
    let (stub, registered) = directory();
    let identity = Identity::Certificate { application: application(&stub), file: registered.file.clone() };
    assert_eq!(ask(identity).expect("a token"), "e.y.J");
    official_well(of_application(&stub, "certificate", json!({"file": registered.file})));
    let [own, theirs] = forms(&stub, true);
    compare(&own, &without_telemetry(&theirs), &Allowed { ours: &["accept"], theirs: &[], values: &[] });
    let (mut own, mut theirs) = (form(&own), form(&theirs));
    assert_eq!(theirs.remove("client_info").as_deref(), Some("1"));
    let parts = |form: &mut BTreeMap<String, String>| -> [Json; 2] {
        let assertion = form.remove("client_assertion").expect("a statement");
        let mut parts = assertion.split('.').map(|text| part(text).unwrap_or_default());
        [parts.next().expect("a header"), parts.next().expect("claims")]
    };
    let ([header, claims], [their_header, their_claims]) = (parts(&mut own), parts(&mut theirs));
    assert_eq!(own, theirs, "the rest of the form");
    let keys = |json: &Json| -> Vec<String> {
        let mut keys: Vec<String> = json.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    // Ours names the certificate by SHA-256 as well, and says from when it holds.
    assert_eq!(keys(&header), ["alg", "typ", "x5t", "x5t#S256"]);
    assert_eq!(keys(&their_header), ["alg", "typ", "x5t"]);
    assert_eq!((&header["alg"], &header["typ"]), (&their_header["alg"], &their_header["typ"]));
    let print = |json: &Json| json["x5t"].as_str().map(|own| own.trim_end_matches('=').to_owned());
    assert_eq!(print(&header), print(&their_header));
    assert_eq!(keys(&claims), ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"]);
    assert_eq!(keys(&their_claims), ["aud", "exp", "iat", "iss", "jti", "sub"]);
    for key in ["iss", "sub"] {
        assert_eq!(claims[key], their_claims[key], "{key}");
    }
    let audience = |json: &Json| json["aud"].as_str().map(|own| own.replace("https://", "http://"));
    assert_eq!(audience(&claims), audience(&their_claims));
    let life = |json: &Json| {
        json["exp"].as_f64().zip(json["iat"].as_f64()).map(|(end, begin)| (end - begin).round())
    };
    assert_eq!((life(&claims), life(&their_claims)), (Some(600.0), Some(600.0)), "ten minutes");
    assert_ne!(claims["jti"], their_claims["jti"], "each statement once");
}

#[test]
fn a_workload_shows_the_same_token() {
    let (stub, _) = directory();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, format!("{WORKLOAD}\n")).expect("written");
    let identity = Identity::Workload { application: application(&stub), token_file: file.clone() };
    assert_eq!(ask(identity).expect("a token"), "e.y.J");
    official_well(of_application(&stub, "workload", json!({"file": file})));
    let [own, theirs] = forms(&stub, false);
    compare(&own, &without_telemetry(&theirs), &Allowed { ours: &["accept"], theirs: &[], values: &[] });
    let (own, mut theirs) = (form(&own), form(&theirs));
    // Whether Entra takes what is behind a token is not said anywhere: ours sends the token.
    let their_token = theirs.get_mut("client_assertion").expect("a token");
    assert_eq!(their_token.as_str(), format!("{WORKLOAD}\n"));
    their_token.pop();
    assert_eq!(own, theirs);
}

#[test]
fn a_machine_and_an_app_service_are_asked_the_same() {
    for client in [None, Some("c-2")] {
        let stub = Stub::start(|request| Some(machine(request)));
        let identity = Identity::Machine { endpoint: stub.url(), client: client.map(str::to_owned) };
        assert_eq!(ask(identity).expect("a token"), "m.i.t");
        official_well(step(json!({"kind": "managed", "client": client,
            "environment": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": stub.url()}})));
        let [own, theirs] = forms(&stub, false);
        compare(&own, &without_telemetry(&theirs), &Allowed { ours: &["accept"], theirs: &[], values: &[] });
    }
    for client in [None, Some("c-3")] {
        let stub = Stub::start(|request| Some(app_service(request)));
        let (endpoint, header) = (format!("{}/msi/token", stub.url()), "hush-1".to_owned());
        let identity =
            Identity::AppService { endpoint: endpoint.clone(), header, client: client.map(str::to_owned) };
        assert_eq!(ask(identity).expect("a token"), "m.i.t");
        official_well(step(json!({"kind": "managed", "client": client,
            "environment": {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": "hush-1"}})));
        let [own, theirs] = forms(&stub, false);
        // Theirs sends the header of machines here as well.
        compare(
            &own,
            &without_telemetry(&theirs),
            &Allowed { ours: &["accept"], theirs: &["metadata"], values: &[] },
        );
    }
}

/// Neither loses hope of a machine whose service is being renewed; theirs waits within the call, ours lets the outbox wait.
#[test]
fn a_machine_that_cannot_now_is_asked_again() {
    for (status, is_later) in [(404, true), (410, true), (429, true), (500, true), (503, true), (400, false)]
    {
        let stub = || {
            let mut asked = 0;
            Stub::start(move |request| {
                asked += 1;
                Some(if asked == 1 { refused(status, "busy", "later") } else { machine(request) })
            })
        };
        let (own, theirs) = (stub(), stub());
        let entra = Entra::new(Identity::Machine { endpoint: own.url(), client: None }, RESOURCE, now());
        let entra = entra.expect("an identity");
        let error = entra.token().expect_err("not now");
        assert_eq!(error.retryable(), is_later, "{status}: {error}");
        assert_eq!(own.requests().len(), 1);
        assert_eq!(entra.token().expect("a token").value, "m.i.t", "asked by the next attempt");
        let told = official(&[step(json!({"kind": "managed",
            "environment": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": theirs.url()}}))]);
        assert_eq!(told[0].said.is_none(), is_later, "{status}: {told:?}");
        assert_eq!(theirs.requests().len(), if is_later { 2 } else { 1 }, "{status}: {told:?}");
    }
}

#[test]
fn both_are_refused_by_the_same_words() {
    let (stub, registered) = directory();
    let other = Registered::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, "e.y.another").expect("written");
    let wrong = |client: &str| Application { client: client.to_owned(), ..application(&stub) };
    let secret = |client: &str, secret: &str| Identity::Secret {
        application: wrong(client),
        secret: secret.to_owned(),
    };
    let certificate =
        |file: &Path| Identity::Certificate { application: application(&stub), file: file.to_owned() };
    for (own, theirs, expected) in [
        (secret("c-1", "x"), of_application(&stub, "secret", json!({"secret": "x"})), "AADSTS7000215"),
        (
            secret("c-9", SECRET),
            of_application(&stub, "secret", json!({"secret": SECRET, "client": "c-9"})),
            "AADSTS700016",
        ),
        (
            certificate(&other.file),
            of_application(&stub, "certificate", json!({"file": other.file})),
            "AADSTS700027",
        ),
        (
            Identity::Workload { application: application(&stub), token_file: file.clone() },
            of_application(&stub, "workload", json!({"file": file})),
            "not a statement",
        ),
    ] {
        let error = ask(own).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        let told: Vec<Told> = official(&[theirs]);
        assert!(told[0].said.as_deref().is_some_and(|said| said.contains(expected)), "{told:?}");
    }
    assert_eq!(ask(certificate(&registered.file)).expect("the right one"), "e.y.J");
}

#[test]
fn the_servers_refuse_what_breaks_the_contract() {
    let registered = Registered::new();
    let well = |body: &str| Request {
        method: "POST".to_owned(),
        target: "/t-1/oauth2/v2.0/token".to_owned(),
        headers: vec![
            ("host".to_owned(), "127.0.0.1:1".to_owned()),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ],
        body: body.as_bytes().to_vec(),
    };
    let base = "grant_type=client_credentials&client_id=c-1&scope=https%3A%2F%2Fmonitor.azure.com%2F.default";
    let said = |body: &str| {
        let answer = judge(&well(body), &registered);
        format!("{} {}", answer.status, answer.body)
    };
    let secret = "client_secret=hush%2F%3D%26%2B";
    assert!(said(&format!("{base}&{secret}")).starts_with("200"));
    for (body, expected) in [
        (format!("{base}&client_secret=hush/=%26+"), "AADSTS7000215"),
        (base.to_owned(), "AADSTS7000216"),
        (format!("{base}&{secret}").replace("client_credentials", "password"), "AADSTS70003"),
        (format!("{base}&{secret}").replace("%2F.default", ""), "AADSTS70011"),
        (format!("{base}&{secret}").replace("monitor.", "monitoring."), "AADSTS70011"),
        (format!("{base}&{secret}&resource=x"), "the field `resource`"),
        (format!("{base}&client_assertion=e.y.workload"), "AADSTS50027"),
    ] {
        assert!(said(&body).contains(expected), "{body}: {}", said(&body));
    }
    let misstatement = |change: &dyn Fn(&mut Json, &mut Json)| {
        let mut header = json!({"alg": "RS256", "typ": "JWT",
            "x5t": URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &registered.certificate))});
        let mut claims = json!({"aud": "http://a/token", "iss": "c-1", "sub": "c-1", "jti": "1", "nbf": 900, "exp": 1_500});
        change(&mut header, &mut claims);
        let text = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let assertion = format!("{}.{}.c2lnbmF0dXJl", text(&header), text(&claims));
        misstated(&assertion, "http://a/token", &registered, 1_000.0).expect("wrong")
    };
    assert_eq!(misstatement(&|_, _| ()), "AADSTS700027: another key");
    assert_eq!(misstatement(&|header, _| header["alg"] = "none".into()), "another algorithm");
    assert_eq!(misstatement(&|header, _| header["x5t"] = "AAAA".into()), "AADSTS700027: another certificate");
    assert_eq!(misstatement(&|_, own| own["aud"] = "http://b/token".into()), "AADSTS50012: another audience");
    assert_eq!(misstatement(&|_, own| own["sub"] = "c-2".into()), "another issuer");
    assert_eq!(misstatement(&|_, own| own["exp"] = 1_000.into()), "AADSTS700024: not now");
    assert_eq!(misstatement(&|_, own| own["nbf"] = 2_000.into()), "AADSTS700024: not now");

    let get = |target: &str, headers: &[(&str, &str)]| Request {
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: Vec::new(),
    };
    let path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://monitor.azure.com";
    let of = |target: &str, headers: &[(&str, &str)]| machine(&get(target, headers)).status;
    assert_eq!(of(path, &[("metadata", "true")]), 200);
    assert_eq!(of(path, &[]), 400);
    assert_eq!(of(path, &[("metadata", "true"), ("x-forwarded-for", "10.0.0.1")]), 400);
    assert_eq!(of(&path.replace("2018-02-01", "2019-08-01"), &[("metadata", "true")]), 400);
    assert_eq!(of(&format!("{path}/.default"), &[("metadata", "true")]), 400);
    assert_eq!(of(&format!("{path}&client_id=c-9"), &[("metadata", "true")]), 400);
    let path = "/msi/token?api-version=2019-08-01&resource=https://monitor.azure.com";
    let of = |target: &str, header: &str| app_service(&get(target, &[("x-identity-header", header)])).status;
    assert_eq!(of(path, "hush-1"), 200);
    assert_eq!(of(path, "hush-2"), 401);
    assert_eq!(of(&path.replace("2019-08-01", "2018-02-01"), "hush-1"), 400);
}
