//! Whether the service is alive and ready, with reasons: what `/healthz` and `/readyz` answer.
//!
//! Alive means that the engine thread goes round; a service that is not should be restarted. Ready means that every
//! source is being read; one that is not ready is alive, and says what it waits for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An engine thread that has not gone round for so long, in microseconds, is stuck.
const STUCK: i64 = 60_000_000;

/// What the engine thread tells of itself.
#[derive(Debug, Default)]
pub struct Health(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    went_round: Option<i64>,
    sources: BTreeMap<String, SourceHealth>,
    /// Why it begins anew, while it does.
    reloading: Option<String>,
}

/// How a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceHealth {
    /// Nothing was heard of it yet.
    Starting,
    /// It is being read.
    Reading,
    /// It has trouble, and goes on by itself.
    Troubled {
        /// What.
        message: String,
    },
    /// It has given all that it ever will.
    Ended,
}

impl Health {
    /// Nothing heard yet of these sources.
    #[must_use]
    pub fn of<'a>(sources: impl IntoIterator<Item = &'a str>) -> Self {
        let sources = sources.into_iter().map(|name| (name.to_owned(), SourceHealth::Starting)).collect();
        Self(Mutex::new(Inner { went_round: None, sources, reloading: None }))
    }

    /// The engine thread went round.
    pub(crate) fn beat(&self, now: i64) {
        self.inner().went_round = Some(now);
    }

    /// A source is so; answers how it was before.
    pub(crate) fn source(&self, name: &str, health: SourceHealth) -> SourceHealth {
        let mut inner = self.inner();
        match inner.sources.get_mut(name) {
            Some(own) if *own != health => std::mem::replace(own, health),
            _ => health,
        }
    }

    /// It begins anew with other settings, because of this.
    pub(crate) fn begins_anew(&self, why: &str) {
        self.inner().reloading = Some(why.to_owned());
    }

    /// It has begun anew: these are its sources, of which nothing was heard yet.
    pub(crate) fn has_begun_anew<'a>(&self, sources: impl IntoIterator<Item = &'a str>) {
        let sources = sources.into_iter().map(|name| (name.to_owned(), SourceHealth::Starting)).collect();
        let mut inner = self.inner();
        inner.reloading = None;
        inner.sources = sources;
    }

    /// Why the service should be restarted; `None` if it is alive.
    #[must_use]
    pub fn stuck(&self, now: i64) -> Option<String> {
        match self.inner().went_round {
            None => None,
            Some(at) if now.saturating_sub(at) > STUCK => {
                Some(format!("the engine has not moved for {} s", now.saturating_sub(at) / 1_000_000))
            }
            Some(_) => None,
        }
    }

    /// What the service waits for; nothing if it is ready.
    #[must_use]
    pub fn waits(&self, now: i64) -> Vec<String> {
        let inner = self.inner();
        let mut reasons = Vec::new();
        if inner.went_round.is_none() {
            reasons.push("the engine has not started".to_owned());
        }
        if let Some(why) = &inner.reloading {
            reasons.push(format!("reloading: {why}"));
        }
        for (name, health) in &inner.sources {
            match health {
                SourceHealth::Starting => reasons.push(format!("source `{name}` has not answered yet")),
                SourceHealth::Troubled { message } => reasons.push(format!("source `{name}`: {message}")),
                SourceHealth::Reading | SourceHealth::Ended => {}
            }
        }
        drop(inner);
        reasons.extend(self.stuck(now));
        reasons
    }

    /// Every source and how it is.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<String, SourceHealth> {
        self.inner().sources.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_every_source_read_and_an_engine_that_moves() {
        let health = Health::of(["a", "b"]);
        assert_eq!(health.waits(0).len(), 3);
        health.beat(5);
        assert_eq!(health.source("a", SourceHealth::Reading), SourceHealth::Starting);
        assert_eq!(health.source("a", SourceHealth::Reading), SourceHealth::Reading);
        health.source("b", SourceHealth::Troubled { message: "no broker".to_owned() });
        assert_eq!(health.waits(5), ["source `b`: no broker"]);
        health.begins_anew("the model `c` is new");
        assert_eq!(health.waits(5), ["reloading: the model `c` is new", "source `b`: no broker"]);
        health.has_begun_anew(["a", "c"]);
        assert_eq!(health.waits(5).len(), 2, "{:?}", health.waits(5));
        for name in ["a", "c"] {
            health.source(name, SourceHealth::Reading);
        }
        health.source("b", SourceHealth::Ended);
        assert!(health.waits(5).is_empty() && health.stuck(5).is_none());
        assert!(health.stuck(5 + STUCK + 1).is_some_and(|why| why.contains("60 s")));
    }
}
