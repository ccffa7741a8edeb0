//! Stored answers of reference tools, laws, and false-alarm rates.
