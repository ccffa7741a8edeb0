//! Stored answers of reference tools, laws, and false-alarm rates.

mod calibration;
mod cut;
mod laws;
mod oracle;
mod oracle_p_values;
mod oracle_row_count;
