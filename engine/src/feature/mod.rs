//! Features: what their values are, and the edges and categories that a baseline freezes for them.

mod categories;
mod edges;
mod narrowing;
mod numeric;
mod value_type;

pub use categories::{Categories, Category};
pub(crate) use categories::{HashIndex, category_hash};
pub use edges::{Edges, Value};
pub use narrowing::Narrowing;
pub(crate) use numeric::power_of_two;
pub use numeric::{NumericCells, PsiCells, Scale};
pub use value_type::{Domain, Family, Unit, ValueType};

use std::sync::Arc;

use crate::embedding::{self, EmbeddingCells};
use crate::{Kind, Metric};

/// The frozen cells of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureCells {
    /// Cells between edges.
    Numeric(NumericCells),
    /// A cell per frequent category.
    Categorical(Categories),
    /// What vectors are measured with.
    Embedding(Arc<EmbeddingCells>),
}

impl FeatureCells {
    /// How many cells a state has.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        match self {
            Self::Numeric(cells) => cells.n_cells(),
            Self::Categorical(cells) => cells.n_cells(),
            Self::Embedding(_) => embedding::CELLS,
        }
    }

    /// How the feature is compared.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Numeric(_) => Kind::Numeric,
            Self::Categorical(_) => Kind::Categorical,
            Self::Embedding(_) => Kind::Embedding,
        }
    }

    /// Whether `metric` is measured on these cells: of this kind of features, and with what it is measured by, where
    /// that is made only if somebody asks.
    #[must_use]
    pub fn measures(&self, metric: Metric) -> bool {
        let is_lacking =
            metric == Metric::Mmd && matches!(self, Self::Embedding(cells) if cells.waves().is_none());
        metric.applies_to(self.kind()) && !is_lacking
    }

    /// The baseline's type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Numeric(cells) => cells.value_type,
            Self::Categorical(cells) => cells.value_type,
            Self::Embedding(_) => ValueType::VECTOR,
        }
    }

    /// The name of this set of cells: states of other names never combine (I-EDGES).
    #[must_use]
    pub fn cutset_id(&self) -> String {
        match self {
            Self::Numeric(cells) => cells.cutset_id(),
            Self::Categorical(cells) => cells.cutset_id(),
            Self::Embedding(cells) => cells.cutset_id(),
        }
    }
}
