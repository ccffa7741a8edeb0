//! Dead letters: records that could not be counted, kept where a person finds them (SEMANTICS S17).
//!
//! One JSON object a record. They are written before the positions that pass them over are committed, so they are at least
//! once: after a crash the same record may stand there twice, under the same topic, partition and offset.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use driftlead_connectors::stream::Partition;
use serde_json::json;

use super::chunk::{DeadLetter, Kept};
use super::plan::DeadPlace;
use crate::exit::{Error, Result};
use crate::time::Timestamp;

/// Where the dead letters of one source go.
pub(super) struct DeadLetters {
    source: String,
    place: Place,
    /// Objects without their line ends.
    waiting: Vec<String>,
}

enum Place {
    Nowhere,
    File(PathBuf),
    #[cfg(feature = "kafka")]
    Topic {
        producer: Box<driftlead_connectors::kafka::KafkaProducer>,
        topic: String,
    },
}

impl DeadLetters {
    /// Dead letters of `source`, to a place that is not asked yet.
    pub(super) fn open(source: &str, place: DeadPlace) -> Result<Self> {
        let place = match place {
            DeadPlace::Nowhere => Place::Nowhere,
            DeadPlace::File(path) => Place::File(path),
            #[cfg(feature = "kafka")]
            DeadPlace::Topic { connection, topic } => {
                let producer = driftlead_connectors::kafka::KafkaProducer::open(&connection)
                    .map_err(|error| Error::input(format!("`{source}`: {error}")))?;
                Place::Topic { producer: Box::new(producer), topic }
            }
        };
        Ok(Self { source: source.to_owned(), place, waiting: Vec::new() })
    }

    /// Takes letters to be written with the next commit.
    pub(super) fn add(&mut self, partition: &Partition, letters: &[DeadLetter], now: i64) {
        if matches!(self.place, Place::Nowhere) {
            return;
        }
        for letter in letters {
            let mut object = json!({
                "source": self.source,
                "topic": partition.topic,
                "partition": partition.number,
                "offset": letter.offset,
                "reason": letter.reason,
                "detail": letter.detail,
                "time": Timestamp::from_micros(now).to_string(),
            });
            if let Some(own) = &letter.line {
                object["file"] = json!(own.file);
                object["line"] = json!(own.line);
                if let Some(record) = own.record {
                    object["record"] = json!(record);
                }
            }
            match &letter.payload {
                Kept::None => {}
                Kept::Hash { length, sha256 } => {
                    object["payload"] = json!({"bytes": length, "sha256": sha256})
                }
                Kept::Full(bytes) => {
                    object["payload"] = match std::str::from_utf8(bytes) {
                        Ok(text) => json!({"bytes": bytes.len(), "text": text}),
                        Err(_) => json!({"bytes": bytes.len(), "hex": hex(bytes)}),
                    };
                }
            }
            self.waiting.push(object.to_string());
        }
    }

    /// Writes what waits, and returns when it is there for good.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        match &mut self.place {
            Place::Nowhere => {}
            Place::File(path) => append(path, &self.waiting).map_err(|error| {
                let message =
                    format!("cannot write the dead letters of `{}` to `{}`", self.source, path.display());
                Error::run(message).because(error)
            })?,
            #[cfg(feature = "kafka")]
            Place::Topic { producer, topic } => produce(producer, topic, &self.waiting).map_err(|error| {
                let message =
                    format!("cannot write the dead letters of `{}` to the topic `{topic}`", self.source);
                Error::run(message).because(error)
            })?,
        }
        self.waiting.clear();
        Ok(())
    }
}

fn append(path: &Path, objects: &[String]) -> std::io::Result<()> {
    let mut text = String::new();
    for object in objects {
        text.push_str(object);
        text.push('\n');
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

#[cfg(feature = "kafka")]
fn produce(
    producer: &mut driftlead_connectors::kafka::KafkaProducer,
    topic: &str,
    objects: &[String],
) -> driftlead_connectors::Result<()> {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
    for object in objects {
        producer.send(topic, None, Some(object.as_bytes()), &[])?;
    }
    let flushed = producer.flush(PATIENCE);
    for (_, outcome) in flushed.outcomes {
        outcome?;
    }
    match flushed.pending {
        0 => Ok(()),
        pending => Err(driftlead_connectors::Error::unavailable(format!(
            "the brokers have not taken {pending} of {} messages in time",
            objects.len()
        ))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::chunk::FileLine;
    use super::*;

    #[test]
    fn letters_say_where_and_why_and_keep_what_was_asked_for() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dead.ndjson");
        let mut dead = DeadLetters::open("flights", DeadPlace::File(path.clone())).expect("opened");
        let partition = Partition { topic: "t".to_owned(), number: 3 };
        let letter = |offset, payload| DeadLetter {
            reason: "not_json",
            detail: "expected `{`".to_owned(),
            offset,
            line: (offset == 10).then(|| FileLine { file: "a.ndjson".to_owned(), line: 4, record: Some(2) }),
            payload,
        };
        let kept = [
            letter(7, Kept::None),
            letter(8, Kept::Hash { length: 2, sha256: "ab".to_owned() }),
            letter(9, Kept::Full(b"{x".to_vec())),
            letter(10, Kept::Full(vec![0xff, 0x00])),
        ];
        dead.add(&partition, &kept, 0);
        assert!(!path.exists(), "nothing before the commit");
        dead.flush().expect("written");
        dead.flush().expect("nothing more");
        let text = std::fs::read_to_string(&path).expect("text");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            (&lines[0]["topic"], &lines[0]["partition"], &lines[0]["offset"]),
            (&json!("t"), &json!(3), &json!(7))
        );
        assert_eq!((lines[0].get("payload"), lines[0].get("file")), (None, None));
        assert_eq!((&lines[3]["file"], &lines[3]["line"]), (&json!("a.ndjson"), &json!(4)));
        assert_eq!(lines[3]["record"], 2);
        assert_eq!(lines[1]["payload"]["sha256"], "ab");
        assert_eq!(lines[2]["payload"]["text"], "{x");
        assert_eq!(lines[3]["payload"]["hex"], "ff00");
    }
}
