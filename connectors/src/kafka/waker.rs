//! A bell that librdkafka's threads ring, and on which the reading thread waits.
//!
//! A ring is never lost: one that comes before the wait ends the wait at once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The bell.
#[derive(Debug, Default)]
pub(super) struct Waker {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Waker {
    /// Ends a wait, the one that is on or the next.
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }

    /// Waits for a ring since the last wait, up to `limit`; whether there was one.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.bell.wait_timeout_while(rung, limit, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_ends_it_once() {
        let waker = Waker::default();
        waker.ring();
        waker.ring();
        assert!(waker.wait(Duration::from_secs(3600)));
        assert!(!waker.wait(Duration::ZERO));
    }

    #[test]
    fn a_ring_from_another_thread_ends_the_wait() {
        let waker = Waker::default();
        std::thread::scope(|scope| {
            scope.spawn(|| waker.ring());
            assert!(waker.wait(Duration::from_secs(3600)));
        });
    }
}
