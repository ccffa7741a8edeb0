//! The workers of the sinks: which there are, and how a reload changes them while the service runs.
//!
//! A worker hears of a change between two attempts, never amid one: what is on its way arrives as it was begun. What a sink
//! that is gone still had to deliver stays in the store, where nothing deletes it, and is delivered once a sink of that name
//! is there again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use driftlead_connectors::retry::{Backoff, Breaker};
use driftlead_connectors::store::Outbox;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::bells::Bells;
use super::counters::Counters;
use super::deliver::{Route, Worker};
use super::micros;
use super::plan::SinkPlan;
use crate::clock::Clock;
use crate::exit::Result;

/// What a worker is told.
pub(super) enum Order {
    /// Deliver so from now on.
    Swap {
        /// How.
        route: Box<Route>,
        /// Whether the settings are others, so that what was learnt of the old ones is worth nothing.
        is_other: bool,
    },
    /// End.
    End,
}

/// Where a worker finds the newest order.
#[derive(Default)]
pub(super) struct Orders(Mutex<Option<Order>>);

impl Orders {
    /// The order that was not seen yet.
    pub(super) fn take(&self) -> Option<Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Leaves an order; one before it that was not seen is void, but that the settings are others.
    fn give(&self, order: Order) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_other = matches!(*kept, Some(Order::Swap { is_other: true, .. }));
        *kept = Some(match order {
            Order::Swap { route, is_other } => Order::Swap { route, is_other: is_other || was_other },
            Order::End => Order::End,
        });
    }
}

/// One worker as others see it.
struct Post {
    orders: Arc<Orders>,
    /// Rung after each commit that wrote messages, and after each order.
    bell: Arc<Notify>,
}

/// All workers.
pub(super) struct Sinks {
    posts: BTreeMap<String, Post>,
    bells: Bells,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

/// How the sinks changed, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SinkChanges {
    pub(super) begun: Vec<String>,
    pub(super) ended: Vec<String>,
}

impl Sinks {
    /// No workers yet; those that come run on `runtime`.
    pub(super) fn new(
        runtime: &Handle,
        clock: &Arc<dyn Clock>,
        counters: &Arc<Counters>,
        bells: &Bells,
    ) -> Self {
        Self {
            posts: BTreeMap::new(),
            bells: bells.clone(),
            runtime: runtime.clone(),
            clock: clock.clone(),
            counters: counters.clone(),
        }
    }

    /// Tells all workers that messages were written. One that is busy finds that out when it is done.
    pub(super) fn ring(&self) {
        self.bells.ring();
    }

    /// From now on these are the sinks; `is_other` tells of a name whether its settings are others than before. `outbox` opens
    /// a connection for each new worker.
    ///
    /// # Errors
    ///
    /// A connection cannot be had; then nothing has changed.
    pub(super) fn put(
        &mut self,
        plans: Vec<SinkPlan>,
        is_other: impl Fn(&str) -> bool,
        mut outbox: impl FnMut() -> Result<Outbox>,
    ) -> Result<SinkChanges> {
        let mut opened = BTreeMap::new();
        for plan in plans.iter().filter(|plan| !self.posts.contains_key(&plan.name)) {
            opened.insert(plan.name.clone(), outbox()?);
        }
        let mut changes = SinkChanges::default();
        let gone: Vec<String> =
            self.posts.keys().filter(|name| plans.iter().all(|plan| plan.name != **name)).cloned().collect();
        for name in gone {
            if let Some(post) = self.posts.remove(&name) {
                post.orders.give(Order::End);
                post.bell.notify_one();
                self.bells.take_down(&name);
            }
            changes.ended.push(name);
        }
        for plan in plans {
            let name = plan.name.clone();
            let route = route(plan);
            if let Some(post) = self.posts.get(&name) {
                post.orders.give(Order::Swap { route: Box::new(route), is_other: is_other(&name) });
                post.bell.notify_one();
            } else if let Some(outbox) = opened.remove(&name) {
                let post = Post { orders: Arc::default(), bell: self.bells.hang(&name) };
                let worker = Worker {
                    route,
                    outbox,
                    clock: self.clock.clone(),
                    counters: self.counters.clone(),
                    orders: post.orders.clone(),
                    bell: post.bell.clone(),
                    breaker: Breaker::default(),
                    arrived: BTreeMap::new(),
                };
                self.runtime.spawn(worker.run());
                self.posts.insert(name.clone(), post);
                changes.begun.push(name);
            }
        }
        Ok(changes)
    }
}

fn route(plan: SinkPlan) -> Route {
    Route {
        name: plan.name,
        carrier: plan.carrier,
        max_age: micros(plan.max_age),
        backoff: Backoff::default(),
    }
}
