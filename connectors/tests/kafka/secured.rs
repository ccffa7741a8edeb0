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
