//! Whether the buffers of a batch can be those of its schema.
//!
//! `arrow-ipc` looks at offsets, keys and views as numbers before it has checked that their bytes are a whole number of
//! them, and at the parts of unions before it has checked that they are long enough; either panics. The order of nodes
//! and buffers is that of "Recursive flattening" in the Arrow columnar format.

use arrow_ipc::{FieldNode, MetadataVersion};
use arrow_schema::{DataType, FieldRef, UnionMode};

/// What a message says of its batch, still to be matched with fields.
pub(super) struct Layout<'a> {
    pub(super) nodes: &'a mut dyn Iterator<Item = &'a FieldNode>,
    /// Bytes of each buffer once it is decompressed.
    pub(super) buffers: &'a mut dyn Iterator<Item = i64>,
    /// How many buffers of text each column of views has.
    pub(super) variadic: &'a mut dyn Iterator<Item = i64>,
    pub(super) version: MetadataVersion,
}

impl Layout<'_> {
    /// Passes the nodes and buffers of one field; `None` if they are not there or do not fit.
    pub(super) fn pass(&mut self, data_type: &DataType) -> Option<()> {
        use DataType as T;

        let length = self.nodes.next()?.length();
        match data_type {
            T::Null => Some(()),
            T::Utf8 | T::Binary => self.buffers([1, 4, 1]),
            T::LargeUtf8 | T::LargeBinary => self.buffers([1, 8, 1]),
            T::Utf8View | T::BinaryView => {
                self.buffers([1, 16])?;
                // A wild count runs out of buffers.
                (0..self.variadic.next()?).try_for_each(|_| self.buffers([1]))
            }
            T::Boolean | T::FixedSizeBinary(_) => self.buffers([1, 1]),
            T::List(items) | T::Map(items, _) => self.buffers([1, 4]).and_then(|()| self.child(items)),
            T::LargeList(items) => self.buffers([1, 8]).and_then(|()| self.child(items)),
            T::ListView(items) => self.buffers([1, 4, 4]).and_then(|()| self.child(items)),
            T::LargeListView(items) => self.buffers([1, 8, 8]).and_then(|()| self.child(items)),
            T::FixedSizeList(items, _) => self.buffers([1]).and_then(|()| self.child(items)),
            T::Struct(fields) => {
                self.buffers([1])?;
                fields.iter().try_for_each(|field| self.child(field))
            }
            T::RunEndEncoded(ends, values) => self.child(ends).and_then(|()| self.child(values)),
            T::Dictionary(key, _) => self.buffers([1, key.primitive_width()? as i64]),
            T::Union(fields, mode) => {
                if self.version < MetadataVersion::V5 {
                    self.buffers([1])?;
                }
                self.at_least(1, length)?;
                if *mode == UnionMode::Dense {
                    self.at_least(4, length)?;
                }
                fields.iter().try_for_each(|(_, field)| self.child(field))
            }
            other => self.buffers([1, other.primitive_width()? as i64]),
        }
    }

    fn child(&mut self, field: &FieldRef) -> Option<()> {
        self.pass(field.data_type())
    }

    /// Passes buffers of items of these widths.
    fn buffers<const N: usize>(&mut self, widths: [i64; N]) -> Option<()> {
        widths.iter().try_for_each(|width| (self.buffers.next()? % width == 0).then_some(()))
    }

    /// Passes a buffer of at least `length` items.
    fn at_least(&mut self, width: i64, length: i64) -> Option<()> {
        let bytes = self.buffers.next()?;
        (bytes % width == 0 && bytes / width >= length).then_some(())
    }
}
