//! The mark of a record: by it, a topic that was made anew is told from the one that was read (SEMANTICS S16).
//!
//! XXH3-64, seed 0, over the timestamp, the key and the value. Lengths and absence are hashed too, so that bytes cannot
//! move from the key to the value unseen. Stored with positions: it never changes.

use xxhash_rust::xxh3::Xxh3;

use crate::stream::Stamp;

/// The mark of a record with this timestamp, key and value.
pub(super) fn mark(stamp: Option<Stamp>, key: Option<&[u8]>, payload: Option<&[u8]>) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&stamp.map_or(i64::MIN, Stamp::micros).to_le_bytes());
    for bytes in [key, payload] {
        let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        hasher.update(&length.to_le_bytes());
        hasher.update(bytes.unwrap_or_default());
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_shows() {
        let stamp = Some(Stamp::Created(1));
        let marks = [
            mark(stamp, Some(b"k"), Some(b"v")),
            mark(None, Some(b"k"), Some(b"v")),
            mark(Some(Stamp::Created(2)), Some(b"k"), Some(b"v")),
            mark(stamp, None, Some(b"v")),
            mark(stamp, Some(b""), Some(b"v")),
            mark(stamp, Some(b"k"), None),
            mark(stamp, Some(b"k"), Some(b"")),
            mark(stamp, Some(b""), Some(b"kv")),
            mark(stamp, Some(b"kv"), Some(b"")),
        ];
        for (i, a) in marks.iter().enumerate() {
            assert!(!marks[i + 1..].contains(a), "mark {i} is not the only one of its kind: {marks:x?}");
        }
    }

    /// Expected by the `xxhash` package of Python: `xxh3_64` of 8 bytes 1000, 8 bytes 1, "k", 8 bytes 2, "vw", little
    /// endian. Stored positions rest on it.
    #[test]
    fn it_never_changes() {
        assert_eq!(mark(Some(Stamp::Appended(1000)), Some(b"k"), Some(b"vw")), EXPECTED);
    }

    const EXPECTED: u64 = 0xb3c5_b8f1_13cc_f21b;
}
