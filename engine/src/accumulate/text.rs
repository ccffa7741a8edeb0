//! Text columns: strings row by row, or the entries of a dictionary and each row's key.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

/// A column of text.
pub(crate) enum TextColumn<'a> {
    /// A text a row.
    Plain(Texts<'a>),
    /// A dictionary's entries, and which of them each row holds.
    Entries { entries: &'a ArrayRef, texts: Texts<'a>, keys: Keys<'a> },
}

/// Strings of any width.
#[derive(Clone, Copy)]
pub(crate) enum Texts<'a> {
    Small(&'a GenericStringArray<i32>),
    Large(&'a GenericStringArray<i64>),
    View(&'a StringViewArray),
}

/// The keys of a dictionary column.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a>(&'a dyn Array);

impl<'a> TextColumn<'a> {
    /// The column as text; `None` if it holds something else.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        let Some(keys) = Keys::of(array) else { return Texts::of(array).map(Self::Plain) };
        let entries = array.as_any_dictionary().values();
        Some(Self::Entries { entries, texts: Texts::of(entries.as_ref())?, keys })
    }
}

impl<'a> Texts<'a> {
    /// The strings; `None` if the array holds something else.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Small(array.as_string())),
            DataType::LargeUtf8 => Some(Self::Large(array.as_string())),
            DataType::Utf8View => Some(Self::View(array.as_string_view())),
            _ => None,
        }
    }

    /// The text at `at`; null entries hold anything.
    pub(crate) fn value(self, at: usize) -> &'a str {
        match self {
            Self::Small(texts) => texts.value(at),
            Self::Large(texts) => texts.value(at),
            Self::View(texts) => texts.value(at),
        }
    }

    /// Calls `f` with the place of every text that is not null, and the text.
    pub(crate) fn for_each(self, f: &mut impl FnMut(usize, &'a str)) {
        match self {
            Self::Small(texts) => each_generic(texts, f),
            Self::Large(texts) => each_generic(texts, f),
            Self::View(texts) => {
                for (at, text) in texts.iter().enumerate() {
                    if let Some(text) = text {
                        f(at, text);
                    }
                }
            }
        }
    }
}

fn each_generic<'a, O: OffsetSizeTrait>(
    texts: &'a GenericStringArray<O>,
    f: &mut impl FnMut(usize, &'a str),
) {
    if texts.null_count() == 0 {
        (0..texts.len()).for_each(|at| f(at, texts.value(at)));
        return;
    }
    for (at, text) in texts.iter().enumerate() {
        if let Some(text) = text {
            f(at, text);
        }
    }
}

impl<'a> Keys<'a> {
    /// The keys; `None` if the array is no dictionary.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        matches!(array.data_type(), DataType::Dictionary(..)).then_some(Self(array))
    }

    /// Calls `f` with every row that has a key, and the entry it names.
    pub(crate) fn for_each(self, f: &mut impl FnMut(usize, usize)) {
        match self.0.data_type() {
            DataType::Dictionary(key, _) => match key.as_ref() {
                DataType::Int8 => each_key::<Int8Type>(self.0.as_dictionary(), f),
                DataType::Int16 => each_key::<Int16Type>(self.0.as_dictionary(), f),
                DataType::Int32 => each_key::<Int32Type>(self.0.as_dictionary(), f),
                DataType::Int64 => each_key::<Int64Type>(self.0.as_dictionary(), f),
                DataType::UInt8 => each_key::<UInt8Type>(self.0.as_dictionary(), f),
                DataType::UInt16 => each_key::<UInt16Type>(self.0.as_dictionary(), f),
                DataType::UInt32 => each_key::<UInt32Type>(self.0.as_dictionary(), f),
                _ => each_key::<UInt64Type>(self.0.as_dictionary(), f),
            },
            _ => unreachable!("keys are made of dictionary columns only"),
        }
    }
}

fn each_key<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>, f: &mut impl FnMut(usize, usize)) {
    let keys = array.keys();
    match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => keys.values().iter().enumerate().for_each(|(row, key)| f(row, key.as_usize())),
        Some(nulls) => {
            for row in nulls.valid_indices() {
                f(row, keys.values()[row].as_usize());
            }
        }
    }
}

/// Whether two handles are of one array in memory.
pub(crate) fn same_array(a: &ArrayRef, b: &ArrayRef) -> bool {
    std::sync::Arc::ptr_eq(a, b)
}
