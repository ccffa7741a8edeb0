//! Temporary until connectors::tabular is merged.
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use driftlead_connectors::{Error, ErrorKind, Result};
#[derive(Debug)]
pub(super) struct Prepare {
    schema: SchemaRef,
}
pub(super) struct Prepared {
    pub(super) batch: RecordBatch,
    pub(super) excluded: u64,
}
impl Prepare {
    pub(super) fn new(_: Option<&str>, _: &[(String, String)], _: &Schema) -> Result<Self> {
        Err(Error::new(ErrorKind::Misconfigured, "SQL is not merged yet"))
    }
    pub(super) fn input_columns(&self) -> &[String] {
        &[]
    }
    pub(super) fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<Prepared> {
        Ok(Prepared { batch: batch.clone(), excluded: 0 })
    }
}
