//! Who writes next.
//!
//! SQLite lets one connection write at a time, and lets the others ask again and again until they give up. Within one
//! process there is no need for that: writers wait here for each other. The store's owner goes before all workers, so
//! that a commit waits for at most one worker's transaction, however many there are.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The door to the writing side of one store.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: bool,
    owner_waits: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The one [`super::Store`].
    Owner,
    /// One of its outboxes.
    Worker,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// Waits until nobody else writes.
    pub(super) fn enter(&self, writer: Writer) -> Pass<'_> {
        let mut state = self.lock();
        match writer {
            Writer::Owner => {
                state.owner_waits = true;
                state = self.wait_while(state, |state| state.taken);
                state.owner_waits = false;
            }
            Writer::Worker => state = self.wait_while(state, |state| state.taken || state.owner_waits),
        }
        state.taken = true;
        Pass { gate: self }
    }

    /// A thread that panicked has left no half-made state here: both flags are set and cleared in one step each.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        blocked: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, |state| blocked(state)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.lock().taken = false;
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn the_owner_goes_before_workers_that_came_earlier() {
        let gate = Gate::default();
        let (order, entered) = mpsc::channel();
        thread::scope(|scope| {
            let first = gate.enter(Writer::Worker);
            let gate = &gate;
            let for_owner = order.clone();
            scope.spawn(move || {
                let _pass = gate.enter(Writer::Owner);
                for_owner.send("owner").unwrap();
            });
            // The owner is known to wait before the second worker even asks.
            while !gate.lock().owner_waits {
                thread::yield_now();
            }
            scope.spawn(move || {
                let _pass = gate.enter(Writer::Worker);
                order.send("worker").unwrap();
            });
            drop(first);
            assert_eq!(entered.recv().unwrap(), "owner");
            assert_eq!(entered.recv().unwrap(), "worker");
        });
    }

    #[test]
    fn one_writes_at_a_time() {
        let gate = Gate::default();
        let inside = Mutex::new(());
        thread::scope(|scope| {
            for i in 0..4 {
                let (gate, inside) = (&gate, &inside);
                let writer = if i == 0 { Writer::Owner } else { Writer::Worker };
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        let _pass = gate.enter(writer);
                        assert!(inside.try_lock().is_ok(), "two are inside");
                    }
                });
            }
        });
    }
}
