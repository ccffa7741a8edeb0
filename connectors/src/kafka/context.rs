//! What librdkafka tells its client beside records: errors, logs, statistics, wishes for a token.
//!
//! Called on the thread that polls. Errors are kept until the source or the producer looks for them.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::token::TokenSource;

/// The most errors that are kept; the oldest go first.
const KEPT: usize = 64;

/// An error of the client as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: RDKafkaErrorCode,
    pub(super) reason: String,
}

/// How the delivery of one message went, by the number under which it was sent.
pub(super) type Delivered = (usize, Result<(), RDKafkaErrorCode>);

/// What all clients of one source share.
#[derive(Clone, Default)]
pub(super) struct Context {
    faults: Arc<Mutex<VecDeque<Fault>>>,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    tokens: Option<Arc<dyn TokenSource>>,
}

impl Context {
    pub(super) fn new(tokens: Option<Arc<dyn TokenSource>>) -> Self {
        Self { tokens, ..Self::default() }
    }

    /// The errors since the last call, the oldest first.
    pub(super) fn faults(&self) -> VecDeque<Fault> {
        std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The deliveries since the last call.
    pub(super) fn delivered(&self) -> Vec<Delivered> {
        std::mem::take(&mut *self.delivered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A broker that cannot be reached is said by the error below, once; here it is said at every attempt.
        if facility == "FAIL" {
            tracing::debug!(target: "librdkafka", facility, message);
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, message),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, message);
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, message),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let statistics = String::from_utf8_lossy(statistics);
        tracing::debug!(target: "librdkafka", %statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = Fault { code, reason: reason.to_owned() };
        // A broker that is away is tried again and again; once said is enough until somebody listens.
        if faults.contains(&fault) {
            return;
        }
        if faults.len() == KEPT {
            faults.pop_front();
        }
        faults.push_back(fault);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn StdError>> {
        let tokens = self.tokens.as_ref().ok_or(
            "the mechanism is OAUTHBEARER, and nothing gives tokens: set `sasl.oauthbearer.method: oidc` with its \
             properties",
        )?;
        let token = tokens.token().map_err(|e| e.to_string().replace('\0', ""))?;
        Ok(OAuthToken { token: token.value, principal_name: token.principal, lifetime_ms: token.expires })
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // Nothing but lag displays rests on it: the next commit holds all of this one.
        if let Err(error) = result {
            tracing::debug!(%error, "group offsets could not be committed");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let result = result
            .as_ref()
            .map(|_| ())
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail));
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
    }
}
