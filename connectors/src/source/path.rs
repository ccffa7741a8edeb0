//! Which values of a record belong to which columns: a tree of the keys on the way to them.

use std::fmt;

use crate::error::{Error, Result};

/// A JSON pointer (RFC 6901) that names a value below the record's object, such as `/payload/delay`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The value of `key` at the top level.
    pub fn key(key: &str) -> Self {
        Self(vec![key.to_owned()])
    }

    /// Parses `/a/b`, where `~1` stands for `/` and `~0` for `~`; a number may also name an item of an array.
    ///
    /// # Errors
    /// Misconfigured, if the text does not start with `/` or has another escape.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |expected| {
            Err(Error::misconfigured(format!(
                "json pointer `{text}`: {expected}, for example `/payload/delay`"
            )))
        };
        let Some(rest) = text.strip_prefix('/') else { return refuse("expected a `/` at the start") };
        let mut keys = Vec::new();
        for key in rest.split('/') {
            let escapes = key.split('~').skip(1);
            if !escapes.into_iter().all(|after| after.starts_with(['0', '1'])) {
                return refuse("expected `~0` or `~1` for a `~` or `/` in a key");
            }
            keys.push(key.replace("~1", "/").replace("~0", "~"));
        }
        Ok(Self(keys))
    }

    /// The keys on the way, unescaped; at least one.
    pub(crate) fn keys(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|key| write!(f, "/{}", key.replace('~', "~0").replace('/', "~1")))
    }
}

/// A node of the tree; node 0 is the record's object.
pub(crate) type NodeId = u32;

/// The keys that lead to the columns' values.
///
/// Each node remembers in which order keys came last time, mapped or not: producers write records alike, so one
/// comparison a key usually finds it.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    n_slots: usize,
}

struct Node {
    /// The slot that takes this value.
    slot: Option<u32>,
    /// Sorted by key.
    children: Vec<(Box<[u8]>, NodeId)>,
    /// Slots of the nodes below.
    below: std::ops::Range<u32>,
    learned: Vec<(Vec<u8>, Option<NodeId>)>,
}

impl Tree {
    /// The tree of the pointers, and for each pointer its slot; equal pointers share one.
    pub(crate) fn new<'a>(pointers: impl IntoIterator<Item = &'a Pointer>) -> (Self, Vec<usize>) {
        let mut tree = Self { nodes: vec![Node::empty()], n_slots: 0 };
        let leaves: Vec<_> = pointers.into_iter().map(|pointer| tree.insert(pointer)).collect();
        for &leaf in &leaves {
            tree.nodes[leaf as usize].slot = Some(0);
        }
        tree.number(0);
        let slot = |&leaf: &NodeId| tree.nodes[leaf as usize].slot.map_or(0, |slot| slot as usize);
        let slots = leaves.iter().map(slot).collect();
        (tree, slots)
    }

    fn insert(&mut self, pointer: &Pointer) -> NodeId {
        let mut node = 0;
        for key in &pointer.0 {
            let position = self.position(node, key.as_bytes());
            node = match position {
                Ok(at) => self.nodes[node as usize].children[at].1,
                Err(at) => {
                    let child = self.nodes.len() as NodeId;
                    self.nodes.push(Node::empty());
                    self.nodes[node as usize].children.insert(at, (key.as_bytes().into(), child));
                    child
                }
            };
        }
        node
    }

    /// Gives slots their numbers, so that those below a node are one range.
    fn number(&mut self, node: NodeId) {
        if self.nodes[node as usize].slot.is_some() {
            self.nodes[node as usize].slot = Some(self.n_slots as u32);
            self.n_slots += 1;
        }
        let start = self.n_slots as u32;
        for child in 0..self.nodes[node as usize].children.len() {
            self.number(self.nodes[node as usize].children[child].1);
        }
        self.nodes[node as usize].below = start..self.n_slots as u32;
    }

    fn position(&self, node: NodeId, key: &[u8]) -> std::result::Result<usize, usize> {
        self.nodes[node as usize].children.binary_search_by(|(k, _)| k.as_ref().cmp(key))
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn n_slots(&self) -> usize {
        self.n_slots
    }

    pub(crate) fn slot(&self, node: NodeId) -> Option<usize> {
        self.nodes[node as usize].slot.map(|slot| slot as usize)
    }

    pub(crate) fn has_children(&self, node: NodeId) -> bool {
        !self.nodes[node as usize].children.is_empty()
    }

    /// The keys below a node and where they lead, sorted by key.
    pub(crate) fn children(&self, node: NodeId) -> impl Iterator<Item = (&[u8], NodeId)> {
        self.nodes[node as usize].children.iter().map(|(key, child)| (key.as_ref(), *child))
    }

    /// The slots below a node.
    pub(crate) fn below(&self, node: NodeId) -> std::ops::Range<usize> {
        let below = &self.nodes[node as usize].below;
        below.start as usize..below.end as usize
    }

    /// The child of `node` with this key, unescaped.
    pub(crate) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        self.position(node, key).ok().map(|at| self.nodes[node as usize].children[at].1)
    }

    /// The same for the key at `position` in its object, learning the order.
    #[inline]
    pub(crate) fn child_at(&mut self, node: NodeId, position: usize, key: &[u8]) -> Option<NodeId> {
        if let Some((learned, child)) = self.nodes[node as usize].learned.get(position)
            && learned == key
        {
            return *child;
        }
        self.learn(node, position, key)
    }

    #[cold]
    fn learn(&mut self, node: NodeId, position: usize, key: &[u8]) -> Option<NodeId> {
        let child = self.child(node, key);
        let learned = &mut self.nodes[node as usize].learned;
        if key.len() <= LONGEST_LEARNED {
            let end = learned.len();
            match learned.get_mut(position) {
                Some((old, id)) => {
                    old.clear();
                    old.extend_from_slice(key);
                    *id = child;
                }
                None if position == end && position < MOST_LEARNED => {
                    learned.push((key.to_vec(), child));
                }
                None => {}
            }
        }
        child
    }
}

impl Node {
    fn empty() -> Self {
        Self { slot: None, children: Vec::new(), below: 0..0, learned: Vec::new() }
    }
}

/// Longer keys are looked up each time, so that a hostile record cannot fill memory.
const LONGEST_LEARNED: usize = 256;
/// Keys at later positions are looked up each time.
const MOST_LEARNED: usize = 4096;
