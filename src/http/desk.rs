//! One thing that many ask for, and that blocks: a connection to the store, the engine's ear.
//!
//! Who asks waits in line without a thread, is served on a blocking one, and is sent away when the line is long. The
//! turn ends with the work, not with the client: one that hangs up does not let the next in beside its own question.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::problem::Problem;

/// The line in front of a thing.
#[derive(Debug)]
pub(super) struct Desk<T> {
    thing: Arc<Mutex<T>>,
    turn: Arc<Semaphore>,
    line: Arc<Semaphore>,
}

impl<T: Send + 'static> Desk<T> {
    /// A desk at which up to `line` may stand.
    pub(super) fn new(thing: Arc<Mutex<T>>, line: usize) -> Self {
        Self { thing, turn: Arc::new(Semaphore::new(1)), line: Arc::new(Semaphore::new(line)) }
    }

    /// Does `work` with the thing when it is our turn.
    ///
    /// # Errors
    ///
    /// Unavailable, if the line is too long; internal, if the work panicked.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let Ok(place) = Arc::clone(&self.line).try_acquire_owned() else {
            return Err(Problem::unavailable(
                "too many requests wait for the same thing: try again in a moment",
            ));
        };
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let thing = Arc::clone(&self.thing);
        let work = move || {
            // A question that panicked has left a connection that can still be asked.
            let answer = work(&mut thing.lock().unwrap_or_else(PoisonError::into_inner));
            drop((turn, place));
            answer
        };
        spawn_blocking(work).await.map_err(|error| Problem::internal(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn who_comes_to_a_long_line_is_sent_away_and_the_others_are_served_in_order() {
        let desk = Arc::new(Desk::new(Arc::new(Mutex::new(Vec::new())), 3));
        let (release, released) = mpsc::channel::<()>();
        let mut waiting = JoinSet::new();
        let (begun, began) = tokio::sync::oneshot::channel();
        let first = Arc::clone(&desk);
        waiting.spawn(async move {
            let work = move |served: &mut Vec<i32>| {
                begun.send(()).unwrap();
                released.recv().unwrap();
                served.push(0);
            };
            first.ask(work).await.unwrap();
        });
        began.await.unwrap();
        let mut line: Vec<_> = (1..3).map(|who| Box::pin(desk.ask(move |served| served.push(who)))).collect();
        for own in &mut line {
            // Polled once each, they stand in line in this order.
            assert!(futures_poll(own).await.is_none());
        }
        let refused = desk.ask(|_| ()).await.unwrap_err();
        assert!(format!("{refused:?}").contains("503"), "{refused:?}");
        release.send(()).unwrap();
        for own in line {
            own.await.unwrap();
        }
        waiting.join_all().await;
        assert_eq!(desk.ask(|served| served.clone()).await.unwrap(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_question_that_panics_leaves_a_desk_that_serves() {
        let desk = Desk::new(Arc::new(Mutex::new(7)), 1);
        let failed = desk.ask(|_| -> i32 { panic!("on purpose") }).await.unwrap_err();
        assert!(format!("{failed:?}").contains("500"), "{failed:?}");
        assert_eq!(desk.ask(|thing| *thing).await.unwrap(), 7);
    }

    /// What a future gives at its first poll.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(match polled {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
