//! Rows of a topic as those of a baseline's file: a topic has numbers for times, and a file says RFC 3339.

use driftlead::time::Timestamp;

use crate::Failure;

/// A line that begins with `{"ts":NUMBER,`, with its time written out; `unit` is that of the number, in microseconds.
pub(crate) fn timed(line: &str, unit: i64) -> Result<String, Failure> {
    let rest = line.strip_prefix("{\"ts\":").and_then(|rest| rest.split_once(','));
    let (time, rest) = rest.ok_or("a row without a time")?;
    let time = Timestamp::from_micros(time.parse::<i64>()? * unit);
    Ok(format!("{{\"ts\":\"{time}\",{rest}"))
}
