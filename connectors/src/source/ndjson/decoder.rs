//! Records to rows: the tolerant decoder of files and of the stream.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::scan::{Fault, Key, Scan, Token, unescape};
use crate::error::{Error, Result};
use crate::source::column::{Column, Json, decoded_type};
use crate::source::decoded::{BadReason, BadRecords, DecodedBatch};
use crate::source::path::{NodeId, Pointer, Tree};
use crate::source::{BatchSize, MAX_RECORD_BYTES};

/// One column to decode: its name, where its value stands in a record, and its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    name: String,
    pointer: Pointer,
    data_type: DataType,
    epoch: Option<TimeUnit>,
}

impl Selection {
    /// The value of the key `name` at the top level.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        let name = name.into();
        Self { pointer: Pointer::key(&name), name, data_type, epoch: None }
    }

    /// The same column, its value taken from elsewhere in the record.
    #[must_use]
    pub fn at(mut self, pointer: Pointer) -> Self {
        self.pointer = pointer;
        self
    }

    /// For timestamp columns: numbers count this unit since the epoch. Without it a number there is a type error,
    /// because a guess at its unit would be wrong by a factor of a thousand.
    #[must_use]
    pub fn epoch(mut self, unit: TimeUnit) -> Self {
        self.epoch = Some(unit);
        self
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A row, whose values that did not fit are null and marked.
    Row,
    /// Nothing was appended to any column.
    Bad(Fault),
}

/// Decodes records one by one into columns.
///
/// A record is scanned first and its values noted as ranges of its text; only a record that is good from end to end
/// is converted, so there is nothing to roll back and a bad record cannot touch its neighbours. Of a key that stands
/// twice the last counts, also for the object on the way to a value. A missing key is null.
///
/// ```
/// use arrow_schema::DataType;
/// use driftlead_connectors::source::ndjson::{Decoder, Outcome, Selection};
///
/// let mut decoder = Decoder::new(&[Selection::new("delay", DataType::Float64)])?;
/// assert_eq!(decoder.decode(br#"{"delay": 1.5}"#), Outcome::Row);
/// assert!(matches!(decoder.decode(br#"{"delay": 1.5"#), Outcome::Bad(_)));
/// assert_eq!(decoder.decode(br#"{"delay": "late"}"#), Outcome::Row);
/// let decoded = decoder.flush();
/// assert_eq!(decoded.batch.num_rows(), 2);
/// assert_eq!(decoded.type_error_counts(), [1]);
/// # Ok::<(), driftlead_connectors::Error>(())
/// ```
pub struct Decoder {
    schema: SchemaRef,
    tree: Tree,
    /// The slot that each column reads.
    column_slots: Vec<usize>,
    columns: Vec<Column>,
    state: State,
    scratch: String,
    rows: usize,
    bytes: usize,
}

/// What the record at hand has shown so far.
struct State {
    slots: Vec<Slot>,
    /// For each node the ordinal of the record in which it was last met, to see a key that stands twice.
    met: Vec<u64>,
    record: u64,
}

/// What a column will take from the record.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Absent,
    /// Something on the way to the value was no object.
    Unreachable,
    Found(Token),
}

