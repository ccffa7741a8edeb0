//! From the outbox to the sinks: one worker a sink, so that a slow one delays no other.
//!
//! A worker takes what is due, tries it, and writes down what became of it. Order within an alert is the store's (a later
//! message of a lane is not due before the earlier one is done); when to try again is [`Backoff`]'s and [`Breaker`]'s.
//! A message older than the sink's age limit is given up and stays in the store, from where it can be retried (S22).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use driftlead_connectors::retry::{Admission, Backoff, Breaker};
use driftlead_connectors::sink;
use driftlead_connectors::store::{Delivery, Outbox};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::carrier::{Carrier, Load};
use super::counters::{Counters, OfSink};
use super::fault;
use super::micros;
use super::sinks::{Order, Orders};
use crate::clock::Clock;

/// Messages taken at once.
const BATCH: usize = 32;
/// The same, where they are sent together.
const FREIGHT: usize = 256;
/// How long a worker sleeps at most: the clock may be corrected under it.
const NAP: Duration = Duration::from_secs(30);

/// A sink with everything that delivering to it takes.
#[derive(Debug)]
pub(super) struct Route {
    /// Its name in the service file.
    pub(super) name: String,
    pub(super) carrier: Carrier,
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
    /// Of messages whose records have arrived in part, which; by delivery key.
    pub(super) arrived: BTreeMap<String, BTreeSet<usize>>,
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
        // What had arrived of a message may be composed otherwise now.
        self.arrived.clear();
        if is_other {
            self.breaker = Breaker::default();
        }
    }

    /// Tries what is due now, once.
    pub(super) async fn round(&mut self) -> Round {
        let now = self.clock.now();
        let limit = match self.breaker.admits(now) {
            Admission::All if matches!(self.route.carrier, Carrier::Freight(_)) => FREIGHT,
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
        if matches!(self.route.carrier, Carrier::Freight(_)) {
            self.attempt_all(&due).await;
            return Round::Busy;
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
        if self.is_too_old(delivery, now) {
            self.give_up_old(delivery, now);
            return true;
        }
        let Carrier::Message { sink, template } = &self.route.carrier else { return false };
        let body = serde_json::from_str(&delivery.body)
            .map_err(|error| error.to_string())
            .and_then(|event| template.render(&event).map_err(|error| error.to_string()));
        let body = match body {
            Ok(body) => body,
            Err(reason) => {
                // A template that a person will mend.
                self.counters.sink_errors.get_or_create(&self.of()).inc();
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
        let answer = sink.deliver(&message, now.div_euclid(1_000_000)).await;
        fault::point("after_delivery");
        let now = self.clock.now();
        self.mind(std::slice::from_ref(&answer), now);
        self.settle(delivery, answer, now) && self.breaker.admits(now) == Admission::All
    }

    /// Tries messages together.
    async fn attempt_all(&mut self, due: &[Delivery]) {
        let Carrier::Freight(freight) = &self.route.carrier else { return };
        let now = self.clock.now();
        let (mut tried, mut loads) = (Vec::new(), Vec::new());
        let (mut old, mut unreadable) = (Vec::new(), Vec::new());
        for delivery in due {
            if self.is_too_old(delivery, now) {
                old.push(delivery);
                continue;
            }
            match serde_json::from_str(&delivery.body) {
                Ok(event) => {
                    let arrived = self.arrived.remove(&delivery.key).unwrap_or_default();
                    loads.push(Load { event, arrived });
                    tried.push(delivery);
                }
                Err(error) => unreadable.push((delivery, error.to_string())),
            }
        }
        fault::point("before_delivery");
        let answers = freight.deliver(&mut loads, now).await;
        fault::point("after_delivery");
        let now = self.clock.now();
        self.mind(&answers, now);
        for delivery in old {
            self.give_up_old(delivery, now);
        }
        for (delivery, reason) in unreadable {
            self.counters.sink_errors.get_or_create(&self.of()).inc();
            self.give_up(delivery, &reason, now);
        }
        for ((delivery, load), answer) in tried.into_iter().zip(loads).zip(answers) {
            if matches!(answer, sink::Delivery::Retry { .. }) && !load.arrived.is_empty() {
                self.arrived.insert(delivery.key.clone(), load.arrived);
            }
            self.settle(delivery, answer, now);
        }
    }

    /// What answers say of the sink: it is there if it took or refused something, unless it asks for patience.
    fn mind(&mut self, answers: &[sink::Delivery], now: i64) {
        let wait = |answer: &sink::Delivery| match answer {
            sink::Delivery::Retry { after, .. } => Some(after.map(micros)),
            _ => None,
        };
        // The longest that was asked for.
        let longest = answers.iter().filter_map(wait).max();
        let is_there = answers.iter().any(|answer| wait(answer).is_none());
        match longest {
            Some(after) if after.is_some() || !is_there => {
                self.breaker.failed(now, self.route.backoff, &self.route.name, after);
            }
            _ if is_there => self.breaker.succeeded(),
            _ => {}
        }
    }

    /// Writes down what became of a message; answers whether that could be done.
    fn settle(&mut self, delivery: &Delivery, answer: sink::Delivery, now: i64) -> bool {
        match answer {
            sink::Delivery::Delivered => {
                self.counters.delivered.get_or_create(&self.of()).inc();
                let noted = self.note(delivery, |outbox, key| outbox.delivered(&[key], now));
                if !noted {
                    // Sent again under the same key, but not in a loop.
                    self.breaker.failed(now, self.route.backoff, &self.route.name, Some(5_000_000));
                }
                noted
            }
            sink::Delivery::Retry { after, reason } => {
                self.counters.sink_errors.get_or_create(&self.of()).inc();
                self.put_off(delivery, &reason, after.map(micros), now);
                true
            }
            sink::Delivery::Refused { reason } => {
                self.counters.sink_errors.get_or_create(&self.of()).inc();
                self.give_up(delivery, &reason, now);
                true
            }
            sink::Delivery::Expired { reason } => {
                self.counters.sink_expired.get_or_create(&self.of()).inc();
                self.note(delivery, |outbox, key| outbox.expired(key, &reason, now))
            }
        }
    }

    fn is_too_old(&self, delivery: &Delivery, now: i64) -> bool {
        now.saturating_sub(delivery.queued) > self.route.max_age
    }

    fn give_up_old(&mut self, delivery: &Delivery, now: i64) {
        let last = delivery.error.as_deref().unwrap_or("it was never tried");
        self.give_up(delivery, &format!("older than the sink's `max_age`; at last: {last}"), now);
    }

    fn of(&self) -> OfSink {
        OfSink { sink: self.route.name.clone() }
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
