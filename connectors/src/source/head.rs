//! The first bytes of a line file: a byte order mark to skip, or the sign of a file of another kind.

use crate::error::{Error, Result};

/// How many of the first bytes to skip: 3 for a UTF-8 byte order mark, else 0.
///
/// # Errors
/// Malformed, if the bytes are those of a compressed, UTF-16 or binary columnar file: every line of it would be bad,
/// and the reason can be told.
pub(crate) fn skip_mark(head: &[u8], label: &str, format: &str) -> Result<usize> {
    if head.starts_with(b"\xef\xbb\xbf") {
        return Ok(3);
    }
    let signs: [(&[u8], &str, &str); 7] = [
        (b"\x1f\x8b", "compressed with gzip", "decompress it first"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first"),
        (b"\xff\xfe", "UTF-16 text", "convert it to UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "convert it to UTF-8"),
        (b"PAR1", "a Parquet file", "name it `.parquet`"),
        (b"ARROW1", "an Arrow file", "name it `.arrow`"),
        (b"Obj\x01", "an Avro file", "convert it to Parquet"),
    ];
    match signs.iter().find(|(sign, ..)| head.starts_with(sign)) {
        None => Ok(0),
        Some((_, found, advice)) => {
            Err(Error::malformed(format!("`{label}`: expected {format}, found {found}: {advice}")))
        }
    }
}
