//! What the API stands on: the store's connections, the engine's ear, counters, health, and who may ask.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use driftlead_connectors::store::{self, Acknowledgement, Silence};

use tokio::task::spawn_blocking;

use super::auth::Tokens;
use super::desk::Desk;
use super::problem::Problem;
use crate::clock::Clock;
use crate::exit::Result;
use crate::serve::bells::Bells;
use crate::serve::board::Board;
use crate::serve::counters::Counters;
use crate::serve::health::Health;
use crate::serve::intake::Intake;
use crate::serve::{self, Service};

/// Requests that may wait for the store.
const READERS: usize = 64;
/// Requests that may wait for the engine, or to change the outbox.
const WRITERS: usize = 16;
/// Reloads that may be asked for at a time: one that is under way, and one that sees what was written since.
const RELOADS: usize = 2;

/// What the API has the engine do. Each call lasts until that is committed.
pub trait Commands: Debug + Send {
    /// Notes who has seen an alert; answers whether it is open.
    ///
    /// # Errors
    ///
    /// The engine has ended, or cannot commit.
    fn acknowledge(&self, alert: &str, acknowledgement: Acknowledgement) -> Result<bool>;

    /// Keeps alerts back, or changes how long; `by` is who asks.
    ///
    /// # Errors
    ///
    /// As [`Commands::acknowledge`].
    fn silence(&self, silence: Silence, by: &str) -> Result<()>;

    /// Reads the settings again for `by`; answers what changed.
    ///
    /// # Errors
    ///
    /// What is wrong with them; then nothing has changed.
    fn reload(&self, by: &str) -> Result<String>;
}

impl Commands for serve::Commands {
    fn acknowledge(&self, alert: &str, acknowledgement: Acknowledgement) -> Result<bool> {
        Self::acknowledge(self, alert, acknowledgement)
    }

    fn silence(&self, silence: Silence, by: &str) -> Result<()> {
        Self::silence(self, silence, by)
    }

    fn reload(&self, by: &str) -> Result<String> {
        Self::reload(self, by)
    }
}

/// Everything that handlers use.
#[derive(Debug)]
pub(super) struct Face {
    /// Questions to the store.
    pub(super) reader: Desk<store::Reader>,
    /// Retries.
    pub(super) outbox: Desk<store::Outbox>,
    /// Commands to the engine.
    pub(super) commands: Desk<Box<dyn Commands>>,
    /// Reloads, apart: one reads files and baselines for as long as a start does, and must hold up nothing else.
    pub(super) reloads: Desk<Box<dyn Commands>>,
    pub(super) counters: Arc<Counters>,
    pub(super) health: Arc<Health>,
    pub(super) board: Arc<Board>,
    /// What wakes the sinks' workers.
    pub(super) bells: Bells,
    /// Where rows come in.
    pub(super) intake: Arc<Intake>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tokens: Tokens,
    /// When the API began, in microseconds since 1970.
    pub(super) started: i64,
}

impl Face {
    /// The face of a running service.
    pub(super) fn of(service: &Service, tokens: Tokens, clock: &Arc<dyn Clock>) -> Self {
        let desk = |line| {
            let commands: Box<dyn Commands> = Box::new(service.commands());
            Desk::new(Arc::new(Mutex::new(commands)), line)
        };
        Self {
            reader: Desk::new(Arc::clone(&service.reader), READERS),
            outbox: Desk::new(Arc::clone(&service.outbox), WRITERS),
            commands: desk(WRITERS),
            reloads: desk(RELOADS),
            counters: Arc::clone(&service.counters),
            health: Arc::clone(&service.health),
            board: Arc::clone(&service.board),
            bells: service.bells.clone(),
            intake: Arc::clone(&service.intake),
            clock: Arc::clone(clock),
            tokens,
            started: clock.now(),
        }
    }

    /// Has the sinks' workers look at the outbox now: they sleep until something is due that they know of.
    pub(super) fn ring(&self) {
        self.bells.ring();
    }

    /// The OpenMetrics text of all counters. With thousands of series it takes long enough to be written elsewhere than
    /// on the runtime.
    pub(super) async fn numbers(&self) -> Result<String, Problem> {
        let counters = Arc::clone(&self.counters);
        let text = spawn_blocking(move || counters.text()).await;
        text.map_err(|error| Problem::internal(&error.to_string()))
    }
}
