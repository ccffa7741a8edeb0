//! Random schemas and data, and what they mean, kept apart from the code under test.

use std::fmt::Write;

use arrow_schema::{DataType, Field, TimeUnit};

use super::zigzag;
use crate::source::column::{Ticks, Value};

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Any integer, of any magnitude.
    fn integer(&mut self) -> i64 {
        let shift = self.below(64);
        (self.next() as i64) >> shift
    }

    fn text(&mut self) -> String {
        let letters = ["a", "é", "\u{0}", "漢", "😀", "z"];
        (0..self.below(6)).map(|_| letters[self.below(letters.len())]).collect()
    }
}

/// A type and, at the leaves, how its values are made.
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    Enum(usize),
    Date,
    TimeMillis,
    Timestamp(TimeUnit),
    Decimal { precision: u8, scale: i8, size: Option<usize> },
    Nullable(Box<Self>, bool),
    Union(Vec<Self>),
    Array(Box<Self>),
    Map(Box<Self>),
    Record(Vec<(String, Self)>),
}

/// A random schema: its text, and its kind.
pub(super) struct Schema {
    pub(super) text: String,
    pub(super) kind: Kind,
}

impl Schema {
    /// `simple` leaves out what `arrow-avro` gives as types that no column takes, or refuses.
    pub(super) fn random(random: &mut Random, simple: bool) -> Self {
        let mut maker = Maker { random, names: 0, simple, fixed: Vec::new() };
        let mut text = String::new();
        let kind = maker.record(2, &mut text);
        Self { text, kind }
    }
}

struct Maker<'a> {
    random: &'a mut Random,
    names: usize,
    simple: bool,
    /// Names and sizes of fixed types, to be used again.
    fixed: Vec<(String, usize)>,
}

