//! What the service says of itself: where it comes about, and with what (see [`Diary`](super::super::diary)).
//!
//! Each record is put beside what it speaks of, so that one commit writes both: a change that was not committed was not
//! told of either.

use std::collections::BTreeMap;

use driftlead_connectors::store;
use serde_json::{Value as Json, json};

use super::super::diary::{milliseconds, total};
use super::super::wire::{Diagnostic, Level, Operation};
use super::Engine;
use crate::exit::Error;
use crate::time::Timestamp;

/// The numbers of a status: its name there, and that of its metric.
const NUMBERS: [(&str, &str); 10] = [
    ("records", "driftlead_source_records_total"),
    ("lag_records", "driftlead_source_lag_records"),
    ("bad_records", "driftlead_source_bad_records_total"),
    ("gaps", "driftlead_source_gaps_total"),
    ("rows", "driftlead_rows_total"),
    ("late_rows", "driftlead_late_rows_total"),
    ("late_after_final_rows", "driftlead_late_after_final_rows_total"),
    ("open_alerts", "driftlead_open_alerts"),
    ("sink_errors", "driftlead_sink_errors_total"),
    ("sink_expired", "driftlead_sink_expired_total"),
];

impl Engine {
    /// It has started; goes with the first commit.
    pub(super) fn tell_start(&mut self) {
        let models: Vec<&str> = self.models.iter().map(|own| own.model.config.model.as_str()).collect();
        let sources: Vec<&str> = self.feeds.iter().map(|feed| feed.name.as_str()).collect();
        let (models, sources) = (models.join(", "), sources.join(", "));
        let version = env!("CARGO_PKG_VERSION");
        let message = format!("driftlead {version} has started");
        let properties =
            [("version", json!(version)), ("models", json!(models)), ("sources", json!(sources))];
        self.tell(Operation::Started, None, message, properties);
    }

    /// It ends well; goes with the last commit.
    pub(super) fn tell_end(&mut self, why: &str) {
        let uptime = self.clock.now().saturating_sub(self.progress.began).max(0) / 1_000_000;
        let properties = [("reason", json!(why)), ("uptime_seconds", json!(uptime))];
        self.tell(Operation::Stopped, None, format!("it stops: {why}"), properties);
    }

    /// It cannot go on.
    pub(super) fn tell_failure(&mut self, source: usize, error: &Error) {
        let name = self.feeds[source].name.clone();
        let message = format!("the source `{name}` cannot go on, and so it ends: {}", error.chain());
        self.tell(Operation::Failed, Some(&name), message, []);
    }

    pub(super) fn tell_reload(&mut self, by: &str, changed: &str) {
        let changed = if changed.is_empty() { "nothing changed" } else { changed };
        let properties = [("by", json!(by)), ("changed", json!(changed))];
        self.tell(Operation::Reloaded, None, format!("settings were read again: {changed}"), properties);
    }

    pub(super) fn tell_acknowledgement(&mut self, alert: &str, own: &store::Acknowledgement) {
        let message = format!("`{}` has seen the alert `{alert}`", own.by);
        let properties = [("by", json!(own.by)), ("comment", json!(own.comment))];
        self.tell(Operation::Acknowledged, Some(alert), message, properties);
    }

    pub(super) fn tell_silence(&mut self, own: &store::Silence, by: &str) {
        let is_lifted = own.expires <= self.clock.now();
        let expires = Timestamp::from_micros(own.expires).to_string();
        let message = if is_lifted {
            format!("`{by}` ended a silence")
        } else {
            format!("`{by}` keeps alerts back until {expires}: {}", own.reason)
        };
        let properties = [
            ("by", json!(by)),
            ("matcher", json!(own.matcher)),
            ("reason", json!(own.reason)),
            ("starts", json!(Timestamp::from_micros(own.starts).to_string())),
            ("expires", json!(expires)),
            ("lifted", json!(is_lifted)),
        ];
        self.tell(Operation::Silenced, Some(&own.id), message, properties);
    }

    pub(super) fn tell_trouble(&mut self, source: usize, message: &str) {
        let now = self.clock.now();
        let name = &self.feeds[source].name;
        if let Some(entry) = self.diary.trouble(name, now) {
            let message = format!("the source `{name}` has trouble: {message}");
            self.put(Diagnostic { message, ..entry });
        }
    }

    pub(super) fn tell_recovery(&mut self, source: usize) {
        let now = self.clock.now();
        let name = &self.feeds[source].name;
        if let Some(entry) = self.diary.recovered(name, now) {
            let message = format!("the source `{name}` is read again");
            self.put(Diagnostic { message, ..entry });
        }
    }

    /// How it is, if that is due.
    pub(super) fn tell_status(&mut self, now: i64) {
        let Some(time) = self.diary.status_due(now) else { return };
        let text = self.counters.text();
        let mut properties: BTreeMap<String, Json> =
            NUMBERS.iter().map(|(name, metric)| ((*name).to_owned(), whole(total(&text, metric)))).collect();
        // One that cannot be read now is told of elsewhere.
        let sinks = self.reader.sinks().unwrap_or_default();
        // The engine moves: it is it that speaks, however far the clock has jumped.
        self.health.beat(now);
        let waits = self.health.waits(now);
        let uptime = now.saturating_sub(self.progress.began).max(0) / 1_000_000;
        let mut add = |name: &str, value: Json| properties.insert(name.to_owned(), value);
        add("outbox_messages", json!(sinks.iter().map(|sink| sink.pending).sum::<u64>()));
        add("dead_messages", json!(sinks.iter().map(|sink| sink.dead).sum::<u64>()));
        add("uptime_seconds", json!(uptime));
        add("version", json!(env!("CARGO_PKG_VERSION")));
        add("ready", json!(waits.is_empty()));
        if let Some(bytes) = (self.diary.memory)() {
            add("memory_bytes", json!(bytes));
        }
        let message = if waits.is_empty() { "ready".to_owned() } else { waits.join("; ") };
        let level = if waits.is_empty() { Level::Info } else { Level::Warning };
        let duration_ms = self.committer.took().map(milliseconds);
        let entry = self.diary.entry(Operation::Status, None, time);
        self.put(Diagnostic { level, duration_ms, message, properties, ..entry });
    }

    fn tell<const N: usize>(
        &mut self,
        operation: Operation,
        correlation: Option<&str>,
        message: String,
        properties: [(&str, Json); N],
    ) {
        if !self.diary.is_wanted() {
            return;
        }
        let entry = self.diary.entry(operation, correlation, self.clock.now());
        let has_value = |(_, value): &(&str, Json)| !value.is_null();
        let properties = properties.into_iter().filter(has_value);
        let properties = properties.map(|(name, value)| (name.to_owned(), value)).collect();
        self.put(Diagnostic { message, properties, ..entry });
    }

    fn put(&mut self, own: Diagnostic) {
        self.progress.pending.commit.messages.extend(self.diary.messages(own));
        self.progress.pending.is_dirty = true;
    }
}

/// A sum of whole numbers, which stays one on the wire.
#[expect(clippy::cast_possible_truncation, reason = "saturates; counts are far below 2^53")]
fn whole(sum: f64) -> Json {
    json!(sum as i64)
}
