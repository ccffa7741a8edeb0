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
    let payload = base64_url(&format!(r#"{{"aud":"{audience}","oid":"object-7"}}"#));
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
        "well     the application `c-1` with its secret: has a token for `https://monitor.azure.com`",
        "well     host `127.0.0.1`: its name is known",
        "well     stream `Custom-DriftleadMetrics` at `127.0.0.1`: takes records (status 204)",
        "unknown  records: whether the columns fit",
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
