//! A namespace that is used by an identity of Entra: from the settings to the rows, with a broker that takes unsigned
//! tokens and an Entra on the loopback address.

use super::rows;
use super::same::assert_complete;
use super::service;
use crate::support::broker::{Message, broker};
use crate::support::folder::Folder;
use crate::support::service::Service;
use crate::support::stub::{Answer, Stub};

/// A token without a signature: the base64 of its claims, which a test can write down.
fn unsigned(now: u64) -> String {
    let encode = |text: &str| {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let bits =
                chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            let digits = (0..=chunk.len()).map(|at| DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char);
            out.extend(digits);
        }
        out
    };
    let claims = format!("{{\"sub\":\"driftlead\",\"iat\":{now},\"exp\":{}}}", now + 3_600);
    format!("{}.{}.", encode("{\"alg\":\"none\"}"), encode(&claims))
}

#[test]
fn a_namespace_is_read_with_a_token_of_entra_after_a_refusal() {
    let rows = rows::rows(6_000, 3, 30, 61);
    let topic = broker().topic("entra", 1);
    let messages: Vec<Message> =
        rows.iter().map(|row| Message::new("k", row.json.clone(), row.time / 1_000)).collect();
    broker().produce(&topic, 0, &messages);

    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let token = format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{}"}}"#, unsigned(now));
    let refusal =
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}"#;
    let mut asked = 0;
    let stub = Stub::start(move |_| {
        asked += 1;
        Some(if asked == 1 { Answer::of(401).saying(refusal) } else { Answer::of(200).saying(&token) })
    });
    let folder = Folder::new();
    let source = format!(
        "{{kafka: {{preset: event_hubs, namespace: \"{}\", topics: [{topic}], properties: {{security.protocol: \
         SASL_PLAINTEXT}}, entra: {{tenant: t-1, client: c-1, secret: \"${{ENTRA_SECRET}}\", authority: \"{}\"}}}}, \
         format: json}}",
        broker().secured(),
        stub.url()
    );
    service(&folder, &source, "");
    let mut running = Service::start(&folder, &[("ENTRA_SECRET", "hush-hush")]);
    let trouble = running.wait_for("AADSTS7000215");
    assert!(trouble.contains("no token for the application `c-1` with its secret"), "{trouble}");
    assert_complete(&folder, &rows);
    let log = running.stop_well().join("\n");
    assert!(!log.contains("hush-hush") && !log.contains("eyJ"), "a secret in the log: {log}");
    for request in stub.requests() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/t-1/oauth2/v2.0/token"));
        let body = String::from_utf8(request.body).expect("text");
        // The resource has no port.
        let scope = "scope=https%3A%2F%2F127.0.0.1%2F.default";
        assert!(body.contains(scope) && body.contains("client_secret=hush-hush"), "{body}");
    }
}
