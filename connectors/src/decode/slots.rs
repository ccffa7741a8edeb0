//! What the record at hand holds for each wanted place, until the whole record has proved good.
//!
//! A record is read into slots, and only a record that is good from end to end moves from there into the columns: there
//! is nothing to roll back, and a bad record cannot touch its neighbours. Slots hold numbers as they are and texts as
//! ranges of the record, so nothing is allocated per record.

use std::ops::Range;

use arrow_schema::TimeUnit;

use crate::source::column::{Column, Ticks, Value};
use crate::source::ndjson::Pointer;
use crate::source::path::Tree;

/// What one place holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// Nothing, or null.
    Empty,
    /// Something on the way to the place cannot have anything below it.
    Unreachable,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Single(f32),
    Double(f64),
    Decimal(i128, i32),
    Days(i64),
    Time(Ticks),
    /// Seconds and nanoseconds since the epoch, as they are written.
    Moment(i64, i32),
    /// A range of the record.
    Text(u32, u32),
    /// A range of the record.
    Bytes(u32, u32),
    /// A range of [`Slots::made`].
    Made(u32, u32),
    /// The numbers in this slot's list.
    Floats,
    /// A value that no column can take.
    Other,
}

/// The slots of one record.
pub(super) struct Slots {
    values: Vec<Slot>,
    /// The numbers of each slot that holds a list.
    lists: Vec<Vec<Option<f64>>>,
    /// Texts that do not stand in the record, such as the symbols of enums.
    made: String,
}

impl Slots {
    fn new(n_slots: usize) -> Self {
        let lists = (0..n_slots).map(|_| Vec::new()).collect();
        Self { values: vec![Slot::Empty; n_slots], lists, made: String::new() }
    }

    /// Begins a record.
    pub(super) fn begin(&mut self) {
        self.values.fill(Slot::Empty);
        self.made.clear();
    }

    #[inline]
    pub(super) fn set(&mut self, slot: usize, value: Slot) {
        self.values[slot] = value;
    }

    pub(super) fn fill(&mut self, slots: Range<usize>, value: Slot) {
        self.values[slots].fill(value);
    }

    /// Begins a list in a slot.
    pub(super) fn begin_list(&mut self, slot: usize) -> &mut Vec<Option<f64>> {
        self.values[slot] = Slot::Floats;
        let list = &mut self.lists[slot];
        list.clear();
        list
    }

    pub(super) fn of(&self, slot: usize) -> Slot {
        self.values[slot]
    }

    /// The list of a slot, goes on where it was, or begins if the slot held none.
    pub(super) fn list(&mut self, slot: usize) -> &mut Vec<Option<f64>> {
        if matches!(self.values[slot], Slot::Floats) { &mut self.lists[slot] } else { self.begin_list(slot) }
    }

    /// Puts a text that does not stand in the record.
    pub(super) fn set_made(&mut self, slot: usize, write: impl FnOnce(&mut String)) {
        let start = self.made.len() as u32;
        write(&mut self.made);
        self.values[slot] = Slot::Made(start, self.made.len() as u32);
    }

    /// The value of a slot; a text that is not UTF-8 fits no column.
    #[inline]
    fn value<'a>(&'a self, slot: usize, record: &'a [u8]) -> Value<'a> {
        match self.values[slot] {
            Slot::Empty => Value::Null,
            Slot::Unreachable | Slot::Other => Value::Other,
            Slot::Bool(value) => Value::Bool(value),
            Slot::Int(value) => Value::Int(value),
            Slot::UInt(value) => Value::UInt(value),
            Slot::Single(value) => Value::Single(value),
            Slot::Double(value) => Value::Double(value),
            Slot::Decimal(unscaled, scale) => Value::Decimal { unscaled, scale },
            Slot::Days(days) => Value::Days(days),
            Slot::Time(ticks) => Value::Time(ticks),
            Slot::Moment(count, nanos) => match u32::try_from(nanos) {
                Ok(nanos) if nanos < 1_000_000_000 => {
                    Value::Time(Ticks { count, unit: TimeUnit::Second, nanos })
                }
                _ => Value::Other,
            },
            Slot::Text(start, end) => match std::str::from_utf8(&record[start as usize..end as usize]) {
                Ok(text) => Value::Text(text),
                Err(_) => Value::Other,
            },
            Slot::Bytes(start, end) => Value::Bytes(&record[start as usize..end as usize]),
            Slot::Made(start, end) => Value::Text(&self.made[start as usize..end as usize]),
            Slot::Floats => Value::Floats(&self.lists[slot]),
        }
    }
}

/// The columns of a payload whose values come by way of slots, and the tree of the places they come from.
pub(super) struct Places {
    pub(super) tree: Tree,
    pub(super) slots: Slots,
    /// The slot that each column reads.
    column_slots: Vec<usize>,
    columns: Vec<Column>,
}

impl Places {
    /// Pairs each column with its place.
    pub(super) fn new(columns: Vec<(Column, Pointer)>) -> Self {
        let (tree, column_slots) = Tree::new(columns.iter().map(|(_, pointer)| pointer));
        let slots = Slots::new(tree.n_slots());
        Self { tree, slots, column_slots, columns: columns.into_iter().map(|(column, _)| column).collect() }
    }

    /// Appends a row of what the slots hold; texts stand in `record`.
    #[inline]
    pub(super) fn push_row(&mut self, record: &[u8]) {
        for (column, &slot) in self.columns.iter_mut().zip(&self.column_slots) {
            column.push_value(self.slots.value(slot, record));
        }
    }

    /// The slot of each column.
    pub(super) fn column_slots(&self) -> &[usize] {
        &self.column_slots
    }

    pub(super) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }
}
