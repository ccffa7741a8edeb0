//! The framing of schema registries: a zero byte, the schema's id in four bytes, the payload.

use super::decoder::Bad;
use crate::source::BadReason;

/// The id and what follows it.
pub(super) fn split(payload: &[u8]) -> Result<(u32, &[u8]), Bad> {
    let refuse = |detail: String| Err(Bad { reason: BadReason::NotFramed, detail });
    match payload {
        [0, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [0, ..] | [] => refuse(format!(
            "expected a schema id of 4 bytes after a zero byte, found {} bytes",
            payload.len()
        )),
        [first, ..] => refuse(format!(
            "expected a zero byte and a schema id in front, found byte {first:#04x}: is this topic written with a registry?"
        )),
    }
}
