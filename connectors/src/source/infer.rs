//! What a column's type seems to be, from a sample of its values.
//!
//! The type is that of the majority, so that one bad value in the sample becomes a type error later and does not turn
//! a column of numbers into one of strings. Integers among floats make floats. A column in which only null was seen
//! has the type `Null`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};

use super::datetime;
use super::number::{Excess, scaled};

/// The columns that a sample of a file shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// Columns that can be decoded, in the order in which they were first seen.
    pub columns: Vec<InferredColumn>,
    /// Columns that cannot, each with the reason.
    pub skipped: Vec<SkippedColumn>,
    /// Records that were looked at and could be read.
    pub records: u64,
    /// Records that were looked at and could not be read.
    pub bad_records: u64,
    /// The first of these: its line, and what was expected there.
    pub first_bad: Option<(u64, String)>,
}

/// A column with its likely type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredColumn {
    /// The key or header.
    pub name: String,
    /// The type of most of its values.
    pub data_type: DataType,
}

/// A column that has no type this crate can decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedColumn {
    /// The key or header.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Counts of what the values of one column look like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Votes {
    bools: u64,
    ints: u64,
    /// Integers beyond i64, and those among them that u64 cannot hold either.
    beyond_i64: u64,
    beyond_u64: u64,
    negative: bool,
    floats: u64,
    dates: u64,
    timestamps: u64,
    strings: u64,
    float_lists: u64,
    other: u64,
}

impl Votes {
    pub(crate) fn bool(&mut self) {
        self.bools += 1;
    }

    /// A number in JSON's grammar or one that CSV allows.
    pub(crate) fn number(&mut self, text: &str) {
        let written_as_integer = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'));
        let value = if written_as_integer { scaled(text, 0, Excess::Refuse) } else { None };
        if !written_as_integer {
            self.floats += 1;
            return;
        }
        self.ints += 1;
        self.negative |= text.starts_with('-');
        self.beyond_i64 += u64::from(value.is_none_or(|v| i64::try_from(v).is_err()));
        self.beyond_u64 +=
            u64::from(value.is_none_or(|v| u64::try_from(v).is_err() && i64::try_from(v).is_err()));
    }

    pub(crate) fn float(&mut self) {
        self.floats += 1;
    }

    pub(crate) fn string(&mut self, text: &str) {
        match datetime::parse(text) {
            Some(_) if text.len() == 10 => self.dates += 1,
            Some(_) => self.timestamps += 1,
            None => self.strings += 1,
        }
    }

    pub(crate) fn float_list(&mut self) {
        self.float_lists += 1;
    }

    pub(crate) fn other(&mut self) {
        self.other += 1;
    }

    /// The type of most values; of equals the first in the list below. `temporal`: whether texts that are dates or
    /// timestamps count as such or as strings. `None` if most are of no type that can be decoded.
    pub(crate) fn majority(&self, temporal: bool) -> Option<DataType> {
        let times = self.dates + self.timestamps;
        let (times, strings) = if temporal { (times, self.strings) } else { (0, self.strings + times) };
        let numbers = self.ints + self.floats;
        let all = [strings, numbers, self.bools, times, self.float_lists, self.other];
        let most = all.into_iter().max().unwrap_or(0);
        Some(match () {
            () if most == 0 => DataType::Null,
            () if strings == most => DataType::Utf8,
            () if numbers == most => self.number_type(),
            () if self.bools == most => DataType::Boolean,
            () if times == most => self.time_type(),
            () if self.float_lists == most => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
            }
            () => return None,
        })
    }

    /// The same for text without types: a column is of numbers, booleans or times only if at least 95 % of its fields
    /// are, because any text may stand in a column of strings, also one that looks like a number.
    pub(crate) fn of_text(&self, temporal: bool) -> DataType {
        let times = if temporal { self.dates + self.timestamps } else { 0 };
        let numbers = self.ints + self.floats;
        let all = numbers + self.bools + self.dates + self.timestamps + self.strings;
        let nearly_all = |votes: u64| votes * 20 >= all * 19;
        match () {
            () if all == 0 => DataType::Null,
            () if nearly_all(numbers) => self.number_type(),
            () if nearly_all(self.bools) => DataType::Boolean,
            () if nearly_all(times) => self.time_type(),
            () => DataType::Utf8,
        }
    }

    /// A single value beyond 64 bits among many is more likely an error than a reason to round all the others.
    fn number_type(&self) -> DataType {
        let few = |count: u64| count * 20 < self.ints;
        match () {
            () if self.floats > 0 => DataType::Float64,
            () if few(self.beyond_i64) => DataType::Int64,
            () if few(self.beyond_u64) && !self.negative => DataType::UInt64,
            () => DataType::Float64,
        }
    }

    fn time_type(&self) -> DataType {
        if self.timestamps == 0 {
            return DataType::Date32;
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }
}

/// The votes of all columns, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(crate) struct Ballot {
    order: Vec<String>,
    votes: BTreeMap<String, Votes>,
    left_out: bool,
}

impl Ballot {
    /// The votes of a column; `None` beyond 16,384 columns, so that hostile keys cannot fill memory.
    pub(crate) fn column(&mut self, name: &str) -> Option<&mut Votes> {
        if !self.votes.contains_key(name) {
            if self.order.len() == MOST_COLUMNS {
                self.left_out = true;
                return None;
            }
            self.order.push(name.to_owned());
            self.votes.insert(name.to_owned(), Votes::default());
        }
        self.votes.get_mut(name)
    }

    /// Whether a column was left out.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out
    }

    pub(crate) fn into_columns(mut self) -> impl Iterator<Item = (String, Votes)> {
        self.order.into_iter().map(move |name| {
            let votes = self.votes.remove(&name).unwrap_or_default();
            (name, votes)
        })
    }
}

/// The most columns that inference looks at.
pub(crate) const MOST_COLUMNS: usize = 16_384;
