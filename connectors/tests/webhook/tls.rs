//! Certificates: of servers that are trusted or not, and of this client where a server demands one.

use std::fs;

use driftlead_connectors::decode::{Answer, Registry, RegistryOptions};
use driftlead_connectors::sink::{Delivery, Tls, Webhook};
use driftlead_connectors::{ClientFiles, ErrorKind};

use crate::authority::{Authority, Signed, TlsServer, openssl};
use crate::{WebhookSettings, deliver, message, settings};

fn files(signed: &Signed) -> ClientFiles {
    ClientFiles { certificate: signed.certificate.clone(), key: signed.key.clone() }
}

fn with_tls(server: &TlsServer, tls: Tls) -> WebhookSettings {
    WebhookSettings { tls, ..settings(&format!("{}/hook", server.url())) }
}

fn reason(delivery: Delivery) -> String {
    match delivery {
        Delivery::Retry { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_is_trusted_by_its_authority_or_by_order() {
    let authority = Authority::new("trusted");
    let server = TlsServer::start(&authority.sign("server", "ec"), None, 204, "");
    let unknown = reason(deliver(&with_tls(&server, Tls::default())));
    assert!(unknown.contains("is not trusted") && unknown.contains("`tls.ca`"), "{unknown}");
    assert!(!unknown.contains("/hook") && server.requests().is_empty(), "{unknown}");

    let trusting = Tls { ca_file: Some(authority.certificate()), ..Tls::default() };
    assert_eq!(deliver(&with_tls(&server, trusting)), Delivery::Delivered);
    let blind = Tls { accept_any: true, ..Tls::default() };
    assert_eq!(deliver(&with_tls(&server, blind)), Delivery::Delivered);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests.iter().all(|request| request.line == "POST /hook HTTP/1.1" && request.client.is_empty())
    );
    assert!(requests.iter().all(|request| request.body == message().body));
}

#[test]
fn a_server_that_demands_a_certificate_gets_it() {
    let (authority, clients, others) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("x"));
    let server = TlsServer::start(&authority.sign("server", "rsa"), Some(&clients.certificate()), 204, "");
    let shows = |client: Option<ClientFiles>| Tls {
        ca_file: Some(authority.certificate()),
        client,
        accept_any: false,
    };
    let without = reason(deliver(&with_tls(&server, shows(None))));
    assert!(without.contains("asks for a client certificate"), "{without}");
    let stranger = reason(deliver(&with_tls(&server, shows(Some(files(&others.sign("stranger", "ec")))))));
    assert!(stranger.contains("UnknownCA"), "{stranger}");
    assert!(server.requests().is_empty(), "{:?}", server.requests());

    for (name, kind) in [("alice", "ec"), ("bob", "rsa")] {
        let signed = clients.sign(name, kind);
        assert_eq!(deliver(&with_tls(&server, shows(Some(files(&signed))))), Delivery::Delivered, "{name}");
        let seen = server.requests().pop().unwrap().client;
        assert!(seen.contains(name), "{seen}");
    }
    // The older form of a key, with parameters of its curve before it.
    let old = clients.sign("carol", "ec");
    let plain = clients.file("carol.old");
    openssl(&["ec", "-in", old.key.to_str().unwrap(), "-out", &plain]);
    let parameters = clients.file("parameters");
    openssl(&["ecparam", "-name", "prime256v1", "-out", &parameters]);
    let both = fs::read_to_string(&parameters).unwrap() + &fs::read_to_string(&plain).unwrap();
    assert!(both.contains("BEGIN EC PARAMETERS") && both.contains("BEGIN EC PRIVATE KEY"));
    fs::write(&plain, both).unwrap();
    let old = ClientFiles { certificate: old.certificate, key: plain.into() };
    assert_eq!(deliver(&with_tls(&server, shows(Some(old)))), Delivery::Delivered);
}

#[test]
fn keys_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let authority = Authority::new("a");
    let (alice, bob) = (authority.sign("alice", "ec"), authority.sign("bob", "ec"));
    let refuses = |certificate: &std::path::Path, key: &std::path::Path| {
        let client = ClientFiles { certificate: certificate.into(), key: key.into() };
        let tls = Tls { client: Some(client), ..Tls::default() };
        let own = WebhookSettings { tls, ..settings("https://127.0.0.1:1/s3cr3t-path") };
        let error = Webhook::new(&own).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        let message = error.to_string();
        assert!(!message.contains("s3cr3t"), "{message}");
        message
    };
    let locked = authority.file("locked.key");
    let key = alice.key.to_str().unwrap();
    openssl(&["pkey", "-in", key, "-aes256", "-passout", "pass:hush", "-out", &locked]);
    let message = refuses(&alice.certificate, locked.as_ref());
    assert!(
        message.contains("locked.key` is encrypted") && message.contains("openssl pkey -in"),
        "{message}"
    );
    let message = refuses(&alice.certificate, &bob.key);
    assert!(message.contains("is the key this certificate's?"), "{message}");
    let message = refuses(&alice.key, &alice.key);
    assert!(message.contains("holds no certificate"), "{message}");
}

#[test]
fn certificates_that_change_are_used_from_the_next_message_on() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = TlsServer::start(&authority.sign("server", "ec"), Some(&clients.certificate()), 204, "");
    let (alice, bob) = (clients.sign("alice", "ec"), clients.sign("bob", "ec"));
    let own =
        ClientFiles { certificate: clients.file("own.pem").into(), key: clients.file("own.key").into() };
    // As a mounted secret is renewed: by another file in the place of this one.
    let put = |from: &std::path::Path, to: &std::path::Path| {
        let beside = clients.file("beside");
        fs::copy(from, &beside).unwrap();
        fs::rename(&beside, to).unwrap();
    };
    put(&alice.certificate, &own.certificate);
    put(&alice.key, &own.key);
    let tls = Tls { ca_file: Some(authority.certificate()), client: Some(own.clone()), accept_any: false };
    let sink =
        driftlead_connectors::sink::Sink::Webhook(Box::new(Webhook::new(&with_tls(&server, tls)).unwrap()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let deliver = || {
        assert_eq!(runtime.block_on(sink.deliver(&message(), crate::NOW)), Delivery::Delivered);
        server.requests().pop().unwrap().client
    };
    assert!(deliver().contains("alice"));
    // Half of a renewal: the new certificate with the old key.
    put(&bob.certificate, &own.certificate);
    assert!(deliver().contains("alice"));
    put(&bob.key, &own.key);
    assert!(deliver().contains("bob"));
    fs::remove_file(&own.key).unwrap();
    assert!(deliver().contains("bob"), "what was read stays in use");
}

#[test]
fn a_registry_is_asked_with_a_certificate() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let schema = r#"{"schema":"\"string\""}"#;
    let server = TlsServer::start(&authority.sign("server", "ec"), Some(&clients.certificate()), 200, schema);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let ask = |tls: Tls| {
        let mut options = RegistryOptions::new(server.url());
        options.tls = tls;
        runtime.block_on(Registry::new(&options).unwrap().fetch(7))
    };
    let error = ask(Tls::default()).unwrap_err();
    assert!(error.retryable() && error.to_string().contains("`tls.ca`"), "{error}");
    let client = Some(files(&clients.sign("alice", "ec")));
    let tls = Tls { ca_file: Some(authority.certificate()), client, accept_any: false };
    let Answer::Schema(found) = ask(tls).unwrap() else { panic!("no schema") };
    assert_eq!(found.schema, "\"string\"");
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(request.line, "GET /schemas/ids/7 HTTP/1.1");
    assert!(request.client.contains("alice"), "{request:?}");
}
