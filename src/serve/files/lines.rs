//! What a source keeps of a file in the store, as bytes.

use driftlead_connectors::dataset::Known;

/// What a source knows of a file beside its name: the ordinal of the first row of its last stretch, the rows of that once it
/// was read to its end, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) first: i64,
    pub(super) rows: Option<i64>,
    /// What of the file was read before; nothing of files that are read whole.
    pub(super) from: Known,
}

/// Written where rows are not known yet and more follows.
const NO_ROWS: i64 = -1;

impl Note {
    /// A whole file, whose first row has this ordinal.
    pub(super) fn at(first: i64) -> Self {
        Self { first, rows: None, from: Known::NOTHING }
    }

    /// 8, 16 or 32 bytes: ordinal, rows if known, and where the stretch begins if that is not the file's beginning.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = self.first.to_le_bytes().to_vec();
        let goes_on = self.from.bytes > 0;
        if self.rows.is_some() || goes_on {
            bytes.extend(self.rows.unwrap_or(NO_ROWS).to_le_bytes());
        }
        if goes_on {
            bytes.extend(self.from.bytes.to_le_bytes());
            bytes.extend(self.from.lines.to_le_bytes());
        }
        bytes
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(i64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let from = word(16).zip(word(24)).map_or(Known::NOTHING, |(bytes, lines)| Known {
            bytes: bytes.cast_unsigned(),
            lines: lines.cast_unsigned(),
            ..Known::NOTHING
        });
        Some(Self { first: word(0)?, rows: word(8).filter(|rows| *rows != NO_ROWS), from })
    }
}

/// By what the beginning of a file of lines is known again: hash, lines, and whether the last one is whole.
pub(super) fn prefix(known: Known) -> Vec<u8> {
    let mut bytes = known.hash.to_le_bytes().to_vec();
    bytes.extend(known.lines.to_le_bytes());
    bytes.push(u8::from(known.is_whole));
    bytes
}

/// What [`prefix`] wrote of a file's first `size` bytes.
pub(super) fn known(size: u64, prefix: &[u8]) -> Option<Known> {
    let word = |at: usize| Some(u64::from_le_bytes(prefix.get(at..at + 8)?.try_into().ok()?));
    Some(Known { bytes: size, hash: word(0)?, lines: word(8)?, is_whole: *prefix.get(16)? == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        let from = Known { bytes: 70, lines: 3, ..Known::NOTHING };
        for (rows, from, length) in
            [(None, Known::NOTHING, 8), (Some(5), Known::NOTHING, 16), (None, from, 32), (Some(5), from, 32)]
        {
            let note = Note { first: 9, rows, from };
            assert_eq!((Note::of(&note.bytes()), note.bytes().len()), (Some(note), length));
        }
        let known_ = Known { bytes: 70, hash: u64::MAX, lines: 3, is_whole: false };
        assert_eq!(known(70, &prefix(known_)), Some(known_));
        assert_eq!((Note::of(&[1, 2]), known(70, &[0; 16])), (None, None));
    }
}
