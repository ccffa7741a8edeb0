//! What is checked of an Arrow IPC stream before the `arrow-ipc` crate may read it.
//!
//! That crate slices a body by the ranges that a message states, which panics if they reach beyond it, and allocates what
//! a compressed buffer claims to hold, which ends the process if it is absurd. Its own checks come after. So all ranges
//! and claims are checked here first, and by [`Layout`] that they fit the schema. Source: "Encapsulated message format" and
//! "Buffer compression" of the Arrow columnar format.

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::{Message, MessageHeader, RecordBatch, root_as_message};
use arrow_schema::{DataType, Schema};

use super::layout::Layout;
use crate::decode::decoder::Bad;
use crate::source::BadReason;

/// Checks every message of a stream.
pub(super) fn check(stream: &[u8]) -> Result<(), Bad> {
    let (mut rest, mut claimed, mut rows) = (stream, 0, 0);
    let mut schema: Option<Schema> = None;
    while let Some((metadata, body_from)) = message(rest)? {
        let message = root_as_message(metadata)
            .map_err(|_| bad("expected the metadata of an arrow message, found something else"))?;
        let body_length = usize::try_from(message.bodyLength()).ok();
        let body = body_length.and_then(|length| body_from.get(..length)).ok_or_else(cut)?;
        match (message.header_type(), &schema) {
            (MessageHeader::Schema, None) => {
                let found = message.header_as_schema().and_then(|found| try_fb_to_schema(found).ok());
                schema = Some(found.ok_or_else(|| bad("expected a schema that this version can read"))?);
            }
            (MessageHeader::RecordBatch | MessageHeader::DictionaryBatch, Some(schema)) => {
                let batch = batch(&message).ok_or_else(|| bad("expected the header of a batch"))?;
                let buffers = check_batch(&batch, body)?;
                claimed = buffers.iter().fold(claimed, |sum: i64, bytes| sum.saturating_add(*bytes));
                fits(&message, &batch, schema, &buffers)
                    .ok_or_else(|| bad("expected buffers that fit the schema"))?;
                rows += batch.length();
                if claimed > MOST_BYTES || rows > MOST_ROWS {
                    return Err(Bad {
                        reason: BadReason::TooLong,
                        detail: format!(
                            "expected at most {MOST_ROWS} rows and {MOST_BYTES} bytes in a record once it is decompressed"
                        ),
                    });
                }
            }
            _ => return Err(bad("expected a schema, then batches")),
        }
        rest = &body_from[body.len()..];
    }
    if schema.is_some() { Ok(()) } else { Err(cut()) }
}

/// A message's metadata and what follows it.
type Parts<'a> = (&'a [u8], &'a [u8]);

/// The next message; `None` at the end.
fn message(stream: &[u8]) -> Result<Option<Parts<'_>>, Bad> {
    let number = |bytes: &[u8]| bytes.first_chunk::<4>().map(|chunk| u32::from_le_bytes(*chunk));
    let rest = match number(stream) {
        Some(u32::MAX) => &stream[4..],
        _ => stream,
    };
    let length = match number(rest) {
        None if rest.is_empty() && stream.is_empty() => return Ok(None),
        None => return Err(cut()),
        Some(0) if rest.len() > 4 => {
            let detail = "expected the end of the record after the end of the stream".to_owned();
            return Err(Bad { reason: BadReason::TrailingData, detail });
        }
        Some(0) => return Ok(None),
        Some(length) => length as usize,
    };
    let rest = &rest[4..];
    rest.split_at_checked(length).map(Some).ok_or_else(cut)
}

fn batch<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        _ => message.header_as_dictionary_batch()?.data(),
    }
}

/// Whether the nodes and buffers are those of the schema, or of the dictionary's values.
fn fits(message: &Message<'_>, batch: &RecordBatch<'_>, schema: &Schema, buffers: &[i64]) -> Option<()> {
    let mut layout = Layout {
        nodes: &mut batch.nodes()?.iter(),
        buffers: &mut buffers.iter().copied(),
        variadic: &mut batch.variadicBufferCounts().into_iter().flatten(),
        version: message.version(),
    };
    let Some(dictionary) = message.header_as_dictionary_batch() else {
        return schema.fields().iter().try_for_each(|field| layout.pass(field.data_type()));
    };
    #[expect(deprecated, reason = "the ids of dictionaries stand nowhere else")]
    let fields = schema.fields_with_dict_id(dictionary.id());
    match fields.first()?.data_type() {
        DataType::Dictionary(_, values) => layout.pass(values),
        _ => None,
    }
}

/// Checks one batch; answers how many bytes each buffer holds once it is decompressed.
fn check_batch(batch: &RecordBatch<'_>, body: &[u8]) -> Result<Vec<i64>, Bad> {
    let count = |value: i64| (0..=MOST_VALUES).contains(&value);
    let nodes = batch.nodes().into_iter().flatten();
    for (length, nulls) in nodes.map(|node| (node.length(), node.null_count())) {
        if !count(length) || !count(nulls) || nulls > length {
            return Err(bad("expected lengths that the bytes can hold"));
        }
    }
    if !count(batch.length()) {
        return Err(bad("expected lengths that the bytes can hold"));
    }
    let mut held = Vec::new();
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let bytes = range
            .and_then(|(offset, length)| body.get(offset..offset.checked_add(length)?))
            .ok_or_else(|| bad("expected buffers within the message's body"))?;
        held.push(match batch.compression() {
            Some(_) if !bytes.is_empty() => {
                let claim = bytes.first_chunk::<8>().map(|claim| i64::from_le_bytes(*claim));
                match claim.ok_or_else(|| bad("expected a compressed buffer to state its length"))? {
                    -1 => bytes.len() as i64 - 8,
                    claim if (0..=MOST_BYTES).contains(&claim) => claim,
                    _ => return Err(bad("expected a compressed buffer of a size that memory can hold")),
                }
            }
            _ => bytes.len() as i64,
        });
    }
    Ok(held)
}

fn bad(detail: &str) -> Bad {
    Bad { reason: BadReason::NotArrow, detail: detail.to_owned() }
}

fn cut() -> Bad {
    Bad {
        reason: BadReason::Truncated,
        detail: "expected a whole arrow stream, found its beginning".to_owned(),
    }
}

/// The most rows of a record, over all its batches and dictionaries.
pub(super) const MOST_ROWS: i64 = 1 << 20;
/// The most values of one array inside of a batch.
const MOST_VALUES: i64 = 1 << 28;
/// The most bytes of a record once it is decompressed.
pub(super) const MOST_BYTES: i64 = 256 << 20;
