//! Brokers that ask who is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use driftlead_connectors::kafka::{
    Connection, KafkaProducer, KafkaSettings, Preset, Start, Token, TokenSource,
};
use driftlead_connectors::{Error, ErrorKind};

use crate::broker::{PASSWORD, SCRAM_PASSWORD, SCRAM_USER, USER, broker};
use crate::watcher::{Positions, Watcher, numbered, partition};

/// The listener with passwords, and properties.
fn connection(properties: &[(&str, &str)]) -> Connection {
    let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Connection { brokers: broker().secured().to_owned(), properties, ..Connection::default() }
}

fn watch(connection: Connection, topic: &str) -> Watcher {
    let settings = KafkaSettings { connection, topics: vec![topic.to_owned()], headers: false };
    Watcher::open(&settings, &Positions::new(), Start::Beginning)
}

fn scram(password: &str) -> Connection {
    connection(&[
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("sasl.username", SCRAM_USER),
        ("sasl.password", password),
    ])
}

/// The preset, without the TLS that a broker of a test does not speak.
fn event_hubs(connection_string: Option<&str>) -> Connection {
    let mut connection = connection(&[("security.protocol", "SASL_PLAINTEXT")]);
    connection.preset = Some(Preset::EventHubs { connection_string: connection_string.map(str::to_owned) });
    connection
}

/// The listener with passwords over TLS; `properties` win.
fn over_tls(user: &str, mechanism: &str, password: &str, properties: &[(&str, &str)]) -> Connection {
    let mut own = vec![
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", user),
        ("sasl.password", password),
    ];
    own.extend(properties);
    Connection { brokers: broker().tls().to_owned(), ..connection(&own) }
}

#[test]
fn the_right_password_opens_over_tls() {
    let topic = broker().topic("tls", 1);
    broker().produce(&topic, 0, &numbered("m", 0..10));
    let trusts = [("ssl.ca.location", broker().authority())];
    let scram = over_tls(SCRAM_USER, "SCRAM-SHA-256", SCRAM_PASSWORD, &trusts);
    // The preset brings the rest of what Event Hubs want.
    let mut preset = Connection { brokers: broker().tls().to_owned(), ..connection(&trusts) };
    preset.preset = Some(Preset::EventHubs { connection_string: Some(PASSWORD.to_owned()) });
    for connection in [scram, over_tls(USER, "PLAIN", PASSWORD, &trusts), preset] {
        let mut watcher = watch(connection.clone(), &topic);
        watcher.until_records(&partition(&topic, 0), 10);
        assert!(watcher.troubles.is_empty(), "{:?}", watcher.troubles);

        let mut producer = KafkaProducer::open(&connection).unwrap();
        let written = broker().topic("tls-written", 1);
        producer.send(&written, None, Some(b"m"), &[]).unwrap();
        let flushed = producer.flush(Duration::from_secs(60));
        assert!(flushed.outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{flushed:?}");
        assert_eq!((flushed.outcomes.len(), flushed.pending), (1, 0));
    }
}

#[test]
fn what_is_wrong_over_tls_is_said() {
    let topic = broker().topic("tls", 1);
    let fails = |connection: Connection| {
        let error = watch(connection, &topic).failure();
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Rejected, "{message}");
        assert!(message.contains(broker().tls()) && !message.contains("-secret"), "{message}");
        message
    };
    let trusts = [("ssl.ca.location", broker().authority())];
    let message = fails(over_tls(SCRAM_USER, "SCRAM-SHA-256", "wrong-secret", &trusts));
    assert!(message.starts_with("authentication failed") && message.contains("password"), "{message}");
    let message = fails(over_tls(USER, "PLAIN", "wrong-secret", &trusts));
    assert!(message.starts_with("authentication failed"), "{message}");

    // Nobody of the system's authorities has signed it.
    let message = fails(over_tls(SCRAM_USER, "SCRAM-SHA-256", SCRAM_PASSWORD, &[]));
    assert!(message.contains("is not trusted") && message.contains("`ssl.ca.location`"), "{message}");
    // Trust in nobody's name is for tests, but possible.
    let mut blind = over_tls(
        SCRAM_USER,
        "SCRAM-SHA-256",
        SCRAM_PASSWORD,
        &[("enable.ssl.certificate.verification", "false")],
    );
    blind.properties.insert("topic.metadata.refresh.interval.ms".to_owned(), "100".to_owned());
    watch(blind, &topic).until_caught_up(&topic, 1);
}

#[test]
fn the_right_password_opens() {
    let topic = broker().topic("secured", 1);
    broker().produce(&topic, 0, &numbered("m", 0..10));
    assert_eq!(USER, "$ConnectionString", "as Event Hubs call their only user");
    for connection in [event_hubs(Some(PASSWORD)), scram(SCRAM_PASSWORD)] {
        let mut watcher = watch(connection, &topic);
        watcher.until_records(&partition(&topic, 0), 10);
        assert!(watcher.troubles.is_empty(), "{:?}", watcher.troubles);
    }
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let topic = broker().topic("secured", 1);
    let wrong = PASSWORD.replace("a2V5", "d3Jvbmc");
    for (connection, secret) in
        [(event_hubs(Some(&wrong)), "d3Jvbmc"), (scram("wrong-secret"), "wrong-secret")]
    {
        let error = watch(connection.clone(), &topic).failure();
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Rejected, "{message}");
        assert!(message.starts_with("authentication failed"), "{message}");
        assert!(message.contains(broker().secured()) && !message.contains(secret), "{message}");

        let mut producer = KafkaProducer::open(&connection).unwrap();
        producer.send(&topic, None, Some(b"m"), &[]).unwrap();
        let flushed = producer.flush(Duration::from_millis(1));
        assert_eq!((flushed.outcomes.len(), flushed.pending), (0, 1), "nothing is known yet");
    }
}

/// Gives tokens of which the broker believes the name in them, after some failures.
struct Tokens {
    failures: usize,
    asked: AtomicUsize,
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<Token, Error> {
        if self.asked.fetch_add(1, Ordering::Relaxed) < self.failures {
            return Err(Error::unavailable("the authority does not answer"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = format!("{{\"sub\":\"driftlead\",\"iat\":{now},\"exp\":{}}}", now + 3600);
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        Ok(Token {
            value: format!("{}.{}.", encode("{\"alg\":\"none\"}"), encode(&claims)),
            principal: "driftlead".to_owned(),
            expires: i64::try_from(now + 3600).unwrap() * 1000,
        })
    }
}

#[test]
fn tokens_come_from_whoever_gives_them() {
    let topic = broker().topic("secured", 1);
    broker().produce(&topic, 0, &numbered("m", 0..10));
    let mut connection = event_hubs(None);
    connection.tokens = Some(Arc::new(Tokens { failures: 0, asked: AtomicUsize::new(0) }));
    let mut watcher = watch(connection, &topic);
    watcher.until_records(&partition(&topic, 0), 10);
}

#[test]
fn a_token_that_cannot_be_had_is_a_passing_trouble() {
    let topic = broker().topic("secured", 1);
    broker().produce(&topic, 0, &numbered("m", 0..10));
    let mut connection = event_hubs(None);
    connection.tokens = Some(Arc::new(Tokens { failures: 1, asked: AtomicUsize::new(0) }));
    let mut watcher = watch(connection, &topic);
    watcher.until_records(&partition(&topic, 0), 10);
    let (kind, trouble) = &watcher.troubles[0];
    assert!(
        *kind == ErrorKind::Unavailable && trouble.contains("the authority does not answer"),
        "{trouble}"
    );
}
