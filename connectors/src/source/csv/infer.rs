//! The columns of a CSV file, from its header and first records.

use std::io::Read;

use super::Options;
use super::records::{Next, Records};
use crate::error::Result;
use crate::source::infer::{Ballot, Inferred, InferredColumn, Votes};
use crate::source::ndjson::Sample;

/// The columns of the header, with the type that at least 95 % of the sample's fields have, else strings.
///
/// Numbers with leading zeros, such as postal codes, count as strings.
///
/// # Errors
/// Those of [`super::Reader::new`] about the header, and Unavailable, if reading fails.
pub fn infer(read: impl Read + Send, label: &str, options: &Options, sample: Sample) -> Result<Inferred> {
    let (mut records, header) = Records::open(read, label, options)?;
    let mut ballot = Ballot::default();
    for name in &header {
        ballot.column(name);
    }
    let (mut good, mut bad, mut bytes) = (0, 0, 0);
    let mut first_bad = None;
    while good + bad < sample.records && bytes < sample.bytes {
        match records.next()? {
            None => break,
            Some((line, fault @ (Next::Ragged { .. } | Next::TooLong))) => {
                bad += 1;
                first_bad.get_or_insert_with(|| (line, fault.detail()));
            }
            Some((_, Next::Row(row))) => {
                good += 1;
                bytes += row.len() as u64;
                for (field, name) in header.iter().enumerate() {
                    let text = row.text(field).unwrap_or("\u{fffd}");
                    if let Some(votes) = ballot.column(name)
                        && !options.null_values.iter().any(|null| null == text)
                    {
                        vote(votes, text.trim());
                    }
                }
            }
        }
    }
    let columns = ballot
        .into_columns()
        .map(|(name, votes)| InferredColumn { name, data_type: votes.of_text(sample.temporal) })
        .collect();
    Ok(Inferred { columns, skipped: Vec::new(), records: good, bad_records: bad, first_bad })
}

fn vote(votes: &mut Votes, text: &str) {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let padded = unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1].is_ascii_digit();
    match text.parse::<f64>() {
        Ok(_) if !padded => votes.number(text),
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => votes.bool(),
        _ => votes.string(text),
    }
}
