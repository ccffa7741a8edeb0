//! Building a baseline: sample, count, freeze.
//!
//! [`Sampler`] takes the rows that [`sample_plan`](super::sample_plan) chose; [`Sampler::draft`] draws the cuts;
//! [`Counter`]s count every row, in parallel, and merge; [`Counter::freeze`] makes the [`Baseline`].

use std::sync::Arc;

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use crate::accumulate::{Column, FeatureState, Slots, validity};
use crate::baseline::census::{Census, MAX_CATEGORIES};
use crate::baseline::draft::{BaselineValue, Draft, DraftCounter};
use crate::baseline::freeze::freeze;
use crate::baseline::vectors::{Unfit, VectorSample, WrongDim};
use crate::baseline::{Baseline, BaselineFeature, Skipped};
use crate::embedding::{EmbeddingCells, EmbeddingCounter, EmbeddingState};
use crate::feature::{Domain, Edges, FeatureCells, ValueType};
use crate::{Error, ErrorKind, Kind, Result};

/// One feature of a baseline to be.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSpec {
    /// The column.
    pub name: String,
    /// How to compare it.
    pub kind: Kind,
    /// What its values are.
    pub value_type: ValueType,
    /// Edges to add for the user's own reasons, in the feature's unit.
    pub edges: Vec<f64>,
    /// The length of an embedding's vectors; `None` for the one that most of its sampled vectors have.
    pub dim: Option<usize>,
    /// Whether `mmd` of an embedding is measured, which costs about six times the work of all else.
    pub mmd: bool,
    /// Whether the kind was guessed: then columns that look like identifiers are left out (SEMANTICS S10).
    pub inferred: bool,
}

/// More distinct strings than this share of the rows look like identifiers.
const IDENTIFIER_SHARE: f64 = 0.5;

/// Why a column of dates or timestamps that are written as text is skipped (SEMANTICS S10).
pub const TEMPORAL_TEXT: &str =
    "dates and times, written as text, are not compared unless `kind: categorical` asks for it";

/// The sampled rows of one feature, by part, in the order of rows.
#[derive(Debug)]
enum Sample {
    F32(Vec<(usize, Vec<f32>)>),
    F64(Vec<(usize, Vec<f64>)>),
    I64(Vec<(usize, Vec<i64>)>),
    I128(Vec<(usize, Vec<i128>)>),
    Vectors(VectorSample),
    None,
}

/// Collects the rows that cuts are drawn from.
#[derive(Debug)]
pub struct Sampler {
    specs: Arc<Vec<FeatureSpec>>,
    samples: Vec<Sample>,
    errors: Vec<Option<String>>,
}

impl Sampler {
    /// Nothing sampled yet.
    #[must_use]
    pub fn new(specs: Arc<Vec<FeatureSpec>>) -> Self {
        let samples = specs
            .iter()
            .map(|spec| match (spec.kind, spec.value_type.domain) {
                (Kind::Embedding, _) => Sample::Vectors(VectorSample::new(spec.dim, spec.mmd)),
                (Kind::Numeric, Domain::F32) => Sample::F32(Vec::new()),
                (Kind::Numeric, Domain::F64) => Sample::F64(Vec::new()),
                (Kind::Numeric, Domain::I64) => Sample::I64(Vec::new()),
                (Kind::Numeric, Domain::I128) => Sample::I128(Vec::new()),
                _ => Sample::None,
            })
            .collect();
        let errors = vec![None; specs.len()];
        Self { specs, samples, errors }
    }

    /// Adds sampled rows of part number `part` to feature number `feature`, in the order of rows within a part.
    ///
    /// A column that cannot be read puts that feature into error, and no other.
    pub fn add(&mut self, feature: usize, part: usize, array: &dyn Array) {
        fn gather<T: BaselineValue>(array: &dyn Array, own: ValueType) -> Result<Vec<T>> {
            let mut values = T::of_column(array, own)?.into_owned();
            if let Some(mask) = validity(array) {
                let mut row = 0;
                values.retain(|_| {
                    row += 1;
                    mask.is_valid(row - 1)
                });
            }
            Ok(values)
        }
        let own = self.specs[feature].value_type;
        let result = match &mut self.samples[feature] {
            Sample::F32(sample) => gather(array, own).map(|values| sample.push((part, values))),
            Sample::F64(sample) => gather(array, own).map(|values| sample.push((part, values))),
            Sample::I64(sample) => gather(array, own).map(|values| sample.push((part, values))),
            Sample::I128(sample) => gather(array, own).map(|values| sample.push((part, values))),
            Sample::Vectors(sample) => sample.add(part, array),
            Sample::None => Ok(()),
        };
        if let Err(error) = result {
            self.errors[feature].get_or_insert(error.to_string());
        }
    }

