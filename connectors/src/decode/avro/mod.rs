//! Avro payloads: a plan compiled per writer's schema, straight from the bytes to the columns.
//!
//! Why not `arrow-avro`, which this is tested against: a truncated record there poisons those that follow, one value that
//! does not fit ends the batch, and it decodes what no column wants. `apache-avro` builds a tree of values per record.

mod fingerprint;
mod plan;
mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::plan::Plan;
use self::schema::Schema;
use super::decoder::Bad;
use super::field::FieldSpec;
use super::registry::Answer;
use super::slots::Places;
use super::{AvroSchema, frame};
use crate::error::{Error, Result};
use crate::source::BadReason;
use crate::source::column::Column;
use crate::source::ndjson::Pointer;

/// The payload's columns, and the plans of the schemas met so far.
pub(super) struct Data {
    places: Places,
    writers: Writers,
}

/// Why a datum was not decoded.
pub(super) enum Refusal {
    Bad(Bad),
    /// The schema of this id is not known yet.
    Unresolved(u32),
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

enum Writers {
    Registry(BTreeMap<u32, Writer>),
    Plain(Plan),
    SingleObject(Vec<(u64, Plan)>),
}

/// What is known of a schema id.
enum Writer {
    Known(Plan),
    Missing,
    Unusable(String),
}

impl Data {
    pub(super) fn new(fields: &[(&FieldSpec, Pointer)], schema: &AvroSchema) -> Result<Self> {
        let mut columns = Vec::with_capacity(fields.len());
        for (field, pointer) in fields {
            columns.push((field.column()?, pointer.clone()));
        }
        let places = Places::new(columns);
        let refuse = |reason: String| Error::misconfigured(format!("avro schema: {reason}"));
        let plan = |text: &str| {
            Schema::parse(text, &[]).and_then(|schema| Plan::new(schema, &places.tree)).map_err(refuse)
        };
        let writers = match schema {
            AvroSchema::Registry => Writers::Registry(BTreeMap::new()),
            AvroSchema::Plain(text) => {
                let plan = plan(text)?;
                let reached = plan.reached(places.tree.n_slots());
                for ((field, pointer), slot) in fields.iter().zip(places.column_slots()) {
                    if !reached[*slot] {
                        return Err(Error::misconfigured(format!(
                            "column `{}`: the avro schema has nothing at `{pointer}`: correct the pointer under `fields`",
                            field.name()
                        )));
                    }
                }
                Writers::Plain(plan)
            }
            AvroSchema::SingleObject(texts) => {
                let mut plans = Vec::with_capacity(texts.len());
                for text in texts {
                    plans.push((fingerprint::fingerprint(text).map_err(refuse)?, plan(text)?));
                }
                Writers::SingleObject(plans)
            }
        };
        Ok(Self { places, writers })
    }

    /// Decodes a datum into a row.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let (plan, datum) = match &self.writers {
            Writers::Plain(plan) => (plan, payload),
            Writers::Registry(writers) => {
                let (id, datum) = frame::split(payload)?;
                let bad = |reason, detail| Refusal::Bad(Bad { reason, detail });
                match writers.get(&id) {
                    Some(Writer::Known(plan)) => (plan, datum),
                    None => return Err(Refusal::Unresolved(id)),
                    Some(Writer::Missing) => {
                        let detail =
                            format!("expected a schema of the registry, found id {id}, which it has not");
                        return Err(bad(BadReason::UnknownSchema, detail));
                    }
                    Some(Writer::Unusable(reason)) => {
                        return Err(bad(BadReason::UnusableSchema, format!("schema {id}: {reason}")));
                    }
                }
            }
            Writers::SingleObject(plans) => single_object(plans, payload)?,
        };
        self.places.slots.begin();
        read::read(plan, datum, &mut self.places.slots).map_err(|fault| Refusal::Bad(fault.into()))?;
        self.places.push_row(datum);
        Ok(())
    }

    /// Takes a registry's answer for an id.
    pub(super) fn resolve(&mut self, id: u32, answer: &Answer) {
        let Writers::Registry(writers) = &mut self.writers else { return };
        // Ids come from records, and hostile records name many.
        if writers.len() >= MOST_WRITERS {
            writers.clear();
        }
        let writer = match answer {
            Answer::Missing => Writer::Missing,
            Answer::Schema(text) if text.kind != "AVRO" => {
                Writer::Unusable(format!("expected a schema of kind `AVRO`, found `{}`", text.kind))
            }
            Answer::Schema(text) => Schema::parse(&text.schema, &text.references)
                .and_then(|schema| Plan::new(schema, &self.places.tree))
                .map_or_else(Writer::Unusable, Writer::Known),
        };
        writers.insert(id, writer);
    }

    pub(super) fn forget_missing(&mut self) {
        if let Writers::Registry(writers) = &mut self.writers {
            writers.retain(|_, writer| !matches!(writer, Writer::Missing));
        }
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Column] {
        self.places.columns_mut()
    }
}

/// The plan of a datum in the single-object encoding: two bytes, the fingerprint in eight, the datum.
fn single_object<'a, 'b>(plans: &'a [(u64, Plan)], payload: &'b [u8]) -> Result<(&'a Plan, &'b [u8]), Bad> {
    let Some((fingerprint, datum)) = payload.strip_prefix(&[0xc3, 1]).and_then(<[u8]>::split_first_chunk)
    else {
        let detail = "expected the bytes c3 01 and a fingerprint of 8 bytes in front".to_owned();
        return Err(Bad { reason: BadReason::NotFramed, detail });
    };
    let fingerprint = u64::from_le_bytes(*fingerprint);
    let plan = plans.iter().find(|(known, _)| *known == fingerprint).map(|(_, plan)| plan);
    plan.map(|plan| (plan, datum)).ok_or_else(|| Bad {
        reason: BadReason::UnknownSchema,
        detail: format!("expected one of {} schemas, found fingerprint {fingerprint:016x}", plans.len()),
    })
}

/// How many ids are remembered; beyond that all are asked for again.
const MOST_WRITERS: usize = 4096;
