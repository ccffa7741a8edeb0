//! Avro schemas: JSON text to a list of types that refer to each other by position, so that a type may contain itself.
//!
//! Source: Avro 1.12 specification, "Schema Declaration", "Names", "Logical Types". A logical type that does not fit its
//! base type is ignored, as the specification says.

use std::collections::BTreeMap;

use arrow_schema::TimeUnit;
use serde_json::{Map, Value as Json};

/// The position of a type.
pub(super) type TypeId = usize;

/// What a writer may write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<String>),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    /// Fields in the order in which they are written.
    Record(Vec<(String, TypeId)>),
    /// Days in an `int`.
    Date,
    /// A time of day in an `int` or, if `long`, a `long`; no column takes it.
    TimeOfDay {
        long: bool,
    },
    /// A count of the unit in a `long`; without a zone it is UTC (SEMANTICS S13).
    Timestamp(TimeUnit),
    /// An unscaled integer, big-endian, in `bytes` or in a fixed number of them.
    Decimal {
        size: Option<usize>,
        scale: i32,
    },
    /// A UUID in 16 bytes; those in strings are strings.
    Uuid,
}

/// A schema: its types, and which of them a datum has.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    types: Vec<Type>,
    /// For each type whether its values have no bytes at all.
    empty: Vec<bool>,
    root: TypeId,
}

impl Schema {
    /// Parses a schema; `references` are schemas whose names it may use, each after those that it uses itself.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn parse(text: &str, references: &[String]) -> Result<Self, String> {
        let mut parser = Parser { types: Vec::new(), names: BTreeMap::new() };
        for reference in references {
            parser.parse_text(reference)?;
        }
        let root = parser.parse_text(text)?;
        let types = parser.types;
        let empty = empty_types(&types);
        Ok(Self { types, empty, root })
    }

    /// Whether values of a type have no bytes at all.
    pub(super) fn is_empty(&self, id: TypeId) -> bool {
        self.empty[id]
    }

    pub(super) fn root(&self) -> TypeId {
        self.root
    }

    #[inline]
    pub(super) fn of(&self, id: TypeId) -> &Type {
        &self.types[id]
    }
}

struct Parser {
    types: Vec<Type>,
    /// Full names of what has been declared so far.
    names: BTreeMap<String, TypeId>,
}

impl Parser {
    fn parse_text(&mut self, text: &str) -> Result<TypeId, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("a schema of {} bytes: expected at most {MAX_TEXT}", text.len()));
        }
        let json: Json = match serde_json::from_str(text) {
            Ok(json) => json,
            // Registries answer a primitive's name with and without quotes.
            Err(_) if primitive(text.trim()).is_some() => Json::String(text.trim().to_owned()),
            Err(error) => return Err(format!("expected JSON: {error}")),
        };
        self.parse(&json, "")
    }

    fn add(&mut self, found: Type) -> Result<TypeId, String> {
        if self.types.len() >= MAX_TYPES {
            return Err(format!("expected at most {MAX_TYPES} types in a schema"));
        }
        self.types.push(found);
        Ok(self.types.len() - 1)
    }

    fn parse(&mut self, json: &Json, namespace: &str) -> Result<TypeId, String> {
        match json {
            Json::String(name) => self.named(name, namespace),
            Json::Array(branches) => {
                let branches: Result<Vec<_>, _> =
                    branches.iter().map(|branch| self.parse(branch, namespace)).collect();
                self.add(Type::Union(branches?))
            }
            Json::Object(object) => self.object(object, namespace),
            other => Err(format!("expected a type, found `{other}`")),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<TypeId, String> {
        if let Some(found) = primitive(name) {
            return self.add(found);
        }
        let known = self.names.get(&full_name(name, namespace)).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("type `{name}` is used before it is declared"))
    }

    fn object(&mut self, object: &Map<String, Json>, namespace: &str) -> Result<TypeId, String> {
        let kind = match object.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            // `{"type": {...}}` and `{"type": [...]}` say nothing but what is inside.
            Some(inner) => return self.parse(inner, namespace),
            None => return Err("expected the key `type` in a type's declaration".to_owned()),
        };
        match kind {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = object.get("symbols").and_then(Json::as_array);
                let symbols: Option<Vec<String>> = symbols
                    .and_then(|list| list.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect());
                let id = self.add(Type::Enum(symbols.ok_or("expected an enum's `symbols` as strings")?))?;
                self.declare(object, namespace, id).map(|_| id)
            }
            "fixed" => {
                let size = object.get("size").and_then(Json::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size <= MAX_FIXED);
                let size = size.ok_or_else(|| format!("expected a fixed's `size` from 0 to {MAX_FIXED}"))?;
                let id = self.add(logical_fixed(object, size))?;
                self.declare(object, namespace, id).map(|_| id)
            }
            "array" => {
                let items = object.get("items").ok_or("expected an array's `items`")?;
                let items = self.parse(items, namespace)?;
                self.add(Type::Array(items))
            }
            "map" => {
                let values = object.get("values").ok_or("expected a map's `values`")?;
                let values = self.parse(values, namespace)?;
                self.add(Type::Map(values))
            }
            name => match primitive(name) {
                Some(base) => self.add(logical(object, base)),
                None => self.named(name, namespace),
            },
        }
    }

    fn record(&mut self, object: &Map<String, Json>, namespace: &str) -> Result<TypeId, String> {
        // Declared before its fields, which may refer to it.
        let id = self.add(Type::Null)?;
        let inner = self.declare(object, namespace, id)?;
        let fields = object.get("fields").and_then(Json::as_array).ok_or("expected a record's `fields`")?;
        let mut parsed = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Json::as_str).ok_or("expected the `name` of a field")?;
            let declared =
                field.get("type").ok_or_else(|| format!("expected the `type` of field `{name}`"))?;
            let type_id = match declared {
                // A field's own attributes stand beside its type, logical types by mistake too.
                Json::String(kind) if primitive(kind).is_some() => self.named(kind, &inner)?,
                declared => self.parse(declared, &inner)?,
            };
            parsed.push((name.to_owned(), type_id));
        }
        self.types[id] = Type::Record(parsed);
        Ok(id)
    }

    /// Notes a name; answers the namespace that holds inside of the declaration.
    fn declare(&mut self, object: &Map<String, Json>, outer: &str, id: TypeId) -> Result<String, String> {
        let name = object.get("name").and_then(Json::as_str).ok_or("expected the `name` of a named type")?;
        let namespace = object.get("namespace").and_then(Json::as_str).unwrap_or(outer);
        let full = full_name(name, namespace);
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        match self.names.insert(full, id) {
            None => Ok(inner),
            Some(_) => Err(format!("type `{name}` is declared twice")),
        }
    }
}

