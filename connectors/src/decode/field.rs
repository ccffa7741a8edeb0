//! What to decode: columns, and where in a record each stands.

use arrow_schema::{DataType, TimeUnit};

use crate::error::{Error, Result};
use crate::source::BatchSize;
use crate::source::column::Column;
use crate::source::ndjson::Pointer;

/// Where in a record a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the payload's object, record or message. Fields of nested ones, keys of maps and indices of lists are
    /// steps on the way; unions and nulls on the way are passed through. In Arrow and CSV the first step is a column.
    Payload(Pointer),
    /// The whole key as text (`None`), or a value inside a key that is a JSON object.
    Key(Option<Pointer>),
    /// The last header of this name, as text.
    Header(String),
    /// The record's own timestamp.
    RecordTimestamp,
}

/// One column to decode: its name, its type, and where its values stand.
///
/// Texts without a type, which are headers, whole keys and CSV fields, are read as the column's type. All other values
/// must be of the type's family (SEMANTICS S4); what is not there is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    name: String,
    data_type: DataType,
    place: Place,
    epoch: Option<TimeUnit>,
}

impl FieldSpec {
    /// The column `name` of this type, from the key, field or column of the same name at the payload's top level.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        let name = name.into();
        Self { place: Place::Payload(Pointer::key(&name)), name, data_type, epoch: None }
    }

    /// The same column from elsewhere.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// For timestamp columns: bare numbers count this unit since the epoch. Without it they are type errors. Values whose
    /// format says that they are times need none.
    #[must_use]
    pub fn epoch(mut self, unit: TimeUnit) -> Self {
        self.epoch = Some(unit);
        self
    }

    /// The column's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type asked for.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Where its values stand.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The unit of bare numbers.
    #[must_use]
    pub fn epoch_unit(&self) -> Option<TimeUnit> {
        self.epoch
    }

    pub(super) fn column(&self) -> Result<Column> {
        Column::new(&self.data_type, self.epoch, BatchSize::default().rows)
            .map_err(|reason| Error::misconfigured(format!("column `{}`: {reason}", self.name)))
    }
}