    /// Adds another sampler of the same features.
    pub fn merge(&mut self, other: Self) {
        for (own, other) in self.samples.iter_mut().zip(other.samples) {
            match (own, other) {
                (Sample::F32(own), Sample::F32(other)) => own.extend(other),
                (Sample::F64(own), Sample::F64(other)) => own.extend(other),
                (Sample::I64(own), Sample::I64(other)) => own.extend(other),
                (Sample::I128(own), Sample::I128(other)) => own.extend(other),
                (Sample::Vectors(own), Sample::Vectors(other)) => own.merge(other),
                _ => {}
            }
        }
        for (own, other) in self.errors.iter_mut().zip(other.errors) {
            if own.is_none() {
                *own = other;
            }
        }
    }

    /// Draws the cuts. `complete` says that every row was sampled.
    #[must_use]
    pub fn draft(self, complete: bool) -> Plan {
        fn rows<T: BaselineValue>(mut sample: Vec<(usize, Vec<T>)>) -> (Vec<T>, bool) {
            sample.sort_by_key(|(part, _)| *part);
            let rows: Vec<T> = sample.into_iter().flat_map(|(_, rows)| rows).collect();
            let increasing = rows.len() > 2 && rows.windows(2).all(|pair| pair[0] < pair[1]);
            (rows, increasing)
        }
        let mut features = Vec::with_capacity(self.specs.len());
        for ((spec, sample), error) in self.specs.iter().zip(self.samples).zip(self.errors) {
            let own = spec.value_type;
            let mut ordinal = false;
            let draft = match sample {
                Sample::F32(sample) => {
                    AnyDraft::F32(Arc::new(Draft::new(own, rows(sample).0, complete, &spec.edges)))
                }
                Sample::F64(sample) => {
                    AnyDraft::F64(Arc::new(Draft::new(own, rows(sample).0, complete, &spec.edges)))
                }
                Sample::I64(sample) => {
                    let (rows, increasing) = rows(sample);
                    ordinal = increasing;
                    AnyDraft::I64(Arc::new(Draft::new(own, rows, complete, &spec.edges)))
                }
                Sample::I128(sample) => {
                    let (rows, increasing) = rows(sample);
                    ordinal = increasing;
                    AnyDraft::I128(Arc::new(Draft::new(own, rows, complete, &spec.edges)))
                }
                Sample::Vectors(sample) => match sample.fit() {
                    Ok(cells) => AnyDraft::Vectors(Arc::new(cells)),
                    Err(Unfit::WrongDim(wrong)) => AnyDraft::WrongDim(wrong),
                    Err(Unfit::Other(reason)) => AnyDraft::NoVectors(reason),
                },
                Sample::None => AnyDraft::Census,
            };
            let skipped = (ordinal && spec.inferred)
                .then_some("strictly increasing integers look like row numbers or ids");
            features.push(PlannedFeature { draft, error, skipped });
        }
        Plan { specs: self.specs, features: Arc::new(features) }
    }
}

#[derive(Debug)]
enum AnyDraft {
    F32(Arc<Draft<f32>>),
    F64(Arc<Draft<f64>>),
    I64(Arc<Draft<i64>>),
    I128(Arc<Draft<i128>>),
    Vectors(Arc<EmbeddingCells>),
    /// Vectors that nothing can be fitted to, and why.
    NoVectors(String),
    /// Vectors, and none of the length that was asked for.
    WrongDim(WrongDim),
    Census,
}

#[derive(Debug)]
struct PlannedFeature {
    draft: AnyDraft,
    error: Option<String>,
    skipped: Option<&'static str>,
}

/// The cuts of every feature; cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan {
    specs: Arc<Vec<FeatureSpec>>,
    features: Arc<Vec<PlannedFeature>>,
}

