//! Arrow IPC: the file format (Feather V2, with a footer) and the stream format.
//!
//! Columns are projected before they are decoded. Dictionaries may be replaced or grow by deltas between batches.
//! Batches are cut to the bound without copying. Values carry their types, so there are no type errors.

use std::io::{BufReader, Chain, Cursor, Read, Seek, SeekFrom};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, FileReaderBuilder, StreamReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use super::{BatchSize, DecodedBatch};
use crate::error::{Error, ErrorKind, Result};
use crate::suggest;

/// The batches of an Arrow file or stream.
///
/// Iteration ends with the input or after the first error.
pub struct Reader<'a> {
    batches: Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send + 'a>,
    schema: SchemaRef,
    label: String,
    size: BatchSize,
    /// What is left of the last batch read.
    rest: Option<RecordBatch>,
    read: u64,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Opens a file of either format; `columns` names those to read, in the order of the file, or all if `None`.
    ///
    /// # Errors
    /// Misconfigured, if a column is not in the schema; Malformed, if the input is neither format or is cut off;
    /// Unavailable, if reading fails.
    pub fn open(
        mut read: impl Read + Seek + Send + 'a,
        label: &str,
        columns: Option<&[String]>,
        size: BatchSize,
    ) -> Result<Self> {
        let start = read.stream_position().map_err(|error| unreadable(label, error))?;
        let mut magic = [0; 6];
        let is_file = match read.read_exact(&mut magic) {
            Ok(()) => &magic == b"ARROW1",
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(unreadable(label, error)),
        };
        let rewind = |read: &mut dyn Seek| {
            read.seek(SeekFrom::Start(start)).map(drop).map_err(|error| unreadable(label, error))
        };
        rewind(&mut read)?;
        if !is_file {
            return Self::stream(read, label, columns, size);
        }

        let refuse = |error| {
            let message =
                format!("`{label}`: expected an Arrow file with a footer: it may be cut off, copy it again");
            failed(message, error)
        };
        let schema = FileReader::try_new(BufReader::new(&mut read), None).map_err(refuse)?.schema();
        rewind(&mut read)?;
        let mut builder = FileReaderBuilder::new();
        if let Some(projection) = projection(&schema, label, columns)? {
            builder = builder.with_projection(projection);
        }
        let file = builder.build(BufReader::new(read)).map_err(refuse)?;
        let schema = file.schema();
        Ok(Self::new(Box::new(file), schema, label, size))
    }

    /// Opens the stream format, which needs no seeking; see [`Reader::open`].
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub fn stream(
        read: impl Read + Send + 'a,
        label: &str,
        columns: Option<&[String]>,
        size: BatchSize,
    ) -> Result<Self> {
        let refuse =
            |error| failed(format!("`{label}`: expected an Arrow stream that begins with a schema"), error);
        let mut begun = Recorded { read: BufReader::new(read), bytes: Vec::new() };
        let schema = StreamReader::try_new(&mut begun, None).map_err(refuse)?.schema();
        let projection = projection(&schema, label, columns)?;
        let stream = StreamReader::try_new(begun.again(), projection).map_err(refuse)?;
        let schema = stream.schema();
        Ok(Self::new(Box::new(stream), schema, label, size))
    }

    fn new(
        batches: Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send + 'a>,
        schema: SchemaRef,
        label: &str,
        size: BatchSize,
    ) -> Self {
        Self { batches, schema, label: label.to_owned(), size, rest: None, read: 0, ended: false }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<DecodedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let Some(rest) = self.rest.take() {
                let rows = self.size.rows.clamp(1, rest.num_rows());
                if rows < rest.num_rows() {
                    self.rest = Some(rest.slice(rows, rest.num_rows() - rows));
                }
                return Some(Ok(DecodedBatch::typed(rest.slice(0, rows))));
            }
            match self.batches.next() {
                None => self.ended = true,
                Some(Ok(batch)) => {
                    self.read += 1;
                    self.rest = (batch.num_rows() > 0).then_some(batch);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    let message = format!(
                        "`{}`: batch {} cannot be read: the file may be cut off or damaged, copy it again",
                        self.label,
                        self.read + 1
                    );
                    return Some(Err(failed(message, error)));
                }
            }
        }
        None
    }
}

/// Keeps the bytes that were read, so that they can be read again.
struct Recorded<R> {
    read: R,
    bytes: Vec<u8>,
}

impl<R: Read> Recorded<R> {
    fn again(self) -> Chain<Cursor<Vec<u8>>, R> {
        Cursor::new(self.bytes).chain(self.read)
    }
}

impl<R: Read> Read for Recorded<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.read.read(out)?;
        self.bytes.extend_from_slice(&out[..n]);
        Ok(n)
    }
}

/// The positions of `columns`, in the order of the file.
fn projection(schema: &Schema, label: &str, columns: Option<&[String]>) -> Result<Option<Vec<usize>>> {
    let Some(columns) = columns else { return Ok(None) };
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let mut positions = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(position) = names().position(|name| name == column) else {
            let advice = suggest::phrase(&suggest::candidates(column, names()), names());
            return Err(Error::misconfigured(format!("`{label}`: no column `{column}`: {advice}")));
        };
        positions.push(position);
    }
    positions.sort_unstable();
    positions.dedup();
    Ok(Some(positions))
}

fn failed(message: String, error: ArrowError) -> Error {
    use std::io::ErrorKind as Io;

    // A footer that is not there also shows as a seek to before the start.
    let of_the_data = |kind: Io| matches!(kind, Io::UnexpectedEof | Io::InvalidInput | Io::InvalidData);
    let kind = match &error {
        ArrowError::IoError(_, io) if !of_the_data(io.kind()) => ErrorKind::Unavailable,
        _ => ErrorKind::Malformed,
    };
    Error::new(kind, message).with_source(error)
}

fn unreadable(label: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot read `{label}`")).with_source(error)
}
