//! Which format a file has: by its ending, else by its first bytes.

use crate::error::{Error, Result};
use crate::location::Object;

/// A format that a data set can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values and their relatives, with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Arrow IPC: the file format (Feather) or the stream format.
    Arrow,
}

impl Format {
    /// The endings by which files in a directory are known as data.
    pub(crate) const EXTENSIONS: [&'static str; 10] =
        [".parquet", ".parq", ".pq", ".csv", ".tsv", ".ndjson", ".jsonl", ".arrow", ".ipc", ".feather"];

    /// By the ending of a name, in any case.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
        let (_, ending) = name.rsplit_once('.')?;
        match ending {
            "parquet" | "parq" | "pq" => Some(Self::Parquet),
            "csv" | "tsv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "arrow" | "ipc" | "feather" => Some(Self::Arrow),
            _ => None,
        }
    }

    /// Whether a file met in a directory is data: known by its ending, or without any (Spark, Hive).
    pub(crate) fn accepts(name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        Self::of_name(file).is_some() || !file.contains('.')
    }

    /// By ending, else by the first bytes.
    pub fn of_object(object: &Object) -> Result<Self> {
        if let Some(format) = Self::of_name(object.name()) {
            return Ok(format);
        }
        if object.size() == 0 {
            return Err(Error::malformed(format!(
                "`{}` is empty (0 bytes) and its name has no known ending: expected one of {}",
                object.name(),
                Self::EXTENSIONS.join(", ")
            )));
        }
        let head = object.open(&[])?.read(0, object.size().min(8) as usize)?;
        match head.get(..4) {
            Some(b"PAR1") => Ok(Self::Parquet),
            Some(b"ARRO") => Ok(Self::Arrow),
            // An object, or as much of it as fits: one a line is all that can be meant.
            Some([b'{', ..]) => Ok(Self::Ndjson),
            _ => Err(Error::misconfigured(format!(
                "`{}` has no known format: its name ends in none of {} and it begins with `{}`; rename it so that its \
                 ending says what it is",
                object.name(),
                Self::EXTENSIONS.join(", "),
                head.escape_ascii()
            ))),
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "NDJSON",
            Self::Arrow => "Arrow",
        })
    }
}
