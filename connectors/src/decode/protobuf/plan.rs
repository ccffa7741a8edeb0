//! What to do with a message: which fields go to which slots. All others are passed over by their wire type.

use std::ops::Range;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::error::{Error, Result};
use crate::source::path::{NodeId, Tree};
use crate::suggest;

/// The messages on the way to the columns' values; the first is the record's.
pub(super) struct Plan {
    pub(super) messages: Vec<Message>,
}

/// One message at one place.
pub(super) struct Message {
    /// Sorted by number.
    pub(super) fields: Vec<Field>,
    /// What fields without presence hold where they are not written.
    pub(super) defaults: Vec<(usize, Scalar)>,
}

/// A field that is read, or that says that another one of its `oneof` is not set.
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) step: Step,
    /// What the other fields of its `oneof` have left.
    pub(super) clears: Vec<Left>,
}

/// The slots and the messages of a field.
#[derive(Clone)]
pub(super) struct Left {
    pub(super) slots: Range<usize>,
    pub(super) messages: Range<usize>,
}

/// What to do with a field's value.
pub(super) enum Step {
    Skip,
    Scalar {
        slot: Option<usize>,
        scalar: Scalar,
        /// Where parts of it were wanted, which it has not.
        below: Range<usize>,
    },
    /// Repeated numbers, packed or not.
    Numbers {
        slot: usize,
        scalar: Scalar,
    },
    /// `google.protobuf.Timestamp`.
    Time {
        slot: usize,
    },
    Message {
        slot: Option<usize>,
        id: usize,
    },
    /// Some values of a map by their keys.
    Map {
        slot: Option<usize>,
        key: Scalar,
        /// Each with the message that reads the entry.
        wanted: Vec<(Box<str>, Left)>,
    },
    /// A value that no column can take.
    Other {
        slot: usize,
    },
}

/// The type of a value without parts.
#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    SInt64,
    Fixed32,
    Fixed64,
    SFixed32,
    SFixed64,
    Bool,
    String,
    Bytes,
    /// The names of the numbers, sorted, and the number that stands for none.
    Enum(Vec<(i32, String)>, i32),
}

impl Scalar {
    fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Double => Self::Double,
            Kind::Float => Self::Float,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::UInt32,
            Kind::Uint64 => Self::UInt64,
            Kind::Sint32 => Self::SInt32,
            Kind::Sint64 => Self::SInt64,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Sfixed32 => Self::SFixed32,
            Kind::Sfixed64 => Self::SFixed64,
            Kind::Bool => Self::Bool,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Enum(descriptor) => Self::names(descriptor),
            Kind::Message(_) => return None,
        })
    }

    fn names(descriptor: &EnumDescriptor) -> Self {
        let mut names: Vec<_> =
            descriptor.values().map(|value| (value.number(), value.name().to_owned())).collect();
        // Of aliases the first one declared counts.
        names.sort_by_key(|(number, _)| *number);
        names.dedup_by_key(|(number, _)| *number);
        Self::Enum(names, descriptor.default_value().number())
    }

    pub(super) fn is_number(&self) -> bool {
        !matches!(self, Self::Bool | Self::String | Self::Bytes | Self::Enum(..))
    }
}

impl Plan {
    /// The plan that takes from a message what the tree has slots for.
    ///
    /// # Errors
    /// Misconfigured, if a pointer names no field.
    pub(super) fn new(descriptor: &MessageDescriptor, tree: &Tree) -> Result<Self> {
        let mut compiler = Compiler { tree, messages: Vec::new() };
        compiler.message(descriptor, 0)?;
        Ok(Self { messages: compiler.messages })
    }
}

struct Compiler<'a> {
    tree: &'a Tree,
    messages: Vec<Message>,
}

