//! `driftlead azure doctor` against servers on the loopback address: each fault has its own advice, nothing is written, and
//! neither a secret nor a token is shown.

use std::io::Read as _;
use std::net::TcpListener;

use crate::support::folder::Folder;
use crate::support::program::{Ended, program};
use crate::support::stub::{Answer, Request, Stub};

const MODEL: &str =
    "model: m\nsource: s\nbaseline: b.parquet\ntime: t\nwindow: {length: 1h}\nsinks: [workspace]\n";

/// A token as Entra makes them, but for the signature.
fn token(audience: &str) -> String {
    let payload =
        base64_url(&format!(r#"{{"aud":"{audience}","oid":"object-7","appid":"c-1","exp":1767600900}}"#));
    format!("{}.{payload}.c2lnbmF0dXJl", base64_url(r#"{"alg":"RS256"}"#))
}

fn base64_url(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    out
}

fn entra(audience: &'static str) -> Stub {
    Stub::start(move |_| {
        let token = token(audience);
        let text = format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#);
        Some(Answer::of(200).saying(&text))
    })
}

fn monitor() -> Stub {
    entra("https://monitor.azure.com")
}

/// An Entra whose tokens are for what is asked for.
fn willing() -> Stub {
    Stub::start(|request| {
        let form = String::from_utf8(request.body.clone()).expect("a form");
        let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope=")).expect("a scope");
        let audience = scope.replace("%3A", ":").replace("%2F", "/");
        let token = token(audience.strip_suffix("/.default").expect("a scope"));
        let text = format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#);
        Some(Answer::of(200).saying(&text))
    })
}

const KEY: &str = "5ec2e700-0000-4000-8000-00000000beef";
const ID: &str = "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventHub/namespaces/orders";

/// Runs it on a service with one sink, whose settings are the first line of `sink`; a second line is the value of
/// `${CONNECTION}` in it.
fn look(sink: &str, entra: &Stub, more: &[&str]) -> Ended {
    let folder = Folder::new();
    folder.write("m.yaml", MODEL);
    let (sink, connection) = sink.split_once('\n').unwrap_or((sink, "none"));
    let entra =
        format!("{{tenant: t-1, client: c-1, secret: \"${{SECRET}}\", authority: \"{}\"}}", entra.url());
    let service = folder.write(
        "service.yaml",
        format!(
            "store: state\nmodels: m.yaml\nsources: {{s: {{ingest: {{}}}}}}\nsinks:\n  workspace:\n    {}\n",
            sink.replace("ENTRA", &entra)
        ),
    );
    let mut command = program(&[&["azure", "doctor", &service], more].concat());
    command.env("SECRET", "hush-hush").env("CONNECTION", connection);
    let ended: Ended = command.output().expect("the program runs").into();
    let all = format!("{}{}", ended.out, ended.err);
    for secret in ["hush-hush", "eyJ", "c2lnbmF0dXJl", KEY] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    ended
}

fn assert_says(ended: &Ended, code: i32, expected: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for expected in expected {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
}

#[test]
fn custom_metrics_are_looked_at_without_a_number() {
    let entra = willing();
    let sink = |stub: &Stub| {
        format!("azure_metrics: {{endpoint: \"{}\", resource: {ID}, entra: ENTRA}}", stub.url())
    };
    let stub =
        Stub::start(|_| Some(Answer::of(400).saying(r#"{"error":{"code":"BadRequest","message":"old"}}"#)));
    let ended = look(&sink(&stub), &entra, &[]);
    assert_says(
        &ended,
        0,
        &[
            "has a token for `https://monitoring.azure.com` (aud `https://monitoring.azure.com`, appid `c-1`, oid `object-7`",
            "unknown  resource at `127.0.0.1`: it is there and takes the identity, but says of a metric of yesterday without \
             series: status 400: BadRequest: old",
            "unknown  region: whether the endpoint is that of the resource's region tells\n           az resource show --ids",
        ],
    );
    let requests = stub.requests();
    assert_eq!((requests.len(), requests[0].target.as_str()), (1, &*format!("{ID}/metrics")));
    let body: serde_json::Value = serde_json::from_slice(&requests[0].body).expect("JSON");
    assert_eq!(body["data"]["baseData"]["series"], serde_json::json!([]), "{body}");
    for (status, code, expected) in [
        (200, 0, "well     resource at `127.0.0.1`: takes records (status 200)"),
        (401, 2, "az account show --query tenantId"),
        (
            403,
            2,
            "az role assignment create --assignee-object-id object-7 --assignee-principal-type ServicePrincipal --role \
             \"Monitoring Metrics Publisher\" --scope \"/subscriptions/S/resourceGroups/G/providers/Microsoft.EventHub/\
             namespaces/orders\"",
        ),
        (
            404,
            2,
            "there is no such resource at this endpoint; this shows what there is:\n           az resource show --ids",
        ),
        (302, 2, "it is `https://REGION.monitoring.azure.com`"),
        (503, 3, "try again later"),
    ] {
        let stub = Stub::start(move |_| Some(Answer::of(status)));
        assert_says(&look(&sink(&stub), &entra, &[]), code, &[expected]);
    }
    // An identity of logs has a token, and of another audience.
    let stub = Stub::start(|_| Some(Answer::of(200)));
    let ended = look(&sink(&stub), &monitor(), &[]);
    assert_says(
        &ended,
        2,
        &["the token is for `https://monitor.azure.com`, expected `https://monitoring.azure.com`"],
    );
    assert!(stub.requests().is_empty());
}

#[test]
fn application_insights_is_looked_at_without_an_item() {
    let entra = willing();
    let sink = |stub: &Stub, more: &str| {
        let string = format!("InstrumentationKey={KEY};IngestionEndpoint={};ApplicationId=app-7", stub.url());
        format!("application_insights: {{connection_string: \"${{CONNECTION}}\"{more}}}\n{string}")
    };
    let none = r#"{"itemsReceived":0,"itemsAccepted":0,"errors":[]}"#;
    let stub = Stub::start(move |_| Some(Answer::of(200).saying(none)));
    let expected = [
        "well     connection string: all goes to `127.0.0.1`; it names no `AADAudience`",
        "well     ingestion at `127.0.0.1`: takes records (status 200)",
    ];
    assert_says(&look(&sink(&stub, ""), &entra, &[]), 0, &expected);
    assert!(entra.requests().is_empty(), "the key is enough");
    let ended = look(&sink(&stub, ", entra: ENTRA"), &entra, &[]);
    assert_says(
        &ended,
        0,
        &["has a token for `https://monitor.azure.com/` (aud `https://monitor.azure.com/`"],
    );
    for request in stub.requests() {
        assert_eq!((request.target.as_str(), request.body.as_slice()), ("/v2.1/track", &b"[]"[..]));
    }
    let repeats = format!(
        r#"{{"itemsReceived":0,"itemsAccepted":0,"errors":[{{"index":0,"statusCode":400,"message":"{KEY}"}}]}}"#
    );
    for (status, said, more, code, expected) in [
        (
            400,
            repeats.as_str(),
            "",
            0,
            "unknown  ingestion at `127.0.0.1`: it is there, but says of a list without items",
        ),
        (200, "<html>", "", 0, "unknown  ingestion at `127.0.0.1`: status 200, but no word of items"),
        (401, "", "", 2, "it takes nobody without an identity: name one with `entra`"),
        (401, "", ", entra: ENTRA", 2, "az account show --query tenantId"),
        (
            403,
            "",
            ", entra: ENTRA",
            2,
            "--scope \"$(az monitor app-insights component show --query \"[?appId=='app-7'].id\" --output tsv)\"",
        ),
        (402, "", "", 2, "the daily cap or the quota of the resource is used up"),
        (439, "", "", 2, "the daily cap or the quota of the resource is used up"),
        (404, "", "", 2, "az monitor app-insights component show --query"),
        (503, "", "", 3, "try again later"),
    ] {
        let said = said.to_owned();
        let stub = Stub::start(move |_| Some(Answer::of(status).saying(&said)));
        assert_says(&look(&sink(&stub, more), &entra, &[]), code, &[expected]);
    }
}

#[test]
fn remote_write_is_looked_at_without_a_sample() {
    let entra = willing();
    let stub = Stub::start(|_| Some(Answer::of(204)));
    let sink =
        |stub: &Stub, more: &str| format!("prometheus: {{url: \"{}/api/v1/write\"{more}}}", stub.url());
    assert_says(
        &look(&sink(&stub, ""), &entra, &[]),
        0,
        &["well     remote write at `127.0.0.1`: takes records (status 204)"],
    );
    assert!(entra.requests().is_empty());
    let requests = stub.requests();
    assert_eq!(requests[0].header("content-encoding"), Some("snappy"));
    let message = snap::raw::Decoder::new().decompress_vec(&requests[0].body).expect("snappy");
    assert!(message.is_empty(), "no series");
    let dcr = |stub: &Stub| {
        let path = "dataCollectionRules/dcr-9/streams/Microsoft-PrometheusMetrics";
        format!(
            "prometheus: {{url: \"{}/{path}/api/v1/write?api-version=2023-04-24\", entra: ENTRA}}",
            stub.url()
        )
    };
    let denied = Stub::start(|_| Some(Answer::of(403)));
    assert_says(
        &look(&dcr(&denied), &entra, &[]),
        2,
        &["az role assignment create", "[?immutableId=='dcr-9'].id"],
    );
    for (status, code, expected) in [
        (400, 0, "unknown  remote write at `127.0.0.1`: it is there, but says of a message without series"),
        (401, 2, "name one with `entra` or `headers`"),
        (404, 2, "there is no such address at this endpoint"),
        (302, 2, "this is no receiver of remote write"),
        (500, 3, "try again later"),
    ] {
        let stub = Stub::start(move |_| Some(Answer::of(status)));
        assert_says(&look(&sink(&stub, ""), &entra, &[]), code, &[expected]);
    }
}

#[test]
fn a_record_is_sent_only_where_it_is_asked_for_and_all_else_is_well() {
    let entra = willing();
    let logs = |stub: &Stub| {
        format!(
            "azure_logs: {{endpoint: \"{}\", rule: dcr-1, entra: ENTRA, send: [alerts, verdicts, diagnostics]}}",
            stub.url()
        )
    };
    let stub = Stub::start(|_| Some(Answer::of(204)));
    let ended = look(&logs(&stub), &entra, &["--send"]);
    let expected = ["alert", "verdict", "diagnostic"]
        .map(|kind| format!("well     test {kind}: was taken: look for the model `test of this sink`"));
    assert_says(&ended, 0, &expected.each_ref().map(String::as_str));
    assert!(!ended.out.contains("unknown"), "{}", ended.out);
    let sent: Vec<(String, String)> = stub
        .requests()
        .iter()
        .filter(|request| body(request) != "[]")
        .map(|request| (request.target.split(['/', '?']).nth(4).expect("a stream").to_owned(), body(request)))
        .collect();
    let streams: Vec<&str> = sent.iter().map(|(stream, _)| stream.as_str()).collect();
    let all = ["Alerts", "Metrics", "Verdicts", "Diagnostics"].map(|own| format!("Custom-Driftlead{own}"));
    assert_eq!(streams, all);
    assert!(sent.iter().all(|(_, body)| body.contains("test of this sink")), "{sent:?}");

    // A record that does not fit, one that is lost on the way, and a sink that is not well before.
    for (status, code, expected) in [
        (400, 2, "fault    test alert: 1 of 1 records refused: status 400"),
        (403, 2, "az role assignment create"),
        (503, 3, "try again later"),
    ] {
        let stub =
            Stub::start(move |request| Some(Answer::of(if body(request) == "[]" { 204 } else { status })));
        assert_says(&look(&logs(&stub), &entra, &["--send"]), code, &[expected]);
    }
    let stub = Stub::start(|_| Some(Answer::of(404)));
    look(&logs(&stub), &entra, &["--send"]);
    assert!(stub.requests().iter().all(|request| body(request) == "[]"), "nothing where something is wrong");

    let metrics = Stub::start(|_| Some(Answer::of(200)));
    let sink = format!("azure_metrics: {{endpoint: \"{}\", resource: {ID}, entra: ENTRA}}", metrics.url());
    assert_says(&look(&sink, &entra, &["--send"]), 0, &["well     test verdict: was taken"]);
    let sent: Vec<String> =
        metrics.requests().iter().map(|own| String::from_utf8_lossy(&own.body).into_owned()).collect();
    assert!(sent.iter().any(|body| body.contains("test of this sink")), "{sent:?}");
}

fn run(endpoint: &str, entra: &Stub, more: &str) -> Ended {
    let folder = Folder::new();
    folder.write("m.yaml", MODEL);
    let service = folder.write(
        "service.yaml",
        format!(
            "store: state\nmodels: m.yaml\nsources: {{s: {{ingest: {{}}}}}}\nsinks:\n  workspace:\n    azure_logs:\n      \
             endpoint: {endpoint}\n      rule: dcr-1\n      entra: {{tenant: t-1, client: c-1, secret: \"${{SECRET}}\", \
             authority: \"{}\"}}\n{more}",
            entra.url()
        ),
    );
    let mut command = program(&["azure", "doctor", &service]);
    let ended: Ended = command.env("SECRET", "hush-hush").output().expect("the program runs").into();
    let all = format!("{}{}", ended.out, ended.err);
    assert!(!all.contains("hush-hush") && !all.contains("eyJ") && !all.contains("c2lnbmF0dXJl"), "{all}");
    assert_eq!(ended.code == Some(0), ended.err.is_empty(), "{ended:?}");
    ended
}

fn body(request: &Request) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut text).expect("gzip");
    text
}

#[test]
fn what_is_well_is_said_to_be_and_nothing_is_written() {
    let (stub, entra) = (Stub::start(|_| Some(Answer::of(204))), monitor());
    let ended = run(&stub.url(), &entra, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for expected in [
        "workspace (azure_logs)\n",
        "well     the application `c-1` with its secret: has a token for `https://monitor.azure.com` (aud `https://monitor.azure.com`, \
         appid `c-1`, oid `object-7`, exp 2026-01-05T08:15:00Z)",
        "well     host `127.0.0.1`: its name is known",
        "well     stream `Custom-DriftleadMetrics` at `127.0.0.1`: takes records (status 204)",
        "unknown  records: whether what is sent fits only a record can tell",
        "driftlead alerts test-sink",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
    let requests = stub.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert!(
            request.target.starts_with("/dataCollectionRules/dcr-1/streams/Custom-Driftlead"),
            "{request:?}"
        );
        assert_eq!(body(request), "[]", "no record");
    }
    run(&stub.url(), &entra, "      send: [alerts]\n");
    assert_eq!(stub.requests().len(), 4, "only what is sent is looked at");
}

#[test]
fn each_fault_has_its_own_advice() {
    let entra = monitor();
    for (status, code, expected) in [
        (
            403,
            2,
            "az role assignment create --assignee-object-id object-7 --assignee-principal-type ServicePrincipal --role \
             \"Monitoring Metrics Publisher\" --scope \"$(az monitor data-collection rule list --query \
             \"[?immutableId=='dcr-1'].id\" --output tsv)\"",
        ),
        (404, 2, "there is no such rule or stream at this endpoint"),
        (401, 2, "az account show --query tenantId"),
        (429, 3, "try again later"),
        (503, 3, "try again later"),
        (200, 2, "this is no endpoint for logs ingestion"),
    ] {
        let stub = Stub::start(move |_| {
            Some(Answer::of(status).saying(r#"{"error":{"code":"Said","message":"so"}}"#))
        });
        let ended = run(&stub.url(), &entra, "");
        assert_eq!(ended.code, Some(code), "{status}: {ended:?}");
        assert!(ended.out.contains(expected), "{status}: {}", ended.out);
        assert_eq!(ended.out.matches(expected).count(), 1, "three streams have one fault: {}", ended.out);
        assert!(ended.out.contains("Said: so"), "{status}: {}", ended.out);
        assert!(ended.err.contains("3 faults in what `"), "{ended:?}");
    }
}

#[test]
fn a_list_of_nothing_that_is_refused_says_nothing() {
    let stub = Stub::start(|_| Some(Answer::of(400).saying("no records")));
    let ended = run(&stub.url(), &monitor(), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("unknown  stream `Custom-DriftleadAlerts`"), "{}", ended.out);
}

#[test]
fn without_a_token_nothing_else_is_asked() {
    let stub = Stub::start(|_| Some(Answer::of(204)));
    for (said, expected) in [
        ("AADSTS7000215: Invalid client secret", "az ad app credential reset"),
        ("AADSTS700016: Application not found", "compare `client` and `tenant`"),
        ("AADSTS90002: Tenant not found", "there is no such directory"),
        ("AADSTS50000: something", "az account get-access-token --resource https://monitor.azure.com"),
    ] {
        let refusal = format!(r#"{{"error":"invalid_client","error_description":"{said}"}}"#);
        let entra = Stub::start(move |_| Some(Answer::of(401).saying(&refusal)));
        let ended = run(&stub.url(), &entra, "");
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.out.contains(expected) && ended.out.contains(said), "{}", ended.out);
    }
    let other = entra("https://monitor.azure.cn");
    let ended = run(&stub.url(), &other, "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("belongs to another cloud"), "{}", ended.out);
    assert!(stub.requests().is_empty());
}

#[test]
fn hosts_that_are_not_there_are_told_from_those_that_do_not_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let ended = run(&format!("http://{closed}"), &monitor(), "");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("nothing answers there"), "{}", ended.out);
    // Something that does not speak TLS, as one without a certificate that is trusted.
    let plain = Stub::start(|_| Some(Answer::of(204)));
    let ended = run(&plain.url().replace("http", "https"), &monitor(), "");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("a certificate (`tls`) may be in the way"), "{}", ended.out);
    // Nobody is asked for a name that cannot be one.
    let ended = run(&format!("https://{}.invalid", "x".repeat(64)), &monitor(), "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.out.contains("misspelled") && ended.out.contains("az monitor data-collection rule list"),
        "{}",
        ended.out
    );
}

#[test]
fn a_service_without_such_a_sink_has_nothing_to_look_at() {
    let folder = Folder::new();
    folder.write("m.yaml", MODEL.replace("workspace", "here"));
    let text = "store: state\nmodels: m.yaml\nsources: {s: {ingest: {}}}\nsinks: {here: {stdout: {}}}\n";
    let service = folder.write("service.yaml", text);
    let ended: Ended = program(&["azure", "doctor", &service]).output().expect("runs").into();
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("has no sink in Azure Monitor"), "{ended:?}");
}
