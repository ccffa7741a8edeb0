//! What is wrong with a Parquet file, said so that its owner can act.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::plain;
use crate::error::{Error, Result};
use crate::location::ObjectReader;

/// The four bytes at both ends of every Parquet file, and those of one with an encrypted footer.
const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// Magic, footer length, magic.
const SMALLEST: u64 = 12;

/// Where a read was when it failed.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) group: usize,
    pub(super) groups: usize,
    pub(super) columns: Vec<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`, row group {} of {}", self.file, self.group + 1, self.groups)?;
        match &self.columns[..] {
            [] => Ok(()),
            [column] => write!(f, ", column `{column}`"),
            [first, .., last] => write!(f, ", columns `{first}` to `{last}`"),
        }
    }
}

/// Runs a decoder. It is not meant to panic on corrupt bytes, but has places where it does; a bad file must not take the
/// process with it.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(ParquetError::General(format!("the decoder gave up: {text}")))
    })
}

/// Checks size and magic, before the decoder says less helpful things.
pub(crate) fn check_frame(name: &str, size: u64, reader: &ObjectReader) -> Result<()> {
    if size == 0 {
        return Err(plain(format!(
            "`{name}` is empty (0 bytes): expected a Parquet file; remove it or write it again"
        )));
    }
    let head = reader.read(0, size.min(4) as usize)?;
    if size < SMALLEST {
        return Err(not_parquet(name, &head));
    }
    let tail = reader.read(size - 4, 4)?;
    match (head.as_ref(), tail.as_ref()) {
        (_, MAGIC_ENCRYPTED) => Err(plain(format!(
            "`{name}` is an encrypted Parquet file, which driftlead cannot read; write it without encryption"
        ))),
        (_, MAGIC) => Ok(()),
        (MAGIC, _) => Err(plain(format!(
            "`{name}` is truncated: it begins as a Parquet file but its end, where the footer belongs, is missing \
             ({size} bytes are there); copy or write it again"
        ))),
        _ => Err(not_parquet(name, &head)),
    }
}

fn not_parquet(name: &str, head: &[u8]) -> Error {
    plain(format!(
        "`{name}` is not a Parquet file: expected it to begin and end with `PAR1`, found `{}`; if it has another format, \
         rename it so that its ending says which",
        head.escape_ascii()
    ))
}

/// Checks that every column chunk lies within the file: a footer can be whole and the data before it not.
pub(super) fn check_chunks(name: &str, size: u64, metadata: &ParquetMetaData) -> Result<()> {
    let groups = metadata.num_row_groups();
    for (index, group) in metadata.row_groups().iter().enumerate() {
        for chunk in group.columns() {
            let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            let sound = start >= 0 && chunk.compressed_size() >= 0 && group.num_rows() >= 0;
            match end.and_then(|end| u64::try_from(end).ok()).filter(|_| sound) {
                Some(end) if end <= size => {}
                _ => {
                    return Err(plain(format!(
                        "`{name}` is truncated or corrupt: row group {} of {groups}, column `{}` should lie at bytes \
                         {start} to {}, but the file has only {size}; copy or write it again",
                        index + 1,
                        chunk.column_path().string(),
                        end.map_or_else(|| "?".to_owned(), |end| end.to_string())
                    )));
                }
            }
        }
    }
    Ok(())
}

/// The footer cannot be read.
pub(super) fn corrupt_footer(name: &str, error: &ParquetError) -> Error {
    plain(format!(
        "`{name}` is a corrupt Parquet file: its footer cannot be read ({}); copy or write it again",
        reason(error)
    ))
}

/// The metadata contradict themselves.
pub(super) fn corrupt(name: &str, error: &ParquetError) -> Error {
    plain(format!("`{name}` is a corrupt Parquet file: {}; copy or write it again", reason(error)))
}

/// The file is sound, but cannot be used.
pub(super) fn unusable(name: &str, why: &str) -> Error {
    plain(format!("`{name}` cannot be used: {why}"))
}

/// Pages cannot be decoded.
pub(super) fn undecodable(place: &Place, error: &ParquetError) -> Error {
    plain(format!(
        "{place} cannot be decoded: {}; the file is damaged: copy or write it again",
        reason(error)
    ))
}

/// Fewer or more rows than the footer says.
pub(super) fn miscounted(place: &Place, expected: usize, seen: usize) -> Error {
    plain(format!(
        "{place} should have {expected} rows and has {seen}; the file is damaged: copy or write it again"
    ))
}

/// The decoder's own words, without its label.
fn reason(error: &ParquetError) -> String {
    let text = error.to_string();
    let text = ["Parquet error: ", "Parquet argument error: ", "EOF: ", "Arrow: ", "External: "]
        .iter()
        .fold(text.as_str(), |text, label| text.strip_prefix(label).unwrap_or(text));
    text.to_owned()
}
