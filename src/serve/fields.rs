//! The columns of a source: what its models want of it, each decoded once.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::{DataType, TimeUnit};
use driftlead_connectors::decode::{FieldSpec, Place, Pointer};

use super::model::{Model, Wanted};
use super::plan::SourcePlan;
use super::reader::TimeColumn;
use crate::exit::{Error, Result};

/// The columns of a source, for all models that read it.
#[derive(Clone)]
pub(super) struct Fields {
    pub(super) fields: Vec<FieldSpec>,
    /// What each is for: the column's name in the models, and its type.
    pub(super) wanted: Vec<(String, DataType)>,
    pub(super) times: Vec<TimeColumn>,
    /// What reads those without which rows cannot be prepared.
    pub(super) needed: BTreeMap<usize, String>,
}

impl Fields {
    pub(super) fn of<'a>(source: &SourcePlan, models: impl Iterator<Item = &'a Model>) -> Result<Self> {
        let mut fields =
            Self { fields: Vec::new(), wanted: Vec::new(), times: Vec::new(), needed: BTreeMap::new() };
        let mut taken = BTreeSet::new();
        for model in models {
            // Windows of rows do not ask when a row is from, so none is too far ahead for them.
            let waits = model.config.windows.iter().filter(|window| window.cut.is_some());
            let future = waits.map(|window| window.future.micros()).min().unwrap_or(i64::MAX);
            for (at, own) in model.wanted.iter().enumerate() {
                let is_time = model.config.time.is_some() && at + 1 == model.wanted.len();
                let key = (own.name.clone(), own.data_type.clone());
                let column = match fields.wanted.iter().position(|wanted| *wanted == key) {
                    Some(column) => column,
                    None => {
                        // Two models may want one column as two types: then it is decoded twice, under two names.
                        let mut name = own.name.clone();
                        while !taken.insert(name.clone()) {
                            name.push('\'');
                        }
                        fields.fields.push(field(source, &name, own, is_time)?);
                        fields.wanted.push(key);
                        fields.wanted.len() - 1
                    }
                };
                if let Some(reader) = own.needed_by {
                    let reader = format!("{reader} of model `{}`", model.config.model);
                    fields.needed.entry(column).or_insert(reader);
                }
                if is_time {
                    match fields.times.iter_mut().find(|time| time.column == column) {
                        Some(time) => time.future = time.future.min(future),
                        None => fields.times.push(TimeColumn { column, future }),
                    }
                }
            }
        }
        Ok(fields)
    }

    /// The places of a model's columns, and that of its event time among the times, if it names one.
    pub(super) fn find(&self, model: &Model) -> Result<(Vec<usize>, Option<usize>)> {
        let missing = || Error::run("a model's columns are not among its source's");
        let places = model
            .wanted
            .iter()
            .map(|own| {
                let key = (&own.name, &own.data_type);
                self.wanted.iter().position(|(name, data_type)| (name, data_type) == key).ok_or_else(missing)
            })
            .collect::<Result<Vec<usize>>>()?;
        if model.config.time.is_none() {
            return Ok((places, None));
        }
        let time = places.last().and_then(|last| self.times.iter().position(|time| time.column == *last));
        Ok((places, Some(time.ok_or_else(missing)?)))
    }
}

/// Where a column stands in a record.
fn field(source: &SourcePlan, name: &str, own: &Wanted, is_time: bool) -> Result<FieldSpec> {
    let spec = FieldSpec::new(name, own.data_type.clone());
    if is_time && let Some((place, unit)) = &source.time {
        let spec = spec.at(place.clone());
        return Ok(match unit {
            Some(unit) => spec.epoch(*unit),
            None => spec,
        });
    }
    let place =
        source.places.get(&own.name).cloned().unwrap_or_else(|| Place::Payload(Pointer::key(&own.name)));
    let spec = spec.at(place);
    let unit = match own.data_type {
        DataType::Timestamp(..) => source.time.as_ref().and_then(|(_, unit)| *unit),
        _ => None,
    };
    Ok(unit.map_or(spec.clone(), |unit: TimeUnit| spec.epoch(unit)))
}
