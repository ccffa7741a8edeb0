//! The columns of an NDJSON file, from its first records.

use std::io::Read;

use super::lines::{Line, Lines};
use super::scan::{Fault, Key, Scan, Token, unescape};
use crate::error::Result;
use crate::source::infer::{Ballot, Inferred, InferredColumn, SkippedColumn, Votes};

/// How much of a file inference looks at, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Records, good or bad.
    pub records: u64,
    /// Bytes of records; the one that reaches the bound is the last.
    pub bytes: u64,
    /// Whether texts that are ISO dates or RFC 3339 timestamps are typed so; else they stay strings.
    pub temporal: bool,
}

impl Default for Sample {
    /// 10,000 records or 32 MiB; times stay strings.
    fn default() -> Self {
        Self { records: 10_000, bytes: 32 << 20, temporal: false }
    }
}

/// The top-level keys of the first records, with the type of most of their values.
///
/// Nested objects and lists of anything but numbers are `skipped`: a value inside is named by a JSON pointer.
///
/// # Errors
/// Those of reading, as for [`super::Reader`].
pub fn infer(read: impl Read + Send, label: &str, sample: Sample) -> Result<Inferred> {
    let mut lines = Lines::new(read, label.to_owned());
    let mut sampler = Sampler::new(sample);
    while !sampler.is_full() {
        let Some((number, line)) = lines.next_line()? else { break };
        let text = match line {
            Line::Record(record) => std::str::from_utf8(record).ok(),
            Line::TooLong => None,
        };
        match text {
            Some(text) => sampler.take(number, text),
            None => sampler.fail(number, "expected UTF-8 text of at most 64 MiB".to_owned()),
        }
    }
    Ok(sampler.finish())
}

/// What the records that were looked at so far show.
pub(in crate::source) struct Sampler {
    sample: Sample,
    ballot: Ballot,
    records: u64,
    bad_records: u64,
    bytes: u64,
    first_bad: Option<(u64, String)>,
}

impl Sampler {
    pub(in crate::source) fn new(sample: Sample) -> Self {
        let ballot = Ballot::default();
        Self { sample, ballot, records: 0, bad_records: 0, bytes: 0, first_bad: None }
    }

    /// Whether enough was looked at.
    pub(in crate::source) fn is_full(&self) -> bool {
        self.records + self.bad_records >= self.sample.records || self.bytes >= self.sample.bytes
    }

    /// Looks at a record of this line.
    pub(in crate::source) fn take(&mut self, line: u64, record: &str) {
        self.bytes += record.len() as u64;
        match members(record) {
            Ok(members) => {
                self.records += 1;
                for (key, token) in members {
                    if let Some(votes) = self.ballot.column(&key) {
                        vote(votes, token, record);
                    }
                }
            }
            Err(fault) => self.fail(line, fault.to_string()),
        }
    }

    /// Notes a record that cannot be read.
    pub(in crate::source) fn fail(&mut self, line: u64, why: String) {
        self.bad_records += 1;
        self.first_bad.get_or_insert((line, why));
    }

    pub(in crate::source) fn finish(self) -> Inferred {
        let Self { sample, ballot, records, bad_records, first_bad, .. } = self;
        inferred(
            sample,
            ballot,
            Inferred { columns: Vec::new(), skipped: Vec::new(), records, bad_records, first_bad },
        )
    }
}

fn inferred(sample: Sample, ballot: Ballot, mut inferred: Inferred) -> Inferred {
    if ballot.left_out() {
        let most = crate::source::infer::MOST_COLUMNS;
        let reason = format!("keys beyond the first {most} are not looked at: name those you need");
        inferred.skipped.push(SkippedColumn { name: "…".to_owned(), reason });
    }
    for (name, votes) in ballot.into_columns() {
        match votes.majority(sample.temporal) {
            Some(data_type) => inferred.columns.push(InferredColumn { name, data_type }),
            None => {
                let reason = "holds objects or lists of other things than numbers: name a value inside by its JSON \
                              pointer, such as `/payload/delay`";
                inferred.skipped.push(SkippedColumn { name, reason: reason.to_owned() });
            }
        }
    }
    inferred
}

/// The members of one record, or why it is bad.
fn members(record: &str) -> std::result::Result<Vec<(String, Token)>, Fault> {
    let mut scan = Scan::new(record);
    let mut members = Vec::new();
    scan.open_record()?;
    let mut key = scan.first_key()?;
    while let Some(Key { text, escaped }) = key {
        let token = scan.value(1)?;
        let text = String::from_utf8_lossy(text);
        let mut name = String::new();
        if !escaped {
            members.push((text.into_owned(), token));
        } else if unescape(&text, &mut name) {
            members.push((name, token));
        }
        key = scan.next_key()?;
    }
    scan.close_record()?;
    Ok(members)
}

fn vote(votes: &mut Votes, token: Token, record: &str) {
    match token {
        Token::Null => {}
        Token::Bool(_) => votes.bool(),
        Token::Number(span) => votes.number(span.of(record)),
        Token::NonFinite(_) => votes.float(),
        Token::Text(span) | Token::Escaped(span) => votes.string(span.of(record)),
        Token::Array(span) if is_numeric_list(span.of(record)) => votes.float_list(),
        Token::Array(_) | Token::Object => votes.other(),
    }
}

/// Whether all items are numbers or null.
fn is_numeric_list(array: &str) -> bool {
    let inner = array[1..array.len() - 1].trim();
    let numeric = |item: &str| item == "null" || item.parse::<f64>().is_ok();
    inner.is_empty() || inner.split(',').all(|item| numeric(item.trim()))
}
