//! Which columns are features, and of which kind: what the model file says, else a guess (SEMANTICS S10).

use arrow_schema::{DataType, Schema};
use driftlead_engine::Kind;
use driftlead_engine::baseline::FeatureSpec;
use driftlead_engine::feature::{Family, ValueType};

use crate::config::{self, Config};
use crate::exit::{Error, Result};
use crate::report::wire::Skipped;

/// The features of a baseline to be, and the columns that are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// The features, in the order of the columns.
    pub features: Vec<FeatureSpec>,
    /// The place of each feature in the schema.
    pub places: Vec<usize>,
    /// The others, and why.
    pub skipped: Vec<Skipped>,
}

impl Columns {
    /// Chooses the features of `schema`.
    ///
    /// # Errors
    ///
    /// If the model file names a column that is not there, or a kind that the column cannot have.
    pub fn choose(schema: &Schema, config: &Config) -> Result<Self> {
        for feature in &config.features.declared {
            if schema.index_of(&feature.name).is_err() {
                return Err(missing(schema, &feature.name, "features"));
            }
        }
        let mut columns = Self { features: Vec::new(), places: Vec::new(), skipped: Vec::new() };
        for (place, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if !config.features.includes(name) {
                if config.features.exclude.iter().any(|excluded| excluded == name) {
                    columns.skip(name, "excluded");
                }
                continue;
            }
            let declared = config.features.declared(name);
            if declared.is_none() && config.time.as_deref() == Some(name) {
                columns.skip(name, "it is the event time");
                continue;
            }
            match kind_of(field.data_type(), declared) {
                Ok((kind, value_type)) => {
                    columns.features.push(FeatureSpec {
                        name: name.clone(),
                        kind,
                        value_type,
                        edges: declared.map(|feature| feature.edges.clone()).unwrap_or_default(),
                        inferred: declared.is_none_or(|feature| feature.kind.is_none()),
                    });
                    columns.places.push(place);
                }
                Err(reason) if declared.is_some_and(|feature| feature.kind.is_some()) => {
                    return Err(Error::input(format!("feature `{name}`: {reason}")));
                }
                Err(reason) => columns.skip(name, &reason),
            }
        }
        if columns.features.is_empty() {
            return Err(Error::input(format!(
                "no column can be a feature: {}",
                columns
                    .skipped
                    .iter()
                    .map(|skipped| format!("`{}`: {}", skipped.name, skipped.reason))
                    .collect::<Vec<_>>()
                    .join("; ")
            )));
        }
        Ok(columns)
    }

    fn skip(&mut self, name: &str, reason: &str) {
        self.skipped.push(Skipped { name: name.to_owned(), reason: reason.to_owned() });
    }
}

/// The column `name` is missing: what there is instead.
pub(super) fn missing(schema: &Schema, name: &str, key: &str) -> Error {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let hint = config::problem::suggest(name, names.iter().copied());
    // The keys of a model file are quoted; `the baseline` is none.
    let key = if key.contains(' ') { key.to_owned() } else { format!("`{key}`") };
    Error::input(format!("{key} names the column `{name}`, which the data do not have: {hint}"))
}

/// The kind of a column and its logical type, or why it cannot be a feature.
fn kind_of(data_type: &DataType, declared: Option<&config::Feature>) -> Result<(Kind, ValueType), String> {
    let wanted = declared.and_then(|feature| feature.kind);
    if wanted == Some(Kind::Embedding) || is_vector(data_type) {
        return Err("embeddings are not compared yet".to_owned());
    }
    let value_type = ValueType::of(data_type).map_err(|error| error.to_string())?;
    let is_dictionary = matches!(data_type, DataType::Dictionary(..));
    let kind = match (wanted, value_type.family) {
        (None | Some(Kind::Categorical), Family::Text | Family::Bool) => Kind::Categorical,
        (None | Some(Kind::Numeric), Family::Number) if !is_dictionary => Kind::Numeric,
        (Some(Kind::Categorical), Family::Number) | (None, Family::Number) => Kind::Categorical,
        (Some(Kind::Numeric), Family::Time) => Kind::Numeric,
        (None, Family::Time) => {
            return Err("dates and times are not compared unless `kind: numeric` asks for it".to_owned());
        }
        (Some(kind), _) => {
            return Err(format!(
                "a column of type `{data_type}` cannot be `{}`: expected {}",
                kind.name(),
                if kind == Kind::Numeric { "numbers, dates or times" } else { "text, bool or integers" }
            ));
        }
    };
    Ok((kind, value_type))
}

fn is_vector(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_floating()
        }
        _ => false,
    }
}
