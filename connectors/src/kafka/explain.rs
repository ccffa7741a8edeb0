//! Kafka's errors, said for the person who has to act, and sorted by who can mend them.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::context::Fault;
use crate::error::{Error, ErrorKind};

/// What a client's error means. `brokers` is what the person wrote.
pub(super) fn fault(fault: &Fault, brokers: &str) -> Error {
    let reason = tail(&fault.reason);
    match fault.code {
        // The broker was not asked yet: whoever gives tokens may do so later.
        Code::Authentication if reason.contains("Failed to acquire SASL OAUTHBEARER token") => {
            Error::unavailable(format!("no token for the Kafka brokers `{brokers}`: {reason}"))
        }
        Code::Authentication | Code::SaslAuthenticationFailed => Error::rejected(format!(
            "authentication failed at the Kafka brokers `{brokers}`: {reason}; check the user and the password or token"
        )),
        Code::SSL if reason.contains("verify failed") => Error::rejected(format!(
            "the certificate of the Kafka brokers `{brokers}` is not trusted: {reason}; name its authority in \
             `ssl.ca.location`"
        )),
        code if is_authorization(code) => Error::rejected(format!(
            "the Kafka brokers `{brokers}` refuse: {reason}; ask for the right to read"
        )),
        _ => Error::unavailable(format!("the Kafka brokers `{brokers}` are in trouble: {reason}")),
    }
}

/// Whether a code says that somebody may not do something.
pub(super) fn is_authorization(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::GroupAuthorizationFailed
    )
}

/// Whether a code says that a topic or partition is not there.
pub(super) fn is_missing(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition | Code::UnknownTopicId | Code::UnknownTopic | Code::UnknownPartition
    )
}

/// Why a request to the cluster failed, for a person.
pub(super) fn request(code: Option<Code>, what: &str, brokers: &str) -> Error {
    let kind = match code {
        Some(code) if is_authorization(code) => ErrorKind::Rejected,
        _ => ErrorKind::Unavailable,
    };
    let why = code.map_or_else(|| "no reason given".to_owned(), describe);
    Error::new(kind, format!("the Kafka brokers `{brokers}` did not tell {what}: {why}"))
}

/// A code in librdkafka's words, as a fragment.
pub(super) fn describe(code: Code) -> String {
    let text = code.to_string();
    // `AllBrokersDown (Local: All broker connections are down)`: the name of a constant helps nobody.
    let words = text.split_once('(').map_or(text.as_str(), |(_, rest)| rest.trim_end_matches(')'));
    let words = words.strip_prefix("Local: ").or_else(|| words.strip_prefix("Broker: ")).unwrap_or(words);
    let mut characters = words.chars();
    let first = characters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}

/// A reason without the address that librdkafka puts before it, and without the state of its machine and the full stop
/// after it.
fn tail(reason: &str) -> &str {
    let reason = reason.rsplit_once(" (after ").map_or(reason, |(said, _)| said);
    let reason =
        reason.strip_prefix("sasl_").map_or(reason, |r| r.split_once(": ").map_or(r, |(_, rest)| rest));
    reason.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: Code, reason: &str) -> (ErrorKind, String) {
        let error = fault(&Fault { code, reason: reason.to_owned() }, "b:1");
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_refusal_is_told_from_an_outage() {
        let wrong = "sasl_plaintext://b:1/bootstrap: SASL authentication error: Authentication failed \
                     (after 302ms in state AUTH_REQ)";
        let (kind, text) = said(Code::Authentication, wrong);
        assert_eq!(kind, ErrorKind::Rejected);
        let expected = "authentication failed at the Kafka brokers `b:1`: SASL authentication error: Authentication failed; ";
        assert!(text.starts_with(expected), "{text}");

        let (kind, text) = said(Code::Authentication, "Failed to acquire SASL OAUTHBEARER token: timed out");
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(text.starts_with("no token"), "{text}");

        let (kind, _) = said(Code::SSL, "ssl://b:1: SSL handshake failed: certificate verify failed: …");
        assert_eq!(kind, ErrorKind::Rejected);
        assert_eq!(said(Code::SSL, "ssl://b:1: disconnected").0, ErrorKind::Unavailable);
        assert_eq!(said(Code::BrokerTransportFailure, "b:1: Connect failed").0, ErrorKind::Unavailable);
        assert_eq!(said(Code::TopicAuthorizationFailed, "x").0, ErrorKind::Rejected);
    }

    #[test]
    fn codes_are_said_as_fragments() {
        assert_eq!(describe(Code::AllBrokersDown), "all broker connections are down");
        assert_eq!(describe(Code::TopicAuthorizationFailed), "topic authorization failed");
    }
}