impl Plan {
    /// The embeddings whose declared length no sampled vector has; they will be in error.
    pub fn wrong_dims(&self) -> impl Iterator<Item = (&str, &WrongDim)> {
        self.features.iter().zip(self.specs.iter()).filter_map(|(feature, spec)| match &feature.draft {
            AnyDraft::WrongDim(wrong) => Some((spec.name.as_str(), wrong)),
            _ => None,
        })
    }

    /// A counter of the whole data set or of a part of it.
    #[must_use]
    pub fn counter(&self) -> Counter {
        let features = self
            .features
            .iter()
            .zip(self.specs.iter())
            .map(|(feature, spec)| {
                if let Some(error) = &feature.error {
                    return AnyCounter::Error(error.clone());
                }
                match &feature.draft {
                    AnyDraft::F32(draft) => AnyCounter::F32(Box::new(DraftCounter::new(draft.clone()))),
                    AnyDraft::F64(draft) => AnyCounter::F64(Box::new(DraftCounter::new(draft.clone()))),
                    AnyDraft::I64(draft) => AnyCounter::I64(Box::new(DraftCounter::new(draft.clone()))),
                    AnyDraft::I128(draft) => AnyCounter::I128(Box::new(DraftCounter::new(draft.clone()))),
                    AnyDraft::Vectors(cells) => AnyCounter::Vectors(Box::new(VectorCounter {
                        cells: cells.clone(),
                        counter: EmbeddingCounter::of_baseline(),
                        state: EmbeddingState::empty(),
                    })),
                    AnyDraft::NoVectors(reason) => AnyCounter::Skipped(reason.clone()),
                    AnyDraft::WrongDim(wrong) => AnyCounter::Error(wrong.to_string()),
                    AnyDraft::Census => AnyCounter::Census(Box::new(Census::new(spec.value_type))),
                }
            })
            .collect();
        Counter { plan: self.clone(), rows: 0, features }
    }
}

#[derive(Debug)]
enum AnyCounter {
    F32(Box<DraftCounter<f32>>),
    F64(Box<DraftCounter<f64>>),
    I64(Box<DraftCounter<i64>>),
    I128(Box<DraftCounter<i128>>),
    Vectors(Box<VectorCounter>),
    Census(Box<Census>),
    Skipped(String),
    Error(String),
}

/// Counts the vectors of a baseline.
#[derive(Debug)]
struct VectorCounter {
    cells: Arc<EmbeddingCells>,
    counter: EmbeddingCounter,
    state: EmbeddingState,
}

impl VectorCounter {
    fn update(&mut self, array: &dyn Array, errors: Option<&BooleanBuffer>) -> Result<()> {
        self.counter.update(
            &self.cells,
            array,
            errors,
            None,
            &[Slots::All(0)],
            std::slice::from_mut(&mut self.state),
        )
    }
}

/// Counts a baseline's rows.
#[derive(Debug)]
pub struct Counter {
    plan: Plan,
    rows: u64,
    features: Vec<AnyCounter>,
}

impl Counter {
    /// Counts the rows themselves, whatever they hold.
    pub fn add_rows(&mut self, n_rows: u64) {
        self.rows += n_rows;
    }

    /// Adds a column of feature number `feature`; one that cannot be read puts that feature into error, and no other.
    pub fn update(&mut self, feature: usize, column: Column<'_>) {
        let Column { array, errors } = column;
        let feature = &mut self.features[feature];
        let result = match feature {
            AnyCounter::F32(counter) => counter.update(array, errors),
            AnyCounter::F64(counter) => counter.update(array, errors),
            AnyCounter::I64(counter) => counter.update(array, errors),
            AnyCounter::I128(counter) => counter.update(array, errors),
            AnyCounter::Vectors(counter) => counter.update(array, errors),
            AnyCounter::Census(census) => census.update(array, errors),
            AnyCounter::Skipped(_) | AnyCounter::Error(_) => Ok(()),
        };
        if let Err(error) = result {
            *feature = AnyCounter::Error(error.to_string());
        }
    }

    /// Puts feature number `feature` into error.
    pub fn fail(&mut self, feature: usize, message: impl Into<String>) {
        self.features[feature] = AnyCounter::Error(message.into());
    }