/// A name with a dot is full; another belongs to the namespace around it.
pub(super) fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

pub(super) fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::String,
        _ => return None,
    })
}

fn logical(object: &Map<String, Json>, base: Type) -> Type {
    let name = object.get("logicalType").and_then(Json::as_str).unwrap_or_default();
    match (name, &base) {
        ("date", Type::Int) => Type::Date,
        ("time-millis", Type::Int) => Type::TimeOfDay { long: false },
        ("time-micros" | "time-nanos", Type::Long) => Type::TimeOfDay { long: true },
        ("timestamp-millis" | "local-timestamp-millis", Type::Long) => Type::Timestamp(TimeUnit::Millisecond),
        ("timestamp-micros" | "local-timestamp-micros", Type::Long) => Type::Timestamp(TimeUnit::Microsecond),
        ("timestamp-nanos" | "local-timestamp-nanos", Type::Long) => Type::Timestamp(TimeUnit::Nanosecond),
        ("decimal", Type::Bytes) => decimal(object, None).unwrap_or(base),
        _ => base,
    }
}

fn logical_fixed(object: &Map<String, Json>, size: usize) -> Type {
    match object.get("logicalType").and_then(Json::as_str) {
        Some("decimal") => decimal(object, Some(size)).unwrap_or(Type::Fixed(size)),
        Some("uuid") if size == 16 => Type::Uuid,
        _ => Type::Fixed(size),
    }
}

fn decimal(object: &Map<String, Json>, size: Option<usize>) -> Option<Type> {
    let precision = object.get("precision")?.as_u64().filter(|&precision| precision > 0)?;
    let scale = object.get("scale").map_or(Some(0), Json::as_u64).filter(|&scale| scale <= precision)?;
    Some(Type::Decimal { size, scale: i32::try_from(scale).ok()? })
}

/// Which types have values without any bytes: null, fixed of size 0, and records of nothing else. From the assumption
/// that there are none until nothing changes; a schema so tangled that this takes long is left with some taken for not
/// empty, which costs a datum of it at worst.
fn empty_types(types: &[Type]) -> Vec<bool> {
    let mut empty = vec![false; types.len()];
    let judge = |empty: &mut Vec<bool>, id: TypeId| {
        let now = match &types[id] {
            Type::Null | Type::Fixed(0) | Type::Decimal { size: Some(0), .. } => true,
            Type::Record(fields) => fields.iter().all(|(_, field)| empty[*field]),
            _ => false,
        };
        std::mem::replace(&mut empty[id], now) != now
    };
    for _ in 0..64 {
        let mut changed = false;
        // Fields that are declared in place have larger numbers than their record, those referred to smaller ones.
        for id in (0..types.len()).rev().chain(0..types.len()) {
            changed |= judge(&mut empty, id);
        }
        if !changed {
            break;
        }
    }
    empty
}

/// Longer texts are no schemas.
const MAX_TEXT: usize = 16 << 20;
/// More types are no schema that a person wrote.
const MAX_TYPES: usize = 1 << 16;
/// A fixed cannot be larger than a record may be.
const MAX_FIXED: usize = crate::source::MAX_RECORD_BYTES;
