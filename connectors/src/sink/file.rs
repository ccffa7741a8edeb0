//! Sinks that write a line a message: a file, and standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::{Delivery, Message};

/// A file that grows by a line a message.
///
/// It is opened for each message, so that it can be moved away by whoever rotates logs, and synced before the message
/// counts as delivered. Half a line that a crash has left is closed with a line end first.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    /// A sink into `path`, made when the first message comes; its folder must be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(super) fn deliver(&self, message: &Message) -> Delivery {
        match append(&self.path, &message.body) {
            Ok(()) => Delivery::Delivered,
            // A full disk is emptied, a missing folder made: the message is fine.
            Err(error) => {
                let path = self.path.display();
                let reason = if error.kind() == io::ErrorKind::NotFound {
                    format!("`{path}` cannot be made: its folder does not exist; create it")
                } else {
                    format!("`{path}`: {error}")
                };
                Delivery::Retry { after: None, reason }
            }
        }
    }
}

/// Appends `line` and a line end to the file at `path`, and syncs it.
fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut whole = Vec::with_capacity(line.len() + 2);
    if !ends_in_line_end(&mut file)? {
        whole.push(b'\n');
    }
    whole.extend_from_slice(line);
    whole.push(b'\n');
    file.write_all(&whole)?;
    file.sync_data()
}

fn ends_in_line_end(file: &mut File) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Standard output, a line a message. What a closed pipe has not taken is tried again.
#[derive(Debug, Default)]
pub struct StdoutSink;

impl StdoutSink {
    pub(super) fn deliver(&self, message: &Message) -> Delivery {
        let mut out = io::stdout().lock();
        let written =
            out.write_all(&message.body).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        match written {
            Ok(()) => Delivery::Delivered,
            Err(error) => Delivery::Retry { after: None, reason: format!("standard output: {error}") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Message {
        Message {
            key: "a:0:f".to_owned(),
            order: "a".to_owned(),
            body: body.as_bytes().to_vec(),
            content_type: "application/json".to_owned(),
        }
    }

    #[test]
    fn half_a_line_is_closed_before_the_next() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("events.ndjson");
        let sink = FileSink::new(&path);
        assert_eq!(sink.deliver(&message("{\"a\":1}")), Delivery::Delivered);
        std::fs::write(&path, "{\"a\":1}\n{\"a\"").expect("a crash");
        assert_eq!(sink.deliver(&message("{\"a\":2}")), Delivery::Delivered);
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "{\"a\":1}\n{\"a\"\n{\"a\":2}\n");
    }

    #[test]
    fn a_file_that_was_moved_away_begins_anew_and_a_missing_folder_is_waited_for() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("events.ndjson");
        let sink = FileSink::new(&path);
        assert_eq!(sink.deliver(&message("1")), Delivery::Delivered);
        std::fs::rename(&path, folder.path().join("old")).expect("rotated");
        assert_eq!(sink.deliver(&message("2")), Delivery::Delivered);
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "2\n");
        let nowhere = FileSink::new(folder.path().join("no/such/file"));
        let Delivery::Retry { reason, .. } = nowhere.deliver(&message("3")) else { panic!("taken") };
        assert!(reason.contains("no/such/file") && reason.ends_with("create it"), "{reason}");
    }
}
