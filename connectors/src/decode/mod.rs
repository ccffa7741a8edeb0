//! Records of a stream to columns: tolerant record by record and field by field.
//!
//! A [`RecordDecoder`] fills one set of columns from the payloads, keys, headers and timestamps of records. A record is
//! read to its end before anything is appended, so a bad one leaves no trace and cannot spoil what follows. A value that
//! does not fit its column (SEMANTICS S4) is null and marked as a type error, which the engine counts (S3a); the row
//! stays. What can be wrong with a record as a whole is a [`BadReason`], for the dead letters of S17.
//!
//! Lengths in the bytes are never believed: nothing is allocated by them, and no loop runs longer than the bytes last.

mod arrow;
mod avro;
mod csv;
mod decoder;
mod field;
mod frame;
mod json;
mod protobuf;
mod registry;
mod slots;
#[cfg(test)]
mod tests;
mod wire;

pub use self::decoder::{Bad, Outcome, RecordDecoder};
pub use self::field::{FieldSpec, Place};
pub use self::registry::{Answer, Auth, BlockingRegistry, Headers, Registry, RegistryOptions, SchemaText};
pub use crate::source::ndjson::Pointer;
pub use crate::source::{BadReason, BatchSize, DecodedBatch};

/// How the payloads of a stream are written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a record, read as by [`crate::source::ndjson`]. The envelope of Kafka Connect is a matter of
    /// pointers: `/payload/delay`.
    Json {
        /// What stands in front of the object.
        framing: Framing,
    },
    /// One Avro datum a record.
    Avro(AvroSchema),
    /// One Protobuf message a record.
    Protobuf(ProtobufMessage),
    /// One Arrow IPC stream a record: a schema and any number of batches, whose rows become rows.
    Arrow,
    /// One CSV line a record, or several, which become as many rows.
    Csv(CsvFormat),
}

/// What a serialiser writes in front of each payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Nothing.
    #[default]
    Plain,
    /// The wire format of schema registries: a zero byte and the schema's id in four bytes.
    Registry,
}

/// Where the schema comes from by which a datum was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AvroSchema {
    /// Each record names its schema by a registry's id, in the wire format that Confluent defined. Decoding answers
    /// [`Outcome::Unresolved`] for an id not yet known.
    Registry,
    /// All records are written by this schema, as JSON text.
    Plain(String),
    /// Records are in the single-object encoding, by one of these schemas, which are known by their fingerprint
    /// (CRC-64-AVRO). A record by another schema is a bad record.
    SingleObject(Vec<String>),
}

/// The message that a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtobufMessage {
    /// A `FileDescriptorSet`, as `protoc --include_imports --descriptor_set_out` writes it.
    pub descriptors: Vec<u8>,
    /// The message's full name, such as `shop.v1.Order`.
    pub name: String,
    /// With [`Framing::Registry`] the id is followed by the position of the message in its file.
    pub framing: Framing,
    /// The position that the framing must show; by default that of the message in its descriptor. Records of another
    /// message are bad ones, because wire types alone do not tell messages apart.
    pub index: Option<Vec<i32>>,
}

/// How CSV records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// The names of the fields, in their order; records have no header.
    pub header: Vec<String>,
    /// The byte between fields.
    pub delimiter: u8,
    /// The byte around fields that hold delimiters, line ends or quotes; doubled inside.
    pub quote: u8,
    /// Fields that are null, compared byte for byte.
    pub null_values: Vec<String>,
}

impl CsvFormat {
    /// Comma, `"`, and only the empty field is null.
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            delimiter: b',',
            quote: b'"',
            null_values: vec![String::new()],
        }
    }
}
