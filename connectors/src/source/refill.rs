//! Reading on into a buffer, of which the last bytes are still needed.

use std::io::{ErrorKind as Io, Read};
use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// Moves `kept` to the front of `buffer`, reads behind it and answers how many bytes came; none only at the end. The
/// buffer grows if it holds nothing but what is kept.
///
/// # Errors
/// Unavailable, if reading fails; the message names `label` and the `line` reached.
pub(super) fn refill(
    read: &mut impl Read,
    buffer: &mut Vec<u8>,
    kept: Range<usize>,
    label: &str,
    line: u64,
) -> Result<usize> {
    let n_kept = kept.len();
    if kept.start > 0 {
        buffer.copy_within(kept, 0);
    }
    if n_kept == buffer.len() {
        buffer.resize(buffer.len() * 2, 0);
    }
    loop {
        match read.read(&mut buffer[n_kept..]) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == Io::Interrupted => {}
            Err(error) => {
                let message = format!("cannot read `{label}` after line {line}");
                return Err(Error::new(ErrorKind::Unavailable, message).with_source(error));
            }
        }
    }
}
