//! Dead letters: records that could not be counted, kept where a person finds them (SEMANTICS S17).
//!
//! One JSON object a record. They are written before the positions that pass them over are committed, so they are at least
//! once: after a crash the same record may stand there twice, under the same topic, partition and offset.

use std::fs::OpenOptions;
use std::io::Write as _;

use driftlead_connectors::stream::Partition;
use serde_json::json;

use super::chunk::{DeadLetter, Kept};
use super::plan::DeadPlace;
use crate::exit::{Error, Result};
use crate::time::Timestamp;

/// Where the dead letters of one source go.
#[derive(Debug)]
pub(super) struct DeadLetters {
    source: String,
    place: DeadPlace,
    waiting: Vec<u8>,
}

impl DeadLetters {
    pub(super) fn new(source: impl Into<String>, place: DeadPlace) -> Self {
        Self { source: source.into(), place, waiting: Vec::new() }
    }

    /// Takes letters to be written with the next commit.
    pub(super) fn add(&mut self, partition: &Partition, letters: &[DeadLetter], now: i64) {
        if matches!(self.place, DeadPlace::Nowhere) {
            return;
        }
        for letter in letters {
            let mut line = json!({
                "source": self.source,
                "topic": partition.topic,
                "partition": partition.number,
                "offset": letter.offset,
                "reason": letter.reason,
                "detail": letter.detail,
                "time": Timestamp::from_micros(now).to_string(),
            });
            match &letter.payload {
                Kept::None => {}
                Kept::Hash { length, sha256 } => {
                    line["payload"] = json!({"bytes": length, "sha256": sha256});
                }
                Kept::Full(bytes) => {
                    line["payload"] = match std::str::from_utf8(bytes) {
                        Ok(text) => json!({"bytes": bytes.len(), "text": text}),
                        Err(_) => json!({"bytes": bytes.len(), "hex": hex(bytes)}),
                    };
                }
            }
            self.waiting.extend_from_slice(line.to_string().as_bytes());
            self.waiting.push(b'\n');
        }
    }

    /// Writes and syncs what waits.
    pub(super) fn flush(&mut self) -> Result<()> {
        let DeadPlace::File(path) = &self.place else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = OpenOptions::new().append(true).create(true).open(path).and_then(|mut file| {
            file.write_all(&self.waiting)?;
            file.sync_data()
        });
        written.map_err(|error| {
            Error::run(format!("cannot write the dead letters of `{}` to `{}`", self.source, path.display()))
                .because(error)
        })?;
        self.waiting.clear();
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
