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
    /// Events of Azure ML's Model Data Collector, one a line, each with several records.
    Mdc,
}

/// Before an input whose files are events.
const MDC: &str = "mdc:";

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

    /// The input behind a format that stands before it, and that format: only `mdc:` has to be said.
    pub fn of_input(input: &str) -> (Option<Self>, &str) {
        match input.strip_prefix(MDC) {
            Some(rest) => (Some(Self::Mdc), rest),
            None => (None, input),
        }
    }

    /// `input` with what has to stand before it for this format.
    #[must_use]
    pub fn mark(self, input: &str) -> String {
        match self {
            Self::Mdc => format!("{MDC}{input}"),
            Self::Parquet | Self::Csv | Self::Ndjson | Self::Arrow => input.to_owned(),
        }
    }

    /// The columns that rows have from what they came in, and not from their own record.
    #[must_use]
    pub const fn envelope(self) -> &'static [&'static str] {
        match self {
            Self::Mdc => &crate::source::mdc::COLUMNS,
            Self::Parquet | Self::Csv | Self::Ndjson | Self::Arrow => &[],
        }
    }

    /// Whether files of it are text, without types of their own.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Ndjson | Self::Mdc)
    }

    /// Whether a name is that of a file of lines of JSON.
    pub(crate) fn is_lines(name: &str) -> bool {
        Self::of_name(name) == Some(Self::Ndjson)
    }

    /// Whether a file met in a directory is data: known by its ending, or without any (Spark, Hive).
    pub(crate) fn accepts(name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        Self::of_name(file).is_some() || !file.contains('.')
    }

    /// As a person said, else by ending, else by the first bytes.
    pub fn of_object(object: &Object) -> Result<Self> {
        if let Some(format) = object.format() {
            return Ok(format);
        }
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
            Self::Mdc => "events of the Model Data Collector",
        })
    }
}
