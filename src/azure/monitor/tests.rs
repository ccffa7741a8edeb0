//! Tests of reading monitors.
