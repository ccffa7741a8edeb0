//! What the service shows of itself to others: its models with their baselines, and the names of its sinks.
//!
//! A reload puts up another sheet as a whole, so that whoever reads sees the settings before it or after it, never both.

use std::sync::{Arc, PoisonError, RwLock};

use driftlead_engine::baseline::Baseline;

use crate::config::Config;

/// A model at work.
#[derive(Clone, Debug)]
pub struct ShownModel {
    /// Its settings.
    pub config: Config,
    /// What its windows are compared with.
    pub baseline: Arc<Baseline>,
    /// The baseline's id (SEMANTICS S5), or the grid's if the baseline moves.
    pub baseline_id: String,
}

impl ShownModel {
    /// What its windows are compared with, as the API shows it.
    #[must_use]
    pub fn baseline_shown(&self) -> serde_json::Value {
        let moving = self.config.moving().map(|moving| moving.windows());
        serde_json::json!({"id": self.baseline_id, "rows": self.baseline.rows(), "moving_windows": moving})
    }
}

/// Everything that is at work at one time.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The models, by name.
    pub models: Vec<ShownModel>,
    /// The names of the sinks, in the service file's order.
    pub sinks: Vec<String>,
}

impl Sheet {
    /// The model of that name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ShownModel> {
        self.models.iter().find(|model| model.config.model == name)
    }
}

/// Where the newest [`Sheet`] hangs.
#[derive(Debug, Default)]
pub struct Board(RwLock<Arc<Sheet>>);

impl Board {
    /// A board with this sheet.
    #[must_use]
    pub fn of(sheet: Sheet) -> Self {
        Self(RwLock::new(Arc::new(sheet)))
    }

    /// What is at work now; it stays as it is in the reader's hand.
    #[must_use]
    pub fn sheet(&self) -> Arc<Sheet> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts up another sheet.
    pub fn put_up(&self, sheet: Sheet) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sheet);
    }
}
