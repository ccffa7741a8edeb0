//! Which columns are features, and of which kind: what the model file says, else a guess (SEMANTICS S10).

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use driftlead_engine::Kind;
use driftlead_engine::baseline::{Baseline, FeatureSpec};
use driftlead_engine::embedding::can_hold_vectors;
use driftlead_engine::feature::{Domain, Family, Unit, ValueType};

use super::time::{is_time, no_time};
use crate::config::{self, Config};
use crate::exit::{Error, Result};
use crate::report::wire::Skipped;

/// Why a column under `exclude` is skipped.
pub(super) const EXCLUDED: &str = "excluded";

/// Why a column of the envelope is skipped.
const ENVELOPE: &str = "it is the event's and not the record's";

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
    /// Chooses the features of `schema`. Columns of the `envelope` in which rows came are none unless they are declared.
    ///
    /// # Errors
    ///
    /// If the model file names a column that is not there, or a kind that the column cannot have.
    pub fn choose(schema: &Schema, config: &Config, envelope: &[&str]) -> Result<Self> {
        for feature in &config.features.declared {
            let Ok(place) = schema.index_of(&feature.name) else {
                return Err(missing(schema, config, &feature.name, "features"));
            };
            check_type(schema.field(place), feature, config)?;
        }
        let mut columns = Self { features: Vec::new(), places: Vec::new(), skipped: Vec::new() };
        for (place, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if !config.features.includes(name) {
                if config.features.exclude.iter().any(|excluded| excluded == name) {
                    columns.skip(name, EXCLUDED);
                }
                continue;
            }
            let declared = config.features.declared(name);
            if declared.is_none() && config.time.as_deref() == Some(name) {
                columns.skip(name, "it is the event time");
                continue;
            }
            if declared.is_none() && config.id.as_deref() == Some(name) {
                columns.skip(name, "it is the rows' id");
                continue;
            }
            if declared.is_none() && envelope.contains(&name.as_str()) {
                columns.skip(name, ENVELOPE);
                continue;
            }
            match kind_of(field.data_type(), declared) {
                Ok((kind, value_type)) => {
                    columns.features.push(FeatureSpec {
                        name: name.clone(),
                        kind,
                        value_type,
                        edges: declared.map(|feature| feature.edges.clone()).unwrap_or_default(),
                        dim: declared.and_then(|feature| usize::try_from(feature.dim?).ok()),
                        mmd: declared.is_some_and(|feature| feature.mmd),
                        inferred: declared.is_none_or(|feature| feature.kind.is_none()),
                    });
                    columns.places.push(place);
                }
                Err(reason) if declared.is_some_and(|feature| feature.kind.is_some()) => {
                    let message = format!("feature `{name}`: {reason}");
                    return Err(Error::input(config.origin.locate("features", name, &message)));
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

/// The columns by which the model file cuts the data must be there: `time`, if windows or bounds ask for it, and those
/// of `segments`.
///
/// # Errors
///
/// The first that is missing, or a `time` of a type that holds no times, with its place in the file.
pub(super) fn ensure_cuts(schema: &Schema, config: &Config, needs_time: bool) -> Result<()> {
    let time = config.time.iter().filter(|_| needs_time).map(|name| (name, "time"));
    let segments = config.segments.iter().flatten().map(|name| (name, "segments"));
    if let Some((name, key)) = time.chain(segments).find(|(name, _)| schema.index_of(name).is_err()) {
        return Err(missing(schema, config, name, key));
    }
    if needs_time { ensure_time(schema, config) } else { Ok(()) }
}

/// The column of the rows' ids, if the model file names one, must be there and hold what can be an id.
///
/// # Errors
///
/// That it is missing, or the type that it has, with the place in the file.
pub(crate) fn ensure_ids(schema: &Schema, config: &Config) -> Result<()> {
    let Some(name) = config.id.as_deref() else { return Ok(()) };
    let Ok(field) = schema.field_with_name(name) else { return Err(missing(schema, config, name, "id")) };
    if is_id(field.data_type()) {
        return Ok(());
    }
    let message = format!(
        "`id` names the column `{name}` of type `{}`, whose values name no rows: expected text or integers",
        type_word(field.data_type())
    );
    Err(Error::input(config.origin.locate("id", name, &message)))
}

/// Whether values of this type can name rows.
fn is_id(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_id(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        other => other.is_integer(),
    }
}

/// The column of event times, if there is one, must be of a type that can hold times.
///
/// # Errors
///
/// The type that it has, with the place in the file.
pub(super) fn ensure_time(schema: &Schema, config: &Config) -> Result<()> {
    match config.time.as_deref().and_then(|name| schema.field_with_name(name).ok()) {
        Some(field) if !is_time(field.data_type()) => {
            let message = no_time(field.name(), field.data_type());
            Err(Error::input(config.origin.locate("time", field.name(), &message)))
        }
        _ => Ok(()),
    }
}

/// Columns that `exclude` names and the data lack: nothing was left out, which a person should know.
pub(super) fn unknown_excludes(schema: &Schema, config: &Config) -> Vec<String> {
    let unknown = config.features.exclude.iter().filter(|name| schema.index_of(name).is_err());
    unknown
        .map(|name| {
            let message = lacking(schema, name, "`exclude`");
            config.origin.locate("exclude", name, &message)
        })
        .collect()
}

/// The column `name`, which the model file names under `key`, is missing: where it stands, and what there is instead.
pub(super) fn missing(schema: &Schema, config: &Config, name: &str, key: &'static str) -> Error {
    Error::input(config.origin.locate(key, name, &lacking(schema, name, &format!("`{key}`"))))
}

/// `who` names a column that is not there: what there is instead.
pub(crate) fn lacking(schema: &Schema, name: &str, who: &str) -> String {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let hint = config::problem::suggest(name, names.iter().copied());
    format!("{who} names the column `{name}`, which the data do not have: {hint}")
}

/// Holds a column to the logical type that the model file gives it (SEMANTICS S4): another width will do.
fn check_type(field: &Field, feature: &config::Feature, config: &Config) -> Result<()> {
    let Some((wanted, word)) =
        feature.logical_type.as_deref().and_then(|word| Some((declared_type(word)?, word)))
    else {
        return Ok(());
    };
    let family = |data_type: &DataType| ValueType::of(data_type).ok().map(|own| own.family);
    if family(&wanted) == family(field.data_type()) {
        return Ok(());
    }
    let message = format!(
        "feature `{}` has `type: {word}`, but its column is of type `{}`: correct one of them",
        feature.name,
        type_word(field.data_type())
    );
    Err(Error::input(config.origin.locate("features", &feature.name, &message)))
}

/// The features to which the model file gives a type, for formats that have none of their own.
pub(crate) fn declared_types(config: &Config) -> impl Iterator<Item = (&str, ValueType, DataType)> {
    config.features.declared.iter().filter_map(|feature| {
        let data_type = declared_type(feature.logical_type.as_deref()?)?;
        Some((feature.name.as_str(), ValueType::of(&data_type).ok()?, data_type))
    })
}

/// The features of a baseline with the types as which text is read for them.
pub(crate) fn baseline_types(baseline: &Baseline) -> impl Iterator<Item = (&str, ValueType, DataType)> {
    baseline.features().iter().map(|feature| {
        let own = feature.cells().value_type();
        let data_type = match (own.family, own.domain) {
            (Family::Text, _) => DataType::Utf8,
            (Family::Bool, _) => DataType::Boolean,
            (Family::Time, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            (Family::Number, Domain::I64) if own.unit == Unit::ONE => DataType::Int64,
            // Never through a double, which holds fewer digits.
            (Family::Number, Domain::I64 | Domain::I128) => decimal(own.unit).unwrap_or(DataType::Float64),
            (Family::Number, _) => DataType::Float64,
            (Family::Vector, _) => vectors(),
        };
        (feature.name(), own, data_type)
    })
}

/// Vectors, as text formats have them.
fn vectors() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Float32, true)))
}

/// The decimal type whose steps are these; `None` for steps that are not 1, 0.1, 0.01 and so on.
fn decimal(unit: Unit) -> Option<DataType> {
    let scale = unit.denominator.checked_ilog10().and_then(|scale| i8::try_from(scale).ok())?;
    let is_power =
        unit.numerator == 1 && unit.denominator == 10_i128.checked_pow(scale.unsigned_abs().into())?;
    is_power.then_some(DataType::Decimal128(38, scale))
}

/// The type that a word of [`config::keys::TYPES`] stands for; `None` for those that no feature can have.
fn declared_type(word: &str) -> Option<DataType> {
    Some(match word {
        "bool" => DataType::Boolean,
        "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" => DataType::Int64,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" | "decimal" => DataType::Float64,
        "string" => DataType::Utf8,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}

/// A type in the words that a model file uses, where it has one.
pub(crate) fn type_word(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => "decimal".to_owned(),
        DataType::Dictionary(_, values) => type_word(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("list of {}", type_word(item.data_type()))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// The kind of a column and its logical type, or why it cannot be a feature.
fn kind_of(data_type: &DataType, declared: Option<&config::Feature>) -> Result<(Kind, ValueType), String> {
    let wanted = declared.and_then(|feature| feature.kind);
    if wanted == Some(Kind::Embedding) {
        return if can_hold_vectors(data_type) {
            Ok((Kind::Embedding, ValueType::VECTOR))
        } else {
            Err(format!(
                "a column of type `{}` cannot be `embedding`: expected lists of floats, or little-endian float32 as bytes or base64 text",
                type_word(data_type)
            ))
        };
    }
    let value_type = ValueType::of(data_type).map_err(|error| error.to_string())?;
    let is_dictionary = matches!(data_type, DataType::Dictionary(..));
    let kind = match (wanted, value_type.family) {
        (None | Some(Kind::Categorical), Family::Text | Family::Bool) => Kind::Categorical,
        (None, Family::Vector) => Kind::Embedding,
        (None | Some(Kind::Numeric), Family::Number) if !is_dictionary => Kind::Numeric,
        (Some(Kind::Categorical), Family::Number) | (None, Family::Number) => Kind::Categorical,
        (Some(Kind::Numeric), Family::Time) => Kind::Numeric,
        (None, Family::Time) => {
            return Err("dates and times are not compared unless `kind: numeric` asks for it".to_owned());
        }
        (Some(kind), _) => {
            return Err(format!(
                "a column of type `{}` cannot be `{}`: expected {}",
                type_word(data_type),
                kind.name(),
                if kind == Kind::Numeric { "numbers, dates or times" } else { "text, bool or integers" }
            ));
        }
    };
    Ok((kind, value_type))
}