    /// Adds another counter of the same plan.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        for (own, other) in self.features.iter_mut().zip(other.features) {
            if let (AnyCounter::Vectors(mine), AnyCounter::Vectors(other)) = (&mut *own, &other) {
                if let Err(error) = mine.state.merge(&other.state) {
                    *own = AnyCounter::Error(error.to_string());
                }
                continue;
            }
            match (own, other) {
                (AnyCounter::F32(own), AnyCounter::F32(other)) => own.merge(*other),
                (AnyCounter::F64(own), AnyCounter::F64(other)) => own.merge(*other),
                (AnyCounter::I64(own), AnyCounter::I64(other)) => own.merge(*other),
                (AnyCounter::I128(own), AnyCounter::I128(other)) => own.merge(*other),
                (AnyCounter::Census(own), AnyCounter::Census(other)) => own.merge(*other),
                // The least message, so that the order of parts cannot show.
                (AnyCounter::Error(own), AnyCounter::Error(other)) if other < *own => *own = other,
                (AnyCounter::Error(_), AnyCounter::Error(_)) => {}
                (own, AnyCounter::Error(other)) => *own = AnyCounter::Error(other),
                _ => {}
            }
        }
    }

    /// The baseline.
    ///
    /// # Errors
    ///
    /// `Plan` if there are no rows at all: nothing can be compared with nothing.
    pub fn freeze(self) -> Result<Baseline> {
        if self.rows == 0 {
            return Err(Error::new(
                ErrorKind::Plan,
                "the baseline has no rows: check its path and the `where:` condition",
            ));
        }
        let mut features = Vec::new();
        let mut skipped = Vec::new();
        let mut failed = Vec::new();
        for ((spec, planned), counter) in
            self.plan.specs.iter().zip(self.plan.features.iter()).zip(self.features)
        {
            let mut skip = |reason: String| skipped.push(Skipped { name: spec.name.clone(), reason });
            if let Some(reason) = planned.skipped {
                skip(reason.to_owned());
                continue;
            }
            let (cells, state) = match counter {
                AnyCounter::Error(message) => {
                    failed.push(Skipped { name: spec.name.clone(), reason: message });
                    continue;
                }
                AnyCounter::F32(counter) => numeric(&counter, spec, Edges::F32),
                AnyCounter::F64(counter) => numeric(&counter, spec, Edges::F64),
                AnyCounter::I64(counter) => numeric(&counter, spec, Edges::I64),
                AnyCounter::I128(counter) => numeric(&counter, spec, Edges::I128),
                AnyCounter::Skipped(reason) => {
                    skip(reason);
                    continue;
                }
                AnyCounter::Vectors(counter) => {
                    (FeatureCells::Embedding(counter.cells), FeatureState::Embedding(counter.state))
                }
                AnyCounter::Census(mut census) => {
                    let (n_distinct, values) = (census.n_distinct(), census.values());
                    #[expect(clippy::cast_precision_loss, reason = "a share")]
                    let looks_like_id =
                        n_distinct.is_some_and(|n| values > 2 && n as f64 / values as f64 > IDENTIFIER_SHARE);
                    if spec.inferred && census.looks_temporal() {
                        skip(TEMPORAL_TEXT.to_owned());
                        continue;
                    }
                    if spec.inferred && looks_like_id {
                        skip(
                            "more than half of its values are distinct: it looks like an id or free text"
                                .to_owned(),
                        );
                        continue;
                    }
                    let Some((categories, state)) = census.freeze() else {
                        skip(format!("high_cardinality: more than {MAX_CATEGORIES} categories"));
                        continue;
                    };
                    (FeatureCells::Categorical(categories), FeatureState::Categorical(state))
                }
            };
            features.push(BaselineFeature::new(spec.name.clone(), cells, state));
        }
        Ok(Baseline::new(self.rows, features, skipped, failed))
    }
}

fn numeric<T: BaselineValue>(
    counter: &DraftCounter<T>,
    spec: &FeatureSpec,
    wrap: impl Fn(Vec<T>) -> Edges,
) -> (FeatureCells, FeatureState) {
    let (cells, state) = freeze(counter, &spec.edges, wrap);
    (FeatureCells::Numeric(cells), FeatureState::Numeric(state))
}
