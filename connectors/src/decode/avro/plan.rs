//! What to do with a datum of one writer's schema: which parts go to which slots, and which are passed over.

use std::ops::Range;

use super::schema::{Schema, Type, TypeId};
use crate::source::path::{NodeId, Tree};

/// A writer's schema and the steps through its data.
pub(super) struct Plan {
    pub(super) schema: Schema,
    pub(super) step: Step,
}

/// What to do with the value that comes next.
pub(super) enum Step {
    Skip(TypeId),
    /// A value without parts, for a slot.
    Take {
        slot: usize,
        of: TypeId,
    },
    /// A value without parts where parts were wanted.
    Block {
        slot: Option<usize>,
        of: TypeId,
        below: Range<usize>,
    },
    Record {
        slot: Option<usize>,
        fields: Box<[Self]>,
    },
    Union(Box<[Self]>),
    /// An array of numbers, for a slot.
    Numbers {
        slot: usize,
        items: TypeId,
    },
    /// Some values of a map by their keys, or items of an array by their indices.
    Parts(Parts),
}

/// See [`Step::Parts`].
pub(super) struct Parts {
    pub(super) slot: Option<usize>,
    /// The items, if this is an array of numbers that a slot wants too.
    pub(super) numbers: bool,
    pub(super) is_map: bool,
    pub(super) of: TypeId,
    /// Sorted by key.
    pub(super) wanted: Vec<Part>,
}

/// One value of a map or array.
pub(super) struct Part {
    /// In arrays the index in decimal.
    pub(super) key: Box<[u8]>,
    pub(super) index: Option<u64>,
    /// The slots of this value and those below it.
    pub(super) slots: Range<usize>,
    pub(super) step: Step,
}

impl Plan {
    /// The plan that takes from a datum what the tree has slots for.
    ///
    /// # Errors
    /// What is wrong, for a person: only absurd schemas make a plan too large.
    pub(super) fn new(schema: Schema, tree: &Tree) -> Result<Self, String> {
        let mut compiler = Compiler { schema: &schema, tree, steps: 0 };
        let step = compiler.compile(schema.root(), 0)?;
        Ok(Self { schema, step })
    }

    /// Whether the schema has a place for each slot.
    pub(super) fn reached(&self, n_slots: usize) -> Vec<bool> {
        let mut reached = vec![false; n_slots];
        self.step.reach(&mut reached);
        reached
    }
}

impl Step {
    fn reach(&self, reached: &mut [bool]) {
        match self {
            Self::Skip(_) => {}
            Self::Take { slot, .. } | Self::Numbers { slot, .. } => reached[*slot] = true,
            Self::Block { slot, .. } => {
                if let Some(slot) = slot {
                    reached[*slot] = true;
                }
            }
            Self::Record { slot, fields } => {
                if let Some(slot) = slot {
                    reached[*slot] = true;
                }
                fields.iter().for_each(|field| field.reach(reached));
            }
            Self::Union(branches) => branches.iter().for_each(|branch| branch.reach(reached)),
            Self::Parts(parts) => {
                if let Some(slot) = parts.slot {
                    reached[slot] = true;
                }
                parts.wanted.iter().for_each(|part| part.step.reach(reached));
            }
        }
    }
}

struct Compiler<'a> {
    schema: &'a Schema,
    tree: &'a Tree,
    steps: usize,
}

impl Compiler<'_> {
    /// Ends, because every record, map and array on the way uses up a key of a pointer.
    fn compile(&mut self, of: TypeId, node: NodeId) -> Result<Step, String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!("expected a schema that needs at most {MAX_STEPS} steps for these columns"));
        }
        let slot = self.tree.slot(node);
        Ok(match self.schema.of(of) {
            Type::Record(fields) => {
                let mut steps = Vec::with_capacity(fields.len());
                for (name, field) in fields {
                    steps.push(match self.tree.child(node, name.as_bytes()) {
                        None => Step::Skip(*field),
                        Some(child) => self.compile(*field, child)?,
                    });
                }
                Step::Record { slot, fields: steps.into() }
            }
            Type::Union(branches) => {
                let branches: Result<Box<[_]>, _> =
                    branches.iter().map(|&branch| self.compile(branch, node)).collect();
                Step::Union(branches?)
            }
            Type::Array(items) if !self.tree.has_children(node) => match slot {
                Some(slot) if self.is_number(*items) => Step::Numbers { slot, items: *items },
                Some(slot) => Step::Take { slot, of },
                None => Step::Skip(of),
            },
            Type::Array(items) => Step::Parts(Parts {
                slot,
                numbers: self.is_number(*items),
                is_map: false,
                of: *items,
                wanted: self.parts(*items, node)?,
            }),
            Type::Map(values) if self.tree.has_children(node) => Step::Parts(Parts {
                slot,
                numbers: false,
                is_map: true,
                of: *values,
                wanted: self.parts(*values, node)?,
            }),
            Type::Null => Step::Skip(of),
            _ if self.tree.has_children(node) => Step::Block { slot, of, below: self.tree.below(node) },
            _ => match slot {
                None => Step::Skip(of),
                Some(slot) => Step::Take { slot, of },
            },
        })
    }

    fn parts(&mut self, of: TypeId, node: NodeId) -> Result<Vec<Part>, String> {
        let children: Vec<(Box<[u8]>, NodeId)> =
            self.tree.children(node).map(|(key, child)| (key.into(), child)).collect();
        let mut parts = Vec::with_capacity(children.len());
        for (key, child) in children {
            let below = self.tree.below(child);
            // A node's own slot is numbered right before those below it.
            let slots = self.tree.slot(child).unwrap_or(below.start)..below.end;
            let index = std::str::from_utf8(&key).ok().and_then(|text| {
                let index: u64 = text.parse().ok()?;
                (index.to_string() == text).then_some(index)
            });
            parts.push(Part { key, index, slots, step: self.compile(of, child)? });
        }
        Ok(parts)
    }

    fn is_number(&self, of: TypeId) -> bool {
        match self.schema.of(of) {
            Type::Int | Type::Long | Type::Float | Type::Double => true,
            Type::Union(branches) => branches.iter().all(|&branch| {
                matches!(
                    self.schema.of(branch),
                    Type::Null | Type::Int | Type::Long | Type::Float | Type::Double
                )
            }),
            _ => false,
        }
    }
}

/// Unions of records in unions of records could multiply without end.
const MAX_STEPS: usize = 1 << 16;