impl Maker<'_> {
    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}{}", self.names)
    }

    fn record(&mut self, depth: usize, out: &mut String) -> Kind {
        let name = self.name("R");
        write!(out, r#"{{"type":"record","name":"{name}","fields":["#).unwrap();
        let mut fields = Vec::new();
        for at in 0..1 + self.random.below(6) {
            if at > 0 {
                out.push(',');
            }
            let name = format!("f{at}");
            write!(out, r#"{{"name":"{name}","type":"#).unwrap();
            let kind = self.kind(depth, out);
            out.push('}');
            fields.push((name, kind));
        }
        out.push_str("]}");
        Kind::Record(fields)
    }

    fn kind(&mut self, depth: usize, out: &mut String) -> Kind {
        let n = if depth == 0 { 14 } else { 20 };
        let mut plain = |text: &str, kind: Kind| {
            out.push_str(text);
            kind
        };
        match self.random.below(n) {
            0 => plain(r#""boolean""#, Kind::Boolean),
            1 => plain(r#""int""#, Kind::Int),
            2 => plain(r#""long""#, Kind::Long),
            3 => plain(r#""float""#, Kind::Float),
            4 => plain(r#""double""#, Kind::Double),
            5 => plain(r#""string""#, Kind::Text),
            6 => plain(r#""bytes""#, Kind::Bytes),
            7 => self.fixed(out),
            8 => {
                let name = self.name("E");
                write!(out, r#"{{"type":"enum","name":"{name}","symbols":["S0","S1","S2"]}}"#).unwrap();
                Kind::Enum(3)
            }
            9 => plain(r#"{"type":"int","logicalType":"date"}"#, Kind::Date),
            10 if self.simple => plain(r#""long""#, Kind::Long),
            10 => plain(r#"{"type":"int","logicalType":"time-millis"}"#, Kind::TimeMillis),
            11 | 12 => {
                let local = self.random.below(2) == 1;
                let (name, unit) = [
                    ("millis", TimeUnit::Millisecond),
                    ("micros", TimeUnit::Microsecond),
                    ("nanos", TimeUnit::Nanosecond),
                ][self.random.below(3)];
                let prefix = if local { "local-" } else { "" };
                write!(out, r#"{{"type":"long","logicalType":"{prefix}timestamp-{name}"}}"#).unwrap();
                Kind::Timestamp(unit)
            }
            13 => self.decimal(out),
            14 | 15 => {
                let null_first = self.random.below(2) == 0;
                out.push_str(if null_first { r#"["null","# } else { "[" });
                let known = self.fixed.len();
                let inner = loop {
                    self.fixed.truncate(known);
                    let mut text = String::new();
                    let inner = self.kind(depth - 1, &mut text);
                    if !matches!(inner, Kind::Union(_) | Kind::Nullable(..) | Kind::Null) {
                        out.push_str(&text);
                        break inner;
                    }
                };
                out.push_str(if null_first { "]" } else { r#","null"]"# });
                Kind::Nullable(inner.into(), null_first)
            }
            16 if self.simple => plain(r#""string""#, Kind::Text),
            16 => {
                out.push_str(r#"["long","null","string","double"]"#);
                Kind::Union(vec![Kind::Long, Kind::Null, Kind::Text, Kind::Double])
            }
            17 => {
                out.push_str(r#"{"type":"array","items":"#);
                let items = self.kind(depth - 1, out);
                out.push('}');
                Kind::Array(items.into())
            }
            18 => {
                out.push_str(r#"{"type":"map","values":"#);
                let values = self.kind(depth - 1, out);
                out.push('}');
                Kind::Map(values.into())
            }
            _ => self.record(depth - 1, out),
        }
    }

    fn fixed(&mut self, out: &mut String) -> Kind {
        if let Some((name, size)) = self.fixed.last()
            && self.random.below(2) == 0
        {
            write!(out, r#""{name}""#).unwrap();
            return Kind::Fixed(*size);
        }
        let (name, size) = (self.name("F"), 1 + self.random.below(9));
        write!(out, r#"{{"type":"fixed","name":"{name}","size":{size}}}"#).unwrap();
        self.fixed.push((name, size));
        Kind::Fixed(size)
    }

    fn decimal(&mut self, out: &mut String) -> Kind {
        let precision = 1 + self.random.below(18) as u8;
        let scale = self.random.below(usize::from(precision) + 1) as i8;
        let size = (self.random.below(2) == 0).then(|| 8 + self.random.below(9));
        match size {
            None => write!(
                out,
                r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#
            ),
            Some(size) => {
                let name = self.name("D");
                write!(
                    out,
                    r#"{{"type":"fixed","name":"{name}","size":{size},"logicalType":"decimal","precision":{precision},"scale":{scale}}}"#
                )
            }
        }
        .unwrap();
        Kind::Decimal { precision, scale, size }
    }
}

/// A value, as the specification of its kind says.
#[derive(Clone, Debug)]
pub(super) enum Datum {
    Null,
    Bool(bool),
    Int(i64),
    Single(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Days(i64),
    Clock,
    Time(i64, TimeUnit),
    Decimal(i128, i32),
    List(Vec<Self>),
    Map,
    Record(Vec<(String, Self)>),
}

impl Kind {
    /// A random value of this kind: its encoding is appended to `out`.
    pub(super) fn write(&self, random: &mut Random, out: &mut Vec<u8>) -> Datum {
        match self {
            Self::Null => Datum::Null,
            Self::Boolean => {
                let value = random.below(2) == 1;
                out.push(value.into());
                Datum::Bool(value)
            }
            Self::Int | Self::Date | Self::TimeMillis => {
                let value = i64::from(random.integer() as i32);
                out.extend(zigzag(value));
                match self {
                    Self::Int => Datum::Int(value),
                    Self::Date => Datum::Days(value),
                    _ => Datum::Clock,
                }
            }
            Self::Long => {
                let value = random.integer();
                out.extend(zigzag(value));
                Datum::Int(value)
            }
            Self::Timestamp(unit) => {
                let value = random.integer();
                out.extend(zigzag(value));
                Datum::Time(value, *unit)
            }
            Self::Float => {
                let value = f32::from_bits(random.next() as u32);
                out.extend(value.to_le_bytes());
                Datum::Single(value)
            }
            Self::Double => {
                let value = f64::from_bits(random.next());
                out.extend(value.to_le_bytes());
                Datum::Double(value)
            }
            Self::Text => {
                let value = random.text();
                out.extend(zigzag(value.len() as i64));
                out.extend(value.as_bytes());
                Datum::Text(value)
            }
            Self::Bytes => {
                let value: Vec<u8> = (0..random.below(9)).map(|_| random.next() as u8).collect();
                out.extend(zigzag(value.len() as i64));
                out.extend(&value);
                Datum::Bytes(value)
            }
            Self::Fixed(size) => {
                let value: Vec<u8> = (0..*size).map(|_| random.next() as u8).collect();
                out.extend(&value);
                Datum::Bytes(value)
            }
            Self::Enum(symbols) => {
                let symbol = random.below(*symbols);
                out.extend(zigzag(symbol as i64));
                Datum::Text(format!("S{symbol}"))
            }
            Self::Decimal { precision, scale, size } => {
                let value = random.integer() % 10_i64.pow((*precision).into());
                let wide = i128::from(value).to_be_bytes();
                match size {
                    Some(size) => out.extend(&wide[16 - size.min(&16)..]),
                    None => {
                        // Any number of bytes that holds it will do.
                        let spare = random.below(3);
                        let needed = (1..=16)
                            .find(|n| i128::from(value) >> (8 * n - 1) == if value < 0 { -1 } else { 0 })
                            .unwrap();
                        let kept = (needed + spare).min(16);
                        out.extend(zigzag(kept as i64));
                        out.extend(&wide[16 - kept..]);
                    }
                }
                Datum::Decimal(value.into(), (*scale).into())
            }
            Self::Nullable(inner, null_first) => {
                let null = random.below(3) == 0;
                out.extend(zigzag((null != *null_first).into()));
                if null { Datum::Null } else { inner.write(random, out) }
            }
            Self::Union(branches) => {
                let branch = random.below(branches.len());
                out.extend(zigzag(branch as i64));
                branches[branch].write(random, out)
            }
            Self::Array(items) => {
                let mut list = Vec::new();
                blocks(random, out, |random, out| list.push(items.write(random, out)));
                Datum::List(list)
            }
            Self::Map(values) => {
                let mut key = 0;
                blocks(random, out, |random, out| {
                    key += 1;
                    let text = format!("k{key}");
                    out.extend(zigzag(text.len() as i64));
                    out.extend(text.as_bytes());
                    values.write(random, out);
                });
                Datum::Map
            }
            Self::Record(fields) => Datum::Record(
                fields.iter().map(|(name, kind)| (name.clone(), kind.write(random, out))).collect(),
            ),
        }
    }

    /// The columns that take all its leaves, each with its pointer and the type that fits it best.
    pub(super) fn leaves(&self, pointer: &str, out: &mut Vec<(String, DataType)>) {
        let data_type = match self {
            Self::Record(fields) => {
                fields.iter().for_each(|(name, kind)| kind.leaves(&format!("{pointer}/{name}"), out));
                return;
            }
            Self::Nullable(inner, _) => return inner.leaves(pointer, out),
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long | Self::TimeMillis => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double | Self::Union(_) => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp(unit) => DataType::Timestamp(*unit, None),
            Self::Decimal { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
            Self::Array(items) if items.is_number() => {
                DataType::List(std::sync::Arc::new(Field::new_list_field(DataType::Float64, true)))
            }
            _ => DataType::Utf8,
        };
        out.push((pointer.to_owned(), data_type));
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Int | Self::Long | Self::Float | Self::Double => true,
            Self::Nullable(inner, _) => inner.is_number(),
            _ => false,
        }
    }
}

/// Zero to three blocks of up to three items, some with their size.
fn blocks(random: &mut Random, out: &mut Vec<u8>, mut item: impl FnMut(&mut Random, &mut Vec<u8>)) {
    for _ in 0..random.below(4) {
        let count = 1 + random.below(3) as i64;
        let mut bytes = Vec::new();
        (0..count).for_each(|_| item(random, &mut bytes));
        if random.below(2) == 0 {
            out.extend(zigzag(-count));
            out.extend(zigzag(bytes.len() as i64));
        } else {
            out.extend(zigzag(count));
        }
        out.extend(bytes);
    }
    out.extend(zigzag(0));
}

impl Datum {
    /// Hands the value at a pointer to `take`.
    pub(super) fn at(&self, pointer: &str, take: &mut dyn FnMut(Value<'_>)) {
        let mut found = self;
        for key in pointer.split('/').skip(1) {
            match found {
                Self::Record(fields) => found = &fields.iter().find(|(name, _)| name == key).unwrap().1,
                _ => break,
            }
        }
        match found {
            Self::Null => take(Value::Null),
            Self::Bool(value) => take(Value::Bool(*value)),
            Self::Int(value) => take(Value::Int(*value)),
            Self::Single(value) => take(Value::Single(*value)),
            Self::Double(value) => take(Value::Double(*value)),
            Self::Text(value) => take(Value::Text(value)),
            Self::Bytes(value) => take(Value::Bytes(value)),
            Self::Days(value) => take(Value::Days(*value)),
            Self::Time(count, unit) => take(Value::Time(Ticks::new(*count, *unit))),
            Self::Decimal(unscaled, scale) => take(Value::Decimal { unscaled: *unscaled, scale: *scale }),
            Self::Clock | Self::Map | Self::Record(_) => take(Value::Other),
            Self::List(items) => {
                let number = |item: &Self| match item {
                    Self::Null => Some(None),
                    Self::Int(value) => Some(Some(*value as f64)),
                    Self::Single(value) => Some(Some(f64::from(*value))),
                    Self::Double(value) => Some(Some(*value)),
                    _ => None,
                };
                match items.iter().map(number).collect::<Option<Vec<_>>>() {
                    Some(numbers) => take(Value::Floats(&numbers)),
                    None => take(Value::Other),
                }
            }
        }
    }
}