impl Decoder {
    /// A decoder of these columns, in this order.
    ///
    /// # Errors
    /// Misconfigured, if two columns have one name or a type cannot be decoded from text.
    pub fn new(columns: &[Selection]) -> Result<Self> {
        let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
        let mut built = Vec::with_capacity(columns.len());
        for Selection { name, data_type, epoch, .. } in columns {
            if fields.iter().any(|field| field.name() == name) {
                return Err(Error::misconfigured(format!(
                    "column `{name}` is asked for twice: give each a name"
                )));
            }
            let column = Column::new(data_type, *epoch, BatchSize::default().rows)
                .map_err(|reason| Error::misconfigured(format!("column `{name}`: {reason}")))?;
            built.push(column);
            fields.push(Field::new(name, decoded_type(data_type), true));
        }
        let (tree, column_slots) = Tree::new(columns.iter().map(|c| &c.pointer));
        let state =
            State { slots: vec![Slot::Absent; tree.n_slots()], met: vec![0; tree.n_nodes()], record: 0 };
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            tree,
            column_slots,
            columns: built,
            state,
            scratch: String::new(),
            rows: 0,
            bytes: 0,
        })
    }

    /// The schema of the batches; strings of any encoding asked for come as `Utf8`.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows since the last flush.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the rows since the last flush reach a bound.
    pub fn is_full(&self, size: BatchSize) -> bool {
        self.rows >= size.rows || self.bytes >= size.bytes
    }

    /// Decodes one record, without its line end. Flush long before a column holds 2 GiB: see [`Decoder::is_full`].
    pub fn decode(&mut self, record: &[u8]) -> Outcome {
        if record.len() > MAX_RECORD_BYTES {
            let reason = BadReason::TooLong;
            return Outcome::Bad(Fault { reason, at: MAX_RECORD_BYTES, expected: "at most 64 MiB a record" });
        }
        let text = match std::str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => {
                let reason = BadReason::NotUtf8;
                return Outcome::Bad(Fault { reason, at: error.valid_up_to(), expected: "UTF-8" });
            }
        };
        self.state.begin();
        if let Err(fault) = self.scan(text) {
            return Outcome::Bad(fault);
        }
        self.convert(text);
        self.rows += 1;
        self.bytes += record.len();
        Outcome::Row
    }

    /// Appends a row for a record that is not there: every column null, or, where there is one that could not be read,
    /// every column a type error.
    pub(crate) fn push_missing(&mut self, unreadable: bool) {
        for column in &mut self.columns {
            if unreadable { column.push_type_error() } else { column.push_null() }
        }
        self.rows += 1;
    }

    /// Takes the rows since the last flush. Bad records are the caller's to count: there are none in the answer.
    ///
    /// # Panics
    /// Never: the columns grow together and have the types of the schema.
    pub fn flush(&mut self) -> DecodedBatch {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let (arrays, type_errors) = self.columns.iter_mut().map(Column::finish).unzip();
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .expect("every row was appended to every column, in the types of the schema");
        (self.rows, self.bytes) = (0, 0);
        DecodedBatch { batch, type_errors, bad_records: BadRecords::default() }
    }

    fn scan(&mut self, text: &str) -> std::result::Result<(), Fault> {
        let mut scan = Scan::new(text);
        scan.open_record()?;
        object(&mut self.tree, &mut self.state, &mut scan, 0, 1)?;
        scan.close_record()
    }

    fn convert(&mut self, record: &str) {
        for (column, &slot) in self.columns.iter_mut().zip(&self.column_slots) {
            let token = match self.state.slots[slot] {
                Slot::Absent => {
                    column.push_null();
                    continue;
                }
                Slot::Unreachable => {
                    column.push_type_error();
                    continue;
                }
                Slot::Found(token) => token,
            };
            column.push_json(match token {
                Token::Null => Json::Null,
                Token::Bool(value) => Json::Bool(value),
                Token::Number(span) => Json::Number(span.of(record)),
                Token::NonFinite(value) => Json::NonFinite(value),
                Token::Text(span) => Json::Text(span.of(record)),
                Token::Array(span) => Json::Array(span.of(record)),
                Token::Object => Json::Object,
                Token::Escaped(span) => {
                    self.scratch.clear();
                    if !unescape(span.of(record), &mut self.scratch) {
                        column.push_type_error();
                        continue;
                    }
                    Json::Text(&self.scratch)
                }
            });
        }
    }
}

impl State {
    fn begin(&mut self) {
        self.slots.fill(Slot::Absent);
        self.record += 1;
    }

    /// Notes that the value of `node` begins, and forgets what an earlier value of the same key has left.
    fn meet(&mut self, tree: &Tree, node: NodeId) {
        let met = &mut self.met[node as usize];
        if *met == self.record {
            self.slots[tree.below(node)].fill(Slot::Absent);
        }
        *met = self.record;
    }
}

/// Passes the members of an object just entered, `depth` levels deep.
fn object(
    tree: &mut Tree,
    state: &mut State,
    scan: &mut Scan<'_>,
    node: NodeId,
    depth: u32,
) -> std::result::Result<(), Fault> {
    let mut key = scan.first_key()?;
    let mut position = 0;
    while let Some(Key { text, escaped }) = key {
        let child =
            if escaped { escaped_child(tree, node, text) } else { tree.child_at(node, position, text) };
        match child {
            None => {
                scan.value(depth)?;
            }
            Some(child) => value(tree, state, scan, child, depth)?,
        }
        position += 1;
        key = scan.next_key()?;
    }
    Ok(())
}

/// Passes a value that a column reads or that lies on the way to one.
fn value(
    tree: &mut Tree,
    state: &mut State,
    scan: &mut Scan<'_>,
    node: NodeId,
    depth: u32,
) -> std::result::Result<(), Fault> {
    state.meet(tree, node);
    let token = match scan.peek() {
        Some(b'{') if tree.has_children(node) => {
            scan.enter(depth)?;
            object(tree, state, scan, node, depth + 1)?;
            Token::Object
        }
        Some(b'[') if tree.has_children(node) => {
            let start = scan.enter(depth)?;
            array(tree, state, scan, node, depth + 1)?;
            Token::Array(scan.span_from(start))
        }
        _ => {
            let token = scan.value(depth)?;
            if tree.has_children(node) && token != Token::Null {
                state.slots[tree.below(node)].fill(Slot::Unreachable);
            }
            token
        }
    };
    if let Some(slot) = tree.slot(node) {
        state.slots[slot] = Slot::Found(token);
    }
    Ok(())
}

/// Passes the items of an array just entered; an item's key is its index in decimal.
fn array(
    tree: &mut Tree,
    state: &mut State,
    scan: &mut Scan<'_>,
    node: NodeId,
    depth: u32,
) -> std::result::Result<(), Fault> {
    let mut more = scan.first_item();
    let mut index = 0_usize;
    while more {
        match tree.child(node, index.to_string().as_bytes()) {
            None => {
                scan.value(depth)?;
            }
            Some(child) => value(tree, state, scan, child, depth)?,
        }
        index += 1;
        more = scan.next_item()?;
    }
    Ok(())
}

#[cold]
fn escaped_child(tree: &Tree, node: NodeId, key: &[u8]) -> Option<NodeId> {
    let mut plain = String::new();
    let whole = unescape(std::str::from_utf8(key).ok()?, &mut plain);
    whole.then(|| tree.child(node, plain.as_bytes())).flatten()
}