impl Compiler<'_> {
    fn begin(&mut self) -> usize {
        self.messages.push(Message { fields: Vec::new(), defaults: Vec::new() });
        self.messages.len() - 1
    }

    /// Ends, because every message on the way uses up a key of a pointer.
    fn message(&mut self, descriptor: &MessageDescriptor, node: NodeId) -> Result<usize> {
        let id = self.begin();
        let children: Vec<(Vec<u8>, NodeId)> =
            self.tree.children(node).map(|(key, child)| (key.to_vec(), child)).collect();
        let mut fields: Vec<(FieldDescriptor, Field, Left)> = Vec::with_capacity(children.len());
        for (key, child) in children {
            let key = String::from_utf8_lossy(&key);
            let found =
                descriptor.get_field_by_name(&key).or_else(|| descriptor.get_field_by_json_name(&key));
            let Some(field) = found else { return Err(no_field(descriptor, &key)) };
            let first = self.messages.len();
            let step = self.step(&field, child)?;
            let left = Left { slots: self.slots(child), messages: first..self.messages.len() };
            if let Step::Scalar { slot: Some(slot), scalar, .. } = &step
                && !field.supports_presence()
            {
                self.messages[id].defaults.push((*slot, scalar.clone()));
            }
            fields.push((field.clone(), Field { number: field.number(), step, clears: Vec::new() }, left));
        }
        self.exclude(&mut fields);
        let mut fields: Vec<Field> = fields.into_iter().map(|(_, field, _)| field).collect();
        fields.sort_by_key(|field| field.number);
        self.messages[id].fields = fields;
        Ok(id)
    }

    /// Lets each field of a `oneof` clear the others that are read; those that are not read get a step for it.
    fn exclude(&self, fields: &mut Vec<(FieldDescriptor, Field, Left)>) {
        let nothing = Left { slots: 0..0, messages: 0..0 };
        for at in 0..fields.len() {
            let Some(oneof) = fields[at].0.containing_oneof() else { continue };
            for other in oneof.fields() {
                let place = match fields.iter().position(|(field, ..)| *field == other) {
                    Some(place) => place,
                    None => {
                        let number = other.number();
                        let field = Field { number, step: Step::Skip, clears: Vec::new() };
                        fields.push((other, field, nothing.clone()));
                        fields.len() - 1
                    }
                };
                if place != at {
                    let left = fields[at].2.clone();
                    fields[place].1.clears.push(left);
                }
            }
        }
    }

    /// The slots of a node and those below it.
    fn slots(&self, node: NodeId) -> Range<usize> {
        let below = self.tree.below(node);
        self.tree.slot(node).unwrap_or(below.start)..below.end
    }

    fn step(&mut self, field: &FieldDescriptor, node: NodeId) -> Result<Step> {
        let slot = self.tree.slot(node);
        let below = self.tree.below(node);
        let kind = field.kind();
        if field.is_map() {
            return self.map(field, node);
        }
        if field.is_list() || field.is_group() {
            if self.tree.has_children(node) {
                let what = if field.is_group() { "a group" } else { "repeated" };
                return Err(Error::misconfigured(format!(
                    "field `{}` is {what}: expected a message on the way to a value; send what is wanted as a field of \
                     its own",
                    field.full_name()
                )));
            }
            let scalar = Scalar::of(&kind).filter(Scalar::is_number);
            return Ok(match (slot, scalar) {
                (None, _) => Step::Skip,
                (Some(slot), Some(scalar)) => Step::Numbers { slot, scalar },
                (Some(slot), None) => Step::Other { slot },
            });
        }
        let Kind::Message(message) = &kind else {
            let scalar = Scalar::of(&kind).unwrap_or(Scalar::Bytes);
            return Ok(Step::Scalar { slot, scalar, below });
        };
        match (slot, self.tree.has_children(node)) {
            (Some(slot), false) if message.full_name() == "google.protobuf.Timestamp" => {
                Ok(Step::Time { slot })
            }
            // The wrappers are messages for scalars that may be null.
            (Some(slot), false) if is_wrapper(message) => {
                let id = self.begin();
                let value = message.fields().next().and_then(|field| Scalar::of(&field.kind()));
                let scalar = value.unwrap_or(Scalar::Bytes);
                self.messages[id].defaults.push((slot, scalar.clone()));
                let step = Step::Scalar { slot: Some(slot), scalar, below };
                self.messages[id].fields.push(Field { number: 1, step, clears: Vec::new() });
                Ok(Step::Message { slot: None, id })
            }
            (Some(slot), false) => Ok(Step::Other { slot }),
            _ => Ok(Step::Message { slot, id: self.message(message, node)? }),
        }
    }

    fn map(&mut self, field: &FieldDescriptor, node: NodeId) -> Result<Step> {
        let slot = self.tree.slot(node);
        let Kind::Message(entry) = field.kind() else { return Ok(Step::Skip) };
        if !self.tree.has_children(node) {
            return Ok(slot.map_or(Step::Skip, |slot| Step::Other { slot }));
        }
        let key = Scalar::of(&entry.map_entry_key_field().kind()).unwrap_or(Scalar::String);
        let value = entry.map_entry_value_field();
        let children: Vec<(String, NodeId)> = self
            .tree
            .children(node)
            .map(|(key, child)| (String::from_utf8_lossy(key).into_owned(), child))
            .collect();
        let mut wanted = Vec::with_capacity(children.len());
        for (name, child) in children {
            let id = self.begin();
            let step = self.step(&value, child)?;
            if let Step::Scalar { slot: Some(slot), scalar, .. } = &step {
                self.messages[id].defaults.push((*slot, scalar.clone()));
            }
            self.messages[id].fields.push(Field { number: 2, step, clears: Vec::new() });
            let left = Left { slots: self.slots(child), messages: id..self.messages.len() };
            wanted.push((name.into(), left));
        }
        Ok(Step::Map { slot, key, wanted })
    }
}

fn is_wrapper(message: &MessageDescriptor) -> bool {
    let name = message.full_name().strip_prefix("google.protobuf.");
    name.and_then(|name| name.strip_suffix("Value")).is_some_and(|of| {
        matches!(
            of,
            "Double" | "Float" | "Int64" | "UInt64" | "Int32" | "UInt32" | "Bool" | "String" | "Bytes"
        )
    })
}

fn no_field(descriptor: &MessageDescriptor, key: &str) -> Error {
    let names: Vec<String> = descriptor.fields().map(|field| field.name().to_owned()).collect();
    let names = || names.iter().map(String::as_str);
    let advice = suggest::phrase(&suggest::candidates(key, names()), names());
    Error::misconfigured(format!("no field `{key}` in message `{}`: {advice}", descriptor.full_name()))
}
