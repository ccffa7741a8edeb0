//! The bells of the sinks' workers: who has something for them to deliver rings, and does not know which workers there are.
//!
//! A reload hangs up new bells and takes others down, while the API may ring.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The bells, by the name of the sink. Clones are the same bells.
#[derive(Clone, Debug, Default)]
pub struct Bells(Arc<Mutex<BTreeMap<String, Arc<Notify>>>>);

impl Bells {
    /// Tells all workers to look at the outbox. One that is busy finds that out when it is done.
    pub fn ring(&self) {
        self.bells().values().for_each(|bell| bell.notify_one());
    }

    /// The bell of a sink's worker, from now on rung with the others.
    pub(crate) fn hang(&self, sink: &str) -> Arc<Notify> {
        self.bells().entry(sink.to_owned()).or_default().clone()
    }

    /// A sink's bell is rung no more.
    pub(super) fn take_down(&self, sink: &str) {
        self.bells().remove(sink);
    }

    fn bells(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
