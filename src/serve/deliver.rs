//! From the outbox to the sinks: one worker a sink, so that a slow one delays no other.
//!
//! A worker takes what is due, tries it, and writes down what became of it. Order within an alert is the store's (a later
//! message of a lane is not due before the earlier one is done); when to try again is [`Backoff`]'s and [`Breaker`]'s.
//! A message older than the sink's age limit is given up and stays in the store, from where it can be retried (S22).

use std::sync::Arc;
use std::time::Duration;

use driftlead_connectors::retry::{Admission, Backoff, Breaker};
use driftlead_connectors::sink::{self, Sink};
use driftlead_connectors::store::{Delivery, Outbox};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::counters::{Counters, OfSink};
use super::fault;
use super::sinks::{Order, Orders};
use super::template::Template;
use crate::clock::Clock;

/// Messages taken at once.
const BATCH: usize = 32;
/// How long a worker sleeps at most: the clock may be corrected under it.
const NAP: Duration = Duration::from_secs(30);

/// A sink with everything that delivering to it takes.
#[derive(Debug)]
pub(super) struct Route {
    /// Its name in the service file.
    pub(super) name: String,
    pub(super) sink: Sink,
    pub(super) template: Template,
    /// The age, in microseconds, at which a message is given up.
    pub(super) max_age: i64,
    pub(super) backoff: Backoff,
}

/// One sink's worker.
pub(super) struct Worker {
    pub(super) route: Route,
    pub(super) outbox: Outbox,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Arc<Counters>,
    /// What a reload wants of it.
    pub(super) orders: Arc<Orders>,
    /// Rung after each commit that wrote messages, and after each order.
    pub(super) bell: Arc<Notify>,
    pub(super) breaker: Breaker,
}

/// What a round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// There may be more at once.
    Busy,
    /// Nothing before this time, in microseconds since the epoch; `None` if nothing waits.
    Until(Option<i64>),
}

impl Worker {
    /// Delivers until it is told to end, or the runtime ends it.
    pub(super) async fn run(mut self) {
        loop {
            match self.orders.take() {
                Some(Order::End) => return,
                Some(Order::Swap { route, is_other }) => self.swap(*route, is_other),
                None => {}
            }
            // Rung while the round ran: the permit is kept.
            let round = self.round().await;
            let Round::Until(until) = round else { continue };
            let nap = match until {
                None => NAP,
                Some(until) => {
                    let micros = until.saturating_sub(self.clock.now()).max(1_000);
                    NAP.min(Duration::from_micros(micros.unsigned_abs()))
                }
            };
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Delivers so from now on. Another address is another wall, or none.
    fn swap(&mut self, route: Route, is_other: bool) {
        self.route = route;
        if is_other {
            self.breaker = Breaker::default();
        }
    }

    /// Tries what is due now, once.
    pub(super) async fn round(&mut self) -> Round {
        let now = self.clock.now();
        let limit = match self.breaker.admits(now) {
            Admission::All => BATCH,
            Admission::One => 1,
            Admission::None { until } => return Round::Until(Some(until)),
        };
        let due = match self.outbox.due(&self.route.name, now, limit) {
            Ok(due) => due,
            Err(error) => {
                warn!(sink = self.route.name, %error, "the outbox cannot be read");
                return Round::Until(Some(now.saturating_add(1_000_000)));
            }
        };
        if due.is_empty() {
            return Round::Until(self.outbox.next_due(&self.route.name).ok().flatten());
        }
        for delivery in &due {
            if !self.attempt(delivery).await {
                // The rest of the batch would meet the same wall.
                break;
            }
            if self.orders.is_there() {
                // The rest is delivered as the new settings say.
                break;
            }
        }
        Round::Busy
    }

    /// Tries one message; answers whether the next one should be tried at once.
    async fn attempt(&mut self, delivery: &Delivery) -> bool {
        let now = self.clock.now();
        let of = OfSink { sink: self.route.name.clone() };
        if now.saturating_sub(delivery.queued) > self.route.max_age {
            let last = delivery.error.as_deref().unwrap_or("it was never tried");
            self.give_up(delivery, &format!("older than the sink's `max_age`; at last: {last}"), now);
            return true;
        }
        let body = serde_json::from_str(&delivery.body)
            .map_err(|error| error.to_string())
            .and_then(|event| self.route.template.render(&event).map_err(|error| error.to_string()));
        let body = match body {
            Ok(body) => body,
            Err(reason) => {
                // A template that a person will mend.
                self.counters.sink_errors.get_or_create(&of).inc();
                self.put_off(delivery, &reason, None, now);
                return true;
            }
        };
        let message = sink::Message {
            key: delivery.key.clone(),
            order: delivery.lane.clone().unwrap_or_default(),
            body,
            content_type: "application/json".to_owned(),
        };
        fault::point("before_delivery");
        let answer = self.route.sink.deliver(&message, now.div_euclid(1_000_000)).await;
        fault::point("after_delivery");
        let now = self.clock.now();
        match answer {
            sink::Delivery::Delivered => {
                self.counters.delivered.get_or_create(&of).inc();
                self.breaker.succeeded();
                let noted = self.note(delivery, |outbox, key| outbox.delivered(&[key], now));
                if !noted {
                    // Sent again under the same key, but not in a loop.
                    self.breaker.failed(now, self.route.backoff, &self.route.name, Some(5_000_000));
                }
                noted
            }
            sink::Delivery::Retry { after, reason } => {
                self.counters.sink_errors.get_or_create(&of).inc();
                let after = after.map(|after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
                self.breaker.failed(now, self.route.backoff, &self.route.name, after);
                self.put_off(delivery, &reason, after, now);
                self.breaker.admits(now) == Admission::All
            }
            sink::Delivery::Refused { reason } => {
                self.counters.sink_errors.get_or_create(&of).inc();
                // It answered: the sink is there, only this message is not for it.
                self.breaker.succeeded();
                self.give_up(delivery, &reason, now);
                true
            }
        }
    }

    fn put_off(&mut self, delivery: &Delivery, reason: &str, at_least: Option<i64>, now: i64) {
        let wait = self.route.backoff.wait(delivery.attempts.saturating_add(1), &delivery.key);
        let next = now.saturating_add(wait.max(at_least.unwrap_or(0)));
        info!(sink = self.route.name, key = delivery.key, reason, "not delivered, will be tried again");
        self.note(delivery, |outbox, key| outbox.failed(key, reason, next));
    }

    fn give_up(&mut self, delivery: &Delivery, reason: &str, now: i64) {
        warn!(
            sink = self.route.name,
            key = delivery.key,
            reason,
            "given up; `driftlead alerts retry` tries again"
        );
        self.note(delivery, |outbox, key| outbox.dead(key, reason, now));
    }

    /// What cannot be written down now is tried again later under the same key: at least once.
    fn note(
        &mut self,
        delivery: &Delivery,
        write: impl FnOnce(&mut Outbox, &str) -> driftlead_connectors::Result<()>,
    ) -> bool {
        let written = write(&mut self.outbox, &delivery.key);
        if let Err(error) = &written {
            warn!(sink = self.route.name, key = delivery.key, %error, "what became of a message cannot be noted");
        }
        written.is_ok()
    }
}
